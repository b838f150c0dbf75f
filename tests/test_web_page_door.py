"""The page in a browser at its door: where a reverse proxy logs people in, and when the collector is started anew."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from asking import NOON, PASSWORD, PLAN
from playwright.async_api import Browser, Route

from rct_tools.simulator import Simulator
from rct_tools.web.table import ReverseProxyTable

from browsing import AXE, SIZES, opened, reads
from servers import free_ports
from showing import Shown, known, showing, until

ANNA = {"Remote-User": "anna"}
SAID = {
    "en-GB": "You are not logged in. Come by the address of the reverse proxy, which logs you in.",
    "de-DE": "Sie sind nicht angemeldet. Kommen Sie über die Adresse des Reverse-Proxys, der Sie anmeldet.",
}


@asynccontextmanager
async def behind(store: Path, password: str = "") -> AsyncIterator[Shown]:
    """Show a page whose reverse proxy is the browser itself, which can send any header."""
    (port,) = free_ports(1)
    proxy = ReverseProxyTable(addresses=("127.0.0.1",), hosts=(f"127.0.0.1:{port}",), user_header="Remote-User")
    async with (
        Simulator(port=0, latency=0.001, broadcast=False, speed=0, start=NOON) as simulator,
        showing(simulator, plan=PLAN, port=port, store=store, password=password, proxy=proxy.setup("web")) as shown,
    ):
        await until(known(shown, "battery.soc", "g_sync.p_ac_load_sum_lp"))
        yield shown


@pytest.fixture
async def shown(tmp_path: Path) -> AsyncIterator[Shown]:
    async with behind(tmp_path / "r.db") as shown:
        yield shown


async def test_whom_the_reverse_proxy_names_is_in(browser: Browser, tmp_path: Path) -> None:
    async with (
        behind(tmp_path / "r.db", PASSWORD) as shown,
        opened(browser, shown.url, extra_http_headers=ANNA) as (page, watch),
    ):
        await reads(page, "h1", "roof")
        session = await page.evaluate("() => fetch('/api/session').then((answer) => answer.json())")
        assert (session["password"], session["user"]) == (True, "anna")
        assert await page.get_by_role("button", name="Log out").count() == 0  # that is up to the reverse proxy
        assert not watch.errors


@pytest.mark.parametrize("language", SAID)
async def test_whom_it_does_not_name_is_told_where_to_go(browser: Browser, shown: Shown, language: str) -> None:
    async with opened(browser, shown.url, locale=language, viewport=SIZES["phone"]) as (page, watch):
        await reads(page, "main", SAID[language])
        assert await page.locator("input").count() == 0
        await page.evaluate(AXE.read_text("utf-8"))
        found = await page.evaluate("() => axe.run().then((result) => result.violations.map((each) => each.id))")
        assert not found
        assert not watch.errors


@pytest.mark.parametrize("answer", [401, 302])
async def test_login_of_the_reverse_proxy_that_is_over(browser: Browser, shown: Shown, answer: int) -> None:
    """It answers in place of the page, which gives way to what the reverse proxy shows."""
    async with opened(browser, shown.url, extra_http_headers=ANNA) as (page, _):
        await reads(page, "h1", "roof")
        await page.route(
            "**/api/session",
            lambda route: route.fulfill(status=answer, body="<p>log in", headers={"Location": "/login"}),
            times=1,
        )
        await until(lambda: bool(shown.page._streams))
        async with page.expect_navigation():
            for stream in shown.page._streams:
                stream.cancel()
        await reads(page, "h1", "roof")


async def test_collector_that_says_nothing_about_who_is_in_is_asked_again(
    simulator: Simulator, browser: Browser
) -> None:
    async with showing(simulator, plan=PLAN) as shown, opened(browser, shown.url) as (page, _):
        await page.wait_for_selector(".flows")
        await page.clock.install()
        asked = asyncio.Queue[Route]()
        await page.route("**/api/session", asked.put)  # and no answer
        for stream in shown.page._streams:
            stream.cancel()
        await page.wait_for_selector(".away .banner")
        await page.clock.fast_forward(4000)
        await asyncio.wait_for(asked.get(), 30)
        await page.clock.fast_forward(16_000)
        await page.clock.fast_forward(4000)
        again = await asyncio.wait_for(asked.get(), 30)
        await again.continue_()
        await page.wait_for_selector("body:not(.away) .flows")


async def test_the_page_stays_logged_in_when_the_collector_is_started_anew(
    simulator: Simulator, browser: Browser, tmp_path: Path
) -> None:
    """As after an update: a tablet on the wall goes on by itself."""
    (port,) = free_ports(1)
    at_work = partial(showing, simulator, plan=PLAN, port=port, password=PASSWORD, folder=tmp_path)
    async with at_work() as shown, opened(browser, f"{shown.url}/kiosk") as (page, _):
        await page.fill("#password", PASSWORD)
        await page.keyboard.press("Enter")
        await page.wait_for_selector(".flows")
        state = await page.context.storage_state()
    async with opened(browser, "about:blank", storage_state=state) as (page, _):
        async with at_work() as shown:
            await page.goto(f"{shown.url}/kiosk")
            await page.wait_for_selector("body:not(.away) .flows")
        await page.wait_for_selector(".away .banner:has-text('No connection to the collector')")
        async with at_work():
            await page.wait_for_selector(".banner:has-text('Connected again')")
            await page.wait_for_selector("body:not(.away) .flows")
            assert await page.locator("#password").count() == 0
