"""Runs on CPython and, by on_micropython.py, on MicroPython."""

from dsmrctl.firmware.core import clock, history, months, quarter


def at(*date):
    return clock.seconds(*date) or 0


NOON = at(2026, 4, 12, 12)
SERIAL = b"31534147"
# A year and more on the wall: March 2025 to April 2026.
FULL = [
    (when[0] * 100 + when[1], at(when[0], when[1], 9, 18), 3000 + when[1])
    for when in [(2025, month) for month in range(3, 13)] + [(2026, month) for month in range(1, 5)]
]


def raised(peaks, *quarters):
    """The peaks after those quarters, (time_s, W) each."""
    for time_s, w in quarters:
        more = months.raised(peaks, time_s, w)
        if more is not None:
            peaks = more
    return peaks


def test_nothing_is_known_before_a_quarter_ended():
    assert months.now([], NOON) == (None, None, None)
    assert months.past([], NOON) == []


def test_the_first_quarter_begins_the_month_though_it_took_nothing():
    assert months.raised([], NOON, 0) == [(202604, NOON, 0)]


def test_a_quarter_raises_or_there_is_nothing_to_write():
    peaks = [(202604, NOON, 3000)]
    assert months.raised(peaks, NOON + 900, 2999) is None
    # The first of equals is the peak.
    assert months.raised(peaks, NOON + 900, 3000) is None
    assert months.raised(peaks, NOON + 900, 3001) == [(202604, NOON + 900, 3001)]
    assert peaks == [(202604, NOON, 3000)]


def test_the_quarter_that_ends_at_midnight_belongs_to_the_month_that_ends():
    may = at(2026, 5, 1)
    peaks = raised([], (may, 4000), (may + 900, 1000))
    assert peaks == [(202604, may, 4000), (202605, may + 900, 1000)]
    new_year = at(2027, 1, 1)
    peaks = raised([], (new_year, 4000), (new_year + 900, 1000))
    assert [peak[0] for peak in peaks] == [202612, 202701]


def test_a_month_ends_without_anything_being_written():
    may = at(2026, 5, 1)
    peaks = [(202603, None, 2000), (202604, NOON, 4000)]
    assert months.now(peaks, may - 1) == (4000, NOON, 2000)
    assert months.past(peaks, may - 1) == peaks[:1]
    # Of May nothing is known before its first quarter ended.
    assert months.now(peaks, may) == (None, None, 4000)
    assert months.past(peaks, may) == peaks


def test_the_history_is_the_thirteen_months_before():
    assert len(FULL) == 14
    assert months.past(FULL, NOON) == FULL[:13]
    assert months.past(FULL, at(2026, 5, 1)) == FULL[1:]
    assert months.past(FULL, at(2026, 6, 1)) == FULL[2:]
    # Thirteen months before January is a December.
    peaks = [(202411, None, 1), (202412, None, 2), (202512, None, 3), (202601, None, 4)]
    assert months.past(peaks, at(2026, 1, 20)) == peaks[1:3]
    assert months.past(peaks, at(2025, 12, 20)) == peaks[:2]


def test_a_new_month_takes_the_oldest_ones_place():
    may = at(2026, 5, 1)
    assert months.raised(FULL, may, 9000) == FULL[:13] + [(202604, may, 9000)]
    assert months.raised(FULL, may + 900, 1) == FULL[1:] + [(202605, may + 900, 1)]


WILD = at(2035, 3, 1, 12)
LONG_AGO = at(2021, 3, 1, 12)


def test_a_wild_date_to_come_costs_no_more_than_the_oldest_of_thirteen_months():
    # It lasted a whole quarter, so for as long as it lasts it is believed.
    peaks = raised(FULL, (WILD, 9000))
    assert months.now(peaks, WILD) == (9000, WILD, None)
    # And back.
    assert months.raised(peaks, NOON, 1) is None
    assert months.now(peaks, NOON) == (3004, FULL[-1][1], 3003)
    assert months.past(peaks, NOON) == FULL[1:13]
    # The next month that begins forgets it.
    may = at(2026, 5, 1) + 900
    assert months.raised(peaks, may, 1) == FULL[1:] + [(202605, may, 1)]


def test_a_wild_date_of_long_ago_costs_no_more_either():
    peaks = raised(FULL, (LONG_AGO, 9000))
    assert months.now(peaks, LONG_AGO) == (9000, LONG_AGO, None)
    assert months.now(peaks, NOON) == (3004, FULL[-1][1], 3003)
    assert months.past(peaks, NOON) == FULL[1:13]
    may = at(2026, 5, 1) + 900
    assert raised(peaks, (may, 1)) == FULL[1:] + [(202605, may, 1)]


def test_a_wild_date_costs_nothing_while_there_is_room():
    real = FULL[3:]
    for wild in (WILD, LONG_AGO, at(2026, 9, 1, 12)):
        peaks = raised(real, (wild, 9000))
        assert len(peaks) == 12
        assert months.past(peaks, NOON) == real[:-1]
        assert months.now(peaks, NOON) == (3004, real[-1][1], 3003)
        may = at(2026, 5, 1) + 900
        peaks = raised(peaks, (may, 1))
        assert months.past(peaks, may) == real
        assert wild == LONG_AGO or peaks[-1] == (202605, may, 1)


def test_a_clock_some_months_or_days_back_takes_nothing_away():
    for wrong in (at(2026, 1, 20), at(2026, 4, 2), at(2025, 3, 5)):
        peaks = raised(FULL, (wrong, 1))
        assert peaks == FULL


def test_a_wild_first_quarter_is_outvoted_by_the_second_month():
    for wild in (WILD, LONG_AGO):
        may = at(2026, 5, 1) + 900
        peaks = raised([], (wild, 9000), (NOON, 3000))
        assert months.now(peaks, NOON) == (3000, NOON, None)
        peaks = raised(peaks, (may, 1000))
        assert months.now(peaks, may) == (1000, may, 3000)
        assert wild == LONG_AGO or len(peaks) == 2


def test_a_clock_that_was_ahead_for_a_year_is_forgotten_bit_by_bit():
    peaks = [(month + 1000, time_s, w) for month, time_s, w in FULL]
    for month in range(1, 13):
        begun = at(2026, month, 1, 12)
        peaks = raised(peaks, (begun, 2000 + month))
        assert len(peaks) <= 14
        assert months.now(peaks, begun)[0] == 2000 + month
        assert len(months.past(peaks, begun)) == month - 1
    assert [peak[0] for peak in peaks] == [202600 + month for month in range(1, 13)]


def test_a_board_that_lay_in_a_drawer_for_years_starts_a_new_history():
    time_s = at(2029, 6, 12, 12)
    peaks = raised(FULL, (time_s, 2000))
    assert months.now(peaks, time_s) == (2000, time_s, None)
    assert months.past(peaks, time_s) == []
    july = at(2029, 7, 1) + 900
    assert months.now(raised(peaks, (july, 1)), july) == (1, july, 2000)


def test_a_clock_that_was_never_set_has_no_months():
    for time_s in (at(2001, 1, 1, 0, 15), at(2019, 12, 31, 12), at(2020, 1, 1)):
        assert months.raised([], time_s, 1000) is None
    assert months.raised([], 900, 1000) == [(202001, 900, 1000)]
    assert months.now([], at(2001, 1, 1)) == (None, None, None)


def test_the_night_that_has_an_hour_twice_is_one_month():
    twice = at(2026, 10, 25, 2)
    peaks = raised([], (twice + 3600, 3000), (twice + 900, 2000), (twice + 1800, 3500))
    assert peaks == [(202610, twice + 1800, 3500)]


def test_what_is_kept_is_found():
    for peaks in (FULL, [], [(202604, None, 0)], [(205312, 900, quarter.MOST_W)]):
        for serial in (SERIAL, "1SAG", b"", None, b'"]\xff'):
            text = months.kept(serial, peaks)
            assert months.found(text, serial) == peaks
            assert months.found(text.encode(), serial) == peaks
    assert len(months.kept(SERIAL * 4, FULL)) < 512


def test_how_it_is_written():
    text = months.kept(SERIAL, [(202603, None, 2000), (202604, NOON, 4000)])
    rest = '"3331353334313437",[202603,null,2000],[202604,198158400,4000]'
    assert NOON == 198158400
    assert text.split(",")[0][1:].isdigit()
    assert text == text.split(",")[0] + "," + rest + "]"


def test_another_meters_peaks_are_not_found():
    text = months.kept(SERIAL, FULL)
    for serial in (b"31534148", SERIAL.decode() + "0", b"", None):
        assert months.found(text, serial) == []


def test_what_no_quarter_gives_is_not_found_whatever_its_checksum():
    one = (202604, NOON, 3000)
    for peaks in (
        [one, one],
        [one, (202603, None, 1)],
        [(201912, None, 1)],
        [(205401, None, 1)],
        [(202600, None, 1)],
        [(202613, None, 1)],
        [(202604, None, -1)],
        [(202604, None, quarter.MOST_W + 1)],
        [(202604, -900, 1)],
        [(202604, 0, 1)],
        [(202604, 1 << 30, 1)],
        [(202502, None, 1)] + FULL,
    ):
        assert months.found(months.kept(SERIAL, peaks), SERIAL) == [], peaks


def test_other_texts_are_not_found():
    text = months.kept(SERIAL, FULL)
    for other in (
        None, "", "[", "]", "{}", "[]", "null", "3",
        '"text"', "[1]", "[1,2]", "[1,2,3]", "[1,2,[3]]",
        '[1,"",["a",2,3]]', '[1,"","abc"]', "[1,2,[null,null,null]]", "[1,2,[[],[],[]]]",
        '{"a":1}', b"\xff\xfe", b"\0" * 300, "[" * 600, "[" * 6000, text + " ", " " + text,
        text[:-1], text + "]", text.replace(",", ", "), text.replace("],[", "], ["),
        text.replace(",3001]", ",3001.0]"), text.replace(",3001]", ",true]"), text * 2,
    ):  # fmt: skip
        assert months.found(other, SERIAL) == [], other


def test_packed_is_what_the_dashboard_unpacks():
    peaks = [(202603, None, 0), (202604, NOON, quarter.MOST_W)]
    assert len(months.packed(peaks)) == 24
    assert history.peaks(months.packed(peaks)) == peaks
    assert history.peaks(months.packed(FULL)) == FULL
    assert months.packed([]) == b""
