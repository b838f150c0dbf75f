"""The main job: read what the plan says when it says, and hand it to the sinks."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

from rct_tools.errors import LinkError, NoAnswer
from rct_tools.outbox import Outbox
from rct_tools.plan import Field, Group, Plan
from rct_tools.reading import Reading
from rct_tools.sinks import Sink
from rct_tools.times import SECOND

logger = logging.getLogger(__name__)

LAST_TRY: Final = 5.0  # seconds that the sinks get at the end, for what they have not taken yet


class Source(Protocol):
    """What readings are asked of; a Client is one."""

    @property
    def peer(self) -> str:
        """``host:port``, for messages."""

    async def read_many(self, names: Iterable[str]) -> Mapping[str, Reading | NoAnswer | LinkError]:
        """Return what came for each name.

        Raises LinkError while there is no connection; the source makes it again, and says when it goes and comes.
        """


class Collector:
    """Reads each group of a plan at its interval and gives what came to every sink.

    Cycles keep to a fixed grid: they neither drift nor overlap, and one that is missed is left out. An object that does
    not answer costs nobody else anything, and nothing is written in its place; when it stops and when it is back is
    said once. While the inverter is away, nothing is written, and it is asked again at each cycle.
    """

    def __init__(
        self,
        source: Source,
        plan: Plan,
        sinks: Mapping[str, Sink],
        *,
        clock: Callable[[], int] = time.monotonic_ns,
        sleep: Callable[[float], Coroutine[Any, Any, None]] = asyncio.sleep,
    ) -> None:
        """``sinks`` are named as in messages, by URL; the collector closes them."""
        self.outboxes = tuple(Outbox(label, sink.write, sleep=sleep) for label, sink in sinks.items())
        self.cycles = 0
        self.missed = 0  # cycles left out because an earlier one took too long
        self._source = source
        self._plan = plan
        self._sinks = tuple(sinks.values())
        self._clock = clock
        self._sleep = sleep
        self._silent_since: int | None = None
        self._missing: set[str] = set()
        self._late: set[str] = set()  # names of groups

    async def run(self) -> None:
        """Collect until cancelled; then let the sinks take what they have not taken yet, and close them."""
        jobs = [asyncio.create_task(job) for job in (self._poll(), *(outbox.run() for outbox in self.outboxes))]
        try:
            # None of them ends by itself: the first that does has met a bug, or standard output is gone.
            ended, _ = await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await self._end(jobs[0], jobs[1:])
        for job in ended:
            job.result()

    async def _end(self, poll: asyncio.Task[None], writers: Sequence[asyncio.Task[None]]) -> None:
        poll.cancel()
        for outbox in self.outboxes:
            outbox.finish()
        if writers:
            await asyncio.wait(writers, timeout=LAST_TRY)
        for writer in writers:
            writer.cancel()
        await asyncio.gather(poll, *writers, return_exceptions=True)
        for sink in self._sinks:
            await sink.close()

    async def _poll(self) -> None:
        start = self._clock()
        due = dict.fromkeys(self._plan.groups, start)
        while True:
            now = self._clock()
            ready = [group for group, when in due.items() if when <= now]
            if not ready:
                await self._sleep((min(due.values()) - now) / SECOND)
                continue
            came = await self._cycle(ready)
            now = self._clock()
            for group in ready:
                following = start + ((now - start) // group.interval + 1) * group.interval
                missed = (following - due[group]) // group.interval - 1
                due[group] = following
                self.missed += missed
                if missed and came:
                    self._say_late(group)

    async def _cycle(self, groups: Iterable[Group]) -> bool:
        """Read some groups and hand on what came; return whether anything did."""
        self.cycles += 1
        fields = [field for group in groups for field in group.fields]
        names = list(dict.fromkeys(info.name for field in fields for info in field.objects))
        asked = self._clock()
        try:
            answers = await self._source.read_many(names)
        except LinkError:
            return False  # the source has said so
        came = {name: answer for name, answer in answers.items() if isinstance(answer, Reading)}
        took = (self._clock() - asked) / SECOND
        logger.info("%s: %d of %d objects answered, in %.2f s", self._source.peer, len(came), len(names), took)
        silent = {name for name, answer in answers.items() if isinstance(answer, NoAnswer)}
        self._say_missing(len(names), silent, came)
        readings = [reading for field in fields if (reading := _field_reading(field, came)) is not None]
        for outbox in self.outboxes:
            outbox.put(readings)
        return bool(came)

    def _say_late(self, group: Group) -> None:
        if group.name not in self._late:
            self._late.add(group.name)
            text = "%s: group %s takes longer than its interval of %g s; cycles are left out"
            logger.warning(text, self._source.peer, group.name, group.interval / SECOND)

    def _say_missing(self, asked: int, missing: set[str], came: Mapping[str, Reading]) -> None:
        if not came:
            if self._silent_since is None:
                self._silent_since = self._clock()
                text = "%s: silent: no answer for any of %d objects; will keep asking"
                logger.warning(text, self._source.peer, asked)
            return
        if self._silent_since is not None:
            silent = (self._clock() - self._silent_since) // SECOND
            logger.warning("%s: answers again, after %d s", self._source.peer, silent)
            self._silent_since = None
        if new := missing - self._missing:
            logger.warning("%s: no answer for %s; will keep asking", self._source.peer, ", ".join(sorted(new)))
        if back := self._missing & set(came):
            logger.warning("%s: answered again: %s", self._source.peer, ", ".join(sorted(back)))
        self._missing = (self._missing | missing) - set(came)


def _field_reading(field: Field, came: Mapping[str, Reading]) -> Reading | None:
    """Return the reading of a field; None when an object of it did not answer."""
    parts = [came[info.name] for info in field.objects if info.name in came]
    if len(parts) < len(field.objects):
        return None
    if len(parts) == 1:
        return parts[0]
    newest = max(parts, key=lambda part: part.time)
    total = sum(part.value for part in parts if isinstance(part.value, int | float))
    return Reading(newest.time, newest.inverter, field.info, float(total))
