"""`rct status` of a collector: what does not fit into its tables is said below them."""

from __future__ import annotations

from typing import Any

import pytest

from rct_tools.status import VERSION, serving

from programs import run

INVERTER: dict[str, Any] = {
    "name": "roof", "peer": "192.0.2.7:8899", "up": True, "since": 60.0, "age": 0.5, "objects": [], "absent": [],
    "mute": [], "sees_others": False, "counters": {"timeouts": 0}, "proxy": None, "control": None, "backfill": None,
}  # fmt: skip


async def remarks(**changes: Any) -> list[str]:
    """Return the lines below the tables, of an inverter that is otherwise well."""
    document = {"version": VERSION, "inverters": [INVERTER | changes], "sinks": []}
    async with serving("127.0.0.1:0", lambda: document, list) as address:
        done = await run("rct", "status", "--address", address)
    assert (done.code, done.err) == (0, "")
    head, inverter, *lines = done.out.splitlines()
    assert (head.split()[0], inverter.split()[0]) == ("inverter", "roof")
    return lines


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"mute": ["a", "b"]}, "roof: no answer for a, b"),
        ({"absent": ["second battery"]}, "roof: has no second battery"),
        ({"sees_others": True}, "roof: another client is at work on it"),
        (
            {"control": {"mode": "hold", "until": "2026-06-21T12:00:00.000000000+00:00", "last": ""}},
            "roof: mode hold is on until 2026-06-21T12:00:00Z",
        ),
        ({"control": {"mode": "hold", "until": None, "last": ""}}, "roof: mode hold is on"),
        ({"backfill": {"filling": "sqlite", "delayed": []}}, "roof: its log fills gaps of sqlite"),
        ({"backfill": {"filling": "", "delayed": ["a", "b"]}}, "roof: gaps of a, b are filled later, see the log"),
    ],
)
async def test_what_there_is_to_say(changes: dict[str, Any], line: str) -> None:
    assert await remarks(**changes) == [line]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"control": {"mode": "normal", "until": None, "last": "mode normal: done: no mode was on"}},
        {"control": {"mode": None, "until": None, "last": ""}},
        {"backfill": {"filling": "", "delayed": []}},
    ],
)
async def test_what_is_as_it_should_be_is_not_worth_a_word(changes: dict[str, Any]) -> None:
    assert await remarks(**changes) == []
