"""The view for a wall tablet: all of now on one screen, which stays awake; and what is not of now is said."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import Browser, Page

from rct_tools.simulator import Simulator
from rct_tools.simulator.inverter import Inverter

from browsing import as_shown, opened, reads, truth, violations
from servers import free_ports
from showing import QUICK, ZONE, Shown, known, showing, until
from stored_past import fill

NOON = datetime(2026, 6, 21, 12)  # noqa: DTZ001  # the clock on the wall
SIZES = {
    "landscape": {"width": 1280, "height": 800},
    "small": {"width": 1024, "height": 600},
    "portrait": {"width": 800, "height": 1280},
    "phone": {"width": 390, "height": 844},
    "phone on its side": {"width": 844, "height": 390},
    "phone of old": {"width": 320, "height": 568},
    "phone of old on its side": {"width": 568, "height": 320},
    "wall": {"width": 1920, "height": 1080},
}
FLOWS = {
    "sun": ("dc_conv.dc_conv_struct[0].p_dc", "dc_conv.dc_conv_struct[1].p_dc"),
    "house": ("g_sync.p_ac_load_sum_lp",),
    "battery": ("g_sync.p_acc_lp",),
    "grid": ("g_sync.p_ac_grid_sum_lp",),
}
PASSWORD = "correct horse battery"
ALL_IS_SEEN = """() => {
    const root = document.documentElement;
    const places = ".card, .clock, .freshness, .flow, .chart canvas, .tile, .banner:not([hidden])";
    const screen = { left: 0, top: 0, right: innerWidth, bottom: innerHeight };
    const isIn = (box, outer) =>
        box.left >= outer.left && box.top >= outer.top && box.right <= outer.right && box.bottom <= outer.bottom;
    const isSeen = (place) => {
        const box = place.getBoundingClientRect();
        const card = place.parentElement.closest(".card");
        return isIn(box, screen) && (!card || isIn(box, card.getBoundingClientRect()));
    };
    const scrolls = root.scrollHeight > root.clientHeight || root.scrollWidth > root.clientWidth;
    const fits = (place) => place.scrollWidth <= place.clientWidth;
    const all = (selector) => [...document.querySelectorAll(selector)];
    const isDrawn = all(".stage").every((stage) => stage.clientHeight >= 80); // less, and its names touch
    return !scrolls && all(places).every(isSeen) && all("h1, .tile dd, .tile dt").every(fits) && isDrawn;
}"""


@pytest.fixture(scope="session")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the day so far."""
    path = tmp_path_factory.mktemp("day") / "r.db"
    wall = datetime.now(ZoneInfo(ZONE)).replace(tzinfo=UTC)
    fill(path, Inverter.with_past(0, int(wall.timestamp()) - 86_400), "roof", ZoneInfo(ZONE), 86_400, 300)
    return path


@pytest.fixture
async def shown(simulator: Simulator, day: Path) -> AsyncIterator[Shown]:
    async with showing(simulator, store=day, plan=QUICK) as shown:
        await until(known(shown, "battery.soc", "energy.e_ext_day", "energy.e_grid_feed_day"))
        yield shown


async def all_is_seen(page: Page) -> None:
    await page.wait_for_function(ALL_IS_SEEN)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("locale", "point", "colours"), [("en-GB", ".", "light"), ("de-DE", ",", "dark")])
async def test_all_is_seen_and_true(
    shown: Shown, browser: Browser, size: str, locale: str, point: str, colours: Any
) -> None:
    options = {"viewport": SIZES[size], "locale": locale, "color_scheme": colours}
    async with opened(browser, f"{shown.url}/kiosk", **options) as (page, watch):
        for place, names in FLOWS.items():
            await reads(page, f".place.{place} .watts", as_shown(truth(shown.simulator, names), point))
        charge = truth(shown.simulator, ["battery.soc"])
        await page.wait_for_selector(f".place.battery .note:has-text('{charge * 100:.0f} %')")
        used = truth(shown.simulator, ["energy.e_load_day"])
        await reads(page, ".tile.used dd", f"{used / 1000:.1f} kWh".replace(".", point))
        await page.wait_for_selector(".chart canvas")
        await all_is_seen(page)
        clock = datetime.strptime(await page.text_content(".clock") or "", "%H:%M")  # noqa: DTZ007  # as on the wall
        now = datetime.now(ZoneInfo(ZONE))
        assert (now.hour * 60 + now.minute - clock.hour * 60 - clock.minute) % 1440 < 2
        assert await page.is_hidden(".clock") == size.startswith("phone")  # which has one of its own
        assert await page.inner_text(".freshness")
        assert await page.is_hidden(".main-tabs")
        text = await page.evaluate("() => parseFloat(getComputedStyle(document.documentElement).fontSize)")
        assert (text > 20) == (size == "wall")  # which is read from afar
        assert await violations(page) == []
    assert (watch.errors, watch.elsewhere) == ([], [])


async def test_away_is_said_and_it_comes_back(simulator: Simulator, day: Path, browser: Browser) -> None:
    async with (
        showing(simulator, store=day, plan=QUICK) as shown,
        opened(browser, f"{shown.url}/kiosk", viewport=SIZES["small"]) as (page, _),
    ):
        await reads(page, ".place.house .watts", as_shown(truth(simulator, FLOWS["house"])))
        await page.wait_for_selector(".chart canvas")
        await simulator.close()
        await page.wait_for_selector(".away .banner:has-text('The inverter does not answer. Last heard')")
        for place in FLOWS:
            await reads(page, f".place.{place} .watts", "–")
        assert re.search("ago|just now", await page.inner_text(".freshness"))
        await all_is_seen(page)
        async with Simulator(port=simulator.port, latency=0.001, broadcast=False, speed=0, start=NOON):
            await reads(page, ".place.house .watts", as_shown(truth(simulator, FLOWS["house"])))
            await page.wait_for_selector("body:not(.away)")


async def test_lost_collector_leaves_a_time(simulator: Simulator, browser: Browser) -> None:
    (port,) = free_ports(1)
    is_told = "() => /^as of \\d\\d:\\d\\d$/.test(document.querySelector('.freshness').textContent)"
    async with opened(browser, "about:blank", viewport=SIZES["small"]) as (page, _):
        async with showing(simulator, port=port) as shown:
            await page.goto(f"{shown.url}/kiosk")
            await page.wait_for_selector(".flows")
        await page.wait_for_selector(".away .banner:has-text('No connection to the collector')")
        await page.wait_for_function(is_told)
        async with showing(simulator, port=port):
            await page.wait_for_selector("body:not(.away) .flows")


@pytest.mark.parametrize("way", ["keys", "link"])
async def test_it_can_be_left(shown: Shown, browser: Browser, way: str) -> None:
    async with opened(browser, f"{shown.url}/kiosk?inverter=roof") as (page, _):
        await page.wait_for_selector(".flows")
        assert await page.evaluate("() => document.body.className") == "kiosk"
        await (page.keyboard.press("Escape") if way == "keys" else page.click(".leave"))
        await page.wait_for_selector(".main-tabs >> visible=true")
        assert page.url == f"{shown.url}/?inverter=roof"
        assert not await page.get_attribute("body", "style")
        await page.click("text=For a wall tablet")
        await page.wait_for_selector(".clock")


async def test_screen_stays_awake(shown: Shown, browser: Browser) -> None:
    async with opened(browser, "about:blank") as (page, _):
        await page.add_init_script(
            "window.locks = []; const request = WakeLock.prototype.request;"
            "WakeLock.prototype.request = function (kind) {"
            " const asked = request.call(this, kind); asked.then((lock) => locks.push(lock)); return asked; };"
        )
        answer = await page.goto(f"{shown.url}/kiosk")
        assert answer is not None
        assert "screen-wake-lock=(self)" in answer.headers["permissions-policy"]
        await page.wait_for_function("() => locks.length === 1 && !locks[0].released")
        await page.keyboard.press("Escape")
        await page.wait_for_function("() => locks[0].released")


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
async def test_nothing_burns_in(shown: Shown, browser: Browser, motion: Any) -> None:
    async with opened(browser, "about:blank", reduced_motion=motion, viewport=SIZES["small"]) as (page, _):
        await page.clock.install()
        await page.goto(f"{shown.url}/kiosk")
        await page.clock.run_for(2000)
        await page.wait_for_selector(".chart canvas")
        places: set[tuple[float, ...]] = set()
        for _minute in range(6):
            await page.clock.run_for(60_000)
            box = await page.locator(".picture").bounding_box()
            assert box is not None
            places.add((box["x"], box["y"], box["width"]))
            await all_is_seen(page)
        assert (len({place[:2] for place in places}) > 3) == (motion != "reduce")
        assert len({place[2] for place in places}) == 1  # it moves, and is no other


async def test_password_is_asked_for_once(simulator: Simulator, browser: Browser) -> None:
    async with showing(simulator, password=PASSWORD) as shown, opened(browser, f"{shown.url}/kiosk") as (page, _):
        await page.fill("#password", PASSWORD)
        await page.keyboard.press("Enter")
        await page.wait_for_selector(".clock")
        cookie = next(each for each in await page.context.cookies() if each["name"] == "rct_session")
        assert cookie["expires"] - datetime.now().timestamp() > 29 * 86_400  # noqa: DTZ005
        await page.reload()
        await page.wait_for_selector(".flows")
        assert await page.locator("#password").count() == 0
