"""Control in a real browser: first shown, then done, and done only when the inverter holds it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, Route

from rct_tools.modes import MODES
from rct_tools.objects import registry
from rct_tools.plan import Steerable
from rct_tools.sentence import Sentence
from rct_tools.simulator import Faults, Simulator
from rct_tools.steering import Order
from rct_tools.steering.order import Set
from rct_tools.times import SECOND
from rct_tools.values import Value
from rct_tools.writable import WRITABLE

from browsing import SIZES, hang, is_too_wide, opened, reads, ready, violations
from showing import QUICK, Shown, known, showing, until

PASSWORD = "correct horse battery"
NOON = datetime(2026, 6, 21, 12)  # noqa: DTZ001  # the clock on the wall
MIN = "power_mng.soc_min"
ALL = Steerable(tuple(WRITABLE), tuple(MODES), 12 * 3600 * SECOND)
LOOKS = [
    ("phone", "light", "de-DE"),
    ("phone", "dark", "en-GB"),
    ("desktop", "light", "en-GB"),
    ("desktop", "dark", "de-DE"),
]


@pytest.fixture
async def shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Shown]:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    monkeypatch.setattr("rct_tools.steering.steward.TICK", 0.1)
    async with Simulator(port=0, latency=0.001, broadcast=False, speed=0, start=NOON) as simulator:
        simulator.house.battery.soc = 0.5
        async with showing(simulator, plan=QUICK, password=PASSWORD, steerable=ALL) as shown:
            await until(known(shown, "control.mode"))
            # What may be set is read once a minute: here it has been already.
            client = shown.collector.watched["roof"].client
            await shown.page.write([await client.read(name) for name in ("p_rec_lim[0]", *WRITABLE)])
            yield shown
        assert not simulator.inverter.harm


def settings(shown: Shown) -> dict[str, Value]:
    return {name: registry[name].decode(shown.simulator.inverter.payload(registry[name])) for name in WRITABLE}


async def entered(page: Page) -> None:
    """Log in, and wait until there is something to order."""
    await page.fill("#password", PASSWORD)
    await page.keyboard.press("Enter")
    await page.wait_for_selector(".modes form")
    await ready(page)


async def test_hold_for_an_hour_and_end_it(shown: Shown, browser: Browser) -> None:
    before = settings(shown)
    async with opened(browser, f"{shown.url}/inverter") as (page, watch):
        await page.fill("#password", PASSWORD)
        await page.keyboard.press("Enter")
        await page.click("nav a:text-is('Control')")
        await ready(page)
        assert page.url.endswith("/control")
        assert "No mode is on" in await page.inner_text(".mode")
        hold = page.locator("form.ask[aria-label=Hold]")
        await hold.get_by_label("For how long").select_option("1 h")
        await hold.get_by_role("button", name="Show what would happen").click()
        rows = hold.locator(".changes tbody tr")
        await rows.first.wait_for()
        assert [" ".join(text.split()) for text in await rows.all_inner_texts()] == [
            f"Lowest charge {MIN} 7.0 % 49.0 %",
            "Strategy of the battery power_mng.soc_strategy Internal stays",
        ]
        panel = await hold.locator(".panel").inner_text()
        assert "nothing has been sent yet" in panel
        assert "After 1 h, at " in panel
        assert "Lowest charge: 7.0 %" in panel
        assert settings(shown) == before
        await page.keyboard.press("Enter")  # who holds it down orders nothing
        assert await hold.locator(".panel").is_visible()
        assert settings(shown) == before
        await hold.get_by_role("button", name="Do it").click()
        said = hold.get_by_role("status")
        await page.wait_for_function("() => document.querySelector('.ask .said.good')")
        assert settings(shown)[MIN] == pytest.approx(0.49)  # no sooner is it called done
        assert (await said.inner_text()).startswith(f"Done, and read back\n{MIN} 7.0 % → 49.0 %")
        await page.wait_for_selector(".mode-on:has-text('Hold is on until ')")
        assert "Lowest charge: 7.0 %" in await page.inner_text(".mode ul")
        await page.wait_for_selector(f".object:has-text('{MIN}') .held:has-text('49.0 %')")
        await page.click("text=End it now")
        await page.wait_for_selector(".mode .said.good:has-text('all is as it was before')")
        assert settings(shown) == before
        await page.wait_for_selector(".mode:has-text('No mode is on')")
        await page.wait_for_function("() => document.querySelectorAll('.orders li').length === 2")
    assert (watch.errors, watch.elsewhere) == ([], [])


async def test_a_setting_and_what_was_not_done(shown: Shown, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rct_tools.writing.TRIES", 1)
    async with opened(browser, f"{shown.url}/control", locale="de-DE") as (page, watch):
        await entered(page)
        low = page.locator("details", has_text=MIN)
        await low.locator("summary").click()
        await low.get_by_label("Neuer Wert (%)").fill("20")
        show = low.get_by_role("button", name="Zeigen, was geschähe")
        await show.click()
        await low.locator(".panel").get_by_text("nicht höher").wait_for()
        await low.get_by_label("Neuer Wert (%)").fill("25")  # so what was shown is not what would be done
        assert await low.locator(".panel").is_hidden()
        await show.click()
        shown.simulator.faults = Faults(unwritten=1.0)
        await low.get_by_role("button", name="Ausführen").click()
        await low.locator(".said.bad").wait_for()
        assert await low.locator(".said").inner_text() == (
            "Das ging schief\nKleinste Ladung ließ sich nicht auf 25,0 % setzen; 1 Mal gesendet. "
            "Im Wechselrichter steht 7,0 %."
        )
        shown.simulator.faults = Faults()
        await show.click()
        await low.get_by_role("button", name="Ausführen").click()
        await low.locator(".said.good").wait_for()
        assert settings(shown)[MIN] == pytest.approx(0.25)
        await low.locator(".held", has_text="25,0 %").wait_for()
        # What it holds already is nothing to do; what is refused says why.
        await show.click()
        await low.get_by_text("Es gibt nichts zu tun").wait_for()
        assert await low.get_by_role("button", name="Ausführen").count() == 0
        reserve = page.locator("form.ask[aria-label=Reserve]")
        await reserve.get_by_label("Nicht unter").fill("90")
        await reserve.get_by_role("button", name="Zeigen").click()
        await reserve.locator(".said.bad", has_text="Die Batterie steht bei 50,0 %").wait_for()
        grid = page.locator("details", has_text="use_grid_power_enable")
        await grid.locator("summary").click()
        await grid.get_by_label("Neuer Wert").select_option("ja")
        await grid.get_by_role("button", name="Zeigen").click()
        await grid.get_by_role("button", name="Ausführen").click()
        await grid.locator(".said.good").wait_for()
        assert settings(shown)["power_mng.use_grid_power_enable"] is True
        reduction = page.locator("details", has_text="power_reduction")
        await reduction.locator("summary").click()
        await reduction.get_by_label("Neuer Wert").fill("99.5")
        await reduction.get_by_role("button", name="Zeigen").click()
        await reduction.locator(".changes td:has-text('99,5 %')").wait_for()
    assert all("409" in error for error in watch.errors)


async def test_all_that_is_told_of_an_order_is_german(shown: Shown, browser: Browser) -> None:
    async with opened(browser, f"{shown.url}/control", locale="de-DE", timezone_id="America/Lima") as (page, watch):
        await entered(page)
        hold = page.locator("form.ask[aria-label=Halten]")
        await hold.get_by_role("button", name="Zeigen, was geschähe").click()
        await hold.get_by_role("button", name="Ausführen").click()
        await hold.locator(".said.good").wait_for()
        said = await hold.locator(".said").inner_text()
        until = (await page.inner_text(".mode-on")).removeprefix("Halten ist an bis ").removesuffix(".")
        assert said == (
            "Erledigt und zurückgelesen\n"
            f"Kleinste Ladung: 7,0 % → 49,0 %, Strategie der Batterie: schon intern; bis {until}"
        )
        low = page.locator("details", has_text=MIN)
        await low.locator("summary").click()
        await low.get_by_label("Neuer Wert (%)").fill("20")
        await low.get_by_role("button", name="Zeigen").click()
        await low.locator(".said.bad").wait_for()
        assert await low.locator(".said").inner_text() == (
            "Nicht erledigt\nModus Halten hat „Kleinste Ladung“ geändert und stellt es zurück; erst den Modus beenden."
        )
        await page.click("text=Jetzt beenden")
        await page.wait_for_selector(".mode .said.good")
        ended = "Modus Halten ist beendet. Alles ist, wie es vorher war."
        assert await page.inner_text(".mode .said") == f"Erledigt und zurückgelesen\n{ended}"
        await page.wait_for_selector(".orders li:has-text('Der Modus ist beendet')")
        await page.wait_for_selector(".orders li:has-text('Erledigt und zurückgelesen'):has-text('Modus normal')")
        normal, held = [line.partition(" · ")[2] for line in await page.locator(".orders li").all_inner_texts()]
        assert normal == f"Erledigt und zurückgelesen · Modus normal, von 127.0.0.1: {ended}"
        assert held == (
            "Der Modus ist beendet · Modus Halten, von 127.0.0.1: "
            "An seine Stelle tritt: Modus normal. Alles ist, wie es vorher war."
        )
        assert await page.locator(".said [lang=en]").count() == 0
        assert await page.locator(".orders [lang=en]").count() == 0
        await shown.simulator.close()
        # Before the page knows it, or after: then it has closed the form.
        await hold.get_by_role("button", name="Zeigen").evaluate(
            "button => { button.closest('fieldset').disabled = false; button.click(); }"
        )
        await hold.locator(".said.bad").wait_for()
        why = (await hold.locator(".said").inner_text()).removeprefix("Nicht erledigt\n")
        assert re.fullmatch(r"(Keine Verbindung zum Wechselrichter|Keine Antwort auf): .+\.", why)
        assert await hold.locator(".said [lang=en]").count() == 0
        assert await violations(page) == []
    assert all("409" in error or "503" in error for error in watch.errors)


async def test_what_others_have_ordered_and_what_has_no_code(shown: Shown, browser: Browser) -> None:
    steward = shown.collector.watched["roof"].steward
    assert steward is not None
    steward.take(Order("roof", Set(MIN, 0.3), "mqtt there", 0), lambda _: None)  # of 1970
    async with opened(browser, f"{shown.url}/control", locale="de-DE") as (page, _):
        await entered(page)
        line = page.locator(".orders li")
        await line.filter(has_text="länger als 60 s").wait_for()
        told = "Kleinste Ladung auf 30,0 %: Nicht erledigt: Das hat länger als 60 s gewartet."
        assert await line.inner_text() == f"Von anderen · {told}"
        assert await line.locator("[lang=en]").count() == 0
        steward.last = Sentence("words of others")
        await line.filter(has_text="words of others").locator("[lang=en]").wait_for()


async def test_inputs_have_the_limits_of_the_inverter(shown: Shown, browser: Browser) -> None:
    async with opened(browser, f"{shown.url}/control") as (page, _):
        await entered(page)
        before = settings(shown)
        charge = page.locator("form.ask[aria-label=Charge]")
        power = charge.get_by_label("Power (W)")
        limits = [await power.get_attribute(name) for name in ("min", "max", "required")]
        assert limits == ["1", "10100", ""]
        for wrong in ("0", "20000", ""):
            await power.fill(wrong)
            await charge.get_by_role("button", name="Show").click()
            assert await power.evaluate("input => !input.validity.valid")
        assert await charge.locator(".panel").is_hidden()
        power_of_others = page.locator("details", has_text="battery_power_extern")
        await power_of_others.locator("summary").click()
        text = await power_of_others.inner_text()
        assert "above 0 discharges the battery, below 0 charges it" in text
        assert "−10,100 to 10,100 W" in text
        assert settings(shown) == before


async def test_by_keys_alone(shown: Shown, browser: Browser) -> None:
    async with opened(browser, f"{shown.url}/control") as (page, _):
        await entered(page)
        before = settings(shown)
        press = page.keyboard.press
        await page.focus("#reserve-soc")
        await page.keyboard.type("30")
        await press("Enter")
        await page.wait_for_selector(".panel:focus")
        for _ in range(3):
            await press("Enter")
        assert settings(shown) == before
        await press("Tab")  # the bytes
        await press("Tab")
        assert await page.evaluate("() => document.activeElement.textContent") == "Do it"
        await press("Enter")
        await page.wait_for_selector(".ask .said.good")
        assert settings(shown)[MIN] == pytest.approx(0.3)
        assert await page.evaluate("() => document.activeElement.getAttribute('role')") == "status"


@pytest.mark.parametrize("arrives", [True, False])
async def test_an_order_whose_answer_is_lost(shown: Shown, browser: Browser, arrives: bool) -> None:
    async def lose(route: Route) -> None:
        if arrives:
            await route.fetch()
        await route.abort()

    async with opened(browser, f"{shown.url}/control") as (page, _):
        await entered(page)
        await page.route("**/api/control/order", lose)
        hold = page.locator("form.ask[aria-label=Hold]")
        await hold.get_by_role("button", name="Show what would happen").click()
        await hold.get_by_role("button", name="Do it").click()
        await hold.locator(".said.good" if arrives else ".said.bad").wait_for()
        said = await hold.get_by_role("status").inner_text()
        assert said.startswith("Done, and read back" if arrives else "Nobody knows what came of this")
    assert (settings(shown)[MIN] == pytest.approx(0.49)) == arrives


async def test_a_collector_that_hangs(shown: Shown, browser: Browser) -> None:
    """Nobody waits for ever; and what was ordered then may be done all the same."""
    async with opened(browser, f"{shown.url}/control", locale="de-DE") as (page, _):
        await entered(page)
        await page.clock.install()
        hold = page.locator("form.ask[aria-label=Halten]")
        said = hold.get_by_role("status")
        await page.route("**/api/control/consider", hang)
        async with page.expect_request("**/api/control/consider"):
            await hold.get_by_role("button", name="Zeigen").click()
        await hold.get_by_text("Der Wechselrichter wird gefragt").wait_for()
        await page.clock.fast_forward(61_000)
        await hold.locator(".said.bad").wait_for()
        assert await said.inner_text() == "Nicht erledigt. Keine Antwort in 60 s."
        await page.unroute("**/api/control/consider")
        await hold.get_by_role("button", name="Zeigen").click()
        await page.route("**/api/control/order", hang)
        await hold.locator(".do").wait_for()
        await page.route("**/api/control?*", hang)
        async with page.expect_request("**/api/control/order"):
            await hold.locator(".do").click()
        await page.clock.fast_forward(11_000)
        await hold.get_by_text("Es kann trotzdem erledigt sein").wait_for()
        await page.unroute("**/api/control?*")
        await page.clock.fast_forward(61_000)
        await hold.get_by_text("Was daraus wurde, weiß niemand").wait_for()


async def test_the_same_trouble_is_said_once(shown: Shown, browser: Browser) -> None:
    """Whoever has the page read aloud would hear it every ten seconds."""
    async with opened(browser, f"{shown.url}/control", locale="de-DE") as (page, watch):
        await entered(page)
        await page.clock.install()
        said = {"code": "not_read", "values": {"inverter": "roof"}}
        document = {"error": "roof: not read at the moment", "said": said}
        await page.route("**/api/control?*", lambda route: route.fulfill(status=503, json=document))
        trouble = page.locator(".banner.error")
        await page.clock.fast_forward(11_000)
        await trouble.filter(has_text="roof wird zurzeit nicht gelesen.").wait_for()
        await trouble.evaluate("banner => banner.firstChild.isFirst = true")
        for _ in range(2):
            async with page.expect_response("**/api/control?*"):
                await page.clock.fast_forward(11_000)
        assert await trouble.evaluate("banner => banner.firstChild.isFirst")
    assert all("503" in error for error in watch.errors)


async def test_away_nothing_can_be_ordered(shown: Shown, browser: Browser) -> None:
    async with opened(browser, f"{shown.url}/control") as (page, _):
        await entered(page)
        assert await page.is_hidden(".away-note")
        await shown.simulator.close()
        await page.wait_for_selector(".away-note")
        await page.wait_for_selector(".control fieldset:disabled")
        assert await page.locator(".modes button").first.is_disabled()


@pytest.mark.parametrize("password", ["", PASSWORD])
async def test_no_tab_where_nothing_may_be_steered(browser: Browser, tmp_path: Path, password: str) -> None:
    async with (
        Simulator(port=0, latency=0.001, broadcast=False, speed=0, start=NOON) as simulator,
        showing(simulator, plan=QUICK, password=password) as shown,
        opened(browser, f"{shown.url}/control") as (page, _),
    ):
        if password:
            await page.fill("#password", PASSWORD)
            await page.keyboard.press("Enter")
        said = "this inverter is not steered" if password else "steering by the page needs a login"
        await page.wait_for_selector(f"main:has-text('{said}') [lang=en]")
        assert await page.locator("nav a:text-is('Inverter')").is_visible()
        assert await page.locator("nav a:text-is('Control')").is_hidden()


async def test_nothing_without_a_login(shown: Shown, browser: Browser) -> None:
    async with opened(browser, f"{shown.url}/control") as (page, _):
        await page.wait_for_selector("#password")
        assert await page.locator("nav a:text-is('Control')").is_hidden()
        assert await page.locator(".control").count() == 0
        await entered(page)
        await page.context.clear_cookies()
        await page.locator("form.ask[aria-label=Hold]").get_by_role("button").click()
        await page.wait_for_selector("#password")  # whoever is out meanwhile has to log in anew


@pytest.mark.parametrize("locale", ["de-DE", "en-GB"])
async def test_text_twice_as_large(shown: Shown, browser: Browser, locale: str) -> None:
    async with opened(browser, f"{shown.url}/control", locale=locale, viewport=SIZES["phone"]) as (page, _):
        await entered(page)
        await page.evaluate("() => document.documentElement.style.fontSize = '200%'")
        assert await is_too_wide(page) == 0
        for details in await page.locator("details").all():
            await details.locator("summary").click()
        await page.locator("form.ask").first.get_by_role("button").click()
        await page.locator(".panel summary").click()
        assert await is_too_wide(page) == 0
        assert await violations(page) == []
        await page.click(".panel .do")
        await page.wait_for_selector(".said.good")
        await page.wait_for_selector(".end:visible")
        assert await is_too_wide(page) == 0


@pytest.mark.parametrize(("size", "colours", "locale"), LOOKS)
async def test_axe_finds_nothing_and_nothing_is_cut(
    shown: Shown, browser: Browser, size: str, colours: Any, locale: str
) -> None:
    async with opened(browser, f"{shown.url}/control", viewport=SIZES[size], color_scheme=colours, locale=locale) as (
        page,
        watch,
    ):
        await entered(page)
        for details in await page.locator("details").all():
            await details.locator("summary").click()
        await page.locator(".panel").first.wait_for(state="hidden")
        await page.locator("form.ask").first.get_by_role("button").click()
        await page.locator(".panel .do").wait_for()
        assert await violations(page) == []
        await page.click(".panel .do")
        await page.wait_for_selector(".said.good")
        await page.wait_for_selector(".end:visible")
        assert await violations(page) == []
        assert await is_too_wide(page) <= 0
        title = await page.title()
        await reads(page, "nav [aria-current]", "Steuern" if locale == "de-DE" else "Control")
        assert title.startswith(("Steuern", "Control"))
    assert (watch.errors, watch.elsewhere) == ([], [])
