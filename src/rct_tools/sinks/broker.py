"""A connection to an MQTT broker: aiomqtt's, which also tells what aiomqtt passes over. Needs the extra [mqtt]."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Sequence
from typing import Any, Final

import aiomqtt

from rct_tools.sinks.topics import Message

WINDOW: Final = 20  # messages on their way at once: paho has no more, and Mosquitto announces that it takes as many
_CHATTER: Final = logging.getLogger(f"{__name__}.chatter")
_CHATTER.setLevel(logging.CRITICAL)  # what goes wrong is told by exceptions, and said once by those who get them

LOST: Final = "the connection was lost"
HUNG_UP: Final = "the broker ends the connection without a word; does it want TLS, or a certificate of ours?"


class Client(aiomqtt.Client):
    """A client for one connection. ``ended`` says why it is over.

    All else waits for a broker that is gone, for ever: whoever waits for an answer waits for ``ended`` too.
    """

    def __init__(self, *args: Any, refused: Callable[[str], None], **keys: Any) -> None:
        """``refused`` is told why the broker did not take a message; only MQTT 5 has words for it."""
        super().__init__(*args, logger=_CHATTER, timeout=math.inf, **keys)
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._refused = refused

    async def send(self, messages: Sequence[Message]) -> None:
        """Publish in order; return when the broker has taken all. Raises MqttError."""
        waiting = iter(messages)

        async def work() -> None:
            for topic, payload, qos, retain in waiting:
                await self.publish(topic, payload, qos, retain)

        try:
            async with asyncio.TaskGroup() as group:  # no task for each message
                for _ in range(min(WINDOW, len(messages))):
                    group.create_task(work())
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None

    def _on_disconnect(self, client: Any, userdata: Any, flags: Any, reason: Any, properties: Any = None) -> None:
        if not self.ended.done():
            self.ended.set_result(self._reason(reason))
        if self._connected.cancelled():
            return  # nobody waits for it, and aiomqtt stumbles over it
        super()._on_disconnect(client, userdata, flags, reason, properties)
        if self._disconnected.done():
            self._disconnected.exception()  # asyncio complains of what nobody looks at

    def _reason(self, reason: Any) -> str:
        accepted = self._connected
        is_answered = accepted.done() and not accepted.cancelled()
        if is_answered and isinstance(refusal := accepted.exception(), aiomqtt.MqttCodeError):
            reason = refusal.rc  # known better than that it is over
        text = str(reason).lower()
        return text if text != "unspecified error" else LOST if is_answered else HUNG_UP

    def _on_socket_register_write(self, client: Any, _userdata: Any, sock: Any) -> None:
        # aiomqtt does so later and by number: that of a socket which may be closed by then, or be somebody else's.
        def register() -> None:
            if sock.fileno() >= 0:
                self._loop.add_writer(sock.fileno(), client.loop_write)

        try:
            asyncio.get_running_loop()
        except RuntimeError:  # while paho connects, in a thread
            self._loop.call_soon_threadsafe(register)
        else:
            register()

    def _on_publish(self, client: Any, userdata: Any, mid: int, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            self._refused(str(reason).lower())
        super()._on_publish(client, userdata, mid, reason, properties)
