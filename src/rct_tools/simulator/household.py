"""What the people in the house use."""

from __future__ import annotations

from typing import Final

from rct_tools.simulator.noise import Noise, seeded

_DAY: Final = 86400
_MINUTES: Final = 1440
_REMEMBERED: Final = 3  # days; time only runs forward, but a step may reach back over midnight

# Appliance, how likely on a day, earliest and latest start in minutes, shortest and longest run in minutes, watts.
APPLIANCES: Final = (
    ("kettle in the morning", 0.9, 375, 480, 3, 5, 2100.0),
    ("coffee", 0.8, 390, 500, 4, 12, 1100.0),
    ("hair dryer", 0.5, 385, 450, 5, 9, 1500.0),
    ("light and radio in the morning", 0.9, 350, 400, 50, 110, 90.0),
    ("hob at noon", 0.55, 675, 765, 15, 40, 1700.0),
    ("vacuum cleaner", 0.3, 560, 1080, 15, 35, 900.0),
    ("kettle in the afternoon", 0.4, 870, 1020, 3, 5, 2100.0),
    ("oven", 0.4, 1035, 1140, 30, 55, 2000.0),
    ("hob in the evening", 0.75, 1050, 1170, 18, 45, 1900.0),
    ("dishwasher heats", 0.6, 1185, 1300, 18, 25, 1950.0),
    ("dishwasher runs", 0.6, 1170, 1290, 70, 110, 90.0),
    ("washing machine heats", 0.45, 520, 1000, 14, 24, 2050.0),
    ("washing machine runs", 0.45, 535, 1015, 60, 100, 180.0),
    ("tumble dryer", 0.3, 600, 1140, 60, 110, 750.0),
    ("television and light", 0.95, 1080, 1170, 150, 300, 210.0),
    ("computer", 0.7, 510, 900, 90, 420, 140.0),
)


class Household:
    """The load of a house: what always runs, a refrigerator, and appliances at the hours people use them."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._flicker = Noise("household", seed)
        self._days: dict[int, list[float]] = {}

    def power(self, time: float) -> float:
        """Return the power that the house takes at a time of its clock, in W."""
        day, second = divmod(time, _DAY)
        minutes = self._days.get(int(day)) or self._plan(int(day))
        flicker = self._flicker.at
        base = 105.0 + 60.0 * flicker(time / 5400)
        refrigerator = 75.0 if flicker(time / 1100) > 0.55 else 0.0
        return base + refrigerator + minutes[int(second) // 60] * (0.94 + 0.12 * flicker(time / 19))

    def _plan(self, day: int) -> list[float]:
        chance = seeded("appliances", self._seed, day)
        minutes = [0.0] * _MINUTES
        for _, likely, earliest, latest, shortest, longest, watts in APPLIANCES:
            if chance.random() < likely:
                begin = chance.randint(earliest, latest)
                for minute in range(begin, min(begin + chance.randint(shortest, longest), _MINUTES)):
                    minutes[minute] += watts
        while len(self._days) >= _REMEMBERED:
            del self._days[min(self._days)]
        self._days[day] = minutes
        return minutes
