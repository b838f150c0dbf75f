"""What the topics of an MQTT broker order: topics and payloads become wishes; without a connection."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final, NamedTuple, TypeAlias

import msgspec

from rct_tools.errors import ConfigError, WriteRefused
from rct_tools.homeassistant import object_levels, topic_level
from rct_tools.objects import ObjectInfo
from rct_tools.plan import Source
from rct_tools.steering.order import Begin, Choose, Prepare, Set, Wish
from rct_tools.times import SECOND, parse_duration
from rct_tools.vitals import DURATION, NORMAL, POWER, SETTINGS, SOC
from rct_tools.writable import WRITABLE, Writable

LONGEST: Final = 500  # bytes of a payload
_LIKE: Final = {  # whose values are written alike, and checked
    POWER.name: WRITABLE["power_mng.battery_power_extern"],
    SOC.name: WRITABLE["power_mng.soc_max"],
}

Read: TypeAlias = Callable[[str], Wish]


class _ModeOrder(msgspec.Struct, forbid_unknown_fields=True):
    """A mode with what it takes."""

    mode: str
    power: float | str | None = None
    soc: float | str | None = None
    duration: str | None = msgspec.field(default=None, name="for")


class Command(NamedTuple):
    """A topic by which something may be ordered."""

    inverter: str
    read: Read


class Commands:
    """The topics of commands below a prefix.

    PREFIX/INVERTER/GROUP/OBJECT/set is for an object, or a setting of the modes to come, PREFIX/INVERTER/mode/set for a
    mode.
    """

    def __init__(self, prefix: str, sources: Sequence[Source]) -> None:
        self._inverters = {f"{prefix}/{topic_level(it.inverter)}": it.inverter for it in sources if it.steerable}
        self._commands: dict[str, Command] = {}
        for source in sources:
            for levels, read in _readers(source).items():
                topic = "/".join([prefix, *map(topic_level, (source.inverter, *levels)), "set"])
                self._commands[topic] = Command(source.inverter, read)
        self.subscriptions = tuple(f"{base}/{levels}/set" for base in self._inverters for levels in ("+/+", "mode"))

    def inverter(self, topic: str) -> str | None:
        """Return whom a topic is about, None for none of ours."""
        return next((it for base, it in self._inverters.items() if topic.startswith(f"{base}/")), None)

    def read(self, topic: str, payload: bytes) -> Wish:
        """Return what is wanted. Raises WriteRefused."""
        command = self._commands.get(topic)
        if command is None:
            raise WriteRefused(f"{topic}: may not be set here; [control] names what may be")
        if len(payload) > LONGEST:
            raise WriteRefused(f"{topic}: {len(payload)} bytes are no value")
        try:
            text = payload.decode()
        except UnicodeDecodeError as exc:
            raise WriteRefused(f"{topic}: {payload[:20]!r} is no text") from exc
        if not text.strip():
            raise WriteRefused(f"{topic}: nothing stands in it")
        return command.read(text)


def _readers(source: Source) -> Mapping[tuple[str, ...], Read]:
    """Return how commands for an inverter are read, by the levels of their topics."""
    if source.steerable is None:
        return {}
    readers: dict[tuple[str, ...], Read] = {}
    for name in source.steerable.objects:
        readers[object_levels(source.called(name))] = partial(_set, WRITABLE[name])
    if source.steerable.modes:
        readers[("mode",)] = _mode
        readers |= {object_levels(source.called(name)): partial(_prepare, info) for name, info in SETTINGS.items()}
    return readers


def _set(writable: Writable, text: str) -> Wish:
    return Set(writable.info.name, writable.parse(text))


def _prepare(info: ObjectInfo, text: str) -> Wish:
    value = _seconds(text) if info is DURATION else _number(info.name, text)
    if value < 0:
        raise WriteRefused(f"{info.name}: cannot be set to {text!r}; expected 0 or more")
    return Prepare(info.name, value)


def _mode(text: str) -> Wish:
    if not text.lstrip().startswith("{"):
        return Choose(text.strip())
    try:
        order = msgspec.json.decode(text, type=_ModeOrder)
    except (msgspec.DecodeError, RecursionError) as exc:
        raise WriteRefused(f"no mode: {str(exc).lower()}") from exc
    if order.mode == NORMAL:
        if order != _ModeOrder(NORMAL):
            raise WriteRefused(f"mode {NORMAL} takes nothing else")
        return Choose(NORMAL)
    power, soc = (
        None if value is None else _number(name, value)
        for name, value in ((POWER.name, order.power), (SOC.name, order.soc))
    )
    return Begin(order.mode, power, soc, None if order.duration is None else _seconds(order.duration))


def _number(name: str, value: float | str) -> float:
    writable = _LIKE[name]
    try:
        number = writable.parse(value) if isinstance(value, str) else writable.check(value)
    except WriteRefused as exc:
        raise WriteRefused(str(exc).replace(writable.info.name, name)) from exc
    assert isinstance(number, float), "of a FLOAT"  # noqa: S101  # for the type checker
    return number


def _seconds(text: str) -> float:
    try:
        return parse_duration(text) / SECOND
    except ConfigError as exc:
        raise WriteRefused(str(exc)) from exc
