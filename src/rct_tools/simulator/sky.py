"""What the sky gives: sunlight on inclined planes, through clouds, and the temperature of the air."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, exp, pi, radians, sin
from typing import Final

from rct_tools.simulator.noise import Noise

DAY: Final = 86400
LATITUDE: Final = radians(50.0)
SOLAR_NOON: Final = 12 * 3600 + 20 * 60  # by the clock on the wall, in the middle of its time zone

_SIN_LATITUDE: Final = sin(LATITUDE)
_COS_LATITUDE: Final = cos(LATITUDE)
_TROPICAL_YEAR: Final = 365.2422
_WINTER_SOLSTICE: Final = 355.0  # day of the year 1970


@dataclass(frozen=True, slots=True)
class Plane:
    """A roof that modules lie on; ``azimuth`` counts from south, west positive. Both in degrees."""

    tilt: float
    azimuth: float


class Sky:
    """The sky over a house at 50° north. All times are seconds of the clock on its wall, counted as if UTC."""

    def __init__(self, seed: int, planes: Sequence[Plane]) -> None:
        self._normals = [
            (
                cos(radians(plane.tilt)),
                sin(radians(plane.tilt)) * cos(radians(plane.azimuth)),
                sin(radians(plane.tilt)) * sin(radians(plane.azimuth)),
            )
            for plane in planes
        ]
        self._weather = Noise("weather", seed)
        self._clouds = Noise("clouds", seed)
        self._dark = [0.0] * len(planes)

    def irradiance(self, time: float) -> list[float]:
        """Return the light on each plane, in W/m²."""
        declination = radians(-23.44) * cos(2.0 * pi * (time / DAY - _WINTER_SOLSTICE) / _TROPICAL_YEAR)
        hour_angle = 2.0 * pi * (time % DAY - SOLAR_NOON) / DAY
        sin_declination, cos_declination = sin(declination), cos(declination)
        cos_hour = cos(hour_angle)
        up = _SIN_LATITUDE * sin_declination + _COS_LATITUDE * cos_declination * cos_hour
        if up <= 0.0:
            return self._dark
        south = _SIN_LATITUDE * cos_declination * cos_hour - _COS_LATITUDE * sin_declination
        west = cos_declination * sin(hour_angle)
        cover = self.cover(time)
        beam = 1130.0 * exp(-0.16 / (up + 0.03)) * (1.0 - cover) ** 2
        diffuse = up * (90.0 + 170.0 * cover * (1.0 - 0.55 * cover))
        return [
            diffuse + beam * max(0.0, up * flat + south * to_south + west * to_west)
            for flat, to_south, to_west in self._normals
        ]

    def cover(self, time: float) -> float:
        """Return how much of the sun the clouds cover, 0 to 1: days of weather, hours of fronts, minutes of clouds."""
        weather, clouds = self._weather.at, self._clouds.at
        thickness = 0.5 * weather(time / 110_000) + 0.3 * clouds(time / 9_000) + 0.2 * clouds(time / 420)
        return min(1.0, max(0.0, (thickness - 0.38) * 3.0))

    def temperature(self, time: float) -> float:
        """Return the temperature of the air, in °C."""
        season = -10.0 * cos(2.0 * pi * (time / DAY - _WINTER_SOLSTICE - 25.0) / _TROPICAL_YEAR)
        hour = 4.5 * cos(2.0 * pi * (time % DAY - 15 * 3600) / DAY)
        return 9.5 + season + hour + 8.0 * (self._weather.at(time / 150_000) - 0.5)
