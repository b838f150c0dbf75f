"""Captures: what was written is read again, in every format; and what is damaged is named."""

from __future__ import annotations

import errno
import gzip
import io
import os
import re
from collections.abc import Generator, Iterable, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rct_tools.capture import FORMATS, CaptureItem, Chunk, Damage, Direction, find_format, read_capture, write_capture
from rct_tools.capture import compression as compression_module
from rct_tools.capture.chunk import END_OF_TIME, write_all
from rct_tools.capture.compression import COMPRESSIONS
from rct_tools.errors import CaptureError, ConfigError
from rct_tools.times import iso_time, parse_iso_time, parse_size

NAMES = [suffix + packing for suffix, packing in product(FORMATS, ("", *COMPRESSIONS))]
TIMED = [name for name in NAMES if not name.startswith(".bin")]
NOW = 1_795_338_047_149_000_001
PORT = 8899

RECEIVED, SENT = Direction
CHUNKS = [
    Chunk(NOW, SENT, b"+\x01\x04"),
    Chunk(NOW + 1, RECEIVED, b"\0+\x05"),
    Chunk(NOW + 1, RECEIVED, b"-"),
    Chunk(NOW + 2, RECEIVED, b"\xff" * 40, 1),
    Chunk(NOW - 5, SENT, b"\n", 1),  # the clock was set
    Chunk(NOW + 3, RECEIVED, b"#", 0),
]


def write(path: Path, chunks: Sequence[Chunk], mode: str = "xb") -> None:
    with io.FileIO(path, mode) as file:
        write_to(file, path.name, chunks)


def write_to(file: io.RawIOBase, name: str, chunks: Iterable[Chunk]) -> None:
    with write_capture(file, name) as append:
        for chunk in chunks:
            append(chunk)


def read(path: Path) -> list[CaptureItem]:
    with io.FileIO(path) as file:
        return list(read_capture(file, path.name, PORT))


@st.composite
def conversations(draw: st.DrawFn) -> list[Chunk]:
    """Draw chunks whose connections have their numbers in the order in which they appear."""
    parts = st.tuples(st.integers(1, 4 * 10**18), st.sampled_from(Direction), st.binary(min_size=1), st.integers(0, 3))
    numbers: dict[int, int] = {}
    return [
        Chunk(time, direction, data, numbers.setdefault(drawn, len(numbers)))
        for time, direction, data, drawn in draw(st.lists(parts, max_size=8))
    ]


@pytest.mark.parametrize("name", TIMED)
@given(chunks=conversations())
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, name: str, chunks: list[Chunk]) -> None:
    path = tmp_path_factory.mktemp("captures") / f"x{name}"
    write(path, chunks)
    assert read(path) == chunks


@pytest.mark.parametrize("name", sorted(set(NAMES) - set(TIMED)))
def test_raw_bytes_keep_what_came(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"x{name}"
    write(path, [Chunk(NOW, RECEIVED, b"+\x05"), Chunk(NOW, RECEIVED, b"\x08", 1)])
    assert read(path) == [Chunk(0, RECEIVED, b"+\x05\x08")]
    for refused in (Chunk(NOW, SENT, b"+"), Chunk(NOW, RECEIVED, b"+", 0)):
        with pytest.raises(CaptureError, match=rf"y{name}: raw bytes keep neither direction nor connection"):
            write(tmp_path / f"y{name}", [Chunk(NOW, RECEIVED, b"+", 1), refused], "w")


@pytest.mark.parametrize("name", NAMES)
def test_whatever_is_cut_off_the_rest_is_there(tmp_path: Path, name: str) -> None:
    """A program that is killed loses the last chunk at most."""
    path = tmp_path / f"x{name}"
    chunks = [chunk for chunk in CHUNKS if name in TIMED or (chunk.direction is RECEIVED and chunk.connection == 0)]
    whole = []  # the size of the file after each chunk
    with io.FileIO(path, "xb") as file, write_capture(file, path.name) as append:
        for chunk in chunks:
            append(chunk)
            whole.append(path.stat().st_size)
    content = path.read_bytes()
    for size in range(whole[0], len(content)):
        path.write_bytes(content[:size])
        items = read(path)
        expected = chunks[: sum(end <= size for end in whole)]
        found = [item for item in items if isinstance(item, Chunk)]
        if name in TIMED:
            assert found[: len(expected)] == expected, size
            assert len(found) <= len(expected) + 1
        else:
            data = b"".join(chunk.data for chunk in expected)
            assert b"".join(chunk.data for chunk in found).startswith(data), size
        assert all(isinstance(item, Damage) for item in items[len(found) :]), "damage is at the end"
        if size not in whole and name in TIMED:
            assert len(found) < len(chunks) or not isinstance(items[-1], Chunk)


@pytest.mark.parametrize("name", [name for name in NAMES if not name.endswith(tuple(COMPRESSIONS))])
def test_a_file_is_continued(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"x{name}"
    first, second = Chunk(NOW, RECEIVED, b"one"), Chunk(NOW + 9, RECEIVED, b"two")
    write(path, [first])
    if name in TIMED:
        write(path, [Chunk(NOW, SENT, b"cut off")], "ab+")
        path.write_bytes(path.read_bytes()[:-3])
    write(path, [second], "ab+")
    found = b"".join(item.data for item in read(path) if isinstance(item, Chunk))
    assert found == b"onetwo"


@pytest.mark.parametrize("packing", COMPRESSIONS)
def test_what_is_compressed_is_not_continued(tmp_path: Path, packing: str) -> None:
    path = tmp_path / f"x.rctcap{packing}"
    write(path, CHUNKS)
    with pytest.raises(CaptureError, match=rf"x\.rctcap{packing}: what is compressed cannot be continued"):
        write(path, CHUNKS, "ab+")
    assert read(path) == CHUNKS


def test_files_behind_one_another_are_one(tmp_path: Path) -> None:
    for packing in COMPRESSIONS:
        path = tmp_path / f"x.rctcap{packing}"
        write(path, CHUNKS[:2])
        write(tmp_path / f"y.rctcap{packing}", CHUNKS[2:])
        path.write_bytes(path.read_bytes() + (tmp_path / f"y.rctcap{packing}").read_bytes())
        assert read(path) == CHUNKS


@pytest.mark.parametrize("size", [1, 511, 200_000])
def test_zeros_behind_gzip_say_nothing(tmp_path: Path, size: int) -> None:
    """As they stand behind what was on a tape, or on a disk when the power went; gzip ignores them, too."""
    path = tmp_path / "x.rctcap.gz"
    write(path, CHUNKS)
    content = path.read_bytes()
    path.write_bytes(content + bytes(size))
    assert read(path) == CHUNKS
    path.write_bytes(content + bytes(size) + content)
    assert read(path) == CHUNKS * 2
    for damaged in (bytes(size) + content, content + bytes(size) + b"xyz"):
        path.write_bytes(damaged)
        with pytest.raises(CaptureError, match=r"does not begin like a gzip file|gzip data is damaged"):
            read(path)


@pytest.mark.parametrize("packing", COMPRESSIONS)
def test_damaged_compression_is_named(tmp_path: Path, packing: str) -> None:
    path = tmp_path / f"x.rctcap{packing}"
    write(path, CHUNKS)
    content = bytearray(path.read_bytes())
    content[0] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(CaptureError, match=rf"x\.rctcap{packing}: it does not begin like a (gzip|Zstandard) file"):
        read(path)


def test_much_in_little_is_unpacked_bit_by_bit(tmp_path: Path) -> None:
    for packing in COMPRESSIONS:
        path = tmp_path / f"x.bin{packing}"
        write(path, [Chunk(NOW, RECEIVED, bytes(3_000_000))])
        assert path.stat().st_size < 10_000
        sizes = [len(item.data) for item in read(path) if isinstance(item, Chunk)]
        assert sum(sizes) == 3_000_000
        assert max(sizes) <= 65536


WRONG_NAMES = [  # what a file holds, what it is named
    (b"\x1f\x8b\x08\0", "bin", "gz"),
    (b"\x28\xb5\x2f\xfd", "dat", "zst"),
    (b"\n\r\r\n\x1c\0\0\0", "bin", "pcapng"),
    (bytes.fromhex("d4c3b2a1"), "bin", "pcap"),
    (bytes.fromhex("a1b23c4d"), "bin", "pcap"),
    (b"2026-11-22T09:00:47.149000000+00:00 < 00\n", "bin", "rctcap"),
    (b"- <1 00\n", "bin", "rctcap"),
]


@pytest.mark.parametrize(("content", "suffix", "kind"), WRONG_NAMES)
def test_wrong_names_are_noticed(tmp_path: Path, content: bytes, suffix: str, kind: str) -> None:
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(content)
    with pytest.raises(CaptureError, match=rf"x\.{suffix}: it begins like a \.{kind}; give it that suffix"):
        read(path)


NOT_CONTINUED = [  # a suffix, what the file holds, what is said
    *((".bin", content, f"begins like a .{kind}") for content, _, kind in WRONG_NAMES),
    *(
        (".rctcap", content, "does not begin like a .rctcap")
        for content in (
            gzip.compress(b"- < 00\n", mtime=0),
            b"\n\r\r\n\x1c",
            b"\0",
            b"\0+\5",
            b"time,value\n",
            b"-\n",
            b"- < x\n",
            b"- =",
        )
    ),
]


@pytest.mark.parametrize(("suffix", "content", "message"), NOT_CONTINUED)
def test_a_file_of_another_format_is_not_continued(tmp_path: Path, suffix: str, content: bytes, message: str) -> None:
    path = tmp_path / f"x{suffix}"
    path.write_bytes(content)
    with pytest.raises(CaptureError, match=re.escape(f"x{suffix}: ") + ".*" + re.escape(message)):
        write(path, CHUNKS[1:2], "ab+")
    assert path.read_bytes() == content


@pytest.mark.parametrize("name", NAMES)
def test_what_is_replaced_is_kept_until_the_first_chunk(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"x{name}"
    for old in (b"", b"neither a capture nor compressed"):
        for mode in ("ab+", "rb+"):
            path.write_bytes(old)
            with io.FileIO(path, mode) as file, write_capture(file, path.name, overwrite=True) as append:
                assert path.read_bytes() == old
                append(CHUNKS[1])
                append(CHUNKS[2])
            items = [item for item in read(path) if isinstance(item, Chunk)]
            assert len(items) == (2 if name in TIMED else 1)
            assert b"".join(item.data for item in items) == CHUNKS[1].data + CHUNKS[2].data
            content = path.read_bytes()
            with io.FileIO(path, mode) as file, write_capture(file, path.name, overwrite=True):
                pass
            assert path.read_bytes() == content


def test_a_missing_package_costs_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.rctcap.zst"
    write(path, CHUNKS)
    old = path.read_bytes()
    monkeypatch.setattr(compression_module, "find_spec", lambda _name: None)
    for overwrite in (False, True):
        with (
            io.FileIO(path, "ab+") as file,
            pytest.raises(CaptureError, match=r"x\.rctcap\.zst: Zstandard needs a package"),
            write_capture(file, path.name, overwrite=overwrite),
        ):
            pass
    assert path.read_bytes() == old


class Unreadable(io.RawIOBase):
    """A file on a disk that is worn out: its end cannot be read."""

    def __init__(self, content: bytes) -> None:
        self._content = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        count = self._content.readinto(buffer)
        if not count:
            raise OSError(errno.EIO, "Input/output error")
        return count


@pytest.mark.parametrize("name", NAMES)
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"x{name}"
    data = b"".join(chunk.data for chunk in CHUNKS)
    write(path, CHUNKS if name in TIMED else [Chunk(NOW, RECEIVED, data)])
    whole = read(path)
    items: list[CaptureItem] = []
    with pytest.raises(CaptureError, match=rf"^x{name}: input/output error$"):
        items.extend(read_capture(Unreadable(path.read_bytes()), path.name, PORT))
    assert items == whole


class FullDisk(io.RawIOBase):
    """A file on a disk with room for so many bytes."""

    def __init__(self, room: int) -> None:
        self.content = b""
        self._room = room

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        if not self._room:
            raise OSError(errno.ENOSPC, "No space left on device")
        part = bytes(data[: self._room])
        self._room -= len(part)
        self.content += part
        return len(part)


@pytest.mark.parametrize("name", NAMES)
def test_a_full_disk_is_named_and_said_once(name: str) -> None:
    chunks = [Chunk(NOW + i, RECEIVED, b"%d" % i) for i in range(20)]
    whole = FullDisk(1 << 20)
    write_to(whole, f"x{name}", chunks)
    for room in range(len(whole.content)):
        disk = FullDisk(room)
        with pytest.raises(OSError, match=rf"^\[Errno {errno.ENOSPC}\] No space left on device: 'x{name}'$") as caught:
            write_to(disk, f"x{name}", chunks)
        assert caught.value.__cause__, "it is that of the write"
        assert caught.value.__context__ is caught.value.__cause__
        assert caught.value.__cause__.__context__ is None
        assert disk.content == whole.content[:room]


@pytest.mark.parametrize("error", [OSError(errno.ECONNRESET, "reset"), CaptureError("y: of another file")])
def test_what_fails_elsewhere_is_not_blamed_on_the_file(error: Exception) -> None:
    def receive() -> Iterator[Chunk]:
        yield CHUNKS[0]
        raise error

    disk = FullDisk(1 << 20)
    with pytest.raises(type(error)) as caught:
        write_to(disk, "x.rctcap.gz", receive())
    assert caught.value is error
    assert gzip.decompress(disk.content), "it was finished"


@pytest.mark.skipif(not hasattr(os, "set_blocking"), reason="pipes always block here")
def test_a_pipe_that_is_full_is_an_error() -> None:
    """And not a loop without an end, when it was told not to block."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with io.FileIO(reader), io.FileIO(writer, "w") as target, pytest.raises(BlockingIOError, match="too slow"):
        write_all(target, bytes(10_000_000))


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_file_holds_nothing(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"x{name}"
    path.touch()
    assert read(path) == []


def test_any_other_name_is_raw() -> None:
    assert find_format("DUMP") is find_format("dump.dat") is find_format("x.BIN") is find_format("x.bin.gz")
    assert find_format("2026.11.22.RCTCAP.gz") is find_format("x.rctcap") is not find_format("x.bin")


# --- .rctcap --------------------------------------------------------------------------------------------------------

LINES = [  # a line, and the chunk in it
    ("2026-11-22T09:00:47.149000001+00:00 < 002b05", Chunk(NOW, RECEIVED, b"\0+\x05")),
    ("2026-11-22T10:00:47.149000001+01:00 > 2B", Chunk(NOW, SENT, b"+")),
    ("2026-11-22T09:00:47Z <12 00", Chunk(NOW // 10**9 * 10**9, RECEIVED, b"\0", 12)),
    ("2026-11-22T09:00:47.1Z < 00\r", Chunk(NOW // 10**9 * 10**9 + 10**8, RECEIVED, b"\0")),
    ("- < 00", Chunk(0, RECEIVED, b"\0")),
    ("1970-01-01T00:00:00.000000001Z < 00", Chunk(1, RECEIVED, b"\0")),
    ("2262-04-11T23:47:16.854775807Z < 00", Chunk(END_OF_TIME - 1, RECEIVED, b"\0")),
]
NO_LINES = [
    "2026-11-22T09:00:47.149000001 < 00",  # no offset: whose time?
    "2026-11-22T09:00:47+00:00 < 0",
    "2026-11-22T09:00:47+00:00 <",
    "2026-11-22T09:00:47+00:00  < 00",
    "2026-13-22T09:00:47+00:00 < 00",
    "2026-11-22T09:00:47+00:00 = 00",
    "2026-11-22T09:00:47+00:00 < 0x00",
    "2026-11-22T09:00:47+00:00 < 00 00",
    "2026-11-22T09:00:47+25:00 < 00",
    "1969-12-31T23:59:59.999999999Z < 00",
    "2262-04-11T23:47:16.854775808Z < 00",  # 64 bits
    "9999-12-31T23:59:59Z < 00",
    "noise",
]


@pytest.mark.parametrize(("line", "chunk"), LINES)
def test_lines(tmp_path: Path, line: str, chunk: Chunk) -> None:
    path = tmp_path / "x.rctcap"
    path.write_text(f"# a comment\n\n{line}\n", newline="")
    assert read(path) == [chunk]


@pytest.mark.parametrize("line", NO_LINES)
def test_damaged_lines_are_named_and_left_out(tmp_path: Path, line: str) -> None:
    path = tmp_path / "x.rctcap"
    path.write_bytes(f"- < 00\n{line}\n- > 01\n- < 02".encode())
    assert read(path) == [
        Chunk(0, RECEIVED, b"\0"),
        Damage(7, "line 2 holds no chunk"),
        Chunk(0, SENT, b"\1"),
        Damage(7 + len(line) + 1 + 7, "line 4 holds no chunk and has no end"),
    ]


def test_another_kind_of_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.rctcap"
    path.write_text("time,value\n1,2\n3,4\n")
    with pytest.raises(CaptureError, match=r"x\.rctcap: its first lines hold no chunks"):
        read(path)


def test_comments_are_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "x.rctcap"
    path.write_bytes(b"# a header\n\n#\n# of a tool\nnoise\n\nmore\n- < 00\n# noise\nnoise\n- < 01\n")
    assert read(path) == [
        Damage(26, "line 5 holds no chunk"),
        Damage(33, "line 7 holds no chunk"),
        Chunk(0, RECEIVED, b"\0"),
        Damage(53, "line 10 holds no chunk"),
        Chunk(0, RECEIVED, b"\1"),
    ]
    path.write_bytes(b"# a header\nnoise\nnoise\n# a comment\nnoise\n- < 00\n")
    with pytest.raises(CaptureError, match=r"x\.rctcap: its first lines hold no chunks"):
        read(path)


def test_endless_lines_are_read_in_pieces(tmp_path: Path) -> None:
    """Each is one line, and no end of one is taken for a line."""
    path = tmp_path / "x.rctcap"
    endless, size = b"x" * (1 << 20), 1 << 20
    path.write_bytes(b"- < 00\n" + endless * 2 + b"- < 22\n" + b"- < 01\n#" + endless + b"x\n- < 02\n" + endless + b"x")
    assert read(path) == [
        Chunk(0, RECEIVED, b"\0"),
        Damage(7, "line 2 holds no chunk and has no end within 1 MiB"),
        Chunk(0, RECEIVED, b"\1"),
        Chunk(0, RECEIVED, b"\2"),
        Damage(7 + 2 * size + 7 + 7 + 1 + size + 2 + 7, "line 6 holds no chunk and has no end within 1 MiB"),
    ]
    path.write_bytes(bytes(3 << 20))
    with pytest.raises(CaptureError, match="its first lines hold no chunks"):
        read(path)


@pytest.mark.parametrize("time", [-1, END_OF_TIME, 10**30])
def test_times_that_do_not_fit(tmp_path: Path, time: int) -> None:
    with pytest.raises(CaptureError, match=rf"x\.rctcap: \.rctcap cannot hold the time {time} ns"):
        write(tmp_path / "x.rctcap", [Chunk(time, RECEIVED, b"+")])


def test_a_first_line_that_is_cut_off_is_continued(tmp_path: Path) -> None:
    path = tmp_path / "x.rctcap"
    for first in (CHUNKS[0], Chunk(0, RECEIVED, b"\0", 12)):
        write(path, [first], "w")
        line = path.read_bytes()
        for size in range(1, len(line)):
            path.write_bytes(line[:size])
            write(path, CHUNKS[1:2], "ab+")
            assert read(path)[1:] == CHUNKS[1:2]
    for comment in (b"# of a tool\n", b"\n\n", b"\r\n  # x\n", b"# of", b"Z < 0\n9\n "):
        path.write_bytes(comment)
        write(path, CHUNKS[1:2], "ab+")
        assert read(path)[-1:] == CHUNKS[1:2]


def test_large_chunks_are_several_lines(tmp_path: Path) -> None:
    path = tmp_path / "x.rctcap"
    write(path, [Chunk(NOW, SENT, bytes(600_000), 3)])
    items = read(path)
    assert {(item.time, item.direction, item.connection) for item in items if isinstance(item, Chunk)} == {
        (NOW, SENT, 3)
    }
    assert sum(len(item.data) for item in items if isinstance(item, Chunk)) == 600_000


def test_rctcap_is_made_for_grep(tmp_path: Path) -> None:
    path = tmp_path / "x.rctcap"
    write(path, CHUNKS)
    sent = [line for line in path.read_text().splitlines() if re.search(r" >\d* ", line)]
    assert sent == ["2026-11-22T09:00:47.149000001+00:00 > 2b0104", "2026-11-22T09:00:47.148999996+00:00 >1 0a"]


@given(st.integers(0, 253_402_300_799_999_999_999))
def test_times_both_ways(time: int) -> None:
    assert parse_iso_time(iso_time(time)) == time


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [1, 100])
def test_what_has_no_name_is_known_by_its_beginning(tmp_path: Path, name: str, size: int) -> None:
    """As it comes through a pipe, at times in small pieces."""
    path = tmp_path / f"x{name}"
    raw = [chunk for chunk in CHUNKS if chunk.direction is RECEIVED and not chunk.connection]
    write(path, CHUNKS if name in TIMED else raw)

    class Pipe(io.FileIO):
        def read(self, wanted: int | None = -1, /) -> bytes:
            return super().read(size if wanted is None or wanted < 0 else min(size, wanted)) or b""

    with Pipe(path) as file:
        items = list(read_capture(file, "-", PORT))
    if name in TIMED:
        assert items == CHUNKS
    else:
        assert b"".join(item.data for item in items if isinstance(item, Chunk)) == b"".join(chunk.data for chunk in raw)


def test_reading_can_end_after_the_file_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "x.rctcap"
    write(path, CHUNKS)
    with io.FileIO(path) as file:
        items = read_capture(file, path.name, PORT)
        assert next(items) == CHUNKS[0]
    assert isinstance(items, Generator)
    items.close()


SIZES = [("100MB", 100_000_000), ("1.5 GiB", 3 * 512 * 1024**2), ("7b", 7), (" 2 kB ", 2000), ("0B", 0)]


@pytest.mark.parametrize(("text", "size"), SIZES)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "5", "MB", "-1MB", "1 TB", "1e3B", "1,5MB"])
def test_no_sizes(text: str) -> None:
    with pytest.raises(ConfigError, match="is not a size; expected a number and one of B, kB, MB"):
        parse_size(text)
