"""What an inverter is asked: at its pace, again what stays unanswered, and given up after some attempts.

It knows a link, and nothing of streams or listeners: whoever hears what arrives tells it what came.
"""

from __future__ import annotations

import asyncio
import calendar
import time
from collections.abc import Callable, Hashable
from typing import Final

from rct_tools.errors import ConnectionLost, EncodeError, NoAnswer, RctError, WriteRefused
from rct_tools.frame import Command, Frame
from rct_tools.link import Link
from rct_tools.objects import ObjectInfo, registry
from rct_tools.pace import Others, Pace
from rct_tools.question import Counters, Key, Origin, Question, Reply
from rct_tools.reading import Reading
from rct_tools.recent import Recent
from rct_tools.sentence import Sentences
from rct_tools.stubs import Stubs
from rct_tools.turns import Turns
from rct_tools.values import DataType, EventTable, TimeSeries, encode_value

TIMEOUT: Final = 1.0
"""Seconds to wait for an answer before asking again; a healthy inverter needs a tenth of it."""

ATTEMPTS: Final = 3

PROBE: Final = "svnversion"
"""What every inverter knows. Asked when many questions stayed unanswered, unless another was answered on it."""

PROBES: Final = 3  # times that it is asked: a line may lose one, or two

_SUSPICIOUS: Final = 4  # questions in a row without an answer
_LOSSY: Final = 0.1  # share of the answers of late that came only when asked again
_LATELY: Final = 20  # answers that such a share is about
_MOST_MUTE: Final = 4096  # objects remembered; there are 895


class _Says(Sentences):
    UNWRITTEN = "{peer}: no connection, so {object} was not written"
    LOST_WRITING = "{peer}: lost when {object} was to be written; read it back"
    SESSION_DEAD = "the session is dead, questions stay unanswered"


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
        self._stubs = Stubs()
        self._open: dict[Key, Question] = {}  # every question without an answer yet
        self._turns: Turns[Question] = Turns()  # those of them that wait to be sent
        self._flying: dict[Question, asyncio.TimerHandle] = {}  # the others, and when they expire
        self._writing: Question | None = None  # the write that is in flight
        self._probing: Question | None = None
        self._answered = registry[PROBE]  # last: if that stays silent too, it is not about an object
        self._mute: Recent[int, None] = Recent(_MOST_MUTE)  # ids of objects that stayed silent when last asked
        self._unanswered = 0  # in a row
        self._repeated = 0.0  # share of the answers of late that came only when asked again
        self._not_before = 0.0  # loop time of the next question
        self._pump_timer: asyncio.TimerHandle | None = None
        self._up = False

    @property
    def sees_others(self) -> bool:
        """Whether another client was at work in the last seconds; then questions are spread to leave it room."""
        return self._others.at_work(asyncio.get_running_loop().time())

    def ask(
        self, info: ObjectInfo, before: int | None, *, address: int = 0, asker: Hashable = None
    ) -> asyncio.Future[Reply]:
        """Return the answer to come, or NoAnswer in its place. Who asks meanwhile for the same shares it.

        ``before`` is for history only, as in Client.read; ``address`` is that of a member of a plant. Each ``asker``
        has its turn. Raises EncodeError.
        """
        command, payload = Command.READ, b""
        if before is not None and not info.is_query:
            raise EncodeError(f"{info.name} holds no history, so it has nothing before a time")
        if info.is_query:
            before = self._wall_clock() if before is None else before
            command, payload = Command.WRITE, encode_value(DataType.INT32, before)
        # An answer repeats the time as one without a sign.
        key = (address, info.object_id, None if before is None else before & 0xFFFFFFFF)
        question = self._open.get(key)
        if question is None:
            frame = Frame(_to(command, address), info.object_id, payload, address)
            question = self._new(key, info, frame, self._attempts)
        return self._join(question, asker)

    def write(
        self, info: ObjectInfo, payload: bytes, *, address: int = 0, asker: Hashable = None
    ) -> asyncio.Future[Reply]:
        """Send a write, once; return what the inverter acknowledges, or NoAnswer, which says nothing about success.

        Raises WriteRefused for what is never written, EncodeError for what fits no frame, ConnectionLost when there is
        no connection now: it must not be sent at another time than it was meant for.
        """
        if info.is_untouchable:
            raise WriteRefused(f"{info.name}: is never written, it could harm the inverter")
        if not self._up:
            raise ConnectionLost(_Says.UNWRITTEN(peer=self._link.peer, object=info.name))
        key = (address, info.object_id, payload)
        question = self._open.get(key)
        if question is None:
            frame = Frame(_to(Command.WRITE, address), info.object_id, payload, address)
            frame.encode()
            question = self._new(key, info, frame, attempts=1)
        return self._join(question, asker)

    def _join(self, question: Question, asker: Hashable) -> asyncio.Future[Reply]:
        if asker not in question.askers:
            question.askers.add(asker)
            if question not in self._flying:
                self._turns.add(question, asker)
                self.pump()
        return question.answer

    def leave(self, asker: Hashable) -> None:
        """Forget who asked: what nobody else wants is not asked for any more. Writes are: some write and hang up."""
        for question in [question for question in self._open.values() if asker in question.askers]:
            question.askers.discard(asker)
            if not question.askers and question in self._turns and not question.is_write:
                self._turns.remove(question)
                del self._open[question.key]
                question.answer.cancel()

    def pump(self) -> None:
        """Send the next question if it may be sent now, or wait until it may."""
        if not self._up or self._pump_timer is not None:
            return
        question = self._turns.next()
        if question is None or not self._has_room(question) or self._probing not in (None, question):
            return
        loop = asyncio.get_running_loop()
        wait = self._not_before - loop.time()
        if wait > 0:
            self._pump_timer = loop.call_later(wait, self._pump_again)
            return
        self._turns.take()
        question.attempts -= 1
        question.times += 1
        question.sent = loop.time()
        patience = self._timeout if question.is_alone else self._pace.patience(question.times, self._timeout)
        self._flying[question] = loop.call_later(patience, self._expire, question)
        usual = self._pace.patience(1, self._timeout)
        question.overdue = question.sent + usual
        if patience > usual:
            loop.call_later(usual, self.pump)
        if question.is_write:
            self._writing = question
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
        """Whether the window has a place."""
        if question.is_alone or any(other.is_alone for other in self._flying):
            return not self._flying
        now = asyncio.get_running_loop().time()
        # What is overdue is waited for, but most often never comes: others are not to wait with it.
        return sum(other.overdue > now for other in self._flying) < (1 if self.sees_others else int(self._pace.window))

    def _expire(self, question: Question) -> None:
        self._counters.timeouts += 1
        if not question.is_write:  # of which many are not acknowledged
            self._unanswered += 1
            # Silence a second time, of what nobody knows, or at an address, where nobody may be, is not about the pace.
            address, object_id, _ = question.key
            if question.times == 1 and not address and object_id in registry and object_id not in self._mute:
                self._pace.lost()
        self._ask_again(question)
        if self._unanswered >= _SUSPICIOUS:
            self._probe()
        self.pump()

    def _ask_again(self, question: Question) -> None:
        self._land(question)
        if question.attempts == 0 and question.more and self._repeated > _LOSSY and not question.is_write:
            question.more -= 1
            question.attempts += 1
        if question.attempts > 0 and question.askers:
            self._counters.retries += 1
            for asker in question.askers:
                self._turns.add(question, asker, first=question is self._probing)
        else:
            self._give_up(question)

    def _land(self, question: Question) -> None:
        """End its flight."""
        self._flying.pop(question).cancel()
        if question is self._writing:
            self._writing = None

    def _give_up(self, question: Question) -> None:
        address, object_id, _ = question.key
        if not address:
            self._mute.put(object_id, None)
        self._fail(question, NoAnswer(self._link.peer, [question.info.name]))

    def _fail(self, question: Question, error: RctError) -> None:
        del self._open[question.key]
        question.answer.set_exception(error)

    def _probe(self) -> None:
        """Find out whether the session is dead, or only some objects are mute; all else waits for that."""
        if self._probing is not None:
            return
        info = self._answered
        key = (0, info.object_id, None)
        question = self._open.get(key)
        if question is None:
            question = self._new(key, info, Frame(Command.READ, info.object_id), PROBES)
        question.askers.add(_probe)  # also where another has asked, who may leave
        if question not in self._flying:
            self._turns.add(question, _probe, first=True)
        self._probing = question
        question.answer.add_done_callback(self._judge)

    def _judge(self, probe: asyncio.Future[Reply]) -> None:
        self._probing = None
        if not probe.cancelled() and isinstance(probe.exception(), NoAnswer) and self._unanswered >= _SUSPICIOUS:
            self._link.drop(_Says.SESSION_DEAD())
        self.pump()

    def _stop_probing(self) -> None:
        """Forget the probe; whoever else asked the same still gets the answer."""
        if self._probing is not None:
            self._probing.answer.remove_done_callback(self._judge)
            self._probing = None
            self.leave(_probe)

    def _new(self, key: Key, info: ObjectInfo, frame: Frame, attempts: int) -> Question:
        question = Question(key, info, frame, asyncio.get_running_loop().create_future(), attempts, set())
        # Whoever waits may have been cancelled by the time it fails.
        question.answer.add_done_callback(_look_at)
        self._open[key] = question
        return question

    # --- what came ----------------------------------------------------------------------------------------------

    def is_cut(self, frame: Frame, info: ObjectInfo) -> bool:
        """Return whether a payload that fits its type seems to be cut all the same; then it tells nothing."""
        return not frame.address and self._stubs.is_cut(info, frame.payload)

    def came(self, reply: Reply) -> Origin:
        """Take what came, and return why it did."""
        now = asyncio.get_running_loop().time()
        frame, reading = reply.frame, reply.reading
        question = self._find(frame, reading)
        if question is None:
            self._counters.foreign_frames += 1
            is_ours = self._others.is_ours(frame.object_id, now)
            self._others.came(reading.object, now)
            return Origin.LATE if is_ours and not reading.object.reported else Origin.UNASKED
        del self._open[question.key]
        if not frame.address:
            self._mute.pop(frame.object_id, None)
        in_time = question in self._flying and question.times == 1  # else nobody knows which attempt it answers
        if question in self._flying:
            self._land(question)
        else:
            self._turns.remove(question)
        if question.times:
            self._unanswered = 0
            if not question.is_write:
                self._repeated += ((not in_time) - self._repeated) / _LATELY
            if in_time and not question.is_alone:
                self._pace.answered(now - question.sent)
                if not frame.address:
                    self._answered = question.info
        else:  # it was not our question that brought the answer
            self._counters.foreign_frames += 1
        question.answer.set_result(reply)
        return Origin.ANSWER

    def _find(self, frame: Frame, reading: Reading) -> Question | None:
        """Return the question that this answers."""
        value = reading.value
        time_asked = value.time if isinstance(value, TimeSeries | EventTable) else None
        writing = self._writing
        if writing is not None and writing.key[:2] == (frame.address, frame.object_id):
            return writing
        return self._open.get((frame.address, frame.object_id, time_asked))

    def cut(self, frame: Frame, *, is_sure: bool) -> None:
        """Ask again at once for what came cut, or seems to have: that alone is no reason to ask more slowly."""
        for question in list(self._flying):
            if question.key[:2] == (frame.address, frame.object_id) and not question.is_write:
                if is_sure:
                    self._pace.lost()
                self._ask_again(question)

    # --- with and without a connection --------------------------------------------------------------------------

    def begin(self) -> None:
        """Ask on a connection that was just made."""
        self._up = True
        self._pace = Pace()
        self._unanswered = 0
        self._answered = registry[PROBE]  # what was answered on the last one tells nothing of this one
        self.pump()

    def end(self) -> None:
        """Keep what is asked for over a lost connection, and ask it again on the next one; writes are not kept."""
        self._up = False
        self._stop_probing()  # what it was to tell is known now; and all else would wait for it, ahead of it in turn
        flying = list(self._flying)
        for question in reversed(flying):
            self._land(question)
            if not question.excused:  # the loss was not the object's; but what breaks connections must end
                question.excused = True
                question.attempts += 1
            if question.is_write:
                continue
            if question.attempts > 0 and question.askers:
                for asker in question.askers:
                    self._turns.add(question, asker, first=True)
            else:
                self._give_up(question)
        for question in [question for question in self._open.values() if question.is_write]:
            self._turns.remove(question)
            error = ConnectionLost(_Says.LOST_WRITING(peer=self._link.peer, object=question.info.name))
            self._fail(question, error)

    def fail_all(self, error: RctError) -> None:
        """Give an error to all who wait."""
        self._up = False
        if self._pump_timer is not None:
            self._pump_timer.cancel()
            self._pump_timer = None
        for question in list(self._flying):
            self._land(question)
        questions = list(self._open.values())
        self._open.clear()
        self._turns.clear()
        for question in questions:
            question.answer.set_exception(error)


def _look_at(answer: asyncio.Future[Reply]) -> None:
    if not answer.cancelled():
        answer.exception()


_probe: Final = object()  # the asker of our own question


def _to(command: Command, address: int) -> Command:
    """Return the command for a member of a plant, if there is an address."""
    return Command(command | 0x40) if address else command
