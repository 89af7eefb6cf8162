"""Belgian civil time by the rule itself, so that it is the same with and without a zone database.

Summer time lasts from the last Sunday of March to that of October, both at 01:00 UTC (directive
2000/84/EC). All times are whole seconds since 1970-01-01 00:00 UTC.
"""

from __future__ import annotations

from datetime import date, datetime
from functools import lru_cache

DAY_S = 86400
_EPOCH = date(1970, 1, 1).toordinal()


@lru_cache(maxsize=64)
def summer(year: int) -> tuple[int, int]:
    """Begin and end of summer time in a year."""
    return _last_sunday(year, 3), _last_sunday(year, 10)


def _last_sunday(year: int, month: int) -> int:
    last = date(year, month, 31)
    return (last.toordinal() - (last.weekday() + 1) % 7 - _EPOCH) * DAY_S + 3600


def offset_s(utc: int) -> int:
    """Seconds the clock on the wall is ahead of UTC: 3600 or 7200."""
    begin, end = summer(date.fromordinal(_EPOCH + utc // DAY_S).year)
    return 7200 if begin <= utc < end else 3600


def day(utc: int) -> int:
    """The civil day as an ordinal, as `date.fromordinal` takes it."""
    return _EPOCH + (utc + offset_s(utc)) // DAY_S


def midnight(ordinal: int) -> int:
    """The second a civil day begins; the clock never changes at midnight."""
    local = (ordinal - _EPOCH) * DAY_S
    return local - offset_s(local - 3600)


def at_wall(ordinal: int, wall_s: int) -> int:
    """The second the clock on the wall shows `wall_s` since 00:00 (from 03:00 on without doubt)."""
    if wall_s < 3 * 3600:
        return midnight(ordinal) + wall_s
    noon = (ordinal - _EPOCH) * DAY_S + DAY_S // 2
    return noon - DAY_S // 2 + wall_s - offset_s(noon)


def month_of(utc: int) -> tuple[int, int]:
    """(year, month) on the wall."""
    today = date.fromordinal(day(utc))
    return today.year, today.month


def month_start(year: int, month: int) -> int:
    """The second a month begins."""
    return midnight(date(year, month, 1).toordinal())


def stamp(utc: int) -> str:
    """`YYMMDDhhmmssX`, the time stamp of a telegram: X is S in summer time, W in winter time."""
    offset = offset_s(utc)
    local = utc + offset
    today = date.fromordinal(_EPOCH + local // DAY_S)
    hours, rest = divmod(local % DAY_S, 3600)
    flag = "S" if offset == 7200 else "W"
    return f"{today:%y%m%d}{hours:02d}{rest // 60:02d}{rest % 60:02d}{flag}"


def seconds(when: datetime) -> int:
    """Whole seconds since 1970 of an aware time. Raises ValueError for one without an offset."""
    if when.tzinfo is None:
        raise ValueError("a time without an offset says nothing")
    return int(when.timestamp() // 1)
