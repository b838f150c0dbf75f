"""The collector as a service: from `rct init` to its end, as processes."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from rct_tools.errors import SinkError, UnknownObject
from rct_tools.simulator import Simulator
from rct_tools.sinks.sqlite import query
from rct_tools.status import VERSION
from rct_tools.times import iso_time

from peers import Script, peer
from programs import finish, run, running
from servers import free_ports

unix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals between processes")


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with Simulator(port=0, latency=0.001, broadcast=False, speed=0) as simulator:
        yield simulator


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user lives and works in the temporary folder, on every system."""
    for variable in ("HOME", "XDG_DATA_HOME", "LOCALAPPDATA", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    monkeypatch.chdir(tmp_path)


def config(simulator: Simulator, *more: str, name: str = "roof", listen: str = "") -> str:
    return "\n".join([
        f'[[inverter]]\nname = "{name}"\nhost = "127.0.0.1"\nport = {simulator.port}',
        '[[group]]\nname = "often"\ninterval = "100ms"\nobjects = ["battery.soc"]',
        '[[sink]]\nurl = "sqlite:readings.db"',
        *more,
        f'[status]\nlisten = "{listen}"',
    ])  # fmt: skip


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110  # another process does it
            await asyncio.sleep(0.05)


def write(text: str) -> None:
    Path("rct.toml").write_text(text, encoding="utf-8")


def lines_of(name: str) -> list[str]:
    path = Path(name)
    return path.read_text("utf-8").splitlines() if path.exists() else []


def stored(path: str = "readings.db", pattern: str = "battery.soc") -> int:
    try:
        return sum(1 for _ in query(Path(path), pattern))
    except (SinkError, UnknownObject):  # not there yet, or nothing in it
        return 0


async def said(process: Process, what: str) -> str:
    """Return the line of stderr that says something."""
    assert process.stderr
    async with asyncio.timeout(60):
        while line := (await process.stderr.readline()).decode():
            if what in line:
                return line
    raise AssertionError(f"{what!r} was never said")


async def ask(address: str) -> dict[str, Any]:
    async with aiohttp.ClientSession() as session, session.get(f"http://{address}/status") as answer:
        assert answer.status == 200
        document: dict[str, Any] = await answer.json()
        return document


# --- rct init, rct config -------------------------------------------------------------------------------------------


async def test_init_writes_a_file_that_collect_takes(simulator: Simulator) -> None:
    done = await run("rct", "init", "--host", "127.0.0.1", "--port", simulator.port)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("rct.toml: written, for an inverter with string A, string B, battery, module 0")
    assert done.out.endswith("Start it with: rct collect\n")
    check = await run("rct", "config", "check")
    assert (check.code, check.err) == (0, "")
    assert check.out.startswith("rct.toml: good\n  Simulated inverter at 127.0.0.1:")
    again = await run("rct", "init", "--host", "127.0.0.1", "--port", simulator.port)
    said = "Error: rct.toml is there already; choose another file with -o, or - to look at it first"
    assert (again.code, again.err.startswith(said)) == (2, True)
    shown = await run("rct", "init", "--host", "127.0.0.1", "--port", simulator.port, "-o", "-")
    assert shown.out.splitlines() == lines_of("rct.toml")
    other = await run("rct", "init", "--host", "127.0.0.1", "--port", simulator.port, "-o", "other.toml")
    assert other.out.endswith("Start it with: rct collect -c other.toml\n")


async def test_init_of_nobody_writes_nothing() -> None:
    done = await run("rct", "init", "--host", "127.0.0.1", "--port", free_ports(1)[0])
    assert done.code == 1
    assert "cannot connect: connection refused" in done.err
    assert not lines_of("rct.toml")


SECRETS = """
[[inverter]]
host = "192.0.2.7"
[[sink]]
url = "influx://me@localhost/db"
password = "s3cret"
[[sink]]
url = "mqtt://me@localhost"
password = { file = "/run/secrets/mqtt" }
refresh = "90s"
[[sink]]
url = "influx2://localhost/bucket"
token = { env = "RCT_TEST_TOKEN" }
spool_size = "2GB"
"""


async def test_show_tells_what_is_in_force_and_no_secret() -> None:
    write(SECRETS)
    done = await run("rct", "config", "show", RCT_INVERTER__0__NAME="roof", RCT_SINK__1__PAYLOAD="json")
    assert (done.code, done.err) == (0, "")
    assert "s3cret" not in done.out
    import tomllib

    tree = tomllib.loads(done.out)
    assert tree == {
        "inverter": [{"host": "192.0.2.7", "name": "roof"}],
        "sink": [
            {"url": "influx://me@localhost/db", "password": "…"},
            {
                "url": "mqtt://me@localhost",
                "password": {"file": "/run/secrets/mqtt"},
                "refresh": "90s",
                "payload": "json",
            },
            {"url": "influx2://localhost/bucket", "token": {"env": "RCT_TEST_TOKEN"}, "spool_size": "2GB"},
        ],
    }  # fmt: skip
    done = await run("rct", "config", "show", "--format", "json")
    assert json.loads(done.out)["sink"][0] == {"url": "influx://me@localhost/db", "password": "…"}


@pytest.mark.parametrize(
    ("command", "text", "code", "error"),
    [
        (["config", "check"], None, 2, "no configuration: none of rct.toml, "),
        (["collect"], None, 2, "which inverter? Name it with --host, or write a configuration: rct init --host HOST"),
        (
            ["config", "check"],
            "x = 1\n[[inverter]]\nhost = 'a'",
            2,
            "rct.toml: x: unknown key, expected one of inverter",
        ),
        (["collect", "--sink", "console:"], SECRETS, 2, "--sink goes with --host; without it, the configuration says"),
        (["collect", "--host", "a", "-c", "x"], SECRETS, 2, "--host and --config cannot go together"),
        (["collect", "--host", "a", "--shard", "1/2"], SECRETS, 2, "--host and --shard cannot go together"),
        (["collect", "--shard", "3/2"], SECRETS, 2, "'3/2' is no shard; expected its number and their count"),
        (["collect", "-c", "none.toml"], SECRETS, 2, "none.toml: cannot be read: No such file or directory"),
        (["collect"], SECRETS + "[status]\nlisten = 'x'", 2, "status.listen: 'x' is no address; expected one such as"),
        (["collect"], SECRETS + "[status]\nlisten = '192.0.2.99:1'", 1, "status.listen: cannot listen on 192.0.2.99:1"),
        (
            ["config", "check"],
            SECRETS + "[status]\nlisten = 'x'",
            2,
            "status.listen: 'x' is no address; expected one such as",
        ),
        (["status", "--address", "127.0.0.1:1"], None, 1, "127.0.0.1:1: no collector answers: connection refused; "),
    ],
)
async def test_what_is_wrong_is_said_in_one_line(command: list[str], text: str | None, code: int, error: str) -> None:
    if text is not None:
        write(text)
    done = await run("rct", *command, INFLUX_PASSWORD="x", RCT_TEST_TOKEN="x")
    assert (done.code, done.out) == (code, "")
    assert error in done.err
    assert len(done.err.splitlines()) == 1


async def test_show_leaves_out_what_is_empty() -> None:
    group = '[[group]]\nname = "x"\ninterval = "5s"\nobjects = ["battery.soc"]\n'
    write('[[inverter]]\nhost = "192.0.2.7"\n' + group)
    done = await run("rct", "config", "show", "--format", "json")
    assert json.loads(done.out)["group"] == [{"name": "x", "interval": "5s", "objects": ["battery.soc"]}]


async def test_secret_for_the_service_alone_is_no_mistake() -> None:
    write(SECRETS)
    done = await run("rct", "config", "check", INFLUX_PASSWORD="x", RCT_TEST_TOKEN="x")
    assert (done.code, done.out.splitlines()[0]) == (0, "rct.toml: good")
    (remark,) = done.err.splitlines()
    assert remark.startswith("Not there for you here, and needed by the collector: mqtt://me@localhost: /run/secrets/")


async def test_status_of_something_else() -> None:
    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"+\x05\n\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        done = await run("rct", "status", "--address", f"127.0.0.1:{port}")
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        f"Error: 127.0.0.1:{port}: no collector answers, but something that speaks no HTTP; is the port right?\n"
    )


# --- rct collect, rct status ----------------------------------------------------------------------------------------


@unix
async def test_question_under_way_is_not_counted_as_unanswered() -> None:
    address = f"127.0.0.1:{free_ports(1)[0]}"
    async with Simulator(port=0, latency=60, broadcast=False, speed=0) as slow:
        write(config(slow, listen=address))
        async with running("rct", "collect") as process:
            await said(process, "collecting")
            async with asyncio.timeout(60):
                while not (inverter := (await ask(address))["inverters"][0])["counters"]["requests"]:
                    pass
            second = await run("rct", "collect")
            process.terminate()
            await finish(process)
    assert sum(entry["asked"] for entry in inverter["objects"]) == 0
    assert (second.code, second.out) == (1, "")
    assert second.err.startswith(f"Error: status.listen: cannot listen on {address}: address already in use; does a ")


@unix
async def test_service_from_start_to_end(simulator: Simulator) -> None:
    address = f"127.0.0.1:{free_ports(1)[0]}"
    write(config(simulator, listen=address))
    async with running("rct", "collect") as process:
        await until(lambda: stored() > 10 and stored(pattern="battery.module_sn[6]"))
        async with aiohttp.ClientSession() as session, session.get(f"http://{address}/healthz") as answer:
            assert (answer.status, await answer.text()) == (200, "ok\n")
            led_here = session.get(f"http://{address}/status", headers={"Host": "elsewhere.example"})
            async with led_here as refused:
                assert refused.status == 421
                assert "roof" not in await refused.text()
        async with asyncio.timeout(60):
            while "module 6" not in (document := await ask(address))["inverters"][0]["absent"]:  # noqa: ASYNC110
                await asyncio.sleep(0.1)  # what proves it is asked for soon
        status = await run("rct", "status", "--address", address, http_proxy="http://127.0.0.1:1")
        as_json = await run("rct", "status", "--address", address, "--format", "json")
        await simulator.close()
        await until(lambda: stored(pattern="link.up") > 2)
        away = await run("rct", "status", "--address", address)
        process.terminate()
        done = await finish(process)
    assert done.code == 0
    assert done.err.splitlines()[-1].endswith("readings stored, 0 lost")
    (inverter,), (sink,) = document["inverters"], document["sinks"]
    assert (inverter["name"], inverter["up"], inverter["mute"]) == ("roof", True, [])
    soc = next(entry for entry in inverter["objects"] if entry["name"] == "battery.soc")
    assert soc["interval"] == 0.1
    assert 0 <= soc["age"] < 60
    assert soc["answered"] >= 10
    assert sink["written"] > 10
    assert (sink["lost"], sink["refused"], sink["trouble"]) == (0, 0, "")
    assert (status.code, status.err) == (0, "")
    assert "roof" in status.out
    assert "works" in status.out
    assert "roof: has no module 5, module 6, second battery\n" in status.out
    assert json.loads(as_json.out)["inverters"][0]["name"] == "roof"
    assert away.code == 1
    assert "away" in away.out


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"HTTP/1.0 200 OK\r\n\r\n[]", "what answers is no collector of this version of RCT Tools"),
        (b'HTTP/1.0 200 OK\r\n\r\n{"version": 0}', "what answers is no collector of this version of RCT Tools"),
        (b"HTTP/1.0 404 No\r\n\r\n", "no collector answers: "),
        (b"SSH-2.0-x\r\n", "no collector answers, but something that speaks no HTTP; is the port right?"),
        (b"", "no collector answers, but something that speaks no HTTP; is the port right?"),
    ],
)
async def test_status_of_something_else_is_an_error_in_one_line(answer: bytes, error: str) -> None:
    async with peer(answering(answer)) as port:
        done = await run("rct", "status", "--address", f"127.0.0.1:{port}")
    assert done.code == 1
    assert f"127.0.0.1:{port}: {error}" in done.err
    assert len(done.err.splitlines()) == 1


async def test_status_shows_names_as_they_are() -> None:
    sink = {"label": "mqtt://[fd00::1]/b", "written": 1, "waiting": 0, "lag": None, "lost": 0, "refused": 0,
            "trouble": "", "disk_trouble": ""}  # fmt: skip
    inverter = {"name": "[roof]", "peer": "[fd00::2]:8899", "up": True, "age": 1.0, "since": 1.0, "objects": [],
                "mute": [], "absent": [], "sees_others": False, "counters": {"timeouts": 0}}  # fmt: skip
    document = json.dumps({"version": VERSION, "inverters": [inverter], "sinks": [sink]}).encode()
    async with peer(answering(b"HTTP/1.0 200 OK\r\n\r\n" + document)) as port:
        done = await run("rct", "status", "--address", f"127.0.0.1:{port}")
    assert (done.code, done.err) == (0, "")
    assert "[roof] ([fd00::2]:8899)" in done.out
    assert "mqtt://[fd00::1]/b" in done.out


def answering(answer: bytes) -> Script:
    """What gives one answer, whatever the question."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    return script


@unix
async def test_configuration_is_read_again_on_hangup_and_nothing_is_lost(
    simulator: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "rct_tools.simulator")
    write(config(simulator))
    async with running("rct", "collect") as process:
        await until(lambda: stored() > 5)
        write(config(simulator, '[[sink]]\nurl = "jsonl:more.jsonl"', listen="127.0.0.1:1"))
        process.send_signal(signal.SIGHUP)
        assert "configuration read again: 1 inverters into readings.db, jsonl:more.jsonl" in await said(
            process, "again"
        )
        assert "status.listen is changed by a restart only; it is off" in await said(process, "restart")
        before = stored()
        await until(lambda: stored() > before + 10)
        write("nonsense")
        process.send_signal(signal.SIGHUP)
        line = await said(process, "going on")
        assert "rct.toml: not TOML: " in line
        before = stored()
        await until(lambda: stored() > before + 10)
        process.terminate()
        done = await finish(process)
    assert done.code == 0
    lines = [json.loads(line) for line in lines_of("more.jsonl")]
    both = [row for row in lines if row["object"] == "battery.soc"]
    assert len(both) > 20
    # Whatever was read again meanwhile, it was one connection, and up all the time.
    assert len([message for message in caplog.messages if message.endswith(": connected")]) == 1
    ups = [reading.value for reading in query(Path("readings.db"), "link.up")]
    assert ups == [False, *[True] * (len(ups) - 1)]
    # In both files there is the same from the first reading on that the second had.
    first = min(row["time"] for row in both)
    stored_since = [r for r in query(Path("readings.db"), "battery.soc") if iso_time(r.time) >= first]
    assert len(stored_since) == len(both)


@unix
async def test_inverter_is_shared_and_a_reload_moves_the_address(simulator: Simulator) -> None:
    one, other = (f"127.0.0.1:{port}" for port in free_ports(2))
    write(config(simulator, f'[proxy]\nlisten = "{one}"'))
    check = await run("rct", "config", "check")
    async with running("rct", "collect") as process:
        assert await said(process, "sharing") == f"{one}: sharing 127.0.0.1:{simulator.port} with this machine\n"
        answer = await run("rct", "read", "--host", "127.0.0.1", "--port", one.rpartition(":")[2], "inverter_sn")
        for listen in (other, f"127.0.0.1:{simulator.port}"):  # the second is taken
            write(config(simulator, f'[proxy]\nlisten = "{listen}"\nallow_write = ["power_mng.soc_strategy"]'))
            process.send_signal(signal.SIGHUP)
            line = await said(process, "configuration read again" if listen == other else "cannot listen")
            assert other in line or ("address already in use;" in line and "; roof has no proxy until" in line)
        before = stored()
        await until(lambda: stored() > before + 5)
        process.terminate()
        assert (await finish(process)).code == 0
    assert f"    shared at {one} with this machine\n" in check.out
    assert (answer.code, answer.err) == (0, "")


@unix
async def test_systemd_is_told(simulator: Simulator, tmp_path: Path) -> None:
    write(config(simulator))
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.settimeout(60)
    manager.bind(str(tmp_path / "notify"))
    told: list[str] = []

    async def next_message() -> str:
        told.append((await asyncio.to_thread(manager.recv, 4096)).decode())
        return told[-1]

    environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "200000"}
    with manager:
        async with running("rct", "collect", **environment) as process:
            while not (await next_message()).startswith("READY=1\nSTATUS=1 inverters into readings.db"):
                pass
            while await next_message() != "WATCHDOG=1":
                pass
            process.send_signal(signal.SIGHUP)
            while not (await next_message()).startswith("RELOADING=1\nMONOTONIC_USEC="):
                pass
            while not (await next_message()).startswith("READY=1"):
                pass
            process.terminate()
            while await next_message() != "STOPPING=1":
                pass
            assert (await finish(process)).code == 0


@unix
async def test_log_lines_as_json(simulator: Simulator) -> None:
    write(config(simulator))
    async with running("rct", "collect", "--log-format", "json") as process:
        line = json.loads(await said(process, "collecting"))
        await until(lambda: stored() > 5)
        process.terminate()
        done = await finish(process)
    assert line["peer"] == f"127.0.0.1:{simulator.port}"
    assert all(json.loads(line)["message"] for line in done.err.splitlines())


@unix
async def test_shards_share_the_inverters(simulator: Simulator) -> None:
    names = ["house 1", "house 2", "house 3", "roof", "barn"]
    write("".join(f'[[inverter]]\nname = "{n}"\nhost = "127.0.0.1"\nport = {simulator.port}\n' for n in names))
    seen: list[str] = []
    for shard in ("1", "2"):
        environment = {"RCT_SINK__0__URL": f"sqlite:{shard}.db", "RCT_STATUS__LISTEN": ""}
        async with running("rct", "collect", "--shard", f"{shard}/2", **environment) as process:
            await said(process, "collecting")
            await until(partial(stored, f"{shard}.db", "link.up"))
            process.terminate()
            assert (await finish(process)).code == 0
        seen += {reading.inverter for reading in query(Path(f"{shard}.db"))}
    assert sorted(seen) == sorted(names)
