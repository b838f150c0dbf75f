"""Captures become tables for other programs: Parquet, CSV, JSON lines. Needs the extra [analysis].

The suffix of the file says which: EXPORTS. The columns are the same in all: SCHEMA.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from rct_tools.bulk import Captured
from rct_tools.columns import Array
from rct_tools.errors import ConfigError
from rct_tools.frame import Command
from rct_tools.objects import registry

Write: TypeAlias = Callable[[Captured], None]

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


@contextmanager
def export(path: Path) -> Iterator[Write]:
    """Yield what adds frames to a new file, which is there under its name when all of it is.

    Raises ConfigError when the suffix tells no format, and OSError.
    """
    kind = EXPORTS.get(path.suffix.lower())
    if kind is None:
        raise ConfigError(f"{path}: a table is one of {', '.join(EXPORTS)}, by the suffix of its name")
    part = path.with_name(f".{path.name}.part")
    try:
        with kind(part) as write:
            yield lambda captured: write(to_batch(captured)) if len(captured.frames) else None
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


_WriteBatch: TypeAlias = Callable[[pa.RecordBatch], None]


@contextmanager
def _parquet(path: Path) -> Iterator[_WriteBatch]:
    waiting: list[pa.RecordBatch] = []

    def write_group() -> None:
        writer.write_table(pa.Table.from_batches(waiting, schema()).unify_dictionaries())
        waiting.clear()

    def write(batch: pa.RecordBatch) -> None:
        waiting.append(batch)
        if sum(map(len, waiting)) >= _ROWS:
            write_group()

    with pa.parquet.ParquetWriter(path, schema(), compression="zstd") as writer:
        yield write
        write_group()


@contextmanager
def _csv(path: Path) -> Iterator[_WriteBatch]:
    options = pa.csv.WriteOptions(quoting_style="needed")
    with pa.csv.CSVWriter(path, _readable_schema(), write_options=options) as writer:
        yield lambda batch: writer.write_batch(_readable(batch))


@contextmanager
def _json_lines(path: Path) -> Iterator[_WriteBatch]:
    def write(batch: pa.RecordBatch) -> None:
        # Nothing in a text needs an escape: all are names and units of ours, and hex.
        parts: list[Any] = []
        for at, (field, column) in enumerate(zip(_readable_schema(), _readable(batch).columns, strict=True)):
            is_float = pa.types.is_floating(field.type)
            text = pc.cast(pc.if_else(pc.is_finite(column), column, None) if is_float else column, pa.string())
            if pa.types.is_string(field.type):
                text = pc.binary_join_element_wise('"', text, '"', "")
            parts += [f'{", " if at else ""}"{field.name}": ', pc.coalesce(text, "null")]
        lines = pc.binary_join_element_wise("{", *parts, "}\n", "")
        file.write("".join(lines.to_pylist()))

    with path.open("w", encoding="utf-8", newline="\n") as file:
        yield write


EXPORTS: Final[Mapping[str, Callable[[Path], AbstractContextManager[_WriteBatch]]]] = {
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
    columns = [
        pc.strftime(column, "%Y-%m-%dT%H:%M:%S+00:00") if pa.types.is_timestamp(column.type) else column
        for column in batch.columns
    ]
    return pa.record_batch(
        [column.cast(field.type) for column, field in zip(columns, _readable_schema(), strict=True)],
        schema=_readable_schema(),
    )
