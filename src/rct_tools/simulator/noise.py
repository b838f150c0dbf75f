"""Chance that can be repeated: weather, appliances and mains need it, each its own."""

from __future__ import annotations

import random
from typing import Final

_POINTS: Final = 4096
_SCATTER: Final = 2654435761  # Knuth's multiplier: neighbours in time are not neighbours in the table


def seeded(*what: object) -> random.Random:
    """Return a source of chance that ``what`` determines."""
    return random.Random(" ".join(map(str, what)))  # noqa: S311  # for a game, not for a lock


class Noise:
    """A smooth curve between 0 and 1 that ``what`` determines: it can be asked for any time, in any order."""

    def __init__(self, *what: object) -> None:
        chance = seeded(*what)
        self._points = [chance.random() for _ in range(_POINTS)]

    def at(self, x: float) -> float:
        """Return the curve at ``x``; it passes through a new random point at every whole number."""
        i = int(x)
        part = x - i
        part *= part * (3.0 - 2.0 * part)
        points = self._points
        here = points[(i * _SCATTER >> 8) % _POINTS]
        return here + (points[((i + 1) * _SCATTER >> 8) % _POINTS] - here) * part
