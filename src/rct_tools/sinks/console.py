"""Readings as plain columns for people: name, value with unit, meaning, time."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from rct_tools.display import show_value
from rct_tools.errors import ConfigError
from rct_tools.reading import Reading
from rct_tools.times import iso_time


def from_url(scheme: str, rest: str, field_names: Mapping[str, str]) -> ConsoleSink:  # noqa: ARG001
    """Return the sink for ``console:``."""
    if rest:
        raise ConfigError(f"'{scheme}:{rest}': expected console: and nothing behind it")
    return ConsoleSink()


class ConsoleSink:
    """Standard output. A reader that went away ends the program, as for any other: BrokenPipeError passes."""

    async def write(self, readings: Sequence[Reading]) -> None:
        """Print one line for each reading."""
        sys.stdout.write("".join(map(_line, readings)))
        sys.stdout.flush()

    async def close(self) -> None:
        """Standard output stays open."""


def _line(reading: Reading) -> str:
    info = reading.object
    time = iso_time(reading.time)
    shown = f"{info.name:<34} {show_value(info, reading.value):>16}  {info.meaning(reading.value):<12}"
    return f"{shown}  {time[:23]}{time[-6:]}\n"  # milliseconds are enough for the eye
