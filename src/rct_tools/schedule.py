"""When each object of a plan is asked next. No clock and no connection: times come as arguments, in steady nanoseconds.

Every object has a place of its own on a grid as wide as its interval, so requests are spread evenly and nothing drifts.
What came by itself lately is not asked; what does not answer is asked rarely; what belongs to a component that is not
there is not asked at all.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from rct_tools.components import COMPONENTS, PROOFS, component_of, proves
from rct_tools.objects import ObjectInfo
from rct_tools.plan import Group, Plan
from rct_tools.times import SECOND
from rct_tools.values import Value

GIVEN_UP: Final = 3  # questions in a row without an answer, after which an object is asked rarely
RARELY: Final = 900 * SECOND
LONG: Final = 10 * SECOND  # what has a longer interval is asked once at the beginning, before it goes to its grid
FIRST_GAP: Final = 3 * SECOND // 10  # between two of them
OFTEN: Final = 60 * SECOND  # up to this interval they come first
_LOOK_AGAIN: Final = SECOND  # for what waits until it is known whether its component is there

_NEVER: Final = -(2**62)


@dataclass(slots=True)
class Entry:
    """One object of a plan, and what came of asking for it."""

    info: ObjectInfo
    interval: int  # ns
    component: str | None
    heard: int = _NEVER  # when it last came, whoever had asked
    kept: int = _NEVER  # when it last came and was kept
    tried: int = _NEVER  # when it was last asked for
    asked: int = 0  # how often
    answered: int = 0  # of these
    unasked: int = 0  # readings kept though nobody here had asked
    silent: int = 0  # questions in a row without an answer
    open: bool = False  # whether a question is under way
    by_itself: bool = False  # whether the reading kept last was not asked for

    @property
    def is_mute(self) -> bool:
        """Whether it is asked rarely, since it does not answer."""
        return self.silent >= GIVEN_UP


@dataclass(slots=True)
class _Slot:
    """What is asked at one place of the grid: one object, or those whose sum is wanted, one right after the other."""

    entries: tuple[Entry, ...]
    interval: int
    phase: int  # a time at which it is due
    due: int  # the next


class Schedule:
    """What to ask when, for the objects of one plan."""

    def __init__(self, plan: Plan, start: int, has: frozenset[str] | None = None) -> None:
        """``has`` names the components that are there; with None, that is told by the objects that prove them."""
        self.entries: dict[str, Entry] = {}
        self.missed = 0  # questions left out, since the one before was still open or the inverter could not keep up
        self._there: dict[str, bool] = {} if has is None else {name: name in has for name in COMPONENTS}
        self._fixed = has is not None
        self._owed: set[str] = set()  # what was lost, and has its next time only long after
        # An object may stand in two groups, by itself and in a sum; so it is asked as often as either wants it.
        groups = sorted(plan.groups, key=lambda group: group.interval)
        slots = [slot for group in groups for slot in self._slots(group, start)]
        long = sorted((slot for slot in slots if slot.interval > LONG and self._may_be_there(slot)), key=_urgency)
        for number, slot in enumerate(long):
            slot.due = start + number * FIRST_GAP
        self._heap = [(slot.due, number, slot) for number, slot in enumerate(slots)]
        heapq.heapify(self._heap)

    def next(self) -> int:
        """Return when something is due next."""
        return self._heap[0][0]

    def due(self, now: int) -> list[Entry]:
        """Return what is to be asked now; each is under way from here on, until ``arrived``, ``silent`` or ``lost``."""
        ask: list[Entry] = []
        while self._heap[0][0] <= now:
            due, number, slot = self._heap[0]
            wanted = [entry for entry in slot.entries if self._is_wanted(entry, now)]
            ask += wanted
            waits = any(self.is_there(entry.component) is None for entry in slot.entries)
            slot.due = now + _LOOK_AGAIN if waits else _following(slot, now)
            if wanted:
                self.missed += (now - due) // slot.interval
            heapq.heapreplace(self._heap, (slot.due, number, slot))
        for entry in ask:
            entry.open = True
            entry.tried = now
            entry.asked += 1
        return ask

    def arrived(self, name: str, value: Value, now: int) -> bool:
        """Take note of a reading, whoever had asked; return whether to keep it.

        What comes by itself is kept, and takes the place of the next question, when half an interval has passed.
        """
        entry = self.entries.get(name)
        if entry is None:
            return False
        entry.heard = now
        entry.silent = 0
        self._owed.discard(name)
        if entry.open:
            entry.open = entry.by_itself = False
            entry.answered += 1
        elif 2 * (now - entry.kept) >= entry.interval:
            entry.unasked += 1
            entry.by_itself = True
        else:
            return False
        entry.kept = now
        if name in PROOFS and not self._fixed:
            # A string may be off for the night, and a module in service; what was there once is asked for ever after.
            self._there[PROOFS[name]] = proves(value) or self._there.get(PROOFS[name], False)
        return True

    def silent(self, name: str) -> None:
        """Take note that nobody answered a question."""
        entry = self.entries[name]
        entry.open = False
        entry.silent += 1
        if entry.interval > RARELY:  # or it would take days to know that it never answers
            self._owed.add(name)

    def forgive(self, since: int) -> None:
        """Forget the silence of objects that were heard until a time: it was that of the whole inverter."""
        for entry in self.entries.values():
            if entry.silent and entry.heard >= since - entry.interval:
                entry.silent = 0
                self._owe(entry)

    def lost(self, name: str) -> None:
        """Take note that a question was lost with the connection: nobody's fault."""
        entry = self.entries[name]
        entry.open = False
        entry.asked -= 1
        self._owe(entry)

    def resume(self, now: int) -> None:
        """Ask for what was lost now, not at its next time, one after the other: there is an inverter again."""
        owed = [slot for _, _, slot in self._heap if any(entry.info.name in self._owed for entry in slot.entries)]
        self._owed.clear()
        for number, slot in enumerate(sorted(owed, key=_urgency)):
            slot.due = min(slot.due, now + number * FIRST_GAP)
        if owed:
            self._heap = [(slot.due, number, slot) for _, number, slot in self._heap]
            heapq.heapify(self._heap)

    def _may_be_there(self, slot: _Slot) -> bool:
        return any(self.is_there(entry.component) is not False for entry in slot.entries)

    def _owe(self, entry: Entry) -> None:
        if entry.interval > LONG:
            self._owed.add(entry.info.name)

    def is_there(self, component: str | None) -> bool | None:
        """Return whether a component is there; None while the object that proves it may still answer."""
        if component is None:
            return True
        if component in self._there:
            return self._there[component]
        proof = self.entries.get(COMPONENTS[component].proof)
        if proof is None:
            return True
        whole = self.is_there(proof.component)
        return proof.is_mute or None if whole else whole

    @property
    def absent(self) -> frozenset[str]:
        """The components that are known not to be there."""
        return frozenset(name for name in COMPONENTS if self.is_there(name) is False)

    def _is_wanted(self, entry: Entry, now: int) -> bool:
        if not self.is_there(entry.component):
            return False
        if entry.by_itself and 2 * (now - entry.kept) < entry.interval:
            return False
        if entry.is_mute and now - entry.tried < RARELY:
            return False
        self.missed += entry.open
        return not entry.open

    def _slots(self, group: Group, start: int) -> Iterator[_Slot]:
        sums = [field.objects for field in group.fields if len(field.objects) > 1]
        singles = [field.objects for field in group.fields if len(field.objects) == 1]
        places: list[tuple[Entry, ...]] = []
        for objects in (*sums, *singles):
            new = [info for info in objects if info.name not in self.entries]
            entries = {info.name: Entry(info, group.interval, component_of(info.name)) for info in new}
            self.entries |= entries
            if entries:
                places.append(tuple(entries.values()))
        for number, place in enumerate(places):
            phase = start + group.interval * number // len(places)
            yield _Slot(place, group.interval, phase, phase)


def _urgency(slot: _Slot) -> tuple[int, bool, int]:
    """Return what sorts slots at the beginning: what proves components, what is read often, then most rarely."""
    proofs = list(PROOFS)
    places = [proofs.index(entry.info.name) for entry in slot.entries if entry.info.name in PROOFS]
    return min(places, default=len(proofs)), slot.interval > OFTEN, -slot.interval


def _following(slot: _Slot, now: int) -> int:
    """Return the next time on the grid of a slot, not much less than an interval away."""
    after = max(slot.due, now) + slot.interval // 2
    return slot.phase + -((slot.phase - after) // slot.interval) * slot.interval
