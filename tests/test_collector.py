"""The collector: inverters and sinks that come, go and fail, each without harm to the others."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from rct_tools.client import Client, connect
from rct_tools.collector import Collector
from rct_tools.config import parse_plan, sink_of
from rct_tools.errors import ConfigError, ConnectFailed, SinkError
from rct_tools.plan import Plan, Source
from rct_tools.reading import Reading
from rct_tools.setups import InverterSetup, Setup, SinkSetup, SpoolSetup
from rct_tools.simulator import Simulator
from rct_tools.sinks import Sink
from rct_tools.sinks.sqlite import query
from rct_tools.spool import Spool
from rct_tools.vitals import UP, VITALS

from standins import Shelf
from warp import warp


def plan(*objects: str, interval: str = "1s") -> Plan:
    return parse_plan(f'[[group]]\nname = "a"\ninterval = "{interval}"\nobjects = {json.dumps(objects)}', "test")


BOTH = plan("battery.voltage", "g_sync.p_acc_lp")


def inverter(simulator: Simulator, name: str = "roof", of: Plan = BOTH) -> InverterSetup:
    return InverterSetup(name, simulator.host, of, simulator.port)


@asynccontextmanager
async def collecting(*inverters: InverterSetup, to: Sequence[SinkSetup]) -> AsyncIterator[Collector]:
    collector = Collector(Setup(inverters, tuple(to)))
    job = asyncio.create_task(collector.run())
    try:
        yield collector
    finally:
        job.cancel()
        with suppress(asyncio.CancelledError):
            await job


def seconds(readings: Sequence[Reading]) -> int:
    """How many readings came, which is one a second; each once."""
    assert len({reading.time for reading in readings}) == len(readings)
    return len(readings)


def test_each_inverter_is_read_and_each_sink_gets_what_it_wants() -> None:
    async def main() -> tuple[Shelf, Shelf]:
        every, some = Shelf(), Shelf()
        async with Simulator(port=0, speed=0) as roof, Simulator(port=0, seed=1, speed=0) as barn:
            sinks = [every.setup("every"), some.setup("some", "battery.*", battery__voltage="volt")]
            async with collecting(inverter(roof), inverter(barn, "barn"), to=sinks):
                await asyncio.sleep(60.5)
        return every, some

    every, some = warp(main())
    for name in ("roof", "barn"):
        assert 59 <= seconds(every.of("battery.voltage", name)) <= 62
        assert some.of("battery.voltage", name) == every.of("battery.voltage", name)
    assert {reading.object.name for reading in some.readings} == {"battery.voltage"}
    assert {r.object.name for r in every.readings} == {"battery.voltage", "g_sync.p_acc_lp", *(v.name for v in VITALS)}
    assert (every.closed, some.closed) == (1, 1)
    assert [source.inverter for source in some.sources] == ["roof", "barn"]
    assert [e.name for e in some.sources[0].expects.values()] == ["volt"]
    assert some.sources[0].expects["battery.voltage"].interval == 10**9


def test_sink_is_told_what_it_may_expect() -> None:
    of = parse_plan('[[group]]\nname = "a"\ninterval = "1s"\nfields.sun = "dc_conv.dc_conv_struct[0].p_dc"\n'
                    'objects = ["dc_conv.dc_conv_struct[1].p_dc", "battery.soc"]', "test")  # fmt: skip
    sink = replace(
        Shelf().setup("x", "dc_conv.dc_conv_struct[*].p_dc"), names={"dc_conv.dc_conv_struct[1].p_dc": "second"}
    )
    (source,) = sink.sources([InverterSetup("roof", "192.0.2.7", of, zone="Europe/Berlin")])
    assert (source.inverter, source.zone) == ("roof", "Europe/Berlin")
    assert {(e.info.name, e.name, e.field) for e in source.expects.values()} == {
        ("dc_conv.dc_conv_struct[0].p_dc", "dc_conv.dc_conv_struct[0].p_dc", "sun"),
        ("dc_conv.dc_conv_struct[1].p_dc", "second", "second"),
    }


def test_sink_in_trouble_holds_up_nobody_and_gets_everything_later() -> None:
    async def main() -> tuple[Shelf, Shelf]:
        good, bad = Shelf(), Shelf(fails=lambda attempt: SinkError("bad: away") if attempt <= 4 else None)
        async with (
            Simulator(port=0, speed=0) as simulator,
            collecting(inverter(simulator), to=[good.setup("good"), bad.setup("bad")]),
        ):
            await asyncio.sleep(120)
        return good, bad

    good, bad = warp(main())
    assert bad.readings == good.readings
    assert good.attempts > 100


def test_unreachable_inverter_is_no_trouble_for_the_others() -> None:
    async def main() -> Shelf:
        shelf = Shelf()
        async with Simulator(port=0, speed=0) as simulator:
            nowhere = replace(inverter(simulator, "nowhere"), host="127.0.0.1", port=1)
            async with collecting(nowhere, inverter(simulator), to=[shelf.setup()]):
                await asyncio.sleep(60.5)
        return shelf

    shelf = warp(main())
    assert 59 <= len(shelf.of("battery.voltage")) <= 62
    assert {r.value for r in shelf.of("link.up", "nowhere")} == {False}
    assert not shelf.of("battery.voltage", "nowhere")


# --- changes --------------------------------------------------------------------------------------------------------


def test_change_disturbs_nothing_that_stays() -> None:
    async def main() -> None:
        stays, goes, comes = Shelf(), Shelf(), Shelf()
        async with (
            Simulator(port=0, speed=0) as roof,
            Simulator(port=0, seed=1, speed=0) as barn,
            collecting(inverter(roof), to=[stays.setup("stays"), goes.setup("goes")]) as collector,
        ):
            await asyncio.sleep(30.5)
            client = collector.watched["roof"].client
            await collector.change(Setup((inverter(roof),), (stays.setup("stays"), comes.setup("comes"))))
            assert (goes.closed, stays.opened, comes.opened) == (1, 1, 1)
            await asyncio.sleep(30)
            assert collector.watched["roof"].client is client
            assert client.counters.reconnects == 0
            before = len(stays.of("battery.voltage"))
            assert len(goes.of("battery.voltage")) + len(comes.of("battery.voltage")) == before
            # Another inverter: sinks are told what to expect, so they are opened anew.
            await collector.change(Setup((inverter(roof), inverter(barn, "barn")), (stays.setup("stays"),)))
            assert (stays.opened, stays.closed, comes.closed) == (2, 1, 1)
            await asyncio.sleep(30)
            assert collector.watched["roof"].client is client
            await collector.change(Setup((inverter(barn, "barn"),), (stays.setup("stays"),)))
            assert list(collector.watched) == ["barn"]
            await asyncio.sleep(10)
        assert 88 <= seconds(stays.of("battery.voltage")) <= 93
        assert 38 <= seconds(stays.of("battery.voltage", "barn")) <= 43

    warp(main())


def test_new_sink_that_cannot_be_opened_changes_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        stays, comes = Shelf(), Shelf()
        async with Simulator(port=0, speed=0) as roof:
            setup = Setup((inverter(roof),), (stays.setup("stays"),))
            spool = SpoolSetup(tmp_path / "comes.db")
            async with collecting(*setup.inverters, to=setup.sinks) as collector:
                await asyncio.sleep(1)
                with pytest.raises(SinkError, match="cannot be opened"):
                    await collector.change(
                        Setup(
                            (),
                            (
                                replace(comes.setup("comes"), spool=spool),
                                sink_of(f"sqlite:{tmp_path / 'no' / 'x.db'}"),
                            ),
                        )
                    )
                spool.open().close()  # which nobody holds any more
                assert collector.setup == setup
                assert (comes.closed, stays.closed) == (1, 0)
                assert list(collector.watched) == ["roof"]
                await asyncio.sleep(30)
        assert 29 <= len(stays.of("battery.voltage")) <= 33

    warp(main())


def test_changed_sink_that_cannot_be_opened_is_left_out_and_said(caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: Sequence[Source]) -> Sink:
        raise SinkError("x: the port is taken")

    async def main() -> None:
        changes, stays = Shelf(), Shelf()
        async with (
            Simulator(port=0, speed=0) as roof,
            collecting(inverter(roof), to=[changes.setup("x"), stays.setup("stays")]) as collector,
        ):
            await asyncio.sleep(10)
            await collector.change(Setup((inverter(roof),), (SinkSetup("x", fail), stays.setup("stays"))))
            assert changes.closed == 1
            assert list(collector.lanes) == ["stays"]
            await asyncio.sleep(10)
        assert len(stays.of("battery.voltage")) > 18

    warp(main())
    assert caplog.messages[0] == "x: the port is taken; left out until the next change"


def test_remote_sink_that_cannot_be_opened_anew_goes_on_as_it_was(tmp_path: Path) -> None:
    def fail(_: Sequence[Source]) -> Sink:
        raise ConfigError("x: tls.ca cannot be read")

    async def main() -> Shelf:
        shelf = Shelf()
        before = replace(shelf.setup("x"), spool=SpoolSetup(tmp_path / "x.db"))
        async with Simulator(port=0, speed=0) as roof, collecting(inverter(roof), to=[before]) as collector:
            await asyncio.sleep(10)
            with pytest.raises(ConfigError, match=r"tls\.ca"):
                await collector.change(Setup((inverter(roof),), (replace(before, open=fail, settings=1),)))
            assert shelf.closed == 0
            await asyncio.sleep(10)
        return shelf

    assert len(warp(main()).of("battery.voltage")) >= 19


def test_change_of_what_is_read_of_an_inverter() -> None:
    async def main() -> None:
        shelf = Shelf()
        async with (
            Simulator(port=0, speed=0) as roof,
            collecting(inverter(roof), to=[shelf.setup()]) as collector,
        ):
            await asyncio.sleep(10)
            setup = Setup((inverter(roof, of=plan("battery.soc")),), (shelf.setup(),))
            await collector.change(setup)
            assert collector.setup == setup
            count = len(shelf.of("battery.voltage"))
            await asyncio.sleep(10)
            assert len(shelf.of("battery.soc")) >= 9
            assert len(shelf.of("battery.voltage")) == count

    warp(main())


def test_sink_whose_spool_is_in_use_is_left_out_and_closed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        shelf, other = Shelf(), Shelf()
        spool = SpoolSetup(tmp_path / "x.db")
        taken = spool.open()
        async with (
            Simulator(port=0, speed=0) as roof,
            collecting(inverter(roof), to=[shelf.setup("x"), other.setup("other")]) as collector,
        ):
            await asyncio.sleep(10)
            await collector.change(
                Setup((inverter(roof),), (replace(shelf.setup("x"), spool=spool), other.setup("other")))
            )
            assert (shelf.opened, shelf.closed) == (2, 2)
            lanes = {id(lane) for lanes in collector._routes.values() for lane in lanes}
            assert lanes == {id(lane) for lane in collector.lanes.values()}  # nobody fills what nobody empties
            assert list(collector.lanes) == ["other"]
        taken.close()

    warp(main())
    assert caplog.messages[0].endswith("x.db: in use by another process; left out until the next change")


def test_spool_is_opened_beside_the_loop(tmp_path: Path) -> None:
    threads = []

    class Large(SpoolSetup):
        def open(self) -> Spool:
            threads.append(threading.current_thread())
            return super().open()

    async def main() -> Shelf:
        shelf = Shelf()
        setup = replace(shelf.setup(), spool=Large(tmp_path / "x.db"))
        async with Simulator(port=0, speed=0) as roof, collecting(inverter(roof), to=[setup]):
            await asyncio.sleep(10)
        return shelf

    assert warp(main()).of("battery.voltage")
    assert threading.main_thread() not in threads
    assert len(threads) == 1


# --- the end --------------------------------------------------------------------------------------------------------


def test_cancelling_lets_the_sinks_finish() -> None:
    async def main() -> Shelf:
        shelf = Shelf(fails=lambda attempt: SinkError("x: away") if attempt == 1 else None)
        async with Simulator(port=0, speed=0) as roof, collecting(inverter(roof), to=[shelf.setup()]):
            await asyncio.sleep(0.5)
        return shelf

    shelf = warp(main())
    assert shelf.of("battery.voltage")
    assert shelf.closed == 1


def test_sink_that_hangs_at_the_end_is_left(caplog: pytest.LogCaptureFixture) -> None:
    class Hangs(Shelf):
        async def write(self, readings: Sequence[Reading]) -> None:
            await asyncio.Event().wait()

    async def main() -> Shelf:
        shelf = Hangs()
        async with Simulator(port=0, speed=0) as roof, collecting(inverter(roof), to=[shelf.setup()]):
            await asyncio.sleep(10)
        return shelf

    assert warp(main()).closed == 1
    assert "readings lost: the program ended before they could be written" in caplog.messages[-1]


def test_end_in_the_midst_of_a_change_loses_nothing(caplog: pytest.LogCaptureFixture) -> None:
    class Slow(Shelf):
        async def write(self, readings: Sequence[Reading]) -> None:
            await asyncio.sleep(2)
            await super().write(readings)

    async def main() -> tuple[Shelf, Shelf]:
        old, new = Slow(), Shelf()
        async with (
            Simulator(port=0, speed=0) as roof,
            collecting(inverter(roof), to=[old.setup("x")]) as collector,
        ):
            await asyncio.sleep(10)
            change = asyncio.create_task(collector.change(Setup((inverter(roof),), (new.setup("x"),))))
            await asyncio.sleep(1)
            assert not change.done()
        assert change.done()
        return old, new

    old, new = warp(main())
    assert (old.closed, new.closed) == (1, 1)
    assert len(old.of("battery.voltage")) + len(new.of("battery.voltage")) >= 11
    assert new.of("battery.voltage")
    assert not [message for message in caplog.messages if "lost:" in message]


async def test_mistake_of_ours_in_a_client_ends_it() -> None:
    shelf = Shelf()

    def stumble(_: Reading) -> None:
        raise ZeroDivisionError

    async def connected(setup: InverterSetup, _tap: object) -> Client:
        client = await connect(setup.host, setup.port, name=setup.name).__aenter__()
        stack.enter_context(client.hearing(stumble))
        return client

    async with Simulator(port=0) as roof:
        with ExitStack() as stack, pytest.raises(ZeroDivisionError):
            await Collector(Setup((inverter(roof),), (shelf.setup(),)), connect=connected).run()
    assert shelf.closed == 1


def test_sink_that_cannot_be_closed_keeps_no_other_open(caplog: pytest.LogCaptureFixture) -> None:
    class Stuck(Shelf):
        async def close(self) -> None:
            raise OSError("stuck")

    async def main() -> Shelf:
        stuck, other = Stuck(), Shelf()
        sinks = [stuck.setup("stuck"), other.setup("other")]
        async with Simulator(port=0, speed=0) as roof, collecting(inverter(roof), to=sinks):
            await asyncio.sleep(1)
        return other

    assert warp(main()).closed == 1
    assert caplog.messages[-1] == "stuck: cannot be closed: stuck"


async def test_closed_standard_output_ends_it() -> None:
    class Gone(Shelf):
        async def write(self, readings: Sequence[Reading]) -> None:
            raise BrokenPipeError

    gone, other = Gone(), Shelf()
    async with Simulator(port=0) as roof:
        with pytest.raises(BrokenPipeError):
            await Collector(Setup((inverter(roof),), (gone.setup("gone"), other.setup("other")))).run()
    assert (gone.closed, other.closed) == (1, 1)


async def test_sink_that_cannot_be_opened_at_the_start_is_an_error(tmp_path: Path) -> None:
    shelf = Shelf()
    with pytest.raises(SinkError):
        await Collector(Setup((), (shelf.setup(), sink_of(f"sqlite:{tmp_path / 'no' / 'x.db'}")))).run()
    assert shelf.closed == 1


async def test_client_that_gives_up_ends_it() -> None:
    shelf = Shelf()

    async def impatient(setup: InverterSetup, _tap: object):  # type: ignore[no-untyped-def]  # a client
        return await connect(setup.host, setup.port, tries=1).__aenter__()

    setup = Setup((InverterSetup("roof", "127.0.0.1", BOTH, 1),), (shelf.setup(),))
    with pytest.raises(ConnectFailed):
        await Collector(setup, connect=impatient).run()
    assert shelf.closed == 1


async def test_into_a_file(tmp_path: Path) -> None:
    path = tmp_path / "readings.db"
    async with Simulator(port=0, latency=0.001) as roof:
        fast = plan("battery.voltage", "battery.soc", interval="20ms")
        async with collecting(inverter(roof, of=fast), to=[sink_of(f"sqlite:{path}")]) as collector:
            while not collector.lanes or collector.lanes[str(path)].written < 20:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    stored = [reading for reading in query(path) if not reading.object.startswith("link.")]
    assert {(reading.inverter, reading.object) for reading in stored} == {
        ("roof", "battery.soc"),
        ("roof", "battery.voltage"),
    }
    assert [r.value for r in query(path, UP.name)][:2] == [False, True]


def test_half_a_day_without_a_server_costs_nothing_and_loses_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> tuple[Shelf, Shelf, int]:
        now = asyncio.get_running_loop().time
        down, back = now() + 600, now() + 600 + 12 * 3600

        def fails(_attempt: int) -> SinkError | None:
            return SinkError("x: away") if down <= now() < back else None

        witness, away = Shelf(), Shelf(fails=fails)
        remote = replace(away.setup("x"), spool=SpoolSetup(tmp_path / "spool" / "x.db"))
        slow = plan("battery.voltage", "g_sync.p_acc_lp", interval="60s")
        async with (
            Simulator(port=0, speed=0, broadcast=False) as roof,
            collecting(inverter(roof, of=slow), to=[witness.setup("witness"), remote]),
        ):
            await asyncio.sleep(600 + 12 * 3600)
            attempts = away.attempts
            await asyncio.sleep(1800)
        return witness, away, attempts

    witness, away, attempts = warp(main())
    assert sorted(away.readings, key=repr) == sorted(witness.readings, key=repr)
    assert len({(r.time, r.object.name) for r in away.readings}) == len(away.readings) > 2 * 12 * 60
    assert attempts < 600 + 12 * 3600 / 150 + 20  # once a second while all is well; every five minutes, with jitter
    assert [message.partition(":")[2].partition(";")[0] for message in caplog.messages] == [" away", " works again"]
