"""What was found when an inverter and its connection were examined."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rct_tools.evidence import Broadcast, Delays


@dataclass(frozen=True, slots=True)
class Examination:
    """What was found. All times are in seconds, but for ``began``."""

    peer: str
    began: int  # UTC, nanoseconds
    seconds: float
    listened: float  # of them, without a word
    connected: bool
    trouble: str  # why there was no connection, or none any more; "" where there was
    flooded: bool  # whether far more came than a serial line can carry, so that the rest was not looked at

    firmware: str  # "" where it did not say, as with all of these
    power: float | None  # W, at most
    parts: tuple[str, ...]  # that it has
    slaves: int
    clock_ahead: float | None  # of this machine's, in the time zone of this machine; a second is its resolution

    requests: int  # in all
    answered: int  # in time; this and what follows before it was asked faster and faster
    late: int
    cut: int
    lost: int  # without those for objects that are mute or rare
    delays: Delays | None
    rate: int | None  # requests a second without a loss; None where none was tried, or the first lost some
    rate_end: str  # what ended the search: one of ENDS
    mute: tuple[str, ...]  # objects that never answered
    rare: tuple[str, ...]  # objects that were more often silent than not

    received: int  # bytes
    frames: int  # good ones among them
    damaged: dict[str, int]  # frames, by reason
    extra: int  # answers that came once more, or far too late
    echoes: int
    linked: int
    others: dict[str, int]  # objects that other clients asked for, and how many answers were heard
    broadcast: Broadcast | None

    silent_sessions: int  # that stayed open and answered nothing more
    closed_sessions: int
    second: bool | None  # whether it takes a second connection; None where that was not tried
    shared: bool | None  # whether the first one hears what that asks for; None where that got no answer


ENDS: Final = {  # Examination.rate_end: what it means
    "": "not tried",
    "all": "no faster one was tried",
    "enough": "enough was asked",
    "loss": "the next one lost answers",
    "slow": "answers do not come faster",
    "others": "not tried, others are at work",
    "losses": "not tried, too many answers are lost already",
}
