"""Runs on CPython and, by on_micropython.py, on MicroPython."""

from dsmrctl.firmware.core.warning import LEAST_W, PeakWarning, threshold_w


class Meter:
    """Its clock (a frame has no hours), its register, and that at the quarter's start."""

    def __init__(self, time_s=0, wh=83000):
        self.time_s = time_s
        self.watt_s = wh * 3600
        self.start_wh = None

    def values(self, watts, peak_w=0):
        """A version 2 frame, and the second passes."""
        wh = self.watt_s // 3600
        time_s = self.time_s
        if time_s % 900 == 0:
            self.start_wh = wh
        so_far = 0 if self.start_wh is None else (wh - self.start_wh) * 4
        self.watt_s += watts
        self.time_s += 1
        return [
            wh - 400, 400, watts, 0, 1, time_s // 60 % 60, time_s % 60, peak_w, so_far, 0,
        ]  # fmt: skip

    def skip(self, seconds, watts=0):
        """Nobody hears these frames."""
        for _ in range(seconds):
            self.values(watts)
        return self


def run(one, meter, seconds, watts, version=2, peak_w=0, first_ms=1000):
    """A frame a second; (second of the quarter, forecast, warns) where one of these changed."""
    seen = []
    ms = None if one.utc_s is None else first_ms
    for _ in range(seconds):
        second = meter.time_s % 900
        values = meter.values(watts, peak_w)
        before = (one.forecast_w, one.warns)
        one.take(ms, values if version == 2 else values[:7])
        ms = 1000
        if (one.forecast_w, one.warns) != before:
            seen.append((second, one.forecast_w, one.warns))
    return seen


def linear():
    """A monitor that goes by how the quarter went, as the manual's."""
    one = PeakWarning()
    one.power = False
    return one


def judged(quarter_w, minute=5, second=0, peak_w=0, manual_w=0):
    """A monitor that heard one frame."""
    one = linear()
    one.manual_w = manual_w
    one.take(None, [1000, 0, 0, 0, 1, minute, second, peak_w, quarter_w, 0])
    return one


def test_the_threshold_is_the_highest_of_three():
    assert threshold_w(3000, 2700) == 3000
    assert threshold_w(3000, 4065) == 4065
    assert threshold_w(1000, 2000) == 2500
    assert threshold_w(0, None) == 2500
    assert threshold_w(2600, None) == 2600
    assert LEAST_W == 2500


def test_the_threshold_goes_by_the_setting_and_by_the_frames_peak():
    assert judged(0).threshold_w == 2500
    assert judged(0, manual_w=3100).threshold_w == 3100
    assert judged(0, manual_w=3100, peak_w=4065).threshold_w == 4065
    assert judged(0, manual_w=3100, peak_w=3000).threshold_w == 3100


def test_a_peak_of_0_is_unknown():
    assert judged(0, peak_w=0).month_peak_w is None
    assert judged(0, peak_w=1).month_peak_w == 1
    one = judged(0, peak_w=4065)
    one.take(1000, [1000, 0, 0, 0, 1, 5, 1])
    assert (one.month_peak_w, one.threshold_w) == (None, 2500)


def test_it_warns_above_the_threshold_and_not_at_it():
    # At :05:00 a third of the quarter is over.
    assert judged(1000, manual_w=3000).forecast_w == 3000
    assert not judged(1000, manual_w=3000).warns
    assert judged(1001, manual_w=3000).warns
    assert not judged(1001, peak_w=3003).warns
    assert judged(1001, peak_w=3002).warns


def test_it_is_judged_from_minute_5_to_minute_14_and_at_the_full_minute():
    one, meter = linear(), Meter()
    changes = []
    for minute in range(15):
        # Ever more, so that no two judgements are alike.
        changes += run(one, meter, 60, 1000 + minute * 500)
    assert [second for second, _, _ in changes] == [60 * minute for minute in range(5, 15)]
    for second, forecast_w, warns in changes:
        assert warns == (forecast_w > 2500), second
    # At :07:00 it is 2500 W, which is not above.
    assert [warns for _, _, warns in changes] == [False] * 3 + [True] * 7


def test_nothing_is_judged_a_second_before_minute_5():
    assert judged(9000, 4, 59).forecast_w is None
    assert not judged(9000, 4, 59).warns
    assert judged(9000, 5, 0).warns


def test_a_judgement_at_or_below_the_threshold_ends_it():
    one, meter = linear(), Meter()
    run(one, meter, 361, 5000)
    assert one.warns
    # Switched off at :06:01; it needs until :13:00 to fall to 2500 W.
    seen = run(one, meter, 500, 0)
    ended = [second for second, _, warns in seen if not warns]
    assert ended[0] == 13 * 60
    assert not one.warns


def test_it_ends_at_each_quarters_start():
    for version in (1, 2):
        one, meter = PeakWarning(), Meter()
        run(one, meter, 900, 5000, version)
        assert one.warns
        assert run(one, meter, 1, 5000, version) == [(0, None, False)]
        assert run(one, meter, 299, 5000, version) == []
        assert run(one, meter, 1, 5000, version)[0][2]


def test_a_higher_month_peak_ends_it_at_once():
    one, meter = PeakWarning(), Meter()
    run(one, meter, 310, 5000, peak_w=3000)
    assert one.warns
    run(one, meter, 1, 5000, peak_w=6000)
    assert not one.warns


def test_by_the_power_of_now_it_shows_sooner_what_was_switched_off():
    slow, quick = linear(), PeakWarning()
    for one in (slow, quick):
        meter = Meter()
        run(one, meter, 330, 5000)
        assert one.warns
        run(one, meter, 91, 0)
    assert slow.warns
    assert not quick.warns
    assert quick.forecast_w is not None
    # 330 s of 5000 W in 900 s, and for the other 480 s an eighth of the mean until :07:00:
    # 1833 + 3928 / 8 * 480 / 900; the Wh are whole.
    assert 2089 <= quick.forecast_w <= 2096


def test_version_1_frames_from_a_quarters_start_say_the_same():
    one, other = PeakWarning(), PeakWarning()
    meter, again = Meter(), Meter()
    for watts in (1000, 7000, 4000):
        assert run(one, meter, 250, watts) == run(other, again, 250, watts, 1)
    assert other.warns
    assert one.forecast_w == other.forecast_w


def test_joined_in_mid_quarter_version_1_frames_wait_for_the_next():
    for second in (1, 60, 299, 420, 899):
        one = PeakWarning()
        meter = Meter().skip(second, 9000)
        assert run(one, meter, 900 - second, 9000, 1) == [], second
        assert one.quarter_w is None
        # The next one is seen from its start.
        assert run(one, meter, 301, 9000, 1) == [(300, 9000, True)]


def test_joined_in_mid_quarter_a_version_2_frame_knows_what_was_drawn():
    one = PeakWarning()
    meter = Meter().skip(440, 9000)
    assert run(one, meter, 1, 9000) == [(440, 9000, True)]
    assert run(one, meter, 59, 9000) == []


def test_a_version_2_frame_that_knows_no_quarter_is_no_demand_of_0():
    one = PeakWarning()
    meter = Meter(1)
    assert run(one, meter, 899, 9000) == []
    assert one.quarter_w is None


def test_the_frames_own_quarter_goes_before_the_board_s_sum():
    one = linear()
    for second, wh, said in ((0, 1000, 0), (300, 1250, 2000), (301, 1251, 0)):
        one.take(
            None if not second else 1000 * second,
            [wh, 0, 0, 0, 1, second // 60, second % 60, 0, said, 0],
        )
        if second == 300:
            assert (one.quarter_w, one.forecast_w) == (2000, 6000)
    assert one.quarter_w == 251 * 4


def test_both_tariffs_count():
    one = PeakWarning()
    one.take(None, [1000, 500, 0, 0, 1, 0, 0])
    one.take(300000, [1100, 650, 0, 0, 2, 5, 0])
    assert one.quarter_w == 1000


def test_a_clock_that_goes_back_by_10_seconds_loses_nothing():
    for version in (1, 2):
        for at in (400, 895, 905):
            one, meter = PeakWarning(), Meter()
            run(one, meter, at, 5000, version)
            before = (one.warns, one.forecast_w, one.utc_s)
            assert one.utc_s == at - 1
            meter.time_s -= 10
            # Nothing is judged a second time, no quarter ends twice.
            assert run(one, meter, 10, 5000, version) == [], (version, at)
            assert (one.warns, one.forecast_w, one.utc_s) == before
            run(one, meter, 1, 5000, version)
            assert one.utc_s == at
    # And what follows is judged as ever: the register went on, the clock did not.
    one, meter = PeakWarning(), Meter()
    run(one, meter, 400, 3600, 1)
    meter.time_s -= 10
    run(one, meter, 200, 3600, 1)
    assert one.quarter_w == 599 * 4


def test_two_frames_that_changed_places_are_no_clock_set_back():
    one, meter = PeakWarning(), Meter()
    run(one, meter, 300, 3600, 1)
    early, late = meter.values(3600)[:7], meter.values(3600)[:7]
    one.take(1000, late)
    assert one.utc_s == 301
    one.take(20, early)
    assert one.utc_s == 301
    assert one.start_wh is not None
    assert one.forecast_w == 3600
    assert one.warns


def test_120_seconds_back_are_overtaken_and_121_are_a_clock_set_back():
    for back, known in ((120, True), (121, False)):
        one, meter = PeakWarning(), Meter()
        run(one, meter, 700, 3600, 1)
        # The next frame would be 700.
        meter.time_s -= back + 1
        run(one, meter, 1, 3600, 1)
        assert (one.quarter_w is not None) == known, back
        assert one.utc_s == (699 if known else 578)


def test_a_clock_set_back_by_minutes_waits_for_the_next_quarter():
    one, meter = PeakWarning(), Meter()
    run(one, meter, 700, 9000, 1)
    assert one.warns
    meter.time_s -= 300
    # The register at this quarter's start is not known: 400 to 899.
    assert run(one, meter, 1, 9000, 1) == [(400, None, False)]
    assert run(one, meter, 499, 9000, 1) == []
    assert run(one, meter, 301, 9000, 1) == [(300, 9000, True)]
    # Over the quarter's start too.
    meter.time_s -= 600
    assert run(one, meter, 1, 9000, 1) == [(601, None, False)]
    assert run(one, meter, 298, 9000, 1) == []
    assert run(one, meter, 301, 9000, 1) == [(300, 9000, True)]


def test_a_clock_set_back_by_minutes_is_no_trouble_for_version_2():
    one, meter = PeakWarning(), Meter()
    run(one, meter, 700, 9000)
    meter.time_s -= 300
    seen = run(one, meter, 1, 9000)
    # The meter says so much for this quarter, and it is judged anew.
    assert seen[0][:1] == (400,)
    assert one.quarter_w == 700 * 9000 // 3600 * 4


def test_a_clock_set_back_before_minute_5_has_no_forecast():
    one = PeakWarning()
    for ms, minute, second in ((None, 9, 59), (1000, 10, 0), (1000, 3, 0)):
        one.take(ms, [1000, 0, 9000, 0, 1, minute, second, 0, 9000, 0])
        if second == 0:
            assert one.warns == (minute == 10)
    assert one.forecast_w is None


def test_a_clock_set_ahead_over_a_quarters_start_waits_too():
    one, meter = PeakWarning(), Meter()
    run(one, meter, 700, 9000, 1)
    meter.time_s += 400
    assert run(one, meter, 1, 9000, 1) == [(200, None, False)]
    assert run(one, meter, 699, 9000, 1) == []
    assert run(one, meter, 301, 9000, 1) == [(300, 9000, True)]


def test_the_hours_are_counted_here():
    one, meter = PeakWarning(), Meter(2700)
    run(one, meter, 901, 3600, 1)
    assert (one.utc_s, one.last_quarter_w, one.quarter_w) == (3600, 3600, 0)
    # A gap of 20 minutes over the hour's end, and one of 49.
    for gap in (1200, 2940):
        one, meter = PeakWarning(), Meter(3000)
        run(one, meter, 10, 3600, 1)
        meter.skip(gap, 3600)
        run(one, meter, 1, 3600, 1, first_ms=gap * 1000 + 1000)
        assert one.utc_s == 3010 + gap
        assert one.quarter_w is None


def test_milliseconds_that_are_a_little_off_do_not_count():
    for ms in (20, 640, 1000, 1700, 4000):
        one, meter = PeakWarning(), Meter(3599)
        run(one, meter, 1, 3600)
        one.take(ms, meter.values(3600))
        assert one.utc_s == 3600


def test_after_a_long_gap_nothing_of_the_quarter_is_known():
    one, meter = PeakWarning(), Meter()
    run(one, meter, 700, 9000, 1)
    assert one.warns
    # An hour less a second: minute and second go on where they were, the quarter is another.
    meter.skip(3599, 100)
    one.take(None, meter.values(9000)[:7])
    assert (one.utc_s, one.quarter_w, one.forecast_w, one.warns) == (699, None, None, False)
    assert run(one, meter, 200, 9000, 1) == []
    assert run(one, meter, 301, 9000, 1) == [(300, 9000, True)]


def test_a_gap_within_a_quarter_costs_nothing_but_judgements():
    one, meter = linear(), Meter()
    run(one, meter, 310, 7200, 1)
    meter.skip(200, 0)
    # What was missed is made up for at once, and judged again at the full minute.
    assert run(one, meter, 60, 0, 1, first_ms=201000) == [
        (510, 620 * 4 * 900 // 510, True),
        (540, 620 * 4 * 900 // 540, True),
    ]
    assert one.quarter_w == 620 * 4


def test_a_few_lost_frames_around_a_quarters_start_cost_nothing():
    one, meter = PeakWarning(), Meter()
    run(one, meter, 895, 3600, 1)
    meter.skip(9, 3600)
    run(one, meter, 1, 3600, 1, first_ms=10000)
    assert (one.last_quarter_w, one.quarter_w) == (3600, 16)


def test_a_register_that_falls_is_another_meter():
    one, meter = PeakWarning(), Meter()
    run(one, meter, 700, 9000, 1)
    meter.watt_s = 500 * 3600
    assert run(one, meter, 200, 9000, 1) == [(700, None, False)]
    run(one, meter, 301, 9000, 1)
    assert one.warns


def test_the_same_frame_twice_changes_nothing():
    one, meter = PeakWarning(), Meter()
    for version in (1, 2):
        run(one, meter, 330, 5000, version)
        before = one.figures(), one.warns
        meter.time_s -= 1
        meter.watt_s -= 5000
        run(one, meter, 1, 5000, version)
        assert (one.figures(), one.warns) == before


def test_before_the_first_frame_nothing_warns():
    one = PeakWarning()
    assert (one.warns, one.forecast_w, one.threshold_w, one.month_peak_w) == (
        False, None, 2500, None,
    )  # fmt: skip
