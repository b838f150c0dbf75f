"""Run all parts and print one table."""

from __future__ import annotations

import argparse
import os
import platform
import sys

from rich import box
from rich.console import Console
from rich.table import Table

from bench import browsers, bulk, collecting, memory, parsing, past, reading, recall, sharing, sinks, spool, starting

# Memory first: what the others leave behind would hide what it looks for.
PARTS = {
    "memory": memory,
    "parsing": parsing,
    "bulk": bulk,
    "recall": recall,
    "reading": reading,
    "sharing": sharing,
    "spool": spool,
    "sinks": sinks,
    "collecting": collecting,
    "past": past,
    "browsers": browsers,
    "starting": starting,
}


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m bench", description="Speed and size, beside those of peers.")
    arguments.add_argument("--quick", action="store_true", help="a smoke test: short, its numbers mean little")
    arguments.add_argument("parts", nargs="*", metavar="PART", help=f"some of {', '.join(PARTS)}; without, all")
    given = arguments.parse_args()
    quick: bool = given.quick
    if unknown := set(given.parts) - set(PARTS):
        arguments.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    table = Table("what", "RCT Tools", "compared to", "ratio", "goal", "", box=box.MARKDOWN)
    for name in given.parts or PARTS:
        print(f"measuring {name} …", file=sys.stderr, flush=True)
        for line in PARTS[name].measure(quick):
            table.add_row(line.what, line.ours, line.compared, f"{line.ratio:.3g}", line.goal, line.verdict)
    console = Console(width=200)
    console.print(table)
    console.print(f"Python {platform.python_version()}, {os.cpu_count()} cores{', --quick' * quick}", highlight=False)


if __name__ == "__main__":
    main()
