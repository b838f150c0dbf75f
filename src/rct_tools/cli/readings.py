"""rct readings: the default set of readings as a file to start from."""

from __future__ import annotations

import click

from rct_tools.config import default_readings


@click.command(
    epilog="Example: rct readings > my-readings.toml; rct collect --host 192.0.2.7 --readings my-readings.toml"
)
def readings() -> None:
    """Print the default set of readings: a TOML file that says what is read, how often, and what it is called."""
    click.echo(default_readings(), nl=False)
