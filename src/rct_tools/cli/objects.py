"""rct objects: what an inverter knows."""

from __future__ import annotations

import click

from rct_tools.cli.options import format_option
from rct_tools.cli.output import Row, open_output
from rct_tools.errors import UnknownObject
from rct_tools.objects import registry

COLUMNS = ("object_id", "name", "type", "unit", "description", "labels")


@click.command(epilog="Example: rct objects 'grid*power'")
@click.argument("pattern", default="")
@format_option()
def objects(pattern: str, output_format: str) -> None:
    """List the objects whose name or description holds PATTERN; * stands for anything."""
    matches = registry.match(pattern)
    if not matches:
        raise UnknownObject(pattern, registry.nearest(pattern), "no object matches")
    output = open_output(output_format, COLUMNS, _line)
    for info in matches:
        output.row(
            {
                "object_id": f"0x{info.object_id:08X}",
                "name": info.name,
                "type": info.data_type.name,
                "unit": info.unit,
                "description": info.description,
                "labels": {str(number): text for number, text in (info.labels or info.bits).items()},
            }
        )
    output.end()


def _line(row: Row) -> str:
    start = f"{row['object_id']}  {row['name']:<44} {row['type']:<11} {row['unit']:<8} {row['description']}"
    labels = "".join(f"\n{'':12}{number:>4} {text}" for number, text in row["labels"].items() if text)
    return start.rstrip() + labels
