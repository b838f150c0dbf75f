"""The InfluxDB sink, against a real VictoriaMetrics."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from test_sinks import NOON, reading
from test_sinks_influx import SOURCES, write_error

from rct_tools.errors import SinkError
from rct_tools.sinks import open_sink, settings_for
from rct_tools.sinks.influx import InfluxSink, Target
from rct_tools.times import SECOND

from servers import InfluxServer, VictoriaServer

VICTORIA = [  # url, schema, labels of all series, what battery.soc is
    ("influx://{}/solar", "pv", {"db": "solar", "inverter": "roof"}, {"__name__": "pv_charge_battery"}),
    ("influx://{}/influx/solar", "pv", {"db": "solar", "inverter": "roof"}, {"__name__": "pv_charge_battery"}),
    ("influx2://{}/solar?org=home", "pv", {"inverter": "roof"}, {"__name__": "pv_charge_battery"}),
    ("influx://{}/x/solar", "groups", {"db": "solar", "inverter": "roof"}, None),
    (
        "influx://{}/solar",
        "groups",
        {"db": "solar", "inverter": "roof"},
        {"__name__": "battery_value", "name": "battery.soc"},
    ),
]


@pytest.mark.parametrize(("url", "schema", "common", "labels"), VICTORIA)
async def test_victoria_metrics_gets_numbers_and_no_texts(
    url: str, schema: str, common: dict[str, str], labels: dict[str, str] | None, victoria: VictoriaServer
) -> None:
    sink = open_sink(settings_for(url.format(victoria.address), schema=schema), SOURCES)
    assert isinstance(sink, InfluxSink)
    readings = [reading("battery.soc", 0.5), reading("prim_sm.state", 13), reading("svnversion", "6a")]
    if labels is None:  # a path that it does not know
        with pytest.raises(SinkError, match="unsupported path"):
            await sink.write(readings)
        await sink.close()
        return
    for _ in range(2):
        await sink.write(readings)
    await sink.write([reading("svnversion", "6a")])  # nothing is left to be sent
    await sink.close()
    series = await victoria.series()
    assert len(series) == 2
    assert {"metric": common | labels, "values": [0.5], "timestamps": [NOON // 10**6]} in series
    assert sink.left_out == {"svnversion is text, and VictoriaMetrics holds numbers only": 3}
    assert await victoria.invalid() == 0


async def test_nothing_is_lost_while_victoria_metrics_is_down(victoria: VictoriaServer) -> None:
    sink = open_sink(settings_for(f"influx://{victoria.address}/solar"), SOURCES)
    batches = [[reading("battery.soc", n / 40, NOON + 10**9 * (10 * n + k)) for k in range(10)] for n in range(40)]
    failed = []
    for n, batch in enumerate(batches):
        if n == 20:
            victoria.stop()
        if error := await write_error(sink, batch):
            assert str(error) == f"influx http://{victoria.address}: connection refused"
            failed.append(batch)
        if n == 30:
            await victoria.start()
    assert len(failed) == 11
    for batch in failed:
        await sink.write(batch)
    await sink.close()
    (series,) = await victoria.series()
    pairs = sorted(zip(series["timestamps"], series["values"], strict=True))
    assert pairs == [(item.time // 10**6, item.value) for batch in batches for item in batch]


async def test_what_comes_back_may_be_another_server(victoria: VictoriaServer, tmp_path: Path) -> None:
    sink = open_sink(settings_for(f"influx://{victoria.address}/solar"), SOURCES)
    assert isinstance(sink, InfluxSink)
    await sink.write([reading("svnversion", "6a")])
    victoria.stop()
    with pytest.raises(SinkError):
        await sink.write([reading("battery.soc", 0.5)])
    (tmp_path / "influx").mkdir()
    server = InfluxServer(tmp_path / "influx", port=victoria.port)
    await server.start()
    try:
        await sink.write([reading("svnversion", "6a")])
        await sink.close()
        assert len(await server.query("SELECT svnversion FROM pv", "solar")) == 1
    finally:
        server.stop()
    assert sum(sink.left_out.values()) == 1


@pytest.mark.parametrize("notices", [True, False])
async def test_what_was_acknowledged_survives_a_killed_server(notices: bool, victoria: VictoriaServer) -> None:
    """It loses what it had in memory only, whether or not we were there while it was away."""
    began, now = int(time.time()), 0.0
    target = Target(f"http://{victoria.address}", "", "/write", {"db": "solar", "precision": "ns"}, {})
    sink = InfluxSink(target, "pv", {}, clock=lambda: now)
    given = [reading("battery.soc", n / 100, NOON + n * SECOND) for n in range(100)]
    for n, item in enumerate(given):
        if n == 50:
            victoria.kill()
            if notices:
                assert await write_error(sink, [item])
            while int(time.time()) == began:  # noqa: ASYNC110  # it says when it began in whole seconds
                await asyncio.sleep(0.02)
            await victoria.start()
        if n == 99:
            now += 15
        assert await write_error(sink, [item]) is None
    await sink.close()
    (series,) = await victoria.series()
    pairs = sorted(zip(series["timestamps"], series["values"], strict=True))
    assert pairs == [(item.time // 10**6, item.value) for item in given]


async def test_what_it_has_on_its_disk_is_forgotten_here(victoria: VictoriaServer) -> None:
    now = 0.0
    target = Target(f"http://{victoria.address}", "", "/write", {"db": "solar", "precision": "ns"}, {})
    sink = InfluxSink(target, "pv", {}, clock=lambda: now)
    for n in range(100):
        now += 1
        await sink.write([reading("battery.soc", n / 100, NOON + n * SECOND)])
        assert len(sink._recent) < 30
    await sink.close()
