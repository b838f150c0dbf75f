"""The text that Prometheus fetches. Needs the extra [prometheus]."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from rct_tools.metrics import Family, Kind, Labels, Metric
from rct_tools.values import Value

if TYPE_CHECKING:
    from prometheus_client import Metric as PrometheusMetric

_TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
_OPEN_METRICS: Final = "application/openmetrics-text"

Known: TypeAlias = tuple[str, tuple[Metric, ...], Value]
"""What is known: of which inverter, what metrics say it, its value."""


def wants_open_metrics(accept: str) -> bool:
    """Return whether who asks with this header ``Accept`` gets OpenMetrics, and not the older text."""
    return _OPEN_METRICS in accept


def content_type(open_metrics: bool) -> str:
    """Return the header ``Content-Type`` of such a text."""
    return f"{_OPEN_METRICS}; version=1.0.0; charset=utf-8" if open_metrics else _TEXT


def exposition(families: Iterable[PrometheusMetric], open_metrics: bool) -> bytes:
    """Return the text of some families, each of which is there once."""
    from prometheus_client import generate_latest
    from prometheus_client.openmetrics import exposition as openmetrics

    text = openmetrics.generate_latest if open_metrics else generate_latest
    return text(_Families(families))


class _Families:
    """What prometheus_client calls a registry."""

    def __init__(self, families: Iterable[PrometheusMetric]) -> None:
        self._families = families

    def collect(self) -> Iterable[PrometheusMetric]:
        return self._families


def families_of(known: Iterable[Known]) -> Iterator[PrometheusMetric]:
    """Yield families, each with all its series."""
    from prometheus_client import core

    # A series stands there once, whatever comes, since Prometheus takes no text where one is there twice.
    gathered: dict[str, tuple[Family, dict[tuple[str, ...], tuple[Labels, Any]]]] = {}
    for inverter, metrics, value in known:
        for metric in metrics:
            family = metric.family
            _, series = gathered.setdefault(family.name, (family, {}))
            for labels, content in metric.samples(value):
                place = (inverter, *labels.values())
                if family.kind is Kind.INFO:  # each object of it has one text
                    series.setdefault(place, (labels, {}))[1].update(content)
                else:
                    series[place] = (labels, content)
    kinds: Mapping[Kind, Any] = {
        Kind.GAUGE: core.GaugeMetricFamily,
        Kind.COUNTER: core.CounterMetricFamily,
        Kind.STATES: core.StateSetMetricFamily,
        Kind.INFO: core.InfoMetricFamily,
    }
    for family, series in gathered.values():
        if series:
            labels = next(iter(series.values()))[0]
            unit = {"unit": family.unit} if family.unit else {}
            made = kinds[family.kind](family.name, family.help, labels=("inverter", *labels), **unit)
            for place, (_, content) in series.items():
                made.add_metric(place, content)
            yield made
