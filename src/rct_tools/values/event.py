"""Events: as the inverter keeps them, and as what they mean."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from rct_tools.values.datatype import Codec, DataType, is_a
from rct_tools.values.scalar import SCALARS

PARAMETER_CHANGED: Final = 0x73
UPDATED: Final = 0x77
"""Types of events that happen at once; all others last for a while."""

_TIME = struct.Struct(">I")
_EVENT = struct.Struct(">5I")
_LOGGED = struct.Struct(">B2q5I")
_HAS_END, _IS_SURE = 1, 2
_PARAMETER_SIZES: Final[Mapping[DataType, int]] = {
    **dict.fromkeys((DataType.BOOL, DataType.UINT8, DataType.INT8, DataType.ENUM), 1),
    **dict.fromkeys((DataType.UINT16, DataType.INT16), 2),
    **dict.fromkeys((DataType.UINT32, DataType.INT32, DataType.FLOAT), 4),
}
_LEAST, _MOST = 1e-3, 1e6  # what a measured value is between; the bits of a code are a far smaller number, or no number


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
        if size is None:
            return data  # of what is longer there are four bytes, and no more
        value: bool | int | float = SCALARS[self.data_type].decode(data[-size:])
        return value


def measured(bits: int) -> float | None:
    """Return the number that four bytes are, unless it is none that can be measured: then they are a code."""
    (value,) = struct.unpack(">f", bits.to_bytes(4))
    return value if math.isfinite(value) and _LEAST <= abs(value) <= _MOST else None


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


EVENT_TABLE: Final = Codec("4 + n * 20 bytes", _decode_events, _encode_events, is_a(EventTable))
LOGGED_EVENT: Final = Codec("37 bytes and 4 texts", _decode_logged, _encode_logged, is_a(LoggedEvent))
