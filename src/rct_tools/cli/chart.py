"""History drawn with letters, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import Final

from rct_tools.display import show_value
from rct_tools.history import HistoryRow
from rct_tools.historyformats import Layout
from rct_tools.times import SECOND

_BARS: Final = "▁▂▃▄▅▆▇█"
_LEAST: Final = 10  # columns of a line


def chart(layout: Layout, rows: Sequence[HistoryRow], width: int) -> Iterator[str]:
    """Yield a line for each series: its name, its least value, how it went, its most, in so many columns.

    Each place stands for the mean of its time, and is empty where there is none.
    """
    if not rows:
        return
    names = max(len(each.name) for each in layout.series)
    parts = []
    for each in layout.series:
        known = [row.values[each.name] for row in rows if each.name in row.values]
        if known:
            low, high = min(known), max(known)
            parts.append((each, low, high, show_value(each.info, low), show_value(each.info, high)))
    left = max((len(part[3]) for part in parts), default=0)
    right = max((len(part[4]) for part in parts), default=0)
    room = max(_LEAST, width - names - left - right - 4)
    for each, low, high, least, most in parts:
        places: list[list[float]] = [[] for _ in range(room)]
        first, last = rows[0].time, rows[-1].time
        for row in rows:
            if each.name in row.values:
                places[(row.time - first) * (room - 1) // max(last - first, 1)].append(row.values[each.name])
        line = "".join(_bar(fmean(place), low, high) if place else " " for place in places)
        yield f"{each.name:<{names}}  {least:>{left}} {line} {most:>{right}}"
    begin, end = (f"{layout.clock.moment(row.time // SECOND):%Y-%m-%d %H:%M}" for row in (rows[0], rows[-1]))
    yield f"{'':{names + left + 2}} {begin}{end:>{max(room - len(begin), len(end) + 1)}}"


def _bar(value: float, low: float, high: float) -> str:
    return _BARS[round((value - low) / (high - low) * (len(_BARS) - 1)) if high > low else 0]
