"""What the clock of an inverter shows: local wall-clock time, counted as if it were UTC. The one place that converts.

Twice a year that is not enough to know a time. In autumn an hour repeats: what is shown then was shown twice, a
``Repeat``. In spring an hour is left out, and a clock that shows it all the same was not set.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from rct_tools.errors import ConfigError
from rct_tools.times import SECOND

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY: Final = 86_400  # seconds
_LAST_ASKED: Final = 2**31 - 1  # a log is asked with four bytes, one bit of which is the sign: in 2038
_LAST: Final = int(datetime(9999, 12, 30, tzinfo=UTC).timestamp())  # a day before no time can be written any more


@dataclass(frozen=True, slots=True)
class Repeat:
    """What a clock shows twice when it is set back: from ``begin`` up to, and without, ``end``, as it shows them."""

    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Clock:
    """The clock of an inverter in a time zone. Times are whole seconds, in UTC or as it shows them."""

    zone: ZoneInfo

    @classmethod
    def of(cls, name: str) -> Clock:
        """Return the clock in the zone of a name such as Europe/Berlin. Raises ConfigError, with the nearest name."""
        try:
            return cls(ZoneInfo(name))
        except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
            near = difflib.get_close_matches(name, available_timezones(), 1)
            hint = f"did you mean {near[0]}?" if near else "expected a name such as Europe/Berlin"
            raise ConfigError(f"{name!r} is no time zone; {hint}") from exc

    def shows(self, time: int) -> int:
        """Return what it shows at a time."""
        return time + _offset(self.moment(time))

    def utc(self, shown: int, *, again: bool = False) -> int:
        """Return when it shows this; of a ``Repeat`` the first time, or ``again`` the second.

        What it never shows is taken for that of a clock that was not set yet.
        """
        return shown - _offset(self.local(shown, again=again))

    def repeat(self, shown: int) -> Repeat | None:
        """Return the hour that repeats, if this is in one."""
        return _repeat(self, shown)

    def skips(self, shown: int) -> bool:
        """Return whether it never shows this, because it is set forward over it."""
        return self.utc(shown, again=True) < self.utc(shown)

    def span(self, since: int | None, until: int | None, now: int) -> tuple[int, int]:
        """Return a range of times (UTC, nanoseconds) as it shows them: from the first, up to and without the last.

        Without an end it reaches a day further than now, for a clock that is fast; and never further than an inverter
        can be asked for. Raises ConfigError when nothing can be in it.
        """
        for name, time in (("since", since), ("until", until)):
            if time is not None and time > now + _DAY * SECOND:
                raise ConfigError(f"{name} {self.text(time // SECOND)} lies in the future; leave it out for up to now")
        if since is not None and since >= (now if until is None else until):
            end = "now" if until is None else self.text(until // SECOND)
            raise ConfigError(f"since {self.text(since // SECOND)} is not before {end}: nothing lies between")
        last = now // SECOND + _DAY if until is None else -(-until // SECOND)
        return self.shows((since or 0) // SECOND), min(self.shows(last), _LAST_ASKED)

    def text(self, time: int) -> str:
        """Return a time (UTC, seconds) as ISO 8601 with the offset of the zone: ``2026-06-21T14:00:00+02:00``."""
        return self.moment(time).isoformat()

    def moment(self, time: int) -> datetime:
        """Return a time (UTC, seconds) as what the clock shows, with its offset."""
        return datetime.fromtimestamp(_within(time), UTC).astimezone(self.zone)

    def local(self, shown: int, *, again: bool = False) -> datetime:
        """Return what it shows, with the offset that it has then; of a ``Repeat`` the first time, or ``again``."""
        return (_EPOCH + timedelta(seconds=_within(shown))).replace(tzinfo=self.zone, fold=int(again))


@lru_cache(maxsize=4096)  # many series have rows of the same times
def _repeat(clock: Clock, shown: int) -> Repeat | None:
    early, late = clock.utc(shown), clock.utc(shown, again=True)
    length = late - early
    if length <= 0:
        return None
    ahead = clock.shows(early) - early
    while late - early > 1:  # it is set back between the two times that it shows this
        middle = (early + late) // 2
        if clock.shows(middle) - middle == ahead:
            early = middle
        else:
            late = middle
    begin = clock.shows(late)
    return Repeat(begin, begin + length)


def _offset(moment: datetime) -> int:
    return (moment.utcoffset() or timedelta()) // timedelta(seconds=1)


def _within(seconds: int) -> int:
    """Return a time that can be written, and the nearest for one that cannot."""
    return min(max(seconds, _DAY), _LAST)
