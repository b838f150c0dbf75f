"""docs/steering.md says what is so: its tables, its commands and their output, its record, its Python."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import sys
from pathlib import Path

import pytest
from test_docs_readme import HOST, shape

from rct_tools.modes import MODES
from rct_tools.simulator import Simulator
from rct_tools.writable import WRITABLE
from rct_tools.writing import MOST_AN_HOUR, PROOF, TRIES

from programs import ROOT, finish, run

PAGE = (ROOT / "docs/steering.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(f"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_what_may_be_written_is_there() -> None:
    rows = [f"| `{it.info.name}` | {it.range} | {it.note} |\n".replace("  ", " ") for it in WRITABLE.values()]
    assert "".join(rows) in PAGE


def test_the_modes_are_there() -> None:
    for name, mode in MODES.items():
        (row,) = re.findall(rf"^\| `{name}` \|.*", PAGE, re.MULTILINE)
        assert f"| {mode.meaning} |" in row
        assert re.findall(r"`([a-z_]+\.\w+)`", row) == list(mode.steps)


def test_the_numbers() -> None:
    assert f"One object is written {MOST_AN_HOUR} times an hour at most" in PAGE
    assert f"read back {PROOF:g} s later" in PAGE
    assert TRIES == 16
    assert "sixteen times in all" in PAGE


@pytest.mark.parametrize("block", blocks("console"))
async def test_the_commands(tmp_path: Path, block: str) -> None:
    async with Simulator(port=0, broadcast=False) as simulator:
        for command, output in re.findall(r"^\$ rct (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE):
            args = shlex.split(command.replace(HOST, f"127.0.0.1 --port {simulator.port}"))
            done = await run("rct", *args, XDG_DATA_HOME=str(tmp_path))
            assert done.code == 0, done.err
            assert shape(output, tmp_path) == shape(done.out, tmp_path)


async def test_the_record(tmp_path: Path) -> None:
    (block,) = blocks("json")
    async with Simulator(port=0, broadcast=False) as simulator:
        where = ("--host", "127.0.0.1", "--port", simulator.port)
        await run("rct", "write", *where, "power_mng.soc_min", "20%", "--yes", XDG_DATA_HOME=str(tmp_path))
    record = (tmp_path / "rct-tools/steering/writes.jsonl").read_text("utf-8")
    changing = {"time", "process", "peer", "who"}
    for line, said in zip(record.splitlines(), block.splitlines(), strict=True):
        it, shown = json.loads(line), json.loads(said)
        assert list(it) == list(shown)
        assert {key: it[key] for key in it.keys() - changing} == {key: shown[key] for key in shown.keys() - changing}


async def test_the_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (source,) = blocks("python")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    async with Simulator(port=0, broadcast=False) as simulator:
        source = source.replace(f'connect("{HOST}"', f'connect("127.0.0.1", {simulator.port}')
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", source, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        done = await finish(process)
    assert done.code == 0, done.err
    assert done.out.startswith("power_mng.soc_max 0.97")


@pytest.mark.parametrize("command", blocks("sh")[0].splitlines())
async def test_the_modes_can_be_asked_for(command: str) -> None:
    program, *args = shlex.split(command.replace(HOST, "127.0.0.1 --port 1"))
    done = await run(program, *args)
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "cannot connect" in done.err
