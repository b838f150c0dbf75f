"""Simulated inverters so light that one process carries hundreds.

What they answer is not a house but a number that counts: each answer of an object is one more than the one before. So
it is known afterwards, of every single reading, whether and where it arrived.
"""

from __future__ import annotations

import asyncio
import time
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Final, NamedTuple, Self

from rct_tools.frame import Command, Frame
from rct_tools.objects import ObjectInfo, registry
from rct_tools.simulator.line import Line
from rct_tools.simulator.server import Job, LineServer
from rct_tools.values import DataType

LATENCY: Final = 0.05  # seconds, as a real inverter's
EXACT: Final = 2**24  # a FLOAT counts no further without gaps


class Series(NamedTuple):
    """One object of one inverter; its readings are the numbers 1, 2, 3 …"""

    inverter: str
    object: str


def float_objects(count: int) -> list[ObjectInfo]:
    """Return the first objects whose values are numbers with a fraction, as most of an inverter's are."""
    return list(islice((info for info in registry if info.data_type is DataType.FLOAT), count))


class LightInverter(LineServer):
    """A real line with real timing; behind it, numbers that count."""

    def __init__(self, name: str, objects: Iterable[ObjectInfo], latency: float = LATENCY) -> None:
        super().__init__("127.0.0.1", 0, Line(self._answer, latency))
        self.name = name
        self.counting = True
        self.said: Mapping[str, array[float]] = {info.name: array("d") for info in objects}
        """When each number was said, in seconds since 1970: number n at index n - 1."""

    def jobs(self) -> Iterable[Job]:
        return ()

    def _answer(self, request: Frame) -> Frame | None:
        if request.command is not Command.READ or request.object_id not in registry:
            return None
        info = registry[request.object_id]
        times = self.said.get(info.name)
        if times is None:  # whatever else a collector would like to know: a word, or nothing
            return Frame(Command.RESPONSE, info.object_id, b"\0" * 8) if info.data_type is DataType.STRING else None
        if self.counting:
            times.append(time.time())
            assert len(times) < EXACT
        return Frame(Command.RESPONSE, info.object_id, info.encode(float(len(times) if self.counting else 0)))


class LightFleet:
    """All inverters, started and ended together: inv-000, inv-001 and so on."""

    def __init__(self, inverters: int, objects: int, latency: float = LATENCY) -> None:
        self.objects = float_objects(objects)
        self.inverters = [LightInverter(f"inv-{number:03}", self.objects, latency) for number in range(inverters)]

    async def __aenter__(self) -> Self:
        await asyncio.gather(*(inverter.start() for inverter in self.inverters))
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*(inverter.close() for inverter in self.inverters))

    def stop_counting(self) -> None:
        """Answer 0 from now on. All goes on as before, so what was said arrives as it would have; 0 is not counted."""
        for inverter in self.inverters:
            inverter.counting = False

    @property
    def said(self) -> Mapping[Series, array[float]]:
        """When each number was said, by what says it."""
        return {Series(i.name, name): times for i in self.inverters for name, times in i.said.items()}


class Account(NamedTuple):
    """Readings sent, and what became of them."""

    sent: int
    arrived: int
    twice: int  # numbers that arrived more than once
    missing: Mapping[Series, list[int]]
    strange: int  # numbers that nobody sent

    def missing_between(self, said: Mapping[Series, array[float]], begin: float, end: float) -> int:
        """Return how many of the missing were said in a time, in seconds since 1970."""
        return sum(begin <= said[series][n - 1] <= end for series, numbers in self.missing.items() for n in numbers)


def settle(said: Mapping[Series, array[float]], arrived: Iterable[tuple[Series, int]]) -> Account:
    """Compare what was said with what arrived, number by number; 0 is none."""
    found: dict[Series, Counter[int]] = defaultdict(Counter)
    for series, number in arrived:
        found[series][number] += 1
    sent = there = twice = strange = 0
    missing: dict[Series, list[int]] = {}
    for series in said.keys() | found.keys():
        numbers, known = found[series], range(1, len(said.get(series, ())) + 1)
        lost = [number for number in known if number not in numbers]
        sent += len(known)
        there += len(known) - len(lost)
        twice += sum(numbers[number] > 1 for number in known)
        strange += sum(number not in known for number in numbers if number)
        if lost:
            missing[series] = lost
    return Account(sent, there, twice, missing, strange)
