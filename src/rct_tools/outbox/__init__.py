"""What stands between readings and a sink that may be slow, or away for weeks. What survives: docs/nothing-lost.md."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rct_tools.errors import SinkError
from rct_tools.outbox.disk import RETRY, Disk
from rct_tools.outbox.lane import Lane
from rct_tools.outbox.memory import Memory
from rct_tools.outbox.trouble import Trouble
from rct_tools.reading import Reading
from rct_tools.spool import Row, Spool

logger = logging.getLogger(__name__)

LIMIT: Final = 100_000  # readings in memory: twelve hours of the default plan, in some 15 MB
DRAIN_RATE: Final = 2000.0  # readings per second: a day of one inverter in three minutes
GATHER: Final = 0.25  # seconds from one commit of the spool to the next, and from one write to the next without it

_NAMES: Final = 5  # objects that one message names
_NAMED: Final = 100  # objects of which it is said that they are refused


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
        self._drain_rate = drain_rate
        self._sleep = sleep
        self._left = 0  # readings, at the end
        self._trouble = Trouble(label, clock)
        self._memory = Memory(limit, self._trouble)  # what is not on disk yet, or without a spool all
        self._disk = Disk(spool, hold, label, self._trouble) if spool else None
        self._arrived = asyncio.Event()  # something to commit
        self._ready = asyncio.Event()  # something to write
        self._finishing = asyncio.Event()
        self._backlog, self._live = Lane(0, chance), Lane(spool.last if spool else 0, chance)
        self._backlog.oldest = spool.oldest if spool else None
        self._regroup = False  # whether all that waits on disk is to become backlog
        self._nap: asyncio.Task[None] | None = None  # of the backlog
        self._named: set[str] = set()  # objects of which that was said

    @property
    def lost(self) -> int:
        """How many readings were too many or too old to be kept, or left at the end."""
        return self._left + self._memory.dropped + (self._disk.lost if self._disk else 0)

    @property
    def kept(self) -> int:
        """How many readings are not written yet."""
        return len(self._memory) + self._spooled

    @property
    def _spooled(self) -> int:
        return self._disk.kept if self._disk else 0

    @property
    def status(self) -> OutboxStatus:
        """How it is doing now."""
        waiting = [self._backlog.oldest, self._live.oldest, self._memory.oldest]
        oldest = min((time for time in waiting if time is not None), default=None)
        size, disk_trouble = (self._disk.spool.size, self._disk.trouble) if self._disk else (0, "")
        return OutboxStatus(
            self.label, self.written, self.kept, self._spooled, size, oldest,
            self.lost, self.refused, self._trouble.text, self._trouble.since, disk_trouble,
        )  # fmt: skip

    def put(self, readings: Sequence[Reading]) -> None:
        """Take the readings."""
        self._memory.put(readings)
        self._arrived.set()
        self._ready.set()

    def finish(self) -> None:
        """Let ``run`` end when all is written, or at the next failure."""
        self._finishing.set()
        self._ready.set()

    async def run(self) -> None:
        """Write what comes, until told to finish. What then could be neither written nor spooled is lost, and said."""
        jobs = [asyncio.create_task(self._write_out())]
        if self._disk:
            self._disk.begin()
            jobs.append(asyncio.create_task(self._commit_what_comes(self._disk)))
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
        if self._disk:
            self._disk.stop()  # which may empty what was in flight
        left = self._memory.clear()  # these are in the spool in a moment, or lost: they wait nowhere else
        if self._disk:
            left = self._disk.close(left)
        if left:
            self._left = len(left)
            reason = "the program ended before they could be written"
            logger.warning("%s: %d readings lost: %s", self.label, len(left), reason)

    # --- into the spool ---------------------------------------------------------------------------------------------

    @property
    def _on_disk(self) -> bool:
        """Whether readings go through the spool."""
        return self._disk is not None and self._disk.takes

    async def _commit_what_comes(self, disk: Disk) -> None:
        while True:
            while not self._memory.fresh and disk.takes:
                self._arrived.clear()
                await self._arrived.wait()
            await self._commit(disk)
            await self._sleep(GATHER if disk.takes else RETRY)

    async def _commit(self, disk: Disk) -> None:
        async with self._memory.moving:
            was_well = disk.takes
            if not self._memory.fresh and was_well:
                return
            try:
                unfit = await disk.append(self._memory.send(len(self._memory.fresh)))
            except SinkError:
                self._memory.put_back()
            else:
                self._regroup |= not was_well
                self._refuse([(reading, "no file can hold its value") for reading in unfit])
                disk.say_dropped()
            self._ready.set()

    # --- to the sink ------------------------------------------------------------------------------------------------

    async def _write_out(self) -> None:
        while True:
            self._ready.clear()
            last = self._finishing.is_set()
            if self._disk:
                await self._prepare(self._disk, last)
            try:
                sent = await self._send_live()
            except SinkError as exc:
                if last:
                    return
                if self._disk:
                    self._move_border(self._disk)
                await self._pause(self._live.failed(exc))
                continue
            if last and not sent:
                return
            if last or await self._send_backlog():
                continue
            if not sent:
                await self._wait()
            elif not self._memory.fresh and not self._on_disk:
                await self._pause(GATHER)

    async def _prepare(self, disk: Disk, last: bool) -> None:
        await disk.remove()  # what could not be removed before
        if last:
            await self._commit(disk)
        if self._regroup:
            self._move_border(disk)

    def _move_border(self, disk: Disk) -> None:
        """Make all that waits on disk backlog."""
        self._regroup = False
        if self._backlog.oldest is None:
            self._backlog.oldest = self._live.oldest
        self._live.begin_behind(disk.spool.last)

    async def _send_live(self) -> bool:
        """Write the next new readings; tell whether there were any. Raises SinkError."""
        if self._disk and (rows := await self._disk.take(self._live, self._disk.spool.last, self._live.size)):
            await self._send_rows(self._disk, self._live, rows)
            return True
        if self._on_disk:
            return False
        async with self._memory.moving:
            readings = self._memory.send(self._live.size)[:]
            try:
                await self._deliver(self._live, readings, self._memory.settle)
            finally:
                self._memory.put_back()
        return bool(readings)

    async def _send_backlog(self) -> bool:
        """Write the next readings that had to wait, if it is time; tell whether there were any."""
        until = self._live.start
        if not self._disk or self._backlog.done >= until or (self._nap and not self._nap.done()):
            return False
        limit = max(1, min(self._backlog.size, int(self._drain_rate)))  # of one second
        rows = await self._disk.take(self._backlog, until, limit)
        pause = len(rows) / self._drain_rate
        if not self._disk.gives:
            pause = RETRY
        elif not rows:
            self._backlog.done = until
        else:
            try:
                await self._send_rows(self._disk, self._backlog, rows)
            except SinkError as exc:
                pause = self._backlog.failed(exc)
        self._nap = asyncio.create_task(self._sleep(pause))
        return True

    async def _send_rows(self, disk: Disk, lane: Lane, rows: Sequence[Row]) -> None:
        try:
            await self._deliver(lane, [reading for _, reading in rows], disk.settling(lane, rows))
        finally:
            await disk.remove()

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


async def _first(own: Sequence[asyncio.Task[Any]], others: Iterable[asyncio.Task[Any]] = ()) -> None:
    """Wait until one of them is done; end our own ones."""
    try:
        await asyncio.wait([*own, *others], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in own:
            task.cancel()
