"""The SQLite file of a spool: what is in it, who holds it, and what becomes of it when it is damaged."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

from rct_tools.database import error_code, file_error, schema_of, upgrade
from rct_tools.errors import SinkError

T = TypeVar("T")

APPLICATION_ID: Final = 0x52435453  # "RCTS", in the header of the file
SCHEMA_VERSION: Final = 2
DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})

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

_BUSY: Final = 1.0  # seconds to wait for somebody who looks at the file
_LOG_SIZE: Final = 4_000_000  # bytes that SQLite's log of changes keeps when all of it is in the file
_ASIDE: Final = 9  # damaged files that are kept


class Damaged(Exception):  # never leaves the spool
    """The file holds what nobody has written."""


class SpoolFile:
    """A file of one process, made and opened when it is needed first; all methods block.

    A disk in trouble raises SinkError, and the same call may work later.
    """

    def __init__(self, path: Path, opened: Callable[[sqlite3.Connection], None]) -> None:
        """Nothing is opened yet; ``opened`` is told each time that it was."""
        self._path = path
        self._opened = opened
        self._database: sqlite3.Connection | None = None
        self._lock: sqlite3.Connection | None = None

    def do(self, work: Callable[[sqlite3.Connection], T], damaged: frozenset[int] = DAMAGED) -> T:
        """Do something with the file, or nothing. Raises SinkError; Damaged for the ``damaged`` codes of SQLite."""
        try:
            return work(self._open())
        except sqlite3.Error as exc:
            self._undo()
            if error_code(exc) in damaged:
                raise Damaged(str(exc)) from exc
            if error_code(exc) == sqlite3.SQLITE_FULL:
                self._shorten_log()
            raise file_error(self._path, exc) from exc

    def set_aside(self) -> str:
        """Give the file another name, so that a new one takes its place; return that name. Raises SinkError."""
        self._disconnect()
        names = [f"{self._path}.damaged-{number}" for number in range(1, _ASIDE + 1)]
        target = next((name for name in names if not Path(name).exists()), names[-1])
        try:
            for suffix in ("-shm", "-wal", ""):
                part = Path(f"{self._path}{suffix}")
                if part.exists():
                    part.replace(target + suffix)
        except OSError as exc:
            raise SinkError(f"{self._path}: damaged, and cannot be set aside: {exc.strerror}") from exc
        return target

    def close(self) -> None:
        """Close the file, and let others have it."""
        self._disconnect()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _open(self) -> sqlite3.Connection:
        if self._database is None:
            self._hold()
            database = _connect(self._path, _BUSY)
            try:
                self._prepare(database)
                self._opened(database)
            except (sqlite3.Error, SinkError):
                database.close()
                raise
            self._database = database
        return self._database

    def _hold(self) -> None:
        """Make the file, readable to its owner only, and keep other processes from it."""
        beside = self._path.with_name(self._path.name + ".lock")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            for path in (self._path, beside):
                if not path.exists():
                    path.touch(mode=0o600)
        except OSError as exc:
            raise SinkError(f"{self._path}: cannot be made: {exc.strerror}") from exc
        if self._lock is None:
            # SQLite's own lock on an empty file: the system takes it away from a process that ends, however it ends.
            lock = _connect(beside, 0)
            try:
                lock.execute("BEGIN EXCLUSIVE")
            except sqlite3.Error as exc:
                lock.close()
                if error_code(exc) == sqlite3.SQLITE_BUSY:
                    raise SinkError(f"{self._path}: in use by another process", permanent=True) from exc
                raise file_error(beside, exc) from exc
            self._lock = lock

    def _prepare(self, database: sqlite3.Connection) -> None:
        version = schema_of(database, self._path, APPLICATION_ID, SCHEMA_VERSION)
        if not version:
            database.execute("PRAGMA auto_vacuum = INCREMENTAL")
            database.execute("PRAGMA journal_mode = WAL")
            database.executescript(_SCHEMA)
        elif version < SCHEMA_VERSION:
            upgrade(database, _UPGRADES)
        # Safe against our own end at any moment; a power cut may cost the last seconds, never the file.
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute(f"PRAGMA journal_size_limit = {_LOG_SIZE}")

    def _undo(self) -> None:
        with suppress(sqlite3.Error):
            if self._database is not None:
                self._database.rollback()

    def _shorten_log(self) -> None:
        """Move changes from SQLite's log into the file: on a full disk that makes room even for removing something."""
        with suppress(sqlite3.Error):
            if self._database is not None:
                self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _disconnect(self) -> None:
        self._undo()
        if self._database is not None:
            with suppress(sqlite3.Error):
                self._database.close()
            self._database = None


def _connect(path: Path, timeout: float) -> sqlite3.Connection:
    """Open a file for one thread after the other."""
    return sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False)
