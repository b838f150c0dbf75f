"""What stands in for a sink and for time, where the real ones would not do as they are told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from rct_tools.errors import SinkError
from rct_tools.plan import Source
from rct_tools.reading import Reading
from rct_tools.setups import SinkSetup
from rct_tools.sinks import Sink
from rct_tools.times import SECOND


class Stop(Exception):
    """The end of a test's time."""


@dataclass
class Clock:
    """Time that passes when somebody sleeps; at the end it stops the sleeper."""

    end: int = 10**6 * SECOND
    now: int = 0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> int:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if self.now + seconds * SECOND > self.end:
            raise Stop
        self.now += round(seconds * SECOND)
        await asyncio.sleep(0)


@dataclass
class Shelf:
    """A sink in memory that fails as told."""

    readings: list[Reading] = field(default_factory=list)
    fails: Callable[[int], SinkError | None] = lambda attempt: None
    attempts: int = 0
    opened: int = 0
    closed: int = 0
    sources: list[Source] = field(default_factory=list)

    def setup(self, label: str = "shelf", *objects: str, **names: str) -> SinkSetup:
        def open_it(sources: Sequence[Source]) -> Sink:
            self.opened += 1
            self.sources = list(sources)
            return self

        return SinkSetup(
            label, open_it, id(self), objects or ("*",), {k.replace("__", "."): v for k, v in names.items()}
        )

    async def write(self, readings: Sequence[Reading]) -> None:
        self.attempts += 1
        await asyncio.sleep(0)
        if (error := self.fails(self.attempts)) is not None:
            raise error
        self.readings += readings

    async def close(self) -> None:
        self.closed += 1

    def of(self, name: str, inverter: str = "roof") -> list[Reading]:
        return [r for r in self.readings if r.object.name == name and r.inverter == inverter]


@dataclass
class Archive(Shelf):
    """A store in memory: it keeps each reading once, and says what it has."""

    precision: ClassVar[int] = 1

    def setup(self, label: str = "archive", *objects: str, **names: str) -> SinkSetup:
        return replace(Shelf.setup(self, label, *objects, **names), is_store=True)

    async def write(self, readings: Sequence[Reading]) -> None:
        kept = {(reading.inverter, reading.object.name, reading.time) for reading in self.readings}
        await Shelf.write(self, [r for r in readings if (r.inverter, r.object.name, r.time) not in kept])

    async def times(
        self, inverter: str, names: Collection[str], since: int, until: int, step: int = 1
    ) -> dict[str, set[int]]:
        await asyncio.sleep(0)
        if (error := self.fails(0)) is not None:
            raise error
        return {
            name: {r.time // step * step for r in self.of(name, inverter) if since <= r.time < until} for name in names
        }
