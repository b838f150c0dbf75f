"""Captures of packets: what is read from those of others, what is written, and that tshark sees the same."""

from __future__ import annotations

import os
import random
import re
import struct
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from io import BytesIO, FileIO, RawIOBase
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rct_tools.capture import CaptureItem, Chunk, Damage, Direction, find_format, tcp
from rct_tools.capture.ip import LINK_IPV4, Packet, build_packet, find_segment
from rct_tools.capture.tcp import assemble
from rct_tools.errors import CaptureError

from servers import require

PORT: Final = 8899
R, S = Direction.RECEIVED, Direction.SENT
FIN, SYN, ACK, PUSHED = 0x01, 0x02, 0x10, 0x18
SUFFIXES = ["pcap", "pcapng"]


# Packets ------------------------------------------------------------------------------------------------------------


def tcp_segment(
    source: int, target: int, sequence: int, ack: int, flags: int, data: bytes, options: bytes = b""
) -> bytes:
    size = 5 + len(options) // 4
    head = struct.pack(">HHIIBBHHH", source, target, sequence % 2**32, ack % 2**32, size << 4, flags, 65535, 0, 0)
    return head + options + data


def ipv4(
    segment: bytes, source: str, target: str, *, options: bytes = b"", fragment: int = 0, protocol: int = 6
) -> bytes:
    size = 5 + len(options) // 4
    head = struct.pack(">BBHHHBBH", 0x40 | size, 0, size * 4 + len(segment), 1, fragment, 64, protocol, 0)
    return head + address(source) + address(target) + options + segment


def ipv6(segment: bytes, source: str, target: str, *, extensions: Sequence[tuple[int, bytes]] = ()) -> bytes:
    kinds = [kind for kind, _ in extensions] + [6]
    body = b"".join(bytes([kind]) + rest[1:] for kind, (_, rest) in zip(kinds[1:], extensions, strict=True)) + segment
    return struct.pack(">IHBB", 6 << 28, len(body), kinds[0], 64) + address(source) * 4 + address(target) * 4 + body


def without(packet: bytes, place: int) -> bytes:
    """Return a packet whose length is 0, as it is when the network card was left to split it."""
    return packet[:place] + b"\0\0" + packet[place + 2 :]


def address(text: str) -> bytes:
    return bytes(map(int, text.split(".")))


def send(
    direction: Direction, sequence: int, data: bytes = b"", ack: int = 0, *, flags: int = PUSHED, client: int = 0
) -> bytes:
    """Return an IPv4 packet between the inverter and a client."""
    here, there = ("192.0.2.1", PORT), ("198.51.100.7", 50000 + client)
    source, target = (here, there) if direction == R else (there, here)
    return ipv4(tcp_segment(source[1], target[1], sequence, ack, flags, data), source[0], target[0])


PAYLOAD = bytes.fromhex("00 2b 05 08 959930bf 3e97b191 9c86")
SEGMENT = tcp_segment(PORT, 50000, 7, 1, PUSHED, PAYLOAD)
ENDS = "192.0.2.1", "198.51.100.7"
ETHERNET = bytes(12)

LAYERS = [  # name, link type, packet
    ("ethernet", 1, ETHERNET + b"\x08\x00" + ipv4(SEGMENT, *ENDS)),
    ("ethernet with padding", 1, ETHERNET + b"\x08\x00" + ipv4(SEGMENT, *ENDS) + b"padded"),
    ("vlan", 1, ETHERNET + bytes.fromhex("8100 0005 0800") + ipv4(SEGMENT, *ENDS)),
    ("vlan in vlan", 1, ETHERNET + bytes.fromhex("88a8 0005 8100 0006 86dd") + ipv6(SEGMENT, *ENDS)),
    ("old vlan in vlan", 1, ETHERNET + bytes.fromhex("9100 0005 8100 0006 0800") + ipv4(SEGMENT, *ENDS)),
    ("ipv6", 1, ETHERNET + b"\x86\xdd" + ipv6(SEGMENT, *ENDS)),
    ("ip alone", 101, ipv4(SEGMENT, *ENDS)),
    ("ip alone, 12", 12, ipv6(SEGMENT, *ENDS)),
    ("ip alone, 14", 14, ipv4(SEGMENT, *ENDS)),
    ("ipv4 alone", 228, ipv4(SEGMENT, *ENDS)),
    ("ipv6 alone", 229, ipv6(SEGMENT, *ENDS)),
    ("any", 113, bytes(14) + b"\x08\x00" + ipv4(SEGMENT, *ENDS)),
    ("any, vlan", 113, bytes(14) + bytes.fromhex("8100 0005 0800") + ipv4(SEGMENT, *ENDS)),
    ("any 2", 276, b"\x08\x00" + bytes(18) + ipv4(SEGMENT, *ENDS)),
    ("any 2, ipv6", 276, b"\x86\xdd" + bytes(18) + ipv6(SEGMENT, *ENDS)),
    ("loopback", 0, b"\x02\0\0\0" + ipv4(SEGMENT, *ENDS)),
    ("loopback of openbsd", 108, b"\0\0\0\x18" + ipv6(SEGMENT, *ENDS)),
    ("ip options", 101, ipv4(SEGMENT, *ENDS, options=bytes(8))),
    ("tcp options", 101, ipv4(tcp_segment(PORT, 50000, 7, 1, PUSHED, PAYLOAD, b"\x01" * 12), *ENDS)),
    ("ipv6 extensions", 101, ipv6(SEGMENT, *ENDS, extensions=[(0, bytes(8)), (60, b"\0\x01" + bytes(14))])),
    ("ipv6, one fragment", 101, ipv6(SEGMENT, *ENDS, extensions=[(44, bytes(8))])),
    ("length left to the card", 101, without(ipv4(SEGMENT, *ENDS), 2)),
    ("length left to the card, ipv6", 101, without(ipv6(SEGMENT, *ENDS), 4)),
]

NO_SEGMENTS = [  # what is not TCP with all of its header, and is left out without a word
    (1, bytes(12) + bytes.fromhex("0806 0001 0800") + bytes(40)),  # ARP
    (1, bytes(12) + bytes.fromhex("0026 4242 03") + bytes(40)),  # spanning tree
    (1, ETHERNET + b"\x88\xb5" + ipv4(SEGMENT, *ENDS)),  # of another protocol
    (1, bytes(12) + b"\x81\x00"),
    (1, b""),
    (101, b""),
    (101, bytes(40)),
    (101, b"\x70" + ipv6(SEGMENT, *ENDS)[1:]),
    (101, ipv4(SEGMENT, *ENDS, protocol=17)),
    (101, ipv4(SEGMENT, *ENDS, options=bytes(8), protocol=17)),
    (101, ipv4(SEGMENT, *ENDS)[:33]),
    (101, ipv4(SEGMENT, *ENDS, options=bytes(8))[:41]),
    (101, ipv4(SEGMENT, *ENDS, fragment=2)),  # no first part: it has no ports
    (101, ipv6(SEGMENT, *ENDS)[:50]),
    (101, ipv6(SEGMENT, *ENDS, extensions=[(0, bytes(8))])[:41]),
    (101, ipv6(SEGMENT, *ENDS, extensions=[(44, b"\0\0\0\x08" + bytes(4))])),
    (101, ipv4(SEGMENT[:12] + b"\x40" + SEGMENT[13:], *ENDS)),  # a TCP header of 16 bytes
    (101, ipv4(SEGMENT[:12] + b"\xf0" + SEGMENT[13:], *ENDS)),  # and one longer than the packet
]


@pytest.mark.parametrize(("link", "packet"), [row[1:] for row in LAYERS], ids=[row[0] for row in LAYERS])
def test_layers(link: int, packet: bytes) -> None:
    assert list(assemble(iter([(0, 5, link, packet, len(packet))]), PORT)) == [Chunk(5, R, PAYLOAD)]


@pytest.mark.parametrize(("link", "packet"), NO_SEGMENTS)
def test_no_segment(link: int, packet: bytes) -> None:
    assert find_segment(link, packet, len(packet)) is None


@given(st.sampled_from([0, 1, 12, 113, 276]), st.binary(max_size=90))
def test_any_bytes_as_packets(link: int, packet: bytes) -> None:
    find_segment(link, packet, len(packet))


# Connections --------------------------------------------------------------------------------------------------------

Expected = tuple[int, Direction, bytes] | tuple[int, Direction, bytes, int] | tuple[int, str]


def one_missing(place: int) -> list[Expected]:
    return [(place, "1 bytes of connection 0 are missing"), (place, R, b"b")]


STREAMS: list[tuple[str, list[bytes], list[Expected]]] = [  # name, packets, items: packet that tells, and what
    (
        "both ways, from the first data on",
        [send(R, 90, b"ab", 5), send(S, 5, b"xy", 92), send(R, 92, b"c", 7)],
        [(0, R, b"ab"), (1, S, b"xy"), (2, R, b"c")],
    ),
    (
        "from the beginning",
        [send(S, 4, flags=SYN), send(R, 89, b"", 5, flags=SYN | ACK), send(S, 5, b"x", 90), send(R, 90, b"a", 6)],
        [(2, S, b"x"), (3, R, b"a")],
    ),
    ("data with the first packet", [send(S, 4, b"hi", flags=SYN), send(S, 7, b"!")], [(0, S, b"hi"), (1, S, b"!")]),
    ("retransmission", [send(R, 1, b"ab"), send(R, 1, b"ab"), send(R, 3, b"c")], [(0, R, b"ab"), (2, R, b"c")]),
    ("retransmission with more", [send(R, 1, b"ab"), send(R, 1, b"abcd")], [(0, R, b"ab"), (1, R, b"cd")]),
    (
        "retransmission of a part",
        [send(R, 1, b"abcd"), send(R, 2, b"bc"), send(R, 5, b"e")],
        [(0, R, b"abcd"), (2, R, b"e")],
    ),
    ("keep-alive", [send(R, 1, b"ab"), send(R, 2, b"\0"), send(R, 2), send(R, 3, b"c")], [(0, R, b"ab"), (3, R, b"c")]),
    ("keep-alive first", [send(R, 89), send(R, 90, b"a")], [(1, R, b"a")]),
    (
        "the first packet comes late",
        [send(S, 0, b"x"), send(S, 2**32 - 1, flags=SYN), send(S, 1, b"y")],
        [(0, S, b"x"), (2, S, b"y")],
    ),
    ("reordered", [send(R, 1, b"a"), send(R, 3, b"c"), send(R, 2, b"b")], [(0, R, b"a"), (2, R, b"bc")]),
    (
        "reordered backwards",
        [send(R, 1, b"a"), *(send(R, i, b"%d" % i) for i in (5, 4, 3)), send(R, 2, b"2"), send(R, 6, b"6")],
        [(0, R, b"a"), (4, R, b"2345"), (5, R, b"6")],
    ),
    (
        "over what waits, the first bytes count",
        [send(R, 1, b"a"), send(R, 4, b"DE"), send(R, 8, b"H"), send(R, 3, b"cdefghi"), send(R, 2, b"bcd")],
        [(0, R, b"a"), (4, R, b"bcDEfgHi")],
    ),
    (
        "what waits comes again",
        [send(R, 1, b"a"), send(R, 3, b"cd"), send(R, 3, b"cd"), send(R, 3, b"c"), send(R, 2, b"b")],
        [(0, R, b"a"), (4, R, b"bcd")],
    ),
    (
        "numbers wrap",
        [
            send(R, 2**32 - 2, b"abc"),
            send(R, 5, b"h"),
            send(R, 1, b"defg"),
            send(R, 2**32 - 2, b"abc"),
            send(R, 6, b"i"),
        ],
        [(0, R, b"abc"), (2, R, b"defgh"), (4, R, b"i")],
    ),
    (
        "what is acknowledged and not there is missing",
        [send(R, 1, b"a"), send(R, 7, b"g"), send(S, 1, b"x", 2), send(S, 2, b"y", 8), send(R, 8, b"h")],
        [
            (0, R, b"a"),
            (2, S, b"x"),
            (1, "5 bytes of connection 0 are missing"),
            (1, R, b"g"),
            (3, S, b"y"),
            (4, R, b"h"),
        ],
    ),
    (
        "what is acknowledged alone may still come",
        [send(R, 1, b"a"), send(R, 3, b"c"), send(S, 1, b"x", 3), send(R, 2, b"b")],
        [(0, R, b"a"), (2, S, b"x"), (3, R, b"bc")],
    ),
    (
        "acknowledged before it is seen to be missing",
        [send(R, 1, b"a"), send(S, 1, b"", 8), send(R, 7, b"g"), send(R, 4, b"late"), send(R, 8, b"h")],
        [(0, R, b"a"), (2, "5 bytes of connection 0 are missing"), (2, R, b"g"), (4, R, b"h")],
    ),
    (
        "missing at the end",
        [send(R, 1, b"a"), send(R, 3, b"c"), send(R, 6, b"f"), send(R, 4, b"d")],
        [
            (0, R, b"a"),
            (1, "1 bytes of connection 0 are missing"),
            (1, R, b"c"),
            (3, R, b"d"),
            (2, "1 bytes of connection 0 are missing"),
            (2, R, b"f"),
        ],
    ),
    (
        "missing at the beginning",
        [send(S, 4, flags=SYN), send(S, 9, b"x")],
        [(1, "4 bytes of connection 0 are missing"), (1, S, b"x")],
    ),
    (
        "clients are numbered as their data comes",
        [
            send(S, 1, flags=SYN, client=3),
            send(R, 1, b"a", client=1),
            send(S, 2, b"x", client=3),
            send(R, 2, b"b", client=1),
            send(R, 1, b"c", client=3),
        ],
        [(1, R, b"a", 0), (2, S, b"x", 1), (3, R, b"b", 0), (4, R, b"c", 1)],
    ),
    (
        "the same ports again",
        [
            send(S, 4, flags=SYN),
            send(S, 5, b"x"),
            send(S, 4, flags=SYN),  # only a retransmission
            send(S, 7, b"z"),
            send(S, 6, flags=SYN),
            send(R, 2, b"", 7, flags=SYN | ACK),
            send(S, 7, b"n"),
            send(R, 3, b"a"),
        ],
        [
            (1, S, b"x", 0),
            (3, "1 bytes of connection 0 are missing"),
            (3, S, b"z", 0),
            (6, S, b"n", 1),
            (7, R, b"a", 1),
        ],
    ),
    (
        "the first two packets swapped",
        [send(R, 4, b"bbb"), send(R, 1, b"aaa"), send(R, 1, b"aaa"), send(R, 7, b"c"), send(R, 1, b"aaabbb")],
        [(0, R, b"bbb"), (1, "3 bytes of connection 0 come too late, behind what follows them"), (3, R, b"c")],
    ),
    (
        "the first packets backwards, over each other",
        [send(R, 6, b"fg"), send(R, 4, b"def"), send(R, 1, b"abcdefgh"), send(R, 0, flags=SYN), send(R, 9, b"i")],
        [
            (0, R, b"fg"),
            (1, "2 bytes of connection 0 come too late, behind what follows them"),
            (2, "3 bytes of connection 0 come too late, behind what follows them"),
            (2, R, b"h"),
            (4, R, b"i"),
        ],
    ),
    (
        "before the first, over the wrap",
        [
            send(R, 1, b"bb"),
            send(R, 2**32 - 2, b"aaa"),
            send(R, 3, b"c"),
            send(R, 2**32 - 3, flags=SYN),
            send(R, 4, b"d"),
        ],
        [
            (0, R, b"bb"),
            (1, "3 bytes of connection 0 come too late, behind what follows them"),
            (2, R, b"c"),
            (4, R, b"d"),
        ],
    ),
    (
        "keep-alive of one who said nothing yet",
        [send(S, 4, flags=SYN), send(S, 4, b"\0"), send(S, 4, b"\0"), send(S, 5, b"x"), send(S, 4, b"\0")],
        [(3, S, b"x")],
    ),
    (
        "the same ports again, a little before its beginning",
        [send(S, 9, flags=SYN), send(S, 10, b"x"), send(S, 1, b"abc"), send(S, 9, flags=SYN), send(S, 11, b"y")],
        [(1, S, b"x"), (2, "3 bytes of connection 0 come too late, behind what follows them"), (4, S, b"y")],
    ),
    (
        "the same ports again, whose beginning is not there",
        [send(R, 100 + 2**20 + 1, b"a"), send(R, 101, b"b"), send(R, 102, b"c")],
        [(0, R, b"a", 0), (1, R, b"b", 1), (2, R, b"c", 1)],
    ),
    (
        "captured in part",
        [send(R, 1, b"abcd")[:-2], send(R, 5, b"e"), send(S, 1, b"", 6), send(R, 6, b"fgh")[:-1]],
        [
            (0, R, b"ab"),
            (1, "2 bytes of connection 0 are missing"),
            (1, R, b"e"),
            (3, R, b"fg"),
            (3, "1 bytes of connection 0 are missing"),
        ],
    ),
    (
        "captured in part, and whole the second time",
        [send(R, 1, b"abcd")[:-2], send(R, 1, b"abcd")],
        [(0, R, b"ab"), (1, R, b"cd")],
    ),
    (
        "captured in part, twice",
        [send(R, 1, b"abcd")[:-2], send(R, 1, b"abc")[:-1]],
        [(0, R, b"ab"), (0, "2 bytes of connection 0 are missing")],
    ),
    ("headers alone", [send(R, 1, b"abcd")[:40]], [(0, "4 bytes of connection 0 are missing")]),
    (
        "fragments",
        [ipv4(tcp_segment(PORT, 50000, 1, 0, PUSHED, b"abcd"), *ENDS, fragment=0x2000), send(R, 9, b"x")],
        [
            (0, "a packet in fragments, which are not put together"),
            (0, R, b"abcd"),
            (1, "4 bytes of connection 0 are missing"),
            (1, R, b"x"),
        ],
    ),
    (
        "more is sent than can wait",
        [send(R, 1, b"a"), *(send(R, 3 + 65000 * i, bytes(65000)) for i in range(9)), send(R, 2, b"too late")],
        [(0, R, b"a"), (1, "1 bytes of connection 0 are missing"), *((i, R, bytes(65000)) for i in range(1, 10))],
    ),
    (
        "more pieces than can wait",
        [send(R, 1, b"a"), *(send(R, 3 + 2 * i, b"b") for i in range(1001)), send(R, 2, b"x"), send(R, 4, b"c")],
        [
            (0, R, b"a"),
            (1, "1 bytes of connection 0 are missing"),
            (1, R, b"b"),
            (1003, R, b"cb"),
            *(item for i in range(3, 1002) for item in one_missing(i)),
        ],
    ),
]


def number(contents: Iterable[bytes], link: int = 101) -> Iterator[Packet]:
    """Yield packets whose place and time are their number; one that is cut says by its header how long it was."""
    for place, content in enumerate(contents):
        yield place, place, link, content, int.from_bytes(content[2:4], "big")


def expect(items: Iterable[Expected]) -> list[CaptureItem]:
    return [Chunk(*item) if isinstance(item[1], Direction) else Damage(*item) for item in items]


@pytest.mark.parametrize(("contents", "items"), [row[1:] for row in STREAMS], ids=[row[0] for row in STREAMS])
def test_connections(contents: list[bytes], items: list[Expected]) -> None:
    assert list(assemble(number(contents), PORT)) == expect(items)


def test_the_connection_longest_unused_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "_CONNECTIONS", 2)
    contents = [
        send(R, 1, b"a", client=0),
        send(R, 1, b"b", client=1),
        send(R, 3, b"waits", client=1),
        send(R, 2, b"c", client=0),
        send(R, 1, b"d", client=2),
        send(R, 3, b"e", client=0),
        send(R, 8, b"f", client=1),
    ]
    assert list(assemble(number(contents), PORT)) == expect(
        [
            (0, R, b"a", 0),
            (1, R, b"b", 1),
            (3, R, b"c", 0),
            (2, "1 bytes of connection 1 are missing"),
            (2, R, b"waits", 1),
            (4, R, b"d", 2),
            (5, R, b"e", 0),
            (6, R, b"f", 3),
        ]
    )


def test_somebody_talks_to_himself() -> None:
    contents = [
        ipv4(tcp_segment(PORT, PORT, begin, begin, flags, data), "192.0.2.1", "192.0.2.1")
        for begin, flags, data in ((1, SYN, b""), (2, PUSHED, b"a"), (8, SYN, b""), (9, PUSHED, b"b"))
    ]
    assert list(assemble(number(contents), PORT)) == [Chunk(1, R, b"a", 0), Chunk(3, R, b"b", 1)]


def test_packets_of_others() -> None:
    udp = ipv4(SEGMENT, *ENDS, protocol=17)
    others = [ipv4(tcp_segment(50000, port, 1, 1, ACK, b"x"), *ENDS) for port in (443, 80, 80)]
    with pytest.raises(
        CaptureError, match=r"^no TCP packets of port 8899; choose another with --port \(seen: 80, 443\)$"
    ):
        list(assemble(number([udp, *others]), PORT))
    with pytest.raises(CaptureError, match=r"^no TCP packets of port 8899$"):
        list(assemble(number([udp]), PORT))
    assert list(assemble(number([*others, send(R, 1, b"a"), *others]), PORT)) == [Chunk(3, R, b"a")]
    assert list(assemble(number([*others, send(S, 1, ack=5, flags=ACK)]), PORT)) == []
    assert list(assemble(number([]), PORT)) == []


def test_link_types_that_are_not_known() -> None:
    known = list(number([send(R, 1, b"a")]))
    reason = "packets of link type 127, which is not known, are left out"
    assert list(assemble(iter([(4, 0, 127, b"", 0), *known, (9, 0, 127, b"", 0)]), PORT)) == [
        Damage(4, reason),
        Chunk(0, R, b"a"),
    ]
    items = assemble(iter([(4, 0, 127, b"", 0)]), PORT)
    assert next(items) == Damage(4, reason)
    with pytest.raises(CaptureError, match="no TCP packets of port 8899"):
        next(items)


def test_fragments_of_ipv6() -> None:
    packet = ipv6(SEGMENT, *ENDS, extensions=[(44, b"\0\0\0\1" + bytes(4))])
    damage = Damage(0, "a packet in fragments, which are not put together")
    assert list(assemble(iter([(0, 5, 101, packet, len(packet))]), PORT)) == [damage, Chunk(5, R, PAYLOAD)]


@st.composite
def sendings(draw: st.DrawFn) -> tuple[dict[Direction, bytes], list[bytes]]:
    """Draw what is said both ways, and packets of it: cut at will, sent again, and late."""
    said = {direction: draw(st.binary(min_size=1, max_size=60)) for direction in (R, S)}
    begins = {direction: draw(st.integers(0, 2**32 - 1) | st.integers(2**32 - 70, 2**32 - 1)) for direction in (R, S)}
    other = {R: S, S: R}
    late: list[tuple[float, bytes]] = []
    for direction, data in said.items():
        cuts = sorted({0, len(data), *draw(st.lists(st.integers(0, len(data)), max_size=8))})
        spans = list(pairwise(cuts))
        again = draw(st.lists(st.tuples(st.integers(0, len(data)), st.integers(0, len(data))), max_size=5))
        for start, stop in spans + [span for span in again if span[0] < span[1]]:
            packet = send(direction, begins[direction] + 1 + start, data[start:stop], begins[other[direction]] + 1)
            late.append((draw(st.floats(0, 1)), packet))
    opening = [send(direction, begins[direction], flags=SYN) for direction in (S, R)]
    return said, opening + [packet for _, packet in sorted(late)]


@given(sendings())
def test_what_was_said_is_read(drawn: tuple[dict[Direction, bytes], list[bytes]]) -> None:
    said, contents = drawn
    chunks = cast("list[Chunk]", list(assemble(number(contents), PORT)))
    for direction, data in said.items():
        assert b"".join(chunk.data for chunk in chunks if chunk.direction == direction) == data
    assert [chunk.time for chunk in chunks] == sorted(chunk.time for chunk in chunks)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([R, S]),
            st.integers(0, 12) | st.sampled_from([2**31 - 1, 2**31, 2**32 - 2]),
            st.binary(max_size=5),
            st.integers(0, 12),
            st.sampled_from([0, SYN, ACK, PUSHED, SYN | ACK, FIN | ACK]),
            st.integers(0, 2),
            st.integers(0, 3),
        ),
        max_size=30,
    )
)
def test_any_packets(rows: list[tuple[Direction, int, bytes, int, int, int, int]]) -> None:
    contents = [
        send(direction, sequence, data, ack, flags=flags, client=client)[: 40 + len(data) - cut]
        for direction, sequence, data, ack, flags, client, cut in rows
    ]
    for item in assemble(number(contents), PORT):
        assert isinstance(item, Damage) or item.data


# Files --------------------------------------------------------------------------------------------------------------


def block(order: str, kind: int, body: bytes) -> bytes:
    size = struct.pack(order + "I", 12 + len(body) + -len(body) % 4)
    return struct.pack(order + "I", kind) + size + body + bytes(-len(body) % 4) + size


def section(order: str = "<", options: bytes = b"") -> bytes:
    return block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1) + options)


def interface(order: str = "<", link: int = 101, longest: int = 0, options: Sequence[tuple[int, bytes]] = ()) -> bytes:
    rows = b"".join(struct.pack(order + "HH", code, len(data)) + data + bytes(-len(data) % 4) for code, data in options)
    return block(order, 1, struct.pack(order + "HHI", link, 0, longest) + rows)


def enhanced(ticks: int, packet: bytes, order: str = "<", where: int = 0) -> bytes:
    sizes = len(packet), len(packet)
    return block(order, 6, struct.pack(order + "IIIII", where, ticks >> 32, ticks & 0xFFFFFFFF, *sizes) + packet)


def pcap_header(magic: int = 0xA1B2C3D4, order: str = "<", link: int = 101) -> bytes:
    return struct.pack(order + "IHHIIII", magic, 2, 4, 0, 0, 262144, link)


def pcap_record(packet: bytes, seconds: int = 0, fraction: int = 0, order: str = "<", extra: int = 0) -> bytes:
    return struct.pack(order + "IIII", seconds, fraction, len(packet), len(packet)) + bytes(extra) + packet


ONE, TWO = send(R, 1, b"a"), send(S, 1, b"bc")
NOW = 1_700_000_000_123_456_789
SECONDS, NANOSECONDS = divmod(NOW, 10**9)

FILES: list[tuple[str, bytes, list[int]]] = [  # name, a file with ONE and TWO, their times
    *(
        (
            f"pcap, {magic:x}, {order}",
            pcap_header(magic, order)
            + pcap_record(ONE, SECONDS, NANOSECONDS // unit, order, extra)
            + pcap_record(TWO, SECONDS + 1, 5, order, extra),
            [NOW // unit * unit, (SECONDS + 1) * 10**9 + 5 * unit],
        )
        for order in "<>"
        for magic, unit, extra in ((0xA1B2C3D4, 1000, 0), (0xA1B23C4D, 1, 0), (0xA1B2CD34, 1000, 8))
    ),
    ("pcap with a checksum behind frames", pcap_header(link=0x44000065) + pcap_record(ONE) + pcap_record(TWO), [0, 0]),
    (
        "pcap in big endian with a checksum behind frames",
        pcap_header(order=">", link=0x44000065) + pcap_record(ONE, order=">") + pcap_record(TWO, order=">"),
        [0, 0],
    ),
    *(
        (
            f"pcapng, {order}, {name}",
            section(order) + interface(order, options=options) + enhanced(1, ONE, order) + enhanced(ticks, TWO, order),
            [first, second],
        )
        for order in "<>"
        for name, options, ticks, first, second in (
            ("microseconds", [], NOW // 1000, 1000, NOW // 1000 * 1000),
            ("other options", [(9, b"\x06"), (0, b""), (9, b"")], NOW // 1000, 1000, NOW // 1000 * 1000),
            ("nanoseconds", [(2, b"eth10"), (9, b"\x09")], NOW, 1, NOW),
            ("tenths of nanoseconds", [(9, b"\x0a")], NOW * 10 + 9, 0, NOW),
            ("binary", [(9, b"\x8a")], 3 * 1024 + 512, 976_562, 3_500_000_000),
            ("offset", [(14, struct.pack(order + "q", 100))], 7, 100_000_001_000, 100_000_007_000),
            ("offset into the past", [(14, struct.pack(order + "q", -100))], 100_000_001, 0, 1000),
            ("beyond all times", [(9, b"\x00")], 2**63, 10**9, 0),
        )
    ),
    (
        "sections",
        section() + interface() + enhanced(1, ONE) + section(">") + interface(">") + enhanced(2, TWO, ">"),
        [1000, 2000],
    ),
    (
        "interfaces",
        section()
        + interface(link=1)
        + interface(options=[(9, b"\x09")])
        + enhanced(1, LAYERS[0][2][:14] + ONE)
        + enhanced(7, TWO, where=1),
        [1000, 7],
    ),
    (
        "other blocks",
        section(options=struct.pack("<HH4s", 4, 4, b"them"))
        + block("<", 5, bytes(12))
        + interface()
        + block("<", 0xBAD, b"custom")
        + enhanced(1, ONE)
        + block("<", 4, bytes(4))
        + enhanced(2, TWO),
        [1000, 2000],
    ),
    (
        "simple packets",
        section()
        + interface(longest=60)
        + block("<", 3, struct.pack("<I", len(ONE)) + ONE)
        + block("<", 3, struct.pack("<I", len(TWO)) + TWO),
        [0, 0],
    ),
    (
        "packets as they once were",
        section()
        + interface()
        + b"".join(
            block("<", 2, struct.pack("<HHIIII", 0, 0, 0, i, len(p), len(p)) + p) for i, p in ((1, ONE), (2, TWO))
        ),
        [1000, 2000],
    ),
]


def as_file(content: bytes) -> RawIOBase:
    return cast("RawIOBase", BytesIO(content))


def read(content: bytes, suffix: str = "pcap", port: int = PORT) -> list[CaptureItem]:
    return list(find_format(f"x.{suffix}").read_chunks(as_file(content), port))


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(("content", "times"), [row[1:] for row in FILES], ids=[row[0] for row in FILES])
def test_files(content: bytes, times: list[int], suffix: str) -> None:
    assert read(content, suffix) == [Chunk(times[0], R, b"a"), Chunk(times[1], S, b"bc")]


@pytest.mark.parametrize("content", [row[1] for row in FILES], ids=[row[0] for row in FILES])
def test_cut_anywhere(content: bytes) -> None:
    """Wherever a file ends, there comes what is whole, and that something is not, if so."""
    whole = read(content)
    ends = set()  # of records
    for size in range(len(content)):
        items = read(content[:size])
        match items[-1:]:
            case [Damage(end, reason)]:
                assert reason == "the file ends within a packet"
                assert end < size
                items.pop()
            case _:
                end = size
        ends.add(end)
        assert items == whole[: len(items)]
    assert len(ends) < 10


CORRUPT = [  # file, what is yielded, what is raised
    (b"GIF89a", [], "not a pcap or pcapng file: it begins with 47 49 46 38"),
    (b"\0\0\0\0", [], "not a pcap or pcapng file: it begins with 00 00 00 00"),
    (
        pcap_header() + pcap_record(ONE) + struct.pack("<IIII", 1, 1, 2**24 + 1, 60),
        [Chunk(0, R, b"a")],
        "corrupt from byte 81 on: a packet of 16777217 bytes",
    ),
    (
        pcap_header() + pcap_record(ONE) + pcap_record(send(R, 4, b"d")) + struct.pack("<IIII", 1, 1, 2**32 - 1, 60),
        [Chunk(0, R, b"a"), Damage(81, "2 bytes of connection 0 are missing"), Chunk(0, R, b"d")],
        "corrupt from byte 138 on: a packet of 4294967295 bytes",
    ),
    (pcap_header() + bytes(100_000) + b"\1", [], "corrupt from byte 24 on: zeros"),
    (section() + interface() + bytes(100) + b"\1", [], "corrupt from byte 48 on: zeros"),
    (section()[:8] + bytes(20), [], "corrupt from byte 0 on: a section without byte order"),
    (section() + b"\1\0\0\0\x0e\0\0\0\0\0\0\0", [], "corrupt from byte 28 on: a block of 14 bytes"),
    (section() + b"\1\0\0\0\x08\0\0\0\0\0\0\0", [], "corrupt from byte 28 on: a block of 8 bytes"),
    (section() + b"\1\0\0\0\0\0\0\x02\0\0\0\0", [], "corrupt from byte 28 on: a block of 33554432 bytes"),
    (section() + interface()[:-1] + b"\1", [], "corrupt from byte 28 on: a block whose two lengths differ"),
]


@pytest.mark.parametrize(("content", "items", "message"), CORRUPT)
def test_corrupt(content: bytes, items: list[CaptureItem], message: str) -> None:
    reading = find_format("x.pcap").read_chunks(as_file(content), PORT)
    assert [next(reading) for _ in items] == items
    with pytest.raises(CaptureError) as caught:
        next(reading)
    assert str(caught.value) == message


BAD_BLOCKS = [
    block("<", 6, bytes(8)),
    block("<", 6, struct.pack("<IIIII", 0, 0, 0, 5, 5) + bytes(4)),
    enhanced(0, ONE, where=1),
    block("<", 2, bytes(16)),
    block("<", 3, b""),
    block("<", 1, bytes(4)),
    interface(options=[(9, b"")])[:-4] + struct.pack("<I", 24),
    interface(options=[(14, b"\1\2")]),
]


@pytest.mark.parametrize("bad", BAD_BLOCKS)
def test_bad_blocks(bad: bytes) -> None:
    head = section() + interface()
    assert read(head + bad + enhanced(1, ONE)) == [
        Damage(len(head), "a block that does not hold what it should"),
        Chunk(1000, R, b"a"),
    ]


def test_an_interface_that_is_damaged_keeps_its_number() -> None:
    bad = block("<", 1, bytes(4))
    blocks = [
        section(),
        interface(),
        bad,
        interface(options=[(9, b"\x09")]),
        enhanced(1, ONE),
        enhanced(7, TWO, where=2),
    ]
    assert read(b"".join([*blocks, enhanced(8, TWO, where=1)])) == [
        Damage(len(blocks[0] + blocks[1]), "a block that does not hold what it should"),
        Chunk(1000, R, b"a"),
        Chunk(7, S, b"bc"),
        Damage(sum(map(len, blocks)), "a block that does not hold what it should"),
    ]


def test_simple_packets_cut() -> None:
    head = section() + interface(longest=len(TWO) - 1)
    assert read(head + block("<", 3, struct.pack("<I", len(TWO)) + TWO[:-1])) == [
        Chunk(0, S, b"b"),
        Damage(len(head), "1 bytes of connection 0 are missing"),
    ]


@pytest.mark.parametrize("head", [pcap_header(), section() + interface()])
def test_zeros_at_the_end(head: bytes) -> None:
    assert read(head + bytes(100_000)) == [Damage(len(head), "from here on the file holds zeros, no packets")]


def test_zeros_in_a_block_at_the_end() -> None:
    head = section() + interface() + enhanced(1, ONE)
    for size in range(8, len(enhanced(2, TWO)) - 4):
        cut = head + enhanced(2, TWO)[:size]
        assert read(cut + bytes(100_000)) == [
            Chunk(1000, R, b"a"),
            Damage(len(head), "from here on the file holds zeros, no packets"),
        ]
        with pytest.raises(CaptureError, match=f"corrupt from byte {len(head)} on: zeros"):
            read(cut + bytes(100_000) + b"\1")


@pytest.mark.parametrize("head", [pcap_header(), section() + interface(), section()])
def test_nothing_but_a_header(head: bytes) -> None:
    assert read(head) == []


def test_a_long_packet_that_is_not_there() -> None:
    """Nothing is allocated for what a length claims."""
    assert read(pcap_header() + struct.pack("<IIII", 1, 1, 2**24, 60) + bytes(200_000)) == [
        Damage(24, "the file ends within a packet")
    ]


def test_a_long_packet() -> None:
    long = bytes(14) + b"\x08\x00" + bytes(70_000)
    with pytest.raises(CaptureError, match="no TCP packets"):
        read(pcap_header() + pcap_record(long))


@settings(max_examples=200)
@given(st.sampled_from([row[1] for row in FILES]), st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255))))
def test_damaged_files(content: bytes, changes: list[tuple[int, int]]) -> None:
    damaged = bytearray(content)
    for place, value in changes:
        damaged[place % len(damaged)] = value
    with suppress(CaptureError):
        read(bytes(damaged))


def test_the_file_stays_open() -> None:
    file = as_file(pcap_header() + pcap_record(ONE))
    for _ in find_format("x.pcap").read_chunks(file, PORT):
        pass
    assert not file.closed


def test_what_a_pipe_brings_is_yielded_at_once() -> None:
    reader, writer = os.pipe()
    with FileIO(reader) as source, FileIO(writer, "w") as target:
        target.write(pcap_header() + pcap_record(ONE)[:-3])
        target.write(pcap_record(ONE)[-3:])
        items = find_format("x.pcap").read_chunks(source, PORT)
        assert next(items) == Chunk(0, R, b"a")
        target.write(pcap_record(TWO))
        assert next(items) == Chunk(0, S, b"bc")


# Writing ------------------------------------------------------------------------------------------------------------

chunks = st.lists(
    st.builds(
        Chunk,
        st.integers(0, 2**32 * 10**9 - 1),
        st.sampled_from([R, S]),
        st.binary(min_size=1, max_size=40) | st.integers(1, 60_000).map(bytes),
        st.integers(0, 3),
    ),
    max_size=12,
)


def write(content: bytes, suffix: str, written: Iterable[Chunk]) -> bytes:
    """Return a file to which chunks were appended."""
    file = BytesIO(content)
    append = find_format(f"x.{suffix}").write_chunks(cast("RawIOBase", file))
    for chunk in written:
        append(chunk)
    return file.getvalue()


def renumber(written: Iterable[Chunk], first: int = 0) -> list[Chunk]:
    """Return chunks whose connections are counted as they appear."""
    numbers: dict[int, int] = {}
    return [Chunk(c.time, c.direction, c.data, first + numbers.setdefault(c.connection, len(numbers))) for c in written]


@pytest.mark.parametrize("suffix", SUFFIXES)
@given(chunks, chunks)
def test_round_trip(suffix: str, first: list[Chunk], second: list[Chunk]) -> None:
    content = write(b"", suffix, first)
    assert read(content, suffix) == renumber(first)
    both = write(content, suffix, second)
    assert both.startswith(content)
    assert read(both, suffix) == renumber(first) + renumber(second, len({c.connection for c in first}))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_is_continued_behind_its_last_whole_record(suffix: str) -> None:
    first, second = Chunk(1, R, b"first"), Chunk(2, R, b"second")
    head, content = write(b"", suffix, []), write(b"", suffix, [first])
    for size in range(len(content)):
        expected = [second] if size < len(content) else [first, second]
        assert read(write(content[:size], suffix, [second]), suffix) == expected
    assert read(write(head + bytes(100), suffix, [second]), suffix) == [second]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("count", [3, 1500])
def test_what_a_wrong_length_hides_is_not_cut(suffix: str, count: int) -> None:
    """No bit of any length is worth the packets behind it."""
    second = Chunk(2, R, b"second")
    whole = write(b"", suffix, [Chunk(1, R, b"first" * 9)] * count)
    before = write(b"", suffix, [])
    size = (len(whole) - len(before)) // count
    places = [len(before) + size * number + at for number in (0, 1, count - 2, count - 1) for at in range(size)]
    refused = 0
    for place in [*range(len(before)), *places]:
        for bit in range(8) if count == 3 else (2, 7):
            damaged = bytearray(whole)
            damaged[place] ^= 1 << bit
            file = BytesIO(damaged)
            try:
                find_format(f"x.{suffix}").write_chunks(cast("RawIOBase", file))(second)
            except CaptureError:
                assert file.getvalue() == damaged
                refused += 1
            else:
                assert file.getvalue().startswith(damaged), (place, bit)
    assert refused


def test_what_is_behind_a_wrong_length_is_named() -> None:
    whole = write(b"", "pcap", [Chunk(1, R, b"first")] * 100)
    damaged = bytearray(whole)
    damaged[24 + 61 * 50 + 10] ^= 1 << 7  # it says 8,388,653 bytes
    file = BytesIO(damaged)
    with pytest.raises(
        CaptureError,
        match=r"^cannot be continued, since what is behind byte 3074 is damaged; record into a new file$",
    ):
        find_format("x.pcap").write_chunks(cast("RawIOBase", file))
    assert file.getvalue() == damaged


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_loss_of_power_is_cut(suffix: str) -> None:
    """What was not yet on the disk is zeros, however many, and wherever in a record they begin."""
    first, second = Chunk(1, R, b"first"), Chunk(2, R, b"second")
    before, content = write(b"", suffix, []), write(b"", suffix, [first])
    for size in range(len(before), len(content)):
        lost = content[:size] + bytes(200_000)
        found = [item for item in read(write(lost, suffix, [second]), suffix) if isinstance(item, Chunk)]
        assert (found[-1].time, found[-1].data) == (2, b"second")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_of_others_is_continued(suffix: str) -> None:
    theirs = {
        "pcap": pcap_header(0xA1B23C4D, link=LINK_IPV4) + pcap_record(ONE),
        "pcapng": section(">") + interface(">") + enhanced(0, ONE, ">"),
    }[suffix]
    assert read(write(theirs, suffix, [Chunk(2, R, b"x")]), suffix) == [Chunk(0, R, b"a"), Chunk(2, R, b"x", 1)]


@pytest.mark.parametrize(
    ("content", "suffix", "message"),
    [
        (b"GIF89a", "pcap", "not a pcap or pcapng file"),
        (b"GIF89a", "pcapng", "not a pcap or pcapng file"),
        (section(), "pcap", "cannot be continued"),
        (pcap_header() + b"cut", "pcapng", "cannot be continued"),
        (pcap_header(link=LINK_IPV4) + b"cut", "pcap", "cannot be continued"),  # microseconds
        (pcap_header(0xA1B23C4D, link=1), "pcap", "cannot be continued"),
        (pcap_header(0xA1B23C4D, ">", LINK_IPV4), "pcap", "cannot be continued"),
        (pcap_header(0xA1B23C4D, link=LINK_IPV4) + bytes(99) + b"x", "pcap", "corrupt from byte 24 on"),
    ],
)
def test_what_cannot_be_continued_stays_as_it_is(content: bytes, suffix: str, message: str) -> None:
    file = BytesIO(content)
    with pytest.raises(CaptureError, match=message):
        find_format(f"x.{suffix}").write_chunks(cast("RawIOBase", file))
    assert file.getvalue() == content


@pytest.mark.parametrize(("suffix", "time"), [("pcap", 2**32 * 10**9), ("pcap", -1), ("pcapng", 2**63), ("pcapng", -1)])
def test_times_that_do_not_fit(suffix: str, time: int) -> None:
    with pytest.raises(CaptureError, match=f"cannot hold the time {time} ns"):
        write(b"", suffix, [Chunk(time, R, b"x")])


class Counting(BytesIO):
    """A pipe that counts what is written at once."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []

    def seekable(self) -> bool:
        return False

    def write(self, data: Any) -> int:
        self.writes.append(bytes(data))
        return len(data)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_one_write_a_chunk(suffix: str) -> None:
    pipe = Counting()
    append = find_format(f"x.{suffix}").write_chunks(cast("RawIOBase", pipe))
    assert len(pipe.writes) == 1
    for size in (5, 200_000):
        append(Chunk(1, S, bytes(size)))
    assert len(pipe.writes) == 3
    assert [len(cast("Chunk", c).data) for c in read(b"".join(pipe.writes), suffix)] == [5, *[65_495] * 3, 3515]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_many_connections_are_written(suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that was forgotten goes on as another."""
    monkeypatch.setattr(tcp, "_CONNECTIONS", 2)
    written = [Chunk(0, R, b"x", connection) for connection in (7, 8, 7, 9, 7, 8)]
    numbers = [cast("Chunk", chunk).connection for chunk in read(write(b"", suffix, written), suffix)]
    assert numbers == [0, 1, 0, 2, 0, 3]


def test_sequence_numbers_written_wrap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "_FIRST", 2**32 - 2)
    written = [Chunk(i, direction, b"abc") for i, direction in enumerate((R, S, R, S))]
    assert read(write(b"", "pcap", written)) == written


def test_checksum_that_is_zero() -> None:
    """A sum has two zeros; it is the one that other programs write."""
    ends = (address(ENDS[0]), 1), (address(ENDS[1]), 2)
    check = build_packet(*ends, 1, 1, b"\0\0")[36:38]
    assert build_packet(*ends, 1, 1, check)[36:38] == b"\0\0"


# tshark -------------------------------------------------------------------------------------------------------------


def tshark(path: Path, *arguments: str) -> str:
    """Return what tshark says of a file."""
    command = [require("tshark"), "-n", "-r", str(path), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def follow(path: Path, count: int) -> Counter[tuple[bytes, bytes]]:
    """Return what the inverter and the client of each TCP connection said, as tshark sees it."""
    taps = [argument for stream in range(count) for argument in ("-z", f"follow,tcp,raw,{stream}")]
    said: Counter[tuple[bytes, bytes]] = Counter()
    blocks = re.findall(r"Node 0: \S+:(\d+)\nNode 1: \S+\n((?:\t?[0-9a-f]*\n)*)=", tshark(path, "-q", *taps))
    for port, text in blocks:
        nodes = bytearray(), bytearray()
        for line in text.splitlines():
            nodes[line.startswith("\t")].extend(bytes.fromhex(line))
        inverter, client = nodes if int(port) == PORT else nodes[::-1]
        said[bytes(inverter), bytes(client)] += 1
    assert said.total() == count
    return said


def join(items: Iterable[CaptureItem]) -> Counter[tuple[bytes, bytes]]:
    """Return the same as we see it."""
    joined: dict[int, dict[Direction, bytes]] = {}
    for item in items:
        assert isinstance(item, Chunk)
        joined.setdefault(item.connection, dict.fromkeys(Direction, b""))[item.direction] += item.data
    return Counter((said[R], said[S]) for said in joined.values())


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_tshark_reads_what_we_write(suffix: str, tmp_path: Path) -> None:
    rng = random.Random(suffix)
    written = [
        Chunk(
            NOW + rng.randrange(10**9), rng.choice((R, S)), rng.randbytes(rng.choice((1, 2, 13, 80, 1460, 70_000))), n
        )
        for n in rng.choices((0, 1, 7), k=150)
    ]
    written.sort(key=lambda chunk: chunk.time)
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(write(write(b"", suffix, written[:100]), suffix, written[100:]))  # in two parts

    fields = ["frame.time_epoch", "ip.checksum.status", "tcp.checksum.status", "tcp.analysis.flags", "_ws.malformed"]
    columns = [argument for field in (*fields, "tcp.len") for argument in ("-e", field)]
    checks = ["-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE"]
    rows = [line.split("\t") for line in tshark(path, *checks, "-T", "fields", *columns).splitlines()]
    assert {tuple(row[1:5]) for row in rows} == {("1", "1", "", "")}  # both good
    sizes = [(f"{c.time // 10**9}.{c.time % 10**9:09}", size) for c in written for size in sizes_of(c.data)]
    assert [(row[0], int(row[5])) for row in rows] == sizes
    assert follow(path, 6) == join(renumber(written[:100]) + renumber(written[100:], 3))


def sizes_of(data: bytes) -> list[int]:
    """Return how long the data of the packets are that carry a chunk."""
    return [len(data[start : start + 65_495]) for start in range(0, len(data), 65_495)]


NOT_AS_TSHARK = {  # it begins with a keep-alive; the last bytes count; no other connection without SYN; parts stay
    "keep-alive first",
    "over what waits, the first bytes count",
    "the same ports again, whose beginning is not there",
    "captured in part, and whole the second time",
}


def test_tshark_reads_the_streams_as_we_do(tmp_path: Path) -> None:
    rows = [row for row in STREAMS if row[0] not in NOT_AS_TSHARK and all(type(i[1]) is Direction for i in row[2])]
    client = address("198.51.100.7")
    contents = [
        packet.replace(client, address(f"198.51.100.{100 + host}"))
        for host, row in enumerate(rows)
        for packet in row[1]
    ]
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap_header() + b"".join(map(pcap_record, contents)))
    items = read(path.read_bytes())
    assert len(rows) > 10
    assert follow(path, join(items).total()) == join(items)


def scramble(rng: random.Random, source: int) -> tuple[tuple[bytes, bytes], list[tuple[bool, bytes]]]:
    """Return what is said on a connection, and segments, also late, twice, over others; and if from the inverter."""
    said = rng.randbytes(rng.randrange(1, 3000)), rng.randbytes(rng.randrange(1, 3000))
    begins = rng.randrange(2**32), 2**32 - rng.randrange(2000)
    late: list[tuple[float, bool, int, int]] = []
    for is_client in (False, True):
        place = 0
        while place < len(said[is_client]):
            stop = min(len(said[is_client]), place + rng.randrange(1, 200))
            late.append((place + rng.choice((0, 0, 0, 300)), is_client, place, stop))
            if rng.random() < 0.2:
                late.append((place + rng.randrange(600), is_client, max(0, place - rng.randrange(80)), stop))
            place = stop
    segments = []
    for is_client in (True, False):
        ports = (source, PORT) if is_client else (PORT, source)
        flags = SYN if is_client else SYN | ACK
        ack = 0 if is_client else begins[1] + 1
        segments.append((not is_client, tcp_segment(*ports, begins[is_client], ack, flags, b"")))
    for _, is_client, place, stop in sorted(late):
        ports = (source, PORT) if is_client else (PORT, source)
        numbers = begins[is_client] + 1 + place, begins[not is_client] + 1
        segments.append((not is_client, tcp_segment(*ports, *numbers, PUSHED, said[is_client][place:stop])))
    return said, segments


@pytest.mark.parametrize("seed", range(3))
def test_tshark_reads_captures_as_we_do(seed: int, tmp_path: Path) -> None:
    """Several clients on interfaces of all kinds, with segments that come late, twice, and over others."""
    rng = random.Random(seed)
    layers: list[tuple[int, bytes, Callable[..., bytes]]] = [
        (1, ETHERNET + b"\x08\x00", ipv4),
        (1, ETHERNET + bytes.fromhex("8100 0005 86dd"), ipv6),
        (113, bytes.fromhex("0000 0001 0006") + bytes(8) + b"\x08\x00", ipv4),
        (276, b"\x86\xdd" + bytes(6) + b"\0\x01\0\6" + bytes(8), ipv6),
        (101, b"", ipv4),
        (0, b"\x02\0\0\0", ipv4),
    ]
    said: Counter[tuple[bytes, bytes]] = Counter()
    queues: list[list[bytes]] = []
    for where, (_, header, wrap) in enumerate(layers):
        for client in range(2):
            words, segments = scramble(rng, 40_000 + client)
            said[words] += 1
            ends = f"10.0.{where}.1", f"10.0.{where}.2"
            queues.append(
                [
                    enhanced(0, header + wrap(segment, *(ends if received else ends[::-1])), where=where)
                    for received, segment in segments
                ]
            )
    blocks = [section(), *(interface(link=link) for link, *_ in layers)]
    while queue := rng.choice(queues) if queues else None:
        blocks.append(queue.pop(0))
        queues = [queue for queue in queues if queue]
    path = tmp_path / "x.pcapng"
    path.write_bytes(b"".join(blocks))
    assert join(read(path.read_bytes())) == said
    assert follow(path, 2 * len(layers)) == said
