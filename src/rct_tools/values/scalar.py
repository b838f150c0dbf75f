"""Payloads that are one number, or true or false."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Final

from rct_tools.values.datatype import Codec, DataType


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, float) or _is_integer(value)


def _is_bool(value: object) -> bool:
    return isinstance(value, bool)


def _codec(layout: str, accepts: Callable[[object], bool]) -> Codec:
    packer = struct.Struct(layout)

    def decode(payload: bytes) -> bool | int | float:
        (value,) = packer.unpack(payload)
        return value  # type: ignore[no-any-return]  # struct knows only Any

    size = f"{packer.size} byte{'s' if packer.size > 1 else ''}"
    return Codec(size, decode, packer.pack, accepts)


SCALARS: Final[Mapping[DataType, Codec]] = {
    DataType.BOOL: _codec(">?", _is_bool),
    DataType.UINT8: _codec(">B", _is_integer),
    DataType.INT8: _codec(">b", _is_integer),
    DataType.UINT16: _codec(">H", _is_integer),
    DataType.INT16: _codec(">h", _is_integer),
    DataType.UINT32: _codec(">I", _is_integer),
    DataType.INT32: _codec(">i", _is_integer),
    DataType.ENUM: _codec(">B", _is_integer),
    DataType.FLOAT: _codec(">f", _is_number),
}
