"""The command line: how long until it answers, beside the bare import of click."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bench import Measurement

RUNS: Final = 15


def measure(quick: bool) -> Iterator[Measurement]:
    """Compare medians of new processes, started in turns."""
    rct = shutil.which("rct", path=Path(sys.executable).parent)
    assert rct is not None, "the package must be installed, for its command to be there"
    ours, compared = [], []
    for _ in range(2 if quick else RUNS):
        ours.append(_timed(rct, "--help"))
        compared.append(_timed(sys.executable, "-c", "import click"))
    took, bare = statistics.median(ours), statistics.median(compared)
    yield Measurement(
        "rct --help", f"{took * 1000:.0f} ms", f"{bare * 1000:.0f} ms, import click", took / bare, at_most=3
    )


def _timed(*command: str) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began
