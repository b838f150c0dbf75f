"""Groups of readings, as people write them in TOML, become a plan."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Annotated, Any

import msgspec

from rct_tools.errors import ConfigError, UnknownObject
from rct_tools.objects import ObjectInfo, registry
from rct_tools.plan import Field, Group, Plan
from rct_tools.settings import Duration, Table
from rct_tools.values import NUMBERS


class GroupTable(Table, frozen=True):
    """Objects that are read at one interval."""

    name: Annotated[str, msgspec.Meta(description="how it is called; one of the default groups takes this in")]
    interval: Annotated[
        Duration | None, msgspec.Meta(description="how often, as in 5s; a default group keeps its own without")
    ] = None
    objects: Annotated[
        tuple[str, ...], msgspec.Meta(description="names of objects, or patterns, in which * stands for anything")
    ] = ()
    fields: Annotated[
        dict[str, Any],  # checked below: msgspec does not name the key of a wrong value
        msgspec.Meta(description="name in databases = object, or a list of objects, which are added up"),
    ] = msgspec.field(default_factory=dict)


class Readings(Table, frozen=True):
    """A file of nothing but groups."""

    group: tuple[GroupTable, ...]


@dataclass(frozen=True, slots=True)
class _Claim:
    """A field that a group asks for, and where it is written."""

    field: Field
    key: str
    by_pattern: bool = False


def group_text(name: str) -> str:
    """Return the text of a file of groups that comes with this program: ``readings`` or ``ancestor``."""
    return files("rct_tools").joinpath(f"{name}.toml").read_text(encoding="utf-8")


def build_plan(tables: Sequence[GroupTable], source: str, defaults: Plan | None = None) -> Plan:
    """Return the plan of some groups; what they ask for is left out of the defaults, which come beside them.

    ``source`` is what stands before keys in errors. Raises ConfigError.
    """
    known = {group.name: group for group in defaults.groups} if defaults else {}
    names = [table.name for table in tables]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise ConfigError(f"{source}: group[{index}].name: {name!r} is there already")
    claims = [_claims(table, f"{source}: group[{index}]") for index, table in enumerate(tables)]
    taken = _taken(claims)
    groups = {
        name: replace(group, fields=tuple(field for field in group.fields if not _names(field) & taken.keys()))
        for name, group in known.items()
    }
    for index, (table, mine) in enumerate(zip(tables, claims, strict=True)):
        interval = _interval(table, known, f"{source}: group[{index}].interval")
        fields = tuple(claim.field for claim in mine if _is_first(claim, taken))
        old = groups[table.name].fields if table.name in groups else ()
        groups[table.name] = Group(table.name, interval, (*old, *fields))
    return Plan(tuple(group for group in groups.values() if group.fields))


def _interval(table: GroupTable, known: Mapping[str, Group], key: str) -> int:
    if table.interval is None:
        if table.name not in known:
            raise ConfigError(f"{key}: missing")
        return known[table.name].interval
    if not table.interval:
        raise ConfigError(f"{key}: expected more than 0")
    return int(table.interval)


def _claims(table: GroupTable, place: str) -> list[_Claim]:
    if not table.fields and not table.objects:
        raise ConfigError(f"{place}: expected objects, or fields")
    claims = []
    for name, value in table.fields.items():
        if not name.strip():
            raise ConfigError(f"{place}.fields: expected a name before = {value!r}")
        key = f"{place}.fields.{name}"
        claims.append(_Claim(Field(name, _summands(value, key)), key))
    for index, pattern in enumerate(table.objects):
        key = f"{place}.objects[{index}]"
        claims += [_Claim(Field(info.name, (info,)), key, "*" in pattern) for info in _matching(pattern, key)]
    return claims


def _taken(claims: Sequence[Sequence[_Claim]]) -> dict[str, _Claim]:
    """Return who has each name, of fields and of their objects: names beat patterns, the first beats the rest."""
    taken: dict[str, _Claim] = {}
    every = [claim for group in claims for claim in group]
    for claim in sorted(every, key=lambda claim: claim.by_pattern):
        for name in _names(claim.field):
            before = taken.setdefault(name, claim)
            if before is not claim and not claim.by_pattern:
                raise ConfigError(f"{claim.key}: {name} is there already, at {before.key.partition(': ')[2]}")
    return taken


def _names(field: Field) -> dict[str, None]:
    """Return what a field must not share with another one: its name, and that of what its readings are of."""
    return dict.fromkeys((field.name, field.info.name))


def _is_first(claim: _Claim, taken: Mapping[str, _Claim]) -> bool:
    return all(taken[name] is claim for name in _names(claim.field))


def _matching(pattern: str, key: str) -> Iterator[ObjectInfo]:
    if "*" not in pattern:
        yield _pollable(_object(pattern, key), key)
        return
    glob = re.compile(".*".join(map(re.escape, pattern.split("*"))))
    matches = [info for info in registry if glob.fullmatch(info.name)]
    if not matches:
        near = registry.nearest(pattern.replace("*", ""))
        raise ConfigError(f"{key}: no object fits {pattern!r}; did you mean {', '.join(near)}?")
    values = [info for info in matches if not info.is_query]
    if not values:
        raise ConfigError(f"{key}: all that fits {pattern!r} is history, and no value that can be polled")
    yield from values


def _summands(value: object, key: str) -> tuple[ObjectInfo, ...]:
    given = value if isinstance(value, list) else [value]
    names = [name for name in given if isinstance(name, str)]
    if not names or len(names) < len(given):
        raise ConfigError(f"{key}: expected the name of an object, or a list of names, got {value!r}")
    infos = tuple(_pollable(_object(name, key), key) for name in names)
    for info in infos:
        if len(infos) > 1 and info.data_type not in NUMBERS:
            raise ConfigError(f"{key}: {info.name} is {info.data_type.name}, and cannot be added up")
        if info.unit != infos[0].unit:
            units = f"{info.name} is in {info.unit or 'no unit'}, {infos[0].name} in {infos[0].unit or 'no unit'}"
            raise ConfigError(f"{key}: {units}: they cannot be added up")
    if len(infos) > 1 and key.rpartition(".fields.")[2] in registry:
        raise ConfigError(f"{key}: a sum cannot have the name of an object")
    return infos


def _pollable(info: ObjectInfo, key: str) -> ObjectInfo:
    if info.is_query:
        raise ConfigError(f"{key}: {info.name} is history, and not a value that can be polled")
    return info


def _object(name: str, key: str) -> ObjectInfo:
    # No prefixes here: what is unique today need not be with the next object table.
    try:
        return registry.find(name) if name[:2].lower() == "0x" else registry[name]
    except UnknownObject as exc:
        raise ConfigError(f"{key}: {exc}") from exc
