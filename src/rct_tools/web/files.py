"""The files of the page, from a fixed table: read once, so that no path of a request ever leads to a file."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

VIEWS: Final = (
    "/", "/day", "/week", "/month", "/year", "/battery", "/events", "/inverter", "/control", "/kiosk", "/login",
)  # fmt: skip
"""Paths of the one page: what it shows is up to its script."""

FILES: Final[Mapping[str, tuple[str, str]]] = {  # path: file, type
    **dict.fromkeys(VIEWS, ("index.html", "text/html; charset=utf-8")),
    "/app.js": ("app.js", "text/javascript; charset=utf-8"),
    "/app.css": ("app.css", "text/css; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
    **{f"/icon-{size}.png": (f"icon-{size}.png", "image/png") for size in (180, 192, 512)},  # by tests/icons.py
    "/uplot-licence.txt": ("uplot-licence.txt", "text/plain; charset=utf-8"),  # what app.js is in part
    "/manifest.webmanifest": ("manifest.webmanifest", "application/manifest+json"),
}

NOT_BUILT: Final = """<!doctype html><html lang="en"><meta charset="utf-8"><title>RCT Tools</title>
<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
<h1>RCT Tools</h1>
<p>The page is not built in this checkout: run <code>make web</code>, which needs Node.js, and start again.
<p>Everything else works, <a href="/api/now">/api/now</a> too.
"""


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is sent."""

    body: bytes
    packed: bytes  # with gzip
    content_type: str
    tag: str


def is_built() -> bool:
    """Tell whether the page is built."""
    return (files("rct_tools.web") / "built" / "index.html").is_file()


def load_assets(folder: Traversable | None = None) -> Mapping[str, Asset]:
    """Return what each path of the page gives; where the page is not built, all paths of views say so."""
    folder = folder or files("rct_tools.web") / "built"
    if not (folder / "index.html").is_file():
        return dict.fromkeys(VIEWS, _asset(NOT_BUILT.encode(), FILES["/"][1]))
    return {path: _asset((folder / name).read_bytes(), kind) for path, (name, kind) in FILES.items()}


def _asset(body: bytes, content_type: str) -> Asset:
    tag = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
    return Asset(body, gzip.compress(body, mtime=0), content_type, tag)
