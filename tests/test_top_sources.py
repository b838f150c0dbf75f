"""Where the live view has its picture from: an inverter on a clock that jumps, and captures."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from rct_tools.capture import Chunk, Direction
from rct_tools.client import Client, connect
from rct_tools.errors import CaptureError
from rct_tools.frame import Command, Frame
from rct_tools.live import PLAN, STEPS
from rct_tools.objects import registry
from rct_tools.reading import Reading
from rct_tools.simulator import Simulator
from rct_tools.simulator.faults import HEALTHY, Faults
from rct_tools.times import SECOND
from rct_tools.top import Inverter, Recorded

from peers import response
from warp import warp

START = datetime(2026, 6, 21, 12)  # noqa: DTZ001  # the clock on the wall
ZONE = ZoneInfo("UTC")
ASKED_FOR = ("battery.ah_capacity", "adc.u_acc", "battery.bms_software_version")


def house_clock() -> int:
    """The clock of the house: by how far that of the loop has jumped."""
    return round((START.replace(tzinfo=UTC).timestamp() + asyncio.get_running_loop().time()) * SECOND)


@asynccontextmanager
async def watched(simulator: Simulator) -> AsyncIterator[tuple[Inverter, Client]]:
    ticking = asyncio.get_running_loop().time
    client = connect("127.0.0.1", simulator.port, tries=None, clock=house_clock, ticking=ticking)
    async with client:
        source = Inverter(client, ZONE, wall_clock=house_clock)
        job = asyncio.create_task(source.run())
        try:
            yield source, client
        finally:
            job.cancel()
            await asyncio.wait([job])


async def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  # on a clock that jumps
            await asyncio.sleep(0.1)


def with_simulator(check: Callable[[Simulator, Inverter, Client], Awaitable[None]], **how: bool) -> None:
    async def main() -> None:
        async with (
            Simulator(port=0, speed=0, start=START, **how) as simulator,  # type: ignore[arg-type]
            watched(simulator) as (source, client),
        ):
            await check(simulator, source, client)

    warp(main())


def test_all_is_known_in_seconds_and_stays_fresh() -> None:
    async def check(simulator: Simulator, source: Inverter, client: Client) -> None:
        await until(lambda: not source.picture(STEPS[0], 1).health.missing, 8)
        assert source.picture(STEPS[0], 1).health.powers.house == pytest.approx(simulator.house.load)
        ages = []
        asked = client.counters.requests
        for _ in range(600):
            await asyncio.sleep(0.5)
            picture = source.picture(STEPS[0], 1)
            assert picture.up
            assert not picture.health.missing
            assert picture.age is not None
            ages.append(picture.age / SECOND)
        assert max(ages) < 3
        assert (client.counters.requests - asked) / 300 < 6  # a second: it leaves others room
        assert source.title == client.peer
        assert not source.is_over

    with_simulator(check, broadcast=False)


def test_what_is_told_unasked_is_taken_too() -> None:
    async def check(_simulator: Simulator, source: Inverter, _client: Client) -> None:
        await until(lambda: source.newest("battery.maximum_charge_current") is not None)  # which nobody asks
        assert not source.picture(STEPS[0], 1).health.missing

    with_simulator(check, broadcast=True)


def test_away_within_seconds_and_back_again() -> None:
    async def check(simulator: Simulator, source: Inverter, _client: Client) -> None:
        await until(lambda: source.picture(STEPS[0], 1).up is True)
        simulator.night(3600)
        await until(lambda: source.picture(STEPS[0], 1).up is False, 6)
        away = source.picture(STEPS[0], 1)
        assert away.age is None
        assert away.health.powers.house is None
        simulator.day()
        await until(lambda: source.picture(STEPS[0], 1).up is True)
        await until(lambda: source.picture(STEPS[0], 1).health.powers.house is not None, 5)

    with_simulator(check)


def test_a_bridge_that_hangs_leaves_no_old_number() -> None:
    async def check(simulator: Simulator, source: Inverter, _client: Client) -> None:
        await until(lambda: not source.picture(STEPS[0], 1).health.missing)
        simulator.hang(100)
        await asyncio.sleep(17)
        assert source.picture(STEPS[0], 1).up is True  # which nobody knows better yet
        assert source.picture(STEPS[0], 1).age is None
        assert source.picture(STEPS[0], 1).health.powers.sun is None
        await until(lambda: source.picture(STEPS[0], 1).up is False, 40)
        await until(lambda: source.picture(STEPS[0], 1).up is True, 120)

    with_simulator(check, broadcast=False)


def test_what_somebody_looks_at_is_asked_for_and_no_more_than_needed() -> None:
    infos = [registry[name] for name in ASKED_FOR]

    async def check(_simulator: Simulator, source: Inverter, client: Client) -> None:
        await until(lambda: not source.picture(STEPS[0], 1).health.missing)
        source.want([registry["logger.minutes_soc_log_ts"]])  # a log is no value
        for _ in range(20):
            source.want(infos)
            await asyncio.sleep(0.1)
        for info in infos:
            reading = source.newest(info.name)
            assert reading is not None
            assert source.age(reading) < 3 * SECOND
            assert not source.is_silent(info.name)
        before = client.counters.requests
        source.want(infos)
        await asyncio.sleep(0)
        assert client.counters.requests == before
        await asyncio.sleep(4)
        source.want(infos)
        await until(lambda: all(source.age(found) < SECOND for i in infos if (found := source.newest(i.name))))

    with_simulator(check)


def test_what_does_not_answer_is_said_until_it_does() -> None:
    infos = registry.match("battery.")[:60]

    async def check(simulator: Simulator, source: Inverter, _client: Client) -> None:
        def silent() -> set[str]:
            source.want(infos)
            return {info.name for info in infos if source.is_silent(info.name)}

        await until(lambda: not source.picture(STEPS[0], 1).health.missing)
        simulator.faults = Faults(rare=3600)
        await until(lambda: bool(silent()), 300)
        simulator.faults = HEALTHY
        await until(lambda: not silent(), 300)

    with_simulator(check, broadcast=False)


def test_nothing_is_asked_for_while_there_is_no_connection() -> None:
    async def check(simulator: Simulator, source: Inverter, client: Client) -> None:
        await until(lambda: source.picture(STEPS[0], 1).up is True)
        simulator.night(3600)
        await until(lambda: not client.connected)
        source.want([registry[ASKED_FOR[0]]])
        assert source.newest(ASKED_FOR[0]) is None

    with_simulator(check, broadcast=False)


def test_events_and_today_come_from_its_log() -> None:
    async def check(_simulator: Simulator, source: Inverter, _client: Client) -> None:
        await until(lambda: not source.picture(STEPS[0], 1).health.missing)
        assert source.log is source
        events = await source.events(3)
        assert len(events) == 3
        assert [event.begin for event in events] == sorted((event.begin for event in events), reverse=True)
        day, rows = await source.today()
        assert day == datetime(2026, 6, 21, tzinfo=ZONE)
        assert rows[0].time > rows[-1].time >= round(day.timestamp()) * SECOND
        assert set(rows[0].values) == {"Pdc A", "Pdc B", "Pload", "Pgrid feed", "Pgrid load", "SOC"}
        assert len(rows) > 140

    with_simulator(check)


def test_just_after_midnight_the_day_before_is_shown() -> None:
    async def main() -> datetime:
        async with (
            Simulator(port=0, speed=0, start=datetime(2026, 6, 21)) as simulator,  # noqa: DTZ001
            connect("127.0.0.1", simulator.port) as client,
        ):
            midnight = round(datetime(2026, 6, 21, tzinfo=UTC).timestamp()) * SECOND
            return (await Inverter(client, ZONE, wall_clock=lambda: midnight + 30 * SECOND).today())[0]

    assert warp(main()) == datetime(2026, 6, 20, tzinfo=ZONE)


def test_a_faster_clock_makes_nothing_old() -> None:
    async def main() -> None:
        begin = house_clock()

        def clock() -> int:
            return begin + (house_clock() - begin) * 600

        async with Simulator(port=0, start=START, speed=600) as simulator:
            ticking = asyncio.get_running_loop().time
            async with connect("127.0.0.1", simulator.port, clock=clock, ticking=ticking) as client:
                source = Inverter(client, ZONE, PLAN, speed=600, wall_clock=clock)
                job = asyncio.create_task(source.run())
                await until(lambda: not source.picture(STEPS[0], 1).health.missing)
                await asyncio.sleep(20)
                picture = source.picture(STEPS[-1], 20)
                assert not picture.health.missing
                assert picture.age is not None
                assert picture.age < 3 * SECOND  # as they pass for who watches
                assert sum(value is not None for value in picture.curves["house"]) >= 6
                job.cancel()
                await asyncio.wait([job])

    warp(main())


def test_members_of_a_plant_are_others() -> None:
    async def check(_simulator: Simulator, source: Inverter, client: Client) -> None:
        await until(lambda: not source.picture(STEPS[0], 1).health.missing)
        stranger = Reading(house_clock(), f"{client.name}/0000002A", registry["battery.soc"], 0.123)
        source._hear(stranger)
        assert source.newest("battery.soc") != stranger

    with_simulator(check)


# --- captures -------------------------------------------------------------------------------------------------------

T0 = 1_700_000_000 * SECOND
HOUSE = "g_sync.p_ac_load_sum_lp"


def said(name: str, value: float, seconds: float) -> Chunk:
    return Chunk(T0 + round(seconds * SECOND), Direction.RECEIVED, response(name, value))


def recorded(*chunks: Chunk, speed: float = 1.0) -> Recorded:
    return Recorded("captures/roof.rctcap", iter(chunks), ZONE, speed)


def test_a_capture_passes_at_its_pace() -> None:
    async def main() -> None:
        source = recorded(said(HOUSE, 500.0, 0), said(HOUSE, 700.0, 60), said("battery.soc", 0.5, 600), speed=60)
        job = asyncio.create_task(source.run())
        assert source.title == "roof.rctcap ×60"
        await asyncio.sleep(0.5)
        picture = source.picture(STEPS[0], 3)
        assert (picture.up, picture.health.powers.house) == (None, 500.0)
        assert (picture.time - T0) / SECOND == pytest.approx(30, abs=2)
        assert picture.age == picture.time - T0
        await asyncio.sleep(1)
        assert source.picture(STEPS[0], 1).health.powers.house == 700.0
        reading = source.newest(HOUSE)
        assert reading is not None
        assert source.age(reading) / SECOND == pytest.approx(30, abs=2)
        await asyncio.sleep(2.5)
        assert source.picture(STEPS[0], 1).health.powers.house is None  # older than three of its rounds
        assert not source.is_over
        await job
        assert source.is_over
        end = source.picture(STEPS[0], 1)
        assert end.health.battery is not None
        assert end.health.battery.soc == 0.5
        await asyncio.sleep(100)
        assert source.picture(STEPS[0], 1) == end  # its time has ended, too

    warp(main())


def test_a_capture_as_fast_as_possible() -> None:
    source = recorded(said(HOUSE, 500.0, 0), said(HOUSE, 700.0, 6000), speed=0)
    warp(source.run())
    assert source.is_over


def test_what_is_no_reading_of_the_inverter_is_counted_or_left_out() -> None:
    soc = registry["battery.soc"]
    cut = Frame(Command.RESPONSE, soc.object_id, b"\x3e\x97").encode()
    bad = response("battery.soc", 0.25)[:-1] + b"\xff"
    asks = Frame(Command.READ, soc.object_id).encode()
    slave = Frame(Command.PLANT_RESPONSE, soc.object_id, soc.encode(0.75), address=42).encode()

    async def main() -> Recorded:
        data = (cut, bad, slave)
        chunks = [Chunk(T0 + n, Direction.RECEIVED, each) for n, each in enumerate(data)]
        source = recorded(Chunk(T0, Direction.SENT, asks), *chunks, speed=0)
        await source.run()
        quality = source.picture(STEPS[0], 1).health.quality
        assert (quality.requests, quality.cut, quality.damaged) == (0, 1, 1)
        return source

    source = warp(main())
    assert source.newest("battery.soc") is None
    assert source.log is None
    source.want([soc])
    assert not source.is_silent("battery.soc")


@pytest.mark.parametrize(
    ("chunks", "reason"),
    [
        ((), "captures/roof.rctcap: the capture is empty"),
        ((Chunk(0, Direction.RECEIVED, response("battery.soc", 0.5)),), "captures/roof.rctcap: keeps no times"),
    ],
)
def test_captures_without_a_now(chunks: tuple[Chunk, ...], reason: str) -> None:
    with pytest.raises(CaptureError, match=f"^{reason}"):
        warp(recorded(*chunks).run())
