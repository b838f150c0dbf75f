"""Gaps are filled while the collector runs: when an inverter is there again, and no faster than nobody notices."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from rct_tools.backfill import KEPT, Filling, fill, find_lacking
from rct_tools.client import Client
from rct_tools.errors import ConfigError, LinkError, NoAnswer, RctError, SinkError
from rct_tools.events import EVENTS, missed_events
from rct_tools.history import InTurns
from rct_tools.logged import SLOT
from rct_tools.outbox import Outbox
from rct_tools.plan import Plan, Source
from rct_tools.reading import Reading
from rct_tools.sinks import Store
from rct_tools.times import SECOND
from rct_tools.vitals import UP

logger = logging.getLogger(__name__)

AWAY: Final = 600 * SECOND  # so long without an inverter, and it is looked for what was missed
LOOK: Final = 30.0  # seconds from one look to the next, whether it is there
PAUSE: Final = 1.0  # seconds before each page
SETTLED: Final = 60 * SECOND  # what is younger may yet be on its way, live or from the inverter into its log
BEHIND: Final = 30 * SECOND  # readings that have waited for longer say that a store has enough to do
_PATIENCE: Final = 120  # pauses for a store to catch up, in the midst of filling it

_LATER: Final[dict[type[RctError], int]] = {  # when it is tried again, in nanoseconds
    SinkError: 300 * SECOND,
    LinkError: 60 * SECOND,
    NoAnswer: 3600 * SECOND,
    ConfigError: 3600 * SECOND,
}


class Watch(Protocol):
    """Whether an inverter is there; a Poller is one."""

    @property
    def up(self) -> bool:
        """Whether it answers."""


@dataclass(frozen=True, slots=True)
class Target:
    """A store to be filled, and the outbox that leads to it."""

    label: str
    store: Store
    outbox: Outbox
    source: Source


@dataclass(slots=True)
class _Due:
    since: int  # what is older was looked at
    when: int  # not before
    said: type[RctError] | None = None  # the kind of trouble of which people were told


class Filler:
    """Fills what stores lack of one inverter: once at the start, and whenever it was away for a while."""

    def __init__(
        self,
        client: Client,
        watch: Watch,
        plan: Plan,
        targets: Sequence[Target],
        *,
        wall_clock: Callable[[], int] = time.time_ns,
    ) -> None:
        """``client`` is asked with this as the asker, so that others have their turns."""
        self._client = client
        self._watch = watch
        self._plan = plan
        self._targets = targets
        self._now = wall_clock
        self._due: dict[str, _Due] = {}  # by label, what is to be looked at
        self.filling = ""  # the label of the store that is filled now; "" for none

    @property
    def delayed(self) -> list[str]:
        """The labels of stores whose gaps could not be filled; it is tried again."""
        return sorted(label for label, due in self._due.items() if due.said and label != self.filling)

    async def run(self) -> None:
        """Fill until cancelled."""
        seen = None  # when it was last there
        due = self._due
        try:
            while True:
                if self._watch.up:
                    now = self._now()
                    if seen is None or now - seen >= AWAY:
                        since = now - KEPT if seen is None else seen - AWAY
                        for target in self._targets:
                            due.setdefault(target.label, _Due(since, now + SETTLED))
                    for target in self._targets:
                        if target.label in due and due[target.label].when <= self._now():
                            await self._look_at(target)
                    seen = self._now()
                await asyncio.sleep(LOOK)
        finally:
            self._client.leave(self)

    async def _look_at(self, target: Target) -> None:
        """Fill one store; it is not due any more when nothing is left that could be filled now."""
        if _is_behind(target, self._now()):
            return
        entry = self._due[target.label]
        peer = self._client.peer
        try:
            filling = await self._fill(target, entry.since)
        except (SinkError, LinkError, NoAnswer, ConfigError) as exc:
            kind = next(kind for kind in _LATER if isinstance(exc, kind))
            entry.when = self._now() + _LATER[kind]
            level = logging.INFO if kind in (LinkError, entry.said) else logging.WARNING
            entry.said = kind
            logger.log(level, "%s: gaps of %s are filled later: %s", peer, target.label, exc)
        else:
            del self._due[target.label]
            if filling.given or filling.events:
                what = "%s: %d readings of its log and %d of its events fill gaps of %s"
                logger.warning(what, peer, filling.given, filling.events, target.label)
        finally:
            self.filling = ""

    async def _fill(self, target: Target, since: int) -> Filling:
        until = self._now() - SETTLED
        since = max(since, until - KEPT)  # the clock may have been set, or it has waited for long
        gaps = await find_lacking(target.store, target.source, self._plan, since, until, only_behind=True)
        if gaps:
            self.filling = target.label

        async def put(readings: Sequence[Reading]) -> None:
            target.outbox.put(readings)

        filling = Filling(target.label, target.source.inverter, gaps, put)
        await fill(_Unhurried(self._client, self, target, self._now), [filling], target.source.zone, now=self._now)
        first = await _first(target, since, until)
        if first is not None:
            missed = await missed_events(
                self._client, target.store, target.source, since=first, until=until, now=self._now, asker=self
            )
            target.outbox.put(missed)
            filling.events = len(missed)
        return filling


class _Unhurried:
    """The log of an inverter, asked in the turns of a filler, and only while its store keeps up."""

    def __init__(self, client: Client, asker: Filler, target: Target, now: Callable[[], int]) -> None:
        self.peer = client.peer
        self._log = InTurns(client, asker)
        self._target = target
        self._now = now

    async def read(self, name: str, *, before: int | None = None) -> Reading:
        for _ in range(_PATIENCE):
            await asyncio.sleep(PAUSE)
            if not _is_behind(self._target, self._now()):
                break
        else:
            raise SinkError(f"{self._target.label}: takes nothing, or too slowly")
        return await self._log.read(name, before=before)


async def _first(target: Target, since: int, until: int) -> int | None:
    """Return since when a store has readings that wants events; None for one that has none. Raises SinkError."""
    names = [info.name for info in (UP, *EVENTS) if info.name in target.source.expects]
    if not target.source.expects.keys() & {info.name for info in EVENTS}:
        return None
    known = await target.store.times(target.source.inverter, names, since, until, SLOT)
    return min((min(times) for times in known.values() if times), default=None)


def _is_behind(target: Target, now: int) -> bool:
    """Return whether readings wait for a store for longer than it takes to write them."""
    status = target.outbox.status
    return bool(status.trouble) or (status.oldest is not None and now - status.oldest > BEHIND)
