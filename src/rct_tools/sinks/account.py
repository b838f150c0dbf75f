"""An account on an MQTT broker: what a configuration says of it, and how to get a connection. Needs [mqtt]."""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import os
import socket
import ssl
from collections.abc import Callable, Coroutine, Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal
from urllib.parse import unquote, urlsplit

from msgspec import Meta

from rct_tools.errors import ConfigError, SinkError
from rct_tools.homeassistant import topic_level
from rct_tools.settings import NO_SECRET, Duration, Secret, Table, Tls
from rct_tools.sinks.topics import Message
from rct_tools.times import SECOND

if TYPE_CHECKING:
    from rct_tools.sinks.broker import Client

PREFIX: Final = "rct"
PASSWORD_VARIABLE: Final = "MQTT_PASSWORD"  # noqa: S105  # its name, not the password
_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
_FORM: Final = "mqtt://[USER@]HOST[:1883]/[PREFIX]"
_KEEPALIVE: Final = 30  # seconds; the broker speaks our will after one and a half of it


class Settings(Table, frozen=True):
    """Readings on an MQTT broker, by topic."""

    url: Annotated[
        str, Meta(description="mqtt://[USER@]HOST[:1883]/[PREFIX], mqtts:// for TLS; the prefix is rct without")
    ]
    password: Annotated[Secret, Meta(description="of the USER in the URL; without it, MQTT_PASSWORD is taken")] = (
        NO_SECRET
    )
    tls: Annotated[Tls, Meta(description="for mqtts: which certificates to trust and to show")] = Tls()
    version: Annotated[Literal["3.1.1", "5"], Meta(description="of the protocol; brokers of 5 say more of errors")] = (
        "3.1.1"
    )
    client_id: Annotated[str, Meta(description="how the broker tells clients apart; by default made of the host's "
        "name, the prefix and the inverters")] = ""  # fmt: skip
    payload: Annotated[Literal["plain", "json"], Meta(description="the bare value, or JSON with unit and time")] = (
        "plain"
    )
    every: Annotated[bool, Meta(description="publish each reading, changed or not")] = False
    refresh: Annotated[Duration, Meta(description="publish what has not changed after this time")] = Duration(
        300 * SECOND
    )
    dead_band: Annotated[
        Mapping[str, Annotated[float, Meta(ge=0)]],
        Meta(description="how much a number must change to be published, in its own unit, by name of the object or a "
        "pattern with *; the first that fits counts"),
    ] = MappingProxyType({})  # fmt: skip
    retain: Annotated[bool, Meta(description="the broker keeps the newest value for those who come later")] = True
    qos: Annotated[Literal[0, 1], Meta(description="1: the broker says that it has taken a value; 0: it does not")] = 1
    part: Annotated[str, Meta(description="which of several programs with one prefix this is: its status is then "
        "PREFIX/status/PART; a shard's is its number")] = ""  # fmt: skip
    home_assistant: Annotated[bool | str, Meta(description="announce everything to Home Assistant; text is its "
        "discovery prefix, if not homeassistant")] = False  # fmt: skip


class Account:
    """What the settings come to: where the broker is, who we are there, and where our topics begin."""

    def __init__(self, settings: Settings) -> None:
        """Nothing is connected. Raises ConfigError, also when the extra is missing."""
        self._settings = settings
        self.scheme = scheme = settings.url.partition(":")[0]
        try:
            parts = urlsplit(settings.url)
            self._port = _PORTS[scheme] if parts.port is None else parts.port
        except ValueError as exc:
            raise ConfigError(f"{scheme}: {exc}; expected {_FORM}") from exc
        if not parts.hostname or not self._port or parts.query or parts.fragment:
            raise ConfigError(f"{settings.url!r}: expected {_FORM}")
        self._host = parts.hostname
        self.user = unquote(parts.username or "")
        self.prefix = unquote(parts.path).strip("/") or PREFIX
        if any(topic_level(level) != level for level in self.prefix.split("/")):
            raise ConfigError(f"{settings.url!r}: {self.prefix} cannot begin a topic; expected {_FORM}")
        self.label = f"{scheme} {f'[{self._host}]' if ':' in self._host else self._host}:{self._port}"
        try:
            importlib.import_module("rct_tools.sinks.broker")
        except ImportError as exc:
            raise ConfigError("MQTT needs more than the core: pip install 'rct-tools[mqtt]'") from exc

    @property
    def bridge(self) -> str:
        """The topic that says whether this program is there."""
        part = self._settings.part
        return f"{self.prefix}/status" + (f"/{topic_level(part)}" if part else "")

    @property
    def discovery(self) -> str:
        """Where Home Assistant looks for devices; "" when nothing is announced to it."""
        wanted = self._settings.home_assistant
        return wanted if isinstance(wanted, str) else "homeassistant" if wanted else ""

    def client_id(self, inverters: Iterable[str], purpose: str = "") -> str:
        """Return how the broker tells us from other clients, and from ourselves in another role."""
        if self._settings.client_id:
            return f"{self._settings.client_id}{purpose and f'-{purpose}'}"
        own = "\0".join([socket.gethostname(), self.prefix, *inverters, *filter(None, (purpose,))])
        return f"rct-{hashlib.sha256(own.encode()).hexdigest()[:12]}"

    def check(self) -> None:
        """Raise ConfigError for what can be known to be wrong before there is a broker."""
        settings = self._settings
        if self.scheme == "mqtt" and settings.tls != Tls():
            raise ConfigError(f"{settings.url!r}: tls is for mqtts://")
        if settings.password != NO_SECRET and not self.user:
            raise ConfigError(f"{settings.url!r}: a password needs a user, expected {self.scheme}://USER@…")
        self._secrets()

    def _secrets(self) -> tuple[str, ssl.SSLContext | None]:
        """Return the password and what TLS needs; files are read anew each time. Raises ConfigError."""
        settings = self._settings
        password = os.environ.get(PASSWORD_VARIABLE, "") if settings.password == NO_SECRET else ""
        context = settings.tls.context() if self.scheme == "mqtts" else None
        return password or settings.password.reveal(), context

    async def new_client(self, client_id: str, will: Message, refused: Callable[[str], None]) -> Client:
        """Return a client that is not connected yet. Raises SinkError."""
        from aiomqtt import ProtocolVersion, Will

        from rct_tools.sinks.broker import Client

        try:
            password, context = await asyncio.to_thread(self._secrets)
        except ConfigError as exc:
            raise SinkError(f"{self.label}: {exc}") from exc
        return Client(
            self._host,
            self._port,
            username=self.user or None,
            password=password or None,
            identifier=client_id,
            protocol=ProtocolVersion.V5 if self._settings.version == "5" else ProtocolVersion.V311,
            will=Will(*will),
            keepalive=_KEEPALIVE,
            tls_context=context,
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
            refused=refused,
        )

    def explained(self, why: str, client_id: str) -> str:
        """Return why it failed, with what can be done about it in brackets."""
        user = f"user {self.user}" if self.user else "no user"
        login = f" ({user}; the password is that of the key password, or of {PASSWORD_VARIABLE})"
        version = f" ({self._settings.version} is asked for, by the key version)"
        hints = {
            "bad user name or password": login,
            "not authorized": login,
            "unsupported protocol version": version,
            "protocol error": version,
            "client identifier not valid": f" ({client_id}, by the key client_id)",
        }
        if self.scheme == "mqtts":
            hints["connection reset by peer"] = " (is it the port for TLS?)"
        return f"{self.label}: {why}{hints.get(why, '')}"


async def until_ended(client: Client, work: Coroutine[Any, Any, object], limit: float) -> asyncio.Task[object]:
    """Do something until it is done, the connection ends, or seconds are over; return the task, which has ended."""
    job = asyncio.create_task(work)
    either: list[asyncio.Future[Any]] = [job, client.ended]
    try:
        await asyncio.wait(either, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
    finally:
        job.cancel()
        await asyncio.gather(job, return_exceptions=True)
    return job


def why_failed(exc: BaseException) -> str:
    """Return what went wrong, without numbers and names of functions."""
    match exc.__context__ if isinstance(exc.__context__, OSError) else exc:
        case ssl.SSLCertVerificationError() as cause:
            reason = cause.verify_message.rstrip(".")
            return f"its certificate cannot be trusted: {reason}; tls.ca names a file with those to trust"
        case ssl.SSLError() as cause:
            return f"no TLS: {(cause.reason or str(cause)).replace('_', ' ').lower()}; is it the port for TLS?"
        case socket.gaierror() | UnicodeError():
            return "unknown host"
        case OSError() as cause:
            return os.strerror(cause.errno).lower() if cause.errno else str(cause)
    code = getattr(exc, "rc", None)
    return str(exc) if code is None or isinstance(code, int) else str(code).lower()
