"""What matters of an inverter now, on one page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from rct_tools.client import Client
from rct_tools.clock import Clock
from rct_tools.health.answers import Answers, Label, ask
from rct_tools.objects import registry
from rct_tools.times import local_zone

_REGISTERS: Final = tuple(f"fault[{number}].flt" for number in range(4))
_BITS: Final = 32  # of a register
_LEAST: Final = 1.0  # Wh: of less, no share is worth telling

POWERS: Final[Mapping[str, str]] = {
    "sun_a": "dc_conv.dc_conv_struct[0].p_dc",
    "sun_b": "dc_conv.dc_conv_struct[1].p_dc",
    "external": "io_board.s0_external_power",
    "house": "g_sync.p_ac_load_sum_lp",
    "battery": "g_sync.p_acc_lp",
    "grid": "g_sync.p_ac_grid_sum_lp",
}
"""The objects of ``Powers``, by its fields."""

_ENERGIES: Final[Mapping[str, str]] = {
    "made_a": "energy.e_dc_day[0]",
    "made_b": "energy.e_dc_day[1]",
    "external": "energy.e_ext_day",
    "used": "energy.e_load_day",
    "imported": "energy.e_grid_load_day",
    "fed_in": "energy.e_grid_feed_day",
}
_CHARGE: Final[Mapping[str, str]] = {
    "soc": "battery.soc",
    "target": "battery.soc_target",
    "soh": "battery.soh",
    "voltage": "battery.voltage",
    "current": "battery.current",
    "temperature": "battery.temperature",
}
_NAME, _SERIAL, _FIRMWARE = "android_description", "inverter_sn", "svnversion"
_STATE, _ISLAND, _STRATEGY, _CLOCK = (
    "prim_sm.state",
    "prim_sm.island_flag",
    "power_mng.soc_strategy",
    "flash_rtc.time_stamp",
)
_BATTERY, _STATUS, _CYCLES = "battery.bms_sn", "battery.bat_status", "battery.cycles"
_CALIBRATION: Final = "power_mng.bat_next_calib_date"
_SECOND, _SECOND_SOC = "battery_placeholder[0].bms_sn", "battery_placeholder[0].soc"

ASKED: Final = (
    _FIRMWARE, _NAME, _SERIAL, _CLOCK, _STATE, _ISLAND, _STRATEGY, *_REGISTERS,
    *POWERS.values(), *_ENERGIES.values(),
    _BATTERY, *_CHARGE.values(), _STATUS, _CYCLES, _CALIBRATION, _SECOND, _SECOND_SOC,
)  # fmt: skip
"""What ``status`` asks for."""


@dataclass(frozen=True, slots=True)
class Powers:
    """Where power flows, in W."""

    sun_a: float | None
    sun_b: float | None
    external: float | None  # of generators on the S0 input; on a master, of all slaves
    house: float | None
    battery: float | None  # positive: discharge
    grid: float | None  # positive: import

    @property
    def sun(self) -> float | None:
        """What both strings give."""
        return _sum(self.sun_a, self.sun_b)


@dataclass(frozen=True, slots=True)
class Energies:
    """What flowed since midnight, in Wh."""

    made_a: float | None
    made_b: float | None
    external: float | None
    used: float | None  # by the household
    imported: float | None
    fed_in: float | None  # negative, as the inverter counts it

    @property
    def made(self) -> float | None:
        """What the sun gave: both strings, and the external generators."""
        return _sum(self.made_a, self.made_b, self.external)

    @property
    def self_consumption(self) -> float | None:
        """The share, from 0 to 1, of what was made that was not fed in: (made - fed in) / made.

        It was used, went into the battery, or was lost on the way. None where a part is not known, and before anything
        was made. 0 also where more was fed in than was made, from the battery.
        """
        if self.made is None or self.fed_in is None or self.made < _LEAST:
            return None
        return min(1.0, max(0.0, 1.0 + self.fed_in / self.made))

    @property
    def autarky(self) -> float | None:
        """The share, from 0 to 1, of what the household used that was not imported: (used - imported) / used.

        What is imported into the battery counts when it is imported. None where a part is not known, and before
        anything was used. 0 also where more was imported than was used.
        """
        if self.used is None or self.imported is None or self.used < _LEAST:
            return None
        return min(1.0, max(0.0, 1.0 - self.imported / self.used))


@dataclass(frozen=True, slots=True)
class Charge:
    """The battery in short, its first tower if it has two; ``rct_tools.health.battery`` has all of it."""

    soc: float | None  # state of charge, from 0 to 1
    second: float | None  # that of a second tower; None also where there is none
    target: float | None  # of it
    soh: float | None  # state of health, from 0 to 1
    voltage: float | None  # V
    current: float | None  # A, positive: discharge
    temperature: float | None  # °C
    cycles: int | None
    status: Label | None  # 0 when it is neither calibrated nor balanced
    calibration: datetime | None  # the next one, in the time zone of the inverter; None also where none is planned


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault that is there now."""

    number: int  # in the list of all, which is also the type of its event
    text: str


@dataclass(frozen=True, slots=True)
class Quality:
    """How the connection is, counted since its client began."""

    requests: int  # sent, repeated ones too
    repeated: int
    unanswered: int  # in time
    cut: int  # answers
    damaged: int  # frames
    reconnects: int
    others: bool  # whether another client is at work on the inverter


@dataclass(frozen=True, slots=True)
class Health:
    """How an inverter is. None stands for what it did not say."""

    time: int  # UTC, nanoseconds: when the last answer came
    peer: str
    name: str | None
    serial: str | None
    firmware: str | None
    clock: datetime | None  # what it shows, in its time zone
    state: Label | None
    strategy: Label | None  # what decides on the battery
    separated: bool | None  # from the grid
    faults: tuple[Fault, ...] | None  # None where one register stayed silent and no other shows a fault
    powers: Powers
    today: Energies
    battery: Charge | None  # None where there is none
    quality: Quality
    missing: tuple[str, ...]  # objects that were asked for and stayed silent
    trouble: str  # what ended the connection before all were asked for; "" where nothing did


async def status(client: Client, *, zone: ZoneInfo | None = None) -> Health:
    """Ask an inverter how it is: some 35 objects, which take two or three seconds.

    ``zone`` is the time zone of its clock, that of this machine if left out.

    Raises NoAnswer when it answers nothing, LinkError when there is no connection. What stays silent is in ``missing``.
    """
    clock = Clock(zone or ZoneInfo(local_zone()))
    return health_of(await ask(client, ASKED), client.peer, quality_of(client), clock)


def health_of(answers: Answers, peer: str, quality: Quality, clock: Clock) -> Health:
    """Return how an inverter is by what it has answered, at least one object; ``clock`` is its own."""
    island = answers.count(_ISLAND)
    return Health(
        time=answers.time,
        peer=peer,
        name=answers.text(_NAME),
        serial=answers.text(_SERIAL),
        firmware=answers.text(_FIRMWARE),
        clock=answers.moment(_CLOCK, clock),
        state=answers.label(_STATE),
        strategy=answers.label(_STRATEGY),
        separated=None if island is None else bool(island & 1),
        faults=_faults(answers),
        powers=Powers(**_numbers(answers, POWERS)),
        today=Energies(**_numbers(answers, _ENERGIES)),
        battery=None if answers.text(_BATTERY) == "" else _charge(answers, clock),
        quality=quality,
        missing=answers.missing,
        trouble=answers.trouble,
    )


def _numbers(answers: Answers, names: Mapping[str, str]) -> dict[str, float | None]:
    return {field: answers.number(name) for field, name in names.items()}


def _charge(answers: Answers, clock: Clock) -> Charge:
    return Charge(
        **_numbers(answers, _CHARGE),
        second=answers.number(_SECOND_SOC) if answers.text(_SECOND) else None,
        cycles=answers.count(_CYCLES),
        status=answers.label(_STATUS),
        calibration=answers.moment(_CALIBRATION, clock),
    )


def _faults(answers: Answers) -> tuple[Fault, ...] | None:
    values = [answers.count(name) for name in _REGISTERS]
    found = tuple(
        Fault(_BITS * register + bit, registry[name].bits[bit])
        for register, (name, value) in enumerate(zip(_REGISTERS, values, strict=True))
        for bit in registry[name].bits_set(value or 0)
    )
    return None if None in values and not found else found


def quality_of(client: Client) -> Quality:
    """Return how the connection of a client is."""
    counters = client.counters
    return Quality(
        requests=counters.requests,
        repeated=counters.retries,
        unanswered=counters.timeouts,
        cut=counters.bad_readings,
        damaged=counters.bad_frames.total(),
        reconnects=counters.reconnects,
        others=client.sees_others,
    )


def _sum(*parts: float | None) -> float | None:
    """Return a sum; None where a part is missing: the rest would look like the whole."""
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None
