"""History as a picture: PNG or SVG. Needs the extra [plot]."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from rct_tools.errors import ConfigError
from rct_tools.history import HistoryRow
from rct_tools.historyformats import Layout
from rct_tools.newfile import new_file
from rct_tools.objects import RATIO
from rct_tools.times import SECOND

SUFFIXES: Final = (".png", ".svg")

_INCHES: Final = (12.0, 2.6)  # of a picture, and of each part in it
_GAP: Final = 3  # rows that are missing, where a line ends
_COLOURS: Final = 10  # of lines, before they begin anew
_FEW: Final = 100  # rows that are shown as points, too


def check_plot(path: Path) -> None:
    """Raise ConfigError where no picture can be drawn into a file of this name."""
    if path.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"{path}: a picture is one of {', '.join(SUFFIXES)}, by the suffix of its name")
    _figure()


def draw(path: Path, layout: Layout, rows: Sequence[HistoryRow]) -> None:
    """Draw rows, the oldest first, into a file: a part for each unit. Raises ConfigError, OSError."""
    check_plot(path)
    from matplotlib import dates

    units = list(dict.fromkeys(each.info.unit for each in layout.series))
    figure = _figure()(figsize=(_INCHES[0], _INCHES[1] * len(units) + 0.6), layout="constrained")
    parts = figure.subplots(len(units), 1, sharex=True, squeeze=False)[:, 0]
    times, breaks = _times(layout, rows)
    marker = "." if len(rows) <= _FEW else ""
    zone = layout.clock.zone
    for unit, part in zip(units, parts, strict=True):
        scale, shown = (100.0, "%") if unit == RATIO else (1.0, unit)
        same = [each for each in layout.series if each.info.unit == unit]
        for number, each in enumerate(same):
            values = [row.values.get(each.name, math.nan) * scale for row in rows]
            for at in reversed(breaks):
                values.insert(at, math.nan)
            style = "-" if number < _COLOURS else "--"
            part.plot(times, values, style, label=each.name, linewidth=1.0, marker=marker)
        part.set_ylabel(shown)
        part.grid(visible=True, alpha=0.3)
        part.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize="small", frameon=False)
    locator = dates.AutoDateLocator(tz=zone)
    parts[-1].xaxis.set_major_locator(locator)
    parts[-1].xaxis.set_major_formatter(dates.ConciseDateFormatter(locator, tz=zone))
    parts[-1].set_xlabel(zone.key)
    with new_file(path) as new:
        figure.savefig(new, format=path.suffix[1:].lower(), dpi=120)


def _times(layout: Layout, rows: Sequence[HistoryRow]) -> tuple[list[Any], list[int]]:
    """Return the times of rows, some more where rows are missing, and before which rows those stand."""
    steps = sorted(later.time - row.time for row, later in pairwise(rows))
    usual = steps[len(steps) // 2] if steps else 0
    breaks = [at for at, (row, later) in enumerate(pairwise(rows), 1) if later.time - row.time > _GAP * usual]
    times = [layout.clock.moment(row.time // SECOND) for row in rows]
    for at in reversed(breaks):
        times.insert(at, times[at])
    return times, breaks


def _figure() -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError as exc:
        raise ConfigError("a picture needs more than the core: pip install 'rct-tools[plot]'") from exc
    return Figure
