"""The dissector for Wireshark, ``rct.lua``: its file, and its tables of objects and events."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from rct_tools.objects import ObjectInfo, registry
from rct_tools.values import Event

DISSECTOR: Final = Path(__file__).with_name("rct.lua")

FIRST_LINE: Final = "-- RCT Tools: Wireshark dissector"
"""How the file begins, in every version: what tells it from the files of others."""

_TABLES: Final = "\n-- Tables: written by docs/generate.py"
_EVENT_TYPES: Final = 128  # as many as there are faults


def dissector() -> str:
    """Return what the dissector's file holds when its tables say what the registry says."""
    code, title, tables = DISSECTOR.read_text("utf-8").partition(_TABLES)
    return "\n".join([code + title + tables.partition("\n")[0], "", *_tables(), ""])


def _tables() -> Iterator[str]:
    yield "OBJECTS = {"
    yield from (
        f"    [0x{info.object_id:08X}] = {_row(info)}," for info in sorted(registry, key=lambda info: info.name)
    )
    yield "}"
    yield "EVENTS = {"
    for kind in range(_EVENT_TYPES):
        yield f"    [{kind}] = {_text(registry.event_name(Event(kind, 0, (0, 0, 0))))},"
    yield "}"


def _row(info: ObjectInfo) -> str:
    columns = {"name": _text(info.name), "type": _text(info.data_type.name)}
    if info.unit:
        columns["unit"] = _text(info.unit)
    if info.labels:
        columns["labels"] = _labels(info.labels)
    if info.bits:
        columns["bits"] = _labels(info.bits)
    return _table(columns)


def _labels(labels: Mapping[int, str]) -> str:
    return _table({f"[{number}]": _text(text) for number, text in labels.items() if text})


def _table(columns: Mapping[str, str]) -> str:
    return f"{{ {', '.join(f'{key} = {value}' for key, value in columns.items())} }}"


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # Lua writes strings alike
