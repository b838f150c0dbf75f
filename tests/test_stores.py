"""What stores say of the times of their readings: the same as a plain set, however they are asked."""

from __future__ import annotations

import asyncio
import gzip
import json
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_sinks import NOON, URLS
from test_sinks_influx import fake_server
from test_sinks_parquet import DAY, Clock

from rct_tools import clock
from rct_tools.client import connect
from rct_tools.errors import SinkError
from rct_tools.events import BEGIN, END, EVENTS, missed_events, tell
from rct_tools.objects import ObjectInfo, registry
from rct_tools.paging import Dated
from rct_tools.plan import Expected, Source
from rct_tools.reading import Reading
from rct_tools.simulator import Simulator
from rct_tools.sinks import SINKS, Store, is_store, open_sink, past, settings_for
from rct_tools.sinks.influx import InfluxSink
from rct_tools.sinks.lines import FORMATS, LinesSink
from rct_tools.sinks.parquet import LATE, ParquetSink
from rct_tools.sinks.sqlite import SqliteSink
from rct_tools.times import SECOND
from rct_tools.values import DataType, Event

from servers import InfluxServer, VictoriaServer

MINUTES = 300 * SECOND
STEPS = [1, 7, SECOND, 90 * SECOND, MINUTES]
INVERTERS = ["roof", "roof/0000002A", 'a "b", c\\=d', "it's\nso"]
INFOS = [registry["battery.soc"], registry["battery.soc_target"], ObjectInfo(0, "power panel", DataType.FLOAT, "W")]
SOURCES = [Source("roof", "UTC", {"battery.soc": Expected(INFOS[0], "soc of roof", SECOND, "charge, roof")})]

moments = st.one_of(
    st.integers(0, 4 * DAY).map(lambda offset: NOON - 2 * DAY + offset),
    st.integers(-(10**12), 10**12),  # around 1970, where a clock begins that nobody has set
    st.integers(-5, 2000).map(lambda n: NOON - NOON % MINUTES + n * 150 * SECOND),  # at the edges of steps
)
readings = st.lists(
    st.builds(
        lambda time, inverter, info, backfilled: Reading(time, inverter, info, 0.5, backfilled=backfilled),
        moments, st.sampled_from(INVERTERS), st.sampled_from(INFOS), st.booleans(),
    ),
    max_size=30,
)  # fmt: skip


def expected(given: Sequence[Reading], inverter: str, name: str, since: int, until: int, step: int) -> set[int]:
    return {
        reading.time - reading.time % step
        for reading in given
        if (reading.inverter, reading.object.name) == (inverter, name) and since <= reading.time < until
    }


async def times(store: Store, inverter: str, name: str, since: int, until: int, step: int = 1) -> set[int]:
    """Return what a store says of one object; beside it, it is asked for one that it never had."""
    found = await store.times(inverter, [name, "no such object"], since, until, step)
    assert found.keys() == {name, "no such object"}
    assert found["no such object"] == set()
    return found[name]


async def compare(store: Store, given: Sequence[Reading], since: int, until: int, step: int) -> None:
    for inverter in INVERTERS:
        for info in INFOS:
            asked = (inverter, info.name, since, until, step)
            assert await times(store, *asked) == expected(given, *asked)


# --- which they are ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", SINKS)
async def test_stores_are_those_that_can_be_asked(scheme: str, tmp_path: Path) -> None:
    url = URLS[scheme].format(folder=tmp_path)
    sink = open_sink(settings_for(url))
    assert hasattr(sink, "times") == SINKS[scheme].is_store == is_store(url)
    await sink.close()


@pytest.mark.parametrize("scheme", FORMATS)
async def test_standard_output_is_no_store(scheme: str) -> None:
    url = f"{scheme}:-"
    sink = open_sink(settings_for(url))
    assert not is_store(url)
    assert isinstance(sink, LinesSink)
    with pytest.raises(SinkError, match="standard output: what was written there cannot be read back") as caught:
        await times(sink, "roof", "battery.soc", 0, NOON)
    assert caught.value.permanent
    await sink.close()


# --- files ------------------------------------------------------------------------------------------------------------

FILES: dict[str, Callable[[Path, Callable[[], int]], Any]] = {
    "sqlite": lambda folder, _: SqliteSink(folder / "x.db"),
    "jsonl": lambda folder, clock: LinesSink(FORMATS["jsonl"], folder / "x.jsonl", 1000, clock=clock),
    "csv": lambda folder, clock: LinesSink(FORMATS["csv"], folder / "x.csv", 500, clock=clock),
    "parquet": lambda folder, clock: ParquetSink(folder, clock=clock),
}


def test_every_file_is_tested() -> None:
    assert {scheme for scheme, kind in SINKS.items() if kind.makes_files} == FILES.keys()


@pytest.mark.parametrize("scheme", FILES)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    batches=st.lists(readings, max_size=4), since=moments, until=moments, step=st.sampled_from(STEPS), data=st.data()
)
def test_files_say_what_a_set_says(
    scheme: str,
    batches: list[list[Reading]],
    since: int,
    until: int,
    step: int,
    data: st.DataObject,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Each batch is written by an own process, as it were, while days pass; the last is not on its disk yet."""
    folder = tmp_path_factory.mktemp(scheme)
    clock = Clock(NOON + 2 * DAY)

    async def run() -> None:
        given: list[Reading] = []
        for batch in batches:
            sink = FILES[scheme](folder, clock)
            await sink.write(batch)
            given += batch
            await compare(sink, given, since, until, step)
            await compare(sink, given, -2 * 10**12, NOON + 3 * DAY, step)  # and everything
            await sink.close()
            clock.now += data.draw(st.sampled_from([0, LATE, DAY]))

    asyncio.run(run())


@pytest.mark.parametrize("scheme", FORMATS)
async def test_only_what_was_written_since_is_read(scheme: str, tmp_path: Path) -> None:
    path = tmp_path / f"x.{scheme}"
    begin = FORMATS[scheme].begin.decode()
    line = f"{begin}2026-06-21T12:00:00.000000001+00:00{FORMATS[scheme].mark('roof', 'battery.soc')}"
    for name in (
        f"x-20260621T120000Z.{scheme}.gz",
        f"x-20260621T115959Z.{scheme}.gz",
        f"x-20260621T120000Z_2.{scheme}",
    ):
        (tmp_path / name).write_bytes(b"no file that could be read")
    for name in (f"y-20260621T120000Z.{scheme}", f"x-20260621T120000Z.{scheme}.bak", f"x-old.{scheme}"):
        (tmp_path / name).write_text(line)  # and these are others
    sink = LinesSink(FORMATS[scheme], path)
    damaged = tmp_path / f"x-20260621T120000Z.{scheme}.gz"
    with pytest.raises(SinkError) as caught:
        await times(sink, "roof", "battery.soc", NOON, NOON + 1)
    assert str(caught.value).startswith(f"{damaged}: cannot be read: damaged: Not a gzipped file")
    assert await times(sink, "roof", "battery.soc", NOON + SECOND, NOON + 2 * SECOND) == set()
    damaged.write_bytes(gzip.compress((line + "\n").encode() * 1000)[:-20])
    with pytest.raises(SinkError, match="cannot be read: damaged: Compressed file ended before"):
        await times(sink, "roof", "battery.soc", NOON, NOON + 1)
    damaged.write_bytes(gzip.compress(line.encode()))  # half a line, which is cut off when it is written to
    assert await times(sink, "roof", "battery.soc", NOON, NOON + 1) == {NOON}
    await sink.close()


@pytest.mark.parametrize("scheme", FORMATS)
async def test_texts_that_look_like_lines_are_none(scheme: str, tmp_path: Path) -> None:
    sink = LinesSink(FORMATS[scheme], tmp_path / "x")
    time = "2026-06-21T12:00:00.000000009+00:00"
    text = FORMATS[scheme].begin.decode() + time + FORMATS[scheme].mark("roof", "battery.soc")
    given = [Reading(NOON, "roof", registry["svnversion"], value) for value in (text, f"x\n{text}", f'"\n{text}"')]
    await sink.write(given)
    assert await times(sink, "roof", "battery.soc", 0, 2 * NOON) == set()
    assert await times(sink, "roof", "svnversion", 0, 2 * NOON) == {NOON}
    await sink.close()


async def test_file_that_somebody_deleted_has_nothing(tmp_path: Path) -> None:
    for scheme in FORMATS:
        path = tmp_path / scheme
        sink = LinesSink(FORMATS[scheme], path)
        await sink.write([Reading(NOON, "roof", INFOS[0], 0.5)])
        path.unlink()
        assert await times(sink, "roof", "battery.soc", NOON, NOON + 1) == set()
        await sink.close()


async def test_file_that_is_put_aside_meanwhile_is_not_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the list of files and their being read, one is compressed."""
    sink = LinesSink(FORMATS["jsonl"], tmp_path / "x.jsonl", 1)
    given = [Reading(NOON + n, "roof", INFOS[0], 0.5) for n in range(2)]
    with monkeypatch.context() as patch:
        patch.setattr("rct_tools.sinks.lines.compress", lambda _: None)
        for reading in given:
            await sink.write([reading])
    monkeypatch.setattr("rct_tools.sinks.lines.files_aside", listed_too_early)
    assert await times(sink, "roof", "battery.soc", NOON, NOON + 2) == {NOON, NOON + 1}
    await sink.close()


async def test_what_nobody_waits_for_is_not_read_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread cannot be cancelled, and the end of a program waits for it: gigabytes are not read to the end."""
    reads = threading.Event()

    def endless(
        _path: Path, _begin: bytes, marks: Mapping[bytes, str], is_over: Callable[[], bool]
    ) -> Iterator[tuple[bytes, bytes]]:
        reads.set()
        while not is_over():
            yield from ((mark, b"no time") for mark in marks)

    monkeypatch.setattr("rct_tools.sinks.lines.line_heads", endless)
    sink = LinesSink(FORMATS["jsonl"], tmp_path / "x.jsonl")
    asked = asyncio.create_task(times(sink, "roof", "battery.soc", 0, NOON))
    await asyncio.to_thread(reads.wait)
    asked.cancel()
    await asyncio.wait([asked])
    assert asked.cancelled()
    await asyncio.get_running_loop().shutdown_default_executor()
    await sink.close()


def listed_too_early(path: Path, since: int) -> list[Path]:
    from rct_tools.textfile import compress, files_aside

    files = files_aside(path, since)
    for file in files:
        assert compress(file).suffix == ".gz"
    return files


async def test_files_that_cannot_be_read_are_said(tmp_path: Path) -> None:
    parquet = ParquetSink(tmp_path)
    damaged = tmp_path / "readings-2026-06-21.parquet"
    damaged.write_bytes(b"PAR1 and no more")
    with pytest.raises(SinkError) as caught:
        await times(parquet, "roof", "battery.soc", NOON, NOON + 1)
    assert str(caught.value).startswith(f"{damaged}: cannot be read: ")
    assert "\n" not in str(caught.value)
    assert await times(parquet, "roof", "battery.soc", NOON + DAY, NOON + 2 * DAY) == set()
    await parquet.close()
    sqlite = SqliteSink(tmp_path / "x.db")
    with closing(sqlite3.connect(tmp_path / "x.db")) as database:
        database.execute("DROP TABLE reading")
    with pytest.raises(SinkError, match=r"x\.db: no such table"):
        await times(sqlite, "roof", "battery.soc", NOON, NOON + 1)
    await sqlite.close()


async def test_damaged_lines_of_parquet_are_none(tmp_path: Path) -> None:
    mark = b', "inverter": "roof", "object": "battery.soc", '
    (tmp_path / "_readings-2026-06-21.jsonl").write_bytes(b'{"time": 17x%s}\n{"time": %d%s}\n' % (mark, NOON, mark))
    sink = ParquetSink(tmp_path)
    assert await times(sink, "roof", "battery.soc", 0, 2 * NOON) == {NOON}
    await sink.close()


# --- databases --------------------------------------------------------------------------------------------------------


def some_readings() -> list[Reading]:
    close = [Reading(NOON + 600 * SECOND + n * SECOND * 9 // 10, "roof", INFOS[0], 0.5) for n in range(12)]
    return close + [
        Reading(NOON - NOON % MINUTES + n * 70 * SECOND - k, inverter, info, 0.5, backfilled=n % 3 == 0)
        for n in range(40)
        for k, info in enumerate(INFOS)
        for inverter in INVERTERS[: 1 + n % len(INVERTERS)]
    ]


SPANS = [
    (NOON - DAY, NOON + DAY),
    (NOON + 500 * SECOND, NOON + 1500 * SECOND),
    (NOON, NOON),
    (NOON - 40 * DAY, NOON + 40 * DAY),
]


@pytest.mark.parametrize("schema", ["pv", "groups"])
@pytest.mark.parametrize("page", [past.PAGE, 3])
async def test_influx_says_what_a_set_says(
    schema: str, page: int, influx: InfluxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past, "PAGE", page)
    monkeypatch.setattr("rct_tools.sinks.influx.PAGE", page)
    sink = open_sink(settings_for(f"influx://{influx.address}/solar", schema=schema), SOURCES)
    assert isinstance(sink, InfluxSink)
    assert await times(sink, "roof", "battery.soc", 0, NOON) == set()  # there is no database yet
    given = some_readings()
    await sink.write(given)
    for since, until in SPANS if page > 3 else SPANS[1:2]:
        for step in STEPS:
            await compare(sink, given, since, until, step)
    await sink.close()


@pytest.mark.parametrize("schema", ["pv", "groups"])
async def test_influx_says_when_what_happened(schema: str, influx: InfluxServer) -> None:
    sink = open_sink(settings_for(f"influx://{influx.address}/solar", schema=schema), SOURCES)
    assert isinstance(sink, InfluxSink)
    raw = Event(0x5A, NOON // SECOND, (NOON // SECOND + 60, 1, 0))
    event = tell(clock.Clock.of("UTC"), Dated(raw, raw.time, is_sure=True))
    begins = [Reading(NOON + n, inverter, BEGIN, event) for n in range(2) for inverter in INVERTERS[:3]]
    await sink.write([*begins, Reading(NOON + 60 * SECOND, "roof", END, event)])
    for inverter in INVERTERS[:3]:
        assert await times(sink, inverter, BEGIN.name, NOON - DAY, NOON + DAY) == {NOON, NOON + 1}
    assert await times(sink, "roof", END.name, NOON - DAY, NOON + DAY) == {NOON + 60 * SECOND}
    assert await times(sink, "it's", BEGIN.name, NOON - DAY, NOON + DAY) == set()
    await sink.close()


@pytest.mark.parametrize("schema", ["pv", "groups"])
@pytest.mark.parametrize("url", ["influx://{}/solar", "influx://{}/influx/solar", "influx2://{}/solar"])
async def test_victoria_metrics_says_what_a_set_says(
    url: str, schema: str, victoria: VictoriaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = open_sink(settings_for(url.format(victoria.address), schema=schema), SOURCES)
    assert isinstance(sink, InfluxSink)
    other = open_sink(settings_for(f"influx://{victoria.address}/other", schema=schema), SOURCES)
    given = [
        Reading(r.time // 10**6 * 10**6, r.inverter, r.object, 0.5, backfilled=r.backfilled) for r in some_readings()
    ]
    await sink.write(given)
    await compare(sink, given, *SPANS[1], MINUTES)  # though nobody can find it there yet
    if url.startswith("influx:"):
        await other.write([Reading(NOON + 17 * SECOND, "roof", INFOS[0], 0.5)])
    await other.close()
    await victoria.get("/internal/force_flush")
    sink._recent.clear()
    for since, until in SPANS[:-1]:
        monkeypatch.setattr(past, "SPAN", 700 * SECOND if until - since < DAY else DAY)
        for step in STEPS:
            if step > 1000:
                await compare(sink, given, since - since % 10**6, until - until % 10**6, step)
    await sink.close()


async def test_victoria_metrics_keeps_milliseconds(victoria: VictoriaServer) -> None:
    sink = open_sink(settings_for(f"influx://{victoria.address}/solar"))
    assert isinstance(sink, InfluxSink)
    await sink.write([Reading(NOON + 10**6 + 7, "roof", INFOS[0], 0.5)])
    assert await times(sink, "roof", "battery.soc", NOON + 10**6 + 7, NOON + 10**7) == {NOON - 1 + 10**6}
    await sink.close()


@pytest.mark.parametrize("schema", ["pv", "groups"])
async def test_events_that_a_store_has_are_not_lacking(
    schema: str, influx: InfluxServer, victoria: VictoriaServer
) -> None:
    source = Source("roof", "UTC", {info.name: Expected(info, info.name, SECOND) for info in EVENTS})
    span: dict[str, Any] = {"since": NOON - 60 * DAY, "until": NOON, "now": lambda: NOON}
    async with (
        Simulator(port=0, broadcast=False, speed=0.0, start=datetime.fromtimestamp(NOON // SECOND, UTC)) as simulated,
        connect("127.0.0.1", simulated.port, name="roof") as client,
    ):
        for address in (influx.address, victoria.address):
            sink = open_sink(settings_for(f"influx://{address}/solar", schema=schema), [source])
            assert isinstance(sink, InfluxSink)
            lacking = await missed_events(client, sink, source, **span)
            assert {reading.object for reading in lacking} == set(EVENTS)
            await sink.write(lacking)
            if address == victoria.address:
                await victoria.get("/internal/force_flush")
                sink._recent.clear()
            assert await missed_events(client, sink, source, **span) == []
            await sink.close()


async def test_away_is_an_error(influx: InfluxServer, victoria: VictoriaServer) -> None:
    for running in (influx, victoria):
        sink = open_sink(settings_for(f"influx://{running.address}/solar"))
        assert isinstance(sink, InfluxSink)
        await sink.write([Reading(NOON, "roof", INFOS[0], 0.5)])
        running.stop()
        for _ in range(2):
            with pytest.raises(SinkError, match="connection refused"):
                await times(sink, "roof", "battery.soc", NOON, NOON + 1)
        await sink.close()


def answering(status: int, body: str, asked: list[Any]) -> Callable[[web.Request], Any]:
    async def answer(request: web.Request) -> web.Response:
        if request.path.endswith("/query"):
            asked.append((request.path, dict(request.query), request.headers.get("Authorization")))
            return web.Response(status=status, text=body)
        return web.Response(status=404)

    return answer


async def test_question_to_version_2() -> None:
    """As its documentation says: by the API of 1.x, for which every bucket is a database; of 3.x, too."""
    rows = [[NOON - NOON % MINUTES, 3], [NOON - NOON % MINUTES + MINUTES, 1]]
    series = {"name": "pv", "columns": ["time", "count"], "values": rows}
    body = json.dumps({"results": [{"statement_id": 0, "series": [series]}]})
    asked: list[Any] = []
    async with fake_server(answering(200, body, asked), method="*") as address:
        sink = open_sink(settings_for(f"influx2://{address}/proxy/solar?org=home", token="t0ken"))
        assert isinstance(sink, InfluxSink)
        found = await sink.times("roof", ["it's"], NOON, NOON + DAY, MINUTES)
        assert found == {"it's": {time for time, _ in rows}}
        await sink.close()
    question = (
        'SELECT count("it\'s") FROM "pv" WHERE "inverter" = \'roof\' AND '
        f"time >= {NOON} AND time < {NOON + DAY} GROUP BY time({MINUTES}ns) fill(none) LIMIT 10000"
    )
    assert asked == [("/proxy/query", {"db": "solar", "epoch": "ns", "q": question}, "Token t0ken")]


ANSWERS = [  # status, body, what is said, permanent
    (
        404,
        '{"code":"not found","message":"no dbrp mapping found"}',
        "404 what it has cannot be asked for: no dbrp",
        False,
    ),
    (
        401,
        '{"code":"unauthorized","message":"unauthorized access"}',
        "401 what it has cannot be asked for: unauth",
        False,
    ),
    (200, '{"results":[{"error":"not executed"}]}', "200 what it has cannot be asked for: not executed", False),
    (200, '{"results":[{"series":[{}]}]}', "200 what it has cannot be asked for", False),
    (200, '{"results":[{"series":7}]}', "200 what it has cannot be asked for", False),
    (200, "[]", "200 what it has cannot be asked for", False),
    (200, "<html>", "200 what it has cannot be asked for: <html>", False),
    (400, '{"error":"error parsing query"}', "400 what it has cannot be asked for: error parsing", True),
]


@pytest.mark.parametrize(("status", "body", "said", "permanent"), ANSWERS)
async def test_answers_in_trouble(status: int, body: str, said: str, permanent: bool) -> None:
    async with fake_server(answering(status, body, []), method="*") as address:
        sink = open_sink(settings_for(f"influx2://{address}/solar", token="s3cret"))
        assert isinstance(sink, InfluxSink)
        with pytest.raises(SinkError) as caught:
            await sink.times("roof", ["battery.soc"], NOON, NOON + 1)
        await sink.close()
    assert str(caught.value).startswith(f"influx http://{address}: {said}")
    assert caught.value.permanent == permanent
    assert "\n" not in str(caught.value)
