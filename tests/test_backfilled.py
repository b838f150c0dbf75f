"""Readings that were backfilled: every destination says so, and what was read live stays as it was."""

from __future__ import annotations

import asyncio
import csv
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.dataset
import pyarrow.parquet
import pytest
from test_dashboard_influx import DOCUMENTED, FILLED_IN, QUERIES
from test_sinks import NOON, URLS
from test_sinks_parquet import MIDNIGHT, OVER, Clock, names

from rct_tools.errors import SinkError
from rct_tools.lineprotocol import SCHEMAS, to_line, to_points
from rct_tools.objects import registry
from rct_tools.outbox import Outbox
from rct_tools.reading import Reading
from rct_tools.sinks import SINKS, open_sink, settings_for
from rct_tools.sinks.parquet import ParquetSink
from rct_tools.sinks.prometheus import PrometheusSink
from rct_tools.sinks.sqlite import query
from rct_tools.sinks.topics import Rules, Topics
from rct_tools.spool import Spool
from rct_tools.times import SECOND
from rct_tools.values import Cell

from servers import InfluxServer

SOC = registry["battery.soc"]
PAIR = [Reading(NOON, "roof", SOC, 0.5), Reading(NOON + 1, "roof", SOC, 0.25, backfilled=True)]


@asynccontextmanager
async def running(outbox: Outbox) -> AsyncIterator[None]:
    job = asyncio.create_task(outbox.run())
    yield
    outbox.finish()
    await job


# --- files ------------------------------------------------------------------------------------------------------------


def marks_of_csv(folder: Path) -> list[object]:
    with (folder / "readings.csv").open(encoding="utf-8", newline="") as file:
        return [row["backfilled"] == "true" for row in csv.DictReader(file)]


def marks_of_lines(path: Path) -> list[object]:
    return [json.loads(line).get("backfilled", False) for line in path.read_text("utf-8").splitlines()]


MARKS: dict[
    str, Callable[[Path], list[object]]
] = {  # whether the readings in a file are backfilled, as somebody reads it
    "sqlite": lambda folder: [row.backfilled for row in query(folder / "readings.db")],
    "jsonl": lambda folder: marks_of_lines(folder / "readings.jsonl"),
    "csv": marks_of_csv,
    "parquet": lambda folder: marks_of_lines(folder / "readings" / "_2026-06-21.jsonl"),
}


def test_every_file_is_known() -> None:
    assert {scheme for scheme, kind in SINKS.items() if kind.makes_files} == MARKS.keys()


@pytest.mark.parametrize("spooled", [False, True])
@pytest.mark.parametrize("scheme", MARKS)
async def test_files_keep_the_mark_also_by_way_of_an_outbox(scheme: str, spooled: bool, tmp_path: Path) -> None:
    sink = open_sink(settings_for(URLS[scheme].format(folder=tmp_path)))
    outbox = Outbox(scheme, sink.write, spool=Spool(tmp_path / "x.spool") if spooled else None)
    outbox.put(PAIR)
    async with running(outbox):
        pass
    await sink.close()
    assert MARKS[scheme](tmp_path) == [False, True]


async def test_jsonl_of_what_was_read_live_is_as_before(tmp_path: Path) -> None:
    sink = open_sink(settings_for(f"jsonl:{tmp_path}/x.jsonl"))
    await sink.write(PAIR)
    await sink.close()
    live, backfilled = map(json.loads, (tmp_path / "x.jsonl").read_text("utf-8").splitlines())
    assert list(live) == ["time", "inverter", "object", "value", "unit"]
    assert backfilled == live | {"time": "2026-06-21T12:00:00.000000002+00:00", "value": 0.25, "backfilled": True}


FORMER = "time,inverter,object,value,unit\n2026-06-21T11:00:00.000000000+00:00,roof,battery.soc,0.75,ratio\n"


async def test_csv_with_the_columns_of_an_earlier_version_is_put_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "readings.csv"
    path.write_text(FORMER + "2026-06-21T11:00:01")  # the last writer was stopped there
    sink = open_sink(settings_for(f"csv:{path}"))
    await sink.write(PAIR)
    await sink.close()
    aside = tmp_path / names(tmp_path)[0]
    assert re.fullmatch(r"readings-\d{8}T\d{6}Z\.csv", aside.name)
    assert aside.read_text() == FORMER
    assert path.read_text().startswith("time,inverter,object,value,unit,backfilled\n2026-06-21T12:00:00")
    assert caplog.messages == [
        f"{path}: had the columns of an earlier version; it is now {aside.name}, and a new one is begun"
    ]
    everything = (
        f"SELECT value, backfilled FROM read_csv('{tmp_path}/readings*.csv*', union_by_name = true) ORDER BY time"
    )
    assert duckdb.connect().execute(everything).fetchall() == [(0.75, None), (0.5, None), (0.25, True)]
    await open_sink(settings_for(f"csv:{path}")).close()  # and no more of this
    assert names(tmp_path) == [aside.name, path.name]


async def test_csv_of_an_earlier_version_that_cannot_be_put_aside_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = tmp_path / "readings.csv"
    path.write_text(FORMER)
    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(SinkError, match=r"earlier version, and cannot be put aside: Permission denied$"):
        open_sink(settings_for(f"csv:{path}"))
    assert path.read_text() == FORMER


FORMER_LINE = (
    '{"time": 1782043200000000001, "inverter": "roof", "object": "battery.soc", "value": 0.75, "text": null, '
    '"unit": "ratio"}\n'
)


async def test_parquet_of_earlier_versions_and_new_ones_are_read_together(tmp_path: Path) -> None:
    (tmp_path / "_2026-06-21.jsonl").write_text(FORMER_LINE)  # it was going on when the version changed
    clock = Clock()
    sink = ParquetSink(tmp_path, clock=clock)
    before, after = (
        [Reading(MIDNIGHT + n * 86_400 * SECOND + k, "roof", SOC, 0.25, backfilled=k == 1) for k in range(2)]
        for n in (-2, 0)
    )
    await sink.write([*PAIR, *before, *after])
    clock.now = OVER + 3 * 86_400 * SECOND
    await sink.write([])
    await sink.write([])
    await sink.close()
    today = tmp_path / "readings-2026-06-21.parquet"
    assert pyarrow.parquet.read_table(today)["backfilled"].to_pylist() == [False, False, True]
    # As an earlier version has written it; the files before and after it have the column.
    pyarrow.parquet.write_table(pyarrow.parquet.read_table(today).drop_columns("backfilled"), today)
    assert len(names(tmp_path)) == 3
    files = f"read_parquet('{tmp_path}/*.parquet', union_by_name = true)"
    rows = duckdb.connect().execute(f"SELECT backfilled FROM {files} ORDER BY time").fetchall()
    assert [mark for (mark,) in rows] == [False, True, None, None, None, False, True]
    table = pyarrow.dataset.dataset(tmp_path, format="parquet").to_table()
    assert sorted(map(str, table["backfilled"].to_pylist())) == sorted(str(mark) for (mark,) in rows)


# --- databases --------------------------------------------------------------------------------------------------------

LINES = [  # schema, what the series of a backfilled reading is called
    ("pv", SOC, 0.5, "pv,inverter=roof,backfilled=true"),
    ("groups", SOC, 0.5, "battery,inverter=roof,name=NAME,backfilled=true"),
    ("groups", registry["svnversion"], "6a", "device,inverter=roof,name=NAME,backfilled=true"),
    (
        "groups", registry["battery.cells[3]"], (Cell(21, 3.305, 0),),
        "battery,inverter=roof,name=NAME,backfilled=true,module=3,cell=0",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "info", "value", "series"), LINES)
def test_a_tag_only_where_it_is_true(schema: str, info: Any, value: Any, series: str) -> None:
    readings = [Reading(7, "roof", info, value, backfilled=backfilled) for backfilled in (True, False)]
    points = to_points(row for reading in readings for row in SCHEMAS[schema](reading, "NAME"))
    backfilled, live = map(to_line, points)
    assert backfilled.startswith(f"{series} ")
    assert live == backfilled.replace(",backfilled=true", "")


async def test_dashboard_and_documented_queries_go_on_over_a_filled_gap(tmp_path: Path) -> None:
    """A sum is that of all strings, and a line stays one line."""
    server = InfluxServer(tmp_path)
    await server.start()
    try:
        for schema in ("groups", "pv"):
            sink = open_sink(settings_for(f"influx://{server.address}/{schema}", schema=schema))
            start = NOON - 3600 * SECOND
            strings = [f"dc_conv.dc_conv_struct[{n}].p_dc" for n in range(2)]
            readings = [
                Reading(start + n * 300 * SECOND, "roof", registry[name], 100.0, backfilled=3 <= n < 6)
                for n in range(12)
                for name in strings
            ]
            await sink.write(readings)
            await sink.write(readings)
            await sink.close()
        assert len(await server.query("SELECT value FROM dc_conv", "groups")) == len(readings)
        filter_live = "SELECT value FROM dc_conv WHERE backfilled = ''"
        assert len(await server.query(filter_live, "groups")) == 18
        sums = [query for _, query in QUERIES if "sum(" in query and "dc_conv" in query]
        assert sums
        for text in sums:
            filled_in = re.sub("|".join(map(re.escape, FILLED_IN)), lambda name: FILLED_IN[name[0]], text)
            shown = [
                row for row in await server.query(filled_in.replace("1m", "5m"), "groups") if row["sum"] is not None
            ]
            assert {row["sum"] for row in shown} == {200.0}
    finally:
        server.stop()


def test_no_query_of_ours_tells_series_apart_by_all_tags() -> None:
    assert [title for title, text in QUERIES if "GROUP BY *" in text] == []
    assert not any("GROUP BY *" in text for text in DOCUMENTED)


# --- what shows only what is ------------------------------------------------------------------------------------------


def topics(board: Topics, *readings: Reading) -> list[tuple[str, Mapping[str, Any]]]:
    messages, states = board.take(readings, NOON + 2)
    board.keep(states)
    return [(message.topic, json.loads(message.payload)) for message in messages]


def test_no_topic_shows_it_however_young_it_is() -> None:
    board = Topics("rct", "rct/status", [], Rules(is_json=True))
    _, backfilled = PAIR
    late = {
        "object": "battery.soc", "value": 0.25, "unit": "ratio", "time": "2026-06-21T12:00:00.000000002+00:00",
        "backfilled": True,
    }  # fmt: skip
    assert topics(board, backfilled) == [("rct/roof/late", late)]
    assert board.all_shown(NOON + 2) == []
    ((topic, shown), second) = topics(board, *PAIR)
    assert (topic, shown["value"], "backfilled" in shown) == ("rct/roof/battery/soc", 0.5, False)
    assert second == ("rct/roof/late", late)
    ((_, payload, _, _),) = board.all_shown(NOON + 2)
    assert json.loads(payload)["value"] == 0.5


async def test_prometheus_never_shows_it() -> None:
    sink = PrometheusSink("127.0.0.1", 0, clock=lambda: NOON + 2)
    await sink.write(PAIR[1:])
    assert list(sink._known()) == []
    await sink.write(PAIR)
    assert [value for _, _, value in sink._known()] == [0.5]
    await sink.close()


async def test_console_marks_it(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    sink = open_sink(settings_for("console:"))
    await sink.write(PAIR)
    live, backfilled = capfdbinary.readouterr().out.decode().splitlines()
    assert live.endswith("2026-06-21T12:00:00.000+00:00")
    assert backfilled.endswith("2026-06-21T12:00:00.000+00:00  backfilled")
