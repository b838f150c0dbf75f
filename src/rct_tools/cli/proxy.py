"""rct proxy: one connection to the inverter, and many clients that each see one of their own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import click

from rct_tools.address import parse_address, show_address
from rct_tools.cli.options import DurationType, ObjectType, log_format_option, verbose_option
from rct_tools.cli.run import run_async, say
from rct_tools.errors import ConfigError
from rct_tools.link import PORT
from rct_tools.objects import ObjectInfo
from rct_tools.proxy import (
    MOST_CLIENTS,
    RATE,
    Access,
    Network,
    Proxy,
    ProxySetup,
    default_host,
    parse_network,
    parse_writable,
)
from rct_tools.service import share

T = TypeVar("T")


class _Parsed(click.ParamType[T]):
    """What a function makes of a text, or refuses."""

    def __init__(self, name: str, parse: Callable[[str], T]) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> T:
        try:
            return self._parse(value)
        except ConfigError as exc:
            self.fail(str(exc), param, ctx)


class _WritableType(ObjectType):
    """An object that may be written at all."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> ObjectInfo:
        info = super().convert(value, param, ctx)
        try:
            parse_writable(info.name)
        except ConfigError as exc:
            self.fail(str(exc), param, ctx)
        return info


@click.command(epilog="Example: rct proxy --upstream 192.0.2.7 --allow 192.168.1.0/24")
@click.option(
    "--upstream", required=True, type=_Parsed("address", partial(parse_address, port=PORT, example="192.0.2.7:8899")),
    metavar="HOST[:PORT]", help="The inverter; its port is 8899 if left out.",
)  # fmt: skip
@click.option(
    "--listen", type=_Parsed("address", parse_address), metavar="ADDRESS:PORT",
    help="Where clients connect.  [default: 127.0.0.1:8899, with --allow 0.0.0.0:8899]",
)  # fmt: skip
@click.option(
    "--allow", "networks", type=_Parsed("network", parse_network), multiple=True, metavar="NETWORK",
    help="Let clients of this network in, beside those of this machine; can be given more than once.",
)  # fmt: skip
@click.option(
    "--allow-write", "writable", type=_WritableType(), multiple=True, metavar="OBJECT",
    help="Let clients write this object; can be given more than once. Without, nobody writes anything.",
)  # fmt: skip
@click.option("--no-broadcast", is_flag=True, help="Hold back what the inverter says without being asked.")
@click.option(
    "--cache", type=DurationType(or_none=True), default="2s", show_default=True, metavar="DURATION",
    help="How long a value answers those who ask for it again; 0 for not at all.",
)  # fmt: skip
@click.option(
    "--max-clients", type=click.IntRange(1), default=MOST_CLIENTS, show_default=True, metavar="NUMBER",
    help="How many may be connected.",
)  # fmt: skip
@click.option(
    "--max-rate", type=click.FloatRange(0, min_open=True), default=RATE, show_default=True, metavar="NUMBER",
    help="How many requests a second each client is served; what is more waits.",
)  # fmt: skip
@click.option(
    "--capture", default="", metavar="FILE",
    help="Keep what crosses both sides, as rct dump would; docs/captures.md tells the formats.",
)  # fmt: skip
@click.option(
    "--status", default="", metavar="ADDRESS:PORT",
    help="Serve /healthz, /status and /metrics there, for rct status and Prometheus: 127.0.0.1:9832.",
)  # fmt: skip
@verbose_option
@log_format_option
def proxy(
    upstream: tuple[str, int], listen: tuple[str, int] | None, networks: tuple[Network, ...],
    writable: tuple[ObjectInfo, ...], no_broadcast: bool, cache: float, max_clients: int, max_rate: float, capture: str,
    status: str,
) -> None:  # fmt: skip
    """Share an inverter: only the proxy is connected to it, and each client gets the answers to its own questions.

    Without a proxy, an inverter tells everybody what anybody asks, and answers get lost when two ask at once. An
    inverter that is away is waited for. Ctrl-C or SIGTERM ends it. A collector shares its own connection: [proxy] in
    rct.toml.
    """
    host, port = listen or (default_host(networks), PORT)
    if upstream == (host, port):
        raise click.UsageError(f"--upstream and --listen are both {show_address(host, port)}: where is the inverter?")
    setup = ProxySetup(
        host, port, Access(networks), frozenset(info.name for info in writable), cache, not no_broadcast, capture,
        max_clients, max_rate,
    )  # fmt: skip
    run_async(share(*upstream, setup, _say_started, status))


def _say_started(proxy: Proxy) -> None:
    say(f"{proxy.address}: sharing {proxy.inverter.peer} with {proxy.setup.whom}; Ctrl-C ends it")
