"""Readings in Parquet files, one for each day (UTC). Needs the extra [analysis].

A Parquet file can be read when it is finished, and not before. So readings are kept in a file of JSON lines, where a
crash costs none, and an hour after the day is over that becomes the Parquet file of the day, all at once. What comes
later still is gathered in the same way, and becomes a further file of its day.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import re
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Annotated, Any, Final

from msgspec import Meta

from rct_tools.errors import ConfigError, SinkError
from rct_tools.newfile import new_file
from rct_tools.plain import plain
from rct_tools.plan import Source
from rct_tools.reading import Reading
from rct_tools.settings import Table
from rct_tools.textfile import TextFile, line_heads
from rct_tools.times import SECOND
from rct_tools.values import Value

logger = logging.getLogger(__name__)

LATE: Final = 3600 * SECOND
"""How long a file waits for readings that come late: after the end of its day, and after the last that came."""

_DAY: Final = 86_400 * SECOND
_PIECE: Final = 16 * 1024 * 1024  # bytes of lines that are turned into a row group: some 100,000
_DAY_OF: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_PART: Final = re.compile(rf"_({_DAY_OF.pattern})\.jsonl", re.ASCII)
_BEGINS: Final = b'{"time": '
_OLDEST, _NEWEST = -(2**63), 2**63 - 1  # ns: what a timestamp holds


class Settings(Table, frozen=True):
    """Readings in a folder of Parquet files, one for each day."""

    url: Annotated[str, Meta(description="`parquet:FOLDER`; the folder is made if need be")]


def open_sink(settings: Settings, _sources: Sequence[Source]) -> ParquetSink:
    """Return the sink for ``parquet:FOLDER``. Raises ConfigError, SinkError."""
    _, _, folder = settings.url.partition(":")
    if not folder:
        raise ConfigError(f"{settings.url!r}: expected parquet:FOLDER")
    return ParquetSink(Path(folder))


@dataclass(slots=True)
class _Part:
    """The readings of a day that is not finished."""

    file: TextFile
    end: int  # of its day
    touched: int = 0  # when something was added last, as far as we know


class ParquetSink:
    """A folder with ``readings-2026-06-21.parquet`` for each day that is over, and ``_2026-06-21.jsonl`` for others."""

    precision: Final = 1

    def __init__(self, folder: Path, *, clock: Callable[[], int] = time.time_ns) -> None:
        """Make the folder if need be. Raises ConfigError when the extra is missing, SinkError."""
        try:
            import pyarrow as pa
            import pyarrow.json
            import pyarrow.parquet
        except ImportError as exc:
            raise ConfigError("Parquet needs more than the core: pip install 'rct-tools[analysis]'") from exc
        self.left_out: Counter[str] = Counter()
        """Readings that a file cannot hold, by the reason."""
        self._pa: Any = pa
        self._folder = folder
        self._clock = clock
        self._wait = 0  # until when no day is finished, after one that could not be
        try:
            folder.mkdir(exist_ok=True)
            # What was here when an earlier run ended: what is not finished, and what was just being finished.
            days = sorted(name[1] for path in folder.iterdir() if (name := _PART.fullmatch(path.name)))
            self._parts = {day: self._open(day) for day in days}
            self._over = sorted(folder.glob("_readings-*.jsonl"))
        except OSError as exc:
            raise SinkError(f"{folder}: cannot be used as a folder: {exc.strerror}") from exc

    async def write(self, readings: Sequence[Reading]) -> None:
        """Store the readings, all or none, and finish the files of days that are over. Raises SinkError."""
        await asyncio.to_thread(self._write, readings)

    async def times(
        self, inverter: str, names: Collection[str], since: int, until: int, step: int = 1
    ) -> dict[str, set[int]]:
        """Return when there are readings of objects, as for every Store, in finished files and others.

        Raises SinkError.
        """
        found: dict[str, set[int]] = {name: set() for name in names}

        def search() -> None:
            for name, moment in self._times(inverter, names, since, until):
                if since <= moment < until:
                    found[name].add(moment - moment % step)

        await asyncio.to_thread(search)
        return found

    async def close(self) -> None:
        """Close the files; days that are not over are gone on with the next time."""
        for part in self._parts.values():
            part.file.close()

    def _write(self, readings: Sequence[Reading]) -> None:
        lines: dict[int, list[str]] = {}
        for reading in readings:
            if _OLDEST <= reading.time <= _NEWEST:
                lines.setdefault(reading.time // _DAY, []).append(_line(reading))
            else:
                self._leave_out(f"{reading.object.name}: its time is none that a file can hold")
        now = self._clock()
        added: list[tuple[TextFile, int]] = []
        try:
            for number, texts in lines.items():
                day = datetime.fromtimestamp(number * _DAY // SECOND, UTC).strftime("%Y-%m-%d")
                part = self._parts.get(day) or self._open(day)
                self._parts[day] = part
                added.append((part.file, part.file.append("".join(texts).encode())))
                part.touched = now
        except SinkError:
            for file, size in added:
                file.take_back(size)  # all of it comes again
            raise
        self._finish(now)

    def _times(self, inverter: str, names: Collection[str], since: int, until: int) -> Iterator[tuple[str, int]]:
        """Yield objects and times in all files of days that may be meant."""
        marks = {f", {json.dumps({'inverter': inverter, 'object': name})[1:-1]}, ".encode(): name for name in names}
        # In this order: meanwhile, what is not finished yet may become what just is, and then a file of Parquet.
        for pattern in ("_????-??-??.jsonl", "_readings-*.jsonl"):
            for path in self._files(pattern, since, until):
                for mark, head in line_heads(path, _BEGINS, marks):
                    if head.lstrip(b"-").isdigit():
                        yield marks[mark], int(head)
        for path in self._files("readings-*.parquet", since, until):
            yield from self._times_in(path, inverter, names)

    def _files(self, pattern: str, since: int, until: int) -> Iterator[Path]:
        """Yield the files of days with times in a span."""
        try:
            paths = sorted(self._folder.glob(pattern))
        except OSError as exc:
            raise SinkError(f"{self._folder}: cannot be read: {exc.strerror}") from exc
        for path in paths:
            day = _DAY_OF.search(path.name)
            if day and (begin := _begin(day[0])) < until and since < begin + _DAY:
                yield path

    def _times_in(self, path: Path, inverter: str, names: Collection[str]) -> Iterator[tuple[str, int]]:
        pa = self._pa
        chosen = [("inverter", "=", inverter), ("object", "in", list(names))]
        try:
            table = pa.parquet.read_table(path, columns=["object", "time"], filters=chosen, partitioning=None)
        except (OSError, pa.ArrowException) as exc:
            raise SinkError(f"{path}: cannot be read: {' '.join(str(exc).split())}") from exc
        objects, times = table["object"].cast(pa.string()), table["time"].cast(pa.int64())
        return zip(objects.to_pylist(), times.to_pylist(), strict=True)

    def _open(self, day: str) -> _Part:
        file = TextFile(self._folder / f"_{day}.jsonl", begins=_BEGINS)
        if file.cut:
            logger.warning("%s: %d bytes of half a line cut off", file.path, file.cut)
        return _Part(file, _begin(day) + _DAY)

    def _finish(self, now: int) -> None:
        if now < self._wait:
            return
        try:
            for day in [day for day, part in self._parts.items() if max(part.end, part.touched) + LATE <= now]:
                part = self._parts[day]
                part.file.close()
                target = self._free_name(day)
                self._over.append(part.file.path.rename(target.with_name(f"_{target.stem}.jsonl")))
                del self._parts[day]
            while self._over:
                self._convert(self._over[0])
                del self._over[0]
        except OSError as exc:  # no reason to lose a reading, nor to try each time
            self._wait = now + LATE
            logger.warning("%s: no Parquet file can be made: %s; its lines are kept", exc.filename, exc.strerror)

    def _free_name(self, day: str) -> Path:
        for number in count(1):
            target = self._folder / f"readings-{day}{f'_{number}' if number > 1 else ''}.parquet"
            if not target.exists() and not target.with_name(f"_{target.stem}.jsonl").exists():
                break
        return target

    def _convert(self, part: Path) -> None:
        """Make a file of Parquet of one of JSON lines, which goes. Raises OSError.

        It may have been made already, by a program that was stopped then: the same is made in its place.
        """
        try:
            self._write_table(part, part.with_name(f"{part.stem[1:]}.parquet"))
        except self._pa.ArrowInvalid as exc:
            logger.warning("%s: damaged, and left as it is: %s", part, " ".join(str(exc).split()))
            return
        part.unlink()

    def _write_table(self, part: Path, target: Path) -> None:
        pa = self._pa
        schema = _schema(pa)
        with (
            new_file(target) as path,
            path.open("wb") as file,
            pa.parquet.ParquetWriter(file, schema, compression="zstd") as writer,
        ):
            for piece in _pieces(part):
                writer.write_table(_table(pa, schema, piece))

    def _leave_out(self, reason: str) -> None:
        if reason not in self.left_out:
            logger.warning("%s: left out: %s", self._folder, reason)
        self.left_out[reason] += 1


def _begin(day: str) -> int:
    """Return when a day begins, UTC, nanoseconds."""
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) * SECOND


def _line(reading: Reading) -> str:
    value, text = _columns(reading.value)
    line = {
        "time": reading.time,
        "inverter": reading.inverter,
        "object": reading.object.name,
        "value": value,
        "text": text,
        "unit": reading.object.unit or None,
        "backfilled": reading.backfilled,
    }
    return json.dumps(line) + "\n"


def _columns(value: Value) -> tuple[float | None, str | None]:
    """Return a value as number, or as text: one of them, and neither for NaN and infinity."""
    match value:
        case bool() | int() | float():
            return (float(value) if math.isfinite(value) else None), None
        case str():
            return None, value
        case bytes():
            return None, value.hex()
        case _:
            return None, json.dumps(plain(value), ensure_ascii=False)


def _schema(pa: Any) -> Any:
    label = pa.dictionary(pa.int32(), pa.string())
    return pa.schema(
        [
            ("time", pa.timestamp("ns", "UTC")),
            ("inverter", label),
            ("object", label),
            ("value", pa.float64()),
            ("text", pa.string()),
            ("unit", label),
            ("backfilled", pa.bool_()),
        ]
    )


def _pieces(path: Path) -> Iterator[bytes]:
    """Yield the lines of a file, some at a time, so that memory does not grow with the file."""
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece + file.readline()


def _table(pa: Any, schema: Any, lines: bytes) -> Any:
    """Return lines as a table. Raises ArrowInvalid."""
    kinds = {"time": pa.int64(), "value": pa.float64(), "backfilled": pa.bool_()}
    plain_schema = pa.schema([(name, kinds.get(name, pa.string())) for name in schema.names])
    table = pa.json.read_json(
        pa.BufferReader(lines),
        read_options=pa.json.ReadOptions(use_threads=False, block_size=len(lines) + 1),
        parse_options=pa.json.ParseOptions(explicit_schema=plain_schema, unexpected_field_behavior="error"),
    )
    # Lines of an earlier version do not say whether they were backfilled: so they were not.
    table = table.set_column(len(schema) - 1, "backfilled", table["backfilled"].fill_null(False))
    columns = [
        column.dictionary_encode() if pa.types.is_dictionary(field.type) else column.cast(field.type)
        for field, column in zip(schema, table.select(schema.names).columns, strict=True)
    ]
    return pa.table(columns, schema=schema)
