"""The live view on a terminal of some sizes: what is drawn, and what keys do."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from rich.cells import cell_len
from rich.text import Text
from textual.pilot import Pilot
from textual.widgets import Input, Static

from rct_tools.bars import kilowatt
from rct_tools.client import connect
from rct_tools.clock import Clock
from rct_tools.errors import CaptureError, NoAnswer
from rct_tools.events import tell
from rct_tools.health import ASKED, POWERS, Health, Quality
from rct_tools.history import HistoryRow
from rct_tools.live import STEPS, Live, Picture
from rct_tools.objects import ObjectInfo, registry
from rct_tools.paging import Dated
from rct_tools.reading import Reading
from rct_tools.simulator import Simulator
from rct_tools.simulator.inverter import Inverter as SimulatedInverter
from rct_tools.times import SECOND
from rct_tools.top import Inverter
from rct_tools.top.app import Top, _log_lines
from rct_tools.top.curves import curves
from rct_tools.top.drawn import aligned
from rct_tools.top.facts import facts
from rct_tools.top.flow import HEIGHT, WIDTH, flow
from rct_tools.top.head import ago
from rct_tools.top.today import day_axis, day_curves
from rct_tools.values import Event, LoggedEvent, Value
from rct_tools.vitals import UP

import one_house

UTC = ZoneInfo("UTC")
BERLIN = ZoneInfo("Europe/Berlin")
T0 = int(datetime(2024, 5, 27, 12, 3, 7, tzinfo=BERLIN).timestamp()) * SECOND
GOOD = Quality(7, 0, 0, 0, 0, 0, others=False)
SIZES = [(80, 24), (160, 50)]


def a_reading(name: str, value: Value, time: int = T0) -> Reading:
    return Reading(time, "roof", UP if name == UP.name else registry[name], value)


def an_event(kind: int, second: int = 0, begin: int = T0) -> LoggedEvent:
    shown = Clock(BERLIN).shows(begin // SECOND)
    return tell(Clock(BERLIN), Dated(Event(kind, shown, (shown + 31, second, 0)), begin // SECOND, True))


@cache
def house() -> dict[str, Value]:
    """Return what a simulated inverter says of all that a picture is made of."""
    inverter = SimulatedInverter.with_past(0, one_house.NOON)
    return {name: registry[name].decode(inverter.payload(registry[name])) for name in ASKED}


@dataclass
class Stage:
    """A source that does as it is told: with a log that can be asked, as it has one."""

    values: dict[str, Value] = field(default_factory=lambda: dict(house()))
    quality: Quality = GOOD
    happened: list[LoggedEvent] = field(default_factory=list)
    rows: list[HistoryRow] = field(default_factory=list)
    error: Exception | None = None  # of its log
    end: asyncio.Future[None] | None = None
    title: str = "roof:8899"
    zone: ZoneInfo = BERLIN
    log_name: str = "the inverter's log"
    is_over: bool = False
    has_log: bool = True
    now: int = T0
    wanted: set[str] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.live = Live(self.title, zone=self.zone)
        self.say()

    def say(self, **up: bool) -> None:
        """Say all of it now; with ``up``, also whether it is there."""
        for name, value in self.values.items():
            if name in registry:
                self.live.take(a_reading(name, value, self.now))
        for value in up.values():
            self.live.take(a_reading(UP.name, value, self.now))

    @property
    def log(self) -> Stage | None:
        return self if self.has_log else None

    async def run(self) -> None:
        self.end = asyncio.get_running_loop().create_future()
        await self.end

    def picture(self, step: int, columns: int) -> Picture:
        return self.live.picture(self.now, self.quality, step=step, columns=columns)

    def age(self, reading: Reading) -> int:
        return self.now - reading.time

    def newest(self, name: str) -> Reading | None:
        return self.live.newest(name)

    def is_silent(self, name: str) -> bool:
        return name in self.silent

    def want(self, infos: Iterable[ObjectInfo]) -> None:
        self.wanted = {info.name for info in infos}

    async def events(self, count: int) -> list[LoggedEvent]:
        if self.error:
            raise self.error
        return self.happened[:count]

    async def today(self) -> tuple[datetime, list[HistoryRow]]:
        if self.error:
            raise self.error
        return datetime(2024, 5, 27, tzinfo=BERLIN), self.rows


@asynccontextmanager
async def shown(stage: Any, size: tuple[int, int] = (80, 24), **how: Any) -> AsyncIterator[tuple[Top, Pilot[None]]]:
    app = Top(stage, **how)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        app.redraw()
        await pilot.pause()
        yield app, pilot


def part(app: Top, name: str) -> list[str]:
    """Return the lines of a part of the screen that is in front, or of the one below; it has to be there."""
    (widget,) = [found for screen in reversed(app.screen_stack) for found in screen.query(f"#{name}")][:1]
    return [widget.render_line(y).text.rstrip() for y in range(widget.size.height)]


def title(app: Top) -> str:
    """Return what is over a screen that is in front; nothing before it is drawn."""
    drawn = [widget.render_line(0).text.rstrip() for widget in app.screen.query("#title") if widget.size.height]
    return drawn[0] if drawn else ""


def screen(app: Top) -> str:
    return "\n".join(line for name in ("head", "flow", "curves", "facts") for line in part(app, name))


async def until(pilot: Pilot[None], condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await pilot.pause(0.02)
            pilot.app.redraw()  # type: ignore[attr-defined]


# --- the picture ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_all_of_it_is_on_the_screen(size: tuple[int, int]) -> None:
    stage = Stage(happened=[an_event(100, 0x43480000, T0 - day * 86_400 * SECOND) for day in range(60)])
    health = stage.picture(STEPS[0], 1).health
    stage.say(up=True)
    async with shown(stage, size) as (app, pilot):
        await until(pilot, lambda: registry.events[100] in screen(app))
        text = screen(app)
        assert app.screen.max_scroll_y == app.query_one("#body").max_scroll_y == 0
        footer = " ".join(str(key.render()) for key in app.query("FooterKey"))
    assert health.powers.sun is not None
    assert health.battery is not None
    assert health.battery.soc is not None
    for said in (
        f"{health.powers.sun / 1000:.2f} kW",
        f"{abs(health.powers.house or 0) / 1000:.2f} kW",
        f"{health.battery.soc:.1%}",
        "Simulated inverter roof:8899",
        "● 0.0 s old",
        "Feed in",
        "Faults   none",
        "7 requests, none repeated, cut or damaged",
        "self-consumption",
        "the last",
    ):
        assert said in text
    assert text.count(registry.events[100]) == (2 if size == (80, 24) else 37)
    assert all(key in footer for key in ("Objects", "Today", "Scale", "Pause", "Help", "Quit"))


async def test_more_room_shows_more() -> None:
    stage = Stage()
    stage.say(up=True)
    async with shown(stage, (160, 50)) as (app, _):
        assert "Strategy Internal" in screen(app)
        assert "next calibration" in screen(app)
        assert "27 May 2024, 12:03" in part(app, "head")[0]
        assert len(part(app, "curves")) > 30
    async with shown(Stage(), (80, 24)) as (app, _):
        assert "Strategy" not in screen(app)
        assert len(part(app, "curves")) == 6


async def test_a_terminal_that_is_too_small_scrolls() -> None:
    async with shown(Stage(), (60, 15)) as (app, _):
        assert app.query_one("#body").max_scroll_y > 0
        assert "Sun" in screen(app)


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_without_colours_all_is_said(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage()
    async with shown(stage, size) as (app, pilot):
        await until(pilot, lambda: "Events   none" in screen(app))
        coloured = screen(app)
        assert any(s.style and s.style.color and not s.style.color.is_default for s in segments(app))
    monkeypatch.setenv("NO_COLOR", "1")
    async with shown(stage, size) as (app, pilot):
        await until(pilot, lambda: "Events   none" in screen(app))
        assert screen(app) == coloured
        assert not any(s.style and s.style.color and not s.style.color.is_default for s in segments(app))


def segments(app: Top) -> list[Any]:
    return [segment for strip in app.screen._compositor.render_strips() for segment in strip]


async def test_away_is_said_and_no_number_stays() -> None:
    stage = Stage()
    stage.say(up=True)
    async with shown(stage) as (app, pilot):
        stage.now += 5 * SECOND
        app.redraw()
        await pilot.pause()
        assert "● 5.0 s old" in part(app, "head")[0]
        stage.live.take(a_reading(UP.name, False, stage.now))
        stage.now += 40 * SECOND
        app.redraw()
        await pilot.pause()
        assert "AWAY for 40 s, last value 12:03:07" in part(app, "head")[0]
        assert app.query_one("#body").has_class("away")
        flows = "\n".join(part(app, "flow"))
        assert "kW" not in flows
        assert "%" not in flows
        assert flows.count("   ?   ") == 4
        assert "Today    sun -  house -  import -  feed-in -" in screen(app)
        assert "Faults   -" in screen(app)
        stage.say(up=True)
        app.redraw()
        await pilot.pause()
        assert "● 0.0 s old" in part(app, "head")[0]
        assert not app.query_one("#body").has_class("away")
        assert "?" not in "\n".join(part(app, "flow"))


async def test_before_the_first_value() -> None:
    async with shown(Stage(values={})) as (app, _):
        assert "○ no value yet" in part(app, "head")[0]
        assert "kW" not in "\n".join(part(app, "flow"))


async def test_when_only_the_powers_are_missing() -> None:
    stage = Stage()
    stage.say(up=True)
    stage.now += 20 * SECOND
    async with shown(stage) as (app, _):
        assert "no power for 20 s" in part(app, "head")[0]
        assert "house -" not in screen(app)  # energies may be older


async def test_a_capture_says_its_own_time_and_its_end() -> None:
    stage = Stage(title="roof.rctcap", has_log=False)
    async with shown(stage) as (app, pilot):
        assert "● 27 May 12:03:07, 0.0 s old" in part(app, "head")[0]
        stage.is_over = True
        app.redraw()
        await pilot.pause()
        assert "■ end of the capture, 12:03:07" in part(app, "head")[0]
        await pilot.press("h")
        await until(pilot, lambda: "roof.rctcap: a capture has no log" in title(app))


async def test_it_moves() -> None:
    stage = Stage()
    async with shown(stage) as (app, pilot):
        for number in range(3):
            stage.values[POWERS["house"]] = 1000.0 * (number + 1)
            stage.now += STEPS[0]
            stage.say()
            app.redraw()
            await pilot.pause()
            assert f"{number + 1}.00 kW" in part(app, "flow")[1]
        (house,) = [line for line in part(app, "curves") if line.startswith("House")]
        assert house.split()[1:] == ["▁▃▆█", "3.00", "kW"]


# --- keys -----------------------------------------------------------------------------------------------------------


async def test_pause_stands_still_and_says_so() -> None:
    stage = Stage()
    async with shown(stage) as (app, pilot):
        await pilot.press("p")
        before = part(app, "flow")
        stage.now += 7 * SECOND
        stage.values[POWERS["house"]] = 9999.0
        stage.say()
        app.redraw()
        await pilot.pause()
        assert "PAUSED for 7.0 s" in part(app, "head")[0]
        assert part(app, "flow") == before
        await pilot.press("p")
        await pilot.pause()
        assert "10.00 kW" in part(app, "flow")[1]


async def test_scale_goes_round() -> None:
    async with shown(Stage()) as (app, pilot):
        said = []
        for _ in STEPS:
            said.append(part(app, "curves")[-1].strip())
            await pilot.press("s")
            await pilot.pause()
        assert [line.rpartition("is ")[2] for line in said] == ["10 s", "60 s", "5 min", "30 min"]
        assert part(app, "curves")[-1].strip() == said[0]


async def test_objects_are_searched_and_asked_for_while_in_sight() -> None:
    stage = Stage(silent={"adc.u_acc"})
    async with shown(stage) as (app, pilot):
        await pilot.press("/", *"battery.s")
        await pilot.pause()
        app.redraw()
        await pilot.pause()
        assert stage.wanted == {info.name for info in registry.match("battery.s")[: len(stage.wanted)]}
        assert "battery.soc" in "\n".join(part(app, "found"))
        assert "AWAY" not in part(app, "head")[0]
        app.screen.query_one(Input).value = "battery.so"
        stage.now += 3 * SECOND
        await pilot.pause()
        app.redraw()
        await pilot.pause()
        (line,) = [line for line in part(app, "found") if line.startswith("battery.soc ")]
        assert line.split() == [
            "battery.soc",
            f"{float(str(stage.values['battery.soc'])):.1%}".replace("%", ""),
            "%",
            "3.0",
            "s",
        ]
        app.screen.query_one(Input).value = "adc.u_acc"
        await pilot.pause()
        assert part(app, "found")[1].split() == ["adc.u_acc", "no", "answer"]
        app.screen.query_one(Input).value = "logger.minutes_soc_log"
        await pilot.pause()
        assert "a log: see rct history" in part(app, "found")[1]
        app.screen.query_one(Input).value = "no such thing"
        await pilot.pause()
        assert part(app, "found")[0] == "no object has this in its name"
        await pilot.press("escape")
        await pilot.pause()
        assert len(app.screen_stack) == 1


async def test_a_long_list_is_gone_through() -> None:
    async with shown(Stage()) as (app, pilot):
        await pilot.press("/")
        await pilot.pause()
        assert part(app, "found")[0] == f"1 to 18 of {len(registry)}"
        for key, first in {"down": 2, "pagedown": 20, "up": 19, "pageup": 1}.items():
            await pilot.press(key)
            await pilot.pause()
            assert part(app, "found")[0].startswith(f"{first} to ")


async def test_today_comes_from_the_log() -> None:
    midnight = T0 - (12 * 3600 + 3 * 60 + 7) * SECOND
    values = {"Pdc A": 3000.0, "Pdc B": 1000.0, "Pload": 500.0, "Pgrid feed": -700.0, "Pgrid load": 0.0, "SOC": 0.5}
    rows = [HistoryRow(midnight + hour * 3600 * SECOND, values) for hour in range(12, -1, -1)]
    async with shown(Stage(rows=rows)) as (app, pilot):
        await pilot.press("h")
        await until(pilot, lambda: title(app) == "27 May 2024, from the inverter's log up to 12:00")
        drawn = "\n".join(part(app, "day"))
        assert "4.00 kW" in drawn
        assert "0.70 kW" in drawn
        assert "00" in part(app, "day")[-1] or "00" in drawn
        await pilot.press("h")
        await pilot.pause()
        assert len(app.screen_stack) == 1


@pytest.mark.parametrize(
    ("stage", "said"),
    [
        (Stage(), "27 May 2024, from the inverter's log: nothing yet"),
        (Stage(error=NoAnswer("roof:8899", ["logger.minutes_soc_log_ts"])), "roof:8899: "),
    ],
)
async def test_today_without_rows_says_why(stage: Stage, said: str) -> None:
    async with shown(stage) as (app, pilot):
        await pilot.press("h")
        await until(pilot, lambda: title(app).startswith(said))


async def test_help_fits_and_closes() -> None:
    async with shown(Stage()) as (app, pilot):
        await pilot.press("?")
        await pilot.pause()
        text = app.screen.query_one(Static)
        assert app.screen.query("VerticalScroll").first().max_scroll_y == 0
        assert "search objects" in text.render_line(0).text
        await pilot.press("s")  # does nothing here
        await pilot.press("escape")
        await pilot.pause()
        assert len(app.screen_stack) == 1
        assert part(app, "curves")[-1].endswith("is 10 s")


@pytest.mark.parametrize(("key", "interrupted"), [("q", False), ("ctrl+c", True)])
async def test_quit(key: str, interrupted: bool) -> None:
    async with shown(Stage()) as (app, pilot):
        await pilot.press(key)
        await pilot.pause()
    assert not app.is_running
    assert app.was_interrupted == interrupted


async def test_ends_after_some_seconds() -> None:
    async with shown(Stage(), seconds=0.01) as (app, _):
        async with asyncio.timeout(60):
            while app.is_running:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def test_what_ends_the_source_ends_the_view() -> None:
    stage = Stage()
    async with shown(stage) as (app, _):
        assert stage.end is not None
        stage.end.set_exception(CaptureError("roof.bin: keeps no times"))
        async with asyncio.timeout(60):
            while app.is_running:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    assert isinstance(app.error, CaptureError)


# --- a real inverter, as far as the simulator is one ----------------------------------------------------------------


async def test_values_are_those_of_the_simulator_and_it_may_go_and_come_back() -> None:
    start = datetime(2026, 6, 21, 12)  # noqa: DTZ001  # the clock on the wall
    ahead = round(start.replace(tzinfo=UTC).timestamp()) * SECOND - time.monotonic_ns()

    def clock() -> int:
        return ahead + time.monotonic_ns()

    async with (
        Simulator(port=0, latency=0, speed=0, start=start) as simulator,
        connect("127.0.0.1", simulator.port, tries=None, pause=lambda _: 0.05, clock=clock) as client,
        shown(Inverter(client, UTC, wall_clock=clock)) as (app, pilot),
    ):
        await until(pilot, lambda: app.picture.up is True and not app.picture.health.missing)
        house, health = simulator.house, app.picture.health
        assert health.powers.house == pytest.approx(house.load)
        assert [health.powers.sun_a, health.powers.sun_b] == pytest.approx(house.pv)
        assert health.powers.grid == pytest.approx(house.grid)
        assert health.battery is not None
        assert health.battery.soc == pytest.approx(house.battery.soc)
        assert app.picture.curves["house"][-1] in (None, pytest.approx(house.load))
        drawn = "\n".join(part(app, "flow"))
        for power in (sum(house.pv), house.load, abs(house.grid)):
            assert kilowatt(power) in drawn
        await until(pilot, lambda: "Events   -" not in screen(app))
        assert "surge or phase failure" in screen(app)

        simulator.night(3600)
        await until(pilot, lambda: "AWAY" in part(app, "head")[0])
        assert "kW" not in "\n".join(part(app, "flow"))
        simulator.day()
        await until(pilot, lambda: " old" in part(app, "head")[0] and "kW" in part(app, "flow")[1])

        await pilot.press("h")
        await until(pilot, lambda: title(app) == "21 June 2026, from the inverter's log up to 12:00")


# --- parts ----------------------------------------------------------------------------------------------------------


def health_with(**changes: Value) -> Health:
    return Stage(values={**house(), **changes}).picture(STEPS[0], 1).health


def objects(**names: Value) -> dict[str, Value]:
    return {POWERS[name]: value for name, value in names.items()}


WIRES = [  # power of the house, arrows
    (0.0, 0),
    (19.0, 0),
    (20.0, 1),
    (500.0, 2),
    (3000.0, 3),
    (50_000.0, 3),
]


@pytest.mark.parametrize(("power", "arrows"), WIRES)
def test_more_power_more_arrows(power: float, arrows: int) -> None:
    values = objects(sun_a=0.0, sun_b=0.0, external=0.0, battery=0.0, grid=0.0, house=power)
    assert flow(health_with(**values), WIDTH).plain.count("▶") == arrows


WAYS = [  # power, what is seen of it
    ({"battery": 900.0, "grid": 0.0}, 6, "│━━▶━━━▶━│"),
    ({"battery": -900.0, "grid": 0.0}, 6, "│━━◀━━━◀━│"),
    ({"grid": 900.0, "battery": 0.0}, 6, "│━━◀━━━◀━│"),
    ({"grid": -900.0, "battery": 0.0}, 6, "│━━▶━━━▶━│"),
]


@pytest.mark.parametrize(("power", "line", "wire"), WAYS)
def test_arrows_show_the_way(power: dict[str, Value], line: int, wire: str) -> None:
    drawn = flow(health_with(**objects(sun_a=0.0, sun_b=0.0, house=0.0, **power)), WIDTH).plain.splitlines()
    assert wire in drawn[line - 1]
    assert sum(row.count("▶") + row.count("◀") for row in drawn) == 2


EXTREMES: list[dict[str, Value]] = [
    {},
    objects(sun_a=1e30, sun_b=-1e30, external=1e30, house=-1e30, battery=1e30, grid=1e30),
    objects(sun_a=99_999.0, sun_b=99_999.0, external=99_999.0, house=199_999.0, battery=-99_999.0, grid=-199_999.0),
    {
        "energy.e_load_day": 1e9,
        "energy.e_grid_feed_day": -1e9,
        "energy.e_grid_load_day": 1e9,
        "energy.e_dc_day[0]": 1e9,
    },
    {"prim_sm.island_flag": 1, "prim_sm.state": 200, "svnversion": "a very long version 1.2.3.4.5"},
    {"battery.bms_sn": "", "prim_sm.state": 12},
    {"battery.soc": 1.7, "battery_placeholder[0].bms_sn": "X", "battery_placeholder[0].soc": 0.5},
    {"android_description": "a name that is far longer than a line of the terminal could ever hold, \x1b[2J or so" * 2},
]


@pytest.mark.parametrize("changes", EXTREMES)
@pytest.mark.parametrize("width", [WIDTH, 100, 200])
def test_the_flow_keeps_its_size(changes: dict[str, Value], width: int) -> None:
    for health in (health_with(**changes), Stage(values={}).picture(STEPS[0], 1).health):
        lines = flow(health, width).plain.splitlines()
        assert len(lines) == HEIGHT
        assert {cell_len(line) for line in lines} == {min(width, 2 * WIDTH) // 2 * 2}


@pytest.mark.parametrize("changes", EXTREMES)
async def test_whatever_it_says_the_screen_keeps_its_form(changes: dict[str, Value]) -> None:
    stage = Stage(values={**house(), **changes})
    async with shown(stage) as (app, _):
        assert all(cell_len(line) <= 80 for line in screen(app).splitlines())
        assert "\x1b" not in screen(app)
        assert "s old" in part(app, "head")[0]


def test_what_else_is_in_the_flow() -> None:
    assert "separated" in flow(health_with(**{"prim_sm.island_flag": 1}), WIDTH).plain
    assert "none" in flow(health_with(**{"battery.bms_sn": ""}), WIDTH).plain
    assert " +0.50 │" in flow(health_with(**objects(external=500.0)), WIDTH).plain


FAULTS: dict[str, Value] = {"fault[0].flt": 1 << 13, "fault[2].flt": 1 << 26}


def test_faults_are_named() -> None:
    told = facts(health_with(**FAULTS), None, BERLIN, 80, 8).plain
    assert "Faults   grid undervoltage L1 (13) and 1 more" in told
    told = facts(health_with(**FAULTS), None, BERLIN, 80, 40).plain
    assert "Faults   grid undervoltage L1 (13)\n         disconnected from the household grid (90)\n" in told
    assert "Battery  none" in facts(health_with(**{"battery.bms_sn": ""}), [], BERLIN, 80, 40).plain
    assert "Events   none" in facts(health_with(), [], BERLIN, 80, 40).plain


def test_the_link_is_told() -> None:
    bad = replace(health_with(), quality=Quality(9, 1, 2, 0, 0, 0, others=True))
    assert "Link     9 requests, 1 repeated, 2 unanswered; others ask it, too" in facts(bad, [], BERLIN, 80, 8).plain
    recorded = replace(health_with(), quality=Quality(0, 0, 0, 0, 3, 0, others=False))
    assert "Link     3 damaged" in facts(recorded, [], BERLIN, 80, 8).plain
    recorded = replace(health_with(), quality=Quality(0, 0, 0, 0, 0, 0, others=False))
    assert "Link     nothing cut or damaged" in facts(recorded, [], BERLIN, 80, 8).plain


@pytest.mark.parametrize("width", [50, 78])
def test_what_belongs_together_stays_on_one_line(width: int) -> None:
    told = facts(health_with(), [an_event(0x73)], BERLIN, width, 20).plain.splitlines()
    assert all(cell_len(line) <= width for line in told)
    assert any("feed-in 25" in line or ("feed-in " in line and "kWh" in line.partition("feed-in")[2]) for line in told)


@pytest.mark.parametrize("height", [1, 6, 12, 16, 31])
def test_curves_fill_their_lines(height: int) -> None:
    series = {key: [None, 0.25, 0.5, 1.0] for key in ("sun", "house", "fed_in", "imported", "soc")}
    lines = curves(series, "axis", height).plain.splitlines()
    assert len(lines) <= max(height, 6)
    assert lines[-1].strip() == "axis"
    assert sum(line.startswith(("Sun", "House", "Feed-in", "Import", "Charge")) for line in lines) == 5


def test_what_a_meter_is_off_is_no_curve() -> None:
    series = {"sun": [5.0], "house": [19.9], "fed_in": [20.0], "imported": [0.0], "soc": [0.001]}
    lines = curves(series, "", 6).plain.splitlines()
    assert [line[9] for line in lines[:5]] == [" ", " ", "▂", " ", "▁"]


def test_a_day_in_columns() -> None:
    begin = datetime(2024, 5, 27, tzinfo=BERLIN)
    first = round(begin.timestamp()) * SECOND
    day = {"Pdc A": 1.0, "Pdc B": 2.0, "Pload": 3.0, "Pgrid feed": -4.0, "Pgrid load": 5.0, "SOC": 0.5}
    rows = [
        HistoryRow(first, day),
        HistoryRow(first + 300 * SECOND, {"Pload": 5.0, "Pdc A": 9.0}),
        HistoryRow(first + 86_400 * SECOND, day),  # of the next one
    ]
    found = day_curves(begin, rows, 48)
    assert {key: values[0] for key, values in found.items()} == {
        "sun": 3.0, "house": 4.0, "fed_in": 4.0, "imported": 5.0, "soc": 0.5,
    }  # fmt: skip
    assert all(values[1:] == [None] * 47 for values in found.values())


@pytest.mark.parametrize(
    ("columns", "axis"), [(24, "00    06    12    18"), (48, "00    03    06    09    12    15    18    21")]
)
def test_hours_of_a_day(columns: int, axis: str) -> None:
    assert day_axis(columns).rstrip() == axis


def test_small_texts() -> None:
    ages = {0: "0.0 s", -5: "0.0 s", 9: "9.0 s", 42: "42 s", 600: "10 min", 7200: "2 h", 200_000: "2 d"}
    assert {seconds: ago(seconds * SECOND) for seconds in ages} == ages
    assert aligned(Text("a long one"), Text("end"), 8).plain == "a l… end"
    assert aligned(Text("a"), Text("end"), 2).plain == "end"


async def test_log_lines_are_shown_for_a_while() -> None:
    logger = logging.getLogger("rct_tools.test")
    before = logging.getLogger().handlers
    app = Top(Stage())
    with _log_lines(app):
        logger.warning("before it runs")
        async with app.run_test(size=(80, 24)) as pilot:
            logger.warning("%s: connection lost", "roof:8899")
            await pilot.pause()
            assert [notice.message for notice in app._notifications] == ["roof:8899: connection lost"]
    assert logging.getLogger().handlers is before
