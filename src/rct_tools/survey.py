"""Captures from end to end, one or many at once: summed up, and written as tables. Needs the extra [analysis]."""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import dataclass, field
from io import FileIO
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread
from typing import Any, Final

from rct_tools.bulk import BulkStreams, Captured
from rct_tools.capture import Damage, read_capture
from rct_tools.errors import CaptureError
from rct_tools.export import export
from rct_tools.summary import Summary

MOST_DAMAGE: Final = 5
"""So many parts that could not be read are kept with their places."""

_LOOK: Final = 0.1  # seconds between looks at how far the others are
_STOP: Final = -(1 << 62)  # bytes read, where all are to stop


@dataclass(slots=True)
class Survey:
    """What came of one capture."""

    name: str
    summary: Summary = field(default_factory=Summary)
    damage: list[Damage] = field(default_factory=list)  # the first parts that could not be read
    damaged: int = 0  # how many such parts there are
    error: str = ""  # why it, or its rest, could not be read


def survey(name: str, port: int, table: Path | None, advance: Callable[[int], object]) -> Survey:
    """Read a capture from end to end; with ``table``, write its frames there.

    ``advance`` is called with how many more bytes of the file were read. What cannot be read of the capture is told in
    the result. Raises OSError and ConfigError for the table.
    """
    found = Survey(name)
    streams = BulkStreams()
    with ExitStack() as stack:
        try:
            file = stack.enter_context(FileIO(name))
        except OSError as exc:
            found.error = f"{name}: {(exc.strerror or str(exc)).lower()}"
            return found
        write = stack.enter_context(export(table)) if table else None

        def take(captured: Captured) -> None:
            found.summary.count(name, captured)
            if write:
                write(captured)

        at = 0
        try:
            for item in read_capture(file, name, port):
                if isinstance(item, Damage):
                    found.damaged += 1
                    if len(found.damage) < MOST_DAMAGE:
                        found.damage.append(item)
                elif captured := streams.feed(item):
                    take(captured)
                if file.seekable() and (now := file.tell()) != at:
                    advance(now - at)
                    at = now
        except CaptureError as exc:
            found.error = str(exc)
        take(streams.close())
        found.summary.counters.add(streams.counters)
    return found


def survey_all(
    jobs: Iterable[tuple[str, Path | None]], port: int, advance: Callable[[int], object]
) -> Generator[Survey, None, None]:
    """Yield the surveys of many captures, each with its table, in their order; on all cores.

    Those that are not done when the iterator is closed are given up. Raises what survey() raises, and CaptureError when
    the system has ended a process.
    """
    context = get_context("spawn")
    done = context.Value("q", 0)
    pool = ProcessPoolExecutor(None, context, _begin_process, (done,))
    seen = 0
    try:
        waiting = deque(pool.submit(_survey_apart, name, port, table) for name, table in jobs)
        while waiting:
            future = waiting.popleft()
            while not future.done():
                wait([future], _LOOK)
                advance(done.value - seen)
                seen = done.value
            yield future.result()
    except BrokenProcessPool as exc:
        raise CaptureError("a process that read captures was ended by the system; is there enough memory?") from exc
    finally:
        done.value = _STOP
        pool.shutdown(cancel_futures=True)


class _StopReading(Exception):
    """Nobody waits for the result any more."""


_done: Any = None  # shared with the process that has started this one: how many bytes all of them have read


def _begin_process(done: Any) -> None:
    global _done  # noqa: PLW0603  # it is how a pool hands something on
    _done = done
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all of us; the first process tells what to do
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _survey_apart(name: str, port: int, table: Path | None) -> Survey:
    return survey(name, port, table, _advance)


def _advance(size: int) -> None:
    with _done.get_lock():
        if _done.value < 0:
            raise _StopReading
        _done.value += size
