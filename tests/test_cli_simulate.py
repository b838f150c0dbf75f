"""rct simulate: an inverter in a process of its own, for other programs."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from rct_tools.client import connect
from rct_tools.errors import NoAnswer
from rct_tools.simulator.faults import FAULTS
from rct_tools.simulator.firmware import FIRMWARE

from programs import finish, run, running
from showing import until

unix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals between processes")


@asynccontextmanager
async def simulating(*args: object) -> AsyncIterator[tuple[Process, int, str]]:
    """Run the command and yield its process, its port and what it says of itself."""
    async with running("rct", "simulate", "--port", 0, *args) as process:
        assert process.stdout
        line = (await process.stdout.readline()).decode()
        found = re.match(r"\S+:(\d+): simulated inverter, ", line)
        assert found, line
        yield process, int(found[1]), line


async def test_answers_the_other_commands() -> None:
    async with simulating("--latency", "1ms", "--no-broadcast") as (_, port, line):
        assert line.startswith(f"127.0.0.1:{port}: ")
        done = await run("rct", "read", "--host", "127.0.0.1", "--port", port, "inverter_sn", "--format", "csv")
        assert done.code == 0
        assert "SIM" in done.out


async def test_a_seed_makes_the_same_house_and_its_clock_runs_as_fast_as_told() -> None:
    async def serial(seed: int) -> object:
        still = ("--seed", seed, "--speed", 0)
        async with simulating(*still) as (_, port, _), connect("127.0.0.1", port, timeout=20) as inverter:
            return (await inverter.read("battery.cells_resist[0]")).value

    assert await serial(5) == await serial(5) != await serial(6)
    async with simulating("--speed", 86_400) as (_, port, _), connect("127.0.0.1", port, timeout=20) as inverter:
        first, second = [(await inverter.read("flash_rtc.time_stamp")).value for _ in range(2)]
        assert isinstance(first, int)
        assert isinstance(second, int)
        assert second - first > 3600


async def test_speaks_unasked() -> None:
    async with simulating() as (_, port, _), asyncio.timeout(60):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await reader.read(1)
        writer.close()
        await writer.wait_closed()


@unix
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
async def test_ends_when_told(number: signal.Signals, code: int) -> None:
    async with simulating() as (process, port, _), connect("127.0.0.1", port, timeout=20) as inverter:
        await inverter.read("battery.soc")
        process.send_signal(number)
        done = await finish(process)
        assert (done.code, done.out, done.err.strip()) == (code, "", "")


async def test_a_port_in_use_is_said_in_one_line() -> None:
    async with simulating() as (_, port, _):
        done = await run("rct", "simulate", "--port", port)
        assert (done.code, done.out) == (1, "")
        assert done.err == f"Error: cannot listen on 127.0.0.1:{port}: address already in use; choose another port\n"


async def test_an_unknown_address_is_said_in_one_line() -> None:
    done = await run("rct", "simulate", "--host", "no-such-host.invalid")
    assert (done.code, done.err) == (1, "Error: cannot listen on no-such-host.invalid:8899: no such host\n")


async def test_warns_when_others_can_reach_it() -> None:
    async with simulating("--host", "0.0.0.0") as (process, _, _):  # the point of the test
        assert process.stderr
        assert b"Others in your network can reach it" in await process.stderr.readline()


async def test_clients_are_named_when_asked_for() -> None:
    async with simulating("-v") as (process, port, _):
        async with connect("127.0.0.1", port, timeout=20):
            pass
        assert process.stderr
        async with asyncio.timeout(60):
            lines = [(await process.stderr.readline()).decode() for _ in range(2)]
        assert re.search(r"127\.0\.0\.1:\d+: connected$", lines[0].strip())
        assert re.search(r"127\.0\.0\.1:\d+: left", lines[1])


async def test_faults_come_upon_a_profile_and_a_script_upon_both(tmp_path: Path) -> None:
    script, truth = tmp_path / "script.toml", tmp_path / "truth.jsonl"
    script.write_text('[[at]]\ntime = "0s"\nfault = "lost=1"\n', "utf-8")
    args = ("--profile", "2.3.5661", "--fault", "segment=0,idle=1m", "--fault", "idle=2m", "--script", script)
    async with simulating(*args, "--latency", "1ms", "--truth", truth) as (_, port, line):
        assert ", faults stub=1,idle=2m; Ctrl-C" in line
        async with connect("127.0.0.1", port, timeout=0.02) as inverter:
            with pytest.raises(NoAnswer):
                await inverter.read("battery.soc")
            # The client has asked three times, and it is told at once.
            await until(lambda: truth.read_text("utf-8").count("\n") >= 3)
        records = [json.loads(line) for line in truth.read_text("utf-8").splitlines(keepends=True) if line[-1] == "\n"]
    assert [record["object"] for record in records[:3]] == ["battery.soc"] * 3
    assert {(record["fault"], record["sent"]) for record in records} == {("lost", "")}
    assert all(record["whole"].startswith("002b0508959930bf") for record in records[:3])


async def test_a_profile_tells_its_version() -> None:
    async with simulating("--profile", "2.3.5673") as (_, port, _), connect("127.0.0.1", port, timeout=20) as inverter:
        assert (await inverter.read("svnversion")).value == "2.3.5673"


FAILING = [  # options, exit code, what is said
    (("--fault", "cutt=0.1"), 2, "fault cutt: unknown key, did you mean 'cut'?"),
    (("--fault", "cut=2"), 2, "fault cut: expected a share from 0 to 1, got 2"),
    (("--script", "missing.toml"), 2, "missing.toml: cannot be read: No such file or directory"),
    (("--truth", "missing/truth.jsonl"), 1, "missing/truth.jsonl: no such file or directory"),
]


@pytest.mark.parametrize(("args", "code", "message"), FAILING)
async def test_what_cannot_be_done_is_said_in_one_line(args: tuple[str, ...], code: int, message: str) -> None:
    done = await run("rct", "simulate", "--port", 0, *args)
    assert (done.code, done.out, done.err) == (code, "", f"Error: {message}\n")


async def test_help_lists_all_faults_and_profiles() -> None:
    done = await run("rct", "simulate", "--help")
    for name in (*FAULTS, *FIRMWARE):
        assert re.search(rf"^  +{re.escape(name)} ", done.out, re.MULTILINE), name


@pytest.mark.parametrize(
    "args",
    [
        ("--profile", "1.0"),
        ("--speed", "-1"),
        ("--speed", "fast"),
        ("--port", "65536"),
        ("--latency", "soon"),
        ("--seed", "x"),
    ],
)
async def test_wrong_options(args: tuple[str, ...]) -> None:
    done = await run("rct", "simulate", *args)
    assert done.code == 2
    assert f"Invalid value for '{args[0]}'" in done.err.splitlines()[-1]
