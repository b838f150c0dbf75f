"""How an inverter and its battery are: asked of the simulated one, which may have faults, two towers, or no battery."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Awaitable, Callable
from dataclasses import fields, replace
from datetime import datetime
from math import inf, nan
from typing import TypeVar
from zoneinfo import ZoneInfo

import pytest

from rct_tools import registry
from rct_tools.client import Client, connect
from rct_tools.errors import NoAnswer, RctError
from rct_tools.health import Battery, Energies, Fault, Health, Label, Place, battery, status
from rct_tools.health.answers import Answers
from rct_tools.health.answers import ask as ask_for
from rct_tools.simulator.faults import Faults
from rct_tools.values import Cell, CellExtreme, CellStatistics

from answering import NOON, Answering
from warp import warp

T = TypeVar("T")

BERLIN = ZoneInfo("Europe/Berlin")
DAY = Energies(made_a=6000.0, made_b=3000.0, external=1000.0, used=5000.0, imported=500.0, fed_in=-4000.0)


def asked(simulator: Answering, ask: Callable[[Client], Awaitable[T]]) -> T:
    """Return what is found, on a clock that jumps over the waiting."""

    async def main() -> T:
        async with simulator, connect("127.0.0.1", simulator.port, tries=1) as inverter:
            return await ask(inverter)

    return warp(main())


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110  # the clock jumps
        await asyncio.sleep(0.1)


def health_of(simulator: Answering) -> Health:
    return asked(simulator, lambda inverter: status(inverter, zone=BERLIN))


def battery_of(simulator: Answering) -> Battery:
    return asked(simulator, lambda inverter: battery(inverter, zone=BERLIN))


# --- shares ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "self_consumption", "autarky"),
    [
        (DAY, 0.6, 0.9),
        (replace(DAY, fed_in=-0.0, imported=0.0), 1.0, 1.0),
        (replace(DAY, fed_in=-12_000.0, imported=7000.0), 0.0, 0.0),  # the battery was emptied, and filled, by the grid
        (replace(DAY, fed_in=3.0, imported=-3.0), 1.0, 1.0),  # meters that are read one after the other
        (replace(DAY, made_a=1e-44, made_b=0.0, external=0.0, fed_in=0.0), None, 0.9),  # before the sun rises
        (replace(DAY, used=0.0), 0.6, None),
        *((replace(DAY, **{name: None}), None, 0.9) for name in ("made_a", "made_b", "external", "fed_in")),
        *((replace(DAY, **{name: None}), 0.6, None) for name in ("used", "imported")),
    ],
)
def test_shares_of_a_day(day: Energies, self_consumption: float | None, autarky: float | None) -> None:
    assert (day.self_consumption, day.autarky) == pytest.approx((self_consumption, autarky))


# --- status ---------------------------------------------------------------------------------------------------------


def test_a_healthy_inverter() -> None:
    simulator = Answering({})
    found = health_of(simulator)
    house = simulator.house
    assert (found.name, found.serial, found.firmware) == ("Simulated inverter", "SIM0000001", "2.3.5678")
    assert found.clock == NOON.replace(tzinfo=BERLIN)
    assert (found.state, found.strategy) == (Label(13, "Feed in"), Label(4, "Internal"))
    assert (found.separated, found.faults, found.missing) == (False, (), ())
    assert found.powers.sun == pytest.approx(sum(house.pv), rel=1e-6)
    assert found.powers.house == pytest.approx(house.load, rel=1e-6)
    assert found.powers.grid == pytest.approx(house.grid, rel=1e-6)
    assert found.today.fed_in == pytest.approx(house.energy["grid_feed"].day, rel=1e-6)
    assert found.today.fed_in is not None
    assert found.today.fed_in < 0
    assert found.today.made == pytest.approx(house.energy["dc[0]"].day + house.energy["dc[1]"].day, rel=1e-6)
    assert found.battery is not None
    assert found.battery.soc == pytest.approx(house.bank.soc)
    assert (found.battery.second, found.battery.status) == (None, Label(0, ""))
    assert found.battery.calibration is not None
    assert found.battery.calibration.utcoffset() == BERLIN.utcoffset(NOON)
    assert found.quality.requests >= 35
    assert (found.quality.repeated, found.quality.unanswered, found.quality.cut, found.quality.others) == (
        0,
        0,
        0,
        False,
    )
    assert found.time > 0


def test_faults_have_names() -> None:
    said = {
        "fault[0].flt": struct.pack(">I", 1 << 25 | 1),
        "fault[3].flt": struct.pack(">I", 1 << 31),
        "prim_sm.island_flag": struct.pack(">H", 1),
        "prim_sm.state": b"\x63",
        "battery.bat_status": struct.pack(">i", 1032),
    }
    found = health_of(Answering(said))
    assert found.faults == (
        Fault(0, "trap"),
        Fault(25, "insulation too low or implausible"),
        Fault(127, "neutral"),
    )
    assert found.separated is True
    assert found.state == Label(99, "")
    assert found.battery is not None
    assert found.battery.status == Label(1032, "calibration charge, calibration discharge")


def test_what_is_silent_is_none_and_never_0() -> None:
    silent = ("energy.e_dc_day[1]", "energy.e_grid_load_day", "fault[2].flt", "battery.*", "power_mng.*", "prim_sm.*")
    found = health_of(Answering(dict.fromkeys(silent)))
    assert found.faults is None
    assert (found.state, found.strategy, found.separated) == (None, None, None)
    assert (found.today.made, found.today.self_consumption, found.today.autarky) == (None, None, None)
    assert found.today.made_a
    assert found.battery is not None  # nobody said that there is none
    assert {getattr(found.battery, field.name) for field in fields(found.battery)} == {None}
    assert set(found.missing) >= {"energy.e_dc_day[1]", "fault[2].flt", "battery.soc", "prim_sm.state"}
    assert not any(name.startswith("g_sync") for name in found.missing)


def test_a_fault_is_told_though_a_register_is_silent() -> None:
    found = health_of(Answering({"fault[0].flt": struct.pack(">I", 2), "fault[1].flt": None}))
    assert found.faults == (Fault(1, "RTC cannot be configured"),)


@pytest.mark.parametrize("number", [nan, inf])
def test_what_is_no_number_is_none(number: float) -> None:
    found = health_of(Answering({"g_sync.p_ac_load_sum_lp": struct.pack(">f", number)}))
    assert (found.powers.house, found.missing) == (None, ())


def test_an_inverter_without_battery() -> None:
    assert health_of(Answering({"battery.bms_sn": b"\0"})).battery is None


def test_calibration_that_is_not_planned() -> None:
    found = health_of(Answering({"power_mng.bat_next_calib_date": bytes(4)}))
    assert found.battery is not None
    assert found.battery.calibration is None


def test_the_second_tower_in_short() -> None:
    simulator = Answering({}, faults=Faults(towers=2))
    found = health_of(simulator)
    assert found.battery is not None
    assert found.battery.second == pytest.approx(simulator.house.bank.towers[1].soc)


@pytest.mark.parametrize("ask", [status, battery])
def test_one_that_says_nothing(ask: Callable[[Client], Awaitable[object]]) -> None:
    with pytest.raises(RctError, match=r"127\.0\.0\.1"):
        asked(Answering({"*": None}), ask)


@pytest.mark.parametrize("ask", [status, battery])
def test_one_that_says_only_what_it_is(ask: Callable[[Client], Awaitable[object]]) -> None:
    simulator = Answering({"svnversion": b"2.3.5678\0", "*": None})
    if ask is status:
        assert health_of(simulator).firmware == "2.3.5678"
    else:
        with pytest.raises(NoAnswer, match=r"no answer for battery\.bms_sn"):
            battery_of(simulator)


def test_faults_of_the_line_are_counted() -> None:
    found = health_of(Answering({}, faults=Faults(lost=0.2, cut=0.1)))
    assert found.missing == ()
    assert found.quality.repeated > 0
    assert found.quality.unanswered > 0


# --- battery --------------------------------------------------------------------------------------------------------


def test_all_cells() -> None:
    simulator = Answering({})
    found = battery_of(simulator)
    (tower,) = found.towers
    truth = simulator.house.battery
    assert found.missing == ()
    assert [module.number for module in tower.modules] == [0, 1, 2, 3, 4]
    assert [module.cells for module in tower.modules] == truth.modules()
    assert [module.resistances for module in tower.modules] == truth.resistances
    assert [module.serial for module in tower.modules] == [f"SIMMOD{n:04}" for n in range(1, 6)]
    assert (tower.cycles, tower.capacity, tower.version) == (truth.cycles, 25.0, 5600)
    assert sum(module.voltage or 0.0 for module in tower.modules) == pytest.approx(tower.voltage, abs=0.01)
    cells = [cell for module in truth.modules() for cell in module]
    volts = [cell.voltage for cell in cells]
    assert tower.lowest is not None
    assert tower.highest is not None
    assert (tower.lowest.value, tower.highest.value) == (min(volts), max(volts))
    assert divmod(volts.index(max(volts)), 24) == tower.highest[:2]
    assert tower.spread == pytest.approx(max(volts) - min(volts))
    assert tower.coldest is not None
    assert tower.warmest is not None
    assert tower.coldest.value == min(cell.temperature for cell in cells)
    assert tower.warmest.value == max(cell.temperature for cell in cells)


def test_extremes_have_the_time_of_the_inverters_zone() -> None:
    winter, summer = 1_705_320_000, 1_721_044_800  # 15 January 2024, 12:00 on the wall; and July
    seen = CellStatistics(
        CellExtreme(3, winter, 2.75), CellExtreme(4, summer, 3.6), CellExtreme(0, 0, 0.0), CellExtreme(5, summer, nan)
    )
    found = battery_of(Answering({"battery.cells_stat[1]": registry["battery.cells_stat[1]"].encode(seen)}))
    extremes = found.towers[0].modules[1].extremes
    assert extremes is not None
    assert extremes.u_min is not None
    assert extremes.u_max is not None
    assert extremes.u_min.time.isoformat() == "2024-01-15T12:00:00+01:00"
    assert extremes.u_max.time.isoformat() == "2024-07-15T12:00:00+02:00"
    assert (extremes.u_min.cell, extremes.u_min.value) == (3, 2.75)
    assert extremes.t_min is extremes.t_max is None  # never recorded, and no number


def test_two_towers() -> None:
    simulator = Answering({}, faults=Faults(towers=2))
    found = battery_of(simulator)
    assert [tower.serial for tower in found.towers] == ["SIMBMS0001", "SIMBMS0002"]
    for tower, truth in zip(found.towers, simulator.house.bank.towers, strict=True):
        assert [module.cells for module in tower.modules] == truth.modules()
        assert [module.resistances for module in tower.modules] == truth.resistances
        assert tower.soc == pytest.approx(truth.soc)
        assert tower.modules[0].extremes is not None
        assert tower.modules[0].extremes.u_min is not None
        assert tower.modules[0].extremes.u_min.value == pytest.approx(truth.statistics[0].u_min.value)
    assert found.towers[1].status is None  # there is no such object for it
    assert (found.missing, found.trouble) == ((), "")


def test_each_object_is_asked_once() -> None:
    async def ask(inverter: Client) -> list[str]:
        names: list[str] = []
        with inverter.hearing(lambda reading: names.append(reading.object.name)):
            await battery(inverter, zone=BERLIN)
        return names

    names = asked(Answering({}, faults=Faults(towers=2)), ask)
    assert len(names) == len(set(names)) > 70


def test_what_came_before_the_connection_was_lost_is_kept() -> None:
    found = battery_of(Answering({}, until="battery.module_sn[0]"))
    (tower,) = found.towers
    assert tower.serial == "SIMBMS0001"
    assert (tower.modules, tower.spread) == ((), None)
    assert found.trouble.startswith("127.0.0.1:")
    assert {"battery.module_sn[0]", "battery.cells[6]"} <= set(found.missing)


def test_a_connection_that_comes_back_was_lost_all_the_same() -> None:
    async def main() -> Answers:
        async with Answering({}) as simulator, connect("127.0.0.1", simulator.port, tries=None) as inverter:
            await until(lambda: inverter.connected)
            with inverter.hearing(lambda _: simulator.night(60)):
                first = await ask_for(inverter, [f"battery.cells[{n}]" for n in range(7)])
            await until(lambda: inverter.connected)
            return await ask_for(inverter, ["battery.voltage"], first)

    found = warp(main())
    assert "battery.voltage" in found.readings
    assert found.missing
    assert "connect" in found.trouble


def test_structures_of_the_second_tower_that_do_not_fit() -> None:
    said = {"battery_placeholder[0].cells[2]": b"abcd", "battery_placeholder[0].cells_resist[2]": None}
    found = battery_of(Answering(said, faults=Faults(towers=2)))
    module = found.towers[1].modules[2]
    assert (module.cells, module.resistances, module.voltage) == (None, None, None)
    assert found.missing == ("battery_placeholder[0].cells_resist[2]",)


def test_modules_whose_serial_numbers_are_silent() -> None:
    found = battery_of(Answering({"battery.module_sn[*]": None, "battery.bms_sn": None}))
    (tower,) = found.towers
    assert tower.serial is None
    assert [module.number for module in tower.modules] == [0, 1, 2, 3, 4]  # the others have cells without voltage
    assert {module.serial for module in tower.modules} == {None}
    assert "battery.module_sn[6]" in found.missing


def test_cells_that_are_silent() -> None:
    said = {"battery.cells[*]": None, "battery.cells_resist[*]": b"", "battery.cells_stat[0]": None}
    found = battery_of(Answering(said))
    (tower,) = found.towers
    assert {tower.lowest, tower.highest, tower.coldest, tower.warmest, tower.spread} == {None}
    module = tower.modules[0]
    assert (module.cells, module.resistances, module.extremes) == (None, None, None)
    assert module.cycles is not None
    assert {"battery.cells[4]", "battery.cells_resist[0]", "battery.cells_stat[0]"} <= set(found.missing)


def test_no_battery() -> None:
    found = battery_of(Answering({"battery.bms_sn": b"\0"}))
    assert (found.towers, found.missing) == ((), ())


def test_one_cell_that_stands_out() -> None:
    cells = (Cell(20, 3.3, 0),) * 23 + (Cell(31, 2.9, 1),)
    found = battery_of(Answering({"battery.cells[4]": registry["battery.cells[4]"].encode(cells)}))
    (tower,) = found.towers
    assert tower.lowest == Place(4, 23, 2.9)
    assert tower.warmest == Place(4, 23, 31.0)


async def test_the_zone_is_that_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    async with Answering({}) as simulator, connect("127.0.0.1", simulator.port) as inverter:
        found = await status(inverter)
        extremes = (await battery(inverter)).towers[0].modules[0].extremes
    assert found.clock == datetime(2024, 6, 21, 12, tzinfo=ZoneInfo("America/New_York"))
    assert extremes is not None
    assert extremes.u_max is not None
    assert str(extremes.u_max.time.tzinfo) == "America/New_York"
