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


_PROMETHEUS_CONFIG = """
global:
  scrape_interval: 1s
scrape_configs:
  - job_name: rct
    static_configs:
      - targets: ["{target}"]
"""


class PrometheusServer:
    """Prometheus that fetches the metrics of one target each second."""

    def __init__(self, folder: Path, target: str) -> None:
        self._program = require("prometheus")
        (port,) = free_ports(1)
        self.address = f"127.0.0.1:{port}"
        self._folder = folder
        self._config = folder / "prometheus.yml"
        self._config.write_text(_PROMETHEUS_CONFIG.format(target=target))
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start, and return when it answers."""
        self._process = subprocess.Popen(  # noqa: ASYNC220  # it is stopped by synchronous code
            [
                self._program,
                f"--config.file={self._config}",
                f"--storage.tsdb.path={self._folder / 'tsdb'}",
                f"--web.listen-address={self.address}",
                "--log.level=error",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        async with asyncio.timeout(_READY), aiohttp.ClientSession() as session:
            while self._process.poll() is None:
                try:
                    async with session.get(f"http://{self.address}/-/ready") as response:
                        if response.status == 200:
                            return
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.02)
        pytest.fail("prometheus ended at once")

    def stop(self) -> None:
        """Stop, and return when it has ended."""
        if self._process is not None:
            self._process.kill()  # its data is of no use to anybody
            self._process.wait()
            self._process = None

    async def get(self, path: str, **parameters: str) -> Any:
        """Return the data that a call of its API gives; fails with its own error."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://{self.address}/api/v1/{path}", params=parameters) as response,
        ):
            answer: Mapping[str, Any] = await response.json()
        assert answer["status"] == "success", answer
        return answer["data"]

    async def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """Return labels and value of each series that an expression gives now."""
        data = await self.get("query", query=expression)
        return [(sample["metric"], float(sample["value"][1])) for sample in data["result"]]
