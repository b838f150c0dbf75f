"""Chunks become frames that know when they came: one parser for each direction of each connection."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeAlias

from rct_tools.capture import Chunk, Direction
from rct_tools.frame import BadFrame, Command, Reason
from rct_tools.parser import FrameParser, ParserEvent
from rct_tools.recent import Recent

MOST_STREAMS: Final = 256
"""So many are open at once; beyond it the one that was silent for longest is closed. Memory is bounded by it."""


_Key: TypeAlias = tuple[int, Direction]


@dataclass(frozen=True, slots=True)
class Found:
    """A frame or bad frame, with when and where it was."""

    event: ParserEvent  # its offset is that in its stream: one direction of one connection
    time: int  # UTC, nanoseconds: when its last byte came; 0 where no time is known
    direction: Direction
    connection: int


class Counting(Protocol):
    """What counts like a FrameParser."""

    @property
    def fed(self) -> int: ...
    @property
    def skipped(self) -> int: ...
    @property
    def frames(self) -> Counter[Command]: ...
    @property
    def bad(self) -> Counter[Reason]: ...
    @property
    def noise(self) -> Counter[str]: ...


@dataclass(slots=True)
class Counters:
    """What parsers have counted, together; the fields are those of FrameParser."""

    fed: int = 0
    skipped: int = 0
    frames: Counter[Command] = field(default_factory=Counter)
    bad: Counter[Reason] = field(default_factory=Counter)
    noise: Counter[str] = field(default_factory=Counter)

    def add(self, other: Counting) -> None:
        """Count what another has counted."""
        self.fed += other.fed
        self.skipped += other.skipped
        self.frames += other.frames
        self.bad += other.bad
        self.noise += other.noise


def add_up(ended: Counters, running: Iterable[Counting]) -> Counters:
    """Return what was counted by those that have ended and those that go on."""
    total = Counters()
    for counting in (ended, *running):
        total.add(counting)
    return total


class Streams:
    """Finds the frames in chunks, like a FrameParser, but each stream by itself."""

    def __init__(self) -> None:
        self._open: Recent[_Key, _Stream] = Recent(MOST_STREAMS)
        self._ended = Counters()

    @property
    def counters(self) -> Counters:
        """What was counted in all streams."""
        return add_up(self._ended, (stream.parser for stream in self._open.values()))

    @property
    def pending(self) -> int:
        """Bytes of which it is not known yet what they are."""
        return sum(stream.parser.pending for stream in self._open.values())

    def feed(self, chunk: Chunk) -> list[Found]:
        """Take the next chunk and return the frames and bad frames that are now known."""
        key = chunk.connection, chunk.direction
        stream = self._open.get(key) or _Stream()
        gone = self._open.put(key, stream)
        found = self._close(*gone) if gone else []
        events = stream.feed(chunk)
        return found + [Found(event, time, chunk.direction, chunk.connection) for event, time in events]

    def close(self) -> list[Found]:
        """Tell that all streams have ended and return what was still unfinished."""
        return [found for key in list(self._open) for found in self._close(key, self._open.pop(key))]

    def _close(self, key: _Key, stream: _Stream) -> list[Found]:
        events = stream.close()
        self._ended.add(stream.parser)
        connection, direction = key
        return [Found(event, time, direction, connection) for event, time in events]


class _Stream:
    def __init__(self) -> None:
        self.parser = FrameParser()
        self._marks: deque[tuple[int, int]] = deque()  # where chunks ended whose bytes are pending, and their times

    def feed(self, chunk: Chunk) -> list[tuple[ParserEvent, int]]:
        begin = self.parser.fed
        events = self.parser.feed(chunk.data)
        self._marks.append((self.parser.fed, chunk.time))
        found = [(event, chunk.time if event.offset >= begin else self._time(event)) for event in events]
        told = self.parser.fed - self.parser.pending
        while self._marks and self._marks[0][0] <= told:
            self._marks.popleft()
        return found

    def close(self) -> list[tuple[ParserEvent, int]]:
        return [(event, self._time(event)) for event in self.parser.close()]

    def _time(self, event: ParserEvent) -> int:
        """Return when the last byte of an event came that began in an earlier chunk."""
        size = len(event.data) if isinstance(event, BadFrame) else len(event.encode())
        end = event.offset + size
        return next(time for mark, time in self._marks if mark >= end)
