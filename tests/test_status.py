"""How a collector says that it is: the document, and where it is served."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from asking import NOON

from rct_tools.collector import Collector
from rct_tools.config import parse_plan
from rct_tools.errors import ConfigError, RctError, SinkError
from rct_tools.frame import Reason
from rct_tools.plan import Steerable
from rct_tools.setups import InverterSetup, Setup
from rct_tools.simulator import Simulator
from rct_tools.status import metrics_of, page_address, serving, status_of
from rct_tools.steering import Order, Outcome, Result
from rct_tools.steering.order import Begin
from rct_tools.times import SECOND, parse_iso_time

from servers import free_ports
from standins import Shelf
from warp import warp

PLAN = parse_plan(
    '[[group]]\nname = "a"\ninterval = "1s"\nobjects = ["battery.voltage", "battery.bms_sn", "rb485.f_grid[0]"]\n'
    '[[group]]\nname = "b"\ninterval = "1h"\nobjects = ["rb485.available"]',
    "test",
)


def test_document_of_one_that_works_and_one_that_is_away() -> None:
    async def main() -> dict[str, Any]:
        good, bad = Shelf(), Shelf(fails=lambda attempt: SinkError("bad: away"))
        loop = asyncio.get_running_loop()
        async with Simulator(port=0, broadcast=False, speed=0) as roof:
            inverters = (
                InverterSetup("roof", roof.host, PLAN, roof.port, has=frozenset({"battery"})),
                InverterSetup("gone", "127.0.0.1", PLAN, 1),
            )
            collector = Collector(Setup(inverters, (good.setup("good"), bad.setup("bad"))))
            job = asyncio.create_task(collector.run())
            await asyncio.sleep(100.5)
            newest = max(reading.time for reading in good.of("battery.voltage"))
            # The clock of the machine stands still while the loop's jumps.
            collector.watched["roof"].client.counters.bad_frames[Reason.CRC] += 2
            document = status_of(collector, started=0, wall_clock=lambda: newest + SECOND)
            assert loop.time() > 100
            job.cancel()
            await asyncio.wait([job])
        return document

    document = warp(main())
    assert document["version"] == 1
    assert document["started"] == "1970-01-01T00:00:00.000000000+00:00"
    roof, gone = document["inverters"]
    assert (roof["name"], roof["up"], roof["connected"], gone["up"], gone["connected"]) == (
        "roof",
        True,
        True,
        False,
        False,
    )
    assert 98 < roof["since"] < 101
    assert 0 <= roof["age"] < 2
    assert gone["age"] is None
    assert gone["since"] > 99
    assert roof["counters"]["bad_frames"] == {str(Reason.CRC): 2}
    modules = [f"{which}module {n}" for which in ("", "second battery ") for n in range(7)]
    assert roof["absent"] == sorted({"string A", "string B", "second battery", "power switch", *modules})
    objects = {entry["name"]: entry for entry in roof["objects"]}
    assert objects["battery.voltage"]["interval"] == 1
    assert 98 <= objects["battery.voltage"]["answered"] <= objects["battery.voltage"]["asked"] <= 102
    assert objects["battery.voltage"]["age"] < 2
    assert objects["rb485.f_grid[0]"] == {
        "name": "rb485.f_grid[0]", "interval": 1, "age": None, "asked": 0, "answered": 0, "unasked": 0, "wanted": False,
    }  # fmt: skip
    assert {entry["age"] for entry in gone["objects"]} == {None}
    assert all(entry["wanted"] for entry in gone["objects"])  # nobody has said otherwise
    good, bad = document["sinks"]
    assert (good["label"], good["trouble"], good["lost"], good["refused"]) == ("good", "", 0, 0)
    assert good["written"] > 200
    assert (bad["label"], bad["trouble"], bad["written"]) == ("bad", "bad: away", 0)
    assert bad["waiting"] >= good["written"]
    assert bad["lag"] >= 1


def test_document_of_one_that_is_steered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    steerable = Steerable((), ("hold",), 7200 * SECOND)
    outcomes: list[Outcome] = []

    async def main() -> list[dict[str, Any]]:
        async with Simulator(port=0, broadcast=False, speed=0, start=NOON) as roof:
            setup = InverterSetup("roof", roof.host, PLAN, roof.port, steerable=steerable)
            collector = Collector(Setup((setup,), ()))
            job = asyncio.create_task(collector.run())
            await asyncio.sleep(10)
            found = [control_of(collector)]
            steward = collector.watched["roof"].steward
            assert steward is not None
            steward.take(Order("roof", Begin("hold", seconds=3600.0), "a test", time.time_ns()), outcomes.append)
            await asyncio.sleep(60)
            found.append(control_of(collector))
            job.cancel()
            await asyncio.wait([job])
        return found

    before, after = warp(main())
    assert before == {"mode": "normal", "until": None, "last": ""}
    assert after["mode"] == "hold"
    assert 3500 * SECOND < (parse_iso_time(after["until"]) or 0) - time.time_ns() <= 3600 * SECOND
    assert after["last"].startswith("mode hold: done: power_mng.")
    assert [outcome.result for outcome in outcomes] == [Result.ACCEPTED, Result.DONE, Result.ENDED]


def control_of(collector: Collector) -> dict[str, Any]:
    """Return what the document says of orders, as who asks for it reads it."""
    document = json.loads(json.dumps(status_of(collector, started=0)))
    control: dict[str, Any] = document["inverters"][0]["control"]
    return control


@pytest.mark.parametrize(
    ("text", "address"),
    [("127.0.0.1:9832", ("127.0.0.1", 9832)), ("[::1]:0", ("::1", 0)), ("localhost:65535", ("localhost", 65535))],
)
def test_address(text: str, address: tuple[str, int]) -> None:
    assert page_address(text) == address


@pytest.mark.parametrize("text", ["", "9832", ":9832", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "h:-1", "h:x"])
def test_no_address(text: str) -> None:
    with pytest.raises(ConfigError, match=r"status\.listen: .* is no address; expected one such as 127\.0\.0\.1:9832"):
        serving(text, dict, list)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
async def test_served(host: str) -> None:
    async with serving(f"{host}:0", lambda: {"a": 1}, list) as address, aiohttp.ClientSession() as session:
        assert address.startswith(f"{host}:")
        async with session.get(f"http://{address}/status") as answer:
            assert await answer.json() == {"a": 1}
        with pytest.raises(RctError, match=r"status\.listen: cannot listen on .*: address already in use"):
            async with serving(address, dict, list):
                raise AssertionError("nobody gets here")


async def test_host_that_cannot_be() -> None:
    with pytest.raises(RctError, match=r"status\.listen: cannot listen on "):
        async with serving(f"{'h' * 64}.example:{free_ports(1)[0]}", dict, list):
            raise AssertionError("nobody gets here")


async def test_without_the_extra_it_goes_on(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    async with serving("127.0.0.1:0", dict, list) as address:
        assert address == ""
    assert caplog.messages == ["no status page: it needs more than the core: pip install 'rct-tools[service]'"]


async def test_metrics_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    collector = Collector(Setup((), ()))
    async with (
        serving("127.0.0.1:0", dict, lambda: metrics_of(collector)) as address,
        aiohttp.ClientSession() as session,
        session.get(f"http://{address}/metrics") as answer,
    ):
        assert answer.status == 501
        assert await answer.text() == "metrics need more: pip install 'rct-tools[prometheus]'\n"
