"""The data types, and how one is read and written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final


class DataType(Enum):
    """How a payload is laid out. All numbers are big endian unless a codec says otherwise."""

    UNKNOWN = auto()
    BOOL = auto()
    UINT8 = auto()
    INT8 = auto()
    UINT16 = auto()
    INT16 = auto()
    UINT32 = auto()
    INT32 = auto()
    ENUM = auto()
    FLOAT = auto()
    STRING = auto()
    TIMESERIES = auto()
    EVENT_TABLE = auto()
    BATTERY_MODULE_STATUS = auto()
    BATTERY_MODULE_STATISTICS = auto()
    BATTERY_MODULE_RESISTANCE = auto()
    LOGGED_EVENT = auto()  # of our own: no inverter sends it


NUMBERS: Final = frozenset(
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
"""Types whose values can be added up: those of ENUM are numbers, too, but names in truth."""


@dataclass(frozen=True, slots=True)
class Codec:
    """How one data type is read and written. ``size`` is for people."""

    size: str
    decode: Callable[[bytes], Any]
    encode: Callable[[Any], bytes]
    accepts: Callable[[object], bool]


def is_a(kind: type) -> Callable[[object], bool]:
    """Return what tells whether a value is of a kind."""
    return lambda value: isinstance(value, kind)
