"""The events of an inverter, for however many browsers: asked when somebody looks, and seldom."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import aclosing
from typing import Any, Final

from rct_tools.client import Client
from rct_tools.events import LoggedEvent, read_events
from rct_tools.plain import plain
from rct_tools.times import SECOND

MOST: Final = 500  # events, the newest
EVERY: Final = 60.0  # seconds from one look to the next
_AGAIN: Final = 3600 * SECOND  # how far back is looked again, for what has ended meanwhile
_MS: Final = 1_000_000  # ns


class Logbook:
    """The event log of one inverter, as far as it is known here. To be used in one event loop."""

    def __init__(self, client: Client, zone: str, wall_clock: Callable[[], int] = time.time_ns) -> None:
        self._client = client
        self._zone = zone
        self._now = wall_clock
        self._events: list[LoggedEvent] = []  # the newest first
        self._looked: float | None = None
        self._turn = asyncio.Lock()

    async def events(self) -> list[dict[str, Any]]:
        """Return the newest events, the newest first; the inverter is asked if that was long ago.

        Raises NoAnswer, LinkError.
        """
        async with self._turn:
            now = asyncio.get_running_loop().time()
            if self._looked is None or now - self._looked >= EVERY:
                await self._look()
                self._looked = now
        return [_document(event) for event in self._events]

    async def _look(self) -> None:
        # The clock of an inverter may be fast, or taken for that of another zone.
        since = min(self._events[0].begin, self._now()) - _AGAIN if self._events else None
        new: list[LoggedEvent] = []
        async with aclosing(read_events(self._client, since=since, zone=self._zone, now=self._now)) as found:  # type: ignore[type-var]
            async for event in found:
                new.append(event)
                if len(new) >= MOST:
                    break
        kept = [event for event in self._events if since is not None and event.begin < since]
        self._events = (new + kept)[:MOST]


def _document(event: LoggedEvent) -> dict[str, Any]:
    """Return an event as JSON knows it; times are milliseconds of UTC."""
    return {
        "begin": event.begin // _MS,
        "end": None if event.end is None else event.end // _MS,
        "sure": event.is_sure,
        "type": event.type,
        "name": event.name,
        "object": event.object or None,
        "old": None if event.old is None else plain(event.old),
        "new": None if event.new is None else plain(event.new),
        "value": None if event.value is None else plain(event.value),
        "unit": event.unit,
        "raw": list(event.raw.values),
    }
