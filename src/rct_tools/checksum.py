"""The checksum of frames: CRC-16/CCITT, polynomial 1021, start value ffff.

An odd number of bytes is padded with 00. Source: docs/protocol.md.
"""

from __future__ import annotations

from array import array
from binascii import crc_hqx
from functools import cache
from typing import Final

CRC_SEED: Final = 0xFFFF
CRC_SIZE: Final = 2


def checksum(image: bytes) -> int:
    """Return the checksum of the unescaped bytes from command to payload."""
    return crc_hqx(image + b"\0" if len(image) % 2 else image, CRC_SEED)


def checksums(image: bytes, spans: list[tuple[int, int]]) -> list[int]:
    """Return the checksum of each span, in one pass over the image however much they overlap.

    A CRC is linear: what a register held before some bytes adds to it after them what it would become over as many
    zero bytes. So the register over the whole image, taken at both ends of a span, gives the checksum of the span.
    """
    register: dict[int, int] = {}
    value = at = 0
    for place in sorted({place for span in spans for place in span}):
        value = crc_hqx(image[at:place], value)
        register[place] = value
        at = place
    walks, steps = _walks()
    sums = []
    for begin, end in spans:
        before = register[begin] ^ CRC_SEED
        walk = walks[before]
        value = register[end] ^ walk[(steps[before] + end - begin) % len(walk)]
        sums.append(crc_hqx(b"\0", value) if (end - begin) % 2 else value)
    return sums


@cache
def _walks() -> tuple[list[array[int]], array[int]]:
    """Return for each register the walk that zero bytes take it on, and how many steps into that walk it stands.

    Each zero byte turns a register into another, and no two into the same: so all walks lead back to where they began.
    """
    walks = [array("H")] * 0x10000
    steps = array("H", bytes(2 * len(walks)))
    for first in range(len(walks)):
        walk = array("H")
        value = first
        while not walks[value]:
            walks[value] = walk
            steps[value] = len(walk)
            walk.append(value)
            value = crc_hqx(b"\0", value)
    return walks, steps
