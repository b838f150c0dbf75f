"""What a reading costs on its way into each sink, into real servers where there are some, in all threads of ours."""

from __future__ import annotations

import asyncio
import logging
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Protocol, TypeAlias

from bench import Measurement
from rct_tools.config import load_plan
from rct_tools.outbox import Outbox
from rct_tools.plan import Source
from rct_tools.reading import Reading
from rct_tools.simulator.inverter import Inverter
from rct_tools.sinks import Sink, open_sink, settings_for
from rct_tools.sinks.prometheus import PrometheusSink
from rct_tools.spool import Spool
from rct_tools.times import SECOND
from rct_tools.vitals import UP

sys.path.append(str(Path(__file__).parent.parent / "tests"))  # the servers are those of the tests

from servers import InfluxServer, MosquittoServer, VictoriaServer

READINGS: Final = 10_000
MOST_WRITES: Final = 1_000
NOON: Final = 1_782_043_200  # 2026-06-21 12:00 on the clock of the house
STEP: Final = 5  # seconds of the house between two looks at it
ROUNDS: Final = 5
INVERTER: Final = "roof"
SCRAPES: Final = 15.0  # seconds from one to the next, as Prometheus has it in its examples

Write: TypeAlias = Callable[[Sequence[Reading]], Awaitable[None]]


class Server(Protocol):
    """A server of tests/servers.py."""

    address: str

    async def start(self) -> None:
        """Start, and return when it answers."""

    def stop(self) -> None:
        """Stop, and return when it has ended."""


@dataclass(frozen=True, slots=True)
class Case:
    """A sink, and what 1,000 readings may cost there."""

    name: str
    url: str
    at_most: float  # seconds of processor time for 1,000, in writes of 40 and more
    keys: Mapping[str, object] = field(default_factory=dict)
    program: str = ""  # the server
    server: Callable[[Path], Server] | None = None


PROMETHEUS: Final = Case("Prometheus", "prometheus://127.0.0.1:0", 0.02)
CASES: Final = (
    Case("SQLite", "sqlite:{folder}/readings.db", 0.02),
    Case("JSON lines", "jsonl:{folder}/readings.jsonl", 0.02),
    Case("CSV", "csv:{folder}/readings.csv", 0.02),
    Case("Parquet", "parquet:{folder}/readings", 0.02),
    PROMETHEUS,
    Case("InfluxDB 1.6", "influx://{address}/bench", 0.02, program="influxd", server=InfluxServer),
    Case("VictoriaMetrics", "influx://{address}/bench", 0.02, program="victoria-metrics", server=VictoriaServer),
    Case("MQTT, each", "mqtt://{address}", 0.1, {"every": True}, "mosquitto", MosquittoServer),
    Case("MQTT, on change", "mqtt://{address}", 0.1, {}, "mosquitto", MosquittoServer),
)
SIZES: Final = (1, 40, 1000)
"""Readings a write: as they come from one inverter, as they are gathered of a fleet, and after a sink was away."""
ONE_BY_ONE: Final = 0.3  # what 1,000 writes may cost: at 30 a second, a hundredth of a core
SPOOLED: Final = 0.03  # what 1,000 readings may cost more: two commits a write, and three ways to another thread


def measure(quick: bool) -> Iterator[Measurement]:
    """Compare processor time for 1,000 readings with the second in which a fleet reads so many."""
    logging.getLogger("rct_tools").addHandler(logging.NullHandler())  # what a database cannot hold is known
    readings = list(_stream(READINGS // 20 if quick else READINGS))
    for case in CASES:
        if case.program and shutil.which(case.program) is None:
            print(f"sinks: {case.program} is not installed, so {case.name} is left out", file=sys.stderr)
            continue
        for size in SIZES[bool(case.program) : 2 if quick else None]:
            for spooled in (False, True)[: 1 + bool(case.program)]:
                took = min(asyncio.run(_write(case, readings, size, spooled)) for _ in range(1 if quick else ROUNDS))
                yield Measurement(
                    f"{case.name}, {size:,} a write{', through the spool' * spooled}",
                    f"{took * 1000:.3g} ms a 1,000",
                    "1 s, for 1,000 of a fleet",
                    took,
                    at_most=ONE_BY_ONE if size == 1 else case.at_most + SPOOLED * spooled,
                )
    took, names = asyncio.run(_scrape(readings))
    yield Measurement(
        f"Prometheus, an answer with {names} metrics",
        f"{took * 1000:.3g} ms",
        f"{SCRAPES:g} s, to the next",
        took / SCRAPES,
        at_most=0.002,
    )


async def _write(case: Case, readings: Sequence[Reading], size: int, spooled: bool) -> float:
    """Return the seconds of processor time for 1,000 readings."""
    readings = readings[: MOST_WRITES * size]
    size = min(size, len(readings) // 2)
    async with _opened(case) as (sink, folder):
        write, close = _through_spool(sink, folder / "x.spool") if spooled else (sink.write, None)
        await write(readings[:size])  # connections, tables and topics are made
        began = time.process_time()
        for start in range(size, len(readings), size):
            await write(readings[start : start + size])
        took = time.process_time() - began
        if close:
            await close()
    return took / (len(readings) - size) * 1000


def _through_spool(sink: Sink, path: Path) -> tuple[Write, Callable[[], Awaitable[None]]]:
    """Return what writes by way of an outbox with a spool, and what ends that."""
    written = asyncio.Event()

    async def write(readings: Sequence[Reading]) -> None:
        await sink.write(readings)
        written.set()

    async def put(readings: Sequence[Reading]) -> None:
        written.clear()
        outbox.put(readings)
        await written.wait()

    async def close() -> None:
        outbox.finish()
        await job

    outbox = Outbox("bench", write, spool=Spool(path), sleep=_skip)
    job = asyncio.create_task(outbox.run())
    return put, close


@asynccontextmanager
async def _opened(case: Case) -> AsyncIterator[tuple[Sink, Path]]:
    """Open a sink, with its server; the folder is for what else there is to store."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = case.server(folder) if case.server else None
        try:
            if server:
                await server.start()
            url = case.url.format(folder=folder, address=server.address if server else "")
            sink = open_sink(settings_for(url, "", **case.keys), _sources())
            try:
                yield sink, folder
            finally:
                await sink.close()
        finally:
            if server:
                server.stop()


async def _scrape(readings: Sequence[Reading]) -> tuple[float, int]:
    """Return the seconds of processor time of one answer that Prometheus gets, and how many metrics it has."""
    now = time.time_ns()
    newest = {reading.object.name: replace(reading, time=now) for reading in readings}
    times = []
    async with _opened(PROMETHEUS) as (sink, _):
        await sink.write([Reading(now, INVERTER, UP, True), *newest.values()])
        assert isinstance(sink, PrometheusSink)
        for _ in range(ROUNDS):
            reader, writer = await asyncio.open_connection(*sink.address.split(":"))
            began = time.process_time()
            writer.write(b"GET /metrics HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")
            answer = await reader.read()
            times.append(time.process_time() - began)
            writer.close()
    return min(times), sum(line[:1] not in b"#" for line in answer.partition(b"\r\n\r\n")[2].splitlines())


def _sources() -> list[Source]:
    return [Source(INVERTER, "UTC", load_plan().expects)]


def _stream(count: int) -> Iterator[Reading]:
    """Yield what the default plan reads of a simulated inverter from now on, so that nothing is late; without sums."""
    now = time.time_ns()
    inverter = Inverter.with_past(0, NOON)
    plan = load_plan()
    seconds = 0
    while count > 0:
        inverter.house.advance(NOON + seconds, STEP)
        due = [group for group in plan.groups if seconds * SECOND % group.interval == 0]
        infos = [f.info for group in due for f in group.fields if len(f.objects) == 1][:count]
        for number, info in enumerate(infos):
            value = info.decode(inverter.payload(info))
            yield Reading(now + seconds * SECOND + number, INVERTER, info, value)
        count -= len(infos)
        seconds += STEP


async def _skip(_: float) -> None:
    await asyncio.sleep(0)
