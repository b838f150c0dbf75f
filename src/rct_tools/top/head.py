"""The line above all: which inverter, and how old what is shown is."""

from __future__ import annotations

from datetime import datetime, tzinfo

from rich.text import Text

from rct_tools.display import printable
from rct_tools.live import Picture
from rct_tools.times import SECOND
from rct_tools.top.drawn import aligned


def head(picture: Picture, title: str, zone: tzinfo, width: int, *, is_over: bool, paused: int | None) -> Text:
    """Return it in so many columns; ``paused`` is for how many nanoseconds the picture has stood still."""
    health = picture.health
    left = Text(f" {printable(health.name)}" if health.name else "", "bold")
    left.append(f" {title}", "not bold")
    if health.clock and width > 100:
        left.append(f"  {health.clock:%d %b %Y, %H:%M}", "not bold")
    state = _age(picture, zone, is_over=is_over)
    if paused is not None:
        state = Text(f" PAUSED for {ago(paused)} ", "reverse bold yellow")
    return aligned(left, state + " ", width)


def _age(picture: Picture, zone: tzinfo, *, is_over: bool) -> Text:
    if picture.heard is None:
        return Text("○ no value yet", "yellow")
    last = f"{datetime.fromtimestamp(picture.heard / SECOND, zone):%H:%M:%S}"
    if picture.up is False and picture.since is not None:
        return Text(f" AWAY for {ago(picture.time - picture.since)}, last value {last} ", "reverse bold red")
    if is_over:
        return Text(f"■ end of the capture, {last}", "bold")
    when = f"{datetime.fromtimestamp(picture.time / SECOND, zone):%d %b %H:%M:%S}, " if picture.up is None else ""
    if picture.age is None:
        return Text(f"○ {when}no power for {ago(picture.time - picture.heard)}", "yellow")
    return Text(f"● {when}{ago(picture.age)} old", "green")


def ago(nanoseconds: int) -> str:
    """Return a time that has passed as people say it."""
    seconds = max(0, nanoseconds) / SECOND
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
