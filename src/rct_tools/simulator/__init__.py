"""A simulated inverter worth testing against.

Noise, sky, household and battery make a house; its history and its objects make an inverter; a line brings that to
clients, with the faults that real ones have. Each module uses those before it only.
"""

from __future__ import annotations

import asyncio
import calendar
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Final

from rct_tools.errors import ConfigError
from rct_tools.frame import Command, Frame
from rct_tools.objects import registry
from rct_tools.simulator.broadcast import CYCLE, Burst, cycles
from rct_tools.simulator.faults import FAULTS, HEALTHY, Faults
from rct_tools.simulator.firmware import FIRMWARE
from rct_tools.simulator.inverter import Inverter
from rct_tools.simulator.line import Line
from rct_tools.simulator.noise import seeded
from rct_tools.simulator.scenario import EVENTS, Step
from rct_tools.simulator.server import Job, LineServer
from rct_tools.simulator.trouble import Trouble
from rct_tools.simulator.truth import Happened

__all__ = ["Faults", "Happened", "Simulator"]

_TICK: Final = 0.25  # seconds between looks at the clock
_STEPS_PER_SECOND: Final = 60  # of real time: what a house may cost
_STEPS: Final = (1, 2, 5, 10, 30, 60, 300)  # seconds
_PACKAGE: Final = registry["net.package"].object_id
_PACKAGE_SIZE: Final = 36  # bytes


class Simulator(LineServer):
    """An inverter in a house that adds up, as a server on TCP.

        async with Simulator(port=0) as simulator:
            ...  # connect to simulator.port

    ``latency`` is the time of a reply in seconds. ``speed`` says how fast the clock of the house runs, 0 holds it;
    replies, broadcast and faults keep real time. ``cycle`` is the time of a broadcast in seconds. ``start`` is what the
    clock of the house shows at first, by default the local time here. The same seed and start make the same house.
    Writes change what is read, until the end.

    ``firmware`` is a name of FIRMWARE: what it says of its version and unasked, and what goes wrong, unless ``faults``
    says that. Without either, nothing goes wrong. The same seed and the same requests make the same faults; each that
    happens is told to ``truth`` and counted in ``happened``. ``script`` is what happens when.
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
        firmware: str = "",
        faults: Faults | None = None,
        truth: Callable[[Happened], None] = lambda _: None,
        script: Sequence[Step] = (),
    ) -> None:
        self._trouble = Trouble(seed, truth)
        super().__init__(host, port, Line(self._answer, latency, self._trouble))
        version = FIRMWARE[firmware] if firmware else None
        if faults is None:
            faults = version.faults if version else HEALTHY
        self._start = calendar.timegm((start or datetime.now().astimezone()).timetuple())
        self.inverter = Inverter.with_past(seed, self._start, faults.slaves, faults.towers)
        self.house = self.inverter.house
        self._trouble.faults = faults
        self.faults = faults
        if version:
            self.inverter.install(version.version)
        self._unasked = (version.unasked if version else cycles) if broadcast else None
        self._cycle = cycle
        self._speed = speed
        self._step = next((step for step in _STEPS if speed <= step * _STEPS_PER_SECOND), _STEPS[-1])
        self._script = script
        self._started = 0.0
        self._off_until = 0.0  # loop time
        self._package_due = 0.0  # loop time
        self._package = seeded(seed, "net.package")

    @property
    def faults(self) -> Faults:
        """What goes wrong; it may be changed at any time. Raises ConfigError for what is settled at the start."""
        return self._trouble.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        for name, fault in FAULTS.items():
            if fault.settled and getattr(faults, name) != getattr(self.faults, name):
                raise ConfigError(f"fault {name}: cannot change while it runs")
        self._trouble.faults = faults
        self.inverter.clock_off = faults.clock

    @property
    def happened(self) -> Counter[str]:
        """How often which fault has happened."""
        return self._trouble.counts

    def jobs(self) -> list[Job]:
        self._started = asyncio.get_running_loop().time()
        jobs = [self._live(), self._tell_periodic()]
        if self._unasked:
            jobs.append(self._tell_broadcast(self._unasked()))
        if self._script:
            jobs.append(self._follow(self._script))
        return jobs

    # --- events -------------------------------------------------------------------------------------------------

    def reboot(self, seconds: float = EVENTS["reboot"]) -> None:
        """Cut all connections and be away for some seconds; what was written and not flashed is gone."""
        self._switch_off("reboot", seconds)

    def night(self, seconds: float = EVENTS["night"]) -> None:
        """Be off, as an inverter without battery is in the dark, for some seconds or until ``day``."""
        self._switch_off("night", seconds)

    def day(self) -> None:
        """Be on again after a night."""
        self._off_until = 0.0

    def hang(self, seconds: float = EVENTS["hang"]) -> None:
        """Let the bridge say nothing to anybody for some seconds; connections stay."""
        self._trouble.hang(seconds)

    def drop(self) -> None:
        """Cut all connections."""
        self._trouble.happened("drop")
        self.line.drop()

    def _switch_off(self, why: str, seconds: float) -> None:
        self._trouble.happened(why)
        self._off_until = asyncio.get_running_loop().time() + seconds
        self.inverter.reboot()
        self.vanish()

    async def _look_at_power(self) -> None:
        is_night = bool(self.faults.night) and self.house.is_dark
        if is_night and self.reachable:
            self._switch_off("night", 0.0)
        elif not (is_night or self.reachable or asyncio.get_running_loop().time() < self._off_until):
            await self.listen()

    async def _follow(self, script: Sequence[Step]) -> None:
        events: Mapping[str, Callable[[float], None]] = {
            "reboot": self.reboot,
            "night": self.night,
            "hang": self.hang,
            "day": lambda _: self.day(),
            "drop": lambda _: self.drop(),
        }
        for step in script:
            await self._until(step.time)
            if step.faults is not None:
                self.faults = step.faults
            if step.event:
                events[step.event](step.lasts)
        await asyncio.get_running_loop().create_future()  # serving goes on

    # --- the clock, and what is said unasked --------------------------------------------------------------------

    def _answer(self, request: Frame) -> Frame | None:
        self._look_at_clock()
        return self.inverter.answer(request)

    def _look_at_clock(self) -> None:
        passed = asyncio.get_running_loop().time() - self._started
        self.house.advance(self._start + passed * self._speed, self._step)

    async def _live(self) -> None:
        while True:
            self._look_at_clock()
            self.line.drop_idle()
            await self._look_at_power()
            self._tell_package()
            await asyncio.sleep(_TICK)

    def _tell_package(self) -> None:
        """Write to linked inverters: clients hear it, though it is not for them."""
        now = asyncio.get_running_loop().time()
        if self.faults.package and now >= self._package_due:
            self._package_due = now + self.faults.package
            self.line.say(lambda: Frame(Command.WRITE, _PACKAGE, self._package.randbytes(_PACKAGE_SIZE)))

    async def _tell_broadcast(self, told: Iterator[tuple[Burst, ...]]) -> None:
        for number, bursts in enumerate(told):
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
