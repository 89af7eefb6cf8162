"""Seconds since 2020-01-01 00:00 and dates: below 2**30 until 2054, so the chip's small integers.

A year's two digits are those of a telegram: 2000 to 2053. What a board needs each second of it is
`reader.moment`.
"""

from .reader import moment

_BEFORE = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365)
_FIRST_DAY = 7305  # 2020-01-01 in days since 2000-01-01
DAY = 86400


def seconds(
    year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0
) -> int | None:
    """Seconds since 2020-01-01 00:00 of a date (before: negative), None when there is no such."""
    if year < 2000 or month > 99 or day > 99 or minute > 99 or second > 99:
        return None
    return moment((year - 2000) * 10000 + month * 100 + day, hour * 10000 + minute * 100 + second)


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
