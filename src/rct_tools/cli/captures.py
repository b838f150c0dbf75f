"""Captures that a command was given: which files they are, and what could not be read in them."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from io import FileIO
from pathlib import Path
from typing import Final

import click

from rct_tools.capture import FORMATS, Chunk, Damage, read_capture
from rct_tools.capture.compression import COMPRESSIONS
from rct_tools.errors import CaptureError
from rct_tools.link import PORT

_MOST_DAMAGE: Final = 5  # parts that are named

capture_port_option = click.option(
    "--port", type=click.IntRange(1, 65535), default=PORT, show_default=True, metavar="PORT",
    help="The inverter's port, in captures of packets (.pcap, .pcapng).",
)  # fmt: skip


def find_captures(names: Sequence[str]) -> list[str]:
    """Return the files that are meant: a folder stands for all captures in it, by their suffixes.

    Raises UsageError for one that holds none, and OSError for one that may not be read.
    """
    found: list[str] = []
    for name in names:
        if not Path(name).is_dir():
            found.append(name)
            continue
        paths = (Path(folder, file) for folder, _, files in os.walk(name, onerror=_refuse) for file in files)
        inside = sorted(str(path) for path in paths if _is_capture(path))
        if not inside:
            raise click.UsageError(f"{name} holds no captures ({', '.join(FORMATS)}, each also with .gz or .zst)")
        found += inside
    return found


def _refuse(error: OSError) -> None:
    raise error


def _is_capture(path: Path) -> bool:
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() not in COMPRESSIONS]
    return path.is_file() and bool(suffixes) and suffixes[-1] in FORMATS


def chunks_in(name: str, file: FileIO, port: int, advance: Callable[[int], object]) -> Iterator[Chunk]:
    """Yield the chunks of a capture; what could not be read is said on stderr. ``advance`` is told the bytes read."""
    count = at = 0
    for item in read_capture(file, name, port):
        if isinstance(item, Damage):
            count += 1
            if count <= _MOST_DAMAGE:
                tell_damage(name, [item], 1)
            continue
        yield item
        if file.seekable() and (now := file.tell()) != at:
            advance(now - at)
            at = now
    if count > _MOST_DAMAGE:
        tell_damage(name, [], count - _MOST_DAMAGE)


def open_chunks(path: str, port: int) -> Generator[Chunk, None, None]:
    """Yield the chunks in a capture; what is damaged in it is said. Raises CaptureError."""
    try:
        with FileIO(path) as file:
            yield from chunks_in(path, file, port, lambda _size: None)
    except OSError as exc:
        raise CaptureError(f"{path}: {(exc.strerror or str(exc)).lower()}") from exc


def tell_damage(name: str, damage: Sequence[Damage], count: int) -> None:
    """Say on stderr what could not be read; ``count`` of them, of which some are given."""
    for part in damage:
        click.echo(f"{name}: byte {part.offset}: {part.reason}", err=True)
    if count > len(damage):
        click.echo(f"{name}: {count - len(damage)} more parts could not be read", err=True)
