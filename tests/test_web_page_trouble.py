"""A question of the page that fails or is late, while all else goes on: it is said until it is answered."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime

import pytest
from playwright.async_api import Browser

from rct_tools.simulator import Simulator

from browsing import hang, opened, reads, ready
from showing import QUICK, Shown, known, showing, until

NOON = datetime(2026, 6, 21, 12)  # noqa: DTZ001  # the clock on the wall
SOON = 11_000  # ms, after which a view asks again; now and the battery later
LATE = 61_000  # ms, in which nothing was answered
LATER = 31_000
ASKED = [
    ("/", "inverter", LATER),
    ("/battery", "battery", LATER),
    ("/inverter", "inverter", SOON),
]


@pytest.fixture
async def shown() -> AsyncIterator[Shown]:
    async with (
        Simulator(port=0, latency=0.001, broadcast=False, speed=0, start=NOON) as simulator,
        showing(simulator, plan=QUICK) as shown,
    ):
        await until(known(shown, "battery.soc", "energy.e_ext_day"))
        yield shown


@pytest.mark.parametrize(("path", "question", "again"), ASKED)
async def test_what_is_late_is_said_and_taken_back(
    shown: Shown, browser: Browser, path: str, question: str, again: int
) -> None:
    async with opened(browser, shown.url + path, locale="de-DE") as (page, _):
        await page.clock.install()
        await page.reload()  # so that all its timers are of that clock
        await ready(page)
        asked = f"**/api/{question}?*"
        await page.route(asked, hang)
        async with page.expect_request(asked):
            await page.clock.fast_forward(again)
        assert await page.locator(".banner.error").is_hidden()
        await page.clock.fast_forward(LATE)
        await reads(page, ".banner.error:not([hidden])", "Das ging nicht: Keine Antwort in 60 s.")
        await page.unroute(asked)
        await page.clock.fast_forward(again)
        await page.locator(".banner.error").wait_for(state="hidden")


async def test_what_failed_is_taken_back_in_its_view_alone(shown: Shown, browser: Browser) -> None:
    async with opened(browser, f"{shown.url}/inverter") as (page, _):
        trouble = page.locator(".banner.error")
        await page.clock.install()
        await page.reload()
        await ready(page)
        await page.route("**/api/objects?*", lambda route: route.fulfill(status=503, json={"error": "of objects"}))
        await page.fill("#search", "soc")
        await reads(page, ".banner.error:not([hidden])", "This did not work: of objects")
        async with page.expect_response("**/api/inverter?*"):  # which is another question
            await page.clock.fast_forward(SOON)
        assert await trouble.is_visible()
        await page.unroute("**/api/objects?*")
        await page.fill("#search", "soc_min")
        await trouble.wait_for(state="hidden")
        await page.route("**/api/objects?*", lambda route: route.fulfill(status=503, json={"error": "of objects"}))
        await page.fill("#search", "soc_max")
        await trouble.wait_for()
        await page.click("nav a:text-is('Battery')")
        await ready(page)
        assert await trouble.is_hidden()
