"""rct web, and [web] of a configuration: the page of a collector."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from click.testing import CliRunner

from rct_tools.cli import rct
from rct_tools.config import parse_config, show_config
from rct_tools.errors import ConfigError
from rct_tools.settings import Secret
from rct_tools.simulator import Simulator
from rct_tools.web.password import Password

from programs import finish, running
from servers import free_ports

unix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals between processes")
SMALL = '[[inverter]]\nname = "roof"\nhost = "127.0.0.1"\n'


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with Simulator(port=0, latency=0.001, broadcast=False, speed=0) as simulator:
        yield simulator


async def line_of(process: Process, what: str) -> str:
    """Return the next line of stderr that says something."""
    assert process.stderr
    async with asyncio.timeout(60):
        while line := (await process.stderr.readline()).decode():
            if what in line:
                return line.rstrip()
    raise AssertionError(f"{what!r} was never said")


async def page_of(process: Process) -> str:
    line = await line_of(process, "the page is at")
    return line[line.index("http://") :]


async def until_known(url: str, name: str) -> object:
    """Return the value of an object, once the page has it."""
    async with asyncio.timeout(60), aiohttp.ClientSession() as session:
        while True:
            async with session.get(f"{url}api/now") as response:
                inverters = (await response.json())["inverters"]
            objects = inverters.get("roof", {"objects": {}})["objects"]  # none before the collector is at work
            if name in objects:
                return objects[name]["value"]
            await asyncio.sleep(0.05)


@unix
async def test_reads_stores_and_shows_until_told_to_end(simulator: Simulator, tmp_path: Path) -> None:
    store = tmp_path / "r.db"
    async with running(
        "rct", "web", "--host", "127.0.0.1", "--port", simulator.port, "--name", "roof", "--store", f"sqlite:{store}",
        "--listen", "127.0.0.1:0",
    ) as process:  # fmt: skip
        url = await page_of(process)
        assert await until_known(url, "battery.bms_sn") == "SIMBMS0001"
        process.send_signal(signal.SIGTERM)
        done = await finish(process)
    assert done.code == 0
    assert re.search(rf"{store}: \d+ readings stored, 0 lost", done.err)
    assert "page:" not in done.err


@unix
async def test_as_a_part_of_the_collector(simulator: Simulator, tmp_path: Path) -> None:
    config = tmp_path / "rct.toml"
    text = f'{SMALL}port = {simulator.port}\n\n[[sink]]\nurl = "sqlite:{tmp_path}/r.db"\n\n[status]\nlisten = ""\n\n'
    config.write_text(f'{text}[web]\nlisten = "127.0.0.1:0"\n')
    async with running("rct", "collect", "-c", config) as process:
        url = await page_of(process)
        await line_of(process, "collecting")
        await until_known(url, "battery.bms_sn")
        config.write_text(text.replace('"roof"', '"barn"'))
        process.send_signal(signal.SIGHUP)
        assert await line_of(process, "web is changed by a restart only; it is as before")
        async with aiohttp.ClientSession() as session, session.get(f"{url}api/now") as response:
            assert list((await response.json())["inverters"]) == ["barn"]
        process.send_signal(signal.SIGTERM)
        assert (await finish(process)).code == 0


@unix
@pytest.mark.parametrize("command", ["web", "collect"])
async def test_who_is_logged_in_stays_so_over_a_restart(
    simulator: Simulator, web: aiohttp.ClientSession, tmp_path: Path, command: str
) -> None:
    (port,) = free_ports(1)
    secret, config, state = tmp_path / "password", tmp_path / "rct.toml", tmp_path / "state"
    secret.write_text("correct horse battery\n")
    text = f'data = "{state}"\n{SMALL}port = {simulator.port}\n[[sink]]\nurl = "sqlite:{tmp_path}/r.db"\n'
    config.write_text(
        f'{text}[status]\nlisten = ""\n[web]\nlisten = "127.0.0.1:{port}"\npassword = {{ file = "{secret}" }}\n'
    )
    arguments = {
        "collect": ("-c", config),
        "web": (
            "--host", "127.0.0.1", "--port", simulator.port, "--name", "roof", "--store", f"sqlite:{tmp_path}/r.db",
            "--listen", f"127.0.0.1:{port}", "--password-file", secret,
        ),
    }  # fmt: skip
    given = {"web": state, "collect": tmp_path / "nowhere"}  # a configuration has its own word for it
    for has_logged_in in (False, True):
        async with running("rct", command, *arguments[command], STATE_DIRECTORY=str(given[command])) as process:
            url = await page_of(process)
            if not has_logged_in:
                body = {"password": "correct horse battery"}
                async with web.post(f"{url}api/login", json=body) as response:
                    assert response.status == 200
            async with web.get(f"{url}api/now") as response:
                assert response.status == 200
            process.send_signal(signal.SIGTERM)
            assert (await finish(process)).code == 0
        (kept,) = state.glob("page/*")
        assert (kept.name, kept.stat().st_mode & 0o777) == (f"logins-127.0.0.1%3A{port}.json", 0o600)


WRONG = [  # arguments, what is said
    (["--listen", "0.0.0.0:9834"], "--listen: others can reach 0.0.0.0:9834, so --password-file is needed; --hash-"),
    (["--listen", "here"], "'here' is no address"),
    (["--store", "influx://localhost/x"], "--store: 'influx://localhost/x': expected sqlite:"),
    (["--store", ""], "is empty"),
    (["--password-file", "/nowhere/at/all"], "/nowhere/at/all: cannot be read, and is to hold a secret"),
]


@pytest.mark.parametrize(("arguments", "said"), WRONG)
def test_what_cannot_be(arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(rct, ["web", "--host", "127.0.0.1", *arguments])
    assert result.exit_code != 0
    assert said in (result.output + str(result.exception))


def test_hash_of_a_password() -> None:
    result = CliRunner().invoke(rct, ["web", "--hash-password"], input="correct horse\ncorrect horse\n")
    assert result.exit_code == 0
    assert Password(result.stdout.strip().splitlines()[-1]).is_right("correct horse")


# --- the configuration ----------------------------------------------------------------------------------------------


def test_there_is_no_page_without_its_table() -> None:
    assert parse_config(SMALL, "rct.toml", {}).web is None


def test_page_finds_the_first_sqlite_file_among_the_sinks() -> None:
    sinks = '[[sink]]\nurl = "jsonl:x.jsonl"\n\n[[sink]]\nurl = "sqlite:here.db"\n\n[[sink]]\nurl = "sqlite:there.db"\n'
    setup = parse_config(f"{SMALL}{sinks}[web]\n", "rct.toml", {}).web
    assert setup is not None
    assert (setup.host, setup.port, setup.store) == ("127.0.0.1", 9834, Path("here.db"))
    only = parse_config(f'{SMALL}[[sink]]\nurl = "console:"\n[web]\n', "rct.toml", {}).web
    assert only is not None
    assert only.store is None


def test_password_is_never_shown() -> None:
    config = parse_config(f'{SMALL}[web]\nlisten = "0.0.0.0:80"\npassword = "correct horse"\n', "rct.toml", {})
    assert "horse" not in f"{show_config(config)} {config}"
    by_env = parse_config(f"{SMALL}[web]\n", "rct.toml", {"RCT_WEB__PASSWORD": "correct horse"})
    assert by_env.web is not None
    assert by_env.web.password == Secret("correct horse")


def test_others_are_not_let_in_without_a_password() -> None:
    with pytest.raises(ConfigError, match=r"^rct\.toml: web\.listen: others can reach 0\.0\.0\.0:80"):
        parse_config(f'{SMALL}[web]\nlisten = "0.0.0.0:80"\n', "rct.toml", {})
