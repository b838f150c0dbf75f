"""The memory of the inverter: what happened, in rows of five minutes, days, months, years, and events.

Rows come from the same meters that the live values do. A row of minutes stands at the end of its five minutes. A row of
a day stands at 23:59:59 of that day, one of a month at 23:59:59 of its first day, one of a year at 23:59:59 of its
first day; a period has its row once it has ended. The oldest row of a year series is of 2000, when the clock was new.
"""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_left, insort
from datetime import UTC, datetime
from typing import Final

from rct_tools.simulator.house import LOG_INTERVAL, House, on_clock, on_phases
from rct_tools.simulator.noise import seeded
from rct_tools.simulator.sky import DAY
from rct_tools.values import Event, EventTable, Sample, TimeSeries

MINUTES_KEPT: Final = 90 * DAY  # seconds
DAYS_KEPT: Final = 366  # rows
EVENTS_KEPT: Final = 1000
EVENTS_PER_PAGE: Final = 16

_CLOCK_WAS_NEW: Final = 946771199  # 2000-01-01 23:59:59
_SPARE: Final = DAY // LOG_INTERVAL  # rows: a full ring loses a day at once, which costs less than one by one

MINUTES: Final = (
    "ea", "eb", "eac", "eac1", "eac2", "eac3", "eload", "egrid_feed", "egrid_load", "eext", "ebat",  # W, means
    "soc", "soc_targ", "ubat", "ua", "ub", "ul1", "ul2", "ul3", "temp", "temp2", "temp_bat",  # at the end
)  # fmt: skip
ENERGIES: Final = {
    "ea": "dc[0]", "eb": "dc[1]", "eac": "ac", "eload": "load", "egrid_feed": "grid_feed", "egrid_load": "grid_load",
    "eext": "ext",
}  # fmt: skip


class Series:
    """Rows of several values that share their times, oldest first."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.times = array("I")
        self.columns = {name: array("f") for name in names}

    def append(self, time: int, values: list[float]) -> None:
        """Add a row, later than all others; ``values`` are in the order of the names."""
        self.times.append(time)
        for column, value in zip(self.columns.values(), values, strict=True):
            column.append(value)

    def forget(self, rows: int) -> None:
        """Lose so many of the oldest rows."""
        del self.times[:rows]
        for column in self.columns.values():
            del column[:rows]

    def page(self, name: str, before: int, rows: int) -> TimeSeries:
        """Return up to so many rows that are older than a time, newest first."""
        end = bisect_left(self.times, before)
        begin = max(0, end - rows)
        found = zip(self.times[begin:end], self.columns[name][begin:end], strict=True)
        return TimeSeries(before, tuple(Sample(*row) for row in found)[::-1])


class History:
    """The rows and events of one house; ``record`` is its log."""

    def __init__(self, seed: int, minutes_since: int) -> None:
        """An empty memory; rows of minutes begin after ``minutes_since``, a time of the clock of the house."""
        self._chance = seeded("history", seed)
        self._minutes_since = minutes_since
        self._minutes = Series(MINUTES)
        energies = tuple(ENERGIES)
        self._series = {
            "minutes": self._minutes,
            "day": Series(energies),
            "month": Series(energies),
            "year": Series((*energies, "")),
        }
        self._series["year"].append(_CLOCK_WAS_NEW, [0.0] * 8)
        self._totals: tuple[int, list[float]] = (-1, [])  # when, and what the meters said then
        self._events: list[Event] = []

    def record(self, house: House) -> None:
        """Keep what has ended now: five minutes, and at midnight a day, a month, a year."""
        if house.time >= self._minutes_since:
            self._record_minutes(house)
        if house.time % DAY == 0:
            self._record_day(house)
            self._grid_happens(house.time - DAY)

    def ask(self, name: str, before: int, clock_off: float = 0.0) -> TimeSeries:
        """Return a page of a series, by the name of its object. How many rows it holds varies.

        ``clock_off`` is by how many seconds the clock is ahead by which it is asked, and by which the rows are told.
        """
        period, _, rest = name.removeprefix("logger.").partition("_")
        column = rest.removesuffix("log_ts").rstrip("_")  # "": logger.year_log_ts, of which nobody knows the meaning
        page = self._series[period].page(column, on_clock(before, -clock_off), 38 + before // 7 % 7)
        samples = (Sample(on_clock(time, clock_off), value) for time, value in page.samples)
        return TimeSeries(before, tuple(samples) if clock_off else page.samples)

    def ask_events(self, _name: str, before: int, clock_off: float = 0.0) -> EventTable:
        """Return a page of the event table. Events of one second are not parted: none gets lost between pages.

        ``clock_off`` is that of ``ask``.
        """
        events = self._events
        end = bisect_left(events, on_clock(before, -clock_off), key=lambda event: event.time)
        begin = max(0, end - EVENTS_PER_PAGE)
        while begin and events[begin - 1].time == events[begin].time:
            begin -= 1
        page = events[begin:end][::-1]
        return EventTable(before, tuple(_event_on_clock(event, clock_off) for event in page))

    def happened(self, kind: int, time: int, values: tuple[int, int, int]) -> None:
        """Keep an event."""
        insort(self._events, Event(kind, time, values), key=lambda event: event.time)
        del self._events[:-EVENTS_KEPT]

    def _record_minutes(self, house: House) -> None:
        energy, battery = house.energy, house.battery
        totals = [energy[meter].total for meter in ENERGIES.values()]
        totals.append(house.bank.given)
        (last, before), self._totals = self._totals, (house.time, totals)
        if last != house.time - LOG_INTERVAL:
            return
        a, b, ac, load, feed, bought, external, discharged = (
            (now - then) * 3600.0 / LOG_INTERVAL for now, then in zip(totals, before, strict=True)
        )
        powers = [a, b, ac, *on_phases(ac), load, 0.0 - feed, bought, external, discharged]
        state = [battery.soc, house.control.target, battery.voltage, *house.pv_voltage, *house.grid_voltage]
        self._minutes.append(house.time, [*powers, *state, house.heat_sink, house.actuator, battery.temperature])
        if house.time - self._minutes.times[0] >= MINUTES_KEPT + DAY:
            self._minutes.forget(_SPARE)

    def _record_day(self, house: House) -> None:
        meters = [house.energy[meter] for meter in ENERGIES.values()]
        day = datetime.fromtimestamp(house.time - 1, UTC)
        tomorrow = datetime.fromtimestamp(house.time, UTC)
        self._series["day"].append(house.time - 1, [meter.day for meter in meters])
        if len(self._series["day"].times) > DAYS_KEPT:
            self._series["day"].forget(1)
        if tomorrow.day == 1:
            self._series["month"].append(int(day.replace(day=1).timestamp()), [meter.month for meter in meters])
        if tomorrow.day == tomorrow.month == 1:
            year = [meter.year for meter in meters]
            self._series["year"].append(int(day.replace(month=1, day=1).timestamp()), [*year, year[0] + year[1]])

    # --- events ---

    def commissioned(self, time: int, changed: tuple[tuple[int, int, int], ...]) -> None:
        """Keep what an installer leaves behind: a start, an update, and parameters (id, old, new) set at once."""
        self.happened(RESET, time, (time + 22, 0, 0))
        self.happened(UPDATE, time + 300, (0, 5661, 5678))
        self.happened(RESET, time + 300, (time + 341, 0, 0))
        for change in changed:
            self.happened(PRM_CHANGE, time + 900, change)

    def _grid_happens(self, day: int) -> None:
        chance = self._chance
        if chance.random() > 0.12:
            return
        time = day + chance.randrange(DAY)
        kinds, low, high = chance.choice(DISTURBANCES)
        end = time + chance.randint(0, 180)
        for kind in kinds:
            self.happened(kind, time, (end, float_bits(chance.uniform(low, high)) if high else chance.randint(1, 4), 0))


def _event_on_clock(event: Event, off: float) -> Event:
    # The first value is a time too, the end, but where it is the id of an object or nothing.
    first, second, third = event.values
    if event.type not in INSTANT:
        first = on_clock(first, off)
    return Event(event.type, on_clock(event.time, off), (first, second, third))


RESET: Final = 0x76
UPDATE: Final = 0x77
PRM_CHANGE: Final = 0x73
INSTANT: Final = {PRM_CHANGE, UPDATE}  # have no end
# What comes at the same second, and between which values: a voltage, a frequency; without them a case number.
DISTURBANCES: Final = (
    ((0x59,), 0.0, 0.0),  # a surge
    ((0x5A, 0x59), 0.0, 0.0),  # no grid, with a surge
    ((0x4F, 0x53, 0x57), 150.0, 196.0),  # too low on all phases
    ((0x50, 0x54, 0x58), 253.0, 258.0),  # too high on all phases
    ((0x54,), 253.0, 256.0),
    ((0x52,), 50.1, 50.2),  # too fast
    ((0x79,), 0.0, 0.0),  # ridden through
    ((0x63, 0x59), 0.0, 0.0),  # a phase out of position
    ((0x6B,), 0.0, 0.0),  # the battery did not answer
    ((0x72,), 0.0, 0.0),  # the battery complained
)  # fmt: skip


def float_bits(value: float) -> int:
    """Return a float as the number whose four bytes are the same."""
    return int.from_bytes(struct.pack(">f", value))
