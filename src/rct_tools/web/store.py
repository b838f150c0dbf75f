"""What was, from the file of a SQLite sink: curves, and the energies of days and months. Only ever read."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from rct_tools.database import file_error, schema_of
from rct_tools.errors import ConfigError, SinkError
from rct_tools.health import Energies
from rct_tools.sinks.sqlite import APPLICATION_ID, SCHEMA_VERSION
from rct_tools.times import SECOND

MOST_POINTS: Final = 3000  # of a curve
MOST_SLOTS: Final = 400  # days or months

_BUSY: Final = 2.0  # seconds to wait for another program's lock
_PATIENCE: Final = 20.0  # seconds for one question
_STEPS: Final = 10_000  # of SQLite's machine, from one look at the clock to the next
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


class Curve(NamedTuple):
    """One object over time."""

    unit: str
    values: list[float | None]  # the mean of each step; None where nobody has read it


@dataclass(frozen=True, slots=True)
class Slot:
    """The energies of a day or a month."""

    begin: int  # UTC, nanoseconds
    end: int
    energies: Energies
    until: int | None  # when they were read; None where they were not
    is_whole: bool  # whether that was at the end


def together(slots: Sequence[Slot]) -> tuple[Energies, int]:
    """Return the energies of those slots of which all is known, added up, and how many these are."""
    known = [slot.energies for slot in slots if None not in astuple(slot.energies)]
    sums = {name: sum(getattr(each, name) for each in known) if known else None for name in _COUNTERS}
    return Energies(**sums), len(known)


class Store:
    """A file of readings. Each question opens it anew: it may be exchanged, and a bad moment passes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def curves(self, inverter: str, names: Sequence[str], since: int, until: int, step: int) -> dict[str, Curve]:
        """Return the means of numbers in steps from ``since`` up to ``until``, all in nanoseconds, by object.

        Steps begin at multiples of ``step``, the first at or before ``since``. An object that nobody has read is left
        out. Raises ConfigError for more than MOST_POINTS, SinkError for a file that cannot be read.
        """
        first = since // step
        count = -(-until // step) - first
        if not 0 < count <= MOST_POINTS:
            raise ConfigError(f"expected 1 to {MOST_POINTS} steps between since and until, these are {max(0, count)}")
        with self.open() as database:
            found = {}
            for name in names:
                series = _series(database, inverter, name)
                if series is None:
                    continue
                number, unit = series
                values: list[float | None] = [None] * count
                for slot, mean in database.execute(
                    "SELECT time / ?, avg(value) FROM reading WHERE series = ? AND time >= ? AND time < ?"
                    " AND typeof(value) IN ('real', 'integer') GROUP BY 1",
                    (step, number, since, until),
                ):
                    values[slot - first] = mean
                found[name] = Curve(unit, values)
        return found

    def energies(
        self, inverter: str, by: str, since: int, until: int, zone: ZoneInfo, now: int, absent: Collection[str] = ()
    ) -> list[Slot]:
        """Return the energies of each ``day`` or ``month`` that begins from ``since`` up to ``until``, by its counters.

        ``absent`` are the components that the inverter does not have. Raises ConfigError for more than MOST_SLOTS,
        SinkError for a file that cannot be read.
        """
        nothing = {_STRINGS[component] for component in absent if component in _STRINGS}
        slots = list(_slots(by, since, until, zone))
        with self.open() as database:
            series = {
                field: found[0]
                for field, name in _COUNTERS.items()
                if (found := _series(database, inverter, name.format(by)))
            }
            return [_slot(database, series, nothing, begin, end, now) for begin, end in slots]

    @contextmanager
    def open(self) -> Iterator[sqlite3.Connection]:
        """Open the file for one question, to read only. Raises SinkError for what goes wrong with it meanwhile."""
        if not self.path.exists():
            raise SinkError(f"{self.path}: there is no such file yet")
        end = time.monotonic() + _PATIENCE
        try:
            with closing(
                sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=ro", timeout=_BUSY, uri=True)
            ) as database:
                database.set_progress_handler(lambda: time.monotonic() > end, _STEPS)
                if not schema_of(database, self.path, APPLICATION_ID, SCHEMA_VERSION):
                    raise SinkError(f"{self.path}: not a file of RCT Tools")
                yield database
        except sqlite3.OperationalError as exc:
            if exc.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
                raise SinkError(f"{self.path}: gave no answer within {_PATIENCE:g} s; ask for less") from exc
            raise file_error(self.path, exc) from exc
        except sqlite3.Error as exc:
            raise file_error(self.path, exc) from exc


def _series(database: sqlite3.Connection, inverter: str, name: str) -> tuple[int, str] | None:
    found: tuple[int, str] | None = database.execute(
        "SELECT id, unit FROM series WHERE inverter = ? AND object = ?", (inverter, name)
    ).fetchone()
    return found


def _slots(by: str, since: int, until: int, zone: ZoneInfo) -> Iterator[tuple[int, int]]:
    """Yield when days or months begin and end, on the clocks of a zone."""
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


def _slot(
    database: sqlite3.Connection, series: Mapping[str, int], nothing: set[str], begin: int, end: int, now: int
) -> Slot:
    counted: dict[str, float | None] = dict.fromkeys(_COUNTERS)
    read: list[int] = []
    for field, number in series.items():
        last = _last(database, number, begin, end)
        if last is not None:
            counted[field], when = last
            read.append(when)
    if read:  # what an inverter does not have is never read, and gives nothing
        counted |= dict.fromkeys(nothing - series.keys(), 0.0)
    until = min(read, default=None)
    is_whole = until is not None and end <= now and end - until <= _LATE
    return Slot(begin, end, Energies(**counted), until, is_whole)


def _last(database: sqlite3.Connection, series: int, begin: int, end: int) -> tuple[float, int] | None:
    """Return what a counter showed last in a slot, and when.

    The inverter's midnight is not exactly ours: a counter that is back at 0 shortly before the end has done its day.
    """
    rows: list[tuple[float, int]] = database.execute(
        "SELECT value, time FROM reading WHERE series = ?1 AND time >= max(?2, ?3 - ?4) AND time < ?3"
        " AND typeof(value) IN ('real', 'integer')"
        " UNION ALL SELECT * FROM (SELECT value, time FROM reading WHERE series = ?1 AND time >= ?2 AND time < ?3"
        " AND typeof(value) IN ('real', 'integer') ORDER BY time DESC LIMIT 1)",
        (series, begin, end, _END),
    ).fetchall()
    return max(rows, key=lambda row: abs(row[0]), default=None)
