"""How far cells are apart over time: as it was stored, and nothing that was not."""

from __future__ import annotations

from pathlib import Path

import pytest

from rct_tools.errors import ConfigError, SinkError
from rct_tools.objects import ObjectInfo, registry
from rct_tools.reading import Reading
from rct_tools.sinks.sqlite import SqliteSink
from rct_tools.times import SECOND
from rct_tools.values import DataType, Value, encode_value
from rct_tools.web.spread import MOST_STEPS, Range, read_spread
from rct_tools.web.store import Store

from stored_cells import cells

HOUR = 3600 * SECOND
BEGIN = 1_782_000_000 * SECOND // HOUR * HOUR
FIRST, SECOND_MODULE = registry["battery.cells[0]"], registry["battery.cells[1]"]


async def store(path: Path, *readings: tuple[int, ObjectInfo, Value]) -> Store:
    sink = SqliteSink(path)
    await sink.write([Reading(BEGIN + time, "roof", info, value) for time, info, value in readings])
    await sink.close()
    return Store(path)


async def test_a_step_shows_its_first_reading_and_gaps_stay_gaps(tmp_path: Path) -> None:
    found = await store(
        tmp_path / "r.db",
        (0, FIRST, cells(3.2, 3.203, 20, 23)),
        (HOUR - 1, FIRST, cells(3.0, 3.5)),  # the second one of that step
        (60 * SECOND, SECOND_MODULE, cells(3.201, 3.208, 19, 20)),
        (2 * HOUR, FIRST, cells(3.3, 3.304)),  # the other one was not read
        (4 * HOUR, FIRST, cells(0.5, 3.5)),  # after the end
    )
    (tower,) = read_spread(found, "roof", BEGIN, BEGIN + 4 * HOUR, HOUR)
    first, second = tower.modules
    assert (first.number, second.number) == (0, 1)
    assert [step and step.voltage for step in first.steps] == [0.003, None, 0.004, None]
    assert [step and step.temperature for step in first.steps] == [3.0, None, 2.0, None]
    assert second.steps == [Range(3.201, 3.208, 19, 20), None, None, None]
    assert tower.steps == [Range(3.2, 3.208, 19, 23), None, None, None]
    assert read_spread(found, "barn", BEGIN, BEGIN + HOUR, HOUR) == []
    assert read_spread(found, "roof", BEGIN - HOUR, BEGIN, HOUR) == []


async def test_the_last_step_may_be_shorter(tmp_path: Path) -> None:
    found = await store(tmp_path / "r.db", (0, FIRST, cells(3.2, 3.2)), (HOUR + 60, FIRST, cells(3.2, 3.3)))
    (tower,) = read_spread(found, "roof", BEGIN, BEGIN + HOUR + 60, HOUR)
    assert [step and step.voltage for step in tower.steps] == [0.0, None]


async def test_modules_that_are_not_there_are_left_out(tmp_path: Path) -> None:
    nothing = cells(0.0, 0.0, 0, 0)
    found = await store(tmp_path / "r.db", (0, FIRST, cells(3.2, 3.21)), (1, SECOND_MODULE, nothing))
    (tower,) = read_spread(found, "roof", BEGIN, BEGIN + HOUR, HOUR)
    assert [module.number for module in tower.modules] == [0]
    assert tower.steps == [Range(3.2, 3.21, 20, 22)]


async def test_a_module_counts_from_its_first_reading_on(tmp_path: Path) -> None:
    found = await store(
        tmp_path / "r.db",
        *((n * HOUR, FIRST, cells(3.2, 3.21)) for n in (1, 2, 3)),
        (2 * HOUR, SECOND_MODULE, cells(3.2, 3.25)),  # as one that was added
    )
    (tower,) = read_spread(found, "roof", BEGIN, BEGIN + 4 * HOUR, HOUR)
    assert [step and step.voltage for step in tower.steps] == [None, 0.01, 0.05, None]


async def test_the_second_tower_is_stored_as_it_was_sent(tmp_path: Path) -> None:
    info = registry["battery_placeholder[0].cells[3]"]
    payload = encode_value(DataType.BATTERY_MODULE_STATUS, cells(3.1, 3.15))
    found = await store(tmp_path / "r.db", (0, FIRST, cells(3.2, 3.21)), (0, info, payload))
    first, second = read_spread(found, "roof", BEGIN, BEGIN + HOUR, HOUR)
    assert [module.number for module in first.modules] == [0]
    assert second.steps == [Range(3.1, 3.15, 20, 22)]
    assert [module.number for module in second.modules] == [3]


@pytest.mark.parametrize("value", [b"short", "no JSON", "[]", "[1]", '[{"voltage": 3}]', "{", "5", float("nan"), 7])
async def test_what_is_stored_may_be_anything(tmp_path: Path, value: Value) -> None:
    found = await store(tmp_path / "r.db", (0, FIRST, value), (1, SECOND_MODULE, cells(3.2, 3.21)))
    (tower,) = read_spread(found, "roof", BEGIN, BEGIN + HOUR, HOUR)
    assert [module.number for module in tower.modules] == [1]


@pytest.mark.parametrize(("hours", "step"), [(0, HOUR), (-1, HOUR), (MOST_STEPS + 1, HOUR)])
async def test_too_many_steps_or_none(tmp_path: Path, hours: int, step: int) -> None:
    with pytest.raises(ConfigError, match=f"expected 1 to {MOST_STEPS} steps"):
        read_spread(Store(tmp_path / "r.db"), "roof", BEGIN, BEGIN + hours * HOUR, step)


def test_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="there is no such file yet"):
        read_spread(Store(tmp_path / "r.db"), "roof", BEGIN, BEGIN + HOUR, HOUR)
