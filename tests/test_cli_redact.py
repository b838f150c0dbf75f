"""rct redact: what is written can be shared, and what is printed too."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path

import pytest

from rct_tools.capture import FORMATS, Chunk, Direction, read_capture, write_capture
from rct_tools.frame import Command, Frame
from rct_tools.objects import registry

from programs import run


def wire(name: str, payload: bytes) -> bytes:
    return b"\0" + Frame(Command.RESPONSE, registry[name].object_id, payload).encode()


SOC = wire("battery.soc", b"\x3e\x97\xb1\x91")
OLD = [
    wire("inverter_sn", b"SIM7654321\0\0"),
    SOC,
    wire("wifi.ip", b"192.168.178.23\0"),
    wire("wifi.gateway", b"192.168.178.1\0"),
    wire("android_description", b"PV\0"),
    wire("inverter_sn", b"SIM7654321\0\0") + b"SIM7654321",
    wire("svnversion", b"2.3.5687\0SIM7654321"),
]
NEW = [
    wire("inverter_sn", b"XXX0000001\0\0"),
    SOC,
    wire("wifi.ip", b"000.000.000.02\0"),
    wire("wifi.gateway", b"000.000.000.3\0"),
    wire("android_description", b"XB\0"),
    wire("inverter_sn", b"XXX0000001\0\0") + b"XXX0000001",
    wire("svnversion", b"2.3.5687\0XXX0000001"),
]
SECRETS = ["7654321", "178", "PV"]
TEXT = """\
android_description                   1 value         1 frame
inverter_sn                           1 value         2 frames
svnversion                                            1 frame
wifi.gateway                          1 value         1 frame
wifi.ip                               1 value         1 frame
outside of frames                                     1 place
"""


def chunks(parts: list[bytes]) -> list[Chunk]:
    return [Chunk(1_750_000_000_000_000_000 + at, Direction.RECEIVED, part) for at, part in enumerate(parts)]


def write(path: Path, parts: list[bytes]) -> Path:
    with io.FileIO(path, "w+b") as file, write_capture(file, path.name) as append:
        for chunk in chunks(parts):
            append(chunk)
    return path


def read(path: Path) -> list[object]:
    with io.FileIO(path) as file:
        return list(read_capture(file, path.name, 8899))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_text_and_proof(tmp_path: Path) -> None:
    old, new = write(tmp_path / "old.rctcap", OLD), tmp_path / "new.rctcap"
    done = await run("rct", "redact", old, new, "--check")
    assert (done.code, done.err) == (0, "")
    assert done.out == TEXT + (
        f"{new}: none of 4 originals is left; 1 so short that it was searched in values of private objects only\n"
    )
    assert read(new) == chunks(NEW)


@pytest.mark.parametrize("suffix", FORMATS)
async def test_every_format(suffix: str, tmp_path: Path) -> None:
    old, new = write(tmp_path / f"old{suffix}", OLD), tmp_path / f"new{suffix}.gz"
    done = await run("rct", "redact", old, new)
    assert (done.code, done.err) == (0, "")
    assert done.out == TEXT
    assert b"".join(chunk.data for chunk in read(new) if isinstance(chunk, Chunk)) == b"".join(NEW)


async def test_check_alone(tmp_path: Path) -> None:
    old, new = write(tmp_path / "old.rctcap", OLD), write(tmp_path / "new.rctcap", NEW)
    told = (
        f"{new}: each private value is a stand-in, and nothing is beside what was recorded; whether parts of originals "
        "are in other values, only a check with IN and OUT can tell\n"
    )
    assert await run("rct", "redact", "--check", new) == (0, told, "")
    done = await run("rct", "redact", "--check", old)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(
        f"Error: {old}: something private of inverter_sn is left, near byte 1 of what was received"
    )


async def test_rows(tmp_path: Path) -> None:
    old = write(tmp_path / "old.rctcap", OLD)
    rows = [
        {"place": "android_description", "values": 1, "changed": 1},
        {"place": "inverter_sn", "values": 1, "changed": 2},
        {"place": "svnversion", "values": 0, "changed": 1},
        {"place": "wifi.gateway", "values": 1, "changed": 1},
        {"place": "wifi.ip", "values": 1, "changed": 1},
        {"place": "outside of frames", "values": 0, "changed": 1},
    ]
    done = await run("rct", "redact", old, tmp_path / "a.bin", "--format", "json", "--check")
    assert json.loads(done.out) == rows
    assert "none of 4 originals is left" in done.err
    done = await run("rct", "redact", old, tmp_path / "b.bin", "--format", "csv")
    assert [
        {**row, "values": int(row["values"]), "changed": int(row["changed"])}
        for row in csv.DictReader(io.StringIO(done.out))
    ] == rows


LEFT = [  # what a file holds that is there already, what is said of it
    (OLD, "something private of inverter_sn is left, near byte 22 of what was received on connection 0"),
    ([*NEW, b"noise SIM7654321"], "something private of inverter_sn is left, near byte "),
    ([*NEW, wire("android_description", b"PV\0")], "something private of android_description is left, near byte "),
]  # fmt: skip


@pytest.mark.parametrize(("parts", "error"), LEFT)
async def test_something_is_left(parts: list[bytes], error: str, tmp_path: Path) -> None:
    old, new = write(tmp_path / "old.rctcap", OLD), write(tmp_path / "new.rctcap", parts)
    before = new.read_bytes()
    done = await run("rct", "redact", old, new, "--check")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"Error: {new}: {error}")
    assert done.err.endswith("; do not share this file\n")
    assert new.read_bytes() == before
    assert not [secret for secret in SECRETS if secret in done.err.replace(str(tmp_path), "")]
    done = await run("rct", "redact", old, new, "--check", "--overwrite")
    assert done.code == 0
    assert read(new) == chunks(NEW)


async def test_what_cannot_be_read_is_left_out_and_cannot_be_checked(tmp_path: Path) -> None:
    old, new = write(tmp_path / "old.rctcap", OLD), tmp_path / "new.rctcap"
    size = old.stat().st_size
    old.write_bytes(old.read_bytes() + b"SIM7654321 is no chunk\n")
    done = await run("rct", "redact", old, new, "--check")
    assert (done.code, done.err) == (0, f"{old}: byte {size}: line 8 holds no chunk\n")
    assert read(new) == chunks(NEW)
    new.write_bytes(new.read_bytes() + b"SIM7654321 is no chunk\n")
    done = await run("rct", "redact", old, new, "--check")
    assert done.code == 1
    assert done.err == f"Error: {new}: cannot be checked: line 8 holds no chunk\n"


@pytest.mark.parametrize("args", [("old.rctcap", "new.rctcap"), ("new.rctcap",)])
async def test_a_comment_fails_the_check(args: tuple[str, ...], tmp_path: Path) -> None:
    write(tmp_path / "old.rctcap", OLD)
    new = write(tmp_path / "new.rctcap", NEW)
    size = new.stat().st_size
    with new.open("ab") as file:
        file.write(b"# inverter ABC1234567, roof of J. Smith\n")
    done = await run("rct", "redact", *(tmp_path / arg for arg in args), "--check")
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        f"Error: {new}: from byte {size:,} on it holds more than what was recorded, such as comments, names or "
        "addresses, which nobody can check; rct redact writes a file without that\n"
    )


@pytest.mark.parametrize("old", [None, b"precious"])
async def test_a_failure_leaves_the_folder_as_it_was(old: bytes | None, tmp_path: Path) -> None:
    late = tmp_path / "late.rctcap"
    late.write_bytes(b"2200-01-01T00:00:00+00:00 < 00\n")
    if old:
        (tmp_path / "keep.pcap").write_bytes(old)
    before = names(tmp_path)
    done = await run("rct", "redact", late, tmp_path / "keep.pcap", *["--overwrite"] * bool(old))
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"Error: {tmp_path / 'keep.pcap'}: pcap cannot hold the time ")
    assert names(tmp_path) == before
    assert not old or (tmp_path / "keep.pcap").read_bytes() == old


USAGE = [  # arguments, exit code, error
    (["old.rctcap"], 2, "OUT is missing: the file to write"),
    (["old.rctcap", "link.rctcap", "--overwrite"], 2, "IN and OUT are the same file"),
    (["old.rctcap", "old.bin"], 2, "old.bin is there already; replace it with --overwrite, or search it with --check"),
    (["folder", "new.bin"], 2, "folder is no file; pipes and folders cannot be read twice"),
    (["missing.rctcap", "old.bin", "--overwrite"], 1, "missing.rctcap: no such file or directory"),
    (["garbage.rctcap", "old.bin", "--overwrite"], 1, "garbage.rctcap: its first lines hold no chunks"),
    (["old.rctcap", "folder/missing/new.bin"], 1, "new.bin: no such file or directory"),
    (["sent.rctcap", "new.bin"], 1, "new.bin: raw bytes keep neither direction nor connection"),
]  # fmt: skip


@pytest.mark.parametrize(("args", "code", "error"), USAGE)
async def test_usage(args: list[str], code: int, error: str, tmp_path: Path) -> None:
    old = write(tmp_path / "old.rctcap", OLD)
    (tmp_path / "link.rctcap").hardlink_to(old)
    (tmp_path / "folder").mkdir()
    (tmp_path / "old.bin").write_bytes(b"precious")
    (tmp_path / "garbage.rctcap").write_bytes(b"garbage\n" * 9)
    (tmp_path / "sent.rctcap").write_bytes(b"- > 00\n")
    before = old.read_bytes()
    done = await run("rct", "redact", *(arg if arg[0] in "-0" else tmp_path / arg for arg in args))
    assert (done.code, done.out) == (code, "")
    assert error in done.err
    assert "Traceback" not in done.err
    assert (tmp_path / "old.bin").read_bytes() == b"precious"  # a wrong IN costs nobody a file
    assert old.read_bytes() == before


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no named pipes")
async def test_a_pipe_cannot_be_read_twice(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    done = await run("rct", "redact", tmp_path / "pipe", tmp_path / "new.bin")
    assert done.code == 2
    assert "pipes and folders cannot be read twice" in done.err


async def test_nothing_to_redact(tmp_path: Path) -> None:
    old, new = write(tmp_path / "old.bin", [SOC]), tmp_path / "new.bin"
    done = await run("rct", "redact", old, new, "--check")
    assert done.code == 0
    assert done.out == f"outside of frames{'':37}0 places\n{new}: none of 0 originals is left\n"
    assert new.read_bytes() == old.read_bytes()
