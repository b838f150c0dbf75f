"""The serial line of an inverter, and the bridge that clients reach it by.

Requests are taken in the order they came; each answer leaves ``latency`` after its request, but not before the one
ahead of it is off the line. Whatever the inverter says goes to every client.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final, TypeAlias, cast

from rct_tools.frame import Frame
from rct_tools.parser import FrameParser

log = logging.getLogger(__name__)

BYTE_TIME: Final = 10 / 115200  # seconds
END_OF_BURST: Final = b"+++"
UNREAD_LIMIT: Final = 256 * 1024  # bytes a client may leave unread before it is cut off
WAITING_LIMIT: Final = 512  # requests; beyond it no more are read from the clients

Saying: TypeAlias = Callable[[], Frame | bytes | None]  # asked when it is said, so that it is fresh


class Line:
    """Takes requests from clients, and tells them all what ``answer`` returns."""

    def __init__(self, answer: Callable[[Frame], Frame | None], latency: float) -> None:
        self._answer = answer
        self._latency = latency
        self._clients: set[Client] = set()
        self._waiting: deque[tuple[float, Saying]] = deque()
        self._more = asyncio.Event()
        self._moved = asyncio.Event()  # somebody came or left
        self._free = 0.0  # when the line is free again
        self._closed = False

    def request(self, frame: Frame) -> None:
        """Take a request; its answer follows in its turn."""
        self._put(asyncio.get_running_loop().time() + self._latency, partial(self._answer, frame))
        if len(self._waiting) > WAITING_LIMIT:
            for client in self._clients:
                client.transport.pause_reading()

    def tell(self, frames: Iterable[Saying]) -> None:
        """Say something unasked, as one burst."""
        now = asyncio.get_running_loop().time()
        for frame in frames:
            self._put(now, frame)
        self._put(now, lambda: END_OF_BURST)

    async def run(self) -> None:
        """Say what is to be said, each in its time, until cancelled."""
        clock = asyncio.get_running_loop().time
        while True:
            while not self._waiting:
                self._more.clear()
                await self._more.wait()
            due, saying = self._waiting.popleft()
            if len(self._waiting) == WAITING_LIMIT // 2:
                for client in self._clients:
                    client.transport.resume_reading()
            leaves = max(due, self._free)
            await asyncio.sleep(leaves - clock())  # when it is late as well: clients get their turn
            if data := on_the_wire(saying()):
                # Counted from when it should have left: a timer that fires late must not slow the line down.
                self._free = leaves + len(data) * BYTE_TIME
                self.send(data)

    def send(self, data: bytes) -> None:
        """Send bytes to every client. All that the inverter says comes through here: faults of the line go here."""
        for client in list(self._clients):
            client.send(data)

    def connect(self) -> Client:
        """Return the protocol for a client that has just come."""
        return Client(self)

    async def until(self, *, clients: bool) -> None:
        """Wait until somebody is connected, or until nobody is."""
        while bool(self._clients) is not clients:
            self._moved.clear()
            await self._moved.wait()

    def finish(self) -> None:
        """Let all clients go once they have what was sent to them; those who are just coming are cut off."""
        self._closed = True
        for client in list(self._clients):
            client.transport.close()

    def close(self) -> None:
        """Cut off all clients, and those who are just coming."""
        self._closed = True
        for client in list(self._clients):
            client.transport.abort()

    def joined(self, client: Client) -> None:
        """Know a client from now on."""
        self._clients.add(client)
        self._moved.set()
        if self._closed:
            client.transport.abort()

    def left(self, client: Client) -> None:
        """Forget a client."""
        self._clients.discard(client)
        self._moved.set()

    def _put(self, due: float, saying: Saying) -> None:
        self._waiting.append((due, saying))
        self._more.set()


class Client(asyncio.Protocol):
    """One connection to the bridge."""

    transport: asyncio.Transport

    def __init__(self, line: Line) -> None:
        self._line = line
        self._parser = FrameParser()
        self._peer = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        host, port, *_ = transport.get_extra_info("peername") or ("somebody", 0)  # who has left already
        self._peer = f"{host}:{port}"
        self._line.joined(self)
        log.info("%s: connected", self._peer)

    def data_received(self, data: bytes) -> None:
        for event in self._parser.feed(data):
            if isinstance(event, Frame):
                self._line.request(event)
            else:
                log.debug("%s: dropped %d bytes: %s", self._peer, len(event.data), event.reason)

    def connection_lost(self, exc: Exception | None) -> None:
        self._line.left(self)
        log.info("%s: left%s", self._peer, f": {exc}" if exc else "")

    def send(self, data: bytes) -> None:
        """Send bytes, or cut the client off when it does not read what it gets."""
        if self.transport.get_write_buffer_size() > UNREAD_LIMIT:
            log.warning("%s: cut off: it left %d bytes unread", self._peer, self.transport.get_write_buffer_size())
            self.transport.abort()
            self._line.left(self)
        else:
            self.transport.write(data)


def on_the_wire(said: Frame | bytes | None) -> bytes:
    """Return the bytes that the device sends, with a 00 before a frame; none for None."""
    return b"\0" + said.encode() if isinstance(said, Frame) else said or b""
