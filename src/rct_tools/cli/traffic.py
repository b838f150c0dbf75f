"""What crosses the wire, shown as it comes."""

from __future__ import annotations

import logging
import sys
from contextlib import aclosing

import click

from rct_tools.capture import Chunk
from rct_tools.cli.output import Output, Row, open_output
from rct_tools.cli.rows import FRAME_COLUMNS, clock_text, frame_line, frame_row
from rct_tools.frame import BadFrame
from rct_tools.link import Down, Link, Up
from rct_tools.reading import read_frame
from rct_tools.stream import Found, Streams
from rct_tools.times import iso_time

logger = logging.getLogger(__name__)


async def show_traffic(link: Link, output_format: str = "text") -> None:
    """Print every frame that arrives, until cancelled. Raises LinkError when there is no inverter."""
    output = open_output(output_format, ("time", *(column for column in FRAME_COLUMNS if column != "offset")), _line)
    streams = Streams()
    async with aclosing(link.events()) as events:
        async for event in events:
            match event:
                case Up():
                    if sys.stderr.isatty():  # somebody is waiting, perhaps for half a minute
                        click.echo(f"{link.peer}: listening; inverters speak about twice a minute", err=True)
                case Chunk():
                    link.tries = None  # there is an inverter: from now on it is worth waiting for
                    for found in streams.feed(event):
                        _show(found, link.peer, output)
                case Down():
                    for found in streams.close():
                        _show(found, link.peer, output)


def _show(found: Found, peer: str, output: Output) -> None:
    frame = found.event
    if isinstance(frame, BadFrame):
        logger.info("%s: bad %s: %d bytes: %s", peer, frame.reason, len(frame.data), frame.data[:24].hex(" "))
        return
    told = read_frame(frame, found.time, "")
    line = f"{clock_text(found.time)}  {frame_line(frame, told)}"
    output.row({"time": iso_time(found.time), **frame_row(frame, told), "line": line})


def _line(row: Row) -> str:
    line: str = row["line"]
    return line
