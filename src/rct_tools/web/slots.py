"""What a day or a month came to, by the counters of the inverter, from an open file of readings."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar
from zoneinfo import ZoneInfo

from rct_tools.errors import ConfigError
from rct_tools.health import Energies
from rct_tools.sinks.hours import NUMBER
from rct_tools.times import SECOND

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

MOST_SLOTS: Final = 400  # days or months

_END: Final = 10 * 60 * SECOND  # of a slot: how far the inverter's midnight may be from ours
_LATE: Final = 30 * 60 * SECOND  # how long before the end of a slot its counters may have been read last

_COUNTERS: Final[Mapping[str, str]] = {  # as in health.Energies; {} is day or month
    "made_a": "energy.e_dc_{}[0]",
    "made_b": "energy.e_dc_{}[1]",
    "external": "energy.e_ext_{}",
    "used": "energy.e_load_{}",
    "imported": "energy.e_grid_load_{}",
    "fed_in": "energy.e_grid_feed_{}",
}
_STRINGS: Final[Mapping[str, str]] = {"string A": "made_a", "string B": "made_b"}
_STORED, _GIVEN = "battery.stored_energy", "battery.used_energy"  # since it was installed
_SOME: Final = f"""
SELECT value, time FROM reading WHERE series = ?1 AND time >= ?2 AND time < ?3 AND {NUMBER} ORDER BY time
"""  # noqa: S608  # a constant
_OLDEST, _NEWEST = f"{_SOME} LIMIT 1", f"{_SOME} DESC LIMIT 1"
_LAST: Final = f"""
SELECT value, time FROM reading WHERE series = ?1 AND time >= max(?2, ?3 - ?4) AND time < ?3 AND {NUMBER}
UNION ALL SELECT * FROM ({_NEWEST})
"""  # noqa: S608  # constants

S = TypeVar("S", bound="DataclassInstance")

NOTHING_KNOWN: Final = Energies(None, None, None, None, None, None)

Find: TypeAlias = Callable[[str], int | None]
"""Gives the series of an object by its name; None for one that nobody has read."""


@dataclass(frozen=True, slots=True)
class Cycled:
    """What went through the battery, in Wh; None where it is not known. Of a second tower, there are no counters."""

    charged: float | None
    discharged: float | None


NOT_CYCLED: Final = Cycled(None, None)


@dataclass(frozen=True, slots=True)
class Slot:
    """A day or a month."""

    begin: int  # UTC, nanoseconds
    end: int
    energies: Energies
    until: int | None  # when they were read; None where they were not
    is_whole: bool  # whether that was at the end
    cycled: Cycled


def together(some: Sequence[S], unknown: S) -> tuple[S, int]:
    """Return the sum of those of which all is known, ``unknown`` without any, and how many these are."""
    known = [astuple(each) for each in some if None not in astuple(each)]
    return (type(unknown)(*map(sum, zip(*known, strict=True))) if known else unknown), len(known)


def spans(by: str, since: int, until: int, zone: ZoneInfo) -> Iterator[tuple[int, int]]:
    """Yield when days or months begin and end, on the clocks of a zone. Raises ConfigError for more than MOST_SLOTS."""
    begin = datetime.fromtimestamp(since / SECOND, zone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if by == "month":
        begin = begin.replace(day=1)
    count = 0
    while (start := round(begin.timestamp()) * SECOND) < until:
        count += 1
        if count > MOST_SLOTS:
            raise ConfigError(f"expected at most {MOST_SLOTS} of {by} between since and until")
        end = (begin.replace(day=1) + timedelta(32)).replace(day=1) if by == "month" else begin + timedelta(1)
        yield start, round(end.timestamp()) * SECOND
        begin = end


@dataclass(frozen=True, slots=True)
class Counters:
    """The counters of an inverter, from one day or month to the next."""

    database: sqlite3.Connection
    series: Mapping[str, int]  # by the fields of Energies
    nothing: Collection[str]  # fields of what the inverter does not have
    stored: int | None  # the series of what went into the battery
    given: int | None  # of what came out

    @classmethod
    def of(cls, database: sqlite3.Connection, by: str, find: Find, absent: Collection[str]) -> Counters:
        """Return those that there are; ``absent`` are components that the inverter does not have."""
        series = {field: found for field, name in _COUNTERS.items() if (found := find(name.format(by))) is not None}
        nothing = {_STRINGS[component] for component in absent if component in _STRINGS} - series.keys()
        return cls(database, series, nothing, find(_STORED), find(_GIVEN))

    def slot(self, begin: int, end: int, now: int) -> Slot:
        """Return what a day or month came to. Raises sqlite3.Error."""
        counted: dict[str, float | None] = dict.fromkeys(_COUNTERS)
        read: list[int] = []
        for field, number in self.series.items():
            last = self._last(number, begin, end)
            if last is not None:
                counted[field], when = last
                read.append(when)
        if read:  # what an inverter does not have is never read, and gives nothing
            counted |= dict.fromkeys(self.nothing, 0.0)
        until = min(read, default=None)
        is_whole = until is not None and end <= now and end - until <= _LATE
        cycled = Cycled(self._grown(self.stored, begin, end), self._grown(self.given, begin, end))
        return Slot(begin, end, Energies(**counted), until, is_whole, cycled)

    def _last(self, series: int, begin: int, end: int) -> tuple[float, int] | None:
        """Return what a counter showed last in a slot, and when.

        The inverter's midnight is not exactly ours: a counter that is at 0 shortly before the end has done its day, and
        one that has not begun anew shortly after the beginning may still be at the day before.
        """
        last = self._most(series, begin, end)
        if last is None or not last[0] or last[1] >= begin + _END:
            return last
        before = self._most(series, begin - _END, begin)
        return last if before is not None and abs(last[0]) < abs(before[0]) else None

    def _most(self, series: int, begin: int, end: int) -> tuple[float, int] | None:
        """Return the most of what a counter showed shortly before an end, or last of all, and when."""
        rows: list[tuple[float, int]] = self.database.execute(_LAST, (series, begin, end, _END)).fetchall()
        return max(rows, key=lambda row: abs(row[0]), default=None)

    def _grown(self, series: int | None, begin: int, end: int) -> float | None:
        """Return by how much a counter that never begins anew grew in a slot.

        None where it was not read at its beginning, or only then, or did begin anew: then nobody knows.
        """
        if series is None:
            return None
        last = self._edge(_NEWEST, series, begin, end + 1)  # one slot ends with what the next one begins with
        first = self._edge(_NEWEST, series, begin - _LATE, begin + 1)
        if first is None:
            first = self._edge(_OLDEST, series, begin, begin + _LATE)
        if last is None or first is None or last[1] <= first[1] or last[0] < first[0]:
            return None
        return last[0] - first[0]

    def _edge(self, which: str, series: int, begin: int, end: int) -> tuple[float, int] | None:
        row: tuple[float, int] | None = self.database.execute(which, (series, begin, end)).fetchone()
        return row
