"""The steward: orders one after the other, each with an outcome; and all is as it was before, however it ends."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from rct_tools.client import Client, connect
from rct_tools.collector import LAST_TRY, LAST_WRITES, Collector
from rct_tools.config import parse_config, parse_plan
from rct_tools.errors import ConfigError, RctError
from rct_tools.frame import Command, Frame
from rct_tools.modes import steered
from rct_tools.objects import registry
from rct_tools.plan import Steerable
from rct_tools.reading import Reading
from rct_tools.setups import InverterSetup, Setup
from rct_tools.simulator import Simulator
from rct_tools.steering import Order, Outcome, Result, Steward
from rct_tools.steering.order import Begin, Choose, Prepare, Set, Wish
from rct_tools.steering.steward import MOST_WAITING, TOO_OLD
from rct_tools.times import SECOND
from rct_tools.values import Value
from rct_tools.vitals import DURATION, LAST, MODE, POWER, SOC, UNTIL
from rct_tools.writable import WRITABLE
from rct_tools.writing import Writer

from standins import Shelf
from warp import warp

HOUR = 3600.0
ALL = Steerable(tuple(WRITABLE), ("hold", "charge", "discharge", "reserve"), 12 * 3600 * SECOND)
SOME = Steerable(("power_mng.soc_min",), ("hold", "charge"), 2 * 3600 * SECOND)
STEERED = [*WRITABLE, "power_mng.soc_min_island"]


def now() -> int:
    return round(asyncio.get_running_loop().time() * SECOND)


def settings(simulator: Simulator) -> dict[str, Value]:
    return {name: registry[name].decode(simulator.inverter.payload(registry[name])) for name in STEERED}


def left_on_disk(folder: Path) -> list[Path]:
    return list(folder.rglob("way-back-*.json"))


async def until(condition: Callable[[], object], seconds: float = 600) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  # of a simulator that tells nobody
            await asyncio.sleep(0.1)


def shown(shelf: Shelf, mode: str) -> bool:
    told = shelf.of(MODE.name)
    return bool(told) and told[-1].value == mode


@dataclass
class House:
    """An inverter with its steward, and what was heard of both."""

    simulator: Simulator
    client: Client
    steward: Steward
    folder: Path
    job: asyncio.Task[None]
    readings: list[Reading] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)

    def shown(self, name: str) -> Value | None:
        """The newest reading of an object."""
        return next((r.value for r in reversed(self.readings) if r.object.name == name), None)

    def order(self, wish: Wish, who: str = "test", age: int = 0) -> None:
        self.steward.take(Order("roof", wish, who, now() - age), self.outcomes.append)

    async def done(self, wish: Wish, **keys: Any) -> Outcome:
        """Order something, and return what became of it."""
        heard = len(self.outcomes)
        self.order(wish, **keys)
        return await self.next(heard)

    async def next(self, heard: int) -> Outcome:
        async with asyncio.timeout(3000):
            while True:
                for outcome in self.outcomes[heard:]:
                    if outcome.result is not Result.ACCEPTED:
                        return outcome
                await asyncio.sleep(0.1)

    @property
    def written(self) -> list[dict[str, Any]]:
        path = self.folder / "writes.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@asynccontextmanager
async def serving(folder: Path, simulator: Simulator, allowed: Steerable = ALL) -> AsyncIterator[House]:
    """Have a steward at work, and end it as a collector does."""
    async with connect("127.0.0.1", simulator.port, name="roof", tries=None, timeout=0.5) as client:
        readings: list[Reading] = []

        def deliver(some: Sequence[Reading]) -> None:
            readings.extend(some)

        loop = asyncio.get_running_loop()
        steward = Steward(client, allowed, deliver, folder=folder, clock=now, ticking=loop.time)
        job = asyncio.create_task(steward.run())
        house = House(simulator, client, steward, folder, job, readings)
        try:
            await until(lambda: house.shown(MODE.name))
            yield house
        finally:
            job.cancel()
            with suppress(asyncio.CancelledError):
                await job


@asynccontextmanager
async def home(folder: Path, allowed: Steerable = ALL) -> AsyncIterator[House]:
    async with Simulator(port=0, seed=7, latency=0.0, broadcast=False, speed=0) as simulator:
        simulator.house.battery.soc = 0.5
        async with serving(folder, simulator, allowed) as house:
            yield house
        assert not simulator.inverter.harm
        assert simulator.inverter.flashed == 0


def test_an_object_is_set_and_read_back(tmp_path: Path) -> None:
    async def main() -> None:
        async with home(tmp_path) as house:
            assert house.shown(MODE.name) == "normal"
            outcome = await house.done(Set("power_mng.soc_min", 0.2), who="mqtt there:1883")
            assert (outcome.result, outcome.text) == (Result.DONE, "power_mng.soc_min 7.0 % → 20.0 %")
            assert (outcome.order, outcome.who) == ("power_mng.soc_min to 20.0 %", "mqtt there:1883")
            assert [o.result for o in house.outcomes] == [Result.ACCEPTED, Result.DONE]
            assert settings(house.simulator)["power_mng.soc_min"] == pytest.approx(0.2)
            assert house.shown("power_mng.soc_min") == pytest.approx(0.2)
            assert house.shown(LAST.name) == "power_mng.soc_min to 20.0 %: done: power_mng.soc_min 7.0 % → 20.0 %"
            assert {(it["event"], it["who"]) for it in house.written} == {
                ("begin", "rct collect, mqtt there:1883"),
                ("end", "rct collect, mqtt there:1883"),
            }
            outcome = await house.done(Set("power_mng.soc_min", 0.2))
            assert outcome.text == "power_mng.soc_min is 20.0 % already"
            # What changes with it is told, too.
            await house.done(Set("power_mng.soc_charge", 0.1))
            assert house.shown("power_mng.soc_min_island") == pytest.approx(0.17)

    warp(main())


REFUSED: list[tuple[Wish, str]] = [
    (Set("power_mng.soc_max", 0.9), "power_mng.soc_max: may not be set here; [control] names what may be"),
    (Set("pas.period", 1), "pas.period: may not be set here; [control] names what may be"),
    (Set("power_mng.soc_min", 1.5), "power_mng.soc_min: cannot be set to 1.5; expected 0.05 to 1"),
    (Begin("reserve", soc=0.3), "mode 'reserve' may not be begun here; there are hold, charge, normal"),
    (Choose("party"), "mode 'party' may not be begun here; there are hold, charge, normal"),
    (Begin("hold", soc=0.3), "mode hold takes no soc"),
    (Choose("charge"), "mode charge needs a power"),
    (Begin("charge", power=-1.0), "the power must be more than 0 W"),
    (Begin("hold", seconds=3 * HOUR), "a mode lasts 2h at most, as [control] says, and more than 0s"),
    (Begin("hold", seconds=0.0), "a mode lasts 2h at most"),
    (Prepare(DURATION.name, 3 * HOUR), "a mode lasts 2h at most"),
    (Begin("charge", power=50_000.0), "power_mng.battery_power_extern: cannot be set to -50000.0"),
    (Begin("charge", power=100.0, soc=0.4), "the battery is at 50.0 % already; nothing was changed"),
]


def test_what_may_not_be_is_refused_and_nothing_is_sent(tmp_path: Path) -> None:
    async def main() -> None:
        async with home(tmp_path, SOME) as house:
            before = settings(house.simulator)
            for wish, text in REFUSED:
                outcome = await house.done(wish)
                assert outcome.result is Result.REFUSED
                assert text in outcome.text
            assert house.written == []
            assert settings(house.simulator) == before
            assert house.shown(MODE.name) == "normal"

    warp(main())


def test_a_mode_ends_by_itself_and_all_is_back(tmp_path: Path) -> None:
    async def main() -> None:
        async with home(tmp_path) as house:
            before = settings(house.simulator)
            outcome = await house.done(Begin("charge", power=2000.0, soc=0.9, seconds=600.0))
            assert outcome.result is Result.DONE
            assert "power_mng.battery_power_extern 0.0 W → -2000.0 W" in outcome.text
            assert house.shown(MODE.name) == "charge"
            assert str(house.shown(UNTIL.name)).endswith("+00:00")
            assert house.shown("power_mng.battery_power_extern") == -2000.0
            assert settings(house.simulator) != before
            # What a mode holds is not set beside it; all else is.
            refused = await house.done(Set("power_mng.soc_max", 0.8))
            assert refused.result is Result.REFUSED
            assert "mode charge has changed power_mng.soc_max" in refused.text
            assert (await house.done(Set("power_mng.soc_min", 0.1))).result is Result.DONE
            ended = await house.next(len(house.outcomes))
            assert (ended.result, ended.order) == (Result.ENDED, "mode charge")
            assert ended.text == "its time is over; all is as it was before"
            assert settings(house.simulator) == before | {"power_mng.soc_min": pytest.approx(0.1)}
            assert (house.shown(MODE.name), house.shown(UNTIL.name)) == ("normal", "")
            assert house.shown("power_mng.battery_power_extern") == 0.0
            assert {it["who"] for it in house.written} == {"rct collect mode charge, test", "rct collect, test"}

    warp(main())


def test_a_mode_without_an_end_has_the_longest(tmp_path: Path) -> None:
    async def main() -> None:
        async with home(tmp_path, SOME) as house:
            began = now()
            await house.done(Choose("hold"))
            assert house.shown(MODE.name) == "hold"
            await asyncio.sleep(2 * HOUR - 30 - (now() - began) / SECOND)
            assert house.shown(MODE.name) == "hold"
            await asyncio.sleep(60)
            assert house.shown(MODE.name) == "normal"

    warp(main())


def test_a_new_mode_ends_the_old_one_first(tmp_path: Path) -> None:
    async def main() -> None:
        async with home(tmp_path) as house:
            before = settings(house.simulator)
            await house.done(Begin("charge", power=2000.0))
            house.order(Begin("reserve", soc=0.3))
            await until(lambda: house.shown(MODE.name) == "reserve")
            assert [(o.order, o.result) for o in house.outcomes if o.result is not Result.ACCEPTED] == [
                ("mode charge", Result.DONE),
                ("mode charge", Result.ENDED),
                ("mode reserve", Result.DONE),
            ]
            assert settings(house.simulator) == before | {"power_mng.soc_min": pytest.approx(0.3)}
            outcome = await house.done(Begin("discharge"))  # without a power: the old one goes on
            assert outcome.result is Result.REFUSED
            assert house.shown(MODE.name) == "reserve"
            await house.done(Choose("normal"))
            await until(lambda: house.outcomes[-1].order == "mode normal")
            assert house.outcomes[-1].text == "mode reserve has ended; all is as it was before"
            assert settings(house.simulator) == before
            assert (await house.done(Choose("normal"))).text == "no mode was on"

    warp(main())


def test_settings_are_for_the_next_mode_that_takes_them(tmp_path: Path) -> None:
    async def main() -> None:
        async with home(tmp_path) as house:
            assert [house.shown(info.name) for info in (POWER, SOC, DURATION)] == [0.0, 0.0, 0.0]
            for info, value in ((POWER, 1500.0), (SOC, 0.9), (DURATION, 300.0)):
                assert (await house.done(Prepare(info.name, value))).result is Result.DONE
                assert house.shown(info.name) == value
            assert (await house.done(Choose("hold"))).result is Result.DONE  # which takes neither
            assert (await house.next(len(house.outcomes))).result is Result.ENDED  # after five minutes
            outcome = await house.done(Choose("charge"))
            assert "-1500.0 W" in outcome.text
            assert "90.0 %" in outcome.text
            outcome = await house.done(Begin("charge", power=700.0))  # which says all by itself
            await until(lambda: house.outcomes[-1].result is Result.DONE)
            assert "soc_max" not in house.outcomes[-1].text

    warp(main())


def test_cancelled_all_is_put_back(tmp_path: Path) -> None:
    async def main() -> None:
        async with Simulator(port=0, seed=7, latency=0.0, broadcast=False, speed=0) as simulator:
            simulator.house.battery.soc = 0.5
            before = settings(simulator)
            async with serving(tmp_path, simulator) as house:
                await house.done(Begin("charge", power=2000.0))
                assert settings(simulator) != before
            assert settings(simulator) == before
            assert house.shown(MODE.name) == "normal"
            assert house.outcomes[-1].result is Result.ENDED
            assert house.outcomes[-1].text.endswith("; the mode is over")
            assert left_on_disk(tmp_path) == []

    warp(main())


def test_orders_for_an_inverter_that_is_away_are_refused(tmp_path: Path) -> None:
    async def main() -> None:
        async with home(tmp_path) as house:
            await house.simulator.close()
            await until(lambda: not house.client.connected)
            for wish in (Set("power_mng.soc_min", 0.2), Choose("hold"), Choose("normal")):
                outcome = await house.done(wish)
                assert outcome.result is Result.REFUSED
                assert "is away; nothing is kept for later" in outcome.text
            await house.simulator.start()
            await until(lambda: house.client.connected)
            await asyncio.sleep(100)
            assert house.written == []

    warp(main())


def test_what_waited_too_long_is_refused(tmp_path: Path) -> None:
    async def main() -> None:
        async with home(tmp_path) as house:
            outcome = await house.done(Set("power_mng.soc_min", 0.2), age=TOO_OLD + 1)
            assert (outcome.result, outcome.text) == (Result.REFUSED, "it waited for more than 60 s")
            # So it is when its turn comes in time, but the inverter takes its time to answer.
            outcome = await house.done(Set("power_mng.soc_min", 0.2), age=TOO_OLD - SECOND // 1000)
            assert outcome.result is Result.REFUSED
            assert "it took too long until it could be written; not sent" in outcome.text
            assert house.written == []

    warp(main())


def test_too_many_orders_are_refused(tmp_path: Path) -> None:
    async def main() -> None:
        async with home(tmp_path) as house:
            for number in range(MOST_WAITING + 5):
                house.order(Set("power_mng.soc_min", 0.2 + number / 100))
            refused = [o.text for o in house.outcomes if o.result is Result.REFUSED]
            assert refused == [f"{MOST_WAITING} orders wait already"] * 5

    warp(main())


def test_what_a_dead_program_left_is_put_back(tmp_path: Path) -> None:
    async def main() -> None:
        async with Simulator(port=0, seed=7, latency=0.0, broadcast=False, speed=0) as simulator:
            simulator.house.battery.soc = 0.5
            before = settings(simulator)

            async def leave() -> None:
                """Do as a program that is killed in a mode."""
                async with connect("127.0.0.1", simulator.port) as client:
                    with suppress(RctError):
                        async with steered(Writer(client, tmp_path / "dead"), "charge", power=1000.0, patient=False):
                            await client.close()  # so that it cannot put back
                (file,) = left_on_disk(tmp_path / "dead")
                file.rename(tmp_path / file.name)
                assert settings(simulator) != before

            await leave()
            async with serving(tmp_path, simulator) as house:
                assert settings(simulator) == before
                assert left_on_disk(tmp_path) == []
                assert "a mode had been left on, and all is as it was before" in str(house.shown(LAST.name))
                assert house.shown("power_mng.battery_power_extern") == 0.0
                await leave()  # and another one, later
                await until(lambda: settings(simulator) == before)

    warp(main())


def test_a_mode_that_another_program_keeps_is_left_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with Simulator(port=0, seed=7, latency=0.0, broadcast=False, speed=0) as simulator:
            simulator.house.battery.soc = 0.5
            before = settings(simulator)
            async with connect("127.0.0.1", simulator.port) as client:
                async with steered(Writer(client, tmp_path, "rct mode"), "hold"), serving(tmp_path, simulator) as house:
                    held = settings(simulator)
                    assert house.shown(MODE.name) == "hold"
                    await asyncio.sleep(300)
                    assert settings(simulator) == held
                    outcome = await house.done(Choose("charge"))
                    assert outcome.result is Result.REFUSED
                    outcome = await house.done(Choose("normal"))
                    assert outcome.result is Result.REFUSED
                    assert "keeps mode hold; end it with Ctrl-C" in outcome.text
                    assert settings(simulator) == held
                assert settings(simulator) == before

    warp(main())
    assert len([r for r in caplog.messages if "keeps mode hold" in r and "by test" not in r]) == 1


def test_the_inverter_is_away_when_the_mode_is_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with home(tmp_path) as house:
            before = settings(house.simulator)
            await house.done(Begin("charge", power=2000.0, seconds=600.0))
            await house.simulator.close()
            failed = await house.next(len(house.outcomes))
            assert (failed.order, failed.result) == ("mode charge", Result.FAILED)
            assert "not everything is put back yet" in failed.text
            assert house.shown(MODE.name) == "charge"
            await asyncio.sleep(HOUR)
            await house.simulator.start()
            await until(lambda: house.shown(MODE.name) == "normal")
            assert settings(house.simulator) == before
            assert left_on_disk(tmp_path) == []

    warp(main())


def test_ended_while_nothing_can_be_put_back_it_begins_nothing_more(tmp_path: Path) -> None:
    async def main() -> None:
        async with Simulator(port=0, seed=7, latency=0.0, broadcast=False, speed=0) as simulator:
            simulator.house.battery.soc = 0.5
            before = settings(simulator)
            async with serving(tmp_path, simulator) as house:
                await house.done(Begin("charge", power=2000.0, seconds=600.0))
                answer = simulator.inverter.answer
                simulator.inverter.answer = lambda _: None  # type: ignore[assignment,method-assign]
                house.order(Begin("hold"))  # which waits when it is to end
                house.job.cancel()
                await until(lambda: house.outcomes[-1].result is Result.FAILED)
                simulator.inverter.answer = answer  # type: ignore[method-assign]
                await asyncio.wait([house.job], timeout=30)
                assert house.job.cancelled()
                (hold,) = [o for o in house.outcomes if o.order == "mode hold" and o.result is not Result.ACCEPTED]
                assert (hold.result, hold.text.endswith("; nothing was changed")) == (Result.REFUSED, True)
                assert settings(simulator) == before
                assert left_on_disk(tmp_path) == []

    warp(main())


def test_says_when_a_mode_is_not_on_any_more(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with home(tmp_path) as house:
            await house.done(Begin("charge", power=2000.0))
            strategy = registry["power_mng.soc_strategy"]
            house.simulator.inverter.answer(Frame(Command.WRITE, strategy.object_id, b"\x04"))
            await asyncio.sleep(300)
            ended = house.outcomes
            await house.done(Choose("normal"))
            assert ended[-2].result is Result.ENDED or "ended" in ended[-1].text

    warp(main())
    assert len([m for m in caplog.messages if "mode charge: power_mng.soc_strategy is 4 Internal now" in m]) == 1


def test_a_damaged_way_back_is_said_and_nothing_is_done(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with Simulator(port=0, seed=7, latency=0.0, broadcast=False, speed=0) as simulator:
            async with connect("127.0.0.1", simulator.port) as client:
                serial = await Writer(client, tmp_path).serial()
                Writer(client, tmp_path).way_backs.path(serial).write_text("{")
            async with connect("127.0.0.1", simulator.port, name="roof", tries=None) as client:
                readings: list[Reading] = []
                steward = Steward(
                    client, ALL, readings.extend, folder=tmp_path, clock=now, ticking=asyncio.get_running_loop().time
                )
                job = asyncio.create_task(steward.run())
                await asyncio.sleep(1000)
                outcomes: list[Outcome] = []
                for wish in (Choose("normal"), Choose("hold"), Set("power_mng.soc_min", 0.2)):
                    steward.take(Order("roof", wish, "test", now()), outcomes.append)
                await asyncio.sleep(30)
                assert [o.result for o in outcomes if o.result is not Result.ACCEPTED] == [Result.FAILED] * 3
                assert {r.value for r in readings if r.object is MODE} == set()
                job.cancel()
                with suppress(asyncio.CancelledError):
                    await job

    warp(main())
    assert len([m for m in caplog.messages if "is damaged" in m and "by test" not in m]) == 1
    assert not (tmp_path / "writes.jsonl").exists()


# --- in a collector -------------------------------------------------------------------------------------------------


def test_an_inverter_that_is_silent_at_the_end_does_not_keep_the_collector(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with Simulator(port=0, seed=7, latency=0.0, broadcast=False, speed=0) as simulator:
            simulator.house.battery.soc = 0.5
            before = settings(simulator)
            plan = parse_plan('[[group]]\nname = "a"\ninterval = "1s"\nobjects = ["battery.soc"]', "test")
            inverter = InverterSetup("roof", simulator.host, plan, simulator.port, steerable=ALL)
            shelf = Shelf()
            for is_silent in (True, False):
                collector = Collector(Setup((inverter,), (shelf.setup(),)))
                job = asyncio.create_task(collector.run())
                await until(lambda: shown(shelf, "normal"))
                assert settings(simulator) == before  # of what was left the time before, too
                outcomes: list[Outcome] = []
                order = Order("roof", Begin("charge", power=1000.0), "test", time.time_ns())
                collector._order(order, outcomes.append)
                await until(lambda outcomes=outcomes: len(outcomes) > 1)  # type: ignore[misc]
                assert outcomes[-1].result is Result.DONE
                await until(lambda: shown(shelf, "charge"))
                answer = simulator.inverter.answer
                if is_silent:
                    simulator.inverter.answer = lambda _: None  # type: ignore[assignment,method-assign]
                began = loop.time()
                job.cancel()
                with suppress(asyncio.CancelledError):
                    await job
                assert loop.time() - began < LAST_WRITES + LAST_TRY
                assert bool(left_on_disk(tmp_path)) == is_silent
                simulator.inverter.answer = answer  # type: ignore[method-assign]
                collector._order(order, outcomes.append)
                assert (outcomes[-1].result, outcomes[-1].text) == (Result.REFUSED, "is not steered right now")
                if is_silent:
                    shelf.readings.clear()
            assert settings(simulator) == before

    warp(main())


# --- the configuration ----------------------------------------------------------------------------------------------

BASE = """
[[inverter]]
host = "192.0.2.7"
name = "roof"
[[inverter]]
host = "192.0.2.8"
name = "barn"
groups = ["slow"]
[[sink]]
url = "mqtt://192.0.2.9"
objects = ["battery.*", "control.*", "power_mng.*"]
[control]
"""
WRONG = [
    ("enabled = true", "control: is enabled, but neither objects nor modes says what may be changed"),
    (
        'objects = ["power_mng.soc_mim"]',
        "control.objects[0]: 'power_mng.soc_mim' is no object that may be written; did",
    ),
    ('objects = ["pas.period"]', "expected one of power_mng.soc_strategy, power_mng.soc_target_set"),
    ('modes = ["party"]', "control.modes[0]: 'party' is no mode; expected one of hold, charge, discharge, reserve"),
    ('inverters = ["rof"]', "control.inverters[0]: 'rof' is no inverter; did you mean 'roof'?"),
    ('enabled = true\nmodes = ["hold"]\nlongest = "0s"', "control.longest: expected more than 0s"),
    ('enabled = true\nmode = ["hold"]', "control.mode: unknown key, did you mean 'modes'?"),
]


@pytest.mark.parametrize(("text", "error"), WRONG)
def test_a_wrong_configuration_is_named(text: str, error: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config((BASE + text).replace('"control.*", ', ""), "rct.toml", {})
    assert error in str(caught.value)


@pytest.mark.parametrize("page", ["", "[web]", '[web]\nlisten = "127.0.0.1:0"'])
def test_somebody_must_be_able_to_order(page: str) -> None:
    text = BASE.replace("mqtt://192.0.2.9", "console:") + f'enabled = true\nmodes = ["hold"]\n{page}'
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "rct.toml", {})
    assert str(caught.value) == (
        "rct.toml: control: nobody could order; expected a sink mqtt:// or mqtts://, or [web] with a login"
    )


PROXY = 'reverse_proxy = { addresses = ["127.0.0.1"], hosts = ["solar.lan"], user_header = "Remote-User" }'


@pytest.mark.parametrize("url", ["console:", "mqtt://192.0.2.9"])
@pytest.mark.parametrize("login", ['password = "long enough"', PROXY])
def test_a_page_with_a_login_will_do(url: str, login: str) -> None:
    text = BASE.replace("mqtt://192.0.2.9", url) + f'enabled = true\nmodes = ["hold"]\n[web]\n{login}'
    config = parse_config(text, "rct.toml", {})
    assert [it.steerable is not None for it in config.setup.inverters] == [True, True]


def test_what_may_be_set_is_read_too() -> None:
    text = (
        BASE + 'enabled = true\nobjects = ["power_mng.soc_min", "p_rec_lim[1]"]\nmodes = ["hold"]\ninverters = ["barn"]'
    )
    config = parse_config(text, "rct.toml", {})
    roof, barn = config.setup.inverters
    assert roof.steerable is None
    assert "p_rec_lim[1]" not in roof.plan.expects
    assert barn.steerable == Steerable(("power_mng.soc_min", "p_rec_lim[1]"), ("hold",), 12 * 3600 * SECOND)
    (added,) = [group for group in barn.plan.groups if group.name == "control"]
    assert {field.name for field in added.fields} >= {"p_rec_lim[0]", "p_rec_lim[1]"}
    first, second = config.setup.sinks[0].sources(config.setup.inverters)
    assert "control.mode" not in first.expects
    assert {"control.mode", "power_mng.soc_min"} <= second.expects.keys()
    disabled = parse_config((BASE + 'modes = ["hold"]').replace('"control.*", ', ""), "rct.toml", {})
    assert [inverter.steerable for inverter in disabled.setup.inverters] == [None, None]
    assert (
        disabled.setup.inverters[1].plan
        == parse_config(BASE.replace('"control.*", ', ""), "", {}).setup.inverters[1].plan
    )
