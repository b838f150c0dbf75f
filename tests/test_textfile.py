"""Text files that grow by whole lines."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from rct_tools.errors import SinkError
from rct_tools.textfile import TextFile, compress, line_heads
from rct_tools.times import SECOND

HEADER = b"a,b\n"
NOON = 1_782_043_200 * SECOND  # 2026-06-21 12:00 UTC


def open_file(path: Path) -> TextFile:
    return TextFile(path, begins=HEADER, header=HEADER)


@pytest.mark.parametrize(
    ("before", "after", "cut"),
    [
        (None, b"a,b\n5,6\n", 0),
        (b"", b"a,b\n5,6\n", 0),
        (b"a,", b"a,b\n5,6\n", 2),  # a header that was not finished
        (b"a,b\n", b"a,b\n5,6\n", 0),
        (b"a,b\n1,2\n", b"a,b\n1,2\n5,6\n", 0),
        (b"a,b\n1,2\n3,", b"a,b\n1,2\n5,6\n", 2),
        (b"a,b\n" + b"x" * 200_000, b"a,b\n5,6\n", 200_000),
    ],
)
def test_lines_stay_whole(before: bytes | None, after: bytes, cut: int, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    if before is not None:
        path.write_bytes(before)
    file = open_file(path)
    file.append(b"5,6\n")
    file.close()
    assert path.read_bytes() == after
    assert file.cut == cut


@pytest.mark.parametrize("content", [b"A,B\n", b"hello", b"a;b\n1;2\n"])
def test_file_of_another_kind_is_left_alone(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    with pytest.raises(SinkError, match=r"x\.csv: a file of another kind; it is left alone") as caught:
        open_file(path)
    assert caught.value.permanent
    assert path.read_bytes() == content


def test_file_that_was_moved_or_deleted_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    file = open_file(path)
    file.append(b"1,2\n")
    path.rename(tmp_path / "moved")
    file.append(b"3,4\n")
    path.unlink()
    file.append(b"5,6\n")
    file.close()
    assert (tmp_path / "moved").read_bytes() == b"a,b\n1,2\n"
    assert path.read_bytes() == b"a,b\n5,6\n"


def test_what_was_added_can_be_taken_back(tmp_path: Path) -> None:
    file = open_file(tmp_path / "x.csv")
    assert (file.size, file.append(b"1,2\n"), file.size) == (0, 4, 4)
    file.take_back(file.append(b"3,4\n"))
    assert file.size == 4
    file.close()
    assert file.size == file.written == 0
    assert file.path.read_bytes() == b"a,b\n1,2\n"


def test_files_that_are_put_aside_never_replace_another(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    (tmp_path / "x-20260621T120000Z.csv.gz").write_bytes(b"mine")
    (tmp_path / "x-20260621T120000Z_3.csv").write_bytes(b"mine, too")
    file = open_file(path)
    names = []
    for n in range(3):
        file.append(b"%d,2\n" % n)
        os.utime(path, ns=(NOON, NOON))
        names.append(file.put_aside())
    file.append(b"9,9\n")
    file.close()
    assert [name.name for name in names] == [f"x-20260621T120000Z_{n}.csv" for n in (2, 4, 5)]
    assert [name.read_bytes() for name in names] == [b"a,b\n%d,2\n" % n for n in range(3)]
    assert path.read_bytes() == b"a,b\n9,9\n"
    assert (tmp_path / "x-20260621T120000Z.csv.gz").read_bytes() == b"mine"


def test_compressed_file_takes_the_place_of_its_original(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b"a,b\n" * 1000)
    (tmp_path / ".x.csv.gz.part").write_bytes(b"left by a program that was killed")
    packed = compress(path)
    assert packed == tmp_path / "x.csv.gz"
    assert gzip.decompress(packed.read_bytes()) == b"a,b\n" * 1000
    assert list(tmp_path.iterdir()) == [packed]


@pytest.mark.parametrize("piece", [1, 2, 5, 7, 1000])
def test_lines_are_found_whole_whatever_the_pieces(piece: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rct_tools.textfile._PIECE", piece)
    path = tmp_path / "x"
    path.write_bytes(b"t1,a,b,a,\nt2,b,\nx3,a,\n\nt4,a,\nt5,a")
    assert list(line_heads(path, b"t", [b",a,"])) == [(b",a,", b"1"), (b",a,", b"4")]
    assert list(line_heads(path, b"t", [])) == []
    assert [head for _, head in line_heads(compress(path), b"t", [b",a,", b",x,"])] == [b"1", b"4"]
    assert list(line_heads(tmp_path / "nowhere", b"t", [b",a,"])) == []
    assert list(line_heads(path, b"t", [b",a,"], lambda: True)) == []


def test_folder_that_does_not_exist_is_said(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match=r"nowhere.x\.csv: cannot be written: No such file"):
        open_file(tmp_path / "nowhere" / "x.csv")
