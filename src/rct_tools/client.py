"""One inverter, asked: requests are paced, answers matched, what is missing asked for again.

async with connect("192.0.2.7") as inverter:
    reading = await inverter.read("battery.soc")
"""

from __future__ import annotations

import asyncio
import calendar
import logging
import time
from collections.abc import AsyncIterator, Callable, Hashable, Iterable, Iterator
from contextlib import aclosing, contextmanager
from types import TracebackType
from typing import Final, Self, TypeAlias

from rct_tools.capture import Chunk
from rct_tools.errors import ConnectionLost, LinkError, NoAnswer
from rct_tools.frame import BadFrame, Frame
from rct_tools.link import PORT, Down, Link, Up, backoff, ticking
from rct_tools.objects import ObjectInfo, registry
from rct_tools.question import Counters, Origin, Reply
from rct_tools.questions import ATTEMPTS, TIMEOUT, Questions
from rct_tools.reading import BadReading, Reading, read_frame
from rct_tools.sentence import Sentences
from rct_tools.stream import Streams

logger = logging.getLogger(__name__)

_UNHEARD: Final = 10_000  # readings kept for a listener that is slow


class _Says(Sentences):
    NO_CONNECTION = "{peer}: {reason}"
    CLOSED = "{peer}: closed"


Answer: TypeAlias = Reading | NoAnswer | LinkError


class Client:
    """A connection to one inverter: ``async with connect(host) as inverter``.

    Several tasks may use it at once. It asks for values and history; only ``send_write`` changes anything.
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
        self.timeout = timeout  # seconds until it asks again
        self.counters = Counters()
        self._link = link
        self._questions = Questions(link, self.counters, timeout=timeout, attempts=attempts, wall_clock=wall_clock)
        self._up = False
        self._error: LinkError | None = None  # why there is no connection, when that is so for longer
        self._listeners: set[asyncio.Queue[Reading | LinkError]] = set()
        self._hearers: list[Callable[[Reading], None]] = []
        self._overhearers: list[Callable[[Frame, Origin], None]] = []
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
        task = self._task  # which close forgets
        if task is not None:
            await asyncio.wait([task])
            if not task.cancelled():
                task.result()

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
        return (await asyncio.shield(self.ask(registry.find(name), before))).reading

    def ask(
        self, info: ObjectInfo, before: int | None = None, *, address: int = 0, asker: Hashable = None
    ) -> asyncio.Future[Reply]:
        """Ask for one object without waiting: what comes, or NoAnswer or LinkError in its place, is in the future.

        The future is shared by all who ask for the object meanwhile, so it must not be cancelled. ``before`` is as in
        ``read``, ``address`` that of a member of a plant. Of several ``asker``, each has its turn. Raises LinkError
        when there is no connection, EncodeError.
        """
        self._check()
        return self._questions.ask(info, before, address=address, asker=asker)

    def send_write(
        self, info: ObjectInfo, payload: bytes, *, address: int = 0, asker: Hashable = None
    ) -> asyncio.Future[Reply]:
        """Send one write, once; in the future is what the inverter acknowledges, or NoAnswer or LinkError.

        This is no guard: who calls it has checked that its user allows this value for this object, and reads it back.
        Only that is a proof; a write without acknowledgement may have been taken. Raises WriteRefused for what must
        never be written, LinkError when there is no connection, EncodeError.
        """
        self._check()
        return self._questions.write(info, payload, address=address, asker=asker)

    def leave(self, asker: Hashable) -> None:
        """Forget who asked: what nobody else wants is not asked for any more; writes go on."""
        self._questions.leave(asker)

    @contextmanager
    def hearing(self, hear: Callable[[Reading], None]) -> Iterator[None]:
        """Call a function with every reading that arrives, asked for or not, as ``listen`` yields them; at once."""
        self._hearers.append(hear)
        try:
            yield
        finally:
            self._hearers.remove(hear)

    @contextmanager
    def overhearing(self, hear: Callable[[Frame, Origin], None]) -> Iterator[None]:
        """Call a function with every frame that arrives and is not cut, and why it came; before who asked gets it."""
        self._overhearers.append(hear)
        try:
            yield
        finally:
            self._overhearers.remove(hear)

    @property
    def sees_others(self) -> bool:
        """Whether another client was at work in the last seconds; then requests are paced to leave it room."""
        return self._questions.sees_others

    async def read_many(self, names: Iterable[str]) -> dict[str, Answer]:
        """Ask for many objects at once and return, by the names given and in their order, readings or their errors.

        An object that stays silent has NoAnswer in its place, and one that was still to come when the connection was
        lost LinkError; the others are delivered. Raises UnknownObject before anything is asked, and LinkError when
        nothing came.
        """
        infos = {name: registry.find(name) for name in names}
        futures = {name: asyncio.shield(self.ask(info)) for name, info in infos.items()}
        answers: dict[str, Answer] = {}
        results = await asyncio.gather(*futures.values(), return_exceptions=True)
        came = any(isinstance(result, Reply) for result in results)
        for name, result in zip(futures, results, strict=True):
            if isinstance(result, BaseException) and not isinstance(result, NoAnswer | LinkError if came else NoAnswer):
                raise result
            answers[name] = result.reading if isinstance(result, Reply) else result
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
                            self._questions.pump()
                        case Down():
                            self._end_session(event)
        except LinkError as exc:
            self._give_up(exc)
            if not ready.done():
                ready.set_exception(exc)
        finally:
            self._give_up(self._error or ConnectionLost(_Says.CLOSED(peer=self.peer)))
            ready.cancel()  # a mistake of ours must not leave anybody waiting

    def _start_session(self) -> None:
        self._up = True
        self._error = None
        self.counters.reconnects = self._link.reconnects
        self._questions.begin()

    def _end_session(self, down: Down) -> None:
        """Keep what is asked for over one lost connection; when a new one fails too, say so to who waits."""
        self._up = False
        self._questions.end()
        if down.failures > 1:
            self._error = ConnectionLost(_Says.NO_CONNECTION(peer=self.peer, reason=down.reason))
            self._questions.fail_all(self._error)

    def _give_up(self, error: LinkError) -> None:
        self._up = False
        self._error = error
        self._questions.fail_all(error)
        for queue in self._listeners:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(error)

    def _take(self, event: Frame | BadFrame, time: int) -> None:
        if isinstance(event, BadFrame):
            self.counters.bad_frames[event.reason] += 1
            logger.debug("%s: dropped %d bytes: %s", self.peer, len(event.data), event.reason)
            return
        self.counters.frames += 1
        reading = read_frame(event, time, self.name)
        if reading is None:
            self.counters.foreign_frames += 1
            self._tell(event, Origin.UNASKED)
            return
        if isinstance(reading, BadReading) or self._questions.is_cut(event, reading.object):
            self.counters.bad_readings += 1
            reason = reading.reason if isinstance(reading, BadReading) else f"{reading.object.name}: shorter than usual"
            logger.debug("%s: %s", self.peer, reason)
            self._questions.cut(event, is_sure=isinstance(reading, BadReading))
            return
        self._tell(event, self._questions.came(Reply(event, reading)))
        for hear in self._hearers:
            hear(reading)
        for queue in self._listeners:
            if queue.full():
                queue.get_nowait()
                self.counters.unheard += 1
            queue.put_nowait(reading)

    def _tell(self, frame: Frame, origin: Origin) -> None:
        for hear in self._overhearers:
            hear(frame, origin)


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
    tap: Callable[[Chunk], None] = lambda _chunk: None,
) -> Client:
    """Return a client for the inverter at a host, to be entered with ``async with``.

    ``name`` is what its readings call the inverter, the host if left out. ``timeout`` is how many seconds to wait for
    an answer before asking again, ``attempts`` how often to ask. ``tries`` is how many failed connections in a row end
    it with LinkError; with None it never ends, entering it does not wait for the connection, and reading without one
    raises LinkError. ``pause`` gives the seconds between tries, ``clock`` the time of a reading in UTC nanoseconds,
    ``ticking`` seconds that go on while the machine sleeps. ``tap`` is called with what crosses the wire, both ways.
    """
    link = Link(host, port, tries=tries, pause=pause, clock=clock, ticking=ticking, tap=tap)
    return Client(link, name=name, timeout=timeout, attempts=attempts)
