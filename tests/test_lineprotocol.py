"""Readings as lines."""

from __future__ import annotations

import math

import pytest

from rct_tools.clock import Clock
from rct_tools.events import BEGIN, END, tell
from rct_tools.lineprotocol import SCHEMAS, to_line, to_points
from rct_tools.objects import ObjectInfo, registry
from rct_tools.paging import Dated
from rct_tools.reading import Reading
from rct_tools.times import SECOND
from rct_tools.values import Cell, CellExtreme, CellStatistics, DataType, Event, Value

CELLS = (Cell(21, 3.305, 0), Cell(22, 3.306, 1))

LINES: list[tuple[str, Value, list[str], list[str]]] = [  # object, value, lines of pv, lines of groups
    ("battery.soc", 0.5, ["pv,inverter=roof NAME=0.5 7"], ["battery,inverter=roof,name=NAME value=0.5 7"]),
    ("battery.soc", 7, ["pv,inverter=roof NAME=7.0 7"], ["battery,inverter=roof,name=NAME value=7.0 7"]),
    ("battery.soc", math.nan, [], []),
    ("battery.soc", -math.inf, [], []),
    ("prim_sm.state", 13, ["pv,inverter=roof NAME=13i 7"], ["prim_sm,inverter=roof,name=NAME value=13.0 7"]),
    (
        "fault[0].flt",
        0xFFFFFFFF,
        ["pv,inverter=roof NAME=4294967295i 7"],
        ["fault,inverter=roof,name=NAME value=4294967295.0 7"],
    ),
    (
        "power_mng.use_grid_power_enable",
        True,
        ["pv,inverter=roof NAME=true 7"],
        ["power_mng,inverter=roof,name=NAME value=1.0 7"],
    ),
    (
        "svnversion",
        'say "6a\\"',
        [r'pv,inverter=roof NAME="say \"6a\\\"" 7'],
        [r'device,inverter=roof,name=NAME text="say \"6a\\\"" 7'],
    ),
    (
        "battery.cells[3]",
        CELLS,
        [],
        [
            "battery,inverter=roof,name=NAME,module=3,cell=0 voltage=3.305,temperature=21.0,status=0.0 7",
            "battery,inverter=roof,name=NAME,module=3,cell=1 voltage=3.306,temperature=22.0,status=1.0 7",
        ],
    ),
    (
        "battery.cells_resist[0]",
        (0.5, 0.25),
        [],
        [
            "battery,inverter=roof,name=NAME,module=0,cell=0 resistance=0.5 7",
            "battery,inverter=roof,name=NAME,module=0,cell=1 resistance=0.25 7",
        ],
    ),
    ("battery.cells_stat[0]", CellStatistics(*[CellExtreme(0, 0, 3.3)] * 4), [], []),
]


@pytest.mark.parametrize(("name", "value", "pv", "groups"), LINES)
def test_lines_of_a_reading(name: str, value: Value, pv: list[str], groups: list[str]) -> None:
    reading = Reading(7, "roof", registry[name], value)
    for schema, expected in (("pv", pv), ("groups", groups)):
        assert [to_line(point) for point in to_points(SCHEMAS[schema](reading, "NAME"))] == expected


LOGGED = [  # type, values, object, name and fields of the point
    (0x54, (12, 0x437E8000, 0), BEGIN, r"switch-on\ Umax\ L2",
     'text="switch-on Umax L2, 5s, 254.50 V",begin=7000i,end=12000i,duration=5.0,value=254.5'),
    (0x5A, (12, 3, 0), END, r"disconnected\ from\ the\ household\ grid",
     'text="disconnected from the household grid, 5s, code 3",begin=7000i,end=12000i,duration=5.0'),
    (0xC8, (0, 0, 0), BEGIN, r"type\ 0xc8", 'text="type 0xc8",begin=7000i'),
    (0x77, (0, 5661, 5678), BEGIN, "update", 'text="update, 5661 → 5678",begin=7000i,old=5661.0,new=5678.0'),
    (0x73, (registry["power_mng.use_grid_power_enable"].object_id, 1, 0), BEGIN, r"parameter\ changed",
     'text="parameter changed, power_mng.use_grid_power_enable: true → false",begin=7000i,old=1.0,new=0.0'),
    (0x73, (registry["power_mng.soc_min"].object_id, 0x7FC00000, 0x3F000000), BEGIN, r"parameter\ changed",
     'text="parameter changed, power_mng.soc_min: nan % → 50.0 %",begin=7000i,new=0.5'),
    (0x73, (0x12345678, 1, 2), BEGIN, r"parameter\ changed",
     'text="parameter changed, 0x12345678: 00 00 00 01 → 00 00 00 02",begin=7000i'),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "values", "info", "name", "fields"), LOGGED)
def test_an_event_is_a_point_in_every_schema(
    kind: int, values: tuple[int, int, int], info: ObjectInfo, name: str, fields: str
) -> None:
    event = tell(Clock.of("UTC"), Dated(Event(kind, 7, values), 7, is_sure=True))
    tags = f"inverter=roof,event_type={info.name.removeprefix('event.')},name={name},type=0x{kind:02x}"
    for to_rows in SCHEMAS.values():
        rows = to_rows(Reading(7 * SECOND + 3, "roof", info, event), "NAME")
        assert [to_line(point) for point in to_points(rows)] == [f"event,{tags} {fields} 7000000003"]


SERIES = [  # name of the object, inverter, its series in groups
    ("power panel", "roof", r"device,inverter=roof,name=power\ panel"),
    (".x", "roof", "device,inverter=roof,name=.x"),
    ("a b,c.d=e", "", r"a\ b\,c,name=a\ b\,c.d\=e"),
    ("link.bad_frames[crc]", "roof/0000002A", "link,inverter=roof/0000002A,name=link.bad_frames[crc]"),
]


@pytest.mark.parametrize(("name", "inverter", "series"), SERIES)
def test_series_of_an_object(name: str, inverter: str, series: str) -> None:
    (row,) = SCHEMAS["groups"](Reading(7, inverter, ObjectInfo(0, name, DataType.FLOAT), 1.0), name)
    assert row.series == series


def test_cells_of_an_object_that_is_not_one_of_several_have_no_module() -> None:
    (row, *_) = SCHEMAS["groups"](Reading(7, "roof", ObjectInfo(0, "battery.x", DataType.UNKNOWN), CELLS), "NAME")
    assert row.series == "battery,inverter=roof,name=NAME,cell=0"


def test_fields_of_one_time_are_one_point_and_the_last_value_of_a_field_stays() -> None:
    readings = [("a", 1.0, 7), ("b", 2.0, 7), ("a", 3.0, 8), ("a", 4.0, 7)]
    info = ObjectInfo(0, "x.y", DataType.FLOAT)
    rows = [row for name, value, time in readings for row in SCHEMAS["pv"](Reading(time, "roof", info, value), name)]
    assert list(map(to_line, to_points(rows))) == ["pv,inverter=roof a=4.0,b=2.0 7", "pv,inverter=roof a=3.0 8"]
