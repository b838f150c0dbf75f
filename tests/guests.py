"""A proxy with an inverter behind it and clients before it, all on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from rct_tools.capture import Chunk, Direction
from rct_tools.client import Client, connect
from rct_tools.frame import Command, Frame
from rct_tools.objects import registry
from rct_tools.parser import FrameParser
from rct_tools.proxy import Proxy, ProxySetup, Tap
from rct_tools.simulator import Simulator

START: Final = datetime(2024, 5, 27, 12, 3, 7)  # noqa: DTZ001  # what the clock on the wall shows
NOW: Final = int((START - datetime(1970, 1, 1)).total_seconds())  # noqa: DTZ001  # the same, as inverters count it
WAIT: Final = 200.0  # seconds after which what is waited for does not come any more


async def until(condition: Callable[[], object]) -> None:
    """Wait until something has become true."""
    async with asyncio.timeout(WAIT):
        while not condition():  # noqa: ASYNC110  # what is waited for is not ours to tell
            await asyncio.sleep(0.001)


async def turns(count: int = 20) -> None:
    """Let the loop go round, for what is sent to arrive, in no time of its clock."""
    for _ in range(count):
        await asyncio.sleep(0)


def read(*names: str) -> list[Frame]:
    return [Frame(Command.READ, registry[name].object_id) for name in names]


def write(name: str, value: Any) -> Frame:
    info = registry[name]
    return Frame(Command.WRITE, info.object_id, info.encode(value))


def page(name: str, before: int = NOW) -> Frame:
    return Frame(Command.WRITE, registry[name].object_id, before.to_bytes(4))


def simulate(**options: Any) -> Simulator:
    """A quiet one whose clock stands still, unless told otherwise."""
    quiet: dict[str, Any] = {"port": 0, "latency": 0.06, "broadcast": False, "speed": 0.0, "start": START}
    return Simulator(**(quiet | options))


class Guest:
    """A client of a proxy that keeps all it gets."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.raw = b""
        self.frames: list[Frame] = []
        self._heard = 0  # of the frames
        self._parser = FrameParser()

    def ask(self, *frames: Frame) -> None:
        self.writer.write(b"".join(frame.encode() for frame in frames))

    async def hear(self, count: int = 1) -> list[Frame]:
        """Return the next frames."""
        before = self._heard
        self._heard += count
        async with asyncio.timeout(WAIT):
            while len(self.frames) < self._heard:
                data = await self.reader.read(65536)
                assert data, "cut off"
                self.take(data)
        return self.frames[before : self._heard]

    def take(self, data: bytes) -> None:
        self.raw += data
        for event in self._parser.feed(data):
            assert isinstance(event, Frame), event
            self.frames.append(event)

    async def answers(self, *frames: Frame) -> list[Frame]:
        """Ask, and return as many of the frames that come next."""
        self.ask(*frames)
        return await self.hear(len(frames))

    async def value(self, name: str) -> Any:
        """Read an object; nothing else may come before its answer."""
        (frame,) = await self.answers(*read(name))
        assert registry[frame.object_id].name == name
        return registry[name].decode(frame.payload)

    async def silence(self, seconds: float) -> bool:
        """Return whether nothing comes for so long."""
        before = len(self.raw)
        end = asyncio.get_running_loop().time() + seconds
        while (left := end - asyncio.get_running_loop().time()) > 0:
            try:
                async with asyncio.timeout(left):
                    data = await self.reader.read(65536)
            except TimeoutError:
                break
            assert data, "cut off"
            self.take(data)
        self._heard = len(self.frames)
        return len(self.raw) == before

    async def is_cut(self) -> bool:
        """Return true once it is cut off."""
        with suppress(ConnectionError):
            async with asyncio.timeout(WAIT):
                while data := await self.reader.read(65536):
                    self.take(data)
        return True


@dataclass
class House:
    """What there is."""

    inverter: Client
    proxy: Proxy
    asked: list[Frame] = field(default_factory=list)  # of the inverter, in order
    wire: bytearray = field(default_factory=bytearray)  # all that was sent to it

    @asynccontextmanager
    async def guest(self, *, settled: bool = True) -> AsyncIterator[Guest]:
        """Connect a client; ``settled`` waits until the proxy has known it for a while."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.proxy.port)
        try:
            if settled:
                await asyncio.sleep(1.001)
            yield Guest(reader, writer)
        finally:
            writer.transport.abort()
            await turns(2)


@asynccontextmanager
async def house(
    upstream: Simulator | int | None = None,
    *,
    tries: int | None = None,
    patience: float = 1.0,
    capture: str = "",
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    **setup: Any,
) -> AsyncIterator[House]:
    """Put a proxy before a simulator, or before what listens on a port."""
    async with AsyncExitStack() as stack:
        if upstream is None:
            upstream = await stack.enter_async_context(simulate())
        port = upstream if isinstance(upstream, int) else upstream.port
        tap = Tap(capture)
        stack.callback(tap.close)
        parser = FrameParser()
        asked: list[Frame] = []
        wire = bytearray()

        def look(chunk: Chunk) -> None:
            tap.upstream(chunk)
            if chunk.direction is Direction.SENT:
                wire.extend(chunk.data)
                asked.extend(event for event in parser.feed(chunk.data) if isinstance(event, Frame))

        ticking = asyncio.get_running_loop().time  # or a machine that is busy seemed to have slept
        inverter = connect(
            "127.0.0.1", port, tries=tries, timeout=patience, pause=lambda _: 0.01, ticking=ticking, tap=look
        )
        await stack.enter_async_context(inverter)
        await until(lambda: inverter.connected)
        proxy = await stack.enter_async_context(Proxy(inverter, ProxySetup(port=0, **setup), tap, sleep=sleep))
        yield House(inverter, proxy, asked, wire)
        await turns(2)
