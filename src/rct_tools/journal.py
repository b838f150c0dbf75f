"""What was written to inverters, kept on disk: one line of JSON when a write begins, one when it has ended.

Lines are only ever added, and are on the disk before anything happens that they tell of. So the file also says how
often an object was written of late.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from errno import ENOSPC
from pathlib import Path
from typing import Any, Final

from rct_tools.times import parse_iso_time

_BLOCK: Final = 1 << 16  # bytes read at once
_LONGEST: Final = 1 << 20  # of a line: what is longer is no line of ours


class Journal:
    """An append-only file of JSON lines; several programs may write to it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, entry: Mapping[str, Any]) -> None:
        """Append a line, and return when it is on the disk. Raises OSError."""
        line = json.dumps(entry, ensure_ascii=False, allow_nan=False).encode(errors="replace") + b"\n"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "ab+", buffering=0, opener=for_us) as file:  # Path.open takes no opener
            size = file.seek(0, os.SEEK_END)
            if size:
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":  # it was cut off, by a full disk or a power failure
                    line = b"\n" + line
            if file.write(line) != len(line):
                raise OSError(ENOSPC, os.strerror(ENOSPC), str(self.path))
            os.fsync(file.fileno())
        if not size:
            sync_folder(self.path.parent)

    def newest_first(self) -> Iterator[dict[str, Any]]:
        """Yield the entries, the newest first; what is no line of JSON is passed over. Raises OSError."""
        for line in self._lines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict):
                yield entry

    def begun(self, inverter: str, name: str, since: int, now: int) -> int:
        """Return how often an object of an inverter was written from a time up to now (UTC, nanoseconds).

        What seems to be later was written by a clock that was wrong: nobody knows when. Raises OSError.
        """
        count = 0
        for entry in self.newest_first():
            time = parse_iso_time(str(entry.get("time")))
            if time is None or time > now:
                continue
            if time < since:
                break
            if (entry.get("event"), entry.get("inverter"), entry.get("object")) == ("begin", inverter, name):
                count += 1
        return count

    def _lines(self) -> Iterator[bytes]:
        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            return
        with file:
            place = file.seek(0, os.SEEK_END)
            rest = b""
            while place and len(rest) < _LONGEST:
                size = min(_BLOCK, place)
                place -= size
                file.seek(place)
                first, *others = (file.read(size) + rest).split(b"\n")
                yield from reversed(others)
                rest = first
            yield rest


def for_us(path: str, flags: int) -> int:
    """Open a file; what is new is for nobody but its owner: it says whose inverter it is."""
    return os.open(path, flags, 0o600)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk, where the system knows such a thing. Raises OSError."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
