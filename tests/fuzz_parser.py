"""The parser. For any bytes, however they are cut,

- FrameParser raises nothing, and what it holds back is bounded;
- the events and counters are the same;
- each byte of the stream is told once, in a frame, a bad frame or as noise, in order and as it was;
- every intact frame is found, and no other: a slow and plain reading finds the same.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from itertools import cycle, pairwise
from typing import Final

from rct_tools.checksum import checksum
from rct_tools.frame import EXTENSION, BadFrame, Command, Frame
from rct_tools.parser import FrameParser, ParserEvent
from rct_tools.runs import LONGEST_FRAME

FRAMES: Final = [  # put between the junk
    Frame(Command.RESPONSE, 0x959930BF, bytes.fromhex("3e97b191")),
    Frame(Command.RESPONSE, 0x3623D82A, b"\0\2"),  # an escape inside its checksum
    Frame(Command.READ, 0x2B2D2B2D),
    Frame(Command.RESPONSE, 0xEBC62737, b"roof\0" + Frame(Command.READ, 0x959930BF).encode()),  # the image of a frame
    Frame(Command.LONG_RESPONSE, 0x2D00002B, b"+-" * 40),
    Frame(Command.PLANT_RESPONSE, 0x29BDA75F, b"-", 0x2B),
    Frame(Command.PLANT_LONG_WRITE, 0, b"", 1),
]
MARK: Final = 0xA5
"""In an input, this byte and the next stand for one of FRAMES. Everything else is junk, and put there as it is."""

PIECES: Final = [  # what chance makes inputs of
    *(b"+", b"-", b"-+", b"--", b"+++", b"AT+\r", EXTENSION, b"\0"),
    *(b"+\x06\xff\xff", b"-+\x06\x01\x00", b"+\x05\xff", b"-+\x05\x20", b"-+\x46\x00\x40", b"+\x05\x08"),
    *(bytes([MARK, number]) for number in range(len(FRAMES))),
    *(b"-" + bytes([MARK, number]) for number in range(len(FRAMES))),
    *(frame.encode() for frame in FRAMES),
]
BIASED: Final = bytes.fromhex("2b2d0005 0645ff2b 2d040800")

_NOISE_SIZES: Final = {"+++": 3, "AT+": 4, "extension": 3}  # bytes of the kinds that are counted by the piece
_LONGEST_READ_SLOWLY: Final = 3000  # bytes


def check(data: bytes) -> None:
    """Assert what must hold for any input."""
    stream, placed = build(data)
    found, counted = read(stream, [len(stream) + 1])
    chance = random.Random(data)
    for sizes in ([1], chance.choices(range(1, 40), k=9), [chance.randint(1, len(stream) + 1)]):
        assert read(stream, sizes) == (found, counted), f"other when cut into chunks of {sizes}"

    told = [(at, event.data if isinstance(event, BadFrame) else event.encode()) for at, event in found]
    assert all(stream.startswith(wire, at) for at, wire in told), "told what is not there"
    assert all(at + len(wire) <= following for (at, wire), (following, _) in pairwise(told)), "told twice"
    assert min(counted.values(), default=0) >= 0
    assert sum(len(wire) for _, wire in told) + noise_size(counted) == len(stream), "bytes not told, or told twice"

    frames = [(at, event) for at, event in found if isinstance(event, Frame)]
    ends = {at: at + len(frame.encode()) for at, frame in frames}
    for at, frame in placed:
        # Junk that begins like a frame may by chance have a right checksum behind what was placed: then it is data.
        assert (at, frame) in frames or any(begin < at < end for begin, end in ends.items()), f"lost at {at}: {frame}"
    if len(stream) <= _LONGEST_READ_SLOWLY:
        assert frames == list(read_slowly(stream))


def build(data: bytes) -> tuple[bytes, list[tuple[int, Frame]]]:
    """Return the stream that an input stands for, and the frames that were placed in it, with their offsets."""
    junk, *rest = data.split(bytes([MARK]))
    stream, placed = bytearray(junk), []
    for part in rest:
        frame = FRAMES[int.from_bytes(part[:1]) % len(FRAMES)]
        placed.append((len(stream), frame))
        stream += frame.encode() + part[1:]
    return bytes(stream), placed


def read(stream: bytes, sizes: list[int]) -> tuple[list[tuple[int, ParserEvent]], Counter[str]]:
    """Return the events of a stream with their offsets, and the counted noise; the sizes of the chunks repeat."""
    reader = FrameParser()
    events: list[ParserEvent] = []
    at = 0
    for size in cycle(sizes):
        if at >= len(stream):
            break
        events += reader.feed(stream[at : at + size])
        at += size
        assert reader._size <= 2 * LONGEST_FRAME + size  # a promise about memory, which shows nowhere else
    events += reader.close()
    assert reader.frames.total() + reader.bad.total() == len(events)
    assert reader.fed == len(stream)
    assert reader.skipped == noise_size(reader.noise) + sum(len(e.data) for e in events if isinstance(e, BadFrame))
    return [(event.offset, event) for event in events], +reader.noise


def noise_size(noise: Counter[str]) -> int:
    return sum(count * _NOISE_SIZES.get(kind, 1) for kind, count in noise.items())


def read_slowly(stream: bytes) -> Iterator[tuple[int, Frame]]:
    """Yield the frames of a stream, the plain way: from each start in turn, and after a frame from its end."""
    at = stream.find(b"+")
    while at >= 0:
        frame = frame_at(stream, at)
        if frame is not None:
            yield at, frame
            at += len(frame.encode()) - 1
        at = stream.find(b"+", at + 1)


def frame_at(stream: bytes, start: int) -> Frame | None:
    image = bytearray()
    at = start + 1
    while (size := measure(image)) is None or len(image) < size:
        escaped = stream[at : at + 1] == b"-"
        byte = stream[at + escaped : at + escaped + 1]
        if not byte or (byte in (b"+", b"-")) != escaped:
            return None
        image += byte
        at += 1 + escaped
    if size == 0:
        return None
    command = Command(image[0])
    body = 3 if command.is_long else 2
    ids = 8 if command.is_plant else 4
    if size < body + ids + 2 or checksum(bytes(image[:-2])) != int.from_bytes(image[-2:]):
        return None
    address = int.from_bytes(image[body : body + ids - 4])
    return Frame(command, int.from_bytes(image[body + ids - 4 : body + ids]), bytes(image[body + ids : -2]), address)


def measure(image: bytes | bytearray) -> int | None:
    """Return how long a frame without its start is, None while too little of it is there, 0 for no frame."""
    if not image:
        return None
    if image[0] not in list(Command):
        return 0
    head = 3 if Command(image[0]).is_long else 2
    return head + int.from_bytes(image[1:head]) + 2 if len(image) >= head else None


# --- inputs ---------------------------------------------------------------------------------------------------------


def inputs(chance: random.Random) -> Iterator[bytes]:
    """Yield inputs without end."""
    while True:
        pieces = [
            chance.choice(PIECES) if chance.random() < 0.7 else bytes(chance.choices(BIASED, k=chance.randrange(9)))
            for _ in range(chance.randrange(1, 16))
        ]
        data = bytearray(b"".join(pieces))
        for _ in range(chance.choice([0, 0, 0, 1, 1, 4])):
            at = chance.randrange(len(data) + 1)
            # A byte is put in, changed, or left out.
            data[at : at + chance.randrange(2)] = bytes(chance.choices(BIASED, k=chance.randrange(2)))
        yield bytes(data)
