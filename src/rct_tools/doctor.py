"""An inverter and its connection, examined: listen first, then ask, then ask faster; nothing is ever written.

One client does it, so no request leaves faster than its pace allows; what the bytes tell is in ``evidence``.
"""

from __future__ import annotations

import asyncio
import calendar
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing, suppress
from itertools import cycle, islice
from math import ceil
from typing import Final

from rct_tools.capture import Chunk
from rct_tools.client import Client, connect
from rct_tools.components import COMPONENTS, PROOFS, part_of, proves
from rct_tools.display import show_value
from rct_tools.errors import ConnectFailed, LinkError, NoAnswer
from rct_tools.evidence import Evidence, Outcome, gather
from rct_tools.examination import Examination
from rct_tools.frame import Command, Frame
from rct_tools.link import CONNECT_TIMEOUT, PORT, Link, Up, backoff
from rct_tools.objects import registry
from rct_tools.question import Reply
from rct_tools.questions import TIMEOUT
from rct_tools.reading import Reading
from rct_tools.stream import Streams
from rct_tools.times import SECOND
from rct_tools.values import Value

LISTEN: Final = 35
"""Seconds to listen at first: what an inverter says by itself comes again after 31."""

MOST_REQUESTS: Final = 250
"""Requests that an examination sends at most; where all is well, some 150."""

RATES: Final = (5, 6, 8, 10, 15, 20)  # requests a second, tried in this order until one of them loses something
CALM: Final = 0.25  # seconds between two questions, before that: what others leave, too
_STEP: Final = 12  # requests at each rate
_TOO_MANY: Final = 0.1  # share of calm questions without a good answer, from which on no faster ones are tried
_CLEARLY: Final = 0.2  # seconds: an answer that takes longer may be lost
_LOOK: Final = 0.1  # seconds between looks whether a lost connection is there again
_PASSES: Final = 2  # times that everything is asked: some objects are answered once, and then not for minutes
_IN_A_ROW: Final = 3  # silent objects, before one is asked that is not
_ROUNDS: Final = 5  # times that what stays silent is asked
_MOST_BYTES: Final = 16_000_000  # of what arrives; a serial line brings 11,000 a second

_FIRMWARE: Final = "svnversion"
_POWER: Final = "p_rec_lim[2]"
_CLOCK: Final = "flash_rtc.time_stamp"
_SLAVES: Final = "net.n_slaves"
_QUICK: Final = (  # small and always there
    "battery.soc", "battery.voltage", "battery.current", "g_sync.p_acc_lp", "g_sync.p_ac_load_sum_lp",
    "g_sync.p_ac_grid_sum_lp", "g_sync.p_ac_sc_sum", "g_sync.u_l_rms[0]", "dc_conv.dc_conv_struct[0].p_dc",
    "dc_conv.dc_conv_struct[1].p_dc", "db.core_temp", "prim_sm.state",
)  # fmt: skip
_PROOFS: Final = tuple(proof for proof, part in PROOFS.items() if part_of(part) != "second battery")  # which few have
ASKED: Final = (
    _FIRMWARE, _POWER, _CLOCK, _SLAVES, *_QUICK, *_PROOFS, "battery.bat_status", "battery.soh",
    "power_mng.soc_strategy", "power_mng.soc_min", "power_mng.battery_power_extern", "energy.e_ac_day",
    "energy.e_load_total", "fault[0].flt", "fault[3].flt", "parameter_file",
)  # fmt: skip
"""Objects of all kinds, asked one after the other."""


class Recorder:
    """Keeps what crosses the wire, up to a bound."""

    def __init__(self) -> None:
        self.chunks: list[Chunk] = []
        self.full = False
        self._size = 0

    def __call__(self, chunk: Chunk) -> None:
        """Keep a chunk, or be full from now on."""
        self._size += len(chunk.data)
        self.full = self._size > _MOST_BYTES
        if not self.full:
            self.chunks.append(chunk)


async def examine(
    host: str,
    port: int = PORT,
    *,
    timeout: float = TIMEOUT,  # noqa: ASYNC109  # of each answer
    listen: int = LISTEN,
    tell: Callable[[str], object] = lambda _text: None,
    pause: Callable[[int], float] = backoff,
    clock: Callable[[], int] = time.time_ns,
) -> tuple[Examination, list[Chunk]]:
    """Examine an inverter, and return what was found and all that crossed the wire.

    ``listen`` is how many seconds to listen before anything is asked. ``tell`` is told what is going on. A connection
    that cannot be made, or is lost, is a finding and no error. ``pause`` and ``clock`` are those of ``connect``.
    """
    recorder = Recorder()
    client = connect(host, port, timeout=timeout, attempts=1, pause=pause, clock=clock, tap=recorder)
    visit = _Visit(client, Link(host, port, tries=1), timeout, tell, recorder)
    began = clock()
    trouble = ""
    connected = True
    tell("connecting")
    try:
        async with client:
            await visit.listen(listen)
            await visit.ask()
            await visit.find_rate()
            await visit.try_second()
    except ConnectFailed as exc:
        connected, trouble = False, str(exc)
    except LinkError as exc:
        trouble = str(exc)
    seconds = (clock() - began) / SECOND
    return visit.found(began, seconds, connected=connected, trouble=trouble), recorder.chunks


class _Visit:
    """The examination of one inverter, phase by phase. Each raises LinkError when the connection is lost for good."""

    def __init__(
        self, client: Client, second: Link, timeout: float, tell: Callable[[str], object], recorder: Recorder
    ) -> None:
        self._client = client
        self._link = second
        self._timeout = timeout
        self._tell = tell
        self._recorder = recorder
        self._answers: dict[str, Reading] = {}
        self._listened = 0
        self._rate: int | None = None
        self._rate_end = ""
        self._all: Evidence | None = None  # before there was a second connection
        self._sessions: int | None = None  # lost ones, until then
        self._calm: Evidence | None = None  # before it was asked faster and faster
        self._second: bool | None = None
        self._shared: bool | None = None

    @property
    def _spent(self) -> bool:
        """Whether no more may be asked."""
        # One step more, with what the client itself asks about a dead session, must find room.
        return self._client.counters.requests + 2 * _STEP > MOST_REQUESTS or self._recorder.full

    async def _read(self, name: str) -> Reading:
        while True:
            try:
                return await self._client.read(name)
            except LinkError:
                if not await self._is_back():
                    raise

    async def _is_back(self) -> bool:
        """Wait until there is a connection again; False when the client has given up."""
        while not self._client.connected:
            if await self._ends_within(_LOOK):
                return False
        return True

    async def _ends_within(self, seconds: float) -> bool:
        """Wait, and return whether the client has given up. Raises what else has ended it."""
        # Not a timeout around it: that could cancel what has ended at the same moment.
        ended = asyncio.ensure_future(self._client.ended())
        done, _ = await asyncio.wait([ended], timeout=seconds)
        if done:
            ended.result()
        else:
            ended.cancel()
        return bool(done)

    async def listen(self, seconds: int) -> None:
        """Listen without a word."""
        for second in range(seconds):
            self._tell(f"listening without a word, {second} of {seconds} s")
            if await self._ends_within(1.0):
                return  # the next question tells why
            self._listened += 1

    async def ask(self) -> None:
        """Ask for everything twice, and for what was silent then again. Where all is, the client gives up."""
        names: list[str] = list(ASKED)
        steady = ""  # an object that has answered more than once, because it was asked
        silent = 0  # questions in a row without an answer
        for number in range(_ROUNDS):
            missing: list[str] = []
            for at, name in enumerate(names, 1):
                if self._spent:
                    return
                self._tell(f"asking, {at} of {len(names)}{', once more' if number else ''}")
                before = asyncio.get_running_loop().time()
                try:
                    answer = await self._read(name)
                    if name in self._answers and not registry[name].reported:
                        steady = name
                    self._answers[name] = answer
                    silent = 0
                except NoAnswer:
                    missing.append(name)
                    silent += 1
                if silent >= _IN_A_ROW and steady:  # or the client would take the session for dead
                    with suppress(NoAnswer):
                        await self._read(steady)
                        silent = 0
                await asyncio.sleep(before + CALM - asyncio.get_running_loop().time())
            if number >= _PASSES - 1:
                names = missing

    async def find_rate(self) -> None:
        """Ask faster and faster until the first answer is lost; not at all where that could harm others."""
        await asyncio.sleep(self._timeout)  # until nothing is under way any more: neither an answer nor a late one
        self._calm = evidence = self._evidence()
        names = [name for name in _QUICK if name in self._answers and name not in evidence.rare]
        bad = evidence.count(Outcome.LOST, Outcome.LATE, Outcome.CUT)
        if evidence.others:
            self._rate_end = "others"
        elif bad > _TOO_MANY * (bad + evidence.count(Outcome.ANSWERED)):
            self._rate_end = "losses"
        elif names and evidence.delays:
            self._rate_end = "all"
            patience = min(self._timeout, max(_CLEARLY, 4 * evidence.delays.slowest))
            for rate in RATES:
                self._tell(f"asking {rate} times a second")
                try:
                    end = "enough" if self._spent else await self._try_rate(rate, names, patience)
                except LinkError:
                    if not await self._is_back():
                        raise
                    end = "loss"
                if end:
                    self._rate_end = end
                    return
                self._rate = rate

    async def _try_rate(self, rate: int, names: Sequence[str], patience: float) -> str:
        """Return why a rate is too high, one of ENDS; "" if it is not.

        What is not answered after ``patience`` seconds, of which most answers need a fraction, is enough to stop.
        """
        loop = asyncio.get_running_loop()
        before = len(self._evidence().requests)
        begin = loop.time() + 1 / rate
        asked: list[asyncio.Future[Reply]] = []
        for number, name in enumerate(islice(cycle(names), _STEP)):
            await asyncio.sleep(begin + number / rate - loop.time())
            overdue = number - ceil(patience * rate)  # the newest of those that had time enough
            if any(future.exception() if future.done() else at <= overdue for at, future in enumerate(asked)):
                break
            asked.append(self._client.ask(registry[name]))
        results = await asyncio.gather(*asked, return_exceptions=True)
        for error in (result for result in results if isinstance(result, BaseException)):
            if not isinstance(error, NoAnswer):
                raise error
            return "loss"
        sent = [request.time for request in self._evidence().requests[before:]]
        took = (sent[-1] - sent[0]) / SECOND
        return "" if len(sent) == _STEP and took * rate < (_STEP - 1) / 0.8 else "slow"

    async def try_second(self) -> None:
        """Open a second connection for a moment, ask for one object, and see whether the first hears the answer too."""
        if not self._answers or self._spent:
            return
        self._tell("trying a second connection")
        self._all = self._evidence()  # what is asked from now on would look like somebody else's question
        asked = registry[_POWER]
        heard = asyncio.Event()
        self._sessions = sessions = self._client.counters.reconnects
        self._second = False
        with self._client.hearing(lambda reading: heard.set() if reading.object is asked else None):
            try:
                async with asyncio.timeout(CONNECT_TIMEOUT + 2 * self._timeout):
                    answered = await self._ask_second(Frame(Command.READ, asked.object_id))
                if answered:
                    self._second, self._shared = True, False
                    async with asyncio.timeout(self._timeout):
                        await heard.wait()
                    self._shared = True
            except TimeoutError:
                self._second = True  # it was let in, and not closed
            except LinkError:
                pass
        if self._client.counters.reconnects > sessions or not self._client.connected:
            self._second, self._shared = False, None  # it has pushed out the first

    async def _ask_second(self, question: Frame) -> bool:
        """Return whether a second connection is let in and answered. Raises LinkError when it is closed."""
        streams = Streams()
        async with aclosing(self._link.events()) as events:
            async for event in events:
                match event:
                    case Up():
                        self._link.send(question.encode())
                    case Chunk():
                        frames = [found.event for found in streams.feed(event)]
                        if any(isinstance(f, Frame) and f.object_id == question.object_id for f in frames):
                            return True
        return False

    # --- what was found -----------------------------------------------------------------------------------------

    def _evidence(self) -> Evidence:
        return gather(self._recorder.chunks, self._timeout)

    def found(self, began: int, seconds: float, *, connected: bool, trouble: str) -> Examination:
        """Return what was found until now."""
        evidence = self._all or self._evidence()
        calm = self._calm or evidence
        ended = self._client.counters.reconnects + (connected and bool(trouble))
        if self._sessions is not None:
            ended = self._sessions
        silent = sum(evidence.went_silent(connection) for connection in range(ended))
        firmware, power, slaves = (self._value(name) for name in (_FIRMWARE, _POWER, _SLAVES))
        return Examination(
            peer=self._client.peer,
            began=began,
            seconds=round(seconds, 1),
            listened=self._listened,
            connected=connected,
            trouble=trouble.removeprefix(f"{self._client.peer}: "),
            flooded=self._recorder.full,
            firmware=show_value(registry[_FIRMWARE], firmware) if isinstance(firmware, str) else "",
            power=power if isinstance(power, float) else None,
            parts=tuple(
                part.name
                for part in COMPONENTS.values()
                if (value := self._value(part.proof)) is not None and proves(value)
            ),
            slaves=slaves if isinstance(slaves, int) else 0,
            clock_ahead=self._clock_ahead(),
            requests=len(evidence.requests),
            answered=calm.count(Outcome.ANSWERED),
            late=calm.count(Outcome.LATE),
            cut=calm.count(Outcome.CUT),
            lost=calm.count(Outcome.LOST),
            delays=calm.delays,
            rate=self._rate,
            rate_end=self._rate_end,
            mute=calm.mute,
            rare=calm.rare,
            received=self._client.counters.bytes_received,
            frames=evidence.frames,
            damaged={str(reason): count for reason, count in evidence.damaged.items()},
            extra=evidence.extra,
            echoes=evidence.echoes,
            linked=evidence.linked,
            others=dict(evidence.others),
            broadcast=evidence.broadcast,
            silent_sessions=silent,
            closed_sessions=ended - silent,
            second=self._second,
            shared=self._shared,
        )

    def _value(self, name: str) -> Value | None:
        return self._answers[name].value if name in self._answers else None

    def _clock_ahead(self) -> float | None:
        """Return how far the inverter's clock is ahead; both tell local time, as if it were UTC."""
        reading = self._answers.get(_CLOCK)
        if reading is None or not isinstance(reading.value, int):
            return None
        return float(reading.value - calendar.timegm(time.localtime(reading.time // SECOND)))
