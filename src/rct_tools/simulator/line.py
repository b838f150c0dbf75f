"""The serial line of an inverter, and the bridge that clients reach it by.

Requests are taken in the order they came; each answer leaves ``latency`` after its request, but not before the one
ahead of it is off the line. Whatever the inverter says goes to every client. What goes wrong with it is up to Trouble.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final, NamedTuple, TypeAlias, cast

from rct_tools.frame import Frame
from rct_tools.parser import FrameParser
from rct_tools.simulator.damage import PLUSES, on_the_wire
from rct_tools.simulator.trouble import Session, Trouble

log = logging.getLogger(__name__)

BYTE_TIME: Final = 10 / 115200  # seconds
END_OF_BURST: Final = PLUSES
UNREAD_LIMIT: Final = 256 * 1024  # bytes a client may leave unread before it is cut off
WAITING_LIMIT: Final = 512  # requests; beyond it no more are read from the clients

Saying: TypeAlias = Callable[[], Frame | bytes | None]  # asked when it is said, so that it is fresh


class _Turn(NamedTuple):
    """Something to say, in its turn."""

    due: float
    saying: Saying
    request: Frame | None = None  # which it answers
    number: int = 0  # of that request


class Line:
    """Takes requests from clients, and tells them all what ``answer`` returns; ``trouble`` may come between."""

    def __init__(self, answer: Callable[[Frame], Frame | None], latency: float, trouble: Trouble | None = None) -> None:
        self.trouble = trouble or Trouble()
        self._answer = answer
        self._latency = latency
        self._clients: set[Client] = set()
        self._waiting: deque[_Turn] = deque()
        self._requests = 0  # taken
        self._connections = 0  # that there have been
        self._more = asyncio.Event()
        self._moved = asyncio.Event()  # somebody came or left
        self._free = 0.0  # when the line is free again
        self._closed = False

    def request(self, frame: Frame) -> None:
        """Take a request; its answer follows in its turn."""
        self._requests += 1
        due = asyncio.get_running_loop().time() + self._latency
        self._put(_Turn(due, partial(self._answer, frame), frame, self._requests))
        if len(self._waiting) > WAITING_LIMIT:
            for client in self._clients:
                client.transport.pause_reading()

    def tell(self, frames: Iterable[Saying]) -> None:
        """Say something unasked, as one burst."""
        now = asyncio.get_running_loop().time()
        for frame in frames:
            self._put(_Turn(now, frame))
        self._put(_Turn(now, lambda: END_OF_BURST))

    def say(self, frame: Saying) -> None:
        """Say a single frame unasked."""
        self._put(_Turn(asyncio.get_running_loop().time(), frame))

    async def run(self) -> None:
        """Say what is to be said, each in its time, until cancelled."""
        clock = asyncio.get_running_loop().time
        while True:
            while not self._waiting:
                self._more.clear()
                await self._more.wait()
            turn = self._waiting[0]
            leaves = max(turn.due, self._free)
            await asyncio.sleep(leaves - clock())  # when it is late as well: clients get their turn
            if not (self._waiting and self._waiting[0] is turn):  # it was closed meanwhile
                continue
            self._waiting.popleft()
            if len(self._waiting) == WAITING_LIMIT // 2:
                for client in self._clients:
                    client.transport.resume_reading()
            said = turn.saying()
            if turn.request and self.trouble.faults.stub:
                await asyncio.sleep(leaves + len(on_the_wire(said)) * BYTE_TIME - clock())  # it can be cut to its end
            interrupted = turn.request is not None and turn.number < self._requests
            if data := self.trouble.says(said, turn.request, interrupted=interrupted):
                # Counted from when it should have left: a timer that fires late must not slow the line down.
                self._free = leaves + len(data) * BYTE_TIME
                self.send(data)

    def send(self, data: bytes) -> None:
        """Send bytes to every client. All that the inverter says comes through here."""
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

    def open(self) -> None:
        """Take clients again, after it was closed."""
        self._closed = False

    def close(self) -> None:
        """Cut off all clients, and those who are just coming. What was still to be said never is."""
        self._closed = True
        self.drop()
        self._waiting.clear()
        self.trouble.forget()

    def drop(self) -> None:
        """Cut off all clients."""
        for client in list(self._clients):
            client.transport.abort()
            self.left(client)

    def drop_idle(self) -> None:
        """End the connections that have asked nothing for too long."""
        for client in list(self._clients):
            if self.trouble.is_idle(client.session):
                client.transport.close()
                self.left(client)

    def join(self, client: Client) -> Session | None:
        """Know a client from now on, and return what the bridge knows of it; None when it is turned away."""
        self._connections += 1
        session = None if self._closed else self.trouble.begins(self._connections, len(self._clients))
        if session is not None:
            self._clients.add(client)
            self._moved.set()
        return session

    def left(self, client: Client) -> None:
        """Forget a client."""
        self._clients.discard(client)
        self._moved.set()

    def _put(self, turn: _Turn) -> None:
        if self._closed:
            return
        self._waiting.append(turn)
        self._more.set()


class Client(asyncio.Protocol):
    """One connection to the bridge."""

    transport: asyncio.Transport
    session: Session

    def __init__(self, line: Line) -> None:
        self._line = line
        self._parser = FrameParser()
        self._peer = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        host, port, *_ = transport.get_extra_info("peername") or ("somebody", 0)  # who has left already
        self._peer = f"{host}:{port}"
        session = self._line.join(self)
        if session is None:
            log.info("%s: turned away", self._peer)
            self.transport.abort()
            return
        self.session = session
        log.info("%s: connected", self._peer)
        if greeting := self._line.trouble.greeting(session):
            self.transport.write(greeting)

    def data_received(self, data: bytes) -> None:
        requests = []
        for event in self._parser.feed(data):
            if isinstance(event, Frame):
                requests.append(event)
            else:
                log.debug("%s: dropped %d bytes: %s", self._peer, len(event.data), event.reason)
        if requests:
            self.session.asks(asyncio.get_running_loop().time())
        for request in self._line.trouble.hears(requests, self.session.number):
            self._line.request(request)

    def connection_lost(self, exc: Exception | None) -> None:
        self._line.left(self)
        log.info("%s: left%s", self._peer, f": {exc}" if exc else "")

    def send(self, data: bytes) -> None:
        """Send bytes, or cut the client off when it does not read what it gets."""
        if not self._line.trouble.reaches(self.session, data):
            return
        if self.transport.get_write_buffer_size() > UNREAD_LIMIT:
            log.warning("%s: cut off: it left %d bytes unread", self._peer, self.transport.get_write_buffer_size())
            self.transport.abort()
            self._line.left(self)
        else:
            self.transport.write(data)
