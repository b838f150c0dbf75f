"""Sums by the hour are those of the readings, whatever came when, and whoever wrote it."""

from __future__ import annotations

import asyncio
import logging
import math
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rct_tools.objects import registry
from rct_tools.reading import Reading
from rct_tools.sinks import hours
from rct_tools.sinks.hours import EVER, HOUR, Sum, sums
from rct_tools.sinks.sqlite import SqliteSink
from rct_tools.times import SECOND
from rct_tools.values import Value

NOON = 1_782_043_200 * SECOND  # a whole hour
MINUTE = 60 * SECOND
SOC, SERIAL = registry["battery.soc"], registry["inverter_sn"]
STEPS = (MINUTE, HOUR // 2, HOUR, 3 * HOUR, 24 * HOUR, EVER)


def soc(minutes: float, value: Value = 0.5) -> Reading:
    return Reading(NOON + round(minutes * MINUTE), "roof", SOC, value)


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        yield database


def truth(database: sqlite3.Connection, since: int, until: int, step: int) -> dict[int, Any]:
    """What the readings say themselves, added up without us."""
    found: dict[int, list[float]] = {}
    for time, value in database.execute("SELECT time, value FROM reading WHERE series = 1 ORDER BY time"):
        if since <= time < until and isinstance(value, int | float) and math.isfinite(value):
            found.setdefault(time // step, []).append(value)
    return {n: (len(v), pytest.approx(math.fsum(v), rel=1e-12, abs=1e-9), min(v), max(v)) for n, v in found.items()}


def as_tuples(found: dict[int, Sum]) -> dict[int, Any]:
    return {n: (each.count, each.total, each.low, each.high) for n, each in found.items()}


def column(database: sqlite3.Connection, question: str) -> list[Any]:
    return [value for (value,) in database.execute(question)]


async def write(path: Path, *batches: Sequence[Reading]) -> None:
    sink = SqliteSink(path)
    for batch in batches:
        await sink.write(batch)
    await sink.close()


# --- always right ---------------------------------------------------------------------------------------------------

minutes = st.integers(0, 10 * 60).map(float)
values = st.one_of(st.floats(-1e6, 1e6, width=32), st.sampled_from([math.nan, math.inf, -math.inf, 0.0]))
OTHERS = ("DELETE FROM reading", "UPDATE reading SET value = 7", "UPDATE reading SET time = time + 1")
changes = st.one_of(
    st.lists(st.tuples(minutes, values), max_size=30),  # a write: late, doubled, in any order
    st.tuples(st.sampled_from(OTHERS), minutes),  # what another program does, to an hour of readings
    st.just("again"),  # the program is started anew
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(changes, max_size=12), minutes, minutes, st.sampled_from([1, 3, 20_000]))
def test_sums_are_those_of_the_readings_at_any_moment(
    story: list[Any], first: float, second: float, piece: int
) -> None:
    since, until = (NOON + round(each * MINUTE) for each in (min(first, second), max(first, second) + 1))

    async def main(path: Path) -> None:
        sink = SqliteSink(path)
        await sink.write([soc(0)])
        with opened(path) as other:
            for change in story:
                if change == "again":
                    await sink.close()
                    sink = SqliteSink(path)
                elif isinstance(change, tuple):
                    begin = NOON + change[1] * MINUTE
                    other.execute(f"{change[0]} WHERE time >= ? AND time < ?", (begin, begin + HOUR))
                else:
                    await sink.write([soc(each, value) for each, value in change])
                for step in STEPS:
                    assert as_tuples(sums(other, 1, since, until, step)) == truth(other, since, until, step)
                    whole = (NOON, NOON + 12 * HOUR)
                    assert as_tuples(sums(other, 1, *whole, step)) == truth(other, *whole, step)
        await sink.close()

    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as folder:
        patch.setattr(hours, "_PIECE", piece)
        asyncio.run(main(Path(folder) / "r.db"))


async def test_hours_are_summed_when_they_are_over(tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    sink = SqliteSink(path)
    with opened(path) as database:
        await sink.write([soc(n, n / 64) for n in range(60)])
        assert column(database, "SELECT count(*) FROM hourly") == [0]
        await sink.write([soc(60)])
        assert database.execute("SELECT * FROM hourly").fetchall() == [(1, NOON // HOUR, 60, 1770 / 64, 0.0, 59 / 64)]
        assert column(database, "SELECT until FROM summed") == [NOON + HOUR]
        await sink.write([soc(30.5, 64.0), soc(30, 9.0)])  # the second is there already
        assert database.execute("SELECT * FROM hourly").fetchall() == [(1, NOON // HOUR, 61, 64 + 1770 / 64, 0.0, 64.0)]
        assert column(database, "SELECT count(*) FROM stale") == [0]
    await sink.close()


async def test_answers_come_from_the_sums(tmp_path: Path) -> None:
    """Else they would be right, and slow."""
    path = tmp_path / "r.db"
    await write(path, [soc(n) for n in range(0, 600, 10)], [soc(600)])
    with opened(path) as database:
        for trigger in column(database, "SELECT name FROM sqlite_schema WHERE type = 'trigger'"):
            database.execute(f"DROP TRIGGER {trigger}")
        database.execute("UPDATE hourly SET total = 99")
        assert sums(database, 1, NOON, NOON + HOUR, HOUR)[NOON // HOUR].total == 3.0  # nothing of ours: not trusted
    await write(path, [soc(600)])
    with opened(path) as database:
        database.execute("UPDATE hourly SET total = 99")
        found = sums(database, 1, NOON + 30 * MINUTE, NOON + 150 * MINUTE, EVER)
        assert found == {0: Sum(3 + 6 + 3, 1.5 + 99 + 1.5, 0.5, 0.5)}
        database.execute("INSERT INTO stale VALUES (1, ?)", (NOON // HOUR + 1,))
        assert sums(database, 1, NOON, NOON + 2 * HOUR, EVER) == {0: Sum(12, 99 + 3, 0.5, 0.5)}


async def test_texts_have_no_sums(tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    await write(path, [Reading(NOON + n * HOUR, "roof", SERIAL, str(n)) for n in range(5)])
    with opened(path) as database:
        assert sums(database, 1, NOON, NOON + 5 * HOUR, HOUR) == {}
        assert column(database, "SELECT series FROM summed") == []


# --- files of earlier versions, and other programs ------------------------------------------------------------------

EARLIER = "DROP TABLE hourly; DROP TABLE summed; DROP TABLE stale;" + "".join(
    f"DROP TRIGGER {name};" for name in ("inserted", "updated", "moved", "deleted")
)


async def test_earlier_file_answers_as_it_is_and_is_summed_by_and_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hours, "_PIECE", 100)
    path = tmp_path / "r.db"
    await write(path, [soc(n, n % 7 / 8) for n in range(1200)])
    with opened(path) as database:
        database.executescript(EARLIER)
        before = path.read_bytes()
        expected = truth(database, NOON, NOON + 24 * HOUR, HOUR)
        assert as_tuples(sums(database, 1, NOON, NOON + 24 * HOUR, HOUR)) == expected
        assert path.read_bytes() == before
        counts = []
        for n in range(3):  # a piece after each write, and the program may end at any moment
            await write(path, [soc(1199, n / 8)])
            counts += column(database, "SELECT count(*) FROM hourly")
            assert as_tuples(sums(database, 1, NOON, NOON + 24 * HOUR, HOUR)) == expected
        assert counts == [1, 2, 3]
        sink = SqliteSink(path)
        for _ in range(20):
            await sink.write([soc(1199)])
        await sink.close()
        assert column(database, "SELECT count(*) FROM hourly") == [19]  # the last is not over
        assert as_tuples(sums(database, 1, NOON, NOON + 24 * HOUR, HOUR)) == expected


async def test_earlier_program_goes_on_writing(tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    await write(path, [soc(n) for n in range(300)])
    with opened(path) as database:
        assert column(database, "PRAGMA user_version") == [2]  # what it knows
        insert = "INSERT INTO reading (series, time, value) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"  # its own
        database.execute(insert, (1, soc(10).time, 1.0))  # there already
        assert column(database, "SELECT count(*) FROM stale") == [0]
        database.execute(insert, (1, soc(10.5).time, 1.0))
        assert column(database, "SELECT hour FROM stale") == [NOON // HOUR]
        assert sums(database, 1, NOON, NOON + HOUR, HOUR)[NOON // HOUR].high == 1.0


async def test_two_programs_may_sum_the_same_file(tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    sinks = [SqliteSink(path) for _ in range(2)]
    for hour in range(5):
        await asyncio.gather(
            *(sink.write([soc(hour * 60 + n + k / 2) for n in range(60)]) for k, sink in enumerate(sinks))
        )
    for sink in sinks:
        await sink.close()
    with opened(path) as database:
        assert as_tuples(sums(database, 1, NOON, NOON + 5 * HOUR, HOUR)) == truth(database, NOON, NOON + 5 * HOUR, HOUR)
        assert column(database, "SELECT count(*) FROM hourly")[0] >= 4


async def test_clock_that_was_wrong(tmp_path: Path) -> None:
    """A reading of far ahead does not keep later hours from being summed."""
    path = tmp_path / "r.db"
    await write(path, [soc(1e6)], *([soc(n) for n in range(h * 60, h * 60 + 60)] for h in range(4)))
    with opened(path) as database:
        assert as_tuples(sums(database, 1, NOON, NOON + 5 * HOUR, HOUR)) == truth(database, NOON, NOON + 5 * HOUR, HOUR)
        assert column(database, "SELECT count(*) FROM hourly") == [3]  # those that are over


async def test_what_changed_while_there_were_no_triggers_is_summed_anew(tmp_path: Path) -> None:
    """As when a program takes them away to load faster, and they are made again at the next start."""
    path = tmp_path / "r.db"
    await write(path, [soc(n) for n in range(0, 600, 10)], [soc(600)])
    with opened(path) as database:
        assert column(database, "SELECT count(*) FROM hourly") == [10]
        for trigger in column(database, "SELECT name FROM sqlite_schema WHERE type = 'trigger'"):
            database.execute(f"DROP TRIGGER {trigger}")
        database.execute("UPDATE reading SET value = 0.75")
        database.execute("DELETE FROM reading WHERE time < ?", (NOON + 3 * HOUR,))
    await write(path, [soc(601)])
    with opened(path) as database:
        found = sums(database, 1, NOON, NOON + 11 * HOUR, HOUR)
        assert as_tuples(found) == truth(database, NOON, NOON + 11 * HOUR, HOUR)
        assert column(database, "SELECT count(*) FROM hourly") == [7]


# --- trouble --------------------------------------------------------------------------------------------------------


async def test_trouble_is_said_once_and_costs_no_reading(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "r.db"
    sink = SqliteSink(path)
    with opened(path) as database, caplog.at_level(logging.WARNING):
        database.execute("CREATE TRIGGER no BEFORE INSERT ON hourly BEGIN SELECT RAISE(ABORT, 'refused'); END")
        for n in range(0, 180, 20):
            await sink.write([soc(n)])
        assert column(database, "SELECT count(*) FROM reading") == [9]
        assert column(database, "SELECT count(*) FROM summed") == [0]
        database.execute("DROP TRIGGER no")
        await sink.write([soc(180)])
        assert column(database, "SELECT count(*) FROM hourly") == [3]
    await sink.close()
    assert [record.getMessage() for record in caplog.records] == [f"{path}: refused; its hours are summed later"]
