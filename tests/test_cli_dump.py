"""rct dump and rct-dump: exactly what came is in the file, and nothing was sent."""

from __future__ import annotations

import asyncio
import gzip
import io
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from rct_tools.capture import FORMATS, Chunk, read_capture
from rct_tools.parser import FrameParser
from rct_tools.simulator import Simulator

from peers import Script, peer, response
from programs import finish, run, running
from servers import free_ports

FIRST = b"junk+++" + response("battery.soc", 0.5)
SECOND = response("battery.voltage", 400.0)[:-3]  # cut: bytes are bytes
unix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals between processes")


def speaking(*parts: bytes) -> tuple[Script, bytearray]:
    """Return a peer that says one part in each connection and ends all but the last, and what it is sent."""
    sent = bytearray()
    left = list(parts)

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if left:
            writer.write(left.pop(0))
            await writer.drain()
        if not left:
            while data := await reader.read(100):
                sent.extend(data)

    return script, sent


async def until(condition: Callable[[], object]) -> None:
    """Wait until something has become true; the test's own time limit ends a wait in vain."""
    while not condition():  # noqa: ASYNC110  # what another process does sets no event
        await asyncio.sleep(0.01)


def size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


@unix
@pytest.mark.parametrize(("end", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
async def test_every_byte_over_a_lost_connection_until_a_signal(end: int, code: int, tmp_path: Path) -> None:
    path = tmp_path / "capture.bin"
    script, sent = speaking(FIRST, SECOND)
    async with (
        peer(script) as port,
        running("rct-dump", "--host", "127.0.0.1", "--port", port, "-f", path) as process,
    ):
        await until(lambda: size(path) == len(FIRST + SECOND))  # flushed as it comes, then
        process.send_signal(end)
        done = await finish(process)
    assert (done.code, done.out) == (code, "")
    assert path.read_bytes() == FIRST + SECOND
    assert sent == b""
    assert f"{path}: {len(FIRST + SECOND)} bytes, 1 frames, 1 bad\n" in done.err
    assert done.err.count("the inverter closed the connection; trying again") == 1


@unix
async def test_simulator(tmp_path: Path) -> None:
    path = tmp_path / "capture.bin"
    async with (
        Simulator(port=0, cycle=2.0) as simulator,
        running("rct", "dump", "--host", "127.0.0.1", "--port", simulator.port, "-f", path) as process,
    ):
        await until(lambda: size(path) > 500)
        process.terminate()
        done = await finish(process)
    assert done.code == 0
    parser = FrameParser()
    parser.feed(path.read_bytes())
    parser.close()
    assert not parser.bad
    assert parser.frames.total() > 20
    assert f"{path.stat().st_size:,} bytes, {parser.frames.total():,} frames\n" in done.err


@unix
async def test_standard_output() -> None:
    script, _ = speaking(FIRST)
    async with (
        peer(script) as port,
        running("rct-dump", "--host", "127.0.0.1", "--port", port, "-f", "-") as process,
    ):
        assert process.stdout
        assert await process.stdout.readexactly(len(FIRST)) == FIRST
        process.terminate()
        done = await finish(process)
    assert (done.code, done.out) == (0, "")


@unix
@pytest.mark.parametrize(("option", "kept"), [("--append", b"old"), ("--overwrite", b"")])
async def test_a_file_that_is_there(option: str, kept: bytes, tmp_path: Path) -> None:
    path = tmp_path / "capture.bin"
    path.write_bytes(b"old")
    refused = await run("rct-dump", "--host", "127.0.0.1", "--port", 1, "-f", path)
    assert refused.code == 2
    assert f"{path} is there already; replace it with --overwrite, or go on with --append" in refused.err
    unreachable = await run("rct-dump", "--host", "127.0.0.1", "--port", 1, "-f", path, option)
    assert unreachable.code == 1
    assert path.read_bytes() == b"old"  # a wrong host costs nobody a file

    script, _ = speaking(FIRST)
    async with (
        peer(script) as port,
        running("rct-dump", "--host", "127.0.0.1", "--port", port, "-f", path, option) as process,
    ):
        await until(lambda: path.read_bytes() == kept + FIRST)
        process.terminate()
        assert (await finish(process)).code == 0


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (["-f", "x.bin", "--append", "--overwrite"], "--overwrite and --append cannot go together"),
        ([], "Missing option '-f'"),
        (["-f", "x.bin", "--port", "0"], "'--port'"),
    ],
)
async def test_usage(args: list[str], error: str) -> None:
    done = await run("rct-dump", "--host", "127.0.0.1", *args)
    assert (done.code, done.out) == (2, "")
    assert error in done.err


async def test_nobody_there(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    done = await run("rct-dump", "--host", "127.0.0.1", "--port", port, "-f", tmp_path / "x.bin")
    told = f"Error: 127.0.0.1:{port}: cannot connect: connection refused (tried 3 times)"
    assert done == (1, "", f"{told}; rct doctor says what to check\n")
    assert not (tmp_path / "x.bin").exists()


async def test_a_host_that_closes_at_once_costs_no_old_file(tmp_path: Path) -> None:
    async def script(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        """Say nothing."""

    old = tmp_path / "old.bin"
    old.write_bytes(b"precious")
    async with peer(script) as port:
        done = await run("rct-dump", "--host", "127.0.0.1", "--port", port, "-f", old, "--overwrite")
    assert done.code == 1
    assert old.read_bytes() == b"precious"


async def test_a_folder_is_no_file(tmp_path: Path) -> None:
    done = await run("rct-dump", "--host", "127.0.0.1", "-f", tmp_path)
    assert (done.code, done.err) == (2, f"Error: {tmp_path} is no file (see: dump.py --help)\n")


async def test_closes_at_once(tmp_path: Path) -> None:
    async def script(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        return

    async with peer(script) as port:
        done = await run("rct-dump", "--host", "127.0.0.1", "--port", port, "-f", tmp_path / "x.bin")
    assert done.code == 1
    assert f"Error: 127.0.0.1:{port}: the inverter closed the connection (tried 3 times)\n" in done.err


@pytest.mark.parametrize(("name", "told"), [("x.rctcpa", True), ("x.bin", False), ("x.rctcap.gz", False)])
async def test_a_name_that_says_no_format_is_said_to_lose_times(tmp_path: Path, name: str, told: bool) -> None:
    async def script(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        """Say nothing."""

    async with peer(script) as port:
        done = await run("rct", "dump", "--host", "127.0.0.1", "--port", port, "-f", tmp_path / name)
    line = f"{tmp_path / name}: will hold the bytes alone; a name with .rctcap or .pcapng keeps their times, too\n"
    assert (line in done.err) == told


async def test_where_nothing_comes_no_file_is_begun(tmp_path: Path) -> None:
    async def script(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        """Say nothing."""

    async with peer(script) as port:
        done = await run(
            "rct", "dump", "--host", "127.0.0.1", "--port", port, "-f", tmp_path / "x.bin", "--rotate", "1d"
        )
    assert done.code == 1
    assert done.err.startswith("Nothing was received, so no file was begun.\n")
    assert files_in(tmp_path) == []


DISK_OF_40_BYTES = """
import resource
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
from rct_tools.cli.dump import main
resource.setrlimit(resource.RLIMIT_FSIZE, (40, most))
try:
    main()
finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
"""


async def test_full_disk(tmp_path: Path) -> None:
    pytest.importorskip("resource", reason="a small disk needs the limits of Unix")
    path = tmp_path / "capture.bin"
    script, _ = speaking(FIRST * 3)
    async with peer(script) as port:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", DISK_OF_40_BYTES, "--host", "127.0.0.1", "--port", str(port), "-f", str(path),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        done = await finish(process)
    assert done.code == 1
    assert done.err.splitlines()[-1] == f"Error: {path}: file too large"
    assert "Traceback" not in done.err
    assert path.read_bytes() == (FIRST * 3)[:40]


# --- formats and rotation -------------------------------------------------------------------------------------------


def files_in(folder: Path) -> list[Path]:
    """Return files in the order in which they were begun: of one second, the second is called -2."""
    return sorted(folder.iterdir(), key=lambda path: (path.name[:21], len(path.name), path.name))


def chunks_in(path: Path) -> list[Chunk]:
    with io.FileIO(path) as file:
        return [item for item in read_capture(file, path.name, 8899) if isinstance(item, Chunk)]


@unix
@pytest.mark.parametrize("suffix", [*FORMATS, ".rctcap.gz", ".pcapng.zst"])
async def test_every_format_is_whole_even_when_killed(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"capture{suffix}"
    script, _ = speaking(FIRST, SECOND)
    async with (
        peer(script) as port,
        running("rct", "dump", "--host", "127.0.0.1", "--port", port, "-f", path) as process,
    ):
        await until(lambda: path.exists() and b"".join(chunk.data for chunk in chunks_in(path)) == FIRST + SECOND)
        process.kill()
        await process.wait()
    chunks = chunks_in(path)
    assert b"".join(chunk.data for chunk in chunks) == FIRST + SECOND
    if suffix != ".bin":
        assert {chunk.connection for chunk in chunks} == {0, 1}
        assert all(abs(chunk.time - time.time_ns()) < 120e9 for chunk in chunks)


@unix
async def test_files_that_follow_one_another(tmp_path: Path) -> None:
    async with (
        Simulator(port=0, cycle=0.6) as simulator,
        running("rct", "dump", "--host", "127.0.0.1", "--port", simulator.port, "-f", tmp_path / "roof.rctcap",
            "--rotate", "900B", "--rotate", "1h") as process,
    ):  # fmt: skip
        await until(lambda: len(files_in(tmp_path)) > 3)
        process.send_signal(signal.SIGINT)
        done = await finish(process)
    paths = files_in(tmp_path)
    assert f"{len(paths)} files, the last {paths[-1]}: " in done.err
    assert all(path.name.startswith("roof-20") and path.suffix == ".rctcap" for path in paths)
    parser = FrameParser()
    for path in paths:
        before = parser.frames.total()
        for chunk in chunks_in(path):
            parser.feed(chunk.data)
        assert parser.pending == 0 or path == paths[-1], "no frame lies across two files"
        assert parser.frames.total() > before or path == paths[-1]
    assert not parser.bad


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (["--rotate", "5"], "'5' is neither a size such as 100MB nor a duration such as 1d"),
        (["--rotate", "5 apples"], "neither a size"),
        (["--rotate", "0MB"], "must be more than 0"),
        (["--rotate", "0s"], "must be more than 0"),
        (["--rotate", "1d", "--append"], "--rotate makes new files"),
        (["--rotate", "1d", "-f", "-"], "--rotate makes new files"),
        (["--rotate", "1d", "-f", "missing/x.bin"], "missing is no folder"),
    ],
)
async def test_usage_of_rotation(options: list[str], error: str, tmp_path: Path) -> None:
    done = await run("rct", "dump", "--host", "127.0.0.1", "--port", 1, "-f", tmp_path / "x.bin", *options)
    assert done.code == 2
    assert error in done.err
    assert files_in(tmp_path) == []


async def test_what_is_compressed_is_not_continued(tmp_path: Path) -> None:
    path = tmp_path / "x.rctcap.gz"
    path.write_bytes(gzip.compress(b"- < 00\n"))
    script, _ = speaking(FIRST)
    async with peer(script) as port:
        done = await run("rct", "dump", "--host", "127.0.0.1", "--port", port, "-f", path, "--append")
    assert done.code == 1
    assert f"{path.name}: what is compressed cannot be continued; record into a new file" in done.err
    assert gzip.decompress(path.read_bytes()) == b"- < 00\n"
