"""The collector, on a clock that moves only when everybody waits."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from rct_tools.client import connect
from rct_tools.collector import Collector
from rct_tools.config import load_plan, parse_plan
from rct_tools.errors import ConnectFailed, NoAnswer, SinkError
from rct_tools.objects import registry
from rct_tools.plan import Plan
from rct_tools.reading import Reading
from rct_tools.simulator import Simulator
from rct_tools.sinks.sqlite import SqliteSink, query
from rct_tools.times import SECOND

PEER = "192.0.2.7:8899"


class Stop(Exception):
    """The end of a test's time."""


@dataclass
class Clock:
    """Time that passes when somebody sleeps; at the end it stops the sleeper."""

    end: int = 10**6 * SECOND
    now: int = 0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> int:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if self.now + seconds * SECOND > self.end:
            raise Stop
        self.now += round(seconds * SECOND)
        await asyncio.sleep(0)


@dataclass
class House:
    """A source that answers with the second at which it was asked."""

    clock: Clock
    takes: Callable[[int], float] = lambda second: 0  # seconds, by the second at which it is asked
    silent: Callable[[int], set[str]] = lambda second: set()
    away: Callable[[int], bool] = lambda second: False
    asked: list[tuple[float, tuple[str, ...]]] = field(default_factory=list)
    peer: str = PEER

    async def read_many(self, names: Iterable[str]) -> Mapping[str, Reading | NoAnswer]:
        names = tuple(names)
        now = self.clock.now
        second = now // SECOND
        self.asked.append((now / SECOND, names))
        self.clock.now += round(self.takes(second) * SECOND)
        await asyncio.sleep(0)
        if self.away(second):
            raise ConnectFailed(f"{PEER}: connection refused")
        silent = self.silent(second)
        return {
            name: NoAnswer(PEER, [name])
            if name in silent
            else Reading(self.clock.now + number, "roof", registry[name], float(second))
            for number, name in enumerate(names)
        }


@dataclass
class Shelf:
    """A sink in memory that fails as told."""

    readings: list[Reading] = field(default_factory=list)
    fails: Callable[[int], SinkError | None] = lambda attempt: None
    attempts: int = 0
    closed: int = 0

    async def write(self, readings: Sequence[Reading]) -> None:
        self.attempts += 1
        await asyncio.sleep(0)
        if (error := self.fails(self.attempts)) is not None:
            raise error
        self.readings += readings

    async def close(self) -> None:
        self.closed += 1


def plan(**intervals: str) -> Plan:
    """A plan with one group for each interval, of one object each."""
    objects = iter(["battery.soc", "battery.voltage", "g_sync.p_acc_lp"])
    groups = [
        f'[[group]]\nname = "{name}"\ninterval = "{interval}"\nfields.{name} = "{next(objects)}"\n'
        for name, interval in intervals.items()
    ]
    return parse_plan("".join(groups), "test")


async def collect(collector: Collector) -> None:
    with pytest.raises(Stop):
        await collector.run()


async def test_groups_keep_to_their_grid_and_are_asked_together() -> None:
    clock = Clock(end=120 * SECOND)
    house, shelf = House(clock, takes=lambda second: 0.7), Shelf()
    collector = Collector(house, plan(fast="5s", slow="60s"), {"shelf": shelf}, clock=clock, sleep=clock.sleep)
    await collect(collector)
    both, fast = ("battery.soc", "battery.voltage"), ("battery.soc",)
    assert house.asked == [(float(s), fast if s % 60 else both) for s in range(0, 121, 5)]
    assert (collector.cycles, collector.missed, shelf.closed) == (25, 0, 1)
    assert len(shelf.readings) == 25 + 3


async def test_late_cycle_is_left_out_and_never_doubled(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock(end=40 * SECOND)
    house = House(clock, takes=lambda second: 12 if second in (10, 25) else 0)
    collector = Collector(house, plan(fast="5s"), {}, clock=clock, sleep=clock.sleep)
    await collect(collector)
    assert [asked for asked, _ in house.asked] == [0, 5, 10, 25, 40]
    assert collector.missed == 4
    assert caplog.messages == [f"{PEER}: group fast takes longer than its interval of 5 s; cycles are left out"]


async def test_slow_group_is_not_starved_by_a_group_that_is_always_late() -> None:
    clock = Clock(end=63 * SECOND)
    house = House(clock, takes=lambda second: 7)
    await collect(Collector(house, plan(fast="5s", slow="31s"), {}, clock=clock, sleep=clock.sleep))
    assert [asked for asked, names in house.asked if "battery.voltage" in names] == [0, 37, 62]


async def test_object_that_does_not_answer_is_said_once_and_costs_nobody_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = Clock(end=50 * SECOND)
    house = House(clock, silent=lambda second: {"battery.voltage"} if 10 <= second < 30 else set())
    shelf = Shelf()
    await collect(Collector(house, plan(a="5s", b="5s"), {"shelf": shelf}, clock=clock, sleep=clock.sleep))
    assert caplog.messages == [
        f"{PEER}: no answer for battery.voltage; will keep asking",
        f"{PEER}: answered again: battery.voltage",
    ]
    values = {name: [r.value for r in shelf.readings if r.object.name == name] for name in registry_names(shelf)}
    assert values == {
        "battery.soc": [float(s) for s in range(0, 51, 5)],
        "battery.voltage": [float(s) for s in range(0, 51, 5) if not 10 <= s < 30],
    }


async def test_object_of_one_group_is_no_news_for_another(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock(end=50 * SECOND)
    house = House(clock, silent=lambda second: {"battery.voltage"})
    await collect(Collector(house, plan(fast="5s", slow="20s"), {}, clock=clock, sleep=clock.sleep))
    assert caplog.messages == [f"{PEER}: no answer for battery.voltage; will keep asking"]


def registry_names(shelf: Shelf) -> set[str]:
    return {reading.object.name for reading in shelf.readings}


STATES: list[tuple[dict[str, Callable[[int], object]], list[str]]] = [  # what happens for 25 seconds, what is said
    ({"away": lambda second: 10 <= second < 35}, []),  # the client says that
    (
        {"silent": lambda second: {"battery.soc"} if 10 <= second < 35 else set()},
        [f"{PEER}: silent: no answer for any of 1 objects; will keep asking", f"{PEER}: answers again, after 25 s"],
    ),
]


@pytest.mark.parametrize(("behaviour", "said"), STATES)
async def test_nothing_is_written_while_nothing_comes(
    behaviour: Mapping[str, Callable[[int], object]], said: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock(end=60 * SECOND)
    house, shelf = House(clock, **behaviour), Shelf()  # type: ignore[arg-type]  # one of its functions
    await collect(Collector(house, plan(a="5s"), {"shelf": shelf}, clock=clock, sleep=clock.sleep))
    assert caplog.messages == said
    assert [r.value for r in shelf.readings] == [float(s) for s in range(0, 61, 5) if not 10 <= s < 35]


async def test_sum_is_made_only_of_parts_that_came() -> None:
    clock = Clock(end=10 * SECOND)
    house = House(clock, silent=lambda second: {"dc_conv.dc_conv_struct[1].p_dc"} if second == 5 else set())
    shelf = Shelf()
    await collect(Collector(house, load_plan(), {"shelf": shelf}, clock=clock, sleep=clock.sleep))
    sums = [reading for reading in shelf.readings if reading.object.name == "power_panel"]
    newest = [r.time for r in shelf.readings if r.object.name == "dc_conv.dc_conv_struct[1].p_dc"]
    assert [(r.value, r.time, r.inverter, r.object.unit) for r in sums] == [
        (0.0, newest[0], "roof", "W"),
        (20.0, newest[1], "roof", "W"),
    ]
    assert len(shelf.readings) == 24 + 8 + 10  # one part missing once, and with it the sum
    assert len(house.asked[0][1]) == len(set(house.asked[0][1])) == 23  # 24 fields, the parts asked once


async def test_sink_in_trouble_holds_up_nobody_and_gets_everything_later(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock(end=100 * SECOND)
    good, bad = Shelf(), Shelf(fails=lambda attempt: SinkError("bad: disk full") if attempt <= 3 else None)
    sinks = {"good": good, "bad": bad}
    await collect(Collector(House(clock), plan(a="5s"), sinks, clock=clock, sleep=clock.sleep))
    assert good.readings == bad.readings
    assert len(good.readings) > 20
    assert caplog.messages[0] == "bad: disk full; keeping readings, will retry"
    assert caplog.messages[1].startswith("bad: works again; ")
    assert len(caplog.messages) == 2


async def test_cancelling_lets_the_sinks_finish() -> None:
    clock, shelf = Clock(), Shelf()
    asked = asyncio.Event()

    async def stand_still(_: float) -> None:
        asked.set()
        await asyncio.Event().wait()

    job = asyncio.create_task(
        Collector(House(clock), plan(a="5s"), {"shelf": shelf}, clock=clock, sleep=stand_still).run()
    )
    await asked.wait()
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    assert (len(shelf.readings), shelf.closed) == (1, 1)


async def test_cancelling_gives_a_sink_in_trouble_one_last_try() -> None:
    clock, shelf = Clock(), Shelf(fails=lambda attempt: SinkError("x: away") if attempt == 1 else None)
    waiting: set[float] = set()
    both = asyncio.Event()

    async def stand_still(seconds: float) -> None:
        waiting.add(seconds)
        if len(waiting) == 2:  # the collector for its next cycle, the outbox for its next attempt
            both.set()
        await asyncio.Event().wait()

    collector = Collector(House(clock), plan(a="5s"), {"shelf": shelf}, clock=clock, sleep=stand_still)
    job = asyncio.create_task(collector.run())
    await both.wait()
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    assert (len(shelf.readings), shelf.attempts, shelf.closed) == (1, 2, 1)


async def test_sink_that_hangs_at_the_end_is_left(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("rct_tools.collector.LAST_TRY", 0.01)
    clock = Clock(end=0)

    class Hangs(Shelf):
        async def write(self, readings: Sequence[Reading]) -> None:
            await asyncio.Event().wait()

    hangs = Hangs()
    collector = Collector(House(clock), plan(a="5s"), {"hangs": hangs}, clock=clock, sleep=clock.sleep)
    await collect(collector)
    assert caplog.messages == ["hangs: 1 readings lost: the program ended before they could be written"]
    assert (collector.outboxes[0].lost, hangs.closed) == (1, 1)


async def test_closed_standard_output_ends_it() -> None:
    clock = Clock()

    class Gone(Shelf):
        async def write(self, readings: Sequence[Reading]) -> None:
            raise BrokenPipeError

    other = Shelf()
    with pytest.raises(BrokenPipeError):
        await Collector(
            House(clock), plan(a="5s"), {"gone": Gone(), "other": other}, clock=clock, sleep=clock.sleep
        ).run()
    assert other.closed == 1


async def test_from_a_real_client_into_a_file(tmp_path: Path) -> None:
    path = tmp_path / "readings.db"
    sink = SqliteSink(path)
    async with (
        Simulator(port=0, latency=0.001) as simulator,
        connect(simulator.host, simulator.port, name="roof") as inverter,
    ):
        collector = Collector(inverter, plan(a="1ms", b="20ms"), {"file": sink})
        job = asyncio.create_task(collector.run())
        while collector.outboxes[0].written < 20:  # noqa: ASYNC110  # nobody tells when a reading was written
            await asyncio.sleep(0.01)
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job
    stored = list(query(path))
    assert {(reading.inverter, reading.object) for reading in stored} == {
        ("roof", "battery.soc"),
        ("roof", "battery.voltage"),
    }
    assert len(stored) == collector.outboxes[0].written


async def test_nan_stays_nan_in_a_sum() -> None:
    clock = Clock(end=0)
    house, shelf = House(clock), Shelf()

    class Nan(House):
        async def read_many(self, names: Iterable[str]) -> Mapping[str, Reading | NoAnswer]:
            answers = await house.read_many(names)
            first = next(iter(answers))
            part = answers[first]
            assert isinstance(part, Reading)
            return {**answers, first: Reading(part.time, part.inverter, part.object, math.nan)}

    await collect(Collector(Nan(clock), load_plan(), {"shelf": shelf}, clock=clock, sleep=clock.sleep))
    (total,) = [reading.value for reading in shelf.readings if reading.object.name == "power_panel"]
    assert isinstance(total, float)
    assert math.isnan(total)
