"""The journal of writes: lines are added and stay, whatever was there before, and are read from the end."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rct_tools import journal
from rct_tools.journal import Journal
from rct_tools.times import SECOND, iso_time


def begin(time: int, inverter: str = "A", name: str = "x", event: str = "begin") -> dict[str, str]:
    return {"time": iso_time(time * SECOND), "event": event, "inverter": inverter, "object": name}


def test_lines_are_added(tmp_path: Path) -> None:
    file = Journal(tmp_path / "new" / "writes.jsonl")
    assert list(file.newest_first()) == []
    for n in range(3):
        file.add({"n": n, "text": "ä\n"})
    assert [entry["n"] for entry in file.newest_first()] == [2, 1, 0]
    assert file.path.read_bytes().count(b"\n") == 3
    assert os.name == "nt" or stat.S_IMODE(file.path.stat().st_mode) == 0o600


def test_a_line_that_was_cut_spoils_no_other(tmp_path: Path) -> None:
    file = Journal(tmp_path / "writes.jsonl")
    file.add({"n": 1})
    with file.path.open("ab") as raw:
        raw.write(b'{"n": 2, "tex')
    file.add({"n": 3})
    with file.path.open("ab") as raw:
        raw.write(b'[1]\n\xff\n"x"\n')
    assert [entry["n"] for entry in file.newest_first()] == [3, 1]


def test_what_was_written_of_late_is_counted(tmp_path: Path) -> None:
    file = Journal(tmp_path / "writes.jsonl")
    for entry in (
        begin(100), begin(200), begin(250, "B"), begin(260, name="y"), begin(270, event="end"), {"time": 5}, begin(300),
    ):  # fmt: skip
        file.add(entry)
    assert file.begun("A", "x", 150 * SECOND, 300 * SECOND) == 2
    assert file.begun("A", "x", 0, 300 * SECOND) == 3
    assert file.begun("A", "x", 0, 299 * SECOND) == 2  # a clock was set back since
    assert file.begun("A", "x", 301 * SECOND, 400 * SECOND) == 0


def test_no_more_is_read_than_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "_BLOCK", 256)
    file = Journal(tmp_path / "writes.jsonl")
    for time in range(100):
        file.add(begin(time))
    file.path.write_bytes(b"\0" * 10_000 + b"\n" + file.path.read_bytes())  # which would be seen as damage only
    assert file.begun("A", "x", 90 * SECOND, 100 * SECOND) == 10


def test_a_file_without_lines_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "_LONGEST", 1 << 17)
    file = Journal(tmp_path / "writes.jsonl")
    file.path.write_bytes(b"x" * (1 << 20))
    assert list(file.newest_first()) == []


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(max_size=40), max_size=30), st.integers(1, 64))
def test_blocks_do_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, texts: list[str], block: int) -> None:
    monkeypatch.setattr(journal, "_BLOCK", block)
    file = Journal(tmp_path / "writes.jsonl")
    file.path.unlink(missing_ok=True)
    for text in texts:
        file.add({"text": text})
    found = [entry["text"] for entry in file.newest_first()]
    assert found == [text.encode(errors="replace").decode() for text in reversed(texts)]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such device")
def test_a_full_disk_is_an_error() -> None:
    with pytest.raises(OSError, match="No space left"):
        Journal(Path("/dev/full")).add({"n": 1})
