"""Seconds since 2020-01-01 00:00 and dates: below 2**30 until 2054, so the chip's small integers.

A year's two digits are those of a telegram: 2000 to 2053.
"""

_BEFORE = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365)
_FIRST_DAY = 7305  # 2020-01-01 in days since 2000-01-01
DAY = 86400


def seconds(
    year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0
) -> int | None:
    """Seconds since 2020-01-01 00:00 of a date (before: negative), None when there is no such."""
    if not (2000 <= year < 2054 and 1 <= month <= 12 and hour < 24 and minute < 60 and second < 60):
        return None
    years = year - 2000
    leap = 1 if years % 4 == 0 else 0
    length = _BEFORE[month] - _BEFORE[month - 1] + (leap if month == 2 else 0)
    if not 1 <= day <= length:
        return None
    days = years * 365 + (years + 3) // 4 + _BEFORE[month - 1] + (leap if month > 2 else 0) + day
    return (days - 1 - _FIRST_DAY) * DAY + hour * 3600 + minute * 60 + second


def date(time_s: int) -> tuple[int, int, int, int, int, int]:
    """(year, month, day, hour, minute, second) of seconds since 2020-01-01 00:00."""
    days = time_s // DAY + _FIRST_DAY
    rest = time_s % DAY
    # Four years, the leap year first: 1461 days.
    four, days = days // 1461, days % 1461
    year = 0 if days < 366 else (days - 1) // 365
    days -= year * 365 + (1 if year else 0)
    month = 1
    while month < 12 and days >= _BEFORE[month] + (1 if year == 0 and month > 1 else 0):
        month += 1
    days -= _BEFORE[month - 1] + (1 if year == 0 and month > 2 else 0)
    return (
        2000 + four * 4 + year, month, days + 1, rest // 3600, rest // 60 % 60, rest % 60,
    )  # fmt: skip


def month(time_s: int) -> int:
    """The month as one number, 202604 for April 2026."""
    when = date(time_s)
    return when[0] * 100 + when[1]
