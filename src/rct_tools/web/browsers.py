"""What browsers are told as it happens: written once for all of them, and none is waited for.

A browser that does not keep up gets all that is known when it has taken what it was given; one that takes nothing at
all is left.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final

from rct_tools.times import SECOND
from rct_tools.web.newest import Newest

TICK: Final = 0.25  # seconds from one message to the next at least
BEAT: Final = 5.0  # seconds: without anything new, it is said that there is nothing
PATIENCE: Final = 30.0  # seconds that a browser has to take a message
MOST: Final = 300  # browsers at a time
_BEHIND: Final = 8  # messages that wait for one browser; beyond it, all that is known takes their place


class Browser:
    """One open page."""

    def __init__(self) -> None:
        self.waiting: deque[bytes] = deque()
        self.is_behind = True  # in need of all that is known
        self.ready = asyncio.Event()
        self.ready.set()


class Browsers:
    """All open pages. To be made inside a running loop."""

    def __init__(self, newest: Newest) -> None:
        self._newest = newest
        self._browsers: set[Browser] = set()
        self._whole: tuple[int, int, bytes] = (-1, -1, b"")  # version and time of what is newest, as it was told last
        self._changed = asyncio.Event()
        self._told = 0  # version of what is newest

    @property
    def is_full(self) -> bool:
        """Whether there is no room for one more."""
        return len(self._browsers) >= MOST

    def change(self) -> None:
        """There is something newer."""
        self._changed.set()

    async def run(self) -> None:
        """Tell all browsers what is new, until cancelled."""
        self._told = self._newest.version
        while True:
            try:
                async with asyncio.timeout(BEAT):
                    await self._changed.wait()
            except TimeoutError:
                pass
            self._changed.clear()
            if self._browsers:
                self._tell()
            self._told = self._newest.version
            await asyncio.sleep(TICK)

    async def serve(self, send: Callable[[bytes], Awaitable[None]]) -> None:
        """Tell one browser, until cancelled, or until it takes nothing any more, which is a TimeoutError."""
        browser = Browser()
        self._browsers.add(browser)
        try:
            while True:
                await browser.ready.wait()
                browser.ready.clear()
                if browser.is_behind:
                    browser.is_behind = False
                    browser.waiting.clear()
                    await self._send(send, self._all())
                while browser.waiting and not browser.is_behind:
                    await self._send(send, browser.waiting.popleft())
        finally:
            self._browsers.discard(browser)

    @staticmethod
    async def _send(send: Callable[[bytes], Awaitable[None]], message: bytes) -> None:
        async with asyncio.timeout(PATIENCE):
            await send(message)

    def _tell(self) -> None:
        message = event(self._newest.document(_now(), self._told))
        for browser in self._browsers:
            if len(browser.waiting) >= _BEHIND or self._newest.changed > self._told:
                browser.is_behind = True
                browser.waiting.clear()
            if not browser.is_behind:
                browser.waiting.append(message)
            browser.ready.set()

    def _all(self) -> bytes:
        """Return all that is known; a hundred browsers that come at once get the same."""
        version, second = self._newest.version, _now() // SECOND
        if self._whole[:2] != (version, second):
            self._whole = version, second, event(self._newest.document(_now()))
        return self._whole[2]


def event(document: dict[str, Any]) -> bytes:
    """Return a server-sent event."""
    return f"data: {json.dumps(document, separators=(',', ':'), ensure_ascii=False, allow_nan=False)}\n\n".encode()


def _now() -> int:
    return round(asyncio.get_running_loop().time() * SECOND)
