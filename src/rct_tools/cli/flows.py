"""Where power flows in a house, as people see it: a table that lives on a terminal, or one line at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import fmean
from typing import Final

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.text import Text

from rct_tools.bars import BLUE, GREEN, IDLE, MAGENTA, YELLOW, bar, battery_way, curve, gauge, grid_way, kilowatt
from rct_tools.reading import Reading
from rct_tools.values import Value

OBJECTS: Final[Mapping[str, str]] = {  # what a Flows is made of
    "clock": "flash_rtc.time_stamp",
    "sun_a": "dc_conv.dc_conv_struct[0].p_dc",
    "sun_b": "dc_conv.dc_conv_struct[1].p_dc",
    "house": "g_sync.p_ac_load_sum_lp",
    "battery": "g_sync.p_acc_lp",
    "grid": "g_sync.p_ac_grid_sum_lp",
    "charge": "battery.soc",
    "made_a_today": "energy.e_dc_day[0]",
    "made_b_today": "energy.e_dc_day[1]",
    "used_today": "energy.e_load_day",
    "bought_today": "energy.e_grid_load_day",
    "sold_today": "energy.e_grid_feed_day",
}

WIDTH: Final = 80
"""Columns of the table."""

_BAR: Final = 24  # columns
_CURVE: Final = 56  # columns
_FULL: Final = 10_000.0  # W: a bar of full length


@dataclass(frozen=True, slots=True)
class Flows:
    """The flows at one moment: powers in W and energies in Wh, signs as the inverter's; ``charge`` is from 0 to 1."""

    clock: float  # seconds, the inverter's local time counted as if it were UTC
    sun_a: float
    sun_b: float
    house: float
    battery: float  # positive: discharge
    grid: float  # positive: from the grid
    charge: float
    made_a_today: float
    made_b_today: float
    used_today: float
    bought_today: float
    sold_today: float  # negative

    @property
    def sun(self) -> float:
        """What both strings of modules give."""
        return self.sun_a + self.sun_b

    @property
    def time(self) -> datetime:
        """The inverter's local time."""
        return datetime.fromtimestamp(self.clock, UTC)


def find_flows(readings: Iterable[Reading]) -> Flows | None:
    """Return the flows that readings tell of; None when one is missing: what is old is not shown as new."""
    values: dict[str, Value] = {reading.object.name: reading.value for reading in readings}
    found = {field: values.get(name) for field, name in OBJECTS.items()}
    numbers = {field: float(value) for field, value in found.items() if isinstance(value, int | float)}
    return Flows(**numbers) if len(numbers) == len(OBJECTS) else None


def flow_line(flows: Flows) -> str:
    """Return the flows on one line, in plain ASCII."""
    battery, grid = battery_way(flows.battery)[1], grid_way(flows.grid)[1]
    return (
        f"{flows.time:%d %b %H:%M}  sun {flows.sun:.0f} W, house {flows.house:.0f} W, "
        f"battery {flows.charge * 100:.1f} % {battery}{_amount(flows.battery)}, grid {grid}{_amount(flows.grid)}"
    )


class FlowTable:
    """The newest flows and the curves of those before, drawn by rich in less than 80 by 24 characters."""

    def __init__(self, title: str, footer: str, per_column: int) -> None:
        """``per_column`` says how many flows make one column of the curves."""
        self._title = title
        self._footer = footer
        self._per_column = per_column
        self._columns: deque[list[Flows]] = deque(maxlen=_CURVE)

    def add(self, flows: Flows) -> None:
        """Take the newest flows."""
        if not self._columns or len(self._columns[-1]) >= self._per_column:
            self._columns.append([])
        self._columns[-1].append(flows)

    def __rich__(self) -> RenderableType:
        if not self._columns:
            return Text("Waiting for the first values")
        flows = self._columns[-1][-1]
        lines = [*_powers(flows), Text(), _energies(flows), Text(), *self._curves()]
        title = f"{self._title}  ·  {flows.time:%d %B, %H:%M}"
        return Panel(Group(*lines), title=title, subtitle=self._footer, width=WIDTH, padding=(1, 2))

    def _curves(self) -> Iterator[Text]:
        most_sun = max(flows.sun for column in self._columns for flows in column)
        most_used = max(flows.house for column in self._columns for flows in column)
        yield self._curve("Sun", YELLOW, lambda flows: flows.sun / max(most_sun, 1.0), kilowatt(most_sun))
        yield self._curve("House", BLUE, lambda flows: flows.house / max(most_used, 1.0), kilowatt(most_used))
        yield self._curve("Charge", GREEN, lambda flows: flows.charge, "100 %")
        first, last = (f"{column[0].time:%H:%M}" for column in (self._columns[0], self._columns[-1]))
        gap = len(self._columns) - len(first) - len(last)
        yield Text(f"{'':9}{first}{'':{gap}}{last}" if gap > 0 else f"{'':9}{first}", style="dim")

    def _curve(self, label: str, style: str, share: Callable[[Flows], float], top: str) -> Text:
        """Return a line of columns, each the mean of its flows; ``share`` gives their height from 0 to 1."""
        (heights,) = curve(fmean(map(share, column)) for column in self._columns)
        return Text.assemble(f"{label:<9}", (f"{heights:<{_CURVE}}", style), (f"  {top:>7}", "dim"))


def _powers(flows: Flows) -> Iterator[Text]:
    charge = gauge(flows.charge)
    arrow, battery = battery_way(flows.battery)
    yield power_line("Sun", YELLOW, flows.sun, f"A {kilowatt(flows.sun_a)}  B {kilowatt(flows.sun_b)}")
    yield power_line("House", BLUE, flows.house, "")
    yield power_line("Battery", GREEN, flows.battery, f"{arrow} {battery:<11} {charge}")
    yield power_line("Grid", MAGENTA, flows.grid, " ".join(grid_way(flows.grid)))


def power_line(label: str, style: str, power: float, note: str) -> Text:
    """Return a line for a power in W: what it is of, how much, a bar in a colour, and what else is to be said."""
    drawn = f"{bar(abs(power) / _FULL, _BAR):<{_BAR}}"
    return Text.assemble((f"{label:<9}", "bold"), f"{kilowatt(abs(power)):>8}  ", (drawn, style), f"  {note}")


def _energies(flows: Flows) -> Text:
    parts = {
        "sun": flows.made_a_today + flows.made_b_today,
        "house": flows.used_today,
        "import": flows.bought_today,
        "feed-in": -flows.sold_today,
    }
    shown = "  ".join(f"{name} {energy / 1000:.1f} kWh" for name, energy in parts.items())
    return Text.assemble((f"{'Today':<9}", "bold"), shown)


def _amount(power: float) -> str:
    return f" {abs(power):.0f} W" if abs(power) >= IDLE else ""
