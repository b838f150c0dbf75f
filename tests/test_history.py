"""History from the simulated inverter and from written logs: all of it, joined, with few questions, whatever happens.

Long reading goes on a clock that jumps over the waiting, with real sockets.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from rct_tools.client import Client, connect
from rct_tools.clock import Clock
from rct_tools.errors import ConfigError, LinkError, NoAnswer, UnknownObject
from rct_tools.history import HistoryRow, read_history
from rct_tools.series import RESOLUTIONS, find_series
from rct_tools.simulator import Simulator
from rct_tools.simulator.faults import parse_faults
from rct_tools.times import SECOND
from rct_tools.values import Sample

from logbook import logbook
from warp import warp, warped

BERLIN = Clock.of("Europe/Berlin")
DAY = 86_400
ALL_FAULTS = "cut=0.02,lost=0.02,late=0.02,length=0.01,echo=0.01,plus=0.01,doubled=0.01"  # a tenth of all frames


def at(text: str) -> int:
    """Return what a clock shows, as inverters count it."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


NOON = at("2024-06-21T12:00")
NOW = BERLIN.utc(NOON) * SECOND


async def read(client: Client, resolution: str = "minutes", **options: Any) -> list[HistoryRow]:
    settings: dict[str, Any] = {"zone": "Europe/Berlin", "now": lambda: NOW} | options
    return [row async for row in read_history(client, resolution, **settings)]


def simulator(spec: str = "", start: int = NOON, **options: Any) -> Simulator:
    settings: dict[str, Any] = {"broadcast": False, "speed": 0.0} | options
    return Simulator(port=0, start=datetime.fromtimestamp(start, UTC), faults=parse_faults(spec), **settings)


def truth(simulated: Simulator, resolution: str, names: Sequence[str] = ()) -> dict[int, dict[str, float]]:
    """Return what the house remembers, by what its clock shows."""
    kept = simulated.inverter.history._series[resolution]
    series = find_series(resolution, names)
    columns = {each.name: kept.columns[each.short] for each in series}
    return {time: {name: column[n] for name, column in columns.items()} for n, time in enumerate(kept.times)}


def needed(simulated: Simulator, resolution: str, since: int) -> int:
    """Return how many questions all series take, if each page is asked for once, until one reaches back so far."""
    count = 0
    for each in RESOLUTIONS[resolution]:
        before = NOON + DAY  # which reading begins at, for a clock that is fast
        while before > since:
            page = simulated.inverter.history.ask(each.info.name, before)
            before = page.samples[-1].time if page.samples else 0
            count += 1
    return count


@pytest.mark.timeout(600)  # 15,000 questions
def test_ninety_days_of_22_series_with_ten_percent_faults() -> None:
    """All of it is there and true, and it takes 1.2 times the questions that it must, those asked again included."""

    async def main() -> None:
        async with simulator(ALL_FAULTS, latency=0.06) as simulated:
            ticking = asyncio.get_running_loop().time
            async with connect("127.0.0.1", simulated.port, ticking=ticking) as client:
                since = NOON - 90 * DAY
                rows = await read(client, since=BERLIN.utc(since) * SECOND)
                assert client.counters.requests <= 1.2 * needed(simulated, "minutes", since)
            assert simulated.happened.total() > 1000
            expected = {time: row for time, row in truth(simulated, "minutes").items() if time >= since}
            assert sum(len(row.values) for row in rows) == 22 * len(expected) > 570_000
            # The clock of that house is never set, so an hour of it is doubtful, and shown as it may have been.
            sure = {BERLIN.shows(row.time // SECOND): row.values for row in rows if row.is_sure}
            skipped = {time: row for time, row in expected.items() if BERLIN.skips(time)}
            assert sure == {time: row for time, row in expected.items() if time not in skipped}
            doubtful = {row.time // SECOND: row.values for row in rows if not row.is_sure}
            assert doubtful == {BERLIN.utc(time): row for time, row in skipped.items()}
            assert len(skipped) == 12

    warp(main())


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_every_series_of_every_resolution(resolution: str) -> None:
    async def main() -> None:
        async with simulator() as simulated, connect("127.0.0.1", simulated.port) as client:
            since = NOON - DAY if resolution == "minutes" else 0
            rows = await read(client, resolution, since=BERLIN.utc(since) * SECOND if since else None)
            expected = {time: row for time, row in truth(simulated, resolution).items() if time >= since}
            assert {BERLIN.shows(row.time // SECOND): row.values for row in rows} == expected
            assert all(later.time > row.time for later, row in pairwise(rows))
            # An end is believed when it was told twice, and a row of 2000 when nothing else is older.
            more = {"minutes": 0, "day": 1, "month": 1, "year": 2}[resolution] * len(RESOLUTIONS[resolution])
            assert client.counters.requests == needed(simulated, resolution, since) + more

    warp(main())


@warped
async def test_a_range_is_clipped_to_the_row() -> None:
    async with simulator(latency=0.0) as simulated, connect("127.0.0.1", simulated.port) as client:
        since, until = NOW - 7000 * SECOND, NOW - 3300 * SECOND
        rows = await read(client, since=since, until=until, series=["SOC", "eload"])
        expected = [time for time in range(NOON, NOON - DAY, -300) if NOON - 7000 <= time < NOON - 3300]
        assert [row.time for row in rows] == [BERLIN.utc(time) * SECOND for time in expected]
        assert all(row.values.keys() == {"SOC", "Pload"} for row in rows)
        assert client.counters.requests == 2
        assert await read(client, since=NOW - 200 * SECOND, until=NOW - 100 * SECOND) == []


# --- over the changes of the clock ---


def written(times: Sequence[int], clock: Clock = BERLIN) -> list[Sample]:
    return [Sample(clock.shows(time), float(time % 1_000_000)) for time in times]


CHANGES = {"autumn": at("2024-10-27T01:00"), "spring": at("2024-03-31T01:00")}  # UTC


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("hours", range(1, 8))
@warped
async def test_rows_over_a_change_have_their_times(change: str, hours: int) -> None:
    end = CHANGES[change] + hours * 3600
    times = range(end - 12 * 3600, end, 300)
    logs = {each.info.name: written(times) for each in find_series("minutes", ["soc", "eload", "ea"])}
    async with logbook(logs) as port, connect("127.0.0.1", port) as client:
        rows = await read(client, series=["soc", "eload", "ea"], now=lambda: end * SECOND)
    assert [row.time // SECOND for row in rows] == list(times)[::-1]
    for row in rows:
        value = float(row.time // SECOND % 1_000_000)
        assert row == HistoryRow(row.time, dict.fromkeys(("Pdc A", "SOC", "Pload"), value), is_sure=True)


@pytest.mark.parametrize("edge", [-2700, -300, 0, 300, 2700])
@warped
async def test_a_range_is_clipped_to_the_row_in_the_hour_that_repeats(edge: int) -> None:
    edge += CHANGES["autumn"]
    times = range(edge - 40_000, edge + 40_000, 300)
    (soc,) = find_series("minutes", ["soc"])
    async with logbook({soc.info.name: written(times)}) as port, connect("127.0.0.1", port) as client:
        now: dict[str, Any] = {"now": lambda: (edge + 90_000) * SECOND}
        before = await read(client, series=["soc"], since=(edge - 9000) * SECOND, until=edge * SECOND, **now)
        after = await read(client, series=["soc"], since=edge * SECOND, until=(edge + 9000) * SECOND, **now)
    assert [row.time // SECOND for row in before] == [time for time in times if edge - 9000 <= time < edge][::-1]
    assert [row.time // SECOND for row in after] == [time for time in times if edge <= time < edge + 9000][::-1]


@warped
async def test_the_hour_of_a_simulated_clock_that_is_not_set_back_is_doubtful() -> None:
    start = at("2024-10-27T05:00")
    async with simulator(latency=0.0, start=start) as simulated, connect("127.0.0.1", simulated.port) as client:
        now = BERLIN.utc(start) * SECOND
        rows = await read(client, since=now - 8 * 3600 * SECOND, series=["soc"], now=lambda: now)
    doubtful = [BERLIN.shows(row.time // SECOND) for row in rows if not row.is_sure]
    assert doubtful == list(range(at("2024-10-27T02:55"), at("2024-10-27T01:55"), -300))
    assert len(rows) == 85  # 8 hours by UTC, in which that clock went on for 7, and the row at their end


# --- gaps, partial rows, silence ---


@warped
async def test_answers_that_are_cut_between_rows_or_in_one_lose_nothing() -> None:
    (soc,) = find_series("minutes", ["soc"])
    times = range(NOON - 60_000, NOON, 300)
    cuts = iter([3, 0, 8 * 40, 8 * 41, 12, 0, 8 * 41 + 2, 1, 80])  # a row has 8 bytes
    logs = {soc.info.name: [Sample(time, float(time % 1000)) for time in times]}
    async with logbook(logs, cuts=cuts) as port, connect("127.0.0.1", port) as client:
        rows = await read(client, series=["soc"])
        assert client.counters.bad_readings == 4
    assert [BERLIN.shows(row.time // SECOND) for row in rows] == list(times)[::-1]


@warped
async def test_rows_are_joined_over_gaps_and_partial_ones_are_kept() -> None:
    times = {"soc": range(0, 400_000, 300), "eload": range(150, 400_000, 900), "ea": range(300_000, 400_000, 300)}
    begin = NOON - 400_000
    logs = {
        each.info.name: [Sample(begin + time, float(time)) for time in times[each.short]]
        for each in find_series("minutes", times)
    }
    async with logbook(logs) as port, connect("127.0.0.1", port) as client:
        rows = await read(client, series=list(times))
    expected: dict[int, dict[str, float]] = {}
    for each in find_series("minutes", times):
        for time in times[each.short]:
            expected.setdefault(BERLIN.utc(begin + time) * SECOND, {})[each.name] = float(time)
    assert {row.time: row.values for row in rows} == expected
    assert [row.time for row in rows] == sorted(expected, reverse=True)


@warped
async def test_an_empty_log_is_no_error() -> None:
    logs: Mapping[str, list[Sample]] = {each.info.name: [] for each in RESOLUTIONS["day"]}
    async with logbook(logs) as port, connect("127.0.0.1", port) as client:
        assert await read(client, "day") == []
        assert client.counters.requests == 14


@warped
async def test_a_series_that_is_not_known_is_left_out_and_said(caplog: pytest.LogCaptureFixture) -> None:
    (soc,) = find_series("minutes", ["soc"])
    logs = {soc.info.name: written(range(NOON - 3000, NOON, 300))}
    async with logbook(logs) as port, connect("127.0.0.1", port, timeout=0.02, attempts=1) as client:
        with caplog.at_level(logging.WARNING):
            rows = await read(client, series=["soc", "temp"])
        assert [row.values.keys() for row in rows] == [{"SOC"}] * 10
        assert f"{client.peer}: knows no logger.minutes_temp_log_ts: left out" in caplog.messages
        with pytest.raises(NoAnswer, match="minutes_temp_log_ts"):
            await read(client, series=["temp"])


@warped
async def test_silence_in_the_midst_of_a_log_is_an_error() -> None:
    (soc,) = find_series("minutes", ["soc"])
    logs = {soc.info.name: written(range(NOON - 30_000, NOON, 300))}
    async with logbook(logs, size=10) as port, connect("127.0.0.1", port, timeout=0.02, attempts=1) as client:
        rows = read_history(client, series=["soc"], zone="Europe/Berlin", now=lambda: NOW)
        await anext(rows)
        logs.clear()
        with pytest.raises(NoAnswer):
            [row async for row in rows]


@warped
async def test_a_lost_connection_is_an_error() -> None:
    async with simulator(latency=0.0) as simulated:
        client = connect("127.0.0.1", simulated.port, tries=1)
        async with client:
            rows = read_history(client, series=["soc"], zone="Europe/Berlin", now=lambda: NOW)
            await anext(rows)
            await simulated.close()
            with pytest.raises(LinkError):
                [row async for row in rows]


WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"zone": "Europe/Belrin"}, ConfigError, "did you mean Europe/Berlin"),
    ({"series": ["sock"]}, UnknownObject, "'sock'; did you mean SOC?"),
    ({"since": NOW + 3 * DAY * SECOND}, ConfigError, "lies in the future"),
    ({"since": NOW - 5, "until": NOW - 10}, ConfigError, "is not before"),
    ({"resolution": "hours"}, ConfigError, "unknown resolution"),
]


@pytest.mark.parametrize(("options", "error", "message"), WRONG)
@warped
async def test_what_cannot_be_asked_for_is_said_before_anything_is(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    async with logbook({}) as port, connect("127.0.0.1", port) as client:
        with pytest.raises(error, match=message):
            await read(client, **options)
        assert client.counters.requests == 0
