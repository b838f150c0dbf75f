"""What the page tells of an inverter and its battery, as JSON knows it; made of readings, so nobody is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from rct_tools.client import Client
from rct_tools.clock import Clock
from rct_tools.components import nothing_of
from rct_tools.health import Answers, as_json, health_of, quality_of, towers_of
from rct_tools.objects import ObjectInfo, registry
from rct_tools.poller import Poller
from rct_tools.proxy import Proxy
from rct_tools.reading import Reading
from rct_tools.steering import Steward
from rct_tools.vitals import VITALS
from rct_tools.web.newest import Newest, Seen

MOST_FOUND: Final = 1000  # objects


class Watched(Protocol):
    """An inverter at work in a collector."""

    @property
    def client(self) -> Client: ...

    @property
    def poller(self) -> Poller: ...

    @property
    def proxy(self) -> Proxy | None: ...

    @property
    def steward(self) -> Steward | None: ...


@dataclass(frozen=True, slots=True)
class Teller:
    """Tells of the inverters of which the newest is known; ``watched`` gives those that are at work now, by name."""

    newest: Newest
    watched: Callable[[], Mapping[str, Watched]]

    def inverter(self, name: str, now: int) -> dict[str, Any]:
        """Return how an inverter is. What it has not said yet is null; ages are milliseconds."""
        watched = self.watched()[name]
        answers = self._answers(name)
        client = watched.client
        document: dict[str, Any] = {
            "inverter": name,
            "peer": client.peer,
            "zone": self.newest.inverters[name].zone,
            "up": self.newest.is_up(name),
            "age": self.newest.age(name, now),
            "absent": sorted(watched.poller.schedule.absent),
            "mute": sorted(n for n, entry in watched.poller.schedule.entries.items() if entry.is_mute),
            "clients": list(_clients(watched.proxy)),
            "health": None,
        }
        if answers.readings:
            health = as_json(
                health_of(answers, client.peer, quality_of(client), Clock.of(self.newest.inverters[name].zone))
            )
            document["health"] = {
                key: health[key] for key in health if key not in ("time", "missing", "trouble", "peer")
            }
        return document

    def battery(self, name: str, now: int) -> dict[str, Any]:
        """Return the towers of a battery with their modules; the age is that of the oldest value of a cell."""
        answers = self._answers(name)
        towers = towers_of(answers, Clock.of(self.newest.inverters[name].zone))
        ages = [now - seen.at for object_name, seen in self.newest.seen(name).items() if ".cells[" in object_name]
        return {
            "inverter": name,
            "up": self.newest.is_up(name),
            "age": max(ages) // 1_000_000 if ages else None,
            "towers": as_json(towers) if answers.readings else [],
        }

    def objects(self, name: str, search: str, now: int) -> list[dict[str, Any]]:
        """Return the objects whose name or description holds a text, with what is known of their values."""
        seen = self.newest.seen(name)
        vitals = [info for info in VITALS if search.lower() in f"{info.name} {info.description}".lower()]
        sums = [s.reading.object for n, s in seen.items() if s.reading.object.object_id == 0 and search.lower() in n]
        found = {info.name: info for info in (*registry.match(search), *vitals, *sums)}
        return [self._object(name, info, seen.get(info.name), now) for info in list(found.values())[:MOST_FOUND]]

    def _object(self, inverter: str, info: ObjectInfo, seen: Seen | None, now: int) -> dict[str, Any]:
        about = {
            "name": info.name,
            "id": f"0x{info.object_id:08X}" if info.object_id else None,
            "type": info.data_type.name,
            "unit": info.unit,
            "description": info.description,
        }
        return about | (self.newest.value(inverter, seen, now) if seen else {"value": None, "time": None, "age": None})

    def _answers(self, name: str) -> Answers:
        readings = {n: seen.reading for n, seen in self.newest.seen(name).items() if not n.startswith("link.")}
        if not readings:
            return Answers({})
        newest = max(reading.time for reading in readings.values())
        absent = self.watched()[name].poller.schedule.absent
        nothing = {each: Reading(newest, name, registry[each], 0.0) for each in nothing_of(absent)}
        return Answers(nothing | readings)


def _clients(proxy: Proxy | None) -> Iterator[dict[str, Any]]:
    """Yield the hosts that use the connection over a proxy."""
    for served in proxy.served if proxy else ():
        yield {
            "host": served.host,
            "connected": served.connected,
            "requests": served.tally.requests,
            "unanswered": served.tally.unanswered,
            "refused": served.tally.refused,
            "written": served.tally.written,
        }
