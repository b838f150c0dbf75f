"""rct collect: what the plan says, from inverters into every sink."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import click

from rct_tools.cli.options import config_or_none_option, host_alone, log_format_option, port_option, verbose_option
from rct_tools.cli.run import run_async, say
from rct_tools.collector import Collector
from rct_tools.config import Config, find_config, load_config, load_plan, sink_of
from rct_tools.service import serve
from rct_tools.setups import PAGE, InverterSetup, Setup
from rct_tools.shard import Shard
from rct_tools.times import local_zone
from rct_tools.web.table import WebSetup


@click.command(epilog="Example: rct collect --host 192.0.2.7 --sink sqlite: --sink influx://localhost/photovoltaic")
@config_or_none_option
@click.option("--host", callback=host_alone, help="Name or address of the inverter, in place of a configuration.")
@port_option
@click.option("--name", default="", help="What the readings call the inverter.  [default: the host]")
@click.option(
    "--sink", "urls", multiple=True, metavar="URL",
    help="Where readings go; can be given more than once: sqlite:///PATH, influx://[USER@]HOST[:8086]/DATABASE "
    "(password in INFLUX_PASSWORD), mqtt://[USER@]HOST (password in MQTT_PASSWORD), prometheus:, jsonl:PATH, console: "
    "and more; docs/storage.md.  [default: sqlite:, a file in the user's data folder]",
)  # fmt: skip
@click.option(
    "--readings", type=click.Path(path_type=Path), metavar="FILE",
    help="What to read how often; `rct readings` prints a file to start from.",
)  # fmt: skip
@click.option(
    "--shard", metavar="I/N",
    help="Of all inverters of the configuration, read those that fall to process I of N; docs/fleet.md.",
)  # fmt: skip
@verbose_option
@log_format_option
def collect(
    config: Path | None, host: str | None, port: int, name: str, urls: tuple[str, ...], readings: Path | None,
    shard: str | None,
) -> None:  # fmt: skip
    """Read values regularly and store them, until Ctrl-C or SIGTERM.

    What is read and where it goes stands in rct.toml, which `rct init` writes; for one inverter, --host and --sink will
    do. While an inverter or a sink is away, it goes on trying; readings that a sink cannot take yet are kept.
    SIGHUP makes it read the configuration again.
    """
    given = {"--name": name, "--sink": urls, "--readings": readings}
    if host:
        if config or shard:
            raise click.UsageError(f"--host and {'--config' if config else '--shard'} cannot go together")
        inverter = InverterSetup(name or host, host, load_plan(readings), port, local_zone())
        sinks = tuple(sink_of(url, inverter.name) for url in dict.fromkeys(urls or ("sqlite:",)))
        run_async(_collect(Setup((inverter,), sinks)))
        return
    for option, value in given.items():
        if value:
            raise click.UsageError(f"{option} goes with --host; without it, the configuration says all")
    path = config or find_config()
    if path is None:
        raise click.UsageError("which inverter? Name it with --host, or write a configuration: rct init --host HOST")
    run_async(serve(partial(_load, path, Shard.parse(shard) if shard else None), say_started, say_stored, say_page))


def _load(path: Path, shard: Shard | None) -> Config:
    if shard is None:
        return load_config(path)
    config = load_config(path, keeper=f"shard-{shard.number}")
    return replace(config, setup=shard.part(config.setup))


async def _collect(setup: Setup) -> None:
    collector = Collector(setup)
    try:
        await collector.run(partial(say_started, collector))
    finally:
        say_stored(collector)


def say_page(address: str) -> None:
    """Tell people where the page is."""
    say(f"the page is at http://{address}/")


def say_started(collector: Collector) -> None:
    """Tell people what is collected."""
    sinks = ", ".join(collector.lanes)
    for name, watched in collector.watched.items():
        say(f"{watched.client.peer}: collecting {len(watched.setup.plan.expects)} values of {name} into {sinks}")
        if proxy := watched.proxy:
            say(f"{proxy.address}: sharing {watched.client.peer} with {proxy.setup.whom}")
        if allowed := watched.setup.steerable:
            what = ", ".join([*allowed.objects, *(f"mode {mode}" for mode in allowed.modes)])
            say(f"{watched.client.peer}: {_who_orders(collector)} may set {what}")


def _who_orders(collector: Collector) -> str:
    ways = [f"publish at {', '.join(collector.desks)}"] if collector.desks else []
    page = collector.lanes.get(PAGE)
    if page is not None and isinstance(page.setup.settings, WebSetup) and page.setup.settings.is_guarded:
        ways.append("log in at the page")
    return f"whoever may {' or '.join(ways)}"


def say_stored(collector: Collector) -> None:
    """Tell people what was stored."""
    for lane in collector.lanes.values():
        if (outbox := lane.outbox) is not None and lane.setup.label != PAGE:
            waiting = f", {outbox.kept} wait for the next start" if outbox.kept else ""
            say(f"{outbox.label}: {outbox.written} readings stored, {outbox.lost} lost{waiting}")
