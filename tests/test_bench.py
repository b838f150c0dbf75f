"""The benchmarks run. What they measure is for a quiet machine, and for people to read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_every_part_gives_its_lines() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--quick"], cwd=ROOT, capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stderr
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in done.stdout.splitlines() if "|" in line]
    head, _, *lines = rows
    assert head == ["what", "RCT Tools", "compared to", "ratio", "goal", ""]
    beginnings = (
        *("collect 30 objects", "parse 3,000 frames, one chunk", "2 MB to columns", "clean: find 200 intact frames"),
        *("read 20 objects", "through the spool", "drain ", "rct --help"),
    )
    for beginning in beginnings:
        assert any(line[0].startswith(beginning) for line in lines), beginning
    for what, _, _, ratio, goal, verdict in lines:
        bound = float(goal[1:])
        met = float(ratio) >= bound if goal[0] == "≥" else float(ratio) <= bound
        # A ratio that is shown as the goal may have been rounded to it.
        assert verdict == ("met" if met else "MISSED") or float(ratio) == bound, what
