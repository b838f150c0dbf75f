"""The spool: what it costs that nothing is lost, and how fast a backlog is worked off."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from bench import Measurement
from rct_tools.objects import registry
from rct_tools.outbox import DRAIN_RATE, Outbox
from rct_tools.reading import Reading
from rct_tools.sinks.sqlite import SqliteSink
from rct_tools.spool import Spool
from rct_tools.times import SECOND
from rct_tools.values import DataType

OBJECTS: Final = 30  # of one inverter, read once a second: the live rate
FLEET: Final = 1000  # readings per second
COMMIT: Final = 250  # readings: those of the fleet between two commits
READINGS: Final = 100_000


def measure(quick: bool) -> Iterator[Measurement]:
    """Compare processor time with the time in which a fleet reads as much, and rates with that of one inverter."""
    count = READINGS // 20 if quick else READINGS
    for size, what in ((COMMIT, f"{COMMIT} a commit, of a fleet"), (OBJECTS, f"{OBJECTS} a commit, of an inverter")):
        took = asyncio.run(_through(count, size))
        yield Measurement(
            f"through the spool, {what}",
            f"{took / count * 1e6:.1f} ms a 1,000",
            f"1 s, for {FLEET:,} of a fleet",
            took / count * FLEET,
            at_most=0.015,
        )
    for limit, what in ((DRAIN_RATE, f"at most {DRAIN_RATE:,.0f} a second"), (1e9, "without a limit")):
        waiting = int(min(count, 5 * limit))
        rate, live = asyncio.run(_drain(waiting, limit))
        yield Measurement(
            f"drain {waiting:,} readings into SQLite, {what}",
            f"{rate:,.0f} readings/s",
            f"{live:,.0f}/s live, beside it",
            rate / OBJECTS,
            at_least=20,
        )


async def _through(count: int, size: int) -> float:
    """Return the processor time that an outbox with a spool takes for so many readings, in commits of a size."""
    batches = [_readings(size, start) for start in range(0, count, size)]
    written = asyncio.Event()

    async def write(_: Sequence[Reading]) -> None:  # a sink that costs nothing
        written.set()

    with tempfile.TemporaryDirectory() as folder:
        outbox = Outbox("nowhere", write, spool=Spool(Path(folder) / "x.spool"), sleep=_skip)
        job = asyncio.create_task(outbox.run())
        began = time.process_time()
        for batch in batches:
            written.clear()
            outbox.put(batch)
            await written.wait()
        took = time.process_time() - began
        outbox.finish()
        await job
    return took


async def _drain(count: int, limit: float) -> tuple[float, float]:
    """Return how many readings a second are worked off, and how many new ones were written meanwhile."""
    with tempfile.TemporaryDirectory() as folder:
        spool = Spool(Path(folder) / "x.spool")
        for start in range(0, count, FLEET):
            spool.append(_readings(min(FLEET, count - start), start))
        sink = SqliteSink(Path(folder) / "readings.db")
        outbox = Outbox("sqlite", sink.write, spool=spool, drain_rate=limit)
        job = asyncio.create_task(outbox.run())
        live = 0
        began = time.perf_counter()
        while outbox.written < count + live:
            due = int((time.perf_counter() - began) * OBJECTS)
            outbox.put(_readings(due - live, 10**9 + live))
            live = due
            await asyncio.sleep(0.01)
        took = time.perf_counter() - began
        outbox.finish()
        await job
        await sink.close()
    return count / took, live / took


def _readings(count: int, start: int) -> list[Reading]:
    infos = list(islice((info for info in registry if info.data_type is DataType.FLOAT), OBJECTS))
    return [Reading(n * SECOND, "roof", infos[n % OBJECTS], n / 8) for n in range(start, start + count)]


async def _skip(_: float) -> None:
    await asyncio.sleep(0)
