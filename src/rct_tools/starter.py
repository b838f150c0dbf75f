"""A first configuration for an inverter: it is asked what it has, and a file that fits it is written."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from rct_tools.client import Answer, Client
from rct_tools.components import COMPONENTS, component_of, part_of, proves, wholes
from rct_tools.errors import LinkError, NoAnswer
from rct_tools.reading import Reading

_IDENTITY: Final = {  # what it is called here: the object that tells
    "name": "android_description",
    "serial": "inverter_sn",
    "firmware": "svnversion",
    "power": "p_rec_lim[0]",
    "slaves": "net.n_slaves",
}
LOOKED_AT: Final = tuple(_IDENTITY.values()) + tuple(component.proof for component in COMPONENTS.values())


@dataclass(frozen=True, slots=True)
class Equipment:
    """What an inverter says that it is and has; what it did not say is not here."""

    identity: Mapping[str, str | float]
    has: tuple[str, ...]  # names of components that are there
    unknown: tuple[str, ...]  # of components about which it stayed silent, and of what is part of such


async def look(inverter: Client, advance: Callable[[int], object] = lambda _: None) -> Equipment:
    """Ask an inverter what it is and has; ``advance`` is told of each answer. Raises LinkError."""
    answers: dict[str, Answer] = {}
    for name in LOOKED_AT:  # one after the other: there is no hurry
        if (whole := component_of(name)) is None or _is_proven(whole, answers):
            try:
                answers[name] = await inverter.read(name)
            except NoAnswer as exc:
                answers[name] = exc
        advance(1)
    values = {name: answer.value for name, answer in answers.items() if isinstance(answer, Reading)}
    if not values:
        raise LinkError(f"{inverter.peer}: connected, but silent; is another program using it?")
    unknown: list[str] = []
    for name, component in COMPONENTS.items():
        if isinstance(answers.get(component.proof), NoAnswer) or part_of(name) in unknown:
            unknown.append(name)
    return Equipment(
        {label: value for label, name in _IDENTITY.items() if isinstance(value := values.get(name), str | float | int)},
        tuple(name for name in COMPONENTS if _is_proven(name, answers)),
        tuple(unknown),
    )


def _is_proven(component: str, answers: Mapping[str, Answer]) -> bool:
    answer = answers.get(COMPONENTS[component].proof)
    return isinstance(answer, Reading) and proves(answer.value)


def write_config(equipment: Equipment, host: str, port: int, zone: str, default_port: int) -> str:
    """Return the text of an ``rct.toml`` for an inverter: what it has is in it, and what else can be, in comments."""
    identity = equipment.identity
    name = str(identity.get("name") or host).strip()
    modules = sum("module" in component for component in equipment.has)
    comments = [
        f"Firmware {identity['firmware']}." if "firmware" in identity else "",
        f"Serial number {identity['serial']}." if "serial" in identity else "",
        f"At most {power / 1000:g} kW." if isinstance(power := identity.get("power"), float) else "",
        f"{modules} battery modules." if modules else "",
        f"{identity['slaves']} linked inverters; each wants a table of its own." if identity.get("slaves") else "",
        f"It did not say whether it has: {', '.join(wholes(equipment.unknown))}." if equipment.unknown else "",
    ]
    has = (*equipment.has, *equipment.unknown)
    return _TEXT.format(
        comments="".join(f"# {' '.join(line.split())}\n" for line in comments if line),  # whatever it is called
        name=_quoted(name),
        host=_quoted(host),
        port=f"port = {port}\n" if port != default_port else "",
        zone=_quoted(zone),
        has="".join(f"    {', '.join(map(_quoted, has[at : at + 6]))},\n" for at in range(0, len(has), 6)),
    )


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")  # whose other escapes are those of TOML


_TEXT: Final = """\
# What RCT Tools collect, and where it goes. All keys: docs/configuration.md. `rct config check` looks for mistakes.

[[inverter]]
{comments}name = {name}
host = {host}
{port}time_zone = {zone}  # that of its clock
# What it has; without this, it is asked.
has = [
{has}]

# What is read how often: `rct readings` prints the groups that come by default, and a group here goes beside them.
#[[group]]
#name = "often"
#interval = "10s"
#objects = ["battery.soc", "rb485.f_grid[*]"]

# Where it goes; several [[sink]] get the same.
[[sink]]
url = "sqlite:"  # a file in your data folder

#[[sink]]
#url = "influx://me@localhost/photovoltaic"
#password = {{ file = "/etc/rct-tools/influx-password" }}

#[[sink]]
#url = "mqtt://localhost"
#home_assistant = true

#[[sink]]
#url = "prometheus://127.0.0.1:9831"

# Others that want the inverter, such as Home Assistant, evcc or the app, use this connection, and harm no answers.
#[proxy]
#listen = "0.0.0.0:8899"
#allow = ["192.168.1.0/24"]

[status]
listen = "127.0.0.1:9832"  # for `rct status`
"""
