"""The meter's sums done again in another way: second by second, with the zone database's clock."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest

from dsmrctl.virtual.household import Household


def brussels() -> ZoneInfo:
    try:
        return ZoneInfo("Europe/Brussels")
    except ZoneInfoNotFoundError:  # Windows without the tzdata package
        pytest.skip("this computer has no zone database")


def local(*when: int) -> datetime:
    return datetime(*when, tzinfo=brussels())  # pyright: ignore[reportArgumentType]


def wall_time(utc: int) -> datetime:
    """With a fixed offset: times of a zone are unequal to all others in the doubled hour."""
    offset = datetime.fromtimestamp(utc, brussels()).utcoffset()
    assert offset is not None
    return datetime.fromtimestamp(utc, timezone(offset))


class Quarter(NamedTuple):
    """`end` on the wall, and W."""

    end: datetime
    demand_w: int


class Books(NamedTuple):
    """W·s by ("import" or "export", tariff), cm³, every quarter, and each month's highest."""

    energy_ws: dict[tuple[str, int], int]
    gas_cm3: int
    water_cm3: int
    quarters: list[Quarter]
    peaks: dict[tuple[int, int], Quarter]

    def wh(self, direction: str, tariff: int) -> int:
        return self.energy_ws[direction, tariff] // 3600


def keep_books(household: Household, seconds: int) -> Books:
    """Sum `seconds` of a household that starts on a quarter and whose registers start at 0."""
    zone = brussels()
    assert household.start % 900 == 0
    energy = {(way, tariff): 0 for way in ("import", "export") for tariff in (1, 2)}
    gas = water = 0
    quarters: list[Quarter] = []
    peaks: dict[tuple[int, int], Quarter] = {}
    at = household.at
    for begin in range(0, seconds, 900):
        wall = datetime.fromtimestamp(household.start + begin, zone)
        tariff = 1 if wall.weekday() < 5 and 7 <= wall.hour < 22 else 2
        before_wh = sum(energy["import", each] // 3600 for each in (1, 2))
        drawn = fed = 0
        for second in range(begin, min(begin + 900, seconds)):
            _, l1, l2, l3, gas_cm3, water_cm3 = at(second)
            net = l1 + l2 + l3
            if net > 0:
                drawn += net
            else:
                fed -= net
            gas += gas_cm3
            water += water_cm3
        energy["import", tariff] += drawn
        energy["export", tariff] += fed
        if begin + 900 > seconds:
            break
        after_wh = sum(energy["import", each] // 3600 for each in (1, 2))
        quarter = Quarter(wall_time(household.start + begin + 900), (after_wh - before_wh) * 4)
        quarters.append(quarter)
        month = wall.year, wall.month
        if month not in peaks or quarter.demand_w > peaks[month].demand_w:
            peaks[month] = quarter
    return Books(energy, gas, water, quarters, peaks)
