"""Counters that do not go back: what Home Assistant takes for a new cycle is one, and no slip of the inverter."""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import Final

from rct_tools.times import SECOND

BELIEVED: Final = 5
"""So many readings in a row, below half of what was, are a reset; fewer are what a starting inverter says at times."""

_SLACK: Final = 3600 * SECOND  # how wrong the inverter's clock may be


def begin(time: int, zone: tzinfo, period: str) -> datetime:
    """Return when the "day", "month" or "year" began in which a time lies, by the clocks of a zone."""
    midnight = datetime.fromtimestamp(time // SECOND, zone).replace(hour=0, minute=0, second=0, fold=0)
    match period:
        case "day":
            return midnight
        case "month":
            return midnight.replace(day=1)
        case _:
            return midnight.replace(month=1, day=1)


class Total:
    """One counter. What is below the highest value is held back, unless the counter did begin anew.

    It did when a day, month or year has ended of which it is the counter; or when a device or its memory was replaced,
    which BELIEVED readings show. Then the lower value is passed on as it is: Home Assistant counts a drop as a new
    cycle, and so does it when this program starts again. An offset would be forgotten then, and counted twice.
    """

    __slots__ = ("_below", "_highest", "_period", "_time", "_zone")

    def __init__(self, zone: tzinfo, period: str) -> None:
        """``period`` is "day", "month", "year", or "" for a counter that never begins anew by itself."""
        self._zone = zone
        self._period = period
        self._highest = float("-inf")
        self._time = 0
        self._below = 0

    def take(self, value: float, time: int) -> float:
        """Return what to show for a value of a time (ns): itself, or the highest before it."""
        if value < self._highest and not self._has_ended(time):
            self._below = self._below + 1 if value < self._highest / 2 else 0
            if self._below < BELIEVED:
                return self._highest
        self._highest, self._time, self._below = value, time, 0
        return value

    def _has_ended(self, time: int) -> bool:
        if not self._period:
            return False
        before, after = (
            begin(self._time - _SLACK, self._zone, self._period),
            begin(time + _SLACK, self._zone, self._period),
        )
        return before < after
