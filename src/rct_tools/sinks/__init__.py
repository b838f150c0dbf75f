"""Where readings go. One file per destination; SINKS names them by URL scheme.

A sink knows readings only: nothing of frames, clients or other sinks.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from rct_tools.errors import ConfigError
from rct_tools.reading import Reading


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
    "jsonl": ("jsonl", "jsonl:PATH"),
    "console": ("console", "console:"),
}


def open_sink(url: str, *, field_names: Mapping[str, str]) -> Sink:
    """Return the sink that a URL names, open; ``field_names`` maps names of objects to names in the database.

    A server need not be there yet. Raises ConfigError for a URL that cannot be used, SinkError for a file.
    """
    scheme, colon, rest = url.partition(":")
    if scheme not in SINKS or not colon:
        near = difflib.get_close_matches(scheme, SINKS, 1)
        hint = f"did you mean {SINKS[near[0]][1]}?" if near else "expected " + ", ".join(f for _, f in SINKS.values())
        raise ConfigError(f"{url!r} names no destination; {hint}")
    module: Any = importlib.import_module(f"rct_tools.sinks.{SINKS[scheme][0]}")
    sink: Sink = module.from_url(scheme, rest, field_names)
    return sink
