"""What can go wrong with an inverter and its bridge: Faults, one field each.

What a field means, how it is written and what it may be stands beside it, so that options, documents and tests go
through one table, FAULTS. How it comes about is in ``damage`` and ``trouble``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import Enum
from math import inf, isfinite
from typing import Any, Final, NamedTuple

from rct_tools.errors import ConfigError
from rct_tools.settings import unknown_key
from rct_tools.times import SECOND, parse_duration, show_duration


class Scope(Enum):
    """What a fault strikes."""

    FRAME = "frames that the inverter says"
    REQUEST = "requests"
    SESSION = "connections"
    DEVICE = "the device"


class Kind(NamedTuple):
    """How the value of a fault is written, and how it is called when it is written wrong."""

    expected: str
    read: Callable[[str], float]
    show: Callable[[float], str]


def _seconds(text: str) -> float:
    sign = -1 if text.startswith("-") else 1
    text = text.removeprefix("-")
    return sign * parse_duration(text if text[-1:].isalpha() else f"{text}s") / SECOND


def _show_seconds(seconds: float) -> str:
    return "-" * (seconds < 0) + show_duration(round(abs(seconds) * SECOND))


SHARE: Final = Kind("a share from 0 to 1", float, "{:g}".format)
DURATION: Final = Kind("a duration such as 43s or 5m", _seconds, _show_seconds)
COUNT: Final = Kind("a whole number", int, "{:d}".format)


class Fault(NamedTuple):
    """What is known of one field of Faults."""

    scope: Scope
    kind: Kind
    meaning: str
    least: float = 0
    most: float = inf
    settled: bool = False  # whether it is part of how the simulator is made, so that it cannot change later

    @property
    def range(self) -> str:
        """What may be written, for people."""
        if self.kind is COUNT and isfinite(self.most):
            return f"{self.kind.expected} from {self.least:g} to {self.most:g}"
        return self.kind.expected


def _share(scope: Scope, meaning: str) -> Any:
    return field(default=0.0, metadata={"fault": Fault(scope, SHARE, meaning, most=1)})


def _time(scope: Scope, meaning: str, *, least: float = 0) -> Any:
    return field(default=0.0, metadata={"fault": Fault(scope, DURATION, meaning, least)})


def _count(scope: Scope, meaning: str, least: int, most: int, *, settled: bool = False) -> Any:
    return field(default=least, metadata={"fault": Fault(scope, COUNT, meaning, least, most, settled)})


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong, and how often. Without any, a healthy inverter.

    Shares are from 0 to 1, times in seconds. Raises ConfigError for a value that cannot be.
    """

    cut: float = _share(Scope.FRAME, "only the first part comes, and never the rest")
    late: float = _share(
        Scope.FRAME, "the rest, or the whole, comes glued to the front of one of the next three frames"
    )
    lost: float = _share(Scope.FRAME, "nothing comes")
    doubled: float = _share(Scope.FRAME, "it comes twice")
    length: float = _share(Scope.FRAME, "its length field is far too large or too small")
    garbage: float = _share(Scope.FRAME, "left-over memory behind the NUL of a text, at times the image of a frame")
    echo: float = _share(Scope.FRAME, "the request comes back before its answer")
    plus: float = _share(Scope.FRAME, "`+++` comes before it")
    at: float = _share(Scope.FRAME, "`AT+` CR comes before it; and the same share of sessions begins with it")

    stub: float = _share(
        Scope.REQUEST, "comes while an answer is due, and cuts it: a right checksum, too short a payload"
    )
    segment: float = _share(Scope.REQUEST, "of those in one TCP segment only the first is answered, or none")
    hung: float = _share(
        Scope.REQUEST, "the bridge hangs for a minute: it keeps and takes connections, and says nothing"
    )
    unwritten: float = _share(Scope.REQUEST, "a write is lost, without an answer")
    unacknowledged: float = _share(Scope.REQUEST, "a write is done, without an answer")
    rare: float = _time(Scope.REQUEST, "a tenth of the objects is answered only once in this time")

    silent: float = _time(Scope.SESSION, "open for this long, it stays open and hears nothing any more")
    idle: float = _time(Scope.SESSION, "without a request for this long, it is closed")
    slow: float = _time(Scope.SESSION, "up to this long after its begin it hears nothing, unless it asks")
    connections: int = _count(Scope.SESSION, "so many at once; one more is closed at once; 0 for no limit", 0, 1000)

    package: float = _time(Scope.DEVICE, "it writes `net.package` to others, once in this time")
    slaves: int = _count(Scope.DEVICE, "so many more inverters answer plant frames", 0, 9, settled=True)
    towers: int = _count(Scope.DEVICE, "batteries that it has", 1, 2, settled=True)
    clock: float = _time(Scope.DEVICE, "its clock is fast by this; with a minus, slow", least=-inf)
    night: int = _count(Scope.DEVICE, "1: it has no battery, and cannot be reached while its house is dark", 0, 1)

    def __post_init__(self) -> None:
        for name, fault in FAULTS.items():
            value = getattr(self, name)
            if not (isfinite(value) and fault.least <= value <= fault.most):
                raise ConfigError(f"fault {name}: expected {fault.range}, got {value:g}")
        total = sum(getattr(self, name) for name in PER_FRAME)
        if total > 1 + 1e-9:
            raise ConfigError(f"faults of frames: {', '.join(PER_FRAME)} are {total:g} together, and can be 1 at most")

    def __str__(self) -> str:
        """Those that are not as in a healthy inverter, as parse_faults reads them."""
        return ",".join(
            f"{name}={fault.kind.show(value)}"
            for name, fault in FAULTS.items()
            if (value := getattr(self, name)) != getattr(HEALTHY, name)
        )


FAULTS: Final[Mapping[str, Fault]] = {part.name: part.metadata["fault"] for part in fields(Faults)}
PER_FRAME: Final = tuple(name for name, fault in FAULTS.items() if fault.scope is Scope.FRAME)
"""One draw a frame decides which of these strikes it, if any."""

HEALTHY: Final = Faults()


def parse_faults(text: str, others: Faults = HEALTHY) -> Faults:
    """Return what is written as ``cut=0.1,late=0.05,idle=5m``; the rest is as in ``others``. Raises ConfigError."""
    given: dict[str, float] = {}
    for part in filter(None, map(str.strip, text.split(","))):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        fault = FAULTS.get(name)
        if fault is None:
            raise ConfigError(f"fault {name}: {unknown_key(name, tuple(FAULTS))}")
        try:
            given[name] = fault.kind.read(value)
        except (ValueError, ConfigError) as exc:
            got = f"got {value!r}" if equals else f"as in {name}=…"
            raise ConfigError(f"fault {name}: expected {fault.range}, {got}") from exc
    return replace(others, **given)  # type: ignore[arg-type]  # counts are whole: their kind reads them
