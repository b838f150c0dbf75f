"""Configuration files become the arguments of the services."""

from __future__ import annotations

import difflib
import re
from importlib.resources import files
from pathlib import Path
from typing import Final

import msgspec

from rct_tools.errors import ConfigError, UnknownObject
from rct_tools.objects import ObjectInfo, registry
from rct_tools.plan import Field, Group, Plan
from rct_tools.times import parse_duration
from rct_tools.values import DataType

_NUMBERS: Final = frozenset(
    {
        DataType.UINT8,
        DataType.INT8,
        DataType.UINT16,
        DataType.INT16,
        DataType.UINT32,
        DataType.INT32,
        DataType.FLOAT,
    }
)


class _Group(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    interval: str
    fields: dict[str, object]  # checked below: msgspec does not name the key of a wrong value


class _Readings(msgspec.Struct, forbid_unknown_fields=True):
    group: list[_Group]


def default_readings() -> str:
    """Return the text of the readings file that is used when none is given."""
    return files("rct_tools").joinpath("readings.toml").read_text(encoding="utf-8")


def load_plan(path: Path | None = None) -> Plan:
    """Return the plan in a readings file; without one, the default.

    Raises ConfigError with the file, the key and what was expected there.
    """
    if path is None:
        return parse_plan(default_readings(), "readings.toml")
    try:
        return parse_plan(path.read_text(encoding="utf-8"), str(path))
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{path}: byte {exc.start} is not UTF-8") from exc


def parse_plan(text: str, source: str) -> Plan:
    """Return the plan in the text of a readings file; ``source`` is its name in errors. Raises ConfigError."""
    try:
        readings = msgspec.toml.decode(text, type=_Readings)
    except msgspec.ValidationError as exc:
        raise ConfigError(f"{source}: {_explain(str(exc))}") from exc
    except msgspec.DecodeError as exc:
        raise ConfigError(f"{source}: not TOML: {exc}") from exc
    if not readings.group:
        raise ConfigError(f"{source}: group: expected at least one")
    taken: dict[str, str] = {}  # names of groups, fields, and objects that are fields -> the key that has it
    groups = [_group(group, f"{source}: group[{index}]", taken) for index, group in enumerate(readings.group)]
    return Plan(tuple(groups))


def _group(group: _Group, place: str, taken: dict[str, str]) -> Group:
    try:
        interval = parse_duration(group.interval)
    except ConfigError as exc:
        raise ConfigError(f"{place}.interval: {exc}") from exc
    if not interval:
        raise ConfigError(f"{place}.interval: expected more than {group.interval}")
    if f"group {group.name}" in taken:
        raise ConfigError(f"{place}.name: {group.name!r} is there already")
    taken[f"group {group.name}"] = place
    if not group.fields:
        raise ConfigError(f"{place}.fields: expected at least one")
    fields = []
    for name, value in group.fields.items():
        key = f"{place}.fields.{name}"
        if not name.strip():
            raise ConfigError(f"{place}.fields: expected a name before = {value!r}")
        field = Field(name, _objects(value, key))
        for used in dict.fromkeys((name, field.info.name)):
            if used in taken:
                raise ConfigError(f"{key}: {used} is there already, at {taken[used].partition(': ')[2]}")
            taken[used] = key
        fields.append(field)
    return Group(group.name, interval, tuple(fields))


def _objects(value: object, key: str) -> tuple[ObjectInfo, ...]:
    given = value if isinstance(value, list) else [value]
    names = [name for name in given if isinstance(name, str)]
    if not names or len(names) < len(given):
        raise ConfigError(f"{key}: expected the name of an object, or a list of names, got {value!r}")
    infos = tuple(_object(name, key) for name in names)
    for info in infos:
        if info.is_query:
            raise ConfigError(f"{key}: {info.name} is history, and not a value that can be polled")
        if len(infos) > 1 and info.data_type not in _NUMBERS:
            raise ConfigError(f"{key}: {info.name} is {info.data_type.name}, and cannot be added up")
        if info.unit != infos[0].unit:
            units = f"{info.name} is in {info.unit or 'no unit'}, {infos[0].name} in {infos[0].unit or 'no unit'}"
            raise ConfigError(f"{key}: {units}: they cannot be added up")
    if len(infos) > 1 and key.rpartition(".fields.")[2] in registry:
        raise ConfigError(f"{key}: a sum cannot have the name of an object")
    return infos


def _object(name: str, key: str) -> ObjectInfo:
    # No prefixes here: what is unique today need not be with the next object table.
    try:
        return registry.find(name) if name[:2].lower() == "0x" else registry[name]
    except UnknownObject as exc:
        raise ConfigError(f"{key}: {exc}") from exc


def _explain(message: str) -> str:
    """Return msgspec's message as ``place: what``."""
    what, _, path = message.partition(" - at `$")
    place = path.rstrip("`").lstrip(".")
    if match := re.fullmatch("Object contains unknown field `(.*)`", what):
        known = (_Group if place else _Readings).__struct_fields__
        near = difflib.get_close_matches(match[1], known, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(known)}"
        return f"{place}{'.' * bool(place)}{match[1]}: unknown key, {hint}"
    if match := re.fullmatch("Object missing required field `(.*)`", what):
        return f"{place}{'.' * bool(place)}{match[1]}: missing"
    return f"{place}: {what[0].lower()}{what[1:].replace('`', '')}"
