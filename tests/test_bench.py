"""The benchmarks run. What they measure is for a quiet machine, and for people to read."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.timeout(1200)  # all of them, and others work beside it
def test_every_part_gives_its_lines() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--quick"], cwd=ROOT, capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stderr
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in done.stdout.splitlines() if "|" in line]
    head, _, *lines = rows
    assert head == ["what", "RCT Tools", "compared to", "ratio", "goal", ""]
    beginnings = (
        *("collect the default plan into SQLite, 0.1 h", "collect 30 objects/s into SQLite, 0.0083 h"),
        *("parse 3,000 frames, one chunk", "2 MB to columns", "clean: find 200 intact frames", "read 20 objects"),
        *("5 clients through the proxy, ", "5 loops of rctclient read-value", "one client, 30 % lost or late"),
        *("firmware 2.3.5673, ", "50 clients through the proxy, ", "delay of a read at 60 ms"),
        *("through the spool", "drain ", "SQLite, 1 a write", "a year, of", "Prometheus, an answer", "rct --help"),
    )
    on_linux = ("rct collect, 30 objects/s into SQLite", "rct collect, until its first value is stored")
    served = {"influxd": "InfluxDB 1.6, ", "victoria-metrics": "VictoriaMetrics, ", "mosquitto": "MQTT, on change, "}
    servers = tuple(beginning for program, beginning in served.items() if shutil.which(program))
    for beginning in beginnings + servers + on_linux * (sys.platform == "linux"):
        assert any(line[0].startswith(beginning) for line in lines), beginning
    for what, _, _, ratio, goal, verdict in lines:
        if not goal:
            assert not verdict
            continue
        bound = float(goal[1:])
        met = float(ratio) >= bound if goal[0] == "≥" else float(ratio) <= bound
        # A ratio that is shown as the goal may have been rounded to it.
        assert verdict == ("met" if met else "MISSED") or float(ratio) == bound, what
