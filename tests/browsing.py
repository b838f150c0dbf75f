"""The page in a real browser: what tests of it have in common."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, Route, async_playwright

from rct_tools.objects import registry
from rct_tools.simulator import Simulator
from rct_tools.web import files

from servers import require

SOURCES = Path(files.__file__).parent / "page"
AXE = SOURCES / "node_modules" / "axe-core" / "axe.min.js"
SIZES = {"phone": {"width": 390, "height": 844}, "desktop": {"width": 1440, "height": 900}}

DRAWS = """([selector, wanted]) => {
    const canvas = document.querySelector(selector);
    if (!canvas) return false;
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const colours = new Set();
    for (let i = 0; i < data.length; i += 4)
        if (data[i + 3] > 200) colours.add(`${data[i]},${data[i + 1]},${data[i + 2]}`);
    return wanted.every((colour) => colours.has(colour));
}"""
PATIENCE = 60_000.0  # milliseconds; a machine at work on much else is slow


@dataclass
class Watch:
    """What a page has done that it should not."""

    errors: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)

    def look_at(self, page: Page) -> None:
        page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on(
            "request",
            lambda request: (
                None if re.match(r"http://127\.0\.0\.1:\d+/", request.url) else self.elsewhere.append(request.url)
            ),
        )


@asynccontextmanager
async def launched() -> AsyncIterator[Browser]:
    """Start the browser; without it, or where the page is not built, the test is skipped."""
    program = require("chromium")
    if not (SOURCES.parent / "built" / "app.js").exists() or not AXE.exists():
        require("the page, by `make web`,")
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield chromium
        await chromium.close()


@asynccontextmanager
async def opened(browser: Browser, url: str, **options: Any) -> AsyncIterator[tuple[Page, Watch]]:
    """Open a page, in English on a desktop by default; at the end nothing must have gone wrong."""
    context = await browser.new_context(**{"locale": "en-GB", "viewport": SIZES["desktop"], **options})
    context.set_default_timeout(PATIENCE)
    page = await context.new_page()
    watch = Watch()
    watch.look_at(page)
    await page.goto(url)
    try:
        yield page, watch
    finally:
        await context.close()


def truth(simulator: Simulator, names: Sequence[str]) -> float:
    values = [registry[name].decode(simulator.inverter.payload(registry[name])) for name in names]
    return sum(value for value in values if isinstance(value, float))


def as_shown(watts: float, point: str = ".") -> str:
    size = abs(watts)
    text = f"{size:.0f} W" if size < 999.5 else f"{size / 1000:.2f} kW"
    return text.replace(".", point)


async def reads(page: Page, selector: str, text: str) -> None:
    """Wait until an element says exactly this."""
    await page.wait_for_function(
        "([selector, text]) => document.querySelector(selector)?.textContent.trim() === text", arg=[selector, text]
    )


async def ready(page: Page) -> None:
    """Wait until a view has all it wants."""
    await page.wait_for_function(
        "() => !document.querySelector('[aria-busy]') && document.querySelector('main .card, main table') !== null"
        " && !document.body.innerText.includes('Loading') && !document.body.innerText.includes('Wird geladen')"
    )


async def hang(_route: Route) -> None:
    """Answer nothing."""


async def violations(page: Page) -> list[tuple[str, list[str]]]:
    """Return what axe finds wrong with a page."""
    await page.evaluate(AXE.read_text("utf-8"))
    result = await page.evaluate("() => axe.run()")
    return [(v["id"], [node["html"] for node in v["nodes"]][:3]) for v in result["violations"]]


async def is_too_wide(page: Page) -> int:
    """Return by how many pixels a page is wider than its window, when charts have found their size."""
    wide: int = await page.evaluate(
        "async () => {"
        " for (let n = 0; n < 2; n++) await new Promise(requestAnimationFrame);"
        " return document.documentElement.scrollWidth - document.documentElement.clientWidth; }"
    )
    return wide


async def draws(page: Page, colours: Sequence[str], chart: str = ".chart") -> None:
    """Wait until a chart has colours, each of them as "180,83,9"."""
    await page.wait_for_function(DRAWS, arg=[f"{chart} canvas", colours], polling=100)
