"""The InfluxDB sink and InfluxDB 2.x and 3.x; and TLS.

No server of these can be had as a package of Debian. Their answers are those of ``fake_server``, made from their
documentation and from reports of users. What we send them is tested on VictoriaMetrics, too: test_sinks_victoria.py.
"""

from __future__ import annotations

import gzip
import json
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from test_sinks import NOON, reading
from test_sinks_influx import fake_server, write_error

from rct_tools.errors import ConfigError
from rct_tools.sinks import open_sink, settings_for
from rct_tools.sinks.influx import InfluxSink

from servers import require


async def test_request_to_version_2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFLUX_TOKEN", "t0ken")
    requests = []

    async def answer(request: web.Request) -> web.Response:
        requests.append((request.path, dict(request.query), request.headers, await request.read()))
        return web.Response(status=204)

    async with fake_server(answer) as address:
        for url in (f"influx2://{address}/solar?org=my%20home", f"influx2://{address}/proxy/solar"):
            assert await write_error(open_sink(settings_for(url))) is None
    (path, query, headers, body), (path_behind_proxy, query_without_org, _, _) = requests
    assert path == "/api/v2/write"
    assert query == {"bucket": "solar", "org": "my home", "precision": "ns"}
    assert headers["Authorization"] == "Token t0ken"
    assert headers["Content-Encoding"] == "gzip"
    lines = body if body.startswith(b"pv") else gzip.decompress(body)  # aiohttp's server may unpack by itself
    assert lines.decode() == f"pv,inverter=roof battery.soc=0.5 {NOON}\n"
    assert path_behind_proxy == "/proxy/api/v2/write"
    assert query_without_org == {"bucket": "solar", "precision": "ns"}


async def test_version_3_says_ok_too_and_holds_texts() -> None:
    requests = []

    async def answer(request: web.Request) -> web.Response:
        requests.append(request.path)
        return web.Response(status=200, text="OK") if request.path == "/health" else web.Response(status=204)

    async with fake_server(answer, method="*") as address:
        sink = open_sink(settings_for(f"influx2://{address}/solar"))
        assert isinstance(sink, InfluxSink)
        for n in range(2):
            await sink.write([reading("svnversion", "6a", NOON + n)])
        await sink.close()
    assert requests == ["/health", "/api/v2/write", "/api/v2/write"]
    assert not sink.left_out


TOKENS = [  # keys, the header
    ({}, None),
    ({"token": "abc"}, "Token abc"),
    ({"token": {"env": "ELSEWHERE"}}, "Token xyz"),
]


@pytest.mark.parametrize(("keys", "header"), TOKENS)
async def test_token(keys: dict[str, Any], header: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INFLUX_TOKEN", raising=False)
    monkeypatch.setenv("ELSEWHERE", "xyz")
    headers = []

    async def answer(request: web.Request) -> web.Response:
        headers.append(request.headers.get("Authorization"))
        return web.Response(status=204)

    async with fake_server(answer) as address:
        assert await write_error(open_sink(settings_for(f"influx2://{address}/solar", **keys))) is None
    assert headers == [header]


ANSWERS_2 = [  # status, headers, body, what is said, permanent, retry_after
    (401, {}, '{"code":"unauthorized","message":"unauthorized access"}',
     "401 unauthorized access (is the token right?", False, None),
    (403, {}, '{"code":"forbidden","message":"forbidden"}', "403 forbidden (the token needs the right to", False, None),
    (404, {}, '{"code":"not found","message":"bucket \\"solar\\" not found"}',
     '404 bucket "solar" not found (does the bucket exist, is org right', False, None),
    (404, {}, "404 page not found", "404 404 page not found (does the bucket exist", False, None),
    (413, {}, '{"code":"request too large","message":"cannot read data"}', "413 cannot read data", True, None),
    (422, {}, '{"code":"unprocessable entity","message":"no"}', "422 no", True, None),
    (429, {"Retry-After": "30"}, "", "429", False, 30.0),
    (503, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, "", "503", False, None),
]  # fmt: skip


@pytest.mark.parametrize(("status", "headers", "body", "said", "permanent", "retry_after"), ANSWERS_2)
async def test_answers_of_version_2_in_trouble(
    status: int, headers: dict[str, str], body: str, said: str, permanent: bool, retry_after: float | None
) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, text=body, headers=headers)

    async with fake_server(answer) as address:
        error = await write_error(open_sink(settings_for(f"influx2://{address}/solar", token="s3cret")))
    assert error is not None
    assert str(error).startswith(f"influx http://{address}: {said}")
    assert "s3cret" not in str(error)
    assert (error.permanent, error.retry_after) == (permanent, retry_after)


CONFLICT_2 = (
    'failure writing points to database: partial write: field type conflict: input field "battery.soc" on measurement '
    '"pv" is type float, already exists as type string dropped=1'
)
OLD_2 = (
    "failure writing points to database: partial write: dropped 1 points outside retention policy of duration 1h0m0s - "
    "oldest point pv at 2026-06-21T12:00:00Z dropped because it violates a Retention Policy Lower Bound dropped=1"
)
COLUMN_3 = "invalid column type for column 'battery.soc', expected string, got float"


def refuse_2(message: str, status: int = 422) -> Callable[[list[str]], tuple[int, object]]:
    """As 2.x: one message for all, while the request holds battery.soc."""
    return lambda lines: (status, {"message": message}) if any("soc" in line for line in lines) else (204, {})


def refuse_unparsed(lines: list[str]) -> tuple[int, object]:
    """As 2.x: the first malformed line, and nothing is stored."""
    bad = [line for line in lines if "soc" in line]
    return (400, {"code": "invalid", "message": f"unable to parse '{bad[0]}': bad"}) if bad else (204, {})


def refuse_3(lines: list[str]) -> tuple[int, object]:
    """As 3.x: the lines that were not taken, up to 100 of them."""
    bad = [n for n, line in enumerate(lines, 1) if "soc" in line]
    data = [{"original_line": "pv", "line_number": n, "error_message": COLUMN_3} for n in bad[:100]]
    return (400, {"error": "partial write of line protocol occurred", "data": data}) if bad else (204, {})


def refuse_3_all(lines: list[str]) -> tuple[int, object]:
    """As 3.x: one line alone, which is not in a list."""
    status, body = refuse_3(lines)
    return status, body if status == 204 or not isinstance(body, dict) else body | {"data": body["data"][0]}


REFUSALS = [  # what the server does, why it is left out, how many requests it takes
    (refuse_2(CONFLICT_2), "battery.soc: field battery.soc of pv has another type in the database", 2),
    (refuse_2(CONFLICT_2, 500), "battery.soc: field battery.soc of pv has another type in the database", 2),  # 2.0
    (refuse_unparsed, "battery.soc: bad", 3),
    (refuse_3, f"battery.soc: {COLUMN_3}", 3),
    (refuse_3_all, f"battery.soc: {COLUMN_3}", 3),
]


@pytest.mark.parametrize(("refuse", "reason", "count"), REFUSALS)
async def test_refused_point_costs_nobody_else(
    refuse: Callable[[list[str]], tuple[int, object]], reason: str, count: int, caplog: pytest.LogCaptureFixture
) -> None:
    requests: list[list[str]] = []

    async def answer(request: web.Request) -> web.Response:
        body = await request.read()
        lines = (gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body).decode().splitlines()
        requests.append(lines)
        status, said = refuse(lines)
        return web.Response(status=status, text=json.dumps(said))

    async with fake_server(answer) as address:
        sink = open_sink(settings_for(f"influx2://{address}/solar"))
        assert isinstance(sink, InfluxSink)
        await sink.write(
            [reading("battery.soc", 0.5), reading("prim_sm.state", 1), reading("prim_sm.state", 2, NOON + 1)]
        )
        await sink.close()
    assert sink.left_out == {reason: 1}
    assert len(requests) == count
    assert [line.split()[1] for line in requests[-1]] == ["prim_sm.state=1i", "prim_sm.state=2i"]
    assert caplog.messages == [f"influx http://{address}: left out: {reason}"]


async def test_points_older_than_the_bucket_keeps_are_one_reason() -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=422, text=json.dumps({"message": OLD_2}))

    async with fake_server(answer) as address:
        sink = open_sink(settings_for(f"influx2://{address}/solar"))
        assert isinstance(sink, InfluxSink)
        await sink.write([reading("battery.soc", 0.5)])
        await sink.close()
    assert sink.left_out == {"dropped … points outside retention policy of duration …": 1}


# --- TLS --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two self-signed certificates for 127.0.0.1, and their keys."""
    folder = tmp_path_factory.mktemp("tls")
    for name in ("server", "other"):
        subprocess.run(
            [
                require("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                "-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1",
                "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem",
            ],
            check=True, capture_output=True,
        )  # fmt: skip
    return folder


@pytest.mark.parametrize("scheme", ["influxs", "influx2s"])
async def test_certificates(scheme: str, certificates: Path) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=204)

    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificates / "server.pem", certificates / "server.key")
    async with fake_server(answer, tls) as address:
        for keys, said in (
            ({"ca": str(certificates / "server.pem")}, None),
            ({"ca": str(certificates / "other.pem")}, "self-signed certificate"),
            ({}, "self-signed certificate"),
        ):
            error = await write_error(open_sink(settings_for(f"{scheme}://{address}/solar", tls=keys)))
            if said is None:
                assert error is None
                continue
            assert str(error).startswith(f"influx https://{address}: its certificate is not to be trusted: {said}; ")
            assert error is not None
            assert not error.permanent


async def test_server_without_tls() -> None:
    async def answer(_: web.Request) -> web.Response:
        raise AssertionError("this is never reached")

    async with fake_server(answer) as address:
        error = await write_error(open_sink(settings_for(f"influxs://{address}/solar")))
    assert str(error).startswith(f"influx https://{address}: TLS fails: ")
    assert str(error).endswith("does this port speak it?")


def test_certificates_without_tls_are_a_mistake(certificates: Path) -> None:
    with pytest.raises(ConfigError, match="influx://h: the key tls is for influxs://"):
        open_sink(settings_for("influx://h/solar", tls={"ca": str(certificates / "server.pem")}))
    with pytest.raises(ConfigError, match=r"tls\.ca: .*nowhere cannot be read"):
        open_sink(settings_for("influxs://h/solar", tls={"ca": "/nowhere"}))
