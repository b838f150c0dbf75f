"""docs/simulator.md says what the simulator does: its tables, its script, its log, its Python."""

from __future__ import annotations

import asyncio
import json
import re
import textwrap

import pytest

from rct_tools.simulator import Happened
from rct_tools.simulator.faults import FAULTS
from rct_tools.simulator.firmware import FIRMWARE
from rct_tools.simulator.scenario import EVENTS, parse_script

from programs import ROOT

PAGE = (ROOT / "docs/simulator.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(f"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_every_fault_is_there_with_its_meaning() -> None:
    rows = [f"| `{name}` | {fault.range} | {fault.meaning} |\n" for name, fault in FAULTS.items()]
    assert all(row in PAGE for row in rows), "".join(rows)
    assert all(f"| **{fault.scope.value}** |" in PAGE for fault in FAULTS.values())


def test_every_profile_is_there() -> None:
    rows = [f"| `{name}` | {version.meaning} | `{version.faults}` |\n" for name, version in FIRMWARE.items()]
    assert all(row in PAGE for row in rows), "".join(rows)


def test_the_script_and_its_events() -> None:
    (script,) = blocks("toml")
    assert len(parse_script(script, "simulator.md")) == 3
    table = PAGE.partition("| event |")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == list(EVENTS)


def test_the_log() -> None:
    (line,) = blocks("json")
    known = json.loads(Happened(0.0, "cut", None, None, 0).as_json(0))
    assert json.loads(line).keys() == known.keys()
    assert all(f"| `{key}` |" in PAGE for key in known)


@pytest.mark.parametrize("source", blocks("python"))
def test_the_python(source: str) -> None:
    names: dict[str, object] = {}
    exec("async def main():\n" + textwrap.indent(source, "    "), names)  # the point of the test
    asyncio.run(names["main"]())  # type: ignore[operator]
