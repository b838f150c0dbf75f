"""Readings that wait on disk until a destination has taken them. What survives what: docs/nothing-lost.md."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

from rct_tools.errors import DecodeError, SinkError
from rct_tools.objects import ObjectInfo
from rct_tools.reading import Reading
from rct_tools.spool.age import Age, Mark
from rct_tools.spool.file import DAMAGED, Damaged, SpoolFile
from rct_tools.spool.row import described, identity, restored, stored
from rct_tools.times import SECOND

logger = logging.getLogger(__name__)

T = TypeVar("T")
Row: TypeAlias = tuple[int, Reading]
"""A reading and its number. Numbers grow; that of a reading that is gone is not given again in the same process."""

SIZE_LIMIT: Final = 500_000_000  # bytes: some 17 million readings
AGE_LIMIT: Final = 90 * 86_400 * SECOND
REFUSED_LIMIT: Final = 10_000  # readings

_SERIES: Final = "SELECT inverter, object, object_id, type, unit, description FROM series WHERE id = ?"
_FIND_SERIES: Final = (
    "SELECT id FROM series WHERE (inverter, object, object_id, type, unit, description) = (?, ?, ?, ?, ?, ?)"
)
_ADD_SERIES: Final = (
    "INSERT INTO series (inverter, object, object_id, type, unit, description) VALUES (?, ?, ?, ?, ?, ?) RETURNING id"
)
_TAKE: Final = (
    "SELECT seq, series, time, value, backfilled FROM waiting WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?"
)
_SET_APART: Final = (
    "INSERT INTO refused (series, time, value, backfilled, reason)"
    " SELECT series, time, value, backfilled, ? FROM waiting WHERE seq = ?"
)
_FORGET: Final = "DELETE FROM refused WHERE id <= (SELECT max(id) FROM refused) - ?"
_REMOVE: Final = "DELETE FROM waiting WHERE seq > ? AND seq <= ?"
_REMOVE_OLDEST: Final = "DELETE FROM waiting WHERE seq IN (SELECT seq FROM waiting ORDER BY seq LIMIT ?)"

_MARK: Final = 60 * SECOND  # how often the age is written down
_SPARE: Final = 256  # free pages that stay in the file for what comes next
_GIVE_BACK: Final = 100  # pages at a time
_END: Final = 2**63 - 1  # the highest number


class Spool:
    """A queue of readings in a SQLite file, for one destination and one process; all methods block.

    What ``append`` has stored survives the end of this program at any moment. A disk in trouble raises SinkError, and
    the same call may work later. A damaged file is set aside, and a new one begun; this is logged, and counted.
    Beyond a size or an age the oldest readings are dropped, and counted. Age is that of the stay in the file, on a
    steady clock: no jump of the time of day makes readings older, and their own times are nobody's business here.
    """

    def __init__(
        self,
        path: Path,
        *,
        size_limit: int = SIZE_LIMIT,
        age_limit: int = AGE_LIMIT,
        age: Age | None = None,
    ) -> None:
        """Open or make the file, ``size_limit`` in bytes, ``age_limit`` in ns; a disk in trouble is no error yet.

        Raises SinkError for a file of another program or of a newer version, and for one that is in use.
        """
        self.path = path
        self.dropped = 0  # readings that were too old or too many
        self.damaged = 0  # readings in files that were set aside
        self.kept = 0  # readings in the file that wait
        self.size = 0  # bytes in use
        self.last = 0  # the number of the newest reading
        self.oldest: int | None = None  # its time, of the readings that wait
        self._size_limit = size_limit
        self._age_limit = age_limit
        self._age = age or Age()
        self._file = SpoolFile(path, self._learn)
        self._numbers: dict[tuple[str, str], tuple[int, ObjectInfo]] = {}  # of series
        self._series: dict[int, tuple[str, ObjectInfo]] = {}
        self._mark_due = 0
        try:
            self._write(lambda _: 0)
        except SinkError as exc:
            if exc.permanent:
                self.close()
                raise
            logger.debug("%s; will be opened later", exc)

    def append(self, readings: Sequence[Reading]) -> list[Reading]:
        """Store the readings, behind all others; return those that no file can hold, as a rule none.

        Raises SinkError when none is stored.
        """
        unfit: list[Reading] = []

        def insert(database: sqlite3.Connection) -> int:
            unfit.clear()
            since = self._age.now() // SECOND
            rows: list[tuple[int, int, int, int, float | str | bytes, bool]] = []
            for reading in readings:
                try:
                    value = stored(reading.object, reading.value)
                except ValueError:
                    unfit.append(reading)
                else:
                    series = self._series_id(database, reading)
                    number = self.last + len(rows) + 1
                    rows.append((number, series, reading.time, since, value, reading.backfilled))
            database.executemany("INSERT INTO waiting VALUES (?, ?, ?, ?, ?, ?)", rows)
            if not rows or self._age.now() >= self._mark_due:
                self._mark(database)  # something is written in any case, so that success tells of a disk that works
            return len(rows)

        added = self._write(insert)  # which may have to open the file first, and learn what the last one is
        self.last += added
        return unfit

    def take(self, after: int, until: int, limit: int) -> list[Row]:
        """Return readings with a number beyond ``after``, up to ``until``, in order; they stay. Raises SinkError."""

        def select(database: sqlite3.Connection) -> list[Row]:
            rows = database.execute(_TAKE, (after, until, limit))
            return [(seq, self._reading(database, *columns)) for seq, *columns in rows]

        return self._do(select, DAMAGED | {sqlite3.SQLITE_IOERR})

    def settle(self, spans: Iterable[tuple[int, int]], refused: Mapping[int, str]) -> int:
        """Remove the readings in spans of numbers, the first number not included; return how many there still were.

        Those that were ``refused`` for a reason are set apart, the newest of them only. Raises SinkError.
        """

        def delete(database: sqlite3.Connection) -> int:
            if refused:
                database.executemany(_SET_APART, [(reason, seq) for seq, reason in refused.items()])
                database.execute(_FORGET, (REFUSED_LIMIT,))
            return -sum(database.execute(_REMOVE, span).rowcount for span in spans)

        return -self._write(delete)

    def close(self) -> None:
        """Close the file; what is in it waits for the next start."""
        self._file.close()

    # --- readings and rows ------------------------------------------------------------------------------------------

    def _series_id(self, database: sqlite3.Connection, reading: Reading) -> int:
        info = reading.object
        number, known = self._numbers.get((reading.inverter, info.name), (0, None))
        if known is not info and known != info:
            columns = identity(reading.inverter, info)
            found = database.execute(_FIND_SERIES, columns).fetchone()
            (number,) = found or database.execute(_ADD_SERIES, columns).fetchone()
            self._numbers[reading.inverter, info.name] = number, info
        return number

    def _reading(self, database: sqlite3.Connection, series: int, time: int, value: Any, backfilled: int) -> Reading:
        try:
            if series not in self._series:
                found = database.execute(_SERIES, (series,)).fetchone()
                self._series[series] = found[0], described(*found[1:])
            inverter, info = self._series[series]
            return Reading(time, inverter, info, restored(info, value), backfilled=bool(backfilled))
        except (TypeError, KeyError, DecodeError) as exc:
            raise Damaged(str(exc)) from exc

    # --- limits -----------------------------------------------------------------------------------------------------

    def _mark(self, database: sqlite3.Connection) -> None:
        """Write down the age, for the next start to go on from."""
        database.execute("INSERT OR REPLACE INTO age VALUES (1, ?, ?, ?, ?)", self._age.mark())
        self._mark_due = self._age.now() + _MARK

    def _drop(self, database: sqlite3.Connection) -> int:
        """Remove the oldest readings that are too old or too many; return how many."""
        dropped = 0
        young = (self._age.now() - self._age_limit) // SECOND
        first = database.execute("SELECT since FROM waiting ORDER BY seq LIMIT 1").fetchone()
        if first and first[0] < young:
            keep = "SELECT seq FROM waiting WHERE since >= ? ORDER BY seq LIMIT 1"  # soon found: the old come first
            cut = database.execute(keep, (young,)).fetchone() or (_END,)
            dropped += database.execute("DELETE FROM waiting WHERE seq < ?", cut).rowcount
        step = max(100, self.kept // 100)  # some room for what comes next, or every reading would drop one
        while self._measured(database) > self._size_limit:
            removed = database.execute(_REMOVE_OLDEST, (step,)).rowcount
            if not removed:
                break
            dropped += removed
        return dropped

    def _measured(self, database: sqlite3.Connection) -> int:
        """Return the bytes in use; give back to the system what stands empty, a little at a time."""
        ((pages, free, size),) = database.execute(
            "SELECT page_count, freelist_count, page_size FROM pragma_page_count, pragma_freelist_count,"
            " pragma_page_size"
        )
        if free > max(_SPARE, pages // 4):
            for _ in range(_GIVE_BACK):  # as sqlite3 reads this pragma, it ends after one page
                database.execute("PRAGMA incremental_vacuum(1)")
        self.size = (pages - free) * size
        return self.size

    # --- the file ---------------------------------------------------------------------------------------------------

    def _write(self, change: Callable[[sqlite3.Connection], int]) -> int:
        """Change the readings that wait in one transaction, and keep to the limits; return by how many they changed."""

        def work(database: sqlite3.Connection) -> tuple[int, int]:
            database.execute("BEGIN IMMEDIATE")
            changed = change(database)
            dropped = self._drop(database)
            first = database.execute("SELECT time FROM waiting ORDER BY seq LIMIT 1").fetchone()
            self.oldest = first[0] if first else None
            database.execute("COMMIT")
            return changed, dropped

        changed, dropped = self._do(work)
        self.kept += changed - dropped
        self.dropped += dropped
        return changed

    def _do(self, work: Callable[[sqlite3.Connection], T], damaged: frozenset[int] = DAMAGED) -> T:
        """Do something with the file; once more on a new one when it proves damaged. Raises SinkError."""
        try:
            return self._attempt(work, damaged)
        except Damaged:
            self._set_aside()
            return self._attempt(work, frozenset())

    def _attempt(self, work: Callable[[sqlite3.Connection], T], damaged: frozenset[int]) -> T:
        try:
            return self._file.do(work, damaged)
        except (SinkError, Damaged):
            self._numbers.clear()  # some may be of series that were never stored
            self._series.clear()
            raise

    def _learn(self, database: sqlite3.Connection) -> None:
        """Learn what is in the file, which was just opened."""
        (self.kept,) = database.execute("SELECT count(*) FROM waiting").fetchone()
        newest = database.execute("SELECT seq, since FROM waiting ORDER BY seq DESC LIMIT 1").fetchone()
        last, since = newest or (0, 0)
        self.last = max(self.last, last)
        if mark := database.execute("SELECT age, steady, wall, boot FROM age").fetchone():
            self._age.go_on(Mark(*mark), since * SECOND)
        self._mark_due = 0

    def _set_aside(self) -> None:
        target = self._file.set_aside()
        count = f"{self.kept} readings" if self.kept else "what"
        logger.warning("%s: damaged; set aside as %s, with %s waited in it", self.path, target, count)
        self.damaged += self.kept
        self.kept = 0
