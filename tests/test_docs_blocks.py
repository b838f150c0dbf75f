"""No block of the documents is only shown: each is run here, or by the test that ELSEWHERE names, or says why not.

The pages that need no more than a simulated inverter, docs/tutorial.md and docs/library.md, run here from top to end.
"""

from __future__ import annotations

import asyncio
import configparser
import json
import re
import shlex
import sqlite3
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import NamedTuple

import click
import pytest
import yaml
from test_docs_readme import HOST, NUMBERS, end, stored, until

import rct_tools
from rct_tools.cli import rct
from rct_tools.config import parse_config
from rct_tools.simulator import Simulator
from rct_tools.spool import Spool

from programs import ROOT, finish, running
from servers import free_ports


class Block(NamedTuple):
    """What stands between two fences."""

    page: str
    line: int
    language: str
    source: str

    @property
    def lines(self) -> list[str]:
        """Its lines; one that ends in a backslash is one with the next."""
        return self.source.replace("\\\n", " ").splitlines()


PAGES = {path.stem: path.read_text("utf-8") for path in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"))}
BLOCKS = [
    Block(page, text.count("\n", 0, match.start()) + 1, match[1], match[2])
    for page, text in PAGES.items()
    for match in re.finditer(r"^```(\S*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
]

# What other tests run, all blocks of a language on a page.
ELSEWHERE: Mapping[tuple[str, str], str] = {
    ("README", "console"): "test_docs_readme",
    ("README", "python"): "test_docs_readme",
    ("backfill", "python"): "test_cli_backfill",
    ("captures", "sql"): "test_summary",
    ("configuration", "toml"): "test_docs_generated",
    ("events", "console"): "test_docs_past",
    ("events", "python"): "test_docs_past",
    ("health", "console"): "test_docs_health",
    ("health", "python"): "test_docs_health",
    ("history", "console"): "test_docs_past",
    ("history", "python"): "test_docs_past",
    ("influxdb", "sql"): "test_dashboard_influx",
    ("prometheus", "yaml"): "test_sinks_prometheus",
    ("protocol", "python"): "test_docs_protocol",
    ("simulator", "json"): "test_docs_simulator",
    ("simulator", "python"): "test_docs_simulator",
    ("simulator", "toml"): "test_docs_simulator",
    ("steering", "console"): "test_docs_steering",
    ("steering", "json"): "test_docs_steering",
    ("steering", "python"): "test_docs_steering",
    ("steering", "sh"): "test_docs_steering",
    ("storage", "sql"): "test_sinks_sqlite",
    ("top", "python"): "test_cli_top",
    ("web", "nginx"): "test_web_proxy",
    ("web", "text"): "test_web_proxy",
}

# What is no code, and what the site is made of.
SHOWN = {
    "text": "a picture, or what a program says",
    "{toctree}": "make docs",
    "{eval-rst}": "make docs",
}

# Programs that are not ours. Of a block that has them, only our own commands are looked at.
FOREIGN = {
    **dict.fromkeys(
        ("python3", ".", "pip", "install", "editor", "systemctl", "tee", "echo", "chmod"),
        "they set up a system; test_package installs the wheel, test_deploy looks at the units",
    ),
    **dict.fromkeys(
        ("docker", "cd", "for", "openssl", "done", "cat"),
        "they set up containers; test_deploy looks at the image and the compose file",
    ),
    "curl": "test_web_server asks for the same, and test_web_schemathesis for all that the page says",
    "jq": "shows a part of what curl brings",
    "kubectl": "needs a cluster; test_deploy looks at what it is given",
    "mosquitto_sub": "test_sinks_mqtt looks at the same topics, on a real broker",
    "tcpdump": "needs root; test_capture_pcap reads what it writes",
    "tshark": "test_wireshark runs it",
    "python": "takes minutes; test_bench and test_bench_endurance",
}


# --- what is done with a block --------------------------------------------------------------------------------------


def commands(block: Block) -> Iterator[list[str]]:
    """Yield the words of each command in a block for a shell: of a console, what stands behind the ``$``."""
    for line in block.lines:
        if block.language == "console" and not line.startswith("$ "):
            continue
        part: list[str] = []
        for word in (*shlex.split(line.removeprefix("$ "), comments=True), "|"):
            if word not in ("|", "&&", ">"):
                part.append(word)
                continue
            if command := [word for word in part if not re.fullmatch(r"[A-Z_]+=.*|sudo", word)]:
                yield command
            part = [] if word != ">" else ["cat"]  # into a file


def understand(args: list[str]) -> None:
    """Let ``rct`` read its arguments, and do nothing. Raises click.UsageError."""
    for word in args:
        if re.fullmatch(r"[\w.-]+\.(pcapng|pcap|rctcap|toml)", word):
            Path(word).touch()  # what a command wants to be there
    command: click.Command | None = rct
    parent: click.Context | None = None
    while command is not None:
        try:
            parent = command.make_context(command.name or "", list(args), parent=parent)
        except click.exceptions.Exit:  # of an option that does something itself, such as --hash-password
            return
        if not isinstance(command, click.Group):
            return
        rest = [*parent._protected_args, *parent.args]
        assert rest, f"rct {args}: no command"
        command, args = command.get_command(parent, rest[0]), rest[1:]
    raise AssertionError(f"rct: no command {rest[0]}")


def check_shell(block: Block, folder: Path) -> None:
    found = list(commands(block))
    assert found, "no command"
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    for program, *args in found:
        match program.rpartition("/")[2]:
            case "rct":
                understand(args)
            case "rct-reader" | "parsedump" | "rct-dump":
                raise AssertionError("run it")
            case "make":
                assert args[0] in targets
            case "sqlite3":
                look_into_spool(args[-1], folder)
            case name:
                assert name in FOREIGN, f"no test runs {name}"


def look_into_spool(query: str, folder: Path) -> None:
    """Run a query on a spool."""
    with closing(Spool(folder / "influx.db")), closing(sqlite3.connect(folder / "influx.db")) as database:
        database.execute(query).fetchall()


def check_configuration(block: Block, folder: Path) -> None:
    text = block.source if "[[inverter]]" in block.source else f'{block.source}\n[[inverter]]\nhost = "{HOST}"\n'
    secret = folder / "secret"
    secret.write_text("secret", "utf-8")
    assert parse_config(re.sub(r'file = "[^"]+"', f"file = '{secret}'", text), block.page, {}).setup.inverters


def check_json(block: Block, _folder: Path) -> None:
    assert all(isinstance(json.loads(line), dict) for line in block.lines)


def check_yaml(block: Block, _folder: Path) -> None:
    document = yaml.safe_load(block.source)
    assert isinstance(document, dict), type(document)


def check_unit(block: Block, _folder: Path) -> None:
    unit = configparser.ConfigParser(interpolation=None)
    unit.read_string(block.source)
    program, *args = shlex.split(unit["Service"]["ExecStart"])
    assert program == "rct"
    understand(args)


CHECKS: Mapping[str, Callable[[Block, Path], None]] = {
    "sh": check_shell,
    "console": check_shell,
    "toml": check_configuration,
    "json": check_json,
    "yaml": check_yaml,
    "ini": check_unit,
}
WHOLE = {"tutorial": {"console"}, "library": {"python"}}  # pages that are run from top to bottom, below
LEFT = [
    block
    for block in BLOCKS
    if (block.page, block.language) not in ELSEWHERE
    and block.language not in SHOWN
    and block.language not in WHOLE.get(block.page, ())
]


@pytest.mark.parametrize("block", LEFT, ids=[f"{it.page}:{it.line}" for it in LEFT])
def test_a_block_is_right(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(click, "prompt", lambda _text, **_options: "correct horse")
    assert block.language in CHECKS, f"docs/{block.page}.md:{block.line}: no test runs this {block.language or 'block'}"
    CHECKS[block.language](block, tmp_path)


@pytest.mark.parametrize(("page", "language"), ELSEWHERE)
def test_elsewhere_is_there(page: str, language: str) -> None:
    source = (ROOT / "tests" / f"{ELSEWHERE[page, language]}.py").read_text("utf-8")
    assert re.search(rf"\b{page}(\.md)?\"", source), "it does not read the page"
    assert re.search(rf"```{language}\b|blocks\(\"{language}\"\)|findall\(\"```{language}|\.PAGES|PAGES\[", source)
    assert any(block[0::2] == (page, language) for block in (it[:3] for it in BLOCKS)), "there is nothing to run"


def test_no_exception_is_left_over() -> None:
    used = {
        words[0].rpartition("/")[2]
        for block in LEFT
        if block.language in ("sh", "console")
        for words in commands(block)
    }
    assert FOREIGN.keys() <= used
    assert SHOWN.keys() <= {block.language for block in BLOCKS}


BAD = [  # language, what stands in a block, what is wrong with it
    ("sh", "rct read --hots 192.0.2.7 battery.soc", "No such option"),
    ("sh", "rct wireshark instal", "no command instal"),
    ("sh", "rct red battery.soc", "no command red"),
    ("console", "$ sudo /opt/rct/bin/rct read && rct status", "Missing"),
    ("console", "rct status", "no command"),
    ("sh", "frobnicate", "no test runs frobnicate"),
    ("sh", "make cofee", "cofee"),
    ("sh", "sqlite3 -readonly influx.db 'SELECT x FROM waiting'", "no such column"),
    ("toml", '[[sink]]\nurl = "sqlite:"\nlable = "x"', "lable"),
    ("json", '{"time": 1,}', "Expecting|Illegal"),
    ("yaml", "- a", "list"),
    ("ini", "[Service]\nExecStart=rct mode --host 192.0.2.7 normall", "normall"),
]


@pytest.mark.parametrize(("language", "source", "message"), BAD)
def test_what_is_wrong_is_found(
    language: str, source: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Exception, match=message):
        CHECKS[language](Block("page", 1, language, source), tmp_path)


# --- pages that run from top to bottom ------------------------------------------------------------------------------


def blocks_of(page: str, language: str) -> list[str]:
    return [block.source for block in BLOCKS if (block.page, block.language) == (page, language)]


def beginnings(text: str) -> list[str]:
    """Return the first words of the lines of a text that are no numbers, times or pictures."""
    lines = (NUMBERS.sub("", line).split() for line in text.splitlines())
    return [next(word for word in words if word != "…") for words in lines if words and words != ["…"]]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals between processes")
async def test_the_tutorial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    port, status = free_ports(2)
    environment = {
        "XDG_DATA_HOME": str(tmp_path), "HOME": str(tmp_path), "PYTHONPATH": str(ROOT / "src"),
        "RCT_STATUS__LISTEN": f"127.0.0.1:{status}", "COLUMNS": "100",
    }  # fmt: skip
    steps = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", "".join(blocks_of("tutorial", "console")), re.MULTILINE)
    assert len(steps) == 9
    async with AsyncExitStack() as services:
        for command, output in steps:
            program, *args = shlex.split(command.replace("9000", str(port)))
            if args[0] in ("simulate", "collect"):
                process = await services.enter_async_context(running(program, *args, **environment))
                services.push_async_callback(end, process, command)
                if args[0] == "simulate":
                    assert process.stdout is not None
                    said = (await process.stdout.readline()).decode().replace(str(port), "9000")
                    assert beginnings(said) == beginnings(output)
                else:
                    await until(lambda: stored(tmp_path))
                continue
            async with running(program, *args, **environment) as process:
                done = await finish(process)
            assert done.code == 0, (command, done.err)
            came = beginnings((done.out + done.err).replace(str(port), "9000"))
            assert [word for word in beginnings(output) if word not in came] == [], command
    assert "<svg" in (tmp_path / "day.svg").read_text("utf-8")
    assert (tmp_path / "day.csv").read_text("utf-8").startswith("time,Pdc A [W],SOC [ratio],Pload [W]")


# What a block of docs/library.md prints, or a part of it.
PRINTED = [
    "{'battery.soc': 0.",
    "battery.soc 0.",
    "battery.voltage",
    " ",
    ",Pdc A,Pload,SOC",
    "36",
    "→",
    "[]",
    "0.2",
    "",
    "did you mean battery.so",
]
SETTING = f"""\
import asyncio
from rct_tools import connect


async def main():
    async with connect("{HOST}") as inverter:
%s

asyncio.run(main())
"""


@pytest.mark.parametrize(("source", "printed"), list(zip(blocks_of("library", "python"), PRINTED, strict=True)))
async def test_the_library(source: str, printed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    if "inverter." in source and "asyncio.run" not in source:
        source = SETTING % textwrap.indent(source, " " * 8)
    async with Simulator(port=0, latency=0.0, cycle=0.3) as simulator:
        source = re.sub(rf'read\("{HOST}", (.*?)\)', rf'read("127.0.0.1", \1, port={simulator.port})', source)
        source = source.replace(f'connect("{HOST}"', f'connect("127.0.0.1", {simulator.port}')
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-W", "error", "-c", source, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        done = await finish(process)
    assert (done.code, done.err) == (0, ""), source
    assert printed in done.out


def test_every_public_name_is_in_the_reference() -> None:
    assert [name for name in rct_tools.__all__ if f":: rct_tools.{name}\n" not in PAGES["api"]] == []
