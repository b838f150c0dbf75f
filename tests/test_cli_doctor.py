"""rct doctor: what is printed, what is shared, and how it ends."""

from __future__ import annotations

import asyncio
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

import click
import pytest

from rct_tools.bundle import CAPTURE, write_bundle
from rct_tools.capture import Chunk, Direction, read_capture
from rct_tools.cli.doctor import _doctor, _report
from rct_tools.client import connect
from rct_tools.evidence import Broadcast
from rct_tools.frame import Command, Frame
from rct_tools.link import PORT
from rct_tools.objects import registry
from rct_tools.redaction import collect
from rct_tools.simulator import Simulator

from examinations import HEALTHY
from peers import peer
from programs import run
from servers import free_ports
from warp import warp


def members(bundle: Path) -> dict[str, bytes]:
    with ZipFile(bundle) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def captured(data: bytes, tmp_path: Path) -> list[Chunk]:
    path = tmp_path / CAPTURE
    path.write_bytes(data)
    with io.FileIO(path) as file:
        return [item for item in read_capture(file, CAPTURE, PORT) if isinstance(item, Chunk)]


def test_report_and_bundle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = tmp_path / "report.zip"
    private = [info.name for info in registry if info.private and not info.is_query]
    heard: list[Chunk] = []

    async def main() -> int:
        async with (
            Simulator(port=0) as simulator,
            connect("127.0.0.1", simulator.port, tap=heard.append) as other,
        ):
            examination = asyncio.create_task(_doctor("127.0.0.1", simulator.port, 1.0, 35, "text", bundle))
            while not examination.done():
                await other.read_many(private)
                await asyncio.sleep(5)
            await examination
            return simulator.port

    port = warp(main())
    out = capsys.readouterr().out
    assert out.startswith(f"127.0.0.1:{port}: works, with 1 thing to look at\n\nexamined        ")
    assert "\ninverter        firmware 2.3.5678, 10 kW, string A" in out
    assert re.search(r"\nother clients   (\S+ \(\d+\),\s+){5}\S+ \(\d+\) and \d+ more\n", out)
    assert "\n1. Another program is at work" in out
    assert out.endswith(f"{bundle}: written, to share: report.txt, report.json, {CAPTURE}\n")
    assert "\x1b" not in out
    assert max(map(len, out.splitlines()[:-1])) <= 80

    files = members(bundle)
    assert list(files) == ["report.txt", "report.json", CAPTURE]
    assert files["report.txt"].startswith(b"the inverter: works, with ")
    assert json.loads(files["report.json"])["peer"] == "the inverter"
    chunks = captured(files[CAPTURE], tmp_path)
    assert {chunk.direction for chunk in chunks} == {*Direction}
    originals = {data for (_, data) in collect(heard).names() if len(data) >= 4}
    assert b"SIM0000001" in originals
    assert len(originals) > 10
    for content in (bundle.read_bytes(), *files.values()):
        for secret in (*originals, b"127.0.0.1", f":{port}".encode()):  # digits alone are in any dump
            assert secret not in content


def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def main() -> None:
        async with Simulator(port=0, broadcast=False) as simulator:
            await _doctor("127.0.0.1", simulator.port, 1.0, 0, "json", tmp_path / "b.zip")

    warp(main())
    done = capsys.readouterr()
    document = json.loads(done.out)
    assert document["verdict"] == "healthy"
    assert document["delays"]["median"] > 0
    assert document["advice"][0].keys() == {"grave", "what", "do"}
    assert document["began"].endswith("+00:00")
    assert done.err.startswith(str(tmp_path / "b.zip"))


async def test_out_of_reach(tmp_path: Path) -> None:
    bundle = tmp_path / "b.zip"
    (port,) = free_ports(1)
    done = await run("rct", "doctor", "--host", "127.0.0.1", "--port", port, "--bundle", bundle)
    assert (done.code, done.err) == (1, "")
    assert done.out.startswith(
        f"127.0.0.1:{port}: not reachable: cannot connect: connection refused (tried 3 times)\n\n1. "
    )
    files = members(bundle)
    assert captured(files[CAPTURE], tmp_path) == []
    assert files["report.txt"].startswith(b"the inverter: not reachable: cannot connect: connection refused")
    assert not any(secret in content for content in files.values() for secret in (b"127.0.0.1", f":{port}".encode()))


async def test_silent() -> None:
    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with peer(mute) as port:
        args = ("--host", "127.0.0.1", "--port", port, "--timeout", "20ms", "--quick", "--format", "json")
        done = await run("rct", "doctor", *args)
    assert (done.code, done.err) == (1, "")
    assert json.loads(done.out)["verdict"] == "connected, but silent"


@pytest.mark.parametrize(("name", "text"), [("there.zip", "is there already"), ("none/b.zip", "is no folder")])
async def test_a_bundle_that_cannot_be_written_is_known_before(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "there.zip").write_text("mine")
    done = await run("rct", "doctor", "--host", "127.0.0.1", "--port", 1, "--bundle", tmp_path / name)
    assert (done.code, done.err.count("\n"), text in done.err) == (2, 1, True)
    assert (tmp_path / "there.zip").read_text() == "mine"


def test_private_values_are_not_in_texts_either(tmp_path: Path) -> None:
    payload = b"SIM7654321\0\0"
    frame = Frame(Command.RESPONSE, registry["inverter_sn"].object_id, payload)
    chunks = [Chunk(1, Direction.RECEIVED, frame.encode())]
    write_bundle(tmp_path / "b.zip", {"report.txt": "of SIM7654321"}, chunks)
    assert members(tmp_path / "b.zip")["report.txt"] == b"of XXX0000001"
    assert [path.name for path in tmp_path.iterdir()] == ["b.zip"]


SHOWN = [  # what differs from a healthy one, a line of the report
    ({"firmware": "", "power": None, "slaves": 2}, "inverter        firmware unknown, battery, 2 linked inverters"),
    ({"parts": ("battery", "module 0", "module 1")}, "inverter        firmware 2.3.9999, 10 kW, battery, 2 modules"),
    ({"late": 1, "lost": 2, "cut": 3}, "answers         120 in time; 1 late, 3 cut, 2 lost"),
    ({}, "reply time      median 60 ms, p95 70 ms, slowest 100 ms"),
    ({}, "rate            20 requests a second without a loss; no faster one was tried"),
    ({"rate": None, "rate_end": "others"}, "rate            not tried, others are at work"),
    ({"mute": ("a", "b")}, "silent objects  a, b"),
    ({"rare": ("a", "b")}, "rare objects    a, b"),
    ({"damaged": {"crc": 2}}, "frames          250 good; 2 crc damaged"),
    ({"extra": 2}, "doubled         2 frames"),
    ({"broadcast": None}, "by itself       nothing"),
    ({"broadcast": None, "listened": 0}, "by itself       nothing heard while it was asked"),
    ({}, "by itself       66 objects every 31 s, in bursts of 1, 14, 49"),
    ({"broadcast": Broadcast(1, None, ()), "listened": 0}, "by itself       at least 1 object"),
    ({"others": {"a": 1200}}, "other clients   a (1,200)"),
    ({"silent_sessions": 1}, "lost sessions   0 closed, 1 went silent"),
    ({"second": False}, "second client   is not let in"),
    ({"shared": None}, "second client   is let in, but not answered"),
    ({"rate": None, "rate_end": "slow"}, "rate            less than 5 requests a second"),
]


@pytest.mark.parametrize(("differs", "line"), SHOWN)
def test_lines(differs: dict[str, object], line: str) -> None:
    assert line in click.unstyle(_report(replace(HEALTHY, **differs), 80)).splitlines()  # type: ignore[arg-type]


BARE = {"clock_ahead": None, "delays": None, "rate": None, "rate_end": "", "second": None}


def test_of_a_silent_inverter_there_is_little_to_show() -> None:
    text = click.unstyle(_report(replace(HEALTHY, frames=0, received=0, answered=0), 80))
    assert text.splitlines()[:5] == [
        "192.0.2.7:8899: connected, but silent", "",
        "examined        60 s, of which 35 without a word, then 120 requests", "",
        "1. It takes connections, but no answer came to 120 questions.",
    ]  # fmt: skip


def test_what_is_not_known_is_not_shown() -> None:
    text = _report(replace(HEALTHY, **BARE), 80)  # type: ignore[arg-type]
    assert not any(word in text for word in ("clock", "reply", "rate ", "second client", "None"))
