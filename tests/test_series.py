"""The columns of history: one for each log, named as the vendor's app does."""

from __future__ import annotations

import pytest

from rct_tools.errors import ConfigError, UnknownObject
from rct_tools.objects import registry
from rct_tools.series import RESOLUTIONS, find_series

# The first line of a day that the app has exported, without what it calculates: sums, and the difference at the grid.
EXPORT = (
    "Pdc A [W];Pdc B [W];Udc A [V];Udc B [V];Pac 1 [W];Pac 2 [W];Pac 3 [W];Pac [W];Uac 1 [V];Uac 2 [V];Uac 3 [V];"
    "Temp [°C];Temp2 [°C];Temp bat [°C];Pbat [W];Ubat [V];SOC [%];SOC targ [%];Pload [W];Pgrid feed [W];Pgrid load [W];"
    "Pext [W]"
)


def test_every_log_has_a_column() -> None:
    logs = {info.name for info in registry if info.name.endswith("_log_ts")}
    assert {each.info.name for series in RESOLUTIONS.values() for each in series} == logs
    assert sum(map(len, RESOLUTIONS.values())) == len(logs) == 44


def test_names_are_those_of_the_app_in_its_order() -> None:
    assert [each.column for each in RESOLUTIONS["minutes"]] == EXPORT.replace("%", "ratio").split(";")


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_names_tell_columns_apart(resolution: str) -> None:
    series = RESOLUTIONS[resolution]
    assert len({each.name.casefold() for each in series}) == len(series)
    for each in series:
        for name in filter(None, (each.name, each.name.lower(), each.column, each.info.name, each.short)):
            assert find_series(resolution, [name]) == (each,)


def test_they_come_in_the_order_of_the_table_and_once() -> None:
    assert [each.name for each in find_series("day", ["Eload", "ea", "eload"])] == ["Edc A", "Eload"]
    assert find_series("day") == find_series("day", []) == RESOLUTIONS["day"]


WRONG = [
    ("minutes", "Pdc C", "unknown series of minutes 'Pdc C'; did you mean Pdc "),
    ("day", "soc", "unknown series of day 'soc'; did you mean"),
    ("minutes", "", "unknown series of minutes ''; did you mean ea, eb"),
]


@pytest.mark.parametrize(("resolution", "name", "message"), WRONG)
def test_a_series_that_does_not_exist(resolution: str, name: str, message: str) -> None:
    with pytest.raises(UnknownObject) as caught:
        find_series(resolution, ["ea", name])
    assert str(caught.value).startswith(message)


def test_a_resolution_that_does_not_exist() -> None:
    with pytest.raises(ConfigError, match="unknown resolution 'hour'; expected one of minutes, day, month, year"):
        find_series("hour")
