"""What a proxy says of what it did: JSON that is complete, and metrics that Prometheus takes."""

from __future__ import annotations

import json
import subprocess
from dataclasses import fields

from prometheus_client.parser import text_string_to_metric_families

from rct_tools.exposition import exposition
from rct_tools.proxy import BUCKETS, Cut, Served, Tallies, Tally
from rct_tools.proxy.report import document, families

from servers import require


def tally() -> Tally:
    """One whose counters all differ."""
    counters = [field.name for field in fields(Tally) if field.type == "int"]
    made = Tally(**{name: 100 + number for number, name in enumerate(counters)})  # type: ignore[arg-type]  # ints
    for delay in (0.0005, 0.001, 0.03, 99.0):
        made.answer(delay)
    made.cut_off[Cut.FLOOD] += 2
    made.cut_off[Cut.NO_ROOM] += 1
    return made


SERVED = [Served("192.0.2.9", 2, tally()), Served("fd00::1", 0, Tally())]


def test_every_counter_is_in_the_document() -> None:
    one, other = json.loads(json.dumps(document(SERVED)))
    assert one.keys() == other.keys() == {"host", "connected", *(field.name for field in fields(Tally))}
    assert {name: value for name, value in one.items() if isinstance(value, int)} == {
        "connected": 2,
        **{field.name: getattr(SERVED[0].tally, field.name) for field in fields(Tally) if field.type == "int"},
    }
    assert one["cut_off"] == {"flood": 2, "no room": 1}
    assert one["delay"] == 99.0315
    assert [end for end, _ in one["delays"]] == [*BUCKETS, None]
    assert [pair for pair in one["delays"] if pair[1]] == [[0.001, 2], [0.05, 1], [None, 1]]


def text() -> str:
    return exposition(families({"roof": SERVED, "barn": []}), open_metrics=False).decode()


def test_every_counter_is_a_metric() -> None:
    samples = [sample for family in text_string_to_metric_families(text()) for sample in family.samples]
    mine = {sample.name: sample.value for sample in samples if sample.labels.get("client") == "192.0.2.9"}
    counts = {value for name, value in mine.items() if name.endswith("_total")}
    assert {getattr(SERVED[0].tally, field.name) for field in fields(Tally) if field.type == "int"} <= counts
    assert {sample.labels["inverter"] for sample in samples} == {"roof"}
    assert mine["rct_proxy_clients"] == 2
    cut = {sample.labels["reason"]: sample.value for sample in samples if sample.name == "rct_proxy_cut_offs_total"}
    assert cut == {"flood": 2, "no room": 1}
    ends = {
        sample.labels["le"]: sample.value
        for sample in samples
        if sample.name == "rct_proxy_answer_delay_seconds_bucket" and sample.labels["client"] == "192.0.2.9"
    }
    assert (ends["0.001"], ends["0.025"], ends["0.05"], ends["10.0"], ends["+Inf"]) == (2, 2, 3, 3, 4)
    assert mine["rct_proxy_answer_delay_seconds_count"] == 4
    assert mine["rct_proxy_answer_delay_seconds_sum"] == 99.0315


def test_metrics_please_promtool() -> None:
    done = subprocess.run(
        [require("promtool"), "check", "metrics"], input=text().encode(), capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_hosts_without_end_are_counted_together() -> None:
    tallies = Tallies()
    for number in range(1000):
        host = f"192.0.{number // 256}.{number % 256}"
        tallies.of(host).requests += 1
        assert tallies.name(host) in tallies.hosts
    assert len(tallies.hosts) == 257
    assert tallies.hosts["others"].requests == 1000 - 256
