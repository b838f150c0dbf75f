"""Frames: what they encode to, and what cannot be encoded. Vectors both ways stand in test_parser."""

from __future__ import annotations

import dataclasses

import pytest

from rct_tools.errors import EncodeError
from rct_tools.frame import BadFrame, Command, Frame, Reason

IMPOSSIBLE = [  # frame, a word of the message
    (Frame(Command.READ, -1), "object id -0x1"),
    (Frame(Command.READ, 1 << 32), "object id 0x100000000"),
    (Frame(Command.WRITE, 1, bytes(252)), "payload of 252 bytes"),
    (Frame(Command.PLANT_WRITE, 1, bytes(248)), "payload of 248 bytes"),
    (Frame(Command.LONG_WRITE, 1, bytes(0x10000 - 4)), "payload of 65532 bytes"),
    (Frame(Command.PLANT_READ, 1, b"", 1 << 32), "address 0x100000000"),
    (Frame(Command.READ, 1, b"", 7), "carries no address"),
]


@pytest.mark.parametrize(("frame", "text"), IMPOSSIBLE)
def test_what_does_not_fit_is_the_callers_mistake(frame: Frame, text: str) -> None:
    with pytest.raises(EncodeError, match=text) as caught:
        frame.encode()
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("size", [0, 251])
def test_the_largest_payload_of_a_short_frame(size: int) -> None:
    wire = Frame(Command.WRITE, 1, bytes(size)).encode()
    assert wire[2] == 4 + size


def test_every_start_and_escape_after_the_first_byte_is_escaped() -> None:
    wire = Frame(Command.PLANT_LONG_RESPONSE, 0x2B2D2B2D, b"+-+", 0x2D2D2B2B).encode()
    pairs = wire[1:].replace(b"--", b"").replace(b"-+", b"")
    assert wire[:1] == b"+"
    assert b"+" not in pairs
    assert b"-" not in pairs


def test_frames_are_values() -> None:
    frame = Frame(Command.READ, 7, offset=3)
    assert frame == Frame(Command.READ, 7, offset=99)
    assert hash(frame) == hash(Frame(Command.READ, 7))
    assert BadFrame(Reason.CRC, b"+", 1) == BadFrame(Reason.CRC, b"+", 2)
    with pytest.raises(dataclasses.FrozenInstanceError):
        frame.object_id = 8  # type: ignore[misc]  # that is the point


PROPERTIES = [  # command, plant, long, response
    (Command.READ, False, False, False),
    (Command.WRITE, False, False, False),
    (Command.LONG_WRITE, False, True, False),
    (Command.RESPONSE, False, False, True),
    (Command.LONG_RESPONSE, False, True, True),
    (Command.READ_PERIODICALLY, False, False, False),
    (Command.PLANT_READ, True, False, False),
    (Command.PLANT_WRITE, True, False, False),
    (Command.PLANT_LONG_WRITE, True, True, False),
    (Command.PLANT_RESPONSE, True, False, True),
    (Command.PLANT_LONG_RESPONSE, True, True, True),
    (Command.PLANT_READ_PERIODICALLY, True, False, False),
]


@pytest.mark.parametrize(("command", "plant", "long", "response"), PROPERTIES)
def test_commands(command: Command, plant: bool, long: bool, response: bool) -> None:
    assert (command.is_plant, command.is_long, command.is_response) == (plant, long, response)


def test_the_table_of_commands_is_whole() -> None:
    assert [row[0] for row in PROPERTIES] == list(Command)
    assert all(int(command) == int(plain) | 0x40 for plain, command in zip(Command, list(Command)[6:], strict=False))
