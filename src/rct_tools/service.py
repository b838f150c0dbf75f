"""A collector as a service: the configuration is read again on SIGHUP, systemd is told, and the status is served."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections.abc import Callable
from contextlib import AsyncExitStack

from rct_tools.collector import Collector
from rct_tools.config import Config
from rct_tools.errors import RctError
from rct_tools.status import serving, status_of
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
            address = await stack.enter_async_context(
                serving(config.listen, lambda: status_of(collector, started=began))
            )
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
    return f"{len(collector.watched)} inverters into {', '.join(collector.lanes)}"
