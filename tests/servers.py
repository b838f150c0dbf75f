"""Real servers for tests: each on a free port of the loopback, in a temporary folder."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest

_READY = 10.0  # seconds

_INFLUX_CONFIG = """
reporting-disabled = true
bind-address = "127.0.0.1:{rpc_port}"
[meta]
dir = "{folder}/meta"
[data]
dir = "{folder}/data"
wal-dir = "{folder}/wal"
[http]
bind-address = "127.0.0.1:{port}"
auth-enabled = {auth}
log-enabled = false
[monitor]
store-enabled = false
[logging]
level = "error"
"""


def require(program: str) -> str:
    """Return the path of a server's program; without it the test is skipped, or fails under RCT_REQUIRE_SERVERS=1."""
    path = shutil.which(program)
    if path is None:
        message = f"{program} is not installed"
        if os.environ.get("RCT_REQUIRE_SERVERS") == "1":
            pytest.fail(message)
        pytest.skip(message)
    return path


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


class InfluxServer:
    """InfluxDB 1.x that can be stopped and started again with its data."""

    def __init__(self, folder: Path, *, auth: bool = False) -> None:
        self._program = require("influxd")
        self.port, rpc_port = free_ports(2)
        self.address = f"127.0.0.1:{self.port}"
        self._config = folder / "influxdb.conf"
        self._config.write_text(
            _INFLUX_CONFIG.format(folder=folder.as_posix(), port=self.port, rpc_port=rpc_port, auth=str(auth).lower())
        )
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start, and return when it answers."""
        self._process = subprocess.Popen(  # noqa: ASYNC220  # it is stopped by synchronous code
            [self._program, "run", "-config", str(self._config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        async with asyncio.timeout(_READY), aiohttp.ClientSession() as session:
            while self._process.poll() is None:
                try:
                    async with session.get(f"http://{self.address}/ping"):
                        return
                except aiohttp.ClientError:
                    await asyncio.sleep(0.02)
        pytest.fail("influxd ended at once")

    def stop(self) -> None:
        """Stop, and return when it has ended."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(_READY)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    async def query(self, query: str, database: str = "", **parameters: str) -> list[dict[str, Any]]:
        """Return the rows that a query gives, with ``time`` in nanoseconds."""
        parameters |= {"q": query, "db": database, "epoch": "ns"}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"http://{self.address}/query", params=parameters) as response,
        ):
            answer: Mapping[str, Any] = await response.json()
        assert "error" not in answer, answer
        (result,) = answer["results"]
        assert "error" not in result, result
        return [
            {**series.get("tags", {}), **dict(zip(series["columns"], row, strict=True))}
            for series in result.get("series", [])
            for row in series["values"]
        ]


class MosquittoServer:
    """Mosquitto that can be stopped and started again with its retained messages."""

    def __init__(self, folder: Path) -> None:
        self._program = require("mosquitto")
        (self.port,) = free_ports(1)
        self._config = folder / "mosquitto.conf"
        lines = [
            f"listener {self.port} 127.0.0.1",
            "user root",  # counts only for root, who would become somebody without rights to the folder
            "set_tcp_nodelay true",
            "allow_anonymous true",
            "persistence true",
            f"persistence_location {folder.as_posix()}/",
        ]
        self._config.write_text("\n".join(lines) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start, and return when it answers."""
        self._process = subprocess.Popen(  # noqa: ASYNC220  # it is stopped by synchronous code
            [self._program, "-c", str(self._config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        async with asyncio.timeout(_READY):
            while self._process.poll() is None:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                except OSError:
                    await asyncio.sleep(0.02)
                else:
                    writer.close()
                    await writer.wait_closed()
                    return
        pytest.fail("mosquitto ended at once")

    def stop(self) -> None:
        """Stop, and return when it has ended."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(_READY)
            self._process = None
