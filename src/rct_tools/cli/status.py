"""rct status: how is the collector that runs here?"""

from __future__ import annotations

import json
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from http.client import HTTPException
from typing import Any, Final

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from rct_tools.cli.options import verbose_option
from rct_tools.config import STATUS_ADDRESS
from rct_tools.errors import RctError
from rct_tools.status import VERSION

_TIMEOUT: Final = 5.0  # seconds
_DIRECT: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # what is here is behind no proxy
_WIDE: Final = 200  # columns, where nobody says how many there are


@click.command(epilog="Example: rct status --format json | jq '.inverters[].up'")
@click.option(
    "--address", default=STATUS_ADDRESS, show_default=True, metavar="HOST:PORT",
    help="Where it listens: `listen` under [status] in rct.toml, or --status of the proxy.",
)  # fmt: skip
@click.option(
    "--format", "output_format", type=click.Choice(["text", "json"]), default="text", show_default=True,
    help="How to print it; json has every object, too.",
)  # fmt: skip
@verbose_option
def status(address: str, output_format: str) -> None:
    """Show how the collector or proxy is that runs here: inverters, sinks, clients, what waits and what is missing.

    Ends with 1 when none answers, or when an inverter or a sink is in trouble.
    """
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
            yield f"{inverter['name']}: has no {', '.join(inverter['absent'])}"
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
