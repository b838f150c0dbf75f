"""rct backfill: what stores lack, out of the inverter's own log."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast
from zoneinfo import ZoneInfo

import click

from rct_tools.backfill import KEPT, Filling, fill, find_lacking, leave_out_absent
from rct_tools.cli.options import (
    config_or_none_option,
    format_option,
    host_alone,
    port_option,
    time_zone_option,
    timeout_option,
    verbose_option,
)
from rct_tools.cli.output import Output, Row, open_output
from rct_tools.cli.progress import reach
from rct_tools.cli.run import run_async, say
from rct_tools.client import Client, connect
from rct_tools.clock import Clock
from rct_tools.config import find_config, load_config, load_plan, sink_of
from rct_tools.errors import RctError, SinkError
from rct_tools.events import missed_events
from rct_tools.gaps import stretches
from rct_tools.setups import InverterSetup, Setup, SinkSetup
from rct_tools.sinks import Store
from rct_tools.times import SECOND, iso_time, local_zone, parse_time

_COLUMNS: Final = (
    "inverter", "sink", "lacking", "filled", "since", "until", "unsure", "unfit", "events", "questions", "error",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Range:
    """As people wrote it; what has no offset is local time of each inverter."""

    since: str | None
    until: str | None
    now: int

    def of(self, zone: str) -> tuple[int, int]:
        """Return it in UTC nanoseconds, no longer than any log. Raises ConfigError."""
        clock = Clock.of(zone)
        begin, end = (parse_time(text, self.now, clock.zone) if text else None for text in (self.since, self.until))
        clock.span(begin, end, self.now)
        oldest = self.now - KEPT
        return max(begin or oldest, oldest), min(end or self.now, self.now)


@click.command(epilog="Example: rct backfill --host 192.0.2.7 --time-zone Europe/Berlin --since 7d --dry-run")
@config_or_none_option
@click.option("--host", callback=host_alone, help="Name or address of the inverter, in place of a configuration.")
@port_option
@click.option("--name", default="", help="What the readings call the inverter.  [default: the host]")
@click.option(
    "--sink", "urls", multiple=True, metavar="URL",
    help="What is to be filled, as with rct collect; can be given more than once.  [default: sqlite:]",
)  # fmt: skip
@click.option("--since", metavar="TIME", help="Only from this time on: 7d (ago), 2026-06-21T12:00.  [default: all]")
@click.option("--until", metavar="TIME", help="Only before this time.")
@time_zone_option
@timeout_option
@click.option("--dry-run", is_flag=True, help="Only say what is lacking, and how many questions that takes.")
@format_option()
@verbose_option
def backfill(
    config: Path | None, host: str | None, port: int, name: str, urls: tuple[str, ...], since: str | None,
    until: str | None, zone: ZoneInfo | None, timeout: float, dry_run: bool, output_format: str,
) -> None:  # fmt: skip
    """Fill what stores lack from the inverter's own log: means of five minutes, of about 90 days.

    Without --host, all inverters and stores of the configuration. What is there is left alone. It may be interrupted;
    the same command goes on.
    """
    span = _Range(since, until, time.time_ns())
    if host:
        if config:
            raise click.UsageError("--host and --config cannot go together")
        inverter = InverterSetup(name or host, host, load_plan(), port, zone.key if zone else local_zone())
        setup = Setup((inverter,), tuple(sink_of(url) for url in dict.fromkeys(urls or ("sqlite:",))))
    else:
        for option, value in {"--name": name, "--sink": urls, "--time-zone": zone}.items():
            if value:
                raise click.UsageError(f"{option} goes with --host; without it, the configuration says all")
        path = config or find_config()
        if path is None:
            raise click.UsageError("which inverter? Name it with --host, or a configuration with --config")
        setup = load_config(path).setup
    for inverter in setup.inverters:
        span.of(inverter.zone)
    sinks = [sink for sink in setup.sinks if sink.is_store]
    for sink in setup.sinks:
        if not sink.is_store:
            say(f"{sink.label}: keeps no past that could be filled")
    if not sinks:
        raise click.UsageError("there is nothing to be filled: name a store with --sink, such as sqlite:readings.db")
    output = open_output(output_format, _COLUMNS, _line)

    def connected(inverter: InverterSetup) -> Client:
        return connect(inverter.host, inverter.port, name=inverter.name, timeout=timeout)

    setup = Setup(setup.inverters, tuple(sinks))
    run_async(_backfill(setup, span, None if dry_run else connected, output))


async def _backfill(
    setup: Setup, span: _Range, connected: Callable[[InverterSetup], Client] | None, output: Output
) -> None:
    """Fill all stores of all inverters; what goes wrong with one of them leaves the others alone.

    ``connected`` gives the client of one; without it, it is only said what is lacking. Raises the first error at the
    end.
    """
    errors: list[RctError] = []
    async with _opened(setup, errors) as stores:
        for inverter in setup.inverters:
            fillings = await _lacking(inverter, stores, span, errors)
            try:
                if connected and fillings:
                    async with connected(inverter) as client:
                        await _fill(inverter, client, fillings)
                        await _fill_events(inverter, client, fillings, stores, span)
            except RctError as exc:
                errors.append(exc)
            finally:  # Ctrl-C too: what has come is kept, and that is said
                for filling in fillings:
                    output.row(_row(filling, is_filled=connected is not None))
            errors += [filling.error for filling in fillings if filling.error]
    output.end()
    for error in errors[1:]:
        say(f"Error: {error}")
    if errors:
        raise errors[0]


@asynccontextmanager
async def _opened(setup: Setup, errors: list[RctError]) -> AsyncIterator[list[tuple[SinkSetup, Store]]]:
    """Open all stores; those that cannot be are left out."""
    stores: list[tuple[SinkSetup, Store]] = []
    for sink in setup.sinks:
        try:
            stores.append((sink, cast("Store", sink.opened(sink.sources(setup.inverters)))))
        except SinkError as exc:
            errors.append(exc)
    try:
        yield stores
    finally:
        for _, store in stores:
            await store.close()


async def _lacking(
    inverter: InverterSetup, stores: Sequence[tuple[SinkSetup, Store]], span: _Range, errors: list[RctError]
) -> list[Filling]:
    found = []
    for sink, store in stores:
        (source,) = sink.sources([inverter])
        try:
            gaps = await find_lacking(store, source, inverter.plan, *span.of(inverter.zone))
        except SinkError as exc:
            errors.append(exc)
        else:
            found.append(Filling(sink.label, inverter.name, gaps, store.write))
    return found


async def _fill(inverter: InverterSetup, client: Client, fillings: Sequence[Filling]) -> None:
    clock = Clock.of(inverter.zone)
    await leave_out_absent(client, fillings, inverter.has)
    every = stretches(gaps for filling in fillings for gaps in filling.gaps)
    with reach(client.peer, sum(stretch.questions for stretch in every)) as tell:

        def told(pages: int, reached: int) -> None:
            tell(pages, f"{clock.moment(reached // SECOND):%Y-%m-%d %H:%M}")

        await fill(client, fillings, inverter.zone, tell=told)


async def _fill_events(
    inverter: InverterSetup,
    client: Client,
    fillings: Sequence[Filling],
    stores: Sequence[tuple[SinkSetup, Store]],
    span: _Range,
) -> None:
    """Fill in what happened; a store that has failed before gets no more."""
    since, until = span.of(inverter.zone)
    known = {sink.label: (sink, store) for sink, store in stores}
    for filling in fillings:
        if filling.error:
            continue
        sink, store = known[filling.label]
        (source,) = sink.sources([inverter])
        try:
            missed = await missed_events(client, store, source, since=since, until=until)
            if missed:
                await store.write(missed)
        except SinkError as exc:
            filling.error = exc
        else:
            filling.events = len(missed)


def _row(filling: Filling, *, is_filled: bool) -> dict[str, Any]:
    return {
        "inverter": filling.inverter,
        "sink": filling.label,
        "lacking": filling.lacking + filling.given,
        "filled": filling.given,
        "since": iso_time(filling.oldest) if filling.oldest else None,
        "until": iso_time(filling.newest) if filling.newest else None,
        "unsure": filling.unsure,
        "unfit": dict(sorted(filling.unfit.items())),
        "events": filling.events,
        "questions": None if is_filled else sum(stretch.questions for stretch in stretches(filling.gaps)),
        "error": str(filling.error) if filling.error else None,
        "filling": filling,
    }


def _line(row: Row) -> str:
    filling: Filling = row["filling"]
    what = f"{filling.label}: {filling.inverter}:"
    if not row["lacking"] and not filling.events and not filling.error:
        return f"{what} lacks nothing"
    if row["questions"] is not None:
        of = f"{row['lacking']:,} readings of {len(filling.gaps)} values"
        return f"{what} lacks {of}; that takes about {row['questions']:,} questions"
    parts = [f"{filling.given:,} readings filled"]
    if filling.given:
        parts[0] += f", {row['since'][:16]} to {row['until'][:16]} UTC"
    if filling.events:
        parts.append(f"{filling.events:,} of events")
    if filling.lacking:
        parts.append(f"{filling.lacking:,} are still lacking")
    if filling.left_out:
        parts.append(f"left out: {filling.left_out}")
    return f"{what} {'; '.join(parts)}"
