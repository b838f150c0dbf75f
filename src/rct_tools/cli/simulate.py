"""rct simulate: an inverter where there is none."""

from __future__ import annotations

import os
import socket
from datetime import UTC, datetime
from ipaddress import ip_address

import click

from rct_tools.cli.options import DurationType, verbose_option
from rct_tools.cli.run import run_async
from rct_tools.errors import RctError
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
def simulate(host: str, port: int, seed: int, latency: float, no_broadcast: bool, speed: float) -> None:
    """Be an inverter in a house that adds up, until Ctrl-C or SIGTERM.

    With -v, clients are named as they come and go.
    """
    run_async(_simulate(Simulator(host, port, seed=seed, latency=latency, broadcast=not no_broadcast, speed=speed)))


async def _simulate(simulator: Simulator) -> None:
    try:
        await simulator.start()
    except OSError as exc:
        raise RctError(f"cannot listen on {_address(simulator)}: {_reason(exc)}") from exc
    try:
        click.echo(f"{_address(simulator)}: {_describe(simulator)}; Ctrl-C ends it")
        if not _is_loopback(simulator.host):
            click.echo("Others in your network can reach it too: what it serves is made up, but not secured.", err=True)
        await simulator.serve()
    finally:
        await simulator.close()


def _address(simulator: Simulator) -> str:
    host = f"[{simulator.host}]" if ":" in simulator.host else simulator.host
    return f"{host}:{simulator.port}"


def _reason(exc: OSError) -> str:
    if isinstance(exc, socket.gaierror):
        return "no such host"
    # asyncio's own text says the address once more.
    text = os.strerror(exc.errno) if exc.errno else str(exc)
    return text[:1].lower() + text[1:]


def _describe(simulator: Simulator) -> str:
    sun = len(PLANES) * PEAK_POWER / 1000
    now = datetime.fromtimestamp(simulator.house.time, UTC)  # the clock on the wall, counted as if it were UTC
    house = f"{sun:g} kWp of solar modules, a battery of {CAPACITY / 1000:g} kWh, {now:%Y-%m-%d %H:%M} on its clock"
    return f"simulated inverter, {house}"


def _is_loopback(host: str) -> bool:
    addresses = socket.getaddrinfo(host or None, 0, flags=socket.AI_PASSIVE)  # none is any
    return all(ip_address(address[4][0]).is_loopback for address in addresses)
