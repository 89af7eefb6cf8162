"""How regularly frames come; every time is made up, so every figure is known before."""

from __future__ import annotations

import random
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsmrctl.network.statistics import MOST_SENDERS, OTHERS, Statistics, Steady

S = 10**9
MS = 10**6
WALL = 1_795_000_000 * S
UP = 5_000 * S


def fed(came: Iterable[int], sender: str = "a", statistics: Statistics | None = None) -> Statistics:
    """Frames at these times (ns from the start), each read 1 ms later, by a clock nobody sets."""
    statistics = statistics or Statistics()
    for at in came:
        read = at + MS
        statistics.take(sender, WALL + at, WALL + read, UP + read)
    return statistics


def test_one_a_second_is_even() -> None:
    found = fed(n * S for n in range(601)).document()
    assert found["frames"] == 601
    assert found["duration_s"] == 600
    assert found["per_s"] == 1
    assert found["clock_jumps"] == found["clock_jumps_back"] == 0
    assert found["clock_largest_jump_s"] is None
    one = found["senders"]["a"]
    assert one["interval_s"] == one["longest_s"] == 1
    assert (one["gaps"], one["missing"]) == (0, 0)
    assert one["jitter_p50_ms"] <= one["jitter_p99_ms"] < 0.001


def test_nothing_and_one_frame_have_no_rate() -> None:
    assert Statistics().document()["per_s"] is None
    found = fed([0]).document()
    assert found["per_s"] is None
    assert found["senders"]["a"] == {
        "frames": 1, "per_s": None, "interval_s": None, "longest_s": None,
        "gaps": 0, "missing": 0, "jitter_p50_ms": None, "jitter_p99_ms": None,
    }  # fmt: skip


@pytest.mark.parametrize("away", [[3], [3, 4, 5], [100, 200, 201], [7, 8, 9, 10, 30]])
def test_what_is_missing_is_counted_wherever_it_is(away: list[int]) -> None:
    found = fed(n * S for n in range(300) if n not in away).document()["senders"]["a"]
    assert found["missing"] == len(away)
    runs = sum(n - 1 not in away for n in away)
    assert found["gaps"] == runs
    assert found["longest_s"] == 1 + max(len(list(run)) for run in _runs(away))
    # Gaps say nothing about how evenly the rest came.
    assert found["jitter_p99_ms"] < 0.001


def _runs(numbers: list[int]) -> Iterable[list[int]]:
    run: list[int] = []
    for n in numbers:
        if run and n != run[-1] + 1:
            yield run
            run = []
        run.append(n)
    yield run


def test_a_gap_is_longer_than_one_and_a_half_intervals() -> None:
    even = [n * S for n in range(50)]
    for late, gaps in ((1.45, 0), (1.55, 1)):
        found = fed([*even, even[-1] + int(late * S)]).document()["senders"]["a"]
        assert found["gaps"] == gaps


def test_a_fast_flow_has_no_gap_where_this_computer_was_busy_for_a_moment() -> None:
    came = [n * MS for n in range(1000)]
    came[500:] = [at + 8 * MS for at in came[500:]]
    assert fed(came).document()["senders"]["a"]["gaps"] == 0
    came[500:] = [at + 20 * MS for at in came[500:]]
    assert fed(came).document()["senders"]["a"]["gaps"] == 1


def test_jitter_is_how_far_intervals_are_from_the_usual_one() -> None:
    chance = random.Random(9)
    came = [n * S + chance.randrange(-20 * MS, 20 * MS) for n in range(20_000)]
    found = fed(came).document()["senders"]["a"]
    offs = sorted(abs(b - a - S) for a, b in pairwise(came))
    for name, part in (("jitter_p50_ms", 0.5), ("jitter_p99_ms", 0.99)):
        exact = offs[int(len(offs) * part)] / MS
        # The usual interval is a median of few, so uneven itself.
        assert found[name] == pytest.approx(exact, rel=0.15)
    assert found["gaps"] == 0


def test_a_sender_that_changes_its_pace_is_followed() -> None:
    came = [n * S for n in range(100)]
    came += [came[-1] + (n + 1) * S // 10 for n in range(1000)]
    came += [came[-1] + (n + 1) * 10 * S for n in range(100)]
    found = fed(came).document()["senders"]["a"]
    assert found["interval_s"] == 10
    assert found["gaps"] < 32  # until ten seconds are the usual


@pytest.mark.parametrize("jump", [-3600 * S, 3600 * S, -2500 * MS, 5 * S, 400 * 86400 * S])
@pytest.mark.parametrize("waiting", [0, 3])
def test_a_clock_that_is_set_spoils_nothing(jump: int, waiting: int) -> None:
    """Also while frames wait: stamped before the clock was set, read after it."""
    statistics = Statistics()
    for n in range(200):
        stamped = WALL + n * S + (jump if n >= 100 else 0)
        read = (max(n, 100) if 100 - waiting <= n < 100 else n) * S + MS
        wall = WALL + read + (jump if read >= 100 * S else 0)
        statistics.take("a", stamped, wall, UP + read)
    found = statistics.document()
    assert found["clock_jumps"] == 1
    assert found["clock_jumps_back"] == (jump < 0)
    assert found["clock_largest_jump_s"] == jump / S
    assert found["duration_s"] == pytest.approx(199, abs=0.01)
    one = found["senders"]["a"]
    assert (one["gaps"], one["missing"]) == (0, 0)
    assert one["longest_s"] == pytest.approx(1, abs=0.01)
    assert one["jitter_p99_ms"] < 1


def test_a_clock_led_back_slowly_is_no_jump() -> None:
    statistics = Statistics()
    for n in range(5000):
        slow = n * S // 2000  # 0.5 ms a second
        statistics.take("a", WALL + n * S + slow, WALL + n * S + slow, UP + n * S)
    found = statistics.document()
    assert found["clock_jumps"] == 0
    assert found["senders"]["a"]["gaps"] == 0


def test_a_computer_that_slept_has_a_gap_and_no_jump() -> None:
    came = [n * S for n in range(50)] + [7200 * S + n * S for n in range(50)]
    found = fed(came).document()
    assert found["clock_jumps"] == 0
    assert found["senders"]["a"]["longest_s"] == 7200 - 49
    assert found["senders"]["a"]["missing"] == 7200 - 50


def test_each_sender_has_its_own_figures_and_strangers_are_bounded() -> None:
    statistics = Statistics()
    for n in range(100):
        fed([n * S], "a", statistics)
        if n % 2:
            fed([n * S + S // 2], "b", statistics)
    for n in range(1000):
        fed([100 * S + n], f"stranger {n}", statistics)
    senders = statistics.document()["senders"]
    assert senders["a"]["interval_s"] == 1
    assert senders["b"]["interval_s"] == 2
    assert senders["a"]["gaps"] == senders["b"]["gaps"] == 0
    assert len(senders) == MOST_SENDERS + 1
    assert senders[OTHERS] == {"frames": 1002 - MOST_SENDERS}


@given(st.lists(st.tuples(*[st.integers(-(10**19), 10**19)] * 3), max_size=60))
def test_no_times_however_mad_end_in_a_traceback(times: list[tuple[int, int, int]]) -> None:
    statistics = Statistics()
    for time_ns, now_ns, uptime_ns in times:
        statistics.take("a", time_ns, now_ns, uptime_ns)
        statistics.document()
    assert statistics.document()["frames"] == len(times)


@given(
    st.lists(st.integers(1, 20 * S), min_size=2, max_size=80),
    st.dictionaries(st.integers(1, 79), st.integers(-(10**15), 10**15), max_size=5),
)
def test_steady_times_are_those_of_a_clock_that_was_never_set(
    intervals: list[int], jumps: dict[int, int]
) -> None:
    steady = Steady()
    at, offset = 0, WALL
    for number, interval in enumerate(intervals):
        at += interval
        jump = jumps.get(number, 0)
        offset += jump if abs(jump) >= S else 0
        assert steady.steady(at + offset, at + offset, UP + at) == UP + at
