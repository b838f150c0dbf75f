"""Inverters into sinks, for years: each inverter has a poller, each sink an outbox, and none holds up another.

An inverter may have a proxy, too: others then use the one connection to it beside the poller.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias, cast

from rct_tools.capture import Chunk
from rct_tools.client import Client, connect
from rct_tools.errors import ConfigError, RctError, SinkError
from rct_tools.events import EVENTS, EventWatch
from rct_tools.filler import Filler, Target
from rct_tools.outbox import Outbox
from rct_tools.plan import NOTHING, Source
from rct_tools.poller import Poller
from rct_tools.proxy import Proxy, open_tap
from rct_tools.reading import Reading
from rct_tools.sentence import Sentence
from rct_tools.setups import InverterSetup, Setup, SinkSetup
from rct_tools.sinks import Sink, Store
from rct_tools.spool import Spool
from rct_tools.steering import Desk, Order, Outcome, Result, Steward, Tell, desk_for
from rct_tools.wayback import WayBacks
from rct_tools.writing import default_folder

logger = logging.getLogger(__name__)

LAST_TRY: Final = 5.0  # seconds that sinks have, at the end, for what they have not taken yet
LAST_WRITES: Final = 20.0
"""Seconds that modes have, at the end, to put back what was before; services are killed after 30."""


Connect: TypeAlias = Callable[[InverterSetup, Callable[[Chunk], None]], Awaitable[Client]]
"""Gives the client of an inverter; what crosses its connection goes to the function, too."""


class Collector:
    """Does what a setup says until cancelled. It may be changed while it runs, without losing a reading."""

    def __init__(
        self, setup: Setup, *, connect: Connect | None = None, wall_clock: Callable[[], int] = time.time_ns
    ) -> None:
        """``connect`` gives the client of an inverter, entered; the default does not wait for a connection."""
        self.setup = setup
        self.watched: dict[str, Watched] = {}
        self.lanes: dict[str, Lane] = {}
        self.desks: dict[str, tuple[Desk, asyncio.Task[None]]] = {}  # by the label of their sink
        self._connect = connect or _connect
        self._wall_clock = wall_clock
        self.fillers: dict[str, Filler] = {}  # by inverter
        self._filling: list[asyncio.Task[None]] = []
        self._routes: dict[tuple[str, str], tuple[Lane, ...]] = {}
        self._looked: dict[str, int] = {}  # when the event log of an inverter was read last that was begun anew
        self._ended: asyncio.Future[None] | None = None
        self._changing = asyncio.Lock()

    async def run(self, started: Callable[[], None] = lambda: None) -> None:
        """Collect until cancelled; then let the sinks take what they have not taken yet, and close them.

        ``started`` is called when all sinks are open. Raises ConfigError and SinkError when a sink cannot be opened,
        RctError when a proxy cannot listen or keep its capture.
        """
        self._ended = asyncio.get_running_loop().create_future()
        try:
            await self._change(self.setup, at_start=True)
            started()
            # No job ends by itself: the first that does has met a bug, or standard output is gone.
            await self._ended
        finally:
            async with self._changing:  # a change that has begun is made first: it holds readings between old and new
                await self._end_fillers()
                await self._change_desks({})
                await self._end_inverters(self.watched.values())
                await _end_lanes(self.lanes.values())

    async def change(self, setup: Setup) -> None:
        """Do what another setup says from now on; what is the same in both goes on undisturbed.

        Raises ConfigError and SinkError, and goes on as before, when a new sink cannot be opened. A proxy that cannot
        be had is left out until the next change.
        """
        await self._change(setup, at_start=False)

    async def _change(self, setup: Setup, *, at_start: bool) -> None:
        async with self._changing:
            await self._end_fillers()  # before what they use is closed
            try:
                await self._make(setup, at_start=at_start)
            finally:
                self._start_fillers()

    async def _make(self, setup: Setup, *, at_start: bool) -> None:
        sources = {sink.label: sink.sources(setup.inverters) for sink in setup.sinks}
        desks = {it.label: desk_for(it.settings, sources[it.label], self._order) for it in setup.sinks}
        kept = {
            label: lane
            for sink in setup.sinks
            if (lane := self.lanes.get(label := sink.label)) and lane.setup == sink and lane.sources == sources[label]
        }
        new = {sink.label: Lane(sink, sources[sink.label]) for sink in setup.sinks if sink.label not in kept}
        try:
            for label, lane in new.items():
                if label not in self.lanes:
                    await lane.open()
                elif lane.setup.spool:  # what is remote is left alone until there is something to write
                    lane.open_sink()
        except (ConfigError, SinkError):
            await _end_lanes(new.values())
            raise
        old = [lane for label, lane in self.lanes.items() if label not in kept]
        self.lanes = {sink.label: (kept | new)[sink.label] for sink in setup.sinks}
        self._routes = _routes(self.lanes.values())
        await _end_lanes(old)
        for label, lane in new.items():
            try:
                await lane.open()  # what has the label of one that had to be closed first
            except (ConfigError, SinkError) as exc:
                logger.error("%s; left out until the next change", exc)
                await self.lanes.pop(label).close()
                self._routes = _routes(self.lanes.values())
            else:
                lane.start(self.start)
        await self._change_inverters(setup.inverters, at_start=at_start)
        await self._change_desks({label: desk for label, desk in desks.items() if desk})
        self.setup = setup

    async def _change_inverters(self, setups: Iterable[InverterSetup], *, at_start: bool) -> None:
        wanted = {setup.name: setup for setup in setups}
        await self._end_inverters([w for name, w in self.watched.items() if wanted.get(name) != w.setup])
        for name, setup in wanted.items():
            if name in self.watched:
                continue
            try:
                await self._watch(setup)
            except RctError as exc:
                if at_start or setup.proxy is None:
                    raise
                logger.error("%s; %s has no proxy until the next change", exc, name)
                await self._watch(replace(setup, proxy=None))

    async def _watch(self, setup: InverterSetup) -> None:
        """Begin to read an inverter, and to share it. Raises RctError."""
        async with AsyncExitStack() as stack:
            tap = stack.enter_context(closing(open_tap(setup.proxy.capture if setup.proxy else "")))
            client = await self._connect(setup, tap.upstream if setup.proxy else _ignore)
            stack.push_async_callback(client.close)
            proxy = await stack.enter_async_context(Proxy(client, setup.proxy, tap)) if setup.proxy else None
            poller = Poller(client, setup.plan, self._deliver, has=setup.has, wall_clock=self._wall_clock)
            steward = None
            if setup.steerable or WayBacks(default_folder()).are_left:  # which may be of a time when it was steered
                steward = Steward(client, setup.steerable or NOTHING, self._deliver)
            events = EventWatch(
                client,
                self._deliver,
                since=self._looked.pop(setup.name, self._wall_clock()),
                zone=setup.zone,
                is_time=lambda: poller.up and any((setup.name, info.name) in self._routes for info in EVENTS),
                now=self._wall_clock,
            )
            jobs = [self.start(poller.run()), self.start(events.run()), self.start(client.ended())]
            if steward:
                jobs.append(self.start(steward.run()))
            stay = stack.pop_all()
            self.watched[setup.name] = Watched(setup, client, poller, events, proxy, steward, tuple(jobs), stay)

    def _order(self, order: Order, tell: Tell) -> None:
        """Give an order to whom it is about."""
        watched = self.watched.get(order.inverter)
        if watched and watched.steward and watched.setup.steerable:
            watched.steward.take(order, tell)
        else:
            said = Sentence("is not steered right now")
            tell(Outcome(order.inverter, order.wish.said, order.who, Result.REFUSED, said, order.time))

    async def _change_desks(self, wanted: Mapping[str, Desk]) -> None:
        """Listen for orders at other brokers from now on; where all is the same, that goes on."""
        kept = {
            label for label, (desk, _) in self.desks.items() if label in wanted and wanted[label].setup == desk.setup
        }
        ended = [self.desks.pop(label)[1] for label in self.desks.keys() - kept]
        for job in ended:
            job.cancel()
        await asyncio.gather(*ended, return_exceptions=True)
        self.desks |= {label: (desk, self.start(desk.run())) for label, desk in wanted.items() if label not in kept}

    async def _end_inverters(self, watched: Iterable[Watched]) -> None:
        gone = list(watched)
        jobs = [job for one in gone for job in one.jobs]
        for one in gone:
            del self.watched[one.setup.name]
            self._looked[one.setup.name] = one.events.looked
        for limit in (LAST_WRITES, None):  # a mode that cannot be put back now is by the next start
            for job in jobs:
                job.cancel()
            if jobs:
                jobs = list((await asyncio.wait(jobs, timeout=limit))[1])
        # What else ended a client has been told by its job.
        await asyncio.gather(*(one.stack.aclose() for one in gone), return_exceptions=True)

    def _start_fillers(self) -> None:
        for name, watched in self.watched.items():
            targets = [target for lane in self.lanes.values() if (target := lane.target(name))]
            if watched.setup.backfill and targets:
                plan = watched.setup.plan
                filler = Filler(watched.client, watched.poller, plan, targets, wall_clock=self._wall_clock)
                self.fillers[name] = filler
                self._filling.append(self.start(filler.run()))

    async def _end_fillers(self) -> None:
        jobs, self._filling = self._filling, []
        self.fillers.clear()
        for job in jobs:
            job.cancel()
        if jobs:
            await asyncio.wait(jobs)

    def start(self, job: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Begin a job, to be cancelled by the caller; ``run`` ends with the error that ends it."""
        task = asyncio.create_task(job)
        task.add_done_callback(self._look_at_end)
        return task

    def _look_at_end(self, job: asyncio.Task[None]) -> None:
        if job.cancelled() or self._ended is None or self._ended.done():
            return
        if (error := job.exception()) is not None:
            self._ended.set_exception(error)

    def _deliver(self, readings: Sequence[Reading]) -> None:
        for reading in readings:
            for lane in self._routes.get((reading.inverter, reading.object.name), ()):
                lane.put((reading,))


@dataclass(slots=True)
class Watched:
    """An inverter at work."""

    setup: InverterSetup
    client: Client
    poller: Poller
    events: EventWatch
    proxy: Proxy | None
    steward: Steward | None  # of one that is steered, or has something to be put back
    jobs: tuple[asyncio.Task[None], ...]
    stack: AsyncExitStack  # closes the proxy and the client


class Lane:
    """A sink at work: takes readings from the beginning, also while another still has its spool."""

    def __init__(self, setup: SinkSetup, sources: list[Source]) -> None:
        self.setup = setup
        self.sources = sources
        self.outbox: Outbox | None = None  # none before ``open``
        self._sink: Sink | None = None
        self._spool: Spool | None = None
        self._early: list[Reading] = []
        self._job: asyncio.Task[None] | None = None

    @property
    def written(self) -> int:
        """How many readings the sink has taken."""
        return self.outbox.written if self.outbox else 0

    def put(self, readings: Sequence[Reading]) -> None:
        """Take the readings."""
        if self.outbox is None:
            self._early += readings
        else:
            self.outbox.put(readings)

    async def open(self) -> None:
        """Open the sink and its spool, if that was not done. Raises ConfigError, SinkError."""
        if self.outbox is None:
            sink = self.open_sink()
            if self.setup.spool:  # where a week may wait, which takes time to count
                self._spool = await asyncio.to_thread(self.setup.spool.open)
            hold = self.setup.spool.hold if self.setup.spool else 0.0
            self.outbox = Outbox(self.setup.label, sink.write, spool=self._spool, hold=hold)
            self.outbox.put(self._early)
            self._early.clear()

    def open_sink(self) -> Sink:
        """Open the sink alone, if that was not done; return it. Raises ConfigError, SinkError."""
        if self._sink is None:
            self._sink = self.setup.opened(self.sources)
        return self._sink

    def target(self, inverter: str) -> Target | None:
        """Return what is to be filled of an inverter; None where nothing can be."""
        source = next((source for source in self.sources if source.inverter == inverter), None)
        if not self.setup.is_store or self._sink is None or self.outbox is None or source is None:
            return None
        return Target(self.setup.label, cast("Store", self._sink), self.outbox, source)

    def start(self, start: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]) -> None:
        """Begin to write. It is open."""
        if self.outbox is not None:
            self._job = start(self.outbox.run())

    def finish(self) -> asyncio.Task[None] | None:
        """Write what is left, and no more; return what is done when that is so."""
        if self.outbox is not None:
            self.outbox.finish()
        return self._job

    async def close(self) -> None:
        """Close the sink, whatever its outbox still has."""
        if self._job is not None:
            self._job.cancel()
            await asyncio.wait([self._job])
        elif self._spool is not None:
            self._spool.close()  # which the outbox does at the end of its work
        if self._sink is not None:
            await self._sink.close()


async def _end_lanes(lanes: Iterable[Lane]) -> None:
    """Let sinks take what they have not taken yet, for a while; then close them."""
    lanes = list(lanes)
    jobs = [job for lane in lanes if (job := lane.finish()) is not None]
    if jobs:
        await asyncio.wait(jobs, timeout=LAST_TRY)
    results = await asyncio.gather(*(lane.close() for lane in lanes), return_exceptions=True)
    for lane, result in zip(lanes, results, strict=True):
        if isinstance(result, Exception):
            logger.error("%s: cannot be closed: %s", lane.setup.label, result, exc_info=result)


def _routes(lanes: Iterable[Lane]) -> dict[tuple[str, str], tuple[Lane, ...]]:
    """Return who gets the readings of an object, by its inverter and its name."""
    routes: dict[tuple[str, str], tuple[Lane, ...]] = {}
    for lane in lanes:
        for source in lane.sources:
            for name in source.expects:
                key = (source.inverter, name)
                routes[key] = (*routes.get(key, ()), lane)
    return routes


async def _connect(setup: InverterSetup, tap: Callable[[Chunk], None]) -> Client:
    return await connect(setup.host, setup.port, name=setup.name, tries=None, tap=tap).__aenter__()


def _ignore(_chunk: Chunk) -> None:
    """Keep nothing."""
