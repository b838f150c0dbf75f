"""One inverter, asked: requests are paced, answers matched, what is missing asked for again.

async with connect("192.0.2.7") as inverter:
    reading = await inverter.read("battery.soc")
"""

from __future__ import annotations

import asyncio
import calendar
import logging
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self, TypeAlias

from rct_tools.capture import Chunk
from rct_tools.errors import ConnectionLost, EncodeError, LinkError, NoAnswer, RctError
from rct_tools.frame import BadFrame, Command, Frame, Reason
from rct_tools.link import PORT, Down, Link, Up, backoff, ticking
from rct_tools.objects import ObjectInfo, registry
from rct_tools.pace import Others, Pace
from rct_tools.reading import BadReading, Reading, read_frame
from rct_tools.stream import Streams
from rct_tools.values import DataType, EventTable, TimeSeries, Value, encode_value

logger = logging.getLogger(__name__)

TIMEOUT: Final = 1.0
"""Seconds to wait for an answer before asking again; a healthy inverter needs a tenth of it."""

ATTEMPTS: Final = 3
PROBE: Final = "svnversion"
"""Asked when many requests stayed unanswered: every inverter knows it, so without it the session is dead."""

_SUSPICIOUS: Final = 4  # requests in a row without an answer
_UNHEARD: Final = 10_000  # readings kept for a listener that is slow

Answer: TypeAlias = Reading | NoAnswer | LinkError
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
class _Request:
    """Something asked, until it is answered or given up."""

    key: _Key
    info: ObjectInfo
    frame: Frame
    answer: asyncio.Future[Reading]
    attempts: int  # left
    sent: float = 0.0  # loop time
    excused: bool = False  # whether a lost connection gave it one attempt more


class Client:
    """A connection to one inverter: ``async with connect(host) as inverter``.

    Several tasks may use it at once. It asks only for values and history; there is no way to change anything with it.
    """

    def __init__(
        self,
        link: Link,
        *,
        name: str = "",
        timeout: float = TIMEOUT,
        attempts: int = ATTEMPTS,
        wall_clock: Callable[[], int] = lambda: calendar.timegm(time.localtime()),
    ) -> None:
        self.name = name or link.host
        self.peer = link.peer
        self.counters = Counters()
        self._link = link
        self._timeout = timeout
        self._attempts = attempts
        self._wall_clock = wall_clock  # seconds, local time counted as if it were UTC: what inverters call time
        self._pace = Pace()
        self._open: dict[_Key, _Request] = {}  # every request without an answer yet
        self._queue: deque[_Request] = deque()  # those of them that wait to be sent
        self._flying: dict[_Request, asyncio.TimerHandle] = {}  # the others, and when they expire
        self._probing = False
        self._mute: set[int] = set()  # ids of objects that stayed silent when last asked
        self._unanswered = 0  # in a row
        self._not_before = 0.0  # loop time of the next request
        self._pump_timer: asyncio.TimerHandle | None = None
        self._up = False
        self._error: LinkError | None = None  # why there is no connection, when that is so for longer
        self._listeners: set[asyncio.Queue[Reading | LinkError]] = set()
        self._hearers: list[Callable[[Reading], None]] = []
        self._others = Others()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()
        self._task = loop.create_task(self._run(ready))
        if self._link.tries is not None:
            try:
                await ready
            except (LinkError, asyncio.CancelledError):
                await self.close()
                raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End the connection. What is still asked for ends with ConnectionLost."""
        if self._task is not None:
            task, self._task = self._task, None
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                task.result()

    async def ended(self) -> None:
        """Wait until it has given up or is closed. Raises what else ended it: a mistake, in here or in who hears."""
        if self._task is not None:
            await asyncio.wait([self._task])
            if not self._task.cancelled():
                self._task.result()

    @property
    def connected(self) -> bool:
        """Whether there is a connection now."""
        return self._up

    async def read(self, name: str, *, before: int | None = None) -> Reading:
        """Ask for one object, by name, unique prefix or ``0x…`` id, and return what it holds now.

        Time series and the event table give the page of rows older than ``before``, in the inverter's own time (local
        wall-clock, in seconds as if it were UTC); without it, the newest page.

        Raises UnknownObject, NoAnswer when it stays silent about it, LinkError when there is no connection, EncodeError
        for a time that cannot be asked with.
        """
        return await asyncio.shield(self._ask(registry.find(name), before))

    def ask(self, info: ObjectInfo) -> asyncio.Future[Reading]:
        """Ask for one object without waiting: what comes, or NoAnswer or LinkError in its place, is in the future.

        The future is shared by all who ask for the object meanwhile, so it must not be cancelled. Raises LinkError when
        there is no connection.
        """
        return self._ask(info, None)

    @contextmanager
    def hearing(self, hear: Callable[[Reading], None]) -> Iterator[None]:
        """Call a function with every reading that arrives, asked for or not, as ``listen`` yields them; at once."""
        self._hearers.append(hear)
        try:
            yield
        finally:
            self._hearers.remove(hear)

    @property
    def sees_others(self) -> bool:
        """Whether another client was at work in the last seconds; then requests are paced to leave it room."""
        return self._others.at_work(asyncio.get_running_loop().time())

    async def read_many(self, names: Iterable[str]) -> dict[str, Answer]:
        """Ask for many objects at once and return, by the names given and in their order, readings or their errors.

        An object that stays silent has NoAnswer in its place, and one that was still to come when the connection was
        lost LinkError; the others are delivered. Raises UnknownObject before anything is asked, and LinkError when
        nothing came.
        """
        infos = {name: registry.find(name) for name in names}
        futures = {name: asyncio.shield(self._ask(info, None)) for name, info in infos.items()}
        answers: dict[str, Answer] = {}
        results = await asyncio.gather(*futures.values(), return_exceptions=True)
        came = any(isinstance(result, Reading) for result in results)
        for name, result in zip(futures, results, strict=True):
            if isinstance(result, BaseException) and not isinstance(result, NoAnswer | LinkError if came else NoAnswer):
                raise result
            answers[name] = result
        return answers

    async def listen(self) -> AsyncIterator[Reading]:
        """Yield every reading that arrives, asked for by us, by others, or by nobody. Raises LinkError at the end."""
        if self._task is None or self._task.done():
            self._check()
        queue: asyncio.Queue[Reading | LinkError] = asyncio.Queue(_UNHEARD)
        self._listeners.add(queue)
        try:
            while True:
                item = await queue.get()
                if isinstance(item, LinkError):
                    raise item
                yield item
        finally:
            self._listeners.discard(queue)

    def _check(self) -> None:
        if self._error is not None:
            raise type(self._error)(*self._error.args)  # one object raised for ever would grow a traceback for ever
        if self._task is None:
            raise ConnectionLost(f"{self.peer}: not connected; enter the client with async with")

    # --- asking -------------------------------------------------------------------------------------------------

    def _ask(self, info: ObjectInfo, before: int | None) -> asyncio.Future[Reading]:
        self._check()
        frame = Frame(Command.READ, info.object_id)
        if before is not None and not info.is_query:
            raise EncodeError(f"{info.name} holds no history, so it has nothing before a time")
        if info.is_query:
            before = self._wall_clock() if before is None else before
            frame = Frame(Command.WRITE, info.object_id, encode_value(DataType.INT32, before))
        key = (0, info.object_id, before if info.is_query else None)
        request = self._open.get(key)
        if request is None:
            request = self._new_request(key, info, frame, self._attempts)
            self._queue.append(request)
            self._pump()
        return request.answer

    def _pump(self) -> None:
        """Send the next request if it may be sent now, or wait until it may."""
        if not self._up or self._pump_timer is not None or not self._queue or not self._has_room(self._queue[0]):
            return
        loop = asyncio.get_running_loop()
        wait = self._not_before - loop.time()
        if wait > 0:
            self._pump_timer = loop.call_later(wait, self._pump_again)
            return
        request = self._queue.popleft()
        request.attempts -= 1
        request.sent = loop.time()
        self._flying[request] = loop.call_later(self._timeout, self._expire, request)
        data = request.frame.encode()
        self._link.send(data)
        self.counters.requests += 1
        self.counters.bytes_sent += len(data)
        self._others.asked(request.info.object_id, request.sent)
        self._not_before = request.sent + max(self._pace.gap, Others.GAP if self.sees_others else 0.0)
        self._pump()

    def _pump_again(self) -> None:
        self._pump_timer = None
        self._pump()

    def _has_room(self, request: _Request) -> bool:
        """Whether the window has a place. A page of history is asked for alone: the next request would cut it."""
        if request.info.is_query or any(other.info.is_query for other in self._flying):
            return not self._flying
        return len(self._flying) < (1 if self.sees_others else int(self._pace.window))

    def _expire(self, request: _Request) -> None:
        self.counters.timeouts += 1
        self._unanswered += 1
        # Silence a second time is about the object rather than about the pace.
        if request.info.object_id not in self._mute and request.attempts == self._attempts - 1:
            self._pace.lost()
        self._ask_again(request)
        if self._unanswered >= _SUSPICIOUS:
            self._probe()
        self._pump()

    def _ask_again(self, request: _Request) -> None:
        self._flying.pop(request).cancel()
        if request.attempts > 0:
            self.counters.retries += 1
            self._queue.append(request)
        else:
            self._fail(request)

    def _fail(self, request: _Request) -> None:
        del self._open[request.key]
        self._mute.add(request.info.object_id)
        request.answer.set_exception(NoAnswer(self.peer, [request.info.name]))

    def _probe(self) -> None:
        """Find out whether the session is dead, or only some objects are mute."""
        if self._probing:
            return
        self._probing = True
        info = registry[PROBE]
        key = (0, info.object_id, None)
        request = self._open.get(key)
        if request is None:
            request = self._new_request(key, info, Frame(Command.READ, info.object_id), attempts=1)
            self._queue.appendleft(request)
        request.answer.add_done_callback(self._judge)

    def _judge(self, probe: asyncio.Future[Reading]) -> None:
        self._probing = False
        if isinstance(probe.exception(), NoAnswer):
            self._link.drop("the session is dead, requests stay unanswered")

    def _new_request(self, key: _Key, info: ObjectInfo, frame: Frame, attempts: int) -> _Request:
        request = _Request(key, info, frame, asyncio.get_running_loop().create_future(), attempts)
        # Whoever waits may have been cancelled by the time it fails.
        request.answer.add_done_callback(asyncio.Future.exception)
        self._open[key] = request
        return request

    # --- receiving ----------------------------------------------------------------------------------------------

    async def _run(self, ready: asyncio.Future[None]) -> None:
        streams = Streams()
        try:
            async with aclosing(self._link.events()) as events:
                async for event in events:
                    match event:
                        case Up():
                            streams = Streams()
                            self._start_session()
                            if not ready.done():
                                ready.set_result(None)
                        case Chunk():
                            self.counters.bytes_received += len(event.data)
                            for found in streams.feed(event):
                                self._take(found.event, found.time)
                            self._pump()
                        case Down():
                            self._end_session(event)
        except LinkError as exc:
            self._give_up(exc)
            if not ready.done():
                ready.set_exception(exc)
        finally:
            self._give_up(self._error or ConnectionLost(f"{self.peer}: closed"))
            ready.cancel()  # a mistake of ours must not leave anybody waiting

    def _start_session(self) -> None:
        self._up = True
        self._error = None
        self._pace = Pace()
        self._unanswered = 0
        self.counters.reconnects = self._link.reconnects
        self._pump()

    def _end_session(self, down: Down) -> None:
        """Keep what is asked for over one lost connection; when a new one fails too, say so to who waits."""
        self._up = False
        for request, timer in self._flying.items():
            timer.cancel()
            if not request.excused:  # the loss was not the object's; but a request that breaks connections must end
                request.excused = True
                request.attempts += 1
        flying = list(self._flying)
        self._flying.clear()
        for request in reversed(flying):
            if request.attempts > 0:
                self._queue.appendleft(request)
            else:
                self._fail(request)
        if down.failures > 1:
            self._error = ConnectionLost(f"{self.peer}: {down.reason}")
            self._fail_all(self._error)

    def _give_up(self, error: LinkError) -> None:
        self._up = False
        self._error = error
        self._fail_all(error)
        for queue in self._listeners:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(error)

    def _fail_all(self, error: RctError) -> None:
        if self._pump_timer is not None:
            self._pump_timer.cancel()
            self._pump_timer = None
        for timer in self._flying.values():
            timer.cancel()
        requests = list(self._open.values())
        self._open.clear()
        self._queue.clear()
        self._flying.clear()
        for request in requests:
            request.answer.set_exception(error)

    def _take(self, event: Frame | BadFrame, time: int) -> None:
        if isinstance(event, BadFrame):
            self.counters.bad_frames[event.reason] += 1
            logger.debug("%s: dropped %d bytes: %s", self.peer, len(event.data), event.reason)
            return
        self.counters.frames += 1
        reading = read_frame(event, time, self.name)
        if reading is None:
            self.counters.foreign_frames += 1
            return
        asked_time = _asked_time(reading.value) if isinstance(reading, Reading) else None
        request = self._open.get((event.address, event.object_id, asked_time))
        if isinstance(reading, BadReading):
            self.counters.bad_readings += 1
            logger.debug("%s: %s", self.peer, reading.reason)
            if request in self._flying:
                self._pace.lost()
                self._ask_again(request)
            return
        if request is None:
            self.counters.foreign_frames += 1
            self._others.came(reading.object, asyncio.get_running_loop().time())
        else:
            self._answer(request, reading)
        for hear in self._hearers:
            hear(reading)
        for queue in self._listeners:
            if queue.full():
                queue.get_nowait()
                self.counters.unheard += 1
            queue.put_nowait(reading)

    def _answer(self, request: _Request, reading: Reading) -> None:
        del self._open[request.key]
        self._mute.discard(request.info.object_id)
        timer = self._flying.pop(request, None)
        if timer is not None:
            timer.cancel()
            self._unanswered = 0
            self._pace.answered(asyncio.get_running_loop().time() - request.sent)
        else:
            self._queue.remove(request)
            if not request.sent:  # so it was not our question that brought the answer
                self.counters.foreign_frames += 1
        request.answer.set_result(reading)


def _asked_time(value: Value) -> int | None:
    return value.time if isinstance(value, TimeSeries | EventTable) else None


def connect(
    host: str,
    port: int = PORT,
    *,
    name: str = "",
    timeout: float = TIMEOUT,
    attempts: int = ATTEMPTS,
    tries: int | None = 3,
    pause: Callable[[int], float] = backoff,
    clock: Callable[[], int] = time.time_ns,
    ticking: Callable[[], float] = ticking,
) -> Client:
    """Return a client for the inverter at a host, to be entered with ``async with``.

    ``name`` is what its readings call the inverter, the host if left out. ``timeout`` is how many seconds to wait for
    an answer before asking again, ``attempts`` how often to ask. ``tries`` is how many failed connections in a row end
    it with LinkError; with None it never ends, entering it does not wait for the connection, and reading without one
    raises LinkError. ``pause`` gives the seconds between tries, ``clock`` the time of a reading in UTC nanoseconds,
    ``ticking`` seconds that go on while the machine sleeps.
    """
    link = Link(host, port, tries=tries, pause=pause, clock=clock, ticking=ticking)
    return Client(link, name=name, timeout=timeout, attempts=attempts)
