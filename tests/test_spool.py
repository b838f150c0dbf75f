"""The spool: a queue on disk, and what becomes of it when disk, file and clocks misbehave."""

from __future__ import annotations

import math
import os
import re
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from test_sinks import NOON, SAMPLES, reading

from rct_tools.errors import SinkError
from rct_tools.objects import ObjectInfo, registry
from rct_tools.reading import Reading
from rct_tools.spool import Row, Spool
from rct_tools.spool.age import Age, Mark, boot_id, steady_ns
from rct_tools.times import SECOND
from rct_tools.values import CELLS_PER_MODULE, Cell, CellExtreme, CellStatistics, DataType, Value

DAY = 86_400 * SECOND
END = 2**62  # beyond any number of a reading


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spools" / "influx.spool"


def numbered(*numbers: int) -> list[Reading]:
    return [Reading(NOON + number, "roof", registry["battery.soc"], float(number)) for number in numbers]


def waiting(spool: Spool) -> list[Reading]:
    return [reading for _, reading in spool.take(0, END, END)]


def column(path: Path, query: str) -> list[object]:
    """What somebody who looks at the file finds in it."""
    with sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True) as database:
        values = [value for (value,) in database.execute(query)]
    database.close()
    return values


@dataclass
class Clocks:
    """A machine whose clocks can be set."""

    steady: int = 5 * SECOND
    wall: int = NOON
    boot: str = "first"

    def age(self) -> Age:
        return Age(lambda: self.steady, lambda: self.wall, lambda: self.boot)


# --- what comes back ------------------------------------------------------------------------------------------------

EXTREME = CellExtreme(3, 1_700_000_000, 3.25)
VALUES: list[tuple[ObjectInfo, Value]] = [
    *((sample.object, sample.value) for sample, _, _ in SAMPLES if not isinstance(sample.value, tuple)),
    (registry["battery.soc"], math.inf),
    (registry["battery.soc"], -math.inf),
    (registry["battery.soc"], -0.0),
    (registry["battery.soc"], 1),
    (registry["power_mng.use_grid_power_enable"], False),
    (registry["svnversion"], "with \0, and half of what follows it"),
    (registry["battery.cells[0]"], tuple(Cell(t, 3.305, 1) for t in range(CELLS_PER_MODULE))),
    (registry["battery.cells_stat[0]"], CellStatistics(EXTREME, EXTREME, EXTREME, EXTREME)),
    (registry["battery.cells_resist[0]"], tuple(n / 256 for n in range(CELLS_PER_MODULE))),
    (ObjectInfo(5, "0x00000005", DataType.UNKNOWN), b""),
    (ObjectInfo(0, "link.up", DataType.BOOL, description="Whether the inverter answers"), True),
    (ObjectInfo(0, "power_panel", DataType.FLOAT, "W", "a + b"), 12.5),
    (ObjectInfo(0x959930BF, "battery.soc", DataType.UINT8, "%"), 12),  # as no registry of ours has it
]


@pytest.mark.parametrize(("info", "value"), VALUES, ids=lambda part: getattr(part, "name", None))
def test_every_value_comes_back_as_it_was(info: ObjectInfo, value: Value, path: Path) -> None:
    spool = Spool(path)
    assert spool.append([Reading(NOON, "roof/0000002A", info, value)]) == []
    spool.close()
    spool = Spool(path)
    (back,) = waiting(spool)
    spool.close()
    assert (back.time, back.inverter, back.object) == (NOON, "roof/0000002A", info)
    assert (type(back.value), repr(back.value)) == (type(value), repr(value))  # NaN equals nothing, 1 equals True


@pytest.mark.parametrize("backfilled", [True, False])
def test_mark_comes_back(backfilled: bool, path: Path) -> None:
    given = [Reading(NOON, "roof", registry["battery.soc"], 0.5, backfilled=backfilled)]
    spool = Spool(path)
    spool.append(given)
    spool.close()
    spool = Spool(path)
    assert waiting(spool) == given
    spool.close()


def test_object_of_the_registry_comes_back_with_its_labels(path: Path) -> None:
    spool = Spool(path)
    spool.append([reading("prim_sm.state", 13)])
    assert waiting(spool)[0].object is registry["prim_sm.state"]
    spool.close()


def test_object_that_changes_keeps_what_it_was(path: Path) -> None:
    infos = [ObjectInfo(0, "sum", DataType.FLOAT, unit) for unit in ("W", "kW", "W")]
    spool = Spool(path)
    spool.append([Reading(NOON, "roof", info, 1.0) for info in infos])
    assert [r.object.unit for r in waiting(spool)] == ["W", "kW", "W"]
    assert column(path, "SELECT count(*) FROM series") == [2]
    spool.close()


def test_value_that_no_file_can_hold_is_given_back(path: Path) -> None:
    soc, cells = registry["battery.soc"], registry["battery.cells[0]"]
    misfits: list[Value] = [2**63, "\ud800", (Cell(21, 3.305, 0),), b"\x01"]
    unfit = [Reading(NOON, "roof", cells if isinstance(v, tuple) else soc, v) for v in misfits]
    spool = Spool(path)
    assert spool.append([*numbered(1), *unfit, *numbered(2)]) == unfit
    assert waiting(spool) == numbered(1, 2)
    assert (spool.kept, spool.last) == (2, 2)
    spool.close()


# --- a queue --------------------------------------------------------------------------------------------------------


def test_order_numbers_and_counts(path: Path) -> None:
    spool = Spool(path)
    spool.append(numbered(3, 1))
    spool.append(numbered(2))
    assert spool.take(0, END, 10) == [(1, *numbered(3)), (2, *numbered(1)), (3, *numbered(2))]
    assert spool.take(1, END, 1) == [(2, *numbered(1))]
    assert spool.take(1, 1, 10) == []
    assert (spool.kept, spool.last, spool.oldest) == (3, 3, NOON + 3)
    assert spool.settle([(0, 1), (2, 3)], {}) == 2
    assert (spool.kept, spool.last, spool.oldest) == (1, 3, NOON + 1)
    assert spool.settle([(0, 3)], {}) == 1
    assert spool.settle([(0, 3)], {}) == 0
    assert (spool.kept, spool.oldest) == (0, None)
    spool.append(numbered(4))
    assert spool.take(3, END, 10) == [(4, *numbered(4))]
    spool.close()


class Queue(RuleBasedStateMachine):
    """A spool beside a plain list of what should be in it."""

    @initialize()
    def begin(self) -> None:
        self.path = Path(os.environ["RCT_TEST_FOLDER"]) / f"{os.urandom(8).hex()}.spool"
        self.clocks = Clocks()
        self.made = self.dropped = 0
        self.rows: list[tuple[Row, int]] = []  # and when each was put there
        self.open()

    def open(self) -> None:
        self.spool = Spool(self.path, age_limit=100 * SECOND, age=self.clocks.age())
        self.expire()

    def expire(self) -> None:
        kept = [(row, since) for row, since in self.rows if since >= self.clocks.steady // SECOND - 100]
        self.dropped += len(self.rows) - len(kept)
        self.rows = kept

    @rule(count=st.integers(0, 200))
    def append(self, count: int) -> None:
        numbers = range(self.made, self.made + count)
        self.made += count
        last = self.spool.last
        self.spool.append(numbered(*numbers))
        rows = enumerate(numbered(*numbers), last + 1)
        self.rows += [(row, self.clocks.steady // SECOND) for row in rows]
        self.expire()

    @rule(skip=st.integers(0, 300), count=st.integers(0, 300), limit=st.integers(1, 300), refuse=st.booleans())
    def settle(self, skip: int, count: int, limit: int, refuse: bool) -> None:
        first = self.rows[0][0][0] - 1 if self.rows else self.spool.last
        span = (first + skip, first + skip + count)
        inside = [row for row, _ in self.rows if span[0] < row[0] <= span[1]]
        assert self.spool.take(*span, limit) == inside[:limit]
        assert self.spool.settle([span], {inside[0][0]: "why"} if inside and refuse else {}) == len(inside)
        self.rows = [(row, since) for row, since in self.rows if row not in inside]
        self.expire()

    @rule(seconds=st.integers(0, 60))
    def pass_time(self, seconds: int) -> None:
        self.clocks.steady += seconds * SECOND
        self.clocks.wall += seconds * SECOND

    @rule(seconds=st.integers(-(10**9), 10**9))
    def set_the_time_of_day(self, seconds: int) -> None:
        self.clocks.wall += seconds * SECOND

    @rule()
    def reopen(self) -> None:
        dropped = self.spool.dropped
        self.spool.close()
        self.open()
        self.spool.dropped += dropped

    @invariant()
    def is_the_same(self) -> None:
        assert (self.spool.kept, self.spool.dropped) == (len(self.rows), self.dropped)
        assert self.spool.oldest == (self.rows[0][0][1].time if self.rows else None)

    def teardown(self) -> None:
        if hasattr(self, "spool"):
            assert self.spool.take(0, END, END) == [row for row, _ in self.rows]
            self.spool.close()


def test_is_a_list_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    monkeypatch.setenv("RCT_TEST_FOLDER", str(tmp_path))
    run_state_machine_as_test(Queue, settings=settings(max_examples=30, stateful_step_count=20, deadline=None))


# --- limits ---------------------------------------------------------------------------------------------------------


def test_oldest_go_beyond_the_size_and_the_file_keeps_to_it(path: Path) -> None:
    spool = Spool(path, size_limit=300_000)
    for start in range(0, 30_000, 1000):
        spool.append(numbered(*range(start, start + 1000)))
    values = [r.value for r in waiting(spool)]
    assert spool.size <= 300_000
    assert values == [float(n) for n in range(30_000 - spool.kept, 30_000)]
    assert spool.kept > 7000
    assert spool.dropped == 30_000 - spool.kept
    spool.close()
    assert path.stat().st_size < 400_000  # there is some room for the next ones


def test_limit_below_the_empty_file_keeps_nothing_and_ends(path: Path) -> None:
    spool = Spool(path, size_limit=1)
    spool.append(numbered(*range(500)))
    assert (spool.kept, spool.dropped) == (0, 500)
    spool.close()


def test_disk_gets_back_what_a_long_backlog_took(path: Path) -> None:
    spool = Spool(path)
    spool.append(numbered(*range(100_000)))
    spool.close()
    large = path.stat().st_size
    spool = Spool(path)
    while rows := spool.take(0, END, 1000):
        spool.settle([(0, rows[-1][0])], {})
    spool.close()
    assert large > 2_500_000
    assert path.stat().st_size < 1_200_000


def test_refused_are_set_apart_with_their_reason_and_bounded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rct_tools.spool.REFUSED_LIMIT", 3)
    spool = Spool(path)
    spool.append(numbered(*range(1, 9)))
    spool.settle([(0, 4)], {2: "too old", 4: "no number"})
    spool.settle([(4, 8)], {5: "a", 8: "b"})
    assert column(path, "SELECT value FROM refused ORDER BY id") == [4.0, 5.0, 8.0]
    assert column(path, "SELECT reason FROM refused_readings") == ["no number", "a", "b"]
    assert column(path, "SELECT time FROM refused_readings")[0] == "2026-06-21T12:00:00.000000005+00:00"
    assert spool.kept == 0
    spool.close()


JUMPS = [  # what happens between two readings, or two starts; whether the first is more than a day old then
    ("steady", DAY + 2 * SECOND, True),
    ("steady", DAY - 2 * SECOND, False),
    ("wall", 3650 * DAY, False),
    ("wall", -3650 * DAY, False),
]


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize(("clock", "step", "dropped"), JUMPS)
def test_age_is_none_of_the_time_of_day(clock: str, step: int, dropped: bool, restart: bool, path: Path) -> None:
    clocks = Clocks()
    spool = Spool(path, age_limit=DAY, age=clocks.age())
    spool.append(numbered(2))
    setattr(clocks, clock, getattr(clocks, clock) + step)
    if restart:
        spool.close()
        spool = Spool(path, age_limit=DAY, age=clocks.age())
    spool.append(numbered(1))
    assert waiting(spool) == (numbered(1) if dropped else numbered(2, 1))
    assert spool.dropped == dropped
    spool.close()


REBOOTS = [  # how far the time of day went on; whether what is kept for 20 hours is more than a day old then
    (3 * 3600 * SECOND, False),
    (5 * 3600 * SECOND, True),
    (-3650 * DAY, False),  # a clock without a battery
]


@pytest.mark.parametrize(("step", "dropped"), REBOOTS)
def test_between_two_runs_of_the_machine_age_is_by_the_time_of_day(step: int, dropped: bool, path: Path) -> None:
    clocks = Clocks()
    spool = Spool(path, age_limit=DAY, age=clocks.age())
    spool.append(numbered(1))
    clocks.steady += 20 * 3600 * SECOND
    spool.append(numbered(2))
    spool.close()
    clocks.steady, clocks.boot = SECOND, "second"
    clocks.wall += step
    spool = Spool(path, age_limit=DAY, age=clocks.age())
    assert waiting(spool) == (numbered(2) if dropped else numbered(1, 2))
    # And from there on it is steady again.
    clocks.wall += 3650 * DAY
    clocks.steady += 3 * 3600 * SECOND if step < 0 else 0
    spool.append([])
    assert waiting(spool) == (numbered(2) if dropped else numbered(1, 2))
    spool.close()


def test_new_readings_are_never_older_than_those_before_them(path: Path) -> None:
    clocks = Clocks()
    spool = Spool(path, age=clocks.age())
    spool.append(numbered(1))
    clocks.steady += 50 * SECOND  # and no mark since
    spool.append(numbered(2))
    spool.close()
    clocks.boot = "second"
    spool = Spool(path, age=clocks.age())
    spool.append(numbered(3))
    assert column(path, "SELECT since FROM waiting ORDER BY seq") == [0, 50, 50]
    spool.close()


def test_age_never_goes_back() -> None:
    clocks = Clocks()
    age = clocks.age()
    clocks.steady += 7
    age.go_on(Mark(100, clocks.steady + 50, clocks.wall, "first"))  # a mark from the future of this very run
    assert age.now() == 100
    age.go_on(Mark(100, clocks.steady - 5, clocks.wall, "first"), at_least=300)
    clocks.steady += 1
    assert age.now() == 301
    assert age.mark() == Mark(301, clocks.steady, clocks.wall, "first")


def test_clocks_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    assert steady_ns() <= steady_ns()
    assert boot_id() == boot_id()
    monkeypatch.delattr("time.CLOCK_BOOTTIME", raising=False)
    monkeypatch.setattr("rct_tools.spool.age.Path", lambda _: Path("/nowhere"))
    assert 0 < steady_ns() <= steady_ns()
    assert boot_id() == ""


# --- whose file it is -----------------------------------------------------------------------------------------------


def test_file_is_its_owners_only(path: Path) -> None:
    spool = Spool(path)
    spool.append(numbered(1))
    modes = {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    spool.close()
    assert os.name == "nt" or modes == {0o600}


def test_file_in_use_is_refused_until_it_is_free(path: Path) -> None:
    spool = Spool(path)
    spool.append(numbered(1))
    with pytest.raises(SinkError, match=r"influx\.spool: in use by another process") as caught:
        Spool(path)
    assert caught.value.permanent
    ask = "import sys, pathlib, rct_tools.spool as s; s.Spool(pathlib.Path(sys.argv[1]))"
    other = subprocess.run([sys.executable, "-c", ask, path], capture_output=True, text=True, check=False)
    assert "in use by another process" in other.stderr
    assert column(path, "SELECT count(*) FROM waiting") == [1]  # looking is free
    spool.close()
    spool = Spool(path)
    assert waiting(spool) == numbered(1)
    spool.close()


FOREIGN = [
    ("CREATE TABLE x (y)", "a database of another program"),
    ("PRAGMA application_id = 0x52435453; PRAGMA user_version = 9", "has schema 9, this version of RCT Tools knows 2"),
]


@pytest.mark.parametrize(("script", "said"), FOREIGN)
def test_file_that_is_not_ours_is_left_alone(script: str, said: str, path: Path) -> None:
    path.parent.mkdir()
    database = sqlite3.connect(path)
    database.executescript(script)
    database.close()
    before = path.read_bytes()
    for _ in range(2):
        with pytest.raises(SinkError, match=f"influx.spool: {said}") as caught:
            Spool(path)
        assert caught.value.permanent
    assert path.read_bytes() == before


VERSION_1 = """
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
    value  ANY
) STRICT;
CREATE TABLE refused (
    id     INTEGER PRIMARY KEY,
    series INTEGER NOT NULL REFERENCES series (id),
    time   INTEGER NOT NULL,
    value  ANY,
    reason TEXT NOT NULL
) STRICT;
CREATE VIEW refused_readings AS
SELECT strftime('%Y-%m-%dT%H:%M:%S', time / 1000000000, 'unixepoch')
           || printf('.%09d+00:00', time % 1000000000) AS time,
       inverter, object, value, unit, reason
FROM refused JOIN series ON series.id = refused.series ORDER BY refused.id;
CREATE TABLE age (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    age    INTEGER NOT NULL,
    steady INTEGER NOT NULL,
    wall   INTEGER NOT NULL,
    boot   TEXT NOT NULL
) STRICT;
PRAGMA application_id = 0x52435453;
PRAGMA user_version = 1;
COMMIT;
INSERT INTO series VALUES (1, 'roof', 'battery.soc', 2509844671, 'FLOAT', 'ratio', 'SOC (State of charge)');
INSERT INTO waiting VALUES (7, 1, 1782043200000000002, 5, 1.0), (8, 1, 1782043200000000003, 5, 2.0);
INSERT INTO refused VALUES (1, 1, 1782043200000000001, 0.0, 'why');
"""


def test_file_of_an_earlier_version_is_gone_on_with(path: Path) -> None:
    path.parent.mkdir()
    database = sqlite3.connect(path)
    database.executescript(f"PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; {VERSION_1}")
    database.close()
    spool = Spool(path)
    assert (spool.kept, spool.last) == (2, 8)
    filled = Reading(NOON + 3, "roof", registry["battery.soc"], 3.0, backfilled=True)
    spool.append([filled])
    assert spool.take(0, END, END) == [(7, *numbered(1)), (8, *numbered(2)), (9, filled)]
    spool.settle([(0, 9)], {8: "no", 9: "no"})
    assert column(path, "SELECT backfilled FROM refused_readings") == [0, 0, 1]
    spool.close()
    new = path.with_name("new.spool")
    Spool(new).close()
    schemas = [column(file, "SELECT sql FROM sqlite_schema ORDER BY name") for file in (path, new)]
    upgraded, fresh = ([re.findall(r"\w+|[^\w\s]", str(sql)) for sql in schema] for schema in schemas)
    assert upgraded == fresh
    assert column(path, "PRAGMA user_version") == [2]


# --- a disk in trouble ----------------------------------------------------------------------------------------------


def database_of(spool: Spool) -> sqlite3.Connection:
    database = spool._file._database
    assert database is not None
    return database


def test_full_disk_stores_nothing_by_halves_and_works_again(path: Path) -> None:
    spool = Spool(path)
    spool.append(numbered(1))
    pages = database_of(spool).execute("PRAGMA page_count").fetchone()[0]
    database_of(spool).execute(f"PRAGMA max_page_count = {pages + 2}")
    new = ObjectInfo(0, "new", DataType.FLOAT)
    many = [*numbered(*range(2, 5000)), Reading(NOON, "roof", new, 1.0)]
    for _ in range(2):
        with pytest.raises(SinkError, match=r"influx\.spool: the disk is full") as caught:
            spool.append(many)
    assert not caught.value.permanent
    assert (waiting(spool), spool.kept, spool.last) == (numbered(1), 1, 1)
    database_of(spool).execute("PRAGMA max_page_count = 100000")
    spool.append(many)
    assert waiting(spool) == [*numbered(1), *many]
    spool.close()


def test_read_only_file_can_still_be_read(path: Path) -> None:
    spool = Spool(path)
    spool.append(numbered(1))
    database_of(spool).execute("PRAGMA query_only = ON")
    for change in (lambda: spool.append(numbered(2)), lambda: spool.append([]), lambda: spool.settle([(0, 1)], {})):
        with pytest.raises(SinkError, match=r"influx\.spool: cannot be written: it is read-only"):
            change()
    assert waiting(spool) == numbered(1)
    database_of(spool).execute("PRAGMA query_only = OFF")
    spool.append(numbered(2))
    assert waiting(spool) == numbered(1, 2)
    spool.close()


LIMITED = """
import resource, signal, sys
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from test_spool import numbered, waiting
from rct_tools.errors import SinkError
from rct_tools.spool import Spool
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
spool = Spool(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
stored = 0
try:
    while True:
        spool.append(numbered(stored))
        stored += 1
except SinkError as exc:
    print(exc)
assert waiting(spool) == numbered(*range(stored)), "while it is full"
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
spool.append(numbered(stored))
assert waiting(spool) == numbered(*range(stored + 1)), "afterwards"
print(stored > 5)
"""


@pytest.mark.skipif(os.name == "nt", reason="limits of processes are POSIX")
def test_file_that_may_not_grow_loses_nothing(path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", LIMITED, path, *sys.path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.splitlines()[1:]) == (0, ["True"]), done.stderr
    assert "influx.spool: " in done.stdout


@pytest.mark.parametrize("blocked", ["spools", "spools/influx.spool.lock"])
def test_path_in_the_way_is_trouble_that_may_pass(blocked: str, path: Path, tmp_path: Path) -> None:
    path.parent.mkdir()
    obstacle = tmp_path / blocked
    if obstacle == path.parent:
        obstacle.rmdir()
    obstacle.write_text("no database at all, but a text that is longer than the header of one " * 2)
    spool = Spool(path)
    with pytest.raises(SinkError, match=r"cannot be made: |not a SQLite database"):
        spool.append(numbered(1))
    obstacle.unlink()
    spool.append(numbered(1))
    assert waiting(spool) == numbered(1)
    spool.close()


def test_file_that_is_opened_late_goes_on_with_its_numbers(path: Path) -> None:
    spool = Spool(path)
    spool.append(numbered(1, 2))
    spool.close()
    lock = path.with_name(path.name + ".lock")
    lock.unlink()
    lock.mkdir()
    spool = Spool(path)
    assert (spool.kept, spool.last) == (0, 0)
    lock.rmdir()
    for number in (3, 4):
        spool.append(numbered(number))
    assert [number for number, _ in spool.take(0, spool.last, END)] == [1, 2, 3, 4]
    spool.close()


# --- damage ---------------------------------------------------------------------------------------------------------


def overwrite(path: Path, start: int, count: int) -> None:
    with path.open("r+b") as file:
        file.seek(start)
        file.write(b"\xa5" * count)


def forget_series(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("DELETE FROM series")
    database.close()


def cut_payload(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("UPDATE series SET type = 'BATTERY_MODULE_STATUS'")
        database.execute("UPDATE waiting SET value = x'00'")
    database.close()


DAMAGES: list[Callable[[Path], object]] = [
    lambda path: path.write_bytes(b"nothing like it" * 400),
    lambda path: overwrite(path, 0, 4096),
    lambda path: overwrite(path, 4096, path.stat().st_size - 4096),
    lambda path: os.truncate(path, 8192),
    forget_series,
    cut_payload,
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_file_is_set_aside_and_a_new_one_begun(
    damage: Callable[[Path], object], path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool = Spool(path)
    spool.append(numbered(*range(1000)))
    spool.close()
    damage(path)
    damaged = path.read_bytes()
    spool = Spool(path)
    assert waiting(spool) == []
    last = spool.last
    spool.append(numbered(7))
    assert spool.take(0, END, 10) == [(last + 1, *numbered(7))]
    (said,) = caplog.messages
    assert f"{path}: damaged; set aside as {path}.damaged-1, with " in said
    assert Path(f"{path}.damaged-1").read_bytes() == damaged
    assert spool.damaged == (1000 if "1000 readings waited" in said else 0)
    spool.close()


def test_damage_while_it_is_in_use(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(1, 12):
        spool = Spool(path)
        spool.append(numbered(*range(1000)))
        database_of(spool).execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database_of(spool).execute("PRAGMA cache_size = 0")
        overwrite(path, 4096, path.stat().st_size - 4096)
        spool.append(numbered(1))
        assert waiting(spool) == numbered(1)
        assert (spool.damaged, spool.kept, spool.last) == (1000, 1, 1001)
        assert spool.take(0, END, 1) == [(1001, *numbered(1))]
        spool.settle([(0, spool.last)], {})
        spool.close()
        assert len(caplog.messages) == number
    assert f"{path}.damaged-9, with 1000 readings waited in it" in caplog.messages[-1]
    assert len(list(path.parent.glob("*.damaged-?"))) == 9


def test_damaged_file_that_cannot_be_set_aside(path: Path) -> None:
    spool = Spool(path)
    spool.close()
    path.write_bytes(b"nothing like it" * 400)
    for number in range(1, 10):
        Path(f"{path}.damaged-{number}").mkdir()
    spool = Spool(path)
    with pytest.raises(SinkError, match=r"influx\.spool: damaged, and cannot be set aside: "):
        spool.append(numbered(1))
    spool.close()
