"""Orders from an MQTT broker, by a connection of their own, and what came of them. Needs the extra [mqtt].

What a broker has kept, or what waited while this program stood still, was meant for another time: it is refused.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

from rct_tools.errors import SinkError, WriteRefused
from rct_tools.homeassistant import topic_level
from rct_tools.link import STANDSTILL, backoff, ticking
from rct_tools.plan import Source
from rct_tools.sentence import Sentence, sentence_of
from rct_tools.sinks.account import Account, Settings, until_ended, why_failed
from rct_tools.sinks.topics import Message
from rct_tools.steering.commands import Commands
from rct_tools.steering.order import Order, Outcome, Result, Tell
from rct_tools.times import iso_time

if TYPE_CHECKING:
    from aiomqtt import Message as Received

    from rct_tools.sinks.broker import Client

logger = logging.getLogger(__name__)

BURST: Final = 20  # commands at once
RATE: Final = 1.0  # commands a second, for longer; what comes beyond is dropped, and counted
_TIMEOUT: Final = 10.0  # seconds: for a connection, and for the broker to take what is told
_FAREWELL: Final = 2.0  # seconds for the last words
_HEARTBEAT: Final = 1.0  # seconds
_DROPS_SAID: Final = 10.0  # seconds between lines that say it
_REFUSAL: Final = 128  # codes from here on refuse a subscription
_MOST_TOLD: Final = 200  # outcomes that wait for the broker; the oldest go

Take: TypeAlias = Callable[[Order, Tell], None]


def desk_for(settings: object, sources: Sequence[Source], take: Take) -> Desk | None:
    """Return who listens for orders at the broker of a sink; None for a sink that is none. Raises ConfigError."""
    steerable = tuple(source for source in sources if source.steerable)
    return Desk(settings, steerable, take) if isinstance(settings, Settings) and steerable else None


@dataclass(slots=True)
class _Allowance:
    """How many commands may come now."""

    ticking: Callable[[], float]
    left: float = BURST
    at: float = 0.0

    def take(self) -> bool:
        """Take one, if there is one."""
        now = self.ticking()
        self.left, self.at = min(BURST, self.left + (now - self.at) * RATE), now
        if self.left < 1:
            return False
        self.left -= 1
        return True


@dataclass(slots=True)
class _Outgoing:
    """What is to be told to the broker."""

    messages: deque[Message] = field(default_factory=lambda: deque(maxlen=_MOST_TOLD))
    there: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, message: Message) -> None:
        self.messages.append(message)
        self.there.set()

    async def get(self) -> list[Message]:
        """Return all there is, at least one."""
        await self.there.wait()
        self.there.clear()
        messages = list(self.messages)
        self.messages.clear()
        return messages


class Desk:
    """Listens at one broker for orders about some inverters, for ever."""

    def __init__(
        self,
        settings: Settings,
        sources: Sequence[Source],
        take: Take,
        *,
        clock: Callable[[], int] = time.time_ns,
        ticking: Callable[[], float] = ticking,
        pause: Callable[[int], float] = backoff,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """``take`` is given the orders. Nothing is connected yet. Raises ConfigError."""
        self.setup = (settings, tuple(sources))  # what tells whether it is still the same after a change
        self._account = Account(settings)
        self._client_id = self._account.client_id((source.inverter for source in sources), "control")
        self._commands = Commands(self._account.prefix, sources)
        self._take = take
        self._clock = clock
        self._ticking = ticking
        self._pause = pause
        self._sleep = sleep
        self._outgoing = _Outgoing()
        self._allowance = _Allowance(ticking, at=ticking())
        self._dropped: Counter[str] = Counter()  # commands too many, by inverter
        self._alive = ticking()
        self._asleep = 0.0  # seconds, at most, since there is a connection
        self._said: set[str] = set()

    async def run(self) -> None:
        """Listen until cancelled; a connection that is lost is made again. Each change is said once."""
        failures = 0
        is_away = False
        while True:
            try:
                client = await self._account.new_client(self._client_id, self._status(online=False), self._refused)
                try:
                    await self._open(client)
                    if is_away:
                        logger.warning("%s: orders can come again", self._account.label)
                    failures, is_away = 0, False
                    await self._serve(client)
                finally:
                    await self._leave(client)
            except SinkError as exc:
                failures += 1
                if not is_away:
                    logger.warning("%s; no orders can come until it is there again", exc)
                is_away = True
            await self._sleep(self._pause(failures))

    async def _open(self, client: Client) -> None:
        """Connect, and have what is ordered sent from now on. Raises SinkError."""
        await self._within(client, client.__aenter__())  # it lasts for longer than a block
        codes: Any = await self._within(client, client.subscribe([(it, 1) for it in self._commands.subscriptions]))
        if any(getattr(code, "value", code) >= _REFUSAL for code in codes):
            raise SinkError(f"{self._account.label}: may not listen to {', '.join(self._commands.subscriptions)}")
        await self._within(client, client.send([self._status(online=True)]))

    async def _serve(self, client: Client) -> None:
        """Take orders and tell outcomes until the connection ends. Raises SinkError."""
        from aiomqtt import MqttError

        self._alive, self._asleep = self._ticking(), 0.0
        jobs = [asyncio.create_task(job) for job in (self._listen(client), self._speak(client), self._beat())]
        either: list[asyncio.Future[Any]] = [*jobs, client.ended]
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for job in jobs:
                job.cancel()
            results = await asyncio.gather(*jobs, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception) and not isinstance(result, MqttError):
                raise result
        why = client.ended.result() if client.ended.done() else "the connection was lost"
        raise SinkError(self._account.explained(why, self._client_id))

    async def _listen(self, client: Client) -> None:
        async for message in client.messages:
            self._check_alive()
            self._hear(message)

    async def _speak(self, client: Client) -> None:
        while True:
            await self._within(client, client.send(await self._outgoing.get()))

    async def _beat(self) -> None:
        """Notice that this program stood still, and say what was dropped."""
        said_at = -_DROPS_SAID
        while True:
            await asyncio.sleep(_HEARTBEAT)
            self._check_alive()
            if self._dropped and self._ticking() - said_at >= _DROPS_SAID:
                said_at = self._ticking()
                for inverter, count in self._dropped.items():
                    text = f"{count} commands were dropped: {BURST} are taken at once, then {RATE:g} a second"
                    logger.warning("%s: %s: %s", self._account.label, inverter, text)
                    self._tell(self._refusal(inverter, "", Sentence(text)))
                self._dropped.clear()

    def _check_alive(self) -> None:
        """Raise SinkError when this program stood still: nobody knows how old that is which waited meanwhile."""
        now = self._ticking()
        self._asleep = max(self._asleep, now - self._alive - _HEARTBEAT)  # for good: all of the connection may be old
        self._alive = now
        if self._asleep > STANDSTILL:
            raise SinkError(f"{self._account.label}: this program stood still for {self._asleep:.0f} s")

    def _hear(self, message: Received) -> None:
        """Make an order of a message, or say why it is none."""
        topic, payload = str(message.topic), bytes(message.payload)
        inverter = self._commands.inverter(topic)
        if inverter is None or (message.retain and not payload):
            return
        if not self._allowance.take():
            self._dropped[inverter] += 1
            return
        try:
            if message.retain:
                raise WriteRefused(
                    f"{topic}: is retained by the broker, so it may be of any time; send it without retain"
                )
            wish = self._commands.read(topic, payload)
        except WriteRefused as exc:
            logger.info("%s: %s: %s", self._account.label, inverter, exc)
            shown = f"{topic}: {payload[:60].decode(errors='replace')}"
            self._tell(self._refusal(inverter, shown, sentence_of(exc)))
        else:
            self._take(Order(inverter, wish, self._account.label, self._clock()), self._tell)

    def _refusal(self, inverter: str, order: str, said: Sentence) -> Outcome:
        return Outcome(inverter, Sentence(order), self._account.label, Result.REFUSED, said, self._clock())

    def _tell(self, outcome: Outcome) -> None:
        said = {
            "time": iso_time(outcome.time),
            "order": outcome.order,
            "who": outcome.who,
            "outcome": outcome.result,
            "text": outcome.text,
        }
        topic = f"{self._account.prefix}/{topic_level(outcome.inverter)}/control/outcome"
        self._outgoing.put(Message(topic, msgspec.json.encode(said), 1, retain=False))

    def _status(self, *, online: bool) -> Message:
        return Message(f"{self._account.bridge}/control", "online" if online else "offline", 1, retain=True)

    def _refused(self, why: str) -> None:
        if why not in self._said:
            self._said.add(why)
            logger.warning("%s: some messages are refused: %s", self._account.label, why)

    async def _within(self, client: Client, work: Coroutine[Any, Any, object]) -> object:
        """Do something with a connection; return what it gives. Raises SinkError when it fails, ends or hangs."""
        from aiomqtt import MqttError

        job = await until_ended(client, work, _TIMEOUT)
        exc = None if job.cancelled() else job.exception()
        if not job.cancelled() and exc is None:
            return job.result()
        if exc and not isinstance(exc, MqttError | UnicodeError):
            raise exc
        why = why_failed(exc) if exc else f"no answer in {_TIMEOUT:.0f} s"
        raise SinkError(self._account.explained(client.ended.result() if client.ended.done() else why, self._client_id))

    async def _leave(self, client: Client) -> None:
        if not client.ended.done():
            await until_ended(client, client.send([self._status(online=False)]), _FAREWELL)
            await until_ended(client, client.__aexit__(None, None, None), _FAREWELL)
