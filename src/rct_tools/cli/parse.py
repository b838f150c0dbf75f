"""rct parse, also parsedump: what is in recorded files."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from io import FileIO
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click

from rct_tools.cli.captures import capture_port_option, chunks_in, find_captures, tell_damage
from rct_tools.cli.listing import LISTINGS, Listing, Misfits, totals_text
from rct_tools.cli.options import format_option
from rct_tools.cli.output import Row, open_output
from rct_tools.cli.progress import bytes_progress
from rct_tools.cli.run import EXIT_FAILED, describe_os_error, run_command, set_verbosity
from rct_tools.display import show_value
from rct_tools.errors import CaptureError, ConfigError
from rct_tools.frame import Frame
from rct_tools.objects import registry
from rct_tools.reading import read_frame
from rct_tools.stream import Found, Streams
from rct_tools.times import iso_time

if TYPE_CHECKING:
    from rct_tools.summary import ObjectSummary, Summary
    from rct_tools.survey import Survey

_BIG: Final = 1_000_000  # bytes
_COLUMNS: Final = (
    "object",
    "address",
    "frames",
    "first",
    "last",
    "interval",
    "minimum",
    "mean",
    "maximum",
    "misfits",
    "unit",
)


def _verbosity(ctx: click.Context, param: click.Parameter, count: int) -> int:
    set_verbosity(ctx, param, count)
    return count


@click.command(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Examples: rct parse today.bin; rct parse --summary captures/; rct parse today.pcap -o today.parquet; "
    "rct dump --host 192.0.2.7 -f - | rct parse --format jsonl -",
)
@click.argument("files", nargs=-1, metavar="FILE…")
@click.option("-f", "--infile", metavar="FILE", help="The same as FILE.")
@click.option("--summary", is_flag=True, help="Show what is in it object by object, instead of each frame.")
@click.option(
    "-o", "--output", metavar="TABLE",
    help="Write the frames into a table: .parquet, .csv or .jsonl. Of several FILEs, a folder of such tables.",
)  # fmt: skip
@click.option("--overwrite", is_flag=True, help="Replace TABLE if it is there.")
@format_option()
@capture_port_option
@click.option(
    "-v", "--verbose", count=True, callback=_verbosity, is_eager=True, help="Show payloads and noise in text, too."
)
def parse(
    files: tuple[str, ...],
    infile: str | None,
    summary: bool,
    output: str | None,
    overwrite: bool,
    output_format: str,
    port: int,
    verbose: int,
) -> None:
    """Show the frames in recorded FILEs, one a line, and what they are altogether.

    A FILE may be - for standard input, or a folder for all captures in it. Damaged parts are shown with their offset
    and what is wrong with them, and what follows them is found.

    --summary and --output are made for captures of any size, and use all cores for several FILEs.
    """
    if bool(files) == (infile is not None):
        raise click.UsageError("one FILE is needed, as it is or behind --infile")
    if "" in (*files, infile, output):
        raise click.UsageError("an empty name is no file")
    names = find_captures(files or (infile or "",))
    if "-" in names and sys.stdin is None:
        raise click.UsageError("there is no standard input")
    if summary or output:
        if "-" in names:
            raise click.UsageError("--summary and --output need files; standard input can only be listed")
        _sum_up(_surveys(names, output, port, overwrite=overwrite), output_format, told=summary)
        return
    if output_format == "json":
        raise click.UsageError("frames are listed as text, jsonl or csv; json goes with --summary")
    listing = LISTINGS[output_format](verbose=verbose > 0, several=len(names) > 1)
    failed = [name for name in names if not _list(name, port, listing, is_text=output_format == "text")]
    if failed:
        raise click.exceptions.Exit(EXIT_FAILED)


def main() -> NoReturn:
    """Run ``parsedump`` as a program and exit."""
    run_command(parse)


# --- frame by frame -------------------------------------------------------------------------------------------------


def _list(name: str, port: int, listing: Listing, *, is_text: bool) -> bool:
    """List a capture, and return whether it could be read to its end; if not, why is said."""
    streams, misfits = Streams(), Misfits()

    def tell(found: list[Found]) -> None:
        for item in found:
            told = read_frame(item.event, item.time, "") if isinstance(item.event, Frame) else None
            misfits.count(item, told)
            listing.show(item, told)

    error = ""
    with ExitStack() as stack:
        try:
            file = stack.enter_context(FileIO(sys.stdin.fileno() if name == "-" else name, closefd=name != "-"))
            size = Path(name).stat().st_size if name != "-" else 0
            listing.begin(name)
            # Who watches the frames themselves needs no bar, nor does a file that is done before one can be seen.
            is_watched = size < _BIG or sys.stdout.isatty()
            advance = stack.enter_context(bytes_progress(name, 0 if is_watched else size))
            for chunk in chunks_in(name, file, port, advance):
                tell(streams.feed(chunk))
                sys.stdout.flush()  # what comes through a pipe is shown when it comes
        except CaptureError as exc:
            error = str(exc)
        except OSError as exc:
            if exc.filename is None:  # it is our own output that fails
                raise
            error = describe_os_error(exc)
    if not error or streams.counters.fed:
        tell(streams.close())
        sys.stdout.flush()
        click.echo(f"\n{totals_text(streams.counters, misfits)}", err=not is_text)
    if error:
        click.echo(f"Error: {error}", err=True)
    return not error


# --- whole captures -------------------------------------------------------------------------------------------------


def _surveys(names: Sequence[str], output: str | None, port: int, *, overwrite: bool) -> Iterator[Survey]:
    try:
        from rct_tools.export import find_tables
        from rct_tools.survey import survey, survey_all
    except ImportError as exc:
        raise ConfigError("--summary and --output need more than the core: pip install 'rct-tools[analysis]'") from exc
    tables: list[Path] = []
    if output is not None:
        target = Path(output)
        tables = find_tables(target, names)
        if target.exists() and not overwrite:
            raise click.UsageError(f"{output} is there already; replace it with --overwrite")
        if any(table.exists() and Path(name).exists() and table.samefile(name) for name in names for table in tables):
            raise click.UsageError(f"{output} would replace a capture")
        if len(names) > 1:
            if target.exists() and not target.is_dir():
                raise click.UsageError(f"{output} is a file; the tables of several FILEs go into a folder")
            target.mkdir(exist_ok=True)
    sizes = [Path(name).stat().st_size if Path(name).is_file() else 0 for name in names]
    title = names[0] if len(names) == 1 else f"{len(names)} captures"
    with bytes_progress(title, sum(sizes) if sum(sizes) >= _BIG else 0) as advance:
        if len(names) == 1:
            yield survey(names[0], port, tables[0] if tables else None, advance)
        else:
            jobs = zip_longest(names, tables)
            with closing(survey_all(jobs, port, advance)) as surveys:
                yield from surveys


def _sum_up(surveys: Iterator[Survey], output_format: str, *, told: bool) -> None:
    total: Summary | None = None
    errors = []
    try:
        for survey in surveys:
            tell_damage(survey.name, survey.damage, survey.damaged)
            if survey.error:
                errors.append(survey.error)
            if total is None:
                total = survey.summary
            else:
                total.add(survey.summary)
    except CaptureError as exc:
        errors.append(str(exc))
    if total and (total.counters.fed or not errors):
        if told:
            _show_summary(total, output_format)
        else:
            click.echo(_totals(total), err=True)
    for error in errors:
        click.echo(f"Error: {error}", err=True)
    if errors:
        raise click.exceptions.Exit(EXIT_FAILED)


def _show_summary(total: Summary, output_format: str) -> None:
    items = [
        total.objects[key] for key in sorted(total.objects, key=lambda key: (key[0], registry.describe(key[1]).name))
    ]
    if output_format == "json":
        click.echo(
            json.dumps(_whole(total, [_object_row(item) for item in items]), ensure_ascii=False, allow_nan=False)
        )
        return
    if output_format == "text" and items:
        click.echo(_HEAD)
    output = open_output(output_format, _COLUMNS, _object_line)
    for item in items:
        output.row({**_object_row(item), "summary": item})
    output.end()
    is_text = output_format == "text"
    click.echo(("\n" if is_text else "") + _totals(total), err=not is_text)


def _whole(total: Summary, objects: list[dict[str, Any]]) -> dict[str, Any]:
    """Return all of a summary as JSON knows it."""
    counters = total.counters
    return {
        "bytes": counters.fed,
        "bytes_in_no_frame": counters.skipped,
        "first": iso_time(total.first) if total.first else None,
        "last": iso_time(total.last) if total.last else None,
        "frames": {command.name: count for command, count in counters.frames.items()},
        "bad": {reason.value: count for reason, count in counters.bad.items()},
        "noise": +counters.noise,
        "bad_parts": [place._asdict() for place in total.places],
        "objects": objects,
    }


def _totals(total: Summary) -> str:
    misfits = Misfits()
    for item in total.objects.values():
        if item.misfits:
            misfits.payloads[item.object.name] += item.misfits
        if item.object_id not in registry:
            misfits.count_unknown(item.object.object_id, item.frames)
    misfits.unknown_others += total.others
    lines = [totals_text(total.counters, misfits)]
    if total.first:
        lines.append(f"{'time':<16}{iso_time(total.first)[:19]} to {iso_time(total.last)[:19]} UTC")
    if total.places:
        several = len({place.file for place in total.places}) > 1
        for number, place in enumerate(total.places):
            where = f"{place.file}: {place.offset}" if several else str(place.offset)
            title = "" if number else "bad parts at"
            lines.append(f"{title:<16}{where} ({place.reason}, {_bytes(place.size)})")
        if more := total.counters.bad.total() - len(total.places):
            lines.append(f"{'':<16}and {more:,} more")
    return "\n".join(lines)


def _bytes(count: int) -> str:
    return f"{count} byte{'' if count == 1 else 's'}"


_HEAD: Final = f"{'object':<42}{'frames':>9}{'every':>9}{'minimum':>14}{'mean':>14}{'maximum':>14}"


def _object_row(item: ObjectSummary) -> dict[str, Any]:
    return {
        "object": item.object.name,
        "address": item.address,
        "frames": item.frames,
        "first": iso_time(item.first) if item.first else None,
        "last": iso_time(item.last) if item.last else None,
        "interval": item.interval,
        "minimum": item.lowest if item.values else None,
        "mean": item.mean,
        "maximum": item.highest if item.values else None,
        "misfits": item.misfits,
        "unit": item.object.unit,
    }


def _object_line(row: Row) -> str:
    item: ObjectSummary = row["summary"]
    name = f"{item.address:08X}/{item.object.name}" if item.address else item.object.name
    every = f"{item.interval:.1f} s" if item.interval is not None else ""
    is_count = item.object.labels or item.object.bits
    numbers = [item.lowest, item.mean, item.highest] if item.values and not is_count else []
    shown = "".join(f"{show_value(item.object, number):>14}" for number in numbers if number is not None)
    return f"{name:<42}{item.frames:>9,}{every:>9}{shown}".rstrip()
