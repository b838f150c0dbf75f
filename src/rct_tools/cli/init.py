"""rct init: a first configuration."""

from __future__ import annotations

from pathlib import Path

import click

from rct_tools.cli.options import host_option, port_option, timeout_option, verbose_option
from rct_tools.cli.progress import progress
from rct_tools.cli.run import run_async
from rct_tools.client import Client, connect
from rct_tools.link import PORT
from rct_tools.newfile import new_file
from rct_tools.starter import LOOKED_AT, look, write_config
from rct_tools.times import local_zone


@click.command(epilog="Example: rct init --host 192.0.2.7; rct collect")
@host_option
@port_option
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), default="rct.toml", show_default=True,
    metavar="FILE", help="Where to write it; - for standard output.",
)  # fmt: skip
@timeout_option
@verbose_option
def init(host: str, port: int, output: Path, timeout: float) -> None:
    """Ask an inverter what it is and has, and write a configuration that fits it.

    A file that is there already stays as it is.
    """
    if str(output) != "-" and output.exists():
        raise click.UsageError(f"{output} is there already; choose another file with -o, or - to look at it first")
    run_async(_init(connect(host, port, timeout=timeout), host, port, output))


async def _init(client: Client, host: str, port: int, output: Path) -> None:
    async with client as inverter:
        with progress("asking", len(LOOKED_AT)) as advance:
            equipment = await look(inverter, advance)
    text = write_config(equipment, host, port, local_zone(), PORT)
    if str(output) == "-":
        click.echo(text, nl=False)
        return
    with new_file(output) as part:  # or what a full disk leaves would be in the way of the next try
        part.write_text(text, encoding="utf-8")
    click.echo(f"{output}: written, for an inverter with {', '.join(equipment.has) or 'nothing that it told of'}")
    click.echo(f"Start it with: rct collect{f' -c {output}' if output != Path('rct.toml') else ''}")
