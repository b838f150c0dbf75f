"""The poll plan: which objects are read how often, what they are called in a database, and what sinks may expect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from rct_tools.objects import ObjectInfo
from rct_tools.times import SECOND
from rct_tools.values import DataType

FRESH: Final = 3  # intervals: two readings may get lost
SLACK: Final = 10 * SECOND  # and some more, for answers that are late


def fresh_for(interval: int) -> int:
    """Return how old a value may be that is read at an interval, to be shown as one of now; both in nanoseconds."""
    return FRESH * interval + SLACK


@dataclass(frozen=True, slots=True)
class Field:
    """One value that is kept: that of an object, or the sum of several."""

    name: str  # what databases without object names call it
    objects: tuple[ObjectInfo, ...]  # more than one: numbers of one unit, added up

    @property
    def info(self) -> ObjectInfo:
        """What readings of this field are of: the object, or for a sum a stand-in with the name of the field, id 0."""
        if len(self.objects) == 1:
            return self.objects[0]
        names = " + ".join(info.name for info in self.objects)
        return ObjectInfo(0, self.name, DataType.FLOAT, self.objects[0].unit, names)


@dataclass(frozen=True, slots=True)
class Group:
    """Fields that are read together, at one interval."""

    name: str
    interval: int  # ns
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Expected:
    """One object of one inverter, as a sink will be given it."""

    info: ObjectInfo
    name: str  # what the sink is told to call it; by default as the inverter does
    interval: int  # ns between two readings, while all is well
    field: str = ""  # what readings files call it, for databases that have such names


@dataclass(frozen=True, slots=True)
class Plan:
    """All groups; no field and no name stands in it twice."""

    groups: tuple[Group, ...]

    @property
    def expects(self) -> Mapping[str, Expected]:
        """What sinks may expect, by the name of the object."""
        return {
            field.info.name: Expected(field.info, field.info.name, group.interval, field.name)
            for group in self.groups
            for field in group.fields
        }


@dataclass(frozen=True, slots=True)
class Steerable:
    """What of an inverter others may change: only what is named."""

    objects: tuple[str, ...]  # names
    modes: tuple[str, ...]
    longest: int  # ns that a mode lasts at most


NOTHING: Final = Steerable((), (), 0)


@dataclass(frozen=True, slots=True)
class Source:
    """What a sink will be given of one inverter: known before the first reading, whether it ever comes or not."""

    inverter: str  # as in its readings
    zone: str  # the time zone of its clock, "Europe/Berlin"
    expects: Mapping[str, Expected]  # by the name of the object
    steerable: Steerable | None = None  # None for nothing

    def called(self, name: str) -> str:
        """Return what the sink calls an object."""
        return self.expects[name].name if name in self.expects else name
