"""What a foreign frame's numbers are said to be: never a wrong name, in whatever order."""

from __future__ import annotations

import functools
import json
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from dsmrctl.firmware.core import frame
from dsmrctl.gateway.frame_maker import FrameMaker
from dsmrctl.network import elements
from dsmrctl.network.elements import Elements
from dsmrctl.telegram import parse
from dsmrctl.virtual.meter_past import new_household_meter

SECONDS = 420
ORDER = frame.FIELDS


@functools.cache
def frames(hour: int) -> list[list[int]]:
    """Frames of a household, a second each."""
    meter = new_household_meter(datetime(2026, 6, 18, hour, 3, tzinfo=UTC), seed=4)
    maker = FrameMaker()
    found = []
    for second in range(meter.second + 1, meter.second + 1 + SECONDS):
        raw = elements.read(maker.frame(maker.quantities(parse(meter.telegram(second)))))
        assert raw is not None
        found.append(raw.elements)
    return found


@given(
    order=st.permutations(range(len(ORDER))),
    count=st.integers(1, SECONDS),
    hour=st.sampled_from([5, 11, 18]),
    late=st.lists(st.floats(-0.3, 0.3), min_size=1, max_size=7),
    version=st.sampled_from([1, 2]),
)
def test_in_any_order_no_name_is_wrong_and_the_clock_is_found(
    order: list[int], count: int, hour: int, late: list[float], version: int
) -> None:
    order = [place for place in order if version == 2 or place < len(frame.VERSION_1)]
    found = Elements()
    for number, each in enumerate(frames(hour)[:count]):
        passed = 1 + late[number % len(late)] - late[(number - 1) % len(late)]
        found.take([each[place] for place in order], passed if number else 0.0)
    given_names = [guess.name for guess in found.guesses()]
    for place, name in zip(order, given_names, strict=True):
        assert name in (None, ORDER[place]), (name, ORDER[place])
    if count < elements.LEAST_FRAMES:
        assert set(given_names) == {None}
    if count > 61:
        assert "second" in given_names
    if count > 121:
        assert {"second", "minute", "tariff"} <= set(given_names)
    assert found.layout().count(",") == len(order) - 1


@given(data=st.data())
def test_frames_lost_late_swapped_and_left_away_for_long_make_no_name_wrong(
    data: st.DataObject,
) -> None:
    kept = data.draw(st.lists(st.sampled_from(range(SECONDS)), unique=True, min_size=2))
    if data.draw(st.booleans()):
        kept.sort()
    left_out = data.draw(st.sets(st.sampled_from(range(len(ORDER)))))
    order = [place for place in range(len(ORDER)) if place not in left_out]
    late_s = data.draw(st.lists(st.floats(0, 5), min_size=1, max_size=50))
    found, before = Elements(), 0.0
    for number, second in enumerate(kept):
        at = second + late_s[number % len(late_s)]
        found.take([frames(11)[second][place] for place in order], at - before if number else 0.0)
        before = at
    for place, guess in zip(order, found.guesses(), strict=True):
        assert guess.name in (None, ORDER[place])


def test_one_late_frame_costs_no_name() -> None:
    found, before = Elements(), 0.0
    for number, each in enumerate(frames(11)):
        at = number + 2.9 * (number == 100)
        found.take(each, at - before)
        before = at
    assert {"second", "minute", "tariff"} <= set(found.layout().split(","))


def test_a_clock_that_runs_off_slowly_is_followed_for_hours() -> None:
    found = Elements()
    for number in range(4 * 3600):
        found.take([5, number // 60 % 60, number % 60], 1.0005)  # 7 s by the end
    assert found.layout() == "-,minute,second"


def test_what_may_still_be_the_minute_or_a_small_register_gets_no_name() -> None:
    found = Elements()
    for number in range(40):
        found.take([1, 83125000 + number, number + 5], 1.0)
    assert found.layout() == "-,-,-"


def test_registers_and_powers_are_told_in_words() -> None:
    found = Elements()
    for each in frames(18):
        found.take(each, 1.0)
    words = {ORDER[at]: guess.words for at, guess in enumerate(found.guesses())}
    growing = words["import_t1_wh"], words["import_t2_wh"]
    assert any("a register in Wh?" in each for each in growing)
    assert "power" in words["import_w"]
    # Nothing of it is believed: those are a person's to name.
    assert found.layout() == ",".join(
        name if name in ("tariff", "minute", "second") else "-" for name in ORDER
    )


def test_it_begins_anew_when_the_array_has_another_length() -> None:
    found = Elements()
    for number in range(10):
        found.take([number, 5], 1.0)
    found.take([1, 2, 3], 1.0)
    assert (found.frames, [place.value for place in found.places]) == (1, [1, 2, 3])


@given(st.binary(max_size=600))
def test_any_datagram_is_numbers_or_none(data: bytes) -> None:
    raw = elements.read(data)
    assert raw is None or all(type(each) is int for each in raw.elements)


def test_what_is_no_array_of_whole_numbers_is_none() -> None:
    wrong = [[], [1.5], [True], ["1"], [10**13], list(range(65)), {"a": 1}, 7]
    for each in wrong:
        assert elements.read(json.dumps({"dsmr": each}).encode()) is None
    assert elements.read(b"[1,2]") is None
    assert elements.read(b'{"dsmr":[-3,4]}') == ([-3, 4], None)
    assert elements.read(b'{"v":2,"dsmr":[3]}') == ([3], 2)
