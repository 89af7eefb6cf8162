"""The monitor: each sentence of what its LEDs say, on the booted image, by frames and its pins."""

from __future__ import annotations

import itertools

import pytest
from acting_board import SECOND, Acting
from world import SSID, World

pytestmark = pytest.mark.slow

EXPORT = [f"export{n}" for n in range(1, 6)]
IMPORT = [f"import{n}" for n in range(1, 5)]
ALL = [*EXPORT, *IMPORT, "peak", "status"]


def lit(monitor: Acting) -> tuple[int, int]:
    """How many of the export's and the import's bar; a gap in a bar fails."""
    bars = []
    for names in (EXPORT, IMPORT):
        on = [monitor.on(name) for name in names]
        assert on == sorted(on, reverse=True)
        bars.append(sum(on))
    return bars[0], bars[1]


def test_at_its_start_one_led_after_the_other_is_tested(world: World):
    with Acting(world, "monitor", online=False) as monitor:
        world.clock.run(6)
        first = {}
        for name in ALL:
            # The serial line, on which two of them hang, is let go after two seconds.
            (on_s, _), (off_s, _), *_ = monitor.changes(name, 2_000_000)
            first[name] = on_s
            assert abs(off_s - on_s - 0.2) < 0.05, name
        assert list(first) == sorted(first, key=lambda name: first[name])
        gaps = [first[b] - first[a] for a, b in itertools.pairwise(ALL)]
        assert all(abs(gap - 0.2) < 0.05 for gap in gaps), gaps


def test_while_there_is_no_network_the_red_led_is_on_and_all_else_dark(world: World):
    with Acting(world, "monitor", wifi=None, online=False) as monitor:
        world.clock.run(25)
        assert monitor.board.access_point == "AutoConnectAP"
        assert [name for name in ALL if monitor.on(name)] == ["peak"]
        assert not monitor.changes("peak", world.clock.now_us - 15 * SECOND)


def test_connected_the_blue_led_is_on_and_the_red_one_off(world: World):
    with Acting(world, "monitor") as monitor:
        monitor.frames(3)
        since = world.clock.now_us
        monitor.frames(15)
        assert [name for name in ALL if monitor.on(name)] == ["status"]
        assert not monitor.changes("status", since)
        assert monitor.status() | {"status_led": "on", "peak_led": "off"} == monitor.status()


def test_without_frames_for_ten_seconds_the_blue_led_blinks_and_the_bars_are_dark(world: World):
    with Acting(world, "monitor") as monitor:
        monitor.frames(5, export_w=5000, tariff=1)
        assert lit(monitor) == (5, 0)
        last = world.clock.now_us - SECOND
        monitor.silence(8.5)
        assert lit(monitor) == (5, 0)
        monitor.silence(11.5)
        assert lit(monitor) == (0, 0)
        assert 10 < monitor.changes("export5", last)[0][0] <= 10.6
        steps = [at for at, _ in monitor.changes("status", last)][1:]
        assert all(abs(b - a - 0.5) < 0.06 for a, b in itertools.pairwise(steps))
        assert len(steps) >= 15
        assert not monitor.on("peak")
        monitor.frames(1, import_w=4000)
        assert lit(monitor) == (0, 4)


def test_a_network_that_is_lost_is_told_by_the_red_led(world: World):
    with Acting(world, "monitor") as monitor:
        monitor.frames(3, export_w=3000)
        world.air.off(SSID)
        world.clock.run(3)
        assert [name for name in ALL if monitor.on(name)] == ["peak"]


@pytest.mark.parametrize(
    ("settings", "export_w", "import_w", "bars"),
    [
        # At 5000 W each export LED stands for 1000 W.
        ({}, 0, 0, (0, 0)),
        ({}, 999, 0, (0, 0)),
        ({}, 1000, 0, (1, 0)),
        ({}, 4999, 0, (4, 0)),
        ({}, 5000, 0, (5, 0)),
        ({}, 60000, 0, (5, 0)),
        ({}, 0, 999, (0, 0)),
        ({}, 0, 1000, (0, 1)),
        ({}, 0, 4000, (0, 4)),
        ({}, 0, 99999, (0, 4)),
        ({"max_export_w": 2500}, 499, 0, (0, 0)),
        ({"max_export_w": 2500}, 500, 0, (1, 0)),
        ({"max_import_w": 9200}, 0, 2299, (0, 0)),
        ({"max_import_w": 9200}, 0, 2300, (0, 1)),
        ({"max_export_w": 7}, 3, 0, (2, 0)),
    ],
)
def test_the_bars_grow_with_the_power(world: World, settings, export_w, import_w, bars):
    with Acting(world, "monitor", settings=settings) as monitor:
        monitor.frames(2, export_w=export_w, import_w=import_w)
        assert lit(monitor) == bars
        told = monitor.status()
        assert (told["export_leds"], told["import_leds"]) == bars


def test_settings_hold_from_the_next_frame_on(world: World):
    with Acting(world, "monitor") as monitor:
        monitor.frames(2, export_w=2000)
        assert lit(monitor) == (2, 0)
        monitor.set(max_export_w=2000)
        monitor.frames(1, export_w=2000)
        assert lit(monitor) == (5, 0)


def test_the_red_led_blinks_from_minute_five_when_the_quarter_becomes_a_peak(world: World):
    with Acting(world, "monitor", at_s=890) as monitor:
        monitor.frames(10, import_w=4000)
        # Until :05:00 nobody judges.
        monitor.frames(300, import_w=4000)
        assert not monitor.on("peak")
        assert monitor.status()["forecast_w"] is None
        monitor.frames(2, import_w=4000)
        told = monitor.status()
        assert (told["peak_led"], told["threshold_w"]) == ("blink", 2500)
        assert abs(told["forecast_w"] - 4000) < 50
        since = world.clock.now_us
        monitor.frames(20, import_w=4000)
        steps = [at for at, _ in monitor.changes("peak", since)]
        assert all(abs(b - a - 0.25) < 0.04 for a, b in itertools.pairwise(steps))
        assert len(steps) > 70


def test_switching_something_off_shows_at_the_next_minute(world: World):
    with Acting(world, "monitor", at_s=900, settings={"forecaster": "power"}) as monitor:
        monitor.frames(320, import_w=4000)
        assert monitor.status()["peak_led"] == "blink"
        monitor.frames(38)
        assert monitor.status()["peak_led"] == "blink"  # judged once a minute
        monitor.frames(3)
        assert monitor.status()["peak_led"] == "off"
        since = world.clock.now_us
        monitor.frames(10)
        assert not monitor.changes("peak", since)


def test_at_each_quarters_start_the_red_led_goes_off(world: World):
    with Acting(world, "monitor", at_s=900) as monitor:
        monitor.frames(899, import_w=6000)
        assert monitor.status()["peak_led"] == "blink"
        monitor.frames(2, import_w=6000)
        told = monitor.status()
        assert (told["peak_led"], told["forecast_w"]) == ("off", None)
        assert abs(told["last_quarter_w"] - 6000) <= 12


@pytest.mark.parametrize(
    ("manual_w", "month_peak_w", "threshold_w"),
    [(0, 0, 2500), (3000, 0, 3000), (3000, 2800, 3000), (2500, 4100, 4100), (0, 1200, 2500)],
)
def test_the_threshold_is_the_highest_of_the_manual_one_the_months_and_2500_w(
    world: World, manual_w: int, month_peak_w: int, threshold_w: int
):
    with Acting(world, "monitor", settings={"peak_threshold_w": manual_w}, at_s=900) as monitor:
        monitor.frames(2, month_peak_w=month_peak_w)
        told = monitor.status()
        assert told["threshold_w"] == threshold_w
        assert told["month_peak_w"] == (month_peak_w or None)


def test_a_forecast_at_the_threshold_is_no_peak(world: World):
    settings = {"peak_threshold_w": 3000, "forecaster": "linear"}
    with Acting(world, "monitor", settings=settings, at_s=900) as monitor:
        monitor.frames(301, quarter_w=999)
        assert monitor.status()["forecast_w"] == 2997
        monitor.frames(60, quarter_w=1200)
        assert monitor.status() | {"forecast_w": 3000, "peak_led": "off"} == monitor.status()
        monitor.frames(60, quarter_w=1401)
        assert monitor.status() | {"forecast_w": 3002, "peak_led": "blink"} == monitor.status()


def test_with_older_frames_it_waits_for_the_next_quarter(world: World):
    with Acting(world, "monitor", at_s=900 + 400) as monitor:
        monitor.frames(420, import_w=6000, version=1)
        assert monitor.status()["forecast_w"] is None
        monitor.frames(385, import_w=6000, version=1)
        told = monitor.status()
        assert told["peak_led"] == "blink"
        assert abs(told["forecast_w"] - 6000) < 60
        assert told["month_peak_w"] is None


def test_a_clock_set_back_neither_warns_nor_forgets(world: World):
    with Acting(world, "monitor", at_s=900) as monitor:
        monitor.frames(330, import_w=4000)
        monitor.at_s -= 10
        monitor.frames(15, import_w=4000)
        assert monitor.status()["peak_led"] == "blink"
        # Ten minutes back is another time: what the quarter had is not known any more.
        monitor.at_s -= 600
        monitor.frames(5, import_w=4000, version=1)
        assert monitor.status() | {"peak_led": "off", "quarter_w": None} == monitor.status()


def test_an_hour_without_frames_is_no_quarter(world: World):
    with Acting(world, "monitor", at_s=900) as monitor:
        monitor.frames(10, import_w=4000, version=1)
        monitor.silence(3600)
        monitor._ws += 4000 * 3600
        monitor.frames(400, import_w=500, version=1)
        assert monitor.status()["forecast_w"] is None
        assert monitor.status()["peak_led"] == "off"


def test_all_leds_blink_for_someone_who_looks_for_it(world: World):
    with Acting(world, "monitor") as monitor:
        monitor.frames(2, export_w=2500)
        since = world.clock.now_us
        assert world.ask(monitor.board, "POST", "/api/identify").status == 200
        monitor.frames(12, export_w=2500)
        assert all(len(monitor.changes(name, since)) > 15 for name in ALL)
        monitor.frames(1, export_w=2500)
        assert lit(monitor) == (2, 0)
        assert monitor.on("status")


def test_a_restart_in_mid_quarter_forecasts_on_by_newer_frames(world: World):
    with Acting(world, "monitor", at_s=900) as monitor:
        monitor.frames(360, quarter_w=3000)
        monitor.restart()
        monitor.frames(65, quarter_w=3500)
        assert monitor.status()["peak_led"] == "blink"


def test_what_a_foreign_frame_has_more_is_no_peak(world: World):
    # The manual's newer firmware: seven elements, then others in an order that is not public.
    with Acting(world, "monitor", at_s=900) as monitor:
        for second in range(301):
            at = f"{15 + second // 60},{second % 60}"
            monitor.send(b'{"dsmr":[1301,0,3600,0,1,%s,50000,30000,9000]}' % at.encode())
        told = monitor.status()
        assert told | {"month_peak_w": None, "threshold_w": 2500, "peak_led": "off"} == told
        assert told["import_leds"] == 3
