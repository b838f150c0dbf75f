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
from rct_tools.parser import FrameParser, ParserEvent
from rct_tools.reading import read_frame
from rct_tools.times import iso_time

logger = logging.getLogger(__name__)


async def show_traffic(link: Link, output_format: str = "text") -> None:
    """Print every frame that arrives, until cancelled. Raises LinkError when there is no inverter."""
    output = open_output(output_format, ("time", *(column for column in FRAME_COLUMNS if column != "offset")), _line)
    parser = FrameParser()
    now = 0
    async with aclosing(link.events()) as events:
        async for event in events:
            match event:
                case Up():
                    if sys.stderr.isatty():  # somebody is waiting, perhaps for half a minute
                        click.echo(f"{link.peer}: listening; inverters speak about twice a minute", err=True)
                case Chunk():
                    link.tries = None  # there is an inverter: from now on it is worth waiting for
                    now = event.time
                    for found in parser.feed(event.data):
                        _show(found, now, link.peer, output)
                case Down():
                    for found in parser.close():
                        _show(found, now, link.peer, output)


def _show(found: ParserEvent, time: int, peer: str, output: Output) -> None:
    if isinstance(found, BadFrame):
        logger.info("%s: bad %s: %d bytes: %s", peer, found.reason, len(found.data), found.data[:24].hex(" "))
        return
    told = read_frame(found, time, "")
    line = f"{clock_text(time)}  {frame_line(found, told)}"
    output.row({"time": iso_time(time), **frame_row(found, told), "line": line})


def _line(row: Row) -> str:
    line: str = row["line"]
    return line
