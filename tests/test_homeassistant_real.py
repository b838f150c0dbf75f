"""What a real Home Assistant makes of it, over a real broker: `make homeassistant` installs it."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from rct_tools.clock import Clock
from rct_tools.events import BEGIN, END, tell
from rct_tools.homeassistant import HomeAssistant
from rct_tools.homeassistant.entities import Entity, catalogue
from rct_tools.paging import Dated
from rct_tools.plan import Source
from rct_tools.reading import Reading
from rct_tools.sinks import Sink, open_sink, settings_for
from rct_tools.times import SECOND
from rct_tools.values import Event, Value

from homeassistant_server import HomeAssistantServer
from one_house import readings, source, values
from servers import MosquittoServer

pytestmark = pytest.mark.timeout(600)

HOUSE: dict[str, Value] = {  # what is not plain in the simulated house
    "fault[0].flt": 1 << 13,
    "battery.bat_status": 1032,
    "battery.status2": 4,
    "link.bad_frames[crc]": 7,
}


@asynccontextmanager
async def feed(broker: MosquittoServer, *sources: Source) -> AsyncIterator[Sink]:
    """Yield the sink that brings readings to the broker."""
    sink = open_sink(settings_for(f"mqtt://{broker.address}", home_assistant=True), sources)
    try:
        yield sink
    finally:
        await sink.close()


def everything(**changes: Value) -> list[Reading]:
    """Readings of the whole house, of now."""
    return readings(values(**HOUSE, **changes), time.time_ns())


NODE = f"rct_{str(values()['inverter_sn']).lower()}"
THERE = {  # unique id: entity, its state topic's key; of five modules of seven, and one battery
    f"{NODE}_{entity.key}": (entity, state.key)
    for state in catalogue().states
    if not state.device.startswith(("module_6", "module_7", "second_"))
    for entity in state.entities
}


def expected(entity: Entity, payload: str) -> str:
    """What Home Assistant shows for what was published."""
    if "value_json" in (template := str(entity.config.get("value_template", ""))):
        inner = template.partition("value_json")[2].rstrip("} ").strip("[].")
        return str(json.loads(payload)[int(inner) if inner.isdigit() else inner])
    if entity.config.get("device_class") == "timestamp":
        return datetime.fromisoformat(payload).astimezone(tz=None).isoformat()
    return payload.lower() if entity.component == "binary_sensor" else payload


def is_same(shown: str, wanted: str) -> bool:
    for read in (float, datetime.fromisoformat):
        with suppress(ValueError):
            return bool(read(shown) == read(wanted))
    return shown == wanted


def is_told(state: dict[str, Any] | None) -> bool:
    return state is not None and state["state"] not in ("unavailable", "unknown")


async def test_finds_every_entity_with_its_state_unit_and_class(
    home: HomeAssistantServer, broker: MosquittoServer
) -> None:
    told = everything()
    payloads = {
        m.topic.rpartition("/")[2]: m.payload
        for pure in [HomeAssistant([source()], prefix="rct")]
        for reading in told
        for m in pure.take(reading)
        if not m.topic.endswith("/config")
    }
    async with feed(broker, source()) as sink:
        await home.start()
        await sink.write(told)
        entities = await home.until_found(THERE.keys())
        off = {unique_id for unique_id, entry in entities.items() if entry["disabled_by"]}
        assert off == {u for u, (entity, _) in THERE.items() if entity.config.get("enabled_by_default") is False}
        await home.enable(entities[unique_id]["entity_id"] for unique_id in off)
        ids = {unique_id: entry["entity_id"] for unique_id, entry in entities.items()}
        assert ids.pop(f"{NODE}_event") == "event.rct_roof_event"  # which has no state before something happens
        await home.until(lambda states: all(is_told(states.get(entity_id)) for entity_id in ids.values()))
        states = await home.states()
        attributes = ["unit_of_measurement", "device_class", "state_class"]
        attributes += ["options"] * (home.version > "2024.3")  # which takes any state of an enum
        for unique_id in ids:
            entity, key = THERE[unique_id]
            state, config = states[ids[unique_id]], entity.config
            assert is_same(state["state"], expected(entity, payloads[key])), (state, payloads[key])
            for name in attributes:
                assert state["attributes"].get(name) == config.get(name), state
            entry = entities[unique_id]
            assert entry["original_name"] == config["name"]
            assert entry["entity_category"] == config.get("entity_category")
            assert entry["entity_id"].startswith(f"{entity.component}.rct_roof_")
        await check_devices(home)
        await check_energy(home, states)
    assert home.complaints() == []


async def check_devices(home: HomeAssistantServer) -> None:
    devices = {
        device["identifiers"][0][1].removeprefix(NODE): device
        for device in await home.ask("config/device_registry/list")
        if [identifier[0] for identifier in device["identifiers"]] == ["mqtt"]
    }
    names = {device["id"]: device["name"] for device in devices.values()}
    behind = {device["name"]: names.get(device["via_device_id"]) for device in devices.values()}
    assert behind == {
        "RCT roof": None,
        "RCT roof battery": "RCT roof",
        "RCT roof power switch": "RCT roof",
        **{f"RCT roof battery module {n}": "RCT roof battery" for n in range(1, 6)},
    }
    assert devices[""]["serial_number"] == values()["inverter_sn"]
    assert devices[""]["sw_version"] == values()["svnversion"]
    assert devices["_module_3"]["serial_number"] == "SIMMOD0003"


async def check_energy(home: HomeAssistantServer, states: dict[str, Any]) -> None:
    """The Energy dashboard takes what the how-to says, and statistics are kept of all that has a state class."""
    roof = "sensor.rct_roof"
    statistics = {s["statistic_id"]: s for s in await home.ask("recorder/list_statistic_ids")}
    kept = {i for i, state in states.items() if i.startswith(roof) and "state_class" in state["attributes"]}
    assert kept <= statistics.keys()
    price = {"entity_energy_price": None, "number_energy_price": None}
    bought = {"stat_energy_from": f"{roof}_grid_import_total", "stat_cost": None, **price}
    sold = {"stat_energy_to": f"{roof}_grid_export_total", "stat_compensation": None, **price}
    battery = {
        "stat_energy_from": f"{roof}_battery_energy_discharged",
        "stat_energy_to": f"{roof}_battery_energy_charged",
    }
    sources = [
        {"type": "grid", "flow_from": [bought], "flow_to": [sold], "cost_adjustment_day": 0.0},
        {"type": "solar", "stat_energy_from": f"{roof}_pv_energy_total", "config_entry_solar_forecast": None},
        {"type": "battery", **battery},
    ]
    await home.ask("energy/save_prefs", energy_sources=sources)
    for name in (*bought.values(), *sold.values(), *battery.values(), f"{roof}_pv_energy_total"):
        if name is not None:
            assert statistics[str(name)]["has_sum"]
            assert statistics[str(name)]["statistics_unit_of_measurement"] == "Wh"
    issues = (await home.ask("energy/validate"))["energy_sources"]
    kinds = {issue["type"] for issues_of_one in issues for issue in issues_of_one}
    assert kinds <= {"statistics_not_defined"}  # the first five minutes are not over


Shown = Callable[[dict[str, dict[str, Any]]], bool]


OWN = ("_connection", "_mode", "_mode_until", "_last_order", "_of_the_next_mode")
"""Ends of the ids of what the collector knows by itself, whether the inverter is there or not."""


def all_are(state: str, *, but: tuple[str, ...] = ()) -> Shown:
    """Whether all entities of ours, but some, have a state; "*" for any that tells something."""

    def condition(states: dict[str, dict[str, Any]]) -> bool:
        ours = {i: s for i, s in states.items() if ".rct_roof" in i and not i.endswith(but)}
        if state == "*":  # an event entity tells something only when something happens
            return len(ours) > 100 and all(is_told(s) for i, s in ours.items() if not i.startswith("event."))
        return len(ours) > 100 and all(s["state"] == state for s in ours.values())

    return condition


async def test_what_happens_is_an_event(home: HomeAssistantServer, broker: MosquittoServer) -> None:
    def is_shown(event_type: str) -> Shown:
        name = "event.rct_roof_event"
        return lambda states: states.get(name, {"attributes": {}})["attributes"].get("event_type") == event_type

    async with feed(broker, source()) as sink:
        await home.start()
        await sink.write(everything())
        await home.until_found(THERE.keys())
        await home.until(all_are("*"))  # by now it listens
        begin = int(time.time()) - 20
        row = Event(0x5A, begin, (begin + 15, 1, 0))
        outage = tell(Clock.of("UTC"), Dated(row, begin, is_sure=True))
        started = Reading(outage.begin, "roof", BEGIN, replace(outage, end=None))
        ended = Reading(begin * SECOND + 15 * SECOND, "roof", END, outage)
        await sink.write([started])
        await home.until(is_shown("begin"))
        await sink.write([ended])
        await home.until(is_shown("end"))
        state = (await home.states())["event.rct_roof_event"]
        assert state["attributes"]["event_types"] == ["begin", "end"]
        wanted = {"name": outage.name, "duration": 15, "text": f"{outage.name}, 15s, code 1", "type": "0x5a"}
        assert {key: state["attributes"][key] for key in wanted} == wanted
    await home.until(lambda states: states["event.rct_roof_event"]["state"] == "unavailable")
    async with feed(broker, source()) as sink:  # it comes back, and says nothing twice
        await sink.write(everything())
        await home.until(all_are("*"))
        assert (await home.states())["event.rct_roof_event"]["state"] == state["state"]
    assert home.complaints() == []


async def test_lives_with_an_inverter_for_years(home: HomeAssistantServer, broker: MosquittoServer) -> None:
    async with feed(broker, source()) as sink:
        await sink.write(everything())  # Home Assistant is there only now: what is retained must do
        await home.start()
        await home.until(all_are("*"))
        found = set(await home.states())

        await sink.write(readings({"link.up": False}, time.time_ns()))
        await home.until(all_are("unavailable", but=OWN))
        assert (await home.states())["binary_sensor.rct_roof_connection"]["state"] == "off"

        await sink.write(everything())
        await home.until(all_are("*"))
        assert (await home.states())["binary_sensor.rct_roof_connection"]["state"] == "on"

    await home.until(all_are("unavailable"))  # the collector has ended

    # It has another name now, and of the grid's frequency nothing is collected any more.
    changed = source("garage", without=("grid_pll[0].f",))
    async with feed(broker, changed) as sink:
        now = values(**HOUSE, **{"battery.voltage": 411.1})
        del now["grid_pll[0].f"]
        await sink.write(readings(now, time.time_ns(), "garage"))
        await home.until(lambda states: "sensor.rct_roof_grid_frequency" not in states)
        await home.until(all_are("*"))
        await home.until(lambda states: states["sensor.rct_roof_battery_voltage"]["state"] == "411.1")
        assert set(await home.states()) == found - {"sensor.rct_roof_grid_frequency"}
        devices = await home.ask("config/device_registry/list")
        assert {d["name"] for d in devices if d["via_device_id"] is None} >= {"RCT garage"}

        home.stop()
        await home.start()
        await home.until(all_are("*"))
        assert set(await home.states()) >= found - {"sensor.rct_roof_grid_frequency"}
        assert "sensor.rct_roof_grid_frequency" not in await home.states()
    assert home.complaints() == []
