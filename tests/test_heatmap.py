"""Cells as colours."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from rct_tools.errors import ConfigError, RctError
from rct_tools.health import Battery, Module, Tower
from rct_tools.heatmap import draw, shade
from rct_tools.values import Cell


def module(*volts: float, number: int = 0) -> Module:
    cells = tuple(Cell(20, volt, 0) for volt in volts) or None
    return Module(number, "SIM", 1, cells, (0.5,) * 24, None)


def tower(*modules: Module) -> Tower:
    numbers = (None,) * 9
    return Tower("SIM", None, None, *numbers[:5], None, None, *numbers[:4], modules=modules)


FLAT = tower(module(*[3.3] * 23, 3.302))
WIDE = tower(module(), module(*[3.3] * 12, *[3.0] * 12, number=1))
BATTERY = Battery(0, "192.0.2.7:8899", (FLAT, WIDE), (), "")


def test_colours_go_from_blue_to_orange() -> None:
    low, middle, high = (shade(volt, WIDE) for volt in (3.0, 3.15, 3.3))
    assert low[2] > low[0]
    assert high[0] > high[2]
    assert min(middle) > 200


def test_colours_of_cells_that_are_close_are_close() -> None:
    assert max(abs(a - b) for a, b in zip(shade(3.3, FLAT), shade(3.302, FLAT), strict=True)) < 40


@pytest.mark.parametrize(("name", "begin"), [("c.svg", b"<?xml"), ("c.PNG", b"\x89PNG")])
def test_a_picture_has_all_that_is_known(name: str, begin: bytes, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the extra plot is not installed")
    path = tmp_path / name
    draw(BATTERY, path)
    assert path.read_bytes().startswith(begin)
    if name == "c.svg":
        text = path.read_text("utf-8")
        for title in ("tower 0: voltage [mV]", "tower 1: temperature [°C]", "tower 1: resistance [mΩ]", "module 1"):
            assert f"<!-- {title} -->" in text
        assert (
            text.count("<!-- 3100 -->") == 1
        )  # on the scale of the second tower, though one of its modules is not known
    assert [each.name for each in tmp_path.iterdir()] == [name]


def test_one_tower_has_no_number(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the extra plot is not installed")
    draw(replace(BATTERY, towers=(WIDE,)), tmp_path / "c.svg")
    assert "<!-- voltage [mV] -->" in (tmp_path / "c.svg").read_text("utf-8")


def test_nothing_to_draw(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the extra plot is not installed")
    with pytest.raises(RctError, match=r"c\.svg: not written: 192\.0\.2\.7:8899 has no battery"):
        draw(replace(BATTERY, towers=()), tmp_path / "c.svg")
    assert not list(tmp_path.iterdir())


def test_without_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ConfigError, match=r"rct-tools\[plot\]"):
        draw(BATTERY, tmp_path / "c.svg")
