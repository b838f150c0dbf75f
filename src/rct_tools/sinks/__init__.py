"""Where readings go. One file per destination; SINKS names them by URL scheme.

A sink knows readings only: nothing of frames, clients or other sinks.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

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


class Kind(NamedTuple):
    """What is known of the sinks of a scheme before their module is loaded."""

    module: str
    form: str  # how its URL is written
    is_remote: bool = False  # whether it may be away for hours, so that readings wait on disk
    makes_files: bool = False  # whether opening it leaves something on disk


SINKS: Final[Mapping[str, Kind]] = {
    "sqlite": Kind("sqlite", "sqlite:///PATH", makes_files=True),
    "influx": Kind("influx", "influx://[USER@]HOST[:8086]/DATABASE", is_remote=True),
    "influxs": Kind("influx", "influxs://[USER@]HOST[:8086]/DATABASE", is_remote=True),
    "influx2": Kind("influx", "influx2://HOST[:8086]/BUCKET?org=ORG", is_remote=True),
    "influx2s": Kind("influx", "influx2s://HOST[:8086]/BUCKET?org=ORG", is_remote=True),
    "jsonl": Kind("lines", "jsonl:PATH", makes_files=True),
    "csv": Kind("lines", "csv:PATH", makes_files=True),
    "parquet": Kind("parquet", "parquet:FOLDER", makes_files=True),
    "mqtt": Kind("mqtt", "mqtt://[USER@]HOST[:1883]/[PREFIX]", is_remote=True),
    "mqtts": Kind("mqtt", "mqtts://[USER@]HOST[:8883]/[PREFIX]", is_remote=True),
    "prometheus": Kind("prometheus", "prometheus://[HOST][:9831]"),
    "console": Kind("console", "console:"),
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


def is_remote(url: str) -> bool:
    """Return whether the sink of a URL may be away for hours."""
    return SINKS[url.partition(":")[0]].is_remote


def makes_files(url: str) -> bool:
    """Return whether opening the sink of a URL leaves something on disk."""
    return SINKS[url.partition(":")[0]].makes_files


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
        hint = (
            f"did you mean {SINKS[near[0]].form}?"
            if near
            else "expected " + ", ".join(kind.form for kind in SINKS.values())
        )
        raise ConfigError(f"{url!r} names no destination; {hint}")
    return importlib.import_module(f"rct_tools.sinks.{SINKS[scheme].module}")
