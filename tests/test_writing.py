"""Guarded writes: done only when read back, refused with nothing sent, on record before anything happens."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest

from rct_tools.client import Client, connect
from rct_tools.errors import NoAnswer, NotNow, RctError, UnknownObject, WriteFailed, WriteRefused
from rct_tools.frame import Command, Frame
from rct_tools.objects import registry
from rct_tools.simulator import Faults, Simulator
from rct_tools.simulator.firmware import FIRMWARE
from rct_tools.times import SECOND
from rct_tools.values import Value
from rct_tools.wayback import Change, WayBack
from rct_tools.writing import MOST_AN_HOUR, TRIES, Writer, Written, default_folder, write

from warp import warp

START = datetime(2024, 6, 20, 11)  # noqa: DTZ001  # on the clock of the house
STRATEGY = "power_mng.soc_strategy"
LEAST = "power_mng.soc_min"
CHARGE = "power_mng.soc_charge"
POWER = "power_mng.battery_power_extern"


class House:
    """A simulated inverter, and a writer to it, whose clock is set by hand."""

    def __init__(self, simulator: Simulator, client: Client, folder: Path) -> None:
        self.simulator = simulator
        self.now = 1_800_000_000 * SECOND
        self.writes: list[Frame] = []  # that reached the inverter
        self.writer = Writer(client, folder, "a test", clock=lambda: self.now)
        answer = simulator.inverter.answer

        def watched(request: Frame) -> Frame | None:
            if request.command in (Command.WRITE, Command.LONG_WRITE):
                self.writes.append(request)
            return answer(request)

        simulator.inverter.answer = watched  # type: ignore[method-assign]  # as the line would show it

    def holds(self, name: str) -> Value:
        info = registry[name]
        return info.decode(self.simulator.inverter.payload(info))

    def set(self, name: str, value: Value) -> None:
        info = registry[name]
        self.simulator.inverter.answer(Frame(Command.WRITE, info.object_id, info.encode(value)))
        self.writes.clear()

    @property
    def record(self) -> list[dict[str, Any]]:
        path = self.writer.journal.path
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


@asynccontextmanager
async def house(folder: Path, faults: Faults | None = None, firmware: str = "") -> AsyncIterator[House]:
    simulator = Simulator(
        port=0, seed=7, latency=0.02, broadcast=False, start=START, faults=faults, firmware=firmware, speed=0
    )
    async with simulator, connect("127.0.0.1", simulator.port, attempts=3) as client:
        yield House(simulator, client, folder)
        assert not simulator.inverter.harm
        assert simulator.inverter.flashed == 0


# --- what is written ------------------------------------------------------------------------------------------------


def test_a_write_is_proven_and_on_record(tmp_path: Path) -> None:
    async def main() -> None:
        async with house(tmp_path) as it:
            written = await it.writer.write(LEAST, 0.2)
            assert written == Written(registry[LEAST], pytest.approx(0.07), 0.2, pytest.approx(0.2), 1)  # type: ignore[arg-type]
            assert it.holds(LEAST) == written.now
            assert len(it.writes) == 1
            begin, end = it.record
            assert begin == {
                "time": "2027-01-15T08:00:00.000000000+00:00", "event": "begin", "who": "a test",
                "process": begin["process"], "peer": it.writer.client.peer, "inverter": "SIM0000008",
                "object": LEAST, "old": pytest.approx(0.07), "wanted": 0.2,
            }  # fmt: skip
            more = {"event": "end", "outcome": "proven", "tries": 1, "now": written.now, "effects": {}}
            assert end == begin | more

    warp(main())


def test_what_it_holds_already_is_not_written(tmp_path: Path) -> None:
    async def main() -> None:
        async with house(tmp_path) as it:
            written = await it.writer.write(LEAST, 0.07)  # which four bytes hold a little off
            assert (written.tries, written.old, written.now) == (0, written.now, it.holds(LEAST))
            assert not it.writes
            assert not it.record

    warp(main())


def test_what_changes_with_it_is_told(tmp_path: Path) -> None:
    async def main() -> None:
        async with house(tmp_path) as it:
            intent = await it.writer.consider(CHARGE, 0.1)
            assert set(intent.before) == {LEAST, "power_mng.soc_min_island"}
            assert not it.writes
            written = await it.writer.write(CHARGE, 0.1)
            least, island = written.effects
            assert least.object.name == LEAST
            assert [least.before, least.after] == pytest.approx([0.07, 0.12])
            assert [island.before, island.after] == pytest.approx([0.12, 0.17])
            assert it.record[-1]["effects"] == {
                LEAST: [pytest.approx(0.07), pytest.approx(0.12)],
                "power_mng.soc_min_island": [pytest.approx(0.12), pytest.approx(0.17)],
            }

    warp(main())


def test_the_function_does_what_the_writer_does(tmp_path: Path) -> None:
    async def main() -> None:
        async with house(tmp_path) as it:
            written = await write(it.writer.client, POWER, -8000, folder=tmp_path)  # more than 6000: a large model
            assert it.holds(POWER) == written.now == -8000.0
            intent = await it.writer.consider("power_mng.soc_strat", 2)
            assert intent.frame == Frame(Command.WRITE, 0xF168B748, b"\x02")

    warp(main())


# --- what is refused ------------------------------------------------------------------------------------------------

REFUSED: list[tuple[str, object, type[RctError], str]] = [
    ("com_service", 5, WriteRefused, "never written"),
    ("pas.period", 0, WriteRefused, "never written"),
    ("power_mng.soc_min_island", 0.2, WriteRefused, "not among"),
    ("battery.soc", 0.2, WriteRefused, "not among"),
    ("logger.minutes_ubat_log_ts", 0, WriteRefused, "not among"),
    ("0x12345678", b"\0", WriteRefused, "not among"),
    ("nonsense", 1, UnknownObject, "unknown object"),
    (LEAST, 0.04, WriteRefused, "0.05 to 1"),
    (LEAST, float("nan"), WriteRefused, "0.05 to 1"),
    (LEAST, "20%", WriteRefused, "0.05 to 1"),
    (POWER, 10100.01, WriteRefused, "-10100 to 10100 W"),
    (POWER, float("inf"), WriteRefused, "of W"),
    (STRATEGY, 6, WriteRefused, "5 Schedule"),
]


@pytest.mark.parametrize(("name", "value", "error", "message"), REFUSED)
def test_what_may_not_be_written_is_not_sent(
    tmp_path: Path, name: str, value: object, error: type[RctError], message: str
) -> None:
    async def main() -> None:
        async with house(tmp_path) as it:
            for force in (False, True):
                with pytest.raises(error, match=message) as refused:
                    await it.writer.write(name, value, force_state=force)
                assert not isinstance(refused.value, NotNow)
            assert not it.writes
            assert not it.record

    warp(main())


STATES = [  # bat_status, status2, whether the battery may be steered
    (0, 0, True),
    (0, 1032, True),
    (0, 2048, True),
    (0, 8, False),
    (0, 4096, False),
    (8, 0, False),
    (1024, 1032, False),
    (2048, 2048, False),
]


@pytest.mark.parametrize(("status", "status2", "good"), STATES)
def test_a_busy_battery_is_left_alone_unless_forced(tmp_path: Path, status: int, status2: int, good: bool) -> None:
    async def main() -> None:
        async with house(tmp_path) as it:
            it.set("battery.bat_status", status)
            it.set("battery.status2", status2)
            if not good:
                with pytest.raises(NotNow, match=r"must not be steered now: battery.* --force-state"):
                    await it.writer.write(LEAST, 0.2)
                assert not it.writes
                assert not it.record
            assert (await it.writer.write(LEAST, 0.2, force_state=not good)).tries == 1

    warp(main())


@pytest.mark.parametrize("name", ["battery.bat_status", "p_rec_lim[0]", "inverter_sn"])
def test_without_what_has_to_be_known_nothing_is_sent(tmp_path: Path, name: str) -> None:
    async def main() -> None:
        async with house(tmp_path) as it:
            silence(it, registry[name].object_id)
            with pytest.raises((NotNow, NoAnswer), match="no answer for " + name.replace("[", "\\[")):
                await it.writer.write(POWER, 1000)
            assert not it.writes

    warp(main())


@pytest.mark.parametrize("most", [0.0, -1.0, float("nan"), float("inf")])
def test_a_limit_that_makes_no_sense_is_none(tmp_path: Path, most: float) -> None:
    async def main() -> None:
        async with house(tmp_path) as it:
            it.set("p_rec_lim[0]", most)
            with pytest.raises(NotNow, match=r"nobody knows what power_mng.battery_power_extern may be"):
                await it.writer.write(POWER, 1000)
            assert not it.writes

    warp(main())


def test_too_many_writes_are_refused_until_an_hour_is_over(tmp_path: Path) -> None:
    async def main() -> None:
        async with house(tmp_path) as it:
            for n in range(MOST_AN_HOUR):
                it.now += 10 * SECOND
                await it.writer.write(LEAST, 0.2 if n % 2 else 0.3)
            with pytest.raises(NotNow, match="60 times within an hour"):
                await it.writer.write(LEAST, 0.4)
            assert len(it.writes) == MOST_AN_HOUR
            assert (await it.writer.write("power_mng.soc_max", 0.9)).tries == 1  # another object
            old = it.holds(LEAST)
            back = await it.writer.put_back(Change(registry[LEAST], 0.07, old))  # there is always a way
            assert back is not None
            assert back.tries == 1
            assert await it.writer.put_back(Change(registry[LEAST], 0.06, 0.08)) is None  # others have set it
            it.now += 3601 * SECOND
            assert (await it.writer.write(LEAST, 0.4)).old != old

    warp(main())


def test_a_clock_that_was_years_ahead_forbids_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        async with house(tmp_path) as it:
            for n in range(MOST_AN_HOUR):
                await it.writer.write(LEAST, 0.2 if n % 2 else 0.3)
            it.now -= 4 * 366 * 86_400 * SECOND
            assert (await it.writer.write(LEAST, 0.4)).tries == 1

    warp(main())


def test_what_a_mode_holds_is_left_to_it(tmp_path: Path) -> None:
    async def main() -> None:
        async with house(tmp_path) as it:
            change = Change(registry[LEAST], it.holds(LEAST), 0.3)
            it.writer.way_backs.save(WayBack("SIM0000008", "", "hold", 1, it.now, None, (change,)))
            with pytest.raises(NotNow, match=r"mode hold has changed power_mng.soc_min"):
                await it.writer.write(LEAST, 0.2)
            with pytest.raises(
                NotNow, match=r"has changed power_mng.soc_min, which changes with power_mng.soc_charge,"
            ):
                await it.writer.write("power_mng.soc_charge", 0.1)
            assert not it.writes
            assert (await it.writer.write("power_mng.soc_max", 0.9)).tries == 1

    warp(main())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such device")
def test_nothing_is_sent_that_cannot_be_on_record(tmp_path: Path) -> None:
    async def main() -> None:
        (tmp_path / "writes.jsonl").symlink_to("/dev/full")
        async with house(tmp_path) as it:
            with pytest.raises(OSError, match="No space left"):
                await it.writer.write(LEAST, 0.2)
            assert not it.writes

    warp(main())


def test_a_record_that_cannot_be_ended_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with house(tmp_path) as it:
            path = it.writer.journal.path

            async def sleep(_seconds: float) -> None:
                path.unlink()
                path.mkdir()

            writer = Writer(it.writer.client, tmp_path, sleep=sleep)
            assert (await writer.write(LEAST, 0.2)).tries == 1

    warp(main())
    assert "the end of a write is not on record" in caplog.text


# --- when things go wrong -------------------------------------------------------------------------------------------


def silence(it: House, object_id: int, when: Callable[[], bool] = lambda: True) -> None:
    """Let the inverter not answer for an object."""
    answer = it.simulator.inverter.answer
    it.simulator.inverter.answer = lambda request: (  # type: ignore[method-assign]
        None if request.object_id == object_id and when() else answer(request)
    )


def test_a_thousand_writes_on_firmware_that_loses_most_of_them(tmp_path: Path) -> None:
    faults = FIRMWARE["2.3.5678"].faults
    tries = 1000

    async def main() -> tuple[int, int]:
        chance, proven, failed = Random(1), 0, 0
        lossy = Faults(cut=faults.cut, late=faults.late, lost=faults.lost, stub=faults.stub, unwritten=0.8)
        async with house(tmp_path, lossy, "2.3.5678") as it:
            for _ in range(tries):
                it.now += 3600 * SECOND
                before = it.holds(LEAST)
                wanted = chance.randint(5, 100) / 100
                it.writes.clear()
                try:
                    written = await it.writer.write(LEAST, wanted)
                except WriteFailed as exc:
                    failed += 1
                    said = exc.holds in (None, before), exc.tries, it.record[-1]["outcome"] == str(exc)
                    assert said == (True, TRIES, True)
                    assert it.holds(LEAST) == before
                except NoAnswer:  # before it was sent
                    assert not it.writes
                    assert it.holds(LEAST) == before
                else:
                    proven += 1
                    assert it.holds(LEAST) == written.now == pytest.approx(wanted)
                    assert written.old == before
                    assert written.tries == 0 or it.writes
            assert it.simulator.happened["unwritten"] > tries
            assert it.simulator.happened["late"] > tries / 10
        return proven, failed

    proven, failed = warp(main())
    assert proven > 0.9 * tries
    assert failed > 0.01 * tries


def test_one_answer_that_is_from_before_proves_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        async with house(tmp_path) as it:
            info = registry[LEAST]
            answer = it.simulator.inverter.answer
            writes = late = 0

            def stale(request: Frame) -> Frame | None:
                """Lose the first write, and then say what was held at some time before, once."""
                nonlocal writes, late
                if request.object_id == info.object_id and request.command is Command.WRITE:
                    writes += 1
                    return None if writes == 1 else answer(request)
                if request.object_id == info.object_id and writes == 1 and not late:
                    late += 1
                    return Frame(Command.RESPONSE, info.object_id, info.encode(0.2))
                return answer(request)

            it.simulator.inverter.answer = stale  # type: ignore[method-assign]
            assert (await it.writer.write(LEAST, 0.2)).tries == writes == 2
            assert late == 1
            assert it.holds(LEAST) == pytest.approx(0.2)

    warp(main())


def test_what_is_not_acknowledged_is_proven_all_the_same(tmp_path: Path) -> None:
    async def main() -> None:
        async with house(tmp_path, Faults(unacknowledged=1.0)) as it:
            assert (await it.writer.write(LEAST, 0.2)).tries == 1

    warp(main())


def test_when_it_does_not_say_what_it_holds_that_is_said(tmp_path: Path) -> None:
    async def main() -> None:
        async with house(tmp_path) as it:
            silence(it, registry[LEAST].object_id, lambda: bool(it.writes))
            with pytest.raises(WriteFailed, match="sent 16 times, it does not say what it holds") as failed:
                await it.writer.write(LEAST, 0.2)
            assert failed.value.holds is None
            assert it.record[-1]["now"] is None

    warp(main())


def test_a_lost_connection_is_no_failure(tmp_path: Path) -> None:
    async def main() -> None:
        async with house(tmp_path) as it:
            watched = it.simulator.inverter.answer

            def cut(request: Frame) -> Frame | None:
                reply = watched(request)
                if request.command is Command.WRITE and len(it.writes) == 1:
                    it.simulator.drop()
                    return None
                return reply

            it.simulator.inverter.answer = cut  # type: ignore[method-assign]
            written = await it.writer.write(LEAST, 0.2)
            assert written.tries == 1
            assert it.holds(LEAST) == written.now

    warp(main())


def test_an_inverter_that_is_gone_leaves_nobody_knowing(tmp_path: Path) -> None:
    async def main() -> None:
        async with house(tmp_path) as it:
            watched = it.simulator.inverter.answer

            def off(request: Frame) -> Frame | None:
                reply = watched(request)
                if request.command is Command.WRITE:
                    it.simulator.night()
                return reply

            it.simulator.inverter.answer = off  # type: ignore[method-assign]
            with pytest.raises(WriteFailed, match="sent 1 times, and nobody knows what it holds: cannot connect"):
                await it.writer.write(LEAST, 0.2)
            assert it.record[-1]["event"] == "end"

    warp(main())


def test_what_is_proven_stays_so_when_the_connection_is_lost_behind_it(tmp_path: Path) -> None:
    async def main() -> None:
        async with house(tmp_path) as it:
            watched, asked = it.simulator.inverter.answer, 0

            def off(request: Frame) -> Frame | None:
                nonlocal asked
                asked += bool(it.writes) and request.object_id == registry[LEAST].object_id
                if asked:
                    it.simulator.night()
                return watched(request)

            it.simulator.inverter.answer = off  # type: ignore[method-assign]
            written = await it.writer.write(CHARGE, 0.1)
            assert asked == 1
            assert written.now == pytest.approx(0.1)
            assert [effect.after for effect in written.effects] == [None, None]
            assert it.record[-1]["outcome"] == "proven"

    warp(main())


def test_a_write_that_is_interrupted_is_on_record(tmp_path: Path) -> None:
    async def main() -> None:
        async with house(tmp_path) as it:
            writing = asyncio.create_task(it.writer.write(LEAST, 0.2))
            while not it.writes:  # noqa: ASYNC110  # what the other side has
                await asyncio.sleep(0.001)
            writing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await writing
            assert [line["event"] for line in it.record] == ["begin", "end"]
            assert it.record[-1]["outcome"] == "interrupted"

    warp(main())


def test_answers_that_never_agree_are_not_believed(tmp_path: Path) -> None:
    async def main() -> None:
        async with house(tmp_path) as it:
            values = iter(range(100))
            answer = it.simulator.inverter.answer
            info = registry[LEAST]
            it.simulator.inverter.answer = lambda request: (  # type: ignore[method-assign]
                Frame(Command.RESPONSE, info.object_id, info.encode(next(values) / 100))
                if request.object_id == info.object_id
                else answer(request)
            )
            with pytest.raises(NoAnswer, match=LEAST):
                await it.writer.write(LEAST, 0.2)

    warp(main())


def test_the_folder_is_that_of_the_user_or_the_service(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    assert default_folder().name == "steering"
    monkeypatch.setenv("STATE_DIRECTORY", f"{tmp_path}:/other")
    assert default_folder() == tmp_path / "steering"
