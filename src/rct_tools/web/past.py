"""Questions about what was: what they may say, and what is answered, from the store."""

from __future__ import annotations

import csv
import io
import re
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

from aiohttp import web

from rct_tools.errors import ConfigError, SinkError
from rct_tools.health import as_json
from rct_tools.settings import Table
from rct_tools.times import SECOND, parse_duration, parse_time
from rct_tools.web.answers import answer, asked, packed
from rct_tools.web.desk import Desk
from rct_tools.web.picture import Picture
from rct_tools.web.store import Curve, Slot, Store, together

T = TypeVar("T")

MOST_NAMES: Final = 16  # curves at a time

_MEMORY: Final = 20.0  # seconds that an answer of the store is good for, for others who ask the same
_MOST_KEPT: Final = 64  # such answers


class CurvesQuery(Table, frozen=True):
    """Which curves, from when to when."""

    names: str
    inverter: str = ""
    since: str = "24h"
    until: str = "0s"
    step: str = "5m"


class EnergiesQuery(Table, frozen=True):
    """Which energies, from when to when."""

    by: str = "day"
    inverter: str = ""
    since: str = "7d"
    until: str = "0s"


@dataclass(frozen=True, slots=True)
class Span:
    """Some time of an inverter."""

    inverter: str
    zone: ZoneInfo
    since: int  # UTC, nanoseconds
    until: int

    def moment(self, time: int) -> str:
        """Return a time as its clock shows it, with the offset."""
        return datetime.fromtimestamp(time // SECOND, self.zone).isoformat()


class Past:
    """Answers what is asked about the past."""

    def __init__(
        self,
        store: Store | None,
        picture: Picture,
        named: Callable[[str], str],
        absent: Callable[[str], Collection[str]],
        desk: Desk,
    ) -> None:
        """``named`` gives the inverter that a question means, ``absent`` the components that it does not have."""
        self.store = store
        self._picture = picture
        self._named = named
        self._absent = absent
        self._desk = desk
        self._answers: dict[tuple[object, ...], tuple[float, Any]] = {}

    async def curves(self, request: web.Request) -> web.Response:
        span, step, curves = await self._read_curves(request)
        return answer(
            {
                "inverter": span.inverter,
                "zone": span.zone.key,
                "step": step // SECOND,
                "begin": span.since // step * step // SECOND,
                "curves": {name: curve._asdict() for name, curve in curves.items()},
            }
        )

    async def curves_as_csv(self, request: web.Request) -> web.Response:
        span, step, curves = await self._read_curves(request)
        text = io.StringIO()
        rows = csv.writer(text)
        rows.writerow(["time", *(f"{name} [{curve.unit}]" if curve.unit else name for name, curve in curves.items())])
        first = span.since // step
        for n, values in enumerate(zip(*(curve.values for curve in curves.values()), strict=True)):
            moment = span.moment((first + n) * step)
            rows.writerow([moment, *("" if value is None else f"{value:.6g}" for value in values)])
        name = re.sub(r"[^A-Za-z0-9]+", "-", f"{span.inverter}-{span.moment(span.since)[:10]}").strip("-")
        headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
        return packed(web.Response(text=text.getvalue(), content_type="text/csv", charset="utf-8", headers=headers))

    async def _read_curves(self, request: web.Request) -> tuple[Span, int, Mapping[str, Curve]]:
        query = asked(request, CurvesQuery)
        span = self._span(query)
        step = parse_duration(query.step)
        names = tuple(dict.fromkeys(query.names.split(",")))
        if step < SECOND or len(names) > MOST_NAMES:
            raise ConfigError(f"expected steps of 1s or more, and at most {MOST_NAMES} names")
        store = self._readings()
        key = ("curves", span.inverter, names, span.since, span.until, step)
        since = span.since // step * step
        return (
            span,
            step,
            await self._remembered(key, lambda: store.curves(span.inverter, names, since, span.until, step)),
        )

    async def energies(self, request: web.Request) -> web.Response:
        query = asked(request, EnergiesQuery)
        if query.by not in ("day", "month"):
            raise ConfigError("by: expected day or month")
        span = self._span(query)
        store = self._readings()
        key = ("energies", span.inverter, query.by, span.since, span.until)
        slots = await self._remembered(
            key,
            lambda: store.energies(
                span.inverter,
                query.by,
                span.since,
                span.until,
                span.zone,
                self._picture.wall_clock(),
                self._absent(span.inverter),
            ),
        )
        total, known = together(slots)
        return answer(
            {
                "inverter": span.inverter,
                "zone": span.zone.key,
                "by": query.by,
                "slots": [_slot(slot) for slot in slots],
                "known": known,
                "total": as_json(total),
            }
        )

    def _readings(self) -> Store:
        if self.store is None:
            raise SinkError("there is no SQLite file among the sinks, so nothing is known of the past")
        return self.store

    def _span(self, query: CurvesQuery | EnergiesQuery) -> Span:
        name = self._named(query.inverter)
        zone = ZoneInfo(self._picture.inverters[name].zone)
        now = self._picture.wall_clock()
        since, until = (parse_time(text, now, zone) for text in (query.since, query.until))
        if not 0 <= since < until < 2**62:
            raise ConfigError("expected a time for since, and a later one for until")
        return Span(name, zone, since, until)

    async def _remembered(self, key: tuple[object, ...], read: Callable[[], T]) -> T:
        """Return what is read, or was read a moment ago."""
        now = time.monotonic()
        kept = self._answers.get(key)
        if kept is not None and kept[0] > now:
            answer: T = kept[1]
            return answer
        with self._desk.place():
            found = await self._desk.do(read)
        self._answers = dict(list(self._answers.items())[-_MOST_KEPT:]) | {key: (time.monotonic() + _MEMORY, found)}
        return found


def _slot(slot: Slot) -> dict[str, Any]:
    until = None if slot.until is None else slot.until // SECOND
    times = {"begin": slot.begin // SECOND, "end": slot.end // SECOND, "until": until, "whole": slot.is_whole}
    return {**times, **as_json(slot.energies)}
