"""Run all parts and print one table."""

from __future__ import annotations

import argparse
import os
import platform
import sys

from rich import box
from rich.console import Console
from rich.table import Table

from bench import memory, parsing, reading, starting

# Memory first: what the others leave behind would hide what it looks for.
PARTS = {"memory": memory, "parsing": parsing, "reading": reading, "starting": starting}


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m bench", description="Speed and size, beside those of peers.")
    arguments.add_argument("--quick", action="store_true", help="a smoke test: short, its numbers mean little")
    quick = arguments.parse_args().quick
    table = Table("what", "RCT Tools", "compared to", "ratio", "goal", "", box=box.MARKDOWN)
    for name, part in PARTS.items():
        print(f"measuring {name} …", file=sys.stderr, flush=True)
        for line in part.measure(quick):
            table.add_row(line.what, line.ours, line.compared, f"{line.ratio:.3g}", line.goal, line.verdict)
    console = Console(width=160)
    console.print(table)
    console.print(f"Python {platform.python_version()}, {os.cpu_count()} cores{', --quick' * quick}", highlight=False)


if __name__ == "__main__":
    main()
