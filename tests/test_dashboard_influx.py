"""The dashboard for Grafana and the queries of docs/influxdb.md: each gives something on a real InfluxDB."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from rct_tools.clock import Clock
from rct_tools.config import load_plan
from rct_tools.events import BEGIN, END, tell
from rct_tools.objects import ObjectInfo, registry
from rct_tools.paging import Dated
from rct_tools.plan import Source
from rct_tools.reading import Reading
from rct_tools.sinks import open_sink, settings_for
from rct_tools.times import SECOND
from rct_tools.values import Cell, DataType, Event, Value
from rct_tools.vitals import VITALS

from programs import ROOT
from servers import InfluxServer

NOON = 1_782_043_200 * SECOND  # 2026-06-21 12:00 UTC
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "dashboards" / "rct-influx.json").read_text("utf-8"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
DOCUMENTED = re.findall(r"```sql\n(.*?)```", (ROOT / "docs" / "influxdb.md").read_text("utf-8"), re.DOTALL)
QUERIES = [(panel["title"], target["query"]) for panel in PANELS for target in panel["targets"]]
QUERIES += [(variable["name"], variable["query"]) for variable in DASHBOARD["templating"]["list"]]
FILLED_IN = {  # what Grafana does to a query
    "$timeFilter": f"time >= {NOON - 3600 * SECOND} AND time <= {NOON}",
    "$__interval": "1m",
    "$inverter": "(roof|barn)",
}


def sample(info: ObjectInfo, step: int) -> Value | None:
    match info.data_type:
        case DataType.BOOL:
            return True
        case DataType.FLOAT:
            return 0.5 + step
        case DataType.BATTERY_MODULE_STATUS:
            return tuple(Cell(20 + step, 3.3 + n / 1000, 0) for n in range(24))
        case kind if DataType.UINT8.value <= kind.value <= DataType.ENUM.value:
            return step + 1
    return None


def readings() -> Iterator[Reading]:
    """Yield readings of every object of two inverters, for three minutes."""
    for step in range(3):
        for inverter in ("roof", "barn"):
            for info in (*registry, *VITALS):
                value = sample(info, step)
                if value is not None:
                    yield Reading(NOON - (3 - step) * 60 * SECOND, inverter, info, value)
    raw = Event(0x5A, NOON // SECOND - 60, (NOON // SECOND - 30, 1, 0))
    event = tell(Clock.of("UTC"), Dated(raw, raw.time, is_sure=True))
    yield Reading(NOON - 60 * SECOND, "roof", BEGIN, event)
    yield Reading(NOON - 30 * SECOND, "roof", END, event)


async def gives_something(influx: InfluxServer, query: str, database: str) -> bool:
    filled_in = re.sub("|".join(map(re.escape, FILLED_IN)), lambda name: FILLED_IN[name[0]], query)
    assert not re.search(r"\$\w", filled_in)
    return any(map(has_value, await influx.query(filled_in, database)))


async def test_every_query_gives_something(influx: InfluxServer) -> None:
    expects = load_plan().expects
    for schema in ("groups", "pv"):
        url = f"influx://{influx.address}/{schema}"
        sink = open_sink(settings_for(url, schema=schema), [Source("roof", "UTC", expects)])
        sums = (expected.info for expected in expects.values() if not expected.info.object_id)
        await sink.write([*readings(), *(Reading(NOON, "roof", info, 1.0) for info in sums)])
        await sink.close()
    assert [title for title, query in QUERIES if not await gives_something(influx, query, "groups")] == []
    for schema, block in zip(("groups", "pv", "groups"), DOCUMENTED, strict=True):
        for query in re.sub("--.*", "", block).split(";\n"):
            assert await gives_something(influx, " ".join(query.split()), schema), query


def has_value(row: Mapping[str, Any]) -> bool:
    return any(value is not None for key, value in row.items() if key not in {"time", "inverter", "name", "module"})


def test_panels_are_whole() -> None:
    assert DASHBOARD["uid"] == "rct-influx"
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    for panel in PANELS:
        sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
        assert all(source == {"type": "influxdb", "uid": "influxdb"} for source in sources)
        assert all(target["rawQuery"] for target in panel["targets"])
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        cells = {(at["x"] + i, at["y"] + j) for i in range(at["w"]) for j in range(at["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells
