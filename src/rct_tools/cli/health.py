"""How an inverter is, as people read it and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap
from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from rct_tools.advice import some
from rct_tools.bars import BLUE, GREEN, MAGENTA, YELLOW, battery_way, gauge, grid_way, kilowatt
from rct_tools.cli.flows import WIDTH, power_line
from rct_tools.display import printable
from rct_tools.health import Battery, Health, Quality
from rct_tools.wording import (
    NOTHING,
    bad_text,
    battery_lines,
    energies_text,
    fault_text,
    label,
    link_text,
    shares_text,
)

_NAME: Final = 9  # columns, as in the lines of powers


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
    yield fact("Today", energies_text(health.today))
    yield fact("", shares_text(health.today))
    if health.battery is None:
        yield fact("Battery", "none")
    else:
        for number, line in enumerate(battery_lines(health.battery, health.clock)):
            yield fact("" if number else "Battery", line)
    yield fact("Firmware", printable(health.firmware or NOTHING))
    yield fact("Link", _link(health.quality))
    if health.quality.others:
        yield fact("", "another client is at work on it")


def _faults(health: Health) -> list[Text]:
    if not health.faults:
        return [Text(NOTHING) if health.faults is None else Text("none", "green")]
    return [Text(fault_text(fault), "bold red") for fault in health.faults]


def _link(quality: Quality) -> Text:
    return Text(link_text(quality), "yellow" if bad_text(quality) else "")
