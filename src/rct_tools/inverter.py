"""An inverter, with all that can be asked of it and done with it.

    async with connect("192.0.2.7", zone="Europe/Berlin") as inverter:
        print((await inverter.status()).powers.sun)

What it does stands in the rooms below: ``history``, ``events``, ``health``, ``writing`` and ``modes``.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from rct_tools import health
from rct_tools.capture import Chunk
from rct_tools.client import Client
from rct_tools.clock import Clock
from rct_tools.events import LoggedEvent, follow_events, read_events
from rct_tools.health import Battery, Health
from rct_tools.history import HistoryRow, read_history
from rct_tools.link import PORT, Link, backoff, ticking
from rct_tools.modes import Steered, steered
from rct_tools.questions import ATTEMPTS, TIMEOUT
from rct_tools.times import local_zone
from rct_tools.writing import Writer, Written, default_folder


class Inverter(Client):
    """An inverter: ``async with connect(host) as inverter``. Several tasks may use it at once.

    Times are UTC, in nanoseconds, as those of ``time.time_ns()``. Values are in the units of their objects and signed
    as the inverter does it: import and discharge are positive. Only ``write`` and ``mode`` change anything; ``writer``
    is what does it, with a dry run. ``zone`` is the time zone of the inverter's clock.
    """

    def __init__(
        self,
        link: Link,
        *,
        name: str = "",
        zone: str = "",
        who: str = "",
        folder: Path | None = None,
        timeout: float = TIMEOUT,
        attempts: int = ATTEMPTS,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        super().__init__(link, name=name, timeout=timeout, attempts=attempts)
        self.zone = Clock.of(zone or local_zone()).zone
        self.writer = Writer(self, folder or default_folder(), who, clock=clock)
        self._clock = clock

    def history(
        self,
        resolution: str = "minutes",
        *,
        since: int | None = None,
        until: int | None = None,
        series: Iterable[str] = (),
    ) -> AsyncIterator[HistoryRow]:
        """Yield what it remembers from ``since`` up to, and without, ``until``, the newest first.

        ``resolution`` is minutes (every five, kept for about 90 days), day, month or year. Times are UTC, in
        nanoseconds; without them, all there is. ``series`` are names such as SOC or Pload, all by default. Values are
        in the units of their series: W, Wh, V, °C, and ratios from 0 to 1.

        A series that it does not know is left out, with a warning. Raises, when it is iterated, ConfigError for a
        resolution or a range that cannot be, UnknownObject for a series, NoAnswer when a log stays silent in its midst,
        LinkError.
        """
        return read_history(
            self, resolution, since=since, until=until, series=series, zone=self.zone.key, now=self._clock
        )

    def events(self, *, since: int | None = None, until: int | None = None) -> AsyncIterator[LoggedEvent]:
        """Yield what happened from ``since`` up to, and without, ``until``, the newest first; by default, all there is.

        Times are UTC, in nanoseconds. What happened in the same second is all there. Raises, when it is iterated,
        ConfigError for a range that cannot be, NoAnswer, LinkError.
        """
        return read_events(self, since=since, until=until, zone=self.zone.key, now=self._clock)

    def follow_events(self, *, since: int, every: float = 30.0) -> AsyncIterator[LoggedEvent]:
        """Yield what happened ``since`` a time, the oldest first, and then what happens, without end.

        Times are UTC, in nanoseconds. The log is asked ``every`` so many seconds. What has begun is told when it is in
        the log, and once more when it has ended within the hour. Raises, when it is iterated, ConfigError, LinkError;
        silence is logged, and it goes on.
        """
        return follow_events(self, since=since, zone=self.zone.key, every=every, now=self._clock)

    async def status(self) -> Health:
        """Ask how it is: some 35 objects, which take two or three seconds.

        Powers are in W, energies of the day in Wh, shares go from 0 to 1; None stands for what was not answered. Raises
        NoAnswer when it answers nothing, LinkError when there is no connection. What stays silent is in ``missing``.
        """
        return await health.status(self, zone=self.zone)

    async def battery(self) -> Battery:
        """Ask for all of its battery, down to the cells: a dozen objects for each tower, and five for each module.

        Cells have V, °C and mΩ; None stands for what was not answered. Raises NoAnswer when it answers nothing,
        LinkError when there is no connection. What stays silent is in ``missing``.
        """
        return await health.battery(self, zone=self.zone)

    async def write(self, name: str, value: object, *, force_state: bool = False) -> Written:
        """Set an object, and return when it is proven: the inverter said twice that it holds the value.

        ``name`` is one of those in ``rct_tools.writable``, ``value`` in its own type and unit, ratios from 0 to 1. The
        value is held in RAM, flash is never written. What the object holds already is not sent. ``force_state``
        writes also while the battery calibrates or balances. ``writer.consider`` is a dry run.

        Raises with nothing sent: WriteRefused for what may not be written, NotNow for what may be later, UnknownObject,
        OSError when the journal cannot be written. Raises WriteFailed when it was sent and is not proven, NoAnswer and
        LinkError when it cannot be asked what it holds.
        """
        return await self.writer.write(name, value, force_state=force_state)

    def mode(
        self,
        mode: str,
        *,
        power: float | None = None,
        soc: float | None = None,
        seconds: float | None = None,
        force_state: bool = False,
    ) -> AbstractAsyncContextManager[Steered]:
        """Have the battery in a mode while a block runs, then put back what was before: ``async with``.

        ``mode`` is hold, charge, discharge or reserve. ``power`` is in W and positive, ``soc`` a state of charge from 0
        to 1; ``seconds`` is only noted, for who looks meanwhile; ``force_state`` is as in ``write``. What was before is
        on the disk first, so that the next program that starts a mode puts it back when this one is killed. At the end
        it is tried until all is back; where the block failed or was cancelled, three times.

        Raises, when it is entered and before anything is changed, WriteRefused and NotNow; then WriteFailed, NoAnswer,
        LinkError, OSError; at the end RctError when not all could be put back.
        """
        return steered(self.writer, mode, power=power, soc=soc, seconds=seconds, force_state=force_state)


def connect(
    host: str,
    port: int = PORT,
    *,
    zone: str = "",
    who: str = "",
    folder: Path | None = None,
    name: str = "",
    timeout: float = TIMEOUT,
    attempts: int = ATTEMPTS,
    tries: int | None = 3,
    pause: Callable[[int], float] = backoff,
    clock: Callable[[], int] = time.time_ns,
    ticking: Callable[[], float] = ticking,
    tap: Callable[[Chunk], None] = lambda _chunk: None,
) -> Inverter:
    """Return the inverter at a host, to be entered with ``async with``, which raises LinkError.

    ``zone`` is the time zone of its clock, such as Europe/Berlin, that of this machine if left out. ``who`` is what the
    journal of writes says of this program; the journal, and what modes have to put back, are in ``folder``, if left out
    in that of the command ``rct``.

    ``name`` is what readings call the inverter, the host if left out. ``timeout`` is how many seconds to wait for an
    answer before asking again, ``attempts`` how often to ask. ``tries`` is how many failed connections in a row end it
    with LinkError; with None it never ends, entering it does not wait for the connection, and reading without one
    raises LinkError. ``pause`` gives the seconds between tries, ``clock`` the time in UTC nanoseconds, ``ticking``
    seconds that go on while the machine sleeps. ``tap`` is called with what crosses the wire, both ways.

    Raises ConfigError for a time zone that does not exist.
    """
    link = Link(host, port, tries=tries, pause=pause, clock=clock, ticking=ticking, tap=tap)
    return Inverter(link, name=name, zone=zone, who=who, folder=folder, timeout=timeout, attempts=attempts, clock=clock)
