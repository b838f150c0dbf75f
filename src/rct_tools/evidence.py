"""What the bytes of a connection tell of it: answers and their times, losses, damage, other clients, the broadcast.

Pure: the same chunks give the same evidence, while they are recorded and from a file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from statistics import median
from typing import Final

from rct_tools.capture import Chunk, Direction
from rct_tools.frame import BadFrame, Command, Frame, Reason
from rct_tools.objects import ObjectInfo, registry
from rct_tools.pace import Others
from rct_tools.reading import BadReading, read_frame
from rct_tools.stream import Found, Streams
from rct_tools.stubs import Stubs
from rct_tools.times import SECOND

_READS: Final = {Command.READ, Command.PLANT_READ}
_PAUSE: Final = SECOND // 2  # between two bursts of a broadcast there are seconds, inside of one there is none
_AT_ONCE: Final = SECOND // 2  # nobody asks for the same again so soon
_ENOUGH: Final = 3  # questions without an answer, before that says something of their object
_DEAD: Final = 4  # requests in a row without an answer, at the end of a session


class Outcome(StrEnum):
    """What became of a request."""

    ANSWERED = "answered"
    LATE = "late"  # answered after the timeout
    CUT = "cut"  # a stub: a right checksum over too short a payload
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Request:
    """A request that was sent, and what became of it."""

    time: int  # UTC, nanoseconds: when it was sent
    name: str  # of the object
    connection: int
    alone: bool  # whether nothing else was under way when it was sent
    outcome: Outcome
    delay: float | None  # seconds until its answer


@dataclass(frozen=True, slots=True)
class Delays:
    """How long answers took, in seconds."""

    median: float
    p95: float
    slowest: float


@dataclass(frozen=True, slots=True)
class Broadcast:
    """What an inverter says by itself."""

    objects: int  # different ones
    period: float | None  # seconds until an object came again; None when none did
    bursts: tuple[int, ...]  # frames in one go, before anything was asked; the first may have begun earlier


@dataclass(frozen=True, slots=True)
class Evidence:
    """What chunks tell."""

    requests: tuple[Request, ...]
    frames: int  # good ones received
    damaged: Mapping[Reason, int]
    others: Mapping[str, int]  # objects that somebody else asked for, and how many answers were heard
    extra: int  # answers to questions of ours that came once more, or far too late
    echoes: int  # questions that came back
    linked: int  # frames by which linked inverters talk to each other
    broadcast: Broadcast | None

    def count(self, *outcomes: Outcome) -> int:
        """Return how many requests ended so, without those for mute and rare objects: they say nothing of the rest."""
        without = {*self.mute, *self.rare}
        return sum(request.outcome in outcomes and request.name not in without for request in self.requests)

    @property
    def mute(self) -> tuple[str, ...]:
        """Names of the objects that never answered, however often they were asked."""
        return self._named(lambda lost, others: lost >= _ENOUGH and not others)

    @property
    def rare(self) -> tuple[str, ...]:
        """Names of the objects that answered, but stayed silent more often."""
        return self._named(lambda lost, others: lost >= _ENOUGH and 0 < others < lost)

    def _named(self, fits: Callable[[int, int], bool]) -> tuple[str, ...]:
        lost = Counter(request.name for request in self.requests if request.outcome is Outcome.LOST)
        others = Counter(request.name for request in self.requests if request.outcome is not Outcome.LOST)
        return tuple(name for name in lost if fits(lost[name], others[name]))

    @property
    def delays(self) -> Delays | None:
        """How long answers took to requests that were under way alone."""
        delays = sorted(request.delay for request in self.requests if request.alone and request.delay is not None)
        if not delays:
            return None
        return Delays(median(delays), delays[-(len(delays) // 20) - 1], delays[-1])

    def went_silent(self, connection: int) -> bool:
        """Return whether a session that has ended left its last requests without an answer."""
        last = [request.outcome for request in self.requests if request.connection == connection][-_DEAD:]
        return last == [Outcome.LOST] * _DEAD


def gather(chunks: Iterable[Chunk], timeout: float) -> Evidence:
    """Return what chunks tell; what is answered after ``timeout`` seconds is late."""
    gathering = _Gathering(timeout)
    streams = Streams()
    for chunk in chunks:
        for found in streams.feed(chunk):
            gathering.take(found)
    return gathering.evidence()


@dataclass(slots=True)
class _Question:
    """A request that is under way."""

    time: int
    name: str
    connection: int
    alone: bool
    outcome: Outcome = Outcome.LOST
    delay: float | None = None


class _Gathering:
    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._questions: list[_Question] = []
        self._open: dict[int, _Question] = {}  # by the id of their object
        self._frames = self._extra = self._echoes = self._linked = 0
        self._damaged: Counter[Reason] = Counter()
        self._others: Counter[str] = Counter()
        self._signs = Others()
        self._stubs = Stubs()
        self._last: dict[int, tuple[int, bytes]] = {}  # id of an object -> when it came last, and its payload
        self._by_itself: dict[str, list[int]] = {}  # name of an object -> when it came
        self._unasked: list[int] = []  # the same times, of all, before anything was asked

    def take(self, found: Found) -> None:
        event = found.event
        if found.direction is Direction.SENT:
            if isinstance(event, Frame):
                self._sent(event, found.time, found.connection)
        elif isinstance(event, BadFrame):
            self._damaged[event.reason] += 1
        else:
            self._received(event, found.time)

    def _sent(self, frame: Frame, time: int, connection: int) -> None:
        under_way = [q for q in self._open.values() if (time - q.time) / SECOND < self._timeout]
        name = registry.describe(frame.object_id).name
        question = _Question(time, name, connection, alone=not under_way)
        self._open[frame.object_id] = question
        self._questions.append(question)
        self._signs.asked(frame.object_id, time / SECOND)

    def _received(self, frame: Frame, time: int) -> None:
        self._frames += 1
        reading = read_frame(frame, time, "")
        if reading is None:
            if frame.command in _READS:
                self._echoes += 1
            else:
                self._linked += 1
            return
        is_cut = isinstance(reading, BadReading) or (
            not frame.address and self._stubs.is_cut(reading.object, frame.payload)
        )
        question = None if frame.address else self._open.pop(frame.object_id, None)
        before, payload = self._last.get(frame.object_id, (0, b""))
        self._last[frame.object_id] = time, frame.payload
        is_twin = payload == frame.payload and time - before < _AT_ONCE and reading.object.name not in self._others
        if question is None and is_twin:
            self._extra += 1
            return
        if question is None:
            self._came_unasked(reading.object, time)
            return
        question.delay = (time - question.time) / SECOND
        late = question.delay > self._timeout
        question.outcome = Outcome.LATE if late else Outcome.ANSWERED
        if is_cut:
            question.outcome, question.delay = Outcome.CUT, None

    def _came_unasked(self, info: ObjectInfo, time: int) -> None:
        asked_lately = self._signs.is_ours(info.object_id, time / SECOND)
        is_sign = self._signs.came(info, time / SECOND)
        if is_sign or (asked_lately and info.name in self._others):  # whoever asks for it may ask again
            self._others[info.name] += 1
        elif asked_lately:
            self._extra += not info.reported  # such may just be its turn
        else:
            self._by_itself.setdefault(info.name, []).append(time)
            if not self._questions:
                self._unasked.append(time)

    def evidence(self) -> Evidence:
        return Evidence(
            tuple(Request(q.time, q.name, q.connection, q.alone, q.outcome, q.delay) for q in self._questions),
            self._frames, dict(self._damaged), dict(self._others.most_common()), self._extra, self._echoes,
            self._linked, self._broadcast(),
        )  # fmt: skip

    def _broadcast(self) -> Broadcast | None:
        if not self._by_itself:
            return None
        periods = [(b - a) / SECOND for times in self._by_itself.values() for a, b in pairwise(times)]
        bursts: list[int] = []
        for before, time in pairwise([-_PAUSE, *self._unasked]):
            if time - before >= _PAUSE:
                bursts.append(0)
            bursts[-1] += 1
        return Broadcast(len(self._by_itself), median(periods) if periods else None, tuple(bursts))
