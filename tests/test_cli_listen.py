"""rct listen, and rct-reader --listen-only: all that arrives is shown, and not one byte is sent."""

from __future__ import annotations

import asyncio
import csv
import json
import signal
import sys
from contextlib import AsyncExitStack

import pytest

from rct_tools.frame import Command, Frame
from rct_tools.objects import registry
from rct_tools.simulator import Simulator

from peers import peer, response
from programs import finish, run, running
from servers import free_ports

PACKAGE = registry["net.package"]
SOC = registry["battery.soc"]
TRAFFIC = [
    response("battery.soc", 0.315),
    Frame(Command.RESPONSE, 0x12345678, b"\x01\x02").encode(),  # known to nobody
    Frame(Command.WRITE, PACKAGE.object_id, b"\0" * 36).encode(),  # linked inverters among themselves
    Frame(Command.READ, SOC.object_id).encode(),  # the echo of another client's question
    Frame(Command.RESPONSE, SOC.object_id, b"\x3e").encode(),
    b"\x2b\x05\x08\x95\x99\x30\xbf\x3e\x97\xb1\x91\x9c\x87",
    response("prim_sm.island_flag", 0),
]
LISTENERS = [("rct", ("listen",)), ("rct-reader", ("--listen-only",))]
unix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals between processes")


@unix
@pytest.mark.parametrize(("program", "args"), LISTENERS)
async def test_shows_everything_and_sends_nothing(program: str, args: tuple[str, ...]) -> None:
    sent = bytearray()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"".join(TRAFFIC))
        while data := await reader.read(100):
            sent.extend(data)

    async with (
        peer(script) as port,
        running(program, *args, "--host", "127.0.0.1", "--port", port, "-v") as process,
    ):
        assert process.stdout
        lines = [(await process.stdout.readline()).decode() for _ in range(6)]
        process.terminate()
        done = await finish(process)
    assert done.code == 0
    assert sent == b""
    assert [line.split()[1:] for line in lines] == [
        ["RESPONSE", "battery.soc", "31.5", "%"],
        ["RESPONSE", "0x12345678", "01", "02"],
        ["WRITE", "net.package", *["00"] * 24, "…", "(36", "bytes)"],
        ["READ", "battery.soc"],
        ["RESPONSE", "battery.soc", "expected", "FLOAT", "(4", "bytes),", "got", "1", "bytes:", "3e"],
        ["RESPONSE", "prim_sm.island_flag", "0"],
    ]
    assert f"127.0.0.1:{port}: bad crc: 13 bytes: 2b 05 08 95 99 30 bf 3e 97 b1 91 9c 87\n" in done.err


@unix
@pytest.mark.parametrize(("output_format", "heads"), [("jsonl", 0), ("csv", 1)])
async def test_rows(output_format: str, heads: int) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(TRAFFIC[0])
        await reader.read()

    async with (
        peer(script) as port,
        running("rct", "listen", "--host", "127.0.0.1", "--port", port, "--format", output_format) as process,
    ):
        assert process.stdout
        lines = [(await process.stdout.readline()).decode() for _ in range(heads + 1)]
        row = dict(zip(*csv.reader(lines), strict=True)) if heads else json.loads(lines[0])
        assert list(row) == ["time", "command", "address", "object_id", "name", "payload", "value", "unit"]
        assert row["time"].endswith("+00:00")
        assert float(row["value"]) == SOC.decode(SOC.encode(0.315))
        process.terminate()
        assert (await finish(process)).code == 0


@unix
async def test_simulator_and_connection_that_comes_back() -> None:
    (port,) = free_ports(1)

    async def until_shown(serial: bytes) -> None:
        assert process.stdout
        async with asyncio.timeout(60):
            while serial not in await process.stdout.readline():
                pass

    async with AsyncExitStack() as stack:
        async with Simulator(port=port, cycle=1.0):
            process = await stack.enter_async_context(running("rct", "listen", "--host", "127.0.0.1", "--port", port))
            await until_shown(b"SIM0000001")
        async with Simulator(port=port, cycle=1.0, seed=1):
            await until_shown(b"SIM0000002")
            process.send_signal(signal.SIGINT)
            done = await finish(process)
    assert done.code == 130
    assert "trying again" in done.err
    assert "there again after" in done.err


@pytest.mark.parametrize(("program", "args"), LISTENERS)
async def test_nobody_there(program: str, args: tuple[str, ...]) -> None:
    (port,) = free_ports(1)
    done = await run(program, *args, "--host", "127.0.0.1", "--port", port)
    told = f"Error: 127.0.0.1:{port}: cannot connect: connection refused (tried 3 times)"
    assert done == (1, "", f"{told}; rct doctor says what to check\n")
