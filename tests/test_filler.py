"""Gaps are filled while the collector runs: after an absence, at the start, and so that nobody notices.

All of it goes on a clock that does nothing but jump over the waiting, with real sockets; the clocks of the house and
of the day go with it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from rct_tools.backfill import KEPT
from rct_tools.capture import Chunk
from rct_tools.client import Client, connect
from rct_tools.clock import Clock
from rct_tools.collector import Collector
from rct_tools.config import parse_plan
from rct_tools.errors import SinkError
from rct_tools.filler import LOOK, SETTLED
from rct_tools.logged import SLOT
from rct_tools.reading import Reading
from rct_tools.setups import InverterSetup, Setup, SinkSetup
from rct_tools.simulator import Simulator
from rct_tools.simulator.faults import parse_faults
from rct_tools.times import SECOND
from rct_tools.values import TimeSeries
from rct_tools.vitals import UP

from standins import Archive, Shelf
from warp import warp

BERLIN = Clock.of("Europe/Berlin")
NOON = int(datetime(2024, 6, 21, 12, tzinfo=UTC).timestamp())  # as the clock of the house shows it
NOW = BERLIN.utc(NOON) * SECOND
HOUR = 3600 * SECOND
PLAN = parse_plan(
    '[[group]]\nname = "a"\ninterval = "5s"\nobjects = ["battery.soc", "g_sync.p_acc_lp", "g_sync.p_ac_load_sum_lp", '
    '"g_sync.p_ac_grid_sum_lp", "battery.current"]',
    "test",
)
FIRST = SETTLED / SECOND + 2 * LOOK  # seconds to the first page
NAMES = ("battery.soc", "g_sync.p_acc_lp", "g_sync.p_ac_load_sum_lp", "g_sync.p_ac_grid_sum_lp")


def wall_clock() -> int:
    return NOW + round(asyncio.get_running_loop().time() * SECOND)


async def connected(setup: InverterSetup, tap: Callable[[Chunk], None]) -> Client:
    ticking = asyncio.get_running_loop().time
    client = connect(
        setup.host, setup.port, name=setup.name, tries=None, tap=tap, clock=wall_clock, ticking=ticking,
        pause=lambda _failures: 5.0,
    )  # fmt: skip
    return await client.__aenter__()


def house(spec: str = "", **options: Any) -> Simulator:
    start = datetime.fromtimestamp(NOON, UTC)
    return Simulator(port=0, broadcast=False, start=start, faults=parse_faults(spec), **options)


def inverter(simulated: Simulator, **options: Any) -> InverterSetup:
    return InverterSetup("roof", simulated.host, PLAN, simulated.port, "Europe/Berlin", **options)


def before(hours: float, until: float = 0.0) -> list[Reading]:
    """Return live readings of each object, from some hours ago up to others."""
    times = range(NOW - round(hours * HOUR), NOW - round(until * HOUR), 60 * SECOND)
    return [Reading(time, "roof", PLAN.expects[name].info, 0.5) for name in NAMES for time in times]


class Asked:
    """How many pages of history came, and how far apart."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def hear(self, reading: Reading) -> None:
        if isinstance(reading.value, TimeSeries):
            self.times.append(asyncio.get_running_loop().time())


@asynccontextmanager
async def collecting(*inverters: InverterSetup, to: Sequence[SinkSetup]) -> AsyncIterator[tuple[Collector, Asked]]:
    collector = Collector(Setup(inverters, tuple(to)), connect=connected, wall_clock=wall_clock)
    started, asked = asyncio.Event(), Asked()
    job = asyncio.create_task(collector.run(started.set))
    try:
        await started.wait()
        with collector.watched["roof"].client.hearing(asked.hear):
            yield collector, asked
    finally:
        job.cancel()
        with suppress(asyncio.CancelledError):
            await job


def gaps(archive: Archive) -> dict[str, list[int]]:
    """Return the times of what was filled, by object; each is there once."""
    found = {name: [r.time for r in archive.of(name) if r.backfilled] for name in NAMES}
    assert all(len(set(times)) == len(times) for times in found.values())
    return found


def rows(hours: float, until: float) -> list[int]:
    """Return the times of the rows of the log from some hours ago up to others."""
    return list(range(NOW - round(hours * HOUR), NOW - round(until * HOUR), SLOT))


def test_what_was_missed_before_the_start_is_filled_with_what_the_house_remembers() -> None:
    async def main() -> None:
        archive = Archive()
        archive.readings += before(30, until=20) + before(10, until=3)
        async with house() as simulated, collecting(inverter(simulated), to=[archive.setup()]) as (_, asked):
            await asyncio.sleep(200)
            minutes = simulated.inverter.history._series["minutes"]
            soc = dict(zip(minutes.times, minutes.columns["soc"], strict=True))
        for times in gaps(archive).values():
            assert sorted(times) == rows(20, 10) + rows(3, 0)
        for reading in archive.of("battery.soc"):
            if reading.backfilled:
                assert reading.value == soc[BERLIN.shows(reading.time // SECOND)]
        assert all(later - earlier >= 1.0 for earlier, later in pairwise(asked.times))
        assert len(asked.times) == 5 * (-(-120 // 41) + 1)

    warp(main())


def test_a_fresh_store_has_no_gap_and_is_asked_for_nothing() -> None:
    async def main() -> None:
        archive = Archive()
        async with house() as simulated, collecting(inverter(simulated), to=[archive.setup()]) as (_, asked):
            await asyncio.sleep(1200)
            assert asked.times == []
        assert not any(gaps(archive).values())
        assert len(archive.of("battery.soc")) > 200

    warp(main())


def test_sinks_without_a_past_and_inverters_that_are_to_be_left_alone() -> None:
    async def main() -> None:
        shelf, archive = Shelf(), Archive()
        shelf.readings += before(3, until=1)
        archive.readings += before(3, until=1)
        async with house() as simulated:
            async with collecting(inverter(simulated), to=[shelf.setup()]) as (_, asked):
                await asyncio.sleep(300)
                assert asked.times == []
            left_alone = inverter(simulated, backfill=False)
            async with collecting(left_alone, to=[archive.setup()]) as (_, asked):
                await asyncio.sleep(300)
                assert asked.times == []

    warp(main())


@pytest.mark.parametrize(("minutes", "is_filled"), [(8, False), (25, True)])
def test_what_was_missed_while_the_inverter_was_away(minutes: int, is_filled: bool) -> None:
    async def main() -> None:
        archive = Archive()
        async with house() as simulated, collecting(inverter(simulated), to=[archive.setup()]) as (_, asked):
            await asyncio.sleep(1800)
            simulated.night(minutes * 60)
            await asyncio.sleep(minutes * 60 + 600)
            assert bool(asked.times) == is_filled
        times = gaps(archive)["battery.soc"]
        if is_filled:
            # The whole five minutes without any reading.
            away = range(NOW + 1800 * SECOND, NOW + (1800 + minutes * 60) * SECOND, SLOT)
            assert sorted(times) == list(away)
            assert all(sorted(each) == sorted(times) for each in gaps(archive).values())
        else:
            assert times == []

    warp(main())


def test_live_readings_are_undisturbed() -> None:
    """While two days of history are read, they come as evenly, and as often, as without."""

    async def main(*, filling: bool) -> tuple[dict[str, list[float]], int, int]:
        archive = Archive()
        archive.readings += before(48, until=47)
        async with house() as simulated:
            setup = inverter(simulated, backfill=filling)
            async with collecting(setup, to=[archive.setup()]) as (_, asked):
                await asyncio.sleep(FIRST + 120)
        every = {}
        for name in NAMES:
            times = [r.time for r in archive.of(name) if r.time >= NOW]
            every[name] = [(later - earlier) / SECOND for earlier, later in pairwise(times)]
        return every, len(asked.times), sum(map(len, gaps(archive).values()))

    alone, _, none = warp(main(filling=False))
    beside, pages, filled = warp(main(filling=True))
    assert none == 0
    assert pages > 60
    assert filled == 4 * 47 * 12
    for name in NAMES:
        assert abs(len(beside[name]) - len(alone[name])) <= 1
        assert max(map(abs, (interval - 5.0 for interval in beside[name]))) < 0.5


def test_a_store_that_takes_nothing_is_filled_later() -> None:
    async def main() -> None:
        archive, other = Archive(), Archive()
        archive.readings += before(6, until=3)
        other.readings += before(6, until=3)
        away = True
        archive.fails = lambda _attempt: SinkError("archive: away") if away else None
        async with (
            house() as simulated,
            collecting(inverter(simulated), to=[archive.setup(), other.setup("other")]) as (_, asked),
        ):
            await asyncio.sleep(600)
            assert not any(gaps(archive).values())
            assert sorted(gaps(other)["battery.soc"]) == rows(3, 0)
            pages = len(asked.times)
            away = False
            await asyncio.sleep(1200)
            assert sorted(gaps(archive)["battery.soc"]) == rows(3, 0)
            assert len(asked.times) == 2 * pages

    warp(main())


def test_a_store_that_stops_taking_in_the_midst_gets_the_rest_later() -> None:
    async def main() -> None:
        archive = Archive()
        archive.readings += before(100, until=99)
        stuck = False

        def fails(_attempt: int) -> SinkError | None:
            return SinkError("archive: away") if stuck else None

        archive.fails = fails
        async with house() as simulated, collecting(inverter(simulated), to=[archive.setup()]) as (collector, asked):
            filler = collector.fillers["roof"]
            assert (filler.filling, filler.delayed) == ("", [])
            await asyncio.sleep(FIRST + 30)
            some = len(gaps(archive)["battery.soc"])
            assert 0 < some < 99 * 12
            assert (filler.filling, filler.delayed) == ("archive", [])
            stuck = True
            await asyncio.sleep(60)
            pages = len(asked.times)
            await asyncio.sleep(600)
            assert len(asked.times) == pages
            assert (filler.filling, filler.delayed) == ("", ["archive"])
            stuck = False
            await asyncio.sleep(1800)
            assert (filler.filling, filler.delayed) == ("", [])
        assert sorted(gaps(archive)["battery.soc"]) == rows(99, 0)

    warp(main())


def test_who_only_looks_for_gaps_fills_none() -> None:
    async def main() -> None:
        looks: list[str] = []

        class LookedAt(Archive):
            async def times(
                self, inverter: str, names: Collection[str], since: int, until: int, step: int = 1
            ) -> dict[str, set[int]]:
                looks.append(collector.fillers["roof"].filling)
                return await super().times(inverter, names, since, until, step)

        archive = LookedAt()
        archive.readings += before(10)
        async with house() as simulated, collecting(inverter(simulated), to=[archive.setup()]) as (collector, _):
            await asyncio.sleep(FIRST + 30)
        assert looks
        assert set(looks) == {""}
        assert not any(gaps(archive).values())

    warp(main())


def test_lost_connections_and_damaged_frames_only_delay() -> None:
    async def main() -> None:
        archive = Archive()
        archive.readings += before(48, until=47)
        spec = "cut=0.02,lost=0.02,late=0.02,length=0.01,echo=0.01,plus=0.01,doubled=0.01"
        async with house(spec) as simulated, collecting(inverter(simulated), to=[archive.setup()]):
            await asyncio.sleep(FIRST + 20)
            assert 0 < len(gaps(archive)["battery.soc"]) < 47 * 12
            simulated.night(120)
            await asyncio.sleep(1500)
        for times in gaps(archive).values():
            assert sorted(time for time in times if time < NOW) == rows(47, 0)

    warp(main())


def test_a_change_of_setup_ends_it_and_begins_it_anew() -> None:
    async def main() -> None:
        archive, other = Archive(), Shelf()
        archive.readings += before(48, until=47)
        async with house() as simulated:
            roof = inverter(simulated)
            async with collecting(roof, to=[archive.setup()]) as (collector, asked):
                await asyncio.sleep(FIRST + 20)
                some, pages = len(gaps(archive)["battery.soc"]), len(asked.times)
                assert 0 < some < 47 * 12
                await collector.change(Setup((roof,), (other.setup("other"),)))
                await asyncio.sleep(300)
                assert len(asked.times) - pages <= 1  # the one that was under way
                assert len(gaps(archive)["battery.soc"]) - some <= 100
                await collector.change(Setup((roof,), (archive.setup(), other.setup("other"))))
                await asyncio.sleep(300)
        for times in gaps(archive).values():
            assert sorted(time for time in times if time < NOW) == rows(47, 0)

    warp(main())


def test_with_a_wrong_zone_nothing_is_filled_and_that_is_said(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        archive = Archive()
        archive.readings += before(6, until=3)
        async with house() as simulated:
            wrong = replace(inverter(simulated), zone="Asia/Tokyo")
            async with collecting(wrong, to=[archive.setup()]) as (_, asked):
                await asyncio.sleep(1200)
                assert asked.times == []
        assert not any(gaps(archive).values())

    with caplog.at_level(logging.WARNING):
        warp(main())
    (message,) = [message for message in caplog.messages if "gaps" in message]
    assert "gaps of archive are filled later: " in message
    assert "its clock is 420 minutes behind" in message


def test_a_clock_that_is_set_late_leads_no_further_back_than_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """As that of a machine without a battery, which begins in 1970."""
    asked: list[int] = []  # how far back

    class Asking(Archive):
        async def times(
            self, inverter: str, names: Collection[str], since: int, until: int, step: int = 1
        ) -> dict[str, set[int]]:
            asked.append(late() - since)
            return await super().times(inverter, names, since, until, step)

    def late() -> int:
        passed = round(asyncio.get_running_loop().time() * SECOND)
        return passed + (NOW if passed > 400 * SECOND else 0)

    async def main() -> None:
        archive = Asking()
        archive.readings += before(3, until=1)
        async with house() as simulated, collecting(inverter(simulated), to=[archive.setup()]):
            await asyncio.sleep(1200)
        assert any(reading.time < HOUR for reading in archive.readings)
        assert sorted(t for t in gaps(archive)["battery.soc"] if t < NOW) == rows(1, 0)

    monkeypatch.setitem(globals(), "wall_clock", late)
    warp(main())
    assert max(asked) < KEPT + HOUR


def test_what_happened_while_nobody_looked_is_filled_in_once() -> None:
    async def main() -> None:
        archive = Archive()
        archive.readings += [Reading(NOW - hours * HOUR, "roof", UP, value=True) for hours in (2000, 1000, 2)]
        async with house() as simulated:
            log = simulated.inverter.history._events
            happened = [t for event in log if (t := BERLIN.utc(event.time) * SECOND) >= NOW - 2000 * HOUR]
            for _ in range(2):  # the second time, the store has it all
                async with collecting(inverter(simulated), to=[archive.setup()]):
                    await asyncio.sleep(200)
        begun = archive.of("event.begin")
        assert len(begun) == len(happened) > 5
        assert [reading.time // SECOND * SECOND for reading in begun] == happened
        assert len({(r.object.name, r.time) for r in archive.readings}) == len(archive.readings)
        assert all(r.time >= NOW - 2000 * HOUR for r in archive.of("event.end"))

    warp(main())


def test_a_store_that_has_nothing_yet_gets_no_old_events() -> None:
    async def main() -> None:
        archive = Archive()
        async with house() as simulated, collecting(inverter(simulated), to=[archive.setup()]):
            await asyncio.sleep(200)
        assert archive.of("event.begin") == []

    warp(main())
