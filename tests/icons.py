"""Draw the icons of the page for those who take no SVG, telephones mostly: python tests/icons.py

They are kept with the sources, since `make web` has no browser to draw them with; a test holds them to icon.svg.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from playwright.async_api import Browser, async_playwright

from rct_tools.web import files

from servers import require

PAGE = Path(files.__file__).parent / "page"
SIZES = (180, 192, 512)  # px: Apple's, and what a manifest is to have


async def draw(browser: Browser, size: int) -> bytes:
    """Return the icon as a PNG."""
    page = await browser.new_page(viewport={"width": size, "height": size})
    await page.goto((PAGE / "icon.svg").as_uri())
    image = await page.screenshot()
    await page.close()
    return image


async def main() -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=require("chromium"), args=["--no-sandbox"])
        for size in SIZES:
            (PAGE / f"icon-{size}.png").write_bytes(await draw(browser, size))
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
