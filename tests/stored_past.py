"""A store as a collector leaves it after weeks, made in seconds: of the simulated house, from the same instant on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from rct_tools.objects import registry
from rct_tools.reading import Reading
from rct_tools.simulator.inverter import Inverter
from rct_tools.sinks.sqlite import SqliteSink
from rct_tools.times import SECOND

POWERS = (
    "dc_conv.dc_conv_struct[0].p_dc", "dc_conv.dc_conv_struct[1].p_dc", "io_board.s0_external_power",
    "g_sync.p_ac_load_sum_lp", "g_sync.p_acc_lp", "g_sync.p_ac_grid_sum_lp", "battery.soc",
)  # fmt: skip
COUNTERS = tuple(
    f"energy.e_{name}_{period}{index}"
    for period in ("day", "month")
    for name, index in (("dc", "[0]"), ("dc", "[1]"), ("ext", ""), ("load", ""), ("grid_load", ""), ("grid_feed", ""))
)


BATTERY = ("battery.stored_energy", "battery.used_energy")


def past(inverter: Inverter, name: str, zone: ZoneInfo, seconds: int, step: int = 60) -> Iterator[list[Reading]]:
    """Yield what is read each ``step`` seconds while the house lives on for so many, then a part of it every hour."""
    house = inverter.house
    infos = [registry[each] for each in POWERS + COUNTERS + BATTERY]
    begin = house.time
    while house.time < begin + seconds:
        house.advance(house.time + step, min(step, 60))
        moment = datetime.fromtimestamp(house.time, UTC).replace(tzinfo=zone)
        time = round(moment.timestamp()) * SECOND
        yield [Reading(time, name, info, info.decode(inverter.payload(info))) for info in infos]


def fill(path: Path, inverter: Inverter, name: str, zone: ZoneInfo, seconds: int, step: int = 60) -> None:
    """Write all of it into a file."""

    async def main() -> None:
        sink = SqliteSink(path)
        batch: list[Reading] = []
        for readings in past(inverter, name, zone, seconds, step):
            batch += readings
            if len(batch) > 50_000:
                await sink.write(batch)
                batch = []
        await sink.write(batch)
        await sink.close()

    asyncio.run(main())
