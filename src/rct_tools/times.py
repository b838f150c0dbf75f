"""Times, durations and sizes as people write them. Inside, they are whole nanoseconds and bytes."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Final
from zoneinfo import available_timezones

from rct_tools.errors import ConfigError

SECOND: Final = 1_000_000_000  # ns

_UNITS: Final = {
    "ms": SECOND // 1000,
    "s": SECOND,
    "m": 60 * SECOND,
    "h": 3600 * SECOND,
    "d": 86_400 * SECOND,
    "w": 7 * 86_400 * SECOND,
}
_SIZES: Final = {"B": 1, "kB": 1000, "MB": 1000**2, "GB": 1000**3, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001  # the offset is written by hand
_ISO: Final = re.compile(r"([0-9-]{10}T[0-9:]{8})(?:\.([0-9]{1,9}))?(Z|[+-][0-9]{2}:[0-9]{2})")


def parse_duration(text: str) -> int:
    """Return the nanoseconds in a duration such as ``250ms``, ``5s``, ``1.5h`` or ``7d``. Raises ConfigError."""
    match = re.fullmatch(rf"(\d{{1,9}}(?:\.\d{{1,9}})?) ?({'|'.join(_UNITS)})", text.strip(), re.ASCII)
    if match is None:
        raise ConfigError(f"{text!r} is not a duration; expected a number and one of {', '.join(_UNITS)}, such as 5s")
    return int(Decimal(match[1]) * _UNITS[match[2]])


def parse_size(text: str) -> int:
    """Return the bytes in a size such as ``100MB`` or ``1.5 GiB``; case does not count. Raises ConfigError."""
    units = {unit.lower(): size for unit, size in _SIZES.items()}
    match = re.fullmatch(rf"(\d{{1,9}}(?:\.\d{{1,9}})?) ?({'|'.join(units)})", text.strip().lower(), re.ASCII)
    if match is None:
        raise ConfigError(f"{text!r} is not a size; expected a number and one of {', '.join(_SIZES)}, such as 100MB")
    return int(Decimal(match[1]) * units[match[2]])


def show_duration(nanoseconds: int) -> str:
    """Return a duration as parse_duration reads it, in the largest unit that fits."""
    fits = [unit for unit, size in _UNITS.items() if nanoseconds % size == 0]
    return f"{nanoseconds // _UNITS[fits[-1]]}{fits[-1]}" if nanoseconds and fits else f"{nanoseconds / SECOND:g}s"


def show_size(size: int) -> str:
    """Return a size as parse_size reads it, in the largest unit that fits."""
    fits = [unit for unit in ("B", "kB", "MB", "GB") if size % _SIZES[unit] == 0]
    return f"{size // _SIZES[fits[-1]]}{fits[-1]}" if size else "0B"


def iso_time(time: int) -> str:
    """Return a time (UTC, nanoseconds) as ISO 8601 with all its digits: ``2026-06-21T12:00:00.000000001+00:00``."""
    seconds, nanoseconds = divmod(time, SECOND)
    return f"{(_EPOCH + timedelta(seconds=seconds)).isoformat()}.{nanoseconds:09}+00:00"


@dataclass(frozen=True, slots=True)
class Moment:
    """A time (UTC, nanoseconds) as a sentence says it, to the second."""

    time: int

    def __str__(self) -> str:
        return iso_time(self.time // SECOND * SECOND).replace(".000000000", "")


def parse_iso_time(text: str) -> int | None:
    """Return the time (UTC, nanoseconds) in ISO 8601 with an offset, all its digits kept; None when it is none."""
    match = _ISO.fullmatch(text)
    if match is None:
        return None
    seconds = _whole_seconds(match[1] + match[3])
    return None if seconds is None else seconds * SECOND + int((match[2] or "0").ljust(9, "0"))


def parse_time(text: str, now: int, zone: tzinfo | None = None) -> int:
    """Return a moment (UTC, nanoseconds): a duration that lies between it and now, or a date with or without a time.

    What has no offset is what clocks show in the zone, or without one, here. Raises ConfigError.
    """
    with suppress(ConfigError):
        return now - parse_duration(text)
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=moment.tzinfo or zone).astimezone()
    except (ValueError, OverflowError, OSError) as exc:
        expected = "neither a duration, such as 90m or 7d, nor a time, such as 2026-06-21T12:00"
        raise ConfigError(f"{text!r} is {expected}") from exc
    return (moment - _EPOCH.replace(tzinfo=UTC)) // timedelta(microseconds=1) * 1000


def local_zone() -> str:
    """Return the name of the time zone of this machine, such as Europe/Berlin; UTC when it tells none."""
    candidates = (os.environ.get("TZ", "").lstrip(":"), str(Path("/etc/localtime").resolve()).partition("zoneinfo/")[2])
    return next((name for name in candidates if name in available_timezones()), "UTC")


@lru_cache(maxsize=16)  # times that are read one after the other are mostly of the same second
def _whole_seconds(text: str) -> int | None:
    try:
        # In UTC, a time with an offset may be outside of the years that can be written.
        return (datetime.fromisoformat(text).astimezone(UTC) - _EPOCH.replace(tzinfo=UTC)) // timedelta(seconds=1)
    except (ValueError, OverflowError):
        return None
