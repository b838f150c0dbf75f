"""rct status --host, rct battery: what is printed, and how it ends."""

from __future__ import annotations

import csv
import io
import json
import re
import struct
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console

from rct_tools import registry
from rct_tools.cli.battery import COLUMNS, _battery
from rct_tools.cli.health import page
from rct_tools.cli.status import _inverter
from rct_tools.client import connect
from rct_tools.errors import RctError
from rct_tools.health import Quality, status
from rct_tools.simulator.faults import Faults
from rct_tools.values import Cell

from answering import Answering, Said
from programs import run
from servers import free_ports
from warp import warp

BERLIN = ZoneInfo("Europe/Berlin")


def shown(
    capsys: pytest.CaptureFixture[str],
    said: Said,
    output_format: str = "text",
    faults: Faults | None = None,
    until: str = "",
) -> str:
    """Return what rct status --host prints of an inverter."""

    async def main() -> None:
        async with Answering(said, until=until, faults=faults or Faults()) as simulator:
            await _inverter(connect("127.0.0.1", simulator.port, name="roof"), BERLIN, output_format)

    warp(main())
    return capsys.readouterr().out


def battery_shown(
    capsys: pytest.CaptureFixture[str],
    said: Said,
    output_format: str = "text",
    *,
    towers: int = 1,
    plot: Path | None = None,
) -> str:
    """Return what rct battery prints."""

    async def main() -> None:
        async with Answering(said, faults=Faults(towers=towers)) as simulator:
            await _battery(connect("127.0.0.1", simulator.port), BERLIN, output_format, plot)

    warp(main())
    return capsys.readouterr().out


# --- rct status -----------------------------------------------------------------------------------------------------


def test_one_screen(capsys: pytest.CaptureFixture[str]) -> None:
    out = shown(capsys, {})
    lines = out.splitlines()
    assert re.fullmatch(r"Simulated inverter \(127\.0\.0\.1:\d+\)  21 Jun 2024, 12:00", lines[0])
    assert [line.split()[0] for line in lines[2:] if line and line[0] != " "] == [
        *("Sun", "House", "Battery", "Grid", "Faults", "State", "Strategy", "Today", "Battery", "Firmware", "Link")
    ]
    assert "\nFaults   none\nState    Feed in\nStrategy Internal\n" in out
    assert "self-consumption 20 %  autarky 100 %" in out
    assert "wanted, normal\n" in out
    assert re.search(
        r"^Today    sun \d+\.\d kWh  house \d\.\d kWh  import \d\.\d kWh  feed-in 25\.\d kWh$", out, re.MULTILINE
    )
    assert "next calibration 16 Jul 2024, 00:00, in 24 days\n" in out
    assert "requests, none repeated, cut or damaged\n" in out
    assert "\x1b" not in out
    assert len(lines) < 24
    assert [line for line in lines if line != line.rstrip()] == []
    assert max(map(len, lines)) <= 80


def test_faults_and_odd_states_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    said = {
        "fault[0].flt": struct.pack(">I", 1 << 25 | 1 << 17),
        "prim_sm.island_flag": struct.pack(">H", 1),
        "prim_sm.state": b"\x63",
        "battery.bat_status": struct.pack(">i", 2048),
        "io_board.s0_external_power": struct.pack(">f", 1234.0),
        "android_description": b"\x1b[2Jmine\0",
    }
    out = shown(capsys, said)
    assert "Faults   relay test failed (17)\n         insulation too low or implausible (25)\n" in out
    assert "State    unknown (99)\n         separated from the grid\nStrategy Internal\n" in out
    assert "wanted, balancing\n" in out
    assert "\nExternal  1.23 kW" in out
    assert out.startswith("\N{REPLACEMENT CHARACTER}[2Jmine (")


def test_what_was_planned_and_what_nobody_knows(capsys: pytest.CaptureFixture[str]) -> None:
    said = {
        "power_mng.bat_next_calib_date": struct.pack(">I", 1_704_103_200),
        "battery.bat_status": struct.pack(">i", 5),
    }
    out = shown(capsys, said)
    assert "next calibration 01 Jan 2024, 10:00\n" in out
    assert "wanted, unknown (5)\n" in out


def test_what_is_silent_is_a_dash(capsys: pytest.CaptureFixture[str]) -> None:
    silent = (
        *("g_sync.p_acc_lp", "g_sync.p_ac_grid_sum_lp", "dc_conv.dc_conv_struct[1].p_dc", "energy.*", "fault[1].flt"),
        *("battery.soc", "battery.bat_status", "power_mng.*", "flash_rtc.*", "android_description"),
    )
    out = shown(capsys, dict.fromkeys(silent))
    assert re.search(r"^Sun {13}- +A \d\.\d\d kW  B -$", out, re.MULTILINE)
    assert re.search(r"^Battery {9}- +-$", out, re.MULTILINE)
    assert re.search(r"^Grid {12}-$", out, re.MULTILINE)
    assert "Faults   -\nState    Feed in\nStrategy -\n" in out
    assert "Today    sun -  house -  import -  feed-in -\n         self-consumption -  autarky -\n" in out
    assert "Battery  - of " in out
    assert "next calibration -\n" in out
    assert re.search(r"requests, \d+ repeated, \d+ unanswered\n", out)
    assert re.search(r"^No answer for android_description, .* more$", out, re.MULTILINE | re.DOTALL)
    assert re.match(r"127\.0\.0\.1:\d+\n", out)
    assert max(map(len, out.splitlines())) <= 80


def test_no_battery_and_two(capsys: pytest.CaptureFixture[str]) -> None:
    out = shown(capsys, {"battery.bms_sn": b"\0"})
    assert re.findall(r"^Battery.*", out, re.MULTILINE) == ["Battery  none"]
    out = shown(capsys, {}, faults=Faults(towers=2))
    assert re.search(r" wanted, second tower \d+\.\d %, normal\n", out)


def test_status_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(shown(capsys, {"fault[3].flt": struct.pack(">I", 2), "energy.e_load_day": None}, "json"))
    assert document["faults"] == [{"number": 97, "text": "main PIC does not start"}]
    assert document["state"] == {"number": 13, "text": "Feed in"}
    assert document["clock"] == "2024-06-21T12:00:00+02:00"
    assert document["time"].endswith("+00:00")
    assert document["today"]["self_consumption"] == pytest.approx(0.2, abs=0.1)
    assert document["today"]["autarky"] is None
    assert document["missing"] == ["energy.e_load_day"]
    assert document["powers"]["sun"] == pytest.approx(document["powers"]["sun_a"] + document["powers"]["sun_b"])


async def test_colours_and_a_bad_connection() -> None:
    async with Answering({}) as simulator, connect("127.0.0.1", simulator.port) as inverter:
        found = await status(inverter, zone=BERLIN)
    quality = Quality(requests=50, repeated=3, unanswered=3, cut=1, damaged=2, reconnects=1, others=True)
    file = io.StringIO()
    Console(file=file, force_terminal=True, color_system="standard", width=80).print(
        page(replace(found, quality=quality))
    )
    assert "\x1b[32mnone\x1b[0m" in file.getvalue()
    out = re.sub(r"\x1b\[\d+m", "", file.getvalue())
    assert "Link     50 requests, 3 repeated, 3 unanswered, 1 cut, 2 damaged, 1 reconnects\n" in out
    assert out.endswith("\n         another client is at work on it\n")


def test_a_connection_that_ends_meanwhile(capsys: pytest.CaptureFixture[str]) -> None:
    out = shown(capsys, {"svnversion": None, "android_description": b"mine\0"}, until="energy.e_load_day")
    assert re.search(r"\n127\.0\.0\.1:\d+: .*\n$", out)
    assert "Firmware -\n" in out


async def test_status_as_a_program() -> None:
    async with Answering({}, latency=0.001) as simulator:
        where = ("--host", "127.0.0.1", "--port", simulator.port)
        done = await run("rct", "status", *where, "--time-zone", "Europe/Berlin")
        assert (done.code, done.err) == (0, "")
        assert "\nFaults   none\n" in done.out
        assert "\x1b" not in done.out
        done = await run("rct", "battery", *where)
        assert (done.code, done.err) == (0, "")
        assert done.out.startswith("Battery  ")


@pytest.mark.parametrize("command", ["status", "battery"])
async def test_no_inverter(command: str) -> None:
    (port,) = free_ports(1)
    done = await run("rct", command, "--host", "127.0.0.1", "--port", port)
    assert (done.code, done.out) == (1, "")
    told = f"Error: 127.0.0.1:{port}: cannot connect: connection refused (tried 3 times)"
    assert done.err == f"{told}; rct doctor says what to check\n"


def test_one_that_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RctError, match=r"127\.0\.0\.1"):
        shown(capsys, {"*": None})
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (("status", "--port", "8899"), "--port is for --host only"),
        (("status", "--time-zone", "UTC"), "--time-zone is for --host only"),
        (("status", "--host", "a", "--address", "127.0.0.1:1"), "--address is not for --host"),
        (("status", "--host", ""), "is empty"),
        (("status", "--host", "a", "--time-zone", "Europe/Berlinn"), "'Europe/Berlinn' is no time zone"),
        (("battery",), "Missing option '--host'"),
        (("battery", "--host", "a", "--plot", "cells.jpg"), "cells.jpg should end with .svg or .png"),
        (("battery", "--host", "a", "--time-zone", "../x"), "'../x' is no time zone"),
    ],
)
async def test_usage(args: tuple[str, ...], error: str) -> None:
    done = await run("rct", *args)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert error in done.err


# --- rct battery ----------------------------------------------------------------------------------------------------

ODD = {"battery.cells[4]": registry["battery.cells[4]"].encode((Cell(20, 3.361, 0),) * 23 + (Cell(31, 2.9, 1),))}


def test_all_cells_with_marks(capsys: pytest.CaptureFixture[str]) -> None:
    out = battery_shown(capsys, ODD)
    lines = out.splitlines()
    assert lines[0].startswith("Battery  97.0 %, ")
    assert "Cells    2.900 … 3.365 V, spread 465 mV, 18 … 31 °C\n" in out
    assert re.search(r"^cell 23 .* ▼2900 31$", out, re.MULTILINE)
    assert out.count("▼") == 1
    assert out.count("▲") == out.count("3365 ") > 0
    assert re.search(r"^4 +\d+ +80\.2 +2\.900 +3\.361 +461 +20 … 31 +0\.\d{3} +0\.\d{3}$", out, re.MULTILINE)
    assert re.search(r"^0 +2\.\d{3}  2022-04-13 +3\.\d{3}  2022-04-13", out, re.MULTILINE)
    assert len([line for line in lines if line.startswith("cell ")]) == 24
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in out


def test_two_towers(capsys: pytest.CaptureFixture[str]) -> None:
    out = battery_shown(capsys, {}, towers=2)
    assert re.findall(r"^Tower \d", out, re.MULTILINE) == ["Tower 0", "Tower 1"]
    assert out.count("\ncell 23 ") == 2
    assert re.search(r"Tower 1  .* °C, -\n", out)


def test_seven_modules_fit(capsys: pytest.CaptureFixture[str]) -> None:
    said = {f"battery.module_sn[{n}]": b"SIM\0" for n in (5, 6)} | {
        f"battery.cells[{n}]": ODD["battery.cells[4]"] for n in (5, 6)
    }
    out = battery_shown(capsys, said)
    assert "module 6" in out
    assert max(map(len, out.splitlines())) <= 80


def test_cells_that_are_silent(capsys: pytest.CaptureFixture[str]) -> None:
    silent = ("battery.cells*[1]", "battery.cells_stat[0]", "battery.cells_resist[2]", "battery.soc", "battery.cycles")
    out = battery_shown(capsys, dict.fromkeys(silent))
    assert out.startswith("Battery  -, ")
    assert re.search(r"^1 +\d+ +- +- +- +- +- +- +-$", out, re.MULTILINE)
    assert re.search(r"^0 +- +- +- +-$", out, re.MULTILINE)
    assert re.search(r"^cell 7 +.?\d{4} \d\d +- +", out, re.MULTILINE)
    assert re.search(r"^No answer for battery\.", out, re.MULTILINE)
    out = battery_shown(capsys, {"battery.cells*": None})
    assert "Cells    - … - V, spread -, - … -\n" in out


def test_no_battery(capsys: pytest.CaptureFixture[str]) -> None:
    assert re.fullmatch(r"127\.0\.0\.1:\d+: has no battery\n", battery_shown(capsys, {"battery.bms_sn": b"\0"}))
    assert json.loads(battery_shown(capsys, {"battery.bms_sn": b"\0"}, "json"))["towers"] == []
    assert battery_shown(capsys, {"battery.bms_sn": b"\0"}, "csv") == ",".join(COLUMNS) + "\n"


def test_battery_as_csv(capsys: pytest.CaptureFixture[str]) -> None:
    out = battery_shown(capsys, {**ODD, "battery.cells_resist[4]": None, "battery.cells[0]": None}, "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == 5 * 24
    assert list(rows[-1].values()) == ["0", "4", "23", "2.9", "31", "", "1"]
    assert (rows[0]["voltage [V]"], rows[0]["status"]) == ("", "")
    assert float(rows[0]["resistance [mΩ]"]) > 0


def test_battery_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(battery_shown(capsys, ODD, "json"))
    (tower,) = document["towers"]
    assert tower["lowest"] == {"module": 4, "cell": 23, "value": 2.9}
    assert tower["spread"] == pytest.approx(0.465)
    assert tower["modules"][0]["extremes"]["u_min"]["time"].endswith("+02:00")
    assert tower["modules"][4]["cells"][23] == {"temperature": 31, "voltage": 2.9, "status": 1}
    assert document["time"].endswith("+00:00")
    assert document["missing"] == []


def test_a_picture(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the extra plot is not installed")
    path = tmp_path / "cells.svg"
    out = battery_shown(capsys, {}, "text", plot=path)
    assert out.endswith(f"{path}: written\n")
    assert path.read_text("utf-8").startswith("<?xml")
