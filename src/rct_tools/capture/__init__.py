"""Captures: chunks as they crossed the wire, on disk. One file per format; FORMATS names them by suffix."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from io import RawIOBase
from pathlib import PurePath
from typing import Any, Final, Protocol


class Direction(StrEnum):
    """Which way bytes went, seen from us."""

    RECEIVED = "<"
    SENT = ">"


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes as they crossed the wire. Time is stamped here, at the edge, and nowhere below."""

    time: int  # UTC, nanoseconds; 0 from a capture that keeps none
    direction: Direction
    data: bytes


class Format(Protocol):
    """What the module of a format offers. Its files have no buffer: what was read or written is known at any moment."""

    def read_chunks(self, file: RawIOBase) -> Iterator[Chunk]:
        """Yield the chunks in a file, in bounded memory."""

    def write_chunk(self, file: RawIOBase, chunk: Chunk) -> None:
        """Append a chunk, which is in the file when this returns. Raises OSError."""


FORMATS: Final[Mapping[str, str]] = {".bin": "raw"}  # suffix: module


def find_format(name: str) -> Format:
    """Return the format of a file by the suffix of its name; one that says nothing holds raw bytes."""
    module: Any = import_module(f"{__name__}.{FORMATS.get(PurePath(name).suffix.lower(), 'raw')}")
    found: Format = module
    return found
