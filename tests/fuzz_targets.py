"""What is fuzzed: a row for each target. What must hold is said at the top of its module."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from random import Random
from typing import Final, NamedTuple

import fuzz_bulk
import fuzz_captures
import fuzz_parser
import fuzz_proxy
import fuzz_redaction
import fuzz_values

from rct_tools.capture import FORMATS
from rct_tools.capture.compression import COMPRESSIONS


class Target(NamedTuple):
    """One thing that reads."""

    check: Callable[[bytes], None]
    """Raises AssertionError, or whatever came out, when something does not hold for an input."""
    inputs: Callable[[Random], Iterator[bytes]]
    """Yields inputs without end."""


TARGETS: Final[Mapping[str, Target]] = {
    "parser": Target(fuzz_parser.check, fuzz_parser.inputs),
    "bulk": Target(fuzz_bulk.check, fuzz_bulk.inputs),
    "values": Target(fuzz_values.check, fuzz_values.inputs),
    **{
        f"{suffix}{packing}"[1:]: Target(
            partial(fuzz_captures.check, suffix, packing), partial(fuzz_captures.inputs, suffix, packing)
        )
        for suffix in FORMATS
        for packing in ("", *COMPRESSIONS)
    },
    "redaction": Target(fuzz_redaction.check, fuzz_redaction.inputs),
    "proxy": Target(fuzz_proxy.check, fuzz_proxy.inputs),
}
