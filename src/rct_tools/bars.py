"""Numbers drawn with letters: bars, gauges and curves, and the words and colours that go with powers.

One look for all that is shown on a terminal. Nothing here needs a colour to be understood.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import ceil
from typing import Final

YELLOW, BLUE, GREEN, MAGENTA = "yellow", "blue", "green", "magenta"
"""What sun, house, battery and grid are drawn in."""

IDLE: Final = 20.0
"""W: less is what the inverter's control is off."""

_GAUGE: Final = 7  # columns
_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"
_HEIGHTS: Final = " ▁▂▃▄▅▆▇█"


def bar(share: float, width: int) -> str:
    """Return a bar that fills a share, from 0 to 1, of so many columns."""
    full, eighths = divmod(round(_part(share) * width * 8), 8)
    return "█" * full + (_EIGHTHS[eighths] if eighths else "")


def gauge(charge: float) -> str:
    """Return a state of charge, from 0 to 1, with a small bar."""
    return f"{charge:>6.1%} {bar(charge, _GAUGE):░<{_GAUGE}}"


def curve(shares: Iterable[float | None], height: int = 1) -> Iterator[str]:
    """Yield the lines, from the top, of columns that fill shares, from 0 to 1, of so many lines.

    What is more than nothing is seen; what is not known, None, is empty.
    """
    filled = [0 if share is None else ceil(8 * height * _part(share)) for share in shares]
    for line in reversed(range(height)):
        yield "".join(_HEIGHTS[min(8, max(0, eighths - 8 * line))] for eighths in filled)


def kilowatt(power: float) -> str:
    """Return a power, given in W, as people read it."""
    return f"{power / 1000:.2f} kW"


def battery_way(power: float) -> tuple[str, str]:
    """Return the arrow, as seen from the house, and the word for what the battery does."""
    return _way(power, ("←", "discharging"), ("→", "charging"))


def grid_way(power: float) -> tuple[str, str]:
    """Return the arrow, as seen from the house, and the word for what is exchanged with the grid."""
    return _way(power, ("←", "import"), ("→", "feed-in"))


def _way(power: float, positive: tuple[str, str], negative: tuple[str, str]) -> tuple[str, str]:
    return (" ", "idle") if abs(power) < IDLE else positive if power > 0 else negative


def _part(share: float) -> float:
    return min(max(share, 0.0), 1.0)
