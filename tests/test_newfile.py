"""A new file is there as a whole, or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from rct_tools.newfile import new_file

OLD = [None, b"precious"]  # what was there before


def put(path: Path, old: bytes | None) -> list[Path]:
    """Make the old file, and return what is in the folder then."""
    if old is not None:
        path.write_bytes(old)
    return sorted(path.parent.iterdir())


@pytest.mark.parametrize("old", OLD)
def test_it_is_there_when_it_is_whole(old: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "new.bin"
    put(path, old)
    with new_file(path) as part:
        part.write_bytes(b"new")
        assert (path.read_bytes() if path.exists() else None) == old
        assert part.parent == tmp_path.resolve()  # on the same disk
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_it_is_on_the_disk_before_an_old_one_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "new.bin"
    synced: list[bytes] = []

    def watched(_descriptor: int) -> None:
        assert path.read_bytes() == b"precious"
        synced.append(path.with_name(".new.bin.part").read_bytes())

    monkeypatch.setattr(os, "fsync", watched)
    put(path, b"precious")
    with new_file(path) as part, part.open("wb") as file:
        file.write(b"new")
    assert synced == [path.read_bytes()] == [b"new"]


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("failure", [ValueError("no"), KeyboardInterrupt(), OSError(errno.ENOENT, "no", "other.bin")])
@pytest.mark.parametrize("old", OLD)
def test_nothing_is_left_of_a_failure(old: bytes | None, failure: BaseException, begun: bool, tmp_path: Path) -> None:
    path = tmp_path / "new.bin"
    before = put(path, old)
    with pytest.raises(type(failure)) as caught, new_file(path) as part:  # noqa: PT012  # it begins, and fails
        if begun:
            part.write_bytes(b"half")
        raise failure
    assert caught.value is failure
    assert sorted(tmp_path.iterdir()) == before
    assert old is None or path.read_bytes() == old


def test_errors_name_the_file_that_was_given(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "new.bin"
    with pytest.raises(FileNotFoundError) as caught, new_file(path) as part:
        part.write_bytes(b"")
    assert caught.value.filename == str(path)
    path = tmp_path / "new.bin"
    with pytest.raises(OSError, match="no space left") as full, new_file(path) as part:
        raise OSError(errno.ENOSPC, "no space left")
    assert full.value.filename == str(path)
    with pytest.raises(OSError, match="a message alone") as plain, new_file(path) as part:
        raise OSError("a message alone")
    assert plain.value.filename == str(path)
    path.mkdir()
    with pytest.raises(OSError) as folder, new_file(path) as part:  # noqa: PT011  # the system words it
        part.write_bytes(b"new")
    assert folder.value.filename == str(path)
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_goes_on_to_point_there(tmp_path: Path) -> None:
    real, link = tmp_path / "real.bin", tmp_path / "link.bin"
    real.write_bytes(b"old")
    link.symlink_to(real)
    with new_file(link) as part:
        part.write_bytes(b"new")
    assert link.is_symlink()
    assert real.read_bytes() == b"new"
