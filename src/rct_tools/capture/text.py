"""Captures as text, ``.rctcap``: one line a chunk, in docs/captures.md.

    2026-11-22T09:00:47.149000000+00:00 < 002b0508959930bf3e97b1919c86

The time is ``-`` where none is known; a connection but the first has its number behind the direction: ``<2``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from io import BufferedReader, RawIOBase
from typing import Final

from rct_tools.capture.chunk import END_OF_TIME, CaptureItem, Chunk, Damage, Direction, read_beginning, write_all
from rct_tools.errors import CaptureError
from rct_tools.times import iso_time, parse_iso_time

_LONGEST_LINE: Final = 1 << 20  # bytes
_LONGEST_DATA: Final = _LONGEST_LINE // 4  # bytes of a chunk on one line
_HOPELESS: Final = 3  # damaged lines before any chunk: then it is another kind of file
_LONGEST_BEGINNING: Final = 64  # bytes, by which a file to be continued is known
# An odd number of digits is refused behind it: a pattern of pairs takes 100 times the memory of the line.
_LINE: Final = re.compile(rb"(-|[0-9T:.+Z-]+) ([<>])([0-9]{0,9}) ([0-9a-fA-F]+)\r?\n")
_BEGINNING: Final = re.compile(  # of a comment, or of a chunk that may be cut off anywhere
    rb"\s*(\Z|#|[0-9T:.+Z-]{1,40}(\Z| (\Z|[<>][0-9]{0,9}(\Z| (\Z|[0-9a-fA-F])))))"
)


def read_chunks(file: RawIOBase, _port: int) -> Iterator[CaptureItem]:
    """Yield a chunk for each line; a line that holds none is a Damage, and so is one without its end.

    Raises CaptureError when the first lines hold none.
    """
    source = BufferedReader(file)
    offset = number = damaged = 0
    found = is_damaged = False
    begins = True  # a line; of a longer one, the rest is of the kind of its first piece
    try:
        while piece := source.readline(_LONGEST_LINE):
            has_end = piece[-1:] == b"\n"
            if begins:
                number += 1
                chunk = _parse(piece)
                is_damaged = chunk is None and not piece.startswith(b"#") and bool(piece.strip())
                if chunk is not None:
                    found = True
                    yield chunk
            if is_damaged:
                damaged += 1
                if not found and damaged >= _HOPELESS:
                    raise CaptureError("its first lines hold no chunks; is it another kind of file?")
                if begins:
                    within = " within 1 MiB" if len(piece) == _LONGEST_LINE else ""
                    cut = "" if has_end else f" and has no end{within}"
                    yield Damage(offset, f"line {number} holds no chunk{cut}")
            offset += len(piece)
            begins = has_end
    finally:
        if not file.closed:
            source.detach()  # or it would close the file when it goes


def write_chunks(file: RawIOBase) -> Callable[[Chunk], None]:
    """Return what appends a chunk as a line; one of more than 256 kB becomes several.

    A file that holds something must begin with a chunk or a comment. Raises CaptureError when it does not, or for a
    time that is not between 1970 and 2262, and OSError.
    """
    if beginning := read_beginning(file, _LONGEST_BEGINNING):
        if not _BEGINNING.match(beginning):
            raise CaptureError("cannot be continued, since it does not begin like a .rctcap; record into a new file")
        file.seek(-1, 2)
        last = file.read(1)
        if last != b"\n":  # digits that are cut off would be taken for a chunk
            write_all(file, b"\n" if last.isspace() else b" cut off\n")

    def write(chunk: Chunk) -> None:
        if not 0 <= chunk.time < END_OF_TIME:
            raise CaptureError(f".rctcap cannot hold the time {chunk.time} ns")
        head = f"{iso_time(chunk.time) if chunk.time else '-'} {chunk.direction}{chunk.connection or ''} "
        parts = (chunk.data[at : at + _LONGEST_DATA] for at in range(0, len(chunk.data), _LONGEST_DATA))
        write_all(file, "".join(f"{head}{part.hex()}\n" for part in parts).encode("ascii"))

    return write


def _parse(line: bytes) -> Chunk | None:
    match = _LINE.fullmatch(line)
    if match is None:
        return None
    when, direction, connection, data = match.groups()
    time = 0 if when == b"-" else parse_iso_time(when.decode("ascii"))
    if time is None or not 0 <= time < END_OF_TIME or len(data) % 2:
        return None
    return Chunk(time, Direction(direction.decode()), bytes.fromhex(data.decode("ascii")), int(connection or 0))
