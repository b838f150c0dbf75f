"""rct read: what is silent is said, and what is printed is whole."""

from __future__ import annotations

import json
import signal
import sys

import pytest

from rct_tools.simulator import Simulator

from programs import finish, run, running


async def test_reads_and_names_what_is_silent() -> None:
    async with Simulator(port=0, latency=0.001, broadcast=False) as simulator:
        where = ("--host", "127.0.0.1", "--port", simulator.port, "--timeout", "700ms")
        done = await run("rct", "read", *where, "battery.soc", "0x12345678", "--format", "json")
        assert done.code == 1
        assert [row["object"] for row in json.loads(done.out)] == ["battery.soc"]
        assert done.err == f"Error: 127.0.0.1:{simulator.port}: no answer for 0x12345678\n"


async def test_an_empty_host_is_a_mistake() -> None:
    done = await run("rct", "read", "--host", "", "battery.soc")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "is empty" in done.err


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals between processes")
async def test_watching_names_what_is_silent_once_and_ends_whole() -> None:
    async with Simulator(port=0, latency=0.001, broadcast=False) as simulator:
        where = ("--host", "127.0.0.1", "--port", simulator.port, "--timeout", "700ms")
        watch = ("--watch", "10ms", "--format", "json")
        async with running("rct", "read", *where, "battery.soc", "0x12345678", *watch) as process:
            assert process.stdout is not None
            first = b"".join([await process.stdout.readline() for _ in range(4)])
            process.send_signal(signal.SIGINT)
            done = await finish(process)
    assert done.code == 130
    assert len(json.loads(first.decode() + done.out)) >= 3
    assert done.err.strip() == f"127.0.0.1:{simulator.port}: no answer for 0x12345678"
