"""Readings files, durations and times: what is good, and what is said about what is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from rct_tools.config import default_readings, load_plan, parse_plan
from rct_tools.errors import ConfigError
from rct_tools.objects import registry
from rct_tools.plan import Field, Group, Plan
from rct_tools.times import SECOND, iso_time, parse_duration
from rct_tools.values import DataType

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


FAST = {
    *("power_panel_0", "power_panel_1", "power_panel", "power_used", "power_grid", "power_battery"),
    *("power_phase_0", "power_phase_1", "power_phase_2", "grid_frequency"),
}
SLOW = {
    *("charge_battery", "charge_battery_target", "battery_amp_hours", "battery_voltage", "battery_used_energy"),
    *("battery_stored_energy", "grid_separated", "day_energy", "day_energy_used", "total_energy"),
    *("day_energy_grid_feed", "day_energy_grid_load", "day_energy_panel_0", "day_energy_panel_1"),
}


def test_default_plan_has_the_names_of_the_ancestor() -> None:
    fast, slow = load_plan().groups
    assert (fast.name, fast.interval, slow.name, slow.interval) == ("fast", 5 * SECOND, "slow", 60 * SECOND)
    assert {field.name for field in fast.fields} == FAST
    assert {field.name for field in slow.fields} == SLOW
    names = load_plan().field_names
    assert names["g_sync.p_ac_grid_sum_lp"] == "power_grid"
    assert names["power_panel"] == "power_panel"
    assert names["g_sync.p_ac_load[0]"] == "power_phase_0"  # the household's, as ever: the same series goes on
    assert names["power_mng.amp_hours"] == "battery_amp_hours"
    assert len(names) == 24


def test_plan_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        '[[group]]\nname = "a"\ninterval = "1m"\n[group.fields]\n'
        'soc = "battery.soc"\nodd = "0x00000005"\nsum = ["energy.e_dc_day[0]", "energy.e_dc_day[1]"]\n'
    )
    parts = (registry["energy.e_dc_day[0]"], registry["energy.e_dc_day[1]"])
    fields = (Field("soc", (registry["battery.soc"],)), Field("odd", (registry.describe(5),)), Field("sum", parts))
    assert load_plan(path) == Plan((Group("a", 60 * SECOND, fields),))
    total = fields[2].info
    assert (total.name, total.object_id, total.data_type, total.unit) == ("sum", 0, DataType.FLOAT, "Wh")


def test_default_file_is_a_start(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(default_readings(), encoding="utf-8")
    assert load_plan(path) == load_plan()


GROUP = '[[group]]\nname = "a"\ninterval = "5s"\n[group.fields]\n'
MISTAKES = [  # file, what is said
    ("", "x.toml: group: missing"),
    ("group = []", "x.toml: group: expected at least one"),
    ("group = 5", "x.toml: group: expected array, got int"),
    ("[[group]\n", "x.toml: not TOML: "),
    ("[[groups]]\n", "x.toml: groups: unknown key, did you mean 'group'?"),
    ("zzz = 1\n", "x.toml: zzz: unknown key, expected one of group"),
    ('[[group]]\nname = "a"\nintervall = "5s"', "x.toml: group[0].intervall: unknown key, did you mean 'interval'?"),
    ('[[group]]\nname = "a"\nfields = {}', "x.toml: group[0].interval: missing"),
    (GROUP.replace('"5s"', "5"), "x.toml: group[0].interval: expected str, got int"),
    (GROUP.replace("5s", "often"), "x.toml: group[0].interval: 'often' is not a duration; expected a number and one"),
    (GROUP.replace("5s", "0s"), "x.toml: group[0].interval: expected more than 0s"),
    (GROUP, "x.toml: group[0].fields: expected at least one"),
    (GROUP + "x = 5", "x.toml: group[0].fields.x: expected the name of an object, or a list of names, got 5"),
    (GROUP + "x = []", "x.toml: group[0].fields.x: expected the name of an object, or a list of names, got []"),
    (GROUP + 'x = ["svnversion", 5]', "x.toml: group[0].fields.x: expected the name"),
    (GROUP + '"" = "svnversion"', "x.toml: group[0].fields: expected a name before = 'svnversion'"),
    (GROUP + 'x = "batery.soc"', "x.toml: group[0].fields.x: unknown object 'batery.soc'; did you mean battery.soc, "),
    (GROUP + 'x = "svnvers"', "x.toml: group[0].fields.x: unknown object 'svnvers'; did you mean svnversion, "),
    (GROUP + 'x = "0xg"', "x.toml: group[0].fields.x: an object id is 0x and up to eight hex digits"),
    (GROUP + 'x = "logger.minutes_soc_log_ts"', "x.toml: group[0].fields.x: logger.minutes_soc_log_ts is history"),
    (
        GROUP + 'x = ["svnversion", "svnversion"]',
        "x.toml: group[0].fields.x: svnversion is STRING, and cannot be added",
    ),
    (
        GROUP + 'x = ["battery.soc", "battery.voltage"]',
        "x.toml: group[0].fields.x: battery.voltage is in V, battery.soc",
    ),
    (GROUP + '"battery.soc" = ["battery.voltage", "battery.voltage"]', "a sum cannot have the name of an object"),
    (
        GROUP + 'x = "battery.soc"\ny = "battery.soc"',
        "x.toml: group[0].fields.y: battery.soc is there already, at group[0].fields.x",
    ),
    (
        GROUP + 'x = "battery.soc"\n' + GROUP.replace('"a"', '"b"') + 'x = "battery.voltage"',
        "x.toml: group[1].fields.x: x is there already, at group[0].fields.x",
    ),
    (GROUP + 'x = "battery.soc"\n' + GROUP + 'y = "svnversion"', "x.toml: group[1].name: 'a' is there already"),
]


@pytest.mark.parametrize(("text", "said"), MISTAKES)
def test_mistake_is_said_with_its_place(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_plan(text, "x.toml")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml: cannot be read: No such file or directory"):
        load_plan(tmp_path / "nowhere.toml")
    path = tmp_path / "latin.toml"
    path.write_bytes(b"# \xe4")
    with pytest.raises(ConfigError, match=r"latin\.toml: byte 2 is not UTF-8"):
        load_plan(path)
