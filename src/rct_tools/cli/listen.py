"""rct listen: what arrives, without a byte sent."""

from __future__ import annotations

import click

from rct_tools.cli.options import format_option, host_option, port_option, verbose_option
from rct_tools.cli.run import run_async
from rct_tools.cli.traffic import show_traffic
from rct_tools.link import Link


@click.command(epilog="Example: rct listen --host 192.0.2.7")
@host_option
@port_option
@format_option("text", "jsonl", "csv")
@verbose_option
def listen(host: str, port: int, output_format: str) -> None:
    """Show what an inverter sends by itself or to others, until Ctrl-C. Not one byte is sent.

    What is no frame is said with -v.
    """
    run_async(show_traffic(Link(host, port), output_format))
