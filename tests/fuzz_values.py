"""Values: for any payload of any type,

- ``decode_value`` raises nothing but DecodeError;
- what it gives, ``encode_value`` encodes; that decodes to the same value again, and encodes to the same bytes again;
- what it gives can be shown, on one line that steers no terminal, and written as JSON, which knows no NaN.

For any value, ``encode_value`` raises nothing but EncodeError, and what it encodes can be decoded.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from random import Random
from typing import Any, Final

from fuzz_mutations import BIASED, EXTREMES

from rct_tools.display import show_value
from rct_tools.errors import DecodeError, EncodeError
from rct_tools.objects import ObjectInfo, registry
from rct_tools.plain import plain
from rct_tools.values import (
    Cell,
    CellExtreme,
    CellStatistics,
    DataType,
    Event,
    EventTable,
    LoggedEvent,
    Sample,
    TimeSeries,
    decode_value,
    encode_value,
)

TYPES: Final = list(DataType)
OBJECTS: Final[dict[DataType, list[ObjectInfo]]] = {  # one of each unit
    kind: list({info.unit: info for info in registry if info.data_type is kind}.values()) for kind in TYPES
}


def check(data: bytes) -> None:
    """Assert what must hold for any input: the number of a type, and a payload."""
    check_payload(TYPES[int.from_bytes(data[:1]) % len(TYPES)], data[1:])
    check_value(TYPES[int.from_bytes(data[:1]) % len(TYPES)], any_value(Random(data)))


def check_payload(data_type: DataType, payload: bytes) -> None:
    try:
        value = decode_value(data_type, payload)
    except DecodeError as exc:
        assert str(exc).isprintable()  # noqa: PT017  # any other is a finding
        return
    encoded = encode_value(data_type, value)
    again = decode_value(data_type, encoded)
    assert repr(again) == repr(value)  # NaN is NaN, and -0.0 is not 0.0
    assert encode_value(data_type, again) == encoded
    json.dumps(plain(value), allow_nan=False)
    for info in OBJECTS[data_type]:
        shown = show_value(info, value)
        assert shown.isprintable(), shown


def check_value(data_type: DataType, value: Any) -> None:
    with suppress(EncodeError):
        decode_value(data_type, encode_value(data_type, value))


# --- inputs ---------------------------------------------------------------------------------------------------------

_NUMBERS: Final = (*EXTREMES, -1, -129, 1 << 32, 10**400, 10**5000, 0.5, 3.4e38, 3.5e38, 1e400, float("nan"), True)
_LEAVES: Final = (*_NUMBERS, None, "", "a\0b", "\ud800", "Düs", b"", b"\x2b\x2d", bytearray(4), object())
_MAKERS: Final[Sequence[Callable[..., Any]]] = (
    *(Sample, TimeSeries, Event, EventTable, Cell, CellExtreme, CellStatistics, LoggedEvent),
    lambda a, b, c, d: LoggedEvent("a", a, b, bool(c), "b", DataType.FLOAT, "V", Event(a, b, (c, d, d))),
    *(lambda a, b: (a, b), lambda a: (a,), lambda a, b, c: (a, b, c), lambda a: (a,) * 24, lambda a: [a]),
)
_PARTS: Final = (2, 2, 3, 2, 3, 3, 4, 8, 4, 2, 1, 3, 1, 1)  # how many each takes
_SIZES: Final = (0, 1, 2, 4, 12, 20, 24, 28, 37, 44, 48, 96, 96, 96)


def any_value(chance: Random, depth: int = 3) -> Any:
    """Return anything that a careless caller may take for a value."""
    if depth == 0 or chance.random() < 0.3:
        return chance.choice(_LEAVES)
    maker, count = chance.choice(list(zip(_MAKERS, _PARTS, strict=True)))
    return maker(*(any_value(chance, depth - 1) for _ in range(count)))


def inputs(chance: Random) -> Iterator[bytes]:
    """Yield inputs without end."""
    while True:
        size = max(0, chance.choice(_SIZES) + chance.choice((0, 0, 0, 0, 1, -1)))
        pool = chance.choice((BIASED, bytes(range(256)), b"\x7f\x80\xff\0", b"A\xc3\xbc\x1b\r\n\xe2\x80\xae"))
        yield bytes((chance.randrange(len(TYPES)), *chance.choices(pool, k=size)))
