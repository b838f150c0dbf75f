"""Readings as lines of text, JSON or CSV: ``time, inverter, object, value, unit``, and whether it was backfilled.

JSON has what numbers mean, too.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

from msgspec import Meta

from rct_tools.errors import ConfigError, SinkError
from rct_tools.plain import plain
from rct_tools.plan import Source
from rct_tools.reading import Reading
from rct_tools.settings import Size, Table
from rct_tools.textfile import TextFile, compress, files_aside, line_heads
from rct_tools.times import SECOND, iso_time, parse_iso_time
from rct_tools.values import Value

logger = logging.getLogger(__name__)

COLUMNS: Final = ("time", "inverter", "object", "value", "unit")  # those that JSON always has

_DAY: Final = 86_400 * SECOND
_ENCODE: Final = json.JSONEncoder(ensure_ascii=False).encode


class Settings(Table, frozen=True):
    """Readings as lines of text."""

    url: Annotated[str, Meta(description="`jsonl:PATH` or `csv:PATH`; `-` as the path is standard output")]
    max_size: Annotated[Size, Meta(description="no file gets larger; a full one is put aside, compressed")] = Size()
    daily: Annotated[bool, Meta(description="whether a file is full at the end of its day (UTC)")] = False


def open_sink(settings: Settings, _sources: Sequence[Source]) -> LinesSink:
    """Return the sink for ``jsonl:PATH``, ``csv:PATH``, or ``-`` as the path. Raises ConfigError, SinkError."""
    scheme, _, path = settings.url.partition(":")
    if not path:
        raise ConfigError(f"{settings.url!r}: expected {scheme}:PATH, or {scheme}:- for standard output")
    if path == "-" and (settings.max_size or settings.daily):
        raise ConfigError(f"{settings.url!r}: standard output is never full: max_size and daily are for files")
    return LinesSink(FORMATS[scheme], None if path == "-" else Path(path), settings.max_size, daily=settings.daily)


class Format(NamedTuple):
    """How lines are written."""

    begins: bytes  # so each file does
    header: bytes  # in each file
    former: bytes  # the header of earlier versions
    to_lines: Callable[[Sequence[Reading]], str]
    begin: bytes  # of each line, before the time
    mark: Callable[[str, str], str]  # what stands behind the time, by inverter and object


class LinesSink:
    """A text file that is added to, and put aside when it is full; without a path, standard output."""

    precision: Final = 1

    def __init__(
        self,
        form: Format,
        path: Path | None,
        max_size: int = 0,
        *,
        daily: bool = False,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        """Open the file; a ``max_size`` of 0 is none. One with the columns of earlier versions is put aside.

        Raises SinkError.
        """
        self._form = form
        self._max_size = max_size
        self._daily = daily
        self._clock = clock
        if path and form.former:
            _make_way(path, form.former)
        self._file = TextFile(path, begins=form.begins, header=form.header) if path else _StandardOutput(form.header)
        self._stuck = ""  # why a full file could not be put aside
        if isinstance(self._file, TextFile) and self._file.cut:
            logger.warning("%s: %d bytes of half a line cut off", path, self._file.cut)

    async def write(self, readings: Sequence[Reading]) -> None:
        """Add one line for each reading. Raises SinkError when none is added."""
        if readings:
            await asyncio.to_thread(self._append, self._form.to_lines(readings).encode())

    async def times(
        self, inverter: str, names: Collection[str], since: int, until: int, step: int = 1
    ) -> dict[str, set[int]]:
        """Return when there are readings of objects, as for every Store, in the file and those put aside.

        Raises SinkError, permanent for standard output.
        """
        if not isinstance(self._file, TextFile):
            raise SinkError("standard output: what was written there cannot be read back", permanent=True)
        marks = {self._form.mark(inverter, name).encode(): name for name in names}
        found: dict[str, set[int]] = {name: set() for name in names}
        over = threading.Event()
        heads = self._heads(self._file.path, marks, since, over.is_set)

        def search() -> None:
            for mark, head in heads:
                time = parse_iso_time(head.decode(errors="replace"))
                if time is not None and since <= time < until:
                    found[marks[mark]].add(time - time % step)

        try:
            await asyncio.to_thread(search)
        finally:
            over.set()  # nobody waits any more; the end of the program would, for the thread
        return found

    def _heads(
        self, path: Path, marks: Collection[bytes], since: int, is_over: Callable[[], bool]
    ) -> Iterator[tuple[bytes, bytes]]:
        """Yield marks of objects, and the times before them, as they are written, and whatever else stands there."""
        yield from line_heads(path, self._form.begin, marks, is_over)  # first: it may be put aside meanwhile
        try:
            files = files_aside(path, since)
        except OSError as exc:
            raise SinkError(f"{path.parent}: cannot be read: {exc.strerror}") from exc
        for file in files:
            yield from line_heads(file, self._form.begin, marks, is_over)

    async def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _append(self, data: bytes) -> None:
        if isinstance(self._file, TextFile) and self._is_full(self._file, len(data)):
            self._put_aside(self._file)
        self._file.append(data)

    def _is_full(self, file: TextFile, more: int) -> bool:
        if not file.size:
            return False
        too_large = self._max_size and file.size + more > self._max_size
        return bool(too_large or (self._daily and file.written // _DAY != self._clock() // _DAY))

    def _put_aside(self, file: TextFile) -> None:
        try:
            compress(file.put_aside())
        except OSError as exc:
            if self._stuck != str(exc):  # no reason to lose a reading; the file grows, or stays as large as it is
                logger.warning("%s: full, and cannot be put aside and compressed: %s", file.path, exc.strerror)
            self._stuck = str(exc)
        else:
            self._stuck = ""


def _make_way(path: Path, header: bytes) -> None:
    """Put a file with this header aside, so that a new one is begun. Raises SinkError."""
    try:
        with path.open("rb") as file:
            if file.read(len(header)) != header:
                return
        aside = TextFile(path, begins=header).put_aside()
    except FileNotFoundError:
        return
    except OSError as exc:
        raise SinkError(
            f"{path}: has the columns of an earlier version, and cannot be put aside: {exc.strerror}"
        ) from exc
    logger.warning("%s: had the columns of an earlier version; it is now %s, and a new one is begun", path, aside.name)


class _StandardOutput:
    """Standard output without a buffer: what it could not write must not come out with its repetition."""

    def __init__(self, header: bytes) -> None:
        self._rest = header  # to be written before all else

    def append(self, data: bytes) -> None:
        """Write; BrokenPipeError passes: a reader that went away ends the program. Raises SinkError."""
        rest = self._rest + data
        try:
            while rest:
                rest = rest[os.write(sys.stdout.fileno(), rest) :]
        except BrokenPipeError:
            raise
        except OSError as exc:
            raise SinkError(f"standard output: cannot be written: {exc.strerror}") from exc
        self._rest = b""

    def close(self) -> None:
        """It stays open."""


def _to_json(readings: Sequence[Reading]) -> str:
    return "".join([_ENCODE(_row(reading)) + "\n" for reading in readings])


def _row(reading: Reading) -> dict[str, Any]:
    row = dict(zip(COLUMNS, _cells(reading), strict=True))
    if meaning := reading.object.meaning(reading.value):
        row["meaning"] = meaning
    if reading.backfilled:
        row["backfilled"] = True
    return row


def _to_csv(readings: Sequence[Reading]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    for reading in readings:
        when, inverter, name, value, unit = _cells(reading)
        # One record is one line, whatever is in a text: so what a stopped writer has left can be told from a record.
        mark = "true" if reading.backfilled else ""
        writer.writerow([when, _one_line(inverter), _one_line(name), _one_line(_csv_value(value)), unit, mark])
    return text.getvalue()


def _cells(reading: Reading) -> tuple[str, str, str, Any, str]:
    info = reading.object
    return iso_time(reading.time), reading.inverter, info.name, plain(reading.value), info.unit


def _csv_value(value: Value | None) -> str:
    match value:
        case None:
            return ""
        case str():
            return value
        case _:
            return _ENCODE(value)


def _one_line(text: str) -> str:
    return " ".join(text.splitlines())


def _json_mark(inverter: str, name: str) -> str:
    """Return what stands behind the time in lines of an object, and nowhere else: inside of a text " is escaped."""
    return f'", {_ENCODE({"inverter": inverter, "object": name})[1:-1]}, '


def _csv_mark(inverter: str, name: str) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="").writerow(["", _one_line(inverter), _one_line(name), ""])
    return text.getvalue()


_BEGIN: Final = b'{"time": "'
_FORMER: Final = (",".join(COLUMNS) + "\n").encode()
_HEADER: Final = (",".join((*COLUMNS, "backfilled")) + "\n").encode()

FORMATS: Final = {
    "jsonl": Format(_BEGIN, b"", b"", _to_json, _BEGIN, _json_mark),
    "csv": Format(_HEADER, _HEADER, _FORMER, _to_csv, b"", _csv_mark),
}
