"""Today, as the inverter itself remembers it, or a collector does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from statistics import fmean
from typing import ClassVar, Final

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Footer

from rct_tools.errors import RctError
from rct_tools.history import HistoryRow
from rct_tools.times import SECOND
from rct_tools.top.curves import COLUMNS, curves
from rct_tools.top.drawn import Drawn
from rct_tools.top.source import Source

_HOURS: Final = 24
_SERIES: Final[Mapping[str, tuple[tuple[str, ...], Callable[[float], float]]]] = {  # what is added up for a curve
    "sun": (("Pdc A", "Pdc B"), float),
    "house": (("Pload",), float),
    "fed_in": (("Pgrid feed",), abs),
    "imported": (("Pgrid load",), abs),
    "soc": (("SOC",), float),
}


class Today(Screen[None]):
    """The curves of the day, every five minutes; read when the screen opens, and no more."""

    CSS = """
    Today #title { height: 1; padding: 0 1; }
    Today #day { height: 1fr; padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,h,q", "dismiss", "Back")]

    def __init__(self, source: Source, head: Callable[[int, int], Text]) -> None:
        """``head`` draws the line above all."""
        super().__init__()
        self._source = source
        self._head = head
        self._begin: datetime | None = None
        self._rows: list[HistoryRow] = []
        self._state = f"asking for {source.log.log_name} …" if source.log else ""

    def compose(self) -> ComposeResult:
        """Make the parts of the screen."""
        yield Drawn(self._head, id="head")
        yield Drawn(lambda _width, _height: Text(self._state), id="title")
        yield Drawn(self._draw, id="day")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Ask for the day."""
        self.run_worker(self._read())

    async def _read(self) -> None:
        log = self._source.log
        if log is None:
            self._state = f"{self._source.title}: a capture has no log that could be asked"
        else:
            try:
                self._begin, self._rows = await log.today()
                last = f" up to {_local(self._rows[0], self._begin):%H:%M}" if self._rows else ": nothing yet"
                self._state = f"{self._begin:%d %B %Y}, from {log.log_name}{last}"
            except RctError as exc:
                self._state = str(exc)
        for part in self.query(Drawn):
            part.refresh()

    def _draw(self, width: int, height: int) -> Text:
        if self._begin is None:
            return Text()
        columns = max(_HOURS, (width - COLUMNS) // _HOURS * _HOURS)
        return curves(day_curves(self._begin, self._rows, columns), day_axis(columns), height)


def day_curves(begin: datetime, rows: Sequence[HistoryRow], columns: int) -> dict[str, list[float | None]]:
    """Return the curves of a day in so many columns, each the mean of its time; None where there is nothing."""
    width = _HOURS * 3600 / columns
    found: dict[str, list[list[float]]] = {key: [[] for _ in range(columns)] for key in _SERIES}
    for row in rows:
        shown = _local(row, begin)
        column = int((shown.hour * 3600 + shown.minute * 60 + shown.second) / width)
        for key, (names, part) in _SERIES.items():
            known = [row.values[name] for name in names if name in row.values]
            if len(known) == len(names) and shown.date() == begin.date():
                found[key][column].append(part(sum(known)))
    return {key: [fmean(part) if part else None for part in parts] for key, parts in found.items()}


def _local(row: HistoryRow, begin: datetime) -> datetime:
    """Return what the clock of the inverter showed, in the zone of the beginning of the day."""
    return datetime.fromtimestamp(row.time / SECOND, begin.tzinfo)


def day_axis(columns: int) -> str:
    """Return the hours below so many columns."""
    every = next(hours for hours in (1, 2, 3, 6) if columns // _HOURS * hours >= 6 or hours == 6)
    return "".join(f"{f'{hour:02}':<{columns // _HOURS * every}}" for hour in range(0, _HOURS, every))
