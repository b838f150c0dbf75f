"""rct parse, also parsedump: the frames in a recorded file."""

from __future__ import annotations

import csv
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import Any, Final, NoReturn, TypeAlias

import click

from rct_tools.capture import find_format
from rct_tools.cli.options import format_option
from rct_tools.cli.progress import progress
from rct_tools.cli.rows import FRAME_COLUMNS, Told, colour, frame_line, frame_row
from rct_tools.cli.run import run_command, set_verbosity
from rct_tools.frame import BadFrame, Frame
from rct_tools.objects import registry
from rct_tools.parser import FrameParser, ParserEvent
from rct_tools.reading import BadReading, read_frame

_BIG: Final = 1_000_000  # bytes
_UNKNOWN_IDS: Final = 1000  # counted one by one; a long capture of garbage could hold any number


def _verbosity(ctx: click.Context, param: click.Parameter, count: int) -> int:
    set_verbosity(ctx, param, count)
    return count


@click.command(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Examples: rct parse today.bin; rct dump --host 192.0.2.7 -f - | rct parse --format jsonl -",
)
@click.argument("file", required=False)
@click.option("-f", "--infile", metavar="FILE", help="The same as FILE.")
@format_option("text", "jsonl", "csv")
@click.option(
    "-v", "--verbose", count=True, callback=_verbosity, is_eager=True, help="Show payloads and noise in text, too."
)
def parse(file: str | None, infile: str | None, output_format: str, verbose: int) -> None:
    """Show the frames in a recorded FILE, one a line, and a summary; - is standard input.

    Damaged parts are shown with their offset and what is wrong with them, and what follows them is found.
    """
    if (file is None) == (infile is None):
        raise click.UsageError("one FILE is needed, as it is or behind --infile")
    path = file or infile or ""
    write = _WRITERS[output_format](verbose > 0)
    tally = _Tally()
    with ExitStack() as stack:
        source = stack.enter_context(FileIO(sys.stdin.fileno() if path == "-" else path, closefd=path != "-"))
        size = Path(path).stat().st_size if path != "-" else 0
        # Who watches the frames themselves needs no bar, nor does a file that is done before one can be seen.
        watched = size < _BIG or sys.stdout.isatty()
        advance = stack.enter_context(nullcontext(_ignore) if watched else progress(path, size))
        for event in _events(path, source, tally.parser, advance):
            told = read_frame(event, 0, "") if isinstance(event, Frame) else None
            tally.count(event, told)
            write(event, told)
    sys.stdout.flush()
    click.echo(tally.text(), err=output_format != "text")


def _ignore(_size: int) -> None:
    """Show nothing."""


def _events(path: str, source: FileIO, parser: FrameParser, advance: Callable[[int], object]) -> Iterator[ParserEvent]:
    for chunk in find_format(path).read_chunks(source):
        yield from parser.feed(chunk.data)
        sys.stdout.flush()  # what comes through a pipe is shown when it comes
        advance(len(chunk.data))
    yield from parser.close()


# --- output ----------------------------------------------------------------------------------------------------------


def _bad_row(bad: BadFrame) -> dict[str, Any]:
    return {"offset": bad.offset, "bad": bad.reason.value, "length": len(bad.data)}


_Writer: TypeAlias = Callable[[ParserEvent, Told], object]


def _text_writer(verbose: bool) -> _Writer:
    number = 0
    end = 0  # of what is told, in bytes

    def write(event: ParserEvent, told: Told) -> None:
        nonlocal number, end
        if verbose:
            # One byte is the 00 before each frame of a device.
            if event.offset > end + 1:
                sys.stdout.write(f"{'':>7} {end:>10}  noise         {event.offset - end} bytes\n")
            end = event.offset + len(event.data if isinstance(event, BadFrame) else event.encode())
        if isinstance(event, BadFrame):
            shown = event.data[:24].hex(" ") + (" …" if event.data[24:] else "")
            what = colour(f"{'bad ' + event.reason:<13} {len(event.data)} bytes: {shown}", "red")
            sys.stdout.write(f"{'':>7} {event.offset:>10}  {what}\n")
            return
        number += 1
        payload = f"  | {event.payload.hex(' ')}" if verbose and event.payload else ""
        sys.stdout.write(f"{number:>7} {event.offset:>10}  {frame_line(event, told)}{payload}\n")

    return write


def _jsonl_writer(_verbose: bool) -> _Writer:
    def write(event: ParserEvent, told: Told) -> None:
        row = frame_row(event, told) if isinstance(event, Frame) else _bad_row(event)
        sys.stdout.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")

    return write


def _csv_writer(_verbose: bool) -> _Writer:
    table = csv.DictWriter(sys.stdout, (*FRAME_COLUMNS, "bad", "length"), lineterminator="\n")
    table.writeheader()

    def write(event: ParserEvent, told: Told) -> None:
        row = frame_row(event, told) if isinstance(event, Frame) else _bad_row(event)
        if isinstance(row.get("value"), bool | list | dict):
            row["value"] = json.dumps(row["value"], ensure_ascii=False)
        table.writerow(row)

    return write


_WRITERS: Final[Mapping[str, Callable[[bool], _Writer]]] = {
    "text": _text_writer,
    "jsonl": _jsonl_writer,
    "csv": _csv_writer,
}


# --- summary --------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Tally:
    """What a whole capture holds."""

    parser: FrameParser = field(default_factory=FrameParser)
    misfits: Counter[str] = field(default_factory=Counter)  # names of objects whose payload did not fit
    unknown: Counter[int] = field(default_factory=Counter)  # ids
    unknown_others: int = 0  # frames of unknown ids beyond those

    def count(self, event: ParserEvent, told: Told) -> None:
        if isinstance(told, BadReading):
            self.misfits[told.object.name] += 1
        if isinstance(event, Frame) and event.object_id not in registry:
            if event.object_id in self.unknown or len(self.unknown) < _UNKNOWN_IDS:
                self.unknown[event.object_id] += 1
            else:
                self.unknown_others += 1

    def text(self) -> str:
        parser = self.parser
        unknown = {f"0x{object_id:08X}": count for object_id, count in self.unknown.most_common()}
        if self.unknown_others:
            unknown["others"] = self.unknown_others
        tables: dict[str, Mapping[str, int]] = {
            "frames": {command.name: count for command, count in parser.frames.most_common()},
            "bad": {reason.value: count for reason, count in parser.bad.most_common()},
            "wrong payloads": dict(self.misfits.most_common()),
            "unknown ids": unknown,
        }
        # Two kinds of noise are counted in bytes, the others are whole tokens.
        noise = (
            f"{kind} {count:,}{' bytes' if kind in ('00', 'other') else ''}"
            for kind, count in parser.noise.most_common()
            if count
        )
        lines = [f"\n{'bytes':<16}{parser.fed:,}, of which {parser.skipped:,} in no frame"]
        for title, table in tables.items():
            parts = ", ".join(f"{key} {count:,}" for key, count in table.items())
            lines.append(f"{title:<16}{sum(table.values()):,}{': ' + parts if parts else ''}")
        lines.append(f"{'noise':<16}{', '.join(noise) or 0}")
        return "\n".join(lines)


def main() -> NoReturn:
    """Run ``parsedump`` as a program and exit."""
    run_command(parse)
