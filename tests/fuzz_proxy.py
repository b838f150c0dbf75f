"""The proxy's side for clients. Whatever one of them sends, however it is cut, and whatever happens meanwhile,

- nothing is raised, neither at once nor in a job or timer;
- it is sent whole frames only: what the inverter says by itself, and one answer at most for each request it made;
- another client gets what the inverter says by itself, and nothing else;
- the inverter is asked to read, and to write nothing but what may be written, as it was asked to;
- what is kept for it is bounded, and when it has gone, nothing is left.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Coroutine, Hashable, Iterator
from random import Random
from typing import Any, Final

from fuzz_mutations import mutate
from fuzz_parser import BIASED, MARK

from rct_tools.errors import LinkError, NoAnswer
from rct_tools.frame import EXTENSION, Command, Frame
from rct_tools.objects import ObjectInfo, registry
from rct_tools.parser import FrameParser
from rct_tools.proxy import Cut, ProxySetup, Tally, Tap
from rct_tools.proxy.complaints import Complaints
from rct_tools.proxy.desk import Desk
from rct_tools.proxy.session import FLOOD, OPEN, Session
from rct_tools.question import Origin, Reply
from rct_tools.reading import read_frame
from rct_tools.runs import LONGEST_FRAME

from warp import warp

WRITABLE: Final = frozenset({"power_mng.soc_min", "com_service", "pas.period"})
SPOKEN: Final = Frame(Command.WRITE, registry["net.package"].object_id, bytes(36))  # by the inverter, by itself


def _frame(name: str, command: Command = Command.READ, payload: bytes = b"", address: int = 0) -> Frame:
    return Frame(command, registry[name].object_id, payload, address)


FRAMES: Final = [  # an input has MARK and a number for each
    _frame("battery.soc"),
    _frame("power_mng.soc_min"),
    _frame("svnversion", Command.READ_PERIODICALLY),
    _frame("battery.soc", Command.PLANT_READ_PERIODICALLY, b"", 7),
    _frame("power_mng.soc_min", Command.WRITE, bytes.fromhex("3f000000")),
    _frame("power_mng.soc_min", Command.PLANT_LONG_WRITE, bytes.fromhex("3f000000"), 7),
    _frame("power_mng.soc_max", Command.WRITE, bytes.fromhex("3f000000")),
    _frame("com_service", Command.WRITE, b"\5"),
    _frame("com_service", Command.LONG_WRITE, b"\5"),
    _frame("pas.period", Command.PLANT_WRITE, bytes(4), 7),
    _frame("pas.period", Command.WRITE, bytes(4)),
    _frame("logger.minutes_soc_log_ts", Command.WRITE, bytes.fromhex("6000002b")),
    _frame("logger.error_log_time_stamp", Command.WRITE, bytes(3)),
    _frame("battery.soc", Command.RESPONSE, bytes(4)),
    Frame(Command.READ, 0x2B2D2B2D),
    Frame(Command.LONG_WRITE, 0x01234567, b"+-" * 300),
]
HAPPENING: Final = 0xA6
"""In an input, this byte and the next stand for something that happens while the client sends nothing."""

MOMENTS: Final = (0.0, 0.07, 1.0, 3.0, 31.0)  # seconds that pass


class Transport(asyncio.Transport):
    """Keeps what is written to a client."""

    def __init__(self, port: int) -> None:
        super().__init__({"peername": ("127.0.0.1", port), "socket": Socket()})
        self.written = b""
        self.is_gone = False
        self.unread = 0

    def write(self, data: Any) -> None:
        assert not self.is_gone
        self.written += data

    def get_write_buffer_size(self) -> int:
        return self.unread

    def abort(self) -> None:
        self.is_gone = True

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


class Socket:
    def setsockopt(self, *_: int) -> None:
        pass


class Inverter:
    """Answers after a while, or not."""

    timeout = 1.0

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.left: list[Hashable] = []
        self.written: Counter[tuple[int, int, bytes]] = Counter()

    def ask(
        self, info: ObjectInfo, _before: int | None = None, *, address: int = 0, asker: Hashable = None
    ) -> asyncio.Future[Reply]:
        if self.chance.random() < 0.05:
            raise LinkError("no connection")
        payload = info.encode(30) if info.name == "pas.period" else bytes(4)
        return self._reply(info, Command.PLANT_RESPONSE if address else Command.RESPONSE, payload, address)

    def send_write(
        self, info: ObjectInfo, payload: bytes, *, address: int = 0, asker: Hashable = None
    ) -> asyncio.Future[Reply]:
        assert info.name == "power_mng.soc_min"
        self.written[address, info.object_id, payload] += 1
        return self._reply(info, Command.RESPONSE, payload, 0)

    def leave(self, asker: Hashable) -> None:
        self.left.append(asker)

    def _reply(self, info: ObjectInfo, command: Command, payload: bytes, address: int) -> asyncio.Future[Reply]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Reply] = loop.create_future()
        future.add_done_callback(lambda done: done.exception())  # whoever waits may have been cancelled
        reading: Any = read_frame(frame := Frame(command, info.object_id, payload, address), 0, "roof")
        if self.chance.random() < 0.1:
            loop.call_later(3.0, future.set_exception, NoAnswer("roof", [info.name]))
        else:
            loop.call_later(0.06, future.set_result, Reply(frame, reading))
        return future


class Quiet(Complaints):
    def say(self, peer: str, kind: str, text: str) -> None:
        pass


class House:
    """What sessions need of a proxy."""

    def __init__(self, inverter: Inverter) -> None:
        self.setup = ProxySetup(writable=WRITABLE)
        self.tap = Tap()
        self.complaints: Complaints = Quiet(asyncio.get_running_loop().time)
        self.desk = Desk(inverter, self.setup, self.complaints)  # type: ignore[arg-type]
        self.inverter = inverter
        self.tallies: dict[str, Tally] = {}
        self.jobs: set[asyncio.Task[None]] = set()

    def enter(self, session: Session) -> Cut | None:
        return None

    def leave(self, session: Session) -> None:
        self.inverter.leave(session)

    def tally(self, host: str) -> Tally:
        return self.tallies.setdefault(host, Tally())

    def start(self, job: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(job)
        self.jobs.add(task)
        task.add_done_callback(self.jobs.discard)
        return task


def check(data: bytes) -> None:
    """Assert what must hold for any input."""
    logging.disable(logging.ERROR)  # mistakes are looked for elsewhere
    try:
        warp(_check(data))
    finally:
        logging.disable(logging.NOTSET)


async def _check(data: bytes) -> None:
    chance = Random(data)
    raised: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: raised.append(context))
    house = House(inverter := Inverter(chance))
    other, client = Session(house), Session(house)
    other.connection_made(elsewhere := Transport(1))
    await asyncio.sleep(2)  # until it has settled, and is told all at once
    client.connection_made(transport := Transport(2))
    sent = b""
    spoken = 0
    for part in build(data):
        if isinstance(part, bytes):
            at = 0
            while at < len(part) and not transport.is_gone:
                size = chance.choice((1, 3, 9, 50, 5000))
                client.data_received(part[at : at + size])
                sent += part[at : at + size]
                at += size
        else:
            spoken += await happen(part, client, other, transport)
        check_bounds(client)
    await asyncio.sleep(20)
    client.connection_lost(None)
    await asyncio.sleep(200)

    check_sent(transport, sent, inverter)
    assert list(decode(elsewhere.written)) == [SPOKEN] * spoken
    assert not raised, raised
    assert house.tally("127.0.0.1").cut_off[Cut.MISTAKE] == 0
    assert not house.jobs
    assert client in inverter.left
    for kept in (client._timers, client._held, client._requests, client._open, client._periodic):
        assert not kept


def build(data: bytes) -> Iterator[bytes | int]:
    """Yield what a client sends, and what happens between."""
    junk, *rest = data.split(bytes([HAPPENING]))
    yield send(junk)
    for part in rest:
        yield int.from_bytes(part[:1])
        yield send(part[1:])


def send(data: bytes) -> bytes:
    junk, *rest = data.split(bytes([MARK]))
    return junk + b"".join(FRAMES[int.from_bytes(part[:1]) % len(FRAMES)].encode() + part[1:] for part in rest)


async def happen(what: int, client: Session, other: Session, transport: Transport) -> int:
    """Let something happen; return how often the inverter has said something by itself."""
    kind, number = what % 4, what // 4 % len(MOMENTS)
    match kind:
        case 0:
            await asyncio.sleep(MOMENTS[number])
        case 1:
            client.tell(b"\0" + SPOKEN.encode())
            other.tell(b"\0" + SPOKEN.encode())
            return 1
        case 2 if not transport.is_gone:
            transport.unread = 70_000 * number
            (client.resume_writing if client._is_choked else client.pause_writing)()
        case _:
            client._house.desk.hear(FRAMES[-3], Origin.UNASKED)
    return 0


def check_bounds(client: Session) -> None:
    assert client._parser.pending <= 2 * LONGEST_FRAME + 5000
    assert len(client._requests) <= FLOOD
    assert len(client._open) <= OPEN
    assert len(client._held) <= 256
    assert len(client._timers) <= 5
    assert len(client._periodic) <= 64


def check_sent(transport: Transport, sent: bytes, inverter: Inverter) -> None:
    """Check what a client got, and the inverter, beside what the client has asked."""
    asked: Counter[tuple[int, int]] = Counter()
    writes: Counter[tuple[int, int, bytes]] = Counter()
    regularly = set()
    for event in FrameParser().feed(sent):
        if isinstance(event, Frame) and not event.command.is_response:
            asked[event.address, event.object_id] += 1
            writes[event.address, event.object_id, event.payload] += 1
            if event.command & 0x0F == Command.READ_PERIODICALLY:
                regularly.add((event.address, event.object_id))
    got = Counter((frame.address, frame.object_id) for frame in decode(transport.written) if frame != SPOKEN)
    assert all(key in regularly or count <= asked[key] for key, count in got.items())
    assert inverter.written <= writes


def decode(wire: bytes) -> Iterator[Frame]:
    """Yield frames that are whole, with their 00 before each and nothing between."""
    frames = FrameParser().feed(wire)
    assert all(isinstance(frame, Frame) for frame in frames)
    yield from (frame for frame in frames if isinstance(frame, Frame))
    assert b"".join(b"\0" + frame.encode() for frame in frames if isinstance(frame, Frame)) == wire


def inputs(chance: Random) -> Iterator[bytes]:
    """Yield inputs without end: requests and what happens, some of it damaged, some of it much."""
    while True:
        parts = []
        for _ in range(chance.randrange(1, 30)):
            piece = bytes([MARK, chance.randrange(len(FRAMES))])
            kind = chance.random()
            if kind < 0.35:
                piece = bytes([HAPPENING, chance.randrange(20)])
            elif kind < 0.4:
                piece = chance.choice(
                    (EXTENSION, b"AT+\r", b"+\x03\xff\xff", b"GET ", bytes(chance.choices(BIASED, k=9)))
                )
            parts.append(piece * chance.choice((1, 1, 1, 1, 2, 20, 300)))
        data = b"".join(parts)
        yield mutate(chance, data, [data]) if chance.random() < 0.5 else data
