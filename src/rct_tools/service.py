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
from functools import partial

from rct_tools.client import connect
from rct_tools.collector import Collector
from rct_tools.config import Config
from rct_tools.errors import RctError
from rct_tools.proxy import Proxy, ProxySetup, open_tap
from rct_tools.status import metrics_of, metrics_of_proxy, serving, status_of, status_of_proxy
from rct_tools.systemd import Notifier

logger = logging.getLogger(__name__)


async def serve(
    load: Callable[[], Config], started: Callable[[Collector], None], ended: Callable[[Collector], None]
) -> None:
    """Collect what a configuration says until cancelled; ``load`` reads it, at the start and on SIGHUP.

    ``started`` is called when all sinks are open, ``ended`` when they are closed. Raises RctError for what is wrong at
    the start; later, that is logged, and what ran goes on.
    """
    config = load()
    hangup = asyncio.Event()
    if hasattr(signal, "SIGHUP"):
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, hangup.set)
    notifier = Notifier.from_environment(os.environ)
    collector = Collector(config.setup)
    began = time.time_ns()
    async with AsyncExitStack() as stack:
        stack.callback(ended, collector)
        if config.listen:
            status = partial(status_of, collector, started=began)
            address = await stack.enter_async_context(serving(config.listen, status, partial(metrics_of, collector)))
            if address:
                logger.info("status at http://%s/status", address)
        stack.callback(notifier.stopping)

        def ready() -> None:
            notifier.ready(_summary(collector))
            started(collector)
            stack.callback(collector.start(_reload(hangup, load, collector, notifier, config.listen)).cancel)
            if notifier.watchdog_interval is not None:
                stack.callback(collector.start(_live(notifier, notifier.watchdog_interval)).cancel)

        await collector.run(ready)


async def _reload(
    hangup: asyncio.Event, load: Callable[[], Config], collector: Collector, notifier: Notifier, listen: str
) -> None:
    while True:
        await hangup.wait()
        hangup.clear()
        notifier.reloading()
        try:
            config = load()
            await collector.change(config.setup)
        except RctError as exc:
            logger.error("%s; going on as before", exc)
        else:
            logger.warning("configuration read again: %s", _summary(collector))
            if config.listen != listen:
                logger.warning("status.listen is changed by a restart only; it is %s", listen or "off")
        notifier.ready(_summary(collector))


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
