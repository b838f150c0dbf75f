"""Runs of bytes: what lies between two edges of a stream, and the frames that may be in it.

An edge is an unescaped start, or an escape that escapes nothing. No frame reaches over one. A run stands for its
*image*, the bytes without their escapes; the parser turns places in the one into places in the other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from rct_tools.checksum import CRC_SIZE, checksum, checksums
from rct_tools.frame import Command, Reason

LONGEST_FRAME: Final = 1 + 2 * (1 + 2 + 0xFFFF + CRC_SIZE)
"""The most bytes one frame can have: its start, and all that the length field can say, every byte escaped.

It bounds the memory of a parser: of a run without an edge, twice as many bytes are kept. No smaller limit is safe,
since any length may be a right one.
"""

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


def run_end(data: bytes, at: int) -> int:
    """Return where the run that goes on at ``at`` ends: at an edge, or with the data or its last, dangling escape."""
    return _RUN.match(data, at).end()  # type: ignore[union-attr]  # the pattern matches no byte, too


def unescape(run: bytes) -> bytes:
    """Return the bytes that a run stands for."""
    # A run holds whole pairs only, so this order is right: every "-+" is one, and the "-" left in a row are even.
    return run.replace(b"-+", b"+").replace(b"--", b"-")


def unescape_marked(run: bytes) -> tuple[bytes, list[int]]:
    """Return the bytes that a run stands for, and the places in them that had an escape before them."""
    if b"-" not in run:
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
    if len(head) < layout.head:
        return None
    length = int.from_bytes(head[1 : layout.head], "big")
    if length < layout.ids:
        return Reason.LENGTH
    return start + 1 + layout.head + length + CRC_SIZE


def is_right(content: bytes) -> bool:
    """Return whether the bytes between a start and the end of its frame end with their checksum."""
    return checksum(content[:-CRC_SIZE]) == int.from_bytes(content[-CRC_SIZE:], "big")


def second_look(image: bytes, starts: list[int]) -> list[tuple[int, int | None]]:
    """Return those starts whose frame is right, with its end, and with None those whose frame is not whole."""
    spans = [(start, measure(image, start)) for start in starts]
    whole = [(start, end) for start, end in spans if isinstance(end, int) and end <= len(image)]
    sums = checksums(image, [(start + 1, end - CRC_SIZE) for start, end in whole])
    right = {
        start: end
        for (start, end), found in zip(whole, sums, strict=True)
        if found == int.from_bytes(image[end - CRC_SIZE : end], "big")
    }
    return [
        (start, right.get(start))
        for start, end in spans
        if start in right or end is None or (isinstance(end, int) and end > len(image))
    ]
