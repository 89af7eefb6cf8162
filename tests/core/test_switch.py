"""Runs on CPython and, by on_micropython.py, on MicroPython."""

from dsmrctl.firmware.core.switch import STEPS, Switch


def injection(threshold_w=1000, on_s=60, off_s=600):
    one = Switch()
    one.mode = "injection"
    one.threshold_w = threshold_w
    one.on_ms = on_s * 1000
    one.off_ms = off_s * 1000
    return one


def give(one, frames, import_w=0, export_w=0, ms=1000, tariff=1):
    """So many frames alike; after which of them the switch was on, counted from 1."""
    on = []
    for n in range(1, frames + 1):
        one.follow(ms, tariff, import_w, export_w)
        if one.level:
            on.append(n)
    return on


def lit(off_s=600):
    """A switch that went on with its last frame."""
    one = injection(off_s=off_s)
    give(one, 61, 0, 1000)
    assert one.level == STEPS
    return one


def test_by_tariff_it_is_on_exactly_while_the_raw_tariff_is_2():
    one = Switch()
    assert one.mode == "tariff"
    levels = []
    for tariff in (1, 1, 2, 2, 1, 2, 1):
        one.follow(1000, tariff, 0, 0)
        levels.append(one.level)
    assert levels == [0, 0, STEPS, STEPS, 0, STEPS, 0]


def test_by_tariff_neither_import_nor_export_nor_delays_matter():
    one = Switch()
    one.threshold_w = 1000
    one.on_ms = one.off_ms = 600000
    for import_w, export_w in ((0, 9000), (9000, 0), (0, 0)):
        one.follow(1000, 2, import_w, export_w)
        assert one.level == STEPS
        one.follow(1000, 1, import_w, export_w)
        assert one.level == 0


def test_by_export_the_tariff_does_not_matter():
    one = injection()
    assert give(one, 100, 500, 0, tariff=2) == []
    assert give(one, 61, 0, 1000, tariff=1) == [61]


def test_it_is_on_after_the_on_delay():
    one = injection()
    # The first such frame begins the delay.
    assert give(one, 61, 0, 1500) == [61]


def test_export_at_the_threshold_counts_and_below_it_does_not():
    assert give(injection(1000, 60), 100, 0, 999) == []
    assert give(injection(1000, 60), 61, 0, 1000) == [61]


def test_without_an_on_delay_the_first_frame_is_enough():
    assert give(injection(1000, 0), 1, 0, 1000) == [1]
    assert give(injection(1000, 0), 1, 0, 999) == []


def test_a_break_restarts_the_on_delay():
    for import_w, export_w in ((0, 999), (0, 0), (500, 0)):
        one = injection()
        assert give(one, 60, 0, 1500) == []
        assert give(one, 1, import_w, export_w) == []
        assert give(one, 61, 0, 1500) == [61]


def test_the_delays_go_by_time_not_by_frames():
    # A frame each 9 s; one each 700 ms.
    assert give(injection(1000, 60), 8, 0, 1000, 9000) == [8]
    assert give(injection(1000, 60), 87, 0, 1000, 700) == [87]
    one = lit(off_s=60)
    assert give(one, 8, 500, 0, 9000) == [1, 2, 3, 4, 5, 6]


def test_once_on_it_stays_on_for_the_off_delay_whatever_happens():
    for import_w, export_w in ((9000, 0), (0, 0), (0, 9000), (1, 0)):
        assert len(give(lit(), 599, import_w, export_w)) == 599
    # Import all the time: off when the delay is over.
    one = lit()
    assert give(one, 700, 9000, 0)[-1] == 599


def test_export_in_the_off_delay_does_not_make_it_longer():
    one = lit()
    assert len(give(one, 300, 500, 0)) == 300
    assert len(give(one, 299, 0, 5000)) == 299
    assert give(one, 1, 500, 0) == []


def test_after_the_off_delay_it_stays_on_until_there_is_import():
    one = lit()
    assert len(give(one, 5000, 0, 1500)) == 5000
    # Any import, one watt, one frame.
    assert give(one, 1, 1, 0) == []
    assert one.level == 0


def test_with_neither_import_nor_export_it_stays_on():
    assert len(give(lit(), 5000)) == 5000


def test_below_the_threshold_it_stays_on_as_long_as_nothing_is_imported():
    assert len(give(lit(), 5000, 0, 1)) == 5000


def test_import_in_the_off_delay_is_forgotten_when_it_is_over_before():
    one = lit()
    assert len(give(one, 599, 9000, 0)) == 599
    assert len(give(one, 1000, 0, 0)) == 1000


def test_without_an_off_delay_the_next_import_ends_it():
    one = lit(off_s=0)
    assert len(give(one, 10, 0, 0)) == 10
    assert give(one, 1, 1, 0) == []


def test_once_off_it_waits_for_its_on_delay_anew():
    one = lit(off_s=0)
    assert give(one, 1, 5, 0) == []
    assert give(one, 61, 0, 1000) == [61]
    # And holds for its off delay anew.
    one.off_ms = 60000
    assert len(give(one, 59, 5, 0)) == 59
    assert give(one, 1, 5, 0) == []


def test_a_threshold_of_0_wants_some_export():
    one = injection(0, 0)
    assert give(one, 100, 0, 0) == []
    assert give(one, 100, 500, 0) == []
    assert give(one, 1, 0, 1) == [1]
    one = injection(0, 60)
    assert give(one, 60, 0, 1) == []
    assert give(one, 1, 0, 0) == []
    assert give(one, 61, 0, 1) == [61]


def test_cleared_it_is_off_and_starts_anew():
    one = lit()
    one.clear()
    assert (one.level, one.ms) == (0, None)
    assert give(one, 61, 0, 1000) == [61]
    one = injection()
    give(one, 60, 0, 1000)
    one.clear()
    assert (one.level, one.ms) == (0, None)
    assert give(one, 61, 0, 1000) == [61]


def test_it_begins_cleared():
    one = Switch()
    assert (one.level, one.ms) == (0, None)


def test_it_says_how_long_a_delay_runs():
    one = injection()
    give(one, 31, 0, 1000)
    assert one.ms == 30000
    give(one, 1, 0, 999)
    assert one.ms is None
    one = lit()
    assert one.ms == 0
    give(one, 599)
    assert one.ms == 599000
    give(one, 1)
    assert one.ms is None


def test_two_switches_cascade_by_their_on_delays():
    # Two loads of 2 kW on one meter that shows everything a second late; so much sun in a day.
    for sun_w, first_on, second_on in (
        (1500, False, False),
        (3000, True, False),
        (5000, True, True),
    ):
        first, second = injection(2000, 60, 600), injection(2000, 180, 600)
        net = -sun_w
        for _ in range(1200):
            before = first.level
            for one in (first, second):
                one.follow(1000, 1, max(net, 0), max(-net, 0))
            # Never both at once: the second sees what the first leaves.
            assert not (second.level and not before)
            net = -sun_w + 2000 * (first.level + second.level) // STEPS
        assert (first.level > 0, second.level > 0) == (first_on, second_on), sun_w
