"""What our client makes of every fault that the simulated inverter has: it never tells a value that is not the truth.

All on a clock that jumps over the waiting, with real sockets.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest

from rct_tools.client import Client, connect
from rct_tools.errors import ConnectionLost, LinkError, NoAnswer
from rct_tools.objects import registry
from rct_tools.reading import Reading
from rct_tools.simulator import Faults, Simulator
from rct_tools.simulator.faults import FAULTS, parse_faults
from rct_tools.values import DataType, TimeSeries

from warp import warp

NOON = datetime(2024, 6, 21, 12, 0, 0)  # noqa: DTZ001  # what the clock on the wall shows
NUMBERS = tuple(info.name for info in registry.match("g_sync") if info.data_type is DataType.FLOAT)
TEXTS = ("inverter_sn", "android_description", "svnversion")
PAGE = "logger.minutes_soc_log_ts"


@dataclass
class Visit:
    """A client with a simulator, and what became of its questions."""

    simulator: Simulator
    client: Client
    moves: bool = False  # whether values change with the clock of the house, so that they cannot be compared
    answered: int = 0
    silent: Counter[str] = field(default_factory=Counter)  # objects without an answer
    lost: int = 0  # questions that had no connection

    async def ask(self, names: Sequence[str], times: int = 1) -> None:
        """Ask for all at once, some times; every answer must be what the inverter holds."""
        for _ in range(times):
            try:
                answers = await self.client.read_many(names)
            except LinkError:
                self.lost += len(names)
                await asyncio.sleep(1)
                continue
            for name, answer in answers.items():
                match answer:
                    case Reading():
                        self.check(answer)
                        self.answered += 1
                    case NoAnswer():
                        self.silent[name] += 1
                    case _:
                        self.lost += 1

    def check(self, reading: Reading) -> None:
        info = reading.object
        if not (self.moves or info.is_query):  # pages of history are compared by a test of their own
            assert reading.value == info.decode(self.simulator.inverter.payload(info)), info.name

    @property
    def asked(self) -> int:
        return self.answered + self.silent.total() + self.lost


@asynccontextmanager
async def visiting(spec: str, **options: Any) -> AsyncIterator[Visit]:
    quiet: dict[str, Any] = {"port": 0, "broadcast": False, "speed": 0.0, "start": NOON}
    async with Simulator(**(quiet | {"faults": parse_faults(spec)} | options)) as simulator:
        ticking = asyncio.get_running_loop().time
        async with connect("127.0.0.1", simulator.port, tries=None, ticking=ticking) as client:
            while not client.connected:  # noqa: ASYNC110  # nothing tells when
                await asyncio.sleep(0.01)
            visit = Visit(simulator, client, moves=options.get("speed", 0.0) > 0)
            with client.hearing(visit.check):  # what nobody here asked for is the truth, too
                yield visit


# --- what strikes frames and requests: a share of them, and all is answered in the end ---


@dataclass(frozen=True)
class Reaction:
    """What the counters of a client tell after a fault; all that is asked is answered, unless said otherwise."""

    spec: str
    tells: Callable[[Visit], bool]
    names: Sequence[str] = NUMBERS[:20]
    answered: float = 1.0  # the share at least
    happens: bool = True  # whether the client lets it happen
    seed: int = 0


def nothing(visit: Visit) -> bool:
    counters = visit.client.counters
    return not (counters.timeouts or counters.bad_readings or counters.bad_frames or counters.reconnects)


REACTIONS: Mapping[str, Reaction] = {
    "cut": Reaction("cut=0.1", lambda v: v.client.counters.bad_frames.total() > 5, answered=0.95),
    "late": Reaction("late=0.1", lambda v: v.client.counters.timeouts > 5, answered=0.95),
    "lost": Reaction("lost=0.1", lambda v: v.client.counters.retries > 10, answered=0.95),
    "doubled": Reaction("doubled=1", lambda v: nothing(v) and v.client.counters.foreign_frames >= 399),
    "length": Reaction("length=0.1", lambda v: v.client.counters.bad_frames.total() > 5, answered=0.95),
    "garbage": Reaction("garbage=1", nothing, TEXTS),
    "echo": Reaction("echo=1", lambda v: nothing(v) and v.client.counters.foreign_frames >= 399),
    "plus": Reaction("plus=1", nothing),
    "at": Reaction("at=1", nothing),
    # It asks several things at once, until it has seen that this one cuts its answers then; so it asks less at once.
    "stub": Reaction("stub=1", lambda v: 0 < v.client.counters.bad_readings < 0.2 * v.asked),
    "segment": Reaction("segment=1", nothing, happens=False),  # each request is one write
    "unwritten": Reaction("unwritten=1", nothing, happens=False),  # it writes nothing but times to history
    "unacknowledged": Reaction("unacknowledged=1", nothing, happens=False),
    # With another seed, it is rare for the inverter to tell its version: then it is taken for dead again and again.
    "rare": Reaction("rare=10m", lambda v: 0 < len(v.silent) < 6, NUMBERS[:40], answered=0.8, seed=1),
}


@pytest.mark.parametrize("fault", REACTIONS)
def test_reaction_to(fault: str) -> None:
    reaction = REACTIONS[fault]

    async def main() -> None:
        async with visiting(reaction.spec, seed=reaction.seed) as visit:
            await visit.ask(reaction.names, 400 // len(reaction.names))
            assert visit.answered >= reaction.answered * visit.asked
            assert reaction.tells(visit), (visit.client.counters, visit.silent)
            assert bool(visit.simulator.happened[fault]) == reaction.happens

    warp(main())


@pytest.mark.parametrize("fault", [name for name in REACTIONS if name != "rare"])
def test_pages_of_history_and(fault: str) -> None:
    """A page is one long frame; each that comes is that of a healthy inverter, to the last row."""
    before = 1_718_971_200  # on the clock of the inverter

    async def pages(spec: str) -> list[TimeSeries]:
        came = []
        async with visiting(spec) as visit:
            for number in range(20):
                with suppress(NoAnswer, LinkError):
                    page = (await visit.client.read(PAGE, before=before - number * 3600)).value
                    assert isinstance(page, TimeSeries)
                    came.append(page)
        return came

    async def main() -> None:
        right = await pages("")
        came = await pages(REACTIONS[fault].spec)
        assert len(right) == 20
        assert len(came) >= 18
        assert set(came) <= set(right)

    warp(main())


# --- what strikes connections and the device ---


async def when_hung() -> None:
    async with visiting("") as visit:
        visit.simulator.faults = Faults(hung=1)
        await visit.ask(NUMBERS[:1])
        visit.simulator.faults = Faults()
        await visit.ask(NUMBERS[:10], 3)
        assert visit.answered == 0
        assert visit.client.counters.reconnects >= 1
        await asyncio.sleep(60)
        before = visit.answered
        await visit.ask(NUMBERS[:10])
        assert visit.answered == before + 10


async def when_silent() -> None:
    async with visiting("silent=60s") as visit:
        for _ in range(100):
            await visit.ask(NUMBERS[:5])
            await asyncio.sleep(5)
        assert 5 <= visit.client.counters.reconnects <= 10  # one a minute, and no more
        assert visit.answered >= 0.95 * visit.asked


async def when_idle() -> None:
    async with visiting("idle=5m") as visit:
        await visit.ask(NUMBERS[:5])
        await asyncio.sleep(400)
        assert visit.simulator.happened["idle"] >= 1
        await visit.ask(NUMBERS[:5])
        assert visit.answered == 10
        assert visit.client.counters.reconnects >= 1


async def when_slow() -> None:
    async with visiting("slow=43s", broadcast=True) as visit:
        begin = asyncio.get_running_loop().time()
        await visit.ask(NUMBERS[:5])  # who asks hears at once
        assert visit.answered == 5
        assert asyncio.get_running_loop().time() - begin < 2
    async with visiting("slow=43s", broadcast=True, seed=1) as visit:
        await asyncio.sleep(31)
        muted = visit.simulator.happened["slow"]
        await asyncio.sleep(60)
        assert visit.simulator.happened["slow"] - muted < 66
        assert visit.client.counters.frames > 64
        assert visit.client.counters.reconnects == 0  # silence alone is no reason


async def when_full() -> None:
    async with visiting("connections=1") as visit:
        with pytest.raises(ConnectionLost, match="the inverter closed the connection"):
            async with connect("127.0.0.1", visit.simulator.port) as other:
                await other.read(NUMBERS[0])
        await visit.ask(NUMBERS[:5])
        assert visit.answered == 5
        assert nothing(visit)


async def when_packages_come() -> None:
    async with visiting("package=1s") as visit:
        for _ in range(30):
            await visit.ask(NUMBERS[:5])
            await asyncio.sleep(1)
        assert visit.answered == 150
        assert nothing(visit)
        assert visit.client.counters.foreign_frames >= 25
        assert not visit.client.sees_others


async def when_there_are_slaves() -> None:
    async with visiting("slaves=2", broadcast=True) as visit:
        await visit.ask(NUMBERS[:20], 5)
        assert visit.answered == 100
        assert nothing(visit)


async def when_there_are_two_towers() -> None:
    async with visiting("towers=2", broadcast=True) as visit:
        await visit.ask([info.name for info in registry.match("battery") if info.data_type is DataType.FLOAT])
        assert visit.answered == visit.asked
        assert nothing(visit)


async def when_its_clock_is_off() -> None:
    async with visiting("clock=-1h") as visit:
        await visit.ask(["flash_rtc.time_stamp", *NUMBERS[:5]])
        assert visit.answered == 6  # its time is what it says, right or not
        assert isinstance((await visit.client.read(PAGE)).value, TimeSeries)  # asked by our clock


async def when_it_is_night() -> None:
    start = NOON.replace(hour=20)
    async with visiting("night=1", start=start, speed=1.0) as visit:
        await visit.ask(NUMBERS[:1])
        await asyncio.sleep(4 * 3600)
        await visit.ask(NUMBERS[:1])
        assert (visit.answered, visit.lost) == (1, 1)
        await asyncio.sleep(8 * 3600)
        await visit.ask(NUMBERS[:1])
        assert visit.answered == 2
        assert visit.simulator.happened["night"] == 1


SCENES: Mapping[str, Callable[[], Awaitable[None]]] = {
    "hung": when_hung,
    "silent": when_silent,
    "idle": when_idle,
    "slow": when_slow,
    "connections": when_full,
    "package": when_packages_come,
    "slaves": when_there_are_slaves,
    "towers": when_there_are_two_towers,
    "clock": when_its_clock_is_off,
    "night": when_it_is_night,
}


@pytest.mark.parametrize("fault", SCENES)
def test_reaction_when(fault: str) -> None:
    async def main() -> None:
        await SCENES[fault]()

    warp(main())


def test_there_is_a_reaction_to_every_fault() -> None:
    assert REACTIONS.keys() | SCENES.keys() == FAULTS.keys()
    assert not REACTIONS.keys() & SCENES.keys()


# --- a reboot, and much at once ---


async def when_it_reboots() -> None:
    async with visiting("") as visit:
        await visit.ask(NUMBERS[:5])
        visit.simulator.reboot()
        await visit.ask(NUMBERS[:5], 3)
        await asyncio.sleep(60)
        await visit.ask(NUMBERS[:5])
        assert visit.answered == 10
        assert visit.client.counters.reconnects == 1


def test_a_reboot() -> None:
    warp(when_it_reboots())


@pytest.mark.parametrize("spec", ["lost=0.3", "late=0.3", "lost=0.15,late=0.15"])
def test_of_ten_thousand_reads_all_but_ten_are_answered_though_a_third_is_lost_or_late(spec: str) -> None:
    async def main() -> None:
        async with visiting(spec) as visit:
            await visit.ask(NUMBERS[:40], 250)
            assert visit.asked == 10_000
            assert visit.answered >= 9_990

    warp(main())
