"""Modes: what they set, and that all of it is put back, however they end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from test_writing import LEAST, POWER, STRATEGY, House, house, silence

from rct_tools.errors import NotNow, RctError, WriteFailed, WriteRefused
from rct_tools.frame import Command, Frame
from rct_tools.modes import MODES, STEERED, check_mode, differing, kept, put_back, steered
from rct_tools.objects import registry
from rct_tools.simulator import Faults
from rct_tools.simulator.control import Strategy
from rct_tools.values import Value
from rct_tools.writable import WRITABLE

from warp import warp

MOST = "power_mng.soc_max"
GRID = "power_mng.use_grid_power_enable"
SERIAL = "SIM0000008"

RECIPES: list[
    tuple[str, dict[str, float], float, Mapping[str, Value]]
] = [  # mode, options, state of charge, what it sets
    ("hold", {}, 0.4567, {LEAST: 0.45, STRATEGY: 4}),
    ("hold", {}, 0.4549, {LEAST: 0.44, STRATEGY: 4}),
    ("hold", {}, 0.05, {LEAST: 0.07, STRATEGY: 4}),  # below its limit: the limit stays
    ("charge", {"power": 3000.0}, 0.5, {POWER: -3000.0, GRID: True, STRATEGY: 2}),
    ("charge", {"power": 10100.0, "soc": 0.8}, 0.5, {MOST: 0.8, POWER: -10100.0, GRID: True, STRATEGY: 2}),
    ("discharge", {"power": 500.5}, 0.5, {POWER: 500.5, STRATEGY: 2}),
    ("discharge", {"power": 500.0, "soc": 0.3}, 0.5, {LEAST: 0.3, POWER: 500.0, STRATEGY: 2}),
    ("reserve", {"soc": 0.3}, 0.5, {LEAST: 0.3}),
    ("reserve", {"soc": 0.05}, 0.5, {LEAST: 0.07}),  # there is more already
]


def settings(it: House) -> dict[str, Value]:
    """Return all that can be set, as it is."""
    return {name: it.holds(name) for name in (*WRITABLE, "power_mng.soc_min_island")}


def left(folder: Path) -> list[Path]:
    """Return the files of what is to be put back."""
    return list(folder.glob("*.json"))


def charged(it: House, soc: float) -> None:
    it.simulator.house.battery.soc = soc


@pytest.mark.parametrize(("mode", "options", "soc", "values"), RECIPES)
def test_recipes(tmp_path: Path, mode: str, options: dict[str, Any], soc: float, values: Mapping[str, Value]) -> None:
    async def main() -> None:
        async with house(tmp_path) as it:
            charged(it, soc)
            before = settings(it)
            async with steered(it.writer, mode, **options, seconds=60) as on:
                assert settings(it) == before | {name: pytest.approx(value) for name, value in values.items()}
                assert {written.object.name: written.wanted for written in on.written} == dict(values)
                way_back, is_kept = await kept(it.writer)
                assert way_back is not None
                assert (way_back.mode, way_back.until, is_kept) == (mode, it.now + 60 * 10**9, True)
                assert [change.before for change in way_back.changes] == [before[name] for name in values]
                assert await differing(it.writer, on) == {}
            assert settings(it) == before
            assert on.restored is not None
            assert [written.object.name for written in on.restored.written] == list(values)[::-1]
            assert await kept(it.writer) == (None, False)
            assert not left(tmp_path)

    warp(main())


def test_what_they_do_to_the_battery(tmp_path: Path) -> None:
    """At night, with a household that wants power."""

    async def main() -> None:
        async with house(tmp_path) as it:
            home = it.simulator.house
            night = home.time + 12 * 3600
            home.advance(night, 300)

            def power(soc: float) -> float:
                home.battery.soc = soc
                home.advance(home.time + 60, 1)
                return home.bank.power

            assert power(0.609) > 100.0
            home.battery.soc = 0.609
            async with steered(it.writer, "hold"):
                assert home.control.soc_min == 0.6
                assert power(0.6) == 0.0
                assert home.grid > 100.0
            async with steered(it.writer, "charge", power=2000.0):
                assert power(0.6) == -2000.0
            async with steered(it.writer, "discharge", power=150.0):
                assert power(0.6) == 150.0
            async with steered(it.writer, "reserve", soc=0.5):
                assert power(0.5) == 0.0
                assert power(0.6) > 100.0
            assert home.control.strategy == Strategy.INTERNAL

    warp(main())


# --- what is refused ------------------------------------------------------------------------------------------------

WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("nonsense", {}, "there is no mode 'nonsense'; there are hold, charge"),
    ("hold", {"power": 100.0}, "hold takes no power"),
    ("hold", {"soc": 0.5}, "hold takes no soc"),
    ("charge", {}, "charge needs a power"),
    ("charge", {"power": 0.0}, "more than 0 W"),
    ("charge", {"power": -5.0}, "more than 0 W"),
    ("charge", {"power": float("nan")}, "more than 0 W"),
    ("charge", {"power": 10101.0}, "-10100 to 10100 W"),
    ("charge", {"power": 100.0, "soc": 1.01}, "0 to 1"),
    ("discharge", {"power": 100.0, "soc": 0.01}, "0.05 to 1"),
    ("reserve", {}, "reserve needs a soc"),
    ("reserve", {"soc": 0.123}, "2 decimals"),
]


@pytest.mark.parametrize(("mode", "options", "message"), WRONG)
def test_what_cannot_be_asked_changes_nothing(tmp_path: Path, mode: str, options: dict[str, Any], message: str) -> None:
    async def main() -> None:
        async with house(tmp_path) as it:
            with pytest.raises(WriteRefused, match=message):
                async with steered(it.writer, mode, **options):
                    raise AssertionError
            assert not it.writes
            assert not left(tmp_path)

    warp(main())


LATER: list[tuple[str, dict[str, Any], str]] = [
    ("reserve", {"soc": 0.6}, "is at 50.0 %, so mode reserve cannot keep 60.0 %"),
    ("discharge", {"power": 100.0, "soc": 0.6}, "so mode discharge cannot keep 60.0 %"),
    ("charge", {"power": 100.0, "soc": 0.5}, "is at 50.0 % already"),
]


@pytest.mark.parametrize(("mode", "options", "message"), LATER)
def test_what_the_charge_forbids_changes_nothing(
    tmp_path: Path, mode: str, options: dict[str, Any], message: str
) -> None:
    async def main() -> None:
        async with house(tmp_path) as it:
            charged(it, 0.5)
            with pytest.raises(NotNow, match=message):
                async with steered(it.writer, mode, **options):
                    raise AssertionError
            assert not it.writes

    warp(main())


def test_a_busy_battery_is_left_alone_but_always_put_back(tmp_path: Path) -> None:
    async def main() -> None:
        async with house(tmp_path) as it:
            charged(it, 0.5)
            it.set("battery.bat_status", 8)
            with pytest.raises(NotNow, match="--force-state"):
                async with steered(it.writer, "hold"):
                    raise AssertionError
            assert not it.writes
            it.set("battery.bat_status", 0)
            before = settings(it)
            async with steered(it.writer, "hold"):
                it.set("battery.bat_status", 8)
            assert settings(it) == before
            async with steered(it.writer, "hold", force_state=True):
                assert it.holds(LEAST) == pytest.approx(0.49)

    warp(main())


def test_a_charge_that_never_stands_still_is_one(tmp_path: Path) -> None:
    async def main() -> None:
        async with house(tmp_path) as it:
            answer = it.simulator.inverter.answer

            def draining(request: Frame) -> Frame | None:
                it.simulator.house.battery.soc -= 0.00001
                return answer(request)

            charged(it, 0.5)
            it.simulator.inverter.answer = draining  # type: ignore[method-assign]
            async with steered(it.writer, "hold"):
                assert it.holds(LEAST) == pytest.approx(0.49)

    warp(main())


def test_a_charge_that_makes_no_sense_is_none(tmp_path: Path) -> None:
    async def main() -> None:
        async with house(tmp_path) as it:
            charged(it, 1.7)
            with pytest.raises(NotNow, match=r"battery.soc is 1.7"):
                async with steered(it.writer, "hold"):
                    raise AssertionError

    warp(main())


def test_one_mode_at_a_time(tmp_path: Path) -> None:
    async def main() -> None:
        async with house(tmp_path) as it:
            charged(it, 0.5)
            async with steered(it.writer, "hold"):
                writes = len(it.writes)
                with pytest.raises(NotNow, match=r"process \d+ keeps mode hold"):
                    async with steered(it.writer, "charge", power=100.0):
                        raise AssertionError
                with pytest.raises(NotNow, match="keeps mode hold"):
                    await put_back(it.writer)
                assert len(it.writes) == writes
            assert await put_back(it.writer) is None

    warp(main())


def test_the_table_leaves_nothing_that_cannot_be_put_back() -> None:
    assert all(name in WRITABLE and not WRITABLE[name].changes for name in STEERED)
    assert all(mode.needs <= mode.takes <= {"power", "soc"} for mode in MODES.values())
    for mode in MODES.values():
        assert STRATEGY not in list(mode.steps)[:-1]  # it comes last
    check_mode("charge", 100.0, 0.03)


# --- how they end ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["charge", "discharge"])
def test_on_firmware_that_loses_most_writes(tmp_path: Path, mode: str) -> None:
    async def main() -> None:
        async with house(tmp_path, Faults(unwritten=0.6, lost=0.02, late=0.02, cut=0.02), "2.3.5678") as it:
            charged(it, 0.5)
            before = settings(it)
            for _ in range(10):
                async with steered(it.writer, mode, power=1000.0) as on:
                    assert await differing(it.writer, on) == {}
                assert settings(it) == before

    warp(main())


def test_whatever_ends_it_puts_it_back(tmp_path: Path) -> None:
    async def main() -> None:
        async with house(tmp_path) as it:
            charged(it, 0.5)
            before = settings(it)
            with pytest.raises(ZeroDivisionError):
                async with steered(it.writer, "charge", power=1000.0):
                    _ = 1 / 0
            assert settings(it) == before

            async def steer() -> None:
                async with steered(it.writer, "charge", power=1000.0):
                    await asyncio.Event().wait()

            for after in range(1, 8):  # writes, those that put it back too
                it.writes.clear()
                task = asyncio.create_task(steer())
                while len(it.writes) < min(after, 3):  # noqa: ASYNC110  # what the other side has
                    await asyncio.sleep(0.001)
                task.cancel()
                if after > 3:  # once more, while it puts back
                    while len(it.writes) < after - 1:  # noqa: ASYNC110
                        await asyncio.sleep(0.001)
                    task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                if after > 3:
                    await put_back(it.writer)
                assert settings(it) == before
                assert not left(tmp_path)

    warp(main())


def test_a_mode_that_cannot_be_set_is_put_back(tmp_path: Path) -> None:
    async def main() -> None:
        async with house(tmp_path) as it:
            charged(it, 0.5)
            before = settings(it)
            answer = it.simulator.inverter.answer

            def other(request: Frame) -> Frame | None:
                """Take another strategy than the one that is written."""
                if (request.command, request.object_id, request.payload) == (
                    Command.WRITE, registry[STRATEGY].object_id, b"\x02",
                ):  # fmt: skip
                    request = replace(request, payload=b"\x05")
                return answer(request)

            it.simulator.inverter.answer = other  # type: ignore[method-assign]
            with pytest.raises(WriteFailed, match="2 External: sent 16 times, it holds 5 Schedule"):
                async with steered(it.writer, "charge", power=1000.0):
                    raise AssertionError
            assert settings(it) == before

    warp(main())


def test_what_others_set_meanwhile_stays(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "rct_tools.modes")

    async def main() -> None:
        async with house(tmp_path) as it:
            charged(it, 0.5)
            before = settings(it)
            async with steered(it.writer, "charge", power=1000.0) as on:
                it.set(POWER, -500.0)
                assert await differing(it.writer, on) == {POWER: -500.0}
            assert settings(it) == before | {POWER: -500.0}
            assert on.restored is not None
            assert [(change.object.name, change.after) for change in on.restored.left] == [(POWER, -500.0)]
            assert not left(tmp_path)

    warp(main())
    assert "power_mng.battery_power_extern is -500.0 W, by others: it stays" in caplog.text


def test_it_waits_for_an_inverter_that_is_away(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with house(tmp_path) as it:
            it.writer.client._link.tries = None
            charged(it, 0.5)
            before = settings(it)
            async with steered(it.writer, "charge", power=1000.0):
                it.simulator.inverter.reboot = lambda: None  # type: ignore[method-assign]  # it keeps what it holds
                it.simulator.reboot(3600.0)
            assert settings(it) == before

    warp(main())
    assert "tried again in 300 s" in caplog.text


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such device")
def test_a_disk_that_is_full_keeps_nothing_from_going_back(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with house(tmp_path) as it:
            charged(it, 0.5)
            before = settings(it)
            async with steered(it.writer, "charge", power=1000.0):
                it.writer.journal.path.unlink()
                it.writer.journal.path.symlink_to("/dev/full")
            assert settings(it) == before
            assert not left(tmp_path)

    warp(main())
    assert "the begin of a write is not on record" in caplog.text


def test_what_a_moment_forbids_is_tried_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with house(tmp_path) as it:
            charged(it, 0.5)
            before = settings(it)
            path = it.writer.way_backs.path(SERIAL)
            aside = path.with_suffix(".aside")

            async def sleep(seconds: float) -> None:
                if path.is_dir():
                    path.rmdir()
                    aside.rename(path)
                await asyncio.sleep(seconds)

            async with steered(replace(it.writer, sleep=sleep), "charge", power=1000.0):
                path.rename(aside)
                path.mkdir()  # which cannot be read
            assert settings(it) == before
            assert not left(tmp_path)

    warp(main())
    assert "tried again in 10 s" in caplog.text


def test_who_has_to_end_now_says_what_is_left(tmp_path: Path) -> None:
    async def main() -> None:
        async with house(tmp_path) as it:
            charged(it, 0.5)
            before = settings(it)
            is_mute = False
            silence(it, registry[LEAST].object_id, lambda: is_mute)

            async def steer() -> None:
                nonlocal is_mute
                async with steered(it.writer, "hold"):
                    is_mute = True
                    raise ZeroDivisionError

            with pytest.raises(RctError, match=r"not everything is put back yet, see .*`rct mode normal` does it"):
                await steer()
            assert len(left(tmp_path)) == 1
            is_mute = False
            way_back, is_kept = await kept(it.writer)
            assert way_back is not None
            assert (way_back.mode, is_kept) == ("hold", False)
            restored = await put_back(it.writer)
            assert restored is not None
            assert settings(it) == before

    warp(main())


def test_one_object_that_is_silent_keeps_no_other_from_going_back(tmp_path: Path) -> None:
    async def main() -> None:
        async with house(tmp_path) as it:
            charged(it, 0.5)
            before = settings(it)
            is_mute = False
            silence(it, registry[STRATEGY].object_id, lambda: is_mute)

            async def steer() -> None:
                nonlocal is_mute
                async with steered(it.writer, "charge", power=1000.0):
                    is_mute = True
                    raise ZeroDivisionError

            with pytest.raises(RctError, match=f"no answer for {STRATEGY}; not everything is put back yet"):
                await steer()
            assert settings(it) == before | {STRATEGY: Strategy.EXTERNAL}
            is_mute = False
            await put_back(it.writer)
            assert settings(it) == before

    warp(main())


def test_who_has_to_end_now_tries_more_than_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with house(tmp_path) as it:
            charged(it, 0.5)
            before = settings(it)
            loop = asyncio.get_running_loop()
            until = 0.0
            silence(it, registry[LEAST].object_id, lambda: loop.time() < until)

            async def steer() -> None:
                nonlocal until
                async with steered(it.writer, "hold"):
                    until = loop.time() + 5.0
                    raise ZeroDivisionError

            with pytest.raises(ZeroDivisionError):
                await steer()
            assert settings(it) == before

    warp(main())
    assert "tried again in 1 s" in caplog.text


def test_the_next_mode_first_puts_back_what_is_left(tmp_path: Path) -> None:
    async def main() -> None:
        async with house(tmp_path) as it:
            charged(it, 0.5)
            before = settings(it)
            async with steered(it.writer, "charge", power=1000.0) as on:
                pass
            for change in on.way_back.changes:
                it.set(change.object.name, change.after)
            it.writer.way_backs.save(on.way_back)  # as a program leaves it that is killed
            async with steered(it.writer, "hold") as on:
                assert on.recovered is not None
                assert len(on.recovered.written) == 3
                assert settings(it) == before | {LEAST: pytest.approx(0.49)}
            assert settings(it) == before

    warp(main())


def test_another_inverter_at_the_same_address_is_left_alone(tmp_path: Path) -> None:
    async def main() -> None:
        async with house(tmp_path) as it:
            charged(it, 0.5)
            serial = registry["inverter_sn"]

            async def steer() -> None:
                async with steered(it.writer, "hold"):
                    it.simulator.inverter._memory[serial.object_id] = serial.encode("OTHER")
                    it.writes.clear()
                    raise ZeroDivisionError

            with pytest.raises(RctError, match=f"is inverter OTHER now, and what is to be put back is of {SERIAL}"):
                await steer()
            assert not it.writes
            assert await kept(it.writer) == (None, False)

    warp(main())


def test_what_does_not_stay_put_back_is_tried_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with house(tmp_path) as it:
            charged(it, 0.5)
            before = settings(it)
            answer = it.simulator.inverter.answer
            spoilt = False

            def spoiling(request: Frame) -> Frame | None:
                """Change the strategy with the limit, once."""
                nonlocal spoilt
                reply = answer(request)
                if request.command is Command.WRITE and request.object_id == registry[LEAST].object_id and not spoilt:
                    spoilt = True
                    answer(Frame(Command.WRITE, registry[STRATEGY].object_id, b"\x02"))
                return reply

            async with steered(it.writer, "discharge", power=100.0, soc=0.4):
                it.simulator.inverter.answer = spoiling  # type: ignore[method-assign]
            assert spoilt
            assert settings(it) == before

    warp(main())
    assert "power_mng.soc_strategy was put back, but is 2 External again; tried again in 10 s" in caplog.text
