"""rct mode: steer the battery for a while."""

from __future__ import annotations

import asyncio
import re
import signal
from contextlib import suppress
from datetime import UTC, datetime

import click

from rct_tools.cli.options import DurationType, host_option, port_option, timeout_option, verbose_option
from rct_tools.cli.run import run_async, say
from rct_tools.cli.write import change_line, who_writes
from rct_tools.client import Client
from rct_tools.errors import LinkError, NoAnswer
from rct_tools.link import Link, ticking
from rct_tools.modes import MODES, STEERED, Restored, Steered, check_mode, differing, kept, put_back, steered
from rct_tools.objects import registry
from rct_tools.times import SECOND
from rct_tools.writable import WRITABLE, show
from rct_tools.writing import Writer, default_folder

WATCH = 60.0
"""Seconds between looks whether the mode is still on; the bridge closes what is idle for five minutes."""


def _epilog() -> str:
    lines = ["\b", "Modes:", *(f"  {name:11}{mode.meaning}" for name, mode in MODES.items())]
    lines += ["  normal     puts back what a program did not that was killed, or lost its power"]
    lines += ["  status     shows whether a mode is on, and what it changed"]
    return "\n".join([*lines, "", "Example: rct mode --host 192.0.2.7 charge --power 3kW --soc 80% --for 2h"])


def _number(_ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """Read a number as `rct write` does."""
    if value is None:
        return None
    name = {"power": "power_mng.battery_power_extern", "soc": "power_mng.soc_max"}[str(param.name)]
    number = WRITABLE[name].parse(value)
    assert isinstance(number, float), "of a FLOAT"  # noqa: S101  # for the type checker
    return number


@click.command(epilog=_epilog())
@click.argument("mode", type=click.Choice([*MODES, "normal", "status"]), metavar="MODE")
@host_option
@port_option
@timeout_option
@click.option("--power", callback=_number, metavar="POWER", help="How fast: 3kW, 3000.")
@click.option("--soc", callback=_number, metavar="SOC", help="The state of charge: 80%, 0.8.")
@click.option("--for", "seconds", type=DurationType(), metavar="DURATION", help="How long; without it, until Ctrl-C.")
@click.option("--force-state", is_flag=True, help="Also while the battery calibrates or balances, or does not say.")
@verbose_option
def mode(
    mode: str, host: str, port: int, timeout: float, power: float | None, soc: float | None, seconds: float | None,
    force_state: bool,
) -> None:  # fmt: skip
    """Steer the battery for a while: until the time is over, or Ctrl-C. Then what was before is put back.

    This program keeps the mode: it has to run as long. What the inverter held before is on disk before the first
    change, so that the next `rct mode` puts it back when this one was killed.
    """
    if mode in MODES:
        check_mode(mode, power, soc)
    elif power is not None or soc is not None or seconds is not None:
        raise click.UsageError(f"{mode} takes no --power, --soc or --for")
    link = Link(host, port)
    client = Client(link, timeout=timeout)
    match mode:
        case "normal":
            run_async(_normal(client))
        case "status":
            run_async(_status(client))
        case _:
            run_async(_steer(client, link, mode, power, soc, seconds, force_state))


async def _steer(
    client: Client, link: Link, mode: str, power: float | None, soc: float | None, seconds: float | None, force: bool
) -> None:
    _end_with_terminal()
    async with client:
        link.tries = None  # there is an inverter: from now on it is worth waiting for
        writer = Writer(client, default_folder(), who_writes(f"rct mode {mode}"))
        end = None if seconds is None else ticking() + seconds
        on: Steered | None = None
        try:
            async with steered(writer, mode, power=power, soc=soc, seconds=seconds, force_state=force) as on:
                _say_restored(on.recovered)
                for written in on.written:
                    click.echo(f"{mode:<10} {change_line(written.object, written.old, written.now)}")
                click.echo(f"{_meaning(mode, power, soc)}\n{_until(on)}")
                await _keep(writer, on, end)
        finally:
            _say_restored(on.restored if on else None)


def _say_restored(restored: Restored | None) -> None:
    if restored is None:
        return
    for written in restored.written:
        click.echo(f"{'put back':<10} {change_line(written.object, written.old, written.now)}")
    for change in restored.left:
        click.echo(f"{'left':<10} {change.object.name:<33} {show(change.object, change.after)}, as others have set it")
    if not restored.left:
        click.echo("All is as it was before.")


async def _keep(writer: Writer, on: Steered, end: float | None) -> None:
    """Wait until the time is over, and say when the mode is not on any more."""
    said: dict[str, object] = {}
    while (left := WATCH if end is None else min(end - ticking(), WATCH)) > 0:
        await asyncio.sleep(left)
        with suppress(NoAnswer, LinkError):
            found = await differing(writer, on)
            for name, value in found.items():
                if said.get(name) != value:
                    say(f"{name} is {show(registry[name], value)} now: it was changed by others, or by a restart")
            said = dict(found)


def _end_with_terminal() -> None:
    """End in order when the terminal is closed, as on Ctrl-C."""
    task = asyncio.current_task()
    if task is not None and hasattr(signal, "SIGHUP"):
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, task.cancel)


async def _normal(client: Client) -> None:
    async with client:
        restored = await put_back(Writer(client, default_folder(), who_writes("rct mode normal")))
        _say_restored(restored)
        if restored is None:
            click.echo("There is nothing to put back: no mode was left on.")


async def _status(client: Client) -> None:
    async with client:
        writer = Writer(client, default_folder())
        way_back, is_kept = await kept(writer)
        if way_back is None:
            click.echo("no mode is on")
        else:
            end = "" if way_back.until is None else f" until {_clock(way_back.until)}"
            keeper = f"kept by process {way_back.process}" if is_kept else "left by a program that is gone"
            click.echo(f"{way_back.mode}, since {_clock(way_back.began)}{end}, {keeper}")
        before = {change.object.name: change.before for change in way_back.changes} if way_back else {}
        for name in STEERED:
            info = registry[name]
            try:
                now = await writer.value(name)
            except NoAnswer:
                now = None
            was = f"  (before: {show(info, before[name])})" if name in before else ""
            click.echo(f"  {name:<33} {show(info, now)}{was}")
        if way_back and not is_kept:
            say("`rct mode normal` puts back what was before.")


def _meaning(mode: str, power: float | None, soc: float | None) -> str:
    """Return what a mode does, with what it was given in place of the options."""
    text = MODES[mode].meaning
    if power is not None:
        text = text.replace("--power", f"{power:g} W")
    return re.sub(", [a-z]+ to --soc", "", text) if soc is None else text.replace("--soc", f"{100 * soc:g} %")


def _until(on: Steered) -> str:
    until = "" if on.way_back.until is None else f"{_clock(on.way_back.until)}, or "
    return f"until {until}Ctrl-C; then all is put back"


def _clock(time: int) -> str:
    return f"{datetime.fromtimestamp(time / SECOND, UTC).astimezone():%Y-%m-%d %H:%M:%S}"
