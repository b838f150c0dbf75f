"""Values as JSON knows them, and back: of every object of an inverter."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from rct_tools.objects import ObjectInfo, registry
from rct_tools.plain import plain, value_of
from rct_tools.simulator.inverter import Inverter
from rct_tools.values import DataType

import one_house

INVERTER = Inverter.with_past(0, one_house.NOON)
EACH = [info for info in registry if not info.is_query]


@pytest.mark.parametrize("info", EACH, ids=lambda info: info.name)
def test_values_come_back(info: ObjectInfo) -> None:
    value = info.decode(INVERTER.payload(info))
    told = json.loads(json.dumps(plain(value)))
    back = value_of(info.data_type, told)
    assert back == value
    assert type(back) is type(value)


def test_all_types_are_among_them() -> None:
    own = {DataType.TIMESERIES, DataType.EVENT_TABLE, DataType.LOGGED_EVENT}
    never = {kind for kind in DataType if not any(info.data_type is kind for info in registry)}
    assert {info.data_type for info in EACH} == set(DataType) - own - never


def test_what_is_no_number_stays_none() -> None:
    for value in (math.nan, math.inf):
        back = value_of(DataType.FLOAT, plain(value))
        assert isinstance(back, float)
        assert math.isnan(back)


def test_a_whole_number_may_stand_for_a_measured_one() -> None:
    value = value_of(DataType.FLOAT, 7)
    assert type(value) is float


CELL = {"temperature": 20, "voltage": 3.3, "status": 0}
WRONG: list[tuple[DataType, Any]] = [
    (DataType.FLOAT, "7"),
    (DataType.FLOAT, True),
    (DataType.UINT8, 7.5),
    (DataType.UINT8, True),
    (DataType.UINT8, None),
    (DataType.BOOL, 1),
    (DataType.STRING, 7),
    (DataType.UNKNOWN, "xy"),
    (DataType.UNKNOWN, 7),
    (DataType.TIMESERIES, {"time": 0, "samples": []}),
    (DataType.FLOAT, 10**400),
    (DataType.FLOAT, 1e39),
    (DataType.UINT32, 2**32),
    (DataType.BATTERY_MODULE_STATUS, 7),
    (DataType.BATTERY_MODULE_STATUS, [{}]),
    (DataType.BATTERY_MODULE_STATUS, [CELL | {"voltage": "3.3"}]),
    (DataType.BATTERY_MODULE_RESISTANCE, ["0.5"]),
    (DataType.BATTERY_MODULE_STATISTICS, []),
    (DataType.BATTERY_MODULE_STATISTICS, {"u_min": {"cell": 1, "time": 2}}),
]


@pytest.mark.parametrize(("data_type", "document"), WRONG)
def test_what_no_value_is_made_into(data_type: DataType, document: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        value_of(data_type, document)
