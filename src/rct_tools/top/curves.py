"""Curves of letters: how power and charge went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from rich.text import Text

from rct_tools.bars import BLUE, GREEN, IDLE, MAGENTA, YELLOW, curve, kilowatt

COLUMNS: Final = 18
"""Columns that are no curve: the name on the left, the most on the right."""

_ROWS: Final[Mapping[str, tuple[str, str]]] = {  # the curve: its name, its colour
    "sun": ("Sun", YELLOW),
    "house": ("House", BLUE),
    "fed_in": ("Feed-in", MAGENTA),
    "imported": ("Import", MAGENTA),
    "soc": ("Charge", GREEN),
}
_SHARES: Final = ("soc",)  # from 0 to 1, the others in W
_TALLEST: Final = 6  # lines of a curve
_LEAST: Final = 100.0  # W: a full column is this at least, so that little makes no mountain


def curves(series: Mapping[str, Sequence[float | None]], axis: str, height: int) -> Text:
    """Return curves below one another in so many lines, the last of which is ``axis``, what is said of the time.

    On the right stands what a full column is: the most of that curve, and 100 % of charge.
    """
    room = (height - 1) // len(_ROWS)
    tall = min(max(1, room - (room > 2)), _TALLEST)  # a line between them where there is room
    lines: list[Text] = []
    for key, (name, style) in _ROWS.items():
        values = series[key]
        known = [value for value in values if value is not None]
        full = 1.0 if key in _SHARES else max([_LEAST, *known])
        top = "100 %" if key in _SHARES else kilowatt(max(known, default=0.0))
        drawn = list(curve((_share(value, full, is_power=key not in _SHARES) for value in values), tall))
        for number, line in enumerate(drawn):
            head = name if number == len(drawn) - 1 else ""
            most = top if number == 0 and known else "-" if number == 0 else ""
            lines.append(Text.assemble((f"{head:<9}", "bold"), (line, style), (f"{most:>9}", "dim")))
        lines += [Text()] * (max(room, 1) - len(drawn))
    lines.append(Text(f"{'':9}{axis}", "dim"))
    return Text("\n").join(lines)


def _share(value: float | None, full: float, *, is_power: bool) -> float | None:
    """Return what a value fills of a full column: a power that is called idle elsewhere, nothing."""
    if value is None:
        return None
    return 0.0 if is_power and value < IDLE else value / full
