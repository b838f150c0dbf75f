"""An inverter that has nothing but logs, which a test has written: rows in the order in which it wrote them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

from rct_tools.frame import Command, Frame
from rct_tools.objects import registry
from rct_tools.values import DataType, EventTable, TimeSeries

from peers import peer, requests

Rows: TypeAlias = Sequence[Any]  # each has a time: Sample or Event
Page: TypeAlias = Callable[[Rows, int], Rows]


def from_there_on(rows: Rows, before: int) -> Rows:
    """Return, the newest first, what was written up to the last row that is older than a time."""
    end = next((at for at in range(len(rows), 0, -1) if rows[at - 1].time < before), 0)
    return rows[:end][::-1]


def older(rows: Rows, before: int) -> Rows:
    """Return, the newest first, all that is older than a time."""
    return [row for row in rows if row.time < before][::-1]


@asynccontextmanager
async def logbook(
    logs: Mapping[str, Rows], page: Page = from_there_on, size: int = 41, cuts: Iterator[int] | None = None
) -> AsyncIterator[int]:
    """Serve logs, by the names of their objects; yield the port. Without a log of a name, nothing is answered.

    ``cuts`` are how many bytes each answer lacks at its end, though its checksum is right.
    """

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for request in requests(reader):
            info = registry[request.object_id]
            if info.name == "svnversion":  # is anybody there?
                writer.write(Frame(Command.RESPONSE, info.object_id, b"2.3.5678\0").encode())
            if info.name not in logs:
                continue
            before = int.from_bytes(request.payload)
            rows = tuple(page(logs[info.name], before)[:size])
            page_of = EventTable if info.data_type is DataType.EVENT_TABLE else TimeSeries
            payload = info.encode(page_of(before, rows))
            if lacks := next(cuts, 0) if cuts else 0:
                payload = payload[:-lacks]
            writer.write(b"\0" + Frame(Command.LONG_RESPONSE, info.object_id, payload).encode())

    async with peer(script) as port:
        yield port
