"""Cells of a battery as they are read and stored, with a spread that a test can tell."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rct_tools.objects import registry
from rct_tools.reading import Reading
from rct_tools.sinks.sqlite import SqliteSink
from rct_tools.values import CELLS_PER_MODULE, Cell


def cells(low: float, high: float, cold: int = 20, warm: int = 22) -> tuple[Cell, ...]:
    """Return the cells of a module, from the lowest to the highest; voltages in V, temperatures in °C."""
    middle = Cell(cold, low, 0)
    return (Cell(cold, low, 0), *(middle,) * (CELLS_PER_MODULE - 2), Cell(warm, high, 0))


def weeks(begin: int, end: int, step: int) -> Iterator[Reading]:
    """Yield two modules from ``begin`` to ``end``, in nanoseconds: module 0 at rest, module 1 ever farther apart."""
    for time in range(begin, end, step):
        worn = round(3.3 + 0.004 + 0.03 * (time - begin) / (end - begin), 3)
        yield Reading(time, "roof", registry["battery.cells[0]"], cells(3.298, 3.304))
        yield Reading(time + step // 10, "roof", registry["battery.cells[1]"], cells(3.3, worn, 21, 24))


async def write_cells(path: Path, readings: Iterator[Reading]) -> None:
    """Add them to a store."""
    sink = SqliteSink(path)
    await sink.write(list(readings))
    await sink.close()
