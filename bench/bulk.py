"""Whole captures to columns, beside rctclient and beside one pass of the checksum alone."""

from __future__ import annotations

import time
from binascii import crc_hqx
from collections.abc import Callable, Iterator
from typing import Final

from bench import Measurement
from bench.parsing import CHUNKS, PEER_FRAMES, cut, device_frames, parse_with_rctclient
from rct_tools.bulk import BulkStreams
from rct_tools.capture import Chunk, Direction

SIZE: Final = 100_000_000  # bytes
FRAMES: Final = 300_000  # which are repeated
ROUNDS: Final = 3
_CHUNK: Final = 65536  # bytes, as a file of raw bytes is read


def measure(quick: bool) -> Iterator[Measurement]:
    """Compare frames a second, and the time for the same bytes."""
    wires = [b"\0" + frame.encode() for frame in device_frames(FRAMES // 100 if quick else FRAMES)]
    unit = b"".join(wires)
    repeats = (SIZE // 50 if quick else SIZE) // len(unit) + 1
    stream = unit * repeats
    count = len(wires) * repeats
    chunks = [Chunk(0, Direction.RECEIVED, data) for data in cut(stream, _CHUNK)]
    few = cut(b"".join(wires[:PEER_FRAMES]), CHUNKS["chunks of 4 kB"])
    ours = checksum = peer = float("inf")
    for _ in range(1 if quick else ROUNDS):
        ours = min(ours, _timed(lambda: _to_columns(chunks, count)))
        checksum = min(checksum, _timed(lambda: crc_hqx(stream, 0)))
        peer = min(peer, _timed(lambda: parse_with_rctclient(few)) / len(wires[:PEER_FRAMES]))
    what = f"{len(stream) / 1e6:.0f} MB to columns"
    rate = f"{count / ours:,.0f} frames/s"
    yield Measurement(what, rate, f"{1 / peer:,.0f} frames/s, rctclient, 4 kB", peer * count / ours, at_least=150)
    speed = f"{len(stream) / ours / 1e6:,.0f} MB/s"
    against = f"{len(stream) / checksum / 1e6:,.0f} MB/s, crc_hqx alone"
    yield Measurement(what, speed, against, checksum / ours, at_least=0.25)


def _timed(work: Callable[[], object]) -> float:
    """Return the seconds of processor time that it takes; what else the machine does meanwhile does not count."""
    began = time.process_time()
    work()
    return time.process_time() - began


def _to_columns(chunks: list[Chunk], expected: int) -> None:
    streams = BulkStreams()
    found = sum(len(part.frames) for chunk in chunks if (part := streams.feed(chunk)))
    found += len(streams.close().frames)
    assert found == expected, f"{found} of {expected} frames"
