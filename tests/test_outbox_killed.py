"""Collector and server are killed at random moments: what was acknowledged is there once, with its own time."""

from __future__ import annotations

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from random import Random

import pytest
from test_sinks import NOON

from rct_tools.outbox import Outbox
from rct_tools.sinks import open_sink, settings_for
from rct_tools.sinks.sqlite import query
from rct_tools.spool import Spool

from servers import InfluxServer

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="SIGKILL is POSIX")

ROUNDS = 8
SPAN = 1_000_000  # numbers of one round

CHILD = """
import asyncio, os, random, sys
from pathlib import Path
from rct_tools.objects import registry
from rct_tools.outbox import Outbox
from rct_tools.reading import Reading
from rct_tools.sinks import open_sink, settings_for
from rct_tools.spool import Spool
from rct_tools.spool.age import Age

NOON, url, path, number = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])

class Telling(Spool):
    def append(self, readings):
        unfit = super().append(readings)  # that it returns is the acknowledgement
        if readings:
            os.write(1, b"%d\\n" % readings[-1].value)
        return unfit

async def main():
    global number
    spool = Telling(path, age=Age(wall=lambda: random.randrange(2**62)))  # a clock that jumps all the time
    outbox = Outbox("x", open_sink(settings_for(url)).write, spool=spool, sleep=lambda s: asyncio.sleep(s / 100))
    job = asyncio.create_task(outbox.run())
    while not job.done():
        outbox.put([Reading(NOON + n, "roof", registry["battery.soc"], float(n)) for n in range(number, number + 7)])
        number += 7
        await asyncio.sleep(0.001)
    job.result()

asyncio.run(main())
"""


class Collector:
    """A process that puts numbered readings into an outbox, as fast as it can, until it is killed."""

    def __init__(self, url: str, spool: Path) -> None:
        self._url = url
        self._spool = spool
        self._round = 0
        self.acknowledged: list[range] = []

    async def start(self) -> None:
        self._first = self._round * SPAN
        self._round += 1
        self._last = self._first - 1
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", CHILD, str(NOON), self._url, self._spool, str(self._first), stdout=PIPE
        )

    async def commit(self, times: int) -> None:
        """Wait until it has acknowledged so many times more."""
        assert self._process.stdout is not None
        for _ in range(times):
            line = await self._process.stdout.readline()
            assert line, "it ended by itself"
            self._last = int(line)

    async def kill(self) -> None:
        assert self._process.stdout is not None
        self._process.kill()
        for line in (await self._process.stdout.read()).splitlines(keepends=True):
            self._last = int(line) if line.endswith(b"\n") else self._last
        await self._process.wait()
        self.acknowledged.append(range(self._first, self._last + 1))


async def drain(url: str, path: Path) -> None:
    """Start once more, and write all that waits."""
    sink = open_sink(settings_for(url))
    outbox = Outbox("x", sink.write, spool=Spool(path), drain_rate=1e9)
    job = asyncio.create_task(outbox.run())
    async with asyncio.timeout(60):
        while outbox.kept and not job.done():  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0.01)
    outbox.finish()
    await job
    await sink.close()
    assert (outbox.lost, outbox.refused) == (0, 0)


def check(stored: list[tuple[int, float]], acknowledged: list[range]) -> None:
    """Compare what is stored, by time, with what was acknowledged; more of what was put may be there."""
    assert all(time == NOON + int(value) for time, value in stored)
    numbers = [int(value) for _, value in stored]
    assert numbers == sorted(set(numbers))
    assert set().union(*acknowledged) <= set(numbers)
    assert sum(map(len, acknowledged)) > 50 * len(acknowledged)


async def test_killed_before_a_file(tmp_path: Path) -> None:
    random = Random(4)
    url = f"sqlite:{tmp_path / 'readings.db'}"
    collector = Collector(url, tmp_path / "x.spool")
    for _ in range(ROUNDS):
        await collector.start()
        await collector.commit(random.randrange(10, 60))
        await asyncio.sleep(random.random() / 100)  # a moment that nothing marks
        await collector.kill()
    await drain(url, tmp_path / "x.spool")
    check([(row.time, row.value) for row in query(tmp_path / "readings.db")], collector.acknowledged)


async def test_killed_before_a_server_that_is_killed_too(influx: InfluxServer, tmp_path: Path) -> None:
    random = Random(4)
    url = f"influx://{influx.address}/photovoltaic"
    collector = Collector(url, tmp_path / "x.spool")
    for _ in range(ROUNDS):
        await collector.start()
        await collector.commit(random.randrange(5, 40))
        match random.choice(["collector", "server", "both"]):
            case "collector":
                await collector.kill()
            case "server":
                influx.kill()
                await collector.commit(random.randrange(5, 40))
                await influx.start()
                await collector.commit(random.randrange(5, 40))
                await collector.kill()
            case _:
                influx.kill()
                await collector.commit(random.randrange(0, 20))
                await collector.kill()
                await influx.start()
    await drain(url, tmp_path / "x.spool")
    rows = await influx.query('SELECT "battery.soc" AS value FROM pv', "photovoltaic")
    check([(row["time"], row["value"]) for row in rows], collector.acknowledged)
