"""The newer of the two files of packets that tcpdump, Wireshark and others share."""

from __future__ import annotations

import struct
from collections.abc import Callable
from io import RawIOBase
from typing import Final

from rct_tools.capture.chunk import END_OF_TIME, Chunk, write_all
from rct_tools.capture.ip import LINK_IPV4, LONGEST_PACKET
from rct_tools.capture.packets import SECTION, go_on, read_chunks
from rct_tools.capture.tcp import PacketBuilder
from rct_tools.errors import CaptureError

__all__ = ["read_chunks", "write_chunks"]


def _block(kind: int, body: bytes) -> bytes:
    """Return a block; its length stands before and behind it."""
    length = struct.pack("<I", 12 + len(body))
    return struct.pack("<I", kind) + length + body + length


_SECTION: Final = _block(  # version 1.0, of unknown length, written by (4)
    0x0A0D0D0A, struct.pack("<IHHqHH9s3xHH", 0x1A2B3C4D, 1, 0, -1, 4, 9, b"rct-tools", 0, 0)
)
_INTERFACE: Final = _block(1, struct.pack("<HHIHHB3xHH", LINK_IPV4, 0, 0, 9, 1, 9, 0, 0))  # times (9) in 10^-9 s
_PACKET: Final = 6
_LONGEST_BLOCK: Final = 32 + LONGEST_PACKET + 1
_HEAD: Final = struct.Struct("<II12xII")  # of the block of a packet: type, length, captured and original length


def write_chunks(file: RawIOBase) -> Callable[[Chunk], None]:
    """Return what appends a chunk as TCP packets, made as PacketBuilder says.

    A file that holds something is continued behind its last whole block, with a new section. Raises CaptureError when
    it holds something else, or for a time that is not between 1970 and 2262, and OSError.
    """
    end = go_on(file, lambda head: head[:4] == SECTION, _is_cut)
    write_all(file, _SECTION + _INTERFACE)
    packets = PacketBuilder(end)

    def write_chunk(chunk: Chunk) -> None:
        if not 0 <= chunk.time < END_OF_TIME:
            raise CaptureError(f"pcapng cannot hold the time {chunk.time} ns")
        write_all(file, b"".join(_packet_block(chunk.time, packet) for packet in packets.build(chunk)))

    return write_chunk


def _packet_block(time: int, packet: bytes) -> bytes:
    size = len(packet)
    head = struct.pack("<IIIII", 0, time >> 32, time & 0xFFFFFFFF, size, size)
    return _block(_PACKET, head + packet + bytes(-size % 4))


def _is_cut(tail: bytes) -> bool:
    """Tell whether this may be the beginning of a block as it is written here."""
    if any(block.startswith(tail) for block in (_SECTION, _INTERFACE)):
        return True
    kind, length, captured, wire = _HEAD.unpack(tail[: _HEAD.size].ljust(_HEAD.size, b"\0"))
    if len(tail) < _HEAD.size:
        return bool(kind == _PACKET and length <= _LONGEST_BLOCK)
    return bool(kind == _PACKET and captured == wire <= LONGEST_PACKET and length == 32 + wire + -wire % 4)
