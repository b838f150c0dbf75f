"""What a collector does, frozen: inverters that are read, and sinks that get what is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rct_tools.components import fits
from rct_tools.errors import ConfigError
from rct_tools.events import EVENTS
from rct_tools.events import INTERVAL as EVENTS_INTERVAL
from rct_tools.link import PORT
from rct_tools.plan import Expected, Plan, Source, Steerable
from rct_tools.proxy import ProxySetup
from rct_tools.sinks import Sink
from rct_tools.spool import AGE_LIMIT, SIZE_LIMIT, Spool
from rct_tools.vitals import CONTROLS, INTERVAL, VITALS

PAGE: Final = "page"
"""The label of the page, which is a sink like others; so no other has it."""


@dataclass(frozen=True, slots=True)
class InverterSetup:
    """An inverter to be read, and what of it how often."""

    name: str
    host: str
    plan: Plan
    port: int = PORT
    zone: str = "UTC"  # the time zone of its clock
    has: frozenset[str] | None = None  # its components, as in Schedule
    proxy: ProxySetup | None = None  # for others who want to use the connection
    backfill: bool = True  # whether what stores lack of it is filled from its log
    steerable: Steerable | None = None  # what those may change who order at a sink's broker, or at the page


@dataclass(frozen=True, slots=True)
class SpoolSetup:
    """A file in which readings wait for a sink that is away."""

    path: Path
    size_limit: int = SIZE_LIMIT  # bytes
    age_limit: int = AGE_LIMIT  # ns
    hold: float = 0.0  # seconds for which what was written is kept

    def open(self) -> Spool:
        """Open or make the file, and its folder. Raises SinkError for one that is in use, or is none of ours."""
        return Spool(self.path, size_limit=self.size_limit, age_limit=self.age_limit)


@dataclass(frozen=True, slots=True)
class SinkSetup:
    """A destination, and what it gets."""

    label: str  # how messages call it; no other has the same
    open: Callable[[Sequence[Source]], Sink] = field(compare=False)
    settings: object = None  # what tells whether it is still the same after a change
    objects: tuple[str, ...] = ("*",)  # names; * stands for anything
    names: Mapping[str, str] = field(default_factory=dict)  # what it calls objects, by their names
    spool: SpoolSetup | None = None  # where readings wait for it on disk
    is_store: bool = False  # whether it can say what it has, as a Store does

    def sources(self, inverters: Iterable[InverterSetup]) -> list[Source]:
        """Return what it may expect of some inverters."""
        return [Source(it.name, it.zone, self._expects(it), it.steerable) for it in inverters]

    def opened(self, sources: Sequence[Source]) -> Sink:
        """Return the sink, open. Raises ConfigError, which tells whose settings it is about, and SinkError."""
        try:
            return self.open(sources)
        except ConfigError as exc:
            if str(exc).lstrip("'").startswith(self.label):
                raise
            raise ConfigError(f"{self.label}: {exc}") from exc

    def _expects(self, inverter: InverterSetup) -> Mapping[str, Expected]:
        own = (*VITALS, *(CONTROLS if inverter.steerable else ()))
        ours = {info.name: Expected(info, info.name, INTERVAL) for info in own}
        ours |= {info.name: Expected(info, info.name, EVENTS_INTERVAL) for info in EVENTS}
        return {
            name: Expected(e.info, self.names.get(name, e.name), e.interval, self.names.get(name, e.field))
            for name, e in (dict(inverter.plan.expects) | ours).items()
            if any(fits(name, pattern) for pattern in self.objects)
        }


@dataclass(frozen=True, slots=True)
class Setup:
    """All that a collector does."""

    inverters: tuple[InverterSetup, ...]
    sinks: tuple[SinkSetup, ...]
