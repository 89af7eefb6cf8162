"""The household: one seed one house, segments without holes, scripts and switched loads exact."""

from __future__ import annotations

import hashlib
import math
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from bookkeeping import brussels, local
from hypothesis import given, settings
from hypothesis import strategies as st

from dsmrctl import belgian_time
from dsmrctl.virtual import weather
from dsmrctl.virtual.household import Event, Household, Segment

# Together they take longer than the inner loop has.
pytestmark = pytest.mark.slow

START = datetime(2026, 6, 14, tzinfo=UTC)
DAY = 86400

events = st.builds(
    Event,
    at_s=st.integers(0, 3000),
    kind=st.sampled_from(("load", "solar", "gas", "water")),
    amount=st.integers(0, 11000),
    length_s=st.none() | st.integers(1, 2000),
    phase=st.integers(0, 3),
)


def solar_day(day: date, peak_w: int = 5000) -> int:
    midnight = belgian_time.midnight(day.toordinal())
    steps = weather.solar_steps(1, day.toordinal(), midnight, peak_w, peak_w)
    return sum((until - at) * watts for at, until, watts in steps)


# One seed, one house


@pytest.mark.slow
def test_the_same_seed_is_the_same_house_on_every_computer_and_python() -> None:
    digest = hashlib.sha256()
    for day in ((2026, 6, 14), (2026, 3, 28), (2026, 12, 30)):
        start = datetime(*day, tzinfo=UTC)
        for household in (
            Household(start, 7),
            Household(start, 7, car_w=11000, pv_wp=9000, gas=False, water_heater=True),
        ):
            for segment in household.segments(0, 3 * DAY):
                digest.update(repr(tuple(segment)).encode())
    assert digest.hexdigest() == "e4bb65dd56075ed33bc26323f4f39ed2f858ded8ff29936cd52eeb5f968c8fa8"


def test_another_seed_is_another_house() -> None:
    houses = [list(Household(START, seed).segments(0, DAY)) for seed in range(5)]
    assert all(one != other for one, other in pairwise(houses))


def test_a_second_is_the_same_whenever_the_house_begins_and_whatever_its_offset() -> None:
    early = Household(START - timedelta(days=2, seconds=77))
    there = Household(START.astimezone(timezone(timedelta(hours=-5))))
    house = Household(START)
    for second in range(0, DAY, 997):
        expected = house.at(second)[1:]
        assert early.at(second + 2 * DAY + 77)[1:] == expected
        assert there.at(second)[1:] == expected


@settings(max_examples=12)
@given(seed=st.integers(0, 2**40), day=st.integers(0, 800), data=st.data())
def test_seconds_asked_for_in_any_order_are_those_of_the_segments(
    seed: int, day: int, data: st.DataObject
) -> None:
    house = Household(START + timedelta(days=day), seed)
    first = data.draw(st.integers(-DAY, DAY))
    segments = list(house.segments(first, first + 20_000))
    assert segments[0].start_s == first
    assert segments[-1].end_s == first + 20_000
    assert all(one.end_s == next_.start_s for one, next_ in pairwise(segments))
    assert all(segment.start_s < segment.end_s for segment in segments)
    assert all(type(value) is int for segment in segments for value in segment)
    other = Household(START + timedelta(days=day), seed)
    for segment in data.draw(st.permutations(segments[:: len(segments) // 8])):
        for second in (segment.end_s - 1, segment.start_s):
            assert other.at(second) == (second, *segment[2:])


def test_a_start_without_an_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="offset"):
        Household(datetime(2026, 6, 14))
    with pytest.raises(ValueError, match="7400"):
        Household(START, car_w=3700)


# What lives in it


def test_nothing_flows_the_wrong_way() -> None:
    for seed in range(5):
        for segment in Household(START, seed, pv_wp=0).segments(0, 5 * DAY):
            assert min(segment[2:]) >= 0


@pytest.mark.parametrize(("car_w", "phases"), [(7400, (0, 0, 7400)), (11000, (3666, 3666, 3666))])
def test_a_car_charges_in_the_evening_on_its_phases(
    car_w: int, phases: tuple[int, int, int]
) -> None:
    with_car = Household(START, pv_wp=0, car_w=car_w)
    without = Household(START, pv_wp=0, car_w=0)
    hours = set()
    for second in range(0, 14 * DAY, 60):
        more = [
            a - b for a, b in zip(with_car.at(second)[1:4], without.at(second)[1:4], strict=True)
        ]
        if sum(more) > car_w // 2:
            assert tuple(more) == phases
            hours.add((second // 3600 + 2) % 24)
    assert {20, 21} <= hours <= {17, 18, 19, 20, 21, 22, 23, 0, 1}


def test_panels_follow_the_sun() -> None:
    house = Household(START, car_w=0)
    dark = Household(START, car_w=0, pv_wp=0)
    given_w = [
        sum(dark.at(second)[1:4]) - sum(house.at(second)[1:4]) for second in range(0, DAY, 60)
    ]
    assert not any(given_w[: 3 * 60])  # until 05:00 on the wall
    assert not any(given_w[20 * 60 :])
    assert max(given_w) > 2500
    june = sum(solar_day(date(2026, 6, day)) for day in range(1, 31))
    december = sum(solar_day(date(2026, 12, day)) for day in range(1, 31))
    assert june > 3 * december > 0


def test_clouds_come_and_go_on_a_changeable_day() -> None:
    days = [START.date().toordinal() + n for n in range(60)]
    changeable = next(day for day in days if weather.weather(1, day).sky == weather.CHANGEABLE)
    midnight = belgian_time.midnight(changeable)
    steps = weather.solar_steps(1, changeable, midnight, 5000, 5000)
    assert all(0 < until - at <= 10 for at, until, _ in steps)
    assert all(one[1] == next_[0] for one, next_ in pairwise(steps))
    noon = [watts for at, _, watts in steps if 9 * 3600 < at - midnight < 16 * 3600]
    # From cloud to sun and back many times, each time by more than a kilowatt.
    turns, last = 0, noon[0]
    for watts in noon:
        if abs(watts - last) > 1000:
            turns, last = turns + 1, watts
    assert turns > 20


def test_large_panels_feed_three_phases() -> None:
    house = Household(START, pv_wp=9000, car_w=0)
    assert any(max(house.at(second)[1:4]) < 0 for second in range(0, DAY, 600))
    house = Household(START, pv_wp=4800, car_w=0)
    assert all(min(house.at(second)[2:4]) >= 0 for second in range(0, DAY, 600))


def test_winter_heats_and_summer_does_not() -> None:
    def gas_m3(month: int) -> float:
        house = Household(datetime(2026, month, 1, tzinfo=UTC))
        return sum(s.gas_cm3_s * (s.end_s - s.start_s) for s in house.segments(0, 8 * DAY)) / 1e6

    assert gas_m3(1) > 4 * gas_m3(7) > 0
    electric = Household(datetime(2026, 1, 1, tzinfo=UTC), gas=False)
    assert not any(segment.gas_cm3_s for segment in electric.segments(0, 7 * DAY))


@pytest.mark.slow
@pytest.mark.soak
def test_a_year_of_the_house_is_like_that_of_others() -> None:
    drawn = litres = 0
    house = Household(datetime(2026, 1, 1, tzinfo=UTC), car_w=0, pv_wp=0)
    for begin, end, l1, l2, l3, _, water in house.segments(0, 365 * DAY):
        drawn += (l1 + l2 + l3) * (end - begin)
        litres += water * (end - begin) / 1000
    assert 2000 < drawn / 3.6e6 < 4500  # kWh
    assert 50_000 < litres < 130_000
    first = date(2026, 1, 1)
    given_ws = sum(solar_day(first + timedelta(days=n), 1000) for n in range(365))
    assert 850 < given_ws / 3.6e6 < 1150  # kWh a kWp


# Scripts


@given(script=st.lists(events, max_size=8), first=st.integers(0, 500))
def test_a_scripted_house_is_nothing_but_its_script(script: list[Event], first: int) -> None:
    house = Household.scripted(START, script)
    for segment in house.segments(first, 4000):
        for second in {segment.start_s, segment.end_s - 1}:
            active = [
                event
                for event in script
                if event.at_s <= second
                and (event.length_s is None or second < event.at_s + event.length_s)
            ]
            load = sum(event.amount for event in active if event.kind == "load")
            solar = sum(event.amount for event in active if event.kind == "solar")
            sample = house.at(second)
            assert sample.net_w == load - solar == sum(segment[2:5])
            assert sample.import_w - sample.export_w == sample.net_w
            assert min(sample.import_w, sample.export_w) == 0
            assert sample.gas_cm3 == sum(e.amount for e in active if e.kind == "gas")
            assert sample.water_cm3 == sum(e.amount for e in active if e.kind == "water")


def test_a_step_is_exact_to_the_second_and_on_its_phase() -> None:
    house = Household.scripted(START, [Event(100, "load", 3000, 50, phase=2)])
    assert house.at(99)[1:4] == (0, 0, 0)
    assert house.at(100)[1:4] == (0, 3000, 0)
    assert house.at(149)[1:4] == (0, 3000, 0)
    assert house.at(150)[1:4] == (0, 0, 0)
    assert list(house.segments(90, 160)) == [
        Segment(90, 100, 0, 0, 0, 0, 0),
        Segment(100, 150, 0, 3000, 0, 0, 0),
        Segment(150, 160, 0, 0, 0, 0, 0),
    ]


def test_a_script_adds_to_a_house_that_is_lived_in() -> None:
    plain = Household(START)
    more = Household(START, script=[Event(1000, "load", 1234, phase=3)])
    for second in (0, 999, 1000, 50_000, 3 * DAY):
        added = more.at(second).net_w - plain.at(second).net_w
        assert added == (1234 if second >= 1000 else 0)


@pytest.mark.parametrize("phase", [-1, 4])
def test_a_phase_there_is_none_of_is_refused(phase: int) -> None:
    with pytest.raises(ValueError, match="phase"):
        Household.scripted(START, [Event(0, "load", 1, phase=phase)])
    with pytest.raises(ValueError, match="phase"):
        Household.scripted(START).set_load("boiler", 1, 0, phase=phase)


def test_an_event_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="steam"):
        Household.scripted(START, [Event(0, "steam", 1)])  # pyright: ignore[reportArgumentType]


# Loads that boards switch


def test_a_switched_load_counts_from_the_next_second_on() -> None:
    house = Household.scripted(START, [Event(0, "load", 100)])
    assert house.at(10).net_w == 100
    house.set_load("boiler", 1500)
    assert house.at(10).net_w == 100
    assert house.at(11)[1:4] == (1600, 0, 0)
    house.set_load("boiler", 800, 20)
    house.set_load("pump", 301, 20, phase=0)
    assert house.at(20).net_w == 1600
    assert house.at(21)[1:4] == (1001, 100, 100)
    assert [(s.start_s, s.end_s, s[2] + s[3] + s[4]) for s in house.segments(0, 30)] == [
        (0, 11, 100),
        (11, 21, 1600),
        (21, 30, 1201),
    ]
    with pytest.raises(ValueError, match="over"):
        house.set_load("boiler", 0, 12)


def test_a_switched_load_shows_in_the_next_segment() -> None:
    house = Household.scripted(START, [Event(100, "load", 1), Event(200, "load", 1)])
    seen = []
    for segment in house.segments(0, 300):
        seen.append(segment[2])
        house.set_load("boiler", 1000 * len(seen))
    assert seen == [0, 1001, 2002]


def test_a_load_may_be_switched_every_second_for_ever() -> None:
    house = Household.scripted(START)
    for second in range(5000):
        assert house.at(second).net_w == (second if second else 0)
        house.set_load("boiler", second + 1, second)
    assert len(house._switched) < 1000


# Time and sun


@given(utc=st.integers(946684800, 2208988800))
def test_the_clock_on_the_wall_is_that_of_the_zone_database(utc: int) -> None:
    wall = datetime.fromtimestamp(utc, brussels())
    flag = "S" if wall.utcoffset() == timedelta(hours=2) else "W"
    assert belgian_time.stamp(utc) == wall.strftime("%y%m%d%H%M%S") + flag
    assert belgian_time.day(utc) == wall.toordinal()
    midnight = wall.replace(hour=0, minute=0, second=0, fold=0)
    assert belgian_time.midnight(wall.toordinal()) == midnight.timestamp()


def test_the_nights_the_clock_changes_have_23_and_25_hours() -> None:
    for day, hours in ((date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 6, 1), 24)):
        begin, end = (belgian_time.midnight(day.toordinal() + n) for n in (0, 1))
        assert end - begin == hours * 3600
        wall = local(day.year, day.month, day.day, 18, 30)
        assert belgian_time.at_wall(day.toordinal(), 18 * 3600 + 1800) == wall.timestamp()


@given(angle=st.floats(-1000, 1000))
def test_our_sine_is_a_sine(angle: float) -> None:
    assert weather.sine(angle) == pytest.approx(math.sin(math.radians(angle)), abs=1e-8)
    assert weather.cosine(angle) == pytest.approx(math.cos(math.radians(angle)), abs=1e-8)
