"""The spool of an outbox: used from a thread of its own, and what is said while its disk is in trouble."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import takewhile
from typing import Any, Final, TypeVar

from rct_tools.errors import SinkError
from rct_tools.outbox.lane import Lane
from rct_tools.outbox.settled import Settled, Span
from rct_tools.outbox.trouble import Trouble
from rct_tools.reading import Reading
from rct_tools.spool import Row, Spool

logger = logging.getLogger(__name__)

T = TypeVar("T")

RETRY: Final = 10.0  # seconds until a disk in trouble is tried again

_MEANWHILE: Final = {
    "write": "keeping readings in memory until it works again",
    "read": "what waits in it goes on waiting",
}


class Disk:
    """A spool, and which of its readings are settled. Trouble with its disk is said once, and so is its end."""

    def __init__(self, spool: Spool, hold: float, label: str, trouble: Trouble) -> None:
        """``hold`` is for how many seconds what was written stays; ``trouble`` is that of the sink."""
        self.spool = spool
        self._settled = Settled(hold)
        self._label = label
        self._sink_trouble = trouble
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="spool")
        self._trouble: dict[str, str] = {}  # what cannot be done, and why
        self._dropped = 0  # readings that the spool dropped, as far as that was said
        self._not_lost = 0  # of these, such that had been written

    @property
    def kept(self) -> int:
        """How many readings wait in it."""
        return self.spool.kept - self._settled.size

    @property
    def lost(self) -> int:
        """How many were too many or too old to be kept, or in a damaged file."""
        return self.spool.dropped + self.spool.damaged - self._not_lost

    @property
    def trouble(self) -> str:
        """Why it is of no use; "" when it is."""
        return "; ".join(self._trouble.values())

    @property
    def takes(self) -> bool:
        """Whether readings can be stored."""
        return "write" not in self._trouble

    @property
    def gives(self) -> bool:
        """Whether readings can be taken from it."""
        return "read" not in self._trouble

    def begin(self) -> None:
        """Say what has waited since the last start."""
        logger.info("%s: %d readings wait in %s", self._label, self.spool.kept, self.spool.path)
        self.say_dropped()

    async def append(self, readings: list[Reading]) -> list[Reading]:
        """Store the readings, and take them from the list; return those that no file can hold. Raises SinkError."""
        try:
            unfit = await self._do(_append, self.spool, readings)
        except SinkError as exc:
            self._say("write", exc)
            raise
        self._say("write", None)
        return unfit

    async def take(self, lane: Lane, until: int, limit: int) -> list[Row]:
        """Return the next readings of a lane that wait, up to a number; none while the disk is in trouble."""
        while lane.done < until:
            try:
                rows = await self._do(self.spool.take, lane.done, until, limit)
            except SinkError as exc:
                self._say("read", exc)
                return []
            self._say("read", None)
            # Behind the border that a failure has moved, some may have been written before it.
            held = list(takewhile(lambda row: row[0] in self._settled, rows))
            waiting = [*takewhile(lambda row: row[0] not in self._settled, rows[len(held) :])]
            if held:
                lane.done, _ = held[-1]
            if waiting or not held:
                lane.oldest = waiting[0][1].time if waiting else None
                return waiting
        return []

    def settling(self, lane: Lane, rows: Sequence[Row]) -> Callable[[int, str], None]:
        """Return what is to be told, in order, how many of the rows were written, or refused and why."""
        settled = 0

        def settle(count: int, reason: str) -> None:
            nonlocal settled
            first, settled = lane.done, settled + count
            lane.done, _ = rows[settled - 1]
            lane.oldest = rows[settled][1].time if settled < len(rows) else None
            self._settled.add(Span(asyncio.get_running_loop().time(), first, lane.done, count), reason)

        return settle

    async def remove(self) -> None:
        """Remove what was settled long enough ago."""
        spans, apart = self._settled.due(asyncio.get_running_loop().time())
        if not spans:
            return
        try:
            removed = await self._do(self.spool.settle, [(span.first, span.last) for span in spans], apart)
        except SinkError as exc:
            logger.debug("%s: spool %s; what is written is removed from it later", self._label, exc)
            return
        self._settled.removed(spans, apart)
        self._not_lost += sum(span.size for span in spans) - removed

    def say_dropped(self) -> None:
        """Say that the spool has dropped readings, if it has."""
        if new := self.spool.dropped - self._dropped:
            self._dropped += new
            self._sink_trouble.say_dropped(new, "the spool is at its limit of size or age")

    def stop(self) -> None:
        """Wait until what the thread is at is done, and end it."""
        self._worker.shutdown()

    def close(self, left: list[Reading]) -> list[Reading]:
        """Store what is left, without the thread, and close the spool; return what could not be stored."""
        try:
            left = self.spool.append(left) if left else left
        except SinkError as exc:
            logger.debug("%s: spool %s", self._label, exc)
        self.spool.close()
        return left

    async def _do(self, work: Callable[..., T], *args: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._worker, work, *args)

    def _say(self, what: str, exc: SinkError | None) -> None:
        before = self._trouble.pop(what, "")
        if exc:
            self._trouble[what] = str(exc)
        if exc and not before:
            logger.warning("%s: spool %s; %s", self._label, exc, _MEANWHILE[what])
        elif before and not exc:
            logger.warning("%s: the spool works again; it was: %s", self._label, before)


def _append(spool: Spool, readings: list[Reading]) -> list[Reading]:
    """Store the readings and take them from the list, in the spool's own thread: so that is known of a lost caller."""
    unfit = spool.append(readings)
    readings.clear()
    return unfit
