"""Bad clients: they are logged and, where that is needed, cut off, and another that is at work notices nothing."""

from __future__ import annotations

import asyncio
import http.client
import logging
import os
import socket
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from rct_tools.frame import EXTENSION, Command, Frame
from rct_tools.objects import registry
from rct_tools.proxy import Cut
from rct_tools.proxy.session import BABBLE
from rct_tools.runs import LONGEST_FRAME

from guests import Guest, House, house, page, read, simulate, turns, until
from peers import peer, requests
from warp import warped

SOC = read("battery.soc")[0].encode()
UNKNOWN = bytes.fromhex("2b 09 04 95 99 30 bf 4c 5e")


@asynccontextmanager
async def witness(home: House) -> AsyncIterator[Guest]:
    """Let a good client read all the while, one value after the other, each of which has to come at once."""
    async with home.guest() as guest:
        loop = asyncio.get_running_loop()

        async def work() -> None:
            while True:
                for name in ("battery.soc", "power_mng.soc_min", "svnversion"):
                    began = loop.time()
                    await guest.value(name)
                    assert loop.time() - began < 5
                await asyncio.sleep(0.05)

        task = asyncio.create_task(work())
        try:
            yield guest
            heard = len(guest.frames)
            await until(lambda: len(guest.frames) > heard + 5 or task.done())
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


STAYING = [  # what a client sends, and which objects it is answered
    ("half a frame", SOC[:5], []),
    ("half a frame and a whole one", SOC[:5] + SOC, ["battery.soc"]),
    ("two in one segment", SOC + read("battery.soh")[0].encode(), ["battery.soc", "battery.soh"]),
    ("the same twice", SOC + SOC, ["battery.soc"] * 2),
    ("a wrong checksum", SOC[:-1] + bytes([SOC[-1] ^ 1]) + SOC, ["battery.soc"]),
    ("an unknown command", UNKNOWN + SOC, ["battery.soc"]),
    ("an extension and a keep-alive", EXTENSION + b"AT+\r" + SOC, ["battery.soc"]),
    ("noise", bytes(range(200)) + SOC, ["battery.soc"]),
    ("an answer", Frame(Command.RESPONSE, 0x959930BF, bytes(4)).encode() + SOC, ["battery.soc"]),
    ("a plant frame to nobody", Frame(Command.PLANT_READ, 0x959930BF, b"", 99).encode() + SOC, ["battery.soc"]),
    ("an empty write", Frame(Command.WRITE, 0x959930BF).encode(), ["battery.soc"]),
    ("an unknown object", Frame(Command.READ, 0).encode() + SOC, ["battery.soc"]),
    ("a read with a payload", Frame(Command.READ, 0x959930BF, bytes(20)).encode(), ["battery.soc"]),
    ("the longest write", Frame(Command.LONG_WRITE, 0x959930BF, bytes(65_000)).encode() + SOC, ["battery.soc"] * 2),
]


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
@pytest.mark.parametrize(("wire", "answers"), [row[1:] for row in STAYING], ids=[row[0] for row in STAYING])
def test_who_makes_a_mistake_is_answered_all_the_same(wire: bytes, answers: list[str], size: int) -> None:
    if size < 100 < len(wire) // 100:
        pytest.skip("as many pieces as it is long")

    @warped
    async def main() -> None:
        async with house() as home, witness(home), home.guest() as guest:
            for at in range(0, len(wire), size):
                guest.writer.write(wire[at : at + size])
                await turns(3)
            assert [registry[frame.object_id].name for frame in await guest.hear(len(answers))] == answers
            await guest.silence(10)
            assert len(guest.frames) == len(answers)
            assert len(home.proxy.sessions) == 2
            assert home.proxy.tally("127.0.0.1").cut_off == {}

    main()


CUT = [  # what a client sends, until it is cut off, and why it is
    ("64 KiB of starts", b"+" * 65536, Cut.BABBLE, 1),
    ("zeros", bytes(2 * BABBLE), Cut.BABBLE, 1),
    ("text", b"hello, is anybody there?\r\n" * 100, Cut.BABBLE, 1),
    ("escapes", b"-" * 65536, Cut.BABBLE, 1),
    ("wrong checksums", (SOC[:-1] + b"\0") * 200, Cut.BABBLE, 1),
    ("answers", Frame(Command.RESPONSE, 0x959930BF, bytes(4)).encode() * 300, Cut.BABBLE, 1),
    ("a write without end", b"+\x03\xff\xff" + b"\x01" * 20_000, Cut.BABBLE, 20),
    ("one that begins again and again", b"+\x03\xff\xff\x01\x01" * 1000, Cut.BABBLE, 1),
    ("extensions", EXTENSION * 1000, Cut.BABBLE, 1),
    ("requests", SOC * 30_000, Cut.FLOOD, 1),
    ("HTTP", b"GET / HTTP/1.1\r\nHost: house\r\n\r\n", Cut.PROTOCOL, 1),
    ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Cut.PROTOCOL, 1),
    ("SSH", b"SSH-2.0-OpenSSH_9.6\r\n", Cut.PROTOCOL, 1),
]


@pytest.mark.parametrize(("wire", "reason", "times"), [row[1:] for row in CUT], ids=[row[0] for row in CUT])
def test_who_says_nothing_of_use_is_cut_off(
    wire: bytes, reason: Cut, times: int, caplog: pytest.LogCaptureFixture
) -> None:
    @warped
    async def main() -> None:
        async with house() as home, witness(home), home.guest() as guest:
            address = "{}:{}".format(*guest.writer.get_extra_info("sockname"))
            sent = 0
            for _ in range(times):
                guest.writer.write(wire)
                await turns()
                sent += len(wire)
                if len(home.proxy.sessions) < 2:
                    break
            assert await guest.is_cut()
            assert sent < 2 * LONGEST_FRAME + 500_000
            assert home.proxy.tally("127.0.0.1").cut_off == {reason: 1}
            assert len(home.asked) < 50
            said = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
            assert len(said) == 1
            assert said[0].startswith(f"{address}: cut off: ")

    main()


@warped
async def test_a_little_noise_before_each_request_is_borne_for_ever() -> None:
    async with house() as home, home.guest() as guest:
        for _ in range(BABBLE):
            guest.writer.write(EXTENSION + SOC)
            await guest.hear()


@warped
async def test_answers_of_a_client_are_told_to_nobody() -> None:
    lie = Frame(Command.RESPONSE, registry["power_mng.soc_min"].object_id, registry["power_mng.soc_min"].encode(0.9))
    async with simulate() as simulator, house(simulator) as home, home.guest() as liar, home.guest() as guest:
        truth = simulator.inverter.payload(registry["power_mng.soc_min"])
        liar.ask(lie)
        guest.ask(*read("power_mng.soc_min"))
        liar.ask(lie)
        (frame,) = await guest.hear()
        assert frame.payload == truth != lie.payload
        assert await guest.silence(5)
        assert bytes(home.wire) == read("power_mng.soc_min")[0].encode()


@warped
async def test_a_client_that_leaves_in_mid_answer() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for frame in requests(reader):
            writer.write(Frame(Command.LONG_RESPONSE, frame.object_id, bytes(65_000)).encode())

    async with peer(script) as port, house(port, rate=10_000.0) as home, home.guest() as other:
        for _ in range(20):
            async with home.guest(settled=False) as guest:
                sock = guest.writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # it resets
                guest.ask(*(Frame(Command.READ, 1 + number) for number in range(50)))
                assert await guest.reader.read(100)
            assert len(await other.answers(Frame(Command.READ, 7))) == 1
        await until(lambda: len(home.proxy.sessions) == 1)
        await other.silence(60)
        assert not home.proxy._jobs
        assert len(other.frames) == 20


@warped
async def test_a_client_that_leaves_while_it_waits_is_forgotten() -> None:
    async with house() as home, witness(home):
        for number in range(50):
            async with home.guest(settled=False) as guest:
                guest.ask(*read("battery.voltage"), Frame(Command.READ, number), page("logger.minutes_soc_log_ts"))
                if number % 2:
                    await turns()
        await asyncio.sleep(30)
        assert len(home.proxy.sessions) == 1
        assert len(home.inverter._questions._open) <= 1
        assert len(home.proxy._jobs) <= 1


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208  # their names are of no use


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files cannot be counted here")
@warped
async def test_ten_thousand_connections_leave_nothing() -> None:
    async with house(most_clients=200) as home:
        async with witness(home) as guest:
            address = ("127.0.0.1", home.proxy.port)
            await turns()
            before = descriptors(), len(asyncio.all_tasks())
            for number in range(10_000):
                client = socket.create_connection(address)
                match number % 4:
                    case 0:
                        client.sendall(SOC)
                    case 1:
                        client.sendall(SOC[:4])
                    case 2:
                        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.close()
                await turns(2)
                await asyncio.sleep(0.001)  # time that passes for all others
            await until(lambda: len(home.proxy.sessions) == 1)
            await until(lambda: len(asyncio.all_tasks()) <= before[1] + 1)  # what was asked is answered, or given up
            assert descriptors() <= before[0] + 1
            assert len(guest.frames) > 5
        assert len(home.proxy.tallies.hosts) == 1
        assert len(home.asked) < 10_000
        await until(lambda: not home.proxy._jobs)


@warped
async def test_a_connection_that_is_gone_when_it_is_taken() -> None:
    async with house(most_clients=200) as home:
        for _ in range(100):
            client = socket.create_connection(("127.0.0.1", home.proxy.port))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
        async with home.guest() as guest:
            await guest.value("battery.soc")
        assert set(home.proxy.tallies.hosts) == {"127.0.0.1"}
        assert home.proxy.tally("127.0.0.1").cut_off == {}


# --- other protocols, as their own programs speak them --------------------------------------------------------------


def speak_tls(port: int) -> None:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), 60) as sock, context.wrap_socket(sock):
        raise AssertionError("it speaks TLS")


def speak_http(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", "/metrics")
        connection.getresponse()
        raise AssertionError("it speaks HTTP")
    finally:
        connection.close()


@pytest.mark.parametrize("speak", [speak_tls, speak_http])
@warped
async def test_another_protocol_is_named_and_cut_off(speak: object, caplog: pytest.LogCaptureFixture) -> None:
    assert callable(speak)
    async with simulate(latency=0.0) as simulator, house(simulator) as home, witness(home):
        for _ in range(3):
            with pytest.raises((OSError, http.client.HTTPException)):
                await asyncio.to_thread(speak, home.proxy.port)
        assert home.proxy.tally("127.0.0.1").cut_off == {Cut.PROTOCOL: 3}
    name = "TLS" if speak is speak_tls else "HTTP"
    said = [r.getMessage().partition(": ")[2] for r in caplog.records if r.levelno >= logging.WARNING]
    assert said == [f"cut off: it speaks {name}; this port is for the inverter's own protocol"]


# --- a mistake of our own -------------------------------------------------------------------------------------------


@warped
async def test_a_mistake_of_the_proxy_ends_one_connection_only(caplog: pytest.LogCaptureFixture) -> None:
    async with house() as home, witness(home), home.guest() as guest:
        desk = home.proxy.desk
        ask = desk._inverter.ask

        def fail(info: object, *args: object, **kwargs: object) -> object:
            if info is registry["power_mng.soc_max"]:
                raise ZeroDivisionError
            return ask(info, *args, **kwargs)  # type: ignore[arg-type]

        home.inverter.ask = fail  # type: ignore[method-assign, assignment]
        guest.ask(*read("power_mng.soc_max"))
        assert await guest.is_cut()
        assert home.proxy.tally("127.0.0.1").cut_off == {Cut.MISTAKE: 1}
    assert [r.levelname for r in caplog.records if r.levelno >= logging.WARNING] == ["ERROR", "WARNING"]
