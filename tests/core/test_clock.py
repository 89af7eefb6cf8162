"""Runs on CPython and, by on_micropython.py, on MicroPython."""

from dsmrctl.firmware.core import clock


def test_it_counts_from_2020():
    assert clock.seconds(2020, 1, 1) == 0
    assert clock.seconds(2026, 4, 12, 13, 36, 26) == 198164186
    assert clock.seconds(2019, 12, 31, 23, 59, 59) == -1


def test_every_day_of_the_calendar_and_back():
    length = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    time_s = -7305 * clock.DAY
    for year in range(2000, 2054):
        for month in range(1, 13):
            for day in range(1, length[month - 1] + (month == 2 and year % 4 == 0) + 1):
                assert clock.seconds(year, month, day) == time_s
                assert clock.date(time_s + 86399) == (year, month, day, 23, 59, 59)
                time_s += clock.DAY
    assert time_s < 1 << 30


def test_what_is_no_date():
    for wrong in (
        (1999, 1, 1),
        (2054, 1, 1),
        (2026, 0, 1),
        (2026, 13, 1),
        (2026, 1, 0),
        (2026, 2, 29),
        (2026, 4, 31),
        (2026, 1, 1, 24),
        (2026, 1, 1, 0, 60),
        (2026, 1, 1, 0, 0, 60),
    ):
        assert clock.seconds(*wrong) is None, wrong
    assert clock.seconds(2028, 2, 29) is not None


def test_a_month_is_one_number():
    assert clock.month(198164186) == 202604
    assert clock.month(7 * 365 * clock.DAY + 2 * clock.DAY - 1) == 202612
    assert clock.month(7 * 365 * clock.DAY + 2 * clock.DAY) == 202701
    assert clock.month(-1) == 201912
