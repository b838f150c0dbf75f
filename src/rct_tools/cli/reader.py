"""rct-reader: the ancestor's program, with its options."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NoReturn

import click

from rct_tools.cli.options import ObjectType, host_option, not_empty, port_option, verbose_option
from rct_tools.cli.output import open_output
from rct_tools.cli.progress import progress
from rct_tools.cli.rows import READING_COLUMNS, reading_line, reading_row
from rct_tools.cli.run import run_async, run_command
from rct_tools.cli.traffic import show_traffic
from rct_tools.client import Client, connect
from rct_tools.collector import Collector
from rct_tools.config import load_plan, sink_of
from rct_tools.display import show_value
from rct_tools.errors import DecodeError, NoAnswer, RctError
from rct_tools.link import Link
from rct_tools.objects import ObjectInfo, registry
from rct_tools.reading import Reading
from rct_tools.setups import InverterSetup, Setup
from rct_tools.times import iso_time, local_zone
from rct_tools.values import Event, EventTable, TimeSeries

INVERTER: Final = "RCT"
"""What the ancestor called it, as the tag ``inverter`` in InfluxDB."""

_LONGEST_EVENT: Final = 366 * 86_400  # seconds


@click.command(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: rct-reader --host 192.0.2.7 --influx-host localhost",
)
@host_option
@port_option
@click.option(
    "--influx-host", metavar="HOST", callback=not_empty, help="Write the values into the InfluxDB 1.x there, too."
)
@click.option(
    "--influx-port",
    type=click.IntRange(1, 65535),
    default=8086,
    show_default=True,
    metavar="PORT",
    help="Its TCP port.",
)
@click.option("--influx-db", default="photovoltaic", show_default=True, metavar="NAME", help="Made if it is missing.")
@click.option("--influx-user", default="", metavar="USER", help="The password is taken from INFLUX_PASSWORD.")
@click.option(
    "--readings", type=click.Path(path_type=Path), metavar="FILE",
    help="What to read, how often, and under which names; rct readings prints the default.",
)  # fmt: skip
@click.option("--listen-only", is_flag=True, help="Send nothing; show what arrives.")
@click.option("--command", type=ObjectType(), metavar="COMMAND", help="Ask for one object: name, prefix or 0x… id.")
@click.option("--read-all", is_flag=True, help="Ask for all objects once.")
@verbose_option
def reader(
    host: str,
    port: int,
    influx_host: str | None,
    influx_port: int,
    influx_db: str,
    influx_user: str,
    readings: Path | None,
    listen_only: bool,
    command: ObjectInfo | None,
    read_all: bool,
) -> None:
    """Read the values of an RCT Power inverter regularly, and show them until Ctrl-C.

    --listen-only, --command and --read-all do something else instead. Nothing is ever changed in the inverter.
    """
    options = {"--listen-only": listen_only, "--command": command, "--read-all": read_all}
    modes = [name for name, given in options.items() if given]
    for name, given in {"--influx-host": influx_host, "--readings": readings}.items():
        if modes and given:
            modes.append(name)
    if len(modes) > 1:
        raise click.UsageError(f"{' and '.join(modes)} cannot go together")
    match modes:
        case ["--listen-only"]:
            run_async(show_traffic(Link(host, port)))
        case ["--command"] if command:
            run_async(_ask(connect(host, port), command))
        case ["--read-all"]:
            run_async(_read_all(connect(host, port)))
        case _:
            plan = load_plan(readings, "ancestor")
            urls = ["console:"]
            if influx_host:
                user = f"{influx_user}@" if influx_user else ""
                server = f"[{influx_host}]" if ":" in influx_host else influx_host
                urls.append(f"influx://{user}{server}:{influx_port}/{influx_db}")
            inverter = InverterSetup(INVERTER, host, plan, port, local_zone(), backfill=False)  # as its ancestor does
            sinks = tuple(replace(sink_of(url), objects=tuple(plan.expects)) for url in urls)
            run_async(_collect(Setup((inverter,), sinks)))


async def _collect(setup: Setup) -> None:
    await Collector(setup, connect=_connect).run()


async def _connect(setup: InverterSetup, _tap: object) -> Client:
    link = Link(setup.host, setup.port)
    client = await Client(link, name=setup.name).__aenter__()
    link.tries = None  # there is an inverter: from now on it is worth waiting for
    return client


# --- one object -----------------------------------------------------------------------------------------------------


async def _ask(client: Client, info: ObjectInfo) -> None:
    loop = asyncio.get_running_loop()
    async with client as inverter:
        asked = loop.time()
        reading = await inverter.read(info.name)
        took = loop.time() - asked
    meaning = info.meaning(reading.value)
    click.echo(f"{info.name} (0x{info.object_id:08X}, {info.data_type.name})")
    click.echo(f"  value    {show_value(info, reading.value)}{f' ({meaning})' if meaning else ''}")
    for row in _rows(reading):
        click.echo(f"           {row}")
    click.echo(f"  payload  {reading.payload.hex(' ') or 'empty'}")
    click.echo(f"  time     {iso_time(reading.time)}, after {took * 1000:.0f} ms")


def _rows(reading: Reading) -> Iterator[str]:
    match reading.value:
        case TimeSeries(samples=samples):
            for sample in samples:
                yield f"{_device_time(sample.time)}  {show_value(reading.object, sample.value):>16}"
        case EventTable(events=events):
            for event in events:
                yield f"{_device_time(event.time)}  {registry.event_name(event):<40}  {_event_values(event)}"


def _event_values(event: Event) -> str:
    first, second, third = event.values
    match event.type:
        case 0x73:  # a parameter was changed
            info = registry.describe(first)
            return f"{info.name}: {_parameter(info, second)} → {_parameter(info, third)}"
        case 0x77:  # an update
            return f"{second} → {third}"
    if event.time <= first < event.time + _LONGEST_EVENT:
        return f"until {_device_time(first)}  0x{second:08X} 0x{third:08X}"
    return " ".join(f"0x{value:08X}" for value in event.values)


def _parameter(info: ObjectInfo, value: int) -> str:
    """Return the value of a parameter in an event, where it has four bytes whatever its type."""
    payload = value.to_bytes(4)
    for size in (4, 2, 1):
        try:
            return show_value(info, info.decode(payload[-size:]))
        except DecodeError:
            continue
    return payload.hex(" ")


def _device_time(seconds: int) -> str:
    """Return a time of the inverter, whose offset nobody knows."""
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat()


# --- all objects ----------------------------------------------------------------------------------------------------


async def _read_all(client: Client) -> None:
    output = open_output("text", READING_COLUMNS, reading_line)
    silent: list[str] = []
    async with client as inverter:
        with progress("asking", len(registry)) as advance:
            tasks = [asyncio.create_task(_answer(inverter, info.name)) for info in registry]
            for task in asyncio.as_completed(tasks):
                match await task:
                    case Reading() as reading:
                        output.row(reading_row(reading))
                    case NoAnswer(names=names):
                        silent += names
                    case error:
                        raise error
                advance(1)
    output.end()
    click.echo(f"{len(registry) - len(silent)} of {len(registry)} objects answered.", err=True)
    if silent:
        click.echo("These never did:\n" + "\n".join(f"  {name}" for name in sorted(silent)), err=True)


async def _answer(inverter: Client, name: str) -> Reading | RctError:
    try:
        return await inverter.read(name)
    except RctError as exc:
        return exc


def main() -> NoReturn:
    """Run ``rct-reader`` as a program and exit."""
    run_command(reader)
