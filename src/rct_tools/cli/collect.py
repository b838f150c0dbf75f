"""rct collect: what the plan says, from the inverter into every sink."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import click

from rct_tools.cli.options import host_option, port_option, verbose_option
from rct_tools.cli.run import run_async
from rct_tools.client import Client, connect
from rct_tools.collector import Collector
from rct_tools.config import load_plan
from rct_tools.plan import Plan, Source
from rct_tools.sinks import Sink, open_sink, settings_for
from rct_tools.sinks.sqlite import path_in_url


@click.command(epilog="Example: rct collect --host 192.0.2.7 --sink sqlite: --sink influx://localhost/photovoltaic")
@host_option
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
    plan = load_plan(readings)
    run_async(_collect(connect(host, port, name=name, tries=None), plan, urls))


async def _collect(client: Client, plan: Plan, urls: tuple[str, ...]) -> None:
    sinks: dict[str, Sink] = {}
    async with AsyncExitStack() as opened:
        for url in dict.fromkeys(urls):
            sink = open_sink(settings_for(url), [Source(client.name, "UTC", plan.expects)])
            opened.push_async_callback(sink.close)
            sinks[_label(url)] = sink
        opened.pop_all()  # from here on they are the collector's
    collector = Collector(client, plan, sinks)
    _say(f"{client.peer}: collecting {len(plan.field_names)} values into {', '.join(sinks)}")
    try:
        async with client:
            await collector.run()
    finally:
        for outbox in collector.outboxes:
            _say(f"{outbox.label}: {outbox.written} readings stored, {outbox.lost} lost")


def _label(url: str) -> str:
    """Return how a sink is called in messages: a database by its file, so that people find it."""
    return str(path_in_url(url)) if url.startswith("sqlite:") else url.removesuffix(":")


def _say(line: str) -> None:
    # Not on standard output: that may be a sink.
    click.echo(line, err=True)
