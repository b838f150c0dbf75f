"""Readings as lines of InfluxDB's line protocol: ``measurement,tags fields time``. No I/O.

What a reading becomes is a matter of the schema, SCHEMAS. Fields of one series and time are one point, and one line.
A backfilled reading has the tag ``backfilled=true``: a series of its own, and what was read live stays as it is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from rct_tools.display import show_event
from rct_tools.objects import ObjectInfo
from rct_tools.reading import Reading
from rct_tools.values import Cell, DataType, LoggedEvent

_EVENT: Final = "event"  # the measurement of what happens, and the group of its objects
_NAMES: Final = 10_000  # so many escaped names are remembered: those of a fleet


class Row(NamedTuple):
    """One field of a point."""

    series: str  # measurement and tags, escaped
    time: int  # UTC, nanoseconds
    field: str  # its key, as it is
    value: str  # as it stands in the line
    object: str  # the name of what it is the value of

    @property
    def is_text(self) -> bool:
        """Whether the value is a text."""
        return self.value.startswith('"')

    def is_of(self, measurement: str) -> bool:
        """Return whether it is a field of a measurement."""
        return f"{self.series},".startswith(f"{_escape(measurement)},")


class Place(NamedTuple):
    """Where all readings of one object are, as the database calls it; points may have more tags."""

    measurement: str
    tags: Mapping[str, str]
    field: str  # its key; "" for any


Point = Sequence[Row]
"""The fields of one series and time."""


def pv_rows(reading: Reading, name: str) -> list[Row]:
    """Return the field of a reading in measurement ``pv``, called ``name``; none for what no field can hold.

    Numbers keep their type: a field has that of its first value for ever, so a FLOAT is never written as an integer.
    """
    if isinstance(reading.value, LoggedEvent):
        return _event_rows(reading, reading.value)
    value = _typed(reading.object, reading.value)
    if value is None:
        return []
    series = f"pv{_tag('inverter', reading.inverter)}{_mark(reading)}"
    return [Row(series, reading.time, name, value, reading.object.name)]


def group_rows(reading: Reading, name: str) -> list[Row]:
    """Return the fields of a reading in the measurement of its group; none for what no field can hold.

    The group is what stands before the first dot of the object's own name. ``value`` holds numbers and flags, always as
    float, so that types never conflict; ``text`` holds texts. Of battery modules, each cell is a point.
    """
    info, value = reading.object, reading.value
    series = f"{_escape(_group(info.name))}{_tag('inverter', reading.inverter)}{_tag('name', name)}{_mark(reading)}"
    match value:
        case bool() | int() | float():
            fields = [("", "value", float(value))]
        case str():
            return [Row(series, reading.time, "text", _quote(value), info.name)]
        case LoggedEvent():
            return _event_rows(reading, value)
        case tuple():
            cells: tuple[Cell | float, ...] = value
            module = _tag("module", _index(info.name))
            fields = [
                (f"{module},cell={number}", field, content)
                for number, cell in enumerate(cells)
                for field, content in _cell_fields(cell)
            ]
        case _:
            return []
    return [
        Row(series + tags, reading.time, field, repr(content), info.name)
        for tags, field, content in fields
        if math.isfinite(content)
    ]


SCHEMAS: Final[Mapping[str, Callable[[Reading, str], list[Row]]]] = {"pv": pv_rows, "groups": group_rows}
"""What becomes of a reading and the name that it has where there are no object names."""


def _pv_place(inverter: str, name_of_object: str, name: str) -> Place:
    if _group(name_of_object) == _EVENT:
        return _event_place(inverter, name_of_object)
    return Place("pv", {"inverter": _held(inverter)}, _held(name))


def _group_place(inverter: str, name_of_object: str, name: str) -> Place:
    if _group(name_of_object) == _EVENT:
        return _event_place(inverter, name_of_object)
    return Place(_group(name_of_object), {"inverter": _held(inverter), "name": _held(name)}, "")


def _event_place(inverter: str, name_of_object: str) -> Place:
    return Place(_EVENT, {"inverter": _held(inverter), "event_type": name_of_object.rpartition(".")[2]}, "")


PLACES: Final[Mapping[str, Callable[[str, str, str], Place]]] = {"pv": _pv_place, "groups": _group_place}
"""Where the schema puts an object of an inverter: by inverter, object, and the name as for SCHEMAS."""


def times_in(lines: Iterable[str], place: Place) -> Iterator[int]:
    """Yield the times of lines that have something of a place; the lines are our own, and their fields numbers."""
    series = _escape(place.measurement) + "".join([_tag(key, value) for key, value in place.tags.items()])
    field = f"{_escape(place.field)}=" if place.field else ""
    for line in lines:
        if line.startswith((f"{series},", f"{series} ")):
            _, fields, time = re.split(r"(?<!\\) ", line)
            if any(part.startswith(field) for part in re.split(r"(?<!\\),", fields)):
                yield int(time)


def _event_rows(reading: Reading, event: LoggedEvent) -> list[Row]:
    """Return the fields of an event in measurement ``event``, whatever the schema: one point as it begins or ends.

    Times are milliseconds, as Grafana wants them of annotations; ``duration`` is in seconds.
    """
    tags = {
        "inverter": reading.inverter,
        "event_type": reading.object.name.rpartition(".")[2],
        "name": event.name,
        "type": f"0x{event.type:02x}",
    }
    series = _EVENT + "".join(_tag(key, text) for key, text in tags.items())
    times = {"begin": event.begin, "end": event.end}
    fields = {"text": _quote(show_event(event))}
    fields |= {key: f"{time // 1_000_000}i" for key, time in times.items() if time is not None}
    numbers = {
        "duration": None if event.duration is None else event.duration / 1e9,
        "value": event.value,
        "old": event.old,
        "new": event.new,
    }
    for key, number in numbers.items():
        if isinstance(number, int | float) and math.isfinite(number):
            fields[key] = repr(float(number))
    return [Row(series, reading.time, key, value, reading.object.name) for key, value in fields.items()]


def to_points(rows: Iterable[Row]) -> list[Point]:
    """Return the rows as points, in the order of their first fields; the last of two values of one field stays."""
    points: dict[tuple[str, int], dict[str, Row]] = {}
    for row in rows:
        points.setdefault((row.series, row.time), {})[row.field] = row
    return [tuple(fields.values()) for fields in points.values()]


def to_line(point: Point) -> str:
    """Return a point as a line, without its end."""
    fields = ",".join([f"{_escape(row.field)}={row.value}" for row in point])
    return f"{point[0].series} {fields} {point[0].time}"


def _typed(info: ObjectInfo, value: object) -> str | None:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float() if info.data_type is DataType.FLOAT or isinstance(value, float):
            return repr(float(value)) if math.isfinite(value) else None
        case int():
            return f"{value}i"
        case str():
            return _quote(value)
        case _:
            return None


def _cell_fields(cell: Cell | float) -> Sequence[tuple[str, float]]:
    if isinstance(cell, Cell):
        return [("voltage", cell.voltage), ("temperature", float(cell.temperature)), ("status", float(cell.status))]
    return [("resistance", cell)]


@lru_cache(_NAMES)
def _group(name: str) -> str:
    group, dot, _ = name.partition(".")
    return (_held(group.partition("[")[0]) if dot else "") or "device"


@lru_cache(_NAMES)
def _index(name: str) -> str:
    """Return the number in the name of one of several: "3" of "battery.cells[3]"."""
    match = re.search(r"\[(\d+)\]$", name)
    return match[1] if match else ""


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _mark(reading: Reading) -> str:
    return ",backfilled=true" if reading.backfilled else ""


@lru_cache(_NAMES)
def _tag(key: str, value: str) -> str:
    escaped = _escape(value)
    return f",{key}={escaped}" if escaped else ""  # an empty tag is an error


@lru_cache(_NAMES)
def _escape(name: str) -> str:
    """Return a measurement, a tag value or a field key with what would end it escaped."""
    return re.sub("([,= ])", r"\\\1", _held(name))


def _held(name: str) -> str:
    """Return a name as a database can hold it."""
    # Nothing can stand for a line end, nor for a backslash at the end or before one of these.
    return re.sub(r"\\+([,= ]|$)", r"\1", " ".join(name.splitlines()))
