"""rct write: set what an inverter does."""

from __future__ import annotations

import getpass
from contextlib import suppress
from typing import Any

import click
from click.shell_completion import CompletionItem

from rct_tools.cli.options import (
    ObjectType,
    format_option,
    host_option,
    port_option,
    timeout_option,
    verbose_option,
)
from rct_tools.cli.output import Output, Row, open_output
from rct_tools.cli.run import run_async, say
from rct_tools.client import Client, connect
from rct_tools.objects import ObjectInfo, registry
from rct_tools.plain import plain
from rct_tools.values import Value
from rct_tools.writable import WRITABLE, Writable, find_writable, is_same, show
from rct_tools.writing import Intent, Writer, Written, default_folder

COLUMNS = ("inverter", "object", "unit", "old", "wanted", "now", "tries", "changes", "frame")


class WritableType(ObjectType):
    """An object; completes those that may be written."""

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return [item for item in super().shell_complete(ctx, param, incomplete) if item.value in WRITABLE]


@click.command(
    context_settings={"ignore_unknown_options": True},  # or -2000 would be one
    epilog="Example: rct write --host 192.0.2.7 power_mng.soc_min 20%",
)
@click.argument("info", type=WritableType(), metavar="OBJECT")
@click.argument("value", metavar="VALUE")
@host_option
@port_option
@timeout_option
@click.option("--yes", is_flag=True, help="Write it; without this, only what would happen is shown.")
@click.option("--force-state", is_flag=True, help="Also while the battery calibrates or balances, or does not say.")
@format_option()
@verbose_option
def write(
    info: ObjectInfo, value: str, host: str, port: int, timeout: float, yes: bool, force_state: bool, output_format: str
) -> None:
    """Set what an inverter does: an object to a value; without --yes, only show what that would change.

    VALUE is a number, with or without its unit (80%, 0.8, -2.5kW), true or false, or the label of a number (External).
    It counts as written only when the inverter was read back; exit code 1 says that it was not, and what it holds.
    Values are held in RAM: a restart of the inverter forgets them.
    """
    writable = find_writable(info)
    wanted = writable.parse(value)
    client = connect(host, port, timeout=timeout)
    run_async(_write(client, writable, wanted, yes, force_state, open_output(output_format, COLUMNS, _line)))


async def _write(
    client: Client, writable: Writable, wanted: Value, yes: bool, force_state: bool, output: Output
) -> None:
    name = writable.info.name
    async with client as inverter:
        writer = Writer(inverter, default_folder(), who_writes("rct write"))
        if yes:
            output.row(_written_row(inverter.name, await writer.write(name, wanted, force_state=force_state)))
        else:
            intent = await writer.consider(name, wanted, force_state=force_state)
            output.row(_intent_row(inverter.name, intent))
    output.end()
    if not yes:
        say("Nothing was written: --yes does it." if intent.is_needed else "There is nothing to write.")


def who_writes(program: str) -> str:
    """Return who is on record as the one who wants a write."""
    with suppress(OSError, KeyError, ImportError):  # of no name
        return f"{program}, {getpass.getuser()}"
    return program


def change_line(info: ObjectInfo, old: Value | None, new: Value | None) -> str:
    """Return a change for people."""
    if old is not None and new is not None and is_same(info, old, new):
        return f"{info.name:<33} {show(info, new)}, as before"
    return f"{info.name:<33} {show(info, old)} → {show(info, new)}"


def _intent_row(inverter: str, intent: Intent) -> dict[str, Any]:
    changes = {name: [_plain(value), None] for name, value in intent.before.items()}
    frame = intent.frame.encode().hex(" ")
    return _row(inverter, intent.object, intent.old, intent.wanted, changes) | {
        "now": plain(intent.old), "tries": 0, "frame": frame, "outcome": intent,
    }  # fmt: skip


def _written_row(inverter: str, written: Written) -> dict[str, Any]:
    changes = {effect.object.name: [_plain(effect.before), _plain(effect.after)] for effect in written.effects}
    return _row(inverter, written.object, written.old, written.wanted, changes) | {
        "now": plain(written.now), "tries": written.tries, "frame": None, "outcome": written,
    }  # fmt: skip


def _row(inverter: str, info: ObjectInfo, old: Value, wanted: Value, changes: dict[str, Any]) -> dict[str, Any]:
    return {
        "inverter": inverter, "object": info.name, "unit": info.unit, "old": plain(old), "wanted": plain(wanted),
        "changes": changes,
    }  # fmt: skip


def _plain(value: Value | None) -> Any:
    return None if value is None else plain(value)


def _line(row: Row) -> str:
    """Return a row for people."""
    outcome: Intent | Written = row["outcome"]
    info = outcome.object
    if isinstance(outcome, Intent):
        lines = [change_line(info, outcome.old, outcome.wanted)]
        lines += [f"  changes too  {name}, now {show(registry[name], old)}" for name, old in outcome.before.items()]
        lines += [f"  note         {outcome.writable.note}"] if outcome.writable.note else []
        lines += [f"  frame        {row['frame'] if outcome.is_needed else 'none, it holds that already'}"]
        return "\n".join(lines)
    if not outcome.tries:
        return f"{change_line(info, outcome.old, outcome.now)}; nothing was sent"
    proven = "read back" if outcome.tries == 1 else f"read back, sent {outcome.tries} times"
    lines = [f"{change_line(info, outcome.old, outcome.now)}  ({proven})"]
    lines += [f"  changed too  {change_line(it.object, it.before, it.after)}" for it in outcome.effects]
    return "\n".join(lines)
