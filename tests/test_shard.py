"""Inverters shared out among processes."""

from __future__ import annotations

from collections import Counter

import pytest

from rct_tools.config import load_plan
from rct_tools.errors import ConfigError
from rct_tools.setups import InverterSetup, Setup
from rct_tools.shard import Shard, owner

NAMES = [f"house {n}" for n in range(2000)]


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_each_inverter_is_read_once_and_the_load_is_even(count: int) -> None:
    shards = [Shard(n, count) for n in range(1, count + 1)]
    owners = [[shard.number for shard in shards if shard.has(name)] for name in NAMES]
    assert all(len(of) == 1 for of in owners)
    sizes = Counter(of[0] for of in owners)
    assert all(abs(size - len(NAMES) / count) < 0.15 * len(NAMES) for size in sizes.values())


def test_only_those_move_that_must() -> None:
    before = {name: owner(name, range(4)) for name in NAMES}
    after = {name: owner(name, range(5)) for name in NAMES}
    moved = [name for name in NAMES if before[name] != after[name]]
    assert {after[name] for name in moved} == {4}
    assert 0.15 < len(moved) / len(NAMES) < 0.25


def test_who_has_what_is_the_same_for_ever() -> None:
    """Another hash in another version would let two processes read one inverter during an upgrade."""
    assert [owner(name, range(4)) for name in ("roof", "barn", "house 1", "house 2", "Dachboden")] == [0, 3, 0, 2, 0]


def test_part_of_a_setup() -> None:
    setup = Setup(tuple(InverterSetup(name, "192.0.2.7", load_plan()) for name in NAMES[:10]), ())
    parts = [Shard(n, 3).part(setup).inverters for n in (1, 2, 3)]
    assert sorted(i.name for part in parts for i in part) == sorted(NAMES[:10])
    assert Shard.parse("1/1").part(setup) == setup


@pytest.mark.parametrize("text", ["", "1", "0/1", "2/1", "-1/2", "a/b", "1/", "/2", "0/0", "1/2/3"])
def test_what_is_no_shard(text: str) -> None:
    with pytest.raises(ConfigError, match="is no shard; expected its number and their count, as in 1/2"):
        Shard.parse(text)
