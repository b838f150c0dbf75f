"""SQLite files of ours: whether a file is one, how old ones become new, and what is wrong, in words for people."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from rct_tools.errors import SinkError
from rct_tools.sentence import Sentences

# What people can do something about; everything else is said in SQLite's own words.


class _Says(Sentences):
    DISK_FULL = "{path}: the disk is full"
    LOCKED = "{path}: locked by another program"
    READ_ONLY = "{path}: cannot be written: it is read-only"
    NO_DATABASE = "{path}: not a SQLite database"
    DAMAGED_FILE = "{path}: the file is damaged"
    CANNOT_OPEN = "{path}: cannot be opened; does its folder exist, and may you write there?"
    OTHER_DATABASE = "{path}: a database of another program"
    OTHER_SCHEMA = "{path}: has schema {found}, this version of RCT Tools knows {version}"


_REASONS: Final[Mapping[int, _Says]] = {
    sqlite3.SQLITE_FULL: _Says.DISK_FULL,
    sqlite3.SQLITE_BUSY: _Says.LOCKED,
    sqlite3.SQLITE_READONLY: _Says.READ_ONLY,
    sqlite3.SQLITE_NOTADB: _Says.NO_DATABASE,
    sqlite3.SQLITE_CORRUPT: _Says.DAMAGED_FILE,
    sqlite3.SQLITE_CANTOPEN: _Says.CANNOT_OPEN,
}


def schema_of(database: sqlite3.Connection, path: Path, application_id: int, version: int) -> int:
    """Return the version of our tables in a file, ``version`` or an older one; 0 for an empty file.

    Raises SinkError for any other file, sqlite3.Error.
    """
    application, found, size = database.execute(  # in one statement: somebody may be making the file right now
        "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)"
        " FROM pragma_application_id, pragma_user_version"
    ).fetchone()
    if application != application_id:
        if size or application or found:
            raise SinkError(_Says.OTHER_DATABASE(path=path), permanent=True)
        return 0
    if not 0 < found <= version:
        raise SinkError(_Says.OTHER_SCHEMA(path=path, found=found, version=version), permanent=True)
    return int(found)


def upgrade(database: sqlite3.Connection, steps: Mapping[int, Sequence[str]]) -> None:
    """Make a file of an older version a new one, whole or not at all; ``steps`` lead from each version to the next.

    Another program may do the same at the same time: then nothing is left to be done here. Raises sqlite3.Error.
    """
    database.execute("BEGIN IMMEDIATE")
    try:
        while (version := database.execute("PRAGMA user_version").fetchone()[0]) in steps:
            for statement in steps[version]:
                database.execute(statement)
            database.execute(f"PRAGMA user_version = {version + 1}")
        database.execute("COMMIT")
    except sqlite3.Error:
        database.rollback()
        raise


def error_code(exc: sqlite3.Error) -> int:
    """Return SQLite's number for an error, without the detail in its upper bits."""
    return getattr(exc, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF


def file_error(path: Path, exc: sqlite3.Error) -> SinkError:
    """Return what is wrong with a file, in one line."""
    reason = _REASONS.get(error_code(exc))
    return SinkError(reason(path=path) if reason else f"{path}: {exc}")
