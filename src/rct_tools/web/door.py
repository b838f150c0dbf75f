"""Who may come in: what a request must look like, who is logged in, and how often a password may be tried.

No I/O; clocks are arguments, in seconds that only go up.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Final
from urllib.parse import urlsplit

from rct_tools.loopback import REFUSAL, is_meant

COOKIE: Final = "rct_session"
LASTS: Final = 30 * 86_400.0  # seconds that a login counts
SHORTEST: Final = 8  # letters of a password

_FREE: Final = 5  # wrong passwords in a row before somebody has to wait
_FIRST_WAIT: Final = 2.0  # seconds; twice as long after each more
_LONGEST_WAIT: Final = 900.0
_FORGIVEN: Final = 3600.0  # seconds after which wrong passwords are forgotten
_MOST: Final = 1000  # sessions, and hosts that are remembered

HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), screen-wake-lock=(self)",
    "Cache-Control": "no-store",
}
"""What every answer says to the browser."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a request is not answered."""

    status: int
    reason: str


def refusal(listen: str, headers: Mapping[str, str], *, is_page: bool) -> Refused | None:
    """Return why a request is not for us, or not from our page; None where it is.

    ``listen`` is the host that we listen on. ``is_page`` says that it asks for a file of the page, to which links from
    elsewhere may lead.
    """
    host = headers.get("Host", "")
    if not host or not is_meant(listen, host):
        return Refused(421, REFUSAL.rstrip())
    origin = headers.get("Origin")
    if origin is not None and not _is_same(origin, host):
        return Refused(403, "this was asked by a page of another site")
    if not is_page and headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none"):
        return Refused(403, "this was asked by a page of another site")
    return None


def _is_same(origin: str, host: str) -> bool:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and parts.netloc == host


class Sessions:
    """Who is logged in. Only what tokens look like is kept, not what would be good as one."""

    def __init__(self) -> None:
        self._ends: OrderedDict[bytes, float] = OrderedDict()

    def open(self, now: float) -> str:
        """Return a token that is good for a while."""
        token = secrets.token_urlsafe(32)
        self._ends[_digest(token)] = now + LASTS
        while len(self._ends) > _MOST:
            self._ends.popitem(last=False)
        return token

    def is_open(self, token: str, now: float) -> bool:
        """Return whether a token is good."""
        return self._ends.get(_digest(token), 0.0) > now

    def close(self, token: str) -> None:
        """Make a token good for nothing."""
        self._ends.pop(_digest(token), None)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


class Attempts:
    """Wrong passwords, by the host that they come from: after some in a row, each has to wait, ever longer."""

    def __init__(self) -> None:
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()  # host: how many, and when the last was

    def wait(self, host: str, now: float) -> float:
        """Return for how many seconds no password is looked at; 0 for now."""
        count, last = self._wrong.get(_network(host), (0, now))
        if count < _FREE or now - last > _FORGIVEN:
            return 0.0
        return max(0.0, last + min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** min(count - _FREE, 20)) - now)

    def wrong(self, host: str, now: float) -> None:
        """Remember a wrong password."""
        key = _network(host)
        count, last = self._wrong.pop(key, (0, now))
        self._wrong[key] = (1 if now - last > _FORGIVEN else count + 1, now)
        while len(self._wrong) > _MOST:
            self._wrong.popitem(last=False)

    def right(self, host: str) -> None:
        """Forget the wrong ones."""
        self._wrong.pop(_network(host), None)


def _network(host: str) -> str:
    """Return what stands for a host: of IPv6 the network, since one machine has billions of addresses there."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    return str(int(address) >> 64) if isinstance(address, IPv6Address) else str(address)
