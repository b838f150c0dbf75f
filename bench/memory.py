"""The collector, for a day that passes in minutes: does its memory grow?"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from bench import Measurement
from bench.light import float_objects
from rct_tools.collector import Collector
from rct_tools.config import load_plan
from rct_tools.plan import Field, Group, Plan
from rct_tools.setups import InverterSetup, Setup, SinkSetup
from rct_tools.simulator import Simulator
from rct_tools.sinks.sqlite import SqliteSink
from rct_tools.times import SECOND

sys.path.append(str(Path(__file__).parent.parent / "tests"))  # the fast clock is that of the tests

from warp import warp

OBJECTS: Final = 30
HOUR: Final = 3600.0  # seconds
GOALS: Final = {"objects": 1.01, "resident": 1.05}  # SQLite keeps pages of its file, up to 2 MB
QUICK: Final = 1 / 240  # of the time

_STATM: Final = Path("/proc/self/statm")


@dataclass(frozen=True, slots=True)
class Case:
    """What is collected, and for how long on the clock of the collector."""

    what: str
    warm_up: float  # hours
    end: float
    fast: bool = False  # 30 objects/s in place of the default plan


CASES: Final = (  # as much as two minutes allow: half a million values and messages each
    Case("collect the default plan into SQLite", 4, 24),  # the cache of pages is full after three
    Case(f"collect {OBJECTS} objects/s into SQLite", 1, 2, fast=True),
)


class Use(NamedTuple):
    """Memory, in bytes."""

    objects: int  # of Python
    resident: int  # in all, with what libraries keep; 0 where the system does not tell


def measure(quick: bool) -> Iterator[Measurement]:
    """Compare the memory in use after the warm-up with that at the end, each case in a process of its own."""
    with ProcessPoolExecutor(os.cpu_count(), multiprocessing.get_context("spawn")) as pool:
        for case, (warm, end, stored) in zip(CASES, pool.map(_run, CASES, [quick] * len(CASES)), strict=True):
            what = f"{case.what}, {case.end * (QUICK if quick else 1):.2g} h, {stored:,} readings"
            for (kind, at_most), before, after in zip(GOALS.items(), warm, end, strict=True):
                if before:
                    yield Measurement(
                        f"{what}: {kind}",
                        f"{after / 1024:,.0f} kB at the end",
                        f"{before / 1024:,.0f} kB after the warm-up",
                        after / before,
                        at_most=at_most,
                    )


def _run(case: Case, quick: bool) -> tuple[Use, Use, int]:
    with tempfile.TemporaryDirectory() as folder:
        return warp(_collect(case, Path(folder) / "readings.db", HOUR * QUICK if quick else HOUR))


async def _collect(case: Case, path: Path, hour: float) -> tuple[Use, Use, int]:
    """Return what is in use after the warm-up and at the end, and how many readings were stored."""
    fields = tuple(Field(info.name, (info,)) for info in float_objects(OBJECTS))
    plan = Plan((Group("fast", SECOND, fields),)) if case.fast else load_plan()
    # The clock of the house stands still, for its history grows, and is not what is measured.
    async with Simulator(port=0, speed=0) as simulator:
        setup = Setup(
            (InverterSetup("roof", simulator.host, plan, simulator.port),),
            (SinkSetup("sqlite", lambda _: SqliteSink(path)),),
        )
        collector = Collector(setup)
        task = asyncio.create_task(collector.run())
        await asyncio.sleep(case.warm_up * hour)
        warm = await least_in_use()
        await asyncio.sleep((case.end - case.warm_up) * hour)
        end = await least_in_use()
        task.cancel()
        await asyncio.wait([task])
        return warm, end, collector.lanes["sqlite"].written


async def least_in_use() -> Use:
    """Return what is in use between two cycles; during one, more is, for the requests on their way."""
    least = []
    for _ in range(4):
        await asyncio.sleep(0.3)
        least.append(_objects())
    return Use(min(least), int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if _STATM.exists() else 0)


def _objects() -> int:
    """Return the bytes of all objects that the garbage collector knows, and of all they refer to.

    tracemalloc would tell the same, and make a day last two and a half times as long.
    """
    gc.collect()
    found = gc.get_objects()
    known = set(map(id, found))
    total = 0
    while found:
        total += sum(map(sys.getsizeof, found))
        found = list({id(o): o for o in gc.get_referents(*found) if id(o) not in known}.values())
        known.update(map(id, found))
    return total
