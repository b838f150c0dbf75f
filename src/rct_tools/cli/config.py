"""rct config: is the configuration right, and what does it come to?"""

from __future__ import annotations

from pathlib import Path

import click

from rct_tools.address import show_address
from rct_tools.cli.options import config_option, verbose_option
from rct_tools.cli.run import run_async
from rct_tools.config import load_config, show_config
from rct_tools.rehearsal import rehearse


@click.group(epilog="Example: rct config check; rct config show")
def config() -> None:
    """Check a configuration, and show what it comes to."""


@config.command(epilog="Example: rct config check -c rct.toml")
@config_option
@verbose_option
def check(config: Path) -> None:
    """Look for mistakes, and say what it would do. Nothing is connected."""
    loaded = load_config(config)
    remarks: list[str] = []

    async def try_sinks() -> None:
        remarks.extend(await rehearse(loaded))

    run_async(try_sinks())
    setup = loaded.setup
    click.echo(f"{config}: good")
    for inverter in setup.inverters:
        groups = ", ".join(f"{len(group.fields)} in {group.name}" for group in inverter.plan.groups)
        click.echo(f"  {inverter.name} at {inverter.host}:{inverter.port}, {inverter.zone}: {groups}")
        if proxy := inverter.proxy:
            click.echo(f"    shared at {show_address(proxy.host, proxy.port)} with {proxy.whom}")
    for sink in setup.sinks:
        count = len({name for source in sink.sources(setup.inverters) for name in source.expects})
        click.echo(f"  {sink.label}: {count} objects")
    for remark in remarks:
        click.echo(f"Not there for you here, and needed by the collector: {remark}", err=True)


@config.command(epilog="Example: rct config show | less")
@config_option
@click.option("--format", "output_format", type=click.Choice(["toml", "json"]), default="toml", show_default=True,
              help="How to print it.")  # fmt: skip
@verbose_option
def show(config: Path, output_format: str) -> None:
    """Print what is in force, the environment's keys included; secrets are hidden."""
    tree = show_config(load_config(config))
    if output_format == "json":
        import json

        click.echo(json.dumps(tree, indent=1, ensure_ascii=False, default=str))  # dates are text in JSON
    else:
        import tomli_w

        click.echo(tomli_w.dumps(tree), nl=False)
