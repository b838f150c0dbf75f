"""What may be written to an inverter: objects of writable.toml, each with its range, and nothing else."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from importlib.resources import files
from types import MappingProxyType
from typing import Final

from rct_tools.display import show_value
from rct_tools.errors import WriteRefused
from rct_tools.objects import RATIO, ObjectInfo, registry
from rct_tools.sentence import Sentence, Sentences
from rct_tools.values import DataType, Value

_SUFFIXES: Final[Mapping[str, Mapping[str, Decimal]]] = {  # unit -> what may stand behind a number, in lower case
    RATIO: {"": Decimal(1), "%": Decimal("0.01")},
    "W": {"": Decimal(1), "w": Decimal(1), "kw": Decimal(1000)},
}
_NUMBER: Final = re.compile(r"([+-]?\d{1,9}(?:\.\d{1,9})?) ?(%|[a-z]*)", re.ASCII | re.IGNORECASE)
_BOOLS: Final = {"true": True, "on": True, "1": True, "false": False, "off": False, "0": False}
_MOST: Final = 1e9  # beyond any range
_EXACT: Final = 1e-6  # how near, relatively, four bytes hold a number


class _Says(Sentences):
    NOT_THIS_VALUE = "{object}: cannot be set to {value}; expected {range}"
    WRONG_UNIT = "{value}: the unit is wrong"
    HARMFUL = "{object}: is never written, it could harm the inverter"
    NOT_WRITABLE = "{object}: is not among what may be written: {objects}"
    TRUE_OR_FALSE = "true or false"
    ONE_OF = "one of {values}"
    AS_FAR_AS = "a number of{unit}, with {decimals} decimals at most, as far as {limit} allows"
    FROM_TO = "{low:g} to {high:g}{unit}, with {decimals} decimals at most"
    FROM_TO_PERCENT = "{low:g} to {high:g}, that is {least:g} % to {most:g} %, with {decimals} decimals at most"


@dataclass(frozen=True, slots=True)
class Held:
    """A value of an object, as a sentence says it; None where it is not known."""

    object: ObjectInfo
    value: Value | None

    def __str__(self) -> str:
        return show(self.object, self.value)


@dataclass(frozen=True, slots=True)
class Writable:
    """An object that may be written, and what it may be set to. Numbers are in the unit of the object."""

    info: ObjectInfo
    low: float = 0.0
    high: float = 0.0
    decimals: int = 0
    limit: str = ""  # the object that says how far this model goes, in place of low and high; "" for none
    changes: tuple[str, ...] = ()  # objects that change with it
    note: str = ""  # what people should know before

    def within(self, most: float) -> Writable:
        """Return this for a model that goes up to ``most``, and down to the same if it goes below 0 at all."""
        return replace(self, low=-most if self.low < 0 else self.low, high=most, limit="")

    @property
    def range(self) -> Sentence:
        """What may be written, for people."""
        match self.info.data_type:
            case DataType.BOOL:
                return _Says.TRUE_OR_FALSE()
            case DataType.ENUM:
                return _Says.ONE_OF(values=tuple(Held(self.info, number) for number in self.info.labels))
        unit = "" if self.info.unit == RATIO else f" {self.info.unit}"
        if self.limit:
            return _Says.AS_FAR_AS(unit=unit, decimals=self.decimals, limit=self.limit)
        if self.info.unit != RATIO:
            return _Says.FROM_TO(low=self.low, high=self.high, unit=unit, decimals=self.decimals)
        least, most = self.low * 100, self.high * 100
        return _Says.FROM_TO_PERCENT(low=self.low, high=self.high, least=least, most=most, decimals=self.decimals)

    def check(self, value: object) -> Value:
        """Return a value as it is written. Raises WriteRefused for what may not be.

        The range of an object with a ``limit`` is not known before ``within``, and so not looked at.
        """
        match self.info.data_type, value:
            case DataType.BOOL, bool():
                return value
            case DataType.ENUM, int() if not isinstance(value, bool) and value in self.info.labels:
                return int(value)
            case DataType.FLOAT, int() | float() if not isinstance(value, bool) and abs(value) <= _MOST:  # nor is NaN
                number = round(float(value), self.decimals)
                is_far = not self.limit and not self.low <= number <= self.high
                if not is_far and math.isclose(number, value, rel_tol=_EXACT, abs_tol=0.0):
                    return number + 0.0  # not -0
        raise self._refused(f"{value!r:.60}")

    def parse(self, text: str) -> Value:
        """Return what people write: ``80%``, ``-2.5 kW``, ``true``, ``4``, ``External``. Raises WriteRefused."""
        text = text.strip()
        value: Value | None = None
        match self.info.data_type:
            case DataType.BOOL:
                value = _BOOLS.get(text.lower())
            case DataType.ENUM:
                value = self._labelled(text)
            case _:
                match = _NUMBER.fullmatch(text)
                factor = _SUFFIXES[self.info.unit].get(match[2].lower()) if match else None
                if match and factor is None:
                    raise self._refused(_Says.WRONG_UNIT(value=repr(text)))
                if match and factor is not None:
                    value = float(Decimal(match[1]) * factor)
        if value is None:
            raise self._refused(f"{text[:60]!r}")
        try:
            return self.check(value)
        except WriteRefused as exc:
            raise self._refused(repr(text)) from exc

    def _labelled(self, text: str) -> int | None:
        """Return the number of an ENUM that is written as such, as its label, or as a beginning that only one has."""
        labels = self.info.labels
        if text.isascii() and text.isdigit() and len(text) < 4:  # one byte
            return int(text)
        alike = [number for number, label in labels.items() if text and label.lower().startswith(text.lower())]
        return alike[0] if len(alike) == 1 else None

    def _refused(self, what: Sentence | str) -> WriteRefused:
        return WriteRefused(_Says.NOT_THIS_VALUE(object=self.info.name, value=what, range=self.range))


def find_writable(info: ObjectInfo) -> Writable:
    """Return how an object may be written. Raises WriteRefused."""
    if info.is_untouchable:
        raise WriteRefused(_Says.HARMFUL(object=info.name))
    if info.name not in WRITABLE:
        raise WriteRefused(_Says.NOT_WRITABLE(object=info.name, objects=tuple(WRITABLE)))
    return WRITABLE[info.name]


def is_same(info: ObjectInfo, one: Value, other: Value) -> bool:
    """Return whether an object holds the same in both cases, as far as its bytes can tell."""
    if isinstance(one, float) and isinstance(other, float) and math.isclose(one, other, rel_tol=_EXACT, abs_tol=0.0):
        return True
    return info.encode(one) == info.encode(other)


def show(info: ObjectInfo, value: Value | None) -> str:
    """Return a value with its unit and what it means, for people."""
    if value is None:
        return "unknown"
    meaning = info.meaning(value)
    return f"{show_value(info, value)} {meaning}".rstrip()


def _load() -> Mapping[str, Writable]:
    table = tomllib.loads(files("rct_tools").joinpath("writable.toml").read_text(encoding="utf-8"))
    return MappingProxyType(
        {
            name: Writable(registry[name], **{**row, "changes": tuple(row.get("changes", ()))})
            for name, row in table.items()
        }
    )


WRITABLE: Final = _load()
"""By name."""
