"""What comes to the page that no browser would send: it costs little, it says nothing, and the collector goes on."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import time
from contextlib import suppress
from gzip import compress
from http import HTTPStatus
from itertools import product

import aiohttp
import pytest
from asking import HOST, answer, connections, messages, raw, sockets

from rct_tools.objects import registry
from rct_tools.reading import Reading
from rct_tools.web import answers, browsers, connection, server
from rct_tools.web.door import COOKIE

from showing import Shown, until

GOOD = b"GET /api/session HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def get(path: str, *headers: str, version: str = "1.1", host: str = HOST, method: str = "GET") -> bytes:
    lines = "".join(f"{header}\r\n" for header in headers)
    return f"{method} {path} HTTP/{version}\r\n{host}{lines}Connection: close\r\n\r\n".encode("latin-1")


def post(body: str | bytes, *headers: str, length: object = None, path: str = "/api/login") -> bytes:
    data = body.encode() if isinstance(body, str) else body
    size = f"Content-Length: {len(data) if length is None else length}"
    return get(path, "Content-Type: application/json", size, *headers, method="POST") + data


def chunked(*parts: bytes) -> bytes:
    return get("/api/login", "Content-Type: application/json", "Transfer-Encoding: chunked", method="POST") + b"".join(
        parts
    )


pytestmark = pytest.mark.usefixtures("quiet")


# --- requests -------------------------------------------------------------------------------------------------------

UNREADABLE = 400, "this is not HTTP as it is understood here"
NOT_OURS = 421, "this page is on loopback: ask for it as localhost, or by its address"
NO_OBJECT = 400, "expected an object of JSON"
LOGIN = 401, "log in first"
NOTHING = 404, "not found"
SESSION = 200, ""
TOO_LARGE = 413, HTTPStatus(413).phrase.lower()  # which has another name since Python 3.13

REQUESTS = [  # what is sent, the status, what is said
    # first lines
    *[
        (get(path), *UNREADABLE)
        for path in ("api/now", "?x", "/api/\0now", "/\xff\xfe", "*", "http://[/", "https://localhost:99999/", "/ /")
    ],
    *[
        (get(path), *NOTHING)
        for path in ("//api/now", "/./api/now", "/x/../api/now", "///", "//evil.example/api/session", "/%zz%", "/%00")
    ],
    *[(get(path), *LOGIN) for path in ("/%61pi/now", "/api/../api/now", "/api%2fnow", "/api/now/", "/api/now%00")],
    *[(get(path), *SESSION) for path in ("/api/session#x", "/api/%73ession", "http://localhost/api/session")],
    *[
        (get(path), *NOT_OURS)
        for path in ("http://evil.example/api/session", "http://a:b@localhost/api/session", "http://localhost:1/")
    ],
    (get("*", method="OPTIONS"), *NOT_OURS),
    (get("localhost:80", method="CONNECT"), *NOT_OURS),
    *[(get(path, method="CONNECT"), *NOTHING) for path in ("/", "/api/now")],
    (get("/api/now", method='F"OO'), *UNREADABLE),
    (b"A" * 9000 + b" / HTTP/1.1\r\n\r\n", *UNREADABLE),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", *UNREADABLE),
    (b"GET /api/session HTTP/1.1\nHost: localhost\nConnection: close\n\n", *UNREADABLE),
    (get("/api/session", version="1.0", host=""), *NOT_OURS),
    (get("/api/session", version="1.0"), *SESSION),
    (get("/api/session", host=""), *UNREADABLE),
    (get("/api/now?" + "&".join(f"a{n}=1" for n in range(10_000))), *UNREADABLE),
    # headers
    (get("/api/session", host=HOST + HOST), *UNREADABLE),
    (get("/api/session", host="Host: localhost\r\nHost: evil.example\r\n"), *UNREADABLE),
    *[(get("/api/session", header), *UNREADABLE) for header in ("A: b\0c", "A: b\rc", "A : b", "A: b\r\n c", ": b")],
    (get("/api/session", *(f"X-{n}: 1" for n in range(1000))), *UNREADABLE),
    (get("/api/session", f"X: {'x' * 9000}"), *UNREADABLE),
    (get("/api/session", f"Cookie: {'a=b; ' * 15_000}"), *UNREADABLE),
    (get("/api/session", f"Cookie: {'a=b; ' * 1500}"), *SESSION),
    (get("/api/session", f'Cookie: a=b; "; {COOKIE}="\xff\\"; ;;=;=x'), *SESSION),
    (get("/api/now", f"Cookie: {COOKIE}={'x' * 8000}"), *LOGIN),
    (get("/api/now", "X-Forwarded-For: 127.0.0.1"), 403, "web.reverse_proxy does not name"),
    (get("/api/now", "Remote-User: anna"), *LOGIN),
    (get("/api/session", "Expect: nonsense"), 417, ""),
    (get("/api/session", "Range: bytes=0-1", "If-None-Match: *", "Accept-Encoding: \xff"), *SESSION),
    (get("/api/session", "Content-Length: 5") + b"hello", *SESSION),
    # bodies
    *[
        (post(body), *NO_OBJECT)
        for body in (
            "", "{", "[" * 4000, '{"password":' * 300, '{"password":NaN}', '{"password":"\\ud800"}',
            '{"\\ud800":"x"}', b'{"password":"\xff"}', b"\0" * 4000,
        )
    ],
    (post('{"a\\nb":"x"}'), 400, "object contains unknown field `a b`"),
    (post('{"password":"x","password":"y","z":1}'), 400, "z: unknown key"),
    (post('{"password":' + "9" * 4000 + "}"), 400, ""),
    (post("x" * 5000), *TOO_LARGE),
    (post("{}", length="x"), *UNREADABLE),
    (post("{}", length=-5), *UNREADABLE),
    (post("{}", length=10**30), *UNREADABLE),
    (post("{}", "Content-Length: 5"), *UNREADABLE),
    (post("{}", "Transfer-Encoding: chunked"), *UNREADABLE),
    *[(post(b"hello", f"Content-Encoding: {kind}"), *NO_OBJECT) for kind in ("gzip", "deflate", "br", "zstd", "?")],
    (post(compress(b" " * 1_000_000), "Content-Encoding: gzip"), *NO_OBJECT),  # which is not looked into
    (chunked(b"zz\r\n"), *UNREADABLE),
    (chunked(b"ffffffffffffffffffff\r\n"), *UNREADABLE),
    (chunked(b"2000\r\n", b"x" * 0x2000, b"\r\n0\r\n\r\n"), *TOO_LARGE),
    (post("{}").replace(b"application/json", b"text/plain"), 415, "expected application/json"),
    (post("{}").replace(b"application/json", b';;;=""'), 415, "expected application/json"),
    (post("{}", path="/api/now"), *LOGIN),
    (post("{}", path="/"), 405, "method not allowed"),
]  # fmt: skip


async def test_requests_that_are_odd(shown: Shown) -> None:
    found = [await raw(shown, request) for request, *_ in REQUESTS]
    wrong = [
        (r[:80], got, rest[-80:]) for (r, status, _), (got, rest) in zip(REQUESTS, found, strict=True) if got != status
    ]
    assert not wrong
    for (request, status, said), (_, rest) in zip(REQUESTS, found, strict=True):
        head, _, body = rest.partition(b"\r\n\r\n")
        assert b"\nServer: rct\r" in head
        assert b"\nX-Content-Type-Options: nosniff\r" in head
        if status != 200 and status != 417:
            text = json.loads(body)["error"]
            assert said in text, request[:100]
            assert "\n" not in text
            assert len(text) < 300  # and not what was sent
    assert (await raw(shown, GOOD))[0] == 200


async def test_questions_that_are_odd(unguarded: Shown, web: aiohttp.ClientSession) -> None:
    values = (
        "%00", "%0A%0d", "%ED%A0%80", "%ff", "%1b[31m", "*a" * 2000, "[" * 2000, "(a*)*" * 500, "'%22--", "../etc",
        "9" * 5000 + "d", "1e400d", "nan", "-1s", "%D9%A3d", "%C2%B2d", "9999-12-31", "0001-01-01",
    )  # fmt: skip
    keys = {
        "/api/now": ("inverter",), "/api/objects": ("inverter", "search"), "/api/events": ("inverter",),
        "/api/curves": ("names", "since", "until", "step"), "/api/energies": ("by", "since", "until"),
    }  # fmt: skip
    for path, names in keys.items():
        for name, value in product((*names, "x", "%00", "%0a"), values):
            rest = "names=battery.soc&" if path == "/api/curves" and name != "names" else ""
            status, document = await answer(web, f"{unguarded.url}{path}?{rest}{name}={value}")
            assert status in (200, 400, 404), (path, name, value)
            assert "\n" not in document.get("error", "")


UPGRADES = (
    "websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    "h2c",
    "TLS/1.0",
    "?",
)


@pytest.mark.parametrize("protocol", UPGRADES)
async def test_no_other_protocol(
    unguarded: Shown, web: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch, protocol: str
) -> None:
    monkeypatch.setattr(connection, "IDLE", 0.5)  # some requests behind it are taken for more of the same
    upgrade = f"GET /api/session HTTP/1.1\r\n{HOST}Connection: Upgrade\r\nUpgrade: {protocol}\r\n\r\n".encode()
    status, rest = await raw(unguarded, upgrade + GOOD)
    assert status == 200
    assert b"\r\nUpgrade" not in rest
    assert (await answer(web, f"{unguarded.url}/api/now"))[0] == 200


async def test_many_requests_at_once_in_one_connection(unguarded: Shown) -> None:
    request = f"GET /api/session HTTP/1.1\r\n{HOST}\r\n".encode()
    status, rest = await raw(unguarded, request * 500 + GOOD)
    assert (status, rest.count(b'"open":true')) == (200, 501)


ODDITIES = [
    b"\0",
    b"\r",
    b"\n",
    b"\r\n",
    b" ",
    b":",
    b"/",
    b"%",
    b"?",
    b"&",
    b"=",
    b";",
    b'"',
    b"\xff",
    b"{",
    b"[",
    b"9",
]


async def test_requests_with_mistakes(unguarded: Shown) -> None:
    """Whatever becomes of good requests on their way, no answer is a mistake of ours."""
    chance = random.Random(7)
    good = [
        get("/api/curves?names=battery.soc&since=1h&step=1m", "Origin: http://localhost", "Accept-Encoding: gzip"),
        get("/api/objects?search=battery", f"Cookie: {COOKIE}=abc", "If-None-Match: x"),
        post('{"password": "correct horse"}'),
        chunked(b"5\r\nhello\r\n0\r\n\r\n"),
    ]

    def spoil(request: bytes) -> bytes:
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(request))
            request = request[:at] + chance.choice(ODDITIES) + request[at + chance.randint(0, 3) :]
        return request

    async def ask(request: bytes) -> int:
        try:
            async with asyncio.timeout(3):  # some wait for the rest
                return (await raw(unguarded, request + GOOD))[0]
        except (TimeoutError, IndexError, ConnectionError):
            return 0

    for _ in range(10):
        statuses = await asyncio.gather(*(ask(spoil(chance.choice(good))) for _ in range(50)))
        assert max(statuses) < 500
        assert any(statuses)
    assert (await raw(unguarded, GOOD))[0] == 200


# --- those who take their time --------------------------------------------------------------------------------------


async def end_of(connected: socket.socket) -> None:
    """Wait until the page has ended a connection."""
    with suppress(ConnectionError):
        while await asyncio.get_running_loop().sock_recv(connected, 1000):
            pass


@pytest.mark.parametrize("sent", [b"", b"GET", b"GET / HTTP/1.1\r\nHost: localhost\r\nX: "])
async def test_who_asks_for_nothing_is_left(shown: Shown, monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    monkeypatch.setattr(server, "MOST_CONNECTIONS", 20)
    slow = await sockets(shown, 20, sent)
    await until(lambda: connections(shown) == 20)
    assert (await raw(shown, GOOD))[0] == 503
    for each in slow:
        each.close()
    await until(lambda: connections(shown) == 0)
    monkeypatch.setattr(connection, "IDLE", 0.5)
    slow = await sockets(shown, 20, sent)
    with suppress(ConnectionError):  # it may be left already
        for each in slow * (len(sent) > 0):
            each.sendall(b"x")  # a byte now and then is no request
    await asyncio.gather(*(end_of(each) for each in slow))
    await until(lambda: connections(shown) == 0)
    assert (await raw(shown, GOOD))[0] == 200
    for each in slow:
        each.close()


async def test_body_that_never_ends(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "_PATIENCE", 0.2)
    for request in (post("{", length=100), chunked(b"1\r\n{\r\n"), chunked()):
        status, rest = await raw(shown, request)
        assert status == 408
        assert b"what was announced did not come" in rest


async def test_who_leaves_in_the_middle(shown: Shown) -> None:
    for request in (post("{", length=100), chunked(b"1\r\n"), get("/api/session")[:-2], post("{}")):
        for each in await sockets(shown, 10, request):
            each.close()
    await until(lambda: connections(shown) == 0)
    assert (await raw(shown, GOOD))[0] == 200


async def test_answers_that_nobody_takes(unguarded: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_PATIENCE", 0.2)
    asked = f"GET /api/objects HTTP/1.1\r\n{HOST}\r\n".encode()
    deaf = await sockets(unguarded, 3, small=True)

    def ask_more() -> bool:
        for each in deaf:
            with suppress(OSError):
                each.send(asked)
        return connections(unguarded) == 0

    await until(ask_more)
    assert (await raw(unguarded, GOOD))[0] == 200
    for each in deaf:
        each.close()


async def test_browser_that_never_reads_its_events(unguarded: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browsers, "PATIENCE", 0.5)
    monkeypatch.setattr(browsers, "TICK", 0.001)
    (deaf,) = await sockets(unguarded, 1, f"GET /api/live HTTP/1.1\r\n{HOST}\r\n".encode(), small=True)
    live = unguarded.page.browsers
    await until(lambda: len(live._browsers) == 1)
    (browser,) = live._browsers
    name, longest = registry["android_description"], 0

    async with aiohttp.ClientSession() as web, web.get(f"{unguarded.url}/api/live") as response:
        told = messages(response)
        while browser in live._browsers:
            await unguarded.page.write([Reading(time.time_ns(), "roof", name, "x" * 100_000)])
            longest = max(longest, len(browser.waiting))
            await anext(told)  # while the other one is told all
    assert longest <= browsers._BEHIND
    deaf.close()
    await until(lambda: not live._browsers)


async def test_browser_that_sends_rubbish_meanwhile(unguarded: Shown, web: aiohttp.ClientSession) -> None:
    asked = f"GET /api/live HTTP/1.1\r\n{HOST}\r\n".encode()
    loud = await sockets(unguarded, 5, asked)
    await until(lambda: len(unguarded.page.browsers._browsers) == 5)
    for each in loud:
        each.send(b"\x81\x85\0\0\0\0hello\r\n\r\n" * 100)
    async with web.get(f"{unguarded.url}/api/live") as response:
        told = messages(response)
        for _ in range(3):
            await anext(told)
    for each in loud:
        each.close()
    await until(lambda: not unguarded.page.browsers._browsers)
