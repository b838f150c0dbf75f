"""Readings in InfluxDB 1.x, 2.x and 3.x, and in VictoriaMetrics, by the line protocol. Needs the extra [influx]."""

from __future__ import annotations

import gzip
import logging
import math
import re
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Final

from rct_tools.errors import SinkError
from rct_tools.lineprotocol import PLACES, SCHEMAS, Place, Point, Row, times_in, to_line, to_points
from rct_tools.plan import Source
from rct_tools.reading import Reading
from rct_tools.sinks.answer import Answer, same_again
from rct_tools.sinks.influxserver import PASSWORD_VARIABLE, TOKEN_VARIABLE, Server, Settings, Target, target_of
from rct_tools.sinks.past import MILLISECOND, PAGE, SPAN, influx_times, influxql, victoria_questions, victoria_times

__all__ = ["PASSWORD_VARIABLE", "TOKEN_VARIABLE", "InfluxSink", "Settings", "Target", "open_sink"]

logger = logging.getLogger(__name__)

BATCH: Final = 5000  # points in a request: what InfluxDB recommends at most

_LOOK: Final = 15.0  # seconds after which VictoriaMetrics is asked whether it was started again
_UNSAVED: Final = 10.0  # seconds that it may keep what it has acknowledged in memory alone: twice what it says
_REASONS: Final = 100  # so many different reasons for leaving something out are told apart
_START: Final = re.compile(r"^vm_app_start_timestamp (\S+)$", re.MULTILINE)
_DROPPED: Final = re.compile(r"partial write: (.*) dropped=(\d+)", re.DOTALL)
_CONFLICT: Final = re.compile(r'input field "(.*?)" on measurement "(.*?)"')


def open_sink(settings: Settings, sources: Sequence[Source]) -> InfluxSink:
    """Return the sink for ``influx://…`` or ``influx2://…``, with an ``s`` behind it for TLS. Raises ConfigError."""
    is_pv = settings.schema == "pv"  # whose fields have the names that readings files give them
    names = {
        (source.inverter, name): (is_pv and expected.field) or expected.name
        for source in sources
        for name, expected in source.expects.items()
    }
    return InfluxSink(target_of(settings), settings.schema, names)


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
        self.left_out: Counter[str] = Counter()
        """Readings that the database cannot hold, or will not, by the reason."""
        self._target = target
        self._server = Server(target)
        self._to_rows = SCHEMAS[schema]
        self._to_place = PLACES[schema]
        self._names = names
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
        await self._server.close()

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
            answer = await self._server.request("GET", f"{target.prefix}/query", parameters)
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
            found.update(self._read(await self._server.request("GET", path, parameters), victoria_times))
        return {time for time in found if since - MILLISECOND < time < until}

    def _read(self, answer: Answer, times: Callable[[str], list[int]]) -> list[int]:
        try:
            if answer.is_good:
                return times(answer.text)
        except ValueError as exc:
            logger.debug("influx %s: %s", self._target.server, exc)
        raise self._server.error(answer, "what it has cannot be asked for: ", "does it allow reading, too?")

    async def _write_points(self, points: Sequence[Point]) -> None:
        target = self._target
        while points:
            lines = [to_line(point) for point in points]
            body = gzip.compress(("\n".join(lines) + "\n").encode(), 1, mtime=0)
            answer = await self._server.request("POST", target.prefix + target.path, target.parameters, body)
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
                raise self._server.error(answer)
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
        raise self._server.error(answer)

    async def _create_database(self) -> None:
        name = self._target.database.replace("\\", "\\\\").replace('"', '\\"')
        answer = await self._server.request("POST", f"{self._target.prefix}/query", {"q": f'CREATE DATABASE "{name}"'})
        if answer.status != HTTPStatus.OK or answer.error:
            raise self._server.error(answer, "the database does not exist, and cannot be made: ")
        logger.info("%s: made database %s", self._target.server, self._target.database)

    async def _look(self) -> None:
        """See what the server is, and whether it is still the one that was there before. Raises SinkError."""
        target, self._looked = self._target, self._clock()
        health = await self._server.request("GET", "/health")
        # VictoriaMetrics makes a 0 of any text. InfluxDB 3 says OK, too, but not who it is.
        self._holds_text = health.text != "OK" or "X-Server-Hostname" not in health.headers
        if self._holds_text:
            self._recent.clear()
            return
        match = _START.search((await self._server.request("GET", "/metrics")).text)
        started = match[1] if match else self._started
        if self._started in ("", started):
            while self._recent and self._recent[0][0] < self._looked - _UNSAVED:
                self._recent.popleft()
        else:
            # It acknowledges what it has in memory, and may have lost that; what it has not lost stays one.
            for _, body in tuple(self._recent):
                answer = await self._server.request("POST", target.prefix + target.path, target.parameters, body)
                if not answer.is_good:
                    raise self._server.error(answer)
            logger.info("influx %s: was started again; what it had taken last is sent once more", target.server)
        self._started = started

    def _leave_out(self, reason: str, count: int = 1) -> None:
        if reason not in self._said and len(self._said) >= _REASONS:
            reason = "other reasons"
        if reason not in self._said:
            logger.warning("influx %s: left out: %s", self._target.server, reason)
            self._said.add(reason)
        self._apart[reason] += count
