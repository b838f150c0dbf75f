"""rct replay: a capture at its own pace, shown or served."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import aclosing, closing
from datetime import UTC, datetime
from functools import partial
from math import isfinite
from typing import Final

import click

from rct_tools.capture import Chunk
from rct_tools.cli.captures import capture_port_option, open_chunks
from rct_tools.cli.listing import LISTINGS
from rct_tools.cli.options import format_option, not_empty, verbose_option
from rct_tools.cli.progress import status
from rct_tools.cli.run import run_async
from rct_tools.cli.serving import serve
from rct_tools.frame import Frame
from rct_tools.reading import read_frame
from rct_tools.simulator.replay import Replay, paced
from rct_tools.stream import Found, Streams
from rct_tools.times import SECOND, iso_time

_NOTABLE: Final = 2.0  # seconds of silence after which people wonder


@click.command(epilog="Examples: rct replay roof.rctcap --speed 60; rct replay roof.pcapng --serve 8899")
@click.argument("file", callback=not_empty)
@click.option(
    "--speed", type=click.FloatRange(0), default=1, show_default=True, metavar="X",
    help="How fast its time runs: 60 is an hour in a minute, 0 is as fast as possible.",
)  # fmt: skip
@click.option(
    "--serve", "serve_port", type=click.IntRange(0, 65535), metavar="PORT",
    help="Be the inverter of the capture on this TCP port; 0 for any that is free.",
)  # fmt: skip
@click.option("--host", callback=not_empty, help="Address for --serve to listen on.  [default: 127.0.0.1]")
@capture_port_option
@format_option("text", "jsonl", "csv")
@verbose_option
def replay(file: str, speed: float, serve_port: int | None, host: str | None, port: int, output_format: str) -> None:
    """Show the frames in a recorded FILE at the pace at which they came.

    With --serve, be an inverter made of it: what it said unasked keeps its rhythm, from the first client on, and reads
    are answered with the value that was true at that moment. Nothing can be written to it.

    -v shows payloads and noise too, and who connects to --serve.
    """
    if serve_port is None and host is not None:
        raise click.UsageError("--host goes with --serve only")
    if serve_port is not None and output_format != "text":
        raise click.UsageError("--format does not go with --serve, which prints no frames")
    if not isfinite(speed):
        raise click.UsageError("--speed is no number to multiply time with")
    if serve_port is not None and not speed > 0:
        raise click.UsageError("--speed 0 leaves no rhythm to serve")
    with closing(open_chunks(file, port)) as chunks:
        if serve_port is None:
            run_async(_show(file, chunks, speed, output_format))
        else:
            run_async(_serve(file, chunks, speed, host or "127.0.0.1", serve_port))


# --- shown ----------------------------------------------------------------------------------------------------------


async def _show(path: str, chunks: Iterator[Chunk], speed: float, output_format: str) -> None:
    listing = LISTINGS[output_format](verbose=logging.getLogger().isEnabledFor(logging.INFO), several=False)
    streams = Streams()
    now = 0
    began = False

    def tell(founds: Iterable[Found]) -> None:
        for found in founds:
            listing.show(found, read_frame(found.event, found.time, "") if isinstance(found.event, Frame) else None)
        sys.stdout.flush()

    async with aclosing(paced(chunks, speed, sleep=partial(_wait, path, lambda: now))) as due:
        async for chunk in due:
            if not (chunk.time or began):
                click.echo(f"{path}: keeps no times, so all of it comes at once", err=True)
            now, began = chunk.time, True
            tell(streams.feed(chunk))
    tell(streams.close())
    counters = streams.counters
    bad = counters.bad.total()
    count = f"{counters.fed:,} bytes, {counters.frames.total():,} frames{f', {bad:,} bad' if bad else ''}"
    click.echo(f"{path}: {count}", err=True)


# --- served ---------------------------------------------------------------------------------------------------------


async def _serve(path: str, chunks: Iterator[Chunk], speed: float, host: str, port: int) -> None:
    server = Replay(chunks, host, port, speed=speed, sleep=lambda seconds: _wait(path, lambda: server.time, seconds))
    await serve(
        server,
        lambda: f"the inverter of {path}, which begins {_moment(server.time)}, with its first client",
        "it tells all that was recorded, names and serial numbers too.",
    )
    click.echo(f"{path}: told to its end, {_moment(server.time)}")


# --- time -----------------------------------------------------------------------------------------------------------


async def _wait(path: str, now: Callable[[], int], seconds: float) -> None:
    """Wait; people at a terminal are told where in the capture that is, and for how long, if it is long."""
    if seconds < _NOTABLE:
        await asyncio.sleep(seconds)
        return
    clock = asyncio.get_running_loop().time
    end = clock() + seconds
    with status(path) as tell:
        while (left := end - clock()) > 0:
            tell(f"{_moment(now())}, next in {_rough(left)}")
            await asyncio.sleep(min(left, 1.0))


def _rough(seconds: float) -> str:
    """Return a duration in a unit that gives a number of some digits."""
    units = ((86_400.0, "d"), (3600.0, "h"), (60.0, "min"))
    size, unit = next(((size, unit) for size, unit in units if seconds >= 2 * size), (1.0, "s"))
    return f"{seconds / size:.0f} {unit}"


def _moment(time: int) -> str:
    """Return the local date and time of a time (UTC, nanoseconds), to the millisecond."""
    if not time:
        return "-"
    try:
        return datetime.fromtimestamp(time / SECOND, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    except (OverflowError, OSError):  # at the ends of the calendar, or before 1970 on some systems
        return iso_time(time)
