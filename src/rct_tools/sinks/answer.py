"""What InfluxDB, of any version, and VictoriaMetrics say to a request."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

_UNPARSED: Final = re.compile(r"unable to parse '(.*)': (.*)")


class Answer:
    """What a server says to a request."""

    def __init__(self, status: int, headers: Mapping[str, str], text: str) -> None:
        self.status = status
        self.headers = headers
        self.text = text
        self.error, self._details = _read_error(text)

    @property
    def is_good(self) -> bool:
        """Whether it did what it was asked to; a redirect is none of that."""
        return self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def retry_after(self) -> float | None:
        """In how many seconds it wants to be asked again, None when it does not say."""
        seconds = self.headers.get("Retry-After", "")
        return float(seconds) if re.fullmatch("[0-9]{1,6}", seconds) else None

    def refused_lines(self, lines: Sequence[str]) -> Mapping[int, str]:
        """Return why it refused some lines, by their place in the request, as far as it tells which."""
        numbers = {line: number for number, line in enumerate(lines)}
        named = {numbers[line]: why for line, why in _UNPARSED.findall(self.error) if line in numbers}
        listed = {
            number - 1: why
            for item in self._details
            if isinstance(item, dict)
            and isinstance(number := item.get("line_number"), int)
            and isinstance(why := item.get("error_message"), str)
            and 0 < number <= len(lines)
        }
        return named | listed


def same_again(reason: str) -> str:
    """Return a reason without what would make a new one of it each time: numbers, times, and examples behind a dash."""
    return re.sub(r"\b\d[\w.:+-]*", "…", re.sub(r" - .*| dropped=.*", "", reason, flags=re.DOTALL))


def _read_error(text: str) -> tuple[str, Sequence[Any]]:
    """Return what is wrong by the body of an answer, "" for nothing, and what it says of single lines."""
    try:
        answer = json.loads(text or "{}")
        results = answer.get("results") or [{}]
        error = answer.get("error") or answer.get("message") or results[0].get("error") or ""
        details = answer.get("data") or []
    except (ValueError, AttributeError, LookupError, TypeError):
        return text.strip()[:200], ()
    return str(error), details if isinstance(details, list) else [details]
