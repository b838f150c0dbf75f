"""Where readings go. One file per destination; SINKS names them by URL scheme.

A sink knows readings only: nothing of frames, clients or other sinks.
"""

from __future__ import annotations

import difflib
import importlib
import re
from collections.abc import Collection, Mapping, Sequence
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


class Store(Sink, Protocol):
    """A sink that can say what it has, so that what it lacks can be filled."""

    @property
    def precision(self) -> int:
        """What its times are multiples of, in nanoseconds; known when ``times`` has answered."""

    async def times(
        self, inverter: str, names: Collection[str], since: int, until: int, step: int = 1
    ) -> Mapping[str, set[int]]:
        """Return when it has readings of objects, by their names, live ones and others: UTC, in nanoseconds.

        From ``since`` up to, and without, ``until``; each rounded down to a multiple of ``step``, so that five minutes
        with many are one. What was written before is there, or will be without being written again. Raises SinkError.
        """


class Kind(NamedTuple):
    """What is known of the sinks of a scheme before their module is loaded."""

    module: str
    form: str  # how its URL is written
    is_remote: bool = False  # whether it may be away for hours, so that readings wait on disk
    unsafe: float = 0.0  # seconds for which what it says to have taken may yet be lost with it
    secret: str = ""  # the variable of the environment that may hold its password or token
    makes_files: bool = False  # whether opening it leaves something on disk
    is_store: bool = True  # else it shows what is new, and keeps nothing


_VICTORIA: Final = 10.0  # seconds: VictoriaMetrics has what is new in memory alone for up to 5

SINKS: Final[Mapping[str, Kind]] = {
    "sqlite": Kind("sqlite", "sqlite:///PATH", makes_files=True),
    "influx": Kind("influx", "influx://[USER@]HOST[:8086]/DATABASE", True, _VICTORIA, "INFLUX_PASSWORD"),
    "influxs": Kind("influx", "influxs://[USER@]HOST[:8086]/DATABASE", True, _VICTORIA, "INFLUX_PASSWORD"),
    "influx2": Kind("influx", "influx2://HOST[:8086]/BUCKET?org=ORG", True, _VICTORIA, "INFLUX_TOKEN"),
    "influx2s": Kind("influx", "influx2s://HOST[:8086]/BUCKET?org=ORG", True, _VICTORIA, "INFLUX_TOKEN"),
    "jsonl": Kind("lines", "jsonl:PATH", makes_files=True),
    "csv": Kind("lines", "csv:PATH", makes_files=True),
    "parquet": Kind("parquet", "parquet:FOLDER", makes_files=True),
    "mqtt": Kind("mqtt", "mqtt://[USER@]HOST[:1883]/[PREFIX]", True, 0.0, "MQTT_PASSWORD", is_store=False),
    "mqtts": Kind("mqtt", "mqtts://[USER@]HOST[:8883]/[PREFIX]", True, 0.0, "MQTT_PASSWORD", is_store=False),
    "prometheus": Kind("prometheus", "prometheus://[HOST][:9831]", is_store=False),
    "console": Kind("console", "console:", is_store=False),
}
"""Each module has ``Settings``, whose keys beside ``url`` are those of a ``[[sink]]``, and ``open_sink`` for them."""


_PASSWORD: Final = re.compile(r"[^/]*//[^/?#@:]*:(?!\d+(?:/|$))[^@]*@")  # SCHEME://USER:PASSWORD@, and no port


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


def kind_of(url: str) -> Kind:
    """Return what is known of the sink of a URL, whose scheme is one of SINKS."""
    return SINKS[url.partition(":")[0]]


def open_sink(settings: SinkSettings, sources: Sequence[Source] = ()) -> Sink:
    """Return a sink, open; ``sources`` is all that may be given to it.

    A server need not be there yet. Raises ConfigError for settings that cannot be used, SinkError for a file.
    """
    sink: Sink = _module(settings.url).open_sink(settings, sources)
    return sink


def is_store(url: str) -> bool:
    """Return whether the sink of a URL, whose scheme is one of SINKS, is a Store."""
    return kind_of(url).is_store and not url.endswith(":-")  # what went to standard output is gone


def _module(url: str) -> Any:
    scheme, colon, _ = url.partition(":")
    if _PASSWORD.match(url):
        # What stands in arguments is seen by everyone who can list processes. So it is not repeated here either.
        secret = SINKS[scheme].secret if scheme in SINKS else ""
        what = f"the password belongs in {secret}, not in the URL" if secret else "no password belongs in the URL"
        raise ConfigError(f"{scheme}://: {what}")
    if scheme not in SINKS or not colon:
        near = difflib.get_close_matches(scheme, SINKS, 1)
        hint = (
            f"did you mean {SINKS[near[0]].form}?"
            if near
            else "expected " + ", ".join(kind.form for kind in SINKS.values())
        )
        raise ConfigError(f"{url!r} names no destination; {hint}")
    return importlib.import_module(f"rct_tools.sinks.{SINKS[scheme].module}")
