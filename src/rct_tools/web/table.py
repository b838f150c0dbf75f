"""``[web]`` of a configuration becomes the setup of the page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Final

import msgspec

from rct_tools.address import parse_address
from rct_tools.errors import ConfigError
from rct_tools.loopback import is_loopback
from rct_tools.settings import NO_SECRET, Secret, Table
from rct_tools.web.door import ReverseProxy
from rct_tools.web.tariff import Tariff

ADDRESS: Final = "127.0.0.1:9834"

_HOST: Final = re.compile(r"([a-z0-9._-]+|\[[0-9a-f:.]+])(:\d{1,5})?", re.IGNORECASE)
_HEADER: Final = re.compile(r"[a-z0-9-]+", re.IGNORECASE)  # what has "_" is the same as "-" to some, and not to others
_ALWAYS_THERE: Final = frozenset(
    {"host", "cookie", "connection", "origin", "referer", "user-agent", "via", "forwarded", "x-real-ip"}
    | {"authorization", *(f"sec-fetch-{what}" for what in ("site", "mode", "dest", "user"))}
    | {f"accept{suffix}" for suffix in ("", "-encoding", "-language")}
    | {f"x-forwarded-{suffix}" for suffix in ("for", "host", "proto", "port", "server")}
)  # of all that come through a proxy


@dataclass(frozen=True, slots=True)
class WebSetup:
    """Where the page is, who may see it, and where it finds what was."""

    host: str
    port: int
    password: Secret  # as people type it, or its hash; NO_SECRET where none is needed
    store: Path | None  # the file of a SQLite sink
    proxy: ReverseProxy | None = None  # that browsers come through
    tariff: Tariff | None = None  # without, nothing is said of money
    folder: Path | None = None  # where it is kept who is logged in; None for memory alone

    @property
    def is_guarded(self) -> bool:
        """Whether only those get in who are known, so that they may steer where [control] says so."""
        return self.password != NO_SECRET or self.proxy is not None


class ReverseProxyTable(Table, frozen=True):
    """A reverse proxy that browsers come through, with TLS, or with a login of its own."""

    addresses: Annotated[
        tuple[str, ...], msgspec.Meta(description="where it comes from: addresses, or networks such as 172.18.0.0/16")
    ]
    hosts: Annotated[
        tuple[str, ...], msgspec.Meta(description="names that browsers know it by, with a port where they show one")
    ]
    user_header: Annotated[
        str,
        msgspec.Meta(description="where it says who is logged in, such as `Remote-User`; without, `password` is asked"),
    ] = ""

    def setup(self, place: str) -> ReverseProxy:
        """Return what this comes to. Raises ConfigError, with ``place`` before the key."""
        for key in ("addresses", "hosts"):
            if not getattr(self, key):
                raise ConfigError(f"{place}.{key}: expected at least one")
        networks = tuple(_network(text, f"{place}.addresses") for text in self.addresses)
        for host in self.hosts:
            if not _HOST.fullmatch(host):
                raise ConfigError(f"{place}.hosts: {host!r} is no name as browsers show it, such as solar.example.org")
        if self.user_header and not _HEADER.fullmatch(self.user_header):
            raise ConfigError(f"{place}.user_header: {self.user_header!r} is no name of a header, such as Remote-User")
        if self.user_header.lower() in _ALWAYS_THERE:
            raise ConfigError(f"{place}.user_header: {self.user_header} is there without any login")
        return ReverseProxy(networks, frozenset(host.lower() for host in self.hosts), self.user_header)


def _network(text: str, place: str) -> IPv4Network | IPv6Network:
    try:
        network = ip_network(text)
    except ValueError as exc:
        raise ConfigError(f"{place}: {text!r} is no address, and no network such as 172.18.0.0/16") from exc
    if not network.prefixlen:
        raise ConfigError(f"{place}: {text} is everybody, and any of them could say who they are")
    return network


class WebTable(Table, frozen=True):
    """A page that shows in a browser what is collected."""

    listen: Annotated[
        str,
        msgspec.Meta(description="ADDRESS:PORT of the page; wider than this machine only with one of the other two"),
    ] = ADDRESS
    password: Annotated[
        Secret,
        msgspec.Meta(description="asked for before anything is shown; or what `rct web --hash-password` printed"),
    ] = NO_SECRET
    reverse_proxy: Annotated[
        ReverseProxyTable | None, msgspec.Meta(description="what browsers come through, a table of its own")
    ] = None

    def setup(
        self, place: str, store: Path | None, tariff: Tariff | None = None, folder: Path | None = None
    ) -> WebSetup:
        """Return what this comes to. Raises ConfigError, with ``place`` before the key."""
        try:
            host, port = parse_address(self.listen, example=ADDRESS)
        except ConfigError as exc:
            raise ConfigError(f"{place}.listen: {exc}") from exc
        proxy = self.reverse_proxy.setup(f"{place}.reverse_proxy") if self.reverse_proxy else None
        if self.password == NO_SECRET:
            if proxy and not proxy.user_header:
                raise ConfigError(
                    f"{place}.reverse_proxy: others come through it, so {place}.password is needed; or user_header, if"
                    " it logs them in"
                )
            if not proxy and not is_loopback(host):
                raise ConfigError(
                    f"{place}.listen: others can reach {self.listen}, so {place}.password is needed, or"
                    f" {place}.reverse_proxy; or listen on {ADDRESS}"
                )
        return WebSetup(host, port, self.password, store, proxy, tariff, folder)
