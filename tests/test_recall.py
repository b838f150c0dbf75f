"""Damaged streams: every intact frame is found, hardly another one, and the counters add up, however they are cut.

Whatever is fed, one wrong candidate in 65,536 has a right checksum. That is all that may be found besides.
"""

from __future__ import annotations

from collections import Counter
from itertools import product
from random import Random

import pytest
from damage import KINDS, Damaged, intact, traffic, unescape
from fuzz_parser import noise_size, read_slowly

from rct_tools.checksum import checksum
from rct_tools.frame import BadFrame, Command, Frame, Reason
from rct_tools.parser import FrameParser, ParserEvent
from rct_tools.runs import LONGEST_FRAME

SEEDS = range(4)
SIZE = 120  # frames that are sent
DOUBTFUL = 1 << 17  # candidates with a checksum by chance
NO_ESCAPES = bytes.maketrans(b"+-", b"*,")
HARMLESS = ["clean", "broadcast"]

SOC = Frame(Command.RESPONSE, 0x959930BF, bytes.fromhex("3e97b191"))
ZERO = Frame(Command.RESPONSE, 0x959930BF, bytes.fromhex("01ee"))  # its checksum ends in 00
PLUS = Frame(Command.RESPONSE, 0x3623D82A, bytes.fromhex("0002"))  # its checksum ends in an escaped 2b
OUTER = Frame(Command.RESPONSE, 0xEBC62737, b"roof\0" + SOC.encode())
OUTER_AS_SENT = Frame(Command.RESPONSE, 0xEBC62737, b"roof\0" + PLUS.encode())
OUTER_UNESCAPED = Frame(Command.RESPONSE, 0xEBC62737, b"roof\0" + unescape(PLUS.encode()))

INTACT = [  # stream, which of those frames are intact in it, and where
    (b"\0" + SOC.encode() + SOC.encode(), [(1, SOC), (14, SOC)]),
    (SOC.encode()[:-1] + b"\0" + SOC.encode(), [(13, SOC)]),
    (SOC.encode()[:5] + SOC.encode(), [(5, SOC)]),
    (ZERO.encode()[:-1] + b"\0" + SOC.encode(), [(0, ZERO), (11, SOC)]),  # another 00 than the one that was sent
    (OUTER.encode(), [(0, OUTER)]),
    (b"\0-" + OUTER.encode() + SOC.encode(), [(2, OUTER), (30, SOC)]),
    (OUTER.encode()[:-1] + b"\0", [(13, SOC)]),
    (b"+\x07" + OUTER.encode()[2:], [(13, SOC)]),
    (b"+\x07" + OUTER_AS_SENT.encode()[2:], []),  # an escape of an escape is not what was sent
    (b"+\x07" + OUTER_UNESCAPED.encode()[2:], [(13, PLUS)]),
]


@pytest.fixture(params=product(KINDS, SEEDS), ids="{0[0]}, {0[1]}".format, scope="module")
def damaged(request: pytest.FixtureRequest) -> Damaged:
    kind, seed = request.param
    return KINDS[kind](Random(seed), SIZE)


def parse(stream: bytes, sizes: list[int]) -> tuple[list[ParserEvent], FrameParser]:
    parser = FrameParser()
    events = []
    at = 0
    for size in sizes:
        events += parser.feed(stream[at : at + size])
        at += size
    assert at >= len(stream)
    return events + parser.close(), parser


def frames_in(events: list[ParserEvent]) -> list[tuple[int, Frame]]:
    return [(event.offset, event) for event in events if isinstance(event, Frame)]


def random_sizes(chance: Random, total: int) -> list[int]:
    sizes: list[int] = []
    while sum(sizes) < total:
        sizes.append(min(chance.choice([0, 1, 2, 7, 64, 1460]) + chance.randrange(20), total - sum(sizes)))
    return sizes


def test_what_is_intact_is_found_once_in_order_and_nothing_else(damaged: Damaged) -> None:
    events, _ = parse(damaged.stream, [len(damaged.stream)])
    # One candidate with a right checksum by chance could be here for each 65,536; in these streams there is none.
    assert frames_in(events) == list(damaged.truth)


def test_chunks_change_neither_events_nor_counters(damaged: Damaged) -> None:
    stream = damaged.stream
    results = []
    for sizes in (
        [len(stream)],
        [len(stream)],  # the same again
        [1] * len(stream),
        random_sizes(Random(1), len(stream)),
        random_sizes(Random(2), len(stream)),
    ):
        events, parser = parse(stream, sizes)
        counters = (parser.fed, parser.frames, parser.bad, +parser.noise, parser.skipped)
        results.append(([(event.offset, event) for event in events], counters))
    assert all(result == results[0] for result in results)


def test_counters_add_up(damaged: Damaged) -> None:
    events, parser = parse(damaged.stream, random_sizes(Random(3), len(damaged.stream)))
    bad = [event for event in events if isinstance(event, BadFrame)]
    frames = [frame for _, frame in frames_in(events)]
    assert parser.frames == Counter(frame.command for frame in frames)
    assert parser.bad == Counter(event.reason for event in bad)
    assert min(parser.noise.values(), default=0) >= 0
    assert parser.skipped == sum(len(event.data) for event in bad) + noise_size(parser.noise)
    assert parser.fed == len(damaged.stream) == parser.skipped + sum(len(frame.encode()) for frame in frames)


def test_known_noise_is_counted_by_kind() -> None:
    damaged = KINDS["broadcast"](Random(1), 1 + 14 + 49 + 1 + 14)
    _, parser = parse(damaged.stream, [len(damaged.stream)])
    assert +parser.noise == {"00": 79, "+++": 5, "AT+": 1, "extension": 1}
    assert parser.skipped == 79 + 5 * 3 + 4 + 3


def test_a_slow_reading_of_the_rules_agrees_with_the_truth(damaged: Damaged) -> None:
    assert list(read_slowly(damaged.stream)) == list(damaged.truth)


@pytest.mark.parametrize("start", [b"+", b"-+"])
def test_checksums_are_right_by_chance_as_seldom_as_they_must(start: bytes) -> None:
    chance = Random(1)
    images = [b"\x05\x08" + chance.randbytes(10).translate(NO_ESCAPES) for _ in range(DOUBTFUL)]
    right = [image for image in images if checksum(image[:-2]) == int.from_bytes(image[-2:])]
    events, _ = parse(start + start.join(images), [4096] * (DOUBTFUL // 256))
    assert [frame.encode()[1:] for _, frame in frames_in(events)] == right
    expected = DOUBTFUL / 65_536
    assert abs(len(right) - expected) < 4 * expected**0.5


def test_a_frame_across_the_bound_of_memory_is_found_and_its_image_is_not() -> None:
    long = Frame(Command.LONG_RESPONSE, 1, bytes(30_000) + SOC.encode() + bytes(30_000))
    stream = b"-+\x06\x00\x10" + bytes(2 * LONGEST_FRAME - 40_000) + b"-" + long.encode() + SOC.encode()
    truth = intact(stream, [SOC, long])
    assert [frame for _, frame in truth] == [long, SOC]
    for size in (len(stream), 1000):
        assert frames_in(parse(stream, [size] * (len(stream) // size + 1))[0]) == list(truth)


# --- the streams themselves -------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_stream() -> None:
    for make in KINDS.values():
        assert make(Random(7), 30) == make(Random(7), 30) != make(Random(8), 30)


def test_frames_of_all_commands_and_sizes_are_sent_with_escapes_everywhere() -> None:
    frames = traffic(Random(1), 400)
    assert {frame.command for frame in frames} == set(Command)
    assert {0, 1, 2, 4, 48, 96, 332} <= {len(frame.payload) for frame in frames}
    assert any(b"+" in frame.object_id.to_bytes(4) for frame in frames)
    assert any(b"-" in frame.address.to_bytes(4) for frame in frames)
    assert any(b"-+" in frame.payload for frame in frames)
    assert any(b"-" in frame.encode()[-2:] for frame in frames)


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_does_what_it_is_for(kind: str) -> None:
    reasons: Counter[Reason] = Counter()
    for seed in SEEDS:
        damaged = KINDS[kind](Random(seed), SIZE)
        found = [frame for _, frame in damaged.truth]
        assert found == list(damaged.sent) if kind in HARMLESS else len(found) > SIZE // 4
        reasons += parse(damaged.stream, [len(damaged.stream)])[1].bad
    assert (not reasons) == (kind in HARMLESS)


def test_mixtures_hold_everything_that_is_counted() -> None:
    bad: Counter[Reason] = Counter()
    noise: Counter[str] = Counter()
    for seed in range(10):
        stream = KINDS["mixtures"](Random(seed), SIZE).stream
        parser = parse(stream, [len(stream)])[1]
        bad += parser.bad
        noise += parser.noise
    assert set(bad) == set(Reason)
    assert set(noise) == {"00", "other", "+++", "AT+", "extension"}


def test_images_are_frames_in_a_damaged_frame_and_data_in_an_intact_one() -> None:
    damaged = KINDS["nested images"](Random(1), SIZE)
    wires = [frame.encode() for _, frame in damaged.truth]
    assert sum(damaged.stream.endswith(b"-", 0, at) for at, _ in damaged.truth) > 5
    assert sum(inner in outer[1:] for inner, outer in product(wires, wires)) > 5


@pytest.mark.parametrize(("stream", "truth"), INTACT)
def test_what_is_intact(stream: bytes, truth: list[tuple[int, Frame]]) -> None:
    frames = [SOC, ZERO, PLUS, OUTER, OUTER_AS_SENT, OUTER_UNESCAPED]
    assert list(intact(stream, frames)) == truth == frames_in(parse(stream, [len(stream)])[0])
