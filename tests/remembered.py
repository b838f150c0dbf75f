"""What a simulated house remembers, as readings that stores are filled with."""

from __future__ import annotations

from rct_tools.clock import Clock
from rct_tools.logged import LOGGED
from rct_tools.series import find_series
from rct_tools.simulator import Simulator
from rct_tools.times import SECOND


def remembered(simulated: Simulator, clock: Clock, since: int, until: int, *names: str) -> dict[tuple[str, int], float]:
    """Return the values of objects by their names and times, from one time up to another, both UTC nanoseconds."""
    kept = simulated.inverter.history._series["minutes"]
    column = {series.name: kept.columns[series.short] for series in find_series("minutes")}
    found = {}
    for n, shown in enumerate(kept.times):
        time = clock.utc(shown) * SECOND
        if since <= time < until and not clock.skips(shown):
            for name in names:
                rule = LOGGED[name]
                found[name, time] = rule.value(*(column[series][n] for series in rule.series))
    return found
