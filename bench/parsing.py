"""The parser: a clean stream, beside rctclient's ReceiveFrame; and streams made to be slow."""

from __future__ import annotations

import random
import struct
import time
from collections.abc import Callable, Iterator
from typing import Final

from rctclient.frame import ReceiveFrame

from bench import Measurement
from rct_tools.frame import Command, Frame
from rct_tools.objects import registry
from rct_tools.parser import FrameParser
from rct_tools.runs import LONGEST_FRAME
from rct_tools.values import DataType

FRAMES: Final = 300_000
PEER_FRAMES: Final = 5_000  # of the same stream: it is that slow, and its time grows evenly
CHUNKS: Final = {"one chunk": 1 << 30, "chunks of 4 kB": 4096, "chunks of 64 B": 64}
GOALS: Final = {"one chunk": 12, "chunks of 4 kB": 20, "chunks of 64 B": 12}  # times as many frames as the peer
ROUNDS: Final = 3
HOSTILE_SIZE: Final = 100_000  # bytes

_SIZES: Final = {  # of payloads, in bytes
    DataType.BOOL: 1,
    DataType.UINT8: 1,
    DataType.INT8: 1,
    DataType.ENUM: 1,
    DataType.UINT16: 2,
    DataType.INT16: 2,
    DataType.UINT32: 4,
    DataType.INT32: 4,
    DataType.STRING: 32,
}

HOSTILE: Final = {  # what is repeated; a search among all short ones found the worst of each kind
    "starts": b"+",
    "starts, and heads of no command": b"++<",
    "starts, and cut heads": b"++A",
    "heads of no command": b"+\0",
    "cut heads": b"+\x05",
    "cut heads around escaped ones": b"+\x05\x04\r\x95\0<-+\x95+",
    "heads that claim 65,535 bytes": b"+\x06\xff\xff",
    "escapes": b"-",
    "escapes that escape nothing": b"+-\0",
    "starts, and escapes that escape nothing": b"++-\0",
    "escaped starts": b"-+",
    "starts behind two escapes": b"--+",
    "escaped heads that claim 65,535 bytes": b"-+\x06\xff\xff",
    "escaped heads that claim 30,000 bytes": b"-+\x06\x75\x30",
    "escaped heads that claim 11,075 bytes": b"-+C",
    "escaped heads of whole short frames": b"-+\x05\x04",
    "zeros": b"\0",
    "a mixture": b"+-+\x06\xff\xff-+--\x05-+\x46\xff\xff\0-\0AT+\r+++\x05\x08-+\x06\x00\x40",
    "frames with a wrong checksum": b"\0+\x05\x08\x95\x99\x30\xbf\x3e\x97\xb1\x91\x9c\x87",
}
HOSTILE["all of these in any order"] = b"".join(random.Random(1).choices(list(HOSTILE.values()), k=1000))


def measure(quick: bool) -> Iterator[Measurement]:
    """Compare frames a second, then the time of hostile streams with that of a clean one of the same size."""
    wires = [b"\0" + frame.encode() for frame in device_frames(FRAMES // 100 if quick else FRAMES)]
    rounds = 1 if quick else ROUNDS
    yield from against_peer(wires, rounds)
    size = HOSTILE_SIZE // 25 if quick else HOSTILE_SIZE
    yield from against_clean(b"".join(wires)[:size], rounds)
    yield growth(size if quick else 2 * LONGEST_FRAME)  # more than a parser keeps


def against_peer(wires: list[bytes], rounds: int) -> Iterator[Measurement]:
    stream = b"".join(wires)
    few = b"".join(wires[:PEER_FRAMES])
    best = dict.fromkeys(CHUNKS, 0.0)
    peer = 0.0
    for _ in range(rounds):
        for name, size in CHUNKS.items():
            best[name] = max(best[name], len(wires) / timed(parse, cut(stream, size), len(wires)))
        count = len(wires[:PEER_FRAMES])
        peer = max(peer, count / timed(parse_with_rctclient, cut(few, CHUNKS["chunks of 4 kB"]), count))
    for name, rate in best.items():
        what = f"parse {len(wires):,} frames, {name}"
        compared = f"{peer:,.0f} frames/s, rctclient, 4 kB"
        yield Measurement(what, f"{rate:,.0f} frames/s", compared, rate / peer, at_least=GOALS[name])


def against_clean(clean: bytes, rounds: int) -> Iterator[Measurement]:
    """Compare each hostile stream in the chunks that make it slowest."""
    streams = {name: (unit * (len(clean) // len(unit) + 1))[: len(clean)] for name, unit in HOSTILE.items()}
    for name, stream in streams.items():
        worst: tuple[float, str, float, float] | None = None
        for chunks, size in CHUNKS.items():
            ours = reference = float("inf")
            for _ in range(rounds):
                reference = min(reference, timed(parse, cut(clean, size)))
                ours = min(ours, timed(parse, cut(stream, size)))
            worst = max(worst or (0.0, "", 0.0, 0.0), (ours / reference, chunks, ours, reference))
        assert worst is not None
        ratio, chunks, ours, reference = worst
        yield Measurement(
            f"{len(clean):,} bytes of {name}, {chunks}",
            f"{ours * 1000:.3g} ms",
            f"{reference * 1000:.3g} ms, clean stream",
            ratio,
            at_most=20,
        )


def growth(size: int) -> Measurement:
    """Compare a large chunk with one four times as large: the hostile stream whose time grows most."""
    worst = (0.0, "", 0.0, 0.0)
    for name, unit in HOSTILE.items():
        stream = unit * (4 * size // len(unit))
        few = min(timed(parse, [stream[:size]]) for _ in range(2))
        many = timed(parse, [stream])
        worst = max(worst, (many / few, name, many, few))
    ratio, name, many, few = worst
    what = f"{4 * size:,} bytes of {name}, one chunk"
    return Measurement(what, f"{many * 1000:.3g} ms", f"{few * 1000:.3g} ms, a quarter of it", ratio, at_most=8)


def device_frames(count: int) -> Iterator[Frame]:
    """Yield answers as an inverter gives them: objects of the table in turn, with values of their type."""
    chance = random.Random(1)
    objects = [info for info in registry if info.data_type in _SIZES or info.data_type is DataType.FLOAT]
    for number in range(count):
        info = objects[number % len(objects)]
        if info.data_type is DataType.FLOAT:
            payload = struct.pack(">f", chance.choice([0.0, 1.0, chance.gauss(0, 3000), chance.random()]))
        elif info.data_type is DataType.STRING:
            payload = chance.randbytes(8).hex().encode().ljust(_SIZES[info.data_type], b"\0")
        else:
            payload = chance.randrange(100).to_bytes(_SIZES[info.data_type])
        yield Frame(Command.RESPONSE, info.object_id, payload)


def cut(stream: bytes, size: int) -> list[bytes]:
    return [stream[at : at + size] for at in range(0, len(stream), size)]


def timed(parse: Callable[[list[bytes]], int], chunks: list[bytes], expected: int | None = None) -> float:
    """Return the seconds of processor time that parsing takes; ``expected`` is how many frames it must find."""
    began = time.process_time()
    found = parse(chunks)
    took = time.process_time() - began
    assert expected in (None, found), f"{parse.__name__} found {found} of {expected} frames"
    return took


def parse(chunks: list[bytes]) -> int:
    parser = FrameParser()
    count = 0
    for chunk in chunks:
        for event in parser.feed(chunk):
            if isinstance(event, Frame):
                _ = event.object_id, event.payload
                count += 1
    parser.close()
    return count


def parse_with_rctclient(chunks: list[bytes]) -> int:
    """Do what its documentation does."""
    frame = ReceiveFrame()
    count = 0
    for chunk in chunks:
        rest = chunk
        while rest:
            rest = rest[frame.consume(rest) :]
            if frame.complete():
                _ = frame.id, frame.data
                count += 1
                frame = ReceiveFrame()
    return count
