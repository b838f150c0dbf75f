"""What is known now, and what browsers are told of it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from rct_tools.objects import ObjectInfo, registry
from rct_tools.plan import Expected, Source, fresh_for
from rct_tools.reading import Reading
from rct_tools.times import SECOND
from rct_tools.values import Cell, Value
from rct_tools.vitals import UP
from rct_tools.web.browsers import BEAT, MOST, PATIENCE, Browsers, event
from rct_tools.web.newest import Newest

from warp import warp

SOC, STATE, SERIAL = registry["battery.soc"], registry["prim_sm.state"], registry["inverter_sn"]
CELLS = registry["battery.cells[0]"]


def source(name: str = "roof", interval: int = 5 * SECOND) -> Source:
    return Source(name, "Europe/Berlin", {i.name: Expected(i, i.name, interval) for i in (SOC, STATE, SERIAL, CELLS)})


def reading(
    info: ObjectInfo, value: Value, time: int = SECOND, inverter: str = "roof", *, backfilled: bool = False
) -> Reading:
    return Reading(time, inverter, info, value, backfilled=backfilled)


def newest(*names: str) -> Newest:
    made = Newest()
    made.expect([source(name) for name in names or ("roof",)])
    return made


def objects(document: dict[str, Any], inverter: str = "roof") -> dict[str, Any]:
    found: dict[str, Any] = document["inverters"][inverter]["objects"]
    return found


def test_value_with_its_time_and_its_age() -> None:
    known = newest()
    known.take([reading(SOC, 0.5, 7 * SECOND)], 100 * SECOND)
    assert objects(known.document(103 * SECOND)) == {
        "battery.soc": {
            "value": 0.5, "unit": "ratio", "time": 7000, "age": 3000, "lasts": fresh_for(5 * SECOND) // 10**6,
        }
    }  # fmt: skip


def test_age_does_not_depend_on_a_clock_that_is_set() -> None:
    known = newest()
    known.take([reading(SOC, 0.5, time=10**18)], 100 * SECOND)
    known.take([reading(SOC, 0.6, time=5)], 101 * SECOND)  # somebody has set the clock back
    assert objects(known.document(101 * SECOND))["battery.soc"]["value"] == 0.6
    assert objects(known.document(101 * SECOND))["battery.soc"]["age"] == 0


def test_what_was_read_of_the_past_is_not_now() -> None:
    known = newest()
    known.take([reading(SOC, 0.5)], 0)
    known.take([reading(SOC, 0.9, backfilled=True)], SECOND)
    assert objects(known.document(SECOND))["battery.soc"]["value"] == 0.5


def test_numbers_come_with_their_meaning_and_nan_is_null() -> None:
    known = newest()
    known.take([reading(STATE, 13), reading(SOC, float("nan")), reading(CELLS, (Cell(20, 3.3, 0),) * 24)], 0)
    found = objects(known.document(0))
    assert found["prim_sm.state"]["meaning"] == "Feed in"
    assert found["battery.soc"]["value"] is None
    assert CELLS.name not in found  # which has a document of its own


def test_only_what_is_new_since_a_version() -> None:
    known = newest("roof", "barn")
    known.take([reading(SOC, 0.5)], 0)
    version = known.version
    known.take([reading(STATE, 13)], 0)
    document = known.document(0, version)
    assert (document["whole"], list(objects(document)), objects(document, "barn")) == (False, ["prim_sm.state"], {})
    assert known.document(0)["whole"]


def test_up_is_what_the_collector_says_and_its_words_are_no_age() -> None:
    known = newest()
    assert (known.is_up("roof"), known.age("roof", 0)) == (False, None)
    known.take([reading(UP, True)], 0)
    assert (known.is_up("roof"), known.age("roof", 0)) == (True, None)
    known.take([reading(SOC, 0.5)], SECOND)
    known.take([reading(UP, False)], 3 * SECOND)
    assert (known.is_up("roof"), known.age("roof", 4 * SECOND)) == (False, 3000)


def test_inverters_that_stay_are_still_known_and_others_are_not() -> None:
    known = newest("roof", "barn")
    known.take([reading(SOC, 0.5), reading(SOC, 0.6, inverter="barn"), reading(SOC, 0.7, inverter="shed")], 0)
    known.expect([source("roof"), source("shed")])
    assert {name: list(known.seen(name)) for name in known.inverters} == {"roof": ["battery.soc"], "shed": []}


def test_now_is_told_by_the_clock_of_the_readings() -> None:
    assert Newest(wall_clock=lambda: 7_000_999_999).document(0)["now"] == 7000


def test_absent_components_are_named() -> None:
    known = Newest(lambda inverter: {"string B", inverter})
    known.expect([source()])
    assert known.document(0)["inverters"]["roof"]["absent"] == ["roof", "string B"]


# --- browsers -------------------------------------------------------------------------------------------------------


class Page:
    """An open page, which takes messages while it is not ``stuck``."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.free = asyncio.Event()
        self.free.set()

    async def send(self, message: bytes) -> None:
        await self.free.wait()
        assert message.startswith(b"data: ")
        assert message.endswith(b"\n\n")
        self.got.append(json.loads(message[6:]))


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0.3)  # on a clock that jumps


def test_all_at_first_then_what_is_new_then_that_there_is_nothing() -> None:
    async def main() -> list[dict[str, Any]]:
        known, page = newest(), Page()
        known.take([reading(SOC, 0.5)], 0)
        browsers = Browsers(known)
        jobs = [asyncio.create_task(browsers.run()), asyncio.create_task(browsers.serve(page.send))]
        await settled()
        known.take([reading(STATE, 13)], 0)
        browsers.change()
        await settled()
        await asyncio.sleep(2 * BEAT)
        for job in jobs:
            job.cancel()
        await asyncio.wait(jobs)
        return page.got

    first, second, *rest = warp(main())
    assert (first["whole"], list(objects(first))) == (True, ["battery.soc"])
    assert (second["whole"], list(objects(second))) == (False, ["prim_sm.state"])
    assert rest
    assert all(objects(beat) == {} and not beat["whole"] for beat in rest)


def test_one_that_does_not_keep_up_gets_the_newest_at_once() -> None:
    async def main() -> list[dict[str, Any]]:
        known, page = newest(), Page()
        browsers = Browsers(known)
        jobs = [asyncio.create_task(browsers.run()), asyncio.create_task(browsers.serve(page.send))]
        await settled()
        page.free.clear()
        for number in range(30):
            known.take([reading(SOC, number / 100)], 0)
            browsers.change()
            await asyncio.sleep(0.5)
        page.got.clear()
        page.free.set()
        await settled()
        for job in jobs:
            job.cancel()
        await asyncio.wait(jobs)
        return page.got

    got = warp(main())
    assert len(got) <= 3  # the one that was under way, all of now, and perhaps that there is nothing new
    assert objects(next(message for message in got if message["whole"]))["battery.soc"]["value"] == 0.29


def test_one_that_takes_nothing_is_left() -> None:
    async def main() -> float:
        page, loop = Page(), asyncio.get_running_loop()
        page.free.clear()
        began = loop.time()
        with pytest.raises(TimeoutError):
            await Browsers(newest()).serve(page.send)
        return loop.time() - began

    assert warp(main()) == pytest.approx(PATIENCE, abs=1)


def test_a_message_is_made_once_for_all() -> None:
    async def main() -> set[int]:
        known = newest()
        known.take([reading(SOC, 0.5)], 0)
        browsers = Browsers(known)
        seen: list[bytes] = []

        async def send(message: bytes) -> None:
            seen.append(message)

        jobs = [asyncio.create_task(browsers.serve(send)) for _ in range(MOST)]
        await settled()
        assert browsers.is_full
        for job in jobs:
            job.cancel()
        await asyncio.wait(jobs)
        assert not browsers.is_full
        return {id(message) for message in seen}

    assert len(warp(main())) == 1


def test_who_comes_and_goes_among_inverters_is_told_as_a_whole() -> None:
    async def main() -> dict[str, Any]:
        known, page = newest(), Page()
        browsers = Browsers(known)
        jobs = [asyncio.create_task(browsers.run()), asyncio.create_task(browsers.serve(page.send))]
        await settled()
        page.got.clear()
        known.expect([source("barn")])
        browsers.change()
        await settled()
        for job in jobs:
            job.cancel()
        await asyncio.wait(jobs)
        return page.got[0]

    got = warp(main())
    assert (got["whole"], list(got["inverters"])) == (True, ["barn"])


def test_an_event_is_one_line() -> None:
    assert event({"text": "a\nb\u2028"}).count(b"\n") == 2
