"""How a collector is: as a document, and at an address on loopback for those who watch it. Needs aiohttp to serve."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import fields
from errno import EADDRINUSE
from typing import TYPE_CHECKING, Any, Final

from rct_tools.collector import Collector, Watched
from rct_tools.errors import ConfigError, RctError
from rct_tools.loopback import REFUSAL, is_meant
from rct_tools.outbox import Outbox
from rct_tools.poller import Poller
from rct_tools.schedule import Entry
from rct_tools.times import SECOND, iso_time

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp import web

logger = logging.getLogger(__name__)

VERSION: Final = 1
"""Of the document: it grows when a key changes its meaning or goes away."""


def status_of(collector: Collector, *, started: int, wall_clock: Callable[[], int] = time.time_ns) -> dict[str, Any]:
    """Return how a collector is, as JSON knows it. Ages are in seconds; null for what never was.

    ``started`` is when it began, in UTC nanoseconds. To be called inside its loop.
    """
    return {
        "version": VERSION,
        "time": iso_time(wall_clock()),
        "started": iso_time(started),
        "pid": os.getpid(),
        "inverters": [_inverter(watched) for watched in collector.watched.values()],
        "sinks": [_sink(lane.outbox, wall_clock()) for lane in collector.lanes.values() if lane.outbox],
    }


def _inverter(watched: Watched) -> dict[str, Any]:
    poller, client = watched.poller, watched.client
    now = poller.now()
    counters = {field.name: getattr(client.counters, field.name) for field in fields(client.counters)}
    counters["bad_frames"] = {str(reason): count for reason, count in client.counters.bad_frames.items()}
    return {
        "name": watched.setup.name,
        "peer": client.peer,
        "up": poller.up,
        "connected": client.connected,
        "since": _age(poller.since, now),
        "age": _age(poller.heard, now),
        "sees_others": client.sees_others,
        "missed": poller.schedule.missed,
        "absent": sorted(poller.schedule.absent),
        "mute": sorted(name for name, entry in poller.schedule.entries.items() if entry.is_mute),
        "counters": counters,
        "objects": [_object(name, entry, poller, now) for name, entry in poller.schedule.entries.items()],
    }


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


# --- served ---------------------------------------------------------------------------------------------------------


def parse_address(text: str) -> tuple[str, int]:
    """Return host and port of ``HOST:PORT``, as in ``127.0.0.1:9832`` or ``[::1]:9832``. Raises ConfigError."""
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isdecimal() or not 0 <= int(port) <= 65535:
        raise ConfigError(f"status.listen: {text!r} is no address; expected one such as 127.0.0.1:9832")
    return host, int(port)


def serving(address: str, document: Callable[[], Mapping[str, Any]]) -> AbstractAsyncContextManager[str]:
    """Serve ``/healthz`` and ``/status`` at ``HOST:PORT`` while inside; yields the address, with the port it got.

    Without the extra it is "", and nothing is served: who only stores readings needs no page.
    Raises ConfigError for no address, RctError when the port is taken.
    """
    host, port = parse_address(address)
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

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/status", status)])
    return _served(web.AppRunner(app, access_log=None, handle_signals=False), host, port)


@asynccontextmanager
async def _served(runner: web.AppRunner, host: str, port: int) -> AsyncIterator[str]:
    from aiohttp import web

    shown = f"[{host}]" if ":" in host else host
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except (OSError, UnicodeError) as exc:  # UnicodeError: of a name that no host can have
            number = getattr(exc, "errno", None) or 0
            reason = os.strerror(number).lower() if number > 0 else str(exc)
            hint = "; does a collector run already? Another address goes to [status]" if number == EADDRINUSE else ""
            raise RctError(f"status.listen: cannot listen on {shown}:{port}: {reason}{hint}") from exc
        yield f"{shown}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
