"""What an examination means: every rule has its case, and none speaks where it should not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rct_tools.advice import FIRMWARE, RULES, UNREACHABLE, advise, is_reached, show_offset, verdict
from rct_tools.evidence import Delays

from examinations import HEALTHY

CASES: list[tuple[dict[str, Any], bool, str]] = [  # what differs, whether that is grave, what is said
    ({"frames": 0, "received": 0, "answered": 0}, True, "no answer came to 120 questions. Check that"),
    ({"frames": 0, "answered": 0}, True, "not what an inverter says"),
    ({"trouble": "connection refused"}, True, "could not be made again: connection refused."),
    ({"flooded": True}, True, "Far more data"),
    ({"others": {"db.temp1": 4, "db.temp2": 1}}, True, "5 answers to it could be heard, for db.temp1, db.temp2."),
    ({"others": {"db.temp1": 4}, "shared": False}, True, "past the proxy: 4 answers to it could be heard, for"),
    ({"others": {f"a{n}": 1 for n in range(8)}}, True, "for a0, a1, a2, a3, a4, a5 and 2 more."),
    ({"others": {"battery.soc": 1}, "cut": 1}, True, "1 answer was cut: another program asks while it answers."),
    ({"cut": 2}, True, "2 answers were cut by the next question."),
    ({"answered": 90, "lost": 8, "late": 2}, True, "10 % of the answers did not come in time: 8 not at all, 2 late."),
    ({"answered": 199, "lost": 1}, False, "1 answer did not come in time, which is normal."),
    ({"damaged": {"crc": 2, "truncated": 3}}, True, "5 frames were damaged: 2 crc, 3 truncated."),
    ({"delays": Delays(0.5, 0.9, 2.0)}, True, "Answers take 0.50 s"),
    ({"silent_sessions": 1}, True, "1 session stayed open"),
    ({"closed_sessions": 2}, True, "closed the connection 2 times."),
    ({"second": False, "shared": None}, True, "one connection at a time"),
    ({"rate": None, "rate_end": "loss"}, False, "does not keep up"),
    ({"clock_ahead": 500.0}, True, "Its clock is 8 min ahead of this machine's. History"),
    ({"clock_ahead": -3600.0}, False, "Its clock is 1 h behind this machine's: another time zone"),
    ({"mute": ("db.core_temp",)}, False, "1 object did not answer: db.core_temp."),
    ({"rare": ("db.core_temp",)}, False, "only now and then: db.core_temp."),
    ({"broadcast": None}, False, "says nothing by itself"),
    ({"shared": False}, False, "is not heard on the first"),
    ({"extra": 3}, False, "3 answers came more than once"),
    ({"linked": 3}, False, "Linked inverters talk"),
    ({"firmware": "2.3.5000"}, False, "Firmware 2.3.5000 is old"),
    *[({"firmware": f"2.3.{build}"}, False, f"Firmware 2.3.{build} {known[0]}") for build, known in FIRMWARE.items()],
]  # fmt: skip

QUIET: list[dict[str, Any]] = [  # what is no finding
    {},
    {"rate": None, "rate_end": "others"},
    {"broadcast": None, "listened": 0},
    {"second": None, "shared": None},
    {"clock_ahead": None},
    {"clock_ahead": 59.0},
    {"firmware": ""},
    {"firmware": "custom"},
    {"damaged": {"crc": 1}},
    {"delays": None},
    {"mute": ("db.core_temp",), "answered": 0},
]


@pytest.mark.parametrize(("differs", "grave", "text"), CASES)
def test_what_is_said(differs: dict[str, Any], grave: bool, text: str) -> None:
    found = replace(HEALTHY, **differs)
    (said,) = [advice for advice in advise(found) if text in f"{advice.what} {advice.do}"]
    assert said.grave is grave
    assert (verdict(found) == "healthy") is not grave
    assert said.what.endswith(".")
    assert not said.do or said.do.endswith(".")


@pytest.mark.parametrize("differs", QUIET)
def test_nothing_is_said_of_what_is_no_finding(differs: dict[str, Any]) -> None:
    assert advise(replace(HEALTHY, **differs)) == []


def test_every_rule_has_a_case() -> None:
    found = [replace(HEALTHY, **differs) for differs, _, _ in CASES]
    assert [rule for rule in RULES if not any(rule.applies(each) for each in found)] == []


def test_what_is_grave_comes_first() -> None:
    found = replace(HEALTHY, firmware="2.3.5678", mute=("db.core_temp",), closed_sessions=1, cut=1)
    assert [advice.grave for advice in advise(found)] == [True, True, False, False]
    assert verdict(found) == "works, with 2 things to look at"
    assert verdict(replace(HEALTHY, cut=1)) == "works, with 1 thing to look at"


@pytest.mark.parametrize(("trouble", "text"), [
    ("cannot connect: unknown host (tried 3 times)", UNREACHABLE[0][1]),
    ("cannot connect: connection refused (tried 3 times)", UNREACHABLE[1][1]),
    ("cannot connect: no answer within 5 s (tried 3 times)", UNREACHABLE[2][1]),
])  # fmt: skip
def test_out_of_reach(trouble: str, text: str) -> None:
    found = replace(HEALTHY, connected=False, trouble=trouble)
    assert [advice.do for advice in advise(found)] == [text]
    assert (verdict(found), is_reached(found)) == (f"not reachable: {trouble}", False)


OFFSETS = [
    (0.0, "0 s behind"), (1.0, "1 s ahead of"), (-119.0, "119 s behind"), (421.0, "7 min ahead of"),
    (3598.0, "1 h ahead of"), (-20_700.0, "5.75 h behind"), (200_000.0, "2 d ahead of"),
]  # fmt: skip


@pytest.mark.parametrize(("ahead", "shown"), OFFSETS)
def test_offsets(ahead: float, shown: str) -> None:
    assert show_offset(ahead) == shown
