"""A capture once more: its pace, what its inverter says unasked and answers, and all of it over a socket."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing, suppress
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rct_tools.capture import CaptureItem, Chunk, Damage, Direction
from rct_tools.client import connect
from rct_tools.errors import CaptureError, NoAnswer
from rct_tools.frame import Command, Frame
from rct_tools.objects import registry
from rct_tools.parser import FrameParser
from rct_tools.simulator import Simulator, recorded
from rct_tools.simulator.recorded import RecordedInverter
from rct_tools.simulator.replay import Replay, paced
from rct_tools.stream import MOST_STREAMS
from rct_tools.times import SECOND
from rct_tools.values import Event, EventTable, Sample, TimeSeries, Value

from peers import response
from warp import warp

T0 = 1_700_000_000 * SECOND
SOC = registry["battery.soc"]
SERIES = registry["logger.minutes_soc_log_ts"]
EVENTS = registry["logger.error_log_time_stamp"]
Result = TypeVar("Result")


def heard(seconds: float, data: bytes, connection: int = 0) -> Chunk:
    return Chunk(T0 + round(seconds * SECOND), Direction.RECEIVED, data, connection)


def sent(seconds: float, frame: Frame, connection: int = 0) -> Chunk:
    return Chunk(T0 + round(seconds * SECOND), Direction.SENT, frame.encode(), connection)


def read(name: str) -> Frame:
    return Frame(Command.READ, registry[name].object_id)


def told(frame: Frame) -> bytes:
    return b"\0" + frame.encode()


def soc(value: float) -> bytes:
    return response("battery.soc", value)


def page(before: int, rows: int = 3) -> Frame:
    samples = tuple(Sample(before - 300 * n, 0.5) for n in range(1, rows + 1))
    return Frame(Command.LONG_RESPONSE, SERIES.object_id, SERIES.encode(TimeSeries(before, samples)))


def ask_page(before: int) -> Frame:
    return Frame(Command.WRITE, SERIES.object_id, before.to_bytes(4))


# --- the pace -------------------------------------------------------------------------------------------------------


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.now += seconds


async def due_times(items: Iterable[CaptureItem], speed: float, slow: float = 0.0) -> list[float]:
    """Return when each chunk came, in seconds from the start; ``slow`` is how long each takes its taker."""
    clock = Clock()
    times = []
    async with aclosing(paced(items, speed, clock=clock, sleep=clock.sleep)) as chunks:
        async for _ in chunks:
            times.append(round(clock.now - 1000.0, 6))
            clock.now += slow
    return times


PACES: dict[str, tuple[Sequence[float], float, Sequence[float]]] = {  # times in the capture, speed, when due
    "nothing": ([], 1, []),
    "as it was": ([0, 0.5, 0.5, 31], 1, [0, 0.5, 0.5, 31]),
    "faster": ([0, 60, 3600], 60, [0, 1, 60]),
    "slower": ([0, 1, 3], 0.5, [0, 2, 6]),
    "as fast as possible": ([0, 60, 1e6], 0, [0, 0, 0]),
    "a day of silence": ([0, 86_400, 86_401], 1, [0, 86_400, 86_401]),
    "a clock set back an hour": ([0, 10, -3590, -3585], 1, [0, 10, 10, 15]),
    "packets that changed places": ([0, 10, 9.5, 10.5, 9, 11], 1, [0, 10, 10, 10.5, 10.5, 11]),
}


@pytest.mark.parametrize(("times", "speed", "due"), PACES.values(), ids=PACES.keys())
async def test_pace(times: Sequence[float], speed: float, due: Sequence[float]) -> None:
    assert await due_times([heard(time, b"x") for time in times], speed) == list(due)


async def test_a_slow_taker_catches_up() -> None:
    chunks = [heard(time, b"x") for time in (0, 1, 2, 3, 20)]
    assert await due_times(chunks, 1, slow=2.5) == [0, 2.5, 5, 7.5, 20]


async def test_the_pace_does_not_drift() -> None:
    chunks = [heard(n / 3, b"x") for n in range(3001)]
    assert (await due_times(chunks, 1))[-1] == 1000


async def test_chunks_without_time_come_at_once_and_hold_nothing_up() -> None:
    timeless = Chunk(0, Direction.RECEIVED, b"x")
    assert await due_times([timeless] * 3, 1) == [0, 0, 0]
    assert await due_times([heard(0, b"x"), timeless, heard(5, b"x"), timeless], 1) == [0, 0, 5, 5]


async def test_damage_is_left_out_of_the_pace() -> None:
    assert await due_times([Damage(0, ""), heard(0, b"x"), Damage(9, ""), heard(2, b"x")], 1) == [0, 2]


@given(st.lists(st.integers(0, 2**62)), st.sampled_from([0.0, 0.001, 1.0, 86_400.0, float("nan"), float("inf")]))
def test_no_times_harm_the_pace(times: list[int], speed: float) -> None:
    due = asyncio.run(due_times([Chunk(time, Direction.RECEIVED, b"x") for time in times], speed))
    assert due == sorted(due)
    assert len(due) == len(times)


async def test_others_get_their_turn_when_all_is_late() -> None:
    turns: list[int] = []

    async def other() -> None:
        while True:
            turns.append(len(turns))
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    async with aclosing(paced([heard(0, b"x")] * 100, 0)) as chunks:
        assert len([chunk async for chunk in chunks]) == 100
    task.cancel()
    assert len(turns) >= 100


# --- what is said unasked -------------------------------------------------------------------------------------------


def unasked(chunks: Iterable[Chunk]) -> list[bytes]:
    """Return what is told at each chunk, and at the end."""
    inverter = RecordedInverter()
    return [*(inverter.take(chunk) for chunk in chunks), inverter.close()]


def frames(data: bytes) -> list[Frame]:
    parser = FrameParser()
    return [event for event in parser.feed(data) + parser.close() if isinstance(event, Frame)]


FRAMES = [
    frame for name, value in (("battery.soc", 0.5), ("fault[0].flt", 0)) for frame in frames(response(name, value))
]
noise = st.lists(
    st.sampled_from([b"\x2b", b"\x2d", b"\x00", b"\x05", b"\x06", b"\x45", b"\xff", b"+++", b"AT+\r", b"\x2b\x3c\xe1"])
    | st.binary(max_size=3)
    | st.builds(told, st.builds(Frame, st.sampled_from([Command.RESPONSE, Command.READ]), st.integers(0, 2**32 - 1)))
    | st.builds(lambda frame, end: told(frame)[:end], st.sampled_from(FRAMES), st.integers(1, 12)),
    max_size=12,
).map(b"".join)


def cut(data: bytes, sizes: Sequence[int]) -> list[bytes]:
    """Cut bytes into pieces of these sizes, again and again."""
    pieces, at, turn = [], 0, 0
    while at < len(data):
        pieces.append(data[at : at + sizes[turn % len(sizes)]])
        at += len(pieces[-1])
        turn += 1
    return pieces


@given(noise, st.lists(st.integers(1, 30), min_size=1, max_size=5))
def test_every_byte_of_a_connection_is_told_however_it_was_cut(data: bytes, sizes: list[int]) -> None:
    assert b"".join(unasked(heard(n, piece) for n, piece in enumerate(cut(data, sizes)))) == data


def test_a_frame_is_told_when_it_is_whole_and_noise_at_once() -> None:
    one, two = soc(0.1), soc(0.2)
    chunks = [heard(0, b"+++\0" + one[1:5]), heard(1, one[5:] + b"noise" + two[:3]), heard(2, two[3:] + b"\x2b\x05")]
    assert unasked(chunks) == [b"+++", one + b"noise", two, b"\x2b\x05"]


def test_a_cut_frame_goes_with_what_shows_it() -> None:
    assert unasked([heard(0, soc(0.1)[:-3]), heard(8, soc(0.2))]) == [b"", soc(0.1)[:-3] + soc(0.2), b""]


ANSWERED: dict[str, tuple[list[Chunk], bytes]] = {  # what was recorded, and what of it is told
    "a read": ([sent(0, read("battery.soc")), heard(0.1, soc(0.5))], b""),
    "a read among others": (
        [sent(0, read("battery.soc")), heard(0.1, b"+++" + response("db.temp1", 20.0) + soc(0.5) + b"!" + soc(0.6))],
        b"+++" + response("db.temp1", 20.0) + b"!" + soc(0.6),
    ),
    "a write": (
        [sent(0, Frame(Command.WRITE, SOC.object_id, bytes(4))), heard(0.1, response("battery.soc", 0.0))],
        b"",
    ),
    "a page of history": ([sent(0, ask_page(9000)), heard(0.5, told(page(9000)))], b""),
    "a plant read": (
        [
            sent(0, Frame(Command.PLANT_READ, SOC.object_id, b"", 7)),
            heard(0.1, told(Frame(Command.PLANT_RESPONSE, SOC.object_id, bytes(4), 7))),
        ],
        b"",
    ),
    "another address": (
        [sent(0, Frame(Command.PLANT_READ, SOC.object_id, b"", 8)), heard(0.1, soc(0.5))],
        soc(0.5),
    ),
    "another object": ([sent(0, read("db.temp1")), heard(0.1, soc(0.5))], soc(0.5)),
    "with noise before it": ([sent(0, read("battery.soc")), heard(0.1, b"!!" + soc(0.5) + soc(0.6))], b"!!" + soc(0.6)),
    "too late": ([sent(0, read("battery.soc")), heard(3.1, soc(0.5))], soc(0.5)),
    "once asked, twice told": ([sent(0, read("battery.soc")), heard(1, soc(0.5) + soc(0.6))], soc(0.6)),
    "twice asked, twice told": (
        [sent(0, read("battery.soc")), sent(0.1, read("battery.soc")), heard(1, soc(0.5) + soc(0.6))],
        b"",
    ),
    "an answer that was cut, with a good checksum": (
        [sent(0, read("battery.soc")), heard(0.1, told(Frame(Command.RESPONSE, SOC.object_id, b"\x3e")))],
        b"",
    ),
    "an echo, and what inverters tell each other": (
        [sent(0, read("battery.soc")), heard(0.1, read("battery.soc").encode() + told(Frame(Command.WRITE, 5)))],
        read("battery.soc").encode() + told(Frame(Command.WRITE, 5)),
    ),
    "registered, told again and again": (
        [sent(0, Frame(Command.READ_PERIODICALLY, SOC.object_id)), heard(0.1, soc(0.5))],
        soc(0.5),
    ),
    "asked by another client": ([sent(0, read("battery.soc"), 1), heard(0.1, soc(0.5), 0)], b""),
    "noise that was sent": ([Chunk(T0, Direction.SENT, b"\x2b\x3c\xe1+\x07+"), heard(0.1, soc(0.5))], soc(0.5)),
}


@pytest.mark.parametrize(("chunks", "rest"), ANSWERED.values(), ids=ANSWERED.keys())
def test_answers_are_not_told_unasked(chunks: list[Chunk], rest: bytes) -> None:
    assert b"".join(unasked(chunks)) == rest


COPIES: dict[str, tuple[list[Chunk], bytes]] = {
    "two hear the same": ([heard(0, soc(0.1), 0), heard(0.01, soc(0.1), 1)], soc(0.1)),
    "cut differently": (
        [
            heard(0, soc(0.1) + soc(0.2)[:5], 0),
            heard(0, soc(0.1)[:7], 1),
            heard(0.1, soc(0.2)[5:], 0),
            heard(0.2, soc(0.1)[7:] + soc(0.2), 1),
        ],
        soc(0.1) + soc(0.2),
    ),
    "the other is first": (
        [heard(0, soc(0.1), 0), heard(0.1, soc(0.2), 1), heard(0.2, soc(0.1), 1), heard(0.3, soc(0.2), 0)],
        soc(0.1) + soc(0.2),
    ),
    "the same twice": (
        [heard(0, soc(0.1), 0), heard(0, soc(0.1), 1), heard(1, soc(0.1), 1), heard(1, soc(0.1), 0)],
        soc(0.1) * 2,
    ),
    "the same again after one has ended": (
        [heard(0, soc(0.1), 0), heard(0, soc(0.1), 1), heard(1, soc(0.1), 1)],
        soc(0.1) * 2,
    ),
    "the same much later": ([heard(0, soc(0.1), 0), heard(31, soc(0.1), 1)], soc(0.1) * 2),
    "one ends and another begins": (
        [heard(0, b"+++" + soc(0.1), 0), heard(0.3, b"late tail" + soc(0.2), 1), heard(0.4, b"+++", 1)],
        b"+++" + soc(0.1) + b"late tail" + soc(0.2) + b"+++",
    ),
    "one ends, the other goes on": (
        [heard(0, soc(0.1), 0), heard(0, soc(0.1), 1), heard(0.5, soc(0.2), 1), heard(1, soc(0.3), 1)],
        soc(0.1) + soc(0.2) + soc(0.3),
    ),
    "noise once": ([heard(0, soc(0.1) + b"+++\0", 0), heard(0, soc(0.1) + b"+++\0", 1)], soc(0.1) + b"+++\0"),
    "damage once": (
        [heard(0, b"+\x05\xff" + soc(0.1), 0), heard(0, b"+\x05\xff" + soc(0.1), 1)],
        b"+\x05\xff" + soc(0.1),
    ),
    "an answer": ([sent(0, read("battery.soc"), 1), heard(0.1, soc(0.1), 0), heard(0.1, soc(0.1), 1)], b""),
}


@pytest.mark.parametrize(("chunks", "once"), COPIES.values(), ids=COPIES.keys())
def test_what_several_connections_heard_is_told_once(chunks: list[Chunk], once: bytes) -> None:
    assert b"".join(unasked(chunks)) == once


@given(st.data())
def test_frames_are_told_once_whoever_heard_them(data: st.DataObject) -> None:
    # Three connections, each there for a part of the time and cut in its own way; somebody is there all the time.
    wire = [soc(data.draw(st.sampled_from([0.1, 0.2, 0.3]))) for _ in range(data.draw(st.integers(1, 12)))]
    ends = [(0, len(wire)), *[sorted((data.draw(st.integers(0, len(wire))), len(wire))) for _ in range(2)]]
    chunks: list[tuple[float, int, Chunk]] = []
    for connection, (begin, end) in enumerate(ends):
        for number in range(begin, end):
            late = data.draw(st.floats(0, 0.2))
            pieces = cut(wire[number], [data.draw(st.integers(1, 20))])
            for piece in pieces:
                chunks.append((number + late, len(chunks), heard(number + late, piece, connection)))
    assert frames(b"".join(unasked(chunk for _, _, chunk in sorted(chunks, key=lambda entry: entry[:2])))) == frames(
        b"".join(wire)
    )


def test_any_number_of_connections_and_requests_takes_bounded_memory() -> None:
    inverter = RecordedInverter()
    for number in range(3 * MOST_STREAMS):
        inverter.take(sent(number / 1000, read("battery.soc"), number))
        inverter.take(heard(number / 1000, soc(0.5) + b"+\x05", number))
        inverter.take(heard(number / 1000, b"\x08", 0))
    assert len(inverter._heard) == MOST_STREAMS
    assert 0 in inverter._heard  # heard all the time
    for number in range(2 * recorded.MOST_RECENT):
        inverter.take(sent(1, Frame(Command.READ, number)))
        inverter.take(heard(1, told(Frame(Command.RESPONSE, number + 2**31, b"1"))))
    assert len(inverter._asked) == len(inverter._told) == len(inverter._hearers) == recorded.MOST_RECENT
    inverter.take(heard(30, soc(0.5)))
    assert len(inverter._told) == len(inverter._hearers) == 1
    for number in range(3 * MOST_STREAMS):
        inverter.take(heard(30, soc(0.5), number))
    assert [len(hearers._heard) for hearers in inverter._hearers.values()] == [MOST_STREAMS]


def test_much_that_is_nearly_the_same_is_not_compared() -> None:
    class Data(bytes):
        compared = 0
        __hash__ = bytes.__hash__

        def __eq__(self, other: object) -> bool:
            Data.compared += 1
            return bytes.__eq__(self, other)

    inverter = RecordedInverter()
    chunk = heard(0, b"+")
    told = [inverter._is_copy(Data(b"%d" % (number % 700)), chunk) for number in range(2100)]
    assert not any(told)
    assert Data.compared < 2100
    assert inverter._is_copy(Data(b"699"), heard(0, b"+", 1))


# --- what is answered -----------------------------------------------------------------------------------------------


def after(*chunks: Chunk) -> RecordedInverter:
    inverter = RecordedInverter()
    for chunk in chunks:
        inverter.take(chunk)
    return inverter


LONG = Frame(Command.LONG_RESPONSE, registry["battery.cells[0]"].object_id, b"\x15\xf4\x0c\x00" * 24)
PLANT = Frame(Command.PLANT_RESPONSE, SOC.object_id, SOC.encode(0.75), 7)
TABLE = Frame(Command.LONG_RESPONSE, EVENTS.object_id, EVENTS.encode(EventTable(5000, (Event(0x73, 4000, (1, 2, 3)),))))
KNOWN = after(
    heard(0, soc(0.1)),
    heard(1, soc(0.2) + told(LONG) + told(PLANT)),
    heard(2, told(Frame(Command.RESPONSE, SOC.object_id, b"\x3e"))),  # a stub tells nothing
    heard(3, told(Frame(Command.RESPONSE, 0x12345678, b"\x01\x02"))),  # known to nobody
    sent(4, ask_page(9000)),
    heard(5, told(page(9000))),
    heard(6, told(page(8100))),
    heard(7, told(TABLE)),
    heard(8, Frame(Command.WRITE, registry["net.package"].object_id, bytes(36)).encode()),
)
ASKED: dict[str, tuple[Frame, Frame | None]] = {
    "the latest value": (read("battery.soc"), frames(soc(0.2))[0]),
    "a long one": (read("battery.cells[0]"), LONG),
    "an unknown object": (Frame(Command.READ, 0x12345678), Frame(Command.RESPONSE, 0x12345678, b"\x01\x02")),
    "an address": (Frame(Command.PLANT_READ, SOC.object_id, b"", 7), PLANT),
    "another address": (Frame(Command.PLANT_READ, SOC.object_id, b"", 8), None),
    "never told": (read("db.temp1"), None),
    "told in a write": (read("net.package"), None),
    "a page": (ask_page(9000), page(9000)),
    "another page": (ask_page(8100), page(8100)),
    "a page in a long write": (Frame(Command.LONG_WRITE, SERIES.object_id, (9000).to_bytes(4)), page(9000)),
    "a page of another time": (ask_page(9001), None),
    "a page of another address": (Frame(Command.PLANT_WRITE, SERIES.object_id, (9000).to_bytes(4), 7), None),
    "the latest page": (Frame(Command.READ, SERIES.object_id), page(8100)),
    "events": (Frame(Command.WRITE, EVENTS.object_id, (5000).to_bytes(4)), TABLE),
    "a write": (Frame(Command.WRITE, SOC.object_id, SOC.encode(0.2)), None),
    "a write of nothing": (Frame(Command.WRITE, SOC.object_id), None),
    "a registration": (Frame(Command.READ_PERIODICALLY, SOC.object_id), None),
    "a response": (frames(soc(0.2))[0], None),
}


@pytest.mark.parametrize(("request_", "answer"), ASKED.values(), ids=ASKED.keys())
def test_answer(request_: Frame, answer: Frame | None) -> None:
    assert KNOWN.answer(request_) == answer


def test_what_answered_a_request_is_known_too_and_a_value_only_from_then_on() -> None:
    inverter = after(sent(0, read("battery.soc")))
    assert inverter.answer(read("battery.soc")) is None
    inverter.take(heard(0.1, soc(0.3)[:-1]))
    assert inverter.answer(read("battery.soc")) is None
    inverter.take(heard(0.2, soc(0.3)[-1:]))
    assert inverter.answer(read("battery.soc")) == frames(soc(0.3))[0]


def test_what_is_known_is_bounded_and_the_oldest_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded, "MOST_KNOWN", 10_000)
    inverter = RecordedInverter()
    for number in range(1000):
        inverter.take(heard(number, told(Frame(Command.RESPONSE, number, bytes(100)))))
        inverter.take(heard(number, told(Frame(Command.RESPONSE, number, bytes(100)))))  # once more: as known as before
    assert 0 < inverter._size <= 10_000
    assert len(inverter._known) == 20
    assert inverter.answer(Frame(Command.READ, 999)) is not None
    assert inverter.answer(Frame(Command.READ, 0)) is None


# --- over a socket --------------------------------------------------------------------------------------------------


def at_once(main: Callable[[], Awaitable[Result]]) -> Result:
    """Run a coroutine whose waiting takes no time."""

    async def run() -> Result:
        async with asyncio.timeout(1e9):
            return await main()

    return warp(run())


async def hear(port: int, count: int = 10**9) -> list[Chunk]:
    """Return what a client hears until it is ended, or so many chunks; the time is that of the loop."""
    clock = asyncio.get_running_loop().time
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    chunks: list[Chunk] = []
    while len(chunks) < count and (data := await reader.read(65536)):
        chunks.append(Chunk(round(clock() * SECOND), Direction.RECEIVED, data))
    writer.close()
    return chunks


def rhythm(chunks: Iterable[Chunk]) -> list[tuple[float, Frame]]:
    """Return the frames in chunks and when they came, in seconds from the first."""
    parser = FrameParser()
    timed = [(chunk.time, event) for chunk in chunks for event in parser.feed(chunk.data) if isinstance(event, Frame)]
    return [((time - timed[0][0]) / SECOND, frame) for time, frame in timed]


def test_what_was_dumped_is_told_with_the_same_bytes_in_the_same_rhythm() -> None:
    async def main() -> tuple[list[Chunk], list[Chunk]]:
        async with Simulator(port=0, speed=0) as simulator:
            first = await hear(simulator.port, 300)
        moved = [Chunk(T0 + chunk.time, chunk.direction, chunk.data) for chunk in first]
        async with Replay(moved, port=0) as replay:
            return first, await hear(replay.port)

    first, second = at_once(main)
    assert first[-1].time - first[0].time > 60 * SECOND
    assert b"".join(chunk.data for chunk in second) == b"".join(chunk.data for chunk in first)
    once, again = rhythm(first), rhythm(second)
    assert [frame for _, frame in again] == [frame for _, frame in once]
    assert [time for time, _ in again] == pytest.approx([time for time, _ in once], abs=0.001)


def test_the_speed_is_that_of_the_capture() -> None:
    async def main() -> list[Chunk]:
        async with Replay([heard(0, soc(0.1)), heard(3600, soc(0.2))], port=0, speed=60) as replay:
            return await hear(replay.port)

    chunks = at_once(main)
    assert chunks[1].time - chunks[0].time == pytest.approx(60 * SECOND)


def test_reads_are_answered_with_what_was_true_at_that_moment() -> None:
    async def main() -> tuple[list[Value], int]:
        capture: list[CaptureItem] = [heard(0, b"\0"), heard(10, soc(0.25)), Damage(9, "a hole"), heard(20, soc(0.75))]
        capture += [sent(30, ask_page(9000)), heard(30.1, told(page(9000))), heard(100, b"\0")]
        async with Replay(capture, port=0) as replay, connect("127.0.0.1", replay.port) as inverter:
            values: list[Value] = []
            with pytest.raises(NoAnswer):
                await inverter.read("battery.soc")
            for _ in range(2):
                await asyncio.sleep(10)
                values.append((await inverter.read("battery.soc")).value)
            await asyncio.sleep(10)
            values.append((await inverter.read(SERIES.name, before=9000)).value)
            with pytest.raises(NoAnswer):
                await inverter.read(SERIES.name, before=9001)
            return values, replay.time

    values, time = at_once(main)
    assert values == [0.25, 0.75, SERIES.decode(page(9000).payload)]
    assert time == T0 + 30.1 * SECOND


def test_what_is_written_is_lost() -> None:
    async def main() -> list[Frame]:
        async with Replay([heard(0, soc(0.25)), heard(10, b"\0")], port=0) as replay:
            reader, writer = await asyncio.open_connection("127.0.0.1", replay.port)
            writer.write(Frame(Command.WRITE, SOC.object_id, SOC.encode(0.5)).encode() + read("battery.soc").encode())
            data = await reader.read()  # to its end
            writer.close()
            return frames(data)

    assert at_once(main) == frames(soc(0.25)) * 2


def test_an_answer_does_not_come_into_the_middle_of_a_frame_and_every_client_hears_it() -> None:
    long = told(LONG)

    async def main() -> list[bytes]:
        capture = [heard(0, soc(0.5)), heard(1, long[:50]), heard(2, long[50:])]
        async with Replay(capture, port=0) as replay:
            clients = [await asyncio.open_connection("127.0.0.1", replay.port) for _ in range(2)]
            await asyncio.sleep(1.5)
            clients[0][1].write(read("battery.soc").encode())
            told = [await reader.read() for reader, _ in clients]
            for _, writer in clients:
                writer.close()
            return told

    assert at_once(main) == [soc(0.5) + soc(0.5) + long, soc(0.5) + long]  # who comes later hears less


def test_serving_ends_with_the_capture_and_all_is_told_before() -> None:
    data = b"".join(soc(n / 5000) for n in range(5000))

    async def main() -> tuple[bytes, bool]:
        replay = Replay([heard(0, piece) for piece in cut(data, [9000])] + [heard(0, b"\x2b\x05")], port=0)
        await replay.start()
        serving = asyncio.create_task(replay.serve())
        hearing = asyncio.create_task(hear(replay.port))
        await serving
        late = True
        with suppress(OSError):
            late = bool(await hear(replay.port))
        await replay.close()
        await replay.close()
        return b"".join(chunk.data for chunk in await hearing), late

    assert at_once(main) == (data + b"\x2b\x05", False)


async def slow_client(patience: float) -> tuple[int, float]:
    """Return how much of 200 kB a client gets that reads nothing for so long, and when serving ends, in seconds."""
    async with Replay([heard(0, bytes(50_000)) for _ in range(4)], port=0) as replay:
        assert replay._server is not None
        replay._server.sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", replay.port))

        async def end() -> float:
            await replay.serve()
            return asyncio.get_running_loop().time()

        ending = asyncio.create_task(end())
        await asyncio.sleep(patience)
        reader, writer = await asyncio.open_connection(sock=sock)
        size = 0
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                size += len(data)
        writer.close()
        return size, await ending


def test_a_slow_client_gets_all_that_was_told_before_the_end() -> None:
    assert at_once(lambda: slow_client(1.0))[0] == 200_000


def test_a_client_that_takes_nothing_does_not_hold_up_the_end() -> None:
    assert at_once(lambda: slow_client(100.0))[1] < 10


async def test_nobody_waits_for_the_end_but_cancelling_leaves_nothing_behind() -> None:
    replay = Replay([heard(0, soc(0.5)), heard(1e6, soc(0.5))], port=0)
    await replay.start()
    serving = asyncio.create_task(replay.serve())
    assert len(await hear(replay.port, 1)) == 1
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    await replay.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}


def test_a_capture_that_breaks_ends_serving_with_its_error() -> None:
    def broken() -> Any:
        yield heard(0, soc(0.5))
        yield heard(1, soc(0.5))
        raise CaptureError("x: broken")

    async def main() -> None:
        replay = Replay(broken(), port=0)
        await replay.start()
        hearing = asyncio.create_task(hear(replay.port))
        with pytest.raises(CaptureError, match="x: broken"):
            await replay.serve()
        with pytest.raises(CaptureError, match="x: broken"):  # once more: for those who do not wait for the end
            await replay.close()
        with suppress(ConnectionError):
            await hearing

    at_once(main)


@pytest.mark.parametrize(
    ("items", "error"),
    [([], "is empty"), ([Damage(0, "")], "is empty"), ([Chunk(0, Direction.RECEIVED, b"x")], "keeps no times")],
)
async def test_what_cannot_be_served(items: list[CaptureItem], error: str) -> None:
    with pytest.raises(CaptureError, match=error):
        await Replay(items, port=0).start()


async def test_a_port_in_use_is_told() -> None:
    async with Replay([heard(0, b"x")], port=0) as replay:
        with pytest.raises(OSError, match=r"address already in use|10048"):
            await Replay([heard(0, b"x")], port=replay.port).start()
