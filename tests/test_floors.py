"""Modules import from lower floors only: docs/architecture.md shows the house, FLOORS is its plan.

Run as a program, it prints the files of the floors without I/O: `make test` wants all of them covered.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SRC = Path(__file__).parent.parent / "src"

FLOORS = {
    "sentence": -1,  # below all: errors are made of them
    "errors": 0,
    "checksum": 0,
    "recent": 0,
    "frame": 1,
    "values": 1,
    "times": 1,
    "address": 1,
    "database": 1,
    "runs": 2,
    "objects": 2,
    "capture": 2,
    "newfile": 2,
    "clock": 2,
    "plain": 2,
    "parser": 3,
    "columns": 3,
    "privacy": 3,
    "display": 3,
    "bars": 3,
    "reading": 3,
    "plan": 3,
    "settings": 3,
    "components": 2,
    "paging": 3,
    "series": 3,
    "logged": 4,
    "gaps": 5,
    "groups": 4,
    "environment": 4,
    "schedule": 4,
    "vitals": 3,
    "metrics": 3,
    "good_runs": 4,
    "bulk": 5,
    "summary": 6,
    "export": 6,
    "survey": 7,
    "wireshark": 6,
    "stream": 4,
    "recording": 5,
    "redaction": 5,
    "proof": 5,
    "link": 4,
    "pace": 4,
    "turns": 4,
    "stubs": 4,
    "systemd": 4,
    "loopback": 4,
    "listening": 4,
    "exposition": 4,
    "spool": 4,
    "outbox": 5,
    "lineprotocol": 4,
    "textfile": 4,
    "homeassistant": 5,
    "sinks": 6,
    "question": 4,
    "questions": 5,
    "evidence": 5,
    "client": 6,
    "blocking": 7,
    "history": 7,
    "backfill": 8,
    "filler": 9,
    "setups": 9,
    "health": 7,
    "historyformats": 8,
    "historyfile": 9,
    "events": 8,
    "plot": 9,
    "inverter": 9,
    "poller": 7,
    "collector": 10,
    "proxy": 7,
    "examination": 6,
    "doctor": 7,
    "bundle": 7,
    "advice": 8,
    "heatmap": 8,
    "wording": 8,
    "live": 8,
    "top": 9,
    "simulator": 7,
    "writable": 4,
    "journal": 4,
    "wayback": 5,
    "writing": 7,
    "modes": 8,
    "steering": 9,
    "web": 10,
    "config": 11,
    "status": 11,
    "starter": 11,
    "shard": 11,
    "service": 12,
    "rehearsal": 12,
    "cli": 13,
    "__init__": 14,  # the public names: for users only
    "__main__": 14,
}
PURE = 3  # up to here there is no I/O, and no clock
IMPURE = {"asyncio", "socket", "logging", "time"}
# Inside a package only __init__ imports its siblings. These stand on stairs: each may import those named before it, and
# files that are not named stand at the top of the stairs.
STAIRS = {
    "values": ("datatype", "scalar"),
    "capture": ("chunk", "compression", "ip", "tcp", "packets"),
    "spool": ("age", "row", "file"),
    "outbox": ("lane", "settled", "trouble", "memory", "disk"),
    "health": ("answers",),
    "top": (
        *("source", "page", "inverter", "recorded", "collected", "drawn", "flow", "curves", "facts", "head", "help"),
        *("objects", "today"),
    ),
    "homeassistant": ("totals", "views", "entities", "commands", "inverter"),
    "cli": (
        "run",
        "options",
        "output",
        "progress",
        "rows",
        "serving",
        "captures",
        "listing",
        "traffic",
        "flows",
        "health",
        "write",
        "screen",
        "collect",
        "chart",
    ),
    "sinks": ("topics", "broker", "account", "answer", "influxserver", "past", "hours"),
    "steering": ("order", "commands", "foresight", "permission", "telling"),
    "web": (
        *("door", "tariff", "table", "newest", "browsers", "password", "logins", "slots", "bill", "store", "logbook"),
        *("documents", "files", "answers", "connection", "desk", "spread", "past", "control"),
    ),
    "proxy": ("access", "setup", "complaints", "tally", "tap", "desk"),
    "simulator": (
        *("noise", "sky", "household", "battery", "control", "house", "history", "objects", "identity", "broadcast"),
        *("faults", "damage", "truth", "trouble", "firmware", "line", "server", "recorded"),
    ),
}

ROOT = SRC / "rct_tools"
FILES = sorted(ROOT.rglob("*.py"))


def room(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").parts[0]


def imports(path: Path, source: str) -> Iterator[str]:
    """Yield the full names of what a file imports, also inside functions: "rct_tools.capture.Chunk"."""
    package = path.relative_to(SRC).parent.parts
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) + 1 - node.level] if node.level else ()
            yield from (".".join(filter(None, [*start, node.module, alias.name])) for alias in node.names)


def is_allowed(path: Path, name: str) -> bool:
    """Tell whether the plan lets a file import what has this full name."""
    top, *parts = name.split(".")
    here, there = room(path), parts[0] if parts else "__init__"
    if top != "rct_tools":
        return FLOORS[here] > PURE or top not in IMPURE
    if there == here and path.parent != ROOT:
        siblings = {file.stem for file in path.parent.iterdir()} & set(parts[1:2])
        stairs = STAIRS.get(here, ())
        below = stairs[: stairs.index(path.stem)] if path.stem in stairs else stairs
        return path.stem == "__init__" or siblings <= set(below)
    return FLOORS.get(there, FLOORS["__init__"]) < FLOORS[here]


def test_every_module_has_a_floor() -> None:
    assert {room(path) for path in FILES} <= FLOORS.keys()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imports_go_down(path: Path) -> None:
    assert [name for name in imports(path, path.read_text("utf-8")) if not is_allowed(path, name)] == []


RULES = [  # file, what it imports, whether it may
    ("client.py", "from rct_tools.frame import Frame", True),
    ("client.py", "from rct_tools import frame", True),
    ("client.py", "import asyncio", True),
    ("frame.py", "from rct_tools.values import DataType", False),  # sideways
    ("frame.py", "from .objects import registry", False),  # up
    ("frame.py", "def read(): import rct_tools.client", False),
    ("frame.py", "import time", False),
    ("frame.py", "from asyncio.streams import StreamReader", False),
    ("cli/__init__.py", "from rct_tools import registry", False),  # the public names are for users
    ("cli/__init__.py", "import rct_tools", False),
    ("capture/__init__.py", "from rct_tools.capture.raw import RawReader", True),
    ("capture/raw.py", "from rct_tools.capture import Chunk", True),
    ("capture/raw.py", "from . import Chunk", True),
    ("capture/raw.py", "from rct_tools.capture.__init__ import Chunk", False),
    ("capture/raw.py", "from rct_tools.parser import FrameParser", False),
    ("sinks/lines.py", "from rct_tools.sinks.sqlite import SqliteSink", False),
    ("simulator/house.py", "from rct_tools.simulator.sky import Sky", True),
    ("simulator/sky.py", "from rct_tools.simulator import house", False),
    ("cli/read.py", "from rct_tools.cli.options import host_option", True),
    ("cli/read.py", "from rct_tools.cli.objects import objects", False),
]


@pytest.mark.parametrize(("file", "source", "allowed"), RULES)
def test_rules(file: str, source: str, allowed: bool) -> None:
    path = ROOT / file
    assert all(is_allowed(path, name) for name in imports(path, source)) == allowed


if __name__ == "__main__":
    print(",".join(str(path) for path in FILES if FLOORS[room(path)] <= PURE))
