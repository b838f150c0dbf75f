"""What may be written, in which range, and how people write it; and what is refused."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rct_tools.errors import WriteRefused
from rct_tools.objects import registry
from rct_tools.values import DataType
from rct_tools.writable import WRITABLE, find_writable, is_same, show

from programs import ROOT

STRATEGY = "power_mng.soc_strategy"
POWER = "power_mng.battery_power_extern"
GRID = "power_mng.use_grid_power_enable"
LEAST = "power_mng.soc_min"
REDUCTION = "buf_v_control.power_reduction"

PARSED = [  # object, text, value
    (LEAST, "20%", 0.2),
    (LEAST, " 20 % ", 0.2),
    (LEAST, "0.20", 0.2),
    (LEAST, "5%", 0.05),
    (LEAST, "1", 1.0),
    (REDUCTION, "12.5%", 0.125),
    (REDUCTION, "0", 0.0),
    (POWER, "-2.5kW", -2500.0),
    (POWER, "2500 W", 2500.0),
    (POWER, "+10", 10.0),
    (POWER, "-0", 0.0),
    (POWER, "9000", 9000.0),  # whether this model does is not known yet
    (GRID, "true", True),
    (GRID, "Off", False),
    (GRID, "1", True),
    (STRATEGY, "2", 2),
    (STRATEGY, "External", 2),
    (STRATEGY, "ext", 2),
    (STRATEGY, "SOC target = SOC", 0),
]


@pytest.mark.parametrize(("name", "text", "value"), PARSED)
def test_what_people_write(name: str, text: str, value: object) -> None:
    parsed = WRITABLE[name].parse(text)
    assert (parsed, type(parsed)) == (value, type(value))
    assert math.copysign(1, float(parsed)) == math.copysign(1, float(value))  # type: ignore[arg-type]


REFUSED = [  # object, text, what the one line says beside the text
    (LEAST, "80", "0.05 to 1, that is 5 % to 100 %"),
    (LEAST, "4%", "0.05 to 1"),
    (LEAST, "0.123", "with 2 decimals at most"),
    (LEAST, "20 W", "the unit is wrong; expected 0.05 to 1"),
    (LEAST, "nan", "0.05 to 1"),
    (LEAST, "inf", "0.05 to 1"),
    (LEAST, "1e-1", "0.05 to 1"),
    (LEAST, "", "0.05 to 1"),
    (LEAST, "٣", "0.05 to 1"),  # a digit, elsewhere
    (POWER, "30%", "the unit is wrong; expected a number of W, with 2 decimals at most, as far as p_rec_lim[0] allows"),
    (POWER, "9999999999", "of W"),
    (POWER, "1.001", "2 decimals"),
    ("power_mng.soc_charge_power", "6001", "0 to 6000 W"),
    ("p_rec_lim[1]", "-1", "0 to 6000 W"),
    (REDUCTION, "0.1234", "0 to 1, that is 0 % to 100 %, with 3 decimals"),
    (GRID, "2", "true or false"),
    (GRID, "perhaps", "true or false"),
    (STRATEGY, "6", "5 Schedule"),
    (STRATEGY, "-1", "0 SOC target = SOC"),
    (STRATEGY, "9999", "5 Schedule"),
    (STRATEGY, "S", "2 External"),  # two labels begin with it
    (STRATEGY, "", "2 External"),
]


@pytest.mark.parametrize(("name", "text", "expected"), REFUSED)
def test_what_is_refused(name: str, text: str, expected: str) -> None:
    with pytest.raises(WriteRefused) as refused:
        WRITABLE[name].parse(text)
    message = str(refused.value)
    assert message.startswith(f"{name}: cannot be set to {text.strip()!r}")
    assert expected in message
    assert "\n" not in message


WRONG: list[tuple[str, Any]] = [
    (LEAST, math.nan),
    (LEAST, math.inf),
    (LEAST, -math.inf),
    (LEAST, True),
    (LEAST, "0.2"),
    (LEAST, None),
    (LEAST, 10**400),
    (LEAST, 0.2000013),
    (LEAST, 0.0),
    (POWER, math.nan),
    (POWER, math.inf),
    (POWER, 1e10),
    (STRATEGY, 2.0),
    (STRATEGY, True),
    (STRATEGY, 6),
    (STRATEGY, "2"),
    (GRID, 1),
    (GRID, 0.0),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_values_that_are_refused(name: str, value: object) -> None:
    with pytest.raises(WriteRefused, match="cannot be set to"):
        WRITABLE[name].check(value)


def test_values_are_as_people_mean_them() -> None:
    least = WRITABLE[LEAST]
    assert least.check(0.07000000029802322) == 0.07  # as four bytes hold it
    assert least.check(0.1 + 0.2) == 0.3
    assert least.check(1) == 1.0


def test_a_limit_is_that_of_the_model() -> None:
    power = WRITABLE[POWER].within(10100.0)
    assert power.check(-10100.0) == -10100.0
    with pytest.raises(WriteRefused, match="-10100 to 10100 W"):
        power.check(10100.01)
    assert WRITABLE["p_rec_lim[1]"].within(3000.0).low == 0.0


@given(st.sampled_from(sorted(WRITABLE)), st.text(max_size=20) | st.floats().map(str) | st.integers().map(str))
def test_whatever_is_written_fits_or_is_refused(name: str, text: str) -> None:
    writable = WRITABLE[name]
    try:
        value = writable.parse(text)
    except WriteRefused:
        return
    assert writable.check(value) == value
    assert is_same(writable.info, value, writable.info.decode(writable.info.encode(value)))


@pytest.mark.parametrize("info", registry, ids=lambda info: info.name)
def test_nothing_else_may_be_written(info: Any) -> None:
    if info.name in WRITABLE:
        assert find_writable(info).info is info
        assert not info.is_query
        assert not info.is_untouchable
    else:
        with pytest.raises(WriteRefused, match=r"never written|not among"):
            find_writable(info)


def test_the_list_is_that_of_the_protocol() -> None:
    page = (ROOT / "docs/protocol.md").read_text("utf-8").partition("\n## Writing")[2]
    for writable in WRITABLE.values():
        assert f"`{writable.info.name}`" in page
        assert writable.info.data_type in (DataType.FLOAT, DataType.ENUM, DataType.BOOL)
        assert all(name in registry for name in (*writable.changes, *filter(None, [writable.limit])))


def test_values_are_shown_with_what_they_mean() -> None:
    assert show(registry[STRATEGY], 4) == "4 Internal"
    assert show(registry[LEAST], 0.2) == "20.0 %"
    assert show(registry[LEAST], None) == "unknown"
    assert not is_same(registry[LEAST], 0.2, 0.21)
    assert is_same(registry[LEAST], 0.2, 0.20000000298023224)
    assert is_same(registry[LEAST], math.nan, math.nan)
