"""Linked inverters, a second battery tower, who is who, and a clock that is wrong."""

from __future__ import annotations

import calendar
from typing import Any

import pytest

from rct_tools.frame import Command, Frame
from rct_tools.objects import registry
from rct_tools.simulator.battery import AMP_HOURS, CAPACITY, CONVERTER_CURRENT
from rct_tools.simulator.control import Control
from rct_tools.simulator.house import House
from rct_tools.simulator.identity import ADDRESS, SEEDS, identity
from rct_tools.simulator.inverter import Inverter
from rct_tools.simulator.objects import LIVE, SECOND_TOWER
from rct_tools.values import CellStatistics, EventTable, TimeSeries, Value, decode_value

START = calendar.timegm((2024, 5, 27, 12, 3, 7))
HOUR = 3600


def read(inverter: Inverter, name: str, address: int | None = None) -> Any:
    info = registry[name]
    command = Command.READ if address is None else Command.PLANT_READ
    answer = inverter.answer(Frame(command, info.object_id, b"", address or 0))
    assert answer is not None
    assert answer.address == (address or 0)
    return info.decode(answer.payload)


@pytest.fixture
def plant() -> Inverter:
    return Inverter.with_past(0, START, slaves=2)


@pytest.fixture
def towers() -> Inverter:
    return Inverter.with_past(0, START, towers=2)


def address(n: int) -> int:
    return ADDRESS + n


# --- slaves ---


def test_each_inverter_answers_by_its_address(plant: Inverter) -> None:
    addresses = [address(n) for n in range(3)]
    assert [read(plant, "net.id", each) for each in addresses] == addresses
    serials = [read(plant, "inverter_sn", each) for each in addresses]
    assert serials == ["SIM0000001", "SIM0100001", "SIM0200001"]
    assert len({read(plant, "battery.bms_sn", each) for each in addresses}) == 3
    assert len({read(plant, "battery.module_sn[4]", each) for each in addresses}) == 3
    assert [read(plant, "wifi.sockb_protocol", each) for each in addresses] == [1, 2, 2]
    assert [read(plant, "net.index", each) for each in addresses] == [0, 1, 2]


def test_nobody_answers_by_an_address_that_nobody_has(plant: Inverter) -> None:
    soc = registry["battery.soc"].object_id
    for nobody in (0, address(3), address(-1), 2**32 - 1):
        assert plant.answer(Frame(Command.PLANT_READ, soc, b"", nobody)) is None
    assert plant.answer(Frame(Command.PLANT_RESPONSE, soc, bytes(4), address(1))) is None
    assert plant.answer(Frame(Command.PLANT_READ, 0x12345678, b"", address(1))) is None


def test_the_plant_adds_up(plant: Inverter) -> None:
    for _ in range(20):
        plant.house.advance(plant.house.time + 600, 60)
        others = sum(read(plant, "g_sync.p_ac_sum_lp", address(n)) for n in (1, 2))
        external = read(plant, "io_board.s0_external_power")
        assert external == pytest.approx(others)
        assert read(plant, "net.slave_p_total") == external
        assert read(plant, "g_sync.p_ac_sum_lp") + read(plant, "g_sync.p_ac_grid_sum_lp") + external == pytest.approx(
            read(plant, "g_sync.p_ac_load_sum_lp"), abs=0.1
        )
        for n in (1, 2):
            solar = sum(read(plant, f"dc_conv.dc_conv_struct[{k}].p_dc_lp", address(n)) for k in range(2))
            assert 0.9 * solar - 20.0 <= read(plant, "g_sync.p_ac_sum_lp", address(n)) <= solar
            assert read(plant, "io_board.s0_external_power", address(n)) == 0.0
            assert read(plant, "g_sync.p_acc_lp", address(n)) == 0.0
    assert others > 0.0
    one, two = (read(plant, "g_sync.p_ac_sum_lp", address(n)) for n in (1, 2))
    assert one != two


@pytest.mark.parametrize("period", ["day", "month", "year", "total"])
def test_the_energies_of_the_plant_add_up(plant: Inverter, period: str) -> None:
    def energy(kind: str, who: int | None = None) -> float:
        place = kind.partition("[")
        value = read(plant, f"energy.e_{place[0]}_{period}{''.join(place[1:])}", who)
        assert isinstance(value, float)
        return value

    external = energy("ext")
    assert external > 0.0
    assert sum(energy("ac", address(n)) for n in (1, 2)) == pytest.approx(external, rel=1e-5)
    assert energy("ac") + energy("grid_load") + energy("grid_feed") + external == pytest.approx(
        energy("load"), rel=1e-5, abs=2.0
    )
    for n in (1, 2):
        assert energy("grid_feed", address(n)) == pytest.approx(-energy("ac", address(n)))
        assert energy("load", address(n)) == energy("ext", address(n)) == energy("grid_load", address(n)) == 0.0
    for string in ("dc[0]", "dc[1]"):
        total = read(plant, f"energy.e_dc_{period}_sum{string[2:]}")
        assert total == pytest.approx(sum(energy(string, address(n)) for n in range(3)), rel=1e-5)
    assert read(plant, f"energy.e_ac_{period}_sum") == pytest.approx(energy("ac") + external, rel=1e-5)
    assert read(plant, f"energy.e_load_{period}_sum") == energy("load")
    assert read(plant, f"energy.e_ext_{period}_sum") == 0.0


def test_the_master_knows_its_slaves(plant: Inverter) -> None:
    assert [read(plant, f"net.{name}") for name in ("n_devices", "n_slaves", "n_descendants")] == [3, 2, 2]
    assert read(plant, "net.slave_data") == b"".join(address(n).to_bytes(4) for n in range(3))
    assert read(plant, "net.slave_data", address(1)) == address(1).to_bytes(4)


def test_a_surplus_of_the_slaves_fills_the_battery_only_if_it_may() -> None:
    night = calendar.timegm((2024, 6, 20, 1, 0, 0))
    for may in (False, True):
        house = House(0, night, slaves=[3.0])
        house.control = Control(use_grid_power=may)
        house.advance(night + 5 * HOUR, 60)  # the sun is up
        taken = []
        for time in range(house.time + 60, house.time + 2 * HOUR, 60):
            house.advance(time, 60)
            taken.append(-house.ac)
            assert house.grid < 4.0 or house.battery.power > 0.0
        assert (max(taken) > 500.0) == may
        assert (max(taken) > 0.0) == may


def test_writes_to_a_slave_are_its_own(plant: Inverter) -> None:
    strategy = registry["power_mng.soc_strategy"]
    answer = plant.answer(Frame(Command.PLANT_WRITE, strategy.object_id, b"\x02", address(1)))
    assert answer == Frame(Command.PLANT_RESPONSE, strategy.object_id, b"\x02", address(1))
    assert [read(plant, strategy.name, address(n)) for n in range(3)] == [4, 2, 4]
    assert plant.house.control.strategy == 4
    maximum = registry["power_mng.soc_max"]
    plant.answer(Frame(Command.PLANT_WRITE, maximum.object_id, maximum.encode(0.5), address(2)))
    assert read(plant, "battery.soc_target", address(2)) == 0.5
    assert read(plant, "battery.soc_target") == pytest.approx(0.97)


def test_harm_to_a_slave_is_harm(plant: Inverter) -> None:
    plant.answer(Frame(Command.PLANT_WRITE, registry["com_service"].object_id, b"\x03", address(2)))
    assert plant.harm == {"com_service": 1}


def test_a_slave_remembers_its_start_only(plant: Inverter) -> None:
    now = plant.house.time.to_bytes(4)
    for name, rows in (("logger.minutes_eac_log_ts", 0), ("logger.error_log_time_stamp", 1)):
        info = registry[name]
        answer = plant.answer(Frame(Command.PLANT_WRITE, info.object_id, now, address(1)))
        assert answer is not None
        assert answer.command is Command.PLANT_LONG_RESPONSE
        page = info.decode(answer.payload)
        assert isinstance(page, TimeSeries | EventTable)
        assert len(page.samples if isinstance(page, TimeSeries) else page.events) == rows


def test_all_objects_of_a_slave_answer(plant: Inverter) -> None:
    for info in registry:
        answer = plant.answer(Frame(Command.PLANT_READ, info.object_id, b"", address(2)))
        assert answer is not None
        info.decode(answer.payload)


# --- towers ---


def test_the_second_tower_has_values_of_its_own(towers: Inverter) -> None:
    towers.house.advance(START + 9 * HOUR, 300)
    assert read(towers, "power_mng.n_batteries") == 2
    for name in ("soc", "voltage", "current", "temperature", "ah_capacity", "soh", "bms_sn",
                 "cells[0]", "cells_resist[4]", "cells_stat[2]", "module_sn[0]", "bms_software_version"):  # fmt: skip
        first, second = read(towers, f"battery.{name}"), read(towers, f"battery_placeholder[0].{name}")
        assert first != second, name
        assert second, name
    assert read(towers, "battery_placeholder[0].soc") == pytest.approx(read(towers, "battery.soc"), abs=0.1)
    payload = read(towers, "battery_placeholder[0].cells_stat[2]")
    extremes = decode_value(registry["battery.cells_stat[2]"].data_type, payload)
    assert isinstance(extremes, CellStatistics)
    assert read(towers, "battery_placeholder[0].cells_stat[2].u_min.value") == extremes.u_min.value


def test_towers_share_the_power_and_have_more_to_give(towers: Inverter) -> None:
    house = towers.house
    assert house.bank.amp_hours_full > 1.9 * AMP_HOURS
    assert sum(tower.capacity for tower in house.bank.towers) > 1.9 * CAPACITY
    for _ in range(40):
        house.advance(house.time + 1800, 300)
        assert sum(tower.power for tower in house.bank.towers) == pytest.approx(house.bank.power)
        assert abs(house.bank.current) <= CONVERTER_CURRENT * 1.03
        assert all(0.07 - 1e-9 <= tower.soc <= 0.97 + 1e-9 for tower in house.bank.towers)
        assert read(towers, "g_sync.p_acc_lp") == pytest.approx(house.bank.power)
        assert read(towers, "acc_conv.i_acc_lp_fast") == pytest.approx(
            read(towers, "battery.current") + read(towers, "battery_placeholder[0].current"), abs=1e-3
        )
        socs = [tower.soc for tower in house.bank.towers]
        assert min(socs) - 1e-6 <= read(towers, "net.soc_av") <= max(socs) + 1e-6
        assert read(towers, "power_mng.amp_hours") == pytest.approx(house.bank.soc * house.bank.amp_hours_full)
    info = registry["logger.minutes_ebat_log_ts"]
    assert house.bank.given == sum(tower.used_energy - tower.stored_energy for tower in house.bank.towers)
    page = towers.history.ask(info.name, house.time + 1)
    assert len(page.samples) > 30


def test_all_objects_answer_with_two_towers(towers: Inverter) -> None:
    for info in registry:
        info.decode(towers.payload(info))
    assert all(name in registry for name in SECOND_TOWER)
    assert not SECOND_TOWER.keys() & LIVE.keys()


def test_with_one_tower_there_is_no_second() -> None:
    inverter = Inverter.with_past(0, START)
    assert read(inverter, "battery_placeholder[0].soc") == 0.0
    assert read(inverter, "battery_placeholder[0].bms_sn") == ""
    assert read(inverter, "power_mng.n_batteries") == 1


# --- who is who ---


def test_each_seed_is_somebody_else() -> None:
    assert Inverter.with_past(0, START).address == ADDRESS
    everybody = [identity(seed, 3, number=n, towers=2) for seed in (0, 1, 2, 77, SEEDS - 1) for n in range(4)]
    for name in ("inverter_sn", "net.id"):
        assert len({who[name] for who in everybody}) == len(everybody)
    serials = [
        value for who in everybody for name, value in who.items() if name.endswith(("bms_sn", "_sn[0]", "_sn[4]"))
    ]
    assert len(set(serials)) == len(serials) == len(everybody) * 6
    assert identity(SEEDS) == identity(0)
    assert identity(-1)["inverter_sn"] == "SIM0010000"


def test_seed_0_is_who_it_always_was() -> None:
    who = identity(0)
    assert (who["inverter_sn"], who["net.id"], who["battery.bms_sn"]) == ("SIM0000001", 4711, "SIMBMS0001")
    modules: list[Value] = [who[f"battery.module_sn[{n}]"] for n in range(5)]
    assert modules == [f"SIMMOD000{n}" for n in range(1, 6)]
    assert who["net.slave_data"] == (4711).to_bytes(4)


# --- the clock ---


@pytest.mark.parametrize("off", [3600, -7200, 86400 * 400])
def test_a_wrong_clock_shows_in_all_times(off: int) -> None:
    right, wrong = Inverter.with_past(0, START), Inverter.with_past(0, START)
    wrong.clock_off = off
    assert wrong.clock_off == off
    assert wrong.house.time == START
    for name in ("flash_rtc.time_stamp", "flash_rtc.time_stamp_set", "flash_rtc.time_stamp_update"):
        assert read(wrong, name) == read(right, name) + off
    for name in ("logger.minutes_eac_log_ts", "logger.day_eac_log_ts", "logger.error_log_time_stamp"):
        info = registry[name]
        asked = START + off
        there = wrong.answer(Frame(Command.WRITE, info.object_id, asked.to_bytes(4)))
        assert there is not None
        page = info.decode(there.payload)
        if isinstance(page, TimeSeries):
            assert page.time == asked
            known = right.history.ask(name, START)
            both = min(len(page.samples), len(known.samples))  # how many there are depends on the time asked for
            assert both >= 38
            assert [(time - off, value) for time, value in page.samples[:both]] == list(known.samples[:both])
        else:
            assert isinstance(page, EventTable)
            assert page.time == asked
            for event, truth in zip(page.events, right.history.ask_events(name, START).events, strict=True):
                assert (event.type, event.time - off, event.values[1:]) == (truth.type, truth.time, truth.values[1:])
                assert event.values[0] - truth.values[0] == (0 if event.type in (0x73, 0x77) else off)


@pytest.mark.parametrize("off", [-(2**33), 2**33])
def test_no_clock_is_so_wrong_that_it_cannot_be_told(off: int) -> None:
    inverter = Inverter.with_past(0, START)
    inverter.clock_off = off
    for info in registry:
        for command, payload in ((Command.READ, b""), (Command.WRITE, START.to_bytes(4))):
            if command is Command.READ or info.is_query:
                assert inverter.answer(Frame(command, info.object_id, payload)) is not None


def test_a_clock_can_be_put_right() -> None:
    inverter = Inverter.with_past(0, START)
    inverter.clock_off = 100
    inverter.reboot()
    assert read(inverter, "flash_rtc.time_stamp") == START + 100
    inverter.clock_off = 0
    assert read(inverter, "flash_rtc.time_stamp") == START
