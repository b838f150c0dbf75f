"""The battery: its charge, its limits, its modules and their cells."""

from __future__ import annotations

from bisect import bisect_right
from random import Random
from typing import Final

from rct_tools.simulator.noise import seeded
from rct_tools.values import CELLS_PER_MODULE, Cell, CellExtreme, CellStatistics

PLACES: Final = 7  # modules an inverter can have
MODULES: Final = 5  # modules this one has
CELLS: Final = MODULES * CELLS_PER_MODULE
AMP_HOURS: Final = 25.0
CAPACITY: Final = AMP_HOURS * CELLS * 3.2  # Wh
MAX_CURRENT: Final = 20.0  # A, both ways
SOC_MIN: Final = 0.07
SOC_MAX: Final = 0.97
EFFICIENCY: Final = 0.975  # of each way

_RESISTANCE: Final = 0.006  # Ohm, of a cell with its connections
_HEAT_TIME: Final = 4 * 3600.0  # seconds until most of a change has reached the cells
_TAPER_UP, _TAPER_DOWN = 0.04, 0.02  # how far from its limits, in state of charge, the current begins to fall
# Voltage of an idle cell by state of charge: lithium iron phosphate is flat but at its ends.
_CURVE: Final = (
    (0.0, 2.85), (0.04, 3.06), (0.1, 3.18), (0.2, 3.235), (0.35, 3.275), (0.65, 3.305), (0.9, 3.325), (0.96, 3.34),
    (1.0, 3.43),
)  # fmt: skip
_CHARGES: Final = tuple(charge for charge, _ in _CURVE)


class Battery:
    """A battery whose state of charge integrates its power. Powers and currents are positive when it discharges."""

    def __init__(self, seed: int, installed: int) -> None:
        """A battery as it comes; ``installed`` is the time on the clock of the house."""
        chance = seeded("battery", seed)
        self.soc = 0.4
        self.power = 0.0  # W
        self.current = 0.0  # A
        self.voltage = CELLS * 3.28  # V
        self.temperature = 18.0  # °C
        self.stored_energy = 0.0  # Wh that went in since it was installed
        self.used_energy = 0.0  # Wh that came out
        self.charged_amp_hours = 0.0
        self.discharged_amp_hours = 0.0
        # How each cell differs from the mean: V, and °C.
        self._cells = [(chance.uniform(-0.003, 0.003), chance.uniform(-0.9, 0.9)) for _ in range(CELLS)]
        self.resistances = [
            tuple(round(chance.uniform(0.45, 0.75) * 256) / 256 for _ in range(CELLS_PER_MODULE))
            for _ in range(MODULES)
        ]
        self.statistics = [_commissioning_extremes(chance, installed) for _ in range(MODULES)]

    def limits(self, hours: float) -> tuple[float, float]:
        """Return the lowest and the highest power possible for this long, in W: charge (negative), discharge."""
        soc = self.soc
        most = MAX_CURRENT * self.voltage
        charge = most * min(1.0, max(0.0, SOC_MAX - soc) / _TAPER_UP)
        discharge = most * min(1.0, max(0.0, soc - SOC_MIN) / _TAPER_DOWN)
        return (
            0.0 - min(charge, max(0.0, SOC_MAX - soc) * CAPACITY / (EFFICIENCY * hours)),  # a full one: 0, not -0
            min(discharge, max(0.0, soc - SOC_MIN) * CAPACITY * EFFICIENCY / hours),
        )

    def run(self, power: float, hours: float, ambient: float) -> None:
        """Let a power within its limits flow for some hours, in a room of ``ambient`` °C."""
        self.power = power
        idle = CELLS * idle_voltage(self.soc)
        self.voltage = voltage = idle - power / idle * CELLS * _RESISTANCE
        self.current = current = power / voltage
        if power < 0.0:
            self.soc -= power * hours * EFFICIENCY / CAPACITY
            self.stored_energy -= power * hours
            self.charged_amp_hours -= current * hours
        else:
            self.soc -= power * hours / (EFFICIENCY * CAPACITY)
            self.used_energy += power * hours
            self.discharged_amp_hours += current * hours
        warm = ambient + 0.3 * abs(current)
        self.temperature += (warm - self.temperature) * min(1.0, hours * 3600.0 / (_HEAT_TIME + hours * 3600.0))

    @property
    def cycles(self) -> int:
        """How often it was emptied, counted in full charges."""
        return int(self.discharged_amp_hours / AMP_HOURS)

    def modules(self) -> list[tuple[Cell, ...]]:
        """Return the cells of each module; their voltages, in whole millivolts, add up to the battery's."""
        mean = self.voltage / CELLS
        cells = [
            Cell(max(0, round(self.temperature + warmer)), round(mean + higher, 3), 0) for higher, warmer in self._cells
        ]
        return [tuple(cells[n : n + CELLS_PER_MODULE]) for n in range(0, CELLS, CELLS_PER_MODULE)]


def idle_voltage(soc: float) -> float:
    """Return the voltage of a cell without current, by its state of charge."""
    place = min(max(bisect_right(_CHARGES, soc), 1), len(_CURVE) - 1)
    (low, low_voltage), (high, high_voltage) = _CURVE[place - 1], _CURVE[place]
    return low_voltage + (high_voltage - low_voltage) * (soc - low) / (high - low)


def _commissioning_extremes(chance: Random, installed: int) -> CellStatistics:
    # Every module is emptied, filled and warmed once when it is commissioned; the house never goes that far again.
    def extreme(low: float, high: float) -> CellExtreme:
        time = installed + chance.randrange(86400)
        return CellExtreme(chance.randrange(CELLS_PER_MODULE), time, chance.uniform(low, high))

    return CellStatistics(extreme(2.72, 2.78), extreme(3.62, 3.65), extreme(1.0, 3.0), extreme(46.0, 49.0))
