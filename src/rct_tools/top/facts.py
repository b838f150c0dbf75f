"""What is told in words: faults, energies of the day, the battery, events, the connection."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, tzinfo
from textwrap import wrap
from typing import Final

from rich.text import Text

from rct_tools.display import printable, show_details
from rct_tools.health import Health
from rct_tools.times import SECOND, show_duration
from rct_tools.values import LoggedEvent
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

_NAME: Final = 9  # columns
_APART: Final = re.compile("[,;] |  ")  # what stands between parts of a line
_WITHIN: Final = re.compile("(?<![,; ]) (?! )")  # a space that does not
_UNBROKEN: Final = "\N{NO-BREAK SPACE}"
_EVENTS: Final = 2  # of them are shown where there is least room


def facts(health: Health, events: Sequence[LoggedEvent] | None, zone: tzinfo, width: int, height: int) -> Text:
    """Return lines of what matters; what matters less only where there is room for it. Events fill the rest.

    ``events`` are the newest first; None where nobody knows them.
    """
    told = list(_lines(health, width, is_whole=True))
    if len(told) + _EVENTS > height:
        told = list(_lines(health, width, is_whole=False))
    left = max(height - len(told), 0)
    return Text("\n").join([*told, *list(_events(events, zone, width))[:left]])


def _lines(health: Health, width: int, *, is_whole: bool) -> Iterator[Text]:
    yield from _faults(health, width, most=None if is_whole else 1)
    yield from _fact("Today", energies_text(health.today), width)
    yield from _fact("", shares_text(health.today), width)
    if health.battery is None:
        yield from _fact("Battery", "none", width)
    else:
        for number, line in enumerate(list(battery_lines(health.battery, health.clock))[: 3 if is_whole else 2]):
            yield from _fact("" if number else "Battery", line, width)
    if is_whole:
        yield from _fact("State", label(health.state), width)
        yield from _fact("Strategy", label(health.strategy), width)
    quality = health.quality
    link = link_text(quality) if quality.requests else bad_text(quality) or "nothing cut or damaged"
    link += "; others ask it, too" if quality.others else ""
    yield from _fact("Link", link, width, "yellow" if bad_text(quality) or quality.others else "")
    if is_whole:
        yield Text()


def _faults(health: Health, width: int, most: int | None) -> Iterator[Text]:
    if not health.faults:
        yield from _fact(
            "Faults", NOTHING if health.faults is None else "none", width, "" if health.faults is None else "green"
        )
        return
    shown = health.faults[:most]
    for number, fault in enumerate(shown):
        more = len(health.faults) - len(shown)
        text = fault_text(fault) + (f" and {more} more" if more and fault is shown[-1] else "")
        yield from _fact("" if number else "Faults", text, width, "bold red")


def _events(events: Sequence[LoggedEvent] | None, zone: tzinfo, width: int) -> Iterator[Text]:
    if not events:
        yield from _fact("Events", NOTHING if events is None else "none", width)
        return
    for number, event in enumerate(events):
        begin = datetime.fromtimestamp(event.begin / SECOND, zone)
        lasted = "" if event.duration is None else show_duration(event.duration)
        line = "  ".join(filter(None, (f"{begin:%d %b %H:%M}", event.name, lasted, printable(show_details(event)))))
        text = Text.assemble((f"{'' if number else 'Events':<{_NAME}}", "bold"), line)
        text.truncate(width, overflow="ellipsis")
        yield text


def _fact(name: str, text: str, width: int, style: str = "") -> Iterator[Text]:
    """Yield the lines of a fact, its name at the head of the first; what belongs together stays on one line."""
    if _APART.search(text):
        text = _WITHIN.sub(_UNBROKEN, text)
    for number, line in enumerate(wrap(text, max(width - _NAME, 20), break_on_hyphens=False) or [""]):
        yield Text.assemble((f"{'' if number else name:<{_NAME}}", "bold"), (line.replace(_UNBROKEN, " "), style))
