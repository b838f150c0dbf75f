"""The collector as its owner runs it, in a process of its own: what it costs at work and idle, and how soon it stores.

Linux only, since processor time is looked at in /proc.
"""

from __future__ import annotations

import asyncio
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench import Measurement
from bench.fleet import READY, Program, free_ports, listening
from bench.light import float_objects
from rct_tools.errors import SinkError
from rct_tools.sinks.sqlite import query
from rct_tools.vitals import VITALS

sys.path.append(str(Path(__file__).parent.parent / "tests"))  # the servers are those of the tests

from servers import InfluxServer

OBJECTS: Final = 30
WARM_UP: Final = 15.0  # seconds: what is read rarely is all asked once at the beginning
SECONDS: Final = 60.0
STARTS: Final = 5

_LOOK: Final = 0.02  # seconds between looks whether something is stored
_RCT: Final = (sys.executable, "-m", "rct_tools")
_VITALS: Final = frozenset(info.name for info in VITALS)


@dataclass(frozen=True, slots=True)
class Case:
    """A collector to be watched."""

    name: str  # of its folder
    what: str
    at_most: float  # of one core
    fast: bool = False  # 30 objects/s in place of the default plan
    away: bool = False  # nobody listens where its inverter should be
    server: str = ""  # the program it writes to; a SQLite file without


CASES: Final = (
    Case("fast", f"rct collect, {OBJECTS} objects/s into SQLite", 0.03, fast=True),
    Case("sent", f"rct collect, {OBJECTS} objects/s into InfluxDB, with a spool", 0.03, fast=True, server="influxd"),
    Case("plan", "rct collect, the default plan into SQLite", 0.03),
    Case("plan-sent", "rct collect, the default plan into InfluxDB, with a spool", 0.03, server="influxd"),
    Case("away", f"rct collect, {OBJECTS} objects/s, the inverter away", 0.01, fast=True, away=True),
)


def measure(quick: bool) -> Iterator[Measurement]:
    """Compare processor time with the time on the clock; and look how soon the first value is stored."""
    if sys.platform != "linux":
        print("collecting: is measured on Linux only", file=sys.stderr)
        return
    seconds = 1.0 if quick else SECONDS
    cases = [case for case in CASES if case.fast or not quick]
    if any(case.server and shutil.which(case.server) is None for case in cases):
        cases = [case for case in cases if not case.server]
        print("collecting: influxd is not installed, so nothing is collected into it", file=sys.stderr)
    for case, used, passed in asyncio.run(_watch(cases, 0.5 if quick else WARM_UP, seconds)):
        yield Measurement(
            case.what,
            f"{used / passed:.2%} of a core",
            f"{passed:.0f} s on the clock",
            used / passed,
            at_most=case.at_most,
        )
    took = statistics.median(asyncio.run(_first_stored()) for _ in range(1 if quick else STARTS))
    yield Measurement("rct collect, until its first value is stored", f"{took:.2f} s", "1 s", took, at_most=3)


async def _watch(cases: list[Case], warm_up: float, seconds: float) -> list[tuple[Case, float, float]]:
    """Run collectors beside each other, each with an inverter of its own; return seconds used, and on the clock."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        address = ""
        if any(case.server for case in cases):
            (folder / "influx").mkdir()
            server = InfluxServer(folder / "influx")
            await server.start()
            stack.callback(server.stop)
            address = server.address
        ports = free_ports(len(cases))
        collectors = []
        for case, port in zip(cases, ports, strict=True):
            place = folder / case.name
            place.mkdir()
            (place / "rct.toml").write_text(_configuration(case, place, port, f"influx://{address}/{case.name}"))
            if not case.away:
                await _start(stack, _simulator(place, port))
                await listening(port)
            collectors.append(Program("collect", [*_RCT, "collect", "-c", str(place / "rct.toml")], place))
        for collector in collectors:
            await _start(stack, collector)
        await asyncio.sleep(warm_up)
        for collector in collectors:
            collector.look()
        began = time.perf_counter()
        before = [collector.usage.seconds for collector in collectors]
        await asyncio.sleep(seconds)
        for collector in collectors:
            collector.look()
        passed = time.perf_counter() - began
        used = [collector.usage.seconds - first for collector, first in zip(collectors, before, strict=True)]
    return [(case, one, passed) for case, one in zip(cases, used, strict=True)]


async def _first_stored() -> float:
    """Return the seconds from the start of a collector to a value in its file, from an inverter that only answers."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (port,) = free_ports(1)
        await _start(stack, _simulator(folder, port, "--no-broadcast"))
        await listening(port)
        path = folder / "readings.db"
        inverter = ("--host", "127.0.0.1", "--port", str(port))
        collector = Program("collect", [*_RCT, "collect", *inverter, "--sink", f"sqlite:{path}"], folder)
        began = time.perf_counter()
        await _start(stack, collector)
        async with asyncio.timeout(READY):
            while not _has_value(path):
                collector.look()
                await asyncio.sleep(_LOOK)
        return time.perf_counter() - began


def _has_value(path: Path) -> bool:
    """Return whether a file has a value of the inverter; that it does not answer yet is none."""
    try:
        return any(reading.object not in _VITALS for reading in query(path))
    except SinkError:  # it is not there yet
        return False


def _simulator(folder: Path, port: int, *options: str) -> Program:
    return Program("simulate", [*_RCT, "simulate", "--port", str(port), *options], folder)


async def _start(stack: AsyncExitStack, program: Program) -> None:
    await program.start()
    stack.push_async_callback(program.end)


def _configuration(case: Case, folder: Path, port: int, influx: str) -> str:
    names = ", ".join(f'"{info.name}"' for info in float_objects(OBJECTS))
    group = f'default_groups = false\n[[group]]\nname = "fast"\ninterval = "1s"\nobjects = [{names}]\n'
    return (
        f'data = "{folder}"\n{group * case.fast}[status]\nlisten = ""\n'
        f'[[inverter]]\nhost = "127.0.0.1"\nport = {port}\n'
        f'[[sink]]\nurl = "{influx if case.server else f"sqlite:{folder}/readings.db"}"\n'
    )
