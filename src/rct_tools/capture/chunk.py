"""What captures are made of: chunks, and what could not be read."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from errno import EAGAIN
from io import RawIOBase
from typing import Final, TypeAlias

END_OF_TIME: Final = 1 << 63  # in the year 2262; columns and databases keep times in 64 bits


class Direction(StrEnum):
    """Which way bytes went, seen from us."""

    RECEIVED = "<"
    SENT = ">"


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes as they crossed the wire. Time is stamped here, at the edge, and nowhere below."""

    time: int  # UTC, nanoseconds from 1970 on, below END_OF_TIME; 0 from a capture that keeps none
    direction: Direction
    data: bytes
    connection: int = 0  # which of several, in the order in which they were first seen


@dataclass(frozen=True, slots=True)
class Damage:
    """A part of a capture that could not be read: an event, never an exception. Reading goes on behind it."""

    offset: int  # in the file, after decompression
    reason: str  # one phrase for people


CaptureItem: TypeAlias = Chunk | Damage


def write_all(file: RawIOBase, data: bytes) -> None:
    """Write all of the bytes, or as many as there is room for. Raises OSError."""
    rest = memoryview(data)
    while rest:
        written = file.write(rest)
        if not written:  # a pipe that does not block: to try again would keep the processor busy until it is read
            raise BlockingIOError(EAGAIN, "what reads this is too slow")
        rest = rest[written:]


def read_beginning(file: RawIOBase, size: int) -> bytes:
    """Return how a file begins that is to be continued, and stand at its end; nothing of one that is only written."""
    if not (file.seekable() and file.readable()):
        return b""
    file.seek(0)
    beginning = file.read(size) or b""
    file.seek(0, 2)
    return beginning
