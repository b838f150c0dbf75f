"""What an inverter remembers of itself: its time series, as one table.

    async with connect("192.0.2.7") as inverter:
        async for row in read_history(inverter, since=yesterday, zone="Europe/Berlin"):
            print(row.time, row.values.get("SOC"))

Every series is a log of its own, and is asked page by page, back in time. All go back together, so that rows are whole
as early as can be, and no more is kept than a page of each.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, Protocol

from rct_tools.client import Client
from rct_tools.clock import Clock
from rct_tools.errors import NoAnswer
from rct_tools.objects import registry
from rct_tools.paging import Dated, Paging
from rct_tools.reading import Reading
from rct_tools.series import Series, find_series
from rct_tools.times import SECOND, local_zone
from rct_tools.values import EventTable, Sample, TimeSeries

logger = logging.getLogger(__name__)

TRIES: Final = 3
"""How often a page is asked for, each time with all attempts of the client."""


class Logs(Protocol):
    """The logs of an inverter; a Client has them."""

    peer: str

    async def read(self, name: str, *, before: int | None = None) -> Reading:
        """Return a page of a log, as Client.read does; raises what that does."""


class InTurns:
    """An inverter that is asked in turns with others, as an asker of its own: what is read meanwhile is not held up."""

    def __init__(self, client: Client, asker: Hashable) -> None:
        self.peer = client.peer
        self._client = client
        self._asker = asker

    async def read(self, name: str, *, before: int | None = None) -> Reading:
        """Return a page of a log, as Client.read does."""
        return (await asyncio.shield(self._client.ask(registry[name], before, asker=self._asker))).reading


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """What an inverter remembers of one time."""

    time: int  # UTC, nanoseconds
    values: dict[str, float]  # by the names of series, in their units; a series without such a row is not there
    is_sure: bool = True  # else the time may be an hour off: it is of the hour that repeats in autumn


async def read_history(
    client: Logs,
    resolution: str = "minutes",
    *,
    since: int | None = None,
    until: int | None = None,
    series: Iterable[str] = (),
    zone: str = "",
    now: Callable[[], int] = time.time_ns,
) -> AsyncIterator[HistoryRow]:
    """Yield what an inverter remembers from ``since`` up to, and without, ``until``, the newest first.

    ``resolution`` is minutes (every five, kept for about 90 days), day, month or year. Times are UTC, in nanoseconds;
    without them, all there is. ``series`` are names as in rct_tools.series, all by default. ``zone`` is the time zone
    of the inverter's clock, that of this machine by default.

    A series that the inverter does not know is left out, with a warning. Raises ConfigError for a range or zone that
    cannot be, UnknownObject for a series, NoAnswer when a log stays silent in its midst, LinkError.
    """
    clock = Clock.of(zone or local_zone())
    chosen = find_series(resolution, series)
    first, last = clock.span(since, until, now())
    logs = [_Log(each, Paging(clock, first, last)) for each in chosen]
    table = _Table(since or 0, until)
    while pending := [log for log in logs if not log.paging.over]:
        log = max(pending, key=lambda log: log.paging.settled)
        page = await ask_page(client, log.series.info.name, log.paging.before, is_known=log.is_known)
        if page is None:
            logs.remove(log)
            if not logs:
                raise NoAnswer(client.peer, [each.info.name for each in chosen])
            logger.warning("%s: knows no %s: left out", client.peer, log.series.info.name)
        else:
            log.is_known = True
            assert isinstance(page, TimeSeries)  # noqa: S101  # as the type of the object says
            table.add(log.series.name, log.paging.take(page.samples))
        for row in table.settled(max(log.paging.settled for log in logs)):
            yield row


async def ask_page(client: Logs, name: str, before: int, *, is_known: bool) -> TimeSeries | EventTable | None:
    """Return the page of a log before a time that the clock of the inverter shows.

    None for a log that the inverter does not know: one that has never answered. Raises NoAnswer for another that stays
    silent, LinkError.
    """
    for left in reversed(range(TRIES)):
        try:
            page = (await client.read(name, before=before)).value
        except NoAnswer:
            if not left and is_known:
                raise
            continue
        assert isinstance(page, TimeSeries | EventTable)  # noqa: S101  # as the type of the object says
        return page
    return None


@dataclass(slots=True)
class _Log:
    series: Series
    paging: Paging[Sample]
    is_known: bool = False


@dataclass(slots=True)
class _Table:
    """Rows of several logs, joined on their time, until each log has told its part."""

    since: int
    until: int | None
    _rows: dict[tuple[int, int, bool], dict[str, float]] = field(default_factory=dict)

    def add(self, name: str, samples: Iterable[Dated[Sample]]) -> None:
        for each in samples:
            when = each.time * SECOND
            if self.since <= when and (self.until is None or when < self.until):
                self._rows.setdefault((each.time, each.row.time, each.is_sure), {})[name] = each.row.value

    def settled(self, shown: int) -> Iterator[HistoryRow]:
        """Yield, and forget, the rows that nothing can be added to: those shown from a time on."""
        for key in sorted((key for key in self._rows if key[1] >= shown), reverse=True):
            yield HistoryRow(key[0] * SECOND, self._rows.pop(key), key[2])
