"""Readings and the columns in which they are kept."""

from __future__ import annotations

import math
from typing import Final, TypeAlias

from rct_tools.errors import EncodeError
from rct_tools.objects import ObjectInfo, registry
from rct_tools.values import DataType, Value

Identity: TypeAlias = tuple[str, str, int, str, str, str]
"""Inverter; name, id, type, unit and description of an object."""

_END: Final = 2**63  # what SQLite's integers do not reach


def identity(inverter: str, info: ObjectInfo) -> Identity:
    """Return what a series is known by."""
    return inverter, info.name, info.object_id, info.data_type.name, info.unit, info.description


def described(name: str, object_id: int, kind: str, unit: str, description: str) -> ObjectInfo:
    """Return an object by its identity: that of the registry, which has labels too, or a stand-in.

    Raises KeyError for a type that does not exist.
    """
    data_type = DataType[kind]
    if name in registry:
        known = registry[name]
        if (known.object_id, known.data_type, known.unit) == (object_id, data_type, unit):
            return known
    return ObjectInfo(object_id, name, data_type, unit, description)


def stored(info: ObjectInfo, value: Value) -> float | str | bytes:
    """Return a value as SQLite can keep it: numbers and text as they are, anything else as its payload.

    Raises EncodeError, or another ValueError, for what cannot be kept.
    """
    match value:
        case float():
            return value  # SQLite makes NULL of NaN, and of nothing else
        case int():
            if not -_END <= value < _END:
                raise EncodeError(f"{info.name}: {value} is too large a number")
            return value
        case str():
            value.encode()  # half a character cannot be kept
            return value
        case _:
            return info.encode(value)


def restored(info: ObjectInfo, kept: float | str | bytes | None) -> Value:
    """Return the value that was stored. Raises DecodeError."""
    match kept:
        case None:
            return math.nan
        case bytes():
            return info.decode(kept)
        case int() if info.data_type is DataType.BOOL:
            return bool(kept)
        case _:
            return kept
