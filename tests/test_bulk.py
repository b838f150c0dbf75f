"""Bulk: columns hold what FrameParser finds, on every kind of stream, however it is cut; times too."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import cycle
from random import Random

import numpy as np
import pytest
from damage import KINDS
from fuzz_parser import FRAMES, build, inputs
from hypothesis import given, settings
from hypothesis import strategies as st

from rct_tools.bulk import Block, BulkParser, BulkStreams, Captured
from rct_tools.capture import Chunk, Direction
from rct_tools.columns import REASONS, SCALARS, BadColumns, FrameColumns
from rct_tools.frame import BadFrame, Command, Frame
from rct_tools.objects import registry
from rct_tools.parser import FrameParser, ParserEvent
from rct_tools.reading import Reading, read_frame
from rct_tools.runs import LAYOUTS, LONGEST_FRAME
from rct_tools.stream import MOST_STREAMS, Streams

SOC = Frame(Command.RESPONSE, 0x959930BF, b"\x3e\x97\xb1\x91")
PERIODS: dict[str, Callable[[int], list[int]]] = {  # sizes of chunks, which repeat
    "whole": lambda size: [size + 1],
    "random": lambda size: random.Random(size).choices(range(1, 200), k=50),
    "bytes": lambda _size: [1],
}


def same(found: float, expected: object) -> bool:
    return found == expected or (found != found and expected != expected)  # NaN


def check(stream: bytes, sizes: list[int]) -> None:
    """Assert that columns hold exactly what a FrameParser finds."""
    parser, bulk = FrameParser(), BulkParser()
    events = parser.feed(stream) + parser.close()
    blocks: list[Block] = []
    at = 0
    for size in cycle(sizes):
        if at >= len(stream):
            break
        blocks.append(bulk.feed(stream[at : at + size]))
        at += size
        assert bulk.pending <= 2 * LONGEST_FRAME + 2 + size
    blocks.append(bulk.close())
    check_frames([event for event in events if isinstance(event, Frame)], blocks, stream)
    bad = [event for event in events if isinstance(event, BadFrame)]
    columns = BadColumns.empty().join(*(block.bad for block in blocks))
    assert columns.offset.tolist() == [event.offset for event in bad]
    assert columns.size.tolist() == [len(event.data) for event in bad]
    assert [REASONS[reason] for reason in columns.reason] == [event.reason for event in bad]
    assert (bulk.fed, bulk.skipped, bulk.pending) == (len(stream), parser.skipped, 0)
    assert (bulk.frames, bulk.bad, +bulk.noise) == (parser.frames, parser.bad, +parser.noise)


def check_frames(frames: list[Frame], blocks: list[Block], stream: bytes) -> None:
    columns = FrameColumns.empty().join(*(block.frames for block in blocks))
    assert [str(column.dtype) for column in columns.columns] == [str(np.dtype(kind)) for kind in FrameColumns.TYPES]
    assert columns.offset.tolist() == [frame.offset for frame in frames]
    assert columns.size.tolist() == [len(frame.encode()) for frame in frames]
    assert columns.command.tolist() == [frame.command for frame in frames]
    assert columns.address.tolist() == [frame.address for frame in frames]
    assert columns.object_id.tolist() == [frame.object_id for frame in frames]
    assert columns.payload_size.tolist() == [len(frame.payload) for frame in frames]
    for row, frame in enumerate(frames):
        told = read_frame(frame, 0, "")
        is_scalar = isinstance(told, Reading) and told.object.data_type in SCALARS
        assert columns.has_value[row] == is_scalar
        value = float(columns.value[row])
        assert same(value, told.value if isinstance(told, Reading) and is_scalar else float("nan"))
        begin = int(columns.payload_offset[row])
        head = 1 + LAYOUTS[frame.command].head + LAYOUTS[frame.command].ids
        assert plain(stream[frame.offset : begin]) == head
        assert plain(stream[begin : frame.offset + int(columns.size[row])]) == len(frame.payload) + 2


def plain(wire: bytes) -> int:
    """Return how many bytes stand for themselves."""
    return len(wire.replace(b"--", b".").replace(b"-+", b"."))


@pytest.mark.parametrize("period", PERIODS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_damage(kind: str, period: str) -> None:
    for seed in range(1 if period == "bytes" else 3):
        stream = KINDS[kind](Random(seed), 12 if period == "bytes" else 300).stream
        check(stream, PERIODS[period](len(stream)))


def test_bad_input_by_chance() -> None:
    chance = random.Random(11)
    for _, data in zip(range(150), inputs(chance), strict=False):
        stream, _ = build(data)
        for sizes in ([len(stream) + 1], [1 if len(stream) < 200 else 7], chance.choices(range(1, 40), k=9)):
            check(stream, sizes)


PARTS = st.lists(
    st.sampled_from(
        [
            b"+",
            b"-",
            b"--",
            b"\0",
            b"\0\0",
            b"+++",
            b"+++\0",
            b"AT+\r",
            b"AT",
            b"+<\xe1",
            b"+\x06\xff\xff",
            b"-" + SOC.encode(),
        ]
        + [b"\0" + frame.encode() for frame in FRAMES]
        + [frame.encode() for frame in FRAMES]
        + [SOC.encode() * 20]  # enough to be checked together
    )
)


@settings(max_examples=300)
@given(PARTS, st.lists(st.integers(1, 60), min_size=1))
def test_any_mixture_in_any_chunks(parts: list[bytes], sizes: list[int]) -> None:
    check(b"".join(parts), sizes)


UNITS = [
    b"+",
    b"-",
    b"-+",
    b"--+",
    b"+-",
    b"+\x06\xff\xff",
    b"-+\x06\xff\xff",
    b"\0",
    b"+-\0",
    b"+++",
    b"A",
    SOC.encode()[:-1],
]


@pytest.mark.parametrize("unit", UNITS)
def test_what_has_no_end_takes_no_endless_memory(unit: bytes) -> None:
    stream = unit * (3 * LONGEST_FRAME // len(unit)) + SOC.encode()
    check(stream, [100_000])
    check(stream, [65_521])


def test_all_scalar_objects_have_their_values() -> None:
    """Each often enough to be checked together, and once alone."""
    chance = random.Random(5)
    frames = []
    for info in registry:
        dtype = SCALARS.get(info.data_type)
        size = dtype.itemsize if dtype else 5
        for repeat in range(20):
            command = chance.choice([c for c in Command if c.is_response])
            payload = chance.randbytes(size if repeat else size + 1)
            frames.append(Frame(command, info.object_id, payload, address=7 if command.is_plant else 0))
    check(b"".join(b"\0" + frame.encode() for frame in frames), [1 << 20])


# --- captures ---------------------------------------------------------------------------------------------------------

RECEIVED, SENT = Direction


def conversation(chance: Random, count: int) -> Iterator[Chunk]:
    """Yield chunks of several connections, of which each parts somewhere."""
    streams = {
        (connection, direction): KINDS["mixtures"](chance, count).stream
        for connection in range(3)
        for direction in Direction
    }
    at = dict.fromkeys(streams, 0)
    time = 1_000_000_000
    while at:
        key = chance.choice(list(at))
        size = chance.randrange(1, 100)
        connection, direction = key
        if data := streams[key][at[key] : at[key] + size]:
            yield Chunk(time, direction, data, connection)
            time += chance.randrange(3) * 1_000
            at[key] += size
        else:
            del at[key]


def rows(parts: list[Captured]) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """Return frames and bad frames as tuples: time, direction, connection, offset and what tells them apart."""
    frames: list[tuple[object, ...]] = []
    bad: list[tuple[object, ...]] = []
    for part in parts:
        for target, table, origins, last in (
            (frames, part.frames, part.frame_origins, "object_id"),
            (bad, part.bad, part.bad_origins, "reason"),
        ):
            assert len(table) == len(origins)
            columns = (origins.time, origins.is_sent, origins.connection, table.offset, getattr(table, last))
            target += list(zip(*(column.tolist() for column in columns), strict=True))
    return frames, bad


def test_captures_have_the_times_and_streams_of_their_chunks() -> None:
    chunks = list(conversation(Random(3), 200))
    streams, bulk = Streams(), BulkStreams()
    found = [found for chunk in chunks for found in streams.feed(chunk)] + streams.close()
    parts = [part for chunk in chunks if (part := bulk.feed(chunk))] + [bulk.close()]
    frames, bad = rows(parts)

    def key(event: ParserEvent) -> int:
        return event.object_id if isinstance(event, Frame) else REASONS.index(event.reason)

    expected = [(f.time, f.direction is SENT, f.connection, f.event.offset, key(f.event), f.event) for f in found]
    assert sorted(frames) == sorted(row[:-1] for row in expected if isinstance(row[-1], Frame))
    assert sorted(bad) == sorted(row[:-1] for row in expected if isinstance(row[-1], BadFrame))
    assert frames == sorted(frames, key=lambda row: row[0])  # type: ignore[arg-type,return-value]  # times are numbers
    counters = ("fed", "skipped", "frames", "bad")
    assert [getattr(bulk.counters, name) for name in counters] == [getattr(streams.counters, name) for name in counters]
    assert +bulk.counters.noise == +streams.counters.noise


def test_long_captures_come_in_parts() -> None:
    wire = b"\0" + SOC.encode()
    bulk = BulkStreams()
    parts = [part for at in range(9000) if (part := bulk.feed(Chunk(at + 1, RECEIVED, wire * 20)))]
    assert len(parts) == 2
    frames, bad = rows([*parts, bulk.close()])
    assert [row[0] for row in frames] == [at + 1 for at in range(9000) for _ in range(20)]
    assert not bad
    assert bulk.counters.frames == Counter({Command.RESPONSE: 180_000})


def test_the_stream_that_was_silent_for_longest_is_closed() -> None:
    bulk = BulkStreams()
    for connection in range(MOST_STREAMS + 1):
        assert bulk.feed(Chunk(connection + 1, RECEIVED, b"+\x05", connection)) is None
    assert len(bulk._open) == MOST_STREAMS
    frames, bad = rows([bulk.close()])
    assert not frames
    assert [row[2] for row in bad] == list(range(MOST_STREAMS + 1))
    assert bulk.counters.bad.total() == MOST_STREAMS + 1


def test_many_connections_take_little_memory() -> None:
    """Each ends with a bad frame; what is found is told before it fills the memory."""
    bulk = BulkStreams()
    parts = [part for number in range(20_000) if (part := bulk.feed(Chunk(number + 1, RECEIVED, b"+", number)))]
    assert sum(len(part.bad) for part in parts) > 15_000
    assert len(bulk._found) < 16_384 + MOST_STREAMS  # of which each has a chunk


def test_empty_captures_hold_nothing() -> None:
    assert rows([BulkStreams().close()]) == ([], [])
    check(b"", [1])
