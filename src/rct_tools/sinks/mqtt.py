"""Readings on an MQTT broker: each object has a topic, PREFIX/INVERTER/GROUP/OBJECT, which shows its newest value.

What is old goes to PREFIX/INVERTER/late and touches no state. PREFIX/status and PREFIX/INVERTER/status say whether what
is shown can be believed: docs/mqtt.md. Needs the extra [mqtt].
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Final

from rct_tools.errors import ConfigError, SinkError
from rct_tools.homeassistant import HomeAssistant, topic_level
from rct_tools.plan import Source
from rct_tools.reading import Reading
from rct_tools.sinks.account import PASSWORD_VARIABLE, PREFIX, Account, Settings, until_ended, why_failed
from rct_tools.sinks.topics import Message, Rules, Topics

if TYPE_CHECKING:
    from rct_tools.sinks.broker import Client

__all__ = ["PASSWORD_VARIABLE", "PREFIX", "MqttSink", "Settings", "open_sink"]

logger = logging.getLogger(__name__)

_TIMEOUT: Final = 10.0  # seconds: for a connection, and for the broker to take a bundle of messages
_FAREWELL: Final = 2.0  # seconds for the last words
_BUNDLE: Final = 500  # messages


def open_sink(settings: Settings, sources: Sequence[Source]) -> MqttSink:
    """Return the sink for ``mqtt://[USER@]HOST[:1883]/[PREFIX]``, or ``mqtts://…`` for TLS. Raises ConfigError."""
    return MqttSink(settings, sources)


class MqttSink:
    """A broker. The connection is kept, and made anew by the next write after it was lost."""

    def __init__(
        self, settings: Settings, sources: Sequence[Source], *, clock: Callable[[], int] = time.time_ns
    ) -> None:
        """Nothing is sent yet. Raises ConfigError, also when the extra is missing."""
        self._account = account = Account(settings)
        self._clock = clock
        self._client: Client | None = None
        self._listener: asyncio.Task[None] | None = None
        self._said: set[str] = set()
        self._check(sources)
        self._client_id = account.client_id(source.inverter for source in sources)
        self._home: HomeAssistant | None = None
        if account.discovery:
            self._home = HomeAssistant(
                sources, prefix=account.prefix, bridge=account.bridge, discovery=account.discovery
            )
            self._birth = f"{account.discovery}/status"
        rules = Rules(
            is_json=settings.payload == "json",
            every=settings.every,
            refresh=settings.refresh,
            dead_band=settings.dead_band,
            retain=settings.retain,
            qos=settings.qos,
        )
        self._topics = Topics(account.prefix, account.bridge, sources, rules, self._home)
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
        topics: dict[str, str] = {}
        for inverter in (source.inverter for source in sources):
            level = topic_level(inverter)
            if level in topics:
                raise ConfigError(f"mqtt: inverters {topics[level]!r} and {inverter!r} have one topic, {level}")
            topics[level] = inverter
        self._account.check()

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
        client = await self._account.new_client(self._client_id, self._topics.status(online=False), self._refused)
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
                    await until_ended(client, client.send(self._asked_for()), _TIMEOUT)

    async def _publish(self, client: Client, messages: Sequence[Message]) -> None:
        for begin in range(0, len(messages), _BUNDLE):
            await self._while_connected(client, client.send(messages[begin : begin + _BUNDLE]))

    async def _while_connected(self, client: Client, work: Coroutine[Any, Any, object]) -> None:
        """Do something with a connection. Raises SinkError when it fails, ends or hangs; it is given up then."""
        from aiomqtt import MqttError

        job = await until_ended(client, work, _TIMEOUT)
        exc = None if job.cancelled() else job.exception()
        if not job.cancelled() and exc is None:
            return
        why = why_failed(exc) if exc else f"no answer in {_TIMEOUT:.0f} s"
        if client.ended.done():
            why = client.ended.result()
        # A broker that only slept would take our going for a farewell, and not speak our will.
        await self._leave(client, [self._topics.status(online=False, qos=0)] if client is self._client else [])
        if exc and not isinstance(exc, MqttError | UnicodeError):  # UnicodeError: of a name that no host can have
            raise exc
        raise SinkError(self._account.explained(why, self._client_id))

    async def _leave(self, client: Client, last_words: Sequence[Message]) -> None:
        self._client = None
        if not client.ended.done():
            await until_ended(client, client.send(last_words), _FAREWELL)
            await until_ended(client, client.__aexit__(None, None, None), _FAREWELL)
        if self._listener:
            self._listener.cancel()
            await asyncio.gather(self._listener, return_exceptions=True)
            self._listener = None

    def _say_back(self, lost: str) -> None:
        """Say that a connection was lost that nobody had missed; once, since two clients of one id do so for ever."""
        if lost and lost not in self._said:
            self._said.add(lost)
            text = "%s: %s, and made again; if that goes on, look for another client of the id %s"
            logger.warning(text, self._account.label, lost, self._client_id)

    def _refused(self, why: str) -> None:
        if why not in self._said:
            self._said.add(why)
            text = "%s: some messages are refused: %s; what may %s publish there?"
            user = f"user {self._account.user}" if self._account.user else "everyone"
            logger.warning(text, self._account.label, why, user)
