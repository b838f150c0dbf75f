"""Captures in gzip and Zstandard: what is written can be read at once, and what is cut off up to the cut."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from io import RawIOBase
from pathlib import PurePath
from typing import Any, Final, NamedTuple, Protocol

from rct_tools.capture.chunk import write_all
from rct_tools.errors import CaptureError

_PIECE: Final = 65536  # compressed bytes


class _Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self, mode: int = ..., /) -> bytes: ...


class _Decompressor(Protocol):
    """As those of bz2, lzma and Zstandard."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class Compression(NamedTuple):
    """How one kind of compression is used."""

    name: str
    compressor: Callable[[], _Compressor]
    sync: int  # the mode of flush() after which all that was compressed can be read
    decompressor: Callable[[], _Decompressor]
    error: type[Exception]
    padding: bytes  # what may stand behind the content and says nothing


class _Gunzip:
    """zlib's decompressor with the interface of the others."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(31)
        self._is_full = False  # whether there may be more than was asked for, with nothing left to be decompressed

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not (self._is_full or self._inner.unconsumed_tail)

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        content = self._inner.decompress(self._inner.unconsumed_tail + data, max_length)
        self._is_full = len(content) == max_length
        return content


def _gzip() -> Compression:
    return Compression("gzip", lambda: zlib.compressobj(wbits=31), zlib.Z_SYNC_FLUSH, _Gunzip, zlib.error, b"\0")


def _zstd() -> Compression:
    # Python has it from 3.14 on; the other is the same code for older ones.
    for name in ("compression.zstd", "backports.zstd"):
        if find_spec(name.partition(".")[0]) and find_spec(name):
            zstd: Any = import_module(name)
            sync = zstd.ZstdCompressor.FLUSH_BLOCK
            return Compression("Zstandard", zstd.ZstdCompressor, sync, zstd.ZstdDecompressor, zstd.ZstdError, b"")
    raise CaptureError("Zstandard needs a package: pip install 'rct-tools[zstd]'")


COMPRESSIONS: Final[Mapping[str, Callable[[], Compression]]] = {".gz": _gzip, ".zst": _zstd}  # by suffix


class Decompressed(RawIOBase):
    """The content of a compressed file."""

    def __init__(self, file: RawIOBase, compression: Compression) -> None:
        self.cut = False  # whether the file ended before its content did
        self._file = file
        self._compression = compression
        self._decompressor = compression.decompressor()
        self._given = 0  # bytes of content
        self._taken = 0  # bytes of the file
        self._rest = b""  # read and not yet decompressed
        self._begun = False  # whether the present part of the file has begun
        self._padding = b""  # what may stand before it

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        """Return how much of the content was read."""
        return self._given

    def readinto(self, buffer: Any, /) -> int:
        """Read so much content as is there, but one byte at least until the end. Raises CaptureError."""
        content = b""
        while not content:
            if self._decompressor.eof:  # files that were put behind one another are one
                self._rest = self._decompressor.unused_data
                self._decompressor = self._compression.decompressor()
                self._begun, self._padding = False, self._compression.padding
            if self._decompressor.needs_input and not self._rest:
                self._rest = self._file.read(_PIECE) or b""
                self._taken += len(self._rest)
                if not self._rest:
                    self.cut = self._begun
                    return 0
            given, self._rest = self._rest, b""
            if not self._begun:
                given = given.lstrip(self._padding)
                self._begun = bool(given)
                if not given:
                    continue
            try:
                content = self._decompressor.decompress(given, len(buffer))
            except self._compression.error as exc:
                if not self._given:
                    raise CaptureError(f"it does not begin like a {self._compression.name} file") from exc
                raise CaptureError(f"its {self._compression.name} data is damaged before byte {self._taken}") from exc
        buffer[: len(content)] = content
        self._given += len(content)
        return len(content)


class _Compressed(RawIOBase):
    """A file that compresses what is written to it."""

    def __init__(self, file: RawIOBase, compression: Compression) -> None:
        self._file = file
        self._sync = compression.sync
        self._compressor = compression.compressor()
        self._is_whole = True  # whether all that was compressed is in the file

    def write(self, data: Any, /) -> int:
        self._is_whole = False
        write_all(self._file, self._compressor.compress(data) + self._compressor.flush(self._sync))
        self._is_whole = True
        return len(data)

    def finish(self) -> None:
        """Write the end, unless it would stand behind a gap: what was written till then can be read without it."""
        if self._is_whole:
            write_all(self._file, self._compressor.flush())


def find_compression(name: str) -> Compression | None:
    """Return the compression that the last suffix of a name tells. Raises CaptureError when its package is missing."""
    opener = COMPRESSIONS.get(PurePath(name).suffix.lower())
    return opener() if opener else None


def decompress(file: RawIOBase, name: str) -> RawIOBase | Decompressed:
    """Return the content of a file; the file itself when its name tells of no compression. Raises CaptureError."""
    compression = find_compression(name)
    return Decompressed(file, compression) if compression else file


@contextmanager
def compress(file: RawIOBase, name: str) -> Iterator[RawIOBase]:
    """Yield a file that compresses what is written; the file itself when its name tells of no compression.

    Raises CaptureError when the file holds something: what was cut off cannot be continued; and OSError, with the name,
    when the end cannot be written.
    """
    compression = find_compression(name)
    if compression is None:
        yield file
        return
    if file.seekable() and file.seek(0, 2):
        raise CaptureError("what is compressed cannot be continued; record into a new file")
    target = _Compressed(file, compression)
    try:
        yield target
    finally:
        try:
            target.finish()
        except OSError as exc:
            raise OSError(exc.errno, exc.strerror or str(exc), name) from exc
