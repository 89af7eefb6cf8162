"""Runs on CPython and, by on_micropython.py, on MicroPython."""

from dsmrctl.firmware.core.regulator import Regulator, conducts
from dsmrctl.firmware.core.switch import STEPS


def step(one, net_w, ms=1000):
    """Four frames: import when `net_w` is above 0, export below; the level after them."""
    for _ in range(4):
        one.follow(ms, 1, max(net_w, 0), max(-net_w, 0))
    return one.level


def at(level, load_w=1500):
    one = Regulator()
    one.load_w = load_w
    one.level = level
    return one


def cycles(level):
    return [conducts(level, cycle) for cycle in range(STEPS)]


def test_the_manuals_example():
    one = Regulator()
    assert one.load_w == 1500
    # 2000 W are spare: all of the load, 100 %.
    assert step(one, -2000) == 50
    # 500 W still go out; 1000 W more in the house, 500 W come in: 66 %.
    assert step(one, -500) == 50
    assert step(one, 500) * 2 == 66
    # 990 W of the 1000: what is left is less than a step.
    assert step(one, -10) * 2 == 66


def test_the_load_gets_what_would_be_exported():
    assert step(at(0), -750) == 25
    assert step(at(25), -300) == 35
    assert step(at(25), 300) == 15
    assert step(at(25, 3000), -600) == 35
    assert step(at(25, 500), 100) == 15
    assert step(at(25), 0) == 25


def test_import_and_export_at_once_are_set_off():
    one = at(10)
    for _ in range(4):
        one.follow(1000, 1, 300, 600)
    assert one.level == 20


def test_it_stays_between_nothing_and_all():
    assert step(at(49), -9000) == 50
    assert step(at(1), 9000) == 0
    assert step(at(50), -9000) == 50
    assert step(at(0), 9000) == 0


def test_a_step_only_every_four_seconds():
    one = Regulator()
    levels = []
    for _ in range(13):
        one.follow(1000, 1, 0, 300)
        levels.append(one.level)
    assert levels == [0, 0, 0, 10, 10, 10, 10, 20, 20, 20, 20, 30, 30]


def test_four_frames_that_come_a_little_early_are_four_seconds():
    for ms in (880, 1000, 1150):
        one = Regulator()
        levels = []
        for _ in range(8):
            one.follow(ms, 1, 0, 300)
            levels.append(one.level)
        assert levels == [0, 0, 0, 10, 10, 10, 10, 20], ms


def test_after_a_gap_there_is_one_step_not_several():
    one = Regulator()
    one.follow(9000, 1, 0, 300)
    assert one.level == 10
    one.follow(1000, 1, 0, 300)
    assert one.level == 10


def test_what_is_less_than_a_step_goes_out_and_nothing_comes_in():
    # A step of 1500 W is 30 W.
    assert step(at(20), -29) == 20
    assert step(at(20), -30) == 21
    assert step(at(20), -59) == 21
    assert step(at(20), 1) == 19
    assert step(at(20), 30) == 19
    assert step(at(20), 31) == 18


def test_the_tariff_does_not_matter():
    one = at(0)
    for tariff in (1, 2, 1, 2):
        one.follow(1000, tariff, 0, 300)
    assert one.level == 10


def test_cleared_it_is_off_and_the_next_step_comes_after_four_seconds():
    one = Regulator()
    assert (one.level, one.ms) == (0, 0)
    step(one, -300)
    for _ in range(3):
        one.follow(1000, 1, 0, 300)
    one.clear()
    assert one.level == 0
    for _ in range(3):
        one.follow(1000, 1, 0, 300)
        assert one.level == 0
    one.follow(1000, 1, 0, 300)
    assert one.level == 10


def test_behind_a_meter_that_is_late_it_settles_within_30_seconds():
    for delay_s in (1, 2, 3):
        one = Regulator()
        nets = []
        for second in range(120):
            # 2000 W of sun; 300 W in the house, and after a minute 1300.
            house = 300 if second < 60 else 1300
            shown = nets[-delay_s] if len(nets) >= delay_s else 0
            one.follow(1000, 1, max(shown, 0), max(-shown, 0))
            nets.append(house + 1500 * one.level // STEPS - 2000)
        assert nets[30:60] == [-200] * 30, delay_s
        assert nets[90:] == [-10] * 30, delay_s


def test_so_many_cycles_of_a_second_heat_as_the_level_says():
    for level in range(STEPS + 1):
        assert sum(cycles(level)) == level
    assert cycles(0) == [False] * 50
    assert cycles(50) == [True] * 50


def test_the_cycles_are_spread_evenly():
    assert cycles(25) == [False, True] * 25
    assert cycles(10) == [False, False, False, False, True] * 10
    assert cycles(40) == [False, True, True, True, True] * 10
    for level in range(1, STEPS):
        # Over the second's end too.
        heat = [cycle for cycle, on in enumerate(cycles(level) * 2) if on]
        waits = [heat[n] - heat[n - 1] for n in range(1, len(heat))]
        assert max(waits) - min(waits) <= 1, level
