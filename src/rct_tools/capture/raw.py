"""Captures without time and direction: the bytes alone, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from io import RawIOBase
from typing import Final

from rct_tools.capture import Chunk, Direction

_CHUNK: Final = 65536


def read_chunks(file: RawIOBase) -> Iterator[Chunk]:
    """Yield what a file holds; at once what comes through a pipe. Times are 0, all directions RECEIVED."""
    while data := file.read(_CHUNK):
        yield Chunk(0, Direction.RECEIVED, data)


def write_chunk(file: RawIOBase, chunk: Chunk) -> None:
    """Append the bytes of a chunk, all of them or as many as there is room for. Raises OSError."""
    rest = memoryview(chunk.data)
    while rest:
        rest = rest[file.write(rest) or 0 :]
