"""What each object says: what the house measures (LIVE), what is set (profile.toml), and for the rest nothing yet.

Values are those that ObjectInfo.encode takes.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from math import sqrt
from operator import truediv
from typing import Any, Final, TypeAlias

from rct_tools.objects import registry
from rct_tools.simulator import battery
from rct_tools.simulator.house import METERS, House
from rct_tools.values import CELLS_PER_MODULE, Cell, CellExtreme, CellStatistics, DataType, Value

Source: TypeAlias = Callable[[House], Value]
Sources: TypeAlias = Callable[[House], Sequence[Value]]

_REACTIVE: Final = -0.002  # of the real power
_APPARENT: Final = sqrt(1.0 + _REACTIVE**2)
_NO_CELLS: Final = (Cell(0, 0.0, 0),) * CELLS_PER_MODULE
_NO_EXTREMES: Final = CellStatistics(*[CellExtreme(0, 0, 0.0)] * 4)
_NO_RESISTANCES: Final = (0.0,) * CELLS_PER_MODULE

# What an object says that neither the house nor the profile knows. Series and events are asked, not said.
EMPTY: Final[Mapping[DataType, Value]] = {
    DataType.BOOL: False,
    DataType.FLOAT: 0.0,
    DataType.STRING: "",
    DataType.UNKNOWN: bytes(4),
    DataType.BATTERY_MODULE_STATUS: _NO_CELLS,
    DataType.BATTERY_MODULE_STATISTICS: _NO_EXTREMES,
    DataType.BATTERY_MODULE_RESISTANCE: _NO_RESISTANCES,
}

INVERTER: Final[Mapping[str, Source]] = {
    "g_sync.p_ac_sum": lambda house: house.ac,
    "g_sync.p_ac_sum_lp": lambda house: house.ac,
    "g_sync.p_ac_load_sum_lp": lambda house: house.load,
    "g_sync.p_ac_grid_sum_lp": lambda house: house.grid,
    "g_sync.p_ac_sc_sum": lambda house: house.grid,
    "g_sync.p_acc_lp": lambda house: house.battery.power,
    "g_sync.q_ac_sum_lp": lambda house: _REACTIVE * house.ac,
    "g_sync.s_ac_sum_lp": lambda house: _APPARENT * house.ac,
    "g_sync.u_zk_sum_avg": lambda house: house.link_voltage,
    "g_sync.u_zk_sum_mov_avg": lambda house: house.link_voltage,
    "g_sync.u_zk_p_avg": lambda house: house.link_voltage * 0.4995,
    "g_sync.u_zk_n_avg": lambda house: house.link_voltage * 0.5005,
    "grid_pll[0].f": lambda house: house.grid_frequency,
    "io_board.s0_external_power": lambda house: house.external,
    "db.temp1": lambda house: house.heat_sink,
    "db.temp2": lambda house: house.actuator,
    "db.core_temp": lambda house: 0.7 * house.heat_sink + 12.0,
    "flash_rtc.time_stamp": lambda house: house.time,
    "flash_rtc.time_stamp_set": lambda house: house.commissioned,
    "flash_rtc.time_stamp_update": lambda house: house.commissioned + 300,
    "flash_rtc.time_stamp_factory": lambda house: max(0, house.commissioned - 40 * 86400),
    "dc_conv.last_rescan": lambda house: house.time - house.time % 86400,
    "power_mng.bat_next_calib_date": lambda house: house.time - house.time % (30 * 86400) + 30 * 86400,
    "wifi.connect_service_timestamp": lambda house: house.time - house.time % 60,
    "p_buf_available": lambda house: sum(house.pv),
    "p_rec_req[0]": lambda house: max(0.0, house.load),
    "p_rec_req[2]": lambda house: house.ac,
    "p_rec_available[1]": lambda house: max(0.0, house.battery.power),
    "p_rec_available[2]": lambda house: house.ac,
    "prim_sm.Uzk_pump_grad[0]": lambda house: sum(house.pv),
    "net.soc_av": lambda house: house.battery.soc,
}

BATTERY: Final[Mapping[str, Source]] = {
    "battery.soc": lambda house: house.battery.soc,
    "battery.voltage": lambda house: sum(cell.voltage for cell in _cells(house)),
    "battery.current": lambda house: house.battery.current,
    "battery.temperature": lambda house: house.battery.temperature,
    "battery.max_cell_voltage": lambda house: max(cell.voltage for cell in _cells(house)),
    "battery.min_cell_voltage": lambda house: min(cell.voltage for cell in _cells(house)),
    "battery.max_cell_temperature": lambda house: float(max(cell.temperature for cell in _cells(house))),
    "battery.min_cell_temperature": lambda house: float(min(cell.temperature for cell in _cells(house))),
    "battery.stored_energy": lambda house: house.battery.stored_energy,
    "battery.used_energy": lambda house: house.battery.used_energy,
    "battery.charged_amp_hours": lambda house: house.battery.charged_amp_hours,
    "battery.discharged_amp_hours": lambda house: house.battery.discharged_amp_hours,
    "battery.cycles": lambda house: house.battery.cycles,
    "battery.ah_capacity": lambda _: battery.AMP_HOURS,
    "battery.efficiency": lambda _: battery.EFFICIENCY**2,
    "battery.maximum_charge_current": lambda _: battery.MAX_CURRENT,
    "battery.maximum_discharge_current": lambda _: battery.MAX_CURRENT,
    "power_mng.battery_power": lambda house: house.battery.power,
    "power_mng.amp_hours": lambda house: house.battery.soc * battery.AMP_HOURS,
    "power_mng.amp_hours_measured": lambda _: battery.AMP_HOURS,
    "power_mng.u_acc_lp": lambda house: house.battery.voltage + 0.4,
    "power_mng.u_acc_mix_lp": lambda house: house.battery.voltage,
    "adc.u_acc": lambda house: house.battery.voltage + 0.4,
    "acc_conv.i_acc_lp_fast": lambda house: house.battery.current,
    "acc_conv.i_acc_lp_slow": lambda house: house.battery.current,
}


# For each of L1, L2, L3.
PHASES: Final[Mapping[str, Sources]] = {
    "g_sync.p_ac[{}]": lambda house: house.ac_phases,
    "g_sync.p_ac_lp[{}]": lambda house: house.ac_phases,
    "g_sync.s_ac[{}]": lambda house: [power * _APPARENT for power in house.ac_phases],
    "g_sync.s_ac_lp[{}]": lambda house: [power * _APPARENT for power in house.ac_phases],
    "g_sync.q_ac[{}]": lambda house: [power * _REACTIVE for power in house.ac_phases],
    "g_sync.i_dr_eff[{}]": lambda house: list(map(truediv, house.ac_phases, house.grid_voltage)),
    "g_sync.i_dr_lp[{}]": lambda house: list(map(truediv, house.ac_phases, house.grid_voltage)),
    "g_sync.p_ac_load[{}]": lambda house: house.load_phases,
    "g_sync.p_ac_sc[{}]": lambda house: house.grid_phases,
    "g_sync.u_l_rms[{}]": lambda house: house.grid_voltage,
    "g_sync.u_ptp_rms[{}]": lambda house: _between_phases(*house.grid_voltage),
    "rb485.u_l_grid[{}]": lambda house: house.grid_voltage,
    "rb485.f_grid[{}]": lambda house: [house.grid_frequency] * 3,
    "rb485.f_wr[{}]": lambda house: [house.grid_frequency] * 3,
}

# For each string of solar modules.
STRINGS: Final[Mapping[str, Sources]] = {
    "dc_conv.dc_conv_struct[{}].p_dc": lambda house: house.pv,
    "dc_conv.dc_conv_struct[{}].p_dc_lp": lambda house: house.pv,
    "dc_conv.dc_conv_struct[{}].u_sg_lp": lambda house: house.pv_voltage,
    "dc_conv.dc_conv_struct[{}].u_target": lambda house: house.pv_voltage,
    "g_sync.u_sg_avg[{}]": lambda house: house.pv_voltage,
}

# For each battery module.
MODULES: Final[Mapping[str, Sources]] = {
    "battery.cells[{}]": lambda house: house.battery.modules(),
    "battery.cells_resist[{}]": lambda house: house.battery.resistances,
    "battery.cells_stat[{}]": lambda house: house.battery.statistics,
    "battery.stack_cycles[{}]": lambda house: [house.battery.cycles] * battery.MODULES,
}


def _cells(house: House) -> list[Cell]:
    return [cell for module in house.battery.modules() for cell in module]


def _between_phases(*volts: float) -> list[float]:
    # 120° apart, by the law of cosines.
    return [sqrt(a * a + b * b + a * b) for a, b in zip(volts, volts[1:] + volts[:1], strict=True)]


def _each(table: Mapping[str, Sources], count: int) -> dict[str, Source]:
    def one(sources: Sources, n: int) -> Source:
        return lambda house: sources(house)[n]

    return {name.format(n): one(sources, n) for name, sources in table.items() for n in range(count)}


def _energies() -> dict[str, Source]:
    def reading(meter: str, period: str) -> Source:
        return lambda house: getattr(house.energy[meter], period)

    table = {}
    for meter in METERS:
        kind, bracket, index = meter.partition("[")
        for period in ("day", "month", "year", "total"):
            # The sums are those of a whole plant; this one is a plant of one.
            for plant in ("", "_sum"):
                table[f"energy.e_{kind}_{period}{plant}{bracket}{index}"] = reading(meter, period)
    return table


def _statistics() -> dict[str, Source]:
    def part(n: int, extreme: str, place: int) -> Source:
        return lambda house: getattr(house.battery.statistics[n], extreme)[place]

    return {
        f"battery.cells_stat[{n}].{extreme}.{name}": part(n, extreme, place)
        for n in range(battery.MODULES)
        for extreme in CellStatistics.__slots__
        for place, name in enumerate(("index", "time", "value"))
    }


LIVE: Final[Mapping[str, Source]] = {
    **INVERTER,
    **BATTERY,
    **_each(PHASES, 3),
    **_each(STRINGS, 2),
    **_each(MODULES, battery.MODULES),
    **_energies(),
    **_statistics(),
}


def load_profile() -> dict[int, bytes]:
    """Return the payload of every object that says the same until someone writes it, by object id."""
    settings: dict[str, Any] = tomllib.loads(files(__package__).joinpath("profile.toml").read_text(encoding="utf-8"))
    exact = {name: value for name, value in settings.items() if "*" not in name}
    patterns = [
        (re.compile(".*".join(map(re.escape, name.split("*")))), value)
        for name, value in settings.items()
        if "*" in name
    ]
    payloads = {}
    for info in registry:
        if info.name in LIVE or info.is_query:
            continue
        value = exact.pop(info.name, None)
        if value is None:
            value = next((value for pattern, value in patterns if pattern.fullmatch(info.name)), None)
        if value is None:
            value = EMPTY.get(info.data_type, 0)
        elif info.data_type is DataType.UNKNOWN:
            value = bytes.fromhex(value)
        payloads[info.object_id] = info.encode(value)
    if exact:
        raise LookupError(f"profile.toml: no such objects, or measured ones: {', '.join(exact)}")
    return payloads
