"""Quarters from registers: exact where edges were seen, unknown where not, never guessed."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsmrctl.history.edges import NEAR_S, QUARTER, Follower, Quarter, Sample

EDGE = 1_795_000_500  # divisible by 900
assert EDGE % QUARTER == 0


def register(utc: int, watts: int = 3600) -> int:
    """What a constant load has put on a register: 3600 W is a Wh a second."""
    return 5_000_000 + (utc - EDGE) * watts // 3600


def follow(samples: Iterable[Sample], follower: Follower | None = None) -> list[Quarter]:
    """Every quarter that ended, and the running one."""
    follower = follower or Follower()
    ended = [one for one in map(follower.take, samples) if one is not None]
    assert follower.running is not None
    return [*ended, follower.running]


def by_second(first: int, until: int) -> list[Sample]:
    return [Sample(utc, 3600, register(utc), register(utc, 1800)) for utc in range(first, until)]


def test_a_quarter_is_the_difference_of_the_registers_at_its_edges() -> None:
    quarters = follow(by_second(EDGE, EDGE + 2 * QUARTER + 1))
    assert [one.utc for one in quarters] == [EDGE, EDGE + QUARTER, EDGE + 2 * QUARTER]
    assert [one.import_wh for one in quarters] == [900, 900, None]
    assert [one.export_wh for one in quarters] == [450, 450, None]
    assert [one.seen_s for one in quarters] == [900, 900, 0]


def test_a_quarter_whose_beginning_was_not_seen_has_no_demand() -> None:
    first, second, _ = follow(by_second(EDGE + 11, EDGE + 2 * QUARTER + 1))
    assert (first.import_start_wh, first.import_wh) == (None, None)
    assert (second.import_start_wh, second.import_wh) == (register(EDGE + QUARTER), 900)
    assert first.seen_s == 900 - 11


@pytest.mark.parametrize("every", [1, 2, 5, 7, 10])
def test_a_meter_that_speaks_every_few_seconds_has_its_edges_between_two_samples(
    every: int,
) -> None:
    samples = by_second(EDGE - 3, EDGE + 3 * QUARTER)[::every]
    quarters = follow(samples)
    for one in quarters[1:-1]:
        assert one.import_start_wh == register(one.utc)
        assert (one.import_wh, one.seen_s) == (900, 900)


def test_an_edge_in_a_gap_is_unknown_on_both_its_sides_and_the_gap_is_not_seen() -> None:
    samples = by_second(EDGE, EDGE + 3 * QUARTER + 1)
    gap = range(EDGE + QUARTER - 11, EDGE + QUARTER + 20)
    first, second, third, _ = follow(one for one in samples if one.utc not in gap)
    assert (first.import_wh, second.import_start_wh, second.import_wh) == (None, None, None)
    assert third.import_wh == 900
    assert first.seen_s + second.seen_s == 1800 - len(gap) - 1


def test_two_that_were_swapped_on_the_way_cost_nothing() -> None:
    samples = by_second(EDGE, EDGE + 2 * QUARTER + 1)
    for at in (5, QUARTER - 1, QUARTER, QUARTER + 300):
        samples[at], samples[at + 1] = samples[at + 1], samples[at]
    assert [one.import_wh for one in follow(samples)] == [900, 900, None]


def test_the_same_twice_counts_once() -> None:
    once = by_second(EDGE, EDGE + QUARTER + 1)
    assert follow(one for one in once for _ in range(2)) == follow(once)


def test_a_meter_that_was_replaced_is_no_demand_and_no_negative_energy() -> None:
    samples = by_second(EDGE, EDGE + 3 * QUARTER + 1)
    at = QUARTER + 100
    new = [one._replace(import_wh=one.utc - EDGE - at, export_wh=0) for one in samples[at:]]
    follower = Follower()
    first, second, third, _ = (
        *follow(samples[:at], follower)[:-1],
        *follow(new[:1], follower)[:-1],
        *follow(new[1:], follower)[1:],
    )
    assert first.import_wh == 900
    assert second.import_start_wh == register(EDGE + QUARTER)
    assert second.import_wh is None
    assert third.import_wh == 900


@pytest.mark.parametrize("leap", [-1, 2_000, 10**12])
def test_a_register_that_falls_or_leaps_is_told_and_makes_no_peak(leap: int) -> None:
    follower = Follower()
    samples = by_second(EDGE, EDGE + 100)
    quarters = follow(samples, follower)
    assert follower.odd is None
    last = samples[-1]
    assert last.import_wh is not None
    other = last.import_wh + leap
    after = [Sample(EDGE + at, 3600, other, last.export_wh) for at in range(100, QUARTER + 1)]
    follower.take(after[0])
    assert follower.odd == "register"
    quarters = follow(after[1:], follower)
    assert all(one.import_wh is None for one in quarters)


def test_a_clock_set_back_is_told_and_begins_anew() -> None:
    follower = Follower()
    follow(by_second(EDGE, EDGE + 2000), follower)
    again = by_second(EDGE + 900, EDGE + 2701)
    again = [one._replace(import_wh=register(one.utc + 1100)) for one in again]
    follower.take(again[0])
    assert follower.odd == "clock"
    quarters = follow(again[1:], follower)
    assert quarters[0].import_wh == 900
    assert quarters[0].import_start_wh == register(EDGE + 2000)


def test_a_clock_set_back_by_seconds_waits_until_it_is_later_again() -> None:
    follower = Follower()
    follow(by_second(EDGE, EDGE + 905), follower)
    late = [
        Sample(utc, 3600, register(utc + 30), register(utc, 1800))
        for utc in range(EDGE + 875, EDGE + 1801)
    ]
    quarters = follow(late, follower)
    assert follower.odd is None
    assert quarters[0].import_wh == 930  # what went through between the two edges, all of it


@given(
    steps=st.lists(
        st.tuples(st.sampled_from((1, 1, 1, 2, 5, 10, 11, 60, 900)), st.integers(0, 20)),
        min_size=1,
        max_size=400,
    ),
    first=st.integers(0, 2000),
)
def test_what_is_known_is_true_and_adds_up(steps: list[tuple[int, int]], first: int) -> None:
    """Against the registers themselves, wherever samples fall."""
    utc, wh = EDGE + first, 1000
    samples = [Sample(utc, 0, wh, None)]
    for seconds, more in steps:
        utc, wh = utc + seconds, wh + min(more, 20)
        samples.append(Sample(utc, 0, wh, None))
    said = {one.utc: one.import_wh for one in samples}
    quarters = follow(samples)
    for one in quarters:
        inside = [at for at in said if one.utc <= at <= one.utc + QUARTER]
        assert 0 <= one.seen_s <= QUARTER
        assert one.export_wh is None
        if one.utc in said:
            assert one.import_start_wh == said[one.utc]
        elif one.import_start_wh is not None:
            before = max(at for at in said if at < one.utc)
            after = min(at for at in said if at > one.utc)
            assert one.utc - before <= NEAR_S >= after - one.utc
            assert (said[before] or 0) <= one.import_start_wh <= (said[after] or 0)
        if one.import_wh is not None:
            assert inside
            assert one.import_wh >= 0
    for one, then in pairwise(quarters):
        if one.import_wh is not None:
            assert one.import_start_wh is not None
            assert one.import_start_wh + one.import_wh == then.import_start_wh
