"""rct battery: modules and cells, and what stands out among them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import fmean
from typing import Final
from zoneinfo import ZoneInfo

import click
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from rct_tools import health
from rct_tools.cli.flows import WIDTH
from rct_tools.cli.health import fact, remarks
from rct_tools.cli.options import (
    format_option,
    host_option,
    port_option,
    time_zone_option,
    timeout_option,
    verbose_option,
)
from rct_tools.cli.output import Row, open_output
from rct_tools.cli.progress import status
from rct_tools.cli.run import run_async
from rct_tools.client import Client, connect
from rct_tools.health import Battery, Extreme, Extremes, Module, Tower
from rct_tools.heatmap import check_plot, draw, shade
from rct_tools.times import iso_time
from rct_tools.values import CELLS_PER_MODULE
from rct_tools.wording import NOTHING, amount, label, percent

COLUMNS: Final = ("tower", "module", "cell", "voltage [V]", "temperature [°C]", "resistance [mΩ]", "status")
_LOW, _HIGH = "▼", "▲"
_EVER: Final = {  # heading: field of Extremes, decimals
    "lowest V": ("u_min", 3),
    "highest V": ("u_max", 3),
    "lowest °C": ("t_min", 0),
    "highest °C": ("t_max", 0),
}


@click.command(epilog="Example: rct battery --host 192.0.2.7 --plot cells.svg")
@host_option
@port_option
@timeout_option
@time_zone_option
@format_option("text", "json", "csv")
@click.option(
    "--plot", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="Also draw all cells, as .svg or .png.",
)  # fmt: skip
@verbose_option
def battery(host: str, port: int, timeout: float, zone: ZoneInfo | None, output_format: str, plot: Path | None) -> None:
    """Show the battery: its towers, their modules, and every cell.

    The lowest and the highest voltage of a tower are marked with ▼ and ▲. csv has a row for each cell, json has
    everything. What stays silent is shown as -. Ends with 1 only when nothing is answered.
    """
    if plot:
        check_plot(plot)
    run_async(_battery(connect(host, port, timeout=timeout), zone, output_format, plot))


async def _battery(client: Client, zone: ZoneInfo | None, output_format: str, plot: Path | None) -> None:
    with status(client.peer) as tell:
        async with client as inverter:
            tell("asking for all cells")
            found = await health.battery(inverter, zone=zone)
    SHOWN[output_format](found)
    if plot is not None:
        draw(found, plot)
        click.echo(f"{plot}: written", err=output_format != "text")


def _show_json(found: Battery) -> None:
    click.echo(json.dumps({**health.as_json(found), "time": iso_time(found.time)}, ensure_ascii=False, allow_nan=False))


def _show_csv(found: Battery) -> None:
    output = open_output("csv", COLUMNS, str)
    for row in _rows(found):
        output.row(row)
    output.end()


def _rows(found: Battery) -> Iterator[Row]:
    for number, tower in enumerate(found.towers):
        for module in tower.modules:
            for n in range(CELLS_PER_MODULE):
                cell = module.cells[n] if module.cells else None
                values = (
                    cell and cell.voltage,
                    cell and cell.temperature,
                    module.resistances and module.resistances[n],
                    cell and cell.status,
                )
                yield dict(zip(COLUMNS, (number, module.number, n, *values), strict=True))


def _show_text(found: Battery) -> None:
    console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else WIDTH)
    for number, tower in enumerate(found.towers):
        name = f"Tower {number}" if len(found.towers) > 1 else "Battery"
        gap = [Text()] if number else []
        for part in (*gap, *_facts(name, tower), _modules(tower), Text(), _extremes(tower), Text(), _cells(tower)):
            console.print(part)
    if not found.towers:
        console.print(f"{found.peer}: has no battery")
    for line in remarks(found):
        console.print(line)


SHOWN: Final[dict[str, Callable[[Battery], None]]] = {"text": _show_text, "json": _show_json, "csv": _show_csv}


def _facts(name: str, tower: Tower) -> Iterator[Text]:
    charge = (
        percent(tower.soc),
        amount(tower.voltage, "V"),
        amount(tower.current, "A"),
        amount(tower.temperature, "°C"),
        label(tower.status, "normal"),
    )
    yield fact(name, ", ".join(charge))
    age = (
        f"health {percent(tower.soh, 0)}",
        amount(tower.capacity, "Ah"),
        amount(tower.cycles, "cycles", 0),
    )
    yield fact("", ", ".join(age))
    energy = (
        f"in {amount(tower.stored, 'kWh', 0, 0.001)}",
        f"out {amount(tower.used, 'kWh', 0, 0.001)}",
        f"efficiency {percent(tower.efficiency, 0)}",
    )
    yield fact("", ", ".join(energy))
    low, high, cold, warm = tower.lowest, tower.highest, tower.coldest, tower.warmest
    volts = f"{_volts(low and low.value)} … {_volts(high and high.value)} V"
    degrees = f"{amount(cold and cold.value, '', 0)} … {amount(warm and warm.value, '°C', 0)}"
    yield fact("Cells", f"{volts}, spread {amount(tower.spread, 'mV', 0, 1000.0)}, {degrees}")
    yield Text()


def _modules(tower: Tower) -> RenderableType:
    headings = ("module", "cycles", "V", "lowest V", "highest V", "spread mV", "°C", "mΩ mean", "highest")
    table = _table(*headings)
    for module in tower.modules:
        volts = [cell.voltage for cell in module.cells or ()]
        degrees = [cell.temperature for cell in module.cells or ()]
        ohms = module.resistances or ()
        table.add_row(
            str(module.number),
            amount(module.cycles, "", 0),
            amount(module.voltage, ""),
            _volts(min(volts, default=None)),
            _volts(max(volts, default=None)),
            amount(max(volts) - min(volts), "", 0, 1000.0) if volts else NOTHING,
            f"{min(degrees)} … {max(degrees)}" if degrees else NOTHING,
            amount(fmean(ohms), "", 3) if ohms else NOTHING,
            amount(max(ohms), "", 3) if ohms else NOTHING,
        )
    return table


def _extremes(tower: Tower) -> RenderableType:
    table = _table("module", *(f"{what} ever" for what in _EVER))
    for module in tower.modules:
        seen = (_extreme(module.extremes, name, decimals) for name, decimals in _EVER.values())
        table.add_row(str(module.number), *seen)
    return table


def _extreme(seen: Extremes | None, name: str, decimals: int) -> str:
    extreme: Extreme | None = getattr(seen, name, None)
    return NOTHING if extreme is None else f"{amount(extreme.value, '', decimals)}  {extreme.time:%Y-%m-%d}"


def _cells(tower: Tower) -> RenderableType:
    """Return a column for each module and a row for each cell, mV and °C, on a terminal coloured by the voltage."""
    table = _table("mV °C", *(f"module {module.number}" for module in tower.modules))
    for n in range(CELLS_PER_MODULE):
        table.add_row(f"cell {n}", *(_cell(tower, module, n) for module in tower.modules))
    return table


def _cell(tower: Tower, module: Module, n: int) -> Text:
    low, high = tower.lowest, tower.highest
    if module.cells is None or low is None or high is None:
        return Text(NOTHING)
    cell = module.cells[n]
    mark = _LOW if cell.voltage == low.value else _HIGH if cell.voltage == high.value else ""
    red, green, blue = shade(cell.voltage, tower)
    text = f"{mark}{cell.voltage * 1000:.0f} {cell.temperature:>2}"
    return Text(text, f"black on rgb({red},{green},{blue})")


def _volts(value: float | None) -> str:
    return amount(value, "", 3)


def _table(first: str, *headings: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(first, style="bold")
    for heading in headings:
        table.add_column(heading, justify="right")
    return table
