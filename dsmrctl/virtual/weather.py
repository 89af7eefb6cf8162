"""The weather over a day: how warm it is, and what the sun gives through passing clouds.

Sines are a polynomial here: the C library's differ in their last bit between computers, and the
same seed must give the same watts everywhere. Angles are in degrees.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

from dsmrctl.virtual.chance import Chance

_LATITUDE = 51.0
_LONGITUDE = 4.4  # east; noon there is at 11:42 UTC on average
_TILT = 35.0  # panels face south
_LOSSES = 0.82
_DAWN = 0.02  # sine of the sun's height below which panels give nothing

CLEAR, CHANGEABLE, OVERCAST = "clear", "changeable", "overcast"

Step = tuple[int, int, int]
"""From second, until second (UTC), W."""


class Weather(NamedTuple):
    """A day's weather; `mean_c` in degrees Celsius."""

    sky: str
    mean_c: float


def sine(angle: float) -> float:
    """Sine by its series; to 1e-9, with the same bits everywhere."""
    angle %= 360.0
    if angle > 180.0:
        angle -= 360.0
    if angle > 90.0:
        angle = 180.0 - angle
    elif angle < -90.0:
        angle = -180.0 - angle
    x = angle * 0.017453292519943295
    square = x * x
    result = 1.0
    for n in (12.0, 10.0, 8.0, 6.0, 4.0, 2.0):
        result = 1.0 - square / (n * (n + 1.0)) * result
    return x * result


def cosine(angle: float) -> float:
    """Cosine, likewise."""
    return sine(angle + 90.0)


def weather(seed: int, ordinal: int) -> Weather:
    """The weather of a civil day; the same for the same seed."""
    chance = Chance(seed, "weather", ordinal)
    warmth = -cosine((_day_of_year(ordinal) - 20) * 360.0 / 365.0)
    draw = chance.part()
    bright = 0.16 + 0.10 * warmth
    sky = CLEAR if draw < bright else CHANGEABLE if draw < bright + 0.42 else OVERCAST
    spread = chance.part() + chance.part() + chance.part() - 1.5
    return Weather(sky, 10.5 + 7.5 * warmth + 5.0 * spread)


def solar_steps(seed: int, ordinal: int, midnight: int, peak_w: int, most_w: int) -> list[Step]:
    """What panels of `peak_w` (Wp) behind an inverter of `most_w` give over a civil day.

    midnight: the second it begins (UTC). Steps of 2 to 10 s, by day only, without holes.
    """
    table = _clear_sky(ordinal, midnight, peak_w)
    light = [minute for minute, (direct, diffuse) in enumerate(table) if direct + diffuse > 0]
    if not light:
        return []
    at = midnight + light[0] * 60
    end = midnight + (light[-1] + 1) * 60
    steps: list[Step] = []
    for length, direct_part, diffuse_part in _sky(Chance(seed, "sky", ordinal), seed, ordinal):
        minute, rest = divmod(at - midnight, 60)
        direct, diffuse = table[minute]
        next_direct, next_diffuse = table[minute + 1]
        share = rest / 60.0
        direct += (next_direct - direct) * share
        diffuse += (next_diffuse - diffuse) * share
        watts = min(int(direct * direct_part + diffuse * diffuse_part), most_w)
        until = min(at + length, end)
        steps.append((at, until, watts))
        at = until
        if at == end:
            break
    return steps


def _day_of_year(ordinal: int) -> int:
    return ordinal - date(date.fromordinal(ordinal).year, 1, 1).toordinal() + 1


def _clear_sky(ordinal: int, midnight: int, peak_w: int) -> list[tuple[float, float]]:
    """(direct, diffuse) W under a clear sky, for each minute since midnight."""
    number = _day_of_year(ordinal)
    declination = 23.45 * sine((284 + number) * 360.0 / 365.0)
    b = (number - 81) * 360.0 / 364.0
    equation_min = 9.87 * sine(2.0 * b) - 7.53 * cosine(b) - 1.5 * sine(b)
    # Height over the horizon, and incidence on a plane to the south, which is that of a flat
    # roof as many degrees nearer to the equator as the plane is steep.
    level = sine(_LATITUDE) * sine(declination)
    swing = cosine(_LATITUDE) * cosine(declination)
    level_panel = sine(_LATITUDE - _TILT) * sine(declination)
    swing_panel = cosine(_LATITUDE - _TILT) * cosine(declination)
    first_min = midnight % 86400 / 60.0 + _LONGITUDE * 4.0 + equation_min
    table = []
    for minute in range(25 * 60 + 2):
        turn = cosine((first_min + minute) / 4.0 - 180.0)
        height = level + swing * turn
        if height < _DAWN:
            table.append((0.0, 0.0))
            continue
        facing = max(0.0, level_panel + swing_panel * turn)
        direct = 0.95 * height / (height + 0.15) * facing
        table.append((peak_w * _LOSSES * direct, peak_w * _LOSSES * 0.11 * height / (height + 0.2)))
    return table


def _sky(chance: Chance, seed: int, ordinal: int) -> Iterator[tuple[int, float, float]]:
    """For ever: seconds, what of the direct light comes through, and how bright the rest is."""
    kind = weather(seed, ordinal).sky
    if kind == CLEAR:
        while True:
            yield 10, 1.0, 1.0
    if kind == OVERCAST:
        bright = 0.5 + chance.part()
        while True:
            bright = min(2.2, max(0.4, bright + (chance.part() - 0.5) * 0.2))
            yield 10, 0.0, bright
    through = 1.0
    while True:
        # A cloud's edge scatters more light than the blue sky: for a moment more than clear.
        sunny = chance.happens(0.5)
        goal = 1.0 + 0.08 * chance.part() if sunny else 0.05 + 0.45 * chance.part()
        ramp = chance.whole(2, 8)
        for n in range(1, ramp + 1):
            yield 2, through + (goal - through) * n / ramp, 1.4
        through = goal
        left = chance.whole(20, 500 if sunny else 280)
        while left > 0:
            length = min(left, chance.whole(4, 10))
            yield length, through + 0.04 * (chance.part() - 0.5), 1.4
            left -= length
