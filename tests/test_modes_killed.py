"""A mode is killed at each of its steps, and the next start puts back everything.

The steps are the requests as they reach the inverter: all writes, before they are taken and after, and some of the
reads around them. What runs the modes is killed with SIGKILL, so that nothing of it can tidy up.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import pytest

from rct_tools.client import connect
from rct_tools.frame import Command, Frame
from rct_tools.modes import MODES, kept, put_back, steered
from rct_tools.objects import registry
from rct_tools.simulator import Simulator
from rct_tools.values import Value
from rct_tools.writable import WRITABLE
from rct_tools.writing import Writer

from programs import ROOT

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes that are cheap to kill are POSIX")

OPTIONS: dict[str, dict[str, float]] = {
    "hold": {},
    "charge": {"power": 3000.0, "soc": 0.9},
    "discharge": {"power": 500.0, "soc": 0.3},
    "reserve": {"soc": 0.4},
}
READS = 4  # so many of the reads of each mode, beside all writes
LANES = 3  # at the same time
ALL = [*WRITABLE, "power_mng.soc_min_island"]

# Starts a process for each line on its input, which begins with the next: with all modules loaded, that takes no time.
STARTER = """
import asyncio, json, os, sys
from pathlib import Path
from rct_tools.client import connect
from rct_tools.modes import steered
from rct_tools.writing import Writer

async def main(port, folder, mode, options):
    async with connect("127.0.0.1", port) as client:
        writer = Writer(client, Path(folder), sleep=lambda seconds: asyncio.sleep(seconds / 200))
        async with steered(writer, mode, **options):
            pass

for line in sys.stdin:
    known, told = os.pipe()
    pid = os.fork()
    if not pid:
        os.read(known, 1)
        asyncio.run(main(*json.loads(line)))
        os._exit(0)
    print(pid, flush=True)
    sys.stdin.readline()
    os.write(told, b"1")
    os.close(known)
    os.close(told)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


class Victim:
    """Counts what a process asks, and kills it at one of these requests."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.asked: list[bool] = []  # whether each was a write
        self.strikes: Callable[[], bool] = lambda: False
        self.early = False  # whether it is killed before the request is taken
        self.pid = 0
        self._answer = simulator.inverter.answer
        simulator.inverter.answer = self.answer  # type: ignore[method-assign]

    def answer(self, request: Frame) -> Frame | None:
        self.asked.append(request.command is Command.WRITE)
        if strikes := self.strikes():
            os.kill(self.pid, signal.SIGKILL)
        return None if strikes and self.early else self._answer(request)

    async def run(self, starter: Process, folder: Path, mode: str) -> int:
        """Run a mode from its begin to its end, or until it is killed; return its exit code."""
        assert starter.stdin is not None
        assert starter.stdout is not None
        self.asked.clear()
        starter.stdin.write(json.dumps([self.simulator.port, str(folder), mode, OPTIONS[mode]]).encode() + b"\n")
        self.pid = int(await starter.stdout.readline())
        starter.stdin.write(b"\n")  # we know whom to kill
        return int(await starter.stdout.readline())

    @property
    def settings(self) -> dict[str, Value]:
        return {name: registry[name].decode(self.simulator.inverter.payload(registry[name])) for name in ALL}


@asynccontextmanager
async def victim() -> AsyncIterator[tuple[Victim, Process]]:
    starter = await asyncio.create_subprocess_exec(
        sys.executable, "-c", STARTER, stdin=PIPE, stdout=PIPE, env={**os.environ, "PYTHONPATH": str(ROOT / "src")}
    )
    try:
        async with Simulator(port=0, seed=7, latency=0.0, broadcast=False, speed=0) as simulator:
            simulator.house.battery.soc = 0.5
            strategy = registry["power_mng.soc_strategy"]
            simulator.inverter.answer(Frame(Command.WRITE, strategy.object_id, b"\x05"))  # not the default
            yield Victim(simulator), starter
            assert not simulator.inverter.harm
            assert simulator.inverter.flashed == 0
    finally:
        assert starter.stdin is not None
        starter.stdin.close()
        await starter.communicate()


@asynccontextmanager
async def writer(simulator: Simulator, folder: Path) -> AsyncIterator[Writer]:
    async with connect("127.0.0.1", simulator.port) as client:
        yield Writer(client, folder, sleep=lambda seconds: asyncio.sleep(seconds / 200))


async def kill_at(folder: Path, mode: str, steps: Sequence[tuple[int, bool]]) -> None:
    """Kill a mode at some of its requests, before or after they are taken, and see that the next start repairs it."""
    async with victim() as (it, starter):
        before = it.settings
        changed = 0
        for at, early in steps:
            here = folder / f"{at} {early}"
            it.strikes, it.early = lambda at=at: len(it.asked) == at + 1, early  # type: ignore[misc]
            assert await it.run(starter, here, mode) == -signal.SIGKILL, (mode, at)
            changed += it.settings != before
            it.strikes = lambda: False
            async with writer(it.simulator, here) as again:
                if at % 2:
                    await put_back(again)
                else:
                    async with steered(again, "hold") as on:
                        strategy = on.way_back.changes[-1]
                        assert strategy.before == before[strategy.object.name], (mode, at)
                assert it.settings == before, (mode, at)
                assert await kept(again) == (None, False)
        assert changed > len(steps) / 4  # so there was something to put back


@pytest.mark.parametrize("mode", MODES)
async def test_killed_at_each_step(tmp_path: Path, mode: str) -> None:
    async with victim() as (it, starter):
        before = it.settings
        assert await it.run(starter, tmp_path, mode) == 0
        assert it.settings == before
        asked = list(it.asked)
    writes = [at for at, is_write in enumerate(asked) if is_write]
    assert len(writes) >= 2
    reads = [at for at in range(writes[0] + 1, writes[-1]) if at not in writes]
    reads = Random(mode).sample(reads, min(READS, len(reads)))
    steps = [*((at, early) for at in writes for early in (True, False)), *((at, True) for at in reads)]
    await asyncio.gather(*(kill_at(tmp_path / str(lane), mode, steps[lane::LANES]) for lane in range(LANES)))


async def test_killed_again_and_again_while_it_is_put_back(tmp_path: Path) -> None:
    async with victim() as (it, starter):
        before = it.settings
        for writes in (4, 1, 2, 1):  # it is on; and then the next starts, that first put back what is left
            it.strikes, it.early = lambda writes=writes: sum(it.asked) == writes, writes == 2  # type: ignore[misc]
            assert await it.run(starter, tmp_path, "charge") == -signal.SIGKILL
            with (tmp_path / "writes.jsonl").open(encoding="utf-8") as lines:
                assert json.loads(list(lines)[-1])["event"] == "begin"  # of which nobody knows the end
            assert it.settings != before
        it.strikes = lambda: False
        async with writer(it.simulator, tmp_path) as again:
            restored = await put_back(again)
        assert restored is not None
        assert not restored.left
        assert it.settings == before
