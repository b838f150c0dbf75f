"""When what is asked: a pure plan of times, looked at for a day."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator

import pytest

from rct_tools.components import COMPONENTS, PROOFS
from rct_tools.config import load_plan, parse_plan
from rct_tools.plan import Plan
from rct_tools.schedule import FIRST_GAP, GIVEN_UP, LONG, RARELY, Schedule
from rct_tools.times import SECOND

MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86_400 * SECOND
SECOND_BATTERY = {name for name in COMPONENTS if name.startswith("second battery")}


def plan(**intervals: str) -> Plan:
    """A plan with one group for each interval, of one object each."""
    names = iter(["g_sync.p_acc_lp", "g_sync.p_ac_sum_lp", "svnversion"])
    groups = [
        f'[[group]]\nname = "{name}"\ninterval = "{interval}"\nobjects = ["{next(names)}"]\n'
        for name, interval in intervals.items()
    ]
    return parse_plan("".join(groups), "test")


def asked(
    schedule: Schedule,
    until: int,
    start: int = 0,
    answers: Callable[[str, int], object] = lambda name, now: 1.0,
    takes: int = SECOND // 20,
) -> Iterator[tuple[int, str]]:
    """Yield what is asked and when, as an inverter answers: a value, or None for silence."""
    now = start
    while (now := max(now, schedule.next())) <= until:
        for entry in schedule.due(now):
            name = entry.info.name
            yield now, name
            value = answers(name, now)
            if value is None:
                schedule.silent(name)
            else:
                schedule.arrived(name, value, now + takes)  # type: ignore[arg-type]  # of the right type where it matters


def test_nothing_drifts_and_nothing_is_asked_twice() -> None:
    schedule = Schedule(plan(a="5s", b="60s", c="1h"), 0)
    times = defaultdict(list)
    for now, name in asked(schedule, DAY):
        times[name].append(now)
    assert times["g_sync.p_acc_lp"] == list(range(0, DAY + 1, 5 * SECOND))
    assert times["g_sync.p_ac_sum_lp"] == list(range(0, DAY + 1, MINUTE))
    assert times["svnversion"] == [FIRST_GAP, *range(HOUR, DAY + 1, HOUR)]  # at first, one after the other
    assert schedule.missed == 0


def test_default_plan_is_spread_evenly() -> None:
    schedule = Schedule(load_plan(), 0, frozenset(COMPONENTS))
    seconds = Counter(now // SECOND for now, _ in asked(schedule, HOUR))
    beginning = [seconds[s] for s in range(60)]
    later = [seconds[s] for s in range(300, 3600)]
    assert max(beginning) <= 7
    assert max(later) <= 4
    assert 1.5 < sum(later) / len(later) < 2.5


def test_everything_is_asked_once_in_the_first_minute_also_what_is_read_daily() -> None:
    schedule = Schedule(load_plan(), 0, frozenset(COMPONENTS) - SECOND_BATTERY)
    first = {name for _, name in asked(schedule, MINUTE)}
    assert first == {name for name, entry in schedule.entries.items() if entry.component not in SECOND_BATTERY}


def test_everything_is_asked_once_in_the_first_minute_and_a_half_where_there_are_two_batteries() -> None:
    schedule = Schedule(load_plan(), 0, frozenset(COMPONENTS))
    assert {name for _, name in asked(schedule, 3 * MINUTE // 2)} == schedule.entries.keys()


def test_long_intervals_return_to_their_grid() -> None:
    schedule = Schedule(load_plan(), 0, frozenset(COMPONENTS))
    times = defaultdict(list)
    for now, name in asked(schedule, 3 * HOUR):
        times[name].append(now)
    for name, entry in schedule.entries.items():
        if LONG < entry.interval < HOUR:
            gaps = {b - a for a, b in zip(times[name][1:], times[name][2:], strict=False)}
            assert gaps == {entry.interval}
            assert entry.interval // 2 <= times[name][1] - times[name][0] <= 3 * entry.interval // 2


def test_parts_of_a_sum_are_asked_together() -> None:
    schedule = Schedule(load_plan(), 0, frozenset(COMPONENTS))
    for now, names in _by_time(asked(schedule, 20 * SECOND)):
        strings = {name for name in names if name.endswith("].p_dc")}
        assert len(strings) in (0, 2), now


def _by_time(questions: Iterator[tuple[int, str]]) -> list[tuple[int, set[str]]]:
    times: dict[int, set[str]] = defaultdict(set)
    for now, name in questions:
        times[now].add(name)
    return list(times.items())


# --- what comes by itself -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [1, -1])
def test_what_two_groups_want_is_asked_as_often_as_either_does(order: int) -> None:
    groups = [
        'name = "sums"\ninterval = "5m"\nfields.sun = ["dc_conv.dc_conv_struct[0].p_dc", "g_sync.p_ac_sum_lp"]\n',
        'name = "own"\ninterval = "5s"\nobjects = ["g_sync.p_ac_sum_lp"]\n',
    ]
    schedule = Schedule(parse_plan("[[group]]\n" + "[[group]]\n".join(groups[::order]), "test"), 0)
    assert {name: entry.interval // SECOND for name, entry in schedule.entries.items()} == {
        "dc_conv.dc_conv_struct[0].p_dc": 300, "g_sync.p_ac_sum_lp": 5,
    }  # fmt: skip


def test_what_came_by_itself_is_kept_and_not_asked() -> None:
    schedule = Schedule(plan(a="60s"), 0)
    assert [now for now, _ in asked(schedule, 0)] == [0]
    name = "g_sync.p_acc_lp"
    assert not schedule.arrived(name, 1.0, 20 * SECOND)  # too soon after the last one
    assert schedule.arrived(name, 1.0, 31 * SECOND)
    assert not schedule.arrived(name, 1.0, 32 * SECOND)
    assert [now // SECOND for now, _ in asked(schedule, 3 * MINUTE)] == [120, 180]  # 60 is fresh enough
    assert schedule.entries[name].unasked == 1
    assert not schedule.arrived("battery.soc", 1.0, 0)  # nobody wants it


def test_what_came_by_itself_is_asked_when_half_an_interval_has_passed() -> None:
    schedule = Schedule(plan(a="60s"), 0)
    list(asked(schedule, 0))
    for came, questions in ((31, []), (62, [2 * MINUTE])):
        assert schedule.arrived("g_sync.p_acc_lp", 1.0, came * SECOND)
        assert [now for now, _ in asked(schedule, (came + 58) * SECOND)] == questions


def test_broadcast_takes_the_place_of_most_questions() -> None:
    schedule = Schedule(plan(a="60s"), 0)
    name, count = "g_sync.p_acc_lp", 0
    for cycle in range(120):
        count += sum(1 for _ in asked(schedule, cycle * 31 * SECOND))
        schedule.arrived(name, 1.0, cycle * 31 * SECOND)
    entry = schedule.entries[name]
    assert count <= 120 // 2 // 10  # one in ten, when a report has just been missed
    assert 55 <= entry.answered + entry.unasked <= 125


# --- silence --------------------------------------------------------------------------------------------------------


def test_object_that_never_answers_is_asked_rarely_and_known() -> None:
    schedule = Schedule(plan(a="5s"), 0)
    times = [now for now, _ in asked(schedule, 4 * HOUR, answers=lambda name, now: None)]
    assert times[:GIVEN_UP] == [0, 5 * SECOND, 10 * SECOND]
    assert all(b - a >= RARELY for a, b in zip(times[GIVEN_UP:], times[GIVEN_UP + 1 :], strict=False))
    assert len(times) - GIVEN_UP + 1 >= 4 * HOUR // RARELY
    entry = schedule.entries["g_sync.p_acc_lp"]
    assert entry.is_mute
    assert (entry.asked, entry.answered) == (len(times), 0)


def test_object_that_answers_again_is_asked_as_before() -> None:
    schedule = Schedule(plan(a="5s"), 0)
    times = [now for now, _ in asked(schedule, 2 * HOUR, answers=lambda name, now: 1.0 if now > HOUR else None)]
    assert times[-1] - times[-2] == 5 * SECOND
    assert not schedule.entries["g_sync.p_acc_lp"].is_mute


def test_question_that_is_still_open_is_not_asked_again() -> None:
    schedule = Schedule(plan(a="5s"), 0)
    assert len(schedule.due(0)) == 1
    assert schedule.due(5 * SECOND) == []
    assert schedule.missed == 1
    schedule.lost("g_sync.p_acc_lp")
    assert len(schedule.due(10 * SECOND)) == 1
    assert schedule.entries["g_sync.p_acc_lp"].asked == 1  # what was lost with its connection does not count


def test_cycles_that_were_missed_are_left_out() -> None:
    schedule = Schedule(plan(a="5s"), 0)
    list(asked(schedule, 0))
    assert len(schedule.due(48 * SECOND)) == 1
    assert schedule.missed == 8
    assert schedule.next() == 55 * SECOND  # back on the grid, and not much too soon


def test_what_is_not_to_be_asked_is_not_missed() -> None:
    schedule = Schedule(plan(a="5s"), 0)
    for now in range(0, GIVEN_UP * 5 * SECOND, 5 * SECOND):
        schedule.due(now)
        schedule.silent("g_sync.p_acc_lp")
    assert schedule.due(5 * MINUTE) == []
    assert schedule.missed == 0


# --- what was lost ---------------------------------------------------------------------------------------------------


def test_what_was_lost_is_asked_when_there_is_an_inverter_again() -> None:
    schedule = Schedule(plan(often="5s", daily="1d", weekly="7d"), 0)
    for entry in schedule.due(MINUTE):
        schedule.lost(entry.info.name)
    schedule.resume(HOUR)
    assert [entry.info.name for entry in schedule.due(HOUR)] == ["g_sync.p_acc_lp", "svnversion"]
    assert [entry.info.name for entry in schedule.due(HOUR + FIRST_GAP)] == ["g_sync.p_ac_sum_lp"]
    for name in schedule.entries:
        schedule.arrived(name, 1.0, HOUR + SECOND)
    schedule.resume(HOUR + MINUTE)  # nothing is owed any more
    assert schedule.due(HOUR + FIRST_GAP + SECOND) == []
    list(asked(schedule, 2 * HOUR))
    assert schedule.entries["svnversion"].asked == 1  # a day has its grid


def test_what_was_lost_and_came_by_itself_is_not_owed() -> None:
    schedule = Schedule(plan(daily="1d"), 0)
    schedule.due(0)
    schedule.lost("g_sync.p_acc_lp")
    schedule.arrived("g_sync.p_acc_lp", 1.0, SECOND)
    schedule.resume(2 * SECOND)
    assert schedule.next() > HOUR


def test_resuming_brings_nothing_later_than_it_is_due() -> None:
    schedule = Schedule(plan(a="60s", b="60s"), 0)
    for entry in schedule.due(MINUTE):
        schedule.lost(entry.info.name)
    schedule.resume(10 * MINUTE)
    assert len(schedule.due(10 * MINUTE)) == 2


def test_what_proves_components_is_resumed_first() -> None:
    schedule = Schedule(load_plan(), 0)
    for entry in schedule.due(MINUTE):
        schedule.lost(entry.info.name)
    schedule.resume(MINUTE + SECOND)
    daily = []
    for now in range(MINUTE, 2 * MINUTE, FIRST_GAP):
        for entry in schedule.due(now):
            schedule.arrived(entry.info.name, "x", now)  # a battery is there, so its modules are asked for
            daily += [entry.info.name] if entry.interval == DAY else []
    assert set(daily[:8]) == {name for name in schedule.entries if name in PROOFS and name.startswith("battery.")}


def test_forgiven_silence_is_owed() -> None:
    schedule = Schedule(plan(daily="1d"), 0)
    schedule.arrived("g_sync.p_acc_lp", 1.0, 0)
    schedule.due(0)
    schedule.silent("g_sync.p_acc_lp")
    schedule.forgive(MINUTE)
    assert schedule.entries["g_sync.p_acc_lp"].silent == 0
    schedule.resume(HOUR)
    assert schedule.next() == HOUR


def test_silence_of_what_is_read_daily_is_known_before_days_are_over() -> None:
    schedule = Schedule(plan(often="5m", daily="1d"), 0)
    times = []
    for now in range(0, HOUR, 5 * SECOND):
        for entry in schedule.due(now):
            times.append((entry.info.name, now))
            schedule.silent(entry.info.name)
        schedule.resume(now)
    assert [now for name, now in times if name == "g_sync.p_ac_sum_lp"] == [5 * SECOND * n for n in range(GIVEN_UP)]
    assert len([now for name, now in times if name == "g_sync.p_acc_lp"]) < 3 + HOUR // RARELY


# --- components -----------------------------------------------------------------------------------------------------


def test_only_what_is_there_is_asked() -> None:
    schedule = Schedule(load_plan(), 0)
    there = {"dc_conv.dc_conv_struct[0].enabled", "battery.bms_sn", "battery.module_sn[0]", "battery.module_sn[1]"}

    def answers(name: str, now: int) -> object:
        return "x" if name in there else "" if "_sn[" in name else 0

    names = {name for _, name in asked(schedule, HOUR, answers=answers)}
    assert {"battery.cells[0]", "battery.cells[1]", "dc_conv.dc_conv_struct[0].p_dc", "battery.soc"} <= names
    assert not [n for n in names if n.startswith(("battery.cells[2]", "rb485.f", "dc_conv.dc_conv_struct[1].p"))]
    assert schedule.absent == {"string B", "power switch", *(f"module {n}" for n in range(2, 7)), *SECOND_BATTERY}
    assert not [name for name in names if name.startswith("battery_placeholder") and not name.endswith("bms_sn")]


def test_modules_of_a_second_battery_are_asked_for_when_it_is_there() -> None:
    schedule = Schedule(load_plan(), 0)
    there = {"battery.bms_sn", "battery_placeholder[0].bms_sn", "battery_placeholder[0].module_sn[4]"}
    names = {name for _, name in asked(schedule, HOUR, answers=lambda name, _: "x" if name in there else "")}
    cells = {name for name in names if ".cells[" in name}
    assert cells == {"battery_placeholder[0].cells[4]"}
    assert {name for name in schedule.absent if name.startswith("module")} == {f"module {n}" for n in range(7)}


def test_component_whose_proof_nobody_asks_for_may_be_there() -> None:
    schedule = Schedule(plan(often="5m", daily="1d"), 0)
    assert schedule.is_there("second battery module 0") is True
    assert schedule.absent == set()


def test_what_was_there_once_is_asked_for_ever_after() -> None:
    schedule = Schedule(load_plan(), 0)
    schedule.arrived("dc_conv.dc_conv_struct[1].enabled", True, 0)
    schedule.arrived("dc_conv.dc_conv_struct[1].enabled", False, HOUR)  # at night
    assert schedule.is_there("string B") is True


def test_what_comes_later_is_found() -> None:
    schedule = Schedule(load_plan(), 0)
    schedule.arrived("rb485.available", False, 0)
    assert schedule.is_there("power switch") is False
    schedule.arrived("rb485.available", True, DAY)
    assert schedule.is_there("power switch") is True


def test_component_whose_proof_stays_silent_may_be_there() -> None:
    schedule = Schedule(load_plan(), 0)
    assert schedule.is_there("power switch") is None
    for _ in range(GIVEN_UP):
        schedule.silent("rb485.available")
    assert schedule.is_there("power switch") is True


@pytest.mark.parametrize("has", [frozenset[str](), frozenset({"string A"})])
def test_components_that_were_named_are_believed(has: frozenset[str]) -> None:
    schedule = Schedule(load_plan(), 0, has)
    schedule.arrived("dc_conv.dc_conv_struct[1].enabled", True, 0)
    assert [schedule.is_there(name) for name in ("string A", "string B")] == ["string A" in has, False]
    assert schedule.is_there(None) is True
