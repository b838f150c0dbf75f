"""Redacted captures: nothing private is left, and everything else is as it was."""

from __future__ import annotations

import gzip
import re
import struct
from collections.abc import Iterable, Sequence
from contextlib import closing
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rct_tools.capture import FORMATS, Chunk, Direction, read_capture, write_capture
from rct_tools.capture.compression import COMPRESSIONS
from rct_tools.errors import CaptureError
from rct_tools.frame import Command, Frame
from rct_tools.objects import registry
from rct_tools.parser import FrameParser
from rct_tools.privacy import SHORTEST, Originals, StandIns, find_private
from rct_tools.proof import Left, prove, search
from rct_tools.redaction import Redactor, collect
from rct_tools.runs import LONGEST_FRAME, unescape
from rct_tools.simulator.inverter import Inverter
from rct_tools.stream import MOST_STREAMS

RECEIVED, SENT = Direction.RECEIVED, Direction.SENT


def wire(name: str, payload: bytes, command: Command = Command.RESPONSE, address: int = 0) -> bytes:
    return Frame(command, registry[name].object_id, payload, address).encode()


def redact(chunks: Sequence[Chunk]) -> tuple[list[Chunk], StandIns, Redactor]:
    stand_ins = StandIns(collect(chunks))
    new: list[Chunk] = []
    redactor = Redactor(stand_ins, new.append)
    for chunk in chunks:
        redactor.feed(chunk)
    redactor.close()
    return new, stand_ins, redactor


def cut(data: bytes, size: int, direction: Direction = RECEIVED, connection: int = 0) -> list[Chunk]:
    """Return bytes as chunks whose times are their places."""
    return [Chunk(at, direction, data[at : at + size], connection) for at in range(0, len(data), size)]


def join(chunks: Iterable[Chunk]) -> bytes:
    return b"".join(chunk.data for chunk in chunks)


SOC = wire("battery.soc", b"\x3e\x97\xb1\x91")
SN = wire("inverter_sn", b"SIM7654321\0\0\0old")
NEW_SN = wire("inverter_sn", b"XXX0000001" + bytes(6))
PASSWORD = wire("wifi.password", b"geheim+4\0")
NEW_PASSWORD = wire("wifi.password", b"xxxxxx+2\0")
FIRST_PASSWORD = wire("wifi.password", b"xxxxxx+1\0")
READ_SN = wire("inverter_sn", b"", Command.READ)
HEAD = wire("android_description", b"Roof South\0")[:11]  # with "Roof"
NEW_HEAD = HEAD[:7] + b"xxxx"

STREAMS = [  # bytes, what becomes of them
    (b"", b""),
    (SOC + b"junk\0+++AT+\r" + SOC, SOC + b"junk\0+++AT+\r" + SOC),
    (b"\0" + SN + b"\0" + PASSWORD, b"\0" + NEW_SN + b"\0" + NEW_PASSWORD),
    # Asked, written and told, by whatever command.
    (SN + READ_SN + b"junk", NEW_SN + READ_SN + b"junk"),
    (
        SN + wire("inverter_sn", b"SIM7654321", Command.LONG_WRITE),
        NEW_SN + wire("inverter_sn", b"XXX0000001", Command.LONG_WRITE),
    ),
    (
        wire("net.id", b"\xa1\xb2\xc3\xd4") + wire("battery.soc", b"\0\0\0\0", Command.PLANT_RESPONSE, 0xA1B2C3D4)
        + wire("battery.soc", b"\0\0\0\0", Command.PLANT_RESPONSE, 7),
        wire("net.id", b"\0\0\0\1") + wire("battery.soc", b"\0\0\0\0", Command.PLANT_RESPONSE, 1)
        + wire("battery.soc", b"\0\0\0\0", Command.PLANT_RESPONSE, 7),
    ),
    # In payloads of others, and in what is left in memory behind a text.
    (SN + wire("logger.buffer", b"\1SIM7654321\2"), NEW_SN + wire("logger.buffer", b"\1XXX0000001\2")),
    (SN + wire("svnversion", b"2.3\0" + SN + b"321SIM7"), NEW_SN + wire("svnversion", b"2.3\0" + SN[:7] + b"x" * 10
     + b"\0\0\0" + b"x" * 5 + b"xxxxxxx")),
    (PASSWORD + wire("svnversion", b"2.3\0heim-+4"), FIRST_PASSWORD + wire("svnversion", b"2.3\0xxxx-+1")),
    # In no frame: whole, in parts, escaped.
    (SN + b"noise SIM7654321 SIM7 SIM 4321" + SOC, NEW_SN + b"noise XXX0000001 XXX0 SIM 0001" + SOC),
    # Far behind, where nothing else is private.
    (SN + SOC * 60 + b" 7654 " + SOC, NEW_SN + SOC * 60 + b" 0000 " + SOC),
    (PASSWORD + SOC * 60 + wire("logger.buffer", b"geheim+4"), FIRST_PASSWORD + SOC * 60
     + wire("logger.buffer", b"xxxxxx+1")),
    # In frames that are none.
    (SN[:-1] + b"\0" + SOC, SN[:7] + b"x" * 10 + b"\0\0\0xxx" + b"x\0" + SOC),
    (SN[:1] + b"\7" + SN[2:] + SOC, SN[:1] + b"\7" + SN[2:7] + b"x" * 10 + b"\0\0\0xxxxx" + SOC),
    # Cut, and the rest comes later.
    (HEAD + SOC + b"\0" + SOC + b" South\0\1\2\0" + SOC, NEW_HEAD + SOC + b"\0" + SOC + b"xxxxxx\0xx\0" + SOC),
    (HEAD + SOC + b"+++" + SOC + b" South\0\1\2more" + SOC, NEW_HEAD + SOC + b"+++" + SOC + b"xxxxxx\0xxmore" + SOC),
    (SOC[:-1] + SOC + b"junk" + SOC, SOC[:-1] + SOC + b"junk" + SOC),
    (READ_SN[:-2] + SOC + b"junk" + SOC, READ_SN[:-2] + SOC + b"junk" + SOC),  # nothing but its checksum is missing
]  # fmt: skip


@pytest.mark.parametrize("size", [1, 2, 5, 1000])
@pytest.mark.parametrize(("old", "expected"), STREAMS)
def test_streams(old: bytes, expected: bytes, size: int) -> None:
    new, stand_ins, redactor = redact(cut(old, size))
    assert join(new) == expected
    assert all(chunk.data for chunk in new)
    assert list(search(new, stand_ins)) == []
    assert bool(redactor.frames or redactor.elsewhere) == (new != cut(old, size))


def test_times_directions_and_connections_stay() -> None:
    old = [
        Chunk(1, RECEIVED, SN[:9]),
        Chunk(2, SENT, wire("inverter_sn", b"", Command.READ)),
        Chunk(3, RECEIVED, SN[:12], 1),
        Chunk(4, RECEIVED, SN[9:] + b"SIM7"),
        Chunk(5, RECEIVED, SN[12:], 1),
        Chunk(6, RECEIVED, b"654321"),
    ]
    new, stand_ins, _ = redact(old)
    assert new == [
        Chunk(1, RECEIVED, NEW_SN[:9]),
        old[1],
        Chunk(3, RECEIVED, NEW_SN[:12], 1),
        Chunk(4, RECEIVED, NEW_SN[9:] + b"XXX0"),
        Chunk(5, RECEIVED, NEW_SN[12:], 1),
        Chunk(6, RECEIVED, b"000001"),
    ]
    assert not list(search(new, stand_ins))


def test_a_checksum_that_needs_other_escapes_moves_no_edge_of_a_chunk() -> None:
    sizes = set()
    for number in range(300):
        old = wire("net.id", (0xA0000000 + number).to_bytes(4))
        new, _, _ = redact([*cut(old[:6], 6), *cut(old[6:-1], 100), *cut(old[-1:], 1), *cut(SOC, 100)])
        sizes.add(len(join(new)) - len(old) - len(SOC))
        assert new[0].data == old[:6]
        assert all(chunk.data for chunk in new)
        assert new[-1].data == SOC
        assert len(new) == 4 or len(old) > len(join(new)) - len(SOC)
        assert FrameParser().feed(join(new))[0] == Frame(Command.RESPONSE, registry["net.id"].object_id, b"\0\0\0\1")
    assert len(sizes) > 1


def test_memory_is_bounded_by_a_frame_that_never_ends() -> None:
    written: list[Chunk] = []
    redactor = Redactor(StandIns(Originals()), written.append)
    redactor.feed(Chunk(0, SENT, b"+\6\xff\xff1234"))
    size = 0
    while not written:
        redactor.feed(Chunk(0, RECEIVED, SOC * 100))
        size += len(SOC * 100)
        assert size < 5 * LONGEST_FRAME
    redactor.feed(Chunk(0, SENT, b"5678" + SOC))
    redactor.close()
    assert b"".join(chunk.data for chunk in written if chunk.direction is SENT) == b"+\6\xff\xff12345678" + SOC
    assert join(written) == b"+\6\xff\xff1234" + SOC * (size // len(SOC)) + b"5678" + SOC


def test_a_chunk_is_written_as_soon_as_it_is_settled() -> None:
    written: list[Chunk] = []
    redactor = Redactor(StandIns(Originals()), written.append)
    redactor.feed(Chunk(0, RECEIVED, SOC))
    assert join(written) == SOC
    redactor.feed(Chunk(0, RECEIVED, SOC[:-1]))
    assert join(written) == SOC
    redactor.feed(Chunk(0, RECEIVED, SOC[-1:]))
    assert join(written) == SOC * 2


@pytest.mark.parametrize("before", range(-2, 24, 3))
def test_originals_in_much_noise(before: int) -> None:
    # Noise is settled when there are 65536 bytes of it, which is after the eleventh chunk.
    noise = b"\xff" * (11 * 6_000 - len(SN) - before)
    old = SN + noise + b"SIM7654321" + b"\xff" * 70_000 + b"SIM7654321" + SOC
    new, stand_ins, redactor = redact(cut(old, 6_000))
    assert join(new) == old.replace(SN, NEW_SN).replace(b"SIM7654321", b"XXX0000001")
    assert not list(search(new, stand_ins))
    assert redactor.elsewhere


def test_any_number_of_connections() -> None:
    old = [chunk for number in range(MOST_STREAMS + 50) for chunk in cut(SN[:-3], 30, RECEIVED, number)]
    new, stand_ins, _ = redact([Chunk(0, RECEIVED, SN, 999), *old])
    assert len(new) == len(old) + 1
    assert not list(search(new, stand_ins))


# --- search ----------------------------------------------------------------------------------------------------------

LEFT = [  # what is in a capture, where something is left in it
    (b"noise SIM7654321", [("inverter_sn", 16)]),
    (wire("logger.buffer", b"\0SIM7654321"), [("inverter_sn", 18)]),
    (b"geheim+4", [("wifi.password", 8)]),
    (b"geheim-+4", [("wifi.password", 9)]),
    (wire("logger.buffer", b"geheim+4"), [("wifi.password", 16)]),
    (b"\xd4\xc3\xb2\xa1", [("net.id", 4)]),
    (wire("inverter_sn", b"other\0"), [("inverter_sn", 0)]),
    (wire("inverter_sn", b"XXX0000001\0old"), [("inverter_sn", 0)]),
    (wire("android_description", b"PV\0"), [("android_description", 0)]),  # an original, though too short to search
    (wire("svnversion", b"PV\0"), []),
    (SN[:9] + SOC, [("inverter_sn", 0)]),
    (SN[:7] + SOC, []),
    (SN[:7] + b"\0x" + SOC, []),
    (NEW_SN + NEW_PASSWORD + SOC + b"SIM765432", []),
]


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize(("data", "expected"), LEFT)
def test_search(data: bytes, expected: list[tuple[str, int]], size: int) -> None:
    private = SN + PASSWORD + wire("net.id", b"\xa1\xb2\xc3\xd4") + wire("android_description", b"PV\0")
    stand_ins = StandIns(collect(cut(private, 1000)))
    found = {(left.name, left.offset) for left in search(cut(data, size), stand_ins)}
    assert found == set(expected) if size == 1 else {name for name, _ in found} == {name for name, _ in expected}


def test_search_over_chunks_of_other_streams() -> None:
    stand_ins = StandIns(collect(cut(SN, 1000)))
    mixed = [Chunk(0, RECEIVED, b"SIM765"), Chunk(0, SENT, b"...", 2), Chunk(0, RECEIVED, b"4321")]
    assert set(search(mixed, stand_ins)) == {Left("inverter_sn", 0, RECEIVED, 10)}
    many = [Chunk(0, RECEIVED, b"SIM765", 7), *(Chunk(0, RECEIVED, b".", 100 + number) for number in range(300))]
    assert list(search([*many, Chunk(0, RECEIVED, b"SIM7654321", 7)], stand_ins)) != []


def test_without_originals_only_the_form_tells() -> None:
    none = StandIns(Originals())
    assert {left.name for left in search(cut(SN + PASSWORD, 7), none)} == {"inverter_sn", "wifi.password"}
    assert list(search(cut(NEW_SN + NEW_PASSWORD + b"SIM7654321", 7), none)) == []


# --- proof -----------------------------------------------------------------------------------------------------------

SUFFIXES = [suffix + compression for suffix in FORMATS for compression in ("", *COMPRESSIONS)]


def as_file(name: str, chunks: Iterable[Chunk]) -> bytes:
    file: Any = BytesIO()
    with write_capture(file, name) as append:
        for chunk in chunks:
            append(chunk)
    content: bytes = file.getvalue()
    return content


def check(name: str, content: bytes, stand_ins: StandIns) -> None:
    """Prove a file as it is read, without what could not be read in it."""
    file, again = (BytesIO(content) for _ in range(2))
    capture: Any = read_capture(file, name, 8899)  # type: ignore[arg-type]  # it reads as a file without buffer does
    with closing(capture) as items:
        prove(name, again, (item for item in items if isinstance(item, Chunk)), stand_ins)  # type: ignore[arg-type]


FILES: dict[str, list[Chunk]] = {  # that we wrote ourselves
    "nothing": [],
    "a frame": cut(NEW_SN, 1000),
    "small chunks": cut(NEW_SN + SOC * 30, 7),
    "large chunks": cut(b"\xff" * 700_000, 300_000),
    "both directions": [Chunk(1, RECEIVED, SOC), Chunk(2, SENT, READ_SN), Chunk(2, RECEIVED, NEW_SN)],
    "connections": [Chunk(at, RECEIVED, SOC, at * 7 % 300 // 2) for at in range(900)],
    "many connections": [Chunk(at, RECEIVED, SOC, at) for at in range(400)],
}


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("chunks", FILES.values(), ids=FILES)
def test_what_we_write_holds_nothing_else(chunks: list[Chunk], suffix: str) -> None:
    if suffix.startswith(".bin"):
        chunks = [Chunk(0, RECEIVED, chunk.data) for chunk in chunks]
    check(f"x{suffix}", as_file(f"x{suffix}", chunks), StandIns(Originals()))


def block(kind: int, body: bytes) -> bytes:
    length = struct.pack("<I", 12 + len(body))
    return struct.pack("<I", kind) + length + body + length


ONE = [Chunk(1_750_000_000_000_000_000, RECEIVED, NEW_SN)]
TEXT, PCAP, PCAPNG, GZIP = (as_file(name, ONE) for name in ("x.rctcap", "x.pcap", "x.pcapng", "x.rctcap.gz"))
PACKET = PCAP[24:]
OTHER_PORT = PACKET[:36] + b"\x22\xc4" + PACKET[38:56] + b"Smith" + PACKET[61:]
COMMENT = b"# inverter ABC1234567, roof of J. Smith\n"
NAMED = b"\x1f\x8b\x08\x08" + GZIP[4:10] + b"smith.rctcap\0" + GZIP[10:]

STRAYS = {  # name and content of a file, and where there is something beside its chunks
    "a comment at the end": ("x.rctcap", TEXT + COMMENT, f"from byte {len(TEXT)} on it"),
    "a comment at the beginning": ("x.rctcap", COMMENT + TEXT, "from byte 0 on it"),
    "a comment in between": ("x.rctcap", TEXT + COMMENT + TEXT, f"from byte {len(TEXT)} on it"),
    "spaces": ("x.rctcap", TEXT + b"   \n", f"from byte {len(TEXT)} on it"),
    "a time zone": ("x.rctcap", TEXT.replace(b"+00:00", b"Z"), "from byte 0"),
    "a comment, compressed": ("x.rctcap.gz", gzip.compress(TEXT + COMMENT, mtime=0), f"from byte {len(TEXT)} on it"),
    "an option": ("x.pcapng", PCAPNG + block(5, struct.pack("<IIIHH", 0, 0, 0, 1, 5) + b"Smith\0\0\0\0\0\0\0"),
                  f"from byte {len(PCAPNG)} on it"),
    "a second section": ("x.pcapng", PCAPNG * 2, f"from byte {len(PCAPNG)} on it"),
    "packets of another port": ("x.pcap", PCAP + OTHER_PORT, f"from byte {len(PCAP)} on it"),
    "an address": ("x.pcap", PCAP.replace(b"\xc0\0\2\1", b"\xc0\xa8\2\1"), "from byte 24 on it"),
    "a packet without data": ("x.pcap", PCAP[:24] + PCAP[24:32] + struct.pack("<II", 40, 40) + PACKET[16:18] + b"\0\x28"
                              + PACKET[20:56] + PCAP[24:], "from byte 24 on it"),
    "a name in gzip": ("x.rctcap.gz", NAMED, "its compressed data"),
    "a time in gzip": ("x.rctcap.gz", gzip.compress(TEXT, mtime=1), "its compressed data"),
    "a second part": ("x.rctcap.gz", GZIP + gzip.compress(b"", mtime=0), "its compressed data"),
    "a second part with a name": ("x.rctcap.gz", GZIP + NAMED, "its compressed data"),
    "much behind the end": ("x.rctcap.gz", GZIP + bytes(100_000), "its compressed data"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "content", "where"), STRAYS.values(), ids=STRAYS)
def test_what_is_beside_the_chunks_fails(name: str, content: bytes, where: str) -> None:
    with pytest.raises(CaptureError, match=r"which nobody can check; rct redact writes a file without that$") as caught:
        check(name, content, StandIns(Originals()))
    assert str(caught.value).startswith(f"{name}: {where}")


@pytest.mark.parametrize("suffix", [".bin", ".rctcap.gz"])
def test_something_private_fails(suffix: str) -> None:
    with pytest.raises(CaptureError, match="something private of inverter_sn is left, near byte 0 of what was rec"):
        check(f"x{suffix}", as_file(f"x{suffix}", cut(SN, 1000)), StandIns(Originals()))
    with pytest.raises(CaptureError, match="of what was sent on connection 0; do not share this file"):
        check("x.pcap", as_file("x.pcap", cut(SN, 1000, SENT)), StandIns(Originals()))


def test_a_part_of_zstandard_that_is_skipped_fails() -> None:
    content = as_file("x.bin.zst", ONE)
    hidden = b"\x50\x2a\x4d\x18" + struct.pack("<I", 5) + b"Smith"
    for whole in (hidden + content, content + hidden):
        with pytest.raises(CaptureError, match="its compressed data holds more"):
            check("x.bin.zst", whole, StandIns(Originals()))


def test_a_file_that_was_cut_holds_nothing_else() -> None:
    content = as_file("x.rctcap.gz", cut(NEW_SN * 50, 50))
    check("x.rctcap.gz", content[:-4], StandIns(Originals()))
    check("x.pcap", b"", StandIns(Originals()))


# --- everything at once ----------------------------------------------------------------------------------------------

biased = st.lists(st.sampled_from(b"\x2b\x2d\x00\x05\x06\x45\xff"), max_size=12).map(bytes)
texts = st.text("abcSIM123+-. ä", min_size=1, max_size=12).map(str.encode)
numbers = st.binary(min_size=4, max_size=4)


@st.composite
def captures(draw: st.DrawFn) -> list[Chunk]:
    """Captures of three streams with originals planted anywhere."""
    secrets = draw(st.lists(texts, min_size=1, max_size=4))
    secret = st.sampled_from(secrets)
    planted = st.one_of(
        secret,
        secret.map(lambda text: text.replace(b"-", b"--").replace(b"+", b"-+")),
        secret.map(lambda text: text[1:]),
    )
    garbage = st.lists(st.one_of(biased, planted), max_size=3).map(b"".join)
    own = st.builds(
        wire,
        st.sampled_from(["inverter_sn", "wifi.password", "wifi.sockb_ip", "android_description"]),
        st.builds(
            lambda text, rest: text + rest, secret, st.one_of(st.just(b""), garbage.map(lambda rest: b"\0" + rest))
        ),
        st.sampled_from([Command.RESPONSE, Command.WRITE, Command.LONG_RESPONSE, Command.PLANT_RESPONSE]),
    )
    frames = st.one_of(
        own,
        st.builds(wire, st.just("net.id"), numbers),
        st.builds(
            wire, st.just("net.slave_data"), st.builds(lambda a, b, c: a + b + b"\0" + c, numbers, secret, garbage)
        ),
        st.builds(wire, st.just("battery.soc"), numbers),
        st.builds(wire, st.just("svnversion"), st.builds(lambda a, b: b"2.3\0" + a + b, garbage, own)),
        st.builds(wire, st.just("logger.buffer"), garbage),
    )
    broken = st.builds(lambda frame, at: frame[: at % len(frame)], frames, st.integers(0, 100))
    pieces = st.lists(st.one_of(frames, frames, broken, biased, planted), max_size=12).map(b"".join)
    streams = [(draw(pieces), way, number) for way, number in ((RECEIVED, 0), (SENT, 0), (RECEIVED, 1))]
    chunks = [chunk for data, way, number in streams for chunk in cut(data, draw(st.integers(1, 40)), way, number)]
    return sorted(chunks, key=lambda chunk: chunk.time)


def pieces(stream: bytes) -> list[bytes | Frame]:
    """Return the frames of a stream and what is between them."""
    parser = FrameParser()
    found: list[bytes | Frame] = []
    at = 0
    for event in [*parser.feed(stream), *parser.close()]:
        if isinstance(event, Frame):
            found += [stream[at : event.offset], event]
            at = event.offset + len(event.encode())
    return [*found, stream[at:]]


def end_of(frames: list[bytes | Frame]) -> bytes:
    return b"".join(frame.encode()[1 - SHORTEST :] for frame in frames if isinstance(frame, Frame))


def start_of(frames: list[bytes | Frame]) -> bytes:
    return b"".join(frame.encode()[: 2 * SHORTEST] for frame in frames if isinstance(frame, Frame))


def unescaped(data: bytes) -> bytes:
    return re.sub(rb"-([+-])", rb"\1", data)


@settings(deadline=None)  # captures are large at times
@given(captures())
def test_nothing_private_is_left_and_everything_else_is_the_same(old: list[Chunk]) -> None:
    new, stand_ins, redactor = redact(old)
    assert list(search(new, stand_ins)) == []
    assert [(chunk.time, chunk.direction, chunk.connection) for chunk in new] == [
        (chunk.time, chunk.direction, chunk.connection) for chunk in old
    ] or len(new) < len(old)
    parts = {original[at : at + SHORTEST] for original in stand_ins.everywhere for at in range(len(original) - 3)}
    changed = 0
    for key in {(chunk.direction, chunk.connection) for chunk in old}:
        before, after = (
            join(chunk for chunk in chunks if (chunk.direction, chunk.connection) == key) for chunks in (old, new)
        )
        for view in (after, unescaped(after)):
            assert not [original for original in stand_ins.everywhere if original in view]
        late = False
        olds, news = pieces(before), pieces(after)
        for place, (was, now) in enumerate(zip(olds, news, strict=True)):
            changed += was != now
            if isinstance(was, Frame):
                assert isinstance(now, Frame)
                assert (was.command, was.object_id, len(was.payload)) == (now.command, now.object_id, len(now.payload))
                views = was.encode(), unescaped(was.encode()), unescaped(was.payload)
                if not registry[was.object_id].private and not any(part in view for part in parts for view in views):
                    assert was.payload == now.payload or find_private(was.payload)
            else:
                assert isinstance(now, bytes)
                assert len(was) == len(now)
                late = late or find_private(was) is not None
                around = end_of(news[place - 1 : place]) + was + start_of(olds[place + 1 : place + 2])
                if not late and not any(part in view for part in parts for view in (around, unescaped(around))):
                    assert was == now
    assert bool(changed) == bool(redactor.frames or redactor.elsewhere)


# --- a whole inverter ------------------------------------------------------------------------------------------------


def test_all_that_an_inverter_says() -> None:
    inverter = Inverter.with_past(0, 1_750_000_000)
    asked = [Frame(Command.READ, info.object_id) for info in registry]
    asked += [Frame(Command.PLANT_READ, info.object_id, address=inverter.address) for info in registry]
    answers = [answer for request in asked if (answer := inverter.answer(request))]
    assert len(answers) == 2 * len(registry)
    old = [
        Chunk(number, way, b"\0" * (way is RECEIVED) + frame.encode())
        for number, pair in enumerate(zip(asked, answers, strict=True))
        for way, frame in zip((SENT, RECEIVED), pair, strict=True)
    ]
    new, stand_ins, redactor = redact(old)
    assert list(search(new, stand_ins)) == []
    before, after = ([piece for piece in pieces(join(chunks)) if isinstance(piece, Frame)] for chunks in (old, new))
    assert len(before) == len(after) == len(old)
    address = next(frame.address for frame in after if frame.address)
    assert address != inverter.address
    changed = set()
    for was, now in zip(before, after, strict=True):
        if was.payload != now.payload:
            changed.add(registry[was.object_id].name)
            assert registry[was.object_id].private
            assert len(was.payload) == len(now.payload)
        assert now == Frame(was.command, was.object_id, now.payload, address if was.address else 0)
    told = {registry[frame.object_id].name for frame in before if registry[frame.object_id].private and frame.payload}
    empty = {name for name in told if not any(inverter.payload(registry[name]))}
    assert changed == told - empty > {"inverter_sn", "battery.bms_sn", "wifi.gateway", "net.id", "net.slave_data"}
    assert redactor.elsewhere == 0
    assert changed == redactor.frames.keys() & changed


@given(biased | st.binary())
def test_escapes_are_taken_from_any_bytes_as_the_search_needs_it(data: bytes) -> None:
    assert unescape(data) == unescaped(data)
