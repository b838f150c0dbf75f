"""What is written to the simulated inverter steers it, as docs/simulator.md says, and is forgotten unless flashed."""

from __future__ import annotations

import calendar
import logging
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rct_tools.frame import Command, Frame
from rct_tools.objects import registry
from rct_tools.simulator.battery import CONVERTER_CURRENT, MAX_CURRENT
from rct_tools.simulator.control import AC_MAX, SATISFIED, Control, Strategy
from rct_tools.simulator.history import RESET
from rct_tools.simulator.house import PEAK_POWER, House, ac_power, dc_power
from rct_tools.simulator.inverter import Inverter
from rct_tools.values import EventTable, TimeSeries, Value

NIGHT = calendar.timegm((2024, 6, 20, 1, 0, 0))
NOON = calendar.timegm((2024, 6, 20, 11, 0, 0))
START = calendar.timegm((2024, 5, 27, 12, 3, 7))
HOUR = 3600
STEP = 30
NEAR = 4.0  # W: how exact its control is, and more

COM_SERVICE = registry["com_service"]


@dataclass
class Seen:
    """The powers of a while, one value a step."""

    battery: list[float]
    grid: list[float]
    left_over: list[float]  # by the sun, as direct current; negative: what the household lacks
    soc: list[float]


def live(house: House, hours: float) -> Seen:
    """Live on, and see that all adds up at every step."""
    seen = Seen([], [], [], [])
    for time in range(house.time + STEP, house.time + int(hours * HOUR) + STEP, STEP):
        house.advance(time, STEP)
        assert house.ac + house.grid + house.external == pytest.approx(house.load, abs=1e-6)
        assert house.ac == pytest.approx(ac_power(sum(house.pv) + house.bank.power), abs=1e-6)
        seen.battery.append(house.bank.power)
        seen.grid.append(house.grid)
        seen.left_over.append(sum(house.pv) - dc_power(house.load - house.external))
        seen.soc.append(house.battery.soc)
    return seen


def steered(begin: int, soc: float, *, seed: int = 0, **control: Any) -> House:
    house = House(seed, begin)
    house.battery.soc = soc
    house.control = Control(**control)
    return house


def write(inverter: Inverter, name: str, value: Value) -> Frame | None:
    info = registry[name]
    return inverter.answer(Frame(Command.WRITE, info.object_id, info.encode(value)))


def read(inverter: Inverter, name: str) -> Any:
    answer = inverter.answer(Frame(Command.READ, registry[name].object_id))
    assert answer is not None
    return registry[name].decode(answer.payload)


def events(inverter: Inverter) -> Any:
    table = inverter.history.ask_events("logger.error_log_time_stamp", inverter.house.time + 1)
    assert isinstance(table, EventTable)
    return table.events


@pytest.fixture
def inverter() -> Inverter:
    return Inverter.with_past(0, START)


# --- strategies ---


SELF_CONSUMPTION = (Strategy.INTERNAL, Strategy.MIDDLE_VOLTAGE, Strategy.SCHEDULE)


@pytest.mark.parametrize("strategy", [*SELF_CONSUMPTION, 77])
def test_self_consumption(strategy: int) -> None:
    seen = live(steered(NIGHT, 0.5, strategy=strategy), 2)
    assert all(abs(grid) < NEAR for grid in seen.grid)
    assert seen.soc[-1] < 0.5
    seen = live(steered(NOON, 0.5, strategy=strategy), 0.5)
    assert all(abs(grid) < NEAR or battery < -6000.0 for grid, battery in zip(seen.grid, seen.battery, strict=True))
    assert seen.soc[-1] > 0.5


TARGET = (Strategy.SOC_TARGET, Strategy.CONSTANT)


@pytest.mark.parametrize("strategy", TARGET)
@pytest.mark.parametrize(("soc", "target"), [(0.3, 0.6), (0.6, 0.58), (0.5, 0.5)])
@pytest.mark.parametrize("step", [1, 300])
def test_a_target_is_reached_and_held(strategy: Strategy, soc: float, target: float, step: int) -> None:
    house = steered(NIGHT, soc, strategy=strategy, soc_target=target, use_grid_power=True, battery_to_grid=6000.0)
    house.advance(NIGHT + HOUR, step)
    assert house.battery.soc == pytest.approx(target, abs=0.002)
    held = live(house, 1)
    assert max(held.soc) - min(held.soc) < 0.002
    assert house.control.target == target


def test_below_the_target_it_waits_for_the_sun_unless_it_may_use_the_grid() -> None:
    control: dict[str, Any] = {"strategy": Strategy.SOC_TARGET, "soc_target": 0.8}
    seen = live(steered(NIGHT, 0.3, **control), 1)
    assert set(seen.battery) == {0.0}
    assert min(seen.grid) > 100.0
    seen = live(steered(NIGHT, 0.3, **control, use_grid_power=True), 1)
    assert min(seen.battery) < -7000.0
    assert max(seen.grid) > 7000.0
    assert seen.soc[-1] > 0.7
    seen = live(steered(NOON, 0.3, **control), 0.3)
    for battery, left in zip(seen.battery, seen.left_over, strict=True):
        assert battery == pytest.approx(-left, abs=NEAR) or left > 6000.0
    assert seen.soc[-1] > 0.3


def test_above_the_target_it_feeds_the_household_and_the_grid_as_far_as_it_may() -> None:
    control: dict[str, Any] = {"strategy": Strategy.SOC_TARGET, "soc_target": 0.2}
    seen = live(steered(NIGHT, 0.9, **control), 1)
    assert all(abs(grid) < NEAR for grid in seen.grid)
    seen = live(steered(NIGHT, 0.9, **control, battery_to_grid=2000.0), 1)
    assert all(-2000.0 <= grid < -1900.0 for grid in seen.grid)
    assert seen.soc[-1] < 0.7


def test_external_power_is_the_power_of_the_battery_and_the_grid_is_the_balance() -> None:
    seen = live(steered(NIGHT, 0.8, strategy=Strategy.EXTERNAL, battery_power=2500.0, battery_to_grid=6000.0), 1)
    assert set(seen.battery) == {2500.0}
    assert min(seen.grid) < -1500.0
    assert all(later < earlier for earlier, later in pairwise(seen.soc))
    seen = live(steered(NIGHT, 0.3, strategy=Strategy.EXTERNAL, battery_power=-2500.0, use_grid_power=True), 1)
    assert set(seen.battery) == {-2500.0}
    assert min(seen.grid) > 2500.0
    assert seen.soc[-1] == pytest.approx(0.3 + 2500.0 * 0.975 / 9600.0, abs=0.002)


def test_external_power_of_nothing_holds_the_battery() -> None:
    for begin in (NIGHT, NOON):
        seen = live(steered(begin, 0.5, strategy=Strategy.EXTERNAL), 1)
        assert set(seen.battery) == {0.0}
        assert (seen.grid[-1] > 0.0) == (begin == NIGHT)


def test_without_the_grid_external_charging_takes_what_the_sun_leaves_over() -> None:
    seen = live(steered(NIGHT, 0.3, strategy=Strategy.EXTERNAL, battery_power=-4000.0), 1)
    assert set(seen.battery) == {0.0}
    house = steered(NOON - 5 * HOUR, 0.3, strategy=Strategy.EXTERNAL, battery_power=-1000.0)
    seen = live(house, 5)
    assert min(seen.battery) == -1000.0  # the sun is strong enough at times
    for battery, grid, left in zip(seen.battery, seen.grid, seen.left_over, strict=True):
        if left < 990.0:
            assert battery == pytest.approx(-max(left, 0.0), abs=NEAR)
        if battery < 0.0:
            assert grid < NEAR


def test_external_discharge_stays_in_the_house_unless_it_may_go_to_the_grid() -> None:
    seen = live(steered(NIGHT, 0.8, strategy=Strategy.EXTERNAL, battery_power=5000.0), 1)
    assert all(abs(grid) < NEAR for grid in seen.grid)
    seen = live(steered(NIGHT, 0.8, strategy=Strategy.EXTERNAL, battery_power=5000.0, battery_to_grid=700.0), 1)
    assert all(-700.0 <= grid < -650.0 for grid in seen.grid)


@pytest.mark.parametrize("power", [50_000.0, -50_000.0])
@pytest.mark.parametrize(("towers", "amperes"), [(1, MAX_CURRENT), (2, CONVERTER_CURRENT)])
def test_external_power_is_bounded_by_the_battery_and_the_inverter(power: float, towers: int, amperes: float) -> None:
    given = []
    for seed in range(4):
        house = House(seed, NOON, towers=towers)
        for tower in house.bank.towers:
            tower.soc = 0.5
        house.control = Control(
            strategy=Strategy.EXTERNAL, battery_power=power, battery_to_grid=50_000.0, use_grid_power=True
        )
        for time in range(NOON + STEP, NOON + 600, STEP):
            house.advance(time, STEP)
            given.append(house.ac)
            assert 0.0 < abs(house.bank.current) <= amperes * 1.05
    assert max(given) <= AC_MAX
    assert power < 0.0 or max(given) > 0.98 * AC_MAX - 20.0  # the sun and the battery could give more


# --- limits ---


def test_soc_min_and_soc_max_bound_the_battery_in_every_strategy() -> None:
    bounds: dict[str, Any] = {"soc_min": 0.4, "soc_max": 0.6, "soc_charge": 0.0}
    for strategy in Strategy:
        for power, target in ((-9000.0, 1.0), (9000.0, 0.0)):
            house = steered(NOON, 0.5, strategy=strategy, battery_power=power, soc_target=target, use_grid_power=True,
                            battery_to_grid=9000.0, **bounds)  # fmt: skip
            seen = live(house, 16)
            assert min(seen.soc) >= 0.4 - 1e-9
            assert max(seen.soc) <= 0.6 + 1e-9
            if strategy in SELF_CONSUMPTION or power > 0.0:
                assert min(seen.soc) < 0.42
            if strategy in SELF_CONSUMPTION or power < 0.0:
                assert max(seen.soc) > 0.55


def test_outside_of_its_bounds_it_only_comes_back() -> None:
    house = steered(NIGHT, 0.3, soc_min=0.5, soc_charge=0.0)
    assert set(live(house, 1).battery) == {0.0}  # it waits for the sun
    house = steered(NOON, 0.8, soc_max=0.6)
    seen = live(house, 0.2)
    assert set(seen.battery) == {0.0}
    assert house.control.target == 0.6
    assert live(steered(NIGHT, 0.8, soc_max=0.6), 1).soc[-1] < 0.8


def test_maintenance_charges_from_the_grid_until_soc_min() -> None:
    house = steered(NIGHT, 0.28, soc_min=0.32, soc_charge=0.3, soc_charge_power=1500.0)
    seen = live(house, 2)
    assert set(seen.battery[:20]) == {-1500.0}
    assert min(seen.grid[:20]) > 1500.0
    assert seen.soc[-1] == pytest.approx(0.32, abs=2 * SATISFIED)
    assert seen.battery[-1] == 0.0  # and nothing is taken out below soc_min
    assert max(seen.soc) <= 0.32 + 1e-9


@pytest.mark.parametrize("strategy", Strategy)
def test_maintenance_goes_before_every_strategy(strategy: Strategy) -> None:
    house = steered(NIGHT, 0.2, strategy=strategy, soc_charge=0.3, soc_min=0.32, soc_charge_power=800.0,
                    battery_power=3000.0, soc_target=0.1)  # fmt: skip
    assert set(live(house, 0.2).battery) == {-800.0}


@pytest.mark.parametrize("strategy", Strategy)
def test_the_sun_charges_a_low_battery_faster(strategy: Strategy) -> None:
    house = steered(NOON, 0.2, strategy=strategy, soc_charge=0.3, soc_min=0.32)
    assert max(live(house, 0.1).battery) < -1000.0


def test_maintenance_ends_at_soc_min_however_long_the_steps_are() -> None:
    house = steered(NIGHT, 0.28, soc_min=0.32, soc_charge=0.3, soc_charge_power=6000.0)
    socs = []
    for time in range(NIGHT + 300, NIGHT + HOUR, 300):
        house.advance(time, 300)
        socs.append(house.battery.soc)
    assert socs[-1] == max(socs) == pytest.approx(0.32, abs=2 * SATISFIED)
    assert max(socs) <= 0.32 + 1e-9


def test_reduction_bounds_the_solar_side() -> None:
    free, reduced, none = (strings(power_reduction) for power_reduction in (1.0, 0.3, 0.0))
    assert max(free) > 0.4 * PEAK_POWER
    assert reduced == [min(power, 0.3 * PEAK_POWER) for power in free]
    assert set(none) == {0.0}


def strings(power_reduction: float) -> list[float]:
    house = steered(NOON, 0.5, power_reduction=power_reduction)
    powers = []
    for time in range(NOON + 60, NOON + 2 * HOUR, 60):
        house.advance(time, 60)
        powers += house.pv
        assert not house.is_dark
    return powers


def test_it_is_dark_at_night() -> None:
    house = House(0, NIGHT)
    house.advance(NIGHT + 300, 300)
    assert house.is_dark
    house.advance(NOON, 300)
    assert not house.is_dark


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 3),
    towers=st.integers(1, 2),
    slaves=st.lists(st.floats(0.1, 3.0), max_size=2),
    begin=st.sampled_from([NIGHT, NOON]),
    soc=st.floats(0.0, 1.0),
    control=st.builds(
        Control,
        strategy=st.integers(0, 6),
        soc_target=st.floats(0.0, 1.0),
        soc_min=st.floats(0.0, 1.0),
        soc_max=st.floats(0.0, 1.0),
        soc_charge=st.floats(0.0, 1.0),
        soc_charge_power=st.floats(0.0, 1e5),
        battery_power=st.floats(-1e5, 1e5),
        battery_to_grid=st.floats(0.0, 1e5),
        use_grid_power=st.booleans(),
        power_reduction=st.floats(0.0, 1.0),
    ),
)
def test_all_adds_up_whatever_is_set(
    seed: int, towers: int, slaves: list[float], begin: int, soc: float, control: Control
) -> None:
    house = House(seed, begin, towers=towers, slaves=slaves)
    house.control = control
    for tower in house.bank.towers:
        tower.soc = soc
    for time in range(begin + 300, begin + 4 * HOUR, 300):
        before = [tower.soc for tower in house.bank.towers]
        house.advance(time, 300)
        power = house.bank.power
        assert house.ac + house.grid + house.external == pytest.approx(house.load, abs=1e-6)
        assert house.ac == pytest.approx(ac_power(sum(house.pv) + power), abs=1e-6)
        assert sum(tower.power for tower in house.bank.towers) == pytest.approx(power, abs=1e-6)
        assert sum(house.grid_phases) == pytest.approx(house.grid, abs=1e-6)
        for tower, old in zip(house.bank.towers, before, strict=True):
            assert min(old, control.soc_min) - 1e-9 <= tower.soc <= max(old, control.soc_max) + 1e-9
        feed = max(0.0, power - max(0.0, dc_power(house.load - house.external) - sum(house.pv)))
        assert feed <= control.battery_to_grid + NEAR


# --- writes ---


STEERING: list[tuple[str, Value, Callable[[Control], Any], Any]] = [
    ("power_mng.soc_strategy", 2, lambda control: control.strategy, Strategy.EXTERNAL),
    ("power_mng.soc_target_set", 0.61, lambda control: control.soc_target, 0.61),
    ("power_mng.soc_min", 0.31, lambda control: control.soc_min, 0.31),
    ("power_mng.soc_max", 0.81, lambda control: control.soc_max, 0.81),
    ("power_mng.soc_charge", 0.21, lambda control: control.soc_charge, 0.21),
    ("power_mng.soc_charge_power", 1234.5, lambda control: control.soc_charge_power, 1234.5),
    ("power_mng.battery_power_extern", -3210.0, lambda control: control.battery_power, -3210.0),
    ("p_rec_lim[1]", 4321.0, lambda control: control.battery_to_grid, 4321.0),
    ("power_mng.use_grid_power_enable", True, lambda control: control.use_grid_power, True),
    ("buf_v_control.power_reduction", 0.123, lambda control: control.power_reduction, 0.123),
]


def test_by_default_the_objects_say_what_the_house_does(inverter: Inverter) -> None:
    assert inverter.house.control == Control()
    assert len(STEERING) == len(fields(Control))


def test_the_page_names_all_that_steers() -> None:
    page = (Path(__file__).parent.parent / "docs/simulator.md").read_text("utf-8")
    assert [name for name, *_ in STEERING if f"`{name}`" not in page] == []


@pytest.mark.parametrize(("name", "value", "part", "expected"), STEERING, ids=[row[0] for row in STEERING])
def test_a_write_reaches_the_house(
    inverter: Inverter, name: str, value: Value, part: Callable[[Control], Any], expected: Any
) -> None:
    answer = write(inverter, name, value)
    assert answer == Frame(Command.RESPONSE, registry[name].object_id, registry[name].encode(value))
    assert part(inverter.house.control) == expected
    assert read(inverter, name) == pytest.approx(value)
    inverter.reboot()
    assert inverter.house.control == Control()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e30, -1e30])
def test_no_value_confuses_the_house(inverter: Inverter, value: float) -> None:
    for name, default, *_ in STEERING:
        if isinstance(default, float):
            assert write(inverter, name, value)
    assert abs(inverter.house.control.battery_power) == (100_000.0 if abs(value) == 1e30 else 0.0)
    live(inverter.house, 0.2)


def test_setting_soc_charge_sets_soc_min_too(inverter: Inverter) -> None:
    write(inverter, "power_mng.soc_charge", 0.3)
    assert read(inverter, "power_mng.soc_min") == pytest.approx(0.32)
    assert read(inverter, "power_mng.soc_min_island") == pytest.approx(0.37)
    assert inverter.house.control == replace(Control(), soc_charge=0.3, soc_min=0.32)
    names = [registry[event.values[0]].name for event in events(inverter)[:3]]
    assert set(names) == {"power_mng.soc_charge", "power_mng.soc_min", "power_mng.soc_min_island"}
    write(inverter, "power_mng.soc_min", 0.25)
    assert read(inverter, "power_mng.soc_charge") == pytest.approx(0.3)
    write(inverter, "power_mng.soc_charge", 0.99)
    assert read(inverter, "power_mng.soc_min") == 1.0


def test_what_follows_from_settings_is_told(inverter: Inverter) -> None:
    names = ("battery.soc_target", "battery.soc_target_low", "battery.soc_target_high")
    assert [read(inverter, name) for name in names] == [pytest.approx(0.97)] * 3
    write(inverter, "power_mng.soc_max", 0.9)
    assert read(inverter, "battery.soc_target") == pytest.approx(0.9)
    write(inverter, "power_mng.soc_strategy", 1)
    assert read(inverter, "battery.soc_target") == pytest.approx(0.5)
    inverter.house.advance(inverter.house.time + 600, 300)
    page = inverter.history.ask("logger.minutes_soc_targ_log_ts", inverter.house.time + 1)
    assert isinstance(page, TimeSeries)
    assert page.samples[0].value == pytest.approx(0.5)


def test_charging_from_the_grid_shows_everywhere(inverter: Inverter) -> None:
    inverter.house.battery.soc = 0.3
    write(inverter, "power_mng.soc_strategy", 2)
    write(inverter, "power_mng.use_grid_power_enable", True)
    write(inverter, "power_mng.battery_power_extern", -6000.0)
    write(inverter, "buf_v_control.power_reduction", 0.0)
    inverter.house.advance(inverter.house.time + 60, 1)
    assert read(inverter, "g_sync.p_acc_lp") == -6000.0
    assert read(inverter, "g_sync.p_ac_sum_lp") < -6000.0
    assert read(inverter, "g_sync.p_ac_grid_sum_lp") > 6000.0
    assert read(inverter, "g_sync.s_ac_sum_lp") > 6000.0
    assert all(read(inverter, f"g_sync.i_dr_eff[{n}]") > 5.0 for n in range(3))
    assert read(inverter, "battery.current") < -10.0


# --- RAM and flash ---


def flash(inverter: Inverter) -> None:
    for payload in (b"\x05", b"\x00"):
        answer = inverter.answer(Frame(Command.WRITE, COM_SERVICE.object_id, payload))
        assert answer == Frame(Command.RESPONSE, COM_SERVICE.object_id, payload)


def test_values_are_lost_at_a_reboot_unless_flashed(inverter: Inverter) -> None:
    cycles = read(inverter, "flash_param.write_cycles")
    write(inverter, "power_mng.soc_max", 0.9)
    flash(inverter)
    write(inverter, "power_mng.soc_min", 0.2)
    inverter.reboot()
    assert read(inverter, "power_mng.soc_max") == pytest.approx(0.9)
    assert read(inverter, "power_mng.soc_min") == pytest.approx(0.07)
    assert inverter.house.control == Control(soc_max=0.9)
    assert inverter.flashed == 1
    assert read(inverter, "flash_param.write_cycles") == cycles + 1
    assert not inverter.harm


def test_only_5_and_then_0_flash(inverter: Inverter) -> None:
    for payload in (b"\x00", b"\x05", b"\x05"):
        assert inverter.answer(Frame(Command.WRITE, COM_SERVICE.object_id, payload))
    assert read(inverter, "com_service") == 5
    assert inverter.flashed == 0
    assert inverter.answer(Frame(Command.WRITE, COM_SERVICE.object_id, b"\x00"))
    assert inverter.flashed == 1
    assert inverter.answer(Frame(Command.WRITE, COM_SERVICE.object_id, b"\x00"))
    assert inverter.flashed == 1
    inverter.answer(Frame(Command.WRITE, COM_SERVICE.object_id, b"\x05"))
    inverter.reboot()
    assert read(inverter, "com_service") == 0
    assert not inverter.harm


def test_a_reboot_forgets_registrations_and_is_an_event(inverter: Inverter) -> None:
    series = registry["logger.minutes_soc_log_ts"]
    inverter.answer(Frame(Command.READ_PERIODICALLY, registry["battery.soc"].object_id))
    inverter.answer(Frame(Command.WRITE, series.object_id, inverter.house.time.to_bytes(4)))
    soc = read(inverter, "battery.soc")
    inverter.reboot()
    assert not inverter.periodic
    assert inverter.payload(series) == bytes(4)
    assert (events(inverter)[0].type, events(inverter)[0].time) == (RESET, inverter.house.time)
    assert read(inverter, "battery.soc") == soc


def test_another_version_stays(inverter: Inverter) -> None:
    inverter.install("2.3.5673")
    assert read(inverter, "svnversion") == "2.3.5673"
    inverter.reboot()
    assert read(inverter, "svnversion") == "2.3.5673"


# --- harm ---


HARMFUL = [
    *[("com_service", bytes([value])) for value in (1, 2, 3, 4, *range(6, 18), 255)],
    ("com_service", b""),
    ("com_service", b"\x00\x00\x00\x05"),
    ("pas.period", bytes(4)),
    ("pas.period", (60).to_bytes(4)),
    ("pas.period", b"\x00"),
]


@pytest.mark.parametrize(("name", "payload"), HARMFUL)
def test_harm_is_counted_and_said(
    inverter: Inverter, name: str, payload: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    inverter.answer(Frame(Command.WRITE, registry[name].object_id, payload))
    assert inverter.harm == {name: 1}
    assert f"a write of {payload.hex(' ') or 'nothing'} to {name} can harm a real inverter" in caplog.text
    assert read(inverter, "com_service") == 0
    assert inverter.flashed == 0


def test_a_harmful_service_between_5_and_0_changes_nothing(inverter: Inverter) -> None:
    for payload in (b"\x05", b"\x04", b"\x00"):
        inverter.answer(Frame(Command.WRITE, COM_SERVICE.object_id, payload))
    assert inverter.flashed == 1
    assert inverter.harm == {"com_service": 1}


def test_a_period_of_0_clears_all_registrations(inverter: Inverter) -> None:
    inverter.answer(Frame(Command.READ_PERIODICALLY, registry["battery.soc"].object_id))
    assert write(inverter, "pas.period", 60)
    assert (inverter.period, read(inverter, "pas.period"), len(inverter.periodic)) == (60, 60, 1)
    assert write(inverter, "pas.period", 0) is None
    assert (inverter.period, read(inverter, "pas.period"), len(inverter.periodic)) == (60, 60, 0)
    inverter.reboot()
    assert inverter.period == 30
    assert inverter.harm == {"pas.period": 2}
