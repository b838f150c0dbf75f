"""Going back through a log: every row once, whatever pages there are; the hour that repeats; an end in any case."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rct_tools.clock import Clock
from rct_tools.paging import Dated, Paging
from rct_tools.values import Event, Sample

from logbook import Page, from_there_on, older

BERLIN = Clock.of("Europe/Berlin")
STEP = 300


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


AUTUMN = at("2024-10-27T01:00")  # UTC, when the clock is set back
SPRING = at("2024-03-31T01:00")
NEWEST = at("2024-06-21T12:00")


def log(end: int, rows: int, clock: Clock = BERLIN) -> list[Sample]:
    """Return what an inverter writes every five minutes; the value tells when it really was."""
    return [Sample(clock.shows(time), float(time // STEP)) for time in range(end - rows * STEP, end, STEP)]


def walk(
    answer: Callable[[int], Sequence[Sample]], since: int, until: int, most: int = 10_000
) -> tuple[list[Dated[Sample]], int]:
    """Page through a log; return its rows, and how many questions that took."""
    paging: Paging[Sample] = Paging(BERLIN, since, until)
    found: list[Dated[Sample]] = []
    asked = 0
    while not paging.over:
        asked += 1
        assert asked <= most, "does it ever end?"
        found += paging.take(answer(paging.before))
    return found, asked


def true_times(rows: Sequence[Dated[Sample]]) -> bool:
    return all(each.time == each.row.value * STEP for each in rows)


@pytest.mark.parametrize("size", [1, 2, 38, 41, 1000])
def test_each_row_comes_once_the_newest_first(size: int) -> None:
    rows = log(NEWEST, 500)
    found, asked = walk(lambda before: older(rows, before)[:size], 0, at("2030-01-01"))
    assert [each.row for each in found] == rows[::-1]
    assert true_times(found)
    assert all(each.is_sure for each in found)
    assert asked == -(-500 // size) + 2  # an end is believed when it was told twice


def test_the_range_is_clipped_where_it_can_be_without_reading_on() -> None:
    rows = log(NEWEST, 500)
    since, until = rows[200].time, rows[300].time
    found, asked = walk(lambda before: older(rows, before)[:41], since, until)
    assert found[0].row == rows[299]
    assert rows[200] in [each.row for each in found]
    assert asked == 3


@given(
    sizes=st.lists(st.integers(0, 60), min_size=1),
    gaps=st.sets(st.integers(0, 399)),
    page=st.sampled_from([older, from_there_on]),
)
def test_pages_of_any_size_over_any_gap(sizes: list[int], gaps: set[int], page: Page) -> None:
    rows = [row for number, row in enumerate(log(NEWEST, 400)) if number not in gaps]
    turn = iter(range(10**6))

    def answer(before: int) -> Sequence[Sample]:
        number = next(turn)
        # A page that was cut to nothing comes whole the next time.
        size = sizes[number % len(sizes)] if number % 2 else max(1, sizes[number % len(sizes)])
        return page(rows, before)[:size]

    found, _ = walk(answer, 0, at("2030-01-01"))
    assert [each.row for each in found] == rows[::-1]


@pytest.mark.parametrize("page", [older, from_there_on])
@pytest.mark.parametrize("start", range(45))
def test_the_hour_that_repeats_is_told_apart_by_its_order(page: Page, start: int) -> None:
    """Wherever pages end."""
    rows = log(AUTUMN + 3600 * 4 + start * STEP, 200)
    found, asked = walk(lambda before: page(rows, before)[:41], 0, at("2030-01-01"))
    assert len(found) == 200
    assert true_times(found)
    assert all(each.is_sure for each in found)
    assert all(later.time > each.time for later, each in pairwise(found))
    assert asked <= 5 + 2 + 1  # one more at most, to have the hour in one page


@pytest.mark.parametrize("since", range(-20, 20))
def test_a_range_that_begins_or_ends_in_that_hour_is_whole(since: int) -> None:
    rows = log(AUTUMN + 7200, 200)
    edge = AUTUMN + since * STEP
    answer: Callable[[int], Sequence[Sample]] = lambda before: older(rows, before)[:41]  # noqa: E731
    after, _ = walk(answer, BERLIN.shows(edge), at("2030-01-01"))
    before, _ = walk(answer, 0, BERLIN.shows(edge))
    for found, wanted in ((after, range(edge, AUTUMN + 7200, STEP)), (before, range(rows_begin(rows), edge, STEP))):
        assert true_times(found)
        assert {each.time for each in found} >= set(wanted)


def rows_begin(rows: Sequence[Sample]) -> int:
    return int(rows[0].value) * STEP


def test_short_pages_in_that_hour_lose_nothing() -> None:
    """The order is still there when the inverter goes on in it."""
    rows = log(AUTUMN + 7200, 60)
    asked = iter(range(1000))

    def answer(before: int) -> Sequence[Sample]:
        size = 41 if next(asked) else 5  # the first was cut
        return from_there_on(rows, before)[:size]

    found, _ = walk(answer, 0, at("2024-10-27T02:45"))
    assert {each.row for each in found} == {row for row in rows if row.value * STEP < AUTUMN + 3600}
    assert true_times(found)


def test_an_hour_that_was_written_once_is_doubtful() -> None:
    rows = [Sample(time, 1.0) for time in range(at("2024-10-27T01:30"), at("2024-10-27T03:30"), STEP)]
    found, _ = walk(lambda before: older(rows, before)[:41], 0, at("2030-01-01"))
    assert [each.row for each in found] == rows[::-1]
    doubtful = [each.row.time for each in found if not each.is_sure]
    assert doubtful == list(range(at("2024-10-27T02:55"), at("2024-10-27T01:59"), -STEP))
    assert {each.time for each in found if not each.is_sure} == set(range(AUTUMN - 3600, AUTUMN, STEP))


@pytest.mark.parametrize(("others", "rows_of_the_hour"), [(1.0, 24), (0.0, 12)])
def test_an_hour_without_order_is_doubtful(others: float, rows_of_the_hour: int) -> None:
    """What comes twice at once is of two hours, unless it is the same."""
    hour = range(at("2024-10-27T02:00"), at("2024-10-27T03:00"), STEP)
    rows = [Sample(time, value) for time in hour for value in (0.0, others)]
    found, _ = walk(lambda before: older(rows, before), 0, at("2030-01-01"))
    assert len(found) == len({each.time for each in found}) == rows_of_the_hour
    assert not any(each.is_sure for each in found)


def test_the_hour_that_is_left_out_is_doubtful_if_it_is_there() -> None:
    rows = [Sample(time, 1.0) for time in range(at("2024-03-31T01:30"), at("2024-03-31T03:30"), STEP)]
    found, _ = walk(lambda before: older(rows, before)[:41], 0, at("2030-01-01"))
    assert len(found) == 24
    assert [BERLIN.skips(each.row.time) for each in found] == [not each.is_sure for each in found]


def test_a_clock_that_is_set_forward_leaves_no_gap() -> None:
    rows = log(SPRING + 3600, 24)
    found, _ = walk(lambda before: older(rows, before)[:41], 0, at("2030-01-01"))
    assert true_times(found)
    assert len(found) == 24
    assert {later.time - each.time for later, each in pairwise(found)} == {STEP}


BAD_ANSWERS: dict[str, Callable[[int], Sequence[Sample]]] = {
    "nothing": lambda _: [],
    "always the same": lambda _: log(NEWEST, 41)[::-1],
    "nothing older": lambda before: [Sample(before, 1.0), Sample(before + STEP, 2.0)],
    "before time began": lambda _: [Sample(-5, 1.0)],
    "one second": lambda before: [Sample(before - 1, 1.0)] * 41 if before > NEWEST - 20 else [],
}


@pytest.mark.parametrize("name", BAD_ANSWERS)
def test_it_ends_whatever_is_answered(name: str) -> None:
    found, _ = walk(BAD_ANSWERS[name], 0, NEWEST + 7200, most=8000)
    times = [each.row.time for each in found]
    assert len(times) == len(set(times))


@given(st.data())
@settings(max_examples=50)
def test_rows_out_of_order_and_doubled_come_once(data: st.DataObject) -> None:
    rows = log(NEWEST, 120)

    def answer(before: int) -> Sequence[Sample]:
        page = list(older(rows, before)[:30])
        # The last stays the last: what is older than it is asked for next.
        mixed = data.draw(st.permutations(page[:-1])) + page[-1:]
        return [*mixed[:7], *mixed]

    found, asked = walk(answer, 0, at("2030-01-01"))
    assert sorted(each.row for each in found) == rows
    assert asked == 4 + 2


def test_a_wrong_time_in_the_midst_of_a_page_hides_nothing() -> None:
    """The clock was new for a while, and is set: rows of the year 2000 stand between others."""
    rows = log(NEWEST, 100)
    rows[60:60] = [Sample(946_684_800 + number, 5.0) for number in range(5)]
    found, _ = walk(lambda before: older(rows, before)[:41], at("2024-01-01"), at("2030-01-01"))
    assert sorted(each.row for each in found) == sorted(rows)


def test_an_hour_that_rises_twice_is_doubtful() -> None:
    hour = [at(f"2024-10-27T02:{minute}") for minute in (10, 40, 20, 50, 30, 55)]
    rows = [Sample(time, float(number)) for number, time in enumerate(hour)][::-1]
    found, _ = walk(lambda before: [row for row in rows if row.time < before][::-1], 0, at("2030-01-01"))
    assert sorted(each.row for each in found) == sorted(rows)
    assert not any(each.is_sure for each in found)


def test_a_range_that_begins_in_that_hour_goes_on_to_its_first_pass() -> None:
    """Also when the page ends in the second, at what shows an earlier time."""
    rows = log(AUTUMN + 3600, 60)
    found, _ = walk(lambda before: from_there_on(rows, before)[:11], at("2024-10-27T02:30"), at("2024-10-27T03:00"))
    assert {each.time for each in found} >= set(range(AUTUMN - 1800, AUTUMN, STEP))


# --- events: many of one second ---


def events(times: Sequence[int]) -> list[Event]:
    return [Event(number % 3, time, (0, number // 6, 0)) for number, time in enumerate(times)]


@given(st.lists(st.integers(1, 12), min_size=1, max_size=60), st.integers(1, 20))
def test_events_of_one_second_are_kept_if_a_page_can_hold_them(gaps: list[int], size: int) -> None:
    times = [NEWEST + sum(gap // 4 for gap in gaps[:number]) for number in range(len(gaps))]
    most = max(times.count(time) for time in times)
    rows = events(times)
    paging: Paging[Event] = Paging(BERLIN, 0, NEWEST + 1000, is_parted=True)
    found: list[Event] = []
    asked = 0
    while not paging.over:
        asked += 1
        found += [each.row for each in paging.take(older(rows, paging.before)[: most + size])]
    assert found == rows[::-1]
    assert asked < 200


def test_identical_events_of_one_second_are_as_many_as_they_are() -> None:
    rows = [Event(0x59, NEWEST, (0, 1, 0))] * 5 + [Event(0x5A, NEWEST + 1, (0, 1, 0))]
    paging: Paging[Event] = Paging(BERLIN, 0, NEWEST + 1000, is_parted=True)
    found = paging.take(older(rows, paging.before)[:4])
    assert len(found) == 4
    while not paging.over:
        found += paging.take(older(rows, paging.before)[:5])
    assert [each.row for each in found] == rows[::-1]


def test_a_range_that_begins_in_a_second_has_all_of_that() -> None:
    rows = events([NEWEST] * 5 + [NEWEST + 1] * 2)
    paging: Paging[Event] = Paging(BERLIN, NEWEST, NEWEST + 1000, is_parted=True)
    found: list[Event] = []
    while not paging.over:
        found += [each.row for each in paging.take(older(rows, paging.before)[:5])]
    assert found == rows[::-1]


def test_more_of_one_second_than_a_page_holds_is_no_endless_loop() -> None:
    rows = events([NEWEST - 5] + [NEWEST] * 100)
    paging: Paging[Event] = Paging(BERLIN, 0, NEWEST + 1000, is_parted=True)
    found: list[Event] = []
    for _ in range(20):
        found += [each.row for each in paging.take(older(rows, paging.before)[:16])]
    assert paging.over
    assert rows[0] in found
    assert len(found) == 17


def test_events_of_the_hour_that_repeats() -> None:
    first, again = at("2024-10-27T02:50"), at("2024-10-27T02:10")
    rows = [Event(1, first, (0, 0, 0)), Event(2, again, (0, 0, 0)), Event(3, again, (0, 0, 0))]
    paging: Paging[Event] = Paging(BERLIN, 0, NEWEST + 10**8, is_parted=True)
    found: list[Dated[Event]] = []
    while not paging.over:
        found += paging.take(older(rows, paging.before))
    assert [(each.row.type, each.time, each.is_sure) for each in found] == [
        (3, AUTUMN + 600, True), (2, AUTUMN + 600, True), (1, AUTUMN - 600, True)
    ]  # fmt: skip
