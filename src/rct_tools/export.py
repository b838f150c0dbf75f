"""Captures become tables for other programs: Parquet, CSV, JSON lines. Needs the extra [analysis].

The suffix of the file says which: EXPORTS. The columns are the same in all: SCHEMA.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from rct_tools.bulk import Captured
from rct_tools.capture import FORMATS
from rct_tools.capture.compression import COMPRESSIONS
from rct_tools.columns import Array
from rct_tools.errors import ConfigError
from rct_tools.frame import Command
from rct_tools.newfile import new_file
from rct_tools.objects import registry

Write: TypeAlias = Callable[[Captured], object]

_ROWS: Final = 500_000  # of a group in a Parquet file
_LABEL: Final = pa.dictionary(pa.int32(), pa.string())
_BYTES: Final = {"unit": "B"}


def _units() -> str:
    return json.dumps({info.name: info.unit for info in registry if info.unit}, ensure_ascii=False)


@cache
def schema() -> pa.Schema:
    """Return the columns, with what they mean in their metadata."""
    columns: list[tuple[str, pa.DataType, Mapping[str, str]]] = [
        ("time", pa.timestamp("ns", "UTC"), {"about": "when the last byte came; null where no time is known"}),
        ("direction", _LABEL, {"about": "< received, > sent"}),
        ("connection", pa.int64(), {"about": "which of several in the capture, from 0 on"}),
        ("offset", pa.int64(), {**_BYTES, "about": "where the frame began in its direction of its connection"}),
        ("size", pa.int64(), {**_BYTES, "about": "on the wire, start and escapes included"}),
        ("command", _LABEL, {}),
        ("address", pa.uint32(), {"about": "null but for frames of a plant"}),
        ("object_id", _LABEL, {}),
        ("name", _LABEL, {"about": "of the object; its id for unknown ones"}),
        ("value", pa.float64(), {"unit": _units(), "about": "what a response tells of a scalar object, else null"}),
        ("unit", _LABEL, {"about": "of the value; null where there is none"}),
        ("payload_offset", pa.int64(), {**_BYTES, "about": "where the payload began, as offset"}),
        ("payload_size", pa.int64(), {**_BYTES, "about": "without escapes"}),
    ]
    return pa.schema([pa.field(name, kind, metadata=about) for name, kind, about in columns])


def to_batch(captured: Captured) -> pa.RecordBatch:
    """Return frames as a batch of the columns of schema()."""
    frames, origins = captured.frames, captured.frame_origins
    ids, of_object = np.unique(frames.object_id, return_inverse=True)
    commands, of_command = np.unique(frames.command, return_inverse=True)
    objects = [registry.describe(object_id) for object_id in ids.tolist()]
    has_unit = np.array([bool(info.unit) for info in objects], np.bool_)
    is_plant = np.array([Command(code).is_plant for code in commands.tolist()], np.bool_)
    columns = {
        "time": pa.array(origins.time, pa.timestamp("ns", "UTC"), mask=origins.time == 0),
        "direction": _labels(["<", ">"], origins.is_sent),
        "connection": pa.array(origins.connection),
        "offset": pa.array(frames.offset),
        "size": pa.array(frames.size),
        "command": _labels([Command(code).name for code in commands.tolist()], of_command),
        "address": pa.array(frames.address, mask=~is_plant[of_command]),
        "object_id": _labels([f"0x{info.object_id:08X}" for info in objects], of_object),
        "name": _labels([info.name for info in objects], of_object),
        "value": pa.array(frames.value, mask=~frames.has_value),
        "unit": _labels([info.unit for info in objects], of_object, ~(has_unit[of_object] & frames.has_value)),
        "payload_offset": pa.array(frames.payload_offset),
        "payload_size": pa.array(frames.payload_size),
    }
    return pa.record_batch([columns[name] for name in schema().names], schema=schema())


def _labels(texts: Sequence[str], index: Array, missing: Array | None = None) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(index.astype(np.int32), mask=missing), pa.array(texts, pa.string()))


def find_tables(target: Path, captures: Sequence[str]) -> list[Path]:
    """Return the table of each capture: the target, or where there are several, one for each in a folder of that name.

    Raises ConfigError when the suffix of the target tells no format.
    """
    if target.suffix.lower() not in EXPORTS:
        raise ConfigError(f"{target}: a table is one of {', '.join(EXPORTS)}, by the suffix of its name")
    if len(captures) == 1:
        return [target]
    taken: set[str] = set()
    tables = []
    for capture in captures:
        stem = name = _stem(capture)
        for number in count(2):
            if name.casefold() not in taken:  # in many file systems, case does not tell files apart
                break
            name = f"{stem}-{number}"
        taken.add(name.casefold())
        tables.append(target / f"{name}{target.suffix}")
    return tables


def _stem(capture: str) -> str:
    """Return the name of a capture without the suffixes that tell its format."""
    path = Path(capture)
    while path.suffix.lower() in {*FORMATS, *COMPRESSIONS}:
        path = path.with_suffix("")
    return path.name


@contextmanager
def export(path: Path) -> Iterator[Write]:
    """Yield what adds frames to a new file, which is there under its name when all of it is.

    The suffix is one of EXPORTS. Raises OSError, with the name.
    """
    kind = EXPORTS[path.suffix.lower()]
    with new_file(path) as part, part.open("wb") as file, kind(file) as write:
        yield lambda captured: write(to_batch(captured)) if len(captured.frames) else None


_WriteBatch: TypeAlias = Callable[[pa.RecordBatch], object]


@contextmanager
def _parquet(file: BinaryIO) -> Iterator[_WriteBatch]:
    waiting: list[pa.RecordBatch] = []

    def write_group() -> None:
        writer.write_table(pa.Table.from_batches(waiting, schema()).unify_dictionaries())
        waiting.clear()

    def write(batch: pa.RecordBatch) -> None:
        waiting.append(batch)
        if sum(map(len, waiting)) >= _ROWS:
            write_group()

    with pa.parquet.ParquetWriter(file, schema(), compression="zstd") as writer:
        yield write
        write_group()


@contextmanager
def _csv(file: BinaryIO) -> Iterator[_WriteBatch]:
    options = pa.csv.WriteOptions(quoting_style="needed")
    with pa.csv.CSVWriter(file, _readable_schema(), write_options=options) as writer:
        yield lambda batch: writer.write_batch(_readable(batch))


@contextmanager
def _json_lines(file: BinaryIO) -> Iterator[_WriteBatch]:
    yield lambda batch: file.write("".join(_json_rows(batch).to_pylist()).encode())


def _json_rows(batch: pa.RecordBatch) -> pa.StringArray:
    """Return a line for each row. No text needs an escape: all are names and units of ours, times, and hex."""
    parts: list[Any] = []
    for at, (field, column) in enumerate(zip(_readable_schema(), _readable(batch).columns, strict=True)):
        is_float = pa.types.is_floating(field.type)
        text = pc.cast(pc.if_else(pc.is_finite(column), column, None) if is_float else column, pa.string())
        if pa.types.is_string(field.type):
            text = pc.binary_join_element_wise('"', text, '"', "")
        parts += [f'{", " if at else ""}"{field.name}": ', pc.coalesce(text, "null")]
    return pc.binary_join_element_wise("{", *parts, "}\n", "")


EXPORTS: Final[Mapping[str, Callable[[BinaryIO], AbstractContextManager[_WriteBatch]]]] = {
    ".parquet": _parquet,
    ".csv": _csv,
    ".jsonl": _json_lines,
}


@cache
def _readable_schema() -> pa.Schema:
    """Return the columns for text: labels and times as they are written."""
    return pa.schema(
        [
            (field.name, pa.string() if field.type == _LABEL or pa.types.is_timestamp(field.type) else field.type)
            for field in schema()
        ]
    )


def _readable(batch: pa.RecordBatch) -> pa.RecordBatch:
    columns = [_iso(column) if pa.types.is_timestamp(column.type) else column for column in batch.columns]
    return pa.record_batch(
        [column.cast(field.type) for column, field in zip(columns, _readable_schema(), strict=True)],
        schema=_readable_schema(),
    )


def _iso(times: pa.Array) -> pa.Array:
    # Not strftime: for times with a zone that needs a database of zones, which not every system has.
    texts = pc.replace_substring(pc.cast(times.cast(pa.timestamp("ns")), pa.string()), " ", "T")
    return pc.binary_join_element_wise(texts, "+00:00", "")
