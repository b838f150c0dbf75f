"""What an inverter may have, and which objects go with it."""

from __future__ import annotations

import pytest

from rct_tools.components import COMPONENTS, PROOFS, component_of, proves, wholes
from rct_tools.objects import registry
from rct_tools.values import Value

MEMBERS = [  # object, component
    ("dc_conv.dc_conv_struct[0].p_dc", "string A"),
    ("dc_conv.dc_conv_struct[1].mpp.mpp_step", "string B"),
    ("energy.e_dc_total[1]", "string B"),
    ("g_sync.u_sg_avg[0]", "string A"),
    ("dc_conv.start_voltage", None),
    ("dc_conv.dc_conv_struct[0].enabled", None),  # what proves is always asked for
    ("battery.soc", "battery"),
    ("battery.bms_sn", None),
    ("battery.module_sn[3]", "battery"),  # who has no battery is not asked for its modules
    ("battery.cells[3]", "module 3"),
    ("battery.cells_stat[3]", "module 3"),
    ("battery.cells_stat[3].u_max.value", "module 3"),
    ("battery.cells_resist[6]", "module 6"),
    ("battery.stack_cycles[0]", "module 0"),
    ("rb485.f_grid[2]", "power switch"),
    ("battery_placeholder[0].soc", "second battery"),
    ("battery_placeholder[0].bms_sn", None),
    ("battery_placeholder[0].module_sn[6]", "second battery"),
    ("battery_placeholder[0].cells[3]", "second battery module 3"),
    ("battery_placeholder[0].stack_cycles[0]", "second battery module 0"),
    ("g_sync.p_ac_grid_sum_lp", None),
    ("power_mng.soc_min", None),
]


@pytest.mark.parametrize(("name", "component"), MEMBERS)
def test_component_of_an_object(name: str, component: str | None) -> None:
    assert name in registry
    assert component_of(name) == component


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        ([], []),
        (["battery", "module 0", "module 6", "string A"], ["battery", "string A"]),
        (["module 6", "second battery", "second battery module 0"], ["module 6", "second battery"]),
        (["second battery module 0", "heat pump"], ["second battery module 0", "heat pump"]),  # of a later version
    ],
)
def test_who_has_no_battery_is_not_told_that_it_has_no_modules(names: list[str], shown: list[str]) -> None:
    assert wholes(names) == shown


def test_every_proof_is_an_object_of_one_component() -> None:
    assert len(PROOFS) == len(COMPONENTS)
    assert all(proof in registry for proof in PROOFS)


@pytest.mark.parametrize(
    ("value", "there"),
    [(True, True), (False, False), (1, True), (0, False), ("1EFA", True), ("", False), ("  \0", False), (0.0, False)],
)
def test_proof(value: Value, there: bool) -> None:
    assert proves(value) is there
