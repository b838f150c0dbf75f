"""The collector and the proxy: one connection to the inverter, for whoever wants something of it."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path

import pytest

from rct_tools.capture import Chunk, Direction, read_capture
from rct_tools.client import connect
from rct_tools.collector import Collector
from rct_tools.config import parse_plan
from rct_tools.errors import ConnectFailed, LinkError, RctError
from rct_tools.exposition import exposition
from rct_tools.frame import Frame
from rct_tools.link import PORT
from rct_tools.parser import FrameParser
from rct_tools.proxy import Proxy, ProxySetup
from rct_tools.reading import Reading
from rct_tools.service import share
from rct_tools.setups import InverterSetup, Setup
from rct_tools.simulator import Simulator
from rct_tools.status import metrics_of, status_of

from servers import free_ports, require
from standins import Shelf
from warp import warp

PLAN = parse_plan('[[group]]\nname = "a"\ninterval = "1s"\nobjects = ["battery.soc"]', "test")


def setup(simulator: Simulator, shelf: Shelf, proxy: ProxySetup | None) -> Setup:
    inverter = InverterSetup("roof", simulator.host, PLAN, simulator.port, proxy=proxy)
    return Setup((inverter,), (shelf.setup(),))


@asynccontextmanager
async def collecting(setup: Setup) -> AsyncIterator[Collector]:
    collector = Collector(setup)
    started = asyncio.Event()
    job = asyncio.create_task(collector.run(started.set))
    job.add_done_callback(lambda _: started.set())
    try:
        await started.wait()
        yield collector
    finally:
        job.cancel()
        with suppress(asyncio.CancelledError):
            await job


def proxy_of(collector: Collector) -> Proxy:
    proxy = collector.watched["roof"].proxy
    assert proxy is not None
    return proxy


def connections(caplog: pytest.LogCaptureFixture) -> int:
    """How many connections the simulated inverter has had."""
    said = [r for r in caplog.records if r.name.startswith("rct_tools.simulator")]
    return sum(record.getMessage().endswith(": connected") for record in said)


def test_one_connection_for_all(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    async def main() -> bytes:
        shelf = Shelf()
        async with (
            Simulator(port=0, broadcast=False, speed=0) as roof,
            collecting(setup(roof, shelf, ProxySetup(port=0))) as collector,
        ):
            await asyncio.sleep(5.25)  # a quarter of a second behind the last answer
            proxy = proxy_of(collector)
            client = collector.watched["roof"].client
            async with connect("127.0.0.1", proxy.port) as one, connect("127.0.0.1", proxy.port) as other:
                before = client.counters.requests
                values = {(await client.read("battery.soc")).value for client in (one, other)}
                assert values == {shelf.of("battery.soc")[-1].value}
                assert client.counters.requests == before  # what the poller has asked for answers them, too
                await asyncio.gather(one.read("battery.voltage"), other.read("battery.voltage"))
                assert client.counters.requests == before + 1
                await asyncio.sleep(10)
                assert [served.connected for served in proxy.served] == [2]
            await asyncio.sleep(0.1)  # they are gone
            tally = proxy.tallies.hosts["127.0.0.1"]
            assert (tally.requests, tally.answered, tally.cached, tally.coalesced) == (4, 4, 2, 1)
            assert len(shelf.of("battery.soc")) >= 14  # nobody has held up the poller
            document = json.loads(json.dumps(status_of(collector, started=0)))
            (inverter,) = document["inverters"]
            assert inverter["proxy"]["address"] == f"127.0.0.1:{proxy.port}"
            (host,) = inverter["proxy"]["clients"]
            assert (host["host"], host["connected"], host["answered"]) == ("127.0.0.1", 0, 4)
            metrics = {sample.name: sample for family in metrics_of(collector) for sample in family.samples}
            assert metrics["rct_link_requests_total"].value == client.counters.requests
            assert metrics["rct_up"].value == 1
            assert metrics["rct_proxy_requests_total"].labels == {"inverter": "roof", "client": "127.0.0.1"}
            text = exposition(metrics_of(collector), open_metrics=False)
        with pytest.raises(ConnectFailed):
            async with connect("127.0.0.1", proxy.port, tries=1):
                raise AssertionError("nobody gets here")
        return text

    text = warp(main())
    assert connections(caplog) == 1
    done = subprocess.run([require("promtool"), "check", "metrics"], input=text, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_no_proxy_is_nothing() -> None:
    async def main() -> None:
        async with Simulator(port=0) as roof, collecting(setup(roof, Shelf(), None)) as collector:
            assert collector.watched["roof"].proxy is None
            assert status_of(collector, started=0)["inverters"][0]["proxy"] is None
            assert {sample.labels["inverter"] for family in metrics_of(collector) for sample in family.samples} == {
                "roof"
            }

    warp(main())


def test_change_moves_it_and_leaves_sinks_alone() -> None:
    async def main() -> None:
        shelf = Shelf()
        one, other = free_ports(2)
        async with (
            Simulator(port=0, speed=0) as roof,
            collecting(setup(roof, shelf, ProxySetup(port=one))) as collector,
            connect("127.0.0.1", one, tries=1) as client,
        ):
            await client.read("battery.soc")
            stays = collector.watched["roof"].client
            await collector.change(setup(roof, shelf, ProxySetup(port=one)))
            assert collector.watched["roof"].client is stays
            await collector.change(setup(roof, shelf, ProxySetup(port=other)))
            with pytest.raises(LinkError):
                await client.read("battery.soc")
            async with connect("127.0.0.1", other) as moved:
                await moved.read("battery.soc")
            assert not stays.connected  # which is not the same any more
            await collector.change(setup(roof, shelf, None))
            with pytest.raises(ConnectFailed):
                async with connect("127.0.0.1", other, tries=1):
                    raise AssertionError("nobody gets here")
            before = len(shelf.of("battery.soc"))
            await asyncio.sleep(5)
            assert len(shelf.of("battery.soc")) > before
        assert (shelf.opened, shelf.closed) == (1, 1)

    warp(main())


def test_address_goes_from_one_inverter_to_another() -> None:
    async def main() -> None:
        (port,) = free_ports(1)
        async with Simulator(port=0, speed=0) as roof, Simulator(port=0, seed=1, speed=0) as barn:

            def shared(name: str) -> Setup:
                return Setup(
                    tuple(
                        InverterSetup(n, s.host, PLAN, s.port, proxy=ProxySetup(port=port) if n == name else None)
                        for n, s in (("roof", roof), ("barn", barn))
                    ),
                    (Shelf().setup(),),
                )

            async with collecting(shared("roof")) as collector:
                assert proxy_of(collector).port == port
                await collector.change(shared("barn"))
                assert collector.watched["roof"].proxy is None
                assert collector.watched["barn"].proxy

    warp(main())


async def test_address_in_use_is_an_error_at_the_start() -> None:
    shelf = Shelf()
    async with Simulator(port=0) as roof:
        with pytest.raises(
            RctError, match=rf"proxy: cannot listen on 127\.0\.0\.1:{roof.port}: address already in use"
        ):
            await Collector(setup(roof, shelf, ProxySetup(port=roof.port))).run()
    assert shelf.closed == 1


def test_address_in_use_is_said_at_a_change_and_tried_at_the_next(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        shelf = Shelf()
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            async with Simulator(port=0, speed=0) as roof, collecting(setup(roof, shelf, None)) as collector:
                wanted = setup(roof, shelf, ProxySetup(port=port))
                await collector.change(wanted)
                assert collector.setup == wanted
                assert collector.watched["roof"].proxy is None
                await asyncio.sleep(5)
                assert len(shelf.of("battery.soc")) >= 4  # it goes on without
                (said,) = caplog.messages
                assert said.startswith(f"proxy: cannot listen on 127.0.0.1:{port}: address already in use; ")
                assert said.endswith("; roof has no proxy until the next change")
                taken.close()
                await collector.change(wanted)
                assert proxy_of(collector).port == port

    warp(main())


def test_capture_has_both_sides(tmp_path: Path) -> None:
    path = tmp_path / "both.rctcap"

    async def main() -> None:
        async with (
            Simulator(port=0, broadcast=False, speed=0) as roof,
            collecting(setup(roof, Shelf(), ProxySetup(port=0, capture=str(path)))) as collector,
            connect("127.0.0.1", proxy_of(collector).port) as client,
        ):
            await client.read("svnversion")

    for _ in range(2):  # the second is another file, and the first stays as it is
        warp(main())
    files = sorted(tmp_path.iterdir())
    assert len(files) == 2
    for file in files:
        with file.open("rb", buffering=0) as opened:
            chunks = [item for item in read_capture(opened, file.name, PORT) if isinstance(item, Chunk)]
        sides: dict[int, dict[Direction, FrameParser]] = {}
        frames: dict[int, list[Frame]] = {}
        for chunk in chunks:
            parser = sides.setdefault(chunk.connection, {}).setdefault(chunk.direction, FrameParser())
            frames.setdefault(chunk.connection, []).extend(e for e in parser.feed(chunk.data) if isinstance(e, Frame))
        client, upstream = sorted(frames.values(), key=len)
        assert len(upstream) >= 4  # what the poller asks, too
        assert [frame.command.is_response for frame in client] == [False, True]
        assert client[1] in upstream


async def test_capture_that_cannot_be_had_is_an_error_at_the_start(tmp_path: Path) -> None:
    name = tmp_path / "no" / "x.rctcap"
    async with Simulator(port=0) as roof:
        with pytest.raises(RctError, match=r"x\.rctcap: cannot be written: no such file or directory"):
            await Collector(setup(roof, Shelf(), ProxySetup(port=0, capture=str(name)))).run()


async def test_mistake_that_ends_the_client_ends_the_proxy_alone() -> None:
    proxies: list[Proxy] = []

    def stumble(_: Reading) -> None:
        raise ZeroDivisionError

    def started(proxy: Proxy) -> None:
        proxies.append(proxy)
        stack.enter_context(proxy.inverter.hearing(stumble))

    async with Simulator(port=0, cycle=0.1) as roof:
        with ExitStack() as stack, pytest.raises(ZeroDivisionError):
            await share(roof.host, roof.port, ProxySetup(port=0), started)
        with pytest.raises(ConnectFailed):
            async with connect("127.0.0.1", proxies[0].port, tries=1):
                raise AssertionError("nobody gets here")
