"""An inverter in a capture: what is seen of it while the capture passes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from rct_tools.capture import Chunk
from rct_tools.errors import CaptureError
from rct_tools.frame import Frame
from rct_tools.health import Quality
from rct_tools.live import Live, Picture
from rct_tools.objects import ObjectInfo
from rct_tools.plan import fresh_for
from rct_tools.reading import BadReading, Reading, read_frame
from rct_tools.simulator.replay import Sleep, loop_time, paced
from rct_tools.stream import Found, Streams
from rct_tools.times import SECOND

_CYCLE: Final = 31 * SECOND  # of what an inverter tells unasked: more often, nobody may have asked it


class Recorded:
    """The inverter of a capture, as a Source: nobody can ask it anything, and its time is that of the capture."""

    log = None

    def __init__(
        self, path: str, chunks: Iterator[Chunk], zone: ZoneInfo, speed: float = 1.0, *, sleep: Sleep = asyncio.sleep
    ) -> None:
        self.title = Path(path).name + (f" ×{speed:g}" if speed not in (0, 1) else "")
        self.zone = zone
        self._path = path
        self._chunks = chunks
        self._speed = speed
        self._sleep = sleep
        self._live = Live(path, zone=zone, lasts=lambda interval: fresh_for(max(interval, _CYCLE)))
        self._streams = Streams()
        self._cut = 0
        self._time = 0  # of the latest chunk
        self._came = 0.0  # when that came, by the loop
        self.is_over = False

    async def run(self) -> None:
        """Let the capture pass, at its pace. Raises CaptureError for one that keeps no times, or nothing at all."""
        async with aclosing(paced(self._chunks, self._speed, sleep=self._sleep)) as due:
            async for chunk in due:
                if not chunk.time:
                    raise CaptureError(f"{self._path}: keeps no times, so it has no now; .rctcap and .pcapng keep them")
                self._time, self._came = chunk.time, loop_time()
                self._take(self._streams.feed(chunk))
        if not self._time:
            raise CaptureError(f"{self._path}: the capture is empty, there is nothing to see")
        self._take(self._streams.close())
        self._time = self._now()
        self.is_over = True

    def _take(self, founds: Iterable[Found]) -> None:
        for found in founds:
            told = read_frame(found.event, found.time, "") if isinstance(found.event, Frame) else None
            if isinstance(told, BadReading):
                self._cut += 1
            elif told is not None and not told.inverter:  # else it is of a member of a plant
                self._live.take(told)

    def _now(self) -> int:
        passed = 0.0 if self.is_over or not self._time else (loop_time() - self._came) * self._speed
        return self._time + round(passed * SECOND)

    def picture(self, step: int, columns: int) -> Picture:
        """Return the picture of the moment that the capture has got to."""
        quality = Quality(0, 0, 0, self._cut, self._streams.counters.bad.total(), 0, others=False)
        return self._live.picture(self._now(), quality, step=step, columns=columns)

    def age(self, reading: Reading) -> int:
        """Return how old a reading is by the time of the capture, in nanoseconds."""
        return self._now() - reading.time

    def newest(self, name: str) -> Reading | None:
        """Return what came last of an object."""
        return self._live.newest(name)

    def is_silent(self, name: str) -> bool:  # noqa: ARG002  # nobody asks it for anything
        """Nobody asks it."""
        return False

    def want(self, infos: Iterable[ObjectInfo]) -> None:
        """Nobody can ask it."""
