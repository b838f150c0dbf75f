"""The proxy: each client gets the answers to its own requests, and what the inverter says by itself."""

from __future__ import annotations

import asyncio
import logging
import resource
from io import FileIO
from pathlib import Path

import pytest

from rct_tools.capture import Chunk, Direction, read_capture
from rct_tools.client import connect
from rct_tools.errors import CaptureError, RctError
from rct_tools.frame import EXTENSION, Command, Frame
from rct_tools.objects import registry
from rct_tools.parser import FrameParser
from rct_tools.proxy import Proxy, ProxySetup, Tallies, Tap
from rct_tools.proxy.tally import OTHERS
from rct_tools.question import Origin
from rct_tools.simulator import Faults
from rct_tools.simulator.broadcast import cycles
from rct_tools.values import DataType, TimeSeries

from guests import NOW, Guest, house, page, read, simulate, turns, until, write
from peers import peer, requests, response
from warp import warped

SERIES = "logger.minutes_soc_log_ts"
EVENTS = "logger.error_log_time_stamp"
PLANT = 4711  # the address of the simulator
NET_PACKAGE = Frame(Command.WRITE, registry["net.package"].object_id, bytes(36))
TOLD = {name for cycle, _ in zip(cycles(), range(4), strict=False) for burst in cycle for name in burst.names}
UNTOLD = [info.name for info in registry if not (info.name in TOLD or info.is_query or info.reported)]


def names(frames: list[Frame]) -> list[str]:
    return [registry[frame.object_id].name for frame in frames]


# --- answers --------------------------------------------------------------------------------------------------------


@warped
async def test_each_client_gets_its_own_answers_only() -> None:
    async with simulate(broadcast=True, cycle=2.0) as simulator, house(simulator) as home:

        async def client(number: int) -> None:
            own = UNTOLD[number * 7 :: 40]
            async with home.guest() as guest:
                for name in own * 3:
                    guest.ask(*read(name))
                    while name not in names(await guest.hear()):
                        pass
            assert set(names(guest.frames)) <= {*own, *TOLD}
            assert set(names(guest.frames)) & TOLD

        await asyncio.gather(*(client(number) for number in range(5)))


@warped
async def test_the_first_that_comes_is_the_answer() -> None:
    """What short programs do: connect, ask, take the first frame, leave."""
    async with simulate(broadcast=True, cycle=0.5) as simulator, house(simulator, cache=0) as home:
        truth = {name: simulator.inverter.payload(registry[name]) for name in UNTOLD[:20]}

        async def client(number: int) -> None:
            for name in UNTOLD[number:20] + UNTOLD[:number]:
                async with home.guest(settled=False) as guest:
                    (frame,) = await guest.answers(*read(name))
                    assert (registry[frame.object_id].name, frame.payload) == (name, truth[name])

        await asyncio.gather(*(client(number) for number in range(4)))


@warped
async def test_answers_are_the_bytes_of_the_inverter() -> None:
    by_type = {info.data_type: info.name for info in registry if not info.is_query}
    asked = [*read(*by_type.values()), page(SERIES), page(EVENTS), page("logger.year_ea_log_ts")]
    asked.append(Frame(Command.PLANT_READ, registry["battery.soc"].object_id, b"", PLANT))
    others = {DataType.TIMESERIES, DataType.EVENT_TABLE, DataType.LOGGED_EVENT}  # the last is our own
    assert set(by_type) | others == set(DataType)
    async with simulate() as simulator, house(simulator) as home:
        direct = Guest(*await asyncio.open_connection("127.0.0.1", simulator.port))
        async with home.guest() as guest:
            for frame in asked:
                await guest.answers(frame)
                await direct.hear()  # the bridge tells it what others asked
                assert guest.raw == direct.raw
        direct.writer.transport.abort()


@warped
async def test_identical_requests_in_flight_are_one() -> None:
    async with house(cache=0) as home, home.guest() as first, home.guest() as second, home.guest() as third:
        for guest in (first, second, third):
            guest.ask(*read("power_mng.soc_min"), page(SERIES))
        for guest in (first, second, third):
            assert sorted(names(await guest.hear(2))) == [SERIES, "power_mng.soc_min"]
        assert home.asked == [*read("power_mng.soc_min"), page(SERIES)]
        tally = home.proxy.tally("127.0.0.1")
        assert (tally.requests, tally.answered, tally.coalesced, tally.cached) == (6, 6, 4, 0)


@warped
async def test_a_page_asked_for_by_another_time_is_another() -> None:
    async with house() as home, home.guest() as first, home.guest() as second:
        first.ask(page(SERIES, NOW))
        second.ask(page(SERIES, NOW - 86400))
        for guest, time in ((first, NOW), (second, NOW - 86400)):
            (frame,) = await guest.hear()
            value = registry[SERIES].decode(frame.payload)
            assert isinstance(value, TimeSeries)
            assert value.time == time
            assert len(value.samples) > 10


@warped
async def test_a_time_before_1970_is_a_time() -> None:
    asked = Frame(Command.WRITE, registry[SERIES].object_id, b"\xff\xff\xff\xfb")
    async with house() as home, home.guest() as guest:
        (frame,) = await guest.answers(asked)
        assert frame.payload[:4] == asked.payload
        assert len(home.asked) == 1


@warped
async def test_a_client_that_wants_much_does_not_keep_others_waiting() -> None:
    async with house() as home, home.guest() as greedy, home.guest() as modest:
        greedy.ask(*read(*UNTOLD[:60]))
        await until(lambda: len(home.asked) > 4)
        before = len(home.asked)
        await modest.value("battery.soc")
        assert home.asked.index(read("battery.soc")[0]) <= before + 2
        assert len(await greedy.hear(60)) == 60


@warped
async def test_a_page_of_history_is_never_interrupted() -> None:
    """Neither by other pages nor by reads, of whatever client."""
    chunks: list[Chunk] = []
    async with simulate() as simulator:
        client = connect("127.0.0.1", simulator.port, tap=chunks.append)
        async with client as inverter, Proxy(inverter, ProxySetup(port=0, cache=0)) as proxy:

            async def ask(frames: list[Frame]) -> list[Frame]:
                reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
                answers = await (guest := Guest(reader, writer)).answers(*frames)
                writer.transport.abort()
                assert len(guest.frames) == len(frames)
                return answers

            times = range(NOW, NOW - 10 * 86400, -86400)
            pages, events, _ = await asyncio.gather(
                ask([page(SERIES, time) for time in times]),
                ask([page(EVENTS, time) for time in times]),
                ask(read(*UNTOLD[:40])),
            )
            for frames, name in ((pages, SERIES), (events, EVENTS)):
                info = registry[name]
                for frame in frames:
                    truth = simulator.inverter.answer(Frame(Command.WRITE, info.object_id, frame.payload[:4]))
                    assert frame == truth
    parser = FrameParser()
    waits = 0
    for chunk in chunks:
        for event in (
            parser.feed(chunk.data) if chunk.direction is Direction.RECEIVED else FrameParser().feed(chunk.data)
        ):
            assert isinstance(event, Frame)
            is_page = registry[event.object_id].is_query
            if chunk.direction is Direction.SENT:
                assert not waits, "asked while a page was to come"
                waits += is_page
            elif is_page:
                waits -= 1
    assert waits == 0


@warped
async def test_an_object_that_nobody_answers_is_silence_and_counted() -> None:
    async with house() as home, home.guest() as guest:
        guest.ask(Frame(Command.READ, 0x01234567), *read("battery.soc"))
        assert names(await guest.hear()) == ["battery.soc"]
        assert await guest.silence(20)
        tally = home.proxy.tally("127.0.0.1")
        assert (tally.requests, tally.answered, tally.unanswered) == (2, 1, 1)
        assert tally.delay > 0
        assert sum(tally.delays) == 1


@warped
async def test_what_is_not_of_the_inverter_is_kept_from_it() -> None:
    async with house() as home, home.guest() as guest:
        guest.writer.write(b"AT+\r" + EXTENSION + read("battery.soc")[0].encode() + b"+++" + EXTENSION)
        await guest.hear()
        assert bytes(home.wire) == read("battery.soc")[0].encode()
        assert home.proxy.sessions


# --- plants ---------------------------------------------------------------------------------------------------------


@warped
async def test_plant_frames_pass_by_their_address() -> None:
    soc = registry["battery.soc"].object_id
    async with house() as home, home.guest() as guest, home.guest() as other:
        for _ in range(2):  # the second time from the cache
            (frame,) = await guest.answers(Frame(Command.PLANT_READ, soc, b"", PLANT))
            assert (frame.command, frame.address) == (Command.PLANT_RESPONSE, PLANT)
        assert (await other.answers(*read("battery.soc")))[0].command is Command.RESPONSE
        assert [frame.command for frame in home.asked] == [Command.PLANT_READ, Command.READ]


@warped
async def test_plant_frames_to_nobody_are_silence() -> None:
    soc = registry["battery.soc"].object_id
    async with house() as home, home.guest() as guest, home.guest() as other:
        await other.value("battery.soc")  # is in the cache then
        guest.ask(Frame(Command.PLANT_READ, soc, b"", 1), Frame(Command.PLANT_READ, soc, b"", 0))
        assert await guest.silence(20)
        assert {frame.address for frame in home.asked if frame.command.is_plant} == {1}
        assert await other.value("power_mng.soc_min")


# --- what the inverter says by itself -------------------------------------------------------------------------------


@warped
async def test_what_the_inverter_says_by_itself_is_for_all() -> None:
    async with (
        simulate(broadcast=True) as simulator,
        house(simulator) as home,
        home.guest() as first,
        home.guest() as second,
    ):
        for guest in (first, second):
            await guest.silence(62)
            assert set(TOLD) - set(names(guest.frames)) <= {"net.slave_data", "android_description", "parameter_file"}
        assert {frame.object_id for frame in home.asked} <= {registry["svnversion"].object_id}  # to stay connected
        assert home.proxy.tally("127.0.0.1").unasked >= 2 * 64


@warped
async def test_it_can_be_held_back() -> None:
    async with simulate(broadcast=True) as simulator, house(simulator, broadcast=False) as home, home.guest() as guest:
        assert await guest.silence(62)
        await guest.value("battery.soc")
        assert home.proxy.tally("127.0.0.1").unasked == 0


@warped
async def test_what_inverters_tell_each_other_is_told_and_echoes_are_not() -> None:
    echoes = [*read("battery.soc"), page(SERIES), write("power_mng.soc_min", 0.5)]

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for _ in requests(reader):
            writer.write(b"".join(frame.encode() for frame in (*echoes, NET_PACKAGE)) + response("battery.soc", 0.5))

    async with (
        peer(script) as port,
        house(port, writable=frozenset({"power_mng.soc_min"})) as home,
        home.guest() as other,
        home.guest() as guest,
    ):
        await guest.value("battery.soc")
        assert await guest.hear() == [NET_PACKAGE]
        await other.silence(5)
        assert other.frames == [NET_PACKAGE]


async def chatter(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say something before each answer, and answer after five seconds."""
    async for frame in requests(reader):
        name = registry[frame.object_id].name
        for _ in range(10):
            writer.write(response("battery.voltage", 400.0))
            await asyncio.sleep(0.5)
        writer.write(response(name, 0.5))


@warped
async def test_who_asks_for_one_thing_gets_that_first_however_long_it_takes() -> None:
    async with peer(chatter) as port, house(port, patience=60) as home, home.guest() as guest:
        for _ in range(3):
            assert await guest.value("battery.soc") == 0.5
            assert set(names(await guest.hear(10))) == {"battery.voltage"}
            await asyncio.sleep(2.5)  # so that a second wait is not ended by the timer of the first


@warped
async def test_who_asks_for_several_things_is_not_kept_waiting_for_the_rest() -> None:
    async with peer(chatter) as port, house(port, patience=60) as home, home.guest() as guest:
        loop = asyncio.get_running_loop()
        began = loop.time()
        guest.ask(*read("battery.soc", "battery.soh"))
        assert names(await guest.hear()) == ["battery.voltage"]
        assert 3.0 <= loop.time() - began < 4


async def mute_chatter(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say nothing about one object, and from the first request on much about another."""
    talking: asyncio.Task[None] | None = None
    try:
        async for frame in requests(reader):
            talking = talking or asyncio.create_task(babble(writer))
            if registry[frame.object_id].name != "battery.soh":
                writer.write(response(registry[frame.object_id].name, 0.5))
    finally:
        if talking:
            talking.cancel()


async def babble(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(response("battery.voltage", 400.0))
        await asyncio.sleep(0.5)


@warped
async def test_who_got_no_answer_gets_one_to_the_next_request_first() -> None:
    async with peer(mute_chatter) as port, house(port) as home, home.guest() as guest:
        guest.ask(*read("battery.soh"))
        assert await guest.silence(20)
        assert home.proxy.tally("127.0.0.1").unanswered == 1
        assert await guest.value("battery.soc") == 0.5
        await guest.hear(10)  # and now what was said meanwhile


@warped
async def test_who_asks_for_the_same_again_still_waits_for_one_answer() -> None:
    async with peer(mute_chatter) as port, house(port, patience=60) as home, home.guest() as guest:
        for _ in range(5):
            guest.ask(*read("battery.soh"))
            assert await guest.silence(2)


@warped
async def test_nobody_waits_for_ever() -> None:
    async with peer(mute_chatter) as port, house(port) as home, home.guest() as guest:
        guest.ask(*read("battery.soh"))
        assert await guest.silence(59)
        await guest.hear(1)
        assert len(guest.frames) <= 21  # ten seconds of it: what is older is not told


@warped
async def test_what_is_held_back_later_waits_as_long() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for frame in requests(reader):
            writer.write(response("battery.voltage", 400.0))
            await asyncio.sleep(0.7)
            writer.write(response(registry[frame.object_id].name, 0.5))

    async with peer(script) as port, house(port, patience=60, cache=0) as home, home.guest() as guest:
        for _ in range(3):  # 3 s after the first frame, the client waits for answers of the second round
            asked = ["battery.soc", "battery.soh", "power_mng.soc_min"]
            assert names(await guest.answers(*read(*asked))) == asked
            await guest.hear(3)
            await asyncio.sleep(0.3)


@warped
async def test_who_has_just_come_is_left_in_peace() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(response("battery.voltage", 400.0))
            await asyncio.sleep(0.1)

    async with peer(script) as port, house(port) as home, home.guest(settled=False) as guest:
        assert await guest.silence(0.95)
        await guest.hear(8)  # they were held back, not dropped


@warped
async def test_the_first_second_does_not_end_a_wait() -> None:
    async with peer(chatter) as port, house(port, patience=60) as home, home.guest(settled=False) as guest:
        await until(lambda: home.proxy.sessions)
        home.proxy._tell(NET_PACKAGE, Origin.UNASKED)
        await asyncio.sleep(0.5)
        assert await guest.value("battery.soc") == 0.5


@warped
async def test_what_is_held_back_is_bounded() -> None:
    async with house() as home, home.guest(settled=False) as guest:
        await until(lambda: home.proxy.sessions)
        for _ in range(1000):
            home.proxy._tell(NET_PACKAGE, Origin.UNASKED)
        await guest.silence(2)
        assert len(guest.frames) == 256


# --- the cache ------------------------------------------------------------------------------------------------------


@warped
async def test_a_young_value_answers_at_once() -> None:
    async with house() as home, home.guest() as first, home.guest() as second:
        loop = asyncio.get_running_loop()
        await first.value("power_mng.soc_min")
        await first.answers(page(SERIES))
        before = loop.time()
        await second.value("power_mng.soc_min")
        await second.answers(page(SERIES))
        assert loop.time() - before < 0.06
        assert len(home.asked) == 2
        assert home.proxy.tally("127.0.0.1").cached == 2
        await asyncio.sleep(2)
        await second.value("power_mng.soc_min")
        await second.answers(page(SERIES))
        assert len(home.asked) == 4


@warped
async def test_a_read_of_a_series_is_not_answered_with_a_page_of_before() -> None:
    async with house() as home, home.guest() as guest:
        await guest.answers(page(SERIES))
        await guest.answers(*read(SERIES))
        assert len(home.asked) == 2


@warped
async def test_what_the_inverter_said_by_itself_is_young_too() -> None:
    async with simulate(broadcast=True) as simulator, house(simulator) as home, home.guest() as guest:
        await guest.hear(2)
        await guest.silence(0.1)  # until the burst is over
        await guest.value(names(guest.frames)[-1])
        assert home.asked == []


@warped
async def test_without_a_cache_each_is_asked() -> None:
    async with house(cache=0) as home, home.guest() as guest:
        for _ in range(3):
            await guest.value("power_mng.soc_min")
        assert len(home.asked) == 3


@warped
async def test_a_late_answer_is_not_young() -> None:
    answers = iter([0, 2, 1])

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for _ in requests(reader):
            for _ in range(next(answers)):
                writer.write(response("power_mng.soc_min", 0.5))

    async with peer(script) as port, house(port) as home, home.guest() as guest:
        await guest.value("power_mng.soc_min")  # with a second one, for the first request
        await turns()
        home.proxy.desk._fresh.clear()
        assert home.inverter.counters.frames == 2
        home.proxy.desk.hear(Frame(Command.RESPONSE, registry["power_mng.soc_min"].object_id, bytes(4)), Origin.LATE)
        await guest.value("power_mng.soc_min")
        assert len(home.asked) == 3
        await guest.silence(5)
        assert len(guest.frames) == 2


# --- told regularly -------------------------------------------------------------------------------------------------


def register(*names: str) -> list[Frame]:
    return [Frame(Command.READ_PERIODICALLY, registry[name].object_id) for name in names]


@warped
async def test_what_is_asked_for_regularly_is_told_by_the_proxy() -> None:
    period = write("pas.period", 0)
    async with simulate() as simulator, house(simulator) as home:
        async with home.guest() as first, home.guest() as second, home.guest() as third:
            assert names(await first.answers(*register("battery.soc"))) == ["battery.soc"]
            await second.answers(*register("battery.soc", "power_mng.soc_min"))
            await first.silence(95)
            assert names(first.frames) == ["battery.soc"] * 4
            await first.answers(period)
            await first.silence(95)
            assert names(first.frames)[4:] == ["pas.period"]
            await second.silence(0.1)
            assert names(second.frames) == ["battery.soc", "power_mng.soc_min"] * 7
            assert third.frames == []
            assert await third.silence(0.1)
        assert simulator.inverter.periodic == {}
        assert {frame.command for frame in home.asked} == {Command.READ}
        await turns()
        before = len(home.asked)
        await asyncio.sleep(100)
        assert len(home.asked) == before  # who is gone wants nothing
        assert home.proxy._jobs == set()


@warped
async def test_members_of_a_plant_are_told_of_regularly_too() -> None:
    async with house() as home, home.guest() as guest:
        await guest.answers(Frame(Command.PLANT_READ_PERIODICALLY, registry["battery.soc"].object_id, b"", PLANT))
        await guest.silence(95)
        assert [frame.command for frame in guest.frames] == [Command.PLANT_RESPONSE] * 4


@warped
async def test_no_more_are_told_regularly_than_an_inverter_would() -> None:
    async with house() as home, home.guest() as guest:
        await guest.answers(*register(*UNTOLD[:70]))
        await guest.silence(45)
        assert len(guest.frames) == 70 + 64


@warped
async def test_a_period_that_is_not_known_is_30_seconds() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for frame in requests(reader):
            if registry[frame.object_id].name == "battery.soc":
                writer.write(response("battery.soc", 0.5))

    async with peer(script) as port, house(port) as home, home.guest() as guest:
        await guest.answers(*register("battery.soc"))
        await guest.silence(100)
        assert 3 <= len(guest.frames) <= 4


@warped
async def test_who_registers_and_leaves_at_once_leaves_nothing() -> None:
    async with house() as home:
        for _ in range(5):
            async with home.guest(settled=False) as guest:
                guest.ask(*register("battery.soc"))
        await asyncio.sleep(100)
        assert home.proxy._jobs == set()
        assert len(home.asked) < 6


# --- without a connection -------------------------------------------------------------------------------------------


@warped
async def test_clients_stay_when_the_inverter_is_lost() -> None:
    simulator = simulate()
    await simulator.start()
    async with house(simulator) as home, home.guest() as guest:
        await guest.value("battery.soc")
        await simulator.close()
        await until(lambda: not home.inverter.connected)
        guest.ask(*read("power_mng.soc_min"), write("power_mng.soc_min", 0.5))
        assert await guest.silence(60)
        guest.ask(*read("power_mng.soc_min"))
        assert await guest.silence(60)
        async with simulate() as again:
            home.inverter._link.port = again.port
            await until(lambda: home.inverter.connected)
            await guest.value("battery.soc")
        assert len(home.proxy.sessions) == 1


@warped
async def test_who_is_gone_is_not_asked_for() -> None:
    async with house() as home, home.guest() as other:
        async with home.guest() as guest:
            guest.ask(*read(*UNTOLD[:60]))
            await until(lambda: registry[UNTOLD[0]].object_id in {frame.object_id for frame in home.asked})
        asked = len(home.asked)
        await other.value("battery.soc")
        await other.silence(20)
        assert len(home.asked) <= asked + 2  # battery.soc, and one that was just sent
        assert home.proxy._jobs == set()


@warped
async def test_a_connection_on_which_nobody_asks_is_kept() -> None:
    async with simulate(faults=Faults(idle=300.0)) as simulator, house(simulator) as home:
        await asyncio.sleep(2000)
        assert home.inverter.connected
        assert home.inverter.counters.reconnects == 0
        assert len(home.asked) < 20


@warped
async def test_closing_ends_all(caplog: pytest.LogCaptureFixture) -> None:
    async with house() as home, home.guest() as guest, home.guest() as other:
        await other.answers(*register("battery.soc"))
        guest.ask(*read("power_mng.soc_min"))
        await until(lambda: len(home.asked) == 2)
        await home.proxy.close()
        await home.proxy.close()
        assert await guest.is_cut()
        assert await other.is_cut()
        assert home.inverter.connected
        assert not home.proxy.sessions
        assert not home.proxy._jobs
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_an_address_that_cannot_be_had() -> None:
    client = connect("127.0.0.1", tries=None)
    async with house() as home:
        taken = Proxy(client, ProxySetup(port=home.proxy.port))
        with pytest.raises(RctError, match=rf"^proxy: cannot listen on 127\.0\.0\.1:{home.proxy.port}: address alr"):
            await taken.start_serving()
        await taken.close()
    with pytest.raises(RctError, match=r"^proxy: cannot listen on no-such-host\.invalid:0: no such host$"):
        await Proxy(client, ProxySetup(host="no-such-host.invalid", port=0)).start_serving()


# --- the capture and the counters -----------------------------------------------------------------------------------


@warped
async def test_both_sides_are_in_the_capture(tmp_path: Path) -> None:
    name = str(tmp_path / "house.rctcap")
    async with house(capture=name) as home, home.guest() as first, home.guest() as second:
        await first.value("battery.soc")
        await second.value("battery.soc")
        said = first.raw
    asked = read("battery.soc")[0].encode()
    with FileIO(name) as file:
        chunks = [item for item in read_capture(file, name, 8899) if isinstance(item, Chunk)]
    assert [(chunk.connection, chunk.direction, chunk.data) for chunk in chunks] == [
        (0, Direction.SENT, asked),
        (2, Direction.SENT, asked),  # to the inverter
        (2, Direction.RECEIVED, said),
        (0, Direction.RECEIVED, said),
        (1, Direction.SENT, asked),
        (1, Direction.RECEIVED, said),
    ]


@warped
async def test_a_capture_that_fails_ends_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    name = str(tmp_path / "house.rctcap")
    async with house(capture=name) as home, home.guest() as guest:
        await guest.value("battery.soc")
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (40, limits[1]))
        try:
            await guest.value("power_mng.soc_min")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        await guest.value("power_mng.soc_max")
    (said,) = [r.getMessage() for r in caplog.records if "the capture ends here" in r.getMessage()]
    assert said == f"{name}: file too large; the capture ends here"


@pytest.mark.parametrize("name", ["house.bin", "house.bin.gz", "house"])
def test_raw_bytes_are_no_capture_of_both_sides(tmp_path: Path, name: str) -> None:
    with pytest.raises(CaptureError, match="raw bytes do not tell one client from another"):
        Tap(str(tmp_path / name))
    assert not list(tmp_path.iterdir())


def test_hosts_that_are_many_are_counted_together() -> None:
    tallies = Tallies()
    for number in range(1000):
        tallies.of(f"host {number}").answer(0.003)
    assert len(tallies.hosts) == 257
    assert tallies.of("host 3").answered == 1
    assert tallies.of("host 999") is tallies.of(OTHERS)
    assert tallies.of(OTHERS).delays[2] == 744
