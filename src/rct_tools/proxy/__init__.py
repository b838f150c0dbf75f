"""Many clients, one inverter: the proxy alone talks to it, and each client sees one of its own.

async with connect("192.0.2.7", tries=None) as inverter, Proxy(inverter, ProxySetup()):
    ...  # clients connect to 127.0.0.1:8899

The bridge in front of an inverter copies all it says to all who are connected, and a request that comes while it
answers cuts the answer. Behind the proxy no client gets what another has asked for, nor cuts it.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import ExitStack
from typing import Any, Final, Self

from rct_tools.address import show_address
from rct_tools.client import Client
from rct_tools.errors import RctError
from rct_tools.frame import Command, Frame
from rct_tools.listening import cannot_listen
from rct_tools.objects import registry
from rct_tools.proxy.access import Access, Network, parse_network
from rct_tools.proxy.complaints import Complaints
from rct_tools.proxy.desk import Desk
from rct_tools.proxy.report import Served
from rct_tools.proxy.session import Session
from rct_tools.proxy.setup import CACHE, MOST_CLIENTS, RATE, ProxySetup, default_host, parse_writable
from rct_tools.proxy.tally import BUCKETS, Cut, Tallies, Tally
from rct_tools.proxy.tap import Tap, open_tap
from rct_tools.question import Origin
from rct_tools.questions import PROBE

__all__ = [
    "BUCKETS", "CACHE", "MOST_CLIENTS", "RATE", "Access", "Cut", "Network", "Proxy", "ProxySetup", "Served", "Tallies",
    "Tally", "Tap", "default_host", "open_tap", "parse_network", "parse_writable",
]  # fmt: skip

logger = logging.getLogger(__name__)

LOOK: Final = 120.0
"""Seconds between looks whether anything was asked: a bridge closes a connection on which that is not so for 300 s."""

SILENT: Final = 60.0  # seconds after which a client that says nothing gives its place to one that comes

_TOLD: Final = frozenset({Command.WRITE, Command.LONG_WRITE, Command.PLANT_WRITE, Command.PLANT_LONG_WRITE})
"""What linked inverters send to each other, beside what they tell. Requests to read are echoes of ours."""


class Proxy:
    """Serves one inverter to many clients while entered. Uses a client that is entered, and leaves it so."""

    def __init__(
        self,
        inverter: Client,
        setup: ProxySetup,
        tap: Tap | None = None,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """``tap`` keeps what crosses; what the client's own ``tap`` gets has to be led there too."""
        self.setup = setup
        self.port = setup.port  # the one in use, once started
        self.tallies = Tallies()
        self.tap = tap or Tap()
        self.complaints = Complaints(lambda: asyncio.get_running_loop().time())
        self.desk = Desk(inverter, setup, self.complaints, sleep=sleep)
        self.inverter = inverter
        self.sessions: set[Session] = set()
        self.heard: float | None = None  # loop time at which the inverter last said something
        self._jobs: set[asyncio.Task[None]] = set()
        self._keeper: asyncio.Task[None] | None = None
        self._server: asyncio.Server | None = None
        self._stack = ExitStack()

    async def __aenter__(self) -> Self:
        await self.start_serving()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def start_serving(self) -> None:
        """Begin to serve. Raises RctError when the address cannot be had."""
        loop = asyncio.get_running_loop()
        setup = self.setup
        try:
            if setup.host == "::" and socket.has_dualstack_ipv6():  # asyncio alone would let nobody of IPv4 in there
                where = socket.create_server((setup.host, setup.port), family=socket.AF_INET6, dualstack_ipv6=True)
                self._server = await loop.create_server(lambda: Session(self), sock=where)
            else:
                self._server = await loop.create_server(lambda: Session(self), setup.host, setup.port)
        except (OSError, UnicodeError) as exc:
            hint = "is a proxy there already? Choose another, with --listen, or listen below [proxy]"
            raise RctError(f"proxy: {cannot_listen(setup.host, setup.port, exc, hint)}") from exc
        self.port = self._server.sockets[0].getsockname()[1]
        self._stack.enter_context(self.inverter.overhearing(self.desk.hear))
        self._stack.enter_context(self.inverter.overhearing(self._tell))
        self._keeper = loop.create_task(self._keep_connection())
        if setup.access.is_narrower(setup.host):
            logger.warning(
                "%s: others can reach this address, but only %s may use it", self.address,
                ", ".join(["this machine", *map(str, setup.access.networks)]),
            )  # fmt: skip

    async def close(self) -> None:
        """End all connections and stop; the client goes on. Can be called more than once."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        self._stack.close()
        for session in list(self.sessions):
            session.close()
        jobs = [*self._jobs, *filter(None, [self._keeper])]
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)
        await server.wait_closed()

    @property
    def address(self) -> str:
        """Where it listens, ``HOST:PORT``."""
        return show_address(self.setup.host, self.port)

    @property
    def served(self) -> list[Served]:
        """What it did, by host."""
        now = Counter(self.tallies.name(session.host) for session in self.sessions)
        return [Served(host, now[host], tally) for host, tally in self.tallies.hosts.items()]

    # --- what sessions need -------------------------------------------------------------------------------------

    def enter(self, session: Session) -> Cut | None:
        """Take in a client that has just come; return why it cannot be."""
        if not self.setup.access.admits(session.host):
            return Cut.NOT_ALLOWED
        if len(self.sessions) >= self.setup.most_clients:
            quiet = min(self.sessions, key=lambda other: other.heard)
            if session.since - quiet.heard < SILENT:
                return Cut.NO_ROOM
            silent = session.since - quiet.heard
            quiet.cut_off(Cut.SILENT, f"it said nothing for {silent:.0f} s, and its place is needed")
        self.sessions.add(session)
        return None

    def leave(self, session: Session) -> None:
        """Forget a client, and what only it wanted to know."""
        self.sessions.discard(session)
        self.inverter.leave(session)

    def tally(self, host: str) -> Tally:
        """Return the counters of a host."""
        return self.tallies.of(host)

    def start(self, job: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Begin a job, which is ended with the proxy."""
        task = asyncio.get_running_loop().create_task(job)
        self._jobs.add(task)
        task.add_done_callback(self._jobs.discard)
        return task

    async def _keep_connection(self) -> None:
        """Ask for something when nobody else does, or each five minutes would have a line in the log."""
        probe = registry[PROBE]
        asked = -1
        while True:
            if asked == (asked := self.inverter.counters.requests) and self.inverter.connected:
                await self.desk.answer(Frame(Command.READ, probe.object_id), self, self.address, Tally())
            await asyncio.sleep(LOOK)

    def _tell(self, frame: Frame, origin: Origin) -> None:
        self.heard = asyncio.get_running_loop().time()
        if origin is not Origin.UNASKED or not self.setup.broadcast or self._is_echo(frame):
            return
        data = b"\0" + frame.encode()
        for session in list(self.sessions):
            session.tell(data)

    def _is_echo(self, frame: Frame) -> bool:
        """Return whether a frame seems to be a request of ours that came back: what a client has asked is its own."""
        if frame.command.is_response:
            return False
        info = registry.describe(frame.object_id)
        return frame.command not in _TOLD or info.is_query or info.name in self.setup.writable
