"""rct parse and parsedump: all of a recording is told, however damaged it is."""

from __future__ import annotations

import csv
import io
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from rct_tools.frame import Command, Frame
from rct_tools.objects import registry

from programs import run, running

SOC = registry["battery.soc"]
PARTS = [  # bytes, and what is told of them besides their offset: a frame's row, or a bad part's
    (b"AT+\r", None),
    (b"+++", None),
    (
        b"\0" + Frame(Command.RESPONSE, SOC.object_id, SOC.encode(0.5)).encode(),
        {"command": "RESPONSE", "address": 0, "object_id": "0x959930BF", "name": "battery.soc", "payload": "3f000000",
         "value": 0.5, "unit": "ratio"},
    ),
    (
        Frame(Command.READ, SOC.object_id).encode(),
        {"command": "READ", "address": 0, "object_id": "0x959930BF", "name": "battery.soc", "payload": "",
         "value": None, "unit": "ratio"},
    ),
    (b"\x2b\x05\x08\x95\x99\x30\xbf\x3e\x97\xb1\x91\x9c\x87", {"bad": "crc", "length": 13}),
    (
        Frame(Command.RESPONSE, SOC.object_id, b"\x3e\x97").encode(),  # cut by the next request, as old firmware does
        {"command": "RESPONSE", "address": 0, "object_id": "0x959930BF", "name": "battery.soc", "payload": "3e97",
         "value": None, "unit": "ratio"},
    ),
    (
        Frame(Command.PLANT_RESPONSE, 0x12345678, b"\x01+-", address=0x2A).encode(),
        {"command": "PLANT_RESPONSE", "address": 42, "object_id": "0x12345678", "name": "0x12345678",
         "payload": "012b2d", "value": "012b2d", "unit": ""},
    ),
    (
        Frame(Command.WRITE, 0x3AA565FC, bytes(range(36))).encode(),
        {"command": "WRITE", "address": 0, "object_id": "0x3AA565FC", "name": "net.package",
         "payload": bytes(range(36)).hex(), "value": None, "unit": ""},
    ),
    (b"\x2b\x05\x08\x95", {"bad": "truncated", "length": 4}),
]  # fmt: skip
CAPTURE = b"".join(data for data, _ in PARTS)


def expected() -> list[dict[str, object]]:
    rows, offset = [], 0
    for data, row in PARTS:
        if row:
            origin = {"time": None, "direction": "<", "connection": 0}
            rows.append({**origin, "offset": offset + data.startswith(b"\0"), **row})
        offset += len(data)
    return rows


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    path = tmp_path / "capture.bin"
    path.write_bytes(CAPTURE)
    return path


async def test_jsonl(capture: Path) -> None:
    done = await run("parsedump", "-f", capture, "--format", "jsonl")
    assert done.code == 0
    assert [json.loads(line) for line in done.out.splitlines()] == expected()
    assert "crc 1, truncated 1" in done.err  # the summary must not disturb the rows


async def test_csv(capture: Path) -> None:
    done = await run("rct", "parse", capture, "--format", "csv")
    assert done.code == 0
    rows = list(csv.DictReader(io.StringIO(done.out)))
    wanted = [{key: "" if value is None else str(value) for key, value in row.items()} for row in expected()]
    assert [{key: row[key] for key in want} for row, want in zip(rows, wanted, strict=True)] == wanted


async def test_text(capture: Path) -> None:
    done = await run("rct", "parse", capture)
    assert (done.code, done.err) == (0, "")
    rows, summary = done.out.split("\n\n")
    lines = [" ".join(line.split()) for line in rows.splitlines()]
    assert lines == [
        "1 8 RESPONSE battery.soc 50.0 %",
        "2 21 READ battery.soc",
        "30 bad crc 13 bytes: 2b 05 08 95 99 30 bf 3e 97 b1 91 9c 87",
        "3 43 RESPONSE battery.soc expected FLOAT (4 bytes), got 2 bytes: 3e 97",
        "4 54 PLANT_RESPONSE 0000002A/0x12345678 01 2b 2d",
        "5 72 WRITE net.package " + bytes(range(24)).hex(" ") + " … (36 bytes)",
        "117 bad truncated 4 bytes: 2b 05 08 95",
    ]
    assert [" ".join(line.split()) for line in summary.splitlines()] == [
        "bytes 121, of which 25 in no frame",
        "frames 5: RESPONSE 2, READ 1, PLANT_RESPONSE 1, WRITE 1",
        "bad 2: crc 1, truncated 1",
        "wrong payloads 1: battery.soc 1",
        "unknown ids 1: 0x12345678 1",
        "noise AT+ 1, +++ 1, 00 1 bytes",
    ]


async def test_verbose_shows_payloads_and_noise(capture: Path) -> None:
    done = await run("rct", "parse", "-v", capture)
    assert "  50.0 %  | 3f 00 00 00\n" in done.out
    assert "          0  noise         8 bytes\n" in done.out


async def test_summary_holds_no_endless_list() -> None:
    ids = range(0xFFFF0000, 0xFFFF0000 + 1005)
    done = await run("parsedump", "-f", "-", stdin=b"".join(Frame(Command.RESPONSE, number).encode() for number in ids))
    (unknown,) = (line for line in done.out.splitlines() if line.startswith("unknown ids"))
    assert unknown.split()[2] == "1,005:"
    assert unknown.endswith("0xFFFF03E7 1, others 5")


async def test_standard_input_is_shown_as_it_comes() -> None:
    async with running("parsedump", "-f", "-", "--format", "jsonl") as process:
        assert process.stdin
        assert process.stdout
        for data, row in PARTS[2:4]:
            process.stdin.write(data)
            await process.stdin.drain()
            shown = json.loads(await process.stdout.readline())
            assert row
            assert shown.items() >= row.items()
        process.stdin.close()
        assert await process.wait() == 0


@pytest.mark.parametrize(
    ("args", "code", "error"),
    [
        (["{folder}/missing.bin"], 1, "missing.bin: no such file"),
        ([], 2, "one FILE is needed"),
        (["a.bin", "-f", "b.bin"], 2, "one FILE is needed"),
        (["a.bin", "--format", "xml"], 2, "'xml' is not one of"),
    ],
)
async def test_usage(args: list[str], code: int, error: str, tmp_path: Path) -> None:
    done = await run("parsedump", *(arg.format(folder=tmp_path) for arg in args))
    assert (done.code, done.out) == (code, "")
    assert error in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("output_format", ["text", "jsonl", "csv"])
async def test_no_bytes_end_it_early(output_format: str) -> None:
    chance = random.Random(3)
    garbage = bytes(chance.choices(b"\x2b\x2d\x00\x05\x06\x08\x45\xff\x95\x99\x30\xbf", k=100_000))
    # A text of all kinds of bytes, and a number that JSON has no word for.
    frames = [
        Frame(Command.RESPONSE, registry["inverter_sn"].object_id, bytes(range(1, 201))),
        Frame(Command.RESPONSE, SOC.object_id, b"\x7f\xc0\0\0"),
    ]  # fmt: skip
    last = Frame(Command.RESPONSE, SOC.object_id, SOC.encode(0.25))
    data = garbage + b"\0".join(frame.encode() for frame in (*frames, last))
    done = await run("parsedump", "-v", "-f", "-", "--format", output_format, stdin=data)
    assert done.code == 0
    assert "Traceback" not in done.err
    rows = done.out.split("\n\n")[0].splitlines()
    assert {"text": "25.0 %", "jsonl": '"value": 0.25', "csv": ",0.25,ratio"}[output_format] in rows[-1]


MEMORY = """
import contextlib, resource, sys
from rct_tools.cli.parse import parse
parse.main(["--format", "jsonl", "-"], standalone_mode=False)
scale = 1024 if sys.platform == "darwin" else 1
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // scale, file=sys.stderr)
"""


def test_memory_does_not_grow_with_the_capture() -> None:
    pytest.importorskip("resource", reason="Windows does not say how much memory a process had")

    def peak(frames: int) -> int:
        data = b"".join(Frame(Command.RESPONSE, number, b"\0" * 200).encode() for number in range(frames))
        done = subprocess.run(
            [sys.executable, "-c", MEMORY], input=data, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True
        )
        return int(done.stderr.split()[-1])

    assert peak(30_000) - peak(3_000) < 3_000  # KiB; the additional frames have 6,000, and far more as objects
