"""What really happened on a line, for those who test what a client makes of it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from rct_tools.objects import registry
from rct_tools.times import SECOND, iso_time


@dataclass(frozen=True, slots=True)
class Happened:
    """One fault that happened.

    Where ``connection`` is None, ``sent`` stands at ``offset`` in what the line has said: put ``whole`` in its place,
    for all that happened, and there is what a healthy line says. A late frame is told twice: when it is held back, and,
    with nothing as ``whole``, when the rest of it comes.
    """

    time: float  # loop time, in seconds
    fault: str  # the name of a fault, or of the event of a script
    connection: int | None  # its number, from 1; None for what all of them see
    object_id: int | None
    offset: int  # how many bytes the line had said before
    whole: bytes = b""  # what should have been sent, where that is known: nobody asked the inverter for what it lost
    sent: bytes = b""  # what was

    def as_json(self, epoch: int) -> str:
        """Return it as a line of JSON; ``epoch`` is when loop time was 0 (UTC, nanoseconds)."""
        name = None if self.object_id is None else registry.describe(self.object_id).name
        return json.dumps(
            {
                "time": iso_time(epoch + round(self.time * SECOND)),
                "fault": self.fault,
                "connection": self.connection,
                "object": name,
                "offset": self.offset,
                "whole": self.whole.hex(),
                "sent": self.sent.hex(),
            }
        )
