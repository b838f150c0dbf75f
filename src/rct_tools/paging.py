"""Going back through a log page by page: what to ask next, and what of an answer is new. It has no connection.

A page holds rows older than the time it was asked with, the newest first. How many varies, and may be fewer than there
are: an answer that was cut is a shorter page. So the next page is asked from the last row that came, and only a second
page in a row without an older row ends it.

Times are those that the clock of the inverter shows. An hour that repeats is asked for from its end, so that all of it
is in one page, and in its order: a rise of time there parts the second time from the first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

from rct_tools.clock import Clock, Repeat

_LAST_PAGES: Final = 2  # without a row that is older: one may be an answer that was cut, or of somebody else's
_OLDEST: Final = 0
_CLOCK_IS_SET: Final = 978_307_200  # 2001: a clock that has lost its time begins at 2000, in the midst of other rows


class Timed(Protocol):
    """A row of a log."""

    @property
    def time(self) -> int:
        """What the clock showed, in seconds."""


Row = TypeVar("Row", bound=Timed)


@dataclass(frozen=True, slots=True)
class Dated(Generic[Row]):
    """A row and its time."""

    row: Row
    time: int  # UTC, seconds
    is_sure: bool  # else it may be an hour off: its hour repeats or is left out, and its place in the log does not tell


class Paging(Generic[Row]):
    """Where we are in one log. Ask for what is older than ``before`` until it is ``over``, and ``take`` each page."""

    def __init__(self, clock: Clock, since: int, until: int, *, is_parted: bool = False) -> None:
        """Rows that are shown from ``since`` up to ``until``, and a few more: whoever dates them cuts what is outside.

        ``is_parted`` tells that many rows may be of one second, which the end of a page can part. Else rows have a time
        each, and one that comes again is the same.
        """
        first, last = clock.repeat(since), clock.repeat(until)
        self.before = last.end if last else until
        self.over = False
        self._clock = clock
        self._since = first.begin if first else since
        self._is_parted = is_parted
        self._pages_without = 0
        self._seen: Counter[tuple[int, Row | None]] = Counter()  # what was taken, and may come again
        self._repeat: Repeat | None = None  # the hour that rows are being gathered of
        self._hour: list[Row] = []

    @property
    def settled(self) -> int:
        """All that is shown from this time on has come, and was returned."""
        if self.over:
            return _OLDEST
        return self._repeat.end if self._repeat else self.before

    def take(self, page: Sequence[Row]) -> list[Dated[Row]]:
        """Take an answer to the question for what is older than ``before``; return what is new, the newest first."""
        asked = self.before
        asked_in = self._clock.repeat(asked)
        rows = [row for row in page if _OLDEST <= row.time < (asked_in.end if asked_in else asked)]
        older = [row.time for row in rows if row.time < asked]
        if not older:
            self._pages_without += 1
            self.over = self._pages_without >= _LAST_PAGES
            return self._leave() if self.over else []
        self._pages_without = 0
        last = next((time for time in reversed(older) if time >= _CLOCK_IS_SET), older[-1])
        repeat = self._clock.repeat(last)
        if repeat and asked > repeat.end:
            rows = [row for row in rows if row.time >= repeat.end]
            self.before = repeat.end
        else:
            self.before = last + (self._is_parted and last + 1 < asked)
        dated = [each for row in self._new(rows) for each in self._date(row)]
        self.over = last < self._since or (last == self._since and not (self._is_parted or repeat))
        return dated + self._leave() if self.over else dated

    def _new(self, rows: Sequence[Row]) -> Iterator[Row]:
        found: Counter[tuple[int, Row | None]] = Counter()
        for row in rows:
            if not self._is_parted and self._clock.repeat(row.time):
                yield row  # which may come twice; _leave sees to it
                continue
            key = row.time, row if self._is_parted else None
            found[key] += 1
            if found[key] > self._seen[key] and (self._is_parted or found[key] == 1):
                yield row
        repeat = self._clock.repeat(self.before)  # of which the next page may have all
        end = repeat.end if repeat else self.before
        self._seen = Counter({key: count for key, count in (self._seen | found).items() if key[0] < end})

    def _date(self, row: Row) -> Iterator[Dated[Row]]:
        repeat = self._clock.repeat(row.time)
        if repeat != self._repeat:
            yield from self._leave()
        if repeat:
            self._repeat = repeat
            self._hour.append(row)
        else:
            yield Dated(row, self._clock.utc(row.time), not self._clock.skips(row.time))

    def _leave(self) -> list[Dated[Row]]:
        """Return the rows of an hour that repeats, once all of them have come."""
        rows, self._hour, self._repeat = self._hour, [], None
        times = [row.time for row in rows]
        rises = [at for at in range(1, len(times)) if times[at] > times[at - 1]]
        is_sure = len(rises) == 1
        if not is_sure and not self._is_parted:  # where nothing tells, the same twice is once
            rows = list(dict.fromkeys(rows))
            times = [row.time for row in rows]
        dated: dict[Hashable, Dated[Row]] = {}
        for at, row in enumerate(rows):
            # Where there is no order, a time that comes once more is taken for the first of the two.
            again = at < rises[0] if is_sure else row.time in times[at + 1 :]
            key = (again, at if self._is_parted else row.time)
            dated.setdefault(key, Dated(row, self._clock.utc(row.time, again=again), is_sure))
        return list(dated.values())
