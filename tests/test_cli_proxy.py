"""rct proxy: a process between an inverter and its clients."""

from __future__ import annotations

import asyncio
import importlib
import json
import re
import signal
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from click.testing import CliRunner

from rct_tools.capture import Chunk, Direction, read_capture
from rct_tools.cli import rct
from rct_tools.client import connect
from rct_tools.frame import Command, Frame
from rct_tools.link import PORT
from rct_tools.objects import registry
from rct_tools.parser import FrameParser
from rct_tools.proxy import Access, ProxySetup, parse_network
from rct_tools.simulator import Simulator

from programs import finish, run, running
from servers import free_ports

unix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals between processes")
STRATEGY = registry["power_mng.soc_strategy"]


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with Simulator(port=0, latency=0.001, broadcast=False, speed=0) as simulator:
        yield simulator


async def line_of(process: Process, what: str = "") -> str:
    """Return the next line of stderr that says something."""
    assert process.stderr
    async with asyncio.timeout(60):
        while line := (await process.stderr.readline()).decode():
            if what in line:
                return line.rstrip()
    raise AssertionError(f"{what!r} was never said")


@asynccontextmanager
async def sharing(
    simulator: Simulator, *args: object, host: str = "127.0.0.1", **environment: str
) -> AsyncIterator[tuple[Process, int, str]]:
    """Run the command; yield its process, its port, and what it says of itself."""
    upstream = f"127.0.0.1:{simulator.port}"
    async with running(
        "rct", "proxy", "--upstream", upstream, "--listen", f"{host}:0", *args, **environment
    ) as process:
        line = await line_of(process, "sharing")
        found = re.match(rf"\S+:(\d+): sharing {upstream} with ", line)
        assert found, line
        yield process, int(found[1]), line


async def asked(port: int, request: Frame) -> Frame:
    """Return what a simple client gets for a request."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    parser = FrameParser()
    async with asyncio.timeout(60):
        while True:  # an answer comes when the proxy has found its inverter
            writer.write(request.encode())
            try:
                async with asyncio.timeout(2):
                    while data := await reader.read(1024):
                        for event in parser.feed(data):
                            if isinstance(event, Frame):
                                writer.close()
                                return event
            except TimeoutError:
                continue


@unix
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
async def test_shares_until_told_to_end(simulator: Simulator, number: signal.Signals, code: int) -> None:
    async with sharing(simulator) as (process, port, line):
        assert line.endswith(f":{port}: sharing 127.0.0.1:{simulator.port} with this machine; Ctrl-C ends it")
        answer = await run("rct", "read", "--host", "127.0.0.1", "--port", port, "inverter_sn", "--format", "csv")
        assert "SIM" in answer.out
        process.send_signal(number)
        done = await finish(process)
    assert (done.code, done.out, done.err.strip()) == (code, "", "")


async def test_inverter_that_is_away_is_waited_for() -> None:
    (port,) = free_ports(1)
    async with running("rct", "proxy", "--upstream", f"127.0.0.1:{port}", "--listen", "127.0.0.1:0") as process:
        lines = [await line_of(process) for _ in range(2)]
        (begin,) = (line for line in lines if "sharing" in line)
        assert any(line.endswith(": cannot connect: connection refused; trying again") for line in lines)
        async with Simulator(port=port, latency=0.001, broadcast=False):
            listening = begin.partition(": ")[0].rpartition(":")[2]
            assert (await asked(int(listening), Frame(Command.READ, STRATEGY.object_id))).command is Command.RESPONSE
            await line_of(process, ": there again after ")


OPTIONS = [  # what is given, what the proxy is told
    ([], ProxySetup()),
    (["--allow", "10.0.0.0/8"], ProxySetup("0.0.0.0", access=Access((parse_network("10.0.0.0/8"),)))),
    (["--allow", "fd00::/8"], ProxySetup("::", access=Access((parse_network("fd00::/8"),)))),
    (["--listen", "[::1]:8898"], ProxySetup("::1", 8898)),
    (["--allow-write", "power_mng.soc_strat", "--allow-write", "0x959930BF"],
     ProxySetup(writable=frozenset({"power_mng.soc_strategy", "battery.soc"}))),
    (["--no-broadcast"], ProxySetup(broadcast=False)),
    (["--cache", "250ms"], ProxySetup(cache=0.25)),
    (["--cache", "0"], ProxySetup(cache=0)),
    (["--max-clients", "7", "--max-rate", "2.5"], ProxySetup(most_clients=7, rate=2.5)),
    (["--capture", "x.rctcap"], ProxySetup(capture="x.rctcap")),
]  # fmt: skip


@pytest.mark.parametrize(("options", "setup"), OPTIONS, ids=[" ".join(options) for options, _ in OPTIONS])
def test_every_option_reaches_the_proxy(options: list[str], setup: ProxySetup, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[object] = []

    async def share(*args: object) -> None:
        told.extend(args)

    monkeypatch.setattr(importlib.import_module("rct_tools.cli.proxy"), "share", share)
    for upstream, where in (("roof.lan", ("roof.lan", 8899)), ("[::1]:1", ("::1", 1))):
        told.clear()
        result = CliRunner().invoke(rct, ["proxy", "--upstream", upstream, "--status", "127.0.0.1:1", *options])
        assert result.exit_code == 0, result.output
        host, port, given, _, status = told
        assert (host, port) == where
        assert (given, status) == (setup, "127.0.0.1:1")


async def test_client_too_many_is_cut_off_and_said(simulator: Simulator) -> None:
    args = ("--max-clients", "1")
    async with sharing(simulator, *args) as (process, port, _), connect("127.0.0.1", port, attempts=60) as client:
        await client.read("battery.soc")
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert "all places are taken by clients that are at work" in await line_of(process, "cut off")
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        writer.close()


async def test_write_is_answered_with_what_the_inverter_holds(simulator: Simulator) -> None:
    held = await asked(simulator.port, Frame(Command.READ, STRATEGY.object_id))
    async with sharing(simulator) as (process, port, _):
        answer = await asked(port, Frame(Command.WRITE, STRATEGY.object_id, b"\x02"))
        assert answer == held
        said = await line_of(process, "refused")
        assert said.endswith(
            ": a write to power_mng.soc_strategy was refused; --allow-write power_mng.soc_strategy would let it through"
        )


@pytest.mark.parametrize("networks", [(), ("192.0.2.0/24",)])
async def test_warns_when_others_can_reach_it_that_may_not_use_it(simulator: Simulator, networks: tuple[str]) -> None:
    allow = [word for network in networks for word in ("--allow", network)]
    upstream = f"127.0.0.1:{simulator.port}"
    args = ("--upstream", upstream, "--listen", "0.0.0.0:0", *allow)  # the point of the test
    async with running("rct", "proxy", *args) as process:
        warning = await line_of(process)
    assert ": others can reach this address, but only " in warning
    assert warning.endswith(" may use it")


@unix
async def test_status_and_metrics(simulator: Simulator) -> None:
    async with sharing(simulator, "--status", "127.0.0.1:0", "-v") as (_, port, _):
        pass  # an address that is free is good, but nobody knows which it is
    address = f"127.0.0.1:{free_ports(1)[0]}"
    args = ("--status", address, "--cache", "60s")
    async with sharing(simulator, *args) as (process, port, _), aiohttp.ClientSession() as session:

        async def is_up() -> bool:
            async with session.get(f"http://{address}/status") as answer:
                return bool((await answer.json())["inverters"][0]["up"])

        async with asyncio.timeout(60):
            while not await is_up():  # noqa: ASYNC110  # the inverter of another process
                await asyncio.sleep(0.05)
        async with connect("127.0.0.1", port, timeout=60) as client:
            await client.read("battery.soc")
            await client.read("battery.soc")
            status = await run("rct", "status", "--address", address)
            as_json = await run("rct", "status", "--address", address, "--format", "json")
            second = await run(
                "rct", "proxy", "--upstream", "192.0.2.7", "--listen", "127.0.0.1:0", "--status", address
            )
        async with session.get(f"http://{address}/healthz") as answer:
            assert await answer.text() == "ok\n"
        async with session.get(f"http://{address}/metrics") as answer:
            assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            text = await answer.text()
        async with session.get(
            f"http://{address}/metrics", headers={"Accept": "application/openmetrics-text"}
        ) as answer:
            assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
            assert (await answer.text()).endswith("# EOF\n")
        for page in ("status", "metrics"):
            led_here = session.get(f"http://{address}/{page}", headers={"Host": "elsewhere.example"})
            async with led_here as answer:
                assert answer.status == 421
        async with connect("127.0.0.1", port), asyncio.timeout(60):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
            await line_of(process, "it speaks HTTP")
            writer.close()
        cut_off = await run("rct", "status", "--address", address)
        await simulator.close()
        await line_of(process, "trying again")
        away = await run("rct", "status", "--address", address)
    assert (status.code, status.err) == (0, "")
    rows = [line.split() for line in status.out.splitlines()]
    assert rows[1][:3] == ["127.0.0.1", f"(127.0.0.1:{simulator.port})", "up"]
    assert rows[2][:3] == ["client", "at", f"127.0.0.1:{port}"]
    assert rows[3][:7] == ["127.0.0.1", "1", "2", "2", "1", "0", "0"]
    (inverter,) = json.loads(as_json.out)["inverters"]
    assert (inverter["up"], inverter["objects"], json.loads(as_json.out)["sinks"]) == (True, [], [])
    assert inverter["proxy"]["clients"][0]["cached"] == 1
    assert second.code == 1
    assert second.err.splitlines()[-1] == (
        f"Error: --status: cannot listen on {address}: address already in use; does a collector or proxy run already? "
        "Choose another --status"
    )
    assert 'rct_proxy_requests_total{client="127.0.0.1",inverter="127.0.0.1"} 2.0' in text
    assert "rct_link_requests_total" in text
    assert "127.0.0.1: 127.0.0.1 was cut off: protocol (1)\n" in cut_off.out
    assert (away.code, away.out.splitlines()[-2]) == (1, "127.0.0.1: away")


@unix
async def test_capture_holds_both_sides(simulator: Simulator, tmp_path: Path) -> None:
    path = tmp_path / "both.pcapng"
    async with sharing(simulator, "--capture", path) as (process, port, _):
        await asked(port, Frame(Command.READ, STRATEGY.object_id))
        process.terminate()
        assert (await finish(process)).code == 0
    with path.open("rb", buffering=0) as file:
        chunks = [item for item in read_capture(file, path.name, PORT) if isinstance(item, Chunk)]
    sides = {(chunk.connection, chunk.direction) for chunk in chunks}
    assert len(sides) == 4
    assert {direction for _, direction in sides} == {Direction.SENT, Direction.RECEIVED}
    summary = await run("rct", "parse", path)
    assert summary.code == 0
    assert summary.out.count("power_mng.soc_strategy") >= 4


@unix
async def test_systemd_is_told(simulator: Simulator, tmp_path: Path) -> None:
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.settimeout(60)
    manager.bind(str(tmp_path / "notify"))

    async def next_message() -> str:
        return (await asyncio.to_thread(manager.recv, 4096)).decode()

    environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "200000"}
    with manager:
        async with sharing(simulator, **environment) as (process, port, _):
            assert await next_message() == (f"READY=1\nSTATUS=127.0.0.1:{simulator.port} shared at 127.0.0.1:{port}")
            while await next_message() != "WATCHDOG=1":
                pass
            process.terminate()
            while await next_message() != "STOPPING=1":
                pass
            assert (await finish(process)).code == 0


async def test_log_lines_as_json(simulator: Simulator) -> None:
    upstream = f"127.0.0.1:{simulator.port}"
    args = ("--upstream", upstream, "--listen", "127.0.0.1:0", "--log-format", "json")
    async with running("rct", "proxy", *args) as process:
        line = json.loads(await line_of(process))
    assert line["message"].endswith(": sharing " + upstream + " with this machine; Ctrl-C ends it")
    assert line["peer"].startswith("127.0.0.1:")


BAD = [  # options, exit code, what the error says
    ([], 2, "Missing option '--upstream'"),
    (["--upstream", ""], 2, "'' is no address; expected one such as 192.0.2.7:8899"),
    (["--upstream", "http://192.0.2.7"], 2, "'http://192.0.2.7' is no address; expected one such as 192.0.2.7:8899"),
    (["--upstream", "192.0.2.7:"], 2, "'192.0.2.7:' is no address"),
    (["--upstream", "a", "--listen", "8899"], 2, "'8899' is no address; expected one such as 127.0.0.1:8899"),
    (["--upstream", "a", "--listen", "192.0.2.99:1"], 1, "Error: proxy: cannot listen on 192.0.2.99:1: "),
    (["--upstream", "a", "--listen", "no.invalid:1"], 1, "Error: proxy: cannot listen on no.invalid:1: no such host"),
    (["--upstream", "a", "--allow", "10.0.0.1/8"], 2, "'10.0.0.1/8' is no network; did you mean 10.0.0.0/8?"),
    (["--upstream", "a", "--allow", "all"], 2, "'all' is no network; expected one such as 192.168.1.0/24"),
    (["--upstream", "a", "--allow-write", "power_mng.soc_strategi"], 2, "did you mean power_mng.soc_strategy, "),
    (["--upstream", "a", "--allow-write", "com_service"], 2, "com_service is never written through a proxy: that"),
    (["--upstream", "a", "--allow-write", "0x8FC89B10"], 2, "com_service is never written through a proxy: that"),
    (["--upstream", "a", "--allow-write", "pas.period"], 2, "pas.period is never written through a proxy: that"),
    (["--upstream", "127.0.0.1"], 2, "--upstream and --listen are both 127.0.0.1:8899: where is the inverter?"),
    (["--upstream", "a", "--cache", "soon"], 2, "'soon' is not a duration"),
    (["--upstream", "a", "--max-clients", "0"], 2, "Invalid value for '--max-clients'"),
    (["--upstream", "a", "--max-rate", "0"], 2, "Invalid value for '--max-rate'"),
    (["--upstream", "a", "--capture", "/no/such/x.rctcap"], 1, "Error: /no/such/x.rctcap: cannot be written: no such"),
    (["--upstream", "a", "--listen", "127.0.0.1:0", "--status", "x"], 2, "Error: --status: 'x' is no address;"),
]  # fmt: skip


@pytest.mark.parametrize(("options", "code", "message"), BAD, ids=[" ".join(options) for options, _, _ in BAD])
async def test_what_is_wrong_is_said_in_one_line(options: list[str], code: int, message: str) -> None:
    done = await run("rct", "proxy", *options)
    assert (done.code, done.out) == (code, "")
    assert message in done.err.splitlines()[-1]
    assert "Traceback" not in done.err


async def test_address_in_use(simulator: Simulator) -> None:
    done = await run("rct", "proxy", "--upstream", "192.0.2.7", "--listen", f"127.0.0.1:{simulator.port}")
    assert done.code == 1
    told = f"Error: proxy: cannot listen on 127.0.0.1:{simulator.port}: address already in use"
    assert done.err == f"{told}; is a proxy there already? Choose another, with --listen, or listen below [proxy]\n"
