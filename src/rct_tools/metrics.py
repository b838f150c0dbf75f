"""Readings as metrics: families with names by the conventions of Prometheus, or with those of rctmon.

The names are in metrics.toml beside this file. What has none there gets one made of its object's name and unit.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from importlib.resources import files
from itertools import product
from math import isfinite
from typing import Any, Final, NamedTuple, TypeAlias

from rct_tools.objects import ObjectInfo
from rct_tools.values import Cell, CellStatistics, DataType, Value


class Kind(StrEnum):
    """What a family is; as its section in metrics.toml is called."""

    GAUGE = "gauges"
    COUNTER = "counters"
    STATES = "states"  # a series for each state: 1 for those that are, 0 for the others
    INFO = "infos"  # a series with texts for labels; its value is 1


@dataclass(frozen=True, slots=True)
class Family:
    """Series of one name and meaning."""

    name: str  # as OpenMetrics has it: without the _total of a counter and the _info of texts
    kind: Kind
    unit: str  # the end of the name; "" for none
    help: str


Labels: TypeAlias = Mapping[str, str]
Content: TypeAlias = float | Mapping[str, bool] | Mapping[str, str]
"""What a series says, by its kind: a number, which states are, texts by label."""


class Sample(NamedTuple):
    """What one series says."""

    labels: Labels  # beside that of the inverter; the same names, in the same order, throughout a family
    content: Content


Reader: TypeAlias = Callable[[ObjectInfo, Value], Iterator[Sample]]


@dataclass(frozen=True, slots=True)
class Metric:
    """A family, as far as one object has a part in it."""

    family: Family
    info: ObjectInfo
    labels: Labels  # what the name of the object says: module="0"
    read: Reader

    def samples(self, value: Value) -> Iterator[Sample]:
        """Yield what a value of the object says; nothing for NaN, for no text, and for what is below 0 in a counter."""
        for more, content in self.read(self.info, value):
            yield Sample({**self.labels, **more}, content)


class Naming:
    """A set of names: a table of metrics.toml."""

    def __init__(self, table: Mapping[str, Any]) -> None:
        self._prefix: str = table["prefix"]
        self._others: bool = table["others"]
        self._units: Mapping[str, tuple[str, float]] = table["units"]
        self._rows: dict[str, list[_Row]] = {}  # by the name of the object
        for kind in Kind:
            for name, row in table.get(kind, {}).items():
                self._add(kind, name, row, table["labels"] | row.get("labels", {}))

    def metrics(self, info: ObjectInfo) -> tuple[Metric, ...]:
        """Return what families an object has a part in: none for history, bytes, and texts that no row names."""
        if rows := self._rows.get(info.name):
            return tuple(self._metric(info, row) for row in rows)
        if self._others and info.data_type in _NUMBERS:
            return (self._made(info),)
        return ()

    def _add(self, kind: Kind, name: str, row: Mapping[str, Any], words: Mapping[str, Labels]) -> None:
        patterns = row["of"] if kind is Kind.INFO else {"": row["of"]}
        for text, pattern in patterns.items():
            keys = re.findall(r"{(\w+)}", pattern)
            for choice in product(*(words[key].items() for key in keys)):
                labels = {key: label for key, (_, label) in zip(keys, choice, strict=True)}
                whole = pattern.format_map({key: word for key, (word, _) in zip(keys, choice, strict=True)})
                object_name, _, part = whole.partition("/")
                sign = -1 if row.get("negative") else 1
                added = _Row(name, kind, row["help"], labels, part, text, row.get("unit", ""), sign)
                self._rows.setdefault(object_name, []).append(added)

    def _metric(self, info: ObjectInfo, row: _Row) -> Metric:
        if row.kind is Kind.INFO:
            return Metric(self._family(row.name, row.kind, "", row.help), info, row.labels, _text(row.text))
        if row.kind is Kind.STATES:
            return Metric(self._family(row.name, row.kind, "", row.help), info, row.labels, _states)
        unit, read = PARTS[row.part] if row.part else (row.unit or info.unit, _number)
        name, factor = self._units.get(unit, ("", 1))
        lowest = 0.0 if row.kind is Kind.COUNTER else float("-inf")
        scaled = _scaled(read, factor * row.sign, lowest)
        return Metric(self._family(row.name, row.kind, name, row.help), info, row.labels, scaled)

    def _made(self, info: ObjectInfo) -> Metric:
        """Return the family of an object without a row: named like the object, with its indexes as a label."""
        unit, factor = self._units.get(info.unit, ("", 1))
        if info.object_id == 0:  # a sum, of which only the name is known
            family = self._family("field", Kind.GAUGE, unit, "A sum of several objects, by the name of its field")
            return Metric(family, info, {"field": info.name}, _scaled(_number, factor))
        indexes = re.findall(r"\[(\d+)\]", info.name)
        words = re.sub(r"\[\d+\]", "", info.name)
        name = re.sub(r"[^a-z0-9]+", "_", words.lower())
        labels = {"index": ",".join(indexes)} if indexes else {}
        about = words if indexes else f"{words}: {info.description}" if info.description else words
        if info.labels or info.bits:
            return Metric(self._family(name, Kind.STATES, "", about), info, labels, _states)
        if not unit and name.endswith(_TAKEN):
            name += "_value"
        return Metric(self._family(name, Kind.GAUGE, unit, about), info, labels, _scaled(_number, factor))

    def _family(self, name: str, kind: Kind, unit: str, about: str) -> Family:
        return Family("_".join(filter(None, (self._prefix + name, unit))), kind, unit, about)


class _Row(NamedTuple):
    """What metrics.toml says of one object."""

    name: str
    kind: Kind
    help: str
    labels: Labels
    part: str
    text: str  # of a family of texts: the label that this one is
    unit: str  # of an object that has none
    sign: int


_NUMBERS: Final = frozenset(kind for kind in DataType if DataType.BOOL.value <= kind.value <= DataType.FLOAT.value)
_TAKEN: Final = ("_sum", "_count", "_total", "_info", "_bucket", "_created")  # what such an end means to Prometheus


@lru_cache
def naming(name: str) -> Naming:
    """Return the set of names of RCT Tools, ``own``, or of ``rctmon``."""
    return Naming(load_tables()[name])


def load_tables() -> dict[str, dict[str, Any]]:
    """Return what metrics.toml says."""
    return tomllib.loads(files("rct_tools").joinpath("metrics.toml").read_text(encoding="utf-8"))


# --- what values say ------------------------------------------------------------------------------------------------


def _number(_info: ObjectInfo, value: Value) -> Iterator[Sample]:
    if isinstance(value, int | float):  # flags too
        yield Sample({}, value)


def _scaled(read: Reader, factor: float, lowest: float = float("-inf")) -> Reader:
    """Return a reader of numbers that are finite and in the unit of the metric."""

    def scaled(info: ObjectInfo, value: Value) -> Iterator[Sample]:
        for labels, number in read(info, value):
            if isinstance(number, int | float) and isfinite(number) and (scaled := number * factor) >= lowest:
                yield Sample(labels, scaled + 0.0)  # a negative zero would look odd

    return scaled


def _states(info: ObjectInfo, value: Value) -> Iterator[Sample]:
    """Yield all states; one that has no name has its number for one."""
    if not isinstance(value, int):
        return
    if info.bits:
        states = {text: bool(value >> bit & 1) for bit, text in info.bits.items()}
    else:
        states = dict.fromkeys(info.labels.values(), False) | {info.labels.get(value, str(value)): True}
    yield Sample({}, states)


def _text(label: str) -> Reader:
    def read(_info: ObjectInfo, value: Value) -> Iterator[Sample]:
        if isinstance(value, str | int) and value != "":
            yield Sample({}, {label: str(value)})

    return read


def _faults(info: ObjectInfo, value: Value) -> Iterator[Sample]:
    """Yield each fault that is there, with its number in the list of all."""
    if isinstance(value, int):
        register = int(info.name.partition("[")[2].partition("]")[0])
        for bit, text in info.bits.items():
            if value >> bit & 1:
                yield Sample({"bit": str(32 * register + bit), "fault": text}, 1)


def _bits_set(_info: ObjectInfo, value: Value) -> Iterator[Sample]:
    if isinstance(value, int):
        yield Sample({}, value.bit_count())


def _of_cells(name: str) -> Reader:
    def read(_info: ObjectInfo, value: Value) -> Iterator[Sample]:
        for number, cell in enumerate(value if isinstance(value, tuple) else ()):
            if isinstance(cell, Cell):
                yield Sample({"cell": str(number)}, getattr(cell, name))

    return read


def _resistances(_info: ObjectInfo, value: Value) -> Iterator[Sample]:
    for number, milliohm in enumerate(value if isinstance(value, tuple) else ()):
        if isinstance(milliohm, float):
            yield Sample({"cell": str(number)}, milliohm / 1000)


def _extreme(name: str) -> Reader:
    def read(_info: ObjectInfo, value: Value) -> Iterator[Sample]:
        if isinstance(value, CellStatistics):
            yield Sample({}, getattr(value, name).value)

    return read


PARTS: Final[Mapping[str, tuple[str, Reader]]] = {  # what stands behind a slash in metrics.toml: (unit, reader)
    "voltage": ("V", _of_cells("voltage")),
    "temperature": ("°C", _of_cells("temperature")),
    "status": ("", _of_cells("status")),
    "resistance": ("Ohm", _resistances),
    "u_min": ("V", _extreme("u_min")),
    "u_max": ("V", _extreme("u_max")),
    "t_min": ("°C", _extreme("t_min")),
    "t_max": ("°C", _extreme("t_max")),
    "faults": ("", _faults),
    "bits_set": ("", _bits_set),
}
