"""rct redact: a capture without what tells whose it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable
from contextlib import closing
from io import FileIO
from pathlib import Path
from typing import Final

import click

from rct_tools.capture import Chunk, read_capture, write_capture
from rct_tools.cli.captures import capture_port_option, tell_damage
from rct_tools.cli.options import format_option, verbose_option
from rct_tools.cli.output import Row, open_output
from rct_tools.cli.progress import bytes_progress
from rct_tools.errors import CaptureError
from rct_tools.newfile import new_file
from rct_tools.privacy import Originals, StandIns
from rct_tools.proof import prove
from rct_tools.redaction import Redactor, collect

COLUMNS: Final = ("place", "values", "changed")
_NO_FRAME: Final = "outside of frames"


@click.command(
    epilog="Examples: rct redact today.rctcap shared.rctcap --check; rct redact --check shared.rctcap",
)
@click.argument("source", metavar="IN")
@click.argument("target", metavar="[OUT]", required=False)
@click.option(
    "--check", is_flag=True,
    help="Prove that OUT holds no original of IN; an OUT that is there already is not written anew. Without OUT, tell "
    "whether each private value in IN is a stand-in. A file that holds more than what was recorded fails.",
)  # fmt: skip
@click.option("--overwrite", is_flag=True, help="Replace OUT if it is there.")
@capture_port_option
@format_option()
@verbose_option
def redact(source: str, target: str | None, check: bool, overwrite: bool, port: int, output_format: str) -> None:
    """Write a recorded file IN anew as OUT, without what tells whose it is.

    Serial numbers, names, passwords, names of networks and addresses become stand-ins of the same length, the same ones
    in the whole file; every other byte stays as it was. What was changed is printed, but not what it was. The format of
    OUT, by its suffix, may be another than that of IN. All that is beside the bytes of the inverter in IN, such as
    comments and the addresses of packets, is left out.
    """
    there = _look_at(source, target, check=check, overwrite=overwrite)
    err = output_format != "text"
    if target is None:
        _check(source, port, StandIns(Originals()))
        click.echo(
            f"{source}: each private value is a stand-in, and nothing is beside what was recorded; whether parts of "
            "originals are in other values, only a check with IN and OUT can tell"
        )
        return
    stand_ins = StandIns(collect(_read(source, port, "reading")))
    if not there:
        _write(target, _read(source, port, "writing"), stand_ins, output_format)
    if check:
        _check(target, port, stand_ins)
        near = sum(original not in stand_ins.everywhere for _, original in stand_ins.names)
        them = "it was" if near == 1 else "they were"
        told = f"; {near:,} so short that {them} searched in values of private objects only" if near else ""
        click.echo(f"{target}: none of {len(stand_ins.names):,} originals is left{told}", err=err)


def _look_at(source: str, target: str | None, *, check: bool, overwrite: bool) -> bool:
    """Return whether OUT is there and stays. Raises UsageError when the files cannot be what they are to be."""
    if target is None:
        if not check:
            raise click.UsageError("OUT is missing: the file to write")
        target = source
    elif Path(target).exists() and Path(source).exists() and Path(target).samefile(source):
        raise click.UsageError("IN and OUT are the same file; the redacted capture needs a name of its own")
    for path in (source, target):
        if Path(path).exists() and not Path(path).is_file():
            raise click.UsageError(f"{path} is no file; pipes and folders cannot be read twice")
    there = Path(target).exists() and not overwrite
    if there and not check:
        raise click.UsageError(f"{target} is there already; replace it with --overwrite, or search it with --check")
    return there


def _read(path: str, port: int, doing: str) -> Generator[Chunk, None, None]:
    """Yield the chunks of a capture. What cannot be read is left out when it is written, and cannot be checked."""
    done = 0
    with FileIO(path) as file, bytes_progress(f"{doing} {path}", Path(path).stat().st_size) as advance:
        for item in read_capture(file, path, port):
            if isinstance(item, Chunk):
                yield item
            elif doing == "checking":
                raise CaptureError(f"{path}: cannot be checked: {item.reason}")
            elif doing == "writing":
                tell_damage(path, [item], 1)
            if (at := file.tell()) > done:  # many chunks are read at once
                advance(at - done)
                done = at
        advance(file.tell() - done)


def _write(target: str, chunks: Iterable[Chunk], stand_ins: StandIns, output_format: str) -> None:
    with new_file(Path(target)) as part, FileIO(part, "w+b") as file, write_capture(file, target) as write:
        redactor = Redactor(stand_ins, write)
        for chunk in chunks:
            redactor.feed(chunk)
        redactor.close()
    output = open_output(output_format, COLUMNS, _line)
    values = Counter(stand_ins.names.values())
    for place in sorted({*values, *redactor.frames}):
        output.row({"place": place, "values": values[place], "changed": redactor.frames[place]})
    output.row({"place": _NO_FRAME, "values": 0, "changed": redactor.elsewhere})
    output.end()


def _check(path: str, port: int, stand_ins: StandIns) -> None:
    """Raise CaptureError when something private is left, or the file holds what cannot be checked."""
    with FileIO(path) as file, closing(_read(path, port, "checking")) as chunks:
        prove(path, file, chunks, stand_ins)


def _line(row: Row) -> str:
    values, changed = row["values"], row["changed"]
    what = "places" if row["place"] == _NO_FRAME else "frames"
    shown = f"{values:,} {'value' if values == 1 else 'values'}" if values else ""
    return f"{row['place']:<32} {shown:>12}  {changed:>8,} {what if changed != 1 else what[:-1]}"
