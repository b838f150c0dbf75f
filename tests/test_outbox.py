"""The outbox: what is kept, in which order it goes, what is said; in memory, and before a real spool."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from test_collector import Clock, Shelf

from rct_tools.errors import SinkError
from rct_tools.objects import registry
from rct_tools.outbox import Outbox
from rct_tools.reading import Reading


def numbered(*numbers: int) -> list[Reading]:
    return [Reading(number, "roof", registry["battery.soc"], float(number)) for number in numbers]


async def test_waits_between_attempts_double_up_to_five_minutes() -> None:
    clock = Clock()
    shelf = Shelf(fails=lambda attempt: SinkError("x: away") if attempt <= 11 or attempt == 13 else None)
    outbox = Outbox("x", shelf.write, sleep=clock.sleep, chance=lambda: 1)
    job = asyncio.create_task(outbox.run())
    for number in (1, 2):
        outbox.put(numbered(number))
        while outbox.kept:  # noqa: ASYNC110  # nobody tells when a reading was written
            await asyncio.sleep(0)
    outbox.finish()
    await job
    assert clock.slept == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 1]
    assert [reading.time for reading in shelf.readings] == [1, 2]
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_oldest_are_dropped_beyond_the_limit_and_it_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    shelf = Shelf(fails=lambda attempt: SinkError("x: away") if attempt in (1, 3) else None)

    async def meanwhile(_: float) -> None:
        if shelf.attempts == 1:
            for number in range(4, 10):
                outbox.put(numbered(number))

    outbox = Outbox("x", shelf.write, limit=5, sleep=meanwhile)
    job = asyncio.create_task(outbox.run())
    for numbers in ((1, 2, 3), (10,)):
        outbox.put(numbered(*numbers))
        while outbox.kept:  # noqa: ASYNC110  # nobody tells when a reading was written
            await asyncio.sleep(0)
    outbox.finish()
    await job
    assert [reading.time for reading in shelf.readings] == [5, 6, 7, 8, 9, 10]
    assert (outbox.written, outbox.lost) == (6, 4)
    assert caplog.messages == [
        "x: away; keeping readings, will retry",
        "x: 5 readings are waiting, the oldest are dropped now",
        "x: works again; 5 readings had been kept, 4 were dropped",
        "x: away; keeping readings, will retry",
        "x: works again; 1 readings had been kept",
    ]


async def test_nothing_is_dropped_twice_when_the_limit_is_met_during_a_write() -> None:
    outbox: Outbox

    async def write(readings: Sequence[Reading]) -> None:
        if not taken:
            outbox.put(numbered(3, 4, 5))
        taken.extend(reading.time for reading in readings)

    taken: list[int] = []
    outbox = Outbox("x", write, limit=3)
    outbox.put(numbered(1, 2))
    outbox.finish()
    await outbox.run()
    assert taken == [1, 2, 3, 4, 5]
    assert outbox.lost == 0


async def test_each_reason_is_said_once_and_refusal_for_good_holds_up_nobody(caplog: pytest.LogCaptureFixture) -> None:
    errors = [SinkError("x: refused"), SinkError("x: 401"), SinkError("x: refused"), SinkError("x: 401")]
    errors.append(SinkError("x: nonsense", permanent=True))
    shelf = Shelf(fails=lambda attempt: errors[attempt - 1] if attempt <= len(errors) else None)
    clock = Clock()
    outbox = Outbox("x", shelf.write, sleep=clock.sleep)
    job = asyncio.create_task(outbox.run())
    outbox.put(numbered(1))
    while outbox.kept:  # noqa: ASYNC110  # nobody tells when a reading was written
        await asyncio.sleep(0)
    outbox.put(numbered(2))
    outbox.finish()
    await job
    assert [reading.time for reading in shelf.readings] == [2]
    assert caplog.messages == [
        "x: refused; keeping readings, will retry",
        "x: 401; still keeping readings",
        "x: refused for good: 1 readings, of battery.soc: x: nonsense",
        "x: works again; 1 readings had been kept",
    ]


async def test_finishing_wakes_it_for_one_last_try(caplog: pytest.LogCaptureFixture) -> None:
    napping = asyncio.Event()

    async def nap(_: float) -> None:
        napping.set()
        await asyncio.Event().wait()

    shelf = Shelf(fails=lambda attempt: SinkError("x: away"))
    outbox = Outbox("x", shelf.write, sleep=nap)
    outbox.put(numbered(1, 2))
    job = asyncio.create_task(outbox.run())
    await napping.wait()
    outbox.finish()
    await job
    assert shelf.attempts == 2
    assert caplog.messages[1:] == ["x: 2 readings lost: the program ended before they could be written"]
