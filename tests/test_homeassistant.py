"""What Home Assistant is told, message by message: no broker is needed for that."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rct_tools.events import EVENTS
from rct_tools.homeassistant import HomeAssistant, Message, topic_level
from rct_tools.homeassistant.entities import catalogue
from rct_tools.homeassistant.totals import BELIEVED, Total
from rct_tools.homeassistant.views import VIEWS
from rct_tools.objects import ObjectInfo, registry
from rct_tools.plan import Expected, Source
from rct_tools.reading import Reading
from rct_tools.times import SECOND
from rct_tools.values import Cell, CellExtreme, CellStatistics, DataType, Value

from one_house import INTERVAL, info_of, readings, source, values

NOON = 1_782_043_200 * SECOND  # 2026-06-21 12:00 UTC, 14:00 in Berlin
MINUTE = 60 * SECOND
DAY = 24 * 60 * MINUTE
SERIAL = "SIMINV0001"
BERLIN = ZoneInfo("Europe/Berlin")

ALL = HomeAssistant([source()], prefix="rct")
STATES = {state.key: state for state in catalogue().states}


def take(home: HomeAssistant, values: Mapping[str, Value], time: int = NOON, inverter: str = "roof") -> list[Message]:
    return [message for reading in readings(values, time, inverter) for message in home.take(reading)]


def serial_number() -> str:
    return str(values()["inverter_sn"])


def configs(messages: Sequence[Message]) -> dict[str, Any]:
    """The discovery messages among some, by topic."""
    found = {m.topic: json.loads(m.payload) for m in messages if m.topic.endswith("/config") and m.payload}
    assert all(m.retain for m in messages)
    return found


def states(messages: Sequence[Message]) -> dict[str, str]:
    """The states among some messages, by key."""
    return {m.topic.rpartition("/")[2]: m.payload for m in messages if not m.topic.endswith("/config")}


def small(*objects: str, inverter: str = "roof", interval: int = INTERVAL) -> Source:
    """A source that has no more than some objects."""
    return Source(
        inverter, "Europe/Berlin", {name: Expected(info_of(name), name, interval) for name in (*objects, "inverter_sn")}
    )


def announced(*objects: str, prefix: str = "rct", inverter: str = "roof") -> HomeAssistant:
    """A Home Assistant that knows the serial number already."""
    home = HomeAssistant([small(*objects, inverter=inverter)], prefix=prefix)
    take(home, {"inverter_sn": SERIAL}, NOON - MINUTE, inverter)
    return home


# --- the table ------------------------------------------------------------------------------------------------------

UNITS: dict[str | None, set[str | None]] = {  # of the device classes that we use, as Home Assistant documents them
    "power": {"W"},
    "energy": {"Wh"},
    "voltage": {"V"},
    "current": {"A"},
    "frequency": {"Hz"},
    "temperature": {"°C"},
    "battery": {"%"},
    "data_size": {"B"},
    "duration": {"min"},
    "enum": {None},
    "timestamp": {None},
    "problem": {None},
    "connectivity": {None},
    None: {None, "%", "Ah", "Ω", "mΩ", "Wp"},
}
CLASSES: dict[str, set[str | None]] = {"energy": {"total", "total_increasing"}, "enum": {None}, "timestamp": {None}}


def test_every_row_is_what_home_assistant_takes() -> None:
    entities = [entity for state in catalogue().states for entity in state.entities]
    assert max(Counter(entity.key for entity in entities).values()) == 1
    for entity in entities:
        config = entity.config
        kind, state_class = config.get("device_class"), config.get("state_class")
        assert config.get("unit_of_measurement") in UNITS[kind], entity
        assert state_class in CLASSES.get(str(kind), {None, "measurement", "total_increasing"}), entity
        assert ("options" in config) == (kind == "enum")
        assert max(Counter(config.get("options", ["one"])).values()) == 1
        assert config.get("entity_category", "diagnostic") == "diagnostic"  # a sensor may be nothing else
        assert entity.component == "sensor" or not {"state_class", "unit_of_measurement"} & config.keys()
        assert entity.key == entity.key.lower()
        assert "*" not in entity.key + config["name"]


def test_every_row_is_of_objects_that_there_are() -> None:
    assert {state.view for state in catalogue().states} == VIEWS.keys()
    for state in catalogue().states:
        assert state.device in catalogue().devices
        assert all(info_of(name) for name in state.objects)
    for device in catalogue().devices.values():
        assert all(info_of(name) for name in (*device.described_by, *device.present))


# --- states ---------------------------------------------------------------------------------------------------------

CELLS = (Cell(21, 3.301, 0), Cell(24, 3.312, 0), *[Cell(0, 0.0, 0)] * 22)
NO_STATISTICS = CellStatistics(*[CellExtreme(0, 0, 0.0)] * 4)
STATISTICS = CellStatistics(
    CellExtreme(3, 9, 3.1), CellExtreme(4, 9, 3.55), CellExtreme(5, 9, 12.0), CellExtreme(6, 9, 31.0)
)
SHOWN: list[tuple[str, Value, dict[str, str]]] = [  # object, value, states
    ("g_sync.p_acc_lp", -2232.419921875, {"battery_power": "-2232"}),
    ("g_sync.p_acc_lp", -0.2, {"battery_power": "0"}),
    ("g_sync.p_acc_lp", math.nan, {}),
    ("g_sync.p_acc_lp", math.inf, {}),
    ("battery.soc", 0.8478931188583374, {"battery_charge": "84.8"}),
    ("battery.soc", math.nan, {}),
    ("grid_pll[0].f", 49.98765, {"grid_frequency": "49.988"}),
    ("energy.e_grid_feed_total", -5.0, {"grid_export_total": "5", "grid_export_negative_total": "-5"}),
    ("energy.e_grid_feed_total", math.nan, {}),
    (
        "energy.e_grid_feed_month",
        -7.4,
        {
            "grid_export_this_month": "7",
            "grid_export_negative_this_month": '{"value": "-7", "last_reset": "2026-06-01T00:00:00+02:00"}',
        },
    ),
    ("energy.e_grid_feed_year", math.nan, {}),
    ("fault[2].flt", 6, {"fault_register_3": "6"}),
    ("prim_sm.state", 13, {"state": "Feed in"}),
    ("prim_sm.state", 99, {"state": "other"}),
    ("prim_sm.island_flag", 2, {"grid_separated": "OFF"}),
    ("prim_sm.island_flag", 3, {"grid_separated": "ON"}),
    ("battery.bat_status", 0, {"battery_status": "normal", "battery_status_code": "0"}),
    ("battery.bat_status", 8, {"battery_status": "calibrating", "battery_status_code": "8"}),
    ("battery.bat_status", 1032, {"battery_status": "calibrating", "battery_status_code": "1032"}),
    ("battery.bat_status", 2048, {"battery_status": "balancing", "battery_status_code": "2048"}),
    ("battery.bat_status", 3, {"battery_status": "other", "battery_status_code": "3"}),
    ("battery.status2", 0b1100, {"battery_bms_status": "ready, calibration charge"}),
    ("battery.status2", 0, {"battery_bms_status": "0"}),
    ("power_mng.bat_next_calib_date", 1_782_050_400, {"battery_next_calibration": "2026-06-21T14:00:00+02:00"}),
    ("power_mng.bat_next_calib_date", 1_767_268_800, {"battery_next_calibration": "2026-01-01T12:00:00+01:00"}),
    ("power_mng.bat_next_calib_date", 0, {}),
    ("power_mng.use_grid_power_enable", True, {"battery_grid_charging": "ON"}),
    ("svnversion", "", {}),
    ("svnversion", "6a" * 200, {"firmware": ("6a" * 200)[:255]}),
    ("rb485.version_main", 190101, {"switch_firmware": "190101"}),
    ("link.up", False, {"link": "OFF"}),
    ("link.bad_frames[crc]", 7, {"link_bad_frames_checksum": "7"}),
    (
        "battery.cells[0]",
        CELLS,
        {
            "module_1_voltage_min": "3.301",
            "module_1_voltage_max": "3.312",
            "module_1_voltage_spread": "0.011",
            "module_1_temperature_min": "21",
            "module_1_temperature_max": "24",
            "module_1_cell_voltage": json.dumps([3.301, 3.312] + [None] * 22),
            "module_1_cell_temperature": json.dumps([21, 24] + [None] * 22),
        },
    ),
    ("battery.cells[0]", CELLS[2:], {}),
    ("battery.cells[0]", "no cells", {}),
    (
        "battery.cells_resist[6]",
        (0.5, 0.75, 0.0),
        {"module_7_resistance_max": "0.750", "module_7_cell_resistance": "[0.5, 0.75, null]"},
    ),
    ("battery.cells_resist[6]", (0.0,) * 24, {}),
    ("battery.cells_resist[6]", 1.0, {}),
    (
        "battery.cells_stat[1]",
        STATISTICS,
        {
            "module_2_voltage_min_ever": "3.100",
            "module_2_voltage_max_ever": "3.550",
            "module_2_temperature_min_ever": "12",
            "module_2_temperature_max_ever": "31",
        },
    ),
    ("battery.cells_stat[1]", NO_STATISTICS, {}),
]


@pytest.mark.parametrize(("name", "value", "shown"), SHOWN, ids=lambda part: part if isinstance(part, str) else "")
def test_value_is_shown(name: str, value: Value, shown: dict[str, str]) -> None:
    assert states(take(announced(name), {name: value})) == shown


def test_faults_are_told_by_name_when_all_registers_are_known() -> None:
    registers = [f"fault[{n}].flt" for n in range(4)]
    home = announced(*registers)
    first = states(take(home, dict.fromkeys(registers[:3], 0)))
    assert first == {"fault_register_1": "0", "fault_register_2": "0", "fault_register_3": "0"}
    told = states(take(home, {registers[3]: 1 << 4}))
    assert (told["faults"], told["problem"]) == ("battery overvoltage", "ON")
    told = states(take(home, dict.fromkeys(registers, 0), NOON + MINUTE))
    assert (told["faults"], told["problem"]) == ("no fault", "OFF")
    told = states(take(home, dict.fromkeys(registers, 0xFFFFFFFF), NOON + 2 * MINUTE))
    assert len(told["faults"]) == 255
    assert told["faults"].startswith("trap, RTC cannot be configured, ")
    assert told["faults"].endswith("…")


def test_sum_is_of_one_time_and_of_all_parts() -> None:
    a, b = (f"dc_conv.dc_conv_struct[{n}].p_dc" for n in range(2))
    home = announced(a, b)
    assert "pv_power" not in states(take(home, {a: 100.0}))
    assert states(take(home, {b: 20.0}, NOON + 1))["pv_power"] == "120"
    assert "pv_power" not in states(take(home, {b: 21.0}, NOON + MINUTE))  # and a does not answer
    assert "pv_power" not in states(take(home, {a: 300.0}, NOON + 3 * MINUTE))  # one minute more than an interval
    assert states(take(home, {b: 23.0}, NOON + 3 * MINUTE))["pv_power"] == "323"
    assert "pv_power" not in states(take(home, {a: math.nan, b: 24.0}, NOON + 4 * MINUTE))


def test_sum_is_of_the_strings_that_are_collected() -> None:
    home = announced("dc_conv.dc_conv_struct[1].p_dc")
    assert states(take(home, {"dc_conv.dc_conv_struct[1].p_dc": 20.0})) == {"pv_power": "20", "pv_power_b": "20"}


def test_a_string_that_is_not_connected_is_nothing_in_a_sum() -> None:
    a, b = ("dc_conv.dc_conv_struct[0].p_dc", "dc_conv.dc_conv_struct[1].p_dc")
    proof = "dc_conv.dc_conv_struct[1].enabled"
    home = announced(a, b, proof)
    assert "pv_power" not in states(take(home, {a: 100.0}))
    take(home, {proof: False})
    assert states(take(home, {a: 110.0}, NOON + 1))["pv_power"] == "110"
    take(home, {proof: True})
    assert "pv_power" not in states(take(home, {a: 120.0}, NOON + 2))
    take(home, {proof: False})  # which is there for all that
    assert "pv_power" not in states(take(home, {a: 130.0}, NOON + 3))


def test_state_is_told_when_it_changes_and_every_five_minutes() -> None:
    home = announced("battery.voltage")

    def told(value: float, minute: float) -> bool:
        return bool(take(home, {"battery.voltage": value}, NOON + round(minute * MINUTE)))

    assert told(400.0, 0)
    assert not told(400.04, 1)  # not to be seen
    assert told(400.06, 2)
    assert not told(400.1, 6.9)
    assert told(400.1, 7)
    assert told(400.1, -60)  # the clock was set back
    assert not told(400.1, -59)


# --- counters -------------------------------------------------------------------------------------------------------


def at(day: int, hour: int, minute: int = 0, *, month: int = 6) -> int:
    return int(datetime(2026, month, day, hour, minute, tzinfo=BERLIN).timestamp()) * SECOND


TOTALS: list[tuple[str, list[tuple[int, float, float]]]] = [  # period; time, value, shown
    ("", [(0, 10.0, 10.0), (1, 9.9, 10.0), (2, 10.1, 10.1)]),  # a slip
    ("", [(0, 10.0, 10.0), *[(n, 6.0, 10.0) for n in range(1, 20)], (20, 11.0, 11.0)]),  # no reset is that small
    ("", [(0, 10.0, 10.0), (1, 0.0, 10.0), (2, 0.0, 10.0), (3, 10.0, 10.0)]),  # starting
    ("", [(0, 10.0, 10.0), *[(n, 1.0, 10.0) for n in range(1, 5)], (5, 1.5, 1.5), (6, 1.4, 1.5)]),  # replaced
    ("", [(0, 9.0, 9.0), *[(n, 1.0, 9.0) for n in range(4)], (5, 8.0, 9.0), *[(n, 1.0, 9.0) for n in range(4)]]),
    ("day", [(at(21, 12), 10.0, 10.0), (at(21, 13), 0.0, 10.0), (at(21, 14), 11.0, 11.0)]),
    ("day", [(at(21, 23, 59), 10.0, 10.0), (at(22, 0), 0.0, 0.0), (at(22, 0, 1), 0.1, 0.1)]),
    ("day", [(at(21, 20), 10.0, 10.0), (at(22, 9), 8.0, 8.0)]),  # nothing to be heard at night
    ("day", [(at(22, 0, 1), 10.0, 10.0), (at(22, 0, 4), 0.0, 0.0)]),  # its clock is slow
    ("day", [(at(21, 23, 50), 10.0, 10.0), (at(21, 23, 55), 0.0, 0.0)]),  # its clock is fast
    ("month", [(at(21, 12), 10.0, 10.0), (at(22, 12), 9.0, 10.0), (at(1, 0, month=7), 0.0, 0.0)]),
    ("year", [(at(21, 12), 10.0, 10.0), (at(1, 0, month=7), 0.0, 10.0), (at(31, 23, 30, month=12), 0.0, 0.0)]),
]


@pytest.mark.parametrize(("period", "rows"), TOTALS)
def test_total(period: str, rows: list[tuple[int, float, float]]) -> None:
    total = Total(BERLIN, period)
    assert [total.take(value, time) for time, value, _ in rows] == [shown for _, _, shown in rows]


@given(st.lists(st.floats(0, 1e7), min_size=1))
def test_total_goes_back_only_when_half_of_it_was_missing_again_and_again(values: list[float]) -> None:
    total = Total(UTC, "")
    shown = [total.take(value, time) for time, value in enumerate(values)]
    for n in range(1, len(shown)):
        if shown[n] < shown[n - 1]:
            assert all(value < shown[n - 1] / 2 for value in values[n + 1 - BELIEVED : n + 1])
            assert shown[n] == values[n]


def test_counters_are_held_and_powers_are_not() -> None:
    home = announced("energy.e_load_total", "g_sync.p_ac_load_sum_lp")
    take(home, {"energy.e_load_total": 5000.0, "g_sync.p_ac_load_sum_lp": 800.0})
    told = states(take(home, {"energy.e_load_total": 0.0, "g_sync.p_ac_load_sum_lp": 0.0}, NOON + MINUTE))
    assert told == {"house_power": "0"}


# --- discovery ------------------------------------------------------------------------------------------------------


def test_everything_is_announced_once_and_before_its_state() -> None:
    home = HomeAssistant([source()], prefix="rct")
    messages = take(home, values())
    found = configs(messages)
    expected = {
        entity.key
        for state in catalogue().states
        if not state.device.startswith(("module_6", "module_7", "second_"))  # the house has five, and one battery
        for entity in state.entities
    }
    assert {topic.split("/")[3] for topic in found} == expected
    assert len(found) == sum(m.topic.endswith("/config") for m in messages) - _repeated(messages)
    known: set[str] = set()
    for message in messages:
        if message.topic.endswith("/config"):
            known.add(json.loads(message.payload)["state_topic"])
        else:
            assert message.topic in known
    shown = {m.topic for m in messages if not m.topic.endswith("/config")}
    assert known == shown | {"rct/roof/event"}  # which the sink says, since it is no state
    assert take(home, values(), NOON + MINUTE) == []


def _repeated(messages: Sequence[Message]) -> int:
    """How often something was announced again, since more was known of its device."""
    return sum(n - 1 for n in Counter(m.topic for m in messages if m.topic.endswith("/config")).values())


def test_an_announcement_in_full() -> None:
    home = announced("battery.soc", "battery.bms_sn")
    take(home, {"battery.bms_sn": "BMS7"})
    (config, state) = take(home, {"battery.soc": 0.5})
    assert config.topic == "homeassistant/sensor/rct_siminv0001/battery_charge/config"
    shown = json.loads(config.payload)
    assert shown.pop("origin").keys() == {"name", "sw_version"}
    assert shown == {
        "name": "State of charge",
        "unique_id": "rct_siminv0001_battery_charge",
        "state_topic": "rct/roof/homeassistant/battery_charge",
        "device_class": "battery",
        "state_class": "measurement",
        "unit_of_measurement": "%",
        "suggested_display_precision": 1,
        "expire_after": 900,
        "availability": [{"topic": "rct/status"}, {"topic": "rct/roof/status"}],
        "availability_mode": "all",
        "device": {
            "identifiers": ["rct_siminv0001_battery"],
            "name": "RCT roof battery",
            "serial_number": "BMS7",
            "via_device": "rct_siminv0001",
        },
    }
    assert state == Message("rct/roof/homeassistant/battery_charge", "50.0", retain=True)


def test_devices_stand_behind_each_other() -> None:
    home = HomeAssistant([source()], prefix="rct")
    devices = {c["device"]["identifiers"][0]: c["device"] for c in configs(take(home, values())).values()}
    node = f"rct_{serial_number().lower()}"
    behind = {
        key.removeprefix(node): device.get("via_device", "").removeprefix(node) for key, device in devices.items()
    }
    modules = {f"_module_{n}": "_battery" for n in range(1, 6)}
    assert behind == {"": "", "_battery": "", "_power_switch": "", **modules}
    assert devices[node] == {
        "identifiers": [node],
        "name": "RCT roof",
        "manufacturer": "RCT Power",
        "model": "Power Storage",
        "serial_number": serial_number(),
        "sw_version": values()["svnversion"],
    }
    assert devices[f"{node}_battery"]["model"] == "Li-Ion RCT Power"
    assert devices[f"{node}_module_2"]["serial_number"] == "SIMMOD0002"
    assert devices[f"{node}_power_switch"]["sw_version"] == "190101"


@pytest.mark.parametrize(
    ("name", "shown"), [("roof", "RCT roof"), ("RCT", "RCT"), ("rct-2", "rct-2"), ("a/b", "RCT a/b")]
)
def test_name_of_the_device(name: str, shown: str) -> None:
    home = announced("grid_pll[0].f", inverter=name)
    (config,) = configs(take(home, {"grid_pll[0].f": 50.0}, inverter=name)).values()
    assert config["device"]["name"] == shown
    assert config["state_topic"] == f"rct/{topic_level(name)}/homeassistant/grid_frequency"


def test_the_link_is_known_of_an_inverter_that_is_away() -> None:
    home = announced("battery.voltage")
    (config,) = configs(take(home, {"link.up": True})).values()
    assert config["availability"] == [{"topic": "rct/status"}]
    assert states(take(home, {"link.up": False}, NOON + 1)) == {"link": "OFF"}


@pytest.mark.parametrize(("interval", "expiry"), [(5, 900), (60, 900), (300, 900), (3600, 10800), (86400, 259200)])
def test_states_expire(interval: int, expiry: int) -> None:
    home = HomeAssistant([small("grid_pll[0].f", interval=interval * SECOND)], prefix="rct")
    found = configs(take(home, {"inverter_sn": SERIAL, "grid_pll[0].f": 50.0}))
    assert {config["expire_after"] for config in found.values()} == {expiry}


def test_nothing_is_announced_before_the_serial_number() -> None:
    home = HomeAssistant([small("grid_pll[0].f", "battery.voltage", "svnversion")], prefix="rct")
    assert take(home, {"grid_pll[0].f": 49.9, "battery.voltage": 0.0, "svnversion": "7", "inverter_sn": ""}) == []
    assert take(home, {"grid_pll[0].f": 50.0}, NOON + 1) == []
    told = take(home, {"inverter_sn": SERIAL}, NOON + 2)
    assert states(told) == {"grid_frequency": "50.000", "firmware": "7", "serial_number": SERIAL}
    assert {c["device"]["sw_version"] for c in configs(told).values()} == {"7"}


def test_what_is_old_when_the_serial_number_comes_is_not_shown() -> None:
    home = HomeAssistant([small("grid_pll[0].f")], prefix="rct")
    take(home, {"grid_pll[0].f": 49.9})
    told = take(home, {"inverter_sn": SERIAL}, NOON + 16 * MINUTE)
    assert states(told) == {"serial_number": SERIAL}


def test_device_that_is_not_there_is_not_announced() -> None:
    home = announced("battery.soc", "battery.voltage", "battery.bms_sn", "rb485.available", "rb485.u_l_grid[0]")
    nothing: dict[str, Value] = {
        "battery.soc": 0.0,
        "battery.voltage": 0.0,
        "battery.bms_sn": "",
        "rb485.available": False,
    }
    assert take(home, nothing | {"rb485.u_l_grid[0]": 0.0}) == []
    told = states(take(home, {"battery.voltage": 400.0}, NOON + MINUTE))
    assert told == {"battery_charge": "0.0", "battery_voltage": "400.0"}
    told = states(take(home, {"rb485.available": True}, NOON + MINUTE))
    assert told == {"switch_grid_voltage_l1": "0.0", "switch_available": "ON"}
    assert states(take(home, {"rb485.available": False}, NOON + 2 * MINUTE)) == {"switch_available": "OFF"}


def test_second_battery_is_there_when_it_has_a_serial_number() -> None:
    second = "battery_placeholder[0]"
    home = announced(f"{second}.bms_sn", f"{second}.soc", f"{second}.status2", f"{second}.module_sn[6]")
    assert take(home, {f"{second}.bms_sn": "", f"{second}.soc": 0.0, f"{second}.module_sn[6]": ""}) == []
    told = states(take(home, {f"{second}.bms_sn": "B2", f"{second}.status2": 2048}, NOON + MINUTE))
    assert told == {"second_battery_charge": "0.0", "second_battery_bms_status": "balancing",
                    "second_battery_serial_number": "B2"}  # fmt: skip
    messages = take(home, {f"{second}.module_sn[6]": "M7"}, NOON + 2 * MINUTE)
    assert states(messages) == {"second_module_7_serial_number": "M7"}
    (config,) = configs(messages).values()
    assert config["device"]["name"].endswith("second battery module 7")


def test_module_is_there_when_it_has_a_serial_number_or_cells() -> None:
    home = announced("battery.cells[0]", "battery.module_sn[0]", "battery.cells[1]")
    assert take(home, {"battery.cells[0]": CELLS[2:], "battery.module_sn[0]": "", "battery.cells[1]": CELLS[2:]}) == []
    assert states(take(home, {"battery.module_sn[0]": "M1"})) == {"module_1_serial_number": "M1"}
    assert "module_2_voltage_min" in states(take(home, {"battery.cells[1]": CELLS}, NOON + MINUTE))


def test_unique_ids_survive_a_new_name() -> None:
    before = configs(take(announced("grid_pll[0].f"), {"grid_pll[0].f": 50.0}))
    after = configs(
        take(announced("grid_pll[0].f", inverter="garage"), {"grid_pll[0].f": 50.0}, inverter="garage"),
    )
    assert before.keys() == after.keys()
    (old,), (new,) = before.values(), after.values()
    assert (old["unique_id"], old["device"]["name"]) == (new["unique_id"], "RCT roof")
    assert new["device"]["name"] == "RCT garage"


def test_without_a_serial_number_the_name_counts() -> None:
    expects = {"grid_pll[0].f": Expected(registry["grid_pll[0].f"], "f", INTERVAL)}
    home = HomeAssistant([Source("Roof/1", "UTC", expects)], prefix="rct")
    (config,) = configs(take(home, {"grid_pll[0].f": 50.0}, inverter="Roof/1")).values()
    assert config["unique_id"] == "rct_roof_1_grid_frequency"
    # It may be read by hand: it is shown then, and changes no name.
    assert configs(take(home, {"inverter_sn": SERIAL}, inverter="Roof/1")) == {}


def test_new_firmware_is_announced_for_the_whole_device() -> None:
    home = announced("grid_pll[0].f", "battery.voltage", "svnversion")
    take(home, {"grid_pll[0].f": 50.0, "battery.voltage": 400.0, "svnversion": "7"})
    told = take(home, {"svnversion": "8"}, NOON + MINUTE)
    assert {c["device"]["sw_version"] for c in configs(told).values()} == {"8"}
    assert {topic.split("/")[3] for topic in configs(told)} == {"grid_frequency", "firmware", "serial_number"}
    assert states(told) == {"firmware": "8"}
    assert take(home, {"svnversion": "8"}, NOON + 2 * MINUTE) == []


def test_born_tells_all_that_holds_again() -> None:
    home = announced("grid_pll[0].f", "battery.voltage")
    assert {topic.split("/")[3] for topic in configs(home.born())} == {"serial_number"}
    take(home, {"grid_pll[0].f": 50.0})
    take(home, {"battery.voltage": 0.0, "link.up": True}, NOON + 14 * MINUTE)
    told = home.born()
    assert states(told) == {"grid_frequency": "50.000", "link": "ON", "serial_number": SERIAL}
    assert {topic.split("/")[3] for topic in configs(told)} == states(told).keys()
    take(home, {"link.up": True}, NOON + 16 * MINUTE)
    assert states(home.born()) == {"link": "ON"}


OTHERS: list[tuple[str, Value, str, dict[str, Any]]] = [  # object, value, state, what is in its announcement
    ("db.power_board.Current_AC_RMS", 1.5, "1.50", {"device_class": "current", "unit_of_measurement": "A"}),
    ("battery.soc_update_since", 1.5, "1.500", {"suggested_display_precision": 3}),
    ("pas.period", 30, "30", {"unit_of_measurement": "s", "suggested_display_precision": 0}),
    ("power_mng.is_grid", True, "ON", {}),
    ("wifi.sockb_protocol", 1, "master", {"options": ["standalone", "master", "slave", "other"]}),
    ("svnversion_factory", "7", "7", {}),
]


@pytest.mark.parametrize(("name", "value", "state", "config"), OTHERS)
def test_object_without_a_row_is_shown_by_its_unit(name: str, value: Value, state: str, config: dict[str, Any]) -> None:
    told = take(announced(name), {name: value})
    (topic,) = configs(told)
    assert list(states(told).values()) == [state]
    shown = configs(told)[topic]
    assert shown["name"] == name
    assert shown["entity_category"] == "diagnostic"
    assert {key: shown[key] for key in config} == config
    assert "expire_after" in shown


def test_what_cannot_be_shown_is_left_out() -> None:
    total = ObjectInfo(0, "power_panel", DataType.FLOAT, "W")
    infos = [total, registry["logger.buffer"], registry["logger.minutes_soc_log_ts"], registry["wifi.password"]]
    expects = {info.name: Expected(info, info.name, INTERVAL) for info in infos}
    home = HomeAssistant([Source("roof", "UTC", expects)], prefix="rct")
    assert [m for i in infos for m in home.take(Reading(NOON, "roof", i, 1.0))] == []
    assert take(home, {"battery.soc": 0.5}) == []  # not among what is expected
    assert take(home, {"battery.soc": 0.5}, inverter="roof/0000002A") == []  # nor is a member of the plant


# --- what is removed ------------------------------------------------------------------------------------------------


def config_of(home: HomeAssistant, name: str, value: Value, inverter: str = "roof") -> Message:
    (config,) = (m for m in take(home, {name: value}, inverter=inverter) if m.topic.endswith("/config"))
    return config


FREQUENCY = config_of(announced("grid_pll[0].f"), "grid_pll[0].f", 50.0)
STALE = [  # objects that are expected now, prefix, discovery message, whether it is stale
    (("grid_pll[0].f",), "rct", FREQUENCY, False),
    (("battery.soc",), "rct", FREQUENCY, True),
    (("battery.soc",), "house", FREQUENCY, False),  # another bridge's
    (("battery.soc",), "rct", FREQUENCY._replace(payload=""), False),
    (("battery.soc",), "rct", FREQUENCY._replace(payload="no JSON"), False),
    (("battery.soc",), "rct", FREQUENCY._replace(payload="[]"), False),
    (("battery.soc",), "rct", FREQUENCY._replace(payload='{"origin": {"name": "Zigbee2MQTT"}}'), False),
    (("battery.soc",), "rct", FREQUENCY._replace(payload='{"origin": {"name": "RCT Tools"}}'), False),
    (("battery.soc",), "rct", FREQUENCY._replace(topic="homeassistant/sensor/0x12/x/config"), False),
    (("battery.soc",), "rct", FREQUENCY._replace(topic="homeassistant/sensor/x/config"), False),
    (("grid_pll[0].f",), "rct", FREQUENCY._replace(topic=FREQUENCY.topic.replace("sensor", "binary_sensor")), True),
    (("grid_pll[0].f",), "rct", FREQUENCY._replace(topic=FREQUENCY.topic.replace("0001", "0002")), True),
]


@pytest.mark.parametrize(("objects", "prefix", "message", "is_stale"), STALE)
def test_stale(objects: tuple[str, ...], prefix: str, message: Message, is_stale: bool) -> None:
    assert announced(*objects, prefix=prefix).is_stale(message.topic, message.payload) == is_stale


def test_what_may_be_of_a_renamed_inverter_is_held_until_its_number_is_known() -> None:
    other = FREQUENCY._replace(topic=FREQUENCY.topic.replace("0001", "0002"))
    gone = FREQUENCY._replace(topic=FREQUENCY.topic.replace("grid_frequency", "grid_humour"))
    home = HomeAssistant([small("grid_pll[0].f", inverter=name) for name in ("house", "garage")], prefix="rct")
    for message in (FREQUENCY, other, gone):
        assert not home.is_stale(message.topic, message.payload)
    told = take(home, {"inverter_sn": SERIAL}, inverter="house")
    assert told[0] == Message(gone.topic, "", retain=True)  # its number is known, and nothing of it is called so
    assert not [m for m in told[1:] if not m.payload]
    told = take(home, {"inverter_sn": "SIMINV0003"}, inverter="garage")
    assert told[0] == Message(other.topic, "", retain=True)
    assert not [m for m in told[1:] if not m.payload]


def test_another_inverter_in_its_place_is_believed_after_three_times() -> None:
    home = announced("grid_pll[0].f")
    take(home, {"grid_pll[0].f": 50.0})
    for serial in (SERIAL, SERIAL, SERIAL, "X9", "X9", SERIAL, "X9", "Y9", "X9", "X9"):
        assert not [m for m in take(home, {"inverter_sn": serial}) if m.topic.endswith("/config")]
    told = take(home, {"inverter_sn": "X9"}, NOON + MINUTE)
    taken_back = {m.topic for m in told if not m.payload}
    assert taken_back == {FREQUENCY.topic, FREQUENCY.topic.replace("grid_frequency", "serial_number")}
    assert {config["unique_id"] for config in configs(told).values()} == {"rct_x9_serial_number"}
    told = take(home, {"grid_pll[0].f": 50.0}, NOON + MINUTE)
    assert {config["unique_id"] for config in configs(told).values()} == {"rct_x9_grid_frequency"}


def test_inverter_with_two_names_is_announced_once() -> None:
    home = HomeAssistant([small("grid_pll[0].f", inverter=name) for name in ("roof", "attic")], prefix="rct")
    assert take(home, {"inverter_sn": SERIAL, "grid_pll[0].f": 50.0})
    assert take(home, {"inverter_sn": SERIAL, "grid_pll[0].f": 50.0}, inverter="attic") == []
    other = FREQUENCY._replace(topic=FREQUENCY.topic.replace("0001", "0002"))
    assert home.is_stale(other.topic, other.payload)  # all numbers are known


@pytest.mark.parametrize(
    ("name", "level"), [("roof", "roof"), ("a+b#c/d\0", "a_b_c_d_"), ("$roof", "_roof"), ("roof$", "roof$"), ("", "_")]
)
def test_topic_level(name: str, level: str) -> None:
    assert topic_level(name) == level


def test_events_are_announced_before_the_first_comes() -> None:
    home = HomeAssistant([small(*(info.name for info in EVENTS))], prefix="rct")
    messages = take(home, {"inverter_sn": SERIAL})
    (topic,) = [topic for topic in configs(messages) if "/event/" in topic]
    assert topic == "homeassistant/event/rct_siminv0001/event/config"
    config = configs(messages)[topic]
    assert (config["state_topic"], config["event_types"]) == ("rct/roof/event", ["begin", "end"])
    assert "expire_after" not in config
    assert [message for message in take(home, {"inverter_sn": SERIAL}) if message.topic == topic] == []
    assert topic in {message.topic for message in home.born()}
    assert "rct/roof/event" not in {message.topic for message in home.born()}
    assert not home.is_stale(topic, json.dumps(config))
    # Where its name is what it is known by, and where nobody wants events.
    named = HomeAssistant(
        [Source("roof", "UTC", {info.name: Expected(info, info.name, INTERVAL) for info in EVENTS})], prefix="rct"
    )
    assert "homeassistant/event/rct_roof/event/config" in configs(take(named, {"link.up": True}))
    none = HomeAssistant([small("battery.soc")], prefix="rct")
    assert not [t for t in configs(take(none, {"inverter_sn": SERIAL})) if "/event/" in t]
    assert none.is_stale(topic, json.dumps(config))


def test_subscriptions() -> None:
    home = HomeAssistant([], prefix="rct", discovery="ha")
    components = ("sensor", "binary_sensor", "event", "number", "select", "switch", "button")
    assert home.subscriptions == ("ha/status", *(f"ha/{component}/+/+/config" for component in components))
