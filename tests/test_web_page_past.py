"""What was, on the page: battery, money and CSV in each view, bars that lead to their day, and what is not known."""

from __future__ import annotations

import asyncio
import csv
import re
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import Browser, Page, Route

from rct_tools.simulator import Simulator
from rct_tools.simulator.inverter import Inverter
from rct_tools.web.tariff import Tariff, TariffTable

from browsing import SIZES, is_too_wide, opened, reads, ready, violations
from showing import QUICK, ZONE, Shown, known, showing, until
from stored_past import fill

NOON = datetime(2026, 6, 21, 12)  # noqa: DTZ001  # the clock on the wall
DAYS = 3
TODAY = datetime.now(ZoneInfo(ZONE)).date()
YESTERDAY = TODAY - timedelta(1)
PRICES = Tariff("EUR", (TariffTable(begin=TODAY - timedelta(2), imported=0.3, fed_in=0.08),))


@pytest.fixture(scope="session")
def past(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A store with some days up to now."""
    path = tmp_path_factory.mktemp("past") / "r.db"
    zone = ZoneInfo(ZONE)
    midnight = datetime(TODAY.year, TODAY.month, TODAY.day, tzinfo=UTC) - timedelta(DAYS)
    begin = int(midnight.timestamp()) - 300
    now = int(datetime.now(zone).replace(tzinfo=UTC).timestamp())
    fill(path, Inverter.with_past(0, begin), "roof", zone, (now - begin) // 300 * 300, 300)
    return path.read_bytes()


@pytest.fixture
async def shown(past: bytes, tmp_path: Path) -> AsyncIterator[Shown]:
    store = tmp_path / "r.db"
    await asyncio.to_thread(store.write_bytes, past)
    async with (
        Simulator(port=0, latency=0.001, broadcast=False, speed=0, start=NOON) as simulator,
        showing(simulator, store=store, plan=QUICK, tariff=PRICES) as shown,
    ):
        await until(known(shown, "battery.soc"))
        yield shown


async def answered(page: Page, url: str, path: str) -> Any:
    """Open an address, and return what the page got for a question there."""
    async with page.expect_response(lambda response: path in response.url) as answer:
        await page.goto(url)
    document = await (await answer.value).json()
    await ready(page)
    return document


def kilo(watt_hours: float) -> str:
    size = abs(watt_hours) / 1000
    return f"{size:.1f} kWh" if size < 99.95 else f"{size:,.0f} kWh"


async def test_totals_tell_of_the_battery_and_of_money(shown: Shown, browser: Browser) -> None:
    async with opened(browser, "about:blank") as (page, watch):
        for view in ("day", "week", "month", "year"):
            url = f"{shown.url}/{view}?date={YESTERDAY}"
            document = await answered(page, url, "/api/energies")
            for name in ("charged", "discharged"):
                value = document["battery"][name]
                if value is None:  # of a month that began without us
                    assert await page.locator(f".tile.{name}").count() == 0
                else:
                    await reads(page, f".tile.{name} dd", kilo(value))
            for name, value in document["money"].items():
                sign = "−" if value is not None and value < -0.005 else ""
                await reads(page, f".tile.{name} dd", "–" if value is None else f"{sign}€{abs(value):,.2f}")
        document = await answered(page, f"{shown.url}/day?date={YESTERDAY}", "/api/energies")
        assert None not in document["money"].values()
        assert document["battery"]["charged"] > 100
    async with opened(browser, "about:blank", locale="de-DE") as (page, watch):
        document = await answered(page, f"{shown.url}/day?date={YESTERDAY}", "/api/energies")
        text = await page.inner_text(".tile.earnings dd")
        assert re.sub(r"\s", " ", text) == f"{document['money']['earnings']:.2f} €".replace(".", ",")
    assert (watch.errors, watch.elsewhere) == ([], [])


async def test_what_has_no_price_has_no_cost(shown: Shown, browser: Browser) -> None:
    async with opened(browser, "about:blank") as (page, _):
        document = await answered(page, f"{shown.url}/day?date={TODAY - timedelta(3)}", "/api/energies")
        assert document["total"]["imported"] is not None
        await reads(page, ".tile.cost dd", "–")
        week = await answered(page, f"{shown.url}/week?date={TODAY}", "/api/energies")
        priced = sum(None not in slot["money"].values() for slot in week["slots"])
        remark = await page.inner_text(".remark")
        assert (f"cost: {priced} of 7" in remark) == (priced != week["known"])


async def test_without_prices_nothing_is_said_of_money(past: bytes, tmp_path: Path, browser: Browser) -> None:
    store = tmp_path / "r.db"
    await asyncio.to_thread(store.write_bytes, past)
    async with (
        Simulator(port=0, latency=0.001, broadcast=False, speed=0, start=NOON) as simulator,
        showing(simulator, store=store, plan=QUICK) as shown,
        opened(browser, f"{shown.url}/month") as (page, _),
    ):
        await ready(page)
        assert await page.locator(".tile.charged").count() == 1
        assert await page.locator(".tile.cost").count() == 0
        await page.click("summary")
        assert "Cost" not in await page.inner_text("thead")


async def test_bars_lead_to_their_day(shown: Shown, browser: Browser) -> None:
    async with opened(browser, f"{shown.url}/year?date={YESTERDAY}") as (page, watch):
        await ready(page)
        link = f"a.slot[href*='date={YESTERDAY.replace(day=1)}']"
        assert "Sun" in (await page.get_attribute(link, "aria-label") or "")
        await page.locator(link).first.focus()
        await page.keyboard.press("Enter")
        await page.wait_for_url(f"**/month?date={YESTERDAY.replace(day=1)}")
        await page.wait_for_selector(".tabs [aria-current]:text-is('Month')")
        await ready(page)
        days = f"a.slot[href*='date={YESTERDAY}']"
        assert await page.locator(days).count() == 2  # one of all energies, one of the battery
        await page.locator(days).last.focus()
        await page.wait_for_selector(".readout:has-text('Charged')")
        await page.locator(days).first.click(force=True)
        await page.wait_for_url(f"**/day?date={YESTERDAY}")
        await page.wait_for_selector(".u-over")
        assert page.url.endswith(f"/day?date={YESTERDAY}")
    assert (watch.errors, watch.elsewhere) == ([], [])


async def test_a_finger_reads_first_and_goes_there_then(shown: Shown, browser: Browser) -> None:
    async with opened(browser, f"{shown.url}/month?date={YESTERDAY}", viewport=SIZES["phone"], has_touch=True) as (
        page,
        _,
    ):
        await ready(page)
        bar = page.locator(f"a.slot[href*='date={YESTERDAY}']").first
        await bar.tap(force=True)
        await page.wait_for_selector(".readout:has-text('Sun')")
        assert "/month" in page.url
        await bar.tap(force=True)
        await page.wait_for_url(f"**/day?date={YESTERDAY}")


async def fingers(page: Page, *moves: Sequence[float]) -> None:
    """Put fingers on the chart, and move them: each move is where they are, in shares of the width of the plot."""
    box = await page.locator(".u-over").bounding_box()
    assert box is not None
    session = await page.context.new_cdp_session(page)

    async def touch(kind: str, places: Sequence[float]) -> None:
        points = [{"x": box["x"] + box["width"] * place, "y": box["y"] + 50} for place in places]
        await session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    await touch("touchStart", moves[0])
    for places in moves[1:]:
        await touch("touchMove", places)
    await touch("touchEnd", [])


async def is_read_at(page: Page, hour: float, within: float) -> None:
    """Wait until the values are of a time of the day that are shown."""
    await page.wait_for_function(
        "([hour, within]) => {"
        " const [hours, minutes] = document.querySelector('.legend .when').textContent.split(':').map(Number);"
        " return Math.abs(hours + minutes / 60 - hour) <= within; }",
        arg=[hour, within],
    )


async def test_fingers_on_a_chart(shown: Shown, browser: Browser) -> None:
    async with opened(
        browser, f"{shown.url}/day?date={YESTERDAY}", viewport=SIZES["phone"], has_touch=True, is_mobile=True
    ) as (page, watch):
        await ready(page)
        await page.locator(".help.touched").wait_for(state="visible")
        await page.locator(".stage").scroll_into_view_if_needed()
        await fingers(page, [0.3], [0.5], [0.25])
        await is_read_at(page, 6, 0.2)
        assert "W" in await page.inner_text(".legend .house output")
        await fingers(page, [0.4, 0.6], [0.3, 0.7], [0.2, 0.8])  # a third of the day is left, that in the middle
        await fingers(page, [0.5], [0.2], [0.01])
        await is_read_at(page, 8, 0.3)
        await fingers(page, [0.5], [0.7], [0.99])
        await is_read_at(page, 16, 0.3)
        await fingers(page, [0.2, 0.8], [0.3, 0.7], [0.49, 0.51])  # all of it, and no more
        await fingers(page, [0.5], [0.2], [0.01])
        await is_read_at(page, 0, 0.3)
        await fingers(page, [0.4, 0.6], [0.45, 0.55], [0.6, 0.4])  # which have crossed, and show nothing back to front
        await fingers(page, [0.5], [0.7], [0.99])
        await is_read_at(page, 0.99 * 23.9, 0.2)
        await fingers(page, [0.1, 0.3], [0.4, 0.6], [0.8, 1.0])  # beyond all there is: nothing to draw near
        await fingers(page, [0.5], [0.7], [0.99])
        await is_read_at(page, 0.99 * 23.9, 0.2)
    assert (watch.errors, watch.elsewhere) == ([], [])


async def test_what_was_touched_is_read_for_a_while(shown: Shown, browser: Browser) -> None:
    """What has the focus is not drawn anew, and nobody who walks by a tablet takes that away again."""
    async with opened(browser, f"{shown.url}/kiosk", viewport=SIZES["phone"], has_touch=True, is_mobile=True) as (
        page,
        _,
    ):
        await page.clock.install()
        await page.goto(f"{shown.url}/kiosk")
        await page.wait_for_selector(".chart canvas")
        is_read = "() => document.activeElement === document.querySelector('.stage')"
        await fingers(page, [0.3], [0.5])
        assert await page.evaluate(is_read)
        await page.clock.run_for(40_000)
        await fingers(page, [0.3], [0.5])
        await page.clock.run_for(40_000)
        assert await page.evaluate(is_read)
        await page.clock.run_for(25_000)
        assert not await page.evaluate(is_read)


async def test_what_was_clicked_is_read_for_a_while_and_by_keys_for_as_long_as_they_are_there(
    shown: Shown, browser: Browser
) -> None:
    async with opened(browser, shown.url) as (page, _):
        await page.clock.install()
        await page.goto(shown.url)
        await page.wait_for_selector(".chart canvas")
        is_read = "() => document.activeElement === document.querySelector('.stage')"
        for key, stays in ((None, False), ("ArrowLeft", True)):
            await page.click(".u-over")
            if key:
                await page.keyboard.press(key)
            await page.clock.run_for(50_000)
            assert await page.evaluate(is_read)
            await page.clock.run_for(15_000)
            assert await page.evaluate(is_read) == stays


async def test_days_to_come_lead_nowhere(shown: Shown, browser: Browser) -> None:
    async with opened(browser, f"{shown.url}/year?date={TODAY}") as (page, _):
        await ready(page)
        hrefs = await page.eval_on_selector_all("a.slot", "all => all.map(each => each.getAttribute('href'))")
        assert {date.fromisoformat(href[-10:]).month for href in hrefs} == set(range(1, TODAY.month + 1))


async def changed(page: Page, path: str, change: Callable[[Any], None]) -> None:
    """Have the page get an answer other than it is."""

    async def handle(route: Route) -> None:
        response = await route.fetch()
        document = await response.json()
        change(document)
        await route.fulfill(json=document)

    await page.route(f"**{path}?*", handle)


async def test_what_is_not_known_is_not_drawn_as_nothing(shown: Shown, browser: Browser) -> None:
    """What was fed in is not known: so it is not known either what of all was used here."""

    def change(document: Any) -> None:
        for slot in document["slots"]:
            slot["fed_in"] = None

    async with opened(browser, "about:blank") as (page, _):
        await changed(page, "/api/energies", change)
        await page.goto(f"{shown.url}/month?date={YESTERDAY}")
        await ready(page)
        bar = page.locator(f"a.slot[href*='date={YESTERDAY}']").first
        assert await bar.locator(".bar.own").count() == 0
        assert await bar.locator(".bar.house").count() == 1
        label = await bar.get_attribute("aria-label") or ""
        assert re.search(r"Sun [\d.]+ kWh.*Feed-in –", label), label


async def test_a_bar_tells_up_to_when_it_was_read(shown: Shown, browser: Browser) -> None:
    def change(document: Any) -> None:
        for slot in document["slots"]:
            if slot["until"]:
                slot["until"], slot["whole"] = slot["begin"] + 10 * 3600, False

    async with opened(browser, "about:blank") as (page, _):
        await changed(page, "/api/energies", change)
        await page.goto(f"{shown.url}/month?date={YESTERDAY}")
        await ready(page)
        label = await page.locator(f"a.slot[href*='date={YESTERDAY}']").first.get_attribute("aria-label") or ""
        assert re.search(r"read until .*1[01]:00$", label), label
        await page.unroute_all()
        await page.reload()
        await ready(page)
        label = await page.locator(f"a.slot[href*='date={YESTERDAY}']").first.get_attribute("aria-label") or ""
        assert "read until" not in label


async def test_a_string_that_nobody_reads_is_not_nothing(shown: Shown, browser: Browser) -> None:
    def change(document: Any) -> None:
        del document["curves"]["dc_conv.dc_conv_struct[1].p_dc"]

    async with opened(browser, "about:blank") as (page, _):
        await changed(page, "/api/curves", change)
        await page.goto(f"{shown.url}/day?date={YESTERDAY}")
        await ready(page)
        await page.focus(".stage")
        await page.keyboard.press("ArrowLeft")
        await page.wait_for_selector(".legend .house output:has-text('W')")
        await reads(page, ".legend .sun output", "–")


async def test_energies_as_csv(shown: Shown, browser: Browser) -> None:
    async with opened(browser, "about:blank") as (page, _):
        for view, count in (("week", 7), ("month", None), ("year", 12)):
            document = await answered(page, f"{shown.url}/{view}?date={YESTERDAY}", "/api/energies")
            async with page.expect_download() as download:
                await page.click("a[href^='/api/energies.csv']")
            path = await (await download.value).path()
            head, *rows = csv.reader(path.read_text("utf-8").splitlines())
            assert len(rows) == (count or len(document["slots"]))
            assert {"charged [Wh]", "cost [EUR]"} <= set(head)
            column = head.index("used [Wh]")
            shown_there = [slot["used"] for slot in document["slots"]]
            assert [row[column] for row in rows] == ["" if used is None else f"{used:.1f}" for used in shown_there]


async def test_charge_of_days(shown: Shown, browser: Browser) -> None:
    async with opened(browser, "about:blank") as (page, watch):
        for view in ("month", "year"):
            document = await answered(page, f"{shown.url}/{view}?date={YESTERDAY}", "/api/ranges")
            soc = document["ranges"]["battery.soc"]
            last = max(n for n, share in enumerate(soc["mean"]) if share is not None)
            await page.focus(".stage")
            await page.keyboard.press("ArrowLeft")
            for _ in range(len(soc["mean"]) - 1 - last):
                await page.keyboard.press("ArrowLeft")
            for name, key in (("low", "low"), ("charge", "mean"), ("high", "high")):
                await reads(page, f".legend .{name} output", f"{soc[key][last] * 100:.0f} %")
            await page.keyboard.press("+")
            await page.keyboard.press("Enter")
            day = datetime.fromtimestamp(document["begins"][last], ZoneInfo(ZONE)).date()
            await page.wait_for_url(f"**/day?date={day}")
            await page.wait_for_selector(".tabs [aria-current]:text-is('Day')")
    assert (watch.errors, watch.elsewhere) == ([], [])


LOOKS = [("phone", "dark", "de-DE"), ("desktop", "light", "en-GB")]


@pytest.mark.parametrize(("size", "colours", "locale"), LOOKS)
async def test_axe_finds_nothing(shown: Shown, browser: Browser, size: str, colours: Any, locale: str) -> None:
    async with opened(
        browser, shown.url, viewport=SIZES[size], color_scheme=colours, locale=locale, reduced_motion="reduce"
    ) as (page, watch):
        for view in ("day", "week", "month", "year"):
            await page.goto(f"{shown.url}/{view}?date={YESTERDAY}")
            await ready(page)
            await page.wait_for_selector(".tile.cost")
            assert await violations(page) == [], view
            assert await is_too_wide(page) <= 0, view
    assert (watch.errors, watch.elsewhere) == ([], [])
