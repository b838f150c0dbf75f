"""Work that takes long, in threads: little at a time, and few that wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final, TypeVar

from rct_tools.web.answers import Refusal, Says

T = TypeVar("T")

QUEUE: Final = 16  # that may wait


class Desk:
    """Where all of it is done."""

    def __init__(self) -> None:
        self._workers = ThreadPoolExecutor(2, thread_name_prefix="page")
        self._waiting = 0

    def close(self) -> None:
        """Begin nothing more."""
        self._workers.shutdown(wait=False, cancel_futures=True)

    async def do(self, work: Callable[[], T]) -> T:
        """Return what the work gives."""
        return await asyncio.get_running_loop().run_in_executor(self._workers, work)

    @contextmanager
    def place(self) -> Iterator[None]:
        """Have a place among those who wait. Raises Refusal when all are taken."""
        if self._waiting >= QUEUE:
            raise Refusal(503, Says.TOO_MUCH())
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1
