"""What an inverter may have or not: strings, battery, modules, power switch; and the object that tells.

A row of COMPONENTS is all it takes for the collector to leave alone what is not there, and for ``rct init`` to name it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from rct_tools.values import Value

MODULES: Final = 7  # the longest tower


@dataclass(frozen=True, slots=True)
class Component:
    """A part that not every inverter has."""

    name: str
    proof: str  # an object whose value is neither zero nor empty where the part is there
    objects: tuple[str, ...]  # what only makes sense with it; * stands for anything


def _modules(prefix: str, tower: str) -> Iterator[Component]:
    """Yield the modules of a tower, by what its objects begin with."""
    for n in range(MODULES):
        of_module = (f"{tower}.cells*[{n}]*", f"{tower}.stack_cycles[{n}]", f"{tower}.stack_software_version[{n}]")
        yield Component(f"{prefix}module {n}", f"{tower}.module_sn[{n}]", of_module)


COMPONENTS: Final[Mapping[str, Component]] = {
    component.name: component
    for component in (
        *(
            Component(
                f"string {letter}",
                f"dc_conv.dc_conv_struct[{n}].enabled",
                (f"dc_conv.dc_conv_struct[{n}].*", f"energy.e_dc_*[{n}]", f"g_sync.u_sg_avg[{n}]"),
            )
            for n, letter in enumerate("AB")
        ),
        Component("battery", "battery.bms_sn", ("battery.*",)),
        *_modules("", "battery"),
        Component("power switch", "rb485.available", ("rb485.*",)),
        Component("second battery", "battery_placeholder[0].bms_sn", ("battery_placeholder[0].*",)),
        *_modules("second battery ", "battery_placeholder[0]"),
    )
}

_NOTHING: Final[Mapping[str, tuple[str, ...]]] = {
    "string A": ("dc_conv.dc_conv_struct[0].p_dc", "energy.e_dc_day[0]"),
    "string B": ("dc_conv.dc_conv_struct[1].p_dc", "energy.e_dc_day[1]"),
}

PROOFS: Final[Mapping[str, str]] = {component.proof: name for name, component in COMPONENTS.items()}
"""The components, by the object that proves them."""


def component_of(name: str) -> str | None:
    """Return the component that an object makes sense with; None for what every inverter has.

    That of a proof is not what it proves, but what that is a part of: a battery, for a module.
    """
    owners = [c for c in COMPONENTS.values() if c.proof != name and any(fits(name, pattern) for pattern in c.objects)]
    return owners[-1].name if owners else None  # a module is more telling than its battery


def wholes(components: Collection[str]) -> list[str]:
    """Return these components, in their order, but for those that are a part of another one of them."""
    return [name for name in components if name not in COMPONENTS or part_of(name) not in components]


def part_of(component: str) -> str | None:
    """Return the component that one is a part of, if any."""
    return component_of(COMPONENTS[component].proof)


def nothing_of(absent: Iterable[str]) -> frozenset[str]:
    """Return the objects that are known to be 0, in FLOAT, where components are absent: of these, sums are made."""
    return frozenset(name for component in absent for name in _NOTHING.get(component, ()))


def proves(value: Value) -> bool:
    """Return whether the value of a proof says that its component is there."""
    return bool(value.strip("\0 ") if isinstance(value, str) else value)


def fits(name: str, pattern: str) -> bool:
    """Return whether the name of an object fits a pattern, in which * stands for anything."""
    return fnmatchcase(name, pattern.replace("[", "[[]"))  # the brackets are those of the object's name
