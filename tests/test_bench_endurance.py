"""What bench/endurance.py plans, and how bench/ledger.py compares; with real servers: test_collector_servers.py."""

from __future__ import annotations

import sys
from itertools import pairwise

import pytest

from bench.ledger import Heard, Key, Listener, Sample, compare, overtaken, unread

SOC, GRID = "battery.soc", "g_sync.p_ac_grid_sum_lp"


def key(time: int, name: str = SOC) -> Key:
    return Key("roof", name, time)


def test_readings_are_compared_one_by_one() -> None:
    read = [(key(1), 0.5), (key(2), 0.6), (key(3), 0.7), (key(3, GRID), -1.0)]
    found = [(key(1), 0.5), (key(1), 0.5), (key(3), 0.8), (key(3, GRID), -1.0), (key(4), 0.9)]
    account = compare(read, found)
    assert account.found == 4
    assert account.missing == [key(2)]
    assert account.doubled == [key(1)]
    assert account.untrue == [key(3)]
    assert account.strange == [key(4)]
    assert account.missing_outside([(1e-9, 3e-9)]) == []
    assert account.missing_outside([(3e-9, 4e-9)]) == [key(2)]


def test_milliseconds_are_enough_for_who_has_no_more() -> None:
    read = [(key(1_000_001), 0.5), (key(1_999_999), 0.6), (key(2_000_000), 0.7)]
    account = compare(read, [(key(1_000_000), 0.6), (key(2_000_000), 0.7)], coarse=True)
    assert (account.missing, account.untrue, account.strange) == ([], [], [])


def test_twelve_digits_are_enough_for_who_keeps_no_more() -> None:
    read, found = [(key(1), 50.00048828125)], [(key(0), 50.0004882812)]  # what VictoriaMetrics 1.79 makes of it
    assert compare(read, found, coarse=True).untrue == []
    assert compare(read, [(key(1), 50.0004882812)]).untrue == [key(1)]
    assert compare(read, [(key(0), 50.000488281)], coarse=True).untrue == [key(0)]


def test_states_that_go_back_in_time() -> None:
    entries = [(key(2), 0.0), (key(2), 0.0), (key(1, GRID), 0.0), (key(1), 0.0), (key(3), 0.0), (key(2), 0.0)]
    assert overtaken(entries) == [key(1), key(2)]


def test_samples_that_were_not_read_shortly_before() -> None:
    read = [(key(10**9), 0.5), (key(20 * 10**9), 0.6)]
    good, frozen, made_up, early = (
        Sample(SOC, 1.5, 0.5), Sample(SOC, 20.0, 0.5), Sample(SOC, 20.5, 0.7), Sample(SOC, 19.0, 0.6)
    )  # fmt: skip
    assert unread([good, frozen, made_up, early], read, 11) == [frozen, made_up, early]
    assert unread([early._replace(took=1.0)], read, 11) == []  # it was answered when that had been read


def test_messages_are_readings() -> None:
    def heard(topic: str, payload: str, is_old: bool = False) -> Heard:
        return Heard(0.0, f"rct/{topic}", payload.encode(), is_old)

    at = '"time": "1970-01-01T00:00:00.000000001+00:00"'
    listener = Listener(0)
    listener.heard = [
        heard("roof/battery/soc", f'{{"value": 0.5, {at}}}'),
        heard("roof/battery/soc", f'{{"value": 0.4, {at}}}', is_old=True),
        heard("roof/device/svnversion", f'{{"value": "6a", {at}}}'),
        heard("roof/status", "online"),
        heard("roof/late", f'{{"object": "{GRID}", "value": true, {at}}}'),
        heard("roof/late", f'{{"object": "{GRID}", "value": null, {at}}}'),
        heard("roof/status", "offline"),
    ]
    names = [("roof", name) for name in (SOC, GRID, "svnversion", "link.up")]
    assert list(listener.states(names)) == [(key(1), 0.5)]
    assert list(listener.late()) == [(key(1, GRID), 1.0)]
    assert listener.latest("roof/status") == "offline"
    assert listener.latest("barn/status") == ""


@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked at in /proc")
@pytest.mark.parametrize("minutes", [1, 3, 30, 300])
@pytest.mark.parametrize("seed", range(20))
def test_each_is_killed_once_and_one_at_a_time(minutes: int, seed: int) -> None:
    from bench.endurance import AWAY, SERVERS, outages

    plan = outages(60 * minutes, seed)
    assert plan == outages(60 * minutes, seed)
    assert sorted(outage.victim for outage in plan) == sorted([*SERVERS, "collector"])
    assert all(before.begin + before.seconds < after.begin for before, after in pairwise(plan))
    assert plan[-1].begin + plan[-1].seconds < 54 * minutes
    if minutes >= 30:
        assert all(AWAY[0] <= outage.seconds <= AWAY[1] for outage in plan)
