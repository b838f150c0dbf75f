"""Steering from Home Assistant: what is announced; and a real one, with a real broker, a collector and an inverter."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rct_tools.collector import Collector
from rct_tools.config import parse_config
from rct_tools.homeassistant import HomeAssistant
from rct_tools.modes import MODES
from rct_tools.objects import registry
from rct_tools.plan import Expected, Source, Steerable
from rct_tools.simulator import Simulator
from rct_tools.times import SECOND
from rct_tools.values import Value
from rct_tools.vitals import CONTROLS
from rct_tools.writable import WRITABLE

from homeassistant_server import HomeAssistantServer
from one_house import readings, source, values
from servers import MosquittoServer

NOON = 1_800_000_000 * SECOND
NODE = f"rct_{str(values()['inverter_sn']).lower()}"
LIMIT = "p_rec_lim[0]"
EVERYTHING = Steerable(tuple(WRITABLE), tuple(MODES), 2 * 3600 * SECOND)
KEYS = {  # component and key of what EVERYTHING makes
    ("select", "set_battery_strategy"),
    ("number", "set_power_mng_soc_target_set"),
    ("number", "set_power_mng_battery_power_extern"),
    ("number", "set_battery_target_min"),
    ("number", "set_battery_target_max"),
    ("number", "set_power_mng_soc_charge_power"),
    ("number", "set_power_mng_soc_charge"),
    ("number", "set_p_rec_lim_1"),
    ("switch", "set_battery_grid_charging"),
    ("number", "set_power_reduction"),
    ("select", "set_mode"),
    ("button", "set_normal"),
    ("number", "set_control_power"),
    ("number", "set_control_soc"),
    ("number", "set_control_duration"),
}


def steered(what: Steerable | None, *, without: Collection[str] = ()) -> Source:
    it = source(without=[*without, *(() if what else (info.name for info in CONTROLS))])
    expects = {**it.expects, LIMIT: Expected(registry[LIMIT], LIMIT, 60 * SECOND)}
    return replace(it, expects=expects, steerable=what)


def told(home: HomeAssistant, **changes: Value) -> dict[tuple[str, str], dict[str, Any]]:
    """Return what is announced of what may be set, after all readings, by component and key."""
    configs = {}
    for reading in readings({**values(), **changes}, NOON):
        for message in home.take(reading):
            match message.topic.split("/"):
                case ["homeassistant", component, node, key, "config"] if key.startswith("set_"):
                    assert node == NODE
                    assert message.retain
                    configs[component, key] = json.loads(message.payload)
    return configs


def limit(watts: float) -> dict[str, Value]:
    return {LIMIT: watts}


def test_everything_that_may_be_set_is_an_entity() -> None:
    configs = told(HomeAssistant([steered(EVERYTHING)], prefix="rct"), **limit(4600.0))
    assert configs.keys() == KEYS
    for (component, key), config in configs.items():
        assert config["unique_id"] == f"{NODE}_{key}"
        assert config["availability"] == [
            {"topic": "rct/status"},
            {"topic": "rct/roof/status"},
            {"topic": "rct/status/control"},
        ]
        assert config["command_topic"].startswith("rct/roof/")
        assert ("state_topic" in config) == (component != "button")
        assert "optimistic" not in config
        identifier = NODE if key == "set_power_reduction" else f"{NODE}_battery"
        assert config["device"]["identifiers"] == [identifier]


NUMBERS: list[tuple[str, dict[str, Any]]] = [
    ("set_battery_target_min", {"min": 5, "max": 100, "step": 1, "unit_of_measurement": "%",
                                "command_topic": "rct/roof/power_mng/soc_min/set",
                                "command_template": "{{ value }}%"}),
    ("set_power_reduction", {"min": 0, "max": 100, "step": 0.1, "unit_of_measurement": "%"}),
    ("set_power_mng_battery_power_extern", {"min": -4600.0, "max": 4600.0, "step": 1, "unit_of_measurement": "W"}),
    ("set_p_rec_lim_1", {"min": 0, "max": 6000, "command_topic": "rct/roof/device/p_rec_lim[1]/set"}),
    ("set_control_power", {"min": 0, "max": 4600.0, "command_topic": "rct/roof/control/power/set"}),
    ("set_control_soc", {"min": 0, "max": 100, "command_topic": "rct/roof/control/soc/set"}),
    ("set_control_duration", {"min": 0, "max": 120, "step": 1, "unit_of_measurement": "min",
                              "command_template": "{{ value }}m"}),
]  # fmt: skip


@pytest.mark.parametrize(("key", "said"), NUMBERS)
def test_numbers_have_the_range_of_what_they_set(key: str, said: dict[str, Any]) -> None:
    config = told(HomeAssistant([steered(EVERYTHING)], prefix="rct"), **limit(4600.0))["number", key]
    assert {name: config[name] for name in said} == said


def test_choices() -> None:
    configs = told(HomeAssistant([steered(EVERYTHING)], prefix="rct"), **limit(4600.0))
    labels = list(registry["power_mng.soc_strategy"].labels.values())
    assert configs["select", "set_battery_strategy"]["options"] == labels
    mode = configs["select", "set_mode"]
    assert (mode["options"], mode["command_topic"]) == (["normal", *MODES], "rct/roof/mode/set")
    button = configs["button", "set_normal"]
    assert (button["payload_press"], button["command_topic"]) == ("normal", "rct/roof/mode/set")


def test_without_its_limit_a_power_cannot_be_set_yet() -> None:
    home = HomeAssistant([steered(EVERYTHING)], prefix="rct")
    lacking = {("number", "set_power_mng_battery_power_extern"), ("number", "set_control_power")}
    assert told(home).keys() == KEYS - lacking
    assert told(home, **limit(0.0)).keys() & lacking == set()
    assert told(home, **limit(3000.0)).keys() >= lacking
    assert told(home, **limit(3000.0)).keys() & lacking == set()  # nothing new
    assert told(home, **limit(4000.0))["number", "set_control_power"]["max"] == 4000.0


def test_only_what_is_named() -> None:
    home = HomeAssistant([steered(Steerable(("power_mng.soc_min",), (), SECOND))], prefix="rct")
    assert told(home, **limit(4600.0)).keys() == {("number", "set_battery_target_min")}
    home = HomeAssistant([steered(Steerable((), ("hold",), 3600 * SECOND))], prefix="rct")
    configs = told(home, **limit(4600.0))
    assert configs.keys() == {(c, k) for c, k in KEYS if "control" in k or k in ("set_mode", "set_normal")}
    assert configs["select", "set_mode"]["options"] == ["normal", "hold"]
    assert told(HomeAssistant([steered(None)], prefix="rct"), **limit(4600.0)) == {}


def test_what_may_not_be_set_any_more_is_taken_back() -> None:
    home = HomeAssistant([steered(EVERYTHING)], prefix="rct")
    retained = {
        f"homeassistant/{component}/{NODE}/{key}/config": json.dumps(config)
        for (component, key), config in told(home, **limit(4600.0)).items()
    }
    assert not any(home.is_stale(topic, payload) for topic, payload in retained.items())
    other = HomeAssistant([steered(Steerable(("power_mng.soc_min",), (), SECOND))], prefix="rct")
    told(other)
    kept = {topic for topic, payload in retained.items() if not other.is_stale(topic, payload)}
    assert kept == {f"homeassistant/number/{NODE}/set_battery_target_min/config"}
    disabled = HomeAssistant([steered(None)], prefix="rct")
    told(disabled)
    assert all(disabled.is_stale(topic, payload) for topic, payload in retained.items())


# --- a real one -----------------------------------------------------------------------------------------------------


CONFIG = """
[[inverter]]
name = "roof"
host = "127.0.0.1"
port = {inverter}
[[sink]]
url = "mqtt://127.0.0.1:{broker}"
home_assistant = true
[status]
listen = ""
[control]
enabled = {enabled}
objects = ["power_mng.soc_min", "power_mng.battery_power_extern", "power_mng.soc_strategy",
           "power_mng.use_grid_power_enable"]
modes = ["hold", "charge"]
"""
BATTERY = "rct_roof_battery"


@asynccontextmanager
async def collecting(simulator: Simulator, broker: MosquittoServer, *, enabled: bool = True) -> AsyncIterator[None]:
    text = CONFIG.format(inverter=simulator.port, broker=broker.port, enabled=str(enabled).lower())
    collector = Collector(parse_config(text, "rct.toml", {}).setup)
    job = asyncio.create_task(collector.run())
    try:
        yield
    finally:
        job.cancel()
        with suppress(asyncio.CancelledError):
            await job


@pytest.mark.timeout(600)
async def test_a_real_home_assistant_steers(
    home: HomeAssistantServer, broker: MosquittoServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    await home.start()
    async with Simulator(port=0, latency=0.001, speed=0) as simulator:
        simulator.house.battery.soc = 0.5

        def holds(name: str) -> Value:
            return registry[name].decode(simulator.inverter.payload(registry[name]))

        def shows(entity: str, state: str) -> Callable[[dict[str, dict[str, Any]]], bool]:
            return lambda states: states.get(entity, {}).get("state") == state

        before = {name: holds(name) for name in WRITABLE}
        async with collecting(simulator, broker):
            lowest, mode = f"number.{BATTERY}_lowest_charge", f"select.{BATTERY}_mode"
            await home.until(shows(lowest, "7.0"))
            await home.until(shows(mode, "normal"))

            await home.call("number.set_value", lowest, value=20)
            await home.until(shows(lowest, "20.0"))
            assert holds("power_mng.soc_min") == pytest.approx(0.2)

            wanted = f"number.{BATTERY}_power_wanted"
            await home.until(shows(wanted, "0"))
            most = holds(LIMIT)
            attributes = (await home.states())[wanted]["attributes"]
            assert isinstance(most, float)
            assert (attributes["min"], attributes["max"]) == (-most, most)
            await home.call("number.set_value", wanted, value=-500)
            await home.until(shows(wanted, "-500.0"))
            assert holds("power_mng.battery_power_extern") == -500.0

            grid = f"switch.{BATTERY}_charging_from_the_grid_allowed"
            await home.call("switch.turn_on", grid)
            await home.until(shows(grid, "on"))
            assert holds("power_mng.use_grid_power_enable") is True
            await home.call("switch.turn_off", grid)
            await home.until(shows(grid, "off"))

            strategy = f"select.{BATTERY}_strategy"
            await home.call("select.select_option", strategy, option="External")
            await home.until(shows(strategy, "External"))
            await home.call("select.select_option", strategy, option="Internal")
            await home.until(shows(strategy, "Internal"))
            assert holds("power_mng.soc_strategy") == 4
            set_by_hand = {name: holds(name) for name in WRITABLE}

            power, last = f"number.{BATTERY}_power_of_the_next_mode", f"sensor.{BATTERY}_last_order"
            await home.call("select.select_option", mode, option="charge")
            await home.until(lambda states: "needs a power" in states[last]["state"])
            await home.call("number.set_value", power, value=1500)
            await home.call("number.set_value", f"number.{BATTERY}_charge_of_the_next_mode", value=90)
            await home.call("number.set_value", f"number.{BATTERY}_duration_of_the_next_mode", value=30)
            await home.until(shows(f"number.{BATTERY}_duration_of_the_next_mode", "30"))
            await home.until(shows(power, "1500"))
            await home.call("select.select_option", mode, option="charge")
            await home.until(shows(mode, "charge"))
            assert holds("power_mng.battery_power_extern") == -1500.0
            assert holds("power_mng.soc_max") == pytest.approx(0.9)
            await home.until(shows(strategy, "External"))

            await home.call("button.press", f"button.{BATTERY}_back_to_normal")
            await home.until(shows(mode, "normal"))
            await home.until(shows(strategy, "Internal"))
            assert {name: holds(name) for name in WRITABLE} == set_by_hand
            assert set_by_hand == before | {
                "power_mng.soc_min": pytest.approx(0.2),
                "power_mng.battery_power_extern": -500.0,
            }
            ours = {i for i in await home.states() if i.split(".")[0] in ("number", "select", "switch", "button")}
            assert all(i.partition(".")[2].startswith("rct_roof") for i in ours)
            assert len(ours) == 9
        await home.until(lambda states: all(states[i]["state"] == "unavailable" for i in ours))

        # Without control, they are gone, and all else is there.
        async with collecting(simulator, broker, enabled=False):
            await home.until(lambda states: not ours & states.keys())
            await home.until(lambda states: states[f"sensor.{BATTERY}_strategy"]["state"] == "Internal")
        assert not simulator.inverter.harm
    assert home.complaints() == []
