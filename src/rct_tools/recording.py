"""Chunks go into a file, or into one after the other."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from io import FileIO
from itertools import count
from os import fstat
from pathlib import Path, PurePath
from types import TracebackType
from typing import Final, Literal, Self

from rct_tools.capture import FORMATS, Chunk, write_capture
from rct_tools.capture.compression import COMPRESSIONS, find_compression
from rct_tools.runs import LONGEST_FRAME
from rct_tools.stream import Streams
from rct_tools.times import SECOND

Mode = Literal["create", "overwrite", "append"]

_OPEN_MODES: Final = {"create": "xb", "overwrite": "ab+", "append": "ab+"}
_PATIENCE: Final = 2 * LONGEST_FRAME  # bytes to wait for the end of what is unfinished, before a file is ended in it


@dataclass(frozen=True, slots=True)
class Rotation:
    """When a file is full; None for never."""

    size: int | None = None  # bytes
    age: int | None = None  # nanoseconds between its first chunk and the next

    def is_due(self, size: int, age: int) -> bool:
        """Return whether a file of this size and age is full."""
        # An age below 0 is that of a clock that was set back, which would keep the file open for as long.
        return (self.size is not None and size >= self.size) or (self.age is not None and not 0 <= age < self.age)


class Recording:
    """Where chunks are kept: ``-`` is standard output, and the name of a file tells its format.

    With a rotation there are many, each with the time of its first chunk in its name: ``roof-20261122T090047Z.rctcap``.
    None begins in the middle of a frame, unless what is unfinished never ends. ``streams`` counts what was recorded.
    Raises CaptureError when its compression needs a package.
    """

    def __init__(self, name: str, mode: Mode = "create", rotation: Rotation | None = None) -> None:
        find_compression(name)  # what is missing for it is told before anything is opened
        self.name = name  # of the file that is open
        self.files = 0  # so many were begun
        self.streams = Streams()
        self._pattern = PurePath(name)
        self._mode: Mode = mode
        self._rotation = rotation
        self._stack = ExitStack()
        self._file: FileIO | None = None
        self._began = 0  # the time of the first chunk in the file
        self._due = 0  # bytes that came since the file was full

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.streams.close()
        self._stack.__exit__(kind, exc, tb)

    def open(self) -> None:
        """Open the file, if its name is known already: whether it can be written shows early.

        What it holds is kept until the first chunk. Raises OSError, and CaptureError when it cannot be continued.
        """
        if self._rotation is None and self._file is None:
            self._open()

    def write(self, chunk: Chunk) -> None:
        """Keep a chunk; it is in the file when this returns. Raises OSError, with the name, and CaptureError."""
        if self._file is None or (self._rotation and self._is_full(self._file, self._rotation, chunk)):
            self._stack.close()
            if self._rotation:
                self.name = self._name(chunk.time)
            self._began, self._due = chunk.time, 0
            self._open()
        self._write(chunk)
        self.streams.feed(chunk)

    def _open(self) -> None:
        is_stdout = self.name == "-"
        target = sys.stdout.fileno() if is_stdout else self.name
        file = FileIO(target, "wb" if is_stdout else _OPEN_MODES[self._mode], closefd=not is_stdout)
        self._file = self._stack.enter_context(file)
        self.files += 1
        writing = write_capture(file, self.name, overwrite=self._mode == "overwrite")
        self._write = self._stack.enter_context(writing)

    def _is_full(self, file: FileIO, rotation: Rotation, chunk: Chunk) -> bool:
        if not rotation.is_due(fstat(file.fileno()).st_size, chunk.time - self._began):
            return False
        self._due += len(chunk.data)
        return self.streams.pending == 0 or self._due > _PATIENCE

    def _name(self, time: int) -> str:
        """Return a name that no file has yet."""
        suffix = "".join(self._pattern.suffixes[_first_known(self._pattern.suffixes) :])
        stem = self._pattern.name.removesuffix(suffix)
        moment = datetime.fromtimestamp(time // SECOND, UTC).strftime("%Y%m%dT%H%M%SZ")
        for number in count(1):
            name = self._pattern.with_name(f"{stem}-{moment}{f'-{number}' if number > 1 else ''}{suffix}")
            if not Path(name).exists():
                break
        return str(name)


def _first_known(suffixes: list[str]) -> int:
    """Return which suffix is the first to tell the format; what stands before it belongs to the name."""
    known = [at for at, suffix in enumerate(suffixes) if suffix.lower() in {*FORMATS, *COMPRESSIONS}]
    return known[0] if known else max(len(suffixes) - 1, 0)
