"""``[[tariff]]`` of a configuration: what a kWh costs and earns, and since when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Final, TypeAlias

import msgspec

from rct_tools.errors import ConfigError
from rct_tools.settings import Table

_MOST: Final = 1_000_000  # of any currency
Price: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=_MOST)]


class TariffTable(Table, frozen=True):
    """What energy costs and earns, from a day on."""

    imported: Annotated[Price, msgspec.Meta(description="what a kWh from the grid costs")]
    begin: Annotated[
        date | None, msgspec.Meta(description="the first day of these prices, as in 2026-01-01; ever since without")
    ] = msgspec.field(default=None, name="from")
    fed_in: Annotated[Price, msgspec.Meta(description="what a kWh fed into the grid earns")] = 0.0
    base: Annotated[Price, msgspec.Meta(description="what a month costs, whatever is used")] = 0.0
    currency: Annotated[
        str, msgspec.Meta(pattern="^[A-Z]{3}$", description="three letters; the same in all tables")
    ] = "EUR"


@dataclass(frozen=True, slots=True)
class Tariff:
    """Prices, as they changed over time."""

    currency: str
    prices: tuple[TariffTable, ...]  # the oldest first

    def at(self, day: date) -> TariffTable | None:
        """Return the prices of a day; None before the first of them."""
        return next((price for price in reversed(self.prices) if (price.begin or date.min) <= day), None)

    def changes(self, first: date, end: date) -> bool:
        """Return whether prices of ``first`` are others than those of a later day before ``end``."""
        return any(first < (price.begin or date.min) < end for price in self.prices)


def tariff_of(tables: Sequence[TariffTable], place: str) -> Tariff | None:
    """Return what the tables come to; None without any. Raises ConfigError, with ``place`` before their numbers."""
    seen: dict[date, int] = {}
    for index, table in enumerate(tables):
        begin = table.begin or date.min
        if table.currency != tables[0].currency:
            raise ConfigError(f"{place}[{index}].currency: expected {tables[0].currency}, as in tariff[0]")
        if begin in seen:
            raise ConfigError(f"{place}[{index}].from: tariff[{seen[begin]}] begins then already")
        seen[begin] = index
    prices = sorted(tables, key=lambda table: table.begin or date.min)
    return Tariff(prices[0].currency, tuple(prices)) if prices else None
