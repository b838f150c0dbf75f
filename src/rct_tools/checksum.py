"""The checksum of frames: CRC-16/CCITT, polynomial 1021, start value ffff.

An odd number of bytes is padded with 00. Source: docs/protocol.md.
"""

from __future__ import annotations

from binascii import crc_hqx
from functools import cache
from typing import Final

CRC_SEED: Final = 0xFFFF
CRC_SIZE: Final = 2
_LONGEST: Final = 0xFFFF + 3  # bytes under a checksum: command, two bytes of length, and all they can say


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
    powers = _powers() if spans else []
    sums = []
    for begin, end in spans:
        value = register[end] ^ _multiply(register[begin] ^ CRC_SEED, powers[end - begin])
        sums.append(crc_hqx(b"\0", value) if (end - begin) % 2 else value)
    return sums


@cache
def _powers() -> list[int]:
    """Return what a register that held 1 holds after 0, 1, 2, … zero bytes, up to the longest frame."""
    powers = [1]
    for _ in range(_LONGEST):
        powers.append(crc_hqx(b"\0", powers[-1]))
    return powers


def _multiply(a: int, b: int) -> int:
    """Return the product of two registers as polynomials modulo that of the checksum, x^16 + x^12 + x^5 + 1."""
    product = 0
    while b:
        if b & 1:
            product ^= a
        a = a << 1 ^ (0x11021 if a & 0x8000 else 0)
        b >>= 1
    return product
