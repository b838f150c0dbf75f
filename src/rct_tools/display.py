"""Values as people read them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from rct_tools.objects import RATIO, ObjectInfo, registry
from rct_tools.plain import plain
from rct_tools.times import show_duration
from rct_tools.values import Cell, CellStatistics, EventTable, LoggedEvent, TimeSeries, Value

DECIMALS: Final[Mapping[str, int]] = {
    "W": 1, "VA": 1, "var": 1, "Wh": 0, "V": 1, "A": 3, "Ah": 2, "Hz": 3, "°C": 1, "Wp": 0,
}  # fmt: skip
"""How many decimals are worth reading, by unit; other numbers are shown with six digits."""


def show_value(info: ObjectInfo, value: Value) -> str:
    """Return a value with its unit, on one line: ``-2232.4 W``, ``31.5 %``, ``true``; numbers are rounded."""
    match value:
        case float() if info.unit == RATIO:
            return f"{value * 100:.1f} %"
        case float() if info.unit == "V" and abs(value) < 10:  # a cell, of which millivolts matter
            return f"{value:z.3f} V"
        case float() if info.unit in DECIMALS:
            return f"{value:z.{DECIMALS[info.unit]}f} {info.unit}"
        case float():
            # Beyond 100,000 nobody reads the decimals, and nobody wants an exponent.
            shown = f"{value:.6g}" if abs(value) < 100_000 else f"{value:.0f}"
        case bool():
            shown = str(value).lower()
        case str():
            shown = printable(value)
        case bytes():
            shown = value.hex(" ")
        case int():
            shown = str(value)
        case _:
            return _show_structure(value)
    return f"{shown} {info.unit}".rstrip()


def show_event(event: LoggedEvent) -> str:
    """Return what happened, on one line: ``switch-on Umax L3, 81s, 254.02 V``."""
    lasted = "" if event.duration is None else show_duration(event.duration)
    return ", ".join(filter(None, (event.name, lasted, show_details(event))))


def show_details(event: LoggedEvent) -> str:
    """Return what is known of an event beside its name and times; "" for nothing."""
    if event.object:
        known = event.object in registry
        info = registry[event.object] if known else ObjectInfo(0, event.object, event.data_type, event.unit)
        return f"{info.name}: {_show_parameter(info, event.old)} → {_show_parameter(info, event.new)}"
    if event.old is not None:
        return f"{event.old!s} → {event.new!s}"
    if event.value is not None:
        return f"{event.value:.2f} {event.unit}"
    return f"code {code}" if (code := event.raw.values[1]) else ""


def _show_parameter(info: ObjectInfo, value: Value | None) -> str:
    return "?" if value is None else info.meaning(value) or show_value(info, value)


def printable(text: str) -> str:
    """Return a text of a peer so that nothing in it can steer a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _show_structure(value: Value) -> str:
    """Return what matters of many values at once."""
    match value:
        case TimeSeries():
            return f"{len(value.samples)} samples"
        case EventTable():
            return f"{len(value.events)} events"
        case LoggedEvent():
            return show_event(value)
        case CellStatistics():
            low, high = value.u_min.value, value.u_max.value
            return f"{low:.3f} … {high:.3f} V, {value.t_min.value:g} … {value.t_max.value:g} °C"
        case (Cell(), *_):
            cells = [cell for cell in value if isinstance(cell, Cell)]
            volts = sorted(cell.voltage for cell in cells)
            degrees = sorted(cell.temperature for cell in cells)
            return f"{len(cells)} cells: {volts[0]:.3f} … {volts[-1]:.3f} V, {degrees[0]} … {degrees[-1]} °C"
        case (float(), *_):
            ohms = sorted(ohm for ohm in value if isinstance(ohm, float))
            return f"{len(ohms)} cells: {ohms[0]:.3f} … {ohms[-1]:.3f} mΩ"
        case _:
            return json.dumps(plain(value))
