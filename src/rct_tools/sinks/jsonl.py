"""Readings as JSON, one object a line: ``time, inverter, object, value, unit``."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from rct_tools.errors import ConfigError, SinkError
from rct_tools.plan import Source
from rct_tools.reading import Reading
from rct_tools.settings import Table
from rct_tools.times import iso_time
from rct_tools.values import plain


class Settings(Table, frozen=True):
    """Readings as JSON, one object a line."""

    url: str


def open_sink(settings: Settings, _sources: Sequence[Source]) -> JsonlSink:
    """Return the sink for ``jsonl:PATH``, or ``jsonl:-`` for standard output. Raises ConfigError, SinkError."""
    rest = settings.url.removeprefix("jsonl:")
    if not rest:
        raise ConfigError(f"{settings.url!r}: expected jsonl:PATH, or jsonl:- for standard output")
    return JsonlSink(None if rest == "-" else Path(rest))


class JsonlSink:
    """A text file that is added to; without a path, standard output."""

    def __init__(self, path: Path | None) -> None:
        """Open the file. Raises SinkError."""
        self._name = str(path or "standard output")
        self._owned = path is not None
        try:
            self._file: BinaryIO = path.open("a+b", buffering=0) if path else _stdout()
            if path:
                self._end_last_line()
        except OSError as exc:
            raise SinkError(f"{self._name}: cannot be written: {exc.strerror}") from exc

    async def write(self, readings: Sequence[Reading]) -> None:
        """Add one line for each reading. Raises SinkError when none is added."""
        await asyncio.to_thread(self._append, "".join(map(_line, readings)).encode())

    async def close(self) -> None:
        """Close the file."""
        if self._owned:
            self._file.close()

    def _append(self, data: bytes) -> None:
        start: int | None = None
        rest = memoryview(data)
        try:
            if self._owned:
                start = self._file.seek(0, os.SEEK_END)
            while rest:
                rest = rest[self._file.write(rest) :]
        except BrokenPipeError:
            raise
        except OSError as exc:
            with suppress(OSError):  # what refuses to be written may refuse this too
                if start is not None:
                    self._file.truncate(start)  # half a line is no JSON, and all of it comes again
            raise SinkError(f"{self._name}: cannot be written: {exc.strerror}") from exc

    def _end_last_line(self) -> None:
        # The last writer may have been stopped in the middle of a line.
        if self._file.seek(0, os.SEEK_END):
            self._file.seek(-1, os.SEEK_END)
            if self._file.read(1) != b"\n":
                self._file.write(b"\n")


def _stdout() -> BinaryIO:
    """Return standard output without a buffer: what it could not write must not come out with its repetition."""
    return open(sys.stdout.fileno(), "wb", buffering=0, closefd=False)


def _line(reading: Reading) -> str:
    line = {
        "time": iso_time(reading.time),
        "inverter": reading.inverter,
        "object": reading.object.name,
        "value": plain(reading.value),
        "unit": reading.object.unit,
    }
    return json.dumps(line, ensure_ascii=False) + "\n"
