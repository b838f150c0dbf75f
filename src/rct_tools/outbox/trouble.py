"""What is said of a sink that takes nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from rct_tools.errors import SinkError

logger = logging.getLogger(__name__)

_TEXTS: Final = 8  # different errors of one trouble that are said: some servers put a new number into each


class Trouble:
    """Trouble of one sink: its beginning, its reasons and its end are each said once."""

    def __init__(self, label: str, clock: Callable[[], int]) -> None:
        self.text = ""
        self.since: int | None = None
        self._label = label
        self._clock = clock
        self._said: set[str] = set()
        self._dropped = 0
        self._only_backlog = False

    def begin(self, exc: SinkError, backlog: bool) -> None:
        """Say what is wrong; ``backlog`` is whether only readings that had waited were not taken."""
        self._only_backlog = backlog and (self._only_backlog or not self.text)
        if not self.text:
            self.since = self._clock()
            logger.warning("%s; keeping readings, will retry", self._named(exc))
        elif str(exc) not in self._said and len(self._said) < _TEXTS:
            logger.warning("%s; still keeping readings", self._named(exc))
        self.text = str(exc)
        if len(self._said) < _TEXTS:
            self._said.add(self.text)

    def _named(self, exc: SinkError) -> str:
        """Return an error with the name of the sink it is about, which two on one server do not share."""
        return str(exc) if str(exc).startswith(self._label) else f"{self._label}: {exc}"

    def say_dropped(self, count: int, why: str) -> None:
        """Say that readings are dropped."""
        if not self._dropped:
            logger.warning("%s: %s, the oldest are dropped now", self._label, why)
        self._dropped += count

    def end(self, kept: int, is_all: bool, backlog: bool) -> bool:
        """Say that readings were taken, ``is_all`` when none are left; tell whether that ended the trouble."""
        ended = bool(self.text) and (backlog or not self._only_backlog)
        if ended:
            dropped = f", {self._dropped} were dropped" if self._dropped else ""
            logger.warning("%s: works again; %d readings had been kept%s", self._label, kept, dropped)
            self.text, self.since = "", None
            self._said.clear()
        if ended or (is_all and not self.text):
            self._dropped = 0
        return ended
