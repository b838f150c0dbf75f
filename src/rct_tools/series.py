"""The time series that an inverter keeps, and what they are called: the columns of its history.

The names are those of the vendor's app where it exports a day; the energies of days, months and years have none there,
and are named alike.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from rct_tools.errors import ConfigError, UnknownObject
from rct_tools.objects import ObjectInfo, registry


@dataclass(frozen=True, slots=True)
class Series:
    """One time series."""

    name: str  # "Pdc A"
    short: str  # "ea": what is special in the name of its object
    info: ObjectInfo  # which is asked for it, and has its unit

    @property
    def column(self) -> str:
        """What stands above its values: ``Pdc A [W]``."""
        return f"{self.name} [{self.info.unit}]" if self.info.unit else self.name


_MINUTES: Final = {
    "ea": "Pdc A", "eb": "Pdc B", "ua": "Udc A", "ub": "Udc B", "eac1": "Pac 1", "eac2": "Pac 2", "eac3": "Pac 3",
    "eac": "Pac", "ul1": "Uac 1", "ul2": "Uac 2", "ul3": "Uac 3", "temp": "Temp", "temp2": "Temp2",
    "temp_bat": "Temp bat", "ebat": "Pbat", "ubat": "Ubat", "soc": "SOC", "soc_targ": "SOC targ", "eload": "Pload",
    "egrid_feed": "Pgrid feed", "egrid_load": "Pgrid load", "eext": "Pext",
}  # fmt: skip
_ENERGIES: Final = {
    "ea": "Edc A", "eb": "Edc B", "eac": "Eac", "eload": "Eload", "egrid_feed": "Egrid feed",
    "egrid_load": "Egrid load", "eext": "Eext",
}  # fmt: skip


def _series(resolution: str, names: Mapping[str, str]) -> tuple[Series, ...]:
    return tuple(
        Series(name, short, registry[f"logger.{resolution}_{short}_log_ts".replace("__", "_")])
        for short, name in names.items()
    )


RESOLUTIONS: Final[Mapping[str, tuple[Series, ...]]] = {
    "minutes": _series("minutes", _MINUTES),
    "day": _series("day", _ENERGIES),
    "month": _series("month", _ENERGIES),
    "year": _series("year", _ENERGIES) + _series("year", {"": "year_log_ts"}),  # nobody knows what that one is
}
"""By how far apart the rows are (minutes: every five), the series there are."""


def find_series(resolution: str, names: Iterable[str] = ()) -> tuple[Series, ...]:
    """Return the series of some names: of column, object, or short. Without any, all; in the order of the table.

    Raises ConfigError for a resolution that does not exist, UnknownObject for a name, with the nearest.
    """
    if resolution not in RESOLUTIONS:
        raise ConfigError(f"unknown resolution {resolution!r}; expected one of {', '.join(RESOLUTIONS)}")
    every = RESOLUTIONS[resolution]
    known = {
        name.casefold(): each for each in every for name in (each.name, each.column, each.info.name, each.short) if name
    }
    chosen = []
    for name in names:
        if name.casefold() not in known:
            shorts = [each.short for each in every if each.short]
            near = difflib.get_close_matches(name.casefold(), known, 1)
            raise UnknownObject(name, [known[near[0]].name] if near else shorts, f"unknown series of {resolution}")
        chosen.append(known[name.casefold()])
    return tuple(each for each in every if each in chosen) if chosen else every
