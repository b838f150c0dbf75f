"""Times and durations as people write them. Inside, both are whole nanoseconds."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

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
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001  # the offset is written by hand


def parse_duration(text: str) -> int:
    """Return the nanoseconds in a duration such as ``250ms``, ``5s``, ``1.5h`` or ``7d``. Raises ConfigError."""
    match = re.fullmatch(rf"(\d{{1,9}}(?:\.\d{{1,9}})?) ?({'|'.join(_UNITS)})", text.strip(), re.ASCII)
    if match is None:
        raise ConfigError(f"{text!r} is not a duration; expected a number and one of {', '.join(_UNITS)}, such as 5s")
    return int(Decimal(match[1]) * _UNITS[match[2]])


def iso_time(time: int) -> str:
    """Return a time (UTC, nanoseconds) as ISO 8601 with all its digits: ``2026-06-21T12:00:00.000000001+00:00``."""
    seconds, nanoseconds = divmod(time, SECOND)
    return f"{(_EPOCH + timedelta(seconds=seconds)).isoformat()}.{nanoseconds:09}+00:00"
