"""rct-reader: the four things the ancestor did, with its options."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from rct_tools.cli.reader import reader
from rct_tools.config import load_plan
from rct_tools.frame import Command, Frame
from rct_tools.objects import registry
from rct_tools.simulator import Simulator
from rct_tools.values import Event, EventTable

from peers import peer, requests
from programs import Done, finish, run, running
from servers import InfluxServer, free_ports

OPTIONS = [
    "--host", "--port", "--influx-host", "--influx-port", "--influx-db", "--influx-user",
    "--readings", "--listen-only", "--command", "--read-all", "-v", "--verbose",
]  # fmt: skip
unix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals between processes")


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with Simulator(port=0, latency=0.002, broadcast=False, speed=0) as simulator:
        yield simulator


async def ask(port: int, *args: object) -> Done:
    return await run("rct-reader", "--host", "127.0.0.1", "--port", port, *args)


def test_options_are_those_that_were_promised() -> None:
    assert [name for parameter in reader.params for name in parameter.opts] == OPTIONS


async def test_help_has_an_example() -> None:
    done = await run("rct-reader", "-h")
    assert done.code == 0
    assert "Example: rct-reader --host" in done.out


# --- regularly --------------------------------------------------------------------------------------------------------


@unix
async def test_shows_the_default_set(simulator: Simulator) -> None:
    names = load_plan(None, "ancestor").expects.keys()
    async with running("rct-reader", "--host", "127.0.0.1", "--port", simulator.port) as process:
        assert process.stdout
        shown: dict[str, str] = {}
        while shown.keys() < names:
            line = (await process.stdout.readline()).decode()
            shown.setdefault(line.split()[0], line)
        process.send_signal(signal.SIGINT)
        done = await finish(process)
    assert done.code == 130
    assert shown.keys() == names
    assert all(line.rstrip().endswith("+00:00") for line in shown.values())
    assert done.err.strip() == ""  # after ^C, a new line


READINGS = """
[[group]]
name = "only"
interval = "200ms"
[group.fields]
charge_battery = "battery.soc"
power_battery = "g_sync.p_acc_lp"
"""


@unix
async def test_stores_in_influxdb(simulator: Simulator, tmp_path: Path) -> None:
    (tmp_path / "readings.toml").write_text(READINGS)
    server = InfluxServer(tmp_path)
    await server.start()
    try:
        async with running(
            "rct-reader", "--host", "127.0.0.1", "--port", simulator.port, "--readings", tmp_path / "readings.toml",
            "--influx-host", "127.0.0.1", "--influx-port", server.port, "--influx-db", "house",
        ) as process:  # fmt: skip
            assert process.stdout
            shown = 0
            while shown < 3:
                shown += b"battery.soc" in await process.stdout.readline()
            process.terminate()
            done = await finish(process)  # what is shown is stored before the end
        rows = await server.query("SELECT * FROM pv WHERE \"inverter\" = 'RCT'", "house")
    finally:
        server.stop()
    assert done.code == 0
    charges = [row["charge_battery"] for row in rows if row["charge_battery"] is not None]
    assert len(charges) >= 3
    soc = registry["battery.soc"]
    assert set(charges) == {soc.decode(soc.encode(simulator.house.battery.soc))}  # full precision
    assert any(row["power_battery"] is not None for row in rows)


@unix
async def test_goes_on_when_the_inverter_comes_back(tmp_path: Path) -> None:
    (tmp_path / "readings.toml").write_text(READINGS)
    (port,) = free_ports(1)
    async with AsyncExitStack() as stack:
        async with Simulator(port=port, latency=0.002, broadcast=False):
            process = await stack.enter_async_context(
                running(
                    "rct-reader",
                    "--host",
                    "127.0.0.1",
                    "--port",
                    port,
                    "--readings",
                    tmp_path / "readings.toml",
                )
            )
            assert process.stdout
            assert process.stderr
            await process.stdout.readline()
        assert b"trying again" in await process.stderr.readline()
        async with Simulator(port=port, latency=0.002, broadcast=False):
            assert b"there again" in await process.stderr.readline()
            process.terminate()
            assert (await finish(process)).code == 0


# --- one object -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", ["prim_sm.island_flag", "prim_sm.island_f", "0x3623D82A"])
async def test_command(simulator: Simulator, asked: str) -> None:
    done = await ask(simulator.port, "--command", asked)
    assert (done.code, done.err) == (0, "")
    head, value, payload, time = (line.strip() for line in done.out.splitlines())
    assert head == "prim_sm.island_flag (0x3623D82A, UINT16)"
    assert value.split() == ["value", "2"]
    assert payload.split() == ["payload", "00", "02"]
    assert time.endswith("ms")


async def test_command_shows_a_series_as_rows(simulator: Simulator) -> None:
    done = await ask(simulator.port, "--command", "logger.minutes_soc_log_ts")
    assert done.code == 0
    rows = [line.split() for line in done.out.splitlines() if line.endswith("%")]
    assert len(rows) > 30
    assert all(len(time) == len("2026-06-21T12:00:00") for time, *_ in rows)
    assert sorted(rows, reverse=True) == rows


async def test_command_shows_events_as_rows() -> None:
    soc_min, island = registry["power_mng.soc_min"], registry["prim_sm.island_flag"]
    number = int.from_bytes
    noon = 1_750_000_000  # 2025-06-15T15:06:40
    events = (
        Event(0x73, noon, (soc_min.object_id, number(soc_min.encode(0.07)), number(soc_min.encode(0.2)))),
        Event(0x73, noon - 1, (island.object_id, 1, 2)),
        Event(0x77, noon - 2, (0, 5661, 5678)),
        Event(0x5A, noon - 3, (noon + 60, 4, 0)),
        Event(0x72, noon - 4, (7, 8, 9)),
        Event(0xC8, noon - 5, (0, 0, 0)),
    )
    table = registry[0x6F3876BC]

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for request in requests(reader):
            page = EventTable(int.from_bytes(request.payload), events)
            writer.write(Frame(Command.LONG_RESPONSE, table.object_id, table.encode(page)).encode())

    async with peer(script) as port:
        done = await ask(port, "--command", "0x6F3876BC")
    assert done.code == 0
    assert [" ".join(line.split()) for line in done.out.splitlines()[2:-2]] == [
        "2025-06-15T15:06:40 parameter changed power_mng.soc_min: 7.0 % → 20.0 %",
        "2025-06-15T15:06:39 parameter changed prim_sm.island_flag: 1 → 2",
        "2025-06-15T15:06:38 update 5661 → 5678",
        "2025-06-15T15:06:37 disconnected from the household grid until 2025-06-15T15:07:40 0x00000004 0x00000000",
        "2025-06-15T15:06:36 internal battery error 0x00000007 0x00000008 0x00000009",
        "2025-06-15T15:06:35 type 0xc8 0x00000000 0x00000000 0x00000000",
    ]


# --- all objects ------------------------------------------------------------------------------------------------------


async def test_read_all_names_those_that_stay_silent() -> None:
    mute = {registry["battery.soc"].object_id, registry["battery.soh"].object_id}

    class Shy(Simulator):
        def _answer(self, request: Frame) -> Frame | None:
            return None if request.object_id in mute else super()._answer(request)

    async with Shy(port=0, latency=0.001, broadcast=False) as simulator:
        done = await ask(simulator.port, "--read-all")
    assert done.code == 0
    count = len(registry) - 2
    assert len({line.split()[1] for line in done.out.splitlines()}) == count
    assert done.err == (
        f"{count} of {len(registry)} objects answered.\nThese never did:\n  battery.soc\n  battery.soh\n"
    )


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (["--listen-only", "--read-all"], "--listen-only and --read-all cannot go together"),
        (["--command", "battery.soc", "--read-all"], "--command and --read-all cannot go together"),
        (["--read-all", "--influx-host", "x"], "--read-all and --influx-host cannot go together"),
        (["--command", "batery.soc"], "unknown object 'batery.soc'; did you mean battery.soc, "),
        (["--readings", "{folder}/none.toml"], "none.toml: cannot be read"),
        (["--influx-host", "x", "--influx-user", "me"], "password of user me: the environment has no INFLUX_PASSWORD"),
        (["--influx-port", "99999"], "'--influx-port'"),
    ],
)
async def test_usage(args: list[str], error: str, tmp_path: Path) -> None:
    done = await ask(1, *(arg.format(folder=tmp_path) for arg in args))
    assert (done.code, done.out) == (2, "")
    assert error in done.err


async def test_host_is_required() -> None:
    done = await run("rct-reader")
    assert done.code == 2
    assert "'--host'" in done.err


@pytest.mark.parametrize("args", [[], ["--command", "battery.soc"], ["--read-all"]], ids=str)
async def test_nobody_there(args: list[str]) -> None:
    (port,) = free_ports(1)
    done = await ask(port, *args)
    told = f"Error: 127.0.0.1:{port}: cannot connect: connection refused (tried 3 times)"
    assert done == (1, "", f"{told}; rct doctor says what to check\n")
