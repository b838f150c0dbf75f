"""docs/commands.md and docs/objects.md say what the code says."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from rct_tools.cli import COMMANDS
from rct_tools.objects import registry

DOCS = Path(__file__).parent.parent / "docs"
PAGES = runpy.run_path(str(DOCS / "generate.py"))["PAGES"]


@pytest.mark.parametrize("name", PAGES)
def test_page_is_current(name: str) -> None:
    assert (DOCS / name).read_text("utf-8") == PAGES[name](), "run: python docs/generate.py"


def test_every_command_is_there() -> None:
    page = PAGES["commands.md"]()
    assert all(f"\n## rct {name}\n" in page for name in COMMANDS)


def test_every_object_is_there_once() -> None:
    rows = [line.split("|") for line in PAGES["objects.md"]().splitlines() if line.startswith("| `0x")]
    assert sorted(row[2].strip(" `") for row in rows) == sorted(info.name for info in registry)
