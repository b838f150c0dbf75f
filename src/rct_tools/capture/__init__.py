"""Captures: chunks as they crossed the wire, on disk. One file per format; FORMATS names them by suffix."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from io import RawIOBase
from pathlib import PurePath
from typing import Any, Final, Protocol, TypeAlias

from rct_tools.errors import CaptureError


class Direction(StrEnum):
    """Which way bytes went, seen from us."""

    RECEIVED = "<"
    SENT = ">"


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes as they crossed the wire. Time is stamped here, at the edge, and nowhere below."""

    time: int  # UTC, nanoseconds; 0 from a capture that keeps none
    direction: Direction
    data: bytes
    connection: int = 0  # which of several, in the order in which they were first seen


@dataclass(frozen=True, slots=True)
class Damage:
    """A part of a capture that could not be read: an event, never an exception. Reading goes on behind it."""

    offset: int  # in the file, after decompression
    reason: str  # one phrase for people


CaptureItem: TypeAlias = Chunk | Damage


class Format(Protocol):
    """What the module of a format offers. Its files have no buffer: what was read or written is known at any moment."""

    def read_chunks(self, file: RawIOBase, port: int) -> Iterator[CaptureItem]:
        """Yield what is in a file, in bounded memory; ``port`` is the inverter's, for formats that hold packets.

        Raises CaptureError when the file, or the rest of it, cannot be read.
        """

    def write_chunks(self, file: RawIOBase) -> Callable[[Chunk], None]:
        """Return what appends a chunk, which is in the file, whole, when it returns.

        A file that holds something is continued behind its last whole record. Raises OSError, and CaptureError when
        the format cannot hold the chunk, or the file is of another format.
        """


FORMATS: Final[Mapping[str, str]] = {".bin": "raw", ".rctcap": "text", ".pcapng": "pcapng", ".pcap": "pcap"}
"""Suffix: module. Behind the suffix may stand one of compression.COMPRESSIONS."""


def find_format(name: str) -> Format:
    """Return the format of a file by the suffix of its name; one that says nothing holds raw bytes."""
    suffixes = [suffix.lower() for suffix in PurePath(name).suffixes]
    known = [suffix for suffix in suffixes if suffix in FORMATS]
    module: Any = import_module(f"{__name__}.{FORMATS[known[-1]] if known else 'raw'}")
    found: Format = module
    return found


def read_capture(file: RawIOBase, name: str, port: int) -> Iterator[CaptureItem]:
    """Yield what is in a capture, whose name tells its format and compression.

    The file is unbuffered and may be a pipe; so much of it is read as is needed for what is yielded. Raises
    CaptureError, with the name, when the file or the rest of it cannot be read, and OSError.
    """
    from rct_tools.capture.compression import Decompressed, decompress

    try:
        source = decompress(file, name)
        yield from find_format(name).read_chunks(source, port)
    except CaptureError as exc:
        raise CaptureError(f"{name}: {exc}") from exc
    if isinstance(source, Decompressed) and source.cut:
        yield Damage(source.tell(), "the compressed data ends too early")


@contextmanager
def write_capture(file: RawIOBase, name: str) -> Iterator[Callable[[Chunk], None]]:
    """Yield what appends a chunk to a capture, whose name tells its format and compression.

    When a write has returned, its chunk can be read from the file, whatever becomes of this program. The file must be
    readable too when it holds something. Raises CaptureError, with the name, and OSError.
    """
    from rct_tools.capture.compression import compress

    try:
        with compress(file, name) as target:
            yield find_format(name).write_chunks(target)
    except CaptureError as exc:
        raise CaptureError(f"{name}: {exc}") from exc


def write_all(file: RawIOBase, data: bytes) -> None:
    """Write all of the bytes, or as many as there is room for. Raises OSError."""
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) or 0 :]
