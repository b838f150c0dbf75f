"""The simulated house adds up: at every instant, and over days."""

from __future__ import annotations

import calendar

import pytest

from rct_tools.simulator.battery import CAPACITY, EFFICIENCY
from rct_tools.simulator.control import Control
from rct_tools.simulator.house import LOG_INTERVAL, METERS, House, ac_power
from rct_tools.simulator.sky import DAY, Plane, Sky

WINTER = calendar.timegm((2023, 12, 20, 0, 0, 0))
SUMMER = calendar.timegm((2024, 6, 20, 0, 0, 0))


def steps(house: House, seconds: int, step: int) -> range:
    return range(house.time + step, house.time + seconds + step, step)


@pytest.mark.parametrize("begin", [WINTER, SUMMER])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_powers_add_up_at_every_instant(begin: int, seed: int) -> None:
    house = House(seed, begin)
    for time in steps(house, 3 * DAY, 30):
        house.advance(time, 30)
        assert house.ac == pytest.approx(ac_power(sum(house.pv) + house.battery.power), abs=1e-6)
        assert house.ac + house.grid + house.external == pytest.approx(house.load, abs=1e-6)
        for phases, total in (
            (house.load_phases, house.load),
            (house.ac_phases, house.ac),
            (house.grid_phases, house.grid),
        ):
            assert sum(phases) == pytest.approx(total, abs=0.01)
        assert house.battery.power == pytest.approx(house.battery.voltage * house.battery.current, abs=1e-6)
        assert house.load > 0.0
        assert min(house.pv) >= 0.0
        assert house.ac >= 0.0


@pytest.mark.parametrize("begin", [WINTER, SUMMER])
def test_state_of_charge_integrates_the_power_of_the_battery(begin: int) -> None:
    house = House(3, begin)
    battery = house.battery
    charged = discharged = 0.0
    for time in steps(house, 4 * DAY, 60):
        before = battery.soc
        house.advance(time, 60)
        if battery.power < 0.0:
            change = -battery.power * EFFICIENCY
            charged -= battery.power / 60.0
        else:
            change = -battery.power / EFFICIENCY
            discharged += battery.power / 60.0
        assert battery.soc - before == pytest.approx(change / 60.0 / CAPACITY, abs=1e-9)
        assert Control().soc_min - 1e-9 <= battery.soc <= Control().soc_max + 1e-9
    assert battery.stored_energy == pytest.approx(charged)
    assert battery.used_energy == pytest.approx(discharged)
    assert charged > 1000.0
    assert discharged > 1000.0


def test_energies_are_the_sums_of_the_powers_and_begin_anew_at_midnight() -> None:
    house = House(1, calendar.timegm((2023, 12, 30, 0, 0, 0)))
    sums = dict.fromkeys(METERS, 0.0)
    months = dict.fromkeys(METERS, 0.0)
    for time in steps(house, 4 * DAY, 60):
        if time % DAY == 60:
            sums = dict.fromkeys(METERS, 0.0)
            assert all(meter.day == 0.0 for meter in house.energy.values())
        if time == calendar.timegm((2024, 1, 1, 0, 1, 0)):
            months = dict.fromkeys(METERS, 0.0)
            assert all(meter.month == meter.year == 0.0 for meter in house.energy.values())
            assert house.energy["load"].total > 0.0
        house.advance(time, 60)
        powers = (
            *house.pv, house.ac, house.load, max(0.0, house.grid), min(0.0, house.grid), house.external,
        )  # fmt: skip
        for name, power in zip(METERS, powers, strict=True):
            sums[name] += power / 60.0
            months[name] += power / 60.0
        if time % DAY:
            for name, meter in house.energy.items():
                assert meter.day == pytest.approx(sums[name], abs=1e-6)
                assert meter.month == pytest.approx(months[name], abs=1e-6)
    assert house.energy["grid_feed"].total <= 0.0 <= house.energy["grid_load"].total


def test_signs_follow_the_sun() -> None:
    house = House(0, SUMMER)
    house.battery.soc = 0.5
    house.advance(SUMMER + 3 * 3600, 60)
    assert house.battery.power > 0.0  # at night it feeds the house
    assert house.battery.current > 0.0
    assert sum(house.pv) == 0.0
    powers = []
    feeds = []
    for time in steps(house, 12 * 3600, 60):
        house.advance(time, 60)
        powers.append(house.battery.power)
        feeds.append(house.grid)
    assert min(powers) < -1000.0  # in the morning it is charged
    assert min(feeds) < -1000.0  # at noon power is sold


def test_the_same_seed_makes_the_same_house_however_time_is_cut() -> None:
    one, other, stranger = House(5, SUMMER), House(5, SUMMER), House(6, SUMMER)
    one.advance(SUMMER + DAY, 10)
    for time in range(SUMMER, SUMMER + DAY + 1, 7):
        other.advance(time + 0.3, 10)
    other.advance(SUMMER + DAY, 10)
    stranger.advance(SUMMER + DAY, 10)
    assert one.battery.soc == other.battery.soc
    assert {name: meter.total for name, meter in one.energy.items()} == {
        name: meter.total for name, meter in other.energy.items()
    }
    assert one.load != stranger.load


def test_coarse_steps_come_close_to_fine_ones() -> None:
    fine, coarse = House(2, SUMMER), House(2, SUMMER)
    fine.advance(SUMMER + 10 * DAY, 30)
    coarse.advance(SUMMER + 10 * DAY, 300)
    for name in ("dc[0]", "dc[1]", "ac", "load"):
        assert coarse.energy[name].total == pytest.approx(fine.energy[name].total, rel=0.03)


def test_time_waits_on_its_grid_of_steps() -> None:
    house = House(0, SUMMER + 3)
    house.advance(SUMMER + 9.9, 10)
    assert house.time == SUMMER + 3
    house.advance(SUMMER + 10, 10)
    assert house.time == SUMMER + 10
    house.advance(SUMMER + 17.5, 1)
    assert house.time == SUMMER + 17


def test_the_log_is_called_each_interval_before_the_meters_begin_anew() -> None:
    seen: list[tuple[int, float]] = []
    house = House(0, SUMMER, lambda house: seen.append((house.time, house.energy["load"].day)))
    house.advance(SUMMER + DAY + LOG_INTERVAL, 60)
    assert [time for time, _ in seen] == list(range(SUMMER + LOG_INTERVAL, SUMMER + DAY + 301, LOG_INTERVAL))
    assert seen[-2][1] > 2000.0  # of the whole day, at midnight
    assert seen[-1][1] < 500.0


def test_years_are_plausible() -> None:
    house = House(0, calendar.timegm((2023, 1, 1, 0, 0, 0)))
    house.advance(calendar.timegm((2023, 12, 31, 0, 0, 0)), 3600)
    energy = house.energy
    assert 8_000_000 < energy["dc[0]"].total + energy["dc[1]"].total < 12_000_000  # of 9.6 kWp, in Wh
    assert 2_500_000 < energy["load"].total < 4_500_000
    assert 100 < house.battery.cycles < 300
    assert -25.0 < house.air < 40.0


def test_mains_and_strings_stay_within_what_a_grid_and_a_roof_do() -> None:
    house = House(4, SUMMER)
    for time in steps(house, 2 * DAY, 300):
        house.advance(time, 300)
        assert all(225.0 < volts < 250.0 for volts in house.grid_voltage)
        assert 49.9 < house.grid_frequency < 50.1
        assert all(power < 4800.0 for power in house.pv)
        assert all(power == 0.0 or volts > 150.0 for power, volts in zip(house.pv, house.pv_voltage, strict=True))
        assert 10.0 < house.heat_sink < 80.0


def test_cells_add_up_to_the_battery_and_stay_between_their_extremes() -> None:
    house = House(2, SUMMER)
    for time in steps(house, DAY, 1800):
        house.advance(time, 300)
        modules = house.battery.modules()
        assert sum(cell.voltage for module in modules for cell in module) == pytest.approx(
            house.battery.voltage, abs=0.1
        )
        for module, extremes in zip(modules, house.battery.statistics, strict=True):
            voltages = [cell.voltage for cell in module]
            temperatures = [cell.temperature for cell in module]
            assert extremes.u_min.value < min(voltages)
            assert max(voltages) < extremes.u_max.value
            assert extremes.t_min.value < min(temperatures)
            assert max(temperatures) < extremes.t_max.value


def test_the_sun_rises_in_the_east_and_stands_high_in_summer() -> None:
    east, west = Plane(40.0, -80.0), Plane(40.0, 80.0)
    sky = Sky(0, (east, west))
    morning, noon, evening = (
        [sky.irradiance(SUMMER + day * DAY + hour * 3600) for day in range(20)] for hour in (7, 12.333, 17.667)
    )
    assert sum(e for e, _ in morning) > 2 * sum(w for _, w in morning)
    assert sum(w for _, w in evening) > 2 * sum(e for e, _ in evening)
    for e, w in noon:
        assert e == pytest.approx(w, rel=0.01)
    winter = [sky.irradiance(WINTER + day * DAY + 12 * 3600) for day in range(20)]
    assert sum(map(sum, winter)) < sum(map(sum, noon)) / 2
    assert sky.irradiance(SUMMER + 30) == [0.0, 0.0]
