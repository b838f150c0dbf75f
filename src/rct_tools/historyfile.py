"""History in a file that can be gone on with: by a later run, or after the end of this program at any moment.

Rows come the newest first, and a file has the oldest first. So what comes is added to ``FILE.partial``, where nothing
is lost; the file itself is written in one piece when all is there, and the other goes.

``FILE.partial`` is JSON lines: first of what it is, then stretches of time, the newest first in each: ``{"until": …}``,
its rows, and ``{"since": …}`` once it is whole.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from rct_tools.errors import ConfigError
from rct_tools.history import HistoryRow
from rct_tools.historyformats import FORMATS, Layout, parquet, row_of
from rct_tools.newfile import new_file
from rct_tools.textfile import TextFile

_BEGINS: Final = b'{"history": '


class Stretch(NamedTuple):
    """A range of time, UTC nanoseconds: from, up to and without."""

    since: int
    until: int


class HistoryFile:
    """A file that history is read into: all that is ``missing``, stretch by stretch, and then ``finish``."""

    def __init__(self, path: Path, form: str, layout: Layout, peer: str) -> None:
        """Look at what is there already. ``peer`` is which inverter is asked.

        Raises ConfigError for a file that is none of history, or has other columns, SinkError, OSError.
        """
        if form == "parquet":
            parquet()
        self.path = path
        self.partial = path.with_name(f"{path.name}.partial")
        self._format = FORMATS[form]
        self._layout = layout
        self._rows: dict[tuple[int, bool], HistoryRow] = {}
        self._stretches: list[Stretch] = []
        if path.exists():
            self._load()
        self._about = {
            "history": layout.resolution,
            "peer": peer,
            "series": [each.name for each in layout.series],
            "zone": layout.clock.zone.key,
        }
        header = json.dumps(self._about, ensure_ascii=False).encode() + b"\n"
        self._journal = TextFile(self.partial, begins=_BEGINS, header=header)
        self._resume()

    def missing(self, since: int, until: int) -> list[Stretch]:
        """Return what of a range is not there yet, the newest first; a file that there is stays without holes."""
        if self._stretches:
            since = min(since, *(each.until for each in self._stretches))
            until = max(until, *(each.since for each in self._stretches))
        edges = [*sorted(self._stretches), Stretch(until, until)]
        found, reached = [], since
        for known in edges:
            if reached < min(known.since, until):
                found.append(Stretch(reached, min(known.since, until)))
            reached = max(reached, known.until)
        return found[::-1]

    def begin(self, stretch: Stretch) -> None:
        """Tell which stretch the following rows are of. Raises SinkError."""
        self._write({"until": stretch.until})

    def add(self, row: HistoryRow) -> None:
        """Keep a row; they come the newest first. Raises SinkError."""
        self._write({"time": row.time, "sure": row.is_sure, "values": row.values})
        self._keep(row)

    def end(self, stretch: Stretch) -> None:
        """Tell that all rows of a stretch have come. Raises SinkError."""
        self._write({"since": stretch.since})

    def finish(self) -> int:
        """Write the file, in place of one that was there; return how many rows it has. Raises OSError."""
        with new_file(self.path) as part:
            self._format.write(part, self._layout, self.rows)
        self._journal.close()
        self.partial.unlink()
        return len(self._rows)

    def leave(self) -> bool:
        """Leave it for another time; return whether there is anything to go on with."""
        is_begun = self._journal.size > 0
        self._journal.close()
        if not is_begun:
            self.partial.unlink(missing_ok=True)  # it may have just been finished
        return is_begun

    @property
    def rows(self) -> list[HistoryRow]:
        """All rows, the oldest first."""
        return [self._rows[key] for key in sorted(self._rows)]

    def _keep(self, row: HistoryRow) -> None:
        key = row.time, row.is_sure
        before = self._rows.get(key)
        self._rows[key] = HistoryRow(row.time, {**before.values, **row.values}, row.is_sure) if before else row

    def _write(self, line: Mapping[str, Any]) -> None:
        self._journal.append(json.dumps(line, ensure_ascii=False).encode() + b"\n")

    def _load(self) -> None:
        try:
            columns, found = self._format.read(self.path)
            if columns and columns != self._layout.columns:
                raise ValueError("it has other columns")
            for each in found:
                self._keep(row_of(self._layout, each))
        except (ValueError, TypeError, KeyError, csv.Error) as exc:
            what = "no history of this resolution and these series, so it is left alone; give another name"
            raise ConfigError(f"{self.path}: {what}") from exc
        if self._rows:
            times = [time for time, _ in self._rows]
            self._stretches.append(Stretch(min(times), max(times)))

    def _resume(self) -> None:
        try:
            about, *lines = map(json.loads, self.partial.read_text("utf-8").splitlines())
            if about != self._about:
                differs = [f"{key} {about.get(key)}" for key, mine in self._about.items() if about.get(key) != mine]
                what = f"was begun with {', '.join(differs)}; go on with the same, or remove it"
                raise ConfigError(f"{self.partial}: {what}")
            self._stretches += filter(lambda each: each.since < each.until, self._go_through(lines))
        except ValueError as exc:
            self._journal.close()
            raise ConfigError(f"{self.partial}: is damaged; remove it to begin anew") from exc
        except ConfigError:
            self._journal.close()
            raise

    def _go_through(self, lines: Sequence[Any]) -> Iterator[Stretch]:
        """Keep the rows of ``FILE.partial``, and yield how far each stretch of it has come."""
        since = until = rows = 0
        for line in lines:
            match line:
                case {"until": int(moment)}:
                    yield Stretch(since, until)
                    since, until, rows = moment, moment, 0
                case {"time": int(moment), "sure": bool(sure), "values": dict(values)}:
                    self._keep(HistoryRow(moment, values, sure))
                    # The newest row may have been read before all of its series were there: it is asked for again.
                    since, until, rows = moment, until if rows else moment, rows + 1
                case {"since": int(moment)}:
                    since = moment
                case _:
                    raise ValueError("no line of this file")
        yield Stretch(since, until)
