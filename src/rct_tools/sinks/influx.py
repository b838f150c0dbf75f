"""Readings in InfluxDB 1.x, 2.x and 3.x, and in VictoriaMetrics, by the line protocol. Needs the extra [influx]."""

from __future__ import annotations

import base64
import gzip
import logging
import math
import os
import re
import socket
import ssl
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Final, Literal
from urllib.parse import SplitResult, parse_qsl, urlsplit

from msgspec import Meta

from rct_tools.errors import ConfigError, SinkError
from rct_tools.lineprotocol import PLACES, SCHEMAS, Place, Point, Row, times_in, to_line, to_points
from rct_tools.plan import Source
from rct_tools.reading import Reading
from rct_tools.settings import Secret, Table, Tls
from rct_tools.sinks.answer import Answer, same_again
from rct_tools.sinks.past import MILLISECOND, PAGE, SPAN, influx_times, influxql, victoria_questions, victoria_times

if TYPE_CHECKING:
    import aiohttp

logger = logging.getLogger(__name__)

PASSWORD_VARIABLE: Final = "INFLUX_PASSWORD"  # noqa: S105  # its name, not the password
TOKEN_VARIABLE: Final = "INFLUX_TOKEN"  # noqa: S105  # its name, not the token
BATCH: Final = 5000  # points in a request: what InfluxDB recommends at most

_TIMEOUT: Final = 10.0  # seconds, for a whole request
_PORT: Final = 8086
_FORM: Final = "influx://[USER@]HOST[:8086]/DATABASE"
_FORM_2: Final = "influx2://HOST[:8086]/BUCKET?org=ORG"
_LOOK: Final = 15.0  # seconds after which VictoriaMetrics is asked whether it was started again
_UNSAVED: Final = 10.0  # seconds that it may keep what it has acknowledged in memory alone: twice what it says
_REASONS: Final = 100  # so many different reasons for leaving something out are told apart
_START: Final = re.compile(r"^vm_app_start_timestamp (\S+)$", re.MULTILINE)
_DROPPED: Final = re.compile(r"partial write: (.*) dropped=(\d+)", re.DOTALL)
_CONFLICT: Final = re.compile(r'input field "(.*?)" on measurement "(.*?)"')


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


def open_sink(settings: Settings, sources: Sequence[Source]) -> InfluxSink:
    """Return the sink for ``influx://…`` or ``influx2://…``, with an ``s`` behind it for TLS. Raises ConfigError."""
    is_pv = settings.schema == "pv"  # whose fields have the names that readings files give them
    names = {
        (source.inverter, name): (is_pv and expected.field) or expected.name
        for source in sources
        for name, expected in source.expects.items()
    }
    return InfluxSink(_target(settings), settings.schema, names)


def _target(settings: Settings) -> Target:
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


class InfluxSink:
    """A database of InfluxDB, which is made when missing if it is of 1.x; or VictoriaMetrics."""

    def __init__(
        self,
        target: Target,
        schema: str,
        names: Mapping[tuple[str, str], str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is sent yet; ``names`` are those of fields, by inverter and object. Raises ConfigError."""
        try:
            import aiohttp
        except ImportError as exc:
            raise ConfigError("InfluxDB needs more than the core: pip install 'rct-tools[influx]'") from exc
        self.left_out: Counter[str] = Counter()
        """Readings that the database cannot hold, or will not, by the reason."""
        self._target = target
        self._to_rows = SCHEMAS[schema]
        self._to_place = PLACES[schema]
        self._names = names
        self._aiohttp = aiohttp
        self._session: aiohttp.ClientSession | None = None
        self._clock = clock
        self._apart: Counter[str] = Counter()  # what the present write leaves out
        self._said: set[str] = set()  # reasons
        self._holds_text: bool | None = None  # None for not known
        # Of VictoriaMetrics only:
        self._started = ""  # when it was, as it says
        self._looked = -math.inf  # when it was asked
        self._recent: deque[tuple[float, bytes]] = deque()  # what it has taken and may not have on its disk

    async def write(self, readings: Sequence[Reading]) -> None:
        """Store the readings; what the database cannot hold is left out, counted, and said once. Raises SinkError."""
        if not readings:
            return
        self._apart = Counter()
        try:
            if self._holds_text is None or (not self._holds_text and self._clock() - self._looked >= _LOOK):
                await self._look()
            points = to_points(self._rows(readings))
            for begin in range(0, len(points), BATCH):
                await self._write_points(points[begin : begin + BATCH])
        except SinkError:
            self._holds_text = None  # what comes back may be another server
            raise
        self.left_out += self._apart

    async def times(
        self, inverter: str, names: Collection[str], since: int, until: int, step: int = 1
    ) -> dict[str, set[int]]:
        """Return when there are readings of objects, as for every Store; VictoriaMetrics keeps milliseconds.

        Raises SinkError.
        """
        places = {name: self._to_place(inverter, name, self._field_name(inverter, name)) for name in names}
        try:
            if self._holds_text is None:
                await self._look()
            ask = self._times_of_influx if self._holds_text else self._times_of_victoria
            return {
                name: {time - time % step for time in await ask(place, since, until, step)}
                for name, place in places.items()
            }
        except SinkError:
            self._holds_text = None  # what comes back may be another server
            raise

    @property
    def precision(self) -> int:
        """As that of every Store."""
        return 1 if self._holds_text else MILLISECOND

    async def close(self) -> None:
        """Close the connection."""
        if self._session is not None:
            await self._session.close()

    def _rows(self, readings: Sequence[Reading]) -> Iterator[Row]:
        """Yield the fields that the database can hold."""
        for reading in readings:
            name = reading.object.name
            rows = self._to_rows(reading, self._field_name(reading.inverter, name))
            if not rows:
                self._leave_out(f"{name} is nothing that a field can hold")
            for row in rows:
                if row.is_text and not self._holds_text:
                    self._leave_out(f"{name} is text, and VictoriaMetrics holds numbers only")
                else:
                    yield row

    def _field_name(self, inverter: str, name: str) -> str:
        plant = inverter.rpartition("/")[0]  # whose member it may be
        return self._names.get((inverter, name)) or self._names.get((plant, name), name)

    async def _times_of_influx(self, place: Place, since: int, until: int, step: int) -> set[int]:
        target = self._target
        found: set[int] = set()
        database = target.parameters.get("db") or target.parameters["bucket"]  # which 2.x and 3.x take for a database
        while since < until:
            end = min(since + SPAN - SPAN % step, until)
            parameters = {"db": database, "epoch": "ns", "q": influxql(place, since, end, step)}
            answer = await self._request("GET", f"{target.prefix}/query", parameters)
            if target.database and "database not found" in answer.error:
                break  # nothing was written yet
            page = self._read(answer, influx_times)
            found.update(page)
            since = end if len(page) < PAGE else page[-1] - page[-1] % step + step
        return found

    async def _times_of_victoria(self, place: Place, since: int, until: int, _: int) -> set[int]:
        target = self._target
        path = f"{target.prefix.removesuffix('/influx')}/api/v1/export/csv"
        # What it was given last may not be found yet.
        recent = [gzip.decompress(body).decode() for _, body in self._recent]
        found = {time - time % MILLISECOND for lines in recent for time in times_in(lines.splitlines(), place)}
        for parameters in victoria_questions(place, target.parameters.get("db", ""), since, until):
            found.update(self._read(await self._request("GET", path, parameters), victoria_times))
        return {time for time in found if since - MILLISECOND < time < until}

    def _read(self, answer: Answer, times: Callable[[str], list[int]]) -> list[int]:
        try:
            if answer.is_good:
                return times(answer.text)
        except ValueError as exc:
            logger.debug("influx %s: %s", self._target.server, exc)
        raise self._error(answer, "what it has cannot be asked for: ", "does it allow reading, too?")

    async def _write_points(self, points: Sequence[Point]) -> None:
        target = self._target
        while points:
            lines = [to_line(point) for point in points]
            body = gzip.compress(("\n".join(lines) + "\n").encode(), 1, mtime=0)
            answer = await self._request("POST", target.prefix + target.path, target.parameters, body)
            if answer.is_good:
                if not self._holds_text:
                    self._recent.append((self._clock(), body))
                return
            if target.database and answer.status == HTTPStatus.NOT_FOUND and "database not found" in answer.error:
                await self._create_database()
            else:
                points = self._set_apart(points, lines, answer)

    def _set_apart(self, points: Sequence[Point], lines: Sequence[str], answer: Answer) -> Sequence[Point]:
        """Leave out what the database refuses; return what is to be sent once more. Raises SinkError for other trouble.

        A database may refuse a point, or all points of a request, for the sake of one field. So the other fields are
        sent again; those that it has taken already are the same points, and stay one.
        """
        if conflict := _CONFLICT.search(answer.error):
            key, measurement = conflict.groups()
            others: list[Point] = []
            for point in points:
                others.append([row for row in point if row.field != key or not row.is_of(measurement)])
                for row in set(point).difference(others[-1]):
                    self._leave_out(f"{row.object}: field {key} of {measurement} has another type in the database")
            if sum(map(len, others)) == sum(map(len, points)):
                raise self._error(answer)
            return [point for point in others if point]
        if refused := answer.refused_lines(lines):
            rest: list[Point] = []
            for number, point in enumerate(points):
                if number not in refused:
                    rest.append(point)
                elif len(point) == 1:
                    self._leave_out(f"{point[0].object}: {same_again(refused[number])}")
                else:
                    rest += [[row] for row in point]  # one by one, so that the wrong one is found
            return rest
        if dropped := _DROPPED.search(answer.error):
            self._leave_out(same_again(dropped[1]), int(dropped[2]))
            return []
        raise self._error(answer)

    async def _create_database(self) -> None:
        name = self._target.database.replace("\\", "\\\\").replace('"', '\\"')
        answer = await self._request("POST", f"{self._target.prefix}/query", {"q": f'CREATE DATABASE "{name}"'})
        if answer.status != HTTPStatus.OK or answer.error:
            raise self._error(answer, "the database does not exist, and cannot be made: ")
        logger.info("%s: made database %s", self._target.server, self._target.database)

    async def _look(self) -> None:
        """See what the server is, and whether it is still the one that was there before. Raises SinkError."""
        target, self._looked = self._target, self._clock()
        health = await self._request("GET", "/health")
        # VictoriaMetrics makes a 0 of any text. InfluxDB 3 says OK, too, but not who it is.
        self._holds_text = health.text != "OK" or "X-Server-Hostname" not in health.headers
        if self._holds_text:
            self._recent.clear()
            return
        match = _START.search((await self._request("GET", "/metrics")).text)
        started = match[1] if match else self._started
        if self._started in ("", started):
            while self._recent and self._recent[0][0] < self._looked - _UNSAVED:
                self._recent.popleft()
        else:
            # It acknowledges what it has in memory, and may have lost that; what it has not lost stays one.
            for _, body in tuple(self._recent):
                answer = await self._request("POST", target.prefix + target.path, target.parameters, body)
                if not answer.is_good:
                    raise self._error(answer)
            logger.info("influx %s: was started again; what it had taken last is sent once more", target.server)
        self._started = started

    async def _request(
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

    def _error(self, answer: Answer, what: str = "", hint: str = "") -> SinkError:
        hint = hint or self._target.hints.get(answer.status, "")
        text = f"influx {self._target.server}: {answer.status} {what}{answer.error}{f' ({hint})' if hint else ''}"
        # What is wrong with the readings stays wrong; what is wrong with the server may be put right.
        permanent = answer.status in (400, 413, 422)
        return SinkError(" ".join(text.split()), permanent=permanent, retry_after=answer.retry_after)

    def _leave_out(self, reason: str, count: int = 1) -> None:
        if reason not in self._said and len(self._said) >= _REASONS:
            reason = "other reasons"
        if reason not in self._said:
            logger.warning("influx %s: left out: %s", self._target.server, reason)
            self._said.add(reason)
        self._apart[reason] += count


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
