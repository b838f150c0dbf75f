"""Streams: what FrameParser finds in each, with the time when it was there."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from rct_tools.capture import Chunk, Direction
from rct_tools.frame import BadFrame, Command, Frame, Reason
from rct_tools.parser import FrameParser
from rct_tools.stream import MOST_STREAMS, Found, Streams

RECEIVED, SENT = Direction
SOC = Frame(Command.RESPONSE, 0x959930BF, b"\x3e\x97\xb1\x91")
ESCAPED = Frame(Command.RESPONSE, 0x2B2D2B2D, b"\x2b")


def test_a_frame_has_the_time_of_its_last_byte() -> None:
    streams = Streams()
    wire = SOC.encode()
    assert streams.feed(Chunk(1, RECEIVED, wire[:5])) == []
    assert streams.pending == 5
    assert streams.feed(Chunk(2, RECEIVED, wire[5:] + wire + b"+")) == [
        Found(SOC, 2, RECEIVED, 0),
        Found(SOC, 2, RECEIVED, 0),
    ]
    assert streams.feed(Chunk(3, RECEIVED, b"")) == []
    assert streams.close() == [Found(BadFrame(Reason.TRUNCATED, b"+"), 2, RECEIVED, 0)]


def test_what_is_known_late_has_the_time_when_it_came() -> None:
    """A frame behind a stray escape is only known when the next start is there."""
    streams = Streams()
    wire = ESCAPED.encode()
    assert streams.feed(Chunk(1, RECEIVED, b"+\x05\x40-" + wire[:6])) == []
    assert streams.feed(Chunk(2, RECEIVED, wire[6:] + b"\0")) == []
    assert streams.feed(Chunk(99, RECEIVED, SOC.encode())) == [
        Found(BadFrame(Reason.TRUNCATED, b"+\x05\x40-"), 1, RECEIVED, 0),
        Found(ESCAPED, 2, RECEIVED, 0),
        Found(SOC, 99, RECEIVED, 0),
    ]


def test_connections_and_directions_do_not_mix() -> None:
    streams = Streams()
    wire = SOC.encode()
    keys = [(connection, direction) for connection in (0, 1) for direction in Direction]
    for connection, direction in keys:
        assert streams.feed(Chunk(1, direction, b"\0" + wire[:6], connection)) == []
    for connection, direction in keys:
        assert streams.feed(Chunk(2, direction, wire[6:], connection)) == [Found(SOC, 2, direction, connection)]
    assert streams.counters.frames == Counter({Command.RESPONSE: 4})
    assert streams.counters.noise == Counter({"00": 4})
    assert (streams.counters.fed, streams.counters.skipped, streams.pending) == (4 * len(wire) + 4, 4, 0)


def test_the_stream_that_was_silent_for_longest_is_closed() -> None:
    streams = Streams()
    for connection in range(MOST_STREAMS):
        streams.feed(Chunk(connection, RECEIVED, b"+\x05", connection))
    streams.feed(Chunk(500, RECEIVED, b"\x08", 0))
    assert streams.feed(Chunk(501, RECEIVED, b"+", MOST_STREAMS)) == [
        Found(BadFrame(Reason.TRUNCATED, b"+\x05"), 1, RECEIVED, 1)
    ]
    assert streams.counters.bad == Counter({Reason.TRUNCATED: 1})
    assert len(streams.close()) == MOST_STREAMS
    assert streams.counters.bad == Counter({Reason.TRUNCATED: MOST_STREAMS + 1})
    assert streams.counters.fed == 2 * MOST_STREAMS + 2


BITS = st.sampled_from(
    [b"+", b"-", b"\0", b"\x05", b"\x06\xff\xff", SOC.encode(), ESCAPED.encode(), b"-" + SOC.encode()]
)


@given(st.lists(st.tuples(st.lists(BITS, min_size=1).map(b"".join), st.integers(1, 9))), st.integers(1, 12))
def test_events_are_the_parsers_and_times_those_of_their_last_byte(parts: list[tuple[bytes, int]], size: int) -> None:
    data = b"".join(part for part, _ in parts)
    streams = Streams()
    found = [
        found
        for at in range(0, len(data), size)
        for found in streams.feed(Chunk(at // size, RECEIVED, data[at : at + size]))
    ] + streams.close()
    parser = FrameParser()
    events = parser.feed(data) + parser.close()
    assert [(f.event, f.event.offset) for f in found] == [(event, event.offset) for event in events]
    for f in found:
        wire = f.event.data if isinstance(f.event, BadFrame) else f.event.encode()
        assert f.time == (f.event.offset + len(wire) - 1) // size
    assert (streams.counters.fed, streams.counters.skipped) == (parser.fed, parser.skipped)
    assert (streams.counters.frames, streams.counters.bad, streams.counters.noise) == (
        parser.frames,
        parser.bad,
        +parser.noise,
    )
