"""The history of the simulated house agrees with what was live."""

from __future__ import annotations

import calendar
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from rct_tools.frame import Command, Frame
from rct_tools.objects import registry
from rct_tools.simulator.history import EVENTS_KEPT, MINUTES_KEPT, History
from rct_tools.simulator.house import LOG_INTERVAL, METERS, House
from rct_tools.simulator.inverter import LIVED_IN, Inverter
from rct_tools.simulator.sky import DAY
from rct_tools.values import Event, EventTable, Sample, TimeSeries, Value

START = calendar.timegm((2024, 5, 27, 12, 3, 7))
SERIES = [info.name for info in registry if info.name.endswith("_log_ts")]
EVENTS = "logger.error_log_time_stamp"


@pytest.fixture
def inverter() -> Inverter:
    return Inverter.with_past(0, START)


def ask(inverter: Inverter, name: str, before: int) -> Value:
    info = registry[name]
    answer = inverter.answer(Frame(Command.WRITE, info.object_id, before.to_bytes(4)))
    assert answer is not None
    assert answer.command is Command.LONG_RESPONSE
    return info.decode(answer.payload)


def pages(inverter: Inverter, name: str) -> Iterator[tuple[Sample, ...]]:
    before = inverter.house.time + 1
    while True:
        page = ask(inverter, name, before)
        assert isinstance(page, TimeSeries)
        assert page.time == before
        if not page.samples:
            return
        assert all(sample.time < before for sample in page.samples)
        yield page.samples
        before = page.samples[-1].time


def event_pages(inverter: Inverter) -> Iterator[tuple[Event, ...]]:
    before = inverter.house.time + 1
    while True:
        page = ask(inverter, EVENTS, before)
        assert isinstance(page, EventTable)
        if not page.events:
            return
        yield page.events
        before = page.events[-1].time


def test_all_series_are_there() -> None:
    assert len(SERIES) == 44


@pytest.mark.parametrize("name", SERIES)
def test_pages_end_and_hold_each_row_once_newest_first(inverter: Inverter, name: str) -> None:
    rows = [row for page in pages(inverter, name) for row in page]
    assert all(later.time > earlier.time for later, earlier in pairwise(rows))
    steps = {later.time - earlier.time for later, earlier in pairwise(rows)}
    if name.startswith("logger.minutes"):
        assert steps == {LOG_INTERVAL}
        assert rows[0].time == inverter.house.time // LOG_INTERVAL * LOG_INTERVAL
        assert MINUTES_KEPT <= rows[0].time - rows[-1].time <= MINUTES_KEPT + DAY
    elif name.startswith("logger.day"):
        assert steps == {DAY}
        assert len(rows) == 366
        assert {datetime.fromtimestamp(row.time, UTC).strftime("%H:%M:%S") for row in rows} == {"23:59:59"}
    elif name.startswith("logger.month"):
        assert len(rows) >= 24
        assert {datetime.fromtimestamp(row.time, UTC).strftime("%d %H:%M:%S") for row in rows} == {"01 23:59:59"}
    else:
        assert [datetime.fromtimestamp(row.time, UTC).strftime("%F %T") for row in rows] == [
            "2023-01-01 23:59:59",
            "2022-01-01 23:59:59",
            "2000-01-01 23:59:59",
        ]


def test_the_size_of_pages_of_minutes_varies_around_forty(inverter: Inverter) -> None:
    sizes = {len(page) for page in list(pages(inverter, "logger.minutes_soc_log_ts"))[:-1]}
    assert sizes <= set(range(38, 45))
    assert len(sizes) > 3


MEANS: dict[str, Callable[[House], float]] = {
    "ea": lambda house: house.pv[0],
    "eb": lambda house: house.pv[1],
    "eac": lambda house: house.ac,
    "eac1": lambda house: house.ac_phases[0],
    "eac2": lambda house: house.ac_phases[1],
    "eac3": lambda house: house.ac_phases[2],
    "eload": lambda house: house.load,
    "egrid_feed": lambda house: max(0.0, -house.grid),
    "egrid_load": lambda house: max(0.0, house.grid),
    "eext": lambda house: house.external,
    "ebat": lambda house: house.battery.power,
}
INSTANTS: dict[str, Callable[[House], float]] = {
    "soc": lambda house: house.battery.soc,
    "soc_targ": lambda house: 0.97,
    "ubat": lambda house: house.battery.voltage,
    "ua": lambda house: house.pv_voltage[0],
    "ub": lambda house: house.pv_voltage[1],
    "ul1": lambda house: house.grid_voltage[0],
    "ul2": lambda house: house.grid_voltage[1],
    "ul3": lambda house: house.grid_voltage[2],
    "temp": lambda house: house.heat_sink,
    "temp2": lambda house: house.actuator,
    "temp_bat": lambda house: house.battery.temperature,
}


def test_rows_of_minutes_are_what_was_live(inverter: Inverter) -> None:
    house = inverter.house
    house.advance(house.time // LOG_INTERVAL * LOG_INTERVAL + LOG_INTERVAL, 1)
    expected: dict[tuple[str, int], float] = {}
    for _ in range(3):
        begin = house.time
        sums = dict.fromkeys(MEANS, 0.0)
        for time in range(begin + 1, begin + LOG_INTERVAL + 1):
            house.advance(time, 1)
            for name, power in MEANS.items():
                sums[name] += power(house) / LOG_INTERVAL
        expected.update({(name, house.time): value for name, value in sums.items()})
        expected.update({(name, house.time): value(house) for name, value in INSTANTS.items()})
    found = {
        (name, row.time): row.value
        for name in (*MEANS, *INSTANTS)
        for row in next(pages(inverter, f"logger.minutes_{name}_log_ts"))[:3]
    }
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert found[key] == pytest.approx(value, rel=1e-5, abs=0.01), key


def test_rows_of_days_and_months_are_the_meters_at_their_end() -> None:
    history = History(0, 0)
    house = House(0, calendar.timegm((2024, 1, 30, 0, 0, 0)), history.record)
    expected = {}
    for day in ("2024-01-30", "2024-01-31"):
        house.advance(house.time + DAY - 300, 300)
        expected[day] = {name: (meter.day, meter.month) for name, meter in house.energy.items()}
        before = {name: meter.total for name, meter in house.energy.items()}
        house.advance(house.time + 300, 300)
        rest = {name: meter.total - before[name] for name, meter in house.energy.items()}
        for column, meter in (("ea", "dc[0]"), ("eb", "dc[1]"), ("eac", "ac"), ("eload", "load"),
                              ("egrid_feed", "grid_feed"), ("egrid_load", "grid_load"), ("eext", "ext")):  # fmt: skip
            sample = history.ask(f"logger.day_{column}_log_ts", house.time).samples[0]
            stamp = datetime.fromisoformat(f"{day}T23:59:59+00:00").timestamp()
            assert sample.time == stamp
            assert sample.value == pytest.approx(expected[day][meter][0] + rest[meter], rel=1e-5)
            if day == "2024-01-31":
                (month,) = history.ask(f"logger.month_{column}_log_ts", house.time).samples
                assert datetime.fromtimestamp(month.time, UTC).strftime("%F %T") == "2024-01-01 23:59:59"
                assert month.value == pytest.approx(expected[day][meter][1] + rest[meter], rel=1e-5)
    assert set(METERS) == set(house.energy)


def test_energy_of_yesterday_is_the_sum_of_its_minutes(inverter: Inverter) -> None:
    midnight = START // DAY * DAY
    for column in ("ea", "eac", "eload", "egrid_load"):
        minutes = [
            row.value
            for page in pages(inverter, f"logger.minutes_{column}_log_ts")
            for row in page
            if midnight - DAY < row.time <= midnight
        ]
        assert len(minutes) == DAY // LOG_INTERVAL
        day = next(pages(inverter, f"logger.day_{column}_log_ts"))[0]
        assert day.time == midnight - 1
        assert day.value == pytest.approx(sum(minutes) / 12.0, rel=1e-4)


def test_old_minutes_are_forgotten() -> None:
    history = History(0, 0)
    house = House(0, 0, history.record)
    house.advance(95 * DAY, LOG_INTERVAL)
    rows = history._minutes.times
    assert MINUTES_KEPT <= rows[-1] - rows[0] <= MINUTES_KEPT + DAY


def test_pages_of_events_end_and_part_no_second(inverter: Inverter) -> None:
    seen = list(event_pages(inverter))
    events = [event for page in seen for event in page]
    assert len(seen) > 2
    assert all(later.time >= earlier.time for later, earlier in pairwise(events))
    for later, earlier in pairwise(seen):
        assert later[-1].time > earlier[0].time
    assert len(set(events)) == len(events)
    kinds = {event.type for event in events}
    assert {0x73, 0x76, 0x77} <= kinds
    times = [event.time for event in events]
    assert max(map(times.count, times)) >= 3
    assert events[-1].time == START // DAY * DAY - LIVED_IN


def test_an_unparted_second_makes_a_longer_page() -> None:
    history = History(0, 0)
    history.happened(0x59, 10, (11, 0, 0))
    for n in range(40):
        history.happened(0x73, 100, (n, 0, 1))
    for time in range(200, 210):
        history.happened(0x59, time, (time, 0, 0))
    page = history.ask_events(EVENTS, 1000)
    assert len(page.events) == 50
    assert history.ask_events(EVENTS, 100).events == (Event(0x59, 10, (11, 0, 0)),)
    assert history.ask_events(EVENTS, 10).events == ()


def test_events_are_kept_in_order_and_not_for_ever() -> None:
    history = History(0, 0)
    for time in reversed(range(EVENTS_KEPT + 5)):
        history.happened(0x59, time, (time, 0, 0))
    newest = history.ask_events(EVENTS, EVENTS_KEPT + 5).events
    assert [event.time for event in newest] == sorted((event.time for event in newest), reverse=True)
    assert len(history._events) == EVENTS_KEPT


def test_a_changed_parameter_is_an_event(inverter: Inverter) -> None:
    info = registry["power_mng.soc_strategy"]
    assert inverter.answer(Frame(Command.WRITE, info.object_id, b"\x02"))
    assert inverter.answer(Frame(Command.WRITE, info.object_id, b"\x02"))  # changes nothing
    table = ask(inverter, EVENTS, inverter.house.time + 1)
    assert isinstance(table, EventTable)
    assert table.events[0] == Event(0x73, inverter.house.time, (info.object_id, 4, 2))
    assert table.events[1].type != 0x73 or table.events[1].values[0] != info.object_id


def test_reading_history_gives_the_time_asked_for_and_no_rows(inverter: Inverter) -> None:
    info = registry["logger.minutes_soc_log_ts"]
    ask(inverter, info.name, START)
    answer = inverter.answer(Frame(Command.READ, info.object_id))
    assert answer is not None
    assert info.decode(answer.payload) == TimeSeries(START, ())


def test_the_past_is_a_copy(inverter: Inverter) -> None:
    inverter.house.advance(START + DAY, 300)
    again = Inverter.with_past(0, START)
    assert again.house.time == START
    assert next(pages(again, "logger.minutes_soc_log_ts"))[0].time <= START
