"""One inverter, read for years: what its schedule says is asked, what comes by itself is taken, silence is said."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Final, Protocol

from rct_tools.components import nothing_of
from rct_tools.errors import LinkError, NoAnswer
from rct_tools.objects import ObjectInfo
from rct_tools.plan import Field, Plan
from rct_tools.question import Counters, Reply
from rct_tools.reading import Reading
from rct_tools.schedule import Entry, Schedule
from rct_tools.times import SECOND
from rct_tools.values import Value
from rct_tools.vitals import INTERVAL, UP, counts

logger = logging.getLogger(__name__)

OPEN: Final = 8  # questions under way at a time: as many as the client's window is wide
SILENCE: Final = 30 * SECOND  # or three intervals: without any value so long, an inverter no longer answers
LOOK: Final = 5 * SECOND  # how often it is looked whether it answers

_MOST_NAMED: Final = 12  # objects in one line


class Inverter(Protocol):
    """What is asked; a Client is one."""

    name: str
    peer: str
    counters: Counters

    @property
    def connected(self) -> bool:
        """Whether there is a connection now."""

    def ask(self, info: ObjectInfo) -> asyncio.Future[Reply]:
        """Return the answer to come; NoAnswer or LinkError in its place. Raises LinkError."""

    def hearing(self, hear: Callable[[Reading], None]) -> AbstractContextManager[None]:
        """Call a function with every reading that arrives."""


class Poller:
    """Asks one inverter for what its plan says, and hands on what comes; what does not come is never made up.

    ``up`` says whether the inverter answers; it is handed on as a reading too, at each change, and with the counters
    of the connection once a minute.
    """

    def __init__(
        self,
        inverter: Inverter,
        plan: Plan,
        deliver: Callable[[Sequence[Reading]], None],
        *,
        has: frozenset[str] | None = None,
        wall_clock: Callable[[], int] = time.time_ns,
    ) -> None:
        """``deliver`` takes readings and does not wait. ``has`` is as in Schedule. To be made inside a running loop."""
        self.inverter = inverter
        self.up = False
        self.since = self.now()  # when ``up`` changed, in steady nanoseconds
        self.heard: int | None = None  # when the last value came, in steady nanoseconds
        self.schedule = Schedule(plan, self.now(), has)
        self._deliver = deliver
        self._wall_clock = wall_clock
        self._wanted = {f.info.name for group in plan.groups for f in group.fields if len(f.objects) == 1}
        self._sums: dict[str, list[_Sum]] = {}
        for group in plan.groups:
            for field in group.fields:
                if len(field.objects) > 1:
                    total = _Sum(field, group.interval)
                    for info in field.objects:
                        self._sums.setdefault(info.name, []).append(total)
        self._silence = max(SILENCE, 3 * min(group.interval for group in plan.groups))
        self._ready: dict[str, Entry] = {}  # due, and not asked yet; by name, in order
        self._open = 0
        self._said_mute: set[str] = set()
        self._said_missed = 0
        self._was_silent = False
        self._room = asyncio.Event()

    async def run(self) -> None:
        """Poll until cancelled."""
        told = self.now()
        looked = told
        self._deliver([self._up_reading()])
        with self.inverter.hearing(self._hear):
            while True:
                now = self.now()
                if now - looked >= LOOK:
                    looked = now
                    self._look(now)
                if now - told >= INTERVAL:
                    told = now
                    self._deliver([self._up_reading(), *self._counter_readings()])
                    self._say_mute()
                self._ready |= {entry.info.name: entry for entry in self.schedule.due(now)}
                self._ask()
                await self._wait(min(self.schedule.next(), looked + LOOK, told + INTERVAL))

    async def _wait(self, until: int) -> None:
        """Wait for a time, or for room for what is due already."""
        self._room.clear()
        try:
            async with asyncio.timeout(max(0, until - self.now()) / SECOND):
                await self._room.wait()
        except TimeoutError:
            pass

    # --- asking -------------------------------------------------------------------------------------------------

    def _ask(self) -> None:
        while self._ready and self._open < OPEN:
            entry = self._ready.pop(next(iter(self._ready)))
            if not entry.open:  # it came by itself meanwhile
                continue
            try:
                answer = self.inverter.ask(entry.info)
            except LinkError:
                self.schedule.lost(entry.info.name)
                continue
            self._open += 1
            answer.add_done_callback(partial(self._settle, entry.info.name))

    def _settle(self, name: str, answer: asyncio.Future[Reply]) -> None:
        self._open -= 1
        if self._ready:
            self._room.set()
        # What came was heard already.
        match None if answer.cancelled() else answer.exception():
            case NoAnswer() if self.up:
                self.schedule.silent(name)
            case NoAnswer() | LinkError():  # an inverter that is silent altogether says nothing of its objects
                self.schedule.lost(name)

    # --- hearing ------------------------------------------------------------------------------------------------

    def _hear(self, reading: Reading) -> None:
        if reading.inverter != self.inverter.name:
            return  # a member of a plant, which has its own name and its own plan
        now = self.now()
        name = reading.object.name
        if name in self.schedule.entries:  # the answer to a probe alone is no use to anybody
            self.heard = now
            if not self.up:
                self._change(now, up=True)
        if not self.schedule.arrived(name, reading.value, now):
            return
        readings = [reading] if name in self._wanted else []
        if sums := self._sums.get(name):
            nothing = nothing_of(self.schedule.absent)
            readings += [total for each in sums if (total := each.add(reading, nothing)) is not None]
        if readings:
            self._deliver(readings)

    # --- what is known of the connection ------------------------------------------------------------------------

    def _look(self, now: int) -> None:
        if self.up and (not self.inverter.connected or self.heard is None or now - self.heard > self._silence):
            self._change(now, up=False)
        elif self.up:
            self.schedule.resume(now)

    def _change(self, now: int, *, up: bool) -> None:
        seconds = (now - self.since) // SECOND
        self.up = up
        self.since = now
        if not up and self.heard is not None:
            self.schedule.forgive(self.heard)
        # Losing a connection, and having it back, is said by the link.
        if not up and self.inverter.connected:
            self._was_silent = True
            logger.warning("%s: silent for %d s; will keep asking", self.inverter.peer, self._silence // SECOND)
        elif up and self._was_silent:
            self._was_silent = False
            logger.warning("%s: answers again, after %d s", self.inverter.peer, seconds + self._silence // SECOND)
        self._deliver([self._up_reading()])

    def _say_mute(self) -> None:
        """Say which objects do not answer any more, and which do again: once a minute, all in one line."""
        if self.heard is None or self.now() - self.heard > self._silence // 2:
            return  # it may be silent altogether
        mute = {name for name, entry in self.schedule.entries.items() if entry.is_mute}
        if new := mute - self._said_mute:
            logger.warning("%s: no answer for %s; asked rarely from now on", self.inverter.peer, _list(new))
        if back := self._said_mute - mute:
            logger.warning("%s: answered again: %s", self.inverter.peer, _list(back))
        self._said_mute = mute
        missed, self._said_missed = self.schedule.missed - self._said_missed, self.schedule.missed
        if missed and self.up:
            logger.info("%s: %d questions left out in a minute, it is too slow for them", self.inverter.peer, missed)

    def _up_reading(self) -> Reading:
        return self._vital(UP, self.up)

    def _counter_readings(self) -> Iterable[Reading]:
        yield from (self._vital(info, count) for info, count in counts(self.inverter.counters))

    def _vital(self, info: ObjectInfo, value: Value) -> Reading:
        return Reading(self._wall_clock(), self.inverter.name, info, value)

    @staticmethod
    def now() -> int:
        """The time of its loop, in nanoseconds."""
        return round(asyncio.get_running_loop().time() * SECOND)


class _Sum:
    """Several objects added up, as soon as all of them have come anew, but for those that are known to be nothing."""

    def __init__(self, field: Field, interval: int) -> None:
        self._field = field
        self._apart = interval // 2  # ns that the parts may be apart
        self._parts: dict[str, Reading] = {}

    def add(self, part: Reading, nothing: Collection[str] = ()) -> Reading | None:
        """Take a part; return the sum when it is whole, at the time of its newest part.

        ``nothing`` are names of objects that are 0, and do not come.
        """
        if not isinstance(part.value, int | float):
            return None
        self._parts[part.object.name] = part
        if any(info.name not in self._parts and info.name not in nothing for info in self._field.objects):
            return None
        parts = list(self._parts.values())
        newest = max(parts, key=lambda reading: reading.time)
        if newest.time - min(reading.time for reading in parts) > self._apart:
            return None
        self._parts.clear()
        total = float(sum(reading.value for reading in parts if isinstance(reading.value, int | float)))
        return Reading(newest.time, newest.inverter, self._field.info, total)


def _list(names: Iterable[str]) -> str:
    shown = sorted(names)
    more = f" and {len(shown) - _MOST_NAMED} more" if len(shown) > _MOST_NAMED else ""
    return ", ".join(shown[:_MOST_NAMED]) + more
