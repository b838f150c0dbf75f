"""Stores are filled from the log: every reading once, none wrong, whatever happens meanwhile, and nothing made up.

Long filling goes on a clock that jumps over the waiting, with real sockets.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from remembered import remembered

from rct_tools.backfill import Filling, check_clock, fill, find_lacking, leave_out_absent
from rct_tools.client import Client, connect
from rct_tools.clock import Clock
from rct_tools.config import parse_plan, sink_of
from rct_tools.errors import ConfigError, ConnectionLost, NoAnswer, SinkError
from rct_tools.logged import SLOT
from rct_tools.objects import registry
from rct_tools.plan import Plan
from rct_tools.reading import Reading
from rct_tools.series import find_series
from rct_tools.setups import InverterSetup
from rct_tools.simulator import Simulator
from rct_tools.simulator.faults import parse_faults
from rct_tools.sinks import Store
from rct_tools.times import SECOND
from rct_tools.values import Sample

from logbook import logbook
from standins import Archive
from warp import warp, warped

BERLIN = Clock.of("Europe/Berlin")
DAY = 86_400
ALL_FAULTS = "cut=0.02,lost=0.02,late=0.02,length=0.01,echo=0.01,plus=0.01,doubled=0.01"  # a tenth of all frames
PLAN = parse_plan(
    '[[group]]\nname = "a"\ninterval = "5s"\nfields.sun = ["dc_conv.dc_conv_struct[0].p_dc", '
    '"dc_conv.dc_conv_struct[1].p_dc"]\nobjects = ["battery.soc", "g_sync.p_ac_grid_sum_lp", "battery.current"]',
    "test",
)


def at(text: str) -> int:
    """Return what a clock shows, as inverters count it."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


NOON = at("2024-06-21T12:00")
NOW = BERLIN.utc(NOON) * SECOND


def simulator(spec: str = "", start: int = NOON, **options: Any) -> Simulator:
    settings: dict[str, Any] = {"broadcast": False, "speed": 0.0} | options
    return Simulator(port=0, start=datetime.fromtimestamp(start, UTC), faults=parse_faults(spec), **settings)


async def filling(store: Archive, plan: Plan = PLAN, since: int = NOW - DAY * SECOND, until: int = NOW) -> Filling:
    (source,) = store.setup().sources([InverterSetup("roof", "", plan, zone="Europe/Berlin")])
    return Filling("archive", "roof", await find_lacking(store, source, plan, since, until), store.write)


async def filled(client: Client, store: Archive, **options: Any) -> Filling:
    each = await filling(store, **options)
    await fill(client, [each], "Europe/Berlin", now=lambda: NOW)
    return each


def live(name: str, *times: int) -> list[Reading]:
    return [Reading(time, "roof", registry[name], 0.5) for time in times]


def values(store: Archive) -> dict[tuple[str, int], float]:
    found = {(reading.object.name, reading.time): reading.value for reading in store.readings if reading.backfilled}
    assert len(found) == sum(reading.backfilled for reading in store.readings)  # each once
    return found  # type: ignore[return-value]  # all are numbers


@warped
async def test_a_gap_is_filled_with_what_the_log_has_at_its_own_times() -> None:
    store = Archive()
    before, after = NOW - 2 * 3600 * SECOND, NOW - 3600 * SECOND
    for name in ("battery.soc", "sun", "g_sync.p_ac_grid_sum_lp"):
        for begin, end in ((before, before + SLOT), (after, NOW)):
            times = range(begin, end, 60 * SECOND)
            store.readings += [Reading(time, "roof", PLAN.expects[name].info, 0.5) for time in times]
    async with simulator(latency=0.0) as simulated, connect("127.0.0.1", simulated.port) as client:
        each = await filled(client, store, since=NOW - 2 * 3600 * SECOND)
        assert client.counters.requests == 1 + 5  # the clock; a page of each series
        expected = remembered(simulated, BERLIN, before + SLOT, after, "battery.soc", "g_sync.p_ac_grid_sum_lp")
        for n in range(2):
            for (_, time), value in remembered(
                simulated, BERLIN, before + SLOT, after, f"dc_conv.dc_conv_struct[{n}].p_dc"
            ).items():
                expected["sun", time] = expected.get(("sun", time), 0.0) + value
    assert values(store) == pytest.approx(expected)
    assert len(expected) == 33
    assert (each.given, each.lacking, each.left_out, each.error) == (33, 0, "", None)
    assert (each.oldest, each.newest) == (before + SLOT, after - SLOT)


@warped
async def test_a_second_time_nothing_is_asked_and_nothing_written() -> None:
    store = Archive()
    async with simulator(latency=0.0) as simulated, connect("127.0.0.1", simulated.port) as client:
        assert (await filled(client, store)).given == 3 * 288
        asked, kept = client.counters.requests, list(store.readings)
        again = await filled(client, store)
        assert (again.given, again.lacking, client.counters.requests, store.readings) == (0, 0, asked, kept)


@warped
async def test_only_the_series_that_are_lacking_are_asked_for_where_they_are() -> None:
    store = Archive()
    whole = range(NOW - DAY * SECOND, NOW, SLOT)
    store.readings += live("battery.soc", *(time for n, time in enumerate(whole) if n != 100))
    store.readings += live("g_sync.p_ac_grid_sum_lp", *whole)
    plan = parse_plan(
        '[[group]]\nname = "a"\ninterval = "5s"\nobjects = ["battery.soc", "g_sync.p_ac_grid_sum_lp"]', "test"
    )
    async with simulator(latency=0.0) as simulated, connect("127.0.0.1", simulated.port) as client:
        await filled(client, store, plan=plan)
        assert client.counters.requests == 2
    assert [time for _, time in values(store)] == [whole[100]]


def test_ended_anywhere_and_begun_again_every_reading_is_there_once() -> None:
    """With a tenth of all frames damaged, and a store that fails now and then."""

    async def main() -> None:
        chance = random.Random(8)
        store = Archive()
        store.fails = lambda attempt: SinkError("archive: away") if attempt and chance.random() < 0.2 else None
        ended = failed = 0
        async with simulator(ALL_FAULTS) as simulated:
            ticking = asyncio.get_running_loop().time
            while True:
                async with connect("127.0.0.1", simulated.port, ticking=ticking) as client:
                    job = asyncio.create_task(filled(client, store, since=NOW - 4 * DAY * SECOND))
                    if ended < 12:
                        await asyncio.wait([job], timeout=chance.uniform(0.1, 4.0))
                        if not job.done():
                            job.cancel()
                            with suppress(asyncio.CancelledError):
                                await job
                            ended += 1
                            continue
                    each = await job
                    failed += each.error is not None
                    if not each.error:
                        break
            expected = remembered(
                simulated, BERLIN, NOW - 4 * DAY * SECOND, NOW, "battery.soc", "g_sync.p_ac_grid_sum_lp"
            )
        assert each.lacking == 0
        assert ended == 12
        assert failed
        assert {key: value for key, value in values(store).items() if key[0] != "sun"} == expected
        assert len(expected) == 2 * 4 * 288

    warp(main())


@warped
async def test_several_stores_are_filled_by_one_reading_and_one_that_fails_stops_no_other() -> None:
    good, bad, some = Archive(), Archive(), Archive()
    bad.fails = lambda attempt: SinkError("bad: away") if attempt > 1 else None
    some.readings += live("battery.soc", *range(NOW - DAY * SECOND, NOW - 7200 * SECOND, SLOT))
    async with simulator(latency=0.0) as simulated, connect("127.0.0.1", simulated.port) as client:
        fillings = [await filling(store) for store in (good, bad, some)]
        await fill(client, fillings, "Europe/Berlin", now=lambda: NOW)
        alone = client.counters.requests
        await filled(client, Archive())
        assert client.counters.requests == 2 * alone
    assert [(each.given, str(each.error or "")) for each in fillings] == [
        (3 * 288, ""), (3 * 100, "bad: away"), (2 * 288 + 24, ""),
    ]  # fmt: skip
    assert fillings[1].lacking == 3 * 188
    assert values(some).items() <= values(good).items()


@warped
async def test_when_no_store_takes_anything_no_more_is_asked() -> None:
    bad = Archive(fails=lambda attempt: SinkError("bad: away") if attempt else None)
    async with simulator(latency=0.0) as simulated, connect("127.0.0.1", simulated.port) as client:
        each = await filled(client, bad, since=NOW - 30 * DAY * SECOND)
        assert (str(each.error), each.given) == ("bad: away", 0)
        assert client.counters.requests < 50


@pytest.mark.parametrize("form", ["sqlite:{}/a.db", "jsonl:{}/a.jsonl", "csv:{}/a.csv", "parquet:{}"])
@warped
async def test_every_kind_of_file_is_filled_once(form: str, tmp_path: Path) -> None:
    url = form.format(tmp_path)
    (source,) = sink_of(url).sources([InverterSetup("roof", "", PLAN, zone="Europe/Berlin")])
    found = []
    async with simulator(latency=0.0) as simulated, connect("127.0.0.1", simulated.port) as client:
        for hours in (3, 30, 30):
            store = cast("Store", sink_of(url).opened([source]))
            gaps = await find_lacking(store, source, PLAN, NOW - hours * 3600 * SECOND, NOW)
            each = Filling(url, "roof", gaps, store.write)
            await fill(client, [each], "Europe/Berlin", now=lambda: NOW)
            found.append((each.given, each.lacking))
            times = await store.times("roof", ["sun"], NOW - DAY * 2 * SECOND, NOW)
            assert times["sun"] == set(range(NOW - hours * 3600 * SECOND, NOW, SLOT))
            await store.close()
    assert found == [(3 * 36, 0), (3 * 27 * 12, 0), (0, 0)]


# --- times ---

CHANGES = {"autumn": at("2024-10-27T01:00"), "spring": at("2024-03-31T01:00")}  # UTC


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("edge", [-5400, -1800, 0, 1800, 5400])  # seconds from the change to the end of the gap
@warped
async def test_a_gap_over_a_change_of_the_clock(change: str, edge: int) -> None:
    end = CHANGES[change] + edge
    times = range(end - 8 * 3600, end + 12 * 3600, 300)
    (soc,) = find_series("minutes", ["soc"])
    logs = {soc.info.name: [Sample(BERLIN.shows(time), time // 300 % 1024 / 1024) for time in times]}
    store = Archive()
    now = times[-1] * SECOND
    store.readings += live("battery.soc", *range((end - 7 * 3600) * SECOND, (end - 3 * 3600) * SECOND, 60 * SECOND))
    store.readings += live("battery.soc", *range(end * SECOND, now, 60 * SECOND))
    plan = parse_plan('[[group]]\nname = "a"\ninterval = "5s"\nobjects = ["battery.soc"]', "test")
    async with logbook(logs) as port, connect("127.0.0.1", port, timeout=0.05, attempts=1) as client:
        each = await filling(store, plan, since=(end - 7 * 3600) * SECOND, until=now)
        await fill(client, [each], "Europe/Berlin", now=lambda: now)
    gap = range(end - 3 * 3600, end, 300)
    assert values(store) == {("battery.soc", time * SECOND): time // 300 % 1024 / 1024 for time in gap}
    assert (each.unsure, each.lacking) == (0, 0)


@warped
async def test_rows_that_may_be_an_hour_off_are_left_out_and_said(caplog: pytest.LogCaptureFixture) -> None:
    start = at("2024-10-27T05:00")  # the clock of this house is not set back
    now = BERLIN.utc(start) * SECOND
    store = Archive()
    async with simulator(latency=0.0, start=start) as simulated, connect("127.0.0.1", simulated.port) as client:
        each = await filling(store, since=now - 8 * 3600 * SECOND, until=now)
        with caplog.at_level(logging.WARNING):
            await fill(client, [each], "Europe/Berlin", now=lambda: now)
    message = f"{client.peer}: left out of its log for archive: 12 rows may be an hour off"
    assert (each.unsure, caplog.messages) == (12, [message])
    sure = 12 * (8 - 2)  # an hour is doubtful, and another is not in this log
    assert (each.given, each.lacking) == (3 * sure, 3 * 24)


@pytest.mark.parametrize(
    ("zone", "message"),
    [
        ("Europe/London", "its clock is 60 minutes ahead of 2024-06-21T11:00:00+01:00; nothing is filled"),
        ("Asia/Tokyo", "its clock is 420 minutes behind 2024-06-21T19:00:00+09:00; nothing is filled: is Asia/Tokyo"),
        ("Europe/Berlni", "'Europe/Berlni' is no time zone; did you mean Europe/Berlin?"),
    ],
)
@warped
async def test_with_a_wrong_time_zone_nothing_is_filled(zone: str, message: str) -> None:
    store = Archive()
    async with simulator(latency=0.0) as simulated, connect("127.0.0.1", simulated.port) as client:
        with pytest.raises(ConfigError) as error:
            await fill(client, [await filling(store)], zone, now=lambda: NOW)
        assert message in str(error.value)
        await check_clock(client, "Europe/Paris", NOW + 500 * SECOND)
    assert not store.readings


@pytest.mark.parametrize("hour", [0, 1])
@warped
async def test_in_the_hour_that_repeats_the_clock_may_show_either(hour: int) -> None:
    time = CHANGES["autumn"] - 1800 + hour * 3600
    start = BERLIN.shows(time)
    async with simulator(latency=0.0, start=start) as simulated, connect("127.0.0.1", simulated.port) as client:
        await check_clock(client, "Europe/Berlin", time * SECOND)


# --- logs as they are ---


def written(**columns: Callable[[int], float]) -> dict[str, list[Sample]]:
    """Return logs of ten hours until noon."""
    times = range(NOON - 36_000, NOON, 300)
    return {
        series.info.name: [Sample(time, columns[series.short](time)) for time in times]
        for series in find_series("minutes", columns)
    }


async def told(logs: dict[str, list[Sample]], store: Archive) -> Filling:
    async with logbook(logs) as port, connect("127.0.0.1", port, timeout=0.02, attempts=1) as client:
        return await filled(client, store)


@warped
async def test_what_cannot_be_is_left_out_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    store = Archive()
    logs = written(
        soc=lambda time: 97.0 if time % 3600 == 0 else 0.75,
        egrid_load=lambda _: 3.0,
        egrid_feed=lambda time: math.nan if time % 1800 == 0 else -2.0,
    )
    with caplog.at_level(logging.WARNING):
        each = await told(logs, store)
    assert each.unfit == {"battery.soc": 10, "g_sync.p_ac_grid_sum_lp": 20}
    (message,) = [m for m in caplog.messages if "cannot be" in m]
    assert message.endswith("for archive: 30 values cannot be, of battery.soc, g_sync.p_ac_grid_sum_lp")
    assert {value for (name, _), value in values(store).items() if name == "battery.soc"} == {0.75}
    assert each.given == 120 - 10 + 120 - 20


@warped
async def test_a_series_that_is_not_known_is_asked_for_once_and_the_others_are_filled(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = Archive()
    for name in ("battery.soc", "sun", "g_sync.p_ac_grid_sum_lp"):  # so that there are two stretches
        times = range(NOW - 17 * 3600 * SECOND, NOW - 9 * 3600 * SECOND, SLOT)
        store.readings += [Reading(time, "roof", PLAN.expects[name].info, 0.5) for time in times]
    with caplog.at_level(logging.WARNING):
        each = await told(written(soc=lambda _: 0.5, ea=lambda _: 7.0), store)
    assert {name for name, _ in values(store)} == {"battery.soc"}  # a sum with a part that is missing is none
    assert each.given == 9 * 12
    assert sorted(m.split(": ", 1)[1] for m in caplog.messages) == [
        f"knows no logger.minutes_{short}_log_ts: left out" for short in ("eb", "egrid_feed", "egrid_load")
    ]


@warped
async def test_an_inverter_without_any_such_log_is_an_error() -> None:
    with pytest.raises(NoAnswer, match="minutes_soc_log_ts"):
        await told({}, Archive())


@warped
async def test_an_empty_log_fills_nothing() -> None:
    each = await told({series.info.name: [] for series in find_series("minutes")}, Archive())
    assert (each.given, each.lacking, each.oldest) == (0, 3 * 288, None)


@warped
async def test_silence_in_the_midst_is_an_error_and_what_has_come_is_kept() -> None:
    logs = written(soc=lambda _: 0.5)
    store = Archive()
    plan = parse_plan('[[group]]\nname = "a"\ninterval = "5s"\nobjects = ["battery.soc"]', "test")
    async with (
        logbook(logs, size=20) as port,
        connect("127.0.0.1", port, timeout=0.02, attempts=1) as client,
    ):
        each = await filling(store, plan)

        def stop(_pages: int, _reached: int) -> None:
            logs.clear()

        with pytest.raises(NoAnswer):
            await fill(client, [each], "Europe/Berlin", now=lambda: NOW, tell=stop)
    assert each.given == len(store.readings) == 20


@warped
async def test_two_rows_of_the_same_five_minutes_give_one_reading() -> None:
    (soc,) = find_series("minutes", ["soc"])
    logs = {soc.info.name: [Sample(time, 0.5) for time in range(NOON - 2850, NOON + 1, 150)]}
    store = Archive()
    each = await told(logs, store)
    assert each.given == len({time // SLOT for _, time in values(store)}) == 10


@warped
async def test_lost_connection_is_an_error_and_what_has_come_is_kept() -> None:
    store = Archive()
    async with simulator(latency=0.0) as simulated, connect("127.0.0.1", simulated.port, tries=1) as client:
        each = await filling(store, since=NOW - 20 * DAY * SECOND)

        async def write(readings: Sequence[Reading]) -> None:
            await store.write(readings)
            await simulated.__aexit__(None, None, None)

        each.write = write
        with pytest.raises(ConnectionLost):
            await fill(client, [each], "Europe/Berlin", now=lambda: NOW)
    assert each.given == len(store.readings) > 0


# --- what an inverter has ---


@warped
async def test_what_an_inverter_has_not_is_left_out() -> None:
    async with simulator(latency=0.0) as simulated, connect("127.0.0.1", simulated.port) as client:
        names = {"battery.soc", "sun", "g_sync.p_ac_grid_sum_lp"}
        for has, expected in (
            (None, names),
            (frozenset({"string A", "string B", "battery"}), names),
            (frozenset({"string A", "string B"}), names - {"battery.soc"}),
            (frozenset({"string A", "battery"}), names),  # of the sun, the other string is nothing
            (frozenset({"battery"}), names - {"sun"}),
        ):
            each = await filling(Archive())
            await leave_out_absent(client, [each], has)
            assert {gaps.told.info.name for gaps in each.gaps} == expected
    async with logbook({}) as port, connect("127.0.0.1", port, timeout=0.02, attempts=1) as client:
        each = await filling(Archive())
        await leave_out_absent(client, [each], None)
        assert len(each.gaps) == 3  # who says nothing may have it


@warped
async def test_of_an_empty_store_nothing_lies_behind_its_first_reading() -> None:
    store = Archive()
    (source,) = store.setup().sources([InverterSetup("roof", "", PLAN)])
    assert await find_lacking(store, source, PLAN, 0, NOW, only_behind=True) == []
    store.readings += live("battery.soc", NOW - 3600 * SECOND)
    (gaps,) = await find_lacking(store, source, PLAN, NOW - DAY * SECOND, NOW, only_behind=True)
    assert (gaps.told.info.name, gaps.begin, gaps.count) == ("battery.soc", NOW - 3600 * SECOND, 11)


@warped
async def test_a_store_is_asked_for_what_it_expects_alone() -> None:
    store = Archive()
    (source,) = store.setup("some", "battery.*").sources([InverterSetup("roof", "", PLAN)])
    (gaps,) = await find_lacking(store, source, PLAN, NOW - DAY * SECOND, NOW)
    assert gaps.told.info.name == "battery.soc"
    store.fails = lambda _attempt: SinkError("archive: away")
    with pytest.raises(SinkError, match="away"):
        await find_lacking(store, source, PLAN, 0, NOW)
