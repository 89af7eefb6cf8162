"""The household in the loop: what the boards switch changes what the meter says."""

from __future__ import annotations

import pytest
from home import Home
from world import World

from dsmrctl.virtual.household import Event

pytestmark = pytest.mark.slow

BOILER_W = 1500
DELAYS = (1, 2, 3)


@pytest.mark.parametrize("delay_s", DELAYS)
@pytest.mark.soak
@pytest.mark.parametrize(("sun_w", "second_too"), [(5000, True), (3300, False)])
def test_two_mini_switches_cascade_by_their_on_delays(
    world: World, delay_s: int, sun_w: int, second_too: bool
):
    script = [Event(0, "load", 300), Event(30, "solar", sun_w, 420)]
    injection = {"mode": "injection", "off_delay_min": 2}
    # Once with an interface board that reads the meter; its frames are the desk's, only slower.
    with Home.scripted(world, script, delay_s=delay_s, interface=delay_s == 2) as home:
        # The heaviest load first, by the shorter delay.
        home.board("miniswitch", "first", 2000, threshold_w=2000, on_delay_min=1, **injection)
        home.board("miniswitch", "second", 1500, threshold_w=1500, on_delay_min=2, **injection)
        home.begin()
        home.run(360)
        on_s = {
            name: next((s.number for s in home.seconds if s.loads[name]), None)
            for name in ("first", "second")
        }
        assert on_s["first"] is not None
        assert 30 + 60 <= on_s["first"] <= 30 + 60 + delay_s + 3
        if second_too:
            # What remains is enough for it: its delay runs on from the sun's start.
            assert on_s["second"] is not None
            assert 30 + 120 <= on_s["second"] <= 30 + 120 + delay_s + 5
        else:
            assert on_s["second"] is None
        # The sun goes: both run out their time, then they go off at the first import.
        home.run(420)
        assert [home.load(name).power_w for name in on_s] == [0, 0]


@pytest.mark.parametrize("delay_s", DELAYS)
@pytest.mark.soak
def test_the_switcher_is_back_at_no_import_within_30_s_of_every_step(world: World, delay_s: int):
    # A coffee, a kettle, a cloud, an oven: every minute something else.
    steps = [0, 1000, -1000, 400, -400, 1400, -700, -700, 250, -250, 90, -90]
    script = [Event(0, "solar", 2000)]
    script += [Event(60 * n, "load", step) for n, step in enumerate(steps) if step]
    with Home.scripted(world, script, delay_s=delay_s, interface=delay_s == 2) as home:
        home.board("switcher", "boiler", BOILER_W, load_w=BOILER_W)
        home.begin()
        home.run(60 * len(steps) + 60)
        worst_s = 0
        for n in range(1, len(steps)):
            minute = home.seconds[60 * n : 60 * n + 59]
            late = [s.number - 60 * n for s in minute if s.net_w >= 30]
            worst_s = max([worst_s, *late])
            # Settled: the same level for the rest of it, and no export that it could have taken.
            levels = {s.loads["boiler"] for s in minute[32:]}
            assert len(levels) <= 1 or max(levels) - min(levels) <= BOILER_W // 50, (n, levels)
            if max(levels) < BOILER_W:
                assert all(-s.net_w < 60 for s in minute[32:]), (n, minute[32:])
        assert worst_s <= 30


def test_a_load_of_another_size_than_the_setting_still_settles(world: World):
    script = [Event(0, "solar", 1500), Event(120, "load", 500)]
    with Home.scripted(world, script, interface=False) as home:
        # The boiler is told to be of 3000 W, and is of 2000 W.
        home.board("switcher", "boiler", 2000, load_w=3000)
        home.begin()
        home.run(240)
        for end in (115, 235):
            assert all(-80 < s.net_w < 30 for s in home.seconds[end - 20 : end])


def test_a_switcher_and_a_mini_switch_share_the_sun(world: World):
    script = [Event(0, "solar", 4000), Event(0, "load", 200)]
    with Home.scripted(world, script, delay_s=2) as home:
        injection = {"mode": "injection", "threshold_w": 2000, "on_delay_min": 1}
        home.board("miniswitch", "pump", 1800, **injection)
        home.board("switcher", "boiler", BOILER_W, load_w=BOILER_W)
        home.begin()
        home.run(200)
        last = home.seconds[-1]
        # 3800 W: the boiler takes 1500, 2300 remain, and the pump takes 1800 of them.
        assert last.loads == {"pump": 1800, "boiler": 1500}
        assert -520 < last.net_w < -480
