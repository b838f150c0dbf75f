"""Both sides of a proxy in one capture: every connection, to the inverter and to clients, has a number of its own."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from itertools import count
from pathlib import Path

from rct_tools.capture import Chunk, Direction, find_format
from rct_tools.errors import CaptureError, RctError
from rct_tools.recording import Recording, Rotation

logger = logging.getLogger(__name__)


class Tap:
    """Keeps what crosses the proxy, if there is a file for it; a file that fails ends the capture, not the proxy."""

    def __init__(self, name: str = "", *, clock: Callable[[], int] = time.time_ns) -> None:
        """``name`` of a file; none is kept without. One that is there stays, and the new one has its time in its name.

        Raises OSError, CaptureError.
        """
        self._numbers = count()
        self._upstream: tuple[int, int] = (-1, -1)  # what the link calls its connection, and we
        self._clock = clock
        self._stack = ExitStack()
        self._recording: Recording | None = None
        if name:
            if find_format(name) is find_format(".bin"):
                raise CaptureError(f"{name}: raw bytes do not tell one client from another; choose .rctcap or .pcapng")
            self._recording = self._stack.enter_context(
                Recording(name, rotation=Rotation() if Path(name).exists() else None)
            )
            self._recording.open()

    def upstream(self, chunk: Chunk) -> None:
        """Keep what crossed the connection to the inverter."""
        if chunk.connection != self._upstream[0]:
            self._upstream = chunk.connection, next(self._numbers)
        self._keep(replace(chunk, connection=self._upstream[1]))

    def number(self) -> int:
        """Return the number of the next connection of a client."""
        return next(self._numbers)

    def client(self, number: int, direction: Direction, data: bytes) -> None:
        """Keep what crossed the connection of a client: SENT is what it asks, RECEIVED what it is answered."""
        if self._recording is not None:
            self._keep(Chunk(self._clock(), direction, data, number))

    def _keep(self, chunk: Chunk) -> None:
        if self._recording is None:
            return
        try:
            self._recording.write(chunk)
        except (OSError, CaptureError) as exc:
            reason = exc if isinstance(exc, CaptureError) else f"{self._recording.name}: {_text(exc)}"
            logger.error("%s; the capture ends here", reason)
            self.close()

    def close(self) -> None:
        """End the capture. Can be called more than once."""
        self._recording = None
        self._stack.close()


def open_tap(name: str) -> Tap:
    """Return a tap into a file, or into none without a name. Raises RctError, when the file cannot be had."""
    try:
        return Tap(name)
    except OSError as exc:
        raise RctError(f"{name}: cannot be written: {_text(exc)}") from exc


def _text(exc: OSError) -> str:
    return (exc.strerror or str(exc)).lower()
