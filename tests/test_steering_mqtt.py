"""Orders from a real Mosquitto: what is heard, what is refused, what is told; and the collector, killed in a mode."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from rct_tools.client import connect
from rct_tools.collector import Collector
from rct_tools.config import parse_config
from rct_tools.errors import WriteRefused
from rct_tools.homeassistant.inverter import Inverter
from rct_tools.modes import kept
from rct_tools.objects import registry
from rct_tools.plan import Expected, Source, Steerable
from rct_tools.sentence import Sentence
from rct_tools.simulator import Simulator
from rct_tools.sinks import settings_for
from rct_tools.sinks.mqtt import Settings
from rct_tools.steering import Desk, Order, Outcome, Result, Tell
from rct_tools.steering.commands import Commands
from rct_tools.steering.desk import BURST
from rct_tools.steering.order import Begin, Choose, Prepare, Set, Wish
from rct_tools.times import SECOND
from rct_tools.values import Value
from rct_tools.writable import WRITABLE
from rct_tools.writing import Writer

from programs import running
from servers import MosquittoServer

ALL = [*WRITABLE, "power_mng.soc_min_island"]
MIN = "power_mng.soc_min"
ALLOWED = Steerable((MIN, "p_rec_lim[1]", "power_mng.soc_strategy"), ("hold", "charge"), 3600 * SECOND)
SOURCE = Source(
    "roof", "UTC", {"p_rec_lim[1]": Expected(registry["p_rec_lim[1]"], "battery.into_grid", SECOND)}, ALLOWED
)
unix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals between processes")

# --- topics, without a broker ---------------------------------------------------------------------------------------

WISHES: list[tuple[str, bytes, Wish]] = [
    ("power_mng/soc_min/set", b"20%", Set(MIN, 0.2)),
    ("power_mng/soc_min/set", b" 0.2\n", Set(MIN, 0.2)),
    ("power_mng/soc_strategy/set", b"external", Set("power_mng.soc_strategy", 2)),
    ("battery/into_grid/set", b"1.5kW", Set("p_rec_lim[1]", 1500.0)),  # as the sink calls it
    ("mode/set", b"hold", Choose("hold")),
    ("mode/set", b"normal", Choose("normal")),
    ("mode/set", b'{"mode": "hold"}', Begin("hold")),
    ("mode/set", b'{"mode": "normal"}', Choose("normal")),
    (
        "mode/set",
        b'{"mode": "charge", "power": 3000, "soc": 0.8, "for": "2h"}',
        Begin("charge", 3000.0, 0.8, 7200.0),
    ),
    ("mode/set", b' {"mode": "charge", "power": "3kW", "soc": "80%"}', Begin("charge", 3000.0, 0.8)),
    ("control/power/set", b"1500", Prepare("control.power", 1500.0)),
    ("control/soc/set", b"80%", Prepare("control.soc", 0.8)),
    ("control/duration/set", b"90m", Prepare("control.duration", 5400.0)),
    ("control/duration/set", b"0m", Prepare("control.duration", 0.0)),
]
BROKEN: list[tuple[str, bytes, str]] = [
    ("power_mng/soc_max/set", b"90%", "may not be set here"),
    ("device/p_rec_lim[1]/set", b"1", "may not be set here"),  # it has another name
    ("power_mng/soc_min/set", b"", "nothing stands in it"),
    ("power_mng/soc_min/set", b"\xff\xfe", "is no text"),
    ("power_mng/soc_min/set", b"1" * 501, "501 bytes are no value"),
    ("power_mng/soc_min/set", b"20 W", "the unit is wrong"),
    ("power_mng/soc_min/set", b"120%", "cannot be set to"),
    ("power_mng/soc_min/set", b"nan", "cannot be set to"),
    ("mode/set", b"{", "no mode: "),
    ("mode/set", b'{"mode": "hold", "fro": "2h"}', "no mode: "),
    ("mode/set", b'{"mode": "charge", "power": true}', "no mode: "),
    ("mode/set", b'{"mode": "charge", "power": "x"}', "control.power: cannot be set to"),
    ("mode/set", b'{"mode": "charge", "power": 1e99}', "control.power: cannot be set to"),
    ("mode/set", b'{"mode": "charge", "soc": 80}', "control.soc: cannot be set to"),
    ("mode/set", b'{"mode": "hold", "for": "soon"}', "is not a duration"),
    ("mode/set", b'{"mode": "normal", "for": "2h"}', "mode normal takes nothing else"),
    ("mode/set", b'{"mode": ' * 50, "no mode: "),
    ("control/power/set", b"-100", "expected 0 or more"),
]


@pytest.mark.parametrize(("topic", "payload", "wish"), WISHES)
def test_what_is_meant(topic: str, payload: bytes, wish: Wish) -> None:
    assert Commands("a/b", [SOURCE]).read(f"a/b/roof/{topic}", payload) == wish


@pytest.mark.parametrize(("topic", "payload", "text"), BROKEN)
def test_what_is_no_order(topic: str, payload: bytes, text: str) -> None:
    with pytest.raises(WriteRefused) as caught:
        Commands("a/b", [SOURCE]).read(f"a/b/roof/{topic}", payload)
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_home_assistant_is_told_is_what_is_listened_to() -> None:
    """Also of what the sink calls otherwise."""
    names = {MIN: "battery.least", "control.power": "battery.wanted", "control.mode": "battery.mode"}
    text = "".join([
        '[[inverter]]\nname = "roof"\nhost = "192.0.2.7"\n[[sink]]\nurl = "mqtt://192.0.2.9"\nhome_assistant = true\n',
        f"names = {{ {', '.join(f'{json.dumps(name)} = {json.dumps(called)}' for name, called in names.items())} }}\n",
        f'[control]\nenabled = true\nobjects = ["{MIN}"]\nmodes = ["hold", "charge"]\n',
    ])  # fmt: skip
    setup = parse_config(text, "rct.toml", {}).setup
    (source,) = setup.sinks[0].sources(setup.inverters)
    told = {
        entity.config["command_topic"]
        for live in Inverter(source, "rct").lives
        for entity in live.state.entities
        if "command_topic" in entity.config
    }
    wished = {
        "battery/least": "20%",
        "battery/wanted": "1kW",
        "control/soc": "80%",
        "control/duration": "30m",
        "mode": "hold",
    }
    assert told == {f"rct/roof/{levels}/set" for levels in wished}
    commands = Commands("rct", [source])
    for levels, payload in wished.items():
        commands.read(f"rct/roof/{levels}/set", payload.encode())


def test_only_what_is_named_has_topics() -> None:
    commands = Commands("rct", [Source("barn", "UTC", {}), Source("a/b", "UTC", {}, Steerable((MIN,), (), SECOND))])
    assert commands.subscriptions == ("rct/a_b/+/+/set", "rct/a_b/mode/set")
    assert commands.inverter("rct/a_b/power_mng/soc_min/set") == "a/b"
    assert commands.inverter("rct/barn/power_mng/soc_min/set") is None
    for topic in ("mode", "control/power"):
        with pytest.raises(WriteRefused):
            commands.read(f"rct/a_b/{topic}/set", b"1")


# --- a broker -------------------------------------------------------------------------------------------------------


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[MosquittoServer]:
    (folder := tmp_path / "broker").mkdir()
    server = MosquittoServer(folder)
    await server.start()
    yield server
    server.stop()


class Heard:
    """What comes from a broker, and orders to it."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self.client = client
        self.topics: dict[str, str] = {}  # newest payloads
        self.outcomes: list[dict[str, Any]] = []

    async def listen(self) -> None:
        async for message in self.client.messages:
            topic, payload = str(message.topic), bytes(message.payload).decode()
            self.topics[topic] = payload
            if topic.endswith("/control/outcome"):
                assert not message.retain
                self.outcomes.append({"topic": topic} | json.loads(payload))

    async def order(self, topic: str, payload: str | bytes) -> None:
        await self.client.publish(f"rct/{topic}/set", payload, 1)

    async def result(self, order: str, *results: str) -> dict[str, Any]:
        """Return the outcome of an order, which is taken off the list."""
        found: list[dict[str, Any]] = []

        def look() -> bool:
            wanted = results or ("done", "refused", "failed")
            found[:] = [o for o in self.outcomes if order in o["order"] and o["outcome"] in wanted]
            return bool(found)

        await until(look)
        self.outcomes.remove(found[0])
        return found[0]


async def until(condition: Callable[[], object], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  # other programs do it
            await asyncio.sleep(0.02)


@asynccontextmanager
async def hearing(server: MosquittoServer) -> AsyncIterator[Heard]:
    async with aiomqtt.Client("127.0.0.1", server.port) as client:
        heard = Heard(client)
        await client.subscribe("rct/#", 1)
        job = asyncio.create_task(heard.listen())
        try:
            yield heard
        finally:
            job.cancel()
            with suppress(asyncio.CancelledError):
                await job


class Clock:
    """Seconds that tests set."""

    def __init__(self, rate: float = 1.0) -> None:
        self.late = 0.0
        self._rate = rate

    def __call__(self) -> float:
        return asyncio.get_running_loop().time() * self._rate + self.late


@asynccontextmanager
async def desk(
    server: MosquittoServer, clock: Clock | None = None, **keys: Any
) -> AsyncIterator[tuple[list[Order], list[Tell]]]:
    """Have a desk open; yield the orders that it takes."""
    orders: list[Order] = []
    tells: list[Tell] = []

    def take(order: Order, tell: Tell) -> None:
        orders.append(order)
        tells.append(tell)

    settings = settings_for(f"mqtt://{server.address}", **keys)
    assert isinstance(settings, Settings)
    it = Desk(settings, [SOURCE], take, ticking=clock or Clock(), pause=lambda _: 0.05)
    job = asyncio.create_task(it.run())
    try:
        yield orders, tells
    finally:
        job.cancel()
        with suppress(asyncio.CancelledError):
            await job


@pytest.mark.parametrize("version", ["3.1.1", "5"])
async def test_orders_are_taken_and_outcomes_told(server: MosquittoServer, version: str) -> None:
    async with hearing(server) as heard, desk(server, version=version) as (orders, tells):
        await until(lambda: heard.topics.get("rct/status/control") == "online")
        await heard.order("roof/power_mng/soc_min", "20%")
        await until(lambda: orders)
        assert (orders[0].inverter, orders[0].wish) == ("roof", Set(MIN, 0.2))
        assert orders[0].who == f"mqtt {server.address}"
        tells[0](Outcome("roof", Sentence("this"), orders[0].who, Result.DONE, Sentence("all of it"), 10**9 * SECOND))
        assert await heard.result("this") == {
            "topic": "rct/roof/control/outcome",
            "time": "2001-09-09T01:46:40.000000000+00:00",
            "order": "this",
            "who": orders[0].who,
            "outcome": "done",
            "text": "all of it",
        }
        await heard.order("roof/power_mng/soc_min", "x")
        assert "cannot be set to 'x'" in (await heard.result("rct/roof/power_mng/soc_min/set: x"))["text"]
        assert len(orders) == 1
        # Readings that have a topic like those of commands are no orders.
        await heard.client.publish("rct/roof/power_mng/soc_min", "20%", 1)
        await heard.order("roof/mode", "normal")
        await until(lambda: len(orders) == 2)
        assert orders[1].wish == Choose("normal")
    # The desk says good-bye.
    async with hearing(server) as heard:
        await until(lambda: heard.topics.get("rct/status/control") == "offline")


async def test_retained_commands_are_refused(server: MosquittoServer) -> None:
    async with hearing(server) as heard:
        await heard.client.publish("rct/roof/mode/set", "hold", 1, retain=True)
        async with desk(server) as (orders, _):
            refused = await heard.result("rct/roof/mode/set: hold")
            assert refused["outcome"] == "refused"
            assert "is retained by the broker" in refused["text"]
            await heard.client.publish("rct/roof/mode/set", "", 1, retain=True)
            await heard.order("roof/mode", "normal")
            await until(lambda: orders)
            assert [order.wish for order in orders] == [Choose("normal")]


async def test_a_flood_is_dropped_and_counted(server: MosquittoServer, caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock(0.001)  # in which it has no time to allow much more
    async with hearing(server) as heard, desk(server, clock) as (orders, _):
        await until(lambda: heard.topics.get("rct/status/control") == "online")
        for _ in range(1000):
            await heard.client.publish("rct/roof/power_mng/soc_min/set", "20%", 0)
        dropped = await heard.result("", "refused")
        assert "commands were dropped" in dropped["text"]
        assert BURST <= len(orders) <= BURST + 1
    assert sum("commands were dropped" in message for message in caplog.messages) == 1


async def test_the_broker_goes_and_comes(server: MosquittoServer, caplog: pytest.LogCaptureFixture) -> None:
    async with desk(server) as (orders, _):
        async with hearing(server) as heard:
            await until(lambda: heard.topics.get("rct/status/control") == "online")
        server.stop()
        await until(lambda: any("no orders can come" in message for message in caplog.messages))
        await server.start()
        await until(lambda: any("orders can come again" in message for message in caplog.messages))
        async with hearing(server) as heard:
            await heard.order("roof/mode", "hold")
            await until(lambda: orders)
    assert sum("no orders can come" in message for message in caplog.messages) == 1


async def test_what_waited_while_we_stood_still_is_no_order(
    server: MosquittoServer, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    async with hearing(server) as heard, desk(server, clock) as (orders, _):
        await until(lambda: heard.topics.get("rct/status/control") == "online")
        clock.late += 1000  # the machine was suspended, and the command waited in the socket
        await heard.order("roof/mode", "hold")
        await until(lambda: any("this program stood still for" in message for message in caplog.messages))
        await until(lambda: any("orders can come again" in message for message in caplog.messages))
        assert orders == []
        await heard.order("roof/mode", "normal")
        await until(lambda: orders)
        assert [order.wish for order in orders] == [Choose("normal")]


async def test_a_broker_that_does_not_let_us_in(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    server = MosquittoServer(tmp_path, users={"me": "right"})
    await server.start()
    try:
        async with desk(server) as (orders, _):
            await until(lambda: caplog.messages)
            await asyncio.sleep(0.5)
    finally:
        server.stop()
    assert orders == []
    said = [message for message in caplog.messages if "no orders" in message]
    assert len(said) == 1
    assert "not authorized (no user; the password is that of the key password" in said[0]


# --- the collector --------------------------------------------------------------------------------------------------


def config(server: MosquittoServer, *simulators: Simulator, control: str = "enabled = true") -> str:
    names = ("roof", "barn")
    inverters = [
        f'[[inverter]]\nname = "{name}"\nhost = "127.0.0.1"\nport = {it.port}\n'
        for name, it in zip(names, simulators, strict=False)
    ]
    return "".join([
        *inverters,
        f'[[sink]]\nurl = "mqtt://{server.address}"\nspool_size = "1MB"\n',
        'default_groups = false\n' * 0,
        '[[group]]\nname = "some"\ninterval = "1s"\nobjects = ["battery.soc"]\n',
        f"[control]\n{control}\n",
        'objects = ["power_mng.soc_min"]\nmodes = ["hold", "charge"]\n',
        '[status]\nlisten = ""\n',
    ])  # fmt: skip


def configure(text: str) -> None:
    Path("rct.toml").write_text(text)


def left_on_disk(folder: Path, pattern: str = "way-back-*.json") -> list[Path]:
    return list(folder.rglob(pattern))


def settings_of(simulator: Simulator) -> dict[str, Value]:
    return {name: registry[name].decode(simulator.inverter.payload(registry[name])) for name in ALL}


@asynccontextmanager
async def house(**keys: Any) -> AsyncIterator[Simulator]:
    async with Simulator(port=0, latency=0.001, broadcast=False, speed=0, **keys) as simulator:
        simulator.house.battery.soc = 0.5
        yield simulator
        assert not simulator.inverter.harm
        assert simulator.inverter.flashed == 0


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("HOME", "XDG_DATA_HOME", "LOCALAPPDATA", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    monkeypatch.chdir(tmp_path)


CHARGE = '{"mode": "charge", "power": 2000, "soc": 0.9, "for": "1h"}'


@asynccontextmanager
async def collecting(heard: Heard) -> AsyncIterator[Process]:
    """Run a collector, and yield it when it can be ordered."""
    heard.topics.clear()
    async with running("rct", "collect", "-c", "rct.toml") as process:
        await until(lambda: heard.topics.get("rct/roof/control/mode"))
        await until(lambda: heard.topics.get("rct/status/control") == "online")
        yield process


@unix
async def test_killed_in_a_mode_the_next_start_puts_all_back(server: MosquittoServer, tmp_path: Path) -> None:
    async with house(seed=7) as simulator, hearing(server) as heard:
        configure(config(server, simulator))
        before = settings_of(simulator)
        async with collecting(heard) as process:
            assert heard.topics["rct/roof/control/mode"] == "normal"
            await heard.order("roof/mode", CHARGE)
            assert (await heard.result("mode charge"))["outcome"] == "done"
            assert settings_of(simulator) != before
            await until(lambda: heard.topics.get("rct/roof/control/mode") == "charge")
            process.kill()
            await process.wait()
        assert settings_of(simulator) != before
        async with collecting(heard) as process:
            await until(lambda: settings_of(simulator) == before)
            await until(lambda: heard.topics.get("rct/roof/control/mode") == "normal")
            await until(lambda: not left_on_disk(tmp_path))
            async with connect("127.0.0.1", simulator.port) as client:
                assert await kept(Writer(client)) == (None, False)


@unix
async def test_killed_in_a_mode_the_next_start_puts_all_back_though_nothing_may_be_steered_any_more(
    server: MosquittoServer, tmp_path: Path
) -> None:
    async with house(seed=7) as simulator, hearing(server) as heard:
        configure(config(server, simulator))
        before = settings_of(simulator)
        async with collecting(heard) as process:
            await heard.order("roof/mode", CHARGE)
            assert (await heard.result("mode charge"))["outcome"] == "done"
            process.kill()
            await process.wait()
        assert settings_of(simulator) != before
        renamed = config(server, simulator, control="").replace('name = "roof"', 'name = "gable"')
        async with collector(renamed) as it:
            await until(lambda: settings_of(simulator) == before)
            await until(lambda: not left_on_disk(tmp_path))
            assert it.desks == {}
            assert "rct/gable/control/mode" not in heard.topics


@unix
async def test_ended_in_a_mode_it_puts_all_back_itself(server: MosquittoServer, tmp_path: Path) -> None:
    async with house(seed=7) as simulator, hearing(server) as heard:
        configure(config(server, simulator))
        before = settings_of(simulator)
        async with collecting(heard) as process:
            await heard.order("roof/mode", CHARGE)
            assert (await heard.result("mode charge"))["outcome"] == "done"
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0
            assert settings_of(simulator) == before
            assert left_on_disk(tmp_path) == []
            assert process.stderr
            said = (await process.stderr.read()).decode()
            assert f"whoever may publish at mqtt://{server.address} may set {MIN}, mode hold, mode charge\n" in said
        await until(lambda: heard.topics.get("rct/roof/control/mode") == "normal")
        await until(lambda: heard.topics["rct/status/control"] == "offline")  # of another connection


@unix
async def test_read_again_without_control_the_mode_ends_and_nothing_listens(
    server: MosquittoServer, tmp_path: Path
) -> None:
    async with house(seed=7) as simulator, hearing(server) as heard:
        configure(config(server, simulator))
        before = settings_of(simulator)
        async with collecting(heard) as process:
            await heard.order("roof/mode", CHARGE)
            assert (await heard.result("mode charge"))["outcome"] == "done"
            process.send_signal(signal.SIGHUP)  # the same: the mode goes on
            await heard.order("roof/power_mng/soc_min", "10%")
            assert (await heard.result(MIN))["outcome"] == "done"
            assert heard.topics["rct/roof/control/mode"] == "charge"
            configure(config(server, simulator, control=""))
            process.send_signal(signal.SIGHUP)
            await until(lambda: heard.topics.get("rct/status/control") == "offline")
            await until(lambda: settings_of(simulator) == before | {MIN: pytest.approx(0.1)})
            await heard.order("roof/mode", "hold")
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0
        assert settings_of(simulator) == before | {MIN: pytest.approx(0.1)}


@asynccontextmanager
async def collector(text: str) -> AsyncIterator[Collector]:
    it = Collector(parse_config(text, "rct.toml", {}).setup)
    job = asyncio.create_task(it.run())
    try:
        yield it
    finally:
        job.cancel()
        with suppress(asyncio.CancelledError):
            await job


async def test_disabled_nothing_is_subscribed_to(server: MosquittoServer, tmp_path: Path) -> None:
    count = "$SYS/broker/subscriptions/count"
    async with house(seed=7) as simulator, hearing(server) as heard:
        await heard.client.subscribe("$SYS/broker/#", 1)
        await until(lambda: heard.topics.get(count) == "2")  # our own
        async with collector(config(server, simulator)):
            await until(lambda: heard.topics.get(count) == "4")
        async with collector(config(server, simulator, control="")) as it:
            await until(lambda: heard.topics.get("rct/roof/status") == "online")
            await until(lambda: heard.topics.get(count) == "2")
            await until(lambda: heard.topics.get("$SYS/broker/clients/connected") == "2")  # it, and we
            assert it.desks == {}
            assert it.watched["roof"].steward is None
            heard.outcomes.clear()
            await heard.order("roof/mode", "hold")
            await heard.order("roof/power_mng/soc_min", "30%")
            await heard.client.publish("rct/end", "", 1)
            await until(lambda: "rct/end" in heard.topics)
            assert heard.outcomes == []
    assert left_on_disk(tmp_path, "writes.jsonl") == []


async def test_two_inverters_apart(server: MosquittoServer) -> None:
    async with house(seed=7) as roof, house(seed=8) as barn, hearing(server) as heard:
        before = settings_of(roof), settings_of(barn)
        async with collector(config(server, roof, barn)):
            await until(lambda: heard.topics.get("rct/status/control") == "online")
            await until(lambda: heard.topics.get("rct/roof/control/mode") == "normal")
            await until(lambda: heard.topics.get("rct/barn/control/mode") == "normal")
            await heard.order("roof/power_mng/soc_min", "30%")
            await heard.order("barn/mode", '{"mode": "charge", "power": 1000, "for": "1h"}')
            assert (await heard.result("mode charge"))["topic"] == "rct/barn/control/outcome"
            assert (await heard.result(MIN))["topic"] == "rct/roof/control/outcome"
            await until(lambda: heard.topics.get("rct/barn/control/mode") == "charge")
            assert heard.topics["rct/roof/control/mode"] == "normal"
            assert settings_of(roof) == before[0] | {MIN: pytest.approx(0.3)}
            assert settings_of(barn)["power_mng.battery_power_extern"] == -1000.0
        assert settings_of(barn) == before[1]


async def test_one_of_two_is_not_steered(server: MosquittoServer) -> None:
    async with house(seed=7) as roof, house(seed=8) as barn, hearing(server) as heard:
        before = settings_of(roof)
        async with collector(config(server, roof, barn, control='enabled = true\ninverters = ["barn"]')):
            await until(lambda: heard.topics.get("rct/barn/control/mode") == "normal")
            await until(lambda: heard.topics.get("rct/status/control") == "online")
            await heard.order("roof/power_mng/soc_min", "30%")
            await heard.order("barn/power_mng/soc_min", "30%")
            assert (await heard.result(MIN))["topic"] == "rct/barn/control/outcome"
            assert not any(topic.startswith("rct/roof/control") for topic in heard.topics)
        assert settings_of(roof) == before
