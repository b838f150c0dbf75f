"""rct status: how is the inverter, or the collector that runs here?"""

from __future__ import annotations

import json
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from http.client import HTTPException
from typing import Any, Final
from zoneinfo import ZoneInfo

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from rct_tools import health
from rct_tools.cli.flows import WIDTH
from rct_tools.cli.health import page
from rct_tools.cli.options import host_alone, port_option, time_zone_option, timeout_option, verbose_option
from rct_tools.cli.progress import status as progress_status
from rct_tools.cli.run import run_async
from rct_tools.client import Client, connect
from rct_tools.components import wholes
from rct_tools.config import STATUS_ADDRESS
from rct_tools.errors import RctError
from rct_tools.status import VERSION
from rct_tools.times import iso_time
from rct_tools.vitals import NORMAL

_TIMEOUT: Final = 5.0  # seconds
_DIRECT: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # what is here is behind no proxy
_WIDE: Final = 200  # columns, where nobody says how many there are


@click.command(epilog="Example: rct status --host 192.0.2.7")
@click.option("--host", callback=host_alone, help="Ask the inverter at this name or address how it is.")
@port_option
@timeout_option
@time_zone_option
@click.option(
    "--address", default=STATUS_ADDRESS, show_default=True, metavar="HOST:PORT",
    help="Where the collector or proxy listens: `listen` under [status] in rct.toml, or --status of the proxy.",
)  # fmt: skip
@click.option(
    "--format", "output_format", type=click.Choice(["text", "json"]), default="text", show_default=True,
    help="How to print it; json has everything.",
)  # fmt: skip
@verbose_option
@click.pass_context
def status(
    ctx: click.Context, host: str | None, port: int, timeout: float, zone: ZoneInfo | None, address: str,
    output_format: str,
) -> None:  # fmt: skip
    """Show how an inverter is, or how the collector or proxy is that runs here.

    With --host, the inverter there is asked: power, battery, energies of the day, faults, state and strategy, and how
    the connection is. --port, --timeout and --time-zone are for this. Ends with 1 only when it answers nothing.

    Without, what runs here is asked at --address: its inverters, sinks and clients, what waits and what is missing.
    Ends with 1 when none answers, or when an inverter or a sink is in trouble.
    """
    unasked = ("address",) if host else ("port", "timeout", "zone")
    for name in unasked:
        if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            option = "--time-zone" if name == "zone" else f"--{name}"
            raise click.UsageError(f"{option} is not for --host" if host else f"{option} is for --host only")
    if host:
        run_async(_inverter(connect(host, port, timeout=timeout), zone, output_format))
    else:
        _collector(address, output_format)


async def _inverter(client: Client, zone: ZoneInfo | None, output_format: str) -> None:
    with progress_status(client.peer) as tell:
        async with client as inverter:
            tell("asking")
            found = await health.status(inverter, zone=zone)
    if output_format == "json":
        document = {**health.as_json(found), "time": iso_time(found.time)}
        click.echo(json.dumps(document, ensure_ascii=False, allow_nan=False))
    else:
        Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else WIDTH).print(page(found))


def _collector(address: str, output_format: str) -> None:
    document = _ask(address)
    if output_format == "json":
        click.echo(json.dumps(document, ensure_ascii=False))
    else:
        console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else _WIDE)
        console.print(_inverters(document))
        if document["sinks"]:
            console.print(_sinks(document))
        for inverter in document["inverters"]:
            if proxy := inverter.get("proxy"):  # which a collector of an older version has not
                console.print(_clients(proxy))
        for line in _remarks(document):
            console.print(Text(line))
    troubled = any(not inverter["up"] for inverter in document["inverters"])
    if troubled or any(sink["trouble"] or sink["disk_trouble"] for sink in document["sinks"]):
        raise click.exceptions.Exit(1)


def _ask(address: str) -> dict[str, Any]:
    try:
        with _DIRECT.open(f"http://{address}/status", timeout=_TIMEOUT) as answer:
            document: dict[str, Any] = json.load(answer)
    except HTTPException as exc:  # something else listens there
        raise RctError(
            f"{address}: no collector answers, but something that speaks no HTTP; is the port right?"
        ) from exc
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "reason", exc)
        text = getattr(reason, "strerror", None) or " ".join(str(reason).split())
        raise RctError(f"{address}: no collector answers: {text.lower()}; does one run, with `listen` set?") from exc
    if not isinstance(document, dict) or document.get("version") != VERSION:
        raise RctError(f"{address}: what answers is no collector of this version of RCT Tools")
    return document


def _inverters(document: Mapping[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading, justify in {"inverter": "left", "": "left", "newest": "right", "values": "right", "answered": "right",
                             "by itself": "right", "lost": "right"}.items():  # fmt: skip
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]  # one of its words
    for inverter in document["inverters"]:
        objects = [entry for entry in inverter["objects"] if entry["wanted"]]
        asked = sum(entry["asked"] for entry in objects)
        answered = sum(entry["answered"] for entry in objects)
        table.add_row(
            f"{inverter['name']} ({inverter['peer']})",
            Text("up", "green") if inverter["up"] else Text("away", "bold red"),
            _ago(inverter["age"]),
            f"{sum(entry['age'] is not None for entry in objects)} of {len(objects)}" if objects else "-",
            f"{100 * answered / asked:.1f} %" if asked else "-",
            str(sum(entry["unasked"] for entry in objects)),
            str(inverter["counters"]["timeouts"]),
        )
    return table


def _sinks(document: Mapping[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("sink", "", "written", "waiting", "lag", "lost", "refused"):
        table.add_column(heading, justify="left" if heading in ("sink", "") else "right")
    for sink in document["sinks"]:
        troubled = sink["trouble"] or sink["disk_trouble"]
        table.add_row(
            sink["label"],
            Text("in trouble", "bold red") if troubled else Text("works", "green"),
            str(sink["written"]), str(sink["waiting"]), _ago(sink["lag"]), str(sink["lost"]), str(sink["refused"]),
        )  # fmt: skip
    return table


def _clients(proxy: Mapping[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column(f"client at {proxy['address']}")
    for heading in ("connected", "requests", "answered", "at once", "shared", "refused", "cut off", "mean delay"):
        table.add_column(heading, justify="right")
    for client in proxy["clients"]:
        answered = client["answered"]
        counts = (client["connected"], client["requests"], answered, client["cached"], client["coalesced"],
                  client["refused"], sum(client["cut_off"].values()))  # fmt: skip
        delay = f"{1000 * client['delay'] / answered:.1f} ms" if answered else "-"
        table.add_row(client["host"], *map(str, counts), delay)
    return table


def _remarks(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield what does not fit into a table."""
    for inverter in document["inverters"]:
        if not inverter["up"]:
            since = inverter["since"]
            yield f"{inverter['name']}: away" if since is None else f"{inverter['name']}: away for {_ago(since)}"
        if inverter["mute"]:
            yield f"{inverter['name']}: no answer for {', '.join(inverter['mute'])}"
        if inverter["absent"]:
            yield f"{inverter['name']}: has no {', '.join(wholes(inverter['absent']))}"
        control, backfill = (inverter.get(key) or {} for key in ("control", "backfill"))  # as with the proxy
        if control.get("mode") not in (None, NORMAL):
            until = f" until {control['until'].partition('.')[0]}Z" if control["until"] else ""
            yield f"{inverter['name']}: mode {control['mode']} is on{until}"
        if backfill.get("filling"):
            yield f"{inverter['name']}: its log fills gaps of {backfill['filling']}"
        if backfill.get("delayed"):
            yield f"{inverter['name']}: gaps of {', '.join(backfill['delayed'])} are filled later, see the log"
        if inverter["sees_others"]:
            yield f"{inverter['name']}: another client is at work on it"
        for client in (inverter.get("proxy") or {}).get("clients", ()):
            if client["cut_off"]:
                reasons = ", ".join(f"{reason} ({count})" for reason, count in client["cut_off"].items())
                yield f"{inverter['name']}: {client['host']} was cut off: {reasons}"
    for sink in document["sinks"]:
        for trouble in filter(None, (sink["trouble"], sink["disk_trouble"])):
            yield f"{sink['label']}: {trouble}"


def _ago(seconds: float | None) -> str:
    """Return a time that has passed as people say it."""
    if seconds is None:
        return "-"
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.1f} s"
