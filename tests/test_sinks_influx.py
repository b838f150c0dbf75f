"""The InfluxDB sink, against a real InfluxDB 1.x."""

from __future__ import annotations

import asyncio
import math
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from test_sinks import LOGGED, NOON, SAMPLES, reading

from rct_tools.errors import SinkError
from rct_tools.events import BEGIN, END
from rct_tools.objects import ObjectInfo, registry
from rct_tools.outbox import GATHER, Outbox
from rct_tools.plan import Expected, Source
from rct_tools.reading import Reading
from rct_tools.sinks import Sink, open_sink, settings_for
from rct_tools.sinks.influx import InfluxSink
from rct_tools.times import SECOND
from rct_tools.values import Cell, DataType, LoggedEvent
from rct_tools.vitals import UP

from servers import InfluxServer

NAMES = {"g_sync.p_acc_lp": "power_battery", "battery.soc": "charge_battery"}
EXPECTS = {name: Expected(registry[name], name, SECOND, field) for name, field in NAMES.items()}
SOURCES = [Source("RCT", "UTC", EXPECTS), Source("roof", "UTC", EXPECTS)]


@pytest.fixture
async def sink(influx: InfluxServer) -> AsyncIterator[InfluxSink]:
    sink = open_sink(settings_for(f"influx://{influx.address}/photovoltaic"), SOURCES)
    assert isinstance(sink, InfluxSink)
    yield sink
    await sink.close()


async def test_points_have_the_names_and_the_time_of_the_ancestor(sink: InfluxSink, influx: InfluxServer) -> None:
    readings = [
        reading("g_sync.p_acc_lp", -2232.419921875, inverter="RCT"),
        reading("battery.soc", 0.3199999928474426, inverter="RCT"),
        reading("battery.soc", 0.25, NOON + 1, inverter="RCT"),
        reading("svnversion", "6a", inverter="barn"),
    ]
    await sink.write(readings)  # the database does not exist yet
    await sink.write(readings)  # and nothing is there twice
    assert await influx.query("SELECT * FROM pv WHERE inverter = 'RCT'", "photovoltaic") == [
        {
            "time": NOON,
            "inverter": "RCT",
            "power_battery": -2232.419921875,
            "charge_battery": 0.3199999928474426,
            "svnversion": None,
        },
        {"time": NOON + 1, "inverter": "RCT", "power_battery": None, "charge_battery": 0.25, "svnversion": None},
    ]
    assert len(await influx.query("SELECT * FROM pv", "photovoltaic")) == 3


async def test_names_are_those_of_the_inverter_or_its_plant(influx: InfluxServer) -> None:
    soc = registry["battery.soc"]
    sources = [
        Source(inverter, "UTC", {soc.name: Expected(soc, f"charge_{inverter}", SECOND)})
        for inverter in ("roof", "barn")
    ]
    sink = open_sink(settings_for(f"influx://{influx.address}/photovoltaic"), sources)
    inverters = ("roof", "barn", "barn/0000002A", "shed")
    await sink.write([reading(soc.name, 0.5, NOON + n, inverter) for n, inverter in enumerate(inverters)])
    await sink.close()
    rows = await influx.query("SELECT * FROM pv", "photovoltaic")
    assert [next(key for key in row if row[key] == 0.5) for row in rows] == [
        "charge_roof", "charge_barn", "charge_barn", "battery.soc"
    ]  # fmt: skip


async def test_every_value_it_can_hold_comes_back(sink: InfluxSink, influx: InfluxServer) -> None:
    samples = [(Reading(NOON + n, "RCT", s.object, s.value), s.value) for n, (s, _, _) in enumerate(SAMPLES)]
    samples = [row for row in samples if not isinstance(row[1], LoggedEvent)]  # which have fields of their own
    await sink.write([sample for sample, _ in samples])
    left_out = 0
    for sample, value in samples:
        name = NAMES.get(sample.object.name, sample.object.name)
        rows = await influx.query(f'SELECT "{name}" AS v FROM pv WHERE time = {sample.time}', "photovoltaic")
        holds = isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value))
        assert rows == ([{"time": sample.time, "v": value}] if holds else [])
        left_out += not holds
    assert sum(sink.left_out.values()) == left_out == 5


NUMBERS = [0.0, -0.0, 5e-324, 1.7976931348623157e308, 3.4028234663852886e38, 1e16, 0.1, 123456789.0]


async def test_floats_keep_every_digit_and_their_type(sink: InfluxSink, influx: InfluxServer) -> None:
    numbers = [*NUMBERS, 7]  # an int where a float belongs, as a sum might give
    await sink.write([reading("battery.soc", value, NOON + n) for n, value in enumerate(numbers)])
    rows = await influx.query("SELECT charge_battery FROM pv", "photovoltaic")
    assert [row["charge_battery"] for row in rows] == numbers
    assert await influx.query("SHOW FIELD KEYS", "photovoltaic") == [
        {"fieldKey": "charge_battery", "fieldType": "float"}
    ]


STRANGE = ["a b", "a,b", "a=b", 'a"b', "a'b", "a\\b", "a\\ b", "\\", "ä€", "a\nb", "b\\", "#a", "a\\,b=c d", "", " "]


async def test_strange_names_and_texts_come_back(sink: InfluxSink, influx: InfluxServer) -> None:
    """What nothing can stand for, such as a backslash at the end, is left out of names, never of texts."""
    for n, text in enumerate(STRANGE):
        info = ObjectInfo(1, f"f{text}", DataType.STRING)
        await sink.write([Reading(NOON + n, text, info, text), reading("svnversion", "end", NOON + n, text)])
        (row,) = await influx.query(f"SELECT * FROM pv WHERE time = {NOON + n}", "photovoltaic")
        given = {key: value for key, value in row.items() if value is not None}
        name = {"a\\ b": "a b", "\\": "", "a\nb": "a b", "b\\": "b", "a\\,b=c d": "a,b=c d"}.get(text, text)
        expected = {"time": NOON + n, f"f{name}": text, "svnversion": "end"}
        assert given == expected | ({"inverter": name} if name else {})
    assert not sink.left_out


async def test_large_write_goes_in_batches(sink: InfluxSink, influx: InfluxServer) -> None:
    await sink.write([reading("battery.soc", n / 12_001, NOON + n) for n in range(12_001)])
    assert await influx.query("SELECT count(charge_battery) FROM pv", "photovoltaic") == [{"time": 0, "count": 12_001}]


async def test_field_of_another_type_costs_nobody_else(
    sink: InfluxSink, influx: InfluxServer, caplog: pytest.LogCaptureFixture
) -> None:
    await sink.write([Reading(NOON, "RCT", ObjectInfo(1, "battery.soc", DataType.INT32), 1)])
    caplog.clear()
    for n in (1, 2):
        await sink.write([reading("battery.soc", 0.5, NOON + n), reading("g_sync.p_acc_lp", 7.5, NOON + n)])
    rows = await influx.query("SELECT charge_battery, power_battery FROM pv", "photovoltaic")
    assert [(row["charge_battery"], row["power_battery"]) for row in rows] == [(1, None), (None, 7.5), (None, 7.5)]
    assert sink.left_out == {"battery.soc: field charge_battery of pv has another type in the database": 2}
    assert len(caplog.messages) == 1


async def test_points_too_old_for_the_database_are_counted(sink: InfluxSink, influx: InfluxServer) -> None:
    await influx.query("CREATE DATABASE photovoltaic WITH DURATION 1d REPLICATION 1 SHARD DURATION 1h NAME short")
    await sink.write([reading("battery.soc", 0.5, 10**9)])
    assert sum(sink.left_out.values()) == 1


async def test_nothing_is_lost_while_the_database_is_down(
    sink: InfluxSink, influx: InfluxServer, caplog: pytest.LogCaptureFixture
) -> None:
    failed = asyncio.Event()
    again = asyncio.Event()

    async def until_told(delay: float) -> None:
        if delay == GATHER:  # that is not about trouble
            await asyncio.sleep(0)
            return
        failed.set()
        await again.wait()

    outbox = Outbox("influx", sink.write, sleep=until_told)
    job = asyncio.create_task(outbox.run())
    outbox.put([reading("battery.soc", 0.1, NOON)])
    while outbox.kept:  # noqa: ASYNC110  # nobody tells when a reading was written
        await asyncio.sleep(0)
    influx.stop()
    for n in range(1, 8):
        outbox.put([reading("battery.soc", n / 10, NOON + n)])
        await failed.wait()
    await influx.start()
    again.set()
    outbox.finish()
    await job
    rows = await influx.query("SELECT charge_battery FROM pv", "photovoltaic")
    assert [row["time"] - NOON for row in rows] == list(range(8))
    assert caplog.messages == [
        f"influx http://{influx.address}: connection refused; keeping readings, will retry",
        "influx: works again; 7 readings had been kept",
    ]
    assert (outbox.written, outbox.lost) == (8, 0)


ANSWERS = [  # made from the documentation: what a server in trouble, or one between it and us, answers
    (503, '{"error": "timeout"}', "503 timeout", False),
    (500, "<html>Oops</html>", "500 <html>Oops</html>", False),
    (301, "<html>\n<b>Moved</b>\n</html>", "301 <html> <b>Moved</b> </html>", False),
    (500, '{"results": {"a": 1}}', '500 {"results": {"a": 1}}', False),
    (502, "[]", "502 []", False),
    (429, "", "429", False),
    (413, '{"error": "Request Entity Too Large"}', "413 Request Entity Too Large", True),
    (400, '{"error": "unable to parse"}', "400 unable to parse", True),
    (400, '{"error": "input field \\"x\\" on measurement \\"pv\\""}', '400 input field "x" on measurement "pv"', True),
    (
        404,
        '{"error": "database not found: \\"x\\""}',
        "404 the database does not exist, and cannot be made: database",
        False,
    ),
]


@pytest.mark.parametrize(("status", "body", "said", "permanent"), ANSWERS)
async def test_answers_of_a_server_in_trouble(status: int, body: str, said: str, permanent: bool) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, text=body)

    async with fake_server(answer) as address:
        error = await write_error(open_sink(settings_for(f"influx://{address}/photovoltaic")))
    assert str(error).startswith(f"influx http://{address}: {said}")
    assert error is not None
    assert error.permanent == permanent


async def test_line_that_cannot_be_read_is_named_and_costs_nobody_else(
    sink: InfluxSink, influx: InfluxServer, caplog: pytest.LogCaptureFixture
) -> None:
    far = 10**19  # ns: more than InfluxDB can hold
    await sink.write([reading("battery.soc", 0.5), reading("svnversion", "it's", far)])
    await sink.write([reading("battery.soc", 0.6, NOON + 1), reading("battery.soc", 0.7, far)])
    await sink.write([reading("battery.soc", 0.8, far)])  # and nothing that could be taken
    rows = await influx.query("SELECT charge_battery FROM pv", "photovoltaic")
    assert [row["charge_battery"] for row in rows] == [0.5, 0.6]
    why = 'strconv.ParseInt: parsing "…": value out of range'
    assert sink.left_out == {f"svnversion: {why}": 1, f"battery.soc: {why}": 2}
    assert len(caplog.messages) == 2


async def test_reasons_are_bounded(sink: InfluxSink, caplog: pytest.LogCaptureFixture) -> None:
    await sink.write([Reading(NOON, "RCT", ObjectInfo(n, f"o{n}", DataType.UNKNOWN), b"") for n in range(150)])
    assert len(sink.left_out) == 101
    assert sink.left_out["other reasons"] == 50
    assert len(caplog.messages) == 101


async def test_what_was_acknowledged_survives_a_killed_database(sink: InfluxSink, influx: InfluxServer) -> None:
    stored: list[list[Reading]] = []
    failed: list[list[Reading]] = []
    for n in range(40):
        batch = [reading("battery.soc", n / 40, NOON + 100 * n + k) for k in range(100)]
        if n == 20:
            influx.kill()
        error = await write_error(sink, batch)
        assert error is None or str(error) == f"influx http://{influx.address}: connection refused"
        (failed if error else stored).append(batch)
        if n == 30:
            await influx.start()
    assert len(failed) == 11
    for batch in [*failed, *stored]:  # what comes twice is kept once
        await sink.write(batch)
    assert await influx.query("SELECT count(charge_battery) FROM pv", "photovoltaic") == [{"time": 0, "count": 4000}]
    assert not sink.left_out


async def test_name_that_no_host_can_have() -> None:
    sink = open_sink(settings_for(f"influx://{'h' * 64}.example/db"))
    error = await write_error(sink, [reading("battery.soc", 0.5)])
    assert str(error).endswith(".example:8086: unknown host")
    await sink.close()


async def test_server_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rct_tools.sinks.influxserver._TIMEOUT", 0.1)

    async def answer(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError("this is never reached")

    async with fake_server(answer) as address:
        error = await write_error(open_sink(settings_for(f"influx://{address}/photovoltaic")))
    assert str(error) == f"influx http://{address}: no answer in 0 s"


async def test_unknown_host_is_said() -> None:
    error = await write_error(open_sink(settings_for("influx://nowhere.invalid/photovoltaic")))
    assert str(error).startswith("influx http://nowhere.invalid:8086: ")
    assert error is not None
    assert not error.permanent


@asynccontextmanager
async def fake_server(
    answer: Callable[[web.Request], Awaitable[web.Response]], tls: ssl.SSLContext | None = None, method: str = "POST"
) -> AsyncIterator[str]:
    application = web.Application()
    application.router.add_route(method, "/{path:.*}", answer)

    runner = web.AppRunner(application, shutdown_timeout=0.01)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    host, port = runner.addresses[0]
    yield f"{host}:{port}"
    await runner.cleanup()


async def test_password_and_rights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    influx = InfluxServer(tmp_path, auth=True)
    await influx.start()
    try:
        await influx.query("CREATE USER admin WITH PASSWORD 'geheim ä:' WITH ALL PRIVILEGES")
        for query in ("CREATE DATABASE photovoltaic", "CREATE USER guest WITH PASSWORD 'guest'"):
            await influx.query(query, u="admin", p="geheim ä:")
        cases = [
            ("", "x", "401 unable to parse authentication credentials (no user; the password is taken from the key"),
            (
                "admin@",
                "wrong",
                "401 authorization failed (user admin; the password is taken from the key password, or",
            ),
            ("guest@", "guest", "(user guest; it needs the right to write to photovoltaic)"),
            ("admin@", "geheim ä:", ""),
        ]
        for user, password, said in cases:
            monkeypatch.setenv("INFLUX_PASSWORD", password)
            sink = open_sink(settings_for(f"influx://{user}{influx.address}/photovoltaic"))
            error = await write_error(sink)
            assert said in str(error or "")
            assert bool(error) == bool(said)
            assert error is None or not error.permanent
        rows = await influx.query("SELECT * FROM pv", "photovoltaic", u="admin", p="geheim ä:")
        assert len(rows) == 1
    finally:
        influx.stop()


async def write_error(sink: Sink, readings: Sequence[Reading] = ()) -> SinkError | None:
    """Write the readings; without, write one and close the sink. Return what went wrong."""
    try:
        await sink.write(readings or [reading("battery.soc", 0.5)])
    except SinkError as exc:
        return exc
    finally:
        if not readings:
            await sink.close()
    return None


# --- schema groups ---------------------------------------------------------------------------------------------------


async def test_groups_come_back(influx: InfluxServer) -> None:
    cells = tuple(Cell(20 + n, 3.3 + n / 1000, 0) for n in range(24))
    sink = open_sink(settings_for(f"influx://{influx.address}/solar", schema="groups"), SOURCES)
    readings = [
        reading("battery.soc", 0.5),
        reading("battery.soc", 0.6, NOON + 1),
        reading("battery.cells[2]", cells),
        reading("battery.cells_resist[2]", tuple(n / 256 for n in range(24))),
        reading("prim_sm.state", 13),
        reading("svnversion", "6a"),
        Reading(NOON, "roof", UP, True),
    ]
    for _ in range(2):
        await sink.write(readings)
    await sink.close()
    soc = "SELECT value FROM battery WHERE \"name\" = 'battery.soc' AND inverter = 'roof'"
    assert [row["value"] for row in await influx.query(soc, "solar")] == [0.5, 0.6]
    voltages = await influx.query("SELECT voltage, cell FROM battery WHERE module = '2' AND voltage > 0", "solar")
    assert {int(row["cell"]): row["voltage"] for row in voltages} == {n: cell.voltage for n, cell in enumerate(cells)}
    (resistance,) = await influx.query("SELECT max(resistance) FROM battery WHERE inverter = 'roof'", "solar")
    assert resistance["max"] == 23 / 256
    for measurement, key, value in (("prim_sm", "value", 13), ("device", "text", "6a"), ("link", "value", 1)):
        (row,) = await influx.query(f"SELECT {key} FROM {measurement}", "solar")
        assert row[key] == value


@pytest.mark.parametrize("schema", ["pv", "groups"])
async def test_simultaneous_events_are_points_of_their_own(influx: InfluxServer, schema: str) -> None:
    sink = open_sink(settings_for(f"influx://{influx.address}/solar", schema=schema), SOURCES)
    events = [Reading(NOON - 1 + n, "roof", info, LOGGED) for n, info in enumerate((BEGIN, BEGIN, BEGIN, END))]
    events.append(Reading(NOON - 1, "roof", END, LOGGED))  # what is over as soon as it began
    for _ in range(2):
        await sink.write([*events, reading("battery.soc", 0.5)])
    await sink.close()
    rows = await influx.query("SELECT * FROM event", "solar")
    assert len(rows) == 5
    assert sorted(row["event_type"] for row in rows) == ["begin"] * 3 + ["end"] * 2
    (row,) = [row for row in rows if row["event_type"] == "end" and row["time"] == NOON + 2]
    assert row == {
        "time": NOON + 2, "inverter": "roof", "event_type": "end", "name": LOGGED.name, "type": "0x54",
        "text": "switch-on Umax L2, 1m, 254.50 V", "duration": 60.0, "value": 254.5,
        "begin": LOGGED.begin // 10**6, "end": NOON // 10**6,
    }  # fmt: skip


async def test_name_in_groups_is_what_the_sink_is_told_to_call_it(influx: InfluxServer) -> None:
    soc = registry["battery.soc"]
    source = Source("roof", "UTC", {soc.name: Expected(soc, "charge", SECOND, "charge_battery")})
    sink = open_sink(settings_for(f"influx://{influx.address}/solar", schema="groups"), [source])
    await sink.write([reading(soc.name, 0.5)])
    await sink.close()
    (row,) = await influx.query("SELECT * FROM battery", "solar")
    assert (row["name"], row["value"]) == ("charge", 0.5)


async def test_group_with_a_field_of_another_type(influx: InfluxServer) -> None:
    await influx.query("CREATE DATABASE solar")
    sink = open_sink(settings_for(f"influx://{influx.address}/solar", schema="groups"))
    other = open_sink(settings_for(f"influx://{influx.address}/solar"), [])
    assert isinstance(sink, InfluxSink)
    await other.write([Reading(NOON, "RCT", ObjectInfo(1, "value", DataType.INT32), 1)])  # field value of pv
    await sink.write([Reading(NOON, "RCT", ObjectInfo(1, "pv.x", DataType.FLOAT), 1.0), reading("battery.soc", 0.5)])
    await sink.close()
    await other.close()
    assert sink.left_out == {"pv.x: field value of pv has another type in the database": 1}
    assert len(await influx.query("SELECT value FROM battery", "solar")) == 1
