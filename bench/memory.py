"""The collector: does its memory grow?"""

from __future__ import annotations

import asyncio
import gc
import selectors
import tempfile
import tracemalloc
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from bench import Measurement
from rct_tools.collector import Collector, InverterSetup, Setup, SinkSetup
from rct_tools.objects import registry
from rct_tools.plan import Field, Group, Plan
from rct_tools.simulator import Simulator
from rct_tools.sinks.sqlite import SqliteSink
from rct_tools.times import SECOND
from rct_tools.values import DataType

OBJECTS: Final = 30
SECONDS: Final = 600
WARM_UP: Final = 120  # seconds
SPEED: Final = 15


class _HastySelector(selectors.DefaultSelector):
    """Waits a fraction of what it is told."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(timeout and timeout / SPEED)


class _HastyLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock is fast: simulator, client, collector and sink work as ever, only sooner."""

    def __init__(self) -> None:
        super().__init__(_HastySelector())

    def time(self) -> float:
        return super().time() * SPEED


def measure(quick: bool) -> Iterator[Measurement]:
    """Compare the memory that Python has in use after the warm-up with that at the end."""
    tracemalloc.start()
    with asyncio.Runner(loop_factory=_HastyLoop) as runner, tempfile.TemporaryDirectory() as folder:
        warm, end, stored = runner.run(_collect(Path(folder) / "readings.db", SECONDS // 20 if quick else SECONDS))
    tracemalloc.stop()
    yield Measurement(
        f"collect {OBJECTS} objects/s into SQLite, {stored:,} readings",
        f"{end / 1024:,.0f} kB at the end",
        f"{warm / 1024:,.0f} kB after the warm-up",
        end / warm,
        at_most=1.05,
    )


async def _collect(path: Path, seconds: int) -> tuple[int, int, int]:
    loop = asyncio.get_running_loop()
    objects = islice((info for info in registry if info.data_type is DataType.FLOAT), OBJECTS)
    plan = Plan((Group("fast", SECOND, tuple(Field(info.name, (info,)) for info in objects)),))
    # The clock of the house stands still, for its history grows, and is not what is measured.
    async with Simulator(port=0, speed=0) as simulator:
        setup = Setup(
            (InverterSetup("roof", simulator.host, plan, simulator.port),),
            (SinkSetup("sqlite", lambda _: SqliteSink(path)),),
        )
        collector = Collector(setup)
        task = loop.create_task(collector.run())
        await asyncio.sleep(seconds * WARM_UP / SECONDS)
        warm = await _least_in_use()
        await asyncio.sleep(seconds - seconds * WARM_UP / SECONDS)
        end = await _least_in_use()
        task.cancel()
        await asyncio.wait([task])
        return warm, end, collector.lanes["sqlite"].outbox.written


async def _least_in_use() -> int:
    """Return the bytes in use between two cycles; during one, more are, for the requests on their way."""
    least = []
    for _ in range(8):
        await asyncio.sleep(0.3)
        gc.collect()
        least.append(tracemalloc.get_traced_memory()[0])
    return min(least)
