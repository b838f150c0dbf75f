"""Values as JSON knows them: what files, pages and brokers are given of a structure, and what a page gives back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from rct_tools.times import SECOND
from rct_tools.values import (
    Cell,
    CellExtreme,
    CellStatistics,
    DataType,
    EventTable,
    LoggedEvent,
    TimeSeries,
    Value,
)

FLOAT_MAX: Final = 2.0**128 * (1 - 2.0**-24)
"""The largest number of a FLOAT."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


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
        case LoggedEvent():
            return _plain_event(value)
        case CellStatistics():
            return {name: _extreme(getattr(value, name)) for name in CellStatistics.__slots__}
        case tuple():
            return [item._asdict() if isinstance(item, Cell) else plain(item) for item in value]
        case _:
            return value


def _plain_event(event: LoggedEvent) -> dict[str, Any]:
    """Return an event as ``rct events`` tells it, but in UTC."""
    return {
        "begin": _iso_second(event.begin),
        "end": None if event.end is None else _iso_second(event.end),
        "duration": None if event.duration is None else event.duration // SECOND,
        "unsure": not event.is_sure,
        "type": f"0x{event.type:02x}",
        "name": event.name,
        "object": event.object or None,
        "old": None if event.old is None else plain(event.old),
        "new": None if event.new is None else plain(event.new),
        "value": event.value,
        "unit": event.unit,
        "raw": list(event.raw.values),
    }


def _iso_second(time: int) -> str:
    return (_EPOCH + timedelta(seconds=time // SECOND)).isoformat()


def _extreme(extreme: CellExtreme) -> dict[str, Any]:
    return {"cell": extreme.cell, "time": extreme.time, "value": plain(extreme.value)}


# --- and back -------------------------------------------------------------------------------------------------------

_KINDS: Final[Mapping[DataType, type]] = {
    DataType.BOOL: bool,
    DataType.STRING: str,
    **dict.fromkeys((DataType.UINT8, DataType.UINT16, DataType.UINT32, DataType.ENUM), int),
    **dict.fromkeys((DataType.INT8, DataType.INT16, DataType.INT32), int),
}

_LEAST, _MOST = -(2**31), 2**32 - 1


def value_of(data_type: DataType, document: Any) -> Value:
    """Return the value that ``plain`` made this of, NaN for null; logs do not come back.

    Raises ValueError for what is made of no value of such a type.
    """
    try:
        match data_type:
            case DataType.FLOAT:
                return math.nan if document is None else float(_number(document))
            case DataType.UNKNOWN:
                return bytes.fromhex(document)
            case DataType.BATTERY_MODULE_STATUS:
                return tuple(Cell(*(_number(cell[name]) for name in Cell._fields)) for cell in document)
            case DataType.BATTERY_MODULE_RESISTANCE:
                return tuple(_number(ohm) for ohm in document)
            case DataType.BATTERY_MODULE_STATISTICS:
                return CellStatistics(**{name: _read_extreme(document[name]) for name in CellStatistics.__slots__})
    except (TypeError, KeyError) as exc:
        raise ValueError(f"no {data_type.name}: {exc}") from exc
    if isinstance(document, bool | int | str) and type(document) is _KINDS.get(data_type):
        if isinstance(document, int) and not _LEAST <= document <= _MOST:
            raise ValueError("no number of 32 bits")
        return document
    raise ValueError(f"no {data_type.name}")


def _read_extreme(document: Any) -> CellExtreme:
    return CellExtreme(*(_number(document[name]) for name in CellExtreme._fields))


def _number(document: Any) -> Any:
    if type(document) not in (int, float) or not -FLOAT_MAX <= document <= FLOAT_MAX:
        raise ValueError("no number")
    return document
