"""Readings that wait in memory: until the spool has them, or without one until the sink has."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from rct_tools.outbox.trouble import Trouble
from rct_tools.reading import Reading


class Memory:
    """Readings in order; beyond a limit the oldest go, and this is said."""

    def __init__(self, limit: int, trouble: Trouble) -> None:
        self.dropped = 0  # readings beyond the limit
        self.fresh: deque[Reading] = deque()
        self.in_flight: list[Reading] = []  # on their way from there, to the spool or the sink
        self.moving = asyncio.Lock()  # held while they are
        self._limit = limit
        self._trouble = trouble

    def __len__(self) -> int:
        return len(self.fresh) + len(self.in_flight)

    @property
    def oldest(self) -> int | None:
        """The time of the first; UTC, ns."""
        # The spool's thread may empty what is in flight at any moment.
        first = next(iter(self.in_flight), None) or next(iter(self.fresh), None)
        return first.time if first else None

    def put(self, readings: Sequence[Reading]) -> None:
        """Take readings, behind all others."""
        self.fresh.extend(readings)
        self._trim()

    def send(self, count: int) -> list[Reading]:
        """Let the first readings be in flight, and return them: they go from that list as they arrive."""
        self.in_flight = [self.fresh.popleft() for _ in range(min(count, len(self.fresh)))]
        return self.in_flight

    def settle(self, count: int, _reason: str) -> None:
        """Forget the first of those in flight: they were written, or refused for a reason."""
        del self.in_flight[:count]

    def put_back(self) -> None:
        """Let what is still in flight be the first again."""
        self.fresh.extendleft(reversed(self.in_flight))
        self.in_flight = []
        self._trim()

    def clear(self) -> list[Reading]:
        """Return all, and forget them."""
        left = [*self.in_flight, *self.fresh]
        self.in_flight.clear()
        self.fresh.clear()
        return left

    def _trim(self) -> None:
        excess = len(self.fresh) - self._limit
        if excess > 0:
            for _ in range(excess):
                self.fresh.popleft()
            self.dropped += excess
            self._trouble.say_dropped(excess, f"{self._limit} readings are waiting")
