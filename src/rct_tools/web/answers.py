"""How a question is read, and an answer written."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final, TypeVar

import msgspec
from aiohttp import web

from rct_tools.errors import ConfigError
from rct_tools.settings import Table, decode
from rct_tools.web.door import Visitor

Q = TypeVar("Q", bound=Table)

_PACKED: Final = 1000  # bytes: what is longer goes compressed
_PATIENCE: Final = 10.0  # seconds for a body to come

VISITOR: Final = web.RequestKey("visitor", Visitor)
"""Who asks, in a request that has come in."""


def asked(request: web.Request, kind: type[Q]) -> Q:
    """Return what a request asks. Raises ConfigError."""
    if len(request.query) != len(set(request.query)):
        raise ConfigError("a question says everything once")
    return decode(dict(request.query), kind)


async def told(request: web.Request, kind: type[Q]) -> Q:
    """Return what a request says in its body. Raises ConfigError, HTTPException for another type and for a late one."""
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType(reason="expected application/json")
    try:
        async with asyncio.timeout(_PATIENCE):
            text = await request.read()
        return decode(msgspec.json.decode(text), kind)
    except TimeoutError as exc:
        raise web.HTTPRequestTimeout(reason="what was announced did not come") from exc
    except (web.RequestPayloadError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise ConfigError("expected an object of JSON") from exc


def answer(document: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return packed(web.Response(status=status, text=text, content_type="application/json", headers=headers))


def packed(response: web.Response) -> web.Response:
    if len(response.body or b"") > _PACKED:  # type: ignore[arg-type]  # it is bytes here
        response.enable_compression()
    return response


def error(status: int, text: str, headers: Mapping[str, str] | None = None) -> web.Response:
    return answer({"error": " ".join(text.split())}, status, headers)  # names may have anything in them
