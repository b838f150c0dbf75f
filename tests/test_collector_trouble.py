"""The whole collector beside a sink in trouble: the good one gets everything, one line says it, what waits arrives."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
import ssl
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from bench.ledger import Entry, Key, Listener, compare, witness
from rct_tools.simulator import Simulator
from rct_tools.vitals import UP

from peers import peer
from programs import finish, run, running
from servers import Certificates, MosquittoServer, free_ports

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals between processes")

OBJECTS = ("battery.soc", "battery.voltage", "g_sync.p_ac_load_sum_lp", "g_sync.p_acc_lp")
SOME = 40  # readings: two seconds of these

Answer = Callable[[Sequence[str]], Awaitable[web.Response]]


class Database:
    """A stand-in for InfluxDB 1.x that answers to lines as it is told; what it says yes to, it keeps."""

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self.answer: Answer = yes
        self.kept: list[Entry] = []
        self.asked: list[float] = []  # when, in seconds of the loop

    @asynccontextmanager
    async def serving(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[Database]:
        app = web.Application()
        app.router.add_post("/write", self._write)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", self.port, ssl_context=tls).start()
            self.port = runner.addresses[0][1]
            yield self
        finally:
            await runner.cleanup()

    async def _write(self, request: web.Request) -> web.Response:
        self.asked.append(asyncio.get_running_loop().time())
        lines = (await request.text()).splitlines()
        response = await self.answer(lines)
        if response.status == HTTPStatus.NO_CONTENT:
            self.kept += map(entry, lines)
        return response


def entry(line: str) -> Entry:
    """Return the reading in a line of the schema ``groups``."""
    match = re.fullmatch(r"\w+,inverter=(\w+),name=(\S+) value=(\S+) (\d+)", line)
    assert match, line
    return Key(match[1], match[2], int(match[4])), float(match[3])


async def yes(_lines: Sequence[str]) -> web.Response:
    return web.Response(status=204)


async def never(_lines: Sequence[str]) -> web.Response:
    await asyncio.Event().wait()
    raise AssertionError


def no(status: int, error: str, **headers: str) -> Answer:
    async def answer(_lines: Sequence[str]) -> web.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.json_response({"error": error}, status=status, headers=named)

    return answer


@dataclass
class House:
    """An inverter, a folder, and what the collector is told to do there."""

    folder: Path
    simulator: Simulator
    process: Process | None = None  # the last collector
    status_port: int = field(default_factory=lambda: free_ports(1)[0])

    @property
    def readings(self) -> Path:
        return self.folder / "readings.db"

    @asynccontextmanager
    async def collector(self, sink: str) -> AsyncIterator[Process]:
        """Run a collector into a good SQLite file, and into a sink called ``bad``."""
        async with running("rct", "collect", "-c", self.configured(sink)) as self.process:
            yield self.process

    def configured(self, sink: str, status_port: int | None = None) -> Path:
        """Write a configuration, and return its path."""
        path = self.folder / "rct.toml"
        path.write_text(
            f'default_groups = false\ndata = "{self.folder}"\n'
            f'[[inverter]]\nname = "roof"\nhost = "127.0.0.1"\nport = {self.simulator.port}\n'
            f'[[group]]\nname = "often"\ninterval = "200ms"\nobjects = {json.dumps(OBJECTS)}\n'
            f'[[sink]]\nurl = "sqlite:{self.readings}"\nlabel = "witness"\n'
            f'[[sink]]\nlabel = "bad"\n{sink}\n'
            f'[status]\nlisten = "127.0.0.1:{status_port or self.status_port}"\n'
        )
        return path

    def count(self) -> int:
        """Return how many readings the good sink has."""
        try:
            return len(witness(self.readings))
        except Exception:  # noqa: BLE001  # not there yet, or nothing in it
            return 0

    async def read(self, more: int = SOME) -> None:
        """Wait until so many more readings are in the good sink."""
        enough = self.count() + more
        async with asyncio.timeout(60):
            while self.count() < enough:
                await self.look()

    async def look(self) -> None:
        """Wait a moment. Fails when the collector has ended by itself."""
        await asyncio.sleep(0.02)
        if self.process is not None and self.process.returncode is not None:
            pytest.fail((await finish(self.process)).err)

    async def bad(self, condition: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """Wait until the status of the bad sink is so, and return it."""
        async with asyncio.timeout(60), aiohttp.ClientSession() as session:
            while True:
                try:
                    async with session.get(f"http://127.0.0.1:{self.status_port}/status") as answer:
                        sinks: list[dict[str, Any]] = (await answer.json())["sinks"]
                except aiohttp.ClientError:
                    sinks = []  # it has not begun
                for sink in sinks:
                    if sink["label"] == "bad" and condition(sink):
                        return sink
                await self.look()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110  # another process does it
            await asyncio.sleep(0.02)


def logged(err: str) -> list[str]:
    """Return what a collector has logged, without the time of day. What it says at its start and end is none of it."""
    return [match[1] for line in err.splitlines() if (match := re.fullmatch(r"\d\d:\d\d:\d\d (.*)", line))]


def works(sink: dict[str, Any]) -> bool:
    return bool(sink["written"]) and not sink["waiting"] and not sink["trouble"]


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with Simulator(port=0, latency=0.001, broadcast=False) as simulator:
        yield House(tmp_path, simulator)


# --- trouble that ends ----------------------------------------------------------------------------------------------


@dataclass
class Scene:
    """A sink in trouble, until it is cured."""

    sink: str  # its configuration
    says: str  # the one line, as a regular expression
    cure: Callable[[], Awaitable[None]]
    arrived: Callable[[], Awaitable[Sequence[Entry]]]  # when the collector has ended
    needs_restart: bool = False  # before the cure is noticed


Scenery = Callable[[Path, AsyncExitStack], Awaitable[Scene]]


def answering(answer: Answer, says: str) -> Scenery:
    """Return the scenery of a database that answers so."""

    async def scene(_folder: Path, stack: AsyncExitStack) -> Scene:
        database = await stack.enter_async_context(Database().serving())
        database.answer = answer

        async def cure() -> None:
            database.answer = yes

        async def arrived() -> list[Entry]:
            return database.kept

        url = f"influx://127.0.0.1:{database.port}/house"
        where = re.escape(f"influx http://127.0.0.1:{database.port}: ")
        return Scene(f'url = "{url}"\nschema = "groups"', where + says, cure, arrived)

    return scene


async def nobody_there(_folder: Path, stack: AsyncExitStack) -> Scene:
    database = Database(free_ports(1)[0])

    async def cure() -> None:
        await stack.enter_async_context(database.serving())

    async def arrived() -> list[Entry]:
        return database.kept

    url = f"influx://127.0.0.1:{database.port}/house"
    says = re.escape(f"influx http://127.0.0.1:{database.port}: connection refused")
    return Scene(f'url = "{url}"\nschema = "groups"', says, cure, arrived)


async def wrong_certificate(folder: Path, stack: AsyncExitStack) -> Scene:
    for name in ("ours", "theirs"):
        (folder / name).mkdir()
    ours, theirs = Certificates(folder / "ours"), Certificates(folder / "theirs")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*theirs.certify("localhost"))
    database = await stack.enter_async_context(Database().serving(context))

    async def cure() -> None:
        ours.ca.write_bytes(theirs.ca.read_bytes())

    async def arrived() -> list[Entry]:
        return database.kept

    return Scene(
        f'url = "influxs://localhost:{database.port}/house"\nschema = "groups"\ntls.ca = "{ours.ca}"',
        re.escape(f"influx https://localhost:{database.port}: its certificate is not to be trusted: ") + ".*tls.ca.*",
        cure, arrived, needs_restart=True,
    )  # fmt: skip


async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def broker_that_drops(folder: Path, stack: AsyncExitStack) -> Scene:
    """One with a door before it, where all are turned away; so that who listens inside is there from the beginning."""
    broker = await stack.enter_async_context(MosquittoServer(folder, keeps=False))
    listener = Listener(broker.port)
    listening = asyncio.create_task(listener.run())
    stack.push_async_callback(asyncio.wait, [listening])
    stack.callback(listening.cancel)
    await asyncio.wait_for(listener.here.wait(), 60)
    is_open = False

    async def door(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if is_open:
            inside, outside = await asyncio.open_connection("127.0.0.1", broker.port)
            await asyncio.gather(pour(reader, outside), pour(inside, writer))

    port = await stack.enter_async_context(peer(door))

    async def cure() -> None:
        nonlocal is_open
        is_open = True

    async def arrived() -> list[Entry]:
        await until(lambda: listener.latest("status") == "offline")  # its last word
        return [*listener.states(("roof", name) for name in OBJECTS), *listener.late()]

    return Scene(
        f'url = "mqtt://127.0.0.1:{port}"\nevery = true\npayload = "json"',
        re.escape(f"mqtt 127.0.0.1:{port}: the broker ends the connection without a word") + ".*",
        cure, arrived,
    )  # fmt: skip


SCENES: dict[str, Scenery] = {
    "401": answering(no(401, "authorization failed"), r"401 authorization failed \(no user; the password is .*\)"),
    "404": answering(no(404, "page not found"), "404 page not found"),
    "429": answering(no(429, "too many requests", Retry_After="3"), "429 too many requests"),
    "500": answering(no(500, "engine is closed"), "500 engine is closed"),
    "hangs": answering(never, "no answer in 10 s"),
    "nobody there": nobody_there,
    "wrong certificate": wrong_certificate,
    "broker that drops": broker_that_drops,
}


@pytest.mark.parametrize("scenery", SCENES.values(), ids=SCENES)
async def test_trouble_is_said_and_what_waits_arrives(scenery: Scenery, house: House) -> None:
    async with AsyncExitStack() as stack:
        scene = await scenery(house.folder, stack)
        async with house.collector(scene.sink) as process:
            await house.read()
            trouble = await house.bad(lambda sink: sink["trouble"])
            await house.read()
            process.terminate()
            first = await finish(process)
        waiting = house.count()
        if scene.needs_restart:
            await scene.cure()
        async with house.collector(scene.sink) as process:
            if not scene.needs_restart:
                await house.bad(lambda sink: sink["trouble"])
                await scene.cure()
            await house.bad(works)
            process.terminate()
            second = await finish(process)
        arrived = await scene.arrived()
    assert re.fullmatch(scene.says, trouble["trouble"])
    assert (trouble["written"], trouble["lost"], trouble["refused"]) == (0, 0, 0)
    assert trouble["trouble_since"]
    (line,) = logged(first.err)
    assert re.fullmatch(f"bad: {scene.says}; keeping readings, will retry", line)
    assert f"bad: 0 readings stored, 0 lost, {waiting} wait for the next start" in first.err.splitlines()
    if scene.needs_restart:
        assert logged(second.err) == []
    else:
        begin, end = logged(second.err)
        assert begin == line
        assert re.fullmatch(r"bad: works again; \d+ readings had been kept", end)
    assert (first.code, second.code) == (0, 0)
    # On a broker, whether an inverter is up is a status without a time.
    read = [entry for entry in witness(house.readings) if entry[0].object != UP.name]
    account = compare(read, [entry for entry in arrived if entry[0].object != UP.name])
    assert (account.missing, account.untrue, account.strange) == ([], [], [])
    assert account.doubled == []


async def test_database_that_wants_time_gets_it(house: House) -> None:
    async with Database().serving() as database:
        database.answer = no(429, "too many requests", Retry_After="3")
        async with house.collector(f'url = "influx://127.0.0.1:{database.port}/house"') as process:
            await until(lambda: len(database.asked) > 1)
            process.terminate()
            assert (await finish(process)).code == 0
    assert database.asked[1] - database.asked[0] >= 3


# --- what is refused ------------------------------------------------------------------------------------------------


async def test_what_is_refused_is_set_apart_and_all_else_arrives(house: House) -> None:
    async def picky(lines: Sequence[str]) -> web.Response:
        return await (no(400, "not this one") if any("battery.voltage" in line for line in lines) else yes)(lines)

    async with Database().serving() as database:
        database.answer = picky
        async with house.collector(f'url = "influx://127.0.0.1:{database.port}/house"\nschema = "groups"') as process:
            await house.read(4 * SOME)
            status = await house.bad(lambda sink: sink["refused"] and works(sink))
            process.terminate()
            done = await finish(process)
    assert done.code == 0
    assert (status["lost"], status["trouble"]) == (0, "")
    (line,) = logged(done.err)
    assert re.fullmatch(
        r"bad: refused for good: \d+ readings, of battery\.voltage: "
        rf"influx http://127\.0\.0\.1:{database.port}: 400 not this one", line
    )  # fmt: skip
    read = witness(house.readings)
    refused = [entry for entry in read if entry[0].object == "battery.voltage"]
    account = compare(read, database.kept)
    assert (account.missing, account.strange) == ([key for key, _ in refused], [])
    (spool,) = (house.folder / "spool").glob("*.db")
    with closing(sqlite3.connect(spool)) as file:
        apart = file.execute("SELECT object, time, value FROM refused JOIN series ON series.id = series").fetchall()
    assert [(Key("roof", name, time), value) for name, time, value in apart] == refused


async def test_database_that_takes_one_line_at_a_time_gets_all(house: House) -> None:
    async def narrow(lines: Sequence[str]) -> web.Response:
        return await (no(413, "too large") if len(lines) > 1 else yes)(lines)

    async with Database().serving() as database:
        database.answer = narrow
        async with house.collector(f'url = "influx://127.0.0.1:{database.port}/house"\nschema = "groups"') as process:
            await house.read(2 * SOME)
            await house.bad(works)
            process.terminate()
            done = await finish(process)
    assert (done.code, logged(done.err)) == (0, [])
    account = compare(witness(house.readings), database.kept)
    assert (account.missing, account.doubled, account.strange) == ([], [], [])


async def test_port_for_prometheus_is_taken(house: House) -> None:
    other = Database(free_ports(1)[0])
    async with AsyncExitStack() as taken:
        await taken.enter_async_context(other.serving())
        async with house.collector(f'url = "prometheus://127.0.0.1:{other.port}"') as process:
            trouble = await house.bad(lambda sink: sink["trouble"])
            await house.read()
            await taken.aclose()
            await house.bad(works)
            address = f"http://127.0.0.1:{other.port}/metrics"
            async with aiohttp.ClientSession() as session, asyncio.timeout(60):
                metrics = ""
                while 'rct_battery_state_of_charge_ratio{inverter="roof"}' not in metrics:
                    async with session.get(address) as answer:
                        metrics = await answer.text()
            process.terminate()
            done = await finish(process)
    assert done.code == 0
    line = f"prometheus 127.0.0.1:{other.port}: cannot be listened on: address already in use"
    assert trouble["trouble"] == line
    begin, end = logged(done.err)
    assert begin == f"bad: {line}; keeping readings, will retry"
    assert re.fullmatch(r"bad: works again; \d+ readings had been kept", end)


# --- the disk -------------------------------------------------------------------------------------------------------


async def test_spool_that_cannot_be_made_is_no_obstacle(house: House) -> None:
    (house.folder / "spool").touch()  # where a folder should be
    async with Database().serving() as database:
        sink = f'url = "influx://127.0.0.1:{database.port}/house"\nschema = "groups"'
        async with house.collector(sink) as process:
            await house.read()
            status = await house.bad(lambda sink: sink["disk_trouble"])
            (house.folder / "spool").unlink()
            await house.bad(lambda sink: not sink["disk_trouble"])
            await house.bad(works)
            process.terminate()
            done = await finish(process)
    (spool,) = (house.folder / "spool").glob("*.db")
    assert status["disk_trouble"] == f"{spool}: cannot be made: File exists"
    assert logged(done.err) == [
        f"bad: spool {spool}: cannot be made: File exists; keeping readings in memory until it works again",
        f"bad: the spool works again; it was: {spool}: cannot be made: File exists",
    ]
    assert done.code == 0
    account = compare(witness(house.readings), database.kept)
    assert (account.missing, account.strange) == ([], [])


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits another process")
async def test_disk_that_takes_nothing_for_a_while(house: House) -> None:
    import resource

    async with Database().serving() as database:
        sink = f'url = "influx://127.0.0.1:{database.port}/house"\nschema = "groups"'
        async with house.collector(sink) as process:
            await house.read()
            before = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, before[1]))
            await house.bad(lambda sink: sink["disk_trouble"])
            enough = len(database.kept) + SOME
            await until(lambda: len(database.kept) > enough)  # from memory
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, before)
            await house.bad(lambda sink: not sink["disk_trouble"])
            await house.read()
            await house.bad(works)
            process.terminate()
            done = await finish(process)
    assert done.code == 0
    assert all(re.search("keeping readings|works again", line) for line in logged(done.err))
    assert len(logged(done.err)) == 4  # of two sinks, the beginning and the end
    account = compare(witness(house.readings), database.kept)
    assert (account.missing, account.untrue, account.strange) == ([], [], [])


async def test_second_collector_on_the_same_spool_ends_at_once(house: House) -> None:
    async with Database().serving() as database:
        sink = f'url = "influx://127.0.0.1:{database.port}/house"\nschema = "groups"'
        async with house.collector(sink) as process:
            await house.read()
            again = await run("rct", "collect", "-c", house.configured(sink, *free_ports(1)))
            await house.read()
            process.terminate()
            done = await finish(process)
    (spool,) = (house.folder / "spool").glob("*.db")
    assert (again.code, again.out) == (1, "")
    assert again.err.splitlines()[-1] == f"Error: {spool}: in use by another process"
    assert (done.code, logged(done.err)) == (0, [])
    account = compare(witness(house.readings), database.kept)
    assert (account.missing, account.strange) == ([], [])
