"""What days and months cost: prices that change, what is not known, and what is said of mistakes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from rct_tools.config import parse_config, show_config
from rct_tools.errors import ConfigError
from rct_tools.health import Energies
from rct_tools.times import SECOND
from rct_tools.web.bill import UNKNOWN, Money, bills
from rct_tools.web.slots import Cycled, Slot, spans, together
from rct_tools.web.tariff import Tariff, TariffTable, tariff_of

BERLIN = ZoneInfo("Europe/Berlin")
OLD = TariffTable(imported=0.3, fed_in=0.08, base=31)
NEW = TariffTable(begin=date(2026, 7, 10), imported=0.4, fed_in=0.1, base=62)


def at(*day: int) -> int:
    year, month, date = day
    return round(datetime(year, month, date, tzinfo=BERLIN).timestamp()) * SECOND


def slots(by: str, since: int, until: int, used: float | None = 9000, *, imported: float | None = 2000) -> list[Slot]:
    energies = Energies(5000, 0, 0, used, imported, -4000)
    places = spans(by, since, until, BERLIN)
    return [Slot(begin, end, energies, end, True, Cycled(None, None)) for begin, end in places]


def no_days(since: int, until: int) -> Sequence[Slot]:
    raise AssertionError((since, until))


def money(tariff: Tariff, some: Sequence[Slot], now: int = at(2027, 1, 1)) -> list[Money]:
    return bills(tariff, some, BERLIN, now, no_days)


def tariff(*tables: TariffTable) -> Tariff:
    found = tariff_of(tables, "tariff")
    assert found is not None
    return found


def test_a_day_by_its_prices() -> None:
    (day,) = money(tariff(OLD), slots("day", at(2026, 7, 1), at(2026, 7, 2)))
    assert astuple(day) == pytest.approx((2 * 0.3 + 31 / 31, 4 * 0.08, 7 * 0.3))
    assert day.balance == pytest.approx(4 * 0.08 - 1.6)


def test_what_is_over_and_was_not_read_to_its_end_is_not_known() -> None:
    (day,) = slots("day", at(2026, 7, 1), at(2026, 7, 2))
    cut = [replace(day, until=day.begin, is_whole=False)]
    assert money(tariff(OLD), cut) == [UNKNOWN]
    (so_far,) = money(tariff(OLD), cut, day.end - SECOND)
    assert so_far.cost == pytest.approx(2 * 0.3 + 31 / 31)


def test_prices_change_at_the_beginning_of_a_day() -> None:
    days = money(tariff(NEW, OLD), slots("day", at(2026, 7, 9), at(2026, 7, 11)))
    assert [day.cost for day in days] == pytest.approx([2 * 0.3 + 1, 2 * 0.4 + 2])


def test_a_month_in_which_prices_change_is_that_of_its_days() -> None:
    asked: list[tuple[int, int]] = []

    def days(since: int, until: int) -> list[Slot]:
        asked.append((since, until))
        return slots("day", since, until)

    both = tariff(OLD, NEW)
    june, july, august = bills(both, slots("month", at(2026, 6, 1), at(2026, 9, 1)), BERLIN, at(2027, 1, 1), days)
    assert asked == [(at(2026, 7, 1), at(2026, 8, 1))]
    assert june.cost == pytest.approx(2 * 0.3 + 31)
    assert july.cost == pytest.approx(9 * (2 * 0.3 + 1) + 22 * (2 * 0.4 + 2))
    assert july.savings == pytest.approx(9 * 7 * 0.3 + 22 * 7 * 0.4)
    assert august.cost == pytest.approx(2 * 0.4 + 62)
    (july,) = bills(both, slots("month", at(2026, 7, 1), at(2026, 7, 2)), BERLIN, at(2026, 7, 12), days)
    assert july.cost == pytest.approx(9 * (2 * 0.3 + 1) + 3 * (2 * 0.4 + 2))  # it is the 12th
    (july,) = bills(both, slots("month", at(2026, 7, 1), at(2026, 7, 2)), BERLIN, at(2026, 7, 9), days)
    assert july.cost == pytest.approx(2 * 0.3 + 9 * 1)  # they have not changed yet
    holes = lambda since, until: [*days(since, until)[1:], *slots("day", since, since + 1, None)]  # noqa: E731
    assert bills(both, slots("month", at(2026, 7, 1), at(2026, 7, 2)), BERLIN, at(2027, 1, 1), holes) == [UNKNOWN]


def test_a_month_that_goes_on_has_cost_a_part_of_its_base_price() -> None:
    (month,) = money(tariff(OLD), slots("month", at(2026, 7, 1), at(2026, 7, 2)), at(2026, 7, 3))
    assert month.cost == pytest.approx(2 * 0.3 + 3)


def test_what_is_not_known_stays_so() -> None:
    (day,) = money(tariff(OLD), slots("day", at(2026, 7, 1), at(2026, 7, 2), None))
    assert (day.savings, day.balance is None) == (None, False)
    (day,) = money(tariff(OLD), slots("day", at(2026, 7, 1), at(2026, 7, 2), imported=None))
    assert (day, day.balance) == (UNKNOWN, None)
    before, after = money(tariff(NEW), slots("day", at(2026, 7, 9), at(2026, 7, 11)))
    assert (before, after == UNKNOWN) == (UNKNOWN, False)
    assert together([before, after, day], UNKNOWN) == (after, 1)
    assert together([before], UNKNOWN) == together([], UNKNOWN) == (UNKNOWN, 0)


# --- the configuration ----------------------------------------------------------------------------------------------

HEAD = '[[inverter]]\nhost = "192.0.2.7"\n'


def configured(text: str, environment: dict[str, str] | None = None) -> Tariff | None:
    page = parse_config(f"{HEAD}[web]\n{text}", "rct.toml", environment or {}).web
    assert page is not None
    return page.tariff


def test_tariffs_of_a_configuration() -> None:
    text = "[[tariff]]\nfrom = 2026-07-10\nimported = 0.4\nfed_in = 0.1\nbase = 62\n[[tariff]]\nimported = 0.3\n"
    assert configured(text) == Tariff("EUR", (TariffTable(imported=0.3), NEW))
    assert configured("") is None
    config = parse_config(HEAD + text, "rct.toml", {})
    assert config.web is None
    assert show_config(config)["tariff"][0]["from"] == date(2026, 7, 10)
    changed = configured('[[tariff]]\nimported = 1\ncurrency = "CHF"', {"RCT_TARIFF__0__FROM": "2026-07-10"})
    assert changed == Tariff("CHF", (TariffTable(begin=NEW.begin, imported=1.0, currency="CHF"),))


WRONG = [  # what is written, what is said
    ("[tariff]\nimported = 1", "tariff: write [[tariff]] in place of [tariff], since there may be several"),
    ("[[tariff]]\nfed_in = 1", "tariff[0].imported: missing"),
    ("[[tariff]]\nimported = -1", "tariff[0].imported: expected `float` >= 0"),
    ("[[tariff]]\nimported = nan", "tariff[0].imported: expected `float` >= 0"),
    ("[[tariff]]\nimported = inf", "tariff[0].imported: expected `float` <= 1000000"),
    ('[[tariff]]\nimported = "0.3"', "tariff[0].imported: expected `float`, got `str`"),
    ("[[tariff]]\nimported = 1\nfrm = 2026-01-01", "tariff[0].frm: unknown key, did you mean 'from'?"),
    ("[[tariff]]\nimported = 1\nfrom = 2026-01-01T00:00:00", "tariff[0].from: expected `date | null`"),
    ('[[tariff]]\nimported = 1\ncurrency = "€"', "tariff[0].currency: expected `str` matching"),
    (
        '[[tariff]]\nimported = 1\n[[tariff]]\nimported = 1\nfrom = 2026-01-01\ncurrency = "CHF"',
        "tariff[1].currency: expected EUR, as in tariff[0]",
    ),
    ("[[tariff]]\nimported = 1\n[[tariff]]\nimported = 2", "tariff[1].from: tariff[0] begins then already"),
]


@pytest.mark.parametrize(("text", "said"), WRONG)
def test_mistakes_are_named(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        configured(text)
    assert str(caught.value).startswith(f"rct.toml: {said}")
    assert "\n" not in str(caught.value)
