"""The client with the simulated inverter: everything is asked, heard and matched over a real socket."""

from __future__ import annotations

import asyncio
from datetime import datetime

import rct_tools
from rct_tools import Reading, connect, registry
from rct_tools.simulator import Simulator
from rct_tools.simulator.broadcast import cycles
from rct_tools.values import TimeSeries

from warp import warped

NOON = datetime(2024, 6, 21, 12, 0, 0)  # noqa: DTZ001  # what the clock on the wall shows


def quick(*, broadcast: bool = False, cycle: float = 31.0) -> Simulator:
    return Simulator(port=0, latency=0.0, broadcast=broadcast, cycle=cycle, speed=0.0, start=NOON)


@warped
async def test_objects_of_every_type_are_answered() -> None:
    by_type = {info.data_type: info.name for info in registry}
    names = sorted({*by_type.values(), *(info.name for info in registry.match("power_mng"))})
    async with quick() as simulator, connect("127.0.0.1", simulator.port) as inverter:
        answers = await inverter.read_many(names)
        assert [name for name, answer in answers.items() if not isinstance(answer, Reading)] == []
        assert inverter.counters.requests == len(names) > len(by_type)
        assert inverter.counters.timeouts == inverter.counters.bad_readings == 0


@warped
async def test_the_house_adds_up_for_a_client() -> None:
    async with quick() as simulator, connect("127.0.0.1", simulator.port) as inverter:
        ac = (await inverter.read("g_sync.p_ac_sum_lp")).value
        load = (await inverter.read("g_sync.p_ac_load_sum_lp")).value
        grid = (await inverter.read("g_sync.p_ac_grid_sum_lp")).value
    assert isinstance(ac, float)
    assert isinstance(load, float)
    assert isinstance(grid, float)
    assert abs(ac + grid - load) < 1.0
    assert ac > 1000
    assert grid < 0  # at noon in June it feeds in


@warped
async def test_history_pages_join() -> None:
    async with quick() as simulator, connect("127.0.0.1", simulator.port) as inverter:
        first = (await inverter.read("logger.minutes_soc_log_ts", before=1_718_971_200)).value
        assert isinstance(first, TimeSeries)
        second = (await inverter.read("logger.minutes_soc_log_ts", before=first.samples[-1].time)).value
        assert isinstance(second, TimeSeries)
    times = [sample.time for page in (first, second) for sample in page.samples]
    assert times == list(range(times[0], times[-1] - 1, -300))


@warped
async def test_clients_that_share_an_inverter_do_not_disturb_one_another() -> None:
    names = [info.name for info in registry.match("g_sync")]
    async with quick(broadcast=True, cycle=0.5) as simulator:

        async def client() -> int:
            async with connect("127.0.0.1", simulator.port) as inverter:
                for _ in range(3):
                    answers = await inverter.read_many(names)
                    assert all(isinstance(answer, Reading) for answer in answers.values())
                return inverter.counters.foreign_frames

        foreign = await asyncio.gather(*(client() for _ in range(3)))
    assert sum(foreign) > 0


@warped
async def test_who_only_listens_hears_the_broadcast() -> None:
    wanted = {name for burst in next(cycles()) for name in burst.names}
    heard: set[str] = set()
    async with quick(broadcast=True, cycle=0.1) as simulator, connect("127.0.0.1", simulator.port) as inverter:
        async for reading in inverter.listen():
            heard.add(reading.object.name)
            if wanted <= heard:
                break
        assert inverter.counters.requests == 0


async def test_the_blocking_helper() -> None:
    async with quick() as simulator:
        values = await asyncio.to_thread(rct_tools.read, "127.0.0.1", "battery.soc", "svnversion", port=simulator.port)
    assert isinstance(values["battery.soc"], float)
    assert 0 <= values["battery.soc"] <= 1
    assert isinstance(values["svnversion"], str)
