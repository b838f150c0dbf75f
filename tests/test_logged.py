"""What the log tells of what is read live: by the simulated house, which logs what its meters say, and by hand."""

from __future__ import annotations

import calendar
import math
from statistics import fmean

import pytest

from rct_tools.config import load_plan, parse_plan
from rct_tools.logged import LOGGED, SLOT, Told, told_of
from rct_tools.objects import RATIO, registry
from rct_tools.series import find_series
from rct_tools.simulator.inverter import Inverter
from rct_tools.simulator.objects import LIVE
from rct_tools.times import SECOND

SERIES = {series.name: series for series in find_series("minutes")}
AT_ITS_END = {"soc", "soc_targ", "ubat", "ua", "ub", "ul1", "ul2", "ul3", "temp", "temp2", "temp_bat"}


def told(name: str) -> Told:
    return Told(registry[name], 5 * SECOND, (registry[name],))


@pytest.mark.parametrize(
    "when", [(2024, 6, 21, 8, 0), (2024, 6, 21, 12, 0), (2024, 6, 21, 20, 0), (2024, 12, 21, 2, 0)]
)
def test_a_row_is_the_mean_of_what_was_live_in_the_five_minutes_before_it(when: tuple[int, ...]) -> None:
    start = calendar.timegm((*when, 0, 0))
    inverter = Inverter.with_past(7, start, 0, 1)
    house, minutes = inverter.house, inverter.history._minutes
    live: dict[str, list[float]] = {name: [] for name in LOGGED}
    for second in range(5, SLOT // SECOND + 1, 5):
        house.advance(start + second, 5)
        for name, values in live.items():
            values.append(float(LIVE[name](house)))  # type: ignore[arg-type]  # all are numbers
    assert minutes.times[-1] == start + SLOT // SECOND
    row = {name: minutes.columns[series.short][-1] for name, series in SERIES.items()}
    for name, values in live.items():
        ends = {SERIES[series].short for series in LOGGED[name].series} <= AT_ITS_END
        assert told(name).value(row) == pytest.approx(values[-1] if ends else fmean(values), rel=0.01, abs=1.0), name


def test_units_are_those_of_the_objects() -> None:
    for name, rule in LOGGED.items():
        assert {SERIES[series].info.unit for series in rule.series} == {registry[name].unit}
        assert told(name).series == set(rule.series)


def test_every_series_is_of_use() -> None:
    assert {series for rule in LOGGED.values() for series in rule.series} == SERIES.keys()


@pytest.mark.parametrize(
    ("bought", "fed", "grid"),
    [(0.0, 5505.6, -5505.6), (0.0, -5505.6, -5505.6), (120.0, 0.0, 120.0), (0.87, 0.9, -0.03), (0.87, -0.9, -0.03)],
)
def test_import_is_positive_however_the_log_counts_what_is_fed_in(bought: float, fed: float, grid: float) -> None:
    row = {"Pgrid load": bought, "Pgrid feed": fed}
    assert told("g_sync.p_ac_grid_sum_lp").value(row) == pytest.approx(grid)


@pytest.mark.parametrize(
    ("name", "value", "is_possible"),
    [
        ("battery.soc", 0.0, True),
        ("battery.soc", 1.0, True),
        ("battery.soc", 1.0001, False),
        ("battery.soc", -0.1, False),
        ("battery.soc", math.nan, False),
        ("battery.soc_target", 97.0, False),
        ("battery.voltage", math.nan, False),
        ("battery.voltage", math.inf, False),
        ("battery.temperature", -12.5, True),
        ("g_sync.p_acc_lp", 5.6e-45, True),
    ],
)
def test_what_cannot_be_is_no_reading(name: str, value: float, is_possible: bool) -> None:
    (series,) = LOGGED[name].series
    assert told(name).value({series: value}) == (value if is_possible else None)


def test_a_sum_follows_from_its_parts() -> None:
    plan = parse_plan(
        '[[group]]\nname = "a"\ninterval = "5s"\nfields.sun = ["dc_conv.dc_conv_struct[0].p_dc", '
        '"dc_conv.dc_conv_struct[1].p_dc"]\nfields.not = ["battery.current", "acc_conv.i_acc_lp_fast"]\n'
        'fields.half = ["g_sync.p_acc_lp", "g_sync.p_ac_sc_sum"]\nobjects = ["battery.soc", "battery.current"]',
        "test",
    )
    sun, soc = told_of(plan)
    assert (sun.info.name, sun.info.object_id, sun.interval) == ("sun", 0, 5 * SECOND)
    assert sun.series == {"Pdc A", "Pdc B"}
    assert sun.value({"Pdc A": 1200.0, "Pdc B": 0.5, "SOC": 0.5}) == 1200.5
    assert sun.value({"Pdc A": 1200.0, "Pdc B": math.nan}) is None
    assert soc.info == registry["battery.soc"]
    assert soc.info.unit == RATIO


def test_of_the_default_plan_all_that_the_log_has_is_told() -> None:
    every = {each.info.name for each in told_of(load_plan())}
    assert {"power_panel", "battery.soc", "g_sync.p_ac_grid_sum_lp", "db.temp1"} <= every
    assert LOGGED.keys() - every == {f"g_sync.p_ac_lp[{n}]" for n in range(3)}
