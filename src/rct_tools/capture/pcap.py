"""The older of the two files of packets that tcpdump, Wireshark and others share."""

from __future__ import annotations

import struct
from collections.abc import Callable
from io import RawIOBase
from typing import Final

from rct_tools.capture.chunk import Chunk, write_all
from rct_tools.capture.ip import LINK_IPV4, LONGEST_PACKET
from rct_tools.capture.packets import go_on, read_chunks
from rct_tools.capture.tcp import PacketBuilder
from rct_tools.errors import CaptureError

__all__ = ["read_chunks", "write_chunks"]

_HEADER: Final = struct.pack("<IHHIIII", 0xA1B23C4D, 2, 4, 0, 0, 0x40000, LINK_IPV4)  # nanoseconds, version 2.4
_RECORD: Final = struct.Struct("<IIII")


def write_chunks(file: RawIOBase) -> Callable[[Chunk], None]:
    """Return what appends a chunk as TCP packets, made as PacketBuilder says.

    A file that holds something is continued behind its last whole packet. Raises CaptureError when its header is not
    the one written here, or for a time that is not between 1970 and 2106, and OSError.
    """
    end = go_on(file, lambda head: (head[:4], head[20:]) == (_HEADER[:4], _HEADER[20:]), _is_cut)
    if not end:
        write_all(file, _HEADER)
    packets = PacketBuilder(end)

    def write_chunk(chunk: Chunk) -> None:
        time = divmod(chunk.time, 1_000_000_000)
        try:
            records = [_RECORD.pack(*time, len(packet), len(packet)) + packet for packet in packets.build(chunk)]
        except struct.error:
            raise CaptureError(f"pcap cannot hold the time {chunk.time} ns, pcapng can") from None
        write_all(file, b"".join(records))

    return write_chunk


def _is_cut(tail: bytes) -> bool:
    """Tell whether this may be the beginning of a record, or of the header, as they are written here."""
    if len(tail) < _RECORD.size:
        return True
    _, _, captured, length = _RECORD.unpack_from(tail)
    return bool(captured == length <= LONGEST_PACKET)
