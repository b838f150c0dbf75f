"""rct collect: the main job, as a process that is stopped in every way."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from rct_tools.config import load_plan
from rct_tools.errors import SinkError, UnknownObject
from rct_tools.simulator import Simulator
from rct_tools.sinks.sqlite import query
from rct_tools.vitals import VITALS

from programs import finish, run, running

unix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals between processes")

FAST = """
[[group]]
name = "fast"
interval = "250ms"
fields.charge = "battery.soc"
fields.sun = ["dc_conv.dc_conv_struct[0].p_dc", "dc_conv.dc_conv_struct[1].p_dc"]
"""

EARLY = ("g_sync.p_acc_lp", "battery.voltage", "battery.module_sn[0]")
"""Some of each tier: all are read at once, though the last only once a day."""


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with Simulator(port=0, latency=0.001, broadcast=False) as simulator:
        yield simulator


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that refuses: it is bound, so that nobody else takes it, but does not listen."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        yield server.getsockname()[1]


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "fast.toml"
    path.write_text(FAST)
    return path


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user lives in the temporary folder, on every system."""
    for variable in ("HOME", "XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(variable, str(tmp_path))


async def read_line(stream: asyncio.StreamReader | None) -> str:
    assert stream
    async with asyncio.timeout(60):
        return (await stream.readline()).decode()


async def until_stored(path: Path, count: int, *objects: str) -> None:
    """Wait until a database holds so many readings, of each object or of all together."""
    async with asyncio.timeout(60):
        while any(stored(path, pattern) < count for pattern in objects or ("*",)):  # noqa: ASYNC110
            await asyncio.sleep(0.02)  # another process fills it


def stored(path: Path, pattern: str = "*") -> int:
    try:
        return sum(1 for _ in query(path, pattern))
    except (SinkError, UnknownObject):  # it is being made, or there is none of these yet
        return 0


@unix
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
async def test_default_plan_into_the_data_folder(
    simulator: Simulator, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    values = load_plan().expects
    async with running("rct", "collect", "--host", "127.0.0.1", "--port", simulator.port, "--name", "roof") as process:
        begin = await read_line(process.stderr)
        path = Path(begin.rpartition(" into ")[2].strip())
        assert begin == f"127.0.0.1:{simulator.port}: collecting {len(values)} values of roof into {path}\n"
        assert path.is_relative_to(tmp_path)
        await until_stored(path, 1, *EARLY)
        process.send_signal(number)
        done = await finish(process)
    count = stored(path)
    assert (done.code, done.out) == (code, "")
    assert done.err.strip() == f"{path}: {count} readings stored, 0 lost"

    answer = await run("rct", "query", "--since", "1h", "--format", "jsonl")
    rows = [json.loads(line) for line in answer.out.splitlines()]
    assert (answer.code, len(rows)) == (0, count)
    names = {row["object"] for row in rows}
    assert names <= values.keys() | {info.name for info in VITALS}
    assert {*EARLY} <= names
    assert {row["inverter"] for row in rows} == {"roof"}


async def test_what_was_stored_survives_a_kill(simulator: Simulator, tmp_path: Path, plan: Path) -> None:
    path = tmp_path / "readings.db"
    async with running(
        "rct", "collect", "--host", "127.0.0.1", "--port", simulator.port, "--readings", plan, "--sink",
        f"sqlite:{path}",
    ) as process:  # fmt: skip
        await until_stored(path, 3, "battery.soc")
        process.kill()
        await process.wait()
    done = await run("rct", "query", "--store", f"sqlite:{path}", "--object", "battery.soc", "--format", "jsonl")
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert (done.code, done.err) == (0, "")
    assert len(rows) >= 3
    assert [row["time"] for row in rows] == sorted({row["time"] for row in rows})
    assert all(0 <= row["value"] <= 1 and row["unit"] == "ratio" for row in rows)


@unix
async def test_several_sinks_get_the_same(simulator: Simulator, tmp_path: Path, plan: Path) -> None:
    database, lines = tmp_path / "readings.db", tmp_path / "readings.jsonl"
    sinks = [f"sqlite:{database}", f"jsonl:{lines}", f"jsonl:{lines}", "console:"]  # one is named twice by mistake
    arguments = [argument for sink in sinks for argument in ("--sink", sink)]
    async with running(
        "rct", "collect", "--host", "127.0.0.1", "--port", simulator.port, "--readings", plan, *arguments
    ) as process:
        await until_stored(database, 3, "battery.soc", "sun")
        process.terminate()
        done = await finish(process)
    kept = [(reading.object, reading.value) for reading in query(database)]
    written = [json.loads(line) for line in lines.read_text("utf-8").splitlines()]
    assert done.code == 0
    assert sorted(kept) == sorted((row["object"], row["value"]) for row in written)
    assert len(done.out.splitlines()) == len(kept)
    assert {name for name, _ in kept} - {info.name for info in VITALS} == {"battery.soc", "sun"}
    assert done.err.splitlines()[1:] == [
        f"{label}: {len(kept)} readings stored, 0 lost" for label in (database, f"jsonl:{lines}", "console")
    ]


@unix
async def test_waits_for_an_inverter_and_says_each_change_once(tmp_path: Path, plan: Path, closed_port: int) -> None:
    path = tmp_path / "readings.db"
    async with running(
        "rct", "collect", "--host", "127.0.0.2", "--port", closed_port, "--readings", plan, "--sink", f"sqlite:{path}"
    ) as process:
        peer = f"127.0.0.2:{closed_port}"
        await read_line(process.stderr)
        said = [await read_line(process.stderr)]
        for _ in range(2):
            async with Simulator("127.0.0.2", closed_port, latency=0.001, broadcast=False):
                said.append(await read_line(process.stderr))
                await until_stored(path, 2)
            said.append(await read_line(process.stderr))
        process.terminate()
        done = await finish(process)
    assert done.code == 0
    changes = [line.partition(" ")[2].partition(peer)[2] for line in said]
    assert changes[0] == ": cannot connect: connection refused; trying again\n"
    assert [change.partition(" after ")[0] for change in changes[1::2]] == [": there again"] * 2
    assert all(change.endswith("; trying again\n") for change in changes[::2])
    assert len(done.err.splitlines()) == 1  # the summary: nothing else was said meanwhile


BAD = [  # options, exit code, what the error says
    (["--sink", "mysql://localhost/db"], 2, "'mysql://localhost/db' names no destination"),
    (["--sink", "influx://user:secret@localhost/db"], 2, "the password belongs in INFLUX_PASSWORD"),
    (["--sink", "sqlite:/no/such/folder/x.db"], 1, "/no/such/folder/x.db"),
    (["--sink", f"sqlite:{__file__}"], 1, __file__),
    (["--readings", "/no/such/file.toml"], 2, "/no/such/file.toml"),
    (["--readings", "{folder}/interval.toml"], 2, "interval.toml: group[0].interval: 'soon' is not a duration"),
    (["--readings", "{folder}/object.toml"], 2, "battery.soc"),
    (["--port", "0"], 2, "--port"),
]
FILES = {
    "interval.toml": '[[group]]\nname = "a"\ninterval = "soon"\nfields.x = "battery.soc"\n',
    "object.toml": '[[group]]\nname = "a"\ninterval = "5s"\nfields.x = "battery.sox"\n',
}


@pytest.mark.parametrize(("options", "code", "message"), BAD, ids=[" ".join(options) for options, _, _ in BAD])
async def test_bad_input_is_said_before_anything_begins(
    tmp_path: Path, options: list[str], code: int, message: str
) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    given = [option.format(folder=tmp_path) for option in options]
    done = await run("rct", "collect", "--host", "192.0.2.7", *given)
    assert (done.code, done.out) == (code, "")
    assert message in done.err.splitlines()[-1]
    assert "secret" not in done.err
    assert "Traceback" not in done.err
