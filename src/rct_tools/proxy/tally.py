"""What a proxy did for its clients, by the host they call from, as long as it runs."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper ends of the classes that delays are counted in, in seconds; one more class has no end."""

OTHERS: Final = "others"
_MOST_HOSTS: Final = 256


class Cut(StrEnum):
    """Why a client was cut off."""

    NOT_ALLOWED = "not allowed"  # its network is not let in
    NO_ROOM = "no room"  # all places are taken, and nobody was silent for long
    SILENT = "silent"  # it said nothing for long, and another needed its place
    PROTOCOL = "protocol"  # it speaks another one, such as HTTP or TLS
    BABBLE = "babble"  # bytes upon bytes, and no frame in them
    FLOOD = "flood"  # more requests at once than anybody needs
    UNREAD = "unread"  # it does not read what it is sent
    MISTAKE = "mistake"  # of ours; the log has it


@dataclass(slots=True)
class Tally:
    """Counters of one host."""

    connections: int = 0
    requests: int = 0
    answered: int = 0
    unanswered: int = 0
    cached: int = 0  # of the answered: from what had come just before
    coalesced: int = 0  # of the requests: joined one that was under way
    refused: int = 0  # writes that were answered with the unchanged value
    written: int = 0  # writes that went to the inverter
    unasked: int = 0  # frames that the inverter said by itself, and the client got
    cut_off: Counter[Cut] = field(default_factory=Counter)
    delay: float = 0.0  # seconds from request to answer, added up
    delays: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))

    def answer(self, delay: float) -> None:
        """Count an answer that was given after so many seconds."""
        self.answered += 1
        self.delay += delay
        self.delays[bisect_left(BUCKETS, delay)] += 1


class Tallies:
    """The tally of each host; those beyond the first are counted together."""

    def __init__(self) -> None:
        self.hosts: OrderedDict[str, Tally] = OrderedDict()

    def of(self, host: str) -> Tally:
        """Return the tally of a host, a new one the first time."""
        if host not in self.hosts and len(self.hosts) >= _MOST_HOSTS:
            host = OTHERS
        return self.hosts.setdefault(host, Tally())
