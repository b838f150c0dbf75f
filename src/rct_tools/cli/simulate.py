"""rct simulate: an inverter where there is none."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial

import click

from rct_tools.cli.options import DurationType, log_format_option, verbose_option
from rct_tools.cli.run import run_async
from rct_tools.cli.serving import serve
from rct_tools.link import PORT
from rct_tools.simulator import Simulator
from rct_tools.simulator.battery import CAPACITY
from rct_tools.simulator.house import PEAK_POWER, PLANES


@click.command(epilog="Example: rct simulate --port 9000 --speed 600")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, metavar="PORT",
    help="TCP port to listen on; 0 for any that is free.",
)  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True, help="Which house: the same seed makes the same one.")
@click.option(
    "--latency", type=DurationType(or_none=True), default="60ms", show_default=True, help="How long an answer takes."
)
@click.option("--no-broadcast", is_flag=True, help="Say nothing without being asked, as old firmware does.")
@click.option(
    "--speed", type=click.FloatRange(0, 86_400), default=1, show_default=True, metavar="X",
    help="How fast the clock of the house runs: 600 is a day in 2.4 minutes.",
)  # fmt: skip
@verbose_option
@log_format_option
def simulate(host: str, port: int, seed: int, latency: float, no_broadcast: bool, speed: float) -> None:
    """Be an inverter in a house that adds up, until Ctrl-C or SIGTERM.

    With -v, clients are named as they come and go.
    """
    simulator = Simulator(host, port, seed=seed, latency=latency, broadcast=not no_broadcast, speed=speed)
    run_async(serve(simulator, partial(_describe, simulator), "what it serves is made up, but not secured."))


def _describe(simulator: Simulator) -> str:
    sun = len(PLANES) * PEAK_POWER / 1000
    now = datetime.fromtimestamp(simulator.house.time, UTC)  # the clock on the wall, counted as if it were UTC
    house = f"{sun:g} kWp of solar modules, a battery of {CAPACITY / 1000:g} kWh, {now:%Y-%m-%d %H:%M} on its clock"
    return f"simulated inverter, {house}"
