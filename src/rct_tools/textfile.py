"""Text files that grow by whole records, survive their writer, and can be put aside when they are full."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import BinaryIO, Final

from rct_tools.errors import SinkError
from rct_tools.newfile import new_file
from rct_tools.times import SECOND

_BLOCK: Final = 65536  # bytes
_PIECE: Final = 1024 * 1024  # bytes that are searched at once


class TextFile:
    """A file of lines that is added to. What was added is there after the end of this program at any moment.

    Half a line, left by a writer that was stopped in it, is cut off: whoever wrote it was not told that it is there.
    """

    def __init__(self, path: Path, *, begins: bytes, header: bytes = b"") -> None:
        """Open or make the file; ``begins`` is how all files of its kind do, ``header`` what new ones are given.

        Raises SinkError, also for a file that is of another kind.
        """
        self.path = path
        self.cut = 0  # bytes of half a line that were cut off
        self._begins = begins
        self._header = header
        self._file: BinaryIO | None = None
        try:
            self._file = self._open()
        except OSError as exc:
            raise self._error(exc) from exc

    def append(self, data: bytes) -> int:
        """Add whole lines, all or none; return how large the file was. Raises SinkError."""
        try:
            file = self._open()
            start = file.seek(0, os.SEEK_END)
            try:
                _write_all(file, data)
            except OSError:
                with suppress(OSError):  # what refuses to be written may refuse this too
                    file.truncate(start)  # half a line is worth nothing, and all of it comes again
                raise
        except OSError as exc:
            raise self._error(exc) from exc
        return start

    def take_back(self, size: int) -> None:
        """Cut the file to a size that append has returned."""
        with suppress(OSError):
            self._open().truncate(size)

    @property
    def size(self) -> int:
        """How many bytes of lines it has, behind the header."""
        return self._file.seek(0, os.SEEK_END) - len(self._header) if self._file else 0

    @property
    def written(self) -> int:
        """When it was last written to, UTC, nanoseconds."""
        return os.fstat(self._file.fileno()).st_mtime_ns if self._file else 0

    def put_aside(self) -> Path:
        """Give the file a name with the time of its last line; the next line begins a new one. Raises OSError.

        No file is overwritten, nor a compressed one.
        """
        target = self._free_name()
        self.close()  # an open file cannot be given another name everywhere
        self.path.rename(target)
        return target

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> BinaryIO:
        """Return the file that is now under the name: somebody may have moved or deleted the one that was."""
        if self._file is not None:
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(self._file.fileno()), self.path.stat()):
                    return self._file
            self.close()
        self._file = self.path.open("a+b", buffering=0)
        try:
            self._prepare(self._file)
        except (OSError, SinkError):
            self.close()
            raise
        return self._file

    def _prepare(self, file: BinaryIO) -> None:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        start = file.read(len(self._begins))
        if not self._begins.startswith(start):
            raise SinkError(f"{self.path}: a file of another kind; it is left alone", permanent=True)
        whole = _end_of_last_line(file, size)
        self.cut += size - whole
        if whole < size:
            file.truncate(whole)
        if not whole:
            _write_all(file, self._header)

    def _free_name(self) -> Path:
        moment = datetime.fromtimestamp(self.written // SECOND, UTC).strftime("%Y%m%dT%H%M%SZ")
        for number in count(1):
            # Not a dash before the number: that would sort before the dot, and names are to sort by time.
            stem = f"{self.path.stem}-{moment}{f'_{number}' if number > 1 else ''}"
            target = self.path.with_name(stem + self.path.suffix)
            if not target.exists() and not _compressed(target).exists():
                break
        return target

    def _error(self, exc: OSError) -> SinkError:
        return SinkError(f"{self.path}: cannot be written: {exc.strerror}")


def files_aside(path: Path, since: int) -> list[Path]:
    """Return what was put aside of a file, by name; not what was written to last before a time (UTC, nanoseconds)."""
    form = re.compile(rf"{re.escape(path.stem)}-(\d{{8}}T\d{{6}}Z)(?:_\d+)?{re.escape(path.suffix)}(?:\.gz)?", re.ASCII)
    first = datetime.fromtimestamp(max(0, since) // SECOND, UTC).strftime("%Y%m%dT%H%M%SZ")
    names = ((match, beside) for beside in path.parent.iterdir() if (match := form.fullmatch(beside.name)))
    return sorted(beside for match, beside in names if match[1] >= first)


def line_heads(
    path: Path, begin: bytes, marks: Collection[bytes], is_over: Callable[[], bool] = lambda: False
) -> Iterator[tuple[bytes, bytes]]:
    """Yield the first mark of each line that has one of some, and what is between it and the ``begin`` of the line.

    A compressed file is unpacked on the way, also one that was just compressed. One that is gone has no lines. The rest
    is not read when it ``is_over``. Raises SinkError.
    """
    find = re.compile(b"|".join(map(re.escape, marks)) or rb"(?!)").search
    try:
        with _open_to_read(path) as file:
            while not is_over() and (piece := file.read(_PIECE)):
                piece += file.readline()
                found = find(piece)
                while found:
                    at = found.start()
                    start = piece.rfind(b"\n", 0, at) + 1
                    if piece.startswith(begin, start):
                        yield found[0], piece[start + len(begin) : at]
                    end = piece.find(b"\n", at)
                    found = find(piece, end) if end >= 0 else None
    except FileNotFoundError:
        return
    except (OSError, EOFError, zlib.error) as exc:
        why = (isinstance(exc, OSError) and exc.strerror) or f"damaged: {exc}"
        raise SinkError(f"{path}: cannot be read: {why}") from exc


def _open_to_read(path: Path) -> BinaryIO | gzip.GzipFile:
    if path.suffix == ".gz":
        return gzip.GzipFile(path)
    try:
        return path.open("rb")
    except FileNotFoundError:
        return gzip.GzipFile(_compressed(path))


def compress(path: Path) -> Path:
    """Replace a file by one compressed with gzip; return that. Raises OSError, and then the file is as it was."""
    target = _compressed(path)
    with (
        path.open("rb") as source,
        new_file(target) as part,
        part.open("wb") as sink,
        gzip.GzipFile(path.name, "wb", 6, sink) as packed,
    ):
        shutil.copyfileobj(source, packed, _BLOCK)
    path.unlink()
    return target


def _compressed(path: Path) -> Path:
    return path.with_name(f"{path.name}.gz")


def _write_all(file: BinaryIO, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def _end_of_last_line(file: BinaryIO, size: int) -> int:
    end = size
    while end:
        start = max(end - _BLOCK, 0)
        file.seek(start)
        found = file.read(end - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0
