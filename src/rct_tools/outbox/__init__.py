"""What stands between readings and a sink that may be slow, or away for weeks. What survives: docs/nothing-lost.md."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
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

LIMIT: Final = 100_000  # readings in memory: twelve hours of the default plan, in some 15 MB
DRAIN_RATE: Final = 2000.0  # readings per second: a day of one inverter in three minutes
GATHER: Final = 0.25  # seconds from one commit of the spool to the next, and from one write to the next without it

_DISK_DELAY: Final = 10.0  # seconds until a disk in trouble is tried again
_NAMES: Final = 5  # objects that one message names
_NAMED: Final = 100  # objects of which it is said that they are refused
_MEANWHILE: Final = {
    "write": "keeping readings in memory until it works again",
    "read": "what waits in it goes on waiting",
}


@dataclass(frozen=True, slots=True)
class OutboxStatus:
    """How an outbox is doing. Numbers are of readings, unless they say otherwise."""

    label: str
    written: int
    kept: int  # not written yet
    spooled: int  # of these on disk
    spool_bytes: int
    oldest: int | None  # the time of the one that has been kept for longest; UTC, ns
    lost: int  # too many or too old to be kept, or left at the end
    refused: int  # for good, by the sink
    trouble: str  # why the sink takes nothing; "" when it does
    since: int | None  # when that began; UTC, ns
    disk_trouble: str  # why the spool is of no use; "" when it is


class Outbox:
    """Readings on their way to one sink, kept until the sink has taken them.

    ``put`` never waits and ``run`` writes, so one sink in trouble holds up nobody else. Trouble is said once, and so
    is its end. Readings that the sink refuses for good are singled out and counted, and hold up no others.

    Without a spool, readings wait in memory, in order; beyond a limit the oldest go. With one they are committed to it
    within a moment and written from there, and what waits at the end of the program waits for its next start. What the
    sink has taken is held there for a while more, where a sink is known to say so too soon. After
    trouble there are two lanes, each in order: what is new goes at once, and beside it, at a limited rate, what had to
    wait. While the disk is in trouble, it goes on as without a spool.
    """

    def __init__(
        self,
        label: str,
        write: Callable[[Sequence[Reading]], Awaitable[None]],
        *,
        spool: Spool | None = None,
        limit: int = LIMIT,
        drain_rate: float = DRAIN_RATE,
        hold: float = 0.0,
        sleep: Callable[[float], Coroutine[Any, Any, None]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        """``limit`` is that of memory, ``drain_rate`` of readings per second; ``chance`` gives 0 to 1, for jitter.

        ``hold`` is for how many seconds the spool keeps what was written: a server that has it in memory at first may
        lose it, and when this program ends at the same time, nobody else has it. It is written again then.

        The spool is this outbox's own from now on, and closed at the end of ``run``.
        """
        self.label = label
        self.written = 0
        self.refused = 0
        self._write = write
        self._spool = spool
        self._limit = limit
        self._drain_rate = drain_rate
        self._sleep = sleep
        self._lost = 0
        self._fresh: deque[Reading] = deque()  # in memory: not committed yet, or without a spool all
        self._in_flight: list[Reading] = []  # on their way from there, to the spool or the sink
        self._moving = asyncio.Lock()  # held while they are
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="spool")
        self._arrived = asyncio.Event()  # something to commit
        self._ready = asyncio.Event()  # something to write
        self._finishing = asyncio.Event()
        self._backlog, self._live = Lane(0, chance), Lane(spool.last if spool else 0, chance)
        self._backlog.oldest = spool.oldest if spool else None
        self._settled = Settled(hold)
        self._regroup = False  # whether all that waits on disk is to become backlog
        self._nap: asyncio.Task[None] | None = None  # of the backlog
        self._named: set[str] = set()  # objects of which that was said
        self._trouble = Trouble(label, clock)
        self._disk_trouble: dict[str, str] = {}  # what cannot be done, and why
        self._dropped = 0  # readings that the spool dropped, as far as that was said

    @property
    def lost(self) -> int:
        """How many readings were too many or too old to be kept, or left at the end."""
        return self._lost + (self._spool.dropped + self._spool.damaged if self._spool else 0)

    @property
    def kept(self) -> int:
        """How many readings are not written yet."""
        return len(self._fresh) + len(self._in_flight) + self._spooled

    @property
    def _spooled(self) -> int:
        return self._spool.kept - self._settled.size if self._spool else 0

    @property
    def status(self) -> OutboxStatus:
        """How it is doing now."""
        # The spool's thread may empty what is in flight at any moment.
        memory = next(iter(self._in_flight), None) or next(iter(self._fresh), None)
        waiting = [self._backlog.oldest, self._live.oldest, memory.time if memory else None]
        oldest = min((time for time in waiting if time is not None), default=None)
        return OutboxStatus(
            self.label, self.written, self.kept, self._spooled, self._spool.size if self._spool else 0, oldest,
            self.lost, self.refused, self._trouble.text, self._trouble.since, "; ".join(self._disk_trouble.values()),
        )  # fmt: skip

    def put(self, readings: Sequence[Reading]) -> None:
        """Take the readings."""
        self._fresh.extend(readings)
        self._trim()
        self._arrived.set()
        self._ready.set()

    def finish(self) -> None:
        """Let ``run`` end when all is written, or at the next failure."""
        self._finishing.set()
        self._ready.set()

    async def run(self) -> None:
        """Write what comes, until told to finish. What then could be neither written nor spooled is lost, and said."""
        jobs = [asyncio.create_task(self._write_out())]
        if self._spool:
            logger.info("%s: %d readings wait in %s", self.label, self._spool.kept, self._spool.path)
            self._note_dropped(self._spool)
            jobs.append(asyncio.create_task(self._commit_what_comes(self._spool)))
        try:
            ended, _ = await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
            for job in ended:
                job.result()
        finally:
            if self._nap:
                jobs.append(self._nap)
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)
            self._end()

    def _end(self) -> None:
        self._worker.shutdown()  # what it is at is done, which may empty what was in flight
        left = [*self._in_flight, *self._fresh]
        self._in_flight.clear()
        self._fresh.clear()  # these are in the spool in a moment, or lost: they wait nowhere else
        if self._spool:
            try:
                left = self._spool.append(left) if left else left
            except SinkError as exc:
                logger.debug("%s: spool %s", self.label, exc)
            self._spool.close()
        if left:
            self._lost += len(left)
            reason = "the program ended before they could be written"
            logger.warning("%s: %d readings lost: %s", self.label, len(left), reason)

    # --- into the spool ---------------------------------------------------------------------------------------------

    @property
    def _on_spool(self) -> bool:
        """Whether readings go through the spool."""
        return self._spool is not None and "write" not in self._disk_trouble

    async def _commit_what_comes(self, spool: Spool) -> None:
        while True:
            while not self._fresh and self._on_spool:
                self._arrived.clear()
                await self._arrived.wait()
            await self._commit(spool)
            await self._sleep(GATHER if self._on_spool else _DISK_DELAY)

    async def _commit(self, spool: Spool) -> None:
        async with self._moving:
            if not self._fresh and self._on_spool:
                return
            self._in_flight, self._fresh = list(self._fresh), deque()
            try:
                unfit = await self._on_disk(_append, spool, self._in_flight)
            except SinkError as exc:
                self._put_back()
                self._say_disk("write", exc)
            else:
                self._regroup |= not self._on_spool
                self._say_disk("write", None)
                self._refuse([(reading, "no file can hold its value") for reading in unfit])
                self._note_dropped(spool)
            self._ready.set()

    def _note_dropped(self, spool: Spool) -> None:
        if new := spool.dropped - self._dropped:
            self._dropped += new
            self._trouble.say_dropped(new, "the spool is at its limit of size or age")

    async def _on_disk(self, work: Callable[..., T], *args: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._worker, work, *args)

    def _put_back(self) -> None:
        self._fresh.extendleft(reversed(self._in_flight))
        self._in_flight = []
        self._trim()

    def _trim(self) -> None:
        excess = len(self._fresh) - self._limit
        if excess > 0:
            for _ in range(excess):
                self._fresh.popleft()
            self._lost += excess
            self._trouble.say_dropped(excess, f"{self._limit} readings are waiting")

    def _say_disk(self, what: str, exc: SinkError | None) -> None:
        before = self._disk_trouble.pop(what, "")
        if exc:
            self._disk_trouble[what] = str(exc)
        if exc and not before:
            logger.warning("%s: spool %s; %s", self.label, exc, _MEANWHILE[what])
        elif before and not exc:
            logger.warning("%s: the spool works again; it was: %s", self.label, before)

    # --- to the sink ------------------------------------------------------------------------------------------------

    async def _write_out(self) -> None:
        while True:
            self._ready.clear()
            last = self._finishing.is_set()
            if self._spool:
                await self._prepare(self._spool, last)
            try:
                sent = await self._send_live()
            except SinkError as exc:
                if last:
                    return
                if self._spool:
                    self._move_border(self._spool)
                await self._pause(self._live.failed(exc))
                continue
            if last and not sent:
                return
            if last or await self._send_backlog():
                continue
            if not sent:
                await self._wait()
            elif not self._fresh and not self._on_spool:
                await self._pause(GATHER)

    async def _prepare(self, spool: Spool, last: bool) -> None:
        await self._remove(spool)  # what could not be removed before
        if last:
            await self._commit(spool)
        if self._regroup:
            self._move_border(spool)

    def _move_border(self, spool: Spool) -> None:
        """Make all that waits on disk backlog."""
        self._regroup = False
        if self._backlog.oldest is None:
            self._backlog.oldest = self._live.oldest
        self._live.begin_behind(spool.last)

    async def _send_live(self) -> bool:
        """Write the next new readings; tell whether there were any. Raises SinkError."""
        if self._spool and (rows := await self._take(self._spool, self._live, self._spool.last, self._live.size)):
            await self._send_rows(self._spool, self._live, rows)
            return True
        if self._on_spool:
            return False
        async with self._moving:
            count = min(self._live.size, len(self._fresh))
            self._in_flight = [self._fresh.popleft() for _ in range(count)]
            try:
                await self._deliver(self._live, self._in_flight[:], self._settle_in_memory)
            finally:
                self._put_back()
        return count > 0

    async def _send_backlog(self) -> bool:
        """Write the next readings that had to wait, if it is time; tell whether there were any."""
        until = self._live.start
        if not self._spool or self._backlog.done >= until or (self._nap and not self._nap.done()):
            return False
        limit = max(1, min(self._backlog.size, int(self._drain_rate)))  # of one second
        rows = await self._take(self._spool, self._backlog, until, limit)
        pause = len(rows) / self._drain_rate
        if "read" in self._disk_trouble:
            pause = _DISK_DELAY
        elif not rows:
            self._backlog.done = until
        else:
            try:
                await self._send_rows(self._spool, self._backlog, rows)
            except SinkError as exc:
                pause = self._backlog.failed(exc)
        self._nap = asyncio.create_task(self._sleep(pause))
        return True

    async def _take(self, spool: Spool, lane: Lane, until: int, limit: int) -> list[Row]:
        while lane.done < until:
            try:
                rows = await self._on_disk(spool.take, lane.done, until, limit)
            except SinkError as exc:
                self._say_disk("read", exc)
                return []
            self._say_disk("read", None)
            # Behind the border that a failure has moved, some may have been written before it.
            held = list(takewhile(lambda row: row[0] in self._settled, rows))
            waiting = [*takewhile(lambda row: row[0] not in self._settled, rows[len(held) :])]
            if held:
                lane.done, _ = held[-1]
            if waiting or not held:
                lane.oldest = waiting[0][1].time if waiting else None
                return waiting
        return []

    async def _send_rows(self, spool: Spool, lane: Lane, rows: Sequence[Row]) -> None:
        settled = 0

        def settle(count: int, reason: str) -> None:
            nonlocal settled
            first, settled = lane.done, settled + count
            lane.done, _ = rows[settled - 1]
            lane.oldest = rows[settled][1].time if settled < len(rows) else None
            self._settled.add(Span(asyncio.get_running_loop().time(), first, lane.done, count), reason)

        try:
            await self._deliver(lane, [reading for _, reading in rows], settle)
        finally:
            await self._remove(spool)

    async def _remove(self, spool: Spool) -> None:
        """Remove from the spool what was settled long enough ago."""
        spans, apart = self._settled.due(asyncio.get_running_loop().time())
        if not spans:
            return
        try:
            removed = await self._on_disk(spool.settle, [(span.first, span.last) for span in spans], apart)
        except SinkError as exc:
            logger.debug("%s: spool %s; what is written is removed from it later", self.label, exc)
            return
        self._settled.removed(spans, apart)
        self._lost -= sum(span.size for span in spans) - removed  # what was dropped when it was written is not lost

    def _settle_in_memory(self, count: int, _reason: str) -> None:
        del self._in_flight[:count]

    async def _deliver(self, lane: Lane, readings: list[Reading], settle: Callable[[int, str], None]) -> None:
        """Write the readings, and tell ``settle``, in order, how many were written, or refused and why.

        What is refused for good is singled out, by halves. Raises SinkError when the rest has to come again.
        """
        refused: list[tuple[Reading, str]] = []
        parts = [readings] if readings else []
        try:
            while parts:
                part = parts.pop()
                try:
                    await self._write(part)
                except SinkError as exc:
                    if not exc.permanent:
                        self._trouble.begin(exc, lane is self._backlog)
                        raise
                    if len(part) > 1:
                        lane.split(len(part))
                        parts += [part[len(part) // 2 :], part[: len(part) // 2]]
                        continue
                    refused.append((part[0], str(exc)))
                    settle(1, str(exc))
                else:
                    self._say_works(lane, len(part))
                    self.written += len(part)
                    settle(len(part), "")
        finally:
            self._refuse(refused)

    def _say_works(self, lane: Lane, count: int) -> None:
        lane.worked(count)
        if self._trouble.end(self.kept, self.kept == count, lane is self._backlog):
            self._backlog.worked(0)
            if self._nap:
                self._nap.cancel()
                self._nap = None

    def _refuse(self, refused: Sequence[tuple[Reading, str]]) -> None:
        self.refused += len(refused)
        new = {reading.object.name: None for reading, _ in refused if reading.object.name not in self._named}
        if new and len(self._named) < _NAMED:
            self._named.update(new)
            names = ", ".join([*new][:_NAMES]) + (", …" if len(new) > _NAMES else "")
            _, reason = refused[0]
            logger.warning("%s: refused for good: %d readings, of %s: %s", self.label, len(refused), names, reason)

    # --- waiting ----------------------------------------------------------------------------------------------------

    async def _wait(self) -> None:
        """Wait for something to write, or until the backlog may go on."""
        naps = [self._nap] if self._nap and not self._nap.done() else []
        await _first([asyncio.create_task(self._ready.wait())], naps)

    async def _pause(self, delay: float) -> None:
        await _first([asyncio.create_task(self._sleep(delay)), asyncio.create_task(self._finishing.wait())])


def _append(spool: Spool, readings: list[Reading]) -> list[Reading]:
    """Store the readings and take them from the list, in the spool's own thread: so that is known of a lost caller."""
    unfit = spool.append(readings)
    readings.clear()
    return unfit


async def _first(own: Sequence[asyncio.Task[Any]], others: Iterable[asyncio.Task[Any]] = ()) -> None:
    """Wait until one of them is done; end our own ones."""
    try:
        await asyncio.wait([*own, *others], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in own:
            task.cancel()
