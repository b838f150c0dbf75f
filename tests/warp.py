"""A day in seconds: an event loop whose clock does nothing but jump to the next timer, when nothing else is going on.

However long the work takes, no time passes meanwhile, so it is the same on a machine that is busy. Sockets are real:
simulators, clients and sinks work as ever. What other processes do takes real time, in which the clock of such a loop
may jump far, so they have no place here.
"""

from __future__ import annotations

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class _Selector(selectors.DefaultSelector):
    loop: WarpLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        if events or (timeout is not None and timeout <= 0):
            return events
        if self.loop.threads or timeout is None:
            return super().select(0.001)
        self.loop.skipped += timeout
        return events


class WarpLoop(asyncio.SelectorEventLoop):
    """The loop; its clock begins at 0."""

    def __init__(self) -> None:
        selector = _Selector()
        selector.loop = self
        self.skipped = 0.0  # seconds
        self.threads = 0  # jobs in threads, which take real time
        super().__init__(selector)

    def time(self) -> float:
        return self.skipped

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        future = super().run_in_executor(executor, func, *args)
        self.threads += 1
        future.add_done_callback(self._done)
        return future

    async def shutdown_default_executor(self, *timeout: float | None) -> None:
        self.threads += 1  # or the time that Python has given it since 3.12 would be over at once
        try:
            await super().shutdown_default_executor(*timeout)
        finally:
            self.threads -= 1

    def _done(self, _future: asyncio.Future[Any]) -> None:
        self.threads -= 1


def warp(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end on such a loop."""
    with asyncio.Runner(loop_factory=WarpLoop) as runner:
        return runner.run(main)


def warped(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Let a test run on such a loop."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        warp(test(*args, **kwargs))

    return run
