"""The pages in docs/ that are written from the code say what the code says."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path

import msgspec
import pytest

from rct_tools.cli import COMMANDS
from rct_tools.config import parse_config
from rct_tools.objects import registry
from rct_tools.proxy.table import ProxyTable
from rct_tools.sinks import SINKS, sink_keys

DOCS = Path(__file__).parent.parent / "docs"
sys.path.insert(0, str(DOCS))  # as for a program there
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


def test_examples_of_configurations_are_right() -> None:
    examples = re.findall("```toml\n(.*?)```", PAGES["configuration.md"](), re.DOTALL)
    assert examples
    for text in examples:
        setup = parse_config(text, "configuration.md", {}).setup
        assert setup.inverters
        assert len(setup.sinks) == max(1, text.count("[[sink]]"))
        assert len([inverter for inverter in setup.inverters if inverter.proxy]) == text.count("[[proxy]]")


def test_every_sink_and_every_key_is_there() -> None:
    page = PAGES["configuration.md"]()
    for scheme, kind in SINKS.items():
        assert kind.form in page
        for key in sink_keys(f"{scheme}:") - {"url"}:
            assert f"| `{key}` |" in page
    assert all(f"| `{field.encode_name}` |" in page for field in msgspec.structs.fields(ProxyTable))
