"""A house that adds up: sun, household, battery, and the grid as the balance.

At every instant, in W: both strings and the battery feed the inverter (``ac_power`` says what it loses), and the
inverter, the grid and external generators feed the household. Signs are the device's: a battery that discharges and
a grid that delivers are positive. Energies are the sums of exactly these powers.

An inverter that charges its battery from the grid takes power: ``ac`` is negative then, and so its meter goes back.
Whether a real one counts so is not known; here it keeps the sums right.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from datetime import UTC, datetime
from typing import Final

from rct_tools.simulator.battery import Bank
from rct_tools.simulator.control import Control
from rct_tools.simulator.household import Household
from rct_tools.simulator.noise import Noise
from rct_tools.simulator.sky import DAY, Plane, Sky

LOG_INTERVAL: Final = 300  # seconds
_LAST_TIME: Final = 2**31 - 1  # some objects hold no later one

PLANES: Final = (Plane(tilt=35.0, azimuth=-25.0), Plane(tilt=35.0, azimuth=30.0))
PEAK_POWER: Final = 4800.0  # Wp of each string
_STRING_VOLTAGE: Final = 455.0  # V, at work and at 25 °C
_TOO_DARK: Final = 6.0  # W/m²: strings do not start
_MODULE_LOSS: Final = 0.0037  # of the power, for each degree above 25 °C

_PASSED_ON: Final = 0.984  # share of the direct current power that the inverter passes on
_OWN_USE: Final = 8.0  # W that it takes itself
_HEAT_TIME: Final = 1500.0  # seconds until most of a change of power has reached the heat sink
_CELLAR: Final = 17.0  # °C

_SHARES: Final = (0.40, 0.26, 0.34)  # of the household, on the three phases
_UNBALANCE: Final = (0.0012, -0.0007, -0.0005)  # how far the inverter's phases are from equal


def on_clock(time: int, off: float) -> int:
    """Return a time on a clock that is ahead by ``off`` seconds; a clock has a first and a last time."""
    return int(min(max(0, time + off), _LAST_TIME))


def ac_power(dc: float) -> float:
    """Return what the inverter makes of direct current power, both in W; negative for what it takes itself."""
    return max(0.0, _PASSED_ON * dc - _OWN_USE) if dc >= 0.0 else dc / _PASSED_ON - _OWN_USE


def dc_power(ac: float) -> float:
    """Return the direct current power that the inverter needs to give ``ac``, both in W."""
    needed = ac + _OWN_USE
    return needed / _PASSED_ON if needed >= 0.0 else needed * _PASSED_ON


def on_phases(ac: float) -> list[float]:
    """Return what of the inverter's power goes to L1, L2, L3."""
    return [ac * (1.0 / 3.0 + off) for off in _UNBALANCE]


METERS: Final = ("dc[0]", "dc[1]", "ac", "load", "grid_load", "grid_feed", "ext")  # as in the names of objects


class Meter:
    """An energy in Wh: all of it, and what of it fell into this day, month and year."""

    __slots__ = ("_day", "_month", "_year", "total")

    def __init__(self) -> None:
        self.total = self._day = self._month = self._year = 0.0

    @property
    def day(self) -> float:
        return self.total - self._day

    @property
    def month(self) -> float:
        return self.total - self._month

    @property
    def year(self) -> float:
        return self.total - self._year

    def new_day(self, today: datetime) -> None:
        """Begin a new day, and a new month and year when it is the first of them."""
        self._day = self.total
        if today.day == 1:
            self._month = self.total
            if today.month == 1:
                self._year = self.total

    def share(self, part: float) -> Meter:
        """Return a meter that has counted a part of this."""
        meter = Meter()
        meter.total, meter._day = self.total * part, self._day * part
        meter._month, meter._year = self._month * part, self._year * part
        return meter


class House:
    """The house at one instant. ``time`` is the clock on its wall, in seconds counted as if UTC.

    Powers are those of the step that ended now, in W; the same seed and the same steps give the same house.
    """

    def __init__(
        self,
        seed: int,
        time: int,
        log: Callable[[House], None] = lambda _: None,
        *,
        towers: int = 1,
        slaves: Sequence[float] = (),
    ) -> None:
        """A new house, with nothing on its meters; ``log`` is called each LOG_INTERVAL, and before meters go back.

        It has so many battery towers, and further inverters on its roof, by their size: 1 is that of this one.
        """
        self.time = self.commissioned = time
        self.clock_off = 0.0  # seconds by which the inverter's clock is ahead of the one on the wall
        self.control = Control()
        self.bank = Bank(seed, time, towers)
        self.battery = self.bank.towers[0]
        self.pv = [0.0, 0.0]
        self.light = [0.0, 0.0]  # W/m²
        self.ac = 0.0
        self.load = 0.0
        self.grid = 0.0
        self.external = 0.0  # what the slaves give
        self.air = 10.0  # °C
        self.heat_sink = _CELLAR  # °C
        self.energy = {name: Meter() for name in METERS}
        self._meters = tuple(self.energy.values())
        self._sky = Sky(seed, PLANES)
        self._household = Household(seed)
        self._mains = Noise("mains", seed)
        self._log = log
        self._maintained = False  # charged from the grid, since it was low
        self._slaves = tuple(slaves)
        self._beside = sum(slaves)
        self._rests = [Bank(f"{seed} slave {n}", time) for n in range(len(slaves))]

    def advance(self, until: float, step: int) -> None:
        """Live on until a time, in steps of so many seconds that end on multiples of it; the rest waits for next time.

        ``step`` must divide LOG_INTERVAL, or be a multiple of it that divides a day.
        """
        while (end := (self.time // step + 1) * step) <= until:
            self._step(end)

    def _step(self, end: int) -> None:
        seconds = end - self.time
        hours = seconds / 3600.0
        middle = self.time + seconds / 2.0
        self.time = end
        self.air = air = self._sky.temperature(middle)
        self.light = light = self._sky.irradiance(middle)
        a, b = (_string_power(it, air) for it in light)
        control = self.control
        if control.power_reduction < 1.0:
            most = control.power_reduction * PEAK_POWER
            a, b = min(a, most), min(b, most)
        if self._slaves:
            self.external = self._beside * ac_power(a + b)
        external = self.external
        load = self._household.power(middle)
        # The battery fills what is missing, or takes what is left; its control is a few watts off, as controls are.
        off = 5.0 * (self._mains.at(middle / 7.0) - 0.5)
        need = dc_power(load + off - external) - a - b
        self._maintained = control.needs_maintenance(self.battery.soc, maintained=self._maintained)
        battery = control.power(self.bank, need, a + b, hours, maintained=self._maintained)
        ac = ac_power(a + b + battery)
        grid = load - ac - external
        self.bank.run(battery, hours, _CELLAR + 0.25 * (air - 10.0), control.soc_min, control.soc_max)
        self.pv = [a, b]
        self.ac = ac
        self.load = load
        self.grid = grid
        warm = _CELLAR + 5.0 + abs(ac) * 0.0022
        self.heat_sink += (warm - self.heat_sink) * seconds / (_HEAT_TIME + seconds)

        dc_a, dc_b, made, used, bought, sold, others = self._meters
        dc_a.total += a * hours
        dc_b.total += b * hours
        made.total += ac * hours
        used.total += load * hours
        others.total += external * hours
        if grid > 0.0:
            bought.total += grid * hours
        else:
            sold.total += grid * hours  # counted negative, as the device does
        if end % LOG_INTERVAL == 0:
            self._log(self)
            if end % DAY == 0:
                today = datetime.fromtimestamp(end, UTC)
                for meter in self._meters:
                    meter.new_day(today)

    # --- what follows from these, asked for now and then ---

    def slave(self, number: int) -> House:
        """Return the house as a slave sees it: its share of the sun, which it gives away, and a battery that rests.

        It has no meter of the grid or of the household; all that it makes goes out.
        """
        size = self._slaves[number]
        ac = self.external * size / self._beside
        made = self.energy["ext"].share(size / self._beside)
        house = copy(self)
        house._beside = 0.0
        house.pv = [power * size for power in self.pv]
        house.ac, house.load, house.grid, house.external = ac, 0.0, 0.0 - ac, 0.0
        house.energy = {name: Meter() for name in METERS} | {
            "dc[0]": self.energy["dc[0]"].share(size),
            "dc[1]": self.energy["dc[1]"].share(size),
            "ac": made,
            "grid_feed": made.share(-1.0),
        }
        house.bank = self._rests[number]
        house.battery = house.bank.towers[0]
        return house

    @property
    def plant_size(self) -> float:
        """How much sun all linked inverters get together: 1 is what this one gets."""
        return 1.0 + self._beside

    @property
    def clock(self) -> int:
        """The time on the inverter's own clock, which may be wrong."""
        return on_clock(self.time, self.clock_off)

    @property
    def is_dark(self) -> bool:
        """Whether there is too little light on the roof for an inverter that has nothing else."""
        return max(self.light) < _TOO_DARK

    @property
    def pv_voltage(self) -> list[float]:
        """The voltage of each string, in V."""
        return [_string_voltage(light, self.air) for light in self.light]

    @property
    def link_voltage(self) -> float:
        """The voltage of the direct current link, in V: it follows whichever of its sources is highest."""
        return 700.0 + 0.15 * max(self.battery.voltage, *self.pv_voltage)

    @property
    def actuator(self) -> float:
        """The temperature of the battery's heat sink, in °C."""
        return _CELLAR + 0.55 * (self.heat_sink - _CELLAR) + 0.22 * abs(self.bank.current)

    @property
    def load_phases(self) -> list[float]:
        """The household on L1, L2, L3, in W."""
        wander = 0.2 * (self._mains.at(self.time / 800.0) - 0.5)
        return [self.load * share for share in (_SHARES[0] + wander, _SHARES[1], _SHARES[2] - wander)]

    @property
    def ac_phases(self) -> list[float]:
        """The inverter on L1, L2, L3, in W."""
        return on_phases(self.ac)

    @property
    def grid_phases(self) -> list[float]:
        """The grid on L1, L2, L3, in W: import positive."""
        return [load - ac - self.external / 3.0 for load, ac in zip(self.load_phases, self.ac_phases, strict=True)]

    @property
    def grid_voltage(self) -> list[float]:
        """The voltage of L1, L2, L3, in V. It rises where power is fed in."""
        mains, time = self._mains.at, self.time
        return [
            232.5 + 6.0 * mains(time / 2700.0) + 1.6 * mains(time / 23.0 + 977 * n) - 0.0007 * power
            for n, power in enumerate(self.grid_phases)
        ]

    @property
    def grid_frequency(self) -> float:
        """The frequency of the grid, in Hz."""
        return 49.96 + 0.05 * self._mains.at(self.time / 340.0) + 0.03 * self._mains.at(self.time / 31.0)


def _string_power(light: float, air: float) -> float:
    if light < _TOO_DARK:
        return 0.0
    module = air + light * 0.026
    return PEAK_POWER * light / 1000.0 * 0.94 * (1.0 - _MODULE_LOSS * (module - 25.0))


def _string_voltage(light: float, air: float) -> float:
    module = air + light * 0.026
    return 28.0 + (_STRING_VOLTAGE * (1.0 - 0.003 * (module - 25.0)) - 28.0) * light / (light + 2.5)
