"""What time it is, is what the collector says: a browser whose clock is wrong shows the right day."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from playwright.async_api import Browser

from rct_tools.simulator import Simulator
from rct_tools.times import SECOND

from browsing import opened
from showing import QUICK, ZONE, known, showing, until

LONG_AGO = datetime(2019, 3, 5, 12, 4, tzinfo=ZoneInfo(ZONE))


async def test_the_day_of_the_collector_is_shown(tmp_path: Path, browser: Browser) -> None:
    async with (
        Simulator(port=0, latency=0.001, broadcast=False, speed=0) as simulator,
        showing(
            simulator,
            store=tmp_path / "r.db",
            plan=QUICK,
            wall_clock=lambda: round(LONG_AGO.timestamp()) * SECOND,
        ) as shown,
        opened(browser, f"{shown.url}/day") as (page, _),
    ):
        await until(known(shown, "battery.soc"))
        await page.wait_for_selector("text=Tuesday, 5 March 2019")
        simulator.night(3600)
        await page.goto(shown.url)
        await page.wait_for_selector(".banner:has-text('12:0')")  # since when it is away, by the same clock
