"""The event log of an inverter: what happened, with its name, its times, and what its values mean.

    async with connect("192.0.2.7") as inverter:
        async for event in read_events(inverter, zone="Europe/Berlin"):
            print(event.begin, event.name, event.duration)

Source: docs/protocol.md, event table.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Hashable, Mapping, Sequence
from typing import Final

from rct_tools.client import Client
from rct_tools.clock import Clock
from rct_tools.errors import LinkError, NoAnswer
from rct_tools.history import InTurns, Logs, ask_page
from rct_tools.objects import ObjectInfo, registry
from rct_tools.paging import Dated, Paging
from rct_tools.plan import Source
from rct_tools.reading import Reading
from rct_tools.sinks import Store
from rct_tools.times import SECOND, local_zone
from rct_tools.values import PARAMETER_CHANGED, UPDATED, DataType, Event, EventTable, LoggedEvent, measured

__all__ = [
    "BEGIN",
    "END",
    "EVENTS",
    "INTERVAL",
    "LOG",
    "UNITS",
    "EventWatch",
    "LoggedEvent",
    "event_readings",
    "follow_events",
    "read_events",
    "tell",
]

logger = logging.getLogger(__name__)

LOG: Final = "logger.error_log_time_stamp"

UNITS: Final[Mapping[int, str]] = {
    **dict.fromkeys((*range(37, 46), *range(48, 54), 79, 80, 83, 84, 87, 88, 100), "V"),
    **dict.fromkeys((46, 47, 54, 55, 81, 82), "Hz"),
}
"""Types of events that come with a measured value, and its unit: switch-on conditions and limits."""

BEGIN: Final = ObjectInfo(0, "event.begin", DataType.LOGGED_EVENT, description="Something has begun, or happened")
END: Final = ObjectInfo(0, "event.end", DataType.LOGGED_EVENT, description="Something that lasted has ended")
EVENTS: Final = (BEGIN, END)
"""Events as objects of our own, so that every sink can keep and announce them as it does all else."""

INTERVAL: Final = 60 * SECOND
"""How often the log is looked at, in nanoseconds."""

_LONGEST: Final = 366 * 86_400  # seconds: what claims to last longer has no end that is known
_RECENT: Final = 3600 * SECOND  # how far back is looked for what has ended meanwhile


async def read_events(
    client: Logs,
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
            since = max(since, min(found[0].begin, now()) - _RECENT)  # the clock of an inverter may be fast
        await asyncio.sleep(every)


# --- events as readings ---------------------------------------------------------------------------------------------

_DAY: Final = 86_400 * SECOND
_WEEK: Final = 7 * _DAY
_HOUR: Final = 3600 * SECOND
_NEAR: Final = 900 * SECOND
_PER_SECOND: Final = 31  # ns for each second that it lasted: of the longest, all together are less than a second


async def event_readings(
    client: Client,
    *,
    since: int,
    until: int | None = None,
    zone: str = "",
    lasts: int = _WEEK,
    now: Callable[[], int] = time.time_ns,
    asker: Hashable = None,
) -> list[Reading]:
    """Return what began and what ended from ``since`` up to, and without, ``until``, as readings, the oldest first.

    The same event has the same times whenever its log is read, and no other of its inverter has them. A reading of
    BEGIN has the second in which it began, and so many nanoseconds more as there are events of that second before it in
    the log. One of END has the second in which it ended, the nanoseconds of its beginning, and 31 more for each second
    that it lasted. ``lasts`` is how long, in nanoseconds, what ended since may have lasted; ``asker`` is as in
    Client.ask. All else, and what is raised, is as in read_events.
    """
    # A second is whole or left out, so that the number of an event in it is always the same.
    begun = (since - lasts) // SECOND * SECOND
    log = InTurns(client, asker)
    found = [event async for event in read_events(log, since=begun, until=until, zone=zone, now=now)]
    seen: Counter[int] = Counter()
    readings: list[Reading] = []
    for event in reversed(found):
        number = seen[event.begin]
        seen[event.begin] += 1
        readings.append(Reading(event.begin + number, client.name, BEGIN, event))
        if event.end is not None and event.duration is not None:
            time = event.end + number + event.duration // SECOND * _PER_SECOND
            readings.append(Reading(time, client.name, END, event))
    chosen = (r for r in readings if since <= r.time and (until is None or r.time < until))
    return sorted(chosen, key=lambda reading: reading.time)


async def missed_events(
    client: Client,
    store: Store,
    source: Source,
    *,
    since: int,
    until: int,
    now: Callable[[], int] = time.time_ns,
    asker: Hashable = None,
) -> list[Reading]:
    """Return the readings of events from ``since`` up to, and without, ``until`` that a store wants and lacks.

    Raises SinkError, and as event_readings.
    """
    wanted = [info.name for info in EVENTS if info.name in source.expects]
    if not wanted:
        return []
    found = await event_readings(client, since=since, until=until, zone=source.zone, now=now, asker=asker)
    known = await store.times(source.inverter, wanted, since, until)
    tick = store.precision
    return [
        each for each in found if each.object.name in known and each.time // tick * tick not in known[each.object.name]
    ]


class EventWatch:
    """Follows the log of one inverter, beside all else that it is asked, and hands on what is new as readings."""

    def __init__(
        self,
        client: Client,
        deliver: Callable[[Sequence[Reading]], None],
        *,
        since: int,
        zone: str = "",
        is_time: Callable[[], bool] = lambda: True,
        now: Callable[[], int] = time.time_ns,
    ) -> None:
        """``deliver`` takes readings and does not wait. What was before ``since`` (UTC, ns) is not new.

        ``is_time`` tells whether the log is to be looked at now: somebody wants events, and the inverter answers.
        """
        self.looked = since
        """When the log was read last."""
        self._client = client
        self._deliver = deliver
        self._since = since
        self._zone = zone
        self._is_time = is_time
        self._now = now
        self._told: set[tuple[str, int]] | None = None  # what is not new; None before the first look
        self._open: list[int] = []  # when that began which has no end yet
        self._looked_far = 0  # when it was looked far back last
        self._said = False

    async def run(self) -> None:
        """Look once a minute until cancelled. Silence and lost connections only make it later; then all is caught up.

        Raises ConfigError for a zone that does not exist.
        """
        pause = INTERVAL
        try:
            while True:
                if self._is_time():
                    try:
                        await self._look()
                        pause = INTERVAL
                    except LinkError:
                        pause = INTERVAL
                    except NoAnswer:
                        pause = min(2 * pause, _DAY // 24)
                        self._say_silent()
                await asyncio.sleep(pause / SECOND)
        finally:
            self._client.leave(self)

    async def _look(self) -> None:
        began = self._now()
        is_far = not 0 <= began - self._looked_far < _HOUR  # below 0 after the clock was set back
        since = self._far(began) if is_far else min([min(self.looked, began) - _NEAR, *self._lately_open(began)])
        found = await event_readings(self._client, since=since, zone=self._zone, lasts=0, now=self._now, asker=self)
        told = self._told
        kept = {key for key in told or () if key[1] >= began - 2 * _WEEK}  # no look goes back so far
        self._told = kept | {_key(reading) for reading in found}
        self.looked = began
        if is_far:
            self._looked_far = began
        unseen = [begin for begin in self._open if begin < since]
        lasting = [event.begin for event in map(_event, found) if event.lasts and event.end is None]
        self._open = unseen + [begin for begin in lasting if begin > began - _WEEK]
        # Of the first look, what is older is not new; later on, what was not there before is, whatever its time.
        new = [r for r in found if (r.time >= self._since if told is None else _key(r) not in told)]
        if new:
            self._deliver(new)

    def _far(self, now: int) -> int:
        """Return how far back to look once an hour: there may be a lot to read, if somebody writes all the time.

        A clock that is slow shows what is new as if it were old; and a restart is logged as of when it went down.
        """
        back = _WEEK if self._told is None else _DAY
        return min(max(min([self.looked - back, *self._open]), self._since - _WEEK), now - _DAY)

    def _lately_open(self, now: int) -> list[int]:
        return [begin for begin in self._open if begin > now - _HOUR]

    def _say_silent(self) -> None:
        """Say that there seems to be no log; that one is silent which was there before, is said of the inverter."""
        if self._told is None and not self._said:
            self._said = True
            logger.warning("%s: no answer for its event log; there are no events of it", self._client.peer)


def _key(reading: Reading) -> tuple[str, int]:
    return reading.object.name, reading.time


def _event(reading: Reading) -> LoggedEvent:
    assert isinstance(reading.value, LoggedEvent)  # noqa: S101  # they were made here
    return reading.value


# --- what a row means -----------------------------------------------------------------------------------------------


def tell(clock: Clock, dated: Dated[Event]) -> LoggedEvent:
    """Return what a row of the event table means."""
    raw = dated.row
    info: ObjectInfo | None = None
    end, unit = None, ""
    if raw.type == PARAMETER_CHANGED:
        info = registry.describe(raw.values[0])
        unit = info.unit
    elif raw.type != UPDATED:
        end = _end(clock, dated.time, raw.values[0])
        unit = UNITS.get(raw.type, "") if measured(raw.values[1]) is not None else ""
    return LoggedEvent(
        name=registry.event_name(raw),
        begin=dated.time * SECOND,
        end=None if end is None else end * SECOND,
        is_sure=dated.is_sure,
        object=info.name if info else "",
        data_type=info.data_type if info else DataType.UNKNOWN,
        unit=unit,
        raw=raw,
    )


def _end(clock: Clock, begin: int, shown: int) -> int | None:
    """Return when something has ended, in UTC seconds; None when that cannot be."""
    for again in (False, True):  # in the hour that repeats, what ends cannot have ended before it began
        end = clock.utc(shown, again=again)
        if begin <= end <= begin + _LONGEST:
            return end
    return None
