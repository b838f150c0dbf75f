"""How a collector or a proxy is: as a document, and at an address on loopback for those who watch it.

Needs aiohttp to serve, and prometheus_client for metrics.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import fields
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from rct_tools.address import parse_address, show_address
from rct_tools.client import Client
from rct_tools.collector import Collector, Watched
from rct_tools.errors import ConfigError, RctError
from rct_tools.exposition import Known, content_type, exposition, families_of, wants_open_metrics
from rct_tools.filler import Filler
from rct_tools.listening import cannot_listen
from rct_tools.loopback import REFUSAL, is_meant
from rct_tools.metrics import Naming, naming
from rct_tools.outbox import Outbox
from rct_tools.poller import Poller
from rct_tools.proxy import Proxy, report
from rct_tools.schedule import Entry
from rct_tools.steering import Steward
from rct_tools.times import SECOND, iso_time
from rct_tools.vitals import UP, counts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp import web
    from prometheus_client import Metric

logger = logging.getLogger(__name__)

VERSION: Final = 1
"""Of the document: it grows when a key changes its meaning or goes away."""


def status_of(collector: Collector, *, started: int, wall_clock: Callable[[], int] = time.time_ns) -> dict[str, Any]:
    """Return how a collector is, as JSON knows it. Ages are in seconds; null for what never was.

    ``started`` is when it began, in UTC nanoseconds. To be called inside its loop.
    """
    return {
        **_program(started, wall_clock()),
        "inverters": [_inverter(watched, collector.fillers.get(name)) for name, watched in collector.watched.items()],
        "sinks": [_sink(lane.outbox, wall_clock()) for lane in collector.lanes.values() if lane.outbox],
    }


def status_of_proxy(proxy: Proxy, *, started: int, wall_clock: Callable[[], int] = time.time_ns) -> dict[str, Any]:
    """Return how a proxy without a collector is, as a document of the same form."""
    now = asyncio.get_running_loop().time()
    inverter = {
        **_link(proxy.inverter),
        "up": proxy.inverter.connected,
        "since": None,
        "age": None if proxy.heard is None else round(now - proxy.heard, 3),
        "missed": 0,
        "absent": [],
        "mute": [],
        "objects": [],
        "proxy": _proxy(proxy),
        "control": None,
        "backfill": None,
    }
    return {**_program(started, wall_clock()), "inverters": [inverter], "sinks": []}


def _program(started: int, now: int) -> dict[str, Any]:
    return {"version": VERSION, "time": iso_time(now), "started": iso_time(started), "pid": os.getpid()}


def _inverter(watched: Watched, filler: Filler | None) -> dict[str, Any]:
    poller = watched.poller
    now = poller.now()
    return {
        **_link(watched.client),
        "up": poller.up,
        "since": _age(poller.since, now),
        "age": _age(poller.heard, now),
        "missed": poller.schedule.missed,
        "absent": sorted(poller.schedule.absent),
        "mute": sorted(name for name, entry in poller.schedule.entries.items() if entry.is_mute),
        "objects": [_object(name, entry, poller, now) for name, entry in poller.schedule.entries.items()],
        "proxy": _proxy(watched.proxy) if watched.proxy else None,
        "control": _control(watched.steward) if watched.steward else None,
        "backfill": {"filling": filler.filling, "delayed": filler.delayed} if filler else None,
    }


def _link(client: Client) -> dict[str, Any]:
    counters = {field.name: getattr(client.counters, field.name) for field in fields(client.counters)}
    counters["bad_frames"] = {str(reason): count for reason, count in client.counters.bad_frames.items()}
    return {
        "name": client.name,
        "peer": client.peer,
        "connected": client.connected,
        "sees_others": client.sees_others,
        "counters": counters,
    }


def _proxy(proxy: Proxy) -> dict[str, Any]:
    return {"address": proxy.address, "clients": report.document(proxy.served)}


def _control(steward: Steward) -> dict[str, Any]:
    until = steward.way_back.until if steward.way_back else None
    return {"mode": steward.mode, "until": None if until is None else iso_time(until), "last": steward.last.text}


def _object(name: str, entry: Entry, poller: Poller, now: int) -> dict[str, Any]:
    return {
        "name": name,
        "interval": entry.interval / SECOND,
        "age": _age(entry.kept, now) if entry.answered or entry.unasked else None,
        "asked": entry.asked - entry.open,  # what is under way is neither answered nor not
        "answered": entry.answered,
        "unasked": entry.unasked,
        "wanted": poller.schedule.is_there(entry.component) is not False,
    }


def _sink(outbox: Outbox, now: int) -> dict[str, Any]:
    status = outbox.status
    return {
        "label": status.label,
        "written": status.written,
        "waiting": status.kept,
        "lag": None if status.oldest is None else max(0.0, round((now - status.oldest) / SECOND, 3)),
        "spooled": status.spooled,
        "spool_bytes": status.spool_bytes,
        "lost": status.lost,
        "refused": status.refused,
        "trouble": status.trouble,
        "trouble_since": None if status.since is None else iso_time(status.since),
        "disk_trouble": status.disk_trouble,
    }


def _age(then: int | None, now: int) -> float | None:
    return None if then is None else round((now - then) / SECOND, 3)


# --- metrics --------------------------------------------------------------------------------------------------------


def metrics_of(collector: Collector) -> Iterator[Metric]:
    """Yield what Prometheus is told of a collector's connections and proxies."""
    links = {watched.client: watched.poller.up for watched in collector.watched.values()}
    return _metrics(links, [watched.proxy for watched in collector.watched.values() if watched.proxy])


def metrics_of_proxy(proxy: Proxy) -> Iterator[Metric]:
    """Yield what Prometheus is told of a proxy without a collector."""
    return _metrics({proxy.inverter: proxy.inverter.connected}, [proxy])


def _metrics(links: Mapping[Client, bool], proxies: Iterable[Proxy]) -> Iterator[Metric]:
    names = _names()
    known: list[Known] = [
        (client.name, names.metrics(info), value)
        for client, up in links.items()
        for info, value in ((UP, up), *counts(client.counters))
    ]
    yield from families_of(known)
    yield from report.families({proxy.inverter.name: proxy.served for proxy in proxies})


@cache
def _names() -> Naming:
    return naming("own")


# --- served ---------------------------------------------------------------------------------------------------------

PLACE: Final = "status.listen"
"""Where the address of a collector's page stands, as errors call it."""


def page_address(text: str, place: str = PLACE) -> tuple[str, int]:
    """Return host and port of ``HOST:PORT``, as in ``127.0.0.1:9832`` or ``[::1]:9832``. Raises ConfigError."""
    try:
        return parse_address(text, example="127.0.0.1:9832")
    except ConfigError as exc:
        raise ConfigError(f"{place}: {exc}") from exc


def serving(
    address: str,
    document: Callable[[], Mapping[str, Any]],
    metrics: Callable[[], Iterable[Metric]],
    place: str = PLACE,
) -> AbstractAsyncContextManager[str]:
    """Serve ``/healthz``, ``/status`` and ``/metrics`` at ``HOST:PORT`` while inside; yields the address it got.

    Without the extra it is "", and nothing is served: who only stores readings needs no page.
    Raises ConfigError for no address, RctError when the port is taken; ``place`` is what names it there.
    """
    host, port = page_address(address, place)
    try:
        from aiohttp import web
    except ImportError:
        logger.warning("no status page: it needs more than the core: pip install 'rct-tools[service]'")
        return nullcontext("")

    async def healthz(_request: web.Request) -> web.Response:
        # The loop runs, that is all: an inverter that is off at night is no reason to restart anything.
        return web.Response(text="ok\n")

    async def status(request: web.Request) -> web.Response:
        if not is_meant(host, request.host):
            return web.Response(status=421, text=REFUSAL)
        return web.json_response(document())

    async def figures(request: web.Request) -> web.Response:
        if not is_meant(host, request.host):
            return web.Response(status=421, text=REFUSAL)
        open_metrics = wants_open_metrics(request.headers.get("Accept", ""))
        try:
            families = list(metrics())
        except ImportError:
            return web.Response(status=501, text="metrics need more: pip install 'rct-tools[prometheus]'\n")
        body = await asyncio.to_thread(exposition, families, open_metrics)
        return web.Response(body=body, headers={"Content-Type": content_type(open_metrics)})

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/status", status), web.get("/metrics", figures)])
    return _served(web.AppRunner(app, access_log=None, handle_signals=False), host, port, place)


@asynccontextmanager
async def _served(runner: web.AppRunner, host: str, port: int, place: str) -> AsyncIterator[str]:
    from aiohttp import web

    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except (OSError, UnicodeError) as exc:
            hint = f"does a collector or proxy run already? Choose another {place}"
            raise RctError(f"{place}: {cannot_listen(host, port, exc, hint)}") from exc
        yield show_address(host, runner.addresses[0][1])
    finally:
        await runner.cleanup()
