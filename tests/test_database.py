"""SQLite files of earlier versions become new ones: whole, or not at all, and once."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from rct_tools.database import schema_of, upgrade
from rct_tools.errors import SinkError

OURS = 0x5243
STEPS = {
    1: ("ALTER TABLE x ADD COLUMN b INTEGER NOT NULL DEFAULT 0", "UPDATE x SET b = a + 1"),
    2: ("ALTER TABLE x ADD COLUMN c INTEGER NOT NULL DEFAULT 7",),
}
VERSIONS = {1: [(1,), (2,)], 2: [(1, 2), (2, 3)], 3: [(1, 2, 7), (2, 3, 7)]}  # what x holds


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "x.db"
    with closing(sqlite3.connect(path)) as database:
        script = "CREATE TABLE x (a); INSERT INTO x VALUES (1), (2)"
        database.executescript(f"{script}; PRAGMA application_id = {OURS}; PRAGMA user_version = 1")
    return path


@pytest.fixture
def database(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(connect(path)) as database:
        yield database


def connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None)


def content(path: Path) -> tuple[int, list[tuple[int, ...]]]:
    with closing(connect(path)) as database:
        version = schema_of(database, path, OURS, 3)
        return version, database.execute("SELECT * FROM x").fetchall()


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_becomes_the_newest(version: int, path: Path, database: sqlite3.Connection) -> None:
    upgrade(database, {n: step for n, step in STEPS.items() if n < version})
    assert content(path) == (version, VERSIONS[version])
    upgrade(database, STEPS)
    assert content(path) == (3, VERSIONS[3])


def test_who_comes_second_finds_nothing_to_do(path: Path, database: sqlite3.Connection) -> None:
    with closing(connect(path)) as other:
        assert schema_of(other, path, OURS, 3) == schema_of(database, path, OURS, 3) == 1
        upgrade(database, STEPS)
        upgrade(other, STEPS)
    assert content(path) == (3, VERSIONS[3])


def test_what_fails_leaves_all_as_it_was(path: Path, database: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.Error, match="no such table: y"):
        upgrade(database, STEPS | {2: (*STEPS[2], "INSERT INTO y VALUES (1)")})
    assert not database.in_transaction
    assert content(path) == (1, VERSIONS[1])


def test_newer_file_is_refused(path: Path, database: sqlite3.Connection) -> None:
    upgrade(database, STEPS)
    with pytest.raises(SinkError, match="has schema 3, this version of RCT Tools knows 2") as caught:
        schema_of(database, path, OURS, 2)
    assert caught.value.permanent


UPGRADER = """
import os, signal, sqlite3, sys
from rct_tools.database import upgrade
from test_database import STEPS
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.create_function("die", 0, lambda: os.kill(os.getpid(), signal.SIGKILL))
statements = [statement for step in STEPS.values() for statement in step]
statements.insert(int(sys.argv[2]), "SELECT die()")
upgrade(database, {1: statements[:2], 2: statements[2:]})
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="SIGKILL is POSIX")
@pytest.mark.parametrize("after", range(4))
def test_killed_in_the_middle_it_is_done_by_the_next(after: int, path: Path) -> None:
    command = [sys.executable, "-c", UPGRADER, str(path), str(after)]
    assert subprocess.run(command, cwd=Path(__file__).parent, check=False).returncode == -signal.SIGKILL
    assert content(path) == (1, VERSIONS[1])
    with closing(connect(path)) as database:
        upgrade(database, STEPS)
    assert content(path) == (3, VERSIONS[3])
