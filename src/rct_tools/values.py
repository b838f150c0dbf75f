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

CELLS_PER_MODULE: Final = 24

PARAMETER_CHANGED: Final = 0x73
UPDATED: Final = 0x77
"""Types of events that happen at once; all others last for a while."""

_LONGEST_SHOWN: Final = 200  # letters of a value in a message
_NANO: Final = 1_000_000_000  # ns in a second


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


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """Something that happened: a row of the event table, and what it means. Times are UTC, in nanoseconds."""

    name: str  # "surge or phase failure", "parameter changed"
    begin: int
    end: int | None  # of what lasts; None where it has none, or none yet
    is_sure: bool  # else its times may be an hour off: they are of the hour that repeats in autumn
    object: str  # the name of the parameter that was changed; "" for none
    data_type: DataType  # of the parameter; else UNKNOWN
    unit: str  # of old and new, or of the value; "" for none
    raw: Event  # as the inverter keeps it; its values say more than is known here

    @property
    def type(self) -> int:
        """The number of a fault bit."""
        return self.raw.type

    @property
    def lasts(self) -> bool:
        """Whether it is something that ends."""
        return self.raw.type not in (PARAMETER_CHANGED, UPDATED)

    @property
    def duration(self) -> int | None:
        """How long it lasted, in nanoseconds; None for what has no end."""
        return None if self.end is None else self.end - self.begin

    @property
    def old(self) -> bool | int | float | bytes | None:
        """What a parameter was, in its own type and unit; of an update, the version."""
        return self._changed(self.raw.values[1])

    @property
    def new(self) -> bool | int | float | bytes | None:
        """What it is since then."""
        return self._changed(self.raw.values[2])

    @property
    def value(self) -> float | None:
        """What was measured, in its unit."""
        return measured(self.raw.values[1]) if self.unit and self.lasts else None

    def _changed(self, bits: int) -> bool | int | float | bytes | None:
        if self.lasts:
            return None
        if self.raw.type == UPDATED:
            return bits
        data = bits.to_bytes(4)
        size = _PARAMETER_SIZES.get(self.data_type)
        # Of what is longer there are four bytes, and no more.
        value = data if size is None else decode_value(self.data_type, data[-size:])
        assert isinstance(value, bool | int | float | bytes)  # noqa: S101  # as these types are
        return value


def measured(bits: int) -> float | None:
    """Return the number that four bytes are, unless it is none that can be measured: then they are a code."""
    (value,) = struct.unpack(">f", bits.to_bytes(4))
    return value if math.isfinite(value) and _LEAST <= abs(value) <= _MOST else None


_PARAMETER_SIZES: Final[Mapping[DataType, int]] = {
    **dict.fromkeys((DataType.BOOL, DataType.UINT8, DataType.INT8, DataType.ENUM), 1),
    **dict.fromkeys((DataType.UINT16, DataType.INT16), 2),
    **dict.fromkeys((DataType.UINT32, DataType.INT32, DataType.FLOAT), 4),
}
_LEAST, _MOST = 1e-3, 1e6  # what a measured value is between; the bits of a code are a far smaller number, or no number


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
_LOGGED = struct.Struct(">B2q5I")
_HAS_END, _IS_SURE = 1, 2
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


def _decode_logged(payload: bytes) -> LoggedEvent:
    flags, begin, end, kind, time, *values = _LOGGED.unpack_from(payload)
    name, parameter, type_name, unit = payload[_LOGGED.size :].decode().split("\0")
    if type_name not in DataType.__members__ or flags not in range(4):
        raise ValueError("no event that was encoded here")
    return LoggedEvent(
        name,
        begin,
        end if flags & _HAS_END else None,
        bool(flags & _IS_SURE),
        parameter,
        DataType[type_name],
        unit,
        Event(kind, time, (values[0], values[1], values[2])),
    )


def _encode_logged(event: LoggedEvent) -> bytes:
    flags = _HAS_END * (event.end is not None) | _IS_SURE * bool(event.is_sure)
    raw = event.raw
    head = _LOGGED.pack(flags, event.begin, event.end or 0, raw.type, raw.time, *raw.values)
    texts = (event.name, event.object, event.data_type.name, event.unit)
    if any("\0" in text for text in texts):
        raise ValueError("NUL ends a text")
    return head + "\0".join(texts).encode()


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
    DataType.LOGGED_EVENT: Codec("37 bytes and 4 texts", _decode_logged, _encode_logged, _is(LoggedEvent)),
}
