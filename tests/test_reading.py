"""Frames become readings."""

from __future__ import annotations

import pytest

from rct_tools.frame import Command, Frame
from rct_tools.objects import registry
from rct_tools.reading import BadReading, Reading, read_frame
from rct_tools.values import DataType

SOC = registry["battery.soc"]
PAYLOAD = bytes.fromhex("3f590f86")


@pytest.mark.parametrize("command", [c for c in Command if c.is_response and not c.is_plant])
def test_a_response_tells_a_value(command: Command) -> None:
    assert read_frame(Frame(command, SOC.object_id, PAYLOAD), 17, "roof") == Reading(
        17, "roof", SOC, 0.8478931188583374
    )


@pytest.mark.parametrize("command", [c for c in Command if c.is_response and c.is_plant])
def test_a_member_of_a_plant_is_another_inverter(command: Command) -> None:
    reading = read_frame(Frame(command, SOC.object_id, PAYLOAD, 42), 17, "roof")
    assert isinstance(reading, Reading)
    assert reading.inverter == "roof/0000002A"


@pytest.mark.parametrize("command", [c for c in Command if not c.is_response])
def test_what_asks_or_orders_tells_nothing(command: Command) -> None:
    assert read_frame(Frame(command, SOC.object_id, PAYLOAD), 17, "roof") is None


def test_a_stub_is_a_bad_reading() -> None:
    reading = read_frame(Frame(Command.RESPONSE, SOC.object_id, PAYLOAD[:2]), 17, "roof")
    reason = "battery.soc: expected FLOAT (4 bytes), got 2 bytes: 3f 59"
    assert reading == BadReading(17, "roof", SOC, PAYLOAD[:2], reason)


def test_an_unknown_object_gives_its_bytes() -> None:
    reading = read_frame(Frame(Command.RESPONSE, 0xDEADBEEF, b"\x01\x02"), 17, "roof")
    assert isinstance(reading, Reading)
    assert (reading.object.name, reading.object.data_type, reading.value) == (
        "0xDEADBEEF",
        DataType.UNKNOWN,
        b"\x01\x02",
    )
