"""Captures without time and direction: the bytes alone, one after the other."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from io import RawIOBase
from typing import Final

from rct_tools.capture.chunk import Chunk, Direction, read_beginning, write_all
from rct_tools.errors import CaptureError

_CHUNK: Final = 65536
LONGEST_BEGINNING: Final = 64
"""Bytes by which other formats are known."""

_OTHER_KINDS: Final = re.compile(  # how files begin that were given a wrong name; no inverter begins like this
    rb"(?P<gz>\x1f\x8b)|(?P<zst>\x28\xb5\x2f\xfd)|(?P<pcapng>\n\r\r\n)"
    rb"|(?P<pcap>\xa1\xb2[\xc3\x3c][\xd4\x4d]|[\xd4\x4d][\xc3\x3c]\xb2\xa1)|(?P<rctcap>[0-9T:.+Z-]{1,40} [<>][0-9]* )"
)


def read_chunks(file: RawIOBase, _port: int) -> Iterator[Chunk]:
    """Yield what a file holds; at once what comes through a pipe. Times are 0, all directions RECEIVED.

    Raises CaptureError when it begins like a file of another format.
    """
    data = file.read(_CHUNK)
    _refuse_others(data or b"")
    while data:
        yield Chunk(0, Direction.RECEIVED, data)
        data = file.read(_CHUNK)


def write_chunks(file: RawIOBase) -> Callable[[Chunk], None]:
    """Return what appends the bytes of a chunk, all of them or as many as there is room for.

    It raises OSError, and CaptureError for what was sent, or came on an earlier connection: with nothing to tell them
    apart, the frames of one would cut those of the other. Raises CaptureError when the file begins like one of another
    format.
    """
    _refuse_others(read_beginning(file, LONGEST_BEGINNING))
    connection = 0

    def write(chunk: Chunk) -> None:
        nonlocal connection
        if chunk.direction is not Direction.RECEIVED or chunk.connection < connection:
            raise CaptureError("raw bytes keep neither direction nor connection; choose .rctcap or .pcapng")
        connection = chunk.connection
        write_all(file, chunk.data)

    return write


def find_suffix(beginning: bytes) -> str:
    """Return the suffix of the format or compression that begins like this; that of raw bytes for anything else."""
    other = _OTHER_KINDS.match(beginning)
    return f".{other.lastgroup}" if other else ".bin"


def _refuse_others(beginning: bytes) -> None:
    if (suffix := find_suffix(beginning)) != ".bin":
        raise CaptureError(f"it begins like a {suffix}; give it that suffix")
