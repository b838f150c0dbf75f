"""Frames and their bytes on the wire: commands, escaping, checksum.

    2b | command | length | [address] | object id | payload | crc

Big endian. The length counts what lies between it and the checksum: one byte, or two for the long commands; the
address is there in plant frames only. After the start byte, every ``2b`` and ``2d`` is preceded by a ``2d``.
Source: docs/protocol.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Final

from rct_tools.checksum import CRC_SIZE, checksum
from rct_tools.errors import EncodeError

START: Final = 0x2B
ESCAPE: Final = 0x2D
EXTENSION: Final = b"\x2b\x3c\xe1"
"""Sent by the phone app when it connects: three bytes without a checksum, so not a frame."""


class Command(IntEnum):
    """What a frame asks or tells. The plant commands carry the address of one of several linked inverters."""

    READ = 0x01
    WRITE = 0x02
    LONG_WRITE = 0x03
    RESPONSE = 0x05
    LONG_RESPONSE = 0x06
    READ_PERIODICALLY = 0x08
    PLANT_READ = 0x41
    PLANT_WRITE = 0x42
    PLANT_LONG_WRITE = 0x43
    PLANT_RESPONSE = 0x45
    PLANT_LONG_RESPONSE = 0x46
    PLANT_READ_PERIODICALLY = 0x48

    @property
    def is_plant(self) -> bool:
        """Whether frames of this command carry an address."""
        return self >= Command.PLANT_READ

    @property
    def is_long(self) -> bool:
        """Whether the length of such frames has two bytes."""
        return self in _LONG

    @property
    def is_response(self) -> bool:
        """Whether such frames tell a value, asked for or not."""
        return self in _RESPONSES


_LONG: Final = frozenset(
    {Command.LONG_WRITE, Command.LONG_RESPONSE, Command.PLANT_LONG_WRITE, Command.PLANT_LONG_RESPONSE}
)
_RESPONSES: Final = frozenset(
    {Command.RESPONSE, Command.LONG_RESPONSE, Command.PLANT_RESPONSE, Command.PLANT_LONG_RESPONSE}
)


class Reason(StrEnum):
    """Why bytes that began like a frame were not one."""

    TRUNCATED = "truncated"  # another start, or the end of the stream, came too early
    CRC = "crc"  # the checksum does not fit
    COMMAND = "command"  # no such command
    LENGTH = "length"  # too short for an object id
    ESCAPE = "escape"  # an escape before a byte that needs none


@dataclass(frozen=True, slots=True)
class Frame:
    """One message of the protocol, CRC already checked."""

    command: Command
    object_id: int
    payload: bytes = b""
    address: int = 0  # plant frames only
    offset: int = field(default=0, compare=False, repr=False)  # where in its stream it began, in bytes

    def encode(self) -> bytes:
        """Return the bytes for the wire, from the start byte to the checksum, escaped.

        Raises EncodeError when an id, an address or the payload does not fit its field.
        """
        command = self.command
        if self.address and not command.is_plant:
            raise EncodeError(f"{command.name} carries no address, got {self.address}")
        length_size = 2 if command.is_long else 1
        try:
            body = self.object_id.to_bytes(4) + self.payload
            if command.is_plant:
                body = self.address.to_bytes(4) + body
            image = bytes([command]) + len(body).to_bytes(length_size) + body
        except OverflowError as exc:
            raise EncodeError(
                f"frame does not fit: {command.name}, object id {self.object_id:#x}, address {self.address:#x}, "
                f"payload of {len(self.payload)} bytes; ids have 4 bytes, the length has {length_size}"
            ) from exc
        image += checksum(image).to_bytes(CRC_SIZE)
        return b"+" + image.replace(b"-", b"--").replace(b"+", b"-+")


@dataclass(frozen=True, slots=True)
class BadFrame:
    """Bytes that began like a frame and were not one: an event, never an exception."""

    reason: Reason
    data: bytes  # as they came, still escaped
    offset: int = field(default=0, compare=False, repr=False)  # where in its stream it began, in bytes
