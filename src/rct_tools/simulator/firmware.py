"""How inverters behave by the version of their firmware: rows of FIRMWARE.

What is wrong with which version is reported by owners; how often, nobody has counted: shares and times are estimates.
Source: the table of firmware in docs/protocol.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Final, NamedTuple, TypeAlias

from rct_tools.simulator.broadcast import Burst, cycles, slave_data
from rct_tools.simulator.faults import Faults

Unasked: TypeAlias = Callable[[], Iterator[tuple[Burst, ...]]]


class Firmware(NamedTuple):
    """One version, or a few that behave alike."""

    version: str  # what it says in svnversion
    meaning: str  # what it is known for
    faults: Faults
    unasked: Unasked | None  # what it tells unasked, cycle after cycle


# Of all versions: a request cuts an answer, requests in one segment get lost, and the bridge closes what is idle.
_ALL: Final = Faults(stub=1.0, segment=0.3, idle=300.0)
_NEWER: Final = replace(_ALL, cut=0.02, late=0.02, lost=0.02)

FIRMWARE: Final[Mapping[str, Firmware]] = {
    "old": Firmware("2.3.5000", "answers 40 to 50 % of what it is asked", replace(_ALL, lost=0.55), None),
    "2.3.5661": Firmware("2.3.5661", "tells only `net.slave_data` unasked", _ALL, slave_data),
    "2.3.5673": Firmware("2.3.5673", "loses, cuts and delays answers; tells 64 objects unasked", _NEWER, cycles),
    "2.3.5674": Firmware("2.3.5674", "a session that stays open goes silent", replace(_NEWER, silent=1800.0), cycles),
    "2.3.5676": Firmware(
        "2.3.5676", "answers some objects only every few minutes", replace(_NEWER, rare=180.0), cycles
    ),
    "2.3.5678": Firmware("2.3.5678", "loses writes", replace(_NEWER, unwritten=0.2), cycles),
    "2.3.5685": Firmware(
        "2.3.5685", "is silent for up to 43 s after a connect, unless asked", replace(_NEWER, slow=43.0), cycles
    ),
}
"""By what a user calls it. No number is known of what is called old here: that one is made up."""
