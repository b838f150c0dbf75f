"""What ``make fuzz`` checks, on what it has found, on inputs that have it in them, and on some by chance."""

from __future__ import annotations

import gc
import random
from collections.abc import Callable
from functools import partial
from itertools import islice
from typing import Final

import pytest
from fuzz_captures import EXTREME_LINES, PARTS, Pieces, read, trace
from fuzz_parser import FRAMES, PIECES, read_slowly
from fuzz_targets import TARGETS, Target
from fuzz_values import TYPES, check_value
from fuzzing import check_and_show, follow_chance, shrink
from test_capture_pcap import enhanced, interface, pcap_header, pcap_record, section, send

from rct_tools.capture import FORMATS, Chunk, Damage, Direction, packets
from rct_tools.capture.compression import COMPRESSIONS, decompress
from rct_tools.errors import EncodeError
from rct_tools.values import Cell, DataType, Sample, TimeSeries, encode_value

INPUTS: Final = {  # by target
    "parser": {
        "nothing": b"",
        "the longest claims": b"+\x06\xff\xff" + b"-+\x06\xff\xff" * 40 + b"-\xa5\x04",
        "a chain of escapes": b"-" * 301 + b"\xa5\x00" + b"-" * 300 + b"\xa5\x01",
        "all frames, back to back": b"".join(b"\xa5" + bytes([number]) for number in range(len(FRAMES))),
    },
    "rctcap": {
        "a time before the first year": EXTREME_LINES[0],
        "a time behind the last year": EXTREME_LINES[1],
        "a line that took 100 times its memory": b"- < " + b"00" * 400_000 + b"\n",
        "an odd number of digits": b"- < 00\n- < 000\n- < 00\n",
    },
}
VALUES: Final = [  # what no type can hold
    (DataType.UINT8, 10**5000),
    (DataType.TIMESERIES, TimeSeries(10**5000, ())),
    (DataType.TIMESERIES, TimeSeries(0, (Sample(0, float("nan")), 5))),  # type: ignore[arg-type]
    (DataType.BATTERY_MODULE_STATUS, (Cell(0, float("inf"), 0),) * 24),
    (DataType.STRING, "\ud800"),
]
COUNTS: Final = {
    "parser": 200,
    "values": 500,
    "bulk": 15,
    "redaction": 60,
    "proxy": 100,
}  # of inputs by chance; 20 of other targets


@pytest.mark.parametrize(("target", "name"), [(target, name) for target, rows in INPUTS.items() for name in rows])
def test_input(target: str, name: str) -> None:
    TARGETS[target].check(INPUTS[target][name])


@pytest.mark.parametrize("row", range(len(VALUES)))  # pytest cannot show all of them
def test_value(row: int) -> None:
    check_value(*VALUES[row])


def test_messages_about_values_are_short() -> None:
    with pytest.raises(EncodeError, match=r"^UINT8 cannot hold b'x{198} … \(bytes\)$"):
        encode_value(DataType.UINT8, b"x" * 5000)


@pytest.mark.parametrize("target", TARGETS)
def test_inputs_by_chance(target: str) -> None:
    for data in islice(TARGETS[target].inputs(random.Random(5)), COUNTS.get(target, 20)):
        TARGETS[target].check(data)


@pytest.mark.parametrize("first", PIECES)
def test_pairs_of_pieces(first: bytes) -> None:
    for second in PIECES:
        TARGETS["parser"].check(first + second + b"\xa5\0")


def test_the_slow_reading_knows_all_frames() -> None:
    wire = b"\0".join(frame.encode() for frame in FRAMES)
    assert [frame for _, frame in read_slowly(wire)] == FRAMES


def test_every_format_and_type_is_there() -> None:
    assert PARTS.keys() == FORMATS.keys()
    assert set(TYPES) == set(DataType)


# --- memory ---------------------------------------------------------------------------------------------------------


def sent(number: int, client: int = 0) -> bytes:
    return pcap_record(send(Direction.SENT, number, b"a", client=client))


ENDLESS: Final[dict[str, tuple[str, bytes, Callable[[int], bytes]]]] = {  # how a file begins, and goes on
    "bytes": (".bin", b"", lambda _: b"\xff" * 1000),
    "lines": (".rctcap", b"", lambda _: b"- < 00\n"),
    "one line": (".rctcap", b"- < 00\n- < ", lambda _: b"0" * 1_000),
    "no lines": (".rctcap", b"- < 00\n", lambda _: b"\n"),
    "packets": (".pcap", pcap_header(), sent),
    "packets that wait": (".pcap", pcap_header(), lambda number: sent(2 * number)),
    "packets of others": (".pcap", pcap_header(link=1), lambda _: pcap_record(bytes(60))),
    "connections": (".pcap", pcap_header(), lambda number: sent(7, number)),
    "blocks": (".pcapng", section() + interface(), lambda number: enhanced(0, send(Direction.SENT, number, b"a"))),
    "interfaces": (".pcapng", section(), lambda _: interface() * 5),
    "sections": (".pcapng", b"", lambda _: section() + interface()),
    "zeros": (".pcapng", section(), lambda _: bytes(1000)),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_memory_does_not_grow_with_a_file(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packets, "_MOST_INTERFACES", 100)
    suffix, head, more = ENDLESS[name]
    short, long = (head + b"".join(map(more, range(count))) for count in (1_500, 6_000))
    # Connections that are forgotten wait for the garbage collector, which the more is there waits the longer.
    gc.collect()
    gc.freeze()
    gc.collect()
    few, many = (trace(f"x{suffix}", content) for content in (short, long))
    gc.unfreeze()
    assert many < 1.3 * few + 500_000


def test_packets_of_interfaces_that_are_too_many_are_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packets, "_MOST_INTERFACES", 1)
    packet = send(Direction.SENT, 7, b"a")
    data = section() + interface() * 2 + enhanced(0, packet, where=1) + enhanced(0, packet)
    assert read("x.pcapng", data, [1000]) == (
        [Damage(68, "a block that does not hold what it should"), Chunk(0, Direction.SENT, b"a")],
        "",
    )


@pytest.mark.parametrize("packing", COMPRESSIONS)
def test_all_that_was_compressed_before_a_cut_is_read(packing: str) -> None:
    """Decompressors may hold back more than was asked for, when nothing is left to be decompressed."""
    compression = COMPRESSIONS[packing]()
    compressor = compression.compressor()
    file = compressor.compress(bytes(3_000)) + compressor.flush(compression.sync)
    for cut in range(9):
        contents = set()
        for size in (1, 100, 1 << 20):
            source = decompress(Pieces(file[: len(file) - cut], [len(file)]), f"x.bin{packing}")
            contents.add(b"".join(iter(partial(source.read, size), b"")))
        assert len(contents) == 1


def test_a_bad_interface_has_its_number() -> None:
    packet = send(Direction.SENT, 7, b"a")
    bad = interface(options=[(9, b"")])[:-4] + b"\x18\0\0\0"  # cut within an option
    data = section() + bad + interface() + enhanced(0, packet) + enhanced(0, packet, where=1)
    damage = [Damage(at, "a block that does not hold what it should") for at in (28, 72)]
    assert read("x.pcapng", data, [1000]) == ([*damage, Chunk(0, Direction.SENT, b"a")], "")


# --- the search -----------------------------------------------------------------------------------------------------


def check_nothing_bad(data: bytes) -> None:
    assert not {b"+", b"-"} <= {data[at : at + 1] for at in range(len(data))}


def test_a_finding_is_shown_with_what_it_needs(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(AssertionError):
        check_and_show(check_nothing_bad, bytes(300) + b"-" + bytes(33) + b"++" + bytes(70))
    assert capsys.readouterr().out == "bytes.fromhex('2d2b')\n"
    assert shrink(check_nothing_bad, b"-+") == b"-+"


def test_chance_ends_in_time_or_with_a_finding(capsys: pytest.CaptureFixture[str]) -> None:
    follow_chance("nothing", Target(lambda _: None, lambda _: iter([b""] * 3)), 0)
    assert "nothing: 1 inputs in 0 s" in capsys.readouterr().out
    with pytest.raises(AssertionError):
        follow_chance("parser", Target(check_nothing_bad, TARGETS["parser"].inputs), 60)
