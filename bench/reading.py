"""The client: many objects at once, beside one at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from itertools import islice
from typing import Final

from bench import Measurement
from rct_tools.client import connect
from rct_tools.objects import registry
from rct_tools.reading import Reading
from rct_tools.simulator import Simulator

OBJECTS: Final = 100
LATENCY: Final = 0.06  # seconds, as a real inverter's
ROUNDS: Final = 3


def measure(quick: bool) -> Iterator[Measurement]:
    """Compare the time for the same objects, each way on a connection of its own."""
    names = [info.name for info in islice((i for i in registry if not i.is_query), OBJECTS // 5 if quick else OBJECTS)]
    together, single = asyncio.run(_measure(names, 1 if quick else ROUNDS))
    yield Measurement(
        f"read {len(names)} objects at {LATENCY * 1000:.0f} ms",
        f"{together:.2f} s",
        f"{single:.2f} s, one at a time",
        single / together,
        at_least=4,
    )


async def _measure(names: list[str], rounds: int) -> tuple[float, float]:
    together = single = float("inf")
    async with Simulator(port=0, latency=LATENCY, broadcast=False) as simulator:
        for _ in range(rounds):
            async with connect("127.0.0.1", simulator.port) as inverter:
                began = time.perf_counter()
                answers = await inverter.read_many(names)
                together = min(together, time.perf_counter() - began)
                assert all(isinstance(answer, Reading) for answer in answers.values())
            async with connect("127.0.0.1", simulator.port) as inverter:
                began = time.perf_counter()
                for name in names:
                    await inverter.read(name)
                single = min(single, time.perf_counter() - began)
    return together, single
