"""Payloads and values: vectors both ways, ranges, and what does not fit."""

from __future__ import annotations

import json
import math
import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rct_tools.errors import DecodeError, EncodeError
from rct_tools.plain import plain
from rct_tools.values import (
    CODECS,
    Cell,
    CellExtreme,
    CellStatistics,
    DataType,
    Event,
    EventTable,
    LoggedEvent,
    Sample,
    TimeSeries,
    Value,
    decode_value,
    encode_value,
)

CELLS = tuple(Cell(20 + n % 3, (3328 + n) / 1000, n % 2) for n in range(24))
STATISTICS = CellStatistics(
    CellExtreme(13, 1711209505, 3.0),
    CellExtreme(17, 1708947018, 3.5),
    CellExtreme(2, 1708591167, 17.0),
    CellExtreme(12, 1708861304, 36.0),
)

OUTAGE = LoggedEvent(
    "no grid", 10**18, 10**18 + 30 * 10**9, True, "", DataType.UNKNOWN, "", Event(0x5A, 10**9, (10**9 + 30, 3, 0))
)
CHANGE = LoggedEvent(
    "changed", -(10**9), None, False, "a.b", DataType.FLOAT, "V", Event(0x73, 9, (1, 0x3F800000, 0x40000000))
)

VECTORS: list[tuple[DataType, str, Value]] = [
    (DataType.BOOL, "00", False),
    (DataType.BOOL, "01", True),
    (DataType.UINT8, "c8", 200),
    (DataType.UINT8, "ff", 255),
    (DataType.INT8, "80", -128),
    (DataType.INT8, "7f", 127),
    (DataType.UINT16, "ffff", 65535),
    (DataType.INT16, "8000", -32768),
    (DataType.UINT32, "ffffffff", 0xFFFFFFFF),
    (DataType.INT32, "80000000", -0x80000000),
    (DataType.ENUM, "04", 4),
    (DataType.ENUM, "ff", 255),
    (DataType.FLOAT, "3f800000", 1.0),
    (DataType.FLOAT, "3e97b191", 0.29627659916877747),
    (DataType.FLOAT, "3f590f86", 0.8478931188583374),
    (DataType.FLOAT, "ff800000", -math.inf),
    (DataType.FLOAT, "80000000", -0.0),
    (DataType.STRING, "", ""),
    (DataType.STRING, "5053203600", "PS 6"),
    (DataType.STRING, "44c3bc7300", "Düs"),
    (DataType.TIMESERIES, "66020fff", TimeSeries(0x66020FFF, ())),
    (
        DataType.TIMESERIES,
        "66020fff 66014544 c5acd021 66014418 c5e2ccb5",
        TimeSeries(0x66020FFF, (Sample(0x66014544, -5530.01611328125), Sample(0x66014418, -7257.58837890625))),
    ),
    (
        DataType.EVENT_TABLE,
        "00000010 00000073 00000009 f168b748 00000004 00000002 00000064 00000009 0000000a 00000000 00000000",
        EventTable(16, (Event(0x73, 9, (0xF168B748, 4, 2)), Event(0x64, 9, (10, 0, 0)))),
    ),
    (DataType.BATTERY_MODULE_STATUS, "".join(f"{20 + n % 3:02x}{n:02x}0d{n % 2:02x}" for n in range(24)), CELLS),
    (
        DataType.BATTERY_MODULE_STATISTICS,
        "0d000000 21fcfe65 00004040 11000000 4a76dc65 00006040 02000000 3f08d765 00008841 0c000000 7827db65 00001042",
        STATISTICS,
    ),
    (DataType.BATTERY_MODULE_RESISTANCE, "01800000" * 24, (1.5,) * 24),
    (
        DataType.LOGGED_EVENT,
        "03 0de0b6b3a7640000 0de0b6baa387ac00 0000005a 3b9aca00 3b9aca1e 00000003 00000000"
        + b"no grid\0\0UNKNOWN\0".hex(),
        OUTAGE,
    ),
    (
        DataType.LOGGED_EVENT,
        "00 ffffffffc4653600 0000000000000000 00000073 00000009 00000001 3f800000 40000000"
        + b"changed\0a.b\0FLOAT\0V".hex(),
        CHANGE,
    ),
    (DataType.UNKNOWN, "00ff2b", b"\x00\xff\x2b"),
]


@pytest.mark.parametrize(("data_type", "payload", "value"), VECTORS)
def test_vector_both_ways(data_type: DataType, payload: str, value: Value) -> None:
    assert decode_value(data_type, bytes.fromhex(payload)) == value
    encoded = encode_value(data_type, value)
    assert encoded == bytes.fromhex(payload) or (data_type is DataType.STRING and encoded == b"\0")


def test_every_type_has_a_vector() -> None:
    assert {row[0] for row in VECTORS} == set(DataType) == set(CODECS)


INTEGERS = {
    DataType.UINT8: (0, 2**8 - 1),
    DataType.INT8: (-(2**7), 2**7 - 1),
    DataType.ENUM: (0, 2**8 - 1),
    DataType.UINT16: (0, 2**16 - 1),
    DataType.INT16: (-(2**15), 2**15 - 1),
    DataType.UINT32: (0, 2**32 - 1),
    DataType.INT32: (-(2**31), 2**31 - 1),
}


@pytest.mark.parametrize("data_type", INTEGERS)
@given(data=st.data())
def test_integers_over_their_range(data_type: DataType, data: st.DataObject) -> None:
    low, high = INTEGERS[data_type]
    value = data.draw(st.integers(low, high) | st.sampled_from([low, high]))
    assert decode_value(data_type, encode_value(data_type, value)) == value
    for outside in (low - 1, high + 1):
        with pytest.raises(EncodeError, match=data_type.name):
            encode_value(data_type, outside)


@given(st.floats(width=32, allow_nan=False))
def test_floats(value: float) -> None:
    assert decode_value(DataType.FLOAT, encode_value(DataType.FLOAT, value)) == value


def test_nan_stays_nan() -> None:
    value = decode_value(DataType.FLOAT, encode_value(DataType.FLOAT, math.nan))
    assert isinstance(value, float)
    assert math.isnan(value)


@given(st.text().filter(lambda text: "\0" not in text), st.binary())
def test_what_follows_the_nul_of_a_string_is_garbage(text: str, garbage: bytes) -> None:
    assert decode_value(DataType.STRING, encode_value(DataType.STRING, text) + garbage) == text


def test_a_string_in_an_old_encoding() -> None:
    assert decode_value(DataType.STRING, b"D\xfcsseldorf\0") == "Düsseldorf"


def test_simultaneous_events_are_all_kept() -> None:
    table = EventTable(9, (Event(0x6B, 5, (6, 0, 0)), Event(0x6B, 5, (6, 0, 0)), Event(0x64, 5, (7, 0, 0))))
    assert decode_value(DataType.EVENT_TABLE, encode_value(DataType.EVENT_TABLE, table)) == table


MISFITS = [
    (DataType.FLOAT, "3e97", "expected FLOAT (4 bytes), got 2 bytes: 3e 97"),
    (DataType.BOOL, "", "expected BOOL (1 byte), got nothing"),
    (DataType.UINT8, "0102", "expected UINT8 (1 byte), got 2 bytes: 01 02"),
    (DataType.TIMESERIES, "0000", "expected TIMESERIES (4 + n * 8 bytes), got 2 bytes: 00 00"),
    (DataType.TIMESERIES, "00000000 00", "expected TIMESERIES (4 + n * 8 bytes), got 5 bytes: 00 00 00 00 00"),
    (DataType.EVENT_TABLE, "00000000 00", "expected EVENT_TABLE (4 + n * 20 bytes), got 5 bytes: 00 00 00 00 00"),
    (DataType.LOGGED_EVENT, "00" * 36, "expected LOGGED_EVENT (37 bytes and 4 texts), got 36 bytes"),
    (DataType.LOGGED_EVENT, "00" * 39, "expected LOGGED_EVENT (37 bytes and 4 texts), got 39 bytes"),
    (DataType.LOGGED_EVENT, "00" * 40, "expected LOGGED_EVENT (37 bytes and 4 texts), got 40 bytes"),
    (DataType.LOGGED_EVENT, "04" + "00" * 38 + b"BOOL\0".hex(), "expected LOGGED_EVENT"),
    (DataType.BATTERY_MODULE_STATUS, "00" * 95, "expected BATTERY_MODULE_STATUS (96 bytes), got 95 bytes: 00 "),
    (DataType.BATTERY_MODULE_STATUS, "00" * 100, "expected BATTERY_MODULE_STATUS (96 bytes), got 100 bytes: 00 "),
    (DataType.BATTERY_MODULE_STATISTICS, "00" * 36, "expected BATTERY_MODULE_STATISTICS (48 bytes), got 36 bytes"),
    (DataType.BATTERY_MODULE_RESISTANCE, "", "expected BATTERY_MODULE_RESISTANCE (96 bytes), got nothing"),
]


@pytest.mark.parametrize(("data_type", "payload", "message"), MISFITS)
def test_a_payload_that_does_not_fit(data_type: DataType, payload: str, message: str) -> None:
    with pytest.raises(DecodeError) as caught:
        decode_value(data_type, bytes.fromhex(payload))
    assert str(caught.value).startswith(message)


@given(st.sampled_from(DataType), st.binary(max_size=120))
def test_any_payload_gives_a_value_or_a_decode_error(data_type: DataType, payload: bytes) -> None:
    try:
        value = decode_value(data_type, payload)
    except DecodeError:
        return
    json.dumps(plain(value), allow_nan=False)


WRONG_KINDS: list[tuple[DataType, Value]] = [
    (DataType.BOOL, 1),
    (DataType.UINT8, True),
    (DataType.UINT8, 1.0),
    (DataType.FLOAT, "1"),
    (DataType.FLOAT, True),
    (DataType.FLOAT, 1e39),
    (DataType.STRING, "a\0b"),
    (DataType.STRING, b"a"),
    (DataType.UNKNOWN, "a"),
    (DataType.TIMESERIES, 5),
    (DataType.TIMESERIES, TimeSeries(-1, ())),
    (DataType.EVENT_TABLE, EventTable(0, (Event(0, 0, (-1, 0, 0)),))),
    (DataType.LOGGED_EVENT, replace(OUTAGE, name="a\0b")),
    (DataType.LOGGED_EVENT, replace(OUTAGE, unit="\ud800")),
    (DataType.LOGGED_EVENT, replace(OUTAGE, end=2**63)),
    (DataType.LOGGED_EVENT, EventTable(0, ())),
    (DataType.BATTERY_MODULE_STATUS, CELLS[:23]),
    (DataType.BATTERY_MODULE_STATUS, (1.0,) * 24),
    (DataType.BATTERY_MODULE_STATISTICS, CELLS),
    (DataType.BATTERY_MODULE_RESISTANCE, (1.0,) * 23),
    (DataType.BATTERY_MODULE_RESISTANCE, (-1.0,) * 24),
]


@pytest.mark.parametrize(("data_type", "value"), WRONG_KINDS)
def test_a_value_that_does_not_fit(data_type: DataType, value: Value) -> None:
    with pytest.raises(EncodeError, match=data_type.name):
        encode_value(data_type, value)


def test_an_integer_is_a_good_float() -> None:
    assert encode_value(DataType.FLOAT, 5) == struct.pack(">f", 5)


PLAIN: list[tuple[Value, object]] = [
    (math.nan, None),
    (-math.inf, None),
    (1.5, 1.5),
    (True, True),
    ("a", "a"),
    (b"\x00\xff", "00ff"),
    (TimeSeries(5, (Sample(4, math.nan),)), {"time": 5, "samples": [{"time": 4, "value": None}]}),
    (EventTable(5, (Event(1, 2, (3, 4, 5)),)), {"time": 5, "events": [{"type": 1, "time": 2, "values": [3, 4, 5]}]}),
    (
        OUTAGE,
        {
            "begin": "2001-09-09T01:46:40+00:00",
            "end": "2001-09-09T01:47:10+00:00",
            "duration": 30,
            "unsure": False,
            "type": "0x5a",
            "name": "no grid",
            "object": None,
            "old": None,
            "new": None,
            "value": None,
            "unit": "",
            "raw": [10**9 + 30, 3, 0],
        },
    ),
    (
        CHANGE,
        {
            "begin": "1969-12-31T23:59:59+00:00",
            "end": None,
            "duration": None,
            "unsure": True,
            "type": "0x73",
            "name": "changed",
            "object": "a.b",
            "old": 1.0,
            "new": 2.0,
            "value": None,
            "unit": "V",
            "raw": [1, 0x3F800000, 0x40000000],
        },
    ),
    (CELLS[:1], [{"temperature": 20, "voltage": 3.328, "status": 0}]),
    ((1.5, 2.0), [1.5, 2.0]),
    (
        STATISTICS,
        {
            "u_min": {"cell": 13, "time": 1711209505, "value": 3.0},
            "u_max": {"cell": 17, "time": 1708947018, "value": 3.5},
            "t_min": {"cell": 2, "time": 1708591167, "value": 17.0},
            "t_max": {"cell": 12, "time": 1708861304, "value": 36.0},
        },
    ),
]


@pytest.mark.parametrize(("value", "expected"), PLAIN)
def test_plain(value: Value, expected: object) -> None:
    assert plain(value) == expected
