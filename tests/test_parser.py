"""The parser: vectors, rules, and properties against a slow reading of the rules."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rct_tools.checksum import checksum, checksums
from rct_tools.frame import EXTENSION, BadFrame, Command, Frame, Reason
from rct_tools.parser import FrameParser, ParserEvent
from rct_tools.runs import LONGEST_FRAME

SOC = Frame(Command.RESPONSE, 0x959930BF, bytes.fromhex("3e97b191"))
WIRE = SOC.encode()

VECTORS = [  # wire bytes, frame
    ("2b 01 04 959930bf 0d65", Frame(Command.READ, 0x959930BF)),
    ("2b 05 08 959930bf 3e97b191 9c86", SOC),
    ("2b 05 08 959930bf 3f590f86 8810", Frame(Command.RESPONSE, 0x959930BF, bytes.fromhex("3f590f86"))),
    ("2b 05 05 29bda75f ff b8d2", Frame(Command.RESPONSE, 0x29BDA75F, b"\xff")),
    ("2b 05 06 3623d82a 0002 d0 2d2b", Frame(Command.RESPONSE, 0x3623D82A, b"\0\2")),
    ("2b 05 08 3c24f3e8 00000000 9490", Frame(Command.RESPONSE, 0x3C24F3E8, b"\0\0\0\0")),
]

COMMANDS = st.sampled_from(Command)
IDS = st.integers(0, 0xFFFFFFFF) | st.sampled_from([0x2B2B2B2B, 0x2D2D2D2D, 0x2B2D2B2D, 0])
BIASED = st.lists(st.sampled_from(b"\x2b\x2d\x00\x05\x06\x45\xff\x04\x08") | st.integers(0, 255), max_size=40).map(
    bytes
)


@st.composite
def frames(draw: st.DrawFn) -> Frame:
    command = draw(COMMANDS)
    payload = draw(BIASED | st.binary(max_size=240))
    return Frame(command, draw(IDS), payload, draw(IDS) if command.is_plant else 0)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A frame's bytes with something wrong: cut, flipped, an escape or a start too many, a wrong length."""
    wire = bytearray(draw(frames()).encode())
    at = draw(st.integers(0, len(wire) - 1))
    match draw(st.sampled_from(["head", "tail", "flip", "insert", "length", "remove"])):
        case "head":
            return bytes(wire[:at])
        case "tail":
            return bytes(wire[at:])
        case "flip":
            wire[at] ^= 1 << draw(st.integers(0, 7))
        case "insert":
            wire.insert(at, draw(st.sampled_from(b"\x2b\x2d\x00")))
        case "length":
            wire[2] = draw(st.integers(0, 255))
        case "remove":
            del wire[at]
    return bytes(wire)


PIECES = st.one_of(
    frames().map(Frame.encode),
    frames().map(lambda frame: b"\0" + frame.encode()),
    damaged(),
    BIASED,
    st.sampled_from([EXTENSION, b"AT+\r", b"+++", b"\0", b"-", b"+", b"+++\0", b"\x2b\x06\xff\xff", b"-+\x06\x01\x00"]),
)
STREAMS = st.lists(PIECES, max_size=12).map(b"".join)


def parse(stream: bytes, sizes: list[int] | None = None) -> tuple[list[ParserEvent], FrameParser]:
    """Feed a stream in chunks of the given sizes, and then the rest; return the events and the parser."""
    parser = FrameParser()
    events = []
    at = 0
    for size in sizes or []:
        events += parser.feed(stream[at : at + size])
        at += size
    events += parser.feed(stream[at:])
    return events + parser.close(), parser


def slow_frames(stream: bytes) -> list[Frame]:
    """The rules of the parser once more, byte by byte and without any care for speed: the frames of a whole stream."""
    found = []
    at = 0
    while at < len(stream):
        if stream[at] == 0x2B and (hit := slow_frame(stream, at)):
            frame, at = hit
            found.append(frame)
        else:
            at += 1
    return found


def slow_frame(stream: bytes, start: int) -> tuple[Frame, int] | None:
    image = bytearray()
    at = start + 1
    while at < len(stream):
        if stream[at] == 0x2B:
            return None
        if stream[at] == 0x2D:
            at += 1
            if stream[at : at + 1] not in (b"+", b"-"):
                return None
        image.append(stream[at])
        at += 1
        try:
            command = Command(image[0])
        except ValueError:
            return None
        head = 3 if command.is_long else 2
        ids = 8 if command.is_plant else 4
        if len(image) < head:
            continue
        length = int.from_bytes(image[1:head])
        if length < ids:
            return None
        if len(image) == head + length + 2:
            if checksum(bytes(image[:-2])) != int.from_bytes(image[-2:]):
                return None
            body = bytes(image[head:-2])
            address = int.from_bytes(body[: ids - 4])
            return Frame(command, int.from_bytes(body[ids - 4 : ids]), body[ids:], address), at
    return None


@pytest.mark.parametrize(("wire", "frame"), VECTORS)
def test_vector_both_ways(wire: str, frame: Frame) -> None:
    data = bytes.fromhex(wire)
    assert frame.encode() == data
    assert FrameParser().feed(data) == [frame]
    assert parse(data, [1] * len(data))[0] == [frame]
    assert parse(b"\xff\0" + data + b"\xff" + data)[0] == [frame, frame]


@given(frames())
def test_every_frame_comes_back(frame: Frame) -> None:
    assert FrameParser().feed(frame.encode()) == [frame]


@pytest.mark.parametrize("command", Command)
@pytest.mark.parametrize("size", [0, 1, 3, 4, 200])
def test_every_command_both_ways(command: Command, size: int) -> None:
    frame = Frame(
        command, 0x2D2B002B, bytes(range(40, 50)) * (size // 10) + b"-" * (size % 10), 0x2B if command.is_plant else 0
    )
    parser = FrameParser()
    assert parser.feed(b"\0" + frame.encode()) == [frame]
    assert parser.frames == {command: 1}


@pytest.mark.parametrize("command", [c for c in Command if c.is_long])
def test_the_longest_frame(command: Command) -> None:
    room = 0xFFFF - (8 if command.is_plant else 4)
    frame = Frame(command, 0x2B2B2B2B, b"-" * room, 0x2D2D2D2D if command.is_plant else 0)
    wire = frame.encode()
    assert len(wire) <= LONGEST_FRAME
    assert parse(wire, [1000] * 140)[0] == [frame]


@given(STREAMS)
def test_nothing_intact_is_lost_and_nothing_made_up(stream: bytes) -> None:
    events, _ = parse(stream)
    assert [event for event in events if isinstance(event, Frame)] == slow_frames(stream)


@given(STREAMS, st.lists(st.integers(1, 30)))
@example(b"-" + WIRE + b"--+" + WIRE, [1] * 40)
@example(b"+++" + WIRE[1:] + b"++++" + WIRE, [1] * 40)
def test_chunks_do_not_matter(stream: bytes, sizes: list[int]) -> None:
    whole, parser = parse(stream)
    for cut in (sizes, [1] * len(stream)):
        events, other = parse(stream, cut)
        assert events == whole
        assert [event.offset for event in events] == [event.offset for event in whole]
        assert (other.noise, other.bad, other.frames, other.skipped) == (
            parser.noise,
            parser.bad,
            parser.frames,
            parser.skipped,
        )


@given(STREAMS)
def test_every_byte_is_told_once(stream: bytes) -> None:
    events, parser = parse(stream)
    begins = [event.offset for event in events]
    assert all(a < b for a, b in pairwise(begins))
    for event in events:
        data = event.data if isinstance(event, BadFrame) else event.encode()
        assert stream[event.offset : event.offset + len(data)] == data
    noise = {"+++": 3, "AT+": 4, "extension": 3}
    assert all(count >= 0 for count in parser.noise.values())
    bad = sum(len(event.data) for event in events if isinstance(event, BadFrame))
    good = sum(len(event.encode()) for event in events if isinstance(event, Frame))
    assert parser.skipped == bad + sum(noise.get(kind, 1) * count for kind, count in parser.noise.items())
    assert good + parser.skipped == parser.fed == len(stream)
    assert parser.bad == Counter(event.reason for event in events if isinstance(event, BadFrame))


@given(BIASED, frames())
def test_noise_never_hides_the_next_frame(noise: bytes, frame: Frame) -> None:
    parser = FrameParser()
    first = parser.feed(noise)
    events = first + parser.feed(b"\0" + frame.encode()) + parser.close()
    assert frame in [event for event in events if isinstance(event, Frame)]


SECOND_LOOKS = {
    "a cut frame that ends in an escape": WIRE[:6] + b"-" + WIRE,
    "a stray escape before a start": b"\0-" + WIRE,
    "escapes in noise": b"--+\x00-" + WIRE,
    "a wrong long length": b"\x2b\x06\xff\xff" + WIRE[3:] + b"-" + WIRE,
    "a wrong checksum over the start of the next": WIRE[:2] + b"\x1c" + WIRE[3:] + b"-" + WIRE + b"\0" * 9,
    "an escape that escapes nothing": WIRE[:4] + b"-\xff\xff-" + WIRE,
    "an unknown command": b"+\x77\x08-" + WIRE,
    "a length too short": b"+\x05\x02-" + WIRE,
}


@pytest.mark.parametrize("name", SECOND_LOOKS)
@pytest.mark.parametrize(
    "frame", [SOC, Frame(Command.RESPONSE, 0x29BDA75F, b"\xff"), Frame(Command.LONG_RESPONSE, 7, b"+-" * 300)]
)
def test_second_look(name: str, frame: Frame) -> None:
    stream = (
        SECOND_LOOKS[name].replace(WIRE, frame.encode())
        if name != "a wrong checksum over the start of the next"
        else SECOND_LOOKS[name]
    )
    wanted = SOC if name == "a wrong checksum over the start of the next" else frame
    for sizes in ([], [1] * len(stream)):
        found = [event for event in parse(stream, sizes)[0] if isinstance(event, Frame)]
        assert found == [wanted]
        assert stream[found[0].offset :].startswith(wanted.encode())


def test_the_image_of_a_frame_in_a_payload_is_data() -> None:
    outer = Frame(Command.RESPONSE, 0xEBC62737, b"roof\0" + WIRE)
    assert parse(outer.encode())[0] == [outer]
    assert parse(b"\0-" + outer.encode())[0] == [outer]


BAD = [  # stream, what is told of it
    (WIRE[:7], [BadFrame(Reason.TRUNCATED, WIRE[:7])]),
    (WIRE[:7] + WIRE, [BadFrame(Reason.TRUNCATED, WIRE[:7]), SOC]),
    (WIRE[:-1] + b"\0\0" + WIRE, [BadFrame(Reason.CRC, WIRE[:-1] + b"\0"), SOC]),
    (b"+\x07\x08\x11\0" + WIRE, [BadFrame(Reason.COMMAND, b"+\x07"), SOC]),
    (b"+\x05\x03\x11\0" + WIRE, [BadFrame(Reason.LENGTH, b"+\x05\x03"), SOC]),
    (b"+\x45\x07\x11\0" + WIRE, [BadFrame(Reason.LENGTH, b"+\x45\x07"), SOC]),
    (b"+\x06\x00\x03\0" + WIRE, [BadFrame(Reason.LENGTH, b"+\x06\x00\x03"), SOC]),
    (WIRE[:5] + b"-\x00\x00" + WIRE, [BadFrame(Reason.ESCAPE, WIRE[:5]), SOC]),
    (b"+-", [BadFrame(Reason.ESCAPE, b"+")]),
    (b"+++-", [BadFrame(Reason.TRUNCATED, b"+")] * 2 + [BadFrame(Reason.ESCAPE, b"+")]),
    (b"++" + WIRE, [BadFrame(Reason.TRUNCATED, b"+")] * 2 + [SOC]),
    (b"+", [BadFrame(Reason.TRUNCATED, b"+")]),
    (b"++\0" + WIRE, [BadFrame(Reason.TRUNCATED, b"+"), BadFrame(Reason.COMMAND, b"+\0"), SOC]),
    (b"XY+\r" + WIRE, [BadFrame(Reason.COMMAND, b"+\r"), SOC]),
    # A checksum that fits does not make a frame of what has a start in it, or is too short for an object id.
    (
        bytes.fromhex("2b05063623d82a0002d02b") + WIRE,
        [BadFrame(Reason.TRUNCATED, bytes.fromhex("2b05063623d82a0002d0")), BadFrame(Reason.TRUNCATED, b"+"), SOC],
    ),
    (b"+\x05\x03abc" + checksum(b"\x05\x03abc").to_bytes(2) + WIRE, [BadFrame(Reason.LENGTH, b"+\x05\x03"), SOC]),
    # The bad part ends where the intact frame in it begins.
    (
        WIRE[:2] + b"\x1c" + WIRE[3:7] + b"-" + WIRE + bytes(20),
        [BadFrame(Reason.CRC, WIRE[:2] + b"\x1c" + WIRE[3:7] + b"-"), SOC],
    ),
]


@pytest.mark.parametrize(("stream", "events"), BAD)
def test_bad_frames(stream: bytes, events: list[ParserEvent]) -> None:
    assert parse(stream)[0] == events
    assert parse(stream, [1] * len(stream))[0] == events


NOISE = [  # stream, frames in it, noise
    (b"\0" + WIRE, 1, {"00": 1}),
    (EXTENSION + WIRE, 1, {"extension": 1}),
    (b"AT+\r" + EXTENSION + WIRE, 1, {"AT+": 1, "extension": 1}),
    (WIRE + b"AT+\r" + WIRE, 2, {"AT+": 1}),
    (WIRE + b"+++\0" + WIRE, 2, {"+++": 1, "00": 1}),
    (WIRE + b"+++" + WIRE, 2, {"+++": 1}),
    (b"++++++" + WIRE, 1, {"+++": 2}),
    (b"+++", 0, {"+++": 1}),
    (b"\0\0\xff" + WIRE + b"\x01", 1, {"00": 2, "other": 2}),
    (WIRE + b"\x07" + WIRE, 2, {"other": 1}),
    (b"ATAT+\r" + WIRE, 1, {"AT+": 1, "other": 2}),
]


@pytest.mark.parametrize(("stream", "count", "noise"), NOISE)
def test_known_noise(stream: bytes, count: int, noise: dict[str, int]) -> None:
    for sizes in ([], [1] * len(stream)):
        events, parser = parse(stream, sizes)
        assert events == [SOC] * count
        assert +parser.noise == noise
        assert not parser.bad


def test_a_frame_is_told_as_soon_as_it_is_whole() -> None:
    parser = FrameParser()
    plus = Frame(Command.RESPONSE, 0x3623D82A, b"\0\2")  # the last byte of its checksum is escaped
    for frame in (SOC, plus, Frame(Command.LONG_RESPONSE, 1, b"+" * 500)):
        wire = b"\0" + frame.encode()
        assert parser.feed(wire[:-1]) == []
        assert parser.feed(wire[-1:]) == [frame]
        assert [parser.feed(wire[n : n + 1]) for n in range(len(wire))] == [[]] * (len(wire) - 1) + [[frame]]


def test_a_frame_behind_a_bad_one_is_told_as_soon_as_it_is_whole() -> None:
    parser = FrameParser()
    bad = WIRE[:-1] + b"\0"
    assert parser.feed(bad + b"\0") == []
    assert parser.feed(WIRE) == [BadFrame(Reason.CRC, bad), SOC]


ESCAPED = Frame(Command.RESPONSE, 0x2D2B2D2B, bytes(4)).encode()
AT_ONCE = [  # chunks, what the last of them tells
    ([WIRE + b"+\x77"], [SOC, BadFrame(Reason.COMMAND, b"+\x77")]),
    ([WIRE + b"+\x05\x08+"], [SOC, BadFrame(Reason.TRUNCATED, b"+\x05\x08")]),
    ([WIRE + b"+\x05\x08-\0"], [SOC, BadFrame(Reason.ESCAPE, b"+\x05\x08")]),
    ([b"+\x05\x08-", b"\0"], [BadFrame(Reason.ESCAPE, b"+\x05\x08")]),
    ([b"+\x05\x08", b"+"], [BadFrame(Reason.TRUNCATED, b"+\x05\x08")]),
    ([b"+\x05\xff" + bytes(9), WIRE], [BadFrame(Reason.TRUNCATED, b"+\x05\xff" + bytes(9)), SOC]),
    # The first chunk ends in an escape that waits for its byte, the second no more.
    (
        [ESCAPED[:4], ESCAPED[4:] + b"+\x05\xff" + bytes(9), WIRE],
        [BadFrame(Reason.TRUNCATED, b"+\x05\xff" + bytes(9)), SOC],
    ),
]


@pytest.mark.parametrize(("chunks", "told"), AT_ONCE)
def test_what_is_known_is_told_at_once(chunks: list[bytes], told: list[ParserEvent]) -> None:
    parser = FrameParser()
    for chunk in chunks[:-1]:
        parser.feed(chunk)
    assert parser.feed(chunks[-1]) == told


def test_the_end_of_a_bad_part_does_not_depend_on_how_long_its_run_is() -> None:
    head = b"+\x06\x70\x00" + bytes(100) + b"-+\x06\xea\x60" + bytes(300_000) + WIRE
    whole = parse(head)[0]
    assert whole == [BadFrame(Reason.CRC, head[: 1 + 3 + 0x7000 + 2 + 1]), SOC]
    assert parse(head, [5000] * 60)[0] == whole


def test_memory_is_bounded_and_frames_are_found_behind_the_bound() -> None:
    parser = FrameParser()
    pieces = [b"+\x06\xff\xff"] + [b"-+\x06\xff\xff" + bytes(1000)] * 900 + [b"-" + WIRE]
    events = []
    for piece in pieces:
        events += parser.feed(piece)
        assert parser.pending <= 2 * LONGEST_FRAME + len(piece)
    events += parser.close()
    assert [event for event in events if isinstance(event, Frame)] == [SOC]
    assert parser.bad == {Reason.CRC: 1}


def test_noise_alone_needs_no_memory() -> None:
    parser = FrameParser()
    for _ in range(1000):
        assert parser.feed(b"\xff-\xfe--" * 100) == []
        assert parser.pending <= 1
    assert parser.noise["other"] == parser.fed - parser.pending


PENDING = [  # stream, how many of its bytes are held back
    (b"", 0),
    (WIRE, 0),
    (b"\0" + WIRE + b"\0", 0),
    (WIRE + b"\xff-\xff", 0),
    (WIRE[:-1], len(WIRE) - 1),
    (WIRE + WIRE[:1], 1),
    (WIRE + b"++", 2),
    (WIRE + b"+++", 3),
    (b"+++" + WIRE, 0),
    (b"\0-", 1),
    (b"+\x06\xff\xff" + bytes(1000), 1004),
]


@pytest.mark.parametrize(("stream", "pending"), PENDING)
def test_pending(stream: bytes, pending: int) -> None:
    for size in (1, len(stream) + 1):
        parser = FrameParser()
        for at in range(0, len(stream), size):
            parser.feed(stream[at : at + size])
        assert parser.pending == pending
        parser.close()
        assert parser.pending == 0


@given(STREAMS, st.integers(1, 30))
def test_every_byte_is_told_or_pending(stream: bytes, size: int) -> None:
    parser = FrameParser()
    told = 0
    for at in range(0, len(stream), size):
        told += sum(len(event.encode()) for event in parser.feed(stream[at : at + size]) if isinstance(event, Frame))
        assert told + parser.skipped + parser.pending == parser.fed


def test_a_parser_starts_anew_after_close() -> None:
    parser = FrameParser()
    parser.feed(WIRE[:5])
    parser.close()
    (frame,) = parser.feed(WIRE)
    assert (frame, frame.offset) == (SOC, 5)


@given(st.binary(max_size=300), st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300)), max_size=5))
def test_checksums_of_overlapping_spans(image: bytes, spans: list[tuple[int, int]]) -> None:
    spans = [(min(pair), min(max(pair), len(image))) for pair in spans if min(pair) <= len(image)]
    assert checksums(image, spans) == [checksum(image[begin:end]) for begin, end in spans]


def test_checksums_of_long_spans() -> None:
    image = bytes(range(251)) * 300
    spans = [(begin, begin + size) for begin in range(0, 5000, 497) for size in (0, 1, 4000, 32_766, 32_767, 65_538)]
    assert checksums(image, spans) == [checksum(image[begin:end]) for begin, end in spans]


def test_a_parser_that_was_closed_has_forgotten_the_old_stream() -> None:
    parser = FrameParser()
    parser.feed(b"+\x06\xff\xff-")  # ends in an escape that waits for its byte
    parser.close()
    assert parser.feed(WIRE) == [SOC]
