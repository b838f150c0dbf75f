"""What the inverter does with its battery, by its settings.

Known, from the vendor's manual and from users who said what they saw:

- *Internal* is the default. The sun feeds the household first, then the battery, then the grid.
- *Constant* drives to ``soc_target_set`` ("Force SOC target"); *SOC target* does as well.
- *External* gives ``battery_power_extern``. It is charged from the grid only with ``use_grid_power_enable``, otherwise
  with no more than the sun leaves over.
- The battery feeds the grid with ``p_rec_lim[1]`` at most: nothing, unless that is set.
- Below ``soc_charge`` the battery is charged from the grid with ``soc_charge_power``, until it has reached ``soc_min``.
- Setting ``soc_charge`` sets ``soc_min`` and ``soc_min_island`` as well.

Assumed, since nobody has written it down:

- By how much those two follow: they keep the distances from ``soc_charge`` that they have by default.
- A target is driven to as fast as the battery can. ``use_grid_power_enable`` counts there as it does in External, and
  the maintenance charge goes before every strategy.
- *Middle voltage* and *Schedule* do what Internal does. ``soc_min_island`` does nothing: there is always a grid.
- A battery below a ``soc_min`` that was raised waits for the sun. Firmware 2.3.5689 was seen once to charge it from the
  grid at full power; the firmware that is simulated is older.
- ``power_reduction`` is the share of their peak power that the solar modules may give, and the slaves' with them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from math import isfinite
from typing import Final, TypeAlias

from rct_tools.simulator.battery import Bank

AC_MAX: Final = 9999.0  # W, what p_rec_lim[2] says
SATISFIED: Final = 0.001  # how near to soc_min a maintenance charge ends, in state of charge
# How far above soc_charge these are by default; they follow it.
ABOVE_CHARGE: Final = {"power_mng.soc_min": 0.02, "power_mng.soc_min_island": 0.07}
_MOST: Final = 100_000.0  # W: more is as good as this


class Strategy(IntEnum):
    """``power_mng.soc_strategy``."""

    SOC_TARGET = 0
    CONSTANT = 1
    EXTERNAL = 2
    MIDDLE_VOLTAGE = 3
    INTERNAL = 4
    SCHEDULE = 5


@dataclass(frozen=True, slots=True)
class Control:
    """The settings that steer the battery: W, and states of charge from 0 to 1."""

    strategy: int = Strategy.INTERNAL
    soc_target: float = 0.5
    soc_min: float = 0.07
    soc_max: float = 0.97
    soc_charge: float = 0.05
    soc_charge_power: float = 100.0
    battery_power: float = 0.0  # in External; positive when it discharges
    battery_to_grid: float = 0.0
    use_grid_power: bool = False
    power_reduction: float = 1.0

    @classmethod
    def of(cls, setting: Callable[[str], float]) -> Control:
        """Return what the objects say whose values ``setting`` tells; values that make no sense become some that do."""
        return cls(
            strategy=int(setting("power_mng.soc_strategy")),
            soc_target=_within(setting("power_mng.soc_target_set"), 0.0, 1.0),
            soc_min=_within(setting("power_mng.soc_min"), 0.0, 1.0),
            soc_max=_within(setting("power_mng.soc_max"), 0.0, 1.0),
            soc_charge=_within(setting("power_mng.soc_charge"), 0.0, 1.0),
            soc_charge_power=_within(setting("power_mng.soc_charge_power"), 0.0, _MOST),
            battery_power=_within(setting("power_mng.battery_power_extern"), -_MOST, _MOST),
            battery_to_grid=_within(setting("p_rec_lim[1]"), 0.0, _MOST),
            use_grid_power=bool(setting("power_mng.use_grid_power_enable")),
            power_reduction=_within(setting("buf_v_control.power_reduction"), 0.0, 1.0),
        )

    @property
    def target(self) -> float:
        """The state of charge that the battery is meant to reach."""
        wanted = self.soc_target if WISHES.get(self.strategy) is _to_target else self.soc_max
        return max(self.soc_min, min(wanted, self.soc_max))

    def needs_maintenance(self, soc: float, *, maintained: bool) -> bool:
        """Tell whether a battery is charged from the grid because it is low; ``maintained`` is what was until now."""
        return soc < (self.soc_min - SATISFIED if maintained else self.soc_charge)

    def power(self, bank: Bank, need: float, solar: float, hours: float, *, maintained: bool) -> float:
        """Return the power of the battery for some hours, positive when it discharges.

        ``need`` is what the household lacks, negative for what the sun leaves over, ``solar`` what the modules give;
        all as direct current, in W.
        """
        charge, discharge = bank.limits(hours, self.soc_min, self.soc_max)
        lowest = left_over = max(charge, min(need, 0.0), -solar)
        if self.use_grid_power:
            lowest = charge
        highest = min(discharge, max(need, 0.0) + self.battery_to_grid, AC_MAX - solar)
        wish = WISHES.get(self.strategy)
        power = max(min(need if wish is None else wish(self, bank, hours), highest), lowest)
        if maintained:
            from_grid, _ = bank.limits(hours, 0.0, self.soc_min)
            power = max(charge, min(power, left_over, max(from_grid, -self.soc_charge_power)))
        return power


Wish: TypeAlias = Callable[[Control, Bank, float], float]


def _to_target(control: Control, bank: Bank, hours: float) -> float:
    charge, discharge = bank.limits(hours, control.target, control.target)
    return charge + discharge  # a battery has one of them only: it is below the target, or above it


def _as_told(control: Control, _bank: Bank, _hours: float) -> float:
    return control.battery_power


# What a strategy wants of the battery; all others want what the household needs.
WISHES: Final[Mapping[int, Wish]] = {
    Strategy.SOC_TARGET: _to_target,
    Strategy.CONSTANT: _to_target,
    Strategy.EXTERNAL: _as_told,
}


def _within(value: float, low: float, high: float) -> float:
    return max(low, min(value, high)) if isfinite(value) else max(low, 0.0)
