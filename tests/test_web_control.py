"""The page steers: nothing that was not shown, nothing without a login, and nothing is done that was not read back."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from importlib.resources import files
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from jsonschema import Draft202012Validator
from test_cli_web import line_of, page_of, unix

from rct_tools.config import parse_plan
from rct_tools.frame import Command, Frame
from rct_tools.modes import MODES, STEERED
from rct_tools.objects import registry
from rct_tools.parser import FrameParser
from rct_tools.plan import Source, Steerable
from rct_tools.reading import Reading
from rct_tools.simulator import Faults, Simulator
from rct_tools.times import SECOND
from rct_tools.values import Value
from rct_tools.wayback import Change, WayBack, WayBacks
from rct_tools.web.control import MOST_AT_ONCE
from rct_tools.web.door import ReverseProxy
from rct_tools.writable import WRITABLE

from programs import finish, running
from showing import Shown, known, showing, until

PASSWORD = "correct horse battery"
NOON = datetime(2026, 6, 21, 12)  # noqa: DTZ001  # the clock on the wall
MIN = "power_mng.soc_min"
LIMIT = "p_rec_lim[1]"
SOME = Steerable((MIN, "power_mng.soc_charge", "power_mng.soc_strategy"), ("hold", "charge"), 2 * 3600 * SECOND)
ALL = Steerable(tuple(WRITABLE), tuple(MODES), 12 * 3600 * SECOND)
OBJECTS = ["battery.soc", "inverter_sn", "p_rec_lim[0]", *WRITABLE]
PLAN = parse_plan(f'[[group]]\nname = "a"\ninterval = "1s"\nobjects = {json.dumps(OBJECTS)}', "test")
OPENAPI = json.loads((files("rct_tools.web") / "openapi.json").read_text("utf-8"))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the record and the ways back are; the steward is quick to look at the inverter."""
    monkeypatch.setattr("rct_tools.steering.steward.TICK", 0.1)
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    return tmp_path / "steering"


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with Simulator(port=0, latency=0.001, broadcast=False, speed=0, start=NOON) as simulator:
        simulator.house.battery.soc = 0.5
        yield simulator
        assert not simulator.inverter.harm
        assert simulator.inverter.flashed == 0


@pytest.fixture
async def shown(simulator: Simulator, web: aiohttp.ClientSession) -> AsyncIterator[Shown]:
    """A page that steers, and somebody who is logged in."""
    async with showing(simulator, plan=PLAN, password=PASSWORD, steerable=SOME, names=("roof", "barn")) as shown:
        await ready(shown, web)
        yield shown


async def ready(shown: Shown, web: aiohttp.ClientSession) -> None:
    await until(known(shown, "battery.soc", "p_rec_lim[0]", "control.mode", MIN))
    async with web.post(f"{shown.url}/api/login", json={"password": PASSWORD}) as response:
        assert response.status == 200


async def post(web: aiohttp.ClientSession, url: str, **body: Any) -> tuple[int, dict[str, Any]]:
    async with web.post(url, json=body) as response:
        return response.status, await response.json()


async def state(web: aiohttp.ClientSession, shown: Shown) -> dict[str, Any]:
    async with web.get(f"{shown.url}/api/control") as response:
        document: dict[str, Any] = await response.json()
        assert response.status == 200, document
        check(document, "Control")
        return document


async def considered(web: aiohttp.ClientSession, shown: Shown, **wish: Any) -> dict[str, Any]:
    status, document = await post(web, f"{shown.url}/api/control/consider", **wish)
    assert status == 200, document
    check(document, "Foreseen")
    return document


async def ordered(web: aiohttp.ClientSession, shown: Shown, token: str) -> tuple[int, dict[str, Any]]:
    return await post(web, f"{shown.url}/api/control/order", considered=token)


async def done(web: aiohttp.ClientSession, shown: Shown, **wish: Any) -> dict[str, Any]:
    """Order something that was considered; return what has become of it."""
    token = (await considered(web, shown, **wish))["considered"]
    status, document = await ordered(web, shown, token)
    assert (status, document["result"]) == (202, "accepted")
    check(document, "Outcome")
    return await outcome(web, shown, token, "done", "refused", "failed")


async def outcome(web: aiohttp.ClientSession, shown: Shown, token: str, *results: str) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while True:
            for order in (await state(web, shown))["orders"]:
                if order["considered"] == token and order["result"] in results:
                    found: dict[str, Any] = order
                    return found
            await asyncio.sleep(0.05)


def check(document: object, name: str) -> None:
    schema = {"$ref": f"#/components/schemas/{name}", "components": OPENAPI["components"]}
    Draft202012Validator(schema).validate(document)


def settings(simulator: Simulator) -> dict[str, Value]:
    names = dict.fromkeys([*STEERED, *WRITABLE, "power_mng.soc_min_island"])
    return {name: registry[name].decode(simulator.inverter.payload(registry[name])) for name in names}


def set_by_others(simulator: Simulator, name: str, value: Value) -> None:
    info = registry[name]
    simulator.inverter.answer(Frame(Command.WRITE, info.object_id, info.encode(value)))


def record(folder: Path) -> list[dict[str, Any]]:
    path = folder / "writes.jsonl"
    text = path.read_text() if path.exists() else ""
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]  # the next may be half written


async def change(shown: Shown, **changes: Any) -> None:
    """Give the collector another configuration, as SIGHUP does; ``changes`` are those of the first inverter."""
    setup = shown.collector.setup
    first, *others = setup.inverters
    await shown.collector.change(replace(setup, inverters=(replace(first, **changes), *others)))


# --- what is shown, and what is done --------------------------------------------------------------------------------


async def test_what_may_be_ordered_is_told(shown: Shown, web: aiohttp.ClientSession) -> None:
    document = await state(web, shown)
    assert (document["mode"], document["until"], document["back"], document["orders"]) == ("normal", None, [], [])
    assert (document["up"], document["longest"]) == (True, 7200)
    assert [mode["name"] for mode in document["modes"]] == ["hold", "charge"]
    power, soc = (document["modes"][1]["takes"][name] for name in ("power", "soc"))
    assert (power["low"], power["high"], power["unit"]) == (0, 10_100, "W")  # as far as this inverter goes
    assert (soc["object"], soc["low"], soc["high"], soc["decimals"]) == ("power_mng.soc_max", 0, 1, 2)
    low, charge, strategy = document["objects"]
    assert (low["object"], low["low"], low["high"], low["type"]) == (MIN, 0.05, 1, "FLOAT")
    assert low["now"]["value"] == settings(shown.simulator)[MIN]
    assert "full power" in low["note"]
    assert charge["changes"] == [MIN, "power_mng.soc_min_island"]
    assert (strategy["low"], strategy["labels"]["4"]) == (None, "Internal")
    async with web.get(f"{shown.url}/api/session") as response:
        assert (await response.json())["control"] == ["roof"]


async def test_a_dry_run_changes_nothing(shown: Shown, web: aiohttp.ClientSession, folder: Path) -> None:
    before = settings(shown.simulator)
    document = await considered(web, shown, mode="hold", **{"for": "1h"})
    assert (document["order"], document["mode"], document["seconds"]) == ("mode hold", "hold", 3600)
    assert document["first"] == []
    low, strategy = document["writes"]
    assert (low["object"], low["old"], low["new"]) == (MIN, before[MIN], 0.49)
    (frame,) = FrameParser().feed(bytes.fromhex(low["frame"]))
    assert isinstance(frame, Frame)
    assert (frame.command, frame.object_id) == (Command.WRITE, registry[MIN].object_id)
    assert (strategy["old"], strategy["new"], strategy["frame"]) == (4, 4, None)
    assert [(it["object"], it["old"], it["new"]) for it in document["back"]] == [
        ("power_mng.soc_strategy", 4, 4),
        (MIN, 0.49, before[MIN]),
    ]
    document = await considered(web, shown, object="power_mng.soc_charge", value=0.1)
    (charge,) = document["writes"]
    assert charge["changes"] == {name: before[name] for name in (MIN, "power_mng.soc_min_island")}
    assert "charged from the grid" in charge["note"]
    assert (document["mode"], document["back"]) == (None, [])
    assert (await considered(web, shown, mode="normal"))["first"] == []
    assert (await considered(web, shown, mode="charge", power=2000))["seconds"] == 7200  # the longest
    assert settings(shown.simulator) == before
    assert record(folder) == []
    assert (await state(web, shown))["orders"] == []


async def test_hold_and_back(shown: Shown, web: aiohttp.ClientSession, folder: Path) -> None:
    before = settings(shown.simulator)
    held = await done(web, shown, mode="hold", **{"for": "1h"})
    assert (held["result"], held["order"], held["who"]) == ("done", "mode hold", "page 127.0.0.1")
    assert held["wanted"] == {"code": "mode", "values": {"mode": "hold"}}
    first, second = held["said"]["values"]["changes"]
    assert (held["said"]["code"], first["code"], second["code"]) == ("begun", "changed", "held_already")
    assert [first["values"][key]["value"] for key in ("old", "new")] == [before[MIN], pytest.approx(0.49)]
    assert held["said"]["values"]["until"] == {"time": (await state(web, shown))["until"]}
    assert settings(shown.simulator)[MIN] == pytest.approx(0.49)
    begin, end = record(folder)
    assert {it["who"] for it in (begin, end)} == {"rct collect mode hold, page 127.0.0.1"}
    assert (begin["event"], begin["object"], begin["old"], begin["wanted"]) == ("begin", MIN, before[MIN], 0.49)
    assert (end["event"], end["outcome"], end["now"]) == ("end", "proven", pytest.approx(0.49))
    now = await state(web, shown)
    assert now["mode"] == "hold"
    assert now["until"] / 1000 == pytest.approx(now["orders"][0]["time"] / 1000 + 3600, abs=60)
    assert [(it["object"], it["new"]) for it in now["back"]] == [("power_mng.soc_strategy", 4), (MIN, before[MIN])]
    # What the mode holds is left to it, and what comes in its place is told as it will be.
    status, refused = await post(web, f"{shown.url}/api/control/consider", object=MIN, value=0.2)
    assert status == 409
    assert "mode hold has changed power_mng.soc_min and will put it back" in refused["error"]
    assert (refused["said"]["code"], refused["said"]["values"]["mode"]) == ("held_by_mode", "hold")
    status, refused = await post(web, f"{shown.url}/api/control/consider", object="power_mng.soc_charge", value=0.1)
    assert status == 409  # or the battery would be discharged, and never be as it was before
    assert "has changed power_mng.soc_min, which changes with power_mng.soc_charge, and will" in refused["error"]
    other = await considered(web, shown, mode="charge", power=1500, soc=0.9)
    assert [(it["object"], it["new"]) for it in other["first"]] == [("power_mng.soc_strategy", 4), (MIN, before[MIN])]
    again = await considered(web, shown, mode="hold")
    assert again["writes"][0]["old"] == before[MIN]
    ended = await done(web, shown, mode="normal")
    assert (ended["result"], ended["text"]) == ("done", "mode hold has ended; all is as it was before")
    assert ended["said"] == {"code": "mode_ended", "values": {"mode": "hold", "back": {"code": "back", "values": {}}}}
    assert settings(shown.simulator) == before
    now = await state(web, shown)
    assert now["last"] == "mode normal: done: mode hold has ended; all is as it was before"
    last = {"order": ended["wanted"], "result": "done", "text": ended["said"]}
    assert now["last_said"] == {"code": "last", "values": last}
    assert (now["mode"], now["until"], now["back"]) == ("normal", None, [])
    assert [(order["order"], order["result"]) for order in now["orders"]] == [
        ("mode normal", "done"),
        ("mode hold", "ended"),
    ]


async def test_another_mode_takes_the_place_of_one(shown: Shown, web: aiohttp.ClientSession) -> None:
    before = settings(shown.simulator)
    await done(web, shown, mode="hold")
    charged = await done(web, shown, mode="charge", power=1500, soc=0.9)
    assert charged["result"] == "done"
    now = settings(shown.simulator)
    assert (now[MIN], now["power_mng.battery_power_extern"]) == (before[MIN], -1500)
    await done(web, shown, mode="normal")
    assert settings(shown.simulator) == before


async def test_an_object_is_set(shown: Shown, web: aiohttp.ClientSession, folder: Path) -> None:
    found = await done(web, shown, object=MIN, value=0.2)
    assert (found["result"], found["text"]) == ("done", "power_mng.soc_min 7.0 % → 20.0 %")
    assert found["order"] == "power_mng.soc_min to 20.0 %"
    assert settings(shown.simulator)[MIN] == pytest.approx(0.2)
    assert {it["who"] for it in record(folder)} == {"rct collect, page 127.0.0.1"}
    (write,) = (await considered(web, shown, object="power_mng.soc_strategy", value=2))["writes"]
    assert (write["old"], write["new"], write["labels"]["2"]) == (4, 2, "External")
    (write,) = (await considered(web, shown, object=MIN, value=1))["writes"]
    assert write["new"] == 1


async def test_every_mode_and_object_can_be_considered(simulator: Simulator, web: aiohttp.ClientSession) -> None:
    async with showing(simulator, plan=PLAN, password=PASSWORD, steerable=ALL) as shown:
        await ready(shown, web)
        before = settings(simulator)
        takes = {"power": 1000, "soc": 0.3}
        for mode in (await state(web, shown))["modes"]:
            given = {name: takes[name] for name in mode["needs"]}
            document = await considered(web, shown, mode=mode["name"], **given)
            assert [it["object"] for it in document["writes"]][-1] == list(MODES[mode["name"]].steps)[-1]
        for name in WRITABLE:
            value = before[name]
            (write,) = (
                await considered(
                    web, shown, object=name, value=round(float(value), 2) if isinstance(value, float) else value
                )
            )["writes"]
            assert write["frame"] is None
        assert settings(simulator) == before


# --- what goes wrong ------------------------------------------------------------------------------------------------


async def test_a_lost_write_is_sent_again(
    shown: Shown, web: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.setattr("rct_tools.writing.TRIES", 2)
    before = settings(shown.simulator)
    shown.simulator.faults = Faults(unwritten=1.0)
    failed = await done(web, shown, object=MIN, value=0.2)
    assert failed["result"] == "failed"
    assert failed["text"] == "power_mng.soc_min was not set to 20.0 %: sent 2 times, it holds 7.0 %"
    assert record(folder)[-1]["now"] == before[MIN]
    failed = await done(web, shown, mode="hold")
    assert failed["result"] == "failed"
    assert settings(shown.simulator) == before
    assert (await state(web, shown))["mode"] == "normal"
    shown.simulator.faults = Faults(unacknowledged=1.0)
    assert (await done(web, shown, object=MIN, value=0.2))["result"] == "done"
    assert settings(shown.simulator)[MIN] == pytest.approx(0.2)


async def test_what_is_not_as_it_was_shown_is_not_done(shown: Shown, web: aiohttp.ClientSession, folder: Path) -> None:
    shown_before = [
        (await considered(web, shown, **wish))["considered"]
        for wish in ({"mode": "hold"}, {"object": MIN, "value": 0.2})
    ]
    set_by_others(shown.simulator, MIN, 0.1)
    await asyncio.sleep(0)
    before = settings(shown.simulator)
    for token, would in zip(shown_before, ("49.0 %", "20.0 %"), strict=True):
        assert (await ordered(web, shown, token))[0] == 202
        refused = await outcome(web, shown, token, "done", "refused", "failed")
        assert refused["result"] == "refused"
        assert refused["text"] == (
            "things have changed since that was shown: "
            f"power_mng.soc_min would go from 10.0 % to {would}; look at it again"
        )
    assert settings(shown.simulator) == before
    assert record(folder) == []


async def test_an_order_is_good_once_and_not_for_long(
    shown: Shown, web: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = (await considered(web, shown, object=MIN, value=0.2))["considered"]
    answers = await asyncio.gather(*(ordered(web, shown, token) for _ in range(5)))
    assert sorted(status for status, _ in answers) == [202, 409, 409, 409, 409]
    assert await outcome(web, shown, token, "done")
    monkeypatch.setattr("rct_tools.web.control.GOOD", 0.0)
    late = (await considered(web, shown, object=MIN, value=0.3))["considered"]
    assert (await ordered(web, shown, late))[0] == 409
    monkeypatch.setattr(shown.page._control._shown, "_most", 1)
    monkeypatch.setattr("rct_tools.web.control.GOOD", 300.0)
    pushed = (await considered(web, shown, object=MIN, value=0.3))["considered"]
    good = (await considered(web, shown, object=MIN, value=0.4))["considered"]
    for token in ("", "x" * 22, "\0", pushed):
        status, document = await ordered(web, shown, token)
        assert status == 409
        assert document["error"].startswith("nothing like this was considered of late")
    assert (await ordered(web, shown, good))[0] == 202
    assert (await outcome(web, shown, good, "done"))["text"] == "power_mng.soc_min 20.0 % → 40.0 %"


async def test_the_newest_orders_are_told(
    shown: Shown, web: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rct_tools.web.control.MOST_ORDERS", 2)
    for value in (0.1, 0.2, 0.3):
        await done(web, shown, object=MIN, value=value)
    orders = (await state(web, shown))["orders"]
    assert [order["order"] for order in orders] == [f"{MIN} to 30.0 %", f"{MIN} to 20.0 %"]


async def test_orders_that_wait_have_an_end(
    simulator: Simulator, web: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rct_tools.steering.steward.MOST_WAITING", 1)
    async with showing(simulator, plan=PLAN, password=PASSWORD, steerable=SOME) as shown:
        await ready(shown, web)
        tokens = [(await considered(web, shown, object=MIN, value=v))["considered"] for v in (0.2, 0.2, 0.2, 0.2)]
        simulator.faults = Faults(unwritten=1.0)  # so that the first one takes its time
        answers = [await ordered(web, shown, token) for token in tokens]
    refused = [document["error"] for status, document in answers if status == 409]
    assert refused
    assert set(refused) == {"1 orders wait already"}


async def test_too_much_is_considered_at_once(
    shown: Shown, web: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rct_tools.web.control.MOST_AT_ONCE", 0)
    status, document = await post(web, f"{shown.url}/api/control/consider", mode="hold")
    assert (status, document["error"]) == (503, "too much is asked at once; try again")
    monkeypatch.setattr("rct_tools.web.control.MOST_AT_ONCE", 1)
    for _ in range(2):
        await considered(web, shown, mode="hold")


async def test_an_inverter_that_is_silent_holds_up_no_other(
    simulator: Simulator, web: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        Simulator(port=0, seed=5, latency=0.001, broadcast=False, speed=0, start=NOON) as other,
        showing(simulator, plan=PLAN, password=PASSWORD, steerable=SOME) as shown,
    ):
        roof = shown.collector.setup.inverters[0]
        both = (roof, replace(roof, name="barn", port=other.port))
        await shown.collector.change(replace(shown.collector.setup, inverters=both))
        await ready(shown, web)
        await until(known(shown, "battery.soc", "control.mode", name="barn"))
        monkeypatch.setattr(simulator.inverter, "answer", lambda _: None)
        consider = f"{shown.url}/api/control/consider"
        silent = [
            asyncio.create_task(post(web, consider, inverter="roof", mode="hold")) for _ in range(MOST_AT_ONCE + 1)
        ]
        (turned_away,), waiting = await asyncio.wait(silent, return_when=asyncio.FIRST_COMPLETED)
        status, document = turned_away.result()
        assert (status, document["error"]) == (503, "too much is asked at once; try again")
        await considered(web, shown, inverter="barn", mode="hold")
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)


async def test_an_inverter_that_is_away(shown: Shown, web: aiohttp.ClientSession, folder: Path) -> None:
    token = (await considered(web, shown, mode="hold"))["considered"]
    await shown.simulator.close()
    await until(lambda: not shown.collector.watched["roof"].client.connected)
    status, document = await ordered(web, shown, token)
    assert status == 409
    assert document["error"].endswith("is away; nothing is kept for later")
    status, document = await post(web, f"{shown.url}/api/control/consider", mode="hold")
    assert status == 503
    assert "\n" not in document["error"]
    await until(lambda: not shown.page.newest.is_up("roof"))
    assert (await state(web, shown))["up"] is False
    assert record(folder) == []


async def test_an_inverter_that_is_not_read_yet(shown: Shown, web: aiohttp.ClientSession) -> None:
    shown.page.open([Source("shed", "UTC", {})])
    status, document = await post(web, f"{shown.url}/api/control/consider", mode="hold")
    assert (status, document["error"]) == (503, "shed: not read at the moment")


async def test_what_was_shown_of_another_inverter_is_not_done(
    shown: Shown, web: aiohttp.ClientSession, folder: Path
) -> None:
    token = (await considered(web, shown, object=MIN, value=0.2))["considered"]
    async with Simulator(port=0, seed=5, latency=0.001, broadcast=False, speed=0, start=NOON) as other:
        await change(shown, port=other.port)
        await until(lambda: shown.collector.watched["roof"].client.connected)
        status, document = await ordered(web, shown, token)
        said = "the configuration has changed since that was shown; consider it anew"
        assert (status, document["error"]) == (409, said)
        assert (await ordered(web, shown, token))[0] == 409
    assert record(folder) == []


async def test_nobody_is_left_waiting_after_a_change(shown: Shown, web: aiohttp.ClientSession, folder: Path) -> None:
    shown.simulator.faults = Faults(unwritten=1.0)
    begun = (await considered(web, shown, object=MIN, value=0.2))["considered"]
    waits = (await considered(web, shown, mode="hold"))["considered"]
    for token in (begun, waits):
        assert (await ordered(web, shown, token))[0] == 202
    await until(lambda: bool(record(folder)))
    await change(shown, steerable=replace(SOME, modes=("hold",)))
    assert {order["considered"]: order["result"] for order in (await state(web, shown))["orders"]} == {
        begun: "failed",
        waits: "refused",
    }


async def test_a_mode_ends_with_a_change(shown: Shown, web: aiohttp.ClientSession) -> None:
    before = settings(shown.simulator)
    await change(shown, steerable=replace(SOME, objects=(LIMIT,)))
    await until(lambda: shown.collector.watched["roof"].client.connected)
    held = await done(web, shown, mode="hold")
    other = await done(web, shown, object=LIMIT, value=100)
    await change(shown, steerable=replace(SOME, modes=("charge",)))
    ended, older = (await state(web, shown))["orders"]  # what was heard of last is the first
    assert (ended["considered"], ended["result"]) == (held["considered"], "ended")
    assert ended["text"].endswith("; the mode is over")
    assert older == other
    assert settings(shown.simulator) == before | {LIMIT: 100}


async def test_a_limit_that_is_no_limit(shown: Shown, web: aiohttp.ClientSession) -> None:
    await shown.simulator.close()
    await until(lambda: not shown.page.newest.is_up("roof"))  # so nothing is read meanwhile
    for most in (float("inf"), float("nan"), -1.0, 0.0):
        await shown.page.write([Reading(0, "roof", registry["p_rec_lim[0]"], most)])
        power = (await state(web, shown))["modes"][1]["takes"]["power"]
        assert (power["low"], power["high"]) == (None, None)


async def test_another_program_has_a_mode(shown: Shown, web: aiohttp.ClientSession, folder: Path) -> None:
    with WayBacks(folder).locked("SIM0000001"):
        status, document = await post(web, f"{shown.url}/api/control/consider", mode="hold")
    assert status == 409
    assert document["error"] == "another program changes the mode of inverter SIM0000001 right now"


async def test_what_is_being_put_back_is_no_other_program(
    simulator: Simulator, web: aiohttp.ClientSession, folder: Path
) -> None:
    before = settings(simulator)[MIN]
    set_by_others(simulator, MIN, 0.49)
    left = Change(registry[MIN], before, 0.49)
    WayBacks(folder).save(WayBack("SIM0000001", "", "hold", 4711, 0, None, (left,)))  # of one that is gone
    simulator.faults = Faults(unwritten=1.0)
    async with showing(simulator, plan=PLAN, password=PASSWORD, steerable=SOME) as shown:
        async with web.post(f"{shown.url}/api/login", json={"password": PASSWORD}) as response:
            assert response.status == 200
        await until(lambda: bool(record(folder)))
        document = await considered(web, shown, mode="hold")
        assert [(it["object"], it["new"]) for it in document["first"]] == [(MIN, before)]
        assert document["writes"][0]["old"] == before
        simulator.faults = Faults()
        await until(lambda: shown.collector.watched["roof"].steward.mode == "normal")  # type: ignore[union-attr]
    assert settings(simulator)[MIN] == before


async def test_a_folder_that_cannot_be_had(shown: Shown, web: aiohttp.ClientSession, folder: Path) -> None:
    await until(folder.exists)
    await asyncio.to_thread(folder.rename, folder.with_name("elsewhere"))
    await asyncio.to_thread(folder.write_text, "a file")
    status, document = await post(web, f"{shown.url}/api/control/consider", mode="hold")
    assert status == 503
    assert document["error"].startswith("the record of writes: ")


async def test_whom_a_reverse_proxy_logs_in(simulator: Simulator, web: aiohttp.ClientSession, folder: Path) -> None:
    proxy = ReverseProxy((ip_network("127.0.0.1"),), frozenset({"solar.lan"}), "Remote-User")
    anna = {"Host": "solar.lan", "X-Forwarded-For": "192.0.2.20", "Remote-User": "anna"}
    nobody = {name: value for name, value in anna.items() if name != "Remote-User"}
    async with showing(simulator, plan=PLAN, proxy=proxy, steerable=SOME) as shown:
        await until(known(shown, "battery.soc", "control.mode"))
        url = f"{shown.url}/api/control"
        async with web.get(url, headers=nobody) as response:
            assert response.status == 401
        async with web.post(f"{url}/consider", json={"object": MIN, "value": 0.2}, headers=anna) as response:
            token = (await response.json())["considered"]
        async with web.post(f"{url}/order", json={"considered": token}, headers=nobody) as response:
            assert response.status == 401
        async with web.post(f"{url}/order", json={"considered": token}, headers=anna) as response:
            ordered = await response.json()
        assert (response.status, ordered["who"]) == (202, "page anna at 192.0.2.20")
        assert ordered["by"] == {"code": "from_user", "values": {"user": "anna", "host": "192.0.2.20"}}
        await until(lambda: bool(record(folder)) and record(folder)[-1]["event"] == "end")
    assert record(folder)[-1]["who"] == "rct collect, page anna at 192.0.2.20"


@unix
async def test_a_collector_that_ends_puts_back(
    simulator: Simulator, web: aiohttp.ClientSession, tmp_path: Path, folder: Path
) -> None:
    before = settings(simulator)
    config = tmp_path / "rct.toml"
    config.write_text(
        f'[[inverter]]\nname = "roof"\nhost = "127.0.0.1"\nport = {simulator.port}\n[status]\nlisten = ""\n'
        f'[[sink]]\nurl = "sqlite:{tmp_path}/r.db"\n[web]\nlisten = "127.0.0.1:0"\npassword = "{PASSWORD}"\n'
        f'[control]\nenabled = true\nobjects = ["{MIN}"]\nmodes = ["hold"]\n'
    )
    async with running("rct", "collect", "--config", config) as process:
        url = (await page_of(process)).rstrip("/")
        said = await line_of(process, "whoever")
        assert said.endswith(f": whoever may log in at the page may set {MIN}, mode hold")
        assert (await post(web, f"{url}/api/login", password=PASSWORD))[1]["control"] == ["roof"]
        async with asyncio.timeout(60):
            while (token := await post(web, f"{url}/api/control/consider", mode="hold"))[0] != 200:  # noqa: ASYNC110
                await asyncio.sleep(0.05)  # the inverter of another process
            assert (await post(web, f"{url}/api/control/order", considered=token[1]["considered"]))[0] == 202
            await until(lambda: bool(record(folder)) and record(folder)[-1]["event"] == "end")
        assert settings(simulator)[MIN] == pytest.approx(0.49)
        process.send_signal(signal.SIGTERM)
        assert (await finish(process)).code == 0
    assert settings(simulator) == before
    assert {it["who"] for it in record(folder)} == {"rct collect mode hold, page 127.0.0.1"}


# --- what is refused ------------------------------------------------------------------------------------------------

REFUSED: list[tuple[dict[str, Any], int, str]] = [  # wish, status, what is said
    ({}, 400, "expected a mode with what it takes, or an object with a value"),
    ({"mode": "hold", "object": MIN, "value": 0.2}, 400, "expected a mode with what it takes, or an object"),
    ({"object": MIN}, 400, "expected a mode with what it takes, or an object with a value"),
    ({"object": MIN, "value": 0.2, "power": 5}, 400, "expected a mode with what it takes, or an object"),
    ({"mode": "hold", "value": 1}, 400, "expected a mode with what it takes, or an object with a value"),
    ({"mode": "normal", "power": 5}, 400, "mode normal takes nothing else"),
    ({"mode": "discharge", "power": 5}, 400, "mode 'discharge' may not be begun here; there are hold, charge, normal"),
    ({"mode": "party"}, 400, "mode 'party' may not be begun here"),
    ({"mode": "charge"}, 400, "mode charge needs a power"),
    ({"mode": "hold", "soc": 0.3}, 400, "mode hold takes no soc"),
    ({"mode": "charge", "power": -5}, 400, "the power must be more than 0 W"),
    ({"mode": "charge", "power": 60_000}, 400, "power_mng.battery_power_extern: cannot be set to -60000.0"),
    ({"mode": "charge", "power": "5kW"}, 400, "power: expected `float | null`, got `str`"),
    ({"mode": "charge", "power": True}, 400, "power: expected `float | null`, got `bool`"),
    ({"mode": "charge", "power": 5, "soc": 1.2}, 400, "power_mng.soc_max: cannot be set to 1.2"),
    ({"mode": "charge", "power": 5, "soc": 0.4}, 409, "the battery is at 50.0 % already; nothing was changed"),
    ({"mode": "hold", "for": "3h"}, 400, "a mode lasts 2h at most"),
    ({"mode": "hold", "for": "0s"}, 400, "a mode lasts 2h at most, as [control] says, and more than 0s"),
    ({"mode": "hold", "for": "soon"}, 400, "for: "),
    ({"mode": "hold", "for": 5}, 400, "for: "),
    ({"mode": "hold", "force_state": True}, 400, "force_state: unknown key"),
    ({"object": "pas.period", "value": 1}, 400, "pas.period: may not be set here; [control] names what may be"),
    ({"object": "nothing", "value": 1}, 400, "nothing: may not be set here"),
    ({"object": "power_mng.soc_max", "value": 0.9}, 400, "power_mng.soc_max: may not be set here"),
    ({"object": MIN, "value": 1.5}, 400, f"{MIN}: cannot be set to 1.5; expected 0.05 to 1"),
    ({"object": MIN, "value": True}, 400, f"{MIN}: cannot be set to True"),
    ({"object": MIN, "value": "20%"}, 400, "value: expected `bool | int | float | null`, got `str`"),
    ({"object": "power_mng.soc_strategy", "value": 9}, 400, "cannot be set to 9; expected one of 0 SOC target"),
    ({"inverter": "rof", "mode": "hold"}, 404, "there is no inverter 'rof'; did you mean roof?"),
    ({"inverter": "barn", "mode": "hold"}, 403, "this inverter is not steered; [control] of the configuration"),
]  # fmt: skip


async def test_what_may_not_be_is_refused_in_one_line(shown: Shown, web: aiohttp.ClientSession, folder: Path) -> None:
    before = settings(shown.simulator)
    for wish, expected, said in REFUSED:
        status, document = await post(web, f"{shown.url}/api/control/consider", **wish)
        assert (status, said in document["error"]) == (expected, True), (wish, document)
        check(document, "Error")
        assert "\n" not in document["error"]
    async with web.get(f"{shown.url}/api/control?inverter=barn") as response:
        assert response.status == 403
    assert settings(shown.simulator) == before
    assert record(folder) == []


BODIES = [  # body, its type, status
    (b'{"mode": "charge", "power": NaN}', "application/json", 400),
    (b'{"mode": "charge", "power": Infinity}', "application/json", 400),
    (b'{"object": "power_mng.soc_min", "value": -Infinity}', "application/json", 400),
    (b"mode=hold", "application/x-www-form-urlencoded", 415),
    (b'{"mode": "hold"}', "text/plain", 415),  # which a page of another site could send unasked
    (b'{"mode": "hold"', "application/json", 400),
    (b'["hold"]', "application/json", 400),
    (b'"hold"', "application/json", 400),
    (b"", "application/json", 400),
    (b"\xff\xfe", "application/json", 400),
    (b"[" * 4000, "application/json", 400),
    (b'{"mode": "' + b"h" * 5000 + b'"}', "application/json", 413),
]


@pytest.mark.parametrize("path", ["/api/control/consider", "/api/control/order"])
async def test_rubbish_is_refused(shown: Shown, web: aiohttp.ClientSession, path: str) -> None:
    for body, kind, expected in BODIES:
        async with web.post(shown.url + path, data=body, headers={"Content-Type": kind}) as response:
            document = await response.json()
            assert response.status == expected, (body, document)
            assert "\n" not in document["error"]
    for method in ("GET", "HEAD", "PUT", "DELETE", "PATCH"):
        async with web.request(method, shown.url + path) as response:
            assert (response.status, response.headers["Allow"]) == (405, "POST")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Host": "evil.example:80"},
    ],
)
async def test_other_sites_order_nothing(
    shown: Shown, web: aiohttp.ClientSession, headers: dict[str, str], folder: Path
) -> None:
    token = (await considered(web, shown, object=MIN, value=0.2))["considered"]
    for path, body in (("consider", {"mode": "hold"}), ("order", {"considered": token})):
        async with web.post(f"{shown.url}/api/control/{path}", json=body, headers=headers) as response:
            assert response.status == (421 if "Host" in headers else 403)
    assert record(folder) == []
    assert (await ordered(web, shown, token))[0] == 202  # a script has no Origin


PATHS = [("GET", "/api/control"), ("POST", "/api/control/consider"), ("POST", "/api/control/order")]


async def test_only_who_is_logged_in(shown: Shown, web: aiohttp.ClientSession, folder: Path) -> None:
    token = (await considered(web, shown, object=MIN, value=0.2))["considered"]
    async with web.post(f"{shown.url}/api/logout") as response:
        assert (await response.json())["control"] == []
    for method, path in PATHS:
        async with web.request(method, shown.url + path, json={"considered": token}) as response:
            assert (response.status, await response.json()) == (401, {"error": "log in first"})
    assert record(folder) == []


async def test_without_a_password_nobody_steers(simulator: Simulator, web: aiohttp.ClientSession) -> None:
    async with showing(simulator, plan=PLAN, steerable=SOME) as shown:
        await until(known(shown, "control.mode"))
        async with web.get(f"{shown.url}/api/session") as response:
            assert (await response.json())["control"] == []
        for method, path in PATHS:
            async with web.request(method, shown.url + path, json={"mode": "hold"}) as response:
                assert response.status == 403
                said = "steering by the page needs a login; set web.password, or web.reverse_proxy.user_header"
                assert (await response.json())["error"] == said


def leave_something(folder: Path) -> None:
    """As a mode would of another inverter, of a time when it was steered."""
    folder.mkdir()
    (folder / "way-back-SIM0000002.json").write_text("{}")


@pytest.mark.parametrize("left", [False, True])
async def test_without_control_nothing_is_steered(
    simulator: Simulator, web: aiohttp.ClientSession, folder: Path, left: bool
) -> None:
    if left:
        leave_something(folder)
    async with showing(simulator, plan=PLAN, password=PASSWORD) as shown:
        await until(known(shown, "battery.soc"))
        assert (shown.collector.watched["roof"].steward is not None) == left
        async with web.post(f"{shown.url}/api/login", json={"password": PASSWORD}) as response:
            assert (await response.json())["control"] == []
        for method, path in PATHS[:2]:
            async with web.request(method, shown.url + path, json={"mode": "hold"}) as response:
                assert response.status == 403
                said = "this inverter is not steered; [control] of the configuration says what may be"
                assert (await response.json())["error"] == said
        assert (await ordered(web, shown, "anything"))[0] == 409
