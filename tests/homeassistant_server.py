"""A real Home Assistant, without a screen, in an environment of its own: nothing of it comes into ours.

``python tests/homeassistant_server.py install`` makes the environments, as `make homeassistant` does.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest

BUILD = Path(__file__).parent.parent / "build"
VERSIONS = {  # version: the Python it runs on, what is installed
    "2025.4": ("3.13", ["homeassistant==2025.4.4", "home-assistant-frontend==20250411.0", "paho-mqtt==2.1.0"]),
    "2024.3": (
        "3.11",
        [
            "homeassistant==2024.3.3",
            "home-assistant-frontend==20240307.0",  # without it there is recovery mode only
            "paho-mqtt==1.6.1",
            "SQLAlchemy==2.0.27",  # these are what the manifests of its components name
            "fnv-hash-fast==0.5.0",
            "psutil-home-assistant==0.0.1",
            "janus==1.0.0",
            "Pillow==10.2.0",
            "josepy<2",
        ],
    ),
}

_READY = 180.0  # seconds; the first start takes 15 on a machine with nothing else to do
_STOP = 30.0
_ANSWER = 60.0
_ENTRY = "0123456789abcdef0123456789abcdef"
_CLIENT_ID = "http://127.0.0.1/"
_CONFIG = """
homeassistant:
  time_zone: Europe/Berlin
  unit_system: metric
http:
  server_host: 127.0.0.1
  server_port: {port}
api:
config:
onboarding:
websocket_api:
energy:
recorder:
  commit_interval: 0
logger:
  default: warning
"""


def _program(version: str) -> Path:
    return BUILD / f"homeassistant-{version}" / "bin" / "hass"


def require(version: str) -> Path:
    """Return the program of a version; without it the test is skipped, or fails under RCT_REQUIRE_SERVERS=1."""
    program = _program(version)
    if not (BUILD / f"homeassistant-{version}" / "installed").exists():
        message = f"Home Assistant {version} is not installed: make homeassistant"
        if os.environ.get("RCT_REQUIRE_SERVERS") == "1":
            pytest.fail(message)
        pytest.skip(message)
    return program


class HomeAssistantServer:
    """Home Assistant on a broker; its API is asked as a user."""

    def __init__(self, version: str, folder: Path, port: int, broker_port: int) -> None:
        self.version = version
        self._program = require(version)
        self._folder = folder
        self._url = f"http://127.0.0.1:{port}"
        self._token = ""
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "configuration.yaml").write_text(_CONFIG.format(port=port), "utf-8")
        storage = folder / ".storage"
        storage.mkdir()
        entry = {
            "entry_id": _ENTRY,
            "version": 1,
            "domain": "mqtt",
            "title": "broker",
            "data": {"broker": "127.0.0.1", "port": broker_port, "discovery": True},
            "options": {},
            "pref_disable_new_entities": False,
            "pref_disable_polling": False,
            "source": "user",
            "unique_id": None,
            "disabled_by": None,
        }
        entries = {"version": 1, "minor_version": 1, "key": "core.config_entries", "data": {"entries": [entry]}}
        (storage / "core.config_entries").write_text(json.dumps(entries), "utf-8")

    async def start(self) -> None:
        """Start, and return when it answers a user."""
        log = (self._folder / "output.log").open("ab")
        self._process = subprocess.Popen(  # noqa: ASYNC220  # it is stopped by synchronous code
            [self._program, "--config", self._folder, "--skip-pip"], stdout=log, stderr=log
        )
        log.close()
        async with asyncio.timeout(_READY), aiohttp.ClientSession(self._url) as session:
            while not await self._is_running(session):
                if self._process.poll() is not None or "Activating recovery mode" in self.log():
                    pytest.fail(f"Home Assistant does not start: {self.log()[-2000:]}")
                await asyncio.sleep(0.1)

    def stop(self) -> None:
        """Stop, and return when it has ended."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(_STOP)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    async def _is_running(self, session: aiohttp.ClientSession) -> bool:
        try:
            if not self._token:
                self._token = await self._log_in(session)
            async with session.get("/api/config", headers=self._headers()) as response:
                return bool((await response.json())["state"] == "RUNNING")
        except aiohttp.ClientError:
            return False

    async def _log_in(self, session: aiohttp.ClientSession) -> str:
        user = {
            "client_id": _CLIENT_ID,
            "name": "Owner",
            "username": "owner",
            "password": "for the test only",
            "language": "en",
        }
        async with session.post("/api/onboarding/users", json=user) as response:
            response.raise_for_status()
            code = (await response.json())["auth_code"]
        grant = {"client_id": _CLIENT_ID, "grant_type": "authorization_code", "code": code}
        async with session.post("/auth/token", data=grant) as response:
            response.raise_for_status()
            return str((await response.json())["access_token"])

    def _headers(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self._token}"}

    async def states(self) -> dict[str, dict[str, Any]]:
        """Return all states, by the id of the entity."""
        async with (
            asyncio.timeout(_ANSWER),
            aiohttp.ClientSession(self._url) as session,
            session.get("/api/states", headers=self._headers()) as response,
        ):
            response.raise_for_status()
            return {state["entity_id"]: state for state in await response.json()}

    async def ask(self, kind: str, **arguments: Any) -> Any:
        """Return what a command of the WebSocket gives, such as config/entity_registry/list."""
        (result,) = await self._ask_all([{"type": kind, **arguments}])
        return result

    async def _ask_all(self, commands: Sequence[Mapping[str, Any]]) -> list[Any]:
        async with (
            asyncio.timeout(_ANSWER),
            aiohttp.ClientSession(self._url) as session,
            session.ws_connect("/api/websocket") as socket,
        ):
            await socket.receive_json()
            await socket.send_json({"type": "auth", "access_token": self._token})
            assert (await socket.receive_json())["type"] == "auth_ok"
            results = []
            for number, command in enumerate(commands, 1):
                await socket.send_json({"id": number, **command})
                answer = await socket.receive_json()
                assert answer["success"], answer
                results.append(answer["result"])
            return results

    async def entities(self) -> dict[str, dict[str, Any]]:
        """Return the entities that came over MQTT, by unique id, with those that are switched off."""
        registry = await self.ask("config/entity_registry/list")
        short = {entry["entity_id"]: entry for entry in registry if entry["platform"] == "mqtt"}
        commands = [{"type": "config/entity_registry/get", "entity_id": entity_id} for entity_id in short]
        return {entry["unique_id"]: entry for entry in await self._ask_all(commands)}

    async def call(self, service: str, entity_id: str, **data: Any) -> None:
        """Do what a user does with an entity: ``number.set_value``. Raises for what it does not take."""
        async with asyncio.timeout(_ANSWER), aiohttp.ClientSession(self._url) as session:
            url = f"/api/services/{service.replace('.', '/')}"
            async with session.post(url, headers=self._headers(), json={"entity_id": entity_id, **data}) as response:
                response.raise_for_status()

    async def until_found(self, unique_ids: Collection[str], seconds: float = 120.0) -> dict[str, dict[str, Any]]:
        """Return the entities that came over MQTT, when they are those of some ids."""
        async with asyncio.timeout(seconds):
            while (found := await self.entities()).keys() != unique_ids:  # noqa: ASYNC110
                await asyncio.sleep(0.5)
        return found

    async def enable(self, entity_ids: Iterable[str]) -> None:
        """Switch entities on, and look for devices again, as its owner would."""
        update = {"type": "config/entity_registry/update", "disabled_by": None}
        await self._ask_all([{**update, "entity_id": entity_id} for entity_id in entity_ids])
        async with asyncio.timeout(_ANSWER), aiohttp.ClientSession(self._url) as session:
            url = f"/api/config/config_entries/entry/{_ENTRY}/reload"
            async with session.post(url, headers=self._headers()) as response:
                response.raise_for_status()

    async def until(self, condition: Callable[[dict[str, dict[str, Any]]], bool], seconds: float = 120.0) -> None:
        """Return when a condition holds for the states."""
        async with asyncio.timeout(seconds):
            while not condition(await self.states()):  # noqa: ASYNC110  # another program's
                await asyncio.sleep(0.1)

    def complaints(self) -> list[str]:
        """Return what it had to say against anything that came over MQTT; that it is slow is no fault of ours."""
        parts = "mqtt|sensor|binary_sensor|number|select|switch|button"
        ours = rf"homeassistant\.(?:components\.(?:{parts})|helpers\.(?:entity|device_registry|frame))"
        said = re.findall(rf"^.*(?:WARNING|ERROR|CRITICAL) .*\[{ours}.*$", self.log(), re.MULTILINE)
        return [line for line in said if not re.search(r" is taking over \d+ seconds| took [\d.]+ seconds", line)]

    def log(self) -> str:
        """Return what it logged, since it was made."""
        return (self._folder / "output.log").read_text("utf-8")


def _interpreter(python: str) -> str:
    """Return an interpreter of a version: that on the PATH, or one of pyenv."""
    candidates = [f"python{python}", *sorted(map(str, Path.home().glob(f".pyenv/versions/{python}*/bin/python")))]
    for candidate in candidates:
        # pyenv also puts a stand-in on the PATH that only says which versions there are.
        asked = [candidate, "--version"]
        if shutil.which(candidate) and not subprocess.run(asked, check=False, capture_output=True).returncode:
            return candidate
    sys.exit(f"Home Assistant needs Python {python}, and there is none on the PATH")


def install() -> None:
    """Make the environments that are missing. Raises CalledProcessError."""
    for version, (python, requirements) in VERSIONS.items():
        folder = BUILD / f"homeassistant-{version}"
        done = folder / "installed"
        if done.exists() and done.read_text() == " ".join(requirements):
            continue
        print(f"Home Assistant {version}, in {folder.relative_to(BUILD.parent)} …", flush=True)
        subprocess.run([_interpreter(python), "-m", "venv", "--clear", folder], check=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", "--quiet", *requirements], check=True)
        done.write_text(" ".join(requirements))


if __name__ == "__main__":
    if sys.argv[1:] != ["install"]:
        sys.exit("usage: python tests/homeassistant_server.py install")
    install()
