"""Captures without what tells whose they are: stand-ins for what is private, and every other byte as it was.

Twice through a capture: collect() finds what is private, a Redactor writes it anew. search() then looks for what may be
left, in another way than the Redactor does.
"""

from __future__ import annotations

import re
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from rct_tools.capture import Chunk, Direction
from rct_tools.checksum import CRC_SIZE
from rct_tools.frame import BadFrame, Frame, Reason
from rct_tools.objects import registry
from rct_tools.parser import FrameParser
from rct_tools.privacy import SHORTEST, Originals, StandIns, blank, find_private, is_stand_in, private_parts
from rct_tools.runs import LONGEST_FRAME, measure, unescape
from rct_tools.stream import MOST_STREAMS, Found, Streams

_LONG_GAP: Final = 65536  # bytes outside of frames that are settled at once
_CONTEXT: Final = 2 * SHORTEST  # bytes that a part of an original can have, all of them escaped
_MOST_WAITING: Final = 4 * LONGEST_FRAME  # bytes behind a chunk that waits for the rest of its frame

_ESCAPED: Final = re.compile(rb"-([+-])")

_Key: TypeAlias = tuple[int, Direction]


def collect(chunks: Iterable[Chunk]) -> Originals:
    """Return what is private in a capture. Raises CaptureError when that is far too much."""
    originals = Originals()

    for found in _found(chunks):
        if isinstance(found.event, Frame) and (info := registry.describe(found.event.object_id)).private:
            originals.add(info, found.event.payload)
    return originals


def _found(chunks: Iterable[Chunk]) -> Iterator[Found]:
    streams = Streams()
    for chunk in chunks:
        yield from streams.feed(chunk)
    yield from streams.close()


# --- writing ---------------------------------------------------------------------------------------------------------


class Redactor:
    """Writes chunks anew, in their order, each with its time, connection and direction.

    What a changed frame spans stays in the same chunks; their sizes change by the escapes of its checksum.
    """

    def __init__(self, stand_ins: StandIns, write: Callable[[Chunk], None]) -> None:
        self.frames: Counter[str] = Counter()  # changed ones, by the name of their object
        self.elsewhere = 0  # changed places that are in no frame
        self._stand_ins = stand_ins
        self._write = write
        self._open: OrderedDict[_Key, _Stream] = OrderedDict()
        self._waiting: deque[_Waiting] = deque()  # chunks of all streams that are not written yet
        self._size = 0  # bytes in them

    def feed(self, chunk: Chunk) -> None:
        """Take the next chunk and write those that are settled. Raises what ``write`` raises."""
        key = chunk.connection, chunk.direction
        if key not in self._open:
            if len(self._open) == MOST_STREAMS:
                self._open.popitem(last=False)[1].close()
            self._open[key] = _Stream(self)
        self._open.move_to_end(key)
        waiting = _Waiting(chunk)
        self._waiting.append(waiting)
        self._size += len(chunk.data)
        self._open[key].feed(waiting)
        self._write_settled()
        while self._waiting and self._size - len((first := self._waiting[0].chunk).data) > _MOST_WAITING:
            # A frame that was cut waits for its rest, which may never come.
            self._open[first.connection, first.direction].close()
            self._write_settled()

    def close(self) -> None:
        """Tell that the capture has ended and write the rest."""
        for stream in self._open.values():
            stream.close()
        self._write_settled()

    def _write_settled(self) -> None:
        while self._waiting and not self._waiting[0].left:
            waiting = self._waiting.popleft()
            self._size -= len(waiting.chunk.data)
            if waiting.data:  # of one byte, nothing may be left
                self._write(replace(waiting.chunk, data=bytes(waiting.data)))

    def redact(self, frame: Frame) -> tuple[int, bytes]:
        """Return how long a frame was on the wire, and its bytes without what is private in them."""
        new, wire = self._stand_ins.redact(frame)
        if new is frame:
            return len(wire), wire
        known = frame.object_id in registry
        self.frames[registry[frame.object_id].name if known else "unknown objects"] += 1
        return len(frame.encode()), wire

    def redact_gap(self, data: bytes) -> bytes:
        """Return bytes that are in no frame without what is private in them."""
        return self._stand_ins.replace(data, parts=True)


class _Waiting:
    """A chunk, and so much of its bytes as is settled."""

    def __init__(self, chunk: Chunk) -> None:
        self.chunk = chunk
        self.left = len(chunk.data)
        self.data = bytearray()


class _Stream:
    """One direction of one connection: frames, and the gaps between them."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._parser = FrameParser()
        self._waiting: deque[_Waiting] = deque()
        self._raw = bytearray()  # what is not settled yet
        self._begin = 0  # of _raw in the stream
        self._context = b""  # the end of what is settled: of a gap as it was, of a frame as it is now
        self._late = 0  # bytes that are missing from a private frame, and may come later

    def feed(self, waiting: _Waiting) -> None:
        self._waiting.append(waiting)
        self._raw += waiting.chunk.data
        self._settle_events(self._parser.feed(waiting.chunk.data))
        gap = self._parser.fed - self._parser.pending - self._begin
        if gap > _LONG_GAP:
            self._settle_gap(gap - _CONTEXT)

    def close(self) -> None:
        """Settle everything. The stream may go on."""
        self._settle_events(self._parser.close())
        self._settle_gap(len(self._raw))

    def _settle_events(self, events: Iterable[Frame | BadFrame]) -> None:
        for event in events:
            self._settle_gap(event.offset - self._begin)
            if isinstance(event, BadFrame):
                self._late = self._late or _missing(event)
                continue
            size, wire = self._redactor.redact(event)
            self._settle(size, wire)
            self._context = wire[1 - SHORTEST :]

    def _settle_gap(self, size: int) -> None:
        """Settle bytes that are in no frame: a bad one and what is behind it, or noise."""
        old = bytes(self._raw[:size])
        begin = old.lstrip(b"\0")[:1]
        if not begin:
            self._context = b"" if size else self._context
            self._settle(size, old)
            return
        beyond = bytes(self._raw[size : size + _CONTEXT])
        known = len(self._context)
        new = self._redactor.redact_gap(self._context + old + beyond)[known : known + size]
        if self._late and begin != b"+":
            new = blank(new[: self._late]) + new[self._late :]
            self._late = 0
        self._redactor.elsewhere += new != old
        self._context = (self._context + old)[-_CONTEXT:]
        self._settle(size, new)

    def _settle(self, size: int, new: bytes) -> None:
        """Put what becomes of the next bytes into the chunks they came in."""
        del self._raw[:size]
        self._begin += size
        at = 0
        while size:
            first = self._waiting[0]
            taken = min(size, first.left)
            first.left -= taken
            size -= taken
            end = at + taken if size else len(new)
            first.data += new[at:end]
            at = end
            if not first.left:
                self._waiting.popleft()


def _missing(bad: BadFrame) -> int:
    """Return how many bytes of a private frame were not there when it was cut."""
    if bad.reason is not Reason.TRUNCATED or not find_private(bad.data):
        return 0
    image = unescape(bad.data)
    end = measure(image, 0)
    missing = end - len(image) if isinstance(end, int) else 0
    return missing if missing > CRC_SIZE else 0


# --- proof -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Left:
    """A place where something private is."""

    name: str  # of its object
    connection: int
    direction: Direction
    offset: int  # in its stream; it begins there or, when it was found in bytes, ends before


def search(chunks: Iterable[Chunk], stand_ins: StandIns) -> Iterator[Left]:
    """Yield what is private in a capture: originals anywhere, and private values that have not the form of stand-ins.

    Originals are searched in the bytes of each stream, as they are and without escapes. Those that may stand anywhere
    by chance are searched in their own places only: ``StandIns.everywhere`` holds the others.
    """
    streams = Streams()
    views: OrderedDict[_Key, _View] = OrderedDict()
    for chunk in chunks:
        key = chunk.connection, chunk.direction
        views[key] = view = views.pop(key, None) or _View(stand_ins)
        if len(views) > MOST_STREAMS:
            views.popitem(last=False)
        for name in view.feed(chunk.data):
            yield Left(name, chunk.connection, chunk.direction, view.fed)
        for found in streams.feed(chunk):
            yield from _left_in(found, stand_ins)
    for found in streams.close():
        yield from _left_in(found, stand_ins)


class _View:
    """Bytes in which originals are searched, as they are and without escapes, also where one piece meets the next."""

    def __init__(self, stand_ins: StandIns) -> None:
        self.fed = 0
        self._stand_ins = stand_ins
        self._longest = max(map(len, stand_ins.everywhere), default=1)
        self._raw = b""
        self._unescaped = b""
        self._escape = b""  # an escape that waits for its byte

    def feed(self, data: bytes) -> list[str]:
        """Take the next bytes and return the names of the objects whose originals end in them."""
        self.fed += len(data)
        escaped = self._escape + data
        whole = len(escaped) - (len(escaped) - len(escaped.rstrip(b"-"))) % 2
        self._escape = escaped[whole:]
        image = _ESCAPED.sub(rb"\1", escaped[:whole])
        names = [self._stand_ins.everywhere[original] for original in self._find(self._raw, data)]
        names += [self._stand_ins.everywhere[original] for original in self._find(self._unescaped, image)]
        self._raw = self._end(self._raw + data)
        self._unescaped = self._end(self._unescaped + image)
        return names

    def _find(self, before: bytes, data: bytes) -> list[bytes]:
        matches = self._stand_ins.pattern.finditer(before + data)
        return [match[0] for match in matches if match.end() > len(before)]

    def _end(self, data: bytes) -> bytes:
        return data[max(0, len(data) - self._longest + 1) :]


def _left_in(found: Found, stand_ins: StandIns) -> Iterator[Left]:
    """Yield what is private in a frame where it belongs, or in the rest of one that was private."""
    event = found.event
    names = []
    if isinstance(event, BadFrame):
        if (private := find_private(event.data)) and private[1] != blank(private[1]):
            names.append(private[0])
    elif (info := registry.describe(event.object_id)).private:
        for start, end, kind in private_parts(info, event.payload):
            data = event.payload[start:end]
            if (kind, data) in stand_ins.names or not is_stand_in(kind, data):
                names.append(info.name)
    for name in names:
        yield Left(name, found.connection, found.direction, event.offset)
