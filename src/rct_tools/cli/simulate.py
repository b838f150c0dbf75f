"""rct simulate: an inverter where there is none."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from pathlib import Path

import click

from rct_tools.cli.options import DurationType, log_format_option, verbose_option
from rct_tools.cli.run import run_async
from rct_tools.cli.serving import serve
from rct_tools.link import PORT
from rct_tools.simulator import Happened, Simulator
from rct_tools.simulator.battery import CAPACITY
from rct_tools.simulator.faults import FAULTS, HEALTHY, Faults, parse_faults
from rct_tools.simulator.firmware import FIRMWARE
from rct_tools.simulator.house import PEAK_POWER, PLANES
from rct_tools.simulator.scenario import load_script


def _epilog() -> str:
    """Return the list of faults and profiles, as they are known to the simulator."""
    lines = []
    for scope, faults in groupby(FAULTS.items(), lambda item: item[1].scope):
        lines += ["", "\b", f"Faults of {scope.value}:"]
        lines += [f"  {name:15}{fault.meaning.replace('`', '')}" for name, fault in faults]
    lines += ["", "\b", "Profiles:"]
    lines += [f"  {name:15}{version.meaning.replace('`', '')}" for name, version in FIRMWARE.items()]
    return "\n".join([*lines, "", "Example: rct simulate --port 9000 --fault cut=0.1,late=0.05,idle=5m"])


@click.command(epilog=_epilog())
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
@click.option(
    "--profile", type=click.Choice(list(FIRMWARE)), help="Behave as inverters with this firmware do; see below."
)
@click.option(
    "--fault", "specs", multiple=True, metavar="NAME=VALUE,…",
    help="What goes wrong, beside what the profile says; see below. Can be repeated; what comes later counts.",
)  # fmt: skip
@click.option(
    "--script", type=click.Path(path_type=Path), metavar="FILE",
    help="What happens when, in TOML: faults, reboots, nights.",
)  # fmt: skip
@click.option(
    "--truth", type=click.Path(path_type=Path), metavar="FILE",
    help="Write each fault that happens to this file, as a line of JSON.",
)  # fmt: skip
@verbose_option
@log_format_option
def simulate(
    host: str, port: int, seed: int, latency: float, no_broadcast: bool, speed: float,
    profile: str | None, specs: Sequence[str], script: Path | None, truth: Path | None,
) -> None:  # fmt: skip
    """Be an inverter in a house that adds up, until Ctrl-C or SIGTERM.

    With -v, clients are named as they come and go. What goes wrong is up to chance that the seed determines. Shares are
    from 0 to 1, durations a number and ms, s, m, h or d.
    """
    faults = FIRMWARE[profile].faults if profile else HEALTHY
    for spec in specs:
        faults = parse_faults(spec, faults)
    steps = load_script(script, faults) if script else ()
    with _told_to(truth) as tell:
        simulator = Simulator(
            host, port, seed=seed, latency=latency, broadcast=not no_broadcast, speed=speed,
            firmware=profile or "", faults=faults, truth=tell, script=steps,
        )  # fmt: skip
        run_async(
            serve(simulator, partial(_describe, simulator, faults), "what it serves is made up, but not secured.")
        )


@contextmanager
def _told_to(path: Path | None) -> Iterator[Callable[[Happened], None]]:
    """Yield what writes each fault to a file, at once, so that it can be read meanwhile."""
    if path is None:
        yield lambda _: None
        return
    epoch = time.time_ns() - time.monotonic_ns()  # asyncio counts from the same beginning
    with path.open("w", encoding="utf-8", buffering=1) as file:
        yield lambda happened: print(happened.as_json(epoch), file=file)


def _describe(simulator: Simulator, faults: Faults) -> str:
    sun = len(PLANES) * PEAK_POWER / 1000
    now = datetime.fromtimestamp(simulator.house.time, UTC)  # the clock on the wall, counted as if it were UTC
    house = f"{sun:g} kWp of solar modules, a battery of {CAPACITY / 1000:g} kWh, {now:%Y-%m-%d %H:%M} on its clock"
    return f"simulated inverter, {house}{f', faults {faults}' if faults != HEALTHY else ''}"
