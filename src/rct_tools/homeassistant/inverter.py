"""What is known of one inverter and of the devices behind it, and the states that are made of its readings."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final
from zoneinfo import ZoneInfo

from rct_tools.components import nothing_of, proves
from rct_tools.homeassistant.commands import command_entities
from rct_tools.homeassistant.entities import INVERTER, Device, Entity, State, catalogue, key_of, select
from rct_tools.homeassistant.totals import Total
from rct_tools.homeassistant.views import VIEWS, Seen, decimal
from rct_tools.objects import ObjectInfo
from rct_tools.plan import Expected, Source
from rct_tools.reading import Reading
from rct_tools.times import SECOND
from rct_tools.values import Cell, Value
from rct_tools.vitals import INTERVAL, MODE, VITALS

SERIAL_NUMBER: Final = "inverter_sn"
REFRESH: Final = 300 * SECOND
"""A state that does not change is told again after this time."""

_FORBIDDEN: Final = re.compile(r"^\$|[+#/\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_DEVICE: Final = "device"  # the group of objects that are in none
_EXPIRY: Final = 3  # times that a state may be missed before it is said to be unavailable
_BELIEVED: Final = 3  # times in a row that another serial number is read before it is another inverter


def topic_level(name: str) -> str:
    """Return a name as one level of an MQTT topic: what MQTT or a broker forbids there becomes ``_``."""
    return _FORBIDDEN.sub("_", name) or "_"


def object_levels(name: str) -> tuple[str, str]:
    """Return the levels of the topic of an object: its group, and the rest of its name."""
    group, _, rest = name.partition(".")
    return (group, rest) if rest else (_DEVICE, group)


def node_of(text: str) -> str:
    """Return what our discovery topics, devices and unique ids begin with, for a serial number."""
    return f"rct_{key_of(text)}"


@dataclass(slots=True)
class Live:
    """A state of one inverter, as it is now."""

    state: State
    infos: Sequence[ObjectInfo]
    interval: int  # ns between two readings
    total: Total | None
    parts: dict[str, Reading] = field(default_factory=dict)  # what came of several objects since they were shown last
    payload: str = ""  # "" until there is one
    time: int = 0  # of the newest reading in it
    told: int = 0  # the time of the reading with which it was published last
    is_announced: bool = False

    @property
    def expiry(self) -> int:
        """The time (ns) for which it holds without being told again."""
        return _EXPIRY * max(self.interval, REFRESH)

    def is_fresh(self, now: int) -> bool:
        """Return whether it still holds."""
        return bool(self.payload) and now - self.time <= self.expiry

    def see(self, reading: Reading, zone: ZoneInfo, nothing: Collection[str]) -> bool:
        """Take a reading; return whether there is something to publish. ``nothing`` are objects that are 0."""
        values: list[Value] = [reading.value]
        if len(self.infos) > 1:
            self.parts[reading.object.name] = reading
            # A part that did not come this time is not made up of the one before.
            self.parts = {n: r for n, r in self.parts.items() if abs(reading.time - r.time) <= self.interval}
            if any(info.name not in self.parts and info.name not in nothing for info in self.infos):
                return False
            values = [self.parts[info.name].value if info.name in self.parts else 0.0 for info in self.infos]
            self.parts = {}
        state = self.state
        shown = VIEWS[state.view](Seen(values, self.infos, reading.time, zone, state.precision, state.resets))
        if shown is None:
            return False
        if not isinstance(shown, str):
            shown = decimal(self.total.take(shown, reading.time) if self.total else shown, state.precision)
        is_due = shown != self.payload or not self.is_announced or abs(reading.time - self.told) >= REFRESH
        self.payload, self.time = shown, reading.time
        return is_due


class Inverter:
    """One inverter: what is known of it and of the devices behind it."""

    def __init__(self, source: Source, prefix: str) -> None:
        self.source = source
        self.topic = f"{prefix}/{topic_level(source.inverter)}"
        self.zone = ZoneInfo(source.zone)
        self.newest = 0  # the time of the newest reading
        self.serial_number = ""
        self.node: str | None = None
        if SERIAL_NUMBER not in source.expects:  # it is known by its name then
            self.serial_number = source.inverter
            self.node = node_of(source.inverter)
        self.devices = catalogue().devices
        expects = {info.name: Expected(info, info.name, INTERVAL) for info in VITALS} | dict(source.expects)
        selection = select(tuple(expected.info for expected in expects.values()))
        commands = {it.key: self._commands(it) for it in selection.states} if source.steerable else {}
        self.entities = selection.entities | {(e.component, e.key) for added in commands.values() for e in added}
        self.lives = [
            Live(
                replace(state, entities=(*state.entities, *commands.get(state.key, ()))),
                [expects[name].info for name in state.objects],
                max(expects[name].interval for name in state.objects),
                Total(self.zone, state.resets) if state.is_total else None,
            )
            for state in selection.states
        ]
        self.events = [live for live in self.lives if live.state.is_event]
        self._limits: dict[str, float | None] = {  # how far what is set may go; None for what is not known yet
            entity.limit: None for added in commands.values() for entity in added if entity.limit in expects
        }
        self.by_object: dict[str, list[Live]] = {}
        for live in self.lives:
            for name in live.state.objects:
                self.by_object.setdefault(name, []).append(live)
        self._facts: dict[str, str] = {}  # what stands in descriptions of devices, by the name of the object
        self._evidence = {
            key: [name for name in device.present if name in expects] for key, device in self.devices.items()
        }
        self._present = {key for key, names in self._evidence.items() if not names}
        described = {name for device in self.devices.values() for name in (*device.described_by, *device.present)}
        self.told_by = described & expects.keys() | {SERIAL_NUMBER, *self._limits}
        self._stranger = ("", 0)  # another serial number, and how often in a row it was read
        self._there: dict[str, bool] = {}  # components of which that is known; what was there once is for ever after
        self.nothing: frozenset[str] = frozenset()  # objects that are known to be 0, of what the inverter does not have

    def _commands(self, state: State) -> tuple[Entity, ...]:
        """Return the entities by which what a state shows is set, as far as it may be."""
        assert self.source.steerable is not None, "who calls this knows"  # noqa: S101  # for the type checker
        return command_entities(state, self.source.steerable, self.command_topic)

    def command_topic(self, name: str) -> str:
        """Return where it is ordered to set an object."""
        if name == MODE.name:
            return f"{self.topic}/mode/set"
        return "/".join([self.topic, *map(topic_level, object_levels(self.source.called(name))), "set"])

    def config_of(self, entity: Entity) -> Mapping[str, Any] | None:
        """Return what is said of an entity, with how far it goes; None while nobody knows that."""
        if not entity.limit:
            return entity.config
        most = self._limits.get(entity.limit)
        return None if most is None else {**entity.config, "min": -most if entity.config["min"] < 0 else 0, "max": most}

    def prove(self, component: str, value: Value) -> None:
        """Take the value that tells whether a component is there."""
        self._there[component] = proves(value) or self._there.get(component, False)
        self.nothing = nothing_of(name for name, is_there in self._there.items() if not is_there)

    @property
    def is_known(self) -> bool:
        """Whether it is known which inverter this is."""
        return bool(self.serial_number)

    def may_announce(self, device: str) -> bool:
        """Return whether a device is known, and known to be there."""
        return self.node is not None and device in self._present

    def is_other(self, serial_number: str) -> bool:
        """Take a serial number; return whether it is that of another inverter by now."""
        if not self.serial_number or serial_number in ("", self.serial_number):
            self._stranger = ("", 0)
            return False
        last, times = self._stranger
        self._stranger = (serial_number, times + 1 if last == serial_number else 1)
        return self._stranger[1] >= _BELIEVED

    def identify(self, serial_number: str, node: str | None) -> None:
        """Take the serial number by which it is known from now on; without a node, nothing is announced."""
        self.serial_number = self._facts[SERIAL_NUMBER] = serial_number
        self.node = node

    def learn(self, info: ObjectInfo, value: Value) -> Collection[str]:
        """Take a value that tells of devices; return the keys of those that are there, or are described, otherwise."""
        changed: set[str] = set()
        if _says_something(value):
            changed = {key for key, names in self._evidence.items() if info.name in names} - self._present
            self._present |= changed
        if info.name in self._limits and isinstance(value, float) and 0 < value < float("inf"):
            if self._limits[info.name] != value:
                changed |= {live.state.device for live in self.lives if _goes_by(live.state, info.name)}
            self._limits[info.name] = value
        text = info.meaning(value) or (str(value) if value else "")
        if text and info.name != SERIAL_NUMBER and self._facts.get(info.name) != text:
            self._facts[info.name] = text
            changed |= {key for key, device in self.devices.items() if info.name in device.described_by}
        return changed

    def describe(self, device: Device) -> Mapping[str, Any]:
        """Return a device as discovery describes it, with all that is known of it."""
        name = self.source.inverter
        shown = name if name.casefold().startswith("rct") else f"RCT {name}"
        described = {
            "name": device.name.format(shown),
            "manufacturer": device.manufacturer,
            "model": device.model or self._facts.get(device.model_from),
            "serial_number": self._facts.get(device.serial_number),
            "sw_version": self._facts.get(device.sw_version),
            "via_device": self._identifier(device.via) if device.via else None,
        }
        return {"identifiers": [self._identifier(device.key)]} | {k: v for k, v in described.items() if v}

    def _identifier(self, device: str) -> str:
        return str(self.node) if device == INVERTER else f"{self.node}_{device}"

    def state_topic(self, live: Live) -> str:
        """Return where a state is published; of events, where the sink says them."""
        return f"{self.topic}/event" if live.state.is_event else f"{self.topic}/homeassistant/{live.state.key}"


def _goes_by(state: State, limit: str) -> bool:
    return any(entity.limit == limit for entity in state.entities)


def _says_something(value: Value) -> bool:
    match value:
        case tuple():
            return any(cell.voltage for cell in value if isinstance(cell, Cell))
        case _:
            return bool(value)
