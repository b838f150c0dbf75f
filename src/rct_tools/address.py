"""Where somebody listens, as people write it: ``127.0.0.1:8899``, ``[::1]:8899``."""

from __future__ import annotations

import re
from ipaddress import IPv6Address
from typing import Final

from rct_tools.errors import ConfigError

_ADDRESS: Final = re.compile(r"(?:\[([^][/@\s]*:[^][/@\s]*)\]|([^][:/@\s]+))(?::([0-9]{1,5}))?")
_MORE_THAN_A_HOST: Final = re.compile(r"[][/@\s]|^[^:]*:[^:]*$")


def parse_address(text: str, port: int | None = None, *, example: str = "127.0.0.1:8899") -> tuple[str, int]:
    """Return host and port; ``port`` is that of a host alone, which is an error without. Raises ConfigError."""
    if port is not None and _is_ipv6(text):
        return text, port
    found = _ADDRESS.fullmatch(text)
    number = port if found is None or found[3] is None else int(found[3])
    if found is None or number is None or number > 65535:
        raise ConfigError(f"{text!r} is no address; expected one such as {example}")
    return found[1] or found[2], number


def is_host(text: str) -> bool:
    """Whether it can be a name or an address, and nothing more: no URL, and no port behind it."""
    return bool(text) and not _MORE_THAN_A_HOST.search(text)


def show_address(host: str, port: int) -> str:
    """Return an address as it is written."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True
