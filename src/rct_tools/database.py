"""SQLite files of ours: whether a file is one, and what is wrong with it, in words for people."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
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


def has_schema(database: sqlite3.Connection, path: Path, application_id: int, version: int) -> bool:
    """Tell a file with our tables from an empty one. Raises SinkError for any other, sqlite3.Error."""
    application, found, size = database.execute(  # in one statement: somebody may be making the file right now
        "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)"
        " FROM pragma_application_id, pragma_user_version"
    ).fetchone()
    if application != application_id:
        if size or application or found:
            raise SinkError(f"{path}: a database of another program", permanent=True)
        return False
    if found != version:
        raise SinkError(f"{path}: has schema {found}, this version of RCT Tools knows {version}", permanent=True)
    return True


def error_code(exc: sqlite3.Error) -> int:
    """Return SQLite's number for an error, without the detail in its upper bits."""
    return getattr(exc, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF


def file_error(path: Path, exc: sqlite3.Error) -> SinkError:
    """Return what is wrong with a file, in one line."""
    return SinkError(f"{path}: {_REASONS.get(error_code(exc), str(exc))}")
