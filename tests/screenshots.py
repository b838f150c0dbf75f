"""Make the pictures that the documents show, from a simulated inverter: python tests/screenshots.py"""

from __future__ import annotations

import asyncio
import re
import tempfile
from calendar import timegm
from datetime import datetime
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from playwright.async_api import ViewportSize, async_playwright

from rct_tools import top
from rct_tools.client import connect
from rct_tools.live import STEPS
from rct_tools.simulator import Simulator
from rct_tools.simulator.inverter import Inverter
from rct_tools.times import SECOND
from rct_tools.top.app import Top

from servers import require
from showing import QUICK, ZONE, known, showing, until
from stored_past import fill
from warp import warp

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
TERMINAL = (100, 32)
MORNING = datetime(2026, 6, 21, 7, 10)  # noqa: DTZ001
WATCHED = 5000  # seconds before the picture of the terminal is taken


async def main() -> None:
    zone = ZoneInfo(ZONE)
    now = NOW.replace(tzinfo=zone)
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "readings.db"
        begin, seconds = timegm(BEGIN.timetuple()), round((NOW - BEGIN).total_seconds())
        await asyncio.to_thread(fill, store, Inverter.with_past(0, begin), "roof", zone, seconds, 300)
        async with (
            Simulator(port=0, latency=0.001, broadcast=False, speed=0, start=NOW) as simulator,
            showing(simulator, store=store, plan=QUICK, wall_clock=lambda: round(now.timestamp()) * SECOND) as shown,
            async_playwright() as playwright,
        ):
            await until(known(shown, "battery.soc", "energy.e_grid_feed_day", "energy.e_ext_day"))
            program = require("chromium")
            browser = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
            for name, path, size, colours in PICTURES:
                page = await browser.new_page(viewport=size, color_scheme=colours, locale="en-GB")
                await page.goto(shown.url + path)
                await page.wait_for_selector(".u-over, .bar")
                await page.wait_for_selector(".tile.made dd:has-text('kWh')")
                await page.evaluate("() => document.fonts.ready")
                save(name, await page.screenshot())
                await page.close()
            await browser.close()


async def watch() -> str:
    """Watch an inverter on a terminal for a while; return what is seen then, as SVG."""
    loop = asyncio.get_running_loop()
    since = timegm(MORNING.timetuple()) - loop.time()

    def clock() -> int:
        return round((since + loop.time()) * SECOND)

    async with (
        Simulator(port=0, start=MORNING) as simulator,
        connect("127.0.0.1", simulator.port, clock=clock, ticking=loop.time) as client,
    ):
        source = top.Inverter(client, ZoneInfo("UTC"), wall_clock=clock)
        source.title = "192.0.2.7:8899"
        app = Top(source, step=STEPS[1])
        async with app.run_test(size=TERMINAL) as pilot:
            await asyncio.sleep(WATCHED)
            await pilot.pause()
            return app.export_screenshot(title="rct top --host 192.0.2.7")


def sealed(svg: str) -> str:
    """Return an SVG that wants nothing from elsewhere: fonts are those that are there."""
    return re.sub(r"@font-face \{.*?\}\s*|<!-- Generated .*?-->\s*", "", svg, flags=re.DOTALL)


def save(name: str, data: bytes) -> None:
    (DOCS / name).write_bytes(data)
    print(f"docs/{name}: {len(data) / 1000:.0f} kB")


if __name__ == "__main__":
    save("top.svg", sealed(warp(watch())).encode())
    asyncio.run(main())
