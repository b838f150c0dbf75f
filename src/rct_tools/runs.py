"""Runs of bytes: what lies between two edges of a stream, and the frames that may be in it.

An edge is an unescaped start, or an escape that escapes nothing. No frame reaches over one. A run stands for its
*image*, the bytes without their escapes; the parser turns places in the one into places in the other.
"""

from __future__ import annotations

import re
from binascii import crc_hqx
from collections.abc import Mapping
from typing import Final, NamedTuple

from rct_tools.checksum import CRC_SEED, CRC_SIZE, checksums
from rct_tools.frame import ESCAPE, Command, Reason

LONGEST_FRAME: Final = 1 + 2 * (1 + 2 + 0xFFFF + CRC_SIZE)
"""The most bytes one frame can have: its start, and all that the length field can say, every byte escaped.

It bounds the memory of a parser: of a run without an edge, twice as many bytes are kept. No smaller limit is safe,
since any length may be a right one.
"""

_LONG: Final = 300  # bytes: of fewer, the checksum is quicker by itself than together with others
_RUN: Final = re.compile(rb"[^+-]*+(?:-[+-][^+-]*+)*+")
_ESCAPED: Final = re.compile(rb"-([+-])")


class Layout(NamedTuple):
    """Where a frame of one command has its parts."""

    command: Command
    head: int  # bytes of command and length
    ids: int  # bytes of object id and address: what the length cannot be less than


LAYOUTS: Final[Mapping[int, Layout]] = {
    int(command): Layout(command, 3 if command.is_long else 2, 8 if command.is_plant else 4) for command in Command
}


# A byte of an image; an edge. A start is too near to an edge when not even the shortest frame ends before it, which has
# eight bytes behind its start. Only what holds no choice is possessive: before Python 3.11.5, thus on Debian 12, other
# possessive groups match wrongly. Bytes and edges exclude each other, so greed is as good; but it remembers each round,
# so there is a bound, behind which the parser asks again.
_BYTE: Final = rb"(?:[^+-]|-[+-])"
_EDGE: Final = rb"(?:\+|-[^+-])"
_TOO_NEAR: Final = rb"%b{0,7}%b" % (_BYTE, _EDGE)
_NO_START: Final = rb"[^+-]*+(?:-(?:[^+]|\+(?=%b))[^+-]*+){0,1000}" % _TOO_NEAR
_NO_HEAD: Final[Mapping[str, bytes]] = {  # what may follow a start, as far as it shows that this heads no frame
    "starts": rb"\+*(?=\+)",
    "extension": rb"<\xe1",
    "command": rb"[^%b<+-]|<(?=[^\xe1])|--|-\+(?=%b)" % (bytes(LAYOUTS), _TOO_NEAR),
    "length": b"|".join(
        rb"%c%b[\0-%c]" % (command, bytes(head - 2), ids - 1) for command, head, ids in LAYOUTS.values()
    ),
    "truncated": rb"%b{1,7}(?=\+)" % _BYTE,
    "escape": rb"%b{0,7}(?=-[^+-])" % _BYTE,
}

NOISE: Final = re.compile(_NO_START)
"""Bytes that are in no frame for certain, whatever follows. It matches everywhere, if only no byte; more may follow."""

HOPELESS: Final = re.compile(
    rb"\+(?:%b)%b" % (b"|".join(b"(?P<%b>%b)" % (kind.encode(), why) for kind, why in _NO_HEAD.items()), _NO_START)
)
"""A start that heads no frame for certain, whatever follows, and the noise behind it.

A group ends where that shows; its name is the reason of the BadFrame, or the kind of noise.
"""


def run_end(data: bytes, at: int) -> int:
    """Return where the run that goes on at ``at`` ends: at an edge, or with the data or its last, dangling escape."""
    return _RUN.match(data, at).end()  # type: ignore[union-attr]  # the pattern matches no byte, too


def unescape(run: bytes) -> bytes:
    """Return the bytes that a run stands for."""
    # A run holds whole pairs only, so this order is right: every "-+" is one, and the "-" left in a row are even.
    return run.replace(b"-+", b"+").replace(b"--", b"-")


def unescape_marked(run: bytes) -> tuple[bytes, list[int]]:
    """Return the bytes that a run stands for, and the places in them that had an escape before them."""
    if ESCAPE not in run:
        return run, []
    return unescape(run), [match.start() - count for count, match in enumerate(_ESCAPED.finditer(run))]


def measure(image: bytes, start: int) -> int | Reason | None:
    """Return where the frame at ``start`` ends by its length, why it is none, or None while its head is not whole."""
    head = image[start + 1 : start + 4]
    if not head:
        return None
    layout = LAYOUTS.get(head[0])
    if layout is None:
        return Reason.COMMAND
    _, size, ids = layout
    if len(head) < size:
        return None
    length = head[1] if size == 2 else head[1] << 8 | head[2]
    if length < ids:
        return Reason.LENGTH
    return start + 1 + size + length + CRC_SIZE


def is_right(content: bytes) -> bool:
    """Return whether the bytes between a start and the end of its frame end with their checksum."""
    # Over an even number of bytes and their checksum the sum is zero; an odd number has its padding in between.
    padded = content[:-CRC_SIZE] + b"\0" + content[-CRC_SIZE:] if len(content) % 2 else content
    return not crc_hqx(padded, CRC_SEED)


def second_look(image: bytes, starts: list[int]) -> list[tuple[int, int | None]]:
    """Return those starts whose frame is right, with its end, and with None those whose frame is not whole."""
    found: dict[int, int | None] = {}
    long = []
    for start in starts:
        end = measure(image, start)
        if isinstance(end, Reason):
            continue
        if end is None or end > len(image):
            found[start] = None
        elif end - start > _LONG:
            long.append((start, end))
        elif is_right(image[start + 1 : end]):
            found[start] = end
    if long:
        sums = checksums(image, [(start + 1, end - CRC_SIZE) for start, end in long])
        for (start, end), value in zip(long, sums, strict=True):
            if value == int.from_bytes(image[end - CRC_SIZE : end]):
                found[start] = end
    return sorted(found.items())
