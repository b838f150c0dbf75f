"""How fast an inverter may be asked."""

from __future__ import annotations

from typing import Final


class Pace:
    """How many requests may be in flight, and how close they may follow each other.

    It starts with one and allows more while answers are quick and complete. A loss halves it, and each makes it try
    for more less often: some inverters take several requests at a time, others cut the answer they are giving when
    the next request comes, and would do so again and again.
    """

    WIDEST: Final = 8
    GAP: Final = 0.048  # seconds, shared by the requests in flight
    QUICK: Final = 2.5  # times the quickest answer so far
    MOST_CAREFUL: Final = 64  # answers, for each request in flight, before one more is tried

    def __init__(self) -> None:
        self.window = 1.0
        self._care = 0  # none before the first loss
        self._quickest = float("inf")

    @property
    def gap(self) -> float:
        """The least time between two requests, in seconds."""
        return self.GAP / self.window

    def answered(self, delay: float) -> None:
        """Take note of an answer that came after so many seconds."""
        self._quickest = min(self._quickest, delay)
        if delay <= self.QUICK * self._quickest:
            more = 1 / (self._care * self.window) if self._care else 1
            self.window = min(self.WIDEST, self.window + more)

    def lost(self) -> None:
        """Take note of an answer that did not come, or came cut."""
        self._care = min(2 * self._care, self.MOST_CAREFUL) or 4
        self.window = max(1.0, self.window / 2)
