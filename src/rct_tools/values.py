"""Payloads and the values in them, by data type.

Adding a type: one member of DataType, one row of CODECS. Source: docs/protocol.md, values.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final, NamedTuple, TypeAlias

from rct_tools.errors import DecodeError, EncodeError


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

CELLS_PER_MODULE: Final = 24

_LONGEST_SHOWN: Final = 200  # letters of a value in a message


class Sample(NamedTuple):
    """One row of a time series."""

    time: int  # seconds; the device's local wall-clock counted as if it were UTC
    value: float


@dataclass(frozen=True, slots=True)
class TimeSeries:
    """A page of a logger series: samples older than ``time``, newest first."""

    time: int  # as asked for, and as Sample.time
    samples: tuple[Sample, ...]


class Event(NamedTuple):
    """One row of the event table. What the three values mean depends on the type: docs/protocol.md."""

    type: int  # the number of a fault bit
    time: int  # as Sample.time
    values: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class EventTable:
    """A page of the event table: events older than ``time``, newest first, simultaneous ones all kept."""

    time: int  # as asked for, and as Sample.time
    events: tuple[Event, ...]


class Cell(NamedTuple):
    """One cell of a battery module."""

    temperature: int  # °C
    voltage: float  # V, in steps of 1 mV
    status: int


class CellExtreme(NamedTuple):
    """An extreme that one cell of a module has seen."""

    cell: int
    time: int  # as Sample.time
    value: float  # V or °C


@dataclass(frozen=True, slots=True)
class CellStatistics:
    """The extremes that the cells of a battery module have seen."""

    u_min: CellExtreme
    u_max: CellExtreme
    t_min: CellExtreme
    t_max: CellExtreme


Value: TypeAlias = (
    bool | int | float | str | bytes | TimeSeries | EventTable | CellStatistics | tuple[Cell, ...] | tuple[float, ...]
)


def decode_value(data_type: DataType, payload: bytes) -> Value:
    """Return the value in a payload.

    Time series and event tables give TimeSeries and EventTable, battery modules a tuple of 24 Cell, a CellStatistics,
    or a tuple of 24 resistances in milliohm; UNKNOWN gives the bytes themselves.

    Raises DecodeError when the payload does not fit the type.
    """
    codec = CODECS[data_type]
    try:
        return codec.decode(payload)
    except (struct.error, ValueError) as exc:
        raise DecodeError(f"{data_type.name} ({codec.size})", payload) from exc


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


def plain(value: Value) -> Any:
    """Return a value as JSON knows it: bytes in hex, structures as objects and lists, null for NaN and infinity."""
    match value:
        case float():
            return value if math.isfinite(value) else None
        case bytes():
            return value.hex()
        case TimeSeries():
            return {"time": value.time, "samples": [{"time": s.time, "value": plain(s.value)} for s in value.samples]}
        case EventTable():
            events = [{"type": e.type, "time": e.time, "values": list(e.values)} for e in value.events]
            return {"time": value.time, "events": events}
        case CellStatistics():
            return {name: _extreme(getattr(value, name)) for name in CellStatistics.__slots__}
        case tuple():
            return [item._asdict() if isinstance(item, Cell) else plain(item) for item in value]
        case _:
            return value


def _extreme(extreme: CellExtreme) -> dict[str, Any]:
    return {"cell": extreme.cell, "time": extreme.time, "value": plain(extreme.value)}


# --- codecs ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Codec:
    """How one data type is read and written. ``size`` is for people."""

    size: str
    decode: Callable[[bytes], Value]
    encode: Callable[[Any], bytes]
    accepts: Callable[[object], bool]


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, float) or _is_integer(value)


def _is_bool(value: object) -> bool:
    return isinstance(value, bool)


def _is(kind: type) -> Callable[[object], bool]:
    return lambda value: isinstance(value, kind)


def _scalar(layout: str, accepts: Callable[[object], bool]) -> Codec:
    packer = struct.Struct(layout)

    def decode(payload: bytes) -> Value:
        (value,) = packer.unpack(payload)
        return value  # type: ignore[no-any-return]  # struct knows only Any

    size = f"{packer.size} byte{'s' if packer.size > 1 else ''}"
    return Codec(size, decode, packer.pack, accepts)


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


_TIME = struct.Struct(">I")
_SAMPLE = struct.Struct(">If")
_EVENT = struct.Struct(">5I")
_CELL = struct.Struct("<BHB")  # the battery's own processor is little endian
_EXTREME = struct.Struct("<IIf")
_RESISTANCE = struct.Struct(">Hxx")
_RESISTANCE_STEPS = 256  # per milliohm


def _decode_series(payload: bytes) -> TimeSeries:
    (time,) = _TIME.unpack_from(payload)
    return TimeSeries(time, tuple(Sample(*row) for row in _SAMPLE.iter_unpack(payload[_TIME.size :])))


def _encode_series(series: TimeSeries) -> bytes:
    return _TIME.pack(series.time) + b"".join(_SAMPLE.pack(*sample) for sample in series.samples)


def _decode_events(payload: bytes) -> EventTable:
    (time,) = _TIME.unpack_from(payload)
    rows = _EVENT.iter_unpack(payload[_TIME.size :])
    return EventTable(time, tuple(Event(kind, begin, (a, b, c)) for kind, begin, a, b, c in rows))


def _encode_events(table: EventTable) -> bytes:
    return _TIME.pack(table.time) + b"".join(_EVENT.pack(e.type, e.time, *e.values) for e in table.events)


def _decode_cells(payload: bytes) -> tuple[Cell, ...]:
    _check_size(payload, CELLS_PER_MODULE * _CELL.size)
    return tuple(Cell(t, millivolt / 1000, status) for t, millivolt, status in _CELL.iter_unpack(payload))


def _encode_cells(cells: tuple[Cell, ...]) -> bytes:
    _check_size(cells, CELLS_PER_MODULE)
    return b"".join(_CELL.pack(c.temperature, round(c.voltage * 1000), c.status) for c in cells)


def _decode_statistics(payload: bytes) -> CellStatistics:
    _check_size(payload, 4 * _EXTREME.size)
    return CellStatistics(*(CellExtreme(*row) for row in _EXTREME.iter_unpack(payload)))


def _encode_statistics(statistics: CellStatistics) -> bytes:
    return b"".join(_EXTREME.pack(*getattr(statistics, name)) for name in CellStatistics.__slots__)


def _decode_resistances(payload: bytes) -> tuple[float, ...]:
    _check_size(payload, CELLS_PER_MODULE * _RESISTANCE.size)
    return tuple(steps / _RESISTANCE_STEPS for (steps,) in _RESISTANCE.iter_unpack(payload))


def _encode_resistances(resistances: tuple[float, ...]) -> bytes:
    _check_size(resistances, CELLS_PER_MODULE)
    return b"".join(_RESISTANCE.pack(round(value * _RESISTANCE_STEPS)) for value in resistances)


def _check_size(content: bytes | tuple[object, ...], size: int) -> None:
    if len(content) != size:
        raise ValueError(f"expected {size} items, got {len(content)}")


CODECS: Final[Mapping[DataType, Codec]] = {
    DataType.UNKNOWN: Codec("any bytes", bytes, bytes, _is(bytes)),
    DataType.BOOL: _scalar(">?", _is_bool),
    DataType.UINT8: _scalar(">B", _is_integer),
    DataType.INT8: _scalar(">b", _is_integer),
    DataType.UINT16: _scalar(">H", _is_integer),
    DataType.INT16: _scalar(">h", _is_integer),
    DataType.UINT32: _scalar(">I", _is_integer),
    DataType.INT32: _scalar(">i", _is_integer),
    DataType.ENUM: _scalar(">B", _is_integer),
    DataType.FLOAT: _scalar(">f", _is_number),
    DataType.STRING: Codec("text, NUL at its end", _decode_string, _encode_string, _is(str)),
    DataType.TIMESERIES: Codec("4 + n * 8 bytes", _decode_series, _encode_series, _is(TimeSeries)),
    DataType.EVENT_TABLE: Codec("4 + n * 20 bytes", _decode_events, _encode_events, _is(EventTable)),
    DataType.BATTERY_MODULE_STATUS: Codec("96 bytes", _decode_cells, _encode_cells, _is(tuple)),
    DataType.BATTERY_MODULE_STATISTICS: Codec("48 bytes", _decode_statistics, _encode_statistics, _is(CellStatistics)),
    DataType.BATTERY_MODULE_RESISTANCE: Codec("96 bytes", _decode_resistances, _encode_resistances, _is(tuple)),
}
