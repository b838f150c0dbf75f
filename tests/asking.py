"""Asking the page of showing.py, as browsers do, and as they do not."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import socket
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import aiohttp
import pytest
from yarl import URL

from rct_tools.config import parse_plan
from rct_tools.web.connection import Connection

from showing import Shown

HOST = "Host: localhost\r\n"

NOON = datetime(2026, 6, 21, 12)  # noqa: DTZ001  # the clock on the wall
PASSWORD = "correct horse battery"
PLAN = parse_plan(
    '[[group]]\nname = "a"\ninterval = "1s"\nobjects = ["battery.soc", "prim_sm.state", "battery.bms_sn",'
    ' "battery.module_sn[*]", "battery.cells[*]", "energy.e_dc_day[*]", "energy.e_load_day", "energy.e_ext_day",'
    ' "energy.e_grid_*_day", "dc_conv.dc_conv_struct[*].p_dc", "inverter_sn", "g_sync.p_ac_load_sum_lp"]',
    "test",
)


async def answer(web: aiohttp.ClientSession, url: str, **headers: str) -> tuple[int, Any]:
    """Return the status and the document that a browser gets."""
    async with web.get(URL(url, encoded=True), headers=headers) as response:
        body = await response.text()
        return response.status, json.loads(body) if response.content_type == "application/json" else body


async def raw(shown: Shown, request: str | bytes) -> tuple[int, bytes]:
    """Return the status and the rest of what a request gets, as no client would write it."""
    url = URL(shown.url)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(request.encode("latin-1") if isinstance(request, str) else request)
    data = await reader.read()
    writer.close()
    head, _, rest = data.partition(b"\r\n")
    return int(head.split()[1]), rest


async def login(web: aiohttp.ClientSession, shown: Shown, password: object, **headers: str) -> tuple[int, Any, Any]:
    """Return the status, the document and the response that a password gets."""
    async with web.post(f"{shown.url}/api/login", json={"password": password}, headers=headers) as response:
        return response.status, await response.json(), response


async def messages(response: aiohttp.ClientResponse) -> AsyncIterator[dict[str, Any]]:
    """Yield what a browser is told as it happens."""
    async for line in response.content:
        if line.startswith(b"data: "):
            yield json.loads(line[6:])


async def sockets(shown: Shown, count: int, sent: bytes = b"", *, small: bool = False) -> list[socket.socket]:
    """Return connections that have sent something; ``small`` ones take little before it is read."""
    url, loop = URL(shown.url), asyncio.get_running_loop()
    opened = []
    for _ in range(count):
        each = socket.socket()
        each.setblocking(False)
        if small:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        await loop.sock_connect(each, (url.host, url.port))
        await loop.sock_sendall(each, sent)
        opened.append(each)
    return opened


def connections(shown: Shown) -> int:
    """Return how many connections a page has."""
    port = URL(shown.url).port
    found = [each.transport for each in gc.get_objects() if type(each) is Connection]
    return sum(each is not None and each.get_extra_info("sockname")[1] == port for each in found)


def complaints(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what a page has complained about, from its start to its end."""
    return [
        record.getMessage()
        for when in ("setup", "call", "teardown")
        for record in caplog.get_records(when)
        if record.levelno >= logging.WARNING and record.name.startswith(("aiohttp", "asyncio", "rct_tools.web"))
    ]
