"""The dissector, in a real tshark, tells what the parser tells: each frame, each value, each bad frame, all noise."""

from __future__ import annotations

import asyncio
import math
import os
import random
import struct
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from io import FileIO
from itertools import cycle, islice
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import pytest
from fuzz_parser import build, inputs

from rct_tools.capture import Chunk, Direction, write_capture
from rct_tools.frame import EXTENSION, BadFrame, Command, Frame
from rct_tools.objects import ObjectInfo, registry
from rct_tools.parser import FrameParser, ParserEvent
from rct_tools.reading import BadReading, Reading, read_frame
from rct_tools.simulator import Simulator
from rct_tools.values import Cell, CellStatistics, DataType, EventTable, TimeSeries, Value
from rct_tools.wireshark import DISSECTOR, FIRST_LINE, dissector

from programs import run
from servers import require

SOC = registry["battery.soc"]
MINUTES = registry["logger.minutes_soc_log_ts"]
GOOD = Frame(Command.RESPONSE, SOC.object_id, SOC.encode(0.5)).encode()
END = b"\0" + Frame(Command.READ, SOC.object_id).encode()
"""Put behind a stream, so that all before it is known to be over."""

BAD = [  # bytes, what is told of them besides noise
    ("2b 05 08 95 99 30 bf 3e 97 b1 91 9c 87", ["crc"]),
    ("2b 05 08 95", ["truncated"]),
    ("2b 04 08 95 99 30 bf", ["command"]),
    ("2b 05 03 95 99 30 bf", ["length"]),
    ("2b 46 00 07 95 99 30 bf", ["length"]),
    ("2b 05 2d 08 95 99 30 bf", ["escape"]),
    ("2b 2d", ["escape"]),
    ("2b 2d 2b", ["command"]),
    ("2b 2b", ["truncated", "command"]),
    ("2b 05 ff 95 99 30 bf 3e 97 b1 91 9c 86 00", ["truncated"]),  # a length far too large
    ("2b 06 ff ff 95 2d 2b 01 04 95 99 30 bf 0d 65", ["truncated", "READ"]),  # a frame behind a stray escape
    ("2b 05 06 95 99 2d 2b 01 04 95 99 30 bf 0d 65 00", ["crc", "READ"]),
    ("2b 05 09 95 99 30 bf 2d 2b 01 04 95 99 00 00 00 00", ["crc"]),  # a start that looked escaped, and is none
]
TOKENS = [  # bytes, kinds of noise
    (b"\0", ["00"]),
    (b"\0\0", ["00"]),
    (b"+++", ["+++"]),
    (b"++++++", ["+++", "+++"]),
    (b"+++\0", ["+++", "00"]),
    (EXTENSION, ["extension"]),
    (b"AT+\r", ["AT+"]),
    (b"xAT+\r\0", ["other", "AT+", "00"]),
    (b"AAT", ["other"]),
    (b"hello\0", ["other"]),
]
VALUES = [  # object, payload of a response, rct.* fields of the value
    ("battery.soc", "3ea04189", [("value", "0.312999993562698")]),
    ("battery.soc", "7fc00000", [("value", "nan")]),
    ("battery.soc", "ff800000", [("value", "-inf")]),
    ("prim_sm.state", "00", [("value", "0"), ("label", "Standby")]),
    ("prim_sm.state", "ee", [("value", "238")]),
    ("fault[3].flt", "00001010", [("value", "4112"), ("label", "battery overvoltage"), ("label", "timing fault")]),
    ("power_mng.use_grid_power_enable", "07", [("value", "1")]),
    ("inverter_sn", "4142004344", [("text", "AB")]),
    ("inverter_sn", "c3a4 3c 26", [("text", "ä<&")]),
    ("inverter_sn", "e4 20 c3a4", [("text", "ä Ã¤")]),  # Latin-1, since it is no UTF-8
    ("inverter_sn", "f09f98808080", [("text", "ð\x9f\x98\x80\x80\x80")]),
    ("inverter_sn", "eda080", [("text", "í\xa0\x80")]),
    ("inverter_sn", "c3a4 00 e4", [("text", "ä")]),
    ("inverter_sn", "00", [("text", "")]),
    ("inverter_sn", "", [("text", "")]),
    ("net.package", "", []),
]
SIZES = {  # of payloads, in bytes
    **dict.fromkeys([DataType.BOOL, DataType.UINT8, DataType.INT8, DataType.ENUM], (1,)),
    **dict.fromkeys([DataType.UINT16, DataType.INT16], (2,)),
    **dict.fromkeys([DataType.UINT32, DataType.INT32, DataType.FLOAT], (4,)),
    DataType.STRING: (12,),
    DataType.UNKNOWN: (0, 7, 300),
    DataType.TIMESERIES: (4, 4 + 3 * 8),
    DataType.EVENT_TABLE: (4, 4 + 2 * 20),
    DataType.BATTERY_MODULE_STATUS: (96,),
    DataType.BATTERY_MODULE_STATISTICS: (48,),
    DataType.BATTERY_MODULE_RESISTANCE: (96,),
}


class Part(NamedTuple):
    """One item below the protocol: bytes as they came, and the shown fields."""

    kind: str  # "frame", "bad", "noise"
    wire: bytes
    what: str
    fields: list[tuple[str, str]]


class Asked(NamedTuple):
    """What is written to get a page of history."""

    time: int


Stream = tuple[int, Direction]


# --- what tshark says -------------------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Be a user who has no settings of Wireshark, nor plugins."""
    return tmp_path / "home"


def tshark(home: Path, capture: Path, *options: str, script: bool = True) -> str:
    """Return what tshark prints of a capture."""
    load = [f"-Xlua_script:{DISSECTOR}"] if script else []
    done = subprocess.run(
        [require("tshark"), "-n", "-r", str(capture), *load, *options],
        env={**os.environ, "HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config"), "LC_ALL": "C.UTF-8"},
        capture_output=True, check=True, encoding="utf-8",
    )  # fmt: skip
    assert "Lua" not in done.stderr, done.stderr
    return done.stdout


def dissect(home: Path, capture: Path, *options: str) -> dict[Stream, list[Part]]:
    """Return what tshark makes of each stream."""
    parts: dict[Stream, list[Part]] = defaultdict(list)
    for packet in ElementTree.fromstring(tshark(home, capture, "-Yrct", "-Tpdml", "-Jtcp rct", *options)):
        shown = {field.get("name"): field.get("show", "") for field in packet.iter("field")}
        direction = Direction.RECEIVED if shown["tcp.srcport"] == "8899" else Direction.SENT
        for proto in packet.iterfind("proto[@name='rct']"):
            parts[int(shown["tcp.stream"]), direction] += map(read_part, proto)
    return parts


def read_part(item: ElementTree.Element) -> Part:
    fields = [(field.get("name", ""), field.get("show", "")) for field in item.iter("field")]
    told = [(name.removeprefix("rct."), show) for name, show in fields[1:] if name.startswith("rct.")]
    wire = bytes.fromhex(item.get("value", ""))
    return Part(fields[0][0].removeprefix("rct."), wire, fields[0][1], told)


# --- what the parser says ---------------------------------------------------------------------------------------------


def compare(parts: list[Part], data: bytes) -> None:
    """Assert that the parts are all of the data, and that they say what the parser says."""
    parser = FrameParser()
    events = parser.feed(data) + parser.close()
    assert b"".join(part.wire for part in parts) == data
    assert [told for part in parts if (told := summary(part))] == [expected(event) for event in events]
    noise = b"".join(part.wire for part in parts if part.what in ("00", "other"))
    assert all(not part.wire.strip(b"\0") for part in parts if part.what == "00")
    assert (noise.count(0), len(noise) - noise.count(0)) == (parser.noise["00"], parser.noise["other"])
    for kind in ("+++", "AT+", "extension"):
        assert sum(part.what == kind for part in parts) == parser.noise[kind]


def summary(part: Part) -> object:
    match part.kind:
        case "frame":
            return [field for field in part.fields if field[0] != "stub"], any(
                name == "stub" for name, _ in part.fields
            )
        case "bad":
            return part.what, part.wire
        case _:
            return None


def expected(event: ParserEvent) -> object:
    if isinstance(event, BadFrame):
        return event.reason.value, event.data
    value, is_stub = content(event)
    return [*frame_fields(event, value)], is_stub


def content(frame: Frame) -> tuple[Value | Asked | None, bool]:
    """Return the value in a frame, and whether its payload does not fit the type. What is written is a value too."""
    info = registry.describe(frame.object_id)
    if frame.command in (Command.WRITE, Command.LONG_WRITE, Command.PLANT_WRITE, Command.PLANT_LONG_WRITE):
        if info.is_query:
            return (None, True) if len(frame.payload) != 4 else (Asked(int.from_bytes(frame.payload)), False)
        frame = Frame(Command.RESPONSE, frame.object_id, frame.payload)
    told = read_frame(frame, 0, "")
    return told.value if isinstance(told, Reading) else None, isinstance(told, BadReading)


def frame_fields(frame: Frame, value: Value | Asked | None) -> Iterator[tuple[str, str]]:
    info = registry.describe(frame.object_id)
    yield "command", f"0x{frame.command:02x}"
    yield "length", str(len(frame.payload) + (8 if frame.command.is_plant else 4))
    if frame.command.is_plant:
        yield "address", f"0x{frame.address:08x}"
    yield "object_id", f"0x{frame.object_id:08x}"
    yield "object", info.name
    if info.unit:
        yield "unit", info.unit
    if frame.payload:
        yield "payload", frame.payload.hex(":")
    if isinstance(value, Asked):
        yield "time", clock(value.time)
    elif value is not None:
        yield from value_fields(info, value)
    checksum = frame.encode().replace(b"-+", b"+").replace(b"--", b"-")[-2:]
    yield "crc", f"0x{checksum.hex()}"
    yield "crc.status", "1"


def value_fields(info: ObjectInfo, value: Value) -> Iterator[tuple[str, str]]:
    match value:
        case str():
            yield "text", value
        case bool() | int() | float():
            yield "value", shown(value)
            if not isinstance(value, bool | float):
                label = info.labels.get(value)
                yield from (("label", text) for bit, text in info.bits.items() if value >> bit & 1)
                if label:
                    yield "label", label
        case TimeSeries():
            yield "time", clock(value.time)
            for sample in value.samples:
                yield from [("time", clock(sample.time)), ("value", shown(sample.value))]
        case EventTable():
            yield "time", clock(value.time)
            for event in value.events:
                yield from [("event", str(event.type)), ("label", registry.event_name(event))]
                yield "time", clock(event.time)
                yield from (("event.value", f"0x{number:08x}") for number in event.values)
        case CellStatistics():
            for extreme in (value.u_min, value.u_max, value.t_min, value.t_max):
                yield from [("cell", str(extreme.cell)), ("time", clock(extreme.time))]
                yield "value", shown(extreme.value)
        case tuple():
            for number, cell in enumerate(value):
                yield "cell", str(number)
                if isinstance(cell, Cell):
                    yield from [("cell.temperature", str(cell.temperature)), ("cell.voltage", shown(cell.voltage))]
                    yield "cell.status", f"0x{cell.status:02x}"
                elif isinstance(cell, float):
                    yield "value", shown(cell)


def shown(value: float) -> str:
    return f"{'-' if math.isnan(value) and math.copysign(1, value) < 0 else ''}{value:.15g}"


def clock(time: int) -> str:
    return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%d %H:%M:%S}"


# --- captures ---------------------------------------------------------------------------------------------------------


def record(path: Path, streams: Iterable[bytes], sizes: Sequence[int] = (1 << 16,)) -> Path:
    """Write a capture of streams, each a connection of its own, cut into segments of these sizes in turn."""
    with FileIO(path, "x+") as file, write_capture(file, path.name) as write:
        for connection, data in enumerate(streams):
            for segment in cut(data, cycle(sizes)):
                write(Chunk(0, Direction.RECEIVED, segment, connection))
    return path


def cut(data: bytes, sizes: Iterator[int]) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        size = next(sizes)
        yield data[at : at + size]
        at += size


def check(home: Path, streams: Sequence[bytes], sizes: Sequence[int], *options: str) -> None:
    """Assert that tshark makes of each stream what the parser makes of it."""
    parts = dissect(home, record(home.with_name("x.pcapng"), streams, sizes), *options)
    for number, data in enumerate(streams):
        compare(parts[number, Direction.RECEIVED], data)


# --- tests ------------------------------------------------------------------------------------------------------------


def test_the_tables_are_current() -> None:
    assert DISSECTOR.read_text("utf-8") == dissector(), "run: python docs/generate.py"


async def test_simulator(home: Path, tmp_path: Path) -> None:
    """All that an inverter and a client say to each other: every frame, every value."""
    asked = ["battery.soc", "inverter_sn", "battery.cells[0]", "battery.cells_stat[0]", "battery.cells_resist[0]"]
    requests = [Frame(Command.READ, registry[name].object_id).encode() for name in asked]
    requests += [Frame(Command.WRITE, MINUTES.object_id, struct.pack(">i", 2_000_000_000)).encode()]
    chunks: list[Chunk] = []
    events: dict[Stream, list[ParserEvent]] = defaultdict(list)
    parsers: dict[Direction, FrameParser] = defaultdict(FrameParser)

    def take(direction: Direction, data: bytes) -> None:
        chunks.append(Chunk(len(chunks), direction, data))
        events[0, direction] += parsers[direction].feed(data)

    async with Simulator(port=0, latency=0, cycle=0.3) as simulator:
        reader, writer = await asyncio.open_connection("127.0.0.1", simulator.port)
        for request in requests:
            take(Direction.SENT, request)
            writer.write(request)
        while len(events[0, Direction.RECEIVED]) < 100 or parsers[Direction.RECEIVED].pending:
            take(Direction.RECEIVED, await reader.read(50))
        writer.close()

    capture = tmp_path / "x.pcapng"
    with FileIO(capture, "x+") as file, write_capture(file, capture.name) as write:
        for chunk in chunks:
            write(chunk)
    parts = dissect(home, capture)
    assert parts.keys() == events.keys()
    for stream, told in parts.items():
        assert [summary(part) for part in told if part.kind != "noise"] == list(map(expected, events[stream]))
    answered = {event.object_id for event in events[0, Direction.RECEIVED] if isinstance(event, Frame)}
    assert {registry[name].object_id for name in asked} | {MINUTES.object_id} <= answered


def test_every_object(home: Path) -> None:
    """Payloads that fit, and some that do not, of all objects that are known, and of one that is not."""
    chance = random.Random(3)
    wire = b""
    for info in [*registry, registry.describe(0x2B2D2B2D)]:
        for size in {*SIZES[info.data_type], chance.choice([0, 1, 3, 7, 95])}:
            payload = chance.randbytes(size)
            if info.data_type is DataType.STRING:  # tshark prints other characters in its own way
                payload = bytes(chance.choices(b"PS 10.0<&>+-", k=size)) + b"\0" + payload
            wire += b"\0" + Frame(Command.LONG_RESPONSE, info.object_id, payload).encode()
    check(home, [wire], [1400])


@pytest.mark.parametrize("options", [[], ["-2"]], ids=["seen once", "seen again"])
@pytest.mark.parametrize("sizes", [[1 << 16], [7, 1, 3, 2, 5, 6, 4], [1]], ids=["whole", "cut", "byte by byte"])
def test_damaged_streams(home: Path, sizes: list[int], options: list[str]) -> None:
    parts = [bytes.fromhex(wire) for wire, _ in BAD] + [wire for wire, _ in TOKENS]
    streams = [part + END for part in parts] + [GOOD + part + GOOD + END for part in parts]
    streams += [build(data)[0] + END for data in islice(inputs(random.Random(5)), 5 if sizes == [1] else 60)]
    check(home, streams, sizes, *options)


def test_what_is_told_of_damage(home: Path) -> None:
    streams = [bytes.fromhex(wire) + END for wire, _ in BAD] + [wire + END for wire, _ in TOKENS]
    parts = dissect(home, record(home.with_name("x.pcapng"), streams))
    for number, (_, told) in enumerate(BAD):
        *before, _end = [part for part in parts[number, Direction.RECEIVED] if part.kind != "noise"]
        assert [part.what if part.kind == "bad" else "READ" for part in before] == told
    for number, (_, kinds) in enumerate(TOKENS, start=len(BAD)):
        noise = [part.what for part in parts[number, Direction.RECEIVED] if part.kind == "noise"]
        assert noise == kinds or [*noise, "00"] == kinds or noise == [*kinds, "00"]


def test_without_reassembly_each_segment_is_a_stream(home: Path) -> None:
    streams = [build(data)[0] for data in islice(inputs(random.Random(6)), 60)]
    check(home, [data for data in streams if data], [1 << 16], "-otcp.desegment_tcp_streams:FALSE")


def test_values(home: Path) -> None:
    wires = [Frame(Command.PLANT_RESPONSE, registry[n].object_id, bytes.fromhex(p), 7).encode() for n, p, _ in VALUES]
    parts = dissect(home, record(home.with_name("x.pcapng"), wires))
    others = {"command", "length", "address", "object_id", "object", "unit", "payload", "crc", "crc.status"}
    for number, (name, _, fields) in enumerate(VALUES):
        (part,) = parts[number, Direction.RECEIVED]
        assert [field for field in part.fields if field[0] not in others] == fields, name


UNFINISHED = [  # what a capture ends with, and how much of that is told
    (GOOD[:-1], []),
    (GOOD[:5] + b"+", ["truncated"]),
    (b"\0+++", ["00"]),
    (b"\0AT", ["00"]),
]


@pytest.mark.parametrize("options", [[], ["-2"]], ids=["seen once", "seen again"])
def test_what_is_unfinished_is_not_judged(home: Path, options: list[str]) -> None:
    capture = record(home.with_name("x.pcapng"), [GOOD + end for end, _ in UNFINISHED])
    parts = dissect(home, capture, *options)
    for number, (_, told) in enumerate(UNFINISHED):
        first, *others = parts[number, Direction.RECEIVED]
        assert (first.kind, first.wire) == ("frame", GOOD)
        assert [part.what for part in others] == told


WRITE = Frame(Command.WRITE, MINUTES.object_id, struct.pack(">i", 1_700_000_000)).encode()
STUB = Frame(Command.RESPONSE, SOC.object_id, SOC.encode(0.5)[:2]).encode()
PACKETS = [  # a packet each, and what its Info column says
    (GOOD, "RESPONSE battery.soc 0.5"),
    (GOOD + GOOD, "RESPONSE battery.soc 0.5; RESPONSE battery.soc 0.5"),
    (WRITE, "WRITE logger.minutes_soc_log_ts 2023-11-14 22:13:20"),
    (STUB, "RESPONSE battery.soc expected FLOAT (4 bytes), got 2 bytes"),
    (GOOD[:-1] + b"\0" + END, "bad frame: crc a900, expected a93f; READ battery.soc"),
    (b"+++" + EXTENSION + b"\0" + GOOD, "noise: +++; noise: extension; RESPONSE battery.soc 0.5"),
    (Frame(Command.RESPONSE, registry["battery.voltage"].object_id, struct.pack(">f", 312.25)).encode(),
     "RESPONSE battery.voltage 312.25 V"),
    (Frame(Command.RESPONSE, registry["inverter_sn"].object_id, b"").encode(), 'RESPONSE inverter_sn ""'),
    (Frame(Command.RESPONSE, SOC.object_id, bytes.fromhex("ffc00000")).encode(), "RESPONSE battery.soc nan"),
]  # fmt: skip
ALL = list(range(1, len(PACKETS) + 1))
FILTERS = [  # a display filter, and the numbers of those packets that it finds
    ("rct", ALL),
    ('rct.object == "battery.soc"', [1, 2, 4, 5, 6, 9]),
    ("rct.object_id == 0x959930bf && rct.command == 5", [1, 2, 4, 6, 9]),
    ('rct.value > 300 && rct.unit == "V"', [7]),
    ('rct.time >= "2023-11-14"', [3]),
    ('rct.bad == "crc"', [5]),
    ("rct.crc.status == 0", [5]),
    ("rct.stub", [4]),
    ('rct.noise == "extension"', [6]),
    ("_ws.expert.severity >= 6291456", [4, 5]),
]


@pytest.fixture(scope="module")
def packets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record(tmp_path_factory.mktemp("packets") / "x.pcapng", [wire for wire, _ in PACKETS])


def numbers(home: Path, capture: Path, *options: str, script: bool = True) -> list[int]:
    return list(map(int, tshark(home, capture, "-Tfields", "-eframe.number", *options, script=script).split()))


def test_info_column(home: Path, packets: Path) -> None:
    assert tshark(home, packets, "-Tfields", "-e_ws.col.Info").splitlines() == [info for _, info in PACKETS]


@pytest.mark.parametrize(("display_filter", "found"), FILTERS)
def test_filter(home: Path, packets: Path, display_filter: str, found: list[int]) -> None:
    assert numbers(home, packets, f"-Y{display_filter}") == found


PORTS = [  # options, whether they find the protocol on port 9000
    ([], False),
    (["-orct.ports:9000"], True),
    (["-orct.ports:8000-9100,10000"], True),
    (["-dtcp.port==9000,rct"], True),
]


@pytest.mark.parametrize(("options", "known"), PORTS)
def test_ports(home: Path, packets: Path, tmp_path: Path, options: list[str], known: bool) -> None:
    capture = tmp_path / "moved.pcapng"
    capture.write_bytes(packets.read_bytes().replace(struct.pack(">H", 8899), struct.pack(">H", 9000)))
    assert numbers(home, capture, "-Yrct", *options) == (ALL if known else [])


def test_other_ports_take_the_place_of_the_default(home: Path, packets: Path) -> None:
    assert numbers(home, packets, "-Yrct", "-orct.ports:9000") == []
    assert numbers(home, packets, "-Yrct", "-orct.ports:") == []


# --- rct wireshark ----------------------------------------------------------------------------------------------------


async def test_path() -> None:
    assert await run("rct", "wireshark", "path") == (0, f"{DISSECTOR}\n", "")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "home" / "plugins" / "rct.lua"


def put(target: Path, content: bytes) -> None:
    target.parent.mkdir(parents=True)
    target.write_bytes(content)


def get(target: Path) -> bytes:
    return target.read_bytes()


def programs(tmp_path: Path, script: str | None) -> str:
    """Return a PATH with a tshark of ours, or none."""
    path = tmp_path / "bin"
    path.mkdir()
    if script is not None:
        program = path / "tshark"
        program.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
        program.chmod(0o755)
    return str(path)


TSHARKS = [  # what it does, and the folder below HOME where the dissector belongs
    ('echo "Personal configuration: /nowhere"; echo "Personal Lua Plugins: $HOME/lua plugins"', "lua plugins"),
    ('echo "Temp: /tmp"', ".local/lib/wireshark/plugins"),
    ("exit 1", ".local/lib/wireshark/plugins"),
    (None, ".local/lib/wireshark/plugins"),
]


@pytest.mark.skipif(os.name == "nt", reason="the program is a script of the shell")
@pytest.mark.parametrize(("script", "where"), TSHARKS)
async def test_install_where_wireshark_looks(tmp_path: Path, home: Path, script: str | None, where: str) -> None:
    done = await run("rct", "wireshark", "install", HOME=str(home), PATH=programs(tmp_path, script))
    target = home / where / "rct.lua"
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"{target}: installed")
    assert get(target) == get(DISSECTOR)


async def test_installed_it_is_used(home: Path, packets: Path) -> None:
    require("tshark")
    done = await run("rct", "wireshark", "install", HOME=str(home), XDG_CONFIG_HOME=str(home / ".config"))
    assert done.code == 0
    assert numbers(home, packets, "-Yrct", script=False) == ALL


OLDER = [  # what is there, and what becomes of it
    (None, "installed"),
    (f"{FIRST_LINE}, an older version\n".encode(), "replaced an older version"),
    (DISSECTOR.read_bytes(), "is current"),
]


@pytest.mark.parametrize(("old", "told"), OLDER)
async def test_install_replaces_what_is_ours(target: Path, old: bytes | None, told: str) -> None:
    if old is not None:
        put(target, old)
    done = await run("rct", "wireshark", "install", "--folder", target.parent)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"{target}: {told};")
    assert get(target) == get(DISSECTOR)


async def test_install_leaves_what_is_not_ours(target: Path) -> None:
    put(target, b"-- somebody's\n")
    done = await run("rct", "wireshark", "install", "--folder", target.parent)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"Error: {target}: ")
    assert done.err.count("\n") == 1
    assert get(target) == b"-- somebody's\n"


async def test_install_refuses_what_an_unset_variable_leaves() -> None:
    done = await run("rct", "wireshark", "install", "--folder", "")
    assert (done.code, done.out) == (2, "")
    assert "--folder" in done.err


async def test_install_says_what_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    done = await run("rct", "wireshark", "install", "--folder", tmp_path / "file" / "below")
    assert (done.code, done.out) == (1, "")
    assert done.err == f"Error: {tmp_path / 'file' / 'below'}: not a directory\n"
