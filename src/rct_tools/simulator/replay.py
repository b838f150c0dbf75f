"""A capture once more, at its own pace; as a server, it is an inverter made of the capture.

with FileIO("roof.rctcap") as file:
    async with Replay(read_capture(file, "roof.rctcap", 8899), port=0) as replay:
        ...  # connect to replay.port
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import aclosing, suppress
from itertools import chain
from typing import Final, TypeAlias

from rct_tools.capture import CaptureItem, Chunk
from rct_tools.errors import CaptureError
from rct_tools.simulator.line import Line
from rct_tools.simulator.recorded import RecordedInverter
from rct_tools.simulator.server import Job, LineServer
from rct_tools.times import SECOND

LATENCY: Final = 0.06  # seconds until an answer
FAREWELL: Final = 2.0  # seconds that clients have at the end, to take what was sent to them
DISORDER: Final = 10 * SECOND
"""Nanoseconds that packets may change places by on their way; a time further back is that of a clock that was set."""

Sleep: TypeAlias = Callable[[float], Awaitable[object]]


def loop_time() -> float:
    """Return the clock that asyncio sleeps by, in seconds."""
    return asyncio.get_running_loop().time()


async def paced(
    items: Iterable[CaptureItem],
    speed: float = 1.0,
    *,
    clock: Callable[[], float] = loop_time,
    sleep: Sleep = asyncio.sleep,
) -> AsyncGenerator[Chunk, None]:
    """Yield the chunks of a capture when they are due: as far apart as their times, divided by ``speed``.

    With ``speed`` 0, and where no times are known, all are due at once. Each time counts from the first, so that the
    pace neither drifts nor falls behind for good when the chunks are taken slowly. A clock that was set back between
    two chunks takes no time, and what could not be read is left out. A chunk is read while the one before it is due.
    """
    begin = clock()
    passed = last = 0  # nanoseconds: of the capture so far, and the time of its latest chunk
    for item in items:
        if not isinstance(item, Chunk):
            continue
        step = item.time - (last or item.time)
        if item.time and not -DISORDER <= step < 0:
            passed += max(step, 0)
            last = item.time
        due = begin + passed / SECOND / speed if speed > 0 else begin
        await sleep(max(0.0, due - clock()))  # when it is late as well: others get their turn
        yield item


class Replay(LineServer):
    """An inverter made of a capture, as a server on TCP. The capture begins when the first client comes.

    What the inverter said unasked is told again in its rhythm. Requests are answered with what the capture told last
    up to that moment; before that, and to all that is written, there is silence. ``speed`` says how fast the time of
    the capture runs; answers keep real time. At the end of the capture, all connections are ended.
    """

    def __init__(
        self,
        items: Iterable[CaptureItem],
        host: str = "127.0.0.1",
        port: int = 8899,
        *,
        speed: float = 1.0,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._inverter = RecordedInverter()
        super().__init__(host, port, Line(self._inverter.answer, LATENCY))
        self.time = 0  # in the capture: of its latest chunk (UTC, nanoseconds)
        self._items = items
        self._speed = speed
        self._sleep = sleep

    async def start(self) -> None:
        """Begin to serve. Raises CaptureError for a capture without times, OSError when the address cannot be had."""
        items = iter(self._items)
        first = next((item for item in items if isinstance(item, Chunk)), None)
        if first is None:
            raise CaptureError("the capture is empty, there is nothing to serve")
        if not first.time:
            raise CaptureError(
                "the capture keeps no times, so it has no rhythm to serve; .rctcap and .pcapng keep them"
            )
        self.time = first.time
        self._items = chain([first], items)
        await super().start()

    def jobs(self) -> list[Job]:
        return [self._tell()]

    async def _tell(self) -> None:
        await self.line.until(clients=True)
        async with aclosing(paced(self._items, self._speed, sleep=self._sleep)) as chunks:
            async for chunk in chunks:
                self.time = chunk.time
                self.line.send(self._inverter.take(chunk))
        self.line.send(self._inverter.close())
        self.line.finish()
        with suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL):
                await self.line.until(clients=False)
