"""rct top on a running collector: what its page tells is what is shown, and no old value looks new."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from aiohttp import web

from rct_tools.display import show_value
from rct_tools.errors import ConfigError, LinkError, RctError, UnknownObject
from rct_tools.health import POWERS
from rct_tools.live import STEPS, Picture
from rct_tools.objects import registry
from rct_tools.simulator import Simulator
from rct_tools.times import SECOND
from rct_tools.top import Collected, Inverter, Page, collected
from rct_tools.top.app import Top
from rct_tools.top.collected import PAUSE
from rct_tools.top.page import SILENCE

from programs import finish, run, running
from servers import free_ports
from showing import QUICK, ZONE, Shown, known, showing, until
from warp import warp

UNREAD = {"flash_rtc.time_stamp", "battery_placeholder[0].bms_sn", "battery_placeholder[0].soc"}
PASSWORD = "correct horse battery"
T0 = 1_700_000_100 * SECOND


@asynccontextmanager
async def watching(url: str, name: str = "", password: str = "", **how: Any) -> AsyncIterator[Collected]:
    async with collected(Page(url, password), name, **how) as source:
        job = asyncio.create_task(source.run())
        try:
            yield source
        finally:
            job.cancel()
            await asyncio.wait([job])


def seen(source: Collected) -> Picture:
    return source.picture(STEPS[0], 3)


@asynccontextmanager
async def house(**how: Any) -> AsyncIterator[Shown]:
    """A collector with its page, of a house that stands still."""
    async with (
        Simulator(port=0, latency=0.001, broadcast=False, speed=0) as simulator,
        showing(simulator, plan=QUICK, **how) as shown,
    ):
        await until(known(shown, *POWERS.values(), "battery.bms_sn", name=how.get("names", ("roof",))[0]))
        yield shown


def is_whole(source: Collected) -> bool:
    """Return whether all is known that a collector reads by default."""
    return not set(seen(source).health.missing) - UNREAD


# --- a collector that works -----------------------------------------------------------------------------------------


async def test_it_shows_what_the_inverter_says() -> None:
    async with house() as shown, watching(shown.url) as source:
        await until(lambda: is_whole(source))
        asked = shown.collector.watched["roof"].client
        picture = seen(source)
        truth = shown.simulator.house
        assert picture.health.powers.house == pytest.approx(truth.load)
        assert picture.health.powers.sun == pytest.approx(sum(truth.pv))
        assert picture.health.battery is not None
        assert picture.health.battery.soc == pytest.approx(truth.battery.soc)
        assert picture.health.faults == ()
        assert picture.health.firmware
        assert picture.up
        assert picture.age is not None
        assert picture.age < 30 * SECOND
        assert pytest.approx(truth.load) in picture.curves["house"]
        await until(lambda: seen(source).health.quality.requests > 0)
        assert seen(source).health.quality.requests <= asked.counters.requests
        assert source.zone == ZoneInfo(ZONE)
        assert source.title == f"roof at {shown.url.removeprefix('http://')}"


async def test_what_is_told_by_request_only_is_asked_of_the_collector() -> None:
    cells = registry["battery.cells[0]"]
    async with house() as shown, watching(shown.url) as source:
        await until(known(shown, cells.name))
        await until(lambda: source.newest("battery.soc") is not None)
        assert source.newest(cells.name) is None
        source.want([cells, registry["battery.soc"]])
        source.want([cells])  # it is under way
        await until(lambda: source.newest(cells.name) is not None)
        reading = source.newest(cells.name)
        assert reading is not None
        assert reading.value == cells.decode(shown.simulator.inverter.payload(cells))
        assert show_value(cells, reading.value).startswith("24 cells")
        assert 0 <= source.age(reading) < 30 * SECOND
        assert not source.is_silent(cells.name)


async def test_events_and_today(tmp_path: Path) -> None:
    async with house(store=tmp_path / "readings.db") as shown, watching(shown.url) as source:
        await until(lambda: is_whole(source))
        assert source.log is source
        there = Inverter(shown.collector.watched["roof"].client, source.zone)
        assert await source.events(5) == await there.events(5)  # as if the inverter itself had been asked
        (lane,) = [lane for label, lane in shown.collector.lanes.items() if label != "page"]
        await until(lambda: lane.written > len(QUICK.expects))
        day, rows = await source.today()
        assert (day.hour, day.minute, day.tzinfo) == (0, 0, source.zone)
        assert source.log_name.startswith("the store of 127.0.0.1:")
        truth = shown.simulator.house
        assert rows[0].values == {
            "Pdc A": pytest.approx(truth.pv[0]),
            "Pdc B": pytest.approx(truth.pv[1]),
            "Pload": pytest.approx(truth.load),
            "Pgrid feed": pytest.approx(min(truth.grid, 0.0)),
            "Pgrid load": pytest.approx(max(truth.grid, 0.0)),
            "SOC": pytest.approx(truth.battery.soc),
        }


async def test_without_a_store_there_is_no_today() -> None:
    async with house() as shown, watching(shown.url) as source:
        with pytest.raises(LinkError, match=r"there is no SQLite file among the sinks"):
            await source.today()


async def test_an_inverter_that_is_away_is_said_to_be() -> None:
    async with house() as shown, watching(shown.url) as source:
        await until(lambda: seen(source).up is True)
        shown.simulator.night(3600)
        await until(lambda: seen(source).up is False)
        away = seen(source)
        assert (away.age, away.health.powers.house, away.health.today.made) == (None, None, None)
        assert away.health.name
        assert source.title.startswith("roof at ")
        shown.simulator.day()
        await until(lambda: seen(source).up is True and seen(source).health.powers.house is not None)


async def test_it_comes_back_when_the_collector_does(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "rct_tools.top")
    (port,) = free_ports(1)
    async with Simulator(port=0, latency=0.001, broadcast=False, speed=0) as simulator:
        async with showing(simulator, plan=QUICK, port=port, password=PASSWORD) as shown:
            await until(known(shown, *POWERS.values()))
            page = collected(Page(shown.url, PASSWORD))
            source = await page.__aenter__()
            job = asyncio.create_task(source.run())
            await until(lambda: seen(source).health.powers.house is not None)
        await until(lambda: seen(source).up is False)
        assert seen(source).health.powers.house is None  # at once, not when it would be too old
        assert source.title == "roof: no collector"
        async with showing(simulator, plan=QUICK, port=port, password=PASSWORD):  # which knows nobody any more
            await until(lambda: seen(source).up is True)
            await until(lambda: seen(source).health.powers.house is not None)
            assert source.title.startswith("roof at ")
            job.cancel()
            await asyncio.wait([job])
            await page.__aexit__(None, None, None)
    said = [record.getMessage() for record in caplog.records if record.name.startswith("rct_tools.top")]
    assert len(said) == 2, said
    assert said[0] == f"http://127.0.0.1:{port}: the connection ended; trying again"
    assert said[1] == f"http://127.0.0.1:{port}: is back"


async def test_a_password_opens_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rct_tools.web.door._FIRST_WAIT", 600.0)  # longer than any machine takes for this
    async with house(password=PASSWORD) as shown:
        async with watching(shown.url, password=PASSWORD) as source:
            await until(lambda: seen(source).up is True)
        with pytest.raises(ConfigError, match=r"asks for a password: give the file that holds it, --password-file"):
            async with watching(shown.url):
                pass
        for _ in range(5):
            with pytest.raises(ConfigError, match=r"this is not the password$"):
                async with watching(shown.url, password="wrong horse battery"):
                    pass
        with pytest.raises(LinkError, match=r"too many wrong passwords; wait$"):
            async with watching(shown.url, password=PASSWORD):
                pass


async def test_of_several_inverters_one_is_named() -> None:
    async with house(names=("roof", "barn")) as shown:
        with pytest.raises(ConfigError, match=r"has 2 inverters, so say which with --inverter: roof, barn$"):
            async with watching(shown.url):
                pass
        with pytest.raises(UnknownObject, match=r"there is no inverter 'bar'; did you mean barn\?$"):
            async with watching(shown.url, "bar"):
                pass
        async with watching(shown.url, "barn") as source:
            await until(lambda: seen(source).up is True)
            assert source.title.startswith("barn at ")


async def test_the_view_on_a_terminal(tmp_path: Path) -> None:
    async with house(store=tmp_path / "readings.db") as shown, collected(Page(shown.url)) as source:
        app = Top(source)
        async with app.run_test(size=(80, 24)) as pilot:

            def text() -> str:
                screen = app.screen
                return "\n".join(strip.text for strip in screen._compositor.render_strips())

            async def says(what: str) -> None:
                async with asyncio.timeout(30):
                    while what not in text():
                        await pilot.pause(0.05)

            await says(f"{shown.simulator.house.load / 1000:.2f} kW")
            await says("roof at 127.0.0.1:")
            await says("repeated")  # none, or some where the machine is busy
            await pilot.press("h")
            await says("from the store of 127.0.0.1:")
            await pilot.press("escape", "slash", *"cells[1]")
            await says("24 cells:")


# --- servers that follow a script -----------------------------------------------------------------------------------


def value(number: Any, name: str = POWERS["house"], age: int | None = 0, **more: Any) -> dict[str, Any]:
    return {"value": number, "unit": registry[name].unit, "time": 0, "age": age, "lasts": 60_000} | more


def message(whole: bool = True, *, up: bool = True, age: int | None = 0, absent: Any = (), **objects: Any) -> Any:
    named = {POWERS.get(name, name): told for name, told in objects.items()}
    roof = {"up": up, "zone": "UTC", "age": age, "absent": list(absent), "objects": named}
    return {"whole": whole, "inverters": {"roof": roof}}


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def scripted(*live: Any, now: Any = None, **routes: Any) -> AsyncIterator[str]:
    """Serve what a page might; ``live`` are its messages, after which it says nothing."""

    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for each in live:
            if callable(each):
                await each(response)
            else:
                data = each if isinstance(each, bytes) else f"data: {json.dumps(each)}\n\n".encode()
                await response.write(data)
        await asyncio.Event().wait()
        return response

    answers = {"session": {"password": False, "open": True}, "now": now or message(), "live": stream, **routes}
    app = web.Application()
    for path, answer in answers.items():
        app.router.add_get(f"/api/{path}", answer if callable(answer) else answering(answer))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def answering(answer: Any) -> Handler:
    async def handle(_request: web.Request) -> web.Response:
        if isinstance(answer, web.Response):
            return web.Response(status=answer.status, body=answer.body, headers=answer.headers)
        return web.Response(text=json.dumps(answer), content_type="application/json")

    return handle


async def test_values_are_as_old_as_the_page_says() -> None:
    told = message(
        sun_a=value(700.0, age=1000),
        house=value(500.0, age=59_000),
        grid=value(100.0, age=61_000),
    )
    async with scripted(told) as url, watching(url, ticking=lambda: 0) as source:
        await until(lambda: seen(source).health.powers.sun_a == 700.0)
        powers = seen(source).health.powers
        assert (powers.house, powers.grid) == (500.0, None)
        reading = source.newest(POWERS["house"])
        assert reading is not None
        assert source.age(reading) == 59 * SECOND
        assert source.newest(POWERS["grid"]) is not None  # but too old to be shown
        assert seen(source).age == 59 * SECOND
        heard = seen(source).heard
        newest = source.newest(POWERS["sun_a"])
        assert newest is not None
        assert heard == newest.time


ODD: dict[str, Any] = {
    "external": value(7),
    "house": value("500"),
    "sun_a": value(500.0) | {"unit": "kW"},
    "sun_b": value(None, POWERS["sun_b"]),
    "battery": value(True, POWERS["battery"]),
    "grid": value(500.0, age=None),
    "no.such.object": value(1.0),
    "battery.voltage": value(10**400, "battery.voltage"),
    "battery.cells[0]": value([1, 2], "battery.cells[0]"),
}


async def test_what_is_odd_is_not_known() -> None:
    async with scripted(message(**ODD)) as url, watching(url) as source:
        await until(lambda: seen(source).health.powers.external == 7.0)
        powers = seen(source).health.powers
        assert (powers.house, powers.sun_a, powers.sun_b, powers.battery, powers.grid) == (None,) * 5
        assert source.newest("no.such.object") is None
        assert source.newest("battery.voltage") is None
        assert source.newest("battery.cells[0]") is None


EVENT = {
    "begin": 0,
    "end": None,
    "sure": True,
    "type": 3,
    "name": "x\x1b[2J",
    "object": None,
    "unit": "",
    "raw": [0, 0, 0],
}
LIES: list[tuple[str, Any]] = [  # what no screen could show
    ("events", {"events": [EVENT | {"begin": 2**60}]}),
    ("events", {"events": [EVENT | {"end": 2**70}]}),
    ("events", {"events": [EVENT | {"raw": [0, 2**40, 0]}]}),
    ("curves", {"begin": 2**60, "step": 60, "curves": {POWERS["house"]: {"values": [1.0]}}}),
    ("curves", {"begin": 60, "step": 2**60, "curves": {POWERS["house"]: {"values": [1.0]}}}),
    ("curves", {"begin": 60, "step": 60, "curves": {POWERS["house"]: {"values": [1e308]}}}),
    ("curves", {"begin": 60, "step": 60, "curves": {POWERS["house"]: {"values": [1.0] * 3001}}}),
]


@pytest.mark.parametrize(("what", "answer"), LIES)
async def test_what_cannot_be_true_is_one_line(what: str, answer: Any) -> None:
    async with scripted(message(), **{what: answer}) as url, watching(url) as source:
        with pytest.raises(LinkError, match=r"is no page of RCT Tools: "):
            await (source.events(5) if what == "events" else source.today())


async def test_nothing_that_is_told_steers_the_terminal() -> None:
    told = message() | {"inverters": {"\x1b[2J": message()["inverters"]["roof"]}}
    async with scripted(told, now=told, events={"events": [EVENT]}) as url, watching(url) as source:
        (event,) = await source.events(5)
        assert event.name == "x\ufffd[2J"
        assert source.title.startswith("\ufffd[2J at ")


async def test_what_is_not_there_gives_nothing_and_is_not_unknown() -> None:
    told = message(sun_a=value(700.0), absent=["string B", "battery"], age=20_000)
    curves = {POWERS["sun_a"]: {"unit": "W", "values": [None, 700.0]}}
    today = {"curves": curves, "begin": 60, "step": 60}
    async with scripted(told, curves=today) as url, watching(url) as source:
        await until(lambda: seen(source).health.powers.sun == 700.0)
        health = seen(source).health
        assert health.battery is None
        assert health.today.made_b == 0.0
        _, rows = await source.today()
        assert [(row.time, row.values) for row in rows] == [(120 * SECOND, {"Pdc A": 700.0, "Pdc B": 0.0})]


async def test_nothing_is_not_told_of_an_inverter_that_was_never_heard() -> None:
    async with scripted(message(up=False, age=None, absent=["string B"])) as url, watching(url) as source:
        await until(lambda: source._absent == {"string B"})
        assert seen(source).heard is None
        assert seen(source).up is None


async def test_the_same_value_told_again_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time_ns", lambda: T0)  # in the middle of a column
    first = message(house=value(100.0, age=3000))
    new = message(False, house=value(400.0))
    again = message(house=value(400.0, age=1))
    told = (first, new, again, message(False, grid=value(1.0)))
    async with scripted(*told) as url, watching(url, ticking=lambda: 0) as source:
        await until(lambda: seen(source).health.powers.grid == 1.0)
        (house,) = [found for found in source.picture(STEPS[-1], 1).curves["house"] if found is not None]
        assert house == 250.0


async def test_mute_objects_are_said_to_be() -> None:
    state = {"mute": ["battery.soc"], "health": None}
    async with scripted(message(), inverter=state) as url, watching(url) as source:
        await until(lambda: source.is_silent("battery.soc"))
        assert not source.is_silent(POWERS["house"])


def endless(body: bytes) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(body)

    return handle


def page_error(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=json.dumps({"error": text}), content_type="application/json")


NO_PAGE: list[tuple[str, Any, str]] = [  # what it is asked, what it answers, what is said
    ("session", web.Response(text="<html>"), r"is no page of RCT Tools: JSON is malformed"),
    ("session", web.Response(body=b'"\xff"'), r"is no page of RCT Tools: "),
    ("session", {"password": True, "open": 7}, r"is no page of RCT Tools: Expected `bool`, got `int` - at `\$.open`"),
    ("session", {"password": False, "open": False}, r"is only for those whom its reverse proxy has logged in$"),
    ("session", web.Response(status=404, text="x"), r"answers 404 Not Found, which no page of RCT Tools does"),
    ("session", web.Response(status=302, headers={"Location": "http://x.invalid/"}), r"answers 302 Found"),
    ("session", page_error(421, "ask for it as localhost"), r": ask for it as localhost$"),
    ("session", page_error(503, "\x1b[2J" * 1000), "\ufffd\\[2J"),
    ("session", endless(b" " * 1_000_000), r"an answer without an end"),
    ("now", {"inverters": {}}, r"has no inverter yet"),
    ("now", message() | {"inverters": {"roof": {}}}, r"Object missing required field `up`"),
    ("now", message(house=value(1.0, age=-1)), r"Expected `int` >= 0"),
    ("now", message(house=value(1.0, age=2**42)), r"Expected `int` <= "),
    ("now", web.Response(text='{"inverters": ' + "[" * 100_000), r"is no page of RCT Tools: "),
    ("now", web.Response(text='{"inverters": {"x": ' + '{"objects": {"y": {"value": ' + "[" * 100_000), r"no page"),
    ("now", {"inverters": dict.fromkeys(("\x1b[2J", "barn"), message()["inverters"]["roof"])}, r": \ufffd\[2J, barn$"),
    ("now", {"inverters": {"roof": message()["inverters"]["roof"] | {"zone": "Mars"}}}, r"'Mars' is no time zone"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "answer", "said"), NO_PAGE)
async def test_what_is_no_page_is_one_line(path: str, answer: Any, said: str) -> None:
    async with scripted(**{path: answer}) as url:
        with pytest.raises(RctError, match=said) as caught:
            async with watching(url):
                pass
    text = str(caught.value)
    assert text.isprintable()
    assert len(text) < 400


async def test_who_speaks_something_else_is_no_page() -> None:
    async with Simulator(port=0) as simulator:
        with pytest.raises(LinkError) as caught:
            async with watching(f"http://127.0.0.1:{simulator.port}"):
                pass
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "roof",
            "http://",
            "ftp://roof:9834",
            "http://roof:x",
            "http://me:secret@roof:9834",
            "http://roof/battery",
        ),
        *("http://roof/?inverter=x", "http://[::1", "/etc/passwd"),
    ],
)
def test_what_is_no_address_of_a_page(url: str) -> None:
    with pytest.raises(ConfigError, match=r"^that is no page; expected the address of one"):
        Page(url)


@pytest.mark.parametrize(
    ("url", "peer"),
    [
        ("127.0.0.1:9834", "127.0.0.1:9834"),
        ("http://roof:9834/", "roof:9834"),
        ("https://solar.example.org", "solar.example.org"),
        ("[::1]:9834", "[::1]:9834"),
    ],
)
def test_addresses_of_pages(url: str, peer: str) -> None:
    assert Page(url).peer == peer


async def letter_by_letter(response: web.StreamResponse) -> None:
    while True:
        await response.write(b" ")
        await asyncio.sleep(1)


TROUBLE: list[tuple[tuple[Any, ...], str]] = [  # what is said live, what is said of it
    ((message(house=value(1.0)),), "says nothing"),
    ((message(house=value(1.0)), letter_by_letter), "says nothing"),
    ((message(house=value(1.0)), b"data: {\n\n"), "is no page of RCT Tools: "),
    ((message(house=value(1.0)), {"inverters": {}}), "does not have roof any more"),
    ((message(house=value(1.0)), b"x" * 9_000_000), "an event without an end"),
]


@pytest.mark.parametrize(("live", "said"), TROUBLE)
def test_trouble_later_on_is_said_and_it_is_tried_again(
    live: tuple[Any, ...], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        hold = asyncio.Event()

        async def wait(_response: web.StreamResponse) -> None:
            await hold.wait()  # until the first message has been looked at

        def steady() -> int:
            return round(loop.time() * SECOND)

        async with scripted(live[0], wait, *live[1:]) as url, watching(url, ticking=steady) as source:
            await until(lambda: seen(source).health.powers.house is not None)
            began = loop.time()
            hold.set()
            await until(lambda: seen(source).up is False)
            assert seen(source).health.powers.house is None
            assert loop.time() - began <= SILENCE + 1
            hold.clear()
            await until(lambda: seen(source).up is True)
            assert loop.time() - began <= SILENCE + PAUSE + 2

    warp(main())
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("rct_tools.top")]
    assert said in lines[0]
    assert lines[0].endswith("; trying again")
    assert lines[1].endswith(": is back")


async def test_what_lies_here_when_the_machine_wakes_is_old() -> None:
    passed = [0]
    hold = asyncio.Event()

    async def wait(_response: web.StreamResponse) -> None:
        await hold.wait()

    live = (message(house=value(1.0)), wait, message(house=value(2.0)))
    async with scripted(*live) as url, watching(url, ticking=lambda: passed[0]) as source:
        await until(lambda: seen(source).health.powers.house == 1.0)
        passed[0] += 3600 * SECOND
        hold.set()
        await until(lambda: seen(source).up is False)
        reading = source.newest(POWERS["house"])
        assert reading is not None
        assert reading.value == 1.0  # and not what was lying here


async def test_a_live_page_that_turns_away() -> None:
    full = page_error(503, "too many pages are open")
    async with scripted(live=full) as url, watching(url) as source:
        await until(lambda: source.title == "roof: no collector")


async def test_a_password_that_is_changed_ends_it() -> None:
    sessions = iter([True])

    async def session(_request: web.Request) -> web.Response:
        return web.json_response({"password": True, "open": next(sessions, False)})

    async with scripted({"inverters": {}}, session=session) as url, collected(Page(url)) as source:
        with pytest.raises(ConfigError, match=r"asks for a password"):
            await source.run()


# --- the command ----------------------------------------------------------------------------------------------------


async def test_rows(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text(f"{PASSWORD}\n")
    async with house(password=PASSWORD) as shown:
        arguments = ("--page", shown.url, "--password-file", secret, "--inverter", "roof", "--format", "jsonl")
        async with running("rct", "top", *arguments) as process:
            assert process.stdout
            row: dict[str, Any] = {}
            async with asyncio.timeout(60):
                while row.get("used") is None:
                    row = json.loads(await process.stdout.readline())
            process.terminate()
            done = await finish(process)
    assert done.code == 0
    assert row["house"] == pytest.approx(shown.simulator.house.load)
    assert row["up"] is True


ERRORS: list[tuple[tuple[str, ...], int, str]] = [
    (("--page", "127.0.0.1:1", "--host", "x"), 2, "give either --host, --page or a FILE"),
    (("--page", "127.0.0.1:1", "--port", "7"), 2, "--port goes with --host or FILE only"),
    (("--page", "127.0.0.1:1", "--time-zone", "UTC"), 2, "--time-zone goes with --host or FILE only"),
    (("--host", "x", "--inverter", "roof"), 2, "--inverter goes with --page only"),
    (("--host", "x", "--password-file", "y"), 2, "--password-file goes with --page only"),
    (("--page", "roof"), 2, "that is no page; expected the address of one, such as http://127.0.0.1:9834"),
    (("--page", "127.0.0.1:1"), 1, "http://127.0.0.1:1: cannot connect: "),
    (("--page", "127.0.0.1:1", "--password-file", "/nowhere/x"), 2, "/nowhere/x: cannot be read"),
]


@pytest.mark.parametrize(("args", "code", "said"), ERRORS)
async def test_wrong_use_is_one_line(args: tuple[str, ...], code: int, said: str) -> None:
    done = await run("rct", "top", *args)
    assert (done.code, done.out) == (code, "")
    assert said in done.err.splitlines()[-1]


async def test_a_hash_is_no_password(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("$argon2id$v=19$m=65536,t=3,p=4$x$y\n")
    done = await run("rct", "top", "--page", "127.0.0.1:1", "--password-file", tmp_path / "password")
    assert (done.code, done.out) == (2, "")
    assert "is the hash of a password, which opens nothing" in done.err


async def test_without_aiohttp_there_is_one_line() -> None:
    without = "import sys; sys.modules['aiohttp'] = None; from rct_tools.cli import main; main()"
    arguments = ("top", "--page", "127.0.0.1:1", "--format", "csv")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", without, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    done = await finish(process)
    assert done.code == 2
    assert done.err.strip() == "Error: a page needs more than the core: pip install 'rct-tools[top]'"
