"""A collector, or a proxy alone, as a service: systemd is told, and the status is served.

A collector reads its configuration again on SIGHUP.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, closing
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from rct_tools.client import connect
from rct_tools.collector import Collector
from rct_tools.config import Config
from rct_tools.errors import ConfigError, RctError
from rct_tools.proxy import Proxy, ProxySetup, open_tap
from rct_tools.setups import PAGE, Setup, SinkSetup
from rct_tools.status import metrics_of, metrics_of_proxy, serving, status_of, status_of_proxy
from rct_tools.systemd import Notifier
from rct_tools.web.table import WebSetup

if TYPE_CHECKING:
    from rct_tools.web.server import Page

logger = logging.getLogger(__name__)


async def serve(
    load: Callable[[], Config],
    started: Callable[[Collector], None],
    ended: Callable[[Collector], None],
    shown: Callable[[str], None],
) -> None:
    """Collect what a configuration says until cancelled; ``load`` reads it, at the start and on SIGHUP.

    ``started`` is called when all sinks are open, ``ended`` when they are closed, ``shown`` with the address of the
    page, if there is one. Raises RctError for what is wrong at the start; later, that is logged, and what ran goes on.
    """
    config = load()
    hangup = asyncio.Event()
    if hasattr(signal, "SIGHUP"):
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, hangup.set)
    notifier = Notifier.from_environment(os.environ)
    page = _page(config.web)
    collector = Collector(_shown(config.setup, page))
    began = time.time_ns()
    async with AsyncExitStack() as stack:
        stack.callback(ended, collector)
        if page is not None:
            shown(await stack.enter_async_context(page.serving(lambda: collector.watched)))
        if config.listen:
            status = partial(status_of, collector, started=began)
            address = await stack.enter_async_context(serving(config.listen, status, partial(metrics_of, collector)))
            if address:
                logger.info("status at http://%s/status", address)
        stack.callback(notifier.stopping)

        def ready() -> None:
            notifier.ready(_summary(collector))
            started(collector)
            stack.callback(collector.start(_reload(hangup, load, collector, notifier, config, page)).cancel)
            if notifier.watchdog_interval is not None:
                stack.callback(collector.start(_live(notifier, notifier.watchdog_interval)).cancel)

        await collector.run(ready)


async def _reload(
    hangup: asyncio.Event,
    load: Callable[[], Config],
    collector: Collector,
    notifier: Notifier,
    first: Config,
    page: Page | None,
) -> None:
    while True:
        await hangup.wait()
        hangup.clear()
        notifier.reloading()
        try:
            config = load()
            await collector.change(_shown(config.setup, page))
        except RctError as exc:
            logger.error("%s; going on as before", exc)
        else:
            logger.warning("configuration read again: %s", _summary(collector))
            if config.listen != first.listen:
                logger.warning("status.listen is changed by a restart only; it is %s", first.listen or "off")
            if config.web != first.web:
                logger.warning("web is changed by a restart only; it is %s", "as before" if first.web else "off")
        notifier.ready(_summary(collector))


async def show(
    setup: Setup,
    web: WebSetup,
    started: Callable[[Collector], None],
    ended: Callable[[Collector], None],
    shown: Callable[[str], None],
) -> None:
    """Collect, and show what comes in a page, until cancelled; what is called when is as in ``serve``.

    Raises RctError.
    """
    page = _page(web)
    assert page is not None  # noqa: S101  # as it has a setup
    collector = Collector(_shown(setup, page))
    async with AsyncExitStack() as stack:
        stack.callback(ended, collector)
        shown(await stack.enter_async_context(page.serving(lambda: collector.watched)))
        await collector.run(partial(started, collector))


def _page(setup: WebSetup | None) -> Page | None:
    """Return the page, if there is one. Raises ConfigError."""
    if setup is None:
        return None
    try:
        from rct_tools.web.server import Page
    except ImportError as exc:
        raise ConfigError("the page needs more than the core: pip install 'rct-tools[web]'") from exc
    return Page(setup)


def _shown(setup: Setup, page: Page | None) -> Setup:
    """Return a setup in which the page gets all readings, too."""
    if page is None:
        return setup
    return replace(setup, sinks=(*setup.sinks, SinkSetup(PAGE, page.open, page.setup)))


async def _live(notifier: Notifier, interval: float) -> None:
    """Tell that the loop runs: what hangs in it, hangs this."""
    while True:
        notifier.alive()
        await asyncio.sleep(interval)


def _summary(collector: Collector) -> str:
    proxies = "".join(f", shared at {w.proxy.address}" for w in collector.watched.values() if w.proxy)
    return f"{len(collector.watched)} inverters into {', '.join(collector.lanes)}{proxies}"


async def share(host: str, port: int, setup: ProxySetup, started: Callable[[Proxy], None], listen: str = "") -> None:
    """Share one inverter, without a collector, until cancelled; ``listen`` is the address of the status, "" for none.

    ``started`` is called when clients can come; the inverter may come later. Raises RctError for what is wrong at the
    start, and whatever else ends the connection to the inverter.
    """
    notifier = Notifier.from_environment(os.environ)
    began = time.time_ns()
    async with AsyncExitStack() as stack:
        tap = stack.enter_context(closing(open_tap(setup.capture)))
        inverter = await stack.enter_async_context(connect(host, port, tries=None, tap=tap.upstream))
        proxy = await stack.enter_async_context(Proxy(inverter, setup, tap))
        if listen:
            status = partial(status_of_proxy, proxy, started=began)
            await stack.enter_async_context(serving(listen, status, partial(metrics_of_proxy, proxy), "--status"))
        stack.callback(notifier.stopping)
        notifier.ready(f"{inverter.peer} shared at {proxy.address}")
        started(proxy)
        if notifier.watchdog_interval is not None:
            stack.callback(asyncio.create_task(_live(notifier, notifier.watchdog_interval)).cancel)
        await inverter.ended()
