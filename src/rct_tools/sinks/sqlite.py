"""Readings in a SQLite file, and back. The schema is described in docs/storage.md."""

from __future__ import annotations

import asyncio
import difflib
import json
import os
import re
import sqlite3
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

from msgspec import Meta

from rct_tools.database import file_error, schema_of, upgrade
from rct_tools.errors import ConfigError, SinkError, UnknownObject
from rct_tools.plain import plain
from rct_tools.plan import Source
from rct_tools.reading import Reading
from rct_tools.settings import Table
from rct_tools.sinks.hours import Hours, prepare
from rct_tools.values import DataType, Value

APPLICATION_ID: Final = 0x52435450  # "RCTP", in the header of the file
SCHEMA_VERSION: Final = 2

_READINGS: Final = """
CREATE VIEW IF NOT EXISTS readings AS
SELECT strftime('%Y-%m-%dT%H:%M:%S', time / 1000000000, 'unixepoch')
           || printf('.%09d+00:00', time % 1000000000) AS time,
       time AS time_ns, inverter, object, value, unit, backfilled
FROM reading JOIN series ON series.id = reading.series
"""
_SCHEMA: Final = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS series (
    id        INTEGER PRIMARY KEY,
    inverter  TEXT NOT NULL,
    object    TEXT NOT NULL,
    object_id INTEGER NOT NULL,
    type      TEXT NOT NULL,
    unit      TEXT NOT NULL,
    UNIQUE (inverter, object)
) STRICT;
CREATE TABLE IF NOT EXISTS reading (
    series INTEGER NOT NULL REFERENCES series (id),
    time   INTEGER NOT NULL,
    value  ANY,
    backfilled INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (series, time)
) STRICT, WITHOUT ROWID;
{_READINGS};
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
COMMIT;
"""
_UPGRADES: Final = {
    1: (  # takes no longer for ten million readings: no row is touched
        "ALTER TABLE reading ADD COLUMN backfilled INTEGER NOT NULL DEFAULT 0",
        "DROP VIEW readings",
        _READINGS,
    )
}

_TIMES: Final = """
SELECT DISTINCT time - (time % :step + :step) % :step FROM reading
WHERE series = (SELECT id FROM series WHERE inverter = :inverter AND object = :name)
AND time >= :since AND time < :until
"""  # a remainder has the sign of what is divided
_BUSY: Final = 1.0  # seconds to wait for another program's lock; the readings are kept and come again
_OLDEST, _NEWEST = -(2**63), 2**63 - 1  # ns: what an INTEGER holds
_SCALARS: Final = (bool, int, float, str, bytes)


def default_path() -> Path:
    """Return where readings are kept when nobody says where: a file in the user's data folder."""
    match sys.platform:
        case "win32":
            folder = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
        case "darwin":
            folder = Path.home() / "Library" / "Application Support"
        case _:
            folder = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return folder / "rct-tools" / "readings.db"


def path_in_url(url: str) -> Path:
    """Return the file named by ``sqlite:///ABSOLUTE``, ``sqlite:RELATIVE`` or ``sqlite:``. Raises ConfigError."""
    scheme, _, rest = url.partition(":")
    if scheme != "sqlite" or (rest.startswith("//") and not rest.startswith("///")):
        raise ConfigError(f"{url!r}: expected sqlite:///ABSOLUTE/PATH, sqlite:RELATIVE/PATH or sqlite:")
    if not rest:
        return default_path()
    name = rest.removeprefix("//")
    return Path(name[1:] if re.match("/[A-Za-z]:", name) else name)  # sqlite:///C:/readings.db


class Settings(Table, frozen=True):
    """Readings in a SQLite file."""

    url: Annotated[str, Meta(description="`sqlite:///PATH`, `sqlite:PATH`; `sqlite:` is a file in the data folder")]


def open_sink(settings: Settings, _sources: Sequence[Source]) -> SqliteSink:
    """Return the sink for a URL as path_in_url knows them. Raises ConfigError, SinkError."""
    path = path_in_url(settings.url)
    if settings.url == "sqlite:":
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise SinkError(f"{path.parent}: cannot be made: {exc.strerror}") from exc
    return SqliteSink(path)


class SqliteSink:
    """A file that keeps every reading once. What was written survives the end of this program at any moment."""

    precision: Final = 1

    def __init__(self, path: Path) -> None:
        """Open or make the file. Raises SinkError, also for a file that is not ours."""
        self.path = path
        self._series: dict[tuple[str, str], int] = {}
        # Handed from thread to thread, but used by one at a time: by this one, then only by the worker.
        try:
            self._database = sqlite3.connect(path, timeout=_BUSY, isolation_level=None, check_same_thread=False)
        except sqlite3.Error as exc:
            raise file_error(path, exc) from exc
        try:
            self._prepare()
        except sqlite3.Error as exc:
            self._database.close()
            raise file_error(path, exc) from exc
        except SinkError:
            self._database.close()
            raise
        self._hours = Hours(path, self._database)
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="sqlite")

    async def write(self, readings: Sequence[Reading]) -> None:
        """Store the readings in one transaction. Raises SinkError when none is stored."""
        await asyncio.get_running_loop().run_in_executor(self._worker, self._insert, readings)

    async def times(
        self, inverter: str, names: Collection[str], since: int, until: int, step: int = 1
    ) -> dict[str, set[int]]:
        """Return when there are readings of objects, as for every Store. Raises SinkError."""
        span: dict[str, str | int] = {"since": _bound(since), "until": _bound(until), "step": step}
        found = {}
        for name in names:  # one by one: meanwhile, readings may be written
            asked = span | {"inverter": inverter, "name": name}
            found[name] = await asyncio.get_running_loop().run_in_executor(self._worker, self._times, asked)
        return found

    async def close(self) -> None:
        """Close the file."""
        await asyncio.get_running_loop().run_in_executor(self._worker, self._database.close)
        self._worker.shutdown()

    def _prepare(self) -> None:
        version = schema_of(self._database, self.path, APPLICATION_ID, SCHEMA_VERSION)
        if not version:
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.executescript(_SCHEMA)  # harmless when somebody else was quicker
        elif version < SCHEMA_VERSION:
            upgrade(self._database, _UPGRADES)
        prepare(self._database)
        # Safe against our own end at any moment; a power cut may cost the last seconds, never the file.
        self._database.execute("PRAGMA synchronous = NORMAL")

    def _insert(self, readings: Sequence[Reading]) -> None:
        known = dict(self._series)
        try:
            self._database.execute("BEGIN IMMEDIATE")
            rows = [
                (self._series_id(reading), reading.time, _stored(reading.value), reading.backfilled)
                for reading in readings
            ]
            self._database.executemany(
                "INSERT INTO reading (series, time, value, backfilled) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", rows
            )
            self._database.execute("COMMIT")
        except sqlite3.Error as exc:
            self._series = known  # what was new in it was never stored
            if self._database.in_transaction:
                self._database.rollback()
            raise file_error(self.path, exc) from exc
        if readings:
            self._hours.keep(max(reading.time for reading in readings))

    def _times(self, parameters: Mapping[str, str | int]) -> set[int]:
        try:
            return {time for (time,) in self._database.execute(_TIMES, parameters)}
        except sqlite3.Error as exc:
            raise file_error(self.path, exc) from exc

    def _series_id(self, reading: Reading) -> int:
        key = (reading.inverter, reading.object.name)
        if key not in self._series:
            info = reading.object
            (self._series[key],) = self._database.execute(
                "INSERT INTO series (inverter, object, object_id, type, unit) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (inverter, object) DO UPDATE"
                " SET object_id = excluded.object_id, type = excluded.type, unit = excluded.unit RETURNING id",
                (*key, info.object_id, info.data_type.name, info.unit),
            ).fetchone()
        return self._series[key]


# --- reading it back ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StoredReading:
    """A reading as it comes back."""

    time: int  # UTC, nanoseconds
    inverter: str
    object: str  # its name
    value: Any  # as plain gives it; None where the inverter sent NaN
    unit: str
    backfilled: bool = False  # else it was read live


def query(
    path: Path, pattern: str = "*", *, since: int | None = None, until: int | None = None
) -> Iterator[StoredReading]:
    """Return the readings of the objects that match, oldest first, also while another program is writing.

    ``pattern`` is a name, the beginning of a name, or holds ``*`` for anything. ``since`` is included, ``until`` is
    not; both are UTC nanoseconds.
    Raises SinkError when the file cannot be read, UnknownObject when it has nothing of that name.
    """
    if not path.exists():
        raise SinkError(f"{path}: there is no such file; rct collect makes it")
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", timeout=_BUSY, uri=True)) as database:
            version = schema_of(database, path, APPLICATION_ID, SCHEMA_VERSION)
            if not version:
                raise SinkError(f"{path}: not a file of RCT Tools")
            series = _matching(database, path, pattern)
            marks = ", ".join("?" * len(series))
            backfilled = "backfilled" if version > 1 else "0"  # who only reads a file does not upgrade it
            rows = database.execute(
                f"SELECT series, time, value, {backfilled} FROM reading WHERE series IN ({marks})"  # noqa: S608  # marks
                " AND time >= ? AND time < ? ORDER BY time, series",
                (*series, _OLDEST if since is None else _bound(since), _NEWEST if until is None else _bound(until)),
            )
            for number, time, value, is_backfilled in rows:
                inverter, name, kind, unit = series[number]
                yield StoredReading(time, inverter, name, _restored(kind, value), unit, bool(is_backfilled))
    except sqlite3.Error as exc:
        raise file_error(path, exc) from exc


def _bound(time: int) -> int:
    """Return a time that SQLite can compare with."""
    return min(max(time, _OLDEST), _NEWEST)


def _matching(database: sqlite3.Connection, path: Path, pattern: str) -> dict[int, tuple[str, str, str, str]]:
    rows = {number: row for number, *row in database.execute("SELECT id, inverter, object, type, unit FROM series")}
    names = {name for _, name, _, _ in rows.values()}
    glob = re.compile(".*".join(map(re.escape, pattern.split("*"))), re.IGNORECASE)
    chosen = {n for n in names if glob.fullmatch(n)} or {n for n in names if n.startswith(pattern)}
    if not chosen and names:
        near = difflib.get_close_matches(pattern, names, 3, 0.3)
        raise UnknownObject(pattern, near, f"{path} holds nothing of")
    return {number: (row[0], row[1], row[2], row[3]) for number, row in rows.items() if row[1] in chosen}


def _stored(value: Value) -> bool | int | float | str | bytes:
    # SQLite makes NULL of NaN: never a number that nobody measured.
    return value if isinstance(value, _SCALARS) else json.dumps(plain(value), separators=(",", ":"))


_SCALAR_TYPES: Final = frozenset(t.name for t in DataType if t.value <= DataType.STRING.value)


def _restored(kind: str, value: Any) -> Any:
    if value is None:
        return None
    if kind == DataType.BOOL.name:
        return bool(value)
    return plain(value) if kind in _SCALAR_TYPES else json.loads(value)
