"""The Parquet sink, read back with DuckDB as users do."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet
import pytest
from test_sinks import NOON, SAMPLES, reading

from rct_tools.errors import ConfigError, SinkError
from rct_tools.sinks import open_sink, settings_for
from rct_tools.sinks.parquet import LATE, ParquetSink
from rct_tools.times import SECOND

from programs import ROOT

DAY = 86_400 * SECOND
MIDNIGHT = 1_782_086_400 * SECOND  # the end of 2026-06-21
OVER = MIDNIGHT + LATE


class Clock:
    """What the time is, as told."""

    def __init__(self, now: int = NOON) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))  # noqa: PTH208


def rows(folder: Path, columns: str = "value") -> list[Any]:
    """Return what all files of a folder hold, by time."""
    return duckdb.connect().execute(f"SELECT {columns} FROM '{folder}/*.parquet' ORDER BY time, object").fetchall()


async def test_every_value_comes_back(tmp_path: Path) -> None:
    clock = Clock()
    sink = ParquetSink(tmp_path / "readings", clock=clock)
    await sink.write([sample for sample, _, _ in SAMPLES])
    clock.now = OVER
    await sink.write([])
    await sink.close()
    (file,) = (tmp_path / "readings").iterdir()
    assert file.name == "readings-2026-06-21.parquet"
    table = pyarrow.parquet.read_table(file)
    assert [(field.name, str(field.type).partition("<")[0]) for field in table.schema] == [
        ("time", "timestamp[ns, tz=UTC]"),
        ("inverter", "dictionary"),
        ("object", "dictionary"),
        ("value", "double"),
        ("text", "string"),
        ("unit", "dictionary"),
        ("backfilled", "bool"),
    ]
    stored = rows(tmp_path / "readings", "epoch_ns(time), inverter, unit, value, text, object")
    for sample, value, _ in SAMPLES:
        text = value if isinstance(value, str) else json.dumps(value) if isinstance(value, dict | list) else None
        number = float(value) if isinstance(value, bool | int | float) else None  # and none for NaN
        stored.remove((NOON, "roof", sample.object.unit or None, number, text, sample.object.name))
    assert not stored


async def test_a_day_is_a_file_when_it_is_over(tmp_path: Path) -> None:
    clock = Clock()
    sink = ParquetSink(tmp_path, clock=clock)
    await sink.write([reading("battery.soc", 0.1), reading("battery.soc", 0.2, MIDNIGHT - 1)])
    assert names(tmp_path) == ["_2026-06-21.jsonl"]
    clock.now = OVER - 1
    await sink.write([reading("battery.soc", 0.3, MIDNIGHT)])
    assert names(tmp_path) == ["_2026-06-21.jsonl", "_2026-06-22.jsonl"]
    clock.now = OVER
    await sink.write([reading("battery.soc", 0.4, OVER)])
    assert names(tmp_path) == ["_2026-06-22.jsonl", "readings-2026-06-21.parquet"]
    assert rows(tmp_path) == [(0.1,), (0.2,)]
    clock.now += 30 * DAY
    await sink.write([])
    await sink.close()
    assert names(tmp_path) == ["readings-2026-06-21.parquet", "readings-2026-06-22.parquet"]
    assert rows(tmp_path, "epoch_ns(time)") == [(NOON,), (MIDNIGHT - 1,), (MIDNIGHT,), (OVER,)]


async def test_what_comes_late_is_a_further_file_of_its_day(tmp_path: Path) -> None:
    clock = Clock(OVER)
    sink = ParquetSink(tmp_path, clock=clock)
    for n in range(3):  # all of it comes within the hour
        await sink.write([reading("battery.soc", n / 10, NOON + n)])
        clock.now += LATE // 2
    assert names(tmp_path) == ["_2026-06-21.jsonl"]
    clock.now += LATE
    await sink.write([])
    await sink.write([reading("battery.soc", 0.7, NOON + 7)])
    clock.now += LATE
    await sink.write([])
    await sink.close()
    assert names(tmp_path) == ["readings-2026-06-21.parquet", "readings-2026-06-21_2.parquet"]
    assert rows(tmp_path) == [(0.0,), (0.1,), (0.2,), (0.7,)]


async def test_next_start_goes_on_with_the_day_and_finishes_those_that_are_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for value in (0.1, 0.2):
        sink = ParquetSink(tmp_path, clock=Clock())
        await sink.write([reading("battery.soc", value)])
        await sink.close()
        with (tmp_path / "_2026-06-21.jsonl").open("ab") as file:
            file.write(b'{"time": 17')  # stopped in the middle of a line
    sink = ParquetSink(tmp_path, clock=Clock(OVER))
    await sink.write([])
    await sink.close()
    assert names(tmp_path) == ["readings-2026-06-21.parquet"]
    assert sorted(rows(tmp_path)) == [(0.1,), (0.2,)]
    assert caplog.messages == [f"{tmp_path / '_2026-06-21.jsonl'}: 11 bytes of half a line cut off"] * 2


async def test_stopped_while_a_day_is_finished(tmp_path: Path) -> None:
    """Before the Parquet file was whole, and after it but before its lines were deleted: once each in the end."""
    clock = Clock()
    sink = ParquetSink(tmp_path, clock=clock)
    await sink.write([reading("battery.soc", 0.1)])
    lines = (tmp_path / "_2026-06-21.jsonl").read_bytes()
    clock.now = OVER
    await sink.write([])
    await sink.close()
    (tmp_path / "_readings-2026-06-21.jsonl").write_bytes(lines)  # not deleted yet
    (tmp_path / "_readings-2026-06-21_2.jsonl").write_bytes(lines)  # not converted yet
    (tmp_path / ".readings-2026-06-21_2.parquet.part").write_bytes(b"PAR1 and no more")
    sink = ParquetSink(tmp_path, clock=clock)
    await sink.write([])
    await sink.close()
    assert names(tmp_path) == ["readings-2026-06-21.parquet", "readings-2026-06-21_2.parquet"]
    assert rows(tmp_path) == [(0.1,), (0.1,)]


async def test_damaged_lines_are_left_and_cost_no_other_day(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "_readings-2026-06-20.jsonl").write_bytes(b'{"time": }\n')
    sink = ParquetSink(tmp_path, clock=Clock(OVER))
    await sink.write([reading("battery.soc", 0.1)])
    await sink.write([])
    await sink.close()
    sink = ParquetSink(tmp_path, clock=Clock(OVER + LATE))
    await sink.write([])
    await sink.close()
    assert names(tmp_path) == ["_readings-2026-06-20.jsonl", "readings-2026-06-21.parquet"]
    assert len(caplog.messages) == 2  # one each start
    assert "_readings-2026-06-20.jsonl: damaged, and left as it is: JSON parse error" in caplog.messages[0]
    assert "\n" not in caplog.messages[0]


async def test_large_day_is_turned_piece_by_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rct_tools.sinks.parquet._PIECE", 10_000)
    clock = Clock()
    sink = ParquetSink(tmp_path, clock=clock)
    values = [n / 1000 for n in range(1000)]
    await sink.write([reading("battery.soc", value, NOON + n) for n, value in enumerate(values)])
    clock.now = OVER
    await sink.write([])
    await sink.close()
    assert pyarrow.parquet.ParquetFile(tmp_path / "readings-2026-06-21.parquet").num_row_groups > 5
    assert rows(tmp_path) == [(value,) for value in values]


async def test_time_that_no_file_can_hold_is_left_out_and_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sink = ParquetSink(tmp_path, clock=Clock())
    for _ in range(2):
        await sink.write([reading("battery.soc", 0.1, 10**20), reading("battery.soc", 0.2)])
    await sink.close()
    assert names(tmp_path) == ["_2026-06-21.jsonl"]
    assert sum(sink.left_out.values()) == 2
    assert caplog.messages == [f"{tmp_path}: left out: battery.soc: its time is none that a file can hold"]


async def test_two_days_are_written_both_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "_2026-06-22.jsonl").mkdir()
    with pytest.raises(SinkError, match="Is a directory"):
        ParquetSink(tmp_path, clock=Clock())
    (tmp_path / "_2026-06-22.jsonl").rmdir()
    sink = ParquetSink(tmp_path, clock=Clock())
    both = [reading("battery.soc", 0.1), reading("battery.soc", 0.2, MIDNIGHT)]
    (tmp_path / "_2026-06-22.jsonl").mkdir()
    with pytest.raises(SinkError, match=r"_2026-06-22\.jsonl: cannot be written: Is a directory"):
        await sink.write(both)
    (tmp_path / "_2026-06-22.jsonl").rmdir()
    await sink.write(both)
    await sink.close()
    assert [(tmp_path / name).read_bytes().count(b"\n") for name in names(tmp_path)] == [1, 1]


async def test_day_that_cannot_be_finished_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device", str(tmp_path))

    clock = Clock()
    sink = ParquetSink(tmp_path, clock=clock)
    await sink.write([reading("battery.soc", 0.1)])
    clock.now = OVER
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        for _ in range(3):
            await sink.write([reading("battery.soc", 0.2, OVER)])
    assert caplog.messages == [f"{tmp_path}: no Parquet file can be made: No space left on device; its lines are kept"]
    clock.now += LATE
    await sink.write([])
    await sink.close()
    assert names(tmp_path) == ["_2026-06-22.jsonl", "readings-2026-06-21.parquet"]


def test_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="cannot be used as a folder: No such file"):
        open_sink(settings_for(f"parquet:{tmp_path}/nowhere/x"))


def test_missing_extra_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigError, match=r"pip install 'rct-tools\[analysis\]'"):
        open_sink(settings_for(f"parquet:{tmp_path}"))


async def test_documented_queries_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "docs" / "storage.md").read_text("utf-8").partition("## JSON lines and CSV")[2]
    monkeypatch.chdir(tmp_path)
    clock = Clock()
    loads = [reading("g_sync.p_ac_load_sum_lp", value, NOON + n) for n, value in enumerate((100.0, 300.0))]
    given = [*(sample for sample, _, _ in SAMPLES), *loads]
    lines = open_sink(settings_for("csv:readings.csv", max_size="1kB"))
    files = ParquetSink(Path("readings"), clock=clock)
    for n in range(0, len(given), 3):
        for sink in (lines, files):
            await sink.write(given[n : n + 3])
    clock.now = OVER
    await files.write([])
    await lines.close()
    await files.close()
    queries = re.findall(r"```sql\n(.*?)```", text, re.DOTALL)
    assert len(queries) == 2
    for query in queries:
        assert duckdb.connect().execute(f"SELECT watt FROM ({query})").fetchall() == [(200.0,)]
    assert len(names(tmp_path)) == 3  # two files of CSV, one of them compressed, and the folder
