"""Payloads and the values in them, by data type.

Adding a type: one member of DataType, one row of CODECS, or of SCALARS for a number. Source: docs/protocol.md, values.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Final, TypeAlias

from rct_tools.errors import DecodeError, EncodeError
from rct_tools.values.cell import (
    CELLS,
    CELLS_PER_MODULE,
    RESISTANCES,
    STATISTICS,
    Cell,
    CellExtreme,
    CellStatistics,
)
from rct_tools.values.datatype import NUMBERS, Codec, DataType, is_a
from rct_tools.values.event import (
    EVENT_TABLE,
    LOGGED_EVENT,
    PARAMETER_CHANGED,
    UPDATED,
    Event,
    EventTable,
    LoggedEvent,
    measured,
)
from rct_tools.values.scalar import SCALARS
from rct_tools.values.series import TIME_SERIES, Sample, TimeSeries

__all__ = [
    "CELLS_PER_MODULE",
    "CODECS",
    "NUMBERS",
    "PARAMETER_CHANGED",
    "UPDATED",
    "Cell",
    "CellExtreme",
    "CellStatistics",
    "DataType",
    "Event",
    "EventTable",
    "LoggedEvent",
    "Sample",
    "TimeSeries",
    "Value",
    "decode_value",
    "encode_value",
    "measured",
]

_LONGEST_SHOWN: Final = 200  # letters of a value in a message

Value: TypeAlias = (
    bool
    | int
    | float
    | str
    | bytes
    | TimeSeries
    | EventTable
    | LoggedEvent
    | CellStatistics
    | tuple[Cell, ...]
    | tuple[float, ...]
)


def decode_value(data_type: DataType, payload: bytes) -> Value:
    """Return the value in a payload.

    Time series and event tables give TimeSeries and EventTable, battery modules a tuple of 24 Cell, a CellStatistics,
    or a tuple of 24 resistances in milliohm; UNKNOWN gives the bytes themselves.

    Raises DecodeError when the payload does not fit the type.
    """
    codec = CODECS[data_type]
    try:
        value: Value = codec.decode(payload)
    except (struct.error, ValueError) as exc:
        raise DecodeError(f"{data_type.name} ({codec.size})", payload) from exc
    return value


def encode_value(data_type: DataType, value: Value) -> bytes:
    """Return the payload that holds a value; the reverse of decode_value.

    Raises EncodeError when the value does not fit the type: numbers are neither rounded nor cut, and text is no number.
    """
    codec = CODECS[data_type]
    if not codec.accepts(value):
        raise EncodeError(f"{data_type.name} cannot hold {_show(value)} ({type(value).__name__})")
    try:
        return codec.encode(value)
    except (struct.error, OverflowError, ValueError, TypeError, AttributeError) as exc:
        raise EncodeError(f"{data_type.name} ({codec.size}) cannot hold {_show(value)}") from exc


def _show(value: object) -> str:
    """Return what a message says of any value."""
    try:
        shown = repr(value)
    except ValueError:  # Python writes no numbers of more than 4300 digits
        return "so large a number"
    return shown if len(shown) <= _LONGEST_SHOWN else shown[:_LONGEST_SHOWN] + " …"


def _decode_string(payload: bytes) -> str:
    # What follows the NUL is left-over memory of the device, at times the image of another frame.
    text = payload.partition(b"\0")[0]
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text.decode("latin-1")


def _encode_string(text: str) -> bytes:
    if "\0" in text:
        raise ValueError("NUL ends a string")
    return text.encode() + b"\0"


CODECS: Final[Mapping[DataType, Codec]] = {
    DataType.UNKNOWN: Codec("any bytes", bytes, bytes, is_a(bytes)),
    **SCALARS,
    DataType.STRING: Codec("text, NUL at its end", _decode_string, _encode_string, is_a(str)),
    DataType.TIMESERIES: TIME_SERIES,
    DataType.EVENT_TABLE: EVENT_TABLE,
    DataType.BATTERY_MODULE_STATUS: CELLS,
    DataType.BATTERY_MODULE_STATISTICS: STATISTICS,
    DataType.BATTERY_MODULE_RESISTANCE: RESISTANCES,
    DataType.LOGGED_EVENT: LOGGED_EVENT,
}
