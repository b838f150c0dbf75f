"""What tests of the page have in common: who serves it, and who asks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import aiohttp
import pytest
from asking import NOON

from rct_tools.simulator import Simulator

if TYPE_CHECKING:
    from playwright.async_api import Browser


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    from browsing import launched  # which takes long, and few tests need it

    async with launched() as browser:
        yield browser


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    """A house at noon."""
    async with Simulator(port=0, latency=0.001, broadcast=False, speed=0, start=NOON) as simulator:
        yield simulator


@pytest.fixture
async def web() -> AsyncIterator[aiohttp.ClientSession]:
    """One that keeps cookies, also of an address."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield session
