"""The server of the page: every route by its contract, who is refused, and what many browsers cost."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import socket
import time
from collections.abc import AsyncIterator
from datetime import datetime
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import aiohttp
import pytest
from asking import NOON, PASSWORD, PLAN, answer, login, messages, raw
from jsonschema import Draft202012Validator
from yarl import URL

from rct_tools.errors import ConfigError, RctError
from rct_tools.frame import Command, Frame
from rct_tools.objects import ObjectInfo, registry
from rct_tools.plain import plain
from rct_tools.reading import Reading
from rct_tools.settings import NO_SECRET, Secret
from rct_tools.setups import Setup
from rct_tools.simulator import Simulator
from rct_tools.sinks.sqlite import SqliteSink
from rct_tools.times import SECOND
from rct_tools.web import server
from rct_tools.web.door import HEADERS
from rct_tools.web.files import FILES, NOT_BUILT, VIEWS, load_assets
from rct_tools.web.password import hash_password
from rct_tools.web.server import Page
from rct_tools.web.store import Store
from rct_tools.web.table import WebSetup
from rct_tools.web.tariff import Tariff, TariffTable

from servers import free_ports
from showing import ZONE, Shown, known, showing, until

OPENAPI = json.loads((files("rct_tools.web") / "openapi.json").read_text("utf-8"))
NAMES = "battery.soc,g_sync.p_ac_load_sum_lp"


@pytest.fixture
async def shown(simulator: Simulator, tmp_path: Path) -> AsyncIterator[Shown]:
    async with showing(simulator, store=tmp_path / "r.db", plan=PLAN) as shown:
        await until(known(shown, "battery.soc", "battery.cells[4]", "energy.e_load_day", "energy.e_grid_feed_day"))
        yield shown


# --- the contract ---------------------------------------------------------------------------------------------------

QUESTIONS = [  # path, query
    ("/api/now", ""),
    ("/api/now", "inverter=roof"),
    ("/api/curves", f"names={NAMES}&since=1h&step=1m"),
    ("/api/energies", ""),
    ("/api/ranges", f"names={NAMES}"),
    ("/api/ranges", "names=battery.soc&by=month&since=2026-01-01"),
    ("/api/energies", "by=month&since=2026-01-01"),
    ("/api/spread", "since=1h&step=1m"),
    ("/api/events", "inverter=roof"),
    ("/api/battery", ""),
    ("/api/inverter", ""),
    ("/api/objects", "search=battery.*soc"),
    ("/api/objects", ""),
    ("/api/session", ""),
    ("/api/openapi.json", ""),
]


def check(document: object, schema: dict[str, Any]) -> None:
    Draft202012Validator({**schema, "components": OPENAPI["components"]}).validate(document)


@pytest.mark.parametrize(("path", "query"), QUESTIONS)
async def test_answers_are_as_the_contract_says(
    shown: Shown, web: aiohttp.ClientSession, path: str, query: str
) -> None:
    status, document = await answer(web, f"{shown.url}{path}?{query}")
    assert status == 200, document
    check(document, OPENAPI["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"])


def test_every_route_is_in_the_contract_and_no_other() -> None:
    page = Page(WebSetup("127.0.0.1", 0, NO_SECRET, None))
    gets = {path for path, methods in OPENAPI["paths"].items() if "get" in methods}
    posts = {path for path, methods in OPENAPI["paths"].items() if "post" in methods}
    assert gets == page.routes.keys()
    assert posts == page.posts.keys()
    asked = {path for path, _ in QUESTIONS}
    assert gets - asked == {
        "/api/live",
        "/api/curves.csv",
        "/api/energies.csv",
        "/api/control",
    }  # no JSON, or closed


def test_the_contract_is_one() -> None:
    Draft202012Validator.check_schema({"components": OPENAPI["components"]})
    assert OPENAPI["openapi"].startswith("3.1")


def test_the_contract_says_everything_once() -> None:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len({name for name, _ in pairs}) == len(pairs), [name for name, _ in pairs]
        return dict(pairs)

    json.loads((files("rct_tools.web") / "openapi.json").read_text("utf-8"), object_pairs_hook=once)


WRONG = [  # path and query, what is said about it
    ("/api/now?x=1", "x: unknown key"),
    ("/api/now?inverter=roof&inverter=roof", "a question says everything once"),
    ("/api/curves", "names: missing"),
    ("/api/curves?names=battery.soc&step=1", "'1' is not a duration"),
    ("/api/curves?names=battery.soc&step=1ms", "expected steps of 1s or more"),
    ("/api/curves?names=battery.soc&step=0s", "expected steps of 1s or more"),
    ("/api/curves?names=battery.soc&step=999999999w", "expected steps of 1s or more, and of less than a century"),
    ("/api/curves?names=battery.soc&since=1h&until=2h", "expected a time for since, and a later one"),
    ("/api/curves?names=battery.soc&since=now", "'now' is neither a duration"),
    ("/api/curves?names=battery.soc&since=0001-01-01", "'0001-01-01' is neither a duration"),
    ("/api/curves?names=battery.soc&since=9999999d", "expected a time for since"),
    ("/api/curves?names=battery.soc&since=30d&step=1s", "expected 1 to 3000 steps"),
    (f"/api/curves?names={','.join(map(str, range(17)))}", "at most 16 names"),
    ("/api/energies?by=hour", "by: expected day or month"),
    ("/api/ranges?names=battery.soc&by=hour", "by: expected day or month"),
    ("/api/ranges?by=day", "names: missing"),
    (f"/api/ranges?names={','.join(map(str, range(17)))}", "at most 16 names"),
    ("/api/ranges?names=battery.soc&since=20000d", "expected at most 400 of day"),
    ("/api/energies?since=20000d", "expected at most 400 of day"),
    ("/api/spread?step=1ms", "expected steps of 1s or more"),
    ("/api/spread?step=999999999w", "expected steps of 1s or more"),
    ("/api/spread?since=30d&step=1m", "expected 1 to 1000 steps"),
]


@pytest.mark.parametrize(("question", "said"), WRONG)
async def test_questions_that_are_wrong(shown: Shown, web: aiohttp.ClientSession, question: str, said: str) -> None:
    status, document = await answer(web, shown.url + question)
    assert status == 400
    assert said in document["error"]
    assert "\n" not in document["error"]


@pytest.mark.parametrize("name", ["rof", "%00", "%F0%9F%8C%9E", "a%0Ab"])
async def test_inverter_that_there_is_not(shown: Shown, web: aiohttp.ClientSession, name: str) -> None:
    for path in ("/api/now", "/api/battery", "/api/energies", "/api/events"):
        status, document = await answer(web, f"{shown.url}{path}?inverter={name}")
        assert status == 404
        assert document["error"].startswith("there is no inverter ")
        assert ("did you mean" in document["error"]) == (name == "rof")
        assert "\n" not in document["error"]


async def test_what_is_shown_is_what_the_inverter_has(shown: Shown, web: aiohttp.ClientSession) -> None:
    inverter = shown.simulator.inverter
    _, now = await answer(web, f"{shown.url}/api/now")
    objects = now["inverters"]["roof"]["objects"]
    for name in ("battery.soc", "g_sync.p_ac_load_sum_lp", "energy.e_load_day", "inverter_sn"):
        info = registry[name]
        truth = info.decode(inverter.payload(info))
        assert objects[name]["value"] == (truth.strip("\0") if isinstance(truth, str) else truth)
    _, battery = await answer(web, f"{shown.url}/api/battery")
    cells = registry["battery.cells[4]"].decode(inverter.payload(registry["battery.cells[4]"]))
    assert battery["towers"][0]["modules"][4]["cells"] == plain(cells)
    assert len(battery["towers"][0]["modules"]) == 5
    _, state = await answer(web, f"{shown.url}/api/inverter")
    assert state["health"]["today"]["used"] == objects["energy.e_load_day"]["value"]
    assert state["health"]["state"] == {"number": 13, "text": "Feed in"}
    assert (state["up"], state["health"]["serial"]) == (True, "SIM0000001")
    _, found = await answer(web, f"{shown.url}/api/objects?search=state+of+charge")
    assert "battery.soc" in {each["name"] for each in found["objects"]}
    _, log = await answer(web, f"{shown.url}/api/events")
    assert {event["name"] for event in log["events"]} >= {"parameter changed"}


async def test_events_are_asked_once_for_many(
    shown: Shown, web: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, inverter, log = f"{shown.url}/api/events", shown.simulator.inverter, registry["logger.error_log_time_stamp"]
    asked: list[ObjectInfo] = []
    answers = inverter.answer

    def look(request: Frame) -> Frame | None:
        asked.append(registry.describe(request.object_id))
        return answers(request)

    monkeypatch.setattr(inverter, "answer", look)
    first, *others = await asyncio.gather(*(answer(web, url) for _ in range(20)))
    assert all(other == first for other in others)
    assert log in asked
    inverter.answer(Frame(Command.WRITE, registry["power_mng.soc_min"].object_id, b"\x3e\x80\0\0"))
    asked.clear()
    assert (await answer(web, url)) == first
    assert log not in asked


async def test_curves_as_csv(shown: Shown, web: aiohttp.ClientSession, tmp_path: Path) -> None:
    sink = SqliteSink(tmp_path / "r.db")
    now = time.time_ns() // (60 * SECOND) * 60 * SECOND
    await sink.write(
        [Reading(now - n * 60 * SECOND, "roof", registry["battery.voltage"], 400.0 + n) for n in (1, 2, 4)]
    )
    await sink.close()
    since = datetime.fromtimestamp(now // SECOND - 300).astimezone().isoformat()
    query = f"names=battery.voltage&since={quote(since)}&step=1m"
    async with web.get(URL(f"{shown.url}/api/curves.csv?{query}", encoded=True)) as response:
        text = await response.text()
        assert response.content_type == "text/csv"
        assert response.headers["Content-Disposition"].startswith('attachment; filename="roof-20')
    head, *rows = csv.reader(io.StringIO(text))
    assert head == ["time", "battery.voltage [V]"]
    assert [value for _, value in rows][:5] == ["", "404", "", "402", "401"]
    assert datetime.fromisoformat(rows[1][0]).timestamp() == now // SECOND - 240


async def test_energies_as_csv_and_what_they_cost(
    simulator: Simulator, web: aiohttp.ClientSession, tmp_path: Path
) -> None:
    prices = Tariff("EUR", (TariffTable(imported=0.3, fed_in=0.1),))
    noon = int(datetime(2026, 6, 21, 12, tzinfo=ZoneInfo(ZONE)).timestamp()) * SECOND
    values = {"e_dc_{}[0]": 7000.0, "e_dc_{}[1]": 0.0, "e_ext_{}": 0.0, "e_load_{}": 5000.0, "e_grid_load_{}": 1000.0}
    values |= {"e_grid_feed_{}": -2_000_000.0}
    sink = SqliteSink(tmp_path / "r.db")
    await sink.write(
        [
            Reading(noon, "roof", registry[f"energy.{name.format(by)}"], value)
            for name, value in values.items()
            for by in ("day", "month")
        ]
    )
    await sink.close()
    later = noon + 3600 * SECOND  # of that day, so that it is not over
    store = tmp_path / "r.db"
    async with showing(simulator, store=store, plan=PLAN, tariff=prices, wall_clock=lambda: later) as shown:
        await until(known(shown, "battery.soc"))
        span = "since=2026-06-20T00:00&until=2026-06-22T00:00"
        for by, first in (("day", ["2026-06-20", "2026-06-21"]), ("month", ["2026-06"])):
            status, document = await answer(web, f"{shown.url}/api/energies?by={by}&{span}")
            assert status == 200
            check(document, {"$ref": "#/components/schemas/Slots"})
            assert document["currency"] == "EUR"
            expected = {"cost": 0.3, "earnings": 200.0, "savings": 1.2, "balance": 199.7}
            assert document["money"] == pytest.approx(expected)
            assert document["slots"][-1]["money"] == pytest.approx(expected)
            async with web.get(URL(f"{shown.url}/api/energies.csv?by={by}&{span}", encoded=True)) as response:
                head, *rows = csv.reader(io.StringIO(await response.text()))
                assert response.content_type == "text/csv"
                assert f'filename="roof-2026-06-20-by-{by}.csv"' in response.headers["Content-Disposition"]
            assert [row[0] for row in rows] == first
            assert by == "month" or set(rows[0][1:]) == {""}  # nothing is known of that day
            found = dict(zip(head, rows[-1], strict=True))
            assert datetime.fromisoformat(found["until"]).timestamp() == noon // SECOND
            assert (found["made [Wh]"], found["fed_in [Wh]"], found["autarky"]) == ("7000.0", "-2000000.0", "0.8000")
            assert (found["cost [EUR]"], found["balance [EUR]"], found["charged [Wh]"]) == ("0.30", "199.70", "")


async def test_without_a_store_the_past_is_said_to_be_unknown(simulator: Simulator, web: aiohttp.ClientSession) -> None:
    async with showing(simulator, plan=PLAN) as shown:
        status, document = await answer(web, f"{shown.url}/api/curves?names=battery.soc")
    assert (status, document["error"][:29]) == (503, "there is no SQLite file among")


async def test_damaged_store_is_one_line_and_the_rest_goes_on(
    shown: Shown, web: aiohttp.ClientSession, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.db"
    broken.write_bytes(b"hello" * 1000)
    shown.page._past.store = Store(broken)
    status, document = await answer(web, f"{shown.url}/api/curves?names=battery.soc")
    assert (status, document["error"]) == (503, f"{broken}: not a SQLite database")
    assert document["said"] == {"code": "no_database", "values": {"path": str(broken)}}
    assert (await answer(web, f"{shown.url}/api/now"))[0] == 200


async def test_inverter_that_is_away_and_never_was(web: aiohttp.ClientSession) -> None:
    async with Simulator(port=0, speed=0) as simulator:
        (simulator.port,) = free_ports(1)  # where nobody listens
        async with showing(simulator, plan=PLAN) as shown:
            _, now = await answer(web, f"{shown.url}/api/now")
            assert (now["inverters"]["roof"]["up"], now["inverters"]["roof"]["age"]) == (False, None)
            assert (await answer(web, f"{shown.url}/api/inverter"))[1]["health"] is None
            assert (await answer(web, f"{shown.url}/api/battery"))[1]["towers"] == []
            assert (await answer(web, f"{shown.url}/api/events"))[0] == 503


async def test_inverters_may_come_and_go(shown: Shown, web: aiohttp.ClientSession) -> None:
    await shown.collector.change(Setup((), shown.collector.setup.sinks))
    status, document = await answer(web, f"{shown.url}/api/inverter")
    assert (status, document["error"]) == (503, "there is no inverter yet")
    assert (await answer(web, f"{shown.url}/api/now"))[1]["inverters"] == {}


# --- who is refused -------------------------------------------------------------------------------------------------

SECRETS = ("rct.toml", "server.py", "openapi.json", "../server.py", "etc/passwd")
DOTS = ("..", "%2e%2e", "%252e%252e", "..%2f..", "%2e%2e%5c", "..\\..", "%c0%ae%c0%ae", "....//", "%00", ".%00.")


async def test_no_path_leaves_the_table(shown: Shown) -> None:
    for dots, name in product(DOTS, SECRETS):
        for path in (f"/{dots}/{name}", f"/{dots}/{dots}/{dots}/{name}", f"/app.js/{dots}/{name}", f"//{dots}/{name}"):
            status, body = await raw(shown, f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert status in (400, 404), (path, status)
            assert b"import" not in body
            assert b"root:" not in body


async def test_every_answer_says_what_browsers_may_do(shown: Shown, web: aiohttp.ClientSession) -> None:
    for path in ("/", "/api/now", "/nothing", "/api/nothing", "/api/curves", "/app.js"):
        async with web.get(shown.url + path) as response:
            for name, value in HEADERS.items():
                if name != "Cache-Control":
                    assert response.headers[name] == value, path
            assert response.headers["Server"] == "rct"
            assert "Access-Control-Allow-Origin" not in response.headers
    policy = HEADERS["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy


async def test_other_sites_get_nothing(shown: Shown, web: aiohttp.ClientSession) -> None:
    now = f"{shown.url}/api/now"
    assert (await answer(web, now, Host="evil.example"))[0] == 421
    assert (await answer(web, now, Origin="http://evil.example"))[0] == 403
    assert (await answer(web, f"{shown.url}/api/live", Origin="http://evil.example"))[0] == 403
    assert (await answer(web, now, **{"Sec-Fetch-Site": "cross-site"}))[0] == 403
    assert (await answer(web, shown.url, **{"Sec-Fetch-Site": "cross-site"}))[0] == 200  # a link
    assert (await answer(web, now, Origin=shown.url))[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
async def test_nothing_is_changed_by_other_methods(shown: Shown, web: aiohttp.ClientSession, method: str) -> None:
    for path in ("/", "/api/now", "/api/objects"):
        async with web.request(method, shown.url + path) as response:
            assert response.status == 405
            assert "GET" in response.headers["Allow"]
    assert not shown.simulator.inverter.harm


@pytest.mark.parametrize(
    "garbage",
    [
        "\x16\x03\x01\x02\0\x01\0\x01", "hello\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\nConnection: close\r\n\r\n",
        f"GET /{'a' * 20_000} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        "POST /api/login HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
    ],
)  # fmt: skip
async def test_garbage_is_refused(
    shown: Shown, web: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture, garbage: str
) -> None:
    try:
        status, _ = await raw(shown, garbage)
    except ConnectionError:
        status = 400
    assert 400 <= status < 500
    assert not [record for record in caplog.records if record.name.startswith(("aiohttp", "rct_tools.web"))]
    assert (await answer(web, f"{shown.url}/api/now"))[0] == 200


# --- the password ---------------------------------------------------------------------------------------------------


NO_LOGINS = [  # body, its type, status
    ("password=x", "application/x-www-form-urlencoded", 415),
    ("{", "application/json", 400),
    ("[" * 4000, "application/json", 400),
    ("[]", "application/json", 400),
    ("\xff", "application/json", 400),
]


async def test_nothing_without_the_password(simulator: Simulator, web: aiohttp.ClientSession) -> None:
    async with showing(simulator, plan=PLAN, password=PASSWORD) as shown:
        for path in OPENAPI["paths"]:
            if path not in ("/api/session", "/api/openapi.json", "/api/login", "/api/logout"):
                assert (await answer(web, shown.url + path))[0] == 401, path
        closed = {"password": True, "open": False, "user": "", "control": []}
        assert (await answer(web, f"{shown.url}/api/session"))[1] == closed
        assert (await answer(web, shown.url))[0] == 200  # the page itself, which holds nothing
        status, document, response = await login(web, shown, PASSWORD)
        assert (status, document) == (200, closed | {"open": True})
        cookie = response.headers["Set-Cookie"].lower()
        assert all(part in cookie for part in ("httponly", "samesite=strict", "path=/"))
        assert (await answer(web, f"{shown.url}/api/now"))[0] == 200
        async with web.post(f"{shown.url}/api/logout") as response:
            assert response.status == 200
        assert (await answer(web, f"{shown.url}/api/now"))[0] == 401


async def test_hash_in_place_of_the_password(simulator: Simulator, web: aiohttp.ClientSession) -> None:
    async with showing(simulator, plan=PLAN, password=hash_password(PASSWORD)) as shown:
        assert (await login(web, shown, PASSWORD))[0] == 200


async def test_logins_that_are_wrong(simulator: Simulator, web: aiohttp.ClientSession) -> None:
    async with showing(simulator, plan=PLAN, password=PASSWORD) as shown:
        assert (await login(web, shown, PASSWORD, Origin="http://evil.example"))[0] == 403
        assert (await login(web, shown, 5))[0] == 400
        assert (await login(web, shown, "x" * 5000))[0] == 413
        for body, kind, status in NO_LOGINS:
            data = body.encode("latin-1")
            async with web.post(f"{shown.url}/api/login", data=data, headers={"Content-Type": kind}) as response:
                assert response.status == status, body
        assert (await answer(web, f"{shown.url}/api/now"))[0] == 401


async def test_a_thousand_wrong_passwords(
    simulator: Simulator, web: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All at once: a handful is looked at, the others wait, and the collector goes on."""
    monkeypatch.setattr("rct_tools.web.door._FIRST_WAIT", 600.0)  # longer than any machine takes for this
    looked: list[str] = []
    async with showing(simulator, plan=PLAN, password=PASSWORD) as shown:
        password = shown.page._logins.password
        assert password is not None
        is_right = password.is_right

        def look(tried: str) -> bool:
            looked.append(tried)
            return is_right(tried)

        monkeypatch.setattr(password, "is_right", look)
        statuses = [(await login(web, shown, f"wrong {n}"))[0] for n in range(4)]
        statuses += [s for s, *_ in await asyncio.gather(*(login(web, shown, f"bad {n}") for n in range(996)))]
        assert set(statuses) <= {403, 429, 503}
        assert statuses.count(403) == len(looked) == 5
        status, document, response = await login(web, shown, PASSWORD)
        assert (status, document["error"]) == (429, "too many wrong passwords; wait")
        assert int(response.headers["Retry-After"]) >= 1
        shown.page._attempts.right("127.0.0.1")
        assert (await login(web, shown, PASSWORD))[0] == 200
        assert (await answer(web, f"{shown.url}/api/now"))[0] == 200


async def test_login_where_there_is_no_password(shown: Shown, web: aiohttp.ClientSession) -> None:
    assert (await login(web, shown, PASSWORD))[0] == 404
    said = {"password": False, "open": True, "user": "", "control": []}
    assert (await answer(web, f"{shown.url}/api/session"))[1] == said


def test_password_that_cannot_be_had(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read, and is to hold a secret"):
        Page(WebSetup("0.0.0.0", 0, Secret(file=str(tmp_path / "none")), None))


# --- browsers -------------------------------------------------------------------------------------------------------


async def test_what_is_read_is_told_at_once(shown: Shown, web: aiohttp.ClientSession) -> None:
    async with web.get(f"{shown.url}/api/live") as response:
        assert response.content_type == "text/event-stream"
        told = messages(response)
        first = await anext(told)
        check(first["inverters"], OPENAPI["components"]["schemas"]["Now"]["properties"]["inverters"])
        assert first["whole"]
        async for message in told:
            assert not message["whole"]
            value = message["inverters"]["roof"]["objects"].get("battery.soc")
            if value and value["age"] < 1000:
                break  # soon, but where the machine has much else to do just then


async def test_inverter_that_goes_and_comes_is_told(shown: Shown, web: aiohttp.ClientSession) -> None:
    async with web.get(f"{shown.url}/api/live") as response:
        told = messages(response)
        await shown.simulator.close()
        async for message in told:
            if not message["inverters"]["roof"]["up"]:
                break
        async with Simulator(port=shown.simulator.port, latency=0.001, broadcast=False, speed=0, start=NOON):
            async for message in told:
                if message["inverters"]["roof"]["up"]:
                    break


async def test_head_of_the_stream_ends(shown: Shown, web: aiohttp.ClientSession) -> None:
    async with web.head(f"{shown.url}/api/live") as response:
        assert response.status == 200


async def test_browsers_that_come_and_go_leave_nothing(shown: Shown) -> None:
    url = URL(shown.url)
    for _ in range(10):
        sockets = [socket.create_connection((url.host or "", url.port or 0)) for _ in range(30)]
        for each in sockets:
            each.sendall(b"GET /api/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await until(lambda: len(shown.page.browsers._browsers) >= 30)
        for each in sockets:
            each.close()
        await until(lambda: not shown.page.browsers._browsers)


async def test_too_many_pages(shown: Shown, web: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rct_tools.web.browsers.MOST", 1)
    async with web.get(f"{shown.url}/api/live") as first:
        await anext(messages(first))
        assert (await answer(web, f"{shown.url}/api/live"))[0] == 503
        assert (await answer(web, f"{shown.url}/api/now"))[0] == 200


async def test_too_many_connections(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MOST_CONNECTIONS", 1)
    url = URL(shown.url)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(b"GET /api/session HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert b"200" in await reader.readline()
    status, _ = await raw(shown, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert status == 503
    writer.close()


async def test_too_much_at_once(shown: Shown, web: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rct_tools.web.desk.QUEUE", 0)
    status, document = await answer(web, f"{shown.url}/api/curves?names=battery.soc")
    assert (status, document["error"]) == (503, "too much is asked at once; try again")


async def test_same_question_is_answered_once(
    shown: Shown, web: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    store = shown.page._past.store
    assert store is not None
    curves = store.curves

    def look(*question: Any) -> Any:
        asked.append(question)
        return curves(*question)

    monkeypatch.setattr(store, "curves", look)
    for _ in range(5):
        assert (await answer(web, f"{shown.url}/api/curves?names=battery.soc&since=2026-01-01&until=2026-01-02"))[
            0
        ] == 200
    assert len(asked) == 1


async def test_end_does_not_wait_for_browsers(simulator: Simulator, web: aiohttp.ClientSession) -> None:
    async with asyncio.timeout(50):  # aiohttp by itself would wait for 60 s
        async with showing(simulator, plan=PLAN) as shown:
            response = await web.get(f"{shown.url}/api/live")
            await anext(messages(response))
        response.close()


# --- the files ------------------------------------------------------------------------------------------------------


def test_files_of_a_page_that_is_built(tmp_path: Path) -> None:
    for name, _ in FILES.values():
        (tmp_path / name).write_text(f"content of {name}")
    assets = load_assets(tmp_path)
    assert assets.keys() == FILES.keys()
    assert assets["/day"].body == b"content of index.html"
    assert len({asset.tag for asset in assets.values()}) == len({name for name, _ in FILES.values()})


def test_a_page_that_is_not_built_says_how(tmp_path: Path) -> None:
    assets = load_assets(tmp_path)
    assert assets.keys() == set(VIEWS)
    assert "make web" in assets["/"].body.decode() == NOT_BUILT


async def test_files_are_packed_and_not_sent_again(shown: Shown, web: aiohttp.ClientSession) -> None:
    async with web.get(f"{shown.url}/day", headers={"Accept-Encoding": "gzip"}) as response:
        body, tag = await response.read(), response.headers["ETag"]
        assert response.headers["Content-Encoding"] == "gzip"
    async with web.get(f"{shown.url}/", headers={"Accept-Encoding": "identity"}) as response:
        assert await response.read() == body
    async with web.get(f"{shown.url}/", headers={"If-None-Match": tag}) as response:
        assert (response.status, await response.read()) == (304, b"")


async def test_address_that_is_taken(shown: Shown) -> None:
    port = URL(shown.url).port or 0
    with pytest.raises(RctError, match=r"^the page: cannot listen on .*Choose another, with --listen"):
        async with Page(WebSetup("127.0.0.1", port, NO_SECRET, None)).serving(dict):
            pass


# --- mistakes of ours -----------------------------------------------------------------------------------------------


async def test_mistake_of_ours_is_one_line_and_in_the_log(
    shown: Shown, web: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(shown.page.newest, "document", fail)
    assert await answer(web, f"{shown.url}/api/now") == (500, {"error": "a mistake of ours; the log says more"})
    with pytest.raises(aiohttp.ClientPayloadError):  # the answer had begun, so it breaks off
        async with web.get(f"{shown.url}/api/live") as response:
            await response.read()
    told = [record for record in caplog.records if record.name == "rct_tools.web.connection"]
    assert [record.getMessage() for record in told[:1]] == ["127.0.0.1: a mistake of ours"]
    assert all(record.exc_info and record.exc_info[0] is ZeroDivisionError for record in told)
    monkeypatch.undo()
    assert (await answer(web, f"{shown.url}/api/now"))[0] == 200
