"""History as a picture, by Matplotlib."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

from rct_tools.clock import Clock
from rct_tools.errors import ConfigError
from rct_tools.history import HistoryRow
from rct_tools.historyformats import Layout
from rct_tools.plot import check_plot, draw
from rct_tools.series import find_series
from rct_tools.times import SECOND

BERLIN = Clock.of("Europe/Berlin")
LAYOUT = Layout("minutes", find_series("minutes"), BERLIN)
AUTUMN = 1_729_990_800 * SECOND
ROWS = [
    HistoryRow(AUTUMN + number * 300 * SECOND, {"SOC": 0.5 + number / 500, "Pload": 300 + 50 * math.sin(number / 9)})
    for number in range(-100, 100)
    if not 20 < number < 50
]


def test_a_png(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    draw(path, LAYOUT, ROWS)
    assert path.read_bytes().startswith(b"\x89PNG")
    assert path.stat().st_size > 20_000
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]


def test_an_svg_has_a_line_for_each_series_that_is_cut_where_rows_are_missing(tmp_path: Path) -> None:
    import matplotlib as mpl

    path = tmp_path / "a.SVG"
    layout = LAYOUT._replace(series=find_series("minutes", ["eload"]))
    with mpl.rc_context({"svg.fonttype": "none"}):
        draw(path, layout, ROWS)
    text = path.read_text("utf-8")
    assert "<svg" in text
    assert all(f">{word}<" in text for word in ("Pload", "W", "Europe/Berlin"))
    (line,) = (d for d in re.findall(r'<path d="([^"]+)"', text) if d.count("L") > 10)
    assert line.count("M") == 2


@pytest.mark.parametrize("rows", [[], ROWS[:1], ROWS[:3]])
def test_a_picture_of_little(tmp_path: Path, rows: list[HistoryRow]) -> None:
    draw(tmp_path / "a.png", LAYOUT, rows)
    assert (tmp_path / "a.png").exists()


def test_another_suffix() -> None:
    with pytest.raises(ConfigError, match=r"a picture is one of \.png, \.svg"):
        check_plot(Path("a.pdf"))
