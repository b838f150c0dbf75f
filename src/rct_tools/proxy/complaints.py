"""What clients do wrong is said, but not more than once a minute for each: a bad client must not fill the log."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from rct_tools.recent import Recent

logger = logging.getLogger(__name__)

PAUSE: Final = 60.0  # seconds
_MOST: Final = 1024


@dataclass(slots=True)
class _Said:
    at: float
    more: int = 0


class Complaints:
    """Says the first of a kind at once, and how many more there were with the next one after a while."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """``clock`` gives seconds that never go back."""
        self._clock = clock
        self._said: Recent[tuple[str, str], _Said] = Recent(_MOST)

    def say(self, peer: str, kind: str, text: str) -> None:
        """Say ``text`` of a peer, ``HOST:PORT``, unless that host has had such a complaint just now."""
        key = peer.rpartition(":")[0], kind
        now = self._clock()
        said = self._said.get(key)
        if said is not None and now - said.at < PAUSE:
            said.more += 1
            logger.debug("%s: %s", peer, text)
            return
        more = f" (and {said.more} times more since)" if said is not None and said.more else ""
        logger.warning("%s: %s%s", peer, text, more)
        self._said.put(key, _Said(now))
