"""What becomes of one frame that a fault strikes, as bytes: DAMAGE has a function for each such fault."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from random import Random
from typing import Final, NamedTuple

from rct_tools.checksum import CRC_SIZE
from rct_tools.frame import Command, Frame
from rct_tools.objects import registry
from rct_tools.runs import unescape
from rct_tools.values import DataType

PLUSES: Final = b"+++"
KEEP_ALIVE: Final = b"AT+\r"

_SOC: Final = registry["battery.soc"].object_id
_TEXT_SIZE: Final = 64  # bytes that a device keeps for a text, and sends


class Damaged(NamedTuple):
    """What is sent in place of a frame."""

    now: bytes
    later: bytes = b""  # in front of a later frame


def on_the_wire(said: Frame | bytes | None) -> bytes:
    """Return the bytes that the device sends, with a 00 before a frame; none for None."""
    return b"\0" + said.encode() if isinstance(said, Frame) else said or b""


def stub_of(frame: Frame, chance: Random) -> Frame:
    """Return an answer as a request cuts it: all is right with it but that a part of its payload is missing."""
    return replace(frame, payload=frame.payload[: chance.randrange(max(1, len(frame.payload)))])


def _cut(frame: Frame, _: Frame | None, chance: Random) -> Damaged:
    image = on_the_wire(frame)
    return Damaged(image[: chance.randrange(1, len(image))])


def _late(frame: Frame, _: Frame | None, chance: Random) -> Damaged:
    image = on_the_wire(frame)
    part = chance.choice((0, chance.randrange(1, len(image))))
    return Damaged(image[:part], image[part:])


def _lost(_frame: Frame, _: Frame | None, _chance: Random) -> Damaged:
    return Damaged(b"")


def _doubled(frame: Frame, _: Frame | None, _chance: Random) -> Damaged:
    return Damaged(2 * on_the_wire(frame))


def _length(frame: Frame, _: Frame | None, chance: Random) -> Damaged:
    """The checksum stays that of the right length."""
    plain = unescape(frame.encode()[1:])
    size = 2 if frame.command.is_long else 1
    right, most = int.from_bytes(plain[1 : 1 + size]), 256**size - 1
    # Far off: beyond the checksum and the frame behind it, or less than an id and a value.
    wrong = chance.choice((chance.randint(min(most, right + 4 * CRC_SIZE), most), chance.randrange(right // 2 + 1)))
    image = plain[:1] + wrong.to_bytes(size) + plain[1 + size :]
    return Damaged(b"\0+" + image.replace(b"-", b"--").replace(b"+", b"-+"))


def _garbage(frame: Frame, _: Frame | None, chance: Random) -> Damaged:
    """Only what follows the NUL of a text changes."""
    text, nul, _memory = frame.payload.partition(b"\0")
    if not nul or registry.describe(frame.object_id).data_type is not DataType.STRING:
        return Damaged(on_the_wire(frame))
    image = Frame(Command.RESPONSE, _SOC, chance.randbytes(4)).encode()
    old = chance.choice((b"", image)) + chance.randbytes(_TEXT_SIZE)
    size = max(_TEXT_SIZE, len(frame.payload))
    return Damaged(on_the_wire(replace(frame, payload=(text + nul + old)[:size])))


def _echo(frame: Frame, request: Frame | None, _: Random) -> Damaged:
    echoed = request.encode() if request and request.command in (Command.READ, Command.PLANT_READ) else b""
    return Damaged(echoed + on_the_wire(frame))


def _plus(frame: Frame, _: Frame | None, _chance: Random) -> Damaged:
    return Damaged(PLUSES + on_the_wire(frame))


def _at(frame: Frame, _: Frame | None, _chance: Random) -> Damaged:
    return Damaged(KEEP_ALIVE + on_the_wire(frame))


DAMAGE: Final[Mapping[str, Callable[[Frame, Frame | None, Random], Damaged]]] = {
    "cut": _cut,
    "late": _late,
    "lost": _lost,
    "doubled": _doubled,
    "length": _length,
    "garbage": _garbage,
    "echo": _echo,
    "plus": _plus,
    "at": _at,
}
"""By the name of a fault. Each takes a frame, the request it answers, if any, and chance; some frames cannot be struck
by some faults and stay as they are."""
