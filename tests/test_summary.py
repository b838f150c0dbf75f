"""Summaries and tables of captures: what is in them is what FrameParser and read_frame tell."""

from __future__ import annotations

import io
import json
import math
import os
import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pyarrow.parquet
import pytest
from damage import KINDS

from rct_tools.bulk import BulkStreams, Captured
from rct_tools.capture import Chunk, Direction, write_capture
from rct_tools.errors import ConfigError
from rct_tools.export import EXPORTS, export, find_tables, schema
from rct_tools.frame import Command, Frame, Reason
from rct_tools.objects import registry
from rct_tools.reading import BadReading, read_frame
from rct_tools.stream import Streams
from rct_tools.summary import BadPlace, Summary
from rct_tools.survey import survey, survey_all
from rct_tools.times import SECOND, iso_time

START = 1_795_338_047_149_000_001  # 2026-11-22T09:00:47.149000001Z
SOC, STATE, SERIAL = registry["battery.soc"], registry["prim_sm.state"], registry["inverter_sn"]
CELLS = registry["battery.cells[0]"]


def chunk(second: float, frame: Frame, *, sent: bool = False, before: bytes = b"\0") -> Chunk:
    direction = Direction.SENT if sent else Direction.RECEIVED
    return Chunk(START + round(second * SECOND), direction, before + frame.encode(), 0)


CHUNKS = [
    chunk(0, Frame(Command.READ, SOC.object_id), sent=True, before=b""),
    chunk(1, Frame(Command.RESPONSE, SOC.object_id, SOC.encode(0.5))),
    chunk(3, Frame(Command.RESPONSE, SOC.object_id, SOC.encode(0.25))),
    chunk(4, Frame(Command.RESPONSE, SOC.object_id, b"\x7f\xc0\0\0")),  # NaN: told, but no number
    chunk(5, Frame(Command.RESPONSE, SOC.object_id, b"\x3e"), before=b"+\x05\x08"),  # a stub, and a cut frame
    chunk(6, Frame(Command.PLANT_RESPONSE, SOC.object_id, SOC.encode(0.75), address=0x2A)),
    chunk(7, Frame(Command.RESPONSE, STATE.object_id, b"\x0d")),
    chunk(8, Frame(Command.RESPONSE, SERIAL.object_id, b"SIM\0")),
    chunk(9, Frame(Command.RESPONSE, CELLS.object_id, bytes(95))),
    chunk(10, Frame(Command.RESPONSE, 0x12345678, b"\x01")),
]


def read(chunks: list[Chunk]) -> tuple[list[Captured], BulkStreams]:
    streams = BulkStreams()
    return [part for item in chunks if (part := streams.feed(item))] + [streams.close()], streams


def summed_up(chunks: list[Chunk], file: str = "x.rctcap") -> Summary:
    summary = Summary()
    parts, streams = read(chunks)
    for part in parts:
        summary.count(file, part)
    summary.counters.add(streams.counters)
    return summary


def test_objects_are_summed_up() -> None:
    summary = summed_up(CHUNKS)
    soc = summary.objects[0, SOC.object_id]
    assert (soc.object, soc.frames, soc.values, soc.misfits) == (SOC, 4, 2, 1)
    assert (soc.lowest, soc.mean, soc.highest) == (0.25, 0.375, 0.5)
    assert (soc.first, soc.last) == (START + 1 * SECOND, START + 5 * SECOND)
    assert soc.interval == pytest.approx(4 / 3)
    member = summary.objects[0x2A, SOC.object_id]
    assert (member.frames, member.mean, member.interval) == (1, 0.75, None)
    assert summary.objects[0, STATE.object_id].highest == 13
    assert summary.objects[0, SERIAL.object_id].mean is None
    assert summary.objects[0, CELLS.object_id].misfits == 1
    assert summary.objects[0, 0x12345678].object.name == "0x12345678"
    assert summary.counters.frames == Counter({Command.RESPONSE: 8, Command.READ: 1, Command.PLANT_RESPONSE: 1})
    assert summary.counters.bad == Counter({Reason.TRUNCATED: 1})
    assert summary.places == [BadPlace("x.rctcap", 42, 3, Reason.TRUNCATED)]
    assert (summary.first, summary.last) == (START, START + 10 * SECOND)


def test_two_halves_make_the_whole() -> None:
    whole, first, second = summed_up(CHUNKS), summed_up(CHUNKS[:4]), summed_up(CHUNKS[4:])
    first.add(second)
    assert (first.objects, first.counters.frames, first.counters.bad, first.counters.fed) == (
        whole.objects,
        whole.counters.frames,
        whole.counters.bad,
        whole.counters.fed,
    )
    assert (first.first, first.last, first.counters.skipped) == (whole.first, whole.last, whole.counters.skipped)
    nothing = Summary()
    nothing.add(whole)
    assert nothing.objects == whole.objects


def test_captures_without_time_have_none() -> None:
    summary = summed_up([Chunk(0, Direction.RECEIVED, item.data) for item in CHUNKS[1:4]])
    assert (summary.first, summary.last) == (0, 0)
    soc = summary.objects[0, SOC.object_id]
    assert (soc.first, soc.last, soc.interval) == (0, 0, None)


def test_any_stream_is_summed_up_as_its_frames_are_read() -> None:
    stream = KINDS["mixtures"](random.Random(7), 2000).stream
    streams = Streams()
    found = streams.feed(Chunk(START, Direction.RECEIVED, stream)) + streams.close()
    told = [read_frame(f.event, f.time, "") for f in found if isinstance(f.event, Frame)]
    summary = summed_up([Chunk(START, Direction.RECEIVED, stream)])
    responses = Counter(r.object.name for r in told if r)
    assert sum(item.frames for item in summary.objects.values()) == responses.total()
    misfits = Counter(r.object.name for r in told if isinstance(r, BadReading))
    found_misfits: Counter[str] = Counter()
    for item in summary.objects.values():
        found_misfits[item.object.name] += item.misfits
    assert +found_misfits == misfits
    assert len(summary.places) == 10


def test_any_number_of_objects_takes_no_endless_memory() -> None:
    frames = b"".join(Frame(Command.RESPONSE, 0x70000000 + number).encode() for number in range(10_050))
    summary = summed_up([Chunk(START, Direction.RECEIVED, frames)])
    assert (len(summary.objects), summary.others) == (10_000, 50)


# --- tables -----------------------------------------------------------------------------------------------------------

ROWS = [  # what is in the columns that say most
    ("READ", "battery.soc", None, None, None, ">"),
    ("RESPONSE", "battery.soc", 0.5, "ratio", None, "<"),
    ("RESPONSE", "battery.soc", 0.25, "ratio", None, "<"),
    ("RESPONSE", "battery.soc", math.nan, "ratio", None, "<"),
    ("RESPONSE", "battery.soc", None, None, None, "<"),
    ("PLANT_RESPONSE", "battery.soc", 0.75, "ratio", 42, "<"),
    ("RESPONSE", "prim_sm.state", 13, None, None, "<"),
    ("RESPONSE", "inverter_sn", None, None, None, "<"),
    ("RESPONSE", "battery.cells[0]", None, None, None, "<"),
    ("RESPONSE", "0x12345678", None, None, None, "<"),
]
SAYING = ("command", "name", "value", "unit", "address", "direction")


def table(path: Path, chunks: list[Chunk] = CHUNKS) -> Path:
    with export(path) as write:
        for part in read(chunks)[0]:
            write(part)
    return path


def comparable(rows: Sequence[tuple[object, ...]]) -> list[tuple[object, ...]]:
    return [tuple("NaN" if value != value else value for value in row) for row in rows]


@pytest.mark.parametrize(("suffix", "reader"), [(".parquet", "read_parquet"), (".csv", "read_csv")])
def test_others_read_the_table(tmp_path: Path, suffix: str, reader: str) -> None:
    path = table(tmp_path / f"x{suffix}")
    with duckdb.connect() as database:
        rows = database.sql(f"SELECT {', '.join(SAYING)} FROM {reader}('{path}')").fetchall()
        offset, size = database.sql(f"SELECT \"offset\", size FROM {reader}('{path}') OFFSET 1").fetchall()[0]
        times = database.sql(f"SELECT epoch_ns(time) // 1000 FROM {reader}('{path}')").fetchall()
    assert comparable(rows) == comparable(ROWS)
    assert (offset, size) == (1, 13)
    assert times == [(item.time // 1000,) for item in CHUNKS]


def test_the_documented_query(tmp_path: Path) -> None:
    page = (Path(__file__).parent.parent / "docs" / "captures.md").read_text("utf-8")
    (query,) = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
    power = registry["g_sync.p_acc_lp"]
    chunks = [
        chunk(second, Frame(Command.RESPONSE, power.object_id, power.encode(second))) for second in (0.0, 2.0, 900.0)
    ]
    path = table(tmp_path / "roof.parquet", chunks)
    with duckdb.connect() as database:
        query = query.replace("roof.parquet", str(path))
        rows = database.sql(f"SELECT * EXCLUDE quarter FROM ({query})").fetchall()  # a time with a zone needs pytz
    assert rows == [(1.0,), (900.0,)]


def test_json_lines(tmp_path: Path) -> None:
    rows = [json.loads(line) for line in table(tmp_path / "x.jsonl").read_text("utf-8").splitlines()]
    expected = [tuple(None if value != value else value for value in row) for row in ROWS]
    assert [tuple(row[name] for name in SAYING) for row in rows] == expected
    assert [row["time"] for row in rows] == [iso_time(item.time) for item in CHUNKS]
    assert list(rows[0]) == schema().names


def test_parquet_has_types_and_units(tmp_path: Path) -> None:
    found = pyarrow.parquet.read_table(table(tmp_path / "x.parquet"))
    assert str(found.schema.field("time").type) == "timestamp[ns, tz=UTC]"
    assert str(found.schema.field("value").type) == "double"
    assert found.schema.field("offset").metadata[b"unit"] == b"B"
    units = json.loads(found.schema.field("value").metadata[b"unit"])
    assert units["battery.soc"] == "ratio"
    assert units["g_sync.p_acc_lp"] == "W"
    assert found["time"].cast("int64").to_pylist() == [item.time for item in CHUNKS]


@pytest.mark.parametrize("suffix", EXPORTS)
def test_all_tables_hold_all_frames(tmp_path: Path, suffix: str) -> None:
    """Over several row groups, and with what is not known left out."""
    stream = Frame(Command.RESPONSE, SOC.object_id, SOC.encode(0.5)).encode() * 600_000
    chunks = [Chunk(0, Direction.RECEIVED, stream[at : at + 65536]) for at in range(0, len(stream), 65536)]
    chunks = chunks if suffix == ".parquet" else chunks[:20]
    path = table(tmp_path / f"x{suffix}", chunks)
    names = {".parquet": "read_parquet", ".csv": "read_csv", ".jsonl": "read_json"}
    with duckdb.connect() as database:
        query = f"SELECT count(*), count(time), sum(value), max(\"offset\") FROM {names[suffix]}('{path}')"
        count, times, total, last = database.sql(query).fetchall()[0]
    assert count == sum(len(item.data) for item in chunks) // 13
    assert (times, total, last) == (0, count / 2, 13 * (count - 1))


@pytest.mark.parametrize("suffix", EXPORTS)
def test_a_table_that_fails_is_not_there(tmp_path: Path, suffix: str) -> None:
    def fail() -> None:
        with export(tmp_path / f"x{suffix}") as write:
            write(read(CHUNKS)[0][0])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_kind_of_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"x\.xlsx: a table is one of \.parquet, \.csv, \.jsonl"):
        find_tables(tmp_path / "x.xlsx", ["a.bin"])


TABLES = [  # captures, and the names of their tables
    (["a/x.bin", "b/x.rctcap.gz", "c/x-2.bin"], ["x.csv", "x-2.csv", "x-2-2.csv"]),
    (["x.bin", "X.bin", "x"], ["x.csv", "X-2.csv", "x-3.csv"]),
    (["2026.11.22.bin", "2026.11.23.BIN.gz"], ["2026.11.22.csv", "2026.11.23.csv"]),
]


@pytest.mark.parametrize(("captures", "tables"), TABLES)
def test_each_capture_has_a_table_of_its_own(captures: list[str], tables: list[str]) -> None:
    assert find_tables(Path("out.csv"), captures) == [Path("out.csv") / name for name in tables]
    assert find_tables(Path("out.csv"), captures[:1]) == [Path("out.csv")]


def test_labels_need_no_escape_in_json() -> None:
    texts = [text for info in registry for text in (info.name, info.unit)]
    assert all(text.isprintable() and not set(text) & set('"\\') for text in texts)


# --- surveys ----------------------------------------------------------------------------------------------------------


def capture(path: Path, chunks: list[Chunk] = CHUNKS) -> str:
    with io.FileIO(path, "xb") as file, write_capture(file, path.name) as append:
        for item in chunks:
            append(item)
    return str(path)


def test_what_cannot_be_read_is_told_and_the_rest_is_there(tmp_path: Path) -> None:
    name = capture(tmp_path / "x.rctcap")
    text = Path(name).read_text()
    Path(name).write_text(text + "noise\n" * 7 + text[:20])
    progress: list[int] = []
    found = survey(name, 8899, None, progress.append)
    assert found.summary.counters.frames.total() == 10
    assert (found.damaged, len(found.damage), found.error) == (8, 5, "")
    gone = survey(str(tmp_path / "y.bin"), 8899, None, progress.append)
    assert gone.error == f"{tmp_path / 'y.bin'}: no such file or directory"
    Path(name).rename(tmp_path / "x.bin")
    assert "it begins like a .rctcap" in survey(str(tmp_path / "x.bin"), 8899, None, progress.append).error


CTRL_C = """
import os, signal, sys
from pathlib import Path
from rct_tools.survey import survey_all

if __name__ == "__main__":
    jobs = [(name, None) for name in sys.argv[1:]]
    def advance(size):
        if size > 0:
            print("reading", flush=True)
            os.kill(os.getpid(), getattr(signal, os.environ["END"]))
    try:
        for found in survey_all(jobs, 8899, advance):
            pass
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals between processes")
@pytest.mark.parametrize(("end", "code"), [("SIGINT", 0), ("SIGKILL", -9)])
def test_many_are_given_up_at_once(tmp_path: Path, end: str, code: int) -> None:
    """Neither Ctrl-C nor the end of the first process leaves others behind: the pipe would stay open."""
    stream = (b"\0" + Frame(Command.RESPONSE, SOC.object_id, SOC.encode(0.5)).encode()) * 1_000_000
    names = []
    for number in range(24):
        path = tmp_path / f"{number}.bin"
        path.write_bytes(stream) if not number else path.hardlink_to(tmp_path / "0.bin")
        names.append(str(path))
    script = tmp_path / "script.py"
    script.write_text(CTRL_C)
    done = subprocess.run(
        [sys.executable, script, *names], env={**os.environ, "END": end}, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    assert done.stdout.startswith("reading\n")
    assert ("interrupted" in done.stdout) == (end == "SIGINT")
    assert "Traceback" not in done.stderr


KILLED = """
import multiprocessing, os, sys
from rct_tools.errors import CaptureError
from rct_tools.survey import survey_all

if __name__ == "__main__":
    def advance(size):
        for process in multiprocessing.active_children():
            process.kill()
    try:
        list(survey_all([(name, None) for name in sys.argv[1:]], 8899, advance))
    except CaptureError as exc:
        print(exc)
"""


def test_a_process_that_is_killed_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"\0" * 30_000_000)
    script = tmp_path / "script.py"
    script.write_text(KILLED)
    done = subprocess.run(
        [sys.executable, script, *[tmp_path / "a.bin"] * 3], capture_output=True, text=True, check=False
    )
    assert done.stdout == "a process that read captures was ended by the system; is there enough memory?\n", done.stderr


def test_many_at_once(tmp_path: Path) -> None:
    names = [capture(tmp_path / f"{number}.rctcap.gz", CHUNKS[number:]) for number in range(3)]
    tables = [tmp_path / f"{number}.parquet" for number in range(3)]
    jobs = [*zip(names, tables, strict=True), (str(tmp_path / "missing.bin"), None)]
    read_bytes: list[int] = []
    *found, missing = survey_all(jobs, 8899, read_bytes.append)
    assert [item.name for item in found] == names
    assert [item.summary.counters.frames.total() for item in found] == [10, 9, 8]
    assert [pyarrow.parquet.read_table(path).num_rows for path in tables] == [10, 9, 8]
    assert "no such file" in missing.error
