"""rct history: what an inverter remembers, as a table, a file, a picture."""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from shutil import get_terminal_size
from typing import Final
from zoneinfo import ZoneInfo

import click

from rct_tools.cli.chart import chart
from rct_tools.cli.options import (
    host_option,
    port_option,
    time_zone_option,
    timeout_option,
    verbose_option,
)
from rct_tools.cli.progress import reach
from rct_tools.cli.run import run_async, say
from rct_tools.client import Client, connect
from rct_tools.clock import Clock
from rct_tools.display import show_value
from rct_tools.errors import ConfigError
from rct_tools.history import HistoryRow, read_history
from rct_tools.historyfile import HistoryFile, Stretch
from rct_tools.historyformats import FORMATS, Layout, write_csv, write_json, write_json_lines
from rct_tools.objects import RATIO
from rct_tools.plot import check_plot, draw
from rct_tools.series import RESOLUTIONS, find_series
from rct_tools.times import SECOND, local_zone, parse_time

_DAY: Final = 86_400 * SECOND
_KEPT: Final = {"minutes": 91 * _DAY, "day": 366 * _DAY, "month": 30 * 366 * _DAY, "year": 30 * 366 * _DAY}
_TIMES: Final = {"minutes": "%Y-%m-%d %H:%M %z", "day": "%Y-%m-%d", "month": "%Y-%m", "year": "%Y"}
_TERMINAL: Final = "-"  # what --plot draws to without a file


@click.command(
    epilog="Example: rct history --host 192.0.2.7 --since 7d --series SOC,Pload --time-zone Europe/Berlin -o week.csv"
)
@host_option
@port_option
@timeout_option
@click.option(
    "--resolution", type=click.Choice(list(RESOLUTIONS)), default="minutes", show_default=True,
    help="How far apart the rows are; minutes are every five, of about 90 days.",
)  # fmt: skip
@click.option(
    "--since", metavar="TIME",
    help="Only from this time on: 1d (ago), 2026-06-21T12:00.  [default: 1d for minutes, else all]",
)  # fmt: skip
@click.option("--until", metavar="TIME", help="Only before this time.")
@click.option(
    "--series", metavar="NAME,…", multiple=True,
    help="Only these: Pload, eload, logger.minutes_eload_log_ts. Can be repeated.  [default: all]",
)  # fmt: skip
@time_zone_option
@click.option(
    "--format", "form", type=click.Choice(("text", "json", *FORMATS)),
    help="How to write it.  [default: by the suffix of FILE; without one, text]",
)  # fmt: skip
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="Write to this file, and go on with it if it is there: what it has is not read again.",
)  # fmt: skip
@click.option(
    "--plot", metavar="[FILE]", is_flag=False, flag_value=_TERMINAL,
    help="Draw it into a file, PNG or SVG by its suffix; without a file, in the terminal.",
)  # fmt: skip
@verbose_option
def history(
    host: str, port: int, timeout: float, resolution: str, since: str | None, until: str | None,
    series: Sequence[str], zone: ZoneInfo | None, form: str | None, output: Path | None, plot: str | None,
) -> None:  # fmt: skip
    """Read what an inverter remembers: powers every five minutes, energies of days, months and years.

    A time without an offset is local time of the inverter. An interrupted FILE is gone on with by the same command.
    """
    clock = Clock(zone) if zone else Clock.of(local_zone())
    layout = Layout(resolution, find_series(resolution, [name for names in series for name in names.split(",")]), clock)
    now = time.time_ns()
    begin = parse_time(since, now, clock.zone) if since else now - _DAY if resolution == "minutes" else None
    end = parse_time(until, now, clock.zone) if until else None
    clock.span(begin, end, now)
    if plot and plot != _TERMINAL:
        check_plot(Path(plot))
    whole = Stretch(begin or 0, now if end is None else end)
    client = connect(host, port, timeout=timeout)
    if output is None:
        task = _show(client, layout, begin, end, whole, _printer(form, layout, plotted=plot is not None))
    else:
        task = _keep(client, HistoryFile(output, _format(form, output), layout, client.peer), layout, whole)
    run_async(_drawn(task, layout, plot))


async def _show(
    client: Client,
    layout: Layout,
    begin: int | None,
    end: int | None,
    whole: Stretch,
    show: Callable[[Sequence[HistoryRow]], object],
) -> Sequence[HistoryRow]:
    """Read rows, show them, and return them, the oldest first."""
    async with client:
        with _progress(client, layout, whole) as tell:
            rows = [tell(row) async for row in _read(client, layout, begin, end)][::-1]
    if not rows:
        say(f"{client.peer}: its log has nothing of this time; is {layout.clock.zone.key} the time zone of its clock?")
    show(rows)
    return rows


async def _keep(client: Client, file: HistoryFile, layout: Layout, whole: Stretch) -> Sequence[HistoryRow]:
    """Read into a file what it lacks; return what it has of a stretch of time, the oldest first."""
    try:
        async with client:
            for stretch in file.missing(*whole):
                file.begin(stretch)
                with _progress(client, layout, stretch) as tell:
                    async for row in _read(client, layout, *stretch):
                        file.add(tell(row))
                file.end(stretch)
        say(f"{file.path}: {file.finish():,} rows")
    except BaseException:  # Ctrl-C too: what has come is said to be kept, and it goes on as it was
        if file.leave():
            say(f"{file.partial}: keeps what has come; the same command goes on with it")
        raise
    return [row for row in file.rows if whole.since <= row.time < whole.until]


async def _drawn(reading: Awaitable[Sequence[HistoryRow]], layout: Layout, plot: str | None) -> None:
    rows = await reading
    if plot == _TERMINAL:
        click.echo("\n".join(chart(layout, rows, get_terminal_size().columns)))
    elif plot:
        draw(Path(plot), layout, rows)


def _read(client: Client, layout: Layout, since: int | None, until: int | None) -> AsyncIterator[HistoryRow]:
    names = [each.name for each in layout.series]
    return read_history(client, layout.resolution, since=since, until=until, series=names, zone=layout.clock.zone.key)


@contextmanager
def _progress(client: Client, layout: Layout, stretch: Stretch) -> Iterator[Callable[[HistoryRow], HistoryRow]]:
    """Yield what to call with each row, the newest first; it is returned."""
    # Of what has no begin, the most that an inverter may remember.
    total = min(stretch.until - stretch.since, _KEPT[layout.resolution])
    with reach(client.peer, total // SECOND) as tell:

        def told(row: HistoryRow) -> HistoryRow:
            tell((stretch.until - row.time) // SECOND, f"{layout.clock.moment(row.time // SECOND):%Y-%m-%d %H:%M}")
            return row

        yield told


def _printer(form: str | None, layout: Layout, *, plotted: bool) -> Callable[[Sequence[HistoryRow]], object]:
    """Return what prints rows; without a format, a table, unless they are drawn. Raises ConfigError."""
    match form:
        case "parquet":
            raise ConfigError("Parquet is no text: give a file, such as -o history.parquet")
        case "json":
            return lambda rows: write_json(sys.stdout, layout, rows)
        case "csv":
            return lambda rows: write_csv(sys.stdout, layout, rows)
        case "jsonl":
            return lambda rows: write_json_lines(sys.stdout, layout, rows)
        case None if plotted:
            return lambda _: None
        case _:
            return lambda rows: click.echo("\n".join(_table(layout, rows))) if rows else None


def _table(layout: Layout, rows: Sequence[HistoryRow]) -> Iterator[str]:
    """Yield the lines of a table: as many columns as fit on the terminal, all where there is none."""
    form = _TIMES[layout.resolution]
    times = [f"{layout.clock.moment(row.time // SECOND):{form}}{'' if row.is_sure else ' ?'}" for row in rows]
    columns = [[layout.when, "", *times]]
    for each in layout.series:
        unit = "%" if each.info.unit == RATIO else each.info.unit
        shown = (
            show_value(each.info, row.values[each.name]).split()[0] if each.name in row.values else "-" for row in rows
        )
        columns.append([each.name, unit, *shown])
    widths = [max(map(len, column)) for column in columns]
    room = get_terminal_size().columns if sys.stdout.isatty() else sum(widths) + 2 * len(widths)
    fits = max(2, sum(end <= room + 2 for end in accumulate(width + 2 for width in widths)))
    for line in zip(*columns[:fits], strict=True):
        others = (cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=False))
        yield "  ".join([line[0].ljust(widths[0]), *others])
    if fits < len(columns):
        yield f"… and {len(columns) - fits} columns that do not fit: choose with --series, or take --format csv"


def _format(form: str | None, path: Path) -> str:
    form = form or path.suffix[1:].lower()
    if form not in FORMATS:
        raise ConfigError(f"{path}: the format of a file is one of {', '.join(FORMATS)}, by its suffix or by --format")
    return form
