"""An inverter that is asked now: what is seen of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Final
from zoneinfo import ZoneInfo

from rct_tools.client import Client
from rct_tools.components import COMPONENTS
from rct_tools.errors import LinkError, RctError
from rct_tools.events import read_events
from rct_tools.health import ASKED, quality_of
from rct_tools.history import HistoryRow, read_history
from rct_tools.live import PLAN, Live, Picture
from rct_tools.objects import ObjectInfo
from rct_tools.plan import Plan, fresh_for
from rct_tools.poller import Poller
from rct_tools.question import Reply
from rct_tools.reading import Reading
from rct_tools.times import SECOND
from rct_tools.top.source import day_of
from rct_tools.values import LoggedEvent

_AGAIN: Final = 3 * SECOND  # how old the value of an object is that somebody looks at, when it is asked for again
_AT_ONCE: Final = 8  # of these, so that the picture does not wait for them
_TODAY: Final = ("Pdc A", "Pdc B", "Pload", "Pgrid feed", "Pgrid load", "SOC")


class Inverter:
    """A client's inverter, as a Source: asked by the plan of ``live``, and for what somebody looks at."""

    is_over = False
    log_name = "the inverter's log"

    def __init__(
        self,
        client: Client,
        zone: ZoneInfo,
        plan: Plan = PLAN,
        *,
        speed: float = 1.0,
        wall_clock: Callable[[], int] = time.time_ns,
    ) -> None:
        """``wall_clock`` is the clock of the client; ``speed`` how fast it runs, for an inverter that is simulated."""
        self.title = client.peer
        self.zone = zone
        self._client = client
        self._plan = plan
        self._now = wall_clock
        self._speed = speed
        self._live = Live(client.peer, zone=zone, plan=plan, lasts=lambda interval: round(fresh_for(interval) * speed))
        self._open: set[str] = set()
        self._silent: set[str] = set()

    async def run(self) -> None:
        """Keep asking, until cancelled."""
        poller = Poller(self._client, self._plan, self._deliver, has=frozenset(COMPONENTS), wall_clock=self._now)
        with self._client.hearing(self._hear):
            first = asyncio.ensure_future(self._ask_all())
            try:
                await poller.run()
            finally:
                first.cancel()

    async def _ask_all(self) -> None:
        """Ask for all at the beginning: the poller alone takes its time with what is asked rarely."""
        with suppress(RctError):
            await self._client.read_many(ASKED)

    def _deliver(self, readings: Sequence[Reading]) -> None:
        for reading in readings:
            if not reading.object.object_id:  # the others were heard
                self._live.take(reading)

    def _hear(self, reading: Reading) -> None:
        if reading.inverter == self._client.name:  # else it is of a member of a plant
            self._live.take(reading)
            self._silent.discard(reading.object.name)

    def picture(self, step: int, columns: int) -> Picture:
        """Return the picture of now."""
        picture = self._live.picture(self._now(), quality_of(self._client), step=step, columns=columns)
        return picture if picture.age is None else replace(picture, age=round(picture.age / self._speed))

    def age(self, reading: Reading) -> int:
        """Return how old a reading is, in nanoseconds as they pass for who watches."""
        return round((self._now() - reading.time) / self._speed)

    # --- objects that somebody looks at -------------------------------------------------------------------------

    def newest(self, name: str) -> Reading | None:
        """Return what came last of an object."""
        return self._live.newest(name)

    def is_silent(self, name: str) -> bool:
        """Tell whether an object did not answer when it was asked last."""
        return name in self._silent

    def want(self, infos: Iterable[ObjectInfo]) -> None:
        """Ask for objects that are looked at now, unless their values are of late."""
        known = {info: self._live.newest(info.name) for info in infos}
        for info, reading in sorted(known.items(), key=lambda item: item[1].time if item[1] else 0):
            if info.is_query or info.name in self._open or self._is_of_late(reading):
                continue
            if len(self._open) >= _AT_ONCE or not self._client.connected:
                return
            with suppress(LinkError):
                answer = self._client.ask(info)
                self._open.add(info.name)
                answer.add_done_callback(partial(self._settle, info.name))

    def _is_of_late(self, reading: Reading | None) -> bool:
        return reading is not None and self.age(reading) < _AGAIN

    def _settle(self, name: str, answer: asyncio.Future[Reply]) -> None:
        self._open.discard(name)
        if not answer.cancelled() and answer.exception() is not None:
            self._silent.add(name)

    # --- its log ------------------------------------------------------------------------------------------------

    @property
    def log(self) -> Inverter:
        """Return what it remembers."""
        return self

    async def events(self, count: int) -> list[LoggedEvent]:
        """Return what happened last, the newest first. Raises NoAnswer, LinkError."""
        found: list[LoggedEvent] = []
        async with aclosing(read_events(self._client, zone=self.zone.key, now=self._now)) as events:  # type: ignore[type-var]  # it is a generator
            async for event in events:
                found.append(event)
                if len(found) == count:
                    break
        return found

    async def today(self) -> tuple[datetime, list[HistoryRow]]:
        """Return when the day began, and what its log has of it, the newest first. Raises NoAnswer, LinkError."""
        day = day_of(self._now(), self.zone)
        since = round(day.timestamp()) * SECOND
        rows = read_history(self._client, since=since, series=_TODAY, zone=self.zone.key, now=self._now)
        return day, [row async for row in rows]
