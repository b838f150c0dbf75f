"""Recording: chunks go into one file after the other, and none is lost between them."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from rct_tools.capture import Chunk, Direction, read_capture
from rct_tools.errors import CaptureError
from rct_tools.frame import Command, Frame
from rct_tools.recording import Mode, Recording, Rotation
from rct_tools.times import SECOND

START = 1_795_338_047 * SECOND  # 2026-11-22T09:00:47Z
WIRE = b"\0" + Frame(Command.RESPONSE, 0x959930BF, b"\x3e\x97\xb1\x91").encode()


def chunk(second: float, data: bytes = WIRE) -> Chunk:
    return Chunk(START + round(second * SECOND), Direction.RECEIVED, data)


def read(path: Path) -> list[object]:
    with io.FileIO(path) as file:
        return list(read_capture(file, path.name, 8899))


def record(name: Path, chunks: list[Chunk], mode: Mode = "create", rotation: Rotation | None = None) -> Recording:
    with Recording(str(name), mode, rotation) as recording:
        recording.open()
        for item in chunks:
            recording.write(item)
    return recording


def test_files_follow_one_another_by_age(tmp_path: Path) -> None:
    chunks = [chunk(second) for second in (0, 59.9, 60, 119, 185)]
    recording = record(tmp_path / "roof.top.rctcap.gz", chunks, rotation=Rotation(age=60 * SECOND))
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [f"roof.top-20261122T09{time}Z.rctcap.gz" for time in ("0047", "0147", "0352")]
    assert [item for name in names for item in read(tmp_path / name)] == chunks
    assert recording.name == str(tmp_path / names[-1])
    assert recording.streams.counters.fed == 5 * len(WIRE)


def test_files_follow_one_another_by_size_but_never_in_a_frame(tmp_path: Path) -> None:
    data = WIRE * 20
    chunks = [chunk(at, data[at : at + 7]) for at in range(0, len(data), 7)]
    record(tmp_path / "roof.bin", chunks, rotation=Rotation(size=40))
    files = sorted(tmp_path.iterdir())
    assert b"".join(path.read_bytes() for path in files) == data
    assert len(files) > 2
    assert all(path.stat().st_size >= 40 for path in files[:-1])
    assert all(path.read_bytes().startswith(WIRE[:1]) and path.stat().st_size % len(WIRE) == 0 for path in files)


def test_what_never_ends_does_not_keep_a_file_from_ending(tmp_path: Path) -> None:
    endless = b"+\x06\xff\xff" + bytes(60_000)
    record(tmp_path / "x.bin", [chunk(at, endless) for at in range(12)], rotation=Rotation(size=1))
    assert len(list(tmp_path.iterdir())) > 1


def test_files_of_one_second_have_numbers(tmp_path: Path) -> None:
    record(tmp_path / "x.rctcap", [chunk(0), chunk(0.1), chunk(0.2)], rotation=Rotation(size=1))
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [f"x-20261122T090047Z{number}.rctcap" for number in ("-2", "-3", "")]


NAMES = [  # what is asked for, and what becomes of it
    ("roof.rctcap", "roof-20261122T090047Z.rctcap"),
    ("a.b.pcapng.zst", "a.b-20261122T090047Z.pcapng.zst"),
    ("roof.gz", "roof-20261122T090047Z.gz"),
    ("roof.dat", "roof-20261122T090047Z.dat"),
    ("roof", "roof-20261122T090047Z"),
]


@pytest.mark.parametrize(("asked", "name"), NAMES)
def test_names_keep_their_suffixes(tmp_path: Path, asked: str, name: str) -> None:
    record(tmp_path / asked, [chunk(0)], rotation=Rotation(size=1))
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_clock_that_is_set_back_ends_a_file(tmp_path: Path) -> None:
    chunks = [chunk(second) for second in (1000, 0, 30, 61)]
    record(tmp_path / "x.rctcap", chunks, rotation=Rotation(age=60 * SECOND))
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("suffix", [".bin", ".rctcap", ".rctcap.gz", ".pcapng"])
def test_an_old_file_is_replaced_by_the_first_chunk_and_not_before(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    record(path, [chunk(0), chunk(1)])
    old = path.read_bytes()
    record(path, [], "overwrite")
    assert path.read_bytes() == old
    record(path, [chunk(2)], "overwrite")
    assert len(read(path)) == 1
    assert len(path.read_bytes()) < len(old)


def test_an_old_file_is_continued_or_kept(tmp_path: Path) -> None:
    path = tmp_path / "x.rctcap"
    record(path, [chunk(0)])
    record(path, [chunk(1)], "append")
    assert read(path) == [chunk(0), chunk(1)]
    with pytest.raises(FileExistsError):
        record(path, [chunk(2)])
    record(tmp_path / "x.rctcap.gz", [chunk(0)])
    with pytest.raises(CaptureError, match="cannot be continued"):
        record(tmp_path / "x.rctcap.gz", [], "append")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device here")
def test_a_full_disk_is_named() -> None:
    with pytest.raises(OSError, match=re.escape("/dev/full")):
        record(Path("/dev/full"), [chunk(0)], "append")
