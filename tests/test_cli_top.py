"""rct top: rows where there is no terminal, the view where there is one."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import re
import signal
import sys
from collections.abc import Callable, Mapping
from io import FileIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rct_tools.capture import Chunk, Direction, write_capture
from rct_tools.cli import screen
from rct_tools.cli.top import COLUMNS
from rct_tools.health import POWERS
from rct_tools.simulator import Simulator
from rct_tools.times import SECOND

from peers import response
from programs import ROOT, finish, run, running
from servers import free_ports

T0 = 1_700_000_000 * SECOND  # 2023-11-14 22:13:20 UTC
unix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither such signals nor such terminals")
WITHOUT = "import sys; sys.modules['textual'] = None; from rct_tools.cli import main; main()"


def record(path: Path, **values: float) -> str:
    """Write a capture in which an inverter tells some powers; return its path."""
    with FileIO(path, "xb+") as file, write_capture(file, path.name) as write:
        for n, (name, value) in enumerate(values.items()):
            write(Chunk(T0 + n * SECOND // 10, Direction.RECEIVED, response(POWERS.get(name, name), value)))
    return str(path)


@pytest.fixture
def capture(tmp_path: Path) -> str:
    values = {"sun_a": 2500.0, "sun_b": 1712.0, "house": 620.0, "battery": -2950.0, "grid": -642.0}
    return record(tmp_path / "roof.rctcap", **values, **{"battery.soc": 0.631})


# --- rows -----------------------------------------------------------------------------------------------------------


async def test_a_table_in_a_pipe(capture: str) -> None:
    done = await run("rct", "top", capture, "--speed", 0, "--time-zone", "Europe/Berlin")
    assert (done.code, done.err) == (0, "")
    heading, line = done.out.splitlines()
    assert heading == "time         sun W   house W   battery W              charge      grid W"
    assert line == "23:13:20      4212       620        2950 charging     63.1 %         642 feed-in"
    assert done.out.isascii()


async def test_what_is_not_known_is_a_dash(tmp_path: Path) -> None:
    path = record(tmp_path / "roof.rctcap", sun_a=2500.0, house=620.0)
    done = await run("rct", "top", path, "--speed", 0)
    assert done.out.splitlines()[1].split()[1:] == ["-", "620", "-", "-", "-"]


FORMATS: Mapping[str, Any] = {
    "json": json.loads,
    "jsonl": lambda text: [json.loads(line) for line in text.splitlines()],
    "csv": lambda text: list(csv.DictReader(text.splitlines())),
}


@pytest.mark.parametrize("name", FORMATS)
async def test_every_format_has_every_column(capture: str, name: str) -> None:
    done = await run("rct", "top", capture, "--speed", 0, "--format", name)
    (row,) = FORMATS[name](done.out)
    assert tuple(row) == COLUMNS
    assert float(row["sun"]) == 4212.0
    assert float(row["battery"]) == -2950.0
    assert float(row["soc"]) == pytest.approx(0.631)
    assert row["time"].startswith("2023-11-14T22:13:20")
    assert row["used"] in (None, "")


@unix
async def test_an_inverter_is_told_every_two_seconds_and_away_is_said() -> None:
    async with Simulator(port=0, latency=0, speed=0) as simulator:
        arguments = ("--host", "127.0.0.1", "--port", simulator.port, "--format", "jsonl")
        async with running("rct", "top", *arguments) as process:
            assert process.stdout
            row: dict[str, Any] = {}
            async with asyncio.timeout(60):
                while row.get("used") is None:
                    row = json.loads(await process.stdout.readline())
                assert row["house"] == pytest.approx(simulator.house.load)
                assert row["sun"] == pytest.approx(sum(simulator.house.pv))
                assert row["up"] is True
                assert row["faults"] == []
                simulator.night(3600)
                while row["up"]:
                    row = json.loads(await process.stdout.readline())
            assert {row[name] for name in ("sun", "house", "battery", "grid", "soc", "used", "age")} == {None}
            process.send_signal(signal.SIGINT)
            done = await finish(process)
    assert done.code == 130
    assert "trying again" in done.err  # closed, or reset where a request was under way


ERRORS = [  # arguments, exit code, what is said
    ((), 2, "give either --host, --page or a FILE"),
    (("x.rctcap", "--host", "y"), 2, "give either --host, --page or a FILE"),
    (("x.rctcap", "--timeout", "2s"), 2, "--timeout goes with --host only"),
    (("--host", "127.0.0.1", "--speed", "2"), 2, "--speed goes with FILE only"),
    (("x.rctcap", "--speed", "inf"), 2, "--speed is no number to multiply time with"),
    (("x.rctcap", "--time-zone", "Mars"), 2, "'Mars' is no time zone"),
    (("",), 2, "is empty"),
    (("/nowhere/x.rctcap",), 1, "/nowhere/x.rctcap: no such file or directory"),
    ((str(ROOT / "README.md"),), 1, "README.md: keeps no times"),
]


@pytest.mark.parametrize(("args", "code", "said"), ERRORS)
async def test_wrong_use_is_one_line(args: tuple[str, ...], code: int, said: str) -> None:
    done = await run("rct", "top", *args)
    assert (done.code, done.out) == (code, "")
    assert said in done.err.splitlines()[-1]


async def test_nobody_there_is_one_line() -> None:
    done = await run("rct", "top", "--host", "127.0.0.1", "--port", *free_ports(1))
    assert done.code == 1
    assert "cannot connect" in done.err.splitlines()[-1]


async def test_the_python_of_its_page_runs() -> None:
    (source,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "top.md").read_text("utf-8"), re.DOTALL)
    async with Simulator(port=0, latency=0.001, speed=0) as simulator:
        source = source.replace('connect("192.0.2.7"', f'connect("127.0.0.1", {simulator.port}')
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", source, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        done = await finish(process)
        assert (done.code, done.err) == (0, "")
        assert float(done.out.split()[0]) == pytest.approx(simulator.house.load)


# --- on a terminal --------------------------------------------------------------------------------------------------


async def on_terminal(*args: str, press: bytes = b"", when: str = "", **environment: str) -> tuple[int | None, str]:
    """Run Python on a terminal of 80 x 24; return its exit code and all that it wrote.

    Keys follow a text, or, where there are none, the signal that ends it.
    """
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = await asyncio.create_subprocess_exec(
        sys.executable, *args, stdin=theirs, stdout=theirs, stderr=theirs, cwd=ROOT,
        env={**os.environ, "PYTHONUTF8": "1", "TERM": "xterm-256color", **environment},
    )  # fmt: skip
    os.close(theirs)

    def act() -> None:
        if press:
            os.write(ours, press)
        else:
            process.terminate()

    output = await asyncio.to_thread(read_all, ours, act, when)
    os.close(ours)
    return await process.wait(), output


def read_all(terminal: int, act: Callable[[], None], when: str) -> str:
    data, has_acted = b"", False
    while True:
        try:
            more = os.read(terminal, 65536)
        except OSError:  # what Linux says at the end
            more = b""
        if not more:
            return data.decode()
        data += more
        if when and not has_acted and when in data.decode(errors="replace"):
            act()
            has_acted = True


@unix
@pytest.mark.parametrize(("key", "code"), [(b"q", 0), (b"\x03", 130)])
async def test_a_terminal_gets_the_view(capture: str, key: bytes, code: int) -> None:
    found, output = await on_terminal(
        "-m", "rct_tools", "top", capture, "--speed", "0", press=key, when="end of the capture"
    )
    assert found == code
    assert output.startswith("\x1b[?1049h")
    assert "4.21 kW" in output
    assert output.rstrip().endswith("\x1b[?25h") or "\x1b[?1049l" in output
    assert "Traceback" not in output


@unix
@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "vt100"}])
async def test_a_terminal_without_colours_gets_none(capture: str, environment: dict[str, str]) -> None:
    code, output = await on_terminal(
        "-m", "rct_tools", "top", capture, "--speed", "0", press=b"q", when="end of the capture", **environment
    )
    assert code == 0
    assert "4.21 kW" in output
    colours = [
        part.partition("m")[0]
        for part in output.split("\x1b[")[1:]
        if part.partition("m")[0].replace(";", "").isdigit()
    ]
    assert not {number for colour in colours for number in colour.split(";")} & {
        str(n) for n in (*range(30, 39), *range(40, 49))
    }


@unix
async def test_a_dumb_terminal_gets_the_table(capture: str) -> None:
    code, output = await on_terminal("-m", "rct_tools", "top", capture, "--speed", "0", TERM="dumb")
    assert code == 0
    assert "2950 charging" in output
    assert "\x1b" not in output


@unix
async def test_what_ends_the_capture_is_said_after_the_view() -> None:
    code, output = await on_terminal("-m", "rct_tools", "top", str(ROOT / "README.md"))
    assert code == 1
    assert output.rstrip().endswith("keeps no times, so it has no now; .rctcap and .pcapng keep them")
    assert "Traceback" not in output


@unix
async def test_without_textual_there_is_one_line(capture: str) -> None:
    code, output = await on_terminal("-c", WITHOUT, "top", capture)
    assert code == 2
    assert output.strip() == "Error: a live view needs more than the core: pip install 'rct-tools[top]'"
    code, output = await on_terminal("-c", WITHOUT, "top", capture, "--speed", "0", "--format", "csv")
    assert code == 0


@unix
async def test_sigterm_leaves_the_terminal_as_it_was(capture: str) -> None:
    code, output = await on_terminal("-m", "rct_tools", "top", capture, when="4.21 kW")
    assert code == 0
    assert "\x1b[?1049l" in output


def test_a_system_without_a_table_of_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "curses", None)
    monkeypatch.setenv("TERM", "xterm")
    stream = SimpleNamespace(isatty=lambda: True, encoding="UTF-8")
    monkeypatch.setattr(sys, "stdin", stream)
    monkeypatch.setattr(sys, "stdout", stream)
    assert screen.is_screen()
