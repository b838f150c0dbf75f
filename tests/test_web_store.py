"""What was, from a file: curves, energies of days and months, and files that are in trouble."""

from __future__ import annotations

import calendar
import math
import os
import sqlite3
import sys
from collections.abc import Iterable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from rct_tools.errors import ConfigError, SinkError
from rct_tools.objects import registry
from rct_tools.reading import Reading
from rct_tools.simulator.inverter import Inverter
from rct_tools.sinks.hours import Sum, sums
from rct_tools.sinks.sqlite import SqliteSink
from rct_tools.times import SECOND
from rct_tools.values import Value
from rct_tools.web import store as store_module
from rct_tools.web.slots import MOST_SLOTS, NOT_CYCLED, NOTHING_KNOWN, Cycled, spans, together
from rct_tools.web.store import MOST_POINTS, Store

from stored_past import POWERS, fill

BERLIN = ZoneInfo("Europe/Berlin")
MINUTE = 60 * SECOND
DAY = 86_400 * SECOND
NOON = round(datetime(2026, 6, 21, 12, tzinfo=BERLIN).timestamp()) * SECOND


def at(year: int, month: int, day: int) -> int:
    return round(datetime(year, month, day, tzinfo=BERLIN).timestamp()) * SECOND


async def write(path: Path, readings: Iterable[tuple[int, str, Value]]) -> Store:
    sink = SqliteSink(path)
    await sink.write([Reading(moment, "roof", registry[name], value) for moment, name, value in readings])
    await sink.close()
    return Store(path)


async def test_curves_are_means_and_gaps_stay_gaps(tmp_path: Path) -> None:
    soc = "battery.soc"
    given = [(0, 0.25), (30, 0.75), (61, 0.5), (300, 0.25), (360, float("nan"))]
    store = await write(tmp_path / "r.db", [(NOON + s * SECOND, soc, v) for s, v in given])
    curves = store.curves("roof", [soc, "battery.voltage"], NOON, NOON + 7 * MINUTE, MINUTE)
    assert curves == {soc: ("ratio", [0.5, 0.5, None, None, None, 0.25, None])}
    assert store.curves("barn", [soc], NOON, NOON + MINUTE, MINUTE) == {}


async def test_an_answer_is_of_one_moment(tmp_path: Path) -> None:
    """A question takes several looks at the file: what is written between them belongs to none of them."""
    path = tmp_path / "r.db"
    hour = 60 * MINUTE
    sink = SqliteSink(path)
    soc = registry["battery.soc"]
    await sink.write([Reading(NOON + n * MINUTE, "roof", soc, 0.5) for n in range(60)])
    await sink.write([Reading(NOON + hour, "roof", soc, 0.5)])
    with closing(sqlite3.connect(path, isolation_level=None)) as other, Store(path).open() as database:
        before = sums(database, 1, NOON, NOON + 2 * hour, hour)
        looks = []

        def write(statement: str) -> None:
            if "stale" in statement:  # the hour is taken to be summed, or not; now it is the other way round
                looks.append(statement)
                other.execute("INSERT INTO reading VALUES (1, ?, 1.0, 0)", (NOON + len(looks),))

        database.set_trace_callback(write)
        assert sums(database, 1, NOON, NOON + 2 * hour, hour) == before
        assert len(looks) == 2
        assert before[NOON // hour].count == 60
    await sink.close()


async def test_texts_are_no_curve(tmp_path: Path) -> None:
    store = await write(tmp_path / "r.db", [(NOON, "inverter_sn", "12")])
    assert store.curves("roof", ["inverter_sn"], NOON, NOON + MINUTE, MINUTE) == {"inverter_sn": ("", [None])}


@pytest.mark.parametrize(
    ("until", "step"), [(NOON, MINUTE), (NOON - 1, MINUTE), (NOON + MOST_POINTS * MINUTE + 1, MINUTE)]
)
async def test_too_many_points_or_none(tmp_path: Path, until: int, step: int) -> None:
    with pytest.raises(ConfigError, match=f"expected 1 to {MOST_POINTS} steps"):
        Store(tmp_path / "r.db").curves("roof", ["battery.soc"], NOON, until, step)


def test_energies_are_those_of_the_house_in_every_slot(tmp_path: Path) -> None:
    """Three days of a house that adds up: each day and the month come back as its meters showed them."""
    begin = calendar.timegm((2026, 6, 28, 0, 0, 0))
    inverter = Inverter.with_past(0, begin)
    shown: dict[int, dict[str, float]] = {}
    tower = inverter.house.battery
    cycled = [(tower.stored_energy, tower.used_energy)]
    path = tmp_path / "r.db"
    for day in range(4):
        fill(path, inverter, "roof", BERLIN, 86_400 - 60, 60)
        shown[28 + day] = {name: meter.day for name, meter in inverter.house.energy.items()}
        fill(path, inverter, "roof", BERLIN, 60, 60)
        cycled.append((tower.stored_energy, tower.used_energy))
    month_end = at(2026, 7, 1)
    slots = Store(path).energies("roof", "day", at(2026, 6, 28), at(2026, 7, 2), BERLIN, at(2026, 7, 2))
    assert [slot.begin for slot in slots] == [at(2026, 6, 28), at(2026, 6, 29), at(2026, 6, 30), month_end]
    for slot, truth in zip(slots, shown.values(), strict=True):
        found = slot.energies
        assert slot.is_whole
        assert found.made_a == pytest.approx(truth["dc[0]"], rel=1e-6)
        assert found.used == pytest.approx(truth["load"], rel=1e-6)
        assert found.fed_in == pytest.approx(truth["grid_feed"], rel=1e-6)
        assert found.autarky == pytest.approx(1 - truth["grid_load"] / truth["load"], abs=1e-6)
    for slot, before, after in zip(slots[1:], cycled[1:-1], cycled[2:], strict=True):  # the first minute is not stored
        assert slot.cycled.charged == pytest.approx(after[0] - before[0], abs=1)
        assert slot.cycled.discharged == pytest.approx(after[1] - before[1], abs=1)
    total, known = together([slot.energies for slot in slots], NOTHING_KNOWN)
    assert known == 4
    assert total.used == pytest.approx(sum(truth["load"] for truth in shown.values()), rel=1e-6)
    june, july = Store(path).energies("roof", "month", at(2026, 6, 1), at(2026, 7, 31), BERLIN, at(2026, 7, 2))
    assert june.is_whole
    assert not july.is_whole
    assert july.energies.used == pytest.approx(inverter.house.energy["load"].month, rel=1e-2)
    curves = Store(path).curves("roof", POWERS, at(2026, 6, 28), at(2026, 6, 29), 5 * MINUTE)
    assert set(curves) == set(POWERS)
    sun = [a + b for a, b in zip(curves[POWERS[0]].values[1:], curves[POWERS[1]].values[1:], strict=True)]  # type: ignore[operator]
    assert sum(sun) / 12 == pytest.approx(shown[28]["dc[0]"] + shown[28]["dc[1]"], rel=0.03)


async def test_midnight_of_the_inverter_is_not_ours(tmp_path: Path) -> None:
    """Its clock is two minutes ahead: what it shows at our midnight is that of its new day already."""
    end = at(2026, 6, 22)
    used = "energy.e_load_day"
    rows = [(end - 4 * MINUTE, 9000.0), (end - 3 * MINUTE, 9010.0), (end - MINUTE, 10.0), (end + MINUTE, 30.0)]
    store = await write(tmp_path / "r.db", [(moment, used, value) for moment, value in rows])
    first, second = store.energies("roof", "day", end - DAY, end + DAY, BERLIN, end + DAY)
    assert (first.energies.used, first.until, first.is_whole) == (9010.0, end - 3 * MINUTE, True)
    assert (second.energies.used, second.is_whole) == (30.0, False)


LATE = [  # by minutes after midnight, what the counter showed; what is known of the new day then
    ([(-1, 9000.0), (3, 9005.0)], None),  # still of the day before
    ([(-1, 9000.0), (3, 9000.0)], None),
    ([(3, 9005.0)], None),  # who knows
    ([(-1, 9000.0), (3, 9005.0), (6, 1.0)], 1.0),
    ([(-1, 9000.0), (3, 3.0)], 3.0),
    ([(-3, 9000.0), (-1, 1.0), (3, 3.0)], 3.0),
    ([(-1, 0.0), (3, 0.0)], 0.0),
    ([(-1, -9000.0), (3, -9005.0)], None),
    ([(-1, -9000.0), (3, -5.0)], -5.0),
    ([(-1, 9000.0), (10, 9005.0)], 9005.0),  # so late it is not
]


@pytest.mark.parametrize("by", ["day", "month"])
@pytest.mark.parametrize(("rows", "known"), LATE)
async def test_what_the_day_before_came_to_is_not_of_the_new_one(
    tmp_path: Path, by: str, rows: list[tuple[int, float]], known: float | None
) -> None:
    begin = at(2026, 7, 1)
    readings = [(begin + minute * MINUTE, f"energy.e_load_{by}", value) for minute, value in rows]
    store = await write(tmp_path / "r.db", readings)
    (slot,) = store.energies("roof", by, begin, begin + 1, BERLIN, begin + 10 * MINUTE)
    assert slot.energies.used == known


async def test_what_is_not_known_is_not_made_up(tmp_path: Path) -> None:
    store = await write(tmp_path / "r.db", [(NOON, "energy.e_load_day", 5.0), (NOON, "energy.e_dc_day[0]", 7.0)])
    (slot,) = store.energies("roof", "day", NOON, NOON + 1, BERLIN, NOON)
    assert (slot.energies.used, slot.energies.made, slot.energies.autarky) == (5.0, None, None)
    (slot,) = store.energies("roof", "day", NOON, NOON + 1, BERLIN, NOON, {"string B", "module 6"})
    assert (slot.energies.made_b, slot.energies.external) == (0.0, None)
    (nothing,) = store.energies("roof", "day", NOON - 9 * DAY, NOON - 9 * DAY + 1, BERLIN, NOON, {"string B"})
    assert (nothing.until, nothing.is_whole, nothing.energies.made_b) == (None, False, None)
    assert together([slot.energies, nothing.energies], NOTHING_KNOWN)[1] == 0
    assert together([nothing.energies], NOTHING_KNOWN)[0].used is None


async def test_days_of_a_change_of_the_clock(tmp_path: Path) -> None:
    store = await write(tmp_path / "r.db", [])
    days = store.energies("roof", "day", at(2026, 3, 28), at(2026, 3, 31), BERLIN, NOON)
    assert [(day.end - day.begin) // (3600 * SECOND) for day in days] == [24, 23, 24]
    months = store.energies("roof", "month", at(2026, 1, 15), at(2027, 1, 1), BERLIN, NOON)
    assert [datetime.fromtimestamp(m.begin // SECOND, BERLIN).month for m in months] == list(range(1, 13))
    with pytest.raises(ConfigError, match=f"at most {MOST_SLOTS} of day"):
        store.energies("roof", "day", 0, NOON, BERLIN, NOON)


# --- the battery ----------------------------------------------------------------------------------------------------

STORED, GIVEN = "battery.stored_energy", "battery.used_energy"
GROWN = [  # minutes before or after the beginning of a day, what the counter showed; what it grew by in this day
    ([(-1, 100.0), (60, 130.0), (23 * 60, 150.0)], 50.0),
    ([(-29, 100.0), (60, 130.0), (1440, 131.0), (1441, 999.0)], 31.0),  # the rest is of the next day
    ([(0, 100.0), (60, 130.0)], 30.0),
    ([(29, 100.0), (60, 130.0)], 30.0),  # nobody looked at the beginning, but soon
    ([(-31, 100.0), (31, 110.0), (60, 130.0)], None),  # who knows how much of it was of this day
    ([(-1, 100.0), (60, 3.0)], None),  # it began anew
    ([(-1, 100.0), (60, math.nan)], None),
    ([(-1, 100.0)], None),
    ([(0, 100.0)], None),  # that it was not read any more does not mean that nothing went in
    ([(29, 100.0)], None),
    ([], None),
]


@pytest.mark.parametrize(("rows", "grown"), GROWN)
async def test_what_went_through_the_battery(
    tmp_path: Path, rows: list[tuple[int, float]], grown: float | None
) -> None:
    begin = at(2026, 6, 21)
    readings = [(begin + minute * MINUTE, STORED, value) for minute, value in rows]
    store = await write(tmp_path / "r.db", [*readings, (begin, GIVEN, 7.0), (begin + 1, GIVEN, 9.0)])
    (slot,) = store.energies("roof", "day", begin, begin + 1, BERLIN, begin + DAY)
    assert slot.cycled == Cycled(grown, 2.0)
    total, known = together([slot.cycled, slot.cycled], NOT_CYCLED)
    assert (total, known) == ((Cycled(2 * grown, 4.0), 2) if grown is not None else (Cycled(None, None), 0))


async def test_charge_of_days_that_begin_when_the_clocks_say(tmp_path: Path) -> None:
    """Some zones are half an hour off: their days are no whole hours."""
    zone = ZoneInfo("Asia/Kolkata")
    begin = round(datetime(2026, 6, 21, tzinfo=zone).timestamp()) * SECOND
    rows = [(begin + minute * MINUTE, "battery.soc", minute / 4096) for minute in range(-60, 3000)]
    store = await write(tmp_path / "r.db", rows)
    soc = ["battery.soc"]
    assert store.ranges("roof", soc, list(spans("day", begin, begin + 2 * DAY, zone)))["battery.soc"].values == [
        Sum(1440, sum(range(d * 1440, (d + 1) * 1440)) / 4096, d * 1440 / 4096, ((d + 1) * 1440 - 1) / 4096)
        for d in range(2)
    ]
    assert store.ranges("roof", soc, [(begin - DAY, begin - MINUTE)])["battery.soc"] == (
        "ratio",
        [Sum(59, -59 * 31 / 4096, -60 / 4096, -2 / 4096)],
    )
    assert store.ranges("roof", soc, [(begin - 2 * DAY, begin - DAY)])["battery.soc"].values == [None]
    assert store.ranges("barn", soc, [(begin, begin + DAY)]) == {}


async def test_backfilled_readings_are_in_the_curves(tmp_path: Path) -> None:
    """A gap of a day, filled from the log afterwards, is none."""
    soc = registry["battery.soc"]
    sink = SqliteSink(tmp_path / "r.db")
    live = [Reading(NOON + n * MINUTE, "roof", soc, 0.25) for n in (*range(60), *range(600, 720))]
    log = [Reading(NOON + n * MINUTE, "roof", soc, 0.5, backfilled=True) for n in range(60, 600, 5)]
    store = Store(tmp_path / "r.db")
    for batch, filled in ((live, False), (log, True)):
        await sink.write(batch)
        for step in (5 * MINUTE, 60 * MINUTE, 180 * MINUTE):
            values = store.curves("roof", ["battery.soc"], NOON, NOON + 720 * MINUTE, step)["battery.soc"].values
            assert (None not in values) == filled
            assert values[-1] == 0.25
        assert (0.5 in values) == filled
    await sink.close()


# --- trouble --------------------------------------------------------------------------------------------------------


def one_line(store: Store) -> str:
    with pytest.raises(SinkError) as caught:
        store.curves("roof", ["battery.soc"], NOON, NOON + MINUTE, MINUTE)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_file_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    assert one_line(Store(path)) == f"{path}: there is no such file yet"
    assert not path.exists()


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "not a file of RCT Tools"), (b"hello" * 1000, "not a SQLite database")],
)
def test_file_that_is_none(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "r.db"
    path.write_bytes(content)
    assert one_line(Store(path)) == f"{path}: {reason}"
    assert path.read_bytes() == content


async def test_damaged_file(tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    store = await write(path, [(NOON + n, "battery.soc", n / 1e5) for n in range(5000)])
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(os.urandom(path.stat().st_size - 8192))
    assert one_line(store) == f"{path}: the file is damaged"


async def test_file_of_another_program(tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE other (x)")
    database.close()
    assert one_line(Store(path)) == f"{path}: a database of another program"


async def test_locked_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "_BUSY", 0.01)
    path = tmp_path / "r.db"
    store = await write(path, [(NOON, "battery.soc", 0.5)])
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA journal_mode = DELETE")
    other.execute("BEGIN EXCLUSIVE")
    assert one_line(store) == f"{path}: locked by another program"
    other.close()
    assert store.curves("roof", ["battery.soc"], NOON, NOON + MINUTE, MINUTE)


async def test_writer_in_the_middle_of_a_long_transaction_holds_up_nobody(tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    store = await write(path, [(NOON + n * MINUTE, "battery.soc", 0.5) for n in range(200)])
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("UPDATE reading SET value = 1")
    places = list(spans("day", at(2026, 1, 1), at(2027, 1, 1), BERLIN))
    values = store.ranges("roof", ["battery.soc"], places)["battery.soc"].values
    assert len(values) == 365
    assert {value.mean for value in values if value} == {0.5}
    assert len(store.energies("roof", "day", at(2026, 1, 1), at(2027, 1, 1), BERLIN, NOON)) == 365
    other.close()


async def test_question_that_takes_too_long_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "r.db"
    store = await write(path, [(NOON + n, "battery.soc", 0.5) for n in range(20_000)])
    monkeypatch.setattr(store_module, "_PATIENCE", -1.0)
    assert one_line(store) == f"{path}: gave no answer within -1 s; ask for less"


async def test_it_is_read_while_another_writes(tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    sink = SqliteSink(path)
    soc = registry["battery.soc"]
    for number in range(20):
        await sink.write([Reading(NOON + number, "roof", soc, 0.5)])
        assert Store(path).curves("roof", ["battery.soc"], NOON, NOON + MINUTE, MINUTE)
    await sink.close()


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may read everything")
async def test_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    store = await write(path, [])
    path.chmod(0)
    assert "cannot be opened" in one_line(store)
