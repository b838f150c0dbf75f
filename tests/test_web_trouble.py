"""The page in trouble: with more browsers than it has room for, a store that is broken, and clocks that jump."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web as aioweb
from asking import HOST, PASSWORD, PLAN, answer, complaints, login, messages, sockets

from rct_tools.simulator import Simulator
from rct_tools.times import SECOND
from rct_tools.web import browsers, door
from rct_tools.web.browsers import Browser
from rct_tools.web.connection import Connection
from rct_tools.web.door import COOKIE
from rct_tools.web.store import Store

from servers import free_ports
from showing import Shown, known, showing, until

pytestmark = pytest.mark.usefixtures("quiet")


# --- many -----------------------------------------------------------------------------------------------------------


def stored(path: Path, name: str) -> list[float]:
    """Return what a store has of an object, in the order of time."""
    question = "SELECT value FROM reading JOIN series ON series.id = reading.series WHERE object = ? ORDER BY time"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        try:
            return [value for (value,) in database.execute(question, (name,))]
        except sqlite3.OperationalError:  # it has just been made, and is empty
            return []


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def ended(told: AsyncIterator[Any]) -> bool:
    """Wait for the end of a stream."""
    with suppress(aiohttp.ClientError):
        async for _ in told:
            pass
    return True


def of_browsers() -> list[object]:
    """Return all that is kept in memory for browsers."""
    gc.collect()
    return [each for each in gc.get_objects() if isinstance(each, Browser | Connection | aioweb.BaseRequest)]


async def test_a_thousand_tabs(simulator: Simulator, tmp_path: Path) -> None:
    """Opened and dropped: nothing of them stays, and what the inverter says meanwhile is stored, and nothing else."""
    store = tmp_path / "r.db"
    simulator.house.battery.soc = 0.0
    others = of_browsers()  # that other tests have left
    async with showing(simulator, store=store, plan=PLAN) as shown:
        await until(known(shown, "battery.soc"))
        await until(lambda: store.exists() and stored(store, "battery.soc") == [0.0])
        files, tasks = open_files(), len(asyncio.all_tasks())
        for wave in range(1, 6):
            tabs = await sockets(shown, 200, f"GET /api/live HTTP/1.1\r\n{HOST}\r\n".encode())
            await until(lambda: len(shown.page.browsers._browsers) == 200)
            simulator.house.battery.soc = wave / 16
            await until(lambda wave=wave: stored(store, "battery.soc")[-1] == wave / 16)  # type: ignore[misc]
            for each in tabs:
                each.close()
        await until(lambda: not shown.page.browsers._browsers)
        await until(lambda: open_files() <= files)
        await until(lambda: len(asyncio.all_tasks()) <= tasks)
        values = stored(store, "battery.soc")
        assert values == sorted(values)
        assert set(values) == {wave / 16 for wave in range(6)}
    del tabs, each
    assert not [each for each in of_browsers() if not any(each is other for other in others)]


async def test_more_tabs_than_there_is_room_for(unguarded: Shown, web: aiohttp.ClientSession) -> None:
    asked = f"GET /api/live HTTP/1.1\r\n{HOST}\r\n".encode()
    tabs = await sockets(unguarded, 350, asked)
    await until(lambda: len(unguarded.page.browsers._browsers) == browsers.MOST)
    assert (await answer(web, f"{unguarded.url}/api/now"))[0] == 200  # there is room to ask
    assert (await answer(web, f"{unguarded.url}/api/live")) == (503, {"error": "too many pages are open"})
    for each in tabs:
        each.close()
    await until(lambda: not unguarded.page.browsers._browsers)
    async with web.get(f"{unguarded.url}/api/live") as response:
        assert (await anext(messages(response)))["whole"]


# --- the store ------------------------------------------------------------------------------------------------------


def lock(path: Path) -> Callable[[], None]:
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA locking_mode = EXCLUSIVE")
    database.execute("BEGIN EXCLUSIVE")
    database.execute("CREATE TABLE x (y)")
    return database.close


def spoil(path: Path) -> Callable[[], None]:
    path.write_bytes(path.read_bytes()[:4096] + b"\xff" * 20_000)
    return lambda: None


def empty(path: Path) -> Callable[[], None]:
    path.write_bytes(b"")
    return lambda: None


def remove(path: Path) -> Callable[[], None]:
    path.unlink()
    return lambda: None


TROUBLE = [  # what is done to the store, what is said
    (lock, "locked by another program"), (spoil, "the file is damaged"), (empty, "not a file of RCT Tools"),
    (remove, "there is no such file yet"),
]  # fmt: skip


@pytest.mark.parametrize(("trouble", "said"), TROUBLE)
async def test_store_in_trouble(
    simulator: Simulator, web: aiohttp.ClientSession, tmp_path: Path, trouble: Callable[[Path], Callable[[], None]],
    said: str, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("rct_tools.web.store._BUSY", 0.1)
    store = tmp_path / "r.db"
    async with showing(simulator, store=store, plan=PLAN) as filled:
        await until(known(filled, "battery.soc"))
        await until(lambda: store.exists() and bool(stored(store, "battery.soc")))
    good = store.read_bytes()
    async with showing(simulator, plan=PLAN) as shown:  # which does not write into it
        await until(known(shown, "battery.soc"))
        shown.page._past.store = Store(store)
        end = trouble(store)
        for path in ("curves?names=battery.soc", "curves.csv?names=battery.soc", "energies"):
            status, document = await answer(web, f"{shown.url}/api/{path}")
            assert status == 503
            assert said in document["error"]
            assert "\n" not in document["error"]
        for path in ("now", "battery", "inverter", "objects", "events"):
            assert (await answer(web, f"{shown.url}/api/{path}"))[0] == 200
        end()
        store.unlink(missing_ok=True)
        store.write_bytes(good)
        status, document = await answer(web, f"{shown.url}/api/curves?names=battery.soc")
        assert (status, list(document["curves"])) == (200, ["battery.soc"])


# --- clocks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("jump", [timedelta(days=400), -timedelta(days=400), timedelta(hours=-1)])
async def test_clock_that_jumps(
    shown: Shown, web: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch, jump: timedelta
) -> None:
    """Ages, sessions and those who have to wait go by clocks that nobody sets."""
    monkeypatch.setattr(door, "_FIRST_WAIT", 60.0)
    _, _, response = await login(web, shown, PASSWORD)
    cookie = {"Cookie": f"{COOKIE}={response.cookies[COOKIE].value}"}  # the jar of a browser has its own clock
    time_ns, now = time.time_ns, time.time
    for _ in range(6):
        shown.page._attempts.wrong("192.0.2.1", time.monotonic())
    async with web.get(f"{shown.url}/api/live", headers=cookie) as response:
        told = messages(response)
        await anext(told)
        monkeypatch.setattr(time, "time_ns", lambda: time_ns() + round(jump.total_seconds()) * SECOND)
        monkeypatch.setattr(time, "time", lambda: now() + jump.total_seconds())
        document: dict[str, Any] = {"inverters": {"roof": {"objects": {}}}}
        while "battery.soc" not in document["inverters"]["roof"]["objects"]:
            document = await anext(told)
    assert 0 <= document["inverters"]["roof"]["objects"]["battery.soc"]["age"] < 10_000
    _, document = await answer(web, f"{shown.url}/api/now", **cookie)
    for value in document["inverters"]["roof"]["objects"].values():
        assert 0 <= value["age"] < 60_000
    assert 0 < shown.page._attempts.wait("192.0.2.1", time.monotonic()) <= 120
    assert (await answer(web, f"{shown.url}/api/curves?names=battery.soc", **cookie))[0] == 200


# --- passwords, and who is in ---------------------------------------------------------------------------------------


async def test_a_thousand_wrong_passwords_cost_nobody_else_anything(
    shown: Shown,
    web: aiohttp.ClientSession,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(door, "_FIRST_WAIT", 600.0)  # longer than any machine takes for this
    assert (await login(web, shown, PASSWORD))[0] == 200
    async with aiohttp.ClientSession() as other:
        trying = asyncio.gather(*(login(other, shown, f"bad {n}") for n in range(1000)))
        while not trying.done():  # who is in, goes on
            status, document = await answer(web, f"{shown.url}/api/curves?names=battery.soc")
            assert status == 200, document
        statuses = [status for status, *_ in await trying]
        monkeypatch.setattr("rct_tools.web.desk.QUEUE", 0)
        assert (await login(other, shown, "one more"))[0] == 429  # who has to wait takes nobody's place
    assert set(statuses) <= {403, 429, 503}
    assert len([each for each in caplog.records if "wrong password" in each.getMessage()]) == statuses.count(403) == 5
    assert len(shown.page._attempts._wrong) == 1


async def test_pages_that_are_open_end_with_their_login(shown: Shown, web: aiohttp.ClientSession) -> None:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as other:
        assert (await login(web, shown, PASSWORD))[0] == (await login(other, shown, PASSWORD))[0] == 200
        async with web.get(f"{shown.url}/api/live") as response, other.get(f"{shown.url}/api/live") as stays:
            told, others = messages(response), messages(stays)
            await anext(told)
            await anext(others)
            (token,) = [each.value for each in web.cookie_jar if each.key == COOKIE]
            async with web.post(f"{shown.url}/api/logout") as logout:
                assert logout.status == 200
            assert await ended(told)
            for _ in range(2):
                await anext(others)
        assert (await answer(other, f"{shown.url}/api/now"))[0] == 200
    async with aiohttp.ClientSession(cookies={COOKIE: token}) as thief:
        assert (await answer(thief, f"{shown.url}/api/now"))[0] == 401


async def test_login_that_is_over(shown: Shown, web: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "LASTS", 1.0)
    assert (await login(web, shown, PASSWORD))[0] == 200
    async with web.get(f"{shown.url}/api/live") as response:
        assert await ended(messages(response))
    assert (await answer(web, f"{shown.url}/api/now"))[0] == 401


@pytest.mark.parametrize(("password", "status"), [(PASSWORD, 200), ("another password", 401)])
async def test_login_outlives_the_collector_but_not_its_password(
    simulator: Simulator, web: aiohttp.ClientSession, tmp_path: Path, password: str, status: int
) -> None:
    (port,) = free_ports(1)
    async with showing(simulator, plan=PLAN, password=PASSWORD, port=port, folder=tmp_path) as shown:
        assert (await login(web, shown, PASSWORD))[0] == 200
        assert (await answer(web, f"{shown.url}/api/now"))[0] == 200
    for _ in range(2):
        async with showing(simulator, plan=PLAN, password=password, port=port, folder=tmp_path) as shown:
            await until(known(shown, "battery.soc"))
            assert (await answer(web, f"{shown.url}/api/now"))[0] == status
            async with web.get(f"{shown.url}/api/live") as response:
                assert response.status == status
    async with showing(simulator, plan=PLAN, password=PASSWORD, port=port, folder=tmp_path) as shown:
        assert (await answer(web, f"{shown.url}/api/now"))[0] == status  # what has ended does not begin again


async def test_logout_outlives_the_collector(simulator: Simulator, web: aiohttp.ClientSession, tmp_path: Path) -> None:
    (port,) = free_ports(1)
    async with showing(simulator, plan=PLAN, password=PASSWORD, port=port, folder=tmp_path) as shown:
        assert (await login(web, shown, PASSWORD))[0] == 200
        (token,) = [each.value for each in web.cookie_jar if each.key == COOKIE]
        async with web.post(f"{shown.url}/api/logout") as response:
            assert response.status == 200
    async with (
        showing(simulator, plan=PLAN, password=PASSWORD, port=port, folder=tmp_path) as shown,
        aiohttp.ClientSession(cookies={COOKIE: token}) as thief,
    ):
        assert (await answer(thief, f"{shown.url}/api/now"))[0] == 401


async def test_folder_in_which_nothing_can_be_kept(
    simulator: Simulator, web: aiohttp.ClientSession, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said once, and the page goes on."""
    folder = tmp_path / "file"
    folder.touch()
    async with showing(simulator, plan=PLAN, password=PASSWORD, folder=folder) as shown:
        for _ in range(3):
            assert (await login(web, shown, PASSWORD))[0] == 200
            assert (await answer(web, f"{shown.url}/api/now"))[0] == 200
            async with web.post(f"{shown.url}/api/logout") as response:
                assert response.status == 200
            assert (await answer(web, f"{shown.url}/api/now"))[0] == 401
    said = complaints(caplog)
    caplog.clear()
    assert len(said) == 1
    assert said[0].startswith(f"{folder}/page/logins-127.0.0.1%3A0.json: cannot be read: Not a directory; logins do")
