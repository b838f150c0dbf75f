"""Real servers for tests: each on a free port of the loopback, in a temporary folder."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import aiohttp
import pytest

_READY = 60.0  # seconds; a machine at work on much else is slow

INFLUX_CONFIG = """
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
PROMETHEUS_CONFIG = """
global:
  scrape_interval: {interval}
scrape_configs:
  - job_name: rct
    static_configs:
      - targets: ["{target}"]
"""


def require(program: str) -> str:
    """Return the path of a server's program; without it the test is skipped, or fails under RCT_REQUIRE_SERVERS=1."""
    path = shutil.which(program) or shutil.which(program, path=Path(sys.executable).parent)
    if path is None:
        message = f"{program} is not installed"
        if os.environ.get("RCT_REQUIRE_SERVERS") == "1":
            pytest.fail(message)
        pytest.skip(message)
    return path


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on; on Linux, no other program is given one of them meanwhile.

    There, a socket that is only bound keeps a port from all who want just any, and lets in who asks for it by number.
    """
    sockets = []
    for _ in range(count):
        sockets.append(held := socket.socket())
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        if sys.platform == "linux":
            s.detach()  # it ends with this process: servers come and go at a port
        else:
            s.close()
    return ports


class Server:
    """A program that can be stopped and started again, with its data."""

    def __init__(self, port: int, ready: str, program: str, *arguments: str) -> None:
        """``ready`` is the path of what is there when it is; "" for a server that does not speak HTTP."""
        self.port = port
        self.address = f"127.0.0.1:{port}"
        self._ready = ready
        self._command = [require(program), *arguments]
        self._process: subprocess.Popen[bytes] | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stop()

    async def start(self) -> None:
        """Start, and return when it answers."""
        self._process = process = subprocess.Popen(  # noqa: ASYNC220  # it is stopped by synchronous code
            self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            async with asyncio.timeout(_READY):
                while process.poll() is None:
                    if await self._answers():
                        return
                    await asyncio.sleep(0.02)
        except BaseException:  # cancelled, too: nobody else stops what has never been there
            self.kill()
            raise
        pytest.fail(f"{self._command[0]} ended at once")

    async def _answers(self) -> bool:
        try:
            if self._ready:
                url = f"http://{self.address}{self._ready}"
                async with aiohttp.ClientSession() as session, session.get(url) as response:
                    return response.ok
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            writer.close()
            await writer.wait_closed()
        except (aiohttp.ClientError, OSError):
            return False
        return True

    def freeze(self) -> None:
        """Stand still: connections stay, and nobody answers."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Stop, and return when it has ended; what it has taken is on its disk then."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut would, at once."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self.thaw()
            try:
                self._process.wait(_READY)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None


class InfluxServer(Server):
    """InfluxDB 1.x."""

    def __init__(self, folder: Path, *, auth: bool = False, port: int | None = None) -> None:
        free_port, rpc_port = free_ports(2)
        config = folder / "influxdb.conf"
        super().__init__(port or free_port, "/ping", "influxd", "run", "-config", str(config))
        config.write_text(
            INFLUX_CONFIG.format(folder=folder.as_posix(), port=self.port, rpc_port=rpc_port, auth=str(auth).lower())
        )

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


class VictoriaServer(Server):
    """VictoriaMetrics."""

    def __init__(self, folder: Path) -> None:
        (port,) = free_ports(1)
        super().__init__(
            port, "/health", "victoria-metrics", f"-storageDataPath={folder}", f"-httpListenAddr=127.0.0.1:{port}",
            "-retentionPeriod=100y", "-search.latencyOffset=0s", "-dedup.minScrapeInterval=1ms",
        )  # fmt: skip

    async def get(self, path: str, **parameters: str) -> str:
        """Return what it answers."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://{self.address}{path}", params=parameters) as response,
        ):
            assert response.ok, await response.text()
            return await response.text()

    async def series(self, match: str = '{__name__!=""}') -> list[dict[str, Any]]:
        """Return all series that match: ``metric`` (the labels), ``values``, and ``timestamps`` in milliseconds.

        It finds what it was given only after about a second, even if told to flush: so it is asked until it says the
        same twice.
        """
        before, lines = None, [""]
        while not lines or lines != before:
            await asyncio.sleep(1.0 if before else 0.0)
            await self.get("/internal/force_flush")
            answer = await self.get("/api/v1/export", **{"match[]": match, "reduce_mem_usage": "0"})
            before, lines = lines, sorted(answer.splitlines())
        return sorted(map(json.loads, lines), key=lambda series: sorted(series["metric"].items()))

    async def invalid(self) -> int:
        """Return how many lines it could not read."""
        (line,) = re.findall(r'vm_rows_invalid_total\{type="influx"\} (\d+)', await self.get("/metrics"))
        return int(line)


class Certificates:
    """An authority of our own, and what it has certified, each as files made by openssl."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.ca, self._ca_key = folder / "ca.crt", folder / "ca.key"
        subject = ("-subj", "/CN=authority", "-days", "2", "-out", self.ca, "-keyout", self._ca_key)
        usage = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")  # which Python asks for, from 3.13 on
        self._openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject, *usage)

    def certify(self, name: str) -> tuple[Path, Path]:
        """Return certificate and key for a host, or for a client."""
        certificate, key, request, extra = (
            self._folder / f"{name}.{suffix}" for suffix in ("crt", "key", "csr", "ext")
        )
        self._openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        extra.write_text(f"subjectAltName = DNS:{name}\nauthorityKeyIdentifier = keyid\n")
        signed = ("-CA", self.ca, "-CAkey", self._ca_key, "-CAcreateserial", "-days", "1", "-extfile", extra)
        self._openssl("x509", "-req", "-in", request, "-out", certificate, *signed)
        return certificate, key

    def _openssl(self, *arguments: object) -> None:
        subprocess.run([require("openssl"), *map(str, arguments)], check=True, capture_output=True)


class MosquittoServer(Server):
    """Mosquitto; only with ``keeps`` does it remember retained messages when it is started again."""

    def __init__(
        self,
        folder: Path,
        *,
        keeps: bool = True,
        users: Mapping[str, str] | None = None,
        rights: str = "",
        certificate: tuple[Path, Path] | None = None,
        client_ca: Path | None = None,
    ) -> None:
        """``users`` have passwords, ``rights`` is the text of an ACL file; ``client_ca`` certifies clients."""
        (port,) = free_ports(1)
        config = folder / "mosquitto.conf"
        super().__init__(port, "", "mosquitto", "-c", str(config))
        lines = [
            f"listener {self.port} 127.0.0.1",
            "user root",  # counts only for root, who would become somebody without rights to the folder
            "set_tcp_nodelay true",
            "max_queued_messages 100000",  # a slow subscriber loses nothing; 0 for no limit has a fault in 2.0.11
            f"allow_anonymous {str(users is None).lower()}",
            f"persistence {str(keeps).lower()}",
            f"persistence_location {folder.as_posix()}/",
            "sys_interval 1",
        ]
        if users is not None:
            passwords = folder / "passwords"
            passwords.touch(0o600)
            for user, password in users.items():
                command = [require("mosquitto_passwd"), "-b", str(passwords), user, password]
                subprocess.run(command, check=True, capture_output=True)
            lines.append(f"password_file {passwords.as_posix()}")
        if rights:
            (folder / "rights").write_text(rights)
            lines.append(f"acl_file {(folder / 'rights').as_posix()}")
        if certificate:
            lines += [f"certfile {certificate[0].as_posix()}", f"keyfile {certificate[1].as_posix()}"]
        if client_ca:
            lines += [f"cafile {client_ca.as_posix()}", "require_certificate true"]
        config.write_text("\n".join(lines) + "\n")


class PrometheusServer(Server):
    """Prometheus that fetches the metrics of one target each second."""

    def __init__(self, folder: Path, target: str) -> None:
        (port,) = free_ports(1)
        config = folder / "prometheus.yml"
        super().__init__(
            port, "/-/ready", "prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{port}", "--log.level=error",
        )  # fmt: skip
        config.write_text(PROMETHEUS_CONFIG.format(interval="1s", target=target))

    def stop(self) -> None:
        """Stop, and return when it has ended."""
        self.kill()  # its data is of no use to anybody

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
