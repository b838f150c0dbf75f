"""Captures: chunks as they crossed the wire, on disk. One file per format; FORMATS names them by suffix."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Direction(StrEnum):
    """Which way bytes went, seen from us."""

    RECEIVED = "<"
    SENT = ">"


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes as they crossed the wire. Time is stamped here, at the edge, and nowhere below."""

    time: int  # UTC, nanoseconds
    direction: Direction
    data: bytes
