"""The checks of fuzz_parser.py, on what was found once and on some inputs by chance."""

from __future__ import annotations

import random
from itertools import islice

import pytest
from fuzz_parser import FRAMES, PIECES, check, inputs, read_slowly

INPUTS = {
    "nothing": b"",
    "the longest claims": b"+\x06\xff\xff" + b"-+\x06\xff\xff" * 40 + b"-\xa5\x04",
    "a chain of escapes": b"-" * 301 + b"\xa5\x00" + b"-" * 300 + b"\xa5\x01",
    "all frames, back to back": b"".join(b"\xa5" + bytes([number]) for number in range(len(FRAMES))),
}


@pytest.mark.parametrize("name", INPUTS)
def test_input(name: str) -> None:
    check(INPUTS[name])


@pytest.mark.parametrize("first", PIECES)
def test_pairs_of_pieces(first: bytes) -> None:
    for second in PIECES:
        check(first + second + b"\xa5\0")


def test_inputs_by_chance() -> None:
    for data in islice(inputs(random.Random(5)), 400):
        check(data)


def test_the_slow_reading_knows_all_frames() -> None:
    wire = b"\0".join(frame.encode() for frame in FRAMES)
    assert [frame for _, frame in read_slowly(wire)] == FRAMES
