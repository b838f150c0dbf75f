"""What the page looks like when things are large: text, names, powers; and when there is nothing at all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.async_api import Browser

from rct_tools.frame import Frame
from rct_tools.objects import registry
from rct_tools.simulator import Simulator

from browsing import SIZES, is_too_wide, opened, reads, ready, violations
from showing import QUICK, Shown, known, showing, until

PATHS = ("/", "/day", "/week", "/month", "/year", "/battery", "/events", "/inverter", "/kiosk")  # control has its own
LONG = ("Wechselrichter Scheune Südseite oben links", "Wechselrichter auf dem Dach der alten Mühle")
POWERS = {
    "dc_conv.dc_conv_struct[0].p_dc": 123_456.0,
    "dc_conv.dc_conv_struct[1].p_dc": 98_765.0,
    "io_board.s0_external_power": 112_345.0,
    "g_sync.p_ac_load_sum_lp": 111_111.0,
    "g_sync.p_acc_lp": -100_000.0,
    "g_sync.p_ac_grid_sum_lp": -234_567.0,
}


@pytest.fixture
async def shown(simulator: Simulator, tmp_path: Path) -> AsyncIterator[Shown]:
    async with showing(simulator, plan=QUICK, store=tmp_path / "r.db") as shown:
        await until(known(shown, "battery.soc", "battery.cells[4]"))
        yield shown


@pytest.mark.parametrize("path", PATHS)
async def test_text_twice_as_large(shown: Shown, browser: Browser, path: str) -> None:
    async with opened(browser, shown.url + path, locale="de-DE", viewport=SIZES["phone"]) as (page, _):
        await ready(page)
        await page.evaluate("() => document.documentElement.style.fontSize = '200%'")
        assert await is_too_wide(page) == 0


async def test_a_tablet_upright(shown: Shown, browser: Browser) -> None:
    """Between a phone and a desktop: nothing is wider than the card around it."""
    overflows = (
        "() => [...document.querySelectorAll('.card *')].filter((each) => !each.closest('.hidden, .scroll, .u-over')"
        " && each.getBoundingClientRect().right > each.closest('.card').getBoundingClientRect().right + 1).length"
    )
    async with opened(browser, shown.url, locale="de-DE", viewport={"width": 768, "height": 1024}) as (page, _):
        for path in PATHS:
            await page.goto(shown.url + path)
            await ready(page)
            assert (await is_too_wide(page), await page.evaluate(overflows)) == (0, 0), path


@pytest.mark.parametrize("size", SIZES)
async def test_long_names(simulator: Simulator, browser: Browser, size: str) -> None:
    async with (
        showing(simulator, plan=QUICK, names=LONG) as shown,
        opened(browser, shown.url, viewport=SIZES[size]) as (page, _),
    ):
        await page.wait_for_selector(".flows")
        assert await is_too_wide(page) == 0
        header = await page.locator("header").bounding_box()
        assert header is not None
        assert header["height"] < 120
        assert await page.text_content("h1") == LONG[0]
        await page.select_option("select", LONG[1])
        await reads(page, "h1", LONG[1])
        assert await violations(page) == []


async def test_large_powers_fit(shown: Shown, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    inverter = shown.simulator.inverter
    answer = inverter.answer
    payloads = {registry[name].object_id: registry[name].encode(value) for name, value in POWERS.items()}

    def large(asked: Frame) -> Frame | None:
        told = answer(asked)
        return replace(told, payload=payloads[told.object_id]) if told and told.object_id in payloads else told

    monkeypatch.setattr(inverter, "answer", large)
    async with opened(browser, shown.url, locale="en-GB") as (page, _):
        await reads(page, ".place.sun .watts", "222.2 kW")
        await reads(page, ".place.grid .watts", "234.6 kW")
        fits = (
            "() => [...document.querySelectorAll('.place')].every((place) =>"
            " place.querySelector('.watts').getBBox().width < place.querySelector('.disc').getBBox().width)"
            " && [...document.querySelectorAll('.flow text')].every((text) => {"
            " const { x, width } = text.getBBox(); return x >= 0 && x + width <= 400; })"
        )
        assert await page.evaluate(fits)


async def test_no_inverter(simulator: Simulator, browser: Browser) -> None:
    async with showing(simulator, names=()) as shown, opened(browser, shown.url) as (page, _):
        await page.wait_for_selector(".banner:has-text('There is no inverter yet.')")
        await reads(page, "main", "")  # nothing is waited for
