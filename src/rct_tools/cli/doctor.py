"""rct doctor: what is wrong with the connection to an inverter, and what to do."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from shutil import get_terminal_size
from textwrap import wrap
from typing import Any, Final

import click

from rct_tools.advice import advise, is_reached, show_offset, some, verdict
from rct_tools.bundle import CAPTURE, write_bundle
from rct_tools.cli.options import format_option, host_option, port_option, timeout_option, verbose_option
from rct_tools.cli.progress import status
from rct_tools.cli.run import run_async
from rct_tools.doctor import LISTEN, RATES, examine
from rct_tools.examination import ENDS, Examination
from rct_tools.times import iso_time

_WIDTH: Final = 80  # columns, where nobody says how many there are
_WIDEST: Final = 100  # longer lines are hard to read
_LABEL: Final = 16
_NOBODY: Final = "the inverter"  # its name in what is shared


@click.command(epilog="Example: rct doctor --host 192.0.2.7 --bundle report.zip")
@host_option
@port_option
@timeout_option
@click.option("--quick", is_flag=True, help=f"Ask at once, without listening for {LISTEN} s before.")
@format_option("text", "json")
@click.option(
    "--bundle", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="Also write a ZIP file to share: the report, and all that was sent and received, without serial numbers, "
    "names and addresses.",
)  # fmt: skip
@verbose_option
def doctor(host: str, port: int, timeout: float, quick: bool, output_format: str, bundle: Path | None) -> None:
    """Examine the connection to an inverter: what is wrong, and what to do.

    Listens first, then asks, then asks faster until the first answer is lost: about a minute, and at most 250
    questions. Nothing is written, and no history is read. Ends with 1 only when there is no inverter to examine.
    """
    if bundle is not None and bundle.exists():
        raise click.UsageError(f"{bundle} is there already; give another name for the bundle")
    if bundle is not None and not bundle.parent.is_dir():
        raise click.UsageError(f"{bundle.parent} is no folder")
    run_async(_doctor(host, port, timeout, 0 if quick else LISTEN, output_format, bundle))


async def _doctor(
    host: str,
    port: int,
    timeout: float,  # noqa: ASYNC109  # of each answer
    listen: int,
    output_format: str,
    bundle: Path | None,
) -> None:
    with status(f"{host}:{port}") as tell:
        found, chunks = await examine(host, port, timeout=timeout, listen=listen, tell=tell)
    if output_format == "json":
        click.echo(_json(found))
    else:
        click.echo(_report(found, min(_WIDEST, get_terminal_size().columns) if sys.stdout.isatty() else _WIDTH))
    if bundle is not None:
        shared = replace(found, peer=_NOBODY)
        text = click.unstyle(_report(shared, _WIDTH))
        write_bundle(bundle, {"report.txt": text + "\n", "report.json": _json(shared) + "\n"}, chunks)
        click.echo(f"{bundle}: written, to share: report.txt, report.json, {CAPTURE}", err=output_format != "text")
    if not is_reached(found):
        raise click.exceptions.Exit(1)


def _json(found: Examination) -> str:
    document: dict[str, Any] = {"verdict": verdict(found), **asdict(found), "began": iso_time(found.began)}
    document["advice"] = [asdict(advice) for advice in advise(found)]
    return json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False)


def _report(found: Examination, width: int) -> str:
    """Return what people read: the verdict, what was found, and what to do, in lines of at most so many columns."""
    advice = advise(found)
    colour = "red" if any(each.grave for each in advice) else "green"
    lines = [f"{found.peer}: {click.style(verdict(found), fg=colour, bold=True)}", ""]
    if found.connected:
        for label, text in _lines(found):
            lines += _wrapped(click.style(f"{label:<{_LABEL}}", bold=True), _LABEL, text, width)
        lines.append("")
    for number, each in enumerate(advice, 1):
        begin = f"{number}. " if each.grave else "-  "  # so that the numbers are those of the verdict
        for head, text in ((begin, each.what), ("   ", each.do)):
            lines += _wrapped(click.style(head, fg="red") if each.grave else head, len(head), text, width)
    return "\n".join(lines).rstrip()


def _wrapped(head: str, indent: int, text: str, width: int) -> list[str]:
    """Return a text in lines, the first behind a head that is ``indent`` columns wide; none for no text."""
    rest = wrap(text, width - indent, break_on_hyphens=False)
    return [(" " * indent if number else head) + line for number, line in enumerate(rest)]


def _lines(found: Examination) -> Iterator[tuple[str, str]]:
    """Yield what is told of an examination: a label, and a text."""
    yield "examined", f"{found.seconds:.0f} s, of which {found.listened} without a word, then {found.requests} requests"
    if not is_reached(found):
        return
    yield "inverter", _inverter(found)
    if found.clock_ahead is not None:
        yield "its clock", f"{show_offset(found.clock_ahead)} this machine's"
    yield "answers", _answers(found)
    if found.delays:
        shown = (f"{name} {seconds * 1000:.0f} ms" for name, seconds in asdict(found.delays).items())
        yield "reply time", ", ".join(shown)
    if found.rate or found.rate_end:
        yield "rate", _rate(found)
    yield "silent objects", some(found.mute) or "none"
    if found.rare:
        yield "rare objects", some(found.rare)
    yield "frames", f"{found.frames:,} good; {_counts(found.damaged) or 'none'} damaged"
    for label, count in (("doubled", found.extra), ("echoes", found.echoes), ("linked inverters", found.linked)):
        if count:
            yield label, f"{count:,} frame{'s' if count != 1 else ''}"
    yield "by itself", _broadcast(found)
    yield "other clients", _others(found)
    if found.silent_sessions or found.closed_sessions:
        yield "lost sessions", f"{found.closed_sessions} closed, {found.silent_sessions} went silent"
    if found.second is not None:
        heard = {True: ", and heard by the first", False: ", and not heard by the first", None: ", but not answered"}
        yield "second client", f"is let in{heard[found.shared]}" if found.second else "is not let in"


def _inverter(found: Examination) -> str:
    modules = sum(part.startswith("module") for part in found.parts)
    parts = [part for part in found.parts if not part.startswith("module")]
    return ", ".join(
        [
            f"firmware {found.firmware}" if found.firmware else "firmware unknown",
            *([f"{found.power / 1000:.3g} kW"] if found.power else []),
            *parts,
            *([f"{modules} modules"] if modules else []),
            *([f"{found.slaves} linked inverters"] if found.slaves else []),
        ]
    )


def _answers(found: Examination) -> str:
    bad = _counts({"late": found.late, "cut": found.cut, "lost": found.lost})
    return f"{found.answered} in time; {bad or 'none late, cut or lost'}"


def _rate(found: Examination) -> str:
    if found.rate:
        return f"{found.rate} requests a second without a loss; {ENDS[found.rate_end]}"
    return f"less than {RATES[0]} requests a second" if found.rate_end in ("loss", "slow") else ENDS[found.rate_end]


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)


def _broadcast(found: Examination) -> str:
    heard = found.broadcast
    if heard is None:
        return "nothing" if found.listened else "nothing heard while it was asked"
    period = f" every {heard.period:.0f} s" if heard.period else ""
    bursts = f", in bursts of {', '.join(map(str, heard.bursts))}" if heard.bursts else ""
    return f"{'' if found.listened else 'at least '}{heard.objects} object{'s' * (heard.objects > 1)}{period}{bursts}"


def _others(found: Examination) -> str:
    if not found.others:
        return "none heard"
    return some(f"{name} ({count:,})" for name, count in found.others.items())
