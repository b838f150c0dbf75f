"""Good runs: those that hold one right frame, and perhaps the 00 before the next, and nothing else. All at once.

Nearly all of a good stream is made of them. Needs the extra [analysis].
"""

from __future__ import annotations

from binascii import crc_hqx
from functools import cache
from typing import Final, NamedTuple

import numpy as np

from rct_tools.checksum import CRC_SEED, CRC_SIZE
from rct_tools.columns import SCALARS, Array, FrameColumns
from rct_tools.frame import ESCAPE, START, Command
from rct_tools.objects import registry
from rct_tools.runs import LAYOUTS
from rct_tools.values import DataType

PADDING: Final = bytes(16)
"""Stands behind every image: what a head that is cut off claims is read from there."""

IS_RESPONSE: Final = np.array([code in LAYOUTS and Command(code).is_response for code in range(256)])
"""Whether a command tells a value, by its number."""

_MANY: Final = 16  # frames of one size from which on it pays to check them together


def find_edges(image: Array) -> tuple[Array, Array, Array]:
    """Return the places of all unescaped starts, of the escapes before a start or an escape, and of other escapes."""
    starts = np.flatnonzero(image == START)
    dashes = np.flatnonzero(image == ESCAPE)
    if not len(dashes):
        return starts, dashes, dashes
    # In a row of them, the first escapes the second, the third the fourth, and so on.
    numbers = np.arange(len(dashes))
    heads = np.ones(len(dashes), np.bool_)
    heads[1:] = dashes[1:] != dashes[:-1] + 1
    escapes = dashes[(numbers - np.maximum.accumulate(np.where(heads, numbers, 0))) % 2 == 0]
    following = image[escapes + 1]
    at_start = following == START
    is_edge = np.ones(len(starts), np.bool_)
    is_edge[np.searchsorted(starts, escapes[at_start] + 1)] = False
    right = at_start | (following == ESCAPE)
    return starts[is_edge], escapes[right], escapes[~right]


def find_good_runs(image: Array, starts: Array, escapes: Array, strays: Array) -> tuple[Array, FrameColumns, int]:
    """Return which of the runs between two starts are good, their frames, and how many bytes are behind these."""
    begin, end = starts[:-1], starts[1:]
    good = np.zeros(len(begin), np.bool_)
    if not len(escapes) and not len(strays):
        found = _check(image, begin, end)
        good[found.rows] = True
        return good, _plain_frames(found, begin, end), int(found.gap.sum())
    run = np.searchsorted(starts, escapes, "right") - 1
    inside = (run >= 0) & (run < len(begin))
    escapes, run = escapes[inside], run[inside]
    escaped = np.zeros(len(begin), np.bool_)
    escaped[run] = True
    broken = np.searchsorted(starts, strays, "right") - 1
    broken = broken[(broken >= 0) & (broken < len(begin))]
    plain = ~escaped
    plain[broken] = escaped[broken] = False
    rows = np.flatnonzero(plain)
    found = _check(image, begin[rows], end[rows])
    good[rows[found.rows]] = True
    frames, zeros = _plain_frames(found, begin[rows], end[rows]), int(found.gap.sum())
    rows = np.flatnonzero(escaped)
    if len(rows):
        number = np.cumsum(escaped) - 1  # of each escaped run among them
        kept = escaped[run]
        more, found = _escaped_frames(image, begin[rows], end[rows], escapes[kept], number[run[kept]])
        good[rows[found.rows]] = True
        zeros += int(found.gap.sum())
        frames = frames.join(more)
        frames = frames.take(np.argsort(frames.offset, kind="stable"))
    return good, frames, zeros


class _Checked(NamedTuple):
    """The right frames among some runs; places are those in the image that was checked."""

    rows: Array  # which of the runs
    command: Array
    address: Array
    object_id: Array
    body: Array  # bytes before the payload
    payload_size: Array
    value: Array
    has_value: Array
    gap: Array  # bytes behind the frame: a 00, or none


def _plain_frames(found: _Checked, begin: Array, end: Array) -> FrameColumns:
    offset = begin[found.rows]
    size = end[found.rows] - found.gap - offset
    return FrameColumns(
        offset, size, found.command, found.address, found.object_id, offset + found.body, found.payload_size,
        found.value, found.has_value,
    )  # fmt: skip


def _escaped_frames(
    image: Array, begin: Array, end: Array, escapes: Array, run: Array
) -> tuple[FrameColumns, _Checked]:
    """Check runs that hold escapes; ``run`` says which of them each escape is in."""
    length = end - begin
    total = int(length.sum())
    places = np.arange(total) + np.repeat(begin - (np.cumsum(length) - length), length)
    is_escape = np.zeros(len(image), np.bool_)
    is_escape[escapes] = True
    content = image[places][~is_escape[places]]
    count = np.bincount(run, minlength=len(begin))
    image_end = np.cumsum(length - count)
    image_begin = image_end - (length - count)
    padded = np.concatenate([content, np.frombuffer(PADDING, np.uint8)])
    found = _check(padded, image_begin, image_end)
    frames = _plain_frames(found, begin, end)
    # The payload is so much farther behind the start as there are escapes before it.
    first = np.searchsorted(run, np.arange(len(begin)))
    place = escapes - begin[run] - (np.arange(len(escapes)) - first[run])  # in the image of its run
    body = np.zeros(len(begin), np.int64)
    body[found.rows] = found.body
    ahead = np.bincount(run[place < body[run]], minlength=len(begin))
    frames.payload_offset[:] += ahead[found.rows]
    return frames, found


def _check(image: Array, begin: Array, end: Array) -> _Checked:
    """Return the right frames of runs that hold nothing but one, and perhaps a 00 behind it."""
    head_sizes, id_sizes = _layout_tables()
    words = _words(image)
    command = image.take(begin + 1)
    head = head_sizes.take(command)
    ids = id_sizes.take(command)
    length = image.take(begin + 2).astype(np.int64)
    two = np.flatnonzero(head == 3)
    length[two] = length[two] << 8 | image[begin[two] + 3]
    gap = end - begin - (1 + CRC_SIZE) - head - length
    hopeful = (ids > 0) & (length >= ids) & ((gap == 0) | ((gap == 1) & (image.take(end - 1) == 0)))
    right = hopeful & _are_right(image, words, begin + 1, np.where(hopeful, head + length, 0))
    rows = np.flatnonzero(right)
    if len(rows) < len(right):
        begin, command, head, ids, length, gap = (c.take(rows) for c in (begin, command, head, ids, length, gap))
    body = 1 + head + ids
    payload = begin + body
    address = np.zeros(len(rows), np.uint32)
    plant = np.flatnonzero(ids == 8)
    address[plant] = _big_endian(words, payload[plant] - 8)
    object_id = _big_endian(words, payload - 4)
    payload_size = length - ids
    value, has_value = _values(image, words, command, object_id, payload, payload_size)
    return _Checked(rows, command, address, object_id, body, payload_size, value, has_value, gap)


def _are_right(image: Array, words: Array, place: Array, size: Array) -> Array:
    """Return whether so many bytes at these places are followed by their checksum."""
    right = np.zeros(len(place), np.bool_)
    table = _checksum_table()
    order = np.argsort(size.astype(np.uint16), kind="stable")  # a radix sort; equal ones may be apart in the end
    by_size = size[order]
    ends = [*(np.flatnonzero(by_size[1:] != by_size[:-1]) + 1).tolist(), len(order)] if len(order) else []
    begin = 0
    for end in ends:
        rows, covered = order[begin:end], int(by_size[begin])
        begin = end
        at = place[rows]
        if len(rows) < _MANY:
            for row, start in zip(rows.tolist(), at.tolist(), strict=True):
                content = image[start : start + covered + CRC_SIZE].tobytes()
                padded = content[:covered] + bytes(covered % 2)
                right[row] = crc_hqx(padded, CRC_SEED) == int.from_bytes(content[covered:])
            continue
        register = np.full(len(rows), CRC_SEED, np.uint16)
        for step in range(0, covered - 1, 2):
            register = table.take(register ^ words.take(at + step))
        if covered % 2:
            register = table.take(register ^ image.take(at + covered - 1))
        right[rows] = register == words.take(at + covered)
    return right


def _values(
    image: Array, words: Array, command: Array, object_id: Array, payload: Array, payload_size: Array
) -> tuple[Array, Array]:
    """Return the values of scalar objects that responses tell, and where there is one."""
    value = np.full(len(command), np.nan)
    has_value = np.zeros(len(command), np.bool_)
    kind = _kinds(object_id)
    kind[~IS_RESPONSE.take(command)] = 0
    present = np.bincount(kind, minlength=len(SCALARS) + 1).tolist()
    for number, (data_type, dtype) in enumerate(SCALARS.items(), start=1):
        if not present[number]:
            continue
        rows = np.flatnonzero((kind == number) & (payload_size == dtype.itemsize))
        at = payload.take(rows)
        match dtype.itemsize:
            case 1:
                raw = image.take(at)
            case 2:
                raw = words.take(at).byteswap()
            case _:
                raw = _big_endian(words, at)
        numbers = raw.view(dtype.newbyteorder("="))
        with np.errstate(invalid="ignore"):  # a NaN may be a signalling one
            value[rows] = numbers != 0 if data_type is DataType.BOOL else numbers
        has_value[rows] = True
    return value, has_value


def _words(image: Array) -> Array:
    """Return for each place its byte, and the next one times 256: that is, in the order of bytes of most machines."""
    words: Array = image[:-1] | image[1:].astype(np.uint16) << 8
    return words


def _big_endian(words: Array, place: Array) -> Array:
    """Return the four bytes at each place as a number."""
    upper: Array = words.take(place).byteswap().astype(np.uint32) << 16
    return upper | words.take(place + 2).byteswap()


# --- tables ---------------------------------------------------------------------------------------------------------


@cache
def _layout_tables() -> tuple[Array, Array]:
    """Return the bytes of command and length, and of address and id, by command; 0 for what is no command."""
    head, ids = np.zeros(256, np.int64), np.zeros(256, np.int64)
    for code, layout in LAYOUTS.items():
        head[code], ids[code] = layout.head, layout.ids
    return head, ids


@cache
def _checksum_table() -> Array:
    """Return what two more bytes make of a register, both with their bytes swapped, as _words has them."""
    by_byte = np.array([crc_hqx(bytes([byte]), 0) for byte in range(256)], np.uint16)
    swapped = np.arange(65536, dtype=np.uint16)
    once = by_byte[swapped & 0xFF]  # of the first byte, which _words has in the lower half
    both: Array = once << 8 ^ by_byte[(once >> 8) ^ (swapped >> 8)]
    return both.byteswap()


def _kinds(object_id: Array) -> Array:
    """Return for each object which of SCALARS its type is, counted from 1; 0 for none."""
    factor, slots, ids, kinds = _object_table()
    index = slots.take(object_id * factor >> 15)
    kind = kinds.take(index)
    kind[ids.take(index) != object_id] = 0
    return kind


@cache
def _object_table() -> tuple[np.uint32, Array, Array, Array]:
    """Return a hash of object ids in which each has a slot of its own: factor, slots, and by them ids and kinds."""
    numbers = {data_type: number for number, data_type in enumerate(SCALARS, start=1)}
    ids = np.array([info.object_id for info in registry], np.uint32)
    kinds = np.array([numbers.get(info.data_type, 0) for info in registry], np.uint8)
    chance = np.random.default_rng(1)
    while True:  # about one factor in twenty will do
        factor = np.uint32(chance.integers(1, 1 << 32) | 1)
        slot = ids * factor >> 15
        if len(np.unique(slot)) == len(ids):
            break
    slots = np.zeros(1 << 17, np.uint16)
    slots[slot] = np.arange(len(ids))
    return factor, slots, ids, kinds
