"""One of the two ways out of a spool: how far it got, and how it goes on after failures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rct_tools.errors import SinkError

BATCH: Final = 5000  # readings in one write
LAST_DELAY: Final = 300.0  # seconds

_FIRST_DELAY: Final = 1.0  # seconds
_SMALLEST: Final = 100  # readings in one write, however often it failed


class Lane:
    """Readings in the spool from a number on: how far they are settled, and how to go on after failures."""

    def __init__(self, start: int, chance: Callable[[], float]) -> None:
        """``chance`` gives 0 to 1."""
        self.start = self.done = start  # settled are those beyond the one, up to the other
        self.oldest: int | None = None  # the time of the next one, as far as that was looked at; UTC, ns
        self.size = BATCH  # of the next write; a server that is overloaded may like it smaller
        self._failures = 0
        self._chance = chance

    def begin_behind(self, number: int) -> None:
        """Leave what is up to a number to others."""
        self.start = self.done = number
        self.oldest = None

    def split(self, count: int) -> None:
        """Note that so many at once were refused, or too many."""
        self.size = max(_SMALLEST, count // 2)

    def failed(self, exc: SinkError) -> float:
        """Return how long to wait, in seconds: doubling, with jitter, and not less than the server wants."""
        delay = min(LAST_DELAY, _FIRST_DELAY * 2.0**self._failures) * (1 + self._chance()) / 2
        self._failures = min(self._failures + 1, 10)
        self.split(self.size)
        return max(delay, min(exc.retry_after or 0, LAST_DELAY))

    def worked(self, count: int) -> None:
        """Note that so many at once were taken."""
        self._failures = 0
        if count >= self.size:
            self.size = min(BATCH, self.size * 2)
