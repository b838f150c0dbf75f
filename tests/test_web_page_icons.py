"""What makes the page an app on a telephone: a manifest, and icons of every kind that is asked for."""

from __future__ import annotations

import base64
import json
import struct

import pytest
from playwright.async_api import Browser

from rct_tools.simulator import Simulator

from browsing import SOURCES, opened
from icons import SIZES, draw
from showing import showing

APART = """async (images) => {
    const pixels = await Promise.all(images.map(async (image) => {
        const picture = new Image();
        picture.src = `data:image/png;base64,${image}`;
        await picture.decode();
        const canvas = new OffscreenCanvas(picture.width, picture.height);
        const context = canvas.getContext("2d");
        context.drawImage(picture, 0, 0);
        return context.getImageData(0, 0, picture.width, picture.height).data;
    }));
    return pixels[0].reduce((sum, value, n) => sum + Math.abs(value - pixels[1][n]), 0) / pixels[0].length;
}"""  # how far they are apart in each colour of each pixel, of 255


@pytest.mark.parametrize("size", SIZES)
async def test_icons_are_those_of_the_drawing(browser: Browser, size: int) -> None:
    kept = (SOURCES / f"icon-{size}.png").read_bytes()
    page = await browser.new_page()
    images = [base64.b64encode(image).decode() for image in (kept, await draw(browser, size))]
    assert await page.evaluate(APART, images) < 1  # browsers smooth edges in their own ways


def test_manifest_names_what_is_served() -> None:
    manifest = json.loads((SOURCES / "manifest.webmanifest").read_text("utf-8"))
    assert (manifest["start_url"], manifest["display"]) == ("/", "standalone")
    assert {icon.get("purpose", "any") for icon in manifest["icons"]} == {"any", "maskable"}
    for icon in manifest["icons"]:
        content = (SOURCES / icon["src"].removeprefix("/")).read_bytes()
        if icon["type"] == "image/png":
            assert content.startswith(b"\x89PNG\r\n\x1a\n")
            assert "{}x{}".format(*struct.unpack_from(">2I", content, 16)) == icon["sizes"]
    style = (SOURCES / "app.css").read_text("utf-8")
    head = (SOURCES / "index.html").read_text("utf-8")
    for colour in (manifest["theme_color"], manifest["background_color"]):
        assert f"--page: {colour};" in style
        assert f'content="{colour}"' in head


async def test_browsers_take_them(browser: Browser) -> None:
    async with (
        Simulator(port=0, latency=0.001, broadcast=False, speed=0) as simulator,
        showing(simulator) as shown,
        opened(browser, shown.url) as (page, watch),
    ):
        session = await page.context.new_cdp_session(page)
        assert (await session.send("Page.getAppManifest"))["errors"] == []
        touched = await page.get_attribute("link[rel=apple-touch-icon]", "href")
        for path in (touched, *(f"/icon-{size}.png" for size in SIZES)):
            answer = await page.context.request.get(f"{shown.url}{path}")
            assert answer.headers["content-type"] == "image/png"
            assert await answer.body() == (SOURCES / str(path).removeprefix("/")).read_bytes()
            again = await page.context.request.get(answer.url, headers={"If-None-Match": answer.headers["etag"]})
            assert again.status == 304
    assert [error for error in watch.errors if "503" not in error] == []  # there is no store
