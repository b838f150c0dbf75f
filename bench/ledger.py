"""What was read, by the witness, and what of it is where it went: reading by reading."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

import aiohttp
import aiomqtt

from rct_tools.homeassistant import topic_level
from rct_tools.metrics import naming
from rct_tools.objects import registry
from rct_tools.sinks.sqlite import query
from rct_tools.times import parse_iso_time
from rct_tools.vitals import UP

MILLISECOND: Final = 1_000_000  # ns
CLOCKS: Final = 0.1  # seconds: Prometheus moves the time of a fetch a little, so that it comes evenly
COARSE: Final = 2e-12  # VictoriaMetrics rounds to about 12 digits: it makes 50.0004882812 of 50.00048828125
VISIBLE: Final = 1.0  # seconds: VictoriaMetrics finds what it was given only after about one, even if told to flush


class Key(NamedTuple):
    """Which reading."""

    inverter: str
    object: str
    time: int  # UTC, ns

    @property
    def coarse(self) -> Key:
        """The same, as far as whoever keeps milliseconds knows it."""
        return self._replace(time=self.time // MILLISECOND * MILLISECOND)


Entry: TypeAlias = tuple[Key, float]
"""A reading that is a number, or true or false, and its value."""


# --- who has what ---------------------------------------------------------------------------------------------------


def witness(path: Path) -> list[Entry]:
    """Return what a SQLite file of the collector has."""
    return [
        (Key(row.inverter, row.object, row.time), float(row.value))
        for row in query(path)
        if isinstance(row.value, int | float)
    ]


async def influx(port: int, database: str) -> list[Entry]:
    """Return what InfluxDB has, by the schema ``groups``."""
    question = {"q": 'SELECT value FROM /.*/ GROUP BY inverter, "name", module', "db": database, "epoch": "ns"}
    async with (
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session,
        session.get("/query", params=question) as response,
    ):
        answer = await response.json()
    return [
        (Key(series["tags"]["inverter"], series["tags"]["name"], row[0]), float(row[1]))
        for series in answer["results"][0].get("series", ())
        for row in series["values"]
        if not series["tags"]["module"]
    ]


async def victoria(port: int) -> list[Entry]:
    """Return what VictoriaMetrics has, by the schema ``groups``; its times are those of whole milliseconds."""
    found: list[Entry] = []
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", read_bufsize=2**24) as session:
        while True:
            async with session.get("/internal/force_flush"):
                pass
            before, found = found, []
            async with session.get("/api/v1/export", params={"match[]": '{__name__=~".+_value"}'}) as response:
                async for line in response.content:
                    row = json.loads(line)
                    labels = row["metric"]
                    pairs = zip(row["timestamps"], row["values"], strict=True)
                    found += [(Key(labels["inverter"], labels["name"], t * MILLISECOND), v) for t, v in pairs]
            if found and len(found) == len(before):
                return found
            await asyncio.sleep(VISIBLE)


@dataclass(frozen=True, slots=True)
class Heard:
    """A message of the broker."""

    when: float  # seconds since 1970
    topic: str
    payload: bytes
    is_old: bool  # what the broker had kept, and told us when we came


@dataclass
class Listener:
    """Hears all that is published below a prefix; when the broker goes, it comes back within a moment."""

    port: int
    prefix: str = "rct"
    heard: list[Heard] = field(default_factory=list)
    here: asyncio.Event = field(default_factory=asyncio.Event)  # while it hears

    async def run(self) -> None:
        """Listen until cancelled."""
        while True:
            with suppress(aiomqtt.MqttError):
                async with aiomqtt.Client("127.0.0.1", self.port) as client:
                    # Not with more quality: then a broker that is killed would take back what we have not confirmed.
                    await client.subscribe(f"{self.prefix}/#", qos=0)
                    self.here.set()
                    async for message in client.messages:
                        payload = message.payload if isinstance(message.payload, bytes) else b""
                        self.heard.append(Heard(time.time(), message.topic.value, payload, bool(message.retain)))
            self.here.clear()
            await asyncio.sleep(0.02)

    def latest(self, topic: str) -> str:
        """Return what a topic below the prefix shows, "" for nothing."""
        topic = f"{self.prefix}/{topic}"
        return next((heard.payload.decode() for heard in reversed(self.heard) if heard.topic == topic), "")

    def states(self, objects: Iterable[tuple[str, str]]) -> Iterator[Entry]:
        """Yield the readings that the states of some objects showed, by inverter and name, with payload = "json"."""
        topics = {self._topic(inverter, name): (inverter, name) for inverter, name in objects if name != UP.name}
        for heard in self.heard:
            if heard.topic in topics and not heard.is_old:
                yield from _entries(*topics[heard.topic], json.loads(heard.payload))

    def late(self) -> Iterator[Entry]:
        """Yield the readings that came late."""
        for heard in self.heard:
            _, inverter, *rest = heard.topic.split("/")
            if rest == ["late"]:
                document = json.loads(heard.payload)
                yield from _entries(inverter, document["object"], document)

    def _topic(self, inverter: str, name: str) -> str:
        group, _, rest = name.partition(".")
        levels = (group, rest) if rest else ("device", name)
        return "/".join([self.prefix, topic_level(inverter), *map(topic_level, levels)])


def _entries(inverter: str, name: str, document: Mapping[str, object]) -> Iterator[Entry]:
    moment, value = parse_iso_time(str(document["time"])), document["value"]
    if moment is not None and isinstance(value, int | float):
        yield Key(inverter, name, moment), float(value)


class Sample(NamedTuple):
    """What Prometheus was told of one object."""

    object: str
    when: float  # seconds since 1970: that is when it began to ask
    value: float
    took: float = 0.0  # seconds until it was answered

    @property
    def answered(self) -> float:
        """When it was told this, at the latest; seconds since 1970."""
        return self.when + self.took + CLOCKS


async def prometheus(port: int, inverter: str, objects: Iterable[str], past: str) -> list[Sample]:
    """Return what Prometheus has of some objects, over a time such as ``10m``."""
    found: list[Sample] = []
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:

        async def values(expression: str) -> list[tuple[float, str]]:
            async with session.get("/api/v1/query", params={"query": f"{expression}[{past}]"}) as response:
                answer = await response.json()
            return [row for series in answer["data"]["result"] for row in series["values"]]

        took = {when: float(seconds) for when, seconds in await values("scrape_duration_seconds")}
        for name in objects:
            for metric in naming("own").metrics(registry[name]):
                labels = {"inverter": inverter, **metric.labels}
                match = ",".join(f'{label}="{value}"' for label, value in labels.items())
                told = await values(f"{metric.family.name}{{{match}}}")
                found += [Sample(name, when, float(value), took.get(when, 0.0)) for when, value in told]
    return found


# --- compared -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Account:
    """How a store compares with the witness."""

    read: int
    found: int
    missing: Sequence[Key]  # in the order of time, as all others
    doubled: Sequence[Key]
    untrue: Sequence[Key]  # with another value than was read
    strange: Sequence[Key]  # not read at all, as far as the witness knows

    def missing_outside(self, spans: Sequence[tuple[float, float]]) -> Sequence[Key]:
        """Return what is missing, but not of some times, in seconds since 1970."""
        return [key for key in self.missing if not any(begin <= key.time / 1e9 <= end for begin, end in spans)]


def compare(read: Iterable[Entry], found: Iterable[Entry], *, coarse: bool = False) -> Account:
    """Compare what was read with what was found, exactly, or ``coarse``, as VictoriaMetrics keeps times and values."""
    tolerance = COARSE if coarse else 0.0
    values: dict[Key, set[float]] = {}
    for key, value in read:
        values.setdefault(key.coarse if coarse else key, set()).add(value)
    times: Counter[Key] = Counter()
    untrue: set[Key] = set()
    for key, value in found:
        times[key] += 1
        if key in values and not any(math.isclose(value, known, rel_tol=tolerance) for known in values[key]):
            untrue.add(key)
    return Account(
        read=len(values),
        found=len(times),
        missing=_ordered(values.keys() - times.keys()),
        doubled=_ordered(key for key, count in times.items() if count > 1),
        untrue=_ordered(untrue),
        strange=_ordered(times.keys() - values.keys()),
    )


def overtaken(entries: Iterable[Entry]) -> list[Key]:
    """Return the readings that came after a newer one of the same object."""
    newest: dict[tuple[str, str], int] = {}
    old: list[Key] = []
    for key, _ in entries:
        if key.time < newest.setdefault(key[:2], key.time):
            old.append(key)
        newest[key[:2]] = max(newest[key[:2]], key.time)
    return old


def unread(samples: Iterable[Sample], read: Iterable[Entry], lasts: float) -> list[Sample]:
    """Return the samples that were not read in the last seconds before: frozen, or made up."""
    values: dict[str, dict[float, list[float]]] = {}
    for key, value in read:
        values.setdefault(key.object, {}).setdefault(value, []).append(key.time / 1e9)
    return [
        sample
        for sample in samples
        if not any(
            sample.when - lasts < time < sample.answered for time in values.get(sample.object, {}).get(sample.value, ())
        )
    ]


def _ordered(keys: Iterable[Key]) -> list[Key]:
    return sorted(keys, key=lambda key: key.time)
