"""The whole collector before real servers, all of which are killed: nothing is lost, doubled, or untrue.

A SQLite file is the witness of what was read. Readings are compared one by one, by inverter, object, time and value.
"""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sqlite3
import sys
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Protocol

import aiohttp
import pytest

from bench.ledger import Entry, Key, Listener, compare, influx, overtaken, prometheus, unread, victoria, witness
from rct_tools.metrics import naming
from rct_tools.objects import registry
from rct_tools.plan import fresh_for
from rct_tools.simulator import Simulator
from rct_tools.times import SECOND, parse_iso_time
from rct_tools.vitals import UP

from programs import Done, finish, running
from servers import InfluxServer, MosquittoServer, PrometheusServer, VictoriaServer, free_ports

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals between processes")

OBJECTS = (
    "g_sync.p_ac_load_sum_lp", "g_sync.p_ac_grid_sum_lp", "g_sync.p_acc_lp", "dc_conv.dc_conv_struct[0].p_dc",
    "dc_conv.dc_conv_struct[1].p_dc", "battery.soc", "battery.voltage", "battery.current", "grid_pll[0].f",
    "battery.temperature",
)  # fmt: skip
INTERVAL = 0.2  # seconds
LASTS = fresh_for(round(INTERVAL * SECOND)) / SECOND + 1  # seconds that Prometheus may be told a value
SOME = 100  # readings: two seconds of these


class Server(Protocol):
    """What the servers of these tests have in common."""

    async def start(self) -> None: ...

    def kill(self) -> None: ...


class Station:
    """An inverter, a collector, and servers."""

    def __init__(self, folder: Path, simulator: Simulator, stack: AsyncExitStack) -> None:
        self.simulator = simulator
        self._folder = folder
        self._stack = stack
        self._process: Process | None = None
        metrics_port, status_port = free_ports(2)
        self.metrics = f"http://127.0.0.1:{metrics_port}/metrics"
        self.status = f"http://127.0.0.1:{status_port}/status"
        folders = {name: folder / name for name in ("influx", "victoria", "mosquitto", "prometheus")}
        for each in folders.values():
            each.mkdir()
        self.influx = InfluxServer(folders["influx"])
        self.victoria = VictoriaServer(folders["victoria"])
        self.broker = MosquittoServer(folders["mosquitto"], keeps=False)
        self.prometheus = PrometheusServer(folders["prometheus"], f"127.0.0.1:{metrics_port}")
        self.servers: dict[str, Server] = {
            "influx": self.influx,
            "victoria": self.victoria,
            "mosquitto": self.broker,
            "prometheus": self.prometheus,
        }
        self.listener = Listener(self.broker.port)
        self.readings = folder / "readings.db"
        (folder / "rct.toml").write_text(
            f'default_groups = false\ndata = "{folder}"\n'
            f'[[inverter]]\nname = "roof"\nhost = "127.0.0.1"\nport = {simulator.port}\n'
            f'[[group]]\nname = "often"\ninterval = "{INTERVAL}s"\nobjects = {json.dumps(OBJECTS)}\n'
            f'[[sink]]\nurl = "sqlite:{self.readings}"\nlabel = "witness"\n'
            f'[[sink]]\nurl = "influx://{self.influx.address}/house"\nlabel = "influx"\nschema = "groups"\n'
            f'[[sink]]\nurl = "influx://{self.victoria.address}/house"\nlabel = "victoria"\nschema = "groups"\n'
            f'[[sink]]\nurl = "mqtt://{self.broker.address}"\nlabel = "mosquitto"\nevery = true\npayload = "json"\n'
            f'[[sink]]\nurl = "prometheus://127.0.0.1:{metrics_port}"\nlabel = "prometheus"\n'
            f'[status]\nlisten = "127.0.0.1:{status_port}"\n'
        )

    async def start(self, victim: str) -> None:
        """Start the collector, or a server; the broker so that it is heard from the first message on."""
        if victim == "collector":
            self._process = await self._stack.enter_async_context(
                running("rct", "collect", "-c", self._folder / "rct.toml")
            )
        elif victim == "mosquitto":
            with self._frozen():
                await self.broker.start()
                await asyncio.wait_for(self.listener.here.wait(), 30)
        else:
            await self.servers[victim].start()

    @contextmanager
    def _frozen(self) -> Iterator[None]:
        """Let the collector stand still while inside, if it runs."""
        process = self._process
        if process is None or process.returncode is not None:
            yield
            return
        process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            process.send_signal(signal.SIGCONT)

    async def kill(self, victim: str) -> None:
        """End the collector, or a server, as a power cut would."""
        if victim != "collector":
            self.servers[victim].kill()
            if victim == "mosquitto":
                await until(lambda: not self.listener.here.is_set())
            return
        assert self._process is not None
        self._process.kill()
        await self._process.wait()

    async def stop(self) -> Done:
        """End the collector as a service is ended."""
        assert self._process is not None
        self._process.terminate()
        return await finish(self._process)

    def count(self) -> int:
        """Return how many readings the witness has."""
        with suppress(sqlite3.Error), closing(sqlite3.connect(f"{self.readings.as_uri()}?mode=ro", uri=True)) as file:
            return int(file.execute("SELECT count(*) FROM reading").fetchone()[0])
        return 0

    async def read(self, more: int = SOME) -> None:
        """Wait until so many more readings were read."""
        enough = self.count() + more
        async with asyncio.timeout(60):
            while self.count() < enough:
                await asyncio.sleep(0.02)
                if self._process is not None and self._process.returncode is not None:
                    pytest.fail((await finish(self._process)).err)

    async def settled(self) -> None:
        """Wait until nothing waits for any sink, none is in trouble, and Prometheus has come."""
        busy = {"witness", "influx", "victoria", "mosquitto", "prometheus"}
        async with asyncio.timeout(60), aiohttp.ClientSession() as session:
            while busy:
                async with session.get(self.status) as answer:
                    document = await answer.json()
                for sink in document["sinks"]:
                    if not sink["waiting"] and not sink["trouble"] and sink["written"]:
                        busy.discard(sink["label"])
                await asyncio.sleep(0.05)
        await self.scraped(True)

    async def committed(self) -> dict[str, int]:
        """Return for each sink a time (UTC, ns) when it had on disk, or had written, all that was read until then."""
        found: dict[str, int] = {}
        async with asyncio.timeout(60), aiohttp.ClientSession() as session:
            while found.keys() != {"witness", "influx", "victoria", "mosquitto", "prometheus"}:
                async with session.get(self.status) as answer:
                    document = await answer.json()
                now = parse_iso_time(document["time"])
                assert now is not None
                found |= {
                    sink["label"]: now
                    for sink in document["sinks"]
                    if sink["waiting"] == sink["spooled"] or sink["label"] == "prometheus"  # which keeps nothing
                }
                await asyncio.sleep(0.002)
        return found

    async def scraped(self, well: bool) -> None:
        """Wait until Prometheus says that it has come, or that it cannot."""
        async with asyncio.timeout(60):
            while [value for _, value in await self.prometheus.query("up")] != [well]:  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    async def exposed(self) -> list[str]:
        """Return the lines that Prometheus is given now, without comments."""
        async with aiohttp.ClientSession() as session, session.get(self.metrics) as answer:
            return [line for line in (await answer.text()).splitlines() if not line.startswith("#")]


async def until(condition: Callable[[], object]) -> None:
    """Wait until something is so that others bring about."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110  # another process does it
            await asyncio.sleep(0.02)


@pytest.fixture
async def station(tmp_path: Path) -> AsyncIterator[Station]:
    async with AsyncExitStack() as stack:
        simulator = await stack.enter_async_context(Simulator(port=free_ports(1)[0], latency=0.001, broadcast=False))
        station = Station(tmp_path, simulator, stack)
        for server in (station.influx, station.victoria, station.broker, station.prometheus):
            stack.callback(server.stop)
        for name in station.servers:
            if name != "mosquitto":
                await station.start(name)
        listening = asyncio.create_task(station.listener.run())
        stack.push_async_callback(_ended, listening)
        await station.start("mosquitto")
        await station.start("collector")
        await station.read()
        yield station


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


# --- killed ---------------------------------------------------------------------------------------------------------

CASES = [
    ("influx",),
    ("victoria",),
    ("mosquitto",),
    ("prometheus",),
    ("collector",),
    ("influx", "collector"),
    ("victoria", "collector"),
    ("mosquitto", "collector"),
    ("influx", "victoria", "mosquitto", "prometheus", "collector"),
]


@pytest.mark.parametrize("victims", CASES, ids="+".join)
async def test_killed(victims: Sequence[str], station: Station) -> None:
    await station.read()
    safe = await station.committed()
    for victim in victims:  # the collector last, so that it has a moment to notice
        await station.kill(victim)
    killed, is_collector_killed = time.time_ns(), "collector" in victims
    if is_collector_killed:
        await until_blind(station, victims)
        back = time.time_ns()
        await station.start("collector")
    else:
        await station.read()
    if set(victims) != {"collector"}:
        await station.read()
        for victim in victims:
            if victim != "collector":
                await station.start(victim)
    await station.read()
    await station.settled()
    samples = await prometheus(station.prometheus.port, "roof", OBJECTS, "10m")
    done = await station.stop()
    assert done.code == 0
    assert re.findall(r"^.*\b(?!0 )\d+ (?:readings )?lost\b.*$", done.err, re.MULTILINE) == []  # connections may be
    assert len(re.findall(r"\d+ readings stored, 0 lost", done.err)) == len(station.servers) + 1
    assert "wait for the next start" not in done.err

    read = witness(station.readings)
    listener = station.listener
    await until(lambda: listener.latest("status") == "offline")
    states = list(listener.states({key[:2] for key, _ in read}))
    told = [entry for entry in read if entry[0].object != UP.name]  # which is a topic without a time
    stores = {
        "influx": (compare(read, stored := await influx(station.influx.port, "house")), stored),
        "victoria": (compare(read, stored := await victoria(station.victoria.port), coarse=True), stored),
        "mosquitto": (compare(told, stored := [*states, *listener.late()]), stored),
    }
    assert len(read) >= 3 * SOME
    for name, (account, stored) in stores.items():
        assert account.untrue == [], name
        assert name == "mosquitto" or account.doubled == [], name  # who may hear what was confirmed too late again
        if not is_collector_killed:
            assert (account.missing, account.strange) == ([], []), name
        else:
            check_end(account.missing, stored, safe[name], killed)
            check_end(account.strange, read, safe["witness"], killed)
    # What a killed one had told, and not noted as told yet, is told once more, in its order.
    assert overtaken(dict.fromkeys(states) if is_collector_killed else states) == []
    late = {key for key, _ in listener.late()}
    assert bool(late) == ("mosquitto" in victims)
    assert {sample.object for sample in samples} == {*OBJECTS}
    assert unread(samples, read, LASTS) == []
    if is_collector_killed:
        assert not [sample for sample in samples if killed < sample.when * SECOND < back]


async def until_blind(station: Station, victims: Sequence[str]) -> None:
    """Wait until those who are still there say that the collector is not."""
    if "mosquitto" not in victims:
        await until(lambda: station.listener.latest("status") == "offline")
    if "prometheus" not in victims:
        await station.scraped(False)


def check_end(keys: Sequence[Key], others: Iterable[Entry], safe: int, killed: int) -> None:
    """Check that what one has not is the end of what came before the kill, and nothing that was committed."""
    last = max(safe, *(key.time for key, _ in others if key.time < killed))
    for key in keys:
        assert last // 10**6 * 10**6 <= key.time < killed  # VictoriaMetrics has whole milliseconds


# --- away -----------------------------------------------------------------------------------------------------------


async def test_inverter_that_goes_away_is_shown_nowhere_until_it_is_back(station: Station) -> None:
    listener, port = station.listener, station.simulator.port
    assert (listener.latest("status"), listener.latest("roof/status")) == ("online", "online")
    await until_exposed(station, LIVE)
    await station.simulator.close()
    await until(lambda: listener.latest("roof/status") == "offline")
    assert listener.latest("status") == "online"
    lines = await until_exposed(station, set())
    assert 'rct_up{inverter="roof"} 0.0' in lines
    away = time.time_ns()
    count = station.count()
    async with Simulator(port=port, latency=0.001, broadcast=False):
        await until(lambda: listener.latest("roof/status") == "online")
        await until_exposed(station, LIVE)
        await station.read()
        assert (await station.stop()).code == 0
    back = min(key.time for key, _ in witness(station.readings) if key.time > away and key.object in OBJECTS)
    samples = await prometheus(station.prometheus.port, "roof", OBJECTS, "10m")
    assert not [s for s in samples if away < s.when * SECOND and s.answered * SECOND < back]
    assert unread(samples, witness(station.readings), LASTS) == []
    assert station.count() > count


LIVE = {metric.family.name for name in OBJECTS for metric in naming("own").metrics(registry[name])}


async def until_exposed(station: Station, names: set[str]) -> list[str]:
    """Wait until of the objects of the inverter just these metrics are exposed; return all lines."""
    async with asyncio.timeout(60):
        while True:
            lines = await station.exposed()
            shown = LIVE & {line.partition("{")[0] for line in lines}
            assert not shown or 'rct_up{inverter="roof"} 1.0' in lines  # at no moment anything of who is away
            if shown == names:
                return lines
            await asyncio.sleep(0.05)
