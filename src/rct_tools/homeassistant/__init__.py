"""What Home Assistant is told: which devices and entities there are, by MQTT discovery, and their states.

No I/O and no clock: readings in, messages out. Which entities there are is in entities.toml, and how values are shown
in views.py. Contract with the sink: docs/home-assistant.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from typing import Final, NamedTuple

from rct_tools.components import PROOFS
from rct_tools.homeassistant.entities import COMMANDS, COMPONENTS
from rct_tools.homeassistant.inverter import SERIAL_NUMBER, Inverter, Live, node_of, object_levels, topic_level
from rct_tools.plan import Source
from rct_tools.reading import Reading
from rct_tools.times import SECOND

__all__ = ["HomeAssistant", "Message", "object_levels", "topic_level"]

ORIGIN: Final = "RCT Tools"
_FOREIGN: Final = {  # what components do not know
    "number": ("expire_after",),
    "select": ("expire_after",),
    "switch": ("expire_after",),
    "button": ("expire_after", "state_topic"),
}
_OF_OURS: Final = ("link.", "control.")  # known of an inverter that is away, too


class Message(NamedTuple):
    """What is to be published; an empty payload, retained, takes back what stood there."""

    topic: str
    payload: str
    retain: bool


class HomeAssistant:
    """The devices and entities of some inverters.

    Nothing is announced of an inverter before its serial number is known, which entities are known by, so that they
    keep their history when the inverter gets another name; nor of a device before it is known to be there; nor an
    entity before it has a state, but for those of events: one that comes with its first event would miss it.
    """

    def __init__(
        self, sources: Sequence[Source], *, prefix: str, bridge: str = "", discovery: str = "homeassistant"
    ) -> None:
        """``prefix`` begins all topics of states, ``discovery`` those where Home Assistant looks for devices.

        ``bridge`` is the topic that says whether this program is there, ``PREFIX/status`` without.
        """
        self._bridge = bridge or f"{prefix}/status"
        self._prefix = prefix
        self._discovery = discovery
        self._origin = {"name": ORIGIN, "sw_version": version("rct-tools")}
        self._sources = {source.inverter: source for source in sources}
        self._inverters = {name: Inverter(source, prefix) for name, source in self._sources.items()}
        self._held: set[str] = set()  # discovery topics of ours that may yet belong to one of the inverters
        configs = (f"{discovery}/{component}/+/+/config" for component in COMPONENTS)
        self.subscriptions: tuple[str, ...] = (f"{discovery}/status", *configs)
        """Where Home Assistant says ``online`` when it has started (``born``); where devices are announced
        (``is_stale``)."""

    def take(self, reading: Reading) -> list[Message]:
        """Return what a reading makes known, in the order to publish it."""
        inverter = self._inverters.get(reading.inverter)
        if inverter is None:
            return []
        messages: list[Message] = []
        inverter.newest = reading.time
        if reading.object.name in inverter.told_by:
            messages += self._learn(inverter, reading)
            inverter = self._inverters[reading.inverter]
        for live in inverter.events:
            if not live.is_announced and inverter.may_announce(live.state.device):
                live.is_announced = True
                messages += self._configs(inverter, live)
        if (component := PROOFS.get(reading.object.name)) is not None:
            inverter.prove(component, reading.value)
        for live in inverter.by_object.get(reading.object.name, ()):
            if live.see(reading, inverter.zone, inverter.nothing) and inverter.may_announce(live.state.device):
                messages += self._tell(inverter, live)
        return messages

    def born(self) -> list[Message]:
        """Return all that is known and still holds: Home Assistant or the broker was started again."""
        messages: list[Message] = []
        for inverter in self._inverters.values():
            for live in inverter.lives:
                if live.is_announced:
                    messages += self._configs(inverter, live)
                    if live.is_fresh(inverter.newest):
                        messages.append(self._state(inverter, live))
        return messages

    def is_stale(self, topic: str, payload: str) -> bool:
        """Return whether a retained discovery message is ours, of this prefix, and of no entity that there may be.

        While the serial number of an inverter is not known yet, what may be its own is held: ``take`` takes it back
        when the number is known and is another one.
        """
        node = self._node(topic)
        if node is None or not self._is_ours(payload) or self._is_wanted(topic):
            return False
        if self._is_known(node):
            return True
        self._held.add(topic)
        return False

    # --- what is learned of an inverter -----------------------------------------------------------------------------

    def _learn(self, inverter: Inverter, reading: Reading) -> list[Message]:
        """Take a reading that tells what a device is, or that it is there."""
        messages: list[Message] = []
        is_serial_number = reading.object.name == SERIAL_NUMBER
        if is_serial_number and inverter.is_other(str(reading.value)):
            messages += self._forget(inverter)
            inverter = self._inverters[inverter.source.inverter]
            inverter.newest = reading.time
        changed = inverter.learn(reading.object, reading.value)
        if is_serial_number and not inverter.is_known and reading.value:
            node = node_of(str(reading.value))
            is_there = any(other.node == node for other in self._inverters.values())
            inverter.identify(str(reading.value), None if is_there else node)  # under two names, it is announced once
            messages += self._take_back()
            changed = inverter.devices.keys()
        for live in inverter.lives if changed else ():
            if live.state.device in changed and inverter.may_announce(live.state.device):
                if live.is_announced:
                    messages += self._configs(inverter, live)
                elif live.is_fresh(reading.time):
                    messages += self._tell(inverter, live)
        return messages

    def _forget(self, inverter: Inverter) -> list[Message]:
        """Take back all that is announced of an inverter: another one answers in its place."""
        self._inverters[inverter.source.inverter] = Inverter(inverter.source, self._prefix)
        return [
            Message(config.topic, "", retain=True)
            for live in inverter.lives
            if live.is_announced
            for config in self._configs(inverter, live)
        ]

    def _take_back(self) -> list[Message]:
        """Return what ends the entities that were held and are known to belong to nobody now."""
        decided = {topic for topic in self._held if self._is_wanted(topic) or self._is_known(str(self._node(topic)))}
        self._held -= decided
        return [Message(topic, "", retain=True) for topic in sorted(decided) if not self._is_wanted(topic)]

    # --- discovery --------------------------------------------------------------------------------------------------

    def _tell(self, inverter: Inverter, live: Live) -> Iterator[Message]:
        if not live.is_announced:
            live.is_announced = True
            yield from self._configs(inverter, live)
        yield self._state(inverter, live)

    def _state(self, inverter: Inverter, live: Live) -> Message:
        live.told = live.time
        return Message(inverter.state_topic(live), live.payload, retain=True)

    def _configs(self, inverter: Inverter, live: Live) -> Iterator[Message]:
        state = live.state
        device = inverter.devices[state.device]
        there = [{"topic": self._bridge}, {"topic": f"{inverter.topic}/status"}]
        availability = there[: 1 if state.objects[0].startswith(_OF_OURS) else 2]
        common = {
            "state_topic": inverter.state_topic(live),
            "availability": availability,
            "availability_mode": "all",
            **({} if state.is_event else {"expire_after": live.expiry // SECOND}),
            "device": inverter.describe(device),
            "origin": self._origin,
        }
        ordered = common | {"availability": [*there, {"topic": f"{self._bridge}/control"}]}
        for entity in state.entities:
            if (config := inverter.config_of(entity)) is None:
                continue
            is_command = entity.component in COMMANDS
            payload = {**config, "unique_id": f"{inverter.node}_{entity.key}", **(ordered if is_command else common)}
            for key in _FOREIGN.get(entity.component, ()):
                del payload[key]
            topic = f"{self._discovery}/{entity.component}/{inverter.node}/{entity.key}/config"
            yield Message(topic, json.dumps(payload, ensure_ascii=False), retain=True)

    def _node(self, topic: str) -> str | None:
        """Return the node of a discovery topic, if it may be one of ours."""
        match topic.removeprefix(f"{self._discovery}/").split("/"):
            case [component, node, _, "config"] if component in COMPONENTS and node.startswith(node_of("")):
                return node
        return None

    def _is_ours(self, payload: str) -> bool:
        try:
            config = json.loads(payload)
            return config["origin"]["name"] == ORIGIN and {"topic": self._bridge} in config["availability"]
        except (ValueError, LookupError, TypeError):
            return False

    def _is_wanted(self, topic: str) -> bool:
        _, component, node, key, _ = topic.rsplit("/", 4)
        return any(i.node == node and (component, key) in i.entities for i in self._inverters.values())

    def _is_known(self, node: str) -> bool:
        inverters = self._inverters.values()
        return any(i.node == node for i in inverters) or all(i.is_known for i in inverters)
