"""Readings on an MQTT broker: each object has a topic, PREFIX/INVERTER/GROUP/OBJECT, which shows its newest value.

What is old goes to PREFIX/INVERTER/late and touches no state. PREFIX/status and PREFIX/INVERTER/status say whether what
is shown can be believed: docs/mqtt.md. Needs the extra [mqtt].
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import logging
import os
import socket
import ssl
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NamedTuple
from urllib.parse import unquote, urlsplit

from msgspec import Meta

from rct_tools.errors import ConfigError, SinkError
from rct_tools.homeassistant import HomeAssistant, topic_level
from rct_tools.plan import Source
from rct_tools.reading import Reading
from rct_tools.settings import NO_SECRET, Duration, Secret, Table, Tls
from rct_tools.sinks.topics import Message, Rules, Topics
from rct_tools.times import SECOND

if TYPE_CHECKING:
    from rct_tools.sinks.broker import Client

logger = logging.getLogger(__name__)

PREFIX: Final = "rct"
PASSWORD_VARIABLE: Final = "MQTT_PASSWORD"  # noqa: S105  # its name, not the password
_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
_FORM: Final = "mqtt://[USER@]HOST[:1883]/[PREFIX]"
_TIMEOUT: Final = 10.0  # seconds: for a connection, and for the broker to take a bundle of messages
_FAREWELL: Final = 2.0  # seconds for the last words
_BUNDLE: Final = 500  # messages
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


def open_sink(settings: Settings, sources: Sequence[Source]) -> MqttSink:
    """Return the sink for ``mqtt://[USER@]HOST[:1883]/[PREFIX]``, or ``mqtts://…`` for TLS. Raises ConfigError."""
    return MqttSink(settings, sources)


class _Broker(NamedTuple):
    """What the URL says."""

    scheme: str
    host: str
    port: int
    user: str
    prefix: str

    @property
    def label(self) -> str:
        return f"{self.scheme} {f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


def _parse(url: str) -> _Broker:
    scheme = url.partition(":")[0]
    try:
        parts = urlsplit(url)
        port = _PORTS[scheme] if parts.port is None else parts.port
    except ValueError as exc:
        raise ConfigError(f"{scheme}: {exc}; expected {_FORM}") from exc
    if not parts.hostname or not port or parts.query or parts.fragment:
        raise ConfigError(f"{url!r}: expected {_FORM}")
    prefix = unquote(parts.path).strip("/") or PREFIX
    if any(topic_level(level) != level for level in prefix.split("/")):
        raise ConfigError(f"{url!r}: {prefix} cannot begin a topic; expected {_FORM}")
    return _Broker(scheme, parts.hostname, port, unquote(parts.username or ""), prefix)


class MqttSink:
    """A broker. The connection is kept, and made anew by the next write after it was lost."""

    def __init__(
        self, settings: Settings, sources: Sequence[Source], *, clock: Callable[[], int] = time.time_ns
    ) -> None:
        """Nothing is sent yet. Raises ConfigError, also when the extra is missing."""
        self._broker = _parse(settings.url)
        self._settings = settings
        self._clock = clock
        self._client: Client | None = None
        self._listener: asyncio.Task[None] | None = None
        self._said: set[str] = set()
        try:
            importlib.import_module("rct_tools.sinks.broker")
        except ImportError as exc:
            raise ConfigError("MQTT needs more than the core: pip install 'rct-tools[mqtt]'") from exc
        self._check(sources)
        inverters = [source.inverter for source in sources]
        own = "\0".join([socket.gethostname(), self._broker.prefix, *inverters])
        self._client_id = settings.client_id or f"rct-{hashlib.sha256(own.encode()).hexdigest()[:12]}"
        bridge = f"{self._broker.prefix}/status" + (f"/{topic_level(settings.part)}" if settings.part else "")
        self._home: HomeAssistant | None = None
        if settings.home_assistant:
            discovery = settings.home_assistant if isinstance(settings.home_assistant, str) else "homeassistant"
            self._home = HomeAssistant(sources, prefix=self._broker.prefix, bridge=bridge, discovery=discovery)
            self._birth = f"{discovery}/status"
        rules = Rules(
            is_json=settings.payload == "json",
            every=settings.every,
            refresh=settings.refresh,
            dead_band=settings.dead_band,
            retain=settings.retain,
            qos=settings.qos,
        )
        self._topics = Topics(self._broker.prefix, bridge, sources, rules, self._home)
        self._publishing = asyncio.Lock()  # what was known earlier must not come after what is new
        self._is_reborn = False
        self._stale: set[str] = set()  # topics

    async def write(self, readings: Sequence[Reading]) -> None:
        """Publish the readings; return when the broker has taken all. Raises SinkError, and forgets the connection."""
        if not readings:
            return
        async with self._publishing:
            client = await self._connected()
            messages, states = self._topics.take(readings, self._clock())
            await self._publish(client, messages)
            self._topics.keep(states)

    async def close(self) -> None:
        """Say that everything is offline, and disconnect."""
        if self._client:
            await self._leave(self._client, self._topics.all_offline())

    def _check(self, sources: Sequence[Source]) -> None:
        """Raise ConfigError for what can be known to be wrong before there is a broker."""
        settings = self._settings
        topics: dict[str, str] = {}
        for inverter in (source.inverter for source in sources):
            level = topic_level(inverter)
            if level in topics:
                raise ConfigError(f"mqtt: inverters {topics[level]!r} and {inverter!r} have one topic, {level}")
            topics[level] = inverter
        if self._broker.scheme == "mqtt" and settings.tls != Tls():
            raise ConfigError(f"{settings.url!r}: tls is for mqtts://")
        if settings.password != NO_SECRET and not self._broker.user:
            raise ConfigError(f"{settings.url!r}: a password needs a user, expected {self._broker.scheme}://USER@…")
        self._secrets()

    def _secrets(self) -> tuple[str, ssl.SSLContext | None]:
        """Return the password and what TLS needs; files are read anew each time. Raises ConfigError."""
        settings = self._settings
        password = os.environ.get(PASSWORD_VARIABLE, "") if settings.password == NO_SECRET else ""
        context = settings.tls.context() if self._broker.scheme == "mqtts" else None
        return password or settings.password.reveal(), context

    def _asked_for(self) -> list[Message]:
        """Return what Home Assistant has asked for since the last time."""
        messages = [Message(topic, "", 1, retain=True) for topic in self._stale]
        self._stale.clear()
        if self._home and self._is_reborn:
            messages += [Message(topic, payload, 1, retain) for topic, payload, retain in self._home.born()]
        self._is_reborn = False
        return messages

    async def _connected(self) -> Client:
        """Return a client that the broker has accepted, and told all. Raises SinkError."""
        lost = ""
        if self._client and self._client.ended.done():
            lost = self._client.ended.result()
            await self._leave(self._client, [])
        if self._client:
            return self._client
        client = await self._new_client()
        await self._while_connected(client, client.__aenter__())  # it lasts for longer than a block
        self._client = client
        if self._home:
            self._listener = asyncio.create_task(self._listen(client, self._home))
            topics = [(topic, 1) for topic in self._home.subscriptions]
            await self._while_connected(client, client.subscribe(topics))
        self._is_reborn = True
        # Nothing may look alive that is not: so the bridge is online only when all below it is told.
        messages = [*self._topics.all_shown(self._clock()), *self._asked_for(), self._topics.status(online=True)]
        await self._publish(client, messages)
        self._say_back(lost)
        return client

    async def _new_client(self) -> Client:
        from aiomqtt import ProtocolVersion, Will

        from rct_tools.sinks.broker import Client

        broker = self._broker
        try:
            password, context = await asyncio.to_thread(self._secrets)
        except ConfigError as exc:
            raise SinkError(f"{broker.label}: {exc}") from exc
        topic, payload, qos, retain = self._topics.status(online=False)
        return Client(
            broker.host,
            broker.port,
            username=broker.user or None,
            password=password or None,
            identifier=self._client_id,
            protocol=ProtocolVersion.V5 if self._settings.version == "5" else ProtocolVersion.V311,
            will=Will(topic, payload, qos, retain),
            keepalive=_KEEPALIVE,
            tls_context=context,
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
            refused=self._refused,
        )

    async def _listen(self, client: Client, home: HomeAssistant) -> None:
        """Hear what Home Assistant says, and do as it asks, until the connection ends: MqttError."""
        async for message in client.messages:
            topic, payload = str(message.topic), bytes(message.payload).decode(errors="replace")
            if topic == self._birth:
                self._is_reborn |= payload == "online"
            elif payload and home.is_stale(topic, payload):
                self._stale.add(topic)
            if not len(client.messages):  # no more for now
                async with self._publishing:
                    await _until_ended(client, client.send(self._asked_for()), _TIMEOUT)

    async def _publish(self, client: Client, messages: Sequence[Message]) -> None:
        for begin in range(0, len(messages), _BUNDLE):
            await self._while_connected(client, client.send(messages[begin : begin + _BUNDLE]))

    async def _while_connected(self, client: Client, work: Coroutine[Any, Any, object]) -> None:
        """Do something with a connection. Raises SinkError when it fails, ends or hangs; it is given up then."""
        from aiomqtt import MqttError

        job = await _until_ended(client, work, _TIMEOUT)
        exc = None if job.cancelled() else job.exception()
        if not job.cancelled() and exc is None:
            return
        why = _why(exc) if exc else f"no answer in {_TIMEOUT:.0f} s"
        if client.ended.done():
            why = client.ended.result()
        # A broker that only slept would take our going for a farewell, and not speak our will.
        await self._leave(client, [self._topics.status(online=False, qos=0)] if client is self._client else [])
        if exc and not isinstance(exc, MqttError | UnicodeError):  # UnicodeError: of a name that no host can have
            raise exc
        raise SinkError(f"{self._broker.label}: {why}{self._hint(why)}")

    async def _leave(self, client: Client, last_words: Sequence[Message]) -> None:
        self._client = None
        if not client.ended.done():
            await _until_ended(client, client.send(last_words), _FAREWELL)
            await _until_ended(client, client.__aexit__(None, None, None), _FAREWELL)
        if self._listener:
            self._listener.cancel()
            await asyncio.gather(self._listener, return_exceptions=True)
            self._listener = None

    def _say_back(self, lost: str) -> None:
        """Say that a connection was lost that nobody had missed; once, since two clients of one id do so for ever."""
        if lost and lost not in self._said:
            self._said.add(lost)
            text = "%s: %s, and made again; if that goes on, look for another client of the id %s"
            logger.warning(text, self._broker.label, lost, self._client_id)

    def _refused(self, why: str) -> None:
        if why not in self._said:
            self._said.add(why)
            text = "%s: some messages are refused: %s; what may %s publish there?"
            user = f"user {self._broker.user}" if self._broker.user else "everyone"
            logger.warning(text, self._broker.label, why, user)

    def _hint(self, why: str) -> str:
        """Return what can be done about it, in brackets."""
        user = f"user {self._broker.user}" if self._broker.user else "no user"
        login = f" ({user}; the password is that of the key password, or of {PASSWORD_VARIABLE})"
        version = f" ({self._settings.version} is asked for, by the key version)"
        hints = {
            "bad user name or password": login,
            "not authorized": login,
            "unsupported protocol version": version,
            "protocol error": version,
            "client identifier not valid": f" ({self._client_id}, by the key client_id)",
        }
        if self._broker.scheme == "mqtts":
            hints["connection reset by peer"] = " (is it the port for TLS?)"
        return hints.get(why, "")


async def _until_ended(client: Client, work: Coroutine[Any, Any, object], limit: float) -> asyncio.Task[object]:
    """Do something until it is done, the connection ends, or seconds are over; return the task, which has ended."""
    job = asyncio.create_task(work)
    either: list[asyncio.Future[Any]] = [job, client.ended]
    try:
        await asyncio.wait(either, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
    finally:
        job.cancel()
        await asyncio.gather(job, return_exceptions=True)
    return job


def _why(exc: BaseException) -> str:
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
