"""Captures without what tells whose they are: stand-ins for what is private, and every other byte as it was.

Twice through a capture: collect() finds what is private, a Redactor writes it anew. proof.py then looks for what may be
left, in another way.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeAlias

from rct_tools.capture import Chunk, Direction
from rct_tools.checksum import CRC_SIZE
from rct_tools.frame import BadFrame, Frame, Reason
from rct_tools.objects import registry
from rct_tools.parser import FrameParser, ParserEvent
from rct_tools.privacy import SHORTEST, Originals, StandIns, blank, find_private
from rct_tools.recent import Recent
from rct_tools.runs import LONGEST_FRAME, measure, unescape
from rct_tools.stream import MOST_STREAMS, Found, Streams
from rct_tools.values import DataType

_LONG_GAP: Final = 65536  # bytes outside of frames that are settled at once
_CONTEXT: Final = 2 * SHORTEST  # bytes that a part of an original can have, all of them escaped
_MOST_WAITING: Final = 4 * LONGEST_FRAME  # bytes behind a chunk that waits for the rest of its frame
_PIECE: Final = 512  # bytes that are looked at together: where one frame needs care, so many are read with it
_PRIVATE: Final = {info.object_id for info in registry if info.private}
_CAREFUL: Final = _PRIVATE | {info.object_id for info in registry if info.data_type is DataType.STRING}

_Key: TypeAlias = tuple[int, Direction]


def collect(chunks: Iterable[Chunk]) -> Originals:
    """Return what is private in a capture. Raises CaptureError when that is far too much."""
    originals = Originals()
    for found in _found(chunks):
        if isinstance(found.event, Frame) and found.event.object_id in _PRIVATE:
            originals.add(registry.describe(found.event.object_id), found.event.payload)
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
        self._open: Recent[_Key, _Stream] = Recent(MOST_STREAMS)
        self._waiting: deque[_Waiting] = deque()  # chunks of all streams that are not written yet
        self._size = 0  # bytes in them

    def feed(self, chunk: Chunk) -> None:
        """Take the next chunk and write those that are settled. Raises what ``write`` raises."""
        key = chunk.connection, chunk.direction
        stream = self._open.get(key) or _Stream(self)
        if gone := self._open.put(key, stream):
            gone[1].close()
        waiting = _Waiting(chunk)
        self._waiting.append(waiting)
        self._size += len(chunk.data)
        stream.feed(waiting)
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
                chunk = waiting.chunk
                self._write(Chunk(chunk.time, chunk.direction, bytes(waiting.data), chunk.connection))

    def redact(self, frame: Frame) -> tuple[int, bytes]:
        """Return how long a frame was on the wire, and its bytes without what is private in them."""
        new, wire = self._stand_ins.redact(frame)
        if new is frame:
            return len(wire), wire
        known = frame.object_id in registry
        self.frames[registry[frame.object_id].name if known else "unknown objects"] += 1
        return len(frame.encode()), wire

    def is_clean(self, data: bytes) -> bool:
        """Return whether it shows at once that no original is in frames."""
        search = self._stand_ins.pattern.search
        image = unescape(data)
        # What in a payload looks escaped once more needs a closer look.
        return not (search(data) or search(image) or b"--" in image or b"-+" in image)

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
        data = waiting.chunk.data
        for at in range(0, len(data), _PIECE):
            self._feed(data[at : at + _PIECE])

    def _feed(self, data: bytes) -> None:
        self._raw += data
        noise = self._noise()
        events = self._parser.feed(data)
        if not (events and noise == self._noise() and self._pass_on(events)):
            self._settle_events(events)
        gap = self._parser.fed - self._parser.pending - self._begin
        if gap > _LONG_GAP:
            self._settle_gap(gap - _CONTEXT)

    def _noise(self) -> int:
        """Return how many bytes were in no frame, but for the 00 between frames."""
        return self._parser.skipped - self._parser.noise["00"]

    def _pass_on(self, events: list[ParserEvent]) -> bool:
        """Settle frames with no noise between them as they are, if it shows in all together that nothing is private.

        Most frames are settled here: to look at each by itself takes three times as long.
        """
        for event in events:
            if isinstance(event, BadFrame) or event.object_id in _CAREFUL or event.address:
                return False
        last = events[-1]
        assert isinstance(last, Frame), "all are"  # noqa: S101  # for the type checker
        size = last.offset + len(last.encode()) - self._begin
        span = bytes(self._raw[:size])
        if span[: events[0].offset - self._begin].strip(b"\0") or not self._redactor.is_clean(span):
            return False
        self._settle(size, span)
        self._context = span[1 - SHORTEST :]
        return True

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
