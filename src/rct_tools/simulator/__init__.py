"""A simulated inverter worth testing against.

Noise, sky, household and battery make a house; its history and its objects make an inverter; a line brings that to
clients. Each module uses those before it only.
"""

from __future__ import annotations

import asyncio
import calendar
from datetime import datetime
from functools import partial
from typing import Final

from rct_tools.frame import Frame
from rct_tools.simulator.broadcast import CYCLE, cycles
from rct_tools.simulator.inverter import Inverter
from rct_tools.simulator.line import Line
from rct_tools.simulator.server import Job, LineServer

__all__ = ["Simulator"]

_TICK: Final = 0.25  # seconds between looks at the clock
_STEPS_PER_SECOND: Final = 60  # of real time: what a house may cost
_STEPS: Final = (1, 2, 5, 10, 30, 60, 300)  # seconds


class Simulator(LineServer):
    """An inverter in a house that adds up, as a server on TCP.

        async with Simulator(port=0) as simulator:
            ...  # connect to simulator.port

    ``latency`` is the time of a reply in seconds. ``speed`` says how fast the clock of the house runs, 0 holds it;
    replies and broadcast keep real time. ``cycle`` is the time of a broadcast in seconds. ``start`` is what the clock
    of the house shows at first, by default the local time here. The same seed and start make the same house. Writes
    change what is read, until the end.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 8899,
        *,
        seed: int = 0,
        latency: float = 0.06,
        broadcast: bool = True,
        cycle: float = CYCLE,
        speed: float = 1.0,
        start: datetime | None = None,
    ) -> None:
        super().__init__(host, port, Line(self._answer, latency))
        self._start = calendar.timegm((start or datetime.now().astimezone()).timetuple())
        self.inverter = Inverter.with_past(seed, self._start)
        self.house = self.inverter.house
        self._broadcast = broadcast
        self._cycle = cycle
        self._speed = speed
        self._step = next((step for step in _STEPS if speed <= step * _STEPS_PER_SECOND), _STEPS[-1])
        self._started = 0.0

    def jobs(self) -> list[Job]:
        self._started = asyncio.get_running_loop().time()
        return [self._live(), self._tell_periodic(), *([self._tell_broadcast()] if self._broadcast else [])]

    def _answer(self, request: Frame) -> Frame | None:
        self._look_at_clock()
        return self.inverter.answer(request)

    def _look_at_clock(self) -> None:
        passed = asyncio.get_running_loop().time() - self._started
        self.house.advance(self._start + passed * self._speed, self._step)

    async def _live(self) -> None:
        while True:
            self._look_at_clock()
            await asyncio.sleep(_TICK)

    async def _tell_broadcast(self) -> None:
        for number, bursts in enumerate(cycles()):
            for burst in bursts:
                await self._until((number + burst.after / CYCLE) * self._cycle)
                self.line.tell(partial(self.inverter.report, name) for name in burst.names)

    async def _tell_periodic(self) -> None:
        number = 0
        while True:
            number += 1
            await self._until(number * self._cycle * self.inverter.period / CYCLE)
            if self.inverter.periodic:
                self.line.tell(partial(self.inverter.report, name) for name in list(self.inverter.periodic))

    async def _until(self, seconds: float) -> None:
        await asyncio.sleep(self._started + seconds - asyncio.get_running_loop().time())
