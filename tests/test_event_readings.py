"""Events as readings: each has a time of its own, always the same, and comes to every sink once."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from rct_tools.client import Client, connect
from rct_tools.clock import Clock
from rct_tools.collector import Collector
from rct_tools.config import parse_plan, sink_of
from rct_tools.errors import SinkError
from rct_tools.events import BEGIN, END, EVENTS, LOG, EventWatch, event_readings
from rct_tools.frame import Frame
from rct_tools.objects import registry
from rct_tools.plain import plain
from rct_tools.reading import Reading
from rct_tools.setups import InverterSetup, Setup, SpoolSetup
from rct_tools.simulator import Simulator
from rct_tools.simulator.faults import parse_faults
from rct_tools.sinks.sqlite import query
from rct_tools.times import SECOND
from rct_tools.values import PARAMETER_CHANGED, Event, LoggedEvent

from answering import Answering
from logbook import Page, from_there_on, logbook, older
from standins import Shelf
from warp import warp

BERLIN = Clock.of("Europe/Berlin")
HOUR = 3600 * SECOND
DAY = 24 * HOUR


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


NOON = at("2024-06-21T12:00")  # by the clock of the inverter
NOW = BERLIN.utc(NOON) * SECOND


async def read(client: Client, since: int, **options: Any) -> list[Reading]:
    settings: dict[str, Any] = {"zone": "Europe/Berlin", "now": lambda: NOW} | options
    return await event_readings(client, since=since, **settings)


def event(reading: Reading) -> LoggedEvent:
    assert isinstance(reading.value, LoggedEvent)
    return reading.value


def keys(readings: Sequence[Reading]) -> Counter[tuple[str, int]]:
    return Counter((reading.object.name, reading.time) for reading in readings)


def told(readings: Sequence[Reading], name: str) -> Counter[Event]:
    return Counter(event(reading).raw for reading in readings if reading.object.name == name)


# --- their times ----------------------------------------------------------------------------------------------------

SAME_END = NOON - 100
ROWS = [
    Event(0x77, NOON - 4000, (0, 1, 2)),
    Event(0x59, NOON - 131, (SAME_END, 1, 0)),
    *[Event(0x5A, NOON - 130, (SAME_END, 1, 0))] * 2,  # two that nothing tells apart
    Event(0x54, NOON - 130, (SAME_END, 2, 0)),
    Event(0x59, NOON - 129, (SAME_END, 1, 0)),
    Event(0x5A, SAME_END, (SAME_END, 1, 0)),  # over as soon as it began
    Event(0x6B, NOON - 90, (0, 0, 0)),  # goes on
]


async def test_simultaneous_events_have_times_of_their_own() -> None:
    async with logbook({LOG: ROWS}, older, 4) as port, connect("127.0.0.1", port, name="roof") as client:
        readings = await read(client, NOW - DAY)
        assert set(keys(readings).values()) == {1}
        assert told(readings, BEGIN.name) == Counter(ROWS)
        assert told(readings, END.name) == Counter(ROWS[1:-1])
        assert [reading.time for reading in readings] == sorted(reading.time for reading in readings)
        begins = [r.time - NOW for r in readings if r.object is BEGIN]
        assert begins == [
            -4000 * SECOND, -131 * SECOND, -130 * SECOND, -130 * SECOND + 1, -130 * SECOND + 2, -129 * SECOND,
            -100 * SECOND, -90 * SECOND,
        ]  # fmt: skip
        ends = [r.time - NOW + 100 * SECOND for r in readings if r.object is END]
        assert ends == [0, 29 * 31, 30 * 31, 30 * 31 + 1, 30 * 31 + 2, 31 * 31]
        assert {(r.inverter, r.backfilled) for r in readings} == {("roof", False)}  # they are of the log, always


async def test_times_are_the_same_whenever_the_log_is_read() -> None:
    async with logbook({LOG: ROWS}, older, 4) as port, connect("127.0.0.1", port) as client:
        whole = await read(client, NOW - DAY)
        cuts = [NOW - 131 * SECOND, NOW - 130 * SECOND + 1, NOW - 130 * SECOND + 2, NOW - 100 * SECOND + 900, NOW]
        for since, until in zip(cuts, [*cuts[1:], None], strict=False):
            part = await read(client, since - 1, until=until)
            assert part == [r for r in whole if since - 1 <= r.time and (until is None or r.time < until)]
        second = NOW - 130 * SECOND  # in whose midst it begins
        begun = await read(client, second + 1, lasts=0)
        assert begun == [r for r in whole if r.time > second and event(r).begin >= second]


async def test_what_ended_since_may_have_begun_a_week_before() -> None:
    rows = [Event(0x59, NOON - 9 * 86_400, (NOON - 50, 1, 0)), Event(0x59, NOON - 6 * 86_400, (NOON - 40, 1, 0))]
    async with logbook({LOG: rows}, older) as port, connect("127.0.0.1", port) as client:
        assert [event(reading).raw for reading in await read(client, NOW - HOUR)] == rows[1:]
        assert await read(client, NOW - HOUR, lasts=0) == []


async def test_the_longest_of_a_second_leave_it_no_room_to_be_left() -> None:
    year = 366 * 86_400
    rows = [*[Event(0x59, NOON - year, (NOON, 1, 0))] * 2, Event(0x59, NOON - year, (NOON + 1, 1, 0))]
    async with logbook({LOG: rows}, older) as port, connect("127.0.0.1", port) as client:
        readings = await read(client, NOW - 2 * 366 * DAY, zone="UTC", now=lambda: NOON * SECOND)
    assert [r.time // SECOND for r in readings if r.object is END] == [NOON, NOON]  # the third claims to last too long


CHANGES = [  # what the clock shows, in the order of the log; when that was
    (
        ["2024-03-31T01:59:58", "2024-03-31T01:59:58", "2024-03-31T03:00:02"],
        ["2024-03-31T00:59:58", "2024-03-31T00:59:58", "2024-03-31T01:00:02"],
    ),
    (
        ["2024-10-27T02:10:00", "2024-10-27T02:50:00", "2024-10-27T02:10:00", "2024-10-27T02:50:00"],
        ["2024-10-27T00:10:00", "2024-10-27T00:50:00", "2024-10-27T01:10:00", "2024-10-27T01:50:00"],
    ),
]


@pytest.mark.parametrize(("page", "size"), [(older, 40), (from_there_on, 40), (from_there_on, 4)])
@pytest.mark.parametrize(("shown", "times"), CHANGES)
async def test_over_a_change_of_the_clock_all_are_kept_in_their_order(
    shown: list[str], times: list[str], page: Page, size: int
) -> None:
    rows = [Event(0x59, at(text), (at(text) + 5, 1, 0)) for text in shown]
    now = at("2024-12-01T00:00") * SECOND
    first = at(times[0]) * SECOND
    async with logbook({LOG: rows}, page, size) as port, connect("127.0.0.1", port) as client:
        readings = await read(client, first, now=lambda: now)
        again = await read(client, first + SECOND, now=lambda: now)
    begins = [reading for reading in readings if reading.object is BEGIN]
    assert [reading.time // SECOND for reading in begins] == [at(text) for text in times]
    assert [event(reading).raw for reading in begins] == rows
    assert [event(reading).duration for reading in begins] == [5 * SECOND] * len(rows)
    assert set(keys(readings).values()) == {1}
    assert again == [reading for reading in readings if reading.time >= first + SECOND]


# --- following the log ----------------------------------------------------------------------------------------------


@asynccontextmanager
async def following(client: Client, **options: Any) -> AsyncIterator[list[Reading]]:
    """Follow a log; what is delivered is in the list."""
    loop = asyncio.get_running_loop()
    found: list[Reading] = []
    settings: dict[str, Any] = {
        "since": NOW,
        "zone": "Europe/Berlin",
        "now": lambda: NOW + round(loop.time() * SECOND),
    } | options
    job = asyncio.create_task(EventWatch(client, found.extend, **settings).run())
    try:
        yield found
    finally:
        job.cancel()
        with suppress(asyncio.CancelledError):
            await job


def test_a_log_that_is_full_of_changes_is_read_far_back_once_an_hour() -> None:
    async def main() -> None:
        changes = [Event(PARAMETER_CHANGED, NOON - ago, (0, 1, 2)) for ago in range(86_400 * 8, 0, -30)]
        async with (
            logbook({LOG: changes}, older) as port,
            connect("127.0.0.1", port, name="roof") as client,
            following(client) as found,
        ):
            await asyncio.sleep(50)
            far = client.counters.requests
            await asyncio.sleep(600)
            assert client.counters.requests - far <= 10 * 10
            assert far > 400
            await asyncio.sleep(3600)
            assert client.counters.requests - far > 100
        assert found == []

    warp(main())


def test_only_what_is_new_is_told_and_each_once() -> None:
    async def main() -> None:
        old = [Event(0x59, NOON - 7000, (NOON - 6990, 1, 0)), Event(0x5A, NOON - 2 * 86_400, (0, 1, 0))]
        logs = {LOG: sorted(old, key=lambda row: row.time)}
        async with (
            logbook(logs, older) as port,
            connect("127.0.0.1", port, name="roof") as client,
            following(client) as found,
        ):
            await asyncio.sleep(130)
            assert found == []
            logs[LOG] += [Event(0x59, NOON + 100, (0, 1, 0))] * 2
            await asyncio.sleep(61)
            assert told(found, BEGIN.name) == Counter(logs[LOG][-2:])
            assert not any(reading.backfilled for reading in found)
            logs[LOG][-1] = Event(0x59, NOON + 100, (NOON + 150, 1, 0))
            # Begun two days before it was looked at first, and over now; and a restart, told when it is over.
            logs[LOG][0] = Event(0x5A, NOON - 2 * 86_400, (NOON + 160, 1, 0))
            logs[LOG].insert(2, Event(0x76, NOON - 900, (NOON + 161, 0, 0)))
            await asyncio.sleep(200)
            assert told(found, END.name) == Counter([logs[LOG][-1]])
            await asyncio.sleep(3600)
        assert told(found, END.name) == Counter([logs[LOG][-1], logs[LOG][0], logs[LOG][2]])
        assert told(found, BEGIN.name) == Counter([*[Event(0x59, NOON + 100, (0, 1, 0))] * 2, logs[LOG][2]])
        assert set(keys(found).values()) == {1}

    warp(main())


def test_another_start_tells_nothing_again() -> None:
    async def main() -> None:
        async with logbook({LOG: ROWS}, older) as port, connect("127.0.0.1", port) as client:
            for since, count in ((NOW - 130 * SECOND, 12), (NOW, 0)):
                async with following(client, since=since) as found:
                    await asyncio.sleep(300)
                assert len(found) == count

    warp(main())


@pytest.mark.parametrize("back", [1200, 400 * 86_400, 50 * 366 * 86_400])  # the last: no log can be asked for then
def test_a_clock_that_is_set_back_ends_nothing(back: int) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        ahead = back  # as that of a machine may be when it starts

        def now() -> int:
            return NOW + round((loop.time() + ahead) * SECOND)

        logs = {LOG: [Event(PARAMETER_CHANGED, NOON - 600, (0, 1, 2))]}
        async with (
            logbook(logs, older) as port,
            connect("127.0.0.1", port) as client,
            following(client, since=now(), now=now) as found,
        ):
            await asyncio.sleep(130)
            ahead = 0
            await asyncio.sleep(61)
            found.clear()
            logs[LOG].append(Event(PARAMETER_CHANGED, NOON + 200, (0, 2, 3)))
            await asyncio.sleep(61)
            assert told(found, BEGIN.name) == Counter(logs[LOG][-1:])

    warp(main())


@pytest.mark.parametrize("spec", ["", "cut=0.1,lost=0.1,late=0.05,doubled=0.3"])
def test_all_that_happens_is_told_over_a_line_that_loses_much(spec: str) -> None:
    async def main() -> None:
        start = datetime.fromtimestamp(NOON, UTC)
        rows = [
            Event((0x59, 0x5A, 0x54)[n % 3], NOON + n // 3 * 700, (NOON + n // 3 * 700 + n // 9 * 60, n, 0))
            for n in range(90)
        ]
        async with Simulator(port=0, broadcast=False, speed=0.0, start=start, faults=parse_faults(spec)) as simulated:
            async with connect("127.0.0.1", simulated.port) as client, following(client) as found:
                for row in rows:  # in groups of three, which the second look may part
                    simulated.inverter.history.happened(row.type, row.time, row.values)
                    await asyncio.sleep(233)
                await asyncio.sleep(1000)
            assert told(found, BEGIN.name) == told(found, END.name) == Counter(rows)
            assert set(keys(found).values()) == {1}
            assert bool(spec) == (simulated.happened.total() > 0)

    warp(main())


def test_an_inverter_without_a_log_is_said_once_and_asked_rarely(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        logs: dict[str, list[Event]] = {}
        async with (
            logbook(logs, older) as port,
            connect("127.0.0.1", port, timeout=0.1, attempts=1) as client,
            following(client) as found,
        ):
            await asyncio.sleep(5 * 3600)
            assert caplog.messages.count(f"{client.peer}: no answer for its event log; there are no events of it") == 1
            assert client.counters.requests < 100
            logs[LOG] = [Event(0x59, NOON - 50, (0, 1, 0)), Event(0x59, NOON + 50, (0, 1, 0))]
            await asyncio.sleep(3700)
            assert told(found, BEGIN.name) == Counter(logs[LOG][1:])
            # From now on, silence is that of the inverter, which its poller tells.
            del logs[LOG]
            await asyncio.sleep(3600)
            logs[LOG] = [Event(0x59, NOON + 3600, (0, 1, 0))]
            await asyncio.sleep(3700)
            assert told(found, BEGIN.name)[logs[LOG][0]] == 1
        assert len([message for message in caplog.messages if "event log" in message]) == 1

    warp(main())


def test_lost_connections_cost_no_event() -> None:
    async def main() -> None:
        start = datetime.fromtimestamp(NOON, UTC)
        simulated = Simulator(port=0, broadcast=False, speed=0.0, start=start)
        async with simulated:
            port = simulated.port
            client = await connect("127.0.0.1", port, tries=None).__aenter__()
        async with following(client, is_time=lambda: True) as found:
            await asyncio.sleep(600)  # nobody is there
            rows = [Event(0x59, NOON + 30, (NOON + 40, 1, 0)), Event(0x5A, NOON + 500, (0, 1, 0))]
            again = Simulator(port=port, broadcast=False, speed=0.0, start=start)
            async with again:
                for row in rows:
                    again.inverter.history.happened(row.type, row.time, row.values)
                await asyncio.sleep(600)
        await client.close()
        assert told(found, BEGIN.name) == Counter(rows)

    warp(main())


# --- in the collector -----------------------------------------------------------------------------------------------

PLAN = parse_plan('[[group]]\nname = "a"\ninterval = "5s"\nobjects = ["battery.voltage"]', "test")


def simulator() -> Simulator:
    return Simulator(port=0, broadcast=False, speed=0.0, start=datetime.fromtimestamp(NOON, UTC))


def wall_clock() -> int:
    """The time by a clock that goes as that of the loop does."""
    return (NOON + 10) * SECOND + round(asyncio.get_running_loop().time() * SECOND)


def happen(simulated: Simulator) -> list[Event]:
    """Let three things happen now, two of them at once and over already."""
    now = wall_clock() // SECOND
    rows = [Event(0x5A, now, (now + 1, 1, 0)), Event(0x59, now, (now + 1, 1, 0)), Event(0x77, now, (0, 1, 2))]
    for row in rows:
        simulated.inverter.history.happened(row.type, row.time, row.values)
    return rows


@asynccontextmanager
async def collecting(simulated: Simulator, *sinks: Any) -> AsyncIterator[Collector]:
    setup = Setup((InverterSetup("roof", simulated.host, PLAN, simulated.port),), sinks)
    collector = Collector(setup, wall_clock=wall_clock)
    job = asyncio.create_task(collector.run())
    try:
        yield collector
    finally:
        job.cancel()
        with suppress(asyncio.CancelledError):
            await job


def test_every_event_is_once_in_each_store_whatever_is_restarted(tmp_path: Path) -> None:
    async def main() -> list[Event]:
        rows = []
        sinks = [sink_of(f"{form}:{tmp_path / name}") for form, name in (("sqlite", "a.db"), ("jsonl", "a.jsonl"))]
        async with simulator() as simulated:
            for _ in range(3):
                async with collecting(simulated, *sinks):
                    await asyncio.sleep(30)
                    rows += happen(simulated)
                    await asyncio.sleep(200)
                await asyncio.sleep(5)
            async with connect("127.0.0.1", simulated.port, name="roof") as client:
                again = await event_readings(client, since=NOON * SECOND, zone="UTC", now=wall_clock)
        shelf = sink_of(f"sqlite:{tmp_path / 'a.db'}").open([])
        await shelf.write(again)  # as what fills gaps would
        await shelf.close()
        return rows

    rows = warp(main())
    stored = [(row.object, row.value) for row in query(tmp_path / "a.db", "event.*")]
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text("utf-8").splitlines()]
    for found in (stored, [(line["object"], line["value"]) for line in lines if line["object"].startswith("event.")]):
        for info, count in ((BEGIN, 9), (END, 6)):
            values = [value for name, value in found if name == info.name]
            assert len(values) == count
            expected = [list(row.values) for row in rows if info is BEGIN or row.type != 0x77]
            assert sorted(value["raw"] for value in values) == sorted(expected)


def test_sink_that_is_away_for_an_hour_gets_all_events(tmp_path: Path) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        shelf = Shelf(fails=lambda _: SinkError("x: away") if loop.time() - begin < 3600 else None)
        other = Shelf()
        begin = loop.time()
        spool = SpoolSetup(tmp_path / "x.db")
        rows = []
        async with simulator() as simulated:
            async with collecting(simulated, replace(shelf.setup("x"), spool=spool), other.setup("other")):
                for _ in range(3):
                    await asyncio.sleep(900)
                    rows += happen(simulated)
                await asyncio.sleep(300)
            assert not shelf.readings
            async with collecting(simulated, replace(shelf.setup("x"), spool=spool)):  # and the program was restarted
                await asyncio.sleep(1800)
        assert told(shelf.of(BEGIN.name), BEGIN.name) == Counter(rows)
        for info in EVENTS:
            # A value in the spool is the same as before; as the text of JSON, also to a store.
            assert shelf.of(info.name) == other.of(info.name)
            assert [plain(r.value) for r in shelf.of(info.name)] == [plain(r.value) for r in other.of(info.name)]

    warp(main())


def test_nobody_asks_for_events_that_nobody_wants() -> None:
    async def main() -> None:
        none, some = Shelf(), Shelf()
        async with simulator() as simulated, collecting(simulated, none.setup("none", "battery.*")) as collector:
            await asyncio.sleep(300)
            assert LOG not in asked(simulated)
            happen(simulated)
            roof = collector.setup.inverters
            await collector.change(Setup(roof, (some.setup("some", "event.begin"),)))
            await asyncio.sleep(120)
            assert LOG in asked(simulated)
        assert {reading.object.name for reading in some.readings} == {"event.begin"}

    warp(main())


def test_a_silent_inverter_is_not_asked_for_its_log_too() -> None:
    heard = set()

    class Silent(Answering):
        def _answer(self, request: Frame) -> Frame | None:
            heard.add(registry[request.object_id].name)
            return super()._answer(request)

    async def main() -> None:
        async with Silent({"*": None}) as silent, collecting(silent, Shelf().setup()):
            await asyncio.sleep(600)

    warp(main())
    assert "battery.voltage" in heard
    assert LOG not in heard


def test_change_of_an_inverter_loses_no_event() -> None:
    async def main() -> None:
        shelf = Shelf()
        async with simulator() as simulated, collecting(simulated, shelf.setup()) as collector:
            await asyncio.sleep(70)
            rows = happen(simulated)
            (roof,) = collector.setup.inverters
            plan = parse_plan('[[group]]\nname = "a"\ninterval = "9s"\nobjects = ["battery.voltage"]', "test")
            await collector.change(Setup((replace(roof, plan=plan),), (shelf.setup(),)))
            await asyncio.sleep(120)
        assert told(shelf.of(BEGIN.name), BEGIN.name) == Counter(rows)

    warp(main())


def asked(simulated: Simulator) -> set[str]:
    return {registry[object_id].name for object_id in simulated.inverter._asked}
