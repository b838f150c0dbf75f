"""What docs/health.md shows is what happens: its commands and its Python run here, with a simulated inverter."""

from __future__ import annotations

import asyncio
import re
import shlex
import sys

import pytest

from answering import Answering
from programs import ROOT, finish, run

HOST = "192.0.2.7"  # of no one: an address for documents
PAGE = (ROOT / "docs" / "health.md").read_text("utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
CONSOLE = [
    (command, [line for line in output.splitlines() if line != "…"])
    for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
    for command, output in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)
]


@pytest.mark.parametrize(("command", "lines"), CONSOLE)
async def test_commands_and_their_output(command: str, lines: list[str]) -> None:
    async with Answering({}, latency=0.001) as simulator:
        program, *args = shlex.split(command.replace(HOST, "127.0.0.1"))
        done = await run(program, *args, "--port", simulator.port, "--time-zone", "UTC")
    assert (done.code, done.err) == (0, "")
    came = done.out.replace(f"127.0.0.1:{simulator.port}", f"{HOST}:8899").splitlines()
    assert [line for line in lines if line not in came] == []


@pytest.mark.parametrize("source", PYTHON)
async def test_python(source: str) -> None:
    async with Answering({}, latency=0.001) as simulator:
        source = source.replace(f'connect("{HOST}"', f'connect("127.0.0.1", {simulator.port}')
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", source, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        done = await finish(process)
    assert (done.code, done.err) == (0, "")
    assert "Place(module=0, cell=" in done.out


def test_all_blocks_are_run() -> None:
    assert len(CONSOLE) == 4
    assert len(PYTHON) == 1
    assert PAGE.count("```") == 2 * (3 + 1 + 1)  # and one text, which shows the end of a screen
