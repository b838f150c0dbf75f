"""What whole captures hold, object by object. Needs the extra [analysis]."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

import numpy as np

from rct_tools.bulk import Captured
from rct_tools.columns import REASONS, SCALARS, Array, FrameColumns
from rct_tools.errors import DecodeError
from rct_tools.frame import Reason
from rct_tools.good_runs import IS_RESPONSE
from rct_tools.objects import ObjectInfo, registry
from rct_tools.stream import Counters
from rct_tools.values import DataType

_MOST_OBJECTS: Final = 10_000  # told apart; a long capture of garbage could hold any number
_MOST_PLACES: Final = 10  # of bad frames that are named

_Key: TypeAlias = tuple[int, int]  # address and object id


class BadPlace(NamedTuple):
    """Where a bad frame is."""

    file: str
    offset: int  # in its stream, bytes
    size: int  # bytes
    reason: Reason


@dataclass(slots=True)
class ObjectSummary:
    """What responses told of one object of one inverter."""

    object_id: int
    address: int  # of a member of a plant, else 0
    frames: int = 0
    first: int = 0  # UTC, nanoseconds; 0 where no time is known
    last: int = 0
    misfits: int = 0  # payloads that do not fit the type
    values: int = 0  # finite numbers; lowest, highest and total are theirs
    lowest: float = float("inf")
    highest: float = float("-inf")
    total: float = 0.0

    @property
    def object(self) -> ObjectInfo:
        """Name, unit and type."""
        return registry.describe(self.object_id)

    @property
    def mean(self) -> float | None:
        """The mean value; None where there are no numbers."""
        return self.total / self.values if self.values else None

    @property
    def interval(self) -> float | None:
        """The mean time between two frames, in seconds; None where it is not known."""
        return (self.last - self.first) / (self.frames - 1) / 1e9 if self.frames > 1 and self.first else None

    def add(self, other: ObjectSummary) -> None:
        """Count what another says of the same object."""
        self.frames += other.frames
        self.first = min(self.first, other.first) if self.first and other.first else self.first or other.first
        self.last = max(self.last, other.last)
        self.misfits += other.misfits
        self.values += other.values
        self.lowest = min(self.lowest, other.lowest)
        self.highest = max(self.highest, other.highest)
        self.total += other.total


@dataclass(slots=True)
class Summary:
    """What captures hold. Two can be added, so files can be read side by side."""

    counters: Counters = field(default_factory=Counters)
    places: list[BadPlace] = field(default_factory=list)  # the first bad frames
    objects: dict[_Key, ObjectSummary] = field(default_factory=dict)
    others: int = 0  # responses of objects beyond those
    first: int = 0  # UTC, nanoseconds; 0 where no time is known
    last: int = 0

    def count(self, file: str, captured: Captured) -> None:
        """Take a part of a capture."""
        bad = captured.bad
        for row in range(min(len(bad), _MOST_PLACES - len(self.places))):
            reason = REASONS[int(bad.reason[row])]
            self.places.append(BadPlace(file, int(bad.offset[row]), int(bad.size[row]), reason))
        for summary in _summarise(captured.frames, captured.frame_origins.time):
            self._add_object(summary)
        for time in (captured.frame_origins.time, captured.bad_origins.time):
            self._see(time[time > 0])

    def add(self, other: Summary) -> None:
        """Take what another holds."""
        self.counters.add(other.counters)
        self.places += other.places[: _MOST_PLACES - len(self.places)]
        for summary in other.objects.values():
            self._add_object(summary)
        self.others += other.others
        self._see(np.array([time for time in (other.first, other.last) if time]))

    def _add_object(self, summary: ObjectSummary) -> None:
        key = summary.address, summary.object_id
        known = self.objects.get(key)
        if known is not None:
            known.add(summary)
        elif len(self.objects) < _MOST_OBJECTS:
            self.objects[key] = summary
        else:
            self.others += summary.frames

    def _see(self, times: Array) -> None:
        if len(times):
            self.first = min(self.first or int(times.min()), int(times.min()))
            self.last = max(self.last, int(times.max()))


def _summarise(frames: FrameColumns, time: Array) -> Iterator[ObjectSummary]:
    """Yield what the responses among frames say, object by object."""
    rows = np.flatnonzero(IS_RESPONSE.take(frames.command))
    keys = frames.address.take(rows).astype(np.uint64) << np.uint64(32) | frames.object_id.take(rows)
    found, index, counts = np.unique(keys, return_inverse=True, return_counts=True)
    value, has_value = frames.value.take(rows), frames.has_value.take(rows)
    numbers = np.flatnonzero(has_value & np.isfinite(value))
    value, of = value.take(numbers), index.take(numbers)
    values = np.bincount(of, minlength=len(found))
    total = np.bincount(of, weights=value, minlength=len(found))
    lowest, highest = np.full(len(found), np.inf), np.full(len(found), -np.inf)
    np.minimum.at(lowest, of, value)
    np.maximum.at(highest, of, value)
    time = time.take(rows)
    last = np.zeros(len(found), np.int64)
    np.maximum.at(last, index, time)
    first = last.copy()
    np.minimum.at(first, index, time)
    misfits: Counter[int] = Counter()
    for row in np.flatnonzero(~has_value).tolist():
        if not _fits(int(frames.object_id[rows[row]]), int(frames.payload_size[rows[row]])):
            misfits[int(index[row])] += 1
    for number, key in enumerate(found.tolist()):
        yield ObjectSummary(
            key & 0xFFFFFFFF, key >> 32, int(counts[number]), int(first[number]), int(last[number]),
            misfits[number], int(values[number]), float(lowest[number]), float(highest[number]), float(total[number]),
        )  # fmt: skip


@lru_cache(maxsize=4096)
def _fits(object_id: int, size: int) -> bool:
    """Return whether a payload of this size fits the type of the object; for those whose values are no scalars."""
    info = registry.describe(object_id)
    if info.data_type in SCALARS:
        return False  # it would have a value
    if info.data_type in (DataType.STRING, DataType.UNKNOWN):
        return True
    try:
        info.decode(bytes(size))
    except DecodeError:
        return False
    return True
