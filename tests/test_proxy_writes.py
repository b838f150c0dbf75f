"""What clients of the proxy may write: nothing, unless its owner has named it; and some things never."""

from __future__ import annotations

import asyncio
import logging
import math
from typing import Any

import pytest

from rct_tools.frame import Command, Frame
from rct_tools.objects import registry
from rct_tools.proxy.complaints import PAUSE
from rct_tools.simulator import Simulator

from guests import House, house, read, simulate, turns, until, write
from peers import peer, requests, response
from warp import warped

MIN = "power_mng.soc_min"
MAX = "power_mng.soc_max"
NAMED = frozenset({MIN})
ALL = frozenset(info.name for info in registry)
WRITES = (Command.WRITE, Command.LONG_WRITE, Command.PLANT_WRITE, Command.PLANT_LONG_WRITE)


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    messages = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    return [message.partition(" ")[2] for message in messages]  # without the peer


def held(simulator: Simulator, name: str) -> Any:
    info = registry[name]
    return info.decode(simulator.inverter.payload(info))


def writes(home: House) -> list[Frame]:
    return [frame for frame in home.asked if frame.command in WRITES]


# --- refused --------------------------------------------------------------------------------------------------------


@warped
async def test_a_write_is_refused_and_answered_with_what_is_unchanged(caplog: pytest.LogCaptureFixture) -> None:
    async with simulate() as simulator, house(simulator) as home, home.guest() as guest:
        before = held(simulator, MIN)
        (frame,) = await guest.answers(write(MIN, 0.5))
        assert (frame.command, frame.object_id) == (Command.RESPONSE, registry[MIN].object_id)
        assert registry[MIN].decode(frame.payload) == before == held(simulator, MIN)
        assert writes(home) == []
        assert home.proxy.tally("127.0.0.1").refused == 1
        host, port = guest.writer.get_extra_info("sockname")
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING] == [
        f"{host}:{port}: a write to {MIN} was refused; --allow-write {MIN} would let it through"
    ]


@warped
async def test_refusals_do_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async with house() as home, home.guest() as guest, home.guest() as other:
        for _ in range(10):
            await guest.answers(write(MIN, 0.5))
            await other.answers(write(MIN, 0.5))  # the same host
        await guest.answers(write(MAX, 0.5))
        assert len(said(caplog)) == 2
        await asyncio.sleep(PAUSE)
        await guest.answers(write(MIN, 0.5))
    assert said(caplog)[2].endswith(" (and 19 times more since)")


@pytest.mark.parametrize("name", ["com_service", "pas.period"])
@pytest.mark.parametrize("command", WRITES)
@pytest.mark.parametrize("writable", [frozenset(), ALL], ids=["nothing named", "all named"])
def test_some_things_are_never_written(
    name: str, command: Command, writable: frozenset[str], caplog: pytest.LogCaptureFixture
) -> None:
    info = registry[name]

    @warped
    async def main() -> None:
        address = 4711 * command.is_plant
        async with house(writable=writable) as home, home.guest() as guest:
            for value in (5, 0):
                size = len((await guest.answers(*read(name)))[0].payload)
                frame = Frame(command, info.object_id, value.to_bytes(size), address)
                (answer,) = await guest.answers(frame)
                assert (answer.object_id, answer.address) == (info.object_id, address)
            assert b"".join(frame.encode() for frame in home.asked) == bytes(home.wire)
            assert writes(home) == []
            assert home.proxy.tally("127.0.0.1").written == 0

    main()
    assert said(caplog) == [f"a write to {name} was refused: that is never let through"]


@warped
async def test_what_nobody_knows_is_not_written() -> None:
    async with house(writable=NAMED) as home, home.guest() as guest:
        guest.ask(Frame(Command.WRITE, 0x01234567, b"\1"), Frame(Command.LONG_WRITE, 0x01234568, bytes(60000)))
        assert await guest.silence(20)
        assert writes(home) == []


@warped
async def test_a_page_asked_for_with_no_time_is_silence() -> None:
    series = registry["logger.minutes_soc_log_ts"].object_id
    async with house(writable=ALL) as home, home.guest() as guest:
        guest.ask(*(Frame(Command.WRITE, series, bytes(size)) for size in (0, 3, 5, 200)))
        assert await guest.silence(20)
        assert home.asked == []


# --- let through ----------------------------------------------------------------------------------------------------


@warped
async def test_what_is_named_is_written_and_read_back(caplog: pytest.LogCaptureFixture) -> None:
    async with simulate() as simulator, house(simulator, writable=NAMED) as home, home.guest() as guest:
        loop = asyncio.get_running_loop()
        began = loop.time()
        assert await guest.value(MIN) != 0.5  # and that is in the cache
        (frame,) = await guest.answers(write(MIN, 0.5))
        assert registry[MIN].decode(frame.payload) == 0.5 == held(simulator, MIN)
        assert loop.time() - began > 0.8
        assert home.asked == [*read(MIN), write(MIN, 0.5), *read(MIN)]
        assert await guest.value(MIN) == 0.5
        tally = home.proxy.tally("127.0.0.1")
        assert (tally.written, tally.refused) == (1, 0)
    assert said(caplog) == [f"wrote {MIN}: 0.5"]


@warped
async def test_a_member_of_a_plant_is_written_by_its_address() -> None:
    frame = Frame(Command.PLANT_WRITE, registry[MIN].object_id, registry[MIN].encode(0.5), 4711)
    async with house(writable=NAMED) as home, home.guest() as guest:
        (answer,) = await guest.answers(frame)
        assert (answer.command, answer.address) == (Command.PLANT_RESPONSE, 4711)
        assert [asked.command for asked in home.asked] == [Command.PLANT_WRITE, Command.PLANT_READ]


@warped
async def test_a_long_write_goes_on_as_a_short_one() -> None:
    frame = Frame(Command.LONG_WRITE, registry[MIN].object_id, registry[MIN].encode(0.5))
    async with house(writable=NAMED) as home, home.guest() as guest:
        await guest.answers(frame)
        assert writes(home) == [write(MIN, 0.5)]


@warped
async def test_after_a_write_nothing_is_young() -> None:
    """A write to one object may change others."""
    async with house(writable=NAMED, cache=60.0) as home, home.guest() as guest, home.guest() as other:
        await other.value(MAX)
        await other.value(MAX)
        assert len(home.asked) == 1
        await guest.answers(write(MIN, 0.5))
        await other.value(MAX)
        assert home.asked[1:] == [write(MIN, 0.5), *read(MIN, MAX)]


@warped
async def test_what_a_client_asks_after_a_write_is_answered_after_it() -> None:
    """Also where an answer of before is young; others do not wait."""
    async with (
        simulate() as simulator,
        house(simulator, writable=NAMED) as home,
        home.guest() as guest,
        home.guest() as other,
    ):
        before = await guest.value(MIN)
        guest.ask(write(MIN, 0.5), *read(MIN, MAX, MIN))
        await until(lambda: writes(home))
        assert await other.value(MIN) == before
        assert not guest.frames[1:]
        frames = await guest.hear(4)
        assert [registry[frame.object_id].name for frame in frames] == [MIN, MIN, MIN, MAX]  # what is young first
        assert {registry[MIN].decode(frame.payload) for frame in frames[:3]} == {0.5}


@warped
async def test_many_writes_of_one_client_do_not_keep_others_from_writing() -> None:
    async with (
        simulate() as simulator,
        house(simulator, writable=NAMED) as home,
        home.guest() as guest,
        home.guest() as other,
    ):
        guest.ask(*(write(MIN, 0.2 + number / 100) for number in range(10)))
        await until(lambda: writes(home))
        await other.answers(write(MIN, 0.9))
        assert len(writes(home)) <= 3


@warped
async def test_writes_are_one_after_the_other() -> None:
    async with house(writable=frozenset({MIN, MAX})) as home, home.guest() as first, home.guest() as second:
        first.ask(write(MIN, 0.25))
        second.ask(write(MAX, 0.75), write(MIN, 0.5))
        await first.hear()
        assert {registry[frame.object_id].name for frame in await second.hear(2)} == {MIN, MAX}
        kinds = [frame.command for frame in home.asked]
        assert kinds == [Command.WRITE, Command.READ] * 3
        values = [frame.payload for frame in (*first.frames, *second.frames)]
        assert sorted(values) == sorted(frame.payload for frame in writes(home))


@warped
async def test_it_is_answered_with_what_the_inverter_holds(caplog: pytest.LogCaptureFixture) -> None:
    """Which is not always what was written, whatever it acknowledged."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for frame in requests(reader):
            is_read = frame.command is Command.READ
            writer.write(response(MIN, 0.25 if is_read else registry[MIN].decode(frame.payload)))

    async with peer(script) as port, house(port, writable=NAMED) as home, home.guest() as guest:
        (frame,) = await guest.answers(write(MIN, 0.5))
        assert registry[MIN].decode(frame.payload) == 0.25
        assert await guest.value(MIN) == 0.25
    assert said(caplog) == [f"wrote {MIN}: 0.5, but it holds 0.25"]


@warped
async def test_many_are_taken_without_a_word() -> None:
    held = {registry[MIN].object_id: 0.25}

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for frame in requests(reader):
            if frame.command is Command.WRITE:
                held[frame.object_id] = registry[MIN].decode(frame.payload)  # type: ignore[assignment]
            else:
                writer.write(response(MIN, held[frame.object_id]))

    async with peer(script) as port, house(port, writable=NAMED) as home, home.guest() as guest:
        assert registry[MIN].decode((await guest.answers(write(MIN, 0.5)))[0].payload) == 0.5
        assert len(writes(home)) == 1


@warped
async def test_a_write_that_is_lost_is_not_sent_again(caplog: pytest.LogCaptureFixture) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for frame in requests(reader):
            if frame.command is Command.READ:
                writer.write(response(MIN, 0.25))

    async with peer(script) as port, house(port, writable=NAMED) as home, home.guest() as guest:
        assert registry[MIN].decode((await guest.answers(write(MIN, 0.5)))[0].payload) == 0.25
        assert len(writes(home)) == 1
    assert said(caplog) == [f"wrote {MIN}: 0.5, but it holds 0.25"]


@warped
async def test_an_inverter_that_says_nothing_of_it(caplog: pytest.LogCaptureFixture) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for frame in requests(reader):
            if registry[frame.object_id].name == "svnversion":
                writer.write(response("svnversion", "1"))

    async with peer(script) as port, house(port, writable=NAMED) as home, home.guest() as guest:
        guest.ask(write(MIN, 0.5))
        assert await guest.silence(20)
        assert len(writes(home)) == 1
    assert said(caplog) == [f"wrote {MIN}; the inverter does not say what it holds"]


@warped
async def test_a_write_is_not_repeated_on_the_next_connection(caplog: pytest.LogCaptureFixture) -> None:
    sessions = 0

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sessions
        sessions += 1
        async for frame in requests(reader):
            if frame.command is Command.WRITE:
                return
            writer.write(response(MIN, 0.25))

    async with peer(script) as port, house(port, writable=NAMED) as home, home.guest() as guest:
        await guest.value(MIN)
        guest.ask(write(MIN, 0.5))
        await until(lambda: sessions == 2)
        assert await guest.silence(20)
        assert await guest.value(MIN) == 0.25
        assert len(writes(home)) == 1
    assert f"a write to {MIN} failed: 127.0.0.1:{port}: lost when {MIN} was to be written; read it back" in said(caplog)


@warped
async def test_what_does_not_fit_is_not_written(caplog: pytest.LogCaptureFixture) -> None:
    async with house(writable=NAMED) as home, home.guest() as guest:
        for size in (2, 300):
            await guest.answers(Frame(Command.LONG_WRITE, registry[MIN].object_id, bytes(size)))
        assert home.asked == read(MIN)
    assert said(caplog) == [f"a write to {MIN} was refused: {MIN}: expected FLOAT (4 bytes), got 2 bytes: 00 00"]


@warped
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
async def test_what_is_no_number_is_not_written(value: float, caplog: pytest.LogCaptureFixture) -> None:
    async with house(writable=NAMED) as home, home.guest() as guest:
        await guest.answers(write(MIN, value))
        assert writes(home) == []
    assert said(caplog) == [f"a write to {MIN} was refused: {value} is no number"]


@warped
async def test_what_fits_no_frame_is_not_written(caplog: pytest.LogCaptureFixture) -> None:
    name = "android_description"
    async with house(writable=frozenset({name})) as home, home.guest() as guest:
        guest.ask(Frame(Command.LONG_WRITE, registry[name].object_id, bytes(300)))
        assert await guest.silence(20)
        assert home.asked == []
        assert home.proxy.tally("127.0.0.1").written == 0
    assert len(said(caplog)) == 1
    assert said(caplog)[0].startswith(f"a write to {name} failed: frame does not fit")


@warped
async def test_who_leaves_before_its_turn_has_written_all_the_same() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for frame in requests(reader):
            await asyncio.sleep(0.5)
            writer.write(response(registry[frame.object_id].name, 0.25))

    async with peer(script) as port, house(port, writable=NAMED) as home, home.guest() as other:
        other.ask(*read(MAX))
        async with home.guest(settled=False) as guest:
            guest.ask(write(MIN, 0.5))
            await until(lambda: len(home.proxy._jobs) == 2)
        await turns()
        await other.hear()
        await other.silence(20)
        assert len(writes(home)) == 1  # as some clients do: they write and hang up
        assert not home.proxy._jobs


@warped
async def test_who_leaves_after_it_has_written_all_the_same() -> None:
    async with simulate() as simulator, house(simulator, writable=NAMED) as home:
        async with home.guest() as guest:
            guest.ask(write(MIN, 0.5))
            await until(lambda: writes(home))
        await asyncio.sleep(5)
        assert held(simulator, MIN) == 0.5
        assert len(home.asked) == 2  # it was read back, for the log
        assert not home.proxy._jobs


@warped
async def test_the_log_does_not_tell_what_is_private(caplog: pytest.LogCaptureFixture) -> None:
    name = "android_description"
    assert registry[name].private
    async with simulate() as simulator, house(simulator, writable=frozenset({name})) as home, home.guest() as guest:
        size = len(simulator.inverter.payload(registry[name]))
        await guest.answers(Frame(Command.WRITE, registry[name].object_id, b"Smith".ljust(size, b"\0")))
    assert said(caplog) == [f"wrote {name}: {size} bytes"]
