"""Who may come in: what a request must look like, who is logged in, and how often a password may be tried.

No I/O; clocks are arguments, in seconds that only go up.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, Protocol
from urllib.parse import urlsplit

from rct_tools.loopback import REFUSAL, is_loopback, is_meant
from rct_tools.recent import Recent

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


class Headers(Protocol):
    """The headers of a request, of which any may be there several times; capitals are all the same."""

    def getall(self, name: str, default: list[str], /) -> list[str]: ...


@dataclass(frozen=True, slots=True)
class ReverseProxy:
    """What browsers come through."""

    networks: tuple[IPv4Network | IPv6Network, ...]  # that it comes from
    hosts: frozenset[str]  # what it is called in browsers, in small letters, with the port where they show one
    user_header: str = ""  # where it says who is logged in; "" when it logs nobody in

    def has(self, address: str) -> bool:
        """Return whether something comes from there."""
        known = _address(address)
        return known is not None and any(known in network for network in self.networks)

    def browser(self, peer: str, headers: Headers) -> str:
        """Return who came to it, as it says; each proxy on the way has added whom it saw, so what is last counts."""
        for text in reversed(",".join(headers.getall("X-Forwarded-For", [])).split(",")):
            address = _address(text.strip())
            if address is None:
                break
            if not self.has(str(address)):
                return str(address)
        return peer


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks."""

    host: str  # the address of the browser
    user: str = ""  # whom the reverse proxy has logged in; "" for nobody
    is_secure: bool = False  # whether the browser has TLS, as the reverse proxy says
    session: str = ""  # the token of who has logged in here; "" for nobody


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a request is not answered."""

    status: int
    reason: str


_OTHER_SITE: Final = Refused(403, "this was asked by a page of another site")
_OTHER_NAME: Final = Refused(
    421, "the reverse proxy asks under a name that is not among web.reverse_proxy.hosts; let it pass on Host"
)
_UNKNOWN_PROXY: Final = Refused(403, "this came through a reverse proxy that web.reverse_proxy does not name")
_FORWARDED: Final = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP")
_LONGEST_USER: Final = 200  # letters


def receive(
    listen: str, proxy: ReverseProxy | None, peer: str, target: str, headers: Headers, *, is_page: bool
) -> Visitor | Refused:
    """Return who asks; or why a request is not for us, not from our page, or not as the reverse proxy should send it.

    ``listen`` is the host that we listen on, ``peer`` the address that the request comes from, ``target`` what stands
    in its first line. ``is_page`` says that it asks for a file of the page, to which links from elsewhere may lead.
    What a reverse proxy would say is believed only where it comes from ours, under one of its names.
    """
    hosts = {host.lower() for host in headers.getall("Host", [])}
    if not target.startswith("/"):  # then it has the host, too, and another server may have gone by that
        hosts.add(_netloc(target).lower())
    host = hosts.pop() if len(hosts) == 1 else ""
    through = proxy if proxy is not None and proxy.has(peer) else None
    if through is None or host not in through.hosts:
        marks = (*_FORWARDED, *((through.user_header,) if through and through.user_header else ()))
        is_forwarded = any(headers.getall(name, []) for name in marks)
        if through is not None and is_forwarded:
            return _OTHER_NAME
        if not host or not is_meant(listen, host):
            return Refused(421, REFUSAL.rstrip()) if through is None else _OTHER_NAME
        if is_forwarded and is_loopback(listen):  # so it is no proxy of ours that lets the world in here
            return _UNKNOWN_PROXY
        through = None
    is_secure = through is not None and headers.getall("X-Forwarded-Proto", []) == ["https"]
    ours, schemes = (through.hosts if through else {host}), ({"https"} if is_secure else {"http", "https"})
    if not all(_is_of(origin, schemes, ours) for origin in headers.getall("Origin", [])):
        return _OTHER_SITE
    if not is_page and not set(headers.getall("Sec-Fetch-Site", [])) <= {"same-origin", "none"}:
        return _OTHER_SITE
    if through is None:
        return Visitor(peer)
    user = _user(through.user_header, headers) if through.user_header else ""
    return user if isinstance(user, Refused) else Visitor(through.browser(peer, headers), user, is_secure)


def _user(header: str, headers: Headers) -> str | Refused:
    """Return whom the reverse proxy has logged in, "" for nobody."""
    values = headers.getall(header, [])
    if len(values) > 1:
        return Refused(400, f"{header} is there {len(values)} times; the reverse proxy must set it, and add nothing")
    user = values[0].strip() if values else ""
    if not user.isprintable() or len(user) > _LONGEST_USER:
        return Refused(400, f"{header} has no name of a user")
    return user


def _is_of(origin: str, schemes: Collection[str], hosts: Collection[str]) -> bool:
    scheme, _, rest = origin.lower().partition("://")
    return scheme in schemes and rest in hosts


def _netloc(target: str) -> str:
    try:
        return urlsplit(target).netloc
    except ValueError:
        return ""


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """Return an address; one of IPv4 that is written as one of IPv6 is what it is."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


class Sessions:
    """Who is logged in. Only what tokens look like is kept, not what would be good as one."""

    def __init__(self, ends: Mapping[str, float] | None = None) -> None:
        """``ends`` says when those end that are open already, the oldest first."""
        self._ends: Recent[str, float] = Recent(_MOST)
        for digest, end in (ends or {}).items():
            self._ends.put(digest, end)

    @property
    def ends(self) -> Mapping[str, float]:
        """When each ends, by the digest of its token, the oldest first."""
        return self._ends

    def open(self, now: float) -> str:
        """Return a token that is good for a while."""
        token = secrets.token_urlsafe(32)
        self._ends.put(_digest(token), now + LASTS)
        return token

    def left(self, token: str, now: float) -> float:
        """Return for how many seconds a token is good; 0 for one that is not."""
        return max(0.0, self._ends.get(_digest(token), 0.0) - now)

    def close(self, token: str) -> bool:
        """Make a token good for nothing; return whether it was one."""
        return self._ends.pop(_digest(token), None) is not None


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


class Attempts:
    """Wrong passwords, by the host that they come from: after some in a row, each has to wait, ever longer."""

    def __init__(self) -> None:
        self._wrong: Recent[str, tuple[int, float]] = Recent(_MOST)  # host: how many, and when the last was

    def wait(self, host: str, now: float) -> float:
        """Return for how many seconds no password is looked at; 0 for now."""
        count, last = self._wrong.get(_network(host), (0, now))
        if count < _FREE or now - last > _FORGIVEN:
            return 0.0
        return max(0.0, last + min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** min(count - _FREE, 20)) - now)

    def wrong(self, host: str, now: float) -> None:
        """Remember a wrong password."""
        key = _network(host)
        count, last = self._wrong.get(key, (0, now))
        self._wrong.put(key, (1 if now - last > _FORGIVEN else count + 1, now))

    def right(self, host: str) -> None:
        """Forget the wrong ones."""
        self._wrong.pop(_network(host), None)


def _network(host: str) -> str:
    """Return what stands for a host: of IPv6 the network, since one machine has billions of addresses there."""
    address = _address(host)
    return str(int(address) >> 64) if isinstance(address, IPv6Address) else str(address or host)
