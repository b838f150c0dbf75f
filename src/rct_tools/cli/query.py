"""rct query: what was stored."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime
from typing import Any

import click

from rct_tools.cli.options import ObjectType, format_option, verbose_option
from rct_tools.cli.output import Row, open_output
from rct_tools.display import show_value
from rct_tools.errors import ConfigError, UnknownObject
from rct_tools.objects import ObjectInfo, registry
from rct_tools.sinks.sqlite import path_in_url
from rct_tools.sinks.sqlite import query as stored
from rct_tools.times import iso_time, parse_time
from rct_tools.values import DataType

COLUMNS = ("time", "inverter", "object", "value", "unit", "backfilled")


class TimeType(click.ParamType[int]):
    """A moment, as a duration that lies between it and now, or as a date with or without a time; UTC nanoseconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            return parse_time(value, time.time_ns())
        except ConfigError as exc:
            self.fail(str(exc), param, ctx)


@click.command(epilog="Example: rct query --object 'battery.*' --since 1h --format csv")
@click.option(
    "--store", default="sqlite:", metavar="URL",
    help="The database: sqlite:///PATH.  [default: sqlite:, the one that rct collect fills]",
)  # fmt: skip
@click.option(
    "--object", "pattern", default="*", metavar="NAME", shell_complete=ObjectType().shell_complete,
    help="Only this object: its name, the beginning of it, or a 0x… id; * stands for anything.",
)  # fmt: skip
@click.option("--since", type=TimeType(), metavar="TIME", help="Only from this time on: 1h (ago), 2026-06-21T12:00.")
@click.option("--until", type=TimeType(), metavar="TIME", help="Only before this time.")
@format_option()
@verbose_option
def query(store: str, pattern: str, since: int | None, until: int | None, output_format: str) -> None:
    """Read back what was stored, the oldest first.

    A time without an offset is local time, and so are those that text shows; other formats have UTC.
    """
    path = path_in_url(store)
    if pattern[:2].lower() == "0x":
        pattern = registry.find(pattern).name
    output = open_output(output_format, COLUMNS, _line)
    count = 0
    try:
        for reading in stored(path, pattern, since=since, until=until):
            count += 1
            row = {
                "time": iso_time(reading.time),
                "inverter": reading.inverter,
                "object": reading.object,
                "value": reading.value,
                "unit": reading.unit,
            }
            output.row(row | {"backfilled": True} if reading.backfilled else row)
    except UnknownObject:
        if pattern not in registry:
            raise
    output.end()
    if not count:
        click.echo(f"{path}: nothing was stored of this", err=True)


def _line(row: Row) -> str:
    name, value = row["object"], row["value"]
    known = registry[name] if name in registry else ObjectInfo(0, name, DataType.UNKNOWN)  # a sum
    info = replace(known, unit=row["unit"])  # what it was when it was stored
    shown = show_value(info, float("nan") if value is None else value)
    moment = datetime.fromisoformat(row["time"]).astimezone().isoformat(timespec="milliseconds")  # enough for the eye
    line = f"{moment}  {row['inverter']}  {name:<34} {shown:>16}  {info.meaning(value)}".rstrip()
    return f"{line}  backfilled" if "backfilled" in row else line
