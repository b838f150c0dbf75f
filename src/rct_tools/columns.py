"""Frames and bad frames in columns: NumPy arrays of one length, for whole captures. Needs the extra [analysis]."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Final, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from rct_tools.frame import Frame, Reason
from rct_tools.objects import registry
from rct_tools.runs import LAYOUTS, unescape
from rct_tools.values import DataType, decode_value

Array: TypeAlias = npt.NDArray[Any]

REASONS: Final = tuple(Reason)
SCALARS: Final[Mapping[DataType, np.dtype[Any]]] = {  # how payloads of these types are laid out
    DataType.BOOL: np.dtype("u1"),
    DataType.UINT8: np.dtype("u1"),
    DataType.INT8: np.dtype("i1"),
    DataType.UINT16: np.dtype(">u2"),
    DataType.INT16: np.dtype(">i2"),
    DataType.UINT32: np.dtype(">u4"),
    DataType.INT32: np.dtype(">i4"),
    DataType.ENUM: np.dtype("u1"),
    DataType.FLOAT: np.dtype(">f4"),
}

Row: TypeAlias = tuple[Any, ...]


class _Table:
    """Rows in columns."""

    TYPES: ClassVar[tuple[str, ...]]  # of the columns, as NumPy calls them
    __slots__ = ()

    @classmethod
    def from_rows(cls, rows: Iterable[Row]) -> Self:
        """Return the columns of some rows."""
        columns = list(zip(*rows, strict=True)) or [()] * len(cls.TYPES)
        return cls(*(np.array(column, dtype) for column, dtype in zip(columns, cls.TYPES, strict=True)))

    @classmethod
    def empty(cls) -> Self:
        """Return no rows."""
        return cls.from_rows([])

    @property
    def columns(self) -> list[Array]:
        """All columns, in the order of their fields."""
        return [getattr(self, field.name) for field in fields(self)]  # type: ignore[arg-type]  # all are dataclasses

    def __len__(self) -> int:
        return len(self.columns[0])

    def take(self, rows: Array) -> Self:
        """Return some of the rows, by their numbers."""
        return type(self)(*(column.take(rows) for column in self.columns))

    def join(self, *others: Self) -> Self:
        """Return these rows, then those of others."""
        parts = [part.columns for part in (self, *others) if len(part)]
        return type(self)(*map(np.concatenate, zip(*parts, strict=True))) if parts else self


@dataclass(frozen=True, slots=True)
class FrameColumns(_Table):
    """Frames, a row each, in the order of their stream."""

    TYPES = ("i8", "i8", "u1", "u4", "u4", "i8", "i8", "f8", "?")

    offset: Array  # where in its stream the frame began
    size: Array  # bytes on the wire, start and escapes included
    command: Array  # a Command
    address: Array  # of plant frames, else 0
    object_id: Array
    payload_offset: Array  # where in its stream the payload began
    payload_size: Array  # bytes, without escapes
    value: Array  # exact for all types: what a response tells of a scalar object; NaN where it tells nothing
    has_value: Array


@dataclass(frozen=True, slots=True)
class Origins(_Table):
    """When and where frames or bad frames were, a row each: those of a table beside it."""

    TYPES = ("i8", "?", "i8")

    time: Array  # UTC, nanoseconds: when the last byte came; 0 where no time is known
    is_sent: Array  # whether it was sent by us, and not received
    connection: Array


@dataclass(frozen=True, slots=True)
class BadColumns(_Table):
    """Bad frames, a row each, in the order of their stream."""

    TYPES = ("i8", "i8", "u1")

    offset: Array
    size: Array  # bytes
    reason: Array  # which of REASONS


def as_row(frame: Frame, offset: int) -> Row:
    """Return a frame as a row of FrameColumns."""
    wire = frame.encode()
    layout = LAYOUTS[frame.command]
    payload = 1 + layout.head + layout.ids
    payload += sum(byte in b"+-" for byte in unescape(wire[1:])[: payload - 1])  # each has an escape before it
    info = registry.describe(frame.object_id)
    dtype = SCALARS.get(info.data_type)
    has_value = frame.command.is_response and dtype is not None and len(frame.payload) == dtype.itemsize
    value = decode_value(info.data_type, frame.payload) if has_value else np.nan
    return (
        offset, len(wire), frame.command, frame.address, frame.object_id, offset + payload, len(frame.payload), value,
        has_value,
    )  # fmt: skip
