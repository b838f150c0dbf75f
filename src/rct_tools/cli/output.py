"""Rows in the formats that every command has: text, json, jsonl, csv."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol, TypeAlias

Row: TypeAlias = Mapping[str, Any]


class Output(Protocol):
    """Where a command puts its rows."""

    def row(self, row: Row) -> None:
        """Print one row, at once where the format allows it."""

    def end(self) -> None:
        """Print what can only come last."""


class _Text:
    def __init__(self, _columns: Sequence[str], line: Callable[[Row], str]) -> None:
        self._line = line

    def row(self, row: Row) -> None:
        _print(self._line(row))

    def end(self) -> None:
        """Every line stands for itself."""


class _JsonLines:
    def __init__(self, columns: Sequence[str], _line: Callable[[Row], str]) -> None:
        self._columns = columns

    def row(self, row: Row) -> None:
        _print(_json(_chosen(row, self._columns)))

    def end(self) -> None:
        """Every line stands for itself."""


class _Json:
    def __init__(self, columns: Sequence[str], _line: Callable[[Row], str]) -> None:
        self._columns = columns
        self._first = True

    def row(self, row: Row) -> None:
        _print(("[\n " if self._first else " ,") + _json(_chosen(row, self._columns)))
        self._first = False

    def end(self) -> None:
        _print("[]" if self._first else "]")


class _Csv:
    def __init__(self, columns: Sequence[str], _line: Callable[[Row], str]) -> None:
        self._columns = columns
        self._writer = csv.writer(sys.stdout, lineterminator="\n")
        self._writer.writerow(columns)

    def row(self, row: Row) -> None:
        self._writer.writerow(_cell(row.get(column)) for column in self._columns)
        sys.stdout.flush()

    def end(self) -> None:
        sys.stdout.flush()


FORMATS: Final[Mapping[str, Callable[[Sequence[str], Callable[[Row], str]], Output]]] = {
    "text": _Text,
    "json": _Json,
    "jsonl": _JsonLines,
    "csv": _Csv,
}


def open_output(output_format: str, columns: Sequence[str], line: Callable[[Row], str]) -> Output:
    """Return where rows go: the columns of each, or for text what ``line`` makes of it.

    What a row lacks is absent in JSON, and empty in CSV. Values are as JSON knows them: ``rct_tools.plain``.
    """
    return FORMATS[output_format](columns, line)


def _chosen(row: Row, columns: Sequence[str]) -> Row:
    return {column: row[column] for column in columns if column in row}


def _json(row: Row) -> str:
    return json.dumps(row, ensure_ascii=False, allow_nan=False)


def _cell(value: Any) -> Any:
    match value:
        case bool():
            return str(value).lower()
        case list() | dict():
            return _json(value) if isinstance(value, dict) else json.dumps(value, ensure_ascii=False)
        case _:
            return value


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
