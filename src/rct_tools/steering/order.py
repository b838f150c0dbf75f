"""What somebody wants of an inverter, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from rct_tools.objects import registry
from rct_tools.sentence import Sentence, Sentences
from rct_tools.values import Value
from rct_tools.vitals import SETTINGS
from rct_tools.wayback import Change
from rct_tools.writable import Held


class _Says(Sentences):
    TO_SET = "{object} to {value}"
    MODE = "mode {mode}"


@dataclass(frozen=True, slots=True)
class Set:
    """An object to a value."""

    name: str
    value: Value

    @property
    def said(self) -> Sentence:
        """What is wanted, in words."""
        return _Says.TO_SET(object=self.name, value=Held(registry[self.name], self.value))


@dataclass(frozen=True, slots=True)
class Begin:
    """A mode; power in W, the state of charge from 0 to 1, None for what is not given."""

    mode: str
    power: float | None = None
    soc: float | None = None
    seconds: float | None = None

    @property
    def said(self) -> Sentence:
        """What is wanted, in words."""
        return _Says.MODE(mode=self.mode)


@dataclass(frozen=True, slots=True)
class Choose:
    """A mode by its name alone: what else it takes is as it was set before; ``normal`` ends what is on."""

    mode: str

    @property
    def said(self) -> Sentence:
        """What is wanted, in words."""
        return _Says.MODE(mode=self.mode)


@dataclass(frozen=True, slots=True)
class Prepare:
    """One of SETTINGS, for modes to come."""

    name: str
    value: float

    @property
    def said(self) -> Sentence:
        """What is wanted, in words."""
        return _Says.TO_SET(object=self.name, value=Held(SETTINGS[self.name], self.value))


Wish: TypeAlias = Set | Begin | Choose | Prepare


@dataclass(frozen=True, slots=True)
class Order:
    """A wish for one inverter: whose, and when it came."""

    inverter: str  # as in its readings
    wish: Wish
    who: str
    time: int  # UTC, nanoseconds
    agreed: tuple[Change, ...] | None = None  # what who ordered was shown it would do; None who was shown nothing


class Result(StrEnum):
    """What an order came to."""

    ACCEPTED = "accepted"  # it waits for its turn
    DONE = "done"  # and read back
    REFUSED = "refused"  # nothing was changed
    FAILED = "failed"  # or not proven; the text says what the inverter holds
    ENDED = "ended"  # a mode that was on: how


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an order has come to by now."""

    inverter: str
    wanted: Sentence
    who: str
    result: Result
    said: Sentence  # one line
    time: int  # UTC, nanoseconds

    @property
    def order(self) -> str:
        """What was wanted, in English."""
        return self.wanted.text

    @property
    def text(self) -> str:
        """What was said, in English."""
        return self.said.text


Tell: TypeAlias = Callable[[Outcome], None]
"""Hears each outcome of an order; does not wait."""
