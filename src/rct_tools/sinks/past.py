"""What InfluxDB and VictoriaMetrics are asked about what they have, and what they answer. No I/O."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Final

from rct_tools.lineprotocol import Place
from rct_tools.times import SECOND

PAGE: Final = 10_000
"""Rows in an answer: as many as any InfluxDB gives by default."""

SPAN: Final = 7 * 86_400 * SECOND
"""What a database is asked about at once: a week is some 600,000 times, of one object each second."""

MILLISECOND: Final = SECOND // 1000
"""VictoriaMetrics keeps nothing shorter."""

_FIRST, _LAST = -(2**63) + 2, 2**63 - 2  # ns: what InfluxDB knows


def influxql(place: Place, since: int, until: int, step: int) -> str:
    """Return the question for the times of a place from ``since`` until before ``until``: a page of them, in order.

    By steps of more than a second, only that there is something in a step is asked for: the rest is a lot.
    """
    field = _name(place.field) if place.field else "*"
    tags = "".join(f"{_name(key)} = {_text(value)} AND " for key, value in place.tags.items())
    what, group = (f"count({field})", f" GROUP BY time({step}ns) fill(none)") if step > SECOND else (field, "")
    return (
        f"SELECT {what} FROM {_name(place.measurement)} WHERE {tags}"  # noqa: S608  # quoted
        f"time >= {max(since, _FIRST)} AND time < {min(until, _LAST)}{group} LIMIT {PAGE}"
    )


def influx_times(text: str) -> list[int]:
    """Return the times in an answer to ``influxql``, in order. Raises ValueError for what is no such answer."""
    try:
        (result,) = json.loads(text)["results"]
        if "error" in result:
            raise ValueError(result["error"])
        return sorted(int(row[0]) for series in result.get("series", ()) for row in series["values"])
    except (LookupError, TypeError, AttributeError) as exc:
        raise ValueError(f"not an answer to a query: {text[:100]}") from exc


def victoria_questions(place: Place, database: str, since: int, until: int) -> Iterator[Mapping[str, str]]:
    """Yield the parameters of ``/api/v1/export/csv`` for the times of a place, of one span after the other.

    They are whole milliseconds, and the first may be a little before ``since``.
    """
    whole, any_field = f"{place.measurement}_{place.field}", f"{re.escape(place.measurement)}_.*"
    name = f"={_label(whole)}" if place.field else f"=~{_label(any_field)}"
    labels = [f"__name__{name}", *(f"{key}={_label(value)}" for key, value in place.tags.items())]
    if database:
        labels.append(f"db={_label(database)}")
    while since < until:
        end = min(since + SPAN, until)
        yield {
            "format": "__timestamp__:unix_ms",
            "match[]": "{" + ",".join(labels) + "}",
            "start": _seconds(since),
            "end": _seconds(end),
        }
        since = end


def victoria_times(text: str) -> list[int]:
    """Return the times in an answer to one of ``victoria_questions``. Raises ValueError for what is no such answer."""
    return [int(line) * MILLISECOND for line in text.split()]


def _seconds(time: int) -> str:
    milliseconds = max(time, 0) // MILLISECOND
    return f"{milliseconds // 1000}.{milliseconds % 1000:03}"


def _name(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _text(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _label(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
