"""The battery: its towers, their modules, and the cells of these."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from rct_tools.client import Client
from rct_tools.clock import Clock
from rct_tools.components import MODULES
from rct_tools.health.answers import Answers, Label, ask, local_moment
from rct_tools.objects import registry
from rct_tools.times import local_zone
from rct_tools.values import Cell, CellExtreme, CellStatistics

_FIRST, _SECOND = "battery", "battery_placeholder[0]"  # what the objects of a tower begin with
_SERIAL: Final = "bms_sn"
_NUMBERS: Final[Mapping[str, str]] = {
    "soc": "soc",
    "soh": "soh",
    "voltage": "voltage",
    "current": "current",
    "temperature": "temperature",
    "capacity": "ah_capacity",
    "stored": "stored_energy",
    "used": "used_energy",
    "efficiency": "efficiency",
    "impedance": "bat_impedance.impedance_fine",
}
_STATUS, _CYCLES, _VERSION = "bat_status", "cycles", "bms_software_version"
_OF_TOWER: Final = (_SERIAL, _STATUS, _CYCLES, _VERSION, *_NUMBERS.values())
_OF_MODULE: Final = ("stack_cycles[{}]", "cells[{}]", "cells_resist[{}]", "cells_stat[{}]")


class Place(NamedTuple):
    """Where a cell is, and what it has: a voltage in V, or a temperature in °C."""

    module: int
    cell: int
    value: float


@dataclass(frozen=True, slots=True)
class Extreme:
    """An extreme that one cell of a module has seen."""

    cell: int
    time: datetime  # in the time zone of the inverter
    value: float  # V or °C


@dataclass(frozen=True, slots=True)
class Extremes:
    """The extremes that the cells of a module have seen; None for what was never recorded."""

    u_min: Extreme | None
    u_max: Extreme | None
    t_min: Extreme | None
    t_max: Extreme | None


@dataclass(frozen=True, slots=True)
class Module:
    """One module of a tower. None stands for what was not answered."""

    number: int  # from 0, as in the names of objects
    serial: str | None
    cycles: int | None
    cells: tuple[Cell, ...] | None  # 24, numbered from 0; V and °C
    resistances: tuple[float, ...] | None  # mΩ, one for each cell
    extremes: Extremes | None

    @property
    def voltage(self) -> float | None:
        """The voltages of all cells, in V."""
        return None if self.cells is None else sum(cell.voltage for cell in self.cells)


@dataclass(frozen=True, slots=True)
class Tower:
    """One tower of modules. None stands for what was not answered, or what there is no object for."""

    serial: str | None
    version: int | None  # of its firmware
    status: Label | None  # 0 when it is neither calibrated nor balanced
    soc: float | None  # state of charge, from 0 to 1
    soh: float | None  # state of health, from 0 to 1
    voltage: float | None  # V
    current: float | None  # A, positive: discharge
    temperature: float | None  # °C
    capacity: float | None  # Ah
    cycles: int | None
    stored: float | None  # Wh that went in since it was new
    used: float | None  # Wh that came out
    efficiency: float | None  # out of in, from 0 to 1
    impedance: float | None  # Ohm, of the whole circuit
    modules: tuple[Module, ...]  # those that are there

    @property
    def lowest(self) -> Place | None:
        """The cell with the lowest voltage, the first of several; None where no cell is known."""
        return min(self.voltages(), key=lambda place: place.value, default=None)

    @property
    def highest(self) -> Place | None:
        """The cell with the highest voltage."""
        return max(self.voltages(), key=lambda place: place.value, default=None)

    @property
    def coldest(self) -> Place | None:
        """The cell with the lowest temperature."""
        return min(self.temperatures(), key=lambda place: place.value, default=None)

    @property
    def warmest(self) -> Place | None:
        """The cell with the highest temperature."""
        return max(self.temperatures(), key=lambda place: place.value, default=None)

    @property
    def spread(self) -> float | None:
        """How far the voltages of the cells are apart, in V."""
        low, high = self.lowest, self.highest
        return None if low is None or high is None else high.value - low.value

    def voltages(self) -> Iterator[Place]:
        """Yield the voltage of each cell."""
        return (Place(m.number, n, cell.voltage) for m in self.modules for n, cell in enumerate(m.cells or ()))

    def temperatures(self) -> Iterator[Place]:
        """Yield the temperature of each cell."""
        return (Place(m.number, n, cell.temperature) for m in self.modules for n, cell in enumerate(m.cells or ()))


@dataclass(frozen=True, slots=True)
class Battery:
    """All of the battery."""

    time: int  # UTC, nanoseconds: when the last answer came
    peer: str
    towers: tuple[Tower, ...]  # one or two; none where there is no battery
    missing: tuple[str, ...]  # objects that were asked for and stayed silent
    trouble: str  # what ended the connection before all were asked for; "" where nothing did


async def battery(client: Client, *, zone: ZoneInfo | None = None) -> Battery:
    """Ask an inverter for all of its battery: a dozen objects for each tower, and five for each module.

    ``zone`` is the time zone of its clock, that of this machine if left out.

    Raises NoAnswer when it answers nothing, LinkError when there is no connection. What stays silent is in ``missing``.
    """
    answers = await ask(client, [*_names(_FIRST, _OF_TOWER), f"{_SECOND}.{_SERIAL}"])
    if towers := _there(answers):
        more = {f"{tower}.module_sn[{n}]" for tower in towers for n in range(MODULES)}
        if _SECOND in towers:
            more.update(_names(_SECOND, _OF_TOWER))
        answers = await ask(client, sorted(more - answers.readings.keys()), answers)
        of_modules = [name for tower in towers for n in _maybe(answers, tower) for name in _names(tower, _OF_MODULE, n)]
        answers = await ask(client, of_modules, answers)
    clock = Clock(zone or ZoneInfo(local_zone()))
    return Battery(answers.time, client.peer, towers_of(answers, clock), answers.missing, answers.trouble)


def towers_of(answers: Answers, clock: Clock) -> tuple[Tower, ...]:
    """Return the towers that an inverter has, by what it has answered."""
    return tuple(_tower(answers, tower, clock) for tower in _there(answers))


def _there(answers: Answers) -> list[str]:
    """Return what the objects of each tower begin with: the first is there unless it says that it is not."""
    first = [_FIRST] if answers.text(f"{_FIRST}.{_SERIAL}") != "" else []
    return first + ([_SECOND] if answers.text(f"{_SECOND}.{_SERIAL}") else [])


def _names(tower: str, parts: Iterable[str], module: int = 0) -> list[str]:
    """Return the names of the objects of a tower or a module, those that there are: the second has fewer."""
    return [name for part in parts if (name := f"{tower}.{part.format(module)}") in registry]


def _maybe(answers: Answers, tower: str) -> list[int]:
    """Return the modules that are there, or may be: a serial number that is empty says that one is not."""
    return [n for n in range(MODULES) if answers.text(f"{tower}.module_sn[{n}]") != ""]


def _tower(answers: Answers, tower: str, clock: Clock) -> Tower:
    modules = [_module(answers, tower, n, clock) for n in _maybe(answers, tower)]
    return Tower(
        serial=answers.text(f"{tower}.{_SERIAL}"),
        status=answers.label(f"{tower}.{_STATUS}"),
        modules=tuple(module for module in modules if module.serial or any(c.voltage for c in module.cells or ())),
        cycles=answers.count(f"{tower}.{_CYCLES}"),
        version=answers.count(f"{tower}.{_VERSION}"),
        **{field: answers.number(f"{tower}.{name}") for field, name in _NUMBERS.items()},
    )


def _module(answers: Answers, tower: str, n: int, clock: Clock) -> Module:
    def structure(part: str) -> Any:
        # What is known of the first tower's layout holds for the second, of which the table knows nothing.
        return answers.structure(f"{tower}.{part}[{n}]", f"{_FIRST}.{part}[{n}]")

    statistics: CellStatistics | None = structure("cells_stat")
    return Module(
        number=n,
        serial=answers.text(f"{tower}.module_sn[{n}]"),
        cycles=answers.count(f"{tower}.stack_cycles[{n}]"),
        cells=structure("cells"),
        resistances=structure("cells_resist"),
        extremes=None if statistics is None else _extremes(statistics, clock),
    )


def _extremes(statistics: CellStatistics, clock: Clock) -> Extremes:
    return Extremes(*(_extreme(getattr(statistics, name), clock) for name in Extremes.__slots__))


def _extreme(found: CellExtreme, clock: Clock) -> Extreme | None:
    when = local_moment(found.time, clock)
    return Extreme(found.cell, when, found.value) if when and isfinite(found.value) else None
