"""The inverter as the serial line sees it: a request in, an answer out, or silence.

What is written is held in RAM, where it steers the house (control.py), and lost at the next start, unless it was
flashed: by ``com_service`` 5 and then 0.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from copy import deepcopy
from functools import lru_cache
from typing import Final, cast

from rct_tools.errors import DecodeError
from rct_tools.frame import Command, Frame
from rct_tools.objects import ObjectInfo, registry
from rct_tools.simulator.control import ABOVE_CHARGE, Control
from rct_tools.simulator.history import MINUTES_KEPT, PRM_CHANGE, RESET, History, float_bits
from rct_tools.simulator.house import LOG_INTERVAL, House
from rct_tools.simulator.identity import identity
from rct_tools.simulator.noise import seeded
from rct_tools.simulator.objects import LIVE, SECOND_TOWER, load_profile
from rct_tools.simulator.sky import DAY
from rct_tools.values import DataType, Value

log = logging.getLogger(__name__)

PERIODIC_LIMIT: Final = 64
LIVED_IN: Final = 800 * DAY  # seconds: two years that have ended are in its history
COARSE_STEP: Final = 7200  # seconds, before rows of minutes begin
RESTART: Final = 22  # seconds, as the event of a reset says
FIRST_CHANGES: Final = (
    ("power_mng.soc_min", (float_bits(0.0), float_bits(0.07))),
    ("power_mng.battery_type", (5, 3)),
    ("power_mng.use_grid_power_enable", (1, 0)),
)
_SHORT: Final = 255  # bytes that the length of a frame with one byte of length can count
_TIME_SIZE: Final = 4
_PERIOD_SIZE: Final = 4

_COM_SERVICE: Final = registry["com_service"]
_PERIOD: Final = registry["pas.period"]
_WRITE_CYCLES: Final = registry["flash_param.write_cycles"]
_OFF, _FLASH = b"\x00", b"\x05"  # what com_service may be told; all else could break the real thing


class Inverter:
    """Answers for a house and its history. What can be set can be written.

    ``harm`` counts, by name, the writes that no client must ever send: to ``com_service`` anything but 5 and 0, to
    ``pas.period`` anything. ``flashed`` counts how often the settings were written to flash.
    """

    def __init__(
        self, house: House, history: History, who: Mapping[str, Value], slaves: Sequence[Inverter] = ()
    ) -> None:
        """The inverter that ``who`` names (identity.py); it has those linked to it in the order of the house's."""
        self.house = house
        self.history = history
        self.periodic: dict[str, None] = {}  # names that a client asked to be told again and again, in order
        self.harm: Counter[str] = Counter()
        self.flashed = 0
        self._slaves = slaves
        self._live = LIVE if len(house.bank.towers) == 1 else {**LIVE, **SECOND_TOWER}
        self._flash = load_profile(who)
        for name in SECOND_TOWER.keys() & self._live.keys():
            del self._flash[registry[name].object_id]
        self._asked: dict[int, bytes] = {}  # object id -> the time that its history was asked for last
        self._start()
        for slave in slaves:
            slave.harm = self.harm

    @classmethod
    def with_past(cls, seed: int, start: int, slaves: int = 0, towers: int = 1) -> Inverter:
        """Return the inverter of a house that someone lives in: its history ends at a time of its clock, ``start``.

        So many ``slaves``, solar inverters on the same roof, are linked to it, and it has one or two battery
        ``towers``.
        """
        # Half a second of work: those who start the same house again and again, as tests do, get a copy.
        house, history = deepcopy(_past(seed, start, slaves, towers))
        linked = []
        for n in range(slaves):
            memory = History(seed, start)  # a slave remembers nothing but its start
            memory.happened(RESET, house.commissioned, (house.commissioned + RESTART, 0, 0))
            linked.append(cls(house.slave(n), memory, identity(seed, slaves, number=n + 1)))
        return cls(house, history, identity(seed, slaves, towers=towers), linked)

    @property
    def clock_off(self) -> float:
        """How many seconds its clock is ahead of the one of the house, in all times that it says and is asked for."""
        return self.house.clock_off

    @clock_off.setter
    def clock_off(self, seconds: float) -> None:
        self.house.clock_off = seconds

    @property
    def period(self) -> int:
        """The time between reports of registered objects, in seconds."""
        return int.from_bytes(self._memory[_PERIOD.object_id])

    def reboot(self) -> None:
        """Start anew: with what is in flash, without registrations, with an event."""
        self._start()
        self.history.happened(RESET, self.house.time, (self.house.time + RESTART, 0, 0))

    def install(self, version: str) -> None:
        """Have another version of firmware, as it says itself."""
        info = registry["svnversion"]
        self._flash[info.object_id] = self._memory[info.object_id] = info.encode(version)

    def answer(self, request: Frame) -> Frame | None:
        """Return the answer to a frame; None for what gets none: unknown ids, foreign addresses, all but requests."""
        if request.command.is_plant and request.address != self.address:
            return self._answer_of_slave(request)
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
        if source := self._live.get(info.name):
            return info.encode(source(self.house))
        if info.is_query:
            return self._asked.get(info.object_id, bytes(_TIME_SIZE))
        return self._memory[info.object_id]

    def _start(self) -> None:
        self._memory = dict(self._flash)
        self.address = int.from_bytes(self._memory[registry["net.id"].object_id])
        self.periodic.clear()
        self._asked.clear()
        self._steer()

    def _steer(self) -> None:
        self.house.control = Control.of(self._setting)

    def _setting(self, name: str) -> float:
        value = cast("float", (info := registry[name]).decode(self._memory[info.object_id]))
        return float(f"{value:.7g}")  # what was meant: a float of four bytes holds no more digits

    def _answer_of_slave(self, request: Frame) -> Frame | None:
        for n, slave in enumerate(self._slaves):
            if slave.address == request.address:
                house = self.house.slave(n)
                house.control = slave.house.control  # its own, which has nothing to steer
                slave.house = house
                return slave.answer(request)
        return None

    def _write(self, info: ObjectInfo, payload: bytes) -> bytes | None:
        """Take a written payload and return what the answer holds; None when it was not taken."""
        if info.is_query:
            return self._ask(info, payload)
        if info is _COM_SERVICE:
            return self._serve(payload)
        if info is _PERIOD:
            self._was_harmed(info, payload)
            if payload == bytes(_PERIOD_SIZE):
                self.periodic.clear()
                return None
        if info.name in self._live or not _fits(info, payload):
            return None
        self._set(info, payload)
        if info.name == "power_mng.soc_charge":
            for name, above in ABOVE_CHARGE.items():
                follower = registry[name]
                self._set(follower, follower.encode(min(1.0, self._setting(info.name) + above)))
        self._steer()
        return payload

    def _set(self, info: ObjectInfo, payload: bytes) -> None:
        old, self._memory[info.object_id] = self._memory[info.object_id], payload
        log.info("%s written", info.name)
        if old != payload:
            change = (info.object_id, int.from_bytes(old[:4]), int.from_bytes(payload[:4]))
            self.history.happened(PRM_CHANGE, self.house.time, change)

    def _serve(self, payload: bytes) -> bytes | None:
        if payload not in (_OFF, _FLASH):
            self._was_harmed(_COM_SERVICE, payload)
            return None
        before, self._memory[_COM_SERVICE.object_id] = self._memory[_COM_SERVICE.object_id], payload
        if (before, payload) == (_FLASH, _OFF):
            cycles = int.from_bytes(self._memory[_WRITE_CYCLES.object_id]) + 1
            self._memory[_WRITE_CYCLES.object_id] = _WRITE_CYCLES.encode(cycles)
            self._flash = dict(self._memory)
            self.flashed += 1
            log.info("settings written to flash, for the %d. time", cycles)
        return payload

    def _was_harmed(self, info: ObjectInfo, payload: bytes) -> None:
        self.harm[info.name] += 1
        log.warning("a write of %s to %s can harm a real inverter", payload.hex(" ") or "nothing", info.name)

    def _ask(self, info: ObjectInfo, payload: bytes) -> bytes | None:
        if len(payload) != _TIME_SIZE:
            return None
        self._asked[info.object_id] = payload
        time, off = int.from_bytes(payload), self.clock_off
        if info.data_type is DataType.EVENT_TABLE:
            return info.encode(self.history.ask_events(info.name, time, off))
        return info.encode(self.history.ask(info.name, time, off))

    def _response(self, info: ObjectInfo, payload: bytes, *, plant: bool) -> Frame:
        size = 4 + len(payload) + 4 * plant
        command = Command.LONG_RESPONSE if info.is_query or size > _SHORT else Command.RESPONSE
        if plant:
            return Frame(Command(command | 0x40), info.object_id, payload, self.address)
        return Frame(command, info.object_id, payload)


@lru_cache(maxsize=2)
def _past(seed: int, start: int, slaves: int, towers: int) -> tuple[House, History]:
    today = start - start % DAY
    commissioned = max(0, today - LIVED_IN)
    history = History(seed, today - MINUTES_KEPT)
    history.commissioned(commissioned, tuple((registry[name].object_id, *change) for name, change in FIRST_CHANGES))
    size = seeded("slaves", seed).uniform
    house = House(seed, commissioned, history.record, towers=towers, slaves=[size(0.3, 0.8) for _ in range(slaves)])
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
