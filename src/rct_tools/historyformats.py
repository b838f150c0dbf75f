"""Rows of history as CSV, JSON lines and Parquet, written and read back: FORMATS by name.

Columns have the names of series with their units, as in ``Pdc A [W]``. Parquet needs the extra [analysis].
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple, TextIO, TypeAlias

from rct_tools.clock import Clock
from rct_tools.errors import ConfigError
from rct_tools.history import HistoryRow
from rct_tools.series import Series
from rct_tools.times import SECOND

UNSURE: Final = "unsure"
"""The last column: whether the time may be an hour off."""

Found: TypeAlias = tuple[list[str], list[Mapping[str, Any]]]
"""The columns of a file, none for an empty one, and the cells of its rows."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Layout(NamedTuple):
    """What a file of history has: rows of a resolution, with some series, told in a time zone."""

    resolution: str
    series: Sequence[Series]
    clock: Clock

    @property
    def when(self) -> str:
        """The name of the first column: the time of five minutes, or the day, month or year that it is about."""
        return "time" if self.resolution == "minutes" else self.resolution

    @property
    def columns(self) -> list[str]:
        """The names of all columns."""
        return [self.when, *(each.column for each in self.series), UNSURE]


def cells(layout: Layout, row: HistoryRow) -> dict[str, Any]:
    """Return a row as JSON knows it, by its columns: null for what is not known."""
    # Nine digits are all that a FLOAT holds.
    numbers = (None if value is None else float(f"{value:.9g}") for value in _numbers(layout, row))
    return dict(zip(layout.columns, (layout.clock.text(row.time // SECOND), *numbers, not row.is_sure), strict=True))


def _numbers(layout: Layout, row: HistoryRow) -> list[float | None]:
    """Return the values of all series; None for what is not known, or no number."""
    values = (row.values.get(each.name, math.nan) for each in layout.series)
    return [value if math.isfinite(value) else None for value in values]


def row_of(layout: Layout, of: Mapping[str, Any]) -> HistoryRow:
    """Return the row that cells hold. Raises ValueError, TypeError, KeyError for what is none."""
    moment = of[layout.when]
    moment = moment if isinstance(moment, datetime) else datetime.fromisoformat(moment)
    time = (moment - _EPOCH) // timedelta(seconds=1) * SECOND
    values = {each.name: float(of[each.column]) for each in layout.series if of[each.column] not in (None, "")}
    return HistoryRow(time, values, of[UNSURE] not in (True, "true"))


def _read_csv(path: Path) -> Found:
    with path.open(encoding="utf-8", newline="") as file:
        columns, *rows = [*csv.reader(file)] or [[]]
    return columns, [dict(zip(columns, row, strict=True)) for row in rows]


def _write_csv(path: Path, layout: Layout, rows: Iterable[HistoryRow]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        write_csv(file, layout, rows)


def write_csv(file: TextIO, layout: Layout, rows: Iterable[HistoryRow]) -> None:
    """Write rows to a text file as CSV; ``unsure`` is true, or empty."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(layout.columns)
    for row in rows:
        *known, unsure = cells(layout, row).values()
        writer.writerow([*known, "true" if unsure else ""])


def _read_json_lines(path: Path) -> Found:
    with path.open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return list(rows[0]) if rows else [], rows


def _write_json_lines(path: Path, layout: Layout, rows: Iterable[HistoryRow]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        write_json_lines(file, layout, rows)


def write_json_lines(file: TextIO, layout: Layout, rows: Iterable[HistoryRow]) -> None:
    """Write rows to a text file as JSON, one a line."""
    file.writelines(json.dumps(cells(layout, row), ensure_ascii=False) + "\n" for row in rows)


def write_json(file: TextIO, layout: Layout, rows: Iterable[HistoryRow]) -> None:
    """Write rows to a text file as one JSON array."""
    lines = [json.dumps(cells(layout, row), ensure_ascii=False) for row in rows]
    file.write("[\n " + "\n ,".join(lines) + "\n]\n" if lines else "[]\n")


def parquet() -> Any:
    """Return what reads and writes Parquet. Raises ConfigError where it is not installed."""
    try:
        import pyarrow as pa
        import pyarrow.parquet
    except ImportError as exc:
        raise ConfigError("Parquet needs more than the core: pip install 'rct-tools[analysis]'") from exc
    return pa


def _read_parquet(path: Path) -> Found:
    pa = parquet()
    try:
        table = pa.parquet.read_table(path)
        at = table.schema.names[0]
        # As seconds: where the system has no database of time zones, Python cannot be given times with one.
        times = table[at].cast(pa.timestamp("s")).cast(pa.int64()).to_pylist()
    except (pa.ArrowException, IndexError) as exc:
        raise ValueError(str(exc)) from exc
    others = table.drop_columns([at]).to_pylist()
    rows: list[Mapping[str, Any]] = [
        {at: _EPOCH + timedelta(seconds=when), **row} for when, row in zip(times, others, strict=True)
    ]
    return list(table.schema.names), rows


def _write_parquet(path: Path, layout: Layout, rows: Iterable[HistoryRow]) -> None:
    pa = parquet()
    kept = list(rows)
    numbers = zip(*(_numbers(layout, row) for row in kept), strict=True) if kept else [()] * len(layout.series)
    fields = [pa.field(layout.when, pa.timestamp("s", "UTC"))]
    columns = [pa.array([row.time // SECOND for row in kept], pa.int64()).cast(pa.timestamp("s", "UTC"))]
    for each, column in zip(layout.series, numbers, strict=True):
        about = {"object": each.info.name, "unit": each.info.unit}
        fields.append(pa.field(each.column, pa.float32(), metadata=about))
        columns.append(pa.array(column, pa.float32()))
    fields.append(pa.field(UNSURE, pa.bool_()))
    columns.append(pa.array([not row.is_sure for row in kept], pa.bool_()))
    pa.parquet.write_table(pa.table(columns, schema=pa.schema(fields)), path, compression="zstd")


class Format(NamedTuple):
    """How rows are read from a file, and written to one."""

    read: Callable[[Path], Found]
    write: Callable[[Path, Layout, Iterable[HistoryRow]], None]


FORMATS: Final[Mapping[str, Format]] = {
    "csv": Format(_read_csv, _write_csv),
    "jsonl": Format(_read_json_lines, _write_json_lines),
    "parquet": Format(_read_parquet, _write_parquet),
}
