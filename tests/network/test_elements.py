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

SECONDS = 200
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
)
def test_in_any_order_no_name_is_wrong_and_the_clock_is_found(
    order: list[int], count: int, hour: int, late: list[float]
) -> None:
    found = Elements()
    for number, each in enumerate(frames(hour)[:count]):
        passed = 1 + late[number % len(late)] - late[(number - 1) % len(late)]
        found.take([each[place] for place in order], passed if number else 0.0)
    given_names = [guess.name for guess in found.guesses()]
    for place, name in zip(order, given_names, strict=True):
        assert name in (None, ORDER[place]), (name, ORDER[place])
    if count < elements.LEAST_FRAMES:
        assert set(given_names) == {None}
    if count > 20:
        assert "second" in given_names
    if count > 130:
        assert {"second", "minute", "tariff"} <= set(given_names)
    assert found.layout().count(",") == len(ORDER) - 1


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
