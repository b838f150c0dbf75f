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
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from rct_tools.objects import registry
from rct_tools.simulator import battery
from rct_tools.simulator.battery import Battery
from rct_tools.simulator.house import METERS, House, on_clock
from rct_tools.values import CELLS_PER_MODULE, Cell, CellExtreme, CellStatistics, DataType, Value, encode_value

Source: TypeAlias = Callable[[House], Value]
Sources: TypeAlias = Callable[[House], Sequence[Value]]
TowerSource: TypeAlias = Callable[[Battery], Value]
TowerSources: TypeAlias = Callable[[Battery], Sequence[Value]]

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
    "g_sync.p_acc_lp": lambda house: house.bank.power,
    "g_sync.q_ac_sum_lp": lambda house: _REACTIVE * house.ac,
    "g_sync.s_ac_sum_lp": lambda house: _APPARENT * abs(house.ac),
    "g_sync.u_zk_sum_avg": lambda house: house.link_voltage,
    "g_sync.u_zk_sum_mov_avg": lambda house: house.link_voltage,
    "g_sync.u_zk_p_avg": lambda house: house.link_voltage * 0.4995,
    "g_sync.u_zk_n_avg": lambda house: house.link_voltage * 0.5005,
    "grid_pll[0].f": lambda house: house.grid_frequency,
    "io_board.s0_external_power": lambda house: house.external,
    "db.temp1": lambda house: house.heat_sink,
    "db.temp2": lambda house: house.actuator,
    "db.core_temp": lambda house: 0.7 * house.heat_sink + 12.0,
    "flash_rtc.time_stamp": lambda house: house.clock,
    "flash_rtc.time_stamp_set": lambda house: _stamp(house, 0),
    "flash_rtc.time_stamp_update": lambda house: _stamp(house, 300),
    "flash_rtc.time_stamp_factory": lambda house: _stamp(house, -40 * 86400),
    "dc_conv.last_rescan": lambda house: house.clock - house.clock % 86400,
    "power_mng.bat_next_calib_date": lambda house: house.clock - house.clock % (30 * 86400) + 30 * 86400,
    "wifi.connect_service_timestamp": lambda house: house.clock - house.clock % 60,
    "p_buf_available": lambda house: sum(house.pv),
    "p_rec_req[0]": lambda house: max(0.0, house.load),
    "p_rec_req[2]": lambda house: house.ac,
    "p_rec_available[1]": lambda house: max(0.0, house.bank.power),
    "p_rec_available[2]": lambda house: house.ac,
    "prim_sm.Uzk_pump_grad[0]": lambda house: sum(house.pv),
    "net.soc_av": lambda house: house.bank.soc,
    "net.slave_p_total": lambda house: house.external,
    "battery.soc_target": lambda house: house.control.target,
    "battery.soc_target_low": lambda house: house.control.target,
    "battery.soc_target_high": lambda house: house.control.target,
    "power_mng.battery_power": lambda house: house.bank.power,
    "power_mng.amp_hours": lambda house: house.bank.amp_hours,
    "power_mng.amp_hours_measured": lambda house: house.bank.amp_hours_full,
    "power_mng.u_acc_lp": lambda house: house.battery.voltage + 0.4,
    "power_mng.u_acc_mix_lp": lambda house: house.battery.voltage,
    "adc.u_acc": lambda house: house.battery.voltage + 0.4,
    "acc_conv.i_acc_lp_fast": lambda house: house.bank.current,
    "acc_conv.i_acc_lp_slow": lambda house: house.bank.current,
}

# Of a battery tower; the names go on behind that of the tower.
BATTERY: Final[Mapping[str, TowerSource]] = {
    "soc": lambda tower: tower.soc,
    "voltage": lambda tower: sum(cell.voltage for cell in _cells(tower)),
    "current": lambda tower: tower.current,
    "temperature": lambda tower: tower.temperature,
    "max_cell_voltage": lambda tower: max(cell.voltage for cell in _cells(tower)),
    "min_cell_voltage": lambda tower: min(cell.voltage for cell in _cells(tower)),
    "max_cell_temperature": lambda tower: float(max(cell.temperature for cell in _cells(tower))),
    "min_cell_temperature": lambda tower: float(min(cell.temperature for cell in _cells(tower))),
    "stored_energy": lambda tower: tower.stored_energy,
    "used_energy": lambda tower: tower.used_energy,
    "charged_amp_hours": lambda tower: tower.charged_amp_hours,
    "discharged_amp_hours": lambda tower: tower.discharged_amp_hours,
    "cycles": lambda tower: tower.cycles,
    "ah_capacity": lambda tower: tower.amp_hours,
    "efficiency": lambda _: battery.EFFICIENCY**2,
    "maximum_charge_current": lambda _: battery.MAX_CURRENT,
    "maximum_discharge_current": lambda _: battery.MAX_CURRENT,
}

# Of each of its modules.
MODULES: Final[Mapping[str, TowerSources]] = {
    "cells[{}]": lambda tower: tower.modules(),
    "cells_resist[{}]": lambda tower: tower.resistances,
    "cells_stat[{}]": lambda tower: tower.statistics,
    "stack_cycles[{}]": lambda tower: [tower.cycles] * battery.MODULES,
}

# For each of L1, L2, L3.
PHASES: Final[Mapping[str, Sources]] = {
    "g_sync.p_ac[{}]": lambda house: house.ac_phases,
    "g_sync.p_ac_lp[{}]": lambda house: house.ac_phases,
    "g_sync.s_ac[{}]": lambda house: [abs(power) * _APPARENT for power in house.ac_phases],
    "g_sync.s_ac_lp[{}]": lambda house: [abs(power) * _APPARENT for power in house.ac_phases],
    "g_sync.q_ac[{}]": lambda house: [power * _REACTIVE for power in house.ac_phases],
    "g_sync.i_dr_eff[{}]": lambda house: list(map(abs, map(truediv, house.ac_phases, house.grid_voltage))),
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


def _cells(tower: Battery) -> list[Cell]:
    return [cell for module in tower.modules() for cell in module]


def _stamp(house: House, after: int) -> int:
    # A time so many seconds after the inverter was new, on its clock.
    return on_clock(house.commissioned + after, house.clock_off)


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

    def plant(meter: str, period: str) -> Source:
        if meter.startswith("dc"):
            return lambda house: getattr(house.energy[meter], period) * house.plant_size
        if meter == "ac":
            return lambda house: getattr(house.energy["ac"], period) + getattr(house.energy["ext"], period)
        if meter == "ext":
            return lambda _: 0.0  # the external generators of one inverter are the others of the plant
        return reading(meter, period)

    table = {}
    for meter in METERS:
        kind, bracket, index = meter.partition("[")
        for period in ("day", "month", "year", "total"):
            table[f"energy.e_{kind}_{period}{bracket}{index}"] = reading(meter, period)
            table[f"energy.e_{kind}_{period}_sum{bracket}{index}"] = plant(meter, period)
    return table


def _tower(number: int, name: str) -> dict[str, Source]:
    # What is known of a tower, as far as there are objects for it behind a name. The table of objects does not know the
    # types of all those of the second tower, so its structures are given as the bytes that they have in the first.
    def as_bytes(key: str, source: Source) -> Source:
        data_type = registry[f"battery.{key}"].data_type
        return lambda house: encode_value(data_type, source(house))

    def one(source: TowerSource) -> Source:
        return lambda house: source(house.bank.towers[number])

    def each(sources: TowerSources, n: int) -> Source:
        return lambda house: sources(house.bank.towers[number])[n]

    def part(n: int, extreme: str, place: int) -> Source:
        return lambda house: getattr(house.bank.towers[number].statistics[n], extreme)[place]

    table = {key: one(source) for key, source in BATTERY.items()}
    for n in range(battery.MODULES):
        table |= {key.format(n): each(sources, n) for key, sources in MODULES.items()}
        for extreme in CellStatistics.__slots__:
            for place, value in enumerate(("index", "time", "value")):
                table[f"cells_stat[{n}].{extreme}.{value}"] = part(n, extreme, place)
    return {
        full: as_bytes(key, source) if registry[full].data_type is DataType.UNKNOWN else source
        for key, source in table.items()
        if (full := f"{name}.{key}") in registry
    }


LIVE: Final[Mapping[str, Source]] = {
    **INVERTER,
    **_each(PHASES, 3),
    **_each(STRINGS, 2),
    **_energies(),
    **_tower(0, "battery"),
}
SECOND_TOWER: Final[Mapping[str, Source]] = _tower(1, "battery_placeholder[0]")


def load_profile(identity: Mapping[str, Value] = MappingProxyType({})) -> dict[int, bytes]:
    """Return the payload of every object that says the same until someone writes it, by object id.

    ``identity`` has values that go before those of the profile.
    """
    settings: dict[str, Any] = tomllib.loads(files(__package__).joinpath("profile.toml").read_text(encoding="utf-8"))
    settings |= identity
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
        elif isinstance(value, str) and info.data_type is DataType.UNKNOWN:
            value = bytes.fromhex(value)
        payloads[info.object_id] = info.encode(value)
    if exact:
        raise LookupError(f"profile.toml: no such objects, or measured ones: {', '.join(exact)}")
    return payloads
