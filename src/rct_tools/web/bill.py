"""What days and months cost and earned: their energies, by the prices of a tariff."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from rct_tools.times import SECOND
from rct_tools.web.slots import Slot, together
from rct_tools.web.tariff import Tariff

_KILO: Final = 1000.0  # Wh
_DAY: Final = timedelta(1)


@dataclass(frozen=True, slots=True)
class Money:
    """In the currency of the tariff; None where energies or prices are not known."""

    cost: float | None  # of what was imported, with the share of the base price
    earnings: float | None  # for what was fed in
    savings: float | None  # what the household used and did not import would have cost

    @property
    def balance(self) -> float | None:
        """What was earned beyond what it cost."""
        return None if self.cost is None or self.earnings is None else self.earnings - self.cost


UNKNOWN: Final = Money(None, None, None)


def bills(
    tariff: Tariff, slots: Sequence[Slot], zone: ZoneInfo, now: int, days: Callable[[int, int], Sequence[Slot]]
) -> list[Money]:
    """Return what each day or month came to; ``days`` gives the days of a month in which prices change."""
    today = datetime.fromtimestamp(now // SECOND, zone).date()
    found = []
    for slot in slots:
        first, end = (datetime.fromtimestamp(time // SECOND, zone).date() for time in (slot.begin, slot.end))
        end = min(end, today + _DAY)  # what has not begun costs nothing yet
        if tariff.changes(first, end):
            parts = bills(tariff, days(slot.begin, slot.end), zone, now, days)[: (end - first).days]
            found.append(together(parts, UNKNOWN)[0] if all(None not in astuple(part) for part in parts) else UNKNOWN)
        else:
            is_known = slot.is_whole or slot.end > now  # of what is over, all must be known
            found.append(_bill(tariff, slot, first, end) if is_known else UNKNOWN)
    return found


def _bill(tariff: Tariff, slot: Slot, first: date, end: date) -> Money:
    price, energies = tariff.at(first), slot.energies
    if price is None or energies.imported is None:
        return UNKNOWN
    days = (first + n * _DAY for n in range((end - first).days))
    base = sum(price.base / monthrange(day.year, day.month)[1] for day in days)
    return Money(
        energies.imported / _KILO * price.imported + base,
        None if energies.fed_in is None else abs(energies.fed_in) / _KILO * price.fed_in,
        None if energies.used is None else (energies.used - energies.imported) / _KILO * price.imported,
    )
