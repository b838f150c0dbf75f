"""The picture of now: what is in it, and above all what is not any more."""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rct_tools.health import ASKED, POWERS, Quality
from rct_tools.live import PLAN, STEPS, Live, Picture
from rct_tools.objects import ObjectInfo, registry
from rct_tools.plan import fresh_for
from rct_tools.reading import Reading
from rct_tools.times import SECOND
from rct_tools.values import DataType, Value
from rct_tools.vitals import UP

import one_house

T0 = 1_782_000_000 * SECOND
GOOD = Quality(7, 0, 0, 0, 0, 0, others=False)
UTC = ZoneInfo("UTC")


def a_reading(name: str, value: Value, time: int = T0) -> Reading:
    return Reading(time, "roof", UP if name == UP.name else registry[name], value)


def live_with(*readings: Reading) -> Live:
    live = Live("roof:8899", zone=UTC)
    for reading in readings:
        live.take(reading)
    return live


def seen(live: Live, now: int = T0, step: int = STEPS[0], columns: int = 6) -> Picture:
    return live.picture(now, GOOD, step=step, columns=columns)


def powers(time: int = T0, **changes: float) -> list[Reading]:
    values = {"sun_a": 2000.0, "sun_b": 1000.0, "external": 0.0, "house": 600.0, "battery": -1500.0, "grid": -900.0}
    return [a_reading(POWERS[name], value, time) for name, value in (values | changes).items()]


def test_plan_asks_for_what_a_status_is_made_of() -> None:
    assert sorted(PLAN.expects) == sorted(ASKED)
    assert all(PLAN.expects[name].interval == 2 * SECOND for name in (*POWERS.values(), "battery.soc"))


def test_nothing_is_known_at_first() -> None:
    picture = seen(Live("roof:8899", zone=UTC))
    assert (picture.up, picture.since, picture.heard, picture.age) == (None, None, None, None)
    assert (picture.health.powers.sun, picture.health.today.made, picture.health.faults) == (None, None, None)
    assert picture.health.missing == tuple(PLAN.expects)
    assert set(picture.curves) == {"sun", "house", "fed_in", "imported", "soc"}
    assert all(values == (None,) * 6 for values in picture.curves.values())


def test_all_that_an_inverter_says_is_in_it() -> None:
    values = one_house.values()
    live = live_with(*(a_reading(name, values[name]) for name in ASKED if name in values))
    health = seen(live).health
    assert (health.peer, health.quality, health.time) == ("roof:8899", GOOD, T0)
    assert health.serial == values["inverter_sn"]
    assert health.powers.house == values["g_sync.p_ac_load_sum_lp"]
    assert health.today.used == values["energy.e_load_day"]
    assert health.battery is not None
    assert health.battery.soc == values["battery.soc"]
    assert health.faults == ()


@pytest.mark.parametrize("name", PLAN.expects)
def test_no_value_outlives_its_time(name: str) -> None:
    limit = fresh_for(PLAN.expects[name].interval)
    live = live_with(a_reading(name, 1 if registry[name].data_type is not DataType.STRING else "x"))
    assert name not in seen(live, T0 + limit).health.missing
    assert name in seen(live, T0 + limit + 1).health.missing
    assert name in seen(live, T0 - limit - 1).health.missing  # a clock was set back
    assert live.newest(name) is not None


def test_age_is_that_of_the_oldest_power_that_is_shown() -> None:
    live = live_with(*powers())
    live.take(a_reading(POWERS["house"], 700.0, T0 + 3 * SECOND))
    live.take(a_reading("battery.soh", 1.0, T0 + 4 * SECOND))
    assert seen(live, T0 + 5 * SECOND).age == 5 * SECOND
    assert seen(live, T0 + 18 * SECOND).age == 15 * SECOND  # the others are not shown any more
    assert seen(live, T0 + 20 * SECOND).age is None
    assert seen(live, T0 + 20 * SECOND).heard == T0 + 4 * SECOND
    assert seen(live, T0 - SECOND).age == 0


def test_while_it_is_away_only_who_it_is_stays_known() -> None:
    live = live_with(*powers(), a_reading("battery.soc", 0.5), a_reading("inverter_sn", "X1"), a_reading(UP.name, True))
    assert (seen(live).up, seen(live).health.powers.house) == (True, 600.0)
    live.take(a_reading(UP.name, False, T0 + SECOND))
    live.take(a_reading(UP.name, False, T0 + 2 * SECOND))  # told again every minute
    away = seen(live, T0 + 2 * SECOND)
    assert (away.up, away.since, away.heard, away.age) == (False, T0 + SECOND, T0, None)
    assert (away.health.serial, away.health.powers.house) == ("X1", None)
    assert away.health.battery is not None
    assert away.health.battery.soc is None
    live.take(a_reading(UP.name, True, T0 + 3 * SECOND))
    assert seen(live, T0 + 3 * SECOND).up


def test_it_is_not_called_away_before_it_was_there() -> None:
    live = live_with(a_reading(UP.name, False))
    assert seen(live).up is None
    live.take(a_reading("battery.soc", 0.5))
    assert seen(live).up is False


def test_what_nobody_knows_is_not_kept() -> None:
    unknown = ObjectInfo(0xDEADBEEF, "0xDEADBEEF", DataType.UNKNOWN)
    live = live_with(Reading(T0, "roof", unknown, b"x"))
    assert live.newest("0xDEADBEEF") is None
    assert seen(live).heard is None


def test_what_the_plan_has_not_is_kept_for_who_asks_for_it() -> None:
    live = live_with(a_reading("battery.ah_capacity", 25.0))
    reading = live.newest("battery.ah_capacity")
    assert reading is not None
    assert reading.value == 25.0
    assert "battery.ah_capacity" not in seen(live).health.missing


# --- curves ---------------------------------------------------------------------------------------------------------


def test_curves_are_means_of_columns() -> None:
    start = T0 // STEPS[0] * STEPS[0]
    live = live_with(
        *powers(start, grid=-100.0),
        *powers(start + 9 * SECOND, grid=300.0, house=800.0),
        *powers(start + 25 * SECOND, house=100.0),
        a_reading("battery.soc", 0.25, start + 25 * SECOND),
    )
    curves = seen(live, start + 29 * SECOND, columns=4).curves
    assert curves["sun"] == (None, 3000.0, None, 3000.0)
    assert curves["house"] == (None, 700.0, None, 100.0)
    assert curves["fed_in"] == (None, 50.0, None, 900.0)
    assert curves["imported"] == (None, 150.0, None, 0.0)
    assert curves["soc"] == (None, None, None, 0.25)
    assert seen(live, start + 29 * SECOND, step=STEPS[-1], columns=1).curves["house"][0] == pytest.approx(500.0)


def test_a_sum_without_one_of_its_parts_is_not_known() -> None:
    live = live_with(*(each for each in powers() if each.object.name != POWERS["sun_b"]))
    assert seen(live, columns=1).curves["sun"] == (None,)
    assert seen(live).health.powers.sun is None


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "text"])
def test_what_is_no_number_is_in_no_curve(value: Value) -> None:
    live = live_with(replace(a_reading(POWERS["house"], 0.0), value=value))
    assert seen(live, columns=1).curves["house"] == (None,)
    assert seen(live).health.powers.house is None


def test_curves_forget_what_is_too_old_for_them() -> None:
    live = Live("roof:8899", zone=UTC)
    for n in range(1000):
        live.take(a_reading(POWERS["house"], 1.0, T0 + n * STEPS[-1]))
    curve = seen(live, T0 + 999 * STEPS[-1], step=STEPS[-1], columns=1000).curves["house"]
    assert curve == (None,) * 600 + (1.0,) * 400


@given(st.lists(st.integers(-(10**6), 10**6), min_size=1, max_size=50), st.integers(-(10**6), 10**6))
def test_a_clock_may_jump_as_it_likes(seconds: list[int], now: int) -> None:
    live = Live("roof:8899", zone=UTC)
    for each in seconds:
        live.take(a_reading(POWERS["house"], float(each), T0 + each * SECOND))
    picture = seen(live, T0 + now * SECOND)
    known, limit = picture.health.powers.house, fresh_for(PLAN.expects[POWERS["house"]].interval) // SECOND
    assert known == (float(seconds[-1]) if abs(now - seconds[-1]) <= limit else None)
    assert all(value is None or min(seconds) <= value <= max(seconds) for value in picture.curves["house"])


def test_who_knows_better_says_how_long_a_value_lasts() -> None:
    live = live_with(*powers())
    assert seen(live, T0 + 20 * SECOND).health.powers.house is None
    live.take(a_reading(POWERS["house"], 600.0), 60 * SECOND)
    live.take(a_reading("battery.ah_capacity", 5.0), 60 * SECOND)  # which is not in the picture, and so not missing
    picture = seen(live, T0 + 60 * SECOND)
    assert picture.health.powers.house == 600.0
    assert seen(live, T0 + 61 * SECOND).health.powers.house is None
    assert "battery.ah_capacity" not in picture.health.missing
