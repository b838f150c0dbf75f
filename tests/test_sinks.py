"""All sinks, by the table of sinks; and the plain ones."""

from __future__ import annotations

import csv
import gzip
import json
import math
import os
import re
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any, get_type_hints

import msgspec
import pytest
from msgspec import Meta

from rct_tools.errors import ConfigError, SinkError
from rct_tools.events import END
from rct_tools.objects import ObjectInfo, registry
from rct_tools.plan import Expected, Source
from rct_tools.reading import Reading
from rct_tools.settings import Size
from rct_tools.sinks import SINKS, Sink, influx, mqtt, open_sink, settings_for, sink_keys
from rct_tools.sinks.lines import FORMATS, LinesSink, Settings
from rct_tools.sinks.sqlite import query
from rct_tools.times import SECOND
from rct_tools.values import Cell, DataType, Event, EventTable, LoggedEvent, Sample, TimeSeries, Value

NOON = 1_782_043_200_000_000_001  # 2026-06-21 12:00 UTC, and a nanosecond


def reading(name: str, value: Value, time: int = NOON, inverter: str = "roof") -> Reading:
    return Reading(time, inverter, registry[name], value)


LOGGED = LoggedEvent(
    "switch-on Umax L2",
    NOON - 60 * SECOND - 1,
    NOON - 1,
    True,
    "",
    DataType.UNKNOWN,
    "V",
    Event(84, NOON // SECOND - 60, (NOON // SECOND, 0x437E8000, 0)),
)

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
    (
        Reading(NOON, "roof", END, LOGGED),
        {
            "begin": "2026-06-21T11:59:00+00:00",
            "end": "2026-06-21T12:00:00+00:00",
            "duration": 60,
            "unsure": False,
            "type": "0x54",
            "name": "switch-on Umax L2",
            "object": None,
            "old": None,
            "new": None,
            "value": 254.5,
            "unit": "V",
            "raw": [1782043200, 1132363776, 0],
        },
        "switch-on Umax L2, 1m, 254.50 V",
    ),
    (Reading(NOON, "roof", ObjectInfo(5, "0x00000005", DataType.UNKNOWN), b"\x01\xff"), "01ff", "01 ff"),
]


SOURCES = [Source("roof", "UTC", {s.object.name: Expected(s.object, s.object.name, SECOND) for s, _, _ in SAMPLES})]

URLS = {  # how each sink is opened here; none needs a server to be there
    "sqlite": "sqlite:{folder}/readings.db",
    "influx": "influx://127.0.0.1:1/photovoltaic",
    "influxs": "influxs://127.0.0.1:1/photovoltaic",
    "influx2": "influx2://127.0.0.1:1/solar?org=home",
    "influx2s": "influx2s://127.0.0.1:1/solar",
    "mqtt": "mqtt://127.0.0.1:1/rct",
    "mqtts": "mqtts://127.0.0.1:1/rct",
    "prometheus": "prometheus://127.0.0.1:0",
    "jsonl": "jsonl:{folder}/readings.jsonl",
    "csv": "csv:{folder}/readings.csv",
    "parquet": "parquet:{folder}/readings",
    "console": "console:",
}


def rows_of_sqlite(folder: Path) -> list[tuple[str, str]]:
    return [(row.inverter, row.object) for row in query(folder / "readings.db")]


def rows_of_lines(path: Path) -> list[tuple[str, str]]:
    return [(row["inverter"], row["object"]) for row in map(json.loads, path.read_text("utf-8").splitlines())]


def rows_of_csv(folder: Path) -> list[tuple[str, str]]:
    with (folder / "readings.csv").open(encoding="utf-8", newline="") as file:
        return [(row["inverter"], row["object"]) for row in csv.DictReader(file)]


STORED: dict[str, Callable[[Path], list[tuple[str, str]]]] = {  # what files hold: inverter and object of each reading
    "sqlite": rows_of_sqlite,
    "jsonl": lambda folder: rows_of_lines(folder / "readings.jsonl"),
    "csv": rows_of_csv,
    "parquet": lambda folder: rows_of_lines(folder / "readings" / "_2026-06-21.jsonl"),
}


async def write_error(sink: Sink, readings: Sequence[Reading]) -> SinkError | None:
    """Write the readings; return what went wrong."""
    try:
        await sink.write(readings)
    except SinkError as exc:
        return exc
    return None


@pytest.mark.parametrize("scheme", SINKS)
class TestEverySink:
    """What each sink has to do, by the table of sinks. A new one is tested with its line in URLS."""

    @pytest.fixture
    async def sink(self, scheme: str, tmp_path: Path) -> AsyncIterator[Sink]:
        sink = open_sink(settings_for(URLS[scheme].format(folder=tmp_path)), SOURCES)
        yield sink
        await sink.close()

    async def test_takes_every_value_or_says_why_not_in_one_line(self, scheme: str, sink: Sink) -> None:
        for readings in ([sample for sample, _, _ in SAMPLES], *([sample] for sample, _, _ in SAMPLES)):
            error = await write_error(sink, readings)
            assert error is None or "127.0.0.1:1: " in str(error)  # there is no server
            assert "\n" not in str(error)
            assert error is None or not error.permanent

    async def test_nothing_to_write_is_no_trouble(self, scheme: str, sink: Sink) -> None:
        await sink.write([])

    async def test_closes_without_a_reading(self, scheme: str, tmp_path: Path) -> None:
        await open_sink(settings_for(URLS[scheme].format(folder=tmp_path)), SOURCES).close()

    async def test_takes_the_same_twice(self, scheme: str, sink: Sink) -> None:
        for _ in range(2):
            await write_error(sink, [reading("battery.soc", 0.5)])

    async def test_keeps_all_in_order(self, scheme: str, tmp_path: Path) -> None:
        if scheme not in STORED:
            return
        given = [
            reading(info.name, 0.5, NOON + 1000 * n + k, inverter)
            for n, inverter in enumerate(("roof", "barn", "roof/0000002A", 'a,b "c"\nd'))
            for k, info in enumerate((registry["battery.soc"], registry["g_sync.p_acc_lp"]))
        ]
        for half in (given[:4], given[4:]):  # and goes on with what is there already
            sink = open_sink(settings_for(URLS[scheme].format(folder=tmp_path)), SOURCES)
            await sink.write(half)
            await sink.close()
        stored = STORED[scheme](tmp_path)
        assert [(inverter.replace("\n", " "), name) for inverter, name in stored] == [
            (item.inverter.replace("\n", " "), item.object.name) for item in given
        ]

    def test_unknown_key_is_named_with_the_nearest(self, scheme: str, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match=r"^sink\[0\]\.ulr: unknown key, did you mean 'url'"):
            settings_for(URLS[scheme].format(folder=tmp_path), "sink[0]", ulr="")

    def test_every_key_is_documented(self, scheme: str, tmp_path: Path) -> None:
        kind = type(settings_for(URLS[scheme].format(folder=tmp_path)))
        assert kind.__doc__
        for name, hint in get_type_hints(kind, include_extras=True).items():
            described = [meta.description for meta in getattr(hint, "__metadata__", ()) if isinstance(meta, Meta)]
            assert any(described), f"{scheme}: {name}"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sqlit:///x", "did you mean sqlite:///PATH"),
        ("readings.db", "expected sqlite:///PATH, influx://"),
        ("", "expected sqlite:///PATH, influx://"),
        ("sqlite://x/y", "expected sqlite:///ABSOLUTE/PATH"),
        ("jsonl:", "expected jsonl:PATH"),
        ("csv:", "expected csv:PATH"),
        ("parquet:", "expected parquet:FOLDER"),
        ("console:x", "nothing behind it"),
        ("influx://h", "expected influx://[USER@]HOST[:8086]/DATABASE"),
        ("influx:///db", "expected influx://"),
        ("influx://h:70000/db", "expected influx://"),
        ("influx://h:x/db", "expected influx://"),
        ("influx2://h", "expected influx2://HOST[:8086]/BUCKET?org=ORG"),
        ("influx2://me@h/bucket", "expected influx2://HOST"),
        ("influx2s://h/bucket?token=x", "expected influx2://HOST"),
        ("influx://h/db?x=1", "expected influx://"),
        ("influx://me@h/db", "influx://h: password of user me: the environment has no INFLUX_PASSWORD"),
    ],
)
def test_wrong_url_says_what_was_expected(url: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INFLUX_PASSWORD", raising=False)
    with pytest.raises(ConfigError) as caught:
        open_sink(settings_for(url))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("url", "variable"),
    [
        ("influx://me:s3cret@h/db", influx.PASSWORD_VARIABLE),
        ("influxs://:s3cret@h/db", influx.PASSWORD_VARIABLE),
        ("influx2://me:s3cret@h/db?org=x", influx.TOKEN_VARIABLE),
        ("mqtt://me:s3cret@h", mqtt.PASSWORD_VARIABLE),
        ("mqtts://me:s3cret@h", mqtt.PASSWORD_VARIABLE),
        ("influx://me:/s3cret@h/db", influx.PASSWORD_VARIABLE),
        ("influx://me:s3cret/s3cret@h/db", influx.PASSWORD_VARIABLE),
        ("mqtt://me:#s3cret@h", mqtt.PASSWORD_VARIABLE),
        ("mqtt://me:5s3cret?@h", mqtt.PASSWORD_VARIABLE),
        ("prometheus://me:s3cret@h", ""),
        ("influxdb://me:s3cret@h/db", ""),
    ],
)
def test_password_in_url_is_refused_and_not_repeated(url: str, variable: str) -> None:
    for ask in (settings_for, sink_keys):
        with pytest.raises(ConfigError) as caught:
            ask(url)
        said = f"the password belongs in {variable}, not in the URL" if variable else "no password belongs in the URL"
        assert str(caught.value) == f"{url.partition(':')[0]}://: {said}"
        assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["mqtt://h:1883/a@b", "mqtt://me@h:1883/a@b", "mqtt://[::1]:1883/a", "sqlite:///C:/a@b"]
)
def test_what_looks_like_a_password_is_none(url: str) -> None:
    assert settings_for(url).url == url


def test_token_in_url_is_not_repeated() -> None:
    with pytest.raises(ConfigError) as caught:
        open_sink(settings_for("influx2://h/b?org=x&token=s3cret"))
    assert "s3cret" not in str(caught.value)


def test_missing_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    with pytest.raises(ConfigError, match=r"pip install 'rct-tools\[influx\]'"):
        open_sink(settings_for("influx://h/db"))


async def test_jsonl_lines(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "readings.jsonl"
    path.write_bytes(b'{"time": "cut')  # the last writer was stopped there
    sink = open_sink(settings_for(f"jsonl:{path}"))
    await sink.write([sample for sample, _, _ in SAMPLES])
    await sink.close()
    assert caplog.messages == [f"{path}: 13 bytes of half a line cut off"]
    assert [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] == [
        {
            "time": "2026-06-21T12:00:00.000000001+00:00",
            "inverter": "roof",
            "object": sample.object.name,
            "value": value,
            "unit": sample.object.unit,
        }
        | ({"meaning": meaning} if (meaning := sample.object.meaning(sample.value)) else {})
        for sample, value, _ in SAMPLES
    ]


async def test_jsonl_says_what_a_number_means(tmp_path: Path) -> None:
    path = tmp_path / "readings.jsonl"
    sink = open_sink(settings_for(f"jsonl:{path}"))
    await sink.write([reading("fault[0].flt", 1 << 25 | 1), reading("prim_sm.state", 13), reading("fault[1].flt", 0)])
    await sink.close()
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert [row.get("meaning") for row in rows] == ["trap, insulation too low or implausible", "Feed in", None]


async def test_csv_lines(tmp_path: Path) -> None:
    path = tmp_path / "readings.csv"
    sink = open_sink(settings_for(f"csv:{path}"))
    await sink.write([reading("android_description", 'my "roof",\r\nand more')])
    await sink.write([sample for sample, _, _ in SAMPLES])
    await sink.close()
    assert path.read_text("utf-8").splitlines()[:2] == [
        "time,inverter,object,value,unit,backfilled",
        '2026-06-21T12:00:00.000000001+00:00,roof,android_description,"my ""roof"", and more",,',
    ]
    with path.open(encoding="utf-8", newline="") as file:
        _, *rows = csv.DictReader(file)
    for row, (sample, value, _) in zip(rows, SAMPLES, strict=True):
        assert row["object"] == sample.object.name
        assert row["unit"] == sample.object.unit
        shown = row["value"]
        assert (shown if isinstance(value, str) else json.loads(shown or "null")) == value


FULL = [  # keys, days between the writes, how many lines are in each file
    ({}, 1, [5]),
    ({"max_size": "300B"}, 0, [2, 2, 1]),
    ({"daily": True}, 1, [1, 1, 1, 1, 1]),
    ({"daily": True}, -1, [1, 1, 1, 1, 1]),
    ({"daily": True, "max_size": "300B"}, 0.6, [1, 2, 2]),
]


@pytest.mark.parametrize("scheme", FORMATS)
@pytest.mark.parametrize(("keys", "days", "lines"), FULL)
async def test_full_files_are_put_aside_compressed(
    scheme: str, keys: dict[str, Any], days: float, lines: list[int], tmp_path: Path
) -> None:
    path = tmp_path / f"readings.{scheme}"
    settings = settings_for(f"{scheme}:{path}", **keys)
    assert isinstance(settings, Settings)
    if "max_size" in keys and scheme == "csv":
        settings = msgspec.structs.replace(settings, max_size=Size(160))  # a line of CSV is shorter
    now = NOON
    for n in range(5):
        # A sink of its own for each: it goes on where the last one ended.
        sink = LinesSink(
            FORMATS[scheme], path, settings.max_size, daily=settings.daily, clock=lambda: now  # noqa: B023
        )  # fmt: skip
        await sink.write([reading("battery.soc", n / 10)])
        await sink.close()
        os.utime(path, ns=(now, now))
        now += int(days * 86_400 * SECOND)
    full = sorted((tmp_path / name for name in os.listdir(tmp_path) if "-" in name), reverse=days < 0)  # noqa: PTH208
    texts = [gzip.decompress(file.read_bytes()).decode() for file in full] + [path.read_text("utf-8")]
    values = [[float(v) for v in re.findall(r"battery\.soc\W.*?(0\.\d)", text)] for text in texts]
    assert [len(part) for part in values] == lines
    assert [value for part in values for value in part] == [0.0, 0.1, 0.2, 0.3, 0.4]
    assert all(re.fullmatch(rf"readings-2026\d{{4}}T\d{{6}}Z(_\d)?\.{scheme}\.gz", file.name) for file in full)
    if scheme == "csv":
        assert all(text.startswith("time,inverter,") for text in texts)


async def test_full_file_that_cannot_be_put_aside_grows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = tmp_path / "readings.jsonl"
    sink = open_sink(settings_for(f"jsonl:{path}", max_size="1B"))
    await sink.write([reading("battery.soc", 0.1)])
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", fail)
        for value in (0.2, 0.3):
            await sink.write([reading("battery.soc", value)])
    assert caplog.messages == [f"{path}: full, and cannot be put aside and compressed: Permission denied"]
    await sink.write([reading("battery.soc", 0.4)])
    await sink.close()
    (full,) = (tmp_path / name for name in os.listdir(tmp_path) if name.endswith(".gz"))  # noqa: PTH208
    assert gzip.decompress(full.read_bytes()).count(b"\n") == 3
    assert path.read_bytes().count(b"\n") == 1


def test_standard_output_is_never_full() -> None:
    with pytest.raises(ConfigError, match="max_size and daily are for files"):
        open_sink(settings_for("csv:-", daily=True))


async def test_csv_to_standard_output_has_one_header(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    sink = open_sink(settings_for("csv:-"))
    for value in (0.5, 0.6):
        await sink.write([reading("battery.soc", value)])
    await sink.close()
    header, *lines = capfdbinary.readouterr().out.decode().splitlines()
    assert header == "time,inverter,object,value,unit,backfilled"
    assert [line.split(",")[3] for line in lines] == ["0.5", "0.6"]


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
