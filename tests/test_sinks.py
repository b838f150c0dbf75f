"""All sinks, by the table of sinks; and the plain ones."""

from __future__ import annotations

import json
import math
import os
import sys
from pathlib import Path

import pytest

from rct_tools.errors import ConfigError, SinkError
from rct_tools.objects import ObjectInfo, registry
from rct_tools.reading import Reading
from rct_tools.sinks import SINKS, open_sink, settings_for
from rct_tools.values import Cell, DataType, Event, EventTable, Sample, TimeSeries, Value

NOON = 1_782_043_200_000_000_001  # 2026-06-21 12:00 UTC, and a nanosecond


def reading(name: str, value: Value, time: int = NOON, inverter: str = "roof") -> Reading:
    return Reading(time, inverter, registry[name], value)


SAMPLES: list[tuple[Reading, object, str]] = [  # reading, value in JSON, value for people
    (reading("battery.soc", 0.3199999928474426), 0.3199999928474426, "32.0 %"),
    (reading("g_sync.p_acc_lp", -2232.419921875), -2232.419921875, "-2232.4 W"),
    (reading("g_sync.p_acc_lp", math.nan), None, "nan W"),
    (reading("energy.e_ac_total", 12_345_678.0), 12345678.0, "12345678 Wh"),
    (reading("fault[0].flt", 0xFFFFFFFF), 4294967295, "4294967295"),
    (reading("prim_sm.state", 13), 13, "13"),
    (reading("power_mng.use_grid_power_enable", True), True, "true"),
    (reading("svnversion", "6a\x1b[2J \N{GREEK SMALL LETTER PI}"), "6a\x1b[2J π", "6a\N{REPLACEMENT CHARACTER}[2J π"),
    (
        reading("logger.minutes_soc_log_ts", TimeSeries(300, (Sample(0, 0.5),))),
        {"time": 300, "samples": [{"time": 0, "value": 0.5}]},
        "1 samples",
    ),
    (
        reading("logger.error_log_time_stamp", EventTable(300, (Event(115, 7, (1, 2, 3)),))),
        {"time": 300, "events": [{"type": 115, "time": 7, "values": [1, 2, 3]}]},
        "1 events",
    ),
    (
        reading("battery.cells[0]", (Cell(21, 3.305, 0),)),
        [{"temperature": 21, "voltage": 3.305, "status": 0}],
        "1 cells: 3.305 … 3.305 V, 21 … 21 °C",
    ),
    (Reading(NOON, "roof", ObjectInfo(5, "0x00000005", DataType.UNKNOWN), b"\x01\xff"), "01ff", "01 ff"),
]


@pytest.fixture
def urls(tmp_path: Path) -> dict[str, str]:
    """A URL for each scheme, none of which needs a server to be opened."""
    return {
        "sqlite": f"sqlite:{tmp_path / 'readings.db'}",
        "influx": "influx://127.0.0.1:1/photovoltaic",
        "influxs": "influxs://127.0.0.1:1/photovoltaic",
        "prometheus": "prometheus://127.0.0.1:0",
        "jsonl": f"jsonl:{tmp_path / 'readings.jsonl'}",
        "console": "console:",
    }


@pytest.mark.parametrize("scheme", SINKS)
async def test_every_sink_takes_every_value_or_says_so_in_one_line(scheme: str, urls: dict[str, str]) -> None:
    sink = open_sink(settings_for(urls[scheme]))
    try:
        await sink.write([sample for sample, _, _ in SAMPLES])
        await sink.write([])
    except SinkError as exc:
        said = str(exc)
    else:
        said = "127.0.0.1:1: taken"
    assert "127.0.0.1:1: " in said
    assert "\n" not in said
    await sink.close()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sqlit:///x", "did you mean sqlite:///PATH"),
        ("readings.db", "expected sqlite:///PATH, influx://"),
        ("", "expected sqlite:///PATH, influx://"),
        ("sqlite://x/y", "expected sqlite:///ABSOLUTE/PATH"),
        ("jsonl:", "expected jsonl:PATH"),
        ("console:x", "nothing behind it"),
        ("influx://h", "expected influx://[USER@]HOST[:8086]/DATABASE"),
        ("influx:///db", "expected influx://"),
        ("influx://h:70000/db", "expected influx://"),
        ("influx://h:x/db", "expected influx://"),
        ("influx://h/a/b", "expected influx://"),
        ("influx://h/db?x=1", "expected influx://"),
        ("influx://me@h/db", "user me needs a password in INFLUX_PASSWORD"),
    ],
)
def test_wrong_url_says_what_was_expected(url: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INFLUX_PASSWORD", raising=False)
    with pytest.raises(ConfigError) as caught:
        open_sink(settings_for(url))
    assert said in str(caught.value)


def test_password_in_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigError) as caught:
        open_sink(settings_for("influx://me:s3cret@h/db"))
    assert "INFLUX_PASSWORD" in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_missing_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    with pytest.raises(ConfigError, match=r"pip install 'rct-tools\[influx\]'"):
        open_sink(settings_for("influx://h/db"))


async def test_jsonl_lines(tmp_path: Path) -> None:
    path = tmp_path / "readings.jsonl"
    path.write_bytes(b'{"time": "cut')  # the last writer was stopped there
    sink = open_sink(settings_for(f"jsonl:{path}"))
    await sink.write([sample for sample, _, _ in SAMPLES])
    await sink.close()
    cut, *lines = path.read_text(encoding="utf-8").splitlines()
    assert cut == '{"time": "cut'
    assert [json.loads(line) for line in lines] == [
        {
            "time": "2026-06-21T12:00:00.000000001+00:00",
            "inverter": "roof",
            "object": sample.object.name,
            "value": value,
            "unit": sample.object.unit,
        }
        for sample, value, _ in SAMPLES
    ]


async def test_jsonl_to_standard_output(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    sink = open_sink(settings_for("jsonl:-"))
    await sink.write([reading("battery.soc", 0.5)])
    await sink.close()
    assert json.loads(capfdbinary.readouterr().out)["value"] == 0.5


def test_jsonl_that_cannot_be_opened_says_which_and_why(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match=r"nowhere.*No such file"):
        open_sink(settings_for(f"jsonl:{tmp_path / 'nowhere' / 'x'}"))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="file size limits are POSIX")
async def test_jsonl_leaves_no_half_lines_when_the_disk_is_full(tmp_path: Path) -> None:
    import resource
    import signal

    path = tmp_path / "readings.jsonl"
    sink = open_sink(settings_for(f"jsonl:{path}"))
    await sink.write([reading("battery.soc", 0.5)])
    whole = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) + 10, limits[1]))
    try:
        with pytest.raises(SinkError, match=r"readings\.jsonl: cannot be written: File too large"):
            await sink.write([reading("battery.soc", 0.6)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_bytes() == whole
    await sink.write([reading("battery.soc", 0.6)])
    await sink.close()
    assert [json.loads(line)["value"] for line in path.read_text().splitlines()] == [0.5, 0.6]


async def test_console_columns(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    sink = open_sink(settings_for("console:"))
    await sink.write([sample for sample, _, _ in SAMPLES])
    await sink.close()
    lines = capfdbinary.readouterr().out.decode().splitlines()
    for line, (sample, _, text) in zip(lines, SAMPLES, strict=True):
        assert line.startswith(sample.object.name)
        assert f" {text} " in line
        assert line.endswith("2026-06-21T12:00:00.000+00:00")
    assert registry["prim_sm.state"].meaning(13) in lines[5]
