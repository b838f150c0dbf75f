"""The text of docs/configuration.md, from the types that a configuration is read with; run docs/generate.py."""

from __future__ import annotations

import importlib
import types
import typing
from collections.abc import Iterator, Mapping
from datetime import date
from itertools import groupby
from typing import Annotated, Any, Literal

import msgspec

from rct_tools.components import COMPONENTS
from rct_tools.config import File, InverterTable, SinkTable, StatusTable, search_path
from rct_tools.groups import GroupTable
from rct_tools.proxy.table import ProxyTable
from rct_tools.settings import Duration, Secret, Size, Tls
from rct_tools.sinks import SINKS
from rct_tools.steering.table import ControlTable
from rct_tools.web.table import ReverseProxyTable, WebTable
from rct_tools.web.tariff import TariffTable

HEAD = """\
# Configuration

<!-- Written by docs/generate.py: do not edit. -->

`rct collect` does what a file in TOML says. `rct init --host HOST` asks an inverter what it has and writes one;
`rct config check` looks for mistakes and connects to nothing, `rct config show` prints what is in force, without
secrets.

The file is the one after `-c`, or the one in `$RCT_CONFIG`, or the first of {search_path}. SIGHUP makes a running
collector read it again (`systemctl reload rct-collect`): what is the same goes on undisturbed, a file with a mistake
changes nothing, and no reading is lost.

```toml
[[inverter]]
name = "roof"
host = "192.0.2.7"
time_zone = "Europe/Berlin"

[[inverter]]
name = "barn"
host = "192.0.2.8"
groups = ["fast", "slow"]

[[group]]
name = "fast"  # one of the default groups takes this in
objects = ["battery.soc"]

[[group]]
name = "grid"
interval = "2s"
objects = ["g_sync.u_l_rms[*]", "grid_pll[0].f"]

[[sink]]
url = "sqlite:/var/lib/rct-tools/readings.db"

[[sink]]
url = "influx://rct@192.0.2.9/photovoltaic"
password = {{ file = "/etc/rct-tools/influx-password" }}
objects = ["battery.*", "g_sync.p_*", "link.up"]

[[sink]]
label = "home"
url = "mqtts://rct@192.0.2.9"
password = {{ env = "MQTT_PASSWORD" }}
home_assistant = true
```

Durations are a number and `ms`, `s`, `m`, `h`, `d` or `w`; sizes a number and `B`, `kB`, `MB` or `GB`. A secret is
text, `{{ file = "PATH" }}` or `{{ env = "NAME" }}`; a file is the best place.

Every key can come from the environment too, which counts more than the file: `RCT_`, the way to the key joined by two
underscores, and tables of a list by their number. `RCT_INVERTER__0__HOST=192.0.2.8`, `RCT_SINK__1__PASSWORD=…`,
`RCT_STATUS__LISTEN=`. Lists and tables are written as in TOML.
"""

GROUPS = """
## What is read, how often

Four groups are read by default: `fast` (5 s), `slow` (60 s), `rare` (5 minutes) and `daily`; `rct readings` prints
them. Each object has a place of its own on a grid as wide as its interval, so that requests are spread evenly over it;
at the beginning, everything is read once within a minute, and so is what was missed when an inverter comes back.

- What the inverter tells by itself is taken, and not asked for while it is fresh.
- What does not answer three times in a row is asked every 15 minutes; `rct status` lists it.
- What belongs to a component that the inverter does not have is not asked. In sums such as `power_panel`, the power of
  a string that is not connected is 0.
- When other clients are seen at work, requests go one by one, with gaps, so that nobody's answers are cut.

An object is in one group: a name beats a pattern, your groups beat the default ones, the first beats the rest. That
holds for all inverters: one that lacks the group among its `groups` does not read what is in it. An object that you
take into `objects` keeps its own name in databases; to keep the one that it has by default, such as `charge_battery`,
name it under `fields`. `*` in a pattern stands for anything. History (`logger.*`) cannot be polled.
"""

COMPONENTS_PART = """
The components that `has` may name, and the object that tells when it is left out:

| component | told by |
|---|---|
"""

VITALS = """
What is known of the connection comes as objects, too: `link.up` (whether the inverter answers; also at each change),
`link.requests`, `link.timeouts`, `link.bad_frames[crc]` and so on, once a minute; and so does what happens
([events](events.md#into-databases-and-mqtt)): `event.begin`, `event.end`. A sink that does not want them names its
`objects`.
"""

PROXY = """ Nothing is shared without this table;
an empty one shares the only inverter on this machine. With several inverters there may be a `[[proxy]]` for each, which
says whose it is and listens at an address of its own:

```toml
[[inverter]]
name = "roof"
host = "192.0.2.7"

[[inverter]]
name = "barn"
host = "192.0.2.8"

[[proxy]]
inverter = "roof"
allow = ["192.168.1.0/24"]  # who may come; now it listens on all addresses

[[proxy]]
inverter = "barn"
listen = "127.0.0.1:8898"
allow_write = ["power_mng.soc_strategy"]
```

The collector asks over the same connection, so what it reads answers clients too. An address that cannot be had is an
error at the start; when the configuration is read again, the log says it, and all else goes on. A capture that is there
already stays; the new one has its time in its name. What else there is to know: [proxy](proxy.md).
"""

CONTROL = """ Nothing can be ordered
without this table, nor while `enabled` is false:

```toml
[[inverter]]
name = "roof"
host = "192.0.2.7"

[[sink]]
url = "mqtt://rct@192.0.2.9"
password = { file = "/etc/rct-tools/mqtt-password" }
home_assistant = true

[control]
enabled = true
objects = ["power_mng.soc_min"]
modes = ["hold", "charge"]
```

Whoever may publish on the broker can then steer, and whoever can log in at the [page](web.md#control), if there is
one that asks for a login. One of the two there must be. What is named is also read once a minute, unless it is read
anyway. What can be ordered, and how it ends: [steering](steering.md#as-a-service).
"""

WEB = """ There is none without this table; an empty one is at
http://127.0.0.1:9834/, for this machine alone. What was is read from the first SQLite file among the sinks.

```toml
[[inverter]]
host = "192.0.2.7"

[web]
listen = "0.0.0.0:9834"
password = { file = "/etc/rct-tools/page-password" }
```

It is changed by a restart only. What it shows, and who can see it: [the page](web.md).
"""

REVERSE_PROXY = """ How to set one up: [the page](web.md#behind-a-reverse-proxy).

```toml
[[inverter]]
host = "192.0.2.7"

[web.reverse_proxy]
addresses = ["127.0.0.1"]
hosts = ["solar.example.org"]
user_header = "Remote-User"
```
"""

TARIFF = """ The [page](web.md) then shows what a day, a month or a
year cost and earned; without, it says nothing of money. Prices that change are one table each:

```toml
[[inverter]]
host = "192.0.2.7"

[web]

[[tariff]]
imported = 0.31
fed_in = 0.0811

[[tariff]]
from = 2026-01-01
imported = 0.34
fed_in = 0.0811
base = 12.9
```

What a day before the first prices came to is not known. Prices that change with the hour cannot be had: the inverter
counts energies by the day.
"""

TITLES: Mapping[str, str] = {
    "sqlite": "sqlite:", "influx": "influx:// and influx2://", "lines": "jsonl: and csv:", "parquet": "parquet:",
    "mqtt": "mqtt://", "prometheus": "prometheus://", "console": "console:",
}  # fmt: skip


def configuration_page() -> str:
    """Return the page: a table of keys for each table of the file."""
    return HEAD.format(search_path=", ".join(f"`{_shown(path)}`" for path in search_path({}))) + "".join(_parts())


def _parts() -> Iterator[str]:
    yield f"\n## Keys of the file\n\n{_keys(File)}"
    yield f"\n## `[[inverter]]`\n\n{_keys(InverterTable)}{COMPONENTS_PART}"
    yield from (f"| `{component.name}` | `{component.proof}` |\n" for component in COMPONENTS.values())
    yield GROUPS
    yield f"\n### `[[group]]`\n\n{_keys(GroupTable)}"
    yield "\n## `[[sink]]`\n\nSeveral sinks get the same readings, each by itself: one in trouble holds up no other.\n"
    yield "\n"
    yield _keys(SinkTable) + VITALS
    yield "\n`tls`, where a sink has it, is a table of its own:\n\n" + _keys(Tls)
    for module, schemes in groupby(SINKS, key=lambda scheme: SINKS[scheme].module):
        settings = importlib.import_module(f"rct_tools.sinks.{module}").Settings
        forms = ", ".join(f"`{SINKS[scheme].form}`" for scheme in schemes)
        yield f"\n### {TITLES[module]}\n\n{settings.__doc__.strip()} {forms}\n"
        if keys := _keys(settings, without="url"):
            yield f"\n{keys}"
    yield f"\n## `[proxy]`\n\n{ProxyTable.__doc__.strip()}{PROXY}\n{_keys(ProxyTable)}"
    yield f"\n## `[control]`\n\n{ControlTable.__doc__.strip()}{CONTROL}\n{_keys(ControlTable)}"
    yield f"\n## `[status]`\n\n{StatusTable.__doc__.strip()} `rct status` asks there.\n\n{_keys(StatusTable)}"
    yield f"\n## `[web]`\n\n{WebTable.__doc__.strip()}{WEB}\n{_keys(WebTable)}"
    about = f"{ReverseProxyTable.__doc__.strip()}{REVERSE_PROXY}"
    yield f"\n### `[web.reverse_proxy]`\n\n{about}\n{_keys(ReverseProxyTable)}"
    yield f"\n## `[[tariff]]`\n\n{TariffTable.__doc__.strip()}{TARIFF}\n{_keys(TariffTable)}"


def _keys(table: type[msgspec.Struct], without: str = "") -> str:
    hints = typing.get_type_hints(table, include_extras=True)
    rows = [
        f"| `{f.encode_name}` | {_kind(hints[f.name])} | {_default(f)} | {_description(hints[f.name])} |\n"
        for f in msgspec.structs.fields(table)
        if f.encode_name != without
    ]
    return "| key | what | default | |\n|---|---|---|---|\n" + "".join(rows) if rows else ""


def _description(hint: Any) -> str:
    texts = [meta.description for meta in getattr(hint, "__metadata__", ()) if getattr(meta, "description", None)]
    return (texts[0] if texts else "see below").replace("|", "\\|")


def _kind(hint: Any) -> str:
    """Return what people call a type."""
    if typing.get_origin(hint) is Annotated:
        hint = typing.get_args(hint)[0]
    words = {str: "text", int: "number", float: "number", bool: "true, false", Duration: "duration", Size: "size",
             Secret: "secret", Tls: "table", date: "date"}  # fmt: skip
    if hint in words:
        return words[hint]
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return ", ".join(f"`{arg!r}`".replace("'", '"') for arg in args)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_kind(arg) for arg in args if arg is not type(None))
    if origin is tuple:
        return "list of texts" if args[0] is str else "tables"
    return "table"


def _default(field: Any) -> str:
    value = field.default
    if value is msgspec.NODEFAULT:
        return "" if field.default_factory is not msgspec.NODEFAULT else "**needed**"
    if isinstance(value, Duration | Size):
        return f"`{value.shown}`"
    if isinstance(value, Secret):
        return f"`${value.shown['env']}`" if isinstance(value.shown, dict) and "env" in value.shown else ""
    if isinstance(value, bool):
        return str(value).lower()
    if value == ("*",):
        return '`["*"]`'
    return (
        ""
        if value in (None, "", ()) or isinstance(value, msgspec.Struct | Mapping)
        else f"`{value!r}`".replace("'", '"')
    )


def _shown(path: Any) -> str:
    text = str(path)
    home = text.partition("/.config/")
    return f"~/.config/{home[2]}" if home[1] else text
