"""A server of InfluxDB or VictoriaMetrics: what a configuration says of it, and a request. Needs the extra [influx]."""

from __future__ import annotations

import base64
import os
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Final, Literal
from urllib.parse import SplitResult, parse_qsl, urlsplit

from msgspec import Meta

from rct_tools.errors import ConfigError, SinkError
from rct_tools.settings import Secret, Table, Tls
from rct_tools.sinks.answer import Answer

if TYPE_CHECKING:
    import aiohttp

PASSWORD_VARIABLE: Final = "INFLUX_PASSWORD"  # noqa: S105  # its name, not the password
TOKEN_VARIABLE: Final = "INFLUX_TOKEN"  # noqa: S105  # its name, not the token

_TIMEOUT: Final = 10.0  # seconds, for a whole request
_PORT: Final = 8086
_FORM: Final = "influx://[USER@]HOST[:8086]/DATABASE"
_FORM_2: Final = "influx2://HOST[:8086]/BUCKET?org=ORG"


class Settings(Table, frozen=True):
    """Readings in InfluxDB 1.x, 2.x or 3.x, or in VictoriaMetrics."""

    url: Annotated[str, Meta(description=f"`{_FORM}` for 1.x and VictoriaMetrics, `{_FORM_2}`; `influxs`, `influx2s`")]
    schema: Annotated[
        Literal["pv", "groups"],
        Meta(description="`pv`: one measurement with a field for each name; `groups`: one for each group of objects"),
    ] = "pv"
    password: Annotated[Secret, Meta(description="of the user in the URL")] = Secret(env=PASSWORD_VARIABLE)
    token: Annotated[Secret, Meta(description="for InfluxDB 2.x and 3.x")] = Secret(env=TOKEN_VARIABLE)
    tls: Annotated[Tls, Meta(description="whom to trust, for `influxs` and `influx2s`")] = Tls()


@dataclass(frozen=True, slots=True)
class Target:
    """Where lines go, and what is to be said when they are not taken."""

    server: str  # http://host:port
    prefix: str  # what stands before all paths: "" or "/insert/0/influx"
    path: str  # where lines are posted, behind the prefix
    parameters: Mapping[str, str]
    hints: Mapping[int, str]  # by status: what may be wrong
    database: str = ""  # made when missing; "" for none
    login: str = field(default="", repr=False)  # the header; "" for none
    tls: ssl.SSLContext | None = None


def target_of(settings: Settings) -> Target:
    """Return what the settings come to. Raises ConfigError."""
    scheme = settings.url.partition(":")[0]
    is_2, is_secure = scheme.startswith("influx2"), scheme.endswith("s")
    form = _FORM_2 if is_2 else _FORM
    try:
        url = urlsplit(settings.url)
        port = _PORT if url.port is None else url.port
    except ValueError as exc:
        raise ConfigError(f"{scheme}: {exc}; expected {form}") from exc
    prefix, _, database = url.path.rstrip("/").rpartition("/")
    query = dict(parse_qsl(url.query, keep_blank_values=True))
    known = {"org"} if is_2 else set()
    if not url.hostname or not port or not database or query.keys() - known or url.fragment or (is_2 and url.username):
        raise ConfigError(f"{settings.url.partition('?')[0]!r}: expected {form}")  # a token may stand behind it
    if settings.tls != Tls() and not is_secure:
        raise ConfigError(f"{scheme}://{url.hostname}: the key tls is for {scheme}s://")
    host = f"[{url.hostname}]" if ":" in url.hostname else url.hostname
    server = f"{'https' if is_secure else 'http'}://{host}:{port}"
    tls = settings.tls.context() if is_secure else None
    if is_2:
        return Target(
            server, prefix, "/api/v2/write", {"bucket": database, "precision": "ns", **query},
            {
                401: f"is the token right? It is taken from the key token, or {TOKEN_VARIABLE}",
                403: f"the token needs the right to write to {database}",
                404: "does the bucket exist, is org right, and is this InfluxDB 2.x or 3.x?",
            },
            login=_token(settings), tls=tls,
        )  # fmt: skip
    user = f"user {url.username}" if url.username else "no user"
    return Target(
        server, prefix, "/write", {"db": database, "precision": "ns"},
        {
            401: f"{user}; the password is taken from the key password, or {PASSWORD_VARIABLE}",
            403: f"{user}; it needs the right to write to {database}",
        },
        database=database, login=_password(settings, url), tls=tls,
    )  # fmt: skip


def _password(settings: Settings, url: SplitResult) -> str:
    """Return the header for the user in a URL. Raises ConfigError without a password."""
    if not url.username:
        return ""
    try:
        password = settings.password.reveal()
    except ConfigError as exc:
        raise ConfigError(f"{url.scheme}://{url.hostname}: password of user {url.username}: {exc}") from exc
    return "Basic " + base64.b64encode(f"{url.username}:{password}".encode()).decode()


def _token(settings: Settings) -> str:
    """Return the header; "" when nobody speaks of a token: not every server wants one. Raises ConfigError."""
    is_default = settings.token == Secret(env=TOKEN_VARIABLE)
    token = os.environ.get(TOKEN_VARIABLE, "") if is_default else settings.token.reveal()
    return f"Token {token}" if token else ""


class Server:
    """Where a target is. It is connected to for each request anew."""

    def __init__(self, target: Target) -> None:
        """Nothing is sent yet. Raises ConfigError when the extra is missing."""
        try:
            import aiohttp
        except ImportError as exc:
            raise ConfigError("InfluxDB needs more than the core: pip install 'rct-tools[influx]'") from exc
        self._target = target
        self._aiohttp = aiohttp
        self._session: aiohttp.ClientSession | None = None

    async def request(
        self, method: str, path: str, parameters: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Answer:
        """Return what the server answers. Raises SinkError when it does not."""
        aiohttp, target = self._aiohttp, self._target
        if self._session is None:
            self._session = aiohttp.ClientSession(
                headers={"Authorization": target.login} if target.login else None,
                timeout=aiohttp.ClientTimeout(total=_TIMEOUT),
                # An idle connection that the server has closed would look like trouble, every few seconds.
                connector=aiohttp.TCPConnector(force_close=True, ssl=target.tls or True),
            )
        try:
            async with self._session.request(
                method,
                target.server + path,
                params=parameters,
                data=body,
                headers={"Content-Encoding": "gzip"} if body else None,
                allow_redirects=False,
            ) as response:
                return Answer(response.status, response.headers, await response.text(errors="replace"))
        except TimeoutError as exc:
            raise SinkError(f"influx {target.server}: no answer in {_TIMEOUT:.0f} s") from exc
        except (aiohttp.ClientError, UnicodeError) as exc:  # UnicodeError: of a name that no host can have
            raise SinkError(f"influx {target.server}: {_why(exc)}") from exc

    def error(self, answer: Answer, what: str = "", hint: str = "") -> SinkError:
        """Return what is to be said of an answer that is not good, with what may be wrong in brackets."""
        hint = hint or self._target.hints.get(answer.status, "")
        text = f"influx {self._target.server}: {answer.status} {what}{answer.error}{f' ({hint})' if hint else ''}"
        # What is wrong with the readings stays wrong; what is wrong with the server may be put right.
        permanent = answer.status in (400, 413, 422)
        return SinkError(" ".join(text.split()), permanent=permanent, retry_after=answer.retry_after)

    async def close(self) -> None:
        """End what is under way."""
        if self._session is not None:
            await self._session.close()


def _why(exc: Exception) -> str:
    cause = getattr(exc, "certificate_error", None) or getattr(exc, "os_error", None) or exc
    match cause:
        case ssl.SSLCertVerificationError():
            why = cause.verify_message or str(cause)
            return f"its certificate is not to be trusted: {why}; the key tls.ca names those that are"
        case ssl.SSLError():
            return f"TLS fails: {cause.reason or cause}; does this port speak it?"
        case socket.gaierror() | UnicodeError():
            return "unknown host"
        case OSError() if cause.errno and cause.errno > 0:
            return os.strerror(cause.errno).lower()  # asyncio's own text repeats the address
    return str(cause) or type(cause).__name__
