"""rct demo: what is shown is what was stored, on a terminal and in a pipe."""

from __future__ import annotations

import asyncio
import io
import os
import re
import shlex
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from rich.console import Console

from rct_tools.cli.demo import PLAN, START, _morning
from rct_tools.cli.flows import OBJECTS, Flows, FlowTable, find_flows, flow_line
from rct_tools.config import load_plan
from rct_tools.errors import SinkError
from rct_tools.health import POWERS
from rct_tools.objects import registry
from rct_tools.reading import Reading
from rct_tools.sinks.sqlite import SqliteSink, query
from rct_tools.times import SECOND

from programs import ROOT, finish, run, running

unix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither such signals nor such terminals")

FLOWS: dict[str, Any] = {
    "clock": 1_782_043_200,  # 2026-06-21T12:00 on the inverter's clock
    "sun_a": 2500.0,
    "sun_b": 1712.0,
    "house": 620.0,
    "battery": -2950.0,
    "grid": -642.0,
    "charge": 0.631,
    "made_a_today": 7000.0,
    "made_b_today": 5300.0,
    "used_today": 4100.0,
    "bought_today": 220.0,
    "sold_today": -3150.0,
}


def flows(**changes: float) -> Flows:
    return Flows(**FLOWS | changes)


def draw(*shown: Flows, per_column: int = 1) -> list[str]:
    """Return the lines of the table, as a terminal of 80 by 24 without colours has them."""
    table = FlowTable("A house", "the end", per_column)
    for each in shown:
        table.add(each)
    console = Console(file=io.StringIO(), width=80, height=24, force_terminal=True, no_color=True)
    with console.capture() as capture:
        console.print(table)
    return [re.sub(r"\x1b\[\d*m", "", line).rstrip() for line in capture.get().splitlines()]


def row(label: str, lines: list[str]) -> str:
    return next(line for line in lines if line.startswith(f"│  {label:<8}"))


# --- flows ----------------------------------------------------------------------------------------------------------


def readings(**changes: Any) -> list[Reading]:
    return [Reading(1, "demo", registry[OBJECTS[name]], value) for name, value in (FLOWS | changes).items()]


def test_flows_are_found_in_readings() -> None:
    assert find_flows(readings()) == flows()
    assert find_flows([*readings(), *readings(house=700.0)]) == flows(house=700.0)  # the newest counts


@pytest.mark.parametrize("name", OBJECTS)
def test_no_flows_when_one_is_missing(name: str) -> None:
    assert find_flows([reading for reading in readings() if reading.object.name != OBJECTS[name]]) is None


LINES = [  # what is different, what the line says
    ({}, "21 Jun 12:00  sun 4212 W, house 620 W, battery 63.1 % charging 2950 W, grid feed-in 642 W"),
    ({"battery": 512.0}, "21 Jun 12:00  sun 4212 W, house 620 W, battery 63.1 % discharging 512 W, grid feed-in 642 W"),
    ({"battery": 0.0}, "21 Jun 12:00  sun 4212 W, house 620 W, battery 63.1 % idle, grid feed-in 642 W"),
    ({"grid": 99.0}, "21 Jun 12:00  sun 4212 W, house 620 W, battery 63.1 % charging 2950 W, grid import 99 W"),
    ({"grid": -3.0}, "21 Jun 12:00  sun 4212 W, house 620 W, battery 63.1 % charging 2950 W, grid idle"),
]


@pytest.mark.parametrize(("changes", "line"), LINES)
def test_line(changes: dict[str, float], line: str) -> None:
    assert flow_line(flows(**changes)) == line


def test_table_says_all_without_colours() -> None:
    lines = draw(flows())
    assert "A house  ·  21 June, 12:00" in lines[0]
    assert "the end" in lines[-1]
    assert "4.21 kW  ██████████" in row("Sun", lines)
    assert "A 2.50 kW  B 1.71 kW" in row("Sun", lines)
    assert "0.62 kW" in row("House", lines)
    assert "→ charging     63.1% ████▍░░" in row("Battery", lines)
    assert "→ feed-in" in row("Grid", lines)
    assert "sun 12.3 kWh  house 4.1 kWh  import 0.2 kWh  feed-in 3.1 kWh" in row("Today", lines)


def test_table_shows_where_power_comes_from() -> None:
    lines = draw(flows(battery=700.0, grid=150.0))
    assert "← discharging" in row("Battery", lines)
    assert "← import" in row("Grid", lines)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        dict.fromkeys(FLOWS, 0.0),
        {name: value * 20 for name, value in FLOWS.items() if name != "clock"},
        {"house": -620.0, "charge": -0.1, "sun_a": -2500.0},
    ],
)
@pytest.mark.parametrize("count", [1, 7, 300])
def test_table_fits_a_small_terminal(changes: dict[str, float], count: int) -> None:
    lines = draw(*[flows(**changes)] * count, per_column=2)
    assert len(lines) < 22
    assert all(len(line) == 80 for line in lines)


def test_curves_grow_to_the_right_and_forget_the_left() -> None:
    hours = [flows(sun_a=float(n), sun_b=0.0, clock=3600 * n) for n in range(1, 9)]
    lines = draw(*hours)
    assert "▁▂▃▄▅▆▇█" in lines[9]
    lines = draw(*[flows(sun_a=0.0, sun_b=0.0)] * 200, *hours)
    assert lines[9].startswith(f"│  Sun      {'':48}▁▂▃▄▅▆▇█")


def test_an_empty_table_says_so() -> None:
    assert draw() == ["Waiting for the first values"]


# --- the command ----------------------------------------------------------------------------------------------------


async def test_shows_and_stores_and_says_how_to_look_at_it(tmp_path: Path) -> None:
    path = tmp_path / "my demo.db"
    done = await run("rct", "demo", "--seconds", 8, "--speed", 300, "--store", f"sqlite:{path}")
    stored = list(query(path))
    assert (done.code, done.err) == (0, "")
    assert re.search(r"^A simulated inverter listens on 127\.0\.0\.1:\d+", done.out)
    assert re.search(r"^21 Jun 06:\d\d  sun \d+ W, house \d+ W, battery [\d.]+ % \w+", done.out, re.MULTILINE)
    objects = {reading.object for reading in stored}
    assert f"Stored {len(stored)} readings of {len(objects)} objects, 2026-06-21 0" in done.out
    assert f"in {path} ({path.stat().st_size / 1000:.0f} kB)" in done.out
    assert objects >= {*OBJECTS.values(), "io_board.s0_external_power"}
    assert all(reading.inverter == "demo" for reading in stored)

    rct, *arguments = shlex.split(done.out.splitlines()[-1])
    answer = await run(rct, *arguments)
    assert answer.code == 0
    assert len(answer.out.splitlines()) == sum(reading.object == "battery.soc" for reading in stored) > 1


@unix
async def test_powers_that_were_stored_balance(tmp_path: Path) -> None:
    path = tmp_path / "demo.db"
    async with running("rct", "demo", "--speed", 0, "--store", f"sqlite:{path}") as process, asyncio.timeout(60):
        while not has_all(tmp_path):  # noqa: ASYNC110  # another process stores it
            await asyncio.sleep(0.05)
        process.terminate()
        assert (await finish(process)).code == 0
    value = {reading.object: reading.value for reading in query(path)}
    found = Flows(**{field: value[name] for field, name in OBJECTS.items()})
    # What the inverter loses is the rest, and that is little.
    assert 0 <= found.sun + found.battery + found.grid - found.house < 0.03 * found.sun + 20


@unix
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
async def test_ends_with_a_summary(tmp_path: Path, number: signal.Signals, code: int) -> None:
    async with running("rct", "demo", XDG_DATA_HOME=str(tmp_path), HOME=str(tmp_path)) as process:
        assert process.stdout
        async with asyncio.timeout(60):
            lines = [(await process.stdout.readline()).decode() for _ in range(4)]
        assert "sun" in lines[-1]
        process.send_signal(number)
        done = await finish(process)
    assert done.code == code
    assert re.search(r"Stored \d+ readings of \d+ objects", done.out)
    path = Path(lines[1].strip())
    assert path.is_relative_to(tmp_path)
    assert any(query(path))


async def on_terminal(tmp_path: Path, *python: str, shows: Callable[[str], bool]) -> tuple[int | None, str]:
    """Run a demo on a terminal until that shows something; return its exit code and all that it wrote."""
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = await asyncio.create_subprocess_exec(
        sys.executable, *python, "demo", "--store", f"sqlite:{tmp_path / 'demo.db'}",
        stdin=theirs, stdout=theirs, stderr=theirs, cwd=ROOT,
        env={**os.environ, "PYTHONUTF8": "1", "TERM": "xterm", "COLUMNS": "80", "LINES": "24"},
    )  # fmt: skip
    os.close(theirs)
    output = await asyncio.to_thread(read_all, ours, shows, process.terminate)
    os.close(ours)
    return await process.wait(), output


@unix
async def test_a_terminal_gets_the_live_view(tmp_path: Path) -> None:
    words = ("Simulated inverter", "kW", "Feed in", "cut or damaged", "a column is 30 min", "http://127.")

    def shows(output: str) -> bool:
        return all(word in output for word in words) and has_all(tmp_path)

    code, output = await on_terminal(tmp_path, "-m", "rct_tools", shows=shows)
    assert code == 0
    view, _, after = output.partition("\x1b[?1049h")[2].partition("\x1b[?1049l")
    assert all(word in view for word in words)
    assert "others ask it" not in view  # the collector shares its connection
    assert "Stored " in after


@unix
async def test_a_terminal_without_textual_gets_a_table_that_stays_in_place(tmp_path: Path) -> None:
    without = "import sys; sys.modules['textual'] = None; from rct_tools.cli import main; main()"
    title = "A simulated house, speed 600"
    code, output = await on_terminal(tmp_path, "-c", without, shows=lambda output: output.count(title) >= 2)
    assert code == 0
    assert "\x1b[1A" in output  # the cursor goes up, to draw it anew
    assert "\x1b[?25h" in output.rpartition("╯")[2]  # and is there again at the end
    assert "Stored " in output.rpartition("╯")[2]


def has_all(folder: Path) -> bool:
    """Return whether all that is needed for the flows is stored."""
    with suppress(SinkError):  # it is being made
        return {reading.object for reading in query(folder / "demo.db")} >= set(OBJECTS.values())
    return False


def read_all(terminal: int, shows: Callable[[str], bool], end: Callable[[], None]) -> str:
    data, is_told = b"", False
    while True:
        try:
            more = os.read(terminal, 65536)
        except OSError:  # what Linux says at the end
            more = b""
        if not more:
            return data.decode()
        data += more
        if not is_told and shows(data.decode(errors="replace")):
            end()
            is_told = True


@pytest.mark.parametrize(
    "args", [("--seconds", "0"), ("--seconds", "soon"), ("--speed", "-1"), ("--store", "mqtt://x")]
)
async def test_wrong_options(args: tuple[str, ...]) -> None:
    done = await run("rct", "demo", *args)
    assert (done.code, done.out) == (2, "")
    assert args[1] in done.err.splitlines()[-1]


def test_plan_asks_for_all_that_a_collector_reads_by_default() -> None:
    assert PLAN.expects.keys() == {*OBJECTS.values(), *load_plan().expects}


async def page_of(process: asyncio.subprocess.Process) -> str:
    """Return the address that a demo says its page has."""
    assert process.stdout
    async with asyncio.timeout(60):
        while not (found := re.search(rb"http://(127\.0\.0\.1:\d+)/", await process.stdout.readline())):
            pass
    return found[1].decode()


NEEDED = {  # where a dash would stand on the page for what a real inverter has
    *POWERS.values(), "battery.soc", "battery.soh", "energy.e_ext_day", "energy.e_dc_month[1]", "battery.bms_sn",
    "prim_sm.state", "svnversion", "power_mng.soc_strategy", "fault[3].flt", "prim_sm.island_flag",
}  # fmt: skip


async def test_the_page_shows_the_house_by_its_clock(tmp_path: Path) -> None:
    store = f"sqlite:{tmp_path / 'demo.db'}"
    async with running("rct", "demo", "--store", store, "--speed", "60") as process, ClientSession() as web:
        url = f"http://{await page_of(process)}/api/"
        async with asyncio.timeout(60):
            known: dict[str, Any] = {}
            while not (known.keys() >= NEEDED and all(value["age"] < value["lasts"] for value in known.values())):
                async with web.get(f"{url}now") as answer:
                    now = await answer.json()
                known = now["inverters"]["demo"]["objects"]
        assert 1_782_021_600 <= now["now"] / 1000 < 1_782_021_600 + 60 * 300  # 2026-06-21T06:00Z
        values: list[float | None] = []
        span = {"since": "2026-06-21T06:00", "names": "battery.soc"}
        async with asyncio.timeout(60):
            for minute in count():  # each time another question, as what was answered is remembered for a while
                params = span | {"until": f"2026-06-21T{9 + minute // 60:02}:{minute % 60:02}"}
                async with web.get(f"{url}curves", params=params) as answer:
                    values = (await answer.json())["curves"].get("battery.soc", {"values": []})["values"]
                if any(values):
                    break
        day = {"since": "2026-06-21T00:00", "until": "2026-06-22T00:00"}
        async with web.get(f"{url}energies", params=day) as answer:
            (slot,) = (await answer.json())["slots"]
        assert not slot["whole"]  # the day is not over
        async with web.get(f"{url}events") as answer:
            events = (await answer.json())["events"]
        assert events
        assert all(event["begin"] <= now["now"] for event in events)


async def test_a_page_that_is_taken_gets_another_port(tmp_path: Path) -> None:
    try:
        taken = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 9834)
    except OSError:
        taken = None  # by somebody else, which is as good
    try:
        async with running("rct", "demo", "--store", f"sqlite:{tmp_path / 'demo.db'}") as process:
            assert not (await page_of(process)).endswith(":9834")
    finally:
        if taken:
            taken.close()


async def test_without_aiohttp_there_is_no_page_and_all_else(tmp_path: Path) -> None:
    without = "import sys; sys.modules['aiohttp'] = None; from rct_tools.cli import main; main()"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", without, "demo", "--seconds", "3", "--store", f"sqlite:{tmp_path / 'demo.db'}",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONUTF8": "1"},
    )  # fmt: skip
    done = await finish(process)
    assert (done.code, done.err) == (0, "")
    assert "There is no page for a browser, which needs more than the core: pip install 'rct-tools[web]'" in done.out
    assert "Stored " in done.out


async def test_each_demo_begins_on_the_morning_after(tmp_path: Path) -> None:
    path = tmp_path / "demo.db"
    assert _morning(path) == START
    sink = SqliteSink(path)
    assert _morning(path) == START  # one that has ended before there was anything
    evening = round(datetime(2026, 6, 24, 22, tzinfo=UTC).timestamp()) * SECOND
    await sink.write([Reading(time, "demo", registry["battery.soc"], 0.5) for time in (SECOND, evening)])
    await sink.close()
    assert _morning(path) == datetime(2026, 6, 25, 6)  # noqa: DTZ001  # as START


async def test_a_file_that_is_no_store_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "demo.db"
    path.write_text("no database at all, but longer than the head of one: " + "x" * 200)
    done = await run("rct", "demo", "--seconds", 3, "--store", f"sqlite:{path}")
    assert done.code == 1
    assert str(path) in done.err
    assert len(done.err.splitlines()) == 1
