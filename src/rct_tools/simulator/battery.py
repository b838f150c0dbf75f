"""The battery: its charge, its limits, its modules and their cells; and the towers of them that an inverter has."""

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
CAPACITY: Final = AMP_HOURS * CELLS * 3.2  # Wh, when new
MAX_CURRENT: Final = 20.0  # A, both ways
CONVERTER_CURRENT: Final = 25.0  # A, both ways, of all towers
TOWERS: Final = (AMP_HOURS, 24.2)  # Ah; the second has aged a bit
EFFICIENCY: Final = 0.975  # of each way

_RESISTANCE: Final = 0.006  # Ohm, of a cell with its connections
_WARMER: Final = 1.3  # °C: the second tower has the wall behind it
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

    def __init__(self, chance: Random, installed: int, amp_hours: float = AMP_HOURS) -> None:
        """A battery as it comes; ``installed`` is the time on the clock of the house."""
        self.amp_hours = amp_hours
        self.capacity = amp_hours * CELLS * 3.2  # Wh
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

    def limits(self, hours: float, low: float, high: float) -> tuple[float, float]:
        """Return the lowest and the highest power possible for this long, in W: charge (negative), discharge.

        It is not discharged below a state of charge of ``low``, nor charged above one of ``high``.
        """
        soc = self.soc
        most = MAX_CURRENT * self.voltage
        charge = most * min(1.0, max(0.0, high - soc) / _TAPER_UP)
        discharge = most * min(1.0, max(0.0, soc - low) / _TAPER_DOWN)
        return (
            0.0 - min(charge, max(0.0, high - soc) * self.capacity / (EFFICIENCY * hours)),  # a full one: 0, not -0
            min(discharge, max(0.0, soc - low) * self.capacity * EFFICIENCY / hours),
        )

    def run(self, power: float, hours: float, ambient: float) -> None:
        """Let a power within its limits flow for some hours, in a room of ``ambient`` °C."""
        self.power = power
        idle = CELLS * idle_voltage(self.soc)
        self.voltage = voltage = idle - power / idle * CELLS * _RESISTANCE
        self.current = current = power / voltage
        if power < 0.0:
            self.soc -= power * hours * EFFICIENCY / self.capacity
            self.stored_energy -= power * hours
            self.charged_amp_hours -= current * hours
        else:
            self.soc -= power * hours / (EFFICIENCY * self.capacity)
            self.used_energy += power * hours
            self.discharged_amp_hours += current * hours
        warm = ambient + 0.3 * abs(current)
        self.temperature += (warm - self.temperature) * min(1.0, hours * 3600.0 / (_HEAT_TIME + hours * 3600.0))

    @property
    def cycles(self) -> int:
        """How often it was emptied, counted in full charges."""
        return int(self.discharged_amp_hours / self.amp_hours)

    def modules(self) -> list[tuple[Cell, ...]]:
        """Return the cells of each module; their voltages, in whole millivolts, add up to the battery's."""
        mean = self.voltage / CELLS
        cells = [
            Cell(max(0, round(self.temperature + warmer)), round(mean + higher, 3), 0) for higher, warmer in self._cells
        ]
        return [tuple(cells[n : n + CELLS_PER_MODULE]) for n in range(0, CELLS, CELLS_PER_MODULE)]


class Bank:
    """The battery towers of an inverter, which share its power."""

    def __init__(self, seed: object, installed: int, towers: int = 1) -> None:
        """New towers, one or two; ``installed`` is the time on the clock of the house."""
        chances = (seeded("battery", seed), *(seeded("battery", seed, n) for n in range(1, towers)))
        self.towers = tuple(Battery(*each) for each in zip(chances, [installed] * towers, TOWERS, strict=False))
        self.power = 0.0  # W, of all

    def limits(self, hours: float, low: float, high: float) -> tuple[float, float]:
        """Return what Battery.limits does, for all towers together."""
        if len(self.towers) == 1:
            return self.towers[0].limits(hours, low, high)
        charges, discharges = zip(*(tower.limits(hours, low, high) for tower in self.towers), strict=True)
        most = CONVERTER_CURRENT * self.towers[0].voltage
        return max(-most, sum(charges)), min(most, sum(discharges))

    def run(self, power: float, hours: float, ambient: float, low: float, high: float) -> None:
        """Let a power within the limits flow for some hours, through each tower by what it can."""
        self.power = power
        if len(self.towers) == 1:
            self.towers[0].run(power, hours, ambient)
            return
        shares = [tower.limits(hours, low, high)[power > 0.0] for tower in self.towers]
        can = sum(shares) or 1.0
        for n, (tower, share) in enumerate(zip(self.towers, shares, strict=True)):
            tower.run(power * share / can, hours, ambient + n * _WARMER)

    @property
    def current(self) -> float:
        """The current of all towers, in A."""
        return sum(tower.current for tower in self.towers)

    @property
    def soc(self) -> float:
        """The state of charge of all towers together."""
        return self.amp_hours / self.amp_hours_full

    @property
    def amp_hours(self) -> float:
        """What is in them, in Ah."""
        return sum(tower.soc * tower.amp_hours for tower in self.towers)

    @property
    def amp_hours_full(self) -> float:
        """What is in them when they are full, in Ah."""
        return sum(tower.amp_hours for tower in self.towers)

    @property
    def given(self) -> float:
        """What came out of them less what went in, in Wh."""
        return sum(tower.used_energy - tower.stored_energy for tower in self.towers)


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
