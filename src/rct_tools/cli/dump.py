"""rct dump, also rct-dump: record the bytes an inverter sends."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import ExitStack, aclosing
from io import FileIO
from pathlib import Path
from stat import S_ISREG
from typing import NoReturn

import click

from rct_tools.capture import Chunk, find_format
from rct_tools.cli.options import host_option, port_option, verbose_option
from rct_tools.cli.progress import status
from rct_tools.cli.run import run_async, run_command
from rct_tools.link import Down, Link, Up
from rct_tools.parser import FrameParser


@click.command(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Examples: rct dump --host 192.0.2.7 -f today.bin; rct dump --host 192.0.2.7 -f - | rct parse -",
)
@host_option
@port_option
@click.option("-f", "--outfile", required=True, metavar="FILE", help="Where to; - is standard output.")
@click.option("--overwrite", is_flag=True, help="Replace FILE if it is there.")
@click.option("--append", is_flag=True, help="Go on at the end of FILE if it is there.")
@verbose_option
def dump(host: str, port: int, outfile: str, overwrite: bool, append: bool) -> None:
    """Record the bytes an inverter sends into a file, exactly as they come, until Ctrl-C.

    Nothing is sent. When the connection is lost it is made again, and recording goes on.
    """
    if overwrite and append:
        raise click.UsageError("--overwrite and --append cannot go together")
    if not outfile or Path(outfile).is_dir():
        raise click.UsageError(f"{outfile or 'an empty name'} is no file")
    mode = "wb" if outfile == "-" else "ab" if overwrite or append else "xb"
    if mode == "xb" and Path(outfile).exists():
        raise click.UsageError(f"{outfile} is there already; replace it with --overwrite, or go on with --append")
    run_async(_record(Link(host, port, keep_late=True), outfile, mode, overwrite=overwrite))


async def _record(link: Link, outfile: str, mode: str, *, overwrite: bool) -> None:
    capture = find_format(outfile)
    parser = FrameParser()
    file: FileIO | None = None
    show: Callable[[str], object] = str
    with ExitStack() as stack:
        async with aclosing(link.events()) as events:
            async for event in events:
                match event:
                    case Up() if file is None:
                        # Not before, and not emptied before the first byte: a wrong host must not cost an old file.
                        target = sys.stdout.fileno() if outfile == "-" else outfile
                        file = stack.enter_context(FileIO(target, mode, closefd=outfile != "-"))
                        stack.callback(lambda: click.echo(f"{outfile}: {_count(parser)}", err=True))
                        stack.callback(parser.close)
                        show = stack.enter_context(status(f"{link.peer} → {outfile}"))
                    case Chunk() if file:
                        link.tries = None  # there is an inverter: from now on it is worth waiting for
                        try:
                            if overwrite and not parser.fed and S_ISREG(os.fstat(file.fileno()).st_mode):
                                file.truncate(0)
                            capture.write_chunk(file, event)
                        except OSError as exc:
                            raise OSError(exc.errno, exc.strerror, outfile) from exc
                        parser.feed(event.data)
                    case Down():
                        parser.close()
                show(_count(parser))


def _count(parser: FrameParser) -> str:
    bad = parser.bad.total()
    return f"{parser.fed:,} bytes, {parser.frames.total():,} frames{f', {bad:,} bad' if bad else ''}"


def main() -> NoReturn:
    """Run ``rct-dump`` as a program and exit."""
    run_command(dump)
