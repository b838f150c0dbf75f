"""rct events: what happened to an inverter, chosen, in every format, and followed."""

from __future__ import annotations

import asyncio
import csv
import json
import signal
import sys
from datetime import UTC, datetime

import pytest

from rct_tools.objects import registry
from rct_tools.simulator import Simulator

from programs import Done, finish, run, running

START = datetime.now(UTC)
CHANGE = registry["power_mng.soc_strategy"].object_id


def simulator() -> Simulator:
    return Simulator(port=0, latency=0.0, broadcast=False, speed=0.0, start=START)


async def events(simulated: Simulator, *args: object) -> Done:
    return await run("rct", "events", "--host", "127.0.0.1", "--port", simulated.port, "--time-zone", "UTC", *args)


async def test_every_format_tells_all_events_the_newest_first() -> None:
    async with simulator() as simulated:
        kept = simulated.inverter.history._events[::-1]
        text, lines, whole, table = [
            await events(simulated, "--format", form) for form in ("text", "jsonl", "json", "csv")
        ]
    assert [text.code, text.err] == [0, ""]
    rows = [json.loads(line) for line in lines.out.splitlines()]
    assert json.loads(whole.out) == rows
    begins = [datetime.fromtimestamp(event.time, UTC).isoformat() for event in kept]
    assert [row["begin"] for row in rows] == begins
    assert [(int(row["type"], 16), tuple(row["raw"])) for row in rows] == [(event.type, event.values) for event in kept]
    assert [line[:25].replace(" ", "T") for line in text.out.splitlines()] == begins
    assert [row["begin"] for row in csv.DictReader(table.out.splitlines())] == begins


async def test_lines_say_what_is_known() -> None:
    async with simulator() as simulated:
        done = await events(simulated)
    lines = [" ".join(line.split()[2:]) for line in done.out.splitlines()]
    assert "parameter changed power_mng.soc_min: 0.0 % → 7.0 %" in lines
    assert "parameter changed power_mng.use_grid_power_enable: true → false" in lines
    assert any(line.startswith("parameter changed power_mng.battery_type: ") for line in lines)
    assert "update 5661 → 5678" in lines
    assert "system reset 22s" in lines
    assert any(line.startswith("switch-on") and line.endswith(" V") for line in lines)
    assert any(line.startswith("surge or phase failure") and " code " in line for line in lines)


CHOICES = [  # options, what all names are
    (("--type", "update"), {"update"}),
    (("--type", "0x77"), {"update"}),
    (("--type", "119", "--type", "RESET"), {"update", "system reset"}),
    (("--type", "switch-on", "--type", "Fmax L1"), None),
    (("--object", "power_mng.soc_min"), {"parameter changed"}),
    (("--object", "power_mng.soc_min", "--type", "update"), set()),
    (("--until", "2001-01-01"), set()),
    (("--since", "1s"), set()),
]


@pytest.mark.parametrize(("options", "names"), CHOICES)
async def test_choice(options: tuple[str, ...], names: set[str] | None) -> None:
    async with simulator() as simulated:
        done = await events(simulated, *options, "--format", "jsonl")
        peer = f"127.0.0.1:{simulated.port}"
    found = {json.loads(line)["name"] for line in done.out.splitlines()}
    assert done.code == 0
    assert found == names or (names is None and found and all(name.startswith("switch-on") for name in found))
    assert done.err == ("" if found else f"{peer}: its log has no such event\n")


ERRORS = [  # options, what the error says
    (("--type", "nonsense"), "no event has 'nonsense' in its name"),
    (("--type", "-3"), "-3 is no type of an event"),
    (("--object", "battery.sox"), "unknown object 'battery.sox'; did you mean"),
    (("--since", "2999-01-01"), "since 2999-01-01T00:00:00+00:00 lies in the future"),
    (("--since", "2024-02-01", "--until", "2024-01-01"), "is not before"),
    (("--since", "never"), "'never' is neither a duration"),
    (("--time-zone", "Mars"), "'Mars' is no time zone"),
    (("--follow", "--until", "1d"), "--follow has no end"),
]


@pytest.mark.parametrize(("options", "message"), ERRORS)
async def test_errors_are_one_line_and_nothing_is_sent(options: tuple[str, ...], message: str) -> None:
    async with simulator() as simulated:
        done = await events(simulated, *options)
        assert simulated.inverter._asked == {}
    assert (done.code, done.out) == (2, "")
    (line,) = done.err.splitlines()
    assert message in line


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals between processes")
async def test_following_begins_with_the_oldest_and_goes_on() -> None:
    async with simulator() as simulated:
        address = ("--host", "127.0.0.1", "--port", simulated.port, "--time-zone", "UTC")
        async with running("rct", "events", *address, "--follow", "--since", "900d", "--format", "jsonl") as process:
            assert process.stdout is not None
            kept = simulated.inverter.history._events
            for event in kept:
                line = await asyncio.wait_for(process.stdout.readline(), 60)
                assert tuple(json.loads(line)["raw"]) == event.values
            process.send_signal(signal.SIGINT)
            done = await finish(process)
            assert done.code == 130, done.err
