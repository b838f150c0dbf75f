"""The link: connections that are lost, refused, reset and made again."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from contextlib import aclosing
from itertools import count

import pytest

from rct_tools.capture import Chunk, Direction
from rct_tools.errors import ConnectFailed, ConnectionLost
from rct_tools.link import LONGEST_PAUSE, SOON, Down, Link, LinkEvent, Up, backoff
from rct_tools.sentence import Sentence

from peers import peer


async def nothing(_seconds: float) -> None:
    """Do not wait between tries."""


PAUSES = [
    (1, 0.5),
    (2, 1.0),
    (5, 8.0),
    (6, SOON),
    (40, SOON),
    (41, 20.0),
    (44, 160.0),
    (45, LONGEST_PAUSE),
    (9999, LONGEST_PAUSE),
]


@pytest.mark.parametrize(("failures", "longest"), PAUSES)
def test_pauses_double_are_short_for_a_while_and_double_again(failures: int, longest: float) -> None:
    assert all(longest / 2 <= backoff(failures) <= longest for _ in range(20))


def test_an_ipv6_address_is_told_from_its_port() -> None:
    assert Link("::1", 8899).peer == "[::1]:8899"


async def test_a_link_that_is_not_up_sends_nothing() -> None:
    link = Link("127.0.0.1")
    link.send(b"lost")
    link.drop(Sentence("there is nothing to drop"))


async def take(link: Link, count: int) -> list[LinkEvent]:
    found: list[LinkEvent] = []
    async with aclosing(link.events()) as events:
        async for event in events:
            found.append(event)
            if len(found) == count:
                break
    return found


async def test_chunks_have_their_time_and_what_is_lost_is_made_again(caplog: pytest.LogCaptureFixture) -> None:
    async def script(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"+")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    times = iter(range(10, 1000))
    async with peer(script) as port:
        link = Link(
            "127.0.0.1", port, tries=None, clock=lambda: next(times), sleep=nothing, ticking=lambda: 0.0, settled=0.0
        )
        found = await take(link, 6)
    assert found == [
        Up(),
        Chunk(10, Direction.RECEIVED, b"+"),
        Down(Sentence("the inverter closed the connection", "link_closed"), 1),
        Up(),
        Chunk(11, Direction.RECEIVED, b"+", 1),
        Down(Sentence("the inverter closed the connection", "link_closed"), 1),
    ]
    assert link.reconnects == 1
    said = [record.getMessage() for record in caplog.records]
    assert said[:2] == [
        f"{link.peer}: the inverter closed the connection; trying again",
        f"{link.peer}: there again after 0 s",
    ]


async def test_a_reset_is_a_lost_connection() -> None:
    async def script(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    async with peer(script) as port:
        with pytest.raises(ConnectionLost, match=r"connection lost: connection reset by peer|closed the connection"):
            await take(Link("127.0.0.1", port, tries=1), 3)


async def test_dropping_says_why(caplog: pytest.LogCaptureFixture) -> None:
    async def script(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    caplog.set_level(logging.INFO)
    async with peer(script) as port:
        link = Link("127.0.0.1", port, tries=2, sleep=nothing)
        reasons = []

        async def use() -> None:
            async with aclosing(link.events()) as events:
                async for event in events:
                    if isinstance(event, Up):
                        link.drop(Sentence("we have enough"))
                    elif isinstance(event, Down):
                        reasons.append(event.reason)

        with pytest.raises(ConnectionLost, match=r"we have enough \(tried 2 times\)$"):
            await use()
    assert reasons == [Sentence("we have enough")]
    assert [record.levelname for record in caplog.records if record.name == "rct_tools.link"] == ["INFO"]


async def test_a_host_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rct_tools.link.CONNECT_TIMEOUT", 0.0)
    with socket.create_server(("127.0.0.1", 0)) as server:  # whose calls nobody takes
        link = Link("127.0.0.1", server.getsockname()[1], tries=1)
        with pytest.raises(ConnectFailed, match=r"cannot connect: no answer within 0 s$"):
            await take(link, 1)


async def test_what_waited_while_the_program_stood_still_has_no_time() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"+")
        await reader.read()

    slow = count(step=1000)  # seconds between two looks at the clock

    def ticking() -> float:
        return float(next(slow))

    async with peer(script) as port:
        with pytest.raises(ConnectionLost, match="this program stood still for 999 s"):
            await take(Link("127.0.0.1", port, tries=1, ticking=ticking), 2)
        found = await take(Link("127.0.0.1", port, tries=1, ticking=ticking, keep_late=True), 2)
    assert [type(event) for event in found] == [Up, Chunk]
