"""Where readings go. One file per destination; SINKS names them by URL scheme.

A sink knows readings only: nothing of frames, clients or other sinks.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from rct_tools.errors import ConfigError
from rct_tools.plan import Source
from rct_tools.reading import Reading
from rct_tools.settings import decode


class Sink(Protocol):
    """A destination of readings."""

    async def write(self, readings: Sequence[Reading]) -> None:
        """Store the readings, in order. Raises SinkError when they are not stored.

        After a SinkError the same readings may be given again: stores know them by inverter, object and time, and
        keep them once.
        """

    async def close(self) -> None:
        """Flush and release. Called once."""


SINKS: Final[Mapping[str, tuple[str, str]]] = {  # scheme: (module, how its URL is written)
    "sqlite": ("sqlite", "sqlite:///PATH"),
    "influx": ("influx", "influx://[USER@]HOST[:8086]/DATABASE"),
    "influxs": ("influx", "influxs://[USER@]HOST[:8086]/DATABASE"),
    "influx2": ("influx", "influx2://HOST[:8086]/BUCKET?org=ORG"),
    "influx2s": ("influx", "influx2s://HOST[:8086]/BUCKET?org=ORG"),
    "jsonl": ("lines", "jsonl:PATH"),
    "csv": ("lines", "csv:PATH"),
    "parquet": ("parquet", "parquet:FOLDER"),
    "mqtt": ("mqtt", "mqtt://[USER@]HOST[:1883]/[PREFIX]"),
    "mqtts": ("mqtt", "mqtts://[USER@]HOST[:8883]/[PREFIX]"),
    "console": ("console", "console:"),
}
"""Each module has ``Settings``, whose keys beside ``url`` are those of a ``[[sink]]``, and ``open_sink`` for them."""


class SinkSettings(Protocol):
    """What every sink's settings have."""

    @property
    def url(self) -> str:
        """Where readings go."""


def settings_for(url: str, /, place: str = "", **keys: object) -> SinkSettings:
    """Return the settings of the sink that a URL names, with more keys as in a configuration. Raises ConfigError."""
    settings: SinkSettings = decode({"url": url, **keys}, _module(url).Settings, place)
    return settings


def sink_keys(url: str) -> frozenset[str]:
    """Return the keys that the sink of a URL has. Raises ConfigError."""
    return frozenset(_module(url).Settings.__struct_fields__)


def open_sink(settings: SinkSettings, sources: Sequence[Source] = ()) -> Sink:
    """Return a sink, open; ``sources`` is all that may be given to it.

    A server need not be there yet. Raises ConfigError for settings that cannot be used, SinkError for a file.
    """
    sink: Sink = _module(settings.url).open_sink(settings, sources)
    return sink


def _module(url: str) -> Any:
    scheme, colon, _ = url.partition(":")
    if scheme not in SINKS or not colon:
        near = difflib.get_close_matches(scheme, SINKS, 1)
        hint = f"did you mean {SINKS[near[0]][1]}?" if near else "expected " + ", ".join(f for _, f in SINKS.values())
        raise ConfigError(f"{url!r} names no destination; {hint}")
    return importlib.import_module(f"rct_tools.sinks.{SINKS[scheme][0]}")
