"""rct events: what happened to an inverter."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from typing import Any, Final
from zoneinfo import ZoneInfo

import click

from rct_tools.cli.options import (
    ObjectType,
    format_option,
    host_option,
    port_option,
    time_zone_option,
    timeout_option,
    verbose_option,
)
from rct_tools.cli.output import Output, Row, open_output
from rct_tools.cli.run import run_async, say
from rct_tools.client import Client, connect
from rct_tools.clock import Clock
from rct_tools.display import show_details
from rct_tools.events import follow_events, read_events
from rct_tools.objects import ObjectInfo, registry
from rct_tools.plain import plain
from rct_tools.times import SECOND, local_zone, parse_time, show_duration
from rct_tools.values import LoggedEvent

_COLUMNS: Final = ("begin", "end", "duration", "unsure", "type", "name", "object", "old", "new", "value", "unit", "raw")
_EVERY: Final = 30.0  # seconds between two looks at what is new


class EventType(click.ParamType[frozenset[int]]):
    """Types of events: a number, such as 115 or 0x73, or a part of the name."""

    name = "type"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> frozenset[int]:
        if isinstance(value, frozenset):
            return value
        try:
            number = int(value, 0)
        except ValueError:
            found = frozenset(number for number, name in registry.events.items() if value.casefold() in name.casefold())
            if not found:
                self.fail(f"no event has {value!r} in its name; `rct events` without --type shows names", param, ctx)
            return found
        if not 0 <= number <= 0xFFFFFFFF:
            self.fail(f"{value} is no type of an event: they are from 0 to 127", param, ctx)
        return frozenset({number})


@click.command(epilog="Example: rct events --host 192.0.2.7 --since 30d --type 'parameter changed' --format csv")
@host_option
@port_option
@timeout_option
@click.option("--since", metavar="TIME", help="Only from this time on: 7d (ago), 2026-06-21T12:00.")
@click.option("--until", metavar="TIME", help="Only before this time.")
@click.option(
    "--type", "types", type=EventType(), multiple=True,
    help="Only these: a part of the name, or a number such as 0x73. Can be repeated.",
)  # fmt: skip
@click.option("--object", "info", type=ObjectType(), help="Only changes of this parameter.")
@click.option(
    "--follow", is_flag=True,
    help=f"Go on with what happens, until Ctrl-C; looks every {_EVERY:.0f} s. Then the oldest comes first.",
)  # fmt: skip
@time_zone_option
@format_option()
@verbose_option
def events(
    host: str, port: int, timeout: float, since: str | None, until: str | None, types: Sequence[frozenset[int]],
    info: ObjectInfo | None, follow: bool, zone: ZoneInfo | None, output_format: str,
) -> None:  # fmt: skip
    """Read the event log of an inverter, the newest first: disturbances, restarts, updates, changed parameters.

    A time without an offset is local time of the inverter. With --follow, what is still going on is told again when it
    has ended.
    """
    if follow and until:
        raise click.UsageError("--follow has no end, so there can be no --until")
    clock = Clock(zone) if zone else Clock.of(local_zone())
    now = time.time_ns()
    begin, end = (parse_time(text, now, clock.zone) if text else None for text in (since, until))
    clock.span(begin, end, now)

    def is_wanted(event: LoggedEvent) -> bool:
        return (not types or any(event.type in each for each in types)) and (info is None or info.name == event.object)

    client = connect(host, port, timeout=timeout)
    zone_name = clock.zone.key
    found = (
        follow_events(client, since=now if begin is None else begin, zone=zone_name, every=_EVERY)
        if follow
        else read_events(client, since=begin, until=end, zone=zone_name)
    )
    run_async(_print(client, found, is_wanted, clock, open_output(output_format, _COLUMNS, _line)))


async def _print(
    client: Client,
    found: AsyncIterator[LoggedEvent],
    is_wanted: Callable[[LoggedEvent], bool],
    clock: Clock,
    output: Output,
) -> None:
    count = 0
    async with client, aclosing(found):  # type: ignore[type-var]  # both are generators
        try:
            async for event in found:
                if is_wanted(event):
                    count += 1
                    output.row(_row(event, clock))
        finally:
            output.end()
    if not count:
        say(f"{client.peer}: its log has no such event")


def _row(event: LoggedEvent, clock: Clock) -> dict[str, Any]:
    """Return an event by its columns, as JSON knows it, in the time of the inverter; the event itself beside them."""
    begin = clock.text(event.begin // SECOND)
    end = None if event.end is None else clock.text(event.end // SECOND)
    return {**plain(event), "begin": begin, "end": end, "event": event}


def _line(row: Row) -> str:
    event: LoggedEvent = row["event"]
    lasted = "" if event.duration is None else show_duration(event.duration)
    begin = row["begin"].replace("T", " ") + ("" if event.is_sure else " ?")
    return f"{begin}  {event.name:<36} {lasted:>7}  {show_details(event)}".rstrip()
