"""What the inverter calls things, on the page: in German where that is the language, and marked where it is English."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from playwright.async_api import Browser

from rct_tools.frame import Frame
from rct_tools.objects import registry
from rct_tools.simulator import Simulator

from browsing import SOURCES, opened, reads, violations
from showing import QUICK, Shown, known, showing, until

NOON = datetime(2026, 6, 21, 12)  # noqa: DTZ001  # the clock on the wall


@pytest.fixture
async def shown() -> AsyncIterator[Shown]:
    async with (
        Simulator(port=0, latency=0.001, broadcast=False, speed=0, start=NOON) as simulator,
        showing(simulator, plan=QUICK) as shown,
    ):
        await until(known(shown, "battery.soc", "prim_sm.state", "power_mng.soc_strategy", "fault[3].flt"))
        yield shown


def test_all_that_the_tables_say_has_a_german_name_and_nothing_else() -> None:
    source = (SOURCES / "german.ts").read_text("utf-8")
    english = re.findall(r'^  "(.+?)":\s', source, re.MULTILINE)
    tables = {text for info in registry for text in (*info.labels.values(), *info.bits.values())}
    assert sorted(english) == sorted(tables | set(registry.events.values()))
    german = re.findall(r'^  "(?:.+?)":\s+"(.+)",$', source, re.MULTILINE)
    assert len(german) == len(english)


@pytest.mark.parametrize(
    ("locale", "state", "fault", "lang"),
    [
        ("de-DE", "Einspeisebetrieb", "Netzüberspannung L1, Stufe 2 (41)", 0),
        ("en-GB", "Feed in", "overvoltage L1 level 2 (41)", 1),
    ],
)
async def test_states_and_faults(
    shown: Shown, browser: Browser, monkeypatch: pytest.MonkeyPatch, locale: str, state: str, fault: str, lang: int
) -> None:
    inverter, register = shown.simulator.inverter, registry["fault[1].flt"]
    answer = inverter.answer

    def faulty(asked: Frame) -> Frame | None:
        told = answer(asked)
        return replace(told, payload=register.encode(1 << 9)) if told and told.object_id == register.object_id else told

    async with opened(browser, f"{shown.url}/inverter", locale=locale) as (page, _):
        await reads(page, ".facts > div:nth-child(2) dd", state)
        assert await page.locator(".facts > div:nth-child(2) [lang=en]").count() == lang
        await page.fill("#search", "soc_strategy")
        await page.wait_for_selector(f"td.number:has-text('({'intern' if lang == 0 else 'Internal'})')")
        monkeypatch.setattr(inverter, "answer", faulty)
        await until(lambda: shown.page.newest.seen("roof")[register.name].reading.value != 0)
        await page.goto(shown.url)
        await reads(page, ".trouble li", fault)
        assert await page.locator(".trouble li [lang=en]").count() == lang
        assert await violations(page) == []


@pytest.mark.parametrize(
    ("locale", "said", "lang"),
    [("de-DE", "Das ging nicht: Keine der Senken", 0), ("en-GB", "This did not work: there is no SQLite file", 1)],
)
async def test_what_failed(shown: Shown, browser: Browser, locale: str, said: str, lang: int) -> None:
    async with opened(browser, f"{shown.url}/day", locale=locale) as (page, _):
        for place in ("main .wait", ".banner.error"):
            await page.wait_for_selector(f"{place}:has-text('{said}')")
            assert await page.locator(f"{place} [lang=en]").count() == lang
        assert await violations(page) == []


SAID: list[tuple[str, dict[str, Any], str]] = [  # code, what is put in, in German
    ("not_read", {"inverter": "power"}, "power wird zurzeit nicht gelesen."),
    ("other_inverter", {"other": "hold", "inverter": "normal"},
     "Das ist jetzt Wechselrichter hold; was zurückzustellen ist, gehört zu normal."),
    ("no_file", {"path": "normal"}, "normal: Die Datei gibt es noch nicht."),
    ("from_user", {"user": "charge", "host": "reserve"}, "von charge (reserve)"),
    ("not_this_value", {"object": "battery.soc", "value": "done", "range": "soc"},
     "Ladung: done geht nicht; möglich: soc."),
    ("no_such_mode", {"mode": "'hold'", "modes": ["charge", "normal"]},
     "Einen Modus 'hold' gibt es nicht; es gibt: Laden, normal."),
    ("needs", {"mode": "charge", "what": "power"}, "Modus Laden braucht eine Angabe: Leistung."),
    ("no_answer", {"objects": ["battery.soc", "adc.u_acc"]}, "Keine Antwort auf: Ladung, adc.u_acc."),
    ("last", {"order": {"code": "mode", "values": {"mode": "hold"}}, "result": "ended", "text": {"text": "hold"}},
     "Modus Halten: Der Modus ist beendet: hold"),
]  # fmt: skip


async def test_names_of_others_are_left_alone(shown: Shown, browser: Browser) -> None:
    """An inverter may be called as a mode is."""
    document: dict[str, Any] = {"error": "in English"}
    async with opened(browser, f"{shown.url}/battery", locale="de-DE") as (page, _):
        await page.route("**/api/battery?*", lambda route: route.fulfill(status=503, json=document))
        for code, values, german in SAID:
            document["said"] = {"code": code, "values": values}
            await page.reload()
            await reads(page, ".banner.error", f"Das ging nicht: {german}")


async def test_events(shown: Shown, browser: Browser) -> None:
    async with opened(browser, f"{shown.url}/events", locale="de-DE") as (page, _):
        await page.wait_for_selector("tbody tr")
        everything = await page.locator("tbody tr").count()
        for typed in ("Parameter geändert", "parameter changed"):  # by either name
            await page.fill("#filter", typed)
            names = await page.locator("tbody strong").all_inner_texts()
            assert 0 < len(names) < everything
            assert set(names) == {"Parameter geändert"}
        assert await page.locator("tbody [lang=en]").count() == 0
