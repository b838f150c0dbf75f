"""Peers of the client that misbehave on purpose: servers on loopback that follow a script."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeAlias

from rct_tools.frame import Command, Frame
from rct_tools.objects import registry
from rct_tools.parser import FrameParser
from rct_tools.values import Value

Script: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def response(name: str, value: Value) -> bytes:
    """Return the bytes an inverter answers with."""
    info = registry[name]
    return b"\0" + Frame(Command.RESPONSE, info.object_id, info.encode(value)).encode()


async def requests(reader: asyncio.StreamReader) -> AsyncIterator[Frame]:
    """Yield the frames that a client sends, until it is gone."""
    parser = FrameParser()
    while data := await reader.read(4096):
        for event in parser.feed(data):
            assert isinstance(event, Frame), event
            yield event


@asynccontextmanager
async def peer(script: Script, port: int = 0) -> AsyncIterator[int]:
    """Run a server whose every connection follows the script; yield its port."""
    connections: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        try:
            # The client went first, which every script allows; or the test is over.
            with suppress(ConnectionError, asyncio.CancelledError):
                await script(reader, writer)
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in connections:
            task.cancel()
        results = await asyncio.gather(*connections, return_exceptions=True)
        await asyncio.sleep(0)  # an aborted transport closes its socket in the next turn of the loop
        for result in results:  # a script that failed fails its test
            if isinstance(result, Exception):
                raise result
