"""How fast an inverter may be asked."""

from __future__ import annotations

from typing import Final


class Pace:
    """How many requests may be in flight, and how close they may follow each other.

    It starts with one, grows while answers are quick and complete, and halves on each loss: the serial line behind the
    bridge drops what comes too fast, some firmware sooner than other.
    """

    WIDEST: Final = 8
    GAP: Final = 0.048  # seconds, shared by the requests in flight
    QUICK: Final = 2.5  # times the quickest answer so far

    def __init__(self) -> None:
        self.window = 1.0
        self._careful = False  # after the first loss, growth is slow
        self._quickest = float("inf")

    @property
    def gap(self) -> float:
        """The least time between two requests, in seconds."""
        return self.GAP / self.window

    def answered(self, delay: float) -> None:
        """Take note of an answer that came after so many seconds."""
        self._quickest = min(self._quickest, delay)
        if delay <= self.QUICK * self._quickest:
            self.window = min(self.WIDEST, self.window + (1 / self.window if self._careful else 1))

    def lost(self) -> None:
        """Take note of an answer that did not come, or came cut."""
        self._careful = True
        self.window = max(1.0, self.window / 2)
