"""The inverter of a capture: what it said by itself, and what it would answer, as the capture goes on.

Everything the inverter said went to every client, so when several connections are in a capture, each holds a copy of
the same. A frame is told when the first of them has heard it whole, whichever that is, so none is lost when one of
them ends; the others' copies are left out.

What answered a request of the capture was not said unasked, so it is not told: it becomes known.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from typing import Final, TypeAlias

from rct_tools.capture import Chunk, Direction
from rct_tools.frame import BadFrame, Command, Frame
from rct_tools.objects import registry
from rct_tools.parser import FrameParser, ParserEvent
from rct_tools.reading import Reading, read_frame
from rct_tools.recent import Recent
from rct_tools.stream import MOST_STREAMS, Streams
from rct_tools.times import SECOND

ANSWER_TIME: Final = 3 * SECOND
"""A response no later than this after a request for its object is the answer; most take a tenth of a second."""

COPY_TIME: Final = 2 * SECOND
"""So far apart connections may hear the same: longer than a lost packet takes to be sent again."""

MOST_RECENT: Final = 1024
"""So many requests, and frames, are remembered that long: more than the line can carry in that time."""

MOST_KNOWN: Final = 64 * 1024 * 1024
"""Bytes of memory for what is known. Beyond it, what was told longest ago is forgotten."""

_KNOWN_COST: Final = 400  # bytes that one entry takes beside its payload
_TIME_SIZE: Final = 4

_Key: TypeAlias = tuple[int | None, int]  # the address in a plant frame, object id
_Question: TypeAlias = tuple[_Key, bytes]  # what is asked about an object: the time of a page of history, or b""

_READS: Final = frozenset({Command.READ, Command.PLANT_READ})
_WRITES: Final = frozenset({Command.WRITE, Command.LONG_WRITE, Command.PLANT_WRITE, Command.PLANT_LONG_WRITE})


class RecordedInverter:
    """An inverter as far as a capture knows it: ``take`` is its time going on, ``answer`` is asking it now."""

    def __init__(self) -> None:
        self._heard: Recent[int, _Heard] = Recent(MOST_STREAMS)  # by connection
        self._sent = Streams()
        self._asked: deque[tuple[int, _Key]] = deque(maxlen=MOST_RECENT)  # when, and for what
        self._told: deque[tuple[int, bytes]] = deque()  # when, and what
        self._hearers: dict[bytes, _Hearers] = {}  # of what was told
        self._teller = -1  # the connection whose noise is told: the one that was first with a frame
        self._known: OrderedDict[_Question, Frame] = OrderedDict()  # what was told last at the end
        self._size = 0  # bytes that are known

    def take(self, chunk: Chunk) -> bytes:
        """Go on to the next chunk, and return what the inverter says unasked at that moment.

        That is byte for byte what it said, damage and noise included, but unfinished frames wait for their ends: an
        answer must not come in between.
        """
        if chunk.direction is Direction.SENT:
            requests = (found.event for found in self._sent.feed(chunk))
            self._asked.extend(
                (chunk.time, _key(request))
                for request in requests
                if isinstance(request, Frame) and request.command in _READS | _WRITES
            )
            return b""
        return b"".join(self._unasked(self._stream(chunk.connection).feed(chunk.data), chunk))

    def close(self) -> bytes:
        """Return what was left unfinished: the capture has ended."""
        return b"".join(self._heard[self._teller].rest) if self._teller in self._heard else b""

    def answer(self, request: Frame) -> Frame | None:
        """Return what is known about what a frame asks for; None if nothing is, and for all that asks nothing.

        A page of history is known if exactly its time was asked for in the capture. What else is written is lost.
        """
        if request.command in _READS:
            return self._known.get((_key(request), b""))
        if request.command in _WRITES and len(request.payload) == _TIME_SIZE:
            return self._known.get((_key(request), request.payload))
        return None

    def _stream(self, connection: int) -> _Heard:
        heard = self._heard.get(connection) or _Heard()
        self._heard.put(connection, heard)
        if self._teller not in self._heard:
            self._teller = connection
        return heard

    def _unasked(self, pieces: list[_Piece], chunk: Chunk) -> Iterator[bytes]:
        """Yield what of the pieces that a connection heard is to be told."""
        for noise, data, event in pieces:
            if event is not None:
                if self._is_copy(data, chunk):
                    continue
                self._teller = chunk.connection
                if isinstance(event, Frame) and event.command.is_response:
                    self._learn(event)
                    if self._was_asked(event, chunk.time):
                        yield noise.removesuffix(b"\0")  # which belongs to the answer
                        continue
            if chunk.connection == self._teller:
                yield noise
                yield data

    def _is_copy(self, data: bytes, chunk: Chunk) -> bool:
        """Return whether this was told when another connection had heard it; from now on, it is told."""
        while self._told and abs(chunk.time - self._told[0][0]) > COPY_TIME:
            self._forget()
        if self._hearers.setdefault(data, _Hearers()).hear(chunk.connection):
            return True
        self._told.append((chunk.time, data))
        if len(self._told) > MOST_RECENT:
            self._forget()
        return False

    def _forget(self) -> None:
        """Forget what was told longest ago."""
        _, data = self._told.popleft()
        if self._hearers[data].forget():
            del self._hearers[data]

    def _was_asked(self, response: Frame, time: int) -> bool:
        """Return whether this answers a request that was still open."""
        while self._asked and abs(time - self._asked[0][0]) > ANSWER_TIME:
            self._asked.popleft()
        for at, (_, asked) in enumerate(self._asked):
            if asked == _key(response):
                del self._asked[at]
                return True
        return False

    def _learn(self, frame: Frame) -> None:
        """Know what a response tells, if it fits its object: a stub tells nothing."""
        if not isinstance(read_frame(frame, 0, ""), Reading):
            return
        questions = [b""]
        if registry.describe(frame.object_id).is_query:
            questions.append(frame.payload[:_TIME_SIZE])
        for question in questions:
            old = self._known.pop((_key(frame), question), None)
            self._size += _cost(frame) - _cost(old)
            self._known[_key(frame), question] = frame
        while self._size > MOST_KNOWN:
            _, forgotten = self._known.popitem(last=False)
            self._size -= _cost(forgotten)


class _Hearers:
    """How often the same was told, and how much of that each connection has heard."""

    def __init__(self) -> None:
        self._told = 0
        self._forgotten = 0  # so many of those were too long ago
        self._heard: Recent[int, int] = Recent(MOST_STREAMS)  # by connection

    def hear(self, connection: int) -> bool:
        """Take what a connection hears, and return whether that was told already; else it is told now."""
        heard = max(self._heard.get(connection, 0), self._forgotten)
        self._heard.put(connection, heard + 1)
        if heard < self._told:
            return True
        self._told += 1
        return False

    def forget(self) -> bool:
        """Forget what was told first, and return whether nothing is left."""
        self._forgotten += 1
        return self._forgotten == self._told


_Piece: TypeAlias = tuple[bytes, bytes, ParserEvent | None]  # noise, and the frame or bad frame behind it if any


class _Heard:
    """What one connection hears, in pieces that go on as they are."""

    def __init__(self) -> None:
        self.rest: list[bytes] = []  # what is in no piece yet
        self._at = 0  # where that begins in the stream
        self._parser = FrameParser()

    def feed(self, data: bytes) -> list[_Piece]:
        """Take the next bytes and return the pieces that are now known."""
        parser = self._parser
        before = parser.fed - parser.pending
        events = parser.feed(data)
        self.rest.append(data)
        end = parser.fed - parser.pending
        if end == before:
            return []
        stream = b"".join(self.rest)
        at = self._at
        done = at
        pieces: list[_Piece] = []
        for event in events:
            begin = event.offset
            behind = begin + len(event.data if isinstance(event, BadFrame) else event.encode())
            pieces.append((stream[done - at : begin - at], stream[begin - at : behind - at], event))
            done = behind
        if done < end < parser.fed and not stream[end - at - 1]:
            end -= 1  # the 00 before a frame stays with it
        pieces.append((stream[done - at : end - at], b"", None))
        self.rest = [stream[end - at :]]
        self._at = end
        return pieces


def _key(frame: Frame) -> _Key:
    return frame.address if frame.command.is_plant else None, frame.object_id


def _cost(frame: Frame | None) -> int:
    return len(frame.payload) + _KNOWN_COST if frame else 0
