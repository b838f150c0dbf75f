"""How long something has been kept, whatever the time of day does meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple


def steady_ns() -> int:
    """Return a time that never jumps and, where the system can tell, goes on while the machine is suspended."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    return time.monotonic_ns()


def boot_id() -> str:
    """Return what names this run of the machine, from whose beginning steady_ns counts; "" where nothing does."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""


class Mark(NamedTuple):
    """An age, with what other clocks said at that moment: enough to go on from in another process."""

    age: int  # ns, as all of them
    steady: int
    wall: int
    boot: str


class Age:
    """A clock that starts at zero, never goes back, and goes on from a mark."""

    def __init__(
        self,
        steady: Callable[[], int] = steady_ns,
        wall: Callable[[], int] = time.time_ns,
        boot: Callable[[], str] = boot_id,
    ) -> None:
        self._steady = steady
        self._wall = wall
        self._boot = boot
        self._start = steady()

    def now(self) -> int:
        """Return the age in ns."""
        return self._steady() - self._start

    def mark(self) -> Mark:
        """Return what ``go_on`` wants to know."""
        return Mark(self.now(), self._steady(), self._wall(), self._boot())

    def go_on(self, mark: Mark, at_least: int = 0) -> None:
        """Go on from a mark, but not from less than an age that has been seen."""
        steady = self._steady()
        # Only between two runs of the machine there is no better clock than that of the day.
        same_run = mark.boot and mark.boot == self._boot()
        meanwhile = steady - mark.steady if same_run else self._wall() - mark.wall
        self._start = steady - max(mark.age + meanwhile, mark.age, at_least)
