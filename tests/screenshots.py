"""Make the pictures of the page that the documents show, from a simulated inverter: python tests/screenshots.py"""

from __future__ import annotations

import asyncio
import tempfile
from calendar import timegm
from datetime import datetime
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from playwright.async_api import ViewportSize, async_playwright

from rct_tools.simulator import Simulator
from rct_tools.simulator.inverter import Inverter

from servers import require
from showing import QUICK, ZONE, known, showing, until
from stored_past import fill

DOCS = Path(__file__).parent.parent / "docs"
NOW = datetime(2026, 6, 21, 13, 35)  # noqa: DTZ001  # the clock on the wall
BEGIN = datetime(2026, 6, 1)  # noqa: DTZ001
DESKTOP = ViewportSize(width=1180, height=830)
PHONE = ViewportSize(width=390, height=844)
PICTURES: list[tuple[str, str, ViewportSize, Literal["light", "dark"]]] = [  # file, path, size, colours
    ("web-now.png", "/", DESKTOP, "light"),
    ("web-phone.png", "/", PHONE, "dark"),
    ("web-month.png", "/month", DESKTOP, "dark"),
]


async def main() -> None:
    zone = ZoneInfo(ZONE)
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "readings.db"
        begin, seconds = timegm(BEGIN.timetuple()), round((NOW - BEGIN).total_seconds())
        await asyncio.to_thread(fill, store, Inverter.with_past(0, begin), "roof", zone, seconds, 300)
        async with (
            Simulator(port=0, latency=0.001, broadcast=False, speed=0, start=NOW) as simulator,
            showing(simulator, store=store, plan=QUICK) as shown,
            async_playwright() as playwright,
        ):
            await until(known(shown, "battery.soc", "energy.e_grid_feed_day", "energy.e_ext_day"))
            program = require("chromium")
            browser = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
            for name, path, size, colours in PICTURES:
                page = await browser.new_page(viewport=size, color_scheme=colours, locale="en-GB")
                await page.clock.set_fixed_time(NOW.replace(tzinfo=zone))
                await page.goto(shown.url + path)
                await page.wait_for_selector(".u-over, .bar")
                await page.wait_for_selector(".tile.made dd:has-text('kWh')")
                await page.evaluate("() => document.fonts.ready")
                await page.screenshot(path=DOCS / name)
                await page.close()
                print(f"docs/{name}: {(DOCS / name).stat().st_size / 1000:.0f} kB")
            await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
