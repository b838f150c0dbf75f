"""Captures from end to end, one or many at once: summed up, and written as tables. Needs the extra [analysis]."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, field
from io import FileIO
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

from rct_tools.bulk import BulkStreams, Captured
from rct_tools.capture import Damage, read_capture
from rct_tools.errors import CaptureError
from rct_tools.export import export
from rct_tools.summary import Summary

_LOOK: Final = 0.1  # seconds between looks at how far the others are


@dataclass(slots=True)
class Survey:
    """What came of one capture."""

    name: str
    summary: Summary = field(default_factory=Summary)
    damage: list[Damage] = field(default_factory=list)  # the first parts that could not be read
    damaged: int = 0  # how many such parts there are
    error: str = ""  # why its rest could not be read


_MOST_DAMAGE: Final = 5


def survey(name: str, port: int, table: Path | None, advance: Callable[[int], object]) -> Survey:
    """Read a capture from end to end; with ``table``, write its frames there.

    ``advance`` is called with how many more bytes of the file were read. What cannot be read of the capture is told in
    the result. Raises OSError and ConfigError for the table.
    """
    found = Survey(name)
    streams = BulkStreams()

    def take(captured: Captured) -> None:
        found.summary.count(name, captured)
        if write:
            write(captured)

    with ExitStack() as stack:
        try:
            file = stack.enter_context(FileIO(name))
        except OSError as exc:
            found.error = f"{name}: {(exc.strerror or str(exc)).lower()}"
            return found
        write = stack.enter_context(export(table)) if table else None
        at = 0
        items = read_capture(file, name, port)
        while True:
            try:
                item = next(items, None)
            except (CaptureError, OSError) as exc:
                found.error = str(exc)
                break
            if item is None:
                break
            if isinstance(item, Damage):
                found.damaged += 1
                if len(found.damage) < _MOST_DAMAGE:
                    found.damage.append(item)
            elif captured := streams.feed(item):
                take(captured)
                now = file.tell() if file.seekable() else 0
                advance(now - at)
                at = now
        take(streams.close())
        found.summary.count_totals(streams)
    return found


def survey_all(
    jobs: Iterable[tuple[str, Path | None]], port: int, advance: Callable[[int], object]
) -> Iterator[Survey]:
    """Yield the surveys of many captures, each with its table, in their order; on all cores."""
    context = get_context("spawn")
    done = context.Value("q", 0)
    with ProcessPoolExecutor(os.cpu_count(), context, _share, (done,)) as pool:
        waiting: list[Future[Survey]] = [pool.submit(_survey_apart, name, port, table) for name, table in jobs]
        seen = 0
        for future in waiting:
            while not future.done():
                wait([future], _LOOK, FIRST_COMPLETED)
                advance(done.value - seen)
                seen = done.value
            yield future.result()


_done: Any = None  # shared with the process that has started this one: how many bytes all of them have read


def _share(done: Any) -> None:
    global _done  # noqa: PLW0603  # it is how a pool hands something on
    _done = done


def _survey_apart(name: str, port: int, table: Path | None) -> Survey:
    return survey(name, port, table, _advance)


def _advance(size: int) -> None:
    with _done.get_lock():
        _done.value += size
