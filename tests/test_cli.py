"""The command rct as a whole: help, completion, exit codes, errors in one line."""

from __future__ import annotations

import importlib
import json
import logging
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE
from typing import Any

import click
import pytest
from click.testing import CliRunner

from rct_tools.cli import COMMANDS, rct
from rct_tools.cli.options import log_format_option, verbose_option
from rct_tools.times import parse_iso_time

from programs import run

HEAVY = ("rich", "sqlite3", "rctclient", "msgspec", "aiohttp", "rct_tools.objects")


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that refuses: it is bound, so that nobody else takes it, but does not listen."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        yield server.getsockname()[1]


def command(name: str) -> click.Command:
    found = rct.get_command(click.Context(rct), name)
    assert found is not None
    return found


def invoke(*args: str, **environment: str) -> str:
    result = CliRunner().invoke(rct, args, prog_name="rct", env=environment)
    assert result.exit_code == 0, result.output
    return result.output


# --- help -----------------------------------------------------------------------------------------------------------


def test_help_lists_every_command() -> None:
    for flag in ("-h", "--help"):
        page = invoke(flag)
        assert all(f"  {name}" in page and text in page for name, text in COMMANDS.items())


def test_every_file_is_a_command_or_serves_one() -> None:
    import rct_tools.cli

    folder = Path(rct_tools.cli.__file__).parent
    modules = [importlib.import_module(f"rct_tools.cli.{path.stem}") for path in folder.glob("[a-z]*.py")]
    commands = [value for module in modules for value in vars(module).values() if isinstance(value, click.Command)]
    parts = {name for command in commands if isinstance(command, click.Group) for name in command.commands}
    assert {command.name for command in commands} - parts - {"rct", "reader"} == COMMANDS.keys()


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command(name: str) -> None:
    page = invoke(name, "--help")
    assert page.startswith(f"Usage: rct {name} ")
    assert page == invoke(name, "-h")
    assert f"rct {name}" in page.partition("Example")[2]
    # What it does is said in the same words in both places, as far as these go.
    assert command(name).get_short_help_str().split()[0] == COMMANDS[name].split()[0]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_says_what_it_is_for(name: str) -> None:
    for parameter in command(name).params:
        assert isinstance(parameter, click.Argument) or parameter.help, parameter.name


def test_help_loads_nothing_that_it_does_not_need() -> None:
    code = (
        "import sys; before = set(sys.modules);"  # what measures the tests is there already
        "from rct_tools.cli import rct; rct(['--help'], standalone_mode=False);"
        f"print([name for name in {HEAVY} if name in sys.modules.keys() - before])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


# --- completion -----------------------------------------------------------------------------------------------------

COMPLETIONS = [  # what stands on the line, the last word being completed; what is offered
    ("rct si", {"simulate"}),
    ("rct read battery.so", {"battery.soc", "battery.soc_target", "battery.soh"}),
    ("rct query --object battery.soc_t", {"battery.soc_target", "battery.soc_target_high"}),
    ("rct collect --si", {"--sink"}),
    ("rct proxy --allow-write power_mng.soc_st", {"power_mng.soc_strategy"}),
    ("rct write power_mng.soc_m", {"power_mng.soc_min", "power_mng.soc_max"}),
    ("rct mode --host x ho", {"hold"}),
    ("rct read --format js", {"json", "jsonl"}),
]


@pytest.mark.parametrize(("line", "offered"), COMPLETIONS)
def test_completion(line: str, offered: set[str]) -> None:
    words = line.split()
    output = invoke(_RCT_COMPLETE="bash_complete", COMP_WORDS=line, COMP_CWORD=str(len(words) - 1))
    found = {entry.partition(",")[2] for entry in output.splitlines()}
    assert offered <= found
    assert output.splitlines() == sorted(output.splitlines())  # bash is told to leave the order as it is
    assert all(entry.startswith(words[-1]) for entry in found)


def test_completion_of_what_may_be_written() -> None:
    from rct_tools.writable import WRITABLE

    output = invoke(_RCT_COMPLETE="bash_complete", COMP_WORDS="rct write ", COMP_CWORD="2")
    assert {entry.partition(",")[2] for entry in output.splitlines()} == WRITABLE.keys()


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_completion_is_set_up_by_one_line() -> None:
    assert "complete -o nosort -F" in invoke(_RCT_COMPLETE="bash_source", PATH=os.environ["PATH"])


# --- errors ---------------------------------------------------------------------------------------------------------

READ = ("read", "--host", "127.0.0.1")
USAGE_ERRORS = [  # arguments, what the error says
    (("reed",), "No such command 'reed'; did you mean read?"),
    (("nonsense",), "No such command 'nonsense' (see"),
    (("read", "battery.soc"), "Missing option '--host'"),
    (("read", "--hots", "x", "battery.soc"), "--host"),
    (("read", "--host", "127.0.0.1:9000", "battery.soc"), "'127.0.0.1:9000' is no name or address; a port goes behind"),
    (("collect", "--host", "http://roof"), "'http://roof' is no name or address"),
    ((*READ, "battery.sox"), "battery.soc"),
    ((*READ, "battery.s"), "objects begin with 'battery.s'"),
    ((*READ, "0xnonsense"), "0x"),
    ((*READ, "--port", "70000", "battery.soc"), "70000"),
    ((*READ, "--timeout", "soon", "battery.soc"), "soon"),
    ((*READ, "--format", "xml", "battery.soc"), "xml"),
    (("objects", "there is no such thing"), "there is no such thing"),
]


@pytest.mark.parametrize(
    ("args", "message"), USAGE_ERRORS, ids=lambda value: " ".join(value) if isinstance(value, tuple) else ""
)
async def test_what_is_not_understood_exits_2(args: tuple[str, ...], message: str) -> None:
    done = await run("rct", *args)
    assert (done.code, done.out) == (2, "")
    error = done.err.splitlines()[-1]
    assert error.startswith("Error: ")
    assert message in error


async def test_what_fails_exits_1_with_one_line(closed_port: int) -> None:
    done = await run("rct", *READ, "--port", closed_port, "battery.soc")
    assert done.code == 1
    told = f"Error: 127.0.0.1:{closed_port}: cannot connect: connection refused (tried 3 times)"
    assert done.err == f"{told}; rct doctor says what to check\n"


async def test_a_traceback_comes_only_when_asked_for(closed_port: int) -> None:
    done = await run("rct", *READ, "--port", closed_port, "battery.soc", "-vv")
    assert done.code == 1
    assert "Traceback (most recent call last)" in done.err
    assert done.err.splitlines()[-1].startswith("Error: 127.0.0.1:")


async def test_a_terminal_that_knows_no_arrows_gets_what_stands_for_them() -> None:
    done = await run("rct", "parse", "--help", PYTHONIOENCODING="latin-1", PYTHONUTF8="0")
    assert (done.code, done.err) == (0, "")
    assert "[OPTIONS] FILE...\n" in done.out
    done = await run("rct", "battery", "--help", PYTHONIOENCODING="latin-1", PYTHONUTF8="0")
    assert "are marked with v and ^." in done.out


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such pipe")
def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    with subprocess.Popen([sys.executable, "-m", "rct_tools", "objects"], stdout=PIPE, stderr=PIPE) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""


# --- log lines ------------------------------------------------------------------------------------------------------

LOGGED: list[tuple[tuple[Any, ...], str | None]] = [  # message with its arguments, the peer it is about
    (("%s: no answer for %s", "192.0.2.7:8899", "battery.soc"), "192.0.2.7:8899"),
    (("%s: there again after %.0f s", "[2001:db8::1]:8899", 3), "[2001:db8::1]:8899"),
    (("%s: works again", "mqtt://192.0.2.9:1883/rct"), None),
    (("%s: connection refused", "http://192.0.2.9:8086"), None),
    (("2 readings lost",), None),
    (("%s: of two\nlines ☀", "roof:8899"), "roof:8899"),
]
ORDERS = [(), ("-v",), ("--log-format", "json"), ("-v", "--log-format", "json"), ("--log-format", "json", "-v")]


@pytest.fixture
def restored_log() -> Iterator[None]:
    """The log as the tests have it, afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


def log_lines(*args: str, swap: bool = False) -> list[str]:
    """Return what a command of those options logs."""

    @click.command
    def speak() -> None:
        for (message, *values), _ in LOGGED:
            logging.getLogger("rct_tools.link").info(message, *values)

    first, second = (log_format_option, verbose_option) if swap else (verbose_option, log_format_option)
    result = CliRunner().invoke(first(second(speak)), args)
    assert result.exit_code == 0, result.output
    return result.stderr.splitlines()


@pytest.mark.usefixtures("restored_log")
@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("args", ORDERS, ids=" ".join)
def test_verbosity_and_format_of_log_lines_go_together_in_any_order(args: tuple[str, ...], swap: bool) -> None:
    lines = log_lines(*args, swap=swap)
    assert bool(lines) == ("-v" in args)
    if "json" in args:
        assert all(json.loads(line)["level"] == "info" for line in lines)
    elif lines:
        assert lines[-1] == "lines ☀"


@pytest.mark.usefixtures("restored_log")
def test_a_log_line_as_json() -> None:
    for line, ((message, *values), peer) in zip(log_lines("-v", "--log-format", "json"), LOGGED, strict=True):
        found = json.loads(line)
        assert parse_iso_time(found.pop("time"))
        expected = {"level": "info", "logger": "rct_tools.link", "peer": peer, "message": message % tuple(values)}
        assert found == {key: value for key, value in expected.items() if value is not None}


async def test_an_error_is_json_too_where_log_lines_are() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        args = ("simulate", "--port", port, "--log-format", "json")
        short, long = await run("rct", *args), await run("rct", *args, "-vv")
    assert (short.code, long.code) == (1, 1)
    error = json.loads(short.err)
    assert (error["level"], error["logger"]) == ("error", "rct_tools.cli.run")
    assert error["message"].startswith(f"cannot listen on 127.0.0.1:{port}: ")
    assert "traceback" not in error
    assert "Traceback (most recent call last)" in json.loads(long.err.splitlines()[-1])["traceback"]
