"""What the collector itself knows of an inverter, its connection and its mode, as objects like those of the inverter.

So that every sink can keep, show and announce them as it does all else; none of them can be asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final, Protocol

from rct_tools.frame import Reason
from rct_tools.objects import RATIO, ObjectInfo
from rct_tools.times import SECOND
from rct_tools.values import DataType

INTERVAL: Final = 60 * SECOND
"""How often they are told at least, in nanoseconds; ``link.up`` also whenever it changes."""


def _counter(name: str, description: str) -> ObjectInfo:
    return ObjectInfo(0, f"link.{name}", DataType.UINT32, description=description + ", since the collector began")


UP: Final = ObjectInfo(0, "link.up", DataType.BOOL, description="Whether the inverter answers")
BAD_FRAMES: Final = {
    reason: _counter(f"bad_frames[{reason}]", f"Frames that were damaged: {reason}") for reason in Reason
}
COUNTERS: Final = {  # by the names of the client's counters
    "requests": _counter("requests", "Requests sent, repeated ones too"),
    "retries": _counter("retries", "Requests sent again"),
    "timeouts": _counter("timeouts", "Requests that nobody answered in time"),
    "frames": _counter("frames", "Good frames received"),
    "bad_readings": _counter("bad_readings", "Answers that were cut"),
    "foreign_frames": _counter("foreign_frames", "Good frames that nobody here had asked for"),
    "reconnects": _counter("reconnects", "Connections made again"),
    "bytes_received": _counter("bytes_received", "Bytes received"),
    "bytes_sent": _counter("bytes_sent", "Bytes sent"),
}
VITALS: Final = (UP, *COUNTERS.values(), *BAD_FRAMES.values())


def _control(name: str, data_type: DataType, description: str, unit: str = "") -> ObjectInfo:
    return ObjectInfo(0, f"control.{name}", data_type, unit, description)


NORMAL: Final = "normal"
"""The mode without a mode: what was before is put back."""

MODE: Final = _control("mode", DataType.STRING, "The mode of the battery that is on; normal without one")
UNTIL: Final = _control("until", DataType.STRING, "When the mode ends, in ISO 8601; empty without one")
LAST: Final = _control("last", DataType.STRING, "What the last order came to")
POWER: Final = _control("power", DataType.FLOAT, "The power of the next mode that takes one; 0 for none", "W")
SOC: Final = _control("soc", DataType.FLOAT, "The state of charge of the next mode that takes one; 0 for none", RATIO)
DURATION: Final = _control("duration", DataType.FLOAT, "How long the next mode lasts; 0 for as long as it may", "s")
SETTINGS: Final = {info.name: info for info in (POWER, SOC, DURATION)}
CONTROLS: Final = (MODE, UNTIL, LAST, *SETTINGS.values())
"""Only of inverters that may be steered."""


class Counted(Protocol):
    """The counters of a client: one attribute for each of COUNTERS, too."""

    bad_frames: Counter[Reason]


def counts(counters: Counted) -> Iterator[tuple[ObjectInfo, int]]:
    """Yield the counters as objects, with their values."""
    yield from ((info, getattr(counters, name)) for name, info in COUNTERS.items())
    yield from ((info, counters.bad_frames[reason]) for reason, info in BAD_FRAMES.items())
