"""Groups of readings in TOML: what is good, and what is said about what is not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rct_tools.config import default_readings, load_plan, parse_plan
from rct_tools.errors import ConfigError
from rct_tools.groups import GroupTable, Readings, build_plan
from rct_tools.objects import registry
from rct_tools.plan import Field, Group, Plan
from rct_tools.settings import Duration, decode
from rct_tools.times import SECOND
from rct_tools.values import DataType

FAST = {
    *("power_panel_0", "power_panel_1", "power_panel", "power_used", "power_grid", "power_battery"),
    *("power_phase_0", "power_phase_1", "power_phase_2", "grid_frequency"),
}
SLOW = {
    *("charge_battery", "charge_battery_target", "battery_amp_hours", "battery_voltage", "battery_used_energy"),
    *("battery_stored_energy", "grid_separated", "day_energy", "day_energy_used", "total_energy"),
    *("day_energy_grid_feed", "day_energy_grid_load", "day_energy_panel_0", "day_energy_panel_1"),
}


def fields_of(plan: Plan) -> dict[str, str]:
    return {name: expected.field for name, expected in plan.expects.items()}


def test_default_plan_has_the_names_of_the_ancestor() -> None:
    fast, slow = load_plan(None, "ancestor").groups
    assert (fast.name, fast.interval, slow.name, slow.interval) == ("fast", 5 * SECOND, "slow", 60 * SECOND)
    assert {field.name for field in fast.fields} == FAST
    assert {field.name for field in slow.fields} == SLOW
    names = fields_of(load_plan(None, "ancestor"))
    assert names["g_sync.p_ac_grid_sum_lp"] == "power_grid"
    assert names["power_panel"] == "power_panel"
    assert names["g_sync.p_ac_load[0]"] == "power_phase_0"  # the household's, as ever: the same series goes on
    assert names["power_mng.amp_hours"] == "battery_amp_hours"
    assert len(names) == 24


def test_default_plan_goes_on_with_the_series_of_the_ancestor() -> None:
    """The same names in the same database, though more and at other intervals."""
    assert fields_of(load_plan(None, "ancestor")).items() <= fields_of(load_plan()).items()


def test_default_plan_has_four_tiers_and_each_object_once() -> None:
    groups = {group.name: group for group in load_plan().groups}
    assert {name: group.interval // SECOND for name, group in groups.items()} == {
        "fast": 5, "slow": 60, "rare": 300, "daily": 86_400,
    }  # fmt: skip
    fields = [field for group in groups.values() for field in group.fields]
    assert len({field.info.name for field in fields}) == len(fields)
    # At least what two others of twelve tools poll.
    often = [
        "battery.soc", "battery.soc_target", "battery.module_sn[6]", "db.core_temp", "iso_struct.Riso",
        "g_sync.u_sg_avg[1]", "power_mng.u_acc_mix_lp", "dc_conv.dc_conv_struct[1].p_dc_lp", "prim_sm.state",
        "energy.e_ext_total", "rb485.u_l_grid[2]", "battery.soc_target_low", "power_mng.soc_strategy",
    ]  # fmt: skip
    assert set(often) <= load_plan().expects.keys()


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


OBJECTS = '[[group]]\nname = "a"\ninterval = "5s"\nobjects = '
GROUP = '[[group]]\nname = "a"\ninterval = "5s"\n[group.fields]\n'
MISTAKES = [  # file, what is said
    ("", "x.toml: group: missing"),
    ("group = []", "x.toml: group: expected at least one"),
    ("group = 5", "x.toml: group: expected `array`, got `int`"),
    ("[[group]\n", "x.toml: not TOML: "),
    ("[[groups]]\n", "x.toml: groups: unknown key, did you mean 'group'?"),
    ("zzz = 1\n", "x.toml: zzz: unknown key, expected one of group"),
    ('[[group]]\nname = "a"\nintervall = "5s"', "x.toml: group[0].intervall: unknown key, did you mean 'interval'?"),
    ('[[group]]\nname = "a"\nfields.x = "svnversion"', "x.toml: group[0].interval: missing"),
    (GROUP.replace('"5s"', "5"), 'x.toml: group[0].interval: expected a duration such as "5s", got 5'),
    (GROUP.replace("5s", "often"), "x.toml: group[0].interval: 'often' is not a duration; expected a number and one"),
    (GROUP.replace("5s", "0s") + 'x = "svnversion"', "x.toml: group[0].interval: expected more than 0"),
    (GROUP, "x.toml: group[0]: expected objects, or fields"),
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
    (
        OBJECTS + '["batery.soc"]',
        "x.toml: group[0].objects[0]: unknown object 'batery.soc'; did you mean battery.soc, ",
    ),
    (OBJECTS + '["x", 5]', "x.toml: group[0].objects[1]: expected `str`, got `int`"),
    (OBJECTS + '["batery.*"]', "x.toml: group[0].objects[0]: no object fits 'batery.*'; did you mean battery."),
    (OBJECTS + '["logger.*_log_ts"]', "x.toml: group[0].objects[0]: all that fits 'logger.*_log_ts' is history"),
    (
        OBJECTS + '["svnversion", "svnversion"]',
        "x.toml: group[0].objects[1]: svnversion is there already, at group[0].ob",
    ),
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


def tables(text: str) -> tuple[GroupTable, ...]:
    import tomllib

    return decode(tomllib.loads(text), Readings).group


def test_names_beat_patterns_and_the_first_the_rest() -> None:
    plan = parse_plan(
        '[[group]]\nname = "a"\ninterval = "1s"\nobjects = ["battery.soc*"]\n'
        '[[group]]\nname = "b"\ninterval = "2s"\nobjects = ["battery.so*", "battery.soc_target"]\n',
        "test",
    )
    a, b = ({field.name for field in group.fields} for group in plan.groups)
    assert a == {"battery.soc", "battery.soc_target_low", "battery.soc_target_high", "battery.soc_update_since"}
    assert b == {"battery.soc_target", "battery.soh"}


def test_groups_come_beside_the_default_ones_and_take_from_them() -> None:
    defaults = load_plan()
    text = (
        '[[group]]\nname = "fast"\nobjects = ["battery.soc", "svnversion"]\n'
        '[[group]]\nname = "mine"\ninterval = "10s"\nfields.volts = "battery.voltage"\nobjects = ["grid_pll[0].f"]\n'
    )
    plan = build_plan(tables(text), "test", defaults)
    groups = {group.name: group for group in plan.groups}
    assert list(groups) == ["fast", "slow", "rare", "daily", "mine"]
    assert groups["fast"].interval == 5 * SECOND
    expects = plan.expects
    assert expects["battery.soc"].interval == expects["svnversion"].interval == 5 * SECOND
    assert (expects["battery.voltage"].field, expects["battery.voltage"].interval) == ("volts", 10 * SECOND)
    assert expects.keys() == defaults.expects.keys()
    assert sum(len(group.fields) for group in plan.groups) == len(expects)


def test_interval_of_a_default_group_can_be_changed() -> None:
    (table,) = tables('[[group]]\nname = "fast"\ninterval = "10s"\nobjects = ["battery.soc"]')
    assert table.interval == Duration(10 * SECOND)
    plan = build_plan([table], "test", load_plan())
    assert plan.expects["g_sync.p_acc_lp"].interval == 10 * SECOND


def test_patterns_know_brackets_from_wildcards() -> None:
    plan = parse_plan(OBJECTS + '["battery.cells[*]"]', "test")
    assert sorted(plan.expects) == [f"battery.cells[{n}]" for n in range(7)]
    assert re.fullmatch(r"battery\.cells\[\d\]", next(iter(plan.expects)))
