"""What the objects of the simulated inverter say: each a value of its type, and all of them together make sense."""

from __future__ import annotations

import pytest

from rct_tools.objects import registry
from rct_tools.simulator.broadcast import cycles
from rct_tools.simulator.inverter import Inverter
from rct_tools.simulator.objects import LIVE, load_profile
from rct_tools.values import Cell, CellStatistics, Value


@pytest.fixture(scope="module")
def everything() -> dict[str, Value]:
    """The value of each object, in the middle of a day."""
    inverter = Inverter.with_past(0, 1716811387)
    return {info.name: info.decode(inverter.payload(info)) for info in registry}


def test_objects_agree_with_each_other(everything: dict[str, Value]) -> None:
    def number(name: str) -> float:
        value = everything[name]
        assert isinstance(value, int | float)
        return value

    load, grid, ac = (number(f"g_sync.p_ac_{kind}_lp") for kind in ("load_sum", "grid_sum", "sum"))
    solar = sum(number(f"dc_conv.dc_conv_struct[{n}].p_dc_lp") for n in range(2))
    assert ac + grid + number("io_board.s0_external_power") == pytest.approx(load, abs=0.1)
    assert 0.9 * (solar + number("g_sync.p_acc_lp")) < ac < solar + number("g_sync.p_acc_lp")
    assert sum(number(f"g_sync.p_ac[{n}]") for n in range(3)) == pytest.approx(ac, abs=0.1)
    assert sum(number(f"g_sync.p_ac_load[{n}]") for n in range(3)) == pytest.approx(load, abs=0.1)
    assert sum(number(f"g_sync.p_ac_sc[{n}]") for n in range(3)) == pytest.approx(grid, abs=0.1)
    assert number("battery.current") * number("battery.voltage") == pytest.approx(number("g_sync.p_acc_lp"), abs=2)
    for period in ("day", "month", "year", "total"):
        energy = {kind: number(f"energy.e_{kind}_{period}") for kind in ("ac", "load", "grid_load", "grid_feed", "ext")}
        assert energy["grid_feed"] < 0.0
        assert energy["ac"] + energy["grid_load"] + energy["grid_feed"] + energy["ext"] == pytest.approx(
            energy["load"], abs=2.0
        )
        assert number(f"energy.e_dc_{period}[0]") > 0.0


def test_the_battery_agrees_with_its_cells(everything: dict[str, Value]) -> None:
    modules = [everything[f"battery.cells[{n}]"] for n in range(7)]
    assert [everything[f"battery.module_sn[{n}]"] != "" for n in range(7)] == [True] * 5 + [False] * 2
    assert modules[5] == modules[6] == (Cell(0, 0.0, 0),) * 24
    cells = [cell for module in modules[:5] if isinstance(module, tuple) for cell in module if isinstance(cell, Cell)]
    assert len(cells) == 120
    assert everything["battery.voltage"] == pytest.approx(sum(cell.voltage for cell in cells), abs=0.01)
    assert everything["battery.max_cell_voltage"] == pytest.approx(max(cell.voltage for cell in cells))
    assert everything["battery.min_cell_voltage"] == pytest.approx(min(cell.voltage for cell in cells))
    assert everything["battery.max_cell_temperature"] == max(cell.temperature for cell in cells)
    assert everything["battery.min_cell_temperature"] == min(cell.temperature for cell in cells)
    for n in range(7):
        statistics = everything[f"battery.cells_stat[{n}]"]
        assert isinstance(statistics, CellStatistics)
        for name in CellStatistics.__slots__:
            extreme = getattr(statistics, name)
            alone = f"battery.cells_stat[{n}].{name}"
            assert (extreme.cell, extreme.time) == (everything[f"{alone}.index"], everything[f"{alone}.time"])
            assert everything[f"{alone}.value"] == extreme.value
            assert (extreme.time > 0) == (n < 5)


def test_it_says_who_it_is_and_gives_nobody_away(everything: dict[str, Value]) -> None:
    assert everything["inverter_sn"] == "SIM0000001"
    assert everything["svnversion"] == "2.3.5678"
    assert everything["prim_sm.state"] == 13
    assert everything["power_mng.soc_strategy"] == 4
    assert [everything[f"p_rec_lim[{n}]"] for n in range(3)] == [10100.0, 0.0, 9999.0]
    assert everything["pas.period"] == 30
    assert everything["net.n_devices"] == 1
    assert everything["wifi.password"] == ""
    addresses = [str(value) for name, value in everything.items() if name.startswith("wifi.") and "ip" in name]
    assert all(address.startswith("192.0.2.") for address in addresses if "." in address)


def test_live_objects_exist_and_are_not_set_as_well() -> None:
    assert all(name in registry for name in LIVE)
    assert not {registry[name].object_id for name in LIVE} & load_profile().keys()


def test_what_is_reported_is_known_as_such() -> None:
    told = {name for _, bursts in zip(range(4), cycles(), strict=False) for burst in bursts for name in burst.names}
    assert told | {"net.package"} == {info.name for info in registry if info.reported}
