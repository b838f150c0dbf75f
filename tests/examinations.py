"""What examinations find, to change what matters in a test."""

from __future__ import annotations

from rct_tools.doctor import LISTEN
from rct_tools.evidence import Broadcast, Delays
from rct_tools.examination import Examination

HEALTHY = Examination(
    peer="192.0.2.7:8899", began=0, seconds=60.0, listened=LISTEN, connected=True, trouble="", flooded=False,
    firmware="2.3.9999", power=9999.0, parts=("battery",), slaves=0, clock_ahead=-1.0,
    requests=120, answered=120, late=0, cut=0, lost=0, delays=Delays(0.06, 0.07, 0.1), rate=20, rate_end="all",
    mute=(), rare=(), received=5000, frames=250, damaged={}, extra=0, echoes=0, linked=0, others={},
    broadcast=Broadcast(66, 31.0, (1, 14, 49)), silent_sessions=0, closed_sessions=0, second=True, shared=True,
)  # fmt: skip
