"""Who may use a proxy: this machine, and the networks that its owner names."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias

from rct_tools.errors import ConfigError

Network: TypeAlias = IPv4Network | IPv6Network


def parse_network(text: str) -> Network:
    """Return the network in ``192.168.1.0/24``; an address alone is a network of one. Raises ConfigError."""
    try:
        return ip_network(text)
    except ValueError:
        pass
    try:
        hint = f"; did you mean {ip_network(text, strict=False)}?"
    except ValueError:
        hint = "; expected one such as 192.168.1.0/24"
    raise ConfigError(f"{text!r} is no network{hint}")


@dataclass(frozen=True, slots=True)
class Access:
    """The networks that are let in beside loopback."""

    networks: tuple[Network, ...] = ()

    def admits(self, address: str) -> bool:
        """Return whether who calls from an address is let in."""
        try:
            host = ip_address(address.partition("%")[0])
        except ValueError:
            return False
        if isinstance(host, IPv6Address) and host.ipv4_mapped:
            host = host.ipv4_mapped
        return host.is_loopback or any(host in network for network in self.networks)

    def is_narrower(self, host: str) -> bool:
        """Return whether who listens at a host is called by others than are let in."""
        try:
            address = ip_address(host)
        except ValueError:
            return host != "localhost"
        if address.is_loopback:
            return False
        if address.is_unspecified:
            return not any(network.prefixlen == 0 and network.version == address.version for network in self.networks)
        return not any(address in network for network in self.networks)
