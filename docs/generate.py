"""Write what is made from the code, the pages in PAGES and the tables of rct.lua: python docs/generate.py"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path

from rct_tools.cli import COMMANDS, rct
from rct_tools.cli.reader import reader
from rct_tools.metrics import Kind, Metric, Naming, load_tables
from rct_tools.modes import STEERED
from rct_tools.objects import ObjectInfo, registry
from rct_tools.values import Cell, DataType, Value
from rct_tools.vitals import VITALS
from rct_tools.wireshark import dissector
from rct_tools.writable import WRITABLE

from configuration_page import configuration_page

NOTE = "<!-- Written by docs/generate.py: do not edit. -->"

COMMANDS_HEAD = f"""\
# The commands

{NOTE}

Objects are given by name, by a beginning that only one name has, or as `0x…` id. Durations are a number and `ms`, `s`,
`m`, `h`, `d` or `w`. An error is one line on stderr; the exit code is 1 when the inverter or a file is to blame, 2 when
the command was not understood, 130 after Ctrl-C. `-v` says more on stderr, `-vv` everything, tracebacks too.

Completion of commands, options and names of objects: for bash, put `eval "$(_RCT_COMPLETE=bash_source rct)"` into
`~/.bashrc`; zsh and fish have `zsh_source` and `fish_source`.

`rct-reader`, `rct-dump` and `parsedump` are the programs that users of earlier scripts know; the last two are
`rct dump` and `rct parse`.
"""

OBJECTS_HEAD = f"""\
# The objects

{NOTE}

All {len(registry)} objects that are known by name. `rct objects PATTERN` lists them too, with the meaning of their
numbers.

Values are what the inverter says, with their units: powers in W, energies in Wh, temperatures in °C. A ratio goes from
0 to 1, in data and in databases; only people are shown percent. **Signs** are the inverter's too:

| object | positive | negative |
|---|---|---|
| `g_sync.p_ac_grid_sum_lp` | import from the grid | feed-in |
| `g_sync.p_acc_lp`, `battery.current` | the battery discharges | the battery charges |
| `g_sync.p_ac_load_sum_lp` | what the household uses | |
| `dc_conv.dc_conv_struct[*].p_dc` | what the sun gives | |
| `energy.e_grid_load_*` | what was imported | |
| `energy.e_grid_feed_*` | | what was fed in |

The time of a reading is when it arrived, in UTC. Times that are values are the inverter's own: seconds since 1970 on
its clock, which shows local time. Types are those of [protocol.md](protocol.md); objects of the types TIMESERIES and
EVENT_TABLE are history, of which a page is asked for by time. Where no writer is named, nothing here
writes the object.
"""

METRICS_HEAD = f"""\
# The metrics

{NOTE}

What [Prometheus](prometheus.md) is told, and of which objects. All series have the label `inverter` too. Only what is
collected is there.
"""

METRICS_PARTS = {
    "own": """
## Own names

Units are base units: energies are joules (3.6 million to the kWh), charges coulombs (3600 to the Ah), ratios go from
0 to 1. Energy fed in is counted positive here, since no counter goes down. A number without a row is there too, named
after its object, `rct_io_board_load_set_watts`; a sum of several objects is `rct_field_watts{field="power_panel"}`.
""",
    "rctmon": """
## Names of rctmon

With `names = "rctmon"`. Values are the inverter's own: ratios from 0 to 1, also where the name says percent, and
energies in Wh.
""",
}

METRICS_KINDS = {  # what it is called, and what ends its name
    Kind.GAUGE: ("gauge", ""),
    Kind.COUNTER: ("counter", "_total"),
    Kind.STATES: ("state set", ""),
    Kind.INFO: ("info", "_info"),
}
METRICS_EXAMPLES: Mapping[DataType, Value] = {  # values that have something to say; all else is a number
    DataType.STRING: "x",
    DataType.BATTERY_MODULE_STATUS: (Cell(20, 3.3, 0),),
    DataType.BATTERY_MODULE_RESISTANCE: (0.5,),
}


def commands_page() -> str:
    """Return what every command says with --help."""
    group = rct.make_context("rct", [], resilient_parsing=True, max_content_width=100, terminal_width=100)
    contexts = [group]
    for name in COMMANDS:
        command = rct.get_command(group, name)
        assert command is not None, name  # noqa: S101  # for the type checker
        context = command.make_context(name, [], parent=group, resilient_parsing=True)
        contexts.append(context)
        for part, inner in getattr(command, "commands", {}).items():
            contexts.append(inner.make_context(part, [], parent=context, resilient_parsing=True))
    contexts.append(reader.make_context("rct-reader", [], resilient_parsing=True, terminal_width=100))
    return COMMANDS_HEAD + "".join(
        f"\n## {context.command_path}\n\n```text\n{context.get_help()}\n```\n" for context in contexts
    )


def objects_page() -> str:
    """Return a table of all objects, a section for each part of the inverter."""
    return OBJECTS_HEAD + "".join(_sections())


def _sections() -> Iterator[str]:
    for part, infos in groupby(sorted(registry, key=lambda info: (_part(info), info.name)), key=_part):
        yield f"\n## {part}\n\n| id | name | type | unit | description |\n|---|---|---|---|---|\n"
        yield from map(_row, infos)


def _part(info: ObjectInfo) -> str:
    """Return the part of the inverter that an object belongs to: what stands before the first dot of its name."""
    part, dot, _ = info.name.partition(".")
    return part.partition("[")[0] if dot else "others"


def _row(info: ObjectInfo) -> str:
    description = f"{info.description}{_setters(info)}".removeprefix("; ").replace("|", "\\|").replace("\n", " ")
    cells = (f"`0x{info.object_id:08X}`", f"`{info.name}`", info.data_type.name, info.unit, description)
    return f"| {' | '.join(cells)} |".replace("  ", " ") + "\n"


def _setters(info: ObjectInfo) -> str:
    """Return who writes an object, and to what; "" for one that nobody writes."""
    if info.is_untouchable:
        return "; **never written**"
    if info.name not in WRITABLE:
        return ""
    mode = " and [`rct mode`](steering.md#modes)" if info.name in STEERED else ""
    return f"; written by [`rct write`](steering.md){mode}: {WRITABLE[info.name].range}"


def metrics_page() -> str:
    """Return a table for each set of names of metrics."""
    return METRICS_HEAD + "".join(head + "".join(_families(names)) for names, head in METRICS_PARTS.items())


def _families(names: str) -> Iterator[str]:
    naming = Naming({**load_tables()[names], "others": False})
    metrics = [metric for info in (*VITALS, *registry) for metric in naming.metrics(info)]
    yield "\n| metric | kind | labels | objects | |\n|---|---|---|---|---|\n"
    for name, parts in groupby(sorted(metrics, key=lambda m: (m.family.name, m.info.name)), lambda m: m.family.name):
        same = list(parts)
        family = same[0].family
        objects = dict.fromkeys("`" + re.sub(r"\[\d+\]", "[*]", metric.info.name) + "`" for metric in same)
        kind, suffix = METRICS_KINDS[family.kind]
        labels = dict.fromkeys(f"`{label}`" for metric in same for label in _labels(metric))
        cells = (f"`{name}{suffix}`", kind, " ".join(labels), " ".join(objects), family.help)
        yield f"| {' | '.join(cells)} |\n".replace("  ", " ")


def _labels(metric: Metric) -> Iterator[str]:
    """Yield the labels of a metric, also those that only its values have."""
    yield from metric.labels
    for labels, content in metric.samples(METRICS_EXAMPLES.get(metric.info.data_type, 1)):
        yield from labels
        if metric.family.kind is Kind.STATES:
            yield metric.family.name
        elif isinstance(content, Mapping):
            yield from content


PAGES = {
    "commands.md": commands_page,
    "configuration.md": configuration_page,
    "objects.md": objects_page,
    "metrics.md": metrics_page,
    "../src/rct_tools/wireshark/rct.lua": dissector,
}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (Path(__file__).parent / name).write_text(page(), encoding="utf-8", newline="\n")
