"""The command ``rct``: arguments in, calls out. One file a command; COMMANDS names them, so that help loads none."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Final

import click

from rct_tools.cli.run import run_command

COMMANDS: Final[Mapping[str, str]] = {  # name: what it does; its code is the click command of that name in cli/NAME.py
    "read": "Read values once, or again and again.",
    "listen": "Show what arrives, without sending a byte.",
    "dump": "Record what an inverter sends into files.",
    "parse": "Show what is in recorded files: frames, summary, tables.",
    "replay": "Show a recorded file at its own pace, or be the inverter in it.",
    "redact": "Write a recorded file anew without what tells whose it is.",
    "wireshark": "Show the protocol in Wireshark and tshark.",
    "init": "Ask an inverter what it has, and write a configuration.",
    "config": "Check a configuration, and show what it comes to.",
    "collect": "Read values regularly and store them: the main job.",
    "web": "Show an inverter in a browser: where power goes, and went.",
    "proxy": "Share an inverter: one connection to it, many clients.",
    "status": "Show how an inverter is, or the collector that runs here.",
    "top": "Watch an inverter on the terminal, live; or one in a recorded file.",
    "battery": "Show modules and cells of a battery, and what stands out.",
    "doctor": "Examine a connection: what is wrong, and what to do.",
    "history": "Read what an inverter remembers: as a table, a file, a picture.",
    "backfill": "Fill gaps of what was stored from what an inverter remembers.",
    "events": "Read the event log of an inverter, and follow it.",
    "query": "Read back what was stored.",
    "write": "Set what an inverter does; without --yes, only show it.",
    "mode": "Steer the battery for a while, with a way back.",
    "objects": "List the objects an inverter knows.",
    "readings": "Print the default set of readings, to start one's own from.",
    "simulate": "Be an inverter, for tests and to get to know the tools.",
    "demo": "Show everything at once with a simulated inverter.",
}


class _Commands(click.Group):
    """The commands of COMMANDS, each loaded when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # click's signature
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"{__name__}.{cmd_name}"), cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS and not ctx.resilient_parsing:
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, 1)
            ctx.fail(f"No such command {args[0]!r}{f'; did you mean {near[0]}?' if near else ''}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  # click's
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _show_version(ctx: click.Context, _param: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from importlib.metadata import PackageNotFoundError, version

        try:
            click.echo(f"rct {version('rct-tools')}")
        except PackageNotFoundError:
            raise click.ClickException("this is a checkout that is not installed, so it has no version") from None
        ctx.exit()


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: rct read --host 192.0.2.7 battery.soc g_sync.p_ac_grid_sum_lp",
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version, help="Show the version."
)
def rct() -> None:
    """Read, watch, keep and understand the data of RCT Power inverters.

    Not affiliated with the vendor. Nothing here writes to an inverter, unless you say so: with write --yes, with mode,
    or by letting clients of a proxy write.
    """


def main() -> None:
    """Run ``rct`` as a program and exit."""
    run_command(rct)
