"""Values as people read them."""

from __future__ import annotations

import math

import pytest

from rct_tools.clock import Clock
from rct_tools.display import show_event, show_value
from rct_tools.events import BEGIN, tell
from rct_tools.objects import registry
from rct_tools.paging import Dated
from rct_tools.values import Cell, CellExtreme, CellStatistics, Event, EventTable, Sample, TimeSeries, Value

SHOWN: list[tuple[str, Value, str]] = [
    ("battery.soc", 0.31499, "31.5 %"),
    ("battery.soc", math.nan, "nan %"),
    ("g_sync.p_ac_grid_sum_lp", -2232.3779, "-2232.4 W"),
    ("energy.e_ac_total", 912771.1, "912771 Wh"),
    ("grid_pll[0].f", 49.96972, "49.970 Hz"),
    ("battery.voltage", 400.04, "400.0 V"),
    ("battery.min_cell_voltage", 3.316, "3.316 V"),
    ("battery.bat_impedance.impedance_fine", 0.35, "0.35 Ohm"),
    ("i_dc_slow_max", 0.047, "0.047 A"),
    ("g_sync.p_acc_lp", -3.8e-10, "0.0 W"),
    ("bat_mng_struct.k_reserve", 1.2000000476837158, "1.2"),
    ("net.master_timeout", 2097152.0, "2097152"),
    ("logger.log_rate", 300, "300 s"),
    ("dc_conv.dc_conv_struct[0].enabled", True, "true"),
    ("svnversion", "2.3.5678", "2.3.5678"),
    ("android_description", "roof\x1b[2J", "roof\N{REPLACEMENT CHARACTER}[2J"),
    ("net.package", b"\x00\xff", "00 ff"),
    ("logger.minutes_soc_log_ts", TimeSeries(5, (Sample(4, 0.5),)), "1 samples"),
    ("logger.error_log_time_stamp", EventTable(5, ()), "0 events"),
    (
        "battery.cells_stat[0]",
        CellStatistics(
            CellExtreme(1, 2, 3.0), CellExtreme(1, 2, 3.5), CellExtreme(1, 2, 17.0), CellExtreme(1, 2, 36.5)
        ),
        "3.000 … 3.500 V, 17 … 36.5 °C",
    ),
    ("battery.cells[0]", (Cell(21, 3.33, 0), Cell(19, 3.251, 0)), "2 cells: 3.251 … 3.330 V, 19 … 21 °C"),
    ("battery.cells_resist[0]", (1.5, 1.25), "2 cells: 1.250 … 1.500 mΩ"),
    ("battery.cells_resist[0]", (), "[]"),
]


LOGGED = [  # type, values, text
    (0x54, (12, 0x437E8000, 0), "switch-on Umax L2, 5s, 254.50 V"),
    (0x54, (0, 3, 0), "switch-on Umax L2, code 3"),
    (0x77, (0, 5661, 5678), "update, 5661 → 5678"),
    (0x73, (registry["power_mng.soc_strategy"].object_id, 4, 9),
     "parameter changed, power_mng.soc_strategy: Internal → 9"),
    (0x73, (5, 1, 2), "parameter changed, 0x00000005: 00 00 00 01 → 00 00 00 02"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "values", "text"), LOGGED)
def test_show_event(kind: int, values: tuple[int, int, int], text: str) -> None:
    event = tell(Clock.of("UTC"), Dated(Event(kind, 7, values), 7, is_sure=True))
    assert show_value(BEGIN, event) == show_event(event) == text


@pytest.mark.parametrize(("name", "value", "text"), SHOWN)
def test_show_value(name: str, value: Value, text: str) -> None:
    assert show_value(registry[name], value) == text
