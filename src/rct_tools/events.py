"""The event log of an inverter: what happened, with its name, its times, and what its values mean.

    async with connect("192.0.2.7") as inverter:
        async for event in read_events(inverter, zone="Europe/Berlin"):
            print(event.begin, event.name, event.duration)

Source: docs/protocol.md, event table.
"""

from __future__ import annotations

import asyncio
import logging
import math
import struct
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from rct_tools.client import Client
from rct_tools.clock import Clock
from rct_tools.display import show_value
from rct_tools.errors import NoAnswer
from rct_tools.history import ask_page
from rct_tools.objects import ObjectInfo, registry
from rct_tools.paging import Dated, Paging
from rct_tools.times import SECOND, local_zone
from rct_tools.values import DataType, Event, EventTable, Value

logger = logging.getLogger(__name__)

LOG: Final = "logger.error_log_time_stamp"

PARAMETER_CHANGED: Final = 0x73
UPDATED: Final = 0x77

UNITS: Final[Mapping[int, str]] = {
    **dict.fromkeys((*range(37, 46), *range(48, 54), 79, 80, 83, 84, 87, 88, 100), "V"),
    **dict.fromkeys((46, 47, 54, 55, 81, 82), "Hz"),
}
"""Types of events that come with a measured value, and its unit: switch-on conditions and limits."""

_LONGEST: Final = 366 * 86_400  # seconds: what claims to last longer has no end that is known
_SIZES: Final[Mapping[DataType, int]] = {
    **dict.fromkeys((DataType.BOOL, DataType.UINT8, DataType.INT8, DataType.ENUM), 1),
    **dict.fromkeys((DataType.UINT16, DataType.INT16), 2),
    **dict.fromkeys((DataType.UINT32, DataType.INT32, DataType.FLOAT), 4),
}
_LEAST, _MOST = 1e-3, 1e6  # what a measured value is between; the bits of a code are a far smaller number, or no number
_RECENT: Final = 3600 * SECOND  # how far back is looked for what has ended meanwhile


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """Something that happened. Times are UTC, in nanoseconds."""

    type: int  # the number of a fault bit
    name: str  # "no grid", "parameter changed"
    begin: int
    end: int | None  # of what lasts; None where it has none, or none yet
    is_sure: bool  # else its times may be an hour off: they are of the hour that repeats in autumn
    object: ObjectInfo | None  # the parameter that was changed
    old: Value | None  # of a parameter, in its own type and unit; of an update, the version
    new: Value | None
    value: float | None  # what was measured
    unit: str  # of old and new, or of the value; "" for none
    raw: Event  # as the inverter keeps it; its values say more than is known here

    @property
    def duration(self) -> int | None:
        """How long it lasted, in nanoseconds; None for what has no end."""
        return None if self.end is None else self.end - self.begin


async def read_events(
    client: Client,
    *,
    since: int | None = None,
    until: int | None = None,
    zone: str = "",
    now: Callable[[], int] = time.time_ns,
) -> AsyncIterator[LoggedEvent]:
    """Yield what happened from ``since`` up to, and without, ``until``, the newest first; by default, all there is.

    Times are UTC, in nanoseconds. What happened in the same second is all there. ``zone`` is the time zone of the
    inverter's clock, that of this machine by default. Raises ConfigError for a range or zone that cannot be, NoAnswer,
    LinkError.
    """
    clock = Clock.of(zone or local_zone())
    first, last = clock.span(since, until, now())
    paging: Paging[Event] = Paging(clock, first, last, is_parted=True)
    is_known = False
    while not paging.over:
        page = await ask_page(client, LOG, paging.before, is_known=is_known)
        if page is None:
            raise NoAnswer(client.peer, [LOG])
        is_known = True
        assert isinstance(page, EventTable)  # noqa: S101  # as the type of the object says
        for dated in paging.take(page.events):
            event = tell(clock, dated)
            if (since or 0) <= event.begin and (until is None or event.begin < until):
                yield event


async def follow_events(
    client: Client, *, since: int, zone: str = "", every: float = 30.0, now: Callable[[], int] = time.time_ns
) -> AsyncIterator[LoggedEvent]:
    """Yield what happened from a time on, the oldest first, and then what happens, without end.

    It asks again and again, ``every`` so many seconds. What has begun is told when it is in the log, and once more when
    it has ended within the hour. Raises ConfigError, LinkError; silence is logged, and it goes on.
    """
    told: Counter[Event] = Counter()
    while True:
        try:
            found = [event async for event in read_events(client, since=since, zone=zone, now=now)]
        except NoAnswer as exc:
            logger.warning("%s", exc)
            found = []
        count: Counter[Event] = Counter()
        for event in reversed(found):
            count[event.raw] += 1
            if count[event.raw] > told[event.raw]:
                yield event
        told |= count
        if found:
            since = max(since, found[0].begin - _RECENT)
        await asyncio.sleep(every)


def tell(clock: Clock, dated: Dated[Event]) -> LoggedEvent:
    """Return what a row of the event table means."""
    raw = dated.row
    first, second, third = raw.values
    info: ObjectInfo | None = None
    old: Value | None = None
    new: Value | None = None
    value, end, unit = None, None, ""
    if raw.type == PARAMETER_CHANGED:
        info = registry.describe(first)
        old, new, unit = _parameter(info, second), _parameter(info, third), info.unit
    elif raw.type == UPDATED:
        old, new = second, third
    else:
        end = _end(clock, dated.time, first)
        unit = UNITS.get(raw.type, "")
        value = _measured(second) if unit else None
    return LoggedEvent(
        type=raw.type,
        name=registry.event_name(raw),
        begin=dated.time * SECOND,
        end=None if end is None else end * SECOND,
        is_sure=dated.is_sure,
        object=info,
        old=old,
        new=new,
        value=value,
        unit=unit if value is not None or info else "",
        raw=raw,
    )


def what(event: LoggedEvent) -> str:
    """Return what is known of an event beside its name and times, as people read it; "" for nothing."""
    if event.object is not None:
        return f"{event.object.name}: {_shown(event.object, event.old)} → {_shown(event.object, event.new)}"
    if event.old is not None:
        return f"{event.old!s} → {event.new!s}"
    if event.value is not None:
        return f"{event.value:.2f} {event.unit}"
    return f"code {code}" if (code := event.raw.values[1]) else ""


def _shown(info: ObjectInfo, value: Value | None) -> str:
    if value is None:
        return "?"
    return info.meaning(value) or show_value(info, value)


def _end(clock: Clock, begin: int, shown: int) -> int | None:
    """Return when something has ended, in UTC seconds; None when that cannot be."""
    for again in (False, True):  # in the hour that repeats, what ends cannot have ended before it began
        end = clock.utc(shown, again=again)
        if begin <= end <= begin + _LONGEST:
            return end
    return None


def _parameter(info: ObjectInfo, bits: int) -> Value:
    """Return the value of an object that stands in four bytes; the bytes themselves where more would not fit there."""
    data = bits.to_bytes(4)
    size = _SIZES.get(info.data_type)
    return data if size is None else info.decode(data[-size:])


def _measured(bits: int) -> float | None:
    """Return the number that four bytes are, unless it is none that can be measured: then they are a code."""
    (value,) = struct.unpack(">f", bits.to_bytes(4))
    return value if math.isfinite(value) and _LEAST <= abs(value) <= _MOST else None
