"""Cells of a battery module."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final, NamedTuple

from rct_tools.values.datatype import Codec, is_a

CELLS_PER_MODULE: Final = 24

_CELL = struct.Struct("<BHB")  # the battery's own processor is little endian
_EXTREME = struct.Struct("<IIf")
_RESISTANCE = struct.Struct(">Hxx")
_RESISTANCE_STEPS = 256  # per milliohm


class Cell(NamedTuple):
    """One cell of a battery module."""

    temperature: int  # °C
    voltage: float  # V, in steps of 1 mV
    status: int


class CellExtreme(NamedTuple):
    """An extreme that one cell of a module has seen."""

    cell: int
    time: int  # as Sample.time
    value: float  # V or °C


@dataclass(frozen=True, slots=True)
class CellStatistics:
    """The extremes that the cells of a battery module have seen."""

    u_min: CellExtreme
    u_max: CellExtreme
    t_min: CellExtreme
    t_max: CellExtreme


def _decode_cells(payload: bytes) -> tuple[Cell, ...]:
    _check_size(payload, CELLS_PER_MODULE * _CELL.size)
    return tuple(Cell(t, millivolt / 1000, status) for t, millivolt, status in _CELL.iter_unpack(payload))


def _encode_cells(cells: tuple[Cell, ...]) -> bytes:
    _check_size(cells, CELLS_PER_MODULE)
    return b"".join(_CELL.pack(c.temperature, round(c.voltage * 1000), c.status) for c in cells)


def _decode_statistics(payload: bytes) -> CellStatistics:
    _check_size(payload, 4 * _EXTREME.size)
    return CellStatistics(*(CellExtreme(*row) for row in _EXTREME.iter_unpack(payload)))


def _encode_statistics(statistics: CellStatistics) -> bytes:
    return b"".join(_EXTREME.pack(*getattr(statistics, name)) for name in CellStatistics.__slots__)


def _decode_resistances(payload: bytes) -> tuple[float, ...]:
    _check_size(payload, CELLS_PER_MODULE * _RESISTANCE.size)
    return tuple(steps / _RESISTANCE_STEPS for (steps,) in _RESISTANCE.iter_unpack(payload))


def _encode_resistances(resistances: tuple[float, ...]) -> bytes:
    _check_size(resistances, CELLS_PER_MODULE)
    return b"".join(_RESISTANCE.pack(round(value * _RESISTANCE_STEPS)) for value in resistances)


def _check_size(content: bytes | tuple[object, ...], size: int) -> None:
    if len(content) != size:
        raise ValueError(f"expected {size} items, got {len(content)}")


CELLS: Final = Codec("96 bytes", _decode_cells, _encode_cells, is_a(tuple))
STATISTICS: Final = Codec("48 bytes", _decode_statistics, _encode_statistics, is_a(CellStatistics))
RESISTANCES: Final = Codec("96 bytes", _decode_resistances, _encode_resistances, is_a(tuple))
