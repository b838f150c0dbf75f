"""The fleet of bench/fleet.py: what it counts is what was said."""

from __future__ import annotations

import asyncio
import signal
import sys
from array import array
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("processes are looked at in /proc", allow_module_level=True)

from bench import fleet
from bench.light import LightFleet, Series, settle
from rct_tools.client import connect
from rct_tools.config import parse_config
from rct_tools.reading import Reading
from rct_tools.times import SECOND

from servers import free_ports, require

SOC, GRID = Series("a", "battery.soc"), Series("a", "g_sync.p_ac_grid_sum_lp")


@pytest.fixture
async def light() -> AsyncIterator[LightFleet]:
    async with LightFleet(2, 3, latency=0.001) as light:
        yield light


async def test_light_inverters_count(light: LightFleet) -> None:
    first, second = light.inverters
    names = [info.name for info in light.objects]
    async with connect(first.host, first.port) as client:
        for number in (1, 2):
            answers = await client.read_many(names)
            assert [a.value for a in answers.values() if isinstance(a, Reading)] == [number] * len(names)
        assert isinstance((await client.read("inverter_sn")).value, str)
    assert {series: len(times) for series, times in light.said.items()} == {
        Series(inverter.name, name): 2 if inverter is first else 0 for inverter in (first, second) for name in names
    }


async def test_a_fleet_that_counts_no_further_answers_all_the_same(light: LightFleet) -> None:
    light.stop_counting()
    async with connect(light.inverters[0].host, light.inverters[0].port) as client:
        assert (await client.read(light.objects[0].name)).value == 0
    assert not any(light.said.values())


def test_accounts_are_settled_number_by_number() -> None:
    said = {SOC: array("d", [10.0, 20.0, 30.0]), GRID: array("d", [11.0])}
    arrived = [(SOC, 1), (SOC, 3), (SOC, 3), (SOC, 4), (SOC, 0), (SOC, 0), (GRID, 1), (Series("b", "battery.soc"), 1)]
    account = settle(said, arrived)
    assert (account.sent, account.arrived, account.twice, account.strange) == (4, 3, 1, 2)
    assert account.missing == {SOC: [2]}
    assert account.missing_between(said, 15.0, 25.0) == 1
    assert account.missing_between(said, 25.0, 35.0) == 0


async def test_every_inverter_is_read_alike(light: LightFleet) -> None:
    config = parse_config(fleet.configuration(light, "10s", 1883, 8428, 9832), "fleet.toml", {})
    for inverter, setup in zip(light.inverters, config.setup.inverters, strict=True):
        assert (setup.name, setup.host) == (inverter.name, inverter.host)
        assert setup.plan.expects.keys() == {info.name for info in light.objects}
        assert {expected.interval for expected in setup.plan.expects.values()} == {10 * SECOND}
    assert len(config.setup.sinks) == 2


async def test_what_is_published_is_heard(tmp_path: Path) -> None:
    require("mosquitto")
    publish = require("mosquitto_pub")
    (port,) = free_ports(1)
    said = {SOC: array("d", [0.0]), GRID: array("d", [0.0]), Series("a", "inverter_sn"): array("d")}
    messages = [
        ("rct/a/battery/soc", "1.0"),
        ("rct/a/g_sync/p_ac_grid_sum_lp", '{"value": 2.0, "unit": "W"}'),
        ("rct/a/late", '{"object": "battery.soc", "value": 3.0}'),
        ("rct/a/device/inverter_sn", "text"),
        ("rct/a/status", "online"),
        ("rct/status", "online"),
        ("rct/b/battery/soc", "4.0"),
    ]
    broker, listener = fleet.mosquitto(tmp_path, port), fleet.subscriber(tmp_path, port)
    path = tmp_path / "subscriber.out"

    async def say(topic: str, payload: str) -> None:
        process = await asyncio.create_subprocess_exec(
            publish, "-h", "127.0.0.1", "-p", str(port), "-q", "1", "-t", topic, "-m", payload
        )
        assert await process.wait() == 0

    async def say_until_heard(topic: str) -> None:
        async with asyncio.timeout(60):
            while topic not in path.read_text():
                await say(topic, "x")

    try:
        await broker.start()
        await fleet.listening(port)
        await listener.start()
        await say_until_heard("rct/begin")
        for topic, payload in messages:
            await say(topic, payload)
        await say_until_heard("rct/end")
        found = list(fleet.heard(path, said))
    finally:
        await listener.end()
        await broker.end()
    assert {(series, number) for _, series, number in found} == {(SOC, 1), (GRID, 2), (SOC, 3)}
    assert all(when > 1e9 for when, _, _ in found)


PLAN = """
[[group]]
name = "fleet"
interval = "1s"
"""


async def test_a_killed_collector_is_settled_with_victoriametrics(light: LightFleet, tmp_path: Path) -> None:
    """As the run does it, with one inverter: collected, killed, collected again, and every number looked for."""
    require("victoria-metrics")
    (port,) = free_ports(1)
    inverter = light.inverters[0]
    readings = tmp_path / "readings.toml"
    readings.write_text(PLAN + "".join(f'fields."{info.name}" = "{info.name}"\n' for info in light.objects))
    host = ("--host", inverter.host, "--port", str(inverter.port), "--name", inverter.name)
    command = [sys.executable, "-m", "rct_tools", "collect", *host, "--readings", str(readings)]
    database = fleet.victoria_metrics(tmp_path, port)
    collector = fleet.Program("shard 1", [*command, "--sink", f"influx://127.0.0.1:{port}/rct"], tmp_path)

    async def until_said(count: int) -> None:
        async with asyncio.timeout(60):
            while min(map(len, inverter.said.values())) < count:  # another process asks
                collector.look()
                await asyncio.sleep(0.02)

    try:
        await database.start()
        await fleet.listening(port)
        await collector.start()
        await until_said(5)
        await collector.end(signal.SIGKILL)
        used = collector.usage.seconds
        assert used > 0
        await collector.start()
        await until_said(12)
        light.stop_counting()
        await collector.end()
        account = settle(light.said, await fleet.stored(port, light.said))
    finally:
        await collector.end(signal.SIGKILL)
        await database.end()
    assert collector.usage.seconds > used
    assert collector.usage.memory > 10e6
    assert account.sent == sum(map(len, light.said.values()))
    assert account.arrived > 0
    assert account.twice == account.strange == 0
    # What was asked for but not yet stored at the kill, and at the end: at most the newest two cycles each time.
    assert account.sent - account.arrived == sum(map(len, account.missing.values())) <= 4 * len(light.objects)


async def test_a_program_that_ends_by_itself_is_said(tmp_path: Path) -> None:
    program = fleet.Program("short", [sys.executable, "-c", "raise SystemExit('no such option')"], tmp_path)
    await program.start()
    assert program.process
    await program.process.wait()
    with pytest.raises(RuntimeError, match="short has ended: no such option"):
        program.look()
