"""Gaps are found to the minute, and what is asked for them is no more than they need."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rct_tools.gaps import PAGE, Gaps, find_gaps, reach, stretches
from rct_tools.logged import SLOT, Told
from rct_tools.objects import registry
from rct_tools.times import SECOND

BEGIN = 1_718_928_000 * SECOND // SLOT * SLOT


def told(name: str = "battery.soc", interval: int = 5 * SECOND) -> Told:
    return Told(registry[name], interval, (registry[name],))


def lacking(gaps: Gaps) -> list[int]:
    return [at for at, mark in enumerate(gaps.marks) if mark]


def slots(*numbers: int) -> set[int]:
    return {BEGIN + number * SLOT for number in numbers}


@settings(deadline=None)
@given(st.sets(st.integers(0, 60)), st.integers(0, 60), st.integers(0, 60))
def test_what_is_read_often_lacks_where_nothing_is(known: set[int], since: int, length: int) -> None:
    begin, end = BEGIN + since * SLOT, BEGIN + (since + length) * SLOT
    gaps = find_gaps(told(), slots(*known), begin, end)
    assert [since + at for at in lacking(gaps)] == [at for at in range(since, since + length) if at not in known]
    assert gaps.count == len(lacking(gaps))
    for at in range(-2, since + length + 2):
        for time in (BEGIN + at * SLOT, BEGIN + at * SLOT + SLOT - 1):
            assert gaps.lacks(time) == (since <= at < since + length and at not in known)


@settings(deadline=None)
@given(st.sets(st.integers(0, 60)), st.integers(1, 12))
def test_what_is_read_rarely_is_known_for_its_interval(known: set[int], lasts: int) -> None:
    each = told(interval=lasts * SLOT + SLOT // 3)
    assert reach(each) == lasts * SLOT
    gaps = find_gaps(each, slots(*known), BEGIN + 12 * SLOT, BEGIN + 60 * SLOT)
    expected = [at for at in range(12, 60) if not known & set(range(at - lasts, at + 1))]
    assert [12 + at for at in lacking(gaps)] == expected


@settings(deadline=None)
@given(st.sets(st.integers(0, 60)))
def test_of_what_is_there_what_lies_behind_the_first(known: set[int]) -> None:
    gaps = find_gaps(told(), slots(*known), BEGIN, BEGIN + 50 * SLOT, only_behind=True)
    first = min(known, default=99)
    found = [(gaps.begin - BEGIN) // SLOT + at for at in lacking(gaps)]
    assert found == [at for at in range(first, 50) if at not in known]


def test_only_whole_five_minutes_count() -> None:
    gaps = find_gaps(told(), set(), BEGIN + 1, BEGIN + 3 * SLOT - 1)
    assert (gaps.begin, gaps.count) == (BEGIN + SLOT, 1)
    assert find_gaps(told(), set(), BEGIN + 1, BEGIN + 2).count == 0


def test_what_is_filled_lacks_no_more() -> None:
    gaps = find_gaps(told(), set(), BEGIN, BEGIN + 3 * SLOT)
    gaps.mark(BEGIN + SLOT + 7, lacks=False)
    assert lacking(gaps) == [0, 2]
    gaps.mark(BEGIN + SLOT, lacks=True)
    assert lacking(gaps) == [0, 1, 2]


NAMES = ("battery.soc", "battery.voltage", "g_sync.p_ac_grid_sum_lp")
holes = st.sets(st.integers(0, 500), max_size=40)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(NAMES), st.tuples(st.integers(0, 100), holes), min_size=1))
def test_all_that_is_lacking_is_asked_for_once(every: dict[str, tuple[int, set[int]]]) -> None:
    found = [
        Gaps(told(name), BEGIN + begin * SLOT, bytearray(at in lacks for at in range(501)))
        for name, (begin, lacks) in every.items()
    ]
    asked = stretches(found)
    assert all(later.since > earlier.until for later, earlier in pairwise(asked))  # the newest first
    pages = 0
    for gaps in found:
        for at in lacking(gaps):
            row = gaps.begin + at * SLOT
            (stretch,) = [each for each in asked if each.since <= row < each.until]
            assert gaps.told.series <= stretch.series
        touched = {(gaps.begin // SLOT + at) // PAGE for at in lacking(gaps)}
        pages += len(touched) * len(gaps.told.series)
    assert sum(stretch.questions for stretch in asked) <= pages


def test_no_stretch_for_nothing() -> None:
    assert stretches([]) == []
    assert stretches([find_gaps(told(), slots(0, 1), BEGIN, BEGIN + 2 * SLOT)]) == []


@pytest.mark.parametrize(("length", "questions"), [(1, 1), (PAGE, 1), (10 * PAGE, 10)])
def test_a_long_gap_is_one_stretch(length: int, questions: int) -> None:
    (stretch,) = stretches([find_gaps(told(), set(), BEGIN, BEGIN + length * SLOT)])
    assert (stretch.since, stretch.until) == (BEGIN, BEGIN + length * SLOT)
    assert stretch.questions == questions


def test_a_value_that_lacks_for_long_makes_nobody_else_be_asked_for() -> None:
    short = find_gaps(told("battery.soc"), slots(*range(1000)), BEGIN, BEGIN + 1010 * SLOT)
    long = find_gaps(told("battery.voltage"), set(), BEGIN, BEGIN + 1010 * SLOT)
    assert sum(stretch.questions for stretch in stretches([short, long])) <= 1010 // PAGE + 3
