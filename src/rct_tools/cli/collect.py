"""rct collect: what the plan says, from inverters into every sink."""

from __future__ import annotations

from pathlib import Path

import click

from rct_tools.cli.options import not_empty, port_option, verbose_option
from rct_tools.cli.run import run_async
from rct_tools.collector import Collector, InverterSetup, Setup
from rct_tools.config import load_plan, sink_of
from rct_tools.times import local_zone


@click.command(epilog="Example: rct collect --host 192.0.2.7 --sink sqlite: --sink influx://localhost/photovoltaic")
@click.option("--host", required=True, callback=not_empty, help="Name or address of the inverter.")
@port_option
@click.option("--name", default="", help="What the readings call the inverter.  [default: the host]")
@click.option(
    "--sink", "urls", multiple=True, default=("sqlite:",), metavar="URL",
    help="Where readings go; can be given more than once: sqlite:///PATH, influx://[USER@]HOST[:8086]/DATABASE "
    "(password in INFLUX_PASSWORD), jsonl:PATH, console:.  [default: sqlite:, a file in the user's data folder]",
)  # fmt: skip
@click.option(
    "--readings", type=click.Path(path_type=Path), metavar="FILE",
    help="What to read how often; `rct readings` prints a file to start from.",
)  # fmt: skip
@verbose_option
def collect(host: str, port: int, name: str, urls: tuple[str, ...], readings: Path | None) -> None:
    """Read values regularly and store them, until Ctrl-C or SIGTERM.

    While the inverter or a sink is away, it goes on trying; readings that a sink cannot take yet are kept.
    """
    inverter = InverterSetup(name or host, host, load_plan(readings), port, local_zone())
    run_async(_collect(Setup((inverter,), tuple(map(sink_of, dict.fromkeys(urls))))))


async def _collect(setup: Setup) -> None:
    collector = Collector(setup)

    def started() -> None:
        sinks = ", ".join(collector.lanes)
        for name, watched in collector.watched.items():
            _say(f"{watched.client.peer}: collecting {len(watched.setup.plan.expects)} values of {name} into {sinks}")

    try:
        await collector.run(started)
    finally:
        for lane in collector.lanes.values():
            _say(f"{lane.outbox.label}: {lane.outbox.written} readings stored, {lane.outbox.lost} lost")


def _say(line: str) -> None:
    # Not on standard output: that may be a sink.
    click.echo(line, err=True)
