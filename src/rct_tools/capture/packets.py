"""Files of packets, pcap and pcapng, read: told apart by how they begin, whatever their name."""

from __future__ import annotations

import struct
from collections.abc import Callable, Generator, Iterator
from io import BufferedReader, RawIOBase
from math import gcd
from typing import Final, NamedTuple, TypeAlias

from rct_tools.capture.chunk import END_OF_TIME, CaptureItem, Damage
from rct_tools.capture.ip import LINK_IPV4, Packet
from rct_tools.capture.tcp import assemble
from rct_tools.errors import CaptureError

_BUFFER: Final = 1 << 18
_LONGEST: Final = 1 << 24  # a record; tcpdump and Wireshark write none above 256 KiB
_PIECE: Final = 1 << 16  # what is longer is read piece by piece

_TAIL: Final = 64  # bytes by which a record that is cut off is known
_CUT: Final = "the file ends within a packet"
_ZEROS: Final = "from here on the file holds zeros, no packets"  # a disk after a loss of power

PCAP: Final = {  # first bytes: byte order, nanoseconds in a unit of a fraction, bytes behind the fields of a record
    b"\xd4\xc3\xb2\xa1": ("<", 1000, 0),
    b"\xa1\xb2\xc3\xd4": (">", 1000, 0),
    b"\x4d\x3c\xb2\xa1": ("<", 1, 0),
    b"\xa1\xb2\x3c\x4d": (">", 1, 0),
    b"\x34\xcd\xb2\xa1": ("<", 1000, 8),  # a variant that some routers record
    b"\xa1\xb2\xcd\x34": (">", 1000, 8),
}
SECTION: Final = b"\n\r\r\n"  # how pcapng begins, in either byte order
_ORDERS: Final = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
_HEADS: Final = {order: struct.Struct(order + "II") for order in "<>"}  # of blocks: type, length
_INTERFACE, _SIMPLE_PACKET = 1, 3
_MOST_INTERFACES: Final = 1 << 16  # of a section; packets of those behind are damage
_PACKETS: Final = {  # two more, new and old, which hold: interface, time in two halves, captured length, length
    order: {6: struct.Struct(order + "IIIII"), 2: struct.Struct(order + "HxxIIII")} for order in "<>"
}
_END, _RESOLUTION, _OFFSET = 0, 9, 14  # options of an interface

Packets: TypeAlias = Generator[Packet | Damage, None, int]


def read_chunks(file: RawIOBase, port: int) -> Iterator[CaptureItem]:
    """Yield the data of the TCP connections with a port, the inverter's, in a pcap or pcapng file.

    See tcp.assemble for what becomes of the packets. Raises CaptureError when the file, or the rest of it, holds no
    packets, or no TCP packets of this port.
    """
    buffered = BufferedReader(file, _BUFFER)
    try:
        yield from assemble(read_packets(buffered), port)
    finally:
        if not file.closed:
            buffered.detach()  # else it would close the file


def go_on(file: RawIOBase, is_ours: Callable[[bytes], bool], is_cut: Callable[[bytes], bool]) -> int:
    """Cut what a file holds behind its last whole record, and stand there; return where that is, 0 in a pipe.

    ``is_ours`` tells from the first 24 bytes whether records may follow, ``is_cut`` whether what is behind the last
    whole one, but for zeros at its end, is part of one as it is written here. Anything else is evidence that a wrong
    length hides, here or before. Raises CaptureError, with the file as it was, when one of them says no, or the file
    holds something else than packets, and OSError.
    """
    if not file.seekable() or not file.seek(0, 2):
        return 0
    file.seek(0)
    buffered = BufferedReader(file, _BUFFER)
    last: Packet | None = None
    try:
        head = buffered.peek(24)[:24]
        packets = read_packets(buffered)
        while True:
            if isinstance(item := next(packets), tuple):
                last = item
    except StopIteration as stop:
        end: int = stop.value
    finally:
        buffered.detach()
    if end and not is_ours(head):
        raise CaptureError("cannot be continued, since its packets are of another kind; record into a new file")
    file.seek(end)
    tail = (file.read(_TAIL) or b"").rstrip(b"\0")
    if tail and not (is_cut(tail) and _is_ours(last)):
        raise CaptureError(f"cannot be continued, since what is behind byte {end} is damaged; record into a new file")
    file.seek(end)
    file.truncate()
    return end


def _is_ours(packet: Packet | None) -> bool:
    """Tell whether a packet is as it is written here, all its lengths the same: so its end is in the right place."""
    if packet is None:
        return True
    _, _, link, content, length = packet
    return link == LINK_IPV4 and len(content) == length == int.from_bytes(content[2:4], "big")


def read_packets(file: BufferedReader[RawIOBase]) -> Packets:
    """Yield the packets in a file; return where its last whole record ends. Raises CaptureError."""
    magic = file.read(4)
    if magic == SECTION:
        return (yield from _read_pcapng(file))
    if magic in PCAP:
        return (yield from _read_pcap(file, *PCAP[magic]))
    if not any(known.startswith(magic) for known in (SECTION, *PCAP)):
        raise CaptureError(f"not a pcap or pcapng file: it begins with {magic.hex(' ')}")
    if magic:
        yield Damage(0, _CUT)
    return 0


def _read(file: BufferedReader[RawIOBase], size: int) -> bytes:
    """Return that many bytes, or what there is: a mere claim gets no memory."""
    data = bytearray()
    while piece := file.read(min(size - len(data), _PIECE)):
        data += piece
    return bytes(data)


def _read_zeros(file: BufferedReader[RawIOBase], offset: int) -> Damage:
    """Return the end of a file that was not written to the disk. Raises CaptureError when it is not zeros alone."""
    while piece := file.read(_PIECE):
        if piece.count(0) < len(piece):
            raise CaptureError(f"corrupt from byte {offset} on: zeros")
    return Damage(offset, _ZEROS)


def _read_pcap(file: BufferedReader[RawIOBase], order: str, scale: int, extra: int) -> Packets:
    header = file.read(20)
    if len(header) < 20:
        yield Damage(0, _CUT)
        return 0
    link = struct.unpack(order + "16xI", header)[0] & 0xFFFF  # above it stands whether frames end in a checksum
    record = struct.Struct(f"{order}IIII{extra}x")
    size, unpack, read = record.size, record.unpack, file.read
    offset = 24
    while len(header := read(size)) == size:
        seconds, fraction, captured, length = unpack(header)
        if captured > _LONGEST:
            raise CaptureError(f"corrupt from byte {offset} on: a packet of {captured} bytes")
        if not any(header):
            yield _read_zeros(file, offset)
            return offset
        data = read(captured) if captured <= _PIECE else _read(file, captured)
        if len(data) < captured:
            break
        yield offset, seconds * 1_000_000_000 + fraction * scale, link, data, length
        offset += size + captured
    if header:
        yield Damage(offset, _CUT)
    return offset


class _Interface(NamedTuple):
    """Where packets of a section of pcapng were seen; a tick of its clock is multiplier / divisor nanoseconds."""

    link: int
    longest: int
    multiplier: int
    divisor: int
    epoch: int  # nanoseconds

    def time(self, ticks: int) -> int:
        """Return a time in UTC nanoseconds, 0 for one that can be none."""
        time = self.epoch + ticks * self.multiplier // self.divisor
        return time if 0 <= time < END_OF_TIME else 0


def _read_interface(order: str, body: bytes) -> _Interface:
    link, longest = struct.unpack_from(order + "HxxI", body)
    units, epoch, place = 1_000_000, 0, 8
    while place + 4 <= len(body):
        code, size = struct.unpack_from(order + "HH", body, place)
        if code == _RESOLUTION:
            power = body[place + 4]
            units = 1 << (power & 0x7F) if power & 0x80 else 10**power
        elif code == _OFFSET:
            (epoch,) = struct.unpack_from(order + "q", body, place + 4)
        elif code == _END:
            break
        place += 4 + size + -size % 4
    common = gcd(1_000_000_000, units)
    return _Interface(link, longest, 1_000_000_000 // common, units // common, epoch * 1_000_000_000)


def _read_pcapng(file: BufferedReader[RawIOBase]) -> Packets:
    interfaces: dict[int, _Interface] = {}  # by number; one that cannot be read has its number too
    order, offset, read = "<", 0, file.read
    count = 0  # of interfaces
    head = SECTION + read(8)
    while len(head) == 12:  # the shortest block
        if head[:4] == SECTION:
            if head[8:] not in _ORDERS:
                raise CaptureError(f"corrupt from byte {offset} on: a section without byte order")
            order, interfaces, count = _ORDERS[head[8:]], {}, 0
        if not any(head[4:]):  # no length
            yield _read_zeros(file, offset)
            return offset
        kind, length = _HEADS[order].unpack_from(head)
        if not 12 <= length <= _LONGEST or length % 4:
            raise CaptureError(f"corrupt from byte {offset} on: a block of {length} bytes")
        rest = head[8:] + (read(length - 12) if length <= _PIECE else _read(file, length - 12))
        if len(rest) < length - 8:
            break
        body, tail = rest[:-4], rest[-4:]
        if not any(tail):
            yield _read_zeros(file, offset)
            return offset
        if tail != head[4:8]:
            raise CaptureError(f"corrupt from byte {offset} on: a block whose two lengths differ")
        try:
            if layout := _PACKETS[order].get(kind):
                number, high, low, captured, wire = layout.unpack_from(body)
                if captured > len(body) - 20:
                    raise IndexError(captured)
                seen = interfaces[number]
                yield offset, seen.time(high << 32 | low), seen.link, body[20 : 20 + captured], wire
            elif kind == _SIMPLE_PACKET:
                (wire,) = struct.unpack_from(order + "I", body)
                captured = min(wire, interfaces[0].longest or wire)
                yield offset, 0, interfaces[0].link, body[4 : 4 + captured], wire
            elif kind == _INTERFACE:
                count += 1
                if count <= _MOST_INTERFACES:
                    interfaces[count - 1] = _read_interface(order, body)
        except (struct.error, LookupError):
            yield Damage(offset, "a block that does not hold what it should")
        offset += length
        head = read(12)
    if head:
        yield Damage(offset, _CUT)
    return offset
