"""What the log of minutes tells of objects that are read live: a row is the mean, or the last value, of five minutes.

A row of LOGGED is all it takes for an object to be filled in where nobody has read it. Only what is surely the same
stands there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from rct_tools.objects import RATIO, ObjectInfo
from rct_tools.plan import Plan
from rct_tools.series import find_series
from rct_tools.times import SECOND

SLOT: Final = 300 * SECOND
"""Nanoseconds that a row stands for. They end at the time of the row."""

_NAMES: Final = {series.short: series.name for series in find_series("minutes")}


class Rule(NamedTuple):
    """How an object follows from a row."""

    series: tuple[str, ...]  # by their names, as in the row
    value: Callable[..., float]  # of these, in the unit of the object


def _rule(value: Callable[..., float], *shorts: str) -> Rule:
    return Rule(tuple(_NAMES[short] for short in shorts), value)


def _itself(value: float) -> float:
    return value


def _balance(bought: float, fed: float) -> float:
    return bought - abs(fed)  # some logs count what is fed in negative, as the meters do, and some do not


_PHASES: Final = range(3)

LOGGED: Final[Mapping[str, Rule]] = {
    **{f"dc_conv.dc_conv_struct[{n}].p_dc": _rule(_itself, s) for n, s in enumerate(("ea", "eb"))},
    **{f"dc_conv.dc_conv_struct[{n}].p_dc_lp": _rule(_itself, s) for n, s in enumerate(("ea", "eb"))},
    **{f"dc_conv.dc_conv_struct[{n}].u_sg_lp": _rule(_itself, s) for n, s in enumerate(("ua", "ub"))},
    "g_sync.p_ac_sum_lp": _rule(_itself, "eac"),  # positive in both: into the house
    **{f"g_sync.p_ac[{n}]": _rule(_itself, f"eac{n + 1}") for n in _PHASES},
    **{f"g_sync.p_ac_lp[{n}]": _rule(_itself, f"eac{n + 1}") for n in _PHASES},
    **{f"g_sync.u_l_rms[{n}]": _rule(_itself, f"ul{n + 1}") for n in _PHASES},
    "g_sync.p_ac_load_sum_lp": _rule(_itself, "eload"),
    "g_sync.p_ac_grid_sum_lp": _rule(_balance, "egrid_load", "egrid_feed"),  # positive: import
    "g_sync.p_acc_lp": _rule(_itself, "ebat"),  # positive in both: discharge
    "io_board.s0_external_power": _rule(_itself, "eext"),
    "db.temp1": _rule(_itself, "temp"),
    "db.temp2": _rule(_itself, "temp2"),
    "battery.temperature": _rule(_itself, "temp_bat"),
    "battery.voltage": _rule(_itself, "ubat"),
    "battery.soc": _rule(_itself, "soc"),
    "battery.soc_target": _rule(_itself, "soc_targ"),
}
"""By the names of objects."""


@dataclass(frozen=True, slots=True)
class Told:
    """A value that is kept, as the log tells it: of an object, or the sum of several."""

    info: ObjectInfo  # what its readings are of, as in plan.Field
    interval: int  # ns between two live readings
    parts: tuple[ObjectInfo, ...]  # each in LOGGED

    @property
    def series(self) -> frozenset[str]:
        """The names of all series that it takes."""
        return frozenset(name for part in self.parts for name in LOGGED[part.name].series)

    def value(self, row: Mapping[str, float]) -> float | None:
        """Return what a row with all its series tells; None for what cannot be: NaN, a ratio outside 0…1."""
        values = [_value(part, row) for part in self.parts]
        return None if None in values else sum(value for value in values if value is not None)


def _value(info: ObjectInfo, row: Mapping[str, float]) -> float | None:
    rule = LOGGED[info.name]
    value = rule.value(*(row[name] for name in rule.series))
    is_possible = 0.0 <= value <= 1.0 if info.unit == RATIO else math.isfinite(value)
    return value if is_possible else None


def told_of(plan: Plan) -> Iterator[Told]:
    """Yield what the log tells of a plan."""
    for group in plan.groups:
        for field in group.fields:
            if all(info.name in LOGGED for info in field.objects):
                yield Told(field.info, group.interval, field.objects)
