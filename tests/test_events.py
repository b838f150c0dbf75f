"""The event log: all of it, in its order, with names, times and values of the right type."""

from __future__ import annotations

import asyncio
import struct
from datetime import UTC, datetime
from typing import Any

import pytest

from rct_tools.client import Client, connect
from rct_tools.clock import Clock
from rct_tools.errors import ConfigError, NoAnswer
from rct_tools.events import LOG, UNITS, LoggedEvent, follow_events, read_events, tell
from rct_tools.objects import registry
from rct_tools.paging import Dated
from rct_tools.simulator import Simulator
from rct_tools.simulator.faults import parse_faults
from rct_tools.times import SECOND
from rct_tools.values import DataType, Event, Value

from logbook import logbook, older
from warp import warp, warped

BERLIN = Clock.of("Europe/Berlin")


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


NOON = at("2024-06-21T12:00")
NOW = BERLIN.utc(NOON) * SECOND


def bits(value: float) -> int:
    return int.from_bytes(struct.pack(">f", value))


async def read(client: Client, **options: Any) -> list[LoggedEvent]:
    settings: dict[str, Any] = {"zone": "Europe/Berlin", "now": lambda: NOW} | options
    return [event async for event in read_events(client, **settings)]


def told(kind: int, values: tuple[int, int, int], time: int = NOON) -> LoggedEvent:
    return tell(BERLIN, Dated(Event(kind, time, values), BERLIN.utc(time), is_sure=True))


# --- what an event means ---

CHANGES: list[tuple[str, int, int, Value, Value]] = [  # a parameter, two numbers as they stand in the log, and values
    ("power_mng.soc_min", bits(0.5), bits(0.25), 0.5, 0.25),
    ("power_mng.soc_strategy", 4, 2, 4, 2),
    ("power_mng.use_grid_power_enable", 1, 0, True, False),
    ("display_struct.brightness", 255, 0x1FF, 255, 255),
    ("android_description", 0x526F6F66, 0, b"Roof", b"\0\0\0\0"),
]


@pytest.mark.parametrize(("name", "before", "after", "old", "new"), CHANGES)
def test_a_changed_parameter_has_values_of_its_type(name: str, before: int, after: int, old: Value, new: Value) -> None:
    info = registry[name]
    event = told(0x73, (info.object_id, before, after))
    assert (event.name, event.object, event.old, event.new) == ("parameter changed", name, old, new)
    assert (event.unit, event.end, event.duration, event.value) == (info.unit, None, None, None)


@pytest.mark.parametrize("info", registry, ids=lambda info: info.name)
def test_a_change_of_any_object_can_be_told(info: Any) -> None:
    for number in (0, 1, 0x80000000, 0xFFFFFFFF):
        event = told(0x73, (info.object_id, number, number))
        assert event.object == info.name
        assert event.old is not None
        small = DataType.BOOL, DataType.ENUM, DataType.UINT8
        assert info.data_type not in small or event.old in (0, 1, 255)


def test_a_change_of_an_object_that_nobody_knows() -> None:
    event = told(0x73, (0x12345678, 1, 2))
    assert event.object == "0x12345678"
    assert (event.old, event.new) == (b"\0\0\0\x01", b"\0\0\0\x02")


def test_an_update_has_versions() -> None:
    event = told(0x77, (0, 5661, 5678))
    assert (event.name, event.old, event.new, event.end, event.object) == ("update", 5661, 5678, None, "")


MEASURED = [  # type, second number, value, unit
    (0x4F, bits(150.5), 150.5, "V"),
    (0x52, bits(50.25), 50.25, "Hz"),
    (0x64, bits(450.0), 450.0, "V"),
    (0x4F, 3, None, ""),  # a code
    (0x4F, 0, None, ""),
    (0x4F, bits(float("nan")), None, ""),
    (0x4F, bits(1e30), None, ""),
    (0x59, bits(230.0), None, ""),  # of a type that measures nothing
]


@pytest.mark.parametrize(("kind", "number", "value", "unit"), MEASURED)
def test_what_lasts_has_an_end_and_perhaps_a_measured_value(
    kind: int, number: int, value: float | None, unit: str
) -> None:
    event = told(kind, (NOON + 30, number, 0))
    assert (event.value, event.unit) == (value, unit)
    assert event.begin == NOW
    assert event.duration == 30 * SECOND
    assert event.end == NOW + 30 * SECOND
    assert event.raw.values[1] == number


@pytest.mark.parametrize("end", [0, NOON - 1, NOON + 400 * 86_400, 0xFFFFFFFF])
def test_what_cannot_be_an_end_is_none(end: int) -> None:
    assert told(0x59, (end, 0, 0)).end is None


def test_an_event_over_the_hour_that_repeats() -> None:
    begin = at("2024-10-27T02:50")
    event = told(0x59, (at("2024-10-27T02:10"), 0, 0), begin)
    assert event.duration == 20 * 60 * SECOND  # to the second 02:10


def test_types_have_names() -> None:
    assert set(UNITS) <= registry.events.keys()
    assert told(0x5A, (NOON, 0, 0)).name == "disconnected from the household grid"
    assert told(200, (NOON, 0, 0)).name == "type 0xc8"


# --- the whole log ---


@pytest.mark.parametrize("spec", ["", "cut=0.1,lost=0.05,late=0.05", "doubled=0.5,echo=0.3"])
def test_all_events_of_the_simulated_inverter(spec: str) -> None:
    async def main() -> None:
        start = datetime.fromtimestamp(NOON, UTC)
        async with Simulator(port=0, broadcast=False, speed=0.0, start=start, faults=parse_faults(spec)) as simulated:
            async with connect("127.0.0.1", simulated.port) as client:
                found = await read(client)
                assert [event.raw for event in found] == simulated.inverter.history._events[::-1]
                assert len(found) > 100
                since, until = found[40].begin, found[20].begin
                part = await read(client, since=since, until=until)
                assert part == [event for event in found if since <= event.begin < until]
            assert bool(spec) == (simulated.happened.total() > 0)

    warp(main())


@pytest.mark.parametrize("size", [4, 5, 16])
@warped
async def test_simultaneous_events_are_all_kept_between_pages(size: int) -> None:
    """Also by an inverter that parts a second."""
    times = [NOON - 5000 + second // 3 * 10 for second in range(40)]
    rows = [Event(0x59 + number % 2, time, (time, number // 12, 0)) for number, time in enumerate(times)]
    async with logbook({LOG: rows}, older, size) as port, connect("127.0.0.1", port) as client:
        assert [event.raw for event in await read(client)] == rows[::-1]


@warped
async def test_an_empty_log_is_no_error() -> None:
    async with logbook({LOG: []}) as port, connect("127.0.0.1", port) as client:
        assert await read(client) == []


@warped
async def test_silence_is_an_error() -> None:
    async with logbook({}) as port, connect("127.0.0.1", port, timeout=0.02, attempts=1) as client:
        with pytest.raises(NoAnswer, match=LOG):
            await read(client)


@pytest.mark.parametrize("options", [{"zone": "Mars/Base"}, {"since": NOW + 10**15}, {"since": 5, "until": 4}])
@warped
async def test_what_cannot_be_asked_for_is_not(options: dict[str, Any]) -> None:
    async with logbook({}) as port, connect("127.0.0.1", port) as client:
        with pytest.raises(ConfigError):
            await read(client, **options)
        assert client.counters.requests == 0


def test_following_tells_each_event_once_and_its_end(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        rows = [Event(0x59, NOON - 7000, (NOON - 6990, 1, 0)), Event(0x5A, NOON - 50, (0, 1, 0))]
        logs = {LOG: rows}
        async with logbook(logs, older) as port, connect("127.0.0.1", port) as client:
            follow = follow_events(client, since=NOW - 5000 * SECOND, zone="Europe/Berlin", every=60, now=lambda: NOW)
            loop = asyncio.get_running_loop()
            assert (await anext(follow)).raw == rows[1]
            begin = loop.time()
            rows[1] = Event(0x5A, NOON - 50, (NOON - 10, 1, 0))  # it is over
            rows += [Event(0x76, NOON - 5, (0, 0, 0))] * 2
            found = [await anext(follow) for _ in range(3)]
            assert [event.raw for event in found] == rows[1:]
            assert 60 <= loop.time() - begin < 62
            del logs[LOG]
            waiting = asyncio.ensure_future(anext(follow))
            await asyncio.sleep(100)
            assert f"{client.peer}: no answer for {LOG}" in caplog.messages
            logs[LOG] = [*rows, Event(0x59, NOON - 1, (NOON, 1, 0))]
            assert (await waiting).raw == logs[LOG][-1]
            await follow.aclose()  # type: ignore[attr-defined]

    warp(main())


def test_follow_an_inverter_whose_clock_is_fast() -> None:
    async def main() -> None:
        rows = [Event(0x59, NOON + 7200, (0, 0, 0))]
        async with logbook({LOG: rows}) as port, connect("127.0.0.1", port) as client:
            follow = follow_events(client, since=NOW - 5000 * SECOND, zone="Europe/Berlin", every=60, now=lambda: NOW)
            assert (await anext(follow)).raw == rows[0]
            rows.append(Event(0x5A, NOON + 7260, (0, 0, 0)))
            assert (await anext(follow)).raw == rows[1]
            await follow.aclose()  # type: ignore[attr-defined]

    warp(main())
