"""What the topics of an MQTT broker show, and what must be published so that they show what is new.

PREFIX/INVERTER/GROUP/OBJECT shows the newest value of an object, PREFIX/INVERTER/status whether it can be believed.
What is old, or backfilled, goes to PREFIX/INVERTER/late, and touches no other topic. What happens, and is no state,
passes by on PREFIX/INVERTER/event. Nothing here knows a connection.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import msgspec

from rct_tools.display import show_event
from rct_tools.homeassistant import HomeAssistant, object_levels, topic_level
from rct_tools.plain import plain
from rct_tools.plan import Source
from rct_tools.reading import Reading
from rct_tools.times import SECOND, iso_time
from rct_tools.values import LoggedEvent, Value
from rct_tools.vitals import INTERVAL, UP

LATE: Final = 300 * SECOND  # what is older than this, and than its own interval, is not what is
UP_LASTS: Final = 3 * INTERVAL  # an inverter of which nobody has said for so long that it is up, is not

_STATUS: Final = ("offline", "online")


class Message(NamedTuple):
    """What is to be published."""

    topic: str
    payload: str | bytes
    qos: int
    retain: bool


@dataclass(frozen=True, slots=True)
class Rules:
    """How readings become messages."""

    is_json: bool = False
    every: bool = False  # also what has not changed
    refresh: int = 300 * SECOND  # ns after which it is published all the same
    dead_band: Mapping[str, float] = field(default_factory=dict)  # by pattern of names; the first that fits counts
    retain: bool = True
    qos: int = 1


class _Place(NamedTuple):
    """Where the value of one object is shown, and how."""

    topic: str
    lasts: int  # ns that a reading is its state, unless a newer one comes
    dead_band: float


class State(NamedTuple):
    """What a topic shows: ``published`` is what it was told last; ``newest`` was too much like it to be told."""

    published: Reading
    newest: Reading


Key = tuple[str, str]  # inverter, object


class Topics:
    """All topics below a prefix. States are shown when ``keep`` is told of them: what was not published comes again."""

    def __init__(
        self, prefix: str, bridge: str, sources: Sequence[Source], rules: Rules, home: HomeAssistant | None = None
    ) -> None:
        """``bridge`` is the topic that says whether this program is there."""
        self._prefix = prefix
        self._bridge = bridge
        self._rules = rules
        self._home = home
        self._expects = {source.inverter: source.expects for source in sources}
        self._bands = [(re.compile(".*".join(map(re.escape, p.split("*")))), b) for p, b in rules.dead_band.items()]
        self._inverters = dict.fromkeys(self._expects)  # those that have a status, in order
        self._places: dict[Key, _Place] = {}
        self._states: dict[Key, State] = {}

    def status(self, *, online: bool, qos: int = 1) -> Message:
        """Return what is said of this program."""
        return Message(self._bridge, _STATUS[online], qos, retain=True)

    def all_offline(self) -> list[Message]:
        """Return the last words."""
        return [self.status(online=False), *(self._inverter_status(name, online=False) for name in self._inverters)]

    def all_shown(self, now: int) -> list[Message]:
        """Return what a broker must be told that may know nothing, or something old: every status and state."""
        messages = [self._inverter_status(name, online=self._is_up(name, now)) for name in self._inverters]
        for key, state in self._states.items():
            if key[1] != UP.name and now - state.newest.time <= self._places[key].lasts:
                messages.append(self._state(self._places[key], state.newest))
        return messages

    def take(self, readings: Sequence[Reading], now: int) -> tuple[list[Message], dict[Key, State]]:
        """Return what to publish for readings, in order, and the states that the topics show then."""
        messages: list[Message] = []
        states: dict[Key, State] = {}
        for reading in readings:
            messages += self._take(reading, now, states)
        for inverter in self._inverters:
            key = (inverter, UP.name)
            state = states.get(key) or self._states.get(key)
            if state and state.newest.value and now - state.newest.time > UP_LASTS:
                messages += self._take(Reading(now, inverter, UP, value=False), now, states)
        return messages, states

    def keep(self, states: Mapping[Key, State]) -> None:
        """Take it that the broker has what was to be published."""
        self._states.update(states)

    def _take(self, reading: Reading, now: int, states: dict[Key, State]) -> Iterator[Message]:
        if reading.backfilled:
            yield self._late(reading)
            return
        if isinstance(reading.value, LoggedEvent):
            yield self._event(reading, reading.value) if now - reading.time <= LATE else self._late(reading)
            return
        key = (reading.inverter, reading.object.name)
        place = self._places.get(key) or self._new_place(key)
        state = states.get(key) or self._states.get(key)
        # A state from the future was made while the clock was wrong, so nothing is late because of it.
        is_overtaken = state is not None and reading.time < state.newest.time <= now
        if is_overtaken or now - reading.time > place.lasts:
            yield self._late(reading)
            return
        if state and self._is_told(state.published, reading, place):
            states[key] = State(state.published, reading)
        else:
            states[key] = State(reading, reading)
            yield self._state(place, reading)
        if self._home:
            for topic, payload, retain in self._home.take(reading):
                yield Message(topic, payload, 1, retain)

    def _is_told(self, published: Reading, reading: Reading, place: _Place) -> bool:
        """Tell whether a topic shows a reading already, nearly enough and not too long ago."""
        if self._rules.every or abs(reading.time - published.time) >= self._rules.refresh:
            return False
        return _is_same(published.value, reading.value, place.dead_band)

    def _is_up(self, inverter: str, now: int) -> bool:
        state = self._states.get((inverter, UP.name))
        return state is not None and state.newest.value is True and now - state.newest.time <= UP_LASTS

    def _new_place(self, key: Key) -> _Place:
        inverter, name = key
        expected = self._expects.get(inverter, {}).get(name)
        if name == UP.name:
            self._inverters[inverter] = None
            place = _Place(self._topic(inverter, "status"), UP_LASTS, 0)
        else:
            levels = object_levels(expected.name if expected else name)
            band = next((band for pattern, band in self._bands if pattern.fullmatch(name)), 0)
            place = _Place(self._topic(inverter, *levels), max(LATE, expected.interval if expected else 0), band)
        self._places[key] = place
        return place

    def _topic(self, *levels: str) -> str:
        return "/".join((self._prefix, *map(topic_level, levels)))

    def _inverter_status(self, inverter: str, *, online: bool) -> Message:
        return Message(self._topic(inverter, "status"), _STATUS[online], 1, retain=True)

    def _state(self, place: _Place, reading: Reading) -> Message:
        if reading.object.name == UP.name:
            return self._inverter_status(reading.inverter, online=bool(reading.value))
        payload = _json(reading) if self._rules.is_json else _plain(reading.value)
        return Message(place.topic, payload, self._rules.qos, self._rules.retain)

    def _event(self, reading: Reading, event: LoggedEvent) -> Message:
        """Return what is said once, and kept by nobody: as an event entity of Home Assistant wants it."""
        payload = {
            "event_type": reading.object.name.rpartition(".")[2],
            "text": show_event(event),
            **plain(event),
            "time": iso_time(reading.time),
        }
        return Message(self._topic(reading.inverter, "event"), msgspec.json.encode(payload), self._rules.qos, False)

    def _late(self, reading: Reading) -> Message:
        payload = _json(reading, object=reading.object.name)
        return Message(self._topic(reading.inverter, "late"), payload, 1, retain=False)


def _is_same(old: Value, new: Value, dead_band: float) -> bool:
    match old, new:
        case (bool(), _) | (_, bool()):
            return old is new
        case (int() | float(), int() | float()) if math.isfinite(old) and math.isfinite(new):
            return abs(new - old) < dead_band if dead_band else old == new
        case (float(), float()):
            return plain(old) is plain(new) is None  # neither is a number
    return old == new


def _plain(value: Value) -> str | bytes:
    """Return a value as text or JSON; nothing for what is no number, so that a topic does not go on showing one."""
    if isinstance(value, str):
        return value
    shown = plain(value)
    return b"" if shown is None else shown if isinstance(shown, str) else msgspec.json.encode(shown)


def _json(reading: Reading, **more: str) -> bytes:
    shown = {"value": plain(reading.value), "unit": reading.object.unit, "time": iso_time(reading.time)}
    if meaning := reading.object.meaning(reading.value):
        shown["meaning"] = meaning
    if reading.backfilled:
        shown["backfilled"] = True
    return msgspec.json.encode(more | shown)
