"""One thing that is asked of an inverter, its answer, and what is counted of them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, TypeAlias

from rct_tools.frame import Frame, Reason
from rct_tools.objects import ObjectInfo
from rct_tools.reading import Reading

MORE_ATTEMPTS: Final = 5
"""So many more on a line that is known to lose answers, so that silence of an object is not mistaken."""

Key: TypeAlias = tuple[int, int, int | bytes | None]
"""Address, object id, and what came with it: the time that a page of history is asked for, what is to be written."""


class Origin(Enum):
    """Why something came."""

    ANSWER = "answer"  # it was asked for
    LATE = "late"  # it was asked for, but nobody waits for it any more, or it came twice
    UNASKED = "unasked"  # the inverter says it by itself, or another client has asked


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: as it came, and what it tells."""

    frame: Frame
    reading: Reading


@dataclass(slots=True)
class Counters:
    """What happened on a connection, counted since the client began."""

    requests: int = 0  # sent, the repeated ones too
    retries: int = 0
    timeouts: int = 0
    frames: int = 0
    bad_frames: Counter[Reason] = field(default_factory=Counter)
    bad_readings: int = 0  # right checksum, but a payload that does not fit: cut replies
    foreign_frames: int = 0  # good, but no answer to a request of ours
    unheard: int = 0  # readings that a slow listener lost
    reconnects: int = 0
    bytes_received: int = 0
    bytes_sent: int = 0


@dataclass(eq=False, slots=True)
class Question:
    """Something asked, until it is answered or given up."""

    key: Key
    info: ObjectInfo
    frame: Frame
    answer: asyncio.Future[Reply]
    attempts: int  # left
    askers: set[Hashable]
    more: int = MORE_ATTEMPTS  # left beyond those, where they are needed
    times: int = 0  # it was sent
    sent: float = 0.0  # loop time
    overdue: float = 0.0  # loop time at which answers have come, as a rule
    excused: bool = False  # whether a lost connection gave it one attempt more

    @property
    def is_write(self) -> bool:
        """Whether it changes something: then it is sent once, whatever comes of it."""
        return isinstance(self.key[2], bytes)

    @property
    def is_alone(self) -> bool:
        """Whether nothing may be asked meanwhile: the next request would cut a page of history, or lose a write."""
        return self.info.is_query or self.is_write
