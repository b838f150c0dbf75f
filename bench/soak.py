"""The long party: ``python -m bench.soak --minutes 30``.

A simulated inverter whose faults change every half a minute, the proxy in front of it, and ten clients on a real clock:
six of ours, three loops of what ``rctclient read-value`` does, and one that does nothing but harm. At the end every
value that the nine took for an answer has been compared with what the object holds.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sys
import time
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.table import Table

from bench.guests import Seen, Truth, distinct_objects, ours, rctclients
from rct_tools.client import connect
from rct_tools.frame import Command, Frame
from rct_tools.objects import registry
from rct_tools.proxy import Proxy, ProxySetup
from rct_tools.simulator import Faults, Simulator
from rct_tools.simulator.faults import PER_FRAME

OURS: Final = 6
THEIRS: Final = 3
OBJECTS: Final = 60
PAUSE: Final = 5.0  # seconds between two rounds of a client
SPELL: Final = 30.0  # seconds until the faults change
EVENTS: Final = ("", "", "", "drop", "hang", "reboot")  # with what a spell may begin
AWAY: Final = 8.0  # seconds that a reboot, or a hang, takes
WORST: Final = 0.3  # share of frames that are damaged, at most
_FOREVER: Final = 10**9  # reads


def faults(chance: random.Random) -> Faults:
    """Return faults of all kinds that a connection may have."""
    shares = [chance.random() for _ in PER_FRAME]
    scale = chance.uniform(0.0, WORST) / sum(shares)
    frames = {name: share * scale for name, share in zip(PER_FRAME, shares, strict=True)}
    return Faults(
        **frames,  # type: ignore[arg-type]  # of shares alone
        stub=chance.choice((0.0, 0.1, 1.0)),
        segment=chance.choice((0.0, 0.3)),
        silent=chance.choice((0.0, 20.0)),
        idle=300.0,
        slow=chance.choice((0.0, 10.0)),
        package=chance.choice((0.0, 1.0)),
    )


async def weather(simulator: Simulator, chance: random.Random) -> None:
    """Change what goes wrong, again and again."""
    events: dict[str, Callable[[], None]] = {
        "drop": simulator.drop,
        "hang": lambda: simulator.hang(AWAY),
        "reboot": lambda: simulator.reboot(AWAY),
    }
    while True:
        simulator.faults = faults(chance)
        if event := chance.choice(EVENTS):
            events[event]()
        await asyncio.sleep(SPELL)


async def harm(port: int, chance: random.Random) -> None:
    """Be all that a client should not be, one after the other."""
    soc = Frame(Command.READ, registry["battery.soc"].object_id).encode()
    touch = registry["com_service"]
    deeds: tuple[Callable[[], bytes], ...] = (
        lambda: b"+" * 65536,
        lambda: soc * 5000,
        lambda: soc[:-3],
        lambda: b"GET / HTTP/1.1\r\n\r\n",
        lambda: chance.randbytes(4096),
        lambda: Frame(Command.WRITE, touch.object_id, touch.encode(5)).encode(),
        lambda: b"".join(Frame(Command.READ, chance.getrandbits(32)).encode() for _ in range(20)),
        lambda: Frame(Command.PLANT_READ, touch.object_id, b"", chance.getrandbits(32)).encode(),
    )
    while True:
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(chance.choice(deeds)())
                await asyncio.sleep(chance.uniform(0.0, 3.0))  # without reading a byte
            finally:
                writer.transport.abort()


async def soak(seconds: float, seed: int) -> bool:
    """Run the party and print what was seen; return whether all of it was right."""
    chance = random.Random(seed)
    began = time.monotonic()
    ours_seen, theirs_seen = Seen(), Seen()
    async with AsyncExitStack() as stack:
        simulator = await stack.enter_async_context(Simulator(port=0, speed=0, seed=seed))
        inverter = await stack.enter_async_context(connect("127.0.0.1", simulator.port, tries=None, pause=_pause))
        proxy = await stack.enter_async_context(Proxy(inverter, ProxySetup(port=0)))
        infos = distinct_objects(simulator, OBJECTS)
        truth = Truth(simulator, infos)
        jobs = [weather(simulator, chance), harm(proxy.port, chance)]
        for number in range(OURS + THEIRS):
            start = [*infos[5 * number :], *infos[: 5 * number]]
            guest, seen = (ours, ours_seen) if number < OURS else (rctclients, theirs_seen)
            jobs.append(_read(guest(proxy.port, start, truth, _FOREVER, PAUSE, seen)))
        tasks = [asyncio.create_task(job) for job in jobs]
        first = 0
        while (passed := time.monotonic() - began) < seconds and not any(task.done() for task in tasks):
            await asyncio.sleep(min(SPELL, seconds - passed))
            first = first or _resident()
            print(f"{passed:5.0f} s  {ours_seen + theirs_seen}", file=sys.stderr, flush=True)
        for task in tasks:
            if task.done():
                task.result()  # a mistake, in here or in what is tested
            task.cancel()
        await asyncio.wait(tasks)
        tally = proxy.tallies.of("127.0.0.1")
        table = Table("", "", box=box.MARKDOWN, show_header=True)
        for name, seen in (("six of ours", ours_seen), ("three loops of rctclient", theirs_seen)):
            table.add_row(f"{name}: reads", f"{seen.reads:,}")
            table.add_row(f"{name}: answered, and right", f"{seen.right:,} ({seen.answered:.2%})")
            table.add_row(f"{name}: unanswered", f"{seen.unanswered:,}")
            table.add_row(f"{name}: values of another object", f"{seen.foreign}")
            table.add_row(f"{name}: values of no object", f"{seen.wrong}")
        table.add_row("requests to the inverter, repeated ones too", f"{inverter.counters.requests:,}")
        table.add_row("of these repeated", f"{inverter.counters.retries:,}")
        table.add_row("connections to the inverter, after the first", f"{inverter.counters.reconnects:,}")
        table.add_row("answered from what had just come", f"{tally.cached:,}")
        table.add_row("joined a request under way", f"{tally.coalesced:,}")
        table.add_row("writes refused", f"{tally.refused:,}")
        table.add_row("clients cut off", ", ".join(f"{reason} {count:,}" for reason, count in tally.cut_off.items()))
        table.add_row("faults", ", ".join(f"{name} {count:,}" for name, count in sorted(simulator.happened.items())))
        table.add_row("memory after half a minute, and at the end", f"{first:,} kB, {_resident():,} kB")
        table.add_row("harm that reached the inverter", f"{sum(simulator.inverter.harm.values())}")
    print(f"{time.monotonic() - began:.0f} s, seed {seed}")
    print(*truth.mistakes, sep="\n", file=sys.stderr)
    Console(width=160).print(table)
    seen = ours_seen + theirs_seen
    return seen.foreign + seen.wrong == 0


def _pause(failures: int) -> float:
    """Come back sooner than for a night: an inverter here is away for seconds."""
    return min(2.0, 0.25 * 2.0**failures)


async def _read(reading: Coroutine[Any, Any, Seen]) -> None:
    await reading


def _resident() -> int:
    """Return the memory in use, in kB; 0 where the system does not tell."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024 if statm.exists() else 0


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m bench.soak", description="Ten clients, and every fault.")
    arguments.add_argument("--minutes", type=float, default=30.0)
    arguments.add_argument("--seed", type=int, default=0)
    given = arguments.parse_args()
    sys.exit(0 if asyncio.run(soak(60 * given.minutes, given.seed)) else 1)


if __name__ == "__main__":
    main()
