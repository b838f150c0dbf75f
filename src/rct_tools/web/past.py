"""Questions about what was: what they may say, and what is answered, from the store."""

from __future__ import annotations

import csv
import io
import re
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

from aiohttp import web

from rct_tools.errors import ConfigError, SinkError
from rct_tools.health import as_json
from rct_tools.recent import Recent
from rct_tools.sentence import Sentences
from rct_tools.settings import Table
from rct_tools.times import SECOND, parse_duration, parse_time
from rct_tools.web.answers import answer, asked, packed
from rct_tools.web.bill import UNKNOWN, Money, bills
from rct_tools.web.desk import Desk
from rct_tools.web.newest import Newest
from rct_tools.web.slots import NOT_CYCLED, NOTHING_KNOWN, Slot, spans, together
from rct_tools.web.spread import Range, TowerSpread, read_spread
from rct_tools.web.store import Curve, Store
from rct_tools.web.tariff import Tariff

T = TypeVar("T")

MOST_NAMES: Final = 16  # curves at a time

_END: Final = 2**62  # ns: beyond it, SQLite cannot reckon
_MEMORY: Final = 20.0  # seconds that an answer of the store is good for, for others who ask the same
_MOST_KEPT: Final = 64  # such answers


class _Says(Sentences):
    NO_PAST = "there is no SQLite file among the sinks, so nothing is known of the past"


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


class RangesQuery(Table, frozen=True):
    """Of which objects, and from when to when."""

    names: str
    by: str = "day"
    inverter: str = ""
    since: str = "7d"
    until: str = "0s"


class SpreadQuery(Table, frozen=True):
    """From when to when, and how finely."""

    inverter: str = ""
    since: str = "30d"
    until: str = "0s"
    step: str = "2h"


_DIGITS: Final[Mapping[str, int]] = {"day": 10, "month": 7}  # of a time in ISO 8601, that name it
_PARTS: Final = ("low", "mean", "high")
_MONEY: Final = ("cost", "earnings", "savings", "balance")
_ENERGIES: Final = ("made_a", "made_b", "external", "made", "used", "imported", "fed_in")
_VALUES: Final[Sequence[tuple[str, str, Callable[[Slot], float | None]]]] = (  # name, unit, of a slot
    *((name, "Wh", lambda slot, name=name: getattr(slot.energies, name)) for name in _ENERGIES),
    ("charged", "Wh", lambda slot: slot.cycled.charged),
    ("discharged", "Wh", lambda slot: slot.cycled.discharged),
    ("self_consumption", "", lambda slot: slot.energies.self_consumption),
    ("autarky", "", lambda slot: slot.energies.autarky),
)


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
        newest: Newest,
        named: Callable[[str], str],
        absent: Callable[[str], Collection[str]],
        desk: Desk,
        tariff: Tariff | None = None,
    ) -> None:
        """``named`` gives the inverter that a question means, ``absent`` the components that it does not have."""
        self.store = store
        self._newest = newest
        self._named = named
        self._absent = absent
        self._desk = desk
        self._tariff = tariff
        self._answers: Recent[tuple[object, ...], tuple[float, Any]] = Recent(_MOST_KEPT)

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
        head = (f"{name} [{curve.unit}]" if curve.unit else name for name, curve in curves.items())
        rows = zip(*(curve.values for curve in curves.values()), strict=True)
        first = span.since // step
        lines = ([span.moment((first + n) * step), *map(_figures, values)] for n, values in enumerate(rows))
        return _csv(span, "curves", [["time", *head], *lines])

    async def _read_curves(self, request: web.Request) -> tuple[Span, int, Mapping[str, Curve]]:
        query = asked(request, CurvesQuery)
        span = self._span(query)
        step, names = _step(query), _names(query.names)
        store = self._readings()
        key = ("curves", span.inverter, names, span.since, span.until, step)
        since = span.since // step * step
        return (
            span,
            step,
            await self._remembered(key, lambda: store.curves(span.inverter, names, since, span.until, step)),
        )

    async def ranges(self, request: web.Request) -> web.Response:
        query = asked(request, RangesQuery)
        span = self._span(query)
        names = _names(query.names)
        places = list(spans(_by(query), span.since, span.until, span.zone))
        store = self._readings()
        key = ("ranges", span.inverter, names, query.by, span.since, span.until)
        found = await self._remembered(key, lambda: store.ranges(span.inverter, names, places))
        return answer(
            {
                "inverter": span.inverter,
                "zone": span.zone.key,
                "by": query.by,
                "begins": [begin // SECOND for begin, _ in places],
                "ranges": {
                    name: {
                        "unit": each.unit,
                        **{part: [some and getattr(some, part) for some in each.values] for part in _PARTS},
                    }
                    for name, each in found.items()
                },
            }
        )

    async def energies(self, request: web.Request) -> web.Response:
        span, by, slots, money = await self._read_energies(request)
        total, known = together([slot.energies for slot in slots], NOTHING_KNOWN)
        cycled, cycles_known = together([slot.cycled for slot in slots], NOT_CYCLED)
        paid, _ = together([bill for bill in money if bill], UNKNOWN)
        return answer(
            {
                "inverter": span.inverter,
                "zone": span.zone.key,
                "by": by,
                "slots": [
                    _times(slot) | {name: value(slot) for name, _, value in _VALUES} | {"money": _bill(bill)}
                    for slot, bill in zip(slots, money, strict=True)
                ],
                "known": known,
                "total": as_json(total),
                "battery": {**asdict(cycled), "known": cycles_known},
                "currency": self._tariff and self._tariff.currency,
                "money": _bill(paid) if self._tariff else None,
            }
        )

    async def energies_as_csv(self, request: web.Request) -> web.Response:
        span, by, slots, money = await self._read_energies(request)
        head = [by, "until", *(f"{name} [{unit}]" if unit else name for name, unit, _ in _VALUES)]
        priced = {name: f"{name} [{self._tariff.currency}]" for name in _MONEY} if self._tariff else {}
        rows = [[*head, *priced.values()]]
        for slot, bill in zip(slots, money, strict=True):
            until = "" if slot.until is None else span.moment(slot.until)
            values = [_figures(value(slot), ".1f" if unit else ".4f") for _, unit, value in _VALUES]
            sums = [_figures(getattr(bill, name), ".2f") for name in priced]
            rows.append([span.moment(slot.begin)[: _DIGITS[by]], until, *values, *sums])
        return _csv(span, f"by-{by}", rows)

    async def _read_energies(self, request: web.Request) -> tuple[Span, str, list[Slot], Sequence[Money | None]]:
        query = asked(request, EnergiesQuery)
        by = _by(query)
        span = self._span(query)
        store, tariff, zone = self._readings(), self._tariff, span.zone
        now, absent = self._newest.wall_clock(), self._absent(span.inverter)

        def days(since: int, until: int) -> list[Slot]:
            return store.energies(span.inverter, "day", since, until, zone, now, absent)

        def read() -> tuple[list[Slot], Sequence[Money | None]]:
            slots = store.energies(span.inverter, by, span.since, span.until, zone, now, absent)
            return slots, bills(tariff, slots, zone, now, days) if tariff else [None] * len(slots)

        key = ("energies", span.inverter, by, span.since, span.until)
        return span, by, *await self._remembered(key, read)

    async def spread(self, request: web.Request) -> web.Response:
        query = asked(request, SpreadQuery)
        span = self._span(query)
        step = _step(query)
        store = self._readings()
        since = span.since // step * step
        key = ("spread", span.inverter, since, span.until, step)
        towers = await self._remembered(key, lambda: read_spread(store, span.inverter, since, span.until, step))
        return answer(
            {
                "inverter": span.inverter,
                "zone": span.zone.key,
                "step": step // SECOND,
                "begin": since // SECOND,
                "towers": [_tower(tower) for tower in towers],
            }
        )

    def _readings(self) -> Store:
        if self.store is None:
            raise SinkError(_Says.NO_PAST())
        return self.store

    def _span(self, query: CurvesQuery | EnergiesQuery | RangesQuery | SpreadQuery) -> Span:
        name = self._named(query.inverter)
        zone = ZoneInfo(self._newest.inverters[name].zone)
        now = self._newest.wall_clock()
        since, until = (parse_time(text, now, zone) for text in (query.since, query.until))
        if not 0 <= since < until < _END:
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
        self._answers.put(key, (time.monotonic() + _MEMORY, found))
        return found


def _step(query: CurvesQuery | SpreadQuery) -> int:
    step = parse_duration(query.step)
    if not SECOND <= step < _END:
        raise ConfigError("expected steps of 1s or more, and of less than a century")
    return step


def _names(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(text.split(",")))
    if len(names) > MOST_NAMES:
        raise ConfigError(f"expected at most {MOST_NAMES} names")
    return names


def _by(query: EnergiesQuery | RangesQuery) -> str:
    if query.by not in _DIGITS:
        raise ConfigError("by: expected day or month")
    return query.by


def _times(slot: Slot) -> dict[str, Any]:
    until = None if slot.until is None else slot.until // SECOND
    return {"begin": slot.begin // SECOND, "end": slot.end // SECOND, "until": until, "whole": slot.is_whole}


def _bill(money: Money | None) -> dict[str, float | None] | None:
    return None if money is None else {name: getattr(money, name) for name in _MONEY}


def _figures(value: float | None, form: str = ".6g") -> str:
    return "" if value is None else format(value, form)


def _csv(span: Span, what: str, rows: Sequence[Sequence[str]]) -> web.Response:
    """Return rows as a file that is named after what it holds."""
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    name = re.sub(r"[^A-Za-z0-9]+", "-", f"{span.inverter}-{span.moment(span.since)[:10]}-{what}").strip("-")
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return packed(web.Response(text=text.getvalue(), content_type="text/csv", charset="utf-8", headers=headers))


def _tower(tower: TowerSpread) -> dict[str, Any]:
    modules = [{"number": module.number, **_steps(module.steps)} for module in tower.modules]
    return {**_steps(tower.steps), "modules": modules}


def _steps(steps: Sequence[Range | None]) -> dict[str, Any]:
    return {
        "voltage": [None if step is None else step.voltage for step in steps],
        "temperature": [None if step is None else step.temperature for step in steps],
    }
