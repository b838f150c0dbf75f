"""The newest readings of an inverter, as a picture of now: what is known, how old it is, and how it went lately.

    live = Live("192.0.2.7:8899", zone=zone)
    live.take(reading)
    picture = live.picture(now, quality)
    print(picture.health.powers.sun, picture.curves["sun"])

No clock and no connection: readings and times come as arguments. Who draws it, a terminal or a page, decides nothing:
what is too old to be shown is not in the picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Final
from zoneinfo import ZoneInfo

from rct_tools.clock import Clock
from rct_tools.health import ASKED, POWERS, Answers, Health, Quality, health_of
from rct_tools.objects import registry
from rct_tools.plan import Field, Group, Plan, fresh_for
from rct_tools.reading import Reading
from rct_tools.times import SECOND
from rct_tools.vitals import UP

_SOC: Final = "battery.soc"
_NOW: Final = (*POWERS.values(), _SOC)
_WHO: Final = ("android_description", "inverter_sn", "svnversion", "battery.bms_sn", "battery_placeholder[0].bms_sn")


def _group(name: str, seconds: int, names: Iterable[str]) -> Group:
    return Group(name, seconds * SECOND, tuple(Field(each, (registry[each],)) for each in names))


PLAN: Final = Plan(
    (
        _group("now", 2, _NOW),
        _group("day", 30, (name for name in ASKED if name not in (*_NOW, *_WHO))),
        _group("who", 3600, _WHO),
    )
)
"""What to ask for a picture, and how often."""

STEPS: Final = (10 * SECOND, 60 * SECOND, 300 * SECOND, 1800 * SECOND)
"""What one column of a curve may stand for, in nanoseconds."""

COLUMNS: Final = 60
"""How many columns a curve has, where nobody says."""

_MOST_COLUMNS: Final = 400  # kept of each step

_TRACES: Final[Mapping[str, tuple[str, Callable[[float], float]]]] = {  # the object, and what of it
    "sun_a": (POWERS["sun_a"], float),
    "sun_b": (POWERS["sun_b"], float),
    "house": (POWERS["house"], float),
    "imported": (POWERS["grid"], lambda power: max(0.0, power)),
    "fed_in": (POWERS["grid"], lambda power: max(0.0, -power)),
    "soc": (_SOC, float),
}
_CURVES: Final[Mapping[str, tuple[str, ...]]] = {  # the traces that are added up
    "sun": ("sun_a", "sun_b"),
    "house": ("house",),
    "fed_in": ("fed_in",),
    "imported": ("imported",),
    "soc": ("soc",),
}


@dataclass(frozen=True, slots=True)
class Picture:
    """What is known at one moment. Times are UTC, in nanoseconds."""

    time: int
    up: bool | None  # whether the inverter answers; None where nobody asks, and before the first answer is due
    since: int | None  # when ``up`` became so
    heard: int | None  # when the newest value came, be it shown or not
    age: int | None  # of the oldest of the powers in the picture, in nanoseconds; None where there is none
    health: Health  # of what is not too old
    curves: Mapping[str, tuple[float | None, ...]]
    """Means of columns, the oldest first, that of now last; None where nothing came. Powers of sun, house, fed_in and
    imported are in W and positive, soc is from 0 to 1."""
    step: int  # what a column stands for, in nanoseconds


@dataclass(slots=True)
class _Trace:
    """Means of one number, by columns of time, for every step."""

    columns: dict[int, dict[int, tuple[float, int]]] = field(default_factory=lambda: {step: {} for step in STEPS})

    def add(self, time: int, value: float) -> None:
        for step, columns in self.columns.items():
            total, count = columns.pop(time // step, (0.0, 0))
            columns[time // step] = total + value, count + 1
            if len(columns) > _MOST_COLUMNS:
                del columns[next(iter(columns))]  # that of which nothing came for longest

    def mean(self, step: int, column: int) -> float | None:
        total, count = self.columns[step].get(column, (0.0, 0))
        return total / count if count else None


class Live:
    """The newest readings of one inverter."""

    def __init__(
        self, peer: str, *, zone: ZoneInfo, plan: Plan = PLAN, lasts: Callable[[int], int] = fresh_for
    ) -> None:
        """``zone`` is that of the inverter's clock, ``lasts`` how old a value may be, by the interval of its object.

        What the plan does not name is kept too, for whoever asks for it by name.
        """
        self.peer = peer
        self._clock = Clock(zone)
        self._lasts = {name: lasts(expected.interval) for name, expected in plan.expects.items()}
        self._newest: dict[str, Reading] = {}
        self._up: Reading | None = None
        self._heard: int | None = None
        self._traces = {name: _Trace() for name in _TRACES}

    def take(self, reading: Reading, lasts: int | None = None) -> None:
        """Take what came: a value, or whether the inverter answers.

        ``lasts`` is how old the value may be, in nanoseconds, where somebody knows better than the plan.
        """
        name = reading.object.name
        if name == UP.name:
            if self._up is None or self._up.value != reading.value:
                self._up = reading
            return
        if name not in registry:
            return  # an id that nobody knows: there are too many of these to keep them
        if lasts is not None and name in self._lasts:
            self._lasts[name] = lasts
        self._newest[name] = reading
        self._heard = reading.time
        for trace, (source, part) in _TRACES.items():
            if source == name and isinstance(reading.value, float | int) and isfinite(reading.value):
                self._traces[trace].add(reading.time, part(float(reading.value)))

    def newest(self, name: str) -> Reading | None:
        """Return what came last of an object, however old it is."""
        return self._newest.get(name)

    def picture(self, now: int, quality: Quality, *, step: int = STEPS[0], columns: int = COLUMNS) -> Picture:
        """Return the picture at a time; ``quality`` is how the connection is, ``step`` one of STEPS.

        While the inverter is away, only who it is stays known. A value from the future, of before a clock was set
        back, is as unfit as one that is too old.
        """
        is_away = self._up is not None and not self._up.value and self._heard is not None
        shown = {
            name: reading
            for name, reading in self._newest.items()
            if name in self._lasts
            and abs(now - reading.time) <= self._lasts[name]
            and not (is_away and name not in _WHO)
        }
        missing = tuple(name for name in self._lasts if name not in shown)
        powers = [shown[name].time for name in POWERS.values() if name in shown]
        # Until the first value has come, it is not known to be away: it may just not have been asked.
        is_told = self._up is not None and (self._heard is not None or self._up.value)
        return Picture(
            time=now,
            up=bool(self._up.value) if self._up is not None and is_told else None,
            since=self._up.time if self._up is not None and is_told else None,
            heard=self._heard,
            age=max(0, now - min(powers)) if powers else None,
            health=health_of(Answers(shown, missing), self.peer, quality, self._clock),
            curves={name: self._curve(parts, now, step, columns) for name, parts in _CURVES.items()},
            step=step,
        )

    def _curve(self, parts: Iterable[str], now: int, step: int, columns: int) -> tuple[float | None, ...]:
        traces = [self._traces[part] for part in parts]
        last = now // step
        means = ([trace.mean(step, column) for trace in traces] for column in range(last - columns + 1, last + 1))
        return tuple(_sum(mean) for mean in means)


def _sum(parts: Iterable[float | None]) -> float | None:
    known = 0.0
    for part in parts:
        if part is None:
            return None
        known += part
    return known
