"""Clients that share an inverter, and know what they should have been told: each value is right, or whose it is."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Final, TypeAlias

from rctclient.exceptions import FrameCRCMismatch, FrameLengthExceeded, InvalidCommand
from rctclient.frame import ReceiveFrame, make_frame
from rctclient.types import Command

from rct_tools.client import connect
from rct_tools.errors import DecodeError, LinkError, NoAnswer
from rct_tools.objects import ObjectInfo, registry
from rct_tools.simulator import Faults, Simulator

TEN_PERCENT: Final = Faults(cut=0.02, late=0.02, lost=0.03, doubled=0.01, length=0.01, echo=0.01, stub=0.1, segment=0.1)
"""One frame in ten; and one in ten requests that come while an answer is due cuts it."""

WAIT: Final = 2.0  # seconds: what rctclient's program waits for an answer
_READ_SIZE: Final = 1024  # bytes, as there

Guest: TypeAlias = "Callable[[int, Sequence[ObjectInfo], Truth, int, float], Awaitable[Seen]]"
"""Reads so many values of some objects at a port, with a pause in seconds between two rounds."""


@dataclass(slots=True)
class Seen:
    """What clients were told."""

    right: int = 0
    foreign: int = 0  # the value of another object
    wrong: int = 0  # no object's value
    unanswered: int = 0

    @property
    def reads(self) -> int:
        """How often they asked."""
        return self.right + self.foreign + self.wrong + self.unanswered

    @property
    def answered(self) -> float:
        """The share of what they asked that was answered, and right."""
        return self.right / self.reads if self.reads else 0.0

    def __add__(self, other: Seen) -> Seen:
        return Seen(
            self.right + other.right, self.foreign + other.foreign, self.wrong + other.wrong,
            self.unanswered + other.unanswered,
        )  # fmt: skip


class Truth:
    """What the objects of an inverter hold, each something else, as long as its house stands still."""

    def __init__(self, simulator: Simulator, infos: Iterable[ObjectInfo]) -> None:
        self._payloads: Mapping[int, bytes] = {i.object_id: simulator.inverter.payload(i) for i in infos}
        self._owned = frozenset(self._payloads.values())
        self.mistakes: list[str] = []  # what was taken for which value, for who looks into it

    def judge(self, seen: Seen, info: ObjectInfo, payload: bytes) -> None:
        """Count a value that a client took for that of an object."""
        if self._is_right(info, payload):
            seen.right += 1
            return
        self.mistakes.append(f"{info.name} ({info.data_type.name}): {payload.hex(' ')}")
        if payload in self._owned:
            seen.foreign += 1
        else:
            seen.wrong += 1

    def _is_right(self, info: ObjectInfo, payload: bytes) -> bool:
        try:
            return info.decode(payload) == info.decode(self._payloads[info.object_id])
        except DecodeError:
            return False


def distinct_objects(simulator: Simulator, count: int) -> list[ObjectInfo]:
    """Return so many objects that hold something else each, half of them among those that are told unasked."""
    holders: dict[bytes, ObjectInfo] = {}
    for info in sorted(registry, key=lambda info: not info.reported):
        if not info.is_query:
            holders.setdefault(simulator.inverter.payload(info), info)
    reported = [info for info in holders.values() if info.reported]
    others = [info for info in holders.values() if not info.reported]
    return [*reported[: count // 2], *others[: count - min(count // 2, len(reported))]]


async def ours(
    port: int, infos: Sequence[ObjectInfo], truth: Truth, reads: int, pause: float, seen: Seen | None = None
) -> Seen:
    """Read with our client; ``seen`` is counted on, and returned."""
    seen = seen or Seen()
    async with connect("127.0.0.1", port, tries=None) as client:
        for number, info in enumerate(islice(cycle(infos), reads), 1):
            try:
                reading = await client.read(info.name)
            except (NoAnswer, LinkError) as exc:
                seen.unanswered += 1
                if isinstance(exc, LinkError):
                    await asyncio.sleep(WAIT)
            else:
                truth.judge(seen, info, reading.payload)
            if number % len(infos) == 0:
                await asyncio.sleep(pause)
    return seen


async def rctclients(
    port: int, infos: Sequence[ObjectInfo], truth: Truth, reads: int, pause: float, seen: Seen | None = None
) -> Seen:
    """Read with rctclient as its program ``rctclient read-value`` does: a connection, a request, the first frame."""
    seen = seen or Seen()
    for number, info in enumerate(islice(cycle(infos), reads), 1):
        try:
            payload = await _first_frame(port, info.object_id)
        except (OSError, TimeoutError, EOFError, FrameCRCMismatch, FrameLengthExceeded, InvalidCommand):
            seen.unanswered += 1  # the program says so, and ends
        else:
            truth.judge(seen, info, payload)
        if number % len(infos) == 0:
            await asyncio.sleep(pause)
    return seen


async def _first_frame(port: int, object_id: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(make_frame(Command.READ, object_id))
        frame = ReceiveFrame()
        while not frame.complete():
            async with asyncio.timeout(WAIT):
                data = await reader.read(_READ_SIZE)
            if not data:
                raise EOFError
            frame.consume(data)
        return bytes(frame.data)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def party(
    guest: Guest, clients: int, port: int, infos: Sequence[ObjectInfo], truth: Truth, reads: int, pause: float
) -> Seen:
    """Let several clients read at once, each its share of all reads, and each beginning somewhere else."""
    step = len(infos) // clients
    starts = [[*infos[step * n :], *infos[: step * n]] for n in range(clients)]
    return sum(await asyncio.gather(*(guest(port, start, truth, reads // clients, pause) for start in starts)), Seen())
