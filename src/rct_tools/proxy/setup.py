"""What a proxy is told to do."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from rct_tools.errors import ConfigError
from rct_tools.link import PORT
from rct_tools.objects import registry
from rct_tools.proxy.access import Access, Network

CACHE: Final = 2.0
MOST_CLIENTS: Final = 32
RATE: Final = 100.0


@dataclass(frozen=True, slots=True)
class ProxySetup:
    """Where a proxy listens, whom it serves, and what it lets through."""

    host: str = "127.0.0.1"
    port: int = PORT  # 0 for any that is free
    access: Access = field(default_factory=Access)
    writable: frozenset[str] = frozenset()  # names of objects that clients may write
    cache: float = CACHE  # seconds for which a value answers those who ask for it again
    broadcast: bool = True  # whether clients get what the inverter says by itself
    capture: str = ""  # file for what crosses both sides
    most_clients: int = MOST_CLIENTS  # at a time
    rate: float = RATE  # requests a second that each client is served

    @property
    def whom(self) -> str:
        """Whom it serves and what they may write, in words."""
        clients = " and ".join(filter(None, ("this machine", ", ".join(map(str, self.access.networks)))))
        return f"{clients}, who may write {', '.join(sorted(self.writable))}" if self.writable else clients


def default_host(networks: Collection[Network]) -> str:
    """Return where to listen for clients of some networks, beside those of this machine; ``::`` is for IPv4, too."""
    if not networks:
        return "127.0.0.1"
    return "::" if any(network.version == 6 for network in networks) else "0.0.0.0"  # noqa: S104  # as the owner wants


def parse_writable(name: str) -> str:
    """Return the name of an object that may be written at all. Raises UnknownObject, ConfigError for what may not."""
    info = registry.find(name)
    if info.is_untouchable:
        raise ConfigError(f"{info.name} is never written through a proxy: that could harm the inverter")
    return info.name
