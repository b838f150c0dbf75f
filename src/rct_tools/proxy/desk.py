"""What clients are answered: from what has come just now, else by the inverter.

Writes stay here, unless they are to an object that the owner has named; then the answer is what the inverter holds
afterwards.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Final, TypeAlias

from rct_tools.client import Client
from rct_tools.errors import DecodeError, LinkError, NoAnswer, RctError
from rct_tools.frame import Command, Frame
from rct_tools.objects import ObjectInfo, registry
from rct_tools.proxy.complaints import Complaints
from rct_tools.proxy.setup import ProxySetup
from rct_tools.proxy.tally import Tally
from rct_tools.question import Origin, Reply

logger = logging.getLogger(__name__)

PROOF: Final = 0.8  # seconds until an inverter shows what was written
PERIOD: Final = 30.0  # seconds between what a client has asked to be told, where the inverter has no time for it
_TIME_SIZE: Final = 4
_PLANT: Final = 0x40
_PERIOD_OBJECT: Final = registry["pas.period"]

_Key: TypeAlias = tuple[int, int, bytes]  # address, object id, the time asked for in a query


class Desk:
    """Answers requests; which client asks matters only for whose turn it is."""

    def __init__(
        self,
        inverter: Client,
        setup: ProxySetup,
        complaints: Complaints,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._inverter = inverter
        self._setup = setup
        self._complaints = complaints
        self._sleep = sleep
        self._fresh: OrderedDict[_Key, tuple[float, Frame]] = OrderedDict()  # what came last, and when; oldest first
        self._under_way: set[asyncio.Future[Reply]] = set()
        self._writing = asyncio.Lock()

    def hear(self, frame: Frame, origin: Origin) -> None:
        """Take whatever the inverter says: it answers the next who ask. How old a late answer is, nobody knows."""
        if not frame.command.is_response or origin is Origin.LATE or self._setup.cache <= 0:
            return
        now = _now()
        info = registry.describe(frame.object_id)
        key = frame.address, frame.object_id, frame.payload[:_TIME_SIZE] if info.is_query else b""
        self._fresh[key] = now, frame
        self._fresh.move_to_end(key)
        while now - next(iter(self._fresh.values()))[0] >= self._setup.cache:
            self._fresh.popitem(last=False)

    def at_once(self, request: Frame) -> Frame | None:
        """Return the answer that is there already, None when there is none."""
        command = request.command & ~_PLANT
        info = registry.describe(request.object_id)
        is_read = command == Command.READ and not info.is_query
        is_query = command in (Command.WRITE, Command.LONG_WRITE) and info.is_query
        if not (is_read or is_query) or request.command.is_plant is not bool(request.address):
            return None
        return self._young(request.address, request.object_id, request.payload if is_query else b"")

    def _young(self, address: int, object_id: int, time: bytes = b"") -> Frame | None:
        found = self._fresh.get((address, object_id, time))
        if found is None or _now() - found[0] >= self._setup.cache:
            return None
        return found[1]

    async def answer(self, request: Frame, asker: Hashable, peer: str, tally: Tally) -> Frame | None:
        """Return the answer to a request; None for silence, as the inverter would have it."""
        if request.command.is_plant and not request.address:
            return None  # a frame to nobody: without an address it would be asked for as the master's
        info = registry.describe(request.object_id)
        match request.command & ~_PLANT:
            case Command.READ | Command.READ_PERIODICALLY:
                return await self._read(info, request.address, None, asker, tally)
            case Command.WRITE | Command.LONG_WRITE if info.is_query:
                if len(request.payload) != _TIME_SIZE:
                    return None
                before = int.from_bytes(request.payload, signed=True)
                return await self._read(info, request.address, before, asker, tally)
            case Command.WRITE | Command.LONG_WRITE if refusal := self._refusal(info, request.payload):
                tally.refused += 1
                self._complaints.say(peer, f"write {info.name}", f"a write to {info.name} was refused{refusal}")
                young = self._young(request.address, info.object_id)
                return young or await self._read(info, request.address, None, asker, tally)
            case Command.WRITE | Command.LONG_WRITE:
                return await self._write(info, request, asker, peer, tally)
        return None

    def changes(self, request: Frame) -> bool:
        """Return whether a request changes something in the inverter: a write that is let through."""
        info = registry.describe(request.object_id)
        is_write = request.command & ~_PLANT in (Command.WRITE, Command.LONG_WRITE) and not info.is_query
        return is_write and not self._refusal(info, request.payload)

    def _refusal(self, info: ObjectInfo, payload: bytes) -> str:
        """Return why something is not written, to stand behind "refused"; nothing when it may be."""
        if info.is_untouchable:
            return ": that is never let through"
        if info.name not in self._setup.writable:
            return f"; --allow-write {info.name} would let it through"
        try:
            value = info.decode(payload)
        except DecodeError as exc:
            return f": {exc}"
        return f": {value} is no number" if isinstance(value, float) and not math.isfinite(value) else ""

    async def period(self, asker: Hashable) -> float:
        """Return how often the inverter tells what it was asked to tell regularly, in seconds."""
        young = self._young(0, _PERIOD_OBJECT.object_id)
        frame = young or await self._read(_PERIOD_OBJECT, 0, None, asker, Tally())
        value = _PERIOD_OBJECT.decode(frame.payload) if frame else 0
        return float(value) if isinstance(value, int) and value > 0 else PERIOD

    async def _read(
        self, info: ObjectInfo, address: int, before: int | None, asker: Hashable, tally: Tally
    ) -> Frame | None:
        try:
            reply = self._inverter.ask(info, before, address=address, asker=asker)
        except LinkError:
            return None
        if reply in self._under_way:
            tally.coalesced += 1
        else:
            self._under_way.add(reply)
            reply.add_done_callback(self._under_way.discard)
        try:
            return (await asyncio.shield(reply)).frame
        except (NoAnswer, LinkError):
            return None

    async def _write(self, info: ObjectInfo, request: Frame, asker: Hashable, peer: str, tally: Tally) -> Frame | None:
        payload, address = request.payload, request.address
        async with self._writing:
            try:
                await asyncio.shield(self._inverter.send_write(info, payload, address=address, asker=asker))
                await self._sleep(PROOF)
            except NoAnswer:
                # Many are taken without a word. The wait for it was part of the time.
                await self._sleep(max(0.0, PROOF - self._inverter.timeout))
            except RctError as exc:
                logger.warning("%s: a write to %s failed: %s", peer, info.name, exc)
                return None
            finally:
                self._fresh.clear()  # a write to one object may change others
            tally.written += 1
            holds = await self._read(info, address, None, asker, tally)
        if holds is None:
            logger.warning("%s: wrote %s; the inverter does not say what it holds", peer, info.name)
        elif holds.payload == payload:
            logger.warning("%s: wrote %s: %s", peer, info.name, _shown(info, payload))
        else:
            kept = _shown(info, holds.payload)
            logger.warning("%s: wrote %s: %s, but it holds %s", peer, info.name, _shown(info, payload), kept)
        return holds


def _shown(info: ObjectInfo, payload: bytes) -> str:
    return f"{len(payload)} bytes" if info.private else f"{info.decode(payload)!r}"


def _now() -> float:
    return asyncio.get_running_loop().time()
