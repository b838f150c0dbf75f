"""Bulk: for any bytes, however they are cut,

- columns hold exactly what FrameParser finds, and the counters are the same (``check`` of test_bulk.py);
- what is held back is bounded.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from damage import KINDS
from fuzz_mutations import mutate
from fuzz_parser import FRAMES, MARK, build
from fuzz_parser import inputs as parser_inputs
from test_bulk import check as check_columns


def check(data: bytes) -> None:
    """Assert what must hold for any input; it is written as those of the parser."""
    stream, _ = build(data)
    chance = Random(data)
    for sizes in ([len(stream) + 1], [len(stream) // 300 + 1], chance.choices(range(1, 40), k=9), [4096]):
        check_columns(stream, sizes)


def inputs(chance: Random) -> Iterator[bytes]:
    """Yield inputs without end: good runs, with bad input between them, and damage as it is on real lines."""
    bad = parser_inputs(chance)
    while True:
        if chance.random() < 0.3:
            stream = KINDS[chance.choice(list(KINDS))](chance, chance.randrange(1, 60)).stream
            yield mutate(chance, stream, [stream])
            continue
        parts = []
        for _ in range(chance.randrange(1, 5)):
            frames = chance.choices(range(len(FRAMES)), k=chance.choice((1, 3, 20, 70)))
            between = chance.choice((b"", b"", b"\0", b"\0", b"\0\0", b"+++", b"-"))
            parts += [b"".join(bytes((MARK, frame)) + between for frame in frames), next(bad)]
        data = b"".join(parts)
        yield mutate(chance, data, parts) if chance.random() < 0.5 else data
