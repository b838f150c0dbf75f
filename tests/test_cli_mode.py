"""rct mode: a mode is kept as long as the program runs, and however it ends, all is put back."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from rct_tools.frame import Command, Frame
from rct_tools.objects import registry
from rct_tools.simulator import Simulator
from rct_tools.values import Value
from rct_tools.writable import WRITABLE

from programs import Done, finish, run, running

needs_signals = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals between processes")

STRATEGY = "power_mng.soc_strategy"
POWER = "power_mng.battery_power_extern"


@asynccontextmanager
async def inverter() -> AsyncIterator[Simulator]:
    async with Simulator(port=0, latency=0.001, broadcast=False, speed=0) as simulator:
        simulator.house.battery.soc = 0.5
        yield simulator
        assert not simulator.inverter.harm
        assert simulator.inverter.flashed == 0


def settings(simulator: Simulator) -> dict[str, Value]:
    return {name: registry[name].decode(simulator.inverter.payload(registry[name])) for name in WRITABLE}


def arguments(simulator: Simulator, *args: object) -> tuple[object, ...]:
    return ("rct", "mode", "--host", "127.0.0.1", "--port", simulator.port, *args)


async def rct_mode(simulator: Simulator, folder: Path, *args: object) -> Done:
    program, *rest = arguments(simulator, *args)
    return await run(str(program), *rest, XDG_DATA_HOME=str(folder))


def lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


async def started(process: Process, count: int) -> list[str]:
    """Return the first lines, which say what was set."""
    assert process.stdout is not None
    return [" ".join((await process.stdout.readline()).decode().split()) for _ in range(count)]


async def test_for_a_while(tmp_path: Path) -> None:
    async with inverter() as simulator:
        before = settings(simulator)
        done = await rct_mode(simulator, tmp_path, "hold", "--for", "2s")
        assert (done.code, done.err) == (0, "")
        assert settings(simulator) == before
    said = lines(done.out)
    assert said[:2] == ["hold power_mng.soc_min 7.0 % → 49.0 %", f"hold {STRATEGY} 4 Internal, as before"]
    assert said[2] == "the battery is not discharged; what the sun leaves over charges it"
    assert said[3].startswith("until 20")
    assert said[3].endswith(", or Ctrl-C; then all is put back")
    assert said[4:] == [
        f"put back {STRATEGY} 4 Internal, as before",
        "put back power_mng.soc_min 49.0 % → 7.0 %",
        "All is as it was before.",
    ]


@needs_signals
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0), (signal.SIGHUP, 0)])
async def test_until_it_is_ended(tmp_path: Path, number: signal.Signals, code: int) -> None:
    async with inverter() as simulator:
        before = settings(simulator)
        program, *args = arguments(simulator, "discharge", "--power", "1kW")
        async with running(str(program), *args, XDG_DATA_HOME=str(tmp_path)) as process:
            said = await started(process, 4)
            assert said[0] == f"discharge {POWER} 0.0 W → 1000.0 W"
            assert said[1] == f"discharge {STRATEGY} 4 Internal → 2 External"
            assert said[2] == "the battery is discharged with 1000 W into the house"
            assert said[3] == "until Ctrl-C; then all is put back"
            assert settings(simulator) == before | {POWER: 1000.0, STRATEGY: 2}
            process.send_signal(number)
            done = await finish(process)
        assert (done.code, done.err.strip()) == (code, "")
        assert done.out.endswith("All is as it was before.\n")
        assert settings(simulator) == before


@needs_signals
async def test_killed_and_put_back_by_hand(tmp_path: Path) -> None:
    async with inverter() as simulator:
        before = settings(simulator)
        status = await rct_mode(simulator, tmp_path, "status")
        assert lines(status.out)[0] == "no mode is on"
        assert lines(status.out)[2] == f"{STRATEGY} 4 Internal"
        program, *args = arguments(simulator, "charge", "--power", "3000", "--soc", "80%", "--for", "2h")
        async with running(str(program), *args, XDG_DATA_HOME=str(tmp_path)) as process:
            said = await started(process, 6)
            assert said[4] == "the battery is charged with 3000 W, from the grid too, up to 80 %"
            status = await rct_mode(simulator, tmp_path, "status")
            head, *rest = lines(status.out)
            assert head.startswith("charge, since 20")
            assert head.endswith(f", kept by process {process.pid}")
            assert f"{POWER} -3000.0 W (before: 0.0 W)" in rest
            other = await rct_mode(simulator, tmp_path, "hold")
            assert (other.code, other.err.count("\n")) == (1, 1)
            assert f"process {process.pid} keeps mode charge" in other.err
            process.kill()
            await finish(process)
        assert settings(simulator) == before | {
            "power_mng.soc_max": pytest.approx(0.8),
            POWER: -3000.0,
            "power_mng.use_grid_power_enable": True,
            STRATEGY: 2,
        }
        status = await rct_mode(simulator, tmp_path, "status")
        assert ", left by a program that is gone" in status.out
        assert status.err == "`rct mode normal` puts back what was before.\n"
        write = await run(
            "rct",
            "write",
            "--host",
            "127.0.0.1",
            "--port",
            simulator.port,
            POWER,
            "0",
            "--yes",
            XDG_DATA_HOME=str(tmp_path),
        )
        assert write.code == 1
        assert f"mode charge has changed {POWER} and will put it back" in write.err
        simulator.inverter.answer(Frame(Command.WRITE, registry[POWER].object_id, registry[POWER].encode(7.0)))
        done = await rct_mode(simulator, tmp_path, "normal")
        assert done.code == 0
        assert lines(done.out) == [
            f"put back {STRATEGY} 2 External → 4 Internal",
            "put back power_mng.use_grid_power_enable true → false",
            "put back power_mng.soc_max 80.0 % → 97.0 %",
            f"left {POWER} 7.0 W, as others have set it",
        ]
        assert settings(simulator) == before | {POWER: 7.0}
        done = await rct_mode(simulator, tmp_path, "normal")
        assert done.out == "There is nothing to put back: no mode was left on.\n"


WATCHING = """
import importlib
importlib.import_module("rct_tools.cli.mode").WATCH = 0.1
from rct_tools.cli import main
main()
"""


@needs_signals
async def test_what_changes_meanwhile_is_said(tmp_path: Path) -> None:
    async with inverter() as simulator:
        _, *args = arguments(simulator, "hold", "--for", "2h")
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", WATCHING, *map(str, args), stdout=PIPE, stderr=PIPE,
            env={**os.environ, "PYTHONUTF8": "1", "PYTHONUNBUFFERED": "", "XDG_DATA_HOME": str(tmp_path)},
        )  # fmt: skip
        try:
            await started(process, 4)
            simulator.inverter.answer(Frame(Command.WRITE, registry[STRATEGY].object_id, b"\x05"))
            assert process.stderr is not None
            said = (await process.stderr.readline()).decode()
        finally:
            process.send_signal(signal.SIGTERM)
            done = await finish(process)
        assert done.code == 0
        assert f"{STRATEGY} is 5 Schedule now: it was changed by others, or by a restart" in said
        assert lines(done.out)[1] == f"left {STRATEGY} 5 Schedule, as others have set it"


WRONG = [
    (("charge",), "mode charge needs a power"),
    (("reserve",), "mode reserve needs a soc"),
    (("hold", "--power", "3kW"), "mode hold takes no power"),
    (("charge", "--power", "3kW", "--soc", "180%"), "power_mng.soc_max: cannot be set to '180%'"),
    (("charge", "--power", "-3kW"), "more than 0 W"),
    (("charge", "--power", "much"), "cannot be set to 'much'"),
    (("normal", "--for", "2h"), "normal takes no --power, --soc or --for"),
    (("status", "--soc", "1"), "status takes no --power"),
    (("hold", "--for", "soon"), "is not a duration"),
    (("dance",), "'dance' is not one of"),
]


@pytest.mark.parametrize(("args", "message"), WRONG)
async def test_what_is_refused_without_asking(tmp_path: Path, args: tuple[str, ...], message: str) -> None:
    done = await run("rct", "mode", "--host", "192.0.2.7", *args, XDG_DATA_HOME=str(tmp_path))
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert message in done.err
