"""docs/history.md and docs/events.md show what happens: their commands and their Python run here."""

from __future__ import annotations

import asyncio
import re
import shlex
import sys
from datetime import datetime
from pathlib import Path

import pytest

from rct_tools.series import RESOLUTIONS, Series
from rct_tools.simulator import Simulator

from programs import ROOT, Done, finish, run

PAGES = {name: (ROOT / "docs" / f"{name}.md").read_text("utf-8") for name in ("history", "events")}
HOST = "192.0.2.7"  # of no one: an address for documents
NOON = datetime(2024, 6, 21, 12, 0, 0)  # noqa: DTZ001  # what the clock on the wall shows

CONSOLE = [
    (command, output)
    for page in PAGES.values()
    for command, output in re.findall(r"```console\n\$ (.*)\n((?:.*\n)*?)```", page)
]
PYTHON = [source for page in PAGES.values() for source in re.findall(r"```python\n(.*?)```", page, re.DOTALL)]


def simulator() -> Simulator:
    return Simulator(port=0, latency=0.0, broadcast=False, speed=0.0, start=NOON)


async def said(command: str) -> Done:
    """Return what a command of a page says to the simulated inverter."""
    async with simulator() as simulated:
        program, *args = shlex.split(command.replace(HOST, f"127.0.0.1 --port {simulated.port}"))
        return await run(program, *args, COLUMNS="100")


def test_there_are_examples() -> None:
    assert len(CONSOLE) == 5
    assert len(PYTHON) == 2


@pytest.mark.parametrize(("command", "output"), CONSOLE)
async def test_commands(command: str, output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    done = await said(command)
    assert done.code == 0
    pattern = "(?:.*\n)+".join(map(re.escape, output.split("…\n")))  # any number of lines
    assert re.fullmatch(pattern, done.out + done.err), done.out + done.err


@pytest.mark.parametrize("source", PYTHON)
async def test_python(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Simulator(port=0, latency=0.0, broadcast=False) as simulated:
        source = source.replace(f'connect("{HOST}"', f'connect("127.0.0.1", {simulated.port}')
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", source, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        done = await finish(process)
    assert (done.code, done.err) == (0, "")
    assert len(done.out.splitlines()) > 30


def rows_of(resolution: str) -> list[str]:
    return [row_of(each) for each in RESOLUTIONS[resolution] if each.short]


def row_of(series: Series) -> str:
    name = series.info.name.replace(".day_", ".*_")
    return f"| `{series.column}` | `{series.short}` | `{name}` |"


@pytest.mark.parametrize("resolution", ["minutes", "day"])
def test_all_columns_are_there(resolution: str) -> None:
    rows = [line for line in PAGES["history"].splitlines() if line.startswith("| `")]
    assert [row for row in rows if row in rows_of(resolution)] == rows_of(resolution)


if __name__ == "__main__":  # show what stands, or should stand, below each command
    for command, _ in CONSOLE:
        done = asyncio.run(said(command))
        print(f"$ {command}\n{done.out}{done.err}")
    print("\n".join(rows_of("minutes") + rows_of("day")))
