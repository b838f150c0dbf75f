"""The page behind real reverse proxies, set up as docs/web.md shows: with TLS, their own login, and their own name."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from asking import PASSWORD, PLAN, answer, login, messages

from rct_tools.plan import Steerable
from rct_tools.simulator import Simulator
from rct_tools.times import SECOND
from rct_tools.web.door import ReverseProxy
from rct_tools.web.table import ReverseProxyTable

from servers import Certificates, free_ports, require
from showing import Shown, known, showing, until

HOST = "solar.example.org"
LETS_IN = "let me in"
ANNA = {"Authorization": aiohttp.encode_basic_auth("anna", LETS_IN)}
DOCUMENT = (Path(__file__).parent.parent / "docs" / "web.md").read_text("utf-8")
NGINX = """
daemon off;
master_process off;
pid {folder}/pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder};
    proxy_temp_path {folder};
    fastcgi_temp_path {folder};
    uwsgi_temp_path {folder};
    scgi_temp_path {folder};
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        {block}
    }}
}}
"""
CADDY = """
{{
    admin off
    auto_https off
    storage file_system {folder}
    default_bind 127.0.0.1
}}
{block}
"""


@dataclass(frozen=True)
class Behind:
    """What is at work."""

    proxy: ReverseProxy
    port: int
    shown: Shown
    web: aiohttp.ClientSession

    @property
    def url(self) -> str:
        """The address that browsers know."""
        return f"https://{HOST}:{self.port}"


def blocks(language: str) -> str:
    """Return what the document has of a language."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
    return str(found)


def nginx(folder: Path, port: int, page: str, certificate: Path, key: Path) -> tuple[str, ...]:
    """Write what nginx reads; return its command."""
    program = require("nginx")
    users, config = folder / "users", folder / "nginx.conf"
    (hashed,) = subprocess.run(
        ["openssl", "passwd", "-apr1", LETS_IN], check=True, capture_output=True, text=True
    ).stdout.split()
    users.write_text(f"anna:{hashed}\n")
    text = blocks("nginx").replace("127.0.0.1:9834", page).replace("/etc/nginx/solar-users", str(users))
    config.write_text(NGINX.format(folder=folder, port=port, certificate=certificate, key=key, block=text))
    return program, "-p", str(folder), "-c", str(config)


def caddy(folder: Path, port: int, page: str, certificate: Path, key: Path) -> tuple[str, ...]:
    """Write what Caddy reads; return its command."""
    program, config = require("caddy"), folder / "Caddyfile"
    hashed = subprocess.run(
        [program, "hash-password", "--plaintext", LETS_IN], check=True, capture_output=True, text=True
    ).stdout.strip()
    text = blocks("text").replace("127.0.0.1:9834", page).replace("$2a$14$...", hashed)
    text = text.replace(f"{HOST} {{", f"https://{HOST}:{port} {{\n    tls {certificate} {key}")
    config.write_text(CADDY.format(folder=folder, block=text))
    return program, "run", "--config", str(config), "--adapter", "caddyfile"


class Here(AbstractResolver):
    """All names are those of this machine."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [{"hostname": host, "host": "127.0.0.1", "port": port, "family": family, "proto": 0, "flags": 0}]

    async def close(self) -> None:
        """There is nothing to close."""


@asynccontextmanager
async def behind(
    server: Callable[..., tuple[str, ...]],
    folder: Path,
    simulator: Simulator,
    header: str = "Remote-User",
    steerable: Steerable | None = None,
) -> AsyncIterator[Behind]:
    """Show a simulator behind a reverse proxy."""
    (port,) = free_ports(1)
    authority = Certificates(folder)
    certificate, key = authority.certify(HOST)
    proxy = ReverseProxyTable(addresses=("127.0.0.1",), hosts=(f"{HOST}:{port}",), user_header=header).setup("web")
    trust = ssl.create_default_context(cafile=str(authority.ca))
    jar = aiohttp.CookieJar()
    async with (
        showing(simulator, plan=PLAN, proxy=proxy, password="" if header else PASSWORD, steerable=steerable) as shown,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=Here(), ssl=trust), cookie_jar=jar) as web,
    ):
        await until(known(shown, "battery.soc"))
        command = server(folder, port, shown.url.removeprefix("http://"), certificate, key)
        with (folder / "log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log)
        try:
            it = Behind(proxy, port, shown, web)
            await until_it_answers(it)
            yield it
        finally:
            process.terminate()
            await process.wait()


async def until_it_answers(it: Behind) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                async with it.web.get(f"{it.url}/", headers=ANNA) as response:
                    assert response.status == 200, await response.text()
                    return
            except aiohttp.ClientConnectorError:
                await asyncio.sleep(0.05)


async def asked(it: Behind, path: str, headers: Mapping[str, str] = ANNA) -> tuple[int, Any]:
    async with it.web.get(it.url + path, headers=headers) as response:
        body = await response.text()
        return response.status, json.loads(body) if response.content_type == "application/json" else body


@pytest.mark.parametrize("server", [nginx, caddy])
async def test_reverse_proxy_that_logs_in(
    server: Callable[..., tuple[str, ...]], tmp_path: Path, simulator: Simulator
) -> None:
    async with behind(server, tmp_path, simulator) as it:
        origin = {"Origin": it.url}
        assert (await asked(it, "/api/now", {}))[0] == 401  # by the reverse proxy
        status, document = await asked(it, "/api/now", ANNA | origin)
        assert (status, document["inverters"]["roof"]["up"]) == (200, True)
        session = {"password": False, "open": True, "user": "anna", "control": []}
        assert await asked(it, "/api/session") == (200, session)
        # What browsers say of themselves counts for nothing.
        for name in ("Remote-User", "remote-user", "Remote_User", "X-Forwarded-For", "Forwarded"):
            assert await asked(it, "/api/session", ANNA | {name: "mallory"}) == (200, session), name
            assert (await asked(it, "/api/session", {name: "mallory"}))[0] == 401, name
        assert (await asked(it, "/api/now", ANNA | {"Origin": "https://evil.example"}))[0] == 403
        assert (await asked(it, "/api/now", ANNA | {"Sec-Fetch-Site": "cross-site"}))[0] == 403
        status, document = await asked(it, "/api/now", ANNA | {"Host": "evil.example"})
        assert status in (200, 421)  # Caddy has no such site, and answers with nothing
        assert not document or "web.reverse_proxy.hosts" in document["error"]
        # Events come as they happen.
        async with it.web.get(f"{it.url}/api/live", headers=ANNA | origin) as response:
            told = messages(response)
            assert (await anext(told))["whole"]
            assert not (await anext(told))["whole"]


async def direct(it: Behind, path: str, here: str, headers: Mapping[str, str]) -> tuple[int, Any]:
    """Ask past the reverse proxy, from an address of this machine."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(local_addr=(here, 0))) as web:
        return await answer(web, it.shown.url + path, **headers)


async def test_who_comes_past_the_reverse_proxy(tmp_path: Path, simulator: Simulator) -> None:
    async with behind(nginx, tmp_path, simulator) as it:
        host, user = {"Host": f"{HOST}:{it.port}"}, {"Remote-User": "mallory"}
        for here in ("127.0.0.1", "127.0.0.2"):
            assert await direct(it, "/api/now", here, {}) == (401, {"error": "log in first"})
        assert (await direct(it, "/api/now", "127.0.0.2", host | user))[0] == 421
        assert (await direct(it, "/api/now", "127.0.0.2", user))[0] == 401
        assert (await direct(it, "/api/now", "127.0.0.1", user))[0] == 421
        assert (await direct(it, "/api/now", "127.0.0.2", {"X-Forwarded-For": "127.0.0.1"} | user))[0] == 403
        # Only the reverse proxy's own machine is believed.
        assert (await direct(it, "/api/now", "127.0.0.1", host | user))[0] == 200


async def test_password_behind_a_reverse_proxy(
    tmp_path: Path, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rct_tools.web.door._FIRST_WAIT", 600.0)  # longer than any machine takes for this
    async with behind(nginx, tmp_path, simulator, header="") as it:
        secret = aiohttp.ClientSession(connector=it.web.connector, connector_owner=False, headers=ANNA)
        async with secret as web:
            shown = Shown(it.url, it.shown.page, it.shown.collector, it.shown.simulator)
            assert (await asked(it, "/api/now", ANNA | {"Remote-User": "anna"}))[0] == 401
            status, _, response = await login(web, shown, PASSWORD, Origin=it.url)
            assert status == 200
            assert all(part in response.headers["Set-Cookie"] for part in ("HttpOnly", "SameSite=Strict", "Secure"))
            assert (await answer(web, f"{it.url}/api/now"))[0] == 200
            # Each browser waits for itself.
            for _ in range(6):
                status, _, _ = await login(web, shown, "wrong", **{"X-Forwarded-For": "198.51.100.7"})
            assert status == 429
            assert it.shown.page._attempts.wait("198.51.100.7", asyncio.get_running_loop().time()) == 0


async def test_orders_say_who_gave_them(tmp_path: Path, simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    async with behind(nginx, tmp_path, simulator, steerable=Steerable((), ("hold",), 3600 * SECOND)) as it:

        async def post(path: str, who: Mapping[str, str], **said: str) -> tuple[int, Any]:
            async with it.web.post(f"{it.url}/api/control/{path}", json=said, headers=who) as response:
                return response.status, await response.json(content_type=None) if who else None

        assert (await asked(it, "/api/session"))[1]["control"] == ["roof"]
        assert (await post("consider", {}, mode="hold"))[0] == 401
        assert (await post("consider", ANNA | {"Origin": "https://evil.example"}, mode="hold"))[0] == 403
        status, considered = await post("consider", ANNA, mode="hold")
        assert status == 200, considered
        status, ordered = await post("order", ANNA | {"Remote-User": "mallory"}, considered=considered["considered"])
        assert (status, ordered["who"]) == (202, "page anna at 127.0.0.1")
