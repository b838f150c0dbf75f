"""What goes wrong on a line and when: decided by Faults and by chance that can be repeated.

Trouble is asked at each step of a request's way: whether it reaches the inverter, what is sent in place of an answer,
and whether a connection gets it. Each kind of decision has its own chance, so that one fault does not move another.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from rct_tools.frame import Command, Frame
from rct_tools.objects import registry
from rct_tools.simulator.damage import DAMAGE, KEEP_ALIVE, on_the_wire, stub_of
from rct_tools.simulator.faults import FAULTS, HEALTHY, PER_FRAME
from rct_tools.simulator.noise import seeded
from rct_tools.simulator.truth import Happened

HANG: Final = 60.0  # seconds that a bridge hangs
RARE: Final = 0.1  # how many of the objects are answered rarely
_SOON: Final = 3  # frames that a late one waits for at most
_WRITES: Final = frozenset({Command.WRITE, Command.LONG_WRITE, Command.PLANT_WRITE, Command.PLANT_LONG_WRITE})


@dataclass(slots=True)
class Session:
    """What the bridge knows of a connection. Times are those of the loop."""

    number: int
    since: float
    asked: float  # when it asked last
    mute_until: float  # unless it asks

    def asks(self, now: float) -> None:
        """Take note of a request."""
        self.asked = now
        self.mute_until = 0.0


@dataclass(slots=True)
class _Held:
    data: bytes
    object_id: int
    frames: int  # that pass before it comes


class Trouble:
    """Decides what goes wrong; ``faults`` may be changed at any time. What happened is told to ``truth``, and counted.

    The same seed and the same sequence of requests make the same trouble.
    """

    def __init__(self, seed: int = 0, truth: Callable[[Happened], None] = lambda _: None) -> None:
        self.faults = HEALTHY
        self.counts: Counter[str] = Counter()
        self._truth = truth
        self._seed = seed
        self._chance = {name: seeded(seed, "fault", name) for name in FAULTS}
        self._draw = seeded(seed, "fault", "which")
        self._held: list[_Held] = []
        self._answered: dict[int, float] = {}  # id of a rare object -> when it was answered last
        self._hung_until = 0.0
        self._said = 0  # bytes

    def happened(
        self,
        fault: str,
        connection: int | None = None,
        object_id: int | None = None,
        whole: bytes = b"",
        sent: bytes = b"",
    ) -> None:
        """Tell and count a fault."""
        self.counts[fault] += 1
        self._tell(fault, connection, object_id, whole, sent)

    def hang(self, seconds: float = HANG) -> None:
        """Let the bridge hang from now on."""
        self._hung_until = self._now() + seconds

    def forget(self) -> None:
        """Lose what is held back, as a device that has been off does."""
        self._held.clear()

    # --- requests -----------------------------------------------------------------------------------------------

    def hears(self, requests: Sequence[Frame], connection: int) -> list[Frame]:
        """Return those that reach the inverter, of requests that came in one TCP segment."""
        heard = list(requests)
        if len(heard) > 1 and self._strikes("segment"):
            left = self._chance["segment"].choice((0, 1))
            for request in heard[left:]:
                self.happened("segment", connection, request.object_id)
            del heard[left:]
        return [request for request in heard if self._reaches(request, connection)]

    def _reaches(self, request: Frame, connection: int) -> bool:
        if self._strikes("hung") and not self._is_hung():
            self.hang()
        for fault, strikes in (
            ("hung", self._is_hung()),
            ("unwritten", _writes(request) and self._strikes("unwritten")),
        ):
            if strikes:
                self.happened(fault, connection, request.object_id)
                return False
        return True

    # --- what is said -------------------------------------------------------------------------------------------

    def says(self, said: Frame | bytes | None, request: Frame | None, *, interrupted: bool) -> bytes:
        """Return what is sent to all in place of what is said: an answer to ``request``, or, without one, unasked.

        ``interrupted`` tells that another request came before the answer was off the line.
        """
        whole = on_the_wire(said)
        if not isinstance(said, Frame):
            return self._sends("hung" if self._is_hung() else "", None, whole, b"" if self._is_hung() else whole)
        early = self._release()
        if fault := self._swallows(said, request):
            sent = b""
        elif interrupted and said.payload and self._strikes("stub"):
            fault, sent = "stub", on_the_wire(stub_of(said, self._chance["stub"]))
        elif fault := self._which():
            sent, later = DAMAGE[fault](said, request, self._chance[fault])
            if later:
                self._held.append(_Held(later, said.object_id, self._chance[fault].randint(1, _SOON)))
        else:
            sent = whole
        return early + self._sends(fault, said.object_id, whole, sent)

    def _sends(self, fault: str, object_id: int | None, whole: bytes, sent: bytes) -> bytes:
        """Return what is sent; a fault has happened only where that is not what should be."""
        if sent != whole:
            self.happened(fault, None, object_id, whole, sent)
        self._said += len(sent)
        return sent

    def _release(self) -> bytes:
        """Return what comes glued to the front of the frame that is said now."""
        for held in self._held:
            held.frames -= 1
        due = [held for held in self._held if not held.frames]
        self._held = [held for held in self._held if held.frames]
        for held in due:
            sent = b"" if self._is_hung() else held.data
            self._tell("late", None, held.object_id, b"", sent)  # it was counted when it was held back
            self._said += len(sent)
        return b"" if self._is_hung() else b"".join(held.data for held in due)

    def _swallows(self, said: Frame, request: Frame | None) -> str:
        """Return the fault that leaves nothing of a frame; "" for none."""
        if self._is_hung():
            return "hung"
        if request is None:
            return ""
        if _writes(request) and self._strikes("unacknowledged"):
            return "unacknowledged"
        return "rare" if self.faults.rare and self._is_too_soon(said.object_id) else ""

    def _is_too_soon(self, object_id: int) -> bool:
        """Whether an object is one of the rare, and was answered a short time ago."""
        if seeded(self._seed, "rare", object_id).random() >= RARE:
            return False
        if self._now() - self._answered.get(object_id, float("-inf")) < self.faults.rare:
            return True
        self._answered[object_id] = self._now()
        return False

    def _which(self) -> str:
        """Return the fault that strikes a frame; "" for none."""
        at = self._draw.random()
        for name in PER_FRAME:
            at -= getattr(self.faults, name)
            if at < 0:
                return name
        return ""

    # --- connections --------------------------------------------------------------------------------------------

    def begins(self, number: int, others: int) -> Session | None:
        """Return a new connection to the bridge beside ``others``; None when there is no room for it."""
        if self.faults.connections and others >= self.faults.connections:
            self.happened("connections", number)
            return None
        now = self._now()
        return Session(number, now, now, now + self._chance["slow"].random() * self.faults.slow)

    def greeting(self, session: Session) -> bytes:
        """Return what a connection gets at its begin."""
        if self._is_hung() or not self._strikes("at"):
            return b""
        self.happened("at", session.number, None, b"", KEEP_ALIVE)
        return KEEP_ALIVE

    def reaches(self, session: Session, data: bytes) -> bool:
        """Return whether a connection gets what is sent to all."""
        now, silent = self._now(), self.faults.silent
        for fault, strikes in (("silent", 0 < silent <= now - session.since), ("slow", now < session.mute_until)):
            if strikes:
                self.happened(fault, session.number, None, data)
                return False
        return True

    def is_idle(self, session: Session) -> bool:
        """Return whether the bridge closes a connection, since it has asked nothing for too long."""
        idle = 0 < self.faults.idle <= self._now() - session.asked
        if idle:
            self.happened("idle", session.number)
        return idle

    # ------------------------------------------------------------------------------------------------------------

    def _strikes(self, fault: str) -> bool:
        return self._chance[fault].random() < float(getattr(self.faults, fault))

    def _is_hung(self) -> bool:
        return self._now() < self._hung_until

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _tell(self, fault: str, connection: int | None, object_id: int | None, whole: bytes, sent: bytes) -> None:
        self._truth(Happened(self._now(), fault, connection, object_id, self._said, whole, sent))


def _writes(request: Frame) -> bool:
    """Whether a request changes something: a time written to history only asks for a page of it."""
    return request.command in _WRITES and not registry.describe(request.object_id).is_query
