"""How far the cells of a battery were apart over time: one reading of each module in each step, from the store."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from rct_tools.components import MODULES
from rct_tools.errors import ConfigError, DecodeError
from rct_tools.plain import plain
from rct_tools.values import DataType, decode_value
from rct_tools.web.store import Store

MOST_STEPS: Final = 1000  # each takes a kilobyte of every module

_TOWERS: Final = ("battery", "battery_placeholder[0]")  # what the objects of a tower begin with


class Range(NamedTuple):
    """From the lowest of some cells to the highest."""

    low_voltage: float  # V
    high_voltage: float
    low_temperature: float  # °C
    high_temperature: float

    @property
    def voltage(self) -> float:
        """How far their voltages are apart, in V, to the millivolt that they are told in."""
        return round(self.high_voltage - self.low_voltage, 3)

    @property
    def temperature(self) -> float:
        """How far their temperatures are apart, in °C."""
        return self.high_temperature - self.low_temperature


@dataclass(frozen=True, slots=True)
class ModuleSpread:
    """One module over time; None for a step in which it was not read."""

    number: int  # from 0, as in the names of objects
    steps: list[Range | None]


@dataclass(frozen=True, slots=True)
class TowerSpread:
    """One tower over time. ``steps`` is over all its modules; None where one was not read, once it had been."""

    steps: list[Range | None]
    modules: list[ModuleSpread]


def read_spread(store: Store, inverter: str, since: int, until: int, step: int) -> list[TowerSpread]:
    """Return the towers whose cells were read from ``since`` up to ``until``, in steps, all in nanoseconds.

    A step shows the first reading in it, so that months take no longer than days. A module that is not there says that
    its cells have no voltage: it is left out. Raises ConfigError for more than MOST_STEPS, SinkError for a file that
    cannot be read.
    """
    begins = range(since, until, step)
    if not 0 < len(begins) <= MOST_STEPS:
        raise ConfigError(f"expected 1 to {MOST_STEPS} steps between since and until, these are {len(begins)}")
    with store.open() as database:
        towers = [list(_modules(database, inverter, tower, begins, until)) for tower in _TOWERS]
    return [TowerSpread(_together(modules), modules) for modules in towers if modules]


def _modules(
    database: sqlite3.Connection, inverter: str, tower: str, begins: range, until: int
) -> Iterator[ModuleSpread]:
    for number in range(MODULES):
        series = database.execute(
            "SELECT id FROM series WHERE inverter = ? AND object = ?", (inverter, f"{tower}.cells[{number}]")
        ).fetchone()
        if series is None:
            continue
        steps = [_first(database, series[0], begin, min(begin + begins.step, until)) for begin in begins]
        if any(steps):
            yield ModuleSpread(number, steps)


def _first(database: sqlite3.Connection, series: int, begin: int, end: int) -> Range | None:
    row = database.execute(
        "SELECT value FROM reading WHERE series = ? AND time >= ? AND time < ? ORDER BY time LIMIT 1",
        (series, begin, end),
    ).fetchone()
    return None if row is None else _range(row[0])


def _range(value: Any) -> Range | None:
    """Return the range of the cells of a module, as they are stored; None for what is none."""
    try:
        cells = json.loads(value) if isinstance(value, str) else _unknown(value)
        voltages = [float(cell["voltage"]) for cell in cells]
        temperatures = [float(cell["temperature"]) for cell in cells]
    except (DecodeError, ValueError, TypeError, KeyError):
        return None
    if not any(voltages):
        return None
    return Range(min(voltages), max(voltages), min(temperatures), max(temperatures))


def _unknown(value: Any) -> Any:
    """Return cells of the second tower, which the table of objects does not know: they are stored as they were sent."""
    return plain(decode_value(DataType.BATTERY_MODULE_STATUS, value))


def _together(modules: Sequence[ModuleSpread]) -> list[Range | None]:
    begun = [next(n for n, each in enumerate(module.steps) if each is not None) for module in modules]
    return [
        _over([module.steps[n] for module, first in zip(modules, begun, strict=True) if n >= first])
        for n in range(len(modules[0].steps))
    ]


def _over(ranges: Sequence[Range | None]) -> Range | None:
    known = [each for each in ranges if each is not None]
    if not known or len(known) < len(ranges):
        return None  # the rest would look like the whole
    lows, highs, colds, warms = zip(*known, strict=True)
    return Range(min(lows), max(highs), min(colds), max(warms))
