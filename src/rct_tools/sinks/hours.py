"""Sums by the hour, kept beside the readings of a SQLite file, so that a year of them need not be read again.

What the readings say is all that counts: each hour is made of them alone, and can be made again. ``summed`` says up to
where that is done for a series. What comes, goes or changes before that is noted as ``stale`` by triggers of the file,
whatever program does it; until its hour is made again, the readings themselves are asked. So an answer is right at any
moment, and a file that has nothing of this yet gives the same ones, slower. The tables are described in
docs/storage.md.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rct_tools.database import file_error
from rct_tools.times import SECOND
from rct_tools.values import NUMBERS, DataType

logger = logging.getLogger(__name__)

HOUR: Final = 3600 * SECOND
EVER: Final = 2**62 // HOUR * HOUR
"""A step so long that all times are in the first one."""

NUMBER: Final = "value BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308"
"""The condition of SQL for a reading that is a number: no text, NULL or infinity."""

_PIECE: Final = 20_000  # readings that are summed at a time: some 10 ms, for which new ones wait
_MOST_STALE: Final = 100  # hours made again at a time

_CHANGES: Final = (  # name of a trigger, what happens, the row that counts
    ("inserted", "INSERT", "NEW"),
    ("updated", "UPDATE", "NEW"),
    ("moved", "UPDATE", "OLD"),
    ("deleted", "DELETE", "OLD"),
)
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS hourly (
    series INTEGER NOT NULL REFERENCES series (id),
    hour   INTEGER NOT NULL,
    count  INTEGER NOT NULL,
    total  REAL NOT NULL,
    low    REAL NOT NULL,
    high   REAL NOT NULL,
    PRIMARY KEY (series, hour)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS summed (
    series INTEGER PRIMARY KEY REFERENCES series (id),
    until  INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS stale (
    series INTEGER NOT NULL REFERENCES series (id),
    hour   INTEGER NOT NULL,
    PRIMARY KEY (series, hour)
) STRICT, WITHOUT ROWID;
"""
_FORGET: Final = "DELETE FROM summed; DELETE FROM stale; DELETE FROM hourly;"
_TRIGGER: Final = """
CREATE TRIGGER IF NOT EXISTS {0} AFTER {1} ON reading
WHEN {2}.time < (SELECT until FROM summed WHERE series = {2}.series)
BEGIN INSERT INTO stale VALUES ({2}.series, {2}.time / {3}) ON CONFLICT DO NOTHING; END;
"""
_NUMERIC: Final = ", ".join(f"'{kind.name}'" for kind in (*NUMBERS, DataType.BOOL, DataType.ENUM))
_COUNTED: Final = f"SELECT id FROM series WHERE type IN ({_NUMERIC})"  # noqa: S608  # constants

# Of the readings of one series, by steps; of hours that are summed, the same.
_READ: Final = f"""
SELECT time / :step, count(*), total(value), min(value), max(value) FROM reading
WHERE series = :series AND time >= :since AND time < :until AND {NUMBER} GROUP BY 1
"""  # noqa: S608  # a constant
_ADD: Final = f"""
SELECT hour * {HOUR} / :step, sum(count), total(total), min(low), max(high) FROM hourly
WHERE series = :series AND hour >= :since / {HOUR} AND hour < :until / {HOUR}
AND hour NOT IN (SELECT hour FROM stale WHERE series = :series) GROUP BY 1
"""  # noqa: S608  # a constant
_STALE: Final = f"""
SELECT hour * {HOUR} FROM stale
WHERE series = :series AND hour >= :since / {HOUR} AND hour < :until / {HOUR}
"""  # noqa: S608  # a constant
_MAKE: Final = f"""
INSERT INTO hourly SELECT series, time / {HOUR}, count(*), total(value), min(value), max(value) FROM reading
WHERE series = :series AND time >= :since AND time < :until AND {NUMBER} GROUP BY 2
"""  # noqa: S608  # a constant
_UNMAKE: Final = f"""
DELETE FROM {{}} WHERE series = :series AND hour >= :since / {HOUR} AND hour < :until / {HOUR}
"""  # noqa: S608  # a constant


@dataclass(frozen=True, slots=True)
class Sum:
    """What is known of some readings of one series."""

    count: int
    total: float
    low: float
    high: float

    @property
    def mean(self) -> float:
        """The mean of the readings, each of the same weight."""
        return self.total / self.count

    def plus(self, other: Sum) -> Sum:
        """Return what is known of these and others together."""
        return Sum(
            self.count + other.count, self.total + other.total, min(self.low, other.low), max(self.high, other.high)
        )


# --- asking ---------------------------------------------------------------------------------------------------------


def sums(database: sqlite3.Connection, series: int, since: int, until: int, step: int) -> dict[int, Sum]:
    """Return the sums of the numbers of a series, by the number of the step since 1970; steps without any are left out.

    Times are nanoseconds from 0 on; ``since`` is included, ``until`` is not. Where others write meanwhile, to be asked
    inside of a transaction: it looks several times. Raises sqlite3.Error.
    """
    found: dict[int, Sum] = {}
    for number, some in _parts(database, series, since, until, step):
        found[number] = found[number].plus(some) if number in found else some
    return found


def _parts(database: sqlite3.Connection, series: int, since: int, until: int, step: int) -> Iterator[tuple[int, Sum]]:
    """Yield the sums by steps, of which one may come in several parts."""
    first = -(-since // HOUR) * HOUR
    last = min(until, _summed(database, series)) // HOUR * HOUR
    if step % HOUR or first >= last:
        first = last = until
    asked = {"series": series, "step": step}
    hours = asked | {"since": first, "until": last}
    parts = [(since, first), (last, until)]
    if first < last:
        for number, *row in database.execute(_ADD, hours):
            yield number, Sum(*row)
        parts += [(hour, hour + HOUR) for (hour,) in database.execute(_STALE, hours)]
    for begin, end in parts:
        if begin < end:
            for number, *row in database.execute(_READ, asked | {"since": begin, "until": end}):
                yield number, Sum(*row)


def _is_there(database: sqlite3.Connection) -> bool:
    found = {name for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'")}
    return found >= {name for name, _, _ in _CHANGES}


def _summed(database: sqlite3.Connection, series: int) -> int:
    if not _is_there(database):
        return 0
    row = database.execute("SELECT until FROM summed WHERE series = ?", (series,)).fetchone()
    return int(row[0]) if row else 0


def prepare(database: sqlite3.Connection) -> None:
    """Make the tables in a file that lacks them, whose readings are summed later. Raises sqlite3.Error.

    Sums of before triggers were taken away are not of what may have changed since, and are made again.
    """
    if not _is_there(database):
        triggers = "".join(_TRIGGER.format(*change, HOUR) for change in _CHANGES)
        database.executescript(f"BEGIN IMMEDIATE; {_TABLES} {_FORGET} {triggers} COMMIT;")


# --- keeping --------------------------------------------------------------------------------------------------------


class Hours:
    """Keeps the hours of a file that is written, a piece after each write."""

    def __init__(self, path: Path, database: sqlite3.Connection) -> None:
        self._path = path
        self._database = database
        self._hour = -1  # that of the last reading
        self._due: list[int] = []  # series of which an hour may be over
        self._trouble = ""

    def keep(self, newest: int) -> None:
        """Sum up a piece of what is not summed yet, of the hours that are over at the newest reading."""
        hour = newest // HOUR
        try:
            if hour != self._hour:
                self._due = [series for (series,) in self._database.execute(_COUNTED)]
                self._hour = hour
            if self._due or self._stale(1):
                self._sum_up()
            self._trouble = ""
        except sqlite3.Error as exc:  # nothing is lost by it: the readings are there
            if self._database.in_transaction:
                self._database.rollback()
            trouble = str(file_error(self._path, exc))
            if trouble != self._trouble:
                logger.warning("%s; its hours are summed later", trouble)
            self._trouble = trouble

    def _stale(self, most: int) -> list[tuple[int, int]]:
        rows: list[tuple[int, int]] = self._database.execute("SELECT * FROM stale LIMIT ?", (most,)).fetchall()
        return rows

    def _sum_up(self) -> None:
        left = _PIECE
        due = list(self._due)
        self._database.execute("BEGIN IMMEDIATE")  # another program may do the same
        while due and left > 0:
            done = self._advance(due[-1], left)
            left -= done
            if not done:
                due.pop()
        for series, hour in self._stale(_MOST_STALE) if left > 0 else ():
            self._make(series, hour * HOUR, (hour + 1) * HOUR)
        self._database.execute("COMMIT")
        self._due = due

    def _advance(self, series: int, most: int) -> int:
        """Sum up the next hours of a series, up to so many readings, or one hour; return how many these were."""
        count, first, last = self._database.execute(
            "SELECT count(*), min(time), max(time) FROM"
            " (SELECT time FROM reading WHERE series = ? AND time >= ? AND time < ? ORDER BY time LIMIT ?)",
            (series, _summed(self._database, series), self._hour * HOUR, most + 1),
        ).fetchone()
        if not count:
            return 0
        begin, last = (time // HOUR * HOUR for time in (first, last))
        end = last if count > most and last > begin else last + HOUR
        self._make(series, begin, end)
        self._database.execute("INSERT OR REPLACE INTO summed VALUES (?, ?)", (series, end))
        return int(count)

    def _make(self, series: int, since: int, until: int) -> None:
        """Make some hours of a series of its readings."""
        parameters = {"series": series, "since": since, "until": until}
        for statement in (_UNMAKE.format("hourly"), _MAKE, _UNMAKE.format("stale")):
            self._database.execute(statement, parameters)
