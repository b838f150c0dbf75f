"""Numbers drawn with letters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rct_tools.bars import bar, battery_way, curve, gauge, grid_way, kilowatt

BARS = [(0.0, ""), (0.5, "██"), (1.0, "████"), (0.03125, "▏"), (0.28125, "█▏"), (2.0, "████"), (-1.0, "")]


@pytest.mark.parametrize(("share", "drawn"), BARS)
def test_bar(share: float, drawn: str) -> None:
    assert bar(share, 4) == drawn


CURVES = [  # shares, height, lines
    ((0.0, 0.125, 0.5, 1.0), 1, [" ▁▄█"]),
    ((0.001, None, 2.0, -1.0), 1, ["▁ █ "]),
    ((0.25, 0.5, 0.75, 1.0), 2, ["  ▄█", "▄███"]),
    ((), 2, ["", ""]),
]


@pytest.mark.parametrize(("shares", "height", "lines"), CURVES)
def test_curve(shares: tuple[float | None, ...], height: int, lines: list[str]) -> None:
    assert list(curve(shares, height)) == lines


@given(st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False), max_size=20), st.integers(1, 9))
def test_a_curve_is_as_wide_and_high_as_wanted(shares: list[float | None], height: int) -> None:
    lines = list(curve(shares, height))
    assert [len(line) for line in lines] == [len(shares)] * height
    assert all(lines[-1][n] != " " for n, share in enumerate(shares) if share is not None and share > 0)


def test_words() -> None:
    assert gauge(0.631) == " 63.1% ████▍░░"
    assert kilowatt(8179.6) == "8.18 kW"
    assert [battery_way(power)[1] for power in (-500.0, 500.0, 19.0)] == ["charging", "discharging", "idle"]
    assert [grid_way(power) for power in (-500.0, 500.0, -19.0)] == [("→", "feed-in"), ("←", "import"), (" ", "idle")]
