"""What there may be in Home Assistant: devices, states and entities, as entities.toml lists them.

What one inverter has of it follows from the objects that are collected of it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, Final

from rct_tools.objects import ObjectInfo, registry
from rct_tools.values import NUMBERS, DataType

INVERTER: Final = "inverter"
"""The device that all others are behind, and that has what belongs to no other."""

OTHER: Final = "other"
"""The option of an enum for numbers without a label: Home Assistant takes no state that is not among the options."""

NUMERIC: Final = NUMBERS | {DataType.ENUM}


@dataclass(frozen=True, slots=True)
class Device:
    """One box in the cellar."""

    key: str  # "inverter", "battery", "module_1", "power_switch"
    name: str  # {} is the name of the inverter
    via: str = ""  # the key of the device that it is behind
    manufacturer: str = ""
    model: str = ""
    model_from: str = ""  # these are names of objects
    serial_number: str = ""
    sw_version: str = ""
    present: tuple[str, ...] = ()  # if any of them says something, the device is there; without any, it always is

    @property
    def described_by(self) -> tuple[str, ...]:
        """The objects whose values stand in the description of the device."""
        return tuple(filter(None, (self.model_from, self.serial_number, self.sw_version)))


@dataclass(frozen=True, slots=True)
class Entity:
    """One entity, as far as it is the same for every inverter."""

    component: str  # "sensor", "binary_sensor" or "event"
    key: str
    config: Mapping[str, Any]  # of its discovery message


@dataclass(frozen=True, slots=True)
class State:
    """What is published in one topic, and the entities that are made of it."""

    key: str
    device: str
    objects: tuple[str, ...]
    view: str  # a name in views.VIEWS
    precision: int  # decimals
    resets: str  # "day", "month", "year"; "" for never
    needs_all: bool  # the objects, and not only those that are collected
    entities: tuple[Entity, ...]

    @property
    def is_total(self) -> bool:
        """Whether it is a counter that must not go back."""
        return self.entities[0].config.get("state_class") == "total_increasing"

    @property
    def is_event(self) -> bool:
        """Whether it is no state at all, but what passes by on the topic of events."""
        return self.entities[0].component == "event"


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All that is known of."""

    devices: Mapping[str, Device]
    states: tuple[State, ...]


@dataclass(frozen=True, slots=True)
class Selection:
    """What can be made of the objects that are collected of an inverter."""

    states: tuple[State, ...]
    entities: frozenset[tuple[str, str]]  # component and key of each


def key_of(text: str) -> str:
    """Return a text with nothing in it but what may stand in a discovery topic."""
    return re.sub("[^A-Za-z0-9]+", "_", text).strip("_").lower()


_LABELLED: Final[Mapping[str, Callable[[str], str]]] = {"name": str, "key": key_of}
_PART: Final = "{{ value_json[%d] }}"


@cache
def catalogue() -> Catalogue:
    """Return what entities.toml lists."""
    table = _table()
    devices: dict[str, Device] = {}
    states: list[State] = []
    for device_key, device_row in table["devices"].items():
        for member in _members(device_row, table):
            description = _fill({"key": device_key} | device_row, *member)
            rows = description.pop("states")
            device = Device(**description | {"present": tuple(description.get("present", ()))})
            devices[device.key] = device
            for row in rows:
                kind = table["kinds"][row["kind"]] if "kind" in row else {}
                parts = [_fill(kind | row, *part) for part in _members(row, table)]
                states += [_state(_fill(part, *member), device.key) for part in parts]
    return Catalogue(devices, tuple(states))


@lru_cache(maxsize=64)
def select(infos: tuple[ObjectInfo, ...]) -> Selection:
    """Return what can be made of some objects; those without a row get a state of their own.

    Inverters of which the same is collected, as those of a fleet, share it.
    """
    names = {info.name for info in infos}
    known = [
        replace(state, objects=objects)
        for state in catalogue().states
        if (objects := tuple(name for name in state.objects if name in names))
        and (objects == state.objects or not state.needs_all)
    ]
    shown = {name for state in catalogue().states for name in state.objects}
    others = [state for info in infos if info.name not in shown and (state := _other(info)) is not None]
    states = (*known, *others)
    return Selection(states, frozenset((e.component, e.key) for state in states for e in state.entities))


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(files(__package__).joinpath("entities.toml").read_text(encoding="utf-8"))


def _members(row: Mapping[str, Any], table: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return index and label of each that a row stands for; ``*`` for both where it stands for itself."""
    return [(index, label) for index, label in table["each"][row["each"]]] if "each" in row else [("*", "*")]


def _fill(row: Mapping[str, Any], index: str, label: str) -> dict[str, Any]:
    """Return a row with ``*`` filled in: the label in what people and topics are shown, else the index."""

    def fill(value: Any, key: str) -> Any:
        match value:
            case str():
                return value.replace("*", _LABELLED[key](label) if key in _LABELLED and label != "*" else index)
            case [str(), *_]:
                return [fill(part, key) for part in value]
        return value

    return {key: fill(value, key) for key, value in row.items() if key != "each"}


def _state(row: dict[str, Any], device: str) -> State:
    objects = row.pop("object")
    key, name, parts = row.pop("key"), row.pop("name"), row.pop("parts", 0)
    view, precision, resets = row.pop("view", "number"), row.pop("precision", None), row.pop("resets", "")
    component, needs_all = row.pop("component", "sensor"), row.pop("needs_all", False)
    row.pop("kind", None)
    names = (objects,) if isinstance(objects, str) else tuple(objects)
    if precision is not None and component == "sensor":
        row["suggested_display_precision"] = precision
    if view == "label":
        labels = registry[names[0]].labels
        row["options"] = [*dict.fromkeys(labels.values()), OTHER]
    entities = [Entity(component, key, {"name": name} | row)]
    if parts:
        entities = [
            Entity(
                component, f"{key}_{n}", {"name": name.replace("%", str(n)), "value_template": _PART % (n - 1)} | row
            )
            for n in range(1, parts + 1)
        ]
    return State(key, device, names, view, precision or 0, resets, needs_all, tuple(entities))


def _other(info: ObjectInfo) -> State | None:
    """Return the state of an object that has no row: by its unit or type.

    None for structures, for sums, and for what is private: nothing is shown around that nobody asked to be shown.
    """
    table = _table()
    match info.data_type:
        case _ if not info.object_id or info.private:
            return None
        case DataType.BOOL:
            kind = "flag"
        case DataType.STRING:
            kind = "text"
        case _ if info.data_type not in NUMERIC:
            return None
        case _ if info.labels:
            kind = "label"
        case _:
            kind = table["units"].get(info.unit, "number")
    row = table["kinds"][kind] | {"key": key_of(info.name), "name": info.name, "object": info.name}
    if kind == "number":
        row["precision"] = 3 if info.data_type is DataType.FLOAT else 0
        if info.unit:
            row["unit_of_measurement"] = info.unit
    return _state(row | {"entity_category": "diagnostic"}, INVERTER)
