"""What stands between readings and a sink that may be slow, or away for hours."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Final

from rct_tools.errors import SinkError
from rct_tools.reading import Reading

logger = logging.getLogger(__name__)

LIMIT: Final = 100_000  # readings: twelve hours of the default plan, in some 15 MB
BATCH: Final = 5000  # readings in one write

_FIRST_DELAY: Final = 1.0  # seconds
_LAST_DELAY: Final = 60.0


class Outbox:
    """Readings on their way to one sink: kept, in order, until the sink has taken them; beyond a limit the oldest go.

    ``put`` never waits and ``run`` writes, so one sink in trouble holds up nobody else. Trouble is said once, and so
    is its end.
    """

    def __init__(
        self,
        label: str,
        write: Callable[[Sequence[Reading]], Awaitable[None]],
        *,
        limit: int = LIMIT,
        sleep: Callable[[float], Coroutine[Any, Any, None]] = asyncio.sleep,
    ) -> None:
        self.label = label
        self.written = 0
        self.lost = 0  # too many to keep, refused for good, or left at the end
        self._write = write
        self._limit = limit
        self._sleep = sleep
        self._waiting: deque[Reading] = deque()
        self._in_flight: list[Reading] = []
        self._something = asyncio.Event()
        self._finishing = asyncio.Event()
        self._reasons: set[str] = set()  # of the present trouble, as far as they were said
        self._dropped = 0  # in the present trouble

    @property
    def kept(self) -> int:
        """How many readings are not written yet."""
        return len(self._waiting) + len(self._in_flight)

    def put(self, readings: Sequence[Reading]) -> None:
        """Take the readings."""
        self._waiting.extend(readings)
        self._trim()
        self._something.set()

    def finish(self) -> None:
        """Let ``run`` end when all is written, or at the next failure."""
        self._finishing.set()
        self._something.set()

    async def run(self) -> None:
        """Write what comes, until told to finish. What then could not be written is lost, and said."""
        delay = _FIRST_DELAY
        try:
            while await self._is_something_there():
                last_try = self._finishing.is_set()
                self._in_flight = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
                try:
                    await self._write(self._in_flight)
                except SinkError as exc:
                    if exc.permanent:
                        self._lose(len(self._in_flight), str(exc))
                        self._in_flight = []
                        continue
                    self._put_back()
                    self._say_trouble(exc)
                    if last_try:
                        break
                    await self._pause(delay)
                    delay = min(delay * 2, _LAST_DELAY)
                else:
                    self._say_works()
                    self.written += len(self._in_flight)
                    self._in_flight = []
                    delay = _FIRST_DELAY
        finally:
            if self.kept:
                self._lose(self.kept, "the program ended before they could be written")

    async def _is_something_there(self) -> bool:
        while not self._waiting:
            if self._finishing.is_set():
                return False
            self._something.clear()
            await self._something.wait()
        return True

    async def _pause(self, delay: float) -> None:
        nap = asyncio.create_task(self._sleep(delay))
        finishing = asyncio.create_task(self._finishing.wait())
        try:
            await asyncio.wait({nap, finishing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            nap.cancel()
            finishing.cancel()

    def _put_back(self) -> None:
        self._waiting.extendleft(reversed(self._in_flight))
        self._in_flight = []
        self._trim()

    def _trim(self) -> None:
        excess = len(self._waiting) - self._limit
        if excess <= 0:
            return
        for _ in range(excess):
            self._waiting.popleft()
        self.lost += excess
        if not self._dropped:
            logger.warning("%s: %d readings are waiting, the oldest are dropped now", self.label, self._limit)
        self._dropped += excess

    def _say_trouble(self, exc: SinkError) -> None:
        if not self._reasons:
            logger.warning("%s; keeping readings, will retry", exc)
        elif str(exc) not in self._reasons:
            logger.warning("%s; still keeping readings", exc)
        self._reasons.add(str(exc))

    def _say_works(self) -> None:
        if self._reasons:
            dropped = f", {self._dropped} were dropped" if self._dropped else ""
            logger.warning("%s: works again; %d readings had been kept%s", self.label, self.kept, dropped)
        self._reasons.clear()
        self._dropped = 0

    def _lose(self, count: int, reason: str) -> None:
        self.lost += count
        logger.warning("%s: %d readings lost: %s", self.label, count, reason)
