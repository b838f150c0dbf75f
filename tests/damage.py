"""Streams that are damaged as real ones are, each with the frames that are still intact in it.

KINDS has a row for each way. What is intact is known without a parser: the bytes of every frame that was sent are
looked for in the stream. So a frame also counts where damage put it together again: from the second copy of a segment,
or with the 00 before the next frame in place of the same byte that was lost. Only what nobody sent is left out, a frame
whose checksum is right by chance.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain, cycle, islice
from random import Random
from typing import Final, TypeAlias

from rct_tools.checksum import checksum
from rct_tools.frame import EXTENSION, Command, Frame
from rct_tools.objects import registry
from rct_tools.simulator.broadcast import cycles
from rct_tools.values import DataType

Traffic: TypeAlias = Callable[[Random, int], list[Frame]]
Damage: TypeAlias = Callable[[Random, list[bytes]], bytes]


@dataclass(frozen=True, slots=True)
class Damaged:
    """A stream, the frames that are intact in it with their offsets, in order, and those that were sent."""

    stream: bytes
    truth: tuple[tuple[int, Frame], ...]
    sent: tuple[Frame, ...]


def intact(stream: bytes, frames: list[Frame]) -> tuple[tuple[int, Frame], ...]:
    """Return where the frames stand whole in a stream, in order; what stands inside an intact frame is its data."""
    places: dict[int, tuple[int, Frame]] = {}
    for frame in frames:
        wire = frame.encode()
        at = stream.find(wire)
        while at >= 0:
            places[at] = at + len(wire), frame
            at = stream.find(wire, at + 1)
    truth = []
    end = 0
    for at, (its_end, frame) in sorted(places.items()):
        if at >= end:
            truth.append((at, frame))
            end = its_end
    return tuple(truth)


# --- what is sent -----------------------------------------------------------------------------------------------------

BIASED: Final = bytes.fromhex("2b2d0005 0645ff")
_PIECES: Final = (  # of noise: what means something, and what looks like the head of a frame
    *(b"+++", b"AT+\r", EXTENSION, b"\0"),
    *(b"+\x06\xff\xff", b"-+\x46\x01\x00", b"+\x05\xff", b"-+\x05\x20", b"+\x05\x03", b"+-"),
)

_LONGEST_IMAGE: Final = 400  # bytes, for an image may hold another
_SHORT: Final = 0xFF - 8  # bytes of payload that any command can carry

_ROWS_OF_A_PAGE: Final = (0, 7, 40, 41, 41, 41, 41, 600)  # as seen, and many

_COMMANDS: Final = {  # how often one is sent
    Command.READ: 4,
    Command.WRITE: 3,
    Command.LONG_WRITE: 2,
    Command.RESPONSE: 20,
    Command.LONG_RESPONSE: 4,
    Command.READ_PERIODICALLY: 1,
    Command.PLANT_READ: 2,
    Command.PLANT_WRITE: 1,
    Command.PLANT_LONG_WRITE: 1,
    Command.PLANT_RESPONSE: 5,
    Command.PLANT_LONG_RESPONSE: 2,
    Command.PLANT_READ_PERIODICALLY: 1,
}


def _float(chance: Random) -> bytes:
    return struct.pack(">f", chance.choice([0.0, 1.0, chance.random(), 3000.0 * chance.random() - 1500.0]))


def _text(chance: Random) -> bytes:
    text = bytes(chance.choices(b"ABCDEFGHKLMNPRSTUVWXYZ 0123456789.+-", k=chance.randrange(20)))
    return text + b"\0" + chance.choice([bytes(12), chance.randbytes(chance.randrange(30)), _biased(chance)])


def _series(chance: Random) -> bytes:
    newest = chance.randrange(1_600_000_000, 1_900_000_000)
    rows = (struct.pack(">I", newest - 300 * row) + _float(chance) for row in range(chance.choice(_ROWS_OF_A_PAGE)))
    return struct.pack(">I", newest) + b"".join(rows)


def _events(chance: Random) -> bytes:
    return chance.randbytes(4) + b"".join(
        struct.pack(">II", chance.choice(b"OPRSTUWXYZadkrsvwxy"), 1_700_000_000) + chance.randbytes(12)
        for _ in range(chance.randrange(12))
    )


def _cells(chance: Random) -> bytes:
    return b"".join(struct.pack("<BHB", chance.randrange(15, 46), chance.randrange(2800, 3500), 0) for _ in range(24))


def _resistances(chance: Random) -> bytes:
    return b"".join(struct.pack(">HH", chance.randrange(100, 900), 0) for _ in range(24))


def _biased(chance: Random) -> bytes:
    return bytes(chance.choices(BIASED, k=chance.randrange(40)))


def _bytes(size: int, chance: Random) -> bytes:
    return chance.randbytes(size)


PAYLOADS: Final[Mapping[DataType, Callable[[Random], bytes]]] = {
    DataType.FLOAT: _float,
    DataType.STRING: _text,
    DataType.TIMESERIES: _series,
    DataType.EVENT_TABLE: _events,
    DataType.BATTERY_MODULE_STATUS: _cells,
    DataType.BATTERY_MODULE_STATISTICS: partial(_bytes, 48),
    DataType.BATTERY_MODULE_RESISTANCE: _resistances,
    DataType.UNKNOWN: _biased,
    **dict.fromkeys((DataType.BOOL, DataType.ENUM, DataType.UINT8, DataType.INT8), partial(_bytes, 1)),
    **dict.fromkeys((DataType.UINT16, DataType.INT16), partial(_bytes, 2)),
    **dict.fromkeys((DataType.UINT32, DataType.INT32), partial(_bytes, 4)),
}
_IDS: Final = {kind: [info.object_id for info in registry if info.data_type is kind] for kind in PAYLOADS}


def traffic(chance: Random, count: int) -> list[Frame]:
    """Return frames of all commands, a third with ids and payloads full of starts and escapes, or with an image."""
    frames: list[Frame] = []
    while len(frames) < count:
        kind = chance.choice(list(PAYLOADS))
        look = chance.random()
        payload = _holding(chance, frames) if look < 0.08 else PAYLOADS[kind](chance)
        object_id = int.from_bytes(chance.choices(BIASED, k=4)) if look > 0.8 else chance.choice(_IDS[kind])
        frame = _frame(chance, object_id, payload)
        if look > 0.9:  # an escape in the checksum
            while b"-" not in frame.encode()[-2:]:
                frame = _frame(chance, object_id, _biased(chance))
        frames.append(frame)
    return frames


def announcements(chance: Random, count: int) -> list[Frame]:
    """Return the frames of the broadcast, and now and then what linked inverters tell each other."""
    names = chain.from_iterable(burst.names for bursts in cycles() for burst in bursts)
    frames = []
    for info in map(registry.__getitem__, islice(names, count)):
        if chance.random() < 0.1:
            frames.append(Frame(Command.WRITE, 0x3AA565FC, chance.randbytes(36)))
        else:
            frames.append(Frame(Command.RESPONSE, info.object_id, PAYLOADS[info.data_type](chance)))
    return frames


def holders(chance: Random, count: int) -> list[Frame]:
    """Return frames of which every second one holds the image of another."""
    frames = traffic(chance, count - count // 2)
    for at in range(0, 2 * (count // 2), 2):
        frames.insert(at + 1, _frame(chance, chance.choice(_IDS[DataType.STRING]), _holding(chance, frames[: at + 1])))
    return frames


def _frame(chance: Random, object_id: int, payload: bytes) -> Frame:
    (command,) = chance.choices(list(_COMMANDS), list(_COMMANDS.values()))
    if command in (Command.READ, Command.PLANT_READ):
        payload = b""
    elif len(payload) > _SHORT and not command.is_long:
        command = Command.PLANT_LONG_RESPONSE if command.is_plant else Command.LONG_RESPONSE
    address = chance.choice([1, 0x2B, 0x2D2B0000, chance.getrandbits(32)]) if command.is_plant else 0
    return Frame(command, object_id, payload, address)


def _holding(chance: Random, frames: list[Frame]) -> bytes:
    """Return a text and, behind its NUL, the left-over image of a frame: as it was sent, or without its escapes."""
    wires = [frame.encode() for frame in frames[-20:]]
    wire = chance.choice([wire for wire in wires if len(wire) < _LONGEST_IMAGE] or [b""])
    image = chance.choice([wire, wire[:1] + unescape(wire[1:])])
    return (
        b"roof" + b"\0" + chance.choice([b"", b"\0", b"-", b"ABC"]) + image + chance.choice([b"", bytes(5), b"\xff-"])
    )


# --- what happens to it -----------------------------------------------------------------------------------------------


def clean(chance: Random, wires: list[bytes]) -> bytes:
    """Nothing: frames of the device, with their 00, and of clients, without."""
    return b"".join(_zero(chance) + wire for wire in wires)


def broadcast(chance: Random, wires: list[bytes]) -> bytes:
    """Blocks of frames that nobody asked for, behind what an app and the server of the vendor say."""
    stream = bytearray(EXTENSION + b"AT+\r")
    rest = iter(wires)
    sizes = cycle((1, 14, 49))
    while block := list(islice(rest, next(sizes))):
        stream += b"".join(b"\0" + wire for wire in block) + b"+++"
    return bytes(stream)


def cut(chance: Random, wires: list[bytes]) -> bytes:
    """Frames that end early, some right behind an escape."""
    return b"".join(_zero(chance) + (_cut(chance, wire) if chance.random() < 0.4 else wire) for wire in wires)


def late_tails(chance: Random, wires: list[bytes]) -> bytes:
    """Frames whose end comes later, right before another one."""
    stream = bytearray()
    tail = b""
    for wire in wires:
        if tail and chance.random() < 0.4:
            stream += tail
            tail = b""
        if not tail and chance.random() < 0.5:
            head = _cut(chance, wire)
            stream += b"\0" + head
            tail = wire[len(head) :]
        else:
            stream += _zero(chance) + wire
    return bytes(stream)


def wrong_lengths(chance: Random, wires: list[bytes]) -> bytes:
    """Frames that say they are longer or shorter than they are, some with a checksum that is right for it."""
    return b"".join(_zero(chance) + (_relength(chance, wire) if chance.random() < 0.4 else wire) for wire in wires)


def bit_flips(chance: Random, wires: list[bytes]) -> bytes:
    """Single bits that are wrong, and whole bytes."""
    return _strike(chance, clean(chance, wires), 150, _flipped)


def lost_bytes(chance: Random, wires: list[bytes]) -> bytes:
    """Bytes that never came: one, or some in a row."""
    return _strike(chance, clean(chance, wires), 200, _lost)


def doubled_segments(chance: Random, wires: list[bytes]) -> bytes:
    """TCP segments that appear twice."""
    return _double(chance, clean(chance, wires))


def noise(chance: Random, wires: list[bytes]) -> bytes:
    """Bytes that mean something else or nothing, between frames and now and then inside one."""
    stream = bytearray()
    for wire in wires:
        at = chance.randrange(len(wire)) if chance.random() < 0.15 else 0
        stream += _zero(chance) + wire[:at]
        stream += b"".join(_junk(chance) for _ in range(chance.randrange(4))) + wire[at:]
    return bytes(stream)


def stray_escapes(chance: Random, wires: list[bytes]) -> bytes:
    """Escapes before a start, before what needs none, and missing ones."""
    stream = bytearray()
    for wire in wires:
        match chance.randrange(5):
            case 0:
                stream += _zero(chance) + b"-" * chance.randint(1, 3) + wire
            case 1:  # then the next one seems to go on, for nothing is between
                stream += _zero(chance) + _cut(chance, wire).rstrip(b"-") + b"-"
            case 2:
                at = chance.choice([at for at, byte in enumerate(wire) if byte == ord("-")] or [len(wire)])
                stream += _zero(chance) + wire[:at] + chance.choice([b"", b"", _junk(chance)]) + wire[at + 1 :]
            case 3:
                at = chance.randrange(1, len(wire))
                stream += _zero(chance) + wire[:at] + b"-" + wire[at:]
            case _:
                stream += wire
    return bytes(stream)


def nested_images(chance: Random, wires: list[bytes]) -> bytes:
    """Frames that are wrong at their beginning or their end: what they hold is then a frame of its own."""
    stream = bytearray()
    for wire in wires:
        at = chance.choice([1, 2, 3, 4, 5, 6, len(wire) - 1])
        wrong = chance.choice([b"", b"\0", _flipped(chance, wire[at : at + 1])])
        stream += _zero(chance) + (wire[:at] + wrong + wire[at + 1 :] if chance.random() < 0.6 else wire)
    return bytes(stream)


def mixtures(chance: Random, wires: list[bytes]) -> bytes:
    """All the others in turns, and then bits, bytes and segments of the whole."""
    others = [damage for _, damage in _ROWS.values() if damage is not mixtures]
    stream = b""
    rest = iter(wires)
    while lot := list(islice(rest, chance.randint(1, 12))):
        stream += chance.choice(others)(chance, lot)
    for change in (_flipped, _lost):
        stream = _strike(chance, stream, 1500, change)
    return _double(chance, stream)


def unescape(data: bytes) -> bytes:
    """Return the bytes that escaped ones stand for."""
    return data.replace(b"-+", b"+").replace(b"--", b"-")


def _zero(chance: Random) -> bytes:
    return b"\0" if chance.random() < 0.8 else b""


def _cut(chance: Random, wire: bytes) -> bytes:
    escapes = [at + 1 for at, byte in enumerate(wire) if byte == ord("-")]
    return wire[: chance.choice(escapes) if escapes and chance.random() < 0.4 else chance.randrange(1, len(wire))]


def _relength(chance: Random, wire: bytes) -> bytes:
    image = unescape(wire[1:])
    command = Command(image[0])
    head = 3 if command.is_long else 2
    most = (1 << 8 * (head - 1)) - 1
    right = int.from_bytes(image[1:head])
    lengths = {0, 3, right - 1, right - 4, right + 1, right + 4, min(right * 2, most), most, chance.randint(0, most)}
    length = chance.choice([length for length in sorted(lengths) if length <= most and length != right])
    body, crc = image[head:-2], image[-2:]
    image = image[:1] + length.to_bytes(head - 1)
    # One byte more and a checksum that is right for it would be a frame too often: what ends with its checksum has
    # the checksum 0, which the 00 of the next frame completes.
    if length != right + 1 and chance.random() < 0.3:
        image += body[:length] if length < (8 if command.is_plant else 4) else body
        crc = checksum(image).to_bytes(2)
    else:
        image += body
    return b"+" + (image + crc).replace(b"-", b"--").replace(b"+", b"-+")


def _junk(chance: Random) -> bytes:
    return chance.choice([chance.choice(_PIECES), _biased(chance), chance.randbytes(chance.randrange(9))])


def _strike(chance: Random, stream: bytes, distance: float, change: Callable[[Random, bytes], bytes]) -> bytes:
    """Change a stretch of bytes here and there, so many bytes apart on average."""
    struck = bytearray()
    at = 0
    while (hit := at + int(chance.expovariate(1 / distance))) < len(stream):
        size = chance.choice([1, 1, 1, chance.randint(2, 20)])
        struck += stream[at:hit] + change(chance, stream[hit : hit + size])
        at = hit + size
    return bytes(struck) + stream[at:]


def _flipped(chance: Random, data: bytes) -> bytes:
    return bytes([data[0] ^ chance.choice([1 << chance.randrange(8), chance.randint(1, 255)])]) + data[1:]


def _lost(chance: Random, data: bytes) -> bytes:
    return b""


def _double(chance: Random, stream: bytes) -> bytes:
    segments = bytearray()
    at = 0
    while at < len(stream):
        size = chance.choice([chance.randint(1, 60), chance.randint(60, 600)])
        segments += stream[at : at + size] * chance.choice([1, 1, 2])
        at += size
    return bytes(segments)


# --- kinds ------------------------------------------------------------------------------------------------------------


def _damaged(frames: Traffic, damage: Damage, chance: Random, size: int) -> Damaged:
    sent = frames(chance, size)
    stream = damage(chance, [frame.encode() for frame in sent])
    return Damaged(stream, intact(stream, sent), tuple(sent))


_ROWS: Final[Mapping[str, tuple[Traffic, Damage]]] = {
    "clean": (traffic, clean),
    "broadcast": (announcements, broadcast),
    "cut": (traffic, cut),
    "late tails": (traffic, late_tails),
    "wrong length": (traffic, wrong_lengths),
    "bit flips": (traffic, bit_flips),
    "lost bytes": (traffic, lost_bytes),
    "doubled segments": (traffic, doubled_segments),
    "noise": (traffic, noise),
    "stray escapes": (traffic, stray_escapes),
    "nested images": (holders, nested_images),
    "mixtures": (traffic, mixtures),
}
KINDS: Final[Mapping[str, Callable[[Random, int], Damaged]]] = {
    name: partial(_damaged, *row) for name, row in _ROWS.items()
}
"""Each takes chance, which determines all, and how many frames are sent."""
