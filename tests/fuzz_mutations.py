"""Changes by chance, for inputs that were good."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Final

BIASED: Final = bytes.fromhex("2b2d0005 0645ff2b 2d0a2030")
EXTREMES: Final = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 1 << 16, 1 << 24, (1 << 24) + 1, 0x7FFFFFFF, 1 << 31, 0xFFFFFFFF)


def _flip(chance: Random, old: bytes, _others: Sequence[bytes]) -> bytes:
    return bytes(byte ^ 1 << chance.randrange(8) for byte in old)


def _replace(chance: Random, old: bytes, _others: Sequence[bytes]) -> bytes:
    return bytes(chance.choices(BIASED, k=len(old)))


def _insert(chance: Random, old: bytes, _others: Sequence[bytes]) -> bytes:
    return bytes(chance.choices(BIASED, k=chance.randrange(1, 20))) + old


def _cut(_chance: Random, _old: bytes, _others: Sequence[bytes]) -> bytes:
    return b""


def _splice(chance: Random, _old: bytes, others: Sequence[bytes]) -> bytes:
    other = chance.choice(others)
    begin = chance.randrange(len(other) + 1)
    return other[begin : chance.randrange(begin, len(other) + 1)]


def _number(chance: Random, old: bytes, _others: Sequence[bytes]) -> bytes:
    """Return an extreme number, or one that is nearly what it was, in the same bytes."""
    order = chance.choice(("little", "big"))
    number = chance.choice((*EXTREMES, int.from_bytes(old, order)))  # type: ignore[arg-type]  # these are its orders
    changed = (number + chance.choice((0, 0, -1, 1, 4, -4))) % (1 << 8 * len(old))
    return changed.to_bytes(len(old), order)  # type: ignore[arg-type]


_CHANGES: Final[Sequence[tuple[Callable[[Random, bytes, Sequence[bytes]], bytes], Sequence[int]]]] = [
    (_flip, (1, 1, 1, 8)),  # and how many bytes each takes
    (_replace, (1, 2, 4, 16)),
    (_insert, (0,)),
    (_cut, (1, 4, 16, 60, 1 << 30)),
    (_splice, (0, 4, 40)),
    (_number, (1, 2, 4, 4, 8)),
]


def mutate(chance: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Return bytes with a few changes: flips, cuts, insertions, pieces of others, extreme numbers."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 5))):
        change, sizes = chance.choice(_CHANGES)
        at = chance.randrange(len(changed) + 1)
        part = slice(at, at + chance.choice(sizes))
        changed[part] = change(chance, bytes(changed[part]), others)
    return bytes(changed)
