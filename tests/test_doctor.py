"""An examination of inverters that are well, and of all kinds that are not, on a clock that jumps over the waiting."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeAlias

import pytest

from rct_tools.advice import advise, is_reached, verdict
from rct_tools.capture import Chunk, Direction
from rct_tools.client import connect
from rct_tools.doctor import ASKED, LISTEN, MOST_REQUESTS, RATES, examine
from rct_tools.evidence import gather
from rct_tools.examination import ENDS, Examination
from rct_tools.frame import Frame
from rct_tools.objects import registry
from rct_tools.parser import FrameParser
from rct_tools.simulator import Simulator
from rct_tools.simulator.faults import Faults
from rct_tools.simulator.firmware import FIRMWARE
from rct_tools.simulator.inverter import Inverter

from peers import Script, peer, requests
from programs import ROOT
from servers import free_ports
from warp import warp

NOW = 1_780_000_000_000_000_000
NOON = datetime.fromtimestamp(NOW // 10**9)  # noqa: DTZ006  # what a clock on the wall shows then
BURSTS = {1, 14, 49}

Wrong: TypeAlias = Callable[[int, Frame], bytes]  # the number of a frame from the inverter, it -> what leaves


def visit(
    port: int, *, listen: int = LISTEN, tell: Callable[[str], object] = lambda _text: None
) -> Awaitable[tuple[Examination, list[Chunk]]]:
    """Examine what is at a port; times in the chunks are those of the loop, which jump."""
    loop = asyncio.get_running_loop()
    return examine(
        "127.0.0.1", port, listen=listen, tell=tell, pause=lambda _failures: 0.1,
        clock=lambda: NOW + round(loop.time() * 1e9),
    )  # fmt: skip


def said(found: Examination) -> str:
    return "\n".join(f"{advice.what} {advice.do}" for advice in advise(found))


def goes_wrong(simulator: Simulator, wrong: Wrong, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every frame that the inverter sends pass through a function."""
    send = simulator.line.send
    count = 0

    def send_wrong(data: bytes) -> None:
        nonlocal count
        frames = [event for event in FrameParser().feed(data) if isinstance(event, Frame)]
        for frame in frames:
            count += 1
            send(wrong(count, frame))
        if not frames:
            send(data)

    monkeypatch.setattr(simulator.line, "send", send_wrong)


def wire(frame: Frame) -> bytes:
    return b"\0" + frame.encode()


@asynccontextmanager
async def another_client(port: int, *names: str) -> AsyncIterator[None]:
    """Ask for some objects again and again, beside the examination."""

    async def ask() -> None:
        async with connect("127.0.0.1", port) as inverter:
            while True:
                await inverter.read_many(names)
                await asyncio.sleep(1.5)

    task = asyncio.create_task(ask())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


# --- simulated inverters ---------------------------------------------------------------------------------------------


def examined(
    monkeypatch: pytest.MonkeyPatch,
    wrong: Wrong | None = None,
    others: tuple[str, ...] = (),
    listen: int = LISTEN,
    **options: Any,
) -> Examination:
    async def main() -> Examination:
        async with AsyncExitStack() as stack:
            simulator = await stack.enter_async_context(Simulator(port=0, **{"start": NOON, **options}))
            if wrong:
                goes_wrong(simulator, wrong, monkeypatch)
            if others:
                await stack.enter_async_context(another_client(simulator.port, *others))
            found, _ = await visit(simulator.port, listen=listen)
            return found

    return warp(main())


def test_a_healthy_inverter(monkeypatch: pytest.MonkeyPatch) -> None:
    found = examined(monkeypatch)
    assert (found.connected, found.trouble, found.flooded) == (True, "", False)
    assert (found.firmware, found.power, found.slaves) == ("2.3.5678", 9999.0, 0)
    assert {"string A", "battery", "module 4", "power switch"} <= set(found.parts)
    assert found.clock_ahead in (-1, 0)
    assert 2 * len(ASKED) == found.answered < found.requests < MOST_REQUESTS * 0.7
    assert (found.late, found.cut, found.lost, found.extra) == (0, 0, 0, 0)
    assert found.delays is not None
    assert 0.06 <= found.delays.median <= found.delays.p95 <= found.delays.slowest
    assert (found.rate, found.rate_end) == (RATES[-1], "all")
    assert (found.mute, found.rare, found.damaged, found.others) == ((), (), {}, {})
    assert found.broadcast is not None
    assert found.broadcast.objects > 60
    assert found.broadcast.period == pytest.approx(31, abs=0.1)
    assert set(found.broadcast.bursts[1:-1]) <= BURSTS
    assert (found.silent_sessions, found.closed_sessions, found.second, found.shared) == (0, 0, True, True)
    assert found.listened == LISTEN < found.seconds
    assert verdict(found) == "healthy"


def test_nothing_is_written_and_no_history_is_read() -> None:
    async def main() -> None:
        async with Simulator(port=0, broadcast=False) as simulator:
            _, chunks = await visit(simulator.port, listen=0)
        parser = FrameParser()
        sent = b"".join(chunk.data for chunk in chunks if chunk.direction is Direction.SENT)
        assert {event.command.name for event in parser.feed(sent) if isinstance(event, Frame)} == {"READ"}
        assert parser.bad.total() == 0

    warp(main())


def test_it_says_what_it_does_and_listens_without_a_word() -> None:
    async def main() -> None:
        told: list[str] = []
        sent_before: list[int] = []
        async with Simulator(port=0, broadcast=False) as simulator:
            take = simulator.line.request

            def request(frame: Frame) -> None:
                sent_before.append(len([text for text in told if "listening" in text]))
                take(frame)

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(simulator.line, "request", request)
                await visit(simulator.port, tell=told.append)
        assert told[:2] == ["connecting", f"listening without a word, 0 of {LISTEN} s"]
        assert {"asking 20 times a second", "trying a second connection"} <= set(told)
        assert sent_before[0] == LISTEN  # nothing was asked before

    warp(main())


def test_another_client_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("db.core_temp", "wifi.mode")
    found = examined(monkeypatch, others=names)
    assert set(found.others) == set(names)
    assert min(found.others.values()) > 10
    assert (found.rate, found.rate_end) == (None, "others")  # to hurry would harm it
    assert "db.core_temp" in said(found)
    assert "rct proxy" in said(found)
    assert verdict(found).startswith("works, with ")


def test_no_broadcast(monkeypatch: pytest.MonkeyPatch) -> None:
    found = examined(monkeypatch, broadcast=False)
    assert found.broadcast is None
    assert "says nothing by itself" in said(found)
    assert verdict(found) == "healthy"


def test_without_listening_nothing_is_said_of_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    found = examined(monkeypatch, broadcast=False, listen=0)
    assert (found.listened, found.broadcast) == (0, None)
    assert "by itself" not in said(found)


def test_objects_that_do_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    mute = {registry[name].object_id for name in ("db.core_temp", "rb485.available")}
    found = examined(
        monkeypatch, lambda _, frame: b"" if frame.object_id in mute else wire(frame), broadcast=False, listen=0
    )
    assert set(found.mute) == {"db.core_temp", "rb485.available"}
    assert (found.lost, found.rate, found.rate_end) == (0, RATES[-1], "all")  # which says nothing of the connection
    assert f"2 objects did not answer: {', '.join(found.mute)}." in said(found)
    assert verdict(found) == "healthy"


def test_an_object_that_answers_only_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    rare = registry["fault[3].flt"].object_id
    seen = 0

    def wrong(_: int, frame: Frame) -> bytes:
        nonlocal seen
        seen += frame.object_id == rare
        return b"" if frame.object_id == rare and seen < 5 else wire(frame)

    found = examined(monkeypatch, wrong, broadcast=False, listen=0)
    assert found.rare == ("fault[3].flt",)
    assert "only now and then: fault[3].flt" in said(found)


def cut_to_a_stub(frame: Frame) -> Frame:
    return replace(frame, payload=frame.payload[:2])


@pytest.mark.parametrize(
    ("most", "rate", "end"), [(MOST_REQUESTS, 15, "enough"), (200, 5, "enough"), (100, None, "losses")]
)
def test_there_is_an_end_to_what_is_asked(
    monkeypatch: pytest.MonkeyPatch, most: int, rate: int | None, end: str
) -> None:
    monkeypatch.setattr("rct_tools.doctor.MOST_REQUESTS", most)
    heard = {registry[name].object_id for name in ASKED[:16]}
    found = examined(
        monkeypatch, lambda _, frame: wire(frame) if frame.object_id in heard else b"", broadcast=False, listen=0
    )
    assert most - 30 < found.requests <= most
    assert (found.rate, found.rate_end, found.second is None) == (rate, end, True)


FAULTS: list[tuple[str, Wrong, Callable[[Examination], bool], str]] = [  # name, what happens, what is found, said
    (
        "lost",
        lambda number, frame: b"" if number % 5 == 0 else wire(frame),
        lambda found: found.lost > 3 and found.rate_end == "losses",
        "of the answers did not come in time",
    ),
    (
        "stub",
        lambda number, frame: wire(cut_to_a_stub(frame) if number % 9 == 0 and len(frame.payload) == 4 else frame),
        lambda found: found.cut > 1,
        "cut by the next question",
    ),
    (
        "damaged",
        lambda number, frame: wire(frame)[:-1] if number % 7 == 0 else wire(frame),
        lambda found: found.lost > 3 and sum(found.damaged.values()) == found.lost,
        "damaged: ",
    ),
    (
        "doubled",
        lambda _, frame: 2 * wire(frame),
        lambda found: found.extra > 20 and found.lost == 0 and found.rate == RATES[-1],
        "came more than once",
    ),
]


@pytest.mark.parametrize(("wrong", "is_found", "text"), [case[1:] for case in FAULTS], ids=[c[0] for c in FAULTS])
def test_faults(
    monkeypatch: pytest.MonkeyPatch, wrong: Wrong, is_found: Callable[[Examination], bool], text: str
) -> None:
    found = examined(monkeypatch, wrong, broadcast=False, listen=0)
    assert is_found(found), found
    assert text in said(found)
    assert found.requests <= MOST_REQUESTS


@pytest.mark.parametrize("name", FIRMWARE)
def test_every_firmware(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    found = examined(monkeypatch, firmware=name)
    assert is_reached(found)
    assert found.firmware == FIRMWARE[name].version
    assert f"Firmware {found.firmware} " in said(found)
    assert (found.others, found.shared is False, found.second) == ({}, False, True)
    assert found.answered > len(ASKED) * 0.9


SIMULATED: list[tuple[Faults, Callable[[Examination], bool], str]] = [  # what goes wrong, what is found, said
    (Faults(lost=0.1), lambda found: found.lost > 2 and found.rate is None, "of the answers did not come in time"),
    (Faults(cut=0.1), lambda found: sum(found.damaged.values()) > 5, "damaged: "),
    (Faults(length=0.1), lambda found: "length" in found.damaged, "damaged: "),
    (Faults(doubled=0.2), lambda found: found.extra > 20 and not found.others, "came more than once"),
    (Faults(echo=0.2), lambda found: found.echoes > 20 and verdict(found) == "healthy", ""),
    (Faults(silent=40.0), lambda found: found.silent_sessions == 1 and not found.mute, "answered nothing more"),
    (Faults(idle=20.0), lambda found: found.closed_sessions == 1 and found.rate == RATES[-1], "closed the connection"),
    (Faults(connections=1), lambda found: found.second is False, "one connection at a time"),
    (Faults(package=1.0), lambda found: found.linked > 30, "Linked inverters talk"),
    (Faults(slaves=2), lambda found: found.slaves == 2 and verdict(found) == "healthy", ""),
    (Faults(clock=-4000.0), lambda found: found.clock_ahead in (-4001, -4000), "1.11 h behind this machine's."),
    (Faults(rare=600.0), lambda found: len(found.rare) > 3 and found.silent_sessions == 0, "only now and then: "),
]


@pytest.mark.parametrize(("faults", "is_found", "text"), SIMULATED, ids=[str(case[0]) for case in SIMULATED])
def test_simulated_faults(
    monkeypatch: pytest.MonkeyPatch, faults: Faults, is_found: Callable[[Examination], bool], text: str
) -> None:
    found = examined(monkeypatch, faults=faults)
    assert is_found(found), found
    assert text in said(found)


@pytest.mark.parametrize(("off", "text"), [
    (timedelta(hours=1), "1 h ahead of this machine's: another time zone"),
    (timedelta(hours=-9.5), "9.5 h behind this machine's: another time zone"),
    (timedelta(minutes=-7), "Its clock is 7 min behind"),
    (timedelta(days=300), "Its clock is 300 d ahead of"),
])  # fmt: skip
def test_a_clock_that_is_off(monkeypatch: pytest.MonkeyPatch, off: timedelta, text: str) -> None:
    assert text in said(examined(monkeypatch, broadcast=False, listen=0, start=NOON + off))


def test_answers_that_come_no_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    # Whoever stays silent about objects makes the client careful: it asks one thing at a time.
    mute = {registry[f"battery.module_sn[{n}]"].object_id for n in range(4)}
    wrong: Wrong = lambda _, frame: b"" if frame.object_id in mute else wire(frame)  # noqa: E731
    found = examined(monkeypatch, wrong, broadcast=False, listen=0, latency=0.28)
    assert (found.rate_end, found.lost) == ("slow", 0)
    assert found.rate != RATES[-1]


def test_slow_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    found = examined(monkeypatch, broadcast=False, listen=0, latency=0.5)
    assert "Answers take 0.50 s" in said(found)


# --- peers that follow a script ------------------------------------------------------------------------------------


def answering(inverter: Inverter, *, after: float = 0.02) -> Script:
    """Return what answers as an inverter, to the one who asks only."""
    return partial(_answer, inverter, after)


async def _answer(inverter: Inverter, after: float, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    async for frame in requests(reader):
        await asyncio.sleep(after)
        if (answer := inverter.answer(frame)) is not None:
            writer.write(wire(answer))


@pytest.fixture(scope="module")
def inverter() -> Inverter:
    return Inverter.with_past(0, NOW // 10**9)


def met(script: Script, *, listen: int = 0) -> Examination:
    async def main() -> Examination:
        async with peer(script) as port:
            found, _ = await visit(port, listen=listen)
            return found

    return warp(main())


def test_behind_a_proxy_nobody_hears_the_others(inverter: Inverter) -> None:
    found = met(answering(inverter))
    assert (found.second, found.shared, found.lost) == (True, False, 0)
    assert "a proxy" in said(found)


def test_the_rate_where_the_first_answer_is_lost(inverter: Inverter) -> None:
    dropped: list[Frame] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        last = float("-inf")
        async for frame in requests(reader):
            now = asyncio.get_running_loop().time()
            if now - last < 0.11:  # nine a second
                dropped.append(frame)
            elif answer := inverter.answer(frame):
                writer.write(wire(answer))
            last = now

    found = met(script)
    assert (found.rate, found.rate_end) == (8, "loss")
    assert len(dropped) <= 3  # it stops at the first; two more are under way by then
    assert found.lost == 0  # which was the price of looking
    assert ENDS["loss"] == "the next one lost answers"


def test_no_rate_at_all(inverter: Inverter) -> None:
    number = 0

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal number
        async for frame in requests(reader):
            number += 1
            if number <= 2 * len(ASKED) + 3 and (answer := inverter.answer(frame)):
                writer.write(wire(answer))

    found = met(script)
    assert (found.rate, found.rate_end) == (None, "loss")
    assert "does not keep up" in said(found)


def test_a_session_that_goes_silent_is_told_from_one_that_is_closed(inverter: Inverter) -> None:
    sessions = 0

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sessions
        sessions += 1
        number, session = 0, sessions
        async for frame in requests(reader):
            number += 1
            if session == 2 and number == 10:
                return
            if (session > 1 or number < 10) and (answer := inverter.answer(frame)):
                writer.write(wire(answer))

    found = met(script)
    assert (found.silent_sessions, found.closed_sessions) == (1, 1)
    assert found.mute == ()
    assert "1 session stayed open but answered nothing more" in said(found)
    assert "closed the connection 1 time." in said(found)


def test_a_connection_that_breaks_when_asked_too_fast(inverter: Inverter) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        last = float("-inf")
        async for frame in requests(reader):
            now = asyncio.get_running_loop().time()
            if now - last < 0.15:
                return
            last = now
            if answer := inverter.answer(frame):
                writer.write(wire(answer))

    found = met(script)
    assert (found.trouble, found.rate, found.rate_end) == ("", 6, "loss")
    assert found.closed_sessions > 0


@pytest.mark.parametrize("pushed_out", [False, True])
def test_one_connection_only(inverter: Inverter, pushed_out: bool) -> None:
    writers: list[asyncio.StreamWriter] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if writers and not pushed_out and not writers[0].transport.is_closing():
            return
        for before in writers:
            before.transport.abort()
        writers.append(writer)
        await _answer(inverter, 0.0, reader, writer)

    found = met(script)
    assert found.second is False
    assert "one connection at a time" in said(found)
    assert (found.shared, found.closed_sessions) == (None, 0)


def test_a_connection_that_is_lost_for_good(inverter: Inverter) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for frame in requests(reader):
            answer = inverter.answer(frame)
            assert answer is not None
            writer.write(wire(answer))
            return

    found = met(script)
    assert (found.connected, found.answered) == (True, 3)
    assert found.trouble == "the inverter closed the connection (tried 3 times)"
    assert is_reached(found)
    assert "lost and could not be made again" in said(found)


def test_a_connection_that_is_lost_while_it_listens() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        return

    found = met(script, listen=LISTEN)
    assert found.listened < 2
    assert found.closed_sessions == 3
    assert not is_reached(found)


async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


def test_an_inverter_that_says_nothing() -> None:
    found = met(mute)
    assert (verdict(found), is_reached(found)) == ("connected, but silent", False)
    assert found.requests < 30  # it is soon enough known
    assert [advice.grave for advice in advise(found)] == [True]
    assert "hangs" in said(found)


def test_what_answers_is_no_inverter() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(4096):
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    found = met(script)
    assert (found.frames, is_reached(found)) == (0, False)
    assert "not what an inverter says" in said(found)


def test_too_much(inverter: Inverter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rct_tools.doctor._MOST_BYTES", 1000)
    found = met(answering(inverter))
    assert found.flooded
    assert found.requests < len(ASKED) + 5
    assert "Far more data" in said(found)


@pytest.mark.parametrize(("host", "reason", "text"), [
    ("127.0.0.1", "connection refused", "nothing listens on this port"),
    ("no host.invalid", "unknown host", "Nobody knows this name"),
])  # fmt: skip
async def test_out_of_reach(host: str, reason: str, text: str) -> None:
    found, chunks = await examine(host, free_ports(1)[0], pause=lambda _failures: 0.0)
    assert (found.connected, chunks, found.requests) == (False, [], 0)
    assert found.trouble == f"cannot connect: {reason} (tried 3 times)"
    assert verdict(found) == f"not reachable: {found.trouble}"
    assert text in said(found)


def test_the_page_says_what_is_done() -> None:
    page = (ROOT / "docs/doctor.md").read_text("utf-8")
    rates = ", ".join(map(str, RATES))
    numbers = (f"for {LISTEN} seconds", f"{len(ASKED)} objects", f"{rates} times a second", f"most {MOST_REQUESTS} que")
    assert [text for text in numbers if text not in page] == []
    assert f"at most {MOST_REQUESTS}" in (ROOT / "src/rct_tools/cli/doctor.py").read_text("utf-8")


def test_a_capture_tells_the_same_again() -> None:
    async def main() -> None:
        async with Simulator(port=0) as simulator:
            found, chunks = await visit(simulator.port)
        evidence = gather(chunks, 1.0)
        assert (len(evidence.requests), evidence.broadcast) == (found.requests, found.broadcast)

    warp(main())
