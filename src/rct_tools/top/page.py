"""The page of a collector, as a program asks it: what it knows of its inverters, over HTTP. Needs aiohttp."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Final, Self, TypeVar
from urllib.parse import urlsplit

import msgspec

from rct_tools.display import printable
from rct_tools.errors import ConfigError, LinkError
from rct_tools.health import Quality
from rct_tools.plain import FLOAT_MAX

if TYPE_CHECKING:
    import aiohttp

T = TypeVar("T")

SILENCE: Final = 15.0  # seconds: a page says something every five

_CONNECT: Final = 5.0  # seconds
_PATIENCE: Final = 25.0  # seconds for an answer; its store may take 20
_MOST: Final = 8_000_000  # bytes of an answer: all objects of many inverters are less
_LONGEST: Final = 200  # letters of what a server says of an error

# What is beyond these is not true, and no clock or screen could show it.
Natural = Annotated[int, msgspec.Meta(ge=0, lt=2**32)]
Age = Annotated[int, msgspec.Meta(ge=0, lt=2**42)]  # milliseconds: a century
Moment = Annotated[int, msgspec.Meta(gt=-(2**42), lt=2**46)]  # milliseconds of UTC
Number = Annotated[float, msgspec.Meta(ge=-FLOAT_MAX, le=FLOAT_MAX)]


class Told(msgspec.Struct, frozen=True):
    """A value as a page tells it; times are milliseconds."""

    value: Any
    unit: str
    age: Age | None = None  # by a clock that nobody sets
    lasts: Age | None = None  # how old it may be


class InverterNow(msgspec.Struct, frozen=True):
    """What is known of an inverter, or what of it is new."""

    up: bool
    zone: str
    age: Age | None  # milliseconds since it said anything
    absent: tuple[str, ...]  # components
    objects: dict[str, Told]


class Now(msgspec.Struct, frozen=True):
    """All of it, or what is new."""

    inverters: dict[str, InverterNow]


class Refused(msgspec.Struct, frozen=True):
    """Why there is no answer."""

    error: str


class Connection(msgspec.Struct, frozen=True):
    """How the inverter is, as far as it is about its connection."""

    quality: Quality


class State(msgspec.Struct, frozen=True):
    """How an inverter and its connection are."""

    mute: frozenset[str]  # objects that do not answer
    health: Connection | None


class Found(Told, frozen=True):
    """An object, and what is known of its value."""

    name: str = ""


class Objects(msgspec.Struct, frozen=True):
    """Objects that were searched."""

    objects: tuple[Found, ...]


class Happened(msgspec.Struct, frozen=True):
    """An event; times are milliseconds of UTC."""

    begin: Moment
    end: Moment | None
    sure: bool
    type: Natural
    name: str
    object: str | None
    unit: str
    raw: tuple[Natural, Natural, Natural]


class Events(msgspec.Struct, frozen=True):
    """The newest of them."""

    events: tuple[Happened, ...]


class Curve(msgspec.Struct, frozen=True):
    """Means of one object."""

    values: Annotated[tuple[Number | None, ...], msgspec.Meta(max_length=3000)]


class Curves(msgspec.Struct, frozen=True):
    """Some of them, in the same steps; times are seconds."""

    begin: Annotated[int, msgspec.Meta(ge=0, lt=2**36)]
    step: Annotated[int, msgspec.Meta(gt=0, le=86_400)]
    curves: dict[str, Curve]


class _Session(msgspec.Struct, frozen=True):
    password: bool  # whether there is one
    open: bool  # whether all may be seen


class Page:
    """What a collector says. To be entered; raises ConfigError for an address that is none."""

    def __init__(self, url: str, password: str = "") -> None:
        """``url`` is as people open it in a browser, or only host and port."""
        self.url = _origin(url)
        self.peer = urlsplit(self.url).netloc
        self._password = password
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Log in, if that is needed. Raises ConfigError for a password that is wrong or missing, LinkError."""
        try:
            import aiohttp
        except ImportError as exc:
            raise ConfigError("a page needs more than the core: pip install 'rct-tools[top]'") from exc
        timeout = aiohttp.ClientTimeout(total=_PATIENCE, sock_connect=_CONNECT)
        # A page often has an address for a name, and its cookie is for nobody else: there is one server only.
        session = aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.CookieJar(unsafe=True))
        async with AsyncExitStack() as stack:
            self._session = await stack.enter_async_context(session)
            await self.log_in()
            stack.pop_all()  # from now on, it is __aexit__ that closes it
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def log_in(self) -> None:
        """Log in, unless that has been done, or is not needed. Raises as __aenter__."""
        session = await self.get("session", _Session)
        if session.open:
            return
        if not session.password:
            raise ConfigError(f"{self.url}: is only for those whom its reverse proxy has logged in")
        if not self._password:
            raise ConfigError(f"{self.url}: asks for a password: give the file that holds it, --password-file")
        async with self._asked("POST", "login", json={"password": self._password}) as response:
            if response.status == HTTPStatus.FORBIDDEN:
                raise ConfigError(f"{self.url}: {await self._said(response)}")
            await self._decoded(response, _Session)

    async def get(self, what: str, kind: type[T], **query: str) -> T:
        """Return what it answers. Raises LinkError."""
        async with self._asked("GET", what, params=query) as response:
            return await self._decoded(response, kind)

    async def live(self) -> AsyncIterator[Now]:
        """Yield what it knows: first all, then what is new; nothing new, too. Ends, or raises LinkError, as it ends."""
        import aiohttp

        monotonic = asyncio.get_running_loop().time
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT, sock_read=SILENCE)
        async with self._asked("GET", "live", timeout=timeout) as response:
            if response.status != HTTPStatus.OK or response.content_type != "text/event-stream":
                raise LinkError(f"{self.url}: {await self._said(response)}")
            waiting, heard = b"", monotonic()
            async for data in response.content.iter_any():
                *events, waiting = (waiting + data).split(b"\n\n")
                for event in events:
                    yield self._read(b"".join(line.removeprefix(b"data:") for line in event.splitlines()), Now)
                if events:
                    heard = monotonic()
                elif monotonic() - heard > SILENCE:  # letter by letter
                    raise LinkError(f"{self.url}: says nothing")
                if len(waiting) > _MOST:
                    raise LinkError(f"{self.url}: an event without an end")

    @asynccontextmanager
    async def _asked(self, method: str, what: str, **how: Any) -> AsyncIterator[aiohttp.ClientResponse]:
        """Ask; what the network does meanwhile is a LinkError."""
        import aiohttp

        assert self._session is not None, "it is entered"  # noqa: S101  # for the type checker
        try:
            # What answers for another place is not the page that was named.
            async with self._session.request(method, f"{self.url}/api/{what}", allow_redirects=False, **how) as found:
                yield found
        except aiohttp.ClientConnectorError as exc:
            reason = (exc.os_error.strerror or str(exc.os_error)).lower()
            raise LinkError(f"{self.url}: cannot connect: {reason}") from exc
        except TimeoutError as exc:
            raise LinkError(f"{self.url}: says nothing") from exc
        except (aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, OSError) as exc:
            raise LinkError(f"{self.url}: the connection ended") from exc
        except aiohttp.ClientError as exc:
            raise LinkError(f"{self.url}: {_line(str(exc))}") from exc

    async def _decoded(self, response: aiohttp.ClientResponse, kind: type[T]) -> T:
        if response.status != HTTPStatus.OK:
            raise LinkError(f"{self.url}: {await self._said(response)}")
        return self._read(await self._body(response), kind)

    async def _said(self, response: aiohttp.ClientResponse) -> str:
        """Return what an answer that is none says."""
        try:
            return _line(msgspec.json.decode(await self._body(response), type=Refused).error)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return _line(f"answers {response.status} {response.reason}, which no page of RCT Tools does")

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        body = b""
        async for data in response.content.iter_any():
            body += data
            if len(body) > _MOST:
                raise LinkError(f"{self.url}: an answer without an end")
        return body

    def _read(self, data: bytes, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(data, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
            raise LinkError(f"{self.url}: is no page of RCT Tools: {_line(str(exc))}") from exc


def _line(text: str) -> str:
    """Return the beginning of what a peer says."""
    return printable(text.partition("\n")[0])[:_LONGEST]


def _origin(url: str) -> str:
    """Return scheme, host and port. Raises ConfigError."""
    text = url if "://" in url else f"http://{url}"
    try:
        parts = urlsplit(text)
        known = parts.hostname and (parts.port or "://" in url) and parts.scheme in ("http", "https")
    except ValueError:
        known = None
    if not known or parts.username is not None or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ConfigError("that is no page; expected the address of one, such as http://127.0.0.1:9834")
    return f"{parts.scheme}://{parts.netloc}"
