"""What an inverter said of many objects, taken one by one: None stands for what it did not say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from math import isfinite
from typing import Any

from rct_tools.client import Client
from rct_tools.clock import Clock
from rct_tools.errors import DecodeError, LinkError, NoAnswer
from rct_tools.objects import registry
from rct_tools.reading import Reading
from rct_tools.values import DataType, Value


@dataclass(frozen=True, slots=True)
class Label:
    """A number with a meaning: a state, a strategy, some bits."""

    number: int
    text: str  # from objects.toml; "" where nobody knows


@dataclass(frozen=True, slots=True)
class Answers:
    """What was asked at once. An object that was not asked is silent, too."""

    readings: Mapping[str, Reading]  # by name
    missing: tuple[str, ...] = ()  # names of what was asked and not answered
    trouble: str = ""  # what ended the connection before all of it was; "" where nothing did

    @property
    def time(self) -> int:
        """When the last of them came, in UTC nanoseconds; 0 where there is none."""
        return max((reading.time for reading in self.readings.values()), default=0)

    def value(self, name: str) -> Value | None:
        """Return a value as it came."""
        reading = self.readings.get(name)
        return None if reading is None else reading.value

    def number(self, name: str) -> float | None:
        """Return a measured value in the unit of its object; None for NaN and infinity, too: they are no measure."""
        value = self.value(name)
        return float(value) if isinstance(value, float | int) and isfinite(value) else None

    def count(self, name: str) -> int | None:
        """Return a whole number."""
        value = self.value(name)
        return value if isinstance(value, int) else None

    def text(self, name: str) -> str | None:
        """Return a text without what it is filled up with; it may be ""."""
        value = self.value(name)
        return value.strip("\0 ") if isinstance(value, str) else None

    def label(self, name: str) -> Label | None:
        """Return a number with what it means."""
        number = self.count(name)
        return None if number is None else Label(number, registry[name].meaning(number))

    def moment(self, name: str, clock: Clock) -> datetime | None:
        """Return a time that the inverter's clock shows; None for 0, which is never."""
        return local_moment(self.count(name), clock)

    def structure(self, name: str, like: str) -> Value | None:
        """Return a value that is laid out as that of another object, also where the table of objects does not know."""
        reading = self.readings.get(name)
        if reading is None or reading.object.data_type is not DataType.UNKNOWN:
            return None if reading is None else reading.value
        try:
            return registry[like].decode(reading.payload)
        except DecodeError:
            return None


async def ask(client: Client, names: Iterable[str], before: Answers = Answers({})) -> Answers:
    """Ask for many objects and return their answers, with those ``before``.

    Raises NoAnswer when there is not one answer in all, LinkError when there is no connection, and was none before.
    """
    names = list(names)
    try:
        answers = await client.read_many(names)
    except LinkError as exc:
        if not before.readings:
            raise
        return Answers(before.readings, (*before.missing, *names), str(exc))
    readings = {name: answer for name, answer in answers.items() if isinstance(answer, Reading)}
    missing = tuple(name for name, answer in answers.items() if not isinstance(answer, Reading))
    trouble = next((str(answer) for answer in answers.values() if isinstance(answer, LinkError)), before.trouble)
    together = Answers({**before.readings, **readings}, (*before.missing, *missing), trouble)
    if not together.readings:
        raise NoAnswer(client.peer, together.missing)
    return together


def local_moment(shown: int | None, clock: Clock) -> datetime | None:
    """Return what the clock of an inverter shows, with its offset; None for none, and for 0, which is never.

    In the hour that comes twice in autumn, the first is meant.
    """
    return clock.local(shown) if shown and shown > 0 else None


def as_json(item: Any) -> Any:
    """Return frozen data as JSON knows it: fields and what is computed of them, times in ISO 8601."""
    match item:
        case datetime():
            return item.isoformat()
        case tuple() if hasattr(item, "_asdict"):
            return {name: as_json(value) for name, value in item._asdict().items()}
        case tuple():
            return [as_json(part) for part in item]
    if not is_dataclass(item):
        return item
    computed = [name for name, part in vars(type(item)).items() if isinstance(part, property)]
    return {name: as_json(getattr(item, name)) for name in (*(field.name for field in fields(item)), *computed)}
