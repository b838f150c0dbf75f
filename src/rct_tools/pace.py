"""How fast an inverter may be asked."""

from __future__ import annotations

from typing import Final

from rct_tools.objects import ObjectInfo
from rct_tools.recent import Recent


class Pace:
    """How many requests may be in flight, and how close they may follow each other.

    It starts with one and allows more while answers are quick and complete. A loss halves it, and each makes it try
    for more less often: some inverters take several requests at a time, others cut the answer they are giving when
    the next request comes, and would do so again and again.

    How long to wait for an answer follows from how long answers take, as TCP does it (RFC 6298): the first wait is
    short where answers are quick, and doubles each time, so that a slow answer is not cut by asking again.
    """

    WIDEST: Final = 8
    GAP: Final = 0.048  # seconds, shared by the requests in flight
    QUICK: Final = 2.5  # times the quickest answer of late
    MOST_CAREFUL: Final = 64  # answers, for each request in flight, before one more is tried
    SHORTEST: Final = 0.3  # seconds to wait for an answer
    _MEAN, _DEVIATION = 1 / 8, 1 / 4  # weights of the newest answer
    _FORGOTTEN = 1.05  # an answer: what comes by itself right after a question seems to be one, and a quick one

    def __init__(self) -> None:
        self.window = 1.0
        self._care = 0  # none before the first loss
        self._quickest = float("inf")
        self._usual: float | None = None  # seconds that answers take
        self._spread = 0.0  # and how far they are from that

    def patience(self, times: int, longest: float) -> float:
        """Return how long to wait for the answer to what is asked for the nth time, in seconds."""
        if self._usual is None:
            return longest
        return min(longest, max(self.SHORTEST, self._usual + 4 * self._spread) * 2.0 ** (times - 1))

    @property
    def gap(self) -> float:
        """The least time between two requests, in seconds."""
        return self.GAP / self.window

    def answered(self, delay: float) -> None:
        """Take note of an answer that came after so many seconds, to what was asked once."""
        if self._usual is None:
            self._usual, self._spread = delay, delay / 2
        else:
            self._spread += (abs(delay - self._usual) - self._spread) * self._DEVIATION
            self._usual += (delay - self._usual) * self._MEAN
        self._quickest = min(self._quickest * self._FORGOTTEN, delay)
        if delay <= self.QUICK * self._quickest:
            more = 1 / (self._care * self.window) if self._care else 1
            self.window = min(self.WIDEST, self.window + more)

    def lost(self) -> None:
        """Take note of an answer that did not come, or came cut."""
        self._care = min(2 * self._care, self.MOST_CAREFUL) or 4
        self.window = max(1.0, self.window / 2)


class Others:
    """Whether other clients are at work on the same inverter, told from what comes unasked.

    Then it is asked one thing at a time, with gaps: a request of ours would cut the answer to theirs. All times are in
    seconds, of any steady clock.
    """

    LEFT: Final = 10.0  # seconds after their last sign until they are taken to be gone
    GAP: Final = 0.25  # seconds between two requests while they are there
    OURS: Final = 30.0  # seconds after our question in which an answer may still be for us
    AGAIN: Final = 20.0  # seconds: what the inverter says by itself does not come again sooner
    _MOST: Final = 4096  # objects remembered; there are 895

    def __init__(self) -> None:
        self._asked: Recent[int, float] = Recent(self._MOST)  # id of an object -> when we asked for it last
        self._unasked: Recent[int, float] = Recent(self._MOST)  # the same -> when it last came unasked
        self._seen = float("-inf")

    def at_work(self, now: float) -> bool:
        """Return whether there was a sign of them in the last seconds."""
        return now - self._seen < self.LEFT

    def asked(self, object_id: int, now: float) -> None:
        """Take note of a question of ours, whose answer may come late."""
        self._asked.put(object_id, now)

    def is_ours(self, object_id: int, now: float) -> bool:
        """Return whether what comes of an object may be a late answer to us."""
        return now - self._asked.get(object_id, float("-inf")) < self.OURS

    def came(self, info: ObjectInfo, now: float) -> bool:
        """Take note of an object that came unasked, and return whether that is a sign of them."""
        if self.is_ours(info.object_id, now):
            return False
        last = self._unasked.get(info.object_id, float("-inf"))
        self._unasked.put(info.object_id, now)
        is_sign = not info.reported or now - last < self.AGAIN
        if is_sign:
            self._seen = now
        return is_sign
