"""Readings as metrics that Prometheus fetches: the newest value of everything, as long as it is fresh.

Needs the extra [prometheus].
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import os
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final, Literal
from urllib.parse import urlsplit

import msgspec

from rct_tools import vitals
from rct_tools.address import show_address
from rct_tools.errors import ConfigError, SinkError
from rct_tools.exposition import Known, content_type, exposition, families_of, wants_open_metrics
from rct_tools.loopback import REFUSAL, is_meant
from rct_tools.metrics import Metric, naming
from rct_tools.plan import Source, fresh_for
from rct_tools.reading import Reading
from rct_tools.settings import Table
from rct_tools.values import Value

if TYPE_CHECKING:
    from aiohttp import web

logger = logging.getLogger(__name__)

PORT: Final = 9831  # that of rctmon
PATH: Final = "/metrics"

_FORM: Final = "prometheus://[HOST][:9831]"
_GOODBYE: Final = 1.0  # seconds that an answer may take when we close
_LINK: Final = frozenset(info.name for info in vitals.VITALS)
_NAME: Final = "android_description"  # the name that its owner gave an inverter, by which rctmon calls it


class Settings(Table, frozen=True):
    """Readings as metrics that Prometheus fetches."""

    url: Annotated[
        str, msgspec.Meta(description="prometheus://[HOST][:9831]: where to listen; 127.0.0.1 and 9831 without")
    ]
    names: Annotated[
        Literal["own", "rctmon"],
        msgspec.Meta(description='names of the metrics: "own", or those of "rctmon", so that its dashboards go on'),
    ] = "own"


def open_sink(settings: Settings, sources: Sequence[Source]) -> PrometheusSink:
    """Return the sink for ``prometheus://[HOST][:9831]``, by default on 127.0.0.1. Raises ConfigError."""
    try:
        url = urlsplit(settings.url)
        port = PORT if url.port is None else url.port
    except ValueError as exc:
        raise ConfigError(f"prometheus: {exc}; expected {_FORM}") from exc
    if "@" in url.netloc or url.path.strip("/") or url.query or url.fragment:
        raise ConfigError(f"prometheus: expected {_FORM} and nothing else; {PATH} is fixed, and there is no login")
    return PrometheusSink(url.hostname or "127.0.0.1", port, sources, names=settings.names)


@dataclass(slots=True)
class _Series:
    """The newest value of one object of one inverter."""

    metrics: tuple[Metric, ...]
    lasts: int  # ns that a value is fresh
    measured: int  # ns, on the steady clock
    value: Value


def _ticking() -> int:
    """Return nanoseconds that nobody sets, and that go on while the machine is suspended where the system tells."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic_ns()


class PrometheusSink:
    """A server that says on ``/metrics`` what is known now: nothing old, and nothing of an inverter that is away."""

    def __init__(
        self,
        host: str,
        port: int,
        sources: Sequence[Source] = (),
        *,
        names: str = "own",
        clock: Callable[[], int] = time.time_ns,
        ticking: Callable[[], int] = _ticking,
    ) -> None:
        """``port`` is taken at the first write; 0 takes any. Raises ConfigError when the extra is missing."""
        try:
            import aiohttp.web
            import prometheus_client  # noqa: F401  # only whether it is there
        except ImportError as exc:
            raise ConfigError("Prometheus needs more than the core: pip install 'rct-tools[prometheus]'") from exc
        self.address = show_address(host, port)
        self._host = host
        self._port = port
        self._expects = {source.inverter: source.expects for source in sources}
        self._naming = naming(names)
        self._renames = names == "rctmon"
        self._clock = clock
        self._ticking = ticking
        self._web = aiohttp.web
        self._runner: web.AppRunner | None = None
        self._series: dict[tuple[str, str], _Series] = {}  # by inverter and object
        self._called: dict[str, str] = {}  # inverter: the name that its owner gave it

    async def write(self, readings: Sequence[Reading]) -> None:
        """Keep what is newer than what is known. Raises SinkError while the port cannot be had."""
        if self._runner is None:
            await self._listen()
        now, ticks = self._clock(), self._ticking()
        for reading in readings:
            if reading.backfilled:
                continue  # it is nothing that is now
            # The clock may be set at any time, so it only tells how old a reading is when it comes.
            measured = ticks - max(0, now - reading.time)
            key = (reading.inverter, reading.object.name)
            if known := self._series.get(key):
                if measured >= known.measured:
                    known.measured, known.value = measured, reading.value
            elif metrics := self._naming.metrics(reading.object):
                self._series[key] = _Series(metrics, self._lasts(*key), measured, reading.value)
            if reading.object.name == _NAME and isinstance(reading.value, str):
                self._called[reading.inverter] = reading.value

    async def close(self) -> None:
        """Give back the port."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _listen(self) -> None:
        web = self._web
        application = web.Application()
        application.router.add_get(PATH, self._answer)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=_GOODBYE)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port).start()
        except (OSError, UnicodeError) as exc:
            await runner.cleanup()
            raise SinkError(f"prometheus {self.address}: cannot be listened on: {_why(exc)}") from exc
        self._runner = runner
        host, port = runner.addresses[0][:2]
        self.address = show_address(host, port)
        logger.info("prometheus: metrics are on http://%s%s", self.address, PATH)
        if not ipaddress.ip_address(host).is_loopback:
            logger.warning("prometheus %s: everyone in the network can read the metrics", self.address)

    def _lasts(self, inverter: str, name: str) -> int:
        """Return how long a value is fresh, in nanoseconds."""
        expects = self._expects.get(inverter) or self._expects.get(_master(inverter), {})
        interval = expects[name].interval if name in expects else vitals.INTERVAL  # what comes unasked comes often
        return fresh_for(interval)

    async def _answer(self, request: web.Request) -> web.Response:
        if not is_meant(self._host, request.host):
            return self._web.Response(status=421, text=REFUSAL)
        open_metrics = wants_open_metrics(request.headers.get("Accept", ""))
        known = list(self._known())
        # A fleet has a hundred thousand series: others go on meanwhile.
        body = await asyncio.to_thread(lambda: exposition(families_of(known), open_metrics))
        answer = self._web.Response(body=body, zlib_executor_size=1024)
        answer.headers["Content-Type"] = content_type(open_metrics)
        answer.enable_compression()
        return answer

    def _known(self) -> Iterator[Known]:
        """Yield what is known now."""
        ticks = self._ticking()
        # Who went away is away until it is told otherwise, however long ago that was.
        away = {
            inverter for (inverter, name), series in self._series.items() if name == vitals.UP.name and not series.value
        }
        labels = self._inverter_labels()
        for (inverter, name), series in self._series.items():
            is_there = name in _LINK or not (inverter in away or _master(inverter) in away)
            if is_there and ticks - series.measured <= series.lasts:
                yield labels.get(inverter, inverter), series.metrics, series.value

    def _inverter_labels(self) -> Mapping[str, str]:
        """Return what inverters are called, if not as in their readings."""
        if not self._renames:
            return {}
        # Two must not become one: neither two with one name, nor one with the name by which another is known here.
        often = Counter(self._called.values())
        taken = {inverter for inverter, _ in self._series}
        return {
            inverter: name for inverter, name in self._called.items() if name and often[name] == 1 and name not in taken
        }


def _master(inverter: str) -> str:
    """Return the inverter over whose connection a member of a plant is heard."""
    return inverter.rpartition("/")[0] or inverter


def _why(exc: OSError | UnicodeError) -> str:
    if isinstance(exc, socket.gaierror):
        return f"the host is unknown: {exc.strerror}"
    if isinstance(exc, UnicodeError):
        return "no host can have this name"
    return os.strerror(exc.errno or 0).lower()
