"""A page at work: a simulated inverter, a collector, and the page of it, in this process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from rct_tools.collector import Collector
from rct_tools.config import load_plan, sink_of
from rct_tools.plan import Group, Plan, Steerable
from rct_tools.settings import NO_SECRET, Secret
from rct_tools.setups import InverterSetup, Setup, SinkSetup
from rct_tools.simulator import Simulator
from rct_tools.steering.table import watched
from rct_tools.times import SECOND
from rct_tools.web.door import ReverseProxy
from rct_tools.web.server import Page
from rct_tools.web.table import WebSetup
from rct_tools.web.tariff import Tariff

ZONE = f"Etc/GMT{max(datetime.now(UTC).hour - 15, -14):+d}"
"""A time zone in which it is afternoon now, whenever that is: so the day that is shown has much to show."""

QUICK = Plan((Group("quick", 2 * SECOND, tuple(f for group in load_plan().groups for f in group.fields)),))
"""All that is read by default, without the minute in which it is spread."""


@dataclass(frozen=True)
class Shown:
    """What is at work."""

    url: str
    page: Page
    collector: Collector
    simulator: Simulator


@asynccontextmanager
async def showing(
    simulator: Simulator,
    *,
    store: Path | None = None,
    password: str = "",
    plan: Plan | None = None,
    names: Sequence[str] = ("roof",),
    host: str = "127.0.0.1",
    zone: str = ZONE,
    port: int = 0,
    proxy: ReverseProxy | None = None,
    tariff: Tariff | None = None,
    wall_clock: Callable[[], int] = time.time_ns,
    steerable: Steerable | None = None,
    folder: Path | None = None,
) -> AsyncIterator[Shown]:
    """Collect from a simulator that runs, and show it; ``names`` are those of as many inverters, all the same.

    ``wall_clock`` is what the page takes for now. What is ``steerable`` may be ordered of the first of them.
    ``folder`` is where logins are kept.
    """
    secret = Secret(password) if password else NO_SECRET
    page = Page(WebSetup(host, port, secret, store, proxy, tariff, folder), wall_clock)
    sinks = (SinkSetup("page", page.open), *((sink_of(f"sqlite:{store}"),) if store else ()))
    inverters = [InverterSetup(name, simulator.host, plan or load_plan(), simulator.port, zone) for name in names]
    if steerable:
        inverters[0] = replace(inverters[0], plan=watched(inverters[0].plan, steerable), steerable=steerable)
    collector = Collector(Setup(tuple(inverters), sinks))
    async with page.serving(lambda: collector.watched) as address:
        started = asyncio.Event()
        job = asyncio.create_task(collector.run(started.set))
        await asyncio.wait([job, asyncio.create_task(started.wait())], return_when=asyncio.FIRST_COMPLETED)
        try:
            yield Shown(f"http://{address}", page, collector, simulator)
        finally:
            job.cancel()
            await asyncio.wait([job])


async def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait for a condition that other tasks bring about."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  # no one event tells
            await asyncio.sleep(0.01)


def known(shown: Shown, *objects: str, name: str = "roof") -> Callable[[], bool]:
    """Return a condition: that these objects have been read."""
    return partial(_are_known, shown, objects, name)


def _are_known(shown: Shown, objects: Sequence[str], name: str) -> bool:
    return name in shown.page.newest.inverters and set(objects) <= shown.page.newest.seen(name).keys()
