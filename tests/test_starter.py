"""A first configuration: what an inverter has is asked, and what is written is right."""

from __future__ import annotations

import asyncio

import pytest

from rct_tools.client import connect
from rct_tools.components import COMPONENTS, MODULES
from rct_tools.config import parse_config
from rct_tools.errors import LinkError
from rct_tools.link import PORT
from rct_tools.objects import registry
from rct_tools.simulator import Faults, Simulator
from rct_tools.starter import LOOKED_AT, Equipment, look, write_config

from peers import peer, requests, response


async def test_simulated_inverter() -> None:
    steps: list[int] = []
    async with Simulator(port=0, latency=0.001) as simulator, connect(simulator.host, simulator.port) as inverter:
        equipment = await look(inverter, steps.append)
        assert inverter.counters.requests == len(LOOKED_AT) - MODULES  # of a second battery, which it has not
    assert sum(steps) == len(LOOKED_AT)
    assert equipment.identity["serial"] == "SIM0000001"
    assert equipment.identity["firmware"] == "2.3.5678"
    assert {"string A", "string B", "battery", "module 0", "power switch"} <= set(equipment.has)
    assert "second battery" not in equipment.has
    assert equipment.unknown == ()


async def test_both_batteries_and_their_modules_are_found() -> None:
    faults = Faults(towers=2)
    async with (
        Simulator(port=0, latency=0.001, faults=faults) as simulator,
        connect(simulator.host, simulator.port) as inverter,
    ):
        equipment = await look(inverter)
    assert {"second battery", "second battery module 0", "second battery module 4"} <= set(equipment.has)
    assert "second battery module 6" not in equipment.has
    assert "10 battery modules" in write_config(equipment, "192.0.2.7", PORT, "Europe/Berlin", PORT)


async def test_what_stays_silent_is_unknown_and_not_absent() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for frame in requests(reader):
            if frame.object_id == registry["svnversion"].object_id:
                writer.write(response("svnversion", "2.3.1"))

    async with peer(script) as port, connect("127.0.0.1", port, timeout=0.01, attempts=1) as inverter:
        equipment = await look(inverter)
    assert equipment == Equipment({"firmware": "2.3.1"}, (), tuple(COMPONENTS))


async def test_silent_inverter_is_an_error() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with peer(script) as port, connect("127.0.0.1", port, timeout=0.01, attempts=1) as inverter:
        with pytest.raises(LinkError):
            await look(inverter)


FITS = [
    Equipment({}, (), ()),
    Equipment(
        {"name": 'Haus "Süd"\\', "serial": "1", "firmware": "2", "power": 10100.0, "slaves": 2}, ("battery",), ()
    ),
    Equipment({"name": "a\x7fb\nc", "serial": 'x\n[[sink]]\nurl = "jsonl:x"', "firmware": "1\r\n#2"}, (), ()),
    Equipment({"name": " "}, tuple(COMPONENTS)[:3], tuple(COMPONENTS)[3:]),
]


@pytest.mark.parametrize("equipment", FITS)
@pytest.mark.parametrize("port", [PORT, 9000])
def test_what_is_written_is_a_good_configuration(equipment: Equipment, port: int) -> None:
    text = write_config(equipment, "192.0.2.7", port, "Europe/Berlin", PORT)
    config = parse_config(text, "rct.toml", {})
    (inverter,) = config.setup.inverters
    assert inverter.name == (str(equipment.identity.get("name", "")).strip() or "192.0.2.7")
    assert (inverter.host, inverter.port, inverter.zone) == ("192.0.2.7", port, "Europe/Berlin")
    assert ("port = 9000\n" in text, "port =" in text) == (port == 9000, port != PORT)
    assert inverter.has == frozenset((*equipment.has, *equipment.unknown))
    # What stands there in comments is right, too.
    everything = "\n".join(
        line.removeprefix("#")
        if line.startswith(("#[", "#url", "#name", "#interval", "#objects", "#listen", "#allow"))
        else line
        for line in text.splitlines()
    )
    setup = parse_config(everything, "rct.toml", {}).setup
    assert len(setup.sinks) == 4
    assert setup.inverters[0].proxy
    assert setup.inverters[0].proxy.host == "0.0.0.0"
