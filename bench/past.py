"""What was, from a store of ten million readings: how long the views of a page wait for it, and what its sums cost."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import aiohttp

from bench import Measurement
from bench.light import float_objects
from rct_tools.plan import Source
from rct_tools.reading import Reading
from rct_tools.settings import NO_SECRET
from rct_tools.simulator.inverter import Inverter
from rct_tools.sinks.hours import HOUR, sums
from rct_tools.sinks.sqlite import SqliteSink
from rct_tools.times import SECOND
from rct_tools.web.server import Page
from rct_tools.web.table import WebSetup

sys.path.append(str(Path(__file__).parent.parent / "tests"))  # the past is that of the tests

from stored_past import POWERS, past

INVERTER: Final = "roof"
BEGIN: Final = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp())
DAY: Final = 86_400  # seconds
DAYS: Final = 365
STEP: Final = 30  # seconds from one reading of a power to the next
RARE: Final = 300  # of a counter, and of ballast
BALLAST: Final = 11  # objects that nobody asks for
MOST: Final = 0.3  # seconds that a view may wait
ROUNDS: Final = 5
WRITES: Final = 40  # readings a write, as they are gathered

CURVES: Final = f"curves?names={','.join(POWERS)}"


@dataclass(frozen=True, slots=True)
class View:
    """What the page asks for a view, all at once; {} is from when to when."""

    name: str
    days: int
    paths: tuple[str, ...]


VIEWS: Final = (
    View("a day", 1, (f"{CURVES}&step=5m&{{}}", "energies?{}")),
    View("a week", 7, (f"{CURVES}&step=1h&{{}}", "energies?{}")),
    View("a month", 31, ("energies?{}", "ranges?names=battery.soc&{}")),
    View("a year", DAYS, ("energies?by=month&{}", "ranges?names=battery.soc&{}")),
    View("curves of a year, by the day", DAYS, (f"{CURVES}&step=1d&{{}}",)),
)


def measure(quick: bool) -> Iterator[Measurement]:
    """Compare the views with the time that they may take, and what the sums by the hour give and cost with without."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "readings.db"
        count = asyncio.run(_fill(path, 3 if quick else DAYS))
        for view, is_cold, times in asyncio.run(_look(path, 1 if quick else ROUNDS)):
            middle, most = statistics.median(times), max(times)
            yield Measurement(
                f"{view.name}, of {count:,} readings, {'cold' if is_cold else 'warm'}",
                f"{middle * 1000:.0f} ms, at most {most * 1000:.0f}",
                f"{MOST * 1000:.0f} ms, for people",
                most / MOST,
                at_most=1,
            )
        with_sums, without = _summed(path, 1 if quick else ROUNDS)
        yield Measurement(
            "a year of one object, by the day, with sums by the hour", f"{with_sums * 1000:.2g} ms",
            f"{without * 1000:.3g} ms without", with_sums / without, at_most=None if quick else 0.1,
        )  # fmt: skip
        size, all_of_it = _sizes(path)
        yield Measurement(
            "sums by the hour, in the file", f"{size / 1e6:.3g} MB", f"{all_of_it / 1e6:.4g} MB, all of it",
            size / all_of_it, at_most=0.05,
        )  # fmt: skip
    for size in (1, WRITES):
        kept, bare = (
            min(times) for times in zip(*(asyncio.run(_write(size, quick)) for _ in range(ROUNDS)), strict=True)
        )
        yield Measurement(
            f"SQLite, {size} a write, with sums by the hour", f"{kept * 1000:.3g} ms a 1,000",
            f"{bare * 1000:.3g} ms without", kept / bare, at_most=2,
        )  # fmt: skip


async def _fill(path: Path, days: int) -> int:
    """Write so many days, each like the first; return how many readings these are."""
    sink = SqliteSink(path)
    count = 0
    first = list(_first_day())
    for day in range(days):
        later = day * DAY * SECOND
        batch = [replace(reading, time=reading.time + later) for reading in first]
        await sink.write(batch)
        count += len(batch)
    while sink._hours._due:  # a little after each write, as in a collector
        await sink.write(batch[-1:])
    await sink.close()
    return count


def _first_day() -> Iterator[Reading]:
    ballast = float_objects(BALLAST)
    for readings in past(Inverter.with_past(0, BEGIN), INVERTER, ZoneInfo("UTC"), DAY, STEP):
        moment = readings[0].time
        is_due = moment % (RARE * SECOND) == 0
        yield from readings if is_due else readings[: len(POWERS)]
        if is_due:
            yield from (Reading(moment, "ballast", info, float(n)) for n, info in enumerate(ballast))


# --- asking ---------------------------------------------------------------------------------------------------------


async def _look(path: Path, rounds: int) -> list[tuple[View, bool, list[float]]]:
    """Return how long each view waits, with a file that nobody has read yet, and with one that is in memory."""
    page = Page(WebSetup("127.0.0.1", 0, NO_SECRET, path))
    page.open([Source(INVERTER, "UTC", {})])
    found = []
    async with page.serving(dict) as address, aiohttp.ClientSession(f"http://{address}") as browser:
        for view in VIEWS:
            for is_cold in (True, False):
                numbers = range(rounds) if is_cold else range(rounds, 2 * rounds)
                times = [await _ask(browser, view, path if is_cold else None, number) for number in numbers]
                found.append((view, is_cold, times))
    return found


async def _ask(browser: aiohttp.ClientSession, view: View, forgotten: Path | None, number: int) -> float:
    """Return the seconds until all is there; each number is another span, since answers are remembered."""
    if forgotten:
        with forgotten.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    since = BEGIN + (DAYS - view.days) // (2 * ROUNDS) * number * DAY
    span = f"since={_iso(since)}&until={_iso(since + view.days * DAY - number)}"

    async def get(path: str) -> None:
        async with browser.get(f"/api/{path.format(span)}") as response:
            assert response.status == 200, await response.text()
            await response.read()

    began = time.perf_counter()
    await asyncio.gather(*map(get, view.paths))
    return time.perf_counter() - began


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def _summed(path: Path, rounds: int) -> tuple[float, float]:
    """Return the seconds for the days of one object with the sums by the hour, and without them."""
    raw = "SELECT time / ?, avg(value) FROM reading WHERE series = ? GROUP BY 1"
    with closing(sqlite3.connect(path)) as database:
        (series,) = database.execute("SELECT id FROM series WHERE object = 'battery.soc'").fetchone()
        day = 24 * HOUR

        def ours() -> object:
            return sums(database, series, BEGIN * SECOND, (BEGIN + DAYS * DAY) * SECOND, day)

        def without() -> object:
            return database.execute(raw, (day, series)).fetchall()

        return min(_timed(ours) for _ in range(rounds)), min(_timed(without) for _ in range(rounds))


def _timed(work: object) -> float:
    assert callable(work)
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _sizes(path: Path) -> tuple[int, int]:
    """Return the bytes of the sums, and those of the whole file, which is of no use afterwards."""
    sizes = []
    for statements in ("VACUUM", "DROP TABLE hourly; DROP TABLE summed; DROP TABLE stale; VACUUM"):
        with closing(sqlite3.connect(path)) as database:
            database.executescript(statements)
        sizes.append(path.stat().st_size)
    return sizes[0] - sizes[1], sizes[0]


# --- writing --------------------------------------------------------------------------------------------------------


async def _write(size: int, quick: bool) -> tuple[float, float]:
    """Return the seconds of processor time for 1,000 readings with the sums by the hour, and without them."""
    readings = list(_first_day())[: 200 if quick else 2000 * min(size, 10)]
    return await _written(readings, size, keep=True), await _written(readings, size, keep=False)


def _nothing(_newest: int) -> None:
    """Sum up nothing."""


async def _written(readings: Sequence[Reading], size: int, *, keep: bool) -> float:
    with tempfile.TemporaryDirectory() as folder:
        sink = SqliteSink(Path(folder) / "readings.db")
        if not keep:
            with closing(sqlite3.connect(sink.path)) as database:
                for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
                    database.execute(f"DROP TRIGGER {name}")
            sink._hours.keep = _nothing  # type: ignore[assignment,method-assign]  # as if there were none
        began = time.process_time()
        for start in range(0, len(readings), size):
            await sink.write(readings[start : start + size])
        took = time.process_time() - began
        await sink.close()
    return took / len(readings) * 1000
