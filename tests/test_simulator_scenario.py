"""Scripts: what is read of them, and how wrong ones are told."""

from __future__ import annotations

from math import inf
from pathlib import Path

import pytest

from rct_tools.errors import ConfigError
from rct_tools.simulator.faults import Faults
from rct_tools.simulator.scenario import EVENTS, Step, load_script, parse_script

SCRIPT = """
[[at]]
time = "1m"
fault = "cut=0.1"

[[at]]
time = "2m"
event = "reboot"
for = "10s"

[[at]]
time = "2m"
fault = ""
event = "night"
"""


def test_a_script() -> None:
    base = Faults(stub=1, cut=0.5)
    steps = parse_script(SCRIPT, "x.toml", base)
    assert steps == (
        Step(60, Faults(stub=1, cut=0.1)),
        Step(120, event="reboot", seconds=10),
        Step(120, base, "night"),
    )
    assert [step.lasts for step in steps[1:]] == [10, inf]
    assert parse_script("at = []", "x.toml") == ()


@pytest.mark.parametrize("event", EVENTS)
def test_events(event: str) -> None:
    (step,) = parse_script(f'[[at]]\ntime = "0s"\nevent = "{event}"\n', "x.toml")
    assert step.lasts == EVENTS[event]


WRONG = [  # script, what is said
    ("[[at]", "x.toml: not TOML: Expected ']]' at the end of an array declaration (at line 1, column 5)"),
    ("", "x.toml: at: missing"),
    ("[[att]]", "x.toml: att: unknown key, did you mean 'at'?"),
    ("[[at]]", "x.toml: at[0].time: missing"),
    ('[[at]]\ntime = "1m"', "x.toml: at[0]: expected a fault, an event or both"),
    (
        '[[at]]\ntime = "soon"',
        "x.toml: at[0].time: 'soon' is not a duration; expected a number and one of ms, s, m, h, d, w, such as 5s",
    ),
    ('[[at]]\ntime = "1m"\nevnt = "drop"', "x.toml: at[0].evnt: unknown key, did you mean 'event'?"),
    (
        '[[at]]\ntime = "1m"\nevent = "boot"',
        "x.toml: at[0].event: expected one of reboot, hang, night, day, drop, got 'boot'",
    ),
    (
        '[[at]]\ntime = "1m"\nevent = "drop"\nfor = "5s"',
        "x.toml: at[0].for: goes with an event that lasts: reboot, hang, night",
    ),
    (
        '[[at]]\ntime = "1m"\nfault = "cut=0.1"\nfor = "5s"',
        "x.toml: at[0].for: goes with an event that lasts: reboot, hang, night",
    ),
    (
        '[[at]]\ntime = "1m"\nevent = "drop"\n[[at]]\ntime = "10s"\nevent = "drop"',
        "x.toml: at[1].time: expected 1m or later, as the one before, got 10s",
    ),
    ('[[at]]\ntime = "1m"\nfault = "cutt=1"', "x.toml: at[0].fault: fault cutt: unknown key, did you mean 'cut'?"),
    ('[[at]]\ntime = "1m"\nfault = "towers=2"', "x.toml: at[0].fault: towers cannot change while it runs"),
]


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_wrong_scripts(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_script(text, "x.toml")
    assert str(caught.value) == message


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    with pytest.raises(ConfigError, match=r"x\.toml: cannot be read: No such file"):
        load_script(path)
    path.write_bytes(b"\xff")
    with pytest.raises(ConfigError, match=r"x\.toml: byte 0 is not UTF-8"):
        load_script(path)
    path.write_text(SCRIPT, "utf-8")
    assert len(load_script(path)) == 3
