"""Which five minutes lack an object, and what to ask of the log for them. Numbers only: no connection, no clock.

A row of the log goes to the five minutes that begin at its time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from rct_tools.logged import SLOT, Told

PAGE: Final = 41  # rows that an answer brings, about

_LACKS: Final = b"\1"


@dataclass(slots=True)
class Gaps:
    """Which five minutes of a range lack an object: what a store has not, and what of that was filled."""

    told: Told
    begin: int  # of the range: UTC, nanoseconds, a multiple of SLOT
    marks: bytearray  # one for each five minutes; 1 where they lack it

    @property
    def count(self) -> int:
        """How many."""
        return self.marks.count(_LACKS)

    def mark(self, time: int, *, lacks: bool) -> None:
        """Take note of whether the one in which a time lies, which is one of the range, lacks it from now on."""
        self.marks[(time - self.begin) // SLOT] = lacks

    def lacks(self, time: int) -> bool:
        """Return whether a time lies in one of them."""
        at = (time - self.begin) // SLOT
        return 0 <= at < len(self.marks) and bool(self.marks[at])


def reach(told: Told) -> int:
    """Return how many nanoseconds before a range a reading may be, and tell of it all the same."""
    return told.interval // SLOT * SLOT


def find_gaps(told: Told, known: set[int], since: int, until: int, *, only_behind: bool = False) -> Gaps:
    """Return which whole five minutes from ``since`` to ``until`` lack an object.

    ``known`` are those that have it: beginnings of five minutes, from ``reach`` before ``since`` on. An object that is
    read every five minutes, or more rarely, is known for its interval. ``only_behind`` the first that is known.
    """
    if only_behind:
        since = max(since, min(known, default=until))
    begin = -(-since // SLOT) * SLOT
    marks = bytearray(max(0, until // SLOT - begin // SLOT))
    lasts = told.interval // SLOT
    ago = lasts + 1  # five minutes since the last that has it
    for at in range(-lasts, len(marks)):
        ago = 0 if begin + at * SLOT in known else ago + 1
        if at >= 0:
            marks[at] = ago > lasts
    return Gaps(told, begin, marks)


class Stretch(NamedTuple):
    """A range of the log that is to be read: rows from, up to and without, in UTC nanoseconds; and which series."""

    since: int
    until: int
    series: frozenset[str]

    @property
    def questions(self) -> int:
        """About how many it takes."""
        return -(-(self.until - self.since) // (PAGE * SLOT)) * len(self.series)


def stretches(gaps: Iterable[Gaps]) -> Sequence[Stretch]:
    """Return what to ask for, the newest first: as many series as are lacking, and nothing in between.

    Time is looked at in pages. What lies in one costs one question for each series, however much it is.
    """
    pages: dict[int, tuple[int, int, frozenset[str]]] = {}  # the first and the last of its five minutes, numbered
    for each in gaps:
        base, series = each.begin // SLOT, each.told.series
        for page in range(base // PAGE, (base + len(each.marks)) // PAGE + 1):
            edges = max(0, page * PAGE - base), max(0, (page + 1) * PAGE - base)
            first = each.marks.find(_LACKS, *edges)
            if first < 0:
                continue
            low, high = base + first, base + each.marks.rfind(_LACKS, *edges)
            known = pages.get(page, (low, high, series))
            pages[page] = min(low, known[0]), max(high, known[1]), series | known[2]
    found: list[tuple[int, int, int, frozenset[str]]] = []  # with the page of the last
    for page, (low, high, series) in sorted(pages.items()):
        goes_on = bool(found) and found[-1][2:] == (page - 1, series)
        found.append((found.pop()[0] if goes_on else low, high, page, series))
    return [Stretch(low * SLOT, (high + 1) * SLOT, s) for low, high, _, s in reversed(found)]
