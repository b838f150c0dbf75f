"""Readings of everything that an inverter says which Home Assistant is shown, from the simulated one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache

from rct_tools.events import EVENTS
from rct_tools.homeassistant.entities import catalogue
from rct_tools.objects import ObjectInfo, registry
from rct_tools.plan import Expected, Source
from rct_tools.reading import Reading
from rct_tools.simulator.inverter import Inverter
from rct_tools.times import SECOND
from rct_tools.values import Value
from rct_tools.vitals import UP, VITALS

NOON = 1716811387  # by the clock of the inverter: 27 May 2024, 12:03:07
INTERVAL = 60 * SECOND

_VITALS = {info.name: info for info in VITALS}
_OURS = _VITALS | {info.name: info for info in EVENTS}


@cache
def names() -> tuple[str, ...]:
    """Return the names of all objects that are shown, those of the inverter's nature last: they may come late."""
    shown = dict.fromkeys(name for state in catalogue().states for name in state.objects)
    late = ("inverter_sn", "svnversion", "battery.bms_sn", "rb485.available")
    return (*(name for name in shown if name not in late), *late)


def info_of(name: str) -> ObjectInfo:
    return _OURS.get(name) or registry[name]


@cache
def _house() -> dict[str, Value]:
    inverter = Inverter.with_past(0, NOON)
    values = {name: registry[name].decode(inverter.payload(registry[name])) for name in names() if name in registry}
    return {**values, **dict.fromkeys(_VITALS, 3), UP.name: True}


def values(**changes: Value) -> dict[str, Value]:
    """Return the value of each object."""
    return {**_house(), **changes}


def source(inverter: str = "roof", *, without: Collection[str] = (), interval: int = INTERVAL) -> Source:
    """Return what may be expected of an inverter: all, without some."""
    infos = [info_of(name) for name in names() if name not in without]
    return Source(inverter, "Europe/Berlin", {i.name: Expected(i, i.name, interval) for i in infos})


def readings(values: Mapping[str, Value], time: int, inverter: str = "roof") -> list[Reading]:
    """Return readings of some values, all of one time."""
    return [Reading(time, inverter, info_of(name), value) for name, value in values.items()]
