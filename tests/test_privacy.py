"""What is private in payloads, and what stands for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rct_tools.errors import CaptureError
from rct_tools.frame import Command, Frame
from rct_tools.objects import ObjectInfo, registry
from rct_tools.privacy import (
    MOST_BYTES,
    MOST_ORIGINALS,
    Kind,
    Originals,
    StandIns,
    blank,
    find_private,
    is_stand_in,
    private_parts,
    stand_in,
)

SN, NAME, ID, SLAVE = (registry[name] for name in ("inverter_sn", "android_description", "net.id", "net.slave_data"))
SOC, VERSION = registry["battery.soc"], registry["svnversion"]
T, N, R = Kind.TEXT, Kind.NUMBER, Kind.REST

SLAVE_108 = b"".join(
    [
        b"\xd4\xc3\xb2\xa1",  # id, little endian
        b"Roof South\0left over\0\0\0\0",  # name
        b"AAAABBBBCCCCDDDDEEEE",  # numbers, though they look like a text
        b"2.3.5687".ljust(16, b"\0"),
        b"SN1\0".ljust(16, b"\7"),
        b"FFFFGGGG",
        b"reserved".ljust(20, b"\0"),
    ]
)

PARTS = [  # object, payload, what is to be hidden in it
    (SN, b"", []),
    (SN, b"SIM1", [(b"SIM1", T)]),
    (SN, b"SIM1\0\0", [(b"SIM1", T)]),
    (SN, b"SIM1\0old", [(b"SIM1", T), (b"\0old", R)]),
    (SN, b"\0old", [(b"\0old", R)]),
    (registry["wifi.sockb_ip"], b"0.0.0.0\0", []),  # tells nothing
    (registry["wifi.password"], b"---+\0", []),
    (NAME, b"\xc3\xa4\0", [(b"\xc3\xa4", T)]),
    (ID, b"", []),
    (ID, b"\0\0\0\0", []),
    (ID, b"\0\0\x12\x67", [(b"\0\0\x12\x67", N)]),
    (ID, b"\0\0\x12", [(b"\0\0\x12", R)]),  # a stub
    (ID, b"\1\2\3\4\5", [(b"\1\2\3\4", N), (b"\5", R)]),
    (registry["flash_mem"], b"\0abc", [(b"\0abc", R)]),
    (SLAVE, b"", []),
    (SLAVE, b"\1\2", [(b"\1\2", R)]),
    (SLAVE, b"\0\0\x12\x67", [(b"\0\0\x12\x67", N)]),
    (SLAVE, bytes(8) + b"Roof South\0\1abc\xffSERIAL7", [(b"Roof South", T), (b"SERIAL7", T)]),
    (SLAVE, bytes(8) + "Süden\0".encode() + b"2.3.5687\0" + b"10.0.2.3.4", [("Süden".encode(), T), (b"10.0.2.3.4", T)]),
    (SLAVE, b"\1Roof", [(b"\1Roo", N), (b"f", T)]),
    (SLAVE, b"Roof", [(b"Roof", N)]),
    (
        SLAVE,
        SLAVE_108,
        [
            (b"\xd4\xc3\xb2\xa1", N), (b"Roof South", T), (b"\0left over\0\0\0\0", R), (b"SN1", T),
            (b"\0" + b"\7" * 12, R), (b"reserved", T),
        ],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("info", "payload", "expected"), PARTS)
def test_private_parts(info: ObjectInfo, payload: bytes, expected: list[tuple[bytes, Kind]]) -> None:
    parts = private_parts(info, payload)
    assert [(payload[start:end], kind) for start, end, kind in parts] == expected


SHAPES = [  # text, number, its stand-in
    (b"SIM0000001", 1, b"XXX0000001"),
    (b"SIM0000001", 12345678, b"XXY2345678"),
    (b"192.168.178.23", 12, b"000.000.000.12"),
    (b"Roof South", 3, b"Xxxx Xxxxa"),
    (b"Roof South", 26, b"Xxxx Xxxyx"),
    ("Süd-Dach".encode(), 2, b"Xxxx-Xxxz"),
    (b"a+b-c_", 1, b"x+x-y_"),
    (b"7", 13, b"3"),  # too short for its number
    (b"...", 5, b"..."),
]


@pytest.mark.parametrize(("text", "number", "expected"), SHAPES)
def test_stand_in(text: bytes, number: int, expected: bytes) -> None:
    assert stand_in(text, number) == expected
    assert is_stand_in(T, expected) == (number < 10_000)


@given(st.binary(max_size=30), st.integers(0, 2_000))
def test_every_stand_in_is_known_as_one(text: bytes, number: int) -> None:
    new = stand_in(text, number)
    assert len(new) == len(text)
    assert is_stand_in(T, new)
    assert [byte for byte in new if byte in b"+-"] == [byte for byte in text if byte in b"+-"]


NO_STAND_INS = [
    (T, b"SIM0000001"),
    (T, b"192.0.2.7"),
    (T, b"Roof"),
    (T, b"x\xc3\xa4"),
    (T, b"\1"),
    (N, b"\1\2\3\4"),
    (R, b"\0\1"),
]


@pytest.mark.parametrize(("kind", "data"), NO_STAND_INS)
def test_no_stand_in(kind: Kind, data: bytes) -> None:
    assert not is_stand_in(kind, data)


@pytest.mark.parametrize(
    ("kind", "data"), [(N, b"\0\0\x27\x0f"), (N, b"\x0f\x27\0\0"), (R, b""), (R, b"\0\0"), (T, b"")]
)
def test_numbers_and_zeros_are_stand_ins(kind: Kind, data: bytes) -> None:
    assert is_stand_in(kind, data)


def stand_ins(*values: tuple[ObjectInfo, bytes]) -> StandIns:
    originals = Originals()
    for info, payload in values:
        originals.add(info, payload)
    return StandIns(originals)


def redacted(stand_ins: StandIns, info: ObjectInfo, payload: bytes) -> bytes:
    frame, wire = stand_ins.redact(Frame(Command.LONG_RESPONSE, info.object_id, payload))
    assert wire == frame.encode()
    return frame.payload


def test_the_same_original_gets_the_same_stand_in() -> None:
    both = stand_ins((SN, b"SIM7654321\0"), (NAME, b"Roof\0"), (SN, b"SIM7654321\0\0\0"), (NAME, b"SIM7654321\0"))
    assert both.names == {(T, b"SIM7654321"): "inverter_sn", (T, b"Roof"): "android_description"}
    assert redacted(both, SN, b"SIM7654321\0old") == b"XXX0000001\0\0\0\0"
    assert redacted(both, NAME, b"SIM7654321\0") == b"XXX0000001\0"
    assert redacted(both, NAME, b"Roof\0") == b"Xxxz\0"
    assert redacted(both, NAME, b"\0Roof") == bytes(5)
    assert redacted(both, NAME, b"never seen") == bytes(10)
    assert redacted(both, registry["flash_mem"], b"Roof") == bytes(4)


def test_a_cut_text_gets_the_beginning_of_its_stand_in() -> None:
    one = stand_ins(
        (SN, b"SIM76"), (SN, b"SIM7654321"), (SN, b"S"), (NAME, b"SIM7\0"), (NAME, b"Roof"), (NAME, b"Roof\0")
    )
    # "SIM7" with its NUL is a value of its own, and so is "Roof".
    assert [data for _, data in one.names] == [b"SIM7654321", b"SIM7", b"Roof"]
    assert redacted(one, SN, b"SIM76") == redacted(one, SN, b"SIM7654321")[:5] == b"XXX00"
    assert redacted(one, SN, b"S") == b"X"


def test_a_stand_in_holds_no_original_and_no_part_of_one() -> None:
    one = stand_ins((SN, b"SIM0000001\0"), (NAME, b"SIM0000002\0"))
    assert redacted(one, SN, b"SIM0000001") == b"XXX0000003"
    assert redacted(one, NAME, b"SIM0000002") == b"XXX0000004"
    # Of originals that look like stand-ins, parts are everywhere.
    again = stand_ins((SN, b"XXX0000001\0"), (NAME, b"XXX0000002\0"))
    assert redacted(again, SN, b"XXX0000001") == b"XXX0000003"
    # There are ten texts of one digit. The rest becomes empty.
    digits = stand_ins(*((SN, b"%d\0" % number) for number in range(1, 10)))
    assert [redacted(digits, SN, b"%d" % number) for number in range(1, 10)] == [b"0", *[b"\0"] * 8]


def test_numbers_in_both_byte_orders() -> None:
    one = stand_ins((ID, b"\xa1\xb2\xc3\xd4"), (SLAVE, b"\xd4\xc3\xb2\xa1" + bytes(4)), (ID, b"\0\0\x12\x67"))
    assert redacted(one, ID, b"\xa1\xb2\xc3\xd4") == b"\0\0\0\1"
    assert redacted(one, SLAVE, b"\xd4\xc3\xb2\xa1" + bytes(4)) == b"\1" + bytes(7)
    assert one.replace(b"..\xd4\xc3\xb2\xa1..\xa1\xb2\xc3\xd4") == b"..\1\0\0\0..\0\0\0\1"
    assert redacted(one, ID, b"\0\0\x12\x67") == b"\0\0\0\3"
    assert one.replace(b"\0\0\x12\x67") == b"\0\0\x12\x67"  # elsewhere it may stand by chance
    for old, new in ((0xA1B2C3D4, 1), (0x1267, 3), (42, 42), (0, 0)):
        frame = Frame(Command.PLANT_RESPONSE, SOC.object_id, b"\0\0\0\0", old)
        assert one.redact(frame)[0].address == new
    many = stand_ins(*((ID, bytes([200, number, 200, 200])) for number in range(1, 60)))
    numbered = [redacted(many, ID, bytes([200, number, 200, 200])) for number in range(1, 60)]
    assert len(set(numbered)) == 59
    assert not {byte for data in numbered for byte in data} & {*b"+-"}  # which would need escapes


SECRET = b"geheim+42-\xff"
READ_PASSWORD = registry["wifi.password"].object_id.to_bytes(4)
REPLACED = [  # bytes, what becomes of them in a payload, and where they are nobody's payload
    (b"", b"", b""),
    (b"nothing here", b"nothing here", b"nothing here"),
    (b"a-b-+c", b"a-b-+c", b"a-b-+c"),
    (b"<geheim+42-\xff>", b"<xxxxxx+00-y>", b"<xxxxxx+00-y>"),
    (b"<geheim-+42--\xff>", b"<xxxxxx-+00--y>", b"<xxxxxx-+00--y>"),  # escaped
    (b"geheim+42-\xffgeheim+42-\xff", b"xxxxxx+00-yxxxxxx+00-y", b"xxxxxx+00-yxxxxxx+00-y"),
    (b"geheim", b"geheim", b"xxxxxx"),
    (b"heim-+42", b"heim-+42", b"xxxx-+00"),
    (b"geh im+4", b"geh im+4", b"geh xx+0"),
    (b"geh", b"geh", b"geh"),
    (b"\0" + READ_PASSWORD + b"new\0-+\1-\2+abc", b"\0" + READ_PASSWORD + b"new\0-+\1-\2+abc",
     b"\0" + READ_PASSWORD + b"xxx\0-+x-x+abc"),
    (READ_PASSWORD[:2], READ_PASSWORD[:2], READ_PASSWORD[:2]),
]  # fmt: skip


@pytest.mark.parametrize(("data", "in_payload", "elsewhere"), REPLACED)
def test_replace(data: bytes, in_payload: bytes, elsewhere: bytes) -> None:
    one = stand_ins((registry["wifi.password"], SECRET + b"\0"))
    assert one.replace(data) == in_payload
    assert one.replace(data, parts=True) == elsewhere


def test_an_escaped_number_leaves_no_escape_behind() -> None:
    one = stand_ins((ID, b"\xa1+\xc3-"))
    assert one.replace(b"<\xa1-+\xc3-->", parts=True) == b"<\0\0\0\0\1\1>"


def test_a_stand_in_and_what_is_beside_it_are_no_original() -> None:
    one = stand_ins((NAME, b"abcd\0"), (SN, b"xyef\0"))  # abcd becomes xxxy
    assert one.replace(b"abcdef") == b"xx\0\0\0\0"


def test_no_original_comes_about_by_chance() -> None:
    buffer = registry["logger.buffer"]
    # Of the end of an object id, 4d, and a payload.
    one = stand_ins((NAME, b"Markus\0"))
    assert redacted(one, buffer, b"arkus!") == b"\0\0\0\0\0!"
    # Of a payload and its checksum.
    payloads = (b"%d SIM765432" % number for number in range(100_000))
    payload = next(
        data for data in payloads if Frame(Command.LONG_RESPONSE, buffer.object_id, data).encode()[-2:-1] == b"1"
    )
    one = stand_ins((SN, b"SIM7654321\0"))
    assert redacted(one, buffer, payload) == payload.replace(b"SIM765432", bytes(9))
    # Of a payload and its escapes.
    one = stand_ins((NAME, b"a-+b\0"))
    assert redacted(one, buffer, b"<a+b>") == b"<\0\0\0>"
    # Of nothing that can be changed.
    one = stand_ins((ID, buffer.object_id.to_bytes(4)))
    assert redacted(one, buffer, b"abc") == b"abc"


def test_left_over_memory_of_a_public_text() -> None:
    one = stand_ins((NAME, b"abcdefgh\0"))
    assert redacted(one, VERSION, b"2.3.5687\0\0") == b"2.3.5687\0\0"
    assert redacted(one, VERSION, b"abcde.5687") == b"abcde.5687"  # parts may be chance in a text
    assert redacted(one, VERSION, b"abcdefgh") == b"xxxxxxxy"
    assert redacted(one, VERSION, b"2.3\0abcde") == b"2.3\0xxxxx"
    assert redacted(one, SOC, b"abcd") == b"abcd"


def test_find_private() -> None:
    assert find_private(b"\5\5" + READ_PASSWORD + b"abc+") == ("wifi.password", b"abc")
    assert find_private(b"\5\5" + READ_PASSWORD[:3]) is None
    assert find_private(b"\x7d\xde\x35-+abc-+") == ("wifi.sockb_ip", b"abc-+")  # its id has an escape
    assert blank(b"a\0b-+\xff") == b"x\0x-+x"


def test_more_than_an_inverter_has() -> None:
    originals = Originals()
    for number in range(1, MOST_ORIGINALS + 1):
        originals.add(SN, b"%07d\0" % number)
        originals.add(SN, b"%07d\0" % number)
    with pytest.raises(CaptureError, match="private values, more than any inverter has"):
        originals.add(SN, b"one more\0")
    with pytest.raises(CaptureError, match="private values, more than any inverter has"):
        stand_ins((NAME, b"x" * (MOST_BYTES + 1)))


def test_nothing_private() -> None:
    none = stand_ins()
    assert not none.names
    assert not none.everywhere
    assert none.replace(b"anything-+", parts=True) == b"anything-+"
