"""``[proxy]`` of a configuration becomes the setup of a proxy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, TypeVar

import msgspec

from rct_tools.address import parse_address
from rct_tools.errors import ConfigError, UnknownObject
from rct_tools.link import PORT
from rct_tools.proxy.access import Access, parse_network
from rct_tools.proxy.setup import CACHE, MOST_CLIENTS, RATE, ProxySetup, default_host, parse_writable
from rct_tools.settings import Duration, Table

T = TypeVar("T")


class ProxyTable(Table, frozen=True):
    """One inverter for many clients, which use the connection that the collector has."""

    listen: Annotated[
        str, msgspec.Meta(description="ADDRESS:PORT for clients; 127.0.0.1:8899 without, 0.0.0.0:8899 with `allow`")
    ] = ""
    inverter: Annotated[str, msgspec.Meta(description="name of the inverter; needed if there are several")] = ""
    broadcast: Annotated[bool, msgspec.Meta(description="whether clients get what the inverter says by itself")] = True
    cache: Annotated[
        Duration, msgspec.Meta(description='how long a value answers who asks for it again; "0s": never')
    ] = Duration(CACHE * 1e9)
    allow: Annotated[
        tuple[str, ...], msgspec.Meta(description="networks that are let in beside this machine: 192.168.1.0/24")
    ] = ()
    allow_write: Annotated[
        tuple[str, ...], msgspec.Meta(description="objects that clients may write; to all others, writes are refused")
    ] = ()
    max_clients: Annotated[int, msgspec.Meta(ge=1, description="how many clients may be connected")] = MOST_CLIENTS
    max_rate: Annotated[float, msgspec.Meta(gt=0, description="requests a second that each client is served")] = RATE
    capture: Annotated[
        str, msgspec.Meta(description="file that keeps what crosses both sides; docs/captures.md tells the formats")
    ] = ""

    def setup(self, place: str) -> ProxySetup:
        """Return what this comes to. Raises ConfigError, with ``place`` before the key."""
        networks = tuple(_read(text, parse_network, f"{place}.allow[{i}]") for i, text in enumerate(self.allow))
        host, port = default_host(networks), PORT
        if self.listen:
            host, port = _read(self.listen, parse_address, f"{place}.listen")
        writable = frozenset(
            _read(name, parse_writable, f"{place}.allow_write[{i}]") for i, name in enumerate(self.allow_write)
        )
        return ProxySetup(
            host, port, Access(networks), writable,
            self.cache.seconds, self.broadcast, self.capture, self.max_clients, self.max_rate,
        )  # fmt: skip


def _read(text: str, parse: Callable[[str], T], place: str) -> T:
    try:
        return parse(text)
    except (ConfigError, UnknownObject) as exc:
        raise ConfigError(f"{place}: {exc}") from exc
