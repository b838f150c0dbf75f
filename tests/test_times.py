"""Durations and times as people write them."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from rct_tools.errors import ConfigError
from rct_tools.times import SECOND, iso_time, local_zone, parse_duration, parse_time

DURATIONS = [
    ("250ms", SECOND // 4),
    ("5s", 5 * SECOND),
    ("5 s", 5 * SECOND),
    ("0.1s", SECOND // 10),
    ("10m", 600 * SECOND),
    ("1.5h", 5400 * SECOND),
    ("7d", 604_800 * SECOND),
    ("1w", 604_800 * SECOND),
    ("0.000000001s", 1),
]


@pytest.mark.parametrize(("text", "nanoseconds"), DURATIONS)
def test_duration(text: str, nanoseconds: int) -> None:
    assert parse_duration(text) == nanoseconds


@pytest.mark.parametrize(
    "text", ["", "5", "s", "-5s", "5 minutes", "1h30m", "1e3s", "٥s", "5S", "nan s", "9" * 10 + "s"]
)
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ConfigError, match=r"is not a duration; expected a number and one of ms, s, m, h, d, w"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (0, "1970-01-01T00:00:00.000000000+00:00"),
        (-1, "1969-12-31T23:59:59.999999999+00:00"),
        (1_782_043_200_000_000_001, "2026-06-21T12:00:00.000000001+00:00"),
        (2**63 - 1, "2262-04-11T23:47:16.854775807+00:00"),
    ],
)
def test_iso_time(time: int, text: str) -> None:
    assert iso_time(time) == text


def test_local_zone_is_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    assert local_zone() == "Europe/Berlin"
    monkeypatch.setenv("TZ", "CET-1CEST")  # no name
    assert local_zone() != "CET-1CEST"


# --- moments --------------------------------------------------------------------------------------------------------

NOW = 1_718_964_000 * SECOND  # 2024-06-21T10:00Z
BERLIN = ZoneInfo("Europe/Berlin")
MOMENTS = [
    ("90m", NOW - 5400 * SECOND),
    ("2024-06-21T12:00", NOW),
    ("2024-06-21 12:00:00.5", NOW + SECOND // 2),
    ("2024-06-21T12:00Z", NOW + 7200 * SECOND),
    ("2024-06-21", NOW - 12 * 3600 * SECOND),
    ("2024-01-21", NOW - (152 * 24 + 11) * 3600 * SECOND),  # in winter
]


@pytest.mark.parametrize(("text", "expected"), MOMENTS)
def test_a_moment_is_of_a_zone(text: str, expected: int) -> None:
    assert parse_time(text, NOW, BERLIN) == expected


@pytest.mark.parametrize("text", ["", "noon", "2024-13-01", "12:00", "0001-01-01T00:00+14:00", "-5m"])
def test_no_moment(text: str) -> None:
    with pytest.raises(ConfigError, match="is neither a duration, such as 90m or 7d, nor a time"):
        parse_time(text, NOW, BERLIN)
