"""The frames of captures, one a line, and what they are altogether."""

from __future__ import annotations

import csv
import json
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from rct_tools.cli.rows import FRAME_COLUMNS, Told, clock_text, colour, frame_line, frame_row
from rct_tools.frame import BadFrame, Frame
from rct_tools.objects import registry
from rct_tools.reading import BadReading
from rct_tools.stream import MOST_STREAMS, Counters, Found
from rct_tools.times import iso_time

_UNKNOWN_IDS: Final = 1000  # counted one by one; a long capture of garbage could hold any number


class Listing(Protocol):
    """Where the frames of captures are listed."""

    def begin(self, name: str) -> None:
        """Tell of which capture the following are."""

    def show(self, found: Found, told: Told) -> None:
        """Print a frame, with what it tells, or a bad frame."""


class _Text:
    def __init__(self, *, verbose: bool, several: bool) -> None:
        self._verbose = verbose
        self._several = several
        self._number = 0
        self._ends: Counter[tuple[int, str]] = Counter()  # of what is told, in bytes, by stream

    def begin(self, name: str) -> None:
        self._number = 0
        self._ends.clear()
        if self._several:
            sys.stdout.write(f"{name}:\n")

    def show(self, found: Found, told: Told) -> None:
        event = found.event
        when = f"  {clock_text(found.time)}  {found.direction}{found.connection or '':<3}" if found.time else ""
        if self._verbose:
            stream = found.connection, found.direction
            end = self._ends[stream]
            # One byte is the 00 before each frame of a device.
            if event.offset > end + 1:
                sys.stdout.write(f"{'':>7} {end:>10}{when}  noise         {event.offset - end} bytes\n")
            if len(self._ends) > MOST_STREAMS:
                self._ends.clear()
            self._ends[stream] = event.offset + len(event.data if isinstance(event, BadFrame) else event.encode())
        if isinstance(event, BadFrame):
            shown = event.data[:24].hex(" ") + (" …" if event.data[24:] else "")
            what = colour(f"{'bad ' + event.reason:<13} {len(event.data)} bytes: {shown}", "red")
            sys.stdout.write(f"{'':>7} {event.offset:>10}{when}  {what}\n")
            return
        self._number += 1
        payload = f"  | {event.payload.hex(' ')}" if self._verbose and event.payload else ""
        sys.stdout.write(f"{self._number:>7} {event.offset:>10}{when}  {frame_line(event, told)}{payload}\n")


class _Rows:
    """Rows with the name of the capture, if there are several."""

    def __init__(self, *, verbose: bool, several: bool) -> None:  # noqa: ARG002  # all of it is in the rows
        self._several = several
        self._file: dict[str, str] = {}

    def begin(self, name: str) -> None:
        if self._several:
            self._file = {"file": name}

    def _row(self, found: Found, told: Told) -> dict[str, Any]:
        origin = {
            **self._file,
            "time": iso_time(found.time) if found.time else None,
            "direction": found.direction.value,
            "connection": found.connection,
        }
        if isinstance(found.event, Frame):
            return {**origin, **frame_row(found.event, told)}
        bad = found.event
        return {**origin, "offset": bad.offset, "bad": bad.reason.value, "length": len(bad.data)}


class _JsonLines(_Rows):
    def show(self, found: Found, told: Told) -> None:
        sys.stdout.write(json.dumps(self._row(found, told), ensure_ascii=False, allow_nan=False) + "\n")


class _Csv(_Rows):
    def __init__(self, *, verbose: bool, several: bool) -> None:
        super().__init__(verbose=verbose, several=several)
        columns = ("time", "direction", "connection", *FRAME_COLUMNS, "bad", "length")
        self._table = csv.DictWriter(sys.stdout, ("file", *columns) if several else columns, lineterminator="\n")
        self._table.writeheader()

    def show(self, found: Found, told: Told) -> None:
        row = self._row(found, told)
        if isinstance(row.get("value"), bool | list | dict):
            row["value"] = json.dumps(row["value"], ensure_ascii=False)
        self._table.writerow(row)


class _MakeListing(Protocol):
    def __call__(self, *, verbose: bool, several: bool) -> Listing: ...


LISTINGS: Final[Mapping[str, _MakeListing]] = {"text": _Text, "jsonl": _JsonLines, "csv": _Csv}
"""How frames are listed, by format; ``verbose`` shows payloads and noise in text, too."""


@dataclass(slots=True)
class Misfits:
    """Frames that are right and yet odd."""

    payloads: Counter[str] = field(default_factory=Counter)  # by name of the object: those that do not fit it
    unknown: Counter[int] = field(default_factory=Counter)  # ids that nobody knows
    unknown_others: int = 0  # frames of such ids beyond those

    def count(self, found: Found, told: Told) -> None:
        """Look at a frame."""
        if isinstance(told, BadReading):
            self.payloads[told.object.name] += 1
        if isinstance(found.event, Frame) and found.event.object_id not in registry:
            self.count_unknown(found.event.object_id, 1)

    def count_unknown(self, object_id: int, frames: int) -> None:
        """Count frames of an object that nobody knows."""
        if object_id in self.unknown or len(self.unknown) < _UNKNOWN_IDS:
            self.unknown[object_id] += frames
        else:
            self.unknown_others += frames


def totals_text(counters: Counters, misfits: Misfits) -> str:
    """Return some lines about captures."""
    unknown = {f"0x{object_id:08X}": count for object_id, count in misfits.unknown.items()}
    tables = {
        "frames": _most_first({command.name: count for command, count in counters.frames.items()}),
        "bad": _most_first({reason.value: count for reason, count in counters.bad.items()}),
        "wrong payloads": _most_first(misfits.payloads),
        "unknown ids": {
            **_most_first(unknown),
            **({"others": misfits.unknown_others} if misfits.unknown_others else {}),
        },
    }
    lines = [f"{'bytes':<16}{counters.fed:,}, of which {counters.skipped:,} in no frame"]
    for title, table in tables.items():
        parts = ", ".join(f"{key} {count:,}" for key, count in table.items())
        lines.append(f"{title:<16}{sum(table.values()):,}{': ' + parts if parts else ''}")
    # Two kinds of noise are counted in bytes, the others are whole tokens.
    noise = (
        f"{kind} {count:,}{' bytes' if kind in ('00', 'other') else ''}"
        for kind, count in _most_first(+counters.noise).items()
    )
    lines.append(f"{'noise':<16}{', '.join(noise) or 0}")
    return "\n".join(lines)


def _most_first(counts: Mapping[str, int]) -> dict[str, int]:
    """Return what was counted, in an order that does not depend on that in which it came."""
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
