"""What people in a house switch on over a day, and what that draws.

A run is one appliance at one power: nothing between changes. A day's runs come from its own
chance, so any day can be asked for without the days before it; they may last into the next day.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from dsmrctl import belgian_time
from dsmrctl.virtual.chance import Chance
from dsmrctl.virtual.weather import weather

L1, L2, L3, GAS, WATER = range(5)
"""Columns: W on each phase, then cm³/s of gas and of water."""

_HOUR = 3600
_MINUTE = 60
_CAR_PHASES = {7400: (L3,), 11000: (L1, L2, L3)}


class Run(NamedTuple):
    """From second `start` until second `end` (UTC) a column has `amount` more."""

    start: int
    end: int
    column: int
    amount: int


class Equipment(NamedTuple):
    """What stands in the house. car_w: 0, 7400 (on L3) or 11000 (three phases)."""

    car_w: int = 7400
    gas: bool = True
    water_heater: bool = False


# (seconds, W, cm³/s of water); a negative W is a motor that turns to and fro at that power.
_WASHING = (
    (150, 40, 110), (120, 150, 0), (900, 2050, 0), (1800, -220, 0), (120, 40, 130),
    (600, -220, 0), (120, 40, 130), (540, -250, 0), (420, 520, 0),
)  # fmt: skip
_DISHES = (
    (60, 15, 70), (600, 90, 0), (60, 15, 70), (1080, 1950, 0), (1500, 85, 0), (60, 15, 70),
    (900, 85, 0), (720, 1950, 0), (600, 60, 0), (1200, 5, 0),
)  # fmt: skip


class _Day:
    """Collects the runs of one civil day."""

    def __init__(self, seed: int, ordinal: int) -> None:
        self.runs: list[Run] = []
        self.seed = seed
        self.ordinal = ordinal
        self.midnight = belgian_time.midnight(ordinal)
        self.end = belgian_time.midnight(ordinal + 1)
        self.weekend = date.fromordinal(ordinal).weekday() >= 5

    def chance(self, name: str) -> Chance:
        """Its own stream for every appliance, so that a new one leaves the others as they were."""
        return Chance(self.seed, name, self.ordinal)

    def clock(self, hours: float, spread_min: int, chance: Chance) -> int:
        """The second about `hours` o'clock on the wall."""
        wall = int(hours * _HOUR) + chance.whole(-spread_min * _MINUTE, spread_min * _MINUTE)
        return belgian_time.at_wall(self.ordinal, wall)

    def add(self, start: int, length: int, column: int, amount: int) -> int:
        """One run; returns its end."""
        self.runs.append(Run(start, start + length, column, amount))
        return start + length

    def pulses(
        self, start: int, length: int, on_s: int, off_s: int, column: int, amount: int
    ) -> int:
        """On and off as a thermostat does it; returns the end."""
        end = start + length
        at = start
        while at < end:
            self.add(at, min(on_s, end - at), column, amount)
            at += on_s + off_s
        return end

    def program(self, start: int, column: int, steps: Iterable[tuple[int, int, int]]) -> int:
        """A machine's program; returns its end."""
        for length, watts, water in steps:
            if water:
                self.add(start, length, WATER, water)
            if watts < 0:
                self.pulses(start, length, 14, 6, column, -watts)
            else:
                self.add(start, length, column, watts)
            start += length
        return start


def day_runs(seed: int, ordinal: int, equipment: Equipment) -> list[Run]:
    """All runs that begin on a civil day, in no order."""
    day = _Day(seed, ordinal)
    _standby(day)
    _cold(day)
    _light(day)
    _kitchen(day, equipment)
    _laundry(day)
    _water(day, equipment)
    if equipment.car_w:
        _car(day, equipment.car_w)
    if equipment.gas:
        _heating(day)
    if equipment.water_heater:
        chance = day.chance("water heater")
        day.add(day.clock(22.2, 5, chance), chance.whole(60, 200) * _MINUTE, L3, 2000)
    return day.runs


def _standby(day: _Day) -> None:
    """What is never off, and flickers: a router, chargers, a pump."""
    chance = day.chance("standby")
    at = day.midnight
    while at < day.end:
        length = min(chance.whole(20, 120), day.end - at)
        day.add(at, length, L1, chance.whole(72, 96))
        at += length
    day.add(day.midnight, day.end - day.midnight, L2, chance.whole(18, 24))
    day.add(day.midnight, day.end - day.midnight, L3, chance.whole(25, 40))


def _cold(day: _Day) -> None:
    for name, column, watts in (("fridge", L1, 85), ("freezer", L3, 70)):
        chance = day.chance(name)
        at = day.midnight + chance.whole(0, 40 * _MINUTE)
        while at < day.end:
            on = chance.whole(12, 20) * _MINUTE + chance.whole(0, 59)
            # The compressor's start, and then its run.
            day.add(at, 1, column, watts * 6)
            day.add(at + 1, min(on, day.end - at), column, watts)
            at += on + chance.whole(22, 40) * _MINUTE


def _light(day: _Day) -> None:
    chance = day.chance("light")
    dusk = 17.0 + 2.0 * (weather(day.seed, day.ordinal).mean_c > 13)
    for _ in range(8):
        start = day.clock(dusk + chance.part() * 3.0, 20, chance)
        day.add(start, chance.whole(20, 180) * _MINUTE, chance.pick((L1, L2)), chance.whole(6, 45))
    day.add(day.clock(6.7, 20, chance), chance.whole(30, 80) * _MINUTE, L2, chance.whole(20, 60))
    start = day.clock(20.0, 45, chance)
    day.add(start, chance.whole(60, 170) * _MINUTE, L1, chance.whole(80, 140))  # television


def _kitchen(day: _Day, equipment: Equipment) -> None:
    chance = day.chance("kitchen")
    hours = [7.0, 7.3, 16.2, 20.5] + ([9.5, 10.5, 14.0] if day.weekend else [])
    for hour in hours:
        start = day.clock(hour, 25, chance)
        if chance.happens(0.5):
            day.add(start, chance.whole(90, 220), L1, 2000)  # kettle
            day.add(start, 15, WATER, chance.whole(50, 90))
        else:
            end = day.add(start, chance.whole(40, 70), L1, 1350)  # coffee
            day.pulses(end, chance.whole(4, 9) * _MINUTE, 6, 24, L1, 1350)
    if chance.happens(0.5):
        day.add(day.clock(12.4, 30, chance), chance.whole(90, 300), L2, 1250)  # microwave
    start = day.clock(18.2, 40, chance)
    if chance.happens(0.4):  # oven: heats up, then its thermostat
        end = day.add(start, chance.whole(7, 11) * _MINUTE, L2, 2600)
        day.pulses(end, chance.whole(15, 45) * _MINUTE, 40, 75, L2, 2600)
    for _ in range(chance.whole(1, 3)):
        length = chance.whole(8, 25) * _MINUTE
        begin = start + chance.whole(0, 15) * _MINUTE
        if equipment.gas and chance.happens(0.5):
            day.add(begin, length, GAS, chance.whole(25, 60))
        else:
            end = day.add(begin, chance.whole(2, 5) * _MINUTE, L3, chance.whole(16, 22) * 100)
            day.pulses(end, length, chance.whole(3, 7), chance.whole(3, 9), L3, 1400)


def _laundry(day: _Day) -> None:
    chance = day.chance("laundry")
    if chance.happens(0.7 if day.weekend else 0.35):
        start = day.clock(10.5 if day.weekend else 18.8, 90, chance)
        end = day.program(start, L2, _WASHING)
        if chance.happens(0.6):  # dryer: its thermostat, and a drum that turns all the time
            length = chance.whole(45, 80) * _MINUTE
            end += chance.whole(2, 30) * _MINUTE
            day.add(end, length, L2, 210)
            day.pulses(end, length - 5 * _MINUTE, chance.whole(150, 400), 45, L2, 2100)
    if chance.happens(0.65):
        day.program(day.clock(20.6, 60, chance), L3, _DISHES)


def _car(day: _Day, watts: int) -> None:
    chance = day.chance("car")
    if chance.happens(0.3):
        return  # stays as it is until tomorrow
    energy_wh = chance.whole(4000, 26000)
    start = day.clock(19.5, 120, chance)
    phases = _CAR_PHASES[watts]
    end = start + energy_wh * _HOUR // watts
    for phase in phases:
        # The battery takes less near its end.
        day.add(start, end - start, phase, watts // len(phases))
        day.add(end, 6 * _MINUTE, phase, watts // len(phases) // 3)


def _water(day: _Day, equipment: Equipment) -> None:
    chance = day.chance("water")
    for hour in (6.9, 7.2, 21.5):
        if not chance.happens(0.75):
            continue
        start = day.clock(hour, 20, chance)
        length = chance.whole(220, 560)  # shower
        day.add(start, length, WATER, chance.whole(110, 160))
        if equipment.gas:
            day.add(start + 3, length, GAS, chance.whole(480, 640))
            day.add(start + 3, length, L1, 45)
    for _ in range(chance.whole(14, 24)):
        start = day.clock(6.5 + chance.part() * 16.5, 10, chance)
        if chance.happens(0.5):
            day.add(start, 60, WATER, 110)  # flush
        else:
            day.add(start, chance.whole(4, 45), WATER, chance.whole(60, 120))


def _heating(day: _Day) -> None:
    """A burner of 12 kW that goes on and off for what the house loses, 160 W a degree."""
    mean_c = weather(day.seed, day.ordinal).mean_c
    chance = day.chance("heating")
    at = day.midnight
    while at < day.end:
        hour = (at + belgian_time.offset_s(at)) // _HOUR % 24
        wanted_c = 19 if 6 <= hour < 22 else 15.5
        cycle = chance.whole(20, 38) * _MINUTE
        lost_w = 160.0 * (wanted_c - mean_c) - 500.0  # people and the sun heat too
        on = int(cycle * lost_w / 12000.0)
        if mean_c < 15 and on > 90:
            on = min(on, cycle, day.end - at)
            day.add(at, on, GAS, chance.whole(320, 350))
            day.add(at, on, L1, 48)
        at += cycle
