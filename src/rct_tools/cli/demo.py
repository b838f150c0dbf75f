"""rct demo: everything at once, with a simulated inverter."""

from __future__ import annotations

import asyncio
import logging
import shlex
import shutil
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import click
from rich.console import Console
from rich.live import Live
from rich.logging import RichHandler

from rct_tools import live, top
from rct_tools.address import parse_address
from rct_tools.capture import Chunk
from rct_tools.cli.flows import OBJECTS, WIDTH, Flows, FlowTable, find_flows, flow_line
from rct_tools.cli.options import verbose_option
from rct_tools.cli.run import run_async
from rct_tools.cli.screen import is_screen
from rct_tools.client import Client, connect
from rct_tools.collector import Collector, Watched
from rct_tools.components import PROOFS, proves
from rct_tools.config import load_plan
from rct_tools.errors import UnknownObject
from rct_tools.health import POWERS
from rct_tools.objects import registry
from rct_tools.plan import Field, Group, Plan
from rct_tools.proxy import ProxySetup
from rct_tools.reading import Reading
from rct_tools.settings import NO_SECRET
from rct_tools.setups import PAGE, InverterSetup, Setup, SinkSetup
from rct_tools.simulator import Simulator
from rct_tools.sinks.sqlite import SqliteSink, default_path, path_in_url, query
from rct_tools.times import SECOND, iso_time
from rct_tools.web.files import is_built
from rct_tools.web.table import ADDRESS, WebSetup

if TYPE_CHECKING:
    from rct_tools.web.server import Page


START: Final = datetime(2026, 6, 21, 6)  # noqa: DTZ001  # the clock on the wall; a summer's day has most to show
_MOVING: Final = frozenset((*OBJECTS.values(), *POWERS.values()))


def _plan() -> Plan:
    """Return what a collector reads by default; what moves, so often that each five minutes of the house have some."""
    moving = tuple(Field(name, (registry[name],)) for name in sorted(_MOVING))
    rest = [field for group in load_plan().groups for field in group.fields if field.info.name not in _MOVING]
    counted = tuple(field for field in rest if field.info.name.startswith("energy."))
    others = tuple(field for field in rest if field not in counted)
    groups = {"flows": (SECOND // 4, moving), "energies": (2 * SECOND, counted), "rest": (10 * SECOND, others)}
    return Plan(tuple(Group(name, interval, fields) for name, (interval, fields) in groups.items()))


PLAN: Final = _plan()
VIEW: Final = Plan(tuple(replace(group, interval=min(group.interval, 2 * SECOND)) for group in live.PLAN.groups))
"""What the view asks: its day passes in minutes, so all of it often."""

PER_COLUMN: Final = 10  # cycles; 600 times as fast, the curves hold a day
_NAME: Final = "demo"  # of the inverter
_LATENCY: Final = 0.01  # seconds: a house in a hurry needs an inverter that is quick


def _shown(moment: datetime) -> int:
    """Return a time on the clock of the house as nanoseconds, counted as if it were UTC."""
    return round(moment.replace(tzinfo=UTC).timestamp()) * SECOND


class HouseClock:
    """The clock of the house, in nanoseconds, counted as if it were UTC."""

    def __init__(self, start: datetime, rate: float) -> None:
        """``rate`` is how fast it runs."""
        self.rate = rate
        self._start = _shown(start)
        self._began = time.monotonic_ns()

    def __call__(self) -> int:
        """Return what it shows."""
        return self._start + round((time.monotonic_ns() - self._began) * self.rate)

    async def connect(self, setup: InverterSetup, tap: Callable[[Chunk], None]) -> Client:
        """Return a client whose readings have its times, as a collector wants it."""
        client = connect(setup.host, setup.port, name=setup.name, tries=None, tap=tap, clock=self)
        return await client.__aenter__()


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
    """Show everything at once: an inverter is simulated, read, stored and watched, here and in a browser.

    Needs neither an inverter nor a network. At the end it says what was stored and how to look at it. Times are
    those of the house, whose clock runs fast; each demo begins on the morning after the one before.
    """
    path = path_in_url(store) if store else default_path().with_name("demo.db")
    if not store:
        path.parent.mkdir(parents=True, exist_ok=True)
    run_async(_demo(path, speed, seconds))


async def _demo(path: Path, speed: float, seconds: float | None) -> None:
    start = _morning(path)
    is_view = is_screen() and top.is_there()
    try:
        async with AsyncExitStack() as stack:
            simulator = await stack.enter_async_context(Simulator(port=0, speed=speed, start=start, latency=_LATENCY))
            clock = HouseClock(start, speed or 1.0)
            click.echo(
                f"A simulated inverter listens on {simulator.host}:{simulator.port}. What it says is stored in\n{path}"
            )
            sinks = [SinkSetup(str(path), lambda _: SqliteSink(path))]
            page = _make_page(path, clock)
            address = ""
            if page:
                address = await stack.enter_async_context(page.serving(lambda: collector.watched))
                _say_page(address)
                sinks.append(SinkSetup(PAGE, page.open))
            if not is_view:
                show = stack.enter_context(_screen(speed))
                sinks.append(SinkSetup("screen", lambda _: Screen(show), objects=tuple(OBJECTS.values())))
            proxy = ProxySetup(port=0) if is_view else None
            inverter = InverterSetup(_NAME, simulator.host, PLAN, simulator.port, has=_parts(simulator), proxy=proxy)
            collector = Collector(Setup((inverter,), tuple(sinks)), connect=clock.connect, wall_clock=clock)
            job = await stack.enter_async_context(_collecting(collector))
            if is_view:
                await _view(collector.watched[_NAME], clock, address, seconds)
            else:
                await asyncio.wait([job], timeout=seconds)
    finally:
        _summarize(path, _shown(start))


def _parts(simulator: Simulator) -> frozenset[str]:
    """Return what the inverter has: to ask it first would take some of the few seconds that people look."""
    told = {name: registry[proof] for proof, name in PROOFS.items()}
    return frozenset(n for n, info in told.items() if proves(info.decode(simulator.inverter.payload(info))))


def _morning(path: Path) -> datetime:
    """Return when the demo begins: on the morning after what the file has of the one before. Raises SinkError."""
    last = 0
    with suppress(UnknownObject):  # it ended before it had any
        last = (
            max((reading.time for reading in query(path, "battery.soc", since=_shown(START))), default=0)
            if path.exists()
            else 0
        )
    if not last:
        return START
    return datetime.combine(datetime.fromtimestamp(last / SECOND, UTC) + timedelta(days=1), START.time())


@asynccontextmanager
async def _collecting(collector: Collector) -> AsyncIterator[asyncio.Task[None]]:
    """Collect while inside; yields the job, which ends only in trouble. Raises what that was."""
    ready = asyncio.Event()
    job = asyncio.create_task(collector.run(ready.set))
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait([job, waiting], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    try:
        if job.done():
            job.result()
        yield job
        if job.done():
            job.result()
    finally:
        job.cancel()
        await asyncio.wait([job])


def _make_page(path: Path, clock: HouseClock) -> Page | None:
    """Return the page; None, and a word of that, where there cannot be one."""
    try:
        from rct_tools.web.server import Page
    except ImportError:
        click.echo("There is no page for a browser, which needs more than the core: pip install 'rct-tools[web]'")
        return None
    host, port = parse_address(ADDRESS)
    return Page(WebSetup(host, port if _is_free(host, port) else 0, NO_SECRET, path), clock)


def _is_free(host: str, port: int) -> bool:
    """Tell whether nobody listens there; else it is a page of another program, and any other port will do."""
    with closing(socket.socket()) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((host, port))
        except OSError:
            return False
    return True


def _say_page(address: str) -> None:
    if is_built():
        click.echo(f"See it in a browser, too: http://{address}/")
    else:
        click.echo(f"The page is not built here, which `make web` does; its values are at http://{address}/api/now")


async def _view(watched: Watched, clock: HouseClock, address: str, seconds: float | None) -> None:
    """Show what ``rct top`` shows: a second program, in a way, that shares the connection of the collector."""
    proxy = watched.proxy
    assert proxy is not None, "as it was told"  # noqa: S101  # for the type checker
    async with connect(watched.setup.host, proxy.port, tries=None, clock=clock) as client:
        source = top.Inverter(client, ZoneInfo("UTC"), VIEW, speed=clock.rate, wall_clock=clock)
        if address:
            source.title = f"http://{address}/"
        await top.show(source, step=_step(clock.rate), seconds=seconds)


def _step(speed: float) -> int:
    """Return what a column stands for so that one takes some seconds."""
    return next((step for step in live.STEPS if step >= 2 * speed * SECOND), live.STEPS[-1])


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
    begin, end = (iso_time(each)[:16].replace("T", " ") for each in (first, last))
    url = f"sqlite:///{path.absolute().as_posix().lstrip('/')}"
    click.echo(f"Stored {readings} readings of {len(objects)} objects, {begin} to {end}")
    click.echo(f"on the clock of the house, in {path} ({path.stat().st_size / 1000:.0f} kB). To look at them:")
    ours = Path(sys.argv[0])  # in a checkout it is not on the PATH
    program = str(ours) if ours.name == "rct" and shutil.which("rct") is None else "rct"
    click.echo(f"  {program} query --store {shlex.quote(url)} --object battery.soc --since {iso_time(began)[:19]}Z")
