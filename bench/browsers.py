"""What a hundred browsers cost the collector whose page they have open.

Linux only, since processor time is looked at in /proc.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import aiohttp

from bench import Measurement
from bench.fleet import Program, free_ports, listening

BROWSERS: Final = 100
WARM_UP: Final = 70.0  # seconds, in which all is asked once
SECONDS: Final = 60.0

_RCT: Final = (sys.executable, "-m", "rct_tools")
_CURVES: Final = (
    "/api/curves?step=5m&names=dc_conv.dc_conv_struct[0].p_dc,dc_conv.dc_conv_struct[1].p_dc,g_sync.p_ac_load_sum_lp,"
    "g_sync.p_acc_lp,g_sync.p_ac_grid_sum_lp,battery.soc,io_board.s0_external_power"
)
_ASKED: Final = (("/api/inverter", 20.0), (_CURVES, 60.0))  # as the view of now does, and how often, in seconds


def measure(quick: bool) -> Iterator[Measurement]:
    """Compare processor time with and without browsers."""
    if sys.platform != "linux":
        print("browsers: is measured on Linux only", file=sys.stderr)
        return
    alone, watched, told = asyncio.run(_watch(0.5 if quick else WARM_UP, 1.0 if quick else SECONDS))
    yield Measurement(
        f"{BROWSERS} open pages, {told:.0f} messages/s", f"{watched:.2%} of a core", f"{alone:.2%} without any",
        watched - alone, at_most=None if quick else 0.1,
    )  # fmt: skip


async def _watch(warm_up: float, seconds: float) -> tuple[float, float, float]:
    """Return the part of a core that the collector takes alone, and with browsers, and what these hear in a second."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        inverter, port = free_ports(2)
        simulate = Program("simulate", [*_RCT, "simulate", "--port", str(inverter)], folder)
        await simulate.start()
        stack.push_async_callback(simulate.end)
        await listening(inverter)
        (folder / "rct.toml").write_text(
            f'data = "{folder}"\n[status]\nlisten = ""\n[[inverter]]\nhost = "127.0.0.1"\nport = {inverter}\n'
            f'[[sink]]\nurl = "sqlite:{folder}/readings.db"\n[web]\nlisten = "127.0.0.1:{port}"\n'
        )
        collector = Program("collect", [*_RCT, "collect", "-c", str(folder / "rct.toml")], folder)
        await collector.start()
        stack.push_async_callback(collector.end)
        await listening(port)
        await asyncio.sleep(warm_up)
        alone = await _used(collector, seconds)
        session = await stack.enter_async_context(
            aiohttp.ClientSession(
                f"http://127.0.0.1:{port}", connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(None)
            )
        )
        heard = [0]
        tasks = [asyncio.create_task(_listen(session, heard)) for _ in range(BROWSERS)]
        tasks += [
            asyncio.create_task(_ask(session, path, every, every * n / BROWSERS))
            for n in range(BROWSERS)
            for path, every in _ASKED
        ]
        await asyncio.sleep(min(warm_up, 5.0))
        before = heard[0]
        watched = await _used(collector, seconds)
        told = (heard[0] - before) / seconds
        for task in tasks:
            task.cancel()
        for done in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(done, asyncio.CancelledError), done
    return alone, watched, told


async def _used(program: Program, seconds: float) -> float:
    program.look()
    began, before = time.perf_counter(), program.usage.seconds
    await asyncio.sleep(seconds)
    program.look()
    return (program.usage.seconds - before) / (time.perf_counter() - began)


async def _listen(session: aiohttp.ClientSession, heard: list[int]) -> None:
    async with session.get("/api/live") as response:
        assert response.status == 200
        async for line in response.content:
            heard[0] += line.startswith(b"data:")


async def _ask(session: aiohttp.ClientSession, path: str, every: float, first: float) -> None:
    await asyncio.sleep(first)
    while True:
        async with session.get(path) as response:
            await response.read()
        await asyncio.sleep(every)
