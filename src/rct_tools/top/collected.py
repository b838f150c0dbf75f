"""An inverter that a collector reads: what its page tells of it, so that nobody else has to ask."""

from __future__ import annotations

import asyncio
import difflib
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from rct_tools.clock import Clock
from rct_tools.components import COMPONENTS, nothing_of
from rct_tools.display import printable
from rct_tools.errors import ConfigError, LinkError, UnknownObject
from rct_tools.health import POWERS, Quality
from rct_tools.history import HistoryRow
from rct_tools.live import Live, Picture
from rct_tools.objects import ObjectInfo, registry
from rct_tools.plain import value_of
from rct_tools.reading import Reading
from rct_tools.times import SECOND
from rct_tools.top.page import SILENCE, Curves, Events, Happened, InverterNow, Now, Objects, Page, State, Told
from rct_tools.top.source import day_of
from rct_tools.values import DataType, Event, LoggedEvent
from rct_tools.vitals import UP

logger = logging.getLogger(__name__)

PAUSE: Final = 3.0  # seconds from one try to the next

_LOOK: Final = 10.0  # seconds from one look at the connection of the inverter to the next
_AGAIN: Final = 5 * SECOND  # how old what is only told on demand is, when it is asked for again
_SAME: Final = SECOND // 10  # what differs by less is the same moment, told again
_STEP: Final = 60  # seconds of a row of today
_MS: Final = 1_000_000  # ns
_ALWAYS: Final = 366 * 86_400_000  # ms: what is not there stays so until something else is told
_BATTERY: Final = COMPONENTS["battery"]

_CURVES: Final[Mapping[str, tuple[str, Callable[[float], float]]]] = {  # what a row of today is made of
    "Pdc A": (POWERS["sun_a"], float),
    "Pdc B": (POWERS["sun_b"], float),
    "Pload": (POWERS["house"], float),
    "Pgrid feed": (POWERS["grid"], lambda power: min(power, 0.0)),
    "Pgrid load": (POWERS["grid"], lambda power: max(power, 0.0)),
    "SOC": ("battery.soc", float),
}


def ticking() -> int:
    """Return nanoseconds that nobody sets, and that go on while the machine is suspended where the system tells."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic_ns()


@asynccontextmanager
async def collected(page: Page, name: str = "", *, ticking: Callable[[], int] = ticking) -> AsyncIterator[Collected]:
    """Yield the inverter of a name, or the only one; ``ticking`` is a steady clock.

    Raises ConfigError where there are many and none is named, and as Page, UnknownObject, LinkError.
    """
    async with page:
        known = (await page.get("now", Now)).inverters
        shown = printable(", ".join(known))
        if name and name not in known:
            near = map(printable, difflib.get_close_matches(name, known, 1))
            raise UnknownObject(name, tuple(near), f"{page.url}: there is no inverter")
        if not known:
            raise LinkError(f"{page.url}: has no inverter yet; try again in a moment")
        if not name and len(known) > 1:
            raise ConfigError(f"{page.url}: has {len(known)} inverters, so say which with --inverter: {shown}")
        name = name or next(iter(known))
        yield Collected(page, name, Clock.of(known[name].zone).zone, ticking=ticking)


class Collected:
    """The inverter of a collector, as a Source. Its time is ours; ages are those that the collector has measured."""

    is_over = False

    def __init__(self, page: Page, name: str, zone: ZoneInfo, *, ticking: Callable[[], int] = ticking) -> None:
        self.name = name
        self.zone = zone
        self.log_name = f"the store of {page.peer}"
        self._page = page
        self._ticking = ticking
        self._began = time.time_ns() - ticking()
        self._live = Live(page.peer, zone=zone)
        self._quality = Quality(0, 0, 0, 0, 0, 0, others=False)
        self._absent: frozenset[str] = frozenset()
        self._mute: frozenset[str] = frozenset()
        self._is_there = True
        self._asking: asyncio.Task[None] | None = None

    @property
    def title(self) -> str:
        """Return which inverter of which page it is."""
        name = printable(self.name)
        return f"{name} at {self._page.peer}" if self._is_there else f"{name}: no collector"

    async def run(self) -> None:
        """Take what the page tells, until cancelled; where it is away, try again. Raises ConfigError."""
        looking = asyncio.create_task(self._look())
        try:
            while True:
                try:
                    await self._page.log_in()
                    await self._follow()
                except LinkError as exc:
                    self._lose(str(exc))
                await asyncio.sleep(PAUSE)
        finally:
            looking.cancel()
            if self._asking:
                self._asking.cancel()

    async def _follow(self) -> None:
        """Take what comes. Raises LinkError at the end."""
        heard = self._ticking()
        async with aclosing(self._page.live()) as messages:  # type: ignore[type-var]  # it is a generator
            async for message in messages:
                before, heard = heard, self._ticking()
                if heard - before > 2 * SILENCE * SECOND:
                    raise LinkError(f"{self._page.url}: this machine has slept")  # what lies here is of before
                if self.name not in message.inverters:
                    raise LinkError(f"{self._page.url}: does not have {printable(self.name)} any more")
                if not self._is_there:
                    self._is_there = True
                    logger.warning("%s: is back", self._page.url)
                self._take(message.inverters[self.name])
        raise LinkError(f"{self._page.url}: the collector has ended")

    def _lose(self, reason: str) -> None:
        now = self._now()
        if self._is_there:
            self._is_there = False
            self._live.take(Reading(now, self.name, UP, False))
            logger.warning("%s; trying again", reason)

    def _take(self, news: InverterNow) -> None:
        """Take what is new; the oldest first, so that the newest is what was heard last."""
        now = self._now()
        self._absent = frozenset(news.absent)
        told = [
            (reading, each.lasts) for name, each in news.objects.items() if (reading := self._read(name, each, now))
        ]
        heard = now if news.age is None else now - news.age * _MS
        if news.age is not None:
            told += [(Reading(heard, self.name, info, value), _ALWAYS) for info, value in self._nothing()]
        known = [(reading, lasts) for reading, lasts in told if reading is not None]
        for reading, lasts in sorted(known, key=lambda item: item[0].time):
            self._keep(reading, lasts)
        self._live.take(Reading(now if news.up else heard, self.name, UP, news.up))

    def _nothing(self) -> Iterator[tuple[ObjectInfo, float | str]]:
        """Yield what is known of what the inverter does not have."""
        yield from ((registry[name], 0.0) for name in nothing_of(self._absent))
        if _BATTERY.name in self._absent:
            yield registry[_BATTERY.proof], ""

    def _read(self, name: str, told: Told, now: int) -> Reading | None:
        """Return the reading that was told; None for what is no value of an object of that name and unit."""
        if name not in registry or told.age is None or told.unit != registry[name].unit:
            return None
        try:
            value = value_of(registry[name].data_type, told.value)
        except ValueError:
            return None
        return Reading(now - told.age * _MS, self.name, registry[name], value)

    def _keep(self, reading: Reading, lasts: int | None) -> None:
        known = self._live.newest(reading.object.name)
        if known is None or abs(known.time - reading.time) > _SAME:  # else it is the same, told again
            self._live.take(reading, None if lasts is None else lasts * _MS)

    async def _look(self) -> None:
        """Look how the connection of the inverter is."""
        while True:
            with suppress(LinkError):  # which is said by who follows
                state = await self._page.get("inverter", State, inverter=self.name)
                self._mute = state.mute
                if state.health:
                    self._quality = state.health.quality
            await asyncio.sleep(_LOOK)

    def _now(self) -> int:
        return self._began + self._ticking()

    def picture(self, step: int, columns: int) -> Picture:
        """Return the picture of now."""
        return self._live.picture(self._now(), self._quality, step=step, columns=columns)

    def age(self, reading: Reading) -> int:
        """Return how old a reading is, in nanoseconds."""
        return self._now() - reading.time

    # --- objects that somebody looks at -------------------------------------------------------------------------

    def newest(self, name: str) -> Reading | None:
        """Return what came last of an object."""
        return self._live.newest(name)

    def is_silent(self, name: str) -> bool:
        """Tell whether an object does not answer the collector."""
        return name in self._mute

    def want(self, infos: Iterable[ObjectInfo]) -> None:
        """Ask the collector for what it knows and does not tell by itself; one look at a time."""
        wanted = [
            info
            for info in infos
            if info.data_type in _ON_DEMAND and ((known := self.newest(info.name)) is None or self.age(known) > _AGAIN)
        ]
        if wanted and self._is_there and (self._asking is None or self._asking.done()):
            self._asking = asyncio.create_task(self._ask(wanted))

    async def _ask(self, infos: Iterable[ObjectInfo]) -> None:
        for info in infos:
            with suppress(LinkError):
                found = await self._page.get("objects", Objects, inverter=self.name, search=info.name)
                for each in found.objects:
                    if each.name == info.name and (reading := self._read(each.name, each, self._now())):
                        self._keep(reading, None)
        await asyncio.sleep(_AGAIN / SECOND)  # what it does not know it will not know at once

    # --- its log ------------------------------------------------------------------------------------------------

    @property
    def log(self) -> Collected:
        """Return what is remembered of it."""
        return self

    async def events(self, count: int) -> list[LoggedEvent]:
        """Return what happened last, the newest first. Raises LinkError."""
        found = await self._page.get("events", Events, inverter=self.name)
        return [_event(each, self.zone) for each in found.events[:count]]

    async def today(self) -> tuple[datetime, list[HistoryRow]]:
        """Return when the day began, and what the store has of it by the minute, the newest first. Raises LinkError."""
        day = day_of(self._now(), self.zone)
        until = day + timedelta(days=1)
        found = await self._page.get(
            "curves", Curves, inverter=self.name, names=",".join({name: None for name, _ in _CURVES.values()}),
            since=f"{day:%Y-%m-%dT%H:%M}", until=f"{until:%Y-%m-%dT%H:%M}", step=f"{_STEP}s",
        )  # fmt: skip
        count = min((len(curve.values) for curve in found.curves.values()), default=0)
        rows = [
            HistoryRow((found.begin + number * found.step) * SECOND, values)
            for number in reversed(range(count))
            if (values := self._row({name: curve.values[number] for name, curve in found.curves.items()}))
        ]
        return day, rows

    def _row(self, means: Mapping[str, float | None]) -> dict[str, float]:
        """Return the values of a row by the means of objects; {} where nothing is known."""
        known = {name: mean for name, mean in means.items() if mean is not None}
        if known:
            known |= dict.fromkeys(nothing_of(self._absent), 0.0)
        return {series: part(known[name]) for series, (name, part) in _CURVES.items() if name in known}


_ON_DEMAND: Final = frozenset(
    {DataType.BATTERY_MODULE_STATUS, DataType.BATTERY_MODULE_STATISTICS, DataType.BATTERY_MODULE_RESISTANCE}
)
"""Types of which the newest values are not told as they come."""


def _event(told: Happened, zone: ZoneInfo) -> LoggedEvent:
    info = registry[told.object] if told.object and told.object in registry else None
    begin = told.begin * _MS
    return LoggedEvent(
        name=printable(told.name),
        begin=begin,
        end=None if told.end is None else told.end * _MS,
        is_sure=told.sure,
        object=told.object or "",
        data_type=info.data_type if info else DataType.UNKNOWN,
        unit=told.unit,
        raw=Event(told.type, Clock(zone).shows(begin // SECOND), told.raw),
    )
