"""An inverter as a server on TCP: a line, and the jobs that give it something to say."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Iterable
from typing import Any, Self, TypeAlias

from rct_tools.simulator.line import Line

Job: TypeAlias = Coroutine[Any, Any, None]


class LineServer(ABC):
    """What a simulated inverter and a recorded one share: clients reach them, and they end cleanly."""

    def __init__(self, host: str, port: int, line: Line) -> None:
        self.host = host
        self.port = port  # the one in use, once started
        self.line = line
        self._tasks: list[asyncio.Task[None]] = []
        self._server: asyncio.Server | None = None

    @abstractmethod
    def jobs(self) -> Iterable[Job]:
        """Return what runs beside the line from now on; serving ends with the first that does."""

    @property
    def reachable(self) -> bool:
        """Whether clients can come."""
        return self._server is not None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def start(self) -> None:
        """Begin to serve. Raises OSError when the address cannot be had."""
        await self.listen()
        self._tasks = [asyncio.get_running_loop().create_task(job) for job in (self.line.run(), *self.jobs())]

    async def listen(self) -> None:
        """Let clients come. Raises OSError when the address cannot be had."""
        self.line.open()
        self._server = await asyncio.get_running_loop().create_server(self.line.connect, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def vanish(self) -> None:
        """End all connections and refuse new ones, as a device does that is off, until ``listen``."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.line.close()

    async def serve(self) -> None:
        """Serve until a job ends, or until cancelled."""
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    async def close(self) -> None:
        """End all connections and stop. Can be called more than once."""
        server = self._server
        tasks, self._tasks = self._tasks, []
        self.vanish()
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        if server is not None:
            await server.wait_closed()
        for end in ends:
            if isinstance(end, Exception):  # a mistake of ours: it must not pass unseen
                raise end
