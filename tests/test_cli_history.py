"""rct history: what an inverter remembers, in every format; files that are gone on with; errors in one line."""

from __future__ import annotations

import asyncio
import csv
import json
import signal
import sys
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from rct_tools.cli.chart import chart
from rct_tools.clock import Clock
from rct_tools.history import HistoryRow
from rct_tools.historyformats import Layout
from rct_tools.series import find_series
from rct_tools.simulator import Simulator
from rct_tools.times import SECOND

from programs import ROOT, Done, finish, run, running
from servers import free_ports

LAGOS = Clock.of("Africa/Lagos")  # an hour before UTC all the year: no hour of today is there twice, or missing
ZONE = ("--time-zone", "Africa/Lagos")


def simulator() -> Simulator:
    """Return an inverter whose clock shows the time of its zone now, and stands still."""
    start = datetime.now(LAGOS.zone).replace(tzinfo=UTC)
    return Simulator(port=0, latency=0.0, broadcast=False, speed=0.0, start=start)


async def history(simulated: Simulator, *args: object, **environment: str) -> Done:
    address = ("--host", "127.0.0.1", "--port", simulated.port)
    async with running("rct", "history", *address, *ZONE, *args, **environment) as process:
        return await finish(process)


def truth(simulated: Simulator, resolution: str, short: str, since: int = 0) -> list[tuple[str, Any]]:
    kept = simulated.inverter.history._series[resolution]
    rows = zip(kept.times, kept.columns[short], strict=True)
    return [(LAGOS.text(LAGOS.utc(time)), pytest.approx(value)) for time, value in rows if time >= since]


async def test_csv_and_json_lines() -> None:
    async with simulator() as simulated:
        asked = ("--since", "3h", "--series", "soc,Pload", "--series", "EA")
        done = await history(simulated, *asked, "--format", "csv")
        assert (done.code, done.err) == (0, "")
        header, *rows = csv.reader(done.out.splitlines())
        assert header == ["time", "Pdc A [W]", "SOC [ratio]", "Pload [W]", "unsure"]
        assert 30 <= len(rows) <= 37
        since = simulated.house.time - len(rows) * 300
        assert [(row[0], float(row[2])) for row in rows] == truth(simulated, "minutes", "soc", int(since))
        assert {row[4] for row in rows} == {""}
        done = await history(simulated, *asked, "--format", "jsonl")
        objects = [json.loads(line) for line in done.out.splitlines()]
        assert [list(each) for each in objects] == [header] * len(objects)
        assert [(each["time"], each["Pload [W]"]) for each in objects] == [(row[0], float(row[3])) for row in rows]
        done = await history(simulated, *asked, "--format", "json")
        assert json.loads(done.out) == objects


async def test_a_table_has_units_and_its_columns_stand_below_each_other() -> None:
    async with simulator() as simulated:
        done = await history(simulated, "--resolution", "month", "--series", "Eload,Egrid feed")
    names, units, *rows = done.out.splitlines()
    assert names.split() == ["month", "Eload", "Egrid", "feed"]
    assert units.split() == ["Wh", "Wh"]
    assert len(rows) > 20
    assert all(row[:7] < later[:7] for row, later in pairwise(rows))
    assert {len(line) for line in done.out.splitlines()} == {len(names)}


async def test_ratios_are_percent_for_people() -> None:
    async with simulator() as simulated:
        done = await history(simulated, "--since", "1h", "--series", "soc")
    _, units, *rows = done.out.splitlines()
    assert units.split() == ["%"]
    assert all(1 <= float(row.split()[-1]) <= 100 for row in rows)


async def test_in_the_wrong_zone_there_may_be_nothing() -> None:
    async with simulator() as simulated:
        done = await history(simulated, "--since", "30m", "--series", "soc", "--time-zone", "Pacific/Kiritimati")
    assert (done.code, done.out) == (0, "")
    message = f"127.0.0.1:{simulated.port}: its log has nothing of this time; is Pacific/Kiritimati the time zone"
    assert done.err.startswith(message)


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
async def test_a_file_is_gone_on_with(suffix: str, tmp_path: Path) -> None:
    path, whole = tmp_path / f"a.{suffix}", tmp_path / "whole.csv"
    async with simulator() as simulated:
        done = await history(simulated, "--since", "2h", "--series", "soc", "-o", path)
        assert (done.code, done.out) == (0, "")
        assert done.err in (f"{path}: {count} rows\n" for count in range(20, 26))
        done = await history(simulated, "--since", "8h", "--series", "soc", "-o", path)
        assert done.code == 0, done.err
        await history(simulated, "--since", "8h", "--series", "soc", "-o", whole)
    lines = whole.read_text("utf-8").splitlines()
    if suffix == "csv":
        assert path.read_text("utf-8").splitlines()[-80:] == lines[-80:]
    assert names_in(tmp_path) == {path.name, whole.name}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals between processes")
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
async def test_what_was_killed_becomes_whole(end: signal.Signals, tmp_path: Path) -> None:
    path, whole = tmp_path / "a.csv", tmp_path / "whole.csv"
    since = datetime.fromtimestamp(datetime.now(UTC).timestamp() - 86_400, UTC).isoformat()
    args = ("--since", since, "--series", "soc,eload")
    async with simulator() as simulated:
        for rows in (2, 50):  # it is ended when there are so many lines more; the first is there before anything comes
            address = ("--host", "127.0.0.1", "--port", str(simulated.port))
            async with running("rct", "history", *address, *ZONE, *args, "-o", path) as process:
                partial, target = tmp_path / "a.csv.partial", 0
                while not target or lines_of(partial) < target:  # what another process does
                    target = target or lines_of(partial) + rows
                    await asyncio.sleep(0.01)
                process.send_signal(end)
                done = await finish(process)
            assert not path.exists()
            if end is signal.SIGINT:
                assert done.code == 130
                assert done.err.rstrip() == f"{partial}: keeps what has come; the same command goes on with it"
        assert (await history(simulated, *args, "-o", path)).code == 0
        assert (await history(simulated, *args, "-o", whole)).code == 0
    assert path.read_text("utf-8") == whole.read_text("utf-8")
    assert len(path.read_text("utf-8").splitlines()) in range(280, 291)


def names_in(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


def lines_of(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


ERRORS: list[tuple[tuple[str, ...], int, str]] = [  # options, exit code, what the error says
    (("--since", "tomorrow"), 2, "'tomorrow' is neither a duration, such as 90m or 7d, nor a time"),
    (("--since", "2999-01-01"), 2, "since 2999-01-01T00:00:00+01:00 lies in the future"),
    (("--until", "2999-01-01"), 2, "until 2999-01-01T00:00:00+01:00 lies in the future"),
    (("--since", "2024-02-01", "--until", "2024-01-01"), 2, "since 2024-02-01T00:00:00+01:00 is not before 2024-01-01"),
    (("--since", "1d", "--until", "1d"), 2, "nothing lies between"),
    (("--series", "soc,sock"), 2, "unknown series of minutes 'sock'; did you mean SOC?"),
    (("--resolution", "day", "--series", "soc"), 2, "unknown series of day 'soc'"),
    (("--resolution", "hours"), 2, "'hours' is not one of 'minutes', 'day', 'month', 'year'"),
    (("--time-zone", "Europe/Belrin"), 2, "'Europe/Belrin' is no time zone; did you mean Europe/Berlin?"),
    (("--format", "parquet"), 2, "give a file, such as -o history.parquet"),
    (("-o", "history.xlsx"), 2, "the format of a file is one of csv, jsonl, parquet"),
    (("-o", "table", "--format", "text"), 2, "the format of a file is one of csv, jsonl, parquet"),
    (("-o", "no/such/folder/a.csv"), 1, "no/such/folder/a.csv.partial: cannot be written"),
    (("-o", __file__, "--format", "csv"), 2, "no history of this resolution and these series, so it is left alone"),
    (("--plot", "a.gif"), 2, "a.gif: a picture is one of .png, .svg, by the suffix of its name"),
]


@pytest.mark.parametrize(("options", "code", "message"), ERRORS)
async def test_errors_are_one_line_and_nothing_is_sent(options: tuple[str, ...], code: int, message: str) -> None:
    async with simulator() as simulated:
        done = await history(simulated, *options)
        assert simulated.inverter._asked == {}
    assert (done.code, done.out) == (code, "")
    (line,) = done.err.splitlines()
    assert message in line


async def test_without_an_inverter_nothing_is_left(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    (port,) = free_ports(1)
    done = await run("rct", "history", "--host", "127.0.0.1", "--port", port, "-o", path)
    assert done.code == 1
    assert "127.0.0.1" in done.err.splitlines()[-1]
    assert names_in(tmp_path) == set()


# --- drawn ---

LAYOUT = Layout("minutes", find_series("minutes", ["soc", "eload"]), Clock.of("Europe/Berlin"))
NOON = 1_718_964_000 * SECOND


def test_a_chart_has_a_line_for_each_series() -> None:
    rows = [
        HistoryRow(NOON + number * 300 * SECOND, {"SOC": number / 100, **({"Pload": 100.0} if number > 50 else {})})
        for number in range(101)
    ]
    soc, load, axis = chart(LAYOUT, rows, 60)
    assert soc == "SOC      0.0 % ▁▁▁▂▂▂▂▂▃▃▃▃▃▄▄▄▄▄▅▅▅▅▅▆▆▆▆▆▇▇▇▇▇████ 100.0 %"
    assert load.split()[:2] == ["Pload", "100.0"]
    assert "     ▁▁▁" in load  # nothing is known of the first half, and nothing drawn
    assert axis.split() == ["2024-06-21", "12:00", "2024-06-21", "20:20"]
    assert {len(line) for line in (soc, load)} == {60}


def test_a_chart_of_little() -> None:
    assert list(chart(LAYOUT, [], 80)) == []
    (soc, _) = chart(LAYOUT, [HistoryRow(NOON, {"SOC": 0.5})], 20)
    assert soc.split() == ["SOC", "50.0", "%", "▁", "50.0", "%"]


async def test_it_draws_in_the_terminal_in_place_of_a_table() -> None:
    async with simulator() as simulated:
        done = await history(simulated, "--since", "5h", "--series", "soc", "--plot", COLUMNS="60")
        assert done.code == 0
        line, _axis = done.out.splitlines()
        assert len(line) == 60
        done = await history(simulated, "--since", "5h", "--series", "soc", "--plot", "--format", "csv")
        assert done.out.startswith("time,SOC [ratio],unsure\n")
        assert done.out.splitlines()[-2].startswith("SOC ")


async def test_without_the_extra_a_picture_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "matplotlib.py").write_text("raise ImportError")
    async with simulator() as simulated:
        path = f"{tmp_path}:{ROOT / 'src'}"
        done = await history(simulated, "--plot", tmp_path / "a.png", PYTHONPATH=path)
    assert (done.code, done.out) == (2, "")
    assert "pip install 'rct-tools[plot]'" in done.err
