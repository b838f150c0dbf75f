"""Redaction: for any capture,

- ``collect``, ``Redactor`` and ``search`` raise nothing but CaptureError, when far too much is private;
- of what is private, nothing is left: ``search`` says so, and so does a plain look into each stream and each payload;
- chunks keep their order, times, directions and connections; one of which nothing is left may be missing;
- frames stay frames, in the same order, with the same commands and ids, and as long as they were;
- how the streams were cut makes no difference, but by the order in which originals appear: stand-ins count them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from random import Random
from typing import Final

from fuzz_mutations import mutate
from fuzz_parser import MARK

from rct_tools.capture import Chunk, Direction
from rct_tools.errors import CaptureError
from rct_tools.frame import Command, Frame
from rct_tools.objects import registry
from rct_tools.parser import FrameParser
from rct_tools.privacy import Original, StandIns
from rct_tools.proof import search
from rct_tools.redaction import Redactor, collect

RECEIVED, SENT = Direction
STREAMS: Final = ((0, RECEIVED), (0, SENT), (1, RECEIVED))
NEXT_STREAM: Final = 0xA6
"""In an input, what follows this byte goes to the next of STREAMS."""

SECRETS: Final = (b"SIM7654321", b"geheim+-4", b"Roof South", b"192.0.2.77", b"\xa1\xb2\xc3\xd4", b"+-+-", b"abc")


def _wire(name: str, payload: bytes, command: Command = Command.RESPONSE) -> bytes:
    address = 0xA1B2C3D4 if command.is_plant else 0
    return Frame(command, registry[name].object_id, payload, address).encode()


FRAMES: Final = [  # an input has MARK and a number for each
    _wire("inverter_sn", SECRETS[0] + b"\0\0old"),
    _wire("wifi.password", SECRETS[1] + b"\0"),
    _wire("wifi.password", SECRETS[5], Command.WRITE),
    _wire("android_description", SECRETS[2] + b"\0" + SECRETS[0]),
    _wire("android_description", SECRETS[6]),
    _wire("wifi.sockb_ip", SECRETS[3] + b"\0", Command.PLANT_RESPONSE),
    _wire("net.id", SECRETS[4]),
    _wire("net.slave_data", SECRETS[4] + SECRETS[0] + b"\0" * 14 + SECRETS[2] + bytes(70)),
    _wire("net.slave_data", SECRETS[4] + b"1.2.3" + SECRETS[3], Command.LONG_RESPONSE),
    _wire("battery.soc", SECRETS[4], Command.PLANT_RESPONSE),
    _wire("battery.soc", b"\x3e\x97\xb1\x91"),
    _wire("svnversion", b"2.3\0" + SECRETS[0] + _wire("inverter_sn", SECRETS[0])),
    _wire("logger.buffer", SECRETS[2] * 3, Command.LONG_RESPONSE),
    _wire("inverter_sn", b"", Command.READ),
]


def check(data: bytes) -> None:
    """Assert what must hold for any capture that an input stands for."""
    streams = build(data)
    written: dict[tuple[Original, ...], list[bytes]] = {}
    for sizes in (range(1, 30), range(1 + len(data), 2 + len(data)), range(1, 2)):
        old = cut(streams, Random(data), sizes)
        try:
            stand_ins = StandIns(collect(old))
        except CaptureError as exc:
            assert "private values" in str(exc)  # noqa: PT017  # any other is a finding
            return
        new: list[Chunk] = []
        redactor = Redactor(stand_ins, new.append)
        for chunk in old:
            redactor.feed(chunk)
        redactor.close()
        check_redacted(old, new, stand_ins)
        joined = [join(new, key) for key in STREAMS]
        assert written.setdefault(tuple(stand_ins.names), joined) == joined, "other when cut otherwise"


def build(data: bytes) -> list[bytes]:
    """Return the streams that an input stands for."""
    streams = [b"", b"", b""]
    for place, part in enumerate(data.split(bytes([NEXT_STREAM]))):
        junk, *rest = part.split(bytes([MARK]))
        wires = [FRAMES[int.from_bytes(marked[:1]) % len(FRAMES)] + marked[1:] for marked in rest]
        streams[place % 3] += junk + b"".join(wires)
    return streams


def cut(streams: list[bytes], chance: Random, sizes: range) -> list[Chunk]:
    """Return streams as chunks of these sizes, in any order among each other; their times are their places."""
    chunks: list[Chunk] = []
    rest = dict(zip(STREAMS, streams, strict=True))
    while rest := {key: data for key, data in rest.items() if data}:
        connection, direction = key = chance.choice(list(rest))
        size = chance.choice(sizes)
        chunks.append(Chunk(len(chunks), direction, rest[key][:size], connection))
        rest[key] = rest[key][size:]
    return chunks


def join(chunks: list[Chunk], key: tuple[int, Direction]) -> bytes:
    return b"".join(chunk.data for chunk in chunks if (chunk.connection, chunk.direction) == key)


def check_redacted(old: list[Chunk], new: list[Chunk], stand_ins: StandIns) -> None:
    assert list(search(new, stand_ins)) == []
    places = {chunk.time: (chunk.direction, chunk.connection) for chunk in old}
    assert all(chunk.data and places[chunk.time] == (chunk.direction, chunk.connection) for chunk in new)
    times = [chunk.time for chunk in new]
    assert times == sorted(set(times))
    for key in STREAMS:
        before, after = join(old, key), join(new, key)
        was, now = frames(before), frames(after)
        assert [(f.command, f.object_id, len(f.payload)) for f in was] == [
            (f.command, f.object_id, len(f.payload)) for f in now
        ]
        for image in (after, re.sub(rb"-([+-])", rb"\1", after), *(frame.payload for frame in now)):
            assert not [original for original in stand_ins.everywhere if original in image]


def frames(stream: bytes) -> list[Frame]:
    parser = FrameParser()
    return [event for event in [*parser.feed(stream), *parser.close()] if isinstance(event, Frame)]


# --- inputs ---------------------------------------------------------------------------------------------------------

PIECES: Final = [
    *(bytes((MARK, number)) for number in range(len(FRAMES))),
    *FRAMES,
    *SECRETS,
    *(secret.replace(b"-", b"--").replace(b"+", b"-+") for secret in SECRETS),
    *(secret[3:] for secret in SECRETS),
    *(bytes([NEXT_STREAM]), b"\0", b"+++", b"-", b"+", b"\xff\xff"),
]


def inputs(chance: Random) -> Iterator[bytes]:
    """Yield inputs without end."""
    while True:
        pieces = chance.choices(PIECES, k=chance.randrange(1, 16))
        at = chance.randrange(len(pieces))
        pieces[at] = pieces[at][: chance.randrange(len(pieces[at]) + 1)] if chance.random() < 0.4 else pieces[at]
        data = b"".join(pieces)
        yield mutate(chance, data, PIECES) if chance.random() < 0.5 else data
