"""rct backfill: killed anywhere and run again, every reading is there once; and what it says."""

from __future__ import annotations

import asyncio
import json
import random
import re
import shlex
import sqlite3
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import pytest
from remembered import remembered

from rct_tools.clock import Clock
from rct_tools.config import load_plan
from rct_tools.logged import LOGGED, SLOT, told_of
from rct_tools.simulator import Simulator
from rct_tools.simulator.faults import parse_faults
from rct_tools.times import SECOND, parse_iso_time

from programs import ROOT, Done, finish, run, running

Row: TypeAlias = tuple[str, int, float, bool]  # object, time, value, whether it is marked

LAGOS = Clock.of("Africa/Lagos")  # an hour before UTC all the year: no hour of today is there twice, or missing
ZONE = ("--time-zone", "Africa/Lagos")
START = datetime.now(LAGOS.zone).replace(tzinfo=UTC)  # what clocks show, when a test begins
NOW = LAGOS.utc(int(START.timestamp())) * SECOND
DAY = 86_400 * SECOND
VALUES = sorted(told.info.name for told in told_of(load_plan()))
OBJECTS = [name for name in VALUES if name in LOGGED]
PAGE = (ROOT / "docs" / "backfill.md").read_text("utf-8")
ALL_FAULTS = "cut=0.02,lost=0.02,late=0.02,length=0.01,echo=0.01,plus=0.01,doubled=0.01"  # a tenth of all frames


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the time be that at which the test begins: commands go by the time that it is."""
    start = datetime.now(LAGOS.zone).replace(tzinfo=UTC)
    monkeypatch.setitem(globals(), "START", start)
    monkeypatch.setitem(globals(), "NOW", LAGOS.utc(int(start.timestamp())) * SECOND)


def simulator(spec: str = "", **options: Any) -> Simulator:
    """Return an inverter whose clock shows the time of its zone when the test began, and stands still."""
    return Simulator(port=0, latency=0.0, broadcast=False, speed=0.0, start=START, faults=parse_faults(spec), **options)


def here_and_now() -> Simulator:
    """Return an inverter for commands that go by the time that it is."""
    start = datetime.now(ZoneInfo("Europe/Berlin")).replace(tzinfo=UTC)  # which is that of the page
    return Simulator(port=0, latency=0.0, broadcast=False, speed=1.0, start=start)


def arguments(simulated: Simulator, path: Path, *args: object) -> tuple[object, ...]:
    address = ("--host", "127.0.0.1", "--port", simulated.port, "--name", "roof")
    kind = "jsonl" if path.suffix == ".jsonl" else "sqlite"
    return ("backfill", *address, *ZONE, "--sink", f"{kind}:{path}", *args)


async def backfill(simulated: Simulator, path: Path, *args: object) -> Done:
    return await run("rct", *arguments(simulated, path, *args))


def stored(path: Path, *, events: bool = False) -> Mapping[tuple[str, int], float]:
    """Return the values of readings in a file by their objects and times; each is there once; all but events are
    marked, and events are left out unless they are what is asked for.
    """
    try:
        rows = list(_in_lines(path) if path.suffix == ".jsonl" else _in_database(path))
    except (FileNotFoundError, sqlite3.OperationalError):  # it is just being made
        return {}
    rows = [row for row in rows if row[0].startswith("event.") == events]
    assert all(is_marked != events for *_, is_marked in rows)
    found = {(name, time): value for name, time, value, _ in rows}
    assert len(found) == len(rows)
    return found


def _in_database(path: Path) -> Iterator[Row]:
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as database:
        yield from database.execute("SELECT object, time_ns, value, backfilled FROM readings")


def _in_lines(path: Path) -> Iterator[Row]:
    for line in path.read_bytes().splitlines(keepends=True):
        if line.endswith(b"\n"):  # else it is just being written
            row = json.loads(line)
            time = parse_iso_time(row["time"])
            assert time is not None
            yield row["object"], time, row["value"], row.get("backfilled", False)


def since(days: float) -> str:
    """Return the beginning of five minutes some days ago, which does not move while a test runs."""
    return datetime.fromtimestamp((NOW - days * DAY) // SLOT * SLOT / SECOND, UTC).isoformat()


def begin(days: float) -> int:
    return round((NOW - days * DAY) // SLOT * SLOT)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such end of a process")
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("name", "spec", "days"),
    [("a.db", "", 3), ("a.jsonl", "", 3), ("a.db", ALL_FAULTS, 2)],
    ids=["sqlite", "jsonl", "a tenth damaged"],
)
async def test_killed_again_and_again_until_all_is_there_once(name: str, spec: str, days: int, tmp_path: Path) -> None:
    path, chance = tmp_path / name, random.Random(5)
    args = ("--since", since(days), "--until", since(0))
    whole = len(VALUES) * days * 288
    async with simulator(spec) as simulated:
        killed = 0
        for kill in range(4):
            before = len(stored(path))
            target = before if kill == 3 else before + chance.randrange(1, whole // 12)
            async with running("rct", *arguments(simulated, path, *args)) as process:
                while len(stored(path)) < target and process.returncode is None:  # noqa: ASYNC110  # of another process
                    await asyncio.sleep(0.02)
                await asyncio.sleep(chance.random() / 10)
                if process.returncode is None:
                    process.kill()
                    killed += 1
            assert len(stored(path)) >= before
        assert killed > 1
        done = await backfill(simulated, path, *args)
        assert done.code == 0, done.err
        expected = remembered(simulated, LAGOS, begin(days), begin(0), *OBJECTS)
        found = stored(path)
        assert {key: value for key, value in found.items() if key[0] in LOGGED} == expected
        assert len(found) == whole
        happened = [e.time for e in simulated.inverter.history._events if begin(days) <= LAGOS.utc(e.time) * SECOND]
        begun = sorted(time // SECOND for name, time in stored(path, events=True) if name == "event.begin")
        assert begun == [LAGOS.utc(time) for time in happened]
        again = await backfill(simulated, path, *args)
        assert again.code == 0
        assert again.out.endswith(f"{path}: roof: lacks nothing\n")
        assert stored(path) == found


async def test_commands_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    (block,) = re.findall(r"```console\n(\$ rct backfill --host(?:.*\n)*?)```", PAGE)
    examples = re.findall(r"\$ (.*)\n(.*\n)", block)
    assert len(examples) == 2
    async with here_and_now() as simulated:
        for command, output in examples:
            program, *args = shlex.split(command.replace("192.0.2.7", f"127.0.0.1 --port {simulated.port}"))
            done = await run(program, *args, "--name", "192.0.2.7")
            assert (done.code, done.err) == (0, "")
            assert re.sub(r"\d+", "0", done.out) == re.sub(r"\d+", "0", output)


async def test_python_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    (source,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    async with here_and_now() as simulated:
        source = source.replace('connect("192.0.2.7"', f'connect("127.0.0.1", {simulated.port}')
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", source, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        done = await finish(process)
    assert (done.code, done.err) == (0, "")
    assert int(done.out) in range(len(VALUES) * 286, len(VALUES) * 288 + 1)


def test_the_page_names_every_object() -> None:
    rows = [line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `")]
    named = {n for row in rows for n in re.findall(r"`([a-z_0-9.\[\]]+)`", row)}
    for name in LOGGED:
        base = name.replace("[1]", "[0]").replace("[2]", "[0]")
        assert {name, base} & named or name.endswith(".p_dc_lp"), name


async def test_rows_of_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    args = ("--since", since(1), "--until", since(0), "--format", "jsonl")
    async with simulator() as simulated:
        done = await backfill(simulated, path, *args, "--dry-run")
        row = json.loads(done.out)
        lacking = len(VALUES) * 288
        assert row == {
            "inverter": "roof", "sink": str(path), "lacking": lacking, "filled": 0, "since": None, "until": None,
            "unsure": 0, "unfit": {}, "events": 0, "questions": row["questions"], "error": None,
        }  # fmt: skip
        assert row["questions"] in (22 * 8, 22 * 9)
        assert stored(path) == {}
        done = await backfill(simulated, path, *args)
        row = json.loads(done.out)
        assert (row["lacking"], row["filled"], row["questions"], row["error"]) == (lacking, lacking, None, None)
        times = [time for _, time in stored(path)]
        assert [datetime.fromisoformat(row[key][:19] + "+00:00").timestamp() for key in ("since", "until")] == [
            min(times) // SECOND, max(times) // SECOND,
        ]  # fmt: skip


async def test_all_inverters_and_stores_of_a_configuration(tmp_path: Path) -> None:
    config = tmp_path / "rct.toml"
    async with simulator() as roof, simulator(seed=1) as barn:
        config.write_text(
            f"""
[[inverter]]
name = "roof"
host = "127.0.0.1"
port = {roof.port}
time_zone = "Africa/Lagos"

[[inverter]]
name = "barn"
host = "127.0.0.1"
port = {barn.port}
time_zone = "Africa/Lagos"
has = ["string A", "string B"]

[[sink]]
url = "sqlite:{(tmp_path / "a.db").as_posix()}"
label = "all"

[[sink]]
url = "sqlite:{(tmp_path / "b.db").as_posix()}"
label = "battery"
objects = ["battery.soc", "power_panel"]

[[sink]]
url = "prometheus:"
"""
        )
        done = await run(
            "rct", "backfill", "--config", config, "--since", since(0.5), "--until", since(0), "--format", "json"
        )
    assert (done.code, done.err) == (0, "prometheus: keeps no past that could be filled\n")
    rows = {(row["inverter"], row["sink"]): (row["lacking"], row["filled"]) for row in json.loads(done.out)}
    of_battery = sum(name.startswith("battery.") for name in VALUES)
    assert rows == {
        ("roof", "all"): (144 * len(VALUES),) * 2,
        ("roof", "battery"): (144 * 2,) * 2,
        ("barn", "all"): (144 * (len(VALUES) - of_battery),) * 2,
        ("barn", "battery"): (144,) * 2,
    }


async def test_one_that_is_away_stops_no_other(tmp_path: Path) -> None:
    config = tmp_path / "rct.toml"
    async with simulator() as roof:
        config.write_text(
            f'[[inverter]]\nname = "nowhere"\nhost = "127.0.0.1"\nport = 1\ntime_zone = "Africa/Lagos"\n'
            f'[[inverter]]\nname = "roof"\nhost = "127.0.0.1"\nport = {roof.port}\ntime_zone = "Africa/Lagos"\n'
            f'[[sink]]\nurl = "sqlite:{(tmp_path / "a.db").as_posix()}"\nlabel = "a"\n'
            f'[[sink]]\nurl = "sqlite:{(tmp_path / "no" / "b.db").as_posix()}"\nlabel = "b"\n'
        )
        done = await run("rct", "backfill", "--config", config, "--since", since(0.5), "--until", since(0))
    lines = done.out.splitlines()
    assert done.code == 1
    assert lines[0] == f"a: nowhere: 0 readings filled; {144 * len(VALUES):,} are still lacking"
    assert lines[1].startswith(f"a: roof: {144 * len(VALUES):,} readings filled, ")
    assert len(lines) == 2
    assert len([line for line in done.err.splitlines() if line.startswith("Error: ")]) == 2


async def test_in_a_wrong_zone_nothing_is_filled(tmp_path: Path) -> None:
    async with simulator() as simulated:
        done = await backfill(simulated, tmp_path / "a.db", "--since", "6h", "--time-zone", "Asia/Tokyo")
    assert done.code == 2
    assert re.search(r"Error: 127.0.0.1:\d+: its clock is \d+ minutes behind .*; nothing is filled", done.err)
    assert stored(tmp_path / "a.db") == {}


ERRORS: list[tuple[tuple[str, ...], str]] = [  # options, what the error says
    ((), "which inverter? Name it with --host, or a configuration with --config"),
    (("--host", ""), "--host"),
    (("--host", "192.0.2.7", "--config", "rct.toml"), "--host and --config cannot go together"),
    (("--name", "roof"), "--name goes with --host; without it, the configuration says all"),
    (("--host", "192.0.2.7", "--since", "tomorrow"), "'tomorrow' is neither a duration"),
    (("--host", "192.0.2.7", "--since", "2999-01-01"), "lies in the future"),
    (("--host", "192.0.2.7", "--since", "1h", "--until", "2h"), "nothing lies between"),
    (("--host", "192.0.2.7", "--time-zone", "Europe/Berlni"), "did you mean Europe/Berlin?"),
    (("--host", "192.0.2.7", "--sink", "console:"), "there is nothing to be filled: name a store with --sink"),
    (("--host", "192.0.2.7", "--sink", "sqlit:"), "did you mean sqlite:///PATH?"),
]


@pytest.mark.parametrize(("options", "message"), ERRORS)
async def test_bad_input(
    options: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    done = await run("rct", "backfill", *options, HOME=str(tmp_path), XDG_CONFIG_HOME=str(tmp_path), RCT_CONFIG="")
    assert (done.code, done.out) == (2, "")
    assert message in done.err.splitlines()[-1]
