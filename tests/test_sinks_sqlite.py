"""The SQLite file: what is in it, what survives, what is said when it fails."""

from __future__ import annotations

import asyncio
import json
import math
import re
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from test_sinks import NOON, SAMPLES, reading

from rct_tools.errors import ConfigError, SinkError, UnknownObject
from rct_tools.objects import ObjectInfo, registry
from rct_tools.reading import Reading
from rct_tools.sinks import open_sink, settings_for
from rct_tools.sinks.sqlite import SqliteSink, StoredReading, default_path, path_in_url, query
from rct_tools.values import DataType


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "readings.db"


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///var/lib/readings.db", Path("/var/lib/readings.db")),
        ("sqlite:/var/lib/readings.db", Path("/var/lib/readings.db")),
        ("sqlite:readings.db", Path("readings.db")),
        ("sqlite:///C:/readings.db", Path("C:/readings.db")),
        ("sqlite:", default_path()),
    ],
)
def test_path_in_url(url: str, path: Path) -> None:
    assert path_in_url(url) == path


def test_url_without_path_is_refused() -> None:
    for url in ("sqlite://host/x", "jsonl:x"):
        with pytest.raises(ConfigError, match="expected sqlite:"):
            path_in_url(url)


@pytest.mark.parametrize(
    ("platform", "variable", "end"),
    [
        ("linux", "XDG_DATA_HOME", "data/rct-tools/readings.db"),
        ("linux", "", ".local/share/rct-tools/readings.db"),
        ("win32", "LOCALAPPDATA", "data/rct-tools/readings.db"),
        ("win32", "", "AppData/Local/rct-tools/readings.db"),
        ("darwin", "", "Library/Application Support/rct-tools/readings.db"),
    ],
)
def test_default_path(platform: str, variable: str, end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    for name in ("XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    if variable:
        monkeypatch.setenv(variable, "/data")
    assert default_path().as_posix().endswith(end)


async def test_default_file_is_made_with_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "data" / "rct-tools" / "readings.db"
    monkeypatch.setattr("rct_tools.sinks.sqlite.default_path", lambda: path)
    sink = open_sink(settings_for("sqlite:"))
    await sink.write([reading("battery.soc", 0.5)])
    await sink.close()
    assert len(list(query(path))) == 1
    (tmp_path / "file").touch()
    monkeypatch.setattr("rct_tools.sinks.sqlite.default_path", lambda: tmp_path / "file" / "readings.db")
    with pytest.raises(SinkError, match="file: cannot be made: "):
        open_sink(settings_for("sqlite:"))


async def test_two_programs_may_write_the_same_file(path: Path) -> None:
    sinks = [SqliteSink(path) for _ in range(2)]
    await asyncio.gather(
        *(sink.write([reading("battery.soc", 0.5, NOON + n)]) for n in range(50) for sink in sinks),
    )
    for sink in sinks:
        await sink.close()
    assert [stored.time - NOON for stored in query(path)] == list(range(50))


async def test_everything_comes_back(path: Path) -> None:
    sink = SqliteSink(path)
    samples = [(Reading(NOON + n, s.inverter, s.object, s.value), value) for n, (s, value, _) in enumerate(SAMPLES)]
    await sink.write([sample for sample, _ in samples])
    expected = [StoredReading(s.time, s.inverter, s.object.name, value, s.object.unit) for s, value in samples]
    assert list(query(path)) == expected  # while the writer has it open
    await sink.close()
    assert list(query(path)) == expected
    assert [type(stored.value) for stored in query(path)] == [type(value) for _, value in samples]


async def test_same_reading_twice_is_kept_once(path: Path) -> None:
    sink = SqliteSink(path)
    await sink.write([reading("battery.soc", 0.5)] * 2)
    await sink.close()
    sink = SqliteSink(path)
    await sink.write([reading("battery.soc", 0.5), reading("battery.soc", 0.5, inverter="barn")])
    await sink.close()
    assert [stored.inverter for stored in query(path)] == ["roof", "barn"]


async def test_documented_schema(path: Path) -> None:
    sink = SqliteSink(path)
    assert sink._database.execute("PRAGMA synchronous").fetchone() == (1,)
    await sink.write([reading("battery.soc", math.nan), reading("g_sync.p_acc_lp", -100.5)])
    await sink.close()
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert database.execute("SELECT * FROM readings WHERE object = 'g_sync.p_acc_lp'").fetchall() == [
            ("2026-06-21T12:00:00.000000001+00:00", NOON, "roof", "g_sync.p_acc_lp", -100.5, "W", 0)
        ]
        assert database.execute("SELECT value FROM readings WHERE object = 'battery.soc'").fetchone() == (None,)
        assert database.execute("PRAGMA application_id").fetchone() == (0x52435450,)
        assert database.execute("PRAGMA user_version").fetchone() == (2,)
    database.close()


async def test_corrected_unit_is_taken_over(path: Path) -> None:
    for unit in ("", "W"):
        sink = SqliteSink(path)
        await sink.write([Reading(NOON + len(unit), "roof", ObjectInfo(1, "x", DataType.FLOAT, unit), 1.0)])
        await sink.close()
    assert [stored.unit for stored in query(path)] == ["W", "W"]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("battery.soc", ["battery.soc"]),  # and not battery.soc_target, which it begins
        ("battery.soc_", ["battery.soc_target"]),
        ("battery", ["battery.soc", "battery.soc_target"]),
        ("*SOC*", ["battery.soc", "battery.soc_target"]),
        ("g_sync.p_ac[*]", ["g_sync.p_ac[0]"]),
        ("*", ["battery.soc", "battery.soc_target", "g_sync.p_ac[0]"]),
    ],
)
async def test_query_by_name(pattern: str, names: list[str], path: Path) -> None:
    sink = SqliteSink(path)
    await sink.write([reading(name, 0.5) for name in ("battery.soc", "battery.soc_target", "g_sync.p_ac[0]")])
    await sink.close()
    assert [stored.object for stored in query(path, pattern)] == names


async def test_query_by_time(path: Path) -> None:
    sink = SqliteSink(path)
    await sink.write([reading("battery.soc", n / 10, NOON + n) for n in range(9, -1, -1)])
    await sink.close()
    assert [stored.time - NOON for stored in query(path, since=NOON + 3, until=NOON + 6)] == [3, 4, 5]


async def test_query_of_nothing(path: Path) -> None:
    with pytest.raises(SinkError, match="no such file"):
        list(query(path))
    sink = SqliteSink(path)
    assert list(query(path)) == []
    assert list(query(path, "battery.soc")) == []
    await sink.write([reading("battery.soc", 0.5)])
    await sink.close()
    with pytest.raises(UnknownObject, match=r"holds nothing of 'batery\.soc'; did you mean battery\.soc\?"):
        list(query(path, "batery.soc"))


def test_query_writes_nothing_and_wants_our_file(path: Path) -> None:
    path.touch()
    with pytest.raises(SinkError, match="not a file of RCT Tools"):
        list(query(path))
    assert path.read_bytes() == b""


FOREIGN = [  # what is in the file, what is said
    ("CREATE TABLE x (y)", "a database of another program"),
    ("PRAGMA application_id = 7", "a database of another program"),
    ("PRAGMA application_id = 0x52435450; PRAGMA user_version = 3", "has schema 3, this version of RCT Tools knows 2"),
    ("PRAGMA application_id = 0x52435450", "has schema 0, this version of RCT Tools knows 2"),
]


@pytest.mark.parametrize(("content", "said"), FOREIGN)
def test_file_of_another_kind_is_left_alone(content: str, said: str, path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.executescript(content)
    database.close()
    before = path.read_bytes()
    for use in (SqliteSink, lambda path: list(query(path))):
        with pytest.raises(SinkError) as caught:
            use(path)
        assert str(caught.value) == f"{path}: {said}"
    assert path.read_bytes() == before


# --- files of earlier versions --------------------------------------------------------------------------------------

VERSION_1 = """
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS series (
    id        INTEGER PRIMARY KEY,
    inverter  TEXT NOT NULL,
    object    TEXT NOT NULL,
    object_id INTEGER NOT NULL,
    type      TEXT NOT NULL,
    unit      TEXT NOT NULL,
    UNIQUE (inverter, object)
) STRICT;
CREATE TABLE IF NOT EXISTS reading (
    series INTEGER NOT NULL REFERENCES series (id),
    time   INTEGER NOT NULL,
    value  ANY,
    PRIMARY KEY (series, time)
) STRICT, WITHOUT ROWID;
CREATE VIEW IF NOT EXISTS readings AS
SELECT strftime('%Y-%m-%dT%H:%M:%S', time / 1000000000, 'unixepoch')
           || printf('.%09d+00:00', time % 1000000000) AS time,
       time AS time_ns, inverter, object, value, unit
FROM reading JOIN series ON series.id = reading.series;
PRAGMA application_id = 0x52435450;
PRAGMA user_version = 1;
COMMIT;
INSERT INTO series VALUES (1, 'roof', 'battery.soc', 2509844671, 'FLOAT', 'ratio');
INSERT INTO reading VALUES (1, 1782043200000000001, 0.5), (1, 1782043200000000002, NULL);
"""


@pytest.fixture
def old(path: Path) -> Path:
    """A file of version 1."""
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.executescript(VERSION_1)
    return path


def times(path: Path) -> list[tuple[int, bool]]:
    return [(row.time - NOON, row.backfilled) for row in query(path)]


def test_old_file_is_read_as_it_is(old: Path) -> None:
    before = old.read_bytes()
    assert times(old) == [(0, False), (1, False)]
    assert old.read_bytes() == before


async def test_old_file_is_made_new_by_who_writes(old: Path) -> None:
    sink = SqliteSink(old)
    assert times(old) == [(0, False), (1, False)]
    await sink.write([Reading(NOON + n, "roof", registry["battery.soc"], 0.5, backfilled=True) for n in (0, 2)])
    await sink.close()
    assert times(old) == [(0, False), (1, False), (2, True)]  # what was read live stays so
    with closing(sqlite3.connect(old)) as database:
        assert database.execute("SELECT backfilled FROM readings ORDER BY time_ns").fetchall() == [(0,), (0,), (1,)]
        assert database.execute("PRAGMA user_version").fetchone() == (2,)


async def test_old_file_made_new_is_as_a_new_one(old: Path, tmp_path: Path) -> None:
    schemas = []
    for path in (old, tmp_path / "new.db"):
        await SqliteSink(path).close()
        with closing(sqlite3.connect(path)) as database:
            schemas.append(
                [words(sql) for (sql,) in database.execute("SELECT sql FROM sqlite_schema ORDER BY name") if sql]
            )
    assert schemas[0] == schemas[1]


async def test_two_programs_open_an_old_file_at_once(old: Path) -> None:
    sinks = await asyncio.gather(*(asyncio.to_thread(SqliteSink, old) for _ in range(4)))
    for n, sink in enumerate(sinks):
        await sink.write([reading("battery.soc", 0.5, NOON + 2 + n)])
        await sink.close()
    assert [time for time, _ in times(old)] == list(range(6))


async def test_earlier_version_goes_on_writing_a_file_that_was_made_new(old: Path) -> None:
    insert = "INSERT INTO reading (series, time, value) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"  # its own
    with closing(sqlite3.connect(old, isolation_level=None)) as earlier:
        earlier.execute(insert, (1, NOON + 2, 0.5))
        sink = SqliteSink(old)
        earlier.execute(insert, (1, NOON + 3, 0.5))
        await sink.close()
    assert times(old) == [(n, False) for n in range(4)]


def test_file_that_is_no_database_is_left_alone(path: Path) -> None:
    path.write_bytes(b"My notes. " * 500)
    for use in (SqliteSink, lambda path: list(query(path))):
        with pytest.raises(SinkError) as caught:
            use(path)
        assert str(caught.value) == f"{path}: not a SQLite database"
    assert path.read_bytes() == b"My notes. " * 500


def test_missing_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match=r"cannot be opened; does its folder exist"):
        SqliteSink(tmp_path / "nowhere" / "readings.db")


FAILURES = [  # how it begins, how it ends, what is said
    ("PRAGMA max_page_count = 1", "PRAGMA max_page_count = 1000000", "the disk is full"),
    (  # in the middle of a transaction
        "CREATE TRIGGER no BEFORE INSERT ON reading WHEN NEW.time % 2 BEGIN SELECT RAISE(ABORT, 'refused'); END",
        "DROP TRIGGER no",
        "refused",
    ),
    ("PRAGMA query_only = ON", "PRAGMA query_only = OFF", "cannot be written: it is read-only"),
]


@pytest.mark.parametrize(("begin", "end", "said"), FAILURES)
async def test_failed_write_keeps_nothing_of_it_and_can_be_repeated(
    begin: str, end: str, said: str, path: Path
) -> None:
    sink = SqliteSink(path)
    await sink.write([reading("battery.soc", 0.5)])
    many = [reading("battery.voltage", float(n), NOON + n) for n in range(2000)]
    sink._database.execute(begin)
    with pytest.raises(SinkError) as caught:
        await sink.write(many)
    assert str(caught.value) == f"{path}: {said}"
    assert not caught.value.permanent
    assert len(list(query(path))) == 1
    sink._database.execute(end)
    await sink.write(many)
    await sink.close()
    assert len(list(query(path))) == 2001


async def test_locked_file_is_said_and_can_be_written_later(path: Path) -> None:
    sink = SqliteSink(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(SinkError, match="locked by another program"):
        await sink.write([reading("battery.soc", 0.5)])
    other.close()
    await sink.write([reading("battery.soc", 0.5)])
    await sink.close()
    assert len(list(query(path))) == 1


WRITER = """
import asyncio, sys
from pathlib import Path
from rct_tools.objects import registry
from rct_tools.reading import Reading
from rct_tools.sinks.sqlite import SqliteSink

async def main():
    sink = SqliteSink(Path(sys.argv[1]))
    names = ["battery.soc", "battery.voltage", "g_sync.p_acc_lp"]
    for cycle in range(10**9):
        await sink.write([Reading(cycle, "roof", registry[name], float(cycle)) for name in names])
        print(cycle, flush=True)  # from here on it must be there

asyncio.run(main())
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="SIGKILL is POSIX")
def test_kill_at_any_moment_loses_nothing_that_was_written(path: Path) -> None:
    for lines in (1, 37, 400):
        path.unlink(missing_ok=True)
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        said = [writer.stdout.readline() for _ in range(lines)]
        writer.kill()
        said += writer.stdout.readlines()
        writer.wait()
        writer.stdout.close()
        cycles = [int(line) for line in said if line.endswith("\n")]
        assert cycles == list(range(len(cycles)))
        before = path.read_bytes()
        stored = [row.time for row in query(path)]
        assert path.read_bytes() == before  # reading changes nothing
        with sqlite3.connect(path) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        database.close()
        following = stored.count(len(cycles))  # written, but no longer said
        assert following in (0, 3)
        assert stored == [cycle for cycle in range(len(cycles) + (following > 0)) for _ in range(3)]


async def test_structures_are_json_text(path: Path) -> None:
    sink = SqliteSink(path)
    sample = next(s for s, _, _ in SAMPLES if s.object.is_query)
    await sink.write([sample])
    await sink.close()
    with sqlite3.connect(path) as database:
        ((text,),) = database.execute("SELECT value FROM reading").fetchall()
    database.close()
    assert json.loads(text) == {"time": 300, "samples": [{"time": 0, "value": 0.5}]}


async def test_documentation_shows_the_schema_and_queries_that_work(path: Path) -> None:
    text = (Path(__file__).parent.parent / "docs" / "storage.md").read_text(encoding="utf-8")
    section = text.partition("## SQLite")[2].partition("\n## ")[0]
    queries, schema = re.findall(r"```sql\n(.*?)```", section, re.DOTALL)
    sink = SqliteSink(path)
    names = ("g_sync.p_ac_grid_sum_lp", "g_sync.p_ac_load_sum_lp")
    now = time.time_ns()
    await sink.write([reading(name, value, now + int(value)) for name in names for value in (1.0, 3.0)])
    await sink.close()
    with sqlite3.connect(path) as database:
        last_hour, by_hour, newest = (database.execute(query).fetchall() for query in queries.split(";\n")[:3])
        made = [words(sql) for (sql,) in database.execute("SELECT sql FROM sqlite_schema WHERE type = 'table'")]
    database.close()
    assert [row[1:] for row in last_hour] == [(1.0, "W"), (3.0, "W")]
    assert [row[1] for row in by_hour] == [2.0]
    assert [row[:4] for row in newest] == [(name, 3.0, "W", now + 3) for name in names]
    assert [words(sql) for sql in schema.split(";\n") if sql.strip()] == made


def words(sql: str) -> list[str]:
    return re.sub("--.*", "", sql).split()
