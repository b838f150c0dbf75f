"""Captures as text, ``.rctcap``: one line a chunk, in docs/captures.md.

    2026-11-22T09:00:47.149000000+00:00 < 002b0508959930bf3e97b1919c86

The time is ``-`` where none is known; a connection but the first has its number behind the direction: ``<2``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from io import BufferedReader, RawIOBase
from typing import Final

from rct_tools.capture import CaptureItem, Chunk, Damage, Direction, write_all
from rct_tools.errors import CaptureError
from rct_tools.times import iso_time, parse_iso_time

_LONGEST_LINE: Final = 1 << 20  # bytes
_LONGEST_DATA: Final = _LONGEST_LINE // 4  # bytes of a chunk on one line
_HOPELESS: Final = 3  # lines at the beginning that are no chunks: then it is another kind of file
_LINE: Final = re.compile(rb"(-|[0-9T:.+Z-]+) ([<>])([0-9]{0,9}) ((?:[0-9a-fA-F]{2})+)\r?\n")


def read_chunks(file: RawIOBase, _port: int) -> Iterator[CaptureItem]:
    """Yield a chunk for each line; a line that holds none is a Damage, and so is one without its end.

    Raises CaptureError when the first lines hold none.
    """
    source = BufferedReader(file)
    offset = 0
    found = False
    try:
        for number, line in enumerate(iter(lambda: source.readline(_LONGEST_LINE), b""), start=1):
            if (chunk := _parse(line)) is not None:
                found = True
                yield chunk
            elif not line.startswith(b"#") and line.strip():
                if not found and number >= _HOPELESS:
                    raise CaptureError("its first lines hold no chunks; is it another kind of file?")
                cut = " and has no end" if line[-1:] != b"\n" else ""
                yield Damage(offset, f"line {number} holds no chunk{cut}")
            offset += len(line)
    finally:
        source.detach()  # or it would close the file when it goes


def write_chunks(file: RawIOBase) -> Callable[[Chunk], None]:
    """Return what appends a chunk as a line; one of more than 256 kB becomes several."""
    if file.seekable() and file.readable() and file.seek(0, 2):
        file.seek(-1, 2)
        if file.read(1) != b"\n":  # the last line was cut off: it must not spoil the next
            write_all(file, b"\n")

    def write(chunk: Chunk) -> None:
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
    if time is None:
        return None
    return Chunk(time, Direction(direction.decode()), bytes.fromhex(data.decode("ascii")), int(connection or 0))
