"""rct top: an inverter on the terminal, live."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, closing
from datetime import datetime
from math import isfinite
from typing import Any, Final
from zoneinfo import ZoneInfo

import click

from rct_tools import top as room
from rct_tools.bars import battery_way, grid_way
from rct_tools.cli.captures import open_chunks
from rct_tools.cli.options import format_option, host_alone, not_empty, time_zone_option, timeout_option, verbose_option
from rct_tools.cli.output import Output, Row, open_output
from rct_tools.cli.progress import status
from rct_tools.cli.run import run_async
from rct_tools.cli.screen import is_screen
from rct_tools.client import Client
from rct_tools.errors import ConfigError
from rct_tools.link import PORT, Link
from rct_tools.live import STEPS, Picture
from rct_tools.settings import Secret
from rct_tools.times import SECOND, iso_time, local_zone
from rct_tools.wording import NOTHING, percent

_EVERY: Final = 2.0  # seconds between two rows

_POWERS: Final = ("sun", "sun_a", "sun_b", "external", "house", "battery", "grid")
_ENERGIES: Final = ("made", "used", "imported", "fed_in", "self_consumption", "autarky")
_GOES_WITH: Final = {  # parameters that are about some sources only
    "speed": ("FILE",),
    "timeout": ("--host",),
    "port": ("--host", "FILE"),
    "zone": ("--host", "FILE"),
    "inverter": ("--page",),
    "password_file": ("--page",),
}
COLUMNS: Final = ("time", "up", "age", *_POWERS, "soc", *_ENERGIES, "state", "faults")
"""What a row has: powers in W and energies of the day in Wh, signs as the inverter's; age in s; null is not known."""


@click.command(
    epilog="Examples: rct top --host 192.0.2.7; rct top --page http://127.0.0.1:9834; rct top roof.rctcap --speed 60"
)
@click.argument("file", required=False, callback=not_empty)
@click.option("--host", callback=host_alone, help="Name or address of the inverter.")
@click.option(
    "--page", callback=not_empty, metavar="URL",
    help="The page of a collector that reads it, such as http://127.0.0.1:9834.",
)  # fmt: skip
@click.option("--inverter", callback=not_empty, metavar="NAME", help="Which one of --page, where it has several.")
@click.option(
    "--password-file", type=click.Path(dir_okay=False), metavar="FILE",
    help="A file with the password of --page, not its hash.",
)  # fmt: skip
@click.option(
    "--port", type=click.IntRange(1, 65535), default=PORT, show_default=True, metavar="PORT",
    help="The inverter's TCP port; with FILE, that in captures of packets (.pcap, .pcapng).",
)  # fmt: skip
@click.option(
    "--speed", type=click.FloatRange(0), default=1, show_default=True, metavar="X",
    help="How fast the time of FILE runs: 60 is an hour in a minute, 0 is as fast as possible.",
)  # fmt: skip
@timeout_option
@time_zone_option
@format_option()
@verbose_option
@click.pass_context
def top(
    ctx: click.Context, file: str | None, host: str | None, page: str | None, inverter: str | None,
    password_file: str | None, port: int, speed: float, timeout: float, zone: ZoneInfo | None, output_format: str,
) -> None:  # fmt: skip
    """Watch an inverter: where power flows, how it went, energies of today, battery, faults, events, and the link.

    Keys search objects, show today from the inverter's log, stand still, help and quit. Where there is no terminal, or
    with --format, there is a row every two seconds instead, until Ctrl-C.

    With --page, what a collector reads is watched, as its page tells it. With FILE, the inverter in a recorded capture
    is watched, at the pace at which it was recorded, or --speed.
    """
    given = {"--host": host, "--page": page, "FILE": file}
    if len([source for source in given.values() if source is not None]) != 1:
        raise click.UsageError("give either --host, --page or a FILE")
    for name, sources in _GOES_WITH.items():
        is_given = ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
        if is_given and all(given[source] is None for source in sources):
            option = next(p.opts[0] for p in ctx.command.params if p.name == name)
            raise click.UsageError(f"{option} goes with {' or '.join(sources)} only")
    if not isfinite(speed):
        raise click.UsageError("--speed is no number to multiply time with")
    output = None if output_format == "text" and is_screen() else open_output(output_format, COLUMNS, _Lines())
    if output is None:
        room.require()
    zone = zone or ZoneInfo(local_zone())
    if file is not None:
        with closing(open_chunks(file, port)) as chunks:
            run_async(_watch(room.Recorded(file, chunks, zone, speed), output))
    elif page is not None:
        run_async(_follow(room.Page(page, _password(password_file)), inverter or "", output))
    else:
        assert host is not None, "one of them is given"  # noqa: S101  # for the type checker
        link = Link(host, port)
        run_async(_ask(link, Client(link, timeout=timeout), zone, output))


async def _ask(link: Link, client: Client, zone: ZoneInfo, output: Output | None) -> None:
    with status(link.peer):
        await client.__aenter__()
    try:
        link.tries = None  # there is an inverter: from now on it is worth waiting for
        await _watch(room.Inverter(client, zone), output)
    finally:
        await client.close()


async def _follow(page: room.Page, inverter: str, output: Output | None) -> None:
    async with AsyncExitStack() as stack:
        with status(page.peer):
            source = await stack.enter_async_context(room.collected(page, inverter))
        await _watch(source, output)


def _password(file: str | None) -> str:
    """Return the password in a file. Raises ConfigError."""
    text = Secret(file=file).reveal() if file else ""
    if text.startswith("$"):
        raise ConfigError(f"{file}: is the hash of a password, which opens nothing; the password itself is needed")
    return text


async def _watch(source: room.Source, output: Output | None) -> None:
    if output is None:
        await room.show(source)
    else:
        await _rows(source, output)


# --- rows -----------------------------------------------------------------------------------------------------------


async def _rows(source: room.Source, output: Output) -> None:
    """Print a row every now and then, and one at the end of a capture."""
    job = asyncio.ensure_future(source.run())
    try:
        while not job.done():
            await asyncio.wait([job], timeout=_EVERY)
            if not job.done() or job.exception() is None:
                output.row(_row(source.picture(STEPS[0], 1), source.zone))
        job.result()
    finally:
        job.cancel()
        output.end()


def _row(picture: Picture, zone: ZoneInfo) -> dict[str, Any]:
    """Return a picture by COLUMNS, as JSON knows it; the picture itself, and when it was, beside them."""
    health = picture.health
    powers, today = health.powers, health.today
    return {
        "time": iso_time(picture.time),
        "up": picture.up,
        "age": None if picture.age is None else picture.age / SECOND,
        **{name: getattr(powers, name) for name in _POWERS},
        "soc": health.battery and health.battery.soc,
        **{name: getattr(today, name) for name in _ENERGIES},
        "state": health.state and health.state.text,
        "faults": None if health.faults is None else [fault.text for fault in health.faults],
        "picture": picture,
        "local": datetime.fromtimestamp(picture.time / SECOND, zone),
    }


_HEADING: Final = "time         sun W   house W   battery W              charge      grid W"


class _Lines:
    """Rows for people, in plain ASCII; what the columns are stands above the first."""

    def __init__(self) -> None:
        self._heading = f"{_HEADING}\n"

    def __call__(self, row: Row) -> str:
        """Return a row of _row."""
        heading, self._heading = self._heading, ""
        return heading + _line(row)


def _line(row: Row) -> str:
    """Return a row, below _HEADING."""
    watts = {
        name: NOTHING if row[name] is None else f"{abs(row[name]):.0f}" for name in ("sun", "house", "battery", "grid")
    }
    battery = "" if row["battery"] is None else battery_way(row["battery"])[1]
    grid = "" if row["grid"] is None else grid_way(row["grid"])[1]
    away = "away" if row["up"] is False else ""
    notes = ", ".join(filter(None, (away, *(row["faults"] or ()))))
    return (
        f"{row['local']:%H:%M:%S}  {watts['sun']:>8}  {watts['house']:>8}  {watts['battery']:>10} {battery:<11}"
        f"{percent(row['soc']):>8}  {watts['grid']:>10} {grid:<7}  {notes}"
    ).rstrip()
