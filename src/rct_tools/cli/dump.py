"""rct dump, also rct-dump: record the bytes an inverter sends."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, aclosing
from pathlib import Path
from typing import Any, NoReturn

import click

from rct_tools.capture import FORMATS, Chunk
from rct_tools.cli.options import host_option, port_option, verbose_option
from rct_tools.cli.progress import status
from rct_tools.cli.run import run_async, run_command, say
from rct_tools.errors import ConfigError
from rct_tools.link import Down, Link, Up
from rct_tools.recording import Mode, Recording, Rotation
from rct_tools.stream import Counters
from rct_tools.times import parse_duration, parse_size


class _RotationType(click.ParamType[Rotation]):
    """A size such as 100MB or a duration such as 1d."""

    name = "size or duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Rotation:
        is_size = value[-1:].lower() == "b"
        try:
            rotation = Rotation(size=parse_size(value)) if is_size else Rotation(age=parse_duration(value))
        except ConfigError:
            self.fail(f"{value!r} is neither a size such as 100MB nor a duration such as 1d", param, ctx)
        if rotation.is_due(0, 0):
            self.fail("must be more than 0", param, ctx)
        return rotation


@click.command(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Examples: rct dump --host 192.0.2.7 -f today.rctcap; rct dump --host 192.0.2.7 -f - | rct parse -; "
    "rct dump --host 192.0.2.7 -f roof.rctcap.gz --rotate 100MB --rotate 1d",
)
@host_option
@port_option
@click.option(
    "-f", "--outfile", required=True, metavar="FILE",
    help="Where to; - is standard output. The suffix says the format: .bin keeps the bytes alone, .rctcap and .pcapng "
    "their times too; .gz or .zst behind it compresses.",
)  # fmt: skip
@click.option("--overwrite", is_flag=True, help="Replace FILE if it is there.")
@click.option("--append", is_flag=True, help="Go on at the end of FILE if it is there.")
@click.option(
    "--rotate", type=_RotationType(), multiple=True, metavar="SIZE|TIME",
    help="Begin a new file after so much, such as 100MB or 1d; both may be given. Each has its time in its name.",
)  # fmt: skip
@verbose_option
def dump(host: str, port: int, outfile: str, overwrite: bool, append: bool, rotate: tuple[Rotation, ...]) -> None:
    """Record the bytes an inverter sends into a file, exactly as they come, until Ctrl-C.

    Nothing is sent. When the connection is lost it is made again, and recording goes on. What was received is in the
    file at once, so nothing but the last piece can be missing, however this ends.
    """
    if overwrite and append:
        raise click.UsageError("--overwrite and --append cannot go together")
    if rotate and (overwrite or append or outfile == "-"):
        raise click.UsageError("--rotate makes new files: it goes with neither --overwrite nor --append nor -")
    if not outfile or Path(outfile).is_dir():
        raise click.UsageError(f"{outfile or 'an empty name'} is no file")
    mode: Mode = "overwrite" if overwrite else "append" if append else "create"
    if mode == "create" and not rotate and Path(outfile).exists():
        raise click.UsageError(f"{outfile} is there already; replace it with --overwrite, or go on with --append")
    if rotate and not Path(outfile).parent.is_dir():
        raise click.UsageError(f"{Path(outfile).parent} is no folder")
    if outfile != "-" and FORMATS.keys().isdisjoint(suffix.lower() for suffix in Path(outfile).suffixes):
        say(f"{outfile}: will hold the bytes alone; a name with .rctcap or .pcapng keeps their times, too")
    sizes = [rotation.size for rotation in rotate if rotation.size]
    ages = [rotation.age for rotation in rotate if rotation.age]
    rotation = Rotation(min(sizes, default=None), min(ages, default=None)) if rotate else None
    run_async(_record(Link(host, port, keep_late=True), Recording(outfile, mode, rotation)))


async def _record(link: Link, recording: Recording) -> None:
    show: Callable[[str], object] | None = None
    with ExitStack() as stack:
        async with aclosing(link.events()) as events:
            async for event in events:
                match event:
                    case Up() if show is None:
                        # Not before, and not emptied before the first byte: a wrong host must not cost an old file.
                        stack.callback(_tell_result, recording)
                        stack.enter_context(recording)
                        recording.open()
                        show = stack.enter_context(status(f"{link.peer} → {recording.name}"))
                    case Chunk():
                        link.tries = None  # there is an inverter: from now on it is worth waiting for
                        recording.write(event)
                    case Down():
                        recording.streams.close()
                if show:
                    show(_count(recording.streams.counters))


def _count(counters: Counters) -> str:
    bad = counters.bad.total()
    return f"{counters.fed:,} bytes, {counters.frames.total():,} frames{f', {bad:,} bad' if bad else ''}"


def _tell_result(recording: Recording) -> None:
    if recording.files:
        where = f"{recording.files} files, the last {recording.name}" if recording.files > 1 else recording.name
        click.echo(f"{where}: {_count(recording.streams.counters)}", err=True)
    else:
        click.echo("Nothing was received, so no file was begun.", err=True)


def main() -> NoReturn:
    """Run ``rct-dump`` as a program and exit."""
    run_command(dump)
