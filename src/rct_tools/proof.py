"""Proof that a capture holds nothing private: what is in its streams, and that nothing else is in the file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BufferedReader, RawIOBase
from pathlib import PurePath
from typing import Any, Final, TypeAlias

from rct_tools.capture import Chunk, Direction, find_format
from rct_tools.capture.compression import decompress, find_compression
from rct_tools.errors import CaptureError
from rct_tools.frame import BadFrame
from rct_tools.objects import registry
from rct_tools.privacy import StandIns, blank, find_private, is_stand_in, private_parts
from rct_tools.recent import Recent
from rct_tools.runs import unescape
from rct_tools.stream import MOST_STREAMS, Found, Streams

_COMPRESSED_PIECE: Final = 65536

_Key: TypeAlias = tuple[int, Direction]


def prove(name: str, file: RawIOBase, chunks: Iterable[Chunk], stand_ins: StandIns) -> None:
    """Search a capture: ``file`` is at its beginning and can be sought in, ``chunks`` were read from it before.

    Raises CaptureError, with the name, at the first that search() finds, and where the file holds anything else.
    """
    left = next(search(_alone(name, file, chunks), stand_ins), None)
    if left:
        way = "received" if left.direction is Direction.RECEIVED else "sent"
        raise CaptureError(
            f"{name}: something private of {left.name} is left, near byte {left.offset:,} of what was {way} on "
            f"connection {left.connection}; do not share this file"
        )


def _alone(name: str, file: RawIOBase, chunks: Iterable[Chunk]) -> Iterator[Chunk]:
    """Yield chunks while their file holds them and nothing else: byte for byte what we write of them.

    A comment, an option, a packet of others or an address may say anything, so there must be none.
    """
    source = BufferedReader(decompress(file, name))
    try:
        same = _Same(source)
        write = find_format(name).write_chunks(same)
        for chunk in chunks:
            write(chunk)
            yield chunk
        same.end()
        if not _is_bare(name, file):
            raise _Stray("its compressed data")
    except _Stray as exc:
        raise CaptureError(
            f"{name}: {exc} holds more than what was recorded, such as comments, names or addresses, which nobody "
            "can check; rct redact writes a file without that"
        ) from exc
    finally:
        source.detach()  # or it would close the file when it goes


class _Stray(Exception):
    """Where something is in a file that belongs to no chunk."""


class _Same(RawIOBase):
    """A file that takes only what another holds."""

    def __init__(self, file: BufferedReader[RawIOBase]) -> None:
        self._file = file
        self._at = 0

    def write(self, data: Any, /) -> int:
        if not bytes(data).startswith(self._file.read(len(data))):
            raise _Stray(f"from byte {self._at:,} on it")
        self._at += len(data)
        return len(data)

    def end(self) -> None:
        if self._file.read(1):
            raise _Stray(f"from byte {self._at:,} on it")


_BARE_HEADS: Final = {".gz": b"\x1f\x8b\x08\0\0\0\0\0", ".zst": b"\x28\xb5\x2f\xfd"}  # without name, comment, time


def _is_bare(name: str, file: RawIOBase) -> bool:
    """Return whether a file is not compressed, or is one compressed part with nothing beside it."""
    compression = find_compression(name)
    if compression is None:
        return True
    file.seek(0)
    data = file.read(_COMPRESSED_PIECE) or b""
    if not data.startswith(_BARE_HEADS[PurePath(name).suffix.lower()]):
        return False
    decompressor = compression.decompressor()
    while data or not decompressor.needs_input:
        decompressor.decompress(data, _COMPRESSED_PIECE)
        if decompressor.eof:
            break
        data = (file.read(_COMPRESSED_PIECE) or b"") if decompressor.needs_input else b""
    return not (decompressor.unused_data or file.read(1))


@dataclass(frozen=True, slots=True)
class Left:
    """A place where something private is."""

    name: str  # of its object
    connection: int
    direction: Direction
    offset: int  # in its stream; it begins there or, when it was found in bytes, ends before


def search(chunks: Iterable[Chunk], stand_ins: StandIns) -> Iterator[Left]:
    """Yield what is private in a capture: originals anywhere, and private values that have not the form of stand-ins.

    Originals are searched in the bytes of each stream, as they are and without escapes. Those that may stand anywhere
    by chance are searched in their own places only: ``StandIns.everywhere`` holds the others.
    """
    streams = Streams()
    views: Recent[_Key, _View] = Recent(MOST_STREAMS)
    for chunk in chunks:
        key = chunk.connection, chunk.direction
        view = views.get(key) or _View(stand_ins)
        views.put(key, view)
        for name in view.feed(chunk.data):
            yield Left(name, chunk.connection, chunk.direction, view.fed)
        for found in streams.feed(chunk):
            yield from _left_in(found, stand_ins)
    for found in streams.close():
        yield from _left_in(found, stand_ins)


class _View:
    """Bytes in which originals are searched, as they are and without escapes, also where one piece meets the next."""

    def __init__(self, stand_ins: StandIns) -> None:
        self.fed = 0
        self._stand_ins = stand_ins
        self._longest = max(map(len, stand_ins.everywhere), default=1)
        self._raw = b""
        self._unescaped = b""
        self._escape = b""  # an escape that waits for its byte

    def feed(self, data: bytes) -> list[str]:
        """Take the next bytes and return the names of the objects whose originals end in them."""
        self.fed += len(data)
        escaped = self._escape + data
        whole = len(escaped) - (len(escaped) - len(escaped.rstrip(b"-"))) % 2
        self._escape = escaped[whole:]
        image = unescape(escaped[:whole])
        names = [self._stand_ins.everywhere[original] for original in self._find(self._raw, data)]
        names += [self._stand_ins.everywhere[original] for original in self._find(self._unescaped, image)]
        self._raw = self._end(self._raw + data)
        self._unescaped = self._end(self._unescaped + image)
        return names

    def _find(self, before: bytes, data: bytes) -> list[bytes]:
        matches = self._stand_ins.pattern.finditer(before + data)
        return [match[0] for match in matches if match.end() > len(before)]

    def _end(self, data: bytes) -> bytes:
        return data[max(0, len(data) - self._longest + 1) :]


def _left_in(found: Found, stand_ins: StandIns) -> Iterator[Left]:
    """Yield what is private in a frame where it belongs, or in the rest of one that was private."""
    event = found.event
    names = []
    if isinstance(event, BadFrame):
        if (private := find_private(event.data)) and private[1] != blank(private[1]):
            names.append(private[0])
    elif (info := registry.describe(event.object_id)).private:
        for start, end, kind in private_parts(info, event.payload):
            data = event.payload[start:end]
            if (kind, data) in stand_ins.names or not is_stand_in(kind, data):
                names.append(info.name)
    for name in names:
        yield Left(name, found.connection, found.direction, event.offset)
