"""The mini switch: each sentence of what it does, on the booted image, by frames and its pins."""

from __future__ import annotations

from itertools import pairwise

import pytest
from acting_board import SECOND, Acting
from world import SSID, World

# Not in the inner loop: its rules are (tests/core/test_switch.py).
pytestmark = pytest.mark.slow

INJECTION = {"mode": "injection", "threshold_w": 1000, "on_delay_min": 1, "off_delay_min": 10}
KINDS = ("esp01-relay", "sonoff-basic", "sonoff-rfr2")


@pytest.mark.parametrize("hardware", KINDS)
def test_a_tariff_switch_is_on_exactly_while_the_meters_tariff_is_2(world: World, hardware: str):
    with Acting(world, "miniswitch", hardware=hardware) as switch:
        assert not switch.on("relay")
        for tariff in (1, 2, 2, 1, 2):
            switch.frames(tariff=tariff, export_w=5000)
            assert switch.on("relay") == (tariff == 2)
        assert switch.status()["reason"] == "tariff"


@pytest.mark.parametrize("hardware", KINDS)
def test_its_relay_rests_from_power_on_until_a_rule_says_otherwise(world: World, hardware: str):
    with Acting(world, "miniswitch", hardware=hardware, online=False) as switch:
        world.clock.run(60)
        assert not any(on for _, on in switch.changes("relay"))
        assert not switch.on("relay")
        assert switch.status() | {"reason": "silent", "output": 0} == switch.status()


def test_an_export_at_the_threshold_switches_on_after_the_on_delay(world: World):
    with Acting(world, "miniswitch", settings=INJECTION) as switch:
        switch.frames(30, export_w=1000)
        assert not switch.on("relay")
        told = switch.status()
        assert (told["reason"], told["output"]) == ("waiting", 0)
        assert 28 <= told["timer_s"] <= 31
        began = world.clock.now_us
        switch.frames(35, export_w=1000)
        ((after_s, on),) = switch.changes("relay", began)
        assert on
        assert 28 <= after_s <= 31
        assert switch.status()["output"] == 100


def test_a_break_of_the_export_restarts_the_on_delay(world: World):
    with Acting(world, "miniswitch", settings=INJECTION) as switch:
        switch.frames(58, export_w=1000)
        switch.frames(1, export_w=999)
        assert switch.status()["reason"] == "below"
        switch.frames(60, export_w=1000)
        assert not switch.on("relay")
        switch.frames(2, export_w=1000)
        assert switch.on("relay")


def test_once_on_it_stays_on_for_the_off_delay_whatever_happens(world: World):
    with Acting(world, "miniswitch", settings={**INJECTION, "off_delay_min": 2}) as switch:
        switch.frames(62, export_w=1500)
        assert switch.on("relay")
        switch.frames(110, import_w=4000)
        assert switch.on("relay")
        assert switch.status()["reason"] == "minimum"
        switch.frames(12, import_w=4000)
        assert not switch.on("relay")


def test_after_the_off_delay_it_stays_on_until_there_is_import(world: World):
    with Acting(world, "miniswitch", settings={**INJECTION, "off_delay_min": 1}) as switch:
        switch.frames(130, export_w=1500)
        switch.frames(60, export_w=10)
        # Neither import nor export: it stays on.
        switch.frames(60)
        assert switch.on("relay")
        assert switch.status()["reason"] == "export"
        switch.frames(1, import_w=1)
        assert not switch.on("relay")


@pytest.mark.parametrize("settings", [{}, {**INJECTION, "on_delay_min": 0}])
def test_ten_seconds_without_a_frame_and_it_is_off(world: World, settings: dict[str, object]):
    with Acting(world, "miniswitch", settings=settings) as switch:
        switch.frames(3, tariff=2, export_w=3000)
        assert switch.on("relay")
        last = world.clock.now_us - SECOND
        switch.silence(8.9)
        assert switch.on("relay")
        switch.silence(5)
        ((after_s, on),) = switch.changes("relay", last)
        assert not on
        assert 10 < after_s <= 10.5
        assert switch.status()["reason"] == "silent"
        # The first frame brings the normal function back.
        switch.frames(1, tariff=2, export_w=3000)
        assert switch.on("relay")


def test_after_a_silence_the_on_delay_begins_anew(world: World):
    with Acting(world, "miniswitch", settings=INJECTION) as switch:
        switch.frames(50, export_w=1500)
        switch.silence(12)
        switch.frames(59, export_w=1500)
        assert not switch.on("relay")
        switch.frames(3, export_w=1500)
        assert switch.on("relay")


def test_another_mode_switches_off_and_clears_the_delays(world: World):
    with Acting(world, "miniswitch", settings={**INJECTION, "on_delay_min": 0}) as switch:
        switch.frames(3, export_w=1500)
        assert switch.on("relay")
        switch.set(mode="tariff")
        assert not switch.on("relay")
        switch.set(mode="injection", on_delay_min=1)
        switch.frames(58, export_w=1500)
        assert not switch.on("relay")
        switch.frames(5, export_w=1500)
        assert switch.on("relay")


def test_settings_hold_from_the_next_frame_on_and_change_nothing_else(world: World):
    with Acting(world, "miniswitch", settings={**INJECTION, "off_delay_min": 0}) as switch:
        switch.frames(62, export_w=1500)
        switch.set(threshold_w=5000, name="boiler")
        switch.frames(5, export_w=1500)
        assert switch.on("relay")
        switch.frames(1, import_w=5)
        switch.frames(80, export_w=1500)
        assert not switch.on("relay")


def test_by_hand_for_a_while_then_back_to_the_rule(world: World):
    with Acting(world, "miniswitch") as switch:
        switch.frames(2, tariff=1)
        assert switch.hand(100, 2) == 200
        assert switch.on("relay")
        switch.frames(60, tariff=1)
        told = switch.status()
        assert (told["reason"], told["hand"], told["output"]) == ("hand", 100, 100)
        assert 55 <= told["timer_s"] <= 61
        # The ten seconds without a frame do not end it.
        switch.silence(40)
        assert switch.on("relay")
        switch.silence(25)
        assert not switch.on("relay")
        switch.frames(1, tariff=2)
        assert switch.on("relay")
        assert switch.hand(0, 240) == 200
        assert not switch.on("relay")
        switch.frames(5, tariff=2)
        assert not switch.on("relay")
        assert switch.hand(None) == 200
        assert switch.on("relay")
        assert switch.status()["hand"] is None


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"level": 50}, 422, "level"),
        ({"level": 101}, 422, "level"),
        ({"level": True}, 422, "level"),
        ({"level": "100"}, 422, "level"),
        ({"level": 100, "minutes": 0}, 422, "minutes"),
        ({"level": 100, "minutes": 241}, 422, "minutes"),
        ({"minutes": 5}, 400, None),
        ([1], 400, None),
        (b"{", 400, None),
    ],
)
def test_what_no_relay_can_do_is_refused_and_nothing_happens(world: World, body, status, field):
    with Acting(world, "miniswitch") as switch:
        answer = world.ask(switch.board, "PUT", "/api/output", body)
        assert (answer.status, answer.json().get("field")) == (status, field)
        assert answer.json()["error"]
        assert not switch.on("relay")


def test_a_sonoffs_led_blinks_three_times_then_tells_how_it_is(world: World):
    with Acting(world, "miniswitch", hardware="sonoff-basic", online=False) as switch:
        world.clock.run(3.6)
        begins = [at for at, on in switch.changes("led") if on]
        lit = switch.changes("led")[:7]
        assert [on for _, on in lit[-6:]] == [True, False] * 3
        steps = [round(b[0] - a[0], 2) for a, b in pairwise(lit[-6:])]
        assert all(abs(step - 0.2) < 0.03 for step in steps), steps
        # No data: half a second on, half a second off, for ever.
        world.online(switch.board)
        since = world.clock.now_us
        world.clock.run(10)
        begins = [at for at, on in switch.changes("led", since) if on]
        assert 9 <= len(begins) <= 11
        assert all(abs(b - a - 1) < 0.06 for a, b in pairwise(begins))
        switch.frames(2, tariff=2)
        assert switch.on("led")
        since = world.clock.now_us
        switch.frames(5, tariff=2)
        assert not switch.changes("led", since)
        switch.frames(2, tariff=1)
        assert not switch.on("led")
        since = world.clock.now_us
        assert world.ask(switch.board, "POST", "/api/identify").status == 200
        switch.frames(10, tariff=1)
        assert len(switch.changes("led", since)) > 15
        switch.frames(3, tariff=1)
        assert not switch.on("led")


def test_two_side_by_side_have_names_and_outputs_of_their_own(world: World):
    with (
        Acting(world, "miniswitch", settings={"name": "pump"}) as one,
        Acting(world, "miniswitch", number=3, where=one.where, settings=INJECTION) as other,
    ):
        world.clock.run(5)
        told = [world.ask(each.board, "GET", "/api/info").json() for each in (one, other)]
        assert [each["host"] for each in told] == ["dsmr_minisw.local", "dsmr_minisw-2.local"]
        assert told[0]["name"] == "pump"
        assert told[1]["name"] != "pump"
        one.frames(62, tariff=1, export_w=1200)
        assert (one.on("relay"), other.on("relay")) == (False, True)
        one.frames(1, tariff=2, export_w=1200)
        assert (one.on("relay"), other.on("relay")) == (True, True)


def test_a_clock_set_back_switches_nothing(world: World):
    with Acting(world, "miniswitch", settings=INJECTION, at_s=1800) as switch:
        for back_s in (10, 61, 3599):
            switch.frames(20, export_w=1500)
            switch.at_s -= back_s
        switch.frames(3, export_w=1500)
        assert switch.on("relay")


def test_a_fault_in_the_firmware_switches_off_before_the_restart(world: World):
    broken = b"def answer(board, what, *more):\n    if what == 'stop':\n        1 // 0\n"
    with Acting(world, "miniswitch", more={"a/mdns.py": broken}) as switch:
        switch.frames(2, tariff=2)
        assert switch.on("relay")
        since = world.clock.now_us
        world.air.off(SSID)
        world.clock.run(6)
        assert b"ZeroDivisionError" in switch.board.files()["crash.txt"]
        ((reset_us, _),) = switch.board.resets
        (after_s, on), *_ = switch.changes("relay", since)
        assert not on
        assert after_s < 0.5 < (reset_us - since) / SECOND
