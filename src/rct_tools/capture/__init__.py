"""Captures: chunks as they crossed the wire, on disk. One file per format; FORMATS names them by suffix."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib import import_module
from io import RawIOBase
from pathlib import PurePath
from typing import Any, Final, Protocol

from rct_tools.capture.chunk import CaptureItem, Chunk, Damage, Direction, write_all
from rct_tools.capture.compression import Decompressed, compress, decompress, find_compression
from rct_tools.capture.raw import LONGEST_BEGINNING, find_suffix
from rct_tools.errors import CaptureError

__all__ = [
    "FORMATS",
    "CaptureItem",
    "Chunk",
    "Damage",
    "Direction",
    "Format",
    "find_format",
    "read_capture",
    "write_all",
    "write_capture",
]


class Format(Protocol):
    """What the module of a format offers. Its files have no buffer: what was read or written is known at any moment."""

    def read_chunks(self, file: RawIOBase, port: int) -> Iterator[CaptureItem]:
        """Yield what is in a file, in bounded memory; ``port`` is the inverter's, for formats that hold packets.

        Raises CaptureError when the file, or the rest of it, cannot be read.
        """

    def write_chunks(self, file: RawIOBase) -> Callable[[Chunk], None]:
        """Return what appends a chunk, which is in the file, whole, when it returns.

        A file that holds something is continued behind its last whole record. Raises OSError, and CaptureError when
        the format cannot hold the chunk, or the file does not begin like one of this format; raw bytes may begin like
        anything but the other formats.
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

    The file is unbuffered and may be a pipe; so much of it is read as is needed for what is yielded. What is named
    ``-`` tells its format by how it begins. Raises CaptureError, with the name, when the file or the rest of it cannot
    be read, whatever the reason.
    """
    try:
        suffixes = name
        if name == "-":
            file, suffixes = _recognise(file)
        content = source = decompress(file, suffixes)
        if name == "-" and isinstance(source, Decompressed):
            content, suffixes = _recognise(source)
        yield from find_format(suffixes).read_chunks(content, port)
    except CaptureError as exc:
        raise CaptureError(f"{name}: {exc}") from exc
    except OSError as exc:
        raise CaptureError(f"{name}: {(exc.strerror or str(exc)).lower()}") from exc
    if isinstance(source, Decompressed) and source.cut:
        yield Damage(source.tell(), "the compressed data ends too early")


class _Rewound(RawIOBase):
    """A file whose beginning was read, and is read once more."""

    def __init__(self, beginning: bytes, rest: RawIOBase) -> None:
        self._beginning = beginning
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        size = len(buffer)
        data = self._beginning[:size] or self._rest.read(size) or b""
        self._beginning = self._beginning[size:]
        buffer[: len(data)] = data
        return len(data)


def _recognise(file: RawIOBase) -> tuple[RawIOBase, str]:
    """Return a file that reads the same, and a name that fits how it begins."""
    beginning = b""
    # What an inverter sends begins with 00 or a start, as a rule, and is not waited for.
    while len(beginning) < LONGEST_BEGINNING and beginning[:1] not in (b"\0", b"+"):
        piece = file.read(LONGEST_BEGINNING - len(beginning))
        if not piece:
            break
        beginning += piece
    return _Rewound(beginning, file), f"-{find_suffix(beginning)}"


@contextmanager
def write_capture(file: RawIOBase, name: str, *, overwrite: bool = False) -> Iterator[Callable[[Chunk], None]]:
    """Yield what appends a chunk to a capture, whose name tells its format and compression.

    When a write has returned, its chunk can be read from the file, whatever becomes of this program. With
    ``overwrite``, what the file holds is replaced by the first chunk, and not before; else it is continued, for which
    the file must be readable too. Raises CaptureError and OSError, both with the name.
    """
    with _named(name):
        find_compression(name)  # before anything else: a package that is missing must not cost an old file
    with ExitStack() as stack:
        append: Callable[[Chunk], None] | None = None

        def begin() -> Callable[[Chunk], None]:
            if overwrite and file.seekable() and file.seek(0, 2):  # neither a pipe nor a device
                file.truncate(0)
                file.seek(0)
            return find_format(name).write_chunks(stack.enter_context(compress(file, name)))

        def write(chunk: Chunk) -> None:
            nonlocal append
            with _named(name):
                append = append or begin()
                append(chunk)

        if not overwrite:
            with _named(name):
                append = begin()
        yield write


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Say of which file an error of writing is."""
    try:
        yield
    except CaptureError as exc:
        raise CaptureError(f"{name}: {exc}") from exc
    except OSError as exc:
        raise OSError(exc.errno, exc.strerror or str(exc), name) from exc
