"""The inverter as the serial line sees it: a request in, an answer out, or silence."""

from __future__ import annotations

import logging
from copy import deepcopy
from functools import lru_cache
from typing import Final

from rct_tools.errors import DecodeError
from rct_tools.frame import Command, Frame
from rct_tools.objects import ObjectInfo, registry
from rct_tools.simulator.history import MINUTES_KEPT, PRM_CHANGE, History, float_bits
from rct_tools.simulator.house import LOG_INTERVAL, House
from rct_tools.simulator.objects import LIVE, load_profile
from rct_tools.simulator.sky import DAY
from rct_tools.values import DataType

log = logging.getLogger(__name__)

PERIODIC_LIMIT: Final = 64
LIVED_IN: Final = 800 * DAY  # seconds: two years that have ended are in its history
COARSE_STEP: Final = 7200  # seconds, before rows of minutes begin
FIRST_CHANGES: Final = (
    ("power_mng.soc_min", (float_bits(0.0), float_bits(0.07))),
    ("power_mng.battery_type", (5, 3)),
    ("power_mng.use_grid_power_enable", (1, 0)),
)
_SHORT: Final = 255  # bytes that the length of a frame with one byte of length can count
_TIME_SIZE: Final = 4

# A write to these could break the real thing, so here it does nothing and is said.
UNTOUCHABLE: Final = frozenset({"com_service", "pas.period"})


class Inverter:
    """Answers for a house and its history. What is written is kept in memory only, and only what can be set."""

    def __init__(self, house: House, history: History) -> None:
        self.house = house
        self.history = history
        self.address = int.from_bytes((profile := load_profile())[registry["net.id"].object_id])
        self.period = int.from_bytes(profile[registry["pas.period"].object_id])  # seconds
        self.periodic: dict[str, None] = {}  # names that a client asked to be told again and again, in order
        self.clock_off = 0.0  # seconds that its clock is fast
        self._flash = profile
        self._memory = dict(profile)
        self._asked: dict[int, bytes] = {}  # object id -> the time that its history was asked for last

    @classmethod
    def with_past(cls, seed: int, start: int, slaves: int = 0, towers: int = 1) -> Inverter:  # noqa: ARG003  # to come
        """Return the inverter of a house that someone lives in: its history ends at a time of its clock, ``start``."""
        # Half a second of work: those who start the same house again and again, as tests do, get a copy.
        return cls(*deepcopy(_past(seed, start)))

    def reboot(self) -> None:
        """Forget what was written and not flashed, and who wanted to be told."""
        self._memory = dict(self._flash)
        self.periodic.clear()

    def install(self, version: str) -> None:
        """Have another version of firmware, as it says itself."""
        info = registry["svnversion"]
        self._flash[info.object_id] = self._memory[info.object_id] = info.encode(version)

    def answer(self, request: Frame) -> Frame | None:
        """Return the answer to a frame; None for what gets none: unknown ids, foreign addresses, all but requests."""
        if request.command.is_plant and request.address != self.address:
            return None
        if request.object_id not in registry:
            return None
        info = registry[request.object_id]
        match request.command:
            case Command.READ | Command.PLANT_READ:
                payload = self.payload(info)
            case Command.WRITE | Command.LONG_WRITE | Command.PLANT_WRITE | Command.PLANT_LONG_WRITE:
                written = self._write(info, request.payload)
                if written is None:
                    return None
                payload = written
            case Command.READ_PERIODICALLY | Command.PLANT_READ_PERIODICALLY:
                if len(self.periodic) < PERIODIC_LIMIT:
                    self.periodic[info.name] = None
                payload = self.payload(info)
            case _:
                return None
        return self._response(info, payload, plant=request.command.is_plant)

    def report(self, name: str) -> Frame:
        """Return an object as it is told without being asked."""
        info = registry[name]
        return self._response(info, self.payload(info), plant=False)

    def payload(self, info: ObjectInfo) -> bytes:
        """Return what an object holds now. History holds the time it was asked for last: rows come for a write only."""
        if source := LIVE.get(info.name):
            return info.encode(source(self.house))
        if info.is_query:
            return self._asked.get(info.object_id, bytes(_TIME_SIZE))
        return self._memory[info.object_id]

    def _write(self, info: ObjectInfo, payload: bytes) -> bytes | None:
        """Take a written payload and return what the answer holds; None when it was not taken."""
        if info.is_query:
            if len(payload) != _TIME_SIZE:
                return None
            self._asked[info.object_id] = payload
            ask = self.history.ask_events if info.data_type is DataType.EVENT_TABLE else self.history.ask
            return info.encode(ask(info.name, int.from_bytes(payload)))
        if info.name in UNTOUCHABLE:
            log.warning("a write of %s to %s does nothing here", payload.hex(" ") or "nothing", info.name)
            return None
        if info.name in LIVE or not _fits(info, payload):
            return None
        old, self._memory[info.object_id] = self._memory[info.object_id], payload
        log.info("%s written", info.name)
        if old != payload:
            change = (info.object_id, int.from_bytes(old[:4]), int.from_bytes(payload[:4]))
            self.history.happened(PRM_CHANGE, self.house.time, change)
        return payload

    def _response(self, info: ObjectInfo, payload: bytes, *, plant: bool) -> Frame:
        size = 4 + len(payload) + 4 * plant
        command = Command.LONG_RESPONSE if info.is_query or size > _SHORT else Command.RESPONSE
        if plant:
            return Frame(Command(command | 0x40), info.object_id, payload, self.address)
        return Frame(command, info.object_id, payload)


@lru_cache(maxsize=2)
def _past(seed: int, start: int) -> tuple[House, History]:
    today = start - start % DAY
    commissioned = max(0, today - LIVED_IN)
    history = History(seed, today - MINUTES_KEPT)
    history.commissioned(commissioned, tuple((registry[name].object_id, *change) for name, change in FIRST_CHANGES))
    house = House(seed, commissioned, history.record)
    house.advance(today - MINUTES_KEPT, COARSE_STEP)
    house.advance(start, LOG_INTERVAL)
    house.advance(start, 1)
    return house, history


def _fits(info: ObjectInfo, payload: bytes) -> bool:
    try:
        info.decode(payload)
    except DecodeError:
        return False
    return True
