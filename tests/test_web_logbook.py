"""The event log as the page keeps it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from rct_tools.client import connect
from rct_tools.clock import Clock
from rct_tools.events import LOG
from rct_tools.times import SECOND
from rct_tools.values import Event
from rct_tools.web.logbook import EVERY, Logbook

from logbook import logbook
from warp import warp

NOON = int(datetime(2024, 6, 21, 12, tzinfo=UTC).timestamp())
NOW = Clock.of("Europe/Berlin").utc(NOON) * SECOND


def test_an_inverter_whose_clock_is_fast() -> None:
    async def main() -> None:
        rows = [Event(0x59, NOON + 7200, (NOON + 7201, 0, 0))]
        async with logbook({LOG: rows}) as port, connect("127.0.0.1", port) as client:
            book = Logbook(client, "Europe/Berlin", lambda: NOW)
            assert len(await book.events()) == 1
            rows.append(Event(0x5A, NOON + 7260, (NOON + 7261, 0, 0)))
            await asyncio.sleep(EVERY)
            assert [event["type"] for event in await book.events()] == [0x5A, 0x59]

    warp(main())
