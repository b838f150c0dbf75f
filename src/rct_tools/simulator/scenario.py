"""What happens when: a timeline in TOML, for the simulated inverter.

[[at]]
time = "1m"
fault = "cut=0.1"

[[at]]
time = "2m"
event = "reboot"
for = "30s"
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Annotated, Final

import msgspec

from rct_tools.errors import ConfigError
from rct_tools.settings import Duration, Table, decode
from rct_tools.simulator.faults import FAULTS, HEALTHY, Faults, parse_faults
from rct_tools.simulator.trouble import HANG

EVENTS: Final[Mapping[str, float]] = {"reboot": 30.0, "hang": HANG, "night": inf, "day": 0.0, "drop": 0.0}
"""How long each lasts, in seconds, unless it is said."""


class _Entry(Table, frozen=True):
    """One entry of the file."""

    time: Annotated[Duration, msgspec.Meta(description="since the start")]
    fault: Annotated[str | None, msgspec.Meta(description="what goes wrong from here on")] = None
    event: Annotated[str, msgspec.Meta(description="what happens")] = ""
    lasts: Annotated[Duration | None, msgspec.Meta(description="for how long")] = msgspec.field(
        default=None, name="for"
    )


class _File(Table, frozen=True):
    """The whole file."""

    at: tuple[_Entry, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One moment of a timeline. Times are in seconds."""

    time: float  # since the start
    faults: Faults | None = None  # that there are from now on; None for those that there were
    event: str = ""  # one of EVENTS; "" for none
    seconds: float | None = None  # that the event lasts; None for as long as usual

    @property
    def lasts(self) -> float:
        """How long the event lasts, in seconds."""
        return EVENTS[self.event] if self.seconds is None else self.seconds


def load_script(path: Path, others: Faults = HEALTHY) -> tuple[Step, ...]:
    """Return the steps in a file. Raises ConfigError with the file, the key and what was expected there."""
    try:
        return parse_script(path.read_text("utf-8"), str(path), others)
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{path}: byte {exc.start} is not UTF-8") from exc


def parse_script(text: str, source: str, others: Faults = HEALTHY) -> tuple[Step, ...]:
    """Return the steps in the text of a script; ``source`` is its name in errors.

    What a step says of faults is said upon ``others``, those of the start, and not upon the step before it. Raises
    ConfigError.
    """
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise ConfigError(f"{source}: not TOML: {exc}") from exc
    return tuple(_steps(decode(tree, _File, source).at, source, others))


def _steps(entries: Sequence[_Entry], source: str, others: Faults) -> Iterator[Step]:
    last = Duration(0)
    for number, entry in enumerate(entries):
        place = f"{source}: at[{number}]"
        if entry.fault is None and not entry.event:
            raise ConfigError(f"{place}: expected a fault, an event or both")
        if entry.event and entry.event not in EVENTS:
            raise ConfigError(f"{place}.event: expected one of {', '.join(EVENTS)}, got {entry.event!r}")
        if entry.lasts is not None and not EVENTS.get(entry.event):
            lasting = ", ".join(event for event, seconds in EVENTS.items() if seconds)
            raise ConfigError(f"{place}.for: goes with an event that lasts: {lasting}")
        if entry.time < last:
            raise ConfigError(
                f"{place}.time: expected {last.shown} or later, as the one before, got {entry.time.shown}"
            )
        last = entry.time
        faults = None if entry.fault is None else _faults(entry.fault, place, others)
        lasts = None if entry.lasts is None else entry.lasts.seconds
        yield Step(entry.time.seconds, faults, entry.event, lasts)


def _faults(text: str, place: str, others: Faults) -> Faults:
    try:
        faults = parse_faults(text, others)
    except ConfigError as exc:
        raise ConfigError(f"{place}.fault: {exc}") from exc
    for name, fault in FAULTS.items():
        if fault.settled and getattr(faults, name) != getattr(others, name):
            raise ConfigError(f"{place}.fault: {name} cannot change while it runs")
    return faults
