"""What a proxy did for its clients, as a document and as metrics, by the host that they call from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

from rct_tools.proxy.tally import BUCKETS, Tally

if TYPE_CHECKING:
    from prometheus_client import Metric

_COUNTERS: Final[Mapping[str, tuple[str, str]]] = {  # of a tally: the name of its metric, and what that says
    "connections": ("connections", "Connections that clients made"),
    "requests": ("requests", "Requests of clients"),
    "answered": ("answers", "Requests that were answered"),
    "unanswered": ("unanswered_requests", "Requests that the inverter did not answer"),
    "cached": ("cached_answers", "Requests that were answered with what had come just before"),
    "coalesced": ("coalesced_requests", "Requests that shared the answer to another one"),
    "refused": ("refused_writes", "Writes that were refused"),
    "written": ("writes", "Writes that went to the inverter"),
    "unasked": ("unasked_frames", "Frames that clients got without asking"),
}
_PREFIX: Final = "rct_proxy_"


@dataclass(frozen=True, slots=True)
class Served:
    """What was done for one host."""

    host: str
    connected: int  # connections that it has now
    tally: Tally


def document(served: Iterable[Served]) -> list[dict[str, Any]]:
    """Return an object of JSON for each host; delays are in seconds, and their classes pairs of upper end and count."""
    return [
        {
            "host": one.host,
            "connected": one.connected,
            **{name: getattr(one.tally, name) for name in _COUNTERS},
            "cut_off": {str(reason): count for reason, count in one.tally.cut_off.items()},
            "delay": round(one.tally.delay, 6),
            "delays": [list(pair) for pair in zip((*BUCKETS, None), one.tally.delays, strict=True)],
        }
        for one in served
    ]


def families(proxies: Mapping[str, Iterable[Served]]) -> Iterator[Metric]:
    """Yield the metrics of proxies, by the names of their inverters. Needs the extra [prometheus]."""
    from prometheus_client import core

    labels = ("inverter", "client")
    rows = [((inverter, one.host), one) for inverter, served in proxies.items() for one in served]
    clients = core.GaugeMetricFamily(f"{_PREFIX}clients", "Connections of clients now", labels=labels)
    for place, one in rows:
        clients.add_metric(place, one.connected)
    yield clients
    for name, (metric, text) in _COUNTERS.items():
        counter = core.CounterMetricFamily(_PREFIX + metric, text, labels=labels)
        for place, one in rows:
            counter.add_metric(place, getattr(one.tally, name))
        yield counter
    cut_off = core.CounterMetricFamily(f"{_PREFIX}cut_offs", "Clients that were cut off", labels=(*labels, "reason"))
    for place, one in rows:
        for reason, count in one.tally.cut_off.items():
            cut_off.add_metric((*place, str(reason)), count)
    yield cut_off
    delays = core.HistogramMetricFamily(f"{_PREFIX}answer_delay_seconds", "From request to answer", labels=labels)
    ends = [*map(str, BUCKETS), "+Inf"]
    for place, one in rows:
        delays.add_metric(place, list(zip(ends, accumulate(one.tally.delays), strict=True)), one.tally.delay)
    yield delays
