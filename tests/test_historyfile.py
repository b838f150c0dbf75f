"""A file of history: what it has is not asked for again, and nothing of it is lost, whenever it was left."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rct_tools.clock import Clock
from rct_tools.errors import ConfigError, SinkError
from rct_tools.history import HistoryRow
from rct_tools.historyfile import HistoryFile, Stretch
from rct_tools.historyformats import FORMATS, Layout, cells
from rct_tools.series import find_series
from rct_tools.times import SECOND

BERLIN = Clock.of("Europe/Berlin")
LAYOUT = Layout("minutes", find_series("minutes", ["soc", "eload", "temp"]), BERLIN)
DAYS = Layout("day", find_series("day", ["ea"]), BERLIN)
MONTHS = DAYS._replace(resolution="month", series=find_series("month", ["ea"]))
PEER = "192.0.2.7:8899"
NOON = 1_718_964_000 * SECOND
STEP = 300 * SECOND


def row(number: int, **values: float) -> HistoryRow:
    return HistoryRow(NOON + number * STEP, values or {"SOC": 0.5, "Pload": float(number)})


ROWS = [
    row(0),
    HistoryRow(NOON + STEP, {"SOC": 0.25}, is_sure=False),
    row(2, SOC=0.9700000286102295, Pload=-1.25e-7, Temp=float("nan")),
    row(3, Temp=21.5),
]


def opened(path: Path, layout: Layout = LAYOUT, peer: str = PEER) -> HistoryFile:
    return HistoryFile(path, path.suffix[1:], layout, peer)


def fill(file: HistoryFile, stretch: Stretch, rows: Sequence[HistoryRow]) -> None:
    file.begin(stretch)
    for each in reversed(rows):
        file.add(each)
    file.end(stretch)


def known(rows: Sequence[HistoryRow]) -> list[HistoryRow]:
    """Return rows without what is no number, as files keep them."""
    return [
        HistoryRow(each.time, {name: value for name, value in each.values.items() if value == value}, each.is_sure)
        for each in rows
    ]


@pytest.fixture(params=FORMATS)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / f"history.{request.param}"


def test_rows_come_back_as_they_were(path: Path) -> None:
    file = opened(path)
    fill(file, Stretch(NOON, NOON + 4 * STEP), ROWS)
    assert file.partial.exists()
    assert not path.exists()
    assert file.finish() == 4
    assert not file.partial.exists()
    again = opened(path)
    assert [each.time for each in again.rows] == [each.time for each in ROWS]
    assert [each.is_sure for each in again.rows] == [each.is_sure for each in ROWS]
    for each, before in zip(again.rows, known(ROWS), strict=True):
        assert each.values == pytest.approx(before.values, rel=1e-8)
    again.finish()
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_file_that_is_gone_on_with_asks_only_for_what_it_lacks(path: Path) -> None:
    file = opened(path)
    fill(file, Stretch(NOON, NOON + 4 * STEP), ROWS)
    file.finish()
    file = opened(path)
    last = ROWS[-1].time  # the newest row may have been written before it was whole
    older, newer = Stretch(NOON - 9 * STEP, NOON), Stretch(last, NOON + 9 * STEP)
    assert file.missing(NOON - 9 * STEP, NOON + 9 * STEP) == [newer, older]
    fill(file, newer, [row(3, SOC=0.75), row(4)])
    fill(file, older, [row(-1)])
    assert file.finish() == 6
    file = opened(path)
    assert [each.time for each in file.rows] == [NOON + number * STEP for number in range(-1, 5)]
    assert file.rows[4].values == {"Temp": 21.5, "SOC": 0.75}
    file.leave()


def test_a_file_stays_without_holes(path: Path) -> None:
    file = opened(path)
    fill(file, Stretch(NOON, NOON + 4 * STEP), ROWS)
    file.finish()
    file = opened(path)
    assert file.missing(NOON + 20 * STEP, NOON + 30 * STEP) == [Stretch(NOON + 3 * STEP, NOON + 30 * STEP)]
    assert file.missing(NOON - 30 * STEP, NOON - 20 * STEP) == [Stretch(NOON - 30 * STEP, NOON)]
    assert file.missing(NOON + STEP, NOON + 2 * STEP) == []
    file.leave()


def test_what_was_left_in_the_midst_is_gone_on_with(path: Path) -> None:
    file = opened(path)
    file.begin(Stretch(NOON, NOON + 9 * STEP))
    for number in (8, 7, 6):
        file.add(row(number))
    file.leave()
    with file.partial.open("ab") as journal:
        journal.write(b'{"time": 17189')  # it was killed in a line
    file = opened(path)
    # The newest row is asked for again: it may have been read before all of its series were there.
    missing = [Stretch(NOON + 8 * STEP, NOON + 12 * STEP), Stretch(NOON, NOON + 6 * STEP)]
    assert file.missing(NOON, NOON + 12 * STEP) == missing
    file.begin(Stretch(NOON + 8 * STEP, NOON + 12 * STEP))
    file.add(row(9))
    file.leave()
    file = opened(path)
    assert file.missing(NOON, NOON + 12 * STEP) == missing
    for stretch in file.missing(NOON, NOON + 12 * STEP):
        fill(file, stretch, [each for each in map(row, range(10)) if stretch.since <= each.time < stretch.until])
    assert file.finish() == 10
    assert [each.values["Pload"] for each in file.rows] == list(range(10))


@given(st.data())
def test_however_often_it_is_left_it_becomes_whole(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("history") / "history.csv"
    log = [row(number) for number in range(20)]
    until = 0
    for _ in range(data.draw(st.integers(0, 5))):
        until = data.draw(st.integers(until, 20))
        file = opened(path)
        left = data.draw(st.integers(0, 30))
        try:
            for stretch in file.missing(NOON, NOON + until * STEP):
                file.begin(stretch)
                for each in reversed([each for each in log[:until] if stretch.since <= each.time < stretch.until]):
                    if not left:
                        raise KeyboardInterrupt
                    left -= 1
                    file.add(each)
                file.end(stretch)
            file.finish()
        except KeyboardInterrupt:
            file.leave()
    file = opened(path)
    for stretch in file.missing(NOON, NOON + 20 * STEP):
        fill(file, stretch, [each for each in log if stretch.since <= each.time < stretch.until])
    assert file.finish() == 20
    file = opened(path)
    assert file.rows == log
    file.leave()


OTHERS = [  # what is there under the name
    "",
    "hello\n",
    "time,SOC [ratio]\n2026-06-21T12:00:00+02:00,1\n",
    "time,SOC [ratio],Temp [°C],Pload [W],unsure\n2026-06-21T12:00:00+02:00,1,2,x,\n",
    "time,Temp [°C],SOC [ratio],Pload [W],unsure\nnever,1,2,3,\n",
    "time,Temp [°C],SOC [ratio],Pload [W],unsure\n2026-06-21T12:00:00+02:00,1\n",
    '{"time": 5}\n',
    "[1]\n",
    "\0\0\0\0",
]


@pytest.mark.parametrize("content", OTHERS)
def test_a_file_of_another_kind_is_left_alone(path: Path, content: str) -> None:
    path.write_text(content, "utf-8")
    if not content and path.suffix != ".parquet":
        opened(path).finish()  # nothing is nothing
        return
    with pytest.raises(ConfigError, match="no history of this resolution and these series, so it is left alone"):
        opened(path)
    assert path.read_text("utf-8") == content
    assert not path.with_name(f"{path.name}.partial").exists()


def test_days_are_no_months(path: Path) -> None:
    """Though both have the same series."""
    file = opened(path, DAYS)
    fill(file, Stretch(NOON, NOON + 4 * STEP), [HistoryRow(NOON, {"Edc A": 5.0})])
    file.finish()
    with pytest.raises(ConfigError, match="left alone"):
        opened(path, MONTHS)
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_nothing_is_left_where_nothing_came(path: Path) -> None:
    assert not opened(path).leave()
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("layout", "peer", "differs"),
    [
        (LAYOUT, "192.0.2.8:8899", "peer 192.0.2.7:8899"),
        (LAYOUT._replace(clock=Clock.of("UTC")), PEER, "zone Europe/Berlin"),
        (DAYS, PEER, "history minutes, series"),
    ],
)
def test_what_was_begun_otherwise_is_not_mixed(path: Path, layout: Layout, peer: str, differs: str) -> None:
    file = opened(path)
    file.begin(Stretch(NOON, NOON + STEP))
    file.leave()
    with pytest.raises(ConfigError) as caught:
        opened(path, layout, peer)
    assert str(caught.value).startswith(f"{file.partial}: was begun with {differs}")


def test_a_partial_file_of_another_kind_is_left_alone(path: Path) -> None:
    path.with_name(f"{path.name}.partial").write_text("hello\n")
    with pytest.raises(SinkError, match="a file of another kind"):
        opened(path)


def test_holes_between_stretches_are_filled_whatever_is_asked_for(path: Path) -> None:
    file = opened(path)
    fill(file, Stretch(NOON, NOON + 3 * STEP), [row(number) for number in range(3)])
    file.finish()
    file = opened(path)
    file.begin(Stretch(NOON + 2 * STEP, NOON + 20 * STEP))
    for number in (19, 18, 17):
        file.add(row(number))
    file.leave()
    file = opened(path)
    assert file.missing(NOON + 18 * STEP, NOON + 20 * STEP) == [
        Stretch(NOON + 19 * STEP, NOON + 20 * STEP), Stretch(NOON + 2 * STEP, NOON + 17 * STEP)
    ]  # fmt: skip
    assert file.missing(NOON, NOON + STEP) == [Stretch(NOON + 2 * STEP, NOON + 17 * STEP)]
    file.leave()


@pytest.mark.parametrize("line", ['{"time": 5}', "nonsense", "[]", '{"until": "x"}'])
def test_a_damaged_partial_file_is_said(path: Path, line: str) -> None:
    file = opened(path)
    file.begin(Stretch(NOON, NOON + STEP))
    file.leave()
    with file.partial.open("a", encoding="utf-8") as journal:
        journal.write(line + "\n")
    with pytest.raises(ConfigError, match="is damaged; remove it to begin anew"):
        opened(path)


def test_leaving_after_the_end_is_nothing(path: Path) -> None:
    file = opened(path)
    fill(file, Stretch(NOON, NOON + STEP), [row(0)])
    file.finish()
    assert not file.leave()
    assert path.exists()


def test_cells_are_what_json_knows() -> None:
    _, doubtful, odd, _ = json.loads(json.dumps([cells(LAYOUT, each) for each in ROWS]))
    nothing = {"Temp [°C]": None, "Pload [W]": None}
    assert doubtful == {"time": "2024-06-21T12:05:00+02:00", **nothing, "SOC [ratio]": 0.25, "unsure": True}
    values = {"Temp [°C]": None, "SOC [ratio]": 0.970000029, "Pload [W]": -1.25e-7}
    assert odd == {"time": "2024-06-21T12:10:00+02:00", **values, "unsure": False}


def test_parquet_has_types_and_units(tmp_path: Path) -> None:
    path = tmp_path / "history.parquet"
    file = opened(path)
    fill(file, Stretch(NOON, NOON + 4 * STEP), ROWS)
    file.finish()
    ((count, soc),) = duckdb.execute(f"""SELECT count(*), max("SOC [ratio]") FROM '{path}'""").fetchall()
    assert (count, soc) == (4, pytest.approx(0.97))
    kinds = duckdb.execute(f"DESCRIBE SELECT * FROM '{path}'").fetchall()
    assert [kind for _, kind, *_ in kinds] == ["TIMESTAMP WITH TIME ZONE", "FLOAT", "FLOAT", "FLOAT", "BOOLEAN"]
