"""Readings that wait on disk until a destination has taken them. What survives what: docs/nothing-lost.md."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

from rct_tools.database import error_code, file_error, schema_of, upgrade
from rct_tools.errors import DecodeError, SinkError
from rct_tools.objects import ObjectInfo
from rct_tools.reading import Reading
from rct_tools.spool.age import Age, Mark
from rct_tools.spool.row import described, identity, restored, stored
from rct_tools.times import SECOND

logger = logging.getLogger(__name__)

T = TypeVar("T")
Row: TypeAlias = tuple[int, Reading]
"""A reading and its number. Numbers grow; that of a reading that is gone is not given again in the same process."""

SIZE_LIMIT: Final = 500_000_000  # bytes: some 17 million readings
AGE_LIMIT: Final = 90 * 86_400 * SECOND
REFUSED_LIMIT: Final = 10_000  # readings
APPLICATION_ID: Final = 0x52435453  # "RCTS", in the header of the file
SCHEMA_VERSION: Final = 2

_REFUSED_READINGS: Final = """
CREATE VIEW refused_readings AS
SELECT strftime('%Y-%m-%dT%H:%M:%S', time / 1000000000, 'unixepoch')
           || printf('.%09d+00:00', time % 1000000000) AS time,
       inverter, object, value, unit, reason, backfilled
FROM refused JOIN series ON series.id = refused.series ORDER BY refused.id
"""
_SCHEMA: Final = f"""
BEGIN IMMEDIATE;
CREATE TABLE series (
    id          INTEGER PRIMARY KEY,
    inverter    TEXT NOT NULL,
    object      TEXT NOT NULL,
    object_id   INTEGER NOT NULL,
    type        TEXT NOT NULL,
    unit        TEXT NOT NULL,
    description TEXT NOT NULL,
    UNIQUE (inverter, object, object_id, type, unit, description)
) STRICT;
CREATE TABLE waiting (
    seq    INTEGER PRIMARY KEY,
    series INTEGER NOT NULL REFERENCES series (id),
    time   INTEGER NOT NULL,
    since  INTEGER NOT NULL,
    value  ANY,
    backfilled INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE refused (
    id     INTEGER PRIMARY KEY,
    series INTEGER NOT NULL REFERENCES series (id),
    time   INTEGER NOT NULL,
    value  ANY,
    reason TEXT NOT NULL,
    backfilled INTEGER NOT NULL DEFAULT 0
) STRICT;
{_REFUSED_READINGS};
CREATE TABLE age (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    age    INTEGER NOT NULL,
    steady INTEGER NOT NULL,
    wall   INTEGER NOT NULL,
    boot   TEXT NOT NULL
) STRICT;
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
COMMIT;
"""
_UPGRADES: Final = {
    1: (
        "ALTER TABLE waiting ADD COLUMN backfilled INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE refused ADD COLUMN backfilled INTEGER NOT NULL DEFAULT 0",
        "DROP VIEW refused_readings",
        _REFUSED_READINGS,
    )
}
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

_BUSY: Final = 1.0  # seconds to wait for somebody who looks at the file
_LOG_SIZE: Final = 4_000_000  # bytes that SQLite's log of changes keeps when all of it is in the file
_MARK: Final = 60 * SECOND  # how often the age is written down
_SPARE: Final = 256  # free pages that stay in the file for what comes next
_ASIDE: Final = 9  # damaged files that are kept
_GIVE_BACK: Final = 100  # pages at a time
_END: Final = 2**63 - 1  # the highest number
_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


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
        self._database: sqlite3.Connection | None = None
        self._lock: sqlite3.Connection | None = None
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

        return self._do(select, _DAMAGED | {sqlite3.SQLITE_IOERR})

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
        self._disconnect()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

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
            raise _Damaged(str(exc)) from exc

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

    def _do(self, work: Callable[[sqlite3.Connection], T], damaged: frozenset[int] = _DAMAGED) -> T:
        """Do something with the file; once more on a new one when it proves damaged. Raises SinkError."""
        try:
            return self._attempt(work, damaged)
        except _Damaged:
            self._set_aside()
            return self._attempt(work, frozenset())

    def _attempt(self, work: Callable[[sqlite3.Connection], T], damaged: frozenset[int]) -> T:
        try:
            return work(self._opened())
        except sqlite3.Error as exc:
            self._undo()
            if error_code(exc) in damaged:
                raise _Damaged(str(exc)) from exc
            if error_code(exc) == sqlite3.SQLITE_FULL:
                self._shorten_log()
            raise file_error(self.path, exc) from exc

    def _undo(self) -> None:
        self._numbers.clear()  # some may be of series that were never stored
        self._series.clear()
        with suppress(sqlite3.Error):
            if self._database is not None:
                self._database.rollback()

    def _shorten_log(self) -> None:
        """Move changes from SQLite's log into the file: on a full disk that makes room even for removing something."""
        with suppress(sqlite3.Error):
            if self._database is not None:
                self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _opened(self) -> sqlite3.Connection:
        if self._database is None:
            self._hold()
            database = _connect(self.path, _BUSY)
            try:
                self._prepare(database)
            except (sqlite3.Error, SinkError):
                database.close()
                raise
            self._database = database
        return self._database

    def _hold(self) -> None:
        """Make the file, readable to its owner only, and keep other processes from it."""
        beside = self.path.with_name(self.path.name + ".lock")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            for path in (self.path, beside):
                if not path.exists():
                    path.touch(mode=0o600)
        except OSError as exc:
            raise SinkError(f"{self.path}: cannot be made: {exc.strerror}") from exc
        if self._lock is None:
            # SQLite's own lock on an empty file: the system takes it away from a process that ends, however it ends.
            lock = _connect(beside, 0)
            try:
                lock.execute("BEGIN EXCLUSIVE")
            except sqlite3.Error as exc:
                lock.close()
                if error_code(exc) == sqlite3.SQLITE_BUSY:
                    raise SinkError(f"{self.path}: in use by another process", permanent=True) from exc
                raise file_error(beside, exc) from exc
            self._lock = lock

    def _prepare(self, database: sqlite3.Connection) -> None:
        version = schema_of(database, self.path, APPLICATION_ID, SCHEMA_VERSION)
        if not version:
            database.execute("PRAGMA auto_vacuum = INCREMENTAL")
            database.execute("PRAGMA journal_mode = WAL")
            database.executescript(_SCHEMA)
        elif version < SCHEMA_VERSION:
            upgrade(database, _UPGRADES)
        # Safe against our own end at any moment; a power cut may cost the last seconds, never the file.
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute(f"PRAGMA journal_size_limit = {_LOG_SIZE}")
        (self.kept,) = database.execute("SELECT count(*) FROM waiting").fetchone()
        newest = database.execute("SELECT seq, since FROM waiting ORDER BY seq DESC LIMIT 1").fetchone()
        last, since = newest or (0, 0)
        self.last = max(self.last, last)
        if mark := database.execute("SELECT age, steady, wall, boot FROM age").fetchone():
            self._age.go_on(Mark(*mark), since * SECOND)
        self._mark_due = 0

    def _set_aside(self) -> None:
        self._disconnect()
        names = [f"{self.path}.damaged-{number}" for number in range(1, _ASIDE + 1)]
        target = next((name for name in names if not Path(name).exists()), names[-1])
        try:
            for suffix in ("-shm", "-wal", ""):
                part = Path(f"{self.path}{suffix}")
                if part.exists():
                    part.replace(target + suffix)
        except OSError as exc:
            raise SinkError(f"{self.path}: damaged, and cannot be set aside: {exc.strerror}") from exc
        count = f"{self.kept} readings" if self.kept else "what"
        logger.warning("%s: damaged; set aside as %s, with %s waited in it", self.path, target, count)
        self.damaged += self.kept
        self.kept = 0

    def _disconnect(self) -> None:
        self._undo()
        if self._database is not None:
            with suppress(sqlite3.Error):
                self._database.close()
            self._database = None


class _Damaged(Exception):  # never leaves this file
    """The file holds what nobody has written."""


def _connect(path: Path, timeout: float) -> sqlite3.Connection:
    """Open a file for one thread after the other."""
    return sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False)
