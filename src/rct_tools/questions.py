"""What an inverter is asked: at its pace, again what stays unanswered, and given up after some attempts.

It knows a link, and nothing of streams or listeners: whoever hears what arrives tells it which question is answered.
"""

from __future__ import annotations

import asyncio
import calendar
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from rct_tools.errors import EncodeError, NoAnswer, RctError
from rct_tools.frame import Command, Frame, Reason
from rct_tools.link import Link
from rct_tools.objects import ObjectInfo, registry
from rct_tools.pace import Others, Pace
from rct_tools.reading import Reading
from rct_tools.values import DataType, EventTable, TimeSeries, Value, encode_value

TIMEOUT: Final = 1.0
"""Seconds to wait for an answer before asking again; a healthy inverter needs a tenth of it."""

ATTEMPTS: Final = 3
PROBE: Final = "svnversion"
"""Asked when many questions stayed unanswered: every inverter knows it, so without it the session is dead."""

_SUSPICIOUS: Final = 4  # questions in a row without an answer

_Key: TypeAlias = tuple[int, int, int | None]  # address, object id, and the time asked for in a query


@dataclass(slots=True)
class Counters:
    """What happened on a connection, counted since the client began."""

    requests: int = 0  # sent, the repeated ones too
    retries: int = 0
    timeouts: int = 0
    frames: int = 0
    bad_frames: Counter[Reason] = field(default_factory=Counter)
    bad_readings: int = 0  # right checksum, but a payload that does not fit: cut replies
    foreign_frames: int = 0  # good, but no answer to a request of ours
    unheard: int = 0  # readings that a slow listener lost
    reconnects: int = 0
    bytes_received: int = 0
    bytes_sent: int = 0


@dataclass(eq=False, slots=True)
class Question:
    """Something asked, until it is answered or given up."""

    key: _Key
    info: ObjectInfo
    frame: Frame
    answer: asyncio.Future[Reading]
    attempts: int  # left
    sent: float = 0.0  # loop time
    excused: bool = False  # whether a lost connection gave it one attempt more


class Questions:
    """All that is asked on one link and not answered yet."""

    def __init__(
        self,
        link: Link,
        counters: Counters,
        *,
        timeout: float = TIMEOUT,
        attempts: int = ATTEMPTS,
        wall_clock: Callable[[], int] = lambda: calendar.timegm(time.localtime()),
    ) -> None:
        """``wall_clock`` gives seconds, local time counted as if it were UTC: what inverters call time."""
        self._link = link
        self._counters = counters
        self._timeout = timeout
        self._attempts = attempts
        self._wall_clock = wall_clock
        self._pace = Pace()
        self._others = Others()
        self._open: dict[_Key, Question] = {}  # every question without an answer yet
        self._queue: deque[Question] = deque()  # those of them that wait to be sent
        self._flying: dict[Question, asyncio.TimerHandle] = {}  # the others, and when they expire
        self._probing = False
        self._mute: set[int] = set()  # ids of objects that stayed silent when last asked
        self._unanswered = 0  # in a row
        self._not_before = 0.0  # loop time of the next question
        self._pump_timer: asyncio.TimerHandle | None = None
        self._up = False

    @property
    def sees_others(self) -> bool:
        """Whether another client was at work in the last seconds; then questions are spread to leave it room."""
        return self._others.at_work(asyncio.get_running_loop().time())

    def ask(self, info: ObjectInfo, before: int | None) -> asyncio.Future[Reading]:
        """Return the answer to come, or NoAnswer in its place. Who asks meanwhile for the same shares it.

        ``before`` is for history only, as in Client.read. Raises EncodeError.
        """
        frame = Frame(Command.READ, info.object_id)
        if before is not None and not info.is_query:
            raise EncodeError(f"{info.name} holds no history, so it has nothing before a time")
        if info.is_query:
            before = self._wall_clock() if before is None else before
            frame = Frame(Command.WRITE, info.object_id, encode_value(DataType.INT32, before))
        key = (0, info.object_id, before if info.is_query else None)
        question = self._open.get(key)
        if question is None:
            question = self._new(key, info, frame, self._attempts)
            self._queue.append(question)
            self.pump()
        return question.answer

    def pump(self) -> None:
        """Send the next question if it may be sent now, or wait until it may."""
        if not self._up or self._pump_timer is not None or not self._queue or not self._has_room(self._queue[0]):
            return
        loop = asyncio.get_running_loop()
        wait = self._not_before - loop.time()
        if wait > 0:
            self._pump_timer = loop.call_later(wait, self._pump_again)
            return
        question = self._queue.popleft()
        question.attempts -= 1
        question.sent = loop.time()
        self._flying[question] = loop.call_later(self._timeout, self._expire, question)
        data = question.frame.encode()
        self._link.send(data)
        self._counters.requests += 1
        self._counters.bytes_sent += len(data)
        self._others.asked(question.info.object_id, question.sent)
        self._not_before = question.sent + max(self._pace.gap, Others.GAP if self.sees_others else 0.0)
        self.pump()

    def _pump_again(self) -> None:
        self._pump_timer = None
        self.pump()

    def _has_room(self, question: Question) -> bool:
        """Whether the window has a place. A page of history is asked for alone: the next question would cut it."""
        if question.info.is_query or any(other.info.is_query for other in self._flying):
            return not self._flying
        return len(self._flying) < (1 if self.sees_others else int(self._pace.window))

    def _expire(self, question: Question) -> None:
        self._counters.timeouts += 1
        self._unanswered += 1
        # Silence a second time is about the object rather than about the pace.
        if question.info.object_id not in self._mute and question.attempts == self._attempts - 1:
            self._pace.lost()
        self._ask_again(question)
        if self._unanswered >= _SUSPICIOUS:
            self._probe()
        self.pump()

    def _ask_again(self, question: Question) -> None:
        self._flying.pop(question).cancel()
        if question.attempts > 0:
            self._counters.retries += 1
            self._queue.append(question)
        else:
            self._fail(question)

    def _fail(self, question: Question) -> None:
        del self._open[question.key]
        self._mute.add(question.info.object_id)
        question.answer.set_exception(NoAnswer(self._link.peer, [question.info.name]))

    def _probe(self) -> None:
        """Find out whether the session is dead, or only some objects are mute."""
        if self._probing:
            return
        self._probing = True
        info = registry[PROBE]
        key = (0, info.object_id, None)
        question = self._open.get(key)
        if question is None:
            question = self._new(key, info, Frame(Command.READ, info.object_id), attempts=1)
            self._queue.appendleft(question)
        question.answer.add_done_callback(self._judge)

    def _judge(self, probe: asyncio.Future[Reading]) -> None:
        self._probing = False
        if isinstance(probe.exception(), NoAnswer):
            self._link.drop("the session is dead, questions stay unanswered")

    def _new(self, key: _Key, info: ObjectInfo, frame: Frame, attempts: int) -> Question:
        question = Question(key, info, frame, asyncio.get_running_loop().create_future(), attempts)
        # Whoever waits may have been cancelled by the time it fails.
        question.answer.add_done_callback(asyncio.Future.exception)
        self._open[key] = question
        return question

    def find(self, address: int, object_id: int, value: Value | None) -> Question | None:
        """Return the question that a value of an object answers."""
        asked_time = value.time if isinstance(value, TimeSeries | EventTable) else None
        return self._open.get((address, object_id, asked_time))

    def answered(self, question: Question | None, reading: Reading) -> None:
        """Take the answer to a question, or what nobody here had asked for."""
        now = asyncio.get_running_loop().time()
        if question is None:
            self._counters.foreign_frames += 1
            self._others.came(reading.object, now)
            return
        del self._open[question.key]
        self._mute.discard(question.info.object_id)
        timer = self._flying.pop(question, None)
        if timer is not None:
            timer.cancel()
            self._unanswered = 0
            self._pace.answered(now - question.sent)
        else:
            self._queue.remove(question)
            if not question.sent:  # so it was not our question that brought the answer
                self._counters.foreign_frames += 1
        question.answer.set_result(reading)

    def cut(self, question: Question | None) -> None:
        """Ask again: the answer came cut."""
        if question in self._flying:
            self._pace.lost()
            self._ask_again(question)

    def begin(self) -> None:
        """Ask on a connection that was just made."""
        self._up = True
        self._pace = Pace()
        self._unanswered = 0
        self.pump()

    def end(self) -> None:
        """Keep what is asked for over a lost connection, and ask it again on the next one."""
        self._up = False
        for question, timer in self._flying.items():
            timer.cancel()
            if not question.excused:  # the loss was not the object's; but what breaks connections must end
                question.excused = True
                question.attempts += 1
        flying = list(self._flying)
        self._flying.clear()
        for question in reversed(flying):
            if question.attempts > 0:
                self._queue.appendleft(question)
            else:
                self._fail(question)

    def fail_all(self, error: RctError) -> None:
        """Give an error to all who wait."""
        self._up = False
        if self._pump_timer is not None:
            self._pump_timer.cancel()
            self._pump_timer = None
        for timer in self._flying.values():
            timer.cancel()
        questions = list(self._open.values())
        self._open.clear()
        self._queue.clear()
        self._flying.clear()
        for question in questions:
            question.answer.set_exception(error)
