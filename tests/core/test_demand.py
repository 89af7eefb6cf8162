"""Runs on CPython and, by on_micropython.py, on MicroPython."""

from dsmrctl.firmware.core import clock, demand
from dsmrctl.firmware.core.demand import Demand


def at(*date):
    return clock.seconds(*date) or 0


NOON = at(2026, 4, 12, 12, 0, 0)


def run(follower, start, until, wh, watts, step=1, offset_s=0, **more):
    """Telegrams from start to until, `watts` drawn all the time; the register at the end.

    start, until: local; offset_s: that clock before UTC.
    """
    for time_s in range(start, until, step):
        register = wh + (time_s - start) * watts // 3600
        follower.update(time_s, register, watts, time_s - offset_s, **more)
    return wh + (until - start) * watts // 3600


def test_linear_is_the_manuals_formula():
    # Wh so far x 15 / minutes x 4
    assert demand.forecast_linear_w(100, 300) == 100 * 15 // 5 * 4
    assert demand.forecast_linear_w(250, 600) == 1500
    assert demand.forecast_linear_w(625, 900) == 2500


def test_power_now_for_the_time_that_is_left():
    # 250 Wh in 5 minutes are 3000 W in the mean: of the 10 that are left an eighth at that.
    assert demand.forecast_w(250, 0, 300) == 1000 + 3000 // 8 * 600 // 900
    # 250 Wh in 10 minutes are 1500 W; now it is 9000 W.
    assert demand.forecast_w(250, 9000, 600) == 1000 + (7 * 9000 + 1500) * 300 // 7200
    assert demand.forecast_w(250, 9000, 900) == 1000


def test_the_threshold_follows_the_month_but_not_below_what_is_billed():
    assert demand.threshold_w(0, None) == 2500
    assert demand.threshold_w(3000, 2000) == 3000
    assert demand.threshold_w(3000, 4100) == 4100
    assert demand.threshold_w(1000, 2000) == 2500


def test_a_quarter_of_even_power_has_that_demand():
    follower = Demand()
    run(follower, NOON, NOON + 900, 1000, 3600)
    assert follower.quarter_w == 899 * 4
    assert follower.last_quarter_w is None
    assert follower.update(NOON + 900, 1900, 3600)
    assert (follower.quarter_w, follower.last_quarter_w, follower.month_peak_w) == (0, 3600, 3600)
    assert follower.month_peak_time_s == NOON + 900


def test_a_load_over_two_quarters_counts_half():
    # The manual's remark: ten minutes of 6 kW within a quarter, or half before its end.
    within, across = Demand(), Demand()
    for follower, since in ((within, 120), (across, 600)):
        wh = 0
        for second in range(1801):
            follower.update(NOON + second, wh // 3600)
            if since <= second < since + 600:
                wh += 6000
    assert within.month_peak_w == 4000
    assert across.month_peak_w == 2000


def test_a_start_in_mid_quarter_is_never_a_peak():
    follower = Demand()
    wh = run(follower, NOON + 1, NOON + 900, 1000, 9000)
    assert follower.quarter_w is None
    assert follower.forecast_w is None
    wh = run(follower, NOON + 900, NOON + 1800, wh, 1000)
    assert follower.last_quarter_w is None
    assert follower.month_peak_w is None
    follower.update(NOON + 1800, wh)
    assert follower.month_peak_w == 1000


def test_a_gap_within_a_quarter_costs_nothing():
    follower = Demand()
    run(follower, NOON, NOON + 10, 1000, 3600)
    follower.update(NOON + 895, 1895)
    follower.update(NOON + 905, 1905)
    assert follower.last_quarter_w == 3600
    assert follower.quarter_w == 20


def test_a_gap_over_a_boundary_spoils_both_quarters():
    for before, after in ((11, 1), (1, 11), (400, 400)):
        follower = Demand()
        follower.update(NOON, 1000)
        follower.update(NOON + 900 - before, 9000)
        assert follower.update(NOON + 900 + after, 9001)
        assert follower.last_quarter_w is None, (before, after)
        assert follower.quarter_w is None
        follower.update(NOON + 1800, 9900)
        assert follower.month_peak_w is None
        follower.update(NOON + 2700, 10000)
        assert follower.month_peak_w == 400


def test_a_telegram_on_the_boundary_is_enough():
    # An archive with a telegram a minute has exact quarters.
    follower = Demand()
    run(follower, NOON, NOON + 901, 0, 6000, 60)
    assert follower.last_quarter_w == 6000


def test_a_whole_quarter_without_telegrams_is_no_quarter_of_the_one_before():
    follower = Demand()
    follower.update(NOON, 0)
    follower.update(NOON + 1800, 5000)
    assert follower.last_quarter_w is None
    assert follower.month_peak_w is None
    assert follower.quarter_w == 0


def test_the_clock_set_back_spoils_the_quarter():
    follower = Demand()
    wh = run(follower, NOON, NOON + 500, 0, 3600)
    wh = run(follower, NOON + 490, NOON + 900, wh, 3600)
    assert follower.quarter_w is None
    follower.update(NOON + 900, wh)
    assert follower.last_quarter_w is None
    run(follower, NOON + 900, NOON + 1801, wh, 3600)
    assert follower.last_quarter_w == 3600


def test_the_clock_set_back_over_a_boundary():
    follower = Demand()
    wh = run(follower, NOON, NOON + 905, 0, 3600)
    assert follower.last_quarter_w == 3600
    assert follower.update(NOON + 895, wh)
    assert follower.last_quarter_w is None
    assert follower.quarter_w is None
    follower.update(NOON + 900, wh + 5)
    assert follower.last_quarter_w is None


def test_a_register_that_falls_is_another_meter():
    follower = Demand()
    run(follower, NOON, NOON + 500, 80000, 3600)
    follower.update(NOON + 500, 12)
    assert follower.quarter_w is None
    follower.update(NOON + 900, 400)
    assert follower.last_quarter_w is None
    follower.update(NOON + 1800, 500)
    assert follower.last_quarter_w == 400


def test_a_register_that_leaps_is_no_peak():
    follower = Demand()
    follower.update(NOON, 0)
    follower.update(NOON + 900, 30000)
    assert follower.last_quarter_w is None
    assert follower.month_peak_w is None


def test_the_same_telegram_twice():
    follower = Demand()
    follower.update(NOON, 0)
    assert not follower.update(NOON, 0)
    follower.update(NOON + 900, 100)
    assert not follower.update(NOON + 900, 100)
    assert follower.last_quarter_w == 400


def test_the_forecast_begins_at_minute_5_and_changes_once_a_minute():
    follower = Demand()
    seen = []
    wh = 0
    for second in range(900):
        follower.update(NOON + second, wh // 3600)
        seen.append(follower.forecast_w)
        wh += second * 10  # ever more
    assert seen[:300] == [None] * 300
    changes = [i for i in range(1, 900) if seen[i] != seen[i - 1]]
    assert changes == [60 * minute for minute in range(5, 15)]
    follower.update(NOON + 900, wh // 3600)
    assert follower.forecast_w is None


def test_a_judgement_that_is_missed_is_made_up_for():
    follower = Demand()
    follower.update(NOON, 0)
    follower.update(NOON + 299, 299)
    assert follower.forecast_w is None
    follower.update(NOON + 310, 310)
    assert follower.forecast_w == 3600
    follower.update(NOON + 359, 9000)
    assert follower.forecast_w == 3600


def test_even_power_forecasts_itself_by_either_way():
    for forecaster in demand.FORECASTERS:
        follower = Demand(forecaster)
        run(follower, NOON, NOON + 841, 0, 3600)
        assert follower.forecast_w == 3600


def test_the_better_one_sees_what_was_switched_off():
    linear, power = Demand("linear"), Demand()
    for follower in (linear, power):
        wh = run(follower, NOON, NOON + 480, 0, 7200)
        run(follower, NOON + 480, NOON + 541, wh, 0)
    assert linear.forecast_w == 7200 * 480 // 540
    # What was drawn in 480 s, and for 360 s an eighth of the 540 s' mean, 6400 W.
    assert power.forecast_w == 7200 * 480 // 900 + 6400 // 8 * 360 // 900


def test_without_the_power_it_falls_back_on_linear():
    follower = Demand("power")
    follower.update(NOON, 0)
    follower.update(NOON + 300, 300)
    assert follower.forecast_w == 3600


def test_an_unknown_forecaster_is_refused():
    said = None
    try:
        Demand("astrology")
    except ValueError as error:
        said = str(error)
    assert said == "a forecaster is one of linear, power"


def test_the_meters_own_figures_go_first():
    follower = Demand()
    follower.update(NOON + 400, 1000, None, None, 2351, 4065, NOON - 86400)
    assert (follower.quarter_w, follower.month_peak_w) == (2351, 4065)
    assert follower.month_peak_time_s == NOON - 86400
    # It joined in mid-quarter, yet the meter knows the start.
    assert follower.forecast_w == 2351 * 900 // 400
    # They are the meter's to keep.
    assert follower.peaks() == []


def test_the_month_peak_starts_anew_and_the_old_one_is_kept():
    midnight = at(2026, 5, 1)
    follower = Demand()
    wh = run(follower, midnight - 1800, midnight - 900, 0, 5000)
    wh = run(follower, midnight - 900, midnight, wh, 8000)
    assert follower.month_peak_w == 5000
    follower.update(midnight, wh)
    # The quarter that ends at midnight belongs to the month that ends.
    assert follower.history == [(202604, midnight, 8000)]
    assert (follower.month_peak_w, follower.month_peak_time_s) == (None, None)
    run(follower, midnight, midnight + 901, wh, 1000)
    assert follower.month_peak_w == 1000


def test_a_month_that_began_in_a_gap_has_its_first_quarter():
    midnight = at(2026, 5, 1)
    follower = Demand()
    for time_s, wh in ((-1800, 0), (-900, 1000), (900, 1100), (1800, 1300), (2700, 1400)):
        follower.update(midnight + time_s, wh)
    assert follower.peaks() == [(202604, midnight - 900, 4000), (202605, midnight + 1800, 800)]


def test_new_year():
    midnight = at(2027, 1, 1)
    follower = Demand()
    wh = run(follower, midnight - 900, midnight, 0, 4000)
    follower.update(midnight, wh)
    assert follower.history == [(202612, midnight, 4000)]
    assert follower.month_peak_w is None
    run(follower, midnight, midnight + 901, wh, 1000)
    assert follower.peaks() == [(202612, midnight, 4000), (202701, midnight + 900, 1000)]


def test_thirteen_months_are_kept():
    follower = Demand()
    wh = 0
    for month in range(24):
        start = at(2025 + month // 12, month % 12 + 1, 10)
        wh = run(follower, start, start + 961, wh, 1000 + month * 100, 60)
    assert [peak[0] for peak in follower.history] == [202511, 202512] + [
        202600 + m for m in range(1, 12)
    ]
    assert follower.month_peak_w == 1000 + 23 * 100
    assert follower.history[-1][2] == 1000 + 22 * 100
    assert len(follower.peaks()) == 14


def test_one_wild_date_changes_nothing_that_is_kept():
    follower = Demand()
    wh = run(follower, NOON, NOON + 1000, 0, 4000)
    kept = [(202604, NOON + 900, 4000)]
    for wild in (at(2049, 5, 1), at(2000, 1, 1), NOON + 40 * 86400):
        follower.update(wild, wh)
        # Of that month nothing is known.
        assert (follower.month_peak_w, follower.peaks()) == (None, kept)
        follower.update(NOON + 1004, wh)
        assert (follower.month_peak_w, follower.history) == (4000, [])


def test_a_clock_that_was_wrong_for_long_finds_its_month_again():
    follower = Demand()
    wh = run(follower, NOON, NOON + 1000, 0, 4000)
    wrong = at(2026, 6, 1)
    wh = run(follower, wrong, wrong + 100, wh, 100)
    assert follower.month_peak_w is None
    assert follower.history == [(202604, NOON + 900, 4000)]
    run(follower, NOON + 1100, NOON + 1200, wh, 100)
    assert follower.month_peak_w == 4000
    assert follower.history == []


def test_a_wild_date_of_a_whole_quarter_is_not_seen_from_the_right_month():
    for wild in (at(2035, 3, 1, 12), at(2021, 3, 1, 12)):
        follower = Demand()
        wh = run(follower, NOON, NOON + 1000, 0, 4000)
        wh = run(follower, wild, wild + 1801, wh, 9000)
        assert (follower.month_peak_w, follower.last_quarter_w) == (9000, 9000)
        wh = run(follower, NOON + 2000, NOON + 3700, wh, 1000)
        assert (follower.last_quarter_w, follower.month_peak_w, follower.history) == (
            1000, 4000, [],
        )  # fmt: skip
        may = at(2026, 5, 1)
        run(follower, may, may + 901, wh, 2000)
        assert follower.month_peak_w == 2000
        assert follower.history == [(202604, NOON + 900, 4000)]


def test_a_clock_set_right_in_the_first_minutes_of_a_month():
    midnight = at(2026, 5, 1)
    follower = Demand()
    wh = run(follower, midnight - 1800, midnight + 3, 0, 4000)
    wh = run(follower, midnight - 5, midnight, wh, 4000)
    assert follower.month_peak_w == 4000
    wh = run(follower, midnight, midnight + 901, wh, 1000)
    # The first quarter begins anew where the clock came to midnight for the second time.
    assert follower.peaks() == [(202604, midnight - 900, 4000), (202605, midnight + 900, 1000)]


def test_the_night_that_has_an_hour_twice():
    # Last Sunday of October 2026: 03:00 summer time is 02:00 winter time.
    twice = at(2026, 10, 25, 2)
    follower = Demand()
    wh = run(follower, twice, twice + 3600, 0, 3600, 1, 7200)
    ended = []
    for second in range(3601):
        if follower.update(twice + second, wh + second, 3600, twice + second - 3600):
            ended.append(follower.last_quarter_w)
    assert ended == [3600] * 5


def test_the_night_that_lacks_an_hour():
    last = at(2027, 3, 28, 2)
    follower = Demand()
    wh = run(follower, last - 900, last, 0, 3600, 1, 3600)
    assert follower.update(last + 3600, wh, 3600, last - 3600)
    assert follower.last_quarter_w == 3600
    assert follower.month_peak_time_s == last + 3600


def test_without_utc_such_a_night_spoils_a_quarter_and_no_more():
    follower = Demand()
    twice = at(2026, 10, 25, 2)
    wh = run(follower, twice + 2700, twice + 3600, 0, 3600)
    wh = run(follower, twice, twice + 900, wh, 3600)
    assert (follower.quarter_w, follower.month_peak_w) == (None, None)
    run(follower, twice + 900, twice + 1801, wh, 3600)
    assert follower.month_peak_w == 3600


def again(follower):
    """After a restart, from what was kept."""
    after = Demand()
    after.load([list(peak) for peak in follower.peaks()])
    after.restore(list(follower.state()))
    return after


def test_a_restart_in_mid_quarter_goes_on():
    follower = Demand()
    wh = run(follower, NOON, NOON + 1300, 0, 3600)
    after = again(follower)
    after.update(NOON + 1310, wh + 10)
    # Seen by whoever asks with the first telegram, not with the next quarter.
    assert (after.quarter_w, after.month_peak_w, after.last_quarter_w) == (1640, 3600, 3600)
    run(after, NOON + 1311, NOON + 1801, wh + 11, 7200)
    assert after.last_quarter_w == after.month_peak_w == (411 + 489 * 2) * 4
    assert all(value is None or type(value) is int for value in follower.state())


def test_a_restart_that_took_too_long_knows_it():
    follower = Demand()
    wh = run(follower, NOON, NOON + 1300, 0, 3600)
    after = again(follower)
    after.update(NOON + 1850, wh + 9000)
    assert after.last_quarter_w is None
    assert after.quarter_w is None
    assert after.month_peak_w == 3600


def test_the_running_month_comes_back_from_flash():
    follower = Demand()
    follower.load([(202603, None, 3000)])
    run(follower, NOON, NOON + 901, 0, 3600)
    kept = follower.peaks()
    after = Demand()
    after.load([list(peak) for peak in kept])
    after.update(NOON + 5000, 5000)
    assert after.month_peak_w == 3600
    assert after.history == [(202603, None, 3000)]
    # Whichever of RTC and flash is read first.
    both = Demand()
    both.restore(follower.state())
    both.load(kept)
    assert both.peaks() == kept
    both.update(NOON + 901, 901)
    assert (both.month_peak_w, both.quarter_w) == (3600, 4)


def test_flash_from_another_month_is_history():
    after = Demand()
    after.load([(202602, None, 2000), (202601, None, 1000)])
    after.update(NOON, 5000)
    assert after.month_peak_w is None
    assert [peak[0] for peak in after.history] == [202601, 202602]


def test_more_months_than_there_can_be_are_cut_to_the_newest():
    after = Demand()
    after.load([(202500 + month, None, month) for month in range(1, 13)])
    after.load([(202400 + month, None, month) for month in range(1, 13)] + after.peaks())
    assert [peak[0] for peak in after.peaks()] == [202411, 202412] + [
        202500 + month for month in range(1, 13)
    ]
