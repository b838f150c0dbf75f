"""rct query: what was stored comes back, in every format, from the time that was meant."""

from __future__ import annotations

import asyncio
import csv
import json
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from rct_tools.cli import rct
from rct_tools.cli.query import TimeType
from rct_tools.objects import ObjectInfo, registry
from rct_tools.reading import Reading
from rct_tools.sinks.sqlite import SqliteSink
from rct_tools.times import SECOND
from rct_tools.values import DataType, Value

from programs import run

NOON = 1_782_043_200 * SECOND  # 2026-06-21T12:00:00Z
SUM = ObjectInfo(0, "power_panel", DataType.FLOAT, "W")
STORED: list[tuple[int, ObjectInfo, Value]] = [
    (NOON, registry["battery.soc"], 0.5),
    (NOON + 1, registry["prim_sm.state"], 13),
    (NOON + 2 * SECOND, registry["battery.soc"], float("nan")),
    (NOON + 3 * SECOND, SUM, 4212.5),
    (NOON + 4 * SECOND, registry["inverter_sn"], 'A "B", C'),
]


@pytest.fixture
def store(tmp_path: Path) -> str:
    """The URL of a database that holds STORED."""
    path = tmp_path / "readings.db"

    async def fill() -> None:
        sink = SqliteSink(path)
        await sink.write([Reading(when, "roof", info, value) for when, info, value in STORED])
        await sink.close()

    asyncio.run(fill())
    return f"sqlite:{path}"


def query(store: str, *args: str) -> Result:
    return CliRunner().invoke(rct, ["query", "--store", store, *args])


def objects(store: str, *args: str) -> list[str]:
    result = query(store, "--format", "jsonl", *args)
    assert result.exit_code == 0, result.output
    return [json.loads(line)["object"] for line in result.stdout.splitlines()]


ROWS: list[dict[str, Any]] = [
    {"time": "2026-06-21T12:00:00.000000000+00:00", "inverter": "roof", "object": "battery.soc", "value": 0.5,
     "unit": "ratio"},
    {"time": "2026-06-21T12:00:00.000000001+00:00", "inverter": "roof", "object": "prim_sm.state", "value": 13,
     "unit": ""},
    {"time": "2026-06-21T12:00:02.000000000+00:00", "inverter": "roof", "object": "battery.soc", "value": None,
     "unit": "ratio"},
    {"time": "2026-06-21T12:00:03.000000000+00:00", "inverter": "roof", "object": "power_panel", "value": 4212.5,
     "unit": "W"},
    {"time": "2026-06-21T12:00:04.000000000+00:00", "inverter": "roof", "object": "inverter_sn",
     "value": 'A "B", C', "unit": ""},
]  # fmt: skip


def test_jsonl(store: str) -> None:
    rows = [json.loads(line) for line in query(store, "--format", "jsonl").stdout.splitlines()]
    assert rows == ROWS
    assert list(rows[0]) == ["time", "inverter", "object", "value", "unit"]


def test_json(store: str) -> None:
    assert json.loads(query(store, "--format", "json").stdout) == ROWS


def test_csv(store: str) -> None:
    rows = list(csv.DictReader(query(store, "--format", "csv").stdout.splitlines()))
    shown = [{key: "" if value is None else str(value) for key, value in row.items()} for row in ROWS]
    assert rows == [row | {"backfilled": ""} for row in shown]


async def test_text_has_local_times(store: str) -> None:
    done = await run("rct", "query", "--store", store, TZ="two-2")  # two hours ahead, in summer and winter
    lines = [line.split(maxsplit=3) for line in done.out.splitlines()]
    shown = [(when, name, " ".join(value.split())) for when, _, name, value in lines]
    assert shown == [
        ("2026-06-21T14:00:00.000+02:00", "battery.soc", "50.0 %"),
        ("2026-06-21T14:00:00.000+02:00", "prim_sm.state", f"13 {registry['prim_sm.state'].meaning(13)}".strip()),
        ("2026-06-21T14:00:02.000+02:00", "battery.soc", "nan %"),
        ("2026-06-21T14:00:03.000+02:00", "power_panel", shown[3][2]),
        ("2026-06-21T14:00:04.000+02:00", "inverter_sn", 'A "B", C'),
    ]
    assert shown[3][2].startswith("4212")
    assert shown[3][2].endswith(" W")


CHOICES = [  # options, objects that come
    ([], [info.name for _, info, _ in STORED]),
    (["--object", "battery.soc"], ["battery.soc"] * 2),
    (["--object", "batt"], ["battery.soc"] * 2),
    (["--object", "*_s*"], ["prim_sm.state", "inverter_sn"]),
    (["--object", "0x959930BF"], ["battery.soc"] * 2),
    (["--object", "power_panel"], ["power_panel"]),
    (["--since", "2026-06-21T12:00:03Z"], ["power_panel", "inverter_sn"]),
    (["--until", "2026-06-21T14:00:02+02:00"], ["battery.soc", "prim_sm.state"]),
    (["--since", "2026-06-21T12:00:02Z", "--until", "2026-06-21T12:00:03Z"], ["battery.soc"]),
]


@pytest.mark.parametrize(("options", "expected"), CHOICES)
def test_choice(store: str, options: list[str], expected: list[str]) -> None:
    assert objects(store, *options) == expected


@pytest.mark.parametrize(
    ("output_format", "output"),
    [("text", ""), ("jsonl", ""), ("json", "[]\n"), ("csv", "time,inverter,object,value,unit,backfilled\n")],
)
@pytest.mark.parametrize("options", [["--until", "2000-01-01"], ["--object", "battery.voltage"]])
def test_nothing_is_said_and_no_error(store: str, options: list[str], output_format: str, output: str) -> None:
    result = query(store, "--format", output_format, *options)
    assert (result.exit_code, result.stdout) == (0, output)
    assert result.stderr == f"{store.removeprefix('sqlite:')}: nothing was stored of this\n"


ERRORS = [  # options, exit code, what the error says
    (["--object", "battery.sox"], 2, "battery.soc"),
    (["--since", "yesterday"], 2, "'yesterday' is neither a duration, such as 90m or 7d, nor a time"),
    (["--store", "sqlite:/no/such/file.db"], 1, "/no/such/file.db"),
    (["--store", f"sqlite:{__file__}"], 1, __file__),
    (["--store", "influx://localhost/photovoltaic"], 2, "expected sqlite:///"),
]


@pytest.mark.parametrize(("options", "code", "message"), ERRORS)
async def test_error(tmp_path: Path, options: list[str], code: int, message: str) -> None:
    path = tmp_path / "readings.db"
    sink = SqliteSink(path)
    await sink.write([Reading(NOON, "roof", registry["battery.soc"], 0.5)])
    await sink.close()
    done = await run("rct", "query", "--store", f"sqlite:{path}", *options)
    assert (done.code, done.out) == (code, "")
    assert message in done.err.splitlines()[-1]


# --- times ----------------------------------------------------------------------------------------------------------

MOMENTS = [
    ("2026-06-21T12:00:00Z", NOON),
    ("2026-06-21T14:00:00+02:00", NOON),
    ("2026-06-21T12:00:00.000001+00:00", NOON + 1000),
    ("2026-06-21 12:00Z", NOON),
    ("1969-12-31T23:59:59Z", -SECOND),
]


@pytest.mark.parametrize(("text", "expected"), MOMENTS)
def test_moment(text: str, expected: int) -> None:
    assert TimeType().convert(text, None, None) == expected


@pytest.mark.parametrize("text", ["2026-06-21", "2026-01-21T12:00"])
def test_a_time_without_an_offset_is_local(text: str) -> None:
    local = datetime.fromisoformat(text).timetuple()
    assert TimeType().convert(text, None, None) == int(time.mktime(local)) * SECOND


def test_a_duration_is_so_long_ago() -> None:
    before = time.time_ns()
    found = TimeType().convert("1.5h", None, None)
    assert before <= found + timedelta(hours=1.5) // timedelta(microseconds=1) * 1000 <= time.time_ns()


@pytest.mark.parametrize("text", ["", "1", "1y", "-1h", "12:00", "2026-13-01", "now"])
def test_no_moment(text: str) -> None:
    with pytest.raises(click.BadParameter):
        TimeType().convert(text, None, None)


async def test_times_that_no_database_holds(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    sink = SqliteSink(path)
    await sink.write([Reading(NOON, "roof", registry["battery.soc"], 0.5)])
    await sink.close()
    done = await run("rct", "query", "--store", f"sqlite:{path}", "--since", "99999999w", "--until", "9999-01-01")
    assert (done.code, done.err) == (0, "")
    assert "battery.soc" in done.out


# --- the mark of what was backfilled --------------------------------------------------------------------------------

MARKED = [  # format, the line of a reading that was read live, that of one that was not
    ("jsonl", '"unit": "ratio"}', '"unit": "ratio", "backfilled": true}'),
    ("csv", ",0.5,ratio,", ",0.25,ratio,true"),
    ("text", " 50.0 %", " 25.0 %  backfilled"),
]


@pytest.mark.parametrize(("output_format", "live", "backfilled"), MARKED)
def test_what_was_backfilled_says_so(output_format: str, live: str, backfilled: str, tmp_path: Path) -> None:
    path = tmp_path / "readings.db"
    soc = registry["battery.soc"]

    async def fill() -> None:
        sink = SqliteSink(path)
        await sink.write([Reading(NOON, "roof", soc, 0.5), Reading(NOON + 1, "roof", soc, 0.25, backfilled=True)])
        await sink.close()

    asyncio.run(fill())
    lines = query(f"sqlite:{path}", "--format", output_format).stdout.splitlines()[-2:]
    assert lines[0].endswith(live)
    assert lines[1].endswith(backfilled)
