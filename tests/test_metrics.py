"""What readings are called and say as metrics."""

from __future__ import annotations

import math
from collections import defaultdict
from itertools import groupby
from typing import Any

import pytest

from rct_tools.metrics import Content, Family, Kind, Naming, load_tables, naming
from rct_tools.objects import ObjectInfo, registry
from rct_tools.values import Cell, CellExtreme, CellStatistics, DataType, TimeSeries, Value
from rct_tools.vitals import VITALS

ALL = {info.name: info for info in (*VITALS, *registry)}
STATISTICS = CellStatistics(
    CellExtreme(3, 0, 3.1), CellExtreme(4, 0, 3.4), CellExtreme(5, 0, 12.0), CellExtreme(6, 0, 31.0)
)

VECTORS: list[tuple[str, Value, str, dict[str, str], Content]] = [  # object, value, family, labels, what it says
    ("link.up", True, "rct_up", {}, 1),
    ("link.bytes_sent", 17, "rct_link_sent_bytes", {}, 17),
    ("link.bad_frames[crc]", 2, "rct_link_bad_frames", {"reason": "crc"}, 2),
    ("battery.soc", 0.32, "rct_battery_state_of_charge_ratio", {}, 0.32),
    ("g_sync.p_acc_lp", -2232.0, "rct_battery_power_watts", {}, -2232.0),
    ("dc_conv.dc_conv_struct[1].p_dc", 980.0, "rct_string_power_watts", {"string": "b"}, 980.0),
    ("g_sync.p_ac_load[2]", 300.0, "rct_load_phase_power_watts", {"phase": "l3"}, 300.0),
    ("db.temp2", 31.5, "rct_temperature_celsius", {"sensor": "battery_heat_sink"}, 31.5),
    ("energy.e_ac_total", 2.5, "rct_inverter_energy_joules", {}, 9000.0),
    ("energy.e_dc_month[0]", 1.0, "rct_string_period_energy_joules", {"period": "month", "string": "a"}, 3600.0),
    ("energy.e_grid_feed_total", -2.0, "rct_grid_feed_in_energy_joules", {}, 7200.0),
    ("energy.e_grid_feed_total", 0.0, "rct_grid_feed_in_energy_joules", {}, 0.0),
    ("energy.e_grid_feed_day", -2.0, "rct_grid_feed_in_period_energy_joules", {"period": "day"}, 7200.0),
    ("battery.discharged_amp_hours", 2.0, "rct_battery_discharged_coulombs", {}, 7200.0),
    ("power_mng.bat_calib_days_in_advance", 2, "rct_battery_calibration_notice_seconds", {}, 172800.0),
    ("iso_struct.Rp", 1e6, "rct_insulation_resistance_ohms", {"insulation": "positive"}, 1e6),
    ("inverter_sn", "X1", "rct_inverter", {}, {"serial_number": "X1"}),
    ("rb485.version_main", 7, "rct_power_switch", {}, {"firmware": "7"}),
    ("battery.module_sn[6]", "M6", "rct_battery_module", {"module": "6"}, {"serial_number": "M6"}),
    ("prim_sm.island_flag", 2, "rct_grid_separation", {}, {"separated from the grid": False}),
    ("fault[1].flt", 0, "rct_faults", {"register": "1"}, 0),
    ("battery.cells_stat[2]", STATISTICS, "rct_battery_module_cell_voltage_max_volts", {"module": "2"}, 3.4),
    # without a row
    ("prim_sm.Uzk_pump_grad[0]", 3.0, "rct_prim_sm_uzk_pump_grad_watts", {"index": "0"}, 3.0),
    ("nsm.cos_phi_p[3][1]", 0.9, "rct_nsm_cos_phi_p_ratio", {"index": "3,1"}, 0.9),
    ("power_mng.is_grid", False, "rct_power_mng_is_grid", {}, 0),
    ("flash_rtc.rtc_mcc_quartz_max_diff", 20.0, "rct_flash_rtc_rtc_mcc_quartz_max_diff_ratio", {}, 20e-6),
    ("io_board.s0_sum", 4.0, "rct_io_board_s0_sum_value", {}, 4.0),
    (
        "io_board.s0_direction",
        1,
        "rct_io_board_s0_direction",
        {},
        {"I/O 1 & I/O 2 single": False, "I/O 1 bidirectional": True, "I/O 2 bidirectional": False},
    ),
]


@pytest.mark.parametrize(("name", "value", "family", "labels", "content"), VECTORS)
def test_object_is_a_series(name: str, value: Value, family: str, labels: dict[str, str], content: Content) -> None:
    said = {metric.family.name: list(metric.samples(value)) for metric in naming("own").metrics(ALL[name])}
    ((said_labels, said_content),) = said[family]
    assert said_labels == labels
    assert said_content == (pytest.approx(content) if isinstance(content, float) else content)


def samples(name: str, value: Value, family: str, names: str = "own") -> list[tuple[dict[str, str], Content]]:
    (metric,) = [metric for metric in naming(names).metrics(ALL[name]) if metric.family.name == family]
    return [(dict(labels), content) for labels, content in metric.samples(value)]


def test_state_is_one_of_all_and_an_unknown_one_has_its_number() -> None:
    ((_, states),) = samples("prim_sm.state", 13, "rct_inverter_state")
    assert isinstance(states, dict)
    assert [state for state, is_so in states.items() if is_so] == [registry["prim_sm.state"].labels[13]]
    assert set(states) == set(registry["prim_sm.state"].labels.values())
    ((_, states),) = samples("prim_sm.state", 99, "rct_inverter_state")
    assert isinstance(states, dict)
    assert [state for state, is_so in states.items() if is_so] == ["99"]


def test_states_by_bits_may_be_several() -> None:
    ((_, states),) = samples("battery.status", 0b110, "rct_battery_status")
    assert isinstance(states, dict)
    assert [state for state, is_so in states.items() if is_so] == ["relay test", "ready"]
    assert len(states) == 14


def test_each_fault_has_a_series_while_it_is_there() -> None:
    assert samples("fault[1].flt", 1 << 17 | 1, "rct_fault_active") == [
        ({"register": "1", "bit": "32", "fault": "IGBT L1 low"}, 1),
        ({"register": "1", "bit": "49", "fault": "undervoltage L1 level 2"}, 1),
    ]
    assert samples("fault[1].flt", 1 << 17 | 1, "rct_faults") == [({"register": "1"}, 2)]
    assert samples("fault[1].flt", 0, "rct_fault_active") == []


def test_cells() -> None:
    cells = tuple(Cell(20 + n, 3.3, n) for n in range(24))
    parts: dict[str, list[float]] = {
        "voltage_volts": [3.3] * 24,
        "temperature_celsius": [20 + n for n in range(24)],
        "status": [*range(24)],
    }
    for part, values in parts.items():
        assert samples("battery.cells[2]", cells, f"rct_battery_module_cell_{part}") == [
            ({"module": "2", "cell": str(n)}, value) for n, value in enumerate(values)
        ]
    said = samples("battery.cells_resist[0]", (0.5,) * 24, "rct_battery_module_cell_resistance_ohms")
    assert said == [({"module": "0", "cell": str(n)}, 0.0005) for n in range(24)]


NOTHING: list[tuple[str, Value, str]] = [  # object, value, why it says nothing
    ("battery.soc", math.nan, "NaN is no number"),
    ("battery.soc", math.inf, "it measures nothing"),
    ("energy.e_ac_total", -1.0, "no counter is below 0"),
    ("energy.e_grid_feed_total", 1.0, "no counter is below 0"),
    ("battery.module_sn[5]", "", "there is no such module"),
    ("svnversion_factory", "6a", "no row names this text"),
    ("power_mng.schedule[1]", b"\0\1", "bytes"),
    ("logger.minutes_soc_log_ts", TimeSeries(300, ()), "history"),
    # What no inverter sends; whoever makes readings may.
    ("battery.soc", "full", "text"),
    ("prim_sm.state", 1.5, "no state"),
    ("fault[0].flt", "x", "no bits"),
    ("battery.cells[0]", 1.0, "no cells"),
    ("battery.cells[0]", (1.0,), "no cells"),
    ("battery.cells_resist[0]", 1.0, "no cells"),
    ("battery.cells_resist[0]", (Cell(20, 3.3, 0),), "no resistances"),
    ("battery.cells_stat[0]", 1.0, "no statistics"),
    ("inverter_sn", b"\0", "no text"),
]


@pytest.mark.parametrize(("name", "value", "why"), NOTHING)
def test_what_says_nothing(name: str, value: Value, why: str) -> None:
    assert [
        list(metric.samples(value)) for metric in naming("own").metrics(ALL[name]) if [*metric.samples(value)]
    ] == []


def test_sum_has_its_field_as_a_label() -> None:
    (metric,) = naming("own").metrics(ObjectInfo(0, "power_panel ä", DataType.FLOAT, "W", "a + b"))
    assert metric.family.name == "rct_field_watts"
    assert list(metric.samples(3.0)) == [({"field": "power_panel ä"}, 3.0)]
    assert naming("rctmon").metrics(metric.info) == ()


def test_negative_zero_is_zero() -> None:
    ((_, fed_in),) = samples("energy.e_grid_feed_total", 0.0, "rct_grid_feed_in_energy_joules")
    assert str(fed_in) == "0.0"


# --- all names ------------------------------------------------------------------------------------------------------


def families(names: str) -> dict[str, list[tuple[Family, dict[str, str], str]]]:
    """Every family by name, with the labels and the object of each of its parts."""
    parts: dict[str, list[tuple[Family, dict[str, str], str]]] = defaultdict(list)
    for info in ALL.values():
        for metric in naming(names).metrics(info):
            parts[metric.family.name].append((metric.family, dict(metric.labels), info.name))
    return parts


@pytest.mark.parametrize("names", load_tables())
def test_family_is_one_thing_and_no_series_is_there_twice(names: str) -> None:
    for parts in families(names).values():
        (family,) = {family for family, _, _ in parts}
        assert len({tuple(labels) for _, labels, _ in parts}) == 1
        if family.kind is not Kind.INFO:
            places = sorted(tuple(labels.items()) for _, labels, _ in parts)
            assert [place for place, same in groupby(places) if len(list(same)) > 1] == []


@pytest.mark.parametrize("names", load_tables())
def test_every_row_is_of_objects_that_exist(names: str) -> None:
    table = load_tables()[names]
    rows = Naming({**table, "others": False})
    named = {metric.family.name.removeprefix(table["prefix"]) for info in ALL.values() for metric in rows.metrics(info)}
    for kind in Kind:
        for name in table.get(kind, {}):
            assert any(family in (name, *(f"{name}_{unit}" for unit, _ in table["units"].values())) for family in named)


def test_every_number_has_a_name() -> None:
    own = naming("own")
    numbers = {DataType.BOOL, DataType.FLOAT, DataType.ENUM, DataType.UINT32, DataType.UINT8, DataType.INT32}
    assert [name for name, info in ALL.items() if info.data_type in numbers and not own.metrics(info)] == []
    assert [
        n for n, i in ALL.items() if i.data_type in (DataType.UNKNOWN, DataType.TIMESERIES) and own.metrics(i)
    ] == []


# What rctmon 0.0.x shows, as seen on a live one: name without rctmon_, labels beside that of the inverter.
RCTMON: dict[str, dict[str, Any]] = {
    "counters": {
        "bytes_received": {}, "bytes_sent": {}, "frames_received": {}, "frames_sent": {},
        "frames_lost": {"kind": {"normal"}},
        "decode_error": {"kind": {"crc", "command", "length", "payload"}},
        "battery_discharge_amp_hours": {}, "battery_stored_energy": {}, "battery_used_energy": {},
        "battery_module_cycles": {"module": set("0123456")},
    },
    "gauges": {
        "device_up": {},
        "inventory": {"component": {"generator_a", "generator_b", "power_switch"}},
        "inverter_status": {}, "inverter_grid_separated": {},
        "inverter_insulation": {"unit": {"total", "positive", "negative"}},
        "inverter_faults": {"register": set("0123")},
        "temperature": {"sensor": {"heatsink", "heatsink_battery_actuator", "core"}},
        **{f"generator_{what}": {"generator": {"a", "b"}}
           for what in ("voltage_volt", "power_watt", "mpp_target_voltage_volt", "mpp_search_step_volt")},
        "household_load": {},
        **{what: {"phase": {"l1", "l2", "l3"}}
           for what in ("household_load_phase", "grid_power_watt", "grid_voltage_volt", "powerswitch_voltage_volt",
                        "powerswitch_frequency_hertz", "powerstorage_frequency_hertz")},
        "grid_voltage_phase_to_phase_volt": {"measurement": {"1", "2", "3"}}, "grid_frequency_hertz": {},
        **{f"energy_{what}_sum": {} for what in ("ac", "household", "grid_load", "grid_feed")},
        "energy_solar_generator_sum": {"component": {"generator_a", "generator_b"}},
        **{f"battery_state_of_{what}_percent": {} for what in ("charge", "charge_target", "charge_min", "health")},
        **{f"battery_{what}": {}
           for what in ("voltage", "power", "state", "temperature", "bat_status", "impedance_fine")},
        **{f"battery_module_cell_{what}": {"module": set("0123456")}
           for what in ("temperature_celsius", "voltage_volt", "resistance_ohm")},
        **{f"battery_module_{what}": {"module": set("0123456")}
           for what in ("voltage_min_volt", "voltage_max_volt", "temperature_min_celsius", "temperature_max_celsius")},
    },
    "infos": {"inverter": {}, "powerswitch": {}, "bms_info": {}, "battery_module": {"module": set("0123456")}},
}  # fmt: skip


def test_rctmon_has_all_its_names_and_no_others() -> None:
    shown: dict[str, dict[str, Any]] = {"counters": {}, "gauges": {}, "infos": {}}
    for name, parts in families("rctmon").items():
        labels: dict[str, set[str]] = defaultdict(set)
        for family, some, _ in parts:
            assert family.unit == ""
            for label, text in some.items():
                labels[label].add(text)
        shown[parts[0][0].kind][name.removeprefix("rctmon_")] = labels
    assert shown == RCTMON


def test_rctmon_converts_nothing() -> None:
    assert samples("energy.e_grid_feed_total", -5.0, "rctmon_energy_grid_feed_sum", "rctmon") == [({}, -5.0)]
    assert samples("battery.soc", 0.5, "rctmon_battery_state_of_charge_percent", "rctmon") == [({}, 0.5)]
    assert samples("fault[2].flt", 6, "rctmon_inverter_faults", "rctmon") == [({"register": "2"}, 6)]
    assert samples("prim_sm.state", 13, "rctmon_inverter_status", "rctmon") == [({}, 13)]
