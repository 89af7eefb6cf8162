"""The switcher: burst firing by a zero crossing, its rules and its display, on the booted image."""

from __future__ import annotations

import itertools

import pytest
from acting_board import SECOND, Acting
from world import World

from dsmrctl.virtual.oled import Display

pytestmark = pytest.mark.slow

HARDWARE = ("dimmer-v1", "dimmer-v1-d2", "dimmer-v2")
HALF_US = 10_000


def powered(switcher: Acting, **mains: int | bool) -> Acting:
    pins = switcher.hardware.pins
    switcher.board.mains(pins["zero_cross"].gpio, pins["gate"].gpio, **mains)  # pyright: ignore[reportArgumentType]
    switcher.world.clock.run(1)
    return switcher


@pytest.mark.parametrize("hardware", HARDWARE)
def test_the_manuals_example(world: World, hardware: str):
    # A boiler of 1500 W and 2000 W to spare: all of it. Then 1000 W more in the house: 66 %.
    with Acting(world, "switcher", hardware=hardware) as switcher:
        powered(switcher)
        switcher.frames(5, export_w=2000)
        assert switcher.status() | {"output": 100, "reason": "proportional"} == switcher.status()
        world.clock.run(1)
        assert switcher.board.conducted == (50, 50)
        switcher.frames(4, export_w=500)
        assert switcher.status()["output"] == 100
        switcher.frames(8, import_w=500)
        assert switcher.status()["output"] in (32, 66)
        switcher.frames(20)
        world.clock.run(1)
        level = switcher.status()["output"]
        assert sum(switcher.board.conducted) == level


@pytest.mark.parametrize("percent", [0, 2, 10, 34, 50, 66, 98, 100])
def test_whole_cycles_of_the_mains_are_spread_evenly_over_a_second(world: World, percent: int):
    with Acting(world, "switcher", settings={"mode": "tariff"}) as switcher:
        powered(switcher, loud=True)
        assert switcher.hand(percent) == 200
        world.clock.run(2)
        since = (world.clock.now_us // SECOND + 1) * SECOND
        world.clock.run(3)
        gate = switcher.hardware.pins["gate"].gpio
        pulses = []
        rose = None
        for at, gpio, level in switcher.board.changes:
            if gpio == gate and since <= at < since + SECOND:
                if level:
                    rose = at
                elif rose is not None:
                    pulses.append((rose, at - rose))
        # A pulse in each half cycle that shall conduct, long enough for a triac, and short.
        assert len(pulses) == percent
        assert all(300 <= length <= 1000 for _, length in pulses)
        halves = [(at - since) // HALF_US for at, _ in pulses]
        # In pairs of opposite halves, so that no direct current flows.
        assert all(b - a == 1 for a, b in zip(halves[::2], halves[1::2], strict=True))
        cycles = [half // 2 for half in halves[::2]]
        gaps = {b - a for a, b in itertools.pairwise(cycles)}
        assert max(gaps, default=0) - min(gaps, default=0) <= 1
        assert switcher.board.conducted == (percent // 2, percent // 2)


@pytest.mark.parametrize("late_us", [50, 750, 5000])
def test_late_interrupts_still_make_whole_cycles(world: World, late_us: int):
    with Acting(world, "switcher") as switcher:
        powered(switcher, late_us=late_us)
        assert switcher.hand(40) == 200
        world.clock.run(4)
        assert switcher.board.conducted == (20, 20)


def test_without_zero_crossings_the_gate_is_off(world: World):
    with Acting(world, "switcher") as switcher:
        powered(switcher)
        switcher.frames(6, export_w=5000)
        assert sum(switcher.board.conducted) == 100
        assert switcher.status()["mains"] is True
        switcher.board.mains_off()
        switcher.frames(3, export_w=5000)
        assert not switcher.on("gate")
        assert switcher.board.conducted == (0, 0)
        assert switcher.status() | {"mains": False, "output": 100} == switcher.status()
        powered(switcher)
        switcher.frames(3, export_w=5000)
        assert sum(switcher.board.conducted) == 100


def test_ten_seconds_without_a_frame_and_nothing_heats(world: World):
    with Acting(world, "switcher") as switcher:
        powered(switcher)
        switcher.frames(6, export_w=5000)
        switcher.silence(8)
        assert sum(switcher.board.conducted) == 100
        switcher.silence(4)
        assert switcher.board.conducted == (0, 0)
        assert switcher.status() | {"output": 0, "reason": "silent"} == switcher.status()
        switcher.frames(6, export_w=5000)
        assert sum(switcher.board.conducted) == 100


def test_a_loop_that_hangs_heats_a_second_longer_at_most(world: World):
    # What the display needs never comes back: the watchdog bites after five seconds.
    hangs = b"""
def answer(board, show):
    while show:
        pass
    return True
"""
    with Acting(world, "switcher", more={"a/oled.py": hangs}, online=False) as switcher:
        switcher.board._patience_s = 1.0
        powered(switcher)
        world.clock.run(30)
        assert switcher.board.resets
        assert not any(on for _, on in switcher.changes("gate"))


def test_a_restart_takes_the_output_with_it(world: World):
    with Acting(world, "switcher") as switcher:
        powered(switcher)
        assert switcher.hand(100) == 200
        world.clock.run(3)
        assert sum(switcher.board.conducted) == 100
        switcher.restart()
        world.clock.run(2)
        assert switcher.board.conducted == (0, 0)


def test_as_a_switch_it_does_what_a_mini_switch_does(world: World):
    settings = {"mode": "injection", "threshold_w": 2000, "on_delay_min": 0, "off_delay_min": 1}
    with Acting(world, "switcher", settings=settings) as switcher:
        powered(switcher)
        switcher.frames(3, export_w=2000)
        assert sum(switcher.board.conducted) == 100
        assert switcher.status()["reason"] == "minimum"
        switcher.frames(50, import_w=500)
        assert sum(switcher.board.conducted) == 100
        switcher.frames(15, import_w=500)
        assert switcher.board.conducted == (0, 0)
        switcher.set(mode="tariff")
        switcher.frames(3, tariff=2)
        assert sum(switcher.board.conducted) == 100


def test_another_mode_switches_off(world: World):
    with Acting(world, "switcher") as switcher:
        powered(switcher)
        switcher.frames(6, export_w=5000)
        switcher.set(mode="injection")
        assert switcher.status()["output"] == 0
        switcher.set(mode="proportional")
        assert switcher.status()["output"] == 0


def test_any_percent_by_hand_is_a_step_of_one_fiftieth(world: World):
    with Acting(world, "switcher") as switcher:
        powered(switcher)
        for asked, given in ((41, 40), (1, 0), (99, 98)):
            assert switcher.hand(asked, 5) == 200
            world.clock.run(3)
            assert switcher.status() | {"output": given, "hand": given} == switcher.status()
            assert sum(switcher.board.conducted) == given
        assert switcher.hand(101) == 422


def test_the_display_says_what_the_output_does(world: World):
    with Acting(world, "switcher", online=False) as switcher:
        display = Display()
        switcher.board.plug(display)
        switcher.board.power_off()
        switcher.board.power_on()
        powered(switcher)
        world.online(switcher.board)
        switcher.frames(12, export_w=2000)
        assert display.lit
        assert not display.unknown
        before = display.pixels()
        assert sum(map(sum, before)) > 200
        switcher.frames(12, import_w=3000)
        assert display.pixels() != before
        # Nobody has to look: a display that is pulled out stops nothing.
        switcher.board.plug(None)
        switcher.frames(15, export_w=3000)
        assert switcher.status()["output"] == 100
        assert not switcher.board.resets


def test_without_a_display_all_else_works(world: World):
    with Acting(world, "switcher") as switcher:
        powered(switcher)
        switcher.frames(10, export_w=700)
        assert 40 <= switcher.status()["output"] <= 100
        assert not switcher.board.faults
