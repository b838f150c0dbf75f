"""The outbox: what is kept, in which order it goes, what is said; in memory, and before a real spool."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from rct_tools.errors import SinkError
from rct_tools.objects import ObjectInfo, registry
from rct_tools.outbox import GATHER, Outbox, OutboxStatus
from rct_tools.outbox.disk import RETRY
from rct_tools.reading import Reading
from rct_tools.spool import Spool
from rct_tools.values import DataType

from standins import Clock, Shelf


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
    assert clock.slept == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, GATHER, 1, GATHER]
    assert [reading.time for reading in shelf.readings] == [1, 2]
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_readings_that_come_one_by_one_are_written_together() -> None:
    """The first at once, the next after a moment, so that a thread is not woken for each."""
    pauses: asyncio.Queue[asyncio.Event] = asyncio.Queue()

    async def sleep(delay: float) -> None:
        assert delay == GATHER
        over = asyncio.Event()
        pauses.put_nowait(over)
        await over.wait()

    shelf = Shelf()
    outbox = Outbox("x", shelf.write, sleep=sleep)
    job = asyncio.create_task(outbox.run())
    outbox.put(numbered(1))
    over = await pauses.get()
    assert [reading.time for reading in shelf.readings] == [1]
    for number in (2, 3):
        outbox.put(numbered(number))
    assert outbox.kept == 2
    over.set()
    await pauses.get()
    assert ([reading.time for reading in shelf.readings], shelf.attempts) == ([1, 2, 3], 2)
    outbox.put(numbered(4))
    outbox.finish()  # ends the pause
    await job
    assert (outbox.written, outbox.kept) == (4, 0)


def test_status_while_the_spool_takes_what_is_in_flight() -> None:
    class Emptied(list[Reading]):
        """As its thread empties it, at the worst of moments."""

        def __bool__(self) -> bool:
            there = len(self) > 0
            self.clear()
            return there

    outbox = Outbox("x", Shelf().write)
    outbox._memory.in_flight = Emptied(numbered(1))
    assert outbox.status.oldest == 1
    outbox._memory.in_flight = Emptied()
    assert outbox.status.oldest is None
    outbox.put(numbered(2))
    assert outbox.status.oldest == 2


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


async def test_dropping_is_said_anew_when_all_had_been_written(caplog: pytest.LogCaptureFixture) -> None:
    outbox = Outbox("x", Shelf().write, limit=2)
    job = asyncio.create_task(outbox.run())
    for _ in range(2):
        outbox.put(numbered(1, 2, 3))
        outbox.put(numbered(4))
        await until(lambda: not outbox.kept)
    outbox.finish()
    await job
    assert (outbox.written, outbox.lost) == (4, 4)
    assert caplog.messages == ["x: 2 readings are waiting, the oldest are dropped now"] * 2


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


async def test_what_comes_during_a_write_that_fails_goes_behind_it() -> None:
    attempts: list[list[int]] = []

    async def write(readings: Sequence[Reading]) -> None:
        attempts.append([reading.time for reading in readings])
        if len(attempts) == 1:
            outbox.put(numbered(3))
            raise SinkError("x: away")

    outbox = Outbox("x", write, sleep=Clock().sleep)
    outbox.put(numbered(1, 2))
    job = asyncio.create_task(outbox.run())
    await until(lambda: not outbox.kept)
    outbox.finish()
    await job
    assert attempts == [[1, 2], [1, 2, 3]]


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
    assert (shelf.attempts, outbox.lost, outbox.kept) == (2, 2, 0)
    assert caplog.messages[1:] == ["x: 2 readings lost: the program ended before they could be written"]


async def test_server_that_wants_to_be_left_alone_is(caplog: pytest.LogCaptureFixture) -> None:
    wishes = [0.5, 30.0, 10**6, None]
    errors = [SinkError("x: 429", retry_after=wish) for wish in wishes]
    shelf = Shelf(fails=lambda attempt: errors[attempt - 1] if attempt <= len(errors) else None)
    clock = Clock()
    outbox = Outbox("x", shelf.write, sleep=clock.sleep, chance=lambda: 0)
    outbox.put(numbered(1))
    job = asyncio.create_task(outbox.run())
    await until(lambda: outbox.written == 1)
    outbox.finish()
    await job
    assert clock.slept == [0.5, 30, 300, 4, GATHER]  # halves of 1, 2, 4 and 8 seconds, when nothing else is wished
    assert len(caplog.messages) == 2


async def test_server_whose_errors_differ_each_time_does_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    shelf = Shelf(fails=lambda attempt: SinkError(f"x: request {attempt}") if attempt <= 100 else None)
    outbox = Outbox("x", shelf.write, sleep=Clock().sleep, clock=lambda: 77)
    outbox.put(numbered(1))
    job = asyncio.create_task(outbox.run())
    await until(lambda: shelf.attempts > 50)
    assert outbox.status.trouble.startswith("x: request ")
    assert outbox.status.since == 77
    await until(lambda: outbox.written == 1)
    outbox.finish()
    await job
    assert len(caplog.messages) == 9
    assert outbox.status.trouble == ""


# --- refused for good -----------------------------------------------------------------------------------------------


@dataclass
class Picky:
    """A store that takes a request only when each reading in it is right, and there are not too many."""

    bad: set[int]
    most: int = 10**9
    taken: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    async def write(self, readings: Sequence[Reading]) -> None:
        self.sizes.append(len(readings))
        if len(readings) > self.most:
            raise SinkError("x: 413 too large", permanent=True)
        if bad := [reading.time for reading in readings if reading.time in self.bad]:
            raise SinkError(f"x: 400 bad number {bad[0]}", permanent=True)
        self.taken += [reading.time for reading in readings]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.spool"


@pytest.mark.parametrize("spooled", [False, True])
async def test_refused_readings_are_singled_out(spooled: bool, path: Path, caplog: pytest.LogCaptureFixture) -> None:
    picky = Picky({0, 77, 78, 999})
    outbox = Outbox("x", picky.write, spool=Spool(path) if spooled else None)
    outbox.put(numbered(*range(1000)))
    outbox.finish()
    await outbox.run()
    assert picky.taken == [n for n in range(1000) if n not in picky.bad]
    assert (outbox.written, outbox.refused, outbox.lost, outbox.kept) == (996, 4, 0, 0)
    assert len(picky.sizes) < 80
    assert caplog.messages == ["x: refused for good: 4 readings, of battery.soc: x: 400 bad number 0"]
    if spooled:
        assert outbox._disk
        assert outbox._disk._settled._apart == {}
        assert look(path, "SELECT time, reason FROM refused") == [
            (n, f"x: 400 bad number {n}") for n in sorted(picky.bad)
        ]
        assert look(path, "SELECT * FROM waiting") == []


async def test_what_is_too_large_goes_in_parts() -> None:
    picky = Picky(set(), most=300)
    outbox = Outbox("x", picky.write)
    outbox.put(numbered(*range(5000)))
    outbox.finish()
    await outbox.run()
    assert picky.taken == list(range(5000))
    assert (outbox.written, outbox.refused) == (5000, 0)


async def test_trouble_amid_the_parts_repeats_only_what_is_left() -> None:
    calls = 0

    async def write(readings: Sequence[Reading]) -> None:
        nonlocal calls
        calls += 1
        if len(readings) > 2:
            raise SinkError("x: 413", permanent=True)
        if calls == 5:
            raise SinkError("x: away")
        taken.extend(reading.time for reading in readings)

    taken: list[int] = []
    outbox = Outbox("x", write, sleep=Clock().sleep)
    outbox.put(numbered(*range(8)))
    job = asyncio.create_task(outbox.run())
    await until(lambda: not outbox.kept)
    outbox.finish()
    await job
    assert taken == list(range(8))


async def test_refusals_are_said_once_for_an_object_and_of_some_only(caplog: pytest.LogCaptureFixture) -> None:
    async def write(readings: Sequence[Reading]) -> None:
        raise SinkError("x: 400", permanent=True)

    infos = [ObjectInfo(0, f"object{n}", DataType.FLOAT) for n in range(200)]
    outbox = Outbox("x", write)
    job = asyncio.create_task(outbox.run())
    for start in (0, 0, 50, 100, 150):
        outbox.put([Reading(1, "roof", info, 1.0) for info in infos[start : start + 50]])
        await until(lambda: not outbox.kept)
    outbox.finish()
    await job
    names = "object0, object1, object2, object3, object4, …"
    assert caplog.messages[0] == f"x: refused for good: 50 readings, of {names}: x: 400"
    assert len(caplog.messages) == 2
    assert outbox.refused == 250


# --- before a spool -------------------------------------------------------------------------------------------------


def look(path: Path, query: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True) as database:
        rows = database.execute(query).fetchall()
    database.close()
    return rows


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0.001)


@dataclass
class Server:
    """A store that is there or not, and remembers in which order readings came."""

    error: SinkError | None = None
    refuses: Callable[[Sequence[Reading]], bool] = lambda readings: False
    batches: list[list[int]] = field(default_factory=list)
    attempts: int = 0
    hold: asyncio.Event | None = None  # nothing is answered before

    async def write(self, readings: Sequence[Reading]) -> None:
        self.attempts += 1
        if self.hold:
            await self.hold.wait()
        if self.error and not self.refuses(readings):
            raise self.error
        if not self.error and self.refuses(readings):
            raise SinkError("x: 500")
        self.batches.append([reading.time for reading in readings])

    @property
    def taken(self) -> list[int]:
        return [time for batch in self.batches for time in batch]


@dataclass
class Gate:
    """Sleep that lasts until it is told to end; that between commits does not count."""

    slept: list[float] = field(default_factory=list)
    _open: asyncio.Event = field(default_factory=asyncio.Event)

    async def sleep(self, seconds: float) -> None:
        if seconds == GATHER:
            await asyncio.sleep(0)
            return
        self.slept.append(seconds)
        await self._open.wait()

    def wake(self) -> bool:
        """End the sleep of all who sleep now."""
        self._open.set()
        self._open = asyncio.Event()
        return False


@asynccontextmanager
async def running(outbox: Outbox) -> AsyncIterator[None]:
    job = asyncio.create_task(outbox.run())
    try:
        yield
    finally:
        outbox.finish()
        await job
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_readings_go_by_way_of_the_disk_and_leave_nothing_there(path: Path) -> None:
    server, spool = Server(), Spool(path)
    order: list[str] = []

    class Told(Spool):
        def append(self, readings: Sequence[Reading]) -> list[Reading]:
            unfit = super().append(readings)
            order.append(f"committed {len(readings)}")
            return unfit

    async def write(readings: Sequence[Reading]) -> None:
        order.append(f"written {len(readings)}")
        await server.write(readings)

    spool.close()
    outbox = Outbox("x", write, spool=Told(path))
    async with running(outbox):
        for start in range(0, 100, 10):
            outbox.put(numbered(*range(start, start + 10)))
            await until(lambda: not outbox.kept)
    assert server.taken == list(range(100))
    assert order == ["committed 10", "written 10"] * 10
    assert look(path, "SELECT * FROM waiting") == []
    assert (outbox.written, outbox.lost) == (100, 0)


async def test_commits_go_on_while_the_sink_hangs_and_are_gathered(path: Path) -> None:
    server = Server(hold=asyncio.Event())
    commits = 0

    async def sleep(seconds: float) -> None:
        nonlocal commits
        assert seconds == GATHER
        commits += 1
        gate.clear()
        await gate.wait()

    gate = asyncio.Event()
    outbox = Outbox("x", server.write, spool=Spool(path), sleep=sleep)
    async with running(outbox):
        outbox.put(numbered(0))
        await until(lambda: server.attempts == 1)
        for number in range(1, 50):
            outbox.put(numbered(number))
            await asyncio.sleep(0)
        assert (commits, outbox.status.spooled, outbox.kept) == (1, 1, 50)
        gate.set()
        await until(lambda: outbox.status.spooled == 50)
        assert commits == 2
        assert server.hold
        server.hold.set()
        await until(lambda: not outbox.kept)
    assert server.batches == [[0], list(range(1, 50))]


async def test_after_an_outage_new_readings_go_at_once_and_old_ones_beside_them_at_a_rate(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server, gate = Server(SinkError("x: away")), Gate()
    outbox = Outbox("x", server.write, spool=Spool(path), sleep=gate.sleep, drain_rate=100, chance=lambda: 1)
    async with running(outbox):
        outbox.put(numbered(*range(1000)))
        await until(lambda: gate.slept == [1])
        outbox.put(numbered(*range(1000, 1050)))
        await until(lambda: outbox.status.spooled == 1050)
        server.error = None
        gate.wake()
        await until(lambda: gate.slept == [1, 1.0])
        assert server.batches == [list(range(1000, 1050)), list(range(100))]
        for second in range(1, 10):
            outbox.put(numbered(2000 + second))
            await until(lambda: 2000 + second in server.taken)  # noqa: B023  # in this very turn
            gate.wake()
            await until(lambda: len(gate.slept) == second + 2)  # noqa: B023
        await until(lambda: not outbox.kept)
    old = [time for time in server.taken if time < 1000]
    new = [time for time in server.taken if time >= 1000]
    assert (old, new) == (list(range(1000)), [*range(1000, 1050), *range(2001, 2010)])
    assert gate.slept == [1] + [1.0] * 10
    assert caplog.messages == ["x: away; keeping readings, will retry", "x: works again; 1050 readings had been kept"]


async def test_what_waits_at_the_end_waits_for_the_next_start(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    server, gate = Server(SinkError("x: away")), Gate()
    outbox = Outbox("x", server.write, spool=Spool(path), sleep=gate.sleep)
    async with running(outbox):
        outbox.put(numbered(1, 2))
        await until(lambda: gate.slept)
        outbox.put(numbered(3))  # and at once the end
    assert (outbox.lost, outbox.written) == (0, 0)
    assert caplog.messages == ["x: away; keeping readings, will retry"]
    server.error = None
    with caplog.at_level(logging.INFO, "rct_tools"):
        outbox = Outbox("x", server.write, spool=Spool(path), sleep=gate.sleep)
        assert (outbox.kept, outbox.status.oldest) == (3, 1)
        async with running(outbox):
            await until(lambda: not outbox.kept)
    assert caplog.messages[1:] == [f"x: 3 readings wait in {path}"]
    assert server.taken == [1, 2, 3]


async def test_backlog_that_fails_for_itself_holds_up_nobody_and_is_said_once(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server, gate = Server(SinkError("x: away")), Gate()
    outbox = Outbox("x", server.write, spool=Spool(path), sleep=gate.sleep, chance=lambda: 1)
    async with running(outbox):
        outbox.put(numbered(1))
        await until(lambda: gate.slept == [1])
        server.error = None
        server.refuses = lambda readings: readings[0].time == 1
        outbox.put(numbered(2))
        await until(lambda: outbox.status.spooled == 2)
        gate.wake()
        for number in (2, 3, 4, 5):
            await until(lambda: len(gate.slept) == number)  # noqa: B023  # in this very turn
            outbox.put(numbered(number + 1))
            await until(lambda: number + 1 in server.taken)  # noqa: B023
            gate.wake()
        await until(lambda: len(gate.slept) == 6)
        assert gate.slept == [1, 1, 2, 4, 8, 16]
        server.refuses = lambda readings: False
        gate.wake()
        await until(lambda: not outbox.kept)
    assert server.taken == [2, 3, 4, 5, 6, 1]
    assert [message.partition(";")[0] for message in caplog.messages] == [
        "x: away",
        "x: works again",
        "x: 500",
        "x: works again",
    ]


async def test_live_success_wakes_a_backlog_that_waits_long(path: Path) -> None:
    server, gate = Server(SinkError("x: away")), Gate()
    outbox = Outbox("x", server.write, spool=Spool(path), sleep=gate.sleep)
    async with running(outbox):
        outbox.put(numbered(1))
        await until(lambda: len(gate.slept) == 1)
        gate.wake()
        await until(lambda: len(gate.slept) == 2)  # the backlog has failed, too
        server.error = None
        outbox.put(numbered(2))
        await until(lambda: not outbox.kept)  # though nobody woke it
    assert server.taken == [2, 1]


async def test_writes_become_smaller_with_each_failure_and_larger_again(path: Path) -> None:
    spool = Spool(path)
    spool.append(numbered(*range(20_000)))
    sizes: list[int] = []

    async def write(readings: Sequence[Reading]) -> None:
        sizes.append(len(readings))
        if len(sizes) <= 8:
            raise SinkError("x: no answer in 10 s")

    outbox = Outbox("x", write, spool=spool, sleep=Clock().sleep, drain_rate=1e9)
    async with running(outbox):
        await until(lambda: not outbox.kept)
    assert sizes[:16] == [5000, 2500, 1250, 625, 312, 156, 100, 100, 100, 200, 400, 800, 1600, 3200, 5000, 5000]


# --- limits ---------------------------------------------------------------------------------------------------------


async def test_spool_at_its_limit_drops_the_oldest_and_says_so_once(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server, gate = Server(SinkError("x: away")), Gate()
    outbox = Outbox("x", server.write, spool=Spool(path, size_limit=200_000), sleep=gate.sleep, drain_rate=1e9)
    async with running(outbox):
        for start in range(0, 30_000, 1000):
            outbox.put(numbered(*range(start, start + 1000)))
            await until(lambda: len(outbox._memory) == 0)
        server.error = None
        lost = outbox.lost
        assert outbox.status.spool_bytes <= 200_000
        gate.wake()
        await until(lambda: not outbox.kept)
    assert sorted(server.taken) == list(range(lost, 30_000))
    assert caplog.messages == [
        "x: away; keeping readings, will retry",
        "x: the spool is at its limit of size or age, the oldest are dropped now",
        f"x: works again; {30_000 - lost} readings had been kept, {lost} were dropped",
    ]


async def test_backlog_that_was_dropped_is_passed_over(path: Path) -> None:
    server, gate = Server(SinkError("x: away")), Gate()
    outbox = Outbox("x", server.write, spool=Spool(path, size_limit=200_000), sleep=gate.sleep)
    async with running(outbox):
        outbox.put(numbered(*range(100)))
        await until(lambda: gate.slept)
        outbox.put(numbered(*range(100, 20_000)))
        await until(lambda: outbox.lost)
        server.error = None
        await until(lambda: gate.wake() or not outbox.kept)
    assert server.taken == list(range(outbox.lost, 20_000))


async def test_dropped_on_the_way_to_the_sink_is_not_lost(path: Path) -> None:
    server = Server(hold=asyncio.Event())
    outbox = Outbox("x", server.write, spool=Spool(path, size_limit=200_000))
    async with running(outbox):
        outbox.put(numbered(*range(1000)))
        await until(lambda: server.attempts == 1)
        outbox.put(numbered(*range(1000, 20_000)))
        await until(lambda: outbox.lost)
        before = outbox.lost
        assert server.hold
        server.hold.set()
        await until(lambda: not outbox.kept)
    assert outbox.lost == before - 1000
    assert len(server.taken) + outbox.lost == 20_000
    assert server.taken == [*range(1000), *range(before, 20_000)]


async def test_value_that_no_file_can_hold_is_counted(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    server = Server()
    outbox = Outbox("x", server.write, spool=Spool(path))
    async with running(outbox):
        outbox.put([Reading(1, "roof", registry["svnversion"], "\ud800"), *numbered(2)])
        await until(lambda: not outbox.kept)
    assert (server.taken, outbox.refused) == ([2], 1)
    assert caplog.messages == ["x: refused for good: 1 readings, of svnversion: no file can hold its value"]


# --- a disk in trouble ----------------------------------------------------------------------------------------------


class Sick(Spool):
    """A spool whose disk fails as told, in SQLite's own way."""

    write_fails = read_fails = False

    def append(self, readings: Sequence[Reading]) -> list[Reading]:
        self._set()
        return super().append(readings)

    def settle(self, *args: object) -> int:
        self._set()
        return super().settle(*args)  # type: ignore[arg-type]

    def take(self, *args: int) -> list[tuple[int, Reading]]:
        if self.read_fails:
            raise SinkError(f"{self.path}: disk I/O error")
        return super().take(*args)

    def _set(self) -> None:
        assert self._file._database
        self._file._database.execute(f"PRAGMA query_only = {'ON' if self.write_fails else 'OFF'}")


async def test_without_a_disk_it_goes_on_in_memory_and_comes_back(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    server, gate, spool = Server(SinkError("x: away")), Gate(), Sick(path)
    outbox = Outbox("x", server.write, spool=spool, sleep=gate.sleep, limit=5, chance=lambda: 1)
    async with running(outbox):
        outbox.put(numbered(1))
        await until(lambda: gate.slept == [1])
        spool.write_fails = True
        for number in range(2, 9):
            outbox.put(numbered(number))
            await until(lambda: 10 in gate.slept)
        assert outbox.status.disk_trouble == f"{path}: cannot be written: it is read-only"
        assert (outbox.status.spooled, outbox.kept, outbox.lost) == (1, 6, 2)
        spool.write_fails = False
        gate.wake()
        await until(lambda: outbox.status.spooled == 6)
        server.error = None
        await until(lambda: gate.wake() or not outbox.kept)
    assert server.taken == [1, 4, 5, 6, 7, 8]
    assert outbox.status.disk_trouble == ""
    trouble = f"{path}: cannot be written: it is read-only"
    assert caplog.messages == [
        "x: away; keeping readings, will retry",
        f"x: spool {trouble}; keeping readings in memory until it works again",
        "x: 5 readings are waiting, the oldest are dropped now",
        f"x: the spool works again; it was: {trouble}",
        "x: works again; 6 readings had been kept, 2 were dropped",
    ]


async def test_disk_that_cannot_be_written_holds_up_neither_new_readings_nor_the_backlog(path: Path) -> None:
    spool = Sick(path)
    spool.append(numbered(1, 2, 3))
    spool.write_fails = True
    server, gate = Server(), Gate()
    outbox = Outbox("x", server.write, spool=spool, sleep=gate.sleep)
    async with running(outbox):
        for number in (4, 5):
            outbox.put(numbered(number))
            await until(lambda: number in server.taken)  # noqa: B023
        await until(lambda: not outbox.kept)
        assert look(path, "SELECT count(*) FROM waiting") == [(3,)]  # written, but they cannot be removed
        spool.write_fails = False
        gate.wake()
        await until(lambda: look(path, "SELECT count(*) FROM waiting") == [(0,)])  # though nothing new comes
    assert not outbox.status.disk_trouble
    assert sorted(server.taken) == [1, 2, 3, 4, 5]
    assert outbox.lost == 0


async def test_what_has_waited_for_the_disk_is_written_at_the_rate_of_what_has_waited(path: Path) -> None:
    spool, server = Sick(path), Server(SinkError("x: away"))
    spool.write_fails = True
    disk, sink = asyncio.Event(), asyncio.Event()  # when they are tried again

    async def sleep(seconds: float) -> None:
        await (disk if seconds == RETRY else sink).wait()

    outbox = Outbox("x", server.write, spool=spool, sleep=sleep, drain_rate=100)
    async with running(outbox):
        outbox.put(numbered(*range(1000)))
        await until(lambda: server.attempts)
        spool.write_fails = False
        disk.set()
        await until(lambda: outbox.status.spooled == 1000)
        server.error = None
        sink.set()
        await until(lambda: not outbox.kept)
    assert server.batches == [list(range(start, start + 100)) for start in range(0, 1000, 100)]


async def test_what_cannot_be_removed_is_not_written_twice(path: Path) -> None:
    server, gate, spool = Server(SinkError("x: away")), Gate(), Sick(path)
    outbox = Outbox("x", server.write, spool=spool, sleep=gate.sleep)
    async with running(outbox):
        outbox.put(numbered(1))
        await until(lambda: len(gate.slept) == 1)
        outbox.put(numbered(2))
        await until(lambda: outbox.status.spooled == 2)
        spool.write_fails, server.error = True, None
        await until(lambda: gate.wake() or not outbox.kept)  # both are written, and stay on disk
        server.error = SinkError("x: away again")
        outbox.put(numbered(3))
        await until(lambda: gate.wake() or (outbox.status.trouble and outbox.status.disk_trouble))
        spool.write_fails = False
        await until(lambda: gate.wake() or outbox.status.spooled == 1)
        server.error = None
        await until(lambda: gate.wake() or not outbox.kept)
    assert server.taken == [2, 1, 3]
    assert look(path, "SELECT * FROM waiting") == []
    assert (outbox.written, outbox.lost) == (3, 0)


async def test_disk_that_cannot_be_read_is_said_once_and_tried_again(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool = Sick(path)
    spool.append(numbered(1))
    spool.read_fails = True
    server, gate = Server(), Gate()
    outbox = Outbox("x", server.write, spool=spool, sleep=gate.sleep)
    async with running(outbox):
        for number in (2, 3):
            outbox.put(numbered(number))
            await until(lambda: outbox.status.spooled == number)  # noqa: B023
            gate.wake()
        await until(lambda: outbox.status.disk_trouble)
        assert (server.taken, outbox.kept) == ([], 3)
        spool.read_fails = False
        gate.wake()
        await until(lambda: outbox.written)
        outbox.put(numbered(4))
        await until(lambda: not outbox.kept)
    assert sorted(server.taken) == [1, 2, 3, 4]
    assert caplog.messages == [
        f"x: spool {path}: disk I/O error; what waits in it goes on waiting",
        f"x: the spool works again; it was: {path}: disk I/O error",
    ]


async def test_end_without_disk_and_server_is_the_only_loss(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    spool = Sick(path)
    spool.write_fails = True
    server, gate = Server(SinkError("x: away")), Gate()
    outbox = Outbox("x", server.write, spool=spool, sleep=gate.sleep)
    async with running(outbox):
        outbox.put(numbered(1, 2))
        await until(lambda: server.attempts)
    assert outbox.lost == 2
    assert caplog.messages[-1] == "x: 2 readings lost: the program ended before they could be written"


async def test_cancelled_in_the_middle_of_a_commit_it_loses_and_doubles_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, go_on = threading.Event(), threading.Event()

    class Slow(Spool):
        def append(self, readings: Sequence[Reading]) -> list[Reading]:
            began.set()
            go_on.wait()
            return super().append(readings)

    outbox = Outbox("x", Server().write, spool=Slow(path))
    job = asyncio.create_task(outbox.run())
    outbox.put(numbered(1, 2))
    await until(began.is_set)
    outbox.put(numbered(3))
    assert outbox._disk
    end = outbox._disk.stop

    def stop() -> None:  # nobody is left who waits for the commit
        go_on.set()
        end()

    monkeypatch.setattr(outbox._disk, "stop", stop)
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    assert look(path, "SELECT time FROM waiting ORDER BY seq") == [(1,), (2,), (3,)]
    assert outbox.lost == 0


async def test_cancelled_in_the_middle_of_a_write_it_keeps_what_was_not_taken(path: Path) -> None:
    taken: list[int] = []

    async def write(readings: Sequence[Reading]) -> None:
        if len(readings) > 2:
            raise SinkError("x: 413", permanent=True)
        if readings[0].time > 2:
            await asyncio.Event().wait()
        taken.extend(reading.time for reading in readings)

    outbox = Outbox("x", write, spool=Spool(path))
    outbox.put(numbered(1, 2, 3, 4))
    job = asyncio.create_task(outbox.run())
    await until(lambda: taken)
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    assert taken == [1, 2]
    assert look(path, "SELECT time FROM waiting ORDER BY seq") == [(3,), (4,)]


async def test_what_a_server_may_yet_lose_stays_in_the_spool_for_a_while(path: Path) -> None:
    server = Server()
    outbox = Outbox("x", server.write, spool=Spool(path), hold=600)
    async with running(outbox):
        outbox.put(numbered(1, 2, 3))
        await until(lambda: outbox.written == 3)
        assert (outbox.kept, outbox.status.oldest, outbox.status.spooled) == (0, None, 0)
    assert outbox.lost == 0
    assert look(path, "SELECT time FROM waiting ORDER BY seq") == [(1,), (2,), (3,)]
    again = Outbox("x", server.write, spool=Spool(path), hold=0.01)  # it was killed, and the server with it
    async with running(again):
        again.put(numbered(4))
        await until(lambda: again.written == 4)
        await asyncio.sleep(0.02)
        again.put(numbered(5))
        await until(lambda: again.written == 5)
        await until(lambda: look(path, "SELECT time FROM waiting") in ([], [(5,)]))
    assert sorted(server.taken) == [1, 1, 2, 2, 3, 3, 4, 5]
    assert again.lost == 0


async def test_what_is_refused_is_set_apart_at_once(path: Path) -> None:
    server = Server()

    async def write(readings: Sequence[Reading]) -> None:
        if any(reading.time == 2 for reading in readings):
            raise SinkError("x: 400", permanent=True)
        await server.write(readings)

    outbox = Outbox("x", write, spool=Spool(path), hold=600)
    async with running(outbox):
        outbox.put(numbered(1, 2, 3))
        await until(lambda: outbox.refused)
        await until(lambda: look(path, "SELECT time, reason FROM refused") == [(2, "x: 400")])
    assert look(path, "SELECT time FROM waiting ORDER BY seq") == [(1,), (3,)]
    assert (outbox.written, outbox.lost, outbox.kept) == (2, 0, 0)


async def test_what_stays_in_the_spool_is_not_written_again_after_trouble(path: Path) -> None:
    server, gate = Server(), Gate()
    outbox = Outbox("x", server.write, spool=Spool(path), hold=600, sleep=gate.sleep)
    async with running(outbox):
        for first in (1, 4):
            outbox.put(numbered(first, first + 1))
            await until(lambda: not outbox.kept)
            server.error = SinkError("x: away")
            outbox.put(numbered(first + 2))
            await until(lambda: gate.slept)
            server.error = None
            await until(lambda: gate.wake() or not outbox.kept)
            gate.slept.clear()
    assert sorted(server.taken) == [1, 2, 3, 4, 5, 6]
    assert (outbox.written, outbox.lost, outbox.kept) == (6, 0, 0)


async def test_status(path: Path) -> None:
    server, gate = Server(SinkError("x: away")), Gate()
    outbox = Outbox("x", server.write, spool=Spool(path), sleep=gate.sleep, clock=lambda: 5)
    empty = outbox.status
    assert empty == OutboxStatus("x", 0, 0, 0, empty.spool_bytes, None, 0, 0, "", None, "")
    outbox.put(numbered(7, 3))
    assert (outbox.status.oldest, outbox.status.kept, outbox.status.spooled) == (7, 2, 0)
    async with running(outbox):
        await until(lambda: gate.slept)
        outbox.put(numbered(8))
        await until(lambda: outbox.status.spooled == 3)
        size = outbox.status.spool_bytes
        assert outbox.status == OutboxStatus("x", 0, 3, 3, size, 7, 0, 0, "x: away", 5, "")
        assert size > 10_000
