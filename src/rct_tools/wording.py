"""How an inverter is, in words: what is said of a Health wherever it is shown.

What is not known is ``-``, never 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from rct_tools.health import Charge, Energies, Fault, Label, Quality

NOTHING: Final = "-"
"""What stands for a value that is not known."""


def amount(value: float | None, unit: str, decimals: int = 1, scale: float = 1.0) -> str:
    """Return a number with its unit; ``-`` for None. It is multiplied by ``scale`` first."""
    return NOTHING if value is None else f"{value * scale:z.{decimals}f} {unit}".rstrip()


def percent(share: float | None, decimals: int = 1) -> str:
    """Return a share from 0 to 1 as people read it."""
    return amount(share, "%", decimals, 100.0)


def energy(value: float | None) -> str:
    """Return an energy, given in Wh, as people read it: without the sign of its direction."""
    return amount(None if value is None else abs(value), "kWh", 1, 0.001)


def label(found: Label | None, none: str = "") -> str:
    """Return a number with a meaning in words, ``none`` for 0 without one; else the number itself, if nobody knows."""
    if found is None:
        return NOTHING
    return found.text or (none if found.number == 0 and none else f"unknown ({found.number})")


def energies_text(today: Energies) -> str:
    """Return what flowed today."""
    parts = {"sun": today.made, "house": today.used, "import": today.imported, "feed-in": today.fed_in}
    return "  ".join(f"{name} {energy(value)}" for name, value in parts.items())


def shares_text(today: Energies) -> str:
    """Return what became of it."""
    return f"self-consumption {percent(today.self_consumption, 0)}  autarky {percent(today.autarky, 0)}"


def battery_lines(charge: Charge, now: datetime | None) -> Iterator[str]:
    """Yield how the battery is; ``now`` is by the same clock as its next calibration."""
    second = "" if charge.second is None else f", second tower {percent(charge.second)}"
    yield f"{percent(charge.soc)} of {percent(charge.target)} wanted{second}, {label(charge.status, 'normal')}"
    measures = (
        amount(charge.voltage, "V"),
        amount(charge.current, "A"),
        amount(charge.temperature, "°C"),
        f"health {percent(charge.soh, 0)}",
        amount(charge.cycles, "cycles", 0),
    )
    yield ", ".join(measures)
    planned, days = charge.calibration, ""
    if planned and now and planned > now:
        days = f", in {(planned - now).days} days"
    yield f"next calibration {f'{planned:%d %b %Y, %H:%M}' if planned else NOTHING}{days}"


def fault_text(fault: Fault) -> str:
    """Return a fault by its name and number."""
    return f"{fault.text} ({fault.number})"


def bad_text(quality: Quality) -> str:
    """Return what was bad of a connection; "" when nothing was."""
    counts: Mapping[str, int] = {
        "repeated": quality.repeated,
        "unanswered": quality.unanswered,
        "cut": quality.cut,
        "damaged": quality.damaged,
        "reconnects": quality.reconnects,
    }
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count)


def link_text(quality: Quality) -> str:
    """Return how a connection is."""
    return f"{quality.requests} requests, {bad_text(quality) or 'none repeated, cut or damaged'}"
