"""The library: what an inverter gives and takes, its errors, and that all public names say what they do."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import rct_tools
from rct_tools import ConfigError, Inverter, NotNow, RctError, UnknownObject, WriteRefused, connect, errors, health
from rct_tools.events import read_events
from rct_tools.history import read_history
from rct_tools.simulator import Simulator
from rct_tools.times import SECOND

from answering import NOON, Answering
from warp import warp

BERLIN = ZoneInfo("Europe/Berlin")
MIDDAY = int(NOON.replace(tzinfo=BERLIN).timestamp()) * SECOND
HOUR = 3600 * SECOND
LEAST = "power_mng.soc_min"


def at(simulator: Simulator, folder: Path, zone: str = "Europe/Berlin") -> Inverter:
    return connect(
        "127.0.0.1", simulator.port, zone=zone, who="a test", folder=folder, timeout=0.5, clock=lambda: MIDDAY
    )


async def test_it_gives_what_the_rooms_below_give(tmp_path: Path) -> None:
    async with Answering({}) as simulator, at(simulator, tmp_path) as inverter:
        since, zone = MIDDAY - HOUR, "Europe/Berlin"
        rows = [row async for row in inverter.history(since=since, until=MIDDAY, series=["SOC", "Pload"])]
        below = read_history(
            inverter, since=since, until=MIDDAY, series=["SOC", "Pload"], zone=zone, now=lambda: MIDDAY
        )
        assert rows == [row async for row in below]
        assert len(rows) == 12
        assert rows[0].values.keys() == {"SOC", "Pload"}
        events = [event async for event in inverter.events(until=MIDDAY)]
        assert events == [event async for event in read_events(inverter, until=MIDDAY, zone=zone, now=lambda: MIDDAY)]
        begins = sorted({event.begin for event in events})
        some = [event async for event in inverter.events(since=begins[1], until=begins[-1])]
        assert some == [event for event in events if begins[0] < event.begin < begins[-1]] != []
        async with aclosing(inverter.follow_events(since=events[2].begin)) as following:  # type: ignore[type-var]
            assert {(await anext(following)).begin, (await anext(following)).begin} <= {it.begin for it in events[:3]}
        now = await inverter.status()
        assert now.powers == (await health.status(inverter)).powers
        assert now.clock == datetime(2024, 6, 21, 12, tzinfo=BERLIN)
        assert str(now.clock.tzinfo if now.clock else "") == "Europe/Berlin"
        assert (await inverter.battery()).towers == (await health.battery(inverter, zone=BERLIN)).towers


async def test_the_zone_is_that_of_its_clock(tmp_path: Path) -> None:
    async def newest(zone: str) -> int:
        async with Answering({}) as simulator, at(simulator, tmp_path, zone) as inverter:
            async for row in inverter.history(since=MIDDAY - 9 * HOUR, series=["SOC"]):
                return row.time
        raise AssertionError

    assert await newest("UTC") - await newest("Europe/Berlin") == 2 * HOUR


async def test_the_zone_is_that_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    assert connect("192.0.2.7").zone == ZoneInfo("America/New_York")


def test_a_write_is_proven_and_on_record(tmp_path: Path) -> None:
    async def main() -> None:
        async with Simulator(port=0, broadcast=False, start=NOON) as simulator, at(simulator, tmp_path) as inverter:
            written = await inverter.write(LEAST, 0.2)
            assert written.now == pytest.approx(0.2)
            assert (await inverter.read(LEAST)).value == written.now

    warp(main())
    entries = [json.loads(line) for line in (tmp_path / "writes.jsonl").read_text("utf-8").splitlines()]
    assert [(entry["event"], entry["who"]) for entry in entries] == [("begin", "a test"), ("end", "a test")]


def test_a_mode_is_on_while_a_block_runs(tmp_path: Path) -> None:
    async def main() -> None:
        async with Simulator(port=0, broadcast=False, start=NOON) as simulator, at(simulator, tmp_path) as inverter:
            before = (await inverter.read(LEAST)).value
            async with inverter.mode("reserve", soc=0.5, seconds=60) as on:
                assert (await inverter.read(LEAST)).value == 0.5
                with pytest.raises(NotNow, match="mode reserve has changed"):
                    await inverter.write(LEAST, 0.3)
            assert (await inverter.read(LEAST)).value == before
            assert on.restored is not None

    warp(main())
    assert not list(tmp_path.glob("*.json"))


def test_a_mode_is_put_back_when_its_block_fails(tmp_path: Path) -> None:
    async def main() -> None:
        async with Simulator(port=0, broadcast=False, start=NOON) as simulator, at(simulator, tmp_path) as inverter:
            before = (await inverter.read(LEAST)).value
            with pytest.raises(ZeroDivisionError):
                async with inverter.mode("reserve", soc=0.5):
                    raise ZeroDivisionError
            assert (await inverter.read(LEAST)).value == before

    warp(main())


async def all_of(rows: AsyncIterator[object]) -> None:
    async for _ in rows:
        pass


async def entered(inverter: Inverter, mode: str, **options: Any) -> None:
    async with inverter.mode(mode, **options):
        pass


BAD: list[tuple[Callable[[Inverter], Awaitable[object]], type[RctError], str]] = [
    (lambda it: it.read("battery.sok"), UnknownObject, "did you mean battery.so"),
    (lambda it: all_of(it.history("hours")), ConfigError, "unknown resolution 'hours'"),
    (lambda it: all_of(it.history(series=["SOK"])), UnknownObject, "unknown series of minutes 'SOK'"),
    (lambda it: all_of(it.history(since=MIDDAY, until=MIDDAY - HOUR)), ConfigError, "nothing lies between"),
    (lambda it: all_of(it.history(until=MIDDAY + 99 * HOUR)), ConfigError, "lies in the future"),
    (lambda it: all_of(it.events(since=MIDDAY + 99 * HOUR)), ConfigError, "lies in the future"),
    (lambda it: all_of(it.follow_events(since=MIDDAY + 99 * HOUR)), ConfigError, "lies in the future"),
    (lambda it: it.write("power_mng.sok_min", 0.2), UnknownObject, "did you mean"),
    (lambda it: it.write("com_service", 1), WriteRefused, "could harm the inverter"),
    (lambda it: it.write("battery.soc", 0.2), WriteRefused, "is not among what may be written"),
    (lambda it: it.write(LEAST, 20), WriteRefused, "expected 0.05 to 1"),
    (lambda it: it.write(LEAST, float("nan")), WriteRefused, "expected 0.05 to 1"),
    (lambda it: it.write(LEAST, "20%"), WriteRefused, "expected 0.05 to 1"),
    (lambda it: entered(it, "sell"), WriteRefused, "there is no mode 'sell'"),
    (lambda it: entered(it, "charge"), WriteRefused, "mode charge needs a power"),
    (lambda it: entered(it, "charge", power=-1.0), WriteRefused, "must be more than 0 W"),
    (lambda it: entered(it, "reserve", soc=30.0), WriteRefused, "expected 0.05 to 1"),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD, ids=[message for *_, message in BAD])
async def test_bad_input_is_one_line_and_nothing_is_sent(
    tmp_path: Path, call: Callable[[Inverter], Awaitable[object]], error: type[RctError], message: str
) -> None:
    async with Answering({}) as simulator, at(simulator, tmp_path) as inverter:
        with pytest.raises(error, match=message) as caught:
            await call(inverter)
    assert "\n" not in str(caught.value)
    assert not any(True for _ in os.scandir(tmp_path))


def test_a_zone_that_does_not_exist_is_said_at_once() -> None:
    with pytest.raises(ConfigError, match="'Europe/Berlinn' is no time zone; did you mean Europe/Berlin"):
        connect("192.0.2.7", zone="Europe/Berlinn")


async def test_without_an_inverter_there_is_an_error() -> None:
    with pytest.raises(rct_tools.ConnectFailed):
        async with connect("127.0.0.1", 1, tries=1):
            raise AssertionError
    with pytest.raises(rct_tools.ConnectionLost, match="enter the client with async with"):
        await connect("127.0.0.1", 1).status()


# --- what the public names say of themselves ----------------------------------------------------------------------

PUBLIC = {name: getattr(rct_tools, name) for name in rct_tools.__all__}
CALLS = {name: it for name, it in PUBLIC.items() if inspect.isroutine(it)} | {
    f"Inverter.{name}": it for name, it in inspect.getmembers(Inverter, inspect.isroutine) if not name.startswith("_")
}
SAFE = {"Inverter.close", "Inverter.leave", "Inverter.hearing", "Inverter.overhearing"}  # nothing can go wrong there
UNITS = {  # what has a unit, and how it is told
    "Inverter.history": ("nanoseconds", "W, Wh, V, °C", "from 0 to 1"),
    "Inverter.events": ("nanoseconds",),
    "Inverter.follow_events": ("nanoseconds", "seconds"),
    "Inverter.status": ("W", "Wh", "from 0 to 1"),
    "Inverter.battery": ("V, °C and mΩ",),
    "Inverter.write": ("unit", "from 0 to 1"),
    "Inverter.mode": ("W", "from 0 to 1"),
    "connect": ("seconds", "nanoseconds"),
}


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_says_what_it_is(name: str) -> None:
    doc = inspect.getdoc(type(PUBLIC[name]) if name == "registry" else PUBLIC[name])
    assert doc
    assert not doc.startswith(f"{name}("), "that is what a dataclass says of itself"
    assert not isinstance(PUBLIC[name], ModuleType)


@pytest.mark.parametrize("name", CALLS)
def test_a_call_says_what_it_raises(name: str) -> None:
    doc = " ".join((inspect.getdoc(CALLS[name]) or "").split())
    assert "aises" in doc or name in SAFE
    for part in UNITS.get(name, ()):
        assert part in doc
    if not name.startswith("Inverter.") or name.removeprefix("Inverter.") in vars(Inverter):
        assert all(f"``{it}``" in doc for it in inspect.signature(CALLS[name]).parameters if it not in ASIDE)


ASIDE = {"self", "host", "port", "names", "data_type", "value", "payload"}  # said by their names, or in the first line


def test_every_unit_is_looked_for() -> None:
    assert UNITS.keys() <= CALLS.keys()
    assert CALLS.keys() >= SAFE


def test_all_errors_are_public() -> None:
    ours = {name for name, it in vars(errors).items() if inspect.isclass(it) and issubclass(it, RctError)}
    assert ours <= PUBLIC.keys()


def test_what_is_not_there_is_said() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'readd'"):
        rct_tools.readd  # noqa: B018  # the point of the test
    assert asyncio.iscoroutinefunction(Inverter.status)
