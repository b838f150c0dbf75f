"""rct read: values, once or again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

import click

from rct_tools.cli.options import (
    DurationType,
    ObjectType,
    format_option,
    host_option,
    port_option,
    timeout_option,
    verbose_option,
)
from rct_tools.cli.output import Output, open_output
from rct_tools.cli.rows import READING_COLUMNS, reading_line, reading_row
from rct_tools.cli.run import run_async
from rct_tools.client import Answer, Client, connect
from rct_tools.errors import NoAnswer
from rct_tools.objects import ObjectInfo
from rct_tools.reading import Reading


@click.command(epilog="Example: rct read --host 192.0.2.7 battery.soc g_sync.p_acc_lp --watch 5s")
@click.argument("objects", type=ObjectType(), nargs=-1, required=True, metavar="OBJECT...")
@host_option
@port_option
@timeout_option
@click.option("--watch", type=DurationType(), metavar="DURATION", help="Ask again and again, this long apart.")
@format_option()
@verbose_option
def read(
    objects: tuple[ObjectInfo, ...], host: str, port: int, timeout: float, watch: float | None, output_format: str
) -> None:
    """Read objects, by name, unique prefix or 0x… id.

    An object that stays silent is said on stderr; the others are printed all the same, and the exit code is 1.
    """
    client = connect(host, port, timeout=timeout)
    run_async(
        _read(client, [info.name for info in objects], watch, open_output(output_format, READING_COLUMNS, reading_line))
    )


async def _read(client: Client, names: Iterable[str], watch: float | None, output: Output) -> None:
    loop = asyncio.get_running_loop()
    async with client as inverter:
        try:
            silent = _print(await inverter.read_many(names), output)
            due = loop.time()
            said: list[str] = []
            while watch is not None:
                if silent and silent != said:
                    click.echo(str(NoAnswer(inverter.peer, silent)), err=True)
                said = silent
                due = max(due + watch, loop.time())
                await asyncio.sleep(due - loop.time())
                silent = _print(await inverter.read_many(names), output)
        finally:
            output.end()
        if silent:
            raise NoAnswer(inverter.peer, silent)


def _print(answers: Mapping[str, Answer], output: Output) -> list[str]:
    """Print the readings and return the names of the objects that stayed silent."""
    for answer in answers.values():
        if isinstance(answer, Reading):
            output.row(reading_row(answer))
    return [name for name, answer in answers.items() if not isinstance(answer, Reading)]
