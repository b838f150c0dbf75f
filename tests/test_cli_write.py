"""rct write: what it shows, what it does, and how it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rct_tools.cli.write import who_writes
from rct_tools.frame import Command, Frame
from rct_tools.objects import registry
from rct_tools.simulator import Faults, Simulator
from rct_tools.values import Value
from rct_tools.writing import TRIES

from programs import Done, run

LEAST = "power_mng.soc_min"
POWER = "power_mng.battery_power_extern"


async def rct_write(simulator: Simulator, folder: Path, *args: object) -> Done:
    where = ("--host", "127.0.0.1", "--port", simulator.port)
    return await run("rct", "write", *where, *args, XDG_DATA_HOME=str(folder))


def inverter() -> Simulator:
    return Simulator(port=0, latency=0.001, broadcast=False, speed=0)


def is_empty(folder: Path) -> bool:
    return not any(folder.rglob("*"))


def lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def holds(simulator: Simulator, name: str) -> Value:
    info = registry[name]
    return info.decode(simulator.inverter.payload(info))


async def test_without_yes_it_only_shows(tmp_path: Path) -> None:
    async with inverter() as simulator:
        done = await rct_write(simulator, tmp_path, "power_mng.soc_charge", "10%")
        assert (done.code, done.err) == (0, "Nothing was written: --yes does it.\n")
        info = registry["power_mng.soc_charge"]
        frame = Frame(Command.WRITE, info.object_id, info.encode(0.1)).encode().hex(" ")
        *said, note, last = lines(done.out)
        assert said == [
            "power_mng.soc_charge 5.0 % → 10.0 %",
            "changes too power_mng.soc_min, now 7.0 %",
            "changes too power_mng.soc_min_island, now 12.0 %",
        ]
        assert note.startswith("note the battery is charged")
        assert last == f"frame {frame}"
        same = await rct_write(simulator, tmp_path, "power_mng.soc_max", "97%")
        assert "as before" in same.out
        assert "none, it holds that already" in same.out
        assert same.err == "There is nothing to write.\n"
        shown = await rct_write(simulator, tmp_path, POWER, "-2kW", "--format", "json")  # which is no option
        (row,) = json.loads(shown.out)
        assert row == {
            "inverter": "127.0.0.1", "object": POWER, "unit": "W", "old": 0.0, "wanted": -2000.0, "now": 0.0,
            "tries": 0, "changes": {}, "frame": Frame(Command.WRITE, 0xBD008E29, b"\xc4\xfa\0\0").encode().hex(" "),
        }  # fmt: skip
        assert holds(simulator, POWER) == 0.0
        assert not simulator.inverter.harm
    assert is_empty(tmp_path)


async def test_with_yes_it_writes_and_proves(tmp_path: Path) -> None:
    async with inverter() as simulator:
        done = await rct_write(simulator, tmp_path, LEAST, "20%", "--yes")
        assert (done.code, done.err) == (0, "")
        assert lines(done.out) == [f"{LEAST} 7.0 % → 20.0 % (read back)"]
        assert holds(simulator, LEAST) == pytest.approx(0.2)
        again = await rct_write(simulator, tmp_path, LEAST, "0.2", "--yes")
        assert lines(again.out) == [f"{LEAST} 20.0 %, as before; nothing was sent"]
        charge = await rct_write(simulator, tmp_path, "power_mng.soc_charge", "10%", "--yes", "--format", "jsonl")
        row = json.loads(charge.out)
        assert row["changes"][LEAST] == [pytest.approx(0.2), pytest.approx(0.12)]
        assert (row["tries"], row["frame"]) == (1, None)
        shown = await rct_write(simulator, tmp_path, "power_mng.soc_charge", "11%", "--yes")
        assert lines(shown.out)[1] == f"changed too {LEAST} 12.0 % → 13.0 %"
    record = (tmp_path / "rct-tools/steering/writes.jsonl").read_text("utf-8").splitlines()
    assert len(record) == 6
    assert json.loads(record[0])["who"].startswith("rct write")


REFUSED = [  # arguments, what is said; none of it needs an inverter
    (("com_service", "5"), "com_service: is never written, it could harm the inverter"),
    (("pas.period", "0"), "pas.period: is never written"),
    (("battery.soc", "50%"), "battery.soc: is not among what may be written: power_mng.soc_strategy, "),
    ((LEAST, "80"), f"{LEAST}: cannot be set to '80'; expected 0.05 to 1, that is 5 % to 100 %"),
    ((LEAST, "nan"), f"{LEAST}: cannot be set to 'nan'"),
    ((LEAST, "20W"), f"{LEAST}: cannot be set to '20W': the unit is wrong"),
    ((LEAST, "much"), f"{LEAST}: cannot be set to 'much'"),
    (("power_mng.soc_strategy", "Tibber"), "expected one of 0 SOC target = SOC, 1 Constant, 2 External"),
    ((LEAST,), "Missing argument 'VALUE'"),
    ((LEAST, "20%", "-x"), "extra argument"),
    (("nonsense", "1"), "unknown object 'nonsense'; did you mean"),
]


@pytest.mark.parametrize(("args", "message"), REFUSED)
async def test_what_is_refused_without_asking(tmp_path: Path, args: tuple[str, ...], message: str) -> None:
    done = await run("rct", "write", "--host", "192.0.2.7", *args, "--yes", XDG_DATA_HOME=str(tmp_path))
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert message in done.err
    assert is_empty(tmp_path)


async def test_what_the_inverter_forbids(tmp_path: Path) -> None:
    async with inverter() as simulator:
        done = await rct_write(simulator, tmp_path, POWER, "11kW", "--yes")
        assert done.code == 2
        assert (
            done.err
            == f"Error: {POWER}: cannot be set to 11000.0; expected -10100 to 10100 W, with 2 decimals at most\n"
        )
        status = registry["battery.bat_status"]
        simulator.inverter.answer(Frame(Command.WRITE, status.object_id, status.encode(1 << 11)))
        done = await rct_write(simulator, tmp_path, LEAST, "20%", "--yes")
        assert done.code == 1
        assert "battery.bat_status is 2048 balancing; wait until that is over, or use --force-state" in done.err
        assert holds(simulator, LEAST) == pytest.approx(0.07)
        done = await rct_write(simulator, tmp_path, LEAST, "20%", "--yes", "--force-state")
        assert done.code == 0


async def test_what_is_not_proven_is_a_failure_that_says_what_holds(tmp_path: Path) -> None:
    async with inverter() as simulator:
        simulator.faults = Faults(unwritten=1.0)
        done = await rct_write(simulator, tmp_path, LEAST, "20%", "--yes", "--timeout", "700ms")
        assert (done.code, done.out) == (1, "")
        where = f"127.0.0.1:{simulator.port}"
        assert done.err == f"Error: {where}: {LEAST} was not set to 20.0 %: sent {TRIES} times, it holds 7.0 %\n"
        assert simulator.happened["unwritten"] == TRIES


def test_who_has_no_name_is_on_record_by_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError(4711)

    monkeypatch.setattr("getpass.getuser", nobody)
    assert who_writes("rct write") == "rct write"
