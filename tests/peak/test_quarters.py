"""Quarters by the column are the boards' quarters, telegram by telegram."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dsmrctl.firmware.core.quarter import Quarter
from dsmrctl.peak.quarters import MINUTES, Change, Rows, rows
from dsmrctl.peak.readings import UNKNOWN, Readings

# A quarter's beginning.
START = 1_772_323_200


def by_the_board(readings: Readings, forecaster: str) -> dict[int, tuple[int, list[int], int]]:
    """Quarter: demand, forecasts by the minute, readings; as `Quarter` has them, one by one."""
    follower = Quarter()
    follower.power = forecaster == "power"
    found: dict[int, list[object]] = {}
    halves: set[int] = set()
    before: tuple[int, int] | None = None
    columns = (readings.utc, readings.import_wh, readings.import_w, readings.quarter_w)
    utcs, whs, powers = (column.tolist() for column in columns[:3] if column is not None)
    owns = [UNKNOWN] * len(utcs) if columns[3] is None else columns[3].tolist()
    for utc, wh, power, own in zip(utcs, whs, powers, owns, strict=True):
        edge = utc - utc % 900
        if before is not None and (utc < before[0] or wh < before[1]):
            halves.add(edge)
            halves.add(before[0] - before[0] % 900)
        follower.follow(utc, wh, None if power < 0 else power, None if own < 0 else own)
        if edge not in found:
            found[edge] = [UNKNOWN, [UNKNOWN] * len(MINUTES), 0]
        if (
            before is not None
            and before[0] // 900 + 1 == utc // 900
            and follower.last_quarter_w is not None
        ):
            found[edge - 900][0] = follower.last_quarter_w
        found[edge][2] += 1  # type: ignore[operator]
        minute = utc % 900 // 60
        if minute >= MINUTES[0] and (before is None or before[0] // 60 != utc // 60):
            ahead = follower.forecast_w
            found[edge][1][minute - MINUTES[0]] = UNKNOWN if ahead is None else ahead  # type: ignore[index]
        before = (utc, wh)
    last = utcs[-1]
    if not last % 900 and len(utcs) > 1 and utcs[-2] < last:
        del found[last]  # it ends the quarter before, and says nothing of this one
    return {edge: tuple(one) for edge, one in found.items() if edge not in halves}  # type: ignore[misc]


def by_the_column(
    readings: Readings, forecaster: str, cuts: list[int]
) -> dict[int, tuple[int, list[int], int]]:
    places = sorted({0, len(readings.utc), *(cut % (len(readings.utc) + 1) for cut in cuts)})
    blocks = (readings.part(begin, end) for begin, end in itertools.pairwise(places))
    found: dict[int, tuple[int, list[int], int]] = {}
    for part in rows(blocks, forecaster):
        for utc, demand, ahead, _power, _peak, count in zip(*part, strict=True):
            found[int(utc)] = (int(demand), ahead.tolist(), int(count))
    return found


@st.composite
def meters(draw: st.DrawFn) -> Readings:
    """Some hours of a meter that may be silent, be replaced or lose its own quarter."""
    steps = draw(
        st.lists(
            st.one_of(
                st.sampled_from([1, 10, 60]),
                st.integers(0, 30),
                st.integers(31, 4000),
            ),
            min_size=1,
            max_size=120,
        )
    )
    utc = START + draw(st.sampled_from([0, 1, 9, 11, 295, 890])) + np.cumsum([0, *steps])
    rises = draw(st.lists(st.integers(0, 60), min_size=len(utc), max_size=len(utc)))
    powers = draw(st.lists(st.integers(-1, 9000), min_size=len(utc), max_size=len(utc)))
    owned = draw(st.sampled_from(["none", "all", "some"]))
    own = None
    if owned != "none":
        least = 0 if owned == "all" else -1
        own = np.array(
            draw(st.lists(st.integers(least, 9000), min_size=len(utc), max_size=len(utc)))
        )
    return Readings(
        utc.astype(np.int64),
        5_000_000 + np.cumsum(rises, dtype=np.int64),
        np.array(powers),
        quarter_w=own,
        fresh=True,
    )


@given(meters(), st.sampled_from(["linear", "power"]), st.lists(st.integers(0, 200), max_size=6))
def test_however_blocks_are_cut_quarters_are_the_boards(
    readings: Readings, forecaster: str, cuts: list[int]
) -> None:
    assert by_the_column(readings, forecaster, cuts) == by_the_board(readings, forecaster)


@given(meters(), meters(), st.lists(st.integers(0, 200), max_size=6), st.integers(-9000, 9000))
def test_a_clock_or_a_register_that_goes_back_spoils_its_own_quarter_only(
    first: Readings, then: Readings, cuts: list[int], later: int
) -> None:
    """Of readings after it (`then`, moved) and before it, what is known stays what it was."""
    first, then = first._replace(quarter_w=None), then._replace(quarter_w=None)
    then = then._replace(
        utc=then.utc + (int(first.utc[-1]) - START) // 900 * 900 + 900 * (later // 900),
        import_wh=then.import_wh - 100_000,
    )
    both = Readings(
        *(
            None if one is None or other is None else np.concatenate((one, other))
            for one, other in zip(first[:-1], then[:-1], strict=True)
        ),  # type: ignore[arg-type]
        fresh=True,
    )
    changes: list[Change] = []
    list(rows([both], "power", changes))
    assert len(changes) == 1
    kind = "clock" if then.utc[0] < first.utc[-1] else "register"
    assert (changes[0].kind, changes[0].utc, changes[0].then) == (
        kind, int(first.utc[-1]), int(then.utc[0]),
    )  # fmt: skip
    seen: dict[int, int] = {}
    for part in rows([both], "power"):
        for utc, demand in zip(part.utc.tolist(), part.demand_w.tolist(), strict=True):
            seen[utc] = max(seen.get(utc, UNKNOWN), demand)
    for utc, (demand, _, _) in by_the_board(first, "power").items():
        if utc < int(first.utc[-1]) // 900 * 900 and demand >= 0:
            assert seen[utc] >= demand


def one_day(net_w: np.ndarray) -> Rows:
    from dsmrctl.peak.power import Power

    found = list(rows([Power(START, 60, net_w).readings()], "power"))
    return Rows(*(np.concatenate(column) for column in zip(*found, strict=True)))


def test_the_same_load_begun_at_half_a_quarter_makes_half_the_peak() -> None:
    """The manual's remark: 2 kW for 15 minutes from :00 and from :07:30."""
    from dsmrctl.peak.power import Power

    def peak(at_s: int) -> int:
        seconds = np.zeros(7200, np.int64)
        seconds[at_s : at_s + 900] = 2000
        found = list(rows([Power(START, 1, seconds).readings()], "power"))
        return max(int(part.demand_w.max()) for part in found if len(part.utc))

    assert peak(1800) == 2000
    assert peak(1800 + 450) == 1000


def test_quarters_hold_the_registers_energy() -> None:
    rng = np.random.default_rng(4)
    net = rng.integers(-2000, 6000, 1440)
    day = one_day(net)
    register = np.maximum(net, 0).reshape(96, 15).sum(axis=1).cumsum() * 60 // 3600
    assert (
        day.demand_w[:-1].tolist()
        == (np.diff(register, prepend=0) * 4).tolist()[: len(day.utc) - 1]
    )
