"""How a question is read, and an answer written."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Mapping
from typing import Any, Final, TypeVar

import msgspec
from aiohttp import web

from rct_tools.errors import ConfigError
from rct_tools.objects import ObjectInfo
from rct_tools.plain import plain
from rct_tools.sentence import Sentence, Sentences
from rct_tools.settings import Table, decode
from rct_tools.times import Moment
from rct_tools.web.door import Visitor
from rct_tools.writable import Held

Q = TypeVar("Q", bound=Table)

_PACKED: Final = 1000  # bytes: what is longer goes compressed
_PATIENCE: Final = 10.0  # seconds for a body to come
_MS: Final = 1_000_000  # ns

VISITOR: Final = web.RequestKey("visitor", Visitor)
"""Who asks, in a request that has come in."""


class Says(Sentences):
    """What more than one room of the page says."""

    NOT_READ = "{inverter}: not read at the moment"
    TOO_MUCH = "too much is asked at once; try again"


class Refusal(Exception):
    """A question is not answered: with which status, and why."""

    def __init__(self, status: int, said: Sentence) -> None:
        self.status = status
        self.said = said
        super().__init__(said)


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


def error(status: int, said: Sentence | str, headers: Mapping[str, str] | None = None) -> web.Response:
    document: dict[str, Any] = {"error": " ".join(str(said).split())}  # names may have anything in them
    if isinstance(said, Sentence) and said.code:
        document["said"] = made_of(said)
    return answer(document, status, headers)


def made_of(said: Sentence) -> dict[str, Any] | None:
    """Return the code of a sentence, and what was put in; None for what has no code."""
    if not said.code:
        return None
    return {"code": said.code, "values": {name: _part(value) for name, value in said.values.items()}}


def about(info: ObjectInfo) -> dict[str, Any]:
    """Return what has to be known of an object to show its values."""
    return {"object": info.name, "unit": info.unit, "labels": {str(key): label for key, label in info.labels.items()}}


def _part(value: object) -> Any:
    match value:
        case Sentence():
            return made_of(value) or {"text": value.text}
        case Held():
            return about(value.object) | {"value": None if value.value is None else plain(value.value)}
        case Moment():
            return {"time": value.time // _MS}
        case tuple():
            return list(map(_part, value))
        case int() | float() if math.isfinite(value):
            return value
    return str(value)
