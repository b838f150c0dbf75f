"""Every fault of the simulated inverter, as a plain socket meets it, and what the truth log says of it."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import fields, replace
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rct_tools.errors import ConfigError
from rct_tools.frame import Command, Frame
from rct_tools.objects import registry
from rct_tools.parser import FrameParser, ParserEvent
from rct_tools.reading import BadReading, read_frame
from rct_tools.simulator import Faults, Happened, Simulator
from rct_tools.simulator.faults import COUNT, DURATION, FAULTS, HEALTHY, PER_FRAME, SHARE, Fault, parse_faults
from rct_tools.simulator.firmware import FIRMWARE
from rct_tools.simulator.inverter import Inverter
from rct_tools.simulator.scenario import Step
from rct_tools.values import DataType

from warp import warp

NOON = datetime(2024, 6, 21, 12, 0, 0)  # noqa: DTZ001  # what the clock on the wall shows
MIDNIGHT = NOON.replace(hour=0)
FLOATS = [info for info in registry.match("g_sync") if len(info.encode(0.0)) == 4]
SOC_MIN = registry["power_mng.soc_min"]
TEXT = registry["android_description"]
SERIAL = registry["inverter_sn"]


class Ear:
    """A plain connection that keeps all bytes it gets, in the time they come."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.raw = b""
        self.ended = False
        self._hearing = asyncio.create_task(self._hear())

    async def _hear(self) -> None:
        try:
            while data := await self.reader.read(65536):
                self.raw += data
        except ConnectionError:
            pass
        self.ended = True

    def ask(self, *requests: Frame) -> None:
        """Ask in one segment."""
        self.writer.write(b"".join(request.encode() for request in requests))

    async def close(self) -> None:
        self.writer.transport.abort()
        await self._hearing

    @property
    def events(self) -> list[ParserEvent]:
        parser = FrameParser()
        return parser.feed(self.raw) + parser.close()

    @property
    def frames(self) -> list[Frame]:
        return [event for event in self.events if isinstance(event, Frame)]


class House:
    """A simulator, and what it said about its faults."""

    def __init__(self, spec: str = "", **options: Any) -> None:
        self.truth: list[Happened] = []
        quiet: dict[str, Any] = {"port": 0, "latency": 0.05, "broadcast": False, "speed": 0.0, "start": NOON}
        quiet |= {"faults": parse_faults(spec), "truth": self.truth.append}
        self.simulator = Simulator(**(quiet | options))
        self.ears: list[Ear] = []

    async def connect(self) -> Ear:
        ear = Ear(*await asyncio.open_connection("127.0.0.1", self.simulator.port))
        self.ears.append(ear)
        await asyncio.sleep(0.001)  # until the simulator knows it
        return ear

    async def is_refused(self) -> bool:
        try:
            ear = await self.connect()
        except ConnectionRefusedError:
            return True
        await ear.close()
        return False


@asynccontextmanager
async def house(spec: str = "", **options: Any) -> AsyncIterator[House]:
    it = House(spec, **options)
    async with it.simulator:
        try:
            yield it
        finally:
            for ear in it.ears:
                await ear.close()


def warped(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test on the clock that jumps over the waiting."""

    @functools.wraps(test)
    def run(*args: Any, **options: Any) -> None:
        warp(test(*args, **options))

    return run


def read(info: Any, address: int | None = None) -> Frame:
    return (
        Frame(Command.READ, info.object_id)
        if address is None
        else Frame(Command.PLANT_READ, info.object_id, b"", address)
    )


async def interview(ear: Ear, requests: Iterable[Frame], pause: float = 0.2) -> None:
    """Ask one after the other, as a patient client."""
    for request in requests:
        ear.ask(request)
        await asyncio.sleep(pause)


def healed(raw: bytes, truth: Sequence[Happened]) -> bytes:
    """Return what a healthy line would have said, of what was heard and what is known to have happened."""
    out, at = b"", 0
    for happened in truth:
        if happened.connection is None:
            assert raw[happened.offset : happened.offset + len(happened.sent)] == happened.sent
            out += raw[at : happened.offset] + happened.whole
            at = happened.offset + len(happened.sent)
    return out + raw[at:]


# --- the table ---


def test_meanings_are_there_for_every_fault() -> None:
    assert list(FAULTS) == [part.name for part in fields(Faults)]
    assert all(fault.meaning for fault in FAULTS.values())
    assert str(Faults()) == ""


def values(fault: Fault) -> st.SearchStrategy[float]:
    kinds: dict[Any, st.SearchStrategy[float]] = {
        SHARE: st.sampled_from([0.0, 0.05, 0.1]),
        DURATION: st.sampled_from([0.0, 0.25, 43.0, 300.0]),
        COUNT: st.sampled_from([n for n in range(10) if fault.least <= n <= fault.most]),
    }
    return kinds[fault.kind]


@given(st.fixed_dictionaries({name: values(fault) for name, fault in FAULTS.items()}))
def test_faults_are_read_as_they_are_shown(given: dict[str, Any]) -> None:
    faults = Faults(**given)
    assert parse_faults(str(faults)) == faults


PARSED = [  # text, what it is upon a base of cut=0.5
    ("", Faults(cut=0.5)),
    ("cut=0", Faults()),
    (" late = 0.05 , idle=5m,", Faults(cut=0.5, late=0.05, idle=300)),
    ("silent=43", Faults(cut=0.5, silent=43)),
    ("clock=-1h,night=1,connections=5", Faults(cut=0.5, clock=-3600, night=1, connections=5)),
]


@pytest.mark.parametrize(("text", "faults"), PARSED)
def test_what_is_written(text: str, faults: Faults) -> None:
    assert parse_faults(text, Faults(cut=0.5)) == faults


WRONG = [  # text, what is said
    ("cutt=0.1", "fault cutt: unknown key, did you mean 'cut'?"),
    ("cut", "fault cut: expected a share from 0 to 1, as in cut=…"),
    ("cut=", "fault cut: expected a share from 0 to 1, got ''"),
    ("cut=1.1", "fault cut: expected a share from 0 to 1, got 1.1"),
    ("cut=nan", "fault cut: expected a share from 0 to 1, got nan"),
    ("cut=-0.1", "fault cut: expected a share from 0 to 1, got -0.1"),
    ("idle=soon", "fault idle: expected a duration such as 43s or 5m, got 'soon'"),
    ("idle=-5s", "fault idle: expected a duration such as 43s or 5m, got -5"),
    ("towers=3", "fault towers: expected a whole number from 1 to 2, got 3"),
    ("slaves=1.5", "fault slaves: expected a whole number from 0 to 9, got '1.5'"),
    ("cut=0.6,lost=0.6", f"faults of frames: {', '.join(PER_FRAME)} are 1.2 together, and can be 1 at most"),
]


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_wrong_faults_are_said_in_one_line(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_faults(text)
    assert str(caught.value) == message


# --- frames ---


def image(frame: Frame) -> bytes:
    return b"\0" + frame.encode()


def check_cut(sent: bytes, whole: bytes) -> None:
    assert whole.startswith(sent)
    assert 0 < len(sent) < len(whole)


def check_late(sent: bytes, whole: bytes) -> None:
    assert whole.startswith(sent)
    assert len(sent) < len(whole)


def check_lost(sent: bytes, _whole: bytes) -> None:
    assert sent == b""


def check_doubled(sent: bytes, whole: bytes) -> None:
    assert sent == 2 * whole


def check_length(sent: bytes, whole: bytes) -> None:
    assert not any(isinstance(event, Frame) for event in FrameParser().feed(sent))
    assert sent[:3] == whole[:3]
    assert sent[3:] != whole[3:]


def check_garbage(sent: bytes, whole: bytes) -> None:
    (old,), (new,) = FrameParser().feed(whole), FrameParser().feed(sent)
    assert isinstance(old, Frame)
    assert isinstance(new, Frame)
    assert replace(new, payload=b"") == replace(old, payload=b"")
    assert new.payload.partition(b"\0")[0] == old.payload.partition(b"\0")[0]
    assert len(new.payload) == 64


def check_prefix(prefix: bytes) -> Callable[[bytes, bytes], None]:
    def check(sent: bytes, whole: bytes) -> None:
        assert sent == prefix + whole

    return check


FRAMES: dict[str, Callable[[bytes, bytes], None]] = {  # what is sent in place of a frame, and the frame
    "cut": check_cut,
    "late": check_late,
    "lost": check_lost,
    "doubled": check_doubled,
    "length": check_length,
    "garbage": check_garbage,
    "echo": check_prefix(read(TEXT).encode()),
    "plus": check_prefix(b"+++"),
    "at": check_prefix(b"AT+\r"),
}


@pytest.mark.parametrize("fault", PER_FRAME)
@warped
async def test_frames_are_struck_by(fault: str) -> None:
    async with house(f"{fault}=1") as it:
        ear = await it.connect()
        begin = b"AT+\r" if fault == "at" else b""
        await interview(ear, [read(TEXT)] * 40)
        struck = [happened for happened in it.truth if happened.whole]
        assert len(struck) == 40 == it.simulator.happened[fault] - bool(begin)
        assert {(happened.fault, happened.object_id) for happened in struck} == {(fault, TEXT.object_id)}
        for happened in struck:
            FRAMES[fault](happened.sent, happened.whole)
        assert ear.raw == begin + b"".join(happened.sent for happened in it.truth if happened.connection is None)
        assert len({happened.sent for happened in struck}) > 1 or fault in ("lost", "doubled", "echo", "plus", "at")


@warped
async def test_late_parts_come_once_within_three_frames_and_in_mid_frame() -> None:
    async with house("late=1") as it:
        await interview(await it.connect(), [read(info) for info in registry if info.data_type is DataType.FLOAT][:60])
        frames = [happened for happened in it.truth if happened.whole]
        assert len({happened.sent[:1] for happened in frames}) == 2  # the whole, and only a part
        waited = set()
        for happened in frames[:-3]:
            (came,) = [other for other in it.truth if other.object_id == happened.object_id and not other.whole]
            assert came.sent == happened.whole.removeprefix(happened.sent)
            between = it.truth[it.truth.index(happened) + 1 : it.truth.index(came)]
            waited.add(sum(bool(other.whole) for other in between))
        assert waited == {0, 1, 2}
        assert it.simulator.happened == {"late": 60}  # each is counted once


@warped
async def test_garbage_is_at_times_the_image_of_a_frame_and_no_value_changes() -> None:
    async with house("garbage=1") as it:
        ear = await it.connect()
        await interview(ear, [read(TEXT), read(SERIAL), read(FLOATS[0])] * 20)
        assert it.simulator.happened == {"garbage": 40}  # a number has no place for it
        images = [frame for frame in ear.frames if registry["battery.soc"].object_id.to_bytes(4) in frame.payload]
        assert 5 < len(images) < 35
        assert len(ear.frames) == 60
        assert {TEXT.decode(frame.payload) for frame in ear.frames if frame.object_id == TEXT.object_id} == {
            TEXT.decode(it.simulator.inverter.payload(TEXT))
        }


@warped
async def test_lengths_are_wrong_both_ways_in_short_and_long_frames() -> None:
    page = registry["logger.minutes_soc_log_ts"]
    for request, size in ((read(FLOATS[0]), 1), (Frame(Command.WRITE, page.object_id, bytes.fromhex("66756a00")), 2)):
        async with house("length=1") as it:
            ear = await it.connect()
            await interview(ear, [request] * 20, 0.6)
            pairs = [(happened.whole[3 : 3 + size], happened.sent[3 : 3 + size]) for happened in it.truth]
            assert len(pairs) == 20
            assert {sent > whole for whole, sent in pairs} == {True, False}
            assert ear.frames == []


@warped
async def test_an_echo_is_of_reads_only() -> None:
    async with house("echo=1") as it:
        ear = await it.connect()
        await interview(ear, [read(SOC_MIN), Frame(Command.WRITE, SOC_MIN.object_id, SOC_MIN.encode(0.2))])
        assert it.simulator.happened == {"echo": 1}
        assert [frame.command for frame in ear.frames] == [Command.READ, Command.RESPONSE, Command.RESPONSE]


# --- all together ---

MIXED = ",".join(f"{name}=0.08" for name in PER_FRAME) + ",rare=10s,unacknowledged=0.3"


def questions() -> list[Frame]:
    write = Frame(Command.WRITE, SOC_MIN.object_id, SOC_MIN.encode(0.07))
    return [*[read(info) for info in registry][:300], *[read(TEXT), write] * 20, *map(read, FLOATS * 2)]


async def heard(spec: str, **options: Any) -> tuple[bytes, list[Happened]]:
    async with house(spec, **options) as it:
        ear = await it.connect()
        await interview(ear, questions())
        return ear.raw, it.truth


@warped
async def test_a_healthy_line_says_each_answer_and_nothing_else() -> None:
    raw, _ = await heard("")
    inverter = House().simulator.inverter
    assert raw == b"".join(image(answer) for question in questions() if (answer := inverter.answer(question)))


@warped
async def test_truth_turns_what_was_heard_into_what_a_healthy_inverter_says() -> None:
    plain, nothing = await heard("")
    assert nothing == []
    raw, truth = await heard(MIXED)
    assert {happened.fault for happened in truth} == {*PER_FRAME, "rare", "unacknowledged"}
    begin = b"".join(happened.sent for happened in truth if happened.connection is not None)
    assert raw.startswith(begin)
    assert raw != plain
    assert healed(raw.removeprefix(begin), truth) == plain


@warped
async def test_the_same_seed_makes_the_same_faults_byte_for_byte() -> None:
    (raw, truth), (again, same), (other, _) = [await heard(MIXED, seed=seed) for seed in (3, 3, 4)]
    assert raw == again != other
    assert [replace(happened, time=0.0) for happened in truth] == [replace(happened, time=0.0) for happened in same]


@warped
async def test_shares_are_shares() -> None:
    async with house("cut=0.2,lost=0.1") as it:
        await interview(await it.connect(), [read(FLOATS[0])] * 1000)
        assert 160 < it.simulator.happened["cut"] < 240
        assert 70 < it.simulator.happened["lost"] < 130


@warped
async def test_faults_can_be_changed_at_any_time() -> None:
    async with house() as it:
        ear = await it.connect()
        await interview(ear, [read(SERIAL)] * 5)
        it.simulator.faults = Faults(lost=1)
        await interview(ear, [read(SERIAL)] * 5)
        it.simulator.faults = HEALTHY
        await interview(ear, [read(SERIAL)] * 5)
        assert len(ear.frames) == 10
        with pytest.raises(ConfigError, match="fault slaves: cannot change while it runs"):
            it.simulator.faults = Faults(slaves=1)


@warped
async def test_every_client_of_the_bridge_gets_the_same_faults() -> None:
    async with house(MIXED.replace("at=0.08", "at=0")) as it:
        one, two = await it.connect(), await it.connect()
        await interview(one, questions()[:100])
        assert one.raw == two.raw


# --- requests ---


@warped
async def check_stub() -> None:
    async with house("stub=1") as it:
        ear = await it.connect()
        await interview(ear, [read(info) for info in FLOATS[:10]])
        assert [len(frame.payload) for frame in ear.frames] == [4] * 10  # alone, nothing is cut
        assert it.truth == []
        for first, second in pairwise(FLOATS[:11]):
            ear.ask(read(first))
            await asyncio.sleep(0.03)
            ear.ask(read(second))
            await asyncio.sleep(0.3)
        frames = ear.frames[10:]
        assert [registry[frame.object_id] for frame in frames] == [
            info for pair in pairwise(FLOATS[:11]) for info in pair
        ]
        assert all(len(frame.payload) < 4 for frame in frames[::2])
        assert all(len(frame.payload) == 4 for frame in frames[1::2])
        assert all(isinstance(read_frame(frame, 0, ""), BadReading) for frame in frames[::2])
        assert it.simulator.happened == {"stub": 10}
        assert healed(ear.raw, it.truth) == b"".join(
            image(replace(frame, payload=it.simulator.inverter.payload(registry[frame.object_id])))
            for frame in ear.frames
        )
        # A long answer can be cut while it is on the line, until its end.
        page = registry["logger.minutes_soc_log_ts"]
        for pause, cut in ((0.07, 1), (0.3, 0)):
            it.truth.clear()
            ear.ask(Frame(Command.WRITE, page.object_id, bytes.fromhex("66756a00")))
            await asyncio.sleep(pause)
            ear.ask(read(SERIAL))
            await asyncio.sleep(0.3)
            assert [happened.object_id for happened in it.truth] == [page.object_id] * cut


@warped
async def check_segment() -> None:
    async with house("segment=1") as it:
        ear = await it.connect()
        for _ in range(40):
            ear.ask(*[read(info) for info in FLOATS[:3]])
            await asyncio.sleep(0.3)
        answered = len(ear.frames)
        assert 0 < answered < 40
        assert {frame.object_id for frame in ear.frames} == {FLOATS[0].object_id}
        assert it.simulator.happened == {"segment": 120 - answered}
        assert {(happened.connection, happened.whole, happened.sent) for happened in it.truth} == {(1, b"", b"")}
        await interview(ear, [read(FLOATS[0])] * 3)
        assert len(ear.frames) == answered + 3


@warped
async def check_hung() -> None:
    async with house() as it:
        one, two = await it.connect(), await it.connect()
        one.ask(read(SERIAL))
        await asyncio.sleep(0.01)
        it.simulator.faults = Faults(hung=1)
        two.ask(read(TEXT))
        await asyncio.sleep(1)
        it.simulator.faults = HEALTHY
        late = await it.connect()  # connections are still taken
        await interview(late, [read(TEXT)] * 3, 10.0)
        assert one.raw == two.raw == late.raw == b""
        assert it.simulator.happened == {"hung": 5}
        # The request that hung it, the answer that was due, and what was asked meanwhile.
        assert [(happened.connection, bool(happened.whole)) for happened in it.truth] == [
            (2, False), (None, True), (3, False), (3, False), (3, False),
        ]  # fmt: skip
        assert [ear.ended for ear in (one, two, late)] == [False, False, False]
        await asyncio.sleep(30)
        await interview(late, [read(TEXT)])
        assert [len(ear.frames) for ear in (one, two, late)] == [1, 1, 1]
        # What hangs cannot hang again, so it ends a minute after its begin.
        it.simulator.faults = Faults(hung=1)
        await interview(late, [read(TEXT)] * 2, 25)
        it.simulator.faults = HEALTHY
        await asyncio.sleep(11)
        await interview(late, [read(TEXT)])
        assert len(late.frames) == 2


@warped
async def check_unwritten() -> None:
    async with house("unwritten=1") as it:
        ear = await it.connect()
        before = it.simulator.inverter.payload(SOC_MIN)
        await interview(ear, [Frame(Command.WRITE, SOC_MIN.object_id, SOC_MIN.encode(0.2)), read(SOC_MIN)])
        assert [frame.payload for frame in ear.frames] == [before]
        assert it.simulator.happened == {"unwritten": 1}
        await interview(ear, [Frame(Command.WRITE, registry["logger.minutes_soc_log_ts"].object_id, bytes(4))])
        assert len(ear.frames) == 2  # to ask for history is not to write


@warped
async def check_unacknowledged() -> None:
    async with house("unacknowledged=1") as it:
        ear = await it.connect()
        await interview(ear, [Frame(Command.WRITE, SOC_MIN.object_id, SOC_MIN.encode(0.2)), read(SOC_MIN)])
        assert [frame.payload for frame in ear.frames] == [SOC_MIN.encode(0.2)]
        assert it.simulator.happened == {"unacknowledged": 1}
        assert healed(ear.raw, it.truth) == 2 * image(ear.frames[0])


@warped
async def check_rare() -> None:
    async with house("rare=3m") as it:
        ear = await it.connect()
        infos = list(registry)[:200]
        answers = []
        for pause in (0.2, 0.2, 180.0):
            before = len(ear.frames)
            await interview(ear, map(read, infos))
            answers.append({frame.object_id for frame in ear.frames[before:]})
            await asyncio.sleep(pause)
        before = len(ear.frames)
        await interview(ear, map(read, infos))
        assert len(answers[0]) == len(ear.frames) - before == 200
        assert 5 < 200 - len(answers[1]) < 40
        assert answers[1] == answers[2]


# --- connections ---


@warped
async def check_silent() -> None:
    async with house("silent=60s") as it:
        old = await it.connect()
        await interview(old, [read(SERIAL)])
        await asyncio.sleep(60)
        new = await it.connect()
        await interview(old, [read(SERIAL)] * 10)
        assert (len(old.frames), len(new.frames)) == (1, 10)
        assert not old.ended
        assert {happened.connection for happened in it.truth} == {1}
        assert b"".join(happened.whole for happened in it.truth) == new.raw


@warped
async def check_idle() -> None:
    async with house("idle=5m") as it:
        mute, asks = await it.connect(), await it.connect()
        await interview(asks, [read(SERIAL)] * 4, 100)
        assert (mute.ended, asks.ended) == (True, False)
        assert [(happened.fault, happened.connection) for happened in it.truth] == [("idle", 1)]
        await asyncio.sleep(250)
        assert asks.ended


@warped
async def check_slow() -> None:
    async with house("slow=43s") as it:
        asks = await it.connect()
        for _ in range(5):
            await it.connect()
        await interview(asks, [read(SERIAL)] * 45, 1.0)
        assert len(asks.frames) == 45
        counts = [len(ear.frames) for ear in it.ears[1:]]
        assert len(set(counts)) == 5
        assert all(2 <= count < 45 for count in counts)
        assert it.simulator.happened == {"slow": 5 * 45 - sum(counts)}


@warped
async def check_connections() -> None:
    async with house("connections=2") as it:
        one, two, three = [await it.connect() for _ in range(3)]
        await asyncio.sleep(0.1)
        assert [ear.ended for ear in (one, two, three)] == [False, False, True]
        assert [(happened.fault, happened.connection) for happened in it.truth] == [("connections", 3)]
        await one.close()
        await asyncio.sleep(0.1)
        four = await it.connect()
        await interview(four, [read(SERIAL)])
        assert len(four.frames) == 1


# --- the device ---


@warped
async def check_package() -> None:
    async with house("package=1s") as it:
        ear = await it.connect()
        await asyncio.sleep(60)
        assert 50 <= len(ear.frames) <= 62
        package = registry["net.package"].object_id
        assert {(frame.command, frame.object_id, len(frame.payload)) for frame in ear.frames} == {
            (Command.WRITE, package, 36)
        }
        assert it.truth == []  # chatter, but nothing wrong


@warped
async def check_clock() -> None:
    async with house("clock=-1h") as it:
        assert it.simulator.inverter.clock_off == -3600
        it.simulator.faults = Faults(clock=10)
        assert it.simulator.inverter.clock_off == 10


@warped
async def check_night() -> None:
    async with house("night=1", start=MIDNIGHT.replace(hour=20), speed=1.0) as it:
        ear = await it.connect()
        await asyncio.sleep(4 * 3600)
        assert ear.ended
        assert await it.is_refused()
        assert it.simulator.happened == {"night": 1}
        await asyncio.sleep(8 * 3600)
        ear = await it.connect()
        await interview(ear, [read(SERIAL)])
        assert len(ear.frames) == 1


def passed_on(fault: str) -> Callable[[], None]:
    """What is settled at the start is up to the inverter."""

    @warped
    async def check() -> None:
        given: list[tuple[int, ...]] = []

        def with_past(seed: int, start: int, slaves: int, towers: int) -> Inverter:
            given.append((slaves, towers))
            return ORIGINAL(seed, start, slaves, towers)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Inverter, "with_past", with_past)
            async with house(f"{fault}=2"):
                pass
        assert given == [(2, 1) if fault == "slaves" else (0, 2)]

    return check


ORIGINAL = Inverter.with_past
OTHERS: dict[str, Callable[[], None]] = {
    "stub": check_stub,
    "segment": check_segment,
    "hung": check_hung,
    "unwritten": check_unwritten,
    "unacknowledged": check_unacknowledged,
    "rare": check_rare,
    "silent": check_silent,
    "idle": check_idle,
    "slow": check_slow,
    "connections": check_connections,
    "package": check_package,
    "slaves": passed_on("slaves"),
    "towers": passed_on("towers"),
    "clock": check_clock,
    "night": check_night,
}


@pytest.mark.parametrize("fault", [name for name in FAULTS if name not in PER_FRAME])
def test_fault(fault: str) -> None:
    OTHERS[fault]()


# --- events ---


@warped
async def test_a_reboot_cuts_connections_and_forgets_what_was_written() -> None:
    async with house() as it:
        ear = await it.connect()
        before = it.simulator.inverter.payload(SOC_MIN)
        await interview(ear, [Frame(Command.WRITE, SOC_MIN.object_id, SOC_MIN.encode(0.2))])
        ear.ask(read(SOC_MIN))
        it.simulator.reboot()
        assert not it.simulator.reachable
        await asyncio.sleep(20)
        assert ear.ended
        assert len(ear.frames) == 1  # what was still to be said never is
        assert await it.is_refused()
        await asyncio.sleep(11)
        again = await it.connect()
        await interview(again, [read(SOC_MIN)])
        assert [frame.payload for frame in again.frames] == [before]
        assert it.simulator.happened == {"reboot": 1}


@warped
async def test_what_was_due_or_late_before_a_reboot_never_comes() -> None:
    async with house("late=1", latency=5.0) as it:
        ear = await it.connect()
        ear.ask(read(SERIAL))
        await asyncio.sleep(6)
        ear.ask(read(TEXT))
        await asyncio.sleep(1)
        it.simulator.reboot(1)
        it.simulator.faults = HEALTHY
        await asyncio.sleep(2)
        again = await it.connect()
        await interview(again, [read(SOC_MIN)], 10)
        assert [frame.object_id for frame in again.frames] == [SOC_MIN.object_id]


@warped
async def test_it_says_nothing_while_it_is_off() -> None:
    async with house("lost=1", broadcast=True) as it:
        it.simulator.night()
        await asyncio.sleep(100)
        assert it.simulator.happened == {"night": 1}


@warped
async def test_a_script_says_what_happens_when() -> None:
    script = (
        Step(10, Faults(lost=1)),
        Step(20, HEALTHY),
        Step(32, event="drop"),
        Step(42, event="night"),
        Step(62, event="day"),
        Step(72, event="hang", seconds=5),
        Step(82, event="reboot", seconds=5),
    )
    async with house(script=script) as it:
        serving = asyncio.create_task(it.simulator.serve())
        ear = await it.connect()
        seen: list[int | str] = []
        for _ in range(19):  # asked at 1 s, 6 s, 11 s and so on
            await asyncio.sleep(1)
            if ear.ended and not await it.is_refused():
                ear = await it.connect()
            before = len(ear.frames)
            if not ear.ended:
                ear.ask(read(SERIAL))
            await asyncio.sleep(4)
            seen.append("off" if ear.ended else len(ear.frames) - before)
        assert seen == [1, 1, 0, 0, 1, 1, "off", 1, *["off"] * 5, 1, 1, 0, "off", "off", 1]
        assert not serving.done()
        serving.cancel()
    assert it.simulator.happened == {"lost": 2, "drop": 1, "night": 1, "hung": 1, "reboot": 1}


@warped
async def test_it_can_be_closed_while_it_is_off() -> None:
    async with house() as it:
        it.simulator.night()
        it.simulator.night()
        assert not it.simulator.reachable
    assert asyncio.all_tasks() == {asyncio.current_task()}


# --- firmware ---


@pytest.mark.parametrize("name", FIRMWARE)
@warped
async def test_firmware(name: str) -> None:
    version = FIRMWARE[name]
    info = registry["svnversion"]
    async with house(firmware=name, faults=None, broadcast=True) as it:
        assert it.simulator.faults == version.faults
        assert info.decode(it.simulator.inverter.payload(info)) == version.version
        ear = await it.connect()
        for _ in range(5):
            await interview(ear, [read(FLOATS[0])], 31)
        unasked = {registry[frame.object_id].name for frame in ear.frames} - {FLOATS[0].name}
        if version.unasked is None:
            assert unasked == set()
        else:
            assert "net.slave_data" in unasked
            assert (len(unasked) > 60) == (name != "2.3.5661")


@warped
async def test_old_firmware_answers_not_half_of_what_it_is_asked() -> None:
    async with house(firmware="old", faults=None) as it:
        ear = await it.connect()
        await interview(ear, [read(FLOATS[0])] * 500)
        assert 0.4 <= len(ear.frames) / 500 <= 0.5


def test_given_faults_stand_above_those_of_the_firmware() -> None:
    assert Simulator(firmware="2.3.5685", faults=HEALTHY).faults == HEALTHY
    with pytest.raises(KeyError):
        Simulator(firmware="1")


# --- the log ---


def test_a_record_as_json() -> None:
    record = Happened(1.5, "cut", None, TEXT.object_id, 7, b"\0+", b"\0")
    assert json.loads(record.as_json(1_700_000_000_000_000_000)) == {
        "time": "2023-11-14T22:13:21.500000000+00:00", "fault": "cut", "connection": None,
        "object": "android_description", "offset": 7, "whole": "002b", "sent": "00",
    }  # fmt: skip
    assert json.loads(Happened(0.0, "idle", 3, None, 7).as_json(0))["object"] is None
