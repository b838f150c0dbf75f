"""The page as a server: routes, what they take, and what they answer. The contract is openapi.json beside this file."""

from __future__ import annotations

import asyncio
import difflib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from importlib.resources import files
from typing import Final

from aiohttp import web

from rct_tools.address import show_address
from rct_tools.errors import LinkError, NoAnswer, NotNow, RctError, SinkError, UnknownObject
from rct_tools.listening import cannot_listen
from rct_tools.plan import Source
from rct_tools.reading import Reading
from rct_tools.sentence import Sentences, sentence_of
from rct_tools.settings import Table
from rct_tools.times import SECOND
from rct_tools.web.answers import VISITOR, Refusal, Says, answer, asked, error, told
from rct_tools.web.browsers import Browsers
from rct_tools.web.connection import SERVER, Connection, Full
from rct_tools.web.control import Control
from rct_tools.web.desk import Desk
from rct_tools.web.documents import Teller, Watched
from rct_tools.web.door import COOKIE, HEADERS, LASTS, Attempts, Refused, Visitor, receive
from rct_tools.web.files import load_assets
from rct_tools.web.logbook import Logbook
from rct_tools.web.logins import Logins
from rct_tools.web.newest import Newest
from rct_tools.web.past import Past
from rct_tools.web.store import Store
from rct_tools.web.table import WebSetup

logger = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

MOST_CONNECTIONS: Final = 400  # the files that a process may have open are needed for other things, too

_OPEN: Final = frozenset({"/api/session", "/api/login", "/api/openapi.json"})  # without a login
_PATIENCE: Final = 60.0  # seconds that a browser has to take an answer
_LAST_BROWSERS: Final = 2.0  # seconds that requests have at the end


class _Says(Sentences):
    NO_LOGIN_HERE = "there is no password here"
    NO_INVERTER = "there is no inverter yet"


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
        self.newest = Newest(self._absent, wall_clock)
        self.browsers = Browsers(self.newest)
        self._watched: Callable[[], Mapping[str, Watched]] = dict
        self._teller = Teller(self.newest, lambda: self._watched())  # noqa: PLW0108  # as it is then
        self._desk = Desk()
        self._door = Desk()  # of its own: who tries passwords must not keep those away who are in
        store = Store(setup.store) if setup.store else None
        self._past = Past(store, self.newest, self._named, self._absent, self._desk, setup.tariff)
        watched = self._teller.watched
        self._control = Control(self.newest, watched, self._named, is_guarded=setup.is_guarded)
        self._logins = Logins(setup)
        self._attempts = Attempts()
        self._assets = load_assets()
        self._openapi = (files("rct_tools.web") / "openapi.json").read_bytes()
        self._logbooks: dict[str, tuple[object, Logbook]] = {}
        self._streams: dict[asyncio.Task[None], Visitor] = {}
        self._turn = asyncio.Lock()

    # --- as a sink ----------------------------------------------------------------------------------------------

    def open(self, sources: Sequence[Source]) -> Page:
        """Expect the readings of these inverters from now on; return what takes them."""
        self.newest.expect(sources)
        self.browsers.change()
        return self

    async def write(self, readings: Sequence[Reading]) -> None:
        """Show the readings."""
        self.newest.take(readings, _now())
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
        app.add_routes([web.post(path, handler) for path, handler in self.posts.items()])
        runner = web.AppRunner(app, handle_signals=False, handler_cancellation=True, shutdown_timeout=_LAST_BROWSERS)
        await runner.setup()
        telling = asyncio.create_task(self.browsers.run())
        try:
            server = await self._listen(runner)
            try:
                self._logins.begin()
                yield show_address(self.setup.host, server.sockets[0].getsockname()[1])
            finally:
                server.close()
        finally:
            telling.cancel()
            await asyncio.wait([telling])
            await runner.cleanup()
            self._desk.close()
            self._door.close()

    async def _listen(self, runner: web.AppRunner) -> asyncio.Server:
        serve = runner.server
        assert serve is not None  # noqa: S101  # it is set up

        def protocol() -> asyncio.BaseProtocol:
            return Connection(serve) if len(serve.connections) < MOST_CONNECTIONS else Full()

        host, port = self.setup.host, self.setup.port
        try:
            return await asyncio.get_running_loop().create_server(protocol, host, port, reuse_address=True)
        except (OSError, UnicodeError) as exc:
            hint = "is a page there already? Choose another, with --listen, or listen below [web]"
            raise RctError(f"the page: {cannot_listen(host, port, exc, hint)}") from exc

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
            "/api/ranges": self._past.ranges,
            "/api/energies": self._past.energies,
            "/api/energies.csv": self._past.energies_as_csv,
            "/api/spread": self._past.spread,
            "/api/events": self._events,
            "/api/battery": self._battery,
            "/api/inverter": self._inverter,
            "/api/control": self._control.state,
            "/api/objects": self._objects,
            "/api/session": self._session,
            "/api/openapi.json": self._api,
        }

    @property
    def posts(self) -> Mapping[str, Handler]:
        """What can be sent by POST."""
        return {
            "/api/login": self._login,
            "/api/logout": self._logout,
            "/api/control/consider": self._control.consider,
            "/api/control/order": self._control.order,
        }

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer who may ask, and leave whoever does not take the answer."""
        response = await self._answer(request, handler)
        if isinstance(response, web.Response):  # a stream has sent itself
            try:
                async with asyncio.timeout(_PATIENCE):
                    await response.prepare(request)
                    await response.write_eof()
            except (ConnectionError, TimeoutError):
                _leave(request)
        return response

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Return the answer to who may ask; what is wrong is said in one line."""
        resource = request.match_info.route.resource
        place = resource.canonical if resource is not None else request.path  # what is served, however it was asked for
        peer, target = request.remote or "", request.raw_path
        visitor = receive(
            self.setup.host, self.setup.proxy, peer, target, request.headers, is_page=place in self._assets
        )
        if isinstance(visitor, Refused):
            return error(visitor.status, visitor.reason)
        token = request.cookies.get(COOKIE, "")
        visitor = replace(visitor, session=token if self._logins.left(token) else "")
        request[VISITOR] = visitor
        is_free = place in self._assets or place in _OPEN or (resource is None and not place.startswith("/api/"))
        if not is_free and not self._is_in(visitor):
            return error(401, "log in first")
        try:
            return await handler(request)
        except web.HTTPException as exc:
            return error(exc.status, exc.reason.lower(), {"Allow": exc.headers["Allow"]} if exc.status == 405 else {})
        except Refusal as exc:
            return error(exc.status, exc.said)
        except (SinkError, NoAnswer, LinkError) as exc:
            return error(503, sentence_of(exc))
        except NotNow as exc:
            return error(409, sentence_of(exc))
        except UnknownObject as exc:
            return error(404, sentence_of(exc))
        except RctError as exc:
            return error(400, sentence_of(exc))

    # --- the door -----------------------------------------------------------------------------------------------

    def _is_in(self, visitor: Visitor) -> bool:
        return bool(visitor.user or visitor.session) or not self.setup.is_guarded

    async def _session(self, request: web.Request) -> web.Response:
        visitor = request[VISITOR]
        return self._said(is_open=self._is_in(visitor), user=visitor.user)

    def _said(self, *, is_open: bool, user: str) -> web.Response:
        steered = self._control.steered if is_open else []
        has_password = self._logins.password is not None
        return answer({"password": has_password, "open": is_open, "user": user, "control": steered})

    async def _login(self, request: web.Request) -> web.Response:
        tried = (await told(request, Login)).password
        password, visitor = self._logins.password, request[VISITOR]
        if password is None:
            return error(404, _Says.NO_LOGIN_HERE())
        if wait := self._attempts.wait(visitor.host, time.monotonic()):
            return _too_soon(wait)
        # One after the other: who tries many at once must not get ahead of the count, nor of our memory.
        with self._door.place():
            async with self._turn:
                if wait := self._attempts.wait(visitor.host, time.monotonic()):
                    return _too_soon(wait)
                is_right = await self._door.do(lambda: password.is_right(tried))
                if not is_right:
                    self._attempts.wrong(visitor.host, time.monotonic())
                    logger.warning("%s: a wrong password for the page", visitor.host)
                    return error(403, "this is not the password")
        self._attempts.right(visitor.host)
        response = self._said(is_open=True, user=visitor.user)
        response.set_cookie(
            COOKIE, self._logins.open(), max_age=int(LASTS), path="/", httponly=True,
            samesite="Strict", secure=visitor.is_secure,
        )  # fmt: skip
        return response

    async def _logout(self, request: web.Request) -> web.Response:
        visitor = request[VISITOR]
        self._logins.close(visitor.session)
        for stream, watcher in self._streams.items():
            if visitor.session and watcher.session == visitor.session:
                stream.cancel()
        response = self._said(is_open=self._is_in(replace(visitor, session="")), user=visitor.user)
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
        document = self.newest.document(_now())
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
        visitor = request[VISITOR]
        left = self._logins.left(visitor.session) if visitor.session else None
        self._streams[task] = visitor
        try:
            async with asyncio.timeout(left):  # no longer than its login
                await response.prepare(request)
                await self.browsers.serve(response.write)
        except (ConnectionError, TimeoutError):
            _leave(request)
        finally:
            del self._streams[task]
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
            zone = self.newest.inverters[name].zone
            self._logbooks[name] = watched.client, Logbook(watched.client, zone, self.newest.wall_clock)
        return answer({"inverter": name, "events": await self._logbooks[name][1].events()})

    # --- which inverter -----------------------------------------------------------------------------------------

    def _named(self, name: str) -> str:
        """Return the inverter of a name, or the first one. Raises UnknownObject, LinkError."""
        known = list(self.newest.inverters)
        if name in known or (not name and known):
            return name or known[0]
        if not name:
            raise LinkError(_Says.NO_INVERTER())
        raise UnknownObject(name, difflib.get_close_matches(name, known, 1), "there is no inverter")

    def _at_work(self, name: str) -> str:
        found = self._named(name)
        if found not in self._watched():
            raise LinkError(Says.NOT_READ(inverter=found))
        return found


def _too_soon(wait: float) -> web.Response:
    return error(429, "too many wrong passwords; wait", {"Retry-After": str(int(wait) + 1)})


def _leave(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()  # it may have megabytes that nobody takes


async def _add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers["Server"] = SERVER
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)


def _now() -> int:
    """The time of the loop, in nanoseconds."""
    return round(asyncio.get_running_loop().time() * SECOND)
