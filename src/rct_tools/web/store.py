"""What was, from the file of a SQLite sink: curves, and what days and months came to. Only ever read."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from rct_tools.database import file_error, schema_of
from rct_tools.errors import ConfigError, SinkError
from rct_tools.sentence import Sentences
from rct_tools.sinks.hours import EVER, Sum, sums
from rct_tools.sinks.sqlite import APPLICATION_ID, SCHEMA_VERSION
from rct_tools.web.slots import Counters, Slot, spans

MOST_POINTS: Final = 3000  # of a curve

_BUSY: Final = 2.0  # seconds to wait for another program's lock
_PATIENCE: Final = 20.0  # seconds for one question
_STEPS: Final = 10_000  # of SQLite's machine, from one look at the clock to the next


class _Says(Sentences):
    NO_FILE = "{path}: there is no such file yet"
    NOT_OURS = "{path}: not a file of RCT Tools"
    TOO_SLOW = "{path}: gave no answer within {seconds:g} s; ask for less"


class Curve(NamedTuple):
    """One object over time."""

    unit: str
    values: list[float | None]  # the mean of each step; None where nobody has read it


class Ranges(NamedTuple):
    """One object by days or months."""

    unit: str
    values: list[Sum | None]  # None where nobody has read it


class Store:
    """A file of readings. Each question opens it anew: it may be exchanged, and a bad moment passes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def curves(self, inverter: str, names: Sequence[str], since: int, until: int, step: int) -> dict[str, Curve]:
        """Return the means of numbers in steps from ``since`` up to ``until``, all in nanoseconds, by object.

        Steps begin at multiples of ``step``, the first at or before ``since``. An object that nobody has read is left
        out. Raises ConfigError for more than MOST_POINTS, SinkError for a file that cannot be read.
        """
        first = since // step
        count = -(-until // step) - first
        if not 0 < count <= MOST_POINTS:
            raise ConfigError(f"expected 1 to {MOST_POINTS} steps between since and until, these are {max(0, count)}")
        with self.open() as database:
            found = {}
            for name in names:
                series = _series(database, inverter, name)
                if series is None:
                    continue
                number, unit = series
                means = sums(database, number, since, until, step)
                values = [means[slot].mean if slot in means else None for slot in range(first, first + count)]
                found[name] = Curve(unit, values)
        return found

    def ranges(self, inverter: str, names: Sequence[str], places: Sequence[tuple[int, int]]) -> dict[str, Ranges]:
        """Return what is known of the numbers from each beginning up to an end, in nanoseconds, by object.

        An object that nobody has read is left out. Raises SinkError for a file that cannot be read.
        """
        with self.open() as database:
            return {
                name: Ranges(found[1], [sums(database, found[0], *place, EVER).get(0) for place in places])
                for name in names
                if (found := _series(database, inverter, name))
            }

    def energies(
        self, inverter: str, by: str, since: int, until: int, zone: ZoneInfo, now: int, absent: Collection[str] = ()
    ) -> list[Slot]:
        """Return what came of each ``day`` or ``month`` that begins from ``since`` up to ``until``, by its counters.

        ``absent`` are the components that the inverter does not have. Raises ConfigError for more than MOST_SLOTS,
        SinkError for a file that cannot be read.
        """
        places = list(spans(by, since, until, zone))
        with self.open() as database:

            def find(name: str) -> int | None:
                found = _series(database, inverter, name)
                return found[0] if found else None

            counters = Counters.of(database, by, find, absent)
            return [counters.slot(begin, end, now) for begin, end in places]

    @contextmanager
    def open(self) -> Iterator[sqlite3.Connection]:
        """Open the file for one question, to read only, as it is at one moment.

        Raises SinkError for what goes wrong with it meanwhile.
        """
        if not self.path.exists():
            raise SinkError(_Says.NO_FILE(path=self.path))
        end = time.monotonic() + _PATIENCE
        try:
            with closing(
                sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=ro", timeout=_BUSY, uri=True)
            ) as database:
                database.set_progress_handler(lambda: time.monotonic() > end, _STEPS)
                if not schema_of(database, self.path, APPLICATION_ID, SCHEMA_VERSION):
                    raise SinkError(_Says.NOT_OURS(path=self.path))
                database.execute("BEGIN")  # an answer takes several looks, and meanwhile the collector writes and sums
                yield database
        except sqlite3.OperationalError as exc:
            if exc.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
                raise SinkError(_Says.TOO_SLOW(path=self.path, seconds=_PATIENCE)) from exc
            raise file_error(self.path, exc) from exc
        except sqlite3.Error as exc:
            raise file_error(self.path, exc) from exc


def _series(database: sqlite3.Connection, inverter: str, name: str) -> tuple[int, str] | None:
    found: tuple[int, str] | None = database.execute(
        "SELECT id, unit FROM series WHERE inverter = ? AND object = ?", (inverter, name)
    ).fetchone()
    return found
