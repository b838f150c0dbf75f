"""Writes that are safe: only what may be written, only when it may be, and done only when it was read back.

    async with connect("192.0.2.7") as inverter:
        written = await write(inverter, "power_mng.soc_min", 0.2)

Values are held in the inverter's RAM; its flash is never written.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from rct_tools.client import Client
from rct_tools.errors import LinkError, NoAnswer, NotNow, WriteFailed
from rct_tools.frame import Command, Frame
from rct_tools.journal import Journal
from rct_tools.objects import ObjectInfo, registry
from rct_tools.plain import plain
from rct_tools.reading import Reading
from rct_tools.sentence import Sentence, Sentences, sentence_of
from rct_tools.sinks.sqlite import default_path
from rct_tools.times import SECOND, iso_time
from rct_tools.values import Value
from rct_tools.wayback import Change, WayBacks
from rct_tools.writable import Held, Writable, find_writable, is_same, show

logger = logging.getLogger(__name__)

PROOF: Final = 0.8
"""Seconds until an inverter shows what was written to it."""

TRIES: Final = 16
"""How often a write is sent at most. Some firmware loses writes, without a word."""

MOST_AN_HOUR: Final = 60
"""How often one object of an inverter is written in an hour at most. RAM does not wear out, but each change is an event
in the inverter's log, which pushes out others."""

SERIAL: Final = "inverter_sn"
STATES: Final[Mapping[str, frozenset[int]]] = {
    "battery.bat_status": frozenset({0}),
    "battery.status2": frozenset({0, 1032, 2048}),
}
"""What a battery says that may be steered: all of these."""

_HOUR: Final = 3600 * SECOND
_LOOKS: Final = 6  # reads, until two in a row say the same


class _Says(Sentences):
    NO_LIMIT = "{peer}: {limit} says {value}, so nobody knows what {object} may be"
    HELD_BY_MODE = (
        "{peer}: mode {mode} has changed {object} and will put it back; end the mode before (`rct mode normal`)"
    )
    CHANGES_WITH = (
        "{peer}: mode {mode} has changed {changed}, which changes with {object}, and will put it back; "
        "end the mode before (`rct mode normal`)"
    )
    TOO_LATE = "{peer}: {object}: it took too long until it could be written; not sent"
    TOO_OFTEN = (
        "{peer}: {object} was written {times} times within an hour, which is the most that is good for the inverter; "
        "wait, or write less often"
    )
    BATTERY_SILENT = "{error}, so the battery may be busy; --force-state writes all the same"
    BATTERY_BUSY = (
        "{peer}: the battery must not be steered now: {object} is {state}; "
        "wait until that is over, or use --force-state"
    )
    NOT_SET = "{peer}: {object} was not set to {wanted}: sent {tries} times, {known}"
    HOLDS = "it holds {value}"
    DOES_NOT_SAY = "it does not say what it holds"
    NOBODY_KNOWS = "and nobody knows what it holds: {reason}"
    NOT_AS_SHOWN = (
        "{peer}: things have changed since that was shown: {object} would go from {old} to {new}; look at it again"
    )


@dataclass(frozen=True, slots=True)
class Effect:
    """What an object held that changes with another; None where it did not say."""

    object: ObjectInfo
    before: Value | None
    after: Value | None


@dataclass(frozen=True, slots=True)
class Intent:
    """A write that may be sent, and what it would change; nothing has been sent yet."""

    inverter: str  # its serial number
    writable: Writable
    old: Value
    wanted: Value
    before: Mapping[str, Value | None]  # what the objects hold that change with it

    @property
    def object(self) -> ObjectInfo:
        """The object to be written."""
        return self.writable.info

    @property
    def is_needed(self) -> bool:
        """Whether the object does not hold the value already."""
        return not is_same(self.object, self.old, self.wanted)

    @property
    def change(self) -> Change:
        """What it does to the object."""
        return Change(self.object, self.old, self.wanted)

    @property
    def frame(self) -> Frame:
        """What would be sent."""
        return Frame(Command.WRITE, self.object.object_id, self.object.encode(self.wanted))


@dataclass(frozen=True, slots=True)
class Written:
    """A write that is proven: the inverter said twice that it holds what was wanted."""

    object: ObjectInfo
    old: Value
    wanted: Value
    now: Value
    tries: int  # how often it was sent; 0 when the object held the value already
    effects: tuple[Effect, ...] = ()


def default_folder() -> Path:
    """Return where the journal and the ways back are, when nobody says where."""
    state = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]  # of a service
    return Path(state or default_path().parent) / "steering"


@dataclass(frozen=True)
class Writer:
    """Writes to one inverter. ``who`` is what the journal says of whoever wants it.

    ``folder`` is where the journal is, ``sleep`` waits for some seconds, ``clock`` gives UTC nanoseconds. After
    ``expires``, a time of that clock, no write begins but those that put back: what was wanted is too old then.
    """

    client: Client
    folder: Path = field(default_factory=default_folder)
    who: str = ""
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    clock: Callable[[], int] = time.time_ns
    expires: int | None = None

    @property
    def journal(self) -> Journal:
        """What was written."""
        return Journal(self.folder / "writes.jsonl")

    @property
    def way_backs(self) -> WayBacks:
        """What modes have to put back."""
        return WayBacks(self.folder)

    async def consider(self, name: str, value: object, *, force_state: bool = False) -> Intent:
        """Check a write, and return what it would do; everything is asked and nothing is sent.

        Raises WriteRefused for what may not be written, NotNow when the battery is busy, unless ``force_state``,
        UnknownObject, NoAnswer, LinkError.
        """
        writable = find_writable(registry.find(name))
        wanted = writable.check(value)
        if writable.limit:
            most = await self.value(writable.limit)
            if not isinstance(most, float) or not 0 < most < float("inf"):
                raise NotNow(_Says.NO_LIMIT(peer=self.client.peer, limit=writable.limit, value=repr(most), object=name))
            wanted = writable.within(most).check(value)
        inverter = await self.serial()
        if not force_state:
            await self.check_battery()
        old = await self.settled(writable.info)
        return Intent(inverter, writable, old, wanted, await self._effects(writable))

    async def write(self, name: str, value: object, *, force_state: bool = False) -> Written:
        """Write a value, and return when the inverter is proven to hold it. What it holds already is not sent.

        Raises as ``consider``, NotNow also when it was written too often or a mode holds it; WriteFailed when it is
        not proven, OSError when the journal cannot be written: then nothing was sent.
        """
        return await self.carry_out(await self.foresee(name, value, force_state=force_state))

    async def foresee(self, name: str, value: object, *, force_state: bool = False) -> Intent:
        """Return what ``write`` would do. Raises as ``consider``, NotNow also when a mode holds what it changes."""
        intent = await self.consider(name, value, force_state=force_state)
        way_back = self.way_backs.load(intent.inverter)
        for info in (intent.object, *map(registry.__getitem__, intent.writable.changes)):
            if way_back and way_back.changes_object(info):
                peer, mode = self.client.peer, way_back.mode
                if info == intent.object:
                    raise NotNow(_Says.HELD_BY_MODE(peer=peer, mode=mode, object=info.name))
                raise NotNow(_Says.CHANGES_WITH(peer=peer, mode=mode, changed=info.name, object=name))
        return intent

    async def carry_out(self, intent: Intent, *, limited: bool = True) -> Written:
        """Do what was considered. Raises WriteFailed; when ``limited``, NotNow if too often or too late, and OSError.

        What is not ``limited`` puts back, and waits for nothing: not even for room on the disk for its record.
        """
        info = intent.object
        if not intent.is_needed:
            return Written(info, intent.old, intent.wanted, intent.old, 0)
        if limited:
            when = self.clock()
            if self.expires is not None and when > self.expires:
                raise NotNow(_Says.TOO_LATE(peer=self.client.peer, object=info.name))
            begun = self.journal.begun(intent.inverter, info.name, when - _HOUR, when)
            if begun >= MOST_AN_HOUR:
                raise NotNow(_Says.TOO_OFTEN(peer=self.client.peer, object=info.name, times=begun))
        self._record("begin", intent, is_needed=limited)
        outcome: dict[str, Any] = {"outcome": "interrupted"}
        try:
            tries, now = await self._until_proven(intent)
            effects = tuple(
                Effect(registry[name], intent.before[name], after)
                for name, after in (await self._effects(intent.writable)).items()
            )
            outcome = {
                "outcome": "proven",
                "tries": tries,
                "now": plain(now),
                "effects": {it.object.name: [_plain(it.before), _plain(it.after)] for it in effects},
            }
        except WriteFailed as exc:
            outcome = {"outcome": str(exc), "tries": exc.tries, "now": _plain(exc.holds)}
            raise
        finally:
            self._record("end", intent, is_needed=False, **outcome)
        logger.info("%s: wrote %s: %s", self.client.peer, info.name, show(info, now))
        return Written(info, intent.old, intent.wanted, now, tries, effects)

    async def put_back(self, change: Change, *, was_made: bool = True) -> Written | None:
        """Write what an object held before, however often, and whatever the battery does.

        Return None when it holds something else than before and after a change that ``was_made``: then others have set
        it since, and it stays. Raises WriteFailed, NoAnswer, LinkError.
        """
        info, before = change.object, change.before
        writable = find_writable(info)
        now = await self.settled(info)
        if was_made and not is_same(info, now, before) and not is_same(info, now, change.after):
            return None
        intent = Intent(await self.serial(), writable, now, before, await self._effects(writable))
        return await self.carry_out(intent, limited=False)

    # --- reading ------------------------------------------------------------------------------------------------

    async def value(self, name: str) -> Value:
        """Return what an object holds. Raises NoAnswer, LinkError."""
        return (await self.client.read(name)).value

    async def serial(self) -> str:
        """Return the serial number of the inverter. Raises NoAnswer, LinkError."""
        return str(await self.settled(registry[SERIAL]))

    async def settled(self, info: ObjectInfo) -> Value:
        """Return what an object holds, as two answers in a row say: one alone may be late, and from before a write.

        Raises NoAnswer, LinkError.
        """
        last: Value | None = None
        for _ in range(_LOOKS):
            value = await self.value(info.name)
            if last is not None and is_same(info, last, value):
                return value
            last = value
        raise NoAnswer(self.client.peer, [info.name])  # none that could be believed

    async def check_battery(self) -> None:
        """Raise NotNow when the battery calibrates, balances, or does not say; LinkError."""
        for name, good in STATES.items():
            try:
                state = await self.value(name)
            except NoAnswer as exc:
                raise NotNow(_Says.BATTERY_SILENT(error=sentence_of(exc))) from exc
            if state not in good:
                held = Held(registry[name], state)
                raise NotNow(_Says.BATTERY_BUSY(peer=self.client.peer, object=name, state=held))

    async def _effects(self, writable: Writable) -> dict[str, Value | None]:
        answers: Mapping[str, object] = {}
        with suppress(LinkError):  # a write that is proven stays so
            answers = await self.client.read_many(writable.changes) if writable.changes else {}
        found = {name: answers.get(name) for name in writable.changes}
        return {name: answer.value if isinstance(answer, Reading) else None for name, answer in found.items()}

    # --- writing ------------------------------------------------------------------------------------------------

    async def _until_proven(self, intent: Intent) -> tuple[int, Value]:
        """Send a write until it is proven; return how often, and what the inverter holds. Raises WriteFailed."""
        info = intent.object
        holds: Value | None = None
        reason: Sentence | None = None
        for tries in range(1, TRIES + 1):
            holds = None
            try:
                await self._send(intent)
                holds = await self.settled(info)
            except NoAnswer:
                continue
            except LinkError as exc:
                reason = sentence_of(exc).without(f"{self.client.peer}: ")
                break
            if is_same(info, holds, intent.wanted):
                return tries, holds
            logger.info("%s: %s still holds %s after %d tries", self.client.peer, info.name, show(info, holds), tries)
        known = _Says.DOES_NOT_SAY() if holds is None else _Says.HOLDS(value=Held(info, holds))
        if reason:
            known = _Says.NOBODY_KNOWS(reason=reason)
        wanted = Held(info, intent.wanted)
        said = _Says.NOT_SET(peer=self.client.peer, object=info.name, wanted=wanted, tries=tries, known=known)
        raise WriteFailed(said, info.name, tries, holds)

    async def _send(self, intent: Intent) -> None:
        """Send a write, and wait until the inverter can show it."""
        try:
            await asyncio.shield(self.client.send_write(intent.object, intent.frame.payload))
            await self.sleep(PROOF)
        except NoAnswer:
            # Many are taken without a word. The wait for it was part of the time.
            await self.sleep(max(0.0, PROOF - self.client.timeout))
        except LinkError as exc:  # it may have been taken before: what is read on the next connection tells
            logger.info("%s", exc)
            await self.sleep(PROOF)

    def _record(self, event: str, intent: Intent, *, is_needed: bool, **more: Any) -> None:
        entry = {
            "time": iso_time(self.clock()),
            "event": event,
            "who": self.who,
            "process": os.getpid(),
            "peer": self.client.peer,
            "inverter": intent.inverter,
            "object": intent.object.name,
            "old": plain(intent.old),
            "wanted": plain(intent.wanted),
        }
        try:
            self.journal.add(entry | more)
        except OSError as exc:
            if is_needed:  # nothing is sent that is not on record
                raise
            where = self.client.peer, self.journal.path
            logger.error("%s: %s: the %s of a write is not on record: %s", *where, event, exc)


def check_agreed(peer: str, intents: Sequence[Intent], agreed: Sequence[Change]) -> None:
    """Raise NotNow when writes would not do what somebody was shown, and has agreed to."""
    shown = {change.object: change for change in agreed}
    for change in (intent.change for intent in intents):
        info, was = change.object, shown.get(change.object)
        if was is None or not is_same(info, change.before, was.before) or not is_same(info, change.after, was.after):
            old, new = Held(info, change.before), Held(info, change.after)
            raise NotNow(_Says.NOT_AS_SHOWN(peer=peer, object=info.name, old=old, new=new))


def _plain(value: object) -> Any:
    return None if value is None else plain(value)  # type: ignore[arg-type]  # it is a Value


async def write(
    client: Client,
    name: str,
    value: object,
    *,
    force_state: bool = False,
    folder: Path | None = None,
    who: str = "",
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    clock: Callable[[], int] = time.time_ns,
) -> Written:
    """Write a value to one object of an inverter, and return when it is proven: Writer.write.

    ``value`` is in the object's own type and unit, ratios from 0 to 1. Raises WriteRefused and NotNow with nothing
    sent, WriteFailed, UnknownObject, NoAnswer, LinkError, OSError.
    """
    writer = Writer(client, folder or default_folder(), who, sleep, clock)
    return await writer.write(name, value, force_state=force_state)
