"""Values as Home Assistant wants them: what a state topic holds, by the name of a view in entities.toml."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Final, TypeAlias

from rct_tools.homeassistant.totals import begin
from rct_tools.objects import ObjectInfo
from rct_tools.values import Cell, CellStatistics, Value

_LONGEST: Final = 255  # letters of a state; Home Assistant takes no more
_OTHER: Final = "other"  # what has no label; it is among the options of every enum
_NO_FAULT: Final = "no fault"
_NONE: Final = "none"
_CALIBRATING: Final = 1 << 3 | 1 << 10
_BALANCING: Final = 1 << 11


@dataclass(frozen=True, slots=True)
class Seen:
    """Values of one moment, and what is needed to show them."""

    values: Sequence[Value]  # one for each of the objects that a state is made of
    infos: Sequence[ObjectInfo]
    time: int  # UTC, nanoseconds
    zone: tzinfo  # of the inverter's clock
    precision: int  # decimals
    resets: str  # "day", "month" or "year": when the counter begins anew; "" for never


Shown: TypeAlias = str | float | None
"""A number is rounded, and may be held, by who asked; None is for what was not measured."""
View: TypeAlias = Callable[[Seen], Shown]


def decimal(value: float, precision: int) -> str:
    """Return a number as text; nothing is ever ``-0``."""
    return f"{value:z.{precision}f}"


def _finite(value: object) -> float | None:
    number = isinstance(value, int | float) and math.isfinite(value)
    return float(value) if number else None  # type: ignore[arg-type]  # it is a number


def _number(seen: Seen) -> Shown:
    return _finite(seen.values[0])


def _percent(seen: Seen) -> Shown:
    ratio = _finite(seen.values[0])
    return None if ratio is None else ratio * 100


def _absolute(seen: Seen) -> Shown:
    value = _finite(seen.values[0])
    return None if value is None else abs(value)


def _sum(seen: Seen) -> Shown:
    values = [number for value in seen.values if (number := _finite(value)) is not None]
    return sum(values) if len(values) == len(seen.values) else None


def _since(seen: Seen) -> Shown:
    value = _finite(seen.values[0])
    if value is None:
        return None
    shown = {
        "value": decimal(value, seen.precision),
        "last_reset": begin(seen.time, seen.zone, seen.resets).isoformat(),
    }
    return json.dumps(shown)


def _text(seen: Seen) -> Shown:
    return str(seen.values[0] or "")[:_LONGEST] or None


def _word(seen: Seen) -> Shown:
    return str(seen.values[0])[:_LONGEST] or _NONE


def _minutes(seen: Seen) -> Shown:
    seconds = _finite(seen.values[0])
    return None if seconds is None else seconds / 60


def _label(seen: Seen) -> Shown:
    return seen.infos[0].meaning(seen.values[0]) or _OTHER


def _bits(seen: Seen) -> Shown:
    return (seen.infos[0].meaning(seen.values[0]) or str(seen.values[0]))[:_LONGEST]


def _flag(seen: Seen) -> Shown:
    return _on(bool(seen.values[0]))


def _any(seen: Seen) -> Shown:
    return _on(any(seen.values))


def _first_bit(seen: Seen) -> Shown:
    value = seen.values[0]
    return _on(isinstance(value, int) and bool(value & 1))


def _on(state: bool) -> str:
    return "ON" if state else "OFF"


def _faults(seen: Seen) -> Shown:
    names = ", ".join(filter(None, map(ObjectInfo.meaning, seen.infos, seen.values))) or _NO_FAULT
    return names if len(names) <= _LONGEST else names[: _LONGEST - 1] + "…"


def _battery_status(seen: Seen) -> Shown:
    match seen.values[0]:
        case 0:
            return "normal"
        case int(bits) if bits & _CALIBRATING:
            return "calibrating"
        case int(bits) if bits & _BALANCING:
            return "balancing"
    return _OTHER


def _local_time(seen: Seen) -> Shown:
    seconds = seen.values[0]
    if not isinstance(seconds, int) or seconds <= 0:
        return None
    # The clock on the wall, counted as if it were UTC.
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=seen.zone).isoformat()


# --- cells ----------------------------------------------------------------------------------------------------------


def _cells(seen: Seen) -> list[Cell]:
    """Return the cells that there are: a place without one reads 0 V."""
    value = seen.values[0]
    return [cell for cell in value if isinstance(cell, Cell) and cell.voltage] if isinstance(value, tuple) else []


def _of_cells(number: Callable[[Cell], float], choose: Callable[[Iterable[float]], float]) -> View:
    def view(seen: Seen) -> Shown:
        cells = _cells(seen)
        return choose([number(cell) for cell in cells]) if cells else None

    return view


def _volts(cell: Cell) -> float:
    return cell.voltage


def _degrees(cell: Cell) -> float:
    return cell.temperature


def _spread(numbers: Iterable[float]) -> float:
    ordered = sorted(numbers)
    return ordered[-1] - ordered[0]


def _list(seen: Seen, numbers: Iterable[float | None]) -> str | None:
    """Return a list for ``value_json[n]``; Home Assistant knows no state for a null in it."""
    shown = [None if number is None else round(number, seen.precision) for number in numbers]
    return json.dumps(shown) if any(number is not None for number in shown) else None


def _cell_list(number: Callable[[Cell], float]) -> View:
    def view(seen: Seen) -> Shown:
        value = seen.values[0]
        cells = value if isinstance(value, tuple) else ()
        return _list(seen, (number(c) if isinstance(c, Cell) and c.voltage else None for c in cells))

    return view


def _numbers(seen: Seen) -> Shown:
    return _list(seen, (number or None for number in _ohms(seen)))


def _highest(seen: Seen) -> Shown:
    return max(_ohms(seen), default=0.0) or None


def _ohms(seen: Seen) -> list[float]:
    value = seen.values[0]
    return [number for number in value if isinstance(number, float)] if isinstance(value, tuple) else []


def _extreme(name: str) -> View:
    def view(seen: Seen) -> Shown:
        value = seen.values[0]
        if not isinstance(value, CellStatistics) or not value.u_max.value:  # zeros: there is no module
            return None
        return _finite(getattr(value, name).value)

    return view


VIEWS: Final[Mapping[str, View]] = {
    "number": _number,
    "percent": _percent,
    "absolute": _absolute,
    "sum": _sum,
    "since": _since,
    "text": _text,
    "word": _word,
    "minutes": _minutes,
    "label": _label,
    "bits": _bits,
    "flag": _flag,
    "any": _any,
    "first_bit": _first_bit,
    "faults": _faults,
    "battery_status": _battery_status,
    "local_time": _local_time,
    "lowest_voltage": _of_cells(_volts, min),
    "highest_voltage": _of_cells(_volts, max),
    "voltage_spread": _of_cells(_volts, _spread),
    "lowest_temperature": _of_cells(_degrees, min),
    "highest_temperature": _of_cells(_degrees, max),
    "cell_voltages": _cell_list(_volts),
    "cell_temperatures": _cell_list(_degrees),
    "numbers": _numbers,
    "highest": _highest,
    "u_min": _extreme("u_min"),
    "u_max": _extreme("u_max"),
    "t_min": _extreme("t_min"),
    "t_max": _extreme("t_max"),
}
