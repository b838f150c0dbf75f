"""Whose turn it is, as a table: what is added for whom, and the order it is taken in."""

from __future__ import annotations

from itertools import zip_longest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rct_tools.turns import Turns

ORDERS: list[tuple[list[str], str]] = [  # what waits, as asker and item; the order they are taken in
    (["A1", "A2", "A3", "B4"], "1423"),  # B does not wait for all that A wants
    (["A1", "A2", "B3", "B4", "C5", "C6"], "135246"),
    (["A1", "B1", "A2", "B3"], "132"),  # the same for two is taken once, and B has its turn all the same
    (["A1", "B2", "A2"], "12"),
    (["A1", "A1"], "1"),
    ([], ""),
]


def take_all(turns: Turns[str]) -> str:
    taken = ""
    while turns.next() is not None:
        taken += turns.take()
    return taken


@pytest.mark.parametrize(("waiting", "order"), ORDERS)
def test_each_asker_has_its_turn(waiting: list[str], order: str) -> None:
    turns: Turns[str] = Turns()
    for one in waiting:
        turns.add(one[1], asker=one[0])
    assert len(turns) == len(order)
    assert take_all(turns) == order
    assert len(turns) == 0


def test_what_is_urgent_is_first() -> None:
    turns: Turns[str] = Turns()
    for item, asker in (("1", "A"), ("2", "A"), ("3", "B")):
        turns.add(item, asker)
    turns.add("4", "C", first=True)
    turns.add("5", "A", first=True)
    assert take_all(turns) == "54" + "312"


def test_who_comes_back_is_behind_those_who_wait() -> None:
    turns: Turns[str] = Turns()
    for item, asker in (("1", "A"), ("2", "B"), ("3", "C")):
        turns.add(item, asker)
    assert turns.take() == "1"
    turns.add("4", "A")
    assert take_all(turns) == "234"


def test_what_is_removed_is_not_taken() -> None:
    turns: Turns[str] = Turns()
    for item, asker in (("1", "A"), ("2", "A"), ("1", "B"), ("3", "B")):
        turns.add(item, asker)
    turns.remove("1")
    turns.remove("never there")
    assert "1" not in turns
    assert "2" in turns
    assert take_all(turns) == "23"


def test_what_is_cleared_is_gone() -> None:
    turns: Turns[str] = Turns()
    turns.add("1", "A")
    turns.clear()
    assert turns.next() is None
    with pytest.raises(LookupError, match="nothing waits"):
        turns.take()


@given(st.lists(st.tuples(st.sampled_from("ABC"), st.integers(0, 99)), unique_by=lambda pair: pair[1]))
def test_nobody_waits_for_more_than_one_of_each_other(waiting: list[tuple[str, int]]) -> None:
    turns: Turns[int] = Turns()
    for asker, item in waiting:
        turns.add(item, asker)
    askers = list(dict.fromkeys(asker for asker, _ in waiting))
    rows = zip_longest(*([item for asker, item in waiting if asker == one] for one in askers))
    taken = []
    while turns.next() is not None:
        taken.append(turns.take())
    assert taken == [item for row in rows for item in row if item is not None]
    assert not turns._queues  # nobody is remembered who wants nothing
