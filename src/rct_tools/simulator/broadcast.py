"""What firmware tells without being asked, and when."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from typing import Final, NamedTuple

CYCLE: Final = 31.0  # seconds


class Burst(NamedTuple):
    """Objects that are told one after the other."""

    after: float  # seconds from the beginning of its cycle
    names: tuple[str, ...]


_FIRST: Final = ("inverter_sn",)
_SECOND: Final = (
    "buf_v_control.power_reduction_max_solar",
    "g_sync.p_ac_lp[0]", "g_sync.p_ac_lp[1]", "g_sync.p_ac_lp[2]", "g_sync.u_zk_sum_mov_avg", "g_sync.p_ac_sum_lp",
    "battery.ah_capacity", "battery.current", "battery.cycles", "battery.maximum_discharge_current",
    "battery.maximum_charge_current", "battery.soh",
    "acc_conv.i_acc_lp_fast", "db.temp2",
)  # fmt: skip
_THIRD: Final = (
    "buf_v_control.power_reduction_max_solar_grid",
    "battery.stored_energy", "battery.used_energy", "battery.voltage", "battery.bms_software_version",
    "battery.bms_sn", "battery.soc", "battery.temperature", *[f"battery.stack_software_version[{n}]" for n in range(7)],
    "g_sync.p_acc_lp",
    "dc_conv.dc_conv_struct[0].u_sg_lp", "dc_conv.dc_conv_struct[1].u_sg_lp",
    "dc_conv.dc_conv_struct[0].p_dc_lp", "dc_conv.dc_conv_struct[1].p_dc_lp",
    "energy.e_ext_total", "energy.e_grid_feed_total", "energy.e_grid_load_total", "energy.e_load_total",
    "energy.e_dc_total[0]", "energy.e_dc_total[1]", "energy.e_ac_total", "energy.e_ac_day", "energy.e_dc_day[0]",
    "energy.e_dc_day[1]", "energy.e_ext_day", "energy.e_grid_feed_day", "energy.e_grid_load_day", "energy.e_load_day",
    "fault[0].flt", "fault[1].flt", "fault[2].flt", "fault[3].flt",
    "g_sync.p_ac_load_sum_lp", "g_sync.i_dr_eff[0]", "g_sync.i_dr_eff[1]", "g_sync.i_dr_eff[2]",
    "g_sync.u_l_rms[0]", "g_sync.u_l_rms[1]", "g_sync.u_l_rms[2]", "g_sync.p_ac_grid_sum_lp",
    "grid_pll[0].f", "io_board.s0_external_power", "prim_sm.island_flag",
)  # fmt: skip
_SOMETIMES: Final = ((), ("net.slave_data", "android_description"), (), ("net.slave_data", "parameter_file"))


def cycles() -> Iterator[tuple[Burst, ...]]:
    """Return the bursts of newer firmware, one cycle after the other, for ever."""
    for more in cycle(_SOMETIMES):
        yield Burst(0.0, _FIRST), Burst(1.0, _SECOND), Burst(8.0, _THIRD + more)


def slave_data() -> Iterator[tuple[Burst, ...]]:
    """Return the same of older firmware, which tells a single object."""
    return cycle([(), (Burst(8.0, ("net.slave_data",)),)])
