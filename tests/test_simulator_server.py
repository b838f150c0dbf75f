"""The simulated inverter as clients meet it: bytes over a real socket."""

from __future__ import annotations

import asyncio
import calendar
import logging
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rct_tools.frame import EXTENSION, Command, Frame
from rct_tools.objects import registry
from rct_tools.parser import FrameParser
from rct_tools.simulator import Simulator, line
from rct_tools.simulator.broadcast import cycles
from rct_tools.values import DataType, Value

from warp import warped

START = datetime(2024, 5, 27, 12, 3, 7)  # noqa: DTZ001  # what the clock on the wall shows
SOC = registry["battery.soc"]
ADDRESS = 4711  # net.id of the simulator


class Peer:
    """A plain connection that keeps all it gets."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.parser = FrameParser()
        self.raw = b""
        self.frames: list[Frame] = []

    def ask(self, *frames: Frame) -> None:
        self.writer.write(b"".join(frame.encode() for frame in frames))

    async def until(self, enough: Callable[[Peer], bool]) -> None:
        while not enough(self):
            data = await asyncio.wait_for(self.reader.read(65536), 60)
            assert data, "closed"
            self.raw += data
            events = self.parser.feed(data)
            assert all(isinstance(event, Frame) for event in events)
            self.frames += [event for event in events if isinstance(event, Frame)]

    async def answers(self, *frames: Frame, count: int | None = None) -> list[Frame]:
        """Ask, and return the next frames: as many as were asked for, unless told otherwise."""
        before = len(self.frames)
        enough = before + (len(frames) if count is None else count)
        self.ask(*frames)
        await self.until(lambda peer: len(peer.frames) >= enough)
        return self.frames[before:]


@asynccontextmanager
async def peer(simulator: Simulator) -> AsyncIterator[Peer]:
    reader, writer = await asyncio.open_connection(simulator.host, simulator.port)
    try:
        yield Peer(reader, writer)
    finally:
        writer.close()


async def joined(simulator: Simulator) -> set[line.Client]:
    """Return the simulator's own ends of its connections, once there are some."""
    async with asyncio.timeout(60):
        while not simulator.line._clients:  # noqa: ASYNC110  # nothing tells when
            await asyncio.sleep(0)
    return simulator.line._clients


def simulate(**options: Any) -> Simulator:
    """A quiet one whose clock stands still, unless told otherwise."""
    quiet: dict[str, Any] = {"port": 0, "latency": 0.0, "broadcast": False, "speed": 0.0, "start": START}
    return Simulator(**(quiet | options))


def read(*names: str) -> list[Frame]:
    return [Frame(Command.READ, registry[name].object_id) for name in names]


def values(frames: Sequence[Frame]) -> dict[str, Value]:
    return {(info := registry[frame.object_id]).name: info.decode(frame.payload) for frame in frames}


# --- objects ---


@warped
async def test_all_objects_answer_with_a_value_of_their_type() -> None:
    async with simulate() as simulator, peer(simulator) as client:
        answers = await client.answers(*read(*[info.name for info in registry]))
    assert [frame.object_id for frame in answers] == [info.object_id for info in registry]
    assert len(values(answers)) == 895
    assert client.parser.bad.total() == 0
    assert client.parser.noise == {"00": 895}  # one before each, and nothing else
    assert client.raw.startswith(b"\0+")


@warped
async def test_the_same_seed_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "BYTE_TIME", 0.0)
    said = []
    for seed in (0, 0, 1):
        async with simulate(seed=seed) as simulator, peer(simulator) as client:
            await client.answers(*read(*[info.name for info in registry]))
            said.append(client.raw)
    assert said[0] == said[1] != said[2]


# --- requests ---


@warped
async def test_writes_last_until_the_end() -> None:
    info = registry["power_mng.soc_min"]
    payload = info.encode(0.25)
    async with simulate() as simulator, peer(simulator) as client, peer(simulator) as other:
        (written,) = await client.answers(Frame(Command.WRITE, info.object_id, payload))
        assert written == Frame(Command.RESPONSE, info.object_id, payload)
        await other.until(lambda other: len(other.frames) == 1)
        (again,) = await other.answers(*read(info.name))
        assert again.payload == payload
    async with simulate() as simulator, peer(simulator) as client:
        (fresh,) = await client.answers(*read(info.name))
        assert info.decode(fresh.payload) == pytest.approx(0.07)


SILENT = {
    "an unknown id": Frame(Command.READ, 0x12345678),
    "com_service": Frame(Command.WRITE, registry["com_service"].object_id, b"\x06"),
    "pas.period": Frame(Command.WRITE, registry["pas.period"].object_id, bytes(4)),
    "a measured value": Frame(Command.WRITE, SOC.object_id, SOC.encode(0.5)),
    "a payload of the wrong size": Frame(Command.WRITE, registry["power_mng.soc_min"].object_id, b"\x00\x01"),
    "history without a time": Frame(Command.WRITE, registry["logger.minutes_soc_log_ts"].object_id, b"\x00"),
    "a response": Frame(Command.RESPONSE, SOC.object_id, bytes(4)),
    "another address": Frame(Command.PLANT_READ, SOC.object_id, b"", ADDRESS + 1),
    "a plant response": Frame(Command.PLANT_RESPONSE, SOC.object_id, bytes(4), ADDRESS),
}


@pytest.mark.parametrize("frame", SILENT.values(), ids=SILENT.keys())
@warped
async def test_silence_for(frame: Frame) -> None:
    async with simulate() as simulator, peer(simulator) as client:
        client.ask(frame)
        (answer,) = await client.answers(*read("inverter_sn"))
        assert answer.object_id == registry["inverter_sn"].object_id
        (period,) = await client.answers(*read("pas.period"))
        assert period.payload == (30).to_bytes(4)


@warped
async def test_dangerous_writes_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    async with simulate() as simulator, peer(simulator) as client:
        client.ask(SILENT["com_service"])
        await client.answers(*read("inverter_sn"))
    assert "a write of 06 to com_service can harm a real inverter" in caplog.text


@warped
async def test_plant_frames_for_us_are_answered_as_such() -> None:
    soc, series = SOC.object_id, registry["logger.minutes_soc_log_ts"].object_id
    strategy = registry["power_mng.soc_strategy"].object_id
    async with simulate() as simulator, peer(simulator) as client:
        now = simulator.house.time.to_bytes(4)
        value, written, long = await client.answers(
            Frame(Command.PLANT_READ, soc, b"", ADDRESS),
            Frame(Command.PLANT_WRITE, strategy, b"\x02", ADDRESS),
            Frame(Command.PLANT_LONG_WRITE, series, now, ADDRESS),
        )
    assert (value.command, value.address, len(value.payload)) == (Command.PLANT_RESPONSE, ADDRESS, 4)
    assert written == Frame(Command.PLANT_RESPONSE, strategy, b"\x02", ADDRESS)
    assert (long.command, long.address) == (Command.PLANT_LONG_RESPONSE, ADDRESS)
    assert long.payload[:4] == now


@warped
async def test_registered_objects_are_told_again_and_again() -> None:
    async with simulate(cycle=0.05) as simulator, peer(simulator) as client:
        client.ask(Frame(Command.READ_PERIODICALLY, SOC.object_id))
        await client.until(lambda peer: len(peer.frames) >= 4)
    assert {frame.object_id for frame in client.frames} == {SOC.object_id}


@warped
async def test_no_more_than_64_objects_are_registered() -> None:
    async with simulate() as simulator, peer(simulator) as client:
        await client.answers(*[Frame(Command.READ_PERIODICALLY, info.object_id) for info in list(registry)[:70]])
        assert len(simulator.inverter.periodic) == 64


# --- the wire ---


@warped
async def test_every_byte_goes_to_every_client() -> None:
    async with simulate() as simulator, peer(simulator) as one, peer(simulator) as two, peer(simulator) as mute:
        names = [info.name for info in registry][:100]
        # Both connections must be known before the first answer leaves.
        await one.answers(*read("inverter_sn"))
        await two.until(lambda peer: len(peer.frames) == 1)
        await mute.until(lambda peer: len(peer.frames) == 1)
        one.ask(*read(*names[:50]))
        two.ask(*read(*names[50:]))
        for client in (one, two, mute):
            await client.until(lambda peer: len(peer.frames) == 101)
        assert one.raw == two.raw == mute.raw
        assert Counter(frame.object_id for frame in mute.frames[1:]) == Counter(
            registry[name].object_id for name in names
        )


@warped
async def test_escapes_occur_in_payloads_and_checksums() -> None:
    wanted = registry["power_mng.soc_charge_power"]
    async with simulate() as simulator, peer(simulator) as client:
        payloads = [b"+-" + n.to_bytes(2) for n in range(700)]
        answers = await client.answers(*[Frame(Command.WRITE, wanted.object_id, payload) for payload in payloads])
    assert [frame.payload for frame in answers] == payloads
    assert b"-+--" in client.raw
    ends = [frame.encode()[-3:] for frame in answers]
    assert any(end[-2:] in (b"-+", b"--") for end in ends)


@warped
async def test_pages_of_history_come_in_long_frames() -> None:
    info = registry["logger.minutes_eac_log_ts"]
    async with simulate() as simulator, peer(simulator) as client:
        now = simulator.house.time.to_bytes(4)
        (page,) = await client.answers(Frame(Command.WRITE, info.object_id, now))
    assert page.command is Command.LONG_RESPONSE
    assert 4 + 38 * 8 <= len(page.payload) <= 4 + 44 * 8


@warped
async def test_answers_overlap_in_flight_but_each_takes_its_latency() -> None:
    names = [info.name for info in registry if info.data_type is DataType.FLOAT][:100]
    async with simulate(latency=0.05) as simulator, peer(simulator) as client:
        begin = asyncio.get_running_loop().time()
        await client.answers(*read(*names))
        together = asyncio.get_running_loop().time() - begin
        begin = asyncio.get_running_loop().time()
        for name in names[:5]:
            await client.answers(*read(name))
        singly = asyncio.get_running_loop().time() - begin
    assert 0.05 + 99 * 14 * line.BYTE_TIME <= together < 1.5  # 100 one after the other would take 5 s
    assert singly >= 4.999 * 0.05


def test_the_broadcast_is_that_of_the_newer_firmware() -> None:
    source = cycles()
    first, second, third, fourth = (next(source) for _ in range(4))
    assert [(burst.after, len(burst.names)) for burst in first] == [(0.0, 1), (1.0, 14), (8.0, 49)]
    names = [name for burst in first for name in burst.names]
    assert len(set(names)) == 64
    assert all(name in registry for name in names)
    assert third == first
    assert second[2].names[49:] == ("net.slave_data", "android_description")
    assert fourth[2].names[49:] == ("net.slave_data", "parameter_file")


@warped
async def test_bursts_are_told_unasked_and_end_with_pluses() -> None:
    async with simulate(broadcast=True, cycle=0.31) as simulator, peer(simulator) as client:
        await client.until(lambda peer: len(peer.frames) >= 64 + 66 + 64)
    names = [registry[frame.object_id].name for frame in client.frames]
    begin = names.index("inverter_sn")  # of the first cycle, or of the second for those who come late
    told = [[name for burst in bursts for name in burst.names] for bursts, _ in zip(cycles(), range(3), strict=False)]
    assert names[begin : begin + 130] in (told[0] + told[1], told[1] + told[2])
    plain = re.sub(rb"-[+-]", b"..", client.raw)  # an escaped start at the end of a frame is none of the three
    blocks = plain.split(line.END_OF_BURST)[1:-1]
    assert len(blocks) >= 4
    assert {block.count(b"+") for block in blocks} <= {1, 14, 49, 51}


@warped
async def test_the_clock_of_the_house_runs_as_fast_as_told() -> None:
    async with simulate(speed=36000.0) as simulator, peer(simulator) as client:
        begin, real = simulator.house.time, asyncio.get_running_loop().time()
        while simulator.house.time < begin + 2 * 3600:  # a fifth of a second
            await client.answers(*read("battery.soc"))
        assert 0.1 < asyncio.get_running_loop().time() - real < 5.0
        assert simulator.house.time % 300 == 0


@warped
async def test_values_move_with_the_house() -> None:
    async with simulate(speed=3600.0) as simulator, peer(simulator) as client:
        (first,) = await client.answers(*read("flash_rtc.time_stamp"))
        later = first
        while later.payload == first.payload:
            (later,) = await client.answers(*read("flash_rtc.time_stamp"))
        assert later.payload > first.payload


def test_the_clock_starts_with_the_local_time() -> None:
    wall = calendar.timegm(datetime.now().astimezone().timetuple())
    assert 0 <= Simulator().house.time - wall < 60


# --- bad clients ---


@given(st.lists(st.one_of(st.binary(max_size=60), st.sampled_from([EXTENSION, b"AT+\r", b"+++", b"+", b"-", b"\0"]))))
def test_no_bytes_harm_it(pieces: list[bytes]) -> None:
    class Nobody(asyncio.Transport):
        def get_extra_info(self, name: str, default: Any = None) -> Any:
            return None

        def pause_reading(self) -> None: ...

        def resume_reading(self) -> None: ...

    async def feed() -> None:
        client = line.Line(lambda frame: None, 0.0).connect()
        client.connection_made(Nobody())
        for piece in pieces:
            client.data_received(piece)

    asyncio.run(feed())


BABBLE = {
    "64 KiB of +": b"+" * 65536,
    "HTTP": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "TLS": bytes.fromhex("16030100f5010000f10303"),
    "half a frame": b"+\x01\x04\x95",
    "wrong checksum": b"+\x01\x04\x95\x99\x30\xbf\x00\x00",
    "wrong length": b"+\x03\xff\xff\x95\x99\x30\xbf",
    "app": EXTENSION + b"AT+\r",
}


@pytest.mark.parametrize("babble", BABBLE.values(), ids=BABBLE.keys())
@warped
async def test_babble_harms_nobody(babble: bytes) -> None:
    async with simulate() as simulator, peer(simulator) as bad, peer(simulator) as good:
        bad.writer.write(babble)
        await bad.writer.drain()
        (answer,) = await good.answers(*read("battery.soc"))
        assert answer.object_id == SOC.object_id
        bad.ask(*read("battery.soc"))
        bad.ask(*read("battery.soc"))
        await bad.until(lambda peer: len(peer.frames) >= 2)


@warped
async def test_a_client_that_does_not_read_is_cut_off_and_holds_up_nobody(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(line, "UNREAD_LIMIT", 2000)
    monkeypatch.setattr(line, "BYTE_TIME", 0.0)
    caplog.set_level(logging.WARNING)
    pages = [Frame(Command.WRITE, registry["logger.minutes_eac_log_ts"].object_id, bytes.fromhex("66547b00"))] * 500
    async with simulate() as simulator, peer(simulator) as good:
        reader, writer = await asyncio.open_connection(simulator.host, simulator.port, limit=1)
        while "cut off" not in caplog.text:
            await good.answers(*pages)
        with suppress(ConnectionError):
            while await asyncio.wait_for(reader.read(65536), 60):
                pass  # what was on its way
        writer.close()
        (answer,) = await good.answers(*read("battery.soc"))
        assert answer.object_id == SOC.object_id


@warped
async def test_a_flood_of_requests_is_taken_at_the_pace_of_the_line() -> None:
    unknown = Frame(Command.READ, 0x12345678)
    async with simulate() as simulator, peer(simulator) as client:
        await client.answers(*[unknown] * 100_000, *read("battery.soc"), count=1)
    async with simulate(latency=3600.0) as simulator, peer(simulator) as client:
        (bridge,) = await joined(simulator)
        assert bridge.transport.is_reading()
        client.ask(*[unknown] * (line.WAITING_LIMIT + 1))
        async with asyncio.timeout(60):
            while bridge.transport.is_reading():  # noqa: ASYNC110  # nothing tells when
                await asyncio.sleep(0)


@warped
async def test_clients_come_and_go_in_mid_answer() -> None:
    async with simulate(latency=0.01) as simulator, peer(simulator) as stays:
        for _ in range(20):
            async with peer(simulator) as leaves:
                leaves.ask(*read("battery.soc", "inverter_sn"))
        await stays.until(lambda peer: len(peer.frames) >= 1)
        await stays.answers(*read("android_description"))


@warped
async def test_closing_twice_and_cancelling_leave_nothing_behind() -> None:
    simulator = simulate(broadcast=True)
    await simulator.close()
    await simulator.start()
    serving = asyncio.create_task(simulator.serve())
    async with peer(simulator) as client:
        await client.answers(*read("battery.soc"))
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving
        await simulator.close()
        await simulator.close()
        await asyncio.wait_for(client.reader.read(), 60)  # what was on its way, and the end
        assert client.reader.at_eof()
    assert asyncio.all_tasks() == {asyncio.current_task()}


@warped
async def test_who_comes_while_it_closes_is_turned_away() -> None:
    simulator = simulate()
    await simulator.start()
    connecting = asyncio.open_connection(simulator.host, simulator.port)
    simulator.line.close()
    reader, writer = await connecting
    with suppress(ConnectionError):
        assert await asyncio.wait_for(reader.read(), 60) == b""
    writer.close()
    await simulator.close()


@warped
async def test_a_port_in_use_is_told() -> None:
    async with simulate() as simulator:
        other = simulate(port=simulator.port)
        with pytest.raises(OSError, match=r"address already in use|10048"):
            await other.start()
        await other.close()
