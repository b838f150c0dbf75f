"""Each capture format, plain and compressed. For any bytes in a file:

- Reading raises nothing but CaptureError, in one line that begins with the name of the file.
- What comes is a Chunk with data or a Damage with a place in the file, and no byte of data is invented.
- Memory is bounded, whatever the lengths in the file claim, and however much was compressed into it.
- How many bytes a read of the file brings makes no difference. Two exceptions are meant: a wrong name is noticed
  only by a first read that brings enough, and what comes just before the damage of compressed data may be lost with it.
- What was read and is written again reads the same.
- A file is continued so that what is appended is read, or it is refused and left as it was.
"""

from __future__ import annotations

import struct
import tracemalloc
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from io import BytesIO, RawIOBase
from itertools import cycle, groupby
from random import Random
from typing import Any, Final, cast

from fuzz_mutations import EXTREMES, mutate
from fuzz_parser import PIECES
from test_capture import LINES, NO_LINES, WRONG_NAMES
from test_capture_pcap import (
    ACK,
    FILES,
    LAYERS,
    NO_SEGMENTS,
    PORT,
    STREAMS,
    SYN,
    block,
    enhanced,
    interface,
    pcap_header,
    pcap_record,
    renumber,
    section,
    send,
)

from rct_tools.capture import CaptureItem, Chunk, Damage, Direction, read_capture, write_capture
from rct_tools.capture.compression import COMPRESSIONS, decompress
from rct_tools.errors import CaptureError

_BUFFERS: Final = 1 << 20  # bytes of memory that any reading may take
_FACTOR: Final = 30  # and for each byte of the file, up to _MOST: small packets are larger as objects
_MOST: Final = {".bin": 0, ".rctcap": 8 << 20, ".pcap": 64 << 20, ".pcapng": 64 << 20}
LAST: Final = Chunk(1, Direction.RECEIVED, b"appended")
_CONNECTIONS: Final = 100  # of more, those longest unused may be forgotten, and go on as others


class Pieces(RawIOBase):
    """A file of which each read brings a piece; the sizes repeat."""

    def __init__(self, data: bytes, sizes: list[int]) -> None:
        self._rest = memoryview(data)
        self._sizes = cycle(sizes)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        piece = self._rest[: min(next(self._sizes), len(buffer))]
        self._rest = self._rest[len(piece) :]
        buffer[: len(piece)] = piece
        return len(piece)


def check(suffix: str, packing: str, data: bytes) -> None:
    """Assert what must hold for any file with this name."""
    name = f"x{suffix}{packing}"
    whole = [len(data) + 1]
    size, is_damaged = measure(name, data)
    memory = trace(name, data)
    assert memory <= _BUFFERS + min(_FACTOR * size, _MOST[suffix]), f"{memory} bytes of memory for {size} of content"

    items, error = read(name, data, whole)
    assert not error or (error.startswith(f"{name}: ") and error.isprintable())
    chunks = [item for item in items if isinstance(item, Chunk)]
    assert all(chunk.data for chunk in chunks)
    assert sum(len(chunk.data) for chunk in chunks) <= size, "data that is not in the file"
    assert all(0 <= item.offset <= size and item.reason.isprintable() for item in items if isinstance(item, Damage))

    chance = Random(data)
    if not is_damaged and not (suffix == ".bin" and error):
        few = len(data) // 200 + 1
        for sizes in ([few], chance.choices(range(few, 40 * few), k=9), [chance.randint(1, len(data) + 1)]):
            again, same = read(name, data, sizes)
            assert (merge(again), same) == (merge(items), error), f"other when reads bring {sizes} bytes"
    if len({chunk.connection for chunk in chunks}) <= _CONNECTIONS:
        check_writing(name, chunks)
    if not error:
        check_continuing(name, data)


def measure(name: str, data: bytes) -> tuple[int, bool]:
    """Return the size of the content, and whether its compression is damaged."""
    size = 0
    try:
        content = decompress(Pieces(data, [len(data) + 1]), name)
        while piece := content.read(1 << 16):
            size += len(piece)
    except CaptureError:
        # What comes before the damage depends on how much is asked for, but never passes this.
        return size + (1 << 18), True
    return size, False


def trace(name: str, data: bytes) -> int:
    """Return how much memory it takes to read a file without keeping what comes."""
    file = Pieces(data, [len(data) + 1])
    tracemalloc.start()
    try:
        for _ in read_capture(file, name, PORT):
            pass
    except CaptureError:
        pass
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return peak


def read(name: str, data: bytes, sizes: list[int]) -> tuple[list[CaptureItem], str]:
    """Return what is in a file, and what CaptureError says of the rest."""
    items: list[CaptureItem] = []
    try:
        items.extend(read_capture(Pieces(data, sizes), name, PORT))
    except CaptureError as exc:
        return items, str(exc)
    return items, ""


def check_writing(name: str, chunks: list[Chunk]) -> None:
    file = BytesIO()
    try:
        with write_capture(cast("RawIOBase", file), name) as write:
            for chunk in chunks:
                write(chunk)
    except CaptureError as exc:
        assert "pcap cannot hold the time" in str(exc)  # noqa: PT017  # any other is a finding
        return
    items, error = read(name, file.getvalue(), [1 << 20])
    # Of packets, a connection may have been known by what is missing only: then it has no number any more.
    expected = renumber(chunks) if name.startswith("x.pcap") else chunks
    if name.startswith("x.bin"):
        expected = [Chunk(0, Direction.RECEIVED, b"".join(chunk.data for chunk in chunks))] if chunks else []
        if "it begins like" in error:
            return  # what the first read brings may be more now
    assert (merge(items), error) == (merge(expected), "")


def check_continuing(name: str, data: bytes) -> None:
    file = BytesIO(data)
    file.seek(0, 2)  # as files are that were opened to be continued
    try:
        with write_capture(cast("RawIOBase", file), name) as write:
            write(LAST)
    except CaptureError:
        assert file.getvalue() == data
        return
    items, error = read(name, file.getvalue(), [1 << 20])
    assert any(item.data.endswith(LAST.data) for item in items if isinstance(item, Chunk)) or "it begins like" in error


def merge(items: Iterable[CaptureItem]) -> list[CaptureItem]:
    """Return items with all that came at once in one chunk: formats may cut it, each in their way."""
    merged: list[CaptureItem] = []
    for _, together in groupby(items, lambda item: replace(item, data=b"") if isinstance(item, Chunk) else item):
        first, *others = together
        if isinstance(first, Chunk):
            data = b"".join(item.data for item in (first, *others) if isinstance(item, Chunk))
            merged.append(replace(first, data=data))
        else:
            merged += [first, *others]
    return merged


# --- inputs ---------------------------------------------------------------------------------------------------------

MAGICS: Final = [row[0] for row in WRONG_NAMES]
EXTREME_LINES: Final = [
    b"0001-01-01T00:00:00+14:00 < 00\n",
    b"9999-12-31T23:59:59.999999999-14:00 > 00\n",
    b"1969-12-31T23:59:59.999999999Z <999999999 2b\n",
    b"1970-01-01T00:00:00Z <000 2b\n",
    b"# a comment\n",
    b"\r\n",
    b"- < " + b"00" * 700_000 + b"\n",
]


def bin_parts(chance: Random) -> list[bytes]:
    return [chance.choice(MAGICS)] * (chance.random() < 0.1) + chance.choices(PIECES, k=chance.randrange(1, 40))


def text_parts(chance: Random) -> list[bytes]:
    lines = [row[0] for row in LINES] + NO_LINES
    return [
        chance.choice(EXTREME_LINES[: None if chance.random() < 0.01 else -1])
        if chance.random() < 0.2
        else chance.choice(lines).encode() + b"\n"
        for _ in range(chance.randrange(1, 12))
    ]


def packet(chance: Random) -> tuple[int, bytes]:
    """Return a packet and its link type: often one of a few connections, with what happens to them."""
    if chance.random() < 0.2:
        return chance.choice([row[1:] for row in LAYERS] + NO_SEGMENTS)
    data = bytes(chance.choices(b"abc+-", k=chance.choice((0, 1, 2, 5, 30))))
    flags = chance.choice((0x18, 0x18, 0x18, ACK, SYN, SYN | ACK, 0x11, 0))
    sequence, ack = (chance.choice((*range(12), *EXTREMES)) for _ in range(2))
    client = chance.randrange(3) if chance.random() < 0.9 else chance.randrange(15_000)
    return 101, send(chance.choice(list(Direction)), sequence, data, ack, flags=flags, client=client)


def packets(chance: Random) -> list[tuple[int, bytes]]:
    if chance.random() < 0.4:
        return [(101, content) for content in chance.choice(STREAMS)[1][:20]]
    return [packet(chance) for _ in range(chance.randrange(1, 20))]


def pcap_parts(chance: Random) -> list[bytes]:
    order = chance.choice("<>")
    magic, extra = chance.choice(((0xA1B2C3D4, 0), (0xA1B23C4D, 0), (0xA1B2CD34, 8)))
    contents = packets(chance)
    seconds, fraction = (chance.choice((0, 1, 1_700_000_000, *EXTREMES)) for _ in range(2))
    return [
        pcap_header(magic, order, chance.choice((101, 228, contents[0][0]))),
        *(pcap_record(content, seconds, fraction, order, extra) for _, content in contents),
    ]


def options(chance: Random) -> list[tuple[int, bytes]]:
    return [
        (chance.choice((9, 14, 0, 2, 1 << 15)), chance.randbytes(chance.choice((1, 1, 8, 8, 0, 2))))
        for _ in range(chance.randrange(3))
    ]


def pcapng_parts(chance: Random) -> list[bytes]:
    """Return blocks, of which some hold what they should not, but none is longer than it says."""
    order = chance.choice("<>")
    contents = packets(chance)
    links = sorted({link for link, _ in contents})
    blocks = [section(order), *(interface(order, link, chance.choice((0, 0, 50)), options(chance)) for link in links)]
    for link, content in contents:
        ticks = chance.choice((0, 5, 1_700_000_000_000_000, (1 << 64) - 1, chance.getrandbits(64)))
        blocks.append(enhanced(ticks, content, order, links.index(link)))
        if chance.random() < 0.1:
            blocks.append(block(order, 3, struct.pack(order + "I", len(content)) + content))
    if chance.random() < 0.5:
        at = chance.randrange(1, len(blocks))
        (kind,) = struct.unpack(order + "I", blocks[at][:4])
        blocks[at] = block(order, chance.choice((kind, 1, 2, 3, 6)), mutate(chance, blocks[at][8:-4], blocks))
    return blocks


PARTS: Final[Mapping[str, Callable[[Random], list[bytes]]]] = {
    ".bin": bin_parts,
    ".rctcap": text_parts,
    ".pcap": pcap_parts,
    ".pcapng": pcapng_parts,
}
GOOD: Final = [row[1] for row in FILES]


def inputs(suffix: str, packing: str, chance: Random) -> Iterator[bytes]:
    """Yield files without end: good ones, ones whose parts are in disorder, and ones with changed bytes."""
    while True:
        parts = PARTS[suffix](chance)
        for _ in range(chance.choice((0, 0, 1, 3))):
            change = chance.randrange(len(parts))
            parts[change : change + chance.randrange(2)] = chance.choices(parts, k=chance.randrange(2))
            parts = parts or [b""]
        if chance.random() < 0.6:
            change = chance.randrange(len(parts))
            parts[change] = mutate(chance, parts[change], [*parts, *GOOD])
        if packing:
            parts = compress(packing, parts, chance)
        data = b"".join(parts)
        yield mutate(chance, data, [data, *MAGICS]) if chance.random() < (0.4 if packing else 0.1) else data


def compress(packing: str, parts: list[bytes], chance: Random) -> list[bytes]:
    """Return parts compressed, at times with much that says nothing, and in several files behind one another."""
    compression = COMPRESSIONS[packing]()
    if chance.random() < 0.005:
        part = chance.choice(parts)
        parts.insert(chance.randrange(len(parts) + 1), part * ((2 << 20) // (len(part) + 1)))
    packed = []
    while parts:
        count = chance.randrange(1, len(parts) + 1)
        compressor = compression.compressor()
        packed += [compressor.compress(part) + compressor.flush(compression.sync) for part in parts[:count]]
        packed.append(compressor.flush())
        del parts[:count]
    return packed
