"""One client of a proxy: its requests are answered one by one, and nothing it does is felt by others.

It is sent whole frames only. While it waits for an answer, what the inverter says by itself is held back, since simple
clients take the first frame that comes for the answer; also for that to what stayed unanswered, until the next comes.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, ParamSpec, Protocol, TypeAlias, cast

from rct_tools.address import show_address
from rct_tools.capture import Direction
from rct_tools.frame import BadFrame, Command, Frame
from rct_tools.link import keep_alive
from rct_tools.objects import registry
from rct_tools.parser import FrameParser
from rct_tools.proxy.complaints import Complaints
from rct_tools.proxy.desk import Desk
from rct_tools.proxy.setup import ProxySetup
from rct_tools.proxy.tally import Cut, Tally
from rct_tools.proxy.tap import Tap

logger = logging.getLogger(__name__)

OPEN: Final = 16  # requests that are answered at the same time; the others wait
READ_ON, READ_STOP = 32, 64  # waiting requests from which the client is read again, and is not read any more
FLOOD: Final = 2048  # waiting requests; all objects at once are 895
BABBLE: Final = 1024  # bytes without a request in them
BURST: Final = 1.0  # seconds of its rate that a client may use at once
UNREAD: Final = 256 * 1024  # bytes
UNREAD_TIME: Final = 30.0  # seconds that a client may leave unread what fills its buffers
SETTLE: Final = 1.0  # seconds after connecting in which a client comes to its first request
HOLD: Final = 3.0  # seconds after which who asks for several things at once gets what was held back
PATIENCE: Final = 60.0  # seconds without a request after which nobody waits any more for what stayed unanswered
OLDEST: Final = 10.0  # seconds; what was held back for longer is not told any more
_MOST_HELD: Final = 256  # frames; a whole broadcast is 66
_PERIODIC: Final = 64  # objects that an inverter tells regularly
_SLICE: Final = 1024  # bytes taken in at a time, so that a flood is seen before it is all parsed
_PLANT: Final = 0x40
_PERIOD_ID: Final = registry["pas.period"].object_id
_OTHER_PROTOCOLS: Final = {
    b"\x16\x03": "TLS", b"GET ": "HTTP", b"POST": "HTTP", b"HEAD": "HTTP", b"PUT ": "HTTP", b"OPTI": "HTTP",
    b"CONN": "HTTP", b"PRI ": "HTTP/2", b"SSH-": "SSH",
}  # fmt: skip

P = ParamSpec("P")

_Key: TypeAlias = tuple[int, int]  # address, object id


class House(Protocol):
    """What a session needs of its proxy."""

    setup: ProxySetup
    desk: Desk
    tap: Tap
    complaints: Complaints

    def enter(self, session: Session) -> Cut | None:
        """Take in a client that has just come; return why it cannot be."""

    def leave(self, session: Session) -> None:
        """Forget a client."""

    def tally(self, host: str) -> Tally:
        """Return the counters of a host."""

    def start(self, job: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Begin a job, which is ended with the proxy."""


class Session(asyncio.Protocol):
    """The connection of one client."""

    transport: asyncio.Transport

    def __init__(self, house: House) -> None:
        self.host = self.peer = ""
        self.heard = self.since = _now()  # when it last sent something, and when it came
        self._house = house
        self._tally = Tally()
        self._number = -1  # of its connection in a capture
        self._parser = FrameParser()
        self._babble = 0  # bytes since its last request
        self._requests: deque[tuple[float, Frame]] = deque()  # not taken yet, and when they came
        self._open: dict[asyncio.Task[None], _Key] = {}  # what is being answered, and about which object that is
        self._writing: asyncio.Task[None] | None = None  # the one of them that changes something
        self._free_at = 0.0  # when all that was taken is within its rate
        self._held: deque[tuple[float, bytes]] = deque(maxlen=_MOST_HELD)  # when it came, and what
        self._is_owed = False  # its last request stayed unanswered: it may wait for that still
        self._periodic: dict[_Key, Frame] = {}
        self._periodic_task: asyncio.Task[None] | None = None
        self._timers: dict[Callable[[], None], asyncio.TimerHandle] = {}
        self._is_settled = False  # it has had time to come to its first request
        self._is_choked = False  # it does not read what it is sent
        self._is_gone = False

    # --- coming and going ---------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        host, port, *_ = transport.get_extra_info("peername")  # told by accept(), also of who has left already
        self.host = host.removeprefix("::ffff:") if "." in host else host  # IPv4 on a socket of both
        self.peer = show_address(self.host, port)
        self._tally = self._house.tally(self.host)
        self._tally.connections += 1
        if (reason := self._house.enter(self)) is not None:
            self.cut_off(reason, _NOT_LET_IN[reason])
            return
        self._number = self._house.tap.number()
        keep_alive(transport)
        self._later(SETTLE, self._settle)
        logger.info("%s: connected, as connection %d", self.peer, self._number)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._is_gone:
            logger.info("%s: left%s", self.peer, f": {exc}" if exc else "")
        self._end()

    def cut_off(self, reason: Cut, text: str) -> None:
        """End the connection, and say why."""
        if self._is_gone:
            return
        self._tally.cut_off[reason] += 1
        self._house.complaints.say(self.peer, reason, f"cut off: {text}")
        self._end()
        self.transport.abort()

    def close(self) -> None:
        """End the connection because the proxy ends."""
        self._end()
        self.transport.abort()

    def _end(self) -> None:
        self._is_gone = True
        self._requests.clear()
        self._held.clear()
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._forget_periodic()
        self._house.leave(self)

    # --- requests -----------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self._is_gone:
            return
        self._house.tap.client(self._number, Direction.SENT, data)
        self.heard = _now()
        if not self._parser.fed and (name := _OTHER_PROTOCOLS.get(data[:4]) or _OTHER_PROTOCOLS.get(data[:2])):
            self.cut_off(Cut.PROTOCOL, f"it speaks {name}; this port is for the inverter's own protocol")
            return
        for at in range(0, len(data), _SLICE):
            self._take_in(data[at : at + _SLICE])
            if self._babble > BABBLE:
                self.cut_off(Cut.BABBLE, f"{self._babble} bytes without a request in them")
            elif len(self._requests) > FLOOD:
                self.cut_off(Cut.FLOOD, f"more than {FLOOD} requests at once")
            if self._is_gone:
                return
        self._serve()

    def _take_in(self, data: bytes) -> None:
        skipped = self._parser.skipped
        events = self._parser.feed(data)
        self._babble += self._parser.skipped - skipped
        for event in events:
            if isinstance(event, BadFrame):
                self._babble += len(event.data)
                logger.debug("%s: dropped %d bytes: %s", self.peer, len(event.data), event.reason)
            elif event.command.is_response:
                self._babble += len(event.payload) + 1  # clients have nothing to tell
            else:
                self._babble = 0
                self._requests.append((self.heard, event))

    def _serve(self) -> None:
        """Take what may be taken now."""
        setup = self._house.setup
        # What it asks after a write is asked after it, or it would be told the value of before.
        while self._requests and len(self._open) < OPEN and not (self._writing or self._is_choked):
            now = _now()
            if (wait := self._free_at - BURST - now) > 0:
                self._later(wait, self._serve)
                break
            self._free_at = max(now, self._free_at) + 1 / setup.rate
            came, request = self._requests.popleft()
            self._tally.requests += 1
            self._register(request)
            if (frame := self._house.desk.at_once(request)) is not None:
                self._tally.cached += 1
                self._answer(frame, came)
            else:
                task = self._house.start(self._do(self._fetch, request, came))
                self._open[task] = _key(request)
                self._writing = task if self._house.desk.changes(request) else None
                task.add_done_callback(self._done)
        if self._is_gone:
            return
        if len(self._requests) > READ_STOP or self._is_choked:
            self.transport.pause_reading()
        elif len(self._requests) < READ_ON:
            self.transport.resume_reading()
        self._release()

    async def _do(self, job: Callable[P, Awaitable[None]], *args: P.args, **kwargs: P.kwargs) -> None:
        """Do something that takes time; a mistake of ours in it ends this connection alone."""
        try:
            await job(*args, **kwargs)
        except Exception:  # whatever it is, it is logged, and the others go on
            logger.exception("%s: a mistake of the proxy", self.peer)
            self.cut_off(Cut.MISTAKE, "the proxy made a mistake; the log says which")

    async def _fetch(self, request: Frame, came: float) -> None:
        frame = await self._house.desk.answer(request, self, self.peer, self._tally)
        if frame is None:
            self._tally.unanswered += 1
            self._is_owed = True
        else:
            self._answer(frame, came)

    def _done(self, task: asyncio.Task[None]) -> None:
        del self._open[task]
        if task is self._writing:
            self._writing = None
        if not self._is_gone:
            self._serve()

    def _answer(self, frame: Frame, came: float) -> None:
        self._tally.answer(_now() - came)
        self._is_owed = False
        self.send(b"\0" + frame.encode())

    # --- what it asked to be told regularly ---------------------------------------------------------------------

    def _register(self, request: Frame) -> None:
        key = _key(request)
        match request.command & ~_PLANT:
            case Command.READ_PERIODICALLY if key in self._periodic or len(self._periodic) < _PERIODIC:
                command = Command.PLANT_READ if request.command.is_plant else Command.READ
                self._periodic[key] = Frame(command, request.object_id, address=request.address)
                if self._periodic_task is None:
                    self._periodic_task = self._house.start(self._do(self._tell_periodically))
            case Command.WRITE | Command.LONG_WRITE if request.object_id == _PERIOD_ID and not any(request.payload):
                self._forget_periodic()  # which is what it means to the inverter, where it would be for all clients

    def _forget_periodic(self) -> None:
        self._periodic.clear()
        if self._periodic_task is not None:
            self._periodic_task.cancel()
            self._periodic_task = None

    async def _tell_periodically(self) -> None:
        desk = self._house.desk
        while True:
            await asyncio.sleep(await desk.period(self))
            for request in list(self._periodic.values()):
                frame = desk.at_once(request) or await desk.answer(request, self, self.peer, self._tally)
                if frame is not None:
                    self.tell(b"\0" + frame.encode())

    # --- sending ------------------------------------------------------------------------------------------------

    def tell(self, data: bytes) -> None:
        """Send what it has not just asked for, once it waits for nothing else."""
        if self._is_gone:
            return
        self._held.append((_now(), data))
        self._release()
        if self._held:
            self._later(HOLD, self._release_late)

    @property
    def _waits_for(self) -> int:
        """Of how many objects it waits for an answer. Who asks again for the same still waits for one."""
        asked = {*self._open.values(), *(_key(request) for _, request in self._requests)}
        return len(asked) or int(self._is_owed)

    def _settle(self) -> None:
        self._is_settled = True
        self._release()

    def _release(self, most: int = 0) -> None:
        """Send what was held back, if the client waits for no more answers than those."""
        if not self._is_settled or self._waits_for > most:
            return
        self._never(self._release_late)
        oldest = _now() - OLDEST
        held = [data for came, data in self._held if came >= oldest]
        self._held.clear()
        self._tally.unasked += len(held)
        for data in held:
            self.send(data)

    def _release_late(self) -> None:
        """Send what was held back to a client that never waits for nothing, unless it asks for one thing at a time."""
        if self._is_owed and _now() - self.heard >= PATIENCE:
            self._is_owed = False
        if self._waits_for == 1:
            self._later(HOLD, self._release_late)
        else:
            self._release(most=self._waits_for)

    def send(self, data: bytes) -> None:
        """Send a frame, or cut the client off when it does not read what it gets."""
        if self._is_gone:
            return
        if (unread := self.transport.get_write_buffer_size()) > UNREAD:
            self.cut_off(Cut.UNREAD, f"it left {unread} bytes unread")
            return
        self.transport.write(data)
        self._house.tap.client(self._number, Direction.RECEIVED, data)

    def pause_writing(self) -> None:
        self._is_choked = True
        self._later(UNREAD_TIME, self._give_up)

    def resume_writing(self) -> None:
        self._is_choked = False
        self._never(self._give_up)
        self._serve()

    def _give_up(self) -> None:
        self.cut_off(Cut.UNREAD, f"it has read nothing for {UNREAD_TIME:.0f} s")

    def _later(self, seconds: float, do: Callable[[], None]) -> None:
        """Do something after some time, unless that is to be done already."""
        if do in self._timers or self._is_gone:
            return

        def fire() -> None:
            del self._timers[do]
            do()

        self._timers[do] = asyncio.get_running_loop().call_later(seconds, fire)

    def _never(self, do: Callable[[], None]) -> None:
        """Do it not, if it was to be done later."""
        if (timer := self._timers.pop(do, None)) is not None:
            timer.cancel()


_NOT_LET_IN: Final = {
    Cut.NOT_ALLOWED: "its network is not allowed in; --allow lets networks in",
    Cut.NO_ROOM: "all places are taken by clients that are at work",
}


def _key(request: Frame) -> _Key:
    return request.address, request.object_id


def _now() -> float:
    return asyncio.get_running_loop().time()
