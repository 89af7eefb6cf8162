"""Runs on CPython and, by on_micropython.py, on MicroPython."""

from dsmrctl.firmware.core.ledbar import lit


def test_at_5000_w_each_of_five_leds_stands_for_1000_w():
    for n in range(1, 6):
        assert lit(n * 1000, 5000, 5) == n
        assert lit(n * 1000 - 1, 5000, 5) == n - 1


def test_four_leds_of_4000_w():
    for n in range(1, 5):
        assert lit(n * 1000, 4000, 4) == n
        assert lit(n * 1000 - 1, 4000, 4) == n - 1


def test_nothing_lights_nothing():
    assert lit(0, 5000, 5) == 0
    assert lit(0, 5, 5) == 0


def test_more_than_the_most_lights_all_and_no_more():
    assert lit(5000, 5000, 5) == 5
    assert lit(5999, 5000, 5) == 5
    assert lit(6000, 5000, 5) == 5
    assert lit(99999, 5, 5) == 5
    assert lit(999999999, 4, 4) == 4


def test_a_most_that_does_not_divide_rounds_nobody_up():
    # LED 1 of 5 at 4999 / 5 = 999.8 W; LED 2 of 4 at 2501.5 W.
    assert [lit(power, 4999, 5) for power in (999, 1000)] == [0, 1]
    assert [lit(power, 5003, 4) for power in (2501, 2502)] == [1, 2]


def test_each_led_lights_from_its_share_on():
    for most in (4, 5, 7, 1234, 5000, 30000):
        for leds in (4, 5):
            for power in range(0, most + most // leds + 2, max(most // 97, 1)):
                expected = len([n for n in range(1, leds + 1) if power * leds >= n * most])
                assert lit(power, most, leds) == expected, (power, most, leds)
