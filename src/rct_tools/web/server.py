"""The page as a server: routes, what they take, and what they answer. The contract is openapi.json beside this file."""

from __future__ import annotations

import asyncio
import difflib
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from errno import EADDRINUSE
from importlib.resources import files
from typing import Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from rct_tools.address import show_address
from rct_tools.errors import ConfigError, LinkError, NoAnswer, RctError, SinkError, UnknownObject
from rct_tools.listening import cannot_listen
from rct_tools.plan import Source
from rct_tools.reading import Reading
from rct_tools.settings import NO_SECRET, Table, decode
from rct_tools.times import SECOND
from rct_tools.web.answers import answer, asked, error
from rct_tools.web.browsers import Browsers
from rct_tools.web.desk import Desk
from rct_tools.web.documents import Teller, Watched
from rct_tools.web.door import COOKIE, HEADERS, LASTS, Attempts, Sessions, refusal
from rct_tools.web.files import load_assets
from rct_tools.web.logbook import Logbook
from rct_tools.web.password import Password
from rct_tools.web.past import Past
from rct_tools.web.picture import Picture
from rct_tools.web.store import Store
from rct_tools.web.table import WebSetup

logger = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

MOST_CONNECTIONS: Final = 400  # the files that a process may have open are needed for other things, too

_OPEN: Final = frozenset({"/api/session", "/api/login", "/api/openapi.json"})  # without a login
_LAST_BROWSERS: Final = 2.0  # seconds that requests have at the end


class InverterQuery(Table, frozen=True):
    """What most questions say."""

    inverter: str = ""


class ObjectsQuery(Table, frozen=True):
    """Which objects."""

    inverter: str = ""
    search: str = ""


class Login(Table, frozen=True):
    """What opens the door."""

    password: str


class Page:
    """The page of a collector: a sink for readings, and a server for browsers."""

    def __init__(self, setup: WebSetup, wall_clock: Callable[[], int] = time.time_ns) -> None:
        """``wall_clock`` is that of the readings. Raises ConfigError for a password that cannot be had."""
        self.setup = setup
        self.picture = Picture(self._absent, wall_clock)
        self.browsers = Browsers(self.picture)
        self._watched: Callable[[], Mapping[str, Watched]] = dict
        self._teller = Teller(self.picture, lambda: self._watched())  # noqa: PLW0108  # as it is then
        self._desk = Desk()
        store = Store(setup.store) if setup.store else None
        self._past = Past(store, self.picture, self._named, self._absent, self._desk)
        self._password = Password(setup.password.reveal()) if setup.password != NO_SECRET else None
        self._sessions = Sessions()
        self._attempts = Attempts()
        self._assets = load_assets()
        self._openapi = (files("rct_tools.web") / "openapi.json").read_bytes()
        self._logbooks: dict[str, tuple[object, Logbook]] = {}
        self._streams: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Lock()

    # --- as a sink ----------------------------------------------------------------------------------------------

    def open(self, sources: Sequence[Source]) -> Page:
        """Expect the readings of these inverters from now on; return what takes them."""
        self.picture.expect(sources)
        self.browsers.change()
        return self

    async def write(self, readings: Sequence[Reading]) -> None:
        """Show the readings."""
        self.picture.take(readings, _now())
        self.browsers.change()

    async def close(self) -> None:
        """There is nothing to flush; the page goes on showing what it has."""

    def _absent(self, inverter: str) -> frozenset[str]:
        watched = self._watched().get(inverter)
        return watched.poller.schedule.absent if watched else frozenset()

    # --- as a server --------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def serving(self, watched: Callable[[], Mapping[str, Watched]]) -> AsyncIterator[str]:
        """Serve while inside; yields the address it got. ``watched`` gives the inverters at work, by name.

        Raises RctError when the address cannot be had.
        """
        self._watched = watched
        app = web.Application(middlewares=[self._guard], client_max_size=4096)
        app.on_response_prepare.append(_add_headers)
        app.on_shutdown.append(self._end_streams)
        app.add_routes([web.get(path, self._file) for path in self._assets])
        app.add_routes([web.get(path, handler) for path, handler in self.routes.items()])
        app.add_routes([web.post("/api/login", self._login), web.post("/api/logout", self._logout)])
        runner = web.AppRunner(
            app,
            access_log=None,
            handle_signals=False,
            handler_cancellation=True,
            shutdown_timeout=_LAST_BROWSERS,
            logger=_http_logger(),
        )
        await runner.setup()
        telling = asyncio.create_task(self.browsers.run())
        try:
            server = await self._listen(runner)
            try:
                yield show_address(self.setup.host, server.sockets[0].getsockname()[1])
            finally:
                server.close()
        finally:
            telling.cancel()
            await asyncio.wait([telling])
            await runner.cleanup()
            self._desk.close()

    async def _listen(self, runner: web.AppRunner) -> asyncio.Server:
        serve = runner.server
        assert serve is not None  # noqa: S101  # it is set up

        def protocol() -> asyncio.BaseProtocol:
            return serve() if len(serve.connections) < MOST_CONNECTIONS else _Full()

        host, port = self.setup.host, self.setup.port
        try:
            return await asyncio.get_running_loop().create_server(protocol, host, port, reuse_address=True)
        except (OSError, UnicodeError) as exc:
            taken = isinstance(exc, OSError) and exc.errno == EADDRINUSE
            hint = "; is a page there already? Choose another web.listen" if taken else ""
            raise RctError(f"web.listen: {cannot_listen(host, port, exc)}{hint}") from exc

    async def _end_streams(self, _app: web.Application) -> None:
        for stream in self._streams:
            stream.cancel()

    @property
    def routes(self) -> Mapping[str, Handler]:
        """What can be asked for by GET, beside the files of the page."""
        return {
            "/api/now": self._now,
            "/api/live": self._live,
            "/api/curves": self._past.curves,
            "/api/curves.csv": self._past.curves_as_csv,
            "/api/energies": self._past.energies,
            "/api/events": self._events,
            "/api/battery": self._battery,
            "/api/inverter": self._inverter,
            "/api/objects": self._objects,
            "/api/session": self._session,
            "/api/openapi.json": self._api,
        }

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer who may ask, and say in one line what is wrong."""
        path = request.path
        if refused := refusal(self.setup.host, request.headers, is_page=path in self._assets):
            return error(refused.status, refused.reason)
        if path.startswith("/api/") and path not in _OPEN and not self._is_in(request):
            return error(401, "log in first")
        try:
            return await handler(request)
        except web.HTTPException as exc:
            return error(exc.status, exc.reason.lower(), {"Allow": exc.headers["Allow"]} if exc.status == 405 else {})
        except (SinkError, NoAnswer, LinkError) as exc:
            return error(503, str(exc))
        except UnknownObject as exc:
            return error(404, str(exc))
        except RctError as exc:
            return error(400, str(exc))

    # --- the door -----------------------------------------------------------------------------------------------

    def _is_in(self, request: web.Request) -> bool:
        return self._password is None or self._sessions.is_open(request.cookies.get(COOKIE, ""), time.monotonic())

    async def _session(self, request: web.Request) -> web.Response:
        return answer({"password": self._password is not None, "open": self._is_in(request)})

    async def _login(self, request: web.Request) -> web.Response:
        if request.content_type != "application/json":
            return error(415, "expected JSON")
        try:
            tried = decode(json.loads(await request.read()), Login, "login").password
        except (ValueError, RecursionError) as exc:
            raise ConfigError("expected an object of JSON") from exc
        password, host = self._password, request.remote or ""
        if password is None:
            return error(404, "there is no password here")
        # One after the other: who tries many at once must not get ahead of the count, nor of our memory.
        with self._desk.place():
            async with self._turn:
                if wait := self._attempts.wait(host, time.monotonic()):
                    return error(429, "too many wrong passwords; wait", {"Retry-After": str(int(wait) + 1)})
                is_right = await self._desk.do(lambda: password.is_right(tried))
                if not is_right:
                    self._attempts.wrong(host, time.monotonic())
                    logger.warning("%s: a wrong password for the page", host)
                    return error(403, "this is not the password")
        self._attempts.right(host)
        response = answer({"password": True, "open": True})
        response.set_cookie(
            COOKIE, self._sessions.open(time.monotonic()), max_age=int(LASTS), path="/", httponly=True,
            samesite="Strict", secure=request.secure,
        )  # fmt: skip
        return response

    async def _logout(self, request: web.Request) -> web.Response:
        self._sessions.close(request.cookies.get(COOKIE, ""))
        response = answer({"password": self._password is not None, "open": self._password is None})
        response.del_cookie(COOKIE, path="/")
        return response

    # --- what is now --------------------------------------------------------------------------------------------

    async def _file(self, request: web.Request) -> web.Response:
        asset = self._assets[request.path]
        headers = {"Content-Type": asset.content_type, "ETag": asset.tag, "Cache-Control": "no-cache"}
        if request.headers.get("If-None-Match") == asset.tag:
            return web.Response(status=304, headers=headers)
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            return web.Response(body=asset.packed, headers={**headers, "Content-Encoding": "gzip"})
        return web.Response(body=asset.body, headers=headers)

    async def _now(self, request: web.Request) -> web.Response:
        query = asked(request, InverterQuery)
        document = self.picture.document(_now())
        if query.inverter:
            document["inverters"] = {query.inverter: document["inverters"][self._named(query.inverter)]}
        del document["whole"]
        return answer(document)

    async def _live(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
        if request.method == "HEAD":
            await response.prepare(request)
            return response
        if self.browsers.is_full:
            return error(503, "too many pages are open")
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # inside a coroutine there is always a task
        self._streams.add(task)
        try:
            await response.prepare(request)
            await self.browsers.serve(response.write)
        except (ConnectionError, TimeoutError):
            if request.transport is not None:
                request.transport.abort()  # it may have megabytes that nobody takes
        finally:
            self._streams.discard(task)
        return response

    async def _battery(self, request: web.Request) -> web.Response:
        return answer(self._teller.battery(self._named(asked(request, InverterQuery).inverter), _now()))

    async def _inverter(self, request: web.Request) -> web.Response:
        return answer(self._teller.inverter(self._at_work(asked(request, InverterQuery).inverter), _now()))

    async def _objects(self, request: web.Request) -> web.Response:
        query = asked(request, ObjectsQuery)
        name = self._named(query.inverter)
        return answer({"inverter": name, "objects": self._teller.objects(name, query.search, _now())})

    async def _api(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._openapi, content_type="application/json")

    # --- what was -----------------------------------------------------------------------------------------------

    async def _events(self, request: web.Request) -> web.Response:
        name = self._at_work(asked(request, InverterQuery).inverter)
        watched = self._watched()[name]
        if self._logbooks.get(name, (None,))[0] is not watched.client:
            zone = self.picture.inverters[name].zone
            self._logbooks[name] = watched.client, Logbook(watched.client, zone, self.picture.wall_clock)
        return answer({"inverter": name, "events": await self._logbooks[name][1].events()})

    # --- which inverter -----------------------------------------------------------------------------------------

    def _named(self, name: str) -> str:
        """Return the inverter of a name, or the first one. Raises UnknownObject, LinkError."""
        known = list(self.picture.inverters)
        if name in known or (not name and known):
            return name or known[0]
        if not name:
            raise LinkError("there is no inverter yet")
        raise UnknownObject(name, difflib.get_close_matches(name, known, 1), "there is no inverter")

    def _at_work(self, name: str) -> str:
        found = self._named(name)
        if found not in self._watched():
            raise LinkError(f"{found}: not read at the moment")
        return found


class _Full(asyncio.Protocol):
    """What those get who come when all places are taken."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # as TCP has
        transport.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        transport.close()


def _is_ours(record: logging.LogRecord) -> bool:
    """Return whether a record is about a mistake of ours: rubbish from others is answered, and nothing to tell."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


def _http_logger() -> logging.Logger:
    found = logging.getLogger(f"{__name__}.http")
    found.addFilter(_is_ours)  # the same function is added once
    return found


async def _add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers["Server"] = "rct"  # which version of what is nobody's business
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)


def _now() -> int:
    """The time of the loop, in nanoseconds."""
    return round(asyncio.get_running_loop().time() * SECOND)
