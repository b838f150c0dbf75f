"""Readings and frames as rows of output, and as lines for people."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

import click

from rct_tools.cli.output import Row
from rct_tools.display import show_value
from rct_tools.frame import Frame
from rct_tools.objects import registry
from rct_tools.plain import plain
from rct_tools.reading import BadReading, Reading
from rct_tools.times import SECOND, iso_time

READING_COLUMNS: Final = ("time", "inverter", "object", "value", "unit", "meaning")
FRAME_COLUMNS: Final = ("offset", "command", "address", "object_id", "name", "payload", "value", "unit")

Told: TypeAlias = Reading | BadReading | None
"""What a frame tells: rct_tools.reading.read_frame."""


def reading_row(reading: Reading) -> dict[str, Any]:
    """Return a reading as a row; ``reading`` itself is under its own name, for reading_line."""
    return {
        "time": iso_time(reading.time),
        "inverter": reading.inverter,
        "object": reading.object.name,
        "value": plain(reading.value),
        "unit": reading.object.unit,
        "meaning": reading.object.meaning(reading.value),
        "reading": reading,
    }


def reading_line(row: Row) -> str:
    """Return a row of reading_row for people."""
    reading: Reading = row["reading"]
    shown = f"{row['object']:<36} {show_value(reading.object, reading.value):>16}"
    meaning = f"  {row['meaning']}" if row["meaning"] else ""
    return f"{clock_text(reading.time)}  {shown}{meaning}"


def frame_line(frame: Frame, told: Told) -> str:
    """Return a frame for people, in columns: command, object, value with unit, meaning."""
    info = registry.describe(frame.object_id)
    name = f"{frame.address:08X}/{info.name}" if frame.command.is_plant else info.name
    match told:
        case Reading(value=value):
            shown = f"{show_value(info, value):>16}  {info.meaning(value)}"
        case BadReading(reason=reason):
            shown = colour(reason.removeprefix(f"{info.name}: "), "yellow")
        case None:  # somebody asks or orders
            shown = frame.payload[:24].hex(" ") + (f" … ({len(frame.payload)} bytes)" if frame.payload[24:] else "")
    return f"{frame.command.name:<13} {name:<38} {shown}".rstrip()


def frame_row(frame: Frame, told: Told) -> dict[str, Any]:
    """Return a frame as JSON knows it, by FRAME_COLUMNS; the value is None where none is told, or none that fits."""
    info = registry.describe(frame.object_id)
    return {
        "offset": frame.offset,
        "command": frame.command.name,
        "address": frame.address,
        "object_id": f"0x{frame.object_id:08X}",
        "name": info.name,
        "payload": frame.payload.hex(),
        "value": plain(told.value) if isinstance(told, Reading) else None,
        "unit": info.unit,
    }


def clock_text(time: int) -> str:
    """Return what a clock on the wall showed at a time (UTC, nanoseconds), to the millisecond."""
    try:
        return datetime.fromtimestamp(time / SECOND, UTC).astimezone().strftime("%H:%M:%S.%f")[:-3]
    except (ValueError, OverflowError):  # the local time would be of a year that cannot be written
        return iso_time(time)[11:23]


def colour(text: str, name: str) -> str:
    """Return a text in a colour, on a terminal."""
    return click.style(text, name) if sys.stdout.isatty() else text
