"""How far cells are apart over time, in a real browser: the chart shows what is stored."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page

from rct_tools.simulator import Simulator
from rct_tools.times import SECOND

from browsing import SIZES, draws, opened, ready, violations
from showing import QUICK, Shown, known, showing, until
from stored_cells import weeks, write_cells

NOON = datetime(2026, 6, 21, 12)  # noqa: DTZ001  # the clock on the wall
HOUR = 3600 * SECOND


@pytest.fixture
async def shown(tmp_path: Path) -> AsyncIterator[Shown]:
    end = time.time_ns() // HOUR * HOUR - 12 * HOUR  # then a gap
    await write_cells(tmp_path / "r.db", weeks(end - 20 * 24 * HOUR, end, HOUR))
    async with (
        Simulator(port=0, latency=0.001, broadcast=False, speed=0, start=NOON) as simulator,
        showing(simulator, store=tmp_path / "r.db", plan=QUICK) as shown,
    ):
        await until(known(shown, "battery.soc", *(f"battery.cells[{n}]" for n in range(5))))
        yield shown


async def says(page: Page, name: str, text: str) -> None:
    """Wait until the chart says something under the cursor, of what has a name that ends so."""
    await page.wait_for_function(
        "([name, text]) => [...document.querySelectorAll('.spread .legend label')].some((label) =>"
        " label.querySelector('.name').textContent.trim().endsWith(name)"
        " && label.querySelector('output').textContent.trim() === text)",
        arg=[name, text],
    )


@pytest.mark.parametrize(("size", "locale"), [("desktop", "en-GB"), ("phone", "de-DE")])
async def test_chart_shows_what_is_stored(shown: Shown, browser: Browser, size: str, locale: str) -> None:
    async with opened(browser, "about:blank", locale=locale, viewport=SIZES[size]) as (page, watch):
        async with page.expect_response("**/api/spread?*") as answer:
            await page.goto(f"{shown.url}/battery")
        await page.wait_for_selector(".spread canvas")
        await ready(page)
        (tower,) = (await (await answer.value).json())["towers"]
        stored = next(module for module in tower["modules"] if module["number"] == 1)["voltage"]
        assert [round(volts, 3) for volts in stored if volts is not None][-2] >= 0.03
        await draws(page, ["27,29,32", "29,95,168", "180,83,9"], ".spread")  # all cells, module 0, module 1
        await page.focus(".spread .stage")
        place = next(n for n, volts in enumerate(stored) if volts is not None)
        seen = 0
        for n in range(len(stored)):
            await page.keyboard.press("ArrowRight")
            if n >= place and (n - place) % 40 == 0:
                await says(page, " 1", "–" if stored[n] is None else f"{round(stored[n] * 1000)} mV")
                seen += stored[n] is not None
        assert seen >= 4
        assert None in stored[-8:]  # a gap stays one
        assert await violations(page) == []
    assert (watch.errors, watch.elsewhere) == ([], [])


async def test_spans_and_temperatures(shown: Shown, browser: Browser) -> None:
    async with opened(browser, f"{shown.url}/battery") as (page, _):
        await page.wait_for_selector(".spread canvas")
        await page.check(".spread input[value=temperature]")
        await page.focus(".spread .stage")
        await page.keyboard.press("End")
        for _step in range(20):
            await page.keyboard.press("ArrowLeft")
        await says(page, "Module 1", "3 °C")
        async with page.expect_response("**/api/spread?*since=365d*") as answer:
            await page.check(".spread input[value=year]")
        assert len((await (await answer.value).json())["towers"][0]["voltage"]) == 366
        assert await page.is_checked(".spread input[value=temperature]")


async def test_nothing_stored_is_said(browser: Browser, tmp_path: Path) -> None:
    async with (
        Simulator(port=0, latency=0.001, broadcast=False, speed=0, start=NOON) as simulator,
        showing(simulator, plan=QUICK) as shown,
        opened(browser, f"{shown.url}/battery") as (page, _),
    ):
        await page.wait_for_selector(".spread .wait:has-text('no SQLite file among the sinks')")


async def test_one_reading_alone_is_seen(browser: Browser, tmp_path: Path) -> None:
    begin = time.time_ns() - 72 * HOUR
    await write_cells(tmp_path / "r.db", weeks(begin, begin + HOUR, HOUR))
    async with (
        Simulator(port=0, latency=0.001, broadcast=False, speed=0, start=NOON) as simulator,
        showing(simulator, store=tmp_path / "r.db") as shown,
        opened(browser, f"{shown.url}/battery") as (page, _),
    ):
        await page.wait_for_selector(".spread canvas")
        await draws(page, ["180,83,9"], ".spread")  # of module 1: a dot, where no line can be
