"""One inverter and many clients: with the proxy and without, with faults, and what it costs."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import statistics
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final, NamedTuple

from bench import Measurement
from bench.guests import TEN_PERCENT, Guest, Seen, Truth, distinct_objects, ours, party, rctclients
from bench.memory import Use, least_in_use
from rct_tools.client import connect
from rct_tools.errors import LinkError, NoAnswer
from rct_tools.proxy import Proxy, ProxySetup
from rct_tools.simulator import Faults, Simulator
from rct_tools.simulator.firmware import FIRMWARE

sys.path.append(str(Path(__file__).parent.parent / "tests"))  # the fast clock is that of the tests

from warp import warp

CLIENTS: Final = 5
OBJECTS: Final = 60
PAUSE: Final = 10.0  # seconds between two rounds of a client
READS: Final = 100_000
FEWER: Final = 10_000  # reads where a client waits long for each
THIRTY_PERCENT: Final = Faults(lost=0.15, late=0.15)
PROFILE_TIME: Final = 1800.0  # seconds, with a reboot in the middle
REBOOT: Final = 30.0  # seconds that it is away
MANY: Final = 50
HOUR: Final = 3600.0


class Outcome(NamedTuple):
    """What clients saw, and what it took."""

    seen: Seen
    asked: int  # requests that the inverter got


def measure(quick: bool) -> Iterator[Measurement]:
    """Measure each part in a process of its own, on a clock that jumps; the delay on a real one."""
    less = 200 if quick else 1
    with ProcessPoolExecutor(os.cpu_count(), multiprocessing.get_context("spawn")) as pool:
        with_proxy = pool.submit(_share, "ours", True, READS // less)
        without = pool.submit(_share, "ours", False, FEWER // less)
        theirs_with = pool.submit(_share, "rctclients", True, FEWER // less)
        theirs_without = pool.submit(_share, "rctclients", False, FEWER // less)
        alone = pool.submit(_alone, READS // less)
        profiles = {name: pool.submit(_profile, name, PROFILE_TIME / (30 if quick else 1)) for name in FIRMWARE}
        memory = pool.submit(_flat, HOUR / (60 if quick else 1))

        outcome = with_proxy.result()
        seen = outcome.seen
        what = f"{CLIENTS} clients through the proxy, {seen.reads:,} reads, 10 % faults"
        direct = without.result().seen
        foreign = f"{direct.foreign} in {direct.reads:,} reads without the proxy"
        yield Measurement(f"{what}: foreign or wrong values", f"{seen.foreign + seen.wrong}", foreign,
                          seen.foreign + seen.wrong, at_most=0)  # fmt: skip
        yield Measurement(f"{what}: answered", _percent(seen.answered), f"{_percent(direct.answered)} without it",
                          seen.answered, at_least=0.999)  # fmt: skip
        yield Measurement("the same: requests that the inverter got", f"{outcome.asked:,}",
                          f"{seen.reads:,} of the clients", outcome.asked / seen.reads)  # fmt: skip
        seen, direct = theirs_with.result().seen, theirs_without.result().seen
        what = f"{CLIENTS} loops of rctclient read-value through the proxy, {seen.reads:,} reads, 10 % faults"
        yield Measurement(f"{what}: foreign or wrong values", f"{seen.foreign + seen.wrong}",
                          f"{direct.foreign + direct.wrong} without the proxy", seen.foreign + seen.wrong,
                          at_most=0)  # fmt: skip
        yield Measurement(f"{what}: answered and right", _percent(seen.answered),
                          f"{_percent(direct.answered)} without the proxy", seen.answered, at_least=0.99)  # fmt: skip
        outcome = alone.result()
        seen = outcome.seen
        yield Measurement(f"one client, 30 % lost or late, {seen.reads:,} reads: answered", _percent(seen.answered),
                          f"{outcome.asked / seen.reads:.2f} requests for each", seen.answered,
                          at_least=0.999)  # fmt: skip
        for name, profile in profiles.items():
            seen, recovery = profile.result()
            yield Measurement(f"firmware {name}, {seen.reads:,} reads: answered", _percent(seen.answered),
                              _recovered(recovery), seen.answered)  # fmt: skip
        warm, end, reads = memory.result()
        what = f"{MANY} clients through the proxy, 1 h, {reads:,} reads"
        for kind, before, after in zip(Use._fields, warm, end, strict=True):
            if before:
                yield Measurement(f"{what}: {kind}", f"{after / 1024:,.0f} kB at the end",
                                  f"{before / 1024:,.0f} kB after a third", after / before, at_most=1.05)  # fmt: skip
    direct_time, proxied = asyncio.run(_delay(2 if quick else 8))
    added = proxied - direct_time
    yield Measurement("delay of a read at 60 ms: added by the proxy, median", f"{added * 1000:.2f} ms",
                      f"{direct_time * 1000:.2f} ms without", added * 1000, at_most=1)  # fmt: skip


def _percent(share: float) -> str:
    return f"{share:.3%}"


def _recovered(seconds: float) -> str:
    return f"{seconds:.1f} s until the first after a reboot" if seconds < HOUR else "none after a reboot"


_GUESTS: Final = {"ours": ours, "rctclients": rctclients}


def _share(guest: str, is_proxied: bool, reads: int) -> Outcome:
    return warp(_shared(_GUESTS[guest], is_proxied, reads))


async def _shared(guest: Guest, is_proxied: bool, reads: int) -> Outcome:
    async with AsyncExitStack() as stack:
        simulator = await stack.enter_async_context(Simulator(port=0, speed=0, faults=TEN_PERCENT, seed=1))
        infos = distinct_objects(simulator, OBJECTS)
        truth = Truth(simulator, infos)
        port = simulator.port
        if is_proxied:
            inverter = await stack.enter_async_context(connect("127.0.0.1", port, tries=None))
            proxy = await stack.enter_async_context(Proxy(inverter, ProxySetup(port=0)))
            port = proxy.port
        seen = await party(guest, CLIENTS, port, infos, truth, reads, PAUSE)
        return Outcome(seen, inverter.counters.requests if is_proxied else seen.reads)


def _alone(reads: int) -> Outcome:
    return warp(_lossy(reads))


async def _lossy(reads: int) -> Outcome:
    async with Simulator(port=0, speed=0, faults=THIRTY_PERCENT, broadcast=False, seed=2) as simulator:
        infos = distinct_objects(simulator, OBJECTS)
        truth = Truth(simulator, infos)
        seen = Seen()
        async with connect("127.0.0.1", simulator.port, tries=None) as client:
            for _ in range(max(1, reads // OBJECTS)):
                answers = await client.read_many(info.name for info in infos)
                for info, answer in zip(infos, answers.values(), strict=True):
                    if isinstance(answer, Exception):
                        seen.unanswered += 1
                    else:
                        truth.judge(seen, info, answer.payload)
            return Outcome(seen, client.counters.requests)


def _profile(name: str, seconds: float) -> tuple[Seen, float]:
    return warp(_on_firmware(name, seconds))


async def _on_firmware(name: str, seconds: float) -> tuple[Seen, float]:
    """Return what a client saw that reads a few objects all the time, and how long it took after a reboot."""
    loop = asyncio.get_running_loop()
    seen, answered = Seen(), []
    async with Simulator(port=0, speed=0, firmware=name, seed=3) as simulator:
        infos = distinct_objects(simulator, OBJECTS // 3)
        truth = Truth(simulator, infos)
        end = loop.time() + seconds
        back = loop.time() + seconds / 2 + REBOOT
        loop.call_later(seconds / 2, simulator.reboot, REBOOT)
        async with connect("127.0.0.1", simulator.port, tries=None) as client:
            while loop.time() < end:
                for info in infos:
                    try:
                        payload = (await client.read(info.name)).payload
                    except (NoAnswer, LinkError) as exc:
                        if loop.time() < end - seconds / 2 or loop.time() > back:  # it cannot answer while it is away
                            seen.unanswered += 1
                        if isinstance(exc, LinkError):
                            await asyncio.sleep(1.0)
                    else:
                        truth.judge(seen, info, payload)
                        answered.append(loop.time())
                await asyncio.sleep(PAUSE)
    return seen, next((at - back for at in answered if at >= back), float("inf"))


def _flat(hour: float) -> tuple[Use, Use, int]:
    return warp(_many(hour))


async def _many(hour: float) -> tuple[Use, Use, int]:
    async with AsyncExitStack() as stack:
        simulator = await stack.enter_async_context(Simulator(port=0, speed=0, seed=4))
        inverter = await stack.enter_async_context(connect("127.0.0.1", simulator.port, tries=None))
        proxy = await stack.enter_async_context(Proxy(inverter, ProxySetup(port=0, most_clients=MANY)))
        infos = distinct_objects(simulator, OBJECTS // 3)
        truth = Truth(simulator, infos)
        load = asyncio.create_task(party(ours, MANY, proxy.port, infos, truth, 10**9, 30.0))
        await asyncio.sleep(hour / 3)
        warm = await least_in_use()
        await asyncio.sleep(hour * 2 / 3)
        end = await least_in_use()
        load.cancel()
        await asyncio.wait([load])
        return warm, end, sum(tally.requests for tally in proxy.tallies.hosts.values())


async def _delay(rounds: int) -> tuple[float, float]:
    """Return the median time of a read without and with the proxy, in turns."""
    direct: list[float] = []
    proxied: list[float] = []
    async with Simulator(port=0, speed=0, broadcast=False) as simulator:
        for _ in range(rounds):
            direct += await _times(simulator.port)
            async with (
                connect("127.0.0.1", simulator.port, tries=None) as inverter,
                Proxy(inverter, ProxySetup(port=0, cache=0.0)) as proxy,
            ):
                proxied += await _times(proxy.port)
    return statistics.median(direct), statistics.median(proxied)


async def _times(port: int) -> list[float]:
    times = []
    async with connect("127.0.0.1", port) as client:
        for _ in range(50):
            began = time.perf_counter()
            await client.read("battery.soc")
            times.append(time.perf_counter() - began)
    return times
