"""Chunks become frames that know when they came: one parser for each direction of each connection."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from rct_tools.capture import Chunk, Direction
from rct_tools.frame import BadFrame, Command, Reason
from rct_tools.parser import FrameParser, ParserEvent

MOST_STREAMS: Final = 256
"""So many are open at once; beyond it the one that was silent for longest is closed. Memory is bounded by it."""


@dataclass(frozen=True, slots=True)
class Found:
    """A frame or bad frame, with when and where it was."""

    event: ParserEvent  # its offset is that in its stream: one direction of one connection
    time: int  # UTC, nanoseconds: when its last byte came; 0 where no time is known
    direction: Direction
    connection: int


class Counting(Protocol):
    """What every parser counts; see FrameParser."""

    fed: int

    @property
    def skipped(self) -> int: ...
    @property
    def pending(self) -> int: ...
    @property
    def frames(self) -> Counter[Command]: ...
    @property
    def bad(self) -> Counter[Reason]: ...
    @property
    def noise(self) -> Counter[str]: ...


class Totals:
    """What many parsers count together, with those that have ended."""

    def __init__(self) -> None:
        self._ended = FrameParser()  # is never fed

    def _running(self) -> Iterable[Counting]:
        raise NotImplementedError

    def _add(self, parser: Counting) -> None:
        """Count what a parser has counted that ends now."""
        total = self._ended
        total.fed += parser.fed
        total.skipped += parser.skipped
        total.frames += parser.frames
        total.bad += parser.bad
        total.noise += parser.noise

    @property
    def fed(self) -> int:
        """Bytes of all streams."""
        return self._ended.fed + sum(parser.fed for parser in self._running())

    @property
    def skipped(self) -> int:
        """Bytes that were in no frame."""
        return self._ended.skipped + sum(parser.skipped for parser in self._running())

    @property
    def pending(self) -> int:
        """Bytes of which it is not known yet what they are."""
        return sum(parser.pending for parser in self._running())

    @property
    def frames(self) -> Counter[Command]:
        """Frames by command."""
        return sum((parser.frames for parser in self._running()), self._ended.frames)

    @property
    def bad(self) -> Counter[Reason]:
        """Bad frames by reason."""
        return sum((parser.bad for parser in self._running()), self._ended.bad)

    @property
    def noise(self) -> Counter[str]:
        """Noise by kind, as FrameParser counts it."""
        return sum((parser.noise for parser in self._running()), self._ended.noise)


class Streams(Totals):
    """Finds the frames in chunks, like a FrameParser, but each stream by itself."""

    def __init__(self) -> None:
        super().__init__()
        self._open: OrderedDict[tuple[int, Direction], _Stream] = OrderedDict()

    def _running(self) -> Iterable[Counting]:
        return (stream.parser for stream in self._open.values())

    def feed(self, chunk: Chunk) -> list[Found]:
        """Take the next chunk and return the frames and bad frames that are now known."""
        key = chunk.connection, chunk.direction
        stream = self._open.get(key)
        found: list[Found] = []
        if stream is None:
            if len(self._open) == MOST_STREAMS:
                found = self._close(next(iter(self._open)))
            stream = self._open[key] = _Stream()
        else:
            self._open.move_to_end(key)
        events = stream.feed(chunk)
        return found + [Found(event, time, chunk.direction, chunk.connection) for event, time in events]

    def close(self) -> list[Found]:
        """Tell that all streams have ended and return what was still unfinished."""
        return [found for key in list(self._open) for found in self._close(key)]

    def _close(self, key: tuple[int, Direction]) -> list[Found]:
        stream = self._open.pop(key)
        events = stream.close()
        self._add(stream.parser)
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
