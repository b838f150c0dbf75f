"""rct parse and parsedump: all of a recording is told, however damaged it is."""

from __future__ import annotations

import asyncio
import csv
import gzip
import io
import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from rct_tools.capture import Chunk, Direction, write_capture
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
        "frames 5: RESPONSE 2, PLANT_RESPONSE 1, READ 1, WRITE 1",
        "bad 2: crc 1, truncated 1",
        "wrong payloads 1: battery.soc 1",
        "unknown ids 1: 0x12345678 1",
        "noise +++ 1, 00 1 bytes, AT+ 1",
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


# --- captures with time, several captures, whole captures -----------------------------------------------------------

START = 1_795_338_047_149_000_001  # 2026-11-22T09:00:47.149000001Z
TIMED = [
    Chunk(START, Direction.SENT, Frame(Command.READ, SOC.object_id).encode()),
    Chunk(START + 10**9, Direction.RECEIVED, Frame(Command.RESPONSE, SOC.object_id, SOC.encode(0.5)).encode()[:6]),
    Chunk(START + 2 * 10**9, Direction.RECEIVED, Frame(Command.RESPONSE, SOC.object_id, SOC.encode(0.5)).encode()[6:]),
    Chunk(START + 5 * 10**9, Direction.RECEIVED,
        b"\0" + Frame(Command.RESPONSE, SOC.object_id, SOC.encode(0.25)).encode(), 1),
]  # fmt: skip


def record(path: Path, chunks: list[Chunk]) -> Path:
    with io.FileIO(path, "wb") as file, write_capture(file, path.name) as append:
        for chunk in chunks:
            append(chunk)
    return path


@pytest.mark.parametrize("suffix", [".rctcap", ".pcapng", ".pcap.gz", ".rctcap.zst"])
async def test_times_and_directions(tmp_path: Path, suffix: str) -> None:
    path = record(tmp_path / f"x{suffix}", TIMED)
    done = await run("rct", "parse", path, "--format", "jsonl")
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert [(row["time"][17:29], row["direction"], row["connection"], row["value"]) for row in rows] == [
        ("47.149000001", ">", 0, None),
        ("49.149000001", "<", 0, 0.5),  # when its last byte came
        ("52.149000001", "<", 1, 0.25),
    ]
    done = await run("rct", "parse", path, TZ="UTC")
    assert [" ".join(line.split()) for line in done.out.splitlines()[:3]] == [
        "1 0 09:00:47.149 > READ battery.soc",
        "2 0 09:00:49.149 < RESPONSE battery.soc 50.0 %",
        "3 1 09:00:52.149 <1 RESPONSE battery.soc 25.0 %",
    ]
    csv_rows = list(csv.DictReader(io.StringIO((await run("rct", "parse", path, "--format", "csv")).out)))
    assert [row["direction"] for row in csv_rows] == [">", "<", "<"]


async def test_several_captures_and_folders(tmp_path: Path) -> None:
    record(tmp_path / "a.rctcap", TIMED)
    (tmp_path / "more").mkdir()
    record(tmp_path / "more" / "b.bin", [TIMED[3]])
    (tmp_path / "notes.txt").write_text("no capture")
    done = await run("rct", "parse", tmp_path, TZ="UTC")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert [lines[0], lines[1][:20]] == [f"{tmp_path / 'a.rctcap'}:", "      1          0  "]
    assert f"{tmp_path / 'more' / 'b.bin'}:" in lines
    done = await run("rct", "parse", tmp_path / "more", tmp_path / "a.rctcap", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert [(Path(row["file"]).name, row["offset"]) for row in rows] == [
        ("b.bin", "1"), ("a.rctcap", "0"), ("a.rctcap", "0"), ("a.rctcap", "1"),
    ]  # fmt: skip


async def test_summary(tmp_path: Path) -> None:
    path = record(tmp_path / "a.rctcap", [*TIMED, Chunk(START + 6 * 10**9, Direction.RECEIVED, b"\0" + CAPTURE, 2)])
    done = await run("rct", "parse", "--summary", path)
    assert (done.code, done.err) == (0, "")
    objects, totals = done.out.split("\n\n")
    assert [" ".join(line.split()) for line in objects.splitlines()] == [
        "object frames every minimum mean maximum",
        "battery.soc 4 1.3 s 25.0 % 41.7 % 50.0 %",
        "0000002A/0x12345678 1",
    ]
    assert [" ".join(line.split()) for line in totals.splitlines()] == [
        "bytes 158, of which 27 in no frame",
        "frames 8: RESPONSE 4, READ 2, PLANT_RESPONSE 1, WRITE 1",
        "bad 2: crc 1, truncated 1",
        "wrong payloads 1: battery.soc 1",
        "unknown ids 1: 0x12345678 1",
        "noise 00 3 bytes, +++ 1, AT+ 1",
        "time 2026-11-22T09:00:47 to 2026-11-22T09:00:53 UTC",
        "bad parts at 31 (crc, 13 bytes)",
        "118 (truncated, 4 bytes)",
    ]
    whole = json.loads((await run("rct", "parse", "--summary", path, "--format", "json")).out)
    rows = whole["objects"]
    assert (whole["frames"]["RESPONSE"], whole["bad"], whole["noise"]["+++"]) == (4, {"crc": 1, "truncated": 1}, 1)
    assert whole["bad_parts"][0] == {"file": str(path), "offset": 31, "size": 13, "reason": "crc"}
    lines = (await run("rct", "parse", "--summary", path, "--format", "jsonl")).out.splitlines()
    assert [json.loads(line) for line in lines] == rows
    assert [(row["object"], row["address"], row["mean"], row["unit"]) for row in rows] == [
        ("battery.soc", 0, pytest.approx(1.25 / 3), "ratio"), ("0x12345678", 42, None, ""),
    ]  # fmt: skip


async def test_tables(tmp_path: Path) -> None:
    path, table = record(tmp_path / "a.rctcap.gz", TIMED), tmp_path / "a.jsonl"
    done = await run("rct", "parse", path, "-o", table)
    assert (done.code, done.out) == (0, "")
    assert "frames          3" in done.err
    assert [json.loads(line)["value"] for line in table.read_text().splitlines()] == [None, 0.5, 0.25]
    done = await run("rct", "parse", path, "-o", table)
    assert (done.code, "is there already; replace it with --overwrite" in done.err) == (2, True)
    done = await run("rct", "parse", path, path, "-o", tmp_path / "all.csv", "--summary")
    assert done.code == 0
    assert "battery.soc" in done.out
    assert sorted(file.name for file in (tmp_path / "all.csv").iterdir()) == ["a-2.csv", "a.csv"]
    assert (await run("rct", "parse", path, "-o", table, "--overwrite")).code == 0
    done = await run("rct", "parse", path, "-o", tmp_path / "a.xlsx")
    assert (done.code, "a table is one of .parquet, .csv, .jsonl" in done.err) == (2, True)


BAD_CAPTURES = [  # name, content, code, what is said
    (
        "x.rctcap",
        b"- < 00\nnoise\n- < 01",
        0,
        ["byte 7: line 2 holds no chunk", "line 3 holds no chunk and has no end"],
    ),
    ("x.rctcap", b"- < 00\n" + b"noise\n" * 9, 0, ["4 more parts could not be read"]),
    ("x.rctcap", b"all\nof it\nnoise\n", 1, ["x.rctcap: its first lines hold no chunks"]),
    ("x.pcapng", b"PK\x03\x04 no capture at all", 1, ["x.pcapng: "]),
    ("x.bin.gz", b"no gzip", 1, ["x.bin.gz: it does not begin like a gzip file"]),
    ("x.bin.zst", b"no Zstandard", 1, ["x.bin.zst: it does not begin like a Zstandard file"]),
    ("x.bin", b"\x1f\x8b\x08", 1, ["x.bin: it begins like a .gz; give it that suffix"]),
    ("x.bin", b"", 0, []),
]


@pytest.mark.parametrize(("name", "content", "code", "said"), BAD_CAPTURES)
async def test_bad_captures(tmp_path: Path, name: str, content: bytes, code: int, said: list[str]) -> None:
    (tmp_path / name).write_bytes(content)
    for options in ([], ["--summary"], ["-o", tmp_path / "x.csv"]):
        done = await run("rct", "parse", tmp_path / name, *options)
        assert done.code == code, done.err
        assert all(text in done.err for text in said), done.err
        assert "Traceback" not in done.err
        assert ("bytes           " in done.out + done.err) == (code == 0)  # what could be read is told


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (["{folder}"], "holds no captures (.bin, .rctcap"),
        (["-", "--summary"], "standard input can only be listed"),
        (["a.bin", "--format", "json"], "json goes with --summary"),
        ([""], "an empty name is no file"),
        (["a.bin", "-o", ""], "an empty name is no file"),
        (["{folder}/a.csv", "-o", "{folder}/a.csv", "--overwrite"], "a.csv would replace a capture"),
        (["a.bin", "b.bin", "-o", "{folder}/a.csv", "--overwrite"], "a.csv is a file; the tables of several FILEs"),
        (["a.bin", "b.bin", "-o", "{folder}/a"], "a table is one of .parquet, .csv, .jsonl"),
    ],
)
async def test_usage_of_captures(args: list[str], error: str, tmp_path: Path) -> None:
    if "{folder}" not in args:
        record(tmp_path / "a.csv", TIMED[3:])
    done = await run("rct", "parse", *(arg.format(folder=tmp_path) for arg in args))
    assert (done.code, done.out) == (2, "")
    assert error in done.err


async def test_one_file_that_is_missing_does_not_cost_the_others(tmp_path: Path) -> None:
    path = record(tmp_path / "a.rctcap", TIMED)
    for options in ([], ["--summary"]):
        done = await run("rct", "parse", tmp_path / "missing.bin", path, *options)
        assert done.code == 1
        assert "missing.bin: no such file or directory" in done.err
        assert "battery.soc" in done.out


async def test_tables_that_cannot_be_written_are_named(tmp_path: Path) -> None:
    path = record(tmp_path / "a.rctcap", TIMED)
    for suffix in (".parquet", ".csv", ".jsonl"):
        table = tmp_path / "missing" / f"a{suffix}"
        done = await run("rct", "parse", path, "-o", table)
        assert (done.code, done.err) == (1, f"Error: {table}: no such file or directory\n")
        (tmp_path / f".b{suffix}.part").touch()  # what a power cut leaves
        assert (await run("rct", "parse", path, "-o", tmp_path / f"b{suffix}")).code == 0


@pytest.mark.skipif(sys.platform == "win32", reason="names of files are text there")
async def test_names_that_are_no_text(tmp_path: Path) -> None:
    name = os.fsdecode(bytes(tmp_path) + b"/caf\xe9.rctcap")
    record(Path(name), TIMED)
    for suffix in (".parquet", ".csv", ".jsonl"):
        done = await run("rct", "parse", name, "-o", name.replace(".rctcap", suffix))
        assert done.code == 0, done.err
    assert (await run("rct", "parse", tmp_path)).code == 0


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
async def test_a_folder_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    record(tmp_path / "a.rctcap", TIMED)
    (tmp_path / "deny").mkdir(mode=0)
    done = await run("rct", "parse", tmp_path)
    assert (done.code, done.err) == (1, f"Error: {tmp_path / 'deny'}: permission denied\n")


async def test_what_stands_before_damage_is_shown(tmp_path: Path) -> None:
    """Of a file whose end cannot be read."""
    lines = "".join(
        f"- < {Frame(Command.RESPONSE, SOC.object_id, SOC.encode(n / 10_000)).encode().hex()}\n" for n in range(10_000)
    )
    packed = bytearray(gzip.compress(lines.encode()))
    packed[len(packed) // 2] ^= 0xFF
    (tmp_path / "x.rctcap.gz").write_bytes(packed)
    for options in ([], ["--summary"]):
        done = await run("rct", "parse", tmp_path / "x.rctcap.gz", *options)
        assert done.code == 1
        assert re.search(r"x\.rctcap\.gz: its gzip data is damaged before byte \d+\n", done.err)
        assert "battery.soc" in done.out


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such terminals")
async def test_progress_on_a_terminal(tmp_path: Path) -> None:
    """With how much is done, how fast, and how long it will take; nothing of it where the output goes."""
    import pty

    path = tmp_path / "x.bin"
    path.write_bytes((b"\0" + Frame(Command.RESPONSE, SOC.object_id, SOC.encode(0.5)).encode()) * 1_500_000)
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "rct_tools", "parse", "--summary", path,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
    )  # fmt: skip
    os.close(theirs)
    out, _ = await process.communicate()
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    assert process.returncode == 0
    assert "battery.soc" in out.decode()
    assert "MB/s" in shown
    assert re.search(r"\d+%", shown)
    assert "/21.0 MB" in shown
    assert "\x1b" not in out.decode()
