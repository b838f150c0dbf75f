"""SQLite files of ours: whether a file is one, how old ones become new, and what is wrong, in words for people."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from rct_tools.errors import SinkError

# What people can do something about; everything else is said in SQLite's own words.
_REASONS: Final[Mapping[int, str]] = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_BUSY: "locked by another program",
    sqlite3.SQLITE_READONLY: "cannot be written: it is read-only",
    sqlite3.SQLITE_NOTADB: "not a SQLite database",
    sqlite3.SQLITE_CORRUPT: "the file is damaged",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened; does its folder exist, and may you write there?",
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
            raise SinkError(f"{path}: a database of another program", permanent=True)
        return 0
    if not 0 < found <= version:
        raise SinkError(f"{path}: has schema {found}, this version of RCT Tools knows {version}", permanent=True)
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
    return SinkError(f"{path}: {_REASONS.get(error_code(exc), str(exc))}")
