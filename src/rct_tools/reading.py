"""Frames become readings: values of named objects, with their time and their inverter."""

from __future__ import annotations

from dataclasses import dataclass, field

from rct_tools.errors import DecodeError
from rct_tools.frame import Frame
from rct_tools.objects import ObjectInfo, registry
from rct_tools.values import Value


@dataclass(frozen=True, slots=True)
class Reading:
    """The value that an inverter reported for one object."""

    time: int  # UTC, nanoseconds: when it arrived
    inverter: str  # the name of the inverter; a member of a plant has its address behind it: "roof/0000002A"
    object: ObjectInfo  # name, unit and type
    value: Value  # in the unit of the object; never None
    payload: bytes = field(default=b"", compare=False, repr=False)  # as it came; empty when calculated or spooled
    backfilled: bool = False  # else it was read live; of the inverter's own log, where nobody had read


@dataclass(frozen=True, slots=True)
class BadReading:
    """A frame with a right checksum whose payload does not fit its object: most often a reply cut by a request."""

    time: int  # UTC, nanoseconds
    inverter: str
    object: ObjectInfo
    payload: bytes
    reason: str


def read_frame(frame: Frame, time: int, inverter: str) -> Reading | BadReading | None:
    """Return what a frame tells about an object; None for frames that ask or order and so tell nothing."""
    if not frame.command.is_response:
        return None
    info = registry.describe(frame.object_id)
    source = f"{inverter}/{frame.address:08X}" if frame.address else inverter
    try:
        return Reading(time, source, info, info.decode(frame.payload), frame.payload)
    except DecodeError as exc:
        return BadReading(time, source, info, frame.payload, str(exc))
