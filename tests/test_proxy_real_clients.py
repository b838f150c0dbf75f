"""Programs that nobody here wrote, unchanged, through the proxy: all that they print is what the inverter holds."""

from __future__ import annotations

import asyncio
import socket
import warnings
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from itertools import chain

from rctclient import types
from rctclient.frame import ReceiveFrame, make_frame
from rctclient.registry import REGISTRY
from rctclient.utils import decode_value

from rct_tools.frame import Command, Frame
from rct_tools.objects import ObjectInfo, registry
from rct_tools.simulator import Simulator
from rct_tools.simulator.broadcast import cycles

from guests import NOW, house, simulate
from programs import Done, run

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # which concerns click
    from rctclient.cli import _format_cli_value

AT_ONCE = 4  # programs
TOLD = {
    registry[name].object_id for cycle, _ in zip(cycles(), range(4), strict=False) for b in cycle for name in b.names
}
OF_EACH_TYPE = list(
    {info.response_data_type: info.name for info in REGISTRY.all() if info.name != "com_service"}.values()
)


def truth(simulator: Simulator, request: Frame) -> bytes:
    """Return what the inverter holds."""
    answer = simulator.inverter.answer(request)
    assert answer is not None
    return answer.payload


def question(info: ObjectInfo) -> Frame:
    return (
        Frame(Command.WRITE, info.object_id, NOW.to_bytes(4)) if info.is_query else Frame(Command.READ, info.object_id)
    )


def printed(name: str, payload: bytes) -> str:
    """Return what rctclient prints for a payload."""
    data_type: types.DataType = REGISTRY.get_by_name(name).response_data_type
    match data_type:
        case types.DataType.UNKNOWN:
            return "0x" + payload.hex()
        case types.DataType.TIMESERIES:
            _, rows = decode_value(data_type, payload)
            return ", ".join(f"{time:%Y-%m-%dT%H:%M:%S}={value:.4f}" for time, value in rows.items())
        case types.DataType.EVENT_TABLE:
            _, events = decode_value(data_type, payload)
            return "".join(
                f"{event.entry_type:#x},{event.timestamp:%Y-%m-%dT%H:%M:%S},"
                f"{event.element2:#x},{event.element3:#x},{event.element4:#x}\n"  # type: ignore[str-bytes-safe]
                for event in events.values()
            )
        case _:
            text: str = _format_cli_value(data_type, decode_value(data_type, payload))
            return text


async def test_many_run_at_once_and_each_prints_the_truth() -> None:
    assert len(OF_EACH_TYPE) > 12
    async with simulate(broadcast=True, cycle=1.0) as simulator, house(simulator, cache=0.2) as home:

        async def loop(number: int) -> list[tuple[str, Done]]:
            own = (OF_EACH_TYPE[number * 3 :] + OF_EACH_TYPE[: number * 3])[: len(OF_EACH_TYPE) * 2 // AT_ONCE]
            address = ("-h", "127.0.0.1", "-p", home.proxy.port)
            return [(name, await run("rctclient", "read-value", *address, "-n", name)) for name in own]

        loops = await asyncio.gather(*(loop(number) for number in range(AT_ONCE)))
        true = defaultdict(set)
        for frame in (*map(question, map(registry.__getitem__, OF_EACH_TYPE)), *home.asked):
            true[registry[frame.object_id].name].add(truth(simulator, frame))  # of a page, for each time asked for
    assert {name for done in loops for name, _ in done} == set(OF_EACH_TYPE)
    for name, done in chain(*loops):
        assert (name, done.code, done.err) == (name, 0, "")
        # It prints the rows of a series in no order.
        assert rows(done.out) in [rows(printed(name, payload)) for payload in true[name]]


def rows(text: str) -> list[str]:
    return sorted(text.strip().split(", "))


def ask_one_after_the_other(port: int) -> Iterator[tuple[int, bytes, list[int]]]:
    """Yield ids and payloads that rctclient's own parser finds on one connection, and what else came before each."""
    with closing(socket.create_connection(("127.0.0.1", port), 10)) as sock:
        rest = b""
        for name in OF_EACH_TYPE:
            info = registry[name]
            command = types.Command.WRITE if info.is_query else types.Command.READ
            sock.sendall(make_frame(command, info.object_id, question(info).payload))
            others = []
            frame = ReceiveFrame()
            while True:
                rest = rest or sock.recv(1024)
                assert rest, "cut off"
                rest = rest[frame.consume(rest) :]
                if frame.complete():
                    if frame.id == info.object_id:
                        break
                    others.append(frame.id)
                    frame = ReceiveFrame()
            yield frame.id, frame.data, others


async def test_its_parser_reads_on_one_connection() -> None:
    async with simulate(broadcast=True, cycle=1.0) as simulator, house(simulator) as home:
        results = await asyncio.gather(
            *(asyncio.to_thread(list, ask_one_after_the_other(home.proxy.port)) for _ in range(AT_ONCE))
        )
        for answers in results:
            assert [answer[0] for answer in answers] == [registry[name].object_id for name in OF_EACH_TYPE]
            for object_id, data, others in answers:
                info = registry[object_id]
                assert data == truth(simulator, question(info))
                assert set(others) <= TOLD
