"""The clock of an inverter: what it shows and when, over both changes of a year."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rct_tools.clock import Clock, Repeat
from rct_tools.errors import ConfigError
from rct_tools.times import SECOND


def shown(text: str) -> int:
    """Return what a clock shows, as inverters count it."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


BERLIN = Clock.of("Europe/Berlin")
AUTUMN = Repeat(shown("2024-10-27T02:00"), shown("2024-10-27T03:00"))
ZONES = ["Europe/Berlin", "UTC", "Australia/Lord_Howe", "America/Sao_Paulo", "Asia/Kathmandu", "Atlantic/Azores"]

READINGS = [  # what is shown, when that is first, and when again
    ("2024-06-21T12:00", "2024-06-21T12:00:00+02:00", None),
    ("2024-12-21T12:00", "2024-12-21T12:00:00+01:00", None),
    ("2024-10-27T01:59:59", "2024-10-27T01:59:59+02:00", None),
    ("2024-10-27T02:00", "2024-10-27T02:00:00+02:00", "2024-10-27T02:00:00+01:00"),
    ("2024-10-27T02:59:59", "2024-10-27T02:59:59+02:00", "2024-10-27T02:59:59+01:00"),
    ("2024-10-27T03:00", "2024-10-27T03:00:00+01:00", None),
    ("2024-03-31T01:59:59", "2024-03-31T01:59:59+01:00", None),
    ("2024-03-31T03:00", "2024-03-31T03:00:00+02:00", None),
]


@pytest.mark.parametrize(("reading", "first", "again"), READINGS)
def test_readings(reading: str, first: str, again: str | None) -> None:
    at = shown(reading)
    assert BERLIN.text(BERLIN.utc(at)) == first
    assert BERLIN.text(BERLIN.utc(at, again=True)) == (again or first)
    assert BERLIN.repeat(at) == (AUTUMN if again else None)
    assert BERLIN.shows(BERLIN.utc(at)) == BERLIN.shows(BERLIN.utc(at, again=True)) == at
    assert not BERLIN.skips(at)


@pytest.mark.parametrize("reading", ["2024-03-31T02:00", "2024-03-31T02:59:59"])
def test_what_is_skipped_is_of_a_clock_that_was_not_set(reading: str) -> None:
    at = shown(reading)
    assert BERLIN.skips(at)
    assert BERLIN.repeat(at) is None
    assert BERLIN.utc(at) == at - 3600


def test_half_an_hour_repeats_on_lord_howe() -> None:
    repeat = Clock.of("Australia/Lord_Howe").repeat(shown("2024-04-07T01:45"))
    assert repeat == Repeat(shown("2024-04-07T01:30"), shown("2024-04-07T02:00"))


@given(st.sampled_from(ZONES), st.integers(0, 4_000_000_000))
def test_every_time_is_found_by_what_is_shown(zone: str, time: int) -> None:
    clock = Clock.of(zone)
    at = clock.shows(time)
    repeat = clock.repeat(at)
    assert time in {clock.utc(at), clock.utc(at, again=True)} or time < 86_400
    assert not clock.skips(at)
    assert (clock.utc(at) != clock.utc(at, again=True)) == (repeat is not None)
    if repeat:
        assert repeat.begin <= at < repeat.end
        assert clock.repeat(repeat.begin) == clock.repeat(repeat.end - 1) == repeat
        assert repeat != clock.repeat(repeat.begin - 1)
        assert repeat != clock.repeat(repeat.end)


@pytest.mark.parametrize("time", [-(2**31), -1, 2**32, 2**63])
def test_times_that_nobody_can_write_have_a_text(time: int) -> None:
    assert BERLIN.text(time)
    assert isinstance(BERLIN.utc(time), int)
    assert BERLIN.repeat(time) is None


@pytest.mark.parametrize(
    ("name", "hint"),
    [("Europe/Belrin", "did you mean Europe/Berlin?"), ("?", "such as Europe/Berlin"), ("../etc/passwd", ""), ("", "")],
)
def test_a_zone_that_does_not_exist(name: str, hint: str) -> None:
    with pytest.raises(ConfigError, match="is no time zone") as caught:
        Clock.of(name)
    assert hint in str(caught.value)


NOW = BERLIN.utc(shown("2024-06-21T12:00")) * SECOND
DAY = 86_400


def test_a_span_reaches_beyond_now_unless_it_has_an_end() -> None:
    assert BERLIN.span(None, None, NOW) == (3600, shown("2024-06-22T12:00"))
    assert BERLIN.span(None, None, 2**31 * SECOND)[1] == 2**31 - 1  # no log can be asked for more
    assert BERLIN.span(NOW - DAY * SECOND, NOW - 1, NOW) == (shown("2024-06-20T12:00"), shown("2024-06-21T12:00"))


WRONG_SPANS = [
    (NOW + 2 * DAY * SECOND, None, "since 2024-06-23T12:00:00+02:00 lies in the future"),
    (None, NOW + 2 * DAY * SECOND, "until 2024-06-23T12:00:00+02:00 lies in the future"),
    (NOW, None, "since 2024-06-21T12:00:00+02:00 is not before now"),
    (NOW - SECOND, NOW - 2 * SECOND, "since 2024-06-21T11:59:59+02:00 is not before 2024-06-21T11:59:58+02:00"),
]


@pytest.mark.parametrize(("since", "until", "message"), WRONG_SPANS)
def test_a_span_that_cannot_be(since: int | None, until: int | None, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        BERLIN.span(since, until, NOW)
    assert str(caught.value).startswith(message)
