"""Power by the step, and readings made into it: no Wh is lost."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dsmrctl.peak.power import Power, to_power

START = 1_772_323_200
watts = st.lists(st.integers(0, 9000), min_size=1, max_size=200)


@given(watts, st.sampled_from([1, 10, 60, 300, 900]))
def test_a_step_of_power_is_read_back_to_the_registers_wh(each: list[int], step_s: int) -> None:
    given_w = np.array(each, np.int64)
    readings = Power(START, step_s, given_w).readings()
    assert readings.import_wh[-1] == int(given_w.sum()) * step_s // 3600
    if step_s > 10:
        found = to_power([readings], step_s)
        assert [(one.start_s, one.step_s) for one in found] == [(START, step_s)]
        joules = int(found[0].net_w.sum()) * step_s
        # Whole watts: less than one of the last step may be left over.
        assert 0 <= int(readings.import_wh[-1]) * 3600 - joules < step_s


@given(watts, st.integers(60, 5000))
def test_a_gap_cuts_it(each: list[int], gap_s: int) -> None:
    first = Power(START, 10, np.array(each * 20, np.int64)).readings()
    later = int(first.utc[-1]) + gap_s
    both = first._replace(
        utc=np.concatenate((first.utc, first.utc - START + later)),
        import_wh=np.concatenate((first.import_wh, first.import_wh + int(first.import_wh[-1]))),
        import_w=np.concatenate((first.import_w, first.import_w)),
    )
    found = to_power([both], 10)
    assert all(one.end_s <= later - gap_s or one.start_s >= later for one in found)
    assert len(found) == 2
