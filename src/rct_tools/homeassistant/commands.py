"""What may be set from Home Assistant: entities beside the states of what is set, which show what was read back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from rct_tools.homeassistant.entities import Entity, State
from rct_tools.objects import RATIO
from rct_tools.plan import Steerable
from rct_tools.times import SECOND
from rct_tools.values import DataType
from rct_tools.vitals import DURATION, MODE, NORMAL, POWER, SOC
from rct_tools.writable import WRITABLE, Writable

_POWER: Final = WRITABLE["power_mng.battery_power_extern"]
_CONFIG: Final = {"entity_category": "config"}


def command_entities(state: State, steerable: Steerable, topic: Callable[[str], str]) -> tuple[Entity, ...]:
    """Return the entities that set what a state shows; ``topic`` gives the topic of commands for an object."""
    (name, *others) = state.objects
    shown = {**state.entities[0].config}
    if others or not (name in steerable.objects or (steerable.modes and name in _OF_MODES)):
        return ()
    common = {"name": shown["name"], "command_topic": topic(name)}
    if name == MODE.name:
        button = {"name": "Back to normal", "command_topic": topic(name), "payload_press": NORMAL}
        return (
            Entity("select", "set_mode", common | _select([NORMAL, *steerable.modes])),
            Entity("button", "set_normal", button),
        )
    if name == DURATION.name:
        config = _number(0, steerable.longest // (60 * SECOND), 1) | {"unit_of_measurement": "min"}
        return (Entity("number", f"set_{state.key}", common | _CONFIG | config | _suffixed("m")),)
    writable = WRITABLE.get(name, _POWER if name == POWER.name else WRITABLE["power_mng.soc_max"])
    match writable.info.data_type:
        case DataType.BOOL:
            return (Entity("switch", f"set_{state.key}", common | _CONFIG),)
        case DataType.ENUM:
            options = list(dict.fromkeys(writable.info.labels.values()))
            return (Entity("select", f"set_{state.key}", common | _CONFIG | _select(options)),)
    is_setting = name == POWER.name  # which has no sign: the mode says which way
    low = 0.0 if is_setting else writable.low
    config = common | _CONFIG | _range(writable, low, state.precision) | {"mode": "box"}
    return (Entity("number", f"set_{state.key}", config, writable.limit),)


_OF_MODES: Final = frozenset({MODE.name, POWER.name, SOC.name, DURATION.name})


def _range(writable: Writable, low: float, precision: int) -> dict[str, Any]:
    if writable.info.unit == RATIO:
        step = 10.0 ** max(2 - writable.decimals, -precision)
        return _number(low * 100, writable.high * 100, step) | {"unit_of_measurement": "%"} | _suffixed("%")
    return _number(low, writable.high, 10.0 ** -min(writable.decimals, precision)) | {
        "unit_of_measurement": writable.info.unit
    }


def _number(low: float, high: float, step: float) -> dict[str, Any]:
    return {"min": low, "max": high, "step": step}


def _suffixed(unit: str) -> dict[str, Any]:
    return {"command_template": f"{{{{ value }}}}{unit}"}


def _select(options: list[str]) -> dict[str, Any]:
    """Return a choice; a state that is none of it is unknown: Home Assistant would complain of it."""
    return {"options": options, "value_template": f"{{{{ value if value in {options!r} else 'None' }}}}"}
