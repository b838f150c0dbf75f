"""Control as a service: programs on a broker and people at the page order, a steward for each inverter carries out.

Nothing here writes by itself: what is done goes through ``Writer`` and ``steered``, and their answers decide.
"""

from __future__ import annotations

from rct_tools.steering.desk import Desk, desk_for
from rct_tools.steering.foresight import Foreseen
from rct_tools.steering.order import Order, Outcome, Result, Tell
from rct_tools.steering.steward import Steward

__all__ = ["Desk", "Foreseen", "Order", "Outcome", "Result", "Steward", "Tell", "desk_for"]
