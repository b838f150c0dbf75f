"""Who may use the proxy, and how much of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

from rct_tools.errors import ConfigError
from rct_tools.frame import Command, Frame
from rct_tools.objects import registry
from rct_tools.proxy import Access, Cut, parse_network
from rct_tools.proxy.complaints import PAUSE, Complaints

from guests import Guest, house, read, until
from peers import peer, requests
from warp import warped

HOME = ("192.168.1.0/24", "fd00::/8", "fe80::/10")
CALLERS = [  # networks, from where somebody calls, whether it is let in
    ((), "127.0.0.1", True),
    ((), "127.1.2.3", True),
    ((), "::1", True),
    ((), "::ffff:127.0.0.1", True),
    ((), "192.168.1.7", False),
    ((), "::ffff:192.168.1.7", False),
    ((), "", False),
    ((), "somebody", False),
    (HOME, "192.168.1.7", True),
    (HOME, "::ffff:192.168.1.7", True),  # how a socket for both kinds names it
    (HOME, "192.168.2.7", False),
    (HOME, "::ffff:192.168.2.7", False),
    (HOME, "fd12::7", True),
    (HOME, "2001:db8::7", False),
    (HOME, "fe80::7%eth0", True),
    (("0.0.0.0/0",), "203.0.113.9", True),
    (("0.0.0.0/0",), "2001:db8::7", False),
    (("192.168.1.7",), "192.168.1.7", True),
    (("192.168.1.7",), "192.168.1.8", False),
]
LISTENERS = [  # networks, where it listens, whether others reach that
    ((), "127.0.0.1", False),
    ((), "::1", False),
    ((), "localhost", False),
    ((), "0.0.0.0", True),
    ((), "::", True),
    ((), "", True),
    ((), "house.example", True),
    ((), "192.168.1.5", True),
    (HOME, "192.168.1.5", False),  # its own network
    (HOME, "10.0.0.5", True),
    (HOME, "0.0.0.0", True),
    (("0.0.0.0/0",), "0.0.0.0", False),
    (("0.0.0.0/0",), "::", True),
    (("::/0",), "::", False),
]
NO_NETWORKS = [
    ("192.168.1.7/24", "'192.168.1.7/24' is no network; did you mean 192.168.1.0/24?"),
    ("fd00::7/8", "'fd00::7/8' is no network; did you mean fd00::/8?"),
    ("192.168.1", "'192.168.1' is no network; expected one such as 192.168.1.0/24"),
    ("home", "'home' is no network; expected one such as 192.168.1.0/24"),
    ("192.168.1.0/33", "'192.168.1.0/33' is no network; expected one such as 192.168.1.0/24"),
    ("", "'' is no network; expected one such as 192.168.1.0/24"),
]


def access(networks: tuple[str, ...]) -> Access:
    return Access(tuple(map(parse_network, networks)))


@pytest.mark.parametrize(("networks", "host", "admitted"), CALLERS)
def test_who_is_let_in(networks: tuple[str, ...], host: str, admitted: bool) -> None:
    assert access(networks).admits(host) is admitted


@pytest.mark.parametrize(("networks", "host", "narrower"), LISTENERS)
def test_who_listens_wider_than_is_let_in(networks: tuple[str, ...], host: str, narrower: bool) -> None:
    assert access(networks).is_narrower(host) is narrower


@pytest.mark.parametrize(("text", "error"), NO_NETWORKS)
def test_what_is_no_network(text: str, error: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_network(text)
    assert str(caught.value) == error


class Elsewhere(Access):
    """As if all came from far away."""

    def admits(self, address: str) -> bool:
        return False

    def is_narrower(self, host: str) -> bool:
        return True


@warped
async def test_who_is_not_let_in_is_cut_off_at_once(caplog: pytest.LogCaptureFixture) -> None:
    networks = (parse_network("192.168.1.0/24"),)
    async with house(access=Elsewhere(networks)) as home:
        for _ in range(3):
            async with home.guest(settled=False) as guest:
                guest.ask(*read("battery.soc"))
                assert await guest.is_cut()
                assert guest.raw == b""
        assert home.asked == []
        assert not home.proxy.sessions
        assert home.proxy.tally("127.0.0.1").cut_off == {Cut.NOT_ALLOWED: 3}
        address = home.proxy.address
    listens, cut = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert listens == f"{address}: others can reach this address, but only this machine, 192.168.1.0/24 may use it"
    assert cut.endswith(": cut off: its network is not allowed in; --allow lets networks in")


def test_addresses_of_both_kinds_are_written_as_usual() -> None:
    @warped
    async def main() -> None:
        async with house(host="::1") as home:
            assert home.proxy.address == f"[::1]:{home.proxy.port}"
            _, writer = await asyncio.open_connection("::1", home.proxy.port)
            await until(lambda: home.proxy.sessions)
            (session,) = home.proxy.sessions
            assert session.peer == f"[::1]:{writer.get_extra_info('sockname')[1]}"
            assert list(home.proxy.tallies.hosts) == ["::1"]
            writer.transport.abort()

    with_ipv6(main)


def test_one_address_is_for_both_kinds() -> None:
    """Who lets in a network of IPv6 still has clients on IPv4: this machine at least."""

    @warped
    async def main() -> None:
        async with house(host="::") as home:
            for host in ("::1", "127.0.0.1"):
                reader, writer = await asyncio.open_connection(host, home.proxy.port)
                assert await Guest(reader, writer).answers(*read("battery.soc"))
                assert home.proxy.tally(host).answered == 1
                writer.transport.abort()
            assert list(home.proxy.tallies.hosts) == ["::1", "127.0.0.1"]

    with_ipv6(main)


def with_ipv6(main: Callable[[], None]) -> None:
    try:
        main()
    except Exception as exc:
        if "cannot assign requested address" in str(exc) or "not supported" in str(exc):
            pytest.skip("there is no IPv6 here")
        raise


# --- limits ---------------------------------------------------------------------------------------------------------


@warped
async def test_when_all_places_are_taken_nobody_else_comes_in() -> None:
    async with house(most_clients=2) as home, home.guest() as first, home.guest() as second:
        async with home.guest(settled=False) as third:
            assert await third.is_cut()
        await first.value("battery.soc")
        await second.value("battery.soc")
        assert home.proxy.tally("127.0.0.1").cut_off == {Cut.NO_ROOM: 1}


@warped
async def test_who_is_silent_for_long_gives_its_place_to_who_comes() -> None:
    async with house(most_clients=2) as home, home.guest() as silent, home.guest() as busy:
        await asyncio.sleep(58)
        await busy.value("battery.soc")
        await asyncio.sleep(2)
        async with home.guest() as third:
            await third.value("battery.soc")
            assert await silent.is_cut()
            await busy.value("battery.soc")
        assert home.proxy.tally("127.0.0.1").cut_off == {Cut.SILENT: 1}


@warped
async def test_silent_ones_stay_where_there_is_room() -> None:
    async with house(most_clients=3) as home, home.guest() as silent:
        await asyncio.sleep(3600)
        async with home.guest() as other:
            await other.value("battery.soc")
        await silent.value("battery.soc")


@warped
async def test_each_client_is_served_at_its_rate() -> None:
    async with house(rate=5.0, cache=1000.0) as home, home.guest() as fast, home.guest() as slow:
        await fast.value("battery.soc")
        loop = asyncio.get_running_loop()
        began = loop.time()
        fast.ask(*read("battery.soc") * 50)
        await fast.hear(5)
        assert loop.time() - began < 0.1  # those of a second may come at once
        await slow.value("battery.soc")
        assert loop.time() - began < 0.2
        await fast.hear(45)
        assert 8.5 < loop.time() - began < 9.5


@warped
async def test_who_asks_for_all_there_is_gets_it() -> None:
    frames = [Frame(Command.READ, info.object_id) for info in registry if not info.is_query]
    async with house(rate=1000.0) as home, home.guest() as guest:
        assert len(await guest.answers(*frames)) == len(frames)
        assert {frame.object_id for frame in guest.frames} == {frame.object_id for frame in frames}
        await guest.silence(0.1)
        assert len(guest.frames) == len(frames)


@warped
async def test_a_client_is_not_read_while_much_of_it_waits() -> None:
    async with house(rate=1000.0) as home, home.guest() as guest, home.guest() as other:
        for name in [info.name for info in registry if not info.is_query][:500]:
            guest.ask(*read(name))
            await asyncio.sleep(0.001)
        session = next(session for session in home.proxy.sessions if session._requests)
        await until(lambda: len(session._requests) > 100)
        assert not session.transport.is_reading()
        await other.value("battery.soc")
        assert len(await guest.hear(500)) == 500
        assert session.transport.is_reading()


@warped
async def test_a_flood_is_cut_off() -> None:
    async with house() as home, home.guest() as guest, home.guest() as other:
        guest.ask(*read("battery.soc") * 5000)
        assert await guest.is_cut()
        await other.value("battery.soc")
        assert home.proxy.tally("127.0.0.1").cut_off == {Cut.FLOOD: 1}
        assert len(home.asked) <= 1


async def talk_at_length(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer with as much as fits a frame."""
    async for frame in requests(reader):
        writer.write(Frame(Command.LONG_RESPONSE, frame.object_id, bytes(65_000)).encode())


@warped
async def test_who_never_reads_is_cut_off() -> None:
    async with (
        peer(talk_at_length) as port,
        house(port, rate=10_000.0, cache=1000.0) as home,
        home.guest() as deaf,
        home.guest() as other,
    ):
        deaf.reader._transport.pause_reading()  # type: ignore[attr-defined]
        deaf.ask(*(Frame(Command.READ, 1) for _ in range(2000)))
        for number in range(60):
            await other.answers(Frame(Command.READ, 2 + number))
            await asyncio.sleep(1)
        assert home.proxy.tally("127.0.0.1").cut_off == {Cut.UNREAD: 1}
        assert len(home.proxy.sessions) == 1


@warped
async def test_who_leaves_too_much_unread_is_cut_off_at_once() -> None:
    async with peer(talk_at_length) as port, house(port, rate=10_000.0) as home, home.guest() as deaf:
        deaf.reader._transport.pause_reading()  # type: ignore[attr-defined]
        await until(lambda: home.proxy.sessions)
        (session,) = home.proxy.sessions
        number = 0
        while home.proxy.sessions:
            session.send(bytes(10_000))
            number += 1
            assert number < 10_000
        assert home.proxy.tally("127.0.0.1").cut_off == {Cut.UNREAD: 1}


@warped
async def test_who_reads_slowly_gets_all() -> None:
    async with peer(talk_at_length) as port, house(port, rate=10_000.0, cache=1000.0) as home, home.guest() as slow:
        transport: Any = slow.reader._transport  # type: ignore[attr-defined]
        transport.pause_reading()
        slow.ask(*(Frame(Command.READ, 1) for _ in range(300)))
        await asyncio.sleep(20)
        (session,) = home.proxy.sessions
        assert session._is_choked
        assert not session.transport.is_reading()
        transport.resume_reading()
        assert len(await slow.hear(300)) == 300
        assert session.transport.is_reading()
        await slow.silence(60)
        assert home.proxy.tally("127.0.0.1").cut_off == {}


# --- complaints -----------------------------------------------------------------------------------------------------


def test_complaints_are_said_once_in_a_while(caplog: pytest.LogCaptureFixture) -> None:
    times: list[float] = []
    complaints = Complaints(lambda: times[-1])
    caplog.set_level(logging.DEBUG)
    for now, peer_name, kind in (
        (0.0, "192.0.2.1:5", "a"),
        (1.0, "192.0.2.1:6", "a"),
        (2.0, "192.0.2.1:6", "b"),
        (3.0, "192.0.2.2:6", "a"),
        (PAUSE, "192.0.2.1:7", "a"),
        (2 * PAUSE, "192.0.2.1:8", "a"),
    ):
        times.append(now)
        complaints.say(peer_name, kind, f"it did {kind}")
    assert [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING] == [
        "192.0.2.1:5: it did a",
        "192.0.2.1:6: it did b",
        "192.0.2.2:6: it did a",
        "192.0.2.1:7: it did a (and 1 times more since)",
        "192.0.2.1:8: it did a",
    ]
    assert [r.getMessage() for r in caplog.records if r.levelno == logging.DEBUG] == ["192.0.2.1:6: it did a"]


def test_what_was_complained_about_is_forgotten_in_time() -> None:
    complaints = Complaints(lambda: 0.0)
    for number in range(5000):
        complaints.say(f"host{number}:1", "a", "it did")
    assert len(complaints._said) == 1024
