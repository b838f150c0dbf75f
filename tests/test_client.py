"""The client, against peers that misbehave in all the known ways. With a good one: test_client_simulator.

On a clock that jumps: however busy the machine is, an answer that comes at once is never late.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

import rct_tools
from rct_tools.client import Client, connect
from rct_tools.errors import ConnectFailed, ConnectionLost, EncodeError, LinkError, NoAnswer, UnknownObject
from rct_tools.frame import Command, Frame, Reason
from rct_tools.objects import ObjectInfo, registry
from rct_tools.pace import Others, Pace
from rct_tools.questions import PROBE
from rct_tools.reading import Reading
from rct_tools.values import DataType, EventTable, Sample, TimeSeries, Value

from peers import peer, requests, response
from servers import free_ports
from warp import warped

NOW = 1_750_000_000_000_000_000
VALUES: dict[str, Value] = {
    "battery.soc": 0.5,
    "battery.soh": 0.75,
    "battery.voltage": 400.0,
    "battery.current": -2.5,
    PROBE: "2.3.1",
}
BY_ID = {registry[name].object_id: name for name in VALUES}


def impatient(port: int, *, tries: int | None = 3, timeout: float = 0.05, attempts: int = 3) -> Client:
    return connect(
        "127.0.0.1",
        port,
        name="roof",
        timeout=timeout,
        attempts=attempts,
        tries=tries,
        pause=lambda _failures: 0.001,
        clock=lambda: NOW,
        ticking=asyncio.get_running_loop().time,
    )


async def answer_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    async for frame in requests(reader):
        name = BY_ID[frame.object_id]
        writer.write(response(name, VALUES[name]))


async def until(condition: Callable[[], object]) -> None:
    """Wait until something has become true; the test's own time limit ends a wait in vain."""
    while not condition():  # noqa: ASYNC110  # what is waited for is not ours to tell
        await asyncio.sleep(0.001)


@warped
async def test_read_gives_a_reading() -> None:
    async with peer(answer_all) as port, impatient(port) as inverter:
        reading = await inverter.read("battery.soc")
        assert reading == Reading(NOW, "roof", registry["battery.soc"], 0.5)
        assert inverter.connected
        assert inverter.counters.requests == inverter.counters.frames == 1
        assert inverter.counters.foreign_frames == inverter.counters.timeouts == 0


@warped
async def test_names_may_be_prefixes_and_ids() -> None:
    async with peer(answer_all) as port, impatient(port) as inverter:
        answers = await inverter.read_many(["0x959930BF", "battery.volt", "battery.soc"])
    assert list(answers) == ["0x959930BF", "battery.volt", "battery.soc"]
    assert [answer.value for answer in answers.values() if isinstance(answer, Reading)] == [0.5, 400.0, 0.5]


@warped
async def test_an_unknown_name_is_refused_before_anything_is_asked() -> None:
    async with peer(answer_all) as port, impatient(port) as inverter:
        with pytest.raises(UnknownObject, match=r"battery\.soc"):
            await inverter.read_many(["battery.soh", "batery.soc"])
        assert inverter.counters.requests == 0


@warped
async def test_a_missing_answer_is_an_error_for_that_name_alone() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for frame in requests(reader):
            if BY_ID[frame.object_id] != "battery.soh":
                writer.write(response(BY_ID[frame.object_id], VALUES[BY_ID[frame.object_id]]))

    async with peer(script) as port, impatient(port) as inverter:
        answers = await inverter.read_many(["battery.soc", "battery.soh", "battery.voltage"])
        assert isinstance(answers["battery.soc"], Reading)
        assert isinstance(answers["battery.voltage"], Reading)
        assert str(answers["battery.soh"]) == f"127.0.0.1:{port}: no answer for battery.soh"
        assert inverter.counters.timeouts == 3
        assert inverter.counters.retries == 2
        assert inverter.counters.requests == 5
        with pytest.raises(NoAnswer, match=r"battery\.soh"):
            await inverter.read("battery.soh")


@warped
async def test_only_what_is_missing_is_asked_again() -> None:
    asked: list[str] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for frame in requests(reader):
            name = BY_ID[frame.object_id]
            asked.append(name)
            if name != "battery.soh" or asked.count(name) == 2:
                writer.write(response(name, VALUES[name]))

    async with peer(script) as port, impatient(port) as inverter:
        answers = await inverter.read_many(["battery.soc", "battery.soh", "battery.voltage"])
    assert all(isinstance(answer, Reading) for answer in answers.values())
    assert sorted(asked) == ["battery.soc", "battery.soh", "battery.soh", "battery.voltage"]


@warped
async def test_a_stub_is_asked_again_at_once() -> None:
    stub = b"\0" + Frame(Command.RESPONSE, registry["battery.soc"].object_id, b"\x3f").encode()
    answers = [stub, response("battery.soc", 0.25)]

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for _ in requests(reader):
            writer.write(answers.pop(0))

    async with peer(script) as port, impatient(port, timeout=60) as inverter:
        assert (await inverter.read("battery.soc")).value == 0.25
        assert inverter.counters.bad_readings == inverter.counters.retries == 1
        assert inverter.counters.timeouts == 0


@warped
async def test_damage_is_counted_and_what_follows_is_found() -> None:
    good = response("battery.soc", 0.25)
    damaged = good[:-1] + bytes([good[-1] ^ 1])

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for _ in requests(reader):
            writer.write(damaged + good[:6] + b"\x00\xff" + good)

    async with peer(script) as port, impatient(port) as inverter:
        assert (await inverter.read("battery.soc")).value == 0.25
        assert inverter.counters.bad_frames == {Reason.CRC: 1, Reason.TRUNCATED: 1}


@warped
async def test_what_others_caused_is_heard_and_satisfies_who_waits() -> None:
    heard = asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(response("battery.voltage", 401.0) + Frame(Command.READ, 5).encode() + b"+++")
        writer.write(Frame(Command.PLANT_RESPONSE, registry["battery.soc"].object_id, b"\0\0\0\0", 9).encode())
        async for _ in requests(reader):  # never answered, but somebody else asks for the same
            heard.set()
            writer.write(response("battery.soc", 0.125))

    async with peer(script) as port, impatient(port) as inverter:
        readings = inverter.listen()
        first = await anext(readings)
        assert (first.object.name, first.value) == ("battery.voltage", 401.0)
        second = await anext(readings)
        assert (second.inverter, second.value) == ("roof/00000009", 0.0)
        assert inverter.counters.foreign_frames == 3
        answer = await inverter.read("battery.soc")
        assert heard.is_set()
        assert (answer.inverter, answer.value) == ("roof", 0.125)
        assert await anext(readings) == answer
        assert inverter.counters.foreign_frames == 3


@warped
async def test_an_unsolicited_value_answers_a_request_that_still_waits() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for frame in requests(reader):
            assert BY_ID[frame.object_id] == "battery.soc"
            writer.write(response("battery.soh", 1.0) + response("battery.soc", 0.5))

    async with peer(script) as port, impatient(port, timeout=60) as inverter:
        answers = await inverter.read_many(["battery.soc", "battery.soh"])
        assert [answer.value for answer in answers.values() if isinstance(answer, Reading)] == [0.5, 1.0]
        assert inverter.counters.requests == 1
        assert inverter.counters.foreign_frames == 1


@warped
async def test_the_same_object_asked_twice_is_one_request() -> None:
    async with peer(answer_all) as port, impatient(port) as inverter:
        first, second = await asyncio.gather(inverter.read("battery.soc"), inverter.read("battery.soc"))
        assert first == second
        assert inverter.counters.requests == 1


@warped
async def test_who_stops_waiting_does_not_disturb_the_others() -> None:
    go = asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for _ in requests(reader):
            await go.wait()
            writer.write(response("battery.soc", 0.5))

    async with peer(script) as port, impatient(port, timeout=60) as inverter:
        impatient_one = asyncio.create_task(inverter.read("battery.soc"))
        patient_one = asyncio.create_task(inverter.read("battery.soc"))
        await until(lambda: inverter.counters.requests)
        impatient_one.cancel()
        go.set()
        assert (await patient_one).value == 0.5


@warped
async def test_history_is_asked_with_a_time_and_matched_by_it() -> None:
    info = registry["logger.minutes_soc_log_ts"]
    asked: list[int] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for frame in requests(reader):
            assert frame.command is Command.WRITE
            when = int.from_bytes(frame.payload)
            asked.append(when)
            for time_asked in (when - 1, when):  # the first is for somebody else
                page = TimeSeries(time_asked, (Sample(time_asked - 300, 0.5),))
                writer.write(Frame(Command.LONG_RESPONSE, info.object_id, info.encode(page)).encode())

    async with peer(script) as port, impatient(port) as inverter:
        reading = await inverter.read(info.name, before=1000)
        assert reading.value == TimeSeries(1000, (Sample(700, 0.5),))
        assert inverter.counters.foreign_frames == 1
        newest = await inverter.read(info.name)
        assert isinstance(newest.value, TimeSeries)
        assert abs(newest.value.time - (time.time() + time.localtime().tm_gmtoff)) < 60
        both = await asyncio.gather(*(inverter.read(info.name, before=when) for when in (5000, 4000)))
        assert [reading.value.time for reading in both if isinstance(reading.value, TimeSeries)] == [5000, 4000]
    assert asked == [1000, newest.value.time, 5000, 4000]


@warped
async def test_what_is_known_late_has_the_time_when_it_came() -> None:
    """A frame behind a stray escape waits in the parser until the next start."""
    times = iter((NOW, NOW + 31_000_000_000, NOW + 31_000_000_001))
    heard = asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"+\x05\x40-" + response("battery.soc", 0.5)[1:])
        await writer.drain()
        await until(lambda: next_time == [NOW])  # it has been received
        writer.write(response("battery.voltage", 400.0))
        await heard.wait()

    next_time: list[int] = []

    def clock() -> int:
        next_time.append(next(times))
        return next_time[-1]

    async with peer(script) as port, connect("127.0.0.1", port, clock=clock) as inverter:
        found = []
        async for reading in inverter.listen():
            found.append((reading.object.name, reading.time))
            if len(found) == 2:
                break
        heard.set()
    assert found == [("battery.soc", NOW), ("battery.voltage", NOW + 31_000_000_000)]


@warped
async def test_what_cannot_be_asked_is_the_callers_mistake() -> None:
    async with peer(answer_all) as port, impatient(port) as inverter:
        with pytest.raises(EncodeError, match="holds no history"):
            await inverter.read("battery.soc", before=1000)
        with pytest.raises(EncodeError, match="INT32"):
            await inverter.read("logger.minutes_soc_log_ts", before=1 << 31)
        assert inverter.counters.requests == 0


@warped
async def test_a_page_of_history_is_alone_on_the_line() -> None:
    events = registry["logger.error_log_time_stamp"]
    in_flight = 0

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal in_flight

        async def reply(frame: Frame) -> None:
            nonlocal in_flight
            await asyncio.sleep(0)
            assert in_flight == 1 or frame.command is Command.READ
            in_flight -= 1
            if frame.command is Command.READ:
                writer.write(response(BY_ID[frame.object_id], VALUES[BY_ID[frame.object_id]]))
            else:
                page = EventTable(int.from_bytes(frame.payload), ())
                writer.write(Frame(Command.LONG_RESPONSE, events.object_id, events.encode(page)).encode())

        async for frame in requests(reader):
            in_flight += 1
            await reply(frame)

    async with peer(script) as port, impatient(port, timeout=60) as inverter:
        await asyncio.gather(
            *(inverter.read(name) for name in VALUES), inverter.read(events.name), inverter.read("battery.soc")
        )


@warped
async def test_a_host_that_refuses() -> None:
    (port,) = free_ports(1)
    with pytest.raises(
        ConnectFailed, match=rf"^127\.0\.0\.1:{port}: cannot connect: connection refused \(tried 3 times\)$"
    ):
        await impatient(port).__aenter__()


@warped
async def test_a_host_that_is_unknown() -> None:
    client = connect("no-such-host.invalid", tries=1)
    with pytest.raises(ConnectFailed, match=r"^no-such-host\.invalid:8899: cannot connect: unknown host$"):
        await client.__aenter__()


@warped
async def test_a_host_that_closes_at_once() -> None:
    async def script(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        return

    async with peer(script) as port, impatient(port, timeout=60) as inverter:
        with pytest.raises(ConnectionLost, match=f"^127.0.0.1:{port}: the inverter closed the connection"):
            await inverter.read("battery.soc")
        with pytest.raises(LinkError):  # and it is not tried for ever
            await inverter.listen().__anext__()


@warped
async def test_a_host_that_is_silent() -> None:
    async def script(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        async for _ in requests(reader):
            pass

    async with peer(script) as port, impatient(port) as inverter:
        with pytest.raises(NoAnswer, match=f"^127.0.0.1:{port}: no answer for battery.soc$"):
            await inverter.read("battery.soc")


@warped
async def test_a_session_gone_silent_is_made_anew_and_nothing_is_lost() -> None:
    sessions = 0

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sessions
        sessions += 1
        answered = 0
        async for frame in requests(reader):
            answered += 1
            if sessions > 1 or answered == 1:
                writer.write(response(BY_ID[frame.object_id], VALUES[BY_ID[frame.object_id]]))
            else:
                writer.write(response("battery.soh", 0.0) * 2)  # others' traffic goes on, which proves nothing

    async with peer(script) as port, impatient(port, attempts=6) as inverter:
        assert (await inverter.read("battery.soc")).value == 0.5
        assert (await inverter.read("battery.voltage")).value == 400.0
        assert inverter.counters.reconnects == 1
        assert sessions == 2


@warped
async def test_mute_objects_are_no_dead_session() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for frame in requests(reader):
            if BY_ID[frame.object_id] == PROBE:
                writer.write(response(PROBE, VALUES[PROBE]))

    async with peer(script) as port, impatient(port) as inverter:
        answers = await inverter.read_many(["battery.soc", "battery.soh", "battery.voltage", "battery.current"])
        assert all(isinstance(answer, NoAnswer) for answer in answers.values())
        assert inverter.counters.reconnects == 0


@warped
async def test_objects_that_stay_silent_do_not_slow_down_the_others() -> None:
    names = [name for name in VALUES if name != "battery.soh"]

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for frame in requests(reader):
            if BY_ID[frame.object_id] != "battery.soh":
                writer.write(response(BY_ID[frame.object_id], VALUES[BY_ID[frame.object_id]]))

    async with peer(script) as port, impatient(port, timeout=0.02) as inverter:
        for _ in range(3):
            await inverter.read_many(names)
        with pytest.raises(NoAnswer):
            await inverter.read("battery.soh")
        window = inverter._questions._pace.window  # the pace shows nowhere else but in time
        with pytest.raises(NoAnswer):
            await inverter.read("battery.soh")
        assert inverter.counters.timeouts == 6
        assert inverter._questions._pace.window >= window > 2


@warped
async def test_one_lost_connection_is_survived() -> None:
    sessions = 0

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sessions
        sessions += 1
        async for frame in requests(reader):
            if sessions == 1:
                return
            writer.write(response(BY_ID[frame.object_id], VALUES[BY_ID[frame.object_id]]))

    async with peer(script) as port, impatient(port, timeout=60) as inverter:
        answers = await inverter.read_many(["battery.soc", "battery.soh"])
        assert [answer.value for answer in answers.values() if isinstance(answer, Reading)] == [0.5, 0.75]
        assert inverter.counters.reconnects == 1


@warped
async def test_a_service_keeps_trying_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    (port,) = free_ports(1)
    async with impatient(port, tries=None) as inverter:
        readings = inverter.listen()
        first = asyncio.ensure_future(anext(readings))
        with pytest.raises(ConnectionLost, match="connection refused"):
            await inverter.read("battery.soc")
        with pytest.raises(ConnectionLost, match="connection refused"):
            await inverter.read("battery.soc")
        async with peer(answer_all, port):
            await until(lambda: inverter.connected)
            assert (await inverter.read("battery.soc")).value == 0.5
            assert (await first).value == 0.5
    said = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert said == [
        f"127.0.0.1:{port}: cannot connect: connection refused; trying again",
        f"127.0.0.1:{port}: there again after 0 s",
    ]


@warped
async def test_after_close_reading_is_an_error() -> None:
    async with peer(answer_all) as port:
        async with impatient(port) as inverter:
            await inverter.read("battery.soc")
        with pytest.raises(ConnectionLost, match="closed"):
            await inverter.read("battery.soc")


@warped
async def test_who_waits_for_its_end_is_told_of_a_close() -> None:
    async with peer(answer_all) as port:
        async with impatient(port) as inverter:
            waiting = asyncio.create_task(inverter.ended())
            await inverter.read("battery.soc")  # so that it waits
        await waiting


@warped
async def test_a_client_never_entered_closes_too_and_says_what_it_is() -> None:
    client = connect("127.0.0.1")
    with pytest.raises(ConnectionLost, match="not connected"):
        await client.read("battery.soc")
    await client.close()


@warped
async def test_who_listens_to_the_dead_is_told() -> None:
    async with peer(answer_all) as port:
        async with impatient(port) as inverter:
            await inverter.read("battery.soc")
        with pytest.raises(ConnectionLost, match="closed"):
            await anext(inverter.listen())


@warped
async def test_a_request_that_ends_every_connection_comes_to_an_end() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"AT+\r")  # it speaks, so it is there
        async for _ in requests(reader):
            return

    async with peer(script) as port, impatient(port, tries=None, timeout=60) as inverter:
        with pytest.raises((NoAnswer, ConnectionLost)):
            await inverter.read("battery.soc")
        assert inverter.counters.requests <= 4


@warped
async def test_what_came_before_the_connection_was_lost_is_delivered() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for frame in requests(reader):
            if BY_ID[frame.object_id] == "battery.soh":
                return
            writer.write(response(BY_ID[frame.object_id], VALUES[BY_ID[frame.object_id]]))

    async with peer(script) as port, impatient(port, timeout=60) as inverter:
        answers = await inverter.read_many(["battery.soc", "battery.voltage", "battery.soh"])
    assert isinstance(answers["battery.soc"], Reading)
    assert isinstance(answers["battery.voltage"], Reading)
    assert isinstance(answers["battery.soh"], LinkError | NoAnswer)


@pytest.mark.parametrize("host", ["a..b", "x" * 64])
@warped
async def test_a_host_name_that_cannot_be(host: str) -> None:
    with pytest.raises(ConnectFailed, match=r"cannot connect: unknown host$"):
        await connect(host, tries=1).__aenter__()


@warped
async def test_closing_ends_who_waits() -> None:
    async def script(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        async for _ in requests(reader):
            pass

    async with peer(script) as port:
        async with impatient(port, timeout=60) as inverter:
            waiting = asyncio.create_task(inverter.read("battery.soc"))
            await until(lambda: inverter.counters.requests)
        with pytest.raises(ConnectionLost):
            await waiting


@warped
async def test_a_slow_listener_loses_the_oldest_and_it_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rct_tools.client._UNHEARD", 2)
    go = asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await go.wait()
        writer.write(b"".join(response("battery.soc", n / 8) for n in range(5)))
        await reader.read()

    async with peer(script) as port, impatient(port) as inverter:
        readings = inverter.listen()
        waiting = asyncio.ensure_future(anext(readings))
        await asyncio.sleep(0)
        go.set()
        await until(lambda: inverter.counters.frames == 5)
        assert inverter.counters.unheard == 3
        assert (await waiting).value == 3 / 8


@warped
async def test_no_bytes_at_all_break_the_client() -> None:
    junk = bytes(range(256)) * 40 + b"+++++-" * 100 + b"\x2b\x06\xff\xff"

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for frame in requests(reader):
            writer.write(junk + response(BY_ID[frame.object_id], VALUES[BY_ID[frame.object_id]]) + junk)

    async with peer(script) as port, impatient(port, timeout=1) as inverter:
        answers = await inverter.read_many(VALUES)
        assert {name: answer.value for name, answer in answers.items() if isinstance(answer, Reading)} == VALUES


def test_the_pace_grows_with_quick_answers_and_halves_on_loss() -> None:
    pace = Pace()
    assert pace.window == 1
    slowest_gap = pace.gap
    for _ in range(20):
        pace.answered(0.06)
    assert pace.window == Pace.WIDEST
    assert pace.gap == slowest_gap / Pace.WIDEST
    pace.lost()
    assert pace.window == Pace.WIDEST / 2
    pace.answered(1.0)  # late, so the line is busy
    assert pace.window == Pace.WIDEST / 2


def test_a_line_that_takes_one_request_at_a_time_is_not_pressed() -> None:
    pace = Pace()
    losses = 0
    for _ in range(1000):
        if pace.window >= 2:
            pace.lost()
            losses += 1
        else:
            pace.answered(0.06)
    assert losses < 20


@warped
async def test_the_blocking_helper() -> None:
    async with peer(answer_all) as port:
        values = await asyncio.to_thread(rct_tools.read, "127.0.0.1", "battery.soc", "svnversion", port=port)
    assert values == {"battery.soc": 0.5, "svnversion": "2.3.1"}


@warped
async def test_the_blocking_helper_says_what_is_missing_and_loses_nothing() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for frame in requests(reader):
            if BY_ID[frame.object_id] == "battery.soc":
                writer.write(response("battery.soc", 0.5))

    async with peer(script) as port:
        with pytest.raises(NoAnswer, match=r"no answer for battery\.soh") as caught:
            await asyncio.to_thread(rct_tools.read, "127.0.0.1", "battery.soc", "battery.soh", port=port, timeout=1)
    assert caught.value.answered == {"battery.soc": 0.5}


@warped
async def test_the_blocking_helper_in_a_notebook() -> None:
    """A notebook's cell runs inside a loop, so asyncio.run() is not to be had there."""
    async with peer(answer_all) as port:

        async def cell() -> dict[str, Value]:
            return rct_tools.read("127.0.0.1", "battery.soc", port=port)

        assert await asyncio.to_thread(asyncio.run, cell()) == {"battery.soc": 0.5}


# --- other clients --------------------------------------------------------------------------------------------------

SIGNS = [  # what came unasked, and after how many seconds; whether others are at work then
    ([("battery.soc", 0.0), ("battery.voltage", 0.1)], False),  # what the inverter says by itself
    ([("battery.soc", 0.0), ("battery.soc", 31.0)], False),
    ([("battery.soc", 0.0), ("battery.soc", 5.0)], True),
    ([("svnversion", 0.0)], True),
    ([("svnversion", 0.0), ("battery.soc", Others.LEFT)], False),  # gone again
    ([("power_mng.soc_min", 0.0)], False),  # asked by us, and late
    ([("power_mng.soc_min", Others.OURS)], True),
]


@pytest.mark.parametrize(("signs", "at_work"), SIGNS)
def test_other_clients_are_told_from_what_comes_unasked(signs: list[tuple[str, float]], at_work: bool) -> None:
    others = Others()
    others.asked(registry["power_mng.soc_min"].object_id, 0.0)
    for name, now in signs:
        others.came(registry[name], now)
    assert others.at_work(signs[-1][1]) is at_work


def test_what_is_remembered_of_others_is_bounded() -> None:
    others = Others()
    for object_id in range(10_000):
        others.came(ObjectInfo(object_id, "", DataType.UNKNOWN), 0.0)
    assert len(others._unasked) < 5000
    assert 9_999 in others._unasked


@warped
async def test_pace_yields_to_other_clients() -> None:
    gaps: list[float] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(response("power_mng.soc_min", 0.5))  # asked for by somebody else
        last = 0.0
        async for frame in requests(reader):
            now = asyncio.get_running_loop().time()
            gaps.append(now - last)
            last = now
            writer.write(response(BY_ID[frame.object_id], VALUES[BY_ID[frame.object_id]]))

    async with peer(script) as port, impatient(port, timeout=5) as inverter:
        await until(lambda: inverter.sees_others)
        await inverter.read_many(["battery.soc", "battery.soh", "battery.voltage"])
    assert min(gaps[1:]) >= Others.GAP * 0.9


@warped
async def test_asking_without_waiting_and_hearing_everything() -> None:
    heard: list[Reading] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(response("battery.voltage", 400.0))
        await answer_all(reader, writer)

    async with peer(script) as port, impatient(port) as inverter:
        with inverter.hearing(heard.append):
            reading = (await inverter.ask(registry["battery.soc"])).reading
            await until(lambda: len(heard) == 2)
        await inverter.read("battery.soh")
    assert heard[1] is reading
    assert [r.object.name for r in heard] == ["battery.voltage", "battery.soc"]
    assert inverter.counters.bytes_sent == 2 * 9
    assert inverter.counters.bytes_received == sum(len(response(n, VALUES[n])) for n in list(VALUES)[:3])


def test_one_answer_that_was_too_quick_is_forgotten() -> None:
    pace = Pace()
    pace.answered(0.001)  # what the inverter says by itself may come right after a question
    pace.lost()
    before = pace.window
    for _ in range(200):
        pace.answered(0.06)
    assert pace.window > before
