"""How an inverter is, as people read it and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from textwrap import wrap
from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from rct_tools.advice import some
from rct_tools.cli.flows import (
    BLUE,
    GREEN,
    MAGENTA,
    WIDTH,
    YELLOW,
    battery_way,
    gauge,
    grid_way,
    kilowatt,
    power_line,
)
from rct_tools.display import printable
from rct_tools.health import Battery, Charge, Health, Label, Quality

NOTHING: Final = "-"
"""What stands for a value that is not known."""

_NAME: Final = 9  # columns, as in the lines of powers


def amount(value: float | None, unit: str, decimals: int = 1, scale: float = 1.0) -> str:
    """Return a number with its unit; ``-`` for None. It is multiplied by ``scale`` first."""
    return NOTHING if value is None else f"{value * scale:z.{decimals}f} {unit}".rstrip()


def percent(share: float | None, decimals: int = 1) -> str:
    """Return a share from 0 to 1 as people read it."""
    return amount(share, "%", decimals, 100.0)


def label(found: Label | None, none: str = "") -> str:
    """Return a number with a meaning in words, ``none`` for 0 without one; else the number itself, if nobody knows."""
    if found is None:
        return NOTHING
    return found.text or (none if found.number == 0 and none else f"unknown ({found.number})")


def remarks(found: Health | Battery) -> Iterator[Text]:
    """Yield what is said of objects that stayed silent, and of a connection that was lost meanwhile."""
    for text, style in ((found.missing and f"No answer for {some(found.missing)}", "yellow"), (found.trouble, "red")):
        if text:
            yield Text("\n".join(wrap(text, WIDTH, break_on_hyphens=False)), style)


def fact(name: str, text: str | Text) -> Text:
    """Return a line with a name at its head."""
    return Text.assemble((f"{name:<{_NAME}}", "bold"), text)


def page(health: Health) -> RenderableType:
    """Return one screen of what matters, 80 columns wide."""
    return Group(_title(health), Text(), *_powers(health), Text(), *_facts(health), *remarks(health))


def _title(health: Health) -> Text:
    clock = f"  {health.clock:%d %b %Y, %H:%M}" if health.clock else ""
    return Text.assemble(
        (printable(health.name or health.peer), "bold"), f" ({health.peer})" * bool(health.name), clock
    )


def _powers(health: Health) -> Iterator[Text]:
    flows, battery = health.powers, health.battery
    strings = f"A {_kilowatt(flows.sun_a)}  B {_kilowatt(flows.sun_b)}"
    yield _power("Sun", YELLOW, flows.sun, strings)
    if flows.external:
        yield _power("External", YELLOW, flows.external, "")
    yield _power("House", BLUE, flows.house, "")
    if battery:
        charge = NOTHING if battery.soc is None else gauge(battery.soc)
        arrow, way = ("", "") if flows.battery is None else battery_way(flows.battery)
        yield _power("Battery", GREEN, flows.battery, f"{arrow} {way:<11} {charge}")
    yield _power("Grid", MAGENTA, flows.grid, "" if flows.grid is None else " ".join(grid_way(flows.grid)))


def _power(name: str, style: str, power: float | None, note: str) -> Text:
    if power is None:
        return fact(name, f"{NOTHING:>8}{'':28}{note}".rstrip())
    line = power_line(name, style, power, note)
    line.rstrip()
    return line


def _kilowatt(power: float | None) -> str:
    return NOTHING if power is None else kilowatt(power)


def _facts(health: Health) -> Iterator[Text]:
    """Yield what is told in words."""
    for number, text in enumerate(_faults(health)):
        yield fact("" if number else "Faults", text)
    yield fact("State", label(health.state))
    if health.separated:
        yield fact("", Text("separated from the grid", "bold red"))
    yield fact("Strategy", label(health.strategy))
    today = health.today
    parts = {"sun": today.made, "house": today.used, "import": today.imported, "feed-in": today.fed_in}
    energies = (f"{name} {amount(energy and abs(energy), 'kWh', 1, 0.001)}" for name, energy in parts.items())
    yield fact("Today", "  ".join(energies))
    shares = {"self-consumption": today.self_consumption, "autarky": today.autarky}
    yield fact("", "  ".join(f"{name} {percent(share, 0)}" for name, share in shares.items()))
    if health.battery is None:
        yield fact("Battery", "none")
    else:
        for number, line in enumerate(_battery(health.battery, health.clock)):
            yield fact("" if number else "Battery", line)
    yield fact("Firmware", printable(health.firmware or NOTHING))
    yield fact("Link", _link(health.quality))
    if health.quality.others:
        yield fact("", "another client is at work on it")


def _faults(health: Health) -> list[Text]:
    if not health.faults:
        return [Text(NOTHING) if health.faults is None else Text("none", "green")]
    return [Text(f"{fault.text} ({fault.number})", "bold red") for fault in health.faults]


def _battery(charge: Charge, now: datetime | None) -> Iterator[str]:
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


def _link(quality: Quality) -> Text:
    counts: Mapping[str, int] = {
        "repeated": quality.repeated,
        "unanswered": quality.unanswered,
        "cut": quality.cut,
        "damaged": quality.damaged,
        "reconnects": quality.reconnects,
    }
    bad = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    return Text(f"{quality.requests} requests, {bad or 'none repeated, cut or damaged'}", "yellow" if bad else "")
