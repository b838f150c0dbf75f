"""Values as people read them."""

from __future__ import annotations

import json

from rct_tools.objects import RATIO, ObjectInfo
from rct_tools.values import EventTable, TimeSeries, Value, plain


def show_value(info: ObjectInfo, value: Value) -> str:
    """Return a value with its unit, on one line: ``-2232.4 W``, ``31.5 %``, ``true``; numbers are rounded."""
    if info.unit == RATIO and isinstance(value, float):
        return f"{value * 100:.1f} %"
    return f"{_plain_text(value)} {info.unit}".rstrip()


def _plain_text(value: Value) -> str:
    match value:
        case bool():
            return str(value).lower()
        case float():
            # A FLOAT of the inverter is right to 7 digits; beyond 100,000 nobody reads the decimals.
            return f"{value:.6g}" if abs(value) < 100_000 else f"{value:.0f}"
        case str():
            # The text is the peer's: nothing in it may steer a terminal.
            return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in value)
        case TimeSeries():
            return f"{len(value.samples)} samples"
        case EventTable():
            return f"{len(value.events)} events"
        case bytes():
            return value.hex(" ")
        case int():
            return str(value)
        case _:
            return json.dumps(plain(value))
