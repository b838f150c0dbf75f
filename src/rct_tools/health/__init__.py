"""How an inverter and its battery are.

    async with connect("192.0.2.7") as inverter:
        now = await health.status(inverter)
        print(now.powers.sun, now.today.autarky, now.faults)

None stands for what was not answered, or cannot be computed; it is never 0.
"""

from __future__ import annotations

from rct_tools.health.answers import Answers, Label, as_json
from rct_tools.health.now import (
    ASKED,
    POWERS,
    Charge,
    Energies,
    Fault,
    Health,
    Powers,
    Quality,
    health_of,
    quality_of,
    status,
)
from rct_tools.health.towers import Battery, Extreme, Extremes, Module, Place, Tower, battery, towers_of

__all__ = [
    "ASKED",
    "POWERS",
    "Answers",
    "Battery",
    "Charge",
    "Energies",
    "Extreme",
    "Extremes",
    "Fault",
    "Health",
    "Label",
    "Module",
    "Place",
    "Powers",
    "Quality",
    "Tower",
    "as_json",
    "battery",
    "health_of",
    "quality_of",
    "status",
    "towers_of",
]
