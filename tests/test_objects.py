from __future__ import annotations

from typing import Any

import pytest
from rctclient.registry import REGISTRY

from rct_tools.errors import DecodeError, EncodeError, UnknownObject
from rct_tools.objects import RATIO, ObjectInfo, Registry, load_registry, registry
from rct_tools.values import DataType, Event, EventTable, TimeSeries, Value

SOC = registry["battery.soc"]
INFOS = list(registry)

FACTS: list[tuple[str, dict[str, object]]] = [  # object, what rctclient or objects.toml says of it
    ("battery.soc", {"unit": RATIO}),
    ("bat_mng_struct.bat_calib_soc_threshold", {"unit": RATIO}),
    ("io_board.s0_external_power", {"unit": "W"}),
    ("g_sync.p_ac[2]", {"unit": "W"}),
    ("g_sync.p_ac_sum_lp", {"unit": "W"}),
    ("logger.year_egrid_feed_log_ts", {"unit": "Wh", "data_type": DataType.TIMESERIES}),
    ("battery.max_cell_temperature", {"unit": "°C"}),
    ("pas.period", {"unit": "s", "data_type": DataType.UINT32}),
    ("nsm.cos_phi_p[3][1]", {"unit": "cos(Phi)"}),
    ("adc.u_ref_1_5v[0]", {"unit": ""}),
    ("power_mng.schedule[0]", {"data_type": DataType.UNKNOWN}),
    ("flash_mem", {"data_type": DataType.UNKNOWN}),
    ("g_sync.p_acc_lp", {"unit": "W", "description": "Battery power, positive: discharge, negative: charge"}),
    ("power_mng.soc_charge", {"unit": RATIO}),
    ("power_mng.soc_charge_power", {"unit": "W"}),  # a name without * is the whole name
    ("display_struct.brightness", {"data_type": DataType.UINT8, "description": "Display brightness, [0..255]"}),
]

MEANINGS: list[tuple[str, Value, str]] = [  # object, value, what it means
    ("wifi.sockb_protocol", 1, "master"),
    ("wifi.sockb_protocol", 99, ""),
    ("power_mng.soc_strategy", 4, "Internal"),
    ("battery.status", 0, ""),
    ("battery.bat_status", 0b1000, "calibration charge"),
    ("battery.status2", 1032, "calibration charge, calibration discharge"),
    ("battery.status2", 2048, "balancing"),
    ("battery_placeholder[0].status2", 2048, "balancing"),
    ("fault[0].flt", 1, "trap"),
    ("fault[0].flt", 1 << 31 | 1 << 16, "battery overcurrent, IGBT L1 high"),
    ("fault[1].flt", 1, "IGBT L1 low"),
    ("fault[3].flt", 1 << 31, "neutral"),
    ("battery.soc", 1, ""),  # neither labels nor bits
    ("wifi.sockb_protocol", True, ""),  # a bool is no number
    ("battery.status", 8.0, ""),
    ("inverter_sn", "0", ""),
]

FOUND = [  # asked, name
    ("battery.soc", "battery.soc"),  # also the beginning of other names
    ("battery.soc_target_h", "battery.soc_target_high"),
    ("android", "android_description"),
    ("0x959930BF", "battery.soc"),
    ("0X959930bf", "battery.soc"),
    ("0x0000dead", "0x0000DEAD"),  # in nobody's table
    ("0xffffffff", "0xFFFFFFFF"),
]

NOT_FOUND = [  # asked, message
    ("battery.sox", "unknown object 'battery.sox'; did you mean battery.so"),
    ("", "unknown object ''"),
    ("battery.soc_", "4 objects begin with 'battery.soc_'; did you mean battery.soc_target, battery.soc_target_high, "),
    ("0x", "an object id is 0x and up to eight hex digits, not '0x'"),
    ("0xsoc", "an object id is 0x and up to eight hex digits, not '0xsoc'"),
    ("0x123456789", "an object id is 0x and up to eight hex digits, not '0x123456789'"),
]


def test_the_whole_table_is_there() -> None:
    assert len(registry) == len(INFOS) == len(REGISTRY.all()) == 895
    assert {info.object_id for info in INFOS} == {info.object_id for info in REGISTRY.all()}


def test_every_object_is_found_by_name_and_by_id() -> None:
    for info in INFOS:
        assert registry[info.name] is registry[info.object_id] is registry.describe(info.object_id) is info
        assert registry.find(info.name) is registry.find(f"0x{info.object_id:08x}") is info
        assert info.name in registry
        assert info.object_id in registry


def test_unknown_names_and_ids() -> None:
    assert "battery.sox" not in registry
    assert 0xDEAD not in registry
    with pytest.raises(UnknownObject, match=r"^unknown object 'battery\.sox'; did you mean"):
        registry["battery.sox"]
    with pytest.raises(UnknownObject, match="unknown object '0x0000dead'"):
        registry[0xDEAD]


def test_an_unknown_object_is_described_by_its_id() -> None:
    info = registry.describe(0xDEAD)
    assert info == ObjectInfo(0xDEAD, "0x0000DEAD", DataType.UNKNOWN)
    assert info.decode(b"\1\2") == b"\1\2"


@pytest.mark.parametrize(("asked", "name"), FOUND)
def test_find(asked: str, name: str) -> None:
    assert registry.find(asked).name == name


@pytest.mark.parametrize(("asked", "message"), NOT_FOUND)
def test_not_found(asked: str, message: str) -> None:
    with pytest.raises(UnknownObject) as caught:
        registry.find(asked)
    assert str(caught.value).startswith(message)
    assert len(caught.value.nearest) == (0 if asked.startswith("0x") else 3)


TYPOS = [  # asked, what was meant
    ("battery.sok", "battery.soc"),
    ("batery.voltage", "battery.voltage"),
    ("Battery.SOC", "battery.soc"),
    ("p_ac_grid_sum_lp", "g_sync.p_ac_grid_sum_lp"),
    ("soc_strategy", "power_mng.soc_strategy"),
    ("g_sync.p_acc_pl", "g_sync.p_acc_lp"),
    ("ENERGY.E_AC_DYA", "energy.e_ac_day"),
    ("fault[0]x", "fault[0].flt"),  # by the whole name
    ("dc_conv.p_dc_lp", "dc_conv.dc_conv_struct[0].p_dc_lp"),  # by its last part
]


@pytest.mark.parametrize(("asked", "meant"), TYPOS)
def test_a_typo_is_answered_with_what_was_meant(asked: str, meant: str) -> None:
    with pytest.raises(UnknownObject) as caught:
        registry.find(asked)
    assert meant in caught.value.nearest


def test_match() -> None:
    def names(pattern: str) -> list[str]:
        return [info.name for info in registry.match(pattern)]

    assert names("SOC_TARGET_") == names("soc_target_") != []
    assert names("battery*sn") == names("battery*sn*")
    assert {"battery.bms_sn", "battery.module_sn[0]", "battery.module_sn[6]"} <= set(names("battery*sn"))
    assert names("fault[*].flt") == [f"fault[{register}].flt" for register in range(4)]  # brackets are plain text
    assert names("*") == names("") == sorted(info.name for info in INFOS)
    assert names("no such thing") == []


@pytest.mark.parametrize(("name", "facts"), FACTS)
def test_facts(name: str, facts: dict[str, Any]) -> None:
    info = registry[name]
    assert {fact: getattr(info, fact) for fact in facts} == facts


def test_units_are_those_of_physics() -> None:
    assert "Ohm" in {info.unit for info in INFOS}
    assert not {info.name for info in INFOS if info.unit in {"%", "kW", "kWh", "mV"}}


@pytest.mark.parametrize(("name", "value", "meaning"), MEANINGS)
def test_meaning(name: str, value: Value, meaning: str) -> None:
    assert registry[name].meaning(value) == meaning


def test_every_fault_bit_has_a_text_of_its_own() -> None:
    texts = [registry[f"fault[{register}].flt"].bits[bit] for register in range(4) for bit in range(32)]
    assert len(set(texts)) == 128
    assert texts == [registry.event_name(Event(number, 0, (0, 0, 0))) for number in range(128)]


def test_event_names() -> None:
    assert registry.event_name(Event(0x73, 0, (0, 0, 0))) == "parameter changed"
    assert registry.event_name(Event(0xFF, 0, (0, 0, 0))) == "type 0xff"
    assert Registry([SOC]).event_name(Event(0x73, 0, (0, 0, 0))) == "type 0x73"


def test_payloads() -> None:
    assert SOC.encode(0.5) == bytes.fromhex("3f000000")
    assert SOC.decode(bytes.fromhex("3f000000")) == 0.5
    with pytest.raises(DecodeError, match=r"^battery\.soc: expected FLOAT \(4 bytes\), got 2 bytes: 3e 97$") as caught:
        SOC.decode(b"\x3e\x97")
    assert caught.value.name == "battery.soc"
    with pytest.raises(EncodeError):
        SOC.encode("full")


def test_queries_are_the_objects_with_history() -> None:
    history = {info.name for info in INFOS if info.is_query}
    assert "logger.error_log_time_stamp" in history
    assert all(name.startswith("logger.") and name.endswith(("_log_ts", "_time_stamp")) for name in history)
    assert len(history) == 44 + 1
    assert isinstance(registry["logger.day_eac_log_ts"].decode(bytes(4)), TimeSeries)
    assert isinstance(registry["logger.error_log_time_stamp"].decode(bytes(4)), EventTable)


def test_infos_can_be_kept_in_sets_and_compare_by_value() -> None:
    again = load_registry()
    assert set(again) == set(registry)
    assert again["fault[0].flt"].bits == registry["fault[0].flt"].bits


PRIVATE = {
    "inverter_sn", "battery.bms_sn", "battery.prog_sn", *(f"battery.module_sn[{n}]" for n in range(7)),
    "battery_placeholder[0].bms_sn", *(f"battery_placeholder[0].module_sn[{n}]" for n in range(7)),
    "android_description", "net.id", "net.net_tunnel_id", "net.slave_data", "flash_mem",
}  # fmt: skip


def test_private_are_serial_numbers_names_addresses_and_all_texts_about_wifi() -> None:
    texts = {info.name for info in INFOS if info.name.startswith("wifi.") and info.data_type is DataType.STRING}
    assert {info.name for info in INFOS if info.private} == PRIVATE | texts
    assert {"wifi.password", "wifi.connected_ap_ssid", "wifi.ip"} < texts
    assert not registry.describe(0xDEAD).private


WRONG = [  # table of objects.toml, what it holds
    ("private", ["no_such_object"]),
    ("units", {"V": ["battery.no_such_object"]}),
    ("types", {"UNKNOWN": ["no_such_group.*"]}),
    ("descriptions", {"no_such_object": "text"}),
    ("labels", {"no_such_object": {"0": "off"}}),
    ("bits", {"no_such_object": {"0": "off"}}),
]


@pytest.mark.parametrize(("table", "content"), WRONG)
def test_a_name_in_objects_toml_that_matches_nothing_is_an_error(
    table: str, content: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra: dict[str, object] = {
        "faults": [], "private": [], "reported": [],
        "units": {}, "types": {}, "descriptions": {}, "labels": {}, "bits": {},
        table: content,
    }  # fmt: skip
    monkeypatch.setattr("tomllib.loads", lambda _: extra)
    with pytest.raises(UnknownObject, match=r"^objects\.toml names an '\S*no_such_"):
        load_registry()
