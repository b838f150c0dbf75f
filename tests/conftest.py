"""What tests have in common: servers, the page, and who asks for it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import pytest
from asking import NOON, PASSWORD, PLAN, complaints
from hypothesis import settings

from rct_tools.simulator import Simulator

from homeassistant_server import VERSIONS, HomeAssistantServer, require
from servers import InfluxServer, MosquittoServer, VictoriaServer, free_ports
from showing import Shown, known, showing, until

if TYPE_CHECKING:
    from playwright.async_api import Browser


settings.register_profile("patient", settings(), deadline=None)  # as in CI
settings.load_profile("patient")


@pytest.fixture(scope="session", autouse=True)
def awake() -> Iterator[None]:
    """No machine sleeps while it tests: when a program stands still for seconds, others have much to do."""
    with pytest.MonkeyPatch.context() as patch:
        for room in ("link", "steering.desk"):
            patch.setattr(f"rct_tools.{room}.STANDSTILL", 60.0)
        yield


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    from browsing import launched  # which takes long, and few tests need it

    async with launched() as browser:
        yield browser


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    """A house at noon."""
    (port,) = free_ports(1)  # so that it can come back there
    async with Simulator(port=port, latency=0.001, broadcast=False, speed=0, start=NOON) as simulator:
        yield simulator


@pytest.fixture
async def web() -> AsyncIterator[aiohttp.ClientSession]:
    """One that keeps cookies, also of an address."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield session


@pytest.fixture
async def shown(simulator: Simulator, tmp_path: Path) -> AsyncIterator[Shown]:
    """A page with a password, which is harder to get at."""
    async with showing(simulator, store=tmp_path / "r.db", plan=PLAN, password=PASSWORD) as shown:
        await until(known(shown, "battery.soc"))
        yield shown


@pytest.fixture
async def unguarded(simulator: Simulator, tmp_path: Path) -> AsyncIterator[Shown]:
    """A page without one."""
    async with showing(simulator, store=tmp_path / "r.db", plan=PLAN) as shown:
        await until(known(shown, "battery.soc"))
        yield shown


@pytest.fixture
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Nothing that anybody sends is a mistake of ours, nor is it told as one; wrong passwords are."""
    yield
    assert {re.sub(r"^\S+: ", "", each) for each in complaints(caplog)} <= {"a wrong password for the page"}


# --- servers --------------------------------------------------------------------------------------------------------


@pytest.fixture
async def influx(tmp_path: Path) -> AsyncIterator[InfluxServer]:
    async with InfluxServer(tmp_path) as server:
        yield server


@pytest.fixture
async def victoria(tmp_path: Path) -> AsyncIterator[VictoriaServer]:
    async with VictoriaServer(tmp_path) as server:
        yield server


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[MosquittoServer]:
    (folder := tmp_path / "broker").mkdir()
    async with MosquittoServer(folder) as server:
        yield server


@pytest.fixture(params=VERSIONS)
def home(request: pytest.FixtureRequest, tmp_path: Path, broker: MosquittoServer) -> Iterator[HomeAssistantServer]:
    """Home Assistant, of each version, at that broker."""
    require(request.param)
    (folder := tmp_path / "home").mkdir()
    server = HomeAssistantServer(request.param, folder, free_ports(1)[0], broker.port)
    yield server
    server.stop()
