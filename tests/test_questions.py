"""What is asked of an inverter: in turn, once for all who want it, again where that is right, and written once only."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from random import Random

import pytest

from rct_tools.capture import Chunk, Direction
from rct_tools.client import Client, connect
from rct_tools.errors import ConnectionLost, EncodeError, NoAnswer, WriteRefused
from rct_tools.frame import Command, Frame
from rct_tools.objects import ObjectInfo, registry
from rct_tools.question import MORE_ATTEMPTS, Origin
from rct_tools.questions import ATTEMPTS, PROBE
from rct_tools.sentence import Sentence
from rct_tools.simulator.inverter import Inverter

from guests import NOW, until
from peers import Script, peer, requests, response
from warp import warped

SOC = registry["battery.soc"]
MIN = registry["power_mng.soc_min"]
TEXT = registry["android_description"]
SERIES = registry["logger.minutes_soc_log_ts"]
NUMBERS = [info for info in registry.match("g_sync") if info.data_type is SOC.data_type]


def client(port: int, **options: object) -> Client:
    return connect("127.0.0.1", port, name="roof", pause=lambda _: 0.001, **options)  # type: ignore[arg-type]


def answering(
    answer: Callable[[Frame], bytes | None], asked: list[Frame] | None = None, latency: float = 0.06
) -> Script:
    """Return a script that takes one request at a time."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for frame in requests(reader):
            if asked is not None:
                asked.append(frame)
            await asyncio.sleep(latency)
            writer.write(answer(frame) or b"")

    return script


def zero(frame: Frame) -> bytes:
    """Return an answer with nothing in it that fits."""
    command = Command.PLANT_RESPONSE if frame.command.is_plant else Command.RESPONSE
    payload = b"1\0" if registry.describe(frame.object_id).data_type is TEXT.data_type else bytes(4)
    return b"\0" + Frame(command, frame.object_id, payload, frame.address).encode()


# --- who asks -------------------------------------------------------------------------------------------------------


@warped
async def test_each_asker_has_its_turn() -> None:
    asked: list[Frame] = []
    async with peer(answering(zero, asked)) as port, client(port) as inverter:
        many = [inverter.ask(info, asker="greedy") for info in NUMBERS]
        assert len(many) > 15
        await until(lambda: len(asked) == 3)
        await inverter.ask(SOC, asker="modest")
        assert len(asked) < 8
        await asyncio.gather(*many)
        assert len(asked) == len(NUMBERS) + 1


@warped
async def test_all_who_ask_for_the_same_share_the_answer() -> None:
    async with peer(answering(zero)) as port, client(port) as inverter:
        first, second = inverter.ask(SOC, asker="A"), inverter.ask(SOC, asker="B")
        assert first is second
        assert inverter.ask(SOC, address=7, asker="A") is not first
        assert inverter.ask(SERIES, NOW) is inverter.ask(SERIES, NOW)
        assert inverter.ask(SERIES, NOW) is not inverter.ask(SERIES, NOW - 1)
        await first
        assert inverter.ask(SOC) is not first


@warped
async def test_who_leaves_is_not_asked_for() -> None:
    asked: list[Frame] = []
    async with peer(answering(zero, asked)) as port, client(port) as inverter:
        first = inverter.ask(SOC, asker="A")
        others = [inverter.ask(info, asker="A") for info in NUMBERS]
        shared = inverter.ask(NUMBERS[3], asker="B")
        inverter.leave("A")
        inverter.leave("nobody")
        assert shared is others[3]
        assert [future.cancelled() for future in others].count(False) == 1
        await shared
        await first  # it was under way
        await asyncio.sleep(20)
        assert [frame.object_id for frame in asked] == [SOC.object_id, NUMBERS[3].object_id]
        assert not inverter._questions._open


@warped
async def test_what_is_under_way_for_nobody_is_asked_once() -> None:
    asked: list[Frame] = []
    async with peer(answering(lambda _: None, asked)) as port, client(port) as inverter:
        inverter.ask(SOC, asker="A")
        await until(lambda: asked)
        inverter.leave("A")
        await asyncio.sleep(20)
        assert len(asked) == 1
        assert not inverter._questions._open


@warped
async def test_nothing_is_kept_for_nobody_over_a_lost_connection() -> None:
    sessions = 0

    async def script(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        nonlocal sessions
        sessions += 1
        async for _ in requests(reader):
            await asyncio.sleep(0.5)
            return

    async with peer(script) as port, client(port) as inverter:
        inverter.ask(SERIES, NOW, asker="A")
        inverter.leave("A")
        await until(lambda: sessions == 2 and inverter.connected)
        assert not inverter._questions._open


@warped
async def test_members_of_a_plant_are_told_apart() -> None:
    def answer(frame: Frame) -> bytes:
        payload = SOC.encode(frame.address / 100)
        foreign = Frame(Command.PLANT_RESPONSE, SOC.object_id, SOC.encode(0.99), 3)
        return foreign.encode() + Frame(Command(frame.command + 4), SOC.object_id, payload, frame.address).encode()

    asked: list[Frame] = []
    async with peer(answering(answer, asked)) as port, client(port) as inverter:
        replies = await asyncio.gather(*(inverter.ask(SOC, address=address) for address in (0, 1, 2)))
    assert [reply.reading.inverter for reply in replies] == ["roof", "roof/00000001", "roof/00000002"]
    assert [round(float(str(reply.reading.value)), 2) for reply in replies] == [0.0, 0.01, 0.02]
    assert [(frame.command, frame.address) for frame in asked] == [
        (Command.READ, 0),
        (Command.PLANT_READ, 1),
        (Command.PLANT_READ, 2),
    ]


# --- writing --------------------------------------------------------------------------------------------------------


def is_write(frame: Frame) -> bool:
    return frame.command in (Command.WRITE, Command.PLANT_WRITE)


def acknowledge(frame: Frame) -> bytes:
    return Frame(Command(frame.command + 3), frame.object_id, frame.payload, frame.address).encode()


@warped
async def test_a_write_is_sent_once_and_alone() -> None:
    asked: list[Frame] = []
    under_way = 0

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()

        def answer(frame: Frame) -> None:
            nonlocal under_way
            under_way -= 1
            writer.write(acknowledge(frame) if is_write(frame) else zero(frame))

        nonlocal under_way
        async for frame in requests(reader):
            assert not (under_way and is_write(frame))
            assert not (asked and is_write(asked[-1]) and under_way)
            under_way += 1
            asked.append(frame)
            loop.call_later(0.06, answer, frame)

    async with peer(script) as port, client(port) as inverter:
        await asyncio.gather(*(inverter.ask(info) for info in NUMBERS))  # so that it takes several at a time
        reads = [inverter.ask(info, asker="A") for info in NUMBERS]
        payload = MIN.encode(0.5)
        first = inverter.send_write(MIN, payload, asker="B")
        assert inverter.send_write(MIN, payload, asker="C") is first
        inverter.leave("B")
        assert (await first).frame == Frame(Command.RESPONSE, MIN.object_id, payload)
        await asyncio.gather(*reads)
        await inverter.send_write(MIN, payload, address=7)
    assert [frame for frame in asked if is_write(frame)] == [
        Frame(Command.WRITE, MIN.object_id, payload),
        Frame(Command.PLANT_WRITE, MIN.object_id, payload, 7),
    ]


@warped
async def test_what_is_acknowledged_may_be_another_value() -> None:
    def answer(_: Frame) -> bytes:
        return response(MIN.name, 0.25)

    async with peer(answering(answer)) as port, client(port) as inverter:
        assert (await inverter.send_write(MIN, MIN.encode(0.5))).reading.value == 0.25


@warped
async def test_a_write_without_acknowledgement_is_not_repeated() -> None:
    asked: list[Frame] = []
    async with peer(answering(lambda _: None, asked)) as port, client(port) as inverter:
        for value in (0.5, 0.6, 0.7, 0.8, 0.9, 1.0):
            with pytest.raises(NoAnswer):
                await inverter.send_write(MIN, MIN.encode(value))
        await asyncio.sleep(20)
        assert inverter.counters.reconnects == inverter.counters.retries == 0
    assert [frame.payload for frame in asked] == [MIN.encode(value) for value in (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)]


@warped
async def test_a_write_is_not_repeated_on_a_bad_line_either() -> None:
    line = Lossy(0.5)
    writes: list[Frame] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for frame in requests(reader):
            if is_write(frame):
                writes.append(frame)
            elif line.chance.random() > line.lost:
                writer.write(zero(frame))

    async with peer(script) as port, client(port) as inverter:
        await inverter.read_many([info.name for info in NUMBERS])
        assert inverter._questions._repeated > 0.1
        with pytest.raises(NoAnswer):
            await inverter.send_write(MIN, MIN.encode(0.5))
        await asyncio.sleep(20)
    assert len(writes) == 1


@warped
async def test_a_cut_acknowledgement_is_none() -> None:
    asked: list[Frame] = []
    stub = Frame(Command.RESPONSE, MIN.object_id, b"\x3f").encode()
    async with peer(answering(lambda _: stub, asked)) as port, client(port) as inverter:
        began = asyncio.get_running_loop().time()
        with pytest.raises(NoAnswer):
            await inverter.send_write(MIN, MIN.encode(0.5))
        assert asyncio.get_running_loop().time() - began >= 1  # it may still come
        assert len(asked) == 1


@warped
async def test_a_write_ends_with_its_connection() -> None:
    asked: list[Frame] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for frame in requests(reader):
            asked.append(frame)
            if is_write(frame):
                return
            writer.write(zero(frame))

    async with peer(script) as port, client(port, tries=None) as inverter:
        await inverter.read(SOC.name)
        sent = inverter.send_write(MIN, MIN.encode(0.5))
        waiting = inverter.send_write(MIN, MIN.encode(0.6))
        for future in (sent, waiting):
            with pytest.raises(ConnectionLost, match=r"lost when power_mng\.soc_min was to be written; read it back$"):
                await future
        assert not inverter.connected
        with pytest.raises(ConnectionLost, match=r"no connection, so power_mng\.soc_min was not written$"):
            inverter.send_write(MIN, MIN.encode(0.5))
        await inverter.read(SOC.name)
        await asyncio.sleep(20)
    assert [frame.payload for frame in asked if is_write(frame)] == [MIN.encode(0.5)]


@warped
async def test_a_write_is_sent_though_its_client_has_left() -> None:
    asked: list[Frame] = []
    async with peer(answering(zero, asked)) as port, client(port) as inverter:
        reading = inverter.ask(SOC)
        write = inverter.send_write(MIN, MIN.encode(0.5), asker="A")
        inverter.leave("A")  # some clients write and hang up
        await reading
        await write
    assert sum(map(is_write, asked)) == 1


@pytest.mark.parametrize("name", ["com_service", "pas.period"])
async def test_some_things_are_never_written(name: str) -> None:
    asked: list[Frame] = []
    async with peer(answering(zero, asked)) as port, client(port) as inverter:
        for address in (0, 7):
            with pytest.raises(WriteRefused, match=f"^{name}: is never written"):
                inverter.send_write(registry[name], bytes(4), address=address)
    assert asked == []


async def test_what_fits_no_frame_is_not_written() -> None:
    async with peer(answering(zero)) as port, client(port) as inverter:
        with pytest.raises(EncodeError, match="does not fit"):
            inverter.send_write(TEXT, bytes(300))
        assert not inverter._questions._open


# --- why something came ---------------------------------------------------------------------------------------------


@warped
async def test_everything_that_comes_is_overheard_with_its_reason() -> None:
    told = response("battery.voltage", 400.0)  # newer firmware tells it by itself
    package = Frame(Command.WRITE, registry["net.package"].object_id, bytes(36))
    stub = Frame(Command.RESPONSE, MIN.object_id, b"\x3f").encode()
    heard: list[tuple[str, Origin]] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(response(MIN.name, 0.5) + told + package.encode())
        async for frame in requests(reader):
            answer = response(registry[frame.object_id].name, 0.5)
            writer.write(stub + answer + answer)

    async with peer(script) as port, client(port) as inverter:

        def hear(frame: Frame, origin: Origin) -> None:
            heard.append((registry[frame.object_id].name, origin))

        with inverter.overhearing(hear):
            await until(lambda: len(heard) == 3)
            await inverter.ask(MIN)
            assert heard[3:]  # they know it before who has asked
            await inverter.ask(registry["battery.voltage"])
            await until(lambda: len(heard) == 7)
        await inverter.read(SOC.name)
    assert heard == [
        (MIN.name, Origin.UNASKED),  # another client has asked
        ("battery.voltage", Origin.UNASKED),
        ("net.package", Origin.UNASKED),
        (MIN.name, Origin.ANSWER),
        (MIN.name, Origin.LATE),
        ("battery.voltage", Origin.ANSWER),
        ("battery.voltage", Origin.UNASKED),  # it may be what it says by itself
    ]


@warped
async def test_an_answer_that_comes_when_nobody_waits_is_late() -> None:
    heard: list[Origin] = []
    async with peer(answering(zero, latency=3.5)) as port, client(port, attempts=1) as inverter:
        with inverter.overhearing(lambda _, origin: heard.append(origin)):
            with pytest.raises(NoAnswer):
                await inverter.ask(MIN)
            await until(lambda: heard)
    assert heard == [Origin.LATE]


# --- a bad line -----------------------------------------------------------------------------------------------------


@warped
async def test_a_text_that_was_cut_is_asked_again() -> None:
    texts = iter([b"house\0\0\0", b"ho", b"house\0\0\0", *[b"ho"] * 3])

    def answer(frame: Frame) -> bytes:
        return Frame(Command.RESPONSE, frame.object_id, next(texts)).encode()

    heard: list[Frame] = []
    async with peer(answering(answer)) as port, client(port) as inverter:
        with inverter.overhearing(lambda frame, _: heard.append(frame)):
            for value in ("house", "house", "ho"):  # the last was no cut: it came three times
                assert (await inverter.read(TEXT.name)).value == value
        assert inverter.counters.bad_readings == 3
        assert inverter.counters.timeouts == 0
    assert [frame.payload for frame in heard] == [b"house\0\0\0", b"house\0\0\0", b"ho"]


class Lossy:
    """A simulated inverter on a line that loses answers, or lets them come late."""

    def __init__(self, lost: float, late: float = 0.0) -> None:
        self.inverter = Inverter.with_past(0, NOW)
        self.chance = Random(3)
        self.lost, self.late = lost, late
        self.asked = 0

    async def script(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        async for frame in requests(reader):
            self.asked += 1
            fate = self.chance.random()
            answer = self.inverter.answer(frame)
            if answer is not None and fate >= self.lost:
                data = b"\0" + answer.encode()
                loop.call_later(1.3 if fate < self.lost + self.late else 0.06, writer.write, data)


@pytest.mark.parametrize(("lost", "late"), [(0.3, 0.0), (0.15, 0.15), (0.0, 0.3)])
def test_a_line_that_loses_much_loses_no_answers(lost: float, late: float) -> None:
    line = Lossy(lost, late)
    names = [info.name for info in registry if not info.is_query and info.name != PROBE]

    @warped
    async def main() -> None:
        async with peer(line.script) as port, client(port, tries=None) as inverter:
            await inverter.read_many(names[:50])  # until it knows what line it is
            results: list[object] = []
            for _ in range(3):
                answers = await inverter.read_many(names)
                for name, answer in answers.items():
                    if not isinstance(answer, Exception):
                        assert answer.payload == line.inverter.payload(registry[name])
                results += answers.values()
            missing = sum(isinstance(result, Exception) for result in results)
            assert missing <= len(results) * 0.001
            assert inverter.counters.requests < 1.7 * (len(results) + 50)

    main()


@warped
async def test_attempts_are_bounded_on_a_bad_line_too() -> None:
    line = Lossy(0.3)
    mute = 0x12345678
    async with peer(line.script) as port, client(port) as inverter:
        await inverter.read_many([info.name for info in NUMBERS] * 3)
        for info in registry.match("power_mng")[:40]:
            await inverter.read(info.name)
        before = line.asked
        with pytest.raises(NoAnswer):
            await inverter.read(f"0x{mute:08X}")
        assert before + ATTEMPTS < line.asked <= before + ATTEMPTS + MORE_ATTEMPTS + 3  # and probes
        assert inverter.counters.reconnects == 0


@warped
async def test_a_lost_probe_does_not_end_a_session_that_answers() -> None:
    asked: list[str] = []

    def answer(frame: Frame) -> bytes | None:
        asked.append(registry[frame.object_id].name)
        if asked[-1] == SOC.name and not 20 < asked.count(SOC.name) < 23:  # nothing is answered for a while
            return zero(frame)
        return None

    async with peer(answering(answer)) as port, client(port) as inverter:
        for info in NUMBERS:
            inverter.ask(info)
        while asked.count(SOC.name) < 50:
            with suppress(NoAnswer):
                await inverter.ask(SOC, asker="A")
        assert PROBE not in asked  # something else is known to be answered
        assert inverter.counters.reconnects == 0


@warped
async def test_a_probe_outlives_who_asked_the_same() -> None:
    """A client asks for what is asked as a probe, too, and leaves before that is sent."""
    raised: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: raised.append(context))
    asked: list[str] = []

    def answer(frame: Frame) -> bytes | None:
        asked.append(registry[frame.object_id].name)
        return zero(frame) if asked[-1] == PROBE else None

    async with peer(answering(answer)) as port, client(port) as inverter:
        mute = [inverter.ask(info) for info in NUMBERS[:2]]
        await until(lambda: inverter.counters.timeouts == 3)
        inverter.ask(registry[PROBE], asker="A")
        assert PROBE not in asked
        await until(lambda: inverter.counters.timeouts == 4)
        inverter.leave("A")
        await asyncio.gather(*mute, return_exceptions=True)
        assert PROBE in asked
        assert inverter.counters.reconnects == 0
        assert not inverter._questions._probing
    assert raised == []


@warped
async def test_what_is_overdue_does_not_hold_up_others() -> None:
    """The third wait is a long one."""
    async with (
        peer(answering(lambda frame: zero(frame) if frame.object_id == SOC.object_id else None)) as port,
        client(port) as inverter,
    ):
        await inverter.ask(SOC)
        mute = inverter.ask(NUMBERS[0])
        await until(lambda: inverter.counters.timeouts == 2)
        await inverter.ask(SOC)
        assert inverter.counters.timeouts == 2
        with pytest.raises(NoAnswer):
            await mute


@pytest.mark.parametrize(("info", "address"), [(registry.describe(7), 0), (SOC, 7)], ids=["object", "address"])
def test_silence_about_what_nobody_knows_does_not_slow_it_down(info: ObjectInfo, address: int) -> None:
    def answer(frame: Frame) -> bytes | None:
        return zero(frame) if frame.object_id in registry and not frame.address else None

    @warped
    async def main() -> None:
        async with peer(answering(answer)) as port, client(port) as inverter:
            for known in NUMBERS[:4]:
                await inverter.ask(known)
            window = inverter._questions._pace.window
            with pytest.raises(NoAnswer):
                await inverter.ask(info, address=address)
            assert inverter._questions._pace.window == window > 1
            assert SOC.object_id not in inverter._questions._mute

    main()


@warped
async def test_a_connection_that_is_lost_while_it_is_probed() -> None:
    """What was under way beside the probe comes first on the next connection, where there is nothing to find out."""
    mute = False

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for frame in requests(reader):
            if not mute:
                writer.write(zero(frame))

    async with peer(script) as port, client(port) as inverter:
        for info in NUMBERS:
            await inverter.ask(info)
        mute = True
        waiting = []
        for info in NUMBERS[:8]:
            waiting.append(inverter.ask(info))
            await asyncio.sleep(0.09)
        questions = inverter._questions
        await until(lambda: questions._probing)
        assert any(question is not questions._probing for question in questions._flying)
        mute = False
        inverter._link.drop(Sentence("gone"))
        async with asyncio.timeout(10):
            await asyncio.gather(*map(asyncio.shield, waiting))
            await asyncio.shield(inverter.ask(SOC))
        assert inverter.counters.reconnects == 1


@warped
async def test_the_tap_gets_what_crosses_the_wire() -> None:
    chunks: list[Chunk] = []
    async with peer(answering(zero)) as port, client(port, tap=chunks.append, clock=lambda: 7) as inverter:
        await inverter.read(SOC.name)
    question = Frame(Command.READ, SOC.object_id)
    assert chunks == [Chunk(7, Direction.SENT, question.encode()), Chunk(7, Direction.RECEIVED, zero(question))]
