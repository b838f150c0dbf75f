"""The page in a real browser: what it shows is true, in each size, colour and language, and for those who use keys."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import Browser

from rct_tools.frame import Frame
from rct_tools.objects import registry
from rct_tools.plain import plain
from rct_tools.simulator import Simulator
from rct_tools.simulator.inverter import Inverter

from browsing import SIZES, SOURCES, as_shown, draws, is_too_wide, opened, reads, ready, truth, violations
from servers import free_ports
from showing import QUICK, ZONE, Shown, known, showing, until
from stored_past import fill

NOON = datetime(2026, 6, 21, 12)  # noqa: DTZ001  # the clock on the wall
PATHS = ("/", "/day", "/week", "/month", "/year", "/battery", "/events", "/inverter")
FLOWS = {
    "sun": ("dc_conv.dc_conv_struct[0].p_dc", "dc_conv.dc_conv_struct[1].p_dc"),
    "house": ("g_sync.p_ac_load_sum_lp",),
    "battery": ("g_sync.p_acc_lp",),
    "grid": ("g_sync.p_ac_grid_sum_lp",),
}
PASSWORD = "correct horse battery"


@pytest.fixture(scope="session")
def past(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A store with four days up to now."""
    path = tmp_path_factory.mktemp("past") / "r.db"
    zone = ZoneInfo(ZONE)
    wall = datetime.now(zone).replace(tzinfo=UTC)
    begin = int(wall.timestamp()) - 4 * 86_400
    fill(path, Inverter.with_past(0, begin), "roof", zone, 4 * 86_400, 300)
    return path.read_bytes()


@pytest.fixture
async def shown(simulator: Simulator, past: bytes, tmp_path: Path) -> AsyncIterator[Shown]:
    store = tmp_path / "r.db"
    await asyncio.to_thread(store.write_bytes, past)
    async with showing(simulator, store=store, plan=QUICK) as shown:
        await until(known(shown, "battery.soc", "battery.cells[4]", "energy.e_ext_day", "energy.e_grid_feed_day"))
        yield shown


# --- what is shown is true ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("locale", "point"), [("en-GB", "."), ("de-DE", ",")])
async def test_values_are_those_of_the_inverter(shown: Shown, browser: Browser, locale: str, point: str) -> None:
    async with opened(browser, shown.url, locale=locale) as (page, watch):
        for place, names in FLOWS.items():
            watts = truth(shown.simulator, names)
            await reads(page, f".place.{place} .watts", as_shown(watts, point))
        charge = truth(shown.simulator, ["battery.soc"])
        note = await page.text_content(".place.battery .note")
        assert note is not None
        assert note.startswith(f"{charge * 100:.0f} %")
        made = truth(shown.simulator, ["energy.e_dc_day[0]", "energy.e_dc_day[1]", "energy.e_ext_day"])
        await reads(page, ".tile.made dd", f"{made / 1000:.1f} kWh".replace(".", point))
    assert (watch.errors, watch.elsewhere) == ([], [])


async def test_power_flows_the_way_it_does(shown: Shown, browser: Browser) -> None:
    async with opened(browser, shown.url) as (page, _):
        await reads(page, ".place.house .watts", as_shown(truth(shown.simulator, FLOWS["house"])))
        signs = {"sun": 1, "house": -1, "battery": 1, "grid": 1}
        for place, names in FLOWS.items():
            watts = signs[place] * truth(shown.simulator, names)
            await reads(page, f".place.{place} .watts", as_shown(watts))
            classes = (await page.get_attribute(f".line.{place}", "class") or "").split()
            assert ("flows" in classes) == (abs(watts) >= 10), place
            assert ("into" in classes) == (watts > 0), place
        told = await page.text_content("#flow-description")
        assert told is not None
        assert re.search(r"Sun: .*, Grid: .* (feed-in|import), House: .*, Battery: .*, Charge: \d+ %\.", told)


async def test_values_move_with_the_house(browser: Browser) -> None:
    async with (
        Simulator(port=0, latency=0.001, broadcast=False, speed=600, start=NOON) as simulator,
        showing(simulator, plan=QUICK) as shown,
        opened(browser, shown.url) as (page, _),
    ):
        await page.wait_for_function("() => /W$/.test(document.querySelector('.place.house .watts')?.textContent)")
        first = await page.text_content(".place.house .watts")
        await page.wait_for_function(
            "first => document.querySelector('.place.house .watts').textContent !== first", arg=first
        )


async def test_a_new_reading_is_shown(shown: Shown, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    house, inverter = registry[FLOWS["house"][0]], shown.simulator.inverter
    answer = inverter.answer

    def changed(asked: Frame) -> Frame | None:
        told = answer(asked)
        return replace(told, payload=house.encode(4321.0)) if told and told.object_id == house.object_id else told

    async with opened(browser, shown.url) as (page, _):
        await page.wait_for_function("() => /W$/.test(document.querySelector('.place.house .watts')?.textContent)")
        monkeypatch.setattr(inverter, "answer", changed)
        await reads(page, ".place.house .watts", "4.32 kW")


async def test_every_chart_draws(shown: Shown, browser: Browser) -> None:
    async with opened(browser, shown.url) as (page, watch):
        for path in ("/", "/day", "/week"):
            await page.goto(shown.url + path)
            await page.wait_for_selector(".u-over")
            await draws(page, ["180,83,9", "29,95,168", "21,128,61", "157,42,160", "15,118,110"])
        for path in ("/month", "/year"):
            await page.goto(shown.url + path)
            await page.wait_for_selector(".bar.own")
            heights = await page.eval_on_selector_all(".bar", "bars => bars.map(bar => +bar.getAttribute('height'))")
            assert max(heights) > 50
    assert (watch.errors, watch.elsewhere) == ([], [])


async def test_totals_of_a_day_are_those_of_the_house(shown: Shown, browser: Browser) -> None:
    assert shown.page.setup.store is not None
    await asyncio.sleep(0)
    async with opened(browser, f"{shown.url}/day") as (page, _):
        await ready(page)
        yesterday = await page.get_attribute(".step", "href")
        await page.click(".step")
        await ready(page)
        assert yesterday is not None
        date = re.findall(r"\d{4}-\d\d-\d\d", yesterday)[0]
        async with page.expect_response("**/api/energies?*") as answer:
            await page.reload()
        (slot,) = (await (await answer.value).json())["slots"]
        await reads(page, ".tile.used dd", f"{slot['used'] / 1000:.1f} kWh")
        assert date in page.url
        async with page.expect_download() as download:
            await page.click("a[download]")
        path = await (await download.value).path()
        head = path.read_text("utf-8").splitlines()[0]
        assert head.startswith("time,dc_conv.dc_conv_struct[0].p_dc [W]")


async def test_battery_events_and_objects(shown: Shown, browser: Browser) -> None:
    async with opened(browser, f"{shown.url}/battery") as (page, watch):
        await page.wait_for_selector(".shade-4, .shade-3, .shade-5")
        cells = registry["battery.cells[2]"].decode(shown.simulator.inverter.payload(registry["battery.cells[2]"]))
        found = await page.locator(".module").nth(2).locator(".cell").all_inner_texts()
        assert [re.findall(r"\d\.\d{3}", text)[0] for text in found] == [
            f"{cell['voltage']:.3f}" for cell in plain(cells)
        ]
        await page.check("input[value=temperature]")
        assert await page.locator(".module").first.locator(".cell").first.inner_text()
        await page.click("nav a[href^='/events']")
        await page.wait_for_selector("tbody tr")
        everything = await page.locator("tbody tr").count()
        await page.fill("#filter", "soc_min")
        names = await page.locator("tbody tr").all_inner_texts()
        assert 0 < len(names) < everything
        assert all("soc_min" in name for name in names)
        await page.fill("#filter", "nothing like this")
        await reads(page, ".count", "No event fits.")
        await page.click("nav a[href^='/inverter']")
        await page.fill("#search", "battery.soc")
        await page.wait_for_selector("tbody tr:first-child code:text-is('battery.soc')")
        charge = truth(shown.simulator, ["battery.soc"])
        await reads(page, "tbody tr:first-child td.number", f"{charge * 100:.1f} %")
        await page.wait_for_selector("main:has-text('SIM0000001')")
    assert (watch.errors, watch.elsewhere) == ([], [])


async def test_away_is_said_and_ends(simulator: Simulator, browser: Browser) -> None:
    async with showing(simulator) as shown, opened(browser, shown.url) as (page, _):
        await reads(page, ".place.house .watts", as_shown(truth(simulator, FLOWS["house"])))
        assert await page.is_hidden(".banner")
        await simulator.close()
        await page.wait_for_selector(".away .banner:has-text('The inverter does not answer. Last heard')")
        for place in FLOWS:
            await reads(page, f".place.{place} .watts", "–")  # never a frozen number
        assert await page.locator(".flows").count() == 0
        async with Simulator(port=simulator.port, latency=0.001, broadcast=False, speed=0, start=NOON):
            await reads(page, ".place.house .watts", as_shown(truth(simulator, FLOWS["house"])))
            await page.wait_for_selector("body:not(.away)")
            await page.wait_for_selector(".banner", state="hidden")


async def test_one_value_that_is_old_is_no_number(
    shown: Shown, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rct_tools.plan.SLACK", 0)
    inverter, soc = shown.simulator.inverter, registry["battery.soc"].object_id
    answer = inverter.answer
    async with opened(browser, shown.url) as (page, _):
        await page.wait_for_selector(".place.battery .note:has-text('%')")
        monkeypatch.setattr(inverter, "answer", lambda asked: None if asked.object_id == soc else answer(asked))
        await page.wait_for_selector(".place.battery .note:not(:has-text('%'))")
        told = await page.text_content("#flow-description")
        assert told is not None
        assert "Charge: –" in told
        await reads(page, ".place.house .watts", as_shown(truth(shown.simulator, FLOWS["house"])))


async def test_collector_that_restarts_under_an_open_page(simulator: Simulator, browser: Browser) -> None:
    (port,) = free_ports(1)
    async with opened(browser, "about:blank", locale="de-DE") as (page, _):
        async with showing(simulator, port=port) as shown:
            await page.goto(shown.url)
            await page.wait_for_selector(".flows")
        await page.wait_for_selector(".away .banner:has-text('Keine Verbindung zum Sammler')")
        async with showing(simulator, port=port):
            await page.wait_for_selector(".banner:has-text('Wieder verbunden')")
            await page.wait_for_selector("body:not(.away) .flows")
            await page.wait_for_selector(".banner", state="hidden")


async def test_two_inverters(simulator: Simulator, browser: Browser) -> None:
    async with showing(simulator, names=("roof", "barn")) as shown, opened(browser, shown.url) as (page, _):
        await reads(page, "h1", "roof")
        await page.select_option("select", "barn")
        await reads(page, "h1", "barn")
        await page.click("nav a[href^='/inverter']")
        await page.wait_for_url("**inverter=barn*")


# --- for everybody --------------------------------------------------------------------------------------------------

LOOKS = [
    ("phone", "light", "de-DE"),
    ("phone", "dark", "en-GB"),
    ("desktop", "light", "en-GB"),
    ("desktop", "dark", "de-DE"),
]


@pytest.mark.parametrize(("size", "colours", "locale"), LOOKS)
async def test_axe_finds_nothing_and_nothing_is_cut(
    shown: Shown, browser: Browser, size: str, colours: Any, locale: str
) -> None:
    async with opened(
        browser, shown.url, viewport=SIZES[size], color_scheme=colours, locale=locale, reduced_motion="reduce"
    ) as (page, watch):
        await page.wait_for_selector(".flows")
        for path in PATHS:
            await page.goto(shown.url + path)
            await ready(page)
            assert await page.get_attribute("html", "lang") == locale[:2]
            found = await violations(page)
            assert found == [], (path, json.dumps(found, indent=1))
            assert await is_too_wide(page) <= 0, path
    assert (watch.errors, watch.elsewhere) == ([], [])


async def test_keys_alone(shown: Shown, browser: Browser) -> None:
    async with opened(browser, shown.url) as (page, _):
        await page.wait_for_selector(".flows")
        press = page.keyboard.press

        async def focused() -> str:
            text: str = await page.evaluate("() => document.activeElement.textContent.trim()")
            return text

        await press("Tab")
        assert await focused() == "Skip to the content"
        for name in ("Now", "Past", "Battery", "Events", "Inverter"):
            await press("Tab")
            assert await focused() == name
            outline = await page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none"
        await page.focus("nav a[href='/day']")
        await press("Enter")
        await page.wait_for_selector(".when-bar")
        assert page.url.endswith("/day")
        await ready(page)
        await page.focus(".stage")
        await press("ArrowLeft")
        await page.wait_for_function("() => document.querySelector('.legend .when').textContent !== ''")
        first = await page.text_content(".legend .when")
        await press("ArrowLeft")
        await page.wait_for_function(
            "first => document.querySelector('.legend .when').textContent !== first", arg=first
        )
        await press("+")
        await press("Escape")
        await page.focus(".legend input")
        await press("Space")
        assert not await page.is_checked(".legend input")
        await page.focus("summary")
        await press("Enter")
        await page.wait_for_selector("details table tbody tr")
        await page.go_back()
        await page.wait_for_selector(".flow")


async def test_nothing_moves_for_those_who_want_that(shown: Shown, browser: Browser) -> None:
    async with opened(browser, shown.url, reduced_motion="reduce") as (page, _):
        await page.wait_for_selector(".flows")
        moving = await page.evaluate("() => document.getAnimations().length")
        assert moving == 0
    async with opened(browser, shown.url) as (page, _):
        await page.wait_for_selector(".flows")
        assert await page.evaluate("() => document.getAnimations().length") > 0


async def test_password_is_asked_for(simulator: Simulator, browser: Browser, tmp_path: Path) -> None:
    async with (
        showing(simulator, password=PASSWORD, store=tmp_path / "r.db") as shown,
        opened(browser, f"{shown.url}/battery") as (page, watch),
    ):
        await page.fill("#password", "wrong password")
        await page.keyboard.press("Enter")
        await reads(page, ".login [role=alert]", "This is not the password.")
        assert await violations(page) == []
        await page.fill("#password", PASSWORD)
        await page.keyboard.press("Enter")
        await page.wait_for_selector(".tower")
        assert "rct_session" not in await page.evaluate("() => document.cookie")
        await page.click("text=Log out")
        await page.wait_for_selector("#password")
        assert all("403" in error for error in watch.errors), watch.errors


async def test_first_load_is_small_and_quick(shown: Shown, browser: Browser) -> None:
    async with opened(browser, "about:blank") as (page, _):
        sizes: list[int] = []
        session = await page.context.new_cdp_session(page)
        await session.send("Network.enable")
        session.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
        await page.goto(shown.url)
        await page.wait_for_selector(".flow .watts")
        assert 0 < sum(sizes) < 100_000


def test_both_languages_say_everything() -> None:
    source = (SOURCES / "texts.ts").read_text("utf-8")
    tables = re.findall(r"const (en|de)(?:: Texts)? = \{\n(.*?)\n\};", source, re.DOTALL)
    keys = {name: re.findall(r"^  (\w+):", body, re.MULTILINE) for name, body in tables}
    texts = {name: re.findall(r'^  (\w+): "(.*)",$', body, re.MULTILINE) for name, body in tables}
    parts = {
        name: {key: sorted(re.findall(r"\{(\w+)\}", text)) for key, text in pairs} for name, pairs in texts.items()
    }
    assert keys["en"] == keys["de"]
    assert parts["en"] == parts["de"]
    assert len(parts["en"]) == len(keys["en"]) == len(set(keys["en"]))
    code = "".join(path.read_text("utf-8") for path in SOURCES.glob("*.ts") if path.name != "texts.ts")
    assert [key for key in keys["en"] if f'"{key}"' not in code] == []


def test_lock_names_no_host() -> None:
    assert "://" not in (SOURCES / "package-lock.json").read_text("utf-8")
