"""Whole streams to columns: what FrameParser finds, many times as fast, for captures that are there already.

Good runs are found and checked all at once. What lies between two of them goes to a FrameParser, so the result is its
own, whatever the bytes. Needs the extra [analysis].
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np

from rct_tools.capture import Chunk, Direction
from rct_tools.columns import REASONS, Array, BadColumns, FrameColumns, Origins, Row, as_row
from rct_tools.frame import Command, Frame, Reason
from rct_tools.good_runs import PADDING, find_edges, find_good_runs
from rct_tools.parser import FrameParser, ParserEvent
from rct_tools.recent import Recent
from rct_tools.runs import LONGEST_FRAME
from rct_tools.stream import MOST_STREAMS, Counters, add_up

_REASON_NUMBERS: Final = {reason: number for number, reason in enumerate(REASONS)}
_PIECE: Final = 65536  # bytes that a FrameParser gets at once, so that its events do not fill the memory
_END_OF_BLOCK: Final = (b"+++", b"+++\0")
_CHUNK_COST: Final = 64  # bytes that a chunk takes beside its data
_FEW: Final = 512  # bytes up to which a FrameParser alone is faster
_WINDOW: Final = 1 << 20  # bytes of a capture that are looked at together: they fit into the cache of a processor


class Block(NamedTuple):
    """What was found in a piece of a stream."""

    frames: FrameColumns
    bad: BadColumns


NOTHING: Final = Block(FrameColumns.empty(), BadColumns.empty())


class BulkParser:
    """A FrameParser that returns columns; best fed with a megabyte at once. Its counters are the same."""

    def __init__(self) -> None:
        self.fed = 0  # bytes
        self._good: Counter[Command] = Counter()  # frames in good runs
        self._zeros = 0  # bytes of noise behind them
        self._ends = 0  # "+++" behind them
        self._slow = _SlowParser()
        self._rest = b""  # fed, but not looked at: the last run, or an escape at the end of what _slow has

    @property
    def frames(self) -> Counter[Command]:
        """Frames by command."""
        return self._slow.parser.frames + self._good

    @property
    def bad(self) -> Counter[Reason]:
        """Bad frames by reason."""
        return self._slow.parser.bad

    @property
    def noise(self) -> Counter[str]:
        """Noise by kind, as FrameParser counts it."""
        return self._slow.parser.noise + Counter({"00": self._zeros, "+++": self._ends})

    @property
    def skipped(self) -> int:
        """Bytes that were in no frame."""
        return self._slow.parser.skipped + self._zeros + 3 * self._ends

    @property
    def pending(self) -> int:
        """How many of the last bytes fed are held back, because what they are is not known yet."""
        return len(self._rest) + self._slow.parser.pending

    def feed(self, data: bytes) -> Block:
        """Take the next bytes of the stream and return the frames and bad frames that are now known."""
        base = self.fed - len(self._rest)
        self.fed += len(data)
        data = self._rest + data
        if len(data) < _FEW:
            self._rest = self._tell_open(data, base)
            return self._slow.take()
        image = np.frombuffer(data + PADDING, np.uint8)
        starts, escapes, strays = find_edges(image)
        if not len(starts):
            self._rest = self._tell_open(data, base)
            return self._slow.take()
        self._slow.feed(data[: starts[0]], base)
        good, frames, zeros = find_good_runs(image, starts, escapes, strays)
        self._zeros += zeros
        counts = np.bincount(frames.command, minlength=1)
        self._good.update({Command(code): int(counts[code]) for code in np.flatnonzero(counts).tolist()})
        self._tell_between(data, base, starts, good)
        last = int(starts[-1])
        self._rest = data[last:]
        if len(self._rest) > 2 * LONGEST_FRAME:
            self._rest = self._tell_open(self._rest, base + last)
        slow = self._slow.take()
        if not len(frames):
            return slow
        frames.offset[:] += base
        frames.payload_offset[:] += base
        if len(slow.frames):
            frames = frames.join(slow.frames)
            frames = frames.take(np.argsort(frames.offset, kind="stable"))
        return Block(frames, slow.bad)

    def close(self) -> Block:
        """Tell that the stream has ended and return what was still unfinished. A new stream may follow."""
        self._slow.feed(self._rest, self.fed - len(self._rest))
        self._slow.end()
        self._rest = b""
        return self._slow.take()

    def _tell_open(self, data: bytes, base: int) -> bytes:
        """Tell what has no end yet, and return the escape at its end, if that waits for its byte."""
        size = len(data) - (len(data) - len(data.rstrip(b"-"))) % 2
        self._slow.feed(data[:size], base)
        return data[size:]

    def _tell_between(self, data: bytes, base: int, starts: Array, good: Array) -> None:
        """Tell what lies between good runs. The last start heads a run that has not ended, and is not told."""
        if not len(good):
            return
        changes = [0, *(np.flatnonzero(good[1:] != good[:-1]) + 1).tolist(), len(good)]
        places = starts[changes].tolist()
        is_good = bool(good[0])
        for begin, end in pairwise(places):
            if is_good:
                self._slow.end()
            elif self._slow.is_idle and data[begin:end] in _END_OF_BLOCK:
                self._ends += 1
                self._zeros += end - begin - 3
            else:
                self._slow.feed(data[begin:end], base + begin)
            is_good = not is_good


class _SlowParser:
    """A FrameParser whose events become columns."""

    def __init__(self) -> None:
        self.parser = FrameParser()
        self.is_idle = True  # whether all that was fed has been told, and what follows stands for itself
        self._frames: list[Row] = []
        self._bad: list[Row] = []
        self._shift = 0  # from places in what the parser was fed to those in the stream

    def feed(self, data: bytes, offset: int) -> None:
        """Take bytes that begin at an offset of the stream."""
        if data:
            self.is_idle = False
            self._shift = offset - self.parser.fed
        for at in range(0, len(data), _PIECE):
            self._keep(self.parser.feed(data[at : at + _PIECE]))

    def end(self) -> None:
        """Tell that a good run follows."""
        if not self.is_idle:
            self._keep(self.parser.close())
            self.is_idle = True

    def take(self) -> Block:
        """Return what was found, and forget it."""
        if not self._frames and not self._bad:
            return NOTHING
        block = Block(FrameColumns.from_rows(self._frames), BadColumns.from_rows(self._bad))
        self._frames, self._bad = [], []
        return block

    def _keep(self, events: list[ParserEvent]) -> None:
        shift = self._shift
        for event in events:
            if isinstance(event, Frame):
                self._frames.append(as_row(event, event.offset + shift))
            else:
                self._bad.append((event.offset + shift, len(event.data), _REASON_NUMBERS[event.reason]))


# --- captures -------------------------------------------------------------------------------------------------------


class Captured(NamedTuple):
    """What was found in a part of a capture, in the order in which it was there."""

    frames: FrameColumns
    frame_origins: Origins
    bad: BadColumns
    bad_origins: Origins


class BulkStreams:
    """One BulkParser for each direction of each connection, as Streams has a FrameParser."""

    def __init__(self) -> None:
        self._open: Recent[tuple[int, Direction], _Stream] = Recent(MOST_STREAMS)
        self._ended = Counters()
        self._waiting = 0  # bytes that are not looked at yet
        self._found: list[Captured] = []

    @property
    def counters(self) -> Counters:
        """What was counted in all streams."""
        return add_up(self._ended, (stream.parser for stream in self._open.values()))

    def feed(self, chunk: Chunk) -> Captured | None:
        """Take the next chunk and return what is known, once a megabyte has come together."""
        key = chunk.connection, chunk.direction
        stream = self._open.get(key) or _Stream(*key)
        if gone := self._open.put(key, stream):
            self._close(gone[1])
        stream.add(chunk)
        self._waiting += len(chunk.data) + _CHUNK_COST
        return self._look() if self._waiting >= _WINDOW else None

    def close(self) -> Captured:
        """Tell that all streams have ended and return what was still unfinished."""
        for key in list(self._open):
            self._close(self._open.pop(key))
        return self._look()

    def _close(self, stream: _Stream) -> None:
        self._found += [found for found in (stream.look(), stream.close()) if len(found.frames) or len(found.bad)]
        self._ended.add(stream.parser)

    def _look(self) -> Captured:
        found = self._found + [stream.look() for stream in self._open.values() if stream.waiting]
        self._found, self._waiting = [], 0
        return _in_order(found)


class _Stream:
    """One stream, and when its bytes came."""

    def __init__(self, connection: int, direction: Direction) -> None:
        self.parser = BulkParser()
        self.waiting: list[bytes] = []
        self._connection = connection
        self._direction = direction
        self._size = 0  # bytes of the stream so far
        self._ends: list[int] = []  # where chunks end in the stream whose bytes are waiting or pending
        self._times: list[int] = []  # and when they came

    def add(self, chunk: Chunk) -> None:
        self.waiting.append(chunk.data)
        self._size += len(chunk.data)
        self._ends.append(self._size)
        self._times.append(chunk.time)

    def look(self) -> Captured:
        data = b"".join(self.waiting)
        self.waiting = []
        found = self._with_origins(self.parser.feed(data))
        told = bisect_right(self._ends, self.parser.fed - self.parser.pending)
        del self._ends[:told], self._times[:told]
        return found

    def close(self) -> Captured:
        return self._with_origins(self.parser.close())

    def _with_origins(self, block: Block) -> Captured:
        return Captured(block.frames, self._origins(block.frames), block.bad, self._origins(block.bad))

    def _origins(self, table: FrameColumns | BadColumns) -> Origins:
        ends = np.array(self._ends, np.int64)
        known = np.searchsorted(table.offset + table.size, ends, "right")  # so many rows by the end of each chunk
        time = np.repeat(np.array(self._times, np.int64), np.diff(known, prepend=0))
        is_sent = np.full(len(table), self._direction is Direction.SENT)
        return Origins(time, is_sent, np.full(len(table), self._connection))


def _in_order(parts: list[Captured]) -> Captured:
    """Return what streams hold that were looked at together, by time; each of them stays in its order."""
    if len(parts) == 1:
        return parts[0]
    nothing = Captured(FrameColumns.empty(), Origins.empty(), BadColumns.empty(), Origins.empty())
    frames, frame_origins, bad, bad_origins = (first.join(*rest) for first, *rest in zip(nothing, *parts, strict=True))
    order, bad_order = (np.argsort(origins.time, kind="stable") for origins in (frame_origins, bad_origins))
    return Captured(frames.take(order), frame_origins.take(order), bad.take(bad_order), bad_origins.take(bad_order))
