"""The MQTT sink, against a real Mosquitto; what topics show, without one."""

from __future__ import annotations

import asyncio
import json
import math
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
from test_sinks import LOGGED, NOON, SAMPLES, reading

from rct_tools import homeassistant
from rct_tools.errors import ConfigError, SinkError
from rct_tools.events import BEGIN, END
from rct_tools.objects import ObjectInfo, registry
from rct_tools.outbox import GATHER, Outbox
from rct_tools.plain import plain
from rct_tools.plan import Expected, Source
from rct_tools.reading import Reading
from rct_tools.sinks import mqtt, open_sink, settings_for
from rct_tools.sinks.broker import HUNG_UP, LOST
from rct_tools.sinks.mqtt import MqttSink
from rct_tools.sinks.topics import Rules, Topics
from rct_tools.times import SECOND
from rct_tools.values import DataType, LoggedEvent, Value
from rct_tools.vitals import INTERVAL, UP

from servers import Certificates, MosquittoServer

MINUTE = 60 * SECOND
DAY = 86_400 * SECOND
EXPECTS = {
    "battery.soc": Expected(registry["battery.soc"], "battery.soc", SECOND),
    "inverter_sn": Expected(registry["inverter_sn"], "inverter_sn", DAY),
    "g_sync.p_acc_lp": Expected(registry["g_sync.p_acc_lp"], "power_battery", SECOND),
}
SOURCE = Source("roof", "UTC", EXPECTS)


class Clock:
    """The time that tests set."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> int:
        return self.now


def up(value: bool, time: int = NOON, inverter: str = "roof") -> Reading:
    return Reading(time, inverter, UP, value)


def mqtt_sink(server: MosquittoServer, clock: Callable[[], int] | None = None, **keys: Any) -> MqttSink:
    return sink_for(f"mqtt://{server.address}", clock, **keys)


def sink_for(url: str, clock: Callable[[], int] | None = None, **keys: Any) -> MqttSink:
    settings = settings_for(url, **keys)
    assert isinstance(settings, mqtt.Settings)
    return MqttSink(settings, [SOURCE], clock=clock or Clock())


@pytest.fixture(autouse=True)
def no_words_of_asyncio(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """What fails where nobody sees it, such as in a callback, is only logged."""
    yield
    assert [record.message for record in caplog.get_records("call") if record.name == "asyncio"] == []


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[MosquittoServer]:
    server = MosquittoServer(tmp_path)
    await server.start()
    yield server
    server.stop()


class Watch:
    """What a client sees of a broker."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self.client = client
        self.messages: list[aiomqtt.Message] = []
        self.mark = f"now/{id(self)}"

    async def until(self, topic: str, payload: str) -> None:
        """Return when such a message has come."""
        async with asyncio.timeout(60):
            async for message in self.client.messages:
                self.messages.append(message)
                if (str(message.topic), text(message)) == (topic, payload):
                    return

    async def until_now(self) -> list[tuple[str, str]]:
        """Return what has come since the last time, retained messages first."""
        await self.client.publish(self.mark, "now", 1)
        await self.until(self.mark, "now")
        came = [(str(message.topic), text(message)) for message in self.messages]
        self.messages.clear()
        return [(topic, payload) for topic, payload in came if not topic.startswith("now/")]


def text(message: aiomqtt.Message) -> str:
    assert isinstance(message.payload, bytes)
    return message.payload.decode()


@asynccontextmanager
async def watching(server: MosquittoServer, topic: str) -> AsyncIterator[Watch]:
    async with aiomqtt.Client("127.0.0.1", server.port) as client:
        watch = Watch(client)
        await client.subscribe([(topic, 1), (watch.mark, 1)])
        yield watch


async def retained(server: MosquittoServer) -> dict[str, str]:
    """Return what somebody sees who comes later."""
    async with watching(server, "+/#") as watch:
        return dict(await watch.until_now())


# --- what topics show -----------------------------------------------------------------------------------------------


def shown(board: Topics, now: int, *readings: Reading) -> list[tuple[str, str]]:
    """Let a board take readings; return what is published, as topic and payload."""
    messages, states = board.take(readings, now)
    board.keep(states)
    return [(m.topic, m.payload if isinstance(m.payload, str) else m.payload.decode()) for m in messages]


CHANGES: list[tuple[Rules, list[tuple[int, Value]], list[Value]]] = [  # rules, (second, value) read, values published
    (Rules(), [(0, 1.0), (1, 1.0), (2, 1.5), (3, 1.5), (4, 1.0)], [1.0, 1.5, 1.0]),
    (Rules(refresh=2 * SECOND), [(0, 1.0), (1, 1.0), (2, 1.0), (3, 1.0), (4, 1.0)], [1.0, 1.0, 1.0]),
    (Rules(every=True), [(0, 1.0), (1, 1.0)], [1.0, 1.0]),
    (Rules(dead_band={"battery.*": 0.5}), [(0, 1.0), (1, 1.4), (2, 1.49), (3, 1.5), (4, 1.1)], [1.0, 1.5]),
    (Rules(dead_band={"battery.*": 0.5}), [(0, 1.0), (1, 0.8), (2, 0.6), (3, 0.4)], [1.0, 0.4]),  # no creeping away
    (Rules(dead_band={"battery.soc": 0, "*": 0.5}), [(0, 1.0), (1, 1.1)], [1.0, 1.1]),
    (Rules(dead_band={"attery.so": 0.5, "x*": 0.5}), [(0, 1.0), (1, 1.1)], [1.0, 1.1]),
    (Rules(dead_band={"*": 9}), [(0, 1.0), (1, math.nan), (2, math.nan), (3, 1.0), (4, math.inf)], [1.0, "", 1.0, ""]),
    (Rules(dead_band={"*": 9}), [(0, True), (1, True), (2, False)], [True, False]),
    (Rules(), [(0, 1), (1, True), (2, "1"), (3, "1"), (4, b"1"), (5, b"1")], [1, True, "1", "31"]),
]


@pytest.mark.parametrize(("rules", "values", "published"), CHANGES)
def test_what_has_not_changed_is_not_told(
    rules: Rules, values: list[tuple[int, Value]], published: list[Value]
) -> None:
    board = Topics("rct", "rct/status", [SOURCE], rules)
    came = [
        payload
        for second, value in values
        for _, payload in shown(board, NOON, reading("battery.soc", value, NOON + second * SECOND))
    ]
    assert came == [value if isinstance(value, str) else json.dumps(value) for value in published]


def test_in_one_write_too() -> None:
    board = Topics("rct", "rct/status", [SOURCE], Rules())
    values = [reading("battery.soc", value, NOON + n) for n, value in enumerate([0.5, 0.5, 0.25])]
    assert [payload for _, payload in shown(board, NOON, *values)] == ["0.5", "0.25"]


def test_what_was_not_published_comes_again() -> None:
    board = Topics("rct", "rct/status", [SOURCE], Rules())
    first, _ = board.take([reading("battery.soc", 0.5)], NOON)  # and then the connection is lost
    assert shown(board, NOON, reading("battery.soc", 0.5)) == [("rct/roof/battery/soc", "0.5")]
    assert len(first) == 1


NAMES = [  # inverter, object, topic
    ("roof", "battery.soc", "rct/roof/battery/soc"),
    ("roof", "dc_conv.dc_conv_struct[0].p_dc", "rct/roof/dc_conv/dc_conv_struct[0].p_dc"),
    ("roof", "android_description", "rct/roof/device/android_description"),
    ("roof", "0x00000005", "rct/roof/device/0x00000005"),
    ("roof", "g_sync.p_acc_lp", "rct/roof/device/power_battery"),  # as the configuration calls it
    ("roof/0000002A", "battery.soc", "rct/roof_0000002A/battery/soc"),
    ("$a+b#c\0", "x.a/b", "rct/_a_b_c_/x/a_b"),
    ("", "x.", "rct/_/device/x"),
]


@pytest.mark.parametrize(("inverter", "name", "topic"), NAMES)
def test_topics_are_read_by_people_and_allowed_by_brokers(inverter: str, name: str, topic: str) -> None:
    board = Topics("rct", "rct/status", [SOURCE], Rules())
    taken = Reading(NOON, inverter, ObjectInfo(5, name, DataType.UINT8), 7)
    assert shown(board, NOON, taken) == [(topic, "7")]


def test_old_readings_are_kept_apart_from_states() -> None:
    board = Topics("rct", "rct/status", [SOURCE], Rules())
    assert shown(board, NOON + MINUTE, reading("battery.soc", 0.5)) == [("rct/roof/battery/soc", "0.5")]
    late = {"object": "battery.soc", "value": 0.5, "unit": "ratio"}
    cases = [
        (reading("battery.soc", 0.5, NOON - 1), "2026-06-21T12:00:00.000000000+00:00"),  # there is a newer one
        (reading("battery.soc", 0.5, NOON - 10 * MINUTE), "2026-06-21T11:50:00.000000001+00:00"),
        (up(value=True, time=NOON - 10 * MINUTE), ""),
        (reading("energy.e_ac_day", 0.5, NOON - 10 * MINUTE), ""),  # a newer one has not come, but should have
    ]
    for old, time in cases:
        ((topic, payload),) = shown(board, NOON + MINUTE, old)
        assert topic == "rct/roof/late"
        assert json.loads(payload)["object"] == old.object.name
        assert not time or json.loads(payload) == late | {"time": time}
    messages, _ = board.take([cases[0][0]], NOON)
    assert [(message.retain, message.qos) for message in messages] == [(False, 1)]
    # What is read once a day is not old after an hour.
    assert shown(board, NOON + 60 * MINUTE, reading("inverter_sn", "7")) == [("rct/roof/device/inverter_sn", "7")]


def test_suppressed_readings_count_as_shown() -> None:
    board = Topics("rct", "rct/status", [SOURCE], Rules())
    shown(board, NOON, reading("battery.soc", 0.5), reading("battery.soc", 0.5, NOON + 2))
    assert [topic for topic, _ in shown(board, NOON + 2, reading("battery.soc", 0.4, NOON + 1))] == ["rct/roof/late"]


def test_clock_that_was_wrong_makes_nothing_late() -> None:
    board = Topics("rct", "rct/status", [SOURCE], Rules())
    shown(board, NOON + DAY, reading("battery.soc", 0.5, NOON + DAY))
    for second, value in ((0, 0.4), (1, 0.3)):  # it was put back
        now = NOON + second * SECOND
        assert shown(board, now, reading("battery.soc", value, now)) == [("rct/roof/battery/soc", str(value))]
    assert shown(board, NOON, reading("battery.soc", 0.3, NOON - DAY))[0][0] == "rct/roof/late"


def test_inverter_that_nobody_calls_up_is_offline() -> None:
    board = Topics("rct", "rct/status", [SOURCE, Source("barn", "UTC", {})], Rules())
    statuses = [(message.topic, message.payload) for message in board.all_shown(NOON)]
    assert statuses == [("rct/roof/status", "offline"), ("rct/barn/status", "offline")]
    assert shown(board, NOON, up(value=True)) == [("rct/roof/status", "online")]
    assert board.all_shown(NOON)[0].payload == "online"
    lasts = NOON + 3 * INTERVAL
    assert shown(board, lasts, reading("battery.soc", 0.5, lasts, "barn")) == [("rct/barn/battery/soc", "0.5")]
    assert board.all_shown(lasts)[0].payload == "online"
    assert board.all_shown(lasts + 1)[0].payload == "offline"
    assert shown(board, lasts + 1) == [("rct/roof/status", "offline")]
    assert shown(board, lasts + 2) == []
    assert shown(board, lasts + 3, up(value=True, time=lasts + 3)) == [("rct/roof/status", "online")]
    assert shown(board, lasts + 4, up(value=False, time=lasts + 4)) == [("rct/roof/status", "offline")]
    assert [message.topic for message in board.all_offline()] == ["rct/status", "rct/roof/status", "rct/barn/status"]


def test_status_is_always_retained() -> None:
    board = Topics("rct", "rct/status", [SOURCE], Rules(is_json=True, retain=False, qos=0))
    (status, state), _ = board.take([up(value=True), reading("battery.soc", 0.5)], NOON)
    assert status == ("rct/roof/status", "online", 1, True)
    assert state[2:] == (0, False)


EVENTS = [Reading(NOON + n, "roof", info, LOGGED) for n, info in enumerate((BEGIN, BEGIN, END))]
"""Two that began at once, and the end of one."""


@pytest.mark.parametrize("rules", [Rules(), Rules(qos=0, retain=True, refresh=0, dead_band={"*": 9})])
def test_events_pass_by(rules: Rules) -> None:
    board = Topics("rct", "rct/status", [SOURCE], rules)
    messages, states = board.take(EVENTS, NOON + 300 * SECOND)
    assert not states
    assert {(m.topic, m.qos, m.retain) for m in messages} == {("rct/roof/event", rules.qos, False)}
    told = [json.loads(message.payload) for message in messages]
    assert [event["event_type"] for event in told] == ["begin", "begin", "end"]
    assert [event["time"][-9:-6] for event in told] == ["001", "002", "003"]
    (text,) = [text for sample, _, text in SAMPLES if sample.value == LOGGED]
    assert told[2] == {"event_type": "end", "text": text, "time": told[2]["time"], **plain(LOGGED)}
    board.keep(states)
    assert [message.topic for message in board.all_shown(NOON)] == ["rct/roof/status"]  # what is connected anew


def test_events_that_come_late_are_kept_apart() -> None:
    board = Topics("rct", "rct/status", [SOURCE], Rules())
    messages, _ = board.take(EVENTS[2:], EVENTS[2].time + 300 * SECOND + 1)
    ((topic, payload, _, retain),) = messages
    assert (topic, retain) == ("rct/roof/late", False)
    assert json.loads(payload)["object"] == "event.end"
    assert json.loads(payload)["value"]["name"] == LOGGED.name


async def test_an_event_comes_once_whatever_is_connected_anew(server: MosquittoServer) -> None:
    sink = mqtt_sink(server)
    async with watching(server, "rct/roof/event") as watch:
        await sink.write(EVENTS)
        assert len(await watch.until_now()) == 3
    server.stop()
    await lost(sink)
    await server.start()
    async with watching(server, "rct/#") as watch:
        await sink.write([reading("battery.soc", 0.5)])
        topics = [topic for topic, _ in await watch.until_now()]
        assert "rct/roof/battery/soc" in topics
        assert "rct/roof/event" not in topics
    await sink.close()
    assert "rct/roof/event" not in await retained(server)


def test_json_says_what_a_number_means() -> None:
    rules = Rules(is_json=True, retain=False, qos=0)
    board = Topics("rct", "rct/status", [SOURCE], rules)
    for name, value, meaning in (
        ("fault[0].flt", 1 << 25, "insulation too low or implausible"),
        ("fault[0].flt", 0, None),
    ):
        messages, _ = board.take([reading(name, value)], NOON)
        assert [json.loads(message.payload).get("meaning") for message in messages] == [meaning]


# --- a real broker --------------------------------------------------------------------------------------------------

PLAIN = [  # the payloads of SAMPLES, in their order
    "0.3199999928474426", "-2232.419921875", "", "12345678.0", "4294967295", "13", "true", "6a\x1b[2J π",
    '{"time":300,"samples":[{"time":0,"value":0.5}]}', '{"time":300,"events":[{"type":115,"time":7,"values":[1,2,3]}]}',
    '[{"temperature":21,"voltage":3.305,"status":0}]', "01ff",
]  # fmt: skip


def own_topics() -> Mapping[str, tuple[Reading, object, str]]:
    """Give each of SAMPLES that is a state an inverter of its own: topic -> reading, value in JSON, plain payload."""
    found = {}
    samples = [sample for sample in SAMPLES if not isinstance(sample[0].value, LoggedEvent)]
    for n, ((sample, value, _), payload) in enumerate(zip(samples, PLAIN, strict=True)):
        name = sample.object.name
        topic = f"rct/i{n}/{name.replace('.', '/', 1) if '.' in name else f'device/{name}'}"
        found[topic] = (Reading(NOON, f"i{n}", sample.object, sample.value), value, payload)
    return found


@pytest.mark.parametrize("version", ["3.1.1", "5"])
async def test_every_value_is_there_for_those_who_come_later(server: MosquittoServer, version: str) -> None:
    sink = mqtt_sink(server, version=version)
    await sink.write([sample for sample, _, _ in own_topics().values()])
    await sink.close()
    states = await retained(server)
    for topic, (_, _, payload) in own_topics().items():
        assert states.pop(topic, "") == payload
    assert states == {"rct/status": "offline", "rct/roof/status": "offline"}


async def test_json_has_unit_and_time(server: MosquittoServer) -> None:
    sink = mqtt_sink(server, payload="json")
    await sink.write([sample for sample, _, _ in own_topics().values()])
    await sink.close()
    states = await retained(server)
    for topic, (sample, value, _) in own_topics().items():
        time = "2026-06-21T12:00:00.000000001+00:00"
        shown = {"value": value, "unit": sample.object.unit, "time": time}
        meaning = sample.object.meaning(sample.value)
        assert json.loads(states[topic]) == (shown | {"meaning": meaning} if meaning else shown)


async def test_what_is_no_number_takes_away_the_number_that_was(server: MosquittoServer) -> None:
    sink = mqtt_sink(server)
    await sink.write([reading("battery.soc", 0.5)])
    assert (await retained(server))["rct/roof/battery/soc"] == "0.5"
    await sink.write([reading("battery.soc", math.nan, NOON + 1)])
    assert "rct/roof/battery/soc" not in await retained(server)
    await sink.close()


async def test_states_that_are_not_retained(server: MosquittoServer) -> None:
    sink = mqtt_sink(server, retain=False, qos=0)
    async with watching(server, "rct/#") as watch:
        await sink.write([up(value=True), reading("battery.soc", 0.5)])
        await watch.until("rct/roof/battery/soc", "0.5")
    assert await retained(server) == {"rct/status": "online", "rct/roof/status": "online"}
    await sink.close()


async def test_nothing_looks_alive_before_it_is(server: MosquittoServer) -> None:
    sink = mqtt_sink(server)
    async with watching(server, "rct/#") as watch:
        await sink.write([up(value=True), reading("battery.soc", 0.5)])
        await sink.write([])
        await sink.write([reading("battery.soc", 0.4, NOON + 1)])
        assert await watch.until_now() == [
            ("rct/roof/status", "offline"),
            ("rct/status", "online"),
            ("rct/roof/status", "online"),
            ("rct/roof/battery/soc", "0.5"),
            ("rct/roof/battery/soc", "0.4"),
        ]
        await sink.close()
        assert await watch.until_now() == [("rct/status", "offline"), ("rct/roof/status", "offline")]


async def test_large_write_arrives_in_order(server: MosquittoServer) -> None:
    sink = mqtt_sink(server, version="5")
    async with watching(server, "rct/roof/battery/soc") as watch:
        await sink.write([reading("battery.soc", float(n), NOON + n) for n in range(1234)])
        assert [float(payload) for _, payload in await watch.until_now()] == list(range(1234))
    await sink.close()


CHILD = """
import asyncio, sys
from rct_tools.reading import Reading
from rct_tools.sinks import open_sink, settings_for
from rct_tools.plan import Source
from rct_tools.vitals import UP
import time
async def main():
    sink = open_sink(settings_for(sys.argv[1]), [Source("roof", "UTC", {})])
    await sink.write([Reading(time.time_ns(), "roof", UP, True)])
    print("written", flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


async def test_broker_speaks_our_will_when_we_are_killed(server: MosquittoServer) -> None:
    async with watching(server, "rct/#") as watch:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", CHILD, f"mqtt://{server.address}", stdout=PIPE
        )
        assert child.stdout is not None
        assert await child.stdout.readline() == b"written\n"
        await watch.until("rct/roof/status", "online")
        child.send_signal(signal.SIGKILL)
        await child.communicate()
        await watch.until("rct/status", "offline")
    assert (await retained(server))["rct/status"] == "offline"


# --- trouble --------------------------------------------------------------------------------------------------------


async def test_parts_with_one_prefix_say_only_of_themselves_that_they_are_there(server: MosquittoServer) -> None:
    first, second = mqtt_sink(server, part="shard-1"), mqtt_sink(server, part="shard-2", client_id="second")
    await first.write([up(True)])
    await second.write([up(True, inverter="barn")])
    await second.close()
    states = await retained(server)
    assert (states["rct/status/shard-1"], states["rct/status/shard-2"]) == ("online", "offline")
    assert "rct/status" not in states
    await first.close()


async def test_broker_that_was_away_is_told_everything_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is lost, nothing old looks new, and what the broker has forgotten is there again."""
    server = MosquittoServer(tmp_path, keeps=False)
    await server.start()
    clock = Clock()
    failed, again = asyncio.Event(), asyncio.Event()

    async def until_told(delay: float) -> None:
        if delay == GATHER:  # that is not about trouble
            await asyncio.sleep(0)
            return
        failed.set()
        await again.wait()

    sink = mqtt_sink(server, clock)
    outbox = Outbox("mqtt", sink.write, sleep=until_told)
    job = asyncio.create_task(outbox.run())
    try:
        outbox.put([up(value=True), reading("battery.soc", 0.9), reading("inverter_sn", "7")])
        while outbox.kept:  # noqa: ASYNC110  # nobody tells when a reading was written
            await asyncio.sleep(0)
        server.stop()
        await lost(sink)
        clock.now += 10 * MINUTE
        values = [n / 100 for n in range(10)]
        for n, value in enumerate(values):
            outbox.put([reading("battery.soc", value, NOON + (n + 1) * MINUTE)])
            await failed.wait()
        await server.start()
        async with watching(server, "rct/#") as watch:
            again.set()
            outbox.put([up(value=True, time=clock.now)])
            await watch.until("rct/roof/status", "online")
            came = [(str(message.topic), text(message)) for message in watch.messages]
        outbox.finish()
        await job
        assert came[:3] == [
            ("rct/roof/status", "offline"),  # nobody has called it up for so long
            ("rct/roof/device/inverter_sn", "7"),  # what is read once a day is still so
            ("rct/status", "online"),
        ]
        assert [json.loads(payload)["value"] for topic, payload in came if topic == "rct/roof/late"] == values[:4]
        assert [payload for topic, payload in came if topic == "rct/roof/battery/soc"] == [str(v) for v in values[4:]]
        states = await retained(server)
        assert states["rct/roof/battery/soc"] == "0.09"
        assert caplog.messages == [
            f"mqtt {server.address}: connection refused; keeping readings, will retry",
            "mqtt: works again; 11 readings had been kept",
        ]
        assert (outbox.written, outbox.lost) == (14, 0)
    finally:
        await sink.close()
        server.stop()


async def test_connection_lost_between_writes_costs_nothing(
    server: MosquittoServer, caplog: pytest.LogCaptureFixture
) -> None:
    sink = mqtt_sink(server)
    for n in range(3):
        await sink.write([reading("battery.soc", float(n), NOON + n)])
        assert (await retained(server))["rct/roof/battery/soc"] == str(float(n))
        server.stop()
        await lost(sink)
        await server.start()
    await sink.close()
    again = "made again; if that goes on, look for another client of the id"
    assert caplog.messages == [f"mqtt {server.address}: the connection was lost, and {again} {sink._client_id}"]  # once


async def lost(sink: MqttSink) -> None:
    """Return when a sink has noticed that its connection is gone."""
    assert sink._client is not None
    await sink._client.ended


async def test_two_clients_of_one_id_are_told_of_each_other(
    server: MosquittoServer, caplog: pytest.LogCaptureFixture
) -> None:
    one, other = (mqtt_sink(server) for _ in range(2))
    await one.write([reading("battery.soc", 0.1)])
    await other.write([reading("battery.soc", 0.2, NOON + 1)])
    await lost(one)
    await one.write([reading("battery.soc", 0.3, NOON + 2)])
    await one.close()
    await other.close()
    again = "made again; if that goes on, look for another client of the id"
    assert caplog.messages == [f"mqtt {server.address}: the connection was lost, and {again} {one._client_id}"]
    third = mqtt_sink(server, client_id="third")
    assert third._client_id == "third"


async def test_broker_that_hangs(server: MosquittoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt, "_FAREWELL", 0.2)
    sink = mqtt_sink(server)
    await sink.write([reading("battery.soc", 0.5)])
    server.freeze()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mqtt, "_TIMEOUT", 0.2)
        with pytest.raises(SinkError, match=rf"^mqtt {server.address}: no answer in 0 s$"):
            await sink.write([reading("battery.soc", 0.4, NOON + 1)])
    server.thaw()
    async with watching(server, "rct/#") as watch:
        await watch.until("rct/status", "offline")  # although it was we who went
    await sink.write([reading("battery.soc", 0.4, NOON + 1)])
    server.freeze()
    await sink.close()  # does not wait for ever
    server.thaw()


async def test_write_that_is_given_up_leaves_nothing_behind(
    server: MosquittoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt, "_FAREWELL", 0.1)
    sink = mqtt_sink(server)
    await sink.write([reading("battery.soc", 0.5)])
    server.freeze()
    job = asyncio.create_task(sink.write([reading("battery.soc", 0.4, NOON + 1)]))
    await asyncio.sleep(0)
    job.cancel()
    await asyncio.gather(job, return_exceptions=True)
    assert job.cancelled()
    await sink.close()
    server.thaw()
    async with asyncio.timeout(60):
        while asyncio.all_tasks() != {asyncio.current_task()}:  # noqa: ASYNC110  # they are ending
            await asyncio.sleep(0)


CONNACK = b"\x20\x02\x00\x00"
DROPS = [  # what is answered to the first bytes, before the connection ends
    (b"", HUNG_UP),
    (CONNACK, LOST),
    (b"\x20\x02\x00\x05", "not authorized (no user; the password is that of the key password, or of MQTT_PASSWORD)"),
    (b"\x20\x02\x00\x02", "client identifier not valid (rct-"),
    (b"\x20\x02\x00\x03", "server unavailable"),
    (b"\xff" * 64, "protocol error (3.1.1 is asked for, by the key version)"),
    (CONNACK + b"\xff", ""),
]


@pytest.mark.parametrize(("answer", "said"), DROPS)
async def test_broker_that_drops_every_connection(answer: bytes, said: str, caplog: pytest.LogCaptureFixture) -> None:
    async def drop(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(answer)
        writer.close()

    async with fake_broker(drop) as address:
        sink = sink_for(f"mqtt://{address}")
        for _ in range(3):
            with pytest.raises(SinkError) as caught:
                await sink.write([reading("battery.soc", 0.5)])
            assert str(caught.value).startswith(f"mqtt {address}: {said}")
            assert "\n" not in str(caught.value)
            assert not caught.value.permanent
        await sink.close()
    assert caplog.messages == []  # the outbox says it, once


@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")  # paho leaves them to Python
async def test_server_that_knows_no_tls() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with fake_broker(answer) as address:
        error = await write_error(sink_for(f"mqtts://{address}"))
    assert error == f"mqtts {address}: no TLS: wrong version number; is it the port for TLS?"


async def test_server_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt, "_TIMEOUT", 0.2)
    gone = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(100):
            pass
        writer.close()
        gone.set()

    async with fake_broker(hang) as address:
        sink = sink_for(f"mqtt://{address}")
        with pytest.raises(SinkError, match=rf"^mqtt {address}: no answer in 0 s$"):
            await sink.write([reading("battery.soc", 0.5)])
        async with asyncio.timeout(60):
            await gone.wait()  # no connection is left over
        await sink.close()


@asynccontextmanager
async def fake_broker(
    answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[str]:
    fake = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with fake:
        host, port = fake.sockets[0].getsockname()
        yield f"{host}:{port}"


@pytest.mark.parametrize("host", ["nowhere.invalid", f"{'a' * 70}.invalid"])
async def test_unknown_host_is_said(host: str) -> None:
    sink = sink_for(f"mqtt://{host}")
    with pytest.raises(SinkError, match=rf"^mqtt {host}:1883: (unknown host)$"):
        await sink.write([reading("battery.soc", 0.5)])
    await sink.close()


# --- who may, and who is who ----------------------------------------------------------------------------------------


async def test_password_and_rights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rights = "user guest\ntopic read #\ntopic write rct/status\nuser me\ntopic readwrite #\n"
    server = MosquittoServer(tmp_path, users={"me": "geheim ä:", "guest": "guest"}, rights=rights)
    await server.start()
    file = tmp_path / "secret"
    file.write_text("geheim ä:\n")
    wrong = "(user me; the password is that of the key password, or of MQTT_PASSWORD)"
    cases: list[tuple[str, str, dict[str, Any], str]] = [  # user, MQTT_PASSWORD, keys, what is said
        ("me@", "geheim ä:", {}, ""),
        ("me@", "geheim ä:", {"version": "5"}, ""),
        ("me@", "wrong", {"password": "geheim ä:"}, ""),
        ("me@", "wrong", {"password": {"file": str(file)}}, ""),
        ("me@", "wrong", {}, f"not authorized {wrong}"),
        ("me@", "wrong", {"version": "5"}, f"not authorized {wrong}"),
        ("me@", "", {}, f"not authorized {wrong}"),
        ("", "", {}, "not authorized (no user; the password is that of the key password, or of MQTT_PASSWORD)"),
    ]
    try:
        for user, password, keys, said in cases:
            monkeypatch.setenv("MQTT_PASSWORD", password)
            sink = sink_for(f"mqtt://{user}{server.address}", **keys)
            assert await write_error(sink) == (f"mqtt {server.address}: {said}" if said else ""), (user, password, keys)
        sink = sink_for(f"mqtt://me@{server.address}", password={"file": str(file)})
        file.unlink()
        assert (await write_error(sink)).startswith(f"mqtt {server.address}: {file}: cannot be read")
        assert caplog.messages == []
        monkeypatch.setenv("MQTT_PASSWORD", "guest")
        sink = sink_for(f"mqtt://guest@{server.address}", version="5")
        assert await write_error(sink) == ""
        assert caplog.messages == [
            f"mqtt {server.address}: some messages are refused: not authorized; what may user guest publish there?"
        ]
    finally:
        server.stop()


async def write_error(sink: MqttSink) -> str:
    """Write something; return what went wrong."""
    try:
        await sink.write([reading("battery.soc", 0.5)])
    except SinkError as exc:
        return str(exc)
    finally:
        await sink.close()
    return ""


@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")  # paho leaves them to Python
async def test_certificates(tmp_path: Path) -> None:
    known, unknown = tmp_path / "known", tmp_path / "unknown"
    known.mkdir()
    unknown.mkdir()
    authority, other = Certificates(known), Certificates(unknown)
    certificate, key = authority.certify("client")
    server = MosquittoServer(tmp_path, certificate=authority.certify("localhost"))
    careful = MosquittoServer(known, certificate=authority.certify("localhost"), client_ca=authority.ca)
    plain = MosquittoServer(unknown)
    ca = str(authority.ca)
    distrust = "its certificate cannot be trusted: "
    own = {"ca": ca, "certificate": str(certificate), "key": str(key)}
    cases: list[tuple[MosquittoServer, str, Mapping[str, str], str]] = [
        (server, "localhost", {"ca": ca}, ""),
        (server, "localhost", {}, distrust),
        (server, "localhost", {"ca": str(other.ca)}, distrust),
        (server, "127.0.0.1", {"ca": ca}, f"{distrust}IP address mismatch, certificate is not valid for '127.0.0.1'"),
        (careful, "localhost", own, ""),
        (careful, "localhost", {"ca": ca}, HUNG_UP),
    ]
    try:
        for each in (server, careful, plain):
            await each.start()
        for broker, host, tls, said in cases:
            for version in ("3.1.1", "5"):
                sink = sink_for(f"mqtts://{host}:{broker.port}", tls=tls, version=version)
                error = await write_error(sink)
                assert error.startswith(f"mqtts {host}:{broker.port}: {said}" if said else "")
                assert bool(error) == bool(said)
                assert "\n" not in error
        error = await write_error(sink_for(f"mqtt://localhost:{server.port}"))
        assert error == f"mqtt localhost:{server.port}: {HUNG_UP}"
        error = await write_error(sink_for(f"mqtts://localhost:{plain.port}", tls={"ca": ca}))
        assert error.endswith("is it the port for TLS?)") or "no TLS: " in error  # as the system sees it
    finally:
        for each in (server, careful, plain):
            each.stop()


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("mqtt:///x", {}, "expected mqtt://[USER@]HOST[:1883]/[PREFIX]"),
    ("mqtt://h:70000", {}, "expected mqtt://"),
    ("mqtt://h:0", {}, "expected mqtt://"),
    ("mqtt://h/a?b=c", {}, "expected mqtt://"),
    ("mqtt://h/a#b", {}, "expected mqtt://"),
    ("mqtt://h/a/+", {}, "a/+ cannot begin a topic"),
    ("mqtt://h/$SYS", {}, "$SYS cannot begin a topic"),
    ("mqtt://h/a//b", {}, "a//b cannot begin a topic"),
    ("mqtt://h/a%23", {}, "a# cannot begin a topic"),
    ("mqtt://me:s3cret@h", {}, "the password belongs in MQTT_PASSWORD, not in the URL"),
    ("mqtt://h", {"password": "s3cret"}, "a password needs a user"),
    ("mqtt://h", {"tls": {"ca": "x"}}, "tls is for mqtts://"),
    ("mqtts://h", {"tls": {"ca": "/nowhere/x"}}, "tls.ca: /nowhere/x cannot be read"),
    ("mqtt://me@h", {"password": {"env": "NO_SUCH"}}, "the environment has no NO_SUCH"),
    ("mqtt://h", {"version": "3"}, "version: "),
    ("mqtt://h", {"payload": "xml"}, "payload: "),
    ("mqtt://h", {"qos": 2}, "qos: "),
    ("mqtt://h", {"refresh": "1x"}, "refresh: "),
    ("mqtt://h", {"dead_band": {"battery.*": -1}}, "dead_band"),
    ("mqtt://h", {"dead_band": {"battery.*": math.nan}}, "dead_band"),
    ("mqtt://h", {"homeassistant": True}, "homeassistant: unknown key, did you mean 'home_assistant'?"),
]


@pytest.mark.parametrize(("url", "keys", "said"), WRONG)
def test_wrong_settings_say_what_was_expected(
    url: str, keys: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_SUCH", raising=False)
    with pytest.raises(ConfigError) as caught:
        open_sink(settings_for(url, **keys), [SOURCE])
    assert said in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_two_inverters_of_one_topic_are_refused() -> None:
    sources = [Source("a+b", "UTC", {}), Source("a/b", "UTC", {})]
    with pytest.raises(ConfigError, match=r"inverters 'a\+b' and 'a/b' have one topic, a_b"):
        open_sink(settings_for("mqtt://h"), sources)


def test_missing_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aiomqtt", None)
    monkeypatch.delitem(sys.modules, "rct_tools.sinks.broker", raising=False)
    with pytest.raises(ConfigError, match=r"pip install 'rct-tools\[mqtt\]'"):
        open_sink(settings_for("mqtt://h"))


def test_clients_of_other_inverters_have_other_ids() -> None:
    def client_id(url: str, *inverters: str) -> str:
        sink = open_sink(settings_for(url), [Source(name, "UTC", {}) for name in inverters])
        assert isinstance(sink, MqttSink)
        return sink._client_id

    ids = [client_id("mqtt://h"), client_id("mqtt://h", "a"), client_id("mqtt://h", "b"), client_id("mqtt://h/x", "a")]
    assert len(set(ids)) == 4
    assert client_id("mqtt://me@other/rct", "a") == ids[1]  # the same every time
    assert all(len(client_id) <= 23 for client_id in ids)  # more, and a broker may refuse it


# --- Home Assistant -------------------------------------------------------------------------------------------------


class Home(homeassistant.HomeAssistant):
    """Announces what it takes, and wants nothing of what is called old."""

    def __init__(self, sources: object, *, prefix: str, bridge: str, discovery: str = "homeassistant") -> None:
        self.subscriptions = (f"{discovery}/status", f"{discovery}/sensor/+/config")
        self._discovery = discovery
        self._known: dict[str, homeassistant.Message] = {}

    def take(self, reading: Reading) -> list[homeassistant.Message]:
        name = reading.object.name
        state = homeassistant.Message(f"rct/roof/homeassistant/{name}", str(reading.value), retain=True)
        announced = homeassistant.Message(f"{self._discovery}/sensor/{name}/config", "{}", retain=True)
        new = [] if name in self._known else [announced]
        self._known[name] = announced
        return [*new, state]

    def born(self) -> list[homeassistant.Message]:
        return list(self._known.values())

    def is_stale(self, topic: str, payload: str) -> bool:
        return "old" in topic


async def test_home_assistant_is_told_what_it_asks_for(
    server: MosquittoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt, "HomeAssistant", Home)
    sink = mqtt_sink(server, home_assistant="ha")
    announced = ("ha/sensor/battery.soc/config", "{}")
    async with watching(server, "ha/#") as ha, watching(server, "rct/#") as watch:
        await ha.client.publish("ha/sensor/old/config", "{}", 1, retain=True)
        await ha.client.publish("ha/sensor/others/config", "{}", 1, retain=True)
        await ha.client.publish("ha/status", "online", 1)
        await ha.until_now()
        await sink.write([reading("battery.soc", 0.5), reading("battery.soc", 0.4, NOON - 1)])
        topics = [topic for topic, _ in await watch.until_now()]
        assert topics == [
            "rct/roof/status",
            "rct/status",
            "rct/roof/battery/soc",
            "rct/roof/homeassistant/battery.soc",
            "rct/roof/late",
        ]
        await ha.until("ha/sensor/old/config", "")
        assert announced in await ha.until_now()
        await ha.client.publish("ha/status", "offline", 1)
        await ha.client.publish("ha/status", "online", 1)
        await ha.until(*announced)
        told = [("ha/status", "offline"), ("ha/status", "online"), announced]
        assert await ha.until_now() == told
        await sink.write([reading("battery.soc", 0.5, NOON + 2)])
        assert await ha.until_now() == []  # nobody asked
    states = await retained(server)
    assert "ha/sensor/old/config" not in states
    assert "ha/sensor/others/config" in states
    server.stop()
    await lost(sink)
    await server.start()
    async with watching(server, "ha/sensor/battery.soc/config") as ha:
        await ha.until(*announced)  # the one that was kept
        await sink.write([reading("battery.soc", 0.5, NOON + 3)])
        await ha.until(*announced)
    await sink.close()


def test_home_assistant_is_real_without_being_asked_for() -> None:
    sink = sink_for("mqtt://h", home_assistant=True)
    assert sink._home is not None
    assert sink._birth == "homeassistant/status"
    assert sink_for("mqtt://h")._home is None
