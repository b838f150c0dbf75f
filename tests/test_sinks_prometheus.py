"""The Prometheus sink, fetched by a real Prometheus and checked by promtool."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import re
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from time import time_ns
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import parser as text_parser
from prometheus_client.openmetrics import parser as open_metrics_parser
from test_sinks import NOON, SAMPLES, reading

from rct_tools import vitals
from rct_tools.errors import ConfigError, SinkError
from rct_tools.exposition import exposition, families_of
from rct_tools.metrics import naming
from rct_tools.objects import ObjectInfo, registry
from rct_tools.plan import Expected, Source, fresh_for
from rct_tools.reading import Reading
from rct_tools.simulator.inverter import Inverter
from rct_tools.sinks import open_sink, settings_for
from rct_tools.sinks.prometheus import PrometheusSink
from rct_tools.times import SECOND
from rct_tools.values import DataType, Value

from programs import ROOT
from servers import PrometheusServer, free_ports, require

parse_open_metrics: Callable[[str], Iterable[Any]] = open_metrics_parser.text_string_to_metric_families
parse_text: Callable[[str], Iterable[Any]] = text_parser.text_string_to_metric_families
OPEN_METRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
INTERVALS = {"battery.soc": 60 * SECOND, "g_sync.p_acc_lp": 5 * SECOND, "battery.soh": 86_400 * SECOND}
SOURCE = Source("roof", "UTC", {name: Expected(registry[name], name, every) for name, every in INTERVALS.items()})


class Clocks:
    """A clock that people set, and one that only goes on."""

    def __init__(self) -> None:
        self.time = NOON
        self.ticks = 7 * SECOND

    def pass_(self, seconds: float) -> None:
        self.time += int(seconds * SECOND)
        self.ticks += int(seconds * SECOND)


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@asynccontextmanager
async def opened(clocks: Clocks | None = None, names: str = "own") -> AsyncIterator[PrometheusSink]:
    """A sink on a free port; without clocks it goes by the real ones."""
    given: dict[str, Any] = {"clock": lambda: clocks.time, "ticking": lambda: clocks.ticks} if clocks else {}
    sink = PrometheusSink("127.0.0.1", 0, [SOURCE], names=names, **given)
    yield sink
    await sink.close()


@pytest.fixture
async def sink(clocks: Clocks) -> AsyncIterator[PrometheusSink]:
    async with opened(clocks) as sink:
        yield sink


async def fetch(sink: PrometheusSink, accept: str = "") -> str:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://{sink.address}/metrics", headers={"Accept": accept}) as response,
    ):
        assert response.status == 200
        kind = "application/openmetrics-text; version=1.0.0" if "openmetrics" in accept else "text/plain; version=0.0.4"
        assert response.headers["Content-Type"] == f"{kind}; charset=utf-8"
        return await response.text()


async def series(sink: PrometheusSink) -> dict[str, float]:
    """Return what is said: ``name{label="text"}`` -> value."""
    lines = [line for line in (await fetch(sink)).splitlines() if not line.startswith("#")]
    said = [line.rpartition(" ") for line in lines]
    assert len({name for name, _, _ in said}) == len(said)
    return {name: float(value) for name, _, value in said}


def link(up: bool, time: int = NOON, inverter: str = "roof") -> Reading:
    return Reading(time, inverter, vitals.UP, up)


def everything(time: int = NOON, inverter: str = "roof") -> list[Reading]:
    """What a whole inverter says, history aside; and what is known of its connection."""
    simulated = Inverter.with_past(1, NOON // SECOND)
    values = [(info, info.decode(simulated.payload(info))) for info in registry if not info.is_query]
    values += [(info, True if info is vitals.UP else 3) for info in vitals.VITALS]
    faults = {f"fault[{n}].flt": 1 << 31 | 1 for n in range(4)}
    return [Reading(time, inverter, info, faults.get(info.name, value)) for info, value in values]


def promtool(text: str) -> list[str]:
    """Return what promtool has to say against a text."""
    done = subprocess.run(
        [require("promtool"), "check", "metrics"], input=text.encode(), capture_output=True, check=False
    )
    return (done.stdout + done.stderr).decode().splitlines()


# --- what is said ---------------------------------------------------------------------------------------------------


async def test_all_objects_of_an_inverter_please_promtool(sink: PrometheusSink) -> None:
    await sink.write(everything())
    text = await fetch(sink)
    assert promtool(text) == []
    assert 'rct_fault_active{bit="127",fault="neutral",inverter="roof",register="3"} 1.0' in text


async def test_rctmon_is_complained_about_as_rctmon_is(clocks: Clocks) -> None:
    async with opened(clocks, "rctmon") as sink:
        await sink.write(everything())
        said = promtool(await fetch(sink))
    assert sorted(line.partition(" ")[0] for line in said) == [
        "rctmon_battery_discharge_amp_hours_total",  # hours
        *(f"rctmon_energy_{part}_sum" for part in ("ac", "grid_feed", "grid_load", "household", "solar_generator")),
    ]


@pytest.mark.parametrize("names", ["own", "rctmon"])
async def test_both_formats_can_be_read_and_say_the_same(clocks: Clocks, names: str) -> None:
    async with opened(clocks, names) as sink:
        await sink.write(everything())
        open_metrics = list(parse_open_metrics(await fetch(sink, OPEN_METRICS)))
        text = list(parse_text(await fetch(sink)))

    def said(families: Iterable[Any]) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}

    assert said(open_metrics) == said(text)
    kinds = {family.name: family.type for family in open_metrics}
    if names == "own":
        assert kinds["rct_inverter_state"] == "stateset"
        assert kinds["rct_inverter"] == "info"
        assert kinds["rct_load_energy_joules"] == "counter"
        assert next(family.unit for family in open_metrics if family.name == "rct_load_power_watts") == "watts"


async def test_every_value_of_every_kind(sink: PrometheusSink) -> None:
    await sink.write([sample for sample, _, _ in SAMPLES if not isinstance(sample.value, float)])
    said = await series(sink)
    assert said['rct_faults{inverter="roof",register="0"}'] == 32
    assert sum(value for name, value in said.items() if name.startswith("rct_fault_active")) == 32
    assert said['rct_battery_grid_charging_allowed{inverter="roof"}'] == 1
    assert said['rct_battery_module_cell_voltage_volts{cell="0",inverter="roof",module="0"}'] == 3.305
    assert not any("0x00000005" in name or "logger" in name for name in said)


async def test_texts_of_one_thing_are_one_series(sink: PrometheusSink) -> None:
    await sink.write([reading("inverter_sn", "X1"), reading("svnversion", "6a"), reading("battery.module_sn[1]", "M")])
    assert await series(sink) == {
        'rct_inverter_info{firmware="6a",inverter="roof",serial_number="X1"}': 1,
        'rct_battery_module_info{inverter="roof",module="1",serial_number="M"}': 1,
    }


async def test_nothing_known_is_an_empty_page(sink: PrometheusSink) -> None:
    await sink.write([reading("g_sync.p_acc_lp", math.nan)])
    assert await fetch(sink) == ""
    assert await fetch(sink, OPEN_METRICS) == "# EOF\n"


@given(st.lists(st.tuples(st.text(), st.text(), st.floats(width=32)), min_size=1, max_size=5))
def test_any_names_and_texts_can_be_read_back(rows: list[tuple[str, str, float]]) -> None:
    field = ObjectInfo(0, "x", DataType.FLOAT, "W")
    said: list[tuple[str, ObjectInfo, Value]] = []
    for inverter, text, number in rows:
        said += [(inverter, registry["inverter_sn"], text), (inverter, field, number)]
    known = [(inverter, naming("own").metrics(info), value) for inverter, info, value in said]
    for read, open_metrics in ((parse_text, False), (parse_open_metrics, True)):
        families = {family.name: family for family in read(exposition(families_of(known), open_metrics).decode())}
        texts = {inverter: text for inverter, text, _ in rows if text}
        numbers = {inverter: number for inverter, _, number in rows if math.isfinite(number)}
        samples = [
            s for name in ("rct_inverter", "rct_inverter_info") for s in getattr(families.get(name), "samples", ())
        ]
        assert {s.labels["inverter"]: s.labels["serial_number"] for s in samples} == texts
        samples = getattr(families.get("rct_field_watts"), "samples", [])
        assert {s.labels["inverter"]: s.value for s in samples} == numbers


# --- what is fresh --------------------------------------------------------------------------------------------------


BATTERY = 'rct_battery_power_watts{inverter="roof"}'
CHARGE = 'rct_battery_state_of_charge_ratio{inverter="roof"}'
UNEXPECTED = 'rct_load_power_watts{inverter="roof"}'


async def test_value_goes_when_it_is_three_intervals_old(sink: PrometheusSink, clocks: Clocks) -> None:
    names = ("g_sync.p_acc_lp", "battery.soc", "g_sync.p_ac_load_sum_lp")
    await sink.write([reading(name, 0.5) for name in names])
    intervals = {BATTERY: 5 * SECOND, CHARGE: 60 * SECOND, UNEXPECTED: vitals.INTERVAL}
    for seconds in (0, 25, 26, 190, 191):
        clocks.ticks = 7 * SECOND + seconds * SECOND
        kept = {name for name, interval in intervals.items() if seconds * SECOND <= fresh_for(interval)}
        assert set(await series(sink)) == kept


async def test_old_reading_neither_replaces_a_newer_one_nor_counts_as_fresh(
    sink: PrometheusSink, clocks: Clocks
) -> None:
    await sink.write([reading("g_sync.p_acc_lp", 1.0)])
    await sink.write([reading("g_sync.p_acc_lp", 2.0, NOON - SECOND)])
    assert await series(sink) == {BATTERY: 1.0}
    await sink.write([reading("battery.soc", 0.5, NOON - 150 * SECOND)])
    assert await series(sink) == {BATTERY: 1.0, CHARGE: 0.5}
    clocks.pass_(50)
    await sink.write([reading("g_sync.p_acc_lp", 3.0, clocks.time - 40 * SECOND)])
    assert await series(sink) == {}


async def test_clock_that_is_set_hides_nothing_and_freezes_nothing(sink: PrometheusSink, clocks: Clocks) -> None:
    await sink.write([reading("g_sync.p_acc_lp", 1.0, clocks.time)])
    for jump in (-3600, 7200):
        clocks.time += jump * SECOND
        assert await series(sink) == {BATTERY: 1.0}
        clocks.pass_(5)
        await sink.write([reading("g_sync.p_acc_lp", float(jump), clocks.time)])
        assert await series(sink) == {BATTERY: jump}
        await sink.write([reading("g_sync.p_acc_lp", 1.0, clocks.time)])


async def test_inverter_that_is_away_says_so_and_nothing_else(sink: PrometheusSink, clocks: Clocks) -> None:
    requests = Reading(NOON, "roof", vitals.COUNTERS["requests"], 9)
    await sink.write([link(True), requests, reading("battery.soc", 0.5), reading("battery.soc", 0.6, inverter="barn")])
    others = {'rct_battery_state_of_charge_ratio{inverter="barn"}': 0.6}
    counter = {'rct_link_requests_total{inverter="roof"}': 9}
    assert await series(sink) == {'rct_up{inverter="roof"}': 1, CHARGE: 0.5, **counter, **others}
    clocks.pass_(1)
    await sink.write([link(False, clocks.time)])
    assert await series(sink) == {'rct_up{inverter="roof"}': 0, **counter, **others}
    clocks.pass_(1)
    await sink.write([link(True, clocks.time)])
    assert await series(sink) == {'rct_up{inverter="roof"}': 1, CHARGE: 0.5, **counter, **others}


async def test_inverter_that_went_away_is_away_until_it_is_told_otherwise(sink: PrometheusSink, clocks: Clocks) -> None:
    await sink.write([reading("battery.soh", 0.9), link(False)])
    clocks.pass_(3600)
    assert await series(sink) == {}
    await sink.write([link(True, clocks.time)])
    health = 'rct_battery_state_of_health_ratio{inverter="roof"}'
    assert await series(sink) == {health: 0.9, 'rct_up{inverter="roof"}': 1}


async def test_reading_from_before_the_clock_was_set_back_freezes_nothing(sink: PrometheusSink, clocks: Clocks) -> None:
    await sink.write([reading("g_sync.p_acc_lp", 1.0, clocks.time + 3600 * SECOND)])
    clocks.pass_(5)
    await sink.write([reading("g_sync.p_acc_lp", 2.0, clocks.time)])
    assert await series(sink) == {BATTERY: 2.0}


async def test_members_of_a_plant_are_as_fresh_as_their_master(sink: PrometheusSink, clocks: Clocks) -> None:
    await sink.write([reading("g_sync.p_acc_lp", 1.0, inverter="roof/0000002A")])
    clocks.pass_(26)
    assert await series(sink) == {}


async def test_members_of_a_plant_go_with_their_master(sink: PrometheusSink) -> None:
    await sink.write([link(True), reading("g_sync.p_acc_lp", 1.0, inverter="roof/0000002A")])
    assert (await series(sink))['rct_battery_power_watts{inverter="roof/0000002A"}'] == 1.0
    await sink.write([link(False)])
    assert await series(sink) == {'rct_up{inverter="roof"}': 0}


# --- names of rctmon ------------------------------------------------------------------------------------------------


async def test_rctmon_calls_inverters_by_the_names_their_owners_gave(clocks: Clocks) -> None:
    async with opened(clocks, "rctmon") as sink:
        await sink.write([reading("battery.soc", 0.5), link(True)])
        name = "rctmon_battery_state_of_charge_percent"
        assert await series(sink) == {f'{name}{{inverter="roof"}}': 0.5, 'rctmon_device_up{inverter="roof"}': 1}
        await sink.write([reading("android_description", "Süddach")])
        assert await series(sink) == {f'{name}{{inverter="Süddach"}}': 0.5, 'rctmon_device_up{inverter="Süddach"}': 1}
        await sink.write([reading("android_description", "")])  # nobody gave it one
        assert f'{name}{{inverter="roof"}}' in await series(sink)
        await sink.write([reading("android_description", "Süddach")])
        # Two must not become one.
        await sink.write(
            [reading(n, v, inverter="b") for n, v in (("android_description", "Süddach"), ("battery.soc", 0.1))]
        )
        said = await series(sink)
        assert said[f'{name}{{inverter="b"}}'] == 0.1
        assert said[f'{name}{{inverter="roof"}}'] == 0.5
        await sink.write([reading("android_description", "b")])
        said = await series(sink)
        assert said[f'{name}{{inverter="Süddach"}}'] == 0.1
        assert said[f'{name}{{inverter="roof"}}'] == 0.5


# --- the server -----------------------------------------------------------------------------------------------------


async def test_real_prometheus_fetches_it_and_sees_what_goes(tmp_path: Path) -> None:
    async with opened() as sink:
        await sink.write([])  # so that it has an address
        server = PrometheusServer(tmp_path, sink.address)
        await server.start()  # which may take as long as values are fresh
        try:
            await sink.write(everything(time_ns()))
            await until(server, "rct_up", [({"inverter": "roof"}, 1.0)])
            targets = await server.get("targets")
            assert [(target["health"], target["lastError"]) for target in targets["activeTargets"]] == [("up", "")]
            ((labels, charge),) = await server.query("rct_battery_state_of_charge_ratio")
            assert 0 <= charge <= 1
            assert labels["inverter"] == "roof"
            states = await server.query("rct_inverter_state == 1")
            assert len(states) == 1
            assert len(await server.query("rct_fault_active")) == 8
            kinds = await server.get("metadata", metric="rct_inverter_state")
            assert kinds["rct_inverter_state"][0]["type"] == "stateset"
            await sink.write([link(False, time_ns())])
            await until(server, "rct_up", [({"inverter": "roof"}, 0.0)])
            assert await server.query("rct_battery_state_of_charge_ratio") == []
            assert await server.query("rct_link_requests_total") != []
        finally:
            server.stop()


async def until(server: PrometheusServer, expression: str, expected: list[tuple[dict[str, str], float]]) -> None:
    """Return when an expression gives what is expected, apart from the labels that Prometheus adds."""
    async with asyncio.timeout(60):
        while True:
            said = await server.query(expression)
            if [({"inverter": labels["inverter"]}, value) for labels, value in said] == expected:
                return
            await asyncio.sleep(0.1)  # it fetches each second


async def test_many_may_fetch_at_once(sink: PrometheusSink) -> None:
    await sink.write(everything())
    pages = await asyncio.gather(*(fetch(sink, OPEN_METRICS if n % 2 else "") for n in range(8)))
    assert len(set(pages)) == 2


async def test_only_metrics_are_there_and_only_to_be_read(sink: PrometheusSink) -> None:
    await sink.write([])
    async with aiohttp.ClientSession() as session:
        for method, path, status in (("GET", "/", 404), ("POST", "/metrics", 405), ("HEAD", "/metrics", 200)):
            async with session.request(method, f"http://{sink.address}{path}") as response:
                assert response.status == status


async def test_large_pages_are_compressed_for_those_who_can_read_it(sink: PrometheusSink) -> None:
    await sink.write(everything())
    sizes = {}
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        for coding in ("identity", "gzip"):
            url, headers = f"http://{sink.address}/metrics", {"Accept-Encoding": coding}
            async with session.get(url, headers=headers) as response:
                assert response.headers.get("Content-Encoding", "identity") == coding
                sizes[coding] = len(await response.read())
    assert sizes["gzip"] < sizes["identity"] / 5


async def test_port_that_is_taken_is_said_and_tried_again() -> None:
    (port,) = free_ports(1)
    with socket.create_server(("127.0.0.1", port)):
        sink = open_sink(settings_for(f"prometheus://:{port}"))
        with pytest.raises(SinkError) as caught:
            await sink.write([reading("battery.soc", 0.5)])
    assert str(caught.value) == f"prometheus 127.0.0.1:{port}: cannot be listened on: address already in use"
    assert not caught.value.permanent
    await sink.write([reading("battery.soc", 0.5)])
    await sink.close()


async def test_name_that_no_host_can_have_is_said() -> None:
    sink = open_sink(settings_for(f"prometheus://{'h' * 64}.example:0"))
    with pytest.raises(SinkError, match=r"cannot be listened on: no host can have this name$"):
        await sink.write([])
    await sink.close()


async def test_page_elsewhere_that_has_its_name_lead_here_reads_nothing(sink: PrometheusSink) -> None:
    await sink.write(everything())
    async with aiohttp.ClientSession() as session:
        url, headers = f"http://{sink.address}/metrics", {"Host": "elsewhere.example"}
        async with session.get(url, headers=headers) as response:
            assert response.status == 421
            assert "rct_" not in await response.text()


async def test_host_that_is_unknown_is_said() -> None:
    sink = open_sink(settings_for("prometheus://nowhere.invalid:0"))
    with pytest.raises(SinkError, match=r"nowhere\.invalid:0: cannot be listened on: the host is unknown: "):
        await sink.write([])
    await sink.close()


@pytest.mark.parametrize(
    ("url", "address", "warns"),
    [
        ("prometheus://:0", "127.0.0.1:", False),
        ("prometheus://127.0.0.1:0", "127.0.0.1:", False),
        ("prometheus://[::1]:0", "[::1]:", False),
        ("prometheus://0.0.0.0:0", "0.0.0.0:", True),
    ],
)
async def test_who_can_reach_it(url: str, address: str, warns: bool, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    sink = open_sink(settings_for(url))
    assert isinstance(sink, PrometheusSink)
    await sink.write([])
    await sink.write([])
    await sink.close()
    assert sink.address.startswith(address)
    assert not sink.address.endswith(":0")
    warning = f"prometheus {sink.address}: everyone in the network can read the metrics"
    assert caplog.messages == [
        f"prometheus: metrics are on http://{sink.address}/metrics",
        *([warning] if warns else []),
    ]


def test_port_and_host_go_without_saying() -> None:
    sink = open_sink(settings_for("prometheus:"))
    assert isinstance(sink, PrometheusSink)
    assert sink.address == "127.0.0.1:9831"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("prometheus://h:x", "expected prometheus://[HOST][:9831]"),
        ("prometheus://h:70000", "expected prometheus://[HOST][:9831]"),
        ("prometheus://h/metrics", "/metrics is fixed"),
        ("prometheus://h?x=1", "/metrics is fixed"),
        ("prometheus://me:s3cret@h", "no password belongs in the URL"),
    ],
)
def test_wrong_url_says_what_was_expected(url: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_sink(settings_for(url))
    assert said in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_wrong_names_say_which_there_are() -> None:
    with pytest.raises(ConfigError, match="names: invalid enum value 'other'"):
        settings_for("prometheus:", names="other")


@pytest.mark.parametrize("module", ["prometheus_client", "aiohttp", "aiohttp.web"])
def test_missing_extra_says_what_to_install(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigError, match=r"pip install 'rct-tools\[prometheus\]'"):
        open_sink(settings_for("prometheus:"))


# --- documents and the dashboard ------------------------------------------------------------------------------------

PAGE = (ROOT / "docs" / "prometheus.md").read_text("utf-8")
DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy/grafana/dashboards/rct-prometheus.json").read_text("utf-8"))
EXPRESSIONS = [
    *(target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())),
    *(annotation["expr"] for annotation in DASHBOARD["annotations"]["list"]),
]


def as_grafana_asks(expression: str) -> str:
    return expression.replace("$inverter", ".*").replace("$__rate_interval", "1m")


def names_in(text: str) -> set[str]:
    return set(re.findall(r"\brct_\w+", text))


async def test_documents_and_dashboard_name_only_what_is_there(sink: PrometheusSink) -> None:
    await sink.write([*everything(), Reading(NOON, "roof", ObjectInfo(0, "x", DataType.FLOAT, "W"), 1.0)])
    there = names_in(await fetch(sink))
    for text in (PAGE, *EXPRESSIONS):
        assert names_in(text.replace("rct_link_…", "")) - there == set()


@pytest.mark.parametrize(("begins", "check"), [("scrape_configs:", "config"), ("groups:", "rules")])
def test_examples_please_promtool(begins: str, check: str, tmp_path: Path) -> None:
    (example,) = [block for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if block.startswith(begins)]
    path = tmp_path / "example.yml"
    path.write_text(example, "utf-8")
    done = subprocess.run([require("promtool"), "check", check, path], capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


async def test_every_panel_of_the_dashboard_shows_something(tmp_path: Path) -> None:
    queries = re.findall(r"^\| [^|]+ \| (`.*`) \|$", PAGE.partition("| to see | query |")[2], re.MULTILINE)
    documented = [query for cell in queries for query in re.findall(r"`(.*?)`", cell)]
    assert len(documented) == 10
    async with opened() as sink:
        await sink.write([])  # so that it has an address
        server = PrometheusServer(tmp_path, sink.address)
        await server.start()  # which may take as long as values are fresh
        try:
            async with asyncio.timeout(60):
                while not await server.query("count_over_time(rct_up[1m]) >= 2"):
                    await sink.write(everything(time_ns()))
                    await asyncio.sleep(0.1)  # it fetches each second, and a rate needs two values
            for expression in [*EXPRESSIONS, *documented]:
                shown = await server.query(as_grafana_asks(expression))
                # What is only at times there cannot be at this time.
                assert shown or "== 1" in expression or "offset" in expression, expression
        finally:
            server.stop()


def test_dashboard_takes_the_data_source_that_is_provisioned() -> None:
    variables = {variable["name"]: variable for variable in DASHBOARD["templating"]["list"]}
    assert variables["datasource"]["current"]["value"] == "prometheus"
    panels = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
    assert {panel["datasource"]["uid"] for panel in panels} == {"${datasource}"}
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
