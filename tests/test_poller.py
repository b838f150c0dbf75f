"""One inverter polled for hours, on a clock that jumps over the waiting."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from itertools import pairwise

import pytest

from rct_tools.client import Client, connect
from rct_tools.config import load_plan, parse_plan
from rct_tools.errors import LinkError, NoAnswer
from rct_tools.objects import ObjectInfo, registry
from rct_tools.plan import Field, Plan
from rct_tools.poller import OPEN, Poller, _Sum
from rct_tools.question import Counters, Reply
from rct_tools.questions import TIMEOUT
from rct_tools.reading import Reading
from rct_tools.simulator import Simulator
from rct_tools.times import SECOND
from rct_tools.vitals import VITALS

from answering import Answering
from peers import peer, requests, response
from warp import warp

FAST = parse_plan(
    '[[group]]\nname = "a"\ninterval = "5s"\nobjects = ["g_sync.p_acc_lp", "battery.voltage"]\n'
    'fields.sun = ["dc_conv.dc_conv_struct[0].p_dc", "dc_conv.dc_conv_struct[1].p_dc"]',
    "test",
)
VITAL_NAMES = {info.name for info in VITALS}


def wall() -> int:
    """The wall clock of a warped loop."""
    return round(asyncio.get_running_loop().time() * SECOND)


def a_client(port: int, timeout: float) -> Client:
    ticking = asyncio.get_running_loop().time
    return connect("127.0.0.1", port, name="roof", tries=None, timeout=timeout, clock=wall, ticking=ticking)


@asynccontextmanager
async def polled(port: int, plan: Plan, patience: float = TIMEOUT) -> AsyncIterator[tuple[Poller, list[Reading]]]:
    """Poll the inverter at a port; yield the poller, and what it has delivered so far."""
    delivered: list[Reading] = []

    def deliver(readings: Sequence[Reading]) -> None:
        delivered.extend(readings)

    async with a_client(port, patience) as client:
        poller = Poller(client, plan, deliver, wall_clock=wall)
        job = asyncio.create_task(poller.run())
        try:
            yield poller, delivered
        finally:
            job.cancel()
            await asyncio.wait([job])
            if not job.cancelled():
                job.result()


def values(readings: Sequence[Reading], name: str) -> list[Reading]:
    return [reading for reading in readings if reading.object.name == name]


def test_an_hour_of_the_default_plan() -> None:
    async def main() -> tuple[Poller, list[Reading], int]:
        async with (
            Simulator(port=0, broadcast=False, speed=0) as simulator,
            polled(simulator.port, load_plan()) as (poller, delivered),
        ):
            await asyncio.sleep(3600)
            return poller, delivered, poller.inverter.counters.requests

    poller, delivered, requests_sent = warp(main())
    sun = values(delivered, "power_panel")
    assert 718 <= len(sun) <= 721
    gaps = [(b.time - a.time) / SECOND for a, b in pairwise(sun[1:])]  # the first waits for what proves it
    assert 4 < min(gaps) <= max(gaps) < 6  # some answers wait for the one before
    entries = poller.schedule.entries.values()
    there = {entry.info.name for entry in entries if poller.schedule.is_there(entry.component)}
    names = {reading.object.name for reading in delivered}
    assert names - {"power_panel"} == there | VITAL_NAMES
    assert len(entries) > len(there)  # modules that are not there
    assert poller.schedule.missed == 0
    assert requests_sent / 3600 < 2.5
    assert all(entry.answered >= entry.asked - 1 for entry in entries)


def test_reports_spare_questions_and_are_never_doubled() -> None:
    async def main(broadcast: bool) -> tuple[int, list[Reading]]:
        async with (
            Simulator(port=0, broadcast=broadcast, speed=0) as simulator,
            polled(simulator.port, load_plan()) as (poller, delivered),
        ):
            await asyncio.sleep(1800)
            return poller.inverter.counters.requests, delivered

    asked, _ = warp(main(False))
    spared, delivered = warp(main(True))
    assert spared < 0.85 * asked
    soc = values(delivered, "battery.soc")
    gaps = [(b.time - a.time) / SECOND for a, b in pairwise(soc)]
    assert min(gaps) > 25
    assert max(gaps) < 65


def test_first_value_comes_at_once() -> None:
    async def main() -> float:
        async with Simulator(port=0, broadcast=False, speed=0) as simulator:
            began = wall()
            async with polled(simulator.port, load_plan()) as (_, delivered):
                while not [r for r in delivered if r.object.name not in VITAL_NAMES]:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
                return (delivered[-1].time - began) / SECOND

    assert warp(main()) < 1


def test_sum_is_made_only_of_parts_that_came_together() -> None:
    async def main() -> list[Reading]:
        silent = True

        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            async for frame in requests(reader):
                for name in ("dc_conv.dc_conv_struct[0].p_dc", "dc_conv.dc_conv_struct[1].p_dc"):
                    if frame == _question(name) and not (silent and "[1]" in name):
                        writer.write(response(name, 100.0))

        async with peer(script) as port, polled(port, FAST, 0.1) as (_, delivered):
            await asyncio.sleep(12)
            assert not values(delivered, "sun")
            assert values(delivered, "dc_conv.dc_conv_struct[0].p_dc") == []  # only its sum is wanted
            silent = False
            await asyncio.sleep(2000)
            return delivered

    delivered = warp(main())
    sums = values(delivered, "sun")
    assert len(sums) > 100
    assert {(r.value, r.object.unit, r.object.object_id) for r in sums} == {(200.0, "W", 0)}


def test_a_string_that_is_not_there_is_nothing_in_a_sum() -> None:
    async def main() -> list[Reading]:
        async with (
            Answering({"dc_conv.dc_conv_struct[1].enabled": b"\0"}) as simulator,
            polled(simulator.port, load_plan()) as (_, delivered),
        ):
            await asyncio.sleep(60)
            return delivered

    delivered = warp(main())
    assert not values(delivered, "dc_conv.dc_conv_struct[1].p_dc")
    first = values(delivered, "dc_conv.dc_conv_struct[0].p_dc")
    assert len(first) > 10
    assert [(r.time, r.value) for r in values(delivered, "power_panel")] == [(r.time, r.value) for r in first]


def _question(name: str) -> object:
    from rct_tools.frame import Command, Frame
    from rct_tools.objects import registry

    return Frame(Command.READ, registry[name].object_id)


def test_sum_has_the_time_of_its_newest_part_and_parts_half_an_interval_apart_at_most() -> None:
    a, b = registry["g_sync.p_ac_sc[0]"], registry["g_sync.p_ac_sc[1]"]
    total = _Sum(Field("sum", (a, b)), 10 * SECOND)
    assert total.add(Reading(0, "roof", a, 1.0)) is None
    assert total.add(Reading(6 * SECOND, "roof", b, 2.0)) is None
    assert total.add(Reading(10 * SECOND, "roof", a, 3.0)) == Reading(10 * SECOND, "roof", total._field.info, 5.0)
    assert total.add(Reading(20 * SECOND, "roof", a, 4.0)) is None  # parts are used once


def test_silence_of_an_object_is_said_once_and_so_is_its_end(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> int:
        silent = True

        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            async for frame in requests(reader):
                if frame == _question("g_sync.p_acc_lp"):
                    writer.write(response("g_sync.p_acc_lp", 1.0))
                elif frame == _question("battery.voltage") and not silent:
                    writer.write(response("battery.voltage", 400.0))
                elif frame == _question("svnversion"):
                    writer.write(response("svnversion", "x"))

        async with peer(script) as port, polled(port, FAST, 0.1) as (_, delivered):
            await asyncio.sleep(1000)
            assert not values(delivered, "battery.voltage")
            silent = False
            await asyncio.sleep(2000)
            assert values(delivered, "battery.voltage")
            return port

    port = warp(main())
    sun = "dc_conv.dc_conv_struct[0].p_dc, dc_conv.dc_conv_struct[1].p_dc"
    assert caplog.messages == [
        f"127.0.0.1:{port}: no answer for battery.voltage, {sun}; asked rarely from now on",
        f"127.0.0.1:{port}: answered again: battery.voltage",
    ]


def test_silent_inverter_is_down_and_nothing_is_said_of_its_objects(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> list[Reading]:
        silent = False

        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            async for frame in requests(reader):
                for name in ("battery.voltage", "g_sync.p_acc_lp"):
                    if frame == _question(name) and not silent:
                        writer.write(response(name, 1.0))
                if frame == _question("svnversion"):  # only the session lives
                    writer.write(response("svnversion", "x"))

        async with peer(script) as port, polled(port, FAST, 0.1) as (poller, delivered):
            await asyncio.sleep(60)
            assert poller.up
            silent = True
            await asyncio.sleep(3600)
            assert not poller.up
            count = len(values(delivered, "battery.voltage"))
            silent = False
            await asyncio.sleep(30)
            assert poller.up
            assert len(values(delivered, "battery.voltage")) >= count + 5
            return delivered

    delivered = warp(main())
    ups = [reading.value for reading in values(delivered, "link.up")]
    changes = [b for a, b in zip([None, *ups], ups, strict=False) if a != b]
    assert changes == [False, True, False, True]
    said = [message.partition(": ")[2].partition(" after")[0] for message in caplog.messages]
    assert said == [  # of the strings, while the rest answers
        "no answer for dc_conv.dc_conv_struct[0].p_dc, dc_conv.dc_conv_struct[1].p_dc; asked rarely from now on",
        "the session is dead, questions stay unanswered; trying again",  # once: on the next one, the probe is answered
        "there again",
        "silent for 30 s; will keep asking",
        "answers again,",
    ]
    assert 3590 < int(caplog.messages[-1].split()[-2]) < 3615


def test_inverter_that_is_read_rarely_may_miss_an_answer() -> None:
    async def main() -> list[Reading]:
        count = 0

        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal count
            async for frame in requests(reader):
                if frame == _question("battery.voltage"):
                    count += 1
                    if not 10 < count <= 13:  # asked three times, and once more
                        writer.write(response("battery.voltage", 400.0))

        of = parse_plan('[[group]]\nname = "a"\ninterval = "60s"\nobjects = ["battery.voltage"]', "test")
        async with peer(script) as port, polled(port, of, 0.1) as (_, delivered):
            await asyncio.sleep(1200)
            return delivered

    ups = [reading.value for reading in values(warp(main()), "link.up")]
    assert ups.count(False) == 1  # at the beginning


@pytest.mark.parametrize("hours", [12])
def test_a_night_without_an_inverter(hours: int, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> tuple[list[Reading], float]:
        async with Simulator(port=0, broadcast=False, speed=0) as day:
            port = day.port
            async with polled(port, load_plan()) as (poller, delivered):
                await asyncio.sleep(300)
                await day.close()
                began = wall()
                await asyncio.sleep(hours * 3600)
                night = [r for r in delivered if r.time > began + 60 * SECOND and r.object.name not in VITAL_NAMES]
                assert night == []
                assert not poller.up
                async with Simulator(port=port, broadcast=False, speed=0):
                    came_back = wall()
                    while not poller.up:  # noqa: ASYNC110  # nobody tells
                        await asyncio.sleep(1)
                    waited = (wall() - came_back) / SECOND
                    await asyncio.sleep(120)
                    assert len(values(delivered, "power_panel")) > 60 + 20
                    return delivered, waited

    delivered, waited = warp(main())
    assert waited <= 301
    lost, back = [line.partition(": ")[2] for line in caplog.messages[:-1]]  # and once more at the end of the test
    assert lost.startswith(("the inverter closed the connection", "connection lost"))  # with a question under way
    assert back.startswith("there again after ")
    # Nothing is asked, and nobody is told, but once a minute that it is away.
    assert len(values(delivered, "link.up")) < hours * 60 + 20


def test_inverter_that_comes_after_the_collector_is_read_in_full() -> None:
    async def main() -> None:
        async with Simulator(port=0) as nobody:
            port = nobody.port
        async with polled(port, load_plan()) as (poller, _):
            await asyncio.sleep(120)
            async with Simulator(port=port, broadcast=False, speed=0):
                while not poller.up:  # noqa: ASYNC110  # nobody tells
                    await asyncio.sleep(1)
                await asyncio.sleep(120)
                schedule = poller.schedule
                assert schedule.is_there("battery") is schedule.is_there("module 0") is True
                silent = [name for name, entry in schedule.entries.items() if not entry.answered]
                assert [name for name in silent if schedule.is_there(schedule.entries[name].component)] == []

    warp(main())


class Slow:
    """An inverter that answers nothing before it is told to."""

    name = peer = "roof"

    def __init__(self, *, connected: bool = True) -> None:
        self.connected = connected
        self.counters = Counters()
        self.asked: list[tuple[str, asyncio.Future[Reply]]] = []

    def ask(self, info: ObjectInfo) -> asyncio.Future[Reply]:
        self.asked.append((info.name, asyncio.get_running_loop().create_future()))
        if not self.connected:
            raise LinkError("roof: away")
        return self.asked[-1][1]

    @contextmanager
    def hearing(self, hear: Callable[[Reading], None]) -> Iterator[None]:
        self.hear = hear
        yield


def test_what_comes_by_itself_while_it_waits_is_not_asked_twice() -> None:
    names = [f"g_sync.u_l_rms[{n}]" for n in range(3)] + [f"g_sync.p_ac_sc[{n}]" for n in range(3)]
    names += ["g_sync.p_ac_sc_sum", "battery.voltage", "g_sync.p_acc_lp"]
    last = registry["g_sync.p_acc_lp"]

    async def main() -> list[str]:
        inverter = Slow()
        of = parse_plan(f'[[group]]\nname = "a"\ninterval = "5s"\nobjects = {json.dumps(names)}', "test")
        job = asyncio.create_task(Poller(inverter, of, lambda _: None, has=frozenset({"battery"})).run())
        await asyncio.sleep(6)
        for _ in range(10):
            inverter.hear(Reading(wall(), "roof", last, 1.0))
            await asyncio.sleep(5)
        for _, answer in inverter.asked:
            answer.set_exception(NoAnswer("roof", []))
        await asyncio.sleep(0.1)
        job.cancel()
        await asyncio.wait([job])
        return [name for name, _ in inverter.asked]

    assert warp(main()).count(last.name) == 1


def test_who_is_away_is_not_asked_more_often_than_who_is_there() -> None:
    async def main() -> int:
        inverter = Slow(connected=False)
        of = parse_plan('[[group]]\nname = "a"\ninterval = "5m"\nobjects = ["g_sync.p_acc_lp"]', "test")
        job = asyncio.create_task(Poller(inverter, of, lambda _: None).run())
        await asyncio.sleep(3601)
        job.cancel()
        await asyncio.wait([job])
        return len(inverter.asked)

    assert warp(main()) <= 13


def test_slow_inverter_is_not_flooded() -> None:
    async def main() -> tuple[int, int]:
        waiting = most = 0

        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal waiting, most

            async def answer(name: str) -> None:
                nonlocal waiting
                await asyncio.sleep(2.0)
                waiting -= 1
                writer.write(response(name, 1.0))

            async for frame in requests(reader):
                waiting += 1
                most = max(most, waiting)
                name = next(n for n in names if frame == _question(n))
                tasks.add(asyncio.create_task(answer(name)))

        tasks: set[asyncio.Task[None]] = set()
        names = ["svnversion", *(f"g_sync.u_l_rms[{n}]" for n in range(3)), "g_sync.p_acc_lp", "battery.voltage"]
        plan = parse_plan(
            f'[[group]]\nname = "a"\ninterval = "500ms"\nobjects = {names[1:]!r}'.replace("'", '"'), "test"
        )
        async with peer(script) as port, polled(port, plan, 5.0) as (poller, delivered):
            await asyncio.sleep(120)
            missed = poller.schedule.missed
            assert len(values(delivered, "battery.voltage")) > 10
        for task in tasks:
            task.cancel()
        return most, missed

    most, missed = warp(main())
    assert most <= OPEN
    assert missed > 100


def test_members_of_a_plant_and_strangers_are_not_taken_for_it() -> None:
    async def main() -> list[Reading]:
        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            from rct_tools.frame import Command, Frame
            from rct_tools.objects import registry

            info = registry["battery.voltage"]
            writer.write(Frame(Command.PLANT_RESPONSE, info.object_id, info.encode(1.0), 42).encode())
            async for frame in requests(reader):
                if frame == _question("battery.voltage"):
                    writer.write(response("battery.voltage", 400.0))

        async with peer(script) as port, polled(port, FAST, 0.1) as (_, delivered):
            await asyncio.sleep(300)
            return delivered

    assert {reading.value for reading in values(warp(main()), "battery.voltage")} == {400.0}
