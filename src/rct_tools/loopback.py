"""Pages on loopback are for this machine: whoever is led to them under another name gets nothing.

A page in a browser here may have a name that leads to this machine (DNS rebinding), and could read what it is answered.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

REFUSAL: Final = "this page is on loopback: ask for it as localhost, or by its address\n"


def is_meant(listen: str, asked: str) -> bool:
    """Return whether a request may be for us: ``listen`` is the host we listen on, ``asked`` the header ``Host``.

    On loopback, that is an address, or localhost; elsewhere anything will do.
    """
    if not is_loopback(listen):
        return True
    try:
        parts = urlsplit(f"//{asked}")
    except ValueError:
        return False
    host = parts.hostname or ""
    return parts.netloc == asked and "@" not in asked and (host in ("localhost", listen) or _is_address(host))


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches what listens on a host."""
    return host == "localhost" or (_is_address(host) and ip_address(host).is_loopback)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
