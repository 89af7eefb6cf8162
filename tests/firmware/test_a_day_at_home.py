"""A changeable day with a boiler, a pool pump and a car: what the boards make of it.

A part of the day in `make test`, with the desk's frames; in `make soak` the whole day, and an
afternoon with an interface board that reads the meter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from home import Home, Second
from interface_board import SECOND, local
from world import World

from dsmrctl import boards
from dsmrctl.virtual.household import Event, Household

BOILER_W, PUMP_W = 1500, 1000
STEPS = 50
DAY = "2026-06-07"
# An oven before noon, the car after it; whoever lives there does the rest.
SCRIPT = [("10:52", 3400, 1500, 2), ("13:03", 7400, 2700, 3)]
SPANS = [
    pytest.param(("12:50", 3600, False), id="an-hour", marks=pytest.mark.soak),
    pytest.param(("08:00", 8 * 3600, False), id="08-16", marks=pytest.mark.soak),
    pytest.param(("00:00", 24 * 3600, False), id="whole-day", marks=pytest.mark.soak),
    pytest.param(("12:30", 3 * 3600, True), id="interface", marks=pytest.mark.soak),
]


def household(start: str, **options: Any) -> Household:
    """The same people and the same sky each time, from that hour on."""
    begin = local(f"{DAY}T{start}")
    script = [
        Event(int((local(f"{DAY}T{at}") - begin).total_seconds()), "load", watts, length_s, phase)
        for at, watts, length_s, phase in SCRIPT
    ]
    return Household(begin, seed=1, car_w=0, script=script, **options)


@dataclass
class Warnings:
    """The red LED beside the manual's rule, minute by minute of each quarter."""

    home: Home
    threshold_w: int = 2500
    wrong: list[str] = field(default_factory=list)
    quarters: dict[int, list[int]] = field(default_factory=dict)
    ended: dict[int, int] = field(default_factory=dict)
    _expected: bool = False
    _seen: int = 0

    def look(self, second: Second) -> None:
        home, meter = self.home, self.home.meter
        gpio = boards.MONITOR.hardware[0].pins["peak"].gpio
        changes = home.boards["monitor"].changes
        recent = [at for at, pin, _ in changes[-60:] if pin == gpio]
        blinks = sum(at > home.world.clock.now_us - SECOND * 7 // 10 for at in recent) >= 2
        elapsed = meter.time % 900
        quarter = meter.time // 900
        if elapsed == 0:
            self._expected = False
            if meter.last_quarter_w is not None:
                self.ended[quarter - 1] = meter.last_quarter_w
        elif elapsed >= 300 and elapsed % 60 == 0:
            # Wh so far, as if the quarter went on like that; above what the month has cost already?
            threshold_w = max(2500, meter.peak.demand_w)
            self._expected = meter.quarter_w * 900 // elapsed > threshold_w
            if self._expected:
                self.quarters.setdefault(quarter, []).append(elapsed // 60)
        if blinks != self._expected:
            self.wrong.append(f"{elapsed // 60:02}:{elapsed % 60:02} {blinks}")


@pytest.fixture(params=SPANS)
def day(world: World, request: pytest.FixtureRequest) -> Iterator[tuple[Home, int, str]]:
    start, seconds, interface = request.param
    with Home(world, household(start), interface=interface) as home:
        injection = {"mode": "injection", "threshold_w": 1500, "on_delay_min": 3}
        home.board("miniswitch", "pump", PUMP_W, **injection)
        home.board("switcher", "boiler", BOILER_W, load_w=BOILER_W)
        home.board("monitor", "monitor", forecaster="linear")
        home.begin()
        yield home, seconds, start


def test_a_changeable_day(
    day: tuple[Home, int, str], record_property: Callable[[str, object], None]
):
    home, seconds, start = day
    warnings = Warnings(home)
    home.run(seconds, warnings.look)
    boiler_ws = sum(second.loads["boiler"] for second in home.seconds)
    ideal_ws = sum(ideal_w(second) for second in home.seconds)
    reactions = list(runs_of_import(home.seconds))
    record_property("told", told(home, start, boiler_ws, ideal_ws, reactions, warnings))
    assert boiler_ws >= 0.95 * ideal_ws
    assert max(reactions) <= 30
    # In each quarter, at each minute, as the manual's rule says; seconds at which it is judged may
    # show either.
    assert len(warnings.wrong) <= len(warnings.quarters) * 3, warnings.wrong[:20]
    assert any(len(minutes) > 3 for minutes in warnings.quarters.values())
    for board in home.world.boards:
        assert not board.faults
        assert not board.resets


def ideal_w(second: Second) -> int:
    """What a regulator without any delay would give, in the same steps, every second."""
    spare_w = second.loads["boiler"] - second.net_w
    return min(max(spare_w * STEPS // BOILER_W, 0), STEPS) * BOILER_W // STEPS


def runs_of_import(seconds: list[Second]) -> Iterator[int]:
    """How long each import lasted that began, or went on, while the boiler still drew."""
    length = 0
    for second in seconds:
        if second.net_w >= 30 and second.loads["boiler"] > 0:
            length += 1
        elif length:
            yield length
            length = 0


def told(
    home: Home,
    start: str,
    boiler_ws: int,
    ideal_ws: int,
    reactions: list[int],
    warnings: Warnings,
) -> str:
    """What the day was like, for whoever runs it."""
    plain, dark = household(start), household(start, pv_wp=0)
    numbers = [second.number for second in home.seconds]
    without = [plain.at(number).net_w for number in numbers]
    sun_ws = sum(dark.at(number).net_w for number in numbers) - sum(without)
    sent_ws = -sum(min(net, 0) for net in without)
    left_ws = -sum(min(second.net_w, 0) for second in home.seconds)
    taken_ws = sum(max(second.net_w, 0) for second in home.seconds)
    lines = [
        f"{len(numbers) / 3600:g} h from {start}: import {taken_ws / 3.6e6:.2f} kWh "
        f"(without boards {sum(max(net, 0) for net in without) / 3.6e6:.2f}), "
        f"export {left_ws / 3.6e6:.2f} kWh (without {sent_ws / 3.6e6:.2f})",
        f"stored {boiler_ws / 3.6e6:.3f} kWh, {100 * boiler_ws / ideal_ws:.2f} % of an ideal "
        f"regulator; self-consumption {100 * (1 - left_ws / sun_ws):.0f} % "
        f"(without boards {100 * (1 - sent_ws / sun_ws):.0f} %)",
        f"{len(reactions)} imports while the boiler drew: mean "
        f"{sum(reactions) / len(reactions):.1f} s, longest {max(reactions)} s",
        "quarter ended above the threshold: W, first warned at minute, minutes before its end",
    ]
    for quarter, minutes in sorted(warnings.quarters.items()):
        w = warnings.ended.get(quarter)
        lines.append(
            f"  {w} W, :{minutes[0]:02}, {15 - minutes[0]} min; warned {len(minutes)} times"
        )
    lines.append(f"{1000 * home.spent_s / len(numbers):.1f} ms a simulated second")
    return "\n".join(lines)
