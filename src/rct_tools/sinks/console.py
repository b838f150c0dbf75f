"""Readings as plain columns for people: name, value with unit, meaning, time."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated

from msgspec import Meta

from rct_tools.display import show_value
from rct_tools.errors import ConfigError, SinkError
from rct_tools.plan import Source
from rct_tools.reading import Reading
from rct_tools.settings import Table
from rct_tools.times import iso_time


class Settings(Table, frozen=True):
    """Readings on standard output, for people."""

    url: Annotated[str, Meta(description="`console:`")]


def open_sink(settings: Settings, _sources: Sequence[Source]) -> ConsoleSink:
    """Return the sink for ``console:``. Raises ConfigError."""
    if settings.url != "console:":
        raise ConfigError(f"{settings.url!r}: expected console: and nothing behind it")
    return ConsoleSink()


class ConsoleSink:
    """Standard output. A reader that went away ends the program, as for any other: BrokenPipeError passes."""

    async def write(self, readings: Sequence[Reading]) -> None:
        """Print one line for each reading. Raises SinkError, as for a full disk behind it."""
        try:
            await _write_out("".join(map(_line, readings)).encode(sys.stdout.encoding or "utf-8", "replace"))
        except BrokenPipeError:
            raise
        except OSError as exc:
            raise SinkError(f"standard output: cannot be written: {exc.strerror}") from exc

    async def close(self) -> None:
        """Standard output stays open."""


async def _write_out(data: bytes) -> None:
    """Write to standard output without waiting for its reader: not here, and not at the end of the program."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def settle(exc: OSError | None) -> None:
        if not done.done():
            done.set_exception(exc) if exc else done.set_result(None)

    def work() -> None:
        problem, rest = None, data
        try:
            while rest:
                rest = rest[os.write(1, rest) :]
        except OSError as exc:
            problem = exc
        with suppress(RuntimeError):  # the loop is gone
            loop.call_soon_threadsafe(settle, problem)

    threading.Thread(target=work, daemon=True).start()
    await done


def _line(reading: Reading) -> str:
    info = reading.object
    time = iso_time(reading.time)
    shown = f"{info.name:<34} {show_value(info, reading.value):>16}  {info.meaning(reading.value):<12}"
    mark = "  backfilled" if reading.backfilled else ""
    return f"{shown}  {time[:23]}{time[-6:]}{mark}\n"  # milliseconds are enough for the eye
