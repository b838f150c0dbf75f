"""What is to be put back: whole on disk or not at all, for one program at a time."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from rct_tools.errors import NotNow, RctError
from rct_tools.objects import registry
from rct_tools.wayback import Change, WayBack, WayBacks

LEAST = "power_mng.soc_min"
STRATEGY = "power_mng.soc_strategy"
WAY_BACK = WayBack(
    "A1", "192.0.2.7:8899", "hold", 4711, 1_800_000_000_000_000_001, None,
    (
        Change(registry[LEAST], 0.07000000029802322, 0.75),
        Change(registry[STRATEGY], 4, 2),
    ),
)  # fmt: skip


def test_it_comes_back_as_it_was(tmp_path: Path) -> None:
    files = WayBacks(tmp_path / "new")
    assert files.load("A1") is None
    for way_back in (WAY_BACK, replace(WAY_BACK, until=WAY_BACK.began + 5)):
        files.save(way_back)
        assert files.load("A1") == way_back
        assert '"shown": "2 External"' in files.path("A1").read_text("utf-8")  # what people may have to set by hand
    assert files.load("B") is None
    files.forget("A1")
    files.forget("A1")
    assert files.load("A1") is None
    assert list((tmp_path / "new").iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="nobody says what a descriptor is")
def test_a_power_failure_leaves_it_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    fsync, replace_file = os.fsync, Path.replace

    def watched(descriptor: int) -> None:
        done.append(f"sync {Path(f'/proc/self/fd/{descriptor}').resolve().name}")
        fsync(descriptor)

    def replaced(path: Path, target: Path) -> Path:
        done.append(f"rename {path.name} {target.name}")
        return replace_file(path, target)

    monkeypatch.setattr(os, "fsync", watched)
    monkeypatch.setattr(Path, "replace", replaced)
    WayBacks(tmp_path).save(WAY_BACK)
    WayBacks(tmp_path).forget("A1")
    name, part = "way-back-A1.json", ".way-back-A1.json.part"
    assert done == [f"sync {part}", f"rename {part} {name}", f"sync {tmp_path.name}", f"sync {tmp_path.name}"]


@pytest.mark.parametrize("serial", ["../../etc/x", "", ".", "ä/ö", "a b\0"])
def test_any_serial_number_has_a_file_of_its_own(tmp_path: Path, serial: str) -> None:
    files = WayBacks(tmp_path / "here")
    files.save(replace(WAY_BACK, inverter=serial))
    assert [path.parent for path in tmp_path.rglob("*.json")] == [tmp_path / "here"]
    loaded = files.load(serial)
    assert loaded is not None
    assert loaded.inverter == serial


DAMAGE = [
    ("", "is damaged"),
    ("[]", "is damaged"),
    ("{}", "is damaged"),
    ("\ud800", "is damaged"),
    ('{"version": 2}', "of another version"),
]


@pytest.mark.parametrize(("text", "message"), DAMAGE)
def test_damage_is_said(tmp_path: Path, text: str, message: str) -> None:
    files = WayBacks(tmp_path)
    files.path("A1").write_bytes(text.encode(errors="surrogatepass"))
    with pytest.raises(RctError, match=message) as damaged:
        files.load("A1")
    assert str(files.path("A1")) in str(damaged.value)


CHANGES: list[tuple[str, object]] = [
    ("changes", [{"object": "nonsense", "before": {"payload": "00"}, "after": {"payload": "00"}}]),
    ("changes", [{"object": STRATEGY, "before": {"payload": "0000"}, "after": {"payload": "00"}}]),
    ("changes", [{"object": STRATEGY, "before": {"payload": "zz"}, "after": {"payload": "00"}}]),
    ("changes", [{"object": STRATEGY, "before": {"payload": "00"}}]),
    ("changes", [4]),
    ("changes", 4),
    ("began", "yesterday"),
    ("inverter", "B"),
    ("process", "x"),
]


@pytest.mark.parametrize(("key", "value"), CHANGES)
def test_what_makes_no_sense_is_damage(tmp_path: Path, key: str, value: object) -> None:
    files = WayBacks(tmp_path)
    files.save(WAY_BACK)
    path = files.path("A1")
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | {key: value}), "utf-8")
    with pytest.raises(RctError, match="is damaged"):
        files.load("A1")


def test_only_one_has_it(tmp_path: Path) -> None:
    files = WayBacks(tmp_path)
    with files.locked("A1"):
        with pytest.raises(NotNow, match="another program"), files.locked("A1"):
            pass
        files.save(WAY_BACK)
        with pytest.raises(NotNow, match="process 4711 keeps mode hold"), WayBacks(tmp_path).locked("A1"):
            pass
        with files.locked("B"):
            pass
    with files.locked("A1"):
        pass


def test_a_lock_that_cannot_be_is_said(tmp_path: Path) -> None:
    files = WayBacks(tmp_path)
    files.path("A1").with_suffix(".lock").mkdir()
    with pytest.raises(RctError, match="cannot be opened"), files.locked("A1"):
        pass
