"""Readings in InfluxDB 1.x, by its line protocol.

Every reading is a field of measurement ``pv``, under the tag ``inverter``, at its own time. Needs the extra [influx].
"""

from __future__ import annotations

import base64
import gzip
import json
import logging
import math
import os
import re
import socket
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

from rct_tools.errors import ConfigError, SinkError
from rct_tools.objects import ObjectInfo
from rct_tools.plan import Source
from rct_tools.reading import Reading
from rct_tools.settings import Table
from rct_tools.values import DataType, Value

if TYPE_CHECKING:
    import aiohttp

logger = logging.getLogger(__name__)

MEASUREMENT: Final = "pv"
PASSWORD_VARIABLE: Final = "INFLUX_PASSWORD"  # noqa: S105  # its name, not the password
BATCH: Final = 5000  # lines in a request: what InfluxDB recommends at most

_TIMEOUT: Final = 10.0  # seconds, for a whole request
_FORM: Final = "influx://[USER@]HOST[:8086]/DATABASE"


class Settings(Table, frozen=True):
    """Readings in InfluxDB 1.x."""

    url: str


def open_sink(settings: Settings, sources: Sequence[Source]) -> InfluxSink:
    """Return the sink for ``influx://[USER@]HOST[:8086]/DATABASE``, or ``influxs://…`` for TLS. Raises ConfigError."""
    scheme = settings.url.partition(":")[0]
    try:
        url = urlsplit(settings.url)
        port = 8086 if url.port is None else url.port
    except ValueError as exc:
        raise ConfigError(f"{scheme}: {exc}; expected {_FORM}") from exc
    if url.password is not None:
        # What stands in arguments is seen by everyone who can list processes. So it is not repeated here either.
        raise ConfigError(f"{scheme}://{url.hostname}: the password belongs in {PASSWORD_VARIABLE}, not in the URL")
    database = url.path.strip("/")
    if not url.hostname or not port or not database or "/" in database or url.query or url.fragment:
        raise ConfigError(f"{settings.url!r}: expected {_FORM}")
    password = os.environ.get(PASSWORD_VARIABLE, "")
    if url.username and not password:
        raise ConfigError(f"{scheme}://{url.hostname}: user {url.username} needs a password in {PASSWORD_VARIABLE}")
    host = f"[{url.hostname}]" if ":" in url.hostname else url.hostname
    server = f"{'https' if scheme == 'influxs' else 'http'}://{host}:{port}"
    names = {name: e.field or e.name for source in sources for name, e in source.expects.items()}
    return InfluxSink(server, database, user=url.username or "", password=password, field_names=names)


class InfluxSink:
    """A database of InfluxDB 1.x; made when missing."""

    def __init__(
        self, server: str, database: str, *, user: str = "", password: str = "", field_names: Mapping[str, str]
    ) -> None:
        """``server`` is ``http://host:port``; nothing is sent yet. Raises ConfigError when the extra is missing."""
        try:
            import aiohttp
        except ImportError as exc:
            raise ConfigError("InfluxDB needs more than the core: pip install 'rct-tools[influx]'") from exc
        self._server = server
        self._database = database
        self._user = user
        self._password = password
        self._field_names = field_names
        self._aiohttp = aiohttp
        self._session: aiohttp.ClientSession | None = None
        self.left_out: Counter[str] = Counter()
        """Readings that InfluxDB cannot hold, by the reason."""

    async def write(self, readings: Sequence[Reading]) -> None:
        """Store the readings; what InfluxDB cannot hold is left out, counted, and said once. Raises SinkError."""
        rows = []
        for reading in readings:
            if row := _row(reading, self._field_names):
                rows.append(row)
            else:
                self._leave_out(f"{reading.object.name} is no finite number, text or flag")
        for begin in range(0, len(rows), BATCH):
            await self._write_rows(rows[begin : begin + BATCH])

    async def close(self) -> None:
        """Close the connection."""
        if self._session is not None:
            await self._session.close()

    async def _write_rows(self, rows: Sequence[_Row]) -> None:
        while rows:
            status, error = await self._post("/write", {"db": self._database, "precision": "ns"}, _lines(rows))
            if status == HTTPStatus.NOT_FOUND and "database not found" in error:
                await self._create_database()
            elif status == HTTPStatus.BAD_REQUEST and (conflict := re.search(r'input field "(.*?)" on meas', error)):
                # InfluxDB drops whole points for one wrong field, so the others of those points are sent again.
                name = conflict[1]
                others = [row for row in rows if row.field != name]
                if len(others) == len(rows):
                    raise self._error(status, error)
                self._leave_out(f"{name} has another type in the database", len(rows) - len(others))
                rows = others
            elif status == HTTPStatus.BAD_REQUEST and (
                dropped := re.search(r"partial write: (.*) dropped=(\d+)", error)
            ):
                self._leave_out(dropped[1], int(dropped[2]))
                return
            elif status >= HTTPStatus.BAD_REQUEST:
                raise self._error(status, error)
            else:
                return

    async def _create_database(self) -> None:
        name = self._database.replace("\\", "\\\\").replace('"', '\\"')
        status, error = await self._post("/query", {"q": f'CREATE DATABASE "{name}"'})
        if status != HTTPStatus.OK or error:
            raise self._error(status, f"the database does not exist, and cannot be made: {error}")
        logger.info("%s: made database %s", self._server, self._database)

    async def _post(self, path: str, parameters: Mapping[str, str], body: str = "") -> tuple[int, str]:
        """Return the status and the server's error, "" for none. Raises SinkError when there is no answer."""
        aiohttp = self._aiohttp
        if self._session is None:
            login = base64.b64encode(f"{self._user}:{self._password}".encode()).decode()
            self._session = aiohttp.ClientSession(
                headers={"Authorization": f"Basic {login}"} if self._user else None,
                timeout=aiohttp.ClientTimeout(total=_TIMEOUT),
                # An idle connection that the server has closed would look like trouble, every few seconds.
                connector=aiohttp.TCPConnector(force_close=True),
            )
        try:
            async with self._session.post(
                self._server + path,
                params=parameters,
                data=gzip.compress(body.encode(), 6, mtime=0) if body else None,
                headers={"Content-Encoding": "gzip"} if body else None,
            ) as response:
                return response.status, _server_error(await response.text(errors="replace"))
        except TimeoutError as exc:
            raise SinkError(f"influx {self._server}: no answer in {_TIMEOUT:.0f} s") from exc
        except aiohttp.ClientError as exc:
            raise SinkError(f"influx {self._server}: {_why(exc)}") from exc

    def _error(self, status: int, error: str) -> SinkError:
        user = f"user {self._user}" if self._user else "no user"
        match status:
            case HTTPStatus.UNAUTHORIZED:
                hint = f" ({user}; the password is taken from {PASSWORD_VARIABLE})"
            case HTTPStatus.FORBIDDEN:
                hint = f" ({user}; it needs the right to write to {self._database})"
            case _:
                hint = ""
        # What is wrong with the readings stays wrong; what is wrong with the server may be put right.
        permanent = status in (HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return SinkError(f"influx {self._server}: {status} {error}{hint}", permanent=permanent)

    def _leave_out(self, reason: str, count: int = 1) -> None:
        if reason not in self.left_out:
            logger.warning("influx %s: left out: %s", self._server, reason)
        self.left_out[reason] += count


# --- line protocol --------------------------------------------------------------------------------------------------


class _Row(NamedTuple):
    """One field, ready but for being put into a point with those of the same inverter and time."""

    inverter: str
    time: int
    field: str
    text: str  # key=value, escaped


def _row(reading: Reading, field_names: Mapping[str, str]) -> _Row | None:
    value = _field_value(reading.object, reading.value)
    if value is None:
        return None
    name = field_names.get(reading.object.name, reading.object.name)
    return _Row(reading.inverter, reading.time, name, f"{_escape(name)}={value}")


def _field_value(info: ObjectInfo, value: Value) -> str | None:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float() if info.data_type is DataType.FLOAT or isinstance(value, float):
            # A field keeps the type of its first value for ever, so a FLOAT must never be written as an integer.
            return repr(float(value)) if math.isfinite(value) else None
        case int():
            return f"{value}i"
        case str():
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        case _:
            return None


def _lines(rows: Iterable[_Row]) -> str:
    points: dict[tuple[str, int], dict[str, str]] = {}
    for row in rows:
        points.setdefault((row.inverter, row.time), {})[row.field] = row.text
    return "".join(
        f"{MEASUREMENT}{_tag(inverter)} {','.join(fields.values())} {time}\n"
        for (inverter, time), fields in points.items()
    )


def _tag(inverter: str) -> str:
    value = _escape(inverter)
    return f",inverter={value}" if value else ""  # an empty tag is an error


def _escape(name: str) -> str:
    """Return a tag value or a field key with what would end it escaped."""
    # Nothing can stand for a line end, nor for a backslash at the end or before one of these.
    return re.sub(r"\\*([,= ]|$)", lambda end: end[1] and f"\\{end[1]}", " ".join(name.splitlines()))


def _server_error(text: str) -> str:
    try:
        answer = json.loads(text or "{}")
        results = answer.get("results") or [{}]
        return str(answer.get("error") or results[0].get("error") or "")
    except (ValueError, AttributeError):
        return text.strip()[:200]


def _why(exc: Exception) -> str:
    cause = getattr(exc, "os_error", exc)
    if isinstance(cause, socket.gaierror):
        return "unknown host"
    if isinstance(cause, OSError) and cause.errno and cause.errno > 0:
        return os.strerror(cause.errno).lower()  # asyncio's own text repeats the address
    return str(cause) or type(cause).__name__
