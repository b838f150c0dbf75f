"""``[control]`` of a configuration: what of which inverter may be changed, by programs on a broker or at the page."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Final

import msgspec

from rct_tools.errors import ConfigError
from rct_tools.modes import MODES
from rct_tools.objects import registry
from rct_tools.plan import Field, Group, Plan, Steerable
from rct_tools.settings import Duration, Table, choose
from rct_tools.times import SECOND
from rct_tools.writable import WRITABLE

LONGEST: Final = 12 * 3600 * SECOND  # ns: over a night
INTERVAL: Final = 60 * SECOND  # how often what may be set is read, unless it is read anyway
_POWER: Final = "power_mng.battery_power_extern"


class ControlTable(Table, frozen=True):
    """Lets who may publish at an MQTT broker among the sinks, or can log in at the page, steer the battery."""

    enabled: Annotated[bool, msgspec.Meta(description="without, nothing can be ordered")] = False
    objects: Annotated[
        tuple[str, ...], msgspec.Meta(description="objects that may be set; docs/steering.md lists those that can be")
    ] = ()
    modes: Annotated[tuple[str, ...], msgspec.Meta(description=f"modes that may be begun: {', '.join(MODES)}")] = ()
    inverters: Annotated[
        tuple[str, ...] | None, msgspec.Meta(description="names of the inverters that it is about; all without")
    ] = None
    longest: Annotated[
        Duration, msgspec.Meta(description="how long a mode lasts at most, and without a word of how long")
    ] = Duration(LONGEST)

    def steerable(self, place: str, inverters: Iterable[str]) -> dict[str, Steerable]:
        """Return what may be changed, by inverter. Raises ConfigError, with ``place`` before the key."""
        known = dict.fromkeys(inverters)
        for index, name in enumerate(self.objects):
            choose(WRITABLE, name, f"{place}.objects[{index}]", "object that may be written")
        for index, name in enumerate(self.modes):
            choose(MODES, name, f"{place}.modes[{index}]", "mode")
        for index, name in enumerate(self.inverters or ()):
            choose(known, name, f"{place}.inverters[{index}]", "inverter")
        if self.longest <= 0:
            raise ConfigError(f"{place}.longest: expected more than 0s")
        if not self.enabled:
            return {}
        if not self.objects and not self.modes:
            raise ConfigError(f"{place}: is enabled, but neither objects nor modes says what may be changed")
        what = Steerable(tuple(dict.fromkeys(self.objects)), tuple(dict.fromkeys(self.modes)), self.longest)
        return dict.fromkeys(known if self.inverters is None else self.inverters, what)


def watched(plan: Plan, steerable: Steerable) -> Plan:
    """Return a plan that also reads what may be set, and how far: so that everybody sees what is."""
    names = [*steerable.objects, *([_POWER] if steerable.modes else [])]
    limits = [limit for name in names if (limit := WRITABLE[name].limit)]
    lacking = [name for name in dict.fromkeys([*steerable.objects, *limits]) if name not in plan.expects]
    fields = tuple(Field(name, (registry[name],)) for name in lacking)
    return Plan((*plan.groups, Group("control", INTERVAL, fields))) if fields else plan
