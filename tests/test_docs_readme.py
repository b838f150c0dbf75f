"""What the README shows is what happens: its commands and its Python run here, with a simulated inverter."""

from __future__ import annotations

import asyncio
import io
import re
import shlex
import signal
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from xml.etree import ElementTree

import pytest

from rct_tools.capture import Chunk, read_capture
from rct_tools.errors import SinkError, UnknownObject
from rct_tools.simulator import Simulator
from rct_tools.sinks.sqlite import query

from programs import ROOT, finish, running
from servers import free_ports

README = (ROOT / "README.md").read_text("utf-8")
HOST = "192.0.2.7"  # of no one: an address for documents

PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
CONSOLE = [
    (command, output)
    for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    for command, output in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)
]

# What goes on until Ctrl-C.
ENDLESS = ("collect", "listen", "dump", "proxy", "--influx-host")


NUMBERS = re.compile(r"\b[0-9a-f]{2}( [0-9a-f]{2}){2,}\b|-?\d[\d.,:+T-]*")


def shape(text: str, home: Path) -> set[str]:
    """Return the lines of a text without what differs from one moment to the next: numbers, times, and columns."""
    text = text.replace(HOST, "127.0.0.1").replace("/home/me/.local/share", str(home)).replace(str(home), "~")
    lines = (NUMBERS.sub("#", line).split() for line in text.splitlines())
    # A sink may have something on its way just then, and so a lag.
    return {re.sub(r"works # # (# s|-)", "works # # -", " ".join(words)) for words in lines} - {"", "…"}


def blocks_in(path: Path) -> int:
    """Return how often an inverter has ended a block of what it says unasked, in a capture."""
    if not path.exists():
        return 0
    with io.FileIO(path) as file:
        return sum(item.data.count(b"+++") for item in read_capture(file, path.name, 8899) if isinstance(item, Chunk))


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110  # what another process does
        await asyncio.sleep(0.02)


def stored(folder: Path) -> bool:
    """Return whether there is a database in the folder, and in it what is asked for later."""
    with suppress(SinkError, UnknownObject):  # it is just being made
        return any(True for path in folder.rglob("readings.db") for _ in query(path, "battery.soc"))
    return False


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals between processes")
async def test_commands_and_their_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    address = f"127.0.0.1:{free_ports(1)[0]}"
    environment = {
        "XDG_DATA_HOME": str(tmp_path), "HOME": str(tmp_path), "PYTHONPATH": str(ROOT / "src"),
        "RCT_STATUS__LISTEN": address,
    }  # fmt: skip
    assert len(CONSOLE) > 8
    async with Simulator(port=0, cycle=0.3) as simulator, AsyncExitStack() as services:
        for command, output in CONSOLE:
            program, *args = shlex.split(command)
            if "--host" in args:
                args[args.index("--host") + 1] = "127.0.0.1"
                args += ["--port", str(simulator.port)]
            if "--upstream" in args:
                args[args.index("--upstream") + 1] = f"127.0.0.1:{simulator.port}"
                args += ["--listen", f"127.0.0.1:{free_ports(1)[0]}"]
            if args == ["status"]:
                args += ["--address", address]
            if not set(ENDLESS) & set(args):
                for _ in range(100 if args[0] == "status" else 1):  # what an inverter has not is not known at once
                    async with running(program, *args, **environment) as process:
                        done = await finish(process)
                    assert done.code == 0, (command, done.err)
                    if shape(output, tmp_path) <= shape(done.out, tmp_path):
                        break
                assert shape(output, tmp_path) <= shape(done.out, tmp_path), command
                continue
            process = await services.enter_async_context(running(program, *args, **environment))
            assert process.stdout is not None
            match args[0]:
                case "collect":  # and goes on, for what is shown of it
                    await until(lambda: stored(tmp_path))
                    services.push_async_callback(end, process, command)
                    continue
                case "proxy":
                    assert process.stderr is not None
                    said = (await process.stderr.readline()).decode()
                    assert shape(said, tmp_path) == shape(output, tmp_path)
                case "dump":
                    await until(lambda: blocks_in(Path("today.rctcap")) > 8)
                case _:
                    await process.stdout.readline()
            await end(process, command)


async def end(process: asyncio.subprocess.Process, command: str) -> None:
    """Press Ctrl-C."""
    process.send_signal(signal.SIGINT)
    done = await finish(process)
    assert done.code == 130, (command, done.err)


@pytest.mark.parametrize("source", PYTHON)
async def test_python(source: str) -> None:
    async with Simulator(port=0, cycle=0.3) as simulator:
        source = re.sub(rf'read\("{HOST}", (.*?)\)', rf'read("127.0.0.1", \1, port={simulator.port})', source)
        source = source.replace(f'connect("{HOST}"', f'connect("127.0.0.1", {simulator.port}')
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", source, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        done = await finish(process)
    assert done.code == 0, done.err
    assert "battery" in done.out


def test_both_first_commands_are_targets() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert set(re.findall(r"^make ([a-z-]+)", README, re.MULTILINE)) == {"demo", "test"} <= targets


PICTURES = {
    page.parent / target
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]
    for target in re.findall(r"!\[[^]]+\]\(([^)]+)\)", page.read_text("utf-8"))
}


def test_it_begins_with_the_page_and_the_terminal() -> None:
    front = README.partition("\n## ")[0]
    assert re.findall(r"\]\((docs/[^)]*\.(?:png|svg))\)", front) == ["docs/web-now.png", "docs/top.svg"]


def test_pictures_are_there_and_small_enough_to_load() -> None:
    assert len(PICTURES) >= 3
    for path in PICTURES:
        assert 1000 < path.stat().st_size < 250_000, path


@pytest.mark.parametrize("path", sorted(path for path in PICTURES if path.suffix == ".svg"), ids=lambda path: path.name)
def test_drawings_want_nothing_from_elsewhere(path: Path) -> None:
    text = path.read_text("utf-8")
    for _ in ElementTree.fromstring(text).iter():  # it is well formed
        pass
    assert set(re.findall(r"(?:https?:)?//[^\s\"'<>)]+", text)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"@import|@font-face|<script|<image|<foreignObject|\son\w+=", text)
    assert not re.search(r"(url\(|href=)(?![\"']?#)", text)


def anchors(page: Path) -> set[str]:
    """Return what code hosts call the headings of a page."""
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_lead_somewhere() -> None:
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]:
        for target, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)#?([^)\s]*)\)", page.read_text("utf-8")):
            there = page.parent / target if target else page
            assert there.exists(), f"{page.name}: {target}"
            assert not anchor or anchor in anchors(there), f"{page.name}: {target}#{anchor}"
