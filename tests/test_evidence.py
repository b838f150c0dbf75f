"""What chunks tell of a connection, without one."""

from __future__ import annotations

from dataclasses import astuple, replace

import pytest

from rct_tools.capture import Chunk, Direction
from rct_tools.evidence import Broadcast, Evidence, Outcome, gather
from rct_tools.frame import Command, Frame, Reason
from rct_tools.objects import registry
from rct_tools.times import SECOND

from peers import response

SOC, TEMP, MORE = "battery.soc", "db.core_temp", "g_sync.p_ac_sc_sum"  # newer firmware reports the first by itself


def at(seconds: float) -> int:
    return 1_750_000_000 * SECOND + round(seconds * SECOND)


def ask(seconds: float, name: str, connection: int = 0) -> Chunk:
    return Chunk(at(seconds), Direction.SENT, Frame(Command.READ, registry[name].object_id).encode(), connection)


def hear(seconds: float, data: bytes | str, connection: int = 0) -> Chunk:
    data = response(data, 0.5) if isinstance(data, str) else data
    return Chunk(at(seconds), Direction.RECEIVED, data, connection)


def told(*chunks: Chunk) -> Evidence:
    return gather(chunks, 1.0)


REQUESTS = [  # what crosses the wire, outcomes and delays
    ([ask(0, SOC), hear(0.1, SOC)], [(Outcome.ANSWERED, 0.1)]),
    ([ask(0, SOC), hear(1.5, SOC)], [(Outcome.LATE, 1.5)]),
    ([ask(0, SOC), hear(0.1, TEMP)], [(Outcome.LOST, None)]),
    ([ask(0, SOC), hear(0.1, response(SOC, 0.5)[:-1]), hear(0.2, b"+")], [(Outcome.LOST, None)]),
    ([ask(0, SOC), ask(1, SOC), hear(1.1, SOC)], [(Outcome.LOST, None), (Outcome.ANSWERED, 0.1)]),
    (
        [ask(0, SOC), hear(0.1, b"\0" + Frame(Command.RESPONSE, registry[SOC].object_id, b"\x3f").encode())],
        [(Outcome.CUT, None)],
    ),
    (  # the answer of a member of a plant is another inverter's
        [ask(0, SOC), hear(0.1, Frame(Command.PLANT_RESPONSE, registry[SOC].object_id, bytes(4), 42).encode())],
        [(Outcome.LOST, None)],
    ),
]


@pytest.mark.parametrize(("chunks", "expected"), REQUESTS)
def test_requests(chunks: list[Chunk], expected: list[tuple[Outcome, float | None]]) -> None:
    got = [(r.outcome, r.delay and round(r.delay, 6)) for r in told(*chunks).requests]
    assert got == expected


def test_delays_are_those_of_requests_that_were_alone() -> None:
    chunks = [chunk for n in range(19) for chunk in (ask(n, SOC), hear(n + 0.1, SOC))]
    chunks += [ask(20, SOC), ask(20.1, TEMP), hear(20.3, SOC), hear(20.9, TEMP)]
    evidence = told(*chunks)
    assert [request.alone for request in evidence.requests].count(False) == 1
    assert evidence.delays is not None
    assert astuple(evidence.delays) == pytest.approx((0.1, 0.1, 0.3))
    assert told().delays is None
    # What is never answered is not under way for ever.
    assert told(ask(0, SOC), ask(1.5, TEMP)).requests[1].alone


def test_objects_that_are_mute_or_rare_and_what_is_lost_without_them() -> None:
    chunks = [ask(n, SOC) for n in range(3)]
    assert told(*chunks).mute == (SOC,)
    assert told(*chunks).count(Outcome.LOST) == 0
    assert told(*chunks[:2]).mute == ()
    assert told(*chunks[:2]).count(Outcome.LOST) == 2
    chunks += [ask(4, SOC), hear(4.1, SOC)]
    assert (told(*chunks).mute, told(*chunks).rare) == ((), (SOC,))
    assert told(*chunks).count(Outcome.LOST, Outcome.ANSWERED) == 0
    chunks += [chunk for n in (5, 6) for chunk in (ask(n, SOC), hear(n + 0.1, SOC))]
    assert told(*chunks).rare == ()


def test_other_clients_are_told_from_what_an_inverter_says_by_itself() -> None:
    assert told(hear(0, SOC), hear(31, SOC)).others == {}
    assert told(hear(0, SOC), hear(5, SOC)).others == {SOC: 1}
    assert told(hear(0, TEMP)).others == {TEMP: 1}
    assert told(ask(0, TEMP), hear(0.1, TEMP), hear(0.3, TEMP)).others == {}
    assert told(ask(0, TEMP), hear(0.1, TEMP), hear(0.3, TEMP)).extra == 1
    again = told(hear(-5, TEMP), ask(0, TEMP), hear(0.1, TEMP), hear(1, TEMP))
    assert (again.others, again.extra) == ({TEMP: 2}, 0)
    assert list(told(hear(0, TEMP), hear(1, MORE), hear(2, MORE)).others) == [MORE, TEMP]
    twice = told(hear(0, SOC), hear(0.1, SOC), hear(0.2, response(SOC, 0.6)))
    assert (twice.others, twice.extra) == ({SOC: 1}, 1)  # the same at once is doubled; another value was asked for


def test_broadcast() -> None:
    first = [hear(0, "battery.soh"), hear(1, SOC), hear(1.01, "battery.voltage")]
    again = [replace(chunk, time=chunk.time + 31 * SECOND) for chunk in first]
    assert told(*first, *again).broadcast == Broadcast(3, 31.0, (1, 2, 1, 2))
    assert told(*first).broadcast == Broadcast(3, None, (1, 2))
    assert told(ask(-1, TEMP), *first).broadcast == Broadcast(3, None, ())
    assert told(ask(-1, SOC), hear(-0.9, SOC)).broadcast is None


def test_what_else_comes() -> None:
    read = Frame(Command.READ, registry[SOC].object_id).encode()
    package = Frame(Command.WRITE, registry["net.package"].object_id, bytes(36)).encode()
    evidence = told(hear(0, read), hear(0, package), hear(0, package), hear(0, b"\0" + read[:-1] + b"x+"))
    assert (evidence.echoes, evidence.linked, evidence.frames) == (1, 2, 3)
    assert evidence.damaged == {Reason.CRC: 1}
    assert told(Chunk(at(0), Direction.SENT, b"+\x01\x04+")).requests == ()


def test_a_session_that_went_silent() -> None:
    silent = [ask(0, SOC), hear(0.1, SOC), *(ask(n, TEMP) for n in range(1, 5))]
    assert told(*silent).went_silent(0)
    assert not told(*silent[:-1]).went_silent(0)
    assert not told(*silent).went_silent(1)
    assert not told(*silent, hear(4.1, TEMP)).went_silent(0)
