"""Where a picture comes from: an inverter that is asked, a capture, or a collector that runs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from rct_tools.history import HistoryRow
from rct_tools.live import Picture
from rct_tools.objects import ObjectInfo
from rct_tools.reading import Reading
from rct_tools.times import SECOND
from rct_tools.values import LoggedEvent


class Log(Protocol):
    """What an inverter remembers, or a collector of it."""

    log_name: str  # where the curves of a day come from, as people say it

    async def events(self, count: int) -> list[LoggedEvent]:
        """Return what happened last, the newest first. Raises NoAnswer, LinkError."""

    async def today(self) -> tuple[datetime, list[HistoryRow]]:
        """Return when the day began, and the curves of it, the newest first. Raises NoAnswer, LinkError."""


class Source(Protocol):
    """An inverter that is watched."""

    @property
    def title(self) -> str:
        """Return what people know it by: a peer, a file."""

    zone: ZoneInfo  # of its clock
    is_over: bool  # whether nothing will come any more

    @property
    def log(self) -> Log | None:
        """Return what it remembers; None for one that cannot be asked."""

    async def run(self) -> None:
        """Take what comes, until cancelled, or over. Raises RctError when nothing can come."""

    def picture(self, step: int, columns: int) -> Picture:
        """Return the picture of now; ``step`` is one of ``live.STEPS``, ``columns`` how many curves have."""

    def age(self, reading: Reading) -> int:
        """Return how old a reading is, in nanoseconds."""

    def newest(self, name: str) -> Reading | None:
        """Return what came last of an object."""

    def is_silent(self, name: str) -> bool:
        """Tell whether an object did not answer when it was asked last."""

    def want(self, infos: Iterable[ObjectInfo]) -> None:
        """Ask for objects that are looked at now, if that can be; called again and again while they are."""


def day_of(now: int, zone: ZoneInfo) -> datetime:
    """Return when the day of a time (UTC, ns) began; one that has just begun has nothing yet, and gives way."""
    day = datetime.fromtimestamp(now / SECOND, zone).replace(hour=0, minute=0, second=0, microsecond=0)
    return day - timedelta(days=1) if now - round(day.timestamp()) * SECOND < 60 * SECOND else day
