"""What a proxy is told to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from rct_tools.link import PORT
from rct_tools.proxy.access import Access

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
