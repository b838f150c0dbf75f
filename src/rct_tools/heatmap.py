"""The cells of a battery as colours: for a terminal, and as a picture.

Pictures need matplotlib, the extra ``plot``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite, nan
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from rct_tools.errors import ConfigError, RctError
from rct_tools.health import Battery, Module, Tower
from rct_tools.newfile import new_file
from rct_tools.values import CELLS_PER_MODULE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SUFFIXES: Final = (".svg", ".png")

_UNKNOWN: Final = [nan] * CELLS_PER_MODULE
_LOW, _MIDDLE, _HIGH = (107, 174, 214), (229, 245, 224), (253, 141, 60)  # blue, pale green, orange


def shade(voltage: float, tower: Tower) -> tuple[int, int, int]:
    """Return red, green and blue, 0 to 255, for a cell: from the lowest of its tower to the highest."""
    bottom, top = _range([place.value for place in tower.voltages()], PANELS[0].least / 1000)
    share = (voltage - bottom) / (top - bottom)
    ends, part = ((_LOW, _MIDDLE), 2 * share) if share < 0.5 else ((_MIDDLE, _HIGH), 2 * share - 1)
    red, green, blue = (round(a + (b - a) * part) for a, b in zip(*ends, strict=True))
    return red, green, blue


def check_plot(path: Path) -> None:
    """Raise ConfigError where no picture can be drawn into a file of this name."""
    if path.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"{path} should end with {' or '.join(SUFFIXES)}")
    try:
        import matplotlib.figure  # noqa: F401  # whether it is there
    except ImportError as exc:
        raise ConfigError("a picture needs more than the core: pip install 'rct-tools[plot]'") from exc


def draw(battery: Battery, path: Path) -> None:
    """Draw the voltage, temperature and resistance of each cell, in a file of one of SUFFIXES.

    What is not known stays grey. Raises ConfigError without the extra, RctError when there is no battery, OSError.
    """
    check_plot(path)
    from matplotlib.figure import Figure

    if not battery.towers:
        raise RctError(f"{path}: not written: {battery.peer} has no battery")
    panels = [(number, tower, panel) for number, tower in enumerate(battery.towers) for panel in PANELS]
    figure = Figure(figsize=(11, 2.2 * len(panels)), layout="constrained")
    for axes, (number, tower, panel) in zip(figure.subplots(len(panels)), panels, strict=True):
        name = f"tower {number}: {panel.title}" if len(battery.towers) > 1 else panel.title
        _draw(axes, f"{name} [{panel.unit}]", tower, panel)
    with new_file(path) as part:
        figure.savefig(part, format=path.suffix[1:].lower(), dpi=120)


def _draw(axes: Axes, title: str, tower: Tower, panel: Panel) -> None:
    """Draw a row for each module, and a column for each cell."""
    from matplotlib.colors import LinearSegmentedColormap

    colours = [tuple(part / 255 for part in colour) for colour in (_LOW, _MIDDLE, _HIGH)]
    scale = LinearSegmentedColormap.from_list("cells", colours).with_extremes(bad="lightgrey")
    rows = [panel.numbers(module) for module in tower.modules]
    bottom, top = _range([value for row in rows for value in row], panel.least)
    image = axes.imshow(rows, cmap=scale, vmin=bottom, vmax=top, aspect="auto")
    axes.set_title(title, loc="left")
    axes.set_xticks(range(CELLS_PER_MODULE))
    axes.set_yticks(range(len(rows)), [f"module {module.number}" for module in tower.modules])
    axes.figure.colorbar(image, ax=axes)


def _voltages(module: Module) -> list[float]:
    return [cell.voltage * 1000 for cell in module.cells] if module.cells else _UNKNOWN


def _temperatures(module: Module) -> list[float]:
    return [float(cell.temperature) for cell in module.cells] if module.cells else _UNKNOWN


def _resistances(module: Module) -> list[float]:
    return list(module.resistances) if module.resistances else _UNKNOWN


class Panel(NamedTuple):
    """What is drawn of each cell."""

    title: str
    unit: str
    least: float  # spread that the colours go over at least: less is no reason to look alarming
    numbers: Callable[[Module], list[float]]


PANELS: Final = (
    Panel("voltage", "mV", 20.0, _voltages),
    Panel("temperature", "°C", 4.0, _temperatures),
    Panel("resistance", "mΩ", 0.1, _resistances),
)


def _range(values: Sequence[float], least: float) -> tuple[float, float]:
    """Return between which values the colours go: over all that are known, and over ``least`` at least."""
    known = [value for value in values if isfinite(value)] or [0.0]
    low, high = min(known), max(known)
    more = max(0.0, least - (high - low)) / 2
    return low - more, high + more
