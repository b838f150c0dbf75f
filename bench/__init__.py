"""Speed and size, beside those of peers: ``python -m bench``, or ``make bench``.

Ratios are of times measured in the same run, in turns, the best of each. A part is a module here with a function
``measure(quick)``; PARTS in ``__main__`` names them. docs/performance.md says what the numbers mean.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Measurement:
    """One line of the table."""

    what: str
    ours: str  # with its unit
    compared: str  # to what, with its unit
    ratio: float
    at_least: float | None = None  # the goal, one of the two
    at_most: float | None = None

    @property
    def goal(self) -> str:
        """The goal, in words."""
        if self.at_least is not None:
            return f"≥ {self.at_least:g}"
        return f"≤ {self.at_most:g}" if self.at_most is not None else ""

    @property
    def verdict(self) -> str:
        """Whether the goal is met."""
        if not self.goal:
            return ""
        low = -float("inf") if self.at_least is None else self.at_least
        high = float("inf") if self.at_most is None else self.at_most
        return "met" if low <= self.ratio <= high else "MISSED"
