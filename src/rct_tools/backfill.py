"""What stores lack is filled from the inverter's own log of minutes, marked as backfilled.

There is no record of what was filled: what is lacking is asked of the store itself. So it may end at any moment, and
whoever begins anew goes on where it was, and gives every reading once.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final

from rct_tools.clock import Clock
from rct_tools.components import COMPONENTS, component_of, nothing_of, proves
from rct_tools.errors import ConfigError, NoAnswer, SinkError
from rct_tools.gaps import Gaps, Stretch, find_gaps, reach, stretches
from rct_tools.history import TRIES, HistoryRow, Logs, read_history
from rct_tools.logged import SLOT, told_of
from rct_tools.objects import ObjectInfo, registry
from rct_tools.plan import Plan, Source
from rct_tools.reading import Reading
from rct_tools.series import find_series
from rct_tools.sinks import Store
from rct_tools.times import SECOND
from rct_tools.values import DataType

logger = logging.getLogger(__name__)

KEPT: Final = 92 * 86_400 * SECOND
"""How far a log of minutes may reach back, in nanoseconds: about 90 days."""

CLOCK: Final = "flash_rtc.time_stamp"

_BATCH: Final = 100  # rows that are given to a store at once
_CLOCK_OFF: Final = 600  # seconds; of more, a time zone or the clock is wrong, and nobody knows when a row was
_OBJECTS: Final = {series.name: series.info.name for series in find_series("minutes")}


@dataclass(slots=True)
class Filling:
    """One store: what it lacks of one inverter, and what has come of it."""

    label: str  # how messages call it
    inverter: str  # as in its readings
    gaps: Sequence[Gaps]
    write: Callable[[Sequence[Reading]], Awaitable[None]]
    given: int = 0  # readings that it has taken
    oldest: int | None = None  # the times of the first and the last of them: UTC, nanoseconds
    newest: int | None = None  # which come the newest first
    unfit: Counter[str] = field(default_factory=Counter)  # values that cannot be, by object
    unsure: int = 0  # rows whose time may be an hour off
    events: int = 0  # readings of events that it has taken, too
    error: SinkError | None = None  # why it took no more

    @property
    def lacking(self) -> int:
        """How many readings are lacking now."""
        return sum(each.count for each in self.gaps)

    async def take(self, rows: Sequence[HistoryRow]) -> None:
        """Write what rows, the newest first, tell of what is lacking."""
        if self.error:
            return
        found = [each for row in rows for each in self._readings(row)]
        readings = [reading for _, reading in found]
        if not readings:
            return
        try:
            await self.write(readings)
        except SinkError as exc:
            self.error = exc
            for gaps, reading in found:
                gaps.mark(reading.time, lacks=True)
            return
        self.given += len(readings)
        self.oldest = readings[-1].time
        self.newest = self.newest or readings[0].time

    def _readings(self, row: HistoryRow) -> Iterator[tuple[Gaps, Reading]]:
        lacking = [gaps for gaps in self.gaps if gaps.lacks(row.time)]
        if lacking and not row.is_sure:
            self.unsure += 1
            return
        for gaps in lacking:
            told = gaps.told
            if not told.series <= row.values.keys():
                continue
            value = told.value(row.values)
            if value is None:
                self.unfit[told.info.name] += 1
                continue
            gaps.mark(row.time, lacks=False)
            yield gaps, Reading(row.time, self.inverter, told.info, value, backfilled=True)

    @property
    def left_out(self) -> str:
        """What was left out and why, for people; "" for nothing."""
        parts = []
        if self.unsure:
            parts.append(f"{self.unsure:,} rows may be an hour off")
        if self.unfit:
            parts.append(f"{self.unfit.total():,} values cannot be, of {', '.join(sorted(self.unfit))}")
        return "; ".join(parts)


async def find_lacking(
    store: Store,
    source: Source,
    plan: Plan,
    since: int,
    until: int,
    *,
    only_behind: bool = False,
) -> list[Gaps]:
    """Ask a store what it lacks of an inverter, from ``since`` up to ``until``, of what the log can tell.

    With ``only_behind`` that is no more than what lies behind the first reading that it has of an object: so nothing
    in an empty store, and nothing of what an inverter does not have. Raises SinkError.
    """
    every = [told for told in told_of(plan) if told.info.name in source.expects]
    if not every:
        return []
    names = [told.info.name for told in every]
    known = await store.times(source.inverter, names, since - max(map(reach, every)), until, SLOT)
    found = [find_gaps(told, known[told.info.name], since, until, only_behind=only_behind) for told in every]
    return [gaps for gaps in found if gaps.count]


async def fill(
    inverter: Logs,
    fillings: Sequence[Filling],
    zone: str,
    *,
    now: Callable[[], int] = time.time_ns,
    tell: Callable[[int, int], object] = lambda _asked, _reached: None,
) -> None:
    """Read what stores lack from the log of an inverter whose clock is in a zone, the newest first, and write it.

    Each batch is written before more is read. A store that takes nothing gets no more: its ``error`` says why. ``tell``
    is called with how many pages were read, and the time that was reached.

    Raises ConfigError when the clock of the inverter shows another time than now, NoAnswer when it has no such log or
    falls silent, LinkError.
    """
    wanted = stretches(gaps for filling in fillings for gaps in filling.gaps)
    if not wanted:
        return
    await check_clock(inverter, zone, now())
    log = _Log(inverter, zone, now)
    batch: list[HistoryRow] = []

    async def give() -> bool:
        for filling in fillings:
            await filling.take(batch)
        batch.clear()
        return not all(filling.error for filling in fillings)

    for stretch in wanted:
        try:
            async with aclosing(log.rows(stretch)) as rows:
                async for row in rows:
                    tell(log.pages, row.time)
                    batch.append(row)
                    if len(batch) >= _BATCH and not await give():
                        return
        finally:
            goes_on = await give()  # what was read is not to be read again
        if not goes_on:
            return
    if not log.heard:
        raise NoAnswer(inverter.peer, sorted(log.silent))
    for filling in fillings:
        if filling.left_out:
            logger.warning("%s: left out of its log for %s: %s", inverter.peer, filling.label, filling.left_out)


class _Log:
    """The log of an inverter, and which of its series have answered; a series that it does not know is asked once."""

    def __init__(self, inverter: Logs, zone: str, now: Callable[[], int]) -> None:
        self.peer = inverter.peer
        self.pages = 0
        self.heard: set[str] = set()  # names of objects
        self.silent: Counter[str] = Counter()
        self._inverter = inverter
        self._zone = zone
        self._now = now

    async def rows(self, stretch: Stretch) -> AsyncGenerator[HistoryRow]:
        """Yield the rows of a stretch, the newest first. Raises NoAnswer when it falls silent in its midst."""
        series = [name for name in _OBJECTS if name in stretch.series and _OBJECTS[name] not in self.mute]
        if not series:
            return
        since, until, _ = stretch
        try:
            async for row in read_history(
                self, since=since, until=until, series=series, zone=self._zone, now=self._now
            ):
                yield row
        except NoAnswer:
            if any(_OBJECTS[name] in self.heard for name in series):
                raise

    async def read(self, name: str, *, before: int | None = None) -> Reading:
        """Return a page, as the inverter does."""
        try:
            reading = await self._inverter.read(name, before=before)
        except NoAnswer:
            self.silent[name] += 1
            raise
        self.heard.add(name)
        self.pages += 1
        return reading

    @property
    def mute(self) -> set[str]:
        """The names of objects that have never answered."""
        return {name for name, count in self.silent.items() if count >= TRIES} - self.heard


async def check_clock(inverter: Logs, zone: str, now: int) -> None:
    """Raise ConfigError when the clock of an inverter shows another time than now, so that its rows have none.

    One that does not tell is taken to be right.
    """
    clock = Clock.of(zone)
    try:
        shown = (await inverter.read(CLOCK)).value
    except NoAnswer:
        logger.info("%s: does not say what its clock shows; taken for the time in %s", inverter.peer, zone)
        return
    assert isinstance(shown, int)  # noqa: S101  # as the type of the object says
    off = min((clock.utc(shown, again=again) - now // SECOND for again in (False, True)), key=abs)
    if abs(off) > _CLOCK_OFF:
        how = f"{abs(off) / 60:,.0f} minutes {'ahead of' if off > 0 else 'behind'} {clock.text(now // SECOND)}"
        raise ConfigError(f"{inverter.peer}: its clock is {how}; nothing is filled: is {zone} its time zone?")


async def leave_out_absent(inverter: Logs, fillings: Iterable[Filling], has: frozenset[str] | None) -> None:
    """Take out of fillings what is of components that the inverter has not: the log has zeros of them.

    A sum stays, where what is absent of it is nothing, as in Poller. ``has`` is as in Schedule. Asked is only for what
    a serial number proves: a string may be off for the night. Raises LinkError.
    """
    fillings = list(fillings)
    needed = {name for filling in fillings for gaps in filling.gaps for name in _components(gaps.told.parts)}
    absent = {name for name in sorted(needed) if not (await _is_there(inverter, name) if has is None else name in has)}
    nothing = nothing_of(absent)
    for filling in fillings:
        left = [(gaps, [part for part in gaps.told.parts if part.name not in nothing]) for gaps in filling.gaps]
        filling.gaps = [gaps for gaps, parts in left if parts and not _components(parts) & absent]


def _components(parts: Iterable[ObjectInfo]) -> set[str]:
    return {name for part in parts if (name := component_of(part.name))}


async def _is_there(inverter: Logs, component: str) -> bool:
    proof = registry[COMPONENTS[component].proof]
    if proof.data_type is not DataType.STRING:
        return True
    try:
        return proves((await inverter.read(proof.name)).value)
    except NoAnswer:
        return True
