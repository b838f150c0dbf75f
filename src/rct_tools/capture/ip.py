"""Packets: finding the TCP segment in one, and making one."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Final, NamedTuple, TypeAlias

Packet: TypeAlias = tuple[int, int, int, bytes, int]
"""Place in the file, time (UTC, ns), link type, what was captured, and how many bytes there were on the wire."""

LINK_IPV4: Final = 228  # link type of packets that begin with their IPv4 header
LONGEST_PACKET: Final = 65_535  # of IPv4
LONGEST_DATA: Final = LONGEST_PACKET - 40

SYN, ACK = 0x02, 0x10  # flags

_LINKS: Final[Mapping[int, tuple[int, int]]] = {  # link type: where IP begins, and where its type stands, if it does
    0: (4, -1),  # BSD loopback, with a type of its operating system; IP tells its version itself
    1: (14, 12),  # Ethernet
    12: (0, -1),  # IP alone
    14: (0, -1),
    101: (0, -1),
    108: (4, -1),
    113: (16, 14),  # Linux "any", tcpdump -i any
    LINK_IPV4: (0, -1),
    229: (0, -1),
    276: (20, 0),  # Linux "any", version 2
}
_VLANS: Final = {b"\x81\x00", b"\x88\xa8", b"\x91\x00"}
_IP_TYPES: Final = {b"\x08\x00", b"\x86\xdd"}

_V4_SEGMENT: Final = struct.Struct(">BxHxxHxB10xHHIIBB")  # of IPv4 without options, and of TCP, up to its flags
_SEGMENT: Final = struct.Struct(">HHIIBB")
_V4: Final = struct.Struct(">BBHHHBBH4s4s")
_TCP: Final = struct.Struct(">HHIIBBHHH")
_TCP_PROTOCOL: Final = 6
_FRAGMENT_PROTOCOL: Final = 44
_EXTENSIONS: Final = {0, 43, _FRAGMENT_PROTOCOL, 60}  # headers of IPv6 that may stand before TCP's


class Segment(NamedTuple):
    """What a packet says in TCP. ``ends`` are source and target address and then both ports, as they stand in it."""

    ends: bytes
    source_port: int
    target_port: int
    sequence: int
    ack: int
    flags: int
    start: int  # of the data in the packet
    stop: int  # of the data on the wire: the packet may have been captured in part
    fragment: bool  # there are other parts of this packet


def find_segment(link: int, packet: bytes, length: int) -> Segment | None:
    """Return what is TCP in a packet of so many bytes on the wire; None for one that is something else, or cut within
    its headers. Raises KeyError for a link type that is not known."""
    start, kind = _LINKS[link]
    if kind >= 0:
        found = packet[kind : kind + 2]
        while found in _VLANS:
            found = packet[start + 2 : start + 4]
            start += 4
        if found not in _IP_TYPES:
            return None
    try:
        version, total, fragment, protocol, source, target, sequence, ack, size, flags = _V4_SEGMENT.unpack_from(
            packet, start
        )
        if version == 0x45:
            tcp = start + 20
            ends = packet[start + 12 : start + 24]
        elif version >> 4 == 4:
            tcp = start + (version & 15) * 4
            source, target, sequence, ack, size, flags = _SEGMENT.unpack_from(packet, tcp)
            ends = packet[start + 12 : start + 20] + packet[tcp : tcp + 4]
        else:
            if version >> 4 != 6:
                return None
            protocol, total, fragment, tcp = _read_ipv6(packet, start)
            source, target, sequence, ack, size, flags = _SEGMENT.unpack_from(packet, tcp)
            ends = packet[start + 8 : start + 40] + packet[tcp : tcp + 4]
    except (struct.error, IndexError):
        return None
    data = tcp + (size >> 4) * 4
    stop = start + total if total else length  # 0 when the network card was to split it
    if protocol != _TCP_PROTOCOL or fragment & 0x1FFF or data < tcp + 20 or stop < data:
        return None
    return Segment(ends, source, target, sequence, ack, flags, data, stop, bool(fragment & 0x2000))


def _read_ipv6(packet: bytes, start: int) -> tuple[int, int, int, int]:
    """Return protocol, length with header or 0, place among fragments as IPv4 says it, and where the rest begins."""
    length, protocol = struct.unpack_from(">HB", packet, start + 4)
    place, fragment = start + 40, 0
    while protocol in _EXTENSIONS:
        if protocol == _FRAGMENT_PROTOCOL:
            (part,) = struct.unpack_from(">H", packet, place + 2)
            fragment, size = part >> 3 | (part & 1) << 13, 8
        else:
            size = packet[place + 1] * 8 + 8
        protocol = packet[place]
        place += size
    return protocol, length and length + 40, fragment, place


def build_packet(source: tuple[bytes, int], target: tuple[bytes, int], sequence: int, ack: int, data: bytes) -> bytes:
    """Return an IPv4 packet with TCP data, flags PSH and ACK, from one address and port to another."""
    numbers = source[1], target[1], sequence, ack, 0x50, 0x18, 0xFFFF
    pseudo = source[0] + target[0] + struct.pack(">HH", _TCP_PROTOCOL, _TCP.size + len(data))
    segment = _TCP.pack(*numbers, _checksum(pseudo + _TCP.pack(*numbers, 0, 0) + data), 0) + data
    fields = 0x45, 0, _V4.size + len(segment), 0, 0x4000, 64, _TCP_PROTOCOL
    check = _checksum(_V4.pack(*fields, 0, source[0], target[0]))
    return _V4.pack(*fields, check, source[0], target[0]) + segment


def _checksum(data: bytes) -> int:
    """Return the checksum of IP and TCP: the complement of a sum modulo 65,535, since 65,536 is 1 there."""
    if len(data) % 2:
        data += b"\0"
    return 0xFFFF - (int.from_bytes(data, "big") % 0xFFFF or 0xFFFF)
