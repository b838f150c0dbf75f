"""The newest value of every object of every inverter, with its age. No I/O; clocks are arguments."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rct_tools.plain import plain
from rct_tools.plan import Source, fresh_for
from rct_tools.reading import Reading
from rct_tools.vitals import INTERVAL, UP

_MS: Final = 1_000_000  # ns


@dataclass(frozen=True, slots=True)
class Seen:
    """A reading, and when it came: its own time is that of a clock that may be set."""

    reading: Reading
    at: int  # steady nanoseconds
    version: int  # of Newest, when this was new


class Newest:
    """What is known now. ``version`` grows with each change. What was read of the past does not belong here."""

    def __init__(
        self,
        absent: Callable[[str], Collection[str]] = lambda _inverter: (),
        wall_clock: Callable[[], int] = time.time_ns,
    ) -> None:
        """``absent`` tells which components an inverter does not have, ``wall_clock`` is that of the readings."""
        self._absent = absent
        self.wall_clock = wall_clock
        self.version = 0
        self.changed = 0  # the version in which inverters came or went
        self._sources: dict[str, Source] = {}
        self._seen: dict[str, dict[str, Seen]] = {}

    def expect(self, sources: Sequence[Source]) -> None:
        """Show these inverters from now on; what is known of those that stay is kept."""
        self._sources = {source.inverter: source for source in sources}
        self._seen = {name: self._seen.get(name, {}) for name in self._sources}
        self.version += 1
        self.changed = self.version

    def take(self, readings: Sequence[Reading], now: int) -> None:
        """Take what came ``now``, in steady nanoseconds."""
        self.version += 1
        for reading in readings:
            if not reading.backfilled and reading.inverter in self._seen:
                self._seen[reading.inverter][reading.object.name] = Seen(reading, now, self.version)

    @property
    def inverters(self) -> Mapping[str, Source]:
        """What is expected of each inverter, by its name."""
        return self._sources

    def seen(self, inverter: str) -> Mapping[str, Seen]:
        """Return what is known of an inverter, by the names of objects."""
        return self._seen[inverter]

    def is_up(self, inverter: str) -> bool:
        """Return whether it answers."""
        up = self._seen[inverter].get(UP.name)
        return up is not None and up.reading.value is True

    def document(self, now: int, since: int = -1) -> dict[str, Any]:
        """Return what is known as JSON knows it: all, or what is newer than a version.

        Times are milliseconds of UTC, ages and ``lasts`` milliseconds; ``lasts`` is how old a value may be. Values that
        are no single number or text, such as those of cells, are left out.
        """
        return {
            "whole": since < 0,
            "now": self.wall_clock() // _MS,
            "inverters": {name: self._inverter(name, now, since) for name in self._sources},
        }

    def _inverter(self, inverter: str, now: int, since: int) -> dict[str, Any]:
        known = self._seen[inverter]
        shown = {
            name: self.value(inverter, seen, now)
            for name, seen in known.items()
            if seen.version > since and isinstance(seen.reading.value, bool | int | float | str)
        }
        zone = self._sources[inverter].zone
        absent = sorted(self._absent(inverter))
        age = self.age(inverter, now)
        return {"up": self.is_up(inverter), "zone": zone, "age": age, "absent": absent, "objects": shown}

    def age(self, inverter: str, now: int) -> int | None:
        """Return how long ago the inverter itself said anything, in milliseconds; None for never."""
        newest = max((seen.at for seen in self._told(inverter)), default=None)
        return None if newest is None else max(0, now - newest) // _MS

    def _told(self, inverter: str) -> Iterator[Seen]:
        return (seen for name, seen in self._seen[inverter].items() if not name.startswith("link."))

    def value(self, inverter: str, seen: Seen, now: int) -> dict[str, Any]:
        """Return a value with its unit, time and age; and what it means, where numbers of the object mean something."""
        reading = seen.reading
        info = reading.object
        document: dict[str, Any] = {
            "value": plain(reading.value),
            "unit": info.unit,
            "time": reading.time // _MS,
            "age": max(0, now - seen.at) // _MS,
            "lasts": self._lasts(inverter, info.name) // _MS,
        }
        if info.labels or info.bits:
            document["meaning"] = info.meaning(reading.value)
        return document

    def _lasts(self, inverter: str, name: str) -> int:
        expected = self._sources[inverter].expects.get(name)
        return fresh_for(expected.interval if expected else INTERVAL)
