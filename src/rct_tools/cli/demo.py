"""rct demo: everything at once, with a simulated inverter."""

from __future__ import annotations

import asyncio
import logging
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import click
from rich.console import Console
from rich.live import Live
from rich.logging import RichHandler

from rct_tools import live, top
from rct_tools.cli.flows import OBJECTS, WIDTH, Flows, FlowTable, find_flows, flow_line
from rct_tools.cli.options import verbose_option
from rct_tools.cli.run import run_async
from rct_tools.cli.screen import is_screen
from rct_tools.client import connect
from rct_tools.collector import Collector
from rct_tools.objects import registry
from rct_tools.plan import Field, Group, Plan
from rct_tools.proxy import ProxySetup
from rct_tools.reading import Reading
from rct_tools.setups import InverterSetup, Setup, SinkSetup
from rct_tools.simulator import Simulator
from rct_tools.sinks.sqlite import SqliteSink, default_path, path_in_url, query
from rct_tools.times import SECOND, iso_time

START: Final = datetime(2026, 6, 21, 6)  # noqa: DTZ001  # the clock on the wall; a summer's day has most to show
PLAN: Final = Plan(
    (Group("flows", SECOND // 2, tuple(Field(name, (registry[name],)) for name in OBJECTS.values())),)
)  # fmt: skip
VIEW: Final = Plan(tuple(replace(group, interval=min(group.interval, 2 * SECOND)) for group in live.PLAN.groups))
"""What the view asks: its day passes in minutes, so all of it often."""

PER_COLUMN: Final = 5  # cycles; 600 times as fast, the curves hold a day


class Screen:
    """A sink that shows power flows, whenever all that makes them has come anew."""

    def __init__(self, show: Callable[[Flows], None]) -> None:
        self._show = show
        self._parts: dict[str, Reading] = {}

    async def write(self, readings: Sequence[Reading]) -> None:
        """Show the newest flows, once they are whole."""
        for reading in readings:
            self._parts[reading.object.name] = reading
            if flows := find_flows(self._parts.values()):
                self._show(flows)
                self._parts.clear()

    async def close(self) -> None:
        """The terminal stays open."""


@click.command(epilog="Example: rct demo --seconds 30")
@click.option(
    "--seconds", type=click.FloatRange(min=0, min_open=True), metavar="N", help="End after so long, not with Ctrl-C."
)
@click.option(
    "--speed", type=click.FloatRange(0, 86_400), default=600, show_default=True, metavar="X",
    help="How fast the clock of the house runs: 600 is a day in 2.4 minutes.",
)  # fmt: skip
@click.option(
    "--store", metavar="URL",
    help="The database: sqlite:///PATH.  [default: demo.db in the user's data folder]",
)  # fmt: skip
@verbose_option
def demo(seconds: float | None, speed: float, store: str | None) -> None:
    """Show everything at once: an inverter is simulated, read, stored and watched.

    Needs neither an inverter nor a network. At the end it says what was stored and how to look at it.
    """
    path = path_in_url(store) if store else default_path().with_name("demo.db")
    if not store:
        path.parent.mkdir(parents=True, exist_ok=True)
    run_async(_demo(path, speed, seconds))


async def _demo(path: Path, speed: float, seconds: float | None) -> None:
    began = time.time_ns()
    store = SinkSetup(str(path), lambda _: SqliteSink(path), objects=tuple(OBJECTS.values()))
    try:
        async with Simulator(port=0, speed=speed, start=START) as simulator:
            click.echo(
                f"A simulated inverter listens on {simulator.host}:{simulator.port}. What it says is stored in\n{path}"
            )
            inverter = InverterSetup("demo", simulator.host, PLAN, simulator.port)
            if is_screen() and top.is_there():
                await _view(replace(inverter, proxy=ProxySetup(port=0)), store, speed, seconds)
            else:
                await _table(inverter, store, speed, seconds)
    finally:
        _summarize(path, began)


async def _view(inverter: InverterSetup, store: SinkSetup, speed: float, seconds: float | None) -> None:
    """Show what ``rct top`` shows: a second program, in a way, that shares the connection of the collector."""
    collector = Collector(Setup((inverter,), (store,)))
    ready = asyncio.Event()
    job = asyncio.ensure_future(collector.run(ready.set))
    try:
        await asyncio.wait([job, asyncio.ensure_future(ready.wait())], return_when=asyncio.FIRST_COMPLETED)
        if job.done():
            job.result()
        proxy = collector.watched[inverter.name].proxy
        assert proxy is not None, "as it was told"  # noqa: S101  # for the type checker
        rate = speed or 1.0
        begin, real = round(START.replace(tzinfo=UTC).timestamp() * SECOND), time.monotonic_ns()

        def clock() -> int:
            """The clock of the house, counted as if it were UTC."""
            return begin + round((time.monotonic_ns() - real) * rate)

        async with connect(inverter.host, proxy.port, tries=None, clock=clock) as client:
            await top.show(
                top.Inverter(client, ZoneInfo("UTC"), VIEW, speed=rate, wall_clock=clock),
                step=_step(rate),
                seconds=seconds,
            )
    finally:
        job.cancel()
        await asyncio.wait([job])


def _step(speed: float) -> int:
    """Return what a column stands for so that one takes some seconds."""
    return next((step for step in live.STEPS if step >= 2 * speed * SECOND), live.STEPS[-1])


async def _table(inverter: InverterSetup, store: SinkSetup, speed: float, seconds: float | None) -> None:
    with suppress(TimeoutError), _screen(speed) as show:
        screen = SinkSetup("screen", lambda _: Screen(show), objects=tuple(OBJECTS.values()))
        async with asyncio.timeout(seconds):
            await Collector(Setup((inverter,), (store, screen))).run()


@contextmanager
def _screen(speed: float) -> Iterator[Callable[[Flows], None]]:
    """Yield what shows flows: a table that stays in place where that can be, lines elsewhere."""
    console = Console()
    blocks = console.encoding.startswith("utf")
    if not (console.is_terminal and blocks and console.width >= WIDTH) or console.is_dumb_terminal:
        due = cycle([True] + [False] * (PER_COLUMN - 1))
        yield lambda flows: click.echo(flow_line(flows)) if next(due) else None
        return
    table = FlowTable(f"A simulated house, speed {speed:g}", "Ctrl-C ends it", PER_COLUMN)
    with Live(table, console=console, auto_refresh=False) as live:
        # Log lines belong above the table, not into it.
        logging.getLogger().handlers = [RichHandler(console=console, show_level=False, show_path=False)]

        def show(flows: Flows) -> None:
            table.add(flows)
            live.refresh()

        yield show


def _summarize(path: Path, began: int) -> None:
    """Print what the file holds since then, as it comes back from it."""
    readings = 0
    objects = set()
    first = last = began
    for reading in query(path, since=began):
        first, last = (first if readings else reading.time), reading.time
        readings += 1
        objects.add(reading.object)
    if not readings:
        click.echo(f"Nothing was stored in {path}")
        return
    day, begin, end = iso_time(first)[:10], iso_time(first)[11:19], iso_time(last)[11:19]
    url = f"sqlite:///{path.absolute().as_posix().lstrip('/')}"
    click.echo(f"Stored {readings} readings of {len(objects)} objects, {day} {begin} to {end} UTC,")
    click.echo(f"in {path} ({path.stat().st_size / 1000:.0f} kB). To look at them:")
    ours = Path(sys.argv[0])  # in a checkout it is not on the PATH
    program = str(ours) if ours.name == "rct" and shutil.which("rct") is None else "rct"
    click.echo(f"  {program} query --store {shlex.quote(url)} --object battery.soc --since 1h")
