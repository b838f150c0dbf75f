"""rct replay: a capture shown at its pace, and served as an inverter."""

from __future__ import annotations

import asyncio
import csv
import json
import re
import signal
import sys
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from io import FileIO
from pathlib import Path

import pytest

from rct_tools.capture import Chunk, Direction, write_capture
from rct_tools.cli import replay as command
from rct_tools.client import connect
from rct_tools.frame import Command, Frame
from rct_tools.objects import registry
from rct_tools.times import SECOND

from peers import response
from programs import finish, run, running

T0 = 1_700_000_000 * SECOND  # 2023-11-14 22:13:20 UTC
READ_SOC = Frame(Command.READ, registry["battery.soc"].object_id).encode()
CHUNKS = [
    Chunk(T0, Direction.RECEIVED, response("battery.soc", 0.25)),
    Chunk(T0 + 90 * SECOND, Direction.SENT, READ_SOC),
    Chunk(T0 + 90 * SECOND + 60_000_000, Direction.RECEIVED, response("battery.soc", 0.5)[:4]),
    Chunk(T0 + 90 * SECOND + 70_000_000, Direction.RECEIVED, response("battery.soc", 0.5)[4:] + b"\0+\x05\x08"),
    Chunk(T0 + 100 * SECOND, Direction.RECEIVED, response("prim_sm.island_flag", 0), 1),
]
unix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals between processes")


def record(path: Path, chunks: list[Chunk]) -> str:
    with FileIO(path, "xb+") as file, write_capture(file, path.name) as write:
        for chunk in chunks:
            write(chunk)
    return str(path)


@pytest.fixture
def capture(tmp_path: Path) -> str:
    return record(tmp_path / "roof.rctcap", CHUNKS)


# --- shown ----------------------------------------------------------------------------------------------------------


async def test_shows_frames_with_their_own_times(capture: str) -> None:
    done = await run("rct", "replay", capture, "--speed", 1000, TZ="UTC")
    assert done.code == 0
    assert [line.split() for line in done.out.splitlines()] == [
        ["1", "1", "22:13:20.000", "<", "RESPONSE", "battery.soc", "25.0", "%"],
        ["2", "0", "22:14:50.000", ">", "READ", "battery.soc"],
        ["3", "15", "22:14:50.070", "<", "RESPONSE", "battery.soc", "50.0", "%"],
        ["4", "1", "22:15:00.000", "<1", "RESPONSE", "prim_sm.island_flag", "0"],
        ["29", "22:14:50.070", "<", "bad", "truncated", "3", "bytes:", "2b", "05", "08"],
    ]
    assert done.err == f"{capture}: 53 bytes, 4 frames, 1 bad\n"


async def test_shows_payloads_when_asked_for(capture: str) -> None:
    done = await run("rct", "replay", capture, "--speed", 0, "-v")
    assert done.out.splitlines()[0].endswith("25.0 %  | 3e 80 00 00")


@pytest.mark.parametrize("output_format", ["jsonl", "csv"])
async def test_rows(capture: str, output_format: str) -> None:
    done = await run("rct", "replay", capture, "--speed", 0, "--format", output_format)
    lines = done.out.splitlines()
    rows = [json.loads(line) for line in lines] if output_format == "jsonl" else list(csv.DictReader(lines))
    assert [(row["time"], row["direction"], int(row["connection"])) for row in rows] == [
        ("2023-11-14T22:13:20.000000000+00:00", "<", 0),
        ("2023-11-14T22:14:50.000000000+00:00", ">", 0),
        ("2023-11-14T22:14:50.070000000+00:00", "<", 0),
        ("2023-11-14T22:15:00.000000000+00:00", "<", 1),
        ("2023-11-14T22:14:50.070000000+00:00", "<", 0),
    ]
    assert rows[4]["bad"] == "truncated"
    assert float(rows[0]["value"]) == 0.25


async def test_waits_as_long_as_the_inverter_did_not_speak(capture: str) -> None:
    async with running("rct", "replay", capture, "--speed", 1) as process:
        assert process.stdout
        assert b"25.0 %" in await process.stdout.readline()
        with pytest.raises(TimeoutError):  # the next comes after 90 s
            await asyncio.wait_for(process.stdout.readline(), 0.2)
        assert process.returncode is None


@unix
async def test_ctrl_c_ends_it(capture: str) -> None:
    async with running("rct", "replay", capture) as process:
        assert process.stdout
        await process.stdout.readline()
        process.send_signal(signal.SIGINT)
        done = await finish(process)
    assert (done.code, done.out, done.err.strip()) == (130, "", "")


async def test_a_capture_without_times_comes_at_once_and_says_so(tmp_path: Path) -> None:
    received = [chunk for chunk in CHUNKS if chunk.direction is Direction.RECEIVED]
    path = record(tmp_path / "roof.bin", received)
    done = await run("rct", "replay", path)
    assert done.code == 0
    names = re.findall(r"RESPONSE +(\S+)|(bad truncated)", done.out)
    assert [name or bad for name, bad in names] == [
        "battery.soc",
        "battery.soc",
        "bad truncated",
        "prim_sm.island_flag",
    ]
    assert done.err.splitlines() == [
        f"{path}: keeps no times, so all of it comes at once", f"{path}: 44 bytes, 3 frames, 1 bad"
    ]  # fmt: skip


async def test_damage_is_said_and_the_rest_is_shown(capture: str) -> None:
    with FileIO(capture, "rb+") as file:
        file.write(b"?")
    done = await run("rct", "replay", capture, "--speed", 0)
    assert (done.code, len(done.out.splitlines())) == (0, 4)
    assert f"{capture}: byte 0: line 1 holds no chunk\n" in done.err


# --- served ---------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def serving(*args: object) -> AsyncIterator[tuple[Process, int, str]]:
    """Run the command and yield its process, its port and what it says of itself."""
    async with running("rct", "replay", *args, "--serve", 0, TZ="UTC") as process:
        assert process.stdout
        line = (await process.stdout.readline()).decode()
        found = re.match(r"\S+:(\d+): the inverter of ", line)
        assert found, line
        yield process, int(found[1]), line


async def test_serves_until_the_capture_ends(capture: str) -> None:
    async with serving(capture, "--speed", 10) as (process, port, line):
        assert line == (
            f"127.0.0.1:{port}: the inverter of {capture}, which begins 2023-11-14 22:13:20.000, "
            "with its first client; Ctrl-C ends it\n"
        )
        async with connect("127.0.0.1", port, timeout=20) as inverter:
            assert (await inverter.read("battery.soc")).value == 0.25
            flag = await anext(reading async for reading in inverter.listen() if reading.object.name.startswith("prim"))
            assert flag.value == 0
        done = await finish(process)
    assert done == (0, f"{capture}: told to its end, 2023-11-14 22:15:00.000\n", "")


@unix
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
async def test_serving_ends_on(capture: str, number: signal.Signals, code: int) -> None:
    async with serving(capture) as (process, port, _), connect("127.0.0.1", port, timeout=20) as inverter:
        await inverter.read("battery.soc")
        process.send_signal(number)
        done = await finish(process)
    assert (done.code, done.out, done.err.strip()) == (code, "", "")


async def test_warns_when_others_can_reach_it(capture: str) -> None:
    async with serving(capture, "--host", "0.0.0.0") as (process, _, _):  # the point of the test
        assert process.stderr
        assert b"Others in your network can reach it too: it tells all" in await process.stderr.readline()


async def test_a_port_in_use_is_said_in_one_line(capture: str) -> None:
    async with serving(capture) as (_, port, _):
        done = await run("rct", "replay", capture, "--serve", port)
    assert done == (1, "", f"Error: cannot listen on 127.0.0.1:{port}: address already in use; choose another port\n")


async def test_what_cannot_be_served(tmp_path: Path) -> None:
    done = await run("rct", "replay", record(tmp_path / "roof.bin", CHUNKS[:1]), "--serve", 0)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("Error: the capture keeps no times")


# --- mistakes, and the line of status -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "code", "error"),
    [
        (("nothing.rctcap",), 1, "nothing.rctcap: no such file or directory"),
        (("nothing.rctcap", "--serve", "0"), 1, "nothing.rctcap: no such file or directory"),
        (("x", "--host", "127.0.0.1"), 2, "--host goes with --serve only"),
        (("x", "--serve", "0", "--format", "csv"), 2, "--format does not go with --serve"),
        (("x", "--serve", "0", "--speed", "0"), 2, "--speed 0 leaves no rhythm to serve"),
        (("x", "--serve", "0", "--speed", "nan"), 2, "--speed is no number to multiply time with"),
        (("x", "--speed", "inf"), 2, "--speed is no number to multiply time with"),
        (("",), 2, "is empty"),
    ],
)
async def test_mistakes(args: tuple[str, ...], code: int, error: str) -> None:
    done = await run("rct", "replay", *args)
    assert (done.code, done.out) == (code, "")
    assert error in done.err.splitlines()[-1]


async def test_a_long_wait_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []

    @contextmanager
    def status(title: str) -> Iterator[Callable[[str], object]]:
        yield lambda text: said.append(f"{title}: {text}")

    monkeypatch.setattr(command, "status", status)
    await command._wait("roof", lambda: 0, 0.01)
    assert said == []
    monkeypatch.setattr(command, "_NOTABLE", 0.0)
    await command._wait("roof", lambda: 0, 0.01)
    assert said[0] == "roof: -, next in 0 s"


@unix
@pytest.mark.parametrize(
    ("moment", "zone", "text"),
    [
        (T0, "UTC", "2023-11-14 22:13:20.000"),
        (T0, "UTC-2", "2023-11-15 00:13:20.000"),
        (0, "UTC", "-"),
        (253_402_300_799 * SECOND, "UTC-12", "9999-12-31T23:59:59.000000000+00:00"),  # where the calendar ends
    ],
)
def test_moments(moment: int, zone: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert command._moment(moment) == text
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (119.4, "119 s"), (120, "2 min"), (7199, "120 min"), (3 * 3600, "3 h"), (1e6, "12 d"), (1e300, None)],
)
def test_rough_durations(seconds: float, text: str | None) -> None:
    assert text is None or command._rough(seconds) == text
