"""A TCP connection to an inverter that comes back by itself.

It knows bytes and their time, nothing of frames. Sending is up to the user: a link that is only iterated sends nothing.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import random
import re
import socket
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from rct_tools.address import show_address
from rct_tools.capture import Chunk, Direction
from rct_tools.errors import ConnectFailed, ConnectionLost
from rct_tools.sentence import Sentence, Sentences

logger = logging.getLogger(__name__)

PORT: Final = 8899
CONNECT_TIMEOUT: Final = 5.0
SOON: Final = 10.0  # seconds between tries while it may be back any moment: a reboot takes half a minute
SOON_TRIES: Final = 40  # about five minutes of them
LONGEST_PAUSE: Final = 300.0  # an inverter without a battery is off all night
SETTLED: Final = 10.0  # seconds that a connection has to last before the failures until then are forgotten
STANDSTILL: Final = 2.0  # seconds this program may stand still before what was received meanwhile has no known time
_READ_SIZE: Final = 65536


class _Says(Sentences):
    CANNOT_CONNECT = "cannot connect: {error}"
    LINK_LOST = "connection lost: {error}"
    LINK_CLOSED = "the inverter closed the connection"
    STOOD_STILL = "this program stood still for {seconds} s"
    UNKNOWN_HOST = "unknown host"
    NO_ANSWER_WITHIN = "no answer within {seconds:.0f} s"
    LINK_REFUSED = "connection refused"
    LINK_RESET = "connection reset by peer"
    LINK_TIMED_OUT = "connection timed out"
    NO_ROUTE = "no route to host"
    NO_NETWORK = "network is unreachable"


_ERRORS: Final[Mapping[int, Sentences]] = {  # what an inverter that is away makes of a connection
    errno.ECONNREFUSED: _Says.LINK_REFUSED,
    errno.ECONNRESET: _Says.LINK_RESET,
    errno.ETIMEDOUT: _Says.LINK_TIMED_OUT,
    errno.EHOSTUNREACH: _Says.NO_ROUTE,
    errno.ENETUNREACH: _Says.NO_NETWORK,
}


@dataclass(frozen=True, slots=True)
class Up:
    """A connection has been made."""


@dataclass(frozen=True, slots=True)
class Down:
    """A connection ended or could not be made; the link goes on trying."""

    reason: Sentence
    failures: int  # in a row, without a connection that lasted between them


LinkEvent: TypeAlias = Chunk | Up | Down


def backoff(failures: int) -> float:
    """Return how long to wait, in seconds, after so many failures in a row, with jitter.

    It doubles to ten seconds, stays there for about five minutes, and doubles again to five minutes.
    """
    late = max(0, failures - SOON_TRIES)
    longest = min(LONGEST_PAUSE, SOON * 2.0 ** min(late, 16), 0.25 * 2.0 ** min(failures, 16))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311  # no secret


def ticking() -> float:
    """Return seconds that go on while the machine is suspended, where the system tells them."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class Link:
    """One connection, made again whenever it is lost.

    ``tries`` is how many failures in a row end it, None for never; it may be changed at any time. Each change between
    connected and not is logged in one line. What waited while this program stood still has no known time, so it is
    dropped with its connection, unless ``keep_late`` says that the bytes matter more than their time.
    """

    def __init__(
        self,
        host: str,
        port: int = PORT,
        *,
        tries: int | None = 3,
        pause: Callable[[int], float] = backoff,
        clock: Callable[[], int] = time.time_ns,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        ticking: Callable[[], float] = ticking,
        settled: float = SETTLED,
        keep_late: bool = False,
        tap: Callable[[Chunk], None] = lambda _chunk: None,
    ) -> None:
        """``tap`` is called with every chunk as it crosses the wire, in both directions."""
        self.host = host
        self.port = port
        self.peer = show_address(host, port)
        self.tries = tries
        self.reconnects = 0
        self._pause = pause
        self._clock = clock
        self._sleep = sleep
        self._ticking = ticking
        self._settled = settled
        self._keep_late = keep_late
        self._tap = tap
        self._writer: asyncio.StreamWriter | None = None
        self._dropped: Sentence | None = None  # why we ended the connection ourselves

    async def events(self) -> AsyncGenerator[LinkEvent, None]:
        """Yield what happens: Up, chunks as they are received, Down, and so on. To be closed when no longer wanted.

        Raises ConnectFailed when no connection was ever made, ConnectionLost when one was, after ``tries`` failures.
        """
        failures = 0
        connected = False
        away_since: float | None = None
        while True:
            try:
                async with asyncio.timeout(CONNECT_TIMEOUT):
                    reader, writer = await asyncio.open_connection(self.host, self.port)
            except (OSError, TimeoutError, UnicodeError) as exc:
                reason = _Says.CANNOT_CONNECT(error=_describe(exc))
            else:
                self._writer = writer
                self._dropped = None
                self.reconnects += connected
                connected = True
                since = self._ticking()
                try:
                    keep_alive(writer.transport)
                    yield Up()
                    while data := await self._read(reader):
                        if self._ticking() - since >= self._settled:
                            failures = 0
                        if away_since is not None:
                            away = self._ticking() - away_since
                            logger.log(self._level(), "%s: there again after %.0f s", self.peer, away)
                            away_since = None
                        chunk = Chunk(self._clock(), Direction.RECEIVED, data, self.reconnects)
                        self._tap(chunk)
                        yield chunk
                    reason = self._dropped or _Says.LINK_CLOSED()
                except OSError as exc:
                    reason = self._dropped or _Says.LINK_LOST(error=_describe(exc))
                finally:
                    self._writer = None
                    writer.transport.abort()
            failures += 1
            if self.tries is not None and failures >= self.tries:
                error = ConnectionLost if connected else ConnectFailed
                raise error(
                    f"{self.peer}: {reason} (tried {failures} times)" if failures > 1 else f"{self.peer}: {reason}"
                )
            if away_since is None:
                away_since = self._ticking()
                logger.log(self._level(), "%s: %s; trying again", self.peer, reason)
            yield Down(reason, failures)
            await self._sleep(self._pause(failures))

    async def _read(self, reader: asyncio.StreamReader) -> bytes:
        """Return what came, unless this program or machine was asleep since: then nobody knows when it came."""
        while True:
            looked = self._ticking()
            try:
                async with asyncio.timeout(1.0):
                    data = await reader.read(_READ_SIZE)
            except TimeoutError:
                data = None
            if not self._keep_late and (asleep := self._ticking() - looked - 1.0) > STANDSTILL:
                self._dropped = _Says.STOOD_STILL(seconds=round(asleep))
                return b""
            if data is not None:
                return data

    def _level(self) -> int:
        """Whoever never gives up needs to be told; otherwise the error at the end says it."""
        return logging.WARNING if self.tries is None else logging.INFO

    def send(self, data: bytes) -> None:
        """Send bytes in one call, if there is a connection; what is sent without one is lost, as on any wire."""
        if self._writer is not None:
            self._writer.write(data)
            self._tap(Chunk(self._clock(), Direction.SENT, data, self.reconnects))

    def drop(self, reason: Sentence) -> None:
        """End the connection, so that a new one is made."""
        if self._writer is not None:
            self._dropped = reason
            self._writer.transport.abort()


def keep_alive(transport: asyncio.BaseTransport) -> None:
    """Notice a peer that vanished without a word, also when nothing is ever sent to it."""
    sock = transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4)):
        if hasattr(socket, option):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


def _describe(exc: BaseException) -> Sentence:
    if isinstance(exc, socket.gaierror | UnicodeError):
        return _Says.UNKNOWN_HOST()
    if isinstance(exc, TimeoutError) and exc.errno is None:
        return _Says.NO_ANSWER_WITHIN(seconds=CONNECT_TIMEOUT)
    # A host with several addresses fails with all their errors in one text.
    number = getattr(exc, "errno", None) or next(map(int, re.findall(r"\[Errno (\d+)\]", str(exc))), None)
    if number and (said := _ERRORS.get(number)):
        return said()
    text = os.strerror(number) if number else str(exc) or type(exc).__name__
    return Sentence(text[:1].lower() + text[1:])
